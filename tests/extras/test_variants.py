"""The variants' meta-gradients are proven as MAML's is, and wrong ones are rejected."""

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.extras import variants

ALPHA = 0.1


def problem(activation="tanh", criterion="mse"):
    rng = np.random.default_rng(0)
    model = tm.MLP([2, 5, 4, 2], activation, criterion)

    def labels():
        y = rng.standard_normal((3, 6, 2))
        return y if criterion == "mse" else np.eye(2)[rng.integers(0, 2, (3, 6))]

    batch = tm.TaskBatch(
        rng.standard_normal((3, 6, 2)), labels(), rng.standard_normal((3, 6, 2)), labels()
    )
    return model, model.init(rng), batch, rng


def learned_problem(*kind):
    model, theta, batch, rng = problem(*kind)
    learned = variants.MetaSGDModel(model)
    # learned rates may be negative
    phi = learned.join(theta, rng.uniform(-ALPHA / 2, ALPHA, theta.shape))

    def loss(phi, inner_steps):
        theta, rates = learned.split(phi)
        return tm.meta_loss(model, theta, batch, rates, inner_steps)

    return learned, phi, batch, loss


@pytest.mark.parametrize("inner_steps", [0, 1, 2, 5])
@pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_meta_sgd_is_the_gradient_in_theta_and_in_the_rates(activation, criterion, inner_steps):
    learned, phi, batch, loss = learned_problem(activation, criterion)
    value, grad = variants.meta_sgd_grad(learned, phi, batch, 0.0, inner_steps)
    proof = complex_step(lambda p: loss(p, inner_steps), phi)
    for got, want in zip(learned.split(grad), learned.split(proof)):
        assert relative_error(got, want) <= 1e-9
    assert value == pytest.approx(loss(phi, inner_steps), rel=1e-12)


def test_meta_sgd_with_equal_rates_is_maml():
    model, theta, batch, _ = problem()
    learned = variants.MetaSGDModel(model)
    grad = variants.meta_sgd_grad(learned, learned.join(theta, ALPHA), batch, 0.0, 2)[1]
    assert (
        relative_error(learned.split(grad)[0], tm.maml_grad(model, theta, batch, ALPHA, 2)[1])
        <= 1e-12
    )


def test_a_rates_gradient_of_another_sign_or_taken_one_step_early_is_rejected():
    learned, phi, batch, loss = learned_problem()
    model, (theta, rates) = learned.model, learned.split(phi)
    proof = learned.split(complex_step(lambda p: loss(p, 1), phi))[1]
    right = learned.split(variants.meta_sgd_grad(learned, phi, batch, 0.0, 1)[1])[1]
    g = model.grad(theta, batch.x_support, batch.y_support)
    # v_0 for v_1
    early = [
        tm.maml_grad(model, theta, tm.TaskBatch(*(a[[t]] for a in batch)), rates, 1)[1]
        for t in range(3)
    ]
    early = -np.mean(np.stack(early) * g, axis=0)
    assert relative_error(right, proof) <= 1e-9
    assert relative_error(-right, proof) > 0.1 and relative_error(early, proof) > 0.01


def test_replicas_learn_rates_of_their_own():
    learned, phi, batch, _ = learned_problem()
    both = np.stack((phi, 2 * phi))
    loss, grad = variants.meta_sgd_grad(learned, both, batch, 0.0, 2)
    for s in range(2):
        alone = variants.meta_sgd_grad(learned, both[s], batch, 0.0, 2)
        assert relative_error(grad[s], alone[1]) <= 1e-12 and loss[s] == pytest.approx(
            alone[0], rel=1e-12
        )


def test_learned_rates_train_stay_float32_and_above_their_floor():
    model = tm.MLP([1, 8, 1])
    learned, rng = variants.MetaSGDModel(model), np.random.default_rng(0)
    start = learned.join(np.stack([model.init(rng, np.float32)] * 2), 0.001)
    optimizer = variants.AdamWithRates(learned, rates_lr=0.01, least=0.0)
    phi, _ = tm.meta_train(
        variants.meta_sgd_grad,
        learned,
        start,
        tm.SineTasks(),
        rng=rng,
        iterations=20,
        meta_batch_size=3,
        shots=5,
        inner_lr=0.0,
        optimizer=optimizer,
    )
    rates = learned.split(phi)[1]
    assert phi.dtype == np.float32 and phi.shape == start.shape
    assert rates.min() == 0 and rates.max() > 0.001


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_rate_of_zero_freezes_its_part_alone(part):
    model, theta, batch, _ = problem()
    rates = variants.rates_by_part(model, **{"body": 0.0, "head": 0.0, part: ALPHA})
    moved = tm.adapt(model, theta, batch.x_support, batch.y_support, rates, 2) - theta
    for layer, (W, b) in enumerate(model.unpack(moved)):
        assert (W != 0).any() == (b != 0).any() == ((layer == 2) == (part == "head"))
    proof = complex_step(lambda t: tm.meta_loss(model, t, batch, rates, 2), theta)
    assert relative_error(tm.maml_grad(model, theta, batch, rates, 2)[1], proof) <= 1e-9


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_losses_on_the_way_add_up(activation):
    model, theta, batch, _ = problem(activation)
    weights = [0.2, 0.5, 0.3]

    def loss(t):
        return sum(
            w * tm.meta_loss(model, t, batch, ALPHA, s) for s, w in enumerate(weights, start=1)
        )

    proof = complex_step(loss, theta)
    value, grad = variants.multi_step_grad(weights)(model, theta, batch, ALPHA, 3)
    assert relative_error(grad, proof) <= 1e-9
    assert value == pytest.approx(tm.meta_loss(model, theta, batch, ALPHA, 3), rel=1e-12)
    assert (
        relative_error(
            variants.multi_step_grad(weights[::-1])(model, theta, batch, ALPHA, 3)[1], proof
        )
        > 1e-3
    )
    assert relative_error(tm.maml_grad(model, theta, batch, ALPHA, 3)[1], proof) > 1e-3


def test_the_last_loss_alone_is_maml():
    model, theta, batch, _ = problem()
    alone = variants.multi_step_grad([0, 0, 1])(model, theta, batch, ALPHA, 3)[1]
    assert relative_error(alone, tm.maml_grad(model, theta, batch, ALPHA, 3)[1]) <= 1e-12


def test_as_many_weights_as_inner_steps():
    model, theta, batch, _ = problem()
    with pytest.raises(
        ValueError, match="inner_steps: expected 3, as there are as many weights; got 2"
    ):
        variants.multi_step_grad([1, 1, 1])(model, theta, batch, ALPHA, 2)


def test_the_implicit_gradient_is_that_of_the_minimum():
    model, theta, batch, _ = problem()
    lam, rate, steps = 5.0, 0.1, 300

    def loss(t):
        t = t[..., None, :]
        phi = t
        for _ in range(steps):
            phi = phi - rate * (model.grad(phi, batch.x_support, batch.y_support) + lam * (phi - t))
        return model.loss(phi, batch.x_query, batch.y_query).mean(axis=-1)

    proof = complex_step(loss, theta)
    value, grad = variants.imaml_grad(lam, 40)(model, theta, batch, rate, steps)
    assert relative_error(grad, proof) <= 1e-8 and value == pytest.approx(loss(theta), rel=1e-12)
    unsolved = variants.imaml_grad(lam, 1)(model, theta, batch, rate, steps)[1]
    other_lam = variants.imaml_grad(2 * lam, 40)(model, theta, batch, rate, steps)[1]
    assert relative_error(unsolved, proof) > 1e-3 and relative_error(other_lam, proof) > 1e-3


def test_conjugate_gradients_solve_in_as_many_steps_as_unknowns_and_stop_where_solved():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((2, 5, 5))
    A = A @ A.swapaxes(-1, -2) + np.eye(5)
    b = rng.standard_normal((2, 5))
    b[1] = 0.0  # solved from the start
    x = variants.conjugate_gradients(lambda v: np.einsum("tij,tj->ti", A, v), b, 12)
    assert relative_error(np.einsum("tij,tj->ti", A, x), b) <= 1e-10 and not x[1].any()
