"""The usual mistakes of each exercise, computed: one reference each, of which every step can be
replaced by another.

    KNOWN[exercise](case)         {phrase: function that returns the result with that mistake}; what
                                  is right comes first
    RARE[exercise](case)          the same for a mistake in one layer, and for two at once
    QUANTITIES[exercise](case)    {phrase: number} of the numbers that a result is often off by

tinymeta.course.diagnosis compares a wrong answer with them. Layers are numbered as in a tape: l = 0
is the first."""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from ..losses import LOSSES, softmax
from ..mlp import ACTIVATIONS, MLP
from ..tasks import TaskBatch


def one_each(right, compute, groups):
    """Return {phrase: function}: what is `right`, compute(), and compute(**switches) for each
    {phrase: switches} of the groups."""
    known = {right: compute}
    for group in groups:
        for phrase, switches in group.items():
            known[f"{right} with {phrase}"] = functools.partial(compute, **switches)
    return known


def two_each(right, compute, groups):
    """Return the same for two mistakes at once, one each of two groups."""
    known = {}
    for one, other in itertools.combinations(groups, 2):
        for (a, first), (b, second) in itertools.product(one.items(), other.items()):
            both = first | second
            if "factors" in first and "factors" in second:
                both["factors"] = first["factors"] | second["factors"]
            known[f"{right} with {a}, and {b}"] = functools.partial(compute, **both)
    return known


# Exercises 1 and 2: the two passes

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
    "the biases left out": lambda delta: 0.0,
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


def switch(name, table, what=""):
    """Return {phrase: {name: function}} of a table {phrase: function}."""
    return {phrase + what: {name: function} for phrase, function in table.items()}


def in_theta(model, pairs, order):
    """Return the vector of the pairs (gW, gb), biases broadcast to their width."""
    pairs = [(gW, gb + np.zeros(n)) for (gW, gb), n in zip(pairs, model.sizes[1:])]
    return np.concatenate([np.ravel(part) for pair in order(pairs) for part in pair])


def right_slope(f, z, h):  # noqa: ARG001
    return f.slope(z)


def sum_of_points(delta):
    return delta.sum(axis=0)


def as_it_is(pairs):
    return pairs


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
):
    """Return the gradient of exercise 1, or one with another step; at: where the slope is another
    one, a name of `is_at`, or None for everywhere; powers: those of the slope in gW and gb;
    of_back: the slope from delta W^T; by: a factor on every way back."""
    tape, f = model.forward(theta, x), model.activation_fn
    delta = output or (lambda L, z, y, f: L.grad(z, y))
    delta, pairs = delta(model.loss_fn, tape.z[-1], y, f), []
    back, its_slope = delta, 1.0
    for i in reversed(range(len(tape.z))):
        h = tape.z[i - 1] if z_for_h and i else tape.inputs[i]
        in_gW, in_gb = (back * its_slope**power for power in powers)
        pairs.insert(0, (h.T @ in_gW, bias(in_gb)))
        if i:
            W = (
                pairs[0][0]
                if W_by == "gW"
                else abs(tape.layers[i][0])
                if W_by == "|W|"
                else (tape.layers[i][0])
            )
            here = slope if at is None or is_at(at, i - 1, len(tape.z) - 1) else right_slope
            back = (by(len(x)) if callable(by) else by) * delta @ W.T
            its_slope = of_back(f, back) if of_back else here(f, tape.z[i - 1], tape.inputs[i])
            delta = back * its_slope
    return in_theta(model, pairs, order)


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
    },
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


TERMS = ("h V", "Rh W", "Vb", "Rdelta W^T", "delta V^T", "f''(z) Rz (delta W^T)", "Rh^T delta")
TERMS += ("h^T Rdelta", "Rh' = f'(z) Rz", "f'(z) (Rdelta W^T + delta V^T)")
PLACES_OF_TERMS = ("l = 0", "l = 1", "the last l")
OPERANDS = {term: tuple(term.split()) for term in TERMS if term.count(" ") == 1 and "=" not in term}
OPERANDS["delta W^T"] = ("delta", "W^T")  # of the term with f''
ALIKE = [("h", "Rh"), ("h^T", "Rh^T"), ("W", "V"), ("W^T", "V^T"), ("delta", "Rdelta")]
ALIKE = dict(ALIKE) | {other: one for one, other in ALIKE}
FACTORS = {0.0: "missing", -1.0: "with the wrong sign", 2.0: "taken twice", 0.5: "halved"}
GAUSS_NEWTON = dict.fromkeys(("delta V^T", "f''(z) Rz (delta W^T)", "Rh^T delta"), 0.0)
STARTS = {  # Rdelta at the output, of the loss, the output, y, delta there and Rout
    "Rout for Rdelta at the output: the loss's second derivative is missing": (
        lambda L, z, y, delta, R: R
    ),
    "delta times Rout for Rdelta at the output": lambda L, z, y, delta, R: delta * R,
    "output and y exchanged in the loss's second derivative": lambda L, z, y, delta, R: L.hvp(
        y, z, R
    ),
    "0 for Rdelta at the output": lambda L, z, y, delta, R: 0 * R,
    "the output in place of Rout in the loss's second derivative": lambda L, z, y, delta, R: L.hvp(
        z, y, z
    ),
    "delta in place of Rout in the loss's second derivative": lambda L, z, y, delta, R: L.hvp(
        z, y, delta
    ),
    "y and Rout exchanged in the loss's second derivative": lambda L, z, y, delta, R: L.hvp(
        z, R, y
    ),
    "delta for Rdelta at the output": lambda L, z, y, delta, R: delta,
    "the loss's gradient at Rout for Rdelta at the output": lambda L, z, y, delta, R: L.grad(R, y),
    "squared error's Rdelta 2 Rout / (K d_out) with every loss": lambda L, z, y, delta, R: LOSSES[
        "mse"
    ].hvp(z, y, R),
    "cross-entropy's Rdelta with every loss": lambda L, z, y, delta, R: LOSSES["cross_entropy"].hvp(
        z, y, R
    ),
    "p Rout / K for Rdelta at the output, without the mean that softmax takes off": (
        lambda L, z, y, delta, R: softmax(z) * R / len(y) if L is LOSSES["cross_entropy"]
        else L.hvp(z, y, R)
    ),
}  # fmt: skip
CURVATURES = {  # of an activation f, of its z and of h = f(z)
    "f''(z) = -2 f(z), which lacks its factor f'(z)": lambda f, z, h: (
        -2 * h if np.ndim(f.curvature(z)) else 0
    ),
    "tanh's f'' in every network": lambda f, z, h: -2 * h * (1 - h**2),
    "-2 f(z) f'(z), tanh's f'', in every network": lambda f, z, h: -2 * h * f.slope(z),
    "f'(z) (1 - 2 f(z)), sigmoid's f'', in every network": lambda f, z, h: f.slope(z) * (1 - 2 * h),
    "f'(z) (1 - f'(z)), softplus's f'', in every network": lambda f, z, h: (
        f.slope(z) * (1 - f.slope(z))
    ),
    "f'(z) in place of f''(z)": lambda f, z, h: f.slope(z),
    "f'(z) once too often in the term f''(z) Rz (delta W^T)": lambda f, z, h: (
        f.curvature(z) * f.slope(z)
    ),
    "f''(h) in place of f''(z)": lambda f, z, h: f.curvature(h),
    "f'' squared in place of f''": lambda f, z, h: f.curvature(z) ** 2,
    "sigmoid's f'' in every network": lambda f, z, h: h * (1 - h) * (1 - 2 * h),
}
BENDS = {  # delta W^T, Rz and Rh of the layer before, its delta and its z: f'' times ...
    "delta of the layer before, which has its f'(z) already, in place of delta W^T in the term "
    "f''(z) Rz (delta W^T)": lambda back, Rz, Rh, delta, z: Rz * delta,
    "f''(z) (delta W^T) without its Rz": lambda back, Rz, Rh, delta, z: back,
    "Rh in place of Rz in the term f''(z) Rz (delta W^T)": lambda back, Rz, Rh, delta, z: Rh * back,
    "z in place of Rz in the term f''(z) Rz (delta W^T)": lambda back, Rz, Rh, delta, z: z * back,
    "f''(z) Rz without its delta W^T": lambda back, Rz, Rh, delta, z: Rz,
}


def product(
    model, theta, x, y, v, factors=(), start=None, curvature=None, bend=None, order=as_it_is,
    ahead=right_slope, back=right_slope, Rx=0.0, bias=sum_of_points, of_biases=None,
    sloped=("Rdelta W^T", "delta V^T"), operands=(), next_Rh=None, moves_b="Vb",
):  # fmt: skip
    """Return the Hessian-vector product of exercise 2, or one with another step; operands: of which
    two arrays a term is the product."""
    tape, f, L = model.backprop(theta, x, y).tape, model.activation_fn, model.loss_fn
    factors, Rh, Rz, pairs = dict(factors), [Rx * x], [], []
    two = [
        {"W": W, "V": V, "W^T": W.T, "V^T": V.T, "b": b, "Vb": Vb}
        for (W, b), (V, Vb) in zip(tape.layers, model.unpack(v))
    ]
    operands = OPERANDS | dict(operands)

    def c(term, i):
        """Return the factor of a term at layer i; keys of `factors` are terms, or (term, place)."""
        return factors.get(term, 1.0) * math.prod(
            factor
            for key, factor in factors.items()
            if key[0] == term and is_at(key[1], i, len(two))
        )

    def product_of(term, i):
        """Return a term at layer i, the product of its two operands."""
        one, other = operands[term]
        return c(term, i) * two[i][one] @ two[i][other]

    for i, arrays in enumerate(two):
        arrays |= {"h": tape.inputs[i], "h^T": tape.inputs[i].T, "Rh": Rh[i], "Rh^T": Rh[i].T}
        Rz.append(product_of("h V", i) + product_of("Rh W", i) + c("Vb", i) * arrays[moves_b])
        if i + 1 < len(two):
            moved = (
                next_Rh(f, tape.z[i], tape.inputs[i + 1], Rz[i])
                if next_Rh
                else (ahead(f, tape.z[i], tape.inputs[i + 1]) * Rz[i])
            )
            Rh.append(c("Rh' = f'(z) Rz", i) * moved)
    start = start or (lambda L, z, y, delta, R: L.hvp(z, y, R))
    Rdelta = start(L, tape.z[-1], y, tape.delta[-1], Rz[-1])
    for i in reversed(range(len(two))):
        delta, h = tape.delta[i], tape.inputs[i]
        two[i] |= {"delta": delta, "Rdelta": Rdelta}
        gW = product_of("Rh^T delta", i) + product_of("h^T Rdelta", i)
        pairs.insert(0, (gW, bias(of_biases(delta, Rdelta) if of_biases else Rdelta)))
        if i:
            z, on = tape.z[i - 1], product_of("delta W^T", i)
            last = (curvature or (lambda f, z, h: f.curvature(z)))(f, z, h)
            last = last * (bend(on, Rz[i - 1], Rh[i], tape.delta[i - 1], z) if bend
                           else Rz[i - 1] * on)  # fmt: skip
            slope, Rdelta = back(f, z, h), c("f''(z) Rz (delta W^T)", i) * last
            for term in ("Rdelta W^T", "delta V^T"):
                both = c("f'(z) (Rdelta W^T + delta V^T)", i) * product_of(term, i)
                Rdelta = Rdelta + both * (slope if term in sloped else 1.0)
    return in_theta(model, pairs, order)


NEXT_RH = {  # of an activation f, z, h = f(z) and Rz
    "f'(z) z in place of f'(z) Rz": lambda f, z, h, Rz: f.slope(z) * z,
    "f'(z) h in place of f'(z) Rz": lambda f, z, h, Rz: f.slope(z) * h,
    "f(Rz) in place of f'(z) Rz": lambda f, z, h, Rz: f.value(Rz),
    "f'(Rz) in place of f'(z) Rz": lambda f, z, h, Rz: f.slope(Rz),
    "f'(z) in place of f'(z) Rz": lambda f, z, h, Rz: f.slope(z),
}
OF_BIASES = {
    "delta for Rdelta in the biases": {"of_biases": lambda delta, Rdelta: delta},
    "delta added to Rdelta in the biases": {"of_biases": lambda delta, Rdelta: delta + Rdelta},
}
OTHER_OPERANDS = {
    f"{' '.join(pair)} in place of {term}" + f" in the term {TERMS[5]}" * (term not in TERMS): {
        "operands": {term: pair}
    }
    for term, (one, other) in OPERANDS.items()
    for pair in ((ALIKE[one], other), (one, ALIKE[other]))
}
W_AND_V = {"Rdelta W^T": ("Rdelta", "V^T"), "delta V^T": ("delta", "W^T")}
CURVATURE, START = switch("curvature", CURVATURES), switch("start", STARTS)
OF_PRODUCTS = (
    *(
        {
            f"the term {term} {words}": {"factors": {term: factor}}
            for factor, words in FACTORS.items()
        }
        for term in TERMS
    ),
    {
        "the terms Rh^T delta, delta V^T and f'' missing: the Gauss-Newton product": {
            "factors": GAUSS_NEWTON
        }
    },
    CURVATURE,
    switch("bend", BENDS),
    START,
    switch("ahead", SLOPES, ", where Rz becomes Rh"),
    switch("next_Rh", NEXT_RH),
    switch("back", SLOPES, ", where Rdelta goes back"),
    switch("bias", BIASES),
    OF_BIASES,
    {
        "the slope f'(z) missing before delta V^T": {"sloped": ("Rdelta W^T",)},
        "the slope f'(z) missing before Rdelta W^T": {"sloped": ("delta V^T",)},
    },
    OTHER_OPERANDS,
    {"b in place of Vb": {"moves_b": "b"}},
    switch("order", ORDERS),
    {"Rh of the input not 0 but x: the input does not move": {"Rx": 1.0}},
    {
        "W and V exchanged in Rz": {"operands": {"h V": ("h", "W"), "Rh W": ("Rh", "V")}},
        "W and V exchanged in Rdelta W^T + delta V^T": {"operands": W_AND_V},
        "W and V exchanged where Rdelta goes back": {
            "operands": W_AND_V | {"delta W^T": ("delta", "V^T")}
        },
        "Rh^T Rdelta + h^T delta: h and Rh exchanged": {
            "operands": {"Rh^T delta": ("h^T", "delta"), "h^T Rdelta": ("Rh^T", "Rdelta")}
        },
        "Rh V + h W: h and Rh exchanged": {"operands": {"h V": ("Rh", "V"), "Rh W": ("h", "W")}},
    },
)


def known_products(case):
    """Return the known results of exercise 2."""
    model, theta, x, y, v = case.arguments
    known = one_each("the product", functools.partial(product, *case.arguments), OF_PRODUCTS)
    both = functools.partial(product, *case.arguments)
    for phrase, slope in SLOPES.items():
        known[f"the product with {phrase}, both ways"] = functools.partial(
            both, ahead=slope, back=slope
        )
    known["the gradient, which no v has changed"] = lambda: model.grad(theta, x, y)

    def blocks():
        """Return the product with the Hessian of each layer alone."""
        total = np.zeros_like(v)
        for W, b in model.unpack(np.arange(len(v))):
            part, alone = np.concatenate((W.ravel(), b)), np.zeros_like(v)
            alone[part] = v[part]
            total[part] = model.hvp(theta, x, y, alone)[part]
        return total

    known["the product of v with each layer's own Hessian, without the blocks between them"] = (
        blocks
    )
    known["the Hessian times its product with v, once too often"] = lambda: model.hvp(
        theta, x, y, model.hvp(theta, x, y, v)
    )
    known["the diagonal of the Hessian times v"] = lambda: (
        np.diagonal(model.hvp(theta, x, y, np.eye(len(v)))) * v
    )
    known["the gradient times v, entry by entry"] = lambda: model.grad(theta, x, y) * v
    return known


def products_at_one_layer(case):
    """Return the results of exercise 2 with a term off at one layer, and with two mistakes."""
    terms = {
        f"the term {term} {words} at {place}": {"factors": {(term, place): factor}}
        for term in TERMS
        for factor, words in FACTORS.items()
        for place in (*PLACES_OF_TERMS, *(() if factor else EVERY_OTHER))
    }
    compute = functools.partial(product, *case.arguments)
    missing = "the slope f'(z) missing"
    without_slope = switch("ahead", {missing: SLOPES[missing]}, ", where Rz becomes Rh")
    without_slope |= switch("back", {missing: SLOPES[missing]}, ", where Rdelta goes back")
    pairs = OF_PRODUCTS[: len(TERMS)] + (
        CURVATURE,
        START,
        without_slope,
    )  # all pairs would take a second
    return one_each("the product", compute, (terms,)) | two_each("the product", compute, pairs)


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


# Exercises 3 to 6: meta-gradients. Parameters are (T, P), one row per task.


class Problem(NamedTuple):
    """What a meta-gradient is computed from; alpha may be an array (P,)."""

    model: MLP
    theta: np.ndarray
    batch: TaskBatch
    alpha: object
    steps: int

    def points(self, name):
        """Return x and y (T, K, d) of the support set, the query set, or both, or of "point 0"."""
        support, query = self.batch[:2], self.batch[2:]
        if name.startswith("point "):
            return [a[:, [int(name.split()[1])]] for a in support]
        both = [np.concatenate(pair, axis=1) for pair in zip(support, query)]
        half = [a[:, : a.shape[1] // 2] for a in support]
        return {"support": support, "query": query, "joined": both, "half": half}[name]


def problem_of(case):
    """Return the Problem of a case of exercises 3 to 6."""
    if case.exercise == "06_meta_sgd":
        model, theta, alpha, batch, steps = case.arguments
        return Problem(model, theta, batch, alpha, steps)
    return Problem(*case.arguments)


def descend(
    p,
    on=("support",),
    rate=1.0,
    extra=0,
    steps=None,
    fixed=False,
    theta=None,
    from_0=0,
    change=None,
    restart=0,
):
    """Return theta_0 ... theta_k and the gradients of the steps between them. on: the points of the
    steps in turn; fixed: every gradient at theta_0; change(g, s, step): what is subtracted."""
    rate = rate(p) if callable(rate) else rate
    steps = max(0, p.steps + extra) if steps is None else steps
    thetas = [p.theta + np.zeros((len(p.batch[0]), 1)) if theta is None else theta]
    thetas[0] = thetas[0] * (not from_0)
    grads, step = [], 0.0
    for s in range(steps):
        here = thetas[0] if fixed else thetas[-1]
        grads.append(p.model.grad(here, *p.points(on[s % len(on)])))
        step = change(grads[-1], s, step) if change else grads[-1]
        thetas.append(thetas[0 if restart else -1] - rate * p.alpha * step)
    return thetas, grads


def outer(p, theta, on="query"):
    """Return the gradient of the outer loss; of "averaged" points, the mean of the two sets'."""
    if on == "averaged":
        return (outer(p, theta) + outer(p, theta, "support")) / 2
    return p.model.grad(theta, *p.points(on))


PLACES = {  # where the Hessian of step s is taken, among theta_0 ... theta_k
    "s": lambda s, k: s,
    "start": lambda s, k: 0,
    "late": lambda s, k: s + 1,
    "end": lambda s, k: k,
}


def go_back(
    p, thetas, q, on=("support",), at="s", order=list, of="v", c=1.0, outside=False, rate=1.0,
    kept=lambda v, q, p: v, added=0,
):  # fmt: skip
    """Return v before each step that it goes back through, and after the last: v - H_s (alpha v).
    order: which steps, and in which order; of: what is multiplied; c: a factor on the product;
    outside: alpha H_s v; kept: what the product is taken off, v; added: times the query gradient
    at theta_s."""
    c = c(p) if callable(c) else c
    alpha = (rate(p) if callable(rate) else rate) * p.alpha
    vs, k = [q], len(thetas) - 1
    for s in order([*range(k)][::-1]):
        here, points = (
            thetas[PLACES[at](s, k)],
            [p.points(name) for name in on[s % len(on)].split("+")],
        )
        v = {"v": vs[-1], "q": q, "theta": here, "H = 1": vs[-1]}.get(of)
        if v is None:
            v = p.model.grad(here, *points[0])
            v = vs[-1] * v if of == "v g" else v
        inside = v if outside else alpha * v
        product = sum(inside if of == "H = 1" else p.model.hvp(here, *xy, inside) for xy in points)
        product = alpha * product if outside else product
        vs.append(kept(vs[-1], q, p) - c * product)
        if added:
            vs[-1] = vs[-1] + added * outer(p, here)
    return vs


def rows(
    p, result, inner=None, q_at=None, q_on="query", back=None, hessian_on=None, pair=None,
    leak=None, start=None, jacobian=None, of_vs=None, along=False,
):  # fmt: skip
    """Return the meta-gradient `result` of each task (T, P): "MAML", "first-order MAML", "Reptile"
    or "rates", or one with another step."""
    inner, back = dict(inner or {}), dict(back or {})
    thetas, grads = descend(p, theta=start, **inner)
    k = len(grads)
    if result == "Reptile" and pair:
        vector = sum(pair(grads, thetas, p), np.zeros_like(thetas[0]))
    elif result == "Reptile":
        rate = inner.get("rate", 1.0)
        way = (p.theta if inner.get("from_0") else thetas[0]) - thetas[-1]
        vector = way / p.alpha / (rate(p) if callable(rate) else rate)
    else:
        q = outer(p, thetas[-1 if q_at is None else max(q_at, -k - 1)], q_on)
        vector = q
        if result != "first-order MAML":
            on, rate = jacobian or (inner.get("on", ("support",)), inner.get("rate", 1.0))
            vs = go_back(p, thetas, q, on=hessian_on or on, rate=rate, **back)
            vector = of_vs(vs) if of_vs else vs[-1]
        elif along:  # the gradients after each step
            vector = sum((outer(p, theta) for theta in thetas[1:] or thetas), 0 * q)
        if result == "rates":
            back_order = back.get("order", list)([*range(k)][::-1])
            gs = [grads[s] for s in back_order] if len(back_order) == k else grads[::-1]
            pairs = pair(vs, gs, thetas[-2::-1], p) if pair else zip(vs, gs)
            vector = -sum((v * g for v, g in pairs), np.zeros_like(q))
    return vector + leak(p, thetas) if leak else vector


def rate_of(scale):
    return lambda p: scale(p) / p.alpha


def normalized(g, s, step):  # noqa: ARG001
    """Return a gradient of length 1."""
    return g / np.linalg.norm(g, axis=-1, keepdims=True)


def inner_mistakes(p, second_order):
    """Return {phrase: switches} of the inner loop; where there is a second order, a mistake may be
    in the descent and not in its Jacobian."""
    K, d = p.batch.y_support.shape[1:]
    found = {
        "the query points in the inner loop": dict(on=("query",)),
        "support and query points joined in the inner loop": dict(on=("joined",)),
        "support and query points in turn in the inner loop": dict(on=("support", "query")),
        "query and support points in turn in the inner loop": dict(on=("query", "support")),
        "steps uphill, theta + alpha g": dict(rate=-1.0),
        "every inner gradient taken at theta": dict(fixed=True),
        "one inner step too few": dict(extra=-1),
        "one inner step too many": dict(extra=1),
        "no inner step: it never adapts": dict(steps=0),
        "alpha missing in the inner step": dict(rate=lambda p: 1 / p.alpha),
        "a division by alpha in the inner step": dict(rate=lambda p: 1 / p.alpha**2),
        "alpha's first entry in place of alpha": dict(
            rate=lambda p: np.ravel(p.alpha)[0] / p.alpha
        ),
        "alpha squared in the inner step": dict(rate=lambda p: p.alpha),
        "the inner loss summed over its points": dict(rate=K),
        "the inner loss summed over its points and outputs": dict(rate=K * d),
        "the inner loss summed over its outputs": dict(rate=d),
        "the inner loss divided by its points again": dict(rate=1 / K),
        "the inner rate halved": dict(rate=0.5),
        "the inner rate doubled": dict(rate=2.0),
        "the inner rate divided by the number of steps": dict(rate=1 / max(1, p.steps)),
        "the inner rate divided by the number of tasks": dict(rate=1 / len(p.batch[0])),
        "the mean of alpha in place of alpha": dict(rate=lambda p: np.mean(p.alpha) / p.alpha),
    }
    found |= {
        "the inner gradient divided by its length": dict(change=normalized),
        "the sign of the inner gradient alone": dict(change=lambda g, s, step: np.sign(g)),
        "momentum in the inner loop": dict(change=lambda g, s, step: 0.9 * step + g),
        "momentum of 0.5 in the inner loop": dict(change=lambda g, s, step: 0.5 * step + g),
        "a rate that falls as 1/(s + 1)": dict(change=lambda g, s, step: g / (s + 1)),
        "every step longer: gradients summed": dict(change=lambda g, s, step: step + g),
        "the first half of the support points in the inner loop": dict(on=("half",)),
        "one support point in each step, in turn": dict(on=[f"point {i}" for i in range(K)]),
        "the first support point alone in the inner loop": dict(on=("point 0",)),
        "the last inner step on the query points": dict(on=[*["support"] * (p.steps - 1), "query"]),
        "theta_0 = 0 for the start": dict(from_0=1),
        "each step taken from theta, with the gradient at theta_s": dict(restart=1),
    }
    for number in (0.001, 0.01, 0.05, 0.1, 0.2, 0.5):
        found[f"the rate {number:g} written in"] = dict(rate=rate_of(lambda p, n=number: n))
    for number in (1, 2, 3, 4, 5, 10):
        words = f"{number} inner step{'s' * (number > 1)} whatever inner_steps is"
        found[words] = dict(steps=number)
    everywhere = {phrase: {"inner": switches} for phrase, switches in found.items()}
    descent = {
        f"{phrase}, in the descent alone": {"inner": switches, "jacobian": (("support",), 1.0)}
        for phrase, switches in found.items()
        if switches.keys() & {"rate", "on"}
    }
    return everywhere | (descent if second_order else {})


OUTER = {
    "the outer gradient taken before adaptation, at theta": dict(q_at=-99),
    "the outer gradient taken one step early, at theta_k-1": dict(q_at=-2),
    "the outer loss on the support points": dict(q_on="support"),
    "the support gradient at theta in place of the query gradient": dict(q_at=-99, q_on="support"),
    "the outer loss on support and query points joined": dict(q_on="joined"),
    "the query gradient and the support gradient averaged": dict(q_on="averaged"),
    "support and query swapped": dict(inner=dict(on=("query",)), q_on="support"),
    "the query loss's Hessian": dict(hessian_on=("query",)),
    "the Hessian on support and query points joined": dict(hessian_on=("joined",)),
    "the Hessians of the support and the query loss added": dict(hessian_on=("support+query",)),
}
BACK = {
    "every Hessian at theta, the start": dict(at="start"),
    "each Hessian one step late, at theta_s+1": dict(at="late"),
    "every Hessian at theta_k, the end": dict(at="end"),
    "the steps taken back in the wrong order, first step first": dict(order=lambda s: s[::-1]),
    "the first step's Jacobian alone": dict(order=lambda s: s[-1:]),
    "the last step's Jacobian alone": dict(order=lambda s: s[:1]),
    "the first step's Jacobian left out": dict(order=lambda s: s[:-1]),
    "one product too many, at theta": dict(order=lambda s: [*s, 0]),
    "one product too many, at theta_k": dict(order=lambda s: [len(s), *s]),
    "the query gradient at theta_s added on the way back: the loss of several steps": dict(added=1),
    "the last step's Jacobian left out": dict(order=lambda s: s[1:]),
    "every product with q, the query gradient, in place of v": dict(of="q"),
    "the Hessian times the inner gradient, in place of v": dict(of="g"),
    "the Hessian times theta, in place of v": dict(of="theta"),
    "the Hessian times alpha v g, in place of alpha v": dict(of="v g"),
    "v itself in place of H v": dict(of="H = 1"),
    "alpha on both sides of the Hessian": dict(c=lambda p: p.alpha),
    "v + H (alpha v): a plus for the minus": dict(c=-1.0),
    "alpha missing before the product": dict(c=lambda p: 1 / p.alpha, outside=True),
    "alpha once too often before the product": dict(c=lambda p: p.alpha, outside=True),
    "H (alpha v) alone: v, which it is taken off, is missing": dict(
        kept=lambda v, q, p: 0 * v, c=-1.0
    ),
    "q - H (alpha v): q in place of the v that the product is taken off": dict(
        kept=lambda v, q, p: q
    ),
    "alpha (v - H v), alpha before v as well": dict(kept=lambda v, q, p: p.alpha * v),
    "the product halved": dict(c=0.5),
    "the product taken twice": dict(c=2.0),
    "the product divided by the number of points": dict(
        c=lambda p: 1 / p.batch.x_support.shape[1]
    ),
    "the product multiplied by the number of points": dict(c=lambda p: p.batch.x_support.shape[1]),
    "alpha outside the product, as if all rates were equal": dict(outside=True),
    "every Hessian at theta and every product with q": dict(at="start", of="q"),
    "the mean of alpha in the product": dict(c=lambda p: np.mean(p.alpha) / p.alpha, outside=True),
}  # fmt: skip
TOO_FAR_IN = "is a line inside the loop that belongs after it?"
OF_VS = {  # of the v of all steps, the last step's first: what is returned
    f"the v after every step back added up: {TOO_FAR_IN}": (
        lambda vs: sum(vs[1:] or vs, 0 * vs[0])
    ),
    "q and the v after every step back added up": lambda vs: sum(vs, 0 * vs[0]),
}
LEAKS = {
    "the support gradient at theta leaked in": lambda p, t: outer(p, t[0], "support"),
    "the support gradient at theta_k leaked in": lambda p, t: outer(p, t[-1], "support"),
    "the query gradient at theta leaked in": lambda p, t: outer(p, t[0]),
    "the query gradient at theta_k leaked in": lambda p, t: outer(p, t[-1]),
    "theta leaked in: weight decay": lambda p, t: t[0],
    "the inner loop's gradients leaked in": lambda p, t: sum(
        (outer(p, here, "support") for here in t[:-1]), 0 * t[0]
    ),
    "the query gradients at theta_0 ... theta_k-1 leaked in: a sum along the way": lambda p, t: sum(
        (outer(p, here) for here in t[:-1]), 0 * t[0]
    ),
    "the support gradient at theta taken off": lambda p, t: -outer(p, t[0], "support"),
    "the support gradient at theta_k taken off": lambda p, t: -outer(p, t[-1], "support"),
}
OF_STEPS = {  # of Reptile: which gradients are summed
    "the first step's gradient alone": lambda g, t, p: g[:1],
    "the last step's gradient alone": lambda g, t, p: g[-1:],
    "the first step's gradient left out": lambda g, t, p: g[1:],
    "the last step's gradient left out": lambda g, t, p: g[:-1],
    "each gradient one step late: g_1 + ... + g_k": lambda g, t, p: [
        *g[1:], *([outer(p, t[-1], "support")] if g else [])
    ],
    "theta minus the mean of theta_0 ... theta_k": lambda g, t, p: [
        g[s] * (len(g) - s) / (len(g) + 1) for s in range(len(g))
    ],
    "theta minus the mean of theta_1 ... theta_k": lambda g, t, p: [
        g[s] * (len(g) - s) / len(g) for s in range(len(g))
    ],
    "the second-order term of MAML as well": lambda g, t, p: [
        go_back(p, t[:i], g[i - 1])[-1] for i in range(1, len(g) + 1)
    ],
}  # fmt: skip
OF_RATES = {  # of the gradient in alpha: pairs (v, g) from vs and gs, the last step's first
    "v one step off: propagated back before it is multiplied by g": lambda v, g, t, p: zip(
        v[1:], g
    ),
    "every v equal to q, which is first order": lambda v, g, t, p: ((v[0], one) for one in g),
    "every g taken at theta": lambda v, g, t, p: ((one, g[-1]) for one in v[:-1]),
    "g one step late, at theta_s+1": lambda v, g, t, p: zip(
        v[:-1], [outer(p, t[0] - p.alpha * g[0], "support"), *g] if g else []
    ),
    "every g taken at theta_k": lambda v, g, t, p: (
        (one, outer(p, t[0] - p.alpha * g[0], "support")) for one in v[:-1]
    ),
    "the g of the step before": lambda v, g, t, p: zip(v, [*g[1:], *g[:1]]),
    "the query gradient for g": lambda v, g, t, p: ((a, outer(p, b)) for a, b in zip(v, t)),
    "the last step's part alone": lambda v, g, t, p: zip(v[:1], g[:1]),
    "the first step's part alone": lambda v, g, t, p: zip(v[-2:-1], g[-1:]),
    "the first step's part left out": lambda v, g, t, p: zip(v[:-2], g[:-1]),
    "the last step's part left out": lambda v, g, t, p: zip(v[1:-1], g[1:]),
    "g and v of opposite steps": lambda v, g, t, p: zip(v, g[::-1]),
    "the v of theta, after all steps, in every part": lambda v, g, t, p: ((v[-1], a) for a in g),
    f"the sum after every step added up: {TOO_FAR_IN}": (
        lambda v, g, t, p: (((len(g) - i) * a, b) for i, (a, b) in enumerate(zip(v, g)))
    ),
    "alpha as one factor too many": lambda v, g, t, p: ((p.alpha * a, b) for a, b in zip(v, g)),
    "a division by alpha": lambda v, g, t, p: ((a / p.alpha, b) for a, b in zip(v, g)),
    "g squared in place of v g": lambda v, g, t, p: ((b, b) for b in g),
    "v squared in place of v g": lambda v, g, t, p: ((b, b) for b in v[:-1]),
    "v itself in place of v g": lambda v, g, t, p: ((a, np.ones_like(a)) for a in v[:-1]),
    "g itself in place of v g": lambda v, g, t, p: ((np.ones_like(a), a) for a in g),
    "a sum over all parameters: v and g are multiplied entry by entry": lambda v, g, t, p: (
        ((a * b).sum(-1, keepdims=True), np.ones_like(a)) for a, b in zip(v, g)
    ),
}
ANSWERS = {  # of each exercise: its name here, and in words
    "03_maml": ("MAML", "MAML"),
    "04_first_order_maml": ("first-order MAML", "first-order MAML"),
    "05_reptile": ("Reptile", "Reptile"),
    "06_meta_sgd": ("rates", "the gradient in alpha"),
}


def pairs_of_tasks(case):
    """Return the results of exercises 3 to 6 with two mistakes at once."""
    p = problem_of(case)
    result, right = ANSWERS[case.exercise]
    outer_and_back = OUTER, {phrase: {"back": s} for phrase, s in BACK.items()}
    of_steps = {phrase: {"pair": pair} for phrase, pair in (OF_STEPS | OF_RATES).items()
                if (phrase in OF_STEPS) is (result == "Reptile")}  # fmt: skip
    inner = dict(itertools.islice(inner_mistakes(p, False).items(), 10))
    groups = {
        "MAML": (inner, *outer_and_back),
        "first-order MAML": (inner, OUTER),
        "Reptile": (inner, of_steps),
        "rates": (*outer_and_back, of_steps),
    }[result]
    groups += ({phrase: {"leak": leak} for phrase, leak in LEAKS.items()},)
    known = two_each(right, functools.partial(rows, p, result), groups)
    return {phrase: lambda r=r: r().mean(axis=0) for phrase, r in known.items()}


def chain(p, compute):
    """Return compute(the problem of one task, the theta where it starts) for each task, as if every
    task started where the one before it has ended."""
    found, start = [], None
    for one in p.batch.split_tasks(1):
        alone = p._replace(batch=one)
        found.append(compute(alone, start))
        start = descend(alone, theta=start)[0][-1]
    return np.concatenate(found)


def carried(p, what):
    """Return MAML of each task if v or the list of the thetas is not set anew for each of them."""
    found, path, v = [], [], 0.0
    for one in p.batch.split_tasks(1):
        alone = p._replace(batch=one)
        thetas = descend(alone)[0]
        path = [*(path if what == "thetas" else []), *thetas[:-1]]
        v = outer(alone, thetas[-1]) + (v if what == "v" else 0.0)
        v = go_back(alone, [*path, thetas[-1]], v)[-1]
        found.append(v)
    return np.concatenate(found)


def stale(p, i, which):
    """Return the problem whose tasks all have the support or the query points of task i."""
    mine = slice(0, 2) if which == "support" else slice(2, 4)
    arrays = [*p.batch]
    arrays[mine] = [np.repeat(a[[i]], len(a), axis=0) for a in arrays[mine]]
    return p._replace(batch=TaskBatch(*arrays))


def back_together(p):
    """Return the mean of the query gradients, taken back through the last task's steps."""
    last = p._replace(batch=[*p.batch.split_tasks(1)][-1])
    q = rows(p, "first-order MAML").mean(axis=0, keepdims=True)
    return go_back(last, descend(last)[0], q)[-1]


def forward_in_one_vector(p):
    """Return q d, where d <- d - g - alpha H d stands for the derivative of theta in alpha."""
    thetas, grads = descend(p)
    d = np.zeros_like(thetas[0])
    for theta, g in zip(thetas, grads):
        d = d - g - p.alpha * p.model.hvp(theta, *p.points("support"), d)
    return outer(p, thetas[-1]) * d


def averaged(vs, gs, thetas, p):  # noqa: ARG001
    """Return the pairs (v, g), last step first, each the mean over the tasks."""
    return [(v.mean(axis=0), g.mean(axis=0)) for v, g in zip(vs, gs)]


def pooled(p):
    """Return the problem whose one task has the points of all tasks."""
    batch = TaskBatch(*(points.reshape(1, -1, points.shape[-1]) for points in p.batch))
    return p._replace(batch=batch)


def known_meta_gradients(case):
    """Return the known results of exercises 3 to 6, means over the tasks and those of one task."""
    p = problem_of(case)
    result, right = ANSWERS[case.exercise]
    groups = {"MAML": (OUTER, BACK), "first-order MAML": (OUTER,), "Reptile": (), "rates": ()}
    groups["rates"] = (OUTER, BACK, OF_RATES)
    groups["Reptile"] = (OF_STEPS,)
    found = {right: {}} | {
        f"{right} with {phrase}": s
        for phrase, s in inner_mistakes(p, BACK in groups[result]).items()
    }
    for group in groups[result]:
        for phrase, switches in group.items():
            if group is BACK:
                switches = {"back": switches}
            elif callable(switches):
                switches = {"pair": switches}
            found[f"{right} with {phrase}"] = switches
    found |= {f"{right} with {phrase}": {"leak": leak} for phrase, leak in LEAKS.items()}
    if result == "MAML":
        found |= {f"MAML with {phrase}": {"of_vs": of_vs} for phrase, of_vs in OF_VS.items()}
    if result == "first-order MAML":
        found[f"{right} with the query gradients after every step added up: {TOO_FAR_IN}"] = {
            "along": True
        }
    computed = {
        phrase: functools.cache(functools.partial(rows, p, result, **switches))
        for phrase, switches in found.items()
    }
    for other, name in ANSWERS.values():
        if other != result:
            words = f"{name}, the gradient in theta" if result == "rates" else name
            computed[words] = functools.cache(functools.partial(rows, p, other))
    if result == "first-order MAML":  # of which a part is left
        for phrase, back in BACK.items():
            computed[f"MAML, its second order not deleted, with {phrase}"] = functools.cache(
                lambda back=back: rows(p, "MAML", back=back)
            )
    for phrase, on, at in (
        ("the query gradient before adaptation", "query", 0),
        ("the joint gradient, the support gradient at theta", "support", 0),
        ("the support gradient after the last step", "support", -1),
    ):
        computed.setdefault(
            phrase, functools.cache(lambda on=on, at=at: outer(p, descend(p)[0][at], on))
        )
    if result == "rates":
        computed[f"{right} with one vector forward for a Jacobian, d <- d - g - alpha H d"] = (
            functools.cache(lambda: forward_in_one_vector(p))
        )
    plain = p._replace(model=MLP(p.model.sizes, p.model.activation))
    computed[f"{right} with squared error in the place of any other loss"] = functools.cache(
        lambda: rows(plain, result)
    )
    computed["theta_k itself, the adapted parameters"] = functools.cache(lambda: descend(p)[0][-1])
    known = {phrase: lambda r=r: r().mean(axis=0) for phrase, r in computed.items()}
    if result == "Reptile":
        known["theta - theta_k / alpha, without brackets"] = lambda: (
            p.theta - (descend(p)[0][-1] / p.alpha).mean(axis=0)
        )
    if len(p.batch[0]) > 1:
        first = itertools.islice(computed.items(), 6)
        known |= {f"{phrase} of the first task alone": lambda r=r: r()[0] for phrase, r in first}
        known[f"{right} of the last task alone"] = lambda: computed[right]()[-1]
        known[f"{right} with a sum that is not set to 0 for each task: running sums of them"] = (
            lambda: computed[right]().cumsum(axis=0).mean(axis=0)
        )
        known[f"{right} with the tasks in a chain: each starts where the one before it ended"] = (
            lambda: chain(p, lambda one, start: rows(one, result, start=start)).mean(axis=0)
        )
        known[f"{right} with the median over the tasks for the mean"] = lambda: np.median(
            computed[right](), axis=0
        )
        if result == "rates":
            known[f"{right} with v and g averaged over the tasks before they are multiplied"] = (
                lambda: rows(p, result, pair=averaged).mean(axis=0)
            )
        elif result == "first-order MAML":
            known[f"{right} with the query gradients at the mean of the tasks' theta_k"] = lambda: (
                outer(p, descend(p)[0][-1].mean(axis=0)).mean(axis=0)
            )
        known[f"{right} with the points of all tasks as those of one task"] = lambda: rows(
            pooled(p), result
        ).mean(axis=0)
        for i, place in ((0, "first"), (-1, "last")):
            for which in ("support", "query"):
                known[f"{right} with the {which} points of the {place} task for all tasks"] = (
                    lambda i=i, which=which: rows(stale(p, i, which), result).mean(axis=0)
                )
        if result == "MAML":
            known["MAML with the query gradients averaged first, then back through one task"] = (
                lambda: back_together(p).mean(axis=0)
            )
            for what in ("v", "thetas"):
                known[f"MAML with {what} of the tasks before kept, not set anew for each task"] = (
                    lambda what=what: carried(p, what).mean(axis=0)
                )
        if result == "Reptile":  # the way from theta to where each task of the chain has ended
            known["Reptile with the tasks in a chain, each way measured from theta"] = lambda: (
                chain(
                    p, lambda one, start: (p.theta - descend(one, theta=start)[0][-1]) / p.alpha
                ).mean(axis=0)
            )
    return known


def quantities_of_tasks(case):
    """Return the numbers that an answer to exercises 3 to 6 is often off by."""
    p = problem_of(case)
    (T, K, d), Q = p.batch.y_support.shape, p.batch.y_query.shape[1]
    numbers = {
        "the number of tasks": T,
        "the number of inner steps": p.steps,
        "the number of inner steps plus 1": p.steps + 1,
        "the number of query points": Q,
        "the number of support points": K,
        "the width of the output": d,
        "the number of query points times that of outputs": Q * d,
        "the number of query points times that of tasks": Q * T,
        "the number of parameters": p.model.n_params,
    }
    if np.ndim(p.alpha) == 0:
        numbers |= {"alpha": p.alpha, "alpha squared": p.alpha**2}
        numbers["alpha once for each step"] = p.alpha**p.steps
        numbers["alpha once for each step but one"] = p.alpha ** (p.steps - 1)
    return numbers


def bases(case):
    """Yield {phrase: vector} of gradients that a meta-gradient may be a sum of: what is right and
    the ends of the steps, and then the parts of all of them."""
    p = problem_of(case)
    result, right = ANSWERS[case.exercise]
    thetas, grads = descend(p)
    ends = {
        "the query gradient at theta_k": outer(p, thetas[-1]),
        "theta": thetas[0],
        "the support gradient at theta_0": outer(p, thetas[0], "support"),
        f"the support gradient at theta_{len(grads)}": outer(p, thetas[-1], "support"),
        "the query gradient at theta_0": outer(p, thetas[0]),
    }
    for other, phrase in ANSWERS.values():
        if other not in (result, "rates"):
            ends[phrase] = rows(p, other)
    steps = {f"the support gradient at theta_{s}": g for s, g in enumerate(grads)}
    q = ends["the query gradient at theta_k"]
    products = {"the query gradient q at theta_k": q} | {
        f"H(theta_{s}) q": p.model.hvp(theta, *p.points("support"), q)
        for s, theta in enumerate(thetas)
    }
    back = {f"v taken back through {s} steps": v for s, v in enumerate(go_back(p, thetas, q)) if s}
    for parts in ({right: rows(p, result)} | ends, ends | steps, products, products | back):
        found = {}
        for phrase, vectors in parts.items():
            vector = vectors.mean(axis=0)
            if vector.any() and not any(np.allclose(vector, v, rtol=1e-9) for v in found.values()):
                found[phrase] = vector
        yield found


# Exercise 8: z s, with s = 1 / (1 + exp(-beta z)). Each function takes z, s, s' and beta.

LAYER_SLOPES = {
    "s for f': z held, or its derivative for 1": lambda z, s, ds, b: s,
    "z s' for f': the product rule's other term is missing": lambda z, s, ds, b: z * ds,
    "beta missing in s', in f'": lambda z, s, ds, b: s + z * ds / b,
    "s - z s' for f'": lambda z, s, ds, b: s - z * ds,
    "s' for f'": lambda z, s, ds, b: ds,
    "s + s' for f': z is missing": lambda z, s, ds, b: s + ds,
    "z s' written with f: f + s (1 - f), without beta": lambda z, s, ds, b: z * s + s * (1 - z * s),
    "s (1 - s) for s', and z twice": lambda z, s, ds, b: s + z * z * ds,
    "the derivative with respect to beta for f'": lambda z, s, ds, b: z * z * s * (1 - s),
    "1 - s missing in s', in f'": lambda z, s, ds, b: s + z * b * s,
}
LAYER_CURVATURES = {
    "2 s' for f'': z s'' is missing": lambda z, s, ds, b: 2 * ds,
    "z s'' for f'': 2 s' is missing": lambda z, s, ds, b: z * b * ds * (1 - 2 * s),
    "s' + z s'' for f'': s' belongs there twice": lambda z, s, ds, b: ds + z * b * ds * (1 - 2 * s),
    "beta missing in s'', in f''": lambda z, s, ds, b: 2 * ds + z * ds * (1 - 2 * s),
    "1 - s for 1 - 2 s in s''": lambda z, s, ds, b: 2 * ds + z * b * ds * (1 - s),
    "a plus for the minus in 1 - 2 s": lambda z, s, ds, b: 2 * ds + z * b * ds * (1 + 2 * s),
    "2 s - 1 for 1 - 2 s: the sign of s''": lambda z, s, ds, b: 2 * ds - z * b * ds * (1 - 2 * s),
    "1 - 2 s missing in s''": lambda z, s, ds, b: 2 * ds + z * b * ds,
    "beta missing in s' and s'', in f''": lambda z, s, ds, b: 2 * ds / b + z * ds / b * (1 - 2 * s),
    "one beta missing in all of f'', in s' and in s''": lambda z, s, ds, b: (
        2 * ds / b + z * ds * (1 - 2 * s)
    ),
    "s'' for f''": lambda z, s, ds, b: b * ds * (1 - 2 * s),
    "0 for f''": lambda z, s, ds, b: 0 * z,
    "the second derivative with respect to beta for f''": lambda z, s, ds, b: (
        z**3 * s * (1 - s) * (1 - 2 * s)
    ),
    "2 s' + z s'^2 for f''": lambda z, s, ds, b: 2 * ds + z * ds * ds,
    "f' squared for f''": lambda z, s, ds, b: (s + z * ds) ** 2,
}
LAYER_VALUES = {
    "z / (1 + exp(-z)) for f, without beta": lambda z, s, ds, b: z * sigmoid_of(z),
    "s for f, without z": lambda z, s, ds, b: s,
    "z / (1 + exp(beta z)) for f: the sign in the exponent": lambda z, s, ds, b: z * (1 - s),
    "beta z s for f": lambda z, s, ds, b: b * z * s,
}
LAYER_ROWS = {
    "f'' before f'": lambda rows: rows[[0, 2, 1]],
    "its rows from the last to the first": lambda rows: rows[::-1],
    "the real part alone: what is complex is lost": lambda rows: rows.real + 0.0,
}


def sigmoid_of(z):
    """Return 1 / (1 + exp(-z)) for complex z, with no exponential above 1."""
    e = np.exp(np.where(z.real < 0, z, -z))
    return np.where(z.real < 0, e, 1.0) / (1 + e)


def layer(z, beta, value=None, slope=None, curvature=None, rows=as_it_is, s_of=sigmoid_of):
    """Return (f, f', f'') of exercise 8, or with another step; s_of(beta z) is s."""
    s = s_of(beta * z)
    ds = beta * s * (1 - s)
    value = value or (lambda z, s, ds, b: z * s)
    slope = slope or (lambda z, s, ds, b: s + z * ds)
    curvature = curvature or (lambda z, s, ds, b: 2 * ds + z * b * ds * (1 - 2 * s))
    return rows(np.stack([f(z, s, ds, beta) for f in (value, slope, curvature)]))


LAYER_SIGMOIDS = {  # of beta z, for s
    "exp(beta z) in place of exp(-beta z)": lambda z: sigmoid_of(-z),
    "tanh(beta z) in place of s": np.tanh,
    "(1 + tanh(beta z)) / 2, which is s at 2 beta z, for s": lambda z: sigmoid_of(2 * z),
    "exp(-beta z) in place of s": lambda z: np.exp(-z),
    "exp(-beta |z|) in place of exp(-beta z)": lambda z: sigmoid_of(abs(z)),
    "1 / (1 - exp(-beta z)) for s": lambda z: 1 / (1 - np.exp(-z)),
}
OF_LAYERS = (
    switch("slope", LAYER_SLOPES),
    switch("curvature", LAYER_CURVATURES),
    switch("value", LAYER_VALUES),
    switch("rows", LAYER_ROWS),
    switch("s_of", LAYER_SIGMOIDS),
)


def known_layers(case, mistakes=one_each):
    """Return the known results of exercise 8."""
    z, beta = case.arguments
    known = mistakes("(f, f', f'')", functools.partial(layer, z, beta), OF_LAYERS)
    known["(f, f', f'') of exp(beta z) in place of exp(-beta z)"] = lambda: layer(z, -beta)
    known["(f, f', f'') with beta missing in the exponent alone"] = lambda: layer(
        z, beta, s_of=lambda bz: sigmoid_of(bz / beta)
    )
    known["(f, f', f'') without beta, as if it were 1"] = lambda: layer(z, 1.0)
    known["(f, f', f''), the derivatives with respect to beta z"] = lambda: (
        layer(z, beta) / np.reshape([1, beta, beta**2], (3, *(1,) * z.ndim))
    )
    return known


# Exercise 9: C (y - F w) u^T - C F u w^T


HEAD_TERMS = ("C y u^T", "C F w u^T", "C F u w^T")


def head(
    F, y, c, lam, F_q, y_q, factors=(), in_A=1.0, in_y=1.0, outside=(1.0, 1.0, 1.0), lam_by=1.0,
    mean=None, A_once=1, w_before=False, swap=False, of_y_q=1.0, c_of=None, in_A_of_u=None,
    eye=np.eye, lam_of_u=1.0, on_support=False, solve=np.linalg.solve, of_query=False,
):  # fmt: skip
    """Return the gradient of exercise 9, or one with another step. in_A, in_y, outside: the power
    of c in A, in F^T C y and in front of each term."""
    C, size = (c_of(c) if c_of else c)[:, None], F.shape[1]
    n = dict.fromkeys(HEAD_TERMS, 1.0) | dict(factors)
    ridge = lam * (lam_by(lam, len(F)) if callable(lam_by) else lam_by) * eye(size)
    A = (F_q.T @ F_q if of_query else F.T @ (C**in_A * F)) + ridge
    F_q, y_q = (F, y) if on_support else (F_q, y_q)
    right = F.T @ (C**in_y * y)
    w = right if w_before else solve(A, right)
    g = 2 * (F_q @ w - of_y_q * y_q) / (y_q.size if mean is None else mean(y_q))
    u = F_q.T @ g
    A_of_u = F.T @ (C ** (in_A if in_A_of_u is None else in_A_of_u) * F) + lam_of_u * ridge
    for _ in range(A_once):
        u = solve(A if of_query else A_of_u, u)
    C_y, C_Fw, C_Fu = (C**power for power in outside)
    first = n["C y u^T"] * C_y * y - n["C F w u^T"] * C_Fw * (F @ w)
    u, v = (w, u) if swap else (u, w)
    return first @ u.T - n["C F u w^T"] * C_Fu * (F @ u) @ v.T


HEAD = (
    {
        "A taken for a constant": {"factors": {"C F w u^T": 0.0, "C F u w^T": 0.0}},
        "c forgotten in A": {"in_A": 0.0},
        "c forgotten in F^T C y": {"in_y": 0.0},
        "c forgotten in front of both terms": {"outside": (0.0, 0.0, 0.0)},
        "c forgotten before y - F w": {"outside": (0.0, 0.0, 1.0)},
        "c before y alone, in C y - F w": {"outside": (1.0, 0.0, 1.0)},
        "c before y alone": {"outside": (1.0, 0.0, 0.0)},
        "c forgotten before F u w^T": {"outside": (1.0, 1.0, 0.0)},
        "c forgotten everywhere": {"c_of": np.ones_like},
        "the mean of c for c": {"c_of": lambda c: np.full_like(c, c.mean())},
        "c divided by its sum": {"c_of": lambda c: c / c.sum()},
        "c divided by its mean": {"c_of": lambda c: c / c.mean()},
        "1 / c for c": {"c_of": lambda c: 1 / c},
        "c squared in A": {"in_A": 2.0},
        "c squared in F^T C y": {"in_y": 2.0},
        "c squared in front of both terms": {"outside": (2.0, 2.0, 2.0)},
        "the root of c in front of both terms: that is the gradient in sqrt(c) F": {
            "outside": (0.5, 0.5, 0.5)
        },
        "the root of c for c everywhere": {"c_of": np.sqrt},
        "c squared everywhere": {"c_of": np.square},
        "lam squared in A": {"lam_by": lambda lam, K: lam},
        "1 / lam for lam in A": {"lam_by": lambda lam, K: 1 / lam**2},
        "lam times the number of support points in A": {"lam_by": lambda lam, K: K},
        "lam divided by the number of support points in A": {"lam_by": lambda lam, K: 1 / K},
        "lam doubled in A": {"lam_by": 2.0},
        "lam halved in A": {"lam_by": 0.5},
        "c forgotten in A for u alone": {"in_A_of_u": 0.0},
        "c forgotten in A for w alone": {"in_A": 0.0, "in_A_of_u": 1.0},
        "lam forgotten in A": {"lam_by": 0.0},
        "lam forgotten in A for u alone": {"lam_of_u": 0.0},
        "lam added to every entry of A, not to its diagonal": {
            "eye": lambda size: np.ones((size,) * 2)
        },
        "the support points in place of the query points in g": {"on_support": True},
        "F_q^T F_q for F^T C F in A": {"of_query": True},
        "1 / A, entry by entry, for A^-1": {"solve": lambda A, b: (1 / A) @ b},
        "A itself for A^-1": {"solve": lambda A, b: A @ b},
        "the diagonal of A alone": {"solve": lambda A, b: b / np.diag(A)[:, None]},
        "a minus before lam in A": {"lam_by": -1.0},
        "y_q forgotten in the residual": {"of_y_q": 0.0},
        "F_q w + y_q, a plus for the minus": {"of_y_q": -1.0},
        "A^-1 twice in u": {"A_once": 2},
        "u = F_q^T g, without A^-1": {"A_once": 0},
        "w = F^T C y, without A^-1": {"w_before": True},
        "u and w exchanged": {"swap": True},
        "a mean over the points alone in g": {"mean": len},
        "c squared before y - F w": {"outside": (2.0, 2.0, 1.0)},
        "c squared before F u w^T": {"outside": (1.0, 1.0, 2.0)},
        "c squared before y alone": {"outside": (2.0, 1.0, 1.0)},
        "c squared before F w alone": {"outside": (1.0, 2.0, 1.0)},
        "a sum in the place of the mean in g": {"mean": lambda y_q: 1},
    }
    | {
        f"the term {term} {words}": {"factors": {term: factor}}
        for term in HEAD_TERMS
        for factor, words in FACTORS.items()
    }
    | {
        f"the term C (y - F w) u^T {words}": {"factors": {"C y u^T": factor, "C F w u^T": factor}}
        for factor, words in FACTORS.items()
    }
)


OF_HEADS = tuple(
    {phrase: switches for phrase, switches in HEAD.items() if next(iter(switches)) == key}
    for key in dict.fromkeys(next(iter(switches)) for switches in HEAD.values())
)


def known_heads(case):
    """Return the known results of exercise 9."""
    F, y, c, lam, F_q, y_q = case.arguments
    known = one_each("the gradient in F", functools.partial(head, *case.arguments), (HEAD,))

    def at_query():
        """Return the gradient in F_q, g w^T."""
        A = F.T @ (c[:, None] * F) + lam * np.eye(F.shape[1])
        w = np.linalg.solve(A, F.T @ (c[:, None] * y))
        return 2 * (F_q @ w - y_q) @ w.T / y_q.size

    known["the gradient in F_q, which is g w^T,"] = at_query
    return known


def parts_of_heads(case):
    """Return {phrase: array} of what a result of exercise 9 may be a sum of."""
    F, y, c, lam, F_q, y_q = case.arguments
    C = c[:, None]
    A = F.T @ (C * F) + lam * np.eye(F.shape[1])
    w = np.linalg.solve(A, F.T @ (C * y))
    u = np.linalg.solve(A, F_q.T @ (2 * (F_q @ w - y_q) / y_q.size))
    columns = {"y": y, "F w": F @ w, "F u": F @ u}
    return {
        f"{power}{column} {other}^T": factor * one @ vector.T
        for power, factor in {"": 1.0, "C ": C, "C C ": C**2}.items()
        for column, one in columns.items()
        for other, vector in {"u": u, "w": w}.items()
    }


KNOWN = {"01_backward": known_gradients, "02_hvp": known_products}
KNOWN |= dict.fromkeys(ANSWERS, known_meta_gradients)
KNOWN |= {"08_own_layer": known_layers, "09_solve_the_head": known_heads}
RARE = {
    "01_backward": gradients_at_one_layer,
    "02_hvp": products_at_one_layer,
    "08_own_layer": functools.partial(known_layers, mistakes=two_each),
    "09_solve_the_head": lambda case: two_each(
        "the gradient in F", functools.partial(head, *case.arguments), OF_HEADS
    ),
} | dict.fromkeys(ANSWERS, pairs_of_tasks)
BASES = dict.fromkeys(("01_backward", "02_hvp"), bases_of_points) | dict.fromkeys(ANSWERS, bases)
QUANTITIES = dict.fromkeys(("01_backward", "02_hvp"), quantities_of_points)
QUANTITIES |= dict.fromkeys(ANSWERS, quantities_of_tasks)


def bases_of_layers(case):
    """Return {phrase: array} of what f' or f'' may be a sum of."""
    z, b = case.arguments
    s = sigmoid_of(b * z)
    ds = b * s * (1 - s)
    d2s = b * ds * (1 - 2 * s)
    parts = {"s": s, "s'": ds, "s''": d2s}
    return {f"{power}{phrase}": factor * part for phrase, part in parts.items()
            for power, factor in {"": 1, "z ": z, "z^2 ": z * z}.items()}  # fmt: skip


QUANTITIES["08_own_layer"] = lambda case: {
    "beta": case.arguments[1],
    "beta squared": case.arguments[1] ** 2,
}
QUANTITIES["09_solve_the_head"] = lambda case: {
    "the number of query points": len(case.arguments[5]),
    "the number of outputs": case.arguments[5].shape[1],
    "the number of query points times that of outputs": case.arguments[5].size,
    "the number of support points": len(case.arguments[0]),
    "lam": case.arguments[3],
    "the sum of c": case.arguments[2].sum(),
}
