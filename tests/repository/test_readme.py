"""What the README says is what the code does."""

import contextlib
import inspect
import io
import re
from pathlib import Path

import pytest
from running import LESSONS, results

import tinymeta

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code, text", [(0, 0), (2, 1)], ids=["what it looks like", "your own tasks"])
def test_a_snippet_prints_what_the_readme_says(code, text):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(blocks("python")[code], {})
    assert printed.getvalue() == blocks("text")[text]


def test_the_maml_that_it_shows_is_the_maml_that_runs():
    assert blocks("python")[1] in inspect.getsource(tinymeta.maml_grad)


def test_it_lists_every_lesson_and_every_path_exists():
    linked = re.findall(r"\]\(((?:lessons|tests)/[^)]*)\)", README)
    assert all((ROOT / path).exists() for path in linked)
    assert {f"lessons/{lesson.name}" for lesson in LESSONS} <= set(linked)


NUMBERS = [  # (page, number, lesson, the lesson's name for it), written in the pages as 0.73<!--03: MAML after 10 steps-->
    (page, *found)
    for page in ("README.md", "lessons/README.md", "lessons/INSTRUCTOR.md")
    for found in re.findall(r"(-?[\d.]+)<!--(\d\d): (.*?)-->", (ROOT / page).read_text(encoding="utf-8"))
]


@pytest.mark.slow
@pytest.mark.parametrize("page, number, lesson, name", NUMBERS)
def test_a_number_in_a_readme_is_what_its_lesson_measures(page, number, lesson, name, full_run):
    path = next(path for path in LESSONS if path.stem.startswith(lesson))
    result = results(full_run(path)[1], path)[name]
    assert result["low"] <= float(number) <= result["high"]
    # another BLAS is another chaotic run; a number of steps or of wins may move further, within its bounds
    assert float(number) == pytest.approx(result["value"], rel=0.25) or result["high"] > 2 * result["low"]
