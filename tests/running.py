"""Run lessons as their reader would, and read what they save."""

import ast
import json
import os
import re
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


# A number, with its sign where no letter, digit or hyphen is before it
NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?|\d+(?:\.\d+)?")


# What a clock measures: a line that says so, a table below "Time of", and a table's column of
# seconds behind its labels
CLOCK_LINE = re.compile(r"[Pp]rocessor time|after +\d+ s\b|costs [\d.]+ gradients")
CLOCK_COLUMN = re.compile(r"^(.{27} {1,3})\d{1,3}(?= +[\d.]+ )")


def unlike(recorded, printed):
    """Return the pairs of lines (recorded, printed) that differ: in a word, or in a number by more
    than a tenth and more than two units of its last digit; what is below 1e-9 is rounding, and what
    a clock measures may be any number."""
    before, after = (text.strip("\n").split("\n") for text in (recorded, printed))
    if len(before) != len(after):
        return [(f"{len(before)} lines", f"{len(after)} lines")]
    by_clock, found = False, []
    for pair in zip(before, after):
        by_clock = pair[0].startswith("Time of ") or by_clock and pair[0].startswith("  ")
        if not alike(*pair, by_clock):
            found.append(pair)
    return found


def alike(before, after, by_clock=False):
    before, after = (CLOCK_COLUMN.sub(r"\1", line) for line in (before, after))
    words = [re.sub(r"\s+", " ", NUMBER.sub("#", line)) for line in (before, after)]
    numbers = zip(NUMBER.findall(before), NUMBER.findall(after))
    by_clock = by_clock or CLOCK_LINE.search(before)
    return words[0] == words[1] and (by_clock or all(close(*pair) for pair in numbers))


def close(a, b):
    x, y = (float(text.replace(",", "")) for text in (a, b))
    mantissa, _, exponent = a.replace(",", "").partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    largest = max(abs(x), abs(y))
    return abs(x - y) <= max(0.1 * largest, 2 * unit) or largest < 1e-9
