"""How an initialisation adapts to tasks it has never seen."""

import numpy as np

from . import _validate
from .meta import inner_loop
from .tasks import TaskBatch


def accuracy(out, y):
    """The share (...) of points whose largest output is where y, in one-hot rows, has its 1."""
    return (out.argmax(axis=-1) == y.argmax(axis=-1)).mean(axis=-1)


def adaptation_curve(model, theta, batch, inner_lr, steps, metric="loss"):
    """The query loss (or "accuracy") of each task after 0, 1, ... `steps` steps on its support set:
    (..., steps + 1, T).

    theta (S, P) judges S replicas on the same batch (T, K, d), or on one each (S, T, K, d). A task
    that diverges is followed to inf or nan without a warning."""
    theta = _validate.as_theta(model, theta)
    batch = _validate.as_batch(model, theta, batch)
    inner_lr = _validate.as_inner_lr(theta, inner_lr)
    _validate.check_count("steps", steps, least=0)
    _validate.check_choice("metric", metric, ("loss", "accuracy"))
    measure = model.loss_fn.value if metric == "loss" else accuracy
    pieces = []
    with np.errstate(over="ignore", invalid="ignore"):
        for block in TaskBatch(*batch).split_tasks(20):
            support, theta_s = (block.x_support, block.y_support), theta[..., None, :]
            curve = [measure(model.forward(theta_s, block.x_query).z[-1], block.y_query)]
            for theta_s, step in inner_loop(model, theta_s, *support, inner_lr, steps):
                del step
                curve.append(measure(model.forward(theta_s, block.x_query).z[-1], block.y_query))
            pieces.append(np.stack(curve, axis=-2))
    return np.concatenate(pieces, axis=-1)
