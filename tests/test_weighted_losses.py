"""Losses with a weight for each point, the last column of y: both derivatives, adaptation and the
meta-gradients, and points that are not there because their weight is 0."""

import numpy as np
import pytest
from helpers import METHODS, WIDE, first_task, meta_gradient_error, problem
from test_mlp import PSEUDO_HUBER
from test_tails import SURE, exact_cross_entropy

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.extras import autopsy
from tinymeta.extras.statistics import best_inner_lr
from tinymeta.extras.variants import MetaSGDModel
from tinymeta.losses import LOSSES, Loss, weighted
from tinymeta.mlp import ACTIVATIONS

BOTH = pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])


def with_weights(y, w):
    """Return y with a last column of weights."""
    return np.concatenate((y, np.broadcast_to(w, y.shape[:-1])[..., None]), axis=-1)


def weighted_problem(criterion, **changes):
    return problem(criterion=f"weighted_{criterion}", **changes)


@BOTH
def test_the_loss_is_the_mean_of_each_points_loss_times_its_weight(criterion):
    model, theta, batch = weighted_problem(criterion)
    plain = tm.MLP(model.sizes, model.activation, criterion)
    x, y = first_task(batch)
    each = [plain.loss(theta, x[[k]], y[[k], :-1]) for k in range(len(x))]
    assert model.loss(theta, x, y) == pytest.approx(np.mean(y[:, -1] * each), rel=1e-14)


@BOTH
def test_weights_of_one_change_nothing(criterion):
    plain, theta, batch = problem(criterion=criterion)
    model = tm.MLP(plain.sizes, plain.activation, f"weighted_{criterion}")
    x, y = first_task(batch)
    for name, *v in (("loss",), ("grad",), ("hvp", theta)):
        want = getattr(plain, name)(theta, x, y, *v)
        got = getattr(model, name)(theta, x, with_weights(y, 1.0), *v)
        assert relative_error(got, want) <= 1e-14


# Against the complex step; the weights of `problem` are of either sign


def errors(model, theta, batch):
    """Return the relative errors of the gradient, the Hessian and the MAML gradient."""
    x, y = first_task(batch)
    gradient = complex_step(lambda t: model.loss(t, x, y), theta)
    hessian = complex_step(lambda t: model.grad(t, x, y), theta)
    maml = tm.maml_grad(model, theta, batch, 0.1, 2)[1]
    return (
        relative_error(model.grad(theta, x, y), gradient),
        relative_error(model.hvp(theta, x, y, np.eye(model.n_params)), hessian),
        meta_gradient_error(maml, model, theta, batch, 0.1, 2),
    )


@BOTH
def test_gradient_hessian_and_maml_gradient_agree_with_the_complex_step(criterion):
    assert max(errors(*weighted_problem(criterion))) <= 1e-12


def test_so_does_any_loss_that_is_a_mean_over_points_and_weights_twice_too(monkeypatch):
    monkeypatch.setitem(LOSSES, "mine", weighted(Loss(*PSEUDO_HUBER)))
    monkeypatch.setitem(LOSSES, "twice", weighted(LOSSES["weighted_mse"]))
    for criterion in ("mine", "twice"):
        model, theta, batch = problem(criterion=criterion)
        assert max(errors(model, theta, batch)) <= 1e-12
    assert batch.y_query.shape[-1] == 2 + 2


SLIPS = {  # each spoils a weighted triple, of which `plain` is the one without weights
    "the gradient forgets the weights": lambda plain, right: right._replace(
        grad=lambda z, y: plain.grad(z, y[..., :-1])
    ),
    "the weights are squared in the gradient": lambda plain, right: right._replace(
        grad=lambda z, y: y[..., -1:] * right.grad(z, y)
    ),
    "each point has the weight of the one before": lambda plain, right: right._replace(
        grad=lambda z, y: np.roll(y[..., -1:], 1, axis=-2) * plain.grad(z, y[..., :-1])
    ),
    "the product forgets the weights": lambda plain, right: right._replace(
        hvp=lambda z, y, R: plain.hvp(z, y[..., :-1], R)
    ),
}


@BOTH
@pytest.mark.parametrize("slip", SLIPS)
def test_the_check_rejects_weights_in_the_wrong_place(criterion, slip, monkeypatch):
    name = f"weighted_{criterion}"
    monkeypatch.setitem(LOSSES, name, SLIPS[slip](LOSSES[criterion], LOSSES[name]))
    gradient, hessian, maml = errors(*weighted_problem(criterion))
    assert hessian > 0.1 and maml > 0.1
    assert gradient <= 1e-12 if slip.startswith("the product") else gradient > 0.1


# Unequal shots


def seven_of_ten(criterion):
    """Return a model, one for weights, a theta, and two batches of three tasks: of seven support
    points, and of the same with three others, far out, last, first or in between: their weight is
    0, and that of the seven 10/7."""
    plain, theta, batch = problem(criterion=criterion, shots=7)
    model = tm.MLP(plain.sizes, plain.activation, f"weighted_{criterion}")
    rng = np.random.default_rng(1)
    x, y, w = 9 * rng.standard_normal((3, 10, 2)), np.zeros((3, 10, 2)), np.zeros((3, 10))
    y[..., 0] = 1
    for task, rows in enumerate(([*range(7)], [*range(3, 10)], [0, 2, 3, 5, 6, 7, 9])):
        x[task, rows], y[task, rows] = batch.x_support[task], batch.y_support[task]
        w[task, rows] = 10 / 7
    padded = tm.TaskBatch(x, with_weights(y, w), batch.x_query, with_weights(batch.y_query, 1.0))
    return plain, model, theta, batch, padded


@BOTH
def test_ten_points_of_which_three_have_the_weight_0_are_a_task_of_seven(criterion):
    plain, model, theta, seven, ten = seven_of_ten(criterion)
    for method in METHODS:
        for got, want in zip(
            method(model, theta, ten, 0.1, 3), method(plain, theta, seven, 0.1, 3)
        ):
            assert relative_error(got, want) <= 1e-13, method.__name__
    adapted = tm.adapt(model, theta, *ten[:2], 0.1, 3)
    assert relative_error(adapted, tm.adapt(plain, theta, *seven[:2], 0.1, 3)) <= 1e-13
    curve = tm.adaptation_curve(model, theta, ten, 0.1, 3)
    assert relative_error(curve, tm.adaptation_curve(plain, theta, seven, 0.1, 3)) <= 1e-13
    product = model.hvp(theta, ten.x_support[0], ten.y_support[0], theta)
    assert relative_error(product, plain.hvp(theta, *first_task(seven), theta)) <= 1e-13


@BOTH
def test_with_weights_of_1_for_the_seven_it_is_seven_tenths_of_the_loss(criterion):
    """The weights are not divided by their sum: those of a policy gradient may sum to 0."""
    plain, model, theta, seven, ten = seven_of_ten(criterion)
    ten.y_support[..., -1] *= 7 / 10
    joint, maml = (
        [method(*args, 0.1) for args in ((model, theta, ten), (plain, theta, seven))]
        for method in (tm.joint_grad, tm.maml_grad)
    )
    for got, want in zip(*joint):
        assert relative_error(got, 0.7 * want) <= 1e-13
    assert relative_error(maml[0][1], maml[1][1]) > WIDE


@BOTH
def test_a_minibatch_of_absent_points_is_no_step(criterion):
    """The five that are there weigh 2: one step at twice the rate, and not two at the rate."""
    plain, theta, batch = problem(criterion=criterion)
    model = tm.MLP(plain.sizes, plain.activation, f"weighted_{criterion}")
    x, y = batch.x_support, batch.y_support
    y_twice = np.concatenate((with_weights(y, 0.0), with_weights(y, 2.0)), axis=-2)
    x_twice = np.concatenate((x, x), axis=-2)
    adapted = tm.adapt(model, theta, x_twice, y_twice, 0.1, 2, x.shape[-2])
    assert relative_error(adapted, tm.adapt(plain, theta, x, y, 0.2, 1)) <= 1e-14
    assert relative_error(adapted, tm.adapt(plain, theta, x, y, 0.1, 2)) > 1e-4


@BOTH
def test_weights_that_sum_to_0_give_differences_of_the_points_gradients(criterion):
    model, theta, batch = weighted_problem(criterion, shots=2)
    plain = tm.MLP(model.sizes, model.activation, criterion)
    x, y = first_task(batch)
    first, second = (plain.grad(theta, x[[k]], y[[k], :-1]) for k in range(2))
    y[:, -1] = 3, -3
    assert relative_error(model.grad(theta, x, y), 3 * (first - second) / 2) <= 1e-14


# All the same: replicas, minibatches, float32, tails


@BOTH
def test_replicas_with_weights_of_their_own_equal_one_call_each(criterion):
    model, theta, batch = weighted_problem(criterion, replicas=(2,), lead=(2,))
    for method in METHODS:
        loss, gradient = method(model, theta, batch, 0.1, 2, 2)
        for s in range(2):
            own = tm.TaskBatch(*(array[s] for array in batch))
            alone = method(model, theta[s], own, 0.1, 2, 2)
            assert relative_error(loss[s], alone[0]) <= 1e-12, method.__name__
            assert relative_error(gradient[s], alone[1]) <= 1e-12, method.__name__


@BOTH
def test_weights_stay_with_their_points_in_minibatches(criterion):
    model, theta, batch = weighted_problem(criterion)
    _, gradient = tm.maml_grad(model, theta, batch, 0.1, 3, 2)
    assert meta_gradient_error(gradient, model, theta, batch, 0.1, 3, 2) <= 1e-12


@BOTH
def test_float32_stays_and_is_near(criterion):
    model, theta, batch = weighted_problem(criterion)
    for got, want in zip(
        tm.maml_grad(model, theta.astype(np.float32), batch, 0.1, 2),
        tm.maml_grad(model, theta, batch, 0.1, 2),
    ):
        assert got.dtype == np.float32 and relative_error(got, want) < 1e-5
    triple, z = model.loss_fn, np.zeros((3, 2), np.float32)
    y = with_weights(np.eye(2, dtype=np.float32)[[0, 1, 1]], np.float32(0.5))
    for result in (triple.value(z, y), triple.grad(z, y), triple.hvp(z, y, z)):
        assert result.dtype == np.float32


@pytest.mark.parametrize("outputs, label", SURE)
def test_a_sure_classifiers_weighted_loss_and_gradient_keep_their_digits(outputs, label):
    """To a point of the weight 0.75 with a tiny loss, one that is not there adds nothing."""
    loss, gradient = exact_cross_entropy(outputs, label)
    n = len(outputs)
    z, y = np.array([outputs, [7.0] * n]), with_weights(np.eye(n)[[label, 0]], [0.75, 0.0])
    triple = LOSSES["weighted_cross_entropy"]
    assert float(triple.value(z, y)) == pytest.approx(0.375 * loss, rel=1e-12)
    want = 0.375 * np.array(gradient)
    assert triple.grad(z, y)[0].tolist() == pytest.approx(want.tolist(), rel=1e-12)
    assert not triple.grad(z, y)[1].any()
    R = np.array([[0.3, -1.7, 0.9][:n]] * 2)
    want = 0.375 * LOSSES["cross_entropy"].hvp(z[:1], y[:1, :-1], R[:1])
    assert relative_error(triple.hvp(z, y, R)[:1], want) <= 1e-14


def test_products_that_underflow_are_0_where_numpy_is_told_to_raise():
    z, y = np.array([[740.0, 0.0]]), np.array([[1.0, 0.0, 0.3]])
    triple = LOSSES["weighted_cross_entropy"]
    with np.errstate(all="raise"):
        for small in (triple.value(z, y), triple.grad(z, y), triple.hvp(z, y, z)):
            assert np.isfinite(small).all() and abs(small).max() < 1e-300


# What is accepted, and what is refused


@BOTH
def test_a_y_of_another_width_is_refused_with_both_numbers(criterion):
    model, theta, batch = weighted_problem(criterion)
    x, y = first_task(batch)
    says = f"weighted_{criterion} takes the outputs' columns, 2, and then 1 more"
    for wrong in (y[:, :-1], with_weights(y, 1.0), y[:, 0]):
        with pytest.raises(ValueError) as error:
            model.loss(theta, x, wrong)
        assert str(error.value).startswith(
            f"y: expected shape (5, 3), as x is (5, 2); got {wrong.shape}"
        )
        assert str(error.value).endswith(says)
    plain = tm.MLP(model.sizes, model.activation, criterion)
    with pytest.raises(
        ValueError, match=r"y_support: expected shape \(3, 5, 2\), .*; got \(3, 5, 3\)$"
    ):
        tm.maml_grad(plain, theta, batch, 0.1)


def test_labels_before_the_weights_are_one_hot_rows_and_weights_are_finite():
    model, theta, batch = weighted_problem("cross_entropy")
    x, y = first_task(batch)
    for column, value, says in (
        (0, 0.5, r"y: expected one-hot rows, .* at \(2,\)"),
        (2, np.nan, r"y: expected finite numbers; got nan at \(2, 2\)"),
    ):
        wrong = y.copy()
        wrong[2, column] = value
        with pytest.raises(ValueError, match=says):
            model.loss(theta, x, wrong)
    with pytest.raises(ValueError, match="at least two outputs for weighted_cross_entropy"):
        tm.MLP([1, 1], criterion="weighted_cross_entropy")


def test_accuracy_is_refused_where_there_are_weights():
    model, theta, batch = weighted_problem("cross_entropy")
    says = (
        "y_query: expected 2 columns, those of the classes; got 3, as weighted_cross_entropy takes"
    )
    with pytest.raises(ValueError, match=f'metric: expected "loss", .*{says} weights'):
        tm.adaptation_curve(model, theta, batch, 0.1, 1, metric="accuracy")
    batch.y_query[..., -1] = 1  # the best rate is then that of the lowest loss
    rate, score = best_inner_lr(model, theta, batch, [0.1, 0.2], 2)
    curves = [tm.adaptation_curve(model, theta, batch, r, 2)[-1].mean() for r in (0.1, 0.2)]
    assert score == min(curves) and rate == (0.1, 0.2)[np.argmin(curves)]


def test_an_entry_is_three_functions_and_at_most_a_number_of_columns(monkeypatch):
    plain = tuple(LOSSES["weighted_mse"])
    monkeypatch.setitem(LOSSES, "mine", plain)
    assert tm.MLP([1, 1], criterion="mine").loss([2.0, 0.0], [[3.0]], [[5.0, 0.5]]) == 0.5
    for table, entry, says in (
        (LOSSES, (*plain, 1), r"\(value, grad, hvp\)"),
        (ACTIVATIONS, (*ACTIVATIONS["tanh"], 1), r"\(value, slope, curvature\)"),
    ):
        monkeypatch.setitem(table, "mine", entry)
        with pytest.raises(ValueError, match=f"'mine' to be three functions, {says}; got"):
            tm.MLP([1, 1], *(["mine"] if table is ACTIVATIONS else ["relu", "mine"]))


@pytest.mark.parametrize("columns", [-1, 0.5, None])
def test_columns_that_are_no_count_are_refused(columns, monkeypatch):
    monkeypatch.setitem(LOSSES, "mine", (*LOSSES["mse"][:3], columns))
    with pytest.raises(
        ValueError, match="columns of 'mine': expected a whole number of at least 0"
    ):
        tm.MLP([1, 1], criterion="mine")


def test_a_model_with_learned_rates_takes_the_weights_of_its_network():
    model, theta, batch = weighted_problem("mse")
    learned = MetaSGDModel(model)
    phi = learned.join(theta, 0.1)
    _, gradient = tm.maml_grad(learned, phi, batch, 1.0, 2)
    assert meta_gradient_error(gradient, learned, phi, batch, 1.0, 2) <= 1e-12


def test_tasks_of_weighted_rows_can_be_trained_on():
    rng, model = np.random.default_rng(0), tm.MLP([1, 4, 1], "tanh", "weighted_mse")
    x = rng.uniform(-1, 1, (60, 1))
    y = with_weights(2 * x, rng.uniform(0, 2, 60))
    rows = tm.tasks.RegressionTasks(x, y, np.repeat(np.arange(6), 10))
    lines = tm.FunctionTasks(
        lambda x, a: np.concatenate((a * x, 1 + x), axis=-1), {"a": (-2, 2)}, x_range=(-1, 1)
    )
    for tasks in (rows, lines):
        theta, history = tm.meta_train(
            tm.maml_grad, model, model.init(rng), tasks, rng=rng,
            iterations=3, meta_batch_size=2, shots=4, inner_lr=0.1,
        )  # fmt: skip
        assert theta.shape == (model.n_params,) and np.isfinite(history).all()


def test_the_autopsy_counts_outputs_without_the_weights():
    model, theta, batch = problem(sizes=(2, 8, 8, 3), criterion="weighted_mse", shots=4, query=5)
    arguments = model, 2 * theta, batch, 0.1, 1
    assert autopsy.examine(tm.maml_grad, *arguments).verdict.startswith("yes: this is MAML,")

    def summed(*args):
        loss, gradient = tm.maml_grad(*args)
        return loss, 3 * gradient

    assert "the number of outputs" in autopsy.examine(summed, *arguments).verdict
