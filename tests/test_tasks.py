"""Sine tasks: their shapes, their distribution, and the scores that are known without any
learning."""

import doctest
from collections import namedtuple

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.checks import relative_error
from tinymeta.course.examples import left_side, sine_examples
from tinymeta.tasks import Views

SINES = tm.SineTasks()
PAPER = tm.SineTasks(phase=(0, np.pi))  # Finn et al. 2017; the post's is the default


def sample(n_tasks=3, shots=5, query=None, grid=False, seed=0, tasks=SINES):
    return tasks.sample(np.random.default_rng(seed), n_tasks, shots, query, grid)


def on_two_features(x):
    """a sin(x + b) = (a cos b) sin x + (a sin b) cos x."""
    return np.concatenate((np.sin(x), np.cos(x)), axis=-1)


def amplitude_and_phase(batch):
    """a and b of each task, by least squares on its query points."""
    weights = np.stack(
        [np.linalg.lstsq(on_two_features(x), y[:, 0], rcond=None)[0] for x, y in zip(*batch[2:])]
    )
    return np.hypot(*weights.T), np.arctan2(weights[:, 1], weights[:, 0]) % (2 * np.pi)


def assert_uniform(numbers, low, high):
    """Kolmogorov and Smirnov: a right sample is further from uniform than this once in a
    thousand."""
    share = (np.sort(numbers, axis=None) - low) / (high - low)
    assert 0 <= share[0] and share[-1] <= 1
    assert abs(share - np.arange(0.5, share.size) / share.size).max() < 1.95 / share.size**0.5


def assert_within_its_error(samples, expected):
    """A mean of independent samples within four standard errors of what it estimates."""
    assert abs(samples.mean() - expected) < 4 * samples.std() / len(samples) ** 0.5


def mean_square(f, amplitude=(0.1, 5.0), phase=(0, 2 * np.pi)):
    """E[(a sin(x + b) - f(x))^2] over x and b, by the midpoint rule; E[a] and E[a^2] of a uniform a
    by hand."""
    low, high = amplitude
    a1, a2 = (low + high) / 2, (high**3 - low**3) / (3 * (high - low))
    x = -5 + 10 * (np.arange(1000)[:, None] + 0.5) / 1000
    s = np.sin(x + phase[0] + (phase[1] - phase[0]) * (np.arange(1000) + 0.5) / 1000)
    return (a2 * s**2 - 2 * a1 * s * f(x) + f(x) ** 2).mean()


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize(
    "n_tasks, lead", [(3, (3,)), ((3,), (3,)), ((2, 3), (2, 3)), ([2, 3], (2, 3))], ids=str
)
def test_shapes_are_tasks_points_and_one(n_tasks, lead, grid):
    assert [array.shape for array in sample(n_tasks, 5, 7, grid)] == [
        (*lead, n, 1) for n in (5, 5, 7, 7)
    ]
    assert [array.shape for array in sample(n_tasks, 5, None, grid)] == [(*lead, 5, 1)] * 4
    assert all(array.dtype == np.float64 for array in sample(n_tasks, 5, 7, grid))


def test_the_defaults_are_the_posts():
    assert tm.SineTasks() == tm.SineTasks(
        amplitude=(0.1, 5.0), phase=(0.0, 2 * np.pi), x_range=(-5.0, 5.0)
    )


@pytest.mark.parametrize("grid", [False, True])
def test_two_points_and_two_features_solve_any_task(grid):
    batch = sample(200, 2, 20, grid)
    weights = np.linalg.solve(on_two_features(batch.x_support), batch.y_support)
    assert relative_error(on_two_features(batch.x_query) @ weights, batch.y_query) < 1e-12


@pytest.mark.parametrize(
    "tasks", [tm.SineTasks(), PAPER, tm.SineTasks((2.0, 3.0), (1.0, 1.5), (0.0, 8.0))], ids=str
)
def test_amplitudes_phases_and_points_are_uniform_over_their_ranges(tasks):
    batch = sample(3000, 4, 6, tasks=tasks)
    a, b = amplitude_and_phase(batch)
    assert_uniform(a, *tasks.amplitude)
    assert_uniform(b, *tasks.phase)
    for x in batch.x_support, batch.x_query:
        assert_uniform(x, *tasks.x_range)
    for one, other in (
        (a, b),
        (a, batch.x_support[:, 0, 0]),
        (batch.x_support[:, 0, 0], batch.x_query[:, 0, 0]),
    ):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / 3000**0.5  # independent


def test_support_and_query_points_are_different_points_of_one_task():
    batch = sample(50, 5, 5)
    assert not np.isin(batch.x_query, batch.x_support).any()
    fit_on_support = amplitude_and_phase(tm.TaskBatch(*batch[2:], *batch[:2]))
    assert np.allclose(fit_on_support, amplitude_and_phase(batch))


def test_by_default_query_points_are_drawn_and_as_many_as_support_points():
    default = tm.SineTasks().sample(np.random.default_rng(0), 3, 5)
    assert all(map(np.array_equal, default, sample(3, 5, 5, grid=False)))


def test_a_task_distribution_does_not_change():
    with pytest.raises(AttributeError):
        tm.SineTasks().phase = (0, np.pi)
    assert len({tm.SineTasks(), tm.SineTasks(), PAPER}) == 2


def test_a_grid_spaces_the_query_points_evenly_and_leaves_the_support_points_alone():
    gridded = sample(4, 5, 50, grid=True)
    assert np.array_equal(
        gridded.x_query, np.broadcast_to(np.linspace(-5, 5, 50)[:, None], (4, 50, 1))
    )
    assert_uniform(sample(500, 5, 50, grid=True).x_support, -5, 5)


def test_replicas_have_tasks_of_their_own():
    a, _ = amplitude_and_phase(tm.TaskBatch(*(array.reshape(6, -1, 1) for array in sample((2, 3)))))
    assert len(np.unique(a.round(9))) == 6


def test_a_sample_follows_its_generator():
    for one, same, other in zip(sample(seed=1), sample(seed=1), sample(seed=2)):
        assert np.array_equal(one, same) and not np.isin(one, other).any()


def test_split_tasks_gives_the_batch_in_order_and_in_pieces():
    batch = sample((2, 7))
    pieces = [*batch.split_tasks(3)]
    assert [piece.x_support.shape[1] for piece in pieces] == [3, 3, 1]
    assert all(isinstance(piece, tm.TaskBatch) for piece in pieces)
    for whole, *arrays in zip(batch, *pieces):
        assert np.array_equal(np.concatenate(arrays, axis=1), whole)


def test_the_example_to_look_at_is_one_wave_with_points_anywhere_and_on_one_side():
    (anywhere, one_side), (title, other) = (
        (tasks := sine_examples(np.random.default_rng(0), 10)).values(),
        tasks,
    )
    assert title == "10 points anywhere" and other == "10 points on one side"
    assert (one_side.x_support > 0).all() and np.array_equal(
        one_side.x_support, abs(anywhere.x_support)
    )
    assert 0 < (anywhere.x_support > 0).sum() < 10 and abs(anywhere.x_support).max() <= 5
    for task in (anywhere, one_side):
        assert [array.shape for array in task] == [(1, 10, 1), (1, 10, 1), (1, 200, 1), (1, 200, 1)]
        assert np.array_equal(task.x_query[0, :, 0], np.linspace(-5, 5, 200))
        for x, y in (task[:2], task[2:]):
            assert np.allclose(y, 3 * np.sin(x + 1))


def test_the_left_side_keeps_the_query_points_left_of_0():
    task = sample(1, 10, 101, grid=True)  # with 0 in the middle
    left = left_side(task)
    assert np.array_equal(left.x_support, task.x_support) and np.array_equal(
        left.y_support, task.y_support
    )
    assert np.array_equal(left.x_query, task.x_query[:, :50]) and np.array_equal(
        left.y_query, task.y_query[:, :50]
    )


def test_the_left_side_of_several_tasks_is_refused():
    batch = tm.SineTasks().sample(np.random.default_rng(0), 4, 5)
    with pytest.raises(ValueError, match=r"task: expected one task.* got x_query \(4, 5, 1\)"):
        left_side(batch)


def test_the_examples_in_the_docstrings_run():
    failed, run = doctest.testmod(tm.tasks)
    assert run >= 12 and not failed


# Arguments

UNFIT = {
    "a seed": (
        dict(rng=-1),
        r"rng: expected a NumPy Generator, such as np.random.default_rng\(seed\); got -1",
    ),
    "half a seed": (dict(rng=1.5), "rng: .*; got 1.5"),
    "a word": (dict(rng="0"), "rng: .*; got '0'"),
    "no tasks": (dict(n_tasks=0), "n_tasks: expected a whole number of at least 1; got 0"),
    "no tasks for one replica": (dict(n_tasks=(2, 0)), "n_tasks: .*; got 0"),
    "no replicas": (dict(n_tasks=(0, 2)), "n_tasks: .*; got 0"),
    "nothing": (dict(n_tasks=()), "n_tasks: .*; got None"),
    "a task and a half": (dict(n_tasks=1.5), "n_tasks: .*; got 1.5"),
    "no shots": (dict(shots=0), "shots: expected a whole number of at least 1; got 0"),
    "negative shots": (dict(shots=-1), "shots: .*; got -1"),
    "half a shot": (dict(shots=0.5), "shots: .*; got 0.5"),
    "negative query points": (
        dict(query=-1),
        "query: expected a whole number of at least 0; got -1",
    ),
    "true query points": (dict(query=True), "query: .*; got True"),
}


@pytest.mark.parametrize("change, message", UNFIT.values(), ids=UNFIT)
def test_a_sample_names_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        tm.SineTasks().sample(
            **{"rng": np.random.default_rng(0), "n_tasks": 2, "shots": 3} | change
        )


@pytest.mark.parametrize("name", ["amplitude", "phase", "x_range"])
@pytest.mark.parametrize(
    "value, message",
    [
        ((2, 1), r"expected \(low, high\) with low <= high; got \(2, 1\); did you swap them\?"),
        ((0, np.inf), r"expected two finite numbers, \(low, high\); got \(0, inf\)"),
        ((-np.inf, 0), "expected two finite numbers"),
        ((np.nan, 1), "expected two finite numbers"),
        ((1,), "expected two finite numbers"),
        ((1, 2, 3), "expected two finite numbers"),
        (5.0, "expected two finite numbers.*; got 5.0"),
        ("ab", "expected two finite numbers.*; got 'ab'"),
        (None, "expected two finite numbers"),
    ],
)
def test_a_range_that_is_none_is_named(name, value, message):
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        tm.SineTasks(**{name: value})


def test_a_sample_may_have_no_query_points():
    for grid in (False, True):
        batch = sample(5, 4, 0, grid)
        assert batch.x_query.shape == batch.y_query.shape == (
            5,
            0,
            1,
        ) and batch.x_support.shape == (5, 4, 1)


def test_a_range_may_be_a_single_point():
    batch = sample(5, tasks=tm.SineTasks(amplitude=(2, 2), phase=[-1, -1]))
    assert np.array_equal(batch.y_query, 2 * np.sin(batch.x_query - 1))


def test_examples_and_split_tasks_name_what_is_wrong():
    with pytest.raises(ValueError, match="rng: expected a NumPy Generator"):
        sine_examples(0, 10)
    with pytest.raises(ValueError, match="shots: expected a whole number of at least 1; got 0"):
        sine_examples(np.random.default_rng(0), 0)
    with pytest.raises(ValueError, match="n_tasks: expected a whole number of at least 1; got 0"):
        next(sample().split_tasks(0))


# Known answers: what a predictor that does not know the task can reach


@pytest.mark.parametrize("tasks", [tm.SineTasks(), PAPER], ids=["post", "paper"])
def test_zero_scores_half_the_mean_squared_amplitude(tasks):
    expected = (5**3 - 0.1**3) / (3 * 4.9) / 2
    assert expected == pytest.approx(4.2517, abs=5e-5)
    assert mean_square(lambda x: 0, phase=tasks.phase) == pytest.approx(expected)
    batch = sample(20_000, 1, 10, tasks=tasks)
    assert_within_its_error((batch.y_query**2).mean(axis=(1, 2)), expected)


def test_no_blind_predictor_beats_zero_on_the_posts_tasks():
    """The blind optimum is E[y | x], and that is 0 where the phase goes all the way round."""
    batch = sample(20_000, 1, 10)
    for feature in (np.sin(batch.x_query), np.cos(batch.x_query), np.ones_like(batch.x_query)):
        assert_within_its_error((batch.y_query * feature).mean(axis=(1, 2)), 0)


def test_on_the_papers_tasks_the_best_blind_predictor_is_a_cosine_and_scores_3_006():
    """E[y | x] = E[a] E[sin(x + b)] = 2.55 * 2/pi * cos x."""

    def best(x):
        return 2.55 * 2 / np.pi * np.cos(x)

    expected = mean_square(best, phase=PAPER.phase)
    assert expected == pytest.approx(3.006, abs=5e-4)
    for worse in (
        lambda x: best(x) + 0.1,
        lambda x: best(x) + 0.1 * np.sin(x),
        lambda x: 0.9 * best(x),
        lambda x: 1.1 * best(x),
    ):
        assert mean_square(worse, phase=PAPER.phase) > expected
    batch = sample(20_000, 1, 10, tasks=PAPER)
    assert_within_its_error(
        ((batch.y_query - best(batch.x_query)) ** 2).mean(axis=(1, 2)), expected
    )
    for feature in (np.sin(batch.x_query), np.cos(batch.x_query), np.ones_like(batch.x_query)):
        assert_within_its_error(
            ((batch.y_query - best(batch.x_query)) * feature).mean(axis=(1, 2)), 0
        )


def test_merged_points_are_all_points_on_both_sides():
    batch = sample(3, 4, 2)
    x_support, y_support, x_query, y_query = batch.merge_support_query()
    assert (
        np.array_equal(x_support, np.concatenate((batch.x_support, batch.x_query), axis=1))
        and x_query is x_support
    )
    assert (
        np.array_equal(y_support, np.concatenate((batch.y_support, batch.y_query), axis=1))
        and y_query is y_support
    )


def test_swapped_points_are_those_of_the_other_set():
    batch = sample(3, 4, 2)
    assert all(
        a is b
        for a, b in zip(
            batch.swap_support_query(),
            (batch.x_query, batch.y_query, batch.x_support, batch.y_support),
        )
    )


def test_split_points_has_each_point_once():
    batch = sample(3, 8, 4)
    split = batch.split_points(4)
    assert [part.x_support.shape for part in split] == 4 * [(3, 2, 1)]
    for one, whole in zip(zip(*split), batch):
        assert np.array_equal(np.stack(one, axis=2).reshape(whole.shape), whole)
    with pytest.raises(ValueError, match="n: expected a whole number of at least 1; got 0"):
        batch.split_points(0)


def test_views_are_handed_out_one_after_the_other_of_the_batches_that_the_tasks_would_give():
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    views = Views(tm.SineTasks(), lambda batch: [batch, batch.swap_support_query(), batch])
    for _ in range(2):
        batch = tm.SineTasks().sample(same, (2, 3), 4, 5)
        for expected in (batch, batch.swap_support_query(), batch):
            assert all(
                np.array_equal(a, b) for a, b in zip(views.sample(rng, (2, 3), 4, 5), expected)
            )


def numbers(batch):
    return [array.tolist() for array in batch]


def test_views_give_the_number_of_tasks_and_points_that_is_asked_for():
    """Not the view that is left over from a training; and that one is still there afterwards."""
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    views = Views(SINES, lambda batch: [batch, batch.swap_support_query()])
    views.sample(rng, 4, 5)
    batch = SINES.sample(same, 4, 5)
    for changes in (
        dict(n_tasks=1000, shots=10),
        dict(n_tasks=4, shots=5, query=3),
        dict(n_tasks=(1, 4), shots=5),
        dict(n_tasks=4, shots=6, query=5),
        dict(n_tasks=4, shots=5, grid=True),
    ):
        assert numbers(views.sample(rng, **changes)) == numbers(SINES.sample(same, **changes))
    again = views.sample(rng, np.uint8(4), np.int64(5), 5)  # the same request in other words
    assert numbers(again) == numbers(batch.swap_support_query())


def test_a_state_of_views_brings_back_the_views_that_were_waiting():
    class Counting:
        """Tasks with a state of their own, in fields in another order."""

        Batch = namedtuple("Batch", "x_query y_query x_support y_support")

        def __init__(self):
            self.count = 0

        def sample(self, rng, n_tasks, shots, query=None, grid=False):
            self.count += 1
            batch = SINES.sample(rng, n_tasks, shots, query, grid)
            return self.Batch(**{**batch._asdict(), "y_query": batch.y_query + self.count})

        def state(self):
            return {"count": self.count}

        def restore(self, state):
            self.count = state["count"]

    def make():
        return Views(Counting(), lambda batch: [batch, batch, batch])

    views, again, rng = make(), make(), np.random.default_rng(0)
    views.sample(rng, 2, 3)
    state, generator = views.state(), rng.bit_generator.state
    expected = [views.sample(rng, 2, 3) for _ in range(4)]
    rng.bit_generator.state = generator
    again.restore(state)
    for batch in expected:
        got = again.sample(rng, 2, 3)
        for name in tm.TaskBatch._fields:
            assert np.array_equal(getattr(got, name), getattr(batch, name))
    assert again.tasks.count == 2
    with pytest.raises(ValueError, match="state: expected a state of Views of the same tasks"):
        Views(SINES, lambda batch: [batch]).restore(state)
    with pytest.raises(ValueError, match="state: expected a state of Views of the same tasks"):
        again.restore(Views(SINES, lambda batch: [batch]).state())


@pytest.mark.parametrize(
    "tasks, views, error, message",
    [
        (tm.SineTasks, list, TypeError, "tasks: expected an object with the method sample"),
        ([1], list, TypeError, r"tasks: expected an object with the method sample.* got \[1\]"),
        (SINES, [], TypeError, r"views: expected a function of a TaskBatch; got \[\]"),
        (SINES, lambda batch: [], ValueError, "views: expected at least one TaskBatch; got none"),
    ],
)
def test_views_name_what_is_wrong(tasks, views, error, message):
    with pytest.raises(error, match=message):
        Views(tasks, views).sample(np.random.default_rng(0), 2, 3)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64])
@pytest.mark.parametrize("grid", [False, True])
def test_small_integers_of_numpy_count_as_whole_numbers(kind, grid):
    batch = SINES.sample(np.random.default_rng(0), kind(2), kind(100), kind(101), grid)
    assert numbers(batch) == numbers(SINES.sample(np.random.default_rng(0), 2, 100, 101, grid))
    if kind is np.uint8:
        assert (
            SINES.sample(np.random.default_rng(0), 2, kind(200), kind(200)).x_query.shape[1] == 200
        )
