"""The outer loop: what it computes, what it hands back when it is cut short, and that it learns."""

import copy
import dis
import doctest
import functools
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from helpers import METHODS
from running import ROOT

import tinymeta as tm
from tinymeta.extras.statistics import summarize
from tinymeta.extras.variants import AdamWithRates, MetaSGDModel, meta_sgd_grad
from tinymeta.tasks import Views
from tinymeta.training import Diverged, Interrupted

SINES = tm.SineTasks()
MODEL = tm.MLP([1, 8, 8, 1])


def train(seed=0, method=tm.maml_grad, theta=None, tasks=SINES, model=MODEL, **changes):
    """A short run of meta_train, by default of one replica."""
    rng = np.random.default_rng(seed)
    theta = model.init(rng) if theta is None else theta
    settings = dict(iterations=6, meta_batch_size=3, shots=5, inner_lr=0.01, inner_steps=2)
    return tm.meta_train(method, model, theta, tasks, rng=rng, **settings | changes)


def a_hand_written_run(seed, method, optimizer, iterations, query=None, minibatch=None):
    rng = np.random.default_rng(seed)
    theta, history = MODEL.init(rng), []
    for _ in range(iterations):
        batch = SINES.sample(rng, 3, 5, query)
        loss, grad = method(MODEL, theta, batch, 0.01, 2, minibatch)
        theta = optimizer.step(theta, grad)
        history.append(loss)
    return theta, history


class Spoiled:
    """Sine tasks whose `at`-th sample (from 0) is replaced by what `how` makes of it."""

    def __init__(self, at, how):
        self.at, self.how, self.calls = at, how, -1

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        self.calls += 1
        batch = SINES.sample(rng, n_tasks, shots, query, grid)
        return self.how(batch) if self.calls == self.at else batch


def press_ctrl_c(*_):
    raise KeyboardInterrupt


# What it computes


@pytest.mark.parametrize("method", METHODS)
def test_training_is_sample_gradient_step(method):
    theta, history = train(1, method)
    by_hand = a_hand_written_run(1, method, tm.Adam(1e-3), 6)
    assert np.array_equal(theta, by_hand[0]) and np.array_equal(history, by_hand[1])


def test_optimizer_query_and_minibatch_are_used():
    theta, history = train(1, optimizer=tm.SGD(0.1), query=7, minibatch=2)
    by_hand = a_hand_written_run(1, tm.maml_grad, tm.SGD(0.1), 6, 7, 2)
    assert np.array_equal(theta, by_hand[0]) and np.array_equal(history, by_hand[1])


def test_inner_lr_and_steps_are_used():
    usual = train()[0]
    assert not np.array_equal(train(inner_lr=0.02)[0], usual) and not np.array_equal(
        train(inner_steps=1)[0], usual
    )
    assert np.array_equal(train(inner_lr=np.full(MODEL.n_params, 0.01))[0], usual)


def test_batches_are_looked_at_once(monkeypatch):
    """In full in the first iteration, by meta_train and by the meta-gradient."""
    as_batch, looks = tm._validate.as_batch, []
    monkeypatch.setattr(
        tm._validate, "as_batch", lambda *a, **k: looks.append(a) or as_batch(*a, **k)
    )
    theta, history = train()
    assert len(looks) == 2
    monkeypatch.undo()
    assert np.array_equal(theta, train()[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_meta_gradient_that_decorates_another_is_the_one_that_is_called(dtype):
    @functools.wraps(tm.maml_grad)
    def of_half_size(*arguments):
        loss, grad = tm.maml_grad(*arguments)
        return loss, grad / 2

    def plain(*arguments):
        return of_half_size(*arguments)

    theta = MODEL.init(np.random.default_rng(0), dtype)
    halves = [
        train(method=method, theta=theta, optimizer=tm.SGD(0.1))[0]
        for method in (of_half_size, plain)
    ]
    assert np.array_equal(*halves)
    assert not np.array_equal(halves[0], train(theta=theta, optimizer=tm.SGD(0.1))[0])


def test_a_meta_gradient_may_have_an_attribute_of_that_name_for_itself():
    class Mine:
        unchecked = None

        def __call__(self, *arguments):
            return tm.maml_grad(*arguments)

    mine = Mine()
    mine.unchecked = lambda *_: pytest.fail("called")
    assert all(map(np.array_equal, train(method=mine), train()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_rate_that_changes_on_the_way_is_used(dtype):
    theta, rates = MODEL.init(np.random.default_rng(0), dtype), np.full(MODEL.n_params, 0.01)

    def set_to_zero(iteration, *_):
        rates[:] = 0 if iteration == 2 else rates

    changed = train(theta=theta, inner_lr=rates, callback=set_to_zero)[1]
    usual, none = (train(theta=theta, inner_lr=rate)[1] for rate in (0.01, 0.0))
    assert np.array_equal(changed[:3], usual[:3]) and not np.array_equal(changed[3:], usual[3:])
    assert changed[5] != none[5]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda b: b._replace(y_support=b.y_support[..., 0]), r"^y_support: .*\(3, 5, 1\)"),
        (lambda b: b._replace(x_query=np.ma.array(b.x_query)), "^x_query: .* without a mask"),
        (lambda b: b._replace(x_query=b.x_query.astype(str)), "^x_query: expected real numbers"),
        (lambda b: "batch", "^batch: expected a TaskBatch"),
    ],
)
def test_a_batch_of_another_look_is_looked_at_again(spoil, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train(tasks=Spoiled(3, spoil))


def test_batches_may_change_their_number_of_points_and_their_dtype():
    def other(batch):
        return tm.TaskBatch(*(a[..., :4, :].astype(np.float32).tolist() for a in batch))

    def by_hand(*arguments):
        return tm.maml_grad(*arguments)

    runs = [train(method=m, tasks=Spoiled(3, other)) for m in (tm.maml_grad, by_hand)]
    assert all(map(np.array_equal, *runs))


def test_one_inner_step_is_the_default():
    def run(**steps):
        rng, theta = np.random.default_rng(1), MODEL.init(np.random.default_rng(0))
        return tm.meta_train(
            tm.maml_grad,
            MODEL,
            theta,
            SINES,
            rng=rng,
            iterations=3,
            meta_batch_size=3,
            shots=5,
            inner_lr=0.01,
            **steps,
        )

    assert all(map(np.array_equal, run(), run(inner_steps=1)))


def test_same_seed_same_digits():
    one, same, other = train(1), train(1), train(2)
    for a, b, c in zip(one, same, other):
        assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_replicas_train_on_tasks_of_their_own():
    # so that nothing but the tasks can differ
    theta = np.tile(MODEL.init(np.random.default_rng(0)), (3, 1))
    trained, history = train(theta=theta)
    assert trained.shape == theta.shape and history.shape == (6, 3)
    assert len(np.unique(history[0])) == len(np.unique(trained[:, 0])) == 3


def test_no_iterations_change_nothing():
    theta = MODEL.init(np.random.default_rng(0))
    for start in (theta, np.stack((theta, theta))):
        trained, history = train(theta=start, iterations=0)
        assert np.array_equal(trained, start) and history.shape == (0, *start.shape[:-1])
        assert not np.shares_memory(trained, start)


def test_the_callers_theta_is_left_alone():
    theta = MODEL.init(np.random.default_rng(0))
    theta.setflags(write=False)
    kept = theta.copy()
    trained, _ = train(theta=theta)
    assert np.array_equal(theta, kept) and not np.shares_memory(trained, theta)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("optimizer", [None, tm.SGD(0.01)], ids=["Adam", "SGD"])
def test_float32_stays_float32(method, optimizer):
    seen = []
    theta = MODEL.init(np.random.default_rng(0), np.float32)
    seen += train(
        theta=theta,
        method=method,
        optimizer=optimizer,
        callback=lambda i, *heard: seen.extend(heard),
    )
    assert len(seen) == 6 * 2 + 2 and {array.dtype for array in seen} == {np.dtype(np.float32)}


def test_callback_hears_of_every_step():
    heard = []
    theta, history = train(callback=lambda *args: heard.append(args))
    assert [i for i, _, _ in heard] == [*range(6)]
    assert [loss for _, _, loss in heard] == history.tolist()
    assert np.array_equal(heard[-1][1], theta)
    for i in range(6):  # a callback may keep what it hears: no later step writes to it
        assert np.array_equal(heard[i][1], train(iterations=i + 1)[0])


# Cut short

INTERRUPTIONS = {  # name: steps that were taken, what meta_train is given
    "in the callback": (
        4,
        lambda: dict(callback=lambda i, theta, loss: press_ctrl_c() if i == 3 else None),
    ),
    "while sampling": (3, lambda: dict(tasks=Spoiled(3, press_ctrl_c))),
    "before the first step": (0, lambda: dict(tasks=Spoiled(0, press_ctrl_c))),
}


@pytest.mark.parametrize("steps, interruption", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_ctrl_c_hands_over_what_was_reached(steps, interruption):
    with pytest.raises(Interrupted) as caught:
        train(**interruption())
    reached = caught.value
    assert isinstance(reached, KeyboardInterrupt)
    theta, history = train(iterations=steps)
    assert np.array_equal(reached.theta, theta)
    assert np.array_equal(reached.history, history)
    assert f"after {steps} iterations" in str(reached)


def infinite(batch):
    return batch._replace(y_query=batch.y_query * np.inf)


def enormous(batch):
    return batch._replace(y_support=batch.y_support * 1e200)  # finite, until squared


@pytest.mark.parametrize("how, at", [(infinite, 3), (enormous, 0), (enormous, 3)])
def test_divergence_hands_over_the_last_finite_numbers(how, at):
    with pytest.raises(Diverged, match=f"at iteration {at}: ") as caught:
        train(tasks=Spoiled(at, how))
    theta, history = train(iterations=at)
    assert np.array_equal(caught.value.theta, theta) and np.array_equal(
        caught.value.history, history
    )


def test_a_first_batch_that_is_not_finite_is_no_divergence_but_a_wrong_argument():
    with pytest.raises(
        ValueError, match=r"^y_query: expected finite numbers; got -?inf at \(0, 0, 0\)$"
    ):
        train(tasks=Spoiled(0, infinite))


def blameless(model, theta, batch, *_):
    """A meta-gradient that does not look at its input."""
    return batch.y_query.mean(), np.full_like(theta, batch.y_query.mean())


@pytest.mark.parametrize("method", [*METHODS, blameless])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_later_label_that_is_not_finite_is_named_without_advice_about_rates(method, value):
    def spoil(batch):
        for y in (batch.y_support, batch.y_query):
            y[2, 1, 0] = value
        return batch

    with pytest.raises(
        Diverged,
        match=rf"^diverged at iteration 3: y_support: expected finite numbers; got {value} "
        r"at \(2, 1, 0\); .theta and .history hold the last finite ones$",
    ) as caught:
        train(method=method, tasks=Spoiled(3, spoil))
    assert len(caught.value.history) == 3 and caught.value.replicas == []


@pytest.mark.parametrize("method", METHODS[1:])
def test_too_large_a_rate_diverges_by_name_and_without_a_warning(method):
    with pytest.raises(Diverged) as caught:
        train(method=method, inner_lr=1e200, inner_steps=5)
    assert np.isfinite(caught.value.theta).all()


def spoiling(at, *where, value=np.nan):
    """A meta-gradient of ones that has the value in some of its entries when theta has been moved
    `at` times."""

    def method(model, theta, *_):
        grad = np.ones_like(theta)
        for place in where if theta.flat[0] <= -at else ():
            grad[place] = value
        return np.ones(theta.shape[:-1]), grad

    return method


# theta's leading axes, where the gradient is spoiled, the replicas and how they are called
DIVERGING = {
    "one network": ((), [(3,)], [()], ": the"),
    "one of one": ((1,), [(0, 3)], [(0,)], ", replica 0 of 1: the"),
    "one of three": ((3,), [(1, 0)], [(1,)], ", replica 1 of 3: the"),
    "two of three": ((3,), [(2, 5), (0, 0), (0, 7)], [(0,), (2,)], ", replica 0, 2 of 3: the"),
    "one of two by three": ((2, 3), [(1, 2, -1)], [(1, 2)], r", replica \(1, 2\) of \(2, 3\): the"),
}


@pytest.mark.parametrize("lead, where, replicas, words", DIVERGING.values(), ids=DIVERGING)
def test_the_replicas_that_diverged_are_named(lead, where, replicas, words):
    start = np.zeros((*lead, MODEL.n_params))
    message = (
        rf"^diverged at iteration 2{words} meta-loss, the meta-gradient or theta is not finite; "
        r"a smaller inner_lr \(now 0.01\) or outer rate \(now SGD\(1.0\)\) may help"
    )
    with pytest.raises(Diverged, match=message) as caught:
        train(method=spoiling(2, *where), theta=start, optimizer=tm.SGD(1.0))
    assert caught.value.replicas == replicas
    assert (caught.value.theta == -2).all() and caught.value.history.shape == (2, *lead)


def test_divergence_names_rates_in_an_array_and_the_default_optimizer():
    rates = np.linspace(-0.25, 0.5, MODEL.n_params)
    with pytest.raises(
        Diverged,
        match=rf"inner_lr \(now -0.25 to 0.5, shape \({MODEL.n_params},\)\) "
        r"or outer rate \(now Adam\(0.001\)\)",
    ):
        train(method=spoiling(0, (1,)), theta=np.zeros(MODEL.n_params), inner_lr=rates)


@pytest.mark.parametrize("value", [1e160, -1e160])
def test_a_gradient_whose_square_is_not_finite_is_divergence(value):
    """Adam would divide by its infinite root mean square for ever, and stand still."""
    start = np.zeros((2, MODEL.n_params))
    with pytest.raises(Diverged, match="replica 1 of 2") as caught:
        train(method=spoiling(0, (1, 4), value=value), theta=start)
    assert np.array_equal(caught.value.theta, start)
    train(method=spoiling(0, (1, 4), value=value / 1e10), theta=start)


def test_large_gradients_whose_squares_are_finite_one_by_one_do_not_diverge():
    train(method=spoiling(0, *np.ndindex(2, 9), value=1e154), theta=np.zeros((2, MODEL.n_params)))


def test_a_step_out_of_the_finite_numbers_is_divergence_at_that_step():
    start = np.zeros((2, MODEL.n_params))
    with pytest.raises(Diverged, match=r"at iteration 0, replica 1 of 2.*SGD\(1e\+150\)") as caught:
        train(method=spoiling(0, (1, 4), value=-1e153), theta=start, optimizer=tm.SGD(1e150))
    assert np.array_equal(caught.value.theta, start)


def test_a_division_by_zero_is_divergence_without_a_warning():
    start = np.zeros(MODEL.n_params)
    # 1e-200 squared is 0, and nothing is added to its root
    with pytest.raises(Diverged, match="at iteration 0"):
        train(
            method=lambda *_: (1.0, np.full(MODEL.n_params, 1e-200)),
            theta=start,
            optimizer=tm.Adam(eps=0),
        )


def test_divergence_leaves_the_optimizer_as_it_was():
    optimizer = tm.Adam()
    with pytest.raises(Diverged):
        train(tasks=Spoiled(3, enormous), optimizer=optimizer)
    assert optimizer.t == 3 and np.isfinite(optimizer.m).all() and np.isfinite(optimizer.v).all()


def a_method_that_returns(loss, grad):
    """A meta-gradient for two replicas: ones, but for the second replica's loss and the sixth
    number of its gradient."""

    def method(model, theta, *_):
        losses, gradients = np.ones(2, theta.dtype), np.ones_like(theta)
        losses[1], gradients[1, 5] = loss, grad
        return losses, gradients

    return method


# 1e200 is finite, but its square is not, and Adam would stand still for good
@pytest.mark.parametrize(
    "loss, grad", [(np.nan, 1.0), (-np.inf, 1.0), (1.0, np.nan), (1.0, np.inf), (1.0, 1e200)]
)
def test_a_single_number_that_is_not_finite_is_divergence(loss, grad):
    start = np.zeros((2, MODEL.n_params))
    with pytest.raises(Diverged) as caught:
        train(method=a_method_that_returns(loss, grad), theta=start)
    assert np.array_equal(caught.value.theta, start) and caught.value.history.shape == (0, 2)
    assert caught.value.replicas == [(1,)] and "replica 1 of 2" in str(caught.value)


@pytest.mark.parametrize(
    "lead, index, words",
    [((), (), "iteration 0: "), ((2, 2), (0, 1), r", replica \(0, 1\) of \(2, 2\): ")],
)
def test_divergence_says_which_replica_it_was(lead, index, words):
    def method(model, theta, *_):
        loss = np.ones(lead)
        loss[index] = np.nan
        return loss, np.ones_like(theta)

    with pytest.raises(Diverged, match=words) as caught:
        train(method=method, theta=np.zeros((*lead, MODEL.n_params)))
    assert caught.value.replicas == [index]


def test_a_step_into_infinity_is_divergence_and_is_not_taken():
    start = np.zeros((2, MODEL.n_params))
    with pytest.raises(
        Diverged, match=r"at iteration 0, replica 1 of 2.*outer rate \(now SGD\(1e\+100\)\)"
    ) as caught:
        train(method=a_method_that_returns(1.0, 1e100), theta=start, optimizer=tm.SGD(1e100))
    assert np.array_equal(caught.value.theta, start)


def test_large_numbers_are_no_divergence():
    def method(model, theta, *_):  # every square is finite, and only their sum is not
        return np.ones((), np.float32), np.full_like(theta, 5e18)

    theta, history = train(method=method, theta=np.zeros(MODEL.n_params, np.float32), iterations=3)
    assert history.tolist() == [1, 1, 1] and np.allclose(theta, -3e-3)


# Objects that cross a process


def reports():
    theta, history = np.arange(3.0), np.ones((2, 3))
    return [Interrupted(theta, history), Diverged("diverged at", theta, history, [(0,), (2,)])]


@pytest.mark.parametrize("report", reports(), ids=lambda report: type(report).__name__)
@pytest.mark.parametrize(
    "way", [*map(lambda n: lambda e: pickle.loads(pickle.dumps(e, n)), range(6)), copy.deepcopy]
)
def test_a_report_is_the_same_after_pickle_and_deepcopy(report, way):
    report.note = "an attribute of its owner's"
    again = way(report)
    assert type(again) is type(report) and str(again) == str(report)
    assert np.array_equal(again.theta, report.theta)
    assert np.array_equal(again.history, report.history)
    assert vars(again).keys() == vars(report).keys() and again.note == report.note
    assert getattr(again, "replicas", None) == getattr(report, "replicas", None)


def train_or_diverge(inner_lr):
    return train(theta=np.ones((2, MODEL.n_params)), inner_lr=inner_lr, inner_steps=5)


def train_or_be_interrupted(_):
    return train(tasks=Spoiled(3, press_ctrl_c))


IN_A_POOL = """
import sys
sys.path[:0] = sys.argv[2:]
from test_training import *

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        try:
            pool.map(train_or_diverge, [0.01, 1e200])
        except Diverged as error:
            print(error.theta.shape, error.history.shape, error.replicas, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("start", multiprocessing.get_all_start_methods())
def test_divergence_arrives_from_a_pool_of_processes(tmp_path, start):
    (tmp_path / "pool.py").write_text(IN_A_POOL)
    done = subprocess.run(
        [sys.executable, tmp_path / "pool.py", start, *map(str, (ROOT, ROOT / "tests"))],
        capture_output=True,
        text=True,
        timeout=120,  # it would hang
    )
    with pytest.raises(Diverged) as here:
        train_or_diverge(1e200)
    error = here.value
    words = (error.theta.shape, error.history.shape, error.replicas, error)
    assert done.stdout == " ".join(map(str, words)) + "\n", done.stderr


def test_both_reports_arrive_from_an_executor():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        with pytest.raises(Diverged, match="replica 0, 1 of 2") as caught:
            executor.submit(train_or_diverge, 1e200).result(timeout=120)
        assert np.array_equal(caught.value.theta, np.ones((2, MODEL.n_params)))
        with pytest.raises(Interrupted) as caught:
            executor.submit(train_or_be_interrupted, None).result(timeout=120)
        assert np.array_equal(caught.value.history, train(iterations=3)[1])


# Optimisers of one's own


class InPlace:
    """Writes to the theta that it gets, and returns it."""

    def step(self, theta, grad):
        theta -= 0.01 * grad
        return theta


class Buffered:
    """Returns the same array in every step."""

    def __init__(self):
        self.buffer = None

    def step(self, theta, grad):
        if self.buffer is None:
            self.buffer = theta.copy()
        self.buffer -= 0.01 * grad
        return self.buffer


@pytest.mark.parametrize("make", [InPlace, Buffered])
def test_an_optimizer_that_works_in_place_spoils_no_theta_that_is_kept(make):
    kept, usual = [], []
    start = MODEL.init(np.random.default_rng(0))
    theta, _ = train(theta=start, optimizer=make(), callback=lambda i, t, loss: kept.append(t))
    train(theta=start, optimizer=tm.SGD(0.01), callback=lambda i, t, loss: usual.append(t))
    assert np.allclose(kept, usual, rtol=1e-13, atol=0) and np.array_equal(kept[-1], theta)
    assert len({array[0] for array in kept}) == 6
    with pytest.raises(Diverged) as caught:
        train(theta=start, optimizer=make(), tasks=Spoiled(3, enormous))
    assert np.array_equal(caught.value.theta, kept[2])
    with pytest.raises(Interrupted) as caught:
        train(theta=start, optimizer=make(), tasks=Spoiled(4, press_ctrl_c))
    assert np.array_equal(caught.value.theta, kept[3])
    assert np.array_equal(start, MODEL.init(np.random.default_rng(0)))


def test_a_step_in_place_into_infinity_leaves_the_last_finite_theta():
    class Far:
        def step(self, theta, grad):
            theta *= np.inf
            return theta

    start = np.ones(MODEL.n_params)
    with pytest.raises(Diverged) as caught:
        train(theta=start, optimizer=Far())
    assert np.array_equal(caught.value.theta, start)


def test_a_callback_that_writes_to_its_theta_changes_no_training():
    def callback(iteration, theta, loss):
        theta[...] = 0

    assert np.array_equal(train(callback=callback)[0], train()[0])


class Returns:
    def __init__(self, value):
        self.value = value

    def step(self, theta, grad):
        return self.value(theta)


@pytest.mark.parametrize(
    "value, error, message",
    [
        (lambda theta: None, TypeError, "got None$"),
        (lambda theta: "theta", TypeError, "got 'theta'$"),
        (
            lambda theta: theta[None],
            ValueError,
            r"of shape \(97,\) and float32; got shape \(1, 97\)",
        ),
        (lambda theta: theta[:-1], ValueError, r"got shape \(96,\) and float32$"),
        (lambda theta: theta.astype(np.float64), ValueError, r"got shape \(97,\) and float64$"),
        (lambda theta: theta + 0j, ValueError, "and complex"),
        (lambda theta: theta.astype(int), ValueError, "and int"),
    ],
)
def test_an_optimizer_that_does_not_return_the_new_theta_is_refused(value, error, message):
    with pytest.raises(error, match="^optimizer: step must return the new theta.*" + message):
        train(theta=np.ones(MODEL.n_params, np.float32), optimizer=Returns(value))


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(tasks=tm.SineTasks), r"^tasks: .* method sample, .*SineTasks\(\); .* did you mean "),
        (
            dict(tasks=[1, 2]),
            r"^tasks: expected an object with the method sample, .* got \[1, 2\]$",
        ),
        (dict(optimizer=tm.Adam), r"^optimizer: .* method step, such as Adam.*did you mean Adam\("),
        (dict(optimizer="Adam"), r"^optimizer: .* method step, such as Adam.*got 'Adam'$"),
        (dict(method="MAML"), "^meta_grad: expected a function; got 'MAML'"),
        (dict(callback=3), "^callback: expected a function; got 3"),
    ],
)
@pytest.mark.parametrize("iterations", [0, 1])
def test_a_class_or_another_object_in_the_place_of_one_is_named(changes, message, iterations):
    with pytest.raises(TypeError, match=message):
        train(iterations=iterations, **changes)


@pytest.mark.parametrize(
    "result", [lambda theta: theta, lambda theta: (theta, 1.0), lambda theta: (np.ones(2), theta)]
)
def test_a_meta_gradient_that_returns_something_else_is_named(result):
    with pytest.raises(ValueError, match=r"^meta_grad: expected to get \(loss, grad\) of shapes"):
        train(method=lambda model, theta, *_: result(theta))


@pytest.mark.parametrize("lead, n_tasks", [((), 3), ((2,), (2, 3)), ((2, 2), (2, 2, 3))])
def test_tasks_are_asked_for_as_the_docstring_says(lead, n_tasks):
    asked = []

    class Mine:
        def sample(self, rng, n_tasks, shots, query=None, grid=False):
            asked.append((n_tasks, shots, query, grid))
            return SINES.sample(rng, n_tasks, shots, query, grid)

    counts = dict(meta_batch_size=np.uint8(3), shots=np.uint8(200), query=np.uint8(201))
    train(theta=np.ones((*lead, MODEL.n_params)), tasks=Mine(), iterations=1, **counts)
    assert asked == [(n_tasks, 200, 201, False)] and type(asked[0][1]) is int


# Ctrl-C anywhere: nothing is half done


class Clip:
    """An optimiser that holds another, and writes to its own arrays in place."""

    def __init__(self, optimizer):
        self.optimizer, self.largest, self.seen = optimizer, np.zeros(1), {"norms": []}

    def step(self, theta, grad):
        self.largest[0] = max(self.largest[0], abs(grad).max())
        self.seen["norms"].append(self.largest[0])
        return self.optimizer.step(theta, grad / self.largest)


class Slotted:
    __slots__ = ("mean", "__count", "rng")

    def __init__(self):
        self.rng, self.__count = np.random.default_rng(5), 0

    def step(self, theta, grad):
        self.__count += 1
        if not hasattr(self, "mean"):
            self.mean = np.zeros_like(grad)
        self.mean += (grad - self.mean) / self.__count
        return theta - 0.01 * self.mean + 1e-3 * self.rng.standard_normal(theta.shape)


LEARNED = MetaSGDModel(MODEL)
OPTIMIZERS = {  # how to make one, and its meta-gradient and model
    "Adam": (lambda: tm.Adam(0.01), tm.maml_grad, MODEL),
    "SGD": (lambda: tm.SGD(0.01), tm.maml_grad, MODEL),
    "in place": (Buffered, tm.maml_grad, MODEL),
    "holding another": (lambda: Clip(Clip(tm.Adam(0.01))), tm.fomaml_grad, MODEL),
    "with slots and a generator": (Slotted, tm.reptile_grad, MODEL),
    "AdamWithRates": (lambda: AdamWithRates(LEARNED, 0.01, 0.01, 0.0), meta_sgd_grad, LEARNED),
}


def two_views():
    return Views(SINES, lambda batch: [batch, batch.swap_support_query()])


class Setting:
    """A training whose parts raise KeyboardInterrupt before or after they have worked, at a call
    that is counted over all of them."""

    def __init__(self, name):
        make, self.method, self.model = OPTIMIZERS[name]
        self.optimizer, self.tasks, self.rng = make(), two_views(), np.random.default_rng(7)
        self.calls, self.at = 0, None
        theta = MODEL.init(np.random.default_rng(3))
        self.theta = theta if self.model is MODEL else LEARNED.join(theta, 0.01)

    def interrupting(self, function):
        def call(*arguments):
            self.press()
            result = function(*arguments)
            self.press()
            return result

        return call

    def press(self):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt

    def run(self, theta, iterations, at=None):
        self.calls, self.at = 0, at
        take_step = self.interrupting(self.optimizer.step)
        take_sample = self.interrupting(self.tasks.sample)
        outer = self

        class Optimizer:
            step = staticmethod(take_step)

            def state(self):
                return tm.optimizers.take_state(outer.optimizer)

            def restore(self, state):
                tm.optimizers.put_back(outer.optimizer, state)

        class Tasks:
            sample = staticmethod(take_sample)
            state, restore = self.tasks.state, self.tasks.restore

        return tm.meta_train(
            self.interrupting(self.method),
            self.model,
            theta,
            Tasks(),
            rng=self.rng,
            iterations=iterations,
            meta_batch_size=2,
            shots=3,
            inner_lr=0.01,
            optimizer=Optimizer(),
            callback=self.interrupting(lambda *_: None),
        )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_interrupt_in_any_call_leaves_all_of_one_iteration(name):
    whole, history = Setting(name).run(Setting(name).theta, 3)
    for at in range(1, 3 * 8 + 1):
        setting = Setting(name)
        with pytest.raises(Interrupted) as caught:
            setting.run(setting.theta, 3, at)
        reached = caught.value
        done = (at - 1) // 8 + ((at - 1) % 8 >= 6)  # the callback's two calls are after the step
        assert len(reached.history) == done
        theta, rest = setting.run(reached.theta, 3 - done)
        assert np.array_equal(theta, whole), at
        assert np.array_equal(np.concatenate((reached.history, rest)), history), at


class Press:
    """Trace the package's own code, and raise KeyboardInterrupt at the n-th of its operations after
    the training has begun; count them where n is None."""

    def __init__(self, n=None):
        self.n, self.count, self.begun = n, 0, False

    def __call__(self, frame, event, argument):
        if "tinymeta" not in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        self.begun = self.begun or frame.f_code.co_name == "take_state"
        # no signal arrives at a NOP, such as that of `try:`, which CPython leaves unprotected
        nop = event == "opcode" and frame.f_code.co_code[frame.f_lasti] == dis.opmap["NOP"]
        if event == "opcode" and self.begun and not nop:
            self.count += 1
            if self.count == self.n:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self

    def run(self, setting, iterations):
        before = sys.gettrace()
        sys.settrace(self)
        try:
            return setting.run(setting.theta, iterations)
        finally:
            sys.settrace(before)


@pytest.mark.parametrize("presses", [40, pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["Adam", "holding another"])
def test_an_interrupt_at_any_operation_of_the_package_leaves_all_of_one_iteration(name, presses):
    count = Press()
    whole, history = count.run(Setting(name), 3)
    assert np.array_equal(whole, Setting(name).run(Setting(name).theta, 3)[0])
    seen = set()
    for n in np.random.default_rng(0).integers(1, count.count - 100, size=presses).tolist():
        setting = Setting(name)
        with pytest.raises(Interrupted) as caught:
            Press(n).run(setting, 3)
        reached = caught.value
        theta, rest = setting.run(reached.theta, 3 - len(reached.history))
        assert np.array_equal(theta, whole), n
        assert np.array_equal(np.concatenate((reached.history, rest)), history), n
        seen.add(len(reached.history))
    assert seen == {0, 1, 2}


def test_after_an_error_of_any_kind_the_iteration_is_undone():
    class Broken(tm.Adam):
        def step(self, theta, grad):
            stepped = super().step(theta, grad)
            if self.t == 3:
                raise RuntimeError("a bug")
            return stepped

    optimizer, rng = Broken(), np.random.default_rng(0)
    settings = dict(meta_batch_size=3, shots=5, inner_lr=0.01)
    with pytest.raises(RuntimeError, match="a bug"):
        theta = np.ones(MODEL.n_params)
        tm.meta_train(
            tm.maml_grad,
            MODEL,
            theta,
            SINES,
            rng=rng,
            iterations=6,
            optimizer=optimizer,
            **settings,
        )
    same = np.random.default_rng(0)
    for _ in range(2):
        SINES.sample(same, 3, 5)
    assert optimizer.t == 2 and rng.bit_generator.state == same.bit_generator.state


def test_divergence_undoes_the_step_of_the_optimizer_too():
    optimizer, rng = tm.Adam(1e308, eps=0), np.random.default_rng(0)
    with pytest.raises(Diverged):
        tm.meta_train(
            lambda model, theta, *_: (1.0, np.full_like(theta, 2.0)), MODEL,
            np.full(MODEL.n_params, -1e308), SINES, rng=rng, iterations=6, meta_batch_size=3,
            shots=5, inner_lr=0.01, optimizer=optimizer,
        )  # fmt: skip
    assert optimizer.t == 0 and optimizer.m is None
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_a_callback_may_draw_from_the_generator():
    """After the callback's draws an interrupted sample starts again from there."""

    def run(tasks, iterations, rng, theta, start=0):
        drawn = []
        try:
            tm.meta_train(
                tm.joint_grad, MODEL, theta, tasks, rng=rng, iterations=iterations,
                meta_batch_size=2, shots=3, inner_lr=0.01, optimizer=tm.SGD(0.01),
                callback=lambda i, t, loss: drawn.append(rng.random()),
            )  # fmt: skip
        except Interrupted as reached:
            return drawn + run(SINES, iterations - len(reached.history), rng, reached.theta)
        return drawn

    start = MODEL.init(np.random.default_rng(1))
    whole = run(SINES, 6, np.random.default_rng(0), start)
    assert run(Spoiled(3, press_ctrl_c), 6, np.random.default_rng(0), start) == whole


# Wrong from the start, which is no divergence


def test_tasks_that_do_not_fit_are_named_at_once():
    with pytest.raises(ValueError, match="^y_query: expected finite numbers; got .*inf at "):
        train(tasks=Spoiled(0, infinite))
    with pytest.raises(ValueError, match=r"^y_query: expected shape \(3, 5, 1\)"):
        train(tasks=Spoiled(0, lambda batch: batch._replace(y_query=batch.y_query[..., 0])))


@pytest.mark.parametrize("name", ["meta_batch_size", "shots", "query"])
@pytest.mark.parametrize("value", [0, 1.5, True])
def test_counts_are_whole_numbers(name, value):
    with pytest.raises(
        ValueError, match=f"^{name}: expected a whole number of at least 1; got {value}$"
    ):
        train(**{name: value})


def test_the_examples_in_the_docstrings_run():
    failed, run = doctest.testmod(tm.training)
    assert run >= 5 and not failed


def test_a_seed_is_no_generator():
    with pytest.raises(
        ValueError, match="rng: expected a NumPy Generator, such as np.random.default_rng.*; got 0"
    ):
        tm.meta_train(
            tm.maml_grad,
            MODEL,
            np.zeros(MODEL.n_params),
            SINES,
            rng=0,
            iterations=0,
            meta_batch_size=1,
            shots=5,
            inner_lr=0.1,
        )


def test_a_wrong_rate_is_named_even_before_any_iteration():
    with pytest.raises(ValueError, match="inner_lr: expected real numbers"):
        train(inner_lr="0.1", iterations=0)


@pytest.mark.parametrize("iterations", [-1, 1.5, True, "6"])
def test_iterations_is_a_whole_number(iterations):
    with pytest.raises(
        ValueError, match=f"iterations: expected a whole number of at least 0; got {iterations!r}"
    ):
        train(iterations=iterations)


WRONG = {
    "meta_batch_size": (
        dict(meta_batch_size=0),
        "meta_batch_size: expected a whole number of at least 1; got 0",
    ),
    "a negative batch": (dict(meta_batch_size=-1), "meta_batch_size: .*; got -1"),
    "half a task": (dict(meta_batch_size=1.5), "meta_batch_size: .*; got 1.5"),
    "shots": (dict(shots=0), "shots: expected a whole number of at least 1; got 0"),
    "words for shots": (dict(shots="5"), "shots: .*; got '5'"),
    "query": (dict(query=0), "query: expected a whole number of at least 1; got 0"),
    "true": (dict(query=True), "query: .*; got True"),
    "inner_steps": (
        dict(inner_steps=-1),
        "inner_steps: expected a whole number of at least 0; got -1",
    ),
    "minibatch": (dict(minibatch=6), "minibatch: expected at most the 5 support points; got 6"),
    "inner_lr": (dict(inner_lr=-0.01), "inner_lr: expected a number of at least 0; got -0.01"),
    "inner_lr of nan": (dict(inner_lr=np.nan), "^inner_lr: expected finite numbers; got nan"),
    "inner_lr of another network": (
        dict(inner_lr=np.ones(3)),
        r"inner_lr: expected .*; got \(3,\)",
    ),
    "theta of nan": (
        dict(theta=np.full(MODEL.n_params, np.nan)),
        r"^theta: expected finite numbers; got nan at \(0,\)",
    ),
    "theta of another network": (
        dict(theta=np.ones(12)),
        r"theta: expected shape .*; got \(12,\); is it of another network",
    ),
    "tasks of another width": (
        dict(model=tm.MLP([2, 1])),
        r"x_support: expected shape \(\.\.\., K, 2\) .*; got \(3, 5, 1\)",
    ),
}


@pytest.mark.parametrize("changes, message", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("iterations", [0, 1])
def test_meta_train_names_what_is_wrong(changes, message, iterations):
    # which the first step finds
    if iterations or not {"inner_steps", "minibatch", "model"} & {*changes}:
        with pytest.raises(ValueError, match=message):
            train(iterations=iterations, **changes)


@pytest.mark.parametrize("rng", [-1, 1.5, "0", None, 0, np.random], ids=repr)
def test_rng_is_a_generator(rng):
    with pytest.raises(
        ValueError,
        match=r"rng: expected a NumPy Generator, such as np.random.default_rng\(seed\); got ",
    ):
        tm.meta_train(
            tm.maml_grad,
            MODEL,
            np.ones(MODEL.n_params),
            SINES,
            rng=rng,
            iterations=1,
            meta_batch_size=1,
            shots=1,
            inner_lr=0.1,
        )


def test_50_steps_give_the_same_numbers_on_every_version_of_numpy():
    """To 1e-9. Much longer runs do not: training is chaotic, and grows a difference of 1e-16."""
    model = tm.MLP([1, 40, 40, 1])
    theta, history = train(
        model=model, iterations=50, meta_batch_size=1, shots=10, inner_steps=1, query=10
    )
    digest = [*theta[[0, 500, 1760]], np.linalg.norm(theta), history.sum()]
    stored = [
        0.2869793520920949,
        -0.13239707378217702,
        -0.01912677268270049,
        6.5245668740956155,
        185.2662040538523,
    ]
    assert digest == pytest.approx(stored, rel=1e-9, abs=0)


# It learns


def test_a_tiny_run_lowers_the_loss_after_adaptation():
    held_out = SINES.sample(np.random.default_rng(99), 200, 5)
    start = MODEL.init(np.random.default_rng(0))
    trained, _ = train(
        theta=start, iterations=300, meta_batch_size=10, optimizer=tm.Adam(0.01), inner_lr=0.05
    )
    before, after = (tm.meta_loss(MODEL, theta, held_out, 0.05, 2) for theta in (start, trained))
    assert after < 0.75 * before  # 0.6 over ten seeds


def test_on_straight_lines_two_steps_from_maml_reach_what_joint_training_does_not():
    lines = tm.FunctionTasks(
        lambda x, slope, offset: slope * x + offset,
        {"slope": (-2, 2), "offset": (-2, 2)},
        x_range=(-1, 1),
    )
    held_out, after = lines.sample(np.random.default_rng(99), 200, 5), {}
    for method in (tm.maml_grad, tm.joint_grad):
        theta, _ = train(
            method=method, tasks=lines, iterations=200, inner_lr=0.1, optimizer=tm.Adam(0.01)
        )
        # before adaptation no method can know the line: 4/3 for its offset, 4/9 for its slope
        assert tm.meta_loss(MODEL, theta, held_out, 0.1, 0) > 0.9 * (4 / 3 + 4 / 9)
        after[method] = tm.meta_loss(MODEL, theta, held_out, 0.1, 2)
    assert after[tm.maml_grad] < 0.5 * after[tm.joint_grad]  # 0.26 to 0.36 over eight seeds


@pytest.mark.slow
def test_maml_adapts_where_joint_training_does_not():
    """The post's network, rate and shots, cut to two seeds and 2,000 meta-steps, of 4 tasks
    each."""
    model = tm.MLP([1, 40, 40, 1])
    held_out = SINES.sample(np.random.default_rng(99), 200, 10, 50, grid=True)
    after_10 = {}
    for method in (tm.maml_grad, tm.joint_grad):
        rng = np.random.default_rng(0)
        theta = np.stack([model.init(rng, np.float32) for _ in range(2)])
        theta, _ = tm.meta_train(
            method,
            model,
            theta,
            SINES,
            rng=rng,
            iterations=2000,
            meta_batch_size=4,
            shots=10,
            inner_lr=0.01,
        )
        curve = summarize(tm.adaptation_curve(model, theta, held_out, 0.01, 10))
        # before adaptation no method can know the task
        assert 0.9 * 4.25 < curve.mean[0] < 1.2 * 4.25
        after_10[method] = curve.seeds[:, 10]
    assert after_10[tm.maml_grad].max() < 0.6 * after_10[tm.joint_grad].min()
