"""The problems that the exercises are checked on: arguments, the right result by numerical
derivatives, and hints.

A problem is a tanh network of widths that all differ, with several tasks whose support and query
sets have different sizes: a transposed array does not fit, and an array of another layer, or a
division by another number, shows."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..checks import complex_step
from ..meta import meta_loss
from ..mlp import MLP
from ..tasks import TaskBatch
from . import diagnosis

INNER_LR = 0.1  # large enough for the second-order term to show


class Case(NamedTuple):
    """One check of an answer."""

    label: str
    arguments: tuple  # of the answer
    truth: np.ndarray  # the result that it should return
    explain: Callable  # a function of tinymeta.course.diagnosis, for a wrong result


def problem(seed, activation="tanh", criterion="mse"):
    """Return a model, a theta (P,) and a TaskBatch of random data."""
    rng = np.random.default_rng([7, seed])
    widths = rng.permutation([2, 3, 4, 5, 6]).tolist()[: 4 + seed % 2]  # three layers or four
    shots, query = rng.permutation([7, 8, 9])[:2].tolist()
    model, tasks = MLP(widths, activation, criterion), int(rng.integers(4, 6))
    theta = 2 * model.init(rng)  # out of tanh's linear middle, where f'' is nearly 0
    x, y = (
        rng.standard_normal((tasks, shots + query, widths[0])),
        rng.standard_normal((tasks, shots + query, widths[-1])),
    )
    if criterion == "cross_entropy":
        y = np.eye(widths[-1])[y.argmax(axis=-1)]
    return model, theta, TaskBatch(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])


NETWORKS = {
    "tanh, squared error": ("tanh", "mse"),
    "tanh, cross-entropy": ("tanh", "cross_entropy"),
    "ReLU, squared error": ("relu", "mse"),
}


def backward_cases(seed):
    """Yield the cases of exercise 1."""
    for label, kind in NETWORKS.items():
        model, theta, (x, y, *_) = problem(seed, *kind)
        truth = complex_step(lambda t: model.loss(t, x[0], y[0]), theta)
        yield Case(label, (model, theta, x[0], y[0]), truth, diagnosis.backward)


def hvp_cases(seed):
    """Yield the cases of exercise 2."""
    for label, kind in NETWORKS.items():
        model, theta, (x, y, *_) = problem(seed, *kind)
        v = np.random.default_rng([8, seed]).standard_normal(theta.shape)
        truth = complex_step(lambda t: model.grad(t, x[0], y[0]), theta, v)
        yield Case(label, (model, theta, x[0], y[0], v), truth, diagnosis.hvp)


def count_steps(n):
    """Return n inner steps in words."""
    return f"{n} inner step{'s' * (n != 1)}"


def meta_cases(truth, explain, steps):
    """Return a function that yields the cases of a meta-gradient, one for each number of inner
    steps; truth(model, theta, batch, inner_lr, inner_steps) is the right result."""

    def cases(seed):
        for n in steps:
            arguments = (*problem(seed), INNER_LR, n)
            yield Case(count_steps(n), arguments, truth(*arguments), explain)

    return cases


def true_maml(model, theta, batch, inner_lr, inner_steps):
    """Return the numerical gradient of the meta-loss."""
    return complex_step(lambda t: meta_loss(model, t, batch, inner_lr, inner_steps), theta)


def descend_numerically(model, theta, x, y, inner_lr, inner_steps):
    """Return theta_k of one task, by the numerical gradient of its loss."""
    for _ in range(inner_steps):
        theta = theta - inner_lr * complex_step(lambda t: model.loss(t, x, y), theta)
    return theta


def true_first_order(model, theta, batch, inner_lr, inner_steps):
    """Return the mean over the tasks of the query loss's numerical gradient at theta_k."""
    each = []
    for x, y, x_query, y_query in zip(*batch):
        end = descend_numerically(model, theta, x, y, inner_lr, inner_steps)
        each.append(complex_step(lambda t: model.loss(t, x_query, y_query), end))
    return np.mean(each, axis=0)


def true_reptile(model, theta, batch, inner_lr, inner_steps):
    """Return the mean over the tasks of (theta - theta_k) / inner_lr."""
    inner_loop = inner_lr, inner_steps
    ends = [descend_numerically(model, theta, x, y, *inner_loop) for x, y, *_ in zip(*batch)]
    return np.mean([(theta - end) / inner_lr for end in ends], axis=0)


def rates_cases(seed):
    """Yield the cases of exercise 6."""
    model, theta, batch = problem(seed)
    rates = np.random.default_rng([9, seed]).uniform(0.5, 1.5, theta.shape) * INNER_LR

    def loss_of(rates, n):  # a meta-loss whose rates may be complex
        ends = (descend_at_rates(model, theta, rates, x, y, n) for x, y, *_ in zip(*batch))
        return np.mean(
            [model.loss(end, *query) for end, query in zip(ends, zip(*batch[2:]))], axis=0
        )

    for n in (2, 3, 1):
        yield Case(
            count_steps(n),
            (model, theta, rates, batch, n),
            complex_step(lambda r: loss_of(r, n), rates),
            diagnosis.rates,
        )


def descend_at_rates(model, theta, rates, x, y, inner_steps):
    """Return theta_k of one task, each entry of theta at a rate of its own."""
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
            "Start at the output: delta = model.loss_fn.grad(tape.z[-1], y). Going back, a layer's "
            "W has the gradient h^T delta and its b the sum of delta over the points. Check the "
            "shapes: W is (d_in, d_out), h is (K, d_in), delta is (K, d_out).",
            "To the layer before: delta W^T is (K, d_in), and so is model.activation_fn.slope("
            "tape.z[l - 1]), the f'(z) of the layer that made tape.inputs[l]. The output has no "
            "slope, the input needs no delta. model.unpack(grad) gives views: assign to them with "
            "[...], and the values are in grad.",
        ),
    ),
    "02_hvp": Exercise(
        "hvp",
        hvp_cases,
        (
            "Differentiate each line of forward by the product rule: z = h W + b gives Rz = h V + "
            "Rh W + Vb, h' = f(z) gives Rh' = f'(z) Rz. The input does not move, so its Rh is 0. "
            "Keep every Rz and Rh: the backward pass needs them.",
            "Then each line of backward: gW = h^T delta gives Rh^T delta + h^T Rdelta, and "
            "delta_before = f'(z) (delta W^T) gives three terms, one of them f''(z) Rz "
            "(delta W^T). It starts with model.loss_fn.hvp(tape.z[-1], y, Rz[-1]).",
        ),
    ),
    "03_maml": Exercise(
        "maml_grad",
        meta_cases(true_maml, diagnosis.maml, (1, 2, 3, 0)),
        (
            "Take one task first: descend on its support points and keep every theta_s. "
            "Then v is the query gradient at theta_k.",
            "A step theta - alpha g(theta) has the Jacobian I - alpha H. The chain rule takes v "
            "back through the steps, last step first: "
            "v - alpha H v, with H that of the support loss at the theta_s where the step began. "
            "At the end, the mean over the tasks.",
        ),
    ),
    "04_first_order_maml": Exercise(
        "first_order_maml_grad",
        meta_cases(true_first_order, diagnosis.first_order, (1, 2, 3, 0)),
        (
            "First-order MAML says that theta_k does not depend on theta. Which lines of MAML "
            "exist only because it does?",
            "Without the backward pass through the steps, only theta_k is needed. Once that is "
            "right, running the file prints the numbers for the claims.",
        ),
    ),
    "05_reptile": Exercise(
        "reptile_grad",
        meta_cases(true_reptile, diagnosis.reptile, (3, 2, 1)),
        (
            "Descend on the support points of a task, from theta, for inner_steps steps. No query "
            "points, no second derivative.",
            "The optimiser subtracts what you return, so it points from theta_k to theta: (theta "
            "- theta_k) / alpha, the mean over the tasks. "
            "Each task starts from theta anew.",
        ),
    ),
    "06_meta_sgd": Exercise(
        "rates_grad",
        rates_cases,
        (
            "Write theta_s+1 = theta_s - alpha g_s for one parameter: how does it change with "
            "that parameter's alpha, theta_s being held? "
            "And how does the query loss change with theta_s+1?",
            "Let v be the query loss's gradient in theta_s+1. Step s adds -v g_s, entry by entry; "
            "then v goes back as in MAML, to v - H_s (alpha v). "
            "Which of the two comes first?",
        ),
    ),
}
