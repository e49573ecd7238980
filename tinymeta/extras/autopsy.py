"""Am I really getting second-order gradients? An autopsy of a meta-gradient, of this package or of
your own.

    # a few tasks, tanh if you can, a rate that matters
    print(autopsy.examine(maml_grad, model, theta, batch, inner_lr=0.1))

It builds the meta-gradient anew from nothing but `model.grad` and its numerical derivative, with
the usual mistakes beside it, and says which of them yours is. Of a model it asks for two methods,
`loss(theta, x, y)` and `grad(theta, x, y)`, for theta (P,) and the points of one task; numerical
derivatives by `checks.complex_step` need them to take a complex theta. Where they do not (a model
wrapped from elsewhere), pass derivative=checks.central_difference, and prefer smooth activations.

What it cannot see: an error that loss and grad share, such as (K, 1) minus (K,); a missing f''
where f'' is 0 (ReLU); a sum for a mean over one task; wrong data; what happens to the gradient
later, in an optimiser that finds more than it in `.grad`; and whatever shows only at another theta.
It looks at one theta and one batch: try several."""

from typing import NamedTuple

import numpy as np

from .. import _validate
from ..checks import complex_step, cosine, relative_error
from ..meta import inner_batches, joint_grad, maml_grad
from ..mlp import MLP
from ..tasks import TaskBatch

JOINT = "the joint gradient, which never adapts"
UNKNOWN = "no: none of the mistakes known here"


class Autopsy(NamedTuple):
    """What `examine` found; str() of it is a report.

    right: whether it is MAML's meta-gradient (None: cannot be told here). verdict: in a sentence.
    parts: how much there is of "first order" (q), "second order" (what MAML adds to it, -alpha H q
    after one step) and "support" (g_0): 1, 1, 0 for MAML. left_over: what is none of the three.
    errors: relative, against MAML and each known mistake. notes: what else there is to know."""

    right: bool
    verdict: str
    parts: dict
    left_over: float
    errors: dict
    notes: tuple

    def __str__(self):
        parts = ", ".join(f"{part} {size:.4f}" for part, size in self.parts.items())
        nearest = sorted(self.errors.items(), key=lambda item: item[1])[:3]
        return "\n".join(
            [f"verdict: {self.verdict}", f"  made of: {parts}; left over {self.left_over:.1e}"]
            + [f"  off by {error:.1e}: {name}" for name, error in nearest]
            + [f"  note: {note}" for note in self.notes]
        )


def leaked(meta_grad):
    """The meta-gradient with the support gradient added, as the post's notebook computes it: a
    wrong one, to be told from the right."""

    def leaked_grad(*arguments):
        loss, grad = meta_grad(*arguments)
        return loss, grad + joint_grad(*arguments)[1]

    return leaked_grad


def layers(model, vectors, reference):
    """{name: vector (P,)} -> {name: [(length, cosine with the reference's), ...]}, for each layer
    of an MLP, and for all of theta last."""
    table = {}
    for name, vector in vectors.items():
        pairs = [
            tuple(np.concatenate([p.ravel() for p in layer]) for layer in pair)
            for pair in zip(model.unpack(vector), model.unpack(reference))
        ]
        table[name] = [(np.linalg.norm(v), cosine(v, r)) for v, r in (*pairs, (vector, reference))]
    return table


def examine(
    meta_grad,
    model,
    theta,
    batch,
    inner_lr,
    inner_steps=1,
    minibatch=None,
    derivative=complex_step,
    tolerance=None,
):
    """An Autopsy of meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch) -> (loss,
    grad) at theta (P,) on a TaskBatch (T, K, d).

    tolerance: of a relative error; 1e-6, or 1e-4 where the gradient that comes is float32."""
    theta = _validate.check_finite_theta(np.array(theta, np.float64))
    if theta.ndim != 1:
        raise ValueError(f"theta: expected shape (P,), one replica; got {theta.shape}")
    batch = TaskBatch(*(np.asarray(array, np.float64) for array in batch))
    if batch.x_support.ndim != 3:
        raise ValueError(
            f"x_support: expected shape (T, K, d), one batch of tasks; got {batch.x_support.shape}"
        )
    inner_loop = inner_lr, inner_steps, minibatch
    _validate.as_inner_loop(inner_steps, minibatch, batch.x_support)

    def call(tasks):
        loss, grad = meta_grad(model, theta.copy(), tasks, *inner_loop)
        grad = np.asarray(grad)
        if grad.shape != theta.shape:
            raise ValueError(
                f"meta_grad: expected a gradient of theta's shape, {theta.shape}; got {grad.shape}"
            )
        return float(loss), _validate.check_finite("meta_grad", grad)

    loss, got = call(batch)
    tolerance = tolerance or (1e-4 if got.dtype == np.float32 else 1e-6)
    slips = own_slips(model, theta, batch.x_support[0], batch.y_support[0], derivative, tolerance)
    each = [suspects(model, theta, task, *inner_loop, derivative) for task in zip(*batch)]
    known = {
        name: np.mean([task[name] for task in each], axis=0)
        for name in each[0]
        if all(name in task for task in each)
    }
    maml, first, support = known["MAML"], known["first-order MAML"], known[JOINT]
    basis = np.stack((first, maml - first, support), axis=1)
    size = np.linalg.norm(basis, axis=0) + 1e-300
    parts = np.linalg.lstsq(basis / size, got, rcond=None)[0] / size
    errors = {name: relative_error(got, vector) for name, vector in known.items()}
    left_over = relative_error(basis @ parts, got)

    notes = [f"second-order term: {size[1] / np.linalg.norm(maml):.1e} of the meta-gradient"]
    alike = [
        name
        for name, vector in known.items()
        if name != "MAML" and relative_error(vector, maml) < 10 * tolerance
    ]
    if alike:
        notes.append("on this batch MAML is the same as: " + "; ".join(alike))
    if len(each) == 1:
        notes.append("with one task, a sum over tasks is the same as their mean")
    true_loss = np.mean([task_loss(model, theta, task, *inner_loop) for task in zip(*batch)])
    if relative_error(loss, true_loss) > tolerance:
        notes.append(
            f"the loss that came, {loss:.6g}, is not the query loss after adaptation, "
            f"{true_loss:.6g}"
        )

    right, verdict = slips if slips else judge(call, batch, got, each, known, tolerance)
    if right is False and verdict == UNKNOWN:
        verdict += (
            f"; it has {parts[1]:.2f} of the second-order term, "
            f"and {left_over:.1e} of it is something else"
        )
    return Autopsy(
        right,
        verdict,
        dict(zip(("first order", "second order", "support"), parts)),
        left_over,
        errors,
        tuple(notes),
    )


def judge(call, batch, got, each, known, tolerance):
    """(right, verdict) on what came, by the known gradients of each task and their means."""
    if relative_error(call(batch)[1], got) > tolerance:
        return (
            False,
            "no: called again, it gives another answer; something accumulates between calls",
        )
    name = name_of(got, known, len(each), tolerance)
    if name == "MAML" and relative_error(known["first-order MAML"], got) < 10 * tolerance:
        return (
            None,
            "cannot tell: here the second-order term vanishes; take a larger inner_lr, or a step "
            "at least",
        )
    if name:
        return (
            (True, "yes: this is MAML, second order included")
            if name == "MAML"
            else (False, f"no: this is {name}")
        )
    alone = {
        name_of(call(one)[1], task, 1, tolerance) for one, task in zip(batch.split_tasks(1), each)
    }
    if len(alone) == 1 and None not in alone:
        return (
            False,
            f"no: of one task alone this is {alone.pop()}, but not of {len(each)} together; they "
            "mix",
        )
    return False, UNKNOWN


def way(model, theta, x, y, inner_lr, inner_steps, minibatch):
    """theta_0 ... theta_k of one task, the points of each step, and the gradients met."""
    thetas, points, grads = [theta], list(inner_batches(x, y, inner_steps, minibatch)), []
    for step in points:
        grads.append(model.grad(thetas[-1], *step))
        thetas.append(thetas[-1] - inner_lr * grads[-1])
    return thetas, points, grads


def task_loss(model, theta, task, *inner_loop):
    """The query loss of one task after adaptation."""
    return model.loss(way(model, theta, *task[:2], *inner_loop)[0][-1], *task[2:])


def back(model, thetas, points, q, inner_lr, derivative):
    """q taken back along the way: one numerical derivative of model.grad a step, along a direction
    of unit length."""
    for t, step in zip(reversed(thetas), reversed(points)):
        v = inner_lr * q
        length = np.linalg.norm(v) or 1.0
        q = q - length * derivative(lambda t: model.grad(t, *step), t, v / length)
    return q


def suspects(model, theta, task, inner_lr, inner_steps, minibatch, derivative):
    """{name: gradient (P,)} of one task: MAML's, and what is taken for it."""
    support, query = task[:2], task[2:]

    def both(support, query, rate=inner_lr, steps=inner_steps):
        thetas, points, _ = way(model, theta, *support, rate, steps, minibatch)
        q = model.grad(thetas[-1], *query)
        return back(model, thetas[:-1], points, q, rate, derivative), q

    maml, first = both(support, query)
    thetas, points, grads = way(model, theta, *support, inner_lr, inner_steps, minibatch)
    joint = model.grad(theta, *support)
    known = {
        "MAML": maml,
        "first-order MAML": first,
        "MAML with the support gradient leaked in": maml + joint,
        "first-order MAML with the support gradient leaked in": first + joint,
        JOINT: joint,
        "the query gradient before adaptation": model.grad(theta, *query),
        "Reptile": sum(grads, np.zeros_like(theta)),
    }
    if minibatch is None or minibatch <= len(query[0]):
        others = {
            "inner and outer loss on the query points": (query, query),
            "support and query swapped": (query, support),
        }
    else:
        others = {}
    for name, pair in {
        "inner and outer loss on the support points": (support, support),
        **others,
    }.items():
        known[f"MAML, {name}"], known[f"first-order MAML, {name}"] = both(*pair)
    for rate in (0.1, 10, -1):
        (
            known[f"MAML at {rate} times the inner rate"],
            known[f"first-order MAML at {rate} times the inner rate"],
        ) = both(support, query, rate * inner_lr)
    for steps in {abs(inner_steps - 1), inner_steps + 1}:
        of = f"of {steps} step{'s' * (steps != 1)}"
        known[f"MAML {of}"], known[f"first-order MAML {of}"] = both(support, query, steps=steps)
    known["MAML with the query gradient taken before adaptation"] = back(
        model,
        thetas[:-1],
        points,
        known["the query gradient before adaptation"],
        inner_lr,
        derivative,
    )
    known["MAML with each Hessian one step late"] = back(
        model, thetas[1:], points, first, inner_lr, derivative
    )
    known["MAML with the query loss's Hessian"] = back(
        model, thetas[:-1], [query] * inner_steps, first, inner_lr, derivative
    )
    if inner_steps > 1:
        known["MAML taken back first step first"] = back(
            model, thetas[-2::-1], points[::-1], first, inner_lr, derivative
        )
        known["MAML with every Hessian at the start"] = back(
            model, [theta] * inner_steps, points, first, inner_lr, derivative
        )
        known["MAML with the last step's Hessian alone"] = back(
            model, thetas[-2:-1], points[-1:], first, inner_lr, derivative
        )
    if isinstance(model, MLP) and np.ndim(model.activation_fn.curvature(np.zeros(1))):
        flat = MLP(model.sizes, model.activation, model.criterion)
        flat.activation_fn = flat.activation_fn._replace(curvature=lambda z: 0)  # noqa: ARG005
        one = TaskBatch(*(array[None] for array in task))
        known["MAML with f'' missing"] = maml_grad(
            flat, theta, one, inner_lr, inner_steps, minibatch
        )[1]
    return {name: vector for name, vector in known.items() if np.isfinite(vector).all()}


def match(got, known, tolerance):
    """(name, factor) of the first of the known that it is a multiple of; (None, 0) if it is of
    none."""
    for name, vector in known.items():
        factor = got @ vector / max(vector @ vector, 1e-300)
        if relative_error(got, factor * vector) < tolerance:
            return name, factor
    return None, 0.0


def name_of(got, known, n_tasks, tolerance):
    """The first of the known that it is, or is a multiple of; None if it is none."""
    name, factor = match(got, known, tolerance)
    if name is None or abs(factor - 1) < tolerance:
        return name
    return f"{name}, " + (
        f"the sum over {n_tasks} tasks for their mean"
        if abs(factor / n_tasks - 1) < tolerance
        else f"times {factor:.4g}"
    )


def own_slips(model, theta, x, y, derivative, tolerance):
    """(False, verdict) if the model itself is wrong: its grad against its loss, or its hvp, if it
    has one, against its grad."""
    v = np.random.default_rng(0).standard_normal((3, len(theta)))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    g = model.grad(theta, x, y)
    v = np.stack((*v, g / (np.linalg.norm(g) or 1.0)))
    off = relative_error(
        v @ g, [derivative(lambda t: model.loss(t, x, y), theta, row) for row in v]
    )
    if off > tolerance:
        hint = (
            "; or does it take no complex theta? then pass derivative=checks.central_difference"
            if derivative is complex_step
            else ""
        )
        return (
            False,
            f"no: model.grad is {off:.1e} off the derivative of model.loss; mend that first{hint}",
        )
    if hasattr(model, "hvp"):
        pairs = [
            (model.hvp(theta, x, y, row), derivative(lambda t: model.grad(t, x, y), theta, row))
            for row in v
        ]
        off = relative_error(*map(np.array, zip(*pairs)))
        if off > tolerance:
            return (
                False,
                f"no: model.hvp is {off:.1e} off the derivative of model.grad; mend that first "
                "(for tanh, is f'' there?)",
            )
    return None
