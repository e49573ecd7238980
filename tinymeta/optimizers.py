"""Outer-loop optimisers on a flat vector: each step takes theta (..., P) and returns a new one.

An optimiser is any object with a method `step(theta, grad) -> theta`; the docstring of
`tinymeta.meta_train` says what else it may have. At the end: how the state of any optimiser is
taken and put back, for a training that is cut short or saved.
"""

import copy
from typing import NamedTuple

import numpy as np

from . import _validate


class SGD:
    """Descend by theta - lr grad.

    Parameters
    ----------
    lr : float
        The rate, 0 or more.

    Raises
    ------
    ValueError
        If lr is not a finite number of at least 0.

    Examples
    --------
    >>> SGD(0.5).step(np.array([1.0, 2.0]), np.array([4.0, -2.0])).tolist()
    [-1.0, 3.0]
    """

    def __init__(self, lr):
        self.lr = _validate.as_number("lr", lr)

    def __repr__(self):
        return f"SGD({self.lr})"

    def step(self, theta, grad):
        """Return theta - lr grad.

        Parameters
        ----------
        theta : array (..., P)
        grad : array (..., P)

        Returns
        -------
        theta : array (..., P)
            A new array.

        Raises
        ------
        ValueError
            If the two shapes differ, or an entry is not a number.

        Examples
        --------
        >>> SGD(2.0).step(np.ones(2), np.array([0.5, 0.0])).tolist()
        [0.0, 1.0]
        """
        theta, grad = _validate.as_theta_and_grad(theta, grad)
        return theta - self.lr * grad

    def state(self):
        """Return all attributes: the rate.

        Returns
        -------
        state : dict

        Examples
        --------
        >>> SGD(0.5).state()
        {'lr': 0.5}
        """
        return dict(vars(self))

    def restore(self, state):
        """Set all attributes to those of a `state()`.

        Parameters
        ----------
        state : dict

        Raises
        ------
        ValueError
            If the state lacks an attribute or has another one, or the rate is not one.

        Examples
        --------
        >>> sgd = SGD(0.5)
        >>> sgd.restore({"lr": 0.25})
        >>> sgd
        SGD(0.25)
        """
        check_names(self, state)
        _validate.as_number("lr", state["lr"])
        vars(self).update(state)


class Adam:
    """Step by lr times the mean gradient divided by the root mean square gradient, both averaged
    exponentially and corrected for their start at zero.

    Adam works element by element, so that theta (S, P) is S independent optimisers. It keeps the
    two moments from step to step: take a new one for a new training.

    Parameters
    ----------
    lr : float
        The rate, 0 or more: about the size of a step in each parameter.
    beta1, beta2 : float
        The decay rates of the two averages, from 0 to below 1.
    eps : float
        Is added to the root mean square gradient.

    Raises
    ------
    ValueError
        If a constant is not a number within these limits.

    Examples
    --------
    >>> adam = Adam(lr=0.01)
    >>> adam.step(np.zeros(2), np.array([3.0, -500.0])).round(6).tolist()  # the size does not count
    [-0.01, 0.01]
    >>> adam.t
    1

    Source: Kingma & Ba 2015, algorithm 1.
    """

    def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr = _validate.as_number("lr", lr)
        self.eps = _validate.as_number("eps", eps)
        self.beta1 = _validate.as_number("beta1", beta1, below=1)
        self.beta2 = _validate.as_number("beta2", beta2, below=1)
        self.t, self.m, self.v = 0, None, None

    def __repr__(self):
        return f"Adam({self.lr})"

    def step(self, theta, grad):
        """Return theta after one step of Adam.

        Parameters
        ----------
        theta : array (..., P)
        grad : array (..., P)

        Returns
        -------
        theta : array (..., P)
            A new array.

        Raises
        ------
        ValueError
            If the shapes differ from each other or from those of the steps before, or an entry is
            not a number.

        Examples
        --------
        >>> adam = Adam(lr=0.01)
        >>> adam.step(np.zeros(2), np.array([3.0, 0.0])).round(6).tolist()
        [-0.01, 0.0]
        """
        theta, grad = _validate.as_theta_and_grad(theta, grad)
        old_m, old_v, t = self.m, self.v, self.t + 1
        if t == 1:
            old_m, old_v = np.zeros_like(grad), np.zeros_like(grad)
        if old_m.shape != grad.shape:
            raise ValueError(
                f"grad: expected the shape of the steps before, {old_m.shape}; got {grad.shape}; "
                "take a new Adam"
            )
        # new arrays, so that those of an earlier state() stay, and in-place steps on them
        m = grad - old_m
        m *= 1 - self.beta1
        m += old_m
        v = grad * grad - old_v
        v *= 1 - self.beta2
        v += old_v
        # where the gradient stays 0, m decays to subnormal floats, on which arithmetic is slow
        if t % 100 == 0:
            m[abs(m) < 1e-30] = 0
        # m / (1 - beta1^t) over the root of v / (1 - beta2^t): both corrections in one number
        root, correction = np.sqrt(v), (1 - self.beta2**t) ** 0.5
        root += self.eps * correction
        step = np.divide(m, root, out=root)
        step *= self.lr * correction / (1 - self.beta1**t)
        self.m, self.v, self.t = m, v, t
        return theta - step

    def state(self):
        """Return all attributes: the constants, the number t of steps, and the moments m and v
        (..., P), which are None before the first step.

        Returns
        -------
        state : dict
            Later steps do not change it.

        Examples
        --------
        >>> adam = Adam(lr=0.5)
        >>> start = adam.state()
        >>> once = adam.step(np.zeros(2), np.array([3.0, -4.0]))
        >>> adam.restore(start)
        >>> adam.t, np.array_equal(adam.step(np.zeros(2), np.array([3.0, -4.0])), once)
        (0, True)
        """
        return dict(vars(self))

    def restore(self, state):
        """Set all attributes to those of a `state()`.

        Parameters
        ----------
        state : dict

        Raises
        ------
        ValueError
            If the state lacks an attribute or has another one, a constant or t is not one, or m and
            v are not moments after t steps.

        Examples
        --------
        >>> adam = Adam(lr=0.5)
        >>> adam.restore(Adam(lr=0.25).state())
        >>> adam
        Adam(0.25)
        """
        check_names(self, state)
        for name in ("lr", "eps", "beta1", "beta2"):
            _validate.as_number(name, state[name], below=1 if "beta" in name else np.inf)
        t, m, v = _validate.check_count("t", state["t"], least=0), state["m"], state["v"]
        if t == 0 and not (m is None and v is None):
            raise ValueError("m and v: expected None before the first step, where t = 0")
        if t > 0:
            if not (isinstance(m, np.ndarray) and isinstance(v, np.ndarray)):
                raise ValueError(
                    f"m and v: expected two arrays, for t = {t}; got {type(m).__name__} and "
                    f"{type(v).__name__}"
                )
            if m.shape != v.shape or m.dtype != v.dtype or m.dtype.kind not in "fc":
                raise ValueError(
                    f"m and v: expected two arrays of one shape and one floating-point dtype; got "
                    f"{m.shape} of {m.dtype} and {v.shape} of {v.dtype}"
                )
            if v.dtype.kind == "f" and (v < 0).any():
                raise ValueError("v: expected a mean of squares; got a negative number")
        vars(self).update(state)


def check_names(optimizer, state):
    """Refuse a state that does not have the optimiser's attributes, and those only."""
    names = sorted(vars(optimizer))
    if not isinstance(state, dict) or sorted(map(str, state)) != names:
        got = sorted(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ValueError(f"state: expected a dict with {names}; got {got}")


# State: taking it and putting it back, for any optimiser


class Held(NamedTuple):
    """The state of an object that an optimiser holds: another optimiser, a generator of random
    numbers, or a model (which has none, and is only compared)."""

    kind: str
    state: object


def attributes(thing):
    """Return the attributes of an object as a dict, those in `__slots__` too."""
    found = dict(getattr(thing, "__dict__", {}))
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{kind.__name__.lstrip('_')}{name}"
            if name not in ("__dict__", "__weakref__") and hasattr(thing, name):
                found[name] = getattr(thing, name)
    return found


def take_state(thing, seen=()):
    """Return the state of an optimiser: by its own state(), or else a copy of its attributes."""
    if _validate.has_state(thing):
        return thing.state()
    seen = (*seen, thing)
    return {name: frozen(value, seen) for name, value in attributes(thing).items()}


def put_back(thing, state):
    """Set the state of an optimiser to one that `take_state` returned."""
    if _validate.has_state(thing):
        thing.restore(state)
        return
    now = attributes(thing)
    for name, value in state.items():
        # object's, for a class that forbids it, such as a frozen dataclass
        object.__setattr__(thing, name, thawed(name, value, now.get(name)))
    for name in now.keys() - state.keys():
        object.__delattr__(thing, name)


def frozen(value, seen):
    """Return a copy of an attribute that later steps do not change."""
    if isinstance(value, np.random.Generator):
        return Held(kind_of(value), value.bit_generator.state)
    if hasattr(value, "n_params"):
        return Held(kind_of(value), None)
    if not isinstance(value, type) and (
        _validate.has_state(value) or callable(getattr(value, "step", None))
    ):
        # one that is being looked at already is put back there: two may know each other
        known = any(value is other for other in seen)
        return Held(kind_of(value), None if known else take_state(value, seen))
    if type(value) in (list, tuple):
        return type(value)([frozen(item, seen) for item in value])
    if type(value) is dict:
        return {key: frozen(item, seen) for key, item in value.items()}
    return copied(value)


def copied(value):
    """Return a copy, or the object itself if it cannot be copied, such as an open file."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return value


def thawed(name, value, now):
    """Return the attribute to set for its saved value; the objects that the optimiser holds now are
    kept, and their own states are set."""
    if isinstance(value, Held):
        if kind_of(now) != value.kind:
            raise ValueError(f"{name}: one of {kind_of(now)} was expected; got one of {value.kind}")
        if isinstance(now, np.random.Generator):
            now.bit_generator.state = value.state
        elif value.state is not None:
            put_back(now, value.state)
        return now
    if type(value) in (list, tuple):
        old = now if type(now) is type(value) and len(now) == len(value) else [None] * len(value)
        return type(value)(
            [thawed(f"{name}[{i}]", *pair) for i, pair in enumerate(zip(value, old))]
        )
    if type(value) is dict:
        old = now if isinstance(now, dict) else {}
        return {key: thawed(f"{name}[{key!r}]", item, old.get(key)) for key, item in value.items()}
    return copied(value)


def kind_of(value):
    """Return the name that has to be the same where a state is saved and where it is put back."""
    if isinstance(value, np.random.Generator):
        return type(value.bit_generator).__name__
    if hasattr(value, "n_params"):
        return repr(value)
    return type(value).__name__ + ("" if _validate.has_state(value) else " without state()")
