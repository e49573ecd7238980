"""How an initialisation adapts to tasks that it has never seen."""

import numpy as np

from . import _validate
from .meta import inner_loop
from .tasks import TaskBatch


def accuracy(outputs, y):
    """Return the share (...) of points whose largest output is where y, in one-hot rows, has its 1.

    A point whose outputs are not all finite is wrong, whatever its label."""
    right = outputs.argmax(axis=-1) == y.argmax(axis=-1)
    return (right & np.isfinite(outputs).all(axis=-1)).mean(axis=-1)


def adaptation_curve(model, theta, batch, inner_lr, steps, metric="loss"):
    """Return the query loss, or accuracy, of each task after 0, 1, ... `steps` steps of adaptation.

    Diverging tasks yield inf or nan as their loss and 0 as their accuracy; no warning is raised.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)
        The initialisation; (S, P) gives the curves of S replicas, on the same batch or on one each.
    batch : TaskBatch
        T tasks, each (..., T, K, d): steps are on the support set, judgements on the query set.
    inner_lr : float or array
        The rate; an array broadcasts against theta.
    steps : int
        0 or more.
    metric : str
        "loss", or "accuracy" for tasks with classes: two outputs or more, and y in one-hot rows
        without weights.

    Returns
    -------
    curve : array (..., steps + 1, T)

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, a rate or a number of steps is negative, or
        accuracy is asked for where there are no classes.

    Examples
    --------
    >>> from tinymeta import MLP, TaskBatch
    >>> x, y = np.array([[[0.0], [1.0]]]), np.array([[[1.0], [3.0]]])  # one task, 2 x + 1
    >>> curve = adaptation_curve(MLP([1, 1]), np.zeros(2), TaskBatch(x, y, x, y), 0.5, steps=2)
    >>> curve.shape, curve[:, 0].tolist()
    ((3, 1), [5.0, 0.625, 0.15625])
    """
    theta = _validate.as_theta(model, theta)
    batch = _validate.as_batch(model, theta, batch)
    inner_lr = _validate.as_inner_lr(theta, inner_lr)
    _validate.check_count("steps", steps, least=0)
    if _validate.check_choice("metric", metric, ("loss", "accuracy")) == "loss":
        measure = model.loss_fn.value
    else:
        check_classes(model, batch)
        measure = accuracy
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


def check_classes(model, batch):
    """Raise ValueError unless the query labels are one-hot rows of at least two classes, and
    nothing else."""
    y = batch.y_query
    try:
        if y.shape[-1] < 2:
            raise ValueError(f"y_query: expected at least two classes; got shape {y.shape}")
        if _validate.extra_columns(model):  # the share of weighted points may be no share
            raise ValueError(
                f"y_query: expected {model.sizes[-1]} columns, those of the classes; got "
                f"{y.shape[-1]}, as {model.criterion} takes weights"
            )
        _validate.check_one_hot("y_query", y)
    except ValueError as error:
        raise ValueError(
            f'metric: expected "loss", as accuracy needs classes; got "accuracy", and {error}'
        ) from None
