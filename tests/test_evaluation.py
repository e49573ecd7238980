"""Adaptation curves against a loop, and their statistics on a curve made by hand."""

import numpy as np
import pytest
from helpers import problem

import tinymeta as tm
from tinymeta.checks import relative_error


def by_a_loop(model, theta, batch, inner_lr, steps, measure):
    """(steps + 1, T): measure(theta, x, y) of each task on its query set, after each number of steps on its support set."""
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
        assert curve[s].mean() == pytest.approx(tm.meta_loss(model, theta, batch, 0.1, s), rel=1e-14)


def test_accuracy_is_the_share_of_points_whose_largest_output_is_right():
    model, theta, batch = problem(criterion="cross_entropy", sizes=(2, 6, 4), tasks=25, query=7)

    def accuracy(theta, x, y):
        pairs = zip(model.predict(theta, x).tolist(), y.tolist())
        return sum(out.index(max(out)) == label.index(1) for out, label in pairs) / len(x)

    curve = tm.adaptation_curve(model, theta, batch, 0.5, 5, metric="accuracy")
    assert relative_error(curve, by_a_loop(model, theta, batch, 0.5, 5, accuracy)) <= 1e-12
    assert len(np.unique(curve)) > 4
    of_replicas = tm.adaptation_curve(model, np.stack((theta, -theta)), batch, 0.5, 5, metric="accuracy")
    assert np.array_equal(of_replicas[0], curve) and of_replicas.shape == (2, 6, 25)


@pytest.mark.parametrize("lead", [(), (3,)], ids=["shared batch", "batches of their own"])
@pytest.mark.parametrize("rate", ["number", "(P,)", "(S, P)"])
def test_replicas_are_as_many_curves(lead, rate):
    model, theta, batch = problem(replicas=(3,), lead=lead, tasks=25)
    inner_lr = {"number": np.array(0.1), "(P,)": 0.2 * theta[0] ** 2, "(S, P)": 0.2 * theta**2}[rate]
    curve = tm.adaptation_curve(model, theta, batch, inner_lr, 2)
    assert curve.shape == (3, 3, 25)
    for s in range(3):
        own = tm.TaskBatch(*(array[s] if lead else array for array in batch))
        alone = tm.adaptation_curve(model, theta[s], own, inner_lr[s] if rate == "(S, P)" else inner_lr, 2)
        assert relative_error(curve[s], alone) <= 1e-12


def test_a_task_that_diverges_is_followed_in_silence_and_spoils_no_other():
    model, theta, batch = problem(sizes=(2, 2), tasks=3)  # linear: no unit dies, which would end the explosion
    batch.x_support[1] *= 1e4
    curve = tm.adaptation_curve(model, theta, batch, 0.1, 100)
    assert np.isposinf(curve).any() and np.isnan(curve[-1, 1]) and np.isfinite(curve[:, [0, 2]]).all()
    assert tm.summarize(curve).diverged[-1] == 1


# Summaries

CURVE = np.array(
    [  # 2 seeds, 3 numbers of steps, 5 tasks
        [[4.0, 4.0, 4.0, 4.0, 4.0], [1.0, 2.0, 3.0, 4.0, 10.0], [0.0, 0.0, 0.0, 0.0, 5.0]],
        [[2.0, 4.0, 6.0, 8.0, 10.0], [3.0, 4.0, 5.0, 6.0, 2.0], [0.0, 2.0, 0.0, 2.0, 1.0]],
    ]
)


def test_spread_between_seeds_is_that_of_their_means_over_tasks():
    summary = tm.summarize(CURVE)
    assert summary.seeds.tolist() == [[4, 4, 1], [6, 4, 1]]
    assert summary.mean.tolist() == [5, 4, 1]
    assert summary.low.tolist() == [4, 4, 1] and summary.high.tolist() == [6, 4, 1]


def test_spread_between_tasks_is_that_of_their_means_over_seeds():
    summary = tm.summarize(CURVE)  # the means over seeds: 3 4 5 6 7, 2 3 4 5 6, 0 1 0 1 3
    assert summary.median.tolist() == [5, 4, 1]
    low, high = summary.quartiles
    assert low.tolist() == [4, 3, 0] and high.tolist() == [6, 5, 1]
    assert summary.diverged.tolist() == [0, 0, 0]


def test_a_summary_of_float32_is_taken_in_float64():
    curve = np.full((1, 1, 3000), 1 + 2**-23, np.float32)  # whose running sum float32 cannot hold
    assert tm.summarize(curve).mean.dtype == np.float64 and tm.summarize(curve).mean[0] == 1 + 2**-23
    assert tm.summarize(CURVE.astype(int).tolist()).mean.tolist() == tm.summarize(CURVE).mean.tolist()


def test_one_seed_needs_no_axis():
    for alone, one_of_one in zip(tm.summarize(CURVE[0]), tm.summarize(CURVE[:1])):
        assert np.array_equal(alone, one_of_one)


def test_diverged_is_not_finite_or_above_100_times_the_start():
    one = [[1.0] * 6, [100.0, 100.1, np.inf, np.nan, -np.inf, 1.0]]
    other = [[2.0] * 6, [200.0, 200.1, 1.0, 1.0, 1.0, np.nan]]
    assert tm.summarize([one, other]).diverged.tolist() == [0, 6]


def test_a_start_that_is_not_finite_counts_as_diverged():
    curve = np.array([[np.inf, 1.0], [np.inf, 1.0]])
    assert tm.summarize(curve).diverged.tolist() == [1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_task_spoils_its_own_step_alone(bad):
    curve = CURVE.copy()
    curve[1, 2, 3] = bad
    summary, want = tm.summarize(curve), tm.summarize(CURVE)
    assert not np.isfinite(summary.mean[2]) and summary.diverged.tolist() == [0, 0, 1]
    for field in ("mean", "low", "high", "median"):
        assert np.array_equal(getattr(summary, field)[:2], getattr(want, field)[:2])


def test_a_table_says_mean_range_of_seeds_median_and_how_many_diverged():
    spoiled = CURVE.copy()
    spoiled[1, 2, 3] = 1000.0  # 8 at the start
    header, one, other = tm.table({"MAML": CURVE, "one seed": spoiled[1]}, (0, 2)).splitlines()
    assert header.split() == ["0", "steps", "2", "steps", "diverged"]
    assert one.split() == ["MAML", *"5.00 (4.00-6.00) 5.00".split(), *"1.00 (1.00-1.00) 1.00".split(), "0"]
    assert other.split() == ["one", "seed", *"6.00 (6.00-6.00) 6.00".split(), *"200.60 (200.60-200.60) 1.00".split(), "1"]
    assert len(header) == len(one) and one.index("5.00") == other.index("6.00")


def test_the_largest_eigenvalue_is_that_of_the_dense_hessian():
    model, theta, batch = problem(sizes=(2, 4, 2), tasks=3)
    dense = [model.hvp(theta, x, y, np.eye(model.n_params)) for x, y in zip(batch.x_support, batch.y_support)]
    eigenvalues = np.linalg.eigvalsh(dense)
    assert (eigenvalues[:, -1] > 1.05 * abs(eigenvalues[:, :-1]).max(axis=-1)).all()  # or power iteration would be slow
    want = eigenvalues[:, -1]
    got = tm.largest_eigenvalue(model, theta, batch.x_support, batch.y_support, np.random.default_rng(0), 300)
    assert relative_error(got, want) <= 1e-9
    assert relative_error(tm.largest_eigenvalue(model, theta, batch.x_support, batch.y_support, np.random.default_rng(0), 1), want) > 0.01


@pytest.mark.parametrize("tasks", [3, 8, 600])
def test_an_interval_holds_the_mean_of_all_tasks_nineteen_times_in_twenty(tasks):
    """Of normal tasks, seen by two seeds with errors of their own; and one of half its width would not."""
    rng = np.random.default_rng(0)
    of_tasks = rng.standard_normal((1, 4000, tasks)) + 0.5 * rng.standard_normal((2, 4000, tasks))
    means, half = of_tasks.mean(axis=(0, 2)), tm.interval(of_tasks)
    assert half.shape == (4000,)
    assert 0.94 < (abs(means) < half).mean() < 0.96
    assert (abs(means) < half / 2).mean() < 0.85


def test_an_interval_is_of_tasks_and_not_of_seeds():
    curve = np.array([[0.1, 0.2, 0.6]])[:, None]
    assert tm.interval(np.concatenate((curve, curve + 0.3)))[0] == pytest.approx(4.303 * np.std([0.1, 0.2, 0.6], ddof=1) / 3**0.5, rel=0.04)
    with pytest.raises(ValueError, match="curve: expected at least 3 tasks, to tell how they differ; got 2"):
        tm.interval(curve[..., :2])


def test_the_table_of_accuracies_has_mean_interval_and_seeds():
    curve = np.array([[[0.2, 0.2, 0.2], [0.5, 0.7, 0.9]], [[0.2, 0.2, 0.2], [0.7, 0.9, 1.1]]])
    half = 100 * tm.interval(curve)[1]
    lines = tm.accuracy_table({"MAML": curve}, (0, 1)).splitlines()
    assert lines[0].split() == ["0", "steps", "1", "steps"]
    assert lines[1].split() == ["MAML", "20.0", "+-0.0", "(20-20)", "80.0", f"+-{half:.1f}", "(70-90)"]
