"""Mistakes in exercise 8: z s, with s = 1 / (1 + exp(-beta z)). Each function takes z, s, s' and
beta."""

import functools

import numpy as np

from .common import as_it_is, one_each, switch

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
    for where, curvature in {
        "s' = beta s (1 - s)": "one beta missing in all of f'', in s' and in s''",
        "s' and in s''": "beta missing in s' and s'', in f''",
    }.items():
        known[f"(f, f', f'') with the beta missing in {where}"] = lambda curvature=curvature: layer(
            z, beta, slope=LAYER_SLOPES["beta missing in s', in f'"],
            curvature=LAYER_CURVATURES[curvature],
        )  # fmt: skip
    known["(f, f', f'') of exp(beta z) in place of exp(-beta z)"] = lambda: layer(z, -beta)
    known["(f, f', f'') with beta missing in the exponent alone"] = lambda: layer(
        z, beta, s_of=lambda bz: sigmoid_of(bz / beta)
    )
    known["(f, f', f'') without beta, as if it were 1"] = lambda: layer(z, 1.0)
    for words, other in {
        "2 beta": 2 * beta, "beta / 2": beta / 2, "beta squared": beta**2, "1 / beta": 1 / beta
    }.items():  # fmt: skip
        known[f"(f, f', f'') with {words} for beta"] = lambda other=other: layer(z, other)
    known["(f, f', f''), the derivatives with respect to beta z"] = lambda: (
        layer(z, beta) / np.reshape([1, beta, beta**2], (3, *(1,) * z.ndim))
    )
    return known


def bases_of_layers(case):
    """Return {phrase: array} of what f' or f'' may be a sum of."""
    z, b = case.arguments
    s = sigmoid_of(b * z)
    ds = b * s * (1 - s)
    d2s = b * ds * (1 - 2 * s)
    parts = {"s": s, "s'": ds, "s''": d2s}
    return {f"{power}{phrase}": factor * part for phrase, part in parts.items()
            for power, factor in {"": 1, "z ": z, "z^2 ": z * z}.items()}  # fmt: skip


def quantities_of_layers(case):
    """Return the numbers that an answer to exercise 8 is often off by."""
    return {"beta": case.arguments[1], "beta squared": case.arguments[1] ** 2}
