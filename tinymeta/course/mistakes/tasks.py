"""Mistakes in exercises 3 to 6, the meta-gradients. Parameters are (T, P), one row per task."""

import functools
import itertools
from typing import NamedTuple

import numpy as np

from ...mlp import MLP
from ...tasks import TaskBatch
from .common import two_each


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
    leak=None, start=None, jacobian=None, of_vs=None, along=False, mean_q=False,
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
        q = q.mean(axis=0) + 0 * q if mean_q else q
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
            vs = vs[1:] if k in back_order else vs  # a product before the first part
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
        "the inner gradient averaged over the tasks, which then share one path": dict(
            change=lambda g, s, step: g.mean(axis=0)
        ),
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
    "every Hessian at theta_k, the end (does `-=` change what a list holds?)": dict(at="end"),
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
    "v one step off: taken back before it meets g (exchange the lines?)": lambda v, g, t, p: zip(
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


def forward_in_columns(p):
    """Return q J, where J <- J - diag(g) - (H J) alpha has the rates along its columns."""
    thetas, grads = descend(p)
    q, found = outer(p, thetas[-1]), []
    for task, one in enumerate(p.batch.split_tasks(1)):
        J, eye = np.zeros((len(p.theta),) * 2), np.eye(len(p.theta))
        for theta, g in zip(thetas, grads):
            H = p.model.hvp(theta[task], one.x_support[0], one.y_support[0], eye)
            J = J - np.diag(g[task]) - p.alpha * (H @ J)
        found.append(q[task] @ J)
    return np.stack(found)


def one_rate_each_step(p):
    """Return a vector of 0 with -v g in entry s, the gradient in the rate alpha[s] of step s."""
    thetas, grads = descend(p, change=lambda g, s, step: p.alpha[s] / p.alpha * g)
    v, found = outer(p, thetas[-1]), np.zeros_like(thetas[0])
    for s in reversed(range(p.steps)):
        found[:, s] = -(v * grads[s]).sum(axis=-1)
        v = v - p.alpha[s] * p.model.hvp(thetas[s], *p.points("support"), v)
    return found


def averaged(vs, gs, thetas, p):  # noqa: ARG001
    """Return the pairs (v, g), last step first, each the mean over the tasks."""
    return [(v.mean(axis=0), g.mean(axis=0)) for v, g in zip(vs, gs)]


def pooled(p):
    """Return the problem whose one task has the points of all tasks."""
    batch = TaskBatch(*(points.reshape(1, -1, points.shape[-1]) for points in p.batch))
    return p._replace(batch=batch)


def switches_of(p, result):
    """Return {phrase: switches of `rows`} of the mistakes in one result."""
    back = {phrase: {"back": switches} for phrase, switches in BACK.items()}
    early = {
        "the query gradient averaged over the tasks before it is taken back": {"mean_q": True},
    }
    of_vs = {phrase: {"of_vs": switch} for phrase, switch in OF_VS.items()}
    of_rates = {phrase: {"pair": switch} for phrase, switch in OF_RATES.items()}
    along = f"the query gradients after every step added up: {TOO_FAR_IN}"
    own = {
        "MAML": OUTER | back | early | of_vs,
        "first-order MAML": OUTER | {along: {"along": True}},
        "Reptile": {phrase: {"pair": pair} for phrase, pair in OF_STEPS.items()},
        "rates": OUTER | back | early | of_rates,
    }[result]
    leaks = {phrase: {"leak": leak} for phrase, leak in LEAKS.items()}
    return inner_mistakes(p, result in ("MAML", "rates")) | own | leaks


def of_each_task(p, result, right):
    """Return {phrase: function that returns one result per task, (T, P)}; what is right is the
    first."""
    found = {right: functools.partial(rows, p, result)}
    for phrase, switches in switches_of(p, result).items():
        found[f"{right} with {phrase}"] = functools.partial(rows, p, result, **switches)
    for other, name in ANSWERS.values():
        if other != result:
            words = f"{name}, the gradient in theta" if result == "rates" else name
            found[words] = functools.partial(rows, p, other)
    if result == "first-order MAML":  # of which a part is left
        for phrase, back in BACK.items():
            words = f"MAML, its second order not deleted, with {phrase}"
            if phrase == "v itself in place of H v":
                words = (
                    f"{right} with v - alpha v left over from the way back, which goes as a whole"
                )
            found[words] = functools.partial(rows, p, "MAML", back=back)
    for phrase, on, at in (
        ("the query gradient before adaptation", "query", 0),
        ("the joint gradient, the support gradient at theta", "support", 0),
        ("the support gradient after the last step", "support", -1),
    ):
        found.setdefault(phrase, lambda on=on, at=at: outer(p, descend(p)[0][at], on))
    if result == "rates":
        words = f"{right} with one vector forward for a Jacobian, d <- d - g - alpha H d"
        found[words] = lambda: forward_in_one_vector(p)
        words = f"{right} with alpha along the wrong axis of a Jacobian: alpha[:, None] * (H J)"
        found[words] = lambda: forward_in_columns(p)
        words = f"{right} with alpha[s] for the rate of step s: alpha has one for each parameter"
        found[words] = lambda: one_rate_each_step(p)
    if result == "Reptile":
        found["theta - theta_k / alpha, without brackets"] = lambda: (
            p.theta - descend(p)[0][-1] / p.alpha
        )
    plain = p._replace(model=MLP(p.model.sizes, p.model.activation))
    words = f"{right} with squared error in the place of any other loss"
    found[words] = functools.partial(rows, plain, result)
    found["theta_k itself, the adapted parameters"] = lambda: descend(p)[0][-1]
    return {phrase: functools.cache(function) for phrase, function in found.items()}


def mixed(p, result, right, each):
    """Return {phrase: function that returns one result (P,)} of mistakes in how tasks are put
    together; `each` is the result of `of_each_task`."""
    first = itertools.islice(each.items(), 6)
    found = {f"{phrase} of the first task alone": lambda r=r: r()[0] for phrase, r in first}
    found[f"{right} of the last task alone"] = lambda: each[right]()[-1]
    means = {  # phrase: of (T, P), whose mean is meant
        "a sum that is not set to 0 for each task: running sums of them": lambda: each[
            right
        ]().cumsum(axis=0),
        "the tasks in a chain: each starts where the one before it ended": lambda: chain(
            p, lambda one, start: rows(one, result, start=start)
        ),
        "the median over the tasks for the mean": lambda: np.median(
            each[right](), axis=0, keepdims=True
        ),
        "the points of all tasks as those of one task": lambda: rows(pooled(p), result),
    }
    for i, place in ((0, "first"), (-1, "last")):
        for which in ("support", "query"):
            means[f"the {which} points of the {place} task for all tasks"] = (
                lambda i=i, which=which: rows(stale(p, i, which), result)
            )
    means |= {
        "MAML": {
            "the query gradients averaged first, then back through one task": lambda: back_together(
                p
            ),
            "v of the tasks before kept, not set anew for each task": lambda: carried(p, "v"),
            "thetas of the tasks before kept, not set anew for each task": lambda: carried(
                p, "thetas"
            ),
        },
        "first-order MAML": {
            "the query gradients at the mean of the tasks' theta_k": lambda: outer(
                p, descend(p)[0][-1].mean(axis=0)
            ),
        },
        "Reptile": {  # the way from theta to where each task of the chain has ended
            "the tasks in a chain, each way measured from theta": lambda: chain(
                p, lambda one, start: (p.theta - descend(one, theta=start)[0][-1]) / p.alpha
            ),
        },
        "rates": {
            "v and g averaged over the tasks before they are multiplied": lambda: rows(
                p, result, pair=averaged
            ),
        },
    }[result]
    return found | {
        f"{right} with {phrase}": lambda r=r: r().mean(axis=0) for phrase, r in means.items()
    }


def known_meta_gradients(case):
    """Return the known results of exercises 3 to 6."""
    p, (result, right) = problem_of(case), ANSWERS[case.exercise]
    each = of_each_task(p, result, right)
    means = {phrase: lambda r=r: r().mean(axis=0) for phrase, r in each.items()}
    return means | mixed(p, result, right, each)


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
