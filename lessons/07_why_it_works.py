# %% [markdown]
"""
# Why it works

The post ends by wondering why Reptile works at all. The Reptile paper answers by an expansion in
$α$, which finds one thing in three methods: they make the gradients of a task's points agree. Here
the expansion is derived, and tested where training ends.

What you'll learn: to expand a meta-gradient, and to say where the expansion ends; what an
intervention shows that a correlation does not; and what the networks that adapt have in common.

What you need: lessons 03 to 05. Time: 40 minutes to read, one to run.

    python lessons/07_why_it_works.py             the whole lesson
    python lessons/07_why_it_works.py --quick     the same with shipped networks
"""

# %% tags=["hide-input"]
import itertools

import numpy as np

from tinymeta import (
    MLP, Adam, SineTasks, TaskBatch, adaptation_curve, checks, fomaml_grad, maml_grad,
    meta_train, reptile_grad,
)  # fmt: skip
from tinymeta.course import figures, style
from tinymeta.course.lesson import Lesson
from tinymeta.extras import variants
from tinymeta.meta import mean_over_tasks
from tinymeta.tasks import Ahead

# %%
SHOTS = 10  # support points of a task, and as many query points
INNER_LR = 0.01  # α, the rate of the step on a task
SEEDS = 5  # networks, trained side by side: θ is (SEEDS, P)
lesson = Lesson(iterations=5_000, quick=50)
TEST_TASKS = 50 if lesson.short else 400  # the same for every method
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2π)
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng, np.float32) for _ in range(SEEDS)])
networks = {
    "random": start,
    "joint": lesson.trained_in("03_maml", "joint"),
    "MAML": lesson.trained_in("03_maml", "MAML"),
    "first-order MAML": lesson.trained_in("04_first_order_maml", "first-order MAML"),
    "Reptile": lesson.trained_in("05_reptile", "Reptile"),
}

# %% [markdown]
"""
## The smallest case

One weight $w$, one task with the loss $½ λ w^2$ for support and query alike; $λ$ is its curvature.
A step at the rate $α$ leads to $w' = (1 − α λ) w$. MAML's gradient is $(1 − α λ) λ w'$; drop the
square of $α$, and two terms are left:

| | $α λ$ small: $α = 0.1$, $λ = 1$, $w = 1$ | $α λ$ near 1: $λ = 8$ |
|---|---|---|
| MAML: $λ w (1 − α λ)^2$ | 0.81 | 0.32 |
| its two terms: $λ w (1 − 2 α λ)$ | 0.80 | −4.80 |

*Predict, then look.* From which $α λ$ on do the two terms point the wrong way? Where is MAML's
gradient 0, and what does the step do there?
"""

# %% tags=["hide-input"]
shares = np.linspace(0, 2, 41)
parabola = {"MAML": (1 - shares) ** 2, "its two terms": 1 - 2 * shares}
wrong_from = shares[np.argmax(parabola["its two terms"] < -1e-9) - 1]
lesson.save(
    figures.plot_bands(
        shares,
        {name: curve[None] for name, curve in parabola.items()},
        "One weight, one parabola",
        "α λ",
        "gradient, over λ w",
    ),  # fmt: skip
    "parabola",
    f"The two terms are negative from alpha h = {wrong_from:.2f} on, and at -1 where MAML's "
    f"gradient is {parabola['MAML'][20]:.0f}, at alpha h = {shares[20]:.0f}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

From $α λ = ½$ on they lead uphill. MAML's gradient is never negative, and 0 at $α λ = 1$, where the
step ends in the minimum. Above 2 a step raises the loss. Remember 1 and 2: they come back.
</details>

## The expansion, in four lines

A task has two minibatches of points. At $θ$, $g_1$ and $g_2$ are their gradients, $H_1$ and $H_2$
their Hessians; $I$ is the identity matrix, and E the mean over tasks and over both orders of the
minibatches. With one inner step on the first, and the second as query set:

| | |
|---|---|
| after the step, by Taylor | $g_2(θ − α g_1) = g_2 − α H_2 g_1 + …$ |
| first-order MAML | $E[g_2 − α H_2 g_1] = G − α A$ |
| MAML, from lesson 03 | $(I − α H_1)(g_2 − α H_2 g_1) = g_2 − α H_2 g_1 − α H_1 g_2 + …$ |
| its mean over both orders | $E[…] = G − 2 α A$ |

$G = E[g_i]$ is the gradient of joint training. $A = E[H_i g_j]$ with $i ≠ j$ is new. By the product
rule the gradient of $g_i · g_j$ is $H_i g_j + H_j g_i$. So $2A$ is the gradient of $E[g_i · g_j]$,
the *agreement* of two gradients of one task: the second part of a step along $−(G − 2 α A)$ raises
it, as far as the formula holds. With $k$ inner steps on as many minibatches the coefficients of $G$
and $−α A$ are 1 and $2k$ for MAML, 1 and $k$ for first-order MAML, $k$ and $k(k−1)/2$ for Reptile
(Nichol et al. 2018, section 5; there $k$ counts the query set too).

Three checks, with tanh at random weights, where the expectation is exact: 5 tasks of 4 minibatches,
and every ordered draw of $k + 1$ of the 4. Is $2A$ the gradient of the agreement, by the complex
step? Fitted at $α = 0.0005$, are the coefficients the formula's? And does the remainder fall as
$α^2$, a slope of 2 on log axes? *Predict* what ReLU, with its kinks, does to the slope.
"""


# %%
def two_vectors(model, theta, x, y):
    """Return G and A from the points (tasks, minibatches, n, 1)."""
    g = model.grad(theta, x, y)
    others = (g.sum(axis=1, keepdims=True) - g) / (x.shape[1] - 1)  # the mean of the others
    return g.mean(axis=(0, 1)), model.hvp(theta, x, y, others).mean(axis=(0, 1))


def expected(meta_grad, model, theta, x, y, alpha, k=1):
    """Return the mean of the meta-gradient over all orders of the minibatches."""
    n, orders = x.shape[2], np.array([*itertools.permutations(range(x.shape[1]), k + 1)])
    support = (array[:, orders[:, :-1]].reshape(-1, k * n, 1) for array in (x, y))
    query = (array[:, orders[:, -1]].reshape(-1, n, 1) for array in (x, y))
    return meta_grad(model, theta, TaskBatch(*support, *query), alpha, k, n)[1]


# %% tags=["hide-input"]
FORMULA = {  # method: its gradient, and the coefficients of G and -α A after k steps
    "MAML": (maml_grad, lambda k: (1, 2 * k)),
    "first-order MAML": (fomaml_grad, lambda k: (1, k)),
    "Reptile": (reptile_grad, lambda k: (k, k * (k - 1) / 2)),
}
smooth, theta = MLP([1, 40, 40, 1], "tanh"), start[0].astype(float)
drawn = tasks.sample(lesson.rng("training tasks"), 5, 4 * 5)
x, y = (array.reshape(5, 4, 5, 1) for array in drawn[:2])


def agreement(theta):
    """Return E[g_i . g_j] over the pairs of different minibatches, for theta (P,)."""
    g = smooth.grad(theta, x, y)
    all_pairs, equal_pairs = (g.sum(axis=1) ** 2).sum(axis=-1), (g**2).sum(axis=(1, 2))
    return (all_pairs - equal_pairs).mean() / (4 * 3)


G, A = two_vectors(smooth, theta, x, y)
v = lesson.rng("directions").standard_normal(smooth.n_params)
product_rule = checks.relative_error(2 * A @ v, checks.complex_step(agreement, theta, v))
one_step = checks.relative_error(expected(reptile_grad, smooth, theta, x, y, 0.01), G)
print(f"2 A is the gradient of E[g_i . g_j], by the complex step: {product_rule:.0e} off")
print(f"Reptile with one inner step against G, joint training: {one_step:.0e} apart")
alphas, small = 0.0038 / 2.0 ** np.arange(7), 5e-4


def left_over(model, k):
    """Return {method: what the formula leaves over at each alpha, over G's length}."""
    G, A = two_vectors(model, theta, x, y)
    rows = {}
    for method, (meta_grad, formula) in FORMULA.items():
        if (method, k) != ("Reptile", 1):  # nothing is left over
            a, b = formula(k)
            gaps = [
                expected(meta_grad, model, theta, x, y, alpha, k) - (a * G - alpha * b * A)
                for alpha in alphas
            ]
            rows[method] = np.linalg.norm(gaps, axis=1) / np.linalg.norm(G)
    return rows


slopes, off_theory, remainders = [], [], {}
print("\n  k  method              theory    fitted            slope of the remainder")
for k in (1, 2, 3):
    remainders[k] = left_over(smooth, k)
    for method, (meta_grad, formula) in FORMULA.items():
        gradient = expected(meta_grad, smooth, theta, x, y, small, k)
        measured = np.linalg.lstsq(np.stack((G, -small * A), axis=1), gradient, rcond=None)[0]
        a, b = formula(k)
        off_theory.extend(abs(m / t - 1) for m, t in zip(measured, (a, b)) if t)
        slope = "nothing is left over"
        if method in remainders[k]:
            slopes.append(np.polyfit(np.log(alphas), np.log(remainders[k][method]), 1)[0])
            slope = f"{slopes[-1]:.3f}"
        fitted = f"{measured[0]:8.3f}{measured[1]:8.3f}"
        print(f"{k:3d}  {method:16s}{a:5.0f}{b:5.0f}{fitted}      {slope}")
print(f"Farthest from theory: {max(off_theory):.1%}")
kinked = left_over(model, 3)
local = {
    name: np.concatenate([np.diff(np.log(row)) / np.log(0.5) for row in rows.values()])
    for name, rows in (("tanh", remainders[3]), ("ReLU", kinked))
}
ranges = [f"{min(s):.2f} to {max(s):.2f} with {name}" for name, s in local.items()]
lesson.save(
    figures.plot_remainders(
        alphas, {"tanh, k = 3": remainders[3], "ReLU, k = 3": kinked}, "left over, over G"
    ),
    "taylor",
    f"From one alpha to the next the slopes are {' and '.join(ranges)}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

All three hold: coefficients to 4 %, slopes 1.97 to 2.00. With ReLU the remainder falls in jumps: a
unit that a step carries over its kink changes the gradient by what no expansion around $θ$ knows.
</details>

## Where it ends: the direction

$α$ is small where $α λ$ is, $λ$ for the largest curvature of a task's support loss: the largest
eigenvalue of its Hessian, mean over tasks. At random weights $α λ$ is about 0.4, after MAML's
training about 1.6. *Predict, then look:* over $α λ$, with $α$ varied at fixed weights, what is the
cosine of $G − 2 α A$ with the true MAML gradient of the same 100 tasks, for the five networks that
lesson 03 trained by MAML?
"""

# %%
probe = tasks.sample(lesson.rng("validation tasks"), 100, SHOTS)
pair = [np.stack(arrays, axis=1) for arrays in (probe[::2], probe[1::2])]  # (100, 2, 10, 1)


def cosine_of_two_terms(theta, alpha):
    theta = theta.astype(float)
    G, A = two_vectors(model, theta, *pair)
    return checks.cosine(G - 2 * alpha * A, expected(maml_grad, model, theta, *pair, alpha))


# %% tags=["hide-input"]
def curvature(theta):
    """Return the mean over tasks of the largest eigenvalue, for each network."""
    x, y = (array[: 3 if lesson.short else 20] for array in probe[:2])
    rng = lesson.rng("directions")
    return checks.largest_eigenvalue(model, theta[:, None], x, y, rng).mean(axis=1)


lam = {
    name: lesson.recorded(f"curvature, {name}", lambda theta=theta: curvature(theta))
    for name, theta in networks.items()
}
steps_of = np.array([0.02, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 1.8])


def cosines_at(theta, alphas):
    return [[cosine_of_two_terms(t, alpha) for alpha in row] for t, row in zip(theta, alphas)]


cosines, at_alpha = {}, {}
for name in ("random", "MAML", "Reptile"):
    rates = np.append(steps_of / lam[name][:, None], np.full((SEEDS, 1), INNER_LR), axis=1)
    both = lesson.recorded(f"cosine, {name}", lambda: cosines_at(networks[name], rates))
    cosines[name], at_alpha[name] = both[:, :-1], both[:, -1]
print(f"\nG - 2 alpha A and MAML's gradient at alpha = {INNER_LR}: cosine, by network")
for name, cosine in at_alpha.items():
    row = cosine, INNER_LR * lam[name]
    shown, reach = (" ".join(f"{c:5.2f}" for c in numbers) for numbers in row)
    print(f"  {name:8s} {shown}   at alpha lambda = {reach}")
lesson.save(
    figures.plot_bands(
        steps_of, cosines, "The two terms against MAML's gradient, 5 networks", "α λ", "cosine"
    ),
    "cosine",
    f"At alpha lambda = {steps_of[1]} the cosine is {cosines['MAML'][:, 1].mean():.2f} at the "
    f"weights that MAML trained, at {steps_of[-2]} it is {cosines['MAML'][:, -2].mean():.2f} "
    f"({cosines['MAML'][:, -2].min():.2f} to {cosines['MAML'][:, -2].max():.2f}).",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

It falls, from 1.00 at $α λ = 0.1$ to 0.23 at 1.4 and −0.45 at 1.8. At the post's $α$ it is 0.24,
−0.46, −0.11, 0.03 and −0.55 in MAML's five networks: there the two terms do not say which way MAML
goes. At random weights it is 0.65 to 0.94, and −0.01 in the network with the largest $α λ$, 0.64.
The formula describes the start of training at best.
</details>

## Where it ends: the descent

If the two terms were why MAML works, descending them alone should work as well. It starts from
lesson 03's MAML networks, on the same tasks with the same optimiser; MAML itself goes on beside it.
*Predict, then look:* what does the meta-loss do in 300 meta-steps?
"""


# %%
@mean_over_tasks  # as in tinymeta/meta.py: for tasks side by side, then the mean
def two_terms_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    one, other = (model.backprop(theta, *points) for points in (batch[:2], batch[2:]))
    A = (model.rop(one.tape, other.grad) + model.rop(other.tape, one.grad)) / 2
    G = (one.grad + other.grad) / 2
    meta_loss = model.loss_and_grad(theta - inner_lr * one.grad, *batch[2:])[0]  # to watch
    return meta_loss, G - 2 * inner_lr * A


def go_on(meta_grad, theta, iterations, inner_lr=INNER_LR, inner_steps=1, label=""):
    return meta_train(
        meta_grad, model, theta, Ahead(tasks), rng=lesson.rng("more tasks"), shots=SHOTS,
        iterations=iterations, meta_batch_size=1, inner_lr=inner_lr, inner_steps=inner_steps,
        optimizer=Adam(1e-3), callback=lesson.progress(label, iterations) if label else None,
    )  # fmt: skip


histories = {
    "MAML": go_on(maml_grad, networks["MAML"], 300)[1],
    "its two terms": go_on(two_terms_grad, networks["MAML"], 300)[1],
}

# %% tags=["hide-input"]
last = {name: np.median(history[-50:], axis=0) for name, history in histories.items()}
lesson.save(
    figures.plot_history(histories, "On from MAML's networks", smooth=20, log=True),
    "two_terms",
    f"In the last 50 of 300 meta-steps the median meta-loss is {np.median(last['MAML']):.1f} "
    f"under MAML, and under its two terms at least {last['its two terms'].min():.0f} in each "
    f"of {SEEDS} networks.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

It runs away. In the last 50 of the 300 meta-steps the median meta-loss is 31 or more in each
network, and about 1 under MAML. Nothing holds it: the term $−2 α A$ descends $−α E[g_i · g_j]$,
which has no lower bound. What is left out bounds it, as the square in $(1 − α λ)^2$ does.
</details>

## Does agreement rank the methods?

A third measurement. On new tasks: the agreement $g_i · g_j$ of two sets of 10 points of a task, the
cosine of the two gradients, and the loss after one step and after ten (lesson 04's and 05's
judgement, on fewer tasks). *Predict* which method has the most agreement, and whether it is the
best one.
"""

# %% tags=["hide-input"]
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
others = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS)


def judge(label, theta, rate):
    """Return the losses after 0, 1 and 10 steps, (SEEDS, 3, tasks)."""
    return lesson.recorded(
        label, lambda: adaptation_curve(model, theta, test, rate, steps=10)[:, [0, 1, 10]]
    )


curves = {name: judge(f"judged, {name}", theta, INNER_LR) for name, theta in networks.items()}
agree, alike = {}, {}
for name, theta in networks.items():
    g, h = (model.grad(theta[:, None], *points) for points in (others[:2], others[2:]))
    agree[name] = (g * h).sum(axis=-1).mean(axis=1)
    lengths = np.linalg.norm(g, axis=-1) * np.linalg.norm(h, axis=-1)
    alike[name] = ((g * h).sum(axis=-1) / lengths).mean(axis=1)
print(f"\nMean of {SEEDS} networks (lowest-highest), {TEST_TASKS} test tasks")
print(f"  {'':16s} {'g_i . g_j':>22s} {'cosine':>18s} {'loss, 1 step':>13s} {'10 steps':>9s}")
after = {name: curve.mean(axis=-1) for name, curve in curves.items()}
for name in networks:
    a, c, one, ten = agree[name], alike[name], after[name][:, 1], after[name][:, 2]
    print(
        f"  {name:16s} {a.mean():8.1f} ({f'{a.min():.1f}-{a.max():.1f}':>13s})"
        f" {c.mean():6.2f} ({c.min():.2f}-{c.max():.2f}) {one.mean():13.2f} {ten.mean():9.2f}"
    )


def ranks(values):
    return np.argsort(np.argsort(values))


learned = ("MAML", "first-order MAML", "Reptile")
rank_correlation = {
    n: np.corrcoef(
        ranks(np.concatenate([agree[name] for name in learned])),
        ranks(np.concatenate([after[name][:, row] for name in learned])),
    )[0, 1]
    for row, n in ((1, 1), (2, 10))
}
print(
    "Rank correlation of agreement and loss, 15 networks of three methods: "
    + ", ".join(f"{r:.2f} after {n}" for n, r in rank_correlation.items())
)

# %% [markdown]
"""
<details><summary>Answer</summary>

On average first-order MAML has the most, 2471 (394 to 8882 by network), against MAML's 687 and
Reptile's 548, with twice their loss after ten steps. By the cosine it is level with MAML, 0.78 and
0.77, and Reptile has 0.71. All three have more of it than random weights (46.9, cosine 0.53) and
joint training (0.9, 0.32), so agreement rises in training; it does not say which method is better.
Among the 15 networks its rank correlation with the loss after ten steps is weak, −0.36. (Guiroy et
al. 2019, arXiv 1907.07287, report that between *tasks* it goes with generalisation.)
</details>

## What they share: a step that is just long enough

One step along $g$ changes a loss by $−α |g|^2 (1 − α ρ / 2)$, to second order, with
$ρ = g · H g / |g|^2$, the curvature along the gradient, at most $λ$. This is best at $α ρ = 1$, the
smallest case again. An intervention: the networks of each method go on for 5,000 meta-steps, and
nothing is changed but $α$, from a quarter to four times what it was. *Predict, then look:* if
training fits the curvature to the rate, what are $ρ$ and $λ$ afterwards, over $α$?
"""

# %%
METHODS = {"MAML": (maml_grad, 1), "first-order MAML": (fomaml_grad, 1)}
METHODS["Reptile"] = (reptile_grad, 3)
ALPHAS = (0.0025, 0.005, 0.01, 0.02, 0.04)


def curvature_along_g(theta):
    """Return ρ at the median task, for each network."""
    g = model.grad(theta[:, None], *others[:2])
    product = model.hvp(theta[:, None], *others[:2], g)
    return np.median((g * product).sum(axis=-1) / (g * g).sum(axis=-1), axis=1)


along = {name: curvature_along_g(theta) for name, theta in networks.items()}
rho, largest = {}, {}
for name, (meta_grad, steps) in METHODS.items():
    for alpha in ALPHAS:
        label = f"{name}, alpha = {alpha}"

        def train_and_measure():
            theta, _ = go_on(meta_grad, networks[name], lesson.iterations, alpha, steps, label)
            return [curvature_along_g(theta), curvature(theta)]

        found = lesson.recorded(f"rho and curvature, {label}", train_and_measure)
        rho[name, alpha], largest[name, alpha] = found

# %% tags=["hide-input"]
print(f"\nAs trained in lessons 03 to 05, alpha = {INNER_LR}: alpha rho, alpha lambda")
for name in networks:
    r, top = INNER_LR * along[name], INNER_LR * lam[name]
    print(
        f"  {name:16s} {r.mean():5.2f} ({r.min():.2f}-{r.max():.2f}) "
        f"{top.mean():5.2f} ({top.min():.2f}-{top.max():.2f})"
    )
print("On at another alpha: rho, alpha rho (lowest-highest); lambda, alpha lambda")
for (name, alpha), r in rho.items():
    cells = ""
    for c in (r, largest[name, alpha]):
        low, mean, high = alpha * c.min(), alpha * c.mean(), alpha * c.max()
        cells += f"  {c.mean():5.0f} {mean:5.2f} ({low:.2f}-{high:.2f})"
    print(f"  {name:16s} {alpha:<6g}{cells}")


HEIGHTS = [20, 50, 100, 200, 500]


@style.styled
def plot_over_alpha(panels):
    """Draw a panel for each {title: ({(method, alpha): (S,)}, c)}, with a line c / alpha."""
    figure, axes = style.new_figure(9.6, 3.6, len(panels), sharey=True)
    for ax, (title, (values, c)) in zip(axes, panels.items()):
        labels = [style.plot_truth(ax, ALPHAS, c / np.array(ALPHAS), f"{c} / α")]
        for name in METHODS:
            seeds = np.array([values[name, alpha] for alpha in ALPHAS]).T
            look = style.METHODS[name]
            labels.append(style.plot_seeds(ax, ALPHAS, seeds, name, **look, marker="o", ms=3.5))
        ends = ALPHAS[0], ALPHAS[-1]
        ax.set(xscale="log", yscale="log", xlim=ends, xlabel="α", title=title)
        ax.set_xticks(ALPHAS, [f"{alpha:g}" for alpha in ALPHAS])
        ax.set_yticks(HEIGHTS, HEIGHTS)
        ax.minorticks_off()
        style.label_ends(ax, labels)
    axes[0].set_ylabel("curvature")
    return figure


def slope_over_alpha(values, name):
    """Return the slope of the median network's curvature over alpha, on log axes."""
    medians = [np.median(values[name, alpha]) for alpha in ALPHAS]
    return np.polyfit(np.log(ALPHAS), np.log(medians), 1)[0]


slope = {name: [slope_over_alpha(c, name) for c in (rho, largest)] for name in METHODS}
lesson.save(
    plot_over_alpha({"ρ, along the gradient": (rho, 1), "λ, the largest": (largest, 2)}),
    "rate",
    f"From alpha = {ALPHAS[0]} to {ALPHAS[-1]} the slope of rho is "
    f"{slope['MAML'][0]:.2f} for MAML, {slope['Reptile'][0]:.2f} for Reptile, "
    f"{slope['first-order MAML'][0]:.2f} for first-order MAML; -1 would be proportional to "
    f"1 / alpha.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

It does. Reptile's $ρ$ goes from 389 to 21, and $α ρ$ stays between 0.86 and 1.02; MAML's $α ρ$ is
between 1.00 and 1.20, except at 0.04, where one of its five networks ends at 6.34. First-order
MAML's is between 0.76 and 1.44. $λ$ follows, mostly below $2/α$: the mean $α λ$ is 1.03 to 1.80,
but 2.14 for MAML's other four at 0.04. Joint training has no $α$: $α ρ = 0.02$; random weights have
0.28. In gradient descent on all points $λ$ rises to about 2 over the rate and stays there, the
*edge of stability* (Cohen et al. 2021); here the rate is the inner one.
</details>

So the inner rate is the cause, and the curvature follows it. Is that enough for adapting? The other
half of the intervention keeps the networks and changes the rate at test: the same $α λ$ for all.
*Predict:* what do ten steps do from random weights at MAML's $α λ$, and from MAML's at a quarter of
its own?
"""

# %% tags=["hide-input"]
shares = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0])  # values of α λ
fewer = TaskBatch(*(array[:200] for array in test))


def ten_steps_at(theta, lam):
    """Return the loss of the median task after ten steps, (SEEDS, len(shares))."""
    with np.errstate(all="ignore"):  # some diverge
        curves = [
            [adaptation_curve(model, t, fewer, share / top, steps=10)[10] for share in shares]
            for t, top in zip(theta, lam.astype(float))
        ]
    return np.median(np.nan_to_num(curves, nan=np.inf), axis=-1)


swept = {
    name: lesson.recorded(f"ten steps, {name}", lambda: ten_steps_at(theta, lam[name]))
    for name, theta in networks.items()
}
zero = np.median((fewer.y_query**2).mean(axis=(1, 2)))
print(
    f"\nMedian task after ten steps, by alpha lambda (mean of {SEEDS} networks); "
    f"predicting 0: {zero:.2f}"
)
print(" " * 19 + "".join(f"{share:8.2f}" for share in shares))
for name, losses in swept.items():
    print(f"  {name:16s} " + "".join(f"{loss:8.2f}" for loss in losses.mean(axis=0)))
lesson.save(
    figures.plot_bands(
        shares, swept, "Ten steps at other rates, median task", "α λ", "squared error", top=4.5
    ),
    "same_curvature",
    f"At alpha lambda = {shares[6]} the median task is at {swept['MAML'][:, 6].mean():.2f} "
    f"from MAML's weights and at {swept['random'][:, 6].mean():.2f} from random ones; at "
    f"{shares[3]} it is at {swept['MAML'][:, 3].mean():.2f} from MAML's, at {shares[0]} at "
    f"{swept['MAML'][:, 0].mean():.2f}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

From random weights next to nothing: 3.34 at $α λ = 1.6$, and 3.08 at best, where predicting 0 costs
3.38; after joint training no better. So steps of the right length are not enough; the weights have
to be the right ones. From these, MAML's, 0.34 at 1.6, 0.39 at 0.8, 0.58 at 0.4, a quarter, and 2.28
at 0.05: with steps that are far too short ten are too few. It takes both.
</details>

## Near both curves? The post's last picture

The Reptile paper draws the good weights of two tasks as two curves, and Reptile as a walk to where
both are near. A model with two weights that has such curves: it predicts $tanh w_1 + tanh w_2$, and
the tasks want 1.2 and −1.2. And a second plane: a task's good weights are the curve
$w_2 = ± d(w_1)$, with $d = 0.6 + 0.05 w_1^2$, at the bottom of a valley of curvature
$c = 0.3 + 1.5 w_1^2$: the curves are nearest to each other where the valleys are flat.
*Predict* where each method ends, and what three steps do from there.
"""

# %%
ALPHA, OUTER_STEPS = 0.15, 100


def bent(w, sign):
    """Return the loss and its gradient where the prediction is tanh w1 + tanh w2."""
    miss = np.tanh(w).sum() - 1.2 * sign
    return miss**2, 2 * miss * (1 - np.tanh(w) ** 2)


def valleys(w, sign):
    """Return the loss and its gradient where ½ c (w2 -+ d)^2 is the loss."""
    d, c = 0.6 + 0.05 * w[0] ** 2, 0.3 + 1.5 * w[0] ** 2
    miss = w[1] - sign * d
    along_w1 = 1.5 * w[0] * miss**2 - c * miss * sign * 0.1 * w[0]
    return c * miss**2 / 2, np.stack((along_w1, c * miss))


def descend(plane, w, sign, steps):
    for _ in range(steps):
        w = w - ALPHA * plane(w, sign)[1]
    return w


def move(method, plane, w, sign, rate):
    """Return what the method subtracts from w."""
    if method == "joint":
        return rate * plane(w, sign)[1]
    if method == "MAML":  # one inner step; H v by the complex step
        v = plane(descend(plane, w, sign, 1), sign)[1]
        return rate * (v - ALPHA * plane(w + 1e-20j * v, sign)[1].imag / 1e-20)
    return 2 * rate * (w - descend(plane, w, sign, 20))


# %% tags=["hide-input"]
def walk(method, plane, first):
    path = [np.array(first)]
    for i in range(OUTER_STEPS):
        rate = 0.25 * (1 - i / OUTER_STEPS)
        path.append(path[-1] - move(method, plane, path[-1], (1, -1)[i % 2], rate))
    return np.array(path)


def mean_loss(plane, w, steps):
    return np.mean([plane(descend(plane, w, sign, steps), sign)[0] for sign in (1, -1)])


planes = {"bent": (bent, (1.6, 0.0)), "valleys": (valleys, (1.6, 0.0))}
paths, ends = {}, {}
for title, (plane, first) in planes.items():
    print(f"\nThe plane '{title}': where each method ends; loss there after 0, 1, 3, 10 steps")
    paths[title] = {m: walk(m, plane, first) for m in ("joint", "MAML", "Reptile")}
    for method, path in paths[title].items():
        ends[title, method] = [mean_loss(plane, path[-1], n) for n in (0, 1, 3, 10)]
        cells = "".join(f"{loss:8.3f}" for loss in ends[title, method])
        print(f"  {method:8s} ({path[-1][0]:5.2f}, {path[-1][1]:5.2f})  {cells}")
stride = np.linalg.norm(np.diff(paths["bent"]["Reptile"], axis=0), axis=1)
distance = np.linalg.norm(paths["bent"]["Reptile"][-1])
first = np.linspace(0.205, 2.6, 200)
second = np.arctanh(np.clip(1.2 - np.tanh(first), -1 + 1e-9, 1 - 1e-9))
curve = np.stack((first, second), axis=1)
drawn_curves = {"wants 1.2": curve, "wants -1.2": -curve}
lesson.save(
    figures.plot_plane(drawn_curves, paths["bent"], "Two tasks, two curves of good weights")[0],
    "plane",
    f"All three have the loss {ends['bent', 'MAML'][0]:.2f} before adaptation; after three "
    f"steps joint training is at {ends['bent', 'joint'][2]:.2f}, "
    f"MAML at {ends['bent', 'MAML'][2]:.2f}, Reptile at {ends['bent', 'Reptile'][2]:.2f}.",
)
across = np.linspace(-2.6, 2.6, 200)
across = np.concatenate((across, across[62:][::-1]))  # back to where the label fits
curve = np.stack((across, 0.6 + 0.05 * across**2), axis=1)
nearest = {m: abs(curve - path[-1]) for m, path in paths["valleys"].items()}
gaps = {m: np.sqrt((gap**2).sum(axis=1)).min() for m, gap in nearest.items()}
left = {m: ends["valleys", m][2] / ends["valleys", m][0] for m in ("MAML", "Reptile")}
flat, _, labels = figures.plot_plane(
    {"one task": curve, "the other": -curve},
    {m: paths["valleys"][m] for m in ("joint", "Reptile", "MAML")},
    "Two valleys that are flat in the middle",
)
flat.axes[0].texts[-1].set(position=(0, -16), ha="center")  # "start", off MAML's short path
labels["MAML"].set(position=(4, 14), ha="left")
lesson.save(
    flat,
    "plane_flat",
    f"Reptile ends {gaps['Reptile']:.2f} from the upper curve and MAML {gaps['MAML']:.2f}, but "
    f"after three steps Reptile keeps {left['Reptile']:.0%} of its loss, MAML "
    f"{left['MAML']:.0%}.",
)
in_the_middle = walk("MAML", valleys, (0.5, 0.0))[-1]
print(f"MAML from (0.5, 0) ends at ({in_the_middle[0]:.2f}, {in_the_middle[1]:.2f})")
frames = [*range(0, 30), *range(30, OUTER_STEPS + 1, 5)][:: 9 if lesson.quick else 1]
gif = lesson.out / f"{lesson.name}_plane.gif"
figures.animate_plane(drawn_curves, paths["bent"], frames, gif)
print(f"animation {gif.name}")

# %% [markdown]
"""
<details><summary>Answer</summary>

On the first plane all three end on the line $w_2 = −w_1$, with the loss 1.44. Joint training sees
no difference along it; MAML goes to where a step does most, and Reptile zig-zags to the midpoint of
the two nearest good weights. By symmetry that is the same place, and three steps leave 0.03 there.
On the second plane Reptile and joint training end at the midpoint, 0.60 from each curve. The
valleys are flat there, and three steps leave 76 % of the loss, which is small. MAML ends farther
from both curves, with a higher loss, and one step leaves nothing: there $α c = 0.91$. Near both
curves is not enough; it depends on what the steps do. (From (0.5, 0) MAML ends there too.)
</details>

## Which features, and for which solver?

A rate of 0 freezes a parameter. Raghu et al. (2020) froze the body of MAML's networks, found little
lost, and concluded that the features are ready and the head alone adapts. Ready for what? On the
same last hidden layer, two solvers for the head: ten steps at $α$, and least squares with a spring
(ridge regression), whose strength $μ$ is chosen on validation tasks from six, for each kind of
network. Beside them ten steps of all parameters, as always. (All steps keep $α = 0.01$; at twice
that the head alone diverges.) *Predict* which is ahead on MAML's, Reptile's and random features.
"""

# %%
MU = 10.0 ** np.arange(-3, 3)


def ridge(theta, batch, mu):
    """Return the losses (T,) of the best head for (sum of squares + mu |head|^2)."""
    f, f_new = (model.forward(theta, x).h[-1].astype(float) for x in batch[::2])  # 40, and 1
    K = f @ f.swapaxes(-1, -2) + mu * np.eye(SHOTS)
    head = f.swapaxes(-1, -2) @ np.linalg.solve(K, batch.y_support)
    return np.mean((f_new @ head - batch.y_query) ** 2, axis=(-2, -1))


# %% tags=["hide-input"]
parts = {
    "head": variants.rates_by_part(model, body=0.0, head=INNER_LR),
    "body": variants.rates_by_part(model, body=INNER_LR, head=0.0),
}
validation = tasks.sample(lesson.rng("validation tasks"), 100, SHOTS, query=50, grid=True)
by_part, by_ridge = {}, {}
for name, thetas in networks.items():
    grid = np.array([[ridge(theta, validation, mu).mean() for theta in thetas] for mu in MU])
    chosen = MU[grid.mean(axis=1).argmin()]
    by_ridge[name] = np.array([ridge(theta, test, chosen) for theta in thetas])
for name in ("MAML", "Reptile"):
    for part, rate in parts.items():
        by_part[name, part] = judge(f"judged, {name}, {part}", networks[name], rate)
print(f"\nMean over {TEST_TASKS} tasks (median): ten steps of all, a ridge head")
for name in networks:
    ten, best = curves[name][:, 2], by_ridge[name]
    pairs = int((ten.mean(axis=1) < best.mean(axis=1)).sum())
    print(
        f"  {name:16s} {ten.mean():6.2f} ({np.median(ten, axis=1).mean():.2f})"
        f" {best.mean():6.2f} ({np.median(best, axis=1).mean():.2f}), "
        f"ten steps lower in {pairs} of {SEEDS} networks"
    )
kept = {}
print("Ten steps of a part alone: mean (median), ridge lower, part of the gain of all (median)")
for (name, part), c in by_part.items():
    gains = [np.median(d[:, 0] - d[:, 2], axis=1).mean() for d in (c, curves[name])]
    kept[name, part] = gains[0] / gains[1]
    ten = c[:, 2]
    pairs = int((by_ridge[name].mean(axis=1) < ten.mean(axis=1)).sum())
    print(
        f"  {name:8s} {part}  {ten.mean():6.2f} ({np.median(ten, axis=1).mean():.2f})"
        f"   in {pairs} of {SEEDS} networks   {kept[name, part]:.0%}"
    )

# %% [markdown]
"""
<details><summary>Answer</summary>

On random features ten steps get nothing, 4.26, where ridge gets 2.56 (median task 0.69). On MAML's
ridge has 1.19 and ten steps of the head 1.58 (ridge is lower in 3 of 5 networks; median task 0.55
and 0.90), on Reptile's 0.50 and 1.67 (5 of 5; 0.28 and 0.35). Ten steps of all parameters have 0.66
and 0.62 (0.33 and 0.32): below ridge in 3 of MAML's networks and in none of Reptile's.

So "ready" depends on the solver. Reptile's features are ready for a good head. In 3 of MAML's 5
networks neither head on frozen features does what ten steps of everything do: there the body adapts
as well. Of MAML's gain in ten steps the head alone gets 71 % and the body alone 54 %, of Reptile's
98 % and 16 %: each part changes what the other one has to do.
</details>

Which features do ten steps see? To the first order a step moves the output along the *tangent
features*, its derivatives in each parameter (Jacot et al. 2018), and along their principal
directions most. How much of $sin x$ and $cos x$, of which every task is made, do the first few
explain ($R^2$)? *Predict* the order of the five.
"""


# %% tags=["hide-input"]
def tangent_features(theta, x):
    """Return the derivatives of the output at each x (n, 1) in each parameter, (n, P): the
    gradients of (out - y)^2 where out - y = 1/2."""
    points = x[:, None, :]
    return model.grad(theta, points, model.predict(theta, points) - 0.5)


grid = np.linspace(-5, 5, 50)[:, None]
waves = np.linalg.qr(np.concatenate((np.sin(grid), np.cos(grid)), axis=1))[0]
explained, spanned = {}, {}
for name, thetas in networks.items():
    features = [tangent_features(theta.astype(float), grid) for theta in thetas]
    spanned[name] = np.array([np.sum((waves.T @ f) ** 2) / np.sum(f**2) for f in features])
    directions = [np.linalg.eigh(f @ f.T)[1][:, ::-1] for f in features]  # largest first
    each = np.array([((u.T @ waves) ** 2).mean(axis=1) for u in directions])
    explained[name] = np.cumsum(each, axis=1)[:, :10]
by_three = {name: fraction[:, 2].mean() for name, fraction in explained.items()}
print("\nShare of all change that lies in the span of sin x and cos x (lowest-highest network)")
for name, s in spanned.items():
    ends_of = f"({s.min():.2f}-{s.max():.2f})"
    print(f"  {name:16s}{s.mean():6.2f} {ends_of}; R^2 of three: {by_three[name]:.2f}")
lesson.save(
    figures.plot_bands(
        np.arange(1, 11),
        explained,
        "sin x and cos x by the tangent features",
        "principal features",
        "R²",
        top=1,
    ),  # fmt: skip
    "tangent_features",
    f"Three principal features explain {by_three['random']:.2f} of sin x and cos x at random "
    f"weights, {by_three['joint']:.2f} after joint training, "
    f"{by_three['MAML']:.2f} after MAML, "
    f"{by_three['first-order MAML']:.2f} after first-order MAML, {by_three['Reptile']:.2f} "
    f"after Reptile.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

Three explain 0.81 after MAML, 0.70 after first-order MAML, 0.52 after Reptile, 0.22 at random
weights and 0.16 after joint training. With ten, random weights have nearly caught up: they too can
express a sine, but not by what a small step changes first. This is a correlate: nothing here
changed it alone. Nor does it rank the methods, for first-order MAML is above Reptile.
</details>

## Why it works: what was shown

| what all three might share | what was done | what it shows |
|---|---|---|
| agreement $E[g_i · g_j]$ is raised | direction, descent, ranks | raised; the formula breaks down |
| $α ρ$ near 1: a step just long enough | $α$ changed, nothing else | the inner rate causes it |
| | networks kept, the rate at test changed | shorter is slower; not enough alone |
| tangent features that contain sine waves | compared | a correlate |
| nearness to all good weights | a counter-example | not enough |

Open: MAML asks for the loss after a step, so $α ρ = 1$ is no surprise. Why Reptile, which never
asks, keeps to it even more closely, is not shown here.

## What you should see
"""

# %% tags=["hide-input"]
lesson.expect("2 A off the gradient of E[g_i . g_j] (x 1e-12)", product_rule * 1e12, 0, 1)
lesson.expect("Reptile with one step off joint training (x 1e-12)", one_step * 1e12, 0, 1)
lesson.expect("lowest slope of what is left over, tanh", min(slopes), 1.9, 2.1)
lesson.expect("highest slope of what is left over, tanh", max(slopes), 1.9, 2.1)
lesson.expect("coefficients, farthest from theory", max(off_theory), 0, 0.06)
lesson.expect("ReLU, farthest local slope from 2", max(abs(local["ReLU"] - 2)), 1, 30)
lesson.expect("two terms, cosine at random weights", np.median(at_alpha["random"]), 0.6, 1)
lesson.expect("two terms, cosine at MAML's weights", at_alpha["MAML"].mean(), -0.8, 0.3)
highest = at_alpha["MAML"].max()
lesson.expect("two terms, highest cosine of 5, MAML's weights", highest, -0.5, 0.7)
ran_away = np.sum(last["its two terms"] > 5)
lesson.expect("two terms alone, networks of 5 above a meta-loss of 5", ran_away, 4, 5)
lesson.expect("MAML goes on, median meta-loss", np.median(last["MAML"]), 0.3, 2)
limits = [(0.45, 0.62), (0.15, 0.5), (0.67, 0.85), (0.65, 0.9), (0.65, 0.78)]
for (name, c), bounds in zip(alike.items(), limits):
    lesson.expect(f"cosine of two gradients of a task, {name}", c.mean(), *bounds)
over = agree["first-order MAML"].mean() / agree["MAML"].mean()
lesson.expect("agreement, first-order MAML over MAML", over, 1.2, 6)
ten = {name: losses[:, 2].mean() for name, losses in after.items()}
over = ten["first-order MAML"] / ten["MAML"]
lesson.expect("loss after 10 steps, first-order MAML over MAML", over, 1.4, 3)
of_ranks = rank_correlation[10]
lesson.expect("rank correlation of agreement and loss, 10 steps", of_ranks, -0.7, 0.1)
for name, bounds in zip(networks, [(0.1, 0.4), (0, 0.05), (1, 1.4), (0.9, 2.2), (0.9, 1.15)]):
    lesson.expect(f"alpha rho, {name}", INNER_LR * along[name].mean(), *bounds)
for name, bounds in zip(networks, [(0.2, 0.6), (0, 0.06), (1.4, 2.1), (1.2, 2.6), (1.4, 1.9)]):
    lesson.expect(f"alpha lambda, {name}", INNER_LR * lam[name].mean(), *bounds)
for name, bounds in zip(METHODS, [(-1.2, -0.75), (-1.25, -0.7), (-1.2, -0.9)]):
    lesson.expect(f"slope of rho over alpha, {name}", slope[name][0], *bounds)
for alpha in (ALPHAS[0], ALPHAS[-1]):
    products = alpha * np.median(rho["Reptile", alpha])
    lesson.expect(f"alpha rho at alpha = {alpha}, Reptile", products, 0.7, 1.15)
at = dict(zip(shares, range(len(shares))))
for name, share, *bounds in (
    ("random", 1.6, 2.8, 4.2), ("MAML", 1.6, 0.2, 0.6), ("MAML", 0.4, 0.35, 1),
    ("MAML", 0.05, 1.6, 3.2),
):  # fmt: skip
    loss = swept[name][:, at[share]].mean()
    lesson.expect(f"ten steps at alpha lambda = {share}, {name}", loss, *bounds)
lesson.expect("ten steps at the best rate, random", swept["random"].mean(axis=0).min(), 2.6, 4)
lesson.expect("plane: Reptile's distance from the midpoint", distance, 0, 0.05)
lesson.expect("plane: Reptile's last stride", stride[-1], 0, 0.01)
for method in ("joint", "MAML", "Reptile"):
    lesson.expect(f"plane: {method} after 0 steps", ends["bent", method][0], 1.43, 1.45)
    bounds = (1.3, 1.44) if method == "joint" else (0, 0.2)
    lesson.expect(f"plane: {method} after 3 steps", ends["bent", method][2], *bounds)
lesson.expect("flat plane: part of its loss that Reptile keeps", left["Reptile"], 0.7, 0.8)
lesson.expect("flat plane: part of its loss that MAML keeps", left["MAML"], 0, 0.01)
for (name, part), bounds in zip(kept, [(0.5, 0.95), (0.3, 0.8), (0.85, 1.1), (0, 0.45)]):
    what = f"{name}: part of the gain that the {part} alone gets"
    lesson.expect(what, kept[name, part], *bounds)
ratio = {name: by_ridge[name].mean() / ten[name] for name in networks}
for name, bounds in zip(networks, [(0.4, 0.8), (0.9, 1.1), (1.2, 2.6), (0.8, 1.4), (0.6, 1)]):
    lesson.expect(f"ridge head over ten steps, {name}", ratio[name], *bounds)
limits = [(0.14, 0.2), (0.04, 0.13), (0.28, 0.55), (0.25, 0.46), (0.26, 0.43)]
for (name, s), bounds in zip(spanned.items(), limits):
    lesson.expect(f"share of change within sin and cos, {name}", s.mean(), *bounds)
limits = [(0.18, 0.26), (0.05, 0.5), (0.6, 0.95), (0.5, 0.9), (0.3, 0.8)]
for (name, fraction), bounds in zip(by_three.items(), limits):
    lesson.expect(f"R^2 of three tangent features, {name}", fraction, *bounds)
lesson.end()
