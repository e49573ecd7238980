# %% [markdown]
"""
# Walk towards the weights found: Reptile

The post's section "Reptile". Reptile (Nichol, Achiam & Schulman 2018) runs a few steps of gradient
descent on a task and moves the initialisation a little towards where they led. There is no query
set, and nothing is differentiated twice.

What you'll learn: the algorithm; why with one inner step it is transfer learning, exactly, and with
more it is not; its two outer updates and two kinds of inner data; how it compares with MAML, at the
post's settings and at equal cost.

What you need: lessons 03 and 04. Time: 25 minutes to read, two to run.

    python lessons/05_reptile.py             the whole lesson
    python lessons/05_reptile.py --quick     the same figures within 10 s, from a short training
"""

# %%
import numpy as np

from tinymeta import (
    MLP, SGD, SineTasks, adaptation_curve, checks, fomaml_grad, joint_grad, maml_grad,
    meta_train, reptile_grad,
)
from tinymeta.course import figures
from tinymeta.course.examples import left_side, sine_examples
from tinymeta.course.lesson import Lesson
from tinymeta.extras.statistics import summarize, table

# %%
SHOTS = 10  # support points of a task, and as many query points
INNER_LR = 0.01  # alpha, the rate of the step on a task
REPTILE_STEPS = 3  # inner steps, the post's
SEEDS = 5  # replicas, trained side by side: theta is (SEEDS, P)
lesson = Lesson("05_reptile", iterations=40_000, quick=400)
TEST_TASKS = 100 if lesson.quick else 1000  # the same for every method
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2 pi)

# %% [markdown]
"""
## Three steps, none of them new

For each task:

1. Take the initialisation theta.
2. Take a few steps of gradient descent on the support points, to theta_k.
3. Move theta a little towards theta_k.

The way from theta to theta_k is alpha times the sum of the gradients met on it. Divided by alpha
and turned round, it can stand where a gradient stands:
(theta - theta_k) / alpha  =  g_0 + g_1 + ... + g_k-1.
"""

# %%
theta = model.init(lesson.rng("initialisation"))
one_task = tasks.sample(lesson.rng("training tasks"), 1, SHOTS)
x, y, x_query, y_query = (array[0] for array in one_task)
k = REPTILE_STEPS  # inner steps

theta_k = theta
for _ in range(k):
    theta_k = theta_k - INNER_LR * model.grad(theta_k, x, y)
v = (theta - theta_k) / INNER_LR

loss, library = reptile_grad(model, theta, one_task, INNER_LR, k)
by_hand_error = checks.relative_error(v, library)
print(
    f"Four lines by hand on one task, {k} inner steps: "
    f"off the library's reptile_grad by {by_hand_error:.0e}"
)
# the difference of two close vectors loses some digits; the sum does not
assert by_hand_error < 1e-11

# %% [markdown]
"""
## Is it not just transfer learning?

With one inner step it is: the sum has one term, the gradient of the support loss at theta. With
two, the second gradient is taken where the first has led, and theta_1 = theta - alpha g_0 makes it
g_1 = g_0 - alpha H g_0 + ...  There is the Hessian, as in MAML, though nobody computed it. How much
of the sum is that?
"""

# %%
batch = tasks.sample(lesson.rng("training tasks"), 100, SHOTS)
joint = joint_grad(model, theta, batch, INNER_LR)[1]
one_step = np.array_equal(reptile_grad(model, theta, batch, INNER_LR, 1)[1], joint)
print(f"\nReptile with one inner step is the joint gradient, to the last bit: {one_step}")
for k in (2, 3, 10):
    bend = checks.relative_error(reptile_grad(model, theta, batch, INNER_LR, k)[1], k * joint)
    print(f"  with {k:2d} it is {bend:.0%} away from {k} times that gradient")

# %% [markdown]
"""
## Two ways to move, two kinds of points

*Outer update.* The paper moves a fraction epsilon of the way:  theta + epsilon (theta_k - theta).
In terms of the "gradient" above this is plain descent at the rate epsilon * alpha. The post's
notebook gives the same vector to Adam instead, which divides out its length. (The paper's code
descends on a task by Adam as well. Its averages then belong to that task; kept, they would push the
next one. Here the inner loop is plain descent, which has nothing to keep: Adam is the outer loop's
alone.)

*Inner data.* The notebook takes every step on the same 10 points. The paper draws more points and
takes each step on a minibatch of its own: then the second gradient asks whether the first helped on
*other* points, as MAML's query set does.
"""

# %%
epsilon = 0.1
moved = SGD(epsilon * INNER_LR).step(theta, library)
fraction_error = checks.relative_error(moved, theta + epsilon * (theta_k - theta))
print(f"\nA fraction epsilon of the way, and SGD at epsilon * alpha: {fraction_error:.0e} apart")

# %% [markdown]
"""
## Train

As in lesson 03: 40,000 meta-steps of one task each, five initialisations side by side, the post's
rates. Reptile's epsilon is not the post's, who uses Adam; it is chosen on validation tasks, after a
quarter of the training each.
"""

# %%
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng) for _ in range(SEEDS)])


def train(meta_grad, label, iterations=lesson.iterations, shots=SHOTS, **options):
    theta, _ = meta_train(
        meta_grad, model, start, tasks, rng=lesson.rng("training tasks"), shots=shots,
        iterations=iterations, meta_batch_size=1, inner_lr=INNER_LR,
        callback=lesson.progress(label, iterations), **options,
    )  # fmt: skip
    return theta


validation = tasks.sample(lesson.rng("validation tasks"), 200, SHOTS, query=50, grid=True)


def validation_loss(epsilon):
    options = {"inner_steps": REPTILE_STEPS, "optimizer": SGD(epsilon * INNER_LR)}
    theta = train(reptile_grad, f"epsilon {epsilon}", lesson.iterations // 4, **options)
    return adaptation_curve(model, theta, validation, INNER_LR, steps=10)[:, 10].mean()


validation_losses = {epsilon: validation_loss(epsilon) for epsilon in (0.03, 0.1, 0.3)}
epsilon = min(validation_losses, key=validation_losses.get)
listed = ", ".join(f"{e}: {loss:.2f}" for e, loss in validation_losses.items())
print(f"\nReptile's epsilon on validation tasks: {listed}")

# %%
k, fraction = REPTILE_STEPS, SGD(epsilon * INNER_LR)
initialisations = {
    "MAML": train(maml_grad, "MAML"),
    "first-order MAML": train(fomaml_grad, "first-order MAML"),
    "Reptile": train(reptile_grad, "Reptile", inner_steps=k),
    f"Reptile, epsilon = {epsilon}": train(
        reptile_grad, "Reptile, epsilon", inner_steps=k, optimizer=fraction
    ),
}

# %% [markdown]
"""
## What it buys

The same two tasks as in lesson 03 to look at, then the same 1,000 test tasks, now followed for 32
steps.
"""

# %%
examples = sine_examples(lesson.rng("example"), SHOTS)
one_sided = left_side(examples["10 points on one side"])  # judged where it has no points
thetas = initialisations["Reptile"]
one_sided_error = adaptation_curve(model, thetas, one_sided, INNER_LR, steps=10)[:, 10]
blind_error = np.mean(one_sided.y_query**2)
lesson.save(
    figures.plot_adaptation(model, thetas[0], examples, INNER_LR, truth="true sine"),
    "adaptation",
    "On the side without points, 10 steps leave a mean squared error of "
    f"{np.median(one_sided_error):.2f} (median of {SEEDS} seeds); "
    f"to know nothing of it, and predict 0, would cost {blind_error:.2f}.",
)

# %%
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
curves = {
    name: adaptation_curve(model, theta, test, INNER_LR, steps=32)
    for name, theta in initialisations.items()
}
zero = np.mean(test.y_query**2)
print(
    f"\nMean squared error on {TEST_TASKS} test tasks: mean of {SEEDS} seeds (lowest-highest), "
    f"median task; the zero function: {zero:.2f}"
)
print(table(curves, (1, 10, 32)))

maml, first_order, reptile, with_epsilon = (summarize(curve) for curve in curves.values())
posts = {name: curves[name] for name in ("MAML", "first-order MAML", "Reptile")}
three = maml, first_order, reptile
after = {n: ", ".join(f"{c.mean[n]:.2f}" for c in three) for n in (1, 10, 32)}
lesson.save(
    figures.plot_learning_curves(posts, "At the post's settings", top=2.5, shots=SHOTS),
    "learning_curve",
    f"MAML, first-order MAML, Reptile: {after[1]} after one step, {after[10]} after ten, "
    f"{after[32]} after 32.",
)

# %% [markdown]
"""
## At equal cost

That comparison is not quite fair. MAML saw 20 points of each task and Reptile 10; MAML spent two
gradients and a product, which costs as much as two more, and Reptile spent three. Here each sees
the same 20 points and spends four:

    MAML               one step on 10 points, query gradient on the other 10, one product
    first-order MAML   three steps on 10 points, query gradient on the other 10
    Reptile            four steps, on 10 and 10 of the 20 points in turn
"""

# %%
all_points = {"shots": 2 * SHOTS, "inner_steps": 4, "minibatch": SHOTS}
fair = {
    "MAML": initialisations["MAML"],
    "first-order MAML": train(fomaml_grad, "first-order MAML, fair", inner_steps=3),
    "Reptile": train(reptile_grad, "Reptile, fair", **all_points),
}
fair_curves = {
    name: adaptation_curve(model, theta, test, INNER_LR, steps=32) for name, theta in fair.items()
}
print("\nThe same at equal cost")
print(table(fair_curves, (1, 10, 32)))
_, fair_first_order, fair_reptile = summaries = [summarize(c) for c in fair_curves.values()]
after = {n: ", ".join(f"{c.mean[n]:.2f}" for c in summaries) for n in (10, 32)}
title = "At equal cost: the same 20 points, four gradients"
lesson.save(
    figures.plot_learning_curves(fair_curves, title, top=2.5, shots=SHOTS),
    "learning_curve_fair",
    f"MAML, first-order MAML, Reptile: {after[10]} after ten steps, {after[32]} after 32.",
)
lower = {n: int((fair_reptile.seeds[:, n] < maml.seeds[:, n]).sum()) for n in (1, 10, 32)}
counts = ", ".join(f"{count} after {n}" for n, count in lower.items())
print(f"Of five pairs with the same start and tasks, Reptile is lower in {counts} step(s).")

# %% [markdown]
"""
## Who wins, and why in that order

After one step MAML is ahead at the post's settings: it was trained for exactly that, and gets what
it asks for. After ten and more Reptile draws level or passes it: it was trained to end well after
several steps, and never asks what one achieves.

At equal cost Reptile wins after ten steps and after 32, and after one it is about even. Minibatches
make the difference: on points of its own, each step is asked to agree with the others, which is
what MAML's query set is for; lesson 06 will measure that.

First-order MAML is behind. With three inner steps it sometimes catches up in the end, but nothing
holds its starting point in place: before adaptation, and after one step, it can be far worse than
predicting 0, and on a few tasks descent from there diverges.

So the post is right that Reptile is as good as MAML and simpler. It is better than the post could
see, once it is given the same points.
"""

# %%
lesson.expect("with one inner step, the joint gradient", one_step, 1, 1)
lesson.expect_curve("MAML", maml.mean, {1: (1.2, 1.7), 10: (0.45, 0.85), 32: (0.35, 0.9)})
first_bounds = {1: (1.5, 3), 10: (0.6, 1.9), 32: (0.55, 1.8)}
lesson.expect_curve("first-order MAML", first_order.mean, first_bounds)
lesson.expect_curve("Reptile", reptile.mean, {1: (1.5, 2.1), 10: (0.45, 1), 32: (0.4, 0.9)})
epsilon_bounds = {1: (1.7, 2.6), 10: (0.8, 1.5), 32: (0.7, 1.3)}
lesson.expect_curve("Reptile with epsilon", with_epsilon.mean, epsilon_bounds)
first_bounds = {1: (0.8, 30), 10: (0.2, 1.7), 32: (0.15, 1.5)}
lesson.expect_curve("first-order MAML at equal cost, median", fair_first_order.median, first_bounds)
reptile_bounds = {1: (1, 1.9), 10: (0.2, 0.65), 32: (0.15, 0.55)}
lesson.expect_curve("Reptile at equal cost", fair_reptile.mean, reptile_bounds)
reptile_over_maml = fair_reptile.mean[10] / maml.mean[10]
lesson.expect("Reptile over MAML at equal cost, 10 steps", reptile_over_maml, 0.35, 0.9)
lesson.end()
