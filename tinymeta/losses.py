"""The losses, each as three functions of the network's outputs (..., K, d) and of y, which has the
same shape, or more columns: as many more as the loss says.

    value(outputs, y)             the loss                                              (...)
    grad(outputs, y)              its gradient with respect to the outputs              (..., K, d)
    hvp(outputs, y, Routputs)     its Hessian with respect to the outputs, times the    (..., K, d)
                                  direction Routputs (..., K, d)

To add one is to add an entry: `LOSSES["mine"] = (value, grad, hvp)`, with a fourth item `columns`
if y has that many more columns than there are outputs. All of it works for complex outputs, which
lets `tinymeta.checks.complex_step` differentiate it: no abs, no conj, comparisons on the real part.
All losses are means over the K points (mean squared error: over the d outputs too), so that a
gradient does not grow with the number of points. Each has a weighted one, see `weighted`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Loss(NamedTuple):
    """A loss: its value, gradient and Hessian-vector product with respect to the outputs, and the
    number of columns of y that it takes beyond them."""

    value: Callable
    grad: Callable
    hvp: Callable
    columns: int = 0


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


def weighted(loss):
    """Return the loss that multiplies the loss of each point by its weight, the last column of y.

    It is a mean over the K points as before, and weights are taken as they come: they may be
    negative and sum to 0, as those of a policy gradient do. For tasks of unequal numbers of points
    give them a mean of 1: ten points, seven of weight 10/7 and three of 0, are a task of seven. Not
    so in minibatches: each is a mean over its own points, and of weight 0 alone it is no step."""

    @quiet
    def value(outputs, y):
        losses = loss.value(outputs[..., None, :], y[..., None, :-1])  # each point by itself
        return np.add.reduce(y[..., -1] * losses / y.shape[-2], -1)

    return Loss(
        value,
        quiet(lambda outputs, y: y[..., -1:] * loss.grad(outputs, y[..., :-1])),
        quiet(lambda outputs, y, Routputs: y[..., -1:] * loss.hvp(outputs, y[..., :-1], Routputs)),
        loss.columns + 1,
    )


LOSSES = {
    "mse": Loss(mse_value, mse_grad, mse_hvp),
    "cross_entropy": Loss(cross_entropy_value, cross_entropy_grad, cross_entropy_hvp),
}
LOSSES |= {f"weighted_{name}": weighted(loss) for name, loss in LOSSES.items()}
