"""Sanity checks of exercise 10, in which a student invents tasks: are they tasks, and has anything
been learned? A person judges the rest."""

import sys

import numpy as np

from .. import _validate
from ..evaluation import adaptation_curve
from . import notebook

NEW_TASKS, STEPS, WORDS = 200, 5, 80


def sample(tasks, seed, n_tasks, shots):
    """Return a batch of tasks, with 20 query points each."""
    return tasks.sample(np.random.default_rng(seed), n_tasks, shots, query=20)


def are_tasks(tasks, shots):
    """Yield (what is checked, whether it holds, a number) of a distribution of tasks."""
    batch, again, other = (sample(tasks, seed, 30, shots) for seed in (0, 0, 1))
    same = all(np.array_equal(a, b) for a, b in zip(batch, again))
    yield "the same seed draws the same tasks", same, ""
    differ = not np.array_equal(batch.y_support, other.y_support)
    yield "another seed draws others", differ, ""
    finite = all(np.isfinite(array).all() for array in batch)
    shapes = ", ".join(str(np.shape(array)) for array in batch)
    right = {len(array) for array in batch} == {30} and batch.x_support.shape[1] == shots
    yield "30 tasks, all numbers finite", finite and right, shapes
    spread = np.ptp(batch.y_query.mean(axis=(1, 2))) + np.ptp(batch.y_query.std(axis=(1, 2)))
    yield "the tasks differ from each other", spread > 1e-6 * np.abs(batch.y_query).max(), ""


def has_learned(tasks, model, theta, shots, inner_lr):
    """Yield the same of an initialisation, on tasks never seen."""
    batch = sample(tasks, 2, NEW_TASKS, shots)
    start = model.init(np.random.default_rng(3))
    learned, random = (
        np.nan_to_num(adaptation_curve(model, t, batch, inner_lr, STEPS), nan=np.inf)
        for t in (theta, start)
    )
    before, after, without = learned[0].mean(), learned[STEPS].mean(), random[STEPS].mean()
    yield (
        f"{STEPS} steps on {shots} points help",
        after < 0.9 * before,
        f"{before:.3g} -> {after:.3g}",
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


def is_told(figure, explanation):
    """Yield the same of a figure and a text."""
    axes = getattr(figure, "axes", ())
    labelled = bool(axes) and all(a.get_xlabel() and a.get_ylabel() for a in axes)
    drawn = any(a.lines or a.collections or a.images or a.patches for a in axes)
    yield "a figure whose axes have labels, and something on them", labelled and drawn, ""
    count = len(str(explanation).split())
    yield f"an explanation of {WORDS} words or more", count >= WORDS, f"{count} words"
    yield "with a number in it", any(c.isdigit() for c in str(explanation)), ""


def findings(make_tasks, train, plot, explanation, shots, inner_lr):
    """Yield (what is checked, whether it holds, a number or a reason) of a hand-in."""
    tasks, rng = make_tasks(), np.random.default_rng(0)
    yield from are_tasks(tasks, shots)
    model, theta = train(tasks, rng)
    theta = _validate.as_theta(model, theta)
    yield from has_learned(tasks, model, theta, shots, inner_lr)
    yield from is_told(plot(tasks, model, theta, rng), explanation)


def report(make_tasks, train, plot, explanation, shots, inner_lr):
    """Print what holds of a hand-in; return whether all does.

    Parameters
    ----------
    make_tasks : function
        make_tasks() returns an object with `sample(rng, n_tasks, shots, query)`.
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
