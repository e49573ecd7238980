"""Tasks that are not sine waves: from a function, from arrays of data, and a `sample` of one's own;
and one task alone, by `fit`."""

import copy
import pickle

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.course.examples import sine_examples
from tinymeta.extras.storage import load_checkpoint, save_checkpoint
from tinymeta.tasks import Ahead, ClassificationTasks, RegressionTasks, Views, choose

LINE = {"slope": (-2, 2), "offset": (-1, 3)}


def line(x, slope, offset):
    return slope * x + offset


LINES = tm.FunctionTasks(line, LINE, x_range=(-1, 1))


def rng(seed=0):
    return np.random.default_rng(seed)


def equal(one, other):
    return all(map(np.array_equal, one, other))


def train(tasks, sizes=(1, 6, 1), replicas=None, iterations=3, seed=0, shots=3, **options):
    """Return what meta_train returns, from a small network."""
    model, generator = tm.MLP(sizes), options.pop("rng", None) or rng(seed)
    theta = model.init(rng(1))
    theta = np.stack([theta] * replicas) if replicas else theta
    options = {"inner_lr": 0.05, "meta_batch_size": 2, "query": None, **options}
    return tm.meta_train(
        tm.maml_grad, model, theta, tasks, rng=generator, iterations=iterations, shots=shots,
        **options,
    )  # fmt: skip


# Tasks from a function


class HandWrittenLines:
    """What one writes without FunctionTasks."""

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        lead = n_tasks if isinstance(n_tasks, tuple) else (n_tasks,)
        u = rng.random((*lead, 2 + shots + (query or shots), 1))
        slope, offset, x = -2 + 4 * u[..., :1, :], -1 + 4 * u[..., 1:2, :], -1 + 2 * u[..., 2:, :]
        y = slope * x + offset
        return tm.TaskBatch(
            x[..., :shots, :], y[..., :shots, :], x[..., shots:, :], y[..., shots:, :]
        )


@pytest.mark.parametrize("replicas", [None, 2])
def test_function_tasks_give_the_digits_of_a_sample_written_by_hand(replicas):
    one, other = (train(tasks, replicas=replicas) for tasks in (LINES, HandWrittenLines()))
    assert equal(one, other)


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("n_tasks", [3, (2, 3)])
def test_sine_tasks_are_such_a_family_digit_for_digit(n_tasks, grid):
    family = tm.FunctionTasks(
        lambda x, a, b: a * np.sin(x + b), {"a": (0.1, 5.0), "b": (0, 2 * np.pi)}, (-5.0, 5.0)
    )
    assert equal(
        family.sample(rng(), n_tasks, 4, 7, grid), tm.SineTasks().sample(rng(), n_tasks, 4, 7, grid)
    )


def test_the_first_sine_wave_of_seed_zero_has_the_digits_that_it_always_had():
    """Written out as the first version of the package drew it."""
    u = rng().random((2, 9, 1))
    a, b, x = 0.1 + (5.0 - 0.1) * u[:, :1], 2 * np.pi * u[:, 1:2], -5 + 10 * u[:, 2:]
    batch = tm.SineTasks().sample(rng(), 2, 3, 4)
    assert np.array_equal(batch.x_support, x[:, :3]) and np.array_equal(batch.x_query, x[:, 3:])
    assert np.array_equal(batch.y_query, (a * np.sin(x + b))[:, 3:])


def test_a_function_gets_its_parameters_in_order_and_one_value_of_each_per_task():
    got = {}

    def f(x, first, second):
        got.update(x=x, first=first, second=second)
        return x

    tm.FunctionTasks(f, {"first": (0, 1), "second": (5, 6)}, (-1, 1)).sample(rng(), (2, 3), 4)
    assert got["x"].shape == (2, 3, 8, 1)
    assert got["first"].shape == got["second"].shape == (2, 3, 1, 1)
    assert (got["first"] < 1).all() and (got["second"] > 5).all()


def test_parameters_may_be_drawn_by_a_function_of_the_generator_and_a_shape():
    def draw(rng, shape):
        return [rng.choice([1.0, 2.0], shape), rng.standard_normal(shape)]

    batch = tm.FunctionTasks(line, draw, (-1, 1)).sample(rng(), (2, 50), 3)
    slope = np.diff(batch.y_support, axis=-2) / np.diff(batch.x_support, axis=-2)
    assert set(slope.round(6).ravel()) == {1.0, 2.0}
    one = tm.FunctionTasks(lambda x, c: c + 0 * x, lambda rng, shape: rng.random(shape), (0, 1))
    assert one.sample(rng(), 3, 4).y_query.shape == (3, 4, 1)


def test_several_inputs_have_a_range_each_and_a_grid_of_all_combinations():
    plane = tm.FunctionTasks(
        lambda x, a: a * x[..., :1] + x[..., 1:], {"a": (1, 2)}, x_range=[(-3, -2), (4, 8)]
    )
    batch = plane.sample(rng(), 500, 5, 9, grid=True)
    low, high = batch.x_support.min((0, 1)), batch.x_support.max((0, 1))
    assert np.allclose(low, [-3, 4], atol=0.01) and np.allclose(high, [-2, 8], atol=0.01)
    expected = [[a, b] for a in (-3, -2.5, -2) for b in (4, 6, 8)]
    assert batch.x_query[0].tolist() == expected and batch.y_query.shape == (500, 9, 1)
    a = (batch.y_support - batch.x_support[..., 1:]) / batch.x_support[..., :1]
    assert np.allclose(a, a[:, :1]) and 1 <= a.min() and a.max() <= 2


def test_noise_is_on_all_points_that_are_drawn_and_on_none_of_a_grid():
    noisy = tm.FunctionTasks(line, LINE, (-1, 1), noise=0.5)
    for grid in (False, True):
        clean, batch = (tasks.sample(rng(), 400, 10, 10, grid) for tasks in (LINES, noisy))
        assert np.array_equal(batch.x_support, clean.x_support)
        errors = batch.y_support - clean.y_support, batch.y_query - clean.y_query
        assert abs(errors[0].std() - 0.5) < 0.03 and abs(errors[0].mean()) < 0.03
        assert (errors[1] == 0).all() if grid else abs(errors[1].std() - 0.5) < 0.03


def test_results_alias_nothing_that_the_function_keeps():
    kept = np.ones((3, 8, 1))
    batch = tm.FunctionTasks(lambda x: kept, {}, (-1, 1)).sample(rng(), 3, 4)
    batch.y_support[:] = 7
    assert (kept == 1).all()
    batch = tm.FunctionTasks(lambda x: x, {}, (-1, 1)).sample(rng(), 3, 4)
    batch.y_support[:] = 7
    assert (batch.x_support != 7).all() and batch.x_support.flags.writeable


def test_task_distributions_pickle_and_copy():
    data = RegressionTasks(*measured())
    letters = ClassificationTasks(*labelled(), ways=2)
    for tasks in (LINES, tm.SineTasks((1, 2)), data, letters):
        for again in (pickle.loads(pickle.dumps(tasks)), copy.deepcopy(tasks)):
            assert equal(again.sample(rng(), 2, 3), tasks.sample(rng(), 2, 3))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ((3, LINE, (-1, 1)), TypeError, r"f: expected a function f\(x, \*parameters\); got 3"),
        ((line, [(-2, 2)], (-1, 1)), TypeError, "parameters: expected a dict of ranges, such as"),
        ((line, {"a": 3}, (-1, 1)), ValueError, r"parameters\['a'\]: expected two finite numbers"),
        ((line, {"a": (2, 1)}, (-1, 1)), ValueError, r"parameters\['a'\]: .* did you swap them\?"),
        ((line, LINE, (1, -1)), ValueError, "x_range: .* did you swap them"),
        ((line, LINE, 5), ValueError, "x_range: expected two finite numbers"),
        ((line, LINE, []), ValueError, "x_range: expected two finite numbers"),
        ((line, LINE, [(0, 1), (0, np.nan)]), ValueError, r"x_range\[1\]: expected two finite"),
        ((line, LINE, [(0, 1), (0,)]), ValueError, r"x_range\[1\]: expected two finite numbers"),
        ((line, LINE, [(0, 1), 5]), ValueError, r"x_range\[1\]: expected two finite numbers"),
        ((line, LINE, (-1, 1), -0.1), ValueError, "noise: expected a number of at least 0"),
    ],
)
def test_what_function_tasks_cannot_be_made_of_is_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        tm.FunctionTasks(*arguments)


@pytest.mark.parametrize(
    "f, parameters, x_range, message",
    [
        (
            lambda x: x[..., 0],
            {},
            (0, 1),
            r"f: expected values of shape \(2, 6, 'd_out'\) .*keepdims",
        ),
        (lambda x: x.sum(-1), {}, [(0, 1)] * 2, r"got \(2, 6\); reductions .* need keepdims=True"),
        (lambda x, c: c, {"c": (0, 1)}, (0, 1), r"got \(2, 1, 1\); a constant is c \+ 0 \* x"),
        (lambda x: x.swapaxes(0, 1), {}, (0, 1), r"f: expected values .* got \(6, 2, 1\)$"),
        (lambda x: np.ones(3), {}, (0, 1), r"f: expected values .* got \(3,\)$"),
        (lambda x: None, {}, (0, 1), "f: expected real numbers; got an array of object"),
        (lambda x: x * 1j, {}, (0, 1), "f: expected real numbers; got an array of complex128"),
        (lambda x: x.__imul__(2), {}, (0, 1), "output array is read-only"),
        (line, lambda rng, shape: 3, (0, 1), "parameters: expected the function to return a list"),
        (line, lambda rng, shape: [rng.random(2)], (0, 1), r"of the shape \(2, 1, 1\), .*\(2,\)"),
    ],
)
def test_a_function_that_returns_something_else_is_told_so(f, parameters, x_range, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tm.FunctionTasks(f, parameters, x_range).sample(rng(), 2, 3)


def test_a_grid_over_two_inputs_needs_a_square_number_of_points():
    plane = tm.FunctionTasks(lambda x: x[..., :1], {}, [(0, 1), (0, 1)])
    with pytest.raises(
        ValueError, match=r"query: expected a whole number to the power of 2, .* 10"
    ):
        plane.sample(rng(), 1, 2, 10, grid=True)


# Tasks from data


def measured(n_tasks=5, rows=12, dtype=np.float64, unsorted=True):
    """Return x, y and task_ids of straight lines: each y tells its task, 100 apart."""
    generator = rng(3)
    ids = np.repeat(np.arange(n_tasks), rows)
    if unsorted:
        ids = generator.permutation(ids)
    x = generator.uniform(-1, 1, (len(ids), 1)).astype(dtype)
    return x, (100 * ids[:, None] + x).astype(dtype), ids


def labelled(n_classes=4, rows=10, dtype=np.float64):
    """Return x and labels; each x tells its class, as its whole part."""
    generator = rng(4)
    labels = generator.permutation(np.repeat(np.arange(n_classes), rows))
    x = labels[:, None] + generator.uniform(0.1, 0.9, (len(labels), 2))
    return x.astype(dtype), np.array([f"class {label}" for label in labels])


def own(batch):
    """Return the task (..., K) of each point of the lines of `measured`, support and query."""
    return ((batch.y_support - batch.x_support) / 100, (batch.y_query - batch.x_query) / 100)


@pytest.mark.parametrize("n_tasks, lead", [(4, (4,)), ((2, 4), (2, 4))])
def test_rows_of_a_task_are_split_into_different_support_and_query_points(n_tasks, lead):
    tasks = RegressionTasks(*measured())
    for seed in range(20):
        batch = tasks.sample(rng(seed), n_tasks, 5, 7)
        assert batch.x_support.shape == (*lead, 5, 1) and batch.x_query.shape == (*lead, 7, 1)
        support, query = (np.rint(task[..., 0]) for task in own(batch))
        assert (support == support[..., :1]).all() and (query == support[..., :1]).all()
        points = np.concatenate((batch.x_support, batch.x_query), axis=-2)[..., 0]
        assert (np.diff(np.sort(points), axis=-1) > 0).all()  # no point twice
        # different tasks in a batch: that of each replica
        assert (np.diff(np.sort(support[..., 0]), axis=-1) > 0).all()


def test_more_tasks_than_there_are_come_more_than_once():
    support, _ = own(RegressionTasks(*measured(3)).sample(rng(), 50, 2))
    assert set(np.rint(support[:, 0, 0])) == {0, 1, 2}


def test_every_row_is_drawn_equally_often_as_support_and_as_query():
    x, y, ids = measured(2, 6)
    batch = RegressionTasks(x, y, ids).sample(rng(), (3000, 2), 2, 3)
    for drawn, n in ((batch.x_support, 2), (batch.x_query, 3)):
        found = np.array([(drawn == value).sum() for value in x[:, 0]])
        assert abs(found / (3000 * n / 6) - 1).max() < 0.15


def test_tasks_of_unequal_sizes_give_all_their_rows():
    x = np.arange(12.0)[:, None]
    tasks = RegressionTasks(x, x, ["small"] * 4 + ["large"] * 8)
    seen = tasks.sample(rng(), (500, 2), 1, 3).x_query
    assert set(seen.ravel()) == set(range(12))


@pytest.mark.parametrize("n_tasks, lead", [(6, (6,)), ((2, 6), (2, 6))])
def test_classes_are_different_labelled_one_hot_and_each_stands_once_in_every_ways(n_tasks, lead):
    tasks = ClassificationTasks(*labelled(), ways=3)
    batch = tasks.sample(rng(), n_tasks, 2, 4)
    assert batch.x_support.shape == (*lead, 6, 2) and batch.y_query.shape == (*lead, 12, 3)
    for x, y in (batch[:2], batch[2:]):
        assert np.array_equal(y[..., :3, :], np.broadcast_to(np.eye(3), (*lead, 3, 3)))
        classes = np.floor(x[..., 0])
        assert (classes[..., :3] == classes[..., -3:]).all()  # the same for every shot
        assert (np.diff(np.sort(classes[..., :3]), axis=-1) > 0).all()
    assert (np.floor(batch.x_support[..., :3, 0]) == np.floor(batch.x_query[..., :3, 0])).all()
    points = np.concatenate((batch.x_support, batch.x_query), axis=-2)[..., 0]
    assert (np.diff(np.sort(points), axis=-1) > 0).all()


def test_labels_are_permuted_from_task_to_task():
    batch = ClassificationTasks(*labelled(2), ways=2).sample(rng(), 2000, 1)
    assert abs((np.floor(batch.x_support[:, 0, 0]) == 0).mean() - 0.5) < 0.05


def label_counts(chosen, n):
    """Return the number of times that each of n classes got each label, (n, ways)."""
    return np.stack([np.bincount(labels, minlength=n) for labels in chosen.T], axis=1)


def chi_square(counts):
    return ((counts - counts.mean()) ** 2 / counts.mean()).sum() / counts.size


def test_numbers_are_chosen_without_repetition_and_in_random_order():
    chosen = choose(rng(), 12, (2, 5000), 5).reshape(-1, 5)
    assert (np.diff(np.sort(chosen), axis=1) > 0).all()
    # every class gets every label equally often
    assert 0.5 < chi_square(label_counts(chosen, 12)) < 1.6
    # the negative control: sorted classes
    assert chi_square(label_counts(np.sort(chosen), 12)) > 100
    orders = np.unique(choose(rng(), 3, (6000,), 3), axis=0, return_counts=True)
    # all six orders occur, equally often
    assert len(orders[0]) == 6 and abs(orders[1] / 1000 - 1).max() < 0.15


def test_numbers_are_chosen_below_a_limit_of_each():
    below = np.array([[2, 5, 9]] * 2000)
    chosen = choose(rng(), below, below.shape, 2)
    assert (chosen < below[..., None]).all() and (chosen[..., 0] != chosen[..., 1]).all()
    for place, n in enumerate(below[0]):
        shares = np.array([(chosen[:, place] == value).mean(axis=0) for value in range(n)])
        assert abs(shares * n - 1).max() < 0.3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_stay_float32_or_float64_and_are_copied(dtype):
    x, y, ids = measured(dtype=dtype)
    tasks = RegressionTasks(x, y, ids)
    before = tasks.sample(rng(), 3, 2)
    x[:], y[:], ids[:] = -9, -9, 0
    after = tasks.sample(rng(), 3, 2)
    assert equal(before, after) and {array.dtype for array in after} == {np.dtype(dtype)}
    after.x_support[:] = -9
    assert equal(before, tasks.sample(rng(), 3, 2))
    x, labels = labelled(dtype=dtype)
    batch = ClassificationTasks(x, labels, 2).sample(rng(), 3, 2)
    assert {array.dtype for array in batch} == {np.dtype(dtype)}


def test_whole_numbers_become_float64():
    batch = RegressionTasks([[1], [2]], [[3], [4]], [0, 0]).sample(rng(), 1, 1)
    assert {array.dtype for array in batch} == {np.dtype(np.float64)}


@pytest.mark.parametrize("fractions, sizes", [((0.6, 0.2, 0.2), [6, 2, 2]), ((0.5, 0.3), [5, 3])])
def test_a_split_shares_no_task(fractions, sizes):
    tasks = RegressionTasks(*measured(10, 3))
    parts = tasks.split(fractions, rng())
    assert [len(part.names) for part in parts] == sizes
    names = np.concatenate([part.names for part in parts])
    assert len(set(names)) == len(names) == sum(sizes)
    rows = np.concatenate([part.x for part in parts])
    assert len(np.unique(rows)) == len(rows) == 3 * sum(sizes)
    for part in parts:  # with their own rows
        assert np.array_equal(np.rint((part.y - part.x) / 100)[:, 0], part.task_ids)
    assert all(isinstance(part, RegressionTasks) for part in parts)
    others = tasks.split(fractions, rng(1))
    assert not np.array_equal(parts[0].names, others[0].names)


def test_a_split_shares_no_class():
    x, labels = labelled(10)
    parts = ClassificationTasks(x, labels, 2).split((0.5, 0.2, 0.3), rng())
    assert [len(part.names) for part in parts] == [5, 2, 3]
    assert len(set(np.concatenate([part.names for part in parts]))) == 10
    assert all(part.ways == 2 for part in parts)
    for part in parts:
        expected = [f"class {int(value)}" for value in part.x[:, 0]]
        assert part.labels.tolist() == expected


X, Y, IDS = measured()
DATA, PAIRS = RegressionTasks(X, Y, IDS), ClassificationTasks(X, IDS, 2)


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: RegressionTasks(X[:, 0], Y, IDS),
            r"x: expected a table .*\(60,\); a column is x\[:, N",
        ),
        (
            lambda: RegressionTasks(X, Y[:, 0], IDS),
            r"y: expected a table .*; a column is y\[:, None\]",
        ),
        (lambda: RegressionTasks(X, Y[1:], IDS), "y: expected 60 rows, as x has; got 59"),
        (lambda: RegressionTasks(X, Y, IDS[1:]), r"task_ids: expected 60 .* got shape \(59,\)"),
        (lambda: RegressionTasks(X, Y, IDS[:, None]), r"task_ids: .* got shape \(60, 1\)"),
        (
            lambda: RegressionTasks(X, Y, np.arange(60)),
            "task_ids: expected at least two rows of each task, .* a single row of 0; leave",
        ),
        (
            lambda: RegressionTasks(X * np.nan, Y, IDS),
            r"x: expected finite numbers; got nan at \(0, 0\)",
        ),
        (
            lambda: RegressionTasks(X, Y, IDS * np.nan),
            r"task_ids: expected finite numbers; got nan",
        ),
        (lambda: RegressionTasks(X, Y, [None] * 60), "task_ids: expected 60 numbers or strings"),
        (
            lambda: RegressionTasks(X.astype(str), Y, IDS),
            "x: expected real numbers; got an array of",
        ),
        (
            lambda: RegressionTasks(X[:0], Y[:0], IDS[:0]),
            r"x: expected a table .* got shape \(0, 1\)",
        ),
        (
            lambda: DATA.sample(rng(), 2, 9, 4),
            r"shots: expected at most 12 .* of task [0-4]; got 9 \+ 4",
        ),
        (lambda: DATA.sample(rng(), 2, 3, grid=True), "grid: expected False"),
        (
            lambda: DATA.split((0.95, 0.05), rng()),
            r"fractions: expected at least 1 of 5 in every part, each a task; got \[5, 0\]",
        ),
        (
            lambda: DATA.split((0.9, 0.2), rng()),
            "fractions: expected positive numbers whose sum is at most 1",
        ),
        (lambda: DATA.split((1, 0), rng()), "fractions: expected positive"),
        (lambda: DATA.split(0.5, rng()), "fractions: expected positive"),
        (lambda: DATA.split((0.5, 0.5), 0), "rng: expected a NumPy Generator"),
        (
            lambda: ClassificationTasks(np.zeros((20, 4, 4)), np.arange(20) % 2, 2),
            r"x: .* rows are x.reshape\(len\(x\), -1\)",
        ),
        (
            lambda: ClassificationTasks(X, IDS, 1),
            "ways: expected a whole number of at least 2; got 1",
        ),
        (
            lambda: ClassificationTasks(X, IDS, 6),
            "ways: expected at most the 5 classes of the labels; got 6",
        ),
        (lambda: ClassificationTasks(X, np.eye(60), 2), r"labels: expected 60 numbers or strings"),
        (
            lambda: PAIRS.split((0.8, 0.2), rng()),
            r"at least 2 of 5 in every part, each a class; got \[4, 1\]",
        ),
        (
            lambda: PAIRS.sample(rng(), 1, 12),
            r"shots: expected at most 12 .* of class [0-4]; got 12 \+ 12",
        ),
        (lambda: PAIRS.sample(rng(), 1, 2, grid=True), "grid: expected F"),
        (lambda: tm.TaskBatch.from_points(X[:, 0], Y), r"x: expected a table .*x\[:, None\]"),
        (lambda: tm.TaskBatch.from_points(X, Y[1:]), "y: expected 60 rows, as x has; got 59"),
        (
            lambda: tm.TaskBatch.from_points(X, Y, X),
            "y_query: expected x_query and y_query together",
        ),
        (lambda: tm.TaskBatch.from_points(X, Y, y_query=Y), "x_query: expected x_query and"),
    ],
)
def test_data_that_make_no_tasks_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_text_of_python_objects_names_tasks_too():
    ids = np.array([f"sensor {i}" for i in IDS], dtype=object)
    assert RegressionTasks(X, Y, ids).names.tolist() == [f"sensor {i}" for i in range(5)]


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_tasks_from_a_file_train_with_replicas_and_resume_bit_for_bit(kind, tmp_path):
    path = tmp_path / f"data.{kind}"
    if kind == "npz":
        np.savez(path, x=X, y=Y / 100, task=IDS)
        with np.load(path) as file:
            regression = RegressionTasks(file["x"], file["y"], file["task"])
    else:
        np.savetxt(path, np.column_stack((X, Y / 100, IDS)), delimiter=",", header="x,y,task")
        table = np.loadtxt(path, delimiter=",")
        regression = RegressionTasks(table[:, :1], table[:, 1:2], table[:, 2])
    classes = ClassificationTasks(*labelled(), ways=2)
    for tasks, model in ((regression, tm.MLP([1, 6, 1])), (classes, tm.MLP([2, 6, 2], "tanh"))):
        start = np.stack([model.init(rng(seed)) for seed in (0, 1)])

        def run(theta, iterations, generator, optimizer, tasks=tasks, model=model):
            return tm.meta_train(
                tm.maml_grad, model, theta, tasks, rng=generator, iterations=iterations,
                meta_batch_size=2, shots=3, inner_lr=0.05, optimizer=optimizer,
            )[0]  # fmt: skip

        whole = run(start, 6, rng(5), tm.Adam(0.01))
        generator, optimizer = rng(5), tm.Adam(0.01)
        half = run(start, 3, generator, optimizer)
        save_checkpoint(tmp_path / "c.npz", model, half, optimizer, generator, 3)
        generator, optimizer = rng(9), tm.Adam()
        theta, _ = load_checkpoint(tmp_path / "c.npz", model, optimizer, generator)
        assert np.array_equal(run(theta, 3, generator, optimizer), whole)
        assert not np.array_equal(whole, start)


def test_views_and_adaptation_curves_take_tasks_from_data():
    tasks = RegressionTasks(*measured())
    views = Views(tasks, lambda batch: [batch, batch.swap_support_query()])
    first, second = (views.sample(rng(), 2, 3, 4) for _ in range(2))
    assert np.array_equal(second.x_support, first.x_query)
    model = tm.MLP([1, 4, 1])
    batch = tasks.sample(rng(), 3, 3)
    assert tm.adaptation_curve(model, model.init(rng()), batch, 0.01, 2).shape == (3, 3)


# One task


def test_fit_adapts_to_the_points_of_one_task():
    model, batch = tm.MLP([1, 8, 1]), tm.SineTasks().sample(rng(), 1, 15)
    theta = model.init(rng())
    fitted = tm.fit(model, theta, batch.x_support[0], batch.y_support[0], 0.05, 7)
    expected = tm.adapt(model, theta, batch.x_support, batch.y_support, 0.05, 7)[0]
    assert np.array_equal(fitted, expected) and fitted.shape == theta.shape
    thetas = np.stack((theta, model.init(rng(1))))
    both = tm.fit(model, thetas, batch.x_support[0], batch.y_support[0], 0.05, 7)
    assert both.shape == thetas.shape and np.allclose(both[0], fitted)
    assert np.array_equal(
        tm.fit(model, theta, batch.x_support[0], batch.y_support[0], 1.0, 0), theta
    )


@pytest.mark.parametrize(
    "x, y, steps, message",
    [
        ([1.0, 2.0], [[1.0], [2.0]], 1, r"x: expected shape .* a column of points is x\[:, None\]"),
        ([[1.0], [2.0]], [1.0, 2.0], 1, r"y: expected shape \(2, 1\), .*y\[..., None\]"),
        ([[[1.0]]], [[[1.0]]], 1, r"x: expected the points of one task, .*`adapt` takes several"),
        ([[1.0]], [[1.0]], -1, "steps: expected a whole number of at least 0; got -1"),
        ([[np.inf]], [[1.0]], 1, "x: expected finite numbers"),
    ],
)
def test_fit_refuses_what_is_not_one_task(x, y, steps, message):
    model = tm.MLP([1, 3, 1])
    with pytest.raises(ValueError, match="^" + message):
        tm.fit(model, model.init(rng()), x, y, 0.1, steps)


def test_a_batch_of_one_task_from_its_points():
    batch = tm.TaskBatch.from_points(X[:4], Y[:4], X[4:6], Y[4:6])
    assert [array.shape for array in batch] == [(1, 4, 1)] * 2 + [(1, 2, 1)] * 2
    assert np.array_equal(batch.x_query[0], X[4:6])
    batch.y_support[:] = 0
    assert (Y[:4] != 0).any()
    example = next(iter(sine_examples(rng(), 5).values()))
    again = tm.TaskBatch.from_points(*(array[0] for array in example))
    assert equal(example, again)


# A `sample` of one's own


class Own:
    """A distribution whose `sample` is the function given."""

    def __init__(self, sample):
        self.sample = sample


def natural(rng, n_tasks, shots, query, grid=False):
    """What people write: n_tasks is a number, query too."""
    slope = rng.uniform(-1, 1, (n_tasks, 1, 1))
    x = rng.uniform(-1, 1, (n_tasks, shots + query, 1))
    return tm.TaskBatch(x[:, :shots], slope * x[:, :shots], x[:, shots:], slope * x[:, shots:])


def test_a_sample_without_a_thought_of_replicas_or_defaults_works():
    theta, history = train(Own(natural))
    assert np.isfinite(theta).all() and history.shape == (3,)


def mistaken(rng, n_tasks, shots, query, grid=False):
    return {"a": 1}["b"]


def without_query(rng, n_tasks, shots):
    return natural(rng, n_tasks, shots, shots)


def of_one_axis(rng, n_tasks, shots, query, grid=False):
    x = rng.random((n_tasks, shots))
    return tm.TaskBatch(x, x, x, x)


@pytest.mark.parametrize(
    "sample, replicas, error, message",
    [
        (natural, 2, TypeError, r"n_tasks=\(2, 2\) \(replicas, tasks\), shots=3, query=4"),
        (mistaken, None, KeyError, r"b.*; in tasks.sample, which was asked for n_tasks=2, shots=3"),
        (without_query, None, TypeError, r"positional arguments.*; in tasks.sample, which was"),
        (
            of_one_axis,
            None,
            ValueError,
            r"x_support: expected .*; in tasks.sample, which was asked",
        ),
        (lambda *_: None, None, ValueError, r"batch: expected a TaskBatch.*; in tasks.sample"),
    ],
)
def test_a_mistake_inside_a_sample_says_what_it_was_asked_for(sample, replicas, error, message):
    with pytest.raises(error, match=message) as caught:
        train(Own(sample), replicas=replicas, query=4)
    if sample in (natural, mistaken):  # its traceback shows the user's own line
        assert sample.__name__ in [entry.name for entry in caught.traceback]


def test_an_error_without_a_text_passes_as_it_is():
    def stop(*_):
        raise OSError(2, "no such file")

    with pytest.raises(OSError) as caught:
        train(Own(stop))
    assert caught.value.args == (2, "no such file")


# Many batches at once


def test_tasks_drawn_ahead_are_those_of_as_many_calls():
    for tasks in (tm.SineTasks(), LINES):
        ahead, one, other = Ahead(tasks, 3), rng(), rng()
        for _ in range(7):  # beyond the second block
            assert equal(ahead.sample(one, (2, 4), 5, 6), tasks.sample(other, (2, 4), 5, 6))


@pytest.mark.parametrize("replicas", [None, 2])
def test_training_with_tasks_drawn_ahead_has_the_same_digits(replicas):
    plain, ahead = (
        train(tasks, iterations=7, replicas=replicas) for tasks in (LINES, Ahead(LINES, 3))
    )
    assert equal(plain, ahead)


def test_every_request_has_batches_of_its_own():
    ahead, generator = Ahead(LINES, 2), rng()
    first = ahead.sample(generator, 3, 5)
    assert ahead.sample(generator, 3, 5, 4, grid=True).x_query.shape == (3, 4, 1)
    second = ahead.sample(generator, [3], 5)
    assert ahead.sample(generator, 3, 5).x_support.shape == (3, 5, 1)
    assert not np.array_equal(first.x_support, second.x_support)


@pytest.mark.parametrize("dtype", [np.float32, "float64", None])
def test_all_batches_are_cast_at_once(dtype):
    batch = Ahead(LINES, 2, dtype).sample(rng(), 3, 5)
    assert {array.dtype for array in batch} == {np.dtype(dtype or np.float64)}


def test_a_training_with_tasks_drawn_ahead_resumes_bit_for_bit(tmp_path):
    whole = train(Ahead(LINES, 4), iterations=10)[0]
    model, generator, optimizer, tasks = tm.MLP([1, 6, 1]), rng(), tm.Adam(), Ahead(LINES, 4)
    half, _ = train(tasks, iterations=6, rng=generator, optimizer=optimizer)
    save_checkpoint(tmp_path / "c.npz", model, half, optimizer, generator, 6, tasks)
    generator, optimizer, tasks = rng(9), tm.Adam(), Ahead(LINES, 4)
    theta, _ = load_checkpoint(tmp_path / "c.npz", model, optimizer, generator, tasks)
    rest, _ = tm.meta_train(
        tm.maml_grad, model, theta, tasks, rng=generator, iterations=4, meta_batch_size=2, shots=3,
        inner_lr=0.05, optimizer=optimizer,
    )  # fmt: skip
    assert np.array_equal(rest, whole)


def test_an_interrupted_iteration_gives_its_batch_back():
    tasks, generator = Ahead(LINES, 4), rng()

    def stop(iteration, theta, loss):
        if iteration == 4:
            tasks.sample = broken  # the sixth iteration fails

    def broken(*_):
        type(tasks).sample(tasks, *_)
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost; in tasks.sample, which was asked for"):
        train(tasks, iterations=9, rng=generator, callback=stop)
    del tasks.sample
    expected = rng()
    plain = [LINES.sample(expected, 2, 3, 3) for _ in range(6)]
    assert equal(tasks.sample(generator, 2, 3, 3), plain[5])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Ahead(Views(LINES, lambda b: [b])), ValueError, "tasks: expected a distribution"),
        (
            lambda: Ahead(tm.FunctionTasks(line, LINE, (0, 1), noise=1)),
            ValueError,
            "tasks: expected",
        ),
        (
            lambda: Ahead(tm.FunctionTasks(line, lambda rng, shape: [], (0, 1))),
            ValueError,
            "tasks: ",
        ),
        (lambda: Ahead(3), TypeError, "tasks: expected an object with the method sample"),
        (lambda: Ahead(LINES, 0), ValueError, "batches: expected a whole number of at least 1"),
        (lambda: Ahead(LINES, 4, int), ValueError, "dtype: expected float64 or float32"),
        (lambda: Ahead(LINES, 4).restore({}), ValueError, "state: expected a state of Ahead"),
        (
            lambda: Ahead(LINES, 4).restore(Ahead(LINES, 5).state()),
            ValueError,
            "state: .* 4 batches; got 5",
        ),
        (lambda: Ahead(LINES).sample(rng(), 2, 0), ValueError, "shots: expected a whole number"),
    ],
)
def test_what_cannot_be_drawn_ahead_is_refused(make, error, message):
    with pytest.raises(error, match="^" + message):
        make()


# What it is for


def step_function(x, place, height):
    return np.where(x < place, 0.0, height)


def waves_over_a_plane(x, a, direction):
    return a * np.sin(np.cos(direction) * x[..., :1] + np.sin(direction) * x[..., 1:])


FAMILIES = {  # tasks, the width of the inputs, the inner rate
    "two inputs": (
        tm.FunctionTasks(
            waves_over_a_plane, {"a": (0.5, 2), "direction": (0, np.pi)}, [(-2, 2), (-2, 2)]
        ),
        2,
        0.1,
    ),
    "a step at a random place": (
        tm.FunctionTasks(step_function, {"place": (-1, 1), "height": (1, 4)}, (-2, 2)),
        1,
        0.05,
    ),
    "noisy parabolas": (
        tm.FunctionTasks(
            lambda x, a, b: a * x**2 + b * x, {"a": (-1, 1), "b": (-2, 2)}, (-2, 2), noise=0.3
        ),
        1,
        0.02,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_maml_beats_random_and_joint_initialisations_on_new_families(name):
    tasks, d_in, inner_lr = FAMILIES[name]
    model = tm.MLP([d_in, 40, 40, 1])
    start = np.stack([model.init(rng(seed)) for seed in range(5)])
    held_out = tasks.sample(rng(99), 500, 10, 49, grid=True)
    losses = {"random": start}
    for label, method in (("joint", tm.joint_grad), ("MAML", tm.maml_grad)):
        losses[label], _ = tm.meta_train(
            method, model, start, tasks, rng=rng(7), iterations=5000, meta_batch_size=4,
            shots=10, inner_lr=inner_lr,
        )  # fmt: skip
    for label, theta in losses.items():
        curve = tm.adaptation_curve(model, theta, held_out, inner_lr, 5)
        losses[label] = curve[:, 5].mean(axis=-1)
        print(f"{name}, {label}: {losses[label].mean():.3f}, by seed {losses[label].round(3)}")
    assert losses["MAML"].max() < 0.7 * min(losses["random"].min(), losses["joint"].min())
