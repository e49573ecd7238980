"""A fixed pool of tasks: the tasks stay the same, the points do not, and a training resumes with
them."""

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.extras.fixed_tasks import FixedTasks
from tinymeta.extras.glyphs import GlyphTasks
from tinymeta.extras.storage import load_checkpoint, save_checkpoint
from tinymeta.tasks import Ahead, ClassificationTasks, RegressionTasks, Views

SINES = tm.SineTasks()
LINES = tm.FunctionTasks(
    lambda x, slope, offset: slope * x + offset, {"slope": (-2, 2), "offset": (-2, 2)}, (-1, 1)
)
OWN = tm.FunctionTasks(  # parameters drawn by a function, two inputs
    lambda x, slope: slope * x.sum(axis=-1, keepdims=True),
    lambda rng, shape: rng.standard_normal(shape),
    [(1, 2), (1, 2)],
)
ROWS = np.arange(600.0)[:, None]
DATA = RegressionTasks(ROWS, -ROWS, np.repeat(np.arange(20), 30))
CLASSES = ClassificationTasks(ROWS, np.repeat(np.arange(20), 30), ways=3)


def rng(seed=0):
    return np.random.default_rng(seed)


def weights(x, y, functions):
    """Return the weights (..., p) of each task, by least squares."""
    features = np.concatenate([f(x) for f in functions], axis=-1)
    return (np.linalg.pinv(features) @ y)[..., 0]


IN_FULL = {
    "sines": (SINES, (np.sin, np.cos)),
    "lines": (LINES, (lambda x: x, np.ones_like)),
    "parameters of a function's": (OWN, (lambda x: x.sum(axis=-1, keepdims=True),)),
}


@pytest.mark.parametrize("name", IN_FULL)
def test_many_batches_have_no_more_tasks_than_the_pool_and_all_of_them(name):
    tasks, functions = IN_FULL[name]
    for pool, count in ((FixedTasks(tasks, rng(), 4), 4), (tasks, 200)):
        batch = pool.sample(rng(1), 200, shots=5)
        found = weights(batch.x_support, batch.y_support, functions)
        assert len(np.unique(found.round(6), axis=0)) == count
        of_query = weights(batch.x_query, batch.y_query, functions)
        np.testing.assert_allclose(of_query, found, atol=1e-6)


def test_each_task_of_the_pool_has_the_same_chance():
    batch = FixedTasks(LINES, rng(), 4).sample(rng(1), 4000, shots=2)
    found = weights(batch.x_support, batch.y_support, IN_FULL["lines"][1]).round(6)
    counts = np.unique(found, axis=0, return_counts=True)[1]
    assert abs(counts - 1000).max() < 150  # five standard deviations


def test_points_and_noise_are_new_at_every_visit():
    noisy = FixedTasks(
        tm.FunctionTasks(lambda x, c: c + 0 * x, {"c": (1, 2)}, (-1, 1), noise=0.1), rng(), 1
    )
    batch = noisy.sample(rng(1), 50, shots=5)
    assert len(np.unique(batch.x_support)) == len(np.unique(batch.y_support)) == 250
    assert 0.07 < batch.y_support.std() < 0.13
    even = noisy.sample(rng(1), 2, shots=5, query=3, grid=True)
    assert even.x_query[0].ravel().tolist() == [-1, 0, 1] and np.ptp(even.y_query) == 0


@pytest.mark.parametrize("tasks, options", [(LINES, {}), (DATA, {"points": 10})])
def test_replicas_have_tasks_of_their_own(tasks, options):
    pool = FixedTasks(tasks, rng(), (2, 3), **options)
    batch = pool.sample(rng(1), (2, 100), shots=4)
    found = weights(batch.x_support, batch.y_support, IN_FULL["lines"][1])
    if tasks is DATA:
        found = batch.x_support.min(axis=(-1, -2)) // 30
    first, second = ({*map(str, np.round(each, 6))} for each in found)
    assert len(first) == len(second) == 3
    assert not first & second or tasks is DATA


def test_kept_points_are_split_without_overlap_and_all_are_used():
    pool = FixedTasks(DATA, rng(), 2, points=6)
    batch = pool.sample(rng(1), 100, shots=2, query=3)
    np.testing.assert_array_equal(batch.y_query, -batch.x_query)
    both = np.concatenate((batch.x_support, batch.x_query), axis=1)[..., 0]
    assert all(len({*row}) == 5 and np.ptp(row // 30) == 0 for row in both)
    assert len(np.unique(both)) == 12


@pytest.mark.parametrize("tasks, ways", [(CLASSES, 3), (GlyphTasks("train", ways=4), 4)])
def test_a_kept_task_keeps_its_classes_and_their_numbers(tasks, ways):
    pool = FixedTasks(tasks, rng(), 1, points=3)
    batch = pool.sample(rng(1), 30, shots=1, query=2)
    assert batch.x_support.shape[1:2] == (ways,) and batch.x_query.shape[1:2] == (2 * ways,)
    np.testing.assert_array_equal(batch.y_support, np.broadcast_to(np.eye(ways), (30, ways, ways)))
    drawings = [{row.tobytes() for row in batch.x_support[:, way]} for way in range(ways)]
    assert [len(found) for found in drawings] == ways * [3]
    assert len(set.union(*drawings)) == 3 * ways
    if tasks is CLASSES:
        assert np.ptp(batch.x_support[:, 0] // 30) == 0


def train(tasks, generator, theta, optimizer, iterations):
    return tm.meta_train(
        tm.maml_grad, tm.MLP([1, 4, 1], "tanh"), theta, tasks, rng=generator, optimizer=optimizer,
        iterations=iterations, meta_batch_size=2, shots=3, inner_lr=0.01,
    )[0]  # fmt: skip


KINDS = {
    "functions": lambda seed: FixedTasks(SINES, rng(seed), (2, 3)),
    "kept points": lambda seed: FixedTasks(DATA, rng(seed), (2, 3), points=8),
    "in Views": lambda seed: Views(
        FixedTasks(SINES, rng(seed), 3), lambda b: [b, b.swap_support_query()]
    ),
    "a pool of a pool": lambda seed: FixedTasks(FixedTasks(LINES, rng(seed), 9), rng(1), 3, 8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_resumed_from_a_file_ends_with_the_same_digits(tmp_path, kind):
    model = tm.MLP([1, 4, 1], "tanh")
    start = np.stack([model.init(rng(seed)) for seed in (1, 2)]) / 100
    whole = train(KINDS[kind](0), rng(7), start, tm.Adam(0.01), 9)
    tasks, generator, optimizer = KINDS[kind](0), rng(7), tm.Adam(0.01)
    half = train(tasks, generator, start, optimizer, 5)
    save_checkpoint(tmp_path / "c.npz", model, half, optimizer, generator, 5, tasks=tasks)
    again, generator, optimizer = KINDS[kind](5), rng(), tm.Adam(0.01)
    half, _ = load_checkpoint(tmp_path / "c.npz", model, optimizer, generator, tasks=again)
    state = generator.bit_generator.state
    np.testing.assert_array_equal(train(again, generator, half, optimizer, 4), whole)
    # the negative control: other tasks, which are not restored
    other, optimizer = rng(), tm.Adam(0.01)
    other.bit_generator.state = state
    assert not np.array_equal(train(KINDS[kind](5), other, half, optimizer, 4), whole)


def test_batches_drawn_ahead_are_the_same():
    pool = FixedTasks(SINES, rng(), (2, 3))
    ahead, one, other = Ahead(pool, 4), rng(1), rng(1)
    for _ in range(5):
        got, expected = ahead.sample(one, (2, 5), 3), pool.sample(other, (2, 5), 3)
        np.testing.assert_array_equal(got.y_query, expected.y_query)
    assert not FixedTasks(DATA, rng(), 3, points=4).many_at_once


@pytest.mark.parametrize("tasks, options", [(LINES, {}), (DATA, {"points": 4})])
def test_nobody_can_write_to_the_pool(tasks, options):
    pool = FixedTasks(tasks, rng(), 3, **options)
    own = {"pool": [array.copy() for array in pool.state()["pool"]]}
    before = pool.sample(rng(1), 5, 2)
    pool.restore(own)
    for array in own["pool"]:
        array[...] = np.nan
    for array in pool.state()["pool"]:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = np.nan
    np.testing.assert_array_equal(pool.sample(rng(1), 5, 2).x_query, before.x_query)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: FixedTasks(tm.SineTasks, rng(), 3), TypeError, "tasks: .*did you mean SineTasks"),
        (lambda: FixedTasks(SINES, 0, 3), (TypeError, ValueError), "rng: expected a"),
        (lambda: FixedTasks(SINES, rng(), 0), ValueError, "n_tasks: expected"),
        (lambda: FixedTasks(SINES, rng(), 3, points=5), ValueError, "points: expected None"),
        (lambda: FixedTasks(DATA, rng(), 3), (TypeError, ValueError), "points: expected"),
        (
            lambda: FixedTasks(SINES, rng(), (2, 3)).sample(rng(), 3, 2),
            ValueError,
            r"n_tasks: expected \(\.\.\., 2, T\), as each replica .*; got 3",
        ),
        (
            lambda: FixedTasks(DATA, rng(), (2, 3), points=5).sample(rng(), (3, 3), 2),
            ValueError,
            r"n_tasks: expected \(\.\.\., 2, T\)",
        ),
        (
            lambda: FixedTasks(DATA, rng(), 3, points=5).sample(rng(), 3, 3),
            ValueError,
            r"shots: expected at most 5 .*; got 3 \+ 3",
        ),
        (
            lambda: FixedTasks(DATA, rng(), 3, points=5).sample(rng(), 3, 2, grid=True),
            ValueError,
            "grid: expected False",
        ),
        (lambda: FixedTasks(SINES, rng(), 3).restore({}), ValueError, "state: expected a state of"),
        (
            lambda: FixedTasks(SINES, rng(), 3).restore(FixedTasks(SINES, rng(), 4).state()),
            ValueError,
            "state: expected a state of arrays",
        ),
    ],
)
def test_what_is_wrong_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
