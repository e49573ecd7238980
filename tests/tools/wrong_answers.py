"""Ten plausible wrong answers to each exercise, each a slip in one place of its solution, and what
the check has to say of it.

    python tests/tools/wrong_answers.py    print the table of lessons/exercises/README.md
"""

import contextlib
import functools
import io
import linecache
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from changes import changes

from tinymeta.course import grading
from tinymeta.course.problems import EXERCISES

SOLUTIONS = Path(__file__).parents[1] / "solutions"


class Slip(NamedTuple):
    """A name for what is wrong, the right text in the solution, the wrong text in its place, and a
    part of the message."""

    name: str
    right: str
    wrong: str
    says: str


WRONG = {
    "01_backward": [
        Slip("residual the wrong way round", "model.loss_fn.grad(tape.z[-1], y)",
             "-model.loss_fn.grad(tape.z[-1], y)", "sign is wrong"),
        Slip("f' forgotten", " * model.activation_fn.slope(tape.z[l - 1])",
             "", "slope f'(z) missing"),
        Slip("f for f'", " * model.activation_fn.slope(tape.z[l - 1])",
             " * tape.inputs[l]", "f(z) in place of the slope"),
        Slip("slope of another layer", "slope(tape.z[l - 1])",
             "slope(tape.z[l])", "of another layer"),
        Slip("slope at the output too", "model.loss_fn.grad(tape.z[-1], y)",
             "model.loss_fn.grad(tape.z[-1], y) * model.activation_fn.slope(tape.z[-1])",
             "slope f'(z) at the output"),
        Slip("gW transposed", "tape.inputs[l].T @ delta", "delta.T @ tape.inputs[l]", "transposed"),
        Slip("W not transposed", "tape.layers[l][0].T", "tape.layers[l][0]", "transposed"),
        Slip("biases: mean for sum", "delta.sum(axis=0)",
             "delta.mean(axis=0)", "the number of points: a mean for a sum"),
        Slip("points: sum for mean", "model.loss_fn.grad(tape.z[-1], y)",
             "len(x) * model.loss_fn.grad(tape.z[-1], y)",
             "the number of points: a sum for a mean"),
        Slip("stops before the first layer", "reversed(range(len(blocks)))",
             "reversed(range(1, len(blocks)))", "wrong in W1, b1"),
    ],
    "02_hvp": [
        Slip("f'' forgotten", "curvature * Rz",
             "0 * Rz", "f''(z) Rz (delta W^T) missing"),
        Slip("f'' with the wrong sign", "curvature * Rz",
             "-curvature * Rz", "f''(z) Rz (delta W^T) with the wrong sign"),
        Slip("f'' = -2 f", "curvature * Rz",
             "(-2 * tape.inputs[l] if np.ndim(curvature) else 0) * Rz", "lacks its factor f'(z)"),
        Slip("the input moves", "[np.zeros_like(x)]", "[x]", "the input does not move"),
        Slip("Rh W forgotten", " + Rh[l] @ tape.layers[l][0]", "", "Rh W missing"),
        Slip("Vb forgotten", " + Vb)", ")", "Vb missing"),
        Slip("Rh^T delta forgotten", "Rh[l].T @ tape.delta[l] + ", "", "Rh^T delta missing"),
        Slip("delta V^T forgotten", " + tape.delta[l] @ V.T", "", "delta V^T missing"),
        Slip("f' forgotten on the way forward", "tape.slope[l] * Rz[l]",
             "Rz[l]", "f'(z) Rz missing"),
        Slip("loss'' forgotten", "model.loss_fn.hvp(tape.z[-1], y, Rz[-1])",
             "Rz[-1]", "the loss's second derivative"),
    ],
    "03_maml": [
        Slip("first order", "v - inner_lr * model.hvp(thetas[s], x, y, v)",
             "v", "first-order MAML"),
        Slip("plus for minus", "v - inner_lr * model.hvp",
             "v + inner_lr * model.hvp", "second-order term: its sign is wrong"),
        Slip("alpha twice", "model.hvp(thetas[s], x, y, v)",
             "model.hvp(thetas[s], x, y, inner_lr * v)", "multiplied by 0.1, alpha"),
        Slip("support gradient leaks", "each.append(v)",
             "each.append(v + model.grad(theta, x, y))", "support gradient leaked in"),
        Slip("tasks: sum for mean", "np.mean(each, axis=0)",
             "np.sum(each, axis=0)", "the sum over"),
        Slip("every Hessian at the start", "model.hvp(thetas[s], ",
             "model.hvp(theta, ", "every Hessian at the start"),
        Slip("Hessians one step late", "model.hvp(thetas[s], ",
             "model.hvp(thetas[s + 1], ", "one step late"),
        Slip("product in the wrong order", "for s in reversed(range(inner_steps))",
             "for s in range(inner_steps)", "first step first"),
        Slip("query = support", "model.grad(thetas[-1], x_query, y_query)",
             "model.grad(thetas[-1], x, y)", "on the support points"),
        Slip("Hessian of the query loss", "model.hvp(thetas[s], x, y, v)",
             "model.hvp(thetas[s], x_query, y_query, v)", "query loss's Hessian"),
    ],
    "04_first_order_maml": [
        Slip("support gradient leaks", "model.grad(adapted, x_query, y_query)",
             "model.grad(adapted, x_query, y_query) + model.grad(theta, x, y)", "leaked in"),
        Slip("never adapts", "model.grad(adapted, x_query, y_query)",
             "model.grad(theta, x_query, y_query)", "before adaptation"),
        Slip("one step short", "range(inner_steps)", "range(inner_steps - 1)", "before adaptation"),
        Slip("one step too many", "range(inner_steps)", "range(inner_steps + 1)", "of 2 steps"),
        Slip("support and query swapped", "for x, y, x_query, y_query in",
             "for x_query, y_query, x, y in", "swapped"),
        Slip("query = support", "model.grad(adapted, x_query, y_query)",
             "model.grad(adapted, x, y)", "on the support points"),
        Slip("support = query", "model.grad(adapted, x, y)",
             "model.grad(adapted, x_query, y_query)", "on the query points"),
        Slip("tasks: sum for mean", "np.mean(each, axis=0)",
             "np.sum(each, axis=0)", "the number of tasks: a sum for a mean"),
        Slip("uphill", "adapted - inner_lr", "adapted + inner_lr", "at -1 times the inner rate"),
        Slip("times alpha", "np.mean(each, axis=0)",
             "inner_lr * np.mean(each, axis=0)", "multiplied by 0.1, alpha"),
    ],
    "05_reptile": [
        Slip("the wrong way", "theta - adapted", "adapted - theta", "sign is wrong"),
        Slip("not divided by alpha", "(theta - adapted) / inner_lr",
             "theta - adapted", "multiplied by 0.1, alpha"),
        Slip("tasks: sum for mean", "np.mean(each, axis=0)",
             "np.sum(each, axis=0)", "the number of tasks: a sum for a mean"),
        Slip("steps: mean for sum", "/ inner_lr",
             "/ inner_lr / inner_steps", "the number of inner steps"),
        Slip("one step short", "range(inner_steps)", "range(inner_steps - 1)", "one step short"),
        Slip("one step too many", "range(inner_steps)",
             "range(inner_steps + 1)", "one step too many"),
        Slip("on the query points", "for x, y, *_ in", "for _, _, x, y in", "on the query points"),
        Slip("tasks in a chain", "adapted = theta\n",
             "adapted = theta if not each else adapted\n", "not of"),
        Slip("every step from theta", "adapted - inner_lr * model.grad(adapted, x, y)",
             "adapted - inner_lr * model.grad(theta, x, y)", "at theta"),
        Slip("theta_k returned", "(theta - adapted) / inner_lr", "adapted", "theta_k itself"),
    ],
    "06_meta_sgd": [
        Slip("plus for minus", "total -= v", "total += v", "sign is wrong"),
        Slip("v one step off",
             "total -= v * gs[s]\n            v = v - model.hvp(thetas[s], x, y, alpha * v)",
             "v = v - model.hvp(thetas[s], x, y, alpha * v)\n            total -= v * gs[s]",
             "one step off"),
        Slip("first order", "v - model.hvp(thetas[s], x, y, alpha * v)", "v", "every v equal to q"),
        Slip("every g at theta", "total -= v * gs[s]",
             "total -= v * gs[0]", "every g taken at theta"),
        Slip("alpha outside the product", "model.hvp(thetas[s], x, y, alpha * v)",
             "alpha * model.hvp(thetas[s], x, y, v)", "alpha outside"),
        Slip("first step alone", "total -= v", "total = -v", "the first step's part alone"),
        Slip("query gradient for g", "v * gs[s]",
             "v * model.grad(thetas[s], x_query, y_query)", "query gradient for g"),
        Slip("a number for a vector", "v * gs[s]", "v @ gs[s]", "entry by entry"),
        Slip("times alpha", "total -= v * gs[s]",
             "total -= alpha * v * gs[s]", "alpha as one factor too many"),
        Slip("the gradient in theta", "each.append(total)",
             "each.append(v)", "in theta, not in alpha"),
    ],
}


def wrong_source(name, slip):
    """The solution with the slip in it."""
    source = (SOLUTIONS / f"{name}.py").read_text(encoding="utf-8")
    times = source.count(slip.right)
    assert times == 1, f"{name}, {slip.name}: {slip.right!r} is there {times} times"
    return source.replace(slip.right, slip.wrong)


def said(name, source, path, seed):
    """(whether an answer with this source is found right, the sentence that says what is wrong)."""
    path.write_text(source, encoding="utf-8")
    linecache.checkcache(str(path))
    values = {}
    # with the file's name: an error in it is reported with its line
    exec(compile(source, str(path), "exec"), values)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        right = grading.report(name, values[EXERCISES[name].answer], seed)
    lines = printed.getvalue().splitlines()
    return right, " ".join(line.strip() for line in lines if line.startswith("    "))


@functools.cache
def message(name, slip, seed):
    """`said` of the solution with the slip in it."""
    with tempfile.TemporaryDirectory() as folder:
        return said(name, wrong_source(name, slip), Path(folder) / f"{name}.py", seed)


def changed(name, folder):
    """For each single change to the solution (tools/changes.py): (what it is, whether the result is
    found right, what is said)."""
    source = (SOLUTIONS / f"{name}.py").read_text(encoding="utf-8")
    lines = source.splitlines()
    for i, change in enumerate(changes(source)):
        mutant = change.applied(source)
        here = " ".join(line.strip() for line in mutant.splitlines() if line not in lines)
        path = Path(folder) / f"{name}_changed_{i}.py"
        yield f"{change.what}: {here}", *said(name, mutant, path, 0)


def table():
    """The rows of the page, as it has them."""
    rows = ["| exercise | wrong answer | the check says |", "|---|---|---|"]
    for name, slips in WRONG.items():
        for slip in slips:
            says = message(name, slip, 0)[1]
            # without NumPy's words, which change
            says = re.sub(
                r"(Error in line \d+, `.*?`, where .*?): .*(?=Is something)", r"\1. ", says
            )
            rows.append(f"| {name} | {slip.name} | {says} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
