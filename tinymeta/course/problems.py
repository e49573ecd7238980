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


class Case(NamedTuple):
    """One check of an answer, as arguments and the result that they should give: nothing that
    judges a result calls the answer."""

    exercise: str
    label: str
    arguments: tuple  # of the answer
    truth: np.ndarray  # the result that it should return
    related: tuple = ()  # further arguments, on which the explanation needs the answer's results


LOSSES = {"mse": "squared error", "cross_entropy": "cross-entropy"}


def network(seed, depth, activation, criterion):
    """Return a random generator, a model of `depth` layers with widths that all differ, and a theta
    (P,)."""
    rng = np.random.default_rng([7, *seed])
    widths = rng.permutation([2, 3, 4, 5, 6]).tolist()[: depth + 1]
    model = MLP(widths, activation, criterion)
    return rng, model, 2 * model.init(rng)  # out of tanh's linear middle, where f'' is nearly 0


def targets(rng, model, *shape):
    """Return random y (..., d_out), in one-hot rows for cross-entropy."""
    y = rng.standard_normal((*shape, model.sizes[-1]))
    return np.eye(model.sizes[-1])[y.argmax(-1)] if model.criterion == "cross_entropy" else y


def problem(seed, activation="tanh", criterion="mse", tasks=None, depth=None):
    """Return a model, a theta (P,) and a TaskBatch of random data; seed is a sequence of ints."""
    rng, model, theta = network(seed, depth or 3 + seed[0] % 2, activation, criterion)
    shots, query = rng.permutation([7, 8, 9])[:2].tolist()
    shape = tasks or int(rng.integers(4, 6)), shots + query
    x, y = rng.standard_normal((*shape, model.sizes[0])), targets(rng, model, *shape)
    return model, theta, TaskBatch(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])


# Exercises 1 and 2: every activation with every loss

NETWORKS = [(a, c) for c in LOSSES for a in ("tanh", "relu", "sigmoid", "softplus")]


def network_cases(seed):
    """Yield (label, arguments of exercise 1) for each activation and loss."""
    for i, (activation, criterion) in enumerate(NETWORKS):
        depth = 3 - (i + seed) % 2 + (i == 2)  # the first has three layers, on an even seed
        model, theta, (x, y, *_) = problem((seed, i), activation, criterion, 1, depth)
        label = f"{activation}, {LOSSES[criterion]}, {depth} layers, {count(y.shape[-1], 'output')}"
        yield label, (model, theta, x[0], y[0])


def backward_cases(seed):
    """Yield the cases of exercise 1."""
    for label, (model, theta, x, y) in network_cases(seed):
        truth = complex_step(lambda t: model.loss(t, x, y), theta)
        yield Case("01_backward", label, (model, theta, x, y), truth)


def hvp_cases(seed):
    """Yield the cases of exercise 2."""
    rng = np.random.default_rng([8, seed])
    for label, (model, theta, x, y) in network_cases(seed):
        v = rng.standard_normal(theta.shape)
        truth = complex_step(lambda t: model.grad(t, x, y), theta, v)
        yield Case("02_hvp", label, (model, theta, x, y, v), truth)


# Exercises 3 to 6: meta-gradients

SETTINGS = (  # inner steps, tasks, activation, criterion: what is right in some has one in common
    (1, 5, "tanh", "mse"),
    (2, 4, "sigmoid", "cross_entropy"),
    (5, 3, "softplus", "cross_entropy"),
    (0, 4, "softplus", "mse"),
    (2, 1, "tanh", "mse"),
    (3, 5, "relu", "cross_entropy"),
)


def count(n, thing):
    """Return how many there are of a thing, in words."""
    return f"{n} {thing}{'s' * (n != 1)}"


def meta_problems(seed):
    """Yield (label, (model, theta, batch, inner_lr, inner_steps)): another rate, number of steps
    and tasks, network and loss each time."""
    rates = np.random.default_rng([9, seed]).permutation(np.geomspace(0.05, 0.3, len(SETTINGS)))
    for i, (steps, tasks, *kind) in enumerate(SETTINGS):
        model, theta, batch = problem((seed, i), *kind, tasks + seed % 2 * (tasks > 1))
        label = f"{count(steps, 'inner step')}, {count(len(batch[0]), 'task')}, {kind[0]}, "
        yield label + LOSSES[kind[1]], (model, theta, batch, float(rates[i]), steps)


def meta_cases(exercise, truth):
    """Return a function that yields the cases of a meta-gradient, of which
    truth(model, theta, batch, inner_lr, inner_steps) is the right result."""

    def cases(seed):
        for label, arguments in meta_problems(seed):
            yield Case(exercise, label, arguments, truth(*arguments), one_by_one(arguments))

    return cases


def one_by_one(arguments):
    """Return the arguments with the batch cut down to each of its tasks, if there are several."""
    (i,) = (i for i, argument in enumerate(arguments) if isinstance(argument, TaskBatch))
    alone = [*arguments[i].split_tasks(1)]
    return tuple((*arguments[:i], one, *arguments[i + 1 :]) for one in alone if len(alone) > 1)


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
    rng = np.random.default_rng([10, seed])
    for label, (model, theta, batch, inner_lr, inner_steps) in meta_problems(seed):
        rates = rng.uniform(0.5, 1.5, theta.shape) * inner_lr

        def loss_of(rates):  # a meta-loss whose rates may be complex
            end = theta
            for _ in range(inner_steps):
                end = end - rates * model.grad(end, batch.x_support, batch.y_support)
            end = end + 0 * rates + np.zeros((len(batch[0]), 1))
            return model.loss(end, batch.x_query, batch.y_query).mean()

        arguments = model, theta, rates, batch, inner_steps
        truth = complex_step(loss_of, rates)
        yield Case("06_meta_sgd", label, arguments, truth, one_by_one(arguments))


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
        meta_cases("03_maml", true_maml),
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
        meta_cases("04_first_order_maml", true_first_order),
        (
            "First-order MAML says that theta_k does not depend on theta. Which lines of MAML "
            "exist only because it does?",
            "Without the backward pass through the steps, only theta_k is needed. Once that is "
            "right, running the file prints the numbers for the claims.",
        ),
    ),
    "05_reptile": Exercise(
        "reptile_grad",
        meta_cases("05_reptile", true_reptile),
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
