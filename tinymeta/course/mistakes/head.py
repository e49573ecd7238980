"""Mistakes in exercise 9: C (y - F w) u^T - C F u w^T."""

import functools

import numpy as np

from .common import FACTORS, one_each, two_each

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


def heads_with_two(case):
    """Return the results of exercise 9 with two mistakes at once."""
    return two_each("the gradient in F", functools.partial(head, *case.arguments), OF_HEADS)


def quantities_of_heads(case):
    """Return the numbers that an answer to exercise 9 is often off by."""
    F, y, c, lam, F_q, y_q = case.arguments
    return {
        "the number of query points": len(y_q),
        "the number of outputs": y_q.shape[1],
        "the number of query points times that of outputs": y_q.size,
        "the number of support points": len(F),
        "lam": lam,
        "the sum of c": c.sum(),
    }
