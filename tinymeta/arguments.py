"""The one place where arguments are checked: each error names the argument, what was expected and what came.

theta decides the dtype of everything: float32 and complex128 (the latter for numerical checks alone) stay,
all else becomes float64; data and rates are cast to match.
"""

import operator

import numpy as np


def sizes(value):
    """At least two positive whole numbers, as a tuple."""
    try:
        widths = tuple(operator.index(n) for n in value)
    except TypeError:
        widths = ()
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"sizes: expected at least two positive whole numbers, such as [1, 40, 40, 1]; got {value!r}")
    return widths


def choice(name, value, known):
    """One of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, known))}; got {value!r}")
    return value


def count(name, value, least=1):
    """A whole number of at least `least`."""
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        raise ValueError(f"{name}: expected a whole number of at least {least}; got {value!r}")
    return number


def numbers(name, value, dtype):
    """An array of the dtype, from anything whose entries are real numbers (complex ones only for a complex dtype)."""
    array = np.asarray(value)
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in ("biufc" if np.dtype(dtype).kind == "c" else "biuf"):
        raise ValueError(f"{name}: expected real numbers; got an array of {array.dtype}")
    return array.astype(dtype)


def theta(model, value, name="theta", dtype=None):
    """Parameters (..., P) of the model, in their own dtype or in the one given."""
    array = np.asarray(value)
    if dtype is None:
        dtype = array.dtype if array.dtype in (np.float32, np.complex128) else np.float64
    array = numbers(name, array, dtype)
    if array.ndim == 0 or array.shape[-1] != model.n_params:
        raise ValueError(f"{name}: expected shape (..., {model.n_params}) for {model!r}; got {array.shape}")
    return array


def leading(name, axes, others, other_name):
    """Leading axes that broadcast with the others'."""
    for n, m in zip(axes[::-1], others[::-1]):
        if n != m and n != 1 and m != 1:
            raise ValueError(f"{name}: its leading axes {axes} do not broadcast with {others} of {other_name}")


def inputs(model, theta, x, name="x", tasks=False):
    """Points x (..., K, d_in), or (..., T, K, d_in) with a tasks axis, whose leading axes suit theta."""
    x = numbers(name, x, theta.real.dtype)
    if x.ndim < 2 or x.shape[-1] != model.sizes[0]:
        hint = "; a column of points is x[:, None]" if x.ndim == 1 else ""
        raise ValueError(f"{name}: expected shape (..., K, {model.sizes[0]}) for {model!r}; got {x.shape}{hint}")
    if tasks and x.ndim < 3:
        raise ValueError(f"{name}: expected a tasks axis, (..., T, K, {model.sizes[0]}); got {x.shape}")
    if x.size == 0:
        raise ValueError(f"{name}: expected at least one point and one task; got shape {x.shape}")
    leading("theta", theta.shape[:-1], x.shape[: -3 if tasks else -2], name)
    return x


def points(model, theta, x, y, names=("x", "y"), tasks=False):
    """Points x with their y (..., K, d_out): as many, never broadcast."""
    x, y = inputs(model, theta, x, names[0], tasks), numbers(names[1], y, theta.real.dtype)
    expected = (*x.shape[:-1], model.sizes[-1])
    if y.shape != expected:
        hint = "; a column of values is y[..., None]" if y.shape == expected[:-1] else ""
        raise ValueError(f"{names[1]}: expected shape {expected}, as {names[0]} is {x.shape}; got {y.shape}{hint}")
    return x, y


def batch(model, theta, value):
    """A TaskBatch whose four arrays suit the model and theta and have the same tasks."""
    x_s, y_s = points(model, theta, value.x_support, value.y_support, ("x_support", "y_support"), tasks=True)
    x_q, y_q = points(model, theta, value.x_query, value.y_query, ("x_query", "y_query"), tasks=True)
    if x_s.shape[:-2] != x_q.shape[:-2]:
        raise ValueError(f"x_query: expected the tasks of x_support, {x_s.shape[:-2]}; got {x_q.shape[:-2]}")
    return type(value)(x_s, y_s, x_q, y_q)


def inner_lr(theta, value):
    """Rates in theta's dtype: a number, or an array that broadcasts against theta, given the tasks axis that theta gets."""
    array = numbers("inner_lr", value, theta.dtype)
    if array.ndim == 0:
        return array
    if array.ndim > theta.ndim or any(n not in (1, m) for n, m in zip(array.shape[::-1], theta.shape[::-1])):
        raise ValueError(f"inner_lr: expected a number or a shape that broadcasts against theta {theta.shape}; got {array.shape}")
    return array[..., None, :]


def inner_loop(inner_steps, minibatch, x):
    """The number of inner steps, and the support points that each takes."""
    count("inner_steps", inner_steps, least=0)
    if minibatch is not None and count("minibatch", minibatch) > x.shape[-2]:
        raise ValueError(f"minibatch: expected at most the {x.shape[-2]} support points; got {minibatch}")
