"""A multilayer perceptron by hand: forward, backward, and the Hessian-vector product.

Read each of the three passes next to its derivation, in lessons 02 and 03. A model holds shapes and
no parameters; all parameters are one vector theta, so that an algorithm on parameters is an
algorithm on vectors.

Legend, for every docstring of the package:

    P     parameters              T     tasks                  ...   any leading axes
    K     points                  S     replicas (independent seeds)

    h       input of a layer, x or $f(z)$ of the layer before, with a last column of ones:
            (..., K, d_in + 1)
    W       its weights, with its biases as the last row: (..., d_in + 1, d_out)
    z       $z = h W$, where the ones take care of the biases: (..., K, d_out); the last is the
            output
    slope   $f'(z)$
    delta   $δ$, the derivative of the loss with respect to z
    Rz, Rh  $R(z)$, $R(h)$: how fast z and h change as theta moves along v, as of any other quantity
            (the R-operator)
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
    # of complex z, maximum would compare imaginary parts where real ones are equal
    return np.where(z.real <= 0, 0, z) if z.dtype.kind == "c" else np.maximum(z, 0)


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


class Tape(NamedTuple):
    """The values of a forward pass and, after one, of the backward pass, for `MLP.rop`: lists with
    one entry per layer (the last layer has no slope)."""

    W: list
    h: list
    z: list
    y: np.ndarray = None
    delta: list = None
    slope: list = None

    @property
    def inputs(self):
        """The h without their column of ones: (..., K, d_in)."""
        return [h[..., :-1] for h in self.h]

    @property
    def layers(self):
        """The weights (..., d_in, d_out) and biases (..., 1, d_out) of each layer."""
        return [(W[..., :-1, :], W[..., -1:, :]) for W in self.W]

    @property
    def input_grad(self):
        """The derivative of the loss with respect to the input x, (..., K, d_in), after a backward
        pass: delta W^T of the first layer, which the gradient with respect to theta has no use for.

        Examples
        --------
        >>> model, theta, x = MLP([2, 1]), np.array([3.0, 4.0, 0.0]), np.array([[1.0, 0.0]])
        >>> model.backprop(theta, x, np.array([[2.0]])).tape.input_grad.tolist()  # 2 (3 - 2) (3, 4)
        [[6.0, 8.0]]
        """
        return matmul(self.delta[0], transpose(without_biases(self.W[0])))


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


def without_biases(W):
    return W[..., :-1, :]


def matmul(delta, Wt):
    """Return delta Wt; NumPy's matmul is slow for an inner dimension of 1, an outer product."""
    return delta * Wt if Wt.shape[-2] == 1 else delta @ Wt


def append_column(a, value):
    """Return a with one more column: of ones for an h, of zeros for its derivative Rh."""
    out = np.empty((*a.shape[:-1], a.shape[-1] + 1), a.dtype)
    out[..., :-1], out[..., -1] = a, value
    return out


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
        An entry of `losses.LOSSES`: mse, or cross_entropy, for which y is one-hot rows; or
        weighted_mse or weighted_cross_entropy, for which a last column of y is the points' weights.

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
        self.activation, self.criterion = activation, criterion
        self.activation_fn = _validate.as_triple("activation", activation, ACTIVATIONS, Activation)
        self.loss_fn = _validate.as_triple("criterion", criterion, LOSSES, Loss)
        if criterion in _validate.CLASSIFIERS and self.sizes[-1] < 2:
            raise ValueError(
                f"sizes: expected at least two outputs for {criterion}, one per class; "
                f"got {list(self.sizes)}"
            )
        self._layout, self.n_params = [], 0
        for d_in, d_out in zip(self.sizes, self.sizes[1:]):
            start, self.n_params = self.n_params, self.n_params + (d_in + 1) * d_out
            self._layout.append((slice(start, self.n_params), (d_in + 1, d_out)))

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
        return [(W[..., :-1, :], W[..., -1, :]) for W in self._weights(theta)]

    def _weights(self, theta):
        """Return the W of every layer, biases included, as views of theta."""
        lead = theta.shape[:-1]
        return [theta[..., part].reshape(*lead, *shape) for part, shape in self._layout]

    # The three passes. They take arrays of one dtype and check nothing: the methods below them do.

    def forward(self, theta, x):
        """Return the tape of z = h W and h = [f(z), 1], layer after layer."""
        W, h, z = self._weights(theta), [append_column(x, 1)], []
        for i in range(len(W)):
            z.append(h[i] @ W[i])
            if i + 1 < len(W):
                h.append(append_column(self.activation_fn.value(z[i]), 1))
        return Tape(W, h, z)

    def backward(self, tape, y):
        """Return the gradient, h^T delta for each W, with delta from the last layer to the first;
        and loss and tape (see Backprop)."""
        W, h, z = tape[:3]
        delta, slope = [None] * len(W), [None] * len(W)
        delta[-1] = self.loss_fn.grad(z[-1], y)
        grad = np.empty((*delta[-1].shape[:-2], self.n_params), delta[-1].dtype)
        gW = self._weights(grad)
        for i in reversed(range(len(W))):
            np.matmul(transpose(h[i]), delta[i], out=gW[i])
            if i > 0:
                slope[i - 1] = self.activation_fn.slope(z[i - 1])
                delta[i - 1] = matmul(delta[i], transpose(without_biases(W[i])))
                delta[i - 1] *= slope[i - 1]
        return Backprop(self.loss_fn, grad, Tape(W, h, z, y, delta, slope))

    def rop(self, tape, v):
        """Return the derivative of both passes along v (..., P), which is the Hessian of the tape's
        loss times v (Pearlmutter 1994), as (..., P).

        V are the weights within v, and a layer's $h$ is made of the $z$ of the layer before:

            $R(z) = h V + R(h) W$
            $R(h) = f'(z) ⊙ R(z)$
            $R(g_W) = R(h)^⊤ δ + h^⊤ R(δ)$
            $R(δ) = f'(z) ⊙ (R(δ) W^⊤ + δ V^⊤) + f''(z) ⊙ R(z) ⊙ δ W^⊤$
        """
        W, h, z, y, delta, slope = tape
        V, Rh, Rz = self._weights(v), [None], []  # the input does not move: its Rh is 0
        for i in range(len(W)):
            Rz.append(h[i] @ V[i])
            if i > 0:
                Rz[i] += Rh[i] @ W[i]
            if i + 1 < len(W):
                Rh.append(append_column(slope[i] * Rz[i], 0))
        Rdelta = self.loss_fn.hvp(z[-1], y, Rz[-1])
        product = np.empty((*Rdelta.shape[:-2], self.n_params), Rdelta.dtype)
        RgW = self._weights(product)
        for i in reversed(range(1, len(W))):
            sum_of_products(Rh[i], delta[i], h[i], Rdelta, out=RgW[i])
            Wt, Vt = (transpose(without_biases(weights)) for weights in (W[i], V[i]))
            Rdelta = matmul(Rdelta, Wt)
            Rdelta += matmul(delta[i], Vt)
            Rdelta *= slope[i - 1]
            curvature = self.activation_fn.curvature(z[i - 1])
            if isinstance(curvature, np.ndarray) or curvature != 0:
                Rdelta += curvature * Rz[i - 1] * matmul(delta[i], Wt)
        np.matmul(transpose(h[0]), Rdelta, out=RgW[0])
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
