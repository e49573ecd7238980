"""Tasks to learn from: batches of support and query points, and the sine waves of the two papers.

Any object with a method `sample(rng, n_tasks, shots, query=None, grid=False) -> TaskBatch` is a
task distribution."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import _validate


class TaskBatch(NamedTuple):
    """Tasks side by side: what one adapts on (support; the post's "training set") and what one is
    judged on (query; its "test set"). x (..., T, K, d_in), y (..., T, K, d_out); K may differ
    between support and query."""

    x_support: np.ndarray
    y_support: np.ndarray
    x_query: np.ndarray
    y_query: np.ndarray

    def exchanged(self):
        """The same tasks with support and query set exchanged."""
        return TaskBatch(*self[2:], *self[:2])

    def parts(self, n):
        """n batches with every n-th point each, of the support and of the query set."""
        return [
            TaskBatch(*(array[..., i::n, :] for array in self))
            for i in range(_validate.check_count("n", n))
        ]

    def joined(self):
        """All points as support points, and as query points: for algorithms that know no query set,
        to learn from as many."""
        x, y = (np.concatenate(pair, axis=-2) for pair in (self[::2], self[1::2]))
        return TaskBatch(x, y, x, y)

    def blocks(self, n_tasks):
        """The batch in pieces of at most n_tasks tasks: small arrays stay in the processor's
        cache."""
        _validate.check_count("n_tasks", n_tasks)
        for start in range(0, self.x_support.shape[-3], n_tasks):
            yield TaskBatch(*(array[..., start : start + n_tasks, :, :] for array in self))


@dataclass(frozen=True)
class SineTasks:
    """y = a sin(x + b), with a, b (in radians) and x uniform over their ranges; the post's by
    default.

    The MAML paper draws its phase from (0, pi) instead (Finn et al. 2017, section 5.1)."""

    amplitude: tuple = (0.1, 5.0)
    phase: tuple = (0.0, 2 * np.pi)
    x_range: tuple = (-5.0, 5.0)

    def __post_init__(self):
        for name, value in vars(self).items():
            _validate.check_range(name, value)

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """A TaskBatch of n_tasks (T or (S, T)) tasks with `shots` support points each and `query`
        query points, by default as many; grid=True spaces the query points evenly over x_range."""
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        u = rng.random((*lead, 2 + shots + (0 if grid else query), 1))
        low, high = self.x_range
        a = self.amplitude[0] + (self.amplitude[1] - self.amplitude[0]) * u[..., :1, :]
        b = self.phase[0] + (self.phase[1] - self.phase[0]) * u[..., 1:2, :]
        x = low + (high - low) * u[..., 2:, :]
        if grid:
            even = np.broadcast_to(np.linspace(low, high, query)[:, None], (*lead, query, 1))
            x = np.concatenate((x, even), axis=-2)
        y = a * np.sin(x + b)
        return TaskBatch(x[..., :shots, :], y[..., :shots, :], x[..., shots:, :], y[..., shots:, :])


class Views:
    """A task distribution each of whose batches is handed out in several views, one a call of
    `sample`, for as many meta-steps on the same points: views(batch) lists them, such as [batch,
    batch.exchanged()]. Take a new one for a new training."""

    def __init__(self, tasks, views):
        self.tasks, self.views, self._waiting = tasks, views, []

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """The next view of what the tasks sampled last, or the first of a new sample."""
        if not self._waiting:
            self._waiting = [*self.views(self.tasks.sample(rng, n_tasks, shots, query, grid))][::-1]
        return self._waiting.pop()
