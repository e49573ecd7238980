"""The tool that asks whether the tests notice: it changes every module, and picks the tests that
speak for a change."""

import json
import shutil
import subprocess
from pathlib import Path

import changes
import mutate
import pytest

SOURCES = {name: path.read_text(encoding="utf-8") for name, path in mutate.modules().items()}


@pytest.fixture(scope="module")
def every():
    return {name: changes.changes(source, name) for name, source in SOURCES.items()}


def results(source):
    """All that the single changes make of a source."""
    return {change.applied(source) for change in changes.changes(source)}


def test_every_module_with_a_function_yields_changes(every):
    assert {"mlp", "meta", "extras/data/make_glyphs"} <= set(every)
    assert [name for name, found in every.items() if not found and "def " in SOURCES[name]] == []


def test_a_changed_source_compiles_and_is_another(every):
    for name, found in every.items():
        for change in found[::300]:
            compile(change.applied(SOURCES[name]), mutate.told(change), "exec")
            assert change.applied(SOURCES[name]) != SOURCES[name]


def test_hardly_two_changes_are_told_alike(every):
    told = [mutate.told(change) for found in every.values() for change in found]
    assert len(set(told)) > 0.99 * len(told)


LINES = {
    "a - b\n": {"(a + b)\n", "(a)\n", "pass\n"},
    "n > 0\n": {"(n >= 0)\n", "(n != 0)\n", "n > (1)\n", "n > (-1)\n", "pass\n"},
    "c = 1e-06\n": {"c = (2e-06)\n", "c = (0.01)\n", "pass\n"},
    "all(a)\n": {"(any)(a)\n", "pass\n"},
    "f(a, b)\n": {"(f(b, a))\n", "pass\n"},
    "f(p=a, q=b)\n": {"(f(q=b))\n", "(f(p=a))\n", "(f(p=b, q=a))\n", "pass\n"},
    "f(c, c)\n": {"pass\n"},
    "'é', a if b else c\n": {"'é', (c if b else a)\n", "pass\n"},
    "raise E(1)\n": {"pass\n"},
    '"""Text 1."""\n': set(),
}


@pytest.mark.parametrize("source", LINES)
def test_the_changes_of_a_line_are_these(source):
    assert results(source) == LINES[source]


def test_a_curve_is_drawn_backwards_and_too_low():
    assert "(ax.plot(x[::-1], y))\n" in results("ax.plot(x, y)\n")
    assert "(ax.plot(x, [0.9 * value for value in y]))\n" in results("ax.plot(x, y)\n")
    assert "(ax.plot(*p[::-1]))\n" in results("ax.plot(*p)\n")
    assert "(ax.axhline(level * 0.9))\n" in results("ax.axhline(level)\n")


def test_the_lies_are_told_of_every_module_that_draws(every):
    drawing = [name for name, source in SOURCES.items() if "ax.plot(" in source]
    assert any(name.endswith("figures") for name in drawing)
    for name in drawing:
        kinds = {change.what for change in every[name]}
        assert {"first argument backwards", "second argument times 0.9"} <= kinds, name


@pytest.mark.slow
def test_each_explanation_fits_a_change(every):
    found = [(change, SOURCES[name]) for name in every for change in every[name]]
    reasons = {mutate.reason(change, source) for change, source in found}
    assert set(mutate.EQUIVALENT.values()) <= reasons


PART = """
import functools

@functools.wraps(len)
def called():
    return 1

def alone():
    return 2

def at_import():
    return 3

LIMIT = 4 + at_import()
"""
TESTS = """
from tinymeta import part

def test_it():
    part.called()

def test_nothing():
    pass
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """The recording of a package with one module, and of its two tests."""
    tree = tmp_path_factory.mktemp("tree")
    tools = tree / "tests" / "tools"
    tools.mkdir(parents=True)
    shutil.copy(Path(mutate.__file__).with_name("record.py"), tools)
    (tree / "tinymeta").mkdir()
    files = {"tinymeta/__init__.py": "", "tinymeta/part.py": PART, "tests/test_other.py": TESTS}
    for name, text in files.items():
        (tree / name).write_text(text, encoding="utf-8")
    options = f"--record={tree / 'map'}", f"--rootdir={tree}", "tests"
    assert mutate.run_pytest(tree, *options, stdout=subprocess.DEVNULL) == 0
    return json.loads((tree / "map").read_text(encoding="utf-8"))


def change_of_part(what):
    (found,) = [change for change in changes.changes(PART, "part") if change.what == what]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("what", ["1 -> 2", "3 -> 4", "4 -> 5"])
def test_only_the_test_that_calls_the_function_or_its_module_is_picked(recording, what):
    assert mutate.select(recording, change_of_part(what)) == ["tests/test_other.py::test_it"]


@pytest.mark.slow
def test_for_a_function_that_no_test_calls_none_is_picked(recording):
    assert mutate.select(recording, change_of_part("2 -> 3")) == []


@pytest.mark.parametrize("slow, picked", [(20, ["1", "3", "20", "own"]), (40, ["1", "3", "own"])])
def test_quick_tests_come_first_within_the_limit_and_the_modules_own_always(slow, picked):
    change = change_of_part("2 -> 3")
    call = [f"part:{change.begins}"]
    recording = {f"tests/test_other.py::{s}": [s, call] for s in (slow, 3, 1)}
    recording.update({"": [1, []], "tests/test_part.py::own": [90, []]})
    assert [test.split("::")[1] for test in mutate.select(recording, change)] == picked
