"""Tasks to learn from: batches of support and query points, and the sine waves of the two papers.

Any object with the method `sample` is a task distribution; the docstring of
`tinymeta.meta_train` says which arguments it gets. Shapes: see the legend in tinymeta.mlp.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import _validate


class TaskBatch(NamedTuple):
    """Hold tasks side by side: the support points, on which one adapts (the post's "training
    set"), and the query points, on which one is judged (its "test set").

    Parameters
    ----------
    x_support : array (..., T, K, d_in)
    y_support : array (..., T, K, d_out)
    x_query : array (..., T, K_query, d_in)
    y_query : array (..., T, K_query, d_out)
        Support and query set have the same tasks; their numbers of points may differ.

    Examples
    --------
    >>> x = np.arange(6.0).reshape(1, 6, 1)  # one task, six points
    >>> batch = TaskBatch(x[:, :4], 2 * x[:, :4], x[:, 4:], 2 * x[:, 4:])
    >>> batch.x_query.ravel().tolist(), batch.y_query.ravel().tolist()
    ([4.0, 5.0], [8.0, 10.0])
    """

    x_support: np.ndarray
    y_support: np.ndarray
    x_query: np.ndarray
    y_query: np.ndarray

    def swap_support_query(self):
        """Return the same tasks with support and query set exchanged.

        Returns
        -------
        batch : TaskBatch
            Its arrays are those of this batch.

        Examples
        --------
        >>> batch = SineTasks().sample(np.random.default_rng(0), n_tasks=3, shots=5, query=2)
        >>> batch.swap_support_query().x_support.shape
        (3, 2, 1)
        """
        return TaskBatch(self.x_query, self.y_query, self.x_support, self.y_support)

    def split_points(self, n):
        """Return n batches of the same tasks: the first has the points 0, n, 2 n, ... of the
        support and of the query set, the second the points 1, n + 1, ...

        Parameters
        ----------
        n : int
            The number of batches, 1 or more.

        Returns
        -------
        batches : list of n TaskBatch
            Their arrays are views of those of this batch.

        Raises
        ------
        ValueError
            If n is not a whole number of at least 1.

        Examples
        --------
        >>> x = np.arange(6.0).reshape(1, 6, 1)
        >>> [b.x_support.ravel().tolist() for b in TaskBatch(x, x, x, x).split_points(2)]
        [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
        """
        return [
            TaskBatch(*(array[..., i::n, :] for array in self))
            for i in range(_validate.check_count("n", n))
        ]

    def merge_support_query(self):
        """Return the same tasks with all points in the support set, and in the query set too, so
        that methods without a query set see the same number of points as MAML.

        Returns
        -------
        batch : TaskBatch

        Examples
        --------
        >>> batch = SineTasks().sample(np.random.default_rng(0), n_tasks=3, shots=5, query=2)
        >>> [array.shape for array in batch.merge_support_query()]
        [(3, 7, 1), (3, 7, 1), (3, 7, 1), (3, 7, 1)]
        """
        x = np.concatenate((self.x_support, self.x_query), axis=-2)
        y = np.concatenate((self.y_support, self.y_query), axis=-2)
        return TaskBatch(x, y, x, y)

    def split_tasks(self, n_tasks):
        """Yield the batch in pieces of at most n_tasks tasks, in order: small arrays stay in the
        processor's cache.

        Parameters
        ----------
        n_tasks : int
            The largest number of tasks in a piece, 1 or more.

        Yields
        ------
        batch : TaskBatch
            Its arrays are views of those of this batch.

        Raises
        ------
        ValueError
            If n_tasks is not a whole number of at least 1.

        Examples
        --------
        >>> batch = SineTasks().sample(np.random.default_rng(0), n_tasks=5, shots=10)
        >>> [len(piece.x_support) for piece in batch.split_tasks(2)]
        [2, 2, 1]
        """
        n_tasks = _validate.check_count("n_tasks", n_tasks)
        for start in range(0, self.x_support.shape[-3], n_tasks):
            yield TaskBatch(*(array[..., start : start + n_tasks, :, :] for array in self))


@dataclass(frozen=True)
class SineTasks:
    """Sample tasks y = a sin(x + b), with a, b and x uniform over their ranges.

    The defaults are the post's; the MAML paper draws its phase from (0, pi) instead.

    Parameters
    ----------
    amplitude : (low, high)
        The range of a.
    phase : (low, high)
        The range of b, in radians.
    x_range : (low, high)
        The range of x, in radians.

    Raises
    ------
    ValueError
        If a range is not two finite numbers, the lower one first.

    Examples
    --------
    >>> tasks = SineTasks(amplitude=(2.0, 2.0), phase=(0.0, 0.0))  # one task, 2 sin x
    >>> batch = tasks.sample(np.random.default_rng(0), n_tasks=4, shots=10)
    >>> batch.x_support.shape
    (4, 10, 1)
    >>> bool(np.allclose(batch.y_support, 2 * np.sin(batch.x_support)))
    True

    Source: Finn et al. 2017, section 5.1.
    """

    amplitude: tuple = (0.1, 5.0)
    phase: tuple = (0.0, 2 * np.pi)
    x_range: tuple = (-5.0, 5.0)

    def __post_init__(self):
        for name, value in vars(self).items():
            _validate.check_range(name, value)

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a batch of new tasks.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_tasks : int or tuple
            The number of tasks T; (S, T) for S replicas with tasks of their own.
        shots : int
            The number of support points of each task.
        query : int, optional
            The number of query points, by default as many as support points.
        grid : bool
            Space the query points evenly over x_range instead of drawing them.

        Returns
        -------
        batch : TaskBatch
            Arrays (T, K, 1), or (S, T, K, 1).

        Raises
        ------
        ValueError
            If rng is not a Generator, or a number is not a whole number of at least 1 (query: 0).

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> batch = SineTasks().sample(rng, (2, 3), shots=4, query=5, grid=True)
        >>> batch.y_support.shape, batch.x_query[0, 0, :, 0].tolist()
        ((2, 3, 4, 1), [-5.0, -2.5, 0.0, 2.5, 5.0])
        """
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
    """Take several meta-steps on the same points: each call to `sample` returns the next view of
    the same batch, until all have been returned; then a new batch is sampled. A call with other
    arguments (a callback's, say) has batches of its own.

    Create a new instance for every training run.

    Parameters
    ----------
    tasks : task distribution
        Any object with the method `sample`.
    views : function
        Called with a TaskBatch, it returns a list of them: its views, in order.

    Examples
    --------
    >>> views = Views(SineTasks(), lambda batch: [batch, batch.swap_support_query()])
    >>> rng = np.random.default_rng(0)
    >>> first, second = (views.sample(rng, n_tasks=3, shots=5) for _ in range(2))
    >>> second.x_support is first.x_query
    True
    """

    def __init__(self, tasks, views):
        self.tasks = _validate.check_method("tasks", tasks, "sample", "SineTasks()")
        if not callable(views):
            raise TypeError(f"views: expected a function of a TaskBatch; got {views!r}")
        self.views, self._waiting = views, {}

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return the next view of the batch that was last sampled with these arguments, or the
        first one of a new batch.

        Parameters, returns and errors are those of `SineTasks.sample`."""
        request = (*_validate.as_task_axes(rng, n_tasks, shots, query), bool(grid))
        if not self._waiting.get(request):
            batch = self.tasks.sample(rng, n_tasks, shots, query, grid)
            self._waiting[request] = [*self.views(batch)]
            if not self._waiting[request]:
                raise ValueError("views: expected at least one TaskBatch; got none")
        first, *self._waiting[request] = self._waiting[request]
        return first

    def state(self):
        """Return a dict of the views that are waiting, and of the state of the tasks, if they have
        one: a training that is resumed in the middle of a batch's views needs both.

        Examples
        --------
        >>> rng, views = np.random.default_rng(0), Views(SineTasks(), lambda batch: [batch, batch])
        >>> batch = views.sample(rng, n_tasks=3, shots=5)
        >>> again = Views(SineTasks(), lambda batch: [batch, batch])
        >>> again.restore(views.state())
        >>> np.array_equal(again.sample(rng, n_tasks=3, shots=5).x_query, batch.x_query)
        True
        """
        own = self.tasks.state() if _validate.has_state(self.tasks) else None
        waiting = [
            (request, [(b.x_support, b.y_support, b.x_query, b.y_query) for b in batches])
            for request, batches in self._waiting.items()
        ]
        return {"waiting": waiting, "tasks": own}

    def restore(self, state):
        """Set the views that are waiting, and the state of the tasks, to those of a `state()`.

        Raises
        ------
        ValueError
            If the state is not one of a Views.
        """
        try:
            waiting = {
                request: [TaskBatch(*view) for view in views] for request, views in state["waiting"]
            }
            own = state["tasks"]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"state: expected a state of Views; got another one: {error}"
            ) from None
        if (own is not None) != _validate.has_state(self.tasks):
            raise ValueError("state: expected a state of Views of the same tasks")
        if own is not None:
            self.tasks.restore(own)
        self._waiting = waiting
