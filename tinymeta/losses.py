"""The two losses, each as three functions of the network's outputs.

    value(out, y)           the loss                                    (...)
    delta(out, y)           its gradient in the outputs                 (..., K, d)
    Rdelta(out, y, Rout)    how that gradient changes as the outputs
                            move along Rout: (loss'' in out) Rout       (..., K, d)

Both are means over the K points (mean squared error: over the d outputs too), so a gradient
does not grow with the number of points. All of it works for complex outputs, which lets
`tinymeta.checks.complex_step` differentiate it: no abs, no conj, comparisons on the real part.
"""

from typing import Callable, NamedTuple

import numpy as np


class Loss(NamedTuple):
    """A loss as the three functions that the module's text names."""

    value: Callable
    delta: Callable
    Rdelta: Callable


def mse_value(out, y):
    residual = out - y
    residual *= residual
    total = np.add.reduce(residual, (-2, -1), keepdims=True)
    total /= y.shape[-2] * y.shape[-1]  # still an array: NumPy 1 would widen a float32 scalar
    return total[..., 0, 0]


def mse_delta(out, y):
    delta = out - y
    delta *= 2.0 / (y.shape[-2] * y.shape[-1])
    return delta


def mse_Rdelta(out, y, Rout):
    return Rout * (2.0 / (y.shape[-2] * y.shape[-1]))


def softmax(out):
    """exp(out) over its sum along the last axis; the largest is subtracted first, so nothing
    overflows."""
    e = np.exp(out - out.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy_value(out, y):
    shifted = out - out.real.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.add.reduce(y * log_p / -y.shape[-2], (-2, -1))


def cross_entropy_delta(out, y):
    return (softmax(out) - y) / y.shape[-2]


def cross_entropy_Rdelta(out, y, Rout):
    p = softmax(out)
    return p * (Rout - (p * Rout).sum(axis=-1, keepdims=True)) / y.shape[-2]


LOSSES = {
    "mse": Loss(mse_value, mse_delta, mse_Rdelta),
    "cross_entropy": Loss(cross_entropy_value, cross_entropy_delta, cross_entropy_Rdelta),
}
