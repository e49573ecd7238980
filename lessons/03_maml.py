# %% [markdown]
"""
# Learn an initialisation by MAML

The post's section "MAML". Model-agnostic meta-learning (Finn, Abbeel & Levine 2017) looks for an
initialisation from which a few steps of gradient descent on 10 points fit a sine wave never seen.

What you'll learn: MAML's three steps; why a gradient of a gradient appears, and why it costs a
product and never a matrix; how to prove a meta-gradient right; what it buys.

What you need: the chain rule; what a gradient step is. Time: 60 minutes to read, one to run.

    python lessons/03_maml.py             the whole lesson
    python lessons/03_maml.py --quick     the same in 10 s, with the networks of a full run

The post opens with a contrast. "Learning to Learn by Gradient Descent by Gradient Descent"
(Andrychowicz et al. 2016) learns an *optimiser*: a recurrent network reads gradients and writes
steps. MAML keeps gradient descent and learns *where it starts*. Both differentiate through steps,
for which the post's model is built "in a weird way": layers that own their weights had to be
written anew. Here a model holds none: they are a vector $θ$ (theta), and a step gives another.
"""

# %% tags=["hide-input"]
import itertools

import numpy as np

from tinymeta import (
    MLP, Adam, SineTasks, adapt, adaptation_curve, checks, fomaml_grad, joint_grad,
    maml_grad, meta_loss, meta_train,
)
from tinymeta.course import figures, style, tuning
from tinymeta.course.examples import left_side, sine_examples
from tinymeta.course.lesson import Lesson
from tinymeta.extras.statistics import summarize, table
from tinymeta.tasks import Views

# %%
SHOTS = 10  # support points of a task, and as many query points
INNER_LR = 0.01  # α, the rate of the step on a task
SEEDS = 5  # networks, trained side by side: θ is (SEEDS, P)
lesson = Lesson(iterations=40_000, quick=4_000)
TEST_TASKS = 100 if lesson.short else 1000  # the same for every method
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2π)

# %% [markdown]
"""
## Three steps

A *task*, here one sine wave, is known by two sets of points: one learns on its *support* points and
is judged on its *query* points (the post's "training" and "test set"). For each task MAML

1. takes one step of gradient descent on the support points, from the initialisation $θ$ to $θ'$;
2. takes the gradient of the query loss at $θ'$;
3. carries it back: how does the query loss *after* the step change if the point *before* it moves?

A picture of the three, for the smallest network that shows them: two weights, output $w_2 w_1 x$.

*Predict, then look.* The bold arrow at $θ'$, $−q$, points where the query loss falls fastest.
Should $θ$ move along the same arrow?
"""

# %% tags=["hide-input"]
STEP = 0.15  # the rate of the step in the picture


def slope_grad(w, s):
    """Return the gradient of (w2 w1 - s)^2, the loss of the task y = s x at x = 1."""
    return 2 * (w[1] * w[0] - s) * w[::-1]


def slope_hessian(w, s):
    both = w[::-1]
    return 2 * np.outer(both, both) + 2 * (w[1] * w[0] - s) * np.array([[0, 1], [1, 0]])


@style.styled
def plot_two_weights(at, steps):
    figure, ax = style.new_figure(6.4, 4.6)
    w1, w2 = np.meshgrid(np.linspace(-0.75, 1.75, 200), np.linspace(0.3, 2.0, 200))
    looks = [(style.BLUE, "-"), (style.ORANGE, "--")]
    for (s, (after, q, back)), (color, linestyle) in zip(steps.items(), looks):
        name = f"y = {s} x" if s != -1 else "y = -x"
        look = {"colors": color, "linestyles": linestyle, "alpha": 0.45}
        ax.contour(w1, w2, (w2 * w1 - s) ** 2, [0.2, 1, 2.5], linewidths=0.8, **look)
        ax.contour(w1, w2, w2 * w1, [s], linewidths=2.5, **look)  # where the loss is 0
        ax.plot(*np.stack((at, after)).T, ":", color=color)
        ax.plot(*after, "o", color=color, markersize=6)
        arrow = {"angles": "xy", "scale_units": "xy", "scale": 1 / 0.22, "zorder": 3}
        ax.quiver(*after, *-q, color=color, width=0.009, **arrow)
        ax.quiver(*at, *-q, color=color, width=0.004, alpha=0.4, **arrow)
        ax.quiver(*at, *-back, color=color, width=0.009, **arrow)
        below = (6, -16) if s == 2 else (-10, -18)
        ax.annotate(f"θ' for {name}", after, below, textcoords="offset points", color=color)
    ax.plot(*at, "s", color=style.BLACK, markersize=7, zorder=4)
    ax.annotate("θ", at, (4, -18), textcoords="offset points")
    notes = [((1.30, 1.62), "-q", style.BLUE), ((-0.4, 0.82), "-q", style.ORANGE)]
    notes += [((0.62, 1.52), "carried back", style.BLUE), ((1.02, 1.93), "loss 0", style.BLUE)]
    notes += [((0, 1.27), "carried back", style.ORANGE), ((-0.5, 1.9), "loss 0", style.ORANGE)]
    for place, text, color in notes:
        ax.annotate(text, place, color=color)
    ax.set(aspect="equal", xlabel="w1", ylabel="w2", title="Contours of the loss of two tasks")
    return figure


at, steps, turned, stretched = np.array([0.5, 1.0]), {}, {}, {}
for s in (2, -1):
    after = at - STEP * slope_grad(at, s)
    q = slope_grad(after, s)
    back = q - STEP * slope_hessian(at, s) @ q
    steps[s] = after, q, back
    turned[s] = np.degrees(np.arccos(checks.cosine(q, back)))
    stretched[s] = np.linalg.norm(back) / np.linalg.norm(q)
lesson.save(
    plot_two_weights(at, steps),
    "two_weights",
    f"Carried back to theta, the arrow of y = 2 x is turned by {turned[2]:.0f} degrees and "
    f"{stretched[2]:.2f} times as long, that of y = -x by {turned[-1]:.0f} degrees and "
    f"{stretched[-1]:.2f} times.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

No. The thin arrows at $θ$ do that; the bold ones are right. If $θ$ moves, the gradient there is
another one, so the step from it changes too, and $θ'$ moves otherwise than $θ$.
</details>

In symbols, the step is $θ' = θ − α g$: $g$ is the gradient of the support loss at $θ$, $α$ (alpha)
the rate. Let $q$ be the gradient of the query loss at $θ'$, and $H$, the *Hessian* of the support
loss at $θ$, the matrix that says how fast each entry of $g$ changes as each weight moves. If $θ$
moves by a small $d$, then $g$ changes by $H d$, and $θ'$ moves by $(I − α H) d$, where $I$ is the
identity: it leaves $d$ as it is. The query loss changes by $q^⊤ (I − α H) d$. So its gradient is

$$ (I − α H)^⊤ q = (I − α H) q = q − α H q $$

The first equality needs that $H$ is symmetric: the order of two derivatives does not matter.

- *Never a matrix.* $H$ has 1761 × 1761 entries here, and only the vector $H q$ is needed.
- *Never a tenth derivative.* In ten steps, $θ_{s+1} = θ_s − α g(θ_s)$, gradients are taken at
  points that gradients led to: one fears a tenth derivative. But nesting is not differentiating: we
  differentiate once, and the chain rule gives one factor $I − α H_s$ per step, with $H_s$ the
  Hessian at $θ_s$. So from $q$ on, last step first, $v ← v − H_s (α v)$.
"""

# %%
theta = model.init(lesson.rng("initialisation"))
one_task = tasks.sample(lesson.rng("training tasks"), 1, SHOTS)
x, y, x_query, y_query = (array[0] for array in one_task)
k = 2  # inner steps


def maml_by_hand(theta, inner_lr, inner_steps):
    tapes = []
    for _ in range(inner_steps):
        step = model.backprop(theta, x, y)  # the gradient g_s, and on its tape what H_s needs
        tapes.append(step.tape)
        theta = theta - inner_lr * step.grad
    loss, v = model.loss_and_grad(theta, x_query, y_query)
    for tape in reversed(tapes):
        v -= model.rop(tape, inner_lr * v)  # H_s (α v), the subject of the next two sections
    return loss, v


by_hand = maml_by_hand(theta, INNER_LR, k)[1]

# %% tags=["hide-input"]
library = maml_grad(model, theta, one_task, INNER_LR, k)[1]
by_hand_error = checks.relative_error(by_hand, library)
print(f"\nMAML by hand, {k} inner steps: off the library's maml_grad by {by_hand_error:.0e}")
assert by_hand_error < 1e-12

# %% [markdown]
"""
## The product of two weights, in numbers

Again $out = w_2 w_1 x$, with $w = (1, 2)$ and one support point, $x = 1$, $y = 3$. So $out = 2$,
the residual $out − y$ is −1, and the loss its square. $H$ has two parts: 2 times the product of
$out$'s two derivatives, $w_2 x = 2$ and $w_1 x = 1$, with each other; and 2 times the residual
times $out$'s second derivatives, of which only the mixed one, $x = 1$, is not 0. Row by row:

$$ H = 2 (4, 2; 2, 1) + 2 · (−1) · (0, 1; 1, 0) = (8, 2; 2, 2),   H v = (10, 4) for v = (1, 1) $$

Without $H$: let $R(a)$ be how fast any $a$ changes as $w$ moves along $v$. It is a derivative.

| the pass | value | how fast it changes | value |
|---|---|---|---|
| $h = w_1 x$ | 1 | $R(h) = v_1 x$ | 1 |
| $out = w_2 h$ | 2 | $R(out) = v_2 h + w_2 R(h)$ | 1 + 2 = 3 |
| $δ = 2 (out − y)$ | −2 | $R(δ) = 2 R(out)$ | 6 |
| $g_1 = δ w_2 x$ | −4 | $R(g_1) = R(δ) w_2 x + δ v_2 x$ | 12 − 2 = **10** |
| $g_2 = δ h$ | −2 | $R(g_2) = R(δ) h + δ R(h)$ | 6 − 2 = **4** |

The *complex step* needs no rule: move $w$ by a tiny imaginary multiple of $v$, and divide the
imaginary part of the gradient by that multiple.
"""

# %% tags=["hide-input"]
w, v = np.array([1.0, 2.0]), np.array([1.0, 1.0])
in_full = np.array([[8.0, 2.0], [2.0, 2.0]]) @ v
by_R = np.array([6 * 2 + -2 * 1, 6 * 1 + -2 * 1.0])


def two_weight_grad(w):
    return 2 * (w[1] * w[0] - 3) * w[::-1]  # of (w2 w1 x - y)^2 at x = 1, y = 3


by_complex_step = two_weight_grad(w + 1e-20j * v).imag / 1e-20
print(f"\nH v: in full {in_full}, by R {by_R}, by complex step {by_complex_step}")
assert np.array_equal(in_full, by_R) and np.allclose(in_full, by_complex_step)

# %% [markdown]
"""
## The product, one layer at a time

This is Pearlmutter's (1994) R-operator. Layer $i$ has the input $h_i$, with a last column of ones,
and the weights $W_i$, with the biases as last row; $V_i$ is their part of $v$; $f'$ and $f''$ are
the activation's slope and curvature at $z$; $⊙$ multiplies entry by entry; $δ_i$ is the derivative
of the loss with respect to $z_i$; $K$ is the number of points.

| the pass | how fast it changes | by |
|---|---|---|
| $h_0 = [x, 1]$ | $R(h_0) = 0$ | the input does not move |
| $z_i = h_i W_i$ | $R(z_i) = h_i V_i + R(h_i) W_i$ | product rule, $R(W_i) = V_i$ |
| $h_{i+1} = [f(z_i), 1]$ | $R(h_{i+1}) = [f' ⊙ R(z_i), 0]$ | chain rule |
| at the output, $δ = 2 (out − y) / K$ | $R(δ) = 2 R(out) / K$ | linear |
| $g_i = h_i^⊤ δ_i$ | $R(g_i) = R(h_i)^⊤ δ_i + h_i^⊤ R(δ_i)$ | product rule |
| $δ_{i−1} = f' ⊙ δ_i W_i^⊤$ | $R(δ_{i−1}) = f' ⊙ (R(δ_i) W_i^⊤ + δ_i V_i^⊤)$ | both rules |
| | $+ f'' ⊙ R(z_{i−1}) ⊙ δ_i W_i^⊤$ | |

(The last line leaves out the biases, which no $h$ moves.) All $R(g_i)$ are $H v$, exactly, for
about the cost of two gradients. `MLP.rop` in tinymeta/mlp.py has these lines in a loop; here they
are for three layers of ReLU, where $f'' = 0$.
"""

# %%
def hvp_by_hand(theta, x, y, v):
    W, h, z, _, delta, slope = model.backprop(theta, x, y).tape
    V = [np.vstack(weights_and_biases) for weights_and_biases in model.unpack(v)]
    zero = np.zeros((len(x), 1))  # R of the column of ones
    Rh1 = np.hstack((slope[0] * (h[0] @ V[0]), zero))
    Rh2 = np.hstack((slope[1] * (h[1] @ V[1] + Rh1 @ W[1]), zero))
    Rdelta2 = 2 / len(x) * (h[2] @ V[2] + Rh2 @ W[2])
    Rdelta1 = slope[1] * (Rdelta2 @ W[2][:-1].T + delta[2] @ V[2][:-1].T)
    Rdelta0 = slope[0] * (Rdelta1 @ W[1][:-1].T + delta[1] @ V[1][:-1].T)
    Rg1 = Rh1.T @ delta[1] + h[1].T @ Rdelta1
    Rg2 = Rh2.T @ delta[2] + h[2].T @ Rdelta2
    return np.concatenate([Rg.ravel() for Rg in (h[0].T @ Rdelta0, Rg1, Rg2)])

# %% tags=["hide-input"]
hvp_error = checks.relative_error(
    hvp_by_hand(theta, x, y, by_hand), model.hvp(theta, x, y, by_hand)
)
print(f"\nH v of the network, by hand: off the library's model.hvp by {hvp_error:.0e}")
assert hvp_error < 1e-12

# %% [markdown]
"""
## Is it right?

The meta-gradient is the gradient of one number, the query loss after adaptation, and the complex
step of that number gives each partial derivative to rounding (tinymeta/checks.py). Three wrong ones
beside it. *First-order MAML* is $q$ alone. In the *leaked* one the support gradient is added: in
the post's notebook the copy and the initialisation share their parameters, and both calls of
`.backward()` add to one `.grad`. Nothing crashes, and the loss still falls. In the *swapped* one,
support and query set have changed places.

*Predict, then look.* Can one of them point more away from the meta-gradient than along it?
"""

# %%
maml = maml_grad(model, theta, one_task, INNER_LR)[1]
proof = checks.complex_step(lambda t: meta_loss(model, t, one_task, INNER_LR), theta)

# %% tags=["hide-input"]
def wrong_gradients(model, alpha):
    setting = model, theta, one_task, alpha
    swapped = model, theta, one_task.swap_support_query(), alpha
    return {
        "first-order MAML": fomaml_grad(*setting)[1],
        "leaked": maml_grad(*setting)[1] + joint_grad(*setting)[1],
        "swapped": maml_grad(*swapped)[1],
    }


candidates = {"maml_grad": maml, **wrong_gradients(model, INNER_LR)}
off = {name: checks.relative_error(candidate, proof) for name, candidate in candidates.items()}
print("\nRelative error against the complex step, over all 1761 partial derivatives:")
print("\n".join(f"  {name:17s} {error:.1e}" for name, error in off.items()))

smooth = MLP([1, 40, 40, 1], activation="tanh")
LINES = "-", "--", "-.", ":"
ALPHA = 0.1  # ten times the usual, so that the second-order term is large


def angle(a, b):
    return np.degrees(np.arccos(checks.cosine(a, b)))


@style.styled
def plot_arrows(panels):
    figure, axes = style.new_figure(8.8, 3.6, len(panels))
    for ax, (title, (true, wrong)) in zip(axes, panels.items()):
        unit = np.linalg.norm(true)
        ends = {"MAML": (0.0, 1.0)}
        ends |= {n: (angle(g, true), np.linalg.norm(g) / unit) for n, g in wrong.items()}
        tips = []
        colors = style.BLUE, style.ORANGE, style.PINK, style.BLACK
        for (name, (degrees, length)), color, line in zip(ends.items(), colors, LINES):
            tip = length * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
            arrow = {"arrowstyle": "-|>", "color": color, "linestyle": line, "linewidth": 1.8}
            ax.annotate("", tip, (0, 0), arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})
            text = name + (f", {degrees:.0f}°" if degrees else "")
            look = {"color": color, "ha": "right" if name == "swapped" else "left"}
            offset = {"xytext": (0, 4 if degrees else -13), "textcoords": "offset points"}
            ax.annotate(text, tip, **offset, **look)
            tips.append(tip)
        low, high = np.min([*tips, (0, 0)], axis=0), np.max(tips, axis=0)
        room = 0.35 * max(high - low)
        ax.set(xlim=(low[0] - 1.5 * room, high[0] + 1.6 * room))
        ax.set(ylim=(-0.6 * room, high[1] + room))
        ax.set(aspect="equal", title=title, xlabel="along the meta-gradient (its length is 1)")
    axes[0].set_ylabel("across it, each in its own plane")
    return figure


smooth_maml = maml_grad(smooth, theta, one_task, ALPHA)[1]
smooth_wrong = wrong_gradients(smooth, ALPHA)
panels = {
    f"the lesson's network, α = {INNER_LR}": (maml, wrong_gradients(model, INNER_LR)),
    f"tanh, α = {ALPHA}": (smooth_maml, smooth_wrong),
}
usual, large = (
    {name: angle(g, true) for name, g in wrong.items()} for true, wrong in panels.values()
)
lesson.save(
    plot_arrows(panels),
    "wrong_gradients",
    f"At alpha = {INNER_LR} first-order MAML is {usual['first-order MAML']:.0f} degrees away "
    f"from the meta-gradient, the leaked one {usual['leaked']:.0f}, the swapped one "
    f"{usual['swapped']:.0f}; with tanh and alpha = {ALPHA} they are "
    f"{large['first-order MAML']:.0f}, {large['leaked']:.0f} and {large['swapped']:.0f}.",
)

# the direction in which the support loss is most curved, by power iteration
top = lesson.rng("directions").standard_normal(smooth.n_params)
for _ in range(60):
    top = smooth.hvp(theta, x, y, top)
    top /= np.linalg.norm(top)
curvature = top @ smooth.hvp(theta, x, y, top)
q = smooth_wrong["first-order MAML"]
without = angle(q - top * (top @ q), smooth_maml - top * (top @ smooth_maml))
print(
    f"\ntanh, alpha = {ALPHA}: along the most curved direction alpha lambda is "
    f"{ALPHA * curvature:.2f};\n  {(top @ q) ** 2 / (q @ q):.0%} of |q|^2 is there, and MAML's "
    f"part is {top @ smooth_maml / (top @ q):.2f} times that of q;\n"
    f"  without it the angle of the two is {without:.0f} degrees"
)
for alpha in (0.01, 0.02, 0.05, 0.1):
    setting = smooth, theta, one_task, alpha
    apart = angle(fomaml_grad(*setting)[1], maml_grad(*setting)[1])
    print(f"  at alpha lambda = {alpha * curvature:.2f} the angle is {apart:.0f} degrees")

directions = lesson.rng("directions").standard_normal((20, model.n_params))
directions /= np.linalg.norm(directions, axis=1, keepdims=True)


def smooth_loss(t):
    return meta_loss(smooth, t, one_task, ALPHA)


exact = checks.complex_step(smooth_loss, theta, directions)
levels = {"maml_grad": smooth_maml, **smooth_wrong}
del levels["swapped"]
levels = {name: checks.relative_error(directions @ g, exact) for name, g in levels.items()}
h = 10.0 ** np.arange(-11, 0, 0.5)
differences = (checks.central_difference(smooth_loss, theta, directions, step) for step in h)
errors = [checks.relative_error(difference, exact) for difference in differences]
best = np.argmin(errors)
title = "Error of a meta-gradient, by the complex step"
lesson.save(
    figures.plot_gradient_check(h, errors, levels, title),
    "gradient_check",
    f"Central differences are at best {errors[best]:.0e} off, at h = {h[best]:.0e}; "
    f"maml_grad is {levels['maml_grad']:.0e} off, "
    f"first-order MAML {levels['first-order MAML']:.2f}, "
    f"the leaked gradient {levels['leaked']:.2f}.",
)

# %% [markdown]
"""
<details><summary>Why first-order MAML can point backwards</summary>

Let $λ$ be the largest curvature of the support loss. Along its direction $I − α H$ multiplies $q$
by $1 − α λ$, about −1 where $α λ$ is 2: the step overshoots the valley, a start farther left ends
farther right, and $q$ has to be turned round. First-order MAML does not do it. Without this
direction, or at a smaller $α$, the angle is small: see the printed lines.
</details>

Central differences check it too, with a step $h$ to choose: too large, and curvature shows; too
small, and rounding does. (Here on tanh, because a kink of ReLU would show as well.)

## Train

The post's protocol: one task per meta-step, one inner step, Adam at 1e-3, 40,000 meta-steps; five
networks side by side, in float32. The baseline is *joint training*, the post's "transfer learning":
the plain gradient on the same 40,000 tasks (the post: 10,000). Each method also gets the best of
nine settings of its rates (folded table; inner steps and tasks per meta-step are not tuned).
"""

# %%
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng, np.float32) for _ in range(SEEDS)])
MADE_IN = {"joint": "03_maml", "MAML": "03_maml", "first-order MAML": "04_first_order_maml"}


def train(meta_grad, label, tasks=tasks, inner_lr=INNER_LR, outer_lr=1e-3, **options):
    def run(iterations):
        return meta_train(
            meta_grad, model, start, tasks, rng=lesson.rng("training tasks"), shots=SHOTS,
            iterations=iterations, meta_batch_size=1, inner_lr=inner_lr,
            optimizer=Adam(outer_lr), callback=lesson.progress(label, iterations), **options,
        )  # fmt: skip

    return lesson.trained(label, run, options.pop("iterations", None), MADE_IN.get(label))

# %% tags=["hide-input"]
RECORDED = """
2026-11-26, python lessons/03_maml.py --tune, seed 1
method  settings                         loss  (lowest-highest of 5 networks)
random  inner_lr=0.004                   3.844 (3.815-3.869)
random  inner_lr=0.003                   3.847 (3.795-3.882)
random  inner_lr=0.005                   3.862 (3.844-3.893)
random  inner_lr=0.002                   3.884 (3.815-3.936)
random  inner_lr=0.007                   3.925 (3.887-3.972)
random  inner_lr=0.001                   3.972 (3.908-4.039)
random  inner_lr=0.01                    4.036 (3.962-4.110)
random  inner_lr=0.015                   4.199 (4.093-4.303)
random  inner_lr=0.02                    4.307 (4.204-4.426)
joint   outer_lr=0.0001, inner_lr=0.005  3.840 (3.816-3.876)
joint   outer_lr=0.0001, inner_lr=0.002  3.897 (3.845-3.961)
joint   outer_lr=0.0003, inner_lr=0.01   3.968 (3.927-4.011)
joint   outer_lr=0.0001, inner_lr=0.01   3.988 (3.934-4.041)
joint   outer_lr=0.0003, inner_lr=0.005  4.016 (3.991-4.037)
joint   outer_lr=0.001, inner_lr=0.01    4.062 (4.062-4.063)
joint   outer_lr=0.0003, inner_lr=0.002  4.064 (4.050-4.074)
joint   outer_lr=0.001, inner_lr=0.005   4.074 (4.073-4.074)
joint   outer_lr=0.001, inner_lr=0.002   4.086 (4.086-4.086)
MAML    outer_lr=0.003, inner_lr=0.005   0.475 (0.388-0.579)
MAML    outer_lr=0.003, inner_lr=0.01    0.583 (0.385-0.777)
MAML    outer_lr=0.001, inner_lr=0.01    0.705 (0.512-0.782)
MAML    outer_lr=0.003, inner_lr=0.02    0.751 (0.366-1.050)
MAML    outer_lr=0.001, inner_lr=0.005   0.872 (0.711-1.239)
MAML    outer_lr=0.0003, inner_lr=0.02   0.933 (0.874-1.018)
MAML    outer_lr=0.0003, inner_lr=0.01   0.959 (0.819-1.173)
MAML    outer_lr=0.0003, inner_lr=0.005  1.260 (0.966-1.585)
MAML    outer_lr=0.001, inner_lr=0.02    10.492 (0.513-49.813)
"""
METHODS = {"joint": joint_grad, "MAML": maml_grad}


def search():
    """Return the table of nine settings for each method: their loss after ten steps."""
    validation = tasks.sample(lesson.rng("validation tasks"), 500, SHOTS, query=50, grid=True)
    rates = 0.001, 0.002, 0.003, 0.004, 0.005, 0.007, 0.01, 0.015, 0.02
    candidates = {"random": [{"inner_lr": rate} for rate in rates]}
    grids = {
        "joint": itertools.product((1e-4, 3e-4, 1e-3), (0.002, 0.005, 0.01)),
        "MAML": itertools.product((3e-4, 1e-3, 3e-3), (0.005, 0.01, 0.02)),
    }
    for method, grid in grids.items():
        candidates[method] = [{"outer_lr": outer, "inner_lr": rate} for outer, rate in grid]
    trained = {}

    def loss(method, inner_lr, **outer):
        key = method, *outer.values(), inner_lr if method == "MAML" else None
        if method == "random":
            trained[key] = start
        elif key not in trained:
            trained[key] = train(METHODS[method], method, inner_lr=inner_lr, **outer)
        curve = adaptation_curve(model, trained[key], validation, inner_lr, steps=10)
        return curve[:, 10].mean(axis=-1)

    return tuning.search(candidates, loss)


lesson.settings(RECORDED, search)

# %%
maml = train(maml_grad, "MAML")
initialisations = {"random": start, "joint": train(joint_grad, "joint"), "MAML": maml}
tuned_joint = train(joint_grad, "joint, tuned", outer_lr=1e-4)
tuned_maml = train(maml_grad, "MAML, tuned", outer_lr=3e-3, inner_lr=0.005)

# %% tags=["hide-input"]
part = min(400, max(1, lesson.iterations // 10))
losses = {
    name: f"{history[:part].mean():.2f} to {history[-part:].mean():.2f}"
    for name, history in lesson.histories.items()
}
shown = {name: lesson.histories[name] for name in ("joint", "MAML")}
lesson.save(
    figures.plot_history(shown, f"Training; bands: all {SEEDS} seeds"),
    "training",
    f"From the first {part} meta-steps to the last, MAML's loss, after a step, goes from "
    f"{losses['MAML']}; that of joint training, which takes none, from {losses['joint']}.",
)

# %% [markdown]
"""
## What H is made of

"ReLU has $f'' = 0$, so $H = 0$, so MAML is first-order MAML": not so. As with two weights, $H$ has
two parts: $2 J^⊤ J / K$, with $J$ the derivative of the outputs with respect to the weights, and
the residuals times the outputs' second derivatives. Linear regression, $out = X w$, has the first
alone, $H = 2 X^⊤ X / K$. A ReLU network has both: it is linear in each weight matrix, not in two.

*Predict, then look.* Which part is larger along $q$, at random weights, and at trained ones?

## Which query points?

They could be the support points themselves. *Safe* are new points: they measure what is wanted, for
any number of points and steps, and with noise. On its own support points a network might do well by
memorising them. What is *best* has to be measured, on the same tasks, support points and starts:
"""

# %%
own = Views(tasks, lambda b: [b._replace(x_query=b.x_support, y_query=b.y_support)])
own_points = train(maml_grad, "MAML, own points", tasks=own)
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
zero = np.mean(test.y_query**2)
curves = {
    name: adaptation_curve(model, theta, test, INNER_LR, steps=10)
    for name, theta in initialisations.items()
}

# %% tags=["hide-input"]
probe = tasks.sample(lesson.rng("validation tasks"), 100, SHOTS)
print(
    f"\nLength over that of q, median of 100 tasks x {SEEDS} networks (in brackets: lowest and "
    "highest network):\n"
    f"{'':10s}{'alpha H q':>20s}{'first part':>20s}{'second part':>20s}"
)
parts = {}
for name in ("random", "MAML"):
    thetas = initialisations[name].astype(float)[:, None]  # (S, 1, P)
    adapted = adapt(model, thetas[:, 0], *probe[:2], INNER_LR, 1)
    q = model.grad(adapted, *probe[2:])
    whole = model.hvp(thetas, *probe[:2], q)
    moved = model.forward(thetas + 1e-20j * q, probe.x_support + 0j).z[-1]  # out + i J q
    # the gradient for the targets out - J q is 2 J^T J q / K
    x_support = np.broadcast_to(probe.x_support, moved.shape)
    first = model.grad(thetas, x_support, moved.real - moved.imag / 1e-20)
    lengths = [INNER_LR * np.linalg.norm(u, axis=-1) for u in (whole, first, whole - first)]
    ratios = [np.median(u / np.linalg.norm(q, axis=-1), axis=1) for u in lengths]
    parts[name] = [np.mean(ratio) for ratio in ratios]
    cells = (f"{r.mean():.2f} ({r.min():.2f}-{r.max():.2f})" for r in ratios)
    print(f"  {name:8s}" + "".join(f"{cell:>20s}" for cell in cells))

curve_own = adaptation_curve(model, own_points, test, INNER_LR, steps=10)
print(f"\nMAML graded on new points and on its own support points, {SEEDS} pairs of networks:")
own_wins, own_ratio = {}, {}
for n in (1, 10):
    new, same = curves["MAML"][:, n].mean(-1), curve_own[:, n].mean(-1)
    own_wins[n], own_ratio[n] = np.sum(same < new), same.mean() / new.mean()
    print(
        f"  after {n:2d} steps: {new.mean():.2f} ({new.min():.2f}-{new.max():.2f}) and "
        f"{same.mean():.2f} ({same.min():.2f}-{same.max():.2f}); "
        f"own points are better in {own_wins[n]} of {SEEDS} pairs"
    )

# %% [markdown]
"""
<details><summary>Answers</summary>

The first, by far; training makes it grow from a quarter of $q$ to two thirds.

Level or better: own points, half as many, win in 3 of 5 pairs after one step and in 2 after ten; in
all 5 with `--seed 1`, in 4 with `--seed 2`, after both. (For noise-free linear models not to split
is better: Bai et al. 2021.) Lesson 11 maps where new points win.
</details>

## What it buys

Two tasks to look at, one with all points on one side; 1,000 of that kind, by the distance of $x$
from the points; and the 1,000 usual test tasks. The score to beat is that of the zero function, the
mean of all tasks: $E[a²]/2 = 4.25$, with $a$ the amplitude.

*Predict, then look.* What does MAML score *before* any step? How far from its points is it right?
"""

# %% tags=["hide-input"]
examples = sine_examples(lesson.rng("example"), SHOTS)
one_sided = left_side(examples["10 points on one side"])  # judged where it has no points
thetas = initialisations["MAML"]
one_sided_error = adaptation_curve(model, thetas, one_sided, INNER_LR, steps=10)[:, 10]
blind_error = np.mean(one_sided.y_query**2)
lesson.save(
    figures.plot_adaptation(model, thetas[0], examples, INNER_LR, truth="true sine"),
    "adaptation",
    "On the side without points, 10 steps leave a mean squared error of "
    f"{np.median(one_sided_error):.2f} (median of {SEEDS} seeds); "
    f"to know nothing of it, and predict 0, would cost {blind_error:.2f}.",
)


def waves(low, high):
    """Return the test tasks' waves with x in (low, high): the stream draws a and b first."""
    x_range = SineTasks(x_range=(low, high))
    return x_range.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)


support = waves(0, 5)[:2]
sides = {  # query points, and how far they are beside the outermost support point
    "left, x in (-5, 0)": (waves(-5, 0)[2:], lambda x: support[0].min(-2, keepdims=True) - x),
    "right, x in (5, 10)": (waves(5, 10)[2:], lambda x: x - support[0].max(-2, keepdims=True)),
}
print(
    f"\nAll points in (0, 5), {TEST_TASKS} waves: error over that of predicting 0, ten steps, "
    "median network (lowest-highest)"
)
head = "".join(f"{f'{i} to {i + 1}':>18s}" for i in range(4))
print(f"{'  x by distance from the nearest point':34s}{head}")
by_strip = {}
for name in ("random", "MAML"):
    adapted = adapt(model, initialisations[name], *support, INNER_LR, 10)
    for side, ((x_side, y_side), distance) in sides.items():
        everywhere = np.broadcast_to(x_side, (SEEDS, *x_side.shape))
        squares = (model.predict(adapted, everywhere) - y_side) ** 2
        beside, cells = distance(x_side), []
        for i in range(4):
            strip = (i < beside) & (beside <= i + 1)
            ratio = squares[:, strip].mean(axis=-1) / (y_side[strip] ** 2).mean()
            by_strip[name, side, i] = np.median(ratio)
            cells.append(f"{np.median(ratio):.2f} ({ratio.min():.1f}-{ratio.max():.1f})")
        print(f"  {name:8s}{side:24s}" + "".join(f"{cell:>18s}" for cell in cells))

print(
    f"\nMean squared error on {TEST_TASKS} test tasks: mean of {SEEDS} seeds (lowest-highest), "
    f"median task; the zero function: {zero:.2f}"
)
print(table(curves, (0, 1, 10)))
print(
    f"\nEach at the best of its nine settings, 10 steps at its own rate and at {INNER_LR}: "
    "mean (lowest-highest), median network"
)
tuned = {"random": (start, 0.004), "joint": (tuned_joint, 0.005), "MAML": (tuned_maml, 0.005)}
at_best = {}
for name, (theta_tuned, own_rate) in tuned.items():
    cells = []
    for rate in (own_rate, INNER_LR):
        judged = lesson.judged(
            f"{name}, at its best, rate {rate}",
            lambda: adaptation_curve(model, theta_tuned, test, rate, steps=10),
        )
        seeds = judged.seeds[:, 10]  # inf where a task has diverged
        at_best[name, rate == own_rate] = np.median(seeds)
        ends = f"({seeds.min():.2f}-{seeds.max():.2f})"
        cells.append(f"{seeds.mean():.2f} {ends} {np.median(seeds):.2f}")
    print(f"  {name:8s}" + "".join(f"{cell:>25s}" for cell in cells))
maml, joint, untrained = (summarize(curves[name]) for name in ("MAML", "joint", "random"))
title = f"A new sine from {SHOTS} points; bands: all {SEEDS} seeds"
lesson.save(
    figures.plot_learning_curves(curves, title, top=5.0, shots=SHOTS),
    "learning_curve",
    f"One step takes MAML from {maml.mean[0]:.2f} to {maml.mean[1]:.2f}, "
    f"ten to {maml.mean[10]:.2f}; "
    f"joint training is at {joint.mean[10]:.2f} after ten, random at {untrained.mean[10]:.2f}.",
)

# %% [markdown]
"""
<details><summary>Answers</summary>

*Before* a step MAML is no better than 0, nor should it be: it minimises the loss *after* a step,
and 0 is the best single function for all tasks. Its error is smallest next to the points. On the
left, where other tasks had points, it stays below that of 0; farther out on the right, where no
task had any, it is far above. So MAML has learned these waves within (−5, 5), not what a sine is.
</details>

Trained for one step, MAML gains from nine more, though nobody promised it. The best of its nine
settings, by seed 1, is at 0.51, the post's at 0.61 (with `--seed 2`: 1.22 and 0.84, so the best is
not safely better), the baselines' at 3.9. At 0.01, twice its own rate, most of these explode.

[Drag the points of a wave](book/playground.html#steps=1&hide=first-order,reptile,ridge), and watch.

## What you should see
"""

# %% tags=["hide-input"]
lesson.expect("maml_grad off the complex step (x 1e-12)", off["maml_grad"] * 1e12, 0, 1)
lesson.expect("first-order MAML off the meta-gradient", off["first-order MAML"], 0.01, 1)
lesson.expect("leaked gradient off the meta-gradient", off["leaked"], 0.3, 2)
lesson.expect("first-order MAML's angle, tanh, in degrees", large["first-order MAML"], 10, 150)
lesson.expect("the same without the most curved direction", without, 3, 50)
for name, bounds in (("random", (0.08, 0.5)), ("MAML", (0.5, 1))):
    lesson.expect(f"alpha H q over q, {name}", parts[name][0], *bounds)
    lesson.expect(f"its second part over q, {name}", parts[name][2], 0.03, 0.25)
lesson.expect("MAML on own points over new points, 10 steps", own_ratio[10], 0.3, 1.4)
left, right = sides
lesson.expect("MAML, 0 to 1 left of the points", by_strip["MAML", left, 0], 0.08, 0.45)
lesson.expect("MAML, 3 to 4 left of the points", by_strip["MAML", left, 3], 0.2, 0.9)
lesson.expect("MAML, 3 to 4 right of the points", by_strip["MAML", right, 3], 4, 25)
lesson.expect("MAML before, over the zero function's", maml.mean[0] / zero, 0.97, 1.08)
lesson.expect_curve("random", untrained.mean, {0: (4.1, 4.4), 1: (3.8, 4.15), 10: (3.7, 4.4)})
lesson.expect_curve("joint", joint.mean, {0: (4.1, 4.3), 1: (4, 4.3), 10: (3.9, 4.3)})
for name, bounds in (("random", (3.75, 4.05)), ("joint", (3.75, 4.05)), ("MAML", (0.2, 1))):
    at_own_rate = at_best[name, True]
    lesson.expect(f"{name} at its best setting, 10 steps, median", at_own_rate, *bounds)
lesson.expect_curve("MAML", maml.mean, {0: (4.05, 4.5), 1: (1.2, 1.8), 10: (0.35, 1.1)})
# the spread over networks, as the README has it
low, high = maml.seeds.min(axis=0), maml.seeds.max(axis=0)
lesson.expect_curve("MAML, lowest network,", low, {1: (0.6, 1.6), 10: (0.1, 0.8)})
lesson.expect_curve("MAML, highest network,", high, {1: (1.3, 2.6), 10: (0.5, 2)})
low, high = untrained.seeds.min(axis=0), untrained.seeds.max(axis=0)
lesson.expect_curve("random, lowest network,", low, {10: (3.7, 4.2)})
lesson.expect_curve("random, highest network,", high, {10: (3.9, 4.5)})
low, high = joint.seeds.min(axis=0), joint.seeds.max(axis=0)
lesson.expect_curve("joint, lowest network,", low, {10: (3.8, 4.25)})
lesson.expect_curve("joint, highest network,", high, {10: (3.95, 4.3)})
lesson.end()
