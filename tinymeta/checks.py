"""Numerical derivatives, to prove written ones right: for tests, for lessons, for your own code.

    def loss(theta):
        return model.loss(theta, x, y)

    v = rng.standard_normal(model.n_params)
    relative_error(model.grad(theta, x, y) @ v, complex_step(loss, theta, v))  # about 1e-15

The complex step is the judge: exact to rounding, with nothing to tune. Central differences are
shown for comparison: their error falls as h^2 until rounding takes over. A check is worth what it
rejects: try it on a wrong gradient. All of it computes in float64, whatever the dtype of theta.
"""

import math

import numpy as np

from . import _validate

TINY = 1e-20  # its square is lost to rounding beside 1, so that a complex step has no error
# What functions raise for an array of another shape, or for numbers outside their domain.
CANNOT_TAKE = (ArithmeticError, AssertionError, LookupError, TypeError, ValueError, Warning)


def complex_step(f, theta, v=None):
    """Return the derivative of f at theta, exact to rounding, as Im f(theta + i h v) / h.

    With h = 1e-20 no difference is taken, so nothing cancels. f has to be real-analytic around
    theta and to keep complex numbers: no abs, no conj, no norm, comparisons on the real part.

    That is checked by a real difference along one random direction (along v, if there is one): f is
    refused if it changes with theta in a way that its imaginary part does not show. The check sees
    a loss of about 1e-5 of that derivative, or 1e-8 of f, and no smaller one. Where differences
    from left and right disagree, as at a kink of ReLU, f is given the benefit of the doubt.

    Parameters
    ----------
    f : callable
        f(theta) is a number or an array. If there are several directions, f is called with points
        (n, P), one per row; where it does not return one value per row, it is called row by row.
    theta : array (P,)
    v : array (P,) or (..., P), optional
        One direction or several; by default every axis, which for a scalar f is its gradient.

    Returns
    -------
    derivative : array (..., *shape of f(theta))
        The leading axes are those of v; without v, the first axis is that of theta.

    Raises
    ------
    ValueError
        If theta or v is not real and finite, if v does not end in theta's shape, or if f loses the
        imaginary part.

    Examples
    --------
    >>> complex_step(lambda t: t @ t, [1.0, 2.0]).tolist()
    [2.0, 4.0]
    >>> float(complex_step(np.prod, [3.0, 4.0], v=[1.0, 0.0]))
    4.0

    Source: Squire & Trapp 1998, "Using complex variables to estimate derivatives of real
    functions".
    """
    theta = _as_real("theta", theta)
    if v is None:
        v = np.eye(theta.size).reshape(2 * theta.shape)
    v = _as_directions(theta, v)
    if v.ndim == theta.ndim:
        derivative = unchecked_step(f, theta, v)
        _check_complex(f, theta, v, derivative)
        return derivative
    rows = v.reshape(-1, *theta.shape)
    mixture = np.tensordot(_weights(len(rows)), rows, 1)
    _check_complex(f, theta, mixture, unchecked_step(f, theta, mixture))
    length = _length(rows, theta.ndim)
    values = _at_each(f, theta + 1j * (TINY / length) * rows)
    derivative = values.imag / TINY * length.reshape(-1, *[1] * (values.ndim - 1))
    return derivative.reshape(*v.shape[: v.ndim - theta.ndim], *values.shape[1:])


def _as_real(name, value):
    """Return finite real numbers in float64."""
    return _validate.check_finite(name, _validate.as_numbers(name, value, np.float64))


def _as_directions(theta, v):
    """Return v in float64: of theta's shape, or with leading axes before it."""
    v = _as_real("v", v)
    if v.ndim < theta.ndim or v.shape[v.ndim - theta.ndim :] != theta.shape or not v.size:
        raise ValueError(
            f"v: expected the shape of theta, {theta.shape}, after any leading axes; got {v.shape}"
        )
    return v


def _weights(n):
    """Return n random positive weights of sum 1, always the same: a mixture of rows by them stays
    among the rows, and leaves none out."""
    weights = np.random.default_rng(0).uniform(0.5, 1.5, n)
    return weights / weights.sum()


def _length(v, ndim):
    """Return the largest entry of each direction, with its `ndim` axes kept, or 1 if all are 0."""
    largest = abs(v).max(axis=tuple(range(-ndim, 0)), keepdims=True)
    return np.where(largest > 0, largest, 1.0)


def _at_each(f, points):
    """Return f at each of the points (n, ...), by one call if that gives one value per point.

    One more point, a mixture of the others, is added: f alone at that point must give the same.
    That tells `t @ t` of a vector from that of a matrix, even if the shapes agree."""
    extra = np.tensordot(_weights(len(points)), points, 1)
    alone = np.asarray(f(extra))
    try:
        together = np.asarray(f(np.concatenate((points, extra[None]))))
        fits = together.shape == (len(points) + 1, *alone.shape)
    except CANNOT_TAKE:  # f takes one vector at a time
        fits = False
    if fits and _alike(together[-1].real, alone.real) and _alike(together[-1].imag, alone.imag):
        return together[:-1]
    return np.stack([f(point) for point in points])


def _alike(a, b):
    return relative_error(a, b) < 1e-6


def unchecked_step(f, theta, v):
    """Return the complex step of `complex_step` along one direction v, without its look for lost
    imaginary parts, for functions that are known to keep them; refuse a result that is not
    complex."""
    length = abs(v).max(initial=0) or 1.0
    value = np.asarray(f(theta + 1j * (TINY / length) * v))
    if value.dtype.kind != "c":
        raise ValueError(
            f"f: expected a complex result where theta is complex; got {value.dtype}: abs, conj, "
            "norm, a cast or a constant lost the imaginary part; use operations that keep it, or "
            "central_difference"
        )
    return value.imag / TINY * length


def _check_complex(f, theta, v, derivative):
    """Raise ValueError if f changes along v as its imaginary part does not show."""
    try:
        with np.errstate(all="ignore"):
            shown = _shows_change(f, theta, v, derivative)
    except CANNOT_TAKE:  # f does not take the points beside theta: no verdict
        return
    if not shown:
        raise ValueError(
            "f: expected a function that keeps complex numbers; got one that changes with theta "
            "while its imaginary part does not show it: abs, conj, norm or a comparison of complex "
            "numbers; compare real parts, or use central_difference"
        )


def _shows_change(f, theta, v, derivative):
    """Return whether the derivative along v may be right, by differences of real numbers.

    One forward difference nearly always settles it. Where that disagrees, because of a kink, a
    strong curvature or a fault, look more closely, and believe f if one of three points does."""
    if not np.isfinite(derivative).all():
        return True
    scale = max(1.0, abs(theta).max(initial=0))
    h = 1e-7 * scale / (abs(v).max(initial=0) or 1.0)
    after, before = np.asarray(f(theta + h * v)), np.asarray(f(theta))
    gap = abs((after - before) / h - derivative).max(initial=0)
    noise = 4 * _precision(before) * abs(before).max(initial=0) / h
    if gap <= 1e-5 * abs(derivative).max(initial=0) + noise:
        return True
    near = theta + 1e-4 * scale * np.random.default_rng(0).standard_normal((3, *theta.shape))
    return not all(_loses_imaginary(f, *at, v) for at in zip(near, (10 * h, 3 * h, h)))


def _loses_imaginary(f, theta, h, v):
    """Return whether the differences from left and right agree with each other, and not with the
    complex step. At a random theta, no unit of a network is at its kink, as some are by design
    where biases are 0."""
    here, left, right = (np.asarray(f(theta + step * v)) for step in (0, -h, h))
    derivative = unchecked_step(f, theta, v)
    central, spread = (right - left) / (2 * h), abs(right - 2 * here + left) / h
    gap = abs(central - derivative)
    size = max(abs(central).max(initial=0), abs(derivative).max(initial=0))
    noise = 100 * _precision(here) * abs(here).max(initial=0) / h
    # where f does not change at all, it is rounded more coarsely than h
    return bool(((gap > 2 * spread + noise + 1e-6 * size) & (left != right)).any())


def _precision(values):
    """Return the spacing of floating-point numbers beside 1, in the dtype of the values."""
    return np.finfo(values.dtype if values.dtype.kind in "fc" else np.float64).eps


def central_difference(f, theta, v, h=1e-5):
    """Return (f(theta + h v) - f(theta - h v)) / 2h, the derivative of f along v, nearly.

    The error is h^2 times a third derivative, plus rounding / h.

    Parameters
    ----------
    f : callable
        As for complex_step, and it need not take complex numbers.
    theta : array (P,)
    v : array (P,) or (..., P)
        One direction of about unit length, or several.
    h : float
        The step, above 0.

    Returns
    -------
    derivative : array (..., *shape of f(theta))

    Raises
    ------
    ValueError
        If theta or v is not real and finite, v does not end in theta's shape, or h is not above 0.

    Examples
    --------
    >>> round(float(central_difference(lambda t: t @ t, [1.0, 2.0], [0.6, 0.8])), 6)
    4.4
    """
    theta = _as_real("theta", theta)
    v = _as_directions(theta, v)
    if not _validate.as_number("h", h):
        raise ValueError(f"h: expected a number above 0; got {h!r}")
    if v.ndim == theta.ndim:
        return (np.asarray(f(theta + h * v)) - np.asarray(f(theta - h * v))) / (2 * h)
    rows = v.reshape(-1, *theta.shape)
    difference = (_at_each(f, theta + h * rows) - _at_each(f, theta - h * rows)) / (2 * h)
    return difference.reshape(*v.shape[: v.ndim - theta.ndim], *difference.shape[1:])


def relative_error(got, want):
    """Return |got - want| / max(|got|, |want|), in Euclidean norm over all entries.

    Nothing overflows or underflows: both are scaled by a power of two first.

    Parameters
    ----------
    got, want : array
        Numbers of any dtype, of the same shape; they are compared in float64 or complex128.

    Returns
    -------
    error : float
        From 0 to 2; 0 where both vanish, and nan if any entry is not finite, so that
        `error < tolerance` fails.

    Raises
    ------
    ValueError
        If the shapes differ: nothing is broadcast.

    Examples
    --------
    >>> relative_error([3.0, 4.0], [3.0, 0.0])
    0.8
    >>> relative_error([0.0], [float("nan")])
    nan
    """
    got, want = _scaled(_as_parts("got", got), _as_parts("want", want), together=True)
    if got.shape != want.shape:
        raise ValueError(f"got: expected the shape of want, {want.shape[1:]}; got {got.shape[1:]}")
    if not (np.isfinite(got).all() and np.isfinite(want).all()):
        return math.nan
    largest = max(np.linalg.norm(got), np.linalg.norm(want))
    return float(np.linalg.norm(got - want) / largest) if largest else 0.0


def _as_parts(name, value):
    """Return the real and the imaginary parts of numbers of any dtype, in float64: (2, ...)."""
    array = _validate.as_array(name, value)
    array = _validate.as_numbers(name, array, complex if array.dtype.kind == "c" else float)
    return np.stack((array.real, array.imag))


def _scaled(a, b, together):
    """Return a and b over powers of two by which their largest entries are about 1, so that squares
    neither overflow nor vanish: over one power `together`, or over one each."""
    largest = [abs(array).max(initial=0) for array in (a, b)]
    if together:
        largest = [max(largest)] * 2
    pair = []
    for array, size in zip((a, b), largest):
        exponent = math.frexp(size)[1] if 0 < size < math.inf else 0
        # in two steps, as 2 ** 1074 is no float
        pair.append(np.ldexp(np.ldexp(array, -(exponent // 2)), -(exponent - exponent // 2)))
    return pair


def cosine(a, b):
    """Return the cosine of the angle between two vectors.

    Parameters
    ----------
    a, b : array
        Of the same shape; all entries of an array are one vector.

    Returns
    -------
    cosine : float
        From -1 to 1; nan if a vector is 0, and so has no direction, or if an entry is not finite.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> round(cosine([1.0, 0.0], [1.0, 1.0]), 3)
    0.707
    """
    a, b = _scaled(_as_parts("a", a), _as_parts("b", b), together=False)
    if a.shape != b.shape:
        raise ValueError(f"a: expected the shape of b, {b.shape[1:]}; got {a.shape[1:]}")
    if not (np.isfinite(a).all() and np.isfinite(b).all() and a.any() and b.any()):
        return math.nan
    return float(np.clip(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))


def block_errors(model, got, want):
    """Return the relative error of each parameter block: a wrong bias gradient is invisible in the
    total norm.

    Parameters
    ----------
    model : MLP
    got, want : array (..., P)
        Gradients, or anything else of theta's shape.

    Returns
    -------
    errors : dict
        {"W1": error, "b1": error, "W2": ...}, each as `relative_error` gives it.

    Raises
    ------
    ValueError
        If the shapes differ, or do not end in P.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> block_errors(MLP([1, 1]), [3.0, 2.0], [3.0, 1.0])
    {'W1': 0.0, 'b1': 0.5}
    """
    got, want = (_validate.as_array(name, a) for name, a in (("got", got), ("want", want)))
    if got.shape != want.shape or got.shape[-1:] != (model.n_params,):
        raise ValueError(
            f"got: expected the shape of want, and (..., {model.n_params}) for {model!r}; got "
            f"{got.shape} and {want.shape}"
        )
    pairs = zip(model.unpack(got), model.unpack(want))
    return {
        f"{name}{layer}": relative_error(g, w)
        for layer, (gots, wants) in enumerate(pairs, start=1)
        for name, g, w in zip("Wb", gots, wants)
    }


def taylor_slopes(f, theta, v, grad=None, hessian_v=None, largest=0.01, halvings=6):
    """Return the orders at which f(theta + e v) minus its Taylor polynomial falls with e.

    They are 1 with the value alone, 2 with a right gradient, and 3 with a right Hessian-vector
    product as well.

    Parameters
    ----------
    f : callable
        f(theta) is a number.
    theta, v : array (P,)
    grad : array (P,), optional
        The gradient at theta.
    hessian_v : array (P,), optional
        The Hessian at theta times v.
    largest : float
        The first e; each later one is half of the one before.
    halvings : int

    Returns
    -------
    slopes : array (halvings,)
        One per halving of e; nan where the remainder is rounding, below 1e-14 of f: there is
        nothing to measure, for instance because f is a polynomial.

    Raises
    ------
    ValueError
        If an array is not real and finite or not of theta's shape, or halvings is not a count.

    Examples
    --------
    >>> taylor_slopes(lambda t: (t**3).sum(), [1.0], [1.0], grad=[3.0]).round(1).tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """
    theta = _as_real("theta", theta)
    v, grad, hessian_v = (
        np.zeros_like(theta) if value is None else _as_real(name, value)
        for name, value in (("v", v), ("grad", grad), ("hessian_v", hessian_v))
    )
    for name, array in (("v", v), ("grad", grad), ("hessian_v", hessian_v)):
        if array.shape != theta.shape:
            raise ValueError(f"{name}: expected theta's shape, {theta.shape}; got {array.shape}")
    _validate.check_count("halvings", halvings)
    steps = largest / 2.0 ** np.arange(halvings + 1)
    values = np.array([f(theta + e * v) for e in steps])
    start, linear, quadratic = f(theta), grad @ v, hessian_v @ v / 2
    remainders = abs(values - start - steps * linear - steps**2 * quadratic)
    rounding = 50 * _precision(values) * np.maximum(abs(values), abs(start))
    with np.errstate(invalid="ignore"):
        remainders = np.where(remainders > rounding, remainders, np.nan)
    return np.diff(np.log(remainders)) / np.log(0.5)


def largest_eigenvalue(model, theta, x, y, rng, iterations=20, return_residual=False):
    """Return the largest eigenvalue of the Hessian of the loss, by Hessian-vector products alone.

    It is the largest, not the largest in modulus. Descent at a rate is stable where
    rate * eigenvalue < 2.

    Lanczos: from a random direction, multiply by H, make the product orthogonal to all directions
    so far, and go on from it. In those directions H is a small matrix S, whose largest eigenvalue
    comes close to that of H from below.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)
    x : array (..., K, d_in)
    y : array (..., K, d_out)
    rng : numpy.random.Generator
    iterations : int
        The number of Hessian-vector products; P of them are exact, and more are not taken.
    return_residual : bool
        Whether to return the residual too. It is not a warning, because how close is close enough
        depends on the use: a rate needs two digits.

    Returns
    -------
    eigenvalue : array (...)
        In float64, and never above the true one.
    residual : array (...), if asked for
        |H u - eigenvalue u| for the unit vector u found: H has an eigenvalue that near. If it is
        not small beside the eigenvalue, take more iterations.

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, or iterations is not a count.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> x, y = [[0.0], [2.0]], [[1.0], [1.0]]  # H = [[4, 2], [2, 2]]
    >>> float(largest_eigenvalue(MLP([1, 1]), [0.0, 0.0], x, y, np.random.default_rng(0)).round(6))
    5.236068

    Source: Golub & Van Loan 2013, Matrix Computations, section 10.3.
    """
    theta = _validate.as_theta(model, theta, dtype=np.float64)
    x, y = _validate.as_points(model, theta, x, y)
    n = min(_validate.check_count("iterations", iterations), theta.shape[-1])
    _validate.check_generator(rng)
    lead, P = np.broadcast_shapes(theta.shape[:-1], x.shape[:-2]), theta.shape[-1]
    directions, S = np.zeros((*lead, n, P)), np.zeros((*lead, n, n))
    v = rng.standard_normal((*lead, P))
    scale = np.zeros((*lead, 1))  # the longest product so far: that of rounding
    for i in range(n):
        directions[..., i, :] = v / np.linalg.norm(v, axis=-1, keepdims=True)
        v = model.hvp(theta, x, y, directions[..., i, :])
        scale = np.maximum(scale, np.linalg.norm(v, axis=-1, keepdims=True))
        v, S[..., : i + 1, i] = _orthogonal(v, directions[..., : i + 1, :])
        left_over = np.linalg.norm(v, axis=-1, keepdims=True)
        # H leads nowhere new: go on from another random direction
        new, _ = _orthogonal(rng.standard_normal(v.shape), directions[..., : i + 1, :])
        v = np.where(left_over > 1e-12 * scale, v, new)
    eigenvalues, vectors = np.linalg.eigh(S, UPLO="U")
    residual = left_over[..., 0] * abs(vectors[..., -1, -1])
    return (eigenvalues[..., -1], residual) if return_residual else eigenvalues[..., -1]


def _orthogonal(v, directions):
    """Return v (..., P) less its components along orthonormal directions (..., n, P), and those
    components (..., n). Twice, as the first time leaves rounding behind."""
    components = 0.0
    for _ in range(2):
        again = (directions @ v[..., None])[..., 0]
        v = v - (again[..., None, :] @ directions)[..., 0, :]
        components = components + again
    return v, components
