"""The outer loop: what it computes, what it hands back when it is cut short, and that it learns."""

import numpy as np
import pytest
from helpers import METHODS

import tinymeta as tm

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
    assert not np.array_equal(train(inner_lr=0.02)[0], usual) and not np.array_equal(train(inner_steps=1)[0], usual)
    assert np.array_equal(train(inner_lr=np.full(MODEL.n_params, 0.01))[0], usual)


def test_one_inner_step_is_the_default():
    theta = MODEL.init(np.random.default_rng(0))
    given = dict(iterations=3, meta_batch_size=3, shots=5, inner_lr=0.01)
    runs = [tm.meta_train(tm.maml_grad, MODEL, theta, SINES, rng=np.random.default_rng(1), **given, **steps)[0] for steps in ({}, {"inner_steps": 1})]
    assert np.array_equal(*runs)


def test_same_seed_same_digits():
    one, same, other = train(1), train(1), train(2)
    for a, b, c in zip(one, same, other):
        assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_replicas_train_on_tasks_of_their_own():
    theta = np.tile(MODEL.init(np.random.default_rng(0)), (3, 1))  # so that nothing but the tasks can differ
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
    trained, history = train(theta=theta, method=method, optimizer=optimizer, callback=lambda i, t, loss: seen.append((t.dtype, loss.dtype)))
    assert {trained.dtype, history.dtype, *sum(seen, ())} == {np.dtype(np.float32)}


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
    "in the callback": (4, lambda: dict(callback=lambda i, theta, loss: press_ctrl_c() if i == 3 else None)),
    "while sampling": (3, lambda: dict(tasks=Spoiled(3, press_ctrl_c))),
    "before the first step": (0, lambda: dict(tasks=Spoiled(0, press_ctrl_c))),
}


@pytest.mark.parametrize("steps, interruption", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_ctrl_c_hands_over_what_was_reached(steps, interruption):
    with pytest.raises(tm.Interrupted) as caught:
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


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("how", [infinite, enormous])
def test_divergence_hands_over_the_last_finite_numbers(how, at):
    with pytest.raises(tm.Diverged, match=f"at iteration {at}.*inner_lr.*0.01") as caught:
        train(tasks=Spoiled(at, how))
    theta, history = train(iterations=at)
    assert np.array_equal(caught.value.theta, theta) and np.array_equal(caught.value.history, history)


@pytest.mark.parametrize("method", METHODS[1:])
def test_too_large_a_rate_diverges_by_name_and_without_a_warning(method):
    with pytest.raises(tm.Diverged) as caught:
        train(method=method, inner_lr=1e200, inner_steps=5)
    assert np.isfinite(caught.value.theta).all()


# One replica of two, and one number of a gradient, are enough
@pytest.mark.parametrize("loss, grad", [(np.nan, 1.0), (-np.inf, 1.0), (1.0, np.nan), (1.0, np.inf)])
def test_a_single_number_that_is_not_finite_is_divergence(loss, grad):
    def method(model, theta, *_):
        losses, gradients = np.ones(2), np.ones_like(theta)
        losses[1], gradients[1, 5] = loss, grad
        return losses, gradients

    start = np.zeros((2, MODEL.n_params))
    with pytest.raises(tm.Diverged) as caught:
        train(method=method, theta=start)
    assert np.array_equal(caught.value.theta, start)


@pytest.mark.parametrize("iterations", [-1, 1.5, True, "6"])
def test_iterations_is_a_whole_number(iterations):
    with pytest.raises(ValueError, match=f"iterations: expected a whole number of at least 0; got {iterations!r}"):
        train(iterations=iterations)


# It learns


def test_a_tiny_run_lowers_the_loss_after_adaptation():
    held_out = SINES.sample(np.random.default_rng(99), 200, 5)
    start = MODEL.init(np.random.default_rng(0))
    trained, _ = train(theta=start, iterations=300, meta_batch_size=10, optimizer=tm.Adam(0.01), inner_lr=0.05)
    before, after = (tm.meta_loss(MODEL, theta, held_out, 0.05, 2) for theta in (start, trained))
    assert after < 0.75 * before  # 0.6 over ten seeds


def test_maml_adapts_where_joint_training_does_not():
    """The post's network, rate and shots, cut to two seeds and 2,000 meta-steps, of 4 tasks each."""
    model = tm.MLP([1, 40, 40, 1])
    held_out = SINES.sample(np.random.default_rng(99), 200, 10, 50, grid=True)
    after_10 = {}
    for method in (tm.maml_grad, tm.joint_grad):
        rng = np.random.default_rng(0)
        theta = np.stack([model.init(rng, np.float32) for _ in range(2)])
        theta, _ = tm.meta_train(
            method, model, theta, SINES, rng=rng, iterations=2000, meta_batch_size=4, shots=10, inner_lr=0.01
        )
        curve = tm.summarize(tm.adaptation_curve(model, theta, held_out, 0.01, 10))
        assert 0.9 * 4.25 < curve.mean[0] < 1.2 * 4.25  # before adaptation no method can know the task
        after_10[method] = curve.seeds[:, 10]
    assert after_10[tm.maml_grad].max() < 0.6 * after_10[tm.joint_grad].min()
