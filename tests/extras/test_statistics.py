"""Statistics of adaptation curves, on a curve made by hand."""

import numpy as np
import pytest

from tinymeta.extras.statistics import accuracy_table, confidence_halfwidth, summarize, table

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
    assert confidence_halfwidth(np.concatenate((curve, curve + 0.3)))[0] == pytest.approx(
        4.303 * np.std([0.1, 0.2, 0.6], ddof=1) / 3**0.5, rel=0.04
    )
    with pytest.raises(
        ValueError, match="curve: expected at least 3 tasks, to tell how they differ; got 2"
    ):
        confidence_halfwidth(curve[..., :2])


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
