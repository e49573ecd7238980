"""A multilayer perceptron by hand: forward, backward, and the Hessian-vector product.

What you can do with it: lay each of the three beside its derivation. A model holds shapes and no
parameters; all of those are one vector theta, so that an algorithm on parameters is an algorithm on
vectors.

Legend, for every docstring of the package:

    P     parameters              T     tasks                  ...   any leading axes
    K     points                  S     replicas (independent seeds)

    h     input of a layer: (..., K, d_in); that of the first layer is x
    W, b  its parameters: (..., d_in, d_out) and (..., d_out)
    z     = h W + b: (..., K, d_out); the next layer's h is f(z), the last layer's z is the output
    slope = f'(z), which is also the derivative of the next h in z
    delta = the loss's derivative in z
    Rq    how any quantity q changes as theta moves along v (the R-operator): d/dr q(theta + r v) at r = 0
"""

import functools

import numpy as np

from . import _validate
from .losses import LOSSES


def relu(z):
    """f(z), in z's place, and f'(z); z.real, so that a complex step passes through."""
    slope = (z.real > 0).astype(z.dtype)
    z *= slope
    return z, slope


def tanh(z):
    """f(z), in z's place, and f'(z) = 1 - f(z)^2."""
    h = np.tanh(z, out=z)
    return h, 1.0 - h * h


ACTIVATIONS = {"relu": relu, "tanh": tanh}


def transpose(a):
    return a.swapaxes(-1, -2)


def matmul(h, W):
    """h W; over one inner dimension it is an outer product, for which NumPy's matmul has no quick
    road."""
    if W.shape[-2] == 1:
        return h * W
    return h @ W


@functools.cache
def row_of_ones(length, dtype):
    ones = np.ones((1, length), dtype)
    ones.setflags(write=False)
    return ones


def stack(a, b):
    """a above b along the points."""
    if a.shape[:-2] != b.shape[:-2]:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (np.broadcast_to(q, (*lead, *q.shape[-2:])) for q in (a, b))
    return np.concatenate((a, b), axis=-2)


class Tape:
    """What forward leaves for backward, and both for rop: lists with one entry a layer."""

    __slots__ = ("layers", "h", "slope", "out", "y", "delta")


class MLP:
    """A fully connected network: `sizes` gives the width of the input, of each hidden layer and of
    the output.

    activation: "relu" or "tanh", on the hidden layers; criterion: "mse" or "cross_entropy" (y in
    one-hot rows)."""

    def __init__(self, sizes, activation="relu", criterion="mse"):
        self.sizes = _validate.as_sizes(sizes)
        self.activation = _validate.check_choice("activation", activation, ACTIVATIONS)
        self.criterion = _validate.check_choice("criterion", criterion, LOSSES)
        self._f, self.losses = ACTIVATIONS[activation], LOSSES[criterion]
        self._places, end = [], 0
        for d_in, d_out in zip(self.sizes, self.sizes[1:]):
            start, middle, end = end, end + d_in * d_out, end + (d_in + 1) * d_out
            self._places.append((slice(start, middle), slice(middle, end), d_in, d_out))
        self.n_params = end

    def __repr__(self):
        return (
            f"MLP({list(self.sizes)}, activation={self.activation!r}, criterion={self.criterion!r})"
        )

    def init(self, rng, dtype=np.float64, scheme="uniform"):
        """A fresh theta (P,): W and b from U(-1, 1)/sqrt(fan_in), the default of PyTorch's linear
        layers; scheme="truncated_normal": W of standard deviation 0.01 redrawn beyond two of them,
        b = 0 (Finn et al. 2017)."""
        _validate.check_choice("scheme", scheme, ("uniform", "truncated_normal"))
        _validate.check_generator(rng)
        theta = np.zeros(self.n_params)
        for W, b in self.unpack(theta):
            if scheme == "uniform":
                W[...], b[...] = (rng.uniform(-1, 1, p.shape) / len(W) ** 0.5 for p in (W, b))
            else:
                W[...] = rng.standard_normal(W.shape)
                while (far := abs(W) > 2).any():
                    W[far] = rng.standard_normal(far.sum())
                W *= 0.01
        return theta.astype(dtype)

    def unpack(self, theta):
        """The (W, b) of every layer, as views of theta (..., P): W (..., d_in, d_out), b (...,
        d_out)."""
        lead = theta.shape[:-1]
        return [
            (theta[..., w].reshape(*lead, d_in, d_out), theta[..., b])
            for w, b, d_in, d_out in self._places
        ]

    # The three passes. They take arrays of one dtype and check nothing: the methods below them do.

    def forward(self, theta, x):
        """z = h W + b and h = f(z), layer after layer; returns the tape, its `out` (..., K,
        d_out)."""
        tape = Tape()
        tape.layers, tape.h, tape.slope = self.unpack(theta), [x], [None]
        for W, b in tape.layers:
            z = matmul(tape.h[-1], W)
            z += b[..., None, :]
            if len(tape.h) < len(tape.layers):
                h, slope = self._f(z)
                tape.h.append(h)
                tape.slope.append(slope)
        tape.out = z
        return tape

    def backward(self, tape, y):
        """delta from the last layer to the first, W's gradient h^T delta, b's the sum of delta;
        returns them as (..., P)."""
        delta = self.losses.delta(tape.out, y)
        tape.y, tape.delta = y, [delta]
        grad = np.empty((*delta.shape[:-2], self.n_params), delta.dtype)
        ones = row_of_ones(delta.shape[-2], delta.dtype)  # b is the weight of a constant input 1
        for l, (gW, gb) in reversed([*enumerate(self.unpack(grad))]):
            np.matmul(transpose(tape.h[l]), delta, out=gW)
            np.matmul(ones, delta, out=gb[..., None, :])
            if l > 0:
                delta = matmul(delta, transpose(tape.layers[l][0]))
                delta *= tape.slope[l]
                tape.delta.insert(0, delta)
        return grad

    def rop(self, tape, v):
        """R of both passes along v (..., P): the Hessian of the tape's loss times v (Pearlmutter
        1994), as (..., P)."""
        directions, Rh, Rz = self.unpack(v), [None], []  # the input x does not move
        # R-forward, by the product rule:  z = h W + b  gives  Rz = h V + Vb + Rh W,  and  h = f(z)
        # gives  Rh = f'(z) Rz
        for l, (V, Vb) in enumerate(directions):
            Rz.append(matmul(tape.h[l], V))
            Rz[l] += Vb[..., None, :]
            if l > 0:
                Rz[l] += matmul(Rh[l], tape.layers[l][0])
            if l + 1 < len(directions):
                Rh.append(tape.slope[l + 1] * Rz[l])
        # R-backward, likewise:  gW = h^T delta  gives  h^T Rdelta + Rh^T delta,  one product of
        # what is stacked
        Rdelta = self.losses.Rdelta(tape.out, tape.y, Rz[-1])
        product = np.empty((*Rdelta.shape[:-2], self.n_params), Rdelta.dtype)
        ones = row_of_ones(Rdelta.shape[-2], Rdelta.dtype)
        for l, (RgW, Rgb) in reversed([*enumerate(self.unpack(product))]):
            np.matmul(ones, Rdelta, out=Rgb[..., None, :])
            if l == 0:  # Rh = 0
                np.matmul(transpose(tape.h[0]), Rdelta, out=RgW)
                break
            np.matmul(transpose(stack(tape.h[l], Rh[l])), stack(Rdelta, tape.delta[l]), out=RgW)
            Rdelta = matmul(Rdelta, transpose(tape.layers[l][0]))
            Rdelta += matmul(tape.delta[l], transpose(directions[l][0]))
            Rdelta *= tape.slope[l]
            # f''(z) Rz (delta W^T); f'' = -2 f f', and the delta before has that f'
            if self.activation == "tanh":
                Rdelta -= 2.0 * tape.h[l] * Rz[l - 1] * tape.delta[l - 1]
        return product

    # What users call. Leading axes of theta, x and v broadcast; x and y have the same ones.

    def predict(self, theta, x):
        """The outputs (..., K, d_out) at theta (..., P) for x (..., K, d_in); for cross_entropy:
        the logits."""
        theta = _validate.as_theta(self, theta)
        return self.forward(theta, _validate.as_inputs(self, theta, x)).out

    def loss(self, theta, x, y):
        """The loss (...) at theta (..., P) on the points x (..., K, d_in), y (..., K, d_out)."""
        theta = _validate.as_theta(self, theta)
        x, y = _validate.as_points(self, theta, x, y)
        return self.losses.value(self.forward(theta, x).out, y)

    def grad(self, theta, x, y):
        """The gradient (..., P) of `loss` in theta."""
        theta = _validate.as_theta(self, theta)
        x, y = _validate.as_points(self, theta, x, y)
        return self.backward(self.forward(theta, x), y)

    def hvp(self, theta, x, y, v):
        """The Hessian of `loss` in theta times v (..., P), never forming it; v = np.eye(P) gives
        its P rows."""
        theta = _validate.as_theta(self, theta)
        x, y = _validate.as_points(self, theta, x, y)
        v = _validate.as_direction(self, theta, x, v)
        tape = self.forward(theta, x)
        self.backward(tape, y)
        return self.rop(tape, v)
