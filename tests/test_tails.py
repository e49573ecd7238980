"""Derivatives where a unit is saturated or a classifier is sure: small numbers, all digits right.

The right values are computed with fractions of Python integers (decimal, 400 digits)."""

import warnings
from decimal import Decimal, getcontext

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.losses import LOSSES
from tinymeta.mlp import ACTIVATIONS

getcontext().prec = 400
CE = LOSSES["cross_entropy"]


def exact(name, z):
    """Return f, f' and f'' of an activation at the float z, as floats, from 400 digits."""
    z = Decimal(float(z))
    e, one = (-z).exp(), Decimal(1)
    sigmoid = one / (one + e)
    if name == "sigmoid":
        slope = sigmoid * sigmoid * e
        values = sigmoid, slope, slope * (e - one) / (e + one)
    elif name == "softplus":
        values = (one + z.exp()).ln(), sigmoid, sigmoid * sigmoid * e
    else:
        e2 = (-2 * z).exp()
        tanh, slope = (one - e2) / (one + e2), 4 * e2 / (one + e2) ** 2
        values = tanh, slope, -2 * tanh * slope
    return [float(value) for value in values]


FAR = [-300.0, -45.5, -20.0, -1.0, -1e-3, 1e-3, 0.5, 9.2, 20.0, 88.0, 300.0]


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
@pytest.mark.parametrize("z", FAR)
def test_an_activation_and_its_two_derivatives_keep_their_digits(name, z):
    for function, right in zip(ACTIVATIONS[name], exact(name, z)):
        assert float(function(np.array([z]))[0]) == pytest.approx(right, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus"])
@pytest.mark.parametrize("z", [-40.0, -9.2, -0.5, 0.01, 3.0, 9.2, 40.0])
def test_in_float32_too(name, z):
    for function, right in zip(ACTIVATIONS[name], exact(name, np.float32(z))):
        got = function(np.array([z], np.float32))
        assert got.dtype == np.float32
        assert float(got[0]) == pytest.approx(right, rel=1e-5, abs=1e-37)


def test_the_weight_of_a_saturated_tanh_unit_still_has_a_gradient():
    """With loss (tanh(20) - 0)^2: dW1 = 2 tanh(20) / cosh(20)^2."""
    model = tm.MLP([1, 1, 1], "tanh")
    gradient = model.grad([20.0, 0.0, 1.0, 0.0], [[1.0]], [[0.0]])
    assert gradient[0] == pytest.approx(2 * np.tanh(20) / np.cosh(20) ** 2, rel=1e-12)
    single = model.grad(np.array([9.2, 0, 1, 0], np.float32), [[1.0]], [[0.0]])
    assert single.dtype == np.float32 and single[0] == pytest.approx(8.167e-08, rel=1e-3)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus"])
@pytest.mark.parametrize("weight", [0.3, 5.0, 30.0])
def test_a_hessian_vector_product_in_the_tails_is_the_complex_step_of_the_gradient(
    activation, weight
):
    model, rng = tm.MLP([2, 3, 2, 2], activation), np.random.default_rng(0)
    theta = weight * rng.standard_normal(model.n_params)
    x, y, v = (
        rng.standard_normal((4, 2)),
        rng.standard_normal((4, 2)),
        rng.standard_normal(theta.size),
    )
    truth = complex_step(lambda t: model.grad(t, x, y), theta, v)
    assert relative_error(model.hvp(theta, x, y, v), truth) <= 1e-10


# Classifiers


def exact_cross_entropy(outputs, label):
    """Return loss, gradient and p of one point with finite outputs, from 400 digits."""
    z = [Decimal(float(output)) for output in outputs]
    e = [(value - z[label]).exp() for value in z]
    total = sum(e)
    p = [value / total for value in e]
    others = sum(value for i, value in enumerate(p) if i != label)
    loss = (Decimal(1) + sum(v for i, v in enumerate(e) if i != label)).ln()
    return float(loss), [float(-others if i == label else v) for i, v in enumerate(p)]


SURE = [
    ([40.0, 0.0], 0),
    ([0.0, 40.0], 0),
    ([300.0, 1.0, -5.0], 0),
    ([-3.0, 700.0, 650.0], 1),
    ([1.0, 1.0, 1.0], 2),
    ([0.5, -0.25, 30.0], 1),
]


@pytest.mark.parametrize("outputs, label", SURE)
def test_loss_and_gradient_of_a_sure_classifier_keep_their_digits(outputs, label):
    loss, gradient = exact_cross_entropy(outputs, label)
    z, y = np.array([outputs]), np.eye(len(outputs))[[label]]
    assert float(CE.value(z, y)) == pytest.approx(loss, rel=1e-12)
    assert CE.grad(z, y)[0].tolist() == pytest.approx(gradient, rel=1e-12)
    assert CE.value(z.astype(np.float32), y.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("outputs, label", SURE)
def test_the_second_derivative_of_a_sure_classifier_keeps_its_digits(outputs, label):
    """Of p (R - sum p R), by exact sums over pairs: p_i sum_j p_j (R_i - R_j)."""
    R = [0.3, -1.7, 0.9][: len(outputs)]
    z = [Decimal(float(output)) for output in outputs]
    e = [(value - max(z)).exp() for value in z]
    p = [value / sum(e) for value in e]
    D = [Decimal(r) for r in R]
    right = [float(p[i] * sum(p[j] * (D[i] - D[j]) for j in range(len(p)))) for i in range(len(p))]
    got = CE.hvp(np.array([outputs]), np.eye(len(outputs))[[label]], np.array([R]))[0]
    assert got.tolist() == pytest.approx(right, rel=1e-12)


def test_a_network_reports_the_same_small_loss_and_gradient():
    model = tm.MLP([1, 2], "relu", "cross_entropy")
    theta = [40.0, 0.0, 0.0, 0.0]
    assert model.loss(theta, [[1.0]], [[1.0, 0.0]]) == pytest.approx(4.248354e-18, rel=1e-6)
    gradient = model.grad(theta, [[1.0]], [[1.0, 0.0]])
    assert gradient.tolist() == pytest.approx([-4.248354e-18, 4.248354e-18] * 2, rel=1e-6)


@pytest.mark.parametrize("outputs, label, loss", [([1e308, -1e308], 0, 0.0), ([1e5, 0], 1, 1e5)])
def test_outputs_as_far_apart_as_can_be_give_a_loss_that_is_no_nan(outputs, label, loss):
    assert CE.value(np.array([outputs]), np.eye(2)[[label]]) == loss
    assert np.isfinite(CE.grad(np.array([outputs]), np.eye(2)[[label]])).all()


def test_a_loss_that_no_float_can_hold_is_not_finite():
    assert not np.isfinite(CE.value(np.array([[1e308, -1e308]]), np.eye(2)[[1]]))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("criterion", LOSSES)
def test_nothing_is_raised_where_numpy_is_told_to_raise(activation, criterion):
    """np.seterr(all="raise") with outputs 800 apart and units at 800."""
    model = tm.MLP([1, 2, 2], activation, criterion)
    theta = np.array([800.0, -800.0, 0.0, 0.0, 1.0, -1.0, -1.0, 1.0, 0.0, 0.0])
    y = [[1.0, 0.0, 0.5][: 2 + model.loss_fn.columns]]
    with np.errstate(all="raise"):
        assert np.isfinite(model.loss(theta, [[1.0]], y))
        assert np.isfinite(model.grad(theta, [[1.0]], y)).all()
        assert np.isfinite(model.hvp(theta, [[1.0]], y, np.ones(10))).all()


def test_no_warning_comes_from_units_that_are_far_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for activation, dtype in [
            ("tanh", np.float32),
            ("sigmoid", np.float64),
            ("softplus", float),
        ]:
            model = tm.MLP([1, 1, 1], activation)
            model.grad(np.array([2000.0, 0, 1, 0], dtype), [[1.0]], [[0.0]])


def test_relu_of_minus_infinity_is_zero_and_of_nan_is_nan():
    """A nan that became 0 would hide a divergence."""
    for dtype in (np.float32, np.float64, np.complex128):
        got = ACTIVATIONS["relu"].value(np.array([-np.inf, np.nan, -1, 0, 2], dtype))
        assert got[[0, 2, 3, 4]].tolist() == [0, 0, 0, 2] and np.isnan(got[1])


def test_one_output_cannot_be_a_class():
    with pytest.raises(ValueError, match="sizes: expected at least two outputs for cross_entropy"):
        tm.MLP([2, 8, 1], criterion="cross_entropy")


def random_problem(n):
    """Return a network of random structure, with weights up to 30, and some points."""
    rng = np.random.default_rng([5, n])
    activation = [*ACTIVATIONS][n % len(ACTIVATIONS)]
    criterion = [*LOSSES][n // len(ACTIVATIONS) % len(LOSSES)]
    hidden = rng.integers(1, 5, rng.integers(0, 4)).tolist()
    model = tm.MLP([rng.integers(1, 4), *hidden, rng.integers(2, 4)], activation, criterion)
    size = 10 ** rng.uniform(-1, np.log10(30))
    theta, v = rng.uniform(-size, size, model.n_params), rng.standard_normal(model.n_params)
    x = rng.standard_normal((rng.integers(1, 6), model.sizes[0]))
    y = rng.standard_normal((len(x), model.sizes[-1]))
    if criterion.endswith("cross_entropy"):
        y = np.eye(model.sizes[-1])[y.argmax(axis=-1)]
    if model.loss_fn.columns:
        y = np.column_stack((y, rng.standard_normal(len(x))))
    return model, theta, x, y, v


@pytest.mark.parametrize(
    "numbers", [range(400), pytest.param(range(400, 2000), marks=pytest.mark.slow)]
)
def test_gradient_and_product_of_random_problems_are_the_complex_steps(numbers):
    for n in numbers:
        model, theta, x, y, v = random_problem(n)
        gradient = complex_step(lambda t: model.loss(t, x, y), theta)
        product = complex_step(lambda t: model.grad(t, x, y), theta, v)
        assert relative_error(model.grad(theta, x, y), gradient) <= 1e-10, n
        assert relative_error(model.hvp(theta, x, y, v), product) <= 1e-10, n
