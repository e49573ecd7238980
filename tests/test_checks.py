"""The numerical derivatives themselves, on functions whose derivatives are known, and on wrong
ones."""

import doctest
import types

import numpy as np
import pytest
from helpers import problem

import tinymeta as tm
from tinymeta import checks
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
    assert relative_error(np.empty((2, 0)), np.empty((2, 0))) == 0


def test_relative_error_of_nan_passes_no_check():
    for got, want in (
        ([np.nan, 1.0], [1.0, 1.0]),
        ([1.0, 1.0], [np.nan, 1.0]),
        ([np.nan], [np.nan]),
    ):
        assert not relative_error(got, want) <= 1


def test_a_function_of_one_vector_is_differentiated_row_by_row():
    """Each of them takes the matrix of all points too, and returns something else from it."""
    theta = np.arange(3.0)
    A = np.random.default_rng(0).standard_normal((3, 3))
    quadratic = (A + A.T) @ theta
    for f, want in (
        (lambda t: np.sum(t**2), 2 * theta),
        (lambda t: t @ t, 2 * theta),
        (lambda t: (t**2).sum(axis=0), 2 * theta),
        (lambda t: t @ A @ t, quadratic),
        (lambda t: t[0] * t[1] + t[2], [1, 0, 1]),
        (lambda t: sum(a**2 for a in t), 2 * theta),
        (lambda t: A @ t, A.T),
        (lambda t: t[..., 0] + 1e-4 * t.sum(), [1 + 1e-4, 1e-4, 1e-4]),  # nearly by rows
    ):
        assert relative_error(complex_step(f, theta), want) <= 1e-15
        assert relative_error(complex_step(f, theta, np.eye(3)[None])[0], want) <= 1e-15
        assert relative_error(central_difference(f, theta, np.eye(3)), want) <= 1e-9
    assert relative_error(complex_step(lambda t: A @ t, np.zeros(3)), A.T) <= 1e-15


def test_directions_may_have_several_leading_axes():
    v = np.random.default_rng(0).standard_normal((2, 4, 3))
    for derivative in (complex_step, central_difference):
        assert relative_error(derivative(f, THETA, v), v @ gradient(THETA)) < 1e-8
        pair = derivative(lambda t: np.stack((f(t), f(t) ** 2), axis=-1), THETA, v)
        assert pair.shape == (2, 4, 2)
        assert relative_error(pair[..., 1], 2 * f(THETA) * v @ gradient(THETA)) < 1e-8


def test_a_function_of_rows_is_called_for_all_of_them_at_once():
    shapes = []

    def counted(theta):
        shapes.append(theta.shape)
        return f(theta)

    complex_step(counted, THETA)
    assert shapes.count((4, 3)) == 1 and len(shapes) <= 5  # 4: the axes, and one to compare
    shapes.clear()
    central_difference(counted, THETA, np.eye(3))
    assert shapes.count((4, 3)) == 2 and len(shapes) == 4  # on either side


@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_one_difference_settles_it_though_it_is_rounded(offset):
    calls = []
    assert complex_step(lambda t: calls.append(1) or offset + t[0], THETA, V) == pytest.approx(0.6)
    assert len(calls) == 3  # the step, and a difference of two


def one_abs(t):
    return t[..., 0] ** 2 + abs(t[..., 1]) + t[..., 2]


LOSING = {
    "abs": lambda t: np.abs(t).sum(axis=-1),
    "a number": lambda t: 3.0,  # noqa: ARG005
    "norm": np.linalg.norm,
    "vdot": lambda t: np.vdot(t, t),
    "conj": lambda t: (t * t.conj()).sum(axis=-1),
    "real part": lambda t: t.real.sum(axis=-1) + 0j,
    "abs of one entry": one_abs,
    "abs of one entry, in an array": lambda t: np.stack((t[..., 0], abs(t[..., 1])), axis=-1),
    "norm times a complex number": lambda t: np.linalg.norm(t) * (1 + 0j),
    "largest modulus": lambda t: np.abs(t).max() + 0j,
}


@pytest.mark.parametrize("name", LOSING)
def test_complex_step_refuses_a_function_that_loses_the_imaginary_part(name):
    theta = np.array([3.0, -4.0, 1.0])
    for v in (None, np.eye(3), [0.0, -1.0, 0.5]):
        with pytest.raises(ValueError, match="f: expected a .* complex"):
            complex_step(LOSING[name], theta, v)


@pytest.mark.parametrize("share", [0.005, 1e-4])
def test_complex_step_sees_that_a_small_share_is_lost(share):
    with pytest.raises(ValueError, match="keeps complex numbers"):
        complex_step(lambda t: t[..., 0] + share * abs(t[..., 1]), [1.0, 1.0])


def test_complex_step_sees_what_is_lost_far_from_0():
    with pytest.raises(ValueError, match="keeps complex numbers"):
        complex_step(lambda t: t[..., 0] + 0.5 * abs(t[..., 1]), [1e9, 2e9])


def test_a_derivative_that_is_not_finite_is_returned():
    nans = complex_step(lambda t: np.stack((np.nan * t[..., 0], t[..., 0]), -1), [1.0], [1.0])
    assert np.array_equal(nans, [np.nan, 1], equal_nan=True)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_complex_step_sees_what_is_lost_at_any_scale(scale):
    with pytest.raises(ValueError, match="keeps complex numbers"):
        complex_step(lambda t: scale * one_abs(t), [3.0, -4.0, 1.0])


def test_complex_step_refuses_no_right_network_at_or_near_its_kinks():
    rng = np.random.default_rng(0)
    for _ in range(100):
        model = tm.MLP([1, *rng.integers(1, 6, rng.integers(1, 4)), 2])
        coarse = np.round(2 * model.init(rng)) / 2  # many units are exactly at 0
        x, y = np.array([[-1.0], [0.0], [1.0]]), rng.integers(-1, 2, (3, 2))
        for theta in (coarse, coarse + 1e-8 * rng.standard_normal(model.n_params)):
            got = complex_step(lambda t, m=model, y=y: m.loss(t, x, y), theta)
            assert relative_error(got, model.grad(theta, x, y)) <= 1e-9
            complex_step(
                lambda t, m=model, y=y: m.grad(t, x, y), theta, rng.choice([-1, 1], theta.size)
            )


def test_complex_step_refuses_no_right_function_that_is_hard_on_differences():
    for hard, derivative in (
        (lambda t: (1e12 + t[..., 0]) - 1e12, 1.0),  # rounded to multiples of 1e-4
        (lambda t: np.exp(1e4 * (t[..., 0] - 0.5)), 1e4),
        (lambda t: np.sin(1e6 * (t[..., 0] - 0.5)), 1e6),
        (lambda t: 1e9 + (t[..., 0] - 0.5) ** 2 * 1e-3, 0.0),
        (lambda t: np.sqrt(t[..., 0] - 0.5 + 1e-9), 0.5 / 1e-9**0.5),
    ):
        assert complex_step(hard, [0.5], [1.0]) == pytest.approx(derivative, rel=1e-6)


def test_complex_step_scales_its_direction():
    for size in (1e-300, 1.0, 1e25):
        got = complex_step(f, THETA, size * V)
        assert got == pytest.approx(size * (gradient(THETA) @ V), rel=1e-14)
    assert complex_step(f, THETA, np.zeros(3)) == 0
    sizes = np.array([1e290, 0, 1, 1e-300])
    mixed = complex_step(f, THETA, sizes[:, None] * V)
    assert mixed == pytest.approx(sizes * (gradient(THETA) @ V), rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_derivatives_are_taken_in_float64_whatever_the_dtype(dtype):
    theta, v = np.array([3, 4, 1]).astype(dtype), np.array([1, 0, 1]).astype(dtype)
    wide = theta.astype(float)
    assert complex_step(f, theta, v) == complex_step(f, wide, v.astype(float))
    assert np.array_equal(complex_step(f, theta), complex_step(f, wide))
    assert central_difference(f, theta, v) == central_difference(f, wide, v.astype(float))
    slopes = taylor_slopes(f, theta, 0.1 * v, gradient(wide).astype(np.float32).astype(float) * 0)
    assert slopes == pytest.approx(1, abs=0.1)


def test_central_differences_of_float32_parameters_prove_a_right_gradient():
    model, theta, batch = problem()
    x, y = batch.x_support[0], batch.y_support[0]
    theta = theta.astype(np.float32)
    got = central_difference(lambda t: model.loss(t, x, y), theta, np.eye(model.n_params))
    assert relative_error(got, model.grad(theta.astype(float), x, y)) < 1e-8


def test_what_is_no_direction_or_no_real_vector_is_named():
    for derivative in (complex_step, central_difference):
        for theta, v, words in (
            (THETA, V[:2], r"v: expected the shape of theta, \(3,\), after any .*; got \(2,\)"),
            (THETA, 1.0, "v: expected the shape of theta"),
            (THETA, np.ones((3, 1)), "v: expected the shape of theta"),
            (THETA, np.empty((0, 3)), "v: expected the shape of theta"),
            (THETA + 1j, V, "theta: expected real numbers"),
            (THETA, 1j * V, "v: expected real numbers"),
            ([1.0, np.nan, 1.0], V, "theta: expected finite"),
            (THETA, [0.0, np.inf, 0.0], "v: expected finite"),
        ):
            with pytest.raises(ValueError, match=words):
                derivative(f, theta, v)
    with pytest.raises(ValueError, match="h: expected a number above 0; got 0"):
        central_difference(f, THETA, V, 0)


def test_relative_error_neither_overflows_nor_underflows_nor_wraps_round():
    for got, want, error in (
        ([1e-200], [-1e-200], 2),
        ([5e-324], [-5e-324], 2),
        ([1.7e308] * 3, [-1.7e308] * 3, 2),
        ([1e200], [1e200], 0),
        ([1e200], [1.0], 1),
        ([1.0], [1e-200], 1),
        ([1e200, 1.0], [1e200, 2.0], 1e-200),
        (np.float32([1e-25]), np.float32([-1e-25]), 2),
        (np.uint8([1]), np.uint8([2]), 0.5),
        (np.int8([-100]), np.int8([100]), 2),
        ([True], [False], 1),
        ([1], [2.0], 0.5),
        ([1e300j], [-1e300j], 2),
        ([3 + 4j], [3 - 4j], 8 / 5),
        ([1j], [1.0], 2**0.5),
    ):
        assert relative_error(got, want) == pytest.approx(error, rel=1e-15)
        assert isinstance(relative_error(got, want), float)


def test_relative_error_of_numbers_that_are_not_finite_is_nan():
    for bad in (np.nan, np.inf, -np.inf, complex(0, np.nan)):
        for got, want in (([0.0, bad], [0.0, 0.0]), ([bad], [bad]), ([1.0], [bad])):
            assert np.isnan(relative_error(got, want)) and np.isnan(relative_error(want, got))


def test_relative_error_never_broadcasts():
    with pytest.raises(ValueError, match=r"expected the shape of want, \(3, 1\); got \(3,\)"):
        relative_error(np.ones(3), np.ones((3, 1)))


def test_cosine_is_that_of_the_angle():
    assert cosine([1.0, 0.0], [1.0, 1.0]) == pytest.approx(0.5**0.5)
    assert cosine([2.0, 0.0], [-3.0, 0.0]) == -1
    assert cosine([1.0, 0.1, 0.7], [1.0, 0.1, 0.7]) <= 1


def test_cosine_neither_overflows_nor_underflows():
    for a in (1e-300, 1e-20, 1.0, 1e300):
        for b in (5e-324, 1.0, 1.7e308):
            assert cosine([a, 0.0], [b, 0.0]) == 1
            assert cosine([a, 0.0], [-b, -b]) == pytest.approx(-(0.5**0.5))
    assert cosine(np.uint8([200, 200]), np.uint8([200, 200])) == pytest.approx(1)
    assert cosine(np.float32([1e-30, 0]), np.float32([1e-30, 0])) == 1
    assert cosine([1j], [-1j]) == -1


def test_cosine_of_what_has_no_direction_is_nan():
    for bad in ([0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]):
        assert np.isnan(cosine(bad, [1.0, 1.0])) and np.isnan(cosine([1.0, 1.0], bad))
    with pytest.raises(ValueError, match=r"a: expected the shape of b, \(2,\); got \(1, 2\)"):
        cosine([[1.0, 2.0]], [1.0, 2.0])


def test_block_errors_show_which_block_is_wrong_and_by_how_much():
    model, theta, _ = problem(sizes=(2, 5, 1))
    wrong = theta.copy()
    model.unpack(wrong)[0][1][...] *= 2
    assert block_errors(model, wrong, theta) == {"W1": 0, "b1": 0.5, "W2": 0, "b2": 0}
    assert block_errors(model, wrong.tolist(), theta.tolist())["b1"] == 0.5
    model.unpack(wrong)[0][1][...] = np.nan
    errors = block_errors(model, wrong, theta)
    assert np.isnan(errors.pop("b1")) and set(errors.values()) == {0}
    tiny = block_errors(model, 1e-200 * theta, -1e-200 * theta)
    assert list(tiny.values()) == pytest.approx([2] * 4)


def test_block_errors_take_two_vectors_of_the_model():
    model, theta, _ = problem(sizes=(2, 5, 1))
    for got, want in ((theta[:-1], theta[:-1]), (theta, theta[None]), (np.append(theta, 0),) * 2):
        with pytest.raises(ValueError, match=r"got: expected the shape of want, and \(..., 21\)"):
            block_errors(model, got, want)


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


def test_taylor_slopes_are_nan_where_the_remainder_is_rounding():
    """A linear function has no remainder, and a quadratic one none beside its Hessian."""
    rng = np.random.default_rng(0)
    a, theta, v = rng.standard_normal((3, 20))
    A = rng.standard_normal((20, 20))
    assert np.isnan(taylor_slopes(lambda t: a @ t + 3, theta, v, a)).all()
    assert np.isnan(taylor_slopes(lambda t: 0.0, theta, v, 0 * a)).all()  # noqa: ARG005

    def quadratic(t):
        return t @ A @ t

    grad, product = (A + A.T) @ theta, (A + A.T) @ v
    assert np.isnan(taylor_slopes(quadratic, theta, v, grad, product)).all()
    assert taylor_slopes(quadratic, theta, v, grad) == pytest.approx(2, abs=0.01)
    late = taylor_slopes(f, THETA, V, gradient(THETA), hessian_v(THETA, V), halvings=30)
    assert late[:6] == pytest.approx(3, abs=0.02) and np.isnan(late[12:]).all()


def test_taylor_slopes_name_a_derivative_of_another_shape():
    for name in ("grad", "hessian_v"):
        with pytest.raises(
            ValueError, match=rf"{name}: expected theta's shape, \(3,\); got \(1,\)"
        ):
            taylor_slopes(f, THETA, V, **{name: [1.0]})
    with pytest.raises(ValueError, match="halvings: expected a whole number of at least 1"):
        taylor_slopes(f, THETA, V, halvings=0)


def dense_eigenvalues(model, theta, x, y):
    return np.linalg.eigvalsh(model.hvp(theta, x, y, np.eye(model.n_params)))


def test_the_largest_eigenvalue_is_not_the_largest_in_modulus():
    model, x, y = tm.MLP([1, 1, 1], "tanh"), [[1.0], [-1.0]], [[10.0], [-10.0]]
    assert dense_eigenvalues(model, np.zeros(4), x, y) == pytest.approx([-20, 0, 2, 20])
    for seed in range(10):
        got = largest_eigenvalue(model, np.zeros(4), x, y, np.random.default_rng(seed))
        assert got == pytest.approx(20, rel=1e-12)


def test_the_largest_eigenvalue_of_random_networks_is_found_in_twenty_products():
    rng, worst = np.random.default_rng(0), 0.0
    for _ in range(100):
        model = tm.MLP([1, *rng.integers(2, 12, rng.integers(1, 3)), 1], "tanh")
        theta = rng.uniform(0.5, 3) * model.init(rng)
        x = rng.uniform(-5, 5, (10, 1))
        y = rng.uniform(0.1, 5) * np.sin(x + rng.uniform(0, 3))
        want = dense_eigenvalues(model, theta, x, y)[-1]
        got, residual = largest_eigenvalue(model, theta, x, y, rng, return_residual=True)
        assert got <= want * (1 + 1e-12) and want - got <= residual + 1e-12 * want
        worst = max(worst, 1 - got / want)
    assert worst < 1e-3


def test_the_residual_is_that_of_the_vector_found_and_shows_what_has_not_converged():
    model, theta, batch = problem(sizes=(2, 9, 2), tasks=3)
    points, rng = batch[:2], np.random.default_rng
    for x, y in zip(*points):
        exact = dense_eigenvalues(model, theta, x, y)
        for n in (1, 2, 4):
            got, residual = largest_eigenvalue(model, theta, x, y, rng(0), n, return_residual=True)
            assert abs(exact - got).min() <= residual and residual > 1e-3
        v = rng(0).standard_normal(model.n_params)
        v /= np.linalg.norm(v)
        got, residual = largest_eigenvalue(model, theta, x, y, rng(0), 1, return_residual=True)
        Hv = model.hvp(theta, x, y, v)
        assert got == pytest.approx(v @ Hv) and residual == pytest.approx(
            np.linalg.norm(Hv - (v @ Hv) * v)
        )
    v = rng(0).standard_normal((3, model.n_params))  # of each task
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    Hv = model.hvp(theta, *points, v)
    along = np.sum(v * Hv, axis=-1)
    got, residual = largest_eigenvalue(model, theta, *points, rng(0), 1, return_residual=True)
    assert got == pytest.approx(along)
    assert residual == pytest.approx(np.linalg.norm(Hv - along[:, None] * v, axis=-1))
    got, residual = largest_eigenvalue(model, theta, *points, rng(0), 40, return_residual=True)
    assert got.shape == residual.shape == (3,) and (residual < 1e-9 * got).all()


def test_the_largest_eigenvalue_of_a_hessian_that_is_zero_or_negative():
    zero = tm.MLP([1, 3, 1])  # all its units are dead but the output's bias, which has 2
    assert largest_eigenvalue(
        zero, np.full(10, -1.0), [[0.0]], [[-1.0]], np.random.default_rng(0)
    ) == pytest.approx(2)
    flat = types.SimpleNamespace(
        n_params=3, sizes=(1, 1), criterion="mse", hvp=lambda theta, x, y, v: 0 * v
    )
    arguments = np.zeros(3), [[0.0]], [[0.0]], np.random.default_rng(0)
    assert largest_eigenvalue(flat, *arguments, return_residual=True) == (0, 0)
    flat.hvp = lambda theta, x, y, v: -3 * v  # leads nowhere new, and 0 is no eigenvalue
    assert largest_eigenvalue(flat, *arguments) == pytest.approx(-3)
    flat.hvp = lambda theta, x, y, v: np.array([-1.0, -2.0, -2.0]) * v
    assert largest_eigenvalue(flat, *arguments) == pytest.approx(-1)


def test_a_large_negative_eigenvalue_does_not_hide_the_positive_ones():
    """The products that lead from one positive eigenvalue to the next are then small beside the
    first, and no rounding all the same."""
    eigenvalues = np.array([-1000.0, *np.linspace(0, 1, 99)])
    wide = types.SimpleNamespace(
        n_params=100, sizes=(1, 1), criterion="mse", hvp=lambda theta, x, y, v: eigenvalues * v
    )
    small = types.SimpleNamespace(**vars(wide))
    small.hvp = lambda theta, x, y, v: 1e-15 * wide.hvp(theta, x, y, v)
    for seed in range(5):
        arguments = np.zeros(100), [[0.0]], [[0.0]]
        got = largest_eigenvalue(wide, *arguments, np.random.default_rng(seed))
        assert 0.97 < got <= 1
        got = largest_eigenvalue(small, *arguments, np.random.default_rng(seed))
        assert 0.97e-15 < got <= 1e-15


def test_largest_eigenvalues_are_float64_and_those_of_each_theta():
    model, theta, batch = problem(replicas=(2,), tasks=3)
    x, y = batch.x_support, batch.y_support
    got = largest_eigenvalue(model, theta[:, None], x, y, np.random.default_rng(0), 40)
    for s, t in np.ndindex(2, 3):
        assert got[s, t] == pytest.approx(dense_eigenvalues(model, theta[s], x[t], y[t])[-1])
    narrow = theta.astype(np.float32)[:, None]
    single = largest_eigenvalue(model, narrow, x, y, np.random.default_rng(0), 40)
    assert single.dtype == np.float64 and relative_error(single, got) < 1e-5


def test_largest_eigenvalue_takes_no_more_products_than_asked_for():
    model, theta, batch = problem()
    products, hvp = [], model.hvp
    model.hvp = lambda *arguments: products.append(1) or hvp(*arguments)
    largest_eigenvalue(
        model, theta, batch.x_support[0], batch.y_support[0], np.random.default_rng(0)
    )
    assert len(products) == 20
    largest_eigenvalue(
        model, theta, batch.x_support[0], batch.y_support[0], np.random.default_rng(0), 1000
    )
    assert len(products) == 20 + model.n_params


def test_the_examples_in_the_docstrings_run():
    assert doctest.testmod(checks).failed == 0 < doctest.testmod(checks).attempted


def test_the_largest_eigenvalue_is_that_of_the_dense_hessian():
    model, theta, batch = problem(sizes=(2, 4, 2), tasks=3)
    dense = [
        model.hvp(theta, x, y, np.eye(model.n_params))
        for x, y in zip(batch.x_support, batch.y_support)
    ]
    eigenvalues = np.linalg.eigvalsh(dense)
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
