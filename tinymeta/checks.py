"""Numerical derivatives, to prove written ones right: for tests, for lessons, for code of your own.

    f = lambda theta: model.loss(theta, x, y)
    v = rng.standard_normal(model.n_params)
    relative_error(model.grad(theta, x, y) @ v, complex_step(f, theta, v))       # some 1e-15

The complex step is the judge: exact to rounding, with nothing to tune. Central differences tell the
story: their error falls as h^2 until rounding takes over. A check is worth what it rejects: try it
on a wrong gradient."""

import numpy as np

from . import _validate


def complex_step(f, theta, v=None):
    """The derivative of f at theta (P,) along v (..., P); without v along every axis, which for a
    scalar f is its gradient.

    Im f(theta + i h v) / h with h = 1e-20: no difference is taken, so nothing cancels (Squire &
    Trapp 1998). f must be real-analytic near theta and keep complex numbers (no abs, no conj,
    comparisons on the real part); with a v of several rows, it must take theta (..., P) and give
    one value a row, first axes first."""
    v = np.eye(len(theta)) if v is None else np.asarray(v)
    return f(theta + 1e-20j * v).imag / 1e-20


def central_difference(f, theta, v, h=1e-5):
    """(f(theta + h v) - f(theta - h v)) / 2h, for v of unit length: off by h^2 times a third
    derivative, plus rounding / h."""
    return (f(theta + h * v) - f(theta - h * v)) / (2 * h)


def relative_error(got, want):
    """|got - want| / max(|got|, |want|), in Euclidean norm over all entries; 0 where both
    vanish."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        raise ValueError(f"got: expected the shape of want, {want.shape}; got {got.shape}")
    largest = max(np.linalg.norm(got), np.linalg.norm(want))
    return float(np.linalg.norm(got - want) / largest) if largest else 0.0


def cosine(a, b):
    """The cosine of the angle between two vectors."""
    return float(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


def block_errors(model, got, want):
    """The relative error of each parameter block, {"W1": ..., "b1": ..., ...}: biases are few, and
    hide in a total."""
    pairs = zip(model.unpack(np.asarray(got)), model.unpack(np.asarray(want)))
    return {
        f"{name}{layer}": relative_error(g, w)
        for layer, (gots, wants) in enumerate(pairs, start=1)
        for name, g, w in zip("Wb", gots, wants)
    }


def taylor_slopes(f, theta, v, grad=None, hessian_v=None, largest=0.01, halvings=6):
    """The orders at which f(theta + e v) minus its Taylor polynomial falls with e: 1 with the value
    alone, 2 with a right gradient (P,), 3 with a right Hessian-vector product (P,) as well. One
    number for each halving of e."""
    steps = largest / 2.0 ** np.arange(halvings + 1)
    linear = 0.0 if grad is None else grad @ v
    quadratic = 0.0 if hessian_v is None else hessian_v @ v / 2
    remainders = [abs(f(theta + e * v) - f(theta) - e * linear - e**2 * quadratic) for e in steps]
    return np.diff(np.log(remainders)) / np.log(0.5)


def largest_eigenvalue(model, theta, x, y, rng, iterations=20):
    """Of the Hessian of the loss at theta (..., P) on x, y: (...). By power iteration from a random
    direction: multiply by it again and again, and see by how much that stretches. Descent at a rate
    is stable where rate * eigenvalue < 2."""
    theta = _validate.as_theta(model, theta)
    x, y = _validate.as_points(model, theta, x, y)
    _validate.check_count("iterations", iterations)
    lead = np.broadcast_shapes(theta.shape[:-1], x.shape[:-2])
    Hv = _validate.check_generator(rng).standard_normal((*lead, theta.shape[-1]), theta.dtype)
    for _ in range(iterations):
        v = Hv / np.linalg.norm(Hv, axis=-1, keepdims=True)
        Hv = model.hvp(theta, x, y, v)
    return (v * Hv).sum(axis=-1)
