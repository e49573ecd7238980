"""Wrong answers to each exercise, each a slip in a place or two of its solution, and what the check
has to say of it.

    python tests/tools/wrong_answers.py          print the table of lessons/INSTRUCTOR.md
    python tests/tools/wrong_answers.py --all    and those of the other wrong answers
    python tests/tools/wrong_answers.py --record write the numbers of the known mistakes anew
"""

import contextlib
import functools
import io
import linecache
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from changes import changes

from tinymeta.course import diagnosis, grading, mistakes
from tinymeta.course.problems import EXERCISES

SOLUTIONS = Path(__file__).parents[1] / "solutions"
RECORD = Path(__file__).parents[1] / "course" / "known_mistakes.txt"


class Slip:
    """A name for what is wrong, the right text in the solution, the wrong text in its place, a part
    of the message, and more pairs of a right text and a wrong one."""

    def __init__(self, name, right, wrong, says="", *more):
        if not isinstance(says, str):
            says, more = "", (says, *more)
        self.name, self.says, self.pairs = name, says, ((right, wrong), *more)


WRONG = {
    "01_backward": [
        Slip(
            "residual the wrong way round",
            "model.loss_fn.grad(tape.z[-1], y)",
            "-model.loss_fn.grad(tape.z[-1], y)",
            "sign is wrong",
        ),
        Slip(
            "f' forgotten", " * model.activation_fn.slope(tape.z[l - 1])", "", "slope f'(z) missing"
        ),
        Slip(
            "f for f'",
            " * model.activation_fn.slope(tape.z[l - 1])",
            " * tape.inputs[l]",
            "f(z) in place of the slope",
        ),
        Slip(
            "slope of another layer", "slope(tape.z[l - 1])", "slope(tape.z[l])", "of another layer"
        ),
        Slip(
            "slope at the output too",
            "model.loss_fn.grad(tape.z[-1], y)",
            "model.loss_fn.grad(tape.z[-1], y) * model.activation_fn.slope(tape.z[-1])",
            "slope f'(z) at the output",
        ),
        Slip("gW transposed", "tape.inputs[l].T @ delta", "delta.T @ tape.inputs[l]", "transposed"),
        Slip("W not transposed", "tape.layers[l][0].T", "tape.layers[l][0]", "transposed"),
        Slip(
            "biases: mean for sum",
            "delta.sum(axis=0)",
            "delta.mean(axis=0)",
            "the mean over the points for the biases",
        ),
        Slip(
            "points: sum for mean",
            "model.loss_fn.grad(tape.z[-1], y)",
            "len(x) * model.loss_fn.grad(tape.z[-1], y)",
            "the number of points: a sum for a mean",
        ),
        Slip(
            "stops before the first layer",
            "reversed(range(len(blocks)))",
            "reversed(range(1, len(blocks)))",
            "gW of l = 0 and gb of l = 0",
        ),
    ],
    "02_hvp": [
        Slip("f'' forgotten", "curvature * Rz", "0 * Rz", "f''(z) Rz (delta W^T) missing"),
        Slip(
            "f'' with the wrong sign",
            "curvature * Rz",
            "-curvature * Rz",
            "f''(z) Rz (delta W^T) with the wrong sign",
        ),
        Slip(
            "f'' = -2 f",
            "curvature * Rz",
            "(-2 * tape.inputs[l] if np.ndim(curvature) else 0) * Rz",
            "lacks its factor f'(z)",
        ),
        Slip("the input moves", "[np.zeros_like(x)]", "[x]", "the input does not move"),
        Slip("Rh W forgotten", " + Rh[l] @ tape.layers[l][0]", "", "Rh W missing"),
        Slip("Vb forgotten", " + Vb)", ")", "Vb missing"),
        Slip("Rh^T delta forgotten", "Rh[l].T @ tape.delta[l] + ", "", "Rh^T delta missing"),
        Slip("delta V^T forgotten", " + tape.delta[l] @ V.T", "", "delta V^T missing"),
        Slip(
            "f' forgotten on the way forward",
            "tape.slope[l] * Rz[l]",
            "Rz[l]",
            "the slope f'(z) missing, where Rz becomes Rh",
        ),
        Slip(
            "loss'' forgotten",
            "model.loss_fn.hvp(tape.z[-1], y, Rz[-1])",
            "Rz[-1]",
            "the loss's second derivative",
        ),
    ],
    "03_maml": [
        Slip(
            "first order", "v - inner_lr * model.hvp(thetas[s], x, y, v)", "v", "first-order MAML"
        ),
        Slip(
            "plus for minus",
            "v - inner_lr * model.hvp",
            "v + inner_lr * model.hvp",
            "a plus for the minus",
        ),
        Slip(
            "alpha twice",
            "model.hvp(thetas[s], x, y, v)",
            "model.hvp(thetas[s], x, y, inner_lr * v)",
            "alpha once too often",
        ),
        Slip(
            "support gradient leaks",
            "each.append(v)",
            "each.append(v + model.grad(theta, x, y))",
            "support gradient at theta leaked in",
        ),
        Slip(
            "tasks: sum for mean",
            "np.mean(each, axis=0)",
            "np.sum(each, axis=0)",
            "the number of tasks: a sum for a mean",
        ),
        Slip(
            "every Hessian at theta, the start",
            "model.hvp(thetas[s], ",
            "model.hvp(theta, ",
            "every Hessian at theta, the start",
        ),
        Slip(
            "Hessians one step late",
            "model.hvp(thetas[s], ",
            "model.hvp(thetas[s + 1], ",
            "one step late",
        ),
        Slip(
            "product in the wrong order",
            "for s in reversed(range(inner_steps))",
            "for s in range(inner_steps)",
            "first step first",
        ),
        Slip(
            "query = support",
            "model.grad(thetas[-1], x_query, y_query)",
            "model.grad(thetas[-1], x, y)",
            "on the support points",
        ),
        Slip(
            "Hessian of the query loss",
            "model.hvp(thetas[s], x, y, v)",
            "model.hvp(thetas[s], x_query, y_query, v)",
            "query loss's Hessian",
        ),
    ],
    "04_first_order_maml": [
        Slip(
            "support gradient leaks",
            "model.grad(adapted, x_query, y_query)",
            "model.grad(adapted, x_query, y_query) + model.grad(theta, x, y)",
            "leaked in",
        ),
        Slip(
            "never adapts",
            "model.grad(adapted, x_query, y_query)",
            "model.grad(theta, x_query, y_query)",
            "before adaptation",
        ),
        Slip(
            "one step short",
            "range(inner_steps)",
            "range(inner_steps - 1)",
            "one inner step too few",
        ),
        Slip(
            "one step too many",
            "range(inner_steps)",
            "range(inner_steps + 1)",
            "one inner step too many",
        ),
        Slip(
            "support and query swapped",
            "for x, y, x_query, y_query in",
            "for x_query, y_query, x, y in",
            "swapped",
        ),
        Slip(
            "query = support",
            "model.grad(adapted, x_query, y_query)",
            "model.grad(adapted, x, y)",
            "on the support points",
        ),
        Slip(
            "support = query",
            "model.grad(adapted, x, y)",
            "model.grad(adapted, x_query, y_query)",
            "the query points in the inner loop",
        ),
        Slip(
            "tasks: sum for mean",
            "np.mean(each, axis=0)",
            "np.sum(each, axis=0)",
            "the number of tasks: a sum for a mean",
        ),
        Slip("uphill", "adapted - inner_lr", "adapted + inner_lr", "steps uphill"),
        Slip(
            "times alpha",
            "np.mean(each, axis=0)",
            "inner_lr * np.mean(each, axis=0)",
            "multiplied by alpha",
        ),
    ],
    "05_reptile": [
        Slip("the wrong way", "theta - adapted", "adapted - theta", "sign is wrong"),
        Slip(
            "not divided by alpha",
            "(theta - adapted) / inner_lr",
            "theta - adapted",
            "multiplied by alpha",
        ),
        Slip(
            "tasks: sum for mean",
            "np.mean(each, axis=0)",
            "np.sum(each, axis=0)",
            "the number of tasks: a sum for a mean",
        ),
        Slip(
            "steps: mean for sum",
            "/ inner_lr",
            "/ inner_lr / inner_steps",
            "the number of inner steps",
        ),
        Slip(
            "one step short",
            "range(inner_steps)",
            "range(inner_steps - 1)",
            "one inner step too few",
        ),
        Slip(
            "one step too many",
            "range(inner_steps)",
            "range(inner_steps + 1)",
            "one inner step too many",
        ),
        Slip(
            "on the query points",
            "for x, y, *_ in",
            "for _, _, x, y in",
            "the query points in the inner loop",
        ),
        Slip(
            "tasks in a chain",
            "adapted = theta\n",
            "adapted = theta if not each else adapted\n",
            "in a chain",
        ),
        Slip(
            "every step from theta",
            "adapted - inner_lr * model.grad(adapted, x, y)",
            "adapted - inner_lr * model.grad(theta, x, y)",
            "at theta",
        ),
        Slip("theta_k returned", "(theta - adapted) / inner_lr", "adapted", "theta_k itself"),
    ],
    "06_meta_sgd": [
        Slip("plus for minus", "total -= v", "total += v", "sign is wrong"),
        Slip(
            "v one step off",
            "total -= v * gs[s]\n            v = v - model.hvp(thetas[s], x, y, alpha * v)",
            "v = v - model.hvp(thetas[s], x, y, alpha * v)\n            total -= v * gs[s]",
            "one step off",
        ),
        Slip("first order", "v - model.hvp(thetas[s], x, y, alpha * v)", "v", "every v equal to q"),
        Slip(
            "every g at theta", "total -= v * gs[s]", "total -= v * gs[0]", "every g taken at theta"
        ),
        Slip(
            "alpha outside the product",
            "model.hvp(thetas[s], x, y, alpha * v)",
            "alpha * model.hvp(thetas[s], x, y, v)",
            "alpha outside",
        ),
        Slip("first step alone", "total -= v", "total = -v", "the first step's part alone"),
        Slip(
            "query gradient for g",
            "v * gs[s]",
            "v * model.grad(thetas[s], x_query, y_query)",
            "query gradient for g",
        ),
        Slip("a number for a vector", "v * gs[s]", "v @ gs[s]", "entry by entry"),
        Slip(
            "times alpha",
            "total -= v * gs[s]",
            "total -= alpha * v * gs[s]",
            "alpha as one factor too many",
        ),
        Slip("the gradient in theta", "each.append(total)", "each.append(v)", "this is MAML"),
    ],
    "08_own_layer": [
        Slip("beta forgotten in s'", "beta * s * (1 - s)", "s * (1 - s)", "beta"),
        Slip("z held", "s + z * slope", "s", "z held"),
        Slip("s held", "s + z * slope", "z * slope", "the product rule's other term"),
        Slip("s' once", "2 * slope +", "slope +", "s' belongs there twice"),
        Slip("1 - s for 1 - 2 s", "(1 - 2 * s)", "(1 - s)", "1 - s for 1 - 2 s"),
        Slip("z s'' forgotten", " + z * curvature", "", "z s'' is missing"),
        Slip(
            "inf / inf",
            "1 / (1 + np.exp(-beta * z))",
            "np.exp(beta * z) / (1 + np.exp(beta * z))",
            "inf / inf, inf - inf",
        ),
        Slip(
            "derivatives in another order",
            "s + z * slope, 2 * slope + z * curvature",
            "2 * slope + z * curvature, s + z * slope",
            "f'' before f'",
        ),
        Slip("f'' = s''", "2 * slope + z * curvature", "curvature", "s'' for f''"),
        Slip("without beta", "    s = ", "    beta = 1.0\n    s = ", "as if it were 1"),
    ],
    "09_solve_the_head": [
        Slip("A a constant", "(y - F @ w) @ u.T - C * (F @ u) @ w.T", "y @ u.T", "a constant"),
        Slip("c forgotten in A", "F.T @ (C * F)", "F.T @ F", "c forgotten in A"),
        Slip("c forgotten on the right", "F.T @ (C * y)", "F.T @ y", "c forgotten in F^T C y"),
        Slip(
            "c forgotten in the end",
            "return C * (y - F @ w) @ u.T - C * ",
            "return (y - F @ w) @ u.T - ",
            "in front of both terms",
        ),
        Slip("second term forgotten", " - C * (F @ u) @ w.T", "", "C F u w^T missing"),
        Slip("a mean over the points alone", "y_q.size", "len(y_q)", "outputs"),
        Slip("lam forgotten", " + lam * np.eye(F.shape[1])", "", "lam"),
        Slip("residual the wrong way round", "F_q @ w - y_q", "y_q - F_q @ w", "sign is wrong"),
        Slip("u without A", "np.linalg.solve(A, F_q.T @ g)", "F_q.T @ g", "without A^-1"),
        Slip(
            "u and w exchanged",
            "@ u.T - C * (F @ u) @ w.T",
            "@ w.T - C * (F @ w) @ u.T",
            "exchanged",
        ),
    ],
}

# Right in part: what is written in, or was only tried on one case.
PARTLY = {
    "01_backward": [
        Slip(
            "right for tanh",
            "model.activation_fn.slope(tape.z[l - 1])",
            "(1 - tape.inputs[l] ** 2)",
            "right with tanh, wrong with relu, sigmoid, softplus",
        ),
        Slip(
            "right for squared error",
            "model.loss_fn.grad(tape.z[-1], y)",
            "2 / y.size * (tape.z[-1] - y)",
            "right with squared error, wrong with cross-entropy",
        ),
        Slip(
            "right for 2 outputs",
            "model.loss_fn.grad(tape.z[-1], y)",
            "(2 / y.shape[-1]) * model.loss_fn.grad(tape.z[-1], y)",
            "2 outputs, wrong with",
        ),
        Slip("right for three layers", "reversed(range(len(blocks)))", "(2, 1, 0)", "3 layers"),
    ],
    "02_hvp": [
        Slip("right for ReLU", "curvature * Rz", "0 * Rz", "right with relu"),
        Slip(
            "right for squared error",
            "model.loss_fn.hvp(tape.z[-1], y, Rz[-1])",
            "2 / y.size * Rz[-1]",
            "right with squared error",
        ),
    ],
    "03_maml": [
        Slip(
            "one step",
            "range(inner_steps):",
            "range(1):",
            "right with 1 inner step",
            ("reversed(range(inner_steps))", "range(1)"),
        ),
        Slip("4 tasks", "np.mean(each, axis=0)", "sum(each) / 4", "right with 4 tasks"),
        Slip(
            "a rate written in",
            "    each = []\n",
            "    each, inner_lr = [], 0.1\n",
            "the rate 0.1 written in",
        ),
        Slip(
            "at most 3 steps",
            "    each = []\n",
            "    each, inner_steps = [], min(3, inner_steps)\n",
            "wrong with 5 inner steps",
        ),
        Slip(
            "squared error",
            "    each = []\n",
            "    each = []\n    model = type(model)(model.sizes, model.activation)\n",
            "right with squared error",
        ),
    ],
    "04_first_order_maml": [
        Slip("one step", "range(inner_steps)", "range(1)", "right with 1 inner step"),
        Slip("5 tasks", "np.mean(each, axis=0)", "sum(each) / 5", "right with 5 tasks"),
    ],
    "05_reptile": [
        Slip(
            "fails without a step",
            "np.mean(each, axis=0)",
            "np.mean(each, axis=0) / (inner_steps > 0)",
            "right with 1, 2, 3, 5 inner steps",
        ),
        Slip("a rate written in", "/ inner_lr", "/ 0.1", "alpha"),
    ],
    "06_meta_sgd": [
        Slip(
            "two steps",
            "range(inner_steps):",
            "range(min(2, inner_steps)):",
            "right with 0, 1, 2 inner steps",
            ("range(inner_steps))", "range(min(2, inner_steps)))"),
        ),
    ],
    "08_own_layer": [
        Slip("beta of 1", "    s = ", "    beta = 1.0\n    s = ", "right with beta 1"),
        Slip("real z", "return z * s", "z, s = z.real, s.real\n    return z * s", "complex z"),
    ],
    "09_solve_the_head": [
        Slip("one output", "y_q.size", "len(y_q)", "right with 1 output"),
    ],
}

# Mistakes that were tried on an earlier version of the checks, which had no name for most of them.
LISTED = {
    "01_backward": [
        Slip(
            "bound, not written into the views",
            "gW[...] = tape.inputs[l].T @ delta\n        gb[...] = delta.sum(axis=0)",
            "gW = tape.inputs[l].T @ delta\n        gb = delta.sum(axis=0)",
            "[...]",
        ),
        Slip(
            "ReLU's slope on tanh",
            "model.activation_fn.slope(tape.z[l - 1])",
            "(tape.z[l - 1] > 0)",
            "ReLU",
        ),
        Slip(
            "a factor 1/2",
            "model.loss_fn.grad(tape.z[-1], y)",
            "model.loss_fn.grad(tape.z[-1], y) / 2",
            "2",
        ),
        Slip(
            "a factor d_out",
            "model.loss_fn.grad(tape.z[-1], y)",
            "y.shape[-1] * model.loss_fn.grad(tape.z[-1], y)",
            "the width of the output",
        ),
        Slip(
            "divided by K once more",
            "model.loss_fn.grad(tape.z[-1], y)",
            "model.loss_fn.grad(tape.z[-1], y) / len(x)",
            "the number of points",
        ),
        Slip("biases summed over everything", "delta.sum(axis=0)", "delta.sum()", "sum"),
        Slip(
            "layers from the last to the first",
            "return grad",
            "return np.concatenate([np.ravel(part) for pair in blocks[::-1] for part in pair])",
            "order",
        ),
        Slip(
            "biases before weights",
            "return grad",
            "return np.concatenate([np.ravel(part) for W, b in blocks for part in (b, W)])",
            "order",
        ),
        Slip("`return` inside the loop", "    return grad", "        return grad", "return"),
        Slip(
            "f' twice",
            " * model.activation_fn.slope(tape.z[l - 1])",
            " * model.activation_fn.slope(tape.z[l - 1]) ** 2",
            "f'",
        ),
    ],
    "02_hvp": [
        Slip(
            "f' twice in the last term",
            "bend = curvature *",
            "bend = tape.slope[l - 1] * curvature *",
            "f'",
        ),
        Slip(
            "tanh's f'' on ReLU",
            "model.activation_fn.curvature(tape.z[l - 1])",
            "-2 * tape.inputs[l] * (1 - tape.inputs[l] ** 2)",
            "tanh's f'' in every network",
        ),
        Slip(
            "Gauss-Newton",
            "Rh[l].T @ tape.delta[l] + tape.inputs[l].T @ Rdelta",
            "tape.inputs[l].T @ Rdelta",
            "Gauss-Newton",
            (" + tape.delta[l] @ V.T) + bend", ")"),
        ),
        Slip(
            "delta times Rout",
            "model.loss_fn.hvp(tape.z[-1], y, Rz[-1])",
            "tape.delta[-1] * Rz[-1]",
            "delta",
        ),
        Slip(
            "bound, not written into the views",
            "RgW[...] = ",
            "RgW = ",
            "[...]",
            ("Rgb[...] = ", "Rgb = "),
        ),
        Slip(
            "f' twice on the way back",
            "tape.slope[l - 1] * (Rdelta",
            "tape.slope[l - 1] ** 2 * (Rdelta",
            "f'",
        ),
    ],
    "03_maml": [
        Slip(
            "every product with q",
            "v = model.grad(thetas[-1], x_query, y_query)",
            "q = v = model.grad(thetas[-1], x_query, y_query)",
            "q",
            ("model.hvp(thetas[s], x, y, v)", "model.hvp(thetas[s], x, y, q)"),
        ),
        Slip(
            "only the first Jacobian",
            "reversed(range(inner_steps))",
            "range(min(1, inner_steps))",
            "first",
        ),
        Slip("products at theta_k", "model.hvp(thetas[s], ", "model.hvp(thetas[-1], ", "theta_k"),
        Slip(
            "len(batch)", "np.mean(each, axis=0)", "np.sum(each, axis=0) / len(batch)", "len(batch)"
        ),
        Slip(
            "`return` inside the loop",
            "    return np.mean(each, axis=0)",
            "        return np.mean(each, axis=0)",
            "first task",
        ),
        Slip(
            "theta - lr g returned",
            "np.mean(each, axis=0)",
            "theta - inner_lr * np.mean(each, axis=0)",
            "theta",
        ),
        Slip(
            "both gradients averaged",
            "v = model.grad(thetas[-1], x_query, y_query)",
            "v = (model.grad(thetas[-1], x_query, y_query) + model.grad(thetas[-1], x, y)) / 2",
            "support",
        ),
        Slip(
            "support and query joined",
            "v = model.grad(thetas[-1], x_query, y_query)",
            "v = model.grad(thetas[-1], np.concatenate((x, x_query)), "
            "np.concatenate((y, y_query)))",
            "support",
        ),
        Slip(
            "a factor Q",
            "np.mean(each, axis=0)",
            "len(x_query) * np.mean(each, axis=0)",
            "query points",
        ),
    ],
    "04_first_order_maml": [
        Slip(
            "theta - lr g returned",
            "np.mean(each, axis=0)",
            "theta - inner_lr * np.mean(each, axis=0)",
            "theta",
        ),
        Slip(
            "both gradients averaged",
            "model.grad(adapted, x_query, y_query)",
            "(model.grad(adapted, x_query, y_query) + model.grad(adapted, x, y)) / 2",
            "support",
        ),
        Slip(
            "support and query joined",
            "model.grad(adapted, x_query, y_query)",
            "model.grad(adapted, np.concatenate((x, x_query)), np.concatenate((y, y_query)))",
            "support",
        ),
        Slip(
            "len(batch)", "np.mean(each, axis=0)", "np.sum(each, axis=0) / len(batch)", "len(batch)"
        ),
        Slip(
            "`return` inside the loop",
            "    return np.mean(each, axis=0)",
            "        return np.mean(each, axis=0)",
            "first task",
        ),
    ],
    "05_reptile": [
        Slip("epsilon folded in", "np.mean(each, axis=0)", "0.3 * np.mean(each, axis=0)", "outer"),
        Slip(
            "support and query in turn",
            "range(inner_steps)",
            "range(inner_steps)",
            "in turn",
            ("model.grad(adapted, x, y)", "model.grad(adapted, *(points[s % 2]))"),
            (
                "for x, y, *_ in zip(*batch):\n",
                "for x, y, a, b in zip(*batch):\n        points = (x, y), (a, b)\n",
            ),
            ("for _ in", "for s in"),
        ),
        Slip(
            "support and query joined",
            "for x, y, *_ in zip(*batch):\n",
            "for x, y, a, b in zip(*batch):\n        x, y = np.vstack((x, a)), np.vstack((y, b))\n",
            "joined",
        ),
        Slip(
            "`return` inside the loop",
            "    return np.mean(each, axis=0)",
            "        return np.mean(each, axis=0)",
            "first task",
        ),
        Slip(
            "len(batch)", "np.mean(each, axis=0)", "np.sum(each, axis=0) / len(batch)", "len(batch)"
        ),
        Slip(
            "theta + epsilon times the way",
            "np.mean(each, axis=0)",
            "theta - 0.3 * inner_lr * np.mean(each, axis=0)",
            "theta minus a rate times",
        ),
    ],
    "06_meta_sgd": [
        Slip(
            "the Hessian of the query",
            "model.hvp(thetas[s], x, y, alpha * v)",
            "model.hvp(thetas[s], x_query, y_query, alpha * v)",
            "query",
        ),
        Slip(
            "last part only",
            "total -= v * gs[s]",
            "total -= v * gs[s] if s == inner_steps - 1 else 0",
            "last",
        ),
        Slip(
            "the mean of alpha",
            "    each = []\n",
            "    each, alpha = [], alpha.mean()\n",
            "mean of alpha",
        ),
        Slip(
            "`return` inside the loop",
            "    return np.mean(each, axis=0)",
            "        return np.mean(each, axis=0)",
            "first task",
        ),
        Slip(
            "every product with q",
            "v, total = model.grad(thetas[-1], x_query, y_query)",
            "q = model.grad(thetas[-1], x_query, y_query)\n        v, total = q",
            "q",
            ("alpha * v)", "alpha * q)"),
        ),
        Slip(
            "len(batch)", "np.mean(each, axis=0)", "np.sum(each, axis=0) / len(batch)", "len(batch)"
        ),
    ],
}

# Thirty more, written before the explanations below them were looked at.
OWN = {
    "01_backward": [
        Slip("f' of h in place of z", "slope(tape.z[l - 1])", "slope(tape.inputs[l])", "f'(h"),
        Slip(
            "biases forgotten", "        gb[...] = delta.sum(axis=0)\n", "", "the biases left out"
        ),
        Slip(
            "squared error's delta in every case",
            "model.loss_fn.grad(tape.z[-1], y)",
            "2 / y.size * (tape.z[-1] - y)",
            "squared error",
        ),
        Slip(
            "tanh's slope written in",
            "model.activation_fn.slope(tape.z[l - 1])",
            "(1 - tape.inputs[l] ** 2)",
            "tanh",
        ),
        Slip("f'' for f'", "model.activation_fn.slope(", "model.activation_fn.curvature(", "f''"),
    ],
    "02_hvp": [
        Slip(
            "W and V exchanged",
            "tape.inputs[l] @ V + Rh[l] @ tape.layers[l][0]",
            "tape.inputs[l] @ tape.layers[l][0] + Rh[l] @ V",
            "exchanged",
        ),
        Slip(
            "f'' times delta, not delta W^T", "(tape.delta[l] @ W.T)", "tape.delta[l - 1]", "delta"
        ),
        Slip(
            "biases get delta",
            "Rdelta.sum(axis=0)",
            "tape.delta[l].sum(axis=0)",
            "delta for Rdelta in the biases",
        ),
        Slip(
            "v of length 1",
            "directions = model.unpack(v)",
            "directions = model.unpack(v / np.linalg.norm(v))",
            "length of v",
        ),
        Slip("f' forgotten on the way back", "tape.slope[l - 1] * (Rdelta", "(Rdelta", "f'"),
    ],
    "03_maml": [
        Slip(
            "alpha forgotten before the product",
            "v - inner_lr * model.hvp",
            "v - model.hvp",
            "alpha",
        ),
        Slip(
            "last step's Jacobian alone",
            "for s in reversed(range(inner_steps)):",
            "for s in range(max(0, inner_steps - 1), inner_steps):",
            "last",
        ),
        Slip(
            "first step's Jacobian left out",
            "reversed(range(inner_steps))",
            "reversed(range(1, inner_steps))",
            "first",
        ),
        Slip(
            "tasks in a chain",
            "        thetas = [theta]\n",
            "        thetas = [thetas[-1] if each else theta]\n",
            "in a chain",
        ),
        Slip(
            "the way without its minus",
            "thetas[s] - inner_lr * model.grad",
            "thetas[s] + inner_lr * model.grad",
            "uphill, theta + alpha g, in the descent",
        ),
    ],
    "04_first_order_maml": [
        Slip(
            "query gradients along the whole way",
            "        each.append(model.grad(adapted, x_query, y_query))",
            "        each.append(sum(way) + model.grad(adapted, x_query, y_query))",
            "sum",
            ("        adapted = theta\n", "        adapted, way = theta, []\n"),
            (
                "            adapted = ",
                "            way.append(model.grad(adapted, x_query, "
                "y_query))\n            adapted = ",
            ),
        ),
        Slip(
            "tasks in a chain",
            "        adapted = theta\n",
            "        adapted = adapted if each else theta\n",
            "in a chain",
        ),
        Slip(
            "alpha forgotten inside",
            "adapted - inner_lr * model.grad",
            "adapted - model.grad",
            "alpha missing in the inner step",
        ),
        Slip(
            "nothing deleted",
            "        each.append(model.grad(adapted, x_query, y_query))",
            "        v = model.grad(adapted, x_query, y_query)\n"
            "        for here in reversed(way):\n"
            "            v = v - inner_lr * model.hvp(here, x, y, v)\n"
            "        each.append(v)",
            "this is MAML",
            ("        adapted = theta\n", "        adapted, way = theta, []\n"),
            ("            adapted = ", "            way.append(adapted)\n            adapted = "),
        ),
        Slip(
            "Reptile",
            "model.grad(adapted, x_query, y_query)",
            "(theta - adapted) / inner_lr",
            "Reptile",
        ),
    ],
    "05_reptile": [
        Slip(
            "last gradient alone",
            "(theta - adapted) / inner_lr",
            "model.grad(last, x, y)",
            "support gradient at theta_1",
            ("            adapted = ", "            last = adapted\n            adapted = "),
            ("        adapted = theta\n", "        adapted = last = theta\n"),
        ),
        Slip(
            "gradients one step late",
            "(theta - adapted) / inner_lr",
            "total",
            "late",
            ("        adapted = theta\n", "        adapted, total = theta, 0 * theta\n"),
            (
                "model.grad(adapted, x, y)\n",
                "model.grad(adapted, x, y)\n"
                "            total = total + model.grad(adapted, x, y)\n",
            ),
        ),
        Slip("alpha squared", "/ inner_lr", "/ inner_lr ** 2", "alpha"),
        Slip(
            "first-order MAML",
            "(theta - adapted) / inner_lr",
            "model.grad(adapted, a, b)",
            "first-order MAML",
            ("for x, y, *_ in", "for x, y, a, b in"),
        ),
        Slip(
            "tasks' points joined",
            "    for x, y, *_ in zip(*batch):\n",
            "    for x, y in [(np.concatenate(batch[0]), np.concatenate(batch[1]))]:\n",
            "tasks",
        ),
    ],
    "06_meta_sgd": [
        Slip("alpha forgotten in the product", "alpha * v)", "v)", "alpha"),
        Slip("divided by alpha", "total -= v * gs[s]", "total -= v * gs[s] / alpha", "alpha"),
        Slip(
            "Hessians one step late", "model.hvp(thetas[s], ", "model.hvp(thetas[s + 1], ", "late"
        ),
        Slip(
            "q before adaptation",
            "model.grad(thetas[-1], x_query, y_query)",
            "model.grad(theta, x_query, y_query)",
            "before adaptation",
        ),
        Slip(
            "support gradient for q",
            "model.grad(thetas[-1], x_query, y_query)",
            "model.grad(thetas[-1], x, y)",
            "support",
        ),
    ],
}

# Of 118 more, fifty of them written before the explanations were read, those that are not
# above.
FRESH = {
    "01_backward": [
        Slip(
            "delta starts as outputs - y, for every loss, without the mean",
            "delta = model.loss_fn.grad(tape.z[-1], y)",
            "delta = tape.z[-1] - y",
            "sum of squares",
        ),
        Slip(
            "a layer's f' is multiplied in after its gradients are written, not before",
            "        if l > 0:\n"
            "            delta = (delta @ tape.layers[l][0].T) * "
            "model.activation_fn.slope(tape.z[l - 1])",
            "        if l + 1 < len(blocks):\n"
            "            delta = delta * model.activation_fn.slope(tape.z[l])\n"
            "        delta = delta @ tape.layers[l][0].T",
            "too late",
        ),
        Slip(
            "the weights get z of the layer below, not f(z)",
            "gW[...] = tape.inputs[l].T @ delta",
            "gW[...] = (tape.z[l - 1] if l else x).T @ delta",
            "z in place of h",
        ),
        Slip(
            "the loop stops before layer 0",
            "reversed(range(len(blocks)))",
            "range(len(blocks) - 1, 0, -1)",
            "gW of l = 0",
        ),
        Slip(
            "f' of the last hidden layer is used for all",
            "    for l in",
            "    slope = model.activation_fn.slope(tape.z[-2])\n    for l in",
            "of another layer",
            ("model.activation_fn.slope(tape.z[l - 1])", "slope"),
        ),
        Slip(
            "f' is taken at the back-propagated delta, not at z",
            "delta = (delta @ tape.layers[l][0].T) * model.activation_fn.slope(tape.z[l - 1])",
            "delta = delta @ tape.layers[l][0].T\n"
            "            delta = delta * model.activation_fn.slope(delta)",
            "f'(delta W^T)",
        ),
        Slip(
            "delta is taken back before the layer's gradients are written",
            "        gW[...] = tape.inputs[l].T @ delta\n"
            "        gb[...] = delta.sum(axis=0)\n"
            "        if l > 0:\n"
            "            delta = (delta @ tape.layers[l][0].T) * "
            "model.activation_fn.slope(tape.z[l - 1])\n",
            "        if l > 0:\n"
            "            delta = (delta @ tape.layers[l][0].T) * "
            "model.activation_fn.slope(tape.z[l - 1])\n"
            "        gW[...] = tape.inputs[l].T @ delta\n"
            "        gb[...] = delta.sum(axis=0)\n",
            "of another layer",
        ),
        Slip(
            "W of the layer below",
            "tape.layers[l][0].T",
            "tape.layers[l - 1][0].T",
            "of another layer",
        ),
        Slip(
            "written for two layers: the ones between them are left out",
            "reversed(range(len(blocks)))",
            "reversed(range(len(blocks) - 2, len(blocks)))",
            "they are 0",
        ),
        Slip(
            "f' squared on the way back, and a mean for the biases",
            "gb[...] = delta.sum(axis=0)",
            "gb[...] = delta.mean(axis=0)",
            "taken twice, and the mean",
            ("slope(tape.z[l - 1])", "slope(tape.z[l - 1]) ** 2"),
        ),
        Slip(
            "biases: summed over everything, and divided by the points",
            "gb[...] = delta.sum(axis=0)",
            "gb[...] = delta.sum() / len(x)",
            "divided by the number of points",
        ),
        Slip(
            "f' only where delta comes from the output",
            "            delta = (delta @ tape.layers[l][0].T) * "
            "model.activation_fn.slope(tape.z[l - 1])",
            "            delta = delta @ tape.layers[l][0].T\n"
            "            if l == len(blocks) - 1:\n"
            "                delta = delta * model.activation_fn.slope(tape.z[l - 1])",
            "every l but the last l",
        ),
        Slip(
            "a mean over the points in gW alone",
            "tape.inputs[l].T @ delta",
            "tape.inputs[l].T @ delta / len(x)",
            "gW of l = 0, 1, 2",
        ),
        Slip(
            "zip without reversed: from the first layer to the last",
            "for l in reversed(range(len(blocks))):",
            "for l in range(len(blocks)):",
            "of another layer",
            (
                "        if l > 0:\n"
                "            delta = (delta @ tape.layers[l][0].T) * "
                "model.activation_fn.slope(tape.z[l - 1])",
                "        delta = (delta @ tape.layers[l][0].T) * "
                "model.activation_fn.slope(tape.z[l])",
            ),
        ),
        Slip(
            "the output's delta is not divided by anything: 2 (z - y)",
            "model.loss_fn.grad(tape.z[-1], y)",
            "2 * (tape.z[-1] - y)",
            "the number of points times the width",
        ),
    ],
    "02_hvp": [
        Slip(
            "inputs @ V only in the first layer: Rz = Rh W + Vb above it",
            "Rz.append(tape.inputs[l] @ V + Rh[l] @ tape.layers[l][0] + Vb)",
            "Rz.append(x @ V + Vb if l == 0 else Rh[l] @ tape.layers[l][0] + Vb)",
            "h V missing at every l but l = 0",
        ),
        Slip(
            "Rdelta starts as the gradient of the loss in the outputs, not its hvp",
            "model.loss_fn.hvp(tape.z[-1], y, Rz[-1])",
            "model.loss_fn.grad(tape.z[-1], y)",
            "delta for Rdelta at the output",
        ),
        Slip(
            "RgW = Rh.T delta + Rh.T Rdelta: Rh for inputs",
            "tape.inputs[l].T @ Rdelta",
            "Rh[l].T @ Rdelta",
            "Rh^T Rdelta in place of h^T Rdelta",
        ),
        Slip(
            "the backward pass's Rdelta has no f'",
            "tape.slope[l - 1] * (Rdelta @ W.T + tape.delta[l] @ V.T) + bend",
            "Rdelta @ W.T + tape.delta[l] @ V.T + bend",
            "missing, where Rdelta goes back",
        ),
        Slip(
            "W and V are exchanged in Rdelta",
            "(Rdelta @ W.T + tape.delta[l] @ V.T)",
            "(Rdelta @ V.T + tape.delta[l] @ W.T)",
            "W and V exchanged",
        ),
        Slip(
            "the bend has no Rz: f'' (delta W^T)",
            "curvature * Rz[l - 1] *",
            "curvature *",
            "without its Rz",
        ),
        Slip(
            "the loss's second derivative gets the last Rh, not Rz",
            "y, Rz[-1])",
            "y, Rh[-1])",
            "Rdelta (9, 6)",
        ),
        Slip(
            "the way back stops before layer 0",
            "reversed(range(len(blocks)))",
            "reversed(range(1, len(blocks)))",
            "they are 0",
        ),
        Slip(
            "Vb left out of Rz, and Rh^T delta left out",
            " + Vb)",
            ")",
            "Vb missing, and the term Rh^T",
            ("Rh[l].T @ tape.delta[l] + ", ""),
        ),
        Slip(
            "f'' = f' (1 - 2 f), the sigmoid's form, in every network",
            "model.activation_fn.curvature(tape.z[l - 1])",
            "tape.slope[l - 1] * (1 - 2 * tape.inputs[l])",
            "sigmoid's f''",
        ),
        Slip(
            "a difference quotient of gradients",
            "    return product",
            "    step = 1e-5 * v\n"
            "    ahead, behind = (model.backprop(t, x, y).grad for t in (theta + step, "
            "theta - step))\n"
            "    return (ahead - behind) / 2e-5",
            "difference quotient",
        ),
        Slip(
            "f' forgotten on the way forward, and the term with f'' left out",
            "Rh.append(tape.slope[l] * Rz[l])",
            "Rh.append(Rz[l])",
            "missing, and the slope",
            (" + bend", ""),
        ),
        Slip(
            "the loss's second derivative gets z for Rz",
            "y, Rz[-1])",
            "y, tape.z[-1])",
            "the output in place of Rout",
        ),
        Slip(
            "Vb only in the first layer",
            " + Vb)",
            " + (Vb if l == 0 else 0))",
            "Vb missing at every l but",
        ),
        Slip(
            "Rdelta's W is V, everything else right",
            "Rdelta @ W.T",
            "Rdelta @ V.T",
            "Rdelta V^T in place of Rdelta W^T",
        ),
        Slip(
            "Rgb is a mean over the points",
            "Rdelta.sum(axis=0)",
            "Rdelta.mean(axis=0)",
            "the mean over the points for the biases",
        ),
    ],
    "03_maml": [
        Slip(
            "every inner step takes the gradient at the initialisation",
            "model.grad(thetas[s], x, y)",
            "model.grad(theta, x, y)",
            "at theta",
        ),
        Slip(
            "the query gradient is taken at theta, before the steps",
            "model.grad(thetas[-1], x_query",
            "model.grad(theta, x_query",
            "before adaptation",
        ),
        Slip(
            "one inner step too few, forwards and backwards",
            "for s in range(inner_steps):",
            "for s in range(inner_steps - 1):",
            "one inner step too few",
            ("reversed(range(inner_steps))", "reversed(range(inner_steps - 1))"),
        ),
        Slip(
            "np.mean without axis: one number", "np.mean(each, axis=0)", "np.mean(each)", "shape ()"
        ),
        Slip(
            "the product is with the support gradient: v - lr H g",
            "model.hvp(thetas[s], x, y, v)",
            "model.hvp(thetas[s], x, y, model.grad(thetas[s], x, y))",
            "the Hessian times the inner gradient",
        ),
        Slip(
            "v runs on from task to task: it is not set anew, the query gradient is added",
            "    each = []\n",
            "    each, v = [], np.zeros_like(theta)\n",
            "v of the tasks before kept",
            ("        v = model.grad(thetas[-1]", "        v = v + model.grad(thetas[-1]"),
        ),
        Slip(
            "the rate multiplies v as well: lr (v - H v)",
            "v - inner_lr * model.hvp(thetas[s], x, y, v)",
            "inner_lr * (v - model.hvp(thetas[s], x, y, v))",
            "alpha before v as well",
        ),
        Slip(
            "the list of thetas is not emptied between tasks",
            "    each = []\n",
            "    each, path = [], []\n",
            "thetas of the tasks before kept",
            (
                "        v = model.grad(thetas[-1], x_query, y_query)\n",
                "        path += thetas[:-1]\n"
                "        v = model.grad(thetas[-1], x_query, y_query)\n",
            ),
            ("for s in reversed(range(inner_steps)):", "for here in reversed(path):"),
            ("model.hvp(thetas[s], x", "model.hvp(here, x"),
        ),
        Slip(
            "append stands in the loop back: the mean over tasks and steps of v",
            "        each.append(v)",
            "            each.append(v)",
            "inside the loop",
        ),
        Slip(
            "theta is overwritten: the next task starts there, and every Hessian is at the end",
            "        thetas = [theta]\n",
            "",
            "every Hessian at theta_k",
            (
                "            thetas.append(thetas[s] - inner_lr * model.grad(thetas[s], x, y))",
                "            theta = theta - inner_lr * model.grad(theta, x, y)",
            ),
            ("model.grad(thetas[-1]", "model.grad(theta"),
            ("model.hvp(thetas[s]", "model.hvp(theta"),
        ),
        Slip(
            "theta -= in place",
            "thetas[s] - inner_lr * model.grad(thetas[s], x, y)",
            "theta",
            "it writes into its argument theta",
            (
                "            thetas.append",
                "            theta -= inner_lr * model.grad(theta, x, y)\n"
                "            thetas.append",
            ),
        ),
        Slip(
            "the query gradients are averaged first, and go back through the last task's steps",
            "        each.append(v)\n    return np.mean(each, axis=0)",
            "    return v",
            "averaged first",
            (
                "        v = model.grad(thetas[-1], x_query, y_query)\n"
                "        for s in reversed(range(inner_steps)):\n"
                "            v = v",
                "        each.append(model.grad(thetas[-1], x_query, y_query))\n"
                "    v = np.mean(each, axis=0)\n"
                "    for s in reversed(range(inner_steps)):\n"
                "        v = v",
            ),
        ),
        Slip(
            "the way back is outside the loop over the tasks: only the last task",
            "np.mean(each, axis=0)",
            "v / len(batch.x_query)",
            "of the last task alone",
        ),
        Slip(
            "one inner step too many in the way back: it starts with the Hessian at theta_k",
            "for s in reversed(range(inner_steps))",
            "for s in reversed(range(inner_steps + 1))",
            "one product too many, at theta_k",
        ),
        Slip(
            "the query gradient at every step is added on the way back",
            "v = v - inner_lr * model.hvp(thetas[s], x, y, v)",
            "v = v - inner_lr * model.hvp(thetas[s], x, y, v)\n"
            "            v = v + model.grad(thetas[s], x_query, y_query)",
            "added on the way back",
        ),
        Slip(
            "the inner gradient on support, the product on a mean of both sets' Hessians",
            "model.hvp(thetas[s], x, y, v)",
            "(model.hvp(thetas[s], x, y, v) + model.hvp(thetas[s], x_query, y_query, v)) / 2",
            "the support and the query loss added",
        ),
    ],
    "04_first_order_maml": [
        Slip(
            "only the hvp call was deleted: v - lr v stays for each step",
            "        each.append(model.grad(adapted, x_query, y_query))",
            "        v = model.grad(adapted, x_query, y_query)\n"
            "        for _ in range(inner_steps):\n"
            "            v = v - inner_lr * v\n"
            "        each.append(v)",
            "v - alpha v left over from the way back",
        ),
        Slip(
            "adapted = theta stands before the loop over the tasks",
            "        adapted = theta\n",
            "",
            "in a chain",
            ("    each = []\n", "    each = []\n    adapted = theta\n"),
        ),
        Slip(
            "the query gradient is at theta_k-1, before the last step",
            "            adapted = adapted - inner",
            "            before = adapted\n            adapted = adapted - inner",
            "one step early",
            ("        adapted = theta\n", "        adapted = before = theta\n"),
            ("model.grad(adapted, x_query", "model.grad(before, x_query"),
        ),
        Slip(
            "the mean of the query gradients along the way",
            "        adapted = theta\n",
            "        adapted, total = theta, model.grad(theta, x_query, y_query)\n",
            "inner steps plus 1",
            (
                "model.grad(adapted, x, y)\n",
                "model.grad(adapted, x, y)\n"
                "            total = total + model.grad(adapted, x_query, y_query)\n",
            ),
            (
                "        each.append(model.grad(adapted, x_query, y_query))",
                "        each.append(total / (inner_steps + 1))",
            ),
        ),
        Slip(
            "append stands in the inner loop: the mean over tasks and steps",
            "        each.append(model.grad(adapted, x_query, y_query))",
            "            each.append(model.grad(adapted, x_query, y_query))",
            "inside the loop",
        ),
        Slip(
            "the last task's query points for all tasks",
            "        each.append(model.grad(adapted, x_query, y_query))\n"
            "    return np.mean(each, axis=0)",
            "        each.append(adapted)\n"
            "    return np.mean([model.grad(a, x_query, y_query) for a in each], axis=0)",
            "query points of the last task",
        ),
        Slip(
            "the query gradient minus that before adaptation",
            "each.append(model.grad(adapted, x_query, y_query))",
            "each.append(model.grad(adapted, x_query, y_query) - model.grad(theta, "
            "x_query, y_query))",
            "-1 times the query gradient at theta_0",
        ),
    ],
    "05_reptile": [
        Slip(
            "the displacement is divided by inner_steps too",
            "(theta - adapted) / inner_lr",
            "(theta - adapted) / (inner_lr * max(inner_steps, 1))",
            "the number of inner steps",
        ),
        Slip(
            "one inner step too few",
            "range(inner_steps)",
            "range(1, inner_steps)",
            "one inner step too few",
        ),
        Slip(
            "the gradient at theta_k is added too: k + 1 gradients",
            "(theta - adapted) / inner_lr",
            "(theta - adapted) / inner_lr + model.grad(adapted, x, y)",
            "one inner step too many",
        ),
        Slip(
            "theta itself is moved, and the next task starts from there",
            "        adapted = theta\n        for",
            "        start = adapted = theta\n        for",
            "in a chain",
            (
                "(theta - adapted) / inner_lr)",
                "(start - adapted) / inner_lr)\n        theta = adapted",
            ),
        ),
        Slip(
            "the steps go by the gradient without the rate",
            "adapted - inner_lr * model.grad",
            "adapted - model.grad",
            "alpha missing in the inner step",
            ("(theta - adapted) / inner_lr", "theta - adapted"),
        ),
        Slip("multiplied by the rate, not divided", "/ inner_lr", "* inner_lr", "alpha squared"),
        Slip(
            "the mean, and divided by the number of tasks once more",
            "np.mean(each, axis=0)",
            "np.mean(each, axis=0) / len(batch.x_support)",
            "the number of tasks",
        ),
        Slip(
            "each step takes one point, not all of them",
            "for _ in range",
            "for s in range",
            "one support point",
            ("model.grad(adapted, x, y)", "model.grad(adapted, x[s : s + 1], y[s : s + 1])"),
        ),
        Slip(
            "the last step is on the query points",
            "for x, y, *_ in",
            "for x, y, a, b in",
            "last inner step on the query",
            ("for _ in range", "for s in range"),
            (
                "model.grad(adapted, x, y)",
                "model.grad(adapted, *((a, b) if s == inner_steps - 1 else (x, y)))",
            ),
        ),
        Slip(
            "theta is overwritten, so the way is 0",
            "        adapted = theta\n",
            "",
            "theta itself moved",
            (
                "adapted = adapted - inner_lr * model.grad(adapted, x, y)",
                "theta = theta - inner_lr * model.grad(theta, x, y)\n        adapted = theta",
            ),
        ),
        Slip(
            "divided by the rate in the inner step",
            "adapted - inner_lr * model",
            "adapted - 1 / inner_lr * model",
            "a division by alpha",
        ),
        Slip(
            "divided by the rate once for each step",
            "/ inner_lr",
            "/ inner_lr ** inner_steps",
            "alpha once for each step but one",
        ),
        Slip(
            "the mean of the gradients at theta_0 and theta_k",
            "(theta - adapted) / inner_lr",
            "(model.grad(theta, x, y) + model.grad(adapted, x, y)) / 2",
            "0.5 times the support gradient at theta_0",
        ),
        Slip(
            "momentum of one half in the descent",
            "        adapted = theta\n",
            "        adapted, step = theta, 0.0\n",
            "momentum of 0.5",
            (
                "            adapted = adapted - inner_lr * model.grad(adapted, x, y)",
                "            step = 0.5 * step + model.grad(adapted, x, y)\n"
                "            adapted = adapted - inner_lr * step",
            ),
        ),
    ],
    "06_meta_sgd": [
        Slip(
            "the gradient after the step multiplies v, g at theta_s+1",
            "total -= v * gs[s]",
            "total -= v * model.grad(thetas[s + 1], x, y)",
            "g one step late",
        ),
        Slip(
            "total is not reset for each task",
            "    each = []\n",
            "    each, total = [], np.zeros_like(theta)\n",
            "not set to 0",
            (
                "v, total = model.grad(thetas[-1], x_query, y_query), np.zeros_like(theta)",
                "v = model.grad(thetas[-1], x_query, y_query)",
            ),
            ("each.append(total)", "each.append(total.copy())"),
        ),
        Slip(
            "the mean over the steps, not their sum",
            "each.append(total)",
            "each.append(total / max(1, inner_steps))",
            "the number of inner steps",
        ),
        Slip(
            "alpha inside and outside the product",
            "v - model.hvp(thetas[s], x, y, alpha * v)",
            "v - alpha * model.hvp(thetas[s], x, y, alpha * v)",
            "both sides",
        ),
        Slip("the product is with v g", "alpha * v)", "alpha * v * gs[s])", "alpha v g"),
        Slip(
            "alpha's first entry for all",
            "    each = []\n",
            "    each, alpha = [], alpha[0]\n",
            "alpha's first entry",
        ),
        Slip(
            "forward, with one vector for the whole Jacobian: d <- d - g - alpha H d",
            "        v, total = model.grad(thetas[-1], x_query, y_query), np.zeros_like(theta)\n",
            "        v, d = model.grad(thetas[-1], x_query, y_query), np.zeros_like(theta)\n",
            "one vector forward",
            (
                "        for s in reversed(range(inner_steps)):\n"
                "            total -= v * gs[s]\n"
                "            v = v - model.hvp(thetas[s], x, y, alpha * v)\n"
                "        each.append(total)",
                "        for s in range(inner_steps):\n"
                "            d = d - gs[s] - alpha * model.hvp(thetas[s], x, y, d)\n"
                "        each.append(v * d)",
            ),
        ),
        Slip(
            "v is not multiplied by alpha, and the product is not with v: H q",
            "model.hvp(thetas[s], x, y, alpha * v)",
            "model.hvp(thetas[s], x, y, v)",
            "alpha missing before the product",
            ("each.append(total)", "each.append(alpha * total)"),
        ),
        Slip(
            "the log of alpha is what is learned",
            "each.append(total)",
            "each.append(total * alpha)",
            "alpha as one factor",
        ),
    ],
    "08_own_layer": [
        Slip("the sign of 1 - 2s", "(1 - 2 * s)", "(2 * s - 1)", "the sign of"),
        Slip(
            "f' = f + s (1 - f), the formula for beta = 1",
            "s + z * slope",
            "z * s + s * (1 - z * s)",
            "without beta",
        ),
        Slip(
            "beta is not in the exponent, but in the derivatives",
            "np.exp(-beta * z)",
            "np.exp(-z)",
            "in the exponent alone",
        ),
        Slip(
            "math.exp, which takes one number",
            "1 / (1 + np.exp(-beta * z))",
            "1 / (1 + math.exp(-beta * z))",
            "one number",
            ("import numpy as np", "import math\n\nimport numpy as np"),
        ),
        Slip(
            "f'' = slope of f' with 1 - s for 1 - 2 s, and beta missing once",
            "(1 - 2 * s)",
            "(1 - s)",
            "f'' is wrong: with s",
            ("beta * slope * ", "slope * "),
        ),
        Slip(
            "s' by exp(-beta z) s^2: inf times 0 far to the left",
            "beta * s * (1 - s)",
            "beta * np.exp(-beta * z) * s**2",
            "inf / inf",
        ),
        Slip(
            "the exponent's absolute value, for stability", "-beta * z", "-beta * np.abs(z)", "|z|"
        ),
        Slip(
            "the chain rule's beta comes twice in s'",
            "beta * s * (1 - s)",
            "beta ** 2 * s * (1 - s)",
            "f'' is wrong: it is multiplied by beta",
        ),
        Slip(
            "f'' is the derivative of s + z s' with s' held",
            "2 * slope + z * curvature",
            "slope + slope",
            "2 s' for f''",
        ),
    ],
    "09_solve_the_head": [
        Slip(
            "the weights are left out of the second term",
            "- C * (F @ u) @ w.T",
            "- (F @ u) @ w.T",
            "c forgotten before F u",
        ),
        Slip(
            "lam is added to every entry of A, not to its diagonal",
            "lam * np.eye(F.shape[1])",
            "lam",
            "every entry of A",
        ),
        Slip(
            "the second term has u and w exchanged",
            "C * (F @ u) @ w.T",
            "C * (F @ w) @ u.T",
            "-2 times C F w",
        ),
        Slip(
            "c twice before the residual, C C (y - F w)",
            "C * (y - F @ w)",
            "C * (C * (y - F @ w))",
            "c squared before y - F w",
        ),
        Slip("c multiplies the features, not the points", "C = c[:, None]", "C = c", "a column"),
        Slip(
            "w is solved for without the weights",
            "F.T @ (C * F) + lam",
            "F.T @ F + lam",
            "forgotten in A, and c forgotten",
            ("F.T @ (C * y)", "F.T @ y"),
        ),
        Slip(
            "A^-1 entry by entry: 1 / A",
            "np.linalg.solve(A, F.T @ (C * y))",
            "(1 / A) @ (F.T @ (C * y))",
            "1 / A",
            ("np.linalg.solve(A, F_q.T @ g)", "(1 / A) @ (F_q.T @ g)"),
        ),
        Slip(
            "the second term is F w u^T, without the weights",
            "C * (F @ u) @ w.T",
            "(F @ w) @ u.T",
            "-1 times F w u^T",
        ),
        Slip(
            "A is made from the query features",
            "F.T @ (C * F) + lam",
            "F_q.T @ F_q + lam",
            "F_q^T F_q",
        ),
        Slip(
            "c is a column in A, and forgotten elsewhere",
            "F.T @ (C * y)",
            "F.T @ y",
            "in front of both terms",
            ("C * (y - F @ w) @ u.T - C * (F @ u)", "(y - F @ w) @ u.T - (F @ u)"),
        ),
        Slip(
            "y_q's residual is weighted by the mean of c",
            "g = 2 *",
            "g = 2 * c.mean() *",
            "the sum of c",
        ),
    ],
}

TABLES = {
    "ten each": WRONG,
    "right in part": PARTLY,
    "listed": LISTED,
    "written before": OWN,
    "fresh": FRESH,
}


def wrong_source(name, slip):
    """The solution with the slip in it."""
    source = (SOLUTIONS / f"{name}.py").read_text(encoding="utf-8")
    for right, wrong in slip.pairs:
        times = source.count(right)
        assert times == 1, f"{name}, {slip.name}: {right!r} is there {times} times"
        source = source.replace(right, wrong)
    return source


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


def known_numbers():
    """Return a line for each case, with a number of its truth, and for each known mistake, with one
    of its result in one case: a change to the problems or to a mistake changes them."""

    def number_of(array):
        return np.vdot(np.cos(np.arange(np.size(array))), np.ravel(array)).real

    lines = []
    for name in EXERCISES:
        for seed in (1, 0):
            cases = [*EXERCISES[name].cases(seed)]
            for case in cases:
                number = number_of(case.truth)
                lines.append(f"{name} | problem {seed}, {case.label} | {number:.6e}")
        case = cases[{"01_backward": 4, "02_hvp": 4, "09_solve_the_head": 0}.get(name, 1)]
        for phrase, compute in mistakes.KNOWN[name](case).items():
            number = number_of(diagnosis.computed(compute))
            if np.isfinite(number):  # W in the place of W^T fits in one network alone
                lines.append(f"{name} | {phrase} | {number:.6e}")
        deep = cases[2] if name in ("01_backward", "02_hvp") else case
        rare = [*mistakes.RARE[name](deep).items()]
        numbers = np.array([number_of(diagnosis.computed(compute)) for _, compute in rare[::7]])
        numbers = numbers[np.isfinite(numbers)]
        bounded = (numbers / (1 + abs(numbers))).sum()  # what diverges does not hide the others
        lines.append(f"{name} | every seventh of {len(rare)} rare ones | {bounded:.6e}")
        for phrase, number in mistakes.QUANTITIES[name](case).items():
            lines.append(f"{name} | {phrase} | {number:.6e}")
    return lines


def row(name, slip):
    """Return a row of a table, without NumPy's words, which change."""
    says = message(name, slip, 0)[1]
    says = re.sub(r"(it stops with \w+ in line \d+, `.*?`, where .*?): .*?(?=; there)", r"\1", says)
    return f"| {name} | {slip.name} | {says} |"


def table(slips=WRONG):
    """Return the rows of ten wrong answers to each exercise, as the page for teachers has them."""
    rows = [row(name, slip) for name, each in slips.items() for slip in each]
    return "\n".join(["| exercise | wrong answer | the check says |", "|---|---|---|", *rows])


if __name__ == "__main__":
    if "--record" in sys.argv:
        RECORD.write_text("\n".join(known_numbers()) + "\n", encoding="utf-8", newline="\n")
        sys.exit()
    for title, slips in TABLES.items() if "--all" in sys.argv else [("ten each", WRONG)]:
        told = [
            (slip.says in text, right)
            for name, each in slips.items()
            for slip in each
            for right, text in [message(name, slip, 0)]
        ]
        named, passed = (sum(column) for column in zip(*told))
        print(f"{title}: {len(told)}, of which {named} are told what is wrong and {passed} pass\n")
        print(table(slips), end="\n\n")
