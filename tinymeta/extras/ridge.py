"""Solve the head: features that are learned through ridge regression, whose solution is in closed
form and is differentiated by hand.

    F   = [h, 1]                 the last hidden layer on K support points, and ones     (K, D)
    A   = F F^T + lambda I       positive definite                                       (K, K)
    a   = A^-1 y                                                                         (K, d_out)
    w   = F^T a                  the head, the minimum of |F w - y|^2 + lambda |w|^2     (D, d_out)
    F_q w                        the outputs on the query points, with features F_q

A new task takes no step: its head is solved for. With L the query loss, g its gradient with respect
to the outputs, g_w = F_q^T g and u = A^-1 F g_w, the derivative of L with respect to

    F_q                  g w^T
    F                    a g_w^T - u w^T - a (F^T u)^T       the last two through A
    log lambda           -lambda sum(u a)                    through A

and from the features on, the network's own backward pass continues. There is no second derivative
of the network. The same w is the posterior mean of a Bayesian linear regression with the prior
N(0, I) for the weights and noise of variance lambda, and `posterior` returns its variance as well.
Sources: Bertinetto et al. 2019, "Meta-learning with differentiable closed-form solvers" (R2-D2);
Harrison et al. 2018, "Meta-learning priors for efficient online Bayesian regression" (ALPaCA)."""

from dataclasses import dataclass

import numpy as np

from .. import _validate
from ..losses import LOSSES
from ..meta import mean_over_tasks
from ..mlp import MLP, append_column, transpose
from .protonet import with_linear_loss

MSE = LOSSES["mse"]


def merge_tasks(points):
    """Return points (..., T, K, d) as (..., 1, T K, d): where all tasks have the same parameters,
    their points go through the network together, and their gradients come as a sum."""
    return points.reshape(*points.shape[:-3], 1, -1, points.shape[-1])


def split_tasks(points, n_tasks):
    """Return merged points (..., 1, T K, d) as (..., T, K, d)."""
    return points.reshape(*points.shape[:-3], n_tasks, -1, points.shape[-1])


@dataclass(frozen=True)
class RidgeHead:
    """A network whose last layer is solved for on each task, by ridge regression.

    Its parameters are those of the other layers, and log lambda, the last one.

    Parameters
    ----------
    network : MLP
        With a hidden layer at least, and the criterion mse. Its last hidden layer gives the
        features.

    Raises
    ------
    TypeError
        If network is no MLP.
    ValueError
        If it has no hidden layer, or another criterion.

    Attributes
    ----------
    sizes, criterion, n_params
        Those that the checks of shapes look at.
    body : MLP
        The network without its last layer.

    Examples
    --------
    >>> model = RidgeHead(MLP([1, 40, 40, 1]))
    >>> model.sizes, model.n_params  # 80 + 1640 in the body, and log lambda
    ((1, 40, 40, 1), 1721)
    """

    network: MLP

    criterion = "mse"

    def __post_init__(self):
        if not isinstance(self.network, MLP):
            raise TypeError(
                f"network: expected a network, such as MLP([1, 40, 40, 1]); got {self.network!r}"
            )
        if len(self.network.sizes) < 3 or self.network.criterion != "mse":
            raise ValueError(
                "network: expected one with a hidden layer and the criterion mse; got "
                f"{self.network!r}"
            )

    @property
    def sizes(self):
        return self.network.sizes

    @property
    def body(self):
        return MLP(self.network.sizes[:-1], self.network.activation)

    @property
    def n_params(self):
        return self.body.n_params + 1

    def join(self, theta, lam):
        """Return parameters (..., P) from those of the body, of which theta (..., P') may have more
        (such as a whole network's), and from lambda, a positive number or an array (...).

        Examples
        --------
        >>> model = RidgeHead(MLP([1, 1, 1]))
        >>> model.join(np.ones(4), lam=1.0).tolist()  # the last two are the network's own head
        [1.0, 1.0, 0.0]
        """
        theta = np.asarray(theta)[..., : self.body.n_params]
        with np.errstate(divide="ignore", invalid="ignore"):
            log_lam = np.log(np.broadcast_to(lam, theta.shape[:-1]))
        if not np.isfinite(log_lam).all():
            raise ValueError(f"lam: expected positive numbers; got {lam!r}")
        joined = np.concatenate((theta, log_lam[..., None]), axis=-1)
        return joined.astype(np.result_type(theta, np.float16))  # whole numbers become floats

    def split(self, theta):
        """Return the parameters of the body, (..., P - 1), and lambda, (...)."""
        return theta[..., :-1], np.exp(theta[..., -1])

    def init(self, rng, dtype=np.float64, lam=0.1):
        """Return fresh parameters (P,): those of the body as `MLP.init` draws them, and lambda.

        Examples
        --------
        >>> theta = RidgeHead(MLP([1, 8, 1])).init(np.random.default_rng(0), np.float32)
        >>> theta.shape, theta.dtype, round(float(np.exp(theta[-1])), 6)
        ((17,), dtype('float32'), 0.1)
        """
        return self.join(self.body.init(rng, dtype), lam)

    def as_features(self, z):
        """Return [f(z), 1] in double precision, as A is nearly singular where lambda is small."""
        h = append_column(self.network.activation_fn.value(z), 1)
        return h.astype(np.result_type(h, np.float64))

    def features(self, theta, x):
        """Return the features (..., K, D) of points x (..., K, d_in), in double precision.

        Examples
        --------
        >>> model = RidgeHead(MLP([1, 1, 1]))
        >>> model.features(model.join([2.0, 0.5], lam=1.0), [[1.0], [-1.0]]).tolist()
        [[2.5, 1.0], [0.0, 1.0]]
        """
        theta = _validate.as_theta(self, theta)
        x = _validate.as_inputs(self, theta, x)
        return self.as_features(self.body.forward(self.split(theta)[0], x).z[-1])


def check_model(model):
    if not isinstance(model, RidgeHead):
        raise TypeError(
            f"model: expected a RidgeHead, such as RidgeHead(MLP([1, 40, 40, 1])); got {model!r}"
        )


def inverse_of_A(F, lam):
    """Return A^-1 (..., K, K) for features (..., K, D) and lambda (...)."""
    return np.linalg.inv(F @ transpose(F) + lam[..., None, None] * np.eye(F.shape[-2]))


def head_gradients(F, F_q, y, y_q, lam):
    """Return the query loss (...) of the head that is solved for on F (..., K, D) and y, and its
    derivatives with respect to F, F_q and log lambda."""
    inverse, Ft = inverse_of_A(F, lam), transpose(F)
    a = inverse @ y
    w = Ft @ a
    outputs = F_q @ w
    g = MSE.grad(outputs, y_q)
    g_w = transpose(F_q) @ g
    u = inverse @ (F @ g_w)
    F_delta = a @ transpose(g_w) - u @ transpose(w) - a @ transpose(Ft @ u)
    log_lam_grad = -lam * (u * a).sum(axis=(-2, -1))
    return MSE.value(outputs, y_q), F_delta, g @ transpose(w), log_lam_grad


@mean_over_tasks
def _ridge_grad(model, theta, batch, inner_lr, inner_steps, minibatch):
    body, (weights, lam) = with_linear_loss(model.body), model.split(theta)
    n_tasks, shots = batch.x_support.shape[-3:-1]
    x = np.concatenate((batch.x_support, batch.x_query), axis=-2)
    tape = body.forward(weights, merge_tasks(x))
    z = tape.z[-1]
    F = split_tasks(model.as_features(z), n_tasks)
    loss, *deltas, log_lam_grad = head_gradients(
        F[..., :shots, :], F[..., shots:, :], batch.y_support, batch.y_query, lam
    )
    delta = np.concatenate(deltas, axis=-2)[..., :-1]  # without the column of ones
    delta = merge_tasks(delta).astype(z.dtype) * model.network.activation_fn.slope(z)
    grad = body.backward(tape, delta).grad  # (..., 1, P - 1), the sum over the tasks
    log_lam_grad = log_lam_grad.sum(axis=-1)[..., None, None].astype(z.dtype)
    return loss.astype(z.dtype), np.concatenate((grad, log_lam_grad), axis=-1)


def ridge_grad(model, theta, batch, inner_lr=0.0, inner_steps=1, minibatch=None):
    """Return the query loss of the head that ridge regression finds on the support points, and its
    gradient in the features' parameters and in log lambda, through the solution.

    It is a meta-gradient for `meta_train`, which passes an inner loop: inner_lr, inner_steps and
    minibatch are checked and ignored.

    Parameters
    ----------
    model : RidgeHead
    theta : array (..., P)
        The parameters of its body, and log lambda.
    batch : TaskBatch
        T tasks, arrays (T, K, d); (S, T, K, d) gives each replica its own.

    Returns
    -------
    loss : array (...)
        The mean over the tasks.
    grad : array (..., P)

    Raises
    ------
    TypeError
        If the model is no RidgeHead.
    ValueError
        As `maml_grad`.

    Examples
    --------
    >>> from tinymeta import SineTasks
    >>> rng, model = np.random.default_rng(0), RidgeHead(MLP([1, 8, 1]))
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> loss, grad = ridge_grad(model, theta, batch)
    >>> downhill, _ = ridge_grad(model, theta - 0.001 * grad, batch)
    >>> bool(downhill < loss)
    True

    Source: Bertinetto et al. 2019, section 3.2.
    """
    check_model(model)
    return _ridge_grad(model, theta, batch, inner_lr, inner_steps, minibatch)


def posterior(model, theta, x_support, y_support, x_query):
    """Return the outputs that the solved head has on query points, and the variance of the function
    there, in units of the prior variance of a weight.

    The weights have the prior N(0, s^2 I) and the noise of y has the variance lambda s^2, for some
    s. The outputs do not depend on s; the function's variance is s^2 times the one returned, and
    that of a new y has lambda s^2 more. It does not depend on y.

    Parameters
    ----------
    model : RidgeHead
    theta : array (..., P)
    x_support, x_query : array (..., T, K, d_in)
    y_support : array (..., T, K, d_out)

    Returns
    -------
    mean : array (..., T, K_query, d_out)
    variance : array (..., T, K_query, 1)
        Both in double precision.
    scale : array (..., T)
        y^T A^-1 y / (K d_out): the s^2 that makes the support points likeliest.

    Raises
    ------
    TypeError, ValueError
        As `ridge_grad`.

    Examples
    --------
    >>> model = RidgeHead(MLP([1, 2, 1]))  # features relu(x), relu(-x) and 1
    >>> theta = model.join([1.0, -1.0, 0.0, 0.0], lam=1e-6)
    >>> x, y = np.array([[[1.0], [2.0]]]), np.array([[[3.0], [5.0]]])
    >>> mean, variance, _ = posterior(model, theta, x, y, [[[3.0], [-1.0]]])
    >>> mean.round(2).ravel().tolist(), variance.round(2).ravel().tolist()  # nothing said of x < 0
    ([7.0, 1.0], [0.0, 1.0])

    Source: Harrison et al. 2018, section 3.
    """
    check_model(model)
    theta = _validate.as_theta(model, theta)
    x, y = _validate.as_points(model, theta, x_support, y_support, ("x_support", "y_support"), True)
    x_query = _validate.as_inputs(model, theta, x_query, "x_query", tasks=True)
    weights, lam = model.split(theta[..., None, :])
    F, F_q = (
        split_tasks(
            model.as_features(model.body.forward(weights, merge_tasks(points)).z[-1]),
            points.shape[-3],
        )
        for points in (x, x_query)
    )
    inverse = inverse_of_A(F, lam)
    across = F_q @ transpose(F)  # the prior's covariance of query and support points
    a = inverse @ y
    prior = (F_q * F_q).sum(axis=-1, keepdims=True)
    variance = prior - ((across @ inverse) * across).sum(axis=-1, keepdims=True)
    scale = (y * a).sum(axis=(-2, -1)) / (y.shape[-2] * y.shape[-1])
    return across @ a, np.maximum(variance, 0), scale
