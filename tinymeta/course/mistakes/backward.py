"""Mistakes in exercise 1, the backward pass. Layers are numbered as in a tape, from 0."""

import functools

import numpy as np

from ...losses import LOSSES, softmax
from ...mlp import ACTIVATIONS
from .common import as_it_is, one_each, switch, two_each

SLOPES = {  # of an activation f, of its z and of h = f(z)
    "the slope f'(z) missing": lambda f, z, h: 1.0,
    "f(z) in place of the slope f'(z)": lambda f, z, h: h,
    "the slope f'(z) taken twice": lambda f, z, h: f.slope(z) ** 2,
    "f'(h) in place of f'(z)": lambda f, z, h: f.slope(h),
    "f''(z) in place of f'(z)": lambda f, z, h: f.curvature(z) + 0 * z,
    "a division by f'(z)": lambda f, z, h: 1 / f.slope(z),
    "tanh's slope 1 - h^2 in every network": lambda f, z, h: 1 - h**2,
    "1 - z^2 in place of the slope": lambda f, z, h: 1 - z**2,
    "sigmoid's slope h (1 - h) in every network": lambda f, z, h: h * (1 - h),
    "ReLU's slope (1 where z > 0) in every network": lambda f, z, h: (z > 0) + 0.0,
    "softplus's slope sigmoid(z) in every network": lambda f, z, h: ACTIVATIONS["sigmoid"].value(z),
}
SLOPES |= {
    f"{name}'s slope at z in every network": lambda f, z, h, other=other: other.slope(z)
    for name, other in ACTIVATIONS.items()
    if name in ("tanh", "sigmoid")
}
OUTPUTS = {  # delta at the output, of the loss, the output z, y and the activation
    "a slope f'(z) at the output, where there is no f": lambda L, z, y, f: (
        L.grad(z, y) * f.slope(z)
    ),
    "f applied to the output, where there is no f": lambda L, z, y, f: L.grad(f.value(z), y),
    "squared error's delta 2 (z - y) / (K d_out) with every loss": lambda L, z, y, f: LOSSES[
        "mse"
    ].grad(z, y),
    "cross-entropy's delta (softmax(z) - y) / K with every loss": lambda L, z, y, f: (
        (softmax(z) - y) / len(y)
    ),
    "output and y exchanged in the loss's gradient": lambda L, z, y, f: L.grad(y, z),
    "the output's delta of a sum of squares, without its mean": lambda L, z, y, f: z - y,
    "y in place of the output's delta": lambda L, z, y, f: y,
    "the output itself for its delta": lambda L, z, y, f: z,
}
BIASES = {  # of delta, (K, d_out)
    "the biases' delta summed over the outputs as well": lambda delta: delta.sum(),
    "the mean over the points for the biases, where delta has it already": lambda delta: delta.mean(
        axis=0
    ),
    "the mean over points and outputs for the biases": lambda delta: delta.mean(),
    "the biases' delta summed over the outputs as well, and divided by the number of points": (
        lambda delta: delta.sum() / len(delta)
    ),
    "the biases left out, or not written into their view": lambda delta: 0.0,
    "one point's delta for the biases": lambda delta: delta[0],
    "the last point's delta for the biases": lambda delta: delta[-1],
}
ORDERS = {  # of the pairs (gW, gb)
    "its layers in the wrong order, from the last to the first": lambda pairs: pairs[::-1],
    "each layer's biases before its weights: the wrong order": lambda pairs: [
        (b, W) for W, b in pairs
    ],
    "all weights before all biases: the wrong order": lambda pairs: [*zip(*pairs)],
    "its layers from the last to the first and biases before weights: the wrong order": lambda p: [
        (b, W) for W, b in p[::-1]
    ],
    "every weight matrix transposed": lambda pairs: [(W.T, b) for W, b in pairs],
}


def in_theta(model, pairs, order):
    """Return the vector of the pairs (gW, gb), biases broadcast to their width."""
    pairs = [(gW, gb + np.zeros(n)) for (gW, gb), n in zip(pairs, model.sizes[1:])]
    return np.concatenate([np.ravel(part) for pair in order(pairs) for part in pair])


def right_slope(f, z, h):  # noqa: ARG001
    return f.slope(z)


def sum_of_points(delta):
    return delta.sum(axis=0)


EVERY_OTHER = ("every l but l = 0", "every l but the last l")


def is_at(place, i, n):
    """Return whether layer i of n is at a place: "l = 0", "l = 1", "the last l", or "every l but"
    one of them."""
    if place.startswith("every l but "):
        return not is_at(place.removeprefix("every l but "), i, n)
    return place == (f"l = {i}" if i < 2 else "") or (place == "the last l" and i == n - 1)


def gradient(
    model,
    theta,
    x,
    y,
    output=None,
    slope=right_slope,
    bias=sum_of_points,
    order=as_it_is,
    z_for_h=0,
    at=None,
    powers=(1, 1),
    of_back=None,
    by=1.0,
    W_by="W",
    points=(slice(None), slice(None)),
):
    """Return the gradient of exercise 1, or one with another step; at: where the slope is another
    one, a name of `is_at`, or None for everywhere; powers: those of the slope in gW and gb;
    of_back: the slope from delta W^T; by: a factor on every way back; points: those of gW and
    gb."""
    tape, f = model.forward(theta, x), model.activation_fn
    delta = output or (lambda L, z, y, f: L.grad(z, y))
    delta, pairs = delta(model.loss_fn, tape.z[-1], y, f), []
    back, its_slope = delta, 1.0
    for i in reversed(range(len(tape.z))):
        h = tape.z[i - 1] if z_for_h and i else tape.inputs[i]
        in_gW, in_gb = (back * its_slope**power for power in powers)
        pairs.insert(0, (h[points[0]].T @ in_gW[points[0]], bias(in_gb[points[1]])))
        if i:
            W = tape.layers[i][0]
            W = {"W": W, "W^T": W.T, "gW": pairs[0][0]}[W_by]
            here = slope if at is None or is_at(at, i - 1, len(tape.z) - 1) else right_slope
            back = (by(len(x)) if callable(by) else by) * delta @ W.T
            its_slope = of_back(f, back) if of_back else here(f, tape.z[i - 1], tape.inputs[i])
            delta = back * its_slope
    return in_theta(model, pairs, order)


def last_point(gW, gb):
    """Return {phrase: switches} of sums over the points of which the last one alone is left."""
    all_points, last = slice(None), slice(-1, None)
    which = {gW: (last, all_points), gb: (all_points, last), f"{gW} and {gb}": (last, last)}
    return {
        f"the last point alone in {what}: is it `=` where `+=` belongs?": {"points": points}
        for what, points in which.items()
    }


OF_GRADIENTS = (
    switch("slope", SLOPES),
    switch("output", OUTPUTS),
    switch("bias", BIASES),
    switch("order", ORDERS),
    {
        "z in place of h = f(z) in h^T delta": {"z_for_h": 1},
        "f'(z) once more in gW, where delta has it already": {"powers": (2, 1)},
        "f'(z) once more in gb, where delta has it already": {"powers": (1, 2)},
        "f'(z) once more in gW and gb, where delta has it already": {"powers": (2, 2)},
        "f'(z) too late: gW and gb are written before delta is multiplied by it": {
            "powers": (0, 0)
        },
        "f'(z) too late for gW, which is written before delta is multiplied by it": {
            "powers": (0, 1)
        },
        "f'(z) too late for gb, which is written before delta is multiplied by it": {
            "powers": (1, 0)
        },
        "f'(delta W^T) in place of f'(z)": {"of_back": lambda f, back: f.slope(back)},
        "ReLU's slope at delta W^T in place of f'(z)": {"of_back": lambda f, back: back > 0},
        "f(delta W^T) in place of f'(z)": {"of_back": lambda f, back: f.value(back)},
        "a division by the number of points at every layer": {"by": lambda K: 1 / K},
        "a minus at every layer": {"by": -1.0},
        "gW in place of W on the way back": {"W_by": "gW"},
        "W in place of W^T on the way back": {"W_by": "W^T"},
    },
    last_point("gW", "gb"),
)


def known_gradients(case, mistakes=one_each):
    """Return the known results of exercise 1."""
    return mistakes("the gradient", functools.partial(gradient, *case.arguments), OF_GRADIENTS)


def gradients_at_one_layer(case):
    """Return the results of exercise 1 with another slope at one layer, and with two mistakes."""
    slopes = {
        f"{phrase}, at {place}": {"slope": slope, "at": place}
        for phrase, slope in SLOPES.items()
        for place in ("l = 0", "the last l", *EVERY_OTHER)
    }
    compute = functools.partial(gradient, *case.arguments)
    return one_each("the gradient", compute, (slopes,)) | known_gradients(case, two_each)


def quantities_of_points(case):
    """Return the numbers that an answer to exercise 1 or 2 is often off by."""
    model, theta, x, y, *v = case.arguments
    tape = model.backprop(theta, x, y).tape
    numbers = {
        "the loss": float(model.loss(theta, x, y)),
        "the length of delta at the output": np.linalg.norm(tape.delta[-1]),
        "the number of points": len(x),
        "the width of the output": y.shape[-1],
        "the number of points times the width of the output": y.size,
        "the number of layers": len(model.sizes) - 1,
    }
    return numbers | ({"the length of v": np.linalg.norm(v)} if v else {})


def bases_of_points(case):
    """Yield {phrase: vector} of what a result of exercise 1 or 2 may be a sum of."""
    model, theta, x, y, *v = case.arguments
    known = {"the gradient": model.grad(theta, x, y), "theta": theta}
    if v:
        known |= {"the product": model.hvp(theta, x, y, *v), "v": v[0]}
    yield known
