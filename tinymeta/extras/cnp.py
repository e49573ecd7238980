"""A conditional neural process by hand: one network reads the support points, another predicts.

    r_k = encoder(x_k, y_k)         a vector for each support point                  (K, R)
    r   = mean of r_k over them     all that is known of the task                    (1, R)
    o   = decoder(r, x)             two numbers for each output of a query point     (K_query, 2 d)
    m, s = o_1, S + softplus(o_2)   mean and standard deviation of y, with a least one, S

The loss is the negative log-likelihood of the query points, a mean over them of

    l = log s + (y - m)^2 / (2 s^2) + log(2 pi) / 2

Nothing adapts, and a new task takes no gradient: it is read. With n the number of query outputs,
the derivative of the loss with respect to

    o_1                  (m - y) / (s^2 n)
    o_2                  (1 / s - (y - m)^2 / s^3) softplus'(o_2) / n
    the decoder's input  delta W^T of its first layer: `Tape.input_grad`
    r                    the sum of that over the query points
    each r_k             that of r, over K

and the encoder's own backward pass continues. Source: Garnelo et al. 2018, "Conditional neural
processes"."""

from dataclasses import dataclass

import numpy as np

from .. import _validate
from ..meta import mean_over_tasks
from ..mlp import ACTIVATIONS, MLP
from .protonet import with_linear_loss
from .ridge import merge_tasks, split_tasks

SOFTPLUS = ACTIVATIONS["softplus"]
LEAST = 0.05  # the least standard deviation: without noise, the loss would have no lower bound


@dataclass(frozen=True)
class CNP:
    """An encoder and a decoder, as a model for tasks of d_in inputs and d_out outputs.

    Its parameters are those of the encoder and then those of the decoder; their criteria play no
    part.

    Parameters
    ----------
    encoder : MLP
        From d_in + d_out numbers, a support point, to R.
    decoder : MLP
        From R + d_in numbers to 2 d_out.

    Raises
    ------
    TypeError
        If one of them is no MLP.
    ValueError
        If their sizes do not fit each other.

    Attributes
    ----------
    sizes, criterion, n_params
        Those that the checks of shapes look at.

    Examples
    --------
    >>> model = CNP(MLP([2, 40, 40]), MLP([41, 40, 2]))
    >>> model.sizes, model.n_params
    ((1, 1), 3522)
    """

    encoder: MLP
    decoder: MLP

    criterion = "mse"

    def __post_init__(self):
        for name in ("encoder", "decoder"):
            if not isinstance(getattr(self, name), MLP):
                raise TypeError(
                    f"{name}: expected a network, such as MLP([2, 40, 40]); got "
                    f"{getattr(self, name)!r}"
                )
        d_in, d_out = self.sizes
        if (
            self.decoder.sizes[-1] % 2
            or min(d_in, d_out) < 1
            or (self.encoder.sizes[0] != d_in + d_out)
        ):
            raise ValueError(
                "decoder: expected R + d_in inputs and 2 d_out outputs, for an encoder of "
                f"d_in + d_out inputs and R outputs; got {self.encoder!r} and {self.decoder!r}"
            )

    @property
    def sizes(self):
        return self.decoder.sizes[0] - self.encoder.sizes[-1], self.decoder.sizes[-1] // 2

    @property
    def n_params(self):
        return self.encoder.n_params + self.decoder.n_params

    def init(self, rng, dtype=np.float64):
        """Return fresh parameters (P,), as `MLP.init` draws them."""
        return np.concatenate((self.encoder.init(rng, dtype), self.decoder.init(rng, dtype)))

    def forward(self, theta, x_support, y_support, x_query):
        """Return the tapes of the encoder and of the decoder, for theta (..., 1, P) and the tasks'
        points (..., T, K, d), and the decoder's outputs (..., T, K_query, 2 d_out)."""
        n = self.encoder.n_params
        n_tasks, pairs = x_support.shape[-3], np.concatenate((x_support, y_support), axis=-1)
        encoding = self.encoder.forward(theta[..., :n], merge_tasks(pairs))
        r = split_tasks(encoding.z[-1], n_tasks).mean(axis=-2, keepdims=True)
        lead = *r.shape[:-2], x_query.shape[-2]
        parts = (
            np.broadcast_to(r, (*lead, r.shape[-1])),
            np.broadcast_to(x_query, (*lead, x_query.shape[-1])),
        )
        decoding = self.decoder.forward(theta[..., n:], merge_tasks(np.concatenate(parts, axis=-1)))
        return encoding, decoding, split_tasks(decoding.z[-1], n_tasks)


def check_model(model):
    if not isinstance(model, CNP):
        raise TypeError(
            f"model: expected a CNP, such as CNP(MLP([2, 40, 40]), MLP([41, 40, 2])); got {model!r}"
        )


def as_normal(outputs):
    """Return mean and standard deviation, each (..., d), of the decoder's outputs (..., 2 d)."""
    mean, raw = np.split(outputs, 2, axis=-1)
    return mean, LEAST + SOFTPLUS.value(raw)


def value(outputs, y):
    """Return the negative log-likelihood of y (..., K, d), the mean over points and outputs."""
    mean, s = as_normal(outputs)
    losses = np.log(s) + np.square((y - mean) / s) / 2 + np.log(2 * np.pi) / 2
    return losses.mean(axis=(-2, -1)).astype(outputs.dtype)


def gradient(outputs, y):
    """Return the derivative of `value` with respect to the outputs, (..., K, 2 d)."""
    mean, s = as_normal(outputs)
    raw, off = outputs[..., y.shape[-1] :], (mean - y) / s
    by_mean, by_s = off / s, (1 - np.square(off)) / s
    both = np.concatenate((by_mean, by_s * SOFTPLUS.slope(raw)), axis=-1)
    return both / both.dtype.type(y.shape[-2] * y.shape[-1])


@mean_over_tasks
def _cnp_grad(model, theta, batch, inner_lr, inner_steps, minibatch):
    x_support, y_support, x_query, y_query = batch
    n_tasks, shots = x_support.shape[-3:-1]
    encoding, decoding, outputs = model.forward(theta, x_support, y_support, x_query)
    delta = merge_tasks(gradient(outputs, y_query))
    step = with_linear_loss(model.decoder).backward(decoding, delta)
    of_input = split_tasks(step.tape.input_grad, n_tasks)
    of_r = of_input[..., : model.encoder.sizes[-1]].sum(axis=-2, keepdims=True)
    delta = merge_tasks(np.repeat(of_r / of_r.dtype.type(shots), shots, axis=-2))
    grad = with_linear_loss(model.encoder).backward(encoding, delta).grad
    return value(outputs, y_query), np.concatenate((grad, step.grad), axis=-1)


def cnp_grad(model, theta, batch, inner_lr=0.0, inner_steps=1, minibatch=None):
    """Return the negative log-likelihood of the query points, given the support points, and its
    gradient through decoder and encoder.

    It is a meta-gradient for `meta_train`, which passes an inner loop: inner_lr, inner_steps and
    minibatch are checked and ignored.

    Parameters
    ----------
    model : CNP
    theta : array (..., P)
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
        If the model is no CNP.
    ValueError
        As `maml_grad`.

    Examples
    --------
    >>> from tinymeta import SineTasks
    >>> rng, model = np.random.default_rng(0), CNP(MLP([2, 8, 8]), MLP([9, 8, 2]))
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> loss, grad = cnp_grad(model, theta, batch)
    >>> downhill, _ = cnp_grad(model, theta - 0.001 * grad, batch)
    >>> bool(downhill < loss)
    True

    Source: Garnelo et al. 2018, section 2.
    """
    check_model(model)
    return _cnp_grad(model, theta, batch, inner_lr, inner_steps, minibatch)


def cnp_predict(model, theta, x_support, y_support, x_query):
    """Return the mean and the standard deviation of y at query points, given the support points.

    Parameters
    ----------
    model : CNP
    theta : array (..., P)
    x_support, x_query : array (..., T, K, d_in)
    y_support : array (..., T, K, d_out)

    Returns
    -------
    mean, standard_deviation : array (..., T, K_query, d_out)

    Raises
    ------
    TypeError, ValueError
        As `cnp_grad`.

    Examples
    --------
    >>> model = CNP(MLP([2, 8, 8]), MLP([9, 8, 2]))
    >>> theta, x = model.init(np.random.default_rng(0)), np.array([[[0.0], [1.0], [2.0]]])
    >>> mean, _ = cnp_predict(model, theta, x, x, x)
    >>> other, _ = cnp_predict(model, theta, x[:, ::-1], x[:, ::-1], x)
    >>> np.allclose(mean, other)  # the order of the support points plays no part
    True
    """
    check_model(model)
    theta = _validate.as_theta(model, theta)
    x, y = _validate.as_points(model, theta, x_support, y_support, ("x_support", "y_support"), True)
    x_query = _validate.as_inputs(model, theta, x_query, "x_query", tasks=True)
    return as_normal(model.forward(theta[..., None, :], x, y, x_query)[-1])
