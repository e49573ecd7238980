"""Adaptation and the four meta-gradients: compared with the complex step and with loops; and wrong
meta-gradients, which the same checks have to reject."""

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
    pairwise,
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
SMOOTH = ["tanh", "sigmoid", "softplus"]  # differences across a kink of ReLU would be off
STEPS = pytest.mark.parametrize("steps", [0, 1, 2, 5])


# The definitions, one task at a time and one matrix at a time


def in_turn(x, y, step, minibatch):
    """Return the points of one inner step; after the last support point follows the first."""
    if minibatch is None:
        return x, y
    rows = [(step * minibatch + i) % len(x) for i in range(minibatch)]
    return x[rows], y[rows]


def path(model, theta, x, y, inner_lr, steps, minibatch=None):
    """Return theta_0 ... theta_k of one task."""
    thetas = [theta]
    for s in range(steps):
        thetas.append(thetas[-1] - inner_lr * model.grad(thetas[-1], *in_turn(x, y, s, minibatch)))
    return thetas


def one_by_one(of_one_task, model, theta, batch, *inner_loop):
    """Return the mean over the tasks of a gradient that is defined for one task."""
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
    """Return the query gradient times the transposed Jacobian of all steps, which is a product of
    dense matrices I - alpha H_s.

    Two flags make it wrong: every Hessian at the start, or alpha on the wrong side of it."""
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
    """Return inner_lr, inner_steps and minibatch that fit a structure."""
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
def test_every_block_of_the_maml_gradient_agrees_with_the_complex_step(
    activation, criterion, steps
):
    model, theta, batch = problem(activation=activation, criterion=criterion)
    _, gradient = tm.maml_grad(model, theta, batch, 0.1, steps)
    errors = block_errors(model, gradient, true_meta_gradient(model, theta, batch, 0.1, steps))
    assert max(errors.values()) <= EXACT, errors


@given(structures(), st.data())
def test_the_maml_gradient_agrees_with_the_complex_step_of_the_meta_loss(structure, data):
    model, theta, batch = problem(**structure)
    inner_loop = data.draw(inner_loops(structure))
    _, gradient = tm.maml_grad(model, theta, batch, *inner_loop)
    assert meta_gradient_error(gradient, model, theta, batch, *inner_loop) <= EXACT


@given(structures(), st.booleans(), st.data())
def test_the_maml_gradient_of_replicas_agrees_with_the_complex_step_of_each(
    structure, shared, data
):
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


@given(structures(activations=SMOOTH), st.data())
def test_the_maml_gradient_agrees_with_the_central_difference_of_the_meta_loss(structure, data):
    model, theta, batch = problem(**structure)
    inner_loop = data.draw(inner_loops(structure))
    numerical = central_difference(
        lambda t: tm.meta_loss(model, t, batch, *inner_loop), theta, np.eye(model.n_params)
    )
    assert relative_error(tm.maml_grad(model, theta, batch, *inner_loop)[1], numerical) <= NUMERICAL


@BOTH_CRITERIA
@STEPS
def test_the_maml_gradient_agrees_with_a_product_of_dense_hessians(criterion, steps):
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


# Negative controls: wrong gradients that the check above has to reject. Shapes are fixed, with tanh
# and a rate of 0.1, because in random shapes dead or idle units can make a wrong gradient right.
# The number beside each is a lower bound of its error, for both losses and for 1 and 2 steps.

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
def test_the_check_rejects_a_wrong_meta_gradient(criterion, steps):
    model, theta, batch = problem(sizes=(2, 8, 8, 3), criterion=criterion, shots=5, query=5)
    theta = 2 * theta  # away from tanh's linear part, where f'' is nearly 0
    arguments = model, theta, batch, 0.1, steps
    truth = true_meta_gradient(*arguments)
    assert relative_error(tm.maml_grad(*arguments)[1], truth) <= EXACT
    for name, (least, wrong) in WRONG.items():
        assert relative_error(wrong(*arguments), truth) > least, name


@pytest.mark.parametrize("slip", ["at_start", "wrong_side"])
def test_the_check_rejects_a_slip_in_the_product_of_hessians(slip):
    model, theta, batch = problem(sizes=(1, 4, 2))
    theta, inner_lr = 2 * theta, np.random.default_rng(1).uniform(0, 0.3, theta.shape)

    def slipped(*args):
        return maml_of_one_task(*args, **{slip: True})

    got = one_by_one(slipped, model, theta, batch, inner_lr, 2)
    assert meta_gradient_error(got, model, theta, batch, inner_lr, 2) > WIDE  # 0.04 and 0.21


def test_with_relu_the_check_cannot_detect_a_missing_second_derivative():
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
def test_a_meta_gradient_is_its_definitions_mean_over_the_tasks(method, structure, data):
    model, theta, batch = problem(**structure)
    # Reptile's definition divides by the rate: a number
    inner_loop = data.draw(inner_loops(structure, rates=["number"]))
    want = one_by_one(OF_ONE_TASK[method], model, theta, batch, *inner_loop)
    # Reptile's (theta - theta_k) / alpha loses a digit to the subtraction, and is 0 / alpha for no
    # step
    assert relative_error(method(model, theta, batch, *inner_loop)[1], want) <= EXACT


def test_fomaml_with_a_rate_per_parameter_agrees_with_its_definition():
    model, theta, batch = problem()
    inner_loop = np.random.default_rng(1).uniform(0, 0.2, theta.shape), 2
    want = one_by_one(fomaml_of_one_task, model, theta, batch, *inner_loop)
    assert relative_error(tm.fomaml_grad(model, theta, batch, *inner_loop)[1], want) <= EXACT


def test_reptile_with_a_rate_per_parameter_is_the_sum_of_the_gradients():
    model, theta, batch = problem(tasks=1)
    x, y, inner_lr = (
        batch.x_support[0],
        batch.y_support[0],
        np.random.default_rng(1).uniform(0, 0.2, theta.shape),
    )
    thetas = path(model, theta, x, y, inner_lr, 3)
    want = sum(model.grad(t, x, y) for t in thetas[:3])
    assert relative_error(tm.reptile_grad(model, theta, batch, inner_lr, 3)[1], want) <= EXACT


def test_reptile_with_one_step_equals_joint_training_to_the_bit():
    model, theta, batch = problem()
    for reptile, joint in zip(
        tm.reptile_grad(model, theta, batch, 0.1, 1), tm.joint_grad(model, theta, batch, 0.1)
    ):
        assert np.array_equal(reptile, joint)


def test_joint_training_ignores_rate_steps_minibatch_and_query_set():
    model, theta, batch = problem()
    want = tm.joint_grad(model, theta, batch, 0.1)[1]
    other = tm.TaskBatch(*batch[:2], batch.x_query + 1, batch.y_query - 1)
    assert np.array_equal(tm.joint_grad(model, theta, other, 0.7, 5, 2)[1], want)


@BOTH_ACTIVATIONS
def test_maml_equals_fomaml_for_a_rate_of_0_but_not_because_the_units_are_relu(activation):
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
    assert inspect.signature(method).parameters["inner_steps"].default == 1  # as help() shows it
    assert tm.meta_loss(model, theta, batch, 0.1) == tm.meta_loss(model, theta, batch, 0.1, 1)


# Each method returns the loss whose gradient it computed last


@pytest.mark.parametrize("minibatch", [None, 2])
@STEPS
def test_maml_and_fomaml_return_the_query_loss_after_adaptation(steps, minibatch):
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
def test_joint_training_and_reptile_return_the_support_loss_before_the_last_step(steps, minibatch):
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


# Adaptation


@given(structures(), st.data())
def test_adapt_is_gradient_descent_on_each_task_alone(structure, data):
    model, theta, batch = problem(**structure)
    inner_lr, steps, minibatch = data.draw(inner_loops(structure))
    got = tm.adapt(model, theta, batch.x_support, batch.y_support, inner_lr, steps, minibatch)
    want = [path(model, theta, x, y, inner_lr, steps, minibatch)[-1] for x, y in zip(*batch[:2])]
    assert relative_error(got, want) <= 1e-12


def test_a_minibatch_of_all_points_changes_nothing():
    model, theta, batch = problem(shots=5)
    whole, all_five = (
        tm.adapt(model, theta, *batch[:2], 0.1, 3, minibatch) for minibatch in (None, 5)
    )
    assert np.array_equal(whole, all_five)


def test_a_parameter_with_a_rate_of_0_does_not_change():
    model, theta, batch = problem()
    inner_lr = np.zeros(model.n_params)
    head = model.unpack(inner_lr)[-1]
    for p in head:
        p[...] = 0.1
    adapted = tm.adapt(model, theta, *batch[:2], inner_lr, 3)
    moved = adapted != theta
    assert np.array_equal(moved, np.broadcast_to(inner_lr > 0, moved.shape))


def test_changing_one_task_changes_no_bit_of_the_other_tasks_adaptation():
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
def test_the_result_for_a_batch_is_the_mean_of_the_results_for_its_tasks(method, steps):
    model, theta, batch = problem(tasks=4)
    alone = [
        method(model, theta, tm.TaskBatch(*(array[[t]] for array in batch)), 0.1, steps)
        for t in range(4)
    ]
    for together, want in zip(method(model, theta, batch, 0.1, steps), zip(*alone)):
        assert relative_error(together, np.mean(want, axis=0)) <= 1e-12


@pytest.mark.parametrize(
    "method, steps, batches, rate, S, T",
    [
        (*row, *S_and_T)
        for *row, S_and_T in pairwise(
            METHODS,
            [0, 1, 2, 5],
            ["shared batch", "own batches"],
            ["number", "(P,)", "(S, P)"],
            [(3, 2), (3, 1), (1, 2)],
        )
    ],
)
def test_replicas_together_equal_one_call_each(method, steps, batches, rate, S, T):
    lead = () if batches == "shared batch" else (S,)
    model, theta, batch = problem(replicas=(S,), lead=lead, tasks=T, sizes=(1, 4, 1))
    inner_lr = {"number": np.array(0.1), "(P,)": 0.2 * theta[0] ** 2, "(S, P)": 0.2 * theta**2}[
        rate
    ]
    got = method(model, theta, batch, inner_lr, steps, 2)
    assert got[0].shape == (S,) and got[1].shape == theta.shape
    for s in range(S):
        own_batch = tm.TaskBatch(*(array[s] if lead else array for array in batch))
        own_rate = inner_lr[s] if rate == "(S, P)" else inner_lr
        want = method(model, theta[s], own_batch, own_rate, steps, 2)
        for together, alone in zip(got, want):
            assert relative_error(together[s], alone) <= 1e-12


@STEPS
def test_one_theta_with_several_batches_gives_one_result_per_batch(steps):
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
def test_the_maml_gradient_of_a_linear_model_is_a_power_of_one_matrix(steps):
    """In least squares H = 2 X'X / K is constant: k steps multiply the distance to the solution by
    (I - alpha H)^k, and MAML multiplies the query gradient by the same matrix."""
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
def test_expectations_over_minibatches_agree_with_the_reptile_paper(method, steps):
    model, theta, minibatches = problem(sizes=(1, 4, 1), tasks=3, shots=2)
    x, y = minibatches[:2]
    G = np.mean([model.grad(theta, *pair) for pair in zip(x, y)], axis=0)
    I = np.mean([model.hvp(theta, *pair, G) for pair in zip(x, y)], axis=0)
    # every ordered draw of one minibatch per step and one for the query set, as one task each: 27
    # or 81 tasks
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


def test_the_inner_loop_hands_out_a_gradient_only_where_it_is_kept():
    """Elsewhere the next theta is written over it, and to use it would be wrong in silence."""
    model, theta, batch = problem()
    arguments = (model, theta[None], batch.x_support, batch.y_support, 0.1, 3)
    kept = [*tm.meta.inner_loop(*arguments, keep_grad=True)]
    over = [*tm.meta.inner_loop(*arguments)]
    place = theta[None]
    for (after, step), (same, without) in zip(kept, over):
        gradient = [
            model.grad(row, x, y)
            for row, x, y in zip(
                np.broadcast_to(place, after.shape), batch.x_support, batch.y_support
            )
        ]
        assert relative_error(step.grad, np.stack(gradient)) <= 1e-12
        assert np.array_equal(after, same) and without.grad is None
        place = after
