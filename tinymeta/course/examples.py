"""Example tasks that several lessons show."""

import numpy as np

from .. import _validate
from ..tasks import TaskBatch


def sine_examples(rng, shots):
    """Return two support sets of one wave, 3 sin(x + 1), with evenly spaced query points.

    Parameters
    ----------
    rng : numpy.random.Generator
    shots : int
        The number of support points.

    Returns
    -------
    dict of {title: TaskBatch}
        Two batches of one task each: support points from all of [-5, 5], and the same points
        mirrored to the right of 0. Both have 200 query points.

    Examples
    --------
    >>> for title, task in sine_examples(np.random.default_rng(0), 10).items():
    ...     print(title, task.x_support.shape, bool((task.x_support < 0).any()))
    10 points anywhere (1, 10, 1) True
    10 points on one side (1, 10, 1) False
    """
    anywhere = _validate.check_generator(rng).uniform(
        -5.0, 5.0, (1, _validate.check_count("shots", shots), 1)
    )
    x_query = np.linspace(-5.0, 5.0, 200)[None, :, None]
    supports = {f"{shots} points anywhere": anywhere, f"{shots} points on one side": abs(anywhere)}
    return {
        title: TaskBatch(x, 3.0 * np.sin(x + 1.0), x_query, 3.0 * np.sin(x_query + 1.0))
        for title, x in supports.items()
    }


def left_side(task):
    """Return a task, a TaskBatch with T = 1, without its query points at 0 or to the right of it.

    Raises
    ------
    ValueError
        If there is more than one task: each has query points of its own.

    Examples
    --------
    >>> task = sine_examples(np.random.default_rng(0), 10)["10 points anywhere"]
    >>> left_side(task).x_query.shape
    (1, 100, 1)
    """
    if task.x_query.shape[:-2] != (1,):
        raise ValueError(
            f"task: expected one task, arrays (1, K, d); got x_query {task.x_query.shape}"
        )
    left = task.x_query[0, :, 0] < 0
    return task._replace(x_query=task.x_query[:, left], y_query=task.y_query[:, left])
