"""SGD and Adam against their papers' own lines."""

import doctest

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.checks import relative_error


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


@pytest.mark.parametrize("optimizer", [tm.SGD, tm.Adam])
def test_a_rate_from_a_numpy_array_does_not_widen_float32(optimizer):
    rate = np.geomspace(1e-3, 1e-1, 3)[1]  # a np.float64, which on NumPy 2 outranks a float32 array
    assert optimizer(rate).step(np.ones(3, np.float32), np.ones(3, np.float32)).dtype == np.float32


def test_the_examples_in_the_docstrings_run():
    failed, run = doctest.testmod(tm.optimizers)
    assert run >= 4 and not failed
