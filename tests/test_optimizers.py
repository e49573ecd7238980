"""SGD and Adam against their papers' own lines."""

import collections
import doctest
import os

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.checks import relative_error
from tinymeta.optimizers import put_back, take_state


def adam_of_the_paper(theta, gradients, lr, beta1, beta2, eps):
    """Kingma & Ba 2015, algorithm 1, line by line and number by number."""
    theta = [float(p) for p in theta]
    m, v = [0.0] * len(theta), [0.0] * len(theta)
    for t, g in enumerate(gradients, start=1):
        for i in range(len(theta)):
            m[i] = beta1 * m[i] + (1 - beta1) * g[i]
            v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2
            m_hat, v_hat = m[i] / (1 - beta1**t), v[i] / (1 - beta2**t)
            theta[i] -= lr * m_hat / (v_hat**0.5 + eps)
    return theta


def descend(optimizer, theta, gradients):
    for g in gradients:
        theta = optimizer.step(theta, g)
    return theta


# eps of 0.1 as well: at 1e-8 nothing would show on which side of the root it is added, or before
# which correction
@pytest.mark.parametrize("constants", [(1e-3, 0.9, 0.999, 1e-8), (0.3, 0.5, 0.8, 0.1)], ids=str)
def test_adam_is_the_papers_algorithm(constants):
    rng = np.random.default_rng(0)
    theta, gradients = rng.standard_normal(4), rng.standard_normal((250, 4)) * [1.0, 1e-3, 1e3, 0.1]
    gradients[50:, 3] = 0  # a unit that dies
    got = descend(tm.Adam(*constants), theta, gradients)
    assert relative_error(got, adam_of_the_paper(theta, gradients, *constants)) < 1e-14
    assert (
        relative_error(
            got - theta, np.subtract(adam_of_the_paper(theta, gradients, *constants), theta)
        )
        < 1e-12
    )


def test_adam_has_the_papers_constants_by_default():
    rng = np.random.default_rng(0)
    theta, gradients = np.zeros(3), rng.standard_normal((3, 3))
    assert np.array_equal(
        descend(tm.Adam(), theta, gradients),
        descend(tm.Adam(1e-3, 0.9, 0.999, 1e-8), theta, gradients),
    )


def test_adams_first_step_is_its_rate_whatever_the_gradients_size():
    step = tm.Adam(0.01).step(np.zeros(3), np.array([1e-3, -1.0, 1e3]))
    assert step == pytest.approx([-0.01, 0.01, -0.01], rel=1e-4)


def test_adam_stands_still_without_a_gradient():
    assert descend(tm.Adam(), np.ones(2), np.zeros((3, 2))).tolist() == [1, 1]


def test_where_the_gradient_stays_0_adam_does_not_linger_on_subnormal_numbers():
    optimizer, gradients = tm.Adam(), np.zeros((900, 3), np.float32)
    gradients[0] = 1, -1, 0
    gradients[:, 2] = 1
    descend(optimizer, np.zeros(3, np.float32), gradients)
    # 0.9^900 is 1e-41, and float32 ends at 1e-38
    assert optimizer.m.tolist() == [0, 0, pytest.approx(1)]


def test_sgd_is_a_step_against_the_gradient():
    assert tm.SGD(0.5).step(np.array([1.0, 2.0]), np.array([4.0, -2.0])).tolist() == [-1, 3]


@pytest.mark.parametrize("make", [lambda: tm.SGD(0.1), lambda: tm.Adam(0.1)], ids=["SGD", "Adam"])
class TestBoth:
    def test_replicas_are_independent_optimizers(self, make):
        rng = np.random.default_rng(0)
        theta, gradients = rng.standard_normal((3, 4)), rng.standard_normal((5, 3, 4))
        together = descend(make(), theta, gradients)
        for s in range(3):
            assert np.array_equal(together[s], descend(make(), theta[s], gradients[:, s]))

    def test_neither_theta_nor_gradient_is_written_to_or_handed_on(self, make):
        theta, grad = np.ones(3), np.full(3, 2.0)
        theta.setflags(write=False), grad.setflags(write=False)
        optimizer = make()
        first = optimizer.step(theta, grad)
        kept = first.copy()
        second = optimizer.step(first, grad)
        assert np.array_equal(first, kept)
        assert not any(
            map(np.shares_memory, (first, first, second, second), (theta, grad, first, grad))
        )

    def test_a_gradient_reused_by_its_owner_does_no_harm(self, make):
        gradients = np.random.default_rng(0).standard_normal((5, 3))
        optimizer, theta, buffer = make(), np.ones(3), np.empty(3)
        for g in gradients:
            buffer[...] = g
            theta = optimizer.step(theta, buffer)
            buffer[...] = np.nan
        assert np.array_equal(theta, descend(make(), np.ones(3), gradients))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_dtype_is_kept(self, make, dtype):
        optimizer, theta = make(), np.ones(3, dtype)
        for _ in range(3):
            theta = optimizer.step(theta, np.ones(3, dtype))
            assert theta.dtype == dtype

    def test_a_state_is_not_changed_by_later_steps_and_is_put_back_exactly(self, make):
        gradients = np.random.default_rng(0).standard_normal((6, 3))
        optimizer, theta = make(), np.ones(3)
        theta = descend(optimizer, theta, gradients[:3])
        state = optimizer.state()
        later = descend(optimizer, theta, gradients[3:])
        optimizer.restore(state)
        assert np.array_equal(descend(optimizer, theta, gradients[3:]), later)
        other = make()
        other.lr = 7.0
        other.restore(state)
        assert np.array_equal(descend(other, theta, gradients[3:]), later)

    def test_a_state_before_the_first_step_is_put_back_after_some(self, make):
        optimizer, gradients = make(), np.ones((3, 2))
        state = optimizer.state()
        theta = descend(optimizer, np.zeros(2), gradients)
        optimizer.restore(state)
        assert np.array_equal(descend(optimizer, np.zeros(2), gradients), theta)

    @pytest.mark.parametrize(
        "change",
        [
            lambda state: state.pop("lr"),
            lambda state: state.update(other=1),
            lambda state: state.update({"lr": -0.1}),
            lambda state: state.update({"lr": "a"}),
        ],
    )
    def test_a_wrong_state_is_refused_and_changes_nothing(self, make, change):
        optimizer = make()
        state = optimizer.state()
        change(state)
        with pytest.raises(ValueError, match="^(state|lr): expected "):
            optimizer.restore(state)
        assert optimizer.state() == make().state()
        with pytest.raises(ValueError, match="^state: expected a dict with .*; got list"):
            optimizer.restore([])


ONES = np.ones(3)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(t=3), "m and v: expected two arrays, for t = 3; got NoneType and NoneType"),
        (dict(t=3, m=ONES), "m and v: expected two arrays, for t = 3; got ndarray and NoneType"),
        (dict(t=3, v=ONES), "m and v: expected two arrays, for t = 3; got NoneType and ndarray"),
        (dict(m=ONES), "m and v: expected None before the first step"),
        (dict(v=ONES), "m and v: expected None before the first step"),
        (dict(t=-1), "t: expected a whole number of at least 0; got -1"),
        (dict(t=1.5), "t: expected a whole number of at least 0; got 1.5"),
        (dict(t=3, m=ONES, v=np.ones(2)), r"one shape .*got \(3,\) of float64 and \(2,\) of "),
        (dict(t=3, m=ONES, v=ONES.astype(np.float32)), "one floating-point dtype; got .*float32"),
        (dict(t=3, m=np.ones(3, int), v=np.ones(3, int)), "one floating-point dtype; got .*int"),
        (dict(t=3, m=ONES, v=np.array([1, -1e-9, 0])), "v: expected a mean of squares; got a neg"),
        (dict(beta1=1.0), "beta1: expected a number of at least 0, below 1; got 1.0"),
        (dict(beta2=1.5), "beta2: expected a number of at least 0, below 1; got 1.5"),
        (dict(eps=-1), "eps: expected a number of at least 0"),
    ],
)
def test_adam_refuses_a_state_that_is_none(change, message):
    optimizer = tm.Adam(2.0)
    with pytest.raises(ValueError, match=message):
        optimizer.restore(optimizer.state() | change)
    assert optimizer.state() == tm.Adam(2.0).state()


def test_adam_takes_back_moments_of_any_number_of_replicas_and_complex_ones():
    for start in (np.ones((2, 3), np.float32), np.ones(3, complex)):
        optimizer, other = tm.Adam(), tm.Adam()
        theta = optimizer.step(start, (1 - 2j if start.dtype == complex else -2) * start)
        other.restore(optimizer.state())
        assert np.array_equal(other.step(theta, theta), optimizer.step(theta, theta))


def test_adam_refuses_a_gradient_of_another_shape_than_before():
    optimizer = tm.Adam()
    optimizer.step(ONES, ONES)
    kept = optimizer.state()
    with pytest.raises(
        ValueError, match=r"^grad: .* steps before, \(3,\); got \(2, 3\); take a new"
    ):
        optimizer.step(np.ones((2, 3)), np.ones((2, 3)))
    assert optimizer.t == 1 and optimizer.m is kept["m"]


def test_an_interrupt_inside_of_adams_step_changes_nothing(monkeypatch):
    optimizer = tm.Adam()
    optimizer.step(np.ones(3), np.ones(3))
    state = {name: np.copy(value) for name, value in optimizer.state().items()}

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "sqrt", interrupted)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step(np.ones(3), np.ones(3))
    assert all(np.array_equal(optimizer.state()[name], value) for name, value in state.items())


@pytest.mark.parametrize("optimizer", [tm.SGD, tm.Adam])
def test_a_rate_from_a_numpy_array_does_not_widen_float32(optimizer):
    rate = np.geomspace(1e-3, 1e-1, 3)[1]  # a np.float64, which on NumPy 2 outranks a float32 array
    assert optimizer(rate).step(np.ones(3, np.float32), np.ones(3, np.float32)).dtype == np.float32


def test_the_examples_in_the_docstrings_run():
    failed, run = doctest.testmod(tm.optimizers)
    assert run >= 4 and not failed


# The state of any optimiser


class Base:
    __slots__ = ("count", "__hidden")

    def __init__(self):
        self.count, self.__hidden = 0, [0]

    def step(self, theta, grad):
        self.count += 1
        self.__hidden.append(self.count)
        return theta


class Both(Base):  # slots and a dict
    __slots__ = ("__dict__", "late")

    def step(self, theta, grad):
        self.other = self.late = super().step(theta, grad)
        return theta


def test_attributes_in_slots_and_in_a_dict_are_taken_and_put_back():
    optimizer = Both()
    state = take_state(optimizer)
    assert state == {"count": 0, "_Base__hidden": [0]}
    optimizer.step(np.ones(2), None)
    later = take_state(optimizer)
    assert later.keys() == {"count", "_Base__hidden", "other", "late"}
    put_back(optimizer, state)
    assert take_state(optimizer) == state and not hasattr(optimizer, "late")
    put_back(optimizer, later)
    assert optimizer.count == 1 and optimizer.late.tolist() == [1, 1]


class Own:
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def step(self, theta, grad):
        return theta


def test_a_state_is_a_copy_that_steps_in_place_do_not_change_and_may_be_put_back_twice():
    queue = collections.deque([1, 2])
    optimizer = Own(a=np.zeros(2), b={"c": [np.zeros(2)]}, queue=queue)
    state = take_state(optimizer)
    for _ in range(2):
        optimizer.a += 1
        optimizer.b["c"][0] += 1
        optimizer.b["d"] = 1
        optimizer.queue.append(3)
        put_back(optimizer, state)
        assert optimizer.a.tolist() == [0, 0] and optimizer.b["c"][0].tolist() == [0, 0]
        assert optimizer.b.keys() == {"c"}
    assert optimizer.queue == collections.deque([1, 2])


def test_objects_that_an_optimizer_holds_stay_the_same_objects():
    adam, rng, model = tm.Adam(0.5), np.random.default_rng(0), tm.MLP([1, 1])
    file = open(os.devnull)  # it cannot be copied
    optimizer = Own(parts=[adam, (rng,)], by_name={"adam": adam}, model=model, file=file)
    state = take_state(optimizer)
    adam.step(np.ones(2), np.ones(2))
    adam.lr = 3.0
    drawn = rng.random()
    put_back(optimizer, state)
    file.close()
    assert optimizer.parts[0] is adam is optimizer.by_name["adam"] and optimizer.model is model
    assert optimizer.parts[1][0] is rng and optimizer.file is file
    assert adam.state() == tm.Adam(0.5).state() and rng.random() == drawn


@pytest.mark.parametrize(
    "other, message",
    [
        (Own(part=tm.SGD(0.1)), "part: one of SGD was expected; got one of Adam"),
        (Own(part=None), "part: one of NoneType without state.. was expected; got one of Adam"),
        (Own(), "part: one of NoneType without state.. was expected; got one of Adam"),
    ],
)
def test_a_state_is_put_back_only_where_the_same_objects_are_held(other, message):
    with pytest.raises(ValueError, match=message):
        put_back(other, take_state(Own(part=tm.Adam())))


def test_a_state_is_put_back_only_where_the_model_and_the_generator_are_alike():
    state = take_state(Own(model=tm.MLP([1, 1])))
    with pytest.raises(ValueError, match=r"model: one of MLP\(\[2, 1\].* got one of MLP\(\[1, 1\]"):
        put_back(Own(model=tm.MLP([2, 1])), state)
    state = take_state(Own(rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="rng: one of MT19937 was expected; got one of PCG64"):
        put_back(Own(rng=np.random.Generator(np.random.MT19937(0))), state)
