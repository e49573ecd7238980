"""The sanity checks of exercise 10: what a hand-in has to show, one missing each time."""

import runpy

import numpy as np
import pytest
from running import ROOT

from tinymeta import MLP, FunctionTasks, TaskBatch, adaptation_curve
from tinymeta.course import grading, own_tasks, style

MODEL = MLP([1, 1])
LINES = FunctionTasks(lambda x, a: a * x, {"a": (2, 3)}, x_range=(-1, 1))
TEXT = "Lines share their intercept, 0, and each has a slope of its own. " * 7


class Replayed:
    """The same tasks, whatever the generator says."""

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        return LINES.sample(np.random.default_rng(0), n_tasks, shots, query)


class Unseeded:
    """Other tasks, whatever the generator says."""

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        return LINES.sample(np.random.default_rng(), n_tasks, shots, query)


class OneFunction:
    """Points of one function."""

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        x = [rng.uniform(-1, 1, (n_tasks, n, 1)) for n in (shots, query)]
        return TaskBatch(x[0], np.sin(3 * x[0]), x[1], np.sin(3 * x[1]))


class Noise:
    """Points that have nothing in common."""

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        return TaskBatch(
            *(rng.standard_normal((n_tasks, n, 1)) for n in (shots, shots, query, query))
        )


class WithNan:
    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        batch = LINES.sample(rng, n_tasks, shots, query)
        batch.y_query[0] = np.nan
        return batch


def figure(xlabel="steps", ylabel="loss", lines=True):
    drawn = style.Figure()
    axes = drawn.subplots()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if lines:
        axes.plot([1, 2])
    return drawn


def found(tasks=LINES, theta=(2.5, 0.0), drawn=None, text=TEXT):
    """Return what does not hold of a hand-in with these parts."""
    findings = own_tasks.findings(
        lambda: tasks,
        lambda tasks, rng: (MODEL, np.array(theta)),
        lambda tasks, model, theta, rng: figure() if drawn is None else drawn,
        text, shots=5, inner_lr=0.05,
    )  # fmt: skip
    return [what for what, holds, _ in findings if not holds]


def test_a_hand_in_that_has_everything_has_nothing_missing():
    assert found() == []


@pytest.mark.parametrize(
    "parts, missing",
    [
        ({"tasks": Replayed()}, "another seed draws others"),
        ({"tasks": Unseeded()}, "the same seed draws the same tasks"),
        ({"tasks": OneFunction()}, "a task's own points say more than another task's"),
        ({"tasks": Noise()}, "a task's own points say more than another task's"),
        ({"tasks": (LINES, Noise())}, "held out: a task's own points say more than another task's"),
        ({"tasks": [Noise(), LINES]}, "training: a task's own points say more than another task's"),
        ({"tasks": (LINES, 3)}, "held out: make_tasks returns what has a method sample"),
        ({"tasks": LINES.sample}, "make_tasks returns what has a method sample"),
        ({"theta": (-9.0, 0.0)}, "more than from a random initialisation"),
        ({"theta": (-9.0, 0.0)}, "and on most of the tasks"),
        ({"theta": (-9.0, 0.0)}, "better than the mean of the points"),
        ({"drawn": figure(ylabel="")}, "its axes have labels"),
        ({"drawn": figure(xlabel="")}, "its axes have labels"),
        ({"drawn": style.Figure()}, "its axes have labels"),
        ({"drawn": figure(lines=False)}, "and something on them"),
        ({"drawn": figure().axes[0]}, "plot returns a figure of matplotlib"),
        ({"text": "0 and 1"}, "an explanation of 80 words or more"),
        ({"text": "word " * 80}, "with a number in it"),
    ],
)
def test_what_is_missing_is_said(parts, missing):
    assert missing in found(**parts)


def test_who_gives_back_no_pair_is_told_what_came():
    *_, last = own_tasks.findings(lambda: LINES, lambda *a: MODEL, None, TEXT, 5, 0.05)
    assert last == ("train returns a model and a theta", False, "it returns MLP")


def test_the_theta_that_comes_back_must_be_the_models():
    findings = own_tasks.findings(lambda: LINES, lambda *a: (MODEL, [1, 2, 3]), None, TEXT, 5, 0.05)
    with pytest.raises(ValueError, match="^theta: expected "):
        list(findings)


def test_the_losses_before_and_after_are_those_of_the_adaptation_curve():
    theta = np.array([2.5, 0.0])
    batch = LINES.sample(np.random.default_rng(2), own_tasks.NEW_TASKS, 5, query=5)
    curve = adaptation_curve(MODEL, theta, batch, 0.05, own_tasks.STEPS).mean(axis=-1)
    mean = np.mean((batch.y_support.mean(axis=1, keepdims=True) - batch.y_query) ** 2)
    (_, _, number), *_, (_, _, last) = own_tasks.has_learned(LINES, MODEL, theta, 5, 0.05)
    assert number == f"{curve[0]:.3g} -> {curve[-1]:.3g} at rate 0.05"
    assert last == f"{curve[-1]:.3g} for {mean:.3g}"


def test_a_label_may_be_the_figures_or_that_of_a_neighbour_on_the_same_axis():
    drawn = style.Figure()
    axes = drawn.subplots(2, 2, sharex=True, sharey=True)
    for one in axes.flat:
        image = one.imshow([[0, 1]])
    assert "its axes have labels" in found(drawn=drawn)
    axes[1, 0].set(xlabel="x", ylabel="y")
    assert found(drawn=drawn) == []
    bar = drawn.colorbar(image)
    *_, of_labels, _, _, _ = own_tasks.is_told(drawn, TEXT)
    assert of_labels == ("its axes have labels", False, "x of number 5, y of number 5")
    bar.set_label("loss")
    assert found(drawn=drawn) == []
    alone = style.Figure()
    for one in alone.subplots(1, 2):
        one.plot([1, 2])
    alone.supxlabel("x")
    assert [number for _, _, number in own_tasks.is_told(alone, TEXT)][0] == (
        "y of number 1, y of number 2"
    )
    alone.supylabel("y")
    assert found(drawn=alone) == []


@pytest.mark.parametrize("shots", [1, 5, 10])
def test_tasks_are_told_from_noise_and_from_one_function(shots):
    """By ten standard errors where three are asked for; months, which all tasks share, are no
    hindrance."""

    def errors(sample):
        rng = np.random.default_rng(shots)
        return own_tasks.standard_errors(sample(rng, 2000, shots, max(shots, 5)))

    def by_the_month(rng, n_tasks, shots, query):
        months = rng.permuted(np.tile(np.arange(12.0), (n_tasks, 1)), axis=1)[:, : shots + query]
        y = 10 * np.sin(months) + rng.normal(0, 3, (n_tasks, 1))
        x, y = months[..., None], y[..., None]
        return TaskBatch(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])

    assert errors(LINES.sample) > 10 and errors(by_the_month) > 10
    assert abs(errors(Noise().sample)) < 3 and abs(errors(OneFunction().sample)) < 3


def test_numbers_that_are_none_are_seen_before_anything_is_judged():
    finite = [f for f in own_tasks.are_tasks(WithNan(), 5) if "finite" in f[0]]
    assert finite == [("2000 tasks, all numbers finite", False, finite[0][2])]


def test_an_initialisation_that_does_not_adapt_is_seen():
    says = [w for w, holds, _ in own_tasks.has_learned(LINES, MODEL, np.array([2.5, 0.0]), 5, 0.0)
            if not holds]  # fmt: skip
    assert "5 steps on 5 points help" in says


def test_the_exercise_as_it_is_handed_out_is_blank(capsys):
    blank = runpy.run_path(str(ROOT / "lessons" / "exercises" / "10_own_tasks.py"))
    assert not grading.grade("10_own_tasks", blank, [1])
    assert capsys.readouterr().out.startswith("10_own_tasks: still blank: write make_tasks, train ")


def test_the_report_counts_all_of_it_and_a_blank_is_blank(capsys):
    def blank(*arguments):
        raise NotImplementedError

    parts = {"explanation": TEXT, "shots": 5, "inner_lr": 0.05}
    assert not own_tasks.report(blank, blank, blank, **parts)
    assert capsys.readouterr().out == (
        "10_own_tasks: still blank: write make_tasks, train and plot\n"
    )

    def trained(tasks, rng):
        return MODEL, np.array([2.5, 0.0])

    assert own_tasks.report(lambda: LINES, trained, lambda *a: figure(), **parts)
    assert capsys.readouterr().out.endswith(
        "10_own_tasks: all checks OK; a person judges the rest\n"
    )
    assert not own_tasks.report(lambda: LINES, trained, lambda *a: figure(ylabel=""), **parts)
    out = capsys.readouterr().out
    assert "NO   y of number 1\n" in out and out.endswith("10_own_tasks: not yet\n")
    with pytest.raises(SystemExit) as stopped:
        own_tasks.check(blank, blank, blank, **parts)
    assert stopped.value.code == 1
