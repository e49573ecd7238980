"""The first numbers of the guide's projects are those of tests/tools/projects.py."""

import re

import projects
import pytest
from running import ROOT

GUIDE = (ROOT / "lessons" / "INSTRUCTOR.md").read_text(encoding="utf-8")
SECTION = re.search(r"^## A project.*?(?=^## )", GUIDE, re.MULTILINE | re.DOTALL)[0]
# the tables of numbers: {name of a row: its cells}
TABLES = [
    {
        name: cells.split(" | ")
        for name, cells in re.findall(r"^\| (.*?) \| (.*) \|$", rows, re.MULTILINE)
    }
    for rows in re.findall(r"^\| [1-3]: .*?\n\|---.*?\n(.*?)\n(?!\|)", SECTION, re.M | re.S)
]


def values(cells):
    """Return the numbers of "0.63 (0.49 to 0.81)", a list for each cell."""
    return [[float(number) for number in re.findall(r"\d+\.\d+", cell)] for cell in cells]


def far(printed, computed, factor):
    """Return whether a mean is farther from the printed one than `factor` times the spread of the
    networks, and two units of the last digit."""
    (mean, *spread), (now, *_) = printed, computed
    room = factor * (max(spread) - min(spread)) if spread else 0
    return abs(mean - now) > room + 0.02


def test_ten_ideas_have_something_to_read_and_three_have_numbers():
    ideas = re.findall(r"^\| \d+ \| (.*?) \| (.*?) \| .*? \|$", SECTION, re.MULTILINE)
    assert len(ideas) == 10 and len(TABLES) == len(projects.PROJECTS) == 3
    for question, to_read in ideas:
        assert "?" in question and re.search(r"\d{4}.*arXiv \d{4}\.\d{5}$", to_read)


@pytest.mark.slow
@pytest.mark.parametrize(
    "table, project, factor",
    [(0, "truncated", 0), (1, "one_wrong_point", 0), (2, "adapting_a_part", 1)],
)
def test_the_first_numbers_are_what_the_guide_says(table, project, factor):
    """Networks that are trained anew differ on another machine, by as much as from each other."""
    found = getattr(projects, project)()
    assert list(found) == list(TABLES[table])
    for name, cells in found.items():
        cells = [cells] if isinstance(cells, str) else cells
        for printed, computed in zip(values(TABLES[table][name]), values(cells), strict=True):
            assert not far(printed, computed, factor), name


def test_a_number_that_is_another_would_be_found():
    assert far([0.63, 0.49, 0.81], [0.66], 0) and not far([0.63, 0.49, 0.81], [0.62], 0)
    assert far([0.63, 0.49, 0.81], [0.98], 1) and not far([0.63, 0.49, 0.81], [0.90], 1)
