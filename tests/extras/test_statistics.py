"""Statistics of adaptation curves, on a curve made by hand."""

import doctest
import math
from statistics import NormalDist

import numpy as np
import pytest
from helpers import problem

import tinymeta as tm
from tinymeta.extras import statistics
from tinymeta.extras.statistics import (
    accuracy_table,
    best_inner_lr,
    confidence_halfwidth,
    pack,
    summarize,
    t_quantile,
    table,
    unpack,
)

CURVE = np.array(
    [  # 2 seeds, 3 numbers of steps, 5 tasks
        [[4.0, 4.0, 4.0, 4.0, 4.0], [1.0, 2.0, 3.0, 4.0, 10.0], [0.0, 0.0, 0.0, 0.0, 5.0]],
        [[2.0, 4.0, 6.0, 8.0, 10.0], [3.0, 4.0, 5.0, 6.0, 2.0], [0.0, 2.0, 0.0, 2.0, 1.0]],
    ]
)


def test_spread_between_seeds_is_that_of_their_means_over_tasks():
    summary = summarize(CURVE)
    assert summary.seeds.tolist() == [[4, 4, 1], [6, 4, 1]]
    assert summary.mean.tolist() == [5, 4, 1]
    assert summary.seed_min.tolist() == [4, 4, 1] and summary.seed_max.tolist() == [6, 4, 1]


def test_spread_between_tasks_is_that_of_their_means_over_seeds():
    summary = summarize(CURVE)  # the means over seeds: 3 4 5 6 7, 2 3 4 5 6, 0 1 0 1 3
    assert summary.median.tolist() == [5, 4, 1]
    low, high = summary.task_quartiles
    assert low.tolist() == [4, 3, 0] and high.tolist() == [6, 5, 1]
    assert summary.diverged.tolist() == [0, 0, 0]


def test_a_summary_of_float32_is_taken_in_float64():
    curve = np.full((1, 1, 3000), 1 + 2**-23, np.float32)  # whose running sum float32 cannot hold
    assert summarize(curve).mean.dtype == np.float64 and summarize(curve).mean[0] == 1 + 2**-23
    assert summarize(CURVE.astype(int).tolist()).mean.tolist() == summarize(CURVE).mean.tolist()


def test_one_seed_needs_no_axis():
    for alone, one_of_one in zip(summarize(CURVE[0]), summarize(CURVE[:1])):
        assert np.array_equal(alone, one_of_one)


def test_diverged_is_not_finite_or_above_100_times_the_start():
    one = [[1.0] * 6, [100.0, 100.1, np.inf, np.nan, -np.inf, 1.0]]
    other = [[2.0] * 6, [200.0, 200.1, 1.0, 1.0, 1.0, np.nan]]
    assert summarize([one, other]).diverged.tolist() == [0, 6]


def test_a_start_that_is_not_finite_counts_as_diverged():
    curve = np.array([[np.inf, 1.0], [np.inf, 1.0]])
    assert summarize(curve).diverged.tolist() == [1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_task_spoils_its_own_step_alone(bad):
    curve = CURVE.copy()
    curve[1, 2, 3] = bad
    summary, want = summarize(curve), summarize(CURVE)
    assert not np.isfinite(summary.mean[2]) and summary.diverged.tolist() == [0, 0, 1]
    for field in ("mean", "seed_min", "seed_max", "median"):
        assert np.array_equal(getattr(summary, field)[:2], getattr(want, field)[:2])


def test_a_table_says_mean_range_of_seeds_median_and_how_many_diverged():
    spoiled = CURVE.copy()
    spoiled[1, 2, 3] = 1000.0  # 8 at the start
    header, one, other = table({"MAML": CURVE, "one seed": spoiled[1]}, (0, 2)).splitlines()
    assert header.split() == ["0", "steps", "2", "steps", "diverged"]
    assert one.split() == [
        "MAML",
        *"5.00 (4.00-6.00) 5.00".split(),
        *"1.00 (1.00-1.00) 1.00".split(),
        "0",
    ]
    assert other.split() == [
        "one",
        "seed",
        *"6.00 (6.00-6.00) 6.00".split(),
        *"200.60 (200.60-200.60) 1.00".split(),
        "1",
    ]
    assert len(header) == len(one) and one.index("5.00") == other.index("6.00")


def test_the_numbers_of_a_table_are_apart_however_long_they_are():
    for losses in ([9.0] * 5, [9.0, 9.0, 9.0, 9.0, 14.0], [10.0] * 5, [1e9] * 5):
        mean, median = f"{np.mean(losses):.2f}", f"{np.median(losses):.2f}"
        line = table({"MAML": [losses] * 2}, (0, 1)).splitlines()[1]
        assert line.count(f"  {mean} ({mean}-{mean}) {median}") == 2
    longest = [[[9.0] * 5] * 2, [[9.0, 9.0, 9.0, 9.0, 20.0]] * 2]  # that keeps its column
    header, line = table({"MAML": longest}, (0, 1)).splitlines()
    assert "10.10 (9.00-11.20) 9.00" in line and len(line) == len(header)


@pytest.mark.parametrize("tasks", [3, 8, 600])
def test_an_interval_holds_the_mean_of_all_tasks_nineteen_times_in_twenty(tasks):
    """Of normal tasks, seen by two seeds with errors of their own; and one of half its width would
    not."""
    rng = np.random.default_rng(0)
    of_tasks = rng.standard_normal((1, 4000, tasks)) + 0.5 * rng.standard_normal((2, 4000, tasks))
    means, half = of_tasks.mean(axis=(0, 2)), confidence_halfwidth(of_tasks)
    assert half.shape == (4000,)
    assert 0.94 < (abs(means) < half).mean() < 0.96
    assert (abs(means) < half / 2).mean() < 0.85


def test_an_interval_is_of_tasks_and_not_of_seeds():
    curve = np.array([[0.1, 0.2, 0.6]])[:, None]
    half = confidence_halfwidth(np.concatenate((curve, curve + 0.3)))
    want = 4.302652730 * np.std([0.1, 0.2, 0.6], ddof=1) / 3**0.5
    assert half == pytest.approx([want], rel=1e-9)
    assert confidence_halfwidth(curve[..., :2]) == pytest.approx([12.706204736 * 0.05], rel=1e-9)
    with pytest.raises(
        ValueError, match="curve: expected at least 2 tasks, to tell how they differ; got 1"
    ):
        confidence_halfwidth(curve[..., :1])


def test_a_curve_of_one_seed_has_an_interval_at_each_step():
    half = confidence_halfwidth(CURVE[0])
    assert half.shape == (3,) and np.array_equal(half, confidence_halfwidth(CURVE[:1]))
    assert np.array_equal(half, confidence_halfwidth(CURVE[0].tolist()))
    assert half[0] == 0 < half[2] < half[1]


def test_an_interval_of_numbers_that_are_not_finite_is_infinite():
    for bad in (np.nan, np.inf, -np.inf):
        curve = CURVE.copy()
        curve[1, 2, 3] = bad
        half = confidence_halfwidth(curve)
        assert np.array_equal(half[:2], confidence_halfwidth(CURVE)[:2]) and np.isposinf(half[2])
    for curve in ([[[np.inf, 1.0]], [[-np.inf, 1.0]]], [[1e200, 1.0]], [[[1.7e308] * 2]] * 2):
        assert confidence_halfwidth(curve).tolist() == [np.inf]


# Published: NIST/SEMATECH e-Handbook 1.3.6.7.2, with more digits by R's qt(0.975, df)
T_QUANTILES = {
    1: 12.7062047364,
    2: 4.3026527297,
    3: 3.1824463053,
    4: 2.7764451052,
    5: 2.5705818356,
    6: 2.4469118511,
    7: 2.3646242516,
    9: 2.2621571628,
    10: 2.2281388520,
    30: 2.0422724563,
    99: 1.9842169516,
    120: 1.9799304051,
    1000: 1.9623390808,
}


@pytest.mark.parametrize("df", T_QUANTILES)
def test_the_quantiles_of_students_t_are_the_published_ones(df):
    assert t_quantile(df) == pytest.approx(T_QUANTILES[df], abs=1e-9)


def test_the_quantiles_of_students_t_tend_to_those_of_the_normal_distribution():
    z = NormalDist().inv_cdf(0.975)
    for df in (10**5, 10**6):
        assert t_quantile(df) == pytest.approx(z + (z**3 + z) / (4 * df), abs=1e-9)


def test_the_table_of_accuracies_has_mean_interval_and_seeds():
    curve = np.array([[[0.2, 0.2, 0.2], [0.5, 0.7, 0.9]], [[0.2, 0.2, 0.2], [0.7, 0.9, 1.1]]])
    half = 100 * confidence_halfwidth(curve)[1]
    lines = accuracy_table({"MAML": curve}, (0, 1)).splitlines()
    assert lines[0].split() == ["0", "steps", "1", "steps"]
    assert lines[1].split() == [
        "MAML",
        "20.0",
        "+-0.0",
        "(20-20)",
        "80.0",
        f"+-{half:.1f}",
        "(70-90)",
    ]


def test_a_table_of_accuracies_counts_those_whose_loss_has_diverged():
    accuracies, losses = np.full((2, 3, 4), 0.25), np.ones((2, 3, 4))
    losses[0, 1, 0], losses[0, 2, :2], losses[1, 2, 3] = np.nan, np.inf, 101
    curves = {"one": accuracies, "other": accuracies[0]}
    losses = {"one": losses, "other": losses[1]}
    header, one, other = accuracy_table(curves, (0, 2), losses).splitlines()
    assert header.endswith("  2 steps    diverged") and len(header) == len(one) == len(other)
    assert one.split()[-1] == "3" and other.split()[-1] == "1"
    assert accuracy_table(curves, (0, 1), losses).splitlines()[1].split()[-1] == "1"
    assert "diverged" not in accuracy_table(curves, (0, 2))
    with pytest.raises(ValueError, match=r"losses: expected the methods \['one', 'other'\]; got"):
        accuracy_table(curves, (0, 2), {"one": losses["one"]})


def test_quantiles_of_losses_that_are_infinite_are_exact():
    inf = np.inf
    for losses, quartiles in (
        ([1, 2, 3, inf, inf], (2, 3, inf)),
        ([1, 2, inf, inf], (1.75, inf, inf)),
        ([1, inf, inf, inf, inf], (inf, inf, inf)),
        ([1, 2, 3, 4, inf], (2, 3, 4)),
        ([inf, inf], (inf, inf, inf)),
        ([inf], (inf, inf, inf)),
        ([1, 2, 3, 4], (1.75, 2.5, 3.25)),
        ([1, 2, 3, np.nan, -inf], (2, 3, inf)),  # none of which is a loss
    ):
        summary = summarize([losses, losses[::-1]])
        low, high = summary.task_quartiles
        got = list(zip(low.tolist(), summary.median.tolist(), high.tolist()))
        assert got == [quartiles] * 2
    seeds = np.array([[[1.0, inf, 2.0]], [[1.0, 3.0, np.nan]]])
    assert summarize(seeds).median.tolist() == [inf] and summarize(seeds[0]).median.tolist() == [2]


def test_a_sum_of_losses_may_overflow():
    summary = summarize([[1.0, 1.0], [1.7e308, 1.7e308]])
    assert summary.mean.tolist() == [1, np.inf] and summary.diverged.tolist() == [0, 2]


def test_accuracies_do_not_diverge():
    accuracies = [[0.0, 0.004, 0.2], [0.5, 0.9, np.nan]]
    assert summarize(accuracies, "accuracy").diverged.tolist() == [0, 1]
    assert summarize([[0.0, 0.0], [0.6, 0.8]]).diverged.tolist() == [0, 0]
    assert summarize([[-1.0, 1.0], [5.0, 101.0]]).diverged.tolist() == [0, 1]
    with pytest.raises(ValueError, match="metric: expected one of 'loss', 'accuracy'"):
        summarize(accuracies, "error")


@pytest.mark.parametrize("shape", [(), (4,), (1, 2, 3, 4), (2, 3, 0), (0, 3, 2)])
def test_what_is_no_curve_is_named(shape):
    for function in (summarize, confidence_halfwidth):
        with pytest.raises(ValueError, match=r"curve: expected a curve \(S, steps \+ 1, T\)"):
            function(np.ones(shape))
    for function in (table, accuracy_table):
        with pytest.raises(ValueError, match=r"curves\['MAML'\]: expected a curve"):
            function({"MAML": np.ones(shape)}, (0,))


@pytest.mark.parametrize("function", [table, accuracy_table])
def test_a_table_names_a_step_that_the_curves_do_not_have(function):
    for curves, steps, words in (
        ({"MAML": CURVE}, (0, 3), "steps: expected at most 2, the last of the curves; got 3"),
        ({"MAML": CURVE, "short": CURVE[:, :2]}, (2,), "steps: expected at most 1"),
        ({"MAML": CURVE}, (-1,), "steps: expected a whole number of at least 0; got -1"),
        ({"MAML": CURVE}, (1.0,), "steps: expected a whole number"),
        ({"MAML": CURVE}, (), "steps: expected at least one number of steps; got none"),
        ({}, (0,), "curves: expected at least one method's curve; got none"),
    ):
        with pytest.raises(ValueError, match=words):
            function(curves, steps)
    lists = {"MAML": CURVE.tolist()}
    assert function(lists, iter((0, 2))) == function({"MAML": CURVE}, (0, 2))


RATES = (1e-9, 0.05, 1e200)


def test_the_best_rate_of_a_regression_is_that_of_the_lowest_loss():
    model, theta, batch = problem(query=20)
    batch = batch._replace(x_query=batch.x_support, y_query=batch.y_support)
    curves = [tm.adaptation_curve(model, theta, batch, rate, 3)[3].mean() for rate in RATES[:2]]
    assert best_inner_lr(model, theta, batch, RATES, 3) == (0.05, pytest.approx(min(curves)))
    assert best_inner_lr(model, theta, batch, RATES[:2][::-1], 3)[0] == 0.05
    assert best_inner_lr(model, theta, batch, (rate for rate in RATES), 3)[0] == 0.05
    array = best_inner_lr(model, theta, batch, [np.full(model.n_params, 0.05)], 3)
    assert array[0].shape == theta.shape and array[1] == pytest.approx(min(curves))


def classes():
    """Tasks of two classes that a line separates, and a model."""
    model, theta, batch = problem(
        activation="relu", criterion="cross_entropy", sizes=(2, 6, 2), query=40, shots=40
    )
    for x, y in (batch[:2], batch[2:]):
        y[...] = np.eye(2)[(x[..., 0] > 0).astype(int)]
    return model, theta, batch


def test_the_best_rate_of_a_classifier_is_that_of_the_highest_accuracy():
    model, theta, batch = classes()
    accuracies = [
        tm.adaptation_curve(model, theta, batch, rate, 5, "accuracy")[5].mean()
        for rate in RATES[:2]
    ]
    assert accuracies[1] > accuracies[0] + 0.1
    assert best_inner_lr(model, theta, batch, RATES, 5) == (0.05, accuracies[1])


def test_a_rate_at_which_tasks_diverge_never_wins():
    """Not even where the labels are always class 0, which is the argmax of nan."""
    model, theta, batch = classes()
    batch.y_query[...] = np.eye(2)[0]
    for rates in ([1e200, 0.05], [0.05, 1e200]):
        assert best_inner_lr(model, theta, batch, rates, 5)[0] == 0.05
    model.unpack(theta)[-1][1][...] = -50, 50  # the other rate has an accuracy of 0 too
    assert best_inner_lr(model, theta, batch, [1e200, 1e-9], 1) == (1e-9, 0)


def test_a_rate_at_which_the_loss_explodes_never_wins_by_accuracy():
    model, theta, batch = classes()
    grown = adapted_by(1e5, model, theta, batch)
    assert grown["accuracy"] > adapted_by(1e-9, model, theta, batch)["accuracy"]
    assert 1e3 < grown["loss"] < np.inf
    assert best_inner_lr(model, theta, batch, [1e5, 1e-9], 1)[0] == 1e-9


def adapted_by(rate, model, theta, batch):
    """The mean accuracy and loss after one step."""
    return {
        metric: tm.adaptation_curve(model, theta, batch, rate, 1, metric)[1].mean()
        for metric in ("accuracy", "loss")
    }


@pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
def test_rates_that_are_none_or_all_diverge_are_refused(criterion):
    model, theta, batch = classes() if criterion == "cross_entropy" else problem()
    for rates in ([], iter(())):
        with pytest.raises(ValueError, match="rates: expected at least one rate; got none"):
            best_inner_lr(model, theta, batch, rates, 3)
    with pytest.raises(ValueError, match="rates: expected one that does not diverge; got 2"):
        best_inner_lr(model, theta, batch, [1e200, 1e250], 3)


def test_the_examples_in_the_docstrings_run():
    results = doctest.testmod(statistics)
    assert results.failed == 0 < results.attempted


def test_a_rate_diverges_where_the_mean_loss_grows_a_hundredfold_however_many_the_tasks():
    model, x = tm.MLP([1, 1]), np.ones((5, 1, 1))
    batch = tm.TaskBatch(x, x, x, x)  # the loss is 1, and (1 - 4 rate)^2 after a step
    assert best_inner_lr(model, np.zeros(2), batch, [2.5], 1) == (2.5, pytest.approx(81))
    with pytest.raises(ValueError, match="expected one that does not diverge"):
        best_inner_lr(model, np.zeros(2), batch, [2.753], 1)  # 100.2 times
    assert best_inner_lr(model, np.zeros(2), batch, [2.75], 1) == (2.75, 100)
    twice = tm.TaskBatch(x, 2 * x, x, 2 * x)  # the loss is 4 times as large, and grows as it did
    assert best_inner_lr(model, np.zeros(2), twice, [2.75], 1) == (2.75, 400)


def test_a_loss_of_0_that_grows_has_not_diverged():
    model, x = tm.MLP([1, 1]), np.ones((5, 1, 1))
    batch = tm.TaskBatch(x, x, x, 0 * x)  # after a step, the output is 4 rate
    assert best_inner_lr(model, np.zeros(2), batch, [0.5, 0.25], 1) == (0.25, pytest.approx(1))


def test_of_rates_that_are_equally_good_the_first_is_taken():
    model, theta, batch = classes()
    model.unpack(theta)[-1][1][...] = -50, 50  # always the same class
    assert best_inner_lr(model, theta, batch, [1e-9, 2e-9, 1e-8], 1)[0] == 1e-9
    zeros = batch._replace(y_support=0 * batch.y_support, y_query=0 * batch.y_query)
    flat = tm.MLP([2, 2])
    assert best_inner_lr(flat, np.zeros(6), zeros, [0.2, 0.1], 1) == (0.2, 0)


# Summaries in place of curves


def test_a_summary_stands_for_its_curve_in_both_tables_and_is_returned_as_it_is():
    summary = summarize(CURVE)
    assert summarize(summary) is summary
    assert table({"MAML": summary}, (0, 1)) == table({"MAML": CURVE}, (0, 1))
    accuracies = CURVE / CURVE.max()
    as_summary = {"MAML": summarize(accuracies, "accuracy")}
    assert accuracy_table(as_summary, (1,)) == accuracy_table({"MAML": accuracies}, (1,))


def test_a_summary_has_medians_of_every_seed_and_the_interval_over_tasks():
    curve = np.array([[[1.0, 2.0, 6.0]], [[0.0, 5.0, math.inf]]])
    summary = summarize(curve)
    assert summary.seed_medians.tolist() == [[2], [5]] and summary.halfwidth.tolist() == [math.inf]
    np.testing.assert_array_equal(summarize(CURVE).halfwidth, confidence_halfwidth(CURVE))
    assert summarize([[1.0], [2.0]]).halfwidth.tolist() == [math.inf, math.inf]  # one task


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_summary_comes_back_from_its_array(seeds):
    curve = np.random.default_rng(0).exponential(size=(seeds, 4, 7))
    curve[0, 2, 1] = math.inf
    summary = summarize(curve)
    assert pack(summary).shape == (2 * seeds + 5, 4)
    for got, want in zip(unpack(pack(summary)), summary):
        np.testing.assert_array_equal(got, want)
        assert np.asarray(got).dtype == np.asarray(want).dtype
