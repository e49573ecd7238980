"""The outer loop: what it computes, what it hands back when it is cut short, and that it learns."""

import numpy as np
import pytest
from helpers import METHODS

import tinymeta as tm
from tinymeta.extras.statistics import summarize
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
    with pytest.raises(Diverged, match=f"at iteration {at}.*inner_lr.*0.01") as caught:
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


def test_a_later_batch_that_is_not_finite_is_named():
    with pytest.raises(
        Diverged,
        match=r"^diverged at iteration 3: y_query: expected finite numbers; "
        r"got -?inf at \(0, 0, 0\); ",
    ):
        train(tasks=Spoiled(3, infinite))


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
