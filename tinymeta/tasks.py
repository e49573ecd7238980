"""Tasks to learn from: batches of support and query points, and where they come from.

    SineTasks                               the sine waves of the two papers
    FunctionTasks                           any function with random parameters
    RegressionTasks, ClassificationTasks    arrays of data
    Views                                   several meta-steps on the same points
    Ahead                                   many batches drawn at once, for speed

Any object with the method `sample` is a task distribution; the docstring of
`tinymeta.meta_train` says which arguments it gets. Shapes: see the legend in tinymeta.mlp.
"""

import math
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

    @classmethod
    def from_points(cls, x, y, x_query=None, y_query=None):
        """Return a batch of one task.

        Parameters
        ----------
        x : array (K, d_in)
        y : array (K, d_out)
            The support points.
        x_query : array (K_query, d_in), optional
        y_query : array (K_query, d_out), optional
            The query points; by default there are none.

        Returns
        -------
        batch : TaskBatch
            Its arrays have a tasks axis with T = 1, and are copies.

        Raises
        ------
        ValueError
            If an array has other axes, x and y differ in their number of points, or only one of
            x_query and y_query is given.

        Examples
        --------
        >>> batch = TaskBatch.from_points([[0.0], [1.0]], [[1.0], [3.0]])
        >>> batch.x_support.shape, batch.x_query.shape
        ((1, 2, 1), (1, 0, 1))
        """
        if (x_query is None) != (y_query is None):
            missing = "x_query" if x_query is None else "y_query"
            raise ValueError(f"{missing}: expected x_query and y_query together; got None")
        support = _validate.as_rows("x", x, "y", y)
        if x_query is None:
            query = [array[:0] for array in support]
        else:
            query = _validate.as_rows("x_query", x_query, "y_query", y_query)
        return cls(*(array[None] for array in (*support, *query)))

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

    The defaults are the post's; the MAML paper draws its phase from (0, pi) instead. Its `sample`
    shows how one is written by hand; a `FunctionTasks` gives the same digits.

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

    many_at_once = True  # see Ahead

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
        x = u[..., 2:, :]
        x *= high - low
        x += low
        if grid:
            even = np.broadcast_to(np.linspace(low, high, query)[:, None], (*lead, query, 1))
            x = np.concatenate((x, even), axis=-2)
        y = np.sin(x + b)
        y *= a
        return TaskBatch(x[..., :shots, :], y[..., :shots, :], x[..., shots:, :], y[..., shots:, :])


class FunctionTasks:
    """Sample tasks y = f(x, *parameters), with the parameters of a task drawn at random and x
    uniform over its range.

    Parameters
    ----------
    f : function
        `f(x, *parameters)` returns y (..., K, d_out) for x (..., K, d_in) and parameters that are
        (..., 1, 1) each, so that plain NumPy expressions work: the last axis is the inputs'. It
        must not write to x.
    parameters : dict or function
        The range (low, high) of each parameter, from which it is drawn uniformly; f gets them in
        this order. Or a function of a Generator and a shape (..., 1, 1), which returns a list of
        arrays of that shape.
    x_range : (low, high) or list of them
        The range of x; one for each input, if there are several.
    noise : float
        The standard deviation of the normal noise on y, all columns of it; points of a grid have
        none.

    Raises
    ------
    ValueError, TypeError
        If a range is not two finite numbers, the lower one first, or f or parameters is not what is
        described here.

    Examples
    --------
    >>> lines = FunctionTasks(lambda x, slope, offset: slope * x + offset,
    ...                       {"slope": (-2, 2), "offset": (-2, 2)}, x_range=(-1, 1))
    >>> batch = lines.sample(np.random.default_rng(0), n_tasks=4, shots=5)
    >>> batch.x_support.shape, batch.y_support.shape
    ((4, 5, 1), (4, 5, 1))
    >>> waves = FunctionTasks(lambda x, a: a * np.sin(x[..., :1]) * x[..., 1:],
    ...                       {"a": (1, 2)}, x_range=[(-3, 3), (0, 1)], noise=0.1)
    >>> waves.sample(np.random.default_rng(0), n_tasks=4, shots=5).x_support.shape
    (4, 5, 2)
    """

    def __init__(self, f, parameters, x_range, noise=0.0):
        if not callable(f):
            raise TypeError(f"f: expected a function f(x, *parameters); got {f!r}")
        if not callable(parameters):
            if not isinstance(parameters, dict):
                raise TypeError(
                    "parameters: expected a dict of ranges, such as {'slope': (-2, 2)}, or a "
                    f"function of a Generator and a shape; got {parameters!r}"
                )
            for name, bounds in parameters.items():
                _validate.check_range(f"parameters[{name!r}]", bounds)
        self.f, self.parameters, self.x_range = f, parameters, x_range
        self.noise = _validate.as_number("noise", noise)
        # one call for many batches draws the numbers of many calls; see Ahead
        self.many_at_once = self.noise == 0 and not callable(parameters)
        self._x_ranges = _validate.as_ranges("x_range", x_range)
        self._x_low, self._x_width = low_and_width(self._x_ranges)
        ranges = [] if callable(parameters) else [*parameters.values()]
        self._low, self._width = (end[:, None] for end in low_and_width(ranges))

    def __repr__(self):
        name = getattr(self.f, "__name__", repr(self.f))
        return f"FunctionTasks({name}, {self.parameters}, {self.x_range}, noise={self.noise})"

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a batch of new tasks.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_tasks : int or tuple
            The number of tasks T; (S, T) for S replicas with tasks of their own.
        shots, query : int
            The numbers of support and query points, by default equal.
        grid : bool
            Space the query points evenly over x_range. With several inputs, the values of each are
            spaced evenly, and query is the number of all combinations.

        Returns
        -------
        batch : TaskBatch
            Arrays (T, K, d), or (S, T, K, d).

        Raises
        ------
        ValueError
            If an argument is not what is described here, or f returns another shape than (..., K,
            d_out).

        Examples
        --------
        >>> steps = FunctionTasks(lambda x, place: np.where(x < place, 0.0, 1.0),
        ...                       {"place": (0.2, 0.8)}, x_range=(-2, 2))
        >>> batch = steps.sample(np.random.default_rng(0), 1, shots=2, query=5, grid=True)
        >>> batch.y_query.ravel().tolist()
        [0.0, 0.0, 0.0, 1.0, 1.0]
        """
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        drawn, d, p = shots + (0 if grid else query), len(self._x_low), len(self._low)
        own = self._draw_parameters(rng, (*lead, 1, 1)) if callable(self.parameters) else ()
        u = rng.random((*lead, p + drawn * d, 1))
        values, x = u[..., :p, :], u[..., p:, :].reshape(*lead, drawn, d)
        values *= self._width
        values += self._low
        x *= self._x_width
        x += self._x_low
        if grid:
            even = np.broadcast_to(self._grid(query), (*lead, query, d))
            x = np.concatenate((x, even), axis=-2)
        y = self._values(x, *own, *(values[..., i, None, :] for i in range(p)))
        if self.noise:
            y[..., :drawn, :] += self.noise * rng.standard_normal((*lead, drawn, y.shape[-1]))
        return TaskBatch(x[..., :shots, :], y[..., :shots, :], x[..., shots:, :], y[..., shots:, :])

    def _draw_parameters(self, rng, shape):
        """Return what the user's function draws, as a list of arrays of the shape."""
        drawn = self.parameters(rng, shape)
        if isinstance(drawn, np.ndarray) and drawn.shape == shape:  # a single parameter
            drawn = [drawn]
        try:
            drawn = [_validate.as_numbers("parameters", array, np.float64) for array in drawn]
        except TypeError:
            raise TypeError(
                f"parameters: expected the function to return a list of arrays; got {drawn!r}"
            ) from None
        for array in drawn:
            if array.shape != shape:
                raise ValueError(
                    f"parameters: expected the function to return arrays of the shape {shape}, "
                    f"which it was given; got one of {array.shape}"
                )
        return drawn

    def _grid(self, n):
        """Return n evenly spaced points (n, d_in)."""
        d = len(self._x_low)
        each = round(n ** (1 / d))
        if each**d != n:
            raise ValueError(
                f"query: expected a whole number to the power of {d}, such as {each**d}, for a "
                f"grid over {d} inputs; got {n}"
            )
        axes = [np.linspace(low, high, each) for low, high in self._x_ranges]
        axes = np.meshgrid(*axes, indexing="ij")
        return np.stack(axes, axis=-1).reshape(n, d)

    def _values(self, x, *parameters):
        """Return y, a new array, as the user's function has it."""
        x.flags.writeable = False  # or it could change the points under its own values
        try:
            y = self.f(x, *parameters)
        finally:
            x.flags.writeable = True
        y = np.array(_validate.as_numbers("f", y, np.float64))
        if y.ndim != x.ndim or y.shape[:-1] != x.shape[:-1]:
            hint = ""
            if y.shape == x.shape[:-1]:
                hint = "; reductions over the inputs need keepdims=True"
            elif y.ndim == x.ndim and y.shape[-2] == 1:
                hint = "; a constant is c + 0 * x"
            raise ValueError(
                f"f: expected values of shape {(*x.shape[:-1], 'd_out')} for x {x.shape}; got "
                f"{y.shape}{hint}"
            )
        return y


def low_and_width(ranges):
    """Return the lower ends of ranges (low, high) and their widths, as two arrays."""
    low, high = np.array(ranges, np.float64).reshape(-1, 2).T
    return low, high - low


def choose(rng, below, lead, n):
    """Return n different whole numbers below `below`, a number or an array of shape `lead`, in
    random order, as (*lead, n): a partial Fisher-Yates shuffle."""
    below = below if np.ndim(below) == 0 else np.ravel(below)
    deck = np.tile(np.arange(np.max(below)), (math.prod(lead), 1))
    rows = np.arange(len(deck))
    for i in range(n):
        j = rng.integers(i, below, len(deck))
        deck[rows, i], deck[rows, j] = deck[rows, j], deck[rows, i]
    return deck[:, :n].reshape(*lead, n)


class Groups:
    """Rows of data in groups: those of each task, or of each class."""

    def __init__(self, name, names, kind):
        self.kind = kind  # the word for one of them
        self.names, self.of_row, self.counts = np.unique(
            names, return_inverse=True, return_counts=True
        )
        if self.counts.min() < 2:
            lone = self.names[self.counts.argmin()]
            raise ValueError(
                f"{name}: expected at least two rows of each {kind}, one to learn from and one to "
                f"be judged on; got a single row of {lone.item()!r}; leave such rows out"
            )
        self._rows = np.argsort(self.of_row, kind="stable")
        self._starts = np.cumsum(self.counts) - self.counts

    def draw(self, rng, groups, shots, query):
        """Return different rows of each of the groups (...), in random order, as (..., n)."""
        n, counts = shots + query, self.counts[groups]
        if n > counts.min():
            fewest = self.names[groups.flat[counts.argmin()]]
            raise ValueError(
                f"shots: expected at most {counts.min()} support and query points together, the "
                f"rows of {self.kind} {fewest.item()!r}; got {shots} + {query}"
            )
        return self._rows[self._starts[groups][..., None] + choose(rng, counts, groups.shape, n)]

    def split(self, fractions, rng, least):
        """Return one array per fraction, which tells the rows of its groups."""
        try:
            shares = [_validate.as_number("fractions", fraction) for fraction in fractions]
        except TypeError:
            shares = []
        if not shares or min(shares) == 0 or sum(shares) > 1 + 1e-9:
            raise ValueError(
                "fractions: expected positive numbers whose sum is at most 1, such as "
                f"(0.6, 0.2, 0.2); got {fractions!r}"
            )
        order = _validate.check_generator(rng).permutation(len(self.names))
        ends = np.rint(np.cumsum(shares) * len(order)).astype(int)
        parts = np.split(order, ends)[: len(shares)]
        if min(map(len, parts)) < least:
            raise ValueError(
                f"fractions: expected at least {least} of {len(order)} in every part, each a "
                f"{self.kind}; got {[*map(len, parts)]}"
            )
        return [np.isin(self.of_row, part) for part in parts]


def refuse_grid(grid):
    if grid:
        raise ValueError(f"grid: expected False, because data have points of their own; got {grid}")


class RegressionTasks:
    """Sample tasks from data: each draws some tasks, and splits the rows of each into support and
    query points at random.

    The tasks of a batch are different ones, unless more are asked for than there are.

    Parameters
    ----------
    x : array (N, d_in)
    y : array (N, d_out)
        Rows of all tasks, in any order. They are copied, and stay float32 or float64.
    task_ids : array (N,)
        The task that each row belongs to: numbers or text.

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, or a task has a single row.

    Examples
    --------
    >>> x = np.arange(40.0).reshape(40, 1)
    >>> tasks = RegressionTasks(x, x**2, task_ids=np.repeat(["a", "b", "c", "d"], 10))
    >>> batch = tasks.sample(np.random.default_rng(0), n_tasks=2, shots=3, query=5)
    >>> batch.x_support.shape, batch.x_query.shape
    ((2, 3, 1), (2, 5, 1))
    >>> [len(part.names) for part in tasks.split((0.5, 0.25, 0.25), np.random.default_rng(0))]
    [2, 1, 1]
    """

    def __init__(self, x, y, task_ids):
        self.x, self.y = _validate.as_rows("x", x, "y", y)
        self.task_ids = _validate.as_names("task_ids", task_ids, len(self.x))
        self._groups = Groups("task_ids", self.task_ids, "task")
        self.names = self._groups.names

    def __repr__(self):
        return f"<RegressionTasks: {len(self.names)} tasks, {len(self.x)} rows>"

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a batch of tasks.

        Parameters and errors are those of `SineTasks.sample`; besides, no task may have fewer than
        shots + query rows, and data have no grid.

        Returns
        -------
        batch : TaskBatch
            Arrays (T, K, d), or (S, T, K, d).
        """
        refuse_grid(grid)
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        if lead[-1] <= len(self.names):
            tasks = choose(rng, len(self.names), lead[:-1], lead[-1])
        else:
            tasks = rng.integers(len(self.names), size=lead)
        rows = self._groups.draw(rng, tasks, shots, query)
        support, query = rows[..., :shots], rows[..., shots:]
        return TaskBatch(self.x[support], self.y[support], self.x[query], self.y[query])

    def split(self, fractions, rng):
        """Return RegressionTasks that share no task, one for each fraction of the tasks.

        Parameters
        ----------
        fractions : sequence of float
            Their sum is at most 1.
        rng : numpy.random.Generator

        Returns
        -------
        parts : list of RegressionTasks

        Raises
        ------
        ValueError
            If a part would have no task.
        """
        parts = self._groups.split(fractions, rng, least=1)
        return [RegressionTasks(self.x[p], self.y[p], self.task_ids[p]) for p in parts]


class ClassificationTasks:
    """Sample tasks from labelled data: each draws some classes, numbers them in random order, and
    splits rows of each into support and query points at random.

    Parameters
    ----------
    x : array (N, d_in)
        They are copied, and stay float32 or float64.
    labels : array (N,)
        The class of each row: numbers or text.
    ways : int
        The number of classes of a task, at least 2.

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, there are fewer classes than ways, or a
        class has a single row.

    Examples
    --------
    >>> x = np.arange(40.0).reshape(40, 1)
    >>> tasks = ClassificationTasks(x, labels=np.repeat(["a", "b", "c", "d"], 10), ways=2)
    >>> batch = tasks.sample(np.random.default_rng(0), n_tasks=6, shots=3)
    >>> batch.x_support.shape, batch.y_support.shape
    ((6, 6, 1), (6, 6, 2))
    >>> batch.y_support[0, :4].tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """

    def __init__(self, x, labels, ways):
        self.x = _validate.as_table("x", x)
        self.labels = _validate.as_names("labels", labels, len(self.x))
        self._groups = Groups("labels", self.labels, "class")
        self.names = self._groups.names
        self.ways = _validate.check_count("ways", ways, least=2)
        if self.ways > len(self.names):
            raise ValueError(
                f"ways: expected at most the {len(self.names)} classes of the labels; got {ways}"
            )

    def __repr__(self):
        classes = f"{len(self.names)} classes, {len(self.x)} rows"
        return f"<ClassificationTasks: {classes}, {self.ways} ways>"

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a batch of tasks.

        Parameters and errors are those of `SineTasks.sample`; besides, shots and query are numbers
        of points of each class, no class may have fewer rows than both together, and data have no
        grid.

        Returns
        -------
        batch : TaskBatch
            x (..., T, K, d_in) and one-hot y (..., T, K, ways), with K = shots * ways for the
            support set and query * ways for the query set: in every `ways` points, each class once.
        """
        refuse_grid(grid)
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        classes = choose(rng, len(self.names), lead, self.ways)
        rows = self._groups.draw(rng, classes, shots, query).swapaxes(-1, -2)
        x = self.x[rows.reshape(*lead, -1)]
        y = np.empty((*x.shape[:-1], self.ways), x.dtype)
        y[:] = np.tile(np.eye(self.ways), (shots + query, 1))
        ends = slice(shots * self.ways), slice(shots * self.ways, None)
        return TaskBatch(*(array[..., end, :] for end in ends for array in (x, y)))

    def split(self, fractions, rng):
        """Return ClassificationTasks that share no class, one for each fraction of the classes.

        Parameters
        ----------
        fractions : sequence of float
            Their sum is at most 1.
        rng : numpy.random.Generator

        Returns
        -------
        parts : list of ClassificationTasks

        Raises
        ------
        ValueError
            If a part would have fewer classes than `ways`.
        """
        parts = self._groups.split(fractions, rng, least=self.ways)
        return [ClassificationTasks(self.x[p], self.labels[p], self.ways) for p in parts]


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


class Ahead:
    """Draw many batches at once, and hand them out one by one: the tasks are the same as without
    it, and a meta-step of one task takes up to a tenth less time. A call with other arguments has
    batches of its own.

    Create a new instance for every training run.

    Parameters
    ----------
    tasks : task distribution
        One whose attribute `many_at_once` is true: a call for (n, T) tasks gives those of n calls
        for T. `SineTasks` is one; a `FunctionTasks` is, unless it has noise or parameters drawn by
        a function.
    batches : int
        The number of batches to draw at once.
    dtype : dtype, optional
        float32 or float64: cast all of them at once, to theta's dtype, say.

    Raises
    ------
    ValueError
        If the tasks are not of this kind, or a number or dtype is not what is described here.

    Examples
    --------
    >>> rng, ahead = np.random.default_rng(0), Ahead(SineTasks(), 64)
    >>> batches = [ahead.sample(rng, n_tasks=3, shots=5) for _ in range(2)]
    >>> rng = np.random.default_rng(0)
    >>> again = [SineTasks().sample(rng, n_tasks=3, shots=5) for _ in range(2)]
    >>> np.array_equal(batches[1].x_query, again[1].x_query)
    True
    """

    def __init__(self, tasks, batches=64, dtype=None):
        self.tasks = _validate.check_method("tasks", tasks, "sample", "SineTasks()")
        if not getattr(tasks, "many_at_once", False):
            raise ValueError(
                "tasks: expected a distribution of which one call for many batches gives the tasks "
                f"of many calls, such as SineTasks(); got {tasks!r}"
            )
        self.batches = _validate.check_count("batches", batches)
        self.dtype = None if dtype is None else _validate.as_float_dtype(dtype)
        self._drawn = {}  # by what was asked for: all batches, and how many were handed out

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return the next of the batches that were drawn with these arguments.

        Parameters, returns and errors are those of `SineTasks.sample`."""
        request = (tuple(n_tasks) if isinstance(n_tasks, list) else n_tasks, shots, query, grid)
        drawn, taken = self._drawn.get(request, (None, self.batches))
        if taken == self.batches:
            lead, *rest = _validate.as_task_axes(rng, n_tasks, shots, query)
            drawn, taken = self._draw(rng, lead, *rest, grid), 0
        self._drawn[request] = drawn, taken + 1
        x_support, y_support, x_query, y_query = drawn
        return TaskBatch(x_support[taken], y_support[taken], x_query[taken], y_query[taken])

    def _draw(self, rng, lead, shots, query, grid):
        batch = self.tasks.sample(rng, (self.batches, *lead), shots, query, grid)
        return batch if self.dtype is None else TaskBatch(*(a.astype(self.dtype) for a in batch))

    def state(self):
        """Return a dict of the batches that were drawn and of how many were handed out: a training
        that is resumed in between needs them.

        Examples
        --------
        >>> rng, ahead = np.random.default_rng(0), Ahead(SineTasks(), 64)
        >>> batch = ahead.sample(rng, n_tasks=3, shots=5)
        >>> again = Ahead(SineTasks(), 64)
        >>> again.restore(ahead.state())
        >>> second = ahead.sample(rng, n_tasks=3, shots=5)
        >>> np.array_equal(again.sample(rng, n_tasks=3, shots=5).x_query, second.x_query)
        True
        """
        drawn = [(request, (tuple(batch), n)) for request, (batch, n) in self._drawn.items()]
        return {"batches": self.batches, "drawn": drawn}

    def restore(self, state):
        """Set the batches that are waiting to those of a `state()`.

        Raises
        ------
        ValueError
            If the state is not one of an Ahead with as many batches.
        """
        try:
            batches, drawn = state["batches"], state["drawn"]
            drawn = {request: (TaskBatch(*batch), taken) for request, (batch, taken) in drawn}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"state: expected a state of Ahead; got another one: {error}"
            ) from None
        if batches != self.batches:
            raise ValueError(f"state: expected one of {self.batches} batches; got {batches}")
        self._drawn = drawn
