"""The two losses, on a model whose outputs are its inputs, so that a test chooses the outputs."""

import numpy as np
import pytest
from helpers import EXACT
from hypothesis import given
from hypothesis import strategies as st

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.losses import LOSSES


def echo(d, criterion):
    """Return a model and a theta for which predict(theta, x) is x. The gradient with respect to b
    is then that with respect to the outputs, summed over the points."""
    model = tm.MLP([d, d], criterion=criterion)
    return model, np.concatenate((np.eye(d).ravel(), np.zeros(d)))


def test_the_outputs_of_echo_are_its_inputs():
    model, theta = echo(3, "mse")
    x = np.arange(12.0).reshape(2, 2, 3)
    assert np.array_equal(model.predict(theta, x), x)


def test_mse_is_the_mean_over_points_and_outputs():
    model, theta = echo(2, "mse")
    out, y = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[0.0, 2.0], [1.0, 4.0], [5.0, 5.0]]
    assert model.loss(theta, out, y) == (1 + 4 + 1) / 6
    assert model.grad(theta, out, y)[-2:] == pytest.approx([2 * (1 + 2) / 6, 2 * 1 / 6])


def test_cross_entropy_of_equal_outputs_is_the_logarithm_of_the_number_of_classes():
    model, theta = echo(5, "cross_entropy")
    assert model.loss(theta, np.full((3, 5), 7.0), np.eye(5)[:3]) == pytest.approx(
        np.log(5), rel=1e-14
    )


def test_cross_entropy_gradient_is_the_mean_of_softmax_minus_y():
    model, theta = echo(3, "cross_entropy")
    out, y = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]), np.eye(3)[[2, 0]]
    p = np.array([[1, 2, 5], [2, 2, 4]]) / 8
    assert model.loss(theta, out, y) == pytest.approx((np.log(8 / 5) + np.log(4)) / 2)
    assert model.grad(theta, out, y)[-3:] == pytest.approx((p - y).sum(axis=0) / 2)


def test_adding_a_constant_to_all_outputs_does_not_change_cross_entropy():
    model, theta = echo(3, "cross_entropy")
    out, y = np.array([[1.0, 2.0, 5.0]]), np.eye(3)[[1]]
    assert model.loss(theta, out + 3, y) == pytest.approx(model.loss(theta, out, y), rel=1e-14)


def test_cross_entropy_of_large_outputs_does_not_overflow():
    model, theta = echo(3, "cross_entropy")
    out = np.array([[1000.0, -1000.0, 0.0]])
    for label, loss in ((0, 0.0), (1, 2000.0), (2, 1000.0)):
        y = np.eye(3)[[label]]
        assert model.loss(theta, out, y) == loss
        assert model.grad(theta, out, y)[-3:].tolist() == [1 - y[0, 0], -y[0, 1], -y[0, 2]]
        assert not model.hvp(theta, out, y, theta)[-3:].any()


# Outputs of at most a few units: where softmax is 1 - 1e-10, 1 - p has only six correct digits
@pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
@given(
    d=st.integers(2, 5),
    n=st.integers(1, 5),
    scale=st.sampled_from([0.01, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_both_derivatives_of_a_loss_agree_with_the_complex_step(criterion, d, n, scale, seed):
    model, theta = echo(d, criterion)
    rng = np.random.default_rng(seed)
    out, y, v = (
        scale * rng.standard_normal((n, d)),
        np.eye(d)[rng.integers(d, size=n)],
        rng.standard_normal(model.n_params),
    )
    assert (
        relative_error(
            model.grad(theta, out, y), complex_step(lambda t: model.loss(t, out, y), theta)
        )
        <= EXACT
    )
    assert (
        relative_error(
            model.hvp(theta, out, y, v), complex_step(lambda t: model.grad(t, out, y), theta, v)
        )
        <= EXACT
    )


@pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
def test_repeating_every_point_changes_nothing(criterion):
    model, theta = echo(3, criterion)
    rng = np.random.default_rng(0)
    out, y, v = (
        rng.standard_normal((4, 3)),
        np.eye(3)[[0, 2, 1, 1]],
        rng.standard_normal(model.n_params),
    )
    twice = np.tile(out, (2, 1)), np.tile(y, (2, 1))
    for once, again in (
        (model.loss(theta, out, y), model.loss(theta, *twice)),
        (model.grad(theta, out, y), model.grad(theta, *twice)),
        (model.hvp(theta, out, y, v), model.hvp(theta, *twice, v)),
    ):
        assert relative_error(again, once) < 1e-14


def test_the_criterion_chooses_the_loss_and_mse_is_the_default():
    out, y = np.array([[0.5, 0.25]]), np.array([[1.0, 0.0]])
    assert tm.MLP([2, 2]).criterion == "mse"
    for criterion, loss in (
        ("mse", (0.25 + 0.0625) / 2),
        ("cross_entropy", np.log(1 + np.exp(-0.25))),
    ):
        model, theta = echo(2, criterion)
        assert model.loss(theta, out, y) == pytest.approx(loss)


def test_softmax_is_accurate_for_rows_of_very_different_size():
    out, y = np.array([[0.0, 1.0], [1000.0, 1001.0]]), np.eye(2)
    # softmax does not change when a constant is added to a row
    want = (1 / (1 + np.exp([[1.0, -1.0]])) - y) / 2
    for got in (
        LOSSES["cross_entropy"].grad(out, y),
        LOSSES["cross_entropy"].grad(out - 2000, y),
    ):
        assert relative_error(got, want) <= 1e-12
