"""A multilayer perceptron by hand: forward, backward, and the Hessian-vector product.

Read each of the three passes next to its derivation, in lessons 02 and 03. A model holds shapes and
no parameters; all parameters are one vector theta, so that an algorithm on parameters is an
algorithm on vectors.

Legend, for every docstring of the package:

    P     parameters              T     tasks                  ...   any leading axes
    K     points                  S     replicas (independent seeds)

    h     input of a layer: (..., K, d_in); that of the first layer is x
    W, b  its parameters: (..., d_in, d_out) and (..., d_out)
    z     = h W + b: (..., K, d_out); the next layer's h is f(z), the last layer's z is the output
    slope = f'(z), which is also the derivative of the next h with respect to z
    delta = the derivative of the loss with respect to z
    Rq    the derivative of any quantity q along v, d/dr q(theta + r v) at r = 0 (the R-operator)
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from . import _validate
from .losses import LOSSES, Loss, quiet


class Activation(NamedTuple):
    """An activation as three functions of z: f itself, its slope f' and its curvature f''.

    To add one is to add an entry: `ACTIVATIONS["mine"] = (value, slope, curvature)`. All three take
    complex z too, which lets `tinymeta.checks.complex_step` differentiate them: no abs, no conj,
    comparisons on the real part. Where f is piecewise linear, curvature may return the number 0."""

    value: Callable
    slope: Callable
    curvature: Callable


def relu(z):
    """Return z where it is positive, else 0."""
    if z.dtype.kind == "c":  # maximum would compare imaginary parts where real ones are equal
        return np.where(z.real <= 0, 0, z)
    return np.maximum(z, 0)


def relu_slope(z):
    """Return 1 where z is positive, else 0."""
    return (z.real > 0).astype(z.dtype)


def relu_curvature(z):  # noqa: ARG001
    """Return 0: ReLU is piecewise linear."""
    return 0


@quiet
def tanh_slope(z):
    """Return tanh' = 1 / cosh^2, which keeps its digits where 1 - tanh^2 has lost them."""
    return np.square(1 / np.cosh(z))


@quiet
def tanh_curvature(z):
    """Return tanh'' = -2 tanh tanh'."""
    return -2 * np.tanh(z) * tanh_slope(z)


@quiet
def sigmoid(z):
    """Return 1 / (1 + exp(-z)), by the one of exp(z) and exp(-z) that is below 1."""
    e = np.exp(np.minimum(z, 0))
    return e / (e + np.exp(np.minimum(-z, 0)))


@quiet
def sigmoid_slope(z):
    """Return sigmoid' = sigmoid (1 - sigmoid), by the identity sigmoid(z) = (1 + tanh(z/2)) / 2."""
    return tanh_slope(z / 2) / 4


@quiet
def sigmoid_curvature(z):
    """Return sigmoid'', by the same identity."""
    return tanh_curvature(z / 2) / 8


@quiet
def softplus(z):
    """Return log(1 + exp(z)), with no exponential above 1."""
    return np.maximum(z, 0) + np.log1p(np.exp(np.minimum(z, 0) - np.maximum(z, 0)))


ACTIVATIONS = {
    "relu": Activation(relu, relu_slope, relu_curvature),
    "tanh": Activation(np.tanh, tanh_slope, tanh_curvature),
    "sigmoid": Activation(sigmoid, sigmoid_slope, sigmoid_curvature),
    "softplus": Activation(softplus, sigmoid, sigmoid_slope),
}


class Forward(NamedTuple):
    """The values of a forward pass, in lists with one entry per layer; the last z is the output."""

    layers: list  # (W, b)
    h: list
    z: list


class Tape(NamedTuple):
    """The values of a forward and a backward pass that `MLP.rop` needs, in lists with one entry per
    layer (the last layer has no slope)."""

    layers: list  # (W, b)
    h: list
    z: list
    y: np.ndarray
    delta: list
    slope: list


class Backprop:
    """What `MLP.backprop` returns: the gradient `grad` (..., P), the `tape` for `MLP.rop`, and the
    `loss` (...), which is computed when it is asked for."""

    __slots__ = ("loss_fn", "grad", "tape")

    def __init__(self, loss_fn, grad, tape):
        self.loss_fn, self.grad, self.tape = loss_fn, grad, tape

    @property
    def loss(self):
        return self.loss_fn.value(self.tape.z[-1], self.tape.y)


def transpose(a):
    return a.swapaxes(-1, -2)


def matmul(h, W):
    """Return h W; NumPy's matmul is slow for an inner dimension of 1, an outer product."""
    if W.shape[-2] == 1:
        return h * W
    return h @ W


def sum_of_products(a, b, c, d, out):
    """Write a^T b + c^T d to `out`, as one product of stacked matrices: that takes 6 % off a
    meta-step of 100 tasks."""
    if a.shape[:-2] != c.shape[:-2]:
        lead = np.broadcast_shapes(a.shape[:-2], c.shape[:-2])
        a, b, c, d = (np.broadcast_to(q, (*lead, *q.shape[-2:])) for q in (a, b, c, d))
    stacked = transpose(np.concatenate((a, c), axis=-2))
    np.matmul(stacked, np.concatenate((b, d), axis=-2), out=out)


class MLP:
    """A fully connected network that holds shapes, never parameters.

    Two models are equal if their arguments are.

    Parameters
    ----------
    sizes : sequence of int
        The widths of the input, of each hidden layer and of the output.
    activation : str
        An entry of `ACTIVATIONS`, for the hidden layers: relu, tanh, sigmoid or softplus.
    criterion : str
        An entry of `losses.LOSSES`: mse, or cross_entropy, for which y is one-hot rows.

    Raises
    ------
    ValueError
        If sizes are not at least two positive whole numbers, or a name is not in its table.

    Attributes
    ----------
    n_params : int
        P, the number of parameters: d_in * d_out + d_out per layer.

    Examples
    --------
    >>> model = MLP([1, 40, 40, 1])
    >>> model.n_params
    1761
    >>> model
    MLP([1, 40, 40, 1], activation='relu', criterion='mse')
    """

    def __init__(self, sizes, activation="relu", criterion="mse"):
        self.sizes = _validate.as_sizes(sizes)
        activation_fn = _validate.as_triple("activation", activation, ACTIVATIONS, Activation)
        loss_fn = _validate.as_triple("criterion", criterion, LOSSES, Loss)
        self.activation, self.activation_fn = activation, activation_fn
        self.criterion, self.loss_fn = criterion, loss_fn
        if criterion == "cross_entropy" and self.sizes[-1] < 2:
            raise ValueError(
                "sizes: expected at least two outputs for cross_entropy, one per class; "
                f"got {list(self.sizes)}"
            )
        self._layout, start = [], 0
        for d_in, d_out in zip(self.sizes, self.sizes[1:]):
            middle, end = start + d_in * d_out, start + (d_in + 1) * d_out
            self._layout.append((slice(start, middle), slice(middle, end), d_in, d_out))
            start = end
        self.n_params = start

    def __repr__(self):
        settings = f"activation={self.activation!r}, criterion={self.criterion!r}"
        return f"MLP({list(self.sizes)}, {settings})"

    def __eq__(self, other):
        return isinstance(other, MLP) and repr(self) == repr(other)

    def __hash__(self):
        return hash(repr(self))

    def __reduce__(self):  # by the names of its table entries, as an own one may be a lambda
        return MLP, (self.sizes, self.activation, self.criterion)

    def init(self, rng, dtype=np.float64, scheme="uniform"):
        """Return fresh parameters.

        Parameters
        ----------
        rng : numpy.random.Generator
        dtype : dtype
            float64 or float32.
        scheme : str
            "uniform": W and b from U(-1, 1) / sqrt(d_in), the default of PyTorch's linear layers;
            "truncated_normal": W from N(0, 0.01^2) truncated at two standard deviations, b = 0
            (the released code of Finn et al. 2017).

        Returns
        -------
        theta : array (P,)

        Examples
        --------
        >>> theta = MLP([1, 2, 1]).init(np.random.default_rng(0))
        >>> theta.shape, theta.dtype
        ((7,), dtype('float64'))
        """
        _validate.check_choice("scheme", scheme, ("uniform", "truncated_normal"))
        _validate.check_generator(rng)
        dtype, theta = _validate.as_float_dtype(dtype), np.zeros(self.n_params)
        for W, b in self.unpack(theta):
            if scheme == "uniform":
                for part in (W, b):
                    part[...] = rng.uniform(-1, 1, part.shape) / len(W) ** 0.5
            else:
                W[...] = rng.standard_normal(W.shape)
                while (far := abs(W) > 2).any():
                    W[far] = rng.standard_normal(far.sum())
                W *= 0.01
        return theta.astype(dtype)

    def unpack(self, theta):
        """Return the weights and biases of every layer, as views of theta.

        Parameters
        ----------
        theta : array (..., P)

        Returns
        -------
        list of (W, b)
            One pair per layer: W (..., d_in, d_out) and b (..., d_out).

        Examples
        --------
        >>> [(W.shape, b.shape) for W, b in MLP([2, 3, 1]).unpack(np.zeros(13))]
        [((2, 3), (3,)), ((3, 1), (1,))]
        """
        return [(W, b[..., 0, :]) for W, b in self._layers(theta)]

    def _layers(self, theta):
        """Return what `unpack` does, with b as a row (..., 1, d_out): it is added to each point."""
        lead = theta.shape[:-1]
        return [
            (theta[..., w].reshape(*lead, d_in, d_out), theta[..., None, b])
            for w, b, d_in, d_out in self._layout
        ]

    # The three passes. They take arrays of one dtype and check nothing: the methods below them do.

    def forward(self, theta, x):
        """Return the values of z = h W + b and h = f(z), layer after layer."""
        layers, h, z = self._layers(theta), [x], []
        for i, (W, b) in enumerate(layers):
            z.append(matmul(h[i], W))
            z[i] += b
            if i + 1 < len(layers):
                h.append(self.activation_fn.value(z[i]))
        return Forward(layers, h, z)

    def backward(self, forward, y):
        """Return the gradient, h^T delta for W and the sum of delta over the points for b, with
        delta from the last layer to the first; and loss and tape (see Backprop)."""
        layers, h, z = forward
        delta, slope = [None] * len(z), [None] * len(z)
        delta[-1] = self.loss_fn.grad(z[-1], y)
        grad = np.empty((*delta[-1].shape[:-2], self.n_params), delta[-1].dtype)
        parts, ones = self._layers(grad), np.ones((1, y.shape[-2]), grad.dtype)
        for i in reversed(range(len(z))):
            gW, gb = parts[i]
            np.matmul(transpose(h[i]), delta[i], out=gW)
            np.matmul(ones, delta[i], out=gb)
            if i > 0:
                slope[i - 1] = self.activation_fn.slope(z[i - 1])
                delta[i - 1] = matmul(delta[i], transpose(layers[i][0]))
                delta[i - 1] *= slope[i - 1]
        return Backprop(self.loss_fn, grad, Tape(layers, h, z, y, delta, slope))

    def rop(self, tape, v):
        """Return the derivative of both passes along v (..., P), which is the Hessian of the tape's
        loss times v (Pearlmutter 1994), as (..., P)."""
        layers, h, z, y, delta, slope = tape
        directions, Rh, Rz = self._layers(v), [None], []  # the input does not move: its Rh is 0
        for i, ((W, _), (V, Vb)) in enumerate(zip(layers, directions)):
            Rz.append(matmul(h[i], V))
            Rz[i] += Vb
            if i > 0:
                Rz[i] += matmul(Rh[i], W)
            if i + 1 < len(layers):
                Rh.append(slope[i] * Rz[i])
        Rdelta = self.loss_fn.hvp(z[-1], y, Rz[-1])
        product = np.empty((*Rdelta.shape[:-2], self.n_params), Rdelta.dtype)
        parts, ones = self._layers(product), np.ones((1, y.shape[-2]), product.dtype)
        for i in reversed(range(len(z))):
            RgW, Rgb = parts[i]
            np.matmul(ones, Rdelta, out=Rgb)
            if i == 0:
                np.matmul(transpose(h[0]), Rdelta, out=RgW)
                break
            sum_of_products(Rh[i], delta[i], h[i], Rdelta, out=RgW)
            W, V = layers[i][0], directions[i][0]
            Rdelta = matmul(Rdelta, transpose(W))
            Rdelta += matmul(delta[i], transpose(V))
            Rdelta *= slope[i - 1]
            curvature = self.activation_fn.curvature(z[i - 1])
            if isinstance(curvature, np.ndarray) or curvature != 0:
                Rdelta += curvature * Rz[i - 1] * matmul(delta[i], transpose(W))
        return product

    def backprop(self, theta, x, y):
        """Run both passes: return the gradient, loss and tape (see Backprop)."""
        return self.backward(self.forward(theta, x), y)

    def loss_and_grad(self, theta, x, y):
        """Run both passes: return the loss (...) and its gradient (..., P)."""
        step = self.backprop(theta, x, y)
        return step.loss, step.grad

    # What users call. Leading axes of theta, x and v broadcast; x and y have the same ones.

    def predict(self, theta, x):
        """Return the outputs of the network; for cross_entropy they are the logits.

        Parameters
        ----------
        theta : array (..., P)
        x : array (..., K, d_in)

        Returns
        -------
        outputs : array (..., K, d_out)

        Raises
        ------
        ValueError
            If a shape does not fit or a number is not finite.

        Examples
        --------
        >>> MLP([1, 1]).predict([2.0, 1.0], [[0.0], [3.0]]).tolist()  # 2 x + 1
        [[1.0], [7.0]]
        """
        theta = _validate.as_theta(self, theta)
        return self.forward(theta, _validate.as_inputs(self, theta, x)).z[-1]

    def loss(self, theta, x, y):
        """Return the loss, a mean over the points (for mse, over the outputs too).

        Parameters
        ----------
        theta : array (..., P)
        x : array (..., K, d_in)
        y : array (..., K, d_out)

        Returns
        -------
        loss : array (...)

        Raises
        ------
        ValueError
            If a shape does not fit, a number is not finite, or y is not one-hot for cross_entropy.

        Examples
        --------
        >>> float(MLP([1, 1]).loss([2.0, 1.0], [[0.0], [3.0]], [[1.0], [5.0]]))  # (0 + 2^2) / 2
        2.0
        """
        theta = _validate.as_theta(self, theta)
        x, y = _validate.as_points(self, theta, x, y)
        return self.loss_fn.value(self.forward(theta, x).z[-1], y)

    def grad(self, theta, x, y):
        """Return the gradient of `loss` with respect to theta.

        Parameters and errors are those of `loss`.

        Returns
        -------
        grad : array (..., P)

        Examples
        --------
        >>> MLP([1, 1]).grad([2.0, 1.0], [[0.0], [3.0]], [[1.0], [5.0]]).tolist()
        [6.0, 2.0]
        """
        theta = _validate.as_theta(self, theta)
        x, y = _validate.as_points(self, theta, x, y)
        return self.backward(self.forward(theta, x), y).grad

    def hvp(self, theta, x, y, v):
        """Return the Hessian of `loss` with respect to theta, times v, without forming it.

        Parameters and errors are those of `loss`, and

        Parameters
        ----------
        v : array (..., P)
            One direction, or several: v = np.eye(P) gives the rows of the Hessian.

        Returns
        -------
        product : array (..., P)

        Examples
        --------
        >>> MLP([1, 1]).hvp([2.0, 1.0], [[0.0], [3.0]], [[1.0], [5.0]], np.eye(2)).tolist()
        [[9.0, 3.0], [3.0, 2.0]]

        Source: Pearlmutter 1994, "Fast exact multiplication by the Hessian".
        """
        theta = _validate.as_theta(self, theta)
        x, y = _validate.as_points(self, theta, x, y)
        v = _validate.as_direction(self, theta, x, v)
        return self.rop(self.backprop(theta, x, y).tape, v)
