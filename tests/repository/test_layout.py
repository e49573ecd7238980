"""The layout: what stands where, which way imports run, and what the package keeps its hands
off."""

import ast
import functools
import subprocess
import sys

import pytest
from running import ROOT, statements

import tinymeta

PACKAGE = sorted((ROOT / "tinymeta").rglob("*.py"))
LESSONS = sorted((ROOT / "lessons").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Inside the subject a file imports only files that stand before it here.
SUBJECT = """_memory _validate losses mlp checks meta tasks optimizers training evaluation
__init__""".split()
FLOORS = {"course": 2, "extras": 1, "tinymeta": 0}


def name_of(path):
    return str(path.relative_to(ROOT))


each_file = pytest.mark.parametrize("path", PACKAGE + LESSONS + TESTS, ids=name_of)
each_module = pytest.mark.parametrize("path", PACKAGE, ids=name_of)


@functools.cache  # a file is asked about three times, and to parse it takes longest
def nodes_of(source):
    """Return the nodes of a source that this file looks at: imports, and attributes of
    attributes."""
    return [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        or (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute))
    ]


def nodes(path):
    return nodes_of(path.read_text(encoding="utf-8"))


def imported(path):
    """Yield the names of all modules that a file imports, in its functions too, in full: of
    `from .tasks import Views` in tinymeta/meta.py, tinymeta.tasks and tinymeta.tasks.Views."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join([*folder, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def modules_of_the_package(path):
    """Return the files of the package that a file imports."""
    found = {ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in imported(path)}
    return {file for file in found if file in PACKAGE}


def floor(path):
    return next(FLOORS[part] for part in reversed(path.relative_to(ROOT).parts) if part in FLOORS)


# What stands where


def test_the_subject_is_nine_files_and_two_folders():
    listed = {p.name for p in (ROOT / "tinymeta").iterdir() if p.name != "__pycache__"}
    assert listed == {f"{name}.py" for name in SUBJECT} | {"__main__.py", "extras", "course"}


def test_there_are_at_most_16_names_at_the_root_and_all_are_there():
    assert len(tinymeta.__all__) == len(set(tinymeta.__all__)) <= 16
    assert all(hasattr(tinymeta, name) for name in tinymeta.__all__)


def test_importing_the_package_imports_neither_of_the_two_folders_nor_matplotlib():
    heavy = ("tinymeta.extras", "tinymeta.course", "matplotlib")
    code = f"import sys, tinymeta; print([n for n in sys.modules if n.startswith({heavy})])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_network_losses_and_meta_gradients_stay_small():
    counts = {
        name: statements(ROOT / "tinymeta" / name) for name in ("mlp.py", "losses.py", "meta.py")
    }
    assert sum(counts.values()) <= 299, counts


# Which way imports run


@each_module
def test_imports_run_from_course_to_extras_to_the_subject(path):
    for file in modules_of_the_package(path):
        assert floor(file) <= floor(path), f"{name_of(path)} imports {name_of(file)}"


@pytest.mark.parametrize("name", SUBJECT)
def test_inside_the_subject_a_file_imports_only_files_before_it(name):
    names = {file.stem for file in modules_of_the_package(ROOT / "tinymeta" / f"{name}.py")}
    assert names <= set(SUBJECT[: SUBJECT.index(name)])


def test_no_imports_run_in_a_circle():
    left = {file: modules_of_the_package(file) for file in PACKAGE}
    assert sum(map(len, left.values())) > 40
    while left:
        free = [file for file, needs in left.items() if not needs & left.keys()]
        assert free, f"in a circle: {[*map(name_of, left)]}"
        for file in free:
            del left[file]


def test_an_import_that_runs_back_would_be_found(tmp_path, monkeypatch):
    """The negative control, in all four spellings, one of them inside a function."""
    lines = [
        "from .course.style import save",
        "from .course import style",
        "import tinymeta.course.style",
        "def f():\n    from tinymeta.course import style",
    ]
    for line in lines:
        wrong = ROOT / "tinymeta" / "wrong.py"
        monkeypatch.setattr(type(wrong), "read_text", lambda *_, line=line, **__: line)
        assert {file.stem for file in modules_of_the_package(wrong)} == {"style"}
        monkeypatch.undo()


# What is imported from elsewhere


@each_file
def test_nothing_is_imported_but_the_standard_library_and_four_packages(path):
    allowed = {"numpy", "matplotlib", "tinymeta"} | set(sys.stdlib_module_names)
    if path in TESTS:
        allowed |= {"pytest", "hypothesis"} | {test.stem for test in TESTS}  # and each other
    if path.stem == "07_bug_hunt":
        allowed |= {"implementations"}  # beside it
    if path.name == "notebook.py":
        allowed |= {"IPython"}  # asked for in its kernel only, where it is
    if "benchmarks" in path.parts:
        allowed |= {"torch", "jax"}  # the peers, where they are installed
    absolute = {name.split(".")[0] for name in imported(path)}
    assert absolute and absolute <= allowed or not absolute and path.stat().st_size < 2000


def test_in_the_package_only_the_course_draws():
    drawing = {
        path for path in PACKAGE if any(name.startswith("matplotlib") for name in imported(path))
    }
    assert {name_of(path) for path in drawing} == {
        "tinymeta/course/style.py",
        "tinymeta/course/widgets.py",
        "tinymeta/extras/data/make_glyphs.py",
    }


# NumPy's global random state


def global_random(path):
    """Yield the lines of a file that use numpy.random, but for what has a state of its own:
    default_rng and the classes."""
    for node in nodes(path):
        if isinstance(node, ast.Attribute):
            inner = node.value
            numpy = isinstance(inner.value, ast.Name) and inner.value.id in ("np", "numpy")
            if numpy and inner.attr == "random":
                if node.attr != "default_rng" and not node.attr[0].isupper():
                    yield node.lineno
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            if names & {"random", "numpy.random"} and not getattr(node, "level", 0):
                yield node.lineno


@each_file
def test_nothing_touches_numpys_global_random_state(path):
    assert [*global_random(path)] == []


def test_a_use_of_the_global_random_state_would_be_found(tmp_path):
    for line in ("np.random.seed(0)", "from numpy import random", "import random"):
        (tmp_path / "wrong.py").write_text(line)
        assert [*global_random(tmp_path / "wrong.py")] == [1]
