# %% [markdown]
"""
# Take the methods apart: why it works, and where it stops

The post ends by wondering why Reptile works at all. This lesson opens the methods up, and answers
with measurements.

What you'll learn: what a meta-gradient is made of, and how to tell whether yours is the right one;
what MAML, first-order MAML and Reptile have in common, to the first order in alpha, and what that
does to a network; the post's last picture, computed; which layers adapt; and where adaptation
fails.

What you need: lessons 03 to 05. Time: 40 minutes to read, one to run.

    python lessons/07_why_it_works.py            the whole lesson
    python lessons/07_why_it_works.py --quick    the same figures within 10 s, from a short training
"""

# %%
import itertools

import numpy as np

from tinymeta import (
    MLP, SineTasks, TaskBatch, adaptation_curve, checks, fomaml_grad, joint_grad, maml_grad,
    meta_train, reptile_grad,
)
from tinymeta.course import figures
from tinymeta.course.lesson import Lesson
from tinymeta.extras import autopsy, variants
from tinymeta.extras.statistics import table

# %%
SHOTS = 10  # support points of a task, and as many query points
INNER_LR = 0.01  # alpha, the rate of the step on a task
SEEDS = 5  # replicas, trained side by side: theta is (SEEDS, P)
lesson = Lesson("07_why_it_works", iterations=10_000, quick=400)
TEST_TASKS = 40 if lesson.quick else 200  # the same for every method
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2 pi)

# %% [markdown]
"""
## Train

Four methods, as in lessons 03 and 05, from the same five starts: transfer; MAML; Reptile on 20
points, each of its four steps on the next 10 of them; and Reptile with every step on all 20. A
quarter of the meta-steps of those lessons will do here.
"""

# %%
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng) for _ in range(SEEDS)])
marks = [0, *(m for m in (100, 300, 1000, 3000) if m < lesson.iterations), lesson.iterations]
on_the_way = {0: start}  # MAML's


def train(meta_grad, label, shots=SHOTS, remember=False, **options):
    progress = lesson.progress(label)

    def callback(iteration, theta, loss):
        progress(iteration)
        if remember and iteration + 1 in marks:
            on_the_way[iteration + 1] = theta

    theta, _ = meta_train(
        meta_grad, model, start, tasks, rng=lesson.rng("training tasks"), shots=shots,
        iterations=lesson.iterations, meta_batch_size=1, inner_lr=INNER_LR, callback=callback,
        **options,
    )  # fmt: skip
    return theta


initialisations = {
    "random": start,
    "transfer": train(joint_grad, "transfer"),
    "MAML": train(maml_grad, "MAML", remember=True),
    "Reptile": train(reptile_grad, "Reptile", 2 * SHOTS, inner_steps=4, minibatch=SHOTS),
}
same_points = train(reptile_grad, "Reptile, the same points", 2 * SHOTS, inner_steps=4)

# %% [markdown]
"""
## The autopsy of a meta-gradient

For one batch of 100 tasks: the four gradients of lessons 02 to 05 and, alone, what MAML adds to
first-order MAML, -alpha H q. Of each, layer by layer, how long it is and the cosine of its angle
with MAML's. (Reptile takes the post's three steps.)
"""

# %%
probe = tasks.sample(lesson.rng("validation tasks"), 100, SHOTS)


def dissect(theta):
    """{gradient: (layers + 1, 2)} at theta (P,): length and cosine with MAML's, for each layer and
    for all."""
    vectors = {
        "joint": joint_grad(model, theta, probe, INNER_LR)[1],
        "Reptile": reptile_grad(model, theta, probe, INNER_LR, 3)[1],
        "first-order MAML": fomaml_grad(model, theta, probe, INNER_LR)[1],
        "MAML": maml_grad(model, theta, probe, INNER_LR)[1],
    }
    vectors["second-order term"] = vectors["MAML"] - vectors["first-order MAML"]
    by_layer = autopsy.per_layer_cosines(model, vectors, vectors["MAML"])
    return {name: np.array(rows) for name, rows in by_layer.items()}


anatomy = {mark: [dissect(theta) for theta in thetas] for mark, thetas in on_the_way.items()}
for mark in (0, lesson.iterations):
    print(
        f"\nAfter {mark} meta-steps of MAML: length, and cosine with MAML's gradient "
        f"(mean of {SEEDS} seeds)"
    )
    print("                           layer 1          layer 2          layer 3              all")
    for name in anatomy[mark][0]:
        rows = np.mean([seed[name] for seed in anatomy[mark]], axis=0)
        cells = "".join(f"{length:9.2f} {cosine:7.2f}" for length, cosine in rows)
        print(f"  {name:18s}{cells}")

# %%
END = lesson.iterations


def share(seed, layer):
    """Return the length of the second-order term over that of MAML's gradient."""
    return seed["second-order term"][layer, 0] / seed["MAML"][layer, 0]


ratio = {
    f"layer {i + 1}": {mark: [share(seed, i) for seed in seeds] for mark, seeds in anatomy.items()}
    for i in range(3)
}
share_at = {mark: np.mean([share(seed, 3) for seed in anatomy[mark]]) for mark in (0, END)}
joint_cosine = np.mean([seed["joint"][3, 1] for seed in anatomy[END]])
first_cosine = {
    mark: np.mean([seed["first-order MAML"][3, 1] for seed in anatomy[mark]]) for mark in (0, END)
}
title = "The second-order term of MAML's gradient, while MAML trains"
lesson.save(
    figures.plot_along_training(ratio, title, "its length over the whole gradient's"),
    "autopsy",
    f"The second-order term is {share_at[0]:.2f} of the meta-gradient's length at random weights "
    f"and {share_at[END]:.2f} after training, "
    f"where the joint gradient's cosine with MAML's is {joint_cosine:.2f}.",
)

# %% [markdown]
"""
At random weights first-order MAML goes almost MAML's way, in every layer; after training it does so
less. The joint gradient points elsewhere throughout. In no layer is the second-order term small, at
the start or later.

## Am I really getting second-order gradients?

The loss falls under most wrong gradients too, so a falling curve proves nothing. `autopsy.examine`
takes a meta-gradient function (yours), a model and a few tasks. It builds MAML's gradient anew,
from `model.grad` and its complex step alone, and fits yours by three parts: the query gradient q,
the second-order term and the support gradient. For MAML they are 1, 1 and 0.

Below, on a tanh network, the right one and six wrong ones, each to be found in public code or in
the questions of those who use it.
"""

# %%
smooth = MLP([1, 40, 40, 1], activation="tanh")
no_curvature = MLP([1, 40, 40, 1], activation="tanh")
# now its hvp leaves f'' out; forward and backward are still tanh's
no_curvature.activation_fn = smooth.activation_fn._replace(curvature=lambda z: 0)
few = tasks.sample(lesson.rng("validation tasks"), 4, SHOTS)


def summed(model, theta, batch, *rest):
    loss, grad = maml_grad(model, theta, batch, *rest)
    return loss, grad * len(batch.x_support)


def without_curvature(model, *rest):
    return maml_grad(no_curvature, *rest)


def on_the_same_points(model, theta, batch, *rest):
    return maml_grad(model, theta, TaskBatch(*batch[:2], *batch[:2]), *rest)


leak = "with the support gradient leaked in"
candidates = {  # what was done: the function, and what the verdict should say
    "nothing wrong": (maml_grad, "yes: this is MAML, second order included"),
    "no create_graph": (fomaml_grad, "no: this is first-order MAML"),
    "leaking": (autopsy.leaked(maml_grad), f"no: this is MAML {leak}"),
    "leaking, first order": (autopsy.leaked(fomaml_grad), f"no: this is first-order MAML {leak}"),
    "f'' forgotten": (without_curvature, "no: this is MAML with f'' missing"),
    "one set for both losses": (
        on_the_same_points, "no: this is MAML, inner and outer loss on the support points",
    ),
    "tasks added up": (summed, "no: this is MAML, the sum over 4 tasks for their mean"),
}
findings = {
    name: autopsy.examine(f, smooth, start[0], few, 0.1, 2) for name, (f, _) in candidates.items()
}
print(
    "\nAutopsies, two inner steps of 0.1: parts of q, of the second-order term, "
    "of the support gradient; what is left over; verdict"
)
for name, found in findings.items():
    parts = "".join(f"{round(part, 2) + 0.0:6.2f}" for part in found.parts.values())
    print(f"  {name:24s}{parts}   {found.residual:.0e}   {found.verdict}")
right_verdicts = sum(findings[name].verdict == says for name, (_, says) in candidates.items())

# %% [markdown]
"""
## One formula for three methods

Let a task have several minibatches of points, g_i the gradient on the i-th at theta and H_i its
Hessian. Take k inner steps, each on a minibatch of its own, and one more minibatch as query set. To
the first order in alpha the gradient met at a step is g_i - alpha H_i (the sum of those before). On
average over all orders of the minibatches only two vectors are left (Nichol et al. 2018, section 5;
their k counts the query set too, ours does not):

    G = E[g_i]             descends the expected loss: joint training
    I = E[H_i g_j], i != j

    MAML                   G -      2k alpha I         first-order MAML       G - k alpha I
    Reptile               kG - k(k-1)/2 alpha I        all of them up to alpha^2

I has a meaning. The product rule gives  d/dtheta (g_i . g_j) = H_i g_j + H_j g_i,  so 2 I is the
gradient of E[g_i . g_j]. All three methods *ascend* it: they look for weights where the gradients
of one task's minibatches agree, where a step on some points helps on others.

Here the expectation is exact: 5 tasks of 4 minibatches, and every ordered draw of k + 1 of the 4
without replacement.
"""

# %%
N_TASKS, MINIBATCHES, POINTS = 5, 4, 5
drawn = tasks.sample(lesson.rng("training tasks"), N_TASKS, MINIBATCHES * POINTS)
x, y = (array.reshape(N_TASKS, MINIBATCHES, POINTS, 1) for array in drawn[:2])


def two_vectors(model, theta):
    g = model.grad(theta, x, y)  # (task, minibatch, P)
    others = (g.sum(axis=1, keepdims=True) - g) / (MINIBATCHES - 1)  # the mean of the others
    return g.mean(axis=(0, 1)), model.hvp(theta, x, y, others).mean(axis=(0, 1))


def expected(meta_grad, model, theta, alpha, k):
    orders = np.array([*itertools.permutations(range(MINIBATCHES), k + 1)])
    support = (array[:, orders[:, :-1]].reshape(-1, k * POINTS, 1) for array in (x, y))
    query = (array[:, orders[:, -1]].reshape(-1, POINTS, 1) for array in (x, y))
    return meta_grad(model, theta, TaskBatch(*support, *query), alpha, k, POINTS)[1]


def agreement(theta):
    """E[g_i . g_j] over the pairs of different minibatches, theta (P,)."""
    g = smooth.grad(theta, x, y)
    all_pairs, equal_pairs = (g.sum(axis=1) ** 2).sum(axis=-1), (g**2).sum(axis=(1, 2))
    return (all_pairs - equal_pairs).mean() / (MINIBATCHES * (MINIBATCHES - 1))


theta = start[0]
G, I = two_vectors(smooth, theta)
v = lesson.rng("directions").standard_normal(smooth.n_params)
product_rule = checks.relative_error(2 * I @ v, checks.complex_step(agreement, theta, v))
one_step = checks.relative_error(expected(reptile_grad, smooth, theta, 0.01, 1), G)
print(f"\n2 I is the gradient of E[g_i . g_j], by the complex step: {product_rule:.0e} off")
print(f"Reptile with one inner step against G, joint training: {one_step:.0e} apart")

# %% [markdown]
"""
Two checks of the formula. What it leaves over must fall as alpha^2: slope 2 on log axes. And if the
coefficients of G and I are not given but fitted, at alpha = 0.0005, they must come out as the
formula's.
"""

# %%
FORMULA = {  # method: its gradient, and the coefficients of G and -alpha I after k steps
    "MAML": (maml_grad, lambda k: (1, 2 * k)),
    "first-order MAML": (fomaml_grad, lambda k: (1, k)),
    "Reptile": (reptile_grad, lambda k: (k, k * (k - 1) / 2)),
}
alphas = 0.0038 / 2.0 ** np.arange(7)


def left_over(model, k):
    """{method: what the formula leaves over at each alpha, over G's length}."""
    G, I = two_vectors(model, theta)
    rows = {}
    for method, (meta_grad, formula) in FORMULA.items():
        if (method, k) != ("Reptile", 1):  # nothing is left over
            a, b = formula(k)
            gaps = [
                expected(meta_grad, model, theta, alpha, k) - (a * G - alpha * b * I)
                for alpha in alphas
            ]
            rows[method] = np.linalg.norm(gaps, axis=1) / np.linalg.norm(G)
    return rows


small = 5e-4  # the alpha of the fit
slopes, off_theory, remainders = [], [], {}
print(
    f"\n{'k':>3s}  {'method':18s}{'theory':>10s}{'measured':>19s}   "
    "slope of what is left over, alpha < 0.004"
)
for k in (1, 2, 3):
    remainders[k] = left_over(smooth, k)
    for method, (meta_grad, formula) in FORMULA.items():
        gradient = expected(meta_grad, smooth, theta, small, k)
        measured = np.linalg.lstsq(np.stack((G, -small * I), axis=1), gradient, rcond=None)[0]
        off_theory.extend(abs(m / t - 1) for m, t in zip(measured, formula(k)) if t)
        a, b = formula(k)
        slope = "nothing is"
        if method in remainders[k]:
            slopes.append(np.polyfit(np.log(alphas), np.log(remainders[k][method]), 1)[0])
            slope = f"{slopes[-1]:.3f}"
        fitted = f"{measured[0]:11.4f}{measured[1]:8.4f}"
        print(f"{k:3d}  {method:18s}{a:5.0f}{b:5.0f}{fitted}   {slope}")
print(
    f"Farthest from theory: {max(off_theory):.1%}; "
    f"slopes: {min(slopes):.3f} to {max(slopes):.3f}"
)

# %% [markdown]
"""
With ReLU there are kinks. A step that carries a unit over one changes the gradient at once, by an
amount that no expansion around theta knows. What is left over then falls in jumps, as alpha gets
too small for one kink after the other, and there is no slope to speak of.
"""

# %%
def local_slopes(rows):
    """Return the slopes from one alpha to the next, of all methods."""
    return np.concatenate([np.diff(np.log(row)) / np.log(0.5) for row in rows.values()])


kinked = left_over(model, 3)
local = {"tanh": local_slopes(remainders[3]), "ReLU": local_slopes(kinked)}
ranges = [f"{min(slope):.2f} to {max(slope):.2f} with {act}" for act, slope in local.items()]
panels = {"tanh, k = 3": remainders[3], "ReLU, k = 3": kinked}
lesson.save(
    figures.plot_remainders(alphas, panels, "left over, relative to G"),
    "taylor",
    f"From one alpha to the next the slopes are {' and '.join(ranges)}.",
)

# %% [markdown]
"""
## Do the gradients of a task agree in the end?

If ascending E[g_i . g_j] is what the methods share, it should show after training: on new tasks,
the gradients of two sets of 10 points of the same task. Reptile with every step on the same points
ascends something else: there i = j, and the formula's I becomes E[H_i g_i], half the gradient of
the squared length |g_i|^2. It makes gradients long, and gets agreement only as a by-product.
"""

# %%
pairs = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS)
cosines, products, lengths = {}, {}, {}
for name, thetas in {**initialisations, "Reptile, the same points": same_points}.items():
    g, h = (model.grad(thetas[:, None], *points) for points in (pairs[:2], pairs[2:]))  # (S, T, P)
    inner = (g * h).sum(axis=-1)
    norms = np.linalg.norm(g, axis=-1) * np.linalg.norm(h, axis=-1)
    cosines[name] = (inner / norms).mean(axis=1)
    products[name], lengths[name] = inner.mean(axis=1), (g * g).sum(axis=-1).mean(axis=1)
print(
    "\nGradients of two sets of 10 points of one task "
    "(mean of the tasks and 5 seeds; the cosine's lowest and highest seed)"
)
print(f"  {'':26s}{'g . h':>8s}{'|g|^2':>9s}     cosine")
for name, c in cosines.items():
    means = f"{products[name].mean():8.1f}{lengths[name].mean():9.1f}"
    print(f"  {name:26s}{means}     {c.mean():.2f} ({c.min():.2f}-{c.max():.2f})")

# %% [markdown]
"""
## The post's last picture, computed

The Reptile paper draws the good weights of two tasks as two curves, and Reptile as walking to where
both are near. Here is a model with two weights that has such curves: it predicts tanh w1 + tanh w2,
and the tasks want 1.2 and -1.2. Five lines replace the MLP.
"""

# %%
ALPHA = 0.15


def plane_loss(w, target):
    return (np.tanh(w).sum(axis=-1) - target) ** 2


def plane_grad(w, target):
    slope = 1 - np.tanh(w) ** 2
    return 2 * (np.tanh(w).sum() - target) * slope


def plane_hvp(w, target, v):
    slope, bend = 1 - np.tanh(w) ** 2, -2 * np.tanh(w) * (1 - np.tanh(w) ** 2)
    return 2 * slope * (slope @ v) + 2 * (np.tanh(w).sum() - target) * bend * v


def plane_adapt(w, target, steps):
    for _ in range(steps):
        w = w - ALPHA * plane_grad(w, target)
    return w


# %% [markdown]
"""
The three methods on that plane, the tasks in turn, at a rate that falls to 0. Joint training takes
the gradient at w. MAML (one inner step) takes v - alpha H v, v the gradient after the step. Reptile
goes a part epsilon of the way to where 20 steps lead.
"""

# %%
TARGETS, OUTER_STEPS = (1.2, -1.2), 100


def move(method, w, target, rate):
    """What the method subtracts from w."""
    if method == "transfer":
        return rate * plane_grad(w, target)
    if method == "MAML":
        v = plane_grad(plane_adapt(w, target, 1), target)
        return rate * (v - ALPHA * plane_hvp(w, target, v))
    return rate * (w - plane_adapt(w, target, 20))


paths = {}
for method in ("transfer", "MAML", "Reptile"):
    path = [np.array([1.6, 0.0])]
    for i in range(OUTER_STEPS):
        rate = 0.5 * (1 - i / OUTER_STEPS)
        path.append(path[-1] - move(method, path[-1], TARGETS[i % 2], rate))
    paths[method] = np.array(path)

# a curve's point nearest to the other: by symmetry w1 = w2
nearest = np.arctanh(0.6) * np.array([[1, 1], [-1, -1]])
distance = np.linalg.norm(paths["Reptile"][-1] - nearest.mean(axis=0))
strides = np.linalg.norm(np.diff(paths["Reptile"], axis=0), axis=1)


def mean_loss(w, steps):
    """Return the loss after some steps from w, the mean of both tasks."""
    return np.mean([plane_loss(plane_adapt(w, target, steps), target) for target in TARGETS])


after = {name: [mean_loss(path[-1], n) for n in (0, 1, 3, 10)] for name, path in paths.items()}
print(
    "\nThe plane: where each method ends, and its loss there, mean of both tasks, "
    "after 0, 1, 3, 10 steps"
)
for method, losses in after.items():
    w1, w2 = paths[method][-1]
    cells = "".join(f"{loss:8.3f}" for loss in losses)
    print(f"  {method:10s} ({w1:5.2f}, {w2:5.2f})   {cells}")
print(
    f"Reptile's stride falls from {strides[0]:.2f} to {strides[-1]:.4f}; "
    f"it ends {distance:.3f} from the midpoint."
)

# %%
first = np.linspace(0.205, 2.6, 200)
curve = np.stack((first, np.arctanh(np.clip(1.2 - np.tanh(first), -1 + 1e-9, 1 - 1e-9))), axis=1)
drawn_curves = {"wants 1.2": curve, "wants -1.2": -curve}
lesson.save(
    figures.plot_plane(drawn_curves, paths, "Two tasks, two curves of good weights")[0],
    "plane",
    f"All three have the loss {after['MAML'][0]:.2f} before adaptation; "
    f"after three steps transfer is at {after['transfer'][2]:.2f}, "
    f"MAML at {after['MAML'][2]:.2f}, Reptile at {after['Reptile'][2]:.2f}.",
)
frames = [*range(0, 30), *range(30, OUTER_STEPS + 1, 5)][:: 3 if lesson.quick else 1]
gif = lesson.out / "07_why_it_works_plane.gif"
print(f"animation {figures.animate_plane(drawn_curves, paths, frames, gif)}")

# %% [markdown]
"""
Before adaptation the three are equally good, on the line w2 = -w1, where the output is 0 and both
tasks are missed by as much. Joint training sees no difference along that line: it stays about where
it first met it, and even drifts outwards. MAML goes to where one step does most. Reptile zig-zags
to the midpoint of the two nearest good weights, its stride falling with epsilon. Here, by symmetry,
these are the same place. Reptile never asked what a step does: being near both curves is enough.

## What adapts?

A rate of 0 freezes a parameter: `inner_lr` may be a vector. Is it the head (the last layer) that
adapts, on features that are ready (Raghu et al. 2020), or the body? How much of the median task's
gain in 10 steps is left when only one of them may move?
"""

# %%
rates = {
    "all": INNER_LR,
    "head": variants.rates_by_part(model, body=0.0, head=INNER_LR),
    "body": variants.rates_by_part(model, body=INNER_LR, head=0.0),
}
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
kept, every_curve = {}, {}
print(
    f"\nWhat adapts: mean squared error on {TEST_TASKS} test tasks, "
    f"mean of {SEEDS} seeds (lowest-highest), median task"
)
for name, thetas in initialisations.items():
    curves = {
        f"{name}, {part}": adaptation_curve(model, thetas, test, rate, steps=10)
        for part, rate in rates.items()
    }
    every_curve |= curves
    everything, *parts = (np.median(c[:, 0] - c[:, 10], axis=-1).mean() for c in curves.values())
    kept[name] = [part / everything for part in parts]
print(table(every_curve, (0, 1, 10)))
for name in ("MAML", "Reptile"):
    head, body = kept[name]
    print(
        f"Of {name}'s gain in 10 steps the head alone gets {head:.0%}, "
        f"the body alone {body:.0%}."
    )

# %% [markdown]
"""
The head alone gets more than half of it, with Reptile nearly all: the features are there. The body
alone gets about half, on some seeds more. (At random weights and after transfer there is no gain to
divide.)

Are they sines, then? Least squares on the last hidden layer would not tell: 40 random units can
imitate a sine as well. What descent can do in a *few small* steps is another matter. To the first
order a step changes the output along the *tangent features*, the derivatives of the output in each
parameter, and along their principal directions most. So ask: of all change that the tangent
features can make on a grid of x, which share lies in the span of sin x and cos x, of which every
task is made? And how much of sin x and cos x do the first few principal features explain (R^2)?
"""

# %%
def tangent_features(theta, x):
    """The derivative of the output at each x (n, 1) in each parameter: (n, P), as the gradient of
    (out - y)^2 where out - y = 1/2."""
    points = x[:, None, :]
    return model.grad(theta, points, model.predict(theta, points) - 0.5)


grid = np.linspace(-5, 5, 50)[:, None]
waves = np.linalg.qr(np.concatenate((np.sin(grid), np.cos(grid)), axis=1))[0]
explained, spanned = {}, {}
for name, thetas in initialisations.items():
    features = [tangent_features(theta, grid) for theta in thetas]
    spanned[name] = np.array([np.sum((waves.T @ f) ** 2) / np.sum(f**2) for f in features])
    directions = [np.linalg.eigh(f @ f.T)[1][:, ::-1] for f in features]  # largest first
    each = np.array([((u.T @ waves) ** 2).mean(axis=1) for u in directions])  # a feature's part
    explained[name] = np.cumsum(each, axis=1)[:, :10]
print(
    "\nTangent features: share in the span of sin x, cos x (lowest-highest seed); "
    "R^2 of sin x, cos x by the first three"
)
by_three = {name: fraction[:, 2].mean() for name, fraction in explained.items()}
for name, s in spanned.items():
    print(f"  {name:10s}{s.mean():6.2f} ({s.min():.2f}-{s.max():.2f}){by_three[name]:10.2f}")
title = "sin x and cos x by the tangent features"
lesson.save(
    figures.plot_bands(np.arange(1, 11), explained, title, "principal features", "R^2", top=1),
    "tangent_features",
    f"Three principal features explain {by_three['random']:.2f} of sin x and cos x "
    f"at random weights, {by_three['transfer']:.2f} for transfer, {by_three['MAML']:.2f} for MAML, "
    f"{by_three['Reptile']:.2f} for Reptile.",
)

# %% [markdown]
"""
With five features or more random weights catch up: they too can express a sine; it is just not what
a small step changes first. Of transfer's change a smaller share lies there than at random weights:
joint training has made the network deaf to its tasks.

## Where it fails

Everything above happened on tasks like those of training, at the rate of training. Here one thing
after the other is changed. Beside the networks: what predicting 0 costs, and what least squares on
sin x and cos x do, which know what the networks had to learn. All numbers are of the median task,
for the mean is soon that of a few explosions; how many adaptations diverged (a loss above 1,000)
stands beside it.
"""

# %%
rng = lesson.rng("gallery")
n = TEST_TASKS // 2
a = np.linspace(0.1, 5, n)[:, None, None]  # evenly spread: a steadier median
b = rng.uniform(0, 2 * np.pi, (n, 1, 1))
a[0], b[0] = 3, 1  # the wave that lessons 03 to 05 look at; the figure shows it
x_support, noise = rng.uniform(-5, 5, (n, SHOTS, 1)), rng.standard_normal((n, SHOTS, 1))


def cases(x_support=x_support, low=-5, high=5, frequency=1, noise=0):
    x_query = np.linspace(low, high, 50)[:, None] + np.zeros((n, 1, 1))
    y_support, y_query = (a * np.sin(frequency * x + b) for x in (x_support, x_query))
    return TaskBatch(x_support, y_support + noise, x_query, y_query)


LONG = 30 if lesson.quick else 300
gallery = {  # name: tasks, rate, steps, momentum
    "as trained": (cases(), INNER_LR, 10, 0),
    "points on the right, judged left": (cases(abs(x_support), -5, 0), INNER_LR, 10, 0),
    "judged on x in (5, 10)": (cases(low=5, high=10), INNER_LR, 10, 0),
    "points and judged in (0, 10)": (cases(x_support + 5, 0, 10), INNER_LR, 10, 0),
    "sin(2x + b)": (cases(frequency=2), INNER_LR, 10, 0),
    "noise of 1 on the points": (cases(noise=noise), INNER_LR, 10, 0),
    f"{LONG} steps": (cases(), INNER_LR, LONG, 0),
    f"noise of 1, {LONG} steps": (cases(noise=noise), INNER_LR, LONG, 0),
    "momentum 0.9": (cases(), INNER_LR, 10, 0.9),
    "alpha = 0.1": (cases(), 10 * INNER_LR, 10, 0),
}


def adapted(theta, task, rate, steps, momentum):
    """Descent with momentum on each task from theta (P,): (T, P), where some may have diverged."""
    theta, velocity = np.repeat(theta[None], len(task.x_support), axis=0), 0.0
    for _ in range(steps):
        step = model.backprop(theta, task.x_support, task.y_support)
        velocity = momentum * velocity + step.grad
        theta = theta - rate * velocity
    return theta


# %%
def best_possible(task):
    """The median loss of least squares on sin x and cos x."""
    losses = []
    for x_s, y_s, x_q, y_q in zip(*task):
        waves_s, waves_q = (np.concatenate((np.sin(x), np.cos(x)), axis=1) for x in (x_s, x_q))
        weights = np.linalg.lstsq(waves_s, y_s, rcond=None)[0]
        losses.append(np.mean((waves_q @ weights - y_q) ** 2))
    return np.median(losses)


failed, diverged, zeros = {}, {}, {}
print(
    f"\nWhere it fails: median of {n} tasks after the steps (diverged, of {SEEDS * n}); "
    f"the middle one of {SEEDS} seeds"
)
print(f"  {'':34s}{'MAML':>16s}{'Reptile':>16s}{'predict 0':>11s}{'sin and cos':>13s}")
for name, (task, *how) in gallery.items():
    cells = ""
    for method in ("MAML", "Reptile"):
        with np.errstate(all="ignore"):  # divergence is counted
            ends_of = np.stack([adapted(theta, task, *how) for theta in initialisations[method]])
            out = model.forward(ends_of, task.x_query).z[-1]
            losses = ((out - task.y_query) ** 2).mean(axis=(-2, -1))
            losses = np.nan_to_num(losses, nan=np.inf, posinf=np.inf)
        failed[name, method] = np.median(np.median(losses, axis=1))
        diverged[name, method] = (losses > 1000).mean()
        cells += f"{failed[name, method]:9.3g}{f'({(losses > 1000).sum()})':>7s}"
    zeros[name] = np.median((task.y_query**2).mean(axis=(1, 2)))
    print(f"  {name:34s}{cells}{zeros[name]:11.2f}{best_possible(task):13.2f}")

# %%
panels = {}
theta = initialisations["MAML"][0]
for name, (task, *how) in gallery.items():
    if name != f"{LONG} steps":  # looks as ten do
        one = TaskBatch(*(array[:1] for array in task))
        with np.errstate(all="ignore"):
            ends = theta[None], adapted(theta, one, *how)
            before, end = (model.forward(t, one.x_query).z[-1][0] for t in ends)
        out_of_sight = not (abs(end) < 100).all()
        end = np.clip(np.nan_to_num(end, nan=1e3), -1e3, 1e3)
        panels[name + ": out of sight" * out_of_sight] = (one, before, end)
of_maml = {name: failed[name, "MAML"] for name in gallery}
lesson.save(
    figures.plot_gallery(panels),
    "failures",
    f"As trained MAML is at {of_maml['as trained']:.2f}; "
    f"with the points on one side at {of_maml['points on the right, judged left']:.2f}, "
    f"outside the range at {of_maml['judged on x in (5, 10)']:.0f}, "
    f"with momentum at {of_maml['momentum 0.9']:.2f}; "
    f"at ten times alpha {diverged['alpha = 0.1', 'MAML']:.0%} diverge.",
)

# %% [markdown]
"""
What was learned is a neighbourhood: these x, this frequency, this rate. Within it more steps do no
harm, which answers lesson 03: 300 are better than ten. With noise they do: the extra steps fit the
noise. With points on one side alone the networks still know the other side better than not at all,
though far worse than with points everywhere.

Outside it they are worse than knowing nothing. Beyond x = 5 the straight arms of the ReLU network
run on to wherever they point, and with points there adaptation itself breaks down. For twice the
frequency predicting 0 is better than the networks, and better than least squares on sin x and cos
x: those two are what they have learned. At ten times alpha nearly everything diverges: trained
gradients are long, so that one step of the right length does much, and a step ten times as long too
much. Momentum of 0.9 is up to ten times the rate as well: within ten steps it overshoots.

## Why it works

All three methods look, besides low loss, for weights where the gradients of a task's points agree.
MAML asks for it with its query set, Reptile by taking steps on different points. There the features
that a small step moves are much more those of the tasks than at random weights, and most of what is
left to adapt is which sum of them to take. Joint training finds the opposite: the point of least
loss before adaptation, where nothing moves.
"""

# %%
lesson.expect("2 I off the gradient of E[g_i . g_j] (x 1e-12)", product_rule * 1e12, 0, 1)
lesson.expect("Reptile with one step off joint training (x 1e-12)", one_step * 1e12, 0, 1)
lesson.expect("right verdicts of 7", right_verdicts, 7, 7)
lesson.expect("second-order term over MAML's gradient, at the start", share_at[0], 0.2, 0.6)
lesson.expect("second-order term over MAML's gradient, trained", share_at[END], 0.4, 1)
lesson.expect("cosine of joint and MAML's gradient, trained", joint_cosine, 0, 0.7)
at_start, trained = first_cosine.values()
lesson.expect("cosine of first-order and MAML's gradient, at the start", at_start, 0.88, 1)
lesson.expect("cosine of first-order and MAML's gradient, trained", trained, 0.55, 0.97)
lesson.expect("lowest slope of what is left over, tanh", min(slopes), 1.9, 2.1)
lesson.expect("highest slope of what is left over, tanh", max(slopes), 1.9, 2.1)
lesson.expect("coefficients, farthest from theory", max(off_theory), 0, 0.05)
lesson.expect("ReLU, farthest local slope from 2", max(abs(local["ReLU"] - 2)), 1, 30)
limits = [(0.47, 0.6), (0.15, 0.45), (0.67, 0.81), (0.65, 0.8), (0.59, 0.75)]
for (name, c), bounds in zip(cosines.items(), limits):
    lesson.expect(f"cosine of two gradients of a task, {name}", c.mean(), *bounds)
more = (cosines["Reptile"] > cosines["Reptile, the same points"]).sum()
longer = lengths["Reptile, the same points"].mean() / lengths["Reptile"].mean()
lesson.expect("seeds of 5 where minibatches agree more than the same points", more, 4, 5)
lesson.expect("|g|^2 with the same points, over that with minibatches", longer, 1.1, 1.45)
lesson.expect("plane: Reptile's distance from the midpoint", distance, 0, 0.05)
lesson.expect("plane: Reptile's last stride", strides[-1], 0, 0.01)
for method, losses in after.items():
    lesson.expect(f"plane: {method} after 0 steps", losses[0], 1.43, 1.45)
    bounds = (1.3, 1.44) if method == "transfer" else (0, 0.2)
    lesson.expect(f"plane: {method} after 3 steps", losses[2], *bounds)
for name, least in (("MAML", 0.5), ("Reptile", 0.75)):
    lesson.expect(f"{name}: part of the gain that the head alone gets", kept[name][0], least, 1.1)
    lesson.expect(f"{name}: part of the gain that the body alone gets", kept[name][1], 0.3, 0.9)
limits = [(0.14, 0.19), (0.05, 0.13), (0.28, 0.45), (0.26, 0.43)]
for (name, s), bounds in zip(spanned.items(), limits):
    lesson.expect(f"share of change within sin and cos, {name}", s.mean(), *bounds)
limits = [(0.18, 0.26), (0.1, 0.5), (0.5, 0.83), (0.5, 0.9)]
for (name, fraction), bounds in zip(by_three.items(), limits):
    lesson.expect(f"R^2 of three tangent features, {name}", fraction, *bounds)
bounds = {  # of MAML and of Reptile
    "as trained": [(0.4, 1.1), (0.25, 1.1)],
    "points on the right, judged left": [(0.75, 2.4), (0.65, 2.4)],
    "judged on x in (5, 10)": [(7, 32), (6, 32)],
    "sin(2x + b)": [(3.2, 4.8), (3.2, 5.5)],
    "noise of 1 on the points": [(0.85, 1.7), (0.75, 1.6)],
    f"{LONG} steps": [(0.2, 0.8), (0.15, 0.6)],
    f"noise of 1, {LONG} steps": [(1.1, 1.9), (1.15, 1.9)],
    "momentum 0.9": [(0.9, 2), (0.8, 1.7)],
}
for name, pair in bounds.items():
    for method, limits in zip(("MAML", "Reptile"), pair):
        lesson.expect(f"{method}, {name}", failed[name, method], *limits)
    if name == "sin(2x + b)":
        lesson.expect("MAML over predicting 0, sin(2x + b)", of_maml[name] / zeros[name], 1, 1.4)
for method in ("MAML", "Reptile"):
    usual, long = (failed[name, method] for name in ("as trained", f"{LONG} steps"))
    noisy, noisy_long = (
        failed[name, method] for name in ("noise of 1 on the points", f"noise of 1, {LONG} steps")
    )
    lesson.expect(f"{method}, {LONG} steps over 10", long / usual, 0.3, 1)
    lesson.expect(f"{method} with noise, {LONG} steps over 10", noisy_long / noisy, 1, 2)
    lesson.expect(f"{method}, momentum over none", failed["momentum 0.9", method] / usual, 1.2, 4)
name = "points and judged in (0, 10)"
over_zero = min(of_maml[name] / zeros[name], 1e6)
lesson.expect(f"{name} over predicting 0, MAML", over_zero, 1, 1e6)
lesson.expect("MAML, alpha = 0.1, diverged", diverged["alpha = 0.1", "MAML"], 0.8, 1)
lesson.end()
