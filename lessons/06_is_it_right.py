# %% [markdown]
"""
# Is it right? The autopsy of a meta-gradient

A meta-gradient can be wrong and nobody notices: nothing crashes, and the loss falls. This lesson
takes right and wrong ones apart, on sine waves and in ten lines of PyTorch.

What you'll learn: why a falling loss proves nothing; three ways to check a derivative, and what
each of them cannot see; to name a mistake by what a gradient is made of; which line of a PyTorch
program decides; and how large the second-order term is, layer by layer, while MAML trains.

What you need: lessons 03 and 04. Time: 40 minutes to read, half a minute to run.

    python lessons/06_is_it_right.py             the whole lesson
    python lessons/06_is_it_right.py --quick     the same with the networks of a full run
"""

# %% tags=["hide-input"]
import numpy as np

from tinymeta import (
    MLP, Adam, SineTasks, TaskBatch, checks, fomaml_grad, joint_grad, maml_grad, meta_loss,
    meta_train, reptile_grad,
)  # fmt: skip
from tinymeta.course import figures, style
from tinymeta.course.lesson import Lesson
from tinymeta.extras import autopsy
from tinymeta.tasks import Ahead

# %%
SHOTS = 10  # support points of a task, and as many query points
INNER_LR = 0.01  # α, the rate of the step on a task
SEEDS = 5  # networks, trained side by side: θ is (SEEDS, P)
lesson = Lesson(iterations=10_000, quick=300, watch="MAML, on the way", watched=2_000)
DRAWS = 200 if lesson.short else 1000  # pairs of a task and a direction
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
smooth = MLP([1, 40, 40, 1], "tanh")  # the same without kinks
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2π)

# %% [markdown]
"""
## A falling loss proves nothing

Five programs, A to E, want to do the same: MAML's meta-gradient $q − α H q$, where $q$ is the
gradient of the query loss at $θ' = θ − α g$, and $g$ and $H$ are gradient and Hessian of the
support loss at $θ$ (lesson 03). One is right. All train from the same five starts on the same
10,000 tasks, by Adam. The curves are of the loss that MAML descends: the query loss after one step,
on 200 other tasks. *Predict, then look:* which one is right, and how sure are you?
"""


# %%
def sign_turned(*arguments):
    loss, maml = maml_grad(*arguments)
    q = fomaml_grad(*arguments)[1]
    return loss, q - (maml - q)  # q + α H q


programs = {
    "A": autopsy.leaked(fomaml_grad),  # leaked: the support gradient g is added
    "B": maml_grad,
    "C": sign_turned,
    "D": autopsy.leaked(maml_grad),
    "E": fomaml_grad,
}

# %% tags=["hide-input"]
MARKS = 100, 300, 1000, 3000, 10_000  # meta-steps at which θ is kept
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng, np.float32) for _ in range(SEEDS)])
judges = tasks.sample(lesson.rng("validation tasks"), 200, SHOTS)


def on_the_way(meta_grad, label, iterations, marks=MARKS):
    kept, progress = [], lesson.progress(label, iterations)

    def keep(iteration, theta, loss):
        progress(iteration)
        if iteration + 1 in marks:
            kept.append(theta)

    _, history = meta_train(
        meta_grad, model, start, Ahead(tasks), rng=lesson.rng("training tasks"), shots=SHOTS,
        iterations=iterations, meta_batch_size=1, inner_lr=INNER_LR, optimizer=Adam(1e-3),
        callback=keep,
    )  # fmt: skip
    return np.stack(kept), history  # (marks, S, P), (iterations, S)


def judge(path):
    return np.stack([meta_loss(model, theta, judges, INNER_LR) for theta in (start, *path)])


maml_path = lesson.trained("MAML, on the way", lambda n: on_the_way(maml_grad, "B", n))
curves = {"B": judge(maml_path)}
for name in ("A", "C", "D", "E"):
    curves[name] = lesson.recorded(
        f"loss of {name}",
        lambda: judge(on_the_way(programs[name], name, lesson.iterations)[0]),
    )
marks = (0, *MARKS[: len(maml_path)])
last = {name: curve[-1] for name, curve in sorted(curves.items())}
print(f"\nQuery loss after one step on {len(judges.x_query)} tasks, {marks[-1]} meta-steps:")
print(f"  at the start      {curves['B'][0].mean():.2f}")
for name, losses in last.items():
    ends_of = f"({losses.min():.2f}-{losses.max():.2f})"
    below = np.sum(losses < last["B"])
    pairs = f", below B's in {below} of {SEEDS} pairs" if name != "B" else ""
    print(f"  {name}                 {losses.mean():.2f} {ends_of}{pairs}")
lesson.save(
    figures.plot_along_training(
        {name: dict(zip(marks, curves[name])) for name in sorted(curves)},
        f"Five programs for one meta-gradient; bands: all {SEEDS} networks",
        "query loss after one step",
    ),
    "falling_losses",
    f"After {marks[-1]} meta-steps the five are at "
    + ", ".join(f"{losses.mean():.2f} ({name})" for name, losses in last.items())
    + f"; all began at {curves['B'][0].mean():.2f}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

Four of five fall, and three of these four are wrong. B is MAML, at 1.99 (1.79 to 2.23 by network).
D is MAML with $g$ leaked in, as the post's notebook codes it, at 2.22 (1.93 to 2.42). B is the
lowest, in all 5 pairs (with --seed 1, D is below B in 2 of 5); whoever has D alone sees a training
that works. E drops the term, and A drops it and leaks. C, whose term has the wrong sign, is the
control: it rises.
</details>

## How to check a derivative

Smallest case: $f(w) = w^3$ at $w = 1$. Its value is 1, its slope 3, its curvature 6. By *Taylor's
theorem* $f(1 + e) = 1 + 3 e + 3 e^2 + …$, so that the more right terms are taken away, the faster
the remainder falls with $e$:

| $e$ | $f − 1$ | less $3 e$ | less $3 e^2$ too | a wrong slope, less $2.9 e$ |
|---|---|---|---|---|
| 0.1 | 0.331 | 0.031 | 0.001 | 0.041 |
| 0.05 | 0.157625 | 0.007625 | 0.000125 | 0.012625 |
| the first over the second | 2.1 | 4.1 | 8 | 3.2 |
| if $e$ goes on being halved | 2 | 4 | 8 | **2** |

On log axes: slopes of 1, 2 and 3, and 1 for the wrong one. The two other ways take one number each:

- *Central difference:* $(f(1 + d) − f(1 − d)) / 2d = 3 + d^2$. With a small $d$ it subtracts two
  numbers that are nearly equal, and rounding is divided by $d$.
- *Complex step:* with $i^2 = −1$, $(1 + i d)^3 = 1 + 3 i d − 3 d^2 − i d^3$, whose imaginary part
  over $d$ is $3 − d^2$. Nothing is subtracted, so $d = 10^{−20}$ will do: $d^2$ is 0 to rounding.

Now the meta-loss $L(θ)$, the query loss after a step, along a random direction $v$ of length 1. Its
slope along $v$ is $v$ times the meta-gradient, its curvature the complex step of that. *Predict,
then look:* which slope has first-order MAML's gradient? Does ReLU, straight but for kinks, have the
slopes of tanh?
"""

# %%
one_task = tasks.sample(lesson.rng("validation tasks"), 1, SHOTS)
theta = start[0].astype(float)  # proofs are in float64
v = lesson.rng("directions").standard_normal(model.n_params)
v /= np.linalg.norm(v)
steps = 0.25 / 2.0 ** np.arange(13)  # e


def remainders(net, alpha, meta_grad, second_order=False):
    """|L(θ + e v) − L(θ) − e slope − e² curvature / 2| for each e, the slope by meta_grad."""
    slope = meta_grad(net, theta, one_task, alpha)[1] @ v if meta_grad else 0
    curvature = 0
    if second_order:
        curvature = checks.complex_step(
            lambda t: meta_grad(net, t, one_task, alpha)[1] @ v, theta, v
        )
    L = np.array([meta_loss(net, theta + e * v, one_task, alpha) for e in (0, *steps)])
    return abs(L[1:] - L[0] - steps * slope - steps**2 * curvature / 2)


claims = {  # what is taken away from L(θ + e v)
    "value alone": (None,),
    "first-order MAML": (fomaml_grad,),
    "MAML": (maml_grad,),
    "MAML, curvature": (maml_grad, True),
}


# %% tags=["hide-input"]
def units_on(net, theta, batch, alpha):
    """Return which units are on, at the support points at θ and the query points at θ'."""
    after = theta - alpha * net.grad(theta, *batch[:2])
    tapes = net.forward(theta, batch.x_support), net.forward(after, batch.x_query)
    return [np.concatenate([z > 0 for z in tape.z[:-1]], axis=-1) for tape in tapes]


ALPHA = 0.1  # ten times the usual, so that the second-order term is large


def local_slopes(net, rest):
    """Return the slope from each e to the next, nan where what is left over is rounding."""
    L = meta_loss(net, theta, one_task, ALPHA)
    rest = np.where(rest > 50 * np.finfo(float).eps * L, rest, np.nan)
    return np.diff(np.log(rest)) / np.log(0.5)


@style.styled
def plot_taylor(panels, kink):
    figure, axes = style.new_figure(9.6, 3.8, len(panels), sharey=True)
    drawn = []
    for ax, (title, rows) in zip(axes, panels.items()):
        labels = []
        for (name, rest), look in zip(rows.items(), style.CYCLE):
            rest = np.where(rest > 0, rest, np.nan)
            ax.loglog(steps, rest, marker="o", markersize=3, **look)
            labels.append((rest[0], name, look["color"]))
        ax.set(xlim=(steps[-1], steps[0]), ylim=(1e-16, 2), title=title)
        ax.set_xlabel("e, the step along v")
        drawn.append((ax, labels))
    axes[1].axvline(kink, color=style.GREY, linestyle="-", linewidth=1.0)
    note = {"textcoords": "offset points", "color": style.GREY, "va": "bottom"}
    axes[1].annotate("kinks from here on", (kink, 1.5e-16), (4, 0), **note)
    axes[0].set_ylabel("left over")
    figures.label_panels(drawn)
    return figure


rows = {
    net: {name: remainders(net, ALPHA, *claim) for name, claim in claims.items()}
    for net in (smooth, model)
}
before = units_on(model, theta, one_task, ALPHA)
kinked = [
    any((a != b).any() for a, b in zip(before, units_on(model, theta + e * v, one_task, ALPHA)))
    for e in steps
]
free = max((i + 1 for i, crossed in enumerate(kinked) if crossed), default=0)
slopes = {}
print(f"\nSlopes of what is left over, alpha = {ALPHA}, lowest to highest over e:")
parts = {
    "tanh, the smaller half": (smooth, slice(6, None)),
    "ReLU, no kink": (model, slice(free, None)),
    "ReLU, kinks": (model, slice(None, free)),
}
for part, (net, where) in parts.items():
    for name, rest in rows[net].items():
        at = local_slopes(net, rest)[where]
        at = at[np.isfinite(at)]
        slopes[part, name] = at
        print(f"  {part:24s}{name:26s}{at.min():7.2f} to {at.max():.2f}")
right = [slopes["tanh, the smaller half", name] for name in ("MAML", "MAML, curvature")]
kinks = slopes["ReLU, kinks", "MAML, curvature"]
lesson.save(
    plot_taylor(
        {f"tanh, α = {ALPHA}": rows[smooth], f"ReLU, α = {ALPHA}": rows[model]},
        steps[free] * 2**0.5,
    ),
    "taylor",
    "With tanh the slopes are "
    f"{np.median(slopes['tanh, the smaller half', 'value alone']):.2f} for the value alone, "
    f"{np.median(slopes['tanh, the smaller half', 'first-order MAML']):.2f} "
    f"with first-order MAML's gradient, {np.median(right[0]):.2f} with MAML's and "
    f"{np.median(right[1]):.2f} with its curvature; with ReLU the last goes from "
    f"{kinks.min():.1f} to {kinks.max():.1f} where there are kinks.",
)

# %% [markdown]
"""
<details><summary>Answers</summary>

First-order MAML's gradient has the slope of no gradient at all, 1; MAML's has 2, and with its
curvature 3. With ReLU the same holds as long as no unit goes on or off between $θ$ and $θ + e v$,
up to e = 0.001. Beyond, the two remainders that had fallen faster jump up to about the height
of the other two, and stay there a while: it hardly matters what is taken away.
</details>

The loss itself is checked alike, by `checks.taylor_slopes`: its gradient, and its Hessian-vector
product. (It says nan where what is left over is rounding.) The control is a product without $f''$,
the activation's curvature, as in the public numpy-ml (`FullyConnected._bwd2`). On ReLU, whose $f''$
is 0, no check can see this mistake.
"""

# %%
no_curvature = MLP([1, 40, 40, 1], "tanh")  # its hvp leaves f'' out, and nothing else is wrong
no_curvature.activation_fn = smooth.activation_fn._replace(curvature=lambda z: 0)

# %% tags=["hide-input"]
x, y = one_task.x_support[0], one_task.y_support[0]
g = smooth.grad(theta, x, y)
taken = {
    "value alone": {},
    "gradient": {"grad": g},
    "gradient and H v": {"grad": g, "hessian_v": smooth.hvp(theta, x, y, v)},
    "H v without f''": {"grad": g, "hessian_v": no_curvature.hvp(theta, x, y, v)},
}
print("\nSlopes of the loss, tanh, e from 0.01 down:")
of_loss = {}
for name, known in taken.items():
    of_loss[name] = checks.taylor_slopes(lambda t: smooth.loss(t, x, y), theta, v, **known)
    print(f"  {name:18s}" + "".join(f"{slope:6.2f}" for slope in of_loss[name]))

# %% [markdown]
"""
## Where a difference is off: kinks

Why does it jump? Smallest case: one unit, $out = max(w, 0)$, and one point, $x = 1$,
$y = 1$, for support and query set. The loss is $(out − 1)^2$. *Predict, then look:* what do the
loss and the meta-loss do at $w = 0$?

| | loss | gradient | $θ'$, with $α = 0.1$ | meta-loss |
|---|---|---|---|---|
| $w$ just below 0 | 1 | 0: the unit is off | 0 | 1 |
| $w$ just above 0 | 1 | $2 (0 − 1) = −2$ | 0.2 | $(0.2 − 1)^2 = 0.64$ |

At a kink the loss bends. Its gradient jumps, so the step jumps, and the meta-loss *jumps*. A
difference across it divides the jump by $2d$. How often is one across it? 1,000 pairs of a task and
a direction of length 1, each step $d$, and two networks; beside the error, whether a unit is on at
one end and off at the other, on the support points at $θ$ or on the query points at $θ'$.
"""

# %% tags=["hide-input"]
draws = tasks.sample(lesson.rng("kinks"), (DRAWS, 1), SHOTS)  # one task each
rows_v = lesson.rng("kinks, directions").standard_normal((DRAWS, model.n_params))
rows_v /= np.linalg.norm(rows_v, axis=1, keepdims=True)
thetas = np.repeat(theta[None], DRAWS, axis=0)


def along(meta_grad, net):
    return (meta_grad(net, thetas, draws, INNER_LR)[1] * rows_v).sum(axis=1)


def off(got, want):
    return abs(got - want) / np.maximum(abs(got), abs(want))


def crossed(h):
    ahead, behind = (
        units_on(model, (thetas + side * h * rows_v)[:, None], draws, INNER_LR)
        for side in (1, -1)
    )
    return [(a != b).any(axis=(1, 2, 3)) for a, b in zip(ahead, behind)]


# %%
def central(net, h):
    ahead, behind = (
        meta_loss(net, thetas + side * h * rows_v, draws, INNER_LR) for side in (1, -1)
    )
    return (ahead - behind) / (2 * h)


hs = 10.0 ** np.arange(-8, -0.5)
exact = {net: along(maml_grad, net) for net in (model, smooth)}
errors = {net: np.array([off(central(net, h), exact[net]) for h in hs]) for net in exact}
by_points = np.array([crossed(h) for h in hs])  # (h, support or query, DRAWS)

# %% tags=["hide-input"]
LIMIT = 1e-4
kink = by_points.any(axis=1)
shares = {
    "ReLU": (errors[model] > LIMIT).mean(axis=1),
    "tanh": (errors[smooth] > LIMIT).mean(axis=1),
}
missed = (errors[model] > LIMIT) & ~kink
print(f"\nShare of {DRAWS} differences off by more than {LIMIT:g}, alpha = {INNER_LR}:")
print("  h         tanh    ReLU   a unit crosses   off with one   off without one")
for i, h in enumerate(hs):
    crosses = kink[i].sum()
    hit = f"{((errors[model][i] > LIMIT) & kink[i]).sum()} of {crosses}"
    miss = f"{missed[i].sum()} of {DRAWS - crosses}"
    print(
        f"  {h:.0e}{shares['tanh'][i]:8.3f}{shares['ReLU'][i]:8.3f}{kink[i].mean():13.3f}"
        f"{hit:>19s}{miss:>16s}"
    )
at = list(hs).index(hs[np.argmin(abs(hs - 1e-3))])
on_support, on_query = by_points[at]
median = {
    "support": np.median(errors[model][at][on_support]),
    "query alone": np.median(errors[model][at][on_query & ~on_support]),
}
print(
    f"At h = {hs[at]:.0e}, a unit crossing at a support point: off by {median['support']:.2f} "
    f"(median), at query points alone: {median['query alone']:.3f}"
)
by_complex_step = {
    net: off(meta_loss(net, thetas + 1e-20j * rows_v, draws, INNER_LR).imag / 1e-20, exact[net])
    for net in exact
}
worst = max(error.max() for error in by_complex_step.values())
print(f"maml_grad off the complex step, all draws, both networks: {worst:.0e} at most")


@style.styled
def plot_kinks():
    figure, (small, large) = style.new_figure(9.6, 3.6, 2)
    w = np.linspace(-0.5, 1, 301)
    after = np.where(w > 0, w - 0.2 * (w - 1), w)
    labels = []
    for at_w, name, look in (
        (w, "loss", {"color": style.BLUE, "linestyle": "--"}),
        (after, "meta-loss", {"color": style.ORANGE, "linestyle": "-"}),
    ):
        values = np.where(abs(w) < 1e-9, np.nan, (np.maximum(at_w, 0) - 1) ** 2)
        labels.append(style.plot_line(small, w, values, name, **look))
    small.set(xlim=(w[0], w[-1]), ylim=(0, 1.1), xlabel="w", title="One ReLU unit, α = 0.1")
    style.label_ends(small, labels)
    crossing = kink.mean(axis=1)
    ring = {"markerfacecolor": "none", "markersize": 9, "color": style.GREEN, "zorder": 4}
    large.plot(hs, np.where(crossing > 0, crossing, np.nan), "o", **ring)
    labels = [(crossing[-1], "a unit crosses (rings)", style.GREEN)]
    for (name, share), look in zip(shares.items(), style.CYCLE):
        share = np.where(share > 0, share, np.nan)
        dots = {"marker": "o", "markersize": 3.5, **look}
        labels.append(style.plot_line(large, hs, share, name, **dots))
    large.set(xscale="log", yscale="log", xlim=(hs[0], hs[-1]), ylim=(5e-4, 2), xlabel="h")
    large.set_title(f"Share of differences off by more than {LIMIT:g}")
    style.label_ends(large, labels)
    return figure


lesson.save(
    plot_kinks(),
    "kinks",
    f"At h = {hs[at]:.0e} the difference is off on {shares['ReLU'][at]:.1%} of the draws with "
    f"ReLU, where a unit crosses on {kink[at].mean():.1%}, and on "
    f"{shares['tanh'][at]:.1%} with tanh; the meta-loss of one unit jumps from 1 to 0.64.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

The loss only bends there, the meta-loss falls from 1 to 0.64 at once. At d = 0.001 a unit crosses
on 104 of 1,000 draws, and 103 of these differences are off; of the other 896 none is. The dose
fits: with a tenth of $d$ about a tenth of the draws are off, until rounding takes over. Crossings
at support points, where the meta-loss jumps, do far more harm (off by 0.72, median) than those at
query points alone, where it bends (0.004). With tanh none is off. The complex step does not leave
$θ$, so it crosses nothing. Hence: differences for tanh, at d = 1e-5; the complex step for both.
</details>

## How many checks does it take?

A difference has an error, so one must allow for some. *Predict, then look:* if a check along one
random direction lets pass whatever is at most 10 % off, how often does first-order MAML pass?
And one bias vector wrong, in a gradient of 1761 entries: who sees it?
"""

# %% tags=["hide-input"]
print("\nShare of one-direction checks that a gradient passes, ReLU, by what is allowed:")
passes = {}
tolerances = 1e-1, 1e-2, 1e-3, 1e-4, 1e-5
print("  at most off by  " + "".join(f"{t:>9.0e}" for t in tolerances))
for name, meta_grad in {"first-order MAML": fomaml_grad, "leaked": programs["D"]}.items():
    by_direction = off(along(meta_grad, model), exact[model])
    passes[name] = [(by_direction < t).mean() for t in tolerances]
    print(f"  {name:16s}" + "".join(f"{share:9.3f}" for share in passes[name]))

# %%
maml = maml_grad(smooth, theta, one_task, ALPHA)[1]
wrong = maml.copy()
smooth.unpack(wrong)[1][1][...] *= 2  # b2, as if its gradient were added twice
blocks = {
    f"{name}{layer}": part.ravel()
    for layer, pair in enumerate(smooth.unpack(np.arange(smooth.n_params)), start=1)
    for name, part in zip("Wb", pair)
}
print("\nCentral differences along one direction per block, tanh, h = 1e-5:")
print("  block  entries   maml_grad off   b2 doubled: off")
block_errors = {}
for name, where in blocks.items():
    u = np.zeros(smooth.n_params)
    u[where] = lesson.rng(name).standard_normal(len(where))
    u /= np.linalg.norm(u)
    want = checks.central_difference(lambda t: meta_loss(smooth, t, one_task, ALPHA), theta, u)
    block_errors[name] = [checks.relative_error(u @ grad, want) for grad in (maml, wrong)]
    right_off, wrong_off = block_errors[name]
    print(f"  {name:5s}{len(where):9d}{right_off:16.0e}{wrong_off:17.0e}")

# %% tags=["hide-input"]
total = checks.relative_error(wrong, maml)
chance = (1 - len(blocks["b2"]) / smooth.n_params) ** 20
print(f"  all of it: off by {total:.2f}; 20 random entries miss b2 in {chance:.0%} of cases")


def with_abs(t):
    return np.mean(abs(smooth.forward(t, x).z[-1] - y) ** 2)  # the loss, but for complex t


lost = np.imag(with_abs(theta + 1e-20j * v)) / 1e-20
print(f"\nComplex step through abs: {lost} instead of {g @ v:.4f}; checks.complex_step says")
try:
    checks.complex_step(with_abs, theta, v)
except ValueError as error:
    print("  " + str(error).partition(": abs")[0])

# %% [markdown]
"""
<details><summary>Answers</summary>

First-order MAML passes 28 % of the checks at 10 %, and 2 % at 1 %: along one random direction two
different gradients can be close. Take several directions, and allow 1e-6, which both numerical
derivatives reach. One direction per block sees the wrong bias, and where it is; in the whole it is
one number, 0.24, and 20 random entries miss all of b2 with a chance of 63 %.

The complex step has a blind spot as well: $|z|$, `conj` and `norm` drop the imaginary part, and
through `abs(out - y)**2` the derivative comes out as 0, with no error. `checks.complex_step`
compares with a real difference, and refuses.
</details>

## Am I really getting second-order gradients?

That was asked in facebookresearch/higher (issue 90) and never answered. `autopsy.examine` does: it
takes a meta-gradient function, yours, a model and a few tasks, builds MAML's gradient anew from
`model.grad` and its complex step alone, and fits yours by three parts: $q$, MAML's second-order
term ($−α H q$ after one step), and the support gradient $g$. For MAML they are 1, 1 and 0.

Seven candidates, two inner steps, the mean over four tasks. *Predict* their three parts:

| what was done | where it was found |
|---|---|
| nothing wrong | |
| no create_graph | dragen1860/MAML-Pytorch, issues 17, 26, 32 and 63 |
| leaking | the post's notebook, AdrienLE/ANIML: its "MAML" |
| leaking, first order | the same: its "first order" |
| f'' forgotten | numpy-ml, as above |
| one set for both losses | hereismari/tensorflow-maml, issue 4 |
| tasks added up | learn2learn, issue 232 |
"""

# %%
few = tasks.sample(lesson.rng("validation tasks"), 4, SHOTS)


def without_curvature(model, *rest):
    return maml_grad(no_curvature, *rest)


def on_the_same_points(model, theta, batch, *rest):
    return maml_grad(model, theta, TaskBatch(*batch[:2], *batch[:2]), *rest)


def summed(model, theta, batch, *rest):
    loss, grad = maml_grad(model, theta, batch, *rest)
    return loss, grad * len(batch.x_support)


candidates = {
    "nothing wrong": maml_grad, "no create_graph": fomaml_grad, "leaking": programs["D"],
    "leaking, first order": programs["A"], "f'' forgotten": without_curvature,
    "one set for both losses": on_the_same_points, "tasks added up": summed,
}  # fmt: skip
findings = {
    name: autopsy.examine(meta_grad, smooth, theta, few, inner_lr=ALPHA, inner_steps=2)
    for name, meta_grad in candidates.items()
}

# %% tags=["hide-input"]
leak = "with the support gradient leaked in"
right = [
    "yes: this is MAML, second order included", "no: this is first-order MAML",
    f"no: this is MAML {leak}", f"no: this is first-order MAML {leak}",
    "no: this is MAML with f'' missing",
    "no: this is MAML, inner and outer loss on the support points",
    "no: this is MAML, the sum over 4 tasks for their mean",
]  # fmt: skip
right_verdicts = sum(found.verdict == says for found, says in zip(findings.values(), right))
print("\nParts of q, of the second-order term, of g; what is none of them; off MAML's; verdict")
for name, found in findings.items():
    parts = "".join(f"{round(part, 2) + 0.0:6.2f}" for part in found.parts.values())
    away = found.errors["MAML"]
    print(f"  {name:24s}{parts}{found.residual:8.0e}{away:8.2g}   {found.verdict}")


@style.styled
def plot_parts():
    figure, ax = style.new_figure(7.6, 3.8)
    names = list(findings)
    looks = {
        "q, first order": ("o", style.BLUE), "second-order term": ("^", style.ORANGE),
        "support gradient": ("s", style.GREEN), "none of the three": ("x", style.BLACK),
    }  # fmt: skip
    for i, (part, (marker, color)) in enumerate(looks.items()):
        sizes = [(*found.parts.values(), found.residual)[i] for found in findings.values()]
        heights = np.arange(len(names)) + 0.27 - 0.18 * i
        ax.plot(sizes, heights, marker, color=color, markersize=6)
        place = (0.98, 0.60 - 0.08 * i)
        text = {"xycoords": "axes fraction", "color": color, "ha": "right", "weight": "bold"}
        ax.annotate(part, place, **text)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set(xlabel="how much of it there is", xlim=(-0.6, 4.4))
    ax.set_title("Seven meta-gradients, opened")
    return figure


missing, same_points = (findings[name] for name in ("f'' forgotten", "one set for both losses"))
lesson.save(
    plot_parts(),
    "parts",
    "The right one has parts 1, 1 and 0; without create_graph the second is "
    f"{abs(findings['no create_graph'].parts['second order']):.2f}; where it leaks the third "
    f"is {findings['leaking'].parts['support']:.2f}; with f'' forgotten "
    f"{missing.residual:.2f} of the gradient is none of the three, with one set for both "
    f"losses {same_points.residual:.2f}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

All seven verdicts are right. Three mistakes can be read off the parts: 1, 0, 0 is first-order MAML
(which many take for second order), here 0.76 off MAML's; a third part of 1 is the leak (from the
belief that two calls of `backward()` give MAML's gradient), 0.34 off; 4, 4, 0 is a sum over four
tasks. With $f''$ forgotten 0.14 of the gradient is none of the three; the verdict comes from a
comparison with a gradient that lacks $f''$ as well.
</details>

And what does the autopsy not see? *Predict its verdict* on four: $f''$ forgotten, for a ReLU
network; first-order MAML at a rate of 0; the sum over the tasks, of one task; and a function that
is right here, and whose caller then adds $g$ to the result, as an optimiser would find it in
`.grad`.
"""

# %% tags=["hide-input"]
one = few._replace(**{name: getattr(few, name)[:1] for name in few._fields})
relu_flat = MLP([1, 40, 40, 1])
relu_flat.activation_fn = model.activation_fn._replace(curvature=lambda z: 0)
blind = {
    "f'' forgotten, ReLU": (lambda m, *rest: maml_grad(relu_flat, *rest), model, few, ALPHA),
    "first order, rate 0": (fomaml_grad, smooth, few, 0.0),
    "summed, one task": (summed, smooth, one, ALPHA),
    "leaking afterwards": (maml_grad, smooth, few, ALPHA),
}
print("\nWhat the autopsy cannot see:")
unseen = {}
for name, (meta_grad, net, batch, rate) in blind.items():
    unseen[name] = autopsy.examine(meta_grad, net, theta, batch, rate, inner_steps=2)
    print(f"  {name:20s} {unseen[name].verdict.partition(';')[0]}")

# %% [markdown]
"""
<details><summary>Answer</summary>

Three times "yes", and once "cannot tell", since at a rate of 0 both are the same. Right for the
first, because ReLU has no $f''$ to forget: the mistake is waiting for tanh. So: tanh, a large rate,
two steps, several tasks; and hand over what the optimiser gets.
</details>

## Ten lines of PyTorch to recognise

The course needs no PyTorch, and this is **not run here**. (tests/benchmarks/torch_autopsy.py puts a
loop of yours under the autopsy; so was this one, with each of the changes below.) One task, one
step, `net` any network:

```python
def loss_at(params, x, y):
    return mse_loss(functional_call(net, params, (x,)), y)

params = dict(net.named_parameters())
g = torch.autograd.grad(loss_at(params, x, y), params.values(), create_graph=True)     # 1
adapted = {name: p - alpha * g_p for (name, p), g_p in zip(params.items(), g)}         # 2
loss = loss_at(adapted, x_query, y_query)
meta_gradient = torch.autograd.grad(loss, params.values())                             # 3
for p, m in zip(params.values(), meta_gradient):
    p.grad = m                                                                         # 4
```

Line 1 is the difference. With `create_graph=True` it returns $g$ as a function of `params`, so that
line 3 differentiates through it too; without, $g$ is a constant. *Predict* the gradient that each
of these changes makes:

| changed | |
|---|---|
| 1 without `create_graph=True` | a |
| 2 with `g_p.detach()` | b |
| 1 as `loss_at(…).backward(create_graph=True)`, 2 with `p.grad`, 3 as `loss.backward()` | c |
| 2 with `p.detach() - alpha * g_p` | d |
| 2 with `(p - alpha * g_p).detach()` | e |

<details><summary>Answer</summary>

a and b: $q$, first-order MAML; there is no error, and the loss falls. c: the leak, $q − α H q + g$,
for both calls of `backward()` add to `p.grad`; `optimizer.zero_grad()` between 2 and 3 mends it.
(Without `create_graph` as well: $q + g$, the notebook's "first order".) d: $−α H q$ alone, since
only $g$ is still a function of `params`. e: an error, "does not require grad".
</details>

With `torch.func`, lines 1 and 2 stand in a function `meta_loss(params)`, $g$ is
`torch.func.grad(loss_at)(params, x, y)`, and line 3 is `torch.func.grad(meta_loss)(params)`. That
is second order with no flag, and does not leak, since nothing adds to a `.grad`; `.detach()` on $g$
makes first-order MAML of it.

## What a meta-gradient is made of

Now the right one, on the way: the networks of B at five marks, and those of lesson 03, which are
the same training after 40,000 meta-steps. For one batch of 100 tasks, the gradients of lessons 02
to 05 and, alone, the second-order term: of each, layer by layer (`autopsy.per_layer_cosines`), its
length and its cosine with MAML's. (Reptile takes the post's three steps.) *Predict, then look:*
"ReLU has $f'' = 0$, so $H = 0$, so the term is 0" (misconception 3). How long is it? Does it grow?
"""

# %% tags=["hide-input"]
END = lesson.iterations if lesson.short else 40_000


def to_the_end(iterations):
    path, history = on_the_way(maml_grad, "MAML", iterations, marks=(iterations,))
    return path[-1], history


ends = lesson.trained("MAML", to_the_end, END, origin="03_maml")  # lesson 03's, if seed 0
probe = tasks.sample(lesson.rng("validation tasks"), 100, SHOTS)


def dissect(theta, alpha=INNER_LR):
    """Return {gradient: (layers + 1, 2)} at θ (P,): length and cosine with MAML's, by layer."""
    vectors = {
        "joint": joint_grad(model, theta, probe, alpha)[1],
        "Reptile": reptile_grad(model, theta, probe, alpha, 3)[1],
        "first-order MAML": fomaml_grad(model, theta, probe, alpha)[1],
        "MAML": maml_grad(model, theta, probe, alpha)[1],
    }
    vectors["second-order term"] = vectors["MAML"] - vectors["first-order MAML"]
    by_layer = autopsy.per_layer_cosines(model, vectors, vectors["MAML"])
    return {name: np.array(rows) for name, rows in by_layer.items()}


def term_over_maml(found, layer):
    return found["second-order term"][layer, 0] / found["MAML"][layer, 0]


kept = {0: start, **dict(zip(marks[1:], maml_path)), END: ends}
anatomy = {
    mark: [dissect(theta.astype(float)) for theta in thetas] for mark, thetas in kept.items()
}
for mark in (0, END):
    print(f"\nAfter {mark} meta-steps: length, cosine with MAML's gradient (mean of {SEEDS})")
    heads = "".join(f"{head:>16s}" for head in ("layer 1", "layer 2", "layer 3", "all"))
    print(f"  {'':18s}{heads}")
    for name in anatomy[mark][0]:
        rows = np.mean([found[name] for found in anatomy[mark]], axis=0)
        cells = "".join(f"{length:9.2f}{cosine:7.2f}" for length, cosine in rows)
        print(f"  {name:18s}{cells}")
share = {
    mark: np.array([term_over_maml(found, 3) for found in founds])
    for mark, founds in anatomy.items()
}
cosine = {
    name: {
        mark: np.array([found[name][3, 1] for found in founds])
        for mark, founds in anatomy.items()
    }
    for name in ("joint", "Reptile", "first-order MAML")
}
no_rate = max(term_over_maml(dissect(theta.astype(float), alpha=0.0), 3) for theta in start)
print("\nThe term over MAML's gradient (lowest-highest network):")
for mark, shares_at in share.items():
    ends_of = f"({shares_at.min():.2f}-{shares_at.max():.2f})"
    print(f"  after {mark:6d} meta-steps {shares_at.mean():.2f} {ends_of}")
print(f"  at a rate of 0, the control: {no_rate:g}")
ratio = {
    f"layer {layer + 1}": {
        mark: [term_over_maml(found, layer) for found in founds]
        for mark, founds in anatomy.items()
    }
    for layer in range(3)
}
lesson.save(
    figures.plot_along_training(
        ratio, "The second-order term, while MAML trains", "its length over the gradient's"
    ),
    "term",
    f"The second-order term is {share[0].mean():.2f} of the meta-gradient's length at random "
    f"weights and {share[END].mean():.2f} after {END} meta-steps.",
)
lesson.save(
    figures.plot_along_training(cosine, "Cosine with MAML's, while MAML trains", "cosine"),
    "cosines",
    "Cosine with MAML's gradient at random weights and at the end: "
    + "; ".join(f"{n} {c[0].mean():.2f} and {c[END].mean():.2f}" for n, c in cosine.items())
    + ".",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

It is 0.45 of the gradient's length at random weights (0.25 to 0.72 by network), 0.79 after 1,000
meta-steps and 0.69 (0.65 to 0.71) after 40,000: it goes up and down, at no mark below where it
began, and in no layer is it small. At a rate of 0, the control, it is 0. So $H$ is not 0 where
$f''$ is: a ReLU network is linear in each weight matrix, not in two (lesson 03). In layer 3 the
term points against MAML's gradient (cosine −0.44, and −0.49 in the end), where $q$ alone is 1.3,
and in the end 1.7 times as long as MAML's. First-order MAML's cosine falls from 0.94 to 0.84. The
joint gradient's is 0.48 in the end, Reptile's 0.58. With --seed 1 and 2 the term is longer in the
end than at the start as well, 0.27 and 0.59, 0.33 and 0.81.
</details>

## Which check when

| you have | take | it cannot see |
|---|---|---|
| a loss that takes complex numbers | the complex step, per block | `abs`, `conj`, `norm` |
| real numbers only | central differences, tanh, d = 1e-5, per block | errors below 1e-6; kinks |
| a doubt: value, gradient or Hessian? | Taylor's slopes, tanh | in which block the error is |
| somebody's meta-gradient | `autopsy.examine` | what happens to it afterwards |

And beside each of them a gradient that has to fail.

## What you should see
"""

# %% tags=["hide-input"]
from_start = {name: losses.mean() / curves["B"][0].mean() for name, losses in last.items()}
lesson.expect("MAML's loss over the start's", from_start["B"], 0.4, 0.65)
lesson.expect("leaked MAML's loss over the start's", from_start["D"], 0.4, 0.8)
lesson.expect("first-order MAML's loss over the start's", from_start["E"], 0.5, 0.85)
lesson.expect("loss over the start's, sign of the term turned", from_start["C"], 1, 1.1)
lesson.expect("leaked MAML's loss over MAML's", from_start["D"] / from_start["B"], 0.95, 1.4)
for name, order in (("first-order MAML", 1), ("MAML", 2), ("MAML, curvature", 3)):
    measured = np.median(slopes["tanh, the smaller half", name])
    lesson.expect(f"slope of the meta-loss, tanh, {name}", measured, order - 0.1, order + 0.1)
measured = np.median(slopes["ReLU, no kink", "MAML"])
lesson.expect("slope of the meta-loss, ReLU before the kinks, MAML", measured, 1.9, 2.1)
lesson.expect("ReLU among the kinks, slope farthest from 3", abs(kinks - 3).max(), 1, 60)
for name, order in (("gradient and H v", 3), ("H v without f''", 2)):
    measured = np.nanmedian(of_loss[name])
    lesson.expect(f"slope of the loss, tanh, {name}", measured, order - 0.2, order + 0.2)
lesson.expect("differences off at h = 0.001, ReLU", shares["ReLU"][at], 0.02, 0.35)
lesson.expect("differences off at h = 0.001, tanh", shares["tanh"][at], 0, 0.01)
off_with = (errors[model][at] > LIMIT)[kink[at]].mean()
lesson.expect("the same where a unit crosses, ReLU", off_with, 0.95, 1)
lesson.expect("the same where none does, ReLU", missed[at].sum() / (~kink[at]).sum(), 0, 0.01)
lesson.expect("error where one crosses at a support point", median["support"], 0.1, 1.2)
bent = median["query alone"]
lesson.expect("error where one crosses at query points alone", bent, 0.0005, 0.03)
lesson.expect("maml_grad off the complex step, worst draw (x 1e-9)", worst * 1e9, 0, 1)
passed = passes["first-order MAML"]
lesson.expect("share of checks at 10 % that first-order MAML passes", passed[0], 0.15, 0.45)
lesson.expect("share of checks at 0.01 % that it passes", passed[3], 0, 0.005)
worst_block = max(error for error, _ in block_errors.values())
lesson.expect("maml_grad off differences, worst block (x 1e-7)", worst_block * 1e7, 0, 1)
lesson.expect("doubled b2 off differences, in its block", block_errors["b2"][1], 0.499, 0.501)
lesson.expect("right verdicts of 7", right_verdicts, 7, 7)
term = "second-order term over MAML's gradient"
lesson.expect(f"{term}, at the start", share[0].mean(), 0.15, 0.65)
lesson.expect(f"{term}, trained", share[END].mean(), 0.35, 1.1)
of_joint = cosine["joint"][END].mean()
lesson.expect("cosine of joint and MAML's gradient, trained", of_joint, 0.1, 0.75)
at_start, trained = (cosine["first-order MAML"][mark].mean() for mark in (0, END))
lesson.expect("cosine of first-order and MAML's gradient, at the start", at_start, 0.88, 1)
lesson.expect("cosine of first-order and MAML's gradient, trained", trained, 0.4, 0.97)
lesson.end()
