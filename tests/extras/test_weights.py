"""Weights in PyTorch's layout: they compute what the network computes, come back to the last bit,
and whatever is not of the network is refused by name."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinymeta as tm
from tinymeta.extras.variants import MetaSGDModel
from tinymeta.extras.weights import from_layers, to_layers

MODEL = tm.MLP([2, 3, 1])
THETA = np.arange(13.0)
LAYERS = to_layers(MODEL, THETA)


class Tensor:
    """As much of a tensor of PyTorch as NumPy sees: it has a detach, and can be read or not."""

    def __init__(self, array, error=None, requires_grad=False):
        self.array, self.error, self.requires_grad = array, error, requires_grad

    def detach(self):
        return Tensor(self.array)

    def __array__(self, dtype=None, copy=None):
        if self.error:
            raise self.error
        return np.array(self.array, dtype)


def with_part(i, j, value):
    """Return LAYERS with another weight (j = 0) or bias (j = 1) of layer i."""
    layers = [list(pair) for pair in LAYERS]
    layers[i][j] = value
    return layers


# What it computes


def outputs_of(layers, x):
    """Return the outputs of a ReLU network of PyTorch: weight @ x + bias, for one point at a
    time."""
    out = []
    for h in x:
        for i, (weight, bias) in enumerate(layers):
            h = weight @ (np.maximum(h, 0) if i else h) + bias
        out.append(h)
    return np.array(out)


@pytest.mark.parametrize("sizes", [[1, 40, 40, 1], [3, 3], [2, 5, 3]])
def test_the_layers_compute_what_the_model_predicts(sizes):
    rng, model = np.random.default_rng(0), tm.MLP(sizes)
    theta, x = model.init(rng), rng.standard_normal((7, sizes[0]))
    layers = to_layers(model, theta)
    assert np.allclose(outputs_of(layers, x), model.predict(theta, x), rtol=0, atol=1e-12)
    assert np.array_equal(from_layers(model, layers), theta)


def test_a_square_weight_that_is_transposed_would_be_seen_in_the_outputs():
    """The negative control: its shape fits, and theta is another one."""
    rng, model = np.random.default_rng(0), tm.MLP([1, 40, 40, 1])
    theta, x = model.init(rng), rng.standard_normal((7, 1))
    layers = to_layers(model, theta)
    layers[1] = (layers[1][0].T, layers[1][1])
    assert abs(outputs_of(layers, x) - model.predict(theta, x)).max() > 0.01
    assert abs(model.predict(from_layers(model, layers), x) - model.predict(theta, x)).max() > 0.01


# There and back


@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.lists(st.integers(1, 3), max_size=2),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([lambda part: part, np.ndarray.tolist, Tensor]),
    st.integers(0, 2**32 - 1),
)
def test_theta_comes_back_to_the_last_bit(sizes, lead, dtype, wrap, seed):
    model = tm.MLP(sizes)
    theta = np.random.default_rng(seed).standard_normal((*lead, model.n_params)).astype(dtype)
    layers = to_layers(model, theta)
    for (weight, bias), d_in, d_out in zip(layers, sizes, sizes[1:]):
        assert weight.shape == (*lead, d_out, d_in) and bias.shape == (*lead, d_out)
        assert weight.dtype == bias.dtype == dtype
    back = from_layers(model, [(wrap(weight), wrap(bias)) for weight, bias in layers])
    assert back.dtype == (np.float64 if wrap is np.ndarray.tolist else dtype)
    assert np.array_equal(back, theta)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.bool_, np.longdouble])
def test_other_real_numbers_become_float64(dtype):
    ones = np.ones(13, dtype)
    for part in itertools.chain(*to_layers(MODEL, ones)):
        assert part.dtype == np.float64 and part.all()
    theta = from_layers(MODEL, [(W.astype(dtype), b.astype(dtype)) for W, b in LAYERS])
    assert theta.dtype == np.float64
    assert np.array_equal(theta, THETA.astype(dtype))


@pytest.mark.parametrize("sizes", [[2, 3, 1], [1, 4], [1, 1]])
def test_neither_direction_returns_memory_that_is_not_its_own(sizes):
    model = tm.MLP(sizes)
    theta = np.ones(model.n_params)
    layers = to_layers(model, theta)
    back = from_layers(model, layers)
    for part in itertools.chain(*layers):  # also of one input, whose transpose is contiguous
        assert not np.shares_memory(part, theta) and not np.shares_memory(part, back)
        assert part.flags.c_contiguous and part.flags.writeable
    assert not np.shares_memory(back, theta)


def test_pairs_of_the_one_line_for_a_state_dict_and_of_that_for_a_flat_list_are_right():
    names = [f"{i}.{part}" for i in (0, 2) for part in ("weight", "bias")]
    d = dict(zip(names, itertools.chain(*LAYERS)))
    for wrong in (d, [*d.values()]):
        with pytest.raises(TypeError, match="pass ") as raised:
            from_layers(MODEL, wrong)
        line = str(raised.value).partition(" pass ")[2]
        pairs = eval(line, {"d": d, "flat": wrong})
        assert np.array_equal(from_layers(MODEL, pairs), THETA)


# What is refused


W0, B0 = LAYERS[0]
ON_TWO = np.ones((2, 3, 2))  # a weight of two replicas
NO_GRAD = RuntimeError("Can't call numpy() on Tensor that requires grad.")


@pytest.mark.parametrize(
    "layers, error, says",
    [
        (LAYERS[:1], ValueError, "layers: expected 2 pairs (weight, bias), one per layer; got 1"),
        ([*LAYERS, LAYERS[1]], ValueError, "(weight, bias), one per layer; got 3."),
        ([], ValueError, "layers: expected 2 pairs (weight, bias), one per layer; got 0"),
        (iter(LAYERS), TypeError, "layers: expected a list of 2 pairs"),
        (np.ones((2, 2)), TypeError, "one per layer; got ndarray"),
        (None, TypeError, "one per layer; got NoneType"),
        ({}, TypeError, "got dict; of a state_dict d, in the order of its layers, pass [(d[k]"),
        ([W0, B0], TypeError, "layers[0]: expected a pair (weight, bias); got ndarray."),
        ([(W0,), LAYERS[1]], TypeError, "layers[0]: expected a pair (weight, bias); got a tuple"),
        ([*LAYERS[0], *LAYERS[1]], TypeError, "pass list(zip(flat[::2], flat[1::2]))"),
        (
            with_part(0, 0, W0.T),
            ValueError,
            "weight of layers[0]: expected shape (..., 3, 2); got (2, 3); did you mean weight.T? "
            "PyTorch's Linear stores (out, in)",
        ),
        (with_part(0, 0, ON_TWO.swapaxes(1, 2)), ValueError, "mean weight.swapaxes(-1, -2)?"),
        (with_part(0, 0, W0[:, 0]), ValueError, "expected shape (..., 3, 2); got (3,)"),
        (with_part(0, 0, 1.0), ValueError, "expected shape (..., 3, 2); got ()"),
        (with_part(1, 0, np.ones((2, 1, 3))), ValueError, "expected shape (1, 3); got (2, 1, 3)"),
        (with_part(0, 0, ON_TWO), ValueError, "bias of layers[0]: expected shape (2, 3); got (3,)"),
        (with_part(0, 1, B0[None]), ValueError, "expected shape (3,); got (1, 3)"),
        (
            with_part(0, 1, None),
            ValueError,
            "bias of layers[0]: expected shape (3,); got None, as of Linear(bias=False); pass "
            "np.zeros((3,), 'float64')",
        ),
        ([(W0.astype("float32"), None), LAYERS[1]], ValueError, "np.zeros((3,), 'float32')"),
        (with_part(1, 1, [np.nan]), ValueError, "bias of layers[1]: expected finite numbers"),
        (with_part(0, 0, W0 - np.inf), ValueError, "weight of layers[0]: expected finite numbers"),
        (with_part(1, 1, [1j]), ValueError, "bias of layers[1]: expected real numbers"),
        (with_part(1, 1, ["a"]), ValueError, "bias of layers[1]: expected real numbers"),
        (with_part(0, 0, [[1, 2], [3]]), ValueError, "weight of layers[0]: expected an array of"),
        (with_part(0, 1, np.ma.array(B0)), TypeError, "expected an array without a mask"),
        (
            with_part(0, 1, np.ones(3, np.float32)),
            ValueError,
            "bias of layers[0]: expected float64, the dtype of weight of layers[0]; got float32",
        ),
        (
            with_part(0, 0, Tensor(W0, NO_GRAD, requires_grad=True)),
            TypeError,
            "weight of layers[0]: expected numbers that NumPy can read; got Tensor; pass "
            "weight.detach(), as it requires grad",
        ),
        (
            with_part(0, 1, Tensor(B0, TypeError("Got unsupported ScalarType BFloat16"))),
            TypeError,
            "for a tensor pass bias.detach(), .cpu() if on a GPU, .float() if bfloat16; Got unsu",
        ),
        (
            with_part(0, 1, [Tensor(1.0, NO_GRAD, requires_grad=True)] * 3),
            TypeError,
            "bias of layers[0]: expected numbers that NumPy can read; got list; for a tensor pass",
        ),
        (
            [(np.ones((0, 3, 2)), np.ones((0, 3))), (np.ones((0, 1, 3)), np.ones((0, 1)))],
            ValueError,
            "layers: expected at least one replica",
        ),
    ],
)
def test_layers_that_are_not_of_the_model_are_refused_by_name(layers, error, says):
    with pytest.raises(error) as raised:
        from_layers(MODEL, layers)
    message = f"{raised.value}."  # so that a full stop in `says` is the end
    assert says in message and message.count(": expected ") == 1


def test_a_square_weight_with_other_leading_axes_is_not_said_to_be_transposed():
    layers = [(np.eye(2), np.ones(2)), (np.ones((3, 2, 2)), np.ones((3, 2)))]
    with pytest.raises(ValueError, match=re.escape("shape (2, 2); got (3, 2, 2)") + "$"):
        from_layers(tm.MLP([2, 2, 2]), layers)


@pytest.mark.parametrize(
    "theta, error, says",
    [
        (np.ones(12), ValueError, "theta: expected shape (..., 13)"),
        (1.0, ValueError, "theta: expected shape (..., 13)"),
        (np.ones((0, 13)), ValueError, "theta: expected at least one replica"),
        (THETA * 1j, ValueError, "theta: expected real numbers"),
        (THETA / np.inf - np.inf, ValueError, "theta: expected finite numbers"),
        (Tensor(THETA, NO_GRAD, requires_grad=True), TypeError, "pass theta.detach()"),
    ],
)
def test_a_theta_that_is_not_of_the_model_is_refused_by_name(theta, error, says):
    with pytest.raises(error, match=re.escape(says)):
        to_layers(MODEL, theta)


@pytest.mark.parametrize("model", [[2, 3, 1], MetaSGDModel(MODEL)], ids=["sizes", "learned rates"])
def test_a_model_that_is_no_mlp_is_refused(model):
    for call in (to_layers, from_layers):
        with pytest.raises(TypeError, match="model: expected an MLP; got (list|MetaSGDModel)"):
            call(model, THETA)
