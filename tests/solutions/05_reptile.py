"""A solution of exercise 5."""

import numpy as np


def reptile_grad(model, theta, batch, inner_lr, inner_steps):
    each = []
    for x, y, *_ in zip(*batch):
        adapted = theta
        for _ in range(inner_steps):
            adapted = adapted - inner_lr * model.grad(adapted, x, y)
        each.append((theta - adapted) / inner_lr)
    return np.mean(each, axis=0)
