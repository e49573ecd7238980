"""What the README says is what the code does."""

import contextlib
import inspect
import io
import re
from pathlib import Path

import pytest

import tinymeta
from test_lessons import LESSONS, full_run, results  # noqa: F401  (full_run is a fixture)

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_snippet_prints_what_the_readme_says():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(blocks("python")[0], {})
    assert printed.getvalue() == blocks("text")[0]


def test_the_maml_that_it_shows_is_the_maml_that_runs():
    assert blocks("python")[1] in inspect.getsource(tinymeta.maml_grad)


def test_it_lists_every_lesson_and_every_path_exists():
    linked = re.findall(r"\]\(((?:lessons|tests)/[^)]*)\)", README)
    assert all((ROOT / path).exists() for path in linked)
    assert {f"lessons/{lesson.name}" for lesson in LESSONS} <= set(linked)


@pytest.mark.slow
def test_the_table_of_losses_is_what_lesson_03_measures(full_run):  # noqa: F811
    _, folder = full_run(ROOT / "lessons" / "03_maml.py")
    measured = results(folder, ROOT / "lessons" / "03_maml.py")
    rows = re.findall(r"^\| (random|transfer|MAML) \| (\S+) \| (\S+) \| (\S+) \|$", README, re.MULTILINE)
    assert len(rows) == 3
    for method, *losses in rows:
        for steps, printed in zip(("0 steps", "1 step", "10 steps"), losses):
            result = measured[f"{method} after {steps}"]
            assert result["low"] <= float(printed) <= result["high"]
            assert float(printed) == pytest.approx(result["value"], rel=0.15)  # another BLAS is another chaotic run
