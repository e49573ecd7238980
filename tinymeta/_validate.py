"""The one place where arguments are checked: each error names the argument, what was expected and
what came.

theta decides the dtype of everything: float32 and complex128 (the latter for numerical checks
alone) stay, all else becomes float64; data and rates are cast to match. Shapes are checked at every
call. That numbers are finite is checked once where they enter; the meta-gradients, called thousands
of times, look at what comes out instead."""

import math
import operator

import numpy as np


class NotFinite(ValueError):
    """A number is nan or infinite; where known, `replicas` are the indices of the replicas whose it
    is."""

    def __init__(self, message, replicas=()):
        super().__init__(message)
        self.replicas = list(replicas)


def as_sizes(value):
    """At least two positive whole numbers, as a tuple."""
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
    """One of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, known))}; got {value!r}")
    return value


def as_triple(name, value, known, kind):
    """Return the entry of a table of triples, as `kind`: three functions."""
    entry = known[check_choice(name, value, known)]
    if not isinstance(entry, tuple) or len(entry) != 3 or not all(map(callable, entry)):
        functions = ", ".join(kind._fields)
        raise ValueError(
            f"{name}: expected the entry of {value!r} to be three functions, ({functions}); "
            f"got {entry!r}"
        )
    return kind(*entry)


def check_count(name, value, least=1):
    """A whole number of at least `least`."""
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}; got {value!r}")
    return number


def as_number(name, value, least=0.0, below=math.inf):
    """A plain number from `least` up to, but not including, `below`; as a Python float, which
    widens no float32."""
    try:
        converted = math.nan if isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError):
        converted = math.nan
    if not least <= converted < below:
        end = "finite" if below == math.inf else f"below {below:g}"
        raise ValueError(f"{name}: expected a number of at least {least:g}, {end}; got {value!r}")
    return converted


def check_range(name, value):
    """A range (low, high) of finite numbers."""
    try:
        low, high = (as_number(name, end, -1.7e308) for end in value)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: expected two finite numbers, (low, high); got {value!r}"
        ) from None
    if low > high:
        raise ValueError(
            f"{name}: expected (low, high) with low <= high; got {value!r}; the other way round?"
        )


def check_generator(value):
    """A source of random numbers, with a state of its own."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(
            f"rng: expected a NumPy Generator, such as np.random.default_rng(seed); got {value!r}"
        )
    return value


def as_task_axes(rng, n_tasks, shots, query):
    """What `sample` of a task distribution is asked for: the leading axes that n_tasks gives, and
    the number of query points."""
    lead = tuple(n_tasks) if isinstance(n_tasks, (tuple, list)) else (n_tasks,)
    query = shots if query is None else check_count("query", query, least=0)
    for n in lead or (None,):
        check_count("n_tasks", n)
    check_generator(rng)
    check_count("shots", shots)
    return lead, query


def is_finite(array):
    """Whether all entries are: if the sum of their squares is, which is quickly found (and by vdot
    without warnings), they are too."""
    return math.isfinite(np.vdot(array, array).real) or bool(np.isfinite(array).all())


def check_finite(name, array, hint=""):
    """The array, whose entries are all finite."""
    if not is_finite(array):
        place = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise NotFinite(
            f"{name}: expected finite numbers; got "
            f"{array[place]}{f' at {place}' if place else ''}{hint}"
        )
    return array


def check_finite_theta(array):
    """Parameters that are all finite."""
    return check_finite(
        "theta",
        array,
        "; if adaptation or training led there, it diverged, and a smaller rate may help",
    )


def as_array(name, value):
    """NumPy's array of the value, of whatever dtype."""
    if type(value) is np.ndarray:  # nearly always
        return value
    try:
        return np.asarray(value)
    except (ValueError, Warning) as error:  # rows of different lengths
        raise ValueError(
            f"{name}: expected an array of numbers; got {type(value).__name__}, of which NumPy "
            f"says: {error}"
        ) from None


def as_numbers(name, value, dtype):
    """An array of the dtype, from anything whose entries are real numbers (complex ones only for a
    complex dtype)."""
    array = value if type(value) is np.ndarray else as_array(name, value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf" and (array.dtype.kind, np.dtype(dtype).kind) != ("c", "c"):
        raise ValueError(f"{name}: expected real numbers; got an array of {array.dtype}")
    return array.astype(dtype)


def as_theta(model, value, name="theta", dtype=None):
    """Parameters (..., P) of the model, in their own dtype or in the one given."""
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


def as_direction(model, theta_, x, value):
    """A direction v (..., P) whose leading axes suit theta and x: a row for each theta."""
    v = check_finite("v", as_theta(model, value, "v", theta_.dtype))
    check_broadcast("v", v.shape[:-1], theta_.shape[:-1], "theta")
    check_broadcast("v", v.shape[:-1], x.shape[:-2], "x")
    return v + np.zeros_like(theta_)


def check_broadcast(name, axes, others, other_name):
    """Leading axes that broadcast with the others'."""
    for n, m in zip(axes[::-1], others[::-1]):
        if n != m and n != 1 and m != 1:
            raise ValueError(
                f"{name}: its leading axes {axes} do not broadcast with {others} of {other_name}"
            )


def as_inputs(model, theta, x, name="x", tasks=False, check_values=True):
    """Points x (..., K, d_in), or (..., T, K, d_in) with a tasks axis, whose leading axes suit
    theta."""
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


def as_points(model, theta, x, y, names=("x", "y"), tasks=False, check_values=True):
    """Points x with their y (..., K, d_out): as many, never broadcast; in one-hot rows where the
    model classifies."""
    x = as_inputs(model, theta, x, names[0], tasks, check_values)
    y = as_numbers(names[1], y, x.dtype)
    expected = (*x.shape[:-1], model.sizes[-1])
    if y.shape != expected:
        hint = "; a column of values is y[..., None]" if y.shape == expected[:-1] else ""
        if hint and model.criterion != "mse":
            hint = f"; one-hot rows are np.eye({model.sizes[-1]})[y]"
        raise ValueError(
            f"{names[1]}: expected shape {expected}, as {names[0]} is {x.shape}; got "
            f"{y.shape}{hint}"
        )
    if check_values:
        check_finite(names[1], y)
    if model.criterion == "cross_entropy":
        check_one_hot(names[1], y)
    return x, y


def check_one_hot(name, y):
    """Rows with a single 1 among zeros."""
    if np.count_nonzero(y) != y[..., 0].size or not (y.max(axis=-1) == 1).all():
        wrong = (np.count_nonzero(y, axis=-1) != 1) | (y.max(axis=-1) != 1)
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(
            f"{name}: expected one-hot rows, a single 1 among zeros; got {y[place].tolist()} at "
            f"{place}"
        )


def as_batch(model, theta, value, check_values=True):
    """A TaskBatch whose four arrays suit the model and theta and have the same tasks."""
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
    return type(value)(x_s, y_s, x_q, y_q)


def blame_input(theta, batch, grad):
    """Where theta or what came out of it is not finite, say so if something that went in was not;
    else it diverged by itself."""
    if grad.shape == theta.shape and math.isfinite(np.vdot(theta, grad).real):
        return  # a product is finite only if both are
    if not (is_finite(grad) and is_finite(theta)):
        check_finite_theta(theta)
        for name, array in batch._asdict().items():
            check_finite(name, array)


def as_inner_lr(theta, value):
    """Rates in theta's dtype: a number, or an array that broadcasts against theta, given the tasks
    axis that theta gets. Learned rates, in an array, may be negative; a number that is was meant
    otherwise."""
    if type(value) is float and 0.0 <= value < 1e38:  # the usual case, quickly
        return np.array(value, theta.dtype)
    with np.errstate(over="ignore"):
        array = check_finite("inner_lr", as_numbers("inner_lr", value, theta.dtype))
    if array.ndim == 0:
        if array.real < 0:
            raise ValueError(
                f"inner_lr: expected a number of at least 0; got {value!r}; descent has its minus "
                "sign already"
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


def check_inner_loop(inner_steps, minibatch, x):
    """The number of inner steps, and the support points that each takes."""
    check_count("inner_steps", inner_steps, least=0)
    if minibatch is not None and check_count("minibatch", minibatch) > x.shape[-2]:
        raise ValueError(
            f"minibatch: expected at most the {x.shape[-2]} support points; got {minibatch}"
        )


def as_theta_and_grad(theta, grad):
    """theta and a gradient of its shape, as arrays of floating-point (or complex) numbers."""
    try:
        # the usual case, quickly
        if theta.shape == grad.shape and theta.dtype.kind == grad.dtype.kind == "f":
            return theta, grad
    except AttributeError:
        pass
    pair = []
    for name, value in (("theta", theta), ("grad", grad)):
        array = as_array(name, value)
        pair.append(array if array.dtype.kind in "fc" else as_numbers(name, array, np.float64))
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"grad: expected the shape of theta, {pair[0].shape}; got {pair[1].shape}")
    return pair


def describe_rates(rates):
    """A rate as it came, or an array of them in short."""
    array = np.asarray(rates)
    return (
        f"{rates}"
        if array.ndim == 0
        else f"{array.min():.3g} to {array.max():.3g}, shape {array.shape}"
    )
