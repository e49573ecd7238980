"""The promises that every public function makes about its arguments: it leaves them as they are,
theta decides the dtype, and an error names the argument that does not fit.

All functions share the checks of tinymeta/_validate.py, so that not every function is tried with
every wrong argument: `each_once` tries every function and every wrong argument at least once."""

import re

import numpy as np
import pytest
from helpers import METHODS, PUBLIC, arrays, each_once, first_task, pairwise, problem

import tinymeta as tm
from tinymeta.losses import LOSSES
from tinymeta.mlp import ACTIVATIONS

EVERY_FUNCTION = pytest.mark.parametrize("function", PUBLIC.values(), ids=PUBLIC)


# Arguments stay as they are


@EVERY_FUNCTION
def test_arguments_may_be_read_only_and_are_not_changed(function):
    model, theta, batch = problem(criterion="cross_entropy")
    want = [array.copy() for array in (theta, *batch)]
    for array in (theta, *batch):
        array.setflags(write=False)
    function(model, theta, batch)
    assert all(map(np.array_equal, (theta, *batch), want))


@EVERY_FUNCTION
def test_results_share_no_memory_with_arguments_or_other_results(function):
    for tasks in (1, 3):  # a mean over one task could be a view of it
        model, theta, batch = problem(tasks=tasks)
        first = arrays(function(model, theta, batch))
        kept = [np.copy(array) for array in first]
        second = arrays(function(model, theta + 1, batch))
        assert all(map(np.array_equal, first, kept))
        for result in (*first, *second):
            assert not any(
                np.shares_memory(result, other)
                for other in (theta, *batch, *first, *second)
                if other is not result
            )


@EVERY_FUNCTION
def test_calling_twice_gives_the_same_digits(function):
    model, theta, batch = problem()
    first = arrays(function(model, theta, batch))
    function(model, 2 * theta, batch)  # a call in between must not change the next one
    assert all(map(np.array_equal, arrays(function(model, theta, batch)), first))


@EVERY_FUNCTION
def test_results_do_not_depend_on_the_strides_of_the_arguments(function):
    model, theta, batch = problem(replicas=(3,))
    strided = np.repeat(theta, 2, axis=-1)[..., ::2]
    backwards = tm.TaskBatch(*(array[:, ::-1].copy()[:, ::-1] for array in batch))
    for got, want in zip(
        arrays(function(model, strided[0], backwards)), arrays(function(model, theta[0], batch))
    ):
        assert np.allclose(got, want, rtol=1e-12, atol=0)
    columns = np.asfortranarray(theta)
    for got, want in zip(
        arrays(function(model, columns, batch)), arrays(function(model, theta, batch))
    ):
        assert np.allclose(got, want, rtol=1e-12, atol=0)


def test_lists_are_accepted_in_place_of_arrays():
    model, theta, batch = problem()
    x, y = first_task(batch)
    lists = theta.tolist(), x.tolist(), y.tolist()
    assert model.loss(*lists) == model.loss(theta, x, y)
    assert np.array_equal(model.hvp(*lists, theta.tolist()), model.hvp(theta, x, y, theta))
    of_lists = tm.TaskBatch(*(array.tolist() for array in batch))
    assert np.array_equal(
        tm.maml_grad(model, theta.tolist(), of_lists, 0.1)[1],
        tm.maml_grad(model, theta, batch, 0.1)[1],
    )


# dtype


@pytest.mark.parametrize(
    "name, criterion, activation, dtype",
    pairwise([*PUBLIC], [*LOSSES], [*ACTIVATIONS], ["float32", "float64"]),
)
def test_theta_decides_the_dtype(name, criterion, activation, dtype):
    model, theta, batch = problem(criterion=criterion, activation=activation)
    for data in (np.float32, np.float64, int):
        data_batch = tm.TaskBatch(*(array.astype(data) for array in batch))
        results = arrays(PUBLIC[name](model, theta.astype(dtype), data_batch))
        assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.parametrize("method", METHODS)
def test_rates_of_any_dtype_leave_float32_as_it_is(method):
    model, theta, batch = problem()
    for rate in (np.float64(0.1), np.array(0.1), np.full(49, 0.1), 1):
        for result in method(model, theta.astype(np.float32), batch, rate, 2, 3):
            assert result.dtype == np.float32


@pytest.mark.parametrize(
    "name, dtype",
    each_once(
        [name for name in PUBLIC if name not in ("SGD", "Adam")], ["int", "bool", "float16", ">f8"]
    ),
)
def test_real_numbers_of_other_dtypes_become_float64(name, dtype):
    model, theta, batch = problem()
    theta = (theta > 0).astype(dtype)
    for got, want in zip(
        arrays(PUBLIC[name](model, theta, batch)),
        arrays(PUBLIC[name](model, theta.astype(float), batch)),
    ):
        assert got.dtype == np.float64 and np.array_equal(got, want)


@pytest.mark.parametrize("method", METHODS)
def test_float32_agrees_with_float64_to_five_digits(method):
    model, theta, batch = problem()
    for narrow, wide in zip(
        method(model, theta.astype(np.float32), batch, 0.1, 2), method(model, theta, batch, 0.1, 2)
    ):
        assert np.linalg.norm(narrow - wide) < 1e-5 * np.linalg.norm(wide)


# Errors: which argument, what was expected, what was passed

MODEL, THETA, BATCH = problem(sizes=(1, 4, 1), shots=5, query=4, tasks=3)  # P = 13
X, Y = first_task(BATCH)
XS, YS, XQ, YQ = BATCH

MODELS = {
    "no widths": (
        lambda: tm.MLP([]),
        r"sizes: expected at least two positive whole numbers.*got \[\]",
    ),
    "widths as words": (lambda: tm.MLP(["1", "1"]), r"sizes: .*got \['1', '1'\]"),
    "True for a width": (lambda: tm.MLP([1, True]), r"sizes: .*got \[1, True\]"),
    "no widths at all": (lambda: tm.MLP(None), r"sizes: .*got None"),
    "one width": (
        lambda: tm.MLP([3]),
        r"sizes: expected at least two positive whole numbers.*got \[3\]",
    ),
    "a width of 0": (lambda: tm.MLP([1, 0, 1]), r"sizes: .*got \[1, 0, 1\]"),
    "a negative width": (lambda: tm.MLP([1, -4, 1]), r"sizes: .*got \[1, -4, 1\]"),
    "a width of 4.5": (lambda: tm.MLP([1, 4.5, 1]), r"sizes: .*got \[1, 4.5, 1\]"),
    "a number for widths": (lambda: tm.MLP(3), r"sizes: .*got 3"),
    "a word for widths": (lambda: tm.MLP("12"), r"sizes: .*got '12'"),
    "an unknown activation": (
        lambda: tm.MLP([1, 1], "gelu"),
        "activation: expected one of 'relu', 'tanh', 'sigmoid', 'softplus'; got 'gelu'",
    ),
    "an activation as a function": (
        lambda: tm.MLP([1, 1], np.tanh),
        "activation: expected one of 'relu', 'tanh', 'sigmoid', 'softplus'; got <ufunc",
    ),
    "no activation": (
        lambda: tm.MLP([1, 1], None),
        "activation: expected one of 'relu', 'tanh', 'sigmoid', 'softplus'; got None",
    ),
    "an unknown criterion": (
        lambda: tm.MLP([1, 1], criterion="hinge"),
        "criterion: expected one of 'mse', 'cross_entropy', 'weighted_mse', "
        "'weighted_cross_entropy'; got 'hinge'",
    ),
    "an unknown scheme": (
        lambda: tm.MLP([1, 1]).init(np.random.default_rng(0), scheme="he"),
        "scheme: expected one of 'uniform', 'truncated_normal'; got 'he'",
    ),
    "a seed for a generator": (
        lambda: tm.MLP([1, 1]).init(0),
        r"rng: expected a NumPy Generator, such as np.random.default_rng\(seed\); got 0",
    ),
    "an unknown metric": (
        lambda: tm.adaptation_curve(MODEL, THETA, BATCH, 0.1, 1, metric="error"),
        "metric: expected one of 'loss', 'accuracy'; got 'error'",
    ),
}


@pytest.mark.parametrize("call, message", MODELS.values(), ids=MODELS)
def test_a_wrong_argument_of_a_model_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def with_entry(array, place, value):
    array = array.copy()
    array[place] = value
    return array


# theta, x, y that do not fit MODEL, a perceptron of 1-4-1 with 13 parameters
POINTS = {
    "y (K,) against x (K, 1)": (
        THETA,
        X,
        Y[:, 0],
        r"y: expected shape \(5, 1\), as x is \(5, 1\); got \(5,\); a column .* y\[\.\.\., None\]",
    ),
    "x (K,)": (
        THETA,
        X[:, 0],
        Y,
        r"x: expected shape \(\.\.\., K, 1\) .*; got \(5,\); a column of points is x\[:, None\]",
    ),
    "x (K,) and y (K,)": (
        THETA,
        X[:, 0],
        Y[:, 0],
        r"x: expected shape \(\.\.\., K, 1\) .*got \(5,\)",
    ),
    "x transposed": (THETA, X.T, Y, r"x: expected shape \(\.\.\., K, 1\) .*; got \(1, 5\)"),
    "y transposed": (THETA, X, Y.T, r"y: expected shape \(5, 1\).*; got \(1, 5\)"),
    "x too wide": (
        THETA,
        np.ones((5, 2)),
        Y,
        r"x: expected shape \(\.\.\., K, 1\) for MLP\(\[1, 4, 1\].*; got \(5, 2\)",
    ),
    "y too wide": (THETA, X, np.ones((5, 2)), r"y: expected shape \(5, 1\).*; got \(5, 2\)"),
    "y shorter": (THETA, X, Y[:4], r"y: expected shape \(5, 1\).*; got \(4, 1\)"),
    "a single y": (THETA, X, Y[:1], r"y: expected shape \(5, 1\).*; got \(1, 1\)"),
    "a number for y": (THETA, X, 1.0, r"y: expected shape \(5, 1\).*; got \(\)"),
    "a number for x": (THETA, 1.0, Y, r"x: expected shape .*; got \(\)"),
    "y without x's leading axis": (THETA, XS, Y, r"y: expected shape \(3, 5, 1\).*; got \(5, 1\)"),
    "x without y's leading axis": (THETA, X, YS, r"y: expected shape \(5, 1\).*; got \(3, 5, 1\)"),
    "no points": (THETA, X[:0], Y[:0], r"x: expected at least one point.*; got shape \(0, 1\)"),
    "theta too short": (
        THETA[:12],
        X,
        Y,
        r"theta: expected shape \(\.\.\., 13\) for MLP\(\[1, 4, 1\].*; got \(12,\)",
    ),
    "theta a column": (
        THETA[:, None],
        X,
        Y,
        r"theta: expected shape \(\.\.\., 13\) .*; got \(13, 1\)",
    ),
    "a number for theta": (1.0, X, Y, r"theta: expected shape \(\.\.\., 13\) .*; got \(\)"),
    "theta's leading axes": (
        np.ones((2, 13)),
        XS,
        YS,
        r"theta: its leading axes \(2,\) do not broadcast with \(3,\) of x",
    ),
    "words for theta": (["a"] * 13, X, Y, "theta: expected real numbers; got an array of <U1"),
    "words for x": (THETA, X.astype(str), Y, "x: expected real numbers; got an array of <U"),
    "objects for y": (
        THETA,
        X,
        Y.astype(object),
        "y: expected real numbers; got an array of object",
    ),
    "complex x": (THETA, 1j * X, Y, "x: expected real numbers; got an array of complex128"),
    "dates for x": (
        THETA,
        X.astype("M8[s]"),
        Y,
        "x: expected real numbers; got an array of datetime64",
    ),
    "objects for theta": (
        THETA.astype(object),
        X,
        Y,
        "theta: expected real numbers; got an array of object",
    ),
    "rows of different lengths": (
        THETA,
        [[1.0], [1.0, 2.0]],
        Y,
        "x: expected (an array of numbers; got list|real numbers; got an array of object)",
    ),
    "nan in x": (
        THETA,
        with_entry(X, (2, 0), np.nan),
        Y,
        r"x: expected finite numbers; got nan at \(2, 0\)",
    ),
    "inf in y": (
        THETA,
        X,
        with_entry(Y, (3, 0), -np.inf),
        r"y: expected finite numbers; got -inf at \(3, 0\)",
    ),
    "nan in theta": (
        with_entry(THETA, 7, np.nan),
        X,
        Y,
        r"theta: expected finite numbers; got nan at \(7,\).* a smaller rate",
    ),
    "inf in complex theta": (
        with_entry(THETA + 0j, 7, np.inf),
        X,
        Y,
        r"theta: expected finite numbers; got \(?inf\+0j\)? at \(7,\)",
    ),
    "theta of no replicas": (
        np.ones((0, 13)),
        X,
        Y,
        r"theta: expected at least one replica; got shape \(0, 13\)",
    ),
    "theta of another network": (
        tm.MLP([1, 5, 1]).init(np.random.default_rng(0)),
        X,
        Y,
        r"theta: expected .*; got \(16,\); is it of another network\?",
    ),
    "complex y": (THETA, X, 1j * Y, "y: expected real numbers; got an array of complex128"),
}


@pytest.mark.parametrize("theta, x, y, message", POINTS.values(), ids=POINTS)
def test_points_or_parameters_that_do_not_fit_are_named(theta, x, y, message):
    for call in (MODEL.loss, MODEL.grad, lambda *args: MODEL.hvp(*args, THETA)):
        with pytest.raises(ValueError, match=message):
            call(theta, x, y)


@pytest.mark.parametrize(
    "case",
    [
        "x (K,)",
        "x transposed",
        "x too wide",
        "a number for x",
        "no points",
        "theta too short",
        "theta's leading axes",
        "nan in x",
        "nan in theta",
        "complex x",
    ],
)
def test_predict_names_the_argument_that_does_not_fit(case):
    theta, x, _, message = POINTS[case]
    with pytest.raises(ValueError, match=message):
        MODEL.predict(theta, x)


DIRECTIONS = {
    "v too short": (THETA[:12], r"v: expected shape \(\.\.\., 13\) .*; got \(12,\)"),
    "a number for v": (1.0, r"v: expected shape \(\.\.\., 13\) .*; got \(\)"),
    "inf in v": (with_entry(THETA, 4, np.inf), r"v: expected finite numbers; got inf at \(4,\)"),
    "words for v": (["a"] * 13, "v: expected real numbers"),
    "complex v": (1j * THETA, "v: expected real numbers; got an array of complex128"),
    "v's leading axes": (
        np.ones((2, 13)),
        r"v: its leading axes \(2,\) do not broadcast with \(3,\)",
    ),
}


@pytest.mark.parametrize("v, message", DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_direction_that_does_not_fit_is_named(v, message):
    with pytest.raises(ValueError, match=message):
        MODEL.hvp(THETA, XS, YS, v)


# Batches

OF_BATCHES = {
    **{method.__name__: method for method in METHODS},
    "meta_loss": tm.meta_loss,
    "adaptation_curve": tm.adaptation_curve,
}
EVERY_FUNCTION_OF_BATCHES = pytest.mark.parametrize("function", OF_BATCHES.values(), ids=OF_BATCHES)


@pytest.mark.parametrize("name, kind", each_once([*OF_BATCHES], ["tuple", "ndarray", "NoneType"]))
def test_a_value_that_is_no_batch_is_refused_with_its_type(name, kind):
    value = {"tuple": tuple(BATCH), "ndarray": XS, "NoneType": None}[kind]
    with pytest.raises(
        ValueError, match=rf"batch: expected a TaskBatch\(x_support, .*\); got {kind}"
    ):
        OF_BATCHES[name](MODEL, THETA, value, 0.1, 1)


# Numbers that are not finite: the error names the argument and the first place in it

NOT_FINITE = {
    "x_support": ((2, 0, 0), np.nan),
    "y_support": ((1, 4, 0), np.inf),
    "x_query": ((0, 3, 0), np.inf),
    "y_query": ((2, 1, 0), -np.inf),
}


USED = [  # joint training and Reptile use no query set
    (name, field)
    for name in OF_BATCHES
    for field in NOT_FINITE
    if name not in ("joint_grad", "reptile_grad") or field.endswith("support")
]


@pytest.mark.parametrize(
    "name, field, activation",
    [(*used, activation) for used, activation in each_once(USED, [*ACTIVATIONS])],
)
def test_an_entry_of_the_batch_that_is_not_finite_is_named_with_its_place(name, field, activation):
    model, (place, value) = tm.MLP([1, 4, 1], activation), NOT_FINITE[field]
    array = with_entry(getattr(BATCH, field), place, value)
    array[2, -1] = np.nan  # a later place
    message = rf"^{field}: expected finite numbers; got {value} at {re.escape(str(place))}$"
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        OF_BATCHES[name](model, THETA, BATCH._replace(**{field: array}), 0.1, 1)


@pytest.mark.parametrize(
    "name, value, place, activation",
    pairwise([*OF_BATCHES], [np.nan, np.inf], [0, 12], ["relu", "tanh"]),
)
def test_a_theta_that_is_not_finite_is_named(name, value, place, activation):
    model, theta = tm.MLP([1, 4, 1], activation), with_entry(THETA, place, value)
    message = rf"^theta: expected finite numbers; got {value} at \({place},\)"
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        OF_BATCHES[name](model, theta, BATCH, 0.1, 1)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            dict(x=with_entry(XS, (0, 1, 0), np.inf)),
            r"^x: expected finite numbers; got inf at \(0, 1, 0\)",
        ),
        (
            dict(y=with_entry(YS, (2, 0, 0), np.nan)),
            r"^y: expected finite numbers; got nan at \(2, 0, 0\)",
        ),
        (
            dict(theta=with_entry(THETA, 3, np.nan)),
            r"^theta: expected finite numbers; got nan at \(3,\)",
        ),
    ],
)
def test_adapt_names_the_argument_that_is_not_finite(change, message):
    with pytest.raises(ValueError, match=message):
        tm.adapt(
            MODEL, **{"theta": THETA, "x": XS, "y": YS, "inner_lr": 0.1, "inner_steps": 1, **change}
        )


def test_divergence_from_finite_arguments_raises_no_error():
    with np.errstate(all="ignore"):
        for method in METHODS[1:]:
            assert not np.isfinite(method(MODEL, THETA, BATCH, 1e300, 3)[1]).all()
        assert not np.isfinite(tm.meta_loss(MODEL, THETA, BATCH, 1e300, 3))
        assert not np.isfinite(tm.adapt(MODEL, THETA, XS, YS, 1e300, 3)).all()


def test_finite_numbers_with_infinite_squares_are_accepted():
    large = X * 1e200  # the fast path of the check squares them
    assert np.isfinite(MODEL.predict(THETA, large)).all()


# Labels

CLASSIFIER, THETA_3, BATCH_3 = problem(sizes=(1, 4, 3), criterion="cross_entropy")
LABELS = {
    "half and half": [0.5, 0.5, 0.0],
    "two ones": [1.0, 1.0, 0.0],
    "none": [0.0, 0.0, 0.0],
    "a two": [2.0, 0.0, 0.0],
    "a minus one": [1.0, -1.0, 0.0],
    "a little more": [1.0, 1e-9, 0.0],
}


@pytest.mark.parametrize("row", LABELS.values(), ids=LABELS)
def test_labels_that_are_not_one_hot_rows_are_named(row):
    for field in ("y_support", "y_query"):
        spoiled = BATCH_3._replace(**{field: with_entry(getattr(BATCH_3, field), (1, 2), row)})
        for function in OF_BATCHES.values():
            with pytest.raises(
                ValueError,
                match=rf"{field}: expected one-hot rows, a single 1 among zeros; "
                r"got \[.*\] at \(1, 2\)",
            ):
                function(CLASSIFIER, THETA_3, spoiled, 0.1, 1)
    with pytest.raises(ValueError, match=r"y: expected one-hot rows, .* at \(0,\)"):
        CLASSIFIER.loss(THETA_3, BATCH_3.x_query[0, :1], [row])


def test_the_error_for_class_numbers_says_how_to_make_one_hot_rows():
    with pytest.raises(
        ValueError,
        match=r"y: expected shape \(4, 3\), as x is \(4, 1\); got \(4,\); "
        r"one-hot rows are np.eye\(3\)\[y\]",
    ):
        CLASSIFIER.loss(THETA_3, BATCH_3.x_query[0], [0, 1, 2, 1])


# Changes after which BATCH does not fit the model
BATCHES = {
    "y_support (T, K)": (
        dict(y_support=YS[..., 0]),
        r"y_support: expected shape \(3, 5, 1\), as x_support is \(3, 5, 1\); got \(3, 5\)",
    ),
    "y_query (T, K)": (
        dict(y_query=YQ[..., 0]),
        r"y_query: expected shape \(3, 4, 1\), as x_query is \(3, 4, 1\); got \(3, 4\)",
    ),
    "x_support (T, K)": (
        dict(x_support=XS[..., 0]),
        r"x_support: expected shape \(\.\.\., K, 1\) .*; got \(3, 5\)",
    ),
    "x_query (T, K)": (
        dict(x_query=XQ[..., 0]),
        r"x_query: expected shape \(\.\.\., K, 1\) .*; got \(3, 4\)",
    ),
    "y_support shorter": (
        dict(y_support=YS[:, :4]),
        r"y_support: expected shape \(3, 5, 1\).*; got \(3, 4, 1\)",
    ),
    "y_query of one point": (
        dict(y_query=YQ[:, :1]),
        r"y_query: expected shape \(3, 4, 1\).*; got \(3, 1, 1\)",
    ),
    "no tasks axis": (
        dict(x_support=X, y_support=Y),
        r"x_support: expected a tasks axis, \(\.\.\., T, K, 1\); got \(5, 1\)",
    ),
    "no tasks axis to query": (
        dict(x_query=X, y_query=Y),
        r"x_query: expected a tasks axis, \(\.\.\., T, K, 1\); got \(5, 1\)",
    ),
    "fewer query tasks": (
        dict(x_query=XQ[:2], y_query=YQ[:2]),
        r"x_query: expected the tasks of x_support, \(3,\); got \(2,\)",
    ),
    "a single query task": (
        dict(x_query=XQ[:1], y_query=YQ[:1]),
        r"x_query: expected the tasks of x_support, \(3,\); got \(1,\)",
    ),
    "no tasks": (
        dict(zip(BATCH._fields, (array[:0] for array in BATCH))),
        r"x_support: expected at least one point and one task; got shape \(0, 5, 1\)",
    ),
    "no query points": (
        dict(x_query=XQ[:, :0], y_query=YQ[:, :0]),
        r"x_query: expected at least one point and one task; got shape \(3, 0, 1\)",
    ),
}


@pytest.mark.parametrize("name, case", each_once([*OF_BATCHES], [*BATCHES]))
def test_the_array_of_a_batch_that_does_not_fit_is_named(name, case):
    change, message = BATCHES[case]
    with pytest.raises(ValueError, match=message):
        OF_BATCHES[name](MODEL, THETA, BATCH._replace(**change), 0.1, 1)


@EVERY_FUNCTION_OF_BATCHES
def test_replicas_that_do_not_fit_the_batch_are_named(function):
    batch = tm.TaskBatch(*(np.stack((array, array)) for array in BATCH))
    with pytest.raises(
        ValueError,
        match=r"theta: its leading axes \(3,\) do not broadcast with \(2,\) of x_support",
    ):
        function(MODEL, np.ones((3, 13)), batch, 0.1, 1)


@pytest.mark.parametrize(
    "name, shape", each_once([*OF_BATCHES], [(3,), (13, 1), (2, 13), (12,), (1, 1, 13)])
)
def test_a_rate_that_does_not_fit_theta_is_named(name, shape):
    with pytest.raises(
        ValueError,
        match=r"inner_lr: expected a number or a shape that broadcasts against theta "
        r"\(13,\); got \(",
    ):
        OF_BATCHES[name](MODEL, THETA, BATCH, np.full(shape, 0.1), 1)


@pytest.mark.parametrize("shape", [(3, 13), (2, 12), (3, 1), (1, 2, 13)])
def test_a_rate_that_does_not_fit_the_replicas_is_named(shape):
    with pytest.raises(ValueError, match=r"inner_lr: expected .* against theta \(2, 13\); got "):
        tm.maml_grad(MODEL, np.stack((THETA, THETA)), BATCH, np.full(shape, 0.1))


@pytest.mark.parametrize(
    "name, rate", each_once([*OF_BATCHES], [-0.1, -1, np.float64(-0.1), np.array(-0.1)])
)
def test_a_negative_number_for_a_rate_is_named(name, rate):
    with pytest.raises(ValueError, match="inner_lr: expected a number of at least 0; got .*-[01]"):
        OF_BATCHES[name](MODEL, THETA, BATCH, rate, 1)


@pytest.mark.parametrize(
    "name, rate", each_once([*OF_BATCHES], [np.nan, np.inf, -np.inf, with_entry(THETA, 5, np.nan)])
)
def test_a_rate_that_is_not_finite_is_named(name, rate):
    got = r"nan at \(5,\)" if np.ndim(rate) else rate
    with pytest.raises(ValueError, match=rf"inner_lr: expected finite numbers; got {got}$"):
        OF_BATCHES[name](MODEL, THETA, BATCH, rate, 1)


def test_a_rate_too_large_for_float32_is_named():
    with pytest.raises(ValueError, match="inner_lr: expected finite numbers; got inf"):
        tm.maml_grad(MODEL, THETA.astype(np.float32), BATCH, 1e39)
    tm.adapt(MODEL, THETA.astype(np.float32), XS, YS, 1e38, 0)


@pytest.mark.parametrize("name, rate", each_once([*OF_BATCHES], [0, 0.0, np.array(0.0)]))
def test_a_rate_of_0_is_accepted(name, rate):
    for got, want in zip(
        arrays(OF_BATCHES[name](MODEL, THETA, BATCH, rate, 1)),
        arrays(OF_BATCHES[name](MODEL, THETA, BATCH, np.zeros(13), 1)),
    ):
        assert np.array_equal(got, want)


@EVERY_FUNCTION_OF_BATCHES
def test_rates_in_an_array_may_be_negative(function):
    assert np.isfinite(arrays(function(MODEL, THETA, BATCH, -0.1 * np.ones(13), 1))[0]).all()


@pytest.mark.parametrize("rate", [None, "0.1", 0.1j])
def test_a_rate_that_is_not_a_real_number_is_named(rate):
    with pytest.raises(ValueError, match="inner_lr: expected real numbers; got an array of "):
        tm.maml_grad(MODEL, THETA, BATCH, rate)


def test_a_rate_may_have_any_shape_that_broadcasts_against_theta():
    theta = np.stack((THETA, -THETA))
    want = tm.maml_grad(MODEL, theta, BATCH, 0.1, 2)[1]
    for shape in ((), (1,), (13,), (1, 1), (2, 1), (1, 13), (2, 13)):
        assert np.array_equal(tm.maml_grad(MODEL, theta, BATCH, np.full(shape, 0.1), 2)[1], want)


@pytest.mark.parametrize(
    "name, steps",
    each_once([*OF_BATCHES], [-1, 1.5, True, np.True_, "1", None, np.array(1.5), np.array([1, 2])]),
)
def test_a_number_of_steps_that_is_not_a_whole_number_is_named(name, steps):
    argument = "steps" if name == "adaptation_curve" else "inner_steps"
    message = f"^{argument}: expected a whole number of at least 0; got "
    with pytest.raises(ValueError, match=message):
        OF_BATCHES[name](MODEL, THETA, BATCH, 0.1, steps)


@pytest.mark.parametrize("steps", [np.int64(2), np.uint8(2), np.array(2)], ids=repr)
def test_numpys_whole_numbers_are_accepted_as_steps(steps):
    for function in OF_BATCHES.values():
        for got, want in zip(
            arrays(function(MODEL, THETA, BATCH, 0.1, steps)),
            arrays(function(MODEL, THETA, BATCH, 0.1, 2)),
        ):
            assert np.array_equal(got, want)


@pytest.mark.parametrize("method, minibatch", each_once(METHODS, [6, 0, -1, 2.0, True]))
def test_a_minibatch_that_does_not_fit_is_named(method, minibatch):
    most, least = "at most the 5 support points", "a whole number of at least 1"
    expected = f"minibatch: expected {most if minibatch == 6 else least}; got {minibatch}$"
    with pytest.raises(ValueError, match=expected):
        method(MODEL, THETA, BATCH, 0.1, 1, minibatch)


ADAPT = {
    "x (T, K)": (
        lambda: tm.adapt(MODEL, THETA, XS[..., 0], YS, 0.1, 1),
        r"x: expected shape .*; got \(3, 5\)",
    ),
    "y (T, K)": (
        lambda: tm.adapt(MODEL, THETA, XS, YS[..., 0], 0.1, 1),
        r"y: expected shape \(3, 5, 1\).*; got \(3, 5\)",
    ),
    "no tasks axis": (
        lambda: tm.adapt(MODEL, THETA, X, Y, 0.1, 1),
        r"x: expected a tasks axis, \(\.\.\., T, K, 1\); got \(5, 1\)",
    ),
    "theta too long": (
        lambda: tm.adapt(MODEL, np.ones(14), XS, YS, 0.1, 1),
        r"theta: expected shape \(\.\.\., 13\).*; got \(14,\)",
    ),
    "rates": (
        lambda: tm.adapt(MODEL, THETA, XS, YS, np.ones(3), 1),
        r"inner_lr: expected .* theta \(13,\); got \(3,\)",
    ),
    "steps": (
        lambda: tm.adapt(MODEL, THETA, XS, YS, 0.1, -1),
        "inner_steps: expected a whole number of at least 0; got -1",
    ),
    "minibatch": (
        lambda: tm.adapt(MODEL, THETA, XS, YS, 0.1, 1, 6),
        "minibatch: expected at most the 5 support points; got 6",
    ),
}


@pytest.mark.parametrize("call, message", ADAPT.values(), ids=ADAPT)
def test_adapt_names_the_argument_that_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Optimisers


@pytest.mark.parametrize(
    "optimizer, rate",
    each_once([tm.SGD, tm.Adam], [-1e-3, np.nan, np.inf, "0.1", None, [0.1, 0.2], 1j]),
)
def test_an_outer_rate_has_to_be_a_number_of_at_least_0(optimizer, rate):
    with pytest.raises(ValueError, match="lr: expected a number of at least 0, finite; got "):
        optimizer(rate)


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("beta1", 1, "at least 0, below 1; got 1"),
        ("beta1", -0.1, "at least 0, below 1; got -0.1"),
        ("beta2", 1.5, "at least 0, below 1; got 1.5"),
        ("beta2", "0.9", "at least 0, below 1; got '0.9'"),
        ("eps", -1e-8, "at least 0, finite; got -1e-08"),
        ("eps", np.nan, "at least 0, finite; got nan"),
    ],
)
def test_a_constant_of_adam_outside_its_range_is_named(name, value, expected):
    with pytest.raises(ValueError, match=f"{name}: expected a number of {expected}"):
        tm.Adam(**{name: value})


def test_adams_constants_may_be_0():
    assert tm.Adam(0, 0, 0, 0).lr == 0


@pytest.mark.parametrize("make", [lambda: tm.SGD(0.1), tm.Adam], ids=["SGD", "Adam"])
@pytest.mark.parametrize(
    "grad, message",
    [
        (np.ones(3), r"grad: expected the shape of theta, \(2, 3\); got \(3,\)"),
        (np.ones((2, 1)), r"grad: .*\(2, 3\); got \(2, 1\)"),
        (1.0, r"grad: .*; got \(\)"),
        ([["a"] * 3] * 2, "grad: expected real numbers; got an array of <U1"),
    ],
)
def test_a_gradient_without_thetas_shape_is_named(make, grad, message):
    with pytest.raises(ValueError, match=message):
        make().step(np.ones((2, 3)), grad)


@pytest.mark.parametrize("make", [lambda: tm.SGD(0.1), tm.Adam], ids=["SGD", "Adam"])
def test_an_optimizer_accepts_whole_numbers_and_lists(make):
    assert np.array_equal(
        make().step([1, 2], [3, 4]), make().step(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    )


def test_adam_refuses_the_theta_of_another_network():
    optimizer = tm.Adam()
    optimizer.step(np.ones((2, 3)), np.ones((2, 3)))
    for shape in ((4,), (3,), (1, 3)):
        with pytest.raises(
            ValueError,
            match=r"grad: expected the shape of the steps before, \(2, 3\); got .*; "
            "take a new Adam",
        ):
            optimizer.step(np.ones(shape), np.ones(shape))
