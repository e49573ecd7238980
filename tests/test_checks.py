"""The numerical derivatives themselves, on functions whose derivatives are known, and on wrong
ones."""

import numpy as np
import pytest
from helpers import problem

from tinymeta.checks import (
    block_errors,
    central_difference,
    complex_step,
    cosine,
    largest_eigenvalue,
    relative_error,
    taylor_slopes,
)

THETA, V = np.array([0.3, -1.2, 2.0]), np.array([0.6, 0.0, 0.8])


def f(theta):
    """exp(a) sin(b) + c^3, for theta (..., 3)."""
    a, b, c = np.moveaxis(theta, -1, 0)
    return np.exp(a) * np.sin(b) + c**3


def gradient(theta):
    a, b, c = theta
    return np.array([np.exp(a) * np.sin(b), np.exp(a) * np.cos(b), 3 * c**2])


def hessian_v(theta, v):
    a, b, c = theta
    s, t = np.exp(a) * np.sin(b), np.exp(a) * np.cos(b)
    return np.array([[s, t, 0], [t, -s, 0], [0, 0, 6 * c]]) @ v


def test_complex_step_is_the_gradient_to_rounding():
    assert relative_error(complex_step(f, THETA), gradient(THETA)) < 1e-15
    assert complex_step(f, THETA, V) == pytest.approx(gradient(THETA) @ V, rel=1e-15)


def test_complex_step_of_a_vector_is_its_derivative_along_v():
    derivative = complex_step(lambda theta: np.stack((f(theta), theta.sum(axis=-1))), THETA, V)
    assert derivative == pytest.approx([gradient(THETA) @ V, V.sum()], rel=1e-15)


def test_complex_step_takes_several_directions_at_once():
    along = np.stack((V, 2 * V, np.ones(3)))
    assert complex_step(f, THETA, along) == pytest.approx(along @ gradient(THETA), rel=1e-15)
    assert complex_step(f, THETA, along.tolist()) == pytest.approx(
        along @ gradient(THETA), rel=1e-15
    )


def test_central_difference_errs_by_the_square_of_h_until_rounding_takes_over():
    def error(h):
        return abs(central_difference(f, THETA, V, h) - gradient(THETA) @ V)

    assert error(1e-2) / error(1e-3) == pytest.approx(100, rel=0.01)
    assert error(1e-5) < 1e-9 < error(1e-13)
    assert central_difference(f, THETA, V) == central_difference(f, THETA, V, 1e-5)


def test_relative_error_is_over_the_larger_norm():
    assert relative_error([3.0, 4.0], [3.0, 4.0]) == 0
    assert relative_error([3.0, 4.0], [0.0, 0.0]) == relative_error([0.0, 0.0], [3.0, 4.0]) == 1
    assert relative_error([0.0, 0.0], [0.0, 0.0]) == 0
    assert relative_error([1.0], [2.0]) == relative_error([2.0], [1.0]) == 0.5
    assert relative_error([1.0], [-1.0]) == 2
    assert relative_error([[3.0, 0.0]], [[0.0, 4.0]]) == 5 / 4
    assert relative_error(1e-9, 2e-9) == pytest.approx(0.5)  # no scale is too small to count


def test_relative_error_of_nan_passes_no_check():
    for got, want in (
        ([np.nan, 1.0], [1.0, 1.0]),
        ([1.0, 1.0], [np.nan, 1.0]),
        ([np.nan], [np.nan]),
    ):
        assert not relative_error(got, want) <= 1


def test_relative_error_never_broadcasts():
    with pytest.raises(ValueError, match=r"expected the shape of want, \(3, 1\); got \(3,\)"):
        relative_error(np.ones(3), np.ones((3, 1)))


def test_cosine_is_that_of_the_angle():
    assert cosine([1.0, 0.0], [1.0, 1.0]) == pytest.approx(0.5**0.5)
    assert cosine([2.0, 0.0], [-3.0, 0.0]) == -1


def test_block_errors_show_which_block_is_wrong_and_by_how_much():
    model, theta, _ = problem(sizes=(2, 5, 1))
    wrong = theta.copy()
    model.unpack(wrong)[0][1][...] *= 2
    assert block_errors(model, wrong, theta) == {"W1": 0, "b1": 0.5, "W2": 0, "b2": 0}


def test_taylor_slopes_are_1_2_and_3():
    g, Hv = gradient(THETA), hessian_v(THETA, V)
    for order, derivatives in ((1, ()), (2, (g,)), (3, (g, Hv))):
        slopes = taylor_slopes(f, THETA, V, *derivatives)
        assert slopes.shape == (6,) and slopes == pytest.approx(order, abs=0.02)


def test_a_wrong_derivative_costs_its_order_of_taylor_slopes():
    g, Hv = gradient(THETA), hessian_v(THETA, V)
    assert taylor_slopes(f, THETA, V, 1.1 * g) == pytest.approx(1, abs=0.1)
    assert taylor_slopes(f, THETA, V, g, 1.1 * Hv) == pytest.approx(2, abs=0.1)
    assert taylor_slopes(f, THETA, V, g, -Hv) == pytest.approx(2, abs=0.1)


def test_taylor_slopes_go_where_they_are_sent():
    slopes = taylor_slopes(f, THETA, V, gradient(THETA), largest=0.1, halvings=2)
    assert slopes.shape == (2,) and slopes == pytest.approx(2, abs=0.1)
    assert np.array_equal(
        taylor_slopes(f, THETA, V), taylor_slopes(f, THETA, V, largest=0.01, halvings=6)
    )
    e = 0.1 / 2.0 ** np.arange(3)
    remainders = [f(THETA + h * V) - f(THETA) - h * gradient(THETA) @ V for h in e]
    assert slopes == pytest.approx(np.diff(np.log(np.abs(remainders))) / np.log(0.5))


def test_the_largest_eigenvalue_is_that_of_the_dense_hessian():
    model, theta, batch = problem(sizes=(2, 4, 2), tasks=3)
    dense = [
        model.hvp(theta, x, y, np.eye(model.n_params))
        for x, y in zip(batch.x_support, batch.y_support)
    ]
    eigenvalues = np.linalg.eigvalsh(dense)
    # or power iteration would be slow
    assert (eigenvalues[:, -1] > 1.05 * abs(eigenvalues[:, :-1]).max(axis=-1)).all()
    want = eigenvalues[:, -1]
    got = largest_eigenvalue(
        model, theta, batch.x_support, batch.y_support, np.random.default_rng(0), 300
    )
    assert relative_error(got, want) <= 1e-9
    assert (
        relative_error(
            largest_eigenvalue(
                model, theta, batch.x_support, batch.y_support, np.random.default_rng(0), 1
            ),
            want,
        )
        > 0.01
    )
