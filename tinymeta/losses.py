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


def softmax(outputs):
    """Return exp(outputs) over its sum along the last axis. The largest output is subtracted first,
    so that nothing overflows."""
    e = np.exp(outputs - outputs.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy_value(outputs, y):
    shifted = outputs - outputs.real.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.add.reduce(y * log_p / -y.shape[-2], (-2, -1))


def cross_entropy_grad(outputs, y):
    return (softmax(outputs) - y) / y.shape[-2]


def cross_entropy_hvp(outputs, y, Routputs):
    p = softmax(outputs)
    return p * (Routputs - (p * Routputs).sum(axis=-1, keepdims=True)) / y.shape[-2]


LOSSES = {
    "mse": Loss(mse_value, mse_grad, mse_hvp),
    "cross_entropy": Loss(cross_entropy_value, cross_entropy_grad, cross_entropy_hvp),
}
