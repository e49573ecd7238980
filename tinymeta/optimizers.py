"""Outer-loop optimisers on a flat vector: each step takes theta (..., P) and returns a new one.

An optimiser is any object with a method `step(theta, grad) -> theta`; the docstring of
`tinymeta.meta_train` says what else it may have.
"""

import numpy as np

from . import _validate


class SGD:
    """Descend by theta - lr grad.

    Parameters
    ----------
    lr : float
        The rate, 0 or more.

    Raises
    ------
    ValueError
        If lr is not a finite number of at least 0.

    Examples
    --------
    >>> SGD(0.5).step(np.array([1.0, 2.0]), np.array([4.0, -2.0])).tolist()
    [-1.0, 3.0]
    """

    def __init__(self, lr):
        self.lr = _validate.as_number("lr", lr)

    def __repr__(self):
        return f"SGD({self.lr})"

    def step(self, theta, grad):
        """Return theta - lr grad.

        Parameters
        ----------
        theta : array (..., P)
        grad : array (..., P)

        Returns
        -------
        theta : array (..., P)
            A new array.

        Raises
        ------
        ValueError
            If the two shapes differ, or an entry is not a number.
        """
        theta, grad = _validate.as_theta_and_grad(theta, grad)
        return theta - self.lr * grad


class Adam:
    """Step by lr times the mean gradient divided by the root mean square gradient, both averaged
    exponentially and corrected for their start at zero.

    Adam works element by element, so that theta (S, P) is S independent optimisers. It keeps the
    two moments from step to step: take a new one for a new training.

    Parameters
    ----------
    lr : float
        The rate, 0 or more: about the size of a step in each parameter.
    beta1, beta2 : float
        The decay rates of the two averages, from 0 to below 1.
    eps : float
        Is added to the root mean square gradient.

    Raises
    ------
    ValueError
        If a constant is not a number within these limits.

    Examples
    --------
    >>> adam = Adam(lr=0.01)
    >>> adam.step(np.zeros(2), np.array([3.0, -500.0])).round(6).tolist()  # the size does not count
    [-0.01, 0.01]
    >>> adam.t
    1

    Source: Kingma & Ba 2015, algorithm 1.
    """

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = _validate.as_number("lr", lr)
        self.eps = _validate.as_number("eps", eps)
        self.beta1 = _validate.as_number("beta1", beta1, below=1)
        self.beta2 = _validate.as_number("beta2", beta2, below=1)
        self.t, self.m, self.v = 0, None, None

    def __repr__(self):
        return f"Adam({self.lr})"

    def step(self, theta, grad):
        """Return theta after one step of Adam.

        Parameters
        ----------
        theta : array (..., P)
        grad : array (..., P)

        Returns
        -------
        theta : array (..., P)
            A new array.

        Raises
        ------
        ValueError
            If the shapes differ from each other or from those of the steps before, or an entry is
            not a number.
        """
        theta, grad = _validate.as_theta_and_grad(theta, grad)
        if self.t == 0:
            self.m, self.v = np.zeros_like(grad), np.zeros_like(grad)
        if self.m.shape != grad.shape:
            raise ValueError(
                f"grad: expected the shape of the steps before, {self.m.shape}; got {grad.shape}; "
                "take a new Adam"
            )
        self.t += 1
        self.m += (1 - self.beta1) * (grad - self.m)
        self.v += (1 - self.beta2) * (grad * grad - self.v)
        # where the gradient stays 0, m decays to subnormal floats, on which arithmetic is slow
        if self.t % 100 == 0:
            self.m[abs(self.m) < 1e-30] = 0
        # m / (1 - beta1^t) over the root of v / (1 - beta2^t): both corrections in one number
        root, correction = np.sqrt(self.v), (1 - self.beta2**self.t) ** 0.5
        root += self.eps * correction
        step = self.m / root
        step *= self.lr * correction / (1 - self.beta1**self.t)
        return theta - step
