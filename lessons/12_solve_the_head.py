# %% [markdown]
"""
# Solve the head

Lesson 01 ends with an oracle: whoever knows the two features of a sine wave fits it by least
squares, from two points. This lesson learns such features. The last layer, the *head*, is not
trained at all: on each task it is solved for in closed form, and the gradient goes through the
solution. From three points on, the result is ahead of every initialisation of lessons 02 to 05; and
it has error bars.

What you'll learn: the gradient through a ridge regression, by hand; which features it finds; what
its error bars are worth; and, as the other extreme, a network that does nothing at test time but
read the points: a conditional neural process.

What you need: lessons 01 to 03; 05 for the comparison. Time: 50 minutes to read, two to run.

    python lessons/12_solve_the_head.py             the whole lesson
    python lessons/12_solve_the_head.py --quick     the same figures within 10 s
"""

# %% tags=["hide-input"]
import functools

import numpy as np

from tinymeta import MLP, Adam, SineTasks, TaskBatch, adapt, checks, meta_train
from tinymeta.course import figures, style
from tinymeta.course.examples import sine_examples
from tinymeta.course.lesson import Lesson
from tinymeta.course.tuning import search
from tinymeta.extras.cnp import CNP, cnp_grad, cnp_predict
from tinymeta.extras.ridge import RidgeHead, posterior, ridge_grad
from tinymeta.extras.statistics import confidence_halfwidth

# %%
SHOTS = 10  # support points of a task, and as many query points
TASKS = 25  # per meta-step
SEEDS = 5  # networks, trained side by side
lesson = Lesson(iterations=20_000, quick=1_000, watch="ridge head")
CNP_STEPS, RIDGE_STEPS = lesson.iterations, lesson.iterations * 2 // 5  # 20,000 and 8,000
TEST_TASKS = 100 if lesson.short else 1000  # the same for every method
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2π)
network = MLP([1, 40, 40, 1])  # the post's
model = RidgeHead(network)  # its last layer is solved for
reader = CNP(MLP([2, 64, 64, 64]), MLP([65, 64, 64, 2]))  # for the last part

# %% [markdown]
"""
## A head in closed form

Below, somebody who knows the features $sin x$ and $cos x$ fits one wave to three points by *ridge
regression*: the head $w$, one weight per feature, makes the squared errors on the points plus
$μ |w|^2$ as small as possible. The larger $μ$, the less the points are believed.
"""


# %%
def wave(x):  # the oracle's features
    return np.concatenate((np.sin(x), np.cos(x)), axis=-1)


def solve(F, y, lam):  # the head, from features F (K, D) and values y (K, 1)
    a = np.linalg.solve(F @ F.T + lam * np.eye(len(F)), y)
    return F.T @ a


example = sine_examples(lesson.rng("example"), SHOTS)["10 points anywhere"]
x, y = example.x_support[0, :3], example.y_support[0, :3]
heads = {f"μ = {lam:g}": solve(wave(x), y, lam) for lam in (0.01, 1, 10)}
fits = {label: wave(example.x_query[0]) @ w for label, w in heads.items()}

# %% tags=["hide-input"]
off = [np.mean((fit - example.y_query[0]) ** 2) for fit in fits.values()]
dense = example.x_query[0], example.y_query[0]
lesson.save(
    figures.plot_fits((x, y), ([], []), dense, fits, "Three points, two features", "true sine"),
    "ridge",
    "Squared error of the oracle's features with lambda 0.01, 1 and 10: "
    f"{', '.join(f'{error:.2f}' for error in off)}.",
)

# %% [markdown]
"""
**In numbers.** One feature, one point: $f = 2$ at it, and $y = 6$; let $μ = 1$. Then
$(2 w − 6)^2 + w^2$ is smallest where $4 w − 12 + w = 0$: at $w = 2.4$. The function above gets
there from the other side: $A = f^2 + μ = 5$, $a = y / A = 1.2$, $w = f a = 2.4$.

On a query point with the feature 1 and $y = 3$ the loss is $(2.4 − 3)^2$. *Predict, then look:* to
lower it, should $f$ grow or shrink? (The output 2.4 is too low, and $w = f a$.)

<details><summary>Answer</summary>

It should shrink. A larger $f$ raises $f a$, but it also raises $A$, so that $a$ falls, and that is
more: $w = f y / (f^2 + μ)$ has the derivative $y / A − 2 f^2 y / A^2 = 1.2 − 1.92 = −0.72$. Who
treats $A$ as a constant gets 1.2 and moves the wrong way.
</details>

## The gradient through the solution

In general $F$ has a row of $D$ features for each of $K$ support points, and $F_q$ for the query
points. In $A = F F^⊤ + μ I$, $μ I$ is $μ$ on the diagonal and 0 elsewhere. With $a = A^{-1} y$ and
$w = F^⊤ a$, the outputs are $F_q w$. Let $L$ be the query loss, $δ$ its gradient with respect to
the outputs, and $g_w = F_q^⊤ δ$ that with respect to $w$. Where $F$ changes by a little, $dF$, $L$
changes by $dL = g_w^⊤ dw$:

| formula | reason |
|---|---|
| $dw = dF^⊤ a + F^⊤ da$ | $w = F^⊤ a$ |
| $da = −A^{-1} dA a$ | $A a = y$, so that $dA a + A da = 0$ |
| $dA = dF F^⊤ + F dF^⊤ + dμ I$ | $A = F F^⊤ + μ I$ |
| $g_w^⊤ F^⊤ da = −u^⊤ dA a$ | with $u = A^{-1} F g_w$; $A$ is symmetric |
| $dL = g_w^⊤ dF^⊤ a − u^⊤ dF w − u^⊤ F dF^⊤ a − dμ u^⊤ a$ | put together, with $F^⊤ a = w$ |
| $a g_w^⊤ − u w^⊤ − a (F^⊤ u)^⊤$ | what $dF$ is multiplied by, entry by entry |
| $−μ u^⊤ a$ | the same for $d log μ = dμ / μ$ |
| $δ w^⊤$ | for $F_q$, as in any linear layer |

$μ$ has to stay positive, so $log μ$ is what is learned. From $F$ and $F_q$ on, the network's own
backward pass (lesson 02) continues: there is a matrix to invert, $K$ by $K$, and no second
derivative. On 50 random problems the derivatives below are compared with the complex step.
"""


# %%
def by_hand(F, F_q, y, y_q, lam):
    A = F @ F.T + lam * np.eye(len(F))
    a = np.linalg.solve(A, y)
    w = F.T @ a
    g = 2 * (F_q @ w - y_q) / len(y_q)
    g_w = F_q.T @ g
    u = np.linalg.solve(A, F @ g_w)
    of_F = a @ g_w.T - u @ w.T - a @ (F.T @ u).T
    return of_F, g @ w.T, -lam * np.sum(u * a), a @ g_w.T  # the last: as if A were a constant


# %% tags=["hide-input"]
def loss_of(F, F_q, y, y_q, log_lam):
    a = np.linalg.solve(F @ F.T + np.exp(log_lam) * np.eye(len(F)), y)
    return np.mean((F_q @ F.T @ a - y_q) ** 2)


errors, rng = [], lesson.rng("random problems")
for _ in range(50):
    F, F_q, y, y_q = (rng.standard_normal(s) for s in ((4, 6), (5, 6), (4, 1), (5, 1)))
    log_lam = rng.uniform(-3, 1)
    of_F, of_F_q, of_log_lam, without_A = by_hand(F, F_q, y, y_q, np.exp(log_lam))
    exact_F = checks.complex_step(lambda F: loss_of(F, F_q, y, y_q, log_lam), F)
    exact_F_q = checks.complex_step(lambda F_q: loss_of(F, F_q, y, y_q, log_lam), F_q)
    exact = checks.complex_step(lambda s: loss_of(F, F_q, y, y_q, s[0]), np.array([log_lam]))
    pairs = (of_F, exact_F), (of_F_q, exact_F_q), (of_log_lam, exact), (without_A, exact_F)
    errors.append([checks.relative_error(np.ravel(a), np.ravel(b)) for a, b in pairs])
errors = np.array(errors)
names = "features", "query features", "log lambda", "features, A constant"
print("Relative error on 50 random problems: lowest and highest")
for name, column in zip(names, errors.T):
    print(f"  {name:22s} {column.min():.1e}  {column.max():.1e}")

theta = model.init(lesson.rng("initialisation"))
one_task = tasks.sample(lesson.rng("training tasks"), 1, SHOTS)
along = rng.standard_normal((20, model.n_params))
exact = checks.complex_step(lambda t: ridge_grad(model, t, one_task)[0], theta, along)
library_error = checks.relative_error(along @ ridge_grad(model, theta, one_task)[1], exact)
start = reader.init(lesson.rng("initialisation"))
along = rng.standard_normal((20, reader.n_params))
exact = checks.complex_step(lambda t: cnp_grad(reader, t, one_task)[0], start, along)
cnp_error = checks.relative_error(along @ cnp_grad(reader, start, one_task)[1], exact)
print(f"The library's ridge_grad: {library_error:.1e}; its cnp_grad (below): {cnp_error:.1e}")
assert max(errors[:, :3].max(), library_error, cnp_error) < 1e-8 < errors[:, 3].min()

# %% [markdown]
"""
## Train

The post's network gives the features: its 40 units of layer 2, and a 1. Adam moves the two layers
and $log μ$ along the gradient of 25 tasks a meta-step, 8,000 times, five networks side by side,
from the same random layers as in lesson 03. (Others who learned features through a ridge
regression: Bertinetto et al. 2019 for images, R2-D2; Harrison et al. 2018, by the likelihood,
ALPaCA.)

For *ridge, ten points* every task has ten support points; for *ridge head* their number is drawn
anew for each meta-step, from 1 to 10. The tasks are the same ones: the second learner sees the
first points of each.
"""


# %%
class FewerPoints:
    """The same tasks, with the first K of their support points: K is drawn for each batch."""

    def __init__(self, rng):
        self.rng = rng

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        batch = tasks.sample(rng, n_tasks, shots, query, grid)
        x, y, K = batch.x_support, batch.y_support, self.rng.integers(1, shots + 1)
        return batch._replace(x_support=x[..., :K, :], y_support=y[..., :K, :])


snapshots = {}


def train(label, meta_grad, model, start, steps, outer_lr, mark, fewer=True, ship=True):
    def run(iterations):
        progress = lesson.progress(label, iterations)

        def callback(iteration, theta, _):
            progress(iteration)
            if iteration + 1 == mark:
                snapshots[label] = theta

        source = FewerPoints(lesson.rng("numbers of points")) if fewer else tasks
        return meta_train(
            meta_grad, model, start, source, rng=lesson.rng("training tasks"), shots=SHOTS,
            iterations=iterations, meta_batch_size=TASKS, inner_lr=0.0,
            optimizer=Adam(outer_lr), callback=callback,
        )  # fmt: skip

    return lesson.trained(label, run, steps) if ship else run(steps)[0]


rng = lesson.rng("initialisation")
random = np.stack([network.init(rng, np.float32) for _ in range(SEEDS)])
rng = lesson.rng("initialisation")
unread = np.stack([reader.init(rng, np.float32) for _ in range(SEEDS)])


# %% tags=["hide-input"]
def by_parts(compute, batch, n=50):
    """Return compute(part of the batch) for parts of n tasks, joined along their axis."""
    parts = [TaskBatch(*(a[i : i + n] for a in batch)) for i in range(0, len(batch[0]), n)]
    return np.concatenate([compute(part) for part in parts], axis=1)


def predict(net, theta, batch, scale=1.0):
    """Return mean and standard deviation, (S, T, K_query, 1)."""
    if net is reader:
        return cnp_predict(net, theta, *batch[:3])
    mean, variance, _ = posterior(net, theta, *batch[:3])
    lam = np.exp(theta[:, -1]).reshape(-1, 1, 1, 1)
    return mean, np.sqrt(np.reshape(scale, (-1, 1, 1, 1)) * (variance + lam))


def solved(net, theta, batch, K):
    """Return the loss of each network and task (S, T) from the first K support points."""

    def compute(part):
        return np.mean((predict(net, theta, part)[0] - part.y_query) ** 2, axis=(-2, -1))

    return by_parts(compute, first(batch, K))


def stepped(theta, batch, K, rate, steps=10):
    """Return the same after steps of gradient descent of the post's network."""

    @np.errstate(all="ignore")  # a rate that is too high
    def compute(part):
        adapted = adapt(network, theta, part.x_support, part.y_support, rate, steps)
        outputs = network.forward(adapted, part.x_query.astype(theta.dtype)).z[-1]
        return np.mean((outputs - part.y_query) ** 2, axis=(-2, -1))

    return by_parts(compute, first(batch, K))


def first(batch, K):
    return batch._replace(x_support=batch.x_support[:, :K], y_support=batch.y_support[:, :K])


TUNED_AT = (1, 3, 10)
validation = tasks.sample(lesson.rng("validation tasks"), 200, SHOTS, query=50, grid=True)
GRID = {
    "ridge head": [{"outer_lr": r, "lam": lam} for r in (1e-3, 3e-3) for lam in (0.1, 1.0)],
    "CNP": [{"outer_lr": r, "width": n} for r in (1e-3, 3e-3) for n in (40, 64)],
}


def search_settings():
    """Return the validation losses of the grid, after a quarter of the meta-steps."""

    def loss(method, outer_lr, lam=None, width=None):
        if method == "CNP":
            n, rng = width, lesson.rng("initialisation")
            net = CNP(MLP([2, n, n, n]), MLP([n + 1, n, n, 2]))
            begin = np.stack([net.init(rng, np.float32) for _ in range(SEEDS)])
            theta = train(method, cnp_grad, net, begin, CNP_STEPS // 4, outer_lr, None)

            def at(K):
                part = first(validation, K)
                mean, _ = cnp_predict(net, theta, *part[:3])
                return np.mean((mean - part.y_query) ** 2, axis=(1, 2, 3))

            return np.mean([at(K) for K in TUNED_AT], axis=0)
        begin = model.join(random, lam)
        theta = train(method, ridge_grad, model, begin, RIDGE_STEPS // 4, outer_lr, None)
        losses = [solved(model, theta, validation, K).mean(axis=1) for K in TUNED_AT]
        return np.mean(losses, axis=0)

    found = search(GRID, loss)
    return f"a quarter of the meta-steps, mean loss at {TUNED_AT} points, 200 tasks\n{found}"


RECORDED = """
2026-11-26, python lessons/12_solve_the_head.py --tune, seed 1
a quarter of the meta-steps, mean loss at (1, 3, 10) points, 200 tasks
method      settings                  loss  (lowest-highest of 5 networks)
ridge head  outer_lr=0.003, lam=1.0   1.581 (1.531-1.643)
ridge head  outer_lr=0.003, lam=0.1   1.660 (1.585-1.713)
ridge head  outer_lr=0.001, lam=1.0   1.790 (1.704-1.867)
ridge head  outer_lr=0.001, lam=0.1   1.842 (1.736-1.900)
CNP         outer_lr=0.001, width=64  1.310 (1.246-1.366)
CNP         outer_lr=0.003, width=40  1.488 (1.337-1.812)
CNP         outer_lr=0.001, width=40  1.510 (1.406-1.629)
CNP         outer_lr=0.003, width=64  1.902 (1.287-3.862)
"""
lesson.settings(RECORDED, search_settings)

# %%
RIDGE, PROCESS = {"outer_lr": 3e-3, "lam": 1.0}, {"outer_lr": 1e-3}  # chosen in the folded cell
MARK = RIDGE_STEPS // 5  # by then as many tasks as MAML has seen in lessons 03 and 05: 40,000
begin = model.join(random, RIDGE["lam"])
ridge = functools.partial(
    train, meta_grad=ridge_grad, model=model, start=begin, steps=RIDGE_STEPS,
    outer_lr=RIDGE["outer_lr"], mark=MARK,
)  # fmt: skip
heads = {
    "ridge head": ridge("ridge head"),
    "ridge, ten points": ridge("ridge, ten points", fewer=False),
}

# %% tags=["hide-input"]
MAMLS = f"ridge, ten points, {MARK:,} meta-steps"
lams = {name: np.exp(theta[:, -1]) for name, theta in heads.items()}
heads[MAMLS] = snapshots.get("ridge, ten points")  # None where its losses are recorded
for name, of in lams.items():
    ends = f"{of.mean():.2g} ({of.min():.2g}-{of.max():.2g})"
    print(f"lambda, {name}: {ends}, from {RIDGE['lam']}")

# %% [markdown]
"""
## What it buys

The 1,000 test tasks of all lessons, with their first 1, 2, 3, 5 or all 10 support points, or 10
more. Next to the two ridge heads: MAML and Reptile as tuned in lesson 05, after ten steps;
*transfer*, lesson 02's body trained under 300 heads, with ridge regression for a head; MAML at the
post's settings, from lesson 03; and the oracle. The steps' rate and transfer's $μ$ are chosen anew
for each number of points (for 20, from ten), the best of six on validation tasks: the rates for ten
points diverge with one. The ridge heads have nothing to choose. (In training, ridge head and CNP
had four settings each, at a quarter of their meta-steps; in their lessons MAML and Reptile had
eight, transfer four. Not tuned: the network, and tasks per meta-step.)

*Predict, then look.* At ten points, is the ridge head 2, 10 or 100 times better than MAML? And
what does the one that was trained with ten points do with two?
"""

# %% tags=["hide-input"]
KS = (1, 2, 3, 5, 10, 20)
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
# ten more points of each wave, whose two weights the first ten tell exactly
more = lesson.rng("more points").uniform(-5, 5, (TEST_TASKS, max(KS) - SHOTS, 1))
more_y = wave(more) @ (np.linalg.pinv(wave(test.x_support)) @ test.y_support)
test = test._replace(
    x_support=np.concatenate((test.x_support, more), axis=1),
    y_support=np.concatenate((test.y_support, more_y), axis=1),
)
zero = np.mean(test.y_query**2)
MADE_IN = {  # the lesson, and the label there
    "MAML": ("05_reptile", "MAML, tuned"),
    "Reptile": ("05_reptile", "Reptile, tuned"),
    "MAML, post's": ("03_maml", "MAML"),
    "first-order MAML": ("04_first_order_maml", "first-order MAML, tuned"),
    "joint": ("03_maml", "joint"),
    "transfer, ten steps": ("02_transfer_learning", "transfer, MAML's budget"),
}
bodies = {name: lesson.trained_in(*made) for name, made in MADE_IN.items()}
bodies["random"] = random
STRENGTHS, RATES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0), (1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.04)
SOLVED = {
    "transfer": "transfer, ten steps",
    "MAML, solved": "MAML",
    "Reptile, solved": "Reptile",
    "random, solved": "random",
}
oracle = [
    np.mean((wave(test.x_query) @ (np.linalg.pinv(wave(test.x_support[:, :K]))
             @ test.y_support[:, :K]) - test.y_query) ** 2)
    for K in KS
]  # fmt: skip


def chosen(loss, choices):
    """Return the loss on the test tasks from K points, at each K, with the choice that has the
    lowest loss on the validation tasks, from as many of their ten points."""

    def at(K):
        found = [loss(choice, validation, min(K, SHOTS)).mean() for choice in choices]
        return loss(choices[int(np.argmin(np.nan_to_num(found, nan=np.inf)))], test, K)

    return np.stack([at(K) for K in KS])


@functools.cache
def losses(name):
    """Return the loss at each number of points: (6, S, T)."""
    if name in bodies:
        return chosen(lambda rate, batch, K: stepped(bodies[name], batch, K, rate), RATES)
    if name == "without its first":
        return np.stack([without_first(K) for K in KS])
    if name in SOLVED:
        body = bodies[SOLVED[name]]
        return chosen(
            lambda lam, batch, K: solved(model, model.join(body, lam), batch, K), STRENGTHS
        )
    net, theta = (model, heads[name]) if name in heads else (reader, readers[name]())
    return np.stack([solved(net, theta, test, K) for K in KS])


def judge(name):
    """Return the means of the five networks at each number of points, and half the interval of
    their mean over tasks: (6, S), (6,)."""

    def compute():
        of = losses(name).astype(float)
        half = confidence_halfwidth(of.swapaxes(0, 1))
        return np.concatenate((of.mean(axis=-1), half[:, None]), axis=1)

    if name not in judged:
        judged[name] = lesson.recorded(f"{name}, by points", compute)
    return judged[name][:, :-1], judged[name][:, -1]


def in_text(seeds):
    """Return the mean over the networks, and the lowest and highest, in text."""
    digits = 4 if seeds.mean() < 0.1 else 2
    return f"{seeds.mean():.{digits}f}", f"({seeds.min():.{digits}f}-{seeds.max():.{digits}f})"


def show(names):
    print(f"  {'points':31s}" + "".join(f"{K:>16d}" for K in KS))
    for name in names:
        for line, start in zip(zip(*map(in_text, judge(name)[0])), (name, "")):
            print(f"  {start:31s}" + "".join(f"{text:>16s}" for text in line))


def differ(one, other):
    """Print one less the other: its interval over tasks, and in how many pairs it is lower."""

    def compute():
        return confidence_halfwidth((losses(one) - losses(other)).swapaxes(0, 1))

    half = lesson.recorded(f"{one} less {other}", compute)
    difference = judge(one)[0] - judge(other)[0]
    words = (
        f"{K}: {d.mean():+.3f} +-{h:.3f}, {(d < 0).sum()} of {SEEDS}"
        for K, d, h in zip(KS, difference, half)
    )
    print(f"{one} less {other}, interval over tasks, in how many pairs lower")
    words = list(words)
    print("  " + "; ".join(words[:3]) + "\n  " + "; ".join(words[3:]))
    return (difference < 0).sum(axis=1)


readers, judged = {}, {}
SHOWN = ("ridge head", "ridge, ten points", "transfer", "MAML", "Reptile")
print(f"\nSquared error: mean of {SEEDS} networks (lowest-highest); to predict 0: {zero:.2f}")
show((*SHOWN, MAMLS, "MAML, post's"))
print("  oracle: " + ", ".join(f"{error:.2g}" for error in oracle))
print(
    "  half the interval over tasks at ten points: "
    + ", ".join(f"{name} {judge(name)[1][4]:.2g}" for name in judged)
)
below_maml = differ("ridge head", "MAML")
at_mamls_tasks = differ(MAMLS, "MAML")
few_below = differ("ridge head", "ridge, ten points")
LOOKS = {
    "ridge head": {"color": style.ORANGE, "linestyle": "--"},
    "ridge, ten points": {"color": style.GREY, "linestyle": (0, (6, 4))},
    "CNP": {"color": style.BLACK, "linestyle": ":"},
    "random": style.METHODS["random"],
    **{name: style.METHODS[name] for name in ("transfer", "MAML", "Reptile")},
}


@style.styled
def plot_by_points(names, title):
    """Draw the loss over the number of support points, on log axes."""
    figure, ax = style.new_figure(6.4, 4.2)
    labels = []
    for name in names:
        look = {**LOOKS[name], "marker": "o", "markersize": 3}
        labels.append(style.plot_seeds(ax, KS, judge(name)[0].T, name, **look))
    ax.axhline(zero, color=style.GREY, linewidth=1)
    ax.annotate("predict 0", (20, zero), (0, 3), textcoords="offset points", ha="right",
                color=style.GREY)  # fmt: skip
    ax.plot(KS[:2], (oracle[0], 1e-4), color=style.GREEN, linewidth=1)
    ax.annotate("oracle: 0 from 2 points on", (1.75, 0.0015), color=style.GREEN)
    ax.set(xscale="log", yscale="log", xlim=(1, 20), ylim=(1e-3, 20), title=title)
    ax.set_xticks(KS, KS)
    ax.minorticks_off()
    ax.set(xlabel="support points", ylabel="squared error on new points")
    style.label_ends(ax, labels)
    return figure


lesson.save(
    plot_by_points(SHOWN, f"Bands: all {SEEDS} networks"),
    "by_points",
    "Squared error from 1, 3 and 10 points: "
    + "; ".join(
        f"{name} {', '.join(f'{judge(name)[0][i].mean():.2g}' for i in (0, 2, 4))}"
        for name in SHOWN
    )
    + ".",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

With ten points the head trained for ten is 29 times better than MAML as tuned, 0.0077 against 0.22,
and 80 times better than MAML at the post's settings, 0.61, in all five pairs. It does not need more
tasks to be ahead: after 1,600 meta-steps it has seen as many as MAML, 40,000 with 20 points each,
and is at 0.020, 11 times better. But with two points it is worse than predicting 0, at 5.5, and
with one at 8.5.

The head trained with 1 to 10 points pays for its range at ten, 0.024, still 9 times better than
MAML; it is at 0.48 from three points and 2.0 from two. From a single point it is at 3.9, behind
MAML and Reptile, 3.5 and 3.1; the oracle has 2.1 there, as one point cannot tell two weights.
</details>

## Which features?

There are 41 features, and not two. But the outputs depend on them through their inner products
alone, and directions in which their squares are small beside $μ$ play little part. The *principal
functions* order the features' span by that: the first is the weighted sum of features, with weights
of total square 1, that has the largest squares on $[−5, 5]$; the next is the same among those
orthogonal to it. They are the left singular vectors $U$ of the features on a grid. *Predict, then
look.* How many of them does it take to write $sin x$ and $cos x$?
"""

# %%
grid = np.linspace(-5, 5, 201)[:, None]


def principal(theta):
    """Return the principal functions on the grid, in columns, and their shares of squares."""
    U, singular, _ = np.linalg.svd(model.features(theta, grid), full_matrices=False)
    return U, singular**2 / np.sum(singular**2)


def unexplained(U, n):  # the share of sin and cos that the first n principal functions leave
    left = wave(grid) - U[:, :n] @ (U[:, :n].T @ wave(grid))
    return np.sum(left**2, axis=0) / np.sum(wave(grid) ** 2, axis=0)


# %% tags=["hide-input"]
shares, left = {}, {}
FEATURES = {name: heads[name] for name in ("ridge head", "ridge, ten points")}
FEATURES |= {name: model.join(bodies[SOLVED.get(name, name)], 1.0)
             for name in ("transfer", "MAML", "Reptile", "random")}  # fmt: skip
print("\nShare of the features' squares in the first three principal functions; share of sin")
print("and of cos, in per cent, that the first 2, 3 and 5 leave unexplained: mean of networks")
for name, thetas in FEATURES.items():
    found = [principal(theta) for theta in thetas]
    shares[name] = np.mean([share[:3].sum() for _, share in found])
    left[name] = {n: 100 * np.array([unexplained(U, n) for U, _ in found]) for n in (2, 3, 5)}
    cells = (f"{of[:, 0].mean():5.1f} {of[:, 1].mean():5.1f}" for of in left[name].values())
    print(f"  {name:18s} {shares[name]:.3f}   " + "    ".join(cells))


@style.styled
def plot_features(theta):
    """Draw the first three principal functions, and their best fits to sin and cos."""
    U, share = principal(theta)
    fitted = U[:, :3] @ (U[:, :3].T @ wave(grid))
    figure, (one, other) = style.new_panels(2)
    x, drawn = grid[:, 0], []
    labels = [
        style.plot_line(one, x, U[:, i] * len(grid) ** 0.5, f"{share[i]:.0%}", **look)
        for i, look in zip(range(3), style.CYCLE)
    ]
    drawn.append((one, labels))
    labels = [style.plot_truth(other, x, wave(grid)[:, i], name)
              for i, name in enumerate(("sin", "cos"))]  # fmt: skip
    for i, look in zip(range(2), style.CYCLE):
        style.plot_line(other, x, fitted[:, i], "", **look)
    drawn.append((other, labels))
    one.set(title="Three principal functions", xlabel="x", xlim=(-5, 5))
    other.set(title="What they make of sin and cos", xlabel="x", xlim=(-5, 5))
    for ax, labels in drawn:
        style.label_ends(ax, labels)
    return figure


def without_first(K):
    """Return the loss of the ridge head from K points, without its first principal function."""
    part, of = first(test, K), []
    for theta in heads["ridge head"].astype(float):
        _, _, Vt = np.linalg.svd(model.features(theta, grid), full_matrices=False)
        F, F_q = (
            features - (features @ Vt[0])[..., None] * Vt[0]
            for features in (model.features(theta, x) for x in (part.x_support, part.x_query))
        )
        A = F @ F.swapaxes(-1, -2) + np.exp(theta[-1]) * np.eye(K)
        outputs = F_q @ (F.swapaxes(-1, -2) @ np.linalg.solve(A, part.y_support))
        of.append(np.mean((outputs - part.y_query) ** 2, axis=(-2, -1)))
    return np.array(of)


# the share of a constant that the first principal function explains
sums = [principal(theta)[0][:, 0].sum() for theta in heads["ridge head"]]
constant = np.square(sums) / len(grid)
print(f"A constant is its first to {constant.mean():.0%}; the ridge head without it:")
show(("ridge head", "without its first"))
three = left["ridge head"][3][0]
lesson.save(
    plot_features(heads["ridge head"][0]),
    "features",
    f"The first three principal functions of one ridge head leave {three[0]:.2g} % of sin "
    f"and {three[1]:.2g} % of cos; of MAML's features, "
    f"{left['MAML'][3][0, 0]:.0f} and {left['MAML'][3][0, 1]:.0f} %.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

Three: they leave 0.2 % of the ridge head's sine and cosine. The first, more than half of the
squares, is nearly a constant (97 % of a constant is explained by it); the other two are nearly the
waves. Nobody named them: they are what the query points of 200,000 tasks have in common. The head
trained with ten points takes five; after five, random features leave 6 % of the sine and 25 % of
the cosine, MAML's 2 and 3 %.

A constant is of no use for waves around 0, and a prior that expects one may be what costs the ridge
head its first points. So take that function away: from one point the loss falls from 3.9 to 2.5,
from two from 2.0 to 1.2. From three on it rises, to 1.7 at ten: the function is not exactly a
constant, and the waves need the rest of it.
</details>

Now swap the solvers: solve a head on the features of MAML, Reptile and random networks; and descend
for ten steps from the ridge head's features, with a head of zeros. Rates and $μ$ are chosen as
before. *Predict, then look:* whose features are good for what?
"""

# %% tags=["hide-input"]
zero_head = np.zeros((SEEDS, network.n_params - model.n_params + 1), np.float32)
bodies["ridge head, steps"] = np.concatenate((heads["ridge head"][:, :-1], zero_head), axis=1)
BOTH = {  # after ten steps, and with the head solved
    "MAML": ("MAML", "MAML, solved"),
    "Reptile": ("Reptile", "Reptile, solved"),
    "transfer": ("transfer, ten steps", "transfer"),
    "random": ("random", "random, solved"),
    "ridge head": ("ridge head, steps", "ridge head"),
}
lower = {}
print(f"\n{'At ten points':14s}{'ten steps':22s}   {'head solved':22s}   lower solved")
for name, (steps, solve_it) in BOTH.items():
    pair = [judge(which)[0][4] for which in (steps, solve_it)]
    lower[name] = (pair[1] < pair[0]).sum()
    ends = "   ".join(f"{' '.join(in_text(seeds)):22s}" for seeds in pair)
    print(f"  {name:12s}{ends}   {lower[name]} of {SEEDS}")

# %% [markdown]
"""
<details><summary>Answer</summary>

The ridge head's features are good for its own solver, 0.024, and not for ten steps, 0.52; the same
holds for transfer's, 0.21 and 0.83. Reptile's are better for steps, 0.25 against 0.38 solved, in
four of five pairs. MAML's, trained for three steps, do no worse when solved, 0.17 against 0.22,
lower in four of five pairs. Random features are poor either way, 2.5 and 3.9. Whether features are
good depends on the solver.
</details>

## Error bars

Ridge regression is also the mean of a posterior. Let the weights have the prior $N(0, τ^2 I)$,
independent and normal with variance $τ^2$, so that $f^⊤ w$, with $f$ the features at $x$, is a
random function of $x$; and let the noise of $y$ have the variance $μ τ^2$. Given the points, the
mean of that function is the ridge fit, and its variance is

$$ τ^2 (f^⊤ f − f^⊤ F^⊤ A^{-1} F f) $$

The first term is what is not known before, the second what the points have told. Only $τ$ is
missing, and has a closed form as well: the points of a task are likeliest for the value
$τ^2 = y^⊤ A^{-1} y / K$. The cell below takes its mean over validation tasks and $K = 1 … 10$.

MAML can be read so too: Grant et al. (2018) show that, for a linear model, a few steps from $θ$ are
the most likely weights under a Gaussian prior around $θ$, whose widths the rate and the number of
steps set. MAML learns the middle of that prior, the ridge head its form, and only the ridge head
computes the posterior's width.

*Predict, then look.* Where is the band wide with two points? With ten points that are all to the
right of 0?
"""


# %%
def prior_scale(theta):  # τ², for each network
    scales = []
    for K in range(1, SHOTS + 1):
        x, y = validation.x_support[:, :K], validation.y_support[:, :K]
        scales.append(posterior(model, theta, x, y, validation.x_query[:, :1])[2])
    return np.mean(scales, axis=(0, 2))


scale = prior_scale(heads["ridge head"])


@functools.cache
def cnp():  # the second learner: see below. It is large, and not shipped: what it does is
    return train(
        "CNP", cnp_grad, reader, unread, CNP_STEPS, mark=RIDGE_STEPS, ship=False, **PROCESS
    )


# %% tags=["hide-input"]
BAND = {"ridge head": (model, lambda: heads["ridge head"], scale), "CNP": (reader, cnp, 1.0)}
both = sine_examples(lesson.rng("example"), SHOTS)
few, sided = first(both["10 points anywhere"], 2), both["10 points on one side"]
EXAMPLES = {"two points": few, "three points": first(both["10 points anywhere"], 3),
            "ten points, one side": sided}  # fmt: skip


@style.styled
def plot_error_bars(name):
    """Draw the 95 % band of one network for each example; return the figure, and the mean width
    of each band to the left of 0."""
    net, trained, scale = BAND[name]

    def compute():
        theta, first_scale = trained()[:1], np.ravel(scale)[:1]
        of = [predict(net, theta, task, first_scale) for task in EXAMPLES.values()]
        return np.reshape(of, (len(of), 2, -1))

    bands = lesson.recorded(f"{name}, error bars", compute)
    figure, axes = style.new_panels(3)
    widths, drawn = {}, []
    for ax, (title, task), (mean, sd) in zip(axes, EXAMPLES.items(), bands):
        x, half = task.x_query[0, :, 0], 1.96 * sd
        labels = [style.plot_truth(ax, x, task.y_query[0, :, 0], "true")]
        labels.append(style.plot_line(ax, x, mean, "mean", color=style.BLUE, linestyle="-"))
        ax.fill_between(x, mean - half, mean + half, color=style.BLUE, alpha=0.15, linewidth=0)
        points = task.x_support.ravel(), task.y_support.ravel()
        ax.plot(*points, "o", color=style.BLACK, markersize=4.5)
        ax.set(xlabel="x", title=f"{name}: {title}", xlim=(-5, 5), ylim=(-9, 9))
        widths[title] = 2 * half[x < 0].mean()
        drawn.append((ax, labels))
    axes[0].set_ylabel("y")
    for ax, labels in drawn:
        style.label_ends(ax, labels)
    return figure, widths


for name in BAND:
    figure, widths = plot_error_bars(name)
    lesson.save(
        figure,
        f"error_bars_{name.replace(' ', '_').lower()}",
        f"Mean width of the 95 % band of the {name} to the left of 0: "
        + ", ".join(f"{width:.2g} ({title})" for title, width in widths.items())
        + ".",
    )
    if name == "ridge head":
        ridge_widths = widths

# %% [markdown]
"""
<details><summary>Answer</summary>

With two points it is narrow between them, as they are close, and near 3.5, a period later;
elsewhere it is wide, 3.0 on average to the left of 0. With ten points on the right it is narrow on
the left as well, 0.7, and rightly: ten points of a wave tell all of it. It is wide where points
leave the function open, and not wherever there are none.
</details>

## A network that reads

The other extreme solves nothing and descends nothing. A *conditional neural process* (CNP; Garnelo
et al. 2018) is two networks. The *encoder* takes one support point $(x_i, y_i)$ to a vector $r_i$;
their mean $r$ is all that is known of the task. The *decoder* takes $r$ and a query $x$ to a mean
$m$ and a standard deviation $s$ for $y$. Both are trained by the likelihood of the query points,
whose loss for one of $n$ points is $log s + (y − m)^2 / 2 s^2$ and a constant:

| with respect to | derivative | reason |
|---|---|---|
| $m$ | $(m − y) / (s^2 n)$ | a mean over $n$ points |
| $s$ | $(1 / s − (y − m)^2 / s^3) / n$ | $s = 0.05 + log(1 + e^o)$, of slope $1 / (1 + e^{−o})$ |
| the decoder's input | $δ_1 W_1^⊤$ | one layer further than usual: `tape.input_grad` |
| $r$ | the sum of its columns of that | each query point has read the same $r$ |
| $r_i$ | that, over $K$ | $r$ is a mean; the encoder's backward pass continues |

The third row is the only new one: a backward pass that goes on into the input. The check of all of
it against the complex step is printed above, beside the ridge head's. At test time the task's
points are an input like any other, as the examples in a language model's prompt are: *in-context
learning*. It gets 20,000 meta-steps, the first 8,000 on the ridge head's tasks, and has ten times
as many weights.

The band of either is a promise: the truth is in the 95 % band in 95 % of all cases, and in the 50 %
band in half of them. That can be counted, by the distance from the nearest support point too.
*Predict, then look.* Where is the CNP ahead of the ridge head? And who promises too much?
"""

# %% tags=["hide-input"]
EARLY = f"CNP, {RIDGE_STEPS:,} meta-steps"
readers |= {"CNP": cnp, EARLY: lambda: (cnp(), snapshots["CNP"])[1]}
print(f"\nSquared error: mean of {SEEDS} networks (lowest-highest)")
show(("CNP", EARLY, "ridge head", "MAML"))
lesson.save(
    plot_by_points(("CNP", "ridge head", "MAML"), f"Bands: all {SEEDS} networks"),
    "by_points_cnp",
    "Squared error from 1, 3 and 10 points: "
    + "; ".join(
        f"{name} {', '.join(f'{judge(name)[0][i].mean():.2g}' for i in (0, 2, 4))}"
        for name in ("CNP", "ridge head", "MAML")
    )
    + ".",
)
cnp_below_ridge, cnp_below_maml = differ("CNP", "ridge head"), differ("CNP", "MAML")

EDGES = np.array([0, 0.25, 0.5, 1, 2, 10])
MIDDLES = [f"{a:g}-{b:g}" for a, b in zip(EDGES, EDGES[1:-1])] + [f"over {EDGES[-2]:g}"]
LEVELS = {0.5: 0.6745, 0.95: 1.96}  # a normal variable is within that many standard deviations


def coverage(name, K):
    """Return how often the truth is within each band, by the distance of the query point from
    the nearest support point, and in all: (2, 6, S)."""
    net, trained, scale = BAND[name]
    part = first(test, K)

    def off(part):
        mean, sd = predict(net, trained(), part, scale)
        return (abs(mean - part.y_query) / sd)[..., 0]

    z = by_parts(off, part)
    gaps = abs(part.x_query - part.x_support.swapaxes(-1, -2)).min(axis=-1)
    places = [(gaps >= a) & (gaps < b) for a, b in zip(EDGES, EDGES[1:])]
    places.append(np.ones_like(gaps, bool))
    return np.array([[(z[:, p] < t).mean(axis=-1) for p in places] for t in LEVELS.values()])


covered = {
    (name, K): lesson.recorded(f"{name}, coverage, {K}", functools.partial(coverage, name, K))
    for name in BAND
    for K in KS
}
print("\nHow often the truth is inside, in per cent, by distance from the nearest of K points")
print(f"  {'':21s}" + "".join(f"{word:>9s}" for word in (*MIDDLES, "all")))
for level, i in ((0.95, 1), (0.5, 0)):
    for (name, K), of in covered.items():
        if K != 20:
            cells = "".join(f"{100 * share:9.0f}" for share in of[i].mean(axis=-1))
            print(f"  {level:4.0%} {name:10s} K={K:2d}" + cells)


@style.styled
def plot_coverage():
    """Draw how often the truth is inside each band, by distance, for three and ten points."""
    figure, axes = style.new_panels(2)
    drawn, x = [], np.arange(len(MIDDLES))
    for ax, name in zip(axes, BAND):
        looks, labels = iter(style.CYCLE), []
        for i, level in ((1, 0.95), (0, 0.5)):
            ax.axhline(level, color=style.GREY, linewidth=1)
            for K in (3, 10):
                seeds = covered[name, K][i, :-1].T
                label = f"{level:.0%}, {K} points"
                labels.append(style.plot_seeds(ax, x, seeds, label, **next(looks)))
        ax.set(ylim=(0, 1), xlim=(0, len(x) - 1), title=name)
        ax.set_xlabel("distance from the nearest point")
        ax.set_xticks(x, MIDDLES)
        drawn.append((ax, labels))
    axes[0].set_ylabel("share of new points inside")
    for ax, labels in drawn:
        style.label_ends(ax, labels)
    return figure


inside = {key: 100 * of[:, -1].mean(axis=-1) for key, of in covered.items()}
ends = [
    f"{name} with {K} points {inside[name, K][0]:.0f} and {inside[name, K][1]:.0f} %"
    for name in BAND
    for K in (3, 10)
]
ends = "; ".join(ends)
lesson.save(plot_coverage(), "coverage", f"Inside the 50 % and the 95 % band: {ends}.")

# %% [markdown]
"""
<details><summary>Answer</summary>

*Loss.* From one and two points the CNP is ahead, 2.4 and 0.86 against 3.9 and 2.0, in all pairs;
from three they are level; from five on the ridge head is, 0.024 against 0.073 at ten. MAML is
behind the CNP at every number. But the CNP learns slowly: after 8,000 meta-steps, on the ridge
head's tasks, it had 0.37 at ten, more than MAML. The best of its four settings is the largest
network of the grid: a larger one might do better.

*Promises.* On the whole the CNP holds them: with one to ten points, 92 to 96 % are inside its 95 %
band, 51 to 58 % inside the other. With one point, both are too wide near it, 100 and 88 %, and too
narrow 1 to 2 away, 85 and 43 %. The ridge head promises too much with one point, 83 %, and too
little with three, 97 and 70 %; with ten it is 92 and 65 %, as its errors have longer tails than a
normal variable, and farther than 0.25 from a point only nine in ten are inside. It has one $τ$ for
all numbers of points, and it was trained by the squared error, the CNP by the likelihood (as ALPaCA
is).
</details>

## All learners of the course

One table for sine waves: what each is told, what it costs to train (tasks, and points that go
through the network and back; a Hessian-vector product counts as two), what it costs on a new task,
and its squared error from 1, 3 and 10 points.
"""

# %% tags=["hide-input"]
TABLE = [  # name, told, tasks, million points, weights, at test
    ("random", "nothing", 0, 0, 1761, "10 gradients"),
    ("joint", "the tasks, as one", 40_000, 0.4, 1761, "10 gradients"),
    ("transfer, ten steps", "which task a point is of", 300, 0.8, 1761, "10 gradients"),
    ("transfer", "the same", 300, 0.8, 1761, "a 10 x 10 matrix"),
    ("first-order MAML", "tasks, and the solver", 40_000, 0.8, 1761, "10 gradients"),
    ("MAML, post's", "the same", 40_000, 1.6, 1761, "10 gradients"),
    ("MAML", "the same", 40_000, 4.0, 1761, "10 gradients"),
    ("Reptile", "the same", 40_000, 3.2, 1761, "10 gradients"),
    (MAMLS, "the same", 40_000, 0.8, 1721, "a 10 x 10 matrix"),
    ("ridge, ten points", "the same", 200_000, 4.0, 1721, "a 10 x 10 matrix"),
    ("ridge head", "the same", 200_000, 3.1, 1721, "a 10 x 10 matrix"),
    ("CNP", "tasks, but no solver", 500_000, 7.75, reader.n_params, "a forward pass"),
]
heading = f"{'':34s}{'told':26s}{'tasks':>8s}{'points':>7s}{'weights':>8s}  {'per task':17s}"
print(f"\n{heading}" + "".join(f"{f'K = {K}':>9s}" for K in (1, 3, 10)))


def row(name, told, seen, points, weights, cost, means):
    digits = [4 if 1e-9 < mean < 0.1 else 2 for mean in means]
    print(f"  {name:32s}{told:26s}{seen:>8s}{points:>7s}{weights:>8s}  {cost:17s}"
          + "".join(f"{mean:9.{n}f}" for mean, n in zip(means, digits)))  # fmt: skip


row("predict 0", "nothing", "", "", "", "", [zero] * 3)
for name, told, seen, points, weights, cost in TABLE:
    means = [judge(name)[0][i].mean() for i in (0, 2, 4)]
    short = name.replace(" meta-steps", " steps")
    row(short, told, f"{seen:,}", f"{points:.1f} M", f"{weights:,}", cost, means)
row("oracle", "the features", "", "", "2", "least squares", [oracle[i] for i in (0, 2, 4)])

# %% [markdown]
"""
<details><summary>How to read it</summary>

*What one is told* matters most: joint training, which does not hear which points belong to one
task, stays near the 4.2 of predicting 0. *The solver* is next: with as many tasks and points as
MAML at the post's settings, and half as many passes through the network, a ridge head has a
thirtieth of its loss at ten points, 0.020 against 0.61. *What was practised* is third: a head
trained with ten points alone fails with one. The CNP, which solves nothing, is the best learner
with one point and good with all, with ten times the weights and the most practice.

All of it is one kind of task, without noise. Its functions are weighted sums of two features, which
is what a ridge head can learn; on letters, lessons 13 and 14, the order may be another.
</details>

## What you should see
"""

# %% tags=["hide-input"]
worst = 1e12 * errors[:, :3].max()
lesson.expect("gradient through the solve off the complex step (x 1e-12)", worst, 0, 1)
lesson.expect("least error with A constant", errors[:, 3].min(), 0.05, 2)
lesson.expect("oracle from 1 point", oracle[0], 1.9, 2.4)
ridge_bounds = {1: (3.6, 4.2), 2: (1.8, 2.3), 3: (0.3, 0.7), 5: (0.04, 0.2), 10: (0.01, 0.05)}
for name, bounds in {
    "ridge head": ridge_bounds,
    "ridge, ten points": {1: (5, 12), 2: (2, 9), 3: (0.5, 6), 5: (0.05, 0.6), 10: (1e-3, 0.02)},
    MAMLS: {10: (0.01, 0.03)},
    "CNP": {1: (2.2, 2.7), 2: (0.75, 1.1), 3: (0.35, 0.6), 5: (0.13, 0.25), 10: (0.05, 0.11)},
    EARLY: {10: (0.2, 0.6)},
    "MAML": {1: (3.2, 3.8), 3: (1.2, 2.3), 10: (0.12, 0.45)},
    "MAML, post's": {10: (0.35, 1.1)},
    "Reptile": {1: (2.8, 3.6), 10: (0.15, 0.42)},
    "transfer": {10: (0.14, 0.3)},
    "MAML, solved": {10: (0.08, 0.45)},
    "Reptile, solved": {10: (0.15, 0.8)},
    "ridge head, steps": {10: (0.35, 0.7)},
    "random, solved": {10: (1.5, 3.6)},
    "without its first": {1: (2.1, 3), 2: (1, 1.7), 10: (1, 3)},
}.items():
    for K, (low, high) in bounds.items():
        points = f"{K} point{'s' * (K > 1)}"
        lesson.expect(f"{name}, from {points}", judge(name)[0][KS.index(K)].mean(), low, high)
ten = {name: judge(name)[0][4].mean() for name in (*heads, "MAML")}
lesson.expect("MAML over ridge, ten points", ten["MAML"] / ten["ridge, ten points"], 10, 120)
lesson.expect("MAML over the same after as many tasks", ten["MAML"] / ten[MAMLS], 6, 25)
lesson.expect("MAML over ridge head", ten["MAML"] / ten["ridge head"], 5, 25)
lesson.expect("ridge head below MAML, from 10 points: pairs of 5", below_maml[4], 5, 5)
lesson.expect("ridge head below MAML, from 1 point: pairs of 5", below_maml[0], 0, 1)
lesson.expect("the same after as many tasks below MAML: pairs of 5", at_mamls_tasks[4], 5, 5)
lesson.expect("CNP below ridge head, from 1 point: pairs of 5", cnp_below_ridge[0], 5, 5)
lesson.expect("CNP below ridge head, from 10 points: pairs of 5", cnp_below_ridge[4], 0, 0)
lesson.expect("MAML lower solved: pairs of 5", lower["MAML"], 2, 5)
for name, n in (("ridge head", 3), ("ridge, ten points", 5), ("MAML", 5), ("random", 5)):
    high = {"ridge head": 0.8, "ridge, ten points": 0.5, "MAML": 8, "random": 30}[name]
    lesson.expect(f"{name}: % of waves left by {n} functions", left[name][n].mean(), 0, high)
for name, bounds in {
    "ridge head": {1: (75, 90), 3: (93, 99.5), 10: (84, 97)},
    "CNP": {1: (88, 96), 3: (89, 97), 10: (92, 99)},
}.items():
    for K, (low, high) in bounds.items():
        lesson.expect(f"{name}: % in the 95 % band, K = {K}", inside[name, K][1], low, high)
for name, bounds in {"ridge head": (50, 80), "CNP": (48, 60)}.items():
    lesson.expect(f"{name}: % in the 50 % band, K = 10", inside[name, 10][0], *bounds)
lesson.end()
