"""The one place where arguments are checked: each error names the argument, what was expected and
what was passed. Coercers are called as_..., checks check_...

theta decides the dtype of everything: float32 and complex128 (the latter for numerical checks
alone) stay, all else becomes float64; data and rates are cast to match. Shapes are checked at every
call. That numbers are finite is checked once, where they enter; the meta-gradients, called
thousands of times, look at their results instead."""

import math
import operator
from typing import NamedTuple

import numpy as np

CLASSIFIERS = "cross_entropy", "weighted_cross_entropy"  # criteria for one-hot rows


class NotFinite(ValueError):
    """A number is nan or infinite; `replicas` are the indices of its replicas, where known."""

    def __init__(self, message, replicas=()):
        super().__init__(message)
        self.replicas = list(replicas)


def as_sizes(value):
    """Return at least two positive whole numbers, as a tuple."""
    try:
        widths = tuple(check_count("sizes", n) for n in value)
    except (TypeError, ValueError):
        widths = ()
    if len(widths) < 2:
        raise ValueError(
            "sizes: expected at least two positive whole numbers, such as [1, 40, 40, 1]; got "
            f"{value!r}"
        )
    return widths


def check_choice(name, value, known):
    """Return the value, one of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, known))}; got {value!r}")
    return value


def as_triple(name, value, known, kind):
    """Return the entry of a table of triples, as `kind`: three functions and, for a loss that has
    it, a number of columns."""
    entry = known[check_choice(name, value, known)]
    fits = isinstance(entry, tuple) and 3 <= len(entry) <= len(kind._fields)
    if not fits or not all(map(callable, entry[:3])):
        functions = ", ".join(kind._fields[:3])
        raise ValueError(
            f"{name}: expected the entry of {value!r} to be three functions, ({functions}); "
            f"got {entry!r}"
        )
    for columns in entry[3:]:
        check_count(f"columns of {value!r}", columns, least=0)
    return kind(*entry)


def check_count(name, value, least=1):
    """Return a whole number of at least `least`, as a plain int, which does not overflow."""
    if type(value) is int and value >= least:  # fast path for the usual case
        return value
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}; got {value!r}")
    return number


def as_number(name, value, least=0.0, below=math.inf):
    """Return a number from `least` up to, but not including, `below`, as a Python float, which
    widens no float32."""
    try:
        no_number = isinstance(value, (str, bytes, bool, np.bool_))
        converted = math.nan if no_number else float(value)
    except (TypeError, ValueError):
        converted = math.nan
    if not least <= converted < below:
        end = "finite" if below == math.inf else f"below {below:g}"
        raise ValueError(f"{name}: expected a number of at least {least:g}, {end}; got {value!r}")
    return converted


def check_range(name, value):
    """Check a range (low, high) of finite numbers."""
    try:
        low, high = (as_number(name, end, -1.7e308) for end in value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: expected two finite numbers, (low, high); got {value!r}"
        ) from None
    if low > high:
        raise ValueError(
            f"{name}: expected (low, high) with low <= high; got {value!r}; did you swap them?"
        )


def as_ranges(name, value):
    """Return a list of ranges, of which (low, high) is a single one."""
    try:
        ranges = [*value]
    except TypeError:
        ranges = []
    if not ranges or np.ndim(ranges[0]) == 0:
        check_range(name, value)
        return [value]
    for i, bounds in enumerate(ranges):
        check_range(f"{name}[{i}]", bounds)
    return ranges


def check_generator(value):
    """Return the value, a source of random numbers with a state of its own."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(
            f"rng: expected a NumPy Generator, such as np.random.default_rng(seed); got {value!r}"
        )
    return value


def check_method(name, value, method, example):
    """Return an object that has the method; a class in place of its instance has not."""
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        hint = ""
        if callable(getattr(value, method, None)):
            hint = f"; did you mean {value.__name__}(...)?"
        raise TypeError(
            f"{name}: expected an object with the method {method}, such as {example}; got "
            f"{value!r}{hint}"
        )
    return value


def has_state(thing):
    """Return whether the object has methods state() and restore(state)."""
    return (
        not isinstance(thing, type)
        and callable(getattr(thing, "state", None))
        and callable(getattr(thing, "restore", None))
    )


def as_task_axes(rng, n_tasks, shots, query):
    """Return the leading axes that n_tasks gives, and the numbers of support and of query points,
    for the `sample` of a task distribution."""
    if isinstance(n_tasks, (tuple, list)):
        lead = tuple([check_count("n_tasks", n) for n in n_tasks or (None,)])
    else:
        lead = (check_count("n_tasks", n_tasks),)
    check_generator(rng)
    shots = check_count("shots", shots)
    return lead, shots, shots if query is None else check_count("query", query, least=0)


def is_finite(array):
    """Return whether all entries are finite. Fast paths: a number is looked at by itself, and a
    finite sum of squares, for which vdot raises no warning, implies finite entries."""
    if np.ndim(array) == 0:
        return math.isfinite(abs(array))
    return math.isfinite(np.vdot(array, array).real) or bool(np.isfinite(array).all())


def check_finite(name, array, hint=""):
    """Return the array, all of whose entries are finite."""
    if not is_finite(array):
        place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise NotFinite(
            f"{name}: expected finite numbers; got "
            f"{array[place]}{f' at {place}' if place else ''}{hint}"
        )
    return array


def check_finite_theta(array):
    """Return parameters that are all finite."""
    return check_finite(
        "theta",
        array,
        "; if adaptation or training led there, it diverged, and a smaller rate may help",
    )


def as_array(name, value):
    """Return the value as an array, of whatever dtype."""
    if type(value) is np.ndarray:  # nearly always
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected an array without a mask, which would be ignored; leave the masked "
            "points out, as in x[~mask]"
        )
    try:
        return np.asarray(value)
    except (ValueError, Warning) as error:  # rows of different lengths
        raise ValueError(
            f"{name}: expected an array of numbers; got {type(value).__name__}; NumPy error: "
            f"{error}"
        ) from None


def as_numbers(name, value, dtype):
    """Return an array of the dtype, from anything whose entries are real numbers (or, for a complex
    dtype, complex ones)."""
    array = value if type(value) is np.ndarray else as_array(name, value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf" and (array.dtype.kind, np.dtype(dtype).kind) != ("c", "c"):
        raise ValueError(f"{name}: expected real numbers; got an array of {array.dtype}")
    return array.astype(dtype)


def as_table(name, value):
    """Return a copy of a table (N, d) of finite numbers, of which float32 stays."""
    array = as_array(name, value)
    if array.ndim != 2 or array.size == 0:
        hint = ""
        if array.ndim == 1 and array.size:
            hint = f"; a column is {name}[:, None]"
        elif array.ndim > 2:
            hint = f"; rows are {name}.reshape(len({name}), -1)"
        raise ValueError(f"{name}: expected a table (N, d) of rows; got shape {array.shape}{hint}")
    dtype = np.float32 if array.dtype == np.float32 else np.float64
    return check_finite(name, np.array(as_numbers(name, array, dtype)))


def as_rows(x_name, x, y_name, y):
    """Return copies of x (N, d_in) and of y (N, d_out)."""
    x, y = as_table(x_name, x), as_table(y_name, y)
    if len(x) != len(y):
        raise ValueError(f"{y_name}: expected {len(x)} rows, as {x_name} has; got {len(y)}")
    return x, y


def as_names(name, value, n):
    """Return a copy of n names, numbers or text, that say what rows belong together."""
    array = as_array(name, value)
    if array.dtype.kind == "O" and all(isinstance(item, str) for item in array.flat):
        array = array.astype(str)
    if array.shape != (n,) or array.dtype.kind not in "biufUS":
        raise ValueError(
            f"{name}: expected {n} numbers or strings, one per row; got shape {array.shape} of "
            f"{array.dtype}"
        )
    return np.array(check_finite(name, array) if array.dtype.kind == "f" else array)


def as_theta(model, value, name="theta", dtype=None):
    """Return parameters (..., P) of the model, in their own dtype or in the one given."""
    array = as_array(name, value)
    if dtype is None:
        dtype = (
            array.dtype if array.dtype in (np.float32, np.float64, np.complex128) else np.float64
        )
    if array.dtype is not dtype:
        array = as_numbers(name, array, dtype)
    if array.ndim == 0 or array.shape[-1] != model.n_params:
        raise ValueError(
            f"{name}: expected shape (..., {model.n_params}) for {model!r}; got {array.shape}; is "
            "it of another network?"
        )
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one replica; got shape {array.shape}")
    return array


def as_direction(model, theta, x, value):
    """Return a direction v (..., P) whose leading axes suit theta and x: one row per theta."""
    v = check_finite("v", as_theta(model, value, "v", theta.dtype))
    check_broadcast("v", v.shape[:-1], theta.shape[:-1], "theta")
    check_broadcast("v", v.shape[:-1], x.shape[:-2], "x")
    return v + np.zeros_like(theta)


def check_broadcast(name, axes, others, other_name):
    """Check that leading axes broadcast with others."""
    for n, m in zip(axes[::-1], others[::-1]):
        if n != m and n != 1 and m != 1:
            raise ValueError(
                f"{name}: its leading axes {axes} do not broadcast with {others} of {other_name}"
            )


def as_inputs(model, theta, x, name="x", tasks=False, check_values=True):
    """Return points x (..., K, d_in), or (..., T, K, d_in) with a tasks axis, whose leading axes
    suit theta."""
    x = as_numbers(name, x, theta.real.dtype)
    if x.ndim < 2 or x.shape[-1] != model.sizes[0]:
        hint = "; a column of points is x[:, None]" if x.ndim == 1 else ""
        raise ValueError(
            f"{name}: expected shape (..., K, {model.sizes[0]}) for {model!r}; got {x.shape}{hint}"
        )
    if tasks and x.ndim < 3:
        raise ValueError(
            f"{name}: expected a tasks axis, (..., T, K, {model.sizes[0]}); got {x.shape}"
        )
    if x.size == 0:
        raise ValueError(f"{name}: expected at least one point and one task; got shape {x.shape}")
    check_broadcast("theta", theta.shape[:-1], x.shape[: -3 if tasks else -2], name)
    if check_values:
        check_finite_theta(theta)
        check_finite(name, x)
    return x


def extra_columns(model):
    """Return the number of columns of y that the model's loss takes beyond the outputs: none, where
    it says nothing, or the model has no loss_fn."""
    return getattr(getattr(model, "loss_fn", None), "columns", 0)


def as_points(model, theta, x, y, names=("x", "y"), tasks=False, check_values=True):
    """Return points x with as many y (..., K, d_out), which are never broadcast; one-hot rows where
    the model classifies, before the columns that its loss takes beyond the outputs."""
    x = as_inputs(model, theta, x, names[0], tasks, check_values)
    y = as_numbers(names[1], y, x.dtype)
    outputs, more = model.sizes[-1], extra_columns(model)
    expected = (*x.shape[:-1], outputs + more)
    if y.shape != expected:
        hint = "; a column of values is y[..., None]" if y.shape == expected[:-1] else ""
        if hint and model.criterion in CLASSIFIERS:
            hint = f"; one-hot rows are np.eye({outputs})[y]"
        if more:
            hint += (
                f"; {model.criterion} takes the outputs' columns, {outputs}, and then {more} more"
            )
        raise ValueError(
            f"{names[1]}: expected shape {expected}, as {names[0]} is {x.shape}; got "
            f"{y.shape}{hint}"
        )
    if check_values:
        check_finite(names[1], y)
    if model.criterion in CLASSIFIERS:
        check_one_hot(names[1], y[..., :outputs])
    return x, y


def check_one_hot(name, y):
    """Check that each row has a single 1 among zeros."""
    rows, ones = y[..., 0].size, np.count_nonzero(np.maximum.reduce(y, -1) == 1)
    if np.count_nonzero(y) != rows or ones != rows:
        wrong = (np.count_nonzero(y, axis=-1) != 1) | (y.max(axis=-1) != 1)
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"{name}: expected one-hot rows, a single 1 among zeros; got {y[place].tolist()} at "
            f"{place}"
        )


class Batch(NamedTuple):
    """The four arrays of a `tasks.TaskBatch`, which stands above this file."""

    x_support: np.ndarray
    y_support: np.ndarray
    x_query: np.ndarray
    y_query: np.ndarray


def as_batch(model, theta, value, check_values=True):
    """Return the four arrays of a TaskBatch, read by name; they suit the model and theta and have
    the same tasks."""
    try:
        support, query = (value.x_support, value.y_support), (value.x_query, value.y_query)
    except AttributeError:
        raise ValueError(
            "batch: expected a TaskBatch(x_support, y_support, x_query, y_query); got "
            f"{type(value).__name__}"
        ) from None
    x_s, y_s = as_points(model, theta, *support, ("x_support", "y_support"), True, check_values)
    x_q, y_q = as_points(model, theta, *query, ("x_query", "y_query"), True, check_values)
    if x_s.shape[:-2] != x_q.shape[:-2]:
        raise ValueError(
            f"x_query: expected the tasks of x_support, {x_s.shape[:-2]}; got {x_q.shape[:-2]}"
        )
    return Batch(x_s, y_s, x_q, y_q)


def look_of_batch(value):
    """Return the shapes and dtypes of the four arrays of a batch, of which None if they are not
    plain arrays: batches of one look differ in their values alone."""
    try:
        arrays = value.x_support, value.y_support, value.x_query, value.y_query
    except AttributeError:
        return None
    look = [(array.shape, array.dtype) for array in arrays if type(array) is np.ndarray]
    return look if len(look) == 4 else None


def cast_batch(value, dtype):
    """Return the four arrays of a batch that has the look of one that was checked, in the dtype."""
    arrays = value.x_support, value.y_support, value.x_query, value.y_query
    return Batch._make([a if a.dtype == dtype else a.astype(dtype) for a in arrays])


def blame_input(theta, batch, grad):
    """If theta or its gradient is not finite, raise for the first input that is not; if all are,
    the computation has diverged by itself."""
    if grad.shape == theta.shape and math.isfinite(np.vdot(theta, grad).real):
        return  # a product is finite only if both factors are
    if not (is_finite(grad) and is_finite(theta)):
        check_finite_theta(theta)
        for name, array in batch._asdict().items():
            check_finite(name, array)


def as_inner_lr(theta, value):
    """Return rates in theta's dtype: a number, or an array that broadcasts against theta, with the
    tasks axis that theta is given. Learned rates, in an array, may be negative; a negative number
    is a mistake."""
    if type(value) is float and 0.0 <= value < 1e38:  # fast path for the usual case
        return np.array(value, theta.dtype)
    if as_array("inner_lr", value).dtype.kind == "b":
        raise TypeError(f"inner_lr: expected a number or an array of numbers; got {value!r}")
    with np.errstate(over="ignore"):
        array = check_finite("inner_lr", as_numbers("inner_lr", value, theta.dtype))
    if array.ndim == 0:
        if array.real < 0:
            raise ValueError(
                f"inner_lr: expected a number of at least 0; got {value!r}; the minus sign "
                "is built into the update"
            )
        return array
    if array.ndim > theta.ndim or any(
        n not in (1, m) for n, m in zip(array.shape[::-1], theta.shape[::-1])
    ):
        raise ValueError(
            f"inner_lr: expected a number or a shape that broadcasts against theta {theta.shape}; "
            f"got {array.shape}"
        )
    return array[..., None, :]


def as_inner_loop(inner_steps, minibatch, x):
    """Return the number of inner steps and the number of support points of each, as plain ints."""
    inner_steps = check_count("inner_steps", inner_steps, least=0)
    if minibatch is None:
        return inner_steps, None
    if check_count("minibatch", minibatch) > x.shape[-2]:
        raise ValueError(
            f"minibatch: expected at most the {x.shape[-2]} support points; got {minibatch}"
        )
    return inner_steps, int(minibatch)


def as_theta_and_grad(theta, grad):
    """Return theta and a gradient of its shape, as arrays of floating-point or complex numbers."""
    if type(theta) is type(grad) is np.ndarray:  # fast path for the usual case
        if theta.shape == grad.shape and theta.dtype.kind == grad.dtype.kind == "f":
            return theta, grad
    pair = []
    for name, value in (("theta", theta), ("grad", grad)):
        array = as_array(name, value)
        pair.append(array if array.dtype.kind in "fc" else as_numbers(name, array, np.float64))
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"grad: expected the shape of theta, {pair[0].shape}; got {pair[1].shape}")
    return pair


def describe_rates(rates):
    """Return a rate in words; of an array, its range and shape."""
    array = np.asarray(rates)
    if array.ndim == 0:
        return f"{rates}"
    return f"{array.min():.3g} to {array.max():.3g}, shape {array.shape}"


def as_float_dtype(value):
    """Return a dtype that parameters can have: float64 or float32."""
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype: expected float64 or float32; got {value!r}")
    return dtype
