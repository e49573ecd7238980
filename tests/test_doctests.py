"""The examples of docstrings run, and every public name has a docstring with all its parts."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import tinymeta as tm

FOLDER = Path(tm.__file__).parent


def modules():
    """Yield every module of the package, but for the script that once made the letters."""
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER.parent).with_suffix("").parts
        if "data" not in parts and path.stem != "__main__":
            yield importlib.import_module(".".join(parts).removesuffix(".__init__"))


def examples(module):
    """Return the examples of a module, one DocTest per docstring that has any. Each begins with the
    names that a reader has after `import numpy as np` and `from module import *`."""
    names = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for test in finder.find(module, globs={"np": np, **names}) if test.examples]


def failures(test):
    """Run the examples of one docstring; return the report of those that print something else."""
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    return "".join(report)


EXAMPLES = {test.name: test for module in modules() for test in examples(module)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_the_docstring_says(name):
    assert failures(EXAMPLES[name]) == ""


# The parts of a docstring


# MLP's passes take arrays of one dtype and check nothing; the lessons explain them line by line.
PASSES = {f"MLP.{name}" for name in "forward backward rop backprop loss_and_grad".split()}


def public_names():
    """Return {name: what it stands for} of the root's functions and classes, and of the classes'
    public methods."""
    found = {name: getattr(tm, name) for name in tm.__all__ if name != "checks"}
    for owner in [value for value in found.values() if inspect.isclass(value)]:
        for name, method in vars(owner).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                found[f"{owner.__name__}.{name}"] = method
    return {name: value for name, value in found.items() if name not in PASSES}


PUBLIC = public_names()


def sections(doc):
    """Return {title: text} of the underlined sections of a docstring."""
    parts = re.split(r"^(\w+)\n-+$", doc, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def borrowed(doc):
    """Return the words and the name of a sentence such as "Parameters and errors are those of
    `loss`", or nothing twice."""
    sentence = re.search(r"^(Parameters\b[^.]*?)\bare\s+those\s+of\s+`(\w+)`", doc, re.MULTILINE)
    return sentence.groups() if sentence else ("", "")


def described(name, doc):
    """Return the parameters that a docstring describes itself, or by naming a function whose
    docstring does."""
    listed = re.findall(r"^(\w+(?:, \w+)*)(?: :.*)?$", sections(doc).get("Parameters", ""), re.M)
    found = set(", ".join(listed).split(", "))
    _, other = borrowed(doc)
    if other:
        owner = name.rpartition(".")[0]
        full = f"{owner}.{other}" if owner else other
        found |= described(full, inspect.getdoc(PUBLIC[full]))
    return found


def missing(name, value, doc, has_example):
    """Return what the docstring of a public name lacks, in words."""
    lacks, first = [], doc.split("\n\n")[0]
    if not re.fullmatch(r"[A-Z].*\.", first, re.DOTALL) or re.search(r"\w[.!?]\s+[A-Z]", first):
        lacks.append("a first paragraph of one sentence")
    for parameter in inspect.signature(value).parameters:
        if parameter != "self" and parameter not in described(name, doc):
            lacks.append(f"the parameter {parameter}")
    returned = {"Returns", "Yields"} & {*sections(doc)} or "returns" in borrowed(doc)[0]
    if not (inspect.isclass(value) or returned or name.endswith(".restore")):  # returns nothing
        lacks.append("what it returns")
    if len(titles := re.findall(r"^(\w+)\n-+$", doc, re.M)) > len({*titles}):
        lacks.append("sections that stand once each")
    if not has_example:
        lacks.append("an example")
    return lacks


def has_example(value):
    return f"{value.__module__}.{value.__qualname__}" in EXAMPLES


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring_with_all_its_parts(name):
    value = PUBLIC[name]
    doc = inspect.getdoc(value) or ""
    assert missing(name, value, doc, has_example(value)) == []


def test_the_names_looked_at_are_those_at_the_root_and_their_methods():
    methods = {"MLP.hvp", "TaskBatch.split_tasks", "SineTasks.sample", "Adam.step"}
    assert {"MLP"} | methods <= set(PUBLIC)
    assert {*tm.__all__} - {"checks"} <= set(PUBLIC)
    assert all(hasattr(tm.MLP, name.removeprefix("MLP.")) for name in PASSES)


# The negative controls


@pytest.mark.parametrize(
    "source, says",
    [
        (">>> 1 + 1\n3", "Expected:"),
        (">>> undefined_name", "NameError"),
        (">>> _validate", "NameError"),
        (">>> bool(np.float64(1.0) / 0)\nTrue", "RuntimeWarning"),
    ],
    ids=["wrong result", "unknown name", "private name", "warning"],
)
def test_a_wrong_example_would_be_found(source, says, monkeypatch):
    monkeypatch.setattr(tm.meta.adapt, "__doc__", source)
    (test,) = [test for test in examples(tm.meta) if test.name == "tinymeta.meta.adapt"]
    assert says in failures(test)


@pytest.mark.parametrize(
    "right, wrong, lacks",
    [
        ("each task.", "each task", "a first paragraph of one sentence"),
        ("each task.", "each task. It is quick.", "a first paragraph of one sentence"),
        ("inner_lr : float", "rate : float", "the parameter inner_lr"),
        ("Returns\n-------", "Results\n-------", "what it returns"),
        ("Raises\n------", "Returns\n-------", "sections that stand once each"),
    ],
)
def test_a_part_that_is_missing_would_be_found(right, wrong, lacks):
    doc = inspect.getdoc(tm.adapt)
    assert missing("adapt", tm.adapt, doc, True) == [] and doc.count(right) == 1
    assert missing("adapt", tm.adapt, doc.replace(right, wrong), True) == [lacks]


def test_parameters_that_another_docstring_describes_count():
    doc = inspect.getdoc(tm.MLP.hvp)
    assert described("MLP.hvp", doc) >= {"theta", "x", "y", "v"}
    assert described("MLP.hvp", doc.replace("are those of", "are not those of")) == {"v"}


def test_a_missing_example_would_be_found():
    assert has_example(tm.adapt) and not has_example(tm.meta.descend)
    assert missing("adapt", tm.adapt, inspect.getdoc(tm.adapt), False) == ["an example"]
