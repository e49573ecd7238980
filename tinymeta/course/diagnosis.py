"""What is wrong with an answer to an exercise, in a sentence: the likeliest cause, and the layers
that it shows in.

An answer is held against the known mistakes of its exercise, computed here: the right formula with
one term changed, or what tinymeta.autopsy takes for a meta-gradient. If it is a multiple of one of
them, that is the cause, and the factor is put into words. Nothing here decides whether an answer is
right: numerical derivatives do that, in tinymeta.exercises."""

import linecache
import traceback

import numpy as np

from ..checks import block_errors, complex_step
from ..extras import autopsy

SQUARE = "which a square leaves in its derivative"
NEAR = 1e-6  # as near as an answer has to be, to the truth or to a known mistake


def in_words(factor, scales):
    """What a factor of -1, n or 1/n is, or both, for an n of `scales` {n: what it counts}."""
    size = abs(factor)
    words = "" if abs(size - 1) < NEAR else f"it is {size:.4g} times what it should be"
    for n, what in scales.items():
        if words and n and min(abs(size / n - 1), abs(size * n - 1)) < NEAR:
            times, why = (
                ("multiplied", "a sum for a mean?")
                if abs(size / n - 1) < NEAR
                else ("divided", "a mean for a sum?")
            )
            if n < 1:  # a rate
                why = "once too often?" if times == "multiplied" else "is it missing?"
            words = f"it is {times} by {n:.4g}, {what}" + (f": {why}" if what != SQUARE else "")
    return " and ".join(filter(None, ("its sign is turned" if factor < 0 else "", words)))


def named(got, known, right, scales):
    """What `got` is, by `known` {name: vector}, where `right` names the right one; None if it is a
    multiple of none."""
    if not np.any(got):
        return "every entry is 0"
    name, factor = autopsy.match(got, known, NEAR)
    if name is None:
        return None
    words = "" if abs(factor - 1) < NEAR else in_words(factor, scales)
    return (
        (words or None)
        if name == right
        else f"this is {name}" + (f", and {words}" if words else "")
    )


def in_blocks(model, got, truth, scales):
    """Which parameter blocks are wrong, the layer that the way back meets first, and the factor if
    they are all off by one."""
    wrong = [block for block, error in block_errors(model, got, truth).items() if not error < NEAR]
    layers = enumerate(zip(model.unpack(got), model.unpack(truth)), start=1)
    parts = {f"{kind}{layer}": pair for layer, two in layers for kind, *pair in zip("Wb", *two)}
    got_wrong, true_wrong = (
        np.concatenate([parts[block][side].ravel() for block in wrong]) for side in (0, 1)
    )
    name, factor = autopsy.match(got_wrong, {"truth": true_wrong}, NEAR)
    cause = (
        ""
        if name is None
        else ": they are 0"
        if not np.any(got_wrong)
        else ": " + in_words(factor, scales)
    )
    if len(wrong) == len(parts):
        return "every layer is wrong, from the last one on" + cause
    first = max(int(block[1:]) for block in wrong)
    return (
        f"wrong in {', '.join(wrong)} and right elsewhere; going back from the output, layer "
        f"{first} is the first that is wrong" + cause
    )


# Exercises 1 and 2: the two passes, each term with a factor of its own


def bent_gradient(model, theta, x, y, slope=lambda slope, h: slope, at_output=False):
    """The gradient with something else for the slopes, or with a slope at the output as well."""
    tape = model.forward(theta, x)
    grad, delta = np.empty_like(theta), model.loss_fn.grad(tape.z[-1], y)
    if at_output:
        delta = delta * model.activation_fn.slope(tape.z[-1])
    for i, (gW, gb) in reversed([*enumerate(model.unpack(grad))]):
        gW[...], gb[...] = tape.inputs[i].T @ delta, delta.sum(axis=0)
        if i > 0:
            right = model.activation_fn.slope(tape.z[i - 1])
            delta = (delta @ tape.layers[i][0].T) * slope(right, tape.inputs[i])
    return grad


def backward(answer, got, truth, model, theta, x, y):
    """Of a gradient."""
    bent = {
        "the gradient with the slope f'(z) missing": dict(slope=lambda slope, h: 1.0),
        "the gradient with f(z) in place of the slope f'(z)": dict(slope=lambda slope, h: h),
        "the gradient with the slope f'(z) taken twice": dict(slope=lambda slope, h: slope * slope),
        "the gradient with a slope f'(z) at the output, where there is no f": dict(at_output=True),
    }
    known = {"truth": truth} | {
        name: bent_gradient(model, theta, x, y, **slip) for name, slip in bent.items()
    }
    scales = {len(x): "the number of points", y.shape[-1]: "the width of the output", 2: SQUARE}
    return named(got, known, "truth", scales) or in_blocks(model, got, truth, scales)


TERMS = (
    "h V",
    "Rh W",
    "Vb",
    "f'(z) Rz",
    "Rdelta W^T",
    "delta V^T",
    "f'(z) in Rdelta",
    "f''(z) Rz (delta W^T)",
    "Rh^T delta",
    "h^T Rdelta",
)


def bent_product(model, tape, v, factor=None, Rx=0.0, per_slope=False, Rdelta=None):
    """The Hessian-vector product with a `factor` on each term; Rx: of x, as if it moved; per_slope:
    f'' = -2 f, without f'; Rdelta: another one at the output."""
    c = dict.fromkeys(TERMS, 1.0) | (factor or {})
    V, Rh, Rz, product = model.unpack(v), [Rx * tape.inputs[0]], [], np.empty_like(v)
    for i, (W, _) in enumerate(tape.layers):
        Rz.append(c["h V"] * tape.inputs[i] @ V[i][0] + c["Rh W"] * Rh[i] @ W + c["Vb"] * V[i][1])
        if i + 1 < len(V):
            Rh.append(Rz[i] if c["f'(z) Rz"] == 0 else c["f'(z) Rz"] * tape.slope[i] * Rz[i])
    Rdelta = model.loss_fn.hvp(tape.z[-1], tape.y, Rz[-1]) if Rdelta is None else Rdelta(Rz[-1])
    for i, (RgW, Rgb) in reversed([*enumerate(model.unpack(product))]):
        RgW[...], Rgb[...] = (
            c["h^T Rdelta"] * tape.inputs[i].T @ Rdelta + c["Rh^T delta"] * Rh[i].T @ tape.delta[i],
            Rdelta.sum(axis=0),
        )
        if i > 0:
            W = tape.layers[i][0]
            Rdelta = c["Rdelta W^T"] * Rdelta @ W.T + c["delta V^T"] * tape.delta[i] @ V[i][0].T
            Rdelta = (
                Rdelta
                if c["f'(z) in Rdelta"] == 0
                else c["f'(z) in Rdelta"] * tape.slope[i - 1] * Rdelta
            )
            curvature = model.activation_fn.curvature(tape.z[i - 1])
            if per_slope and np.ndim(curvature):
                curvature = -2.0 * tape.inputs[i]
            term = curvature * Rz[i - 1] * (tape.delta[i] @ W.T)
            Rdelta = Rdelta + c["f''(z) Rz (delta W^T)"] * term
    return product


def hvp(answer, got, truth, model, theta, x, y, v):
    """Of a Hessian-vector product."""
    tape = model.backprop(theta, x, y).tape
    known = {
        "truth": truth,
        "the gradient, which no v has changed": model.grad(theta, x, y),
    }
    for term in TERMS:
        for factor, words in {
            0.0: "missing",
            -1.0: "with the wrong sign",
            2.0: "taken twice",
            0.5: "halved",
        }.items():
            known[f"the product with the term {term} {words}"] = bent_product(
                model, tape, v, {term: factor}
            )
    known["the product with Rh of the input not 0 but x: the input does not move"] = bent_product(
        model, tape, v, Rx=1.0
    )
    known["the product with f''(z) = -2 f(z), which lacks its factor f'(z)"] = bent_product(
        model, tape, v, per_slope=True
    )
    starts = {
        "Rout: the loss's second derivative is missing": lambda Rout: Rout,
        "delta": lambda Rout: tape.delta[-1],
    }
    for name, start in starts.items():
        known[f"the product with Rdelta at the output equal to {name}"] = bent_product(
            model, tape, v, Rdelta=start
        )
    scales = {len(x): "the number of points", y.shape[-1]: "the width of the output", 2: SQUARE}
    return named(got, known, "truth", scales) or in_blocks(model, got, truth, scales)


# Exercises 3 to 6: meta-gradients, each the mean over the tasks


def over_tasks(call, batch, got, each, right, scales):
    """What a meta-gradient is, by the known ones of `each` task; `call` is the answer as a function
    of the batch alone."""
    known = {name: np.mean([task[name] for task in each], axis=0) for name in each[0]}
    found = named(got, known, right, scales)
    if found is None:
        ones = [call(one) for one in batch.split_tasks(1)]
        alone = {
            named(one, task, right, scales) or autopsy.match(one, task, NEAR)[0]
            for one, task in zip(ones, each)
        }
        if len(alone) == 1 and None not in alone:
            found = (
                f"of one task alone this is {alone.pop()}, but not of {len(each)} together: "
                "they mix, or not all are there"
            )
    return found or "none of the mistakes known here"


def scales_of(batch, inner_lr, inner_steps):
    return {
        len(batch.x_support): "the number of tasks",
        inner_steps: "the number of inner steps",
        inner_lr: "alpha",
        inner_lr**2: "alpha squared",
    }


def maml(answer, got, truth, model, theta, batch, inner_lr, inner_steps):
    """Of a meta-gradient that should be MAML's: the autopsy's verdict."""

    def with_loss(model, theta, batch, inner_lr, inner_steps, minibatch):
        # its verdict is of the gradient alone
        return 0.0, answer(model, theta, batch, inner_lr, inner_steps)

    found = autopsy.examine(with_loss, model, theta, batch, inner_lr, inner_steps)
    first, second, support = found.parts.values()
    if (
        found.verdict.startswith(autopsy.UNKNOWN)
        and found.left_over < NEAR
        and abs(first - 1) + abs(support) < NEAR
    ):
        how = in_words(second, scales_of(batch, inner_lr, inner_steps))
        return f"this is MAML but for its second-order term: {how}"
    return found.verdict.removeprefix("no: ")


def first_order(answer, got, truth, model, theta, batch, inner_lr, inner_steps):
    """Of what should be first-order MAML."""
    each = [
        autopsy.suspects(model, theta, task, inner_lr, inner_steps, None, complex_step)
        for task in zip(*batch)
    ]
    # what is right comes first
    each = [{"first-order MAML": known["first-order MAML"]} | known for known in each]
    return over_tasks(
        lambda tasks: answer(model, theta, tasks, inner_lr, inner_steps),
        batch,
        got,
        each,
        "first-order MAML",
        scales_of(batch, inner_lr, inner_steps),
    )


def reptile(answer, got, truth, model, theta, batch, inner_lr, inner_steps):
    """Of what should be (theta - theta_k) / alpha."""

    def known(support, query):
        thetas, _, grads = autopsy.way(model, theta, *support, inner_lr, inner_steps, None)
        end, q = (model.grad(thetas[-1], *points) for points in (support, query))
        return {
            "Reptile": sum(grads),
            "Reptile on the query points": sum(
                autopsy.way(model, theta, *query, inner_lr, inner_steps, None)[2]
            ),
            "Reptile of steps uphill, theta + alpha g": sum(
                autopsy.way(model, theta, *support, -inner_lr, inner_steps, None)[2]
            ),
            "inner_steps times the support gradient at theta: every step starts there": inner_steps
            * grads[0],
            "Reptile without the last gradient, one step short": sum(grads[:-1]),
            "Reptile with one step too many": sum(grads) + end,
            "the way one step late: g_1 + ... + g_k": sum(grads[1:]) + end,
            "the first step's gradient alone": grads[0],
            "the last step's gradient alone": grads[-1],
            "Reptile and the query gradient after the last step": sum(grads) + q,
            "first-order MAML, the query gradient after the last step": q,
            "theta_k itself": thetas[-1],
        }

    each = [known(task[:2], task[2:]) for task in zip(*batch)]
    return over_tasks(
        lambda tasks: answer(model, theta, tasks, inner_lr, inner_steps),
        batch,
        got,
        each,
        "Reptile",
        scales_of(batch, inner_lr, inner_steps),
    )


def rates(answer, got, truth, model, theta, inner_lr, batch, inner_steps):
    """Of the gradient in Meta-SGD's rates."""

    def known(support, query):
        thetas, _, g = autopsy.way(model, theta, *support, inner_lr, inner_steps, None)
        q, end = model.grad(thetas[-1], *query), model.grad(thetas[-1], *support)

        def H(t, v):
            return model.hvp(t, *support, v)

        def back(move, q=q, way=thetas[-2::-1]):
            """v at each step of the way back, the last step first; the first is q."""
            vs = [q]
            for t in way:
                vs.append(move(vs[-1], t))
            return vs

        def right(v, t):
            return v - H(t, inner_lr * v)

        def total(vs, gs=g[::-1]):
            return -sum(v * g for v, g in zip(vs, gs))

        v = back(right)
        slips = {
            "v one step off: taken back before it meets g": total(v[1:]),
            "every v equal to q, which is first order": total([q] * inner_steps),
            "v taken back with a plus for a minus": total(
                back(lambda v, t: v + H(t, inner_lr * v))
            ),
            "v taken back with alpha outside the product, as if all rates were equal": total(
                back(lambda v, t: v - inner_lr * H(t, v))
            ),
            "v taken back first step first": total(back(right, way=thetas[:-1]), g),
            "the query gradient taken before adaptation": total(
                back(right, model.grad(theta, *query))
            ),
            "every g taken at theta": total(v, [g[0]] * inner_steps),
            "g one step late, at theta_s+1": total(v, [end, *g[:0:-1]]),
            "the query gradient for g": total(v, [model.grad(t, *query) for t in thetas[-2::-1]]),
            "the last step's part alone": total(v[:1]),
            "the first step's part alone": total(v[-2:-1], g[:1]),
            "alpha as one factor too many": inner_lr * total(v),
            "a sum over all parameters: v and g are multiplied entry by entry": np.full_like(
                theta, total(v).sum()
            ),
        }
        named = {f"the gradient in alpha with {slip}": vector for slip, vector in slips.items()}
        return {
            "the gradient in alpha": total(v),
            **named,
            "the gradient in theta, not in alpha": v[-1],
        }

    each = [known(task[:2], task[2:]) for task in zip(*batch)]
    scales = {len(batch.x_support): "the number of tasks", inner_steps: "the number of inner steps"}
    return over_tasks(
        lambda tasks: answer(model, theta, inner_lr, tasks, inner_steps),
        batch,
        got,
        each,
        "the gradient in alpha",
        scales,
    )


# What does not even return


def crash(answer, error):
    """Where in the student's file it stopped, and with what: the line, and the whole numbers there
    (which layer was it?)."""
    source = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [*traceback.walk_tb(error.__traceback__)]
    frame, number = ([f for f in frames if f[0].f_code.co_filename == source] or frames)[-1]
    integers = ", ".join(
        f"{name} = {value}" for name, value in frame.f_locals.items() if type(value) is int
    )
    line = linecache.getline(frame.f_code.co_filename, number).strip()
    where = f"line {number}, `{line}`" + (f", where {integers}" if integers else "")
    shapes = any(word in str(error) for word in ("shape", "broadcast", "mismatch", "dimension"))
    likely = ". Is something transposed, or of another layer (l - 1, l + 1)?" if shapes else ""
    return f"it stops with {type(error).__name__} in {where}: {error}{likely}"
