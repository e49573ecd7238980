# %% [markdown]
"""
# Learn an initialisation by MAML

The post's section "MAML". Model-agnostic meta-learning (Finn, Abbeel & Levine 2017) looks for an
initialisation from which a few steps of gradient descent on 10 points fit a sine wave that the
network has never seen.

What you'll learn: MAML's three steps; why a gradient of a gradient appears, and why it costs a
product and never a matrix; how that product is computed; how to prove a meta-gradient right; what
it buys.

What you need: the chain rule; what a gradient step is. Time: 40 minutes to read, one to run.

    python lessons/03_maml.py             the whole lesson
    python lessons/03_maml.py --quick     the same figures within 10 s, from a short training
"""

# %%
import numpy as np

from tinymeta import (
    MLP, SineTasks, TaskBatch, adaptation_curve, checks, fomaml_grad, joint_grad, maml_grad,
    meta_loss, meta_train,
)
from tinymeta.course import figures
from tinymeta.course.examples import left_side, sine_examples
from tinymeta.course.lesson import Lesson
from tinymeta.extras.statistics import summarize, table

# %%
SHOTS = 10  # support points of a task, and as many query points
INNER_LR = 0.01  # alpha, the rate of the step on a task
SEEDS = 5  # replicas, trained side by side: theta is (SEEDS, P)
lesson = Lesson("03_maml", iterations=40_000, quick=1_500)
TEST_TASKS = 100 if lesson.quick else 1000  # the same for every method
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2 pi)

# %% [markdown]
"""
## Three steps

For each task (the post's "training set" of a task is its *support set*, the "test set" its *query
set*):

1. Take the initialisation theta. Theta is a vector, so a copy of it is just another vector.
2. Take one step of gradient descent on the support points:  theta' = theta - alpha g(theta).
3. Measure the loss of theta' on the *query* points, and ask how theta should have been for that to
   be lower.

Step 3 differentiates the loss at theta' in theta. With q the query gradient at theta', the chain
rule gives

    d/dtheta L_query(theta - alpha g(theta))  =  (I - alpha H)^T q  =  q - alpha H q

where H, the Jacobian of the gradient g, is the Hessian of the support loss: the gradient of a
gradient. Two remarks.

*Never a matrix.* H has 1761 x 1761 entries here, and none of them is needed: only the vector H q
is.

*Never a third derivative.* With more inner steps, theta_s+1 = theta_s - alpha g(theta_s), each step
has a Jacobian of its own, I - alpha H_s, and the chain rule multiplies them: one product a step,
last step first.

The query points are other points than those of step 2, because it is generalisation from 10 points
that should improve; on the same points MAML would learn to memorise them.
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
        v -= model.rop(tape, inner_lr * v)  # H_s (alpha v)
    return loss, v


by_hand = maml_by_hand(theta, INNER_LR, k)[1]
by_hand_error = checks.relative_error(by_hand, maml_grad(model, theta, one_task, INNER_LR, k)[1])
print(
    f"By hand on one task, {k} inner steps: "
    f"off the library's maml_grad by {by_hand_error:.0e}"
)
assert by_hand_error < 1e-12

# %% [markdown]
"""
## The product, one layer at a time

H v is how fast the gradient changes when theta moves along v. Pearlmutter (1994) writes R{.} for
"how fast this changes when theta moves along v", with theta = (W, ...) and v = (V, ...), one for
each layer. A layer's biases are the last row of its W here, and its input h ends in a column of
ones, so that h W is what lesson 02 wrote as h W + b, and h^T delta ends in the sum of delta. R
obeys the rules of any derivative, so each line of the forward and of the backward pass gives a line
of `MLP.rop` (tinymeta/mlp.py), which you may lay beside this:

    forward                        R-forward
      z = h W                        Rz = h V + Rh W           product rule; R{W} = V
      h' = [f(z), 1]                 Rh' = [f'(z) Rz, 0]       chain rule; of the input x, Rx = 0

    backward                       R-backward
      gW = h^T delta                 R{gW} = Rh^T delta + h^T Rdelta
      delta_before =                 Rdelta_before =
        f'(z) (delta W^T)              f'(z) (Rdelta W^T + delta V^T)  +  f''(z) Rz (delta W^T)

(The last line uses W and V without their biases, which no h before them moves.) R{gW} of all
layers, in one vector, is H v. It costs about two gradients, and no approximation is made. For ReLU
f'' = 0, which makes the last term vanish, and not H: a ReLU network is linear in each weight matrix
but not in two of them at once. So "it is ReLU, hence MAML is first-order MAML" is wrong; the
numbers are below.

## Is it right?

A meta-gradient is the gradient of one number, the query loss after adaptation, and any gradient can
be checked against that number. The complex step gives each partial derivative to rounding, with
nothing to tune (tinymeta/checks.py). Central differences need no complex numbers, but a step h: too
large, and the curvature shows; too small, and rounding does.
"""

# %%
loss, maml = maml_grad(model, theta, one_task, INNER_LR)
# the proof: all 1761 partial derivatives
proof = checks.complex_step(lambda t: meta_loss(model, t, one_task, INNER_LR), theta)
swapped = TaskBatch(x_query[None], y_query[None], x[None], y[None])
candidates = {
    "maml_grad": maml,
    "first-order MAML": fomaml_grad(model, theta, one_task, INNER_LR)[1],
    "support gradient leaked in": maml + joint_grad(model, theta, one_task, INNER_LR)[1],
    "support and query swapped": maml_grad(model, theta, swapped, INNER_LR)[1],
}
off = {name: checks.relative_error(candidate, proof) for name, candidate in candidates.items()}
print(
    "\nRelative error against the complex step of the meta-loss, "
    "over all 1761 partial derivatives:"
)
for name, error in off.items():
    print(f"  {name:28s} {error:.1e}")

# %% [markdown]
"""
The second wrong one is no invention. In the post's notebook the copy and the initialisation share
their parameters, and both calls of `.backward()` add to the same `.grad`. What its optimiser
receives is MAML's meta-gradient *plus* the gradient of the support loss; the error above is what
that leak amounts to. Nothing crashes, and the loss still falls. tinymeta's functions return
gradients; there is no place where one could be left behind.

Now the same check by central differences, on a smooth network (tanh): a ReLU's kinks
between theta - h v and theta + h v would show as errors of the differences, not of the gradient.
"""

# %%
smooth = MLP([1, 40, 40, 1], activation="tanh")
alpha = 0.1  # ten times the usual, so that the second-order term is large and leaving it out shows
directions = lesson.rng("directions").standard_normal((20, model.n_params))
directions /= np.linalg.norm(directions, axis=1, keepdims=True)


def smooth_loss(t):
    return meta_loss(smooth, t, one_task, alpha)


exact = checks.complex_step(smooth_loss, theta, directions)
smooth_maml = maml_grad(smooth, theta, one_task, alpha)[1]
levels = {
    "maml_grad": smooth_maml,
    "first-order MAML": fomaml_grad(smooth, theta, one_task, alpha)[1],
    "leaked": smooth_maml + joint_grad(smooth, theta, one_task, alpha)[1],
}
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
## Train

The post's protocol: one task a meta-step, one inner step, Adam at 1e-3 on the meta-gradient, 40,000
meta-steps. Five initialisations learn side by side, each on tasks of its own: one network more or
less trained is not a result. The baseline is the post's transfer learning: the plain gradient on
one task after another, 10,000 of them.
"""

# %%
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng) for _ in range(SEEDS)])
histories = {}  # the meta-loss at each meta-step


def train(meta_grad, label, iterations):
    theta, histories[label] = meta_train(
        meta_grad, model, start, tasks, rng=lesson.rng("training tasks"), shots=SHOTS,
        iterations=iterations, meta_batch_size=1, inner_lr=INNER_LR,
        callback=lesson.progress(label, iterations),
    )  # fmt: skip
    return theta


initialisations = {
    "random": start,
    "transfer": train(joint_grad, "transfer", max(1, lesson.iterations // 4)),
    "MAML": train(maml_grad, "MAML", lesson.iterations),
}
losses = {name: f"{h[:200].mean():.2f} to {h[-200:].mean():.2f}" for name, h in histories.items()}
lesson.save(
    figures.plot_history(histories, f"Training; bands: all {SEEDS} seeds"),
    "training",
    "From the first 200 meta-steps to the last, MAML's loss, after a step, goes from "
    f"{losses['MAML']}; transfer's, which takes none, from {losses['transfer']}.",
)

# %% [markdown]
"""
## What it buys

First on two tasks to look at: an ordinary one, and one whose support points all lie on one side. If
MAML had only learned to fit points, it could know nothing of the other side.
"""

# %%
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

# %% [markdown]
"""
Then on 1,000 tasks that no method has seen: 10 support points to descend on, 50 evenly spaced
points to be judged on. The score to beat is that of the zero function, which is what the tasks'
mean is: E[a^2]/2 = 4.25.
"""

# %%
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
curves = {
    name: adaptation_curve(model, theta, test, INNER_LR, steps=10)
    for name, theta in initialisations.items()
}
zero = np.mean(test.y_query**2)
print(
    f"\nMean squared error on {TEST_TASKS} test tasks: mean of {SEEDS} seeds (lowest-highest), "
    f"median task; the zero function: {zero:.2f}"
)
print(table(curves, (0, 1, 10)))

maml, transfer, untrained = (summarize(curves[name]) for name in ("MAML", "transfer", "random"))
title = f"A new sine from {SHOTS} points; bands: all {SEEDS} seeds"
lesson.save(
    figures.plot_learning_curves(curves, title, top=5.0, shots=SHOTS),
    "learning_curve",
    f"One step takes MAML from {maml.mean[0]:.2f} to {maml.mean[1]:.2f}, "
    f"ten to {maml.mean[10]:.2f}; "
    f"transfer is at {transfer.mean[10]:.2f} after ten, random at {untrained.mean[10]:.2f}.",
)

# %% [markdown]
"""
Before adaptation MAML is no better than the zero function. It should not be: it minimises the loss
*after* a step, and the best that one function can do for all tasks at once is to be zero. A flat
"before" is not a failure of training.

It was trained for one step, and nine more still help. They were not promised to: see lesson 06 for
where that ends.
"""

# %%
lesson.expect("maml_grad off the complex step (x 1e-12)", off["maml_grad"] * 1e12, 0, 1)
lesson.expect("first-order MAML off the meta-gradient", off["first-order MAML"], 0.01, 1)
lesson.expect("leaked gradient off the meta-gradient", off["support gradient leaked in"], 0.3, 2)
lesson.expect("MAML before, over the zero function's", maml.mean[0] / zero, 0.97, 1.08)
lesson.expect_curve("random", untrained.mean, {0: (4.1, 4.4), 1: (3.8, 4.15), 10: (3.7, 4.4)})
lesson.expect_curve("transfer", transfer.mean, {0: (4.1, 4.3), 1: (3.8, 4.25), 10: (3.7, 4.4)})
lesson.expect_curve("MAML", maml.mean, {0: (4.05, 4.5), 1: (1.2, 1.7), 10: (0.45, 0.85)})
lesson.end()
