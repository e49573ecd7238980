"""Mistakes in exercise 2, the Hessian-vector product: R of both passes."""

import functools
import math

import numpy as np

from ...losses import LOSSES, softmax
from .backward import (
    BIASES,
    EVERY_OTHER,
    ORDERS,
    SLOPES,
    in_theta,
    is_at,
    last_point,
    right_slope,
    sum_of_points,
)
from .common import FACTORS, as_it_is, one_each, switch, two_each

TERMS = ("h V", "Rh W", "Vb", "Rdelta W^T", "delta V^T", "f''(z) Rz (delta W^T)", "Rh^T delta")
TERMS += ("h^T Rdelta", "Rh' = f'(z) Rz", "f'(z) (Rdelta W^T + delta V^T)")
PLACES_OF_TERMS = ("l = 0", "l = 1", "the last l")
OPERANDS = {term: tuple(term.split()) for term in TERMS if term.count(" ") == 1 and "=" not in term}
OPERANDS["delta W^T"] = ("delta", "W^T")  # of the term with f''
ALIKE = [("h", "Rh"), ("h^T", "Rh^T"), ("W", "V"), ("W^T", "V^T"), ("delta", "Rdelta")]
ALIKE = dict(ALIKE) | {other: one for one, other in ALIKE}
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
    "Rdelta at the output multiplied by the number of points, as if each were a mean of its own": (
        lambda L, z, y, delta, R: len(y) * L.hvp(z, y, R)
    ),
    "Rdelta at the output divided by the number of points once more": (
        lambda L, z, y, delta, R: L.hvp(z, y, R) / len(y)
    ),
    "2 Rout / K for Rdelta at the output, as with one output": lambda L, z, y, delta, R: (
        2 * R / len(y)
    ),
    "Rdelta at the output taken twice": lambda L, z, y, delta, R: 2 * L.hvp(z, y, R),
    "Rdelta at the output halved": lambda L, z, y, delta, R: L.hvp(z, y, R) / 2,
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
    "one f'(z) too many in the term f''(z) Rz (delta W^T): is Rh there for Rz, or the delta of the "
    "layer before for delta W^T?": lambda f, z, h: f.curvature(z) * f.slope(z),
    "f''(h) in place of f''(z)": lambda f, z, h: f.curvature(h),
    "f'' squared in place of f''": lambda f, z, h: f.curvature(z) ** 2,
    "sigmoid's f'' in every network": lambda f, z, h: h * (1 - h) * (1 - 2 * h),
}
BENDS = {  # delta W^T, Rz and Rh of the layer before, its delta and its z: f'' times ...
    "f''(z) (delta W^T) without its Rz": lambda back, Rz, Rh, delta, z: back,
    "z in place of Rz in the term f''(z) Rz (delta W^T)": lambda back, Rz, Rh, delta, z: z * back,
    "f''(z) Rz without its delta W^T": lambda back, Rz, Rh, delta, z: Rz,
}


def product(
    model, theta, x, y, v, factors=(), start=None, curvature=None, bend=None, order=as_it_is,
    ahead=right_slope, back=right_slope, Rx=0.0, bias=sum_of_points, of_biases=None,
    sloped=("Rdelta W^T", "delta V^T"), operands=(), next_Rh=None, moves_b="Vb",
    points=(slice(None), slice(None)),
):  # fmt: skip
    """Return the Hessian-vector product of exercise 2, or one with another step; operands: of which
    two arrays a term is the product; points: those of RgW and Rgb."""
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
        arrays["b + Vb"] = arrays["Vb"] + (arrays["b"] if i else 0.0)
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
        if points[0] != slice(None):
            gW = Rh[i][points[0]].T @ delta[points[0]] + h[points[0]].T @ Rdelta[points[0]]
        in_gb = of_biases(delta, Rdelta, i) if of_biases else Rdelta
        pairs.insert(0, (gW, bias(in_gb[points[1]])))
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
    "delta for Rdelta in the biases": {"of_biases": lambda delta, Rdelta, i: delta},
    "delta added to Rdelta in the biases": {"of_biases": lambda delta, Rdelta, i: delta + Rdelta},
    "b added to Vb in Rz: the column of ones has R 0, not 1": {"moves_b": "b + Vb"},
    "R of the column of ones 1, where it is 0": {
        "moves_b": "b + Vb",
        "of_biases": lambda delta, Rdelta, i: Rdelta + (delta if i else 0.0),
    },
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
    last_point("RgW", "Rgb"),
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
