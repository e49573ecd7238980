"""Adaptation curves against a loop."""

import doctest

import numpy as np
import pytest
from helpers import problem

import tinymeta as tm
from tinymeta import evaluation
from tinymeta.checks import relative_error


def by_a_loop(model, theta, batch, inner_lr, steps, measure):
    """(steps + 1, T): measure(theta, x, y) of each task on its query set, after each number of
    steps on its support set."""
    curve = np.empty((steps + 1, len(batch.x_support)))
    for t, (x, y, x_q, y_q) in enumerate(zip(*batch)):
        adapted = theta
        for s in range(steps + 1):
            curve[s, t] = measure(adapted, x_q, y_q)
            adapted = adapted - inner_lr * model.grad(adapted, x, y)
    return curve


# One task, fewer than a block, a block, one more, and several with a rest
@pytest.mark.parametrize("tasks", [1, 7, 20, 21, 45])
def test_a_curve_is_the_query_loss_after_each_step_of_adaptation(tasks):
    model, theta, batch = problem(tasks=tasks)
    curve = tm.adaptation_curve(model, theta, batch, 0.1, 3)
    assert curve.shape == (4, tasks)
    assert relative_error(curve, by_a_loop(model, theta, batch, 0.1, 3, model.loss)) <= 1e-12


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_curve_ends_at_the_meta_loss(steps):
    model, theta, batch = problem()
    curve = tm.adaptation_curve(model, theta, batch, 0.1, steps)
    assert len(curve) == steps + 1
    for s in range(steps + 1):
        assert curve[s].mean() == pytest.approx(
            tm.meta_loss(model, theta, batch, 0.1, s), rel=1e-14
        )


def test_accuracy_is_the_share_of_points_whose_largest_output_is_right():
    model, theta, batch = problem(criterion="cross_entropy", sizes=(2, 6, 4), tasks=25, query=7)

    def accuracy(theta, x, y):
        pairs = zip(model.predict(theta, x).tolist(), y.tolist())
        return sum(out.index(max(out)) == label.index(1) for out, label in pairs) / len(x)

    curve = tm.adaptation_curve(model, theta, batch, 0.5, 5, metric="accuracy")
    assert relative_error(curve, by_a_loop(model, theta, batch, 0.5, 5, accuracy)) <= 1e-12
    assert len(np.unique(curve)) > 4
    of_replicas = tm.adaptation_curve(
        model, np.stack((theta, -theta)), batch, 0.5, 5, metric="accuracy"
    )
    assert np.array_equal(of_replicas[0], curve) and of_replicas.shape == (2, 6, 25)


@pytest.mark.parametrize("lead", [(), (3,)], ids=["shared batch", "batches of their own"])
@pytest.mark.parametrize("rate", ["number", "(P,)", "(S, P)"])
def test_replicas_are_as_many_curves(lead, rate):
    model, theta, batch = problem(replicas=(3,), lead=lead, tasks=25)
    inner_lr = {"number": np.array(0.1), "(P,)": 0.2 * theta[0] ** 2, "(S, P)": 0.2 * theta**2}[
        rate
    ]
    curve = tm.adaptation_curve(model, theta, batch, inner_lr, 2)
    assert curve.shape == (3, 3, 25)
    for s in range(3):
        own = tm.TaskBatch(*(array[s] if lead else array for array in batch))
        alone = tm.adaptation_curve(
            model, theta[s], own, inner_lr[s] if rate == "(S, P)" else inner_lr, 2
        )
        assert relative_error(curve[s], alone) <= 1e-12


def test_a_task_that_diverges_is_followed_in_silence_and_spoils_no_other():
    # linear: no unit dies, which would end the explosion
    model, theta, batch = problem(sizes=(2, 2), tasks=3)
    batch.x_support[1] *= 1e4
    curve = tm.adaptation_curve(model, theta, batch, 0.1, 100)
    assert (
        np.isposinf(curve).any() and np.isnan(curve[-1, 1]) and np.isfinite(curve[:, [0, 2]]).all()
    )


REGRESSIONS = {
    "one output": dict(sizes=(2, 5, 1)),
    "labels that are no classes": dict(sizes=(2, 5, 3)),
}


@pytest.mark.parametrize("kind", REGRESSIONS)
def test_a_regression_has_no_accuracy(kind):
    model, theta, batch = problem(**REGRESSIONS[kind])
    with pytest.raises(ValueError, match='metric: expected "loss", as accuracy needs .*y_query'):
        tm.adaptation_curve(model, theta, batch, 0.1, 2, "accuracy")


def test_one_output_has_no_accuracy_even_if_every_label_is_1():
    model, theta, batch = problem(sizes=(2, 5, 1))
    batch.y_query[...] = 1
    with pytest.raises(ValueError, match="at least two classes"):
        tm.adaptation_curve(model, theta, batch, 0.1, 2, "accuracy")


def test_classes_may_be_learned_by_squared_error():
    model, theta, batch = problem(sizes=(2, 5, 3), query=12)
    for y in (batch.y_support, batch.y_query):
        y[...] = np.eye(3)[np.arange(y.shape[1]) % 3]
    curve = tm.adaptation_curve(model, theta, batch, 0.1, 2, "accuracy")
    predicted = model.predict(theta, batch.x_query).argmax(axis=-1)
    assert np.array_equal(curve[0], (predicted == np.arange(12) % 3).mean(axis=-1))


def test_outputs_that_are_not_finite_are_never_right():
    """argmax of nan is class 0, and every label here is that class."""
    model, theta, batch = problem(criterion="cross_entropy", sizes=(2, 6, 5), activation="relu")
    for y in (batch.y_support, batch.y_query):
        y[...] = np.eye(5)[0]
    batch.y_support[:, 0] = np.eye(5)[1]
    curve = tm.adaptation_curve(model, theta, batch, 1e200, 4, "accuracy")
    losses = tm.adaptation_curve(model, theta, batch, 1e200, 4)
    assert not np.isfinite(losses[-1]).any() and not curve[-1].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_accuracy_counts_a_point_with_a_bad_output_as_wrong(bad):
    outputs = np.array([[3.0, 1.0], [3.0, bad], [bad, 1.0], [1.0, 3.0]])
    labels = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    assert evaluation.accuracy(outputs, labels) == 0.5


def test_the_examples_in_the_docstrings_run():
    results = doctest.testmod(evaluation)
    assert results.failed == 0 < results.attempted
