"""The problems that the exercises are checked on: arguments, the right result by numerical
derivatives, and hints.

The cases of a problem differ in all that an answer might have written in: activation and loss,
depth and widths, the inner rate, the numbers of steps, tasks and points. Within a case, widths and
numbers of points differ: a transposed array does not fit, and an array of another layer, or a
division by another number, shows."""

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..checks import TINY, complex_step
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


def network(seed, depth, activation, criterion, square=False):
    """Return a random generator, a model of `depth` layers with widths that all differ, or whose
    second one is as wide as the first, and a theta (P,)."""
    rng = np.random.default_rng([7, *seed])
    widths = rng.permutation([2, 3, 4, 5, 6]).tolist()[: depth + 1]
    widths[2] = widths[1] if square else widths[2]
    model = MLP(widths, activation, criterion)
    return rng, model, 2 * model.init(rng)  # out of tanh's linear middle, where f'' is nearly 0


def targets(rng, model, *shape):
    """Return random y (..., d_out), in one-hot rows for cross-entropy."""
    y = rng.standard_normal((*shape, model.sizes[-1]))
    return np.eye(model.sizes[-1])[y.argmax(-1)] if model.criterion == "cross_entropy" else y


def problem(seed, activation="tanh", criterion="mse", tasks=None, depth=None, square=False):
    """Return a model, a theta (P,) and a TaskBatch of random data; seed is a sequence of ints."""
    rng, model, theta = network(seed, depth or 3 + seed[0] % 2, activation, criterion, square)
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
        square = i == 5  # in one network W fits where W^T belongs
        for again in itertools.count():  # until in each layer some ReLU is not 0
            data = problem(
                (seed, i, *[again] * (again > 0)), activation, criterion, 1, depth, square
            )
            model, theta, (x, y, *_) = data
            if all(h.any() for h in model.forward(theta, x[0]).inputs):
                break
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
    (3, 5, "relu", "mse"),
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


def numerical_grad(model, theta, x, y):
    """Return the numerical gradient of the loss of each task (T, P), by complex steps side by
    side."""
    along = theta[:, None] + 1j * TINY * np.eye(theta.shape[-1])
    return model.loss(along, x[:, None], y[:, None]).imag / TINY


def descend_numerically(model, theta, batch, inner_lr, inner_steps):
    """Return theta_k of each task (T, P), by the numerical gradient of its loss."""
    theta = np.tile(theta, (len(batch.x_support), 1))
    for _ in range(inner_steps):
        theta = theta - inner_lr * numerical_grad(model, theta, *batch[:2])
    return theta


def true_first_order(model, theta, batch, inner_lr, inner_steps):
    """Return the mean over the tasks of the query loss's numerical gradient at theta_k."""
    ends = descend_numerically(model, theta, batch, inner_lr, inner_steps)
    return numerical_grad(model, ends, *batch[2:]).mean(axis=0)


def true_reptile(model, theta, batch, inner_lr, inner_steps):
    """Return the mean over the tasks of (theta - theta_k) / inner_lr."""
    ends = descend_numerically(model, theta, batch, inner_lr, inner_steps)
    return (theta - ends).mean(axis=0) / inner_lr


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


# Exercise 8: an activation, as its value, slope and curvature


def swish(z, beta):
    """Return z / (1 + exp(-beta z)) for complex z, with no exponential above 1."""
    e = np.exp(-beta * np.where(z.real < 0, -z, z))
    return np.where(z.real < 0, z * e, z) / (1 + e)


def with_derivatives(f, z, radius):
    """Return f, f' and f'' at each z, by Cauchy's integrals: means of f over a circle around z,
    within which it has no pole. They are exact to rounding, as a complex step is, and need no more
    than f itself."""
    circle = np.exp(2j * np.pi * np.arange(64) / 64)
    values = f(z[..., None] + radius * circle)
    means = [(values / (radius * circle) ** n).mean(-1) for n in range(3)]
    found = np.stack((means[0], means[1], 2 * means[2]))
    return found if z.dtype.kind == "c" else found.real


def layer_cases(seed):
    """Yield the cases of exercise 8."""
    rng = np.random.default_rng([11, seed])
    kinds = {
        "one z": rng.standard_normal(1),
        "a layer's z": 2 * rng.standard_normal((7, 4)),
        # the nearest pole is at pi i / beta
        "complex z": rng.standard_normal((3, 2, 5)) + 0.6j * rng.uniform(-1, 1, (3, 2, 5)),
        "z up to 30": np.array([-30.0, -15.0, -9.0, -5.0, -2.0, 2.0, 5.0, 9.0, 15.0, 30.0]),
        "large z": np.array([-3000.0, -40.0, 0.0, 0.3, 40.0, 3000.0]),
    }
    one, other = rng.permutation([0.4, 0.7, 1.3, 1.7]).tolist()[:2]
    betas = one, other, one, one, other  # each with one that more than one kind has
    kinds = [*zip(kinds.items(), betas), (("a layer's z", kinds["a layer's z"]), 1.0)]
    for (kind, z), beta in kinds:
        truth = with_derivatives(lambda z, beta=beta: swish(z, beta), z, 1 / beta)
        yield Case("08_own_layer", f"{kind}, beta {beta:g}", (z, beta), truth)


# Exercise 9: the gradient through a weighted ridge regression


def head_loss(F, y, c, lam, F_q, y_q):
    """Return the query loss of the head that is solved for."""
    A = F.T @ (c[:, None] * F) + lam * np.eye(F.shape[1])
    w = np.linalg.solve(A, F.T @ (c[:, None] * y))
    return np.mean((F_q @ w - y_q) ** 2)


def head_cases(seed):
    """Yield the cases of exercise 9."""
    rng = np.random.default_rng([12, seed])
    for K, D, d_out, lam in ((6, 4, 1, 0.5), (3, 5, 2, 2.0), (7, 3, 3, 0.5), (4, 4, 1, 2.0)):
        Q = int(rng.integers(8, 11))
        shapes = (K, D), (K, d_out), (Q, D), (Q, d_out)
        F, y, F_q, y_q = (rng.standard_normal(shape) for shape in shapes)
        c = rng.uniform(0.3, 3.0, K) * (np.arange(K) != 6)  # one weight is 0: no 1 / c
        rest = y, c, lam, F_q, y_q
        truth = complex_step(lambda F, rest=rest: head_loss(F, *rest), F)
        label = f"{count(d_out, 'output')}, lam {lam:g}, {K} points x {D} features"
        yield Case("09_solve_the_head", label, (F, *rest), truth)


@functools.cache
def memory(make, seed):
    """Return the cases of a seed as they are still to be made, and a list for those that are."""
    return make(seed), []


class Exercise(NamedTuple):
    """The name of the function to write, a function of a seed that yields the cases, and hints, the
    last of which is the formula."""

    answer: str
    make: Callable
    hints: tuple

    def cases(self, seed):
        """Yield the cases of a seed. Their arrays are shared: who runs an answer copies them."""
        to_come, made = memory(self.make, seed)
        for i in itertools.count():
            if i == len(made):
                made.extend(itertools.islice(to_come, 1))
            if i == len(made):
                return
            yield made[i]


EXERCISES = {
    "01_backward": Exercise(
        "backward",
        backward_cases,
        (
            "Start at the output, where there is no f: delta is the derivative of the loss with "
            "respect to z, and model.loss_fn.grad(tape.z[-1], y) is it. Then go from the last "
            "layer to the first.",
            "A layer's z = h W + b. Each point adds to every entry of W and of b: check the "
            "shapes. W is (d_in, d_out), h is (K, d_in), delta is (K, d_out); which product of "
            "the last two has the first one's shape?",
            "To the layer before: z reaches the loss through h = f(z) of the layer before, so "
            "first back through W, (K, d_out) to (K, d_in), then through f, entry by entry, at "
            "the z that h was made from. The input needs no delta.",
            "gW = h^T delta, gb = the sum of delta over the points, and for the layer before "
            "delta = (delta W^T) f'(z), where z is that layer's.",
        ),
    ),
    "02_hvp": Exercise(
        "hvp",
        hvp_cases,
        (
            "Write down every line of forward and of backward, and below each its R, by the "
            "product rule. What does not move with theta (x, y) has R = 0. There are two loops, "
            "as in the gradient: one forward, which keeps each Rz and Rh, and one back.",
            "Forward: z = h W + b is a product and a sum, so Rz has three terms; h' = f(z) has "
            "one. At the output, Rdelta = model.loss_fn.hvp(tape.z[-1], y, Rz).",
            "Back: gW = h^T delta has two terms, gb one. delta_before = f'(z) (delta W^T) is a "
            "product of three things that move, so it has three terms; the derivative of f'(z) is"
            " f''(z) Rz.",
            "Rz = h V + Rh W + Vb; Rh' = f'(z) Rz; RgW = Rh^T delta + h^T Rdelta; Rgb = the sum "
            "of Rdelta over the points; Rdelta_before = f'(z) (Rdelta W^T + delta V^T) + f''(z) "
            "Rz (delta W^T).",
        ),
    ),
    "03_maml": Exercise(
        "maml_grad",
        meta_cases("03_maml", true_maml),
        (
            "Take one task first, and one step: theta_1 = theta - alpha g(theta). How does the "
            "query loss at theta_1 change when theta does? Through theta, and through g(theta).",
            "Descend on the support points and keep every theta_s: the way back needs them. It "
            "starts from v, the query gradient at theta_k, and ends at theta.",
            "The step from theta_s has the Jacobian I - alpha H, with H the Hessian of the "
            "support loss at theta_s. The chain rule multiplies v by each of them, the last "
            "step's first. A product of H and a vector is all that is needed, never H. Then the "
            "mean over tasks.",
            "v = q(theta_k); for s = k-1, ..., 0: v <- v - alpha H(theta_s) v.",
        ),
    ),
    "04_first_order_maml": Exercise(
        "first_order_maml_grad",
        meta_cases("04_first_order_maml", true_first_order),
        (
            "First-order MAML says that theta_k does not depend on theta. Which lines of MAML "
            "exist only because it does?",
            "Without the way back, which of the theta_s is still needed?",
            "For the claims: with how many inner steps are the two the same? Once the function is"
            " right, running the file prints the numbers.",
            "The mean over the tasks of q(theta_k), the query gradient after the last step.",
        ),
    ),
    "05_reptile": Exercise(
        "reptile_grad",
        meta_cases("05_reptile", true_reptile),
        (
            "Descend on the support points of a task, from theta, for inner_steps steps. No query"
            " points, no second derivative. Each task starts from theta anew.",
            "What is returned stands where a gradient does: an optimiser subtracts it. So it has "
            "to point from theta_k to theta, or theta would move away from theta_k.",
            "Divide by alpha: a longer step is no stronger reason. What is the displacement of "
            "one step, divided by alpha? And of several? With none it is 0, of theta's shape.",
            "The mean over the tasks of (theta - theta_k) / alpha = g_0 + ... + g_k-1.",
        ),
    ),
    "06_meta_sgd": Exercise(
        "rates_grad",
        rates_cases,
        (
            "Write theta_s+1 = theta_s - alpha g_s for one parameter. With theta_s held, how does"
            " theta_s+1 change with that parameter's alpha?",
            "And how does the query loss change with theta_s+1? That is a vector v_s+1; for the "
            "last step it is the query gradient at theta_k. Their product, entry by entry, is the"
            " part of step s, and alpha is in every step.",
            "v goes back through a step as in MAML, but the rates differ from entry to entry: "
            "alpha multiplies v before the Hessian does. Step s needs v as it is after the step, "
            "so first take its part, then take v back.",
            "For s = k-1, ..., 0: the sum gets -v g_s, then v <- v - H(theta_s) (alpha v).",
        ),
    ),
    "08_own_layer": Exercise(
        "swish",
        layer_cases,
        (
            "Call s = 1 / (1 + exp(-beta z)). Then f = z s: a product, and s has a derivative "
            "that can be written with s alone.",
            "With u = exp(-beta z), s = 1 / (1 + u) and u' = -beta u. What is s' in terms of s "
            "and beta? Each derivative in z brings out one beta.",
            "f' is the product rule once, f'' twice. For large z: exp(1000) is inf, and inf / inf"
            " is nan, but 1 / (1 + inf) is 0. np.exp takes complex numbers as they are.",
            "s' = beta s (1 - s); f' = s + z s'; f'' = 2 s' + z s'', with s'' = beta s' (1 - 2 s).",
        ),
    ),
    "09_solve_the_head": Exercise(
        "features_grad",
        head_cases,
        (
            "Start from A w = F^T C y, with A = F^T C F + lam I: no inverse needs to be "
            "differentiated. Let F change by dF, and write down what becomes of both sides; c, y "
            "and lam do not move.",
            "dA w + A dw = dF^T C y, with dA = dF^T C F + F^T C dF. Solve for dw. Then dL = the "
            "sum over all entries of g_w dw, with g_w = F_q^T g and g the loss's gradient with "
            "respect to the outputs F_q w, a mean over points and outputs.",
            "A^-1 is symmetric: it can be moved from dw to g_w. Call u = A^-1 g_w, (D, d_out). "
            "What is left is linear in dF: what is each entry of dF multiplied by? A term such as"
            " the sum of u (dF^T B), entry by entry, is the sum of dF (B u^T).",
            "C (y - F w) u^T - C F u w^T.",
        ),
    ),
}
