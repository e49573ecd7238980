"""The variants' meta-gradients are proven as MAML's is, and wrong ones are rejected."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from helpers import pairwise

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.extras import variants
from tinymeta.extras.autopsy import leaked
from tinymeta.extras.storage import load_init, save_init

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


@pytest.mark.parametrize(
    "activation, criterion, inner_steps",
    pairwise(["relu", "tanh"], ["mse", "cross_entropy"], [0, 1, 2, 5]),
)
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
    first_order = variants.first_order_meta_sgd_grad(learned, both, batch, inner_steps=2)[1]
    for s in range(2):
        alone = variants.first_order_meta_sgd_grad(learned, both[s], batch, inner_steps=2)[1]
        assert relative_error(first_order[s], alone) <= 1e-12


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
    lam, rate, steps = 5.0, 0.1, 40

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


# Objects that cross a process, or are copied

MADE = {
    "imaml": variants.imaml_grad(2.0),
    "multi-step": variants.multi_step_grad([0.5, 0.5]),
    "all points": variants.on_all_points(tm.reptile_grad),
    "leaked": leaked(tm.maml_grad),
    "leaked imaml on all points": leaked(variants.on_all_points(variants.imaml_grad(2.0))),
}


@pytest.mark.parametrize("copied", [lambda f: pickle.loads(pickle.dumps(f)), copy.deepcopy])
@pytest.mark.parametrize("name", MADE)
def test_a_meta_gradient_made_by_a_function_is_pickled_and_copied(name, copied):
    model, theta, batch, _ = problem()
    got = copied(MADE[name])(model, theta, batch, ALPHA, inner_steps=2)[1]
    assert np.array_equal(got, MADE[name](model, theta, batch, ALPHA, inner_steps=2)[1])


def test_a_model_with_rates_is_pickled_and_equal_to_its_copy():
    learned = variants.MetaSGDModel(tm.MLP([1, 3, 1]))
    again = pickle.loads(pickle.dumps(learned))
    assert again == learned and hash(again) == hash(learned)
    assert learned != variants.MetaSGDModel(tm.MLP([1, 4, 1])) and learned != learned.model
    assert repr(learned) == f"MetaSGDModel({learned.model!r})"


# iMAML


@pytest.mark.parametrize("lam", [0.0, -1.0, "1", True, np.nan, np.inf, None, [1.0]])
def test_a_proximal_strength_that_is_not_positive_and_finite_is_refused(lam):
    with pytest.raises(ValueError, match="lam: expected a finite number above 0; got"):
        variants.imaml_grad(lam)


@pytest.mark.parametrize("cg_steps", [0, 0.0, -1, -1.0, 2.0, "1", True, None])
def test_steps_of_conjugate_gradients_that_are_not_a_positive_whole_number_are_refused(cg_steps):
    with pytest.raises(ValueError, match="cg_steps: expected a whole number of at least 1; got"):
        variants.imaml_grad(1.0, cg_steps)


def indefinite(v):
    return np.array([-3.0, 1.0, 1.0]) * v


def test_negative_curvature_is_said_whichever_step_finds_it():
    for b in ([1.0, 0.1, 0.1], [0.1, 1.0, 1.0]):
        with pytest.warns(
            variants.NegativeCurvature, match="1 of 1 systems are not positive def"
        ) as said:
            variants.conjugate_gradients(indefinite, np.array(b), 3)
        assert [warning.filename for warning in said] == [__file__]  # where it was called
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(variants.NegativeCurvature):
                variants.conjugate_gradients(indefinite, np.array(b), 3, "raise")
    b = np.array([1.0, 0.1, 0.1])
    assert not variants.conjugate_gradients(indefinite, b, 3, "stop").any()
    with pytest.raises(ValueError, match="indefinite: expected one of 'warn', 'raise', 'stop'"):
        variants.imaml_grad(1.0, indefinite="ignore")


def test_beside_an_indefinite_system_the_others_are_solved():
    D = np.array([[-3.0, 1.0, 1.0], [3.0, 1.0, 2.0]])
    b = np.array([[1.0, 0.1, 0.1], [1.0, 0.1, 0.1]])
    with pytest.warns(variants.NegativeCurvature, match="1 of 2 systems"):
        x = variants.conjugate_gradients(lambda v: D * v, b, 3)
    assert relative_error(x[1], b[1] / D[1]) <= 1e-12
    # what was found before the step of negative curvature is kept, and not added to
    first = variants.conjugate_gradients(indefinite, np.array([0.1, 1.0, 1.0]), 1, "stop")
    assert first.any()
    for steps in (2, 3, 9):
        later = variants.conjugate_gradients(indefinite, np.array([0.1, 1.0, 1.0]), steps, "stop")
        assert np.array_equal(later, first)


def test_a_curvature_of_zero_is_said_too():
    with pytest.warns(variants.NegativeCurvature):
        variants.conjugate_gradients(lambda v: 0 * v, np.ones(3), 2)


def test_more_steps_than_a_solution_needs_change_nothing_and_say_nothing():
    D, b = np.array([1.0, 2.0, 3.0]), np.ones(3)
    x = variants.conjugate_gradients(lambda v: D * v, b, 3)
    assert relative_error(variants.conjugate_gradients(lambda v: D * v, b, 300), x) <= 1e-14
    assert not variants.conjugate_gradients(lambda v: D * v, np.zeros(3), 5).any()


@pytest.mark.parametrize("size", [1e-36, 1e-24, 1.0, 1e24, 1e36])
def test_float32_neither_underflows_nor_overflows(size):
    b = np.float32([0, 1, 2, 4]) * np.float32([[size], [1]])  # beside another that is not
    x = variants.conjugate_gradients(lambda v: np.float32([1, 1, 2, 4]) * v, b, 3)
    want = np.array([0, 1, 1, 1])
    assert x.dtype == np.float32 and relative_error(x[0] / b[0, 1], want) <= 1e-6
    assert relative_error(x[1], want) <= 1e-6


def test_a_system_is_solved_to_the_last_digits():
    D, b = np.array([1.0, 1 + 2e-8]), np.ones(2)  # the first step leaves 1e-8 over
    x = variants.conjugate_gradients(lambda v: D * v, b, 5)
    assert relative_error(x, b / D) <= 1e-15


def test_a_product_that_is_not_finite_stays_visible():
    x = variants.conjugate_gradients(lambda v: np.nan * v, np.ones(3), 2)
    assert not np.isfinite(x).any()


def test_a_training_goes_on_after_negative_curvature():
    model, theta, batch, _ = problem()
    x, y, x_query, y_query = batch
    concave = tm.TaskBatch(x, 30 * y, x_query, y_query)
    with pytest.warns(variants.NegativeCurvature):
        loss, grad = variants.imaml_grad(1e-3)(model, theta, concave, 0.0)
    assert np.isfinite(loss) and np.isfinite(grad).all()
    with pytest.raises(variants.NegativeCurvature):
        variants.imaml_grad(1e-3, indefinite="raise")(model, theta, concave, 0.0)
    variants.imaml_grad(1e-3, indefinite="stop")(model, theta, concave, 0.0)


# The weights of the multi-step loss


@pytest.mark.parametrize(
    "weights",
    [
        [],
        (),
        [np.nan],
        [np.inf],
        [1, -np.inf],
        "1",
        "123",
        ["1"],
        [True],
        [None],
        1.0,
        None,
        {1: 2},
    ],
)
def test_weights_that_are_not_finite_numbers_are_refused(weights):
    with pytest.raises(ValueError, match="weights: expected at least one finite number"):
        variants.multi_step_grad(weights)


def test_weights_from_an_array_or_a_generator():
    expected = variants.multi_step_grad([0.25, 0.75])
    assert variants.multi_step_grad(np.array([0.25, 0.75])) == expected
    assert variants.multi_step_grad(w / 4 for w in (1, 3)) == expected
    assert variants.multi_step_grad([0.75, 0.25]) != expected


# The query points among the support points


def test_on_all_points_the_query_points_are_support_points_too():
    model, theta, (x, y, x_query, y_query), _ = problem()
    batch = tm.TaskBatch(x, y, x_query[:, :4], y_query[:, :4])
    x_all, y_all = (np.concatenate(pair, axis=1) for pair in (batch[::2], batch[1::2]))
    loss, grad = variants.on_all_points(tm.joint_grad)(model, theta, batch, ALPHA)
    assert loss == pytest.approx(model.loss(theta, x_all, y_all).mean(), rel=1e-12)
    assert relative_error(grad, model.grad(theta, x_all, y_all).mean(axis=0)) <= 1e-12
    ends = tm.adapt(model, theta, x_all, y_all, ALPHA, 3)
    grad = variants.on_all_points(tm.reptile_grad)(model, theta, batch, ALPHA, 3)[1]
    assert relative_error(grad, (theta - ends.mean(axis=0)) / ALPHA) <= 1e-10
    named = variants.on_all_points(tm.reptile_grad)(model, theta, batch, ALPHA, inner_steps=3)[1]
    assert np.array_equal(named, grad)
    with pytest.raises(TypeError, match="meta_grad: expected a function such as reptile_grad"):
        variants.on_all_points("reptile")


def test_a_leak_adds_the_support_gradient_of_the_same_inner_loop():
    model, theta, batch, _ = problem()
    inner_loop = dict(inner_lr=ALPHA, inner_steps=2, minibatch=4)
    loss, grad = leaked(tm.maml_grad)(model, theta, batch, **inner_loop)
    right = tm.maml_grad(model, theta, batch, **inner_loop)
    assert loss == right[0]
    assert np.array_equal(grad, right[1] + tm.joint_grad(model, theta, batch, **inner_loop)[1])


def test_one_inner_step_is_the_default():
    model, theta, batch, _ = problem()
    learned, phi, _, _ = learned_problem()
    for meta_grad in (variants.multi_step_grad([1.0]), variants.imaml_grad(2.0)):
        default = meta_grad(model, theta, batch, ALPHA)[1]
        assert np.array_equal(default, meta_grad(model, theta, batch, ALPHA, 1)[1])
    for meta_grad in (variants.meta_sgd_grad, variants.first_order_meta_sgd_grad):
        default = meta_grad(learned, phi, batch)[1]
        assert np.array_equal(default, meta_grad(learned, phi, batch, None, 1)[1])
    assert variants.imaml_grad(2.0) == variants.imaml_grad(2.0, 5, "warn")


# Meta-SGD's model


def test_whole_numbers_join_with_rates_as_floats():
    learned = variants.MetaSGDModel(tm.MLP([1, 2, 1]))
    phi = learned.join(np.zeros(7, int), 0.01)
    assert phi.dtype == np.float64 and learned.split(phi)[1].tolist() == [0.01] * 7
    single = learned.join(np.zeros(7, np.float32), 0.01)
    assert single.dtype == np.float32
    with pytest.raises(ValueError, match="theta: expected shape .* 7"):
        learned.join(np.zeros(6), 0.01)
    with pytest.raises(ValueError, match="inner_lr: expected real numbers"):
        learned.join(np.zeros(7), "0.01")


def test_a_model_without_learned_rates_is_refused_by_name():
    model, theta, batch, _ = problem()
    for meta_grad in (variants.meta_sgd_grad, variants.first_order_meta_sgd_grad):
        with pytest.raises(TypeError, match="learned: expected a MetaSGDModel"):
            meta_grad(model, theta, batch)
    with pytest.raises(TypeError, match="learned: expected a MetaSGDModel"):
        variants.AdamWithRates(model)


@pytest.mark.parametrize("inner_steps", [0, 1, 3])
def test_the_rates_are_in_phi_and_a_rate_that_is_passed_plays_no_part(inner_steps):
    learned, phi, batch, loss = learned_problem()
    without = variants.meta_sgd_grad(learned, phi, batch, inner_steps=inner_steps)
    for rate in (None, 0.0, 5.0):
        again = variants.meta_sgd_grad(learned, phi, batch, rate, inner_steps)
        assert np.array_equal(again[1], without[1])


@pytest.mark.parametrize("minibatch", [None, 4])
@pytest.mark.parametrize("inner_steps", [0, 1, 3])
def test_the_functions_of_the_package_take_the_model_with_rates(inner_steps, minibatch):
    learned, phi, batch, _ = learned_problem()
    model, (theta, rates) = learned.model, learned.split(phi)
    x, y = batch.x_support, batch.y_support
    inner = inner_steps, minibatch
    adapted = tm.adapt(learned, phi, x, y, 1, *inner)
    assert np.allclose(learned.split(adapted)[0], tm.adapt(model, theta, x, y, rates, *inner))
    assert np.array_equal(learned.split(adapted)[1], np.broadcast_to(rates, (3, len(rates))))
    loss = tm.meta_loss(learned, phi, batch, 1, *inner)
    assert loss == pytest.approx(tm.meta_loss(model, theta, batch, rates, *inner), rel=1e-12)
    exact = tm.maml_grad(learned, phi, batch, 1, *inner)
    direct = variants.meta_sgd_grad(learned, phi, batch, None, *inner)
    assert relative_error(exact[1], direct[1]) <= 1e-12 and exact[0] == pytest.approx(direct[0])
    q, none = learned.split(tm.fomaml_grad(learned, phi, batch, 1, *inner)[1])
    assert relative_error(q, tm.fomaml_grad(model, theta, batch, rates, *inner)[1]) <= 1e-12
    assert not none.any()
    assert (
        relative_error(
            learned.split(tm.joint_grad(learned, phi, batch, 1)[1])[0],
            tm.joint_grad(model, theta, batch, 1)[1],
        )
        <= 1e-12
    )


def test_the_curve_and_the_weighted_losses_of_a_model_with_rates():
    learned, phi, batch, _ = learned_problem()
    model, (theta, rates) = learned.model, learned.split(phi)
    curve = tm.adaptation_curve(learned, phi, batch, 1, 4)
    assert np.allclose(curve, tm.adaptation_curve(model, theta, batch, rates, 4))
    weights = [0.2, 0.8]

    def loss(p):
        return sum(w * tm.meta_loss(learned, p, batch, 1, s) for s, w in enumerate(weights, 1))

    grad = variants.multi_step_grad(weights)(learned, phi, batch, 1, 2)[1]
    assert relative_error(grad, complex_step(loss, phi)) <= 1e-9


def test_first_order_meta_sgd_leaves_the_second_derivatives_out():
    learned, phi, batch, _ = learned_problem()
    model, (theta, rates) = learned.model, learned.split(phi)
    in_theta, in_rates = [], []
    for x, y, x_query, y_query in zip(*batch):
        here, total = theta, 0.0
        for _ in range(3):
            g = model.grad(here, x, y)
            here, total = here - rates * g, total + g
        in_theta.append(model.grad(here, x_query, y_query))
        in_rates.append(-in_theta[-1] * total)
    grad = variants.first_order_meta_sgd_grad(learned, phi, batch, inner_steps=3)[1]
    expected = np.concatenate((np.mean(in_theta, axis=0), np.mean(in_rates, axis=0)))
    assert relative_error(grad, expected) <= 1e-12
    exact = variants.meta_sgd_grad(learned, phi, batch, inner_steps=3)[1]
    assert relative_error(grad, exact) > 1e-3
    # after one step nothing is left out in the rates, and q is all of theta's part
    one = variants.first_order_meta_sgd_grad(learned, phi, batch)[1]
    one_exact = variants.meta_sgd_grad(learned, phi, batch)[1]
    assert relative_error(*(learned.split(g)[1] for g in (one, one_exact))) <= 1e-12


def test_what_users_call_of_a_model_with_rates_is_that_of_the_network():
    learned, phi, batch, _ = learned_problem()
    model, (theta, _) = learned.model, learned.split(phi)
    x, y = batch.x_support[0], batch.y_support[0]
    assert np.array_equal(learned.predict(phi, x), model.predict(theta, x))
    assert learned.loss(phi, x, y) == model.loss(theta, x, y)
    proof = complex_step(lambda p: learned.loss(p, x, y), phi)
    assert relative_error(learned.grad(phi, x, y), proof) <= 1e-12
    v = np.random.default_rng(1).standard_normal(phi.shape)
    proof = complex_step(lambda p: learned.grad(p, x, y), phi, v)
    assert relative_error(learned.hvp(phi, x, y, v), proof) <= 1e-12
    assert relative_error(learned.hvp(phi, x, y, [v, 2 * v]), [proof, 2 * proof]) <= 1e-12
    blocks = learned.unpack(phi)
    assert len(blocks) == 6 and np.array_equal(
        blocks[3][0], model.unpack(learned.split(phi)[1])[0][0]
    )
    with pytest.raises(ValueError, match="theta: expected shape"):
        learned.loss(theta, x, y)


def test_a_fresh_phi_has_one_rate_everywhere():
    learned = variants.MetaSGDModel(tm.MLP([1, 4, 1]))
    phi = learned.init(np.random.default_rng(3), inner_lr=0.2)
    theta, rates = learned.split(phi)
    assert np.array_equal(theta, learned.model.init(np.random.default_rng(3)))
    assert set(rates.tolist()) == {0.2} and phi.shape == (learned.n_params,)
    by_default = learned.split(learned.init(np.random.default_rng(3)))[1]
    assert set(by_default.tolist()) == {0.01}
    assert learned.init(np.random.default_rng(3), np.float32).dtype == np.float32


def test_where_learned_rates_make_no_sense_that_is_said(tmp_path):
    learned, phi, batch, _ = learned_problem()
    with pytest.raises(TypeError, match="model: iMAML differentiates the minimum .* pass the netw"):
        variants.imaml_grad(1.0)(learned, phi, batch, 1)
    with pytest.raises(ValueError, match="model: .* parameters of an MLP, not of a MetaSGDModel"):
        learned.activation  # noqa: B018
    save_init(tmp_path / "phi.npz", learned.model, np.stack(learned.split(phi)))
    model, (theta, rates), _ = load_init(tmp_path / "phi.npz")
    assert np.array_equal(variants.MetaSGDModel(model).join(theta, rates), phi)


def test_theta_and_its_rates_are_stepped_at_rates_of_their_own():
    learned = variants.MetaSGDModel(tm.MLP([1, 1]))
    optimizer = variants.AdamWithRates(learned, lr=0.5, rates_lr=0.25)
    phi = optimizer.step(np.zeros(4), np.array([1.0, -1.0, 1.0, -1.0]))  # Adam's first step: lr
    assert np.allclose(phi, [-0.5, 0.5, -0.25, 0.25])
    for half, lr in ((slice(2), 0.5), (slice(2, 4), 0.25)):  # each is an Adam of its own
        alone = tm.Adam(lr).step(np.zeros(2), np.array([1.0, -1.0]))
        assert np.array_equal(phi[half], alone)
    by_default = variants.AdamWithRates(learned).step(np.zeros(4), np.ones(4))
    assert np.allclose(by_default, [-1e-3, -1e-3, -1e-4, -1e-4])  # and no floor
    floored = variants.AdamWithRates(learned, lr=0.5, rates_lr=0.25, least=-0.1)
    phi = floored.step(np.zeros(4), np.ones(4))
    assert np.allclose(phi, [-0.5, -0.5, -0.1, -0.1])  # the floor is the rates' alone


@pytest.mark.parametrize("rate", ["0.1", np.nan, np.inf, -0.1, True, None])
def test_a_rate_of_a_part_that_is_no_rate_is_refused(rate):
    for name in ("body", "head"):
        with pytest.raises(ValueError, match=f"{name}: expected a finite rate of at least 0; got"):
            variants.rates_by_part(tm.MLP([1, 2, 1]), **{"body": 0.0, "head": 0.0, name: rate})


def test_what_is_no_network_no_floor_and_no_function_is_refused():
    learned = variants.MetaSGDModel(tm.MLP([1, 2, 1]))
    for model in (learned, 3, None):
        with pytest.raises(TypeError, match="model: expected a network, such as MLP"):
            variants.MetaSGDModel(model)
    for least in (np.nan, np.inf, "0", True):
        with pytest.raises(ValueError, match="least: expected a finite number, or -inf; got"):
            variants.AdamWithRates(learned, least=least)
    for made in (leaked, variants.on_all_points):
        with pytest.raises(TypeError, match="meta_grad: expected a function"):
            made(None)
