"""Grades a folder of answers to the exercises: python -m pytest -m exercise --exercises=DIR

Each file runs in a process of its own, on other problems than those it is run on by its author, and
for a limited time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLANKS = sorted((ROOT / "lessons" / "exercises").glob("[0-9]*.py"))
SEEDS = ("1", "2", "3")


def graded(path, seconds=30):
    """(whether the answers in a file are right, what the check says)."""
    if not path.exists():
        return False, f"{path.name}: not handed in"
    command = [sys.executable, "-m", "tinymeta.course.grading", str(path.resolve()), *SEEDS]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command,
            env=env,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return False, f"{path.name}: stopped after {seconds} s; an endless loop?"
    if done.returncode == 0 and done.stdout.rstrip().endswith("all checks OK"):
        return True, done.stdout
    return False, (done.stdout + done.stderr).strip() or f"{path.name}: it ended before its check"


@pytest.mark.exercise
@pytest.mark.parametrize("name", [path.name for path in BLANKS])
def test_an_answer(name, request):
    right, text = graded(request.config.getoption("exercises") / name)
    if not right:
        pytest.fail(text, pytrace=False)
