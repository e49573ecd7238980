"""Outer-loop optimisers on a flat vector: each step returns new parameters, theta (..., P) in,
theta out."""

import numpy as np

from . import _validate


class SGD:
    """theta - lr * grad."""

    def __init__(self, lr):
        self.lr = _validate.as_number("lr", lr)

    def __repr__(self):
        return f"SGD({self.lr})"

    def step(self, theta, grad):
        theta, grad = _validate.as_theta_and_grad(theta, grad)
        return theta - self.lr * grad


class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1): a step of about lr along the mean gradient over its
    root mean square.

    Elementwise, so theta (S, P) is S independent optimisers. The two moments are kept from step to
    step."""

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.eps = _validate.as_number("lr", lr), _validate.as_number("eps", eps)
        self.beta1, self.beta2 = (
            _validate.as_number("beta1", beta1, below=1),
            _validate.as_number("beta2", beta2, below=1),
        )
        self.t, self.m, self.v = 0, None, None

    def __repr__(self):
        return f"Adam({self.lr})"

    def step(self, theta, grad):
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
        # where the gradient stays 0, m decays into subnormal numbers, at which processors are slow
        if self.t % 100 == 0:
            self.m[abs(self.m) < 1e-30] = 0
        # m / (1 - beta1^t) over the root of v / (1 - beta2^t): both corrections in one number
        root, correction = np.sqrt(self.v), (1 - self.beta2**self.t) ** 0.5
        root += self.eps * correction
        step = self.m / root
        step *= self.lr * correction / (1 - self.beta1**self.t)
        return theta - step
