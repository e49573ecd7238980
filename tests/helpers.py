"""What several test files share: problems to try things on, and the check that a gradient has to
pass."""

import numpy as np
from hypothesis import strategies as st

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error

EXACT = 1e-9  # against the complex step, which is off by rounding alone: some 1e-15
# against central differences, which are off by about h^2 = 1e-10, and by rounding / h
NUMERICAL = 1e-6
WIDE = 1e-2  # what a wrong gradient has to exceed: ten million times what a right one may reach


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
    """A model, a theta (*replicas, P) and a TaskBatch (*lead, tasks, ...) of numbers that mean
    nothing."""
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
    """x (*lead, n, d_in) and y (*lead, n, d_out), in one-hot rows where the model classifies."""
    x, d = rng.standard_normal((*lead, n, model.sizes[0])), model.sizes[-1]
    if model.criterion == "cross_entropy":
        return x, np.eye(d)[rng.integers(d, size=(*lead, n))]
    return x, rng.standard_normal((*lead, n, d))


@st.composite
def structures(draw, activations=("relu", "tanh")):
    """Arguments for `problem`: Hypothesis draws what has a shape, and a seed for the numbers."""
    criterion = draw(st.sampled_from(["mse", "cross_entropy"]))
    hidden = draw(st.lists(st.integers(1, 4), max_size=3))
    # one class alone is always right: its gradient is zero, and a relative error has nothing to
    # measure
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
    """x and y of the first task's support set, without a tasks axis."""
    return batch.x_support[0], batch.y_support[0]


def true_meta_gradient(model, theta, batch, *inner_loop):
    """The gradient (P,) of the meta-loss by the complex step: it knows nothing of backward, rop or
    the chain rule."""
    return complex_step(lambda t: tm.meta_loss(model, t, batch, *inner_loop), theta)


def meta_gradient_error(gradient, model, theta, batch, *inner_loop):
    """The check that a MAML gradient has to pass, and that a wrong one has to fail."""
    return relative_error(gradient, true_meta_gradient(model, theta, batch, *inner_loop))


class WithoutSecondDerivative(tm.MLP):
    """A wrong hvp: differentiated as if f'' were 0, as it is for ReLU."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.activation_fn = self.activation_fn._replace(curvature=lambda z: 0)


# Every public function of numbers, under one signature: what they all promise is tested on all of
# them.
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
    """The arrays of a result that is one array or a tuple of them."""
    return result if isinstance(result, tuple) else (result,)
