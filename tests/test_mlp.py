"""The network: its parameters, its outputs compared with plain Python, its two derivatives compared
with numerical ones, and activations and losses that a user adds."""

import math
import pickle

import numpy as np
import pytest
from helpers import (
    EXACT,
    NUMERICAL,
    WIDE,
    WithoutSecondDerivative,
    first_task,
    meta_gradient_error,
    pairwise,
    points,
    problem,
    structures,
)
from hypothesis import given

import tinymeta as tm
from tinymeta.checks import (
    block_errors,
    central_difference,
    complex_step,
    relative_error,
    taylor_slopes,
)
from tinymeta.losses import LOSSES
from tinymeta.mlp import ACTIVATIONS

EVERY_ACTIVATION = pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "softplus"])
SMOOTH = ["tanh", "sigmoid", "softplus"]  # differences across a kink of ReLU would be off
BOTH_CRITERIA = pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
DEPTHS = pytest.mark.parametrize(
    "sizes", [(2, 3), (2, 5, 3), (1, 5, 4, 2), (3, 4, 1, 4, 2)], ids=str
)
IN_PLAIN_PYTHON = {
    "relu": lambda z: max(z, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "softplus": lambda z: math.log(1 + math.exp(z)),
}


def in_plain_python(model, theta, x, y):
    """Return the outputs and the loss by loops over points and units: theta holds W, row by row,
    then b, layer after layer."""
    f = IN_PLAIN_PYTHON[model.activation]
    outputs, losses = [], []
    for h, target in zip(x.tolist(), y.tolist()):
        parameters = iter(theta.tolist())
        for layer, (d_in, d_out) in enumerate(zip(model.sizes, model.sizes[1:])):
            W = [[next(parameters) for _ in range(d_out)] for _ in range(d_in)]
            z = [sum(h[i] * W[i][j] for i in range(d_in)) + next(parameters) for j in range(d_out)]
            h = [f(q) for q in z] if layer < len(model.sizes) - 2 else z
        outputs.append(h)
        if model.criterion == "mse":
            losses.append(sum((q - t) ** 2 for q, t in zip(h, target)) / len(h))
        else:
            losses.append(math.log(sum(map(math.exp, h))) - h[target.index(1.0)])
    return outputs, sum(losses) / len(losses)


def true_gradient(model, theta, x, y):
    return complex_step(lambda t: model.loss(t, x, y), theta)


def true_hessian(model, theta, x, y):
    return complex_step(lambda t: model.grad(t, x, y), theta)


# Parameters


def test_the_posts_network_has_1761_parameters():
    assert tm.MLP([1, 40, 40, 1]).n_params == 1761


def test_unpack_returns_each_weight_and_bias_once_in_order():
    model = tm.MLP([2, 3, 1])
    (W1, b1), (W2, b2) = model.unpack(np.arange(13.0))
    assert W1.tolist() == [[0, 1, 2], [3, 4, 5]] and b1.tolist() == [6, 7, 8]
    assert W2.tolist() == [[9], [10], [11]] and b2.tolist() == [12]


def test_unpack_returns_views_with_the_leading_axes_of_theta():
    model, theta = tm.MLP([2, 3, 1]), np.zeros((4, 5, 13))
    (W1, b1), (W2, b2) = model.unpack(theta)
    assert [p.shape for p in (W1, b1, W2, b2)] == [(4, 5, 2, 3), (4, 5, 3), (4, 5, 3, 1), (4, 5, 1)]
    for number, p in enumerate((W1, b1, W2, b2)):
        p[1] = number
    assert theta[1].sum() == 5 * (0 * 6 + 1 * 3 + 2 * 3 + 3 * 1) and not theta[[0, 2, 3]].any()


def test_uniform_init_fills_the_range_of_each_layer():
    model = tm.MLP([4, 400, 100])
    (W1, b1), (W2, b2) = model.unpack(model.init(np.random.default_rng(0)))
    for p, fan_in in ((W1, 4), (b1, 4), (W2, 400), (b2, 400)):
        bound = 1 / math.sqrt(fan_in)
        assert -bound <= p.min() < -0.95 * bound and 0.95 * bound < p.max() <= bound
        # four standard errors of the mean of uniform numbers
        assert abs(p.mean()) < 4 * bound / math.sqrt(3 * p.size)


def test_truncated_normal_init_agrees_with_the_maml_papers_code():
    model = tm.MLP([40, 100, 100])
    (W1, b1), (W2, b2) = model.unpack(
        model.init(np.random.default_rng(0), scheme="truncated_normal")
    )
    assert not b1.any() and not b2.any()
    for W in (W1, W2):
        assert 0.0195 < abs(W).max() <= 0.02
        # truncation at two standard deviations leaves 0.88 of one
        assert W.std() == pytest.approx(0.0088, rel=0.05)


@pytest.mark.parametrize("scheme", ["uniform", "truncated_normal"])
def test_init_depends_on_the_generator_and_has_the_dtype_asked_for(scheme):
    model = tm.MLP([1, 4, 1])
    one, same, other = (
        model.init(np.random.default_rng(seed), np.float32, scheme=scheme) for seed in (1, 1, 2)
    )
    assert one.dtype == np.float32 and one.shape == (13,)
    assert np.array_equal(one, same) and not np.array_equal(one, other)


# Models as values


def models():
    return [
        tm.MLP(sizes, activation, criterion)
        for sizes in ([1, 4, 2], [1, 2, 2])
        for activation in ("tanh", "relu")
        for criterion in ("mse", "cross_entropy")
    ]


def test_repr_shows_the_arguments():
    model = tm.MLP((1, 4, 2), "tanh", "cross_entropy")
    assert repr(model) == "MLP([1, 4, 2], activation='tanh', criterion='cross_entropy')"


def test_evaluating_repr_gives_an_equal_model():
    for model in models():
        assert eval(repr(model), {"MLP": tm.MLP}) == model


def test_models_are_equal_and_have_equal_hashes_only_if_their_arguments_are_equal():
    for i, one in enumerate(models()):
        for j, other in enumerate(models()):
            assert (one == other) == (i == j) and (one != other) == (i != j)
            assert (hash(one) == hash(other)) == (i == j)
    assert tm.MLP((1, 4, 2)) == tm.MLP([1, 4, 2]) and tm.MLP([1, 4, 2]) != "MLP([1, 4, 2])"


def test_a_pickled_model_comes_back_equal_although_its_own_activation_is_a_lambda(own_entries):
    for model in (*models(), tm.MLP([2, 3, 1], "softsign", "pseudo_huber")):
        again = pickle.loads(pickle.dumps(model))
        assert again == model and again.activation_fn == model.activation_fn
        theta = model.init(np.random.default_rng(0))
        x = np.ones((2, model.sizes[0]))
        assert np.array_equal(again.predict(theta, x), model.predict(theta, x))


# Values


@EVERY_ACTIVATION
@BOTH_CRITERIA
@DEPTHS
def test_outputs_and_loss_agree_with_plain_python(activation, criterion, sizes):
    model, theta, batch = problem(sizes=sizes, activation=activation, criterion=criterion)
    x, y = first_task(batch)
    outputs, loss = in_plain_python(model, theta, x, y)
    assert relative_error(model.predict(theta, x), outputs) < 1e-14
    assert model.loss(theta, x, y) == pytest.approx(loss, rel=1e-14)


# First derivative


@given(structures())
def test_every_block_of_the_gradient_agrees_with_the_complex_step(structure):
    model, theta, batch = problem(**structure)
    x, y = first_task(batch)
    errors = block_errors(model, model.grad(theta, x, y), true_gradient(model, theta, x, y))
    assert max(errors.values()) <= EXACT, errors


@given(structures(activations=SMOOTH))
def test_the_gradient_agrees_with_the_central_difference_of_the_loss(structure):
    model, theta, batch = problem(**structure)
    x, y = first_task(batch)
    numerical = central_difference(lambda t: model.loss(t, x, y), theta, np.eye(model.n_params))
    assert relative_error(model.grad(theta, x, y), numerical) <= NUMERICAL


@BOTH_CRITERIA
@DEPTHS
def test_the_gradient_with_respect_to_the_input_agrees_with_the_complex_step(sizes, criterion):
    model, theta, batch = problem(sizes=sizes, criterion=criterion)
    x, y = first_task(batch)

    def loss(x):
        return model.loss_fn.value(model.forward(theta, x).z[-1], y)

    tape = model.backprop(theta, x, y).tape
    assert relative_error(tape.input_grad.ravel(), complex_step(loss, x).ravel()) <= EXACT


def test_a_gradient_with_respect_to_the_input_by_a_weight_not_transposed_is_rejected():
    model, theta, batch = problem(sizes=(4, 4, 2))
    x, y = first_task(batch)
    tape = model.backprop(theta, x, y).tape
    wrong = tape.delta[0] @ tape.W[0][:-1]
    assert relative_error(wrong.ravel(), tape.input_grad.ravel()) > WIDE


def test_the_gradient_with_respect_to_the_input_has_the_leading_axes_of_both():
    model, theta, batch = problem(replicas=(2,))
    tape = model.backprop(theta[:, None], batch.x_support, batch.y_support).tape
    for s, t in np.ndindex(2, 3):
        one = model.backprop(theta[s], batch.x_support[t], batch.y_support[t]).tape
        assert relative_error(tape.input_grad[s, t].ravel(), one.input_grad.ravel()) <= EXACT


def test_relu_has_slope_0_at_0():
    model = tm.MLP([1, 1, 1])
    # z = 0 in the hidden unit, and a loss that would fall with it
    theta = np.array([0.0, 0.0, 1.0, 0.0])
    assert model.grad(theta, [[1.0]], [[1.0]]).tolist() == [0, 0, 0, -2]


# Second derivative


@given(structures())
def test_every_block_of_the_hvp_agrees_with_the_complex_step(structure):
    model, theta, batch = problem(**structure)
    x, y = first_task(batch)
    v = np.random.default_rng(structure["seed"]).standard_normal(model.n_params)
    truth = complex_step(lambda t: model.grad(t, x, y), theta, v)
    errors = block_errors(model, model.hvp(theta, x, y, v), truth)
    assert max(errors.values()) <= EXACT, errors


@given(structures(activations=SMOOTH))
def test_the_hvp_agrees_with_the_central_difference_of_the_gradient(structure):
    model, theta, batch = problem(**structure)
    x, y = first_task(batch)
    v = np.random.default_rng(structure["seed"]).standard_normal(model.n_params)
    v /= np.linalg.norm(v)
    numerical = central_difference(lambda t: model.grad(t, x, y), theta, v)
    assert relative_error(model.hvp(theta, x, y, v), numerical) <= NUMERICAL


@EVERY_ACTIVATION
@BOTH_CRITERIA
@DEPTHS
def test_the_hvp_along_every_axis_is_the_dense_symmetric_hessian(activation, criterion, sizes):
    model, theta, batch = problem(sizes=sizes, activation=activation, criterion=criterion)
    x, y = first_task(batch)
    dense = model.hvp(theta, x, y, np.eye(model.n_params))
    assert relative_error(dense, true_hessian(model, theta, x, y)) <= EXACT
    assert relative_error(dense, dense.T) <= EXACT


@BOTH_CRITERIA
def test_the_check_detects_a_missing_second_derivative_of_tanh(criterion):
    right, theta, batch = problem(criterion=criterion)
    x, y = first_task(batch)
    wrong = WithoutSecondDerivative(right.sizes, "tanh", criterion)
    v, truth = np.eye(right.n_params), true_hessian(right, theta, x, y)
    assert relative_error(right.hvp(theta, x, y, v), truth) <= EXACT
    assert relative_error(wrong.hvp(theta, x, y, v), truth) > WIDE  # 0.12 and 0.16


def test_with_relu_the_check_cannot_detect_a_missing_second_derivative():
    right, theta, batch = problem(activation="relu")
    x, y = first_task(batch)
    wrong = WithoutSecondDerivative(right.sizes, "relu", "mse")
    v = np.eye(right.n_params)
    assert relative_error(wrong.hvp(theta, x, y, v), true_hessian(right, theta, x, y)) <= EXACT


@BOTH_CRITERIA
def test_each_derivative_raises_the_order_of_the_taylor_remainder_by_one(criterion):
    model, theta, batch = problem(criterion=criterion)
    x, y = first_task(batch)
    v = np.random.default_rng(1).standard_normal(model.n_params)
    loss, grad, product = (
        lambda t: model.loss(t, x, y),
        model.grad(theta, x, y),
        model.hvp(theta, x, y, v),
    )
    for order, derivatives in ((1, ()), (2, (grad,)), (3, (grad, product))):
        assert taylor_slopes(loss, theta, v, *derivatives) == pytest.approx(order, abs=0.1)


# Activations and losses that a user adds


def modulus(z):
    return np.where(z.real < 0, -z, z)  # abs would drop the imaginary part of a complex step


OWN_ACTIVATIONS = {
    "softsign": (
        lambda z: z / (1 + modulus(z)),
        lambda z: 1 / (1 + modulus(z)) ** 2,
        lambda z: -2 * np.sign(z.real) / (1 + modulus(z)) ** 3,
    ),
    "sine": (np.sin, np.cos, lambda z: -np.sin(z)),
    # the curvature is a plain number
    "square": (lambda z: z**2, lambda z: 2 * z, lambda z: 2.0),
}


def root(outputs, y):
    """Return sqrt(1 + error^2): the pseudo-Huber loss is its mean minus 1."""
    return np.sqrt(1 + (outputs - y) ** 2)


PSEUDO_HUBER = (
    lambda outputs, y: (root(outputs, y) - 1).mean(axis=(-2, -1)),
    lambda outputs, y: (outputs - y) / root(outputs, y) / (y.shape[-2] * y.shape[-1]),
    lambda outputs, y, R: R / root(outputs, y) ** 3 / (y.shape[-2] * y.shape[-1]),
)


@pytest.fixture
def own_entries(monkeypatch):
    for name, entry in OWN_ACTIVATIONS.items():
        monkeypatch.setitem(ACTIVATIONS, name, entry)
    monkeypatch.setitem(LOSSES, "pseudo_huber", PSEUDO_HUBER)


def derivative_errors(model, theta, batch):
    """Return the relative errors of the gradient, the Hessian and the MAML gradient, by the complex
    step."""
    x, y = first_task(batch)
    maml = tm.maml_grad(model, theta, batch, 0.1, 2)[1]
    return {
        "grad": relative_error(model.grad(theta, x, y), true_gradient(model, theta, x, y)),
        "hvp": relative_error(
            model.hvp(theta, x, y, np.eye(model.n_params)), true_hessian(model, theta, x, y)
        ),
        "maml_grad": meta_gradient_error(maml, model, theta, batch, 0.1, 2),
    }


@pytest.mark.parametrize("criterion", ["mse", "cross_entropy", "pseudo_huber"])
@pytest.mark.parametrize("activation", ["relu", "tanh", *OWN_ACTIVATIONS])
def test_all_derivatives_are_right_with_an_added_activation_or_loss(
    activation, criterion, own_entries
):
    model, theta, batch = problem(activation=activation, criterion=criterion)
    errors = derivative_errors(model, theta, batch)
    assert max(errors.values()) <= 1e-12, errors


@pytest.mark.parametrize("activation", OWN_ACTIVATIONS)
def test_the_check_detects_a_wrong_curvature(activation, own_entries, monkeypatch):
    value, slope, curvature = OWN_ACTIVATIONS[activation]
    monkeypatch.setitem(ACTIVATIONS, "wrong", (value, slope, lambda z: 0.5 * curvature(z)))
    errors = derivative_errors(*problem(activation="wrong"))
    assert errors["grad"] <= 1e-12 and errors["hvp"] > WIDE and errors["maml_grad"] > WIDE / 10


def test_the_check_detects_a_wrong_hvp_of_a_loss(own_entries, monkeypatch):
    value, grad, hvp = PSEUDO_HUBER
    monkeypatch.setitem(LOSSES, "wrong", (value, grad, lambda *args: 0.5 * hvp(*args)))
    errors = derivative_errors(*problem(criterion="wrong"))
    assert errors["grad"] <= 1e-12 and errors["hvp"] > WIDE and errors["maml_grad"] > WIDE


# Entries of a table that are not three functions
INCOMPLETE = {
    "two functions": (np.sin, np.cos),
    "None for the third": (np.sin, np.cos, None),
    "a list": [np.sin, np.cos, np.sin],
    "one function": np.sin,
}


@pytest.mark.parametrize("entry", INCOMPLETE.values(), ids=INCOMPLETE)
def test_an_entry_that_is_not_three_functions_is_named(entry, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "mine", entry)
    functions = r"three functions, \(value, slope, curvature\); got "
    with pytest.raises(
        ValueError, match=f"activation: expected the entry of 'mine' to be {functions}"
    ):
        tm.MLP([1, 2, 1], "mine")
    monkeypatch.setitem(LOSSES, "mine", entry)
    functions = r"three functions, \(value, grad, hvp\); got "
    with pytest.raises(
        ValueError, match=f"criterion: expected the entry of 'mine' to be {functions}"
    ):
        tm.MLP([1, 2, 1], criterion="mine")


# Leading axes

# those of theta, of x and y, of v, and of the result
LEADING = {
    "one theta per row": ((3,), (), (), (3,)),
    "one data set per row": ((), (3,), (), (3,)),
    "one direction per row": ((), (), (3,), (3,)),
    "one of each per row": ((3,), (3,), (3,), (3,)),
    "replicas times tasks": ((2, 1), (3,), (1, 3), (2, 3)),
    "replicas with their own tasks": ((2, 1), (2, 3), (), (2, 3)),
    "three axes": ((2, 1, 1), (3, 1), (2,), (2, 3, 2)),
}


@pytest.mark.parametrize(
    "case, sizes, criterion",
    # none, one and two hidden layers
    pairwise([*LEADING], [(2, 3), (1, 3, 2), (2, 4, 3, 2)], ["mse", "cross_entropy"]),
)
def test_results_with_leading_axes_equal_a_loop_over_them(case, sizes, criterion):
    of_theta, of_x, of_v, together = LEADING[case]
    model, rng = tm.MLP(sizes, "tanh", criterion), np.random.default_rng(0)
    theta, v = (rng.uniform(-1, 1, (*lead, model.n_params)) for lead in (of_theta, of_v))
    x, y = points(rng, model, of_x, 4)
    got = (
        model.predict(theta, x),
        model.loss(theta, x, y),
        model.grad(theta, x, y),
        model.hvp(theta, x, y, v),
    )
    without_v = np.broadcast_shapes(of_theta, of_x)
    assert [q.shape for q in got] == [
        (*without_v, 4, sizes[-1]),
        without_v,
        (*without_v, model.n_params),
        (*together, model.n_params),
    ]
    own_axes = {
        "theta": 1,
        "x": 2,
        "y": 2,
        "v": 1,
        "predict": 2,
        "loss": 0,
        "grad": 1,
        "hvp": 1,
    }.values()
    full = [
        np.broadcast_to(q, (*together, *q.shape[q.ndim - n :]))
        for q, n in zip((theta, x, y, v, *got), own_axes)
    ]
    for i in np.ndindex(*together):
        t, x_i, y_i, v_i, *got_i = (q[i] for q in full)
        want = (
            model.predict(t, x_i),
            model.loss(t, x_i, y_i),
            model.grad(t, x_i, y_i),
            model.hvp(t, x_i, y_i, v_i),
        )
        assert max(map(relative_error, got_i, want)) <= 1e-12


def test_leading_axes_of_theta_and_v_that_do_not_fit_are_named():
    model, theta, batch = problem(replicas=(3,))
    with pytest.raises(
        ValueError, match=r"v: its leading axes \(2,\) do not broadcast with \(3,\)"
    ):
        model.hvp(theta, *first_task(batch), theta[:2])
