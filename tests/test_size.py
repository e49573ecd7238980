"""The package stays small, needs few others, and keeps its hands off what is global."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = ("*.py", "solutions/*.py", "tools/*.py")
SOURCES = {
    "tinymeta": [*ROOT.glob("tinymeta/*.py")],
    "lessons": [*ROOT.rglob("lessons/*.py")],
    "tests": [path for pattern in TESTS for path in ROOT.glob(f"tests/{pattern}")],
}
EVERY_FILE = pytest.mark.parametrize("path", sum(SOURCES.values(), []), ids=lambda path: str(path.relative_to(ROOT)))


def nodes(path):
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imported(path):
    """The first names of all that a file imports by an absolute name, at its top or within a function."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


def test_all_the_files_are_found():
    names = {path.name for path in SOURCES["tinymeta"]}
    assert {"__init__.py", "mlp.py", "losses.py", "meta.py", "training.py"} <= names and SOURCES["lessons"] and SOURCES["tests"]


def test_network_losses_and_meta_gradients_are_at_most_400_lines():
    paths = [ROOT / "tinymeta" / name for name in ("mlp.py", "losses.py", "meta.py")]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert sum(lines.values()) <= 400, lines


@EVERY_FILE
def test_nothing_is_imported_but_the_standard_library_and_four_packages(path):
    allowed = {"numpy", "matplotlib", "tinymeta"} | sys.stdlib_module_names
    if path in SOURCES["tests"]:
        allowed |= {"pytest", "hypothesis", "tools"} | {test.stem for test in SOURCES["tests"]}  # and each other
    if path.stem in ("07_bug_hunt", "bug_hunt_key"):
        allowed |= {"implementations"}  # beside it
    if path.name == "lesson.py":
        allowed |= {"IPython"}  # asked for in its kernel only, where it is
    assert set(imported(path)) <= allowed


def test_in_the_package_only_plots_and_lesson_import_matplotlib():
    assert {path.name for path in SOURCES["tinymeta"] if "matplotlib" in imported(path)} <= {"plots.py", "lesson.py"}


@pytest.mark.parametrize("path", SOURCES["tinymeta"], ids=lambda path: path.name)
def test_inside_the_package_data_flows_one_way(path):
    """mlp knows nothing of tasks, meta nothing of sines: a file imports, of these, only files that stand before it."""
    order = ["arguments", "losses", "mlp", "meta", "tasks", "optimizers", "training", "evaluation"]
    if path.stem in order:
        relative = [node for node in nodes(path) if isinstance(node, ast.ImportFrom) and node.level]
        names = {node.module or alias.name for node in relative for alias in node.names}
        assert names <= set(order[: order.index(path.stem)])


@EVERY_FILE
def test_nothing_touches_numpys_global_random_state(path):
    """Of numpy.random, only what has a state of its own: default_rng and the classes."""
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
            if isinstance(node.value.value, ast.Name) and node.value.value.id in ("np", "numpy"):
                assert node.attr == "default_rng" or node.attr[0].isupper(), f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            assert not names & {"random", "numpy.random"}, f"line {node.lineno}"
        if isinstance(node, ast.Import):
            assert not any(alias.name in ("random", "numpy.random") for alias in node.names), f"line {node.lineno}"
