"""Parts that several test files share: random problems, the check that a gradient has to pass, and
samples of long products of parameters."""

import itertools

import numpy as np
from hypothesis import strategies as st

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error

EXACT = 1e-9  # against the complex step, which is off by rounding alone: about 1e-15
# against central differences, which are off by about h^2 = 1e-10 and by rounding / h
NUMERICAL = 1e-6
WIDE = 1e-2  # the error of a wrong gradient has to exceed this: ten million times EXACT


def problem(
    seed=0,
    sizes=(2, 5, 4, 2),
    activation="tanh",
    criterion="mse",
    replicas=(),
    lead=(),
    tasks=3,
    shots=5,
    query=4,
):
    """Return a model, a theta (*replicas, P) and a TaskBatch (*lead, tasks, ...) of random data."""
    rng = np.random.default_rng(seed)
    model = tm.MLP(sizes, activation, criterion)
    theta = np.empty((*replicas, model.n_params))
    for replica in np.ndindex(*replicas):
        theta[replica] = model.init(rng)
    return (
        model,
        theta,
        tm.TaskBatch(
            *points(rng, model, (*lead, tasks), shots), *points(rng, model, (*lead, tasks), query)
        ),
    )


def points(rng, model, lead, n):
    """Return random x (*lead, n, d_in) and y (*lead, n, d_out), one-hot rows for a classifier; with
    weights of either sign as the last column, if the criterion takes them."""
    x, d = rng.standard_normal((*lead, n, model.sizes[0])), model.sizes[-1]
    if model.criterion.endswith("cross_entropy"):
        y = np.eye(d)[rng.integers(d, size=(*lead, n))]
    else:
        y = rng.standard_normal((*lead, n, d))
    more = getattr(model.loss_fn, "columns", 0)
    return x, np.concatenate((y, rng.standard_normal((*lead, n, more))), axis=-1)


@st.composite
def structures(draw, activations=("relu", "tanh", "sigmoid", "softplus")):
    """Return arguments for `problem`: Hypothesis draws the sizes, and a seed for the numbers."""
    criterion = draw(st.sampled_from(["mse", "cross_entropy"]))
    hidden = draw(st.lists(st.integers(1, 4), max_size=3))
    # with a single class the gradient is zero, and a relative error has nothing to measure
    outputs = draw(st.integers(2 if criterion == "cross_entropy" else 1, 3))
    return dict(
        seed=draw(st.integers(0, 2**32 - 1)),
        sizes=(draw(st.integers(1, 3)), *hidden, outputs),
        activation=draw(st.sampled_from(activations)),
        criterion=criterion,
        tasks=draw(st.integers(1, 3)),
        shots=draw(st.integers(1, 5)),
        query=draw(st.integers(1, 4)),
    )


def first_task(batch):
    """Return x and y of the first task's support set, without a tasks axis."""
    return batch.x_support[0], batch.y_support[0]


def true_meta_gradient(model, theta, batch, *inner_loop):
    """Return the gradient (P,) of the meta-loss by the complex step, which uses neither backward,
    nor rop, nor the chain rule."""
    return complex_step(lambda t: tm.meta_loss(model, t, batch, *inner_loop), theta)


def meta_gradient_error(gradient, model, theta, batch, *inner_loop):
    """Return the relative error of a meta-gradient: at most EXACT if it is right, above WIDE if it
    is wrong."""
    return relative_error(gradient, true_meta_gradient(model, theta, batch, *inner_loop))


class WithoutSecondDerivative(tm.MLP):
    """Compute a wrong hvp, as if f'' were 0 for every activation."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.activation_fn = self.activation_fn._replace(curvature=lambda z: 0)


# Every public function of arrays under one signature, to test the promises that all of them make.
PUBLIC = {
    "predict": lambda model, theta, batch: model.predict(theta, batch.x_support[0]),
    "loss": lambda model, theta, batch: model.loss(theta, *first_task(batch)),
    "grad": lambda model, theta, batch: model.grad(theta, *first_task(batch)),
    "hvp": lambda model, theta, batch: model.hvp(theta, *first_task(batch), theta),
    "adapt": lambda model, theta, batch: tm.adapt(
        model, theta, batch.x_support, batch.y_support, 0.1, 2
    ),
    "adapt by no step": lambda model, theta, batch: tm.adapt(
        model, theta, batch.x_support, batch.y_support, 0.1, 0
    ),
    "joint_grad": lambda model, theta, batch: tm.joint_grad(model, theta, batch, 0.1, 2),
    "fomaml_grad": lambda model, theta, batch: tm.fomaml_grad(model, theta, batch, 0.1, 2),
    "maml_grad": lambda model, theta, batch: tm.maml_grad(model, theta, batch, 0.1, 2),
    "reptile_grad": lambda model, theta, batch: tm.reptile_grad(model, theta, batch, 0.1, 2),
    "reptile_grad of no step": lambda model, theta, batch: tm.reptile_grad(
        model, theta, batch, 0.1, 0
    ),
    "meta_loss": lambda model, theta, batch: tm.meta_loss(model, theta, batch, 0.1, 2),
    "adaptation_curve": lambda model, theta, batch: tm.adaptation_curve(
        model, theta, batch, 0.1, 2
    ),
    "SGD": lambda model, theta, batch: tm.SGD(0.1).step(theta, theta),
    "Adam": lambda model, theta, batch: tm.Adam().step(theta, theta),
}
METHODS = (tm.joint_grad, tm.fomaml_grad, tm.maml_grad, tm.reptile_grad)


def arrays(result):
    """Return the arrays of a result that is one array or a tuple of them."""
    return result if isinstance(result, tuple) else (result,)


def each_once(*factors):
    """Return as many rows as the longest factor has values, with every value of every factor: the
    shorter factors start again. For factors that do not interact."""
    longest = max(map(len, factors))
    return [tuple(factor[i % len(factor)] for factor in factors) for i in range(longest)]


def pairwise(*factors):
    """Return rows with every combination of two values of two factors, far fewer than the product
    of all factors has: always the row next that has most of the missing combinations."""

    def pairs(row):
        return set(itertools.combinations(enumerate(row), 2))

    product = [*itertools.product(*(range(len(factor)) for factor in factors))]
    missing, rows = set().union(*map(pairs, product)), []
    while missing:
        rows.append(max(product, key=lambda row: len(pairs(row) & missing)))
        missing -= pairs(rows[-1])
    return [tuple(factor[i] for factor, i in zip(factors, row)) for row in rows]
