"""Adapting, and the four meta-gradients: against the complex step, against loops, and wrong ones
that must fail."""

import inspect
import itertools

import numpy as np
import pytest
from helpers import (
    EXACT,
    METHODS,
    NUMERICAL,
    WIDE,
    WithoutSecondDerivative,
    meta_gradient_error,
    problem,
    structures,
    true_meta_gradient,
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st

import tinymeta as tm
from tinymeta.checks import block_errors, central_difference, complex_step, relative_error

BOTH_ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "tanh"])
BOTH_CRITERIA = pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
ALL_METHODS = pytest.mark.parametrize("method", METHODS)
STEPS = pytest.mark.parametrize("steps", [0, 1, 2, 5])


# The definitions, one task at a time and one matrix at a time


def in_turn(x, y, step, minibatch):
    """The points of one inner step, by walking round the support set."""
    if minibatch is None:
        return x, y
    rows = [(step * minibatch + i) % len(x) for i in range(minibatch)]
    return x[rows], y[rows]


def path(model, theta, x, y, inner_lr, steps, minibatch=None):
    """theta_0 ... theta_k of one task."""
    thetas = [theta]
    for s in range(steps):
        thetas.append(thetas[-1] - inner_lr * model.grad(thetas[-1], *in_turn(x, y, s, minibatch)))
    return thetas


def one_by_one(of_one_task, model, theta, batch, *inner_loop):
    """The mean over tasks of a gradient that is defined for one."""
    return np.mean(
        [
            of_one_task(model, theta, task, *inner_loop)
            for task in map(tm.TaskBatch._make, zip(*batch))
        ],
        axis=0,
    )


def joint_of_one_task(model, theta, task, inner_lr, steps, minibatch=None):
    return complex_step(lambda t: model.loss(t, task.x_support, task.y_support), theta)


def fomaml_of_one_task(model, theta, task, inner_lr, steps, minibatch=None):
    adapted = path(model, theta, task.x_support, task.y_support, inner_lr, steps, minibatch)[-1]
    return complex_step(lambda t: model.loss(t, task.x_query, task.y_query), adapted)


def reptile_of_one_task(model, theta, task, inner_lr, steps, minibatch=None):
    return (
        theta - path(model, theta, task.x_support, task.y_support, inner_lr, steps, minibatch)[-1]
    ) / inner_lr


def maml_of_one_task(
    model, theta, task, inner_lr, steps, minibatch=None, at_start=False, wrong_side=False
):
    """The Jacobian of all steps, a product of dense matrices I - alpha H_s, transposed, times the
    query gradient.

    Two ways to have it wrong: every Hessian at the start, or alpha on the wrong side of it."""
    rates, jacobian = np.diag(np.broadcast_to(inner_lr, theta.shape)), np.eye(len(theta))
    thetas = path(model, theta, task.x_support, task.y_support, inner_lr, steps, minibatch)
    for s in range(steps):
        points = in_turn(task.x_support, task.y_support, s, minibatch)
        hessian = complex_step(lambda t: model.grad(t, *points), theta if at_start else thetas[s])
        jacobian = (
            np.eye(len(theta)) - (hessian @ rates if wrong_side else rates @ hessian)
        ) @ jacobian
    return jacobian.T @ model.grad(thetas[-1], task.x_query, task.y_query)


OF_ONE_TASK = {
    tm.joint_grad: joint_of_one_task,
    tm.fomaml_grad: fomaml_of_one_task,
    tm.maml_grad: maml_of_one_task,
    tm.reptile_grad: reptile_of_one_task,
}


@st.composite
def inner_loops(draw, structure, rates=("number", "vector")):
    """inner_lr, inner_steps and minibatch to go with a structure."""
    rng = np.random.default_rng(structure["seed"])
    n_params = tm.MLP(structure["sizes"]).n_params
    inner_lr = {"number": 0.1, "vector": rng.uniform(0, 0.2, n_params)}[
        draw(st.sampled_from(rates))
    ]
    minibatch = draw(st.none() | st.integers(1, structure["shots"]))
    return inner_lr, draw(st.sampled_from([0, 1, 2, 5])), minibatch


# MAML against the numerical derivative of its own meta-loss


@BOTH_ACTIVATIONS
@BOTH_CRITERIA
@STEPS
def test_maml_is_the_complex_step_of_the_meta_loss_in_every_block(activation, criterion, steps):
    model, theta, batch = problem(activation=activation, criterion=criterion)
    _, gradient = tm.maml_grad(model, theta, batch, 0.1, steps)
    errors = block_errors(model, gradient, true_meta_gradient(model, theta, batch, 0.1, steps))
    assert max(errors.values()) <= EXACT, errors


@given(structures(), st.data())
def test_maml_is_the_complex_step_of_the_meta_loss(structure, data):
    model, theta, batch = problem(**structure)
    inner_loop = data.draw(inner_loops(structure))
    _, gradient = tm.maml_grad(model, theta, batch, *inner_loop)
    assert meta_gradient_error(gradient, model, theta, batch, *inner_loop) <= EXACT


@given(structures(), st.booleans(), st.data())
def test_maml_of_replicas_is_the_complex_step_of_each(structure, shared, data):
    model, theta, batch = problem(**structure, replicas=(2,), lead=() if shared else (2,))
    _, steps, minibatch = data.draw(inner_loops(structure))
    inner_lr = np.random.default_rng(structure["seed"]).uniform(0, 0.2, theta.shape)
    _, gradient = tm.maml_grad(model, theta, batch, inner_lr, steps, minibatch)
    for s in range(2):
        own = batch if shared else tm.TaskBatch(*(array[s] for array in batch))
        assert (
            meta_gradient_error(gradient[s], model, theta[s], own, inner_lr[s], steps, minibatch)
            <= EXACT
        )


@given(structures(activations=["tanh"]), st.data())
def test_maml_is_the_central_difference_of_the_meta_loss(structure, data):
    model, theta, batch = problem(**structure)
    inner_loop = data.draw(inner_loops(structure))
    numerical = central_difference(
        lambda t: tm.meta_loss(model, t, batch, *inner_loop), theta, np.eye(model.n_params)
    )
    assert relative_error(tm.maml_grad(model, theta, batch, *inner_loop)[1], numerical) <= NUMERICAL


@BOTH_CRITERIA
@STEPS
def test_maml_is_the_product_of_dense_hessians(criterion, steps):
    model, theta, batch = problem(sizes=(1, 3, 2), criterion=criterion)
    for inner_lr in (0.1, np.random.default_rng(1).uniform(0, 0.2, theta.shape)):
        for minibatch in (None, 2):
            want = one_by_one(maml_of_one_task, model, theta, batch, inner_lr, steps, minibatch)
            assert (
                relative_error(
                    tm.maml_grad(model, theta, batch, inner_lr, steps, minibatch)[1], want
                )
                <= EXACT
            )


# Negative controls: the check above is worth what it rejects. Fixed shapes, tanh and a rate of 0.1,
# for in random shapes
# dead or idle units can make a wrong gradient right. Beside each: what its error exceeds, for both
# losses, 1 and 2 steps.

WRONG = {  # name: least error, gradient
    "FOMAML": (0.11, lambda m, t, b, a, k: tm.fomaml_grad(m, t, b, a, k)[1]),
    "joint": (0.87, lambda m, t, b, a, k: tm.joint_grad(m, t, b, a, k)[1]),
    "Reptile": (0.87, lambda m, t, b, a, k: tm.reptile_grad(m, t, b, a, k)[1]),
    "leaked": (
        0.66,
        lambda m, t, b, a, k: tm.maml_grad(m, t, b, a, k)[1] + tm.joint_grad(m, t, b, a, k)[1],
    ),
    "support and query swapped": (
        0.98,
        lambda m, t, b, a, k: tm.maml_grad(m, t, tm.TaskBatch(*b[2:], *b[:2]), a, k)[1],
    ),
    "query is support": (
        0.95,
        lambda m, t, b, a, k: tm.maml_grad(m, t, tm.TaskBatch(*b[:2], *b[:2]), a, k)[1],
    ),
    "a sum for the mean": (
        0.66,
        lambda m, t, b, a, k: tm.maml_grad(m, t, b, a, k)[1] * len(b.x_support),
    ),
    "f'' missing": (
        0.04,
        lambda m, t, b, a, k: tm.maml_grad(
            WithoutSecondDerivative(m.sizes, "tanh", m.criterion), t, b, a, k
        )[1],
    ),
    "a step too few": (0.14, lambda m, t, b, a, k: tm.maml_grad(m, t, b, a, k - 1)[1]),
    "a step too many": (0.11, lambda m, t, b, a, k: tm.maml_grad(m, t, b, a, k + 1)[1]),
    "half the rate": (0.10, lambda m, t, b, a, k: tm.maml_grad(m, t, b, a / 2, k)[1]),
    "the rate's sign": (
        0.40,
        lambda m, t, b, a, k: tm.maml_grad(m, t, b, np.full(t.shape, -a), k)[1],
    ),
}


@pytest.mark.parametrize("steps", [1, 2])
@BOTH_CRITERIA
@pytest.mark.parametrize("least, wrong", WRONG.values(), ids=WRONG)
def test_the_check_rejects(least, wrong, criterion, steps):
    model, theta, batch = problem(sizes=(2, 8, 8, 3), criterion=criterion, shots=5, query=5)
    theta = 2 * theta  # out of tanh's linear middle, where f'' is nearly 0
    right = tm.maml_grad(model, theta, batch, 0.1, steps)[1]
    assert meta_gradient_error(right, model, theta, batch, 0.1, steps) <= EXACT
    assert (
        meta_gradient_error(wrong(model, theta, batch, 0.1, steps), model, theta, batch, 0.1, steps)
        > least
    )


@pytest.mark.parametrize("slip", ["at_start", "wrong_side"])
def test_the_check_rejects_a_slip_in_the_product_of_hessians(slip):
    model, theta, batch = problem(sizes=(1, 4, 2))
    theta, inner_lr = 2 * theta, np.random.default_rng(1).uniform(0, 0.3, theta.shape)

    def slipped(*args):
        return maml_of_one_task(*args, **{slip: True})

    got = one_by_one(slipped, model, theta, batch, inner_lr, 2)
    assert meta_gradient_error(got, model, theta, batch, inner_lr, 2) > WIDE  # 0.04 and 0.21


def test_with_relu_the_check_cannot_see_a_missing_second_derivative():
    model, theta, batch = problem(activation="relu")
    wrong = WithoutSecondDerivative(model.sizes, "relu")
    assert (
        meta_gradient_error(
            tm.maml_grad(wrong, theta, batch, 0.1, 2)[1], model, theta, batch, 0.1, 2
        )
        <= EXACT
    )


# The other three against their definitions


@ALL_METHODS
@given(structures(), st.data())
def test_a_meta_gradient_is_the_mean_over_tasks_of_its_definition(method, structure, data):
    model, theta, batch = problem(**structure)
    # Reptile's division wants a number
    inner_loop = data.draw(inner_loops(structure, rates=["number"]))
    want = one_by_one(OF_ONE_TASK[method], model, theta, batch, *inner_loop)
    # Reptile's (theta - theta_k) / alpha loses a digit to the subtraction, and is 0 / alpha for no
    # step
    assert relative_error(method(model, theta, batch, *inner_loop)[1], want) <= EXACT


def test_fomaml_with_a_rate_for_each_parameter_is_its_definition():
    model, theta, batch = problem()
    inner_loop = np.random.default_rng(1).uniform(0, 0.2, theta.shape), 2
    want = one_by_one(fomaml_of_one_task, model, theta, batch, *inner_loop)
    assert relative_error(tm.fomaml_grad(model, theta, batch, *inner_loop)[1], want) <= EXACT


def test_reptile_with_a_rate_for_each_parameter_is_the_sum_of_gradients():
    model, theta, batch = problem(tasks=1)
    x, y, inner_lr = (
        batch.x_support[0],
        batch.y_support[0],
        np.random.default_rng(1).uniform(0, 0.2, theta.shape),
    )
    thetas = path(model, theta, x, y, inner_lr, 3)
    want = sum(model.grad(t, x, y) for t in thetas[:3])
    assert relative_error(tm.reptile_grad(model, theta, batch, inner_lr, 3)[1], want) <= EXACT


def test_reptile_of_one_step_is_joint_training_to_the_bit():
    model, theta, batch = problem()
    for reptile, joint in zip(
        tm.reptile_grad(model, theta, batch, 0.1, 1), tm.joint_grad(model, theta, batch, 0.1)
    ):
        assert np.array_equal(reptile, joint)


def test_joint_training_knows_neither_rate_nor_steps_nor_query_set():
    model, theta, batch = problem()
    want = tm.joint_grad(model, theta, batch, 0.1)[1]
    other = tm.TaskBatch(*batch[:2], batch.x_query + 1, batch.y_query - 1)
    assert np.array_equal(tm.joint_grad(model, theta, other, 0.7, 5, 2)[1], want)


@BOTH_ACTIVATIONS
def test_maml_is_fomaml_for_a_rate_of_0_and_not_because_units_are_relu(activation):
    model, theta, batch = problem(activation=activation)
    maml, fomaml = (
        method(model, theta, batch, 0.0, 3)[1] for method in (tm.maml_grad, tm.fomaml_grad)
    )
    assert np.array_equal(maml, fomaml)
    maml, fomaml = (
        method(model, theta, batch, 0.1, 3)[1] for method in (tm.maml_grad, tm.fomaml_grad)
    )
    assert relative_error(maml, fomaml) > WIDE


@ALL_METHODS
def test_one_step_is_the_default(method):
    model, theta, batch = problem()
    for default, one in zip(method(model, theta, batch, 0.1), method(model, theta, batch, 0.1, 1)):
        assert np.array_equal(default, one)
    assert inspect.signature(method).parameters["inner_steps"].default == 1  # what help() says
    assert tm.meta_loss(model, theta, batch, 0.1) == tm.meta_loss(model, theta, batch, 0.1, 1)


# The loss returned is the one whose gradient was taken last


@pytest.mark.parametrize("minibatch", [None, 2])
@STEPS
def test_the_loss_of_maml_and_fomaml_is_that_of_the_query_set_after_adaptation(steps, minibatch):
    model, theta, batch = problem()
    ends = [path(model, theta, x, y, 0.1, steps, minibatch)[-1] for x, y in zip(*batch[:2])]
    want = np.mean([model.loss(end, x, y) for end, x, y in zip(ends, *batch[2:])])
    for method in (tm.maml_grad, tm.fomaml_grad):
        assert method(model, theta, batch, 0.1, steps, minibatch)[0] == pytest.approx(
            want, rel=1e-14
        )
    assert tm.meta_loss(model, theta, batch, 0.1, steps, minibatch) == pytest.approx(
        want, rel=1e-14
    )


@pytest.mark.parametrize("minibatch", [None, 2])
@STEPS
def test_the_loss_of_joint_training_and_reptile_is_that_of_the_support_set_before_the_last_step(
    steps, minibatch
):
    model, theta, batch = problem()
    joint, before_last = [], []
    for x, y in zip(*batch[:2]):
        joint.append(model.loss(theta, x, y))
        thetas = path(model, theta, x, y, 0.1, steps, minibatch)
        last = in_turn(x, y, steps - 1, minibatch) if steps else (x, y)
        before_last.append(model.loss(thetas[max(steps - 1, 0)], *last))
    assert tm.joint_grad(model, theta, batch, 0.1, steps, minibatch)[0] == pytest.approx(
        np.mean(joint), rel=1e-14
    )
    assert tm.reptile_grad(model, theta, batch, 0.1, steps, minibatch)[0] == pytest.approx(
        np.mean(before_last), rel=1e-14
    )


# Adapting


@given(structures(), st.data())
def test_adapt_is_gradient_descent_on_each_task(structure, data):
    model, theta, batch = problem(**structure)
    inner_lr, steps, minibatch = data.draw(inner_loops(structure))
    got = tm.adapt(model, theta, batch.x_support, batch.y_support, inner_lr, steps, minibatch)
    want = [path(model, theta, x, y, inner_lr, steps, minibatch)[-1] for x, y in zip(*batch[:2])]
    assert relative_error(got, want) <= 1e-12


def test_a_minibatch_of_all_points_is_no_minibatch():
    model, theta, batch = problem(shots=5)
    whole, all_five = (
        tm.adapt(model, theta, *batch[:2], 0.1, 3, minibatch) for minibatch in (None, 5)
    )
    assert np.array_equal(whole, all_five)


def test_a_rate_of_0_freezes_its_parameter():
    model, theta, batch = problem()
    inner_lr = np.zeros(model.n_params)
    head = model.unpack(inner_lr)[-1]
    for p in head:
        p[...] = 0.1
    adapted = tm.adapt(model, theta, *batch[:2], inner_lr, 3)
    moved = adapted != theta
    assert np.array_equal(moved, np.broadcast_to(inner_lr > 0, moved.shape))


def test_one_task_perturbed_leaves_the_others_adapted_to_the_bit():
    model, theta, batch = problem(tasks=5)
    x, y = (array.copy() for array in batch[:2])
    before = tm.adapt(model, theta, x, y, 0.1, 3)
    x[2] += 0.5
    y[2] -= 3.0
    after = tm.adapt(model, theta, x, y, 0.1, 3)
    assert (
        np.array_equal(before[[0, 1, 3, 4]], after[[0, 1, 3, 4]]) and (before[2] != after[2]).any()
    )


# Many tasks and many replicas at once


@ALL_METHODS
@STEPS
def test_a_batch_is_the_mean_of_its_tasks_one_at_a_time(method, steps):
    model, theta, batch = problem(tasks=4)
    alone = [
        method(model, theta, tm.TaskBatch(*(array[[t]] for array in batch)), 0.1, steps)
        for t in range(4)
    ]
    for together, want in zip(method(model, theta, batch, 0.1, steps), zip(*alone)):
        assert relative_error(together, np.mean(want, axis=0)) <= 1e-12


@ALL_METHODS
@STEPS
@pytest.mark.parametrize("shared", [True, False], ids=["shared batch", "batches of their own"])
@pytest.mark.parametrize("rate", ["number", "(P,)", "(S, P)"])
@pytest.mark.parametrize("S, T", [(3, 2), (3, 1), (1, 2)])
def test_replicas_are_as_many_calls(method, steps, shared, rate, S, T):
    lead = () if shared else (S,)
    model, theta, batch = problem(replicas=(S,), lead=lead, tasks=T, sizes=(1, 4, 1))
    inner_lr = {"number": np.array(0.1), "(P,)": 0.2 * theta[0] ** 2, "(S, P)": 0.2 * theta**2}[
        rate
    ]
    got = method(model, theta, batch, inner_lr, steps, 2)
    assert got[0].shape == (S,) and got[1].shape == theta.shape
    for s in range(S):
        own = tm.TaskBatch(*(array[s] if lead else array for array in batch))
        for together, alone in zip(
            got,
            method(model, theta[s], own, inner_lr[s] if rate == "(S, P)" else inner_lr, steps, 2),
        ):
            assert relative_error(together[s], alone) <= 1e-12


@STEPS
def test_one_theta_on_several_batches_has_a_result_for_each(steps):
    model, theta, batch = problem(lead=(2,))
    adapted = tm.adapt(model, theta, *batch[:2], 0.1, steps)
    assert adapted.shape == (2, 3, model.n_params)
    assert (
        relative_error(
            adapted[1], tm.adapt(model, theta, batch.x_support[1], batch.y_support[1], 0.1, steps)
        )
        <= 1e-12
    )
    for method in METHODS:
        loss, gradient = method(model, theta, batch, 0.1, steps)
        assert loss.shape == (2,) and gradient.shape == (2, model.n_params), method
        for i in range(2):
            alone = method(model, theta, tm.TaskBatch(*(array[i] for array in batch)), 0.1, steps)
            assert (
                relative_error(loss[i], alone[0]) <= 1e-12
                and relative_error(gradient[i], alone[1]) <= 1e-12
            )


# Known answers


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_for_a_linear_model_maml_is_a_power_of_one_matrix(steps):
    """Least squares: H = 2 X'X / K, the steps lead to X'y's solution by (I - alpha H)^k, and MAML
    goes back the same way."""
    model, theta, batch = problem(sizes=(2, 1), tasks=1, shots=6)
    alpha, (x_s, y_s, x_q, y_q) = 0.1, (array[0] for array in batch)
    X, Q = (np.column_stack((x, np.ones(len(x)))) for x in (x_s, x_q))
    solution = np.linalg.lstsq(X, y_s[:, 0], rcond=None)[0]
    power = np.linalg.matrix_power(np.eye(3) - alpha * 2 * X.T @ X / len(X), steps)
    adapted = solution + power @ (theta - solution)
    assert relative_error(tm.adapt(model, theta, *batch[:2], alpha, steps)[0], adapted) <= 1e-12
    want = power @ (2 * Q.T @ (Q @ adapted - y_q[:, 0]) / len(Q))
    assert relative_error(tm.maml_grad(model, theta, batch, alpha, steps)[1], want) <= 1e-12


# E[gradient] = a G - alpha b I + O(alpha^2), G = E[g], I = E[H_2 g_1] over independent minibatches
# (Nichol et al. 2018, section 5)
EXPANSIONS = {
    tm.maml_grad: lambda k: (1, 2 * k),
    tm.fomaml_grad: lambda k: (1, k),
    tm.reptile_grad: lambda k: (k, k * (k - 1) / 2),
}


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("method", EXPANSIONS)
def test_expectation_over_minibatches_is_that_of_the_reptile_paper(method, steps):
    model, theta, minibatches = problem(sizes=(1, 4, 1), tasks=3, shots=2)
    x, y = minibatches[:2]
    G = np.mean([model.grad(theta, *pair) for pair in zip(x, y)], axis=0)
    I = np.mean([model.hvp(theta, *pair, G) for pair in zip(x, y)], axis=0)
    # every ordered draw of one minibatch a step and one to end with, as one task each: 27 or 81 of
    # them
    draws = np.array([*itertools.product(range(3), repeat=steps + 1)])
    support = (array[draws[:, :-1]].reshape(len(draws), -1, 1) for array in (x, y))
    batch = tm.TaskBatch(*support, x[draws[:, -1]], y[draws[:, -1]])
    a, b = EXPANSIONS[method](steps)
    alphas = 0.01 / 2.0 ** np.arange(5)
    remainders = [
        np.linalg.norm(
            method(model, theta, batch, alpha, steps, minibatch=2)[1] - (a * G - alpha * b * I)
        )
        for alpha in alphas
    ]
    # 1 if a or b were wrong
    assert np.diff(np.log(remainders)) / np.log(0.5) == pytest.approx(2, abs=0.1)
