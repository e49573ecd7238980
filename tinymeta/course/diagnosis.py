"""Say in a sentence what is wrong with an answer to an exercise: the likeliest cause, and the
layers affected.

An answer is compared with the known mistakes of its exercise, which are computed here: the right
formula with one term changed, or the gradients that tinymeta.extras.autopsy knows. If it is a
multiple of one of them, that is the cause, and the factor is put into words. Nothing here decides
whether an answer is right: numerical derivatives do that, in tinymeta.course.grading."""

import numpy as np

from ..checks import block_errors, unchecked_step
from ..extras import autopsy

OF_A_SQUARE = "which a square leaves in its derivative"
TOLERANCE = 1e-6  # the largest relative error between an answer and the truth or a known mistake


def describe_factor(factor, scales):
    """Return a factor in words: its sign if it is negative, and which n of `scales` {n: the thing
    it counts} multiplies or divides."""
    size = abs(factor)
    words = "" if abs(size - 1) < TOLERANCE else f"it is {size:.4g} times what it should be"
    for n, what in scales.items():
        if words and n and min(abs(size / n - 1), abs(size * n - 1)) < TOLERANCE:
            times, why = (
                ("multiplied", "a sum for a mean?")
                if abs(size / n - 1) < TOLERANCE
                else ("divided", "a mean for a sum?")
            )
            if n < 1:  # a rate
                why = "once too often?" if times == "multiplied" else "is it missing?"
            words = f"it is {times} by {n:.4g}, {what}" + (
                f": {why}" if what != OF_A_SQUARE else ""
            )
    return " and ".join(filter(None, ("its sign is wrong" if factor < 0 else "", words)))


def describe_match(got, known, right, scales):
    """Identify `got` among the known vectors {name: vector}, of which `right` names the right one;
    return None if it is a multiple of none of them."""
    if not np.any(got):
        return "every entry is 0"
    name, factor = autopsy.match(got, known, TOLERANCE)
    if name is None:
        return None
    words = "" if abs(factor - 1) < TOLERANCE else describe_factor(factor, scales)
    return (
        (words or None)
        if name == right
        else f"this is {name}" + (f", and {words}" if words else "")
    )


def locate_error(model, got, truth, scales):
    """Return which parameter blocks are wrong, the first wrong layer in backward order, and the
    factor if they are all off by the same one."""
    errors = block_errors(model, got, truth)
    wrong = [block for block, error in errors.items() if not error < TOLERANCE]
    layers = enumerate(zip(model.unpack(got), model.unpack(truth)), start=1)
    parts = {f"{kind}{layer}": pair for layer, two in layers for kind, *pair in zip("Wb", *two)}
    got_wrong, true_wrong = (
        np.concatenate([parts[block][side].ravel() for block in wrong]) for side in (0, 1)
    )
    name, factor = autopsy.match(got_wrong, {"truth": true_wrong}, TOLERANCE)
    if not np.any(got_wrong):
        cause = ": they are 0"
    elif name:
        cause = ": " + describe_factor(factor, scales)
    else:
        cause = ""
    if len(wrong) == len(parts):
        return "every layer is wrong, from the last one on"
    first = max(int(block[1:]) for block in wrong)
    return (
        f"wrong in {', '.join(wrong)} and right elsewhere; going back from the output, layer "
        f"{first} is the first that is wrong" + cause
    )


# Exercises 1 and 2: the two passes, each term with a factor of its own


def perturbed_gradient(model, theta, x, y, slope=lambda slope, h: slope, at_output=False):
    """Return the gradient with something else for the slopes, or with a slope at the output too."""
    tape = model.forward(theta, x)
    grad, delta = np.empty_like(theta), model.loss_fn.grad(tape.z[-1], y)
    if at_output:
        delta = delta * model.activation_fn.slope(tape.z[-1])
    parts = model.unpack(grad)
    for i in reversed(range(len(parts))):
        gW, gb = parts[i]
        gW[...], gb[...] = tape.inputs[i].T @ delta, delta.sum(axis=0)
        if i > 0:
            right = model.activation_fn.slope(tape.z[i - 1])
            delta = (delta @ tape.layers[i][0].T) * slope(right, tape.inputs[i])
    return grad


def backward(case, got, alone):
    """Explain a wrong gradient (exercise 1)."""
    truth, (model, theta, x, y) = case.truth, case.arguments
    perturbed = {
        "the gradient with the slope f'(z) missing": dict(slope=lambda slope, h: 1.0),
        "the gradient with f(z) in place of the slope f'(z)": dict(slope=lambda slope, h: h),
        "the gradient with the slope f'(z) taken twice": dict(slope=lambda slope, h: slope * slope),
        "the gradient with a slope f'(z) at the output, where there is no f": dict(at_output=True),
    }
    known = {"truth": truth} | {
        name: perturbed_gradient(model, theta, x, y, **slip) for name, slip in perturbed.items()
    }
    scales = {
        len(x): "the number of points",
        y.shape[-1]: "the width of the output",
        2: OF_A_SQUARE,
    }
    return describe_match(got, known, "truth", scales) or locate_error(model, got, truth, scales)


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


def perturbed_product(model, tape, v, factor=None, Rx=0.0, per_slope=False, Rdelta=None):
    """Return the Hessian-vector product with a `factor` {term: number} on its terms. Rx: x moves by
    that multiple of itself. per_slope: f'' = -2 f, without f'. Rdelta: a function of Rout that
    takes the place of Rdelta at the output."""
    c = dict.fromkeys(TERMS, 1.0) | (factor or {})
    V, Rh, Rz, product = model.unpack(v), [Rx * tape.inputs[0]], [], np.empty_like(v)
    for i, (W, _) in enumerate(tape.layers):
        Rz.append(c["h V"] * tape.inputs[i] @ V[i][0] + c["Rh W"] * Rh[i] @ W + c["Vb"] * V[i][1])
        if i + 1 < len(V):
            Rh.append(Rz[i] if c["f'(z) Rz"] == 0 else c["f'(z) Rz"] * tape.slope[i] * Rz[i])
    Rdelta = model.loss_fn.hvp(tape.z[-1], tape.y, Rz[-1]) if Rdelta is None else Rdelta(Rz[-1])
    parts = model.unpack(product)
    for i in reversed(range(len(parts))):
        RgW, Rgb = parts[i]
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


def hvp(case, got, alone):
    """Explain a wrong Hessian-vector product (exercise 2)."""
    truth, (model, theta, x, y, v) = case.truth, case.arguments
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
            known[f"the product with the term {term} {words}"] = perturbed_product(
                model, tape, v, {term: factor}
            )
    moved = "the product with Rh of the input not 0 but x: the input does not move"
    known[moved] = perturbed_product(model, tape, v, Rx=1.0)
    known["the product with f''(z) = -2 f(z), which lacks its factor f'(z)"] = perturbed_product(
        model, tape, v, per_slope=True
    )
    starts = {
        "Rout: the loss's second derivative is missing": lambda Rout: Rout,
        "delta": lambda Rout: tape.delta[-1],
    }
    for name, start in starts.items():
        known[f"the product with Rdelta at the output equal to {name}"] = perturbed_product(
            model, tape, v, Rdelta=start
        )
    scales = {
        len(x): "the number of points",
        y.shape[-1]: "the width of the output",
        2: OF_A_SQUARE,
    }
    return describe_match(got, known, "truth", scales) or locate_error(model, got, truth, scales)


# Exercises 3 to 6: meta-gradients, each the mean over the tasks


def over_tasks(ones, batch, got, each, right, scales):
    """Identify a meta-gradient among the known ones of `each` task; `call` is the answer as a
    function of the batch alone."""
    known = {name: np.mean([task[name] for task in each], axis=0) for name in each[0]}
    found = describe_match(got, known, right, scales)
    if found is None:
        alone = {
            describe_match(one, task, right, scales) or autopsy.match(one, task, TOLERANCE)[0]
            for one, task in zip(ones, each)
        }
        if len(alone) == 1 and None not in alone:
            found = (
                f"of one task alone this is {alone.pop()}, but not of {len(each)} together: "
                "they mix, or not all are there"
            )
    return found or "none of the mistakes known here"


def scales_of(batch, inner_lr, inner_steps):
    """Return {n: the thing it counts} of the numbers by which a meta-gradient is often off."""
    return {
        len(batch.x_support): "the number of tasks",
        inner_steps: "the number of inner steps",
        inner_lr: "alpha",
        inner_lr**2: "alpha squared",
    }


def maml(case, got, alone):
    """Explain what should be MAML's gradient (exercise 3)."""
    model, theta, batch, inner_lr, inner_steps = case.arguments
    each = [
        autopsy.candidate_gradients(model, theta, task, inner_lr, inner_steps, None, unchecked_step)
        for task in zip(*batch)
    ]
    # what is right comes first
    each = [{"MAML": known["MAML"]} | known for known in each]
    return over_tasks(
        alone,
        batch,
        got,
        each,
        "MAML",
        scales_of(batch, inner_lr, inner_steps),
    )


def first_order(case, got, alone):
    """Explain what should be first-order MAML's gradient (exercise 4)."""
    model, theta, batch, inner_lr, inner_steps = case.arguments
    each = [
        autopsy.candidate_gradients(model, theta, task, inner_lr, inner_steps, None, unchecked_step)
        for task in zip(*batch)
    ]
    # what is right comes first
    each = [{"first-order MAML": known["first-order MAML"]} | known for known in each]
    return over_tasks(
        alone,
        batch,
        got,
        each,
        "first-order MAML",
        scales_of(batch, inner_lr, inner_steps),
    )


def reptile(case, got, alone):
    """Explain what should be (theta - theta_k) / alpha (exercise 5)."""
    model, theta, batch, inner_lr, inner_steps = case.arguments

    def sum_of_grads(points, rate):
        inner_loop = rate, inner_steps, None
        return sum(autopsy.inner_trajectory(model, theta, *points, *inner_loop)[2])

    def known(support, query):
        inner_loop = inner_lr, inner_steps, None
        thetas, _, grads = autopsy.inner_trajectory(model, theta, *support, *inner_loop)
        end, q = (model.grad(thetas[-1], *points) for points in (support, query))
        return {
            "Reptile": sum(grads),
            "Reptile on the query points": sum_of_grads(query, inner_lr),
            "Reptile of steps uphill, theta + alpha g": sum_of_grads(support, -inner_lr),
            "inner_steps times the support gradient at theta: every step starts there": inner_steps
            * grads[0],
            "Reptile without the last gradient, one step short": sum(
                grads[:-1], np.zeros_like(theta)
            ),
            "Reptile with one step too many": sum(grads) + end,
            "Reptile one step late: g_1 + ... + g_k": sum(grads[1:], end),
            "the first step's gradient alone": grads[0],
            "the last step's gradient alone": grads[-1],
            "Reptile and the query gradient after the last step": sum(grads) + q,
            "first-order MAML, the query gradient after the last step": q,
            "theta_k itself": thetas[-1],
        }

    each = [known(task[:2], task[2:]) for task in zip(*batch)]
    return over_tasks(
        alone,
        batch,
        got,
        each,
        "Reptile",
        scales_of(batch, inner_lr, inner_steps),
    )


def rates(case, got, alone):
    """Explain what should be the gradient in Meta-SGD's rates (exercise 6)."""
    model, theta, inner_lr, batch, inner_steps = case.arguments

    def known(support, query):
        inner_loop = inner_lr, inner_steps, None
        thetas, _, g = autopsy.inner_trajectory(model, theta, *support, *inner_loop)
        q, end = model.grad(thetas[-1], *query), model.grad(thetas[-1], *support)

        def hessian_product(t, v):
            return model.hvp(t, *support, v)

        def backward_pass(step, q=q, thetas=thetas[-2::-1]):
            """Return v at each step, the last step first; the first v is q."""
            vs = [q]
            for t in thetas:
                vs.append(step(vs[-1], t))
            return vs

        def right_step(v, t):
            return v - hessian_product(t, inner_lr * v)

        def rates_grad(vs, gs=g[::-1]):
            return -sum(v * g for v, g in zip(vs, gs))

        v = backward_pass(right_step)
        slips = {
            "v one step off: propagated back before it is multiplied by g": rates_grad(v[1:]),
            "every v equal to q, which is first order": rates_grad([q] * inner_steps),
            "v propagated back with a plus for a minus": rates_grad(
                backward_pass(lambda v, t: v + hessian_product(t, inner_lr * v))
            ),
            "v propagated back with alpha outside the product, as if rates were equal": rates_grad(
                backward_pass(lambda v, t: v - inner_lr * hessian_product(t, v))
            ),
            "v propagated back first step first": rates_grad(
                backward_pass(right_step, thetas=thetas[:-1]), g
            ),
            "the query gradient taken before adaptation": rates_grad(
                backward_pass(right_step, model.grad(theta, *query))
            ),
            "every g taken at theta": rates_grad(v, [g[0]] * inner_steps),
            "g one step late, at theta_s+1": rates_grad(v, [end, *g[:0:-1]]),
            "the query gradient for g": rates_grad(
                v, [model.grad(t, *query) for t in thetas[-2::-1]]
            ),
            "the last step's part alone": rates_grad(v[:1]),
            "the first step's part alone": rates_grad(v[-2:-1], g[:1]),
            "alpha as one factor too many": inner_lr * rates_grad(v),
            "a sum over all parameters: v and g are multiplied entry by entry": np.full_like(
                theta, rates_grad(v).sum()
            ),
        }
        wrong = {f"the gradient in alpha with {slip}": vector for slip, vector in slips.items()}
        return {
            "the gradient in alpha": rates_grad(v),
            **wrong,
            "the gradient in theta, not in alpha": v[-1],
        }

    each = [known(task[:2], task[2:]) for task in zip(*batch)]
    scales = {len(batch.x_support): "the number of tasks", inner_steps: "the number of inner steps"}
    return over_tasks(
        alone,
        batch,
        got,
        each,
        "the gradient in alpha",
        scales,
    )
