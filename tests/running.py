"""Run lessons as their reader would, and read what they save."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "lessons").glob("[0-9]*.py"))


def environment(**changes):
    """This one, without a screen and without what a notebook leaves behind; None removes."""
    values = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DISPLAY": None,
        "WAYLAND_DISPLAY": None,
        "MPLBACKEND": None,
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def run(lesson, *flags, cwd, **environment):
    """Run a lesson, or an exercise, in the folder cwd, with warnings as errors."""
    command = [sys.executable, "-W", "error", str(lesson), *flags]
    env = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, encoding="utf-8", timeout=600
    )


def results(folder, lesson):
    """Return the numbers that a run of the lesson saved in the folder."""
    return json.loads((folder / f"{lesson.stem}.json").read_text(encoding="utf-8"))


def statements(path):
    """Return the number of statements of a file, docstrings not counted."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    return sum(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in found
    )
