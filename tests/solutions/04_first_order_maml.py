"""A solution of exercise 4."""

import numpy as np


def first_order_maml_grad(model, theta, batch, inner_lr, inner_steps):
    each = []
    for x, y, x_query, y_query in zip(*batch):
        adapted = theta
        for _ in range(inner_steps):
            adapted = adapted - inner_lr * model.grad(adapted, x, y)
        each.append(model.grad(adapted, x_query, y_query))
    return np.mean(each, axis=0)


FIRST_TO_FAIL = "1 inner step"
BY = 0.29
