"""Example tasks that several lessons look at."""

import numpy as np

from .. import _validate
from ..tasks import TaskBatch


def sine_examples(rng, shots):
    """One wave to look at, 3 sin(x + 1), as {title: TaskBatch of one task}: support points from
    anywhere, and the same points all moved to the right side; 200 evenly spaced query points trace
    the wave."""
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
    """The task with only those of its query points kept that are left of 0."""
    left = task.x_query[0, :, 0] < 0
    return task._replace(x_query=task.x_query[:, left], y_query=task.y_query[:, left])
