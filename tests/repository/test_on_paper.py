"""The problems on paper: every number in their statements and solutions is computed here, by
numerical derivatives, sums over all cases or quadrature, not by the formula of the solution.

A number, or a formula that ends in one, names its value: 0.25<!--paper: 3 alpha--> is what
`problem_3` returns as "alpha". Whatever stands between the signs of equality of such a formula, and
has numbers alone, is worked out as well. A formula with letters in it is worked out at some values
of them, which are returned with what it should come to: `At(value, letters)`."""

import functools
import itertools
import re
from math import atan, comb, exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np
import pytest
from running import LESSONS, ROOT

from tinymeta.checks import cosine
from tinymeta.extras.statistics import t_quantile
from tinymeta.extras.variants import conjugate_gradients
from tinymeta.losses import LOSSES

FOLDER = ROOT / "lessons"
STATEMENTS = (FOLDER / "exercises" / "ON_PAPER.md").read_text(encoding="utf-8")
GUIDE = (FOLDER / "INSTRUCTOR.md").read_text(encoding="utf-8")
SOLUTIONS = GUIDE.partition("\n## Solutions of the problems on paper\n")[2].partition("\n## ")[0]
PAGES = {"statements": STATEMENTS, "solutions": SOLUTIONS}


# What the problems need


class At(NamedTuple):
    """What a formula comes to at these values of its letters; lam is lambda, bary is y with a
    bar, and a prime is written out."""

    value: float
    letters: dict


def gradient(f, at):
    """Return the gradient of f by the complex step."""
    at = np.atleast_1d(np.asarray(at, float))
    return np.array([f(at + 1e-20j * axis).imag / 1e-20 for axis in np.eye(at.size)])


def slopes(f, at, h=1e-4):
    """Return the derivatives of f, which may be an array, along each axis, by central
    differences: one row per axis."""
    at = np.atleast_1d(np.asarray(at, float))
    return np.array([(f(at + h * axis) - f(at - h * axis)) / (2 * h) for axis in np.eye(at.size)])


def hessian(f, at):
    return slopes(lambda w: gradient(f, w), at)


def descend(f, w, alpha, k=1):
    """Return the weights after k steps of gradient descent on f."""
    for _ in range(k):
        w = w - alpha * gradient(f, w)
    return w


def root(f, low, high):
    """Return where f is 0, by the secant through its last two places."""
    at_low, at_high = f(low), f(high)
    for _ in range(30):
        if at_high == at_low or abs(high - low) < 1e-12:
            break
        following = high - at_high * (high - low) / (at_high - at_low)
        low, at_low, high, at_high = high, at_high, following, f(following)
    return high


def parabola(curvature, minimum):
    """Return the loss of one weight, curvature (w - minimum)^2 / 2."""
    return lambda w: curvature * ((w - minimum) ** 2)[..., 0] / 2


def number(f, w):
    """Return the derivative of f at the number w."""
    return float(gradient(f, w)[0])


# The problems, one function each, which returns everything that its page says in numbers


def problem_1():
    tail, scale, largest, tasks = 0.95, 0.25, 4, 100
    t = np.linspace(0, 800, 80_001)  # u = exp(-t) is uniform on (0, 1)

    def mean(weights, step=t[1]):  # of the loss, by Simpson's rule
        values = weights * scale * np.exp((tail - 1) * t)
        return step / 3 * (values[0] + 4 * values[1::2].sum() + 2 * values[2:-1:2].sum())

    u = (np.arange(100_000) + 0.5) / 100_000
    amplitudes = largest * u
    worst = 0.01
    of_worst = mean(1.0) * np.exp((tail - 1) * log(1 / worst))  # the tail looks like the whole
    assert abs(of_worst - mean(t > log(1 / worst))) < 0.01
    return {
        "tail": tail,
        "largest": largest,
        "tasks": tasks,
        "worst, per cent": 100 * worst,
        "loss": At(scale * 0.3**-tail, {"u": 0.3, "p": tail}),
        "loss of 0": At(4.5, {"a": 3}),
        "mean of 0": (amplitudes**2 / 2).mean(),
        "middle": 0.5,
        "median of 0": np.median(amplitudes**2 / 2),
        "mean": mean(1.0),
        "median": np.median(scale * u**-tail),
        "worst": of_worst / mean(1.0),
        "unseen": (1 - worst) ** tasks,
        "mean if unseen": (mean(1.0) - of_worst) / (1 - worst),
    }


def problem_2():
    w, alpha = np.array([2.0, -1.0]), 0.05
    support, query = np.array([[1.0, 0], [2, -2]]), np.array([[1.0, -1]])

    def loss(points):
        x, y = points.T
        return lambda w: ((w[1] * w[0] * x - y) ** 2).mean()

    after = descend(loss(support), w, alpha)
    H, q = hessian(loss(support), w), gradient(loss(query), after)
    J = slopes(lambda w: w[1] * w[0] * support[:, 0], w).T
    m = slopes(lambda w: loss(query)(descend(loss(support), w, alpha)), w)
    return {
        "w": w,
        "alpha": alpha,
        "point 1": support[0],
        "point 2": support[1],
        "query point": query[0],
        "outputs": w[1] * w[0] * support[:, 0],
        "residual": (w[1] * w[0] * support[:, 0] - support[:, 1])[0],
        "mixed": H[0, 1] - (J.T @ J)[0, 1],
        "J": J,
        "g": gradient(loss(support), w),
        "part of J": J.T @ J,
        "other part": H - J.T @ J,
        "H": H,
        "trace": np.trace(H),
        "determinant": np.linalg.det(H),
        "lambda": np.linalg.eigvalsh(H)[1],
        "other lambda": np.linalg.eigvalsh(H)[0],
        "alpha lambda": alpha * np.linalg.eigvalsh(H)[1],
        "w'": after,
        "query output": after[1] * after[0] * query[0, 0],
        "query residual": after[1] * after[0] * query[0, 0] - query[0, 1],
        "q": q,
        "Hq": H @ q,
        "alpha Hq": q - m,
        "m": m,
        "cosine": cosine(q, m),
    }


def problem_3():
    w, x, y, v = np.array([0.5, 3.0]), 2.0, 2.0, np.array([1.0, -1.0])

    def parts(w, curved=True):
        """The passes; f'(z) stays what it is at w where the derivative is to forget f''."""
        z = w[0] * x
        h, slope = z**2, 2 * z if curved else 2 * z.real
        delta_2 = 2 * (w[1] * h - y)
        delta_1 = slope * delta_2 * w[1]
        return {
            "z": z,
            "h": h,
            "out": w[1] * h,
            "delta_2": delta_2,
            "g_2": delta_2 * h,
            "delta_1": delta_1,
            "g_1": delta_1 * x,
        }

    def R(**how):
        moved = parts(w + 1e-20j * v, **how)
        return {name: value.imag / 1e-20 for name, value in moved.items()}

    v1, v2 = other = np.array([0.7, 1.3])  # other weights, for the formulas
    at = {"w_1": v1, "w_2": v2}
    first = gradient(lambda w: w[1] * (w[0] * x) ** 2, other)
    second = hessian(lambda w: w[1] * (w[0] * x) ** 2, other)
    product = slopes(lambda w: gradient(lambda w: (w[1] * (w[0] * x) ** 2 - y) ** 2, w), w) @ v
    forgetful = np.array([R(curved=False)["g_1"], R(curved=False)["g_2"]])
    return {
        "w": w,
        "x": x,
        "y": y,
        "v": v,
        **parts(w),
        **{f"R {name}": value for name, value in R().items()},
        "Hv": product,
        "H": hessian(lambda w: (w[1] * (w[0] * x) ** 2 - y) ** 2, w),
        "R x": 0,
        "loss": At((v2 * (v1 * x) ** 2 - y) ** 2, at),
        "output": At(v2 * (v1 * x) ** 2, at),
        "out_1": gradient(lambda w: w[1] * (w[0] * x) ** 2, w)[0],
        "out_2": gradient(lambda w: w[1] * (w[0] * x) ** 2, w)[1],
        **{f"d out {n}": At(slope, at) for n, slope in enumerate(first, 1)},
        "d out 11": At(second[0, 0], at),
        "d out 12": At(second[0, 1], at),
        "R g_1 without f''": forgetful[0],
        "off": np.linalg.norm(product - forgetful) / np.linalg.norm(product),
    }


def problem_4():
    X, best, q = np.array([[2.0, 1], [1, 2]]), np.array([0.3, -0.7]), np.array([1.0, 0])
    alpha, large = 0.2, 0.25

    def loss(w):
        return ((X @ (w - best)) ** 2).mean()

    def jacobian(alpha, k):
        return slopes(lambda w: descend(loss, w, alpha, k), np.zeros(2)).T

    H, once, twice = hessian(loss, best), jacobian(alpha, 1), jacobian(alpha, 2)
    distances = [np.linalg.norm(descend(loss, best + [3, 1], alpha, k) - best) for k in range(31)]
    values, vectors = np.linalg.eigh(H)
    assert abs(vectors[:, 1] @ [1, 1]) > 1.414 and abs(vectors[:, 0] @ [1, -1]) > 1.414
    along = [np.array([1.0, 1]), np.array([1.0, -1])]
    return {
        "input 1": X[0],
        "input 2": X[1],
        "alpha": alpha,
        "large alpha": large,
        "q": q,
        "H": H,
        "vector 1": along[0],
        "vector 2": along[1],
        "lambda 1": values[1],
        "lambda 2": values[0],
        "once": once,
        "factor 1": (once @ along[0])[0],
        "factor 2": (once @ along[1])[0],
        "factor of two steps": (twice @ q)[0],
        "m": once @ q,
        "shrinks": distances[1] / distances[0],
        "per cent": 1,
        "steps": next(k for k in range(31) if distances[k] < 0.01 * distances[0]),
        "after one less": distances[20] / distances[0],
        "after these": distances[21] / distances[0],
        "real steps": log(0.01) / log(distances[1] / distances[0]),
        "large factor 1": (jacobian(large, 1) @ along[0])[0],
        "large factor 2": (jacobian(large, 1) @ along[1])[0],
        "large alpha lambda": large * values[1],
    }


TWO_TASKS = [parabola(1.0, 0.0), parabola(4.0, 1.0)]


def problem_5():
    alpha = 0.2

    def meta_loss(w):
        return np.mean([loss(descend(loss, w, alpha)) for loss in TWO_TASKS])

    def after(w, alpha=alpha):
        return [number(loss, descend(loss, np.array([w]), alpha)) for loss in TWO_TASKS]

    def one_task(w, i, alpha=alpha):
        loss = TWO_TASKS[i]
        return slopes(lambda w: loss(descend(loss, w, alpha)), w).item()

    def maml(w, alpha=alpha):
        return (one_task(w, 0, alpha) + one_task(w, 1, alpha)) / 2

    stops = {
        "joint": root(lambda w: sum(number(loss, w) for loss in TWO_TASKS), -1, 2),
        "first order": root(lambda w: sum(after(w)), -1, 2),
        "MAML": root(maml, -1, 2),
    }
    same = 0.25
    assert abs(root(lambda w: sum(after(w, same)), -1, 2)) < 1e-9
    assert abs(root(lambda w: maml(w, same), -1, 2)) < 1e-9
    return {
        "alpha": alpha,
        "curvatures": [hessian(loss, 0.0).item() for loss in TWO_TASKS],
        **stops,
        **{f"factor {i + 1}": after(1.0)[i] - after(0.0)[i] for i in (0, 1)},
        **{
            f"MAML's factor {i + 1}": slopes(lambda w, i=i: one_task(w, i), 0.0).item()
            for i in (0, 1)
        },
        "gradient": maml(stops["first order"]),
        **{f"{name}'s loss": meta_loss(np.array([w])) for name, w in stops.items()},
        **{f"loss {i + 1}": At(TWO_TASKS[i](np.array([0.3])), {"w": 0.3}) for i in (0, 1)},
        **{f"q of {i + 1}": At(after(0.3)[i], {"w": 0.3, "alpha": alpha}) for i in (0, 1)},
        "same alpha": same,
        "same stop": root(lambda w: maml(w, same), -1, 2),
    }


def problem_6():
    alpha, large = 0.2, 0.5

    def displacements(w, alpha, k):
        w = np.array([w])
        return [((w - descend(loss, w, alpha, k)) / alpha).item() for loss in TWO_TASKS]

    def stop(alpha, k):
        return root(lambda w: sum(displacements(w, alpha, k)), -1, 2)

    def weights(alpha, k):
        """How a displacement grows with the distance from the minimum, times alpha."""
        return [
            alpha * (b - a)
            for a, b in zip(displacements(0.0, alpha, k), displacements(1.0, alpha, k))
        ]

    task, three = parabola(0.7, 0.4), {"lam": 0.7, "c": 0.4, "w": 1.3, "alpha": 0.3, "k": 3}
    start = np.array([three["w"]])
    moved = (start - descend(task, start, 0.3, 3)).item()
    return {
        "loss": At(task(start), three),
        "way": At(moved, three),
        "meta-gradient": At(moved / 0.3, three),
        "one step": 1,
        "alpha": alpha,
        "large alpha": large,
        "curvatures": [hessian(loss, 0.0).item() for loss in TWO_TASKS],
        **{f"weights, {k} steps": weights(alpha, k) for k in (1, 2, 3)},
        **{f"{k} steps": stop(alpha, k) for k in (1, 2, 3)},
        "many steps": stop(alpha, 60),
        "large weights": weights(large, 2),
        "large stop": stop(large, 2),
    }


def problem_7():
    A, B = np.array([4.0, 5, 6, 7, 8]), np.array([6.0, 5, 8, 7, 9])

    assert A.var() == B.var()
    V = {"V": float(A.var(ddof=1) + B.var(ddof=1))}

    def error(values):
        return values.std(ddof=1) / sqrt(values.size)

    all_pairs = (B[:, None] - A).ravel()
    groups = sqrt(error(A) ** 2 + error(B) ** 2)
    return {
        "A": A,
        "B": B,
        "networks": A.size,
        "pairs": all_pairs.size,
        "variance": A.var(ddof=1),
        "mean A": A.mean(),
        "mean B": B.mean(),
        "difference": all_pairs.mean(),
        "sum of 25": ((all_pairs - all_pairs.mean()) ** 2).sum(),
        "differences": B - A,
        "variance of 5": (B - A).var(ddof=1),
        "error of 25": error(all_pairs),
        "error of groups": groups,
        "error of pairs": error(B - A),
        "sum, V": At(((all_pairs - all_pairs.mean()) ** 2).sum(), V),
        "square of 25": At(error(all_pairs) ** 2, V),
        "square of groups": At(groups**2, V),
        "ratio": groups / error(all_pairs),
        "t of 25": all_pairs.mean() / error(all_pairs),
        "t of groups": all_pairs.mean() / groups,
        "t of pairs": all_pairs.mean() / error(B - A),
        **{f"quantile {df}": t_quantile(df) for df in (24, 8, 4)},
        "df of groups": 8,
        "df of pairs": A.size - 1,
        "five of five": 2 * comb(5, 5) / 2**5,
    }


def problem_8():
    length, allowed, strict = 0.2, 0.1, 0.01
    angle = (np.arange(200_000) + 0.5) / 200_000 * 2 * pi
    m, e = np.array([1.0, 0]), np.array([0, length])
    v = np.array([np.cos(angle), np.sin(angle)])

    def passes(tolerance):
        return (abs(e @ v) <= tolerance * abs(m @ v)).mean()

    return {
        "length": length,
        "allowed": allowed,
        "strict": strict,
        "border": allowed / length,
        "share": passes(allowed),
        "strict share": passes(strict),
        "directions": 5,
        "all five": passes(allowed) ** 5,
    }


def problem_9():
    w, alpha, support, query = np.zeros(1), 0.1, parabola(5.0, 2.0), parabola(1.0, 4.0)

    def parts(w):
        w = np.array([w])
        g, q = number(support, w), number(query, descend(support, w, alpha))
        return g, q, -alpha * hessian(support, w).item() * q

    programs = {
        "A": lambda w: parts(w)[1] + parts(w)[2],
        "B": lambda w: parts(w)[1],
        "C": lambda w: sum(parts(w)),
        "D": lambda w: parts(w)[2],
        "E": lambda w: parts(w)[1] + parts(w)[0],
    }
    maml = slopes(lambda w: query(descend(support, w, alpha)), w)[0]
    assert abs(programs["A"](0.0) - maml) < 1e-9

    def loss(w):
        return query(descend(support, np.array([w]), alpha)).item()

    stops = {name: root(programs[name], -5, 20) for name in "ABCE"}
    return {
        "support loss": At(support(np.array([0.3])), {"w": 0.3}),
        "query loss": At(query(np.array([0.3])), {"w": 0.3}),
        "step": At(descend(support, np.array([0.3]), alpha).item(), {"w": 0.3}),
        "start": w[0],
        "alpha": alpha,
        "curvature": hessian(support, w).item(),
        "g": parts(0.0)[0],
        "w'": descend(support, w, alpha).item(),
        "q": parts(0.0)[1],
        **{name: program(0.0) for name, program in programs.items()},
        **{f"slope of {name}": programs[name](1.0) - programs[name](0.0) for name in "ABCE"},
        **{f"{name} stops": stop for name, stop in stops.items()},
        **{f"loss of {name}": loss(stop) for name, stop in stops.items() if name != "B"},
        "loss at the start": loss(0.0),
    }


def problem_10():
    small, one, trained, outer, lam = 0.1, 1.0, 1.6, 0.1, 0.8

    def reptile(rate, k=3):  # over lambda w, which is 1
        loss, w = parabola(1.0, 0.0), np.ones(1)
        return ((w - descend(loss, w, rate, k)) / rate).item()

    def maml(rate):
        loss = parabola(1.0, 0.0)
        return slopes(lambda w: loss(descend(loss, w, rate)), 1.0)[0].item()

    def first(rate):
        loss = parabola(1.0, 0.0)
        return number(loss, descend(loss, np.ones(1), rate))

    def two_terms(f):
        """Taylor's first two terms of f at the rate 0, of polynomials of degree 2."""
        rates = np.linspace(0.2, 1, 5)
        c = np.polynomial.polynomial.polyfit(rates, [f(rate) for rate in rates], 4)
        return lambda rate: c[0] + c[1] * rate

    n, of_maml = 100, two_terms(maml)
    some = {"alpha": 0.3, "lam": 0.7, "k": 3, "w": 1.3}
    return {
        "loss": At(parabola(0.7, 0.0)(np.array([1.3])), some),
        "of MAML": At(maml(0.3 * 0.7), some),
        "of first order": At(first(0.3 * 0.7), some),
        "of Reptile": At(reptile(0.3 * 0.7), some),
        "two terms": At(two_terms(reptile)(0.3 * 0.7), some),
        "k": 3,
        "minimum": 0,
        "rate 1": small,
        "rates": [small, one, trained],
        "alpha lambda": lam,
        "outer": outer,
        "trained": trained,
        **{f"Reptile at {r}": reptile(r) for r in (small, one, trained)},
        **{f"Reptile's terms at {r}": two_terms(reptile)(r) for r in (small, one, trained)},
        "MAML": maml(trained),
        "MAML's terms": of_maml(trained),
        "first order": first(trained),
        "first order's terms": two_terms(first)(trained),
        "terms at 0.8": of_maml(lam),
        "terms' factor": 1 - outer * of_maml(lam),
        "MAML at 0.8": maml(lam),
        "MAML's factor": 1 - outer * maml(lam),
        "steps": n,
        "terms after 100": (1 - outer * of_maml(lam)) ** n,
        "MAML after 100": (1 - outer * maml(lam)) ** n,
    }


def problem_11():
    x, alpha, y = np.array([1.0, 3.0]), 0.1, 4.0

    def line(x):
        return lambda w: ((w[0] * x + w[1] - 0.7) ** 2).mean()

    def two(w):
        return (w[1] * w[0] - y) ** 2

    def largest(f, w):
        return np.linalg.eigvalsh(hessian(f, w))[-1]

    def grows(lam):
        f = parabola(1.0, 0.0)
        return (f(descend(f, np.ones(1), lam, 10)) / f(np.ones(1))).item()

    def too_large(w_1):  # on the curve of minima, right of its middle
        return alpha * largest(two, np.array([w_1, y / w_1])) - 2

    high = root(too_large, 2.0, 8.0)
    zero = np.zeros(2)
    return {
        "x": 1,
        "inputs": x,
        "centred": x - x.mean(),
        "H": hessian(line(x), zero),
        "lambda": largest(line(x), zero),
        "border": 2 / largest(line(x), zero),
        "centred H": hessian(line(x - x.mean()), zero),
        "centred lambda": largest(line(x - x.mean()), zero),
        "centred border": 2 / largest(line(x - x.mean()), zero),
        "y": y,
        "alpha": alpha,
        "even": [2, 2],
        "uneven": [4, 1],
        "lambda even": largest(two, [2, 2]),
        "lambda uneven": largest(two, [4, 1]),
        "largest lambda": 2 / alpha,
        "square sum": 2 / alpha / 2,
        "lambda on the curve": At(largest(two, np.array([3, 4 / 3])), {"w_1": 3, "w_2": 4 / 3}),
        "squares on the curve": At(3**2 + (4 / 3) ** 2, {"w_1": 3}),
        "squares": [(y / high) ** 2, high**2],
        "low": y / high,
        "high": high,
        "alpha lambda": 2.5,
        "factor of w": descend(parabola(1.0, 0.0), np.ones(1), 2.5),
        "factor": grows(2.5) ** 0.1,
        "steps": 10,
        "grows": grows(2.5),
    }


def problem_12():
    spread, noise, K, alpha = 4.0, 9.0, 5, 0.05
    # only means and variances count, so c = +-2 and e = +-3 will do: all 64 cases
    cases = np.array([*itertools.product([-1, 1], repeat=K + 1)])
    c, y = sqrt(spread) * cases[:, 0], sqrt(spread) * cases[:, :1] + sqrt(noise) * cases[:, 1:]

    def errors(y):
        theta, found = np.zeros(len(c)), []
        for _ in range(400):
            found.append(((theta - c) ** 2).mean())
            theta = theta - alpha * 2 * (theta[:, None] - y).mean(axis=1)
        return found

    found = errors(y)
    k = int(np.argmin(found))
    # the weight after ever smaller steps is (1 - gamma) times the points' mean: which is best?
    gamma = np.linspace(0, 1, 200_001)
    mean = y.mean(axis=1)
    quadratic = (mean**2).mean() * (1 - gamma) ** 2 - 2 * (mean * c).mean() * (1 - gamma)
    best = gamma[np.argmin(quadratic)]
    noiseless = np.diff(errors(np.repeat(c[:, None], K, axis=1)))
    assert (noiseless[:300] < 0).all()  # each step helps
    return {
        "spread": spread,
        "noise": noise,
        "K": K,
        "alpha": alpha,
        "factor": 0.9,
        "noise of mean": mean.var() - spread,
        "gamma of k": At(0.9**3, {"alpha": alpha, "k": 3}),
        "after": At(found[3], {"gamma": 0.9**3, "tau": 2, "sigma": 3, "K": K}),
        "gamma": best,
        "real k": log(best) / log(0.9),
        "k": k,
        "error": found[k],
        "no step": found[0],
        "many steps": found[-1],
    }


def problem_13():
    f, y, mu, f_q, y_q = 1.0, 2.0, 3.0, 2.0, 3.0

    def head(f, mu):  # descends on (f w - y)^2 + mu w^2, and sees no formula
        w = np.zeros(np.shape(f))
        for _ in range(300):
            w = w - 0.04 * (2 * f * (f * w - y) + 2 * mu * w)
        return w

    def parts(f):  # w = f_1 y / (f_2 f_3 + mu): each of the three moves alone
        return (f_q * f[0] * y / (f[1] * f[2] + mu) - y_q) ** 2

    def loss(t):
        return (t[1] * head(t[0], np.exp(t[2])) - y_q) ** 2

    at = np.array([f, f_q, log(mu)])
    in_f, in_f_q, in_log_mu = slopes(loss, at)
    many = np.linspace(1.5, 2, 5001)
    largest = many[np.argmax(head(many, mu))]
    return {
        "f": f,
        "y": y,
        "mu": mu,
        "f_q": f_q,
        "y_q": y_q,
        "A": f**2 + mu,
        "a": head(f, mu) / f,
        "w": head(f, mu),
        "output": f_q * head(f, mu),
        "delta": 2 * (f_q * head(f, mu) - y_q),
        "g_w": slopes(lambda w: (f_q * w - y_q) ** 2, head(f, mu))[0].item(),
        "u": -in_log_mu / mu / (head(f, mu) / f),
        "in f": in_f,
        "parts": slopes(parts, np.array([f, f, f])),
        "in log mu": in_log_mu,
        "in f_q": in_f_q,
        "slope": At(
            slopes(lambda w: (1.3 * w - 2) ** 2 + 3 * w**2, 0.6)[0].item(),
            {"f": 1.3, "w": 0.6, "y": 2, "mu": 3},
        ),
        "minimum": At(head(1.3, 3), {"f": 1.3, "y": 2, "mu": 3}),
        "dw/df": slopes(lambda t: head(t[0], mu), f)[0],
        "best f": largest,
        "best w": head(largest, mu),
        "large f": 3,
        "large A": 3**2 + mu,
        "dw/df, large": slopes(lambda t: head(t[0], mu), 3.0)[0],
    }


def problem_14():
    z, truth = np.array([[1.0, -1]]), np.array([[1.0, 0]])
    loss = LOSSES["cross_entropy"]

    def value(z):
        return loss.value(z[None], truth)

    p = np.exp(z[0]) / np.exp(z[0]).sum()
    H = hessian(value, z[0])
    shares = np.linspace(0, 1, 1001)
    curvature = max(
        np.linalg.eigvalsh([[s - s * s, -s * (1 - s)], [-s * (1 - s), s - s * s]])[-1]
        for s in shares
    )
    assert abs(np.linalg.eigvalsh(H)[-1] - 2 * p[0] * p[1]) < 1e-8
    # the step from zeros, on two drawings
    m, alpha, both = np.array([[3.0, 1], [1, -1]]), 0.4, np.eye(2)
    W = -alpha * gradient(lambda W: loss.value(m @ W.reshape(2, 2), both), np.zeros(4)).reshape(
        2, 2
    )
    middle = m.mean(axis=0)
    scores = middle @ W
    assert ((middle - m[0]) ** 2).sum() == ((middle - m[1]) ** 2).sum()
    return {
        "z": z[0],
        "y": truth[0],
        "row 1": H[0] / (p[0] * p[1]),
        "row 2": H[1] / (p[0] * p[1]),
        "p_1": p[0],
        "p_2": p[1],
        "loss": value(z[0]),
        "delta": gradient(value, z[0]),
        "dp_1/dz_1": At(H[0, 0], {"p_1": p[0], "p_2": p[1]}),
        "eigenvalue": At(np.linalg.eigvalsh(H)[-1], {"p_1": p[0], "p_2": p[1]}),
        "p_1 p_2": p[0] * p[1],
        "R along 1": H @ [1, 0],
        "R along both": H @ [1, 1],
        "direction 1": [1, 0],
        "direction both": [1, 1],
        "largest": curvature,
        "square": 100,
        "largest lambda": curvature * 100,
        "rate": 2 / (curvature * 100),
        "m_1": m[0],
        "m_2": m[1],
        "alpha": alpha,
        "middle": middle,
        "W_1": W[:, 0],
        "W_2": W[:, 1],
        "difference": scores[0] - scores[1],
        "p in the middle": 1 / (1 + np.exp(scores[1] - scores[0])),
        "prototypes": 0.5,
        "delta 1": loss.grad(np.zeros((2, 2)), both)[0],
        "gradient 1": -W[:, 0] / alpha,
    }


def problem_15():
    spread, noise = 4.0, 2.0

    def grades(K):
        """The losses on own and on new points, as functions of gamma, by all cases of +-."""
        cases = np.array([*itertools.product([-1, 1], repeat=K + 2)])
        c, own = sqrt(spread) * cases[:, :1], sqrt(noise) * cases[:, 1:-1]
        y, new = c + own, c + sqrt(noise) * cases[:, -1:]

        def losses(gamma):
            theta = (1 - gamma) * y.mean(axis=1, keepdims=True)
            return ((theta - y) ** 2).mean(), ((theta - new) ** 2).mean()

        return losses

    def lowest(losses, of):
        """Return the gamma with the lowest loss, a parabola: by its values at three places."""
        a, b, c = (losses(gamma)[of] for gamma in (0.0, 0.5, 1.0))
        return (3 * a - 4 * b + c) / (4 * a - 8 * b + 4 * c)

    found = {}
    for K in (1, 4):
        losses = grades(K)
        best = lowest(losses, 1)
        assert abs(lowest(losses, 0)) < 1e-9  # own points: copy, whatever K is
        found |= {
            f"K = {K}": K,
            f"gamma, K = {K}": best,
            f"new, K = {K}": losses(best)[1],
            f"copied, own, K = {K}": losses(0)[0],
            f"copied, new, K = {K}": losses(0)[1],
            f"ratio, K = {K}": losses(0)[1] / losses(best)[1],
        }

    def least_squares(K, D=3):
        """The mean squared errors on own and on new y at the same inputs, over the noise: the
        projection on D random features, and its expectation, from the noise's variance."""
        X = np.random.default_rng(0).standard_normal((K, D))
        fit = X @ np.linalg.pinv(X)
        left = np.eye(K) - fit
        return noise * (left @ left.T).trace() / K, noise * (1 + (fit @ fit.T).trace() / K)

    losses, some = grades(4), {"gamma": 0.3, "tau": sqrt(spread), "sigma": sqrt(noise), "K": 4}
    few, many = ({"D": 3, "K": K, "sigma": sqrt(noise)} for K in (3, 10))
    return found | {
        "own": At(losses(0.3)[0], some),
        "own slope": At(slopes(lambda gamma: losses(gamma.item())[0], 0.3).item(), some),
        "best": At(lowest(losses, 1), {n: v for n, v in some.items() if n != "gamma"}),
        "own of least squares": At(least_squares(10)[0], many),
        "new of least squares": At(least_squares(3)[1], few),
        "copy": 0,
        "spread": spread,
        "noise": noise,
        "D": 3,
        "points": 10,
        "own of 10": least_squares(10)[0],
        "new of 10": least_squares(10)[1],
        "few": 3,
        "own of 3": least_squares(3)[0],
        "new of 3": least_squares(3)[1],
    }


def problem_16():
    alpha, sigma = 0.1, 0.5
    nodes, weights = np.polynomial.hermite_e.hermegauss(10)  # means over a standard normal variable
    weights = weights / weights.sum()

    def after(theta, a, baseline=0.0):
        return theta + alpha * (a - baseline) * (a - theta) / sigma**2

    def whole(theta):  # the actions move with theta
        return weights @ after(theta, theta + sigma * nodes)

    def without(theta, baseline=0.0):  # the actions stay
        a = theta + sigma * nodes
        return slopes(lambda t: weights @ after(t, a, baseline), theta)[0]

    def score(theta):  # the result stays, the probabilities of the actions move
        a = theta + sigma * nodes
        chance = lambda t: np.exp(-((a - t) ** 2 - (a - theta) ** 2) / (2 * sigma**2))  # noqa: E731
        return slopes(lambda t: (weights * after(theta, a)) @ chance(t), theta)[0]

    some = {"alpha": alpha, "sigma": sigma, "theta": 2, "b": 0.5, "a": 1.7}
    return {
        "step": At(after(2.0, 1.7), some),
        "fixed action": At(number(lambda t: after(t, 1.7)[0], 2.0), some),
        "without": At(without(2.0), some),
        "score": At(score(2.0), some),
        "baseline": At(without(2.0, 0.5), some),
        "alpha": alpha,
        "sigma": sigma,
        "theta": 2,
        "larger theta": 3,
        "truth": slopes(whole, 2.0)[0],
        "gain": whole(2.0) - 2,
        **{f"without at {t}": without(float(t)) for t in (2, 3)},
        **{f"score at {t}": score(float(t)) for t in (2, 3)},
        "with baseline": without(2.0, 2.0),
        "border": root(without, 0, 10),
    }


def problem_17():
    X, mu, q, alpha = np.array([[2.0, 1], [1, 2]]), 3.0, np.array([1.0, 0]), 0.2

    def loss(w):
        return ((X @ w - [1, 2]) ** 2).mean()

    def phi(theta):  # the minimum on the spring, by descent
        return descend(lambda w: loss(w) + mu / 2 * ((w - theta) ** 2).sum(), theta, 0.12, 60)

    D = slopes(phi, np.zeros(2)).T
    H = hessian(loss, np.zeros(2))
    p = D.T @ q
    M = np.eye(2) + H / mu
    one = conjugate_gradients(lambda v: M @ v, q, 1)
    along = [np.array([1.0, 1]), np.array([1.0, -1])]

    def forgets(k):
        return [(slopes(lambda w: descend(loss, w, alpha, k), np.zeros(2)).T @ v)[0] for v in along]

    return {
        "factor": At((D @ along[0])[0], {"mu": mu, "lam": 9}),
        "row 1": H[0],
        "row 2": H[1],
        "mu": mu,
        "q": q,
        "alpha": alpha,
        "vector 1": along[0],
        "vector 2": along[1],
        "factor 1": (D @ along[0])[0],
        "factor 2": (D @ along[1])[0],
        "p": p,
        "twice p": 2 * p,
        "length": q @ M @ q,
        "one step": one,
        "cosine": cosine(one, p),
        "two steps 1": forgets(2)[0],
        "two steps 2": forgets(2)[1],
        "ten steps": forgets(10)[0],
    }


def problem_18():
    p = np.array([0.001, 0.011, 0.02, 0.04, 0.3])
    table = np.array([[0.0, 4], [2, 6]])
    a, b = (table.mean(axis=axis).var(ddof=1) / 2 for axis in (1, 0))
    corrected = np.maximum.accumulate(p * np.arange(5, 0, -1))
    return {
        "questions": 20,
        "at least one": 1 - sum(comb(20, n) * 0.05**n * 0.95 ** (20 - n) for n in [0]),
        "per cent": 95,
        "expected": sum(n * comb(20, n) * 0.05**n * 0.95 ** (20 - n) for n in range(21)),
        "p": p,
        "level": 0.05,
        "alone": (p < 0.05).sum(),
        "corrected": corrected,
        "left": (corrected < 0.05).sum(),
        "network 1": table[0],
        "network 2": table[1],
        "mean": table.mean(),
        "means of networks": table.mean(axis=1),
        "means of tasks": table.mean(axis=0),
        "a": a,
        "b": b,
        "error": sqrt(a + b),
        "error of tasks": sqrt(b),
        "df": (a + b) ** 2 / (a**2 + b**2),
        "rule": At(36 / 20, {"a": 2, "b": 4}),
        "quantile 2": t_quantile(2),
    }


@functools.cache
def answers(problem):
    return globals()[f"problem_{problem}"]()


# What a page says


class Array(np.ndarray):
    """A vector or matrix whose product with another one is the product of matrices, or of
    vectors."""

    def __mul__(self, other):
        return self @ other if isinstance(other, Array) else np.multiply(self, other)


def array(*entries):
    return np.array(entries, float).view(Array)


WORDS = {"array": array, "sqrt": sqrt, "ln": log, "exp": exp, "arctan": atan, "pi": pi}
NUMBER = re.compile(r"(?<![\d._])\d+(?:\.\d+)?")
LITERAL = re.compile(r"-?\d+(?:\.\d+)?")
MARK = r"<!--paper: (\d+) (.*?)-->"
FORMULA = r"\$`([^`]*)`\$"
BLOCK = r"```math\n([^`]*)\n```"
# a block's mark stands on the next line, all others at once behind what they belong to
MARKED = re.compile(rf"(?:{BLOCK}\n|{FORMULA}|(-?\d+(?:\.\d+)?)){MARK}")


def matrix(found):
    """Return the entries of a pmatrix as code."""
    rows = [row.split("&") for row in found[1].split(r"\\")]
    return f"array({', '.join('array(' + ', '.join(row) + ')' for row in rows)})"


@functools.cache
def evaluate(tex, letters=()):
    """Return what a side of a formula comes to, with the letters' values as (name, value) pairs, or
    None if there are other letters in it."""
    code = re.sub(r"\\begin\{pmatrix\}(.*?)\\end\{pmatrix\}", matrix, " ".join(tex.split()))
    code = re.sub(r"\\(?:left|right|quad|[,;])", "", code).replace(r"\cdot", "*")
    code = re.sub(r"\\bar\{(\w)\}", r"bar\1", code).replace("'", "prime").replace(r"\lambda", "lam")
    code = re.sub(r"(?<!\w)e\^\{", r"\\exp{", code)
    before = None
    while before != code:  # from the innermost braces on
        before = code
        code = re.sub(r"\\t?frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", code)
        code = re.sub(r"\\(sqrt|exp)\{([^{}]*)\}", r"\1(\2)", code)
        code = re.sub(r"\^\{([^{}]*)\}", r"**(\1)", code)
    code = re.sub(r"\^(\w)", r"**\1", code)
    code = re.sub(r"\\([a-z]+)", r"\1", code)
    code = re.sub(r"(?<!\w)\((?=[^()]*,)", "array(", code.strip())  # a vector
    code = re.sub(r"(?<=[\w)]) +(?=[\w(])", "*", code)  # a product without a sign
    names, known = set(re.findall(r"[A-Za-z]\w*", code)), WORDS | dict(letters)
    if not (names <= known.keys() and re.search(r"\w", code)):
        return None
    return eval(code, {"__builtins__": {}}, known)


def sides(formula):
    return re.split(r"=|\\approx", formula)


def answer(problem, name):
    """Return a value, and those of the letters in its formula as (name, value) pairs."""
    found = answers(int(problem))[name]
    return (found.value, (*found.letters.items(),)) if isinstance(found, At) else (found, ())


def wrong(text, problem, name):
    """Return what is not right about a number, or a formula that ends in one: None if all is.
    Behind = it is exact, behind \\approx or alone it is rounded to as many digits as it has."""
    value, letters = answer(problem, name)
    *others, last = sides(text)
    result = evaluate(last, letters)
    if result is None:
        return f"ends in no number: {text}"
    allowed = 1e-6 * np.maximum(1, abs(np.ravel(result)))
    if not letters and "=" not in re.findall(r"=|\\approx", text)[-1:]:
        printed = LITERAL.findall(last)
        allowed = np.array([0.5 * 10.0 ** -len(n.partition(".")[2]) + 1e-9 for n in printed])
    for found in [value, *(evaluate(side, letters) for side in others)]:
        if found is None:
            continue
        if not np.size(found) == np.size(result) == len(allowed):
            return f"{name}: {np.size(found)} numbers, not {text}"
        if (abs(np.ravel(found) - np.ravel(result)) > allowed).any():
            return f"{name} is {np.ravel(value)}: {text}"
    return None


def marks(page):
    """Return (text, problem, name) of all that is marked on a page."""
    return [
        (block or formula or number, problem, name)
        for block, formula, number, problem, name in MARKED.findall(PAGES[page])
    ]


MARKS = [(page, *mark) for page in PAGES for mark in marks(page)]


@pytest.mark.parametrize("page", PAGES)
def test_every_number_is_what_it_is_computed_to_be(page):
    found = [wrong(*mark) for mark in marks(page)]
    assert [fault for fault in found if fault] == []
    assert len(found) > 100


def changed(text, letters):
    """Yield the text with one number changed, each in turn, on the sides that are worked out."""
    for match in NUMBER.finditer(text):
        side = re.split(r"=|\\approx", text[: match.start()])
        rest = text[match.start() :]
        whole = side[-1] + re.split(r"=|\\approx", rest)[0]
        if evaluate(whole, letters) is not None:
            digits = match[0]
            last = str((int(digits[-1]) + 5) % 10)
            yield text[: match.start()] + digits[:-1] + last + text[match.end() :]


@pytest.mark.parametrize("page", PAGES)
def test_a_number_that_is_changed_would_be_found(page):
    """The negative control: each number of each formula in turn, in its last digit."""
    missed, tried = [], 0
    for text, problem, name in marks(page):
        for other in changed(text, answer(problem, name)[1]):
            tried += 1
            try:
                fault = wrong(other, problem, name)
            except (ZeroDivisionError, OverflowError, ValueError, NameError):
                fault = "no number"
            if fault is None:
                missed.append((text, other))
    assert missed == [] and tried > 120


@pytest.mark.parametrize("page", PAGES)
def test_no_number_is_left_without_its_name(page):
    """A formula that ends in a number is marked. Decimals stand in what is marked, and on sides
    that can be worked out."""
    text = PAGES[page]
    assert len(MARKED.findall(text)) == text.count("<!--paper")
    left = re.sub(r"[\d.]+<!--\d\d: .*?-->", "", MARKED.sub("", text))  # see test_readme.py
    assert re.findall(r"\d+\.\d+", left) == []
    for formula in re.findall(rf"{FORMULA}|{BLOCK}", left):
        *_, last = sides("".join(formula))
        assert evaluate(last) is None or last == " 0", formula  # an equation, to be solved
    for formula, *_ in marks(page):
        for side in sides(formula):
            assert not re.search(r"\d\.\d", side) or evaluate(side) is not None, formula


def test_no_comment_begins_a_line_of_a_paragraph():
    """GitHub would end the paragraph there; after a block it may."""
    for text in PAGES.values():
        lines = text.splitlines()
        for before, line in zip(lines, lines[1:]):
            assert not line.startswith("<!--paper") or before == "```"


# The set

PARTS = re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", STATEMENTS, re.MULTILINE | re.DOTALL)
PROBLEMS = re.findall(
    r"^### (\d+)\. (.*)\n\n"
    r"\*Lessons? (\d\d(?:, \d\d)*)\. About (\d+) minutes\. You need ([^*]*)\.\*\n",
    STATEMENTS,
    re.MULTILINE,
)


def test_each_part_of_the_course_has_at_least_four_problems_of_its_lessons():
    assert [title.partition(":")[0] for title, _ in PARTS] == [
        "The post",
        "Understanding",
        "Beyond",
    ]
    for (title, text), (first, last) in zip(PARTS, [(1, 5), (6, 8), (9, 16)]):
        lessons = re.findall(r"^\*Lessons? (\d\d)(?:, \d\d)*\.", text, re.MULTILINE)
        assert len(lessons) >= 4 and title.endswith(f"lessons {first:02d} to {last:02d}")
        assert all(first <= int(lesson) <= last for lesson in lessons)


def test_each_problem_has_its_heading_its_minutes_and_at_most_a_page():
    numbers = [int(number) for number, *_ in PROBLEMS]
    assert numbers == [*range(1, len(numbers) + 1)] and len(numbers) == STATEMENTS.count("### ")
    assert all(10 <= int(minutes) <= 45 for *_, minutes, _ in PROBLEMS)
    written = {path.name[:2] for path in LESSONS} | {"16"}  # reinforcement learning is to come
    assert {lesson for *_, lessons, _, _ in PROBLEMS for lesson in lessons.split(", ")} <= written
    for text in re.split(r"^### ", STATEMENTS, flags=re.MULTILINE)[1:]:
        assert len(text.splitlines()) <= 45  # what a printed page holds


def test_each_problem_has_its_solution_and_what_to_look_for():
    solved = re.findall(
        r"^### (\d+)\. ([^\n]*)\n(.*?)(?=^### |\Z)", SOLUTIONS, re.MULTILINE | re.DOTALL
    )
    assert [(number, title) for number, title, _ in solved] == [
        (number, title) for number, title, *_ in PROBLEMS
    ]
    assert all("*Look for:*" in text for *_, text in solved)
    assert "Look for" not in STATEMENTS  # no solutions there


def test_every_value_that_is_computed_is_said_somewhere():
    said = {(int(problem), name) for _, _, problem, name in MARKS}
    computed = {(int(n), name) for n, *_ in PROBLEMS for name in answers(int(n))}
    assert said == computed
