"""The two losses, each as three functions of the network's outputs (..., K, d) and of y, which has
the same shape.

    value(outputs, y)             the loss                                              (...)
    grad(outputs, y)              its gradient with respect to the outputs              (..., K, d)
    hvp(outputs, y, Routputs)     its Hessian with respect to the outputs, times the    (..., K, d)
                                  direction Routputs (..., K, d)

To add one is to add an entry: `LOSSES["mine"] = (value, grad, hvp)`. All of it works for complex
outputs, which lets `tinymeta.checks.complex_step` differentiate it: no abs, no conj, comparisons on
the real part. Both losses are means over the K points (mean squared error: over the d outputs too),
so that a gradient does not grow with the number of points.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Loss(NamedTuple):
    """A loss: its value, gradient and Hessian-vector product with respect to the outputs."""

    value: Callable
    grad: Callable
    hvp: Callable


def mse_value(outputs, y):
    total, n = np.add.reduce(np.square(outputs - y), (-2, -1)), y.shape[-2] * y.shape[-1]
    return np.divide(total, n, dtype=total.dtype)  # NumPy 1 would widen a float32 scalar


def mse_grad(outputs, y):
    return 2.0 / (y.shape[-2] * y.shape[-1]) * (outputs - y)


def mse_hvp(outputs, y, Routputs):
    """Return the derivative of mse_grad along Routputs, which is the same for all outputs."""
    return 2.0 / (y.shape[-2] * y.shape[-1]) * Routputs


# Where a classifier is sure of a class, its probability is 1 minus something tiny, and what is left
# must not be the difference of two numbers near 1: sums run over the other classes instead.
quiet = np.errstate(over="ignore", under="ignore")  # exp of what is far apart is 0, and right


@quiet
def softmax(outputs):
    """Return exp(outputs) over its sum along the last axis. The largest output is subtracted first
    (of complex ones, that with the largest real part), so that nothing overflows."""
    e = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@quiet
def cross_entropy_value(outputs, y):
    """Return the mean over the points of -log p of the true class, for y in one-hot rows: of
    log(1 + the sum over the others of exp(d)), where d is the output less that of the true class."""
    true = np.where(y == 1, outputs, 0).sum(axis=-1, keepdims=True)
    d = outputs - true
    most = np.minimum(d.real.max(axis=-1, keepdims=True), np.finfo(y.dtype).max)  # 0, or a rival's
    others = np.where(y == 1, 0, np.exp(d - most)).sum(axis=-1, keepdims=True)
    losses = most + np.log1p(np.expm1(-most) + others)
    return np.add.reduce(losses / y.shape[-2], (-2, -1))


@quiet
def cross_entropy_grad(outputs, y):
    """Return softmax - y, which for the true class is minus the sum over the other classes."""
    others = np.where(y == 1, 0, softmax(outputs))
    return (others - y * others.sum(axis=-1, keepdims=True)) / y.shape[-2]


@quiet
def cross_entropy_hvp(outputs, y, Routputs):
    """Return p (Routputs - sum p Routputs), with the Routputs of the most likely class subtracted
    first: it changes nothing but rounding."""
    likeliest = outputs.argmax(axis=-1)[..., None]
    likeliest = np.broadcast_to(likeliest, (*Routputs.shape[:-1], 1))
    p, R = softmax(outputs), Routputs - np.take_along_axis(Routputs, likeliest, axis=-1)
    return p * (R - (p * R).sum(axis=-1, keepdims=True)) / y.shape[-2]


LOSSES = {
    "mse": Loss(mse_value, mse_grad, mse_hvp),
    "cross_entropy": Loss(cross_entropy_value, cross_entropy_grad, cross_entropy_hvp),
}
