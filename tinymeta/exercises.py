"""The checks of the exercises in lessons/exercises: an answer is held against numerical derivatives, never against a solution.

    exercises.check("03_maml", maml_grad)                          # what an exercise does when it is run
    exercises.hint("03_maml", 1)                                   # in a notebook; on the command line: --hint 1
    python -m tinymeta.exercises lessons/exercises/03_maml.py 1 2  # what the grader does: on the problems of seeds 1 and 2

A problem is a tanh network of widths that all differ, with several tasks whose support and query sets are not equally
many: what is transposed does not fit, and what is of another layer, or divided by another number, shows.
"""

import copy
import hashlib
import inspect
import runpy
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

from . import diagnosis
from .checks import complex_step, relative_error
from .meta import adapt, meta_loss
from .mlp import MLP
from .tasks import TaskBatch

BOUND = diagnosis.NEAR
INNER_LR = 0.1


class Blank(Exception):
    """The answer is still `raise NotImplementedError`."""


class Case(NamedTuple):
    """One check: what it is called, the answer's arguments, what it should return, and what says why it does not."""

    label: str
    arguments: tuple
    truth: np.ndarray
    explain: Callable


def problem(seed, activation="tanh", criterion="mse"):
    """A model, a theta (P,) and a TaskBatch of numbers that mean nothing."""
    rng = np.random.default_rng([7, seed])
    widths = rng.permutation([2, 3, 4, 5]).tolist()
    shots, query = rng.permutation([6, 7, 8])[:2].tolist()
    model, tasks = MLP(widths, activation, criterion), int(rng.integers(4, 6))
    theta = 2 * model.init(rng)  # out of tanh's linear middle, where f'' is nearly 0
    x, y = rng.standard_normal((tasks, shots + query, widths[0])), rng.standard_normal((tasks, shots + query, widths[-1]))
    if criterion == "cross_entropy":
        y = np.eye(widths[-1])[y.argmax(axis=-1)]
    return model, theta, TaskBatch(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])


NETWORKS = {
    "tanh, squared error": ("tanh", "mse"),
    "tanh, cross-entropy": ("tanh", "cross_entropy"),
    "ReLU, squared error": ("relu", "mse"),
}


def backward_cases(seed):
    for label, kind in NETWORKS.items():
        model, theta, (x, y, *_) = problem(seed, *kind)
        truth = complex_step(lambda t: model.loss(t, x[0], y[0]), theta)
        yield Case(label, (model, theta, x[0], y[0]), truth, diagnosis.backward)


def hvp_cases(seed):
    for label, kind in NETWORKS.items():
        model, theta, (x, y, *_) = problem(seed, *kind)
        v = np.random.default_rng([8, seed]).standard_normal(theta.shape)
        truth = complex_step(lambda t: model.grad(t, x[0], y[0]), theta, v)
        yield Case(label, (model, theta, x[0], y[0], v), truth, diagnosis.hvp)


def plural(n):
    return f"{n} inner step{'s' * (n != 1)}"


def meta_cases(truth, explain, steps):
    """Cases of a meta-gradient on `steps` numbers of inner steps; truth(model, theta, batch, inner_lr, inner_steps)."""

    def cases(seed):
        for n in steps:
            arguments = (*problem(seed), INNER_LR, n)
            yield Case(plural(n), arguments, truth(*arguments), explain)

    return cases


def true_maml(model, theta, batch, inner_lr, inner_steps):
    return complex_step(lambda t: meta_loss(model, t, batch, inner_lr, inner_steps), theta)


def way_down(model, theta, x, y, inner_lr, inner_steps):
    """theta_k of one task, by the numerical gradient of its loss."""
    for _ in range(inner_steps):
        theta = theta - inner_lr * complex_step(lambda t: model.loss(t, x, y), theta)
    return theta


def true_first_order(model, theta, batch, inner_lr, inner_steps):
    each = []
    for x, y, x_query, y_query in zip(*batch):
        end = way_down(model, theta, x, y, inner_lr, inner_steps)
        each.append(complex_step(lambda t: model.loss(t, x_query, y_query), end))
    return np.mean(each, axis=0)


def true_reptile(model, theta, batch, inner_lr, inner_steps):
    ends = [way_down(model, theta, x, y, inner_lr, inner_steps) for x, y, *_ in zip(*batch)]
    return np.mean([(theta - end) / inner_lr for end in ends], axis=0)


def rates_cases(seed):
    model, theta, batch = problem(seed)
    rates = np.random.default_rng([9, seed]).uniform(0.5, 1.5, theta.shape) * INNER_LR

    def loss_of(rates, n):  # a meta-loss whose rates may be complex
        ends = (descend_at(model, theta, rates, x, y, n) for x, y, *_ in zip(*batch))
        return np.mean([model.loss(end, *query) for end, query in zip(ends, zip(*batch[2:]))], axis=0)

    for n in (2, 3, 1):
        yield Case(plural(n), (model, theta, rates, batch, n), complex_step(lambda r: loss_of(r, n), rates), diagnosis.rates)


def descend_at(model, theta, rates, x, y, inner_steps):
    for _ in range(inner_steps):
        theta = theta - rates * model.grad(theta, x, y)
    return theta


class Exercise(NamedTuple):
    """The name of the function to write, the cases of a seed, and two hints."""

    answer: str
    cases: Callable
    hints: tuple


EXERCISES = {
    "01_backward": Exercise(
        "backward",
        backward_cases,
        (
            "Start at the output: delta = model.losses.delta(tape.out, y). Going back, a layer's W has the gradient h^T delta and its b the "
            "sum of delta over the points. Check the shapes: W is (d_in, d_out), h is (K, d_in), delta is (K, d_out).",
            "To the layer before: delta W^T is (K, d_in), and tape.slope[l], of the same shape, is the f'(z) that made tape.h[l]. The output has "
            "no slope, the input needs no delta. model.unpack(grad) gives views: what you assign to them with [...] is in grad.",
        ),
    ),
    "02_hvp": Exercise(
        "hvp",
        hvp_cases,
        (
            "Differentiate each line of forward by the product rule: z = h W + b gives Rz = h V + Rh W + Vb, h' = f(z) gives Rh' = f'(z) Rz. "
            "The input does not move, so its Rh is 0. Keep every Rz and Rh: the way back needs them.",
            "Then each line of backward: gW = h^T delta gives Rh^T delta + h^T Rdelta, and delta_before = f'(z) (delta W^T) gives three terms, one of "
            "them f''(z) Rz (delta W^T). For tanh f'' = -2 f f'; for ReLU it is 0. It starts with model.losses.Rdelta(out, y, Rz of the output).",
        ),
    ),
    "03_maml": Exercise(
        "maml_grad",
        meta_cases(true_maml, diagnosis.maml, (1, 2, 3, 0)),
        (
            "Take one task first: descend on its support points and keep every theta_s on the way. Then v is the gradient of the query loss at theta_k.",
            "A step theta - alpha g(theta) has the Jacobian I - alpha H. The chain rule takes v back through the steps, last step first: "
            "v - alpha H v, with H that of the support loss at the theta_s where the step began. At the end, the mean over the tasks.",
        ),
    ),
    "04_first_order_maml": Exercise(
        "first_order_maml_grad",
        meta_cases(true_first_order, diagnosis.first_order, (1, 2, 3, 0)),
        (
            "First-order MAML says that theta_k does not depend on theta. Which lines of MAML exist only because it does?",
            "Without the way back nothing but theta_k is needed of the way down. Once the function is right, running the file prints what the claims are about.",
        ),
    ),
    "05_reptile": Exercise(
        "reptile_grad",
        meta_cases(true_reptile, diagnosis.reptile, (3, 2, 1)),
        (
            "Descend on the support points of a task, from theta, for inner_steps steps. No query points, no second derivative.",
            "The optimiser subtracts what you return, so it points from theta_k to theta: (theta - theta_k) / alpha, the mean over the tasks. "
            "Each task starts from theta anew.",
        ),
    ),
    "06_meta_sgd": Exercise(
        "rates_grad",
        rates_cases,
        (
            "Write theta_s+1 = theta_s - alpha g_s for one parameter: how does it change with that parameter's alpha, theta_s being held? "
            "And how does the query loss change with theta_s+1?",
            "Let v be the query loss's gradient in theta_s+1. Step s adds -v g_s, entry by entry; then v goes back as in MAML, to v - H_s (alpha v). "
            "Which of the two comes first?",
        ),
    ),
}


def hint(name, number):
    """Print one of the two hints of an exercise."""
    hints = EXERCISES[name].hints
    if number not in range(1, len(hints) + 1):
        sys.exit(f"hint: expected a number from 1 to {len(hints)}; got {number}")
    print(f"{name}, hint {number} of {len(hints)}: {hints[number - 1]}")


def same(before, after):
    """Whether an argument is what it was: an array, a number, a batch of arrays; a model is not looked at."""
    if isinstance(before, tuple):
        return all(map(same, before, after))
    return isinstance(before, MLP) or np.array_equal(before, after)


def attempt(answer, case):
    """(result, "") of an answer in one case, or (None, what is wrong with it at once)."""
    given = copy.deepcopy(case.arguments)
    try:
        with np.errstate(all="ignore"):
            got = answer(*given)
    except NotImplementedError:
        raise Blank from None
    except (Exception, SystemExit) as error:
        return None, diagnosis.crash(answer, error)
    shape = case.truth.shape
    if got is None:
        return None, "it returns None; is there a `return` at its end?"
    try:
        array = np.asarray(got)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        kind = f"complex numbers {array.shape}" if array.dtype.kind == "c" else type(got).__name__
        return None, f"it returns {kind}, expected one array of real numbers, of shape {shape}"
    if array.shape != shape:
        return None, f"it returns an array of shape {array.shape}, expected {shape}, as theta's"
    if not np.isfinite(array).all():
        return None, f"{np.sum(~np.isfinite(array))} of its {array.size} numbers are nan or infinite"
    for name, before, after in zip(inspect.signature(answer).parameters, case.arguments, given):
        if not same(before, after):
            return None, f"it writes into its argument {name}, which others use too; did you mean a copy (`a = a - b` for `a -= b`)?"
    return array, ""


def judge(answer, case):
    """(relative error, what is wrong) of an answer in one case; nothing is wrong: ""."""
    got, wrong = attempt(answer, case)
    if wrong:
        return np.inf, wrong
    error = relative_error(got, case.truth)
    if error <= BOUND:
        return error, ""
    try:
        return error, case.explain(answer, got, case.truth, *case.arguments)
    except Exception as reason:  # the answer fails on what the diagnosis tries, such as one task alone
        return error, f"none of the mistakes known here ({type(reason).__name__} on the way to say more: {reason})"


def report(name, answer, seed=0):
    """Print a line for each case, and what is wrong in the first that is; True if all are right."""
    lines, right = [], True
    for case in EXERCISES[name].cases(seed):
        error, wrong = judge(answer, case)
        lines.append(f"  {case.label:20s} {error:8.1e}   {'WRONG' if wrong else 'OK'}")
        if wrong and right:
            lines.append(f"    {wrong}")
        right = right and not wrong
    print(f"{name}, problem {seed}: relative error against numerical derivatives, at most {BOUND:g}", *lines, sep="\n")
    return right


def claimed(answer, first_to_fail, by):
    """Print whether that is the check of exercise 3 that first fails for first-order MAML, and that its relative error; True if so."""
    cases = sorted(EXERCISES["03_maml"].cases(0), key=lambda case: case.arguments[-1])
    errors = {case.label: relative_error(answer(*case.arguments), case.truth) for case in cases}
    first = next(label for label, error in errors.items() if error > BOUND)
    if first_to_fail is None or by is None:
        print("  claims: still blank. Exercise 3's checks of your function; fill in FIRST_TO_FAIL and BY:")
        print(*(f"    {label:20s} {error:8.1e}" for label, error in errors.items()), sep="\n")
    elif first_to_fail != first:
        print(f"  claims: FIRST_TO_FAIL = {first_to_fail!r} is not the first of {', '.join(errors)} that fails: WRONG")
    elif not isinstance(by, (int, float)) or not abs(by - errors[first]) <= 0.05 * errors[first]:
        print(f"  claims: BY = {by!r} is not the relative error there to two digits: WRONG")
    else:
        print(f"  claims: {first} fails, by {errors[first]:.2g}: OK")
        return True
    return False


def grade(name, values, seeds):
    """Report on the answers among `values` {name: what the file holds}; True if all are right on the problems of all seeds."""
    if name == "07_bug_hunt":
        return name_bugs(values.get("ANSWERS"))
    if name not in EXERCISES:
        print(f"{name}: no exercise of that name; there are {', '.join(EXERCISES)}")
        return False
    wanted = EXERCISES[name].answer
    answer = values.get(wanted)
    if not callable(answer):
        print(f"{name}: there is no function {wanted}")
        return False
    try:
        right = all([report(name, answer, seed) for seed in seeds])
        if name == "04_first_order_maml" and right:
            right = claimed(answer, values.get("FIRST_TO_FAIL"), values.get("BY"))
    except Blank:
        print(f"{name}: still blank: write {wanted} in place of `raise NotImplementedError` (a hint: python {name}.py --hint 1)")
        return False
    print(f"{name}: " + ("all checks OK" if right else "not yet"))
    return right


def check(name, answer, **claims):
    """What an exercise does when it is run: a hint if one is asked for (--hint 1), otherwise the report; not right: exit code 1."""
    in_kernel = "ipykernel" in sys.modules
    flags = [] if in_kernel else sys.argv[1:]
    if flags[:1] == ["--hint"] and len(flags) == 2 and flags[1].isdecimal():
        return hint(name, int(flags[1]))
    if flags:
        sys.exit(f"usage: python {name}.py [--hint 1 or 2]")
    if not grade(name, {EXERCISES[name].answer: answer, **claims}, [0]) and not in_kernel:
        sys.exit(1)


if __name__ == "__main__":  # the grader: python -m tinymeta.exercises FILE SEED ...
    path = Path(sys.argv[1])
    sys.path.insert(0, str(path.parent))  # a file may import its neighbours, as when it is run
    sys.exit(not grade(path.stem, runpy.run_path(str(path)), [*map(int, sys.argv[2:])] or [0]))
