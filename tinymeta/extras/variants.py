"""Variants of MAML that reuse its recursion: learned rates, rates of zero, losses after every step,
and an implicit gradient.

    Meta-SGD    a rate for each parameter, learned with theta     meta_sgd_grad, MetaSGDModel,
                (and its first-order version)                     first_order_meta_sgd_grad,
                                                                  AdamWithRates
    ANIL, BOIL  maml_grad with a rate of zero on the body or the head   rates_by_part
    multi-step  query losses after every inner step, weighted: the      multi_step_grad
    loss        loss of MAML++, which anneals the weights and adds more
    iMAML       descend to a minimum near theta, and differentiate
                its optimality condition, not the trajectory            imaml_grad
    same points Reptile on as many points as MAML sees                  on_all_points

Their meta-gradients take and return what the four of tinymeta.meta do. Shapes: see the legend in
tinymeta.mlp. The functions that make a meta-gradient return objects that can be copied and
pickled, and so sent to another process."""

import functools
import math
import numbers
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import _validate
from ..meta import inner_batches, inner_loop, mean_over_tasks
from ..mlp import MLP
from ..optimizers import Adam


def is_real(value):
    """Return whether the value is one finite real number, and not a bool."""
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, (bool, np.bool_))
        and math.isfinite(value)
    )


class RatesTape(NamedTuple):
    """The values of an inner step that `MetaSGDModel.rop` needs."""

    tape: Any  # of the network
    grad: np.ndarray  # g (..., P)
    rates: np.ndarray  # (..., P)


class RatesStep:
    """The direction of an inner step, (rates g, 0), as `grad` (..., 2 P), and its tape."""

    __slots__ = ("backprop", "grad", "tape")

    def __init__(self, backprop, grad, tape):
        self.backprop, self.grad, self.tape = backprop, grad, tape

    @property
    def loss(self):
        return self.backprop.loss


class MetaSGDModel:
    """A network whose parameters phi are theta and a learned rate for each of its entries.

    It follows the protocol "model", which is all that the package asks of one:

        sizes, criterion, n_params     for the checks of shapes
        forward(phi, x)                layers, h and z; z[-1] is the output
        backprop(phi, x, y)            an inner step: `.grad`, its direction; `.loss`; `.tape`
        rop(tape, v)                   the Jacobian of that direction, transposed, times v
        loss_and_grad(phi, x, y)       the loss and its gradient in phi
        loss_fn                        the triple (value, grad, hvp) of the loss
        init, unpack, predict, loss, grad, hvp     for users

    For an MLP the direction of an inner step is the gradient, and its Jacobian the Hessian. Here
    the direction is (rates g, 0), so that with `inner_lr=1` theta descends at the learned rates and
    the rates stay: `adapt`, `adaptation_curve`, `meta_loss`, `maml_grad` and `autopsy.examine` take
    the model as it is, and `maml_grad` gives Meta-SGD's gradient. Another inner_lr multiplies the
    learned rates. `fomaml_grad` gives first-order MAML's gradient in theta and 0 in the rates,
    which do not learn from it: `first_order_meta_sgd_grad` trains both.

    Parameters
    ----------
    model : MLP

    Examples
    --------
    >>> from tinymeta import MLP, adapt
    >>> learned = MetaSGDModel(MLP([1, 1]))
    >>> phi = learned.join([0.0, 0.0], inner_lr=[0.5, 0.0])  # W learns, b does not
    >>> adapted = adapt(learned, phi, [[[1.0]]], [[[2.0]]], inner_lr=1, inner_steps=1)
    >>> adapted.tolist()  # the gradient was (-4, -4)
    [[2.0, 0.0, 0.5, 0.0]]

    Source: Li et al. 2017, "Meta-SGD".
    """

    def __init__(self, model):
        if not isinstance(model, MLP):
            raise TypeError(f"model: expected a network, such as MLP([1, 40, 1]); got {model!r}")
        self.model, self.sizes, self.criterion = model, model.sizes, model.criterion
        self.loss_fn, self.n_params = model.loss_fn, 2 * model.n_params

    def __repr__(self):
        return f"MetaSGDModel({self.model!r})"

    def __eq__(self, other):
        return isinstance(other, MetaSGDModel) and self.model == other.model

    def __hash__(self):
        return hash(repr(self))

    @property
    def activation(self):
        raise ValueError(
            "model: a file holds the parameters of an MLP, not of a MetaSGDModel; save "
            "learned.model with np.stack(learned.split(phi)), which is theta and its rates"
        )

    def join(self, theta, inner_lr):
        """Return phi (..., 2 P) from theta (..., P) and rates that broadcast against it, in theta's
        dtype (float64 for whole numbers)."""
        theta = _validate.as_theta(self.model, theta)
        rates = _validate.as_numbers("inner_lr", inner_lr, theta.dtype)
        return np.concatenate((theta, np.broadcast_to(rates, theta.shape)), axis=-1)

    def split(self, phi):
        """Return theta and its rates, each (..., P), as views of phi."""
        return phi[..., : self.model.n_params], phi[..., self.model.n_params :]

    def init(self, rng, dtype=np.float64, scheme="uniform", inner_lr=0.01):
        """Return a fresh phi (2 P,): theta as `MLP.init` draws it, and every rate inner_lr."""
        return self.join(self.model.init(rng, dtype, scheme), inner_lr)

    def unpack(self, phi):
        """Return the (W, b) of theta, layer by layer, and then those of the rates, as views."""
        theta, rates = self.split(phi)
        return self.model.unpack(theta) + self.model.unpack(rates)

    def forward(self, phi, x):
        """Run the network at theta: the rates play no part."""
        return self.model.forward(self.split(phi)[0], x)

    def backprop(self, phi, x, y):
        """Return an inner step: the direction (rates g, 0), loss and tape."""
        theta, rates = self.split(phi)
        step = self.model.backprop(theta, x, y)
        direction = np.concatenate((rates * step.grad, np.zeros_like(step.grad)), axis=-1)
        return RatesStep(step, direction, RatesTape(step.tape, step.grad, rates))

    def rop(self, tape, v):
        """Return the Jacobian of (rates g, 0), transposed, times v (..., 2 P): H (rates v) in theta
        and g v in the rates, where v is the half that belongs to theta."""
        v = self.split(v)[0]
        return np.concatenate((self.model.rop(tape.tape, tape.rates * v), tape.grad * v), axis=-1)

    def loss_and_grad(self, phi, x, y):
        """Return the loss (...) and its gradient (..., 2 P), which is 0 in the rates."""
        loss, grad = self.model.loss_and_grad(self.split(phi)[0], x, y)
        return loss, np.concatenate((grad, np.zeros_like(grad)), axis=-1)

    def predict(self, phi, x):
        """Return the outputs of the network at theta; see `MLP.predict`."""
        return self.model.predict(self.split(_validate.as_theta(self, phi))[0], x)

    def loss(self, phi, x, y):
        """Return the loss of the network at theta; see `MLP.loss`."""
        return self.model.loss(self.split(_validate.as_theta(self, phi))[0], x, y)

    def grad(self, phi, x, y):
        """Return the gradient (..., 2 P) of `loss` with respect to phi, which is 0 in the rates."""
        grad = self.model.grad(self.split(_validate.as_theta(self, phi))[0], x, y)
        return np.concatenate((grad, np.zeros_like(grad)), axis=-1)

    def hvp(self, phi, x, y, v):
        """Return the Hessian of `loss` times v, each (..., 2 P), which is 0 in the rates."""
        theta = self.split(_validate.as_theta(self, phi))[0]
        product = self.model.hvp(theta, x, y, self.split(_validate.as_theta(self, v, "v"))[0])
        return np.concatenate((product, np.zeros_like(product)), axis=-1)


def check_learned(model):
    """Refuse a model without learned rates."""
    if not isinstance(model, MetaSGDModel):
        raise TypeError(
            f"learned: expected a MetaSGDModel, such as MetaSGDModel(model); got {model!r}"
        )


class AdamWithRates:
    """Adam on theta, and an Adam of its own on the rates, after which no rate is below `least`.

    Parameters
    ----------
    model : MetaSGDModel
    lr, rates_lr : float
        The rates of the two optimisers, of theta and of its rates.
    least : float
        The lowest rate allowed; by default rates may become negative.
    """

    def __init__(self, model, lr=1e-3, rates_lr=1e-4, least=-np.inf):
        check_learned(model)
        if not (least == -np.inf or is_real(least)):
            raise ValueError(f"least: expected a finite number, or -inf; got {least!r}")
        self.model, self.least = model, least
        self.on_theta, self.on_rates = Adam(lr), Adam(rates_lr)

    def step(self, phi, grad):
        """Return phi (..., 2 P) after one step."""
        (theta, rates), (g_theta, g_rates) = self.model.split(phi), self.model.split(grad)
        rates = np.maximum(self.on_rates.step(rates, g_rates), self.least).astype(rates.dtype)
        return self.model.join(self.on_theta.step(theta, g_theta), rates)


@mean_over_tasks
def _meta_sgd_grad(learned, phi, batch, inner_lr, inner_steps, minibatch):
    """Return the query loss after adaptation and its gradient in theta and in its rates."""
    model, (theta, rates) = learned.model, learned.split(phi)
    support, steps, rates_grad = (batch.x_support, batch.y_support), [], 0.0
    loop = inner_loop(model, theta, *support, rates, inner_steps, minibatch, keep_grad=True)
    for theta, step in loop:
        steps.append(step)
    loss, v = model.loss_and_grad(theta, batch.x_query, batch.y_query)
    for step in reversed(steps):
        rates_grad = rates_grad - v * step.grad
        v = v - model.rop(step.tape, rates * v)
    return loss, np.concatenate((v, rates_grad + np.zeros_like(v)), axis=-1)


def meta_sgd_grad(learned, phi, batch, inner_lr=None, inner_steps=1, minibatch=None):
    """Return the query loss after adaptation at the learned rates and its exact gradient in theta
    and in the rates.

    A step  theta_s+1 = theta_s - alpha g_s  depends on the rates alpha as well: each step adds
    -v_s+1 g_s  to their gradient, entry by entry.

    Parameters
    ----------
    learned : MetaSGDModel
    phi : array (..., 2 P)
        theta and its rates; see `MetaSGDModel.join`.
    batch : TaskBatch
    inner_lr : ignored
        The rates are in phi. It is there for `meta_train`, which passes one.
    inner_steps, minibatch
        As in `maml_grad`.

    Returns
    -------
    loss : array (...)
    grad : array (..., 2 P)

    Raises
    ------
    TypeError
        If the model has no learned rates.
    ValueError
        As `maml_grad`.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, maml_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1], "tanh")
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> learned = MetaSGDModel(model)
    >>> _, grad = meta_sgd_grad(learned, learned.join(theta, 0.1), batch, inner_steps=2)
    >>> in_theta, in_rates = learned.split(grad)
    >>> np.allclose(in_theta, maml_grad(model, theta, batch, 0.1, 2)[1])  # equal rates: MAML
    True

    Source: Li et al. 2017, algorithm 1.
    """
    check_learned(learned)
    return _meta_sgd_grad(learned, phi, batch, 1.0, inner_steps, minibatch)


@mean_over_tasks
def _first_order_meta_sgd_grad(learned, phi, batch, inner_lr, inner_steps, minibatch):
    """Return the query loss and the same gradients with v = q at every step."""
    model, (theta, rates) = learned.model, learned.split(phi)
    support, total = (batch.x_support, batch.y_support), 0.0
    loop = inner_loop(model, theta, *support, rates, inner_steps, minibatch, keep_grad=True)
    for theta, step in loop:
        total = total + step.grad
        del step
    loss, q = model.loss_and_grad(theta, batch.x_query, batch.y_query)
    return loss, np.concatenate((q, -q * total), axis=-1)


def first_order_meta_sgd_grad(learned, phi, batch, inner_lr=None, inner_steps=1, minibatch=None):
    """Return the query loss after adaptation and Meta-SGD's gradient without second derivatives: q
    in theta, as in `fomaml_grad`, and -q (g_0 + ... + g_k-1) in the rates, entry by entry.

    Parameters, returns and errors are those of `meta_sgd_grad`.
    """
    check_learned(learned)
    return _first_order_meta_sgd_grad(learned, phi, batch, 1.0, inner_steps, minibatch)


def _merged_grad(meta_grad, model, theta, batch, *inner_loop, **options):
    """Return meta_grad of a batch whose query points are support points too."""
    return meta_grad(model, theta, batch.merge_support_query(), *inner_loop, **options)


def check_meta_grad(meta_grad):
    """Refuse a value that cannot be called."""
    if not callable(meta_grad):
        raise TypeError(f"meta_grad: expected a function such as reptile_grad; got {meta_grad!r}")


def on_all_points(meta_grad):
    """Return the meta-gradient with a batch's query points among its support points.

    It is for `joint_grad` and `reptile_grad`, which have no query set, so that they learn from as
    many points as MAML does.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, joint_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5, query=15)
    >>> loss, _ = on_all_points(joint_grad)(model, theta, batch, inner_lr=0.1)
    >>> x, y = batch.merge_support_query()[:2]  # 20 points per task
    >>> np.allclose(loss, model.loss(theta, x, y).mean())
    True
    """
    check_meta_grad(meta_grad)
    return functools.partial(_merged_grad, meta_grad)


def rates_by_part(model, body, head):
    """Return rates (P,) for `maml_grad` and `adaptation_curve`: `head` on the last layer, `body` on
    the layers before it.

    body = 0 is ANIL (Raghu et al. 2020), head = 0 is BOIL (Oh et al. 2021).

    Examples
    --------
    >>> from tinymeta import MLP
    >>> rates_by_part(MLP([1, 2, 1]), body=0.0, head=0.1).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1]
    """
    for name, rate in {"body": body, "head": head}.items():
        if not is_real(rate) or rate < 0:
            raise ValueError(f"{name}: expected a finite rate of at least 0; got {rate!r}")
    rates = np.full(model.n_params, float(body))
    for part in model.unpack(rates)[-1]:
        part[...] = head
    return rates


@dataclass(frozen=True)
class MultiStepGrad:
    """The meta-gradient that `multi_step_grad` returns."""

    weights: tuple

    def __call__(self, model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        if inner_steps != len(self.weights):
            raise ValueError(
                f"inner_steps: expected {len(self.weights)}, as there are as many weights; got "
                f"{inner_steps}"
            )
        meta_grad = mean_over_tasks(self.algorithm)
        return meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch)

    def algorithm(self, model, theta, batch, inner_lr, inner_steps, minibatch):
        support, tapes, queries = (batch.x_support, batch.y_support), [], []
        for theta, step in inner_loop(model, theta, *support, inner_lr, inner_steps, minibatch):
            tapes.append(step.tape)
            queries.append(model.loss_and_grad(theta, batch.x_query, batch.y_query))
        v = 0.0
        for tape, weight, (_, q) in zip(reversed(tapes), reversed(self.weights), reversed(queries)):
            v = v + weight * q  # add this step's query gradient before propagating further back
            v = v - model.rop(tape, inner_lr * v)
        return queries[-1][0], v


def multi_step_grad(weights):
    """Return the meta-gradient of a weighted sum of the query losses after each inner step.

    Parameters
    ----------
    weights : sequence of float
        One for each inner step, that of the last step last; [0, ..., 0, 1] is MAML.

    Returns
    -------
    meta_grad : callable
        A function like `maml_grad`; its loss is that of the last step, and its inner_steps has to
        be the number of weights.

    Raises
    ------
    ValueError
        If there is no weight, or one is not a finite number.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, maml_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> _, last = multi_step_grad([0, 1])(model, theta, batch, inner_lr=0.1, inner_steps=2)
    >>> np.allclose(last, maml_grad(model, theta, batch, inner_lr=0.1, inner_steps=2)[1])
    True

    Source: Antoniou et al. 2019, section 4; a part of MAML++, which also anneals the weights.
    """
    try:
        values = () if isinstance(weights, (str, bytes, dict, set)) else tuple(weights)
    except TypeError:
        values = ()
    if not values or not all(map(is_real, values)):
        raise ValueError(
            "weights: expected at least one finite number, one per inner step, such as "
            f"[0.5, 0.5]; got {weights!r}"
        )
    return MultiStepGrad(tuple(map(float, values)))


class NegativeCurvature(RuntimeWarning):
    """A system is not positive definite, so that conjugate gradients do not solve it."""


INDEFINITE = ("warn", "raise", "stop")


def conjugate_gradients(product, b, steps, indefinite="warn"):
    """Return an approximate solution x of product(x) = b, for a symmetric, positive definite
    product.

    Parameters
    ----------
    product : callable
        Takes and returns (..., P).
    b : array (..., P)
    steps : int
        After that many steps x is the best in the space they span; P steps are exact but for
        rounding.
    indefinite : str
        Where some v with v . product(v) <= 0 is found, x is the result of the steps before it,
        which is not a solution. "warn" then warns of `NegativeCurvature`, "raise" raises it, and
        "stop" says nothing.

    Returns
    -------
    x : array (..., P)

    Examples
    --------
    >>> conjugate_gradients(lambda v: np.array([2.0, 4.0]) * v, np.array([2.0, 2.0]), 2).tolist()
    [1.0, 0.5]

    Source: Hestenes & Stiefel 1952.
    """
    _validate.check_choice("indefinite", indefinite, INDEFINITE)
    largest = np.abs(b).max(axis=-1, keepdims=True)
    scale = np.where(largest > 0, largest, 1)  # squares of small numbers would underflow
    x, residual = np.zeros_like(b), b / scale
    direction, rs_new = residual, np.sum(residual * residual, axis=-1, keepdims=True)
    solved = np.finfo(b.dtype).eps ** 2 * rs_new
    unsolved, negative = rs_new > solved, np.zeros(rs_new.shape, bool)
    for _ in range(steps):
        step = product(direction)
        curvature = np.sum(direction * step, axis=-1, keepdims=True)
        negative |= unsolved & (curvature <= 0)  # nan is not: it goes on into x
        unsolved &= ~negative
        rate = np.divide(rs_new, curvature, out=np.zeros_like(rs_new), where=unsolved)
        x, residual = x + rate * direction, residual - rate * step
        rs_old, rs_new = rs_new, np.sum(residual * residual, axis=-1, keepdims=True)
        ratio = np.divide(rs_new, rs_old, out=np.zeros_like(rs_new), where=unsolved)
        direction = residual + ratio * direction
        unsolved &= rs_new > solved
    if negative.any() and indefinite != "stop":
        message = (
            f"conjugate gradients: {negative.sum()} of {negative.size} systems are not positive "
            "definite, and are not solved; for iMAML, take a larger lam, or more inner steps, so "
            "that the inner problem ends at a minimum"
        )
        if indefinite == "raise":
            raise NegativeCurvature(message)
        warnings.warn(message, NegativeCurvature, stacklevel=2)
    return scale * x


@dataclass(frozen=True)
class IMAMLGrad:
    """The meta-gradient that `imaml_grad` returns."""

    lam: float
    cg_steps: int
    indefinite: str

    def __call__(self, model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        if isinstance(model, MetaSGDModel):
            raise TypeError(
                "model: iMAML differentiates the minimum of its inner problem, where the learned "
                f"rates play no part; pass the network, {model.model!r}"
            )
        meta_grad = mean_over_tasks(self.algorithm)
        return meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch)

    def algorithm(self, model, theta, batch, inner_lr, inner_steps, minibatch):
        phi, lam = theta, self.lam
        # an inner loop of its own, for it descends on another loss
        for x, y in inner_batches(batch.x_support, batch.y_support, inner_steps, minibatch):
            phi = phi - inner_lr * (model.backprop(phi, x, y).grad + lam * (phi - theta))
        tape = model.backprop(phi, batch.x_support, batch.y_support).tape
        loss, q = model.loss_and_grad(phi, batch.x_query, batch.y_query)

        def product(v):
            return v + model.rop(tape, v) / lam

        return loss, conjugate_gradients(product, q, self.cg_steps, self.indefinite)


def imaml_grad(lam, cg_steps=5, indefinite="warn"):
    """Return the implicit meta-gradient of iMAML.

    Its inner problem is the support loss plus  lam / 2 |phi - theta|^2,  descended from theta for
    inner_steps steps. At the minimum  d phi / d theta = (I + H / lam)^-1,  independently of the
    optimisation path: one tape is kept, and conjugate gradients solve for the query gradient. Exact
    only if the inner problem and the linear system are solved to convergence.

    Parameters
    ----------
    lam : float
        The strength of the proximal term, above 0.
    cg_steps : int
        The number of steps of conjugate gradients, 1 or more.
    indefinite : str
        Where a task's I + H / lam is not positive definite, phi is not at a minimum, and the task's
        gradient is wrong: "warn" of `NegativeCurvature` and go on, so that one task does not end a
        training; "raise" it; or "stop" that task's conjugate gradients and say nothing.

    Returns
    -------
    meta_grad : callable
        A function like `maml_grad`.

    Raises
    ------
    ValueError
        If lam is not positive and finite, cg_steps is not a whole number of at least 1, or
        indefinite is another word.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, fomaml_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> _, implicit = imaml_grad(lam=1e9)(model, theta, batch, inner_lr=0.0)
    >>> np.allclose(implicit, fomaml_grad(model, theta, batch, inner_lr=0.0)[1])  # I + H / lam = I
    True

    Source: Rajeswaran et al. 2019, algorithm 2.
    """
    if not is_real(lam) or not lam > 0:
        raise ValueError(f"lam: expected a finite number above 0; got {lam!r}")
    cg_steps = _validate.check_count("cg_steps", cg_steps)
    return IMAMLGrad(
        float(lam), cg_steps, _validate.check_choice("indefinite", indefinite, INDEFINITE)
    )
