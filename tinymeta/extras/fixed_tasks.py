"""A fixed pool of tasks to train on, for any task distribution: what if there are only so many?

few = FixedTasks(SineTasks(), rng, n_tasks=10)      # ten sine waves, drawn once
few.sample(rng, n_tasks=1, shots=5)                 # one of them, at new points
"""

import math

import numpy as np

from .. import _validate
from ..tasks import FunctionTasks, SineTasks, TaskBatch, choose, refuse_grid


class FixedTasks:
    """Sample from tasks that were drawn once: each task of a batch is any of them, with equal
    chances, at points that are new.

    Those of SineTasks and FunctionTasks are new in every batch, as is their noise. Of any other
    distribution some points of each task are drawn once and kept, and a batch splits as many of
    these as it needs at random into support and query set.

    Parameters
    ----------
    tasks : task distribution
        Any object with the method `sample`.
    rng : numpy.random.Generator
        The source of the tasks.
    n_tasks : int or tuple
        How many; (S, n) for n tasks of its own for each of S replicas.
    points : int, optional
        How many points of each task are kept (of each class, where shots are counted by class);
        only where the points are not new in every batch.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what is described here.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch = FixedTasks(SineTasks(), rng, n_tasks=1).sample(rng, n_tasks=2, shots=5)
    >>> features = np.concatenate((np.sin(batch.x_support), np.cos(batch.x_support)), axis=-1)
    >>> first, second = np.linalg.pinv(features) @ batch.y_support  # a sin(x + b) has two weights
    >>> np.allclose(first, second), np.allclose(features[0], features[1])
    (True, False)
    """

    def __init__(self, tasks, rng, n_tasks, points=None):
        _validate.check_method("tasks", tasks, "sample", "SineTasks()")
        lead, *_ = _validate.as_task_axes(rng, n_tasks, 1, None)
        self._replicas, self._n = lead[:-1], lead[-1]
        first = self._n * np.arange(math.prod(self._replicas))  # a replica's tasks are in one row
        self._first = first.reshape(*self._replicas, 1)
        if isinstance(tasks, SineTasks):
            ranges = {"amplitude": tasks.amplitude, "phase": tasks.phase}
            tasks = FunctionTasks(sine, ranges, tasks.x_range)
        self._functions, self.many_at_once = None, False
        if isinstance(tasks, FunctionTasks):
            if points is not None:
                raise ValueError(
                    f"points: expected None, as {tasks!r} has new points in every batch; got "
                    f"{points!r}"
                )
            self._pool, self.f = draw_parameters(tasks, rng, lead), tasks.f
            # the parameter is a place in the pool, of which f takes the whole part
            self._functions = FunctionTasks(
                self._values, {"task": (0, self._n)}, tasks.x_range, tasks.noise
            )
            self.many_at_once = self._functions.many_at_once
        else:
            self._points = _validate.check_count("points", points)
            batch = tasks.sample(rng, n_tasks, self._points, 0)
            self._pool = [
                locked(array).reshape(-1, *np.shape(array)[-2:])
                for array in (batch.x_support, batch.y_support)
            ]

    def _values(self, x, task):
        rows = task.astype(int) + self._first[..., None, None]
        return self.f(x, *(parameter[rows] for parameter in self._pool))

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a batch of the tasks; one may be in it several times.

        Parameters, returns and errors are those of the wrapped distribution's sample; besides,
        n_tasks has to be (..., S, T) where there are S replicas with tasks of their own, and shots
        + query may not exceed the points that are kept."""
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        known = len(self._replicas)
        if lead[len(lead) - 1 - known : -1] != self._replicas:
            raise ValueError(
                f"n_tasks: expected (..., {str(self._replicas)[1:-1]} T), as each replica has "
                f"tasks of its own; got {n_tasks}"
            )
        if self._functions is not None:
            return self._functions.sample(rng, lead, shots, query, grid)
        refuse_grid(grid)
        if shots + query > self._points:
            raise ValueError(
                f"shots: expected at most {self._points} support and query points together, those "
                f"that are kept of each task; got {shots} + {query}"
            )
        task = rng.integers(self._n, size=lead) + self._first
        rows = choose(rng, self._points, lead, shots + query)
        x, y = self._pool
        group = x.shape[1] // self._points  # a point of each class, where shots are counted so
        rows = (group * rows[..., None] + np.arange(group)).reshape(*lead, -1)
        ends = slice(shots * group), slice(shots * group, None)
        return TaskBatch(*(a[task[..., None], rows[..., end]] for end in ends for a in (x, y)))

    def state(self):
        """Return a dict of the tasks, for a checkpoint: a training that is resumed goes on with the
        same ones.

        Examples
        --------
        >>> few, again = (FixedTasks(SineTasks(), np.random.default_rng(i), 10) for i in range(2))
        >>> again.restore(few.state())
        >>> batches = [tasks.sample(np.random.default_rng(2), 3, shots=5) for tasks in (few, again)]
        >>> np.array_equal(batches[0].y_query, batches[1].y_query)
        True
        """
        return {"pool": self._pool}  # arrays that nobody can write to

    def restore(self, state):
        """Set the tasks to those of a `state()`.

        Raises
        ------
        ValueError
            If the state is not one of as many tasks of the same kind.
        """
        try:
            pool = [locked(array) for array in state["pool"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"state: expected a state of FixedTasks; got another one: {error}"
            ) from None
        looks = [[(array.shape, array.dtype) for array in arrays] for arrays in (self._pool, pool)]
        if looks[0] != looks[1]:
            raise ValueError(f"state: expected a state of arrays {looks[0]}; got {looks[1]}")
        self._pool = pool


def locked(array):
    """Return a copy that cannot be written to."""
    array = np.array(array)
    array.setflags(write=False)
    return array


def sine(x, amplitude, phase):
    return amplitude * np.sin(x + phase)


def draw_parameters(tasks, rng, lead):
    """Return the parameters of new FunctionTasks as a list of arrays (n,), flat: those with which
    they call their function."""
    drawn = []

    def keep(x, *parameters):
        drawn.extend(locked(parameter).ravel() for parameter in parameters)
        return x[..., :1]

    FunctionTasks(keep, tasks.parameters, tasks.x_range).sample(rng, lead, 1, 0)
    return drawn
