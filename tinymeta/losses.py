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
    return total / total.dtype.type(n)  # NumPy 1 would widen a float32 scalar by an int


def mse_grad(outputs, y):
    return 2.0 / (y.shape[-2] * y.shape[-1]) * (outputs - y)


def mse_hvp(outputs, y, Routputs):
    """Return the derivative of mse_grad along Routputs, which is the same for all outputs."""
    return 2.0 / (y.shape[-2] * y.shape[-1]) * Routputs


# Where a classifier is sure of a class, its probability is 1 minus something tiny, and what is left
# must not be the difference of two numbers near 1: sums run over the other classes instead.
# exp of a large difference is 0, and right; a difference of infinities is nan, and says so itself
quiet = np.errstate(over="ignore", under="ignore", invalid="ignore")


def over_classes(a):
    """Return the sum over the last axis, which is kept."""
    return np.add.reduce(a, -1, keepdims=True)


def largest(outputs):
    """Return the largest output of each point (of complex ones, the largest real part decides)."""
    return np.maximum.reduce(outputs, -1, keepdims=True)


def softmax(outputs):
    """Return exp(outputs) over its sum along the last axis. The largest output is subtracted first,
    so that nothing overflows."""
    e = np.exp(outputs - largest(outputs))
    return e / over_classes(e)


@quiet
def cross_entropy_value(outputs, y):
    """Return the mean over the points of -log p of the true class, for y in one-hot rows, which is
    log(1 + the sum over the others of exp(d)), with d the output less that of the true class."""
    d = outputs - over_classes(outputs * y)
    top = largest(d).real  # 0, or that of a likelier class
    others = over_classes((1 - y) * np.exp(d - top))
    losses = top + np.log1p(np.expm1(-top) + others)
    return np.add.reduce(losses / y.shape[-2], (-2, -1))


@quiet
def cross_entropy_grad(outputs, y):
    """Return softmax - y, which for the true class is minus the sum over the other classes."""
    others = (1 - y) * softmax(outputs)
    return (others - y * over_classes(others)) / y.shape[-2]


@quiet
def cross_entropy_hvp(outputs, y, Routputs):
    """Return p (Routputs - sum p Routputs), with the Routputs of the likeliest class subtracted
    first: it changes nothing but rounding."""
    p, likeliest = softmax(outputs), (outputs == largest(outputs)).astype(outputs.dtype)
    R = Routputs - over_classes(likeliest * Routputs) / over_classes(likeliest)
    return p * (R - over_classes(p * R)) / y.shape[-2]


LOSSES = {
    "mse": Loss(mse_value, mse_grad, mse_hvp),
    "cross_entropy": Loss(cross_entropy_value, cross_entropy_grad, cross_entropy_hvp),
}
