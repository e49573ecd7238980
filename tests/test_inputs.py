"""Data that is silently something else: read by name, converted without overflow, or refused."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from helpers import problem

import tinymeta as tm

MODEL, THETA, BATCH = problem(activation="tanh")
RIGHT = tm.maml_grad(MODEL, THETA, BATCH, 0.1, 2)


class QueryFirst(NamedTuple):
    x_query: np.ndarray
    y_query: np.ndarray
    x_support: np.ndarray
    y_support: np.ndarray


class WithMore(NamedTuple):
    x_support: np.ndarray
    y_support: np.ndarray
    x_query: np.ndarray
    y_query: np.ndarray
    names: tuple = ("a", "b")


@dataclass
class Data:
    y_query: np.ndarray
    x_query: np.ndarray
    y_support: np.ndarray
    x_support: np.ndarray


@pytest.mark.parametrize("kind", [QueryFirst, WithMore, Data, SimpleNamespace])
def test_a_batch_of_another_type_is_read_by_name(kind):
    batch = kind(**BATCH._asdict())
    for got, right in zip(tm.maml_grad(MODEL, THETA, batch, 0.1, 2), RIGHT):
        assert np.array_equal(got, right)
    curve = tm.adaptation_curve(MODEL, THETA, batch, 0.1, 2)
    assert np.array_equal(curve, tm.adaptation_curve(MODEL, THETA, BATCH, 0.1, 2))
    assert tm.meta_loss(MODEL, THETA, batch, 0.1, 2) == tm.meta_loss(MODEL, THETA, BATCH, 0.1, 2)


@pytest.mark.parametrize("field", BATCH._fields)
def test_a_masked_array_is_refused_because_its_mask_would_be_dropped(field):
    masked = np.ma.masked_array(BATCH._asdict()[field], mask=False)
    with pytest.raises(TypeError, match=f"{field}: expected an array without a mask"):
        tm.maml_grad(MODEL, THETA, BATCH._replace(**{field: masked}), 0.1)


def test_so_are_masked_parameters_directions_and_rates():
    mask = np.ma.masked_array(THETA, mask=np.arange(THETA.size) == 3)
    x, y = BATCH.x_support[0], BATCH.y_support[0]
    calls = {
        "theta": lambda: MODEL.grad(mask, x, y),
        "v": lambda: MODEL.hvp(THETA, x, y, mask),
        "inner_lr": lambda: tm.maml_grad(MODEL, THETA, BATCH, abs(mask)),
        "grad": lambda: tm.SGD(0.1).step(THETA, mask),
    }
    for name, call in calls.items():
        with pytest.raises(TypeError, match=f"{name}: expected an array without a mask"):
            call()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_small_integers_do_not_overflow(dtype):
    rng, shots = np.random.default_rng(0), 120
    model, tasks = tm.MLP([1, 3, 1]), tm.SineTasks()
    theta = model.init(rng)
    batch = tasks.sample(np.random.default_rng(1), dtype(2), dtype(shots), dtype(shots))
    plain = tasks.sample(np.random.default_rng(1), 2, shots, shots)
    assert all(map(np.array_equal, batch, plain))
    for got, right in zip(
        tm.maml_grad(model, theta, batch, 0.01, dtype(3), dtype(100)),
        tm.maml_grad(model, theta, plain, 0.01, 3, 100),
    ):
        assert np.array_equal(got, right)


@pytest.mark.parametrize("rate", [True, False, np.True_, np.ones(THETA.size, bool)])
def test_a_truth_value_is_no_rate(rate):
    with pytest.raises(TypeError, match="inner_lr: expected a number"):
        tm.maml_grad(MODEL, THETA, BATCH, rate)
    if not isinstance(rate, np.ndarray):
        with pytest.raises(ValueError, match="lr: expected a number"):
            tm.SGD(rate)


@pytest.mark.parametrize(
    "dtype", [int, np.int32, bool, complex, np.float16, "text", None.__class__]
)
def test_parameters_are_floating_point_numbers_of_32_or_64_bits(dtype):
    """As whole numbers, all of them would be 0."""
    with pytest.raises(ValueError, match="dtype: expected float64 or float32; got"):
        MODEL.init(np.random.default_rng(0), dtype=dtype)


@pytest.mark.parametrize("dtype", [np.float32, "float64", np.dtype("f4")])
def test_both_are_accepted_in_any_spelling(dtype):
    assert MODEL.init(np.random.default_rng(0), dtype=dtype).dtype == np.dtype(dtype)
