"""Sanity checks of exercise 10, in which a student invents tasks: are they tasks, and has anything
been learned? A person judges the rest."""

import sys

import numpy as np

from .. import _validate
from ..evaluation import adaptation_curve
from . import notebook
from .style import Figure

DRAWN, NEW_TASKS, STEPS, WORDS = 2000, 200, 5, 80


def nearest(x, y, x_other, y_other):
    """Return for each point (T, K) the squared distances of its x and of its y from those of the
    nearest other point. Points with the same x are passed over, and so is a point itself."""
    squares = [(points**2).sum(-1) for points in (x, x_other)]
    far = squares[0][:, :, None] + squares[1][:, None] - 2 * x @ x_other.swapaxes(-1, -2)
    far = np.where(far > 1e-9 * far.max(), far, np.inf)
    index = far.argmin(-1)[..., None]
    y_there = np.take_along_axis(y_other, index, axis=1)
    return np.take_along_axis(far, index, axis=-1)[..., 0], ((y - y_there) ** 2).sum(-1)


def standard_errors(batch):
    """Return by how many standard errors the nearest point of another task says less about a point
    than the nearest of its own, where both are near: about 0 if the points are noise, and if all
    tasks are one function."""
    pairs = (batch.x_support, batch.x_query), (batch.y_support, batch.y_query)
    x, y = (np.concatenate(pair, axis=1)[:, :20] for pair in pairs)
    far, own = nearest(x, y, x, y)
    far_other, other = nearest(x, y, np.roll(x, 1, axis=0), np.roll(y, 1, axis=0))
    far = np.maximum(far, far_other)
    gap = ((other - own) * (far <= np.quantile(far, 0.3))).mean(axis=1)
    return gap.mean() / max(gap.std() / np.sqrt(len(gap)), np.finfo(float).tiny)


def are_tasks(tasks, shots):
    """Yield (what is checked, whether it holds, a number) of a distribution of tasks."""
    batch, again, other = (
        tasks.sample(np.random.default_rng(seed), DRAWN, shots, query=max(shots, 5))
        for seed in (0, 0, 1)
    )
    same = all(np.array_equal(a, b) for a, b in zip(batch, again))
    yield "the same seed draws the same tasks", same, ""
    differ = not np.array_equal(batch.y_support, other.y_support)
    yield "another seed draws others", differ, ""
    finite = all(np.isfinite(array).all() for array in batch)
    shapes = ", ".join(str(np.shape(array)) for array in batch)
    right = {len(array) for array in batch} == {DRAWN} and batch.x_support.shape[1] == shots
    yield f"{DRAWN} tasks, all numbers finite", finite and right, shapes
    if finite and right:
        errors = standard_errors(batch)
        number = "" if errors > 3 else "noise, or one function for all?"
        yield "a task's own points say more than another task's", errors > 3, number


def has_learned(tasks, model, theta, shots, inner_lr):
    """Yield the same of an initialisation, on tasks never seen."""
    batch = tasks.sample(np.random.default_rng(2), NEW_TASKS, shots, query=shots)
    start = model.init(np.random.default_rng(3))
    with np.errstate(all="ignore"):  # a rate that is too large is told by its numbers
        learned, random = (
            np.nan_to_num(adaptation_curve(model, t, batch, inner_lr, STEPS), nan=np.inf)
            for t in (theta, start)
        )
    before, after, without = learned[0].mean(), learned[STEPS].mean(), random[STEPS].mean()
    yield (
        f"{STEPS} steps on {shots} points help",
        after < 0.9 * before,
        f"{before:.3g} -> {after:.3g} at rate {inner_lr:g}",
    )
    yield (
        "more than from a random initialisation",
        after < 0.9 * without,
        f"{after:.3g} for {without:.3g}",
    )
    share = np.mean(learned[STEPS] < random[STEPS])
    yield "and on most of the tasks", share > 0.5, f"{share:.0%} of {NEW_TASKS}"
    if model.criterion == "mse":
        mean = batch.y_support.mean(axis=1, keepdims=True)
        simple = np.mean((mean - batch.y_query) ** 2)
        yield "better than the mean of the points", after < simple, f"{after:.3g} for {simple:.3g}"


def is_labelled(axes, name):
    """Return whether an axis, "x" or "y", has a label, be it the figure's or a neighbour's that
    shares the axis. A colour bar has one."""
    shared = getattr(axes, f"get_shared_{name}_axes")().get_siblings(axes)
    of_figure = getattr(axes.figure, f"_sup{name}label", None)
    either = axes.get_label() == "<colorbar>" and (axes.get_xlabel() or axes.get_ylabel())
    return bool(of_figure or either or any(getattr(a, f"get_{name}label")() for a in shared))


def is_told(figure, explanation):
    """Yield the same of a figure and a text."""
    if not isinstance(figure, Figure):
        got = type(figure).__name__
        yield "plot returns a figure of matplotlib", False, f"it returns {got}"
        return
    without = [
        f"{name} of number {i + 1}"
        for i, axes in enumerate(figure.axes)
        for name in "xy"
        if not is_labelled(axes, name)
    ]
    yield "its axes have labels", bool(figure.axes) and not without, ", ".join(without)
    drawn = any(a.lines or a.collections or a.images or a.patches for a in figure.axes)
    yield "and something on them", drawn, ""
    count = len(str(explanation).split())
    yield f"an explanation of {WORDS} words or more", count >= WORDS, f"{count} words"
    yield "with a number in it", any(c.isdigit() for c in str(explanation)), ""


def findings(make_tasks, train, plot, explanation, shots, inner_lr):
    """Yield (what is checked, whether it holds, a number or a reason) of a hand-in."""
    tasks, rng = make_tasks(), np.random.default_rng(0)
    two = isinstance(tasks, (tuple, list)) and len(tasks) == 2
    training, new = tasks if two else (tasks, tasks)
    for which, one in {"training: ": training, "held out: ": new}.items() if two else [("", new)]:
        if not hasattr(one, "sample"):
            got = f"it returns {type(one).__name__}"
            yield f"{which}make_tasks returns what has a method sample", False, got
            return
        for what, holds, number in are_tasks(one, shots):
            yield which + what, holds, number
    learned = train(training, rng)
    if not (isinstance(learned, (tuple, list)) and len(learned) == 2):
        got = type(learned).__name__
        yield "train returns a model and a theta", False, f"it returns {got}"
        return
    model, theta = learned
    theta = _validate.as_theta(model, theta)
    yield from has_learned(new, model, theta, shots, inner_lr)
    yield from is_told(plot(new, model, theta, rng), explanation)


def report(make_tasks, train, plot, explanation, shots, inner_lr):
    """Print what holds of a hand-in; return whether all does.

    Parameters
    ----------
    make_tasks : function
        make_tasks() returns an object with `sample(rng, n_tasks, shots, query)`, or two: those of
        the training tasks and of the held-out ones.
    train : function
        train(tasks, rng) returns a model and a theta (P,).
    plot : function
        plot(tasks, model, theta, rng) returns a figure of matplotlib.
    explanation : str
    shots : int
    inner_lr : float
        The number of support points and the rate at which adaptation is judged.
    """
    right = True
    try:
        for what, holds, number in findings(make_tasks, train, plot, explanation, shots, inner_lr):
            right = right and bool(holds)
            print(f"  {what:55s} {'OK' if holds else 'NO'}   {number}".rstrip())
    except NotImplementedError:
        print("10_own_tasks: still blank: write make_tasks, train and plot")
        return False
    print("10_own_tasks: " + ("all checks OK; a person judges the rest" if right else "not yet"))
    return right


def check(*hand_in, **settings):
    """Print what holds of a hand-in (see `report`), and exit with code 1 if something does not."""
    if not report(*hand_in, **settings) and not notebook.in_kernel():
        sys.exit(1)
