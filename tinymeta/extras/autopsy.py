"""Am I really getting second-order gradients? An autopsy of a meta-gradient, of this package or of
your own.

    # a few tasks; use tanh and a large enough inner_lr
    print(autopsy.examine(maml_grad, model, theta, batch, inner_lr=0.1))

It builds the meta-gradient anew from nothing but `model.grad` and its numerical derivative,
compares yours with it and with common mistakes, and says which of them it is. Of a model it asks
for two methods, `loss(theta, x, y)` and `grad(theta, x, y)`, for theta (P,) and the points of one
task; numerical derivatives by `checks.complex_step` need them to take a complex theta. Where they
do not (a model wrapped from elsewhere), pass derivative=checks.central_difference, and prefer
smooth activations.

It cannot see: an error that loss and grad share, such as (K, 1) minus (K,); a missing f'' where f''
is 0 (ReLU); a sum for a mean over one task; wrong data; what happens to the gradient later, in an
optimiser that finds more than it in `.grad`; and whatever shows only at another theta. It looks at
one theta and one batch: try several."""

import copy
import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import _validate
from ..checks import complex_step, cosine, relative_error
from ..meta import inner_batches, joint_grad, maml_grad, meta_loss
from ..mlp import MLP
from ..tasks import TaskBatch
from .variants import MetaSGDModel, check_meta_grad, is_real

JOINT = "the joint gradient, which never adapts"
UNKNOWN = "no: none of the mistakes known here"
YES = "yes: this is MAML, second order included"
ONE_STEP = (
    "; one inner step cannot show the order and the number of the Hessian products: pass "
    "inner_steps=2"
)
TINY = 1e-300  # keeps a division by 0 away


class Autopsy(NamedTuple):
    """The findings of `examine`; str() of it is a report."""

    right: bool  # whether it is MAML's meta-gradient; None: cannot be told here
    verdict: str  # in a sentence
    # how much there is of "first order" (q), "second order" (what MAML adds to it, -alpha H q after
    # one step) and "support" (g_0): 1, 1, 0 for MAML
    parts: dict
    residual: float  # the share that is none of the three
    errors: dict  # relative, against MAML and each known mistake
    notes: tuple  # further remarks

    def __str__(self):
        parts = ", ".join(f"{part} {size:.4f}" for part, size in self.parts.items())
        nearest = sorted(self.errors.items(), key=lambda item: item[1])[:3]
        return "\n".join(
            [f"verdict: {self.verdict}", f"  made of: {parts}; residual {self.residual:.1e}"]
            + [f"  off by {error:.1e}: {name}" for name, error in nearest]
            + [f"  note: {note}" for note in self.notes]
        )


def _leaked_grad(meta_grad, *arguments, **options):
    """Return the loss of meta_grad, and the sum of its gradient and the support gradient."""
    loss, grad = meta_grad(*arguments, **options)
    return loss, grad + joint_grad(*arguments, **options)[1]


def leaked(meta_grad):
    """Return the meta-gradient with the support gradient added, as the post's notebook computes
    it: deliberately wrong; a negative control."""
    check_meta_grad(meta_grad)
    return functools.partial(_leaked_grad, meta_grad)


def per_layer_cosines(model, vectors, reference):
    """Return the length of each vector, and its cosine with the reference, layer by layer.

    Parameters
    ----------
    model : MLP
    vectors : dict
        {name: vector (P,)}.
    reference : array (P,)

    Returns
    -------
    table : dict
        {name: [(length, cosine), ...]}, for each layer, and for all of theta last.
    """

    def parts(vector):
        layers = [np.concatenate([W.ravel(), b.ravel()]) for W, b in model.unpack(vector)]
        return [*layers, vector]

    return {
        name: [
            (np.linalg.norm(part), cosine(part, other))
            for part, other in zip(parts(vector), parts(reference))
        ]
        for name, vector in vectors.items()
    }


# Arguments


def as_examined(theta, batch, inner_lr):
    """Return theta (P,), a TaskBatch (T, K, d) and the rate, as float64 copies."""
    theta = _validate.as_numbers("theta", theta, np.float64).copy()
    if theta.ndim != 1:
        raise ValueError(f"theta: expected shape (P,), one replica; got {theta.shape}")
    _validate.check_finite_theta(theta)
    arrays = {}
    for name in TaskBatch._fields:
        if not hasattr(batch, name):
            raise ValueError(
                "batch: expected a TaskBatch(x_support, y_support, x_query, y_query); got "
                f"{type(batch).__name__}"
            )
        array = _validate.as_numbers(name, getattr(batch, name), np.float64).copy()
        if array.ndim != 3 or array.size == 0:
            raise ValueError(
                f"{name}: expected shape (T, K, d), one batch of tasks; got {array.shape}"
            )
        arrays[name] = _validate.check_finite(name, array)
    batch = TaskBatch(**arrays)
    if len({len(array) for array in batch}) > 1:
        shapes = ", ".join(str(array.shape) for array in batch)
        raise ValueError(f"batch: expected as many tasks in each of its arrays; got {shapes}")
    _validate.as_inner_lr(theta, inner_lr)  # refuses what is no rate
    return theta, batch, np.array(inner_lr) if np.ndim(inner_lr) else inner_lr


def as_loss_and_grad(result, shape):
    """Return the loss and a copy of the gradient that a meta-gradient returned, or refuse them."""
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(
            f"meta_grad: expected it to return (loss, grad); got {type(result).__name__}"
        )
    loss, grad = result
    if np.ndim(loss):
        raise ValueError(
            f"meta_grad: expected one loss, the mean over the tasks; got shape {np.shape(loss)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy 1 only warns of blocks of several shapes
            array = np.array(grad)
    except (ValueError, Warning):
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.shape != shape:
        got = f"shape {array.shape}" if array.dtype.kind in "biuf" else type(grad).__name__
        if isinstance(grad, (list, tuple)):
            got = (
                f"a {type(grad).__name__} of {len(grad)}; blocks are joined by "
                "np.concatenate([block.ravel() for block in blocks])"
            )
        raise ValueError(
            f"meta_grad: expected a gradient of theta's shape, {shape}, in one array of real "
            f"numbers; got {got}"
        )
    return float(loss), _validate.check_finite("meta_grad", array)


class Call(NamedTuple):
    """A meta-gradient and its arguments other than the batch."""

    meta_grad: Callable
    model: object
    theta: np.ndarray
    inner_lr: object
    rest: tuple  # (inner_steps, minibatch)

    def on(self, batch):
        """Return (written, loss, grad) on a batch: it gets copies, and `written` names those of its
        arguments that it writes into."""
        theta, inner_lr = self.theta.copy(), copy.copy(self.inner_lr)
        given = TaskBatch(*(array.copy() for array in batch))
        attributes = dict(getattr(self.model, "__dict__", {}))
        result = self.meta_grad(self.model, theta, given, inner_lr, *self.rest)
        loss, grad = as_loss_and_grad(result, theta.shape)
        pairs = {"theta": (theta, self.theta), "inner_lr": (inner_lr, self.inner_lr)}
        pairs |= dict(zip(TaskBatch._fields, zip(given, batch)))
        written = [name for name, pair in pairs.items() if not np.array_equal(*pair)]
        now = getattr(self.model, "__dict__", {})
        for name in {**attributes, **now}:
            if name not in now or name not in attributes or now[name] is not attributes[name]:
                written.append(f"model.{name}")
        return written, loss, grad


# The examination


def examine(
    meta_grad,
    model,
    theta,
    batch,
    inner_lr,
    inner_steps=2,
    minibatch=None,
    derivative=complex_step,
    tolerance=None,
):
    """Return the findings on a meta-gradient: is it MAML's, and if not, which mistake is it?

    Parameters
    ----------
    meta_grad : callable
        meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch) -> (loss, grad), like
        `maml_grad`. It gets copies of theta and of the batch.
    model
        An MLP, a `variants.MetaSGDModel`, or any object with the methods loss and grad.
    theta : array (P,)
        Computed with in float64, whatever its dtype.
    batch : TaskBatch
        Arrays (T, K, d).
    inner_lr : float or array (P,)
        Of a MetaSGDModel, whose rates are in theta: 1.
    inner_steps : int
        One step cannot show the order and the number of the Hessian products; two can.
    minibatch : int, optional
        As in `maml_grad`.
    derivative : callable
        `checks.complex_step`, or `checks.central_difference` for a model of real numbers.
    tolerance : float, optional
        Of a relative error; by default 1e-6, or 1e-4 where the gradient is float32.

    Returns
    -------
    findings : Autopsy

    Raises
    ------
    ValueError, TypeError
        If an argument or what meta_grad returns has not the form above, or adaptation diverges.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, fomaml_grad, maml_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1], "tanh")
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> examine(maml_grad, model, theta, batch, inner_lr=0.1).verdict
    'yes: this is MAML, second order included'
    >>> findings = examine(fomaml_grad, model, theta, batch, inner_lr=0.1)
    >>> findings.right, findings.verdict
    (False, 'no: this is first-order MAML')
    >>> {part: round(float(size), 6) + 0.0 for part, size in findings.parts.items()}
    {'first order': 1.0, 'second order': 0.0, 'support': 0.0}
    """
    if tolerance is not None and not (is_real(tolerance) and tolerance > 0):
        raise ValueError(f"tolerance: expected a finite number above 0; got {tolerance!r}")
    check_meta_grad(meta_grad)
    theta, batch, inner_lr = as_examined(theta, batch, inner_lr)
    _validate.as_inner_loop(inner_steps, minibatch, batch.x_support)
    if isinstance(model, MetaSGDModel):
        rest = inner_steps, minibatch, derivative, tolerance
        return examine_learned(meta_grad, model, theta, batch, inner_lr, *rest)
    inner_loop = inner_lr, inner_steps, minibatch
    call = Call(meta_grad, model, theta, inner_lr, (inner_steps, minibatch))
    written, loss, got = call.on(batch)
    tolerance = tolerance or (1e-4 if got.dtype == np.float32 else 1e-6)
    got = got.astype(np.float64)

    each = [
        candidate_gradients(model, theta, task, *inner_loop, derivative) for task in zip(*batch)
    ]
    known = {
        name: np.mean([task[name] for task in each], axis=0)
        for name in each[0]
        if all(name in task for task in each)
    }
    for name in ("MAML", "first-order MAML", JOINT):
        if name not in known:
            raise ValueError(
                f"inner_lr: expected one at which adaptation stays finite; with {inner_lr}, "
                f"{name} is not; take a smaller one"
            )
    maml, first, support = known["MAML"], known["first-order MAML"], known[JOINT]
    basis = np.stack((first, maml - first, support), axis=1)
    size = np.linalg.norm(basis, axis=0) + TINY
    parts = np.linalg.lstsq(basis / size, got, rcond=None)[0] / size
    errors = {name: relative_error(got, vector) for name, vector in known.items()}
    residual = relative_error(basis @ parts, got)

    notes = [
        f"second-order term: {size[1] / (np.linalg.norm(maml) + TINY):.1e} of the meta-gradient"
    ]
    same = [
        name
        for name, vector in known.items()
        if name != "MAML" and relative_error(vector, maml) < 10 * tolerance
    ]
    if same:
        more = [f"and {len(same) - 4} more"] if len(same) > 4 else []
        notes.append("on this batch MAML is the same as: " + "; ".join(same[:4] + more))
    if len(each) == 1:
        notes.append("with one task, a sum over tasks is the same as their mean")
    true_loss = np.mean([task_loss(model, theta, task, *inner_loop) for task in zip(*batch)])
    if not relative_error(loss, true_loss) <= tolerance:
        notes.append(
            f"the loss returned, {loss:.6g}, is not the query loss after adaptation, "
            f"{true_loss:.6g}"
        )

    rounding = rounding_of_grad(model, theta, [*zip(*batch)])
    right, verdict = (
        check_model(model, theta, batch.x_support[0], batch.y_support[0], derivative, tolerance)
        or (written and (False, f"no: it writes into {', '.join(written)}, which others use too"))
        or judge(call, batch, got, each, known, tolerance)
    )
    if right is False and verdict == UNKNOWN:
        if rounding > tolerance * np.linalg.norm(maml):
            right = None
            verdict = (
                f"cannot tell: MAML's gradient, of length {np.linalg.norm(maml):.1e}, is lost in "
                "the rounding of model.grad; take a theta with a larger loss"
            )
        else:
            verdict += (
                f"; it has {parts[1]:.2f} of the second-order term, "
                f"and {residual:.1e} of it is something else"
            )
    if right and inner_steps == 1:
        verdict += ONE_STEP
    parts = dict(zip(("first order", "second order", "support"), parts))
    return Autopsy(right, verdict, parts, residual, errors, tuple(notes))


def examine_learned(
    meta_grad, learned, phi, batch, inner_lr, inner_steps, minibatch, derivative, tolerance
):
    """Return the findings on a meta-gradient of a MetaSGDModel: those on its part in theta, at the
    learned rates, and for the verdict on its part in the rates as well."""
    phi = _validate.as_theta(learned, phi)
    if np.any(np.asarray(inner_lr) != 1):
        raise ValueError(f"inner_lr: expected 1, as the rates are in theta; got {inner_lr}")
    theta, rates = learned.split(phi)

    def in_theta(model, theta, tasks, rates, *rest):
        joined = learned.join(theta, rates)
        loss, grad = as_loss_and_grad(meta_grad(learned, joined, tasks, 1.0, *rest), phi.shape)
        theta[...], rates[...] = learned.split(joined)  # where it writes into phi, this shows
        return loss, learned.split(grad)[0]

    rest = inner_steps, minibatch, derivative, tolerance
    found = examine(in_theta, learned.model, theta, batch, rates, *rest)
    _, _, got = Call(meta_grad, learned, phi, 1.0, (inner_steps, minibatch)).on(batch)
    want = complex_step(lambda p: meta_loss(learned, p, batch, 1.0, inner_steps, minibatch), phi)
    error = relative_error(learned.split(got)[1], learned.split(want)[1])
    note = f"the gradient in the rates is off by {error:.1e}"
    if found.right and not error <= (tolerance or 1e-6):
        found = found._replace(right=False, verdict=f"no: {note}; in theta it is MAML's")
    return found._replace(notes=(*found.notes, note))


def judge(call, batch, got, each, known, tolerance):
    """Return (right, verdict): classify the returned gradient by comparison with the known ones of
    each task and their means."""
    if not relative_error(call.on(batch)[-1], got) <= tolerance:
        return (
            False,
            "no: called again, it gives another answer; something accumulates between calls",
        )
    if not got.any() and known["MAML"].any():
        return False, "no: every entry is 0; nothing is connected to theta"
    scales = scales_of(batch, outputs_of(call.model, batch.y_query))
    name = name_of(got, known, scales, tolerance)
    if name == "MAML":
        if relative_error(known["first-order MAML"], got) < 10 * tolerance:
            return (
                None,
                "cannot tell: here the second-order term vanishes; take a larger inner_lr, or a "
                "step at least",
            )
        return True, YES
    if name:
        return False, f"no: this is {name}"
    for i, task in enumerate(each if len(each) > 1 else ()):
        name = name_of(got, task, scales, tolerance)
        if name:
            which = {0: "the first task", len(each) - 1: "the last task"}.get(i, f"task {i + 1}")
            return False, f"no: this is {name}, of {which} of {len(each)} alone"
    alone = {
        name_of(call.on(one)[-1], task, scales, tolerance)
        for one, task in zip(batch.split_tasks(1), each)
    }
    if len(alone) == 1 and None not in alone:
        return (
            False,
            f"no: of one task alone this is {alone.pop()}, but not of {len(each)} together; they "
            "mix",
        )
    return False, UNKNOWN


# Known gradients


def inner_trajectory(model, theta, x, y, inner_lr, inner_steps, minibatch):
    """Return theta_0 ... theta_k of one task, the points of each step, and the gradients there."""
    thetas, points, grads = [theta], list(inner_batches(x, y, inner_steps, minibatch)), []
    for step in points:
        grads.append(model.grad(thetas[-1], *step))
        thetas.append(thetas[-1] - inner_lr * grads[-1])
    return thetas, points, grads


def task_loss(model, theta, task, *inner_loop):
    """Return the query loss of one task after adaptation."""
    return model.loss(inner_trajectory(model, theta, *task[:2], *inner_loop)[0][-1], *task[2:])


def backprop_through_steps(model, thetas, points, q, inner_lr, derivative):
    """Return q propagated back through the steps: for each, one numerical derivative of model.grad
    along a direction of unit length; nan if adaptation diverged."""
    for t, step in zip(reversed(thetas), reversed(points)):
        if not (np.isfinite(t).all() and np.isfinite(q).all()):
            return np.full_like(q, np.nan)
        v = inner_lr * q
        length = np.linalg.norm(v) or 1.0
        q = q - length * derivative(lambda t: model.grad(t, *step), t, v / length)
    return q


def outputs_of(model, y):
    """Return the number of outputs; a model that brings loss and grad alone has no sizes."""
    return y.shape[-1] - _validate.extra_columns(model)


def inner_rates(x, outputs, minibatch):
    """Return {mistake: factor on the inner rate}: an inner loss with another scale is another
    rate."""
    points = minibatch or x.shape[-2]
    rates = {
        f"with the inner loss summed over its {points} points": points,
        f"with the inner loss divided by its {points} points again": 1 / points,
        "with the inner loss halved (1/2)": 0.5,
        "with the inner loss doubled": 2,
    }
    if outputs > 1:
        rates[f"with the inner loss summed over its {outputs} outputs"] = outputs
        rates[f"with the inner loss summed over its {points} points and {outputs} outputs"] = (
            points * outputs
        )
        rates[f"with the inner loss divided by its {outputs} outputs again"] = 1 / outputs
    rates |= {f"at {rate} times the inner rate": rate for rate in (0.1, 10, -1)}
    return {name: rate for name, rate in rates.items() if rate != 1}


def candidate_gradients(model, theta, task, inner_lr, inner_steps, minibatch, derivative):
    """Return {name: gradient (P,)} of one task: MAML's, and those that are taken for it."""
    support, query = task[:2], task[2:]

    def both_orders(support, query, rate=inner_lr, steps=inner_steps):
        """Return the gradients of MAML and of first-order MAML."""
        thetas, points, _ = inner_trajectory(model, theta, *support, rate, steps, minibatch)
        q = model.grad(thetas[-1], *query)
        return backprop_through_steps(model, thetas[:-1], points, q, rate, derivative), q

    maml, first = both_orders(support, query)
    inner_loop, outputs = (inner_lr, inner_steps, minibatch), outputs_of(model, support[1])
    thetas, points, grads = inner_trajectory(model, theta, *support, *inner_loop)
    joint, unadapted = model.grad(theta, *support), model.grad(theta, *query)
    known = {
        "MAML": maml,
        "first-order MAML": first,
        "MAML with the support gradient leaked in": maml + joint,
        "first-order MAML with the support gradient leaked in": first + joint,
        JOINT: joint,
        "the query gradient before adaptation": unadapted,
        "Reptile": sum(grads, np.zeros_like(theta)),
    }

    def add(mistake, *arguments, **options):
        """Add MAML and first-order MAML with a mistake."""
        pair = both_orders(*arguments, **options)
        known[f"MAML{mistake}"], known[f"first-order MAML{mistake}"] = pair

    add(", inner and outer loss on the support points", support, support)
    if minibatch is None or minibatch <= len(query[0]):
        add(", inner and outer loss on the query points", query, query)
        add(", support and query swapped", query, support)
    for mistake, factor in inner_rates(support[0], outputs, minibatch).items():
        add(f" {mistake}", support, query, rate=factor * inner_lr)
    for steps in {abs(inner_steps - 1), inner_steps + 1}:
        add(f" of {steps} step{'s' * (steps != 1)}", support, query, steps=steps)

    def propagate(thetas, points, q=first):
        return backprop_through_steps(model, thetas, points, q, inner_lr, derivative)

    known["MAML with the query gradient taken before adaptation"] = propagate(
        thetas[:-1], points, unadapted
    )
    known["MAML with each Hessian one step late"] = propagate(thetas[1:], points)
    known["MAML with the query loss's Hessian"] = propagate(thetas[:-1], [query] * inner_steps)
    if inner_steps > 1:
        known["MAML taken back first step first"] = propagate(thetas[-2::-1], points[::-1])
        known["MAML with every Hessian at the start"] = propagate([theta] * inner_steps, points)
        known["MAML with the last step's Hessian alone"] = propagate(thetas[-2:-1], points[-1:])
    if isinstance(model, MLP) and np.ndim(model.activation_fn.curvature(np.zeros(1))):
        flat = MLP(model.sizes, model.activation, model.criterion)
        flat.activation_fn = flat.activation_fn._replace(curvature=lambda z: 0)  # noqa: ARG005
        one = TaskBatch(*(array[None] for array in task))
        known["MAML with f'' missing"] = maml_grad(flat, theta, one, *inner_loop)[1]
    return {name: vector for name, vector in known.items() if np.isfinite(vector).all()}


# Comparison


def match(got, known, tolerance):
    """Return (name, factor) of the first of the known vectors that `got` is a multiple of; (None,
    0) if it is of none."""
    length = np.linalg.norm(got)
    for name, vector in known.items():
        other = np.linalg.norm(vector)
        if not (length > 0 and other > 0):
            continue
        direction = vector / other
        along = got @ direction
        if relative_error(got, along * direction) < tolerance:
            return name, along / other
    return None, 0.0


def scales_of(batch, outputs):
    """Return {words: number} of the numbers that a sum is divided by to be a mean."""
    points = batch.y_query.shape[-2]
    scales = {
        "the number of tasks": len(batch.x_support),
        "the number of query points": points,
        "the number of query points times that of tasks": points * len(batch.x_support),
    }
    if outputs > 1:
        scales["the number of outputs"] = outputs
        scales["the number of query points times that of outputs"] = points * outputs
    return {words: n for words, n in scales.items() if n > 1}


def name_of(got, known, scales, tolerance):
    """Return the name of the first candidate that `got` equals up to a factor, and the factor in
    words if it is not 1; else None."""
    name, factor = match(got, known, tolerance)
    if name is None or abs(factor - 1) <= tolerance:
        return name

    def counted(factor):
        return " or ".join(w for w, n in scales.items() if abs(factor / n - 1) <= tolerance)

    tasks = scales.get("the number of tasks")
    if tasks and counted(factor) == "the number of tasks":
        return f"{name}, the sum over {tasks} tasks for their mean"
    text = f"{name}, times {factor:.4g}"
    if counted(factor):
        return f"{text}: {factor:.4g} is {counted(factor)}"
    if counted(1 / factor):
        return f"{text}: 1/{1 / factor:.4g}, and {1 / factor:.4g} is {counted(1 / factor)}"
    return text


def rounding_of_grad(model, theta, tasks):
    """Return about how large the rounding errors of model.grad are: a thousand of the last digit of
    its length, there or with the columns of y exchanged, where a confident classifier is wrong and
    its gradient not small."""
    lengths = [
        np.linalg.norm(model.grad(theta, x, columns))
        for x, y, *_ in tasks
        for columns in (y, np.roll(y, 1, axis=-1))
    ]
    return 1e3 * np.finfo(np.float64).eps * max(lengths)


def check_model(model, theta, x, y, derivative, tolerance):
    """Return (False, verdict) if the model itself is wrong: its grad against its loss, or its hvp,
    if it has one, against its grad; None if neither is."""
    v = np.random.default_rng(0).standard_normal((3, len(theta)))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    g = model.grad(theta, x, y)
    v = np.stack((*v, g / (np.linalg.norm(g) or 1.0)))
    rounding = rounding_of_grad(model, theta, [(x, y)])

    def compare(got, want):
        """Return the relative error, 0 where it is rounding, and nan where a number is not
        finite."""
        got, want = np.array(got), np.array(want)
        if not (np.isfinite(got).all() and np.isfinite(want).all()):
            return np.nan
        return 0.0 if np.abs(got - want).max() <= rounding else relative_error(got, want)

    off = compare(v @ g, [derivative(lambda t: model.loss(t, x, y), theta, row) for row in v])
    if not off <= tolerance:
        hint = (
            "; or does it take no complex theta? then pass derivative=checks.central_difference"
            if derivative is complex_step
            else ""
        )
        return (
            False,
            f"no: model.grad is {off:.1e} off the derivative of model.loss; fix that first{hint}",
        )
    if hasattr(model, "hvp"):
        off = compare(
            [model.hvp(theta, x, y, row) for row in v],
            [derivative(lambda t: model.grad(t, x, y), theta, row) for row in v],
        )
        if not off <= tolerance:
            return (
                False,
                f"no: model.hvp is {off:.1e} off the derivative of model.grad; fix that first "
                "(for tanh, is f'' there?)",
            )
    return None
