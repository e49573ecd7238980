"""The outer loop: sample tasks, take a meta-gradient, step; and how interruption and divergence are
reported.
"""

import math

import numpy as np

from . import _validate
from .optimizers import Adam, put_back, take_state


class Interrupted(KeyboardInterrupt):
    """Report Ctrl-C during meta_train.

    Parameters
    ----------
    theta : array (..., P)
        The parameters after the last complete iteration.
    history : array (iterations, ...)
        The losses of the complete iterations.

    Examples
    --------
    >>> reached = Interrupted(np.zeros(3), np.ones(7))
    >>> str(reached), reached.theta.tolist()
    ('interrupted after 7 iterations; .theta and .history hold what was reached', [0.0, 0.0, 0.0])
    """

    def __init__(self, theta, history):
        super().__init__(
            f"interrupted after {len(history)} iterations; .theta and .history hold what was "
            "reached"
        )
        self.theta, self.history = theta, history

    def __reduce__(self):  # how to pickle it: an exception would call its class with its message
        return type(self), (self.theta, self.history), vars(self)


class Diverged(ArithmeticError):
    """Report that a number stopped being finite during meta_train: in the meta-loss, in the squares
    of the meta-gradient (an overflowing square would make Adam's step zero), in theta, or in the
    tasks.

    Parameters
    ----------
    message : str
    theta : array (..., P)
        The last parameters that were finite.
    history : array (iterations, ...)
        The losses of the iterations before.
    replicas : list of tuples
        The indices of the replicas that diverged; [()] if theta is a single vector, and [] where an
        input is to blame.

    Examples
    --------
    >>> from tinymeta import MLP, SGD, SineTasks, maml_grad, meta_train
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> try:
    ...     meta_train(maml_grad, model, model.init(rng), SineTasks(), rng=rng, iterations=100,
    ...                meta_batch_size=2, shots=5, inner_lr=0.01, optimizer=SGD(1e30))
    ... except Diverged as error:
    ...     np.isfinite(error.theta).all() and len(error.history) < 100
    True
    """

    def __init__(self, message, theta, history, replicas=()):
        super().__init__(message)
        self.theta, self.history, self.replicas = theta, history, list(replicas)

    def __reduce__(self):
        return type(self), (str(self), self.theta, self.history, self.replicas), vars(self)


def diverged(cause, theta, history, inner_lr, optimizer):
    """Return the Diverged for a NotFinite; rates are advised about only where no input is to
    blame."""
    names = ", ".join(
        str(index[0] if len(index) == 1 else index) for index in cause.replicas if index
    )
    where = f"at iteration {len(history)}"
    if names:
        where += f", replica {names} of {theta.shape[:-1] if theta.ndim > 2 else len(theta)}"
    advice = ""
    if cause.replicas:
        advice = (
            f"a smaller inner_lr (now {_validate.describe_rates(inner_lr)}) or outer rate (now "
            f"{optimizer!r}) may help; "
        )
    message = f"diverged {where}: {cause}; {advice}.theta and .history hold the last finite ones"
    return Diverged(message, theta, history, cause.replicas)


def require_finite(vectors, loss=None):
    """Accept vectors (..., P) whose squares are finite, and a loss (...) that is; else raise
    NotFinite with the indices of the replicas where they are not."""
    if math.isfinite(np.vdot(vectors, vectors)) and (loss is None or _validate.is_finite(loss)):
        return  # fast path: the sum is finite only if each square is
    wrong = ~np.isfinite(vectors * vectors).all(axis=-1)
    if loss is not None:
        wrong |= ~np.isfinite(loss)
    if wrong.any():
        raise _validate.NotFinite(
            "the meta-loss, the meta-gradient or theta is not finite",
            [*map(tuple, np.argwhere(wrong).tolist())],
        )


def check_once(meta_grad, model, inner_lr, inner_steps, minibatch):
    """Return the meta-gradient as a function of theta and a batch. One of this package's checks its
    arguments in the first call, and afterwards when a shape or a dtype has changed."""
    unchecked, seen = getattr(meta_grad, "unchecked", None), None
    # a decorator of one's own may have copied the attribute, and an object may have one of its own
    if getattr(unchecked, "__wrapped__", None) is not getattr(meta_grad, "__wrapped__", meta_grad):
        unchecked = None

    def of_batch(theta, batch):
        nonlocal seen
        look = unchecked and _validate.look_of_batch(batch)
        if look is None or look != seen:
            result, seen = meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch), look
            return result
        batch = _validate.cast_batch(batch, theta.dtype)
        steps = _validate.as_inner_loop(inner_steps, minibatch, batch.x_support)
        return unchecked(model, theta, batch, _validate.as_inner_lr(theta, inner_lr), *steps)

    return of_batch


def take_step(optimizer, theta, grad):
    """Return the optimiser's new theta. It gets a copy and is copied, for one that works in place
    would change arrays that others keep."""
    result = optimizer.step(theta.copy(), grad)
    stepped = np.array(result)
    if stepped.dtype.kind not in "biufc":
        raise TypeError(f"optimizer: step must return the new theta; got {result!r}")
    if stepped.shape != theta.shape or stepped.dtype != theta.dtype:
        raise ValueError(
            f"optimizer: step must return the new theta, of shape {theta.shape} and {theta.dtype}; "
            f"got shape {stepped.shape} and {stepped.dtype}"
        )
    return stepped


def say_what_was_asked(error, n_tasks, shots, query):
    """Add to the message of an error inside `tasks.sample`, or about what it returned, the
    arguments that it was called with."""
    replicas = " (replicas, tasks)" if isinstance(n_tasks, tuple) else ""
    if error.args and isinstance(error.args[0], str):
        asked = f"n_tasks={n_tasks}{replicas}, shots={shots}, query={query}"
        message = f"{error.args[0]}; in tasks.sample, which was asked for {asked}"
        error.args = (message, *error.args[1:])


def check_meta_gradient(result, theta):
    """Refuse the result of a meta-gradient that is not a loss (...) and a gradient (..., P)."""
    shapes = (theta.shape[:-1], theta.shape)
    got = repr(result)
    if isinstance(result, (tuple, list)):
        got = tuple(np.shape(part) for part in result)
    if got != shapes:
        raise ValueError(
            f"meta_grad: expected to get (loss, grad) of shapes {shapes[0]} and {shapes[1]}; got "
            f"{got}"
        )


def meta_train(
    meta_grad, model, theta, tasks, *, rng, iterations, meta_batch_size, shots, query=None,
    inner_lr, inner_steps=1, minibatch=None, optimizer=None, callback=None,
):  # fmt: skip
    """Return theta after descending a meta-gradient on fresh tasks, and the losses on the way.

    Each iteration samples a batch of tasks, takes its meta-gradient, and makes one step of the
    optimiser.

    Parameters
    ----------
    meta_grad : function
        `meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch)`, called with exactly
        these arguments by position, returns the loss (...) and its gradient (..., P).
    model : MLP
    theta : array (..., P)
        The initialisation; (S, P) trains S replicas, each on tasks of its own.
    tasks : task distribution
        `tasks.sample(rng, n_tasks, shots, query=None, grid=False)` returns a TaskBatch. n_tasks is
        an int, or (S, T) where there are S replicas; shots and query are numbers of points, of
        which this function passes both (by default, query is `shots`); grid, which it leaves alone,
        asks for query points in even places, for figures. Values are looked at in the first batch,
        later only shapes and dtypes, unless a number is not finite. A distribution with a state of
        its own has the methods state() and restore(state) that an optimiser may have (see below).
    rng : numpy.random.Generator
        The source of all random numbers.
    iterations : int
        The number of steps of the optimiser, 0 or more.
    meta_batch_size : int
        The number of tasks T per step and replica.
    shots, query : int
        The numbers of support and query points per task.
    inner_lr, inner_steps, minibatch
        The inner loop, as in `tinymeta.maml_grad`.
    optimizer : optimiser, optional
        `optimizer.step(theta, grad)` returns the new theta, of the same shape and dtype; by default
        Adam(1e-3). Two more methods let a training be resumed: `state()` returns a dict of arrays,
        numbers, strings, None, and lists, tuples and dicts of these, which later steps do not
        change; `restore(state)` sets the optimiser to it. Where they are missing, all attributes
        are taken as the state.
    callback : function, optional
        `callback(iteration, theta, loss)` is called after every step, the first iteration being 0.

    Returns
    -------
    theta : array (..., P)
    history : array (iterations, ...)
        The loss that meta_grad returned in each iteration.

    Raises
    ------
    Interrupted
        On Ctrl-C, with what was reached. An iteration counts once its step is taken; one that was
        begun is undone, in rng, optimizer and tasks as well. So  `save_checkpoint(path, model,
        e.theta, optimizer, rng, len(e.history), tasks)`  (with tasks if they have a state) resumes
        to the digits of a training that was never interrupted.
    Diverged
        If a number is not finite, with the last finite ones; the iteration is undone likewise.
    ValueError, TypeError
        If an argument is not what is described here.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, maml_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> theta, history = meta_train(maml_grad, model, model.init(rng), SineTasks(), rng=rng,
    ...                             iterations=300, meta_batch_size=4, shots=5, inner_lr=0.05,
    ...                             optimizer=Adam(0.01))
    >>> theta.shape, history.shape
    ((25,), (300,))
    >>> bool(history[-50:].mean() < history[:50].mean())
    True

    Source: Finn et al. 2017, algorithms 1 and 2.
    """
    iterations = _validate.check_count("iterations", iterations, least=0)
    meta_batch_size = _validate.check_count("meta_batch_size", meta_batch_size)
    shots = _validate.check_count("shots", shots)
    query = shots if query is None else _validate.check_count("query", query)
    _validate.check_generator(rng)
    theta = _validate.check_finite_theta(_validate.as_theta(model, theta))
    _validate.as_inner_lr(theta, inner_lr)
    optimizer = Adam() if optimizer is None else optimizer
    _validate.check_method("tasks", tasks, "sample", "SineTasks()")
    _validate.check_method("optimizer", optimizer, "step", "Adam(1e-3)")
    for name, function in (("meta_grad", meta_grad), ("callback", callback)):
        if not callable(function) and (name, function) != ("callback", None):
            raise TypeError(f"{name}: expected a function; got {function!r}")

    stateful = _validate.has_state(tasks)

    def state():
        own = tasks.state() if stateful else None
        return rng.bit_generator.state, own, take_state(optimizer)

    gradient = check_once(meta_grad, model, inner_lr, inner_steps, minibatch)
    replicas = theta.shape[:-1]
    n_tasks = (*replicas, meta_batch_size) if replicas else meta_batch_size
    history = np.empty((iterations, *replicas), theta.dtype)
    # Each of the two is set by a single assignment, which Ctrl-C cannot cut in half.
    reached, before = (theta.copy(), 0), (-1, None)
    try:
        # Diverged reports this with context
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while reached[1] < iterations:
                theta, done = reached
                before = done, state()
                try:
                    batch = tasks.sample(rng, n_tasks, shots, query)
                    if not done:  # validated once; afterwards only when a number is not finite
                        _validate.as_batch(model, theta, batch)
                except _validate.NotFinite:
                    raise
                except Exception as error:
                    say_what_was_asked(error, n_tasks, shots, query)
                    raise
                try:
                    result = gradient(theta, batch)
                    if not done:
                        check_meta_gradient(result, theta)
                    loss, grad = result
                    require_finite(grad, loss)
                    stepped = take_step(optimizer, theta, grad)
                    require_finite(stepped)
                except _validate.NotFinite as cause:
                    cause = blame_batch(cause, model, theta, batch)
                    raise diverged(
                        cause, theta, history[:done].copy(), inner_lr, optimizer
                    ) from None
                history[done] = loss
                reached = stepped, done + 1
                if callback is not None:
                    callback(done, stepped.copy(), loss)
        return reached[0], history
    except BaseException as error:
        theta, done = reached
        if before[0] == done:  # in the middle of an iteration
            rng.bit_generator.state, own, optimizer_state = before[1]
            put_back(optimizer, optimizer_state)
            if own is not None:
                tasks.restore(own)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(theta, history[:done].copy()) from None
        raise


def blame_batch(cause, model, theta, batch):
    """Return the NotFinite for the array of the batch that is not finite, if there is one, else the
    cause itself."""
    try:
        _validate.as_batch(model, theta, batch)
    except _validate.NotFinite as named:
        return named
    except (ValueError, TypeError):  # a batch of another kind, which an own meta-gradient takes
        pass
    return cause
