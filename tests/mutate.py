"""Do the tests notice? Makes random single changes (an operator, factor, sign, index, comparison, constant, name, or a
statement left out) to the numerical core, each in a copy of the tree, and runs the tests of the changed module there.

    python tests/mutate.py [--count 200] [--seed 0] [--jobs 2] [--module mlp ...]

Prints the survivors, with the reason where one is known to make no difference, and the score. A change takes some seconds."""

import argparse
import ast
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
TESTS = {
    "mlp": "mlp meta arguments", "losses": "losses mlp arguments", "meta": "meta arguments", "optimizers": "optimizers arguments",
    "training": "training arguments", "evaluation": "evaluation arguments", "tasks": "tasks training", "storage": "storage",
    "glyphs": "glyphs",
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.Mod: ast.FloorDiv, ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.USub: ast.UAdd, ast.Not: ast.UAdd, ast.Invert: ast.UAdd,
}  # fmt: skip
PAIRS = "mean sum|max min|zeros ones|zeros_like ones_like|sin cos|any all|reversed list|x_support x_query|y_support y_query|x y|RgW Rgb|gW gb|low high|h slope"
NAMES = {a: b for pair in PAIRS.split("|") for a, b in (pair.split(), pair.split()[::-1])}
EQUIVALENT = {  # parts of a description: why no test can or should notice
    "mlp.stack: & 2": "stack broadcasts what need not be: a matter of speed",
    "mlp.matmul: & left out: if": "outer products by the slow road: a matter of speed",
    "mlp.row_of_ones: & setflags": "a precaution against writers that there are none of",
    "meta.support_steps: & x -> y": "x and y of a support set have as many points",
    "meta.meta_grad: & 1 -> ": "the mean over one task is itself: a matter of speed",
    "optimizers.step: & 100 -> ": "when tiny moments are set to 0 is a matter of speed",
    "optimizers.step: & 1e-30 -> ": "what is tiny may be twice as large",
    "evaluation.summarize: & USub -> UAdd & in   -1": "of the two axes of curve.mean(axis=0), the last is axis 1",
    "tasks.left_side: & 0 -> -1": "the task is one of one: the first is the last",
    "glyphs.draw: & without out": "a new array for the old one: a matter of speed",
    "glyphs.draw: & 1 -> 2": "in FINE - 1: the frame of a letter is empty; in a shape: any negative length is the one that NumPy finds",
    "glyphs.directions: & 1 -> 2": "as the last, of a shape",
    "glyphs.sample: & 1 -> 2": "as the last, of a shape",
    "glyphs.: & 40 -> ": "a setting, which the tests read",
    "glyphs.: & frozen": "a precaution",
    "glyphs.choose: & 1 -> 2": "a deck laid out twice is drawn from once",
    "training.__init__: & 0 -> -1": "an index of length one: its first entry is its last",
    "storage.replacing: & True -> False": "as the next",
    "storage.replacing: & missing_ok": "where the file could not be opened, that it cannot be removed is the same kind of error",
}


def changes(node):
    """The single changes of one node: (description, function that makes it)."""

    def put(owner, field, value):
        return lambda: owner.__setitem__(field, value) if isinstance(owner, list) else setattr(owner, field, value)

    op = getattr(node, "op", None)
    if type(op) in OPERATORS:
        yield f"{type(op).__name__} -> {OPERATORS[type(op)].__name__}", put(node, "op", OPERATORS[type(op)]())
    if isinstance(node, ast.BinOp) and isinstance(op, (ast.Mult, ast.Div, ast.Add, ast.Sub)):
        yield "without the right operand", put(node, "right", ast.Constant(int(isinstance(op, (ast.Mult, ast.Div)))))
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            yield f"{type(op).__name__} -> {OPERATORS[type(op)].__name__}", put(node.ops, i, OPERATORS[type(op)]())
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        value = node.value
        for new in [not value] if isinstance(value, bool) else [value + 1, value - 1] if isinstance(value, int) else [value * 2]:
            yield f"{value} -> {new}", put(node, "value", new)
    for field in ("id", "attr"):
        name = getattr(node, field, None)
        if name in NAMES and isinstance(node.ctx, ast.Load):
            yield f"{name} -> {NAMES[name]}", put(node, field, NAMES[name])
    if isinstance(node, ast.IfExp):
        yield "the other branch", put(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Call):
        for i, keyword in enumerate(node.keywords):
            yield f"without {keyword.arg}", put(node, "keywords", node.keywords[:i] + node.keywords[i + 1 :])
    for body in (getattr(node, field, None) for field in ("body", "orelse")):
        for i, statement in enumerate(body if isinstance(body, list) else []):
            if isinstance(statement, (ast.Expr, ast.AugAssign, ast.If, ast.Raise, ast.Assign)) and not is_text(statement):
                yield f"left out: {ast.unparse(statement).splitlines()[0]}", put(body, i, ast.Pass())


def is_text(node):
    """Docstrings, f-strings and what is raised: the words of a message are not the numerical core."""
    return isinstance(node, (ast.JoinedStr, ast.Raise)) or isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def nodes(tree):
    """All nodes outside of texts, in a fixed order."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not is_text(child):
            yield from nodes(child)


def sites(module):
    source = (ROOT / "tinymeta" / f"{module}.py").read_text(encoding="utf-8")
    return [(module, n, i) for n, node in enumerate(nodes(ast.parse(source))) for i, _ in enumerate(changes(node))]


def mutant(module, n, i):
    """(what is changed, the changed source)"""
    tree = ast.parse((ROOT / "tinymeta" / f"{module}.py").read_text(encoding="utf-8"))
    node = [*nodes(tree)][n]
    before, (what, change) = ast.unparse(node).splitlines()[0] if hasattr(node, "lineno") else "", [*changes(node)][i]
    line = getattr(node, "lineno", 1)
    around = [f.name for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.lineno <= line <= f.end_lineno]
    change()
    return f"{module}.{around[-1] if around else ''}: line {line}: {what}   in   {before}", ast.unparse(ast.fix_missing_locations(tree))


def survives(copies, module, source):
    """Whether the module's tests pass with this source in place of the module's."""
    copy = copies.get()
    path = copy / "tinymeta" / f"{module}.py"
    original = path.read_bytes()
    try:
        path.write_text(source, encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": str(copy), "CI": "1", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
        files = [f"tests/test_{name}.py" for name in TESTS[module].split()]
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files]
        return subprocess.run(command, cwd=copy, env=env, capture_output=True, timeout=120).returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_bytes(original)
        copies.put(copy)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--module", nargs="+", choices=TESTS, default=[*TESTS])
    flags = parser.parse_args()
    every = [site for module in flags.module for site in sites(module)]
    chosen = np.random.default_rng(flags.seed).permutation(len(every))[: flags.count]
    mutants = [(every[k][0], *mutant(*every[k])) for k in chosen]
    print(f"{len(mutants)} of {len(every)} changes", flush=True)
    copies, survivors = queue.Queue(), []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(flags.jobs) as pool:
        for job in range(flags.jobs):
            copies.put(Path(shutil.copytree(ROOT, Path(folder) / str(job), ignore=shutil.ignore_patterns(".*", "output", "figures"))))
        unchanged = {module: (ROOT / "tinymeta" / f"{module}.py").read_text(encoding="utf-8") for module in flags.module}
        passing = [*pool.map(lambda module: survives(copies, module, unchanged[module]), unchanged)]
        if not all(passing):
            sys.exit(f"without any change there fail the tests of {[name for name, passed in zip(unchanged, passing) if not passed]}")
        for (_, what, _), alive in zip(mutants, pool.map(lambda m: survives(copies, m[0], m[2]), mutants)):
            if alive:
                why = next((why for parts, why in EQUIVALENT.items() if all(part in what for part in parts.split(" & "))), None)
                survivors.append(why)
                print(f"survived {what}" + (f"\n         {why}" if why else ""), flush=True)
    noticed, explained = len(mutants) - len(survivors), sum(why is not None for why in survivors)
    print(f"{noticed} of {len(mutants)} noticed, {100 * noticed / len(mutants):.1f} %; {explained} of {len(survivors)} survivors explained")


if __name__ == "__main__":
    main()
