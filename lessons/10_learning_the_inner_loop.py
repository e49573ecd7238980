# %% [markdown]
"""
# Learn the inner loop too

The post stops at three algorithms. All of MAML is one recursion: descend, remember the way, go back
along it. Here the same few lines learn the rates of the descent, use fewer of its steps or none,
and are compared on equal terms.

What you'll learn: how the gradient in the rates falls out of MAML's own recursion (Meta-SGD); what
freezing the body or the head costs (ANIL, BOIL); how losses along the way join the way back
(MAML++); how to differentiate a minimum instead of the way to it (iMAML), and what that gradient
cannot see.

What you need: lessons 03 and 05. Time: 40 minutes to read, two to run.

    python lessons/10_learning_the_inner_loop.py             the whole lesson
    python lessons/10_learning_the_inner_loop.py --quick     the same within 10 s, trained briefly
"""

# %%
import time
import tracemalloc

import numpy as np

from tinymeta import MLP, SineTasks, adaptation_curve, checks, maml_grad, meta_loss, meta_train
from tinymeta.checks import largest_eigenvalue
from tinymeta.course import figures
from tinymeta.course.lesson import Lesson
from tinymeta.extras.statistics import summarize, table
from tinymeta.extras.variants import (
    AdamWithRates, MetaSGDModel, imaml_grad, meta_sgd_grad, multi_step_grad, rates_by_part,
)
from tinymeta.training import Diverged

# %%
SHOTS = 10  # support points of a task, and as many query points
TASKS = 5  # a meta-step
SEEDS = 5  # replicas, trained side by side: theta is (SEEDS, P)
lesson = Lesson("10_learning_the_inner_loop", iterations=10_000, quick=100)
TEST_TASKS = 100 if lesson.quick else 1000  # the same for every method
model = MLP([1, 40, 40, 1])  # ReLU, mean squared error: the post's
tasks = SineTasks()  # y = a sin(x + b), a in (0.1, 5), b in (0, 2 pi)

# %% [markdown]
"""
## Rates that are learned: Meta-SGD

Let every parameter have a rate of its own, alpha a vector, and learn it (Li et al. 2017). The step
is as before:

    theta_s+1 = theta_s - alpha g_s             entry by entry

The loss depends on alpha through each step. With v_s+1 the gradient at theta_s+1, which MAML's way
back passes anyway, step s contributes  -v_s+1 g_s,  entry by entry. That is one more line in the
loop:
"""

# %%
theta = model.init(lesson.rng("initialisation"))
one_task = tasks.sample(lesson.rng("training tasks"), 1, SHOTS)
x, y, x_query, y_query = (array[0] for array in one_task)
alpha = lesson.rng("rates").uniform(0, 0.02, model.n_params)
k = 2  # inner steps

thetas = [theta]
for s in range(k):
    thetas.append(thetas[s] - alpha * model.grad(thetas[s], x, y))
v, alpha_grad = model.grad(thetas[k], x_query, y_query), 0.0
for s in reversed(range(k)):
    alpha_grad = alpha_grad - v * model.grad(thetas[s], x, y)
    v = v - model.hvp(thetas[s], x, y, alpha * v)

learned = MetaSGDModel(model)  # its parameters are theta and alpha in one vector
# the inner rate is 0.0, for the rates are among the parameters
library = meta_sgd_grad(learned, learned.join(theta, alpha), one_task, 0.0, k)[1]
by_hand_error = checks.relative_error(np.concatenate((v, alpha_grad)), library)
along = lesson.rng("directions").standard_normal((20, model.n_params))
in_alpha = [
    checks.complex_step(lambda a: meta_loss(model, theta + 0j, one_task, a, k), alpha, d)
    for d in along
]
proof_error = checks.relative_error(along @ library[model.n_params :], in_alpha)
print(f"Seven lines by hand on one task: off the library's meta_sgd_grad by {by_hand_error:.0e}")
print(f"The gradient in alpha, along 20 directions, off the complex step: {proof_error:.0e}")
assert by_hand_error < 1e-12 and proof_error < 1e-8

# %% [markdown]
"""
## Rates of zero, losses on the way, and no way at all

*ANIL* (Raghu et al. 2020) adapts the last layer only, *BOIL* (Oh et al. 2021) all but the last.
Neither is a new algorithm here: alpha is a vector that is zero on one part, and `maml_grad` takes
it as it is.

*MAML++* (Antoniou et al. 2019) adds up the query losses after every inner step, with weights. On
the way back, each query gradient joins v at the step that it belongs to.

*iMAML* (Rajeswaran et al. 2019) does not go back at all. Its inner problem is the support loss plus
a spring, strength / 2 |phi - theta|^2, descended until it is solved. At the minimum the gradient
vanishes, g(phi) + strength (phi - theta) = 0, and differentiating that equation in theta gives

    d phi / d theta = (I + H / strength)^-1

which conjugate gradients apply to the query gradient by a few Hessian-vector products, all at one
place. How many are needed is a question of accuracy, and what must be remembered does not grow with
the inner steps:
"""

# %%
# smooth and small, so that the inner problem can be solved to the end
small = MLP([1, 8, 8, 1], activation="tanh")
small_theta = small.init(lesson.rng("initialisation"))
strength, solved = 5.0, dict(inner_lr=0.05, inner_steps=1000)


def solved_loss(t):
    """Return the query loss at the minimum of the inner problem, by descent in plain sight."""
    t = t[..., None, :]
    phi = t
    for _ in range(solved["inner_steps"]):
        support_grad = small.grad(phi, one_task.x_support, one_task.y_support)
        phi = phi - solved["inner_lr"] * (support_grad + strength * (phi - t))
    return small.loss(phi, one_task.x_query, one_task.y_query).mean(axis=-1)


implicit = checks.complex_step(solved_loss, small_theta)
cg_steps = (1, 2, 3, 5, 8, 12, 16, 24)
cg_errors = []
for n in cg_steps:
    _, grad = imaml_grad(strength, n)(small, small_theta, one_task, **solved)
    cg_errors.append(checks.relative_error(grad, implicit))
print("\niMAML's gradient off the exact implicit one, by steps of conjugate gradients:")
print("  " + ", ".join(f"{n}: {error:.0e}" for n, error in zip(cg_steps, cg_errors)))
lesson.save(
    figures.plot_convergence(
        cg_steps, cg_errors,
        "iMAML's gradient off the exact implicit one", "steps of conjugate gradients",
    ),
    "conjugate_gradients",
    f"3 steps leave an error of {cg_errors[2]:.0e}, 8 of {cg_errors[4]:.0e}; "
    f"the network has {small.n_params} parameters.",
)


def peak_memory(meta_grad, inner_steps):
    """Return the most memory that a meta-gradient of 25 tasks holds at once, in MB."""
    batch = tasks.sample(lesson.rng("training tasks"), 25, SHOTS)
    tracemalloc.start()
    meta_grad(model, theta, batch, 0.001, inner_steps)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


# a spring of strength 10, 3 steps of conjugate gradients; not every task's I + H / 10 is positive
# definite: there they stop
imaml = imaml_grad(10.0, 3, indefinite="stop")
both = {"MAML": maml_grad, "iMAML": imaml}
memory = {name: [peak_memory(grad, n) for n in (1, 16)] for name, grad in both.items()}
each = "; ".join(f"{name} {one:.1f}, {many:.1f} MB" for name, (one, many) in memory.items())
print(f"Peak memory with 1 and with 16 inner steps, 25 tasks: {each}")

# %% [markdown]
"""
## Train

Five initialisations side by side, 10,000 meta-steps of five tasks each, in float32, on the same
tasks for all methods. Each has its rates chosen on validation tasks, after a fifth of the training:
those with the lowest loss after as many steps as it trains for. MAML at the post's rate, 0.01, is
there as well.
"""

# %%
rng = lesson.rng("initialisation")
start = np.stack([model.init(rng, np.float32) for _ in range(SEEDS)])
validation = tasks.sample(lesson.rng("validation tasks"), 200, SHOTS, query=50, grid=True)
tenth = max(1, lesson.iterations // 10)


def train(meta_grad, label, inner_lr, iterations=lesson.iterations, **options):
    theta, _ = meta_train(
        meta_grad, model, start, tasks, rng=lesson.rng("training tasks"), iterations=iterations,
        meta_batch_size=TASKS, shots=SHOTS, inner_lr=inner_lr,
        callback=lesson.progress(label, iterations), **options,
    )
    return theta, inner_lr


def train_maml(label, inner_lr, **options):
    return train(maml_grad, label, inner_lr, **options)


three_losses = multi_step_grad([1 / 3, 1 / 3, 1 / 3])


def train_three_losses(label, inner_lr, **options):
    return train(three_losses, label, inner_lr, inner_steps=3, **options)


def train_rates(label, rates_lr, least, iterations=lesson.iterations):
    optimizer = AdamWithRates(learned, rates_lr=rates_lr, least=least)
    phi, _ = meta_train(
        meta_sgd_grad, learned, learned.join(start, 0.01), tasks, rng=lesson.rng("training tasks"),
        iterations=iterations, meta_batch_size=TASKS, shots=SHOTS, inner_lr=0.0,
        optimizer=optimizer, callback=lesson.progress(label, iterations),
    )
    return learned.split(phi)


def best(candidates, label, trainer, steps=1):
    """Return, of {name: arguments for trainer}, those whose result has the lowest validation loss
    after `steps` steps."""
    losses = {}
    for name, arguments in candidates.items():
        theta, inner_lr = trainer(f"{label} {name}", *arguments, iterations=2 * tenth)
        losses[name] = adaptation_curve(model, theta, validation, inner_lr, steps)[:, steps].mean()
    each = ", ".join(f"{loss:.2f} at {name}" for name, loss in losses.items())
    print(f"  {label}, validation loss: {each}")
    return candidates[min(losses, key=losses.get)]


# %%
print("\nRates, chosen on validation tasks")
head_only = {a: (rates_by_part(model, 0.0, a),) for a in (0.03, 0.1, 0.3)}
body_only = {a: (rates_by_part(model, a, 0.0),) for a in (0.01, 0.03, 0.1)}
rate = best({a: (a,) for a in (0.01, 0.02, 0.03)}, "MAML", train_maml)
anil = best(head_only, "ANIL", train_maml)
boil = best(body_only, "BOIL", train_maml)
multi = best({a: (a,) for a in (0.01, 0.02)}, "MAML++ loss", train_three_losses, steps=3)
free = best({f"{r:.0e}": (r, -np.inf) for r in (3e-5, 1e-4)}, "Meta-SGD", train_rates)
kept = best({f"{r:.0e}": (r, 0.0) for r in (3e-5, 1e-4)}, "Meta-SGD, rates >= 0", train_rates)

trained = {
    "MAML at 0.01": train_maml("MAML at 0.01", 0.01),
    "MAML": train_maml("MAML", *rate),
    "ANIL": train_maml("ANIL", *anil),
    "BOIL": train_maml("BOIL", *boil),
    "MAML++ loss": train_three_losses("MAML++ loss", *multi),
    "Meta-SGD": train_rates("Meta-SGD", *free),
    "Meta-SGD, rates >= 0": train_rates("Meta-SGD, rates >= 0", *kept),
}

# %%
IMAML_LR = 0.003
try:
    implicit_theta, _ = train(imaml, "iMAML", IMAML_LR, inner_steps=10)
    reached = lesson.iterations
except Diverged as cut_short:
    implicit_theta, reached = cut_short.theta, len(cut_short.history)
trained["iMAML"] = implicit_theta, IMAML_LR

# %% [markdown]
"""
## One table

The same 1,000 test tasks for all. Cost and memory are those of one meta-gradient of 25 tasks, over
MAML's; timed in turn.
"""

# %%
test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
curves = {
    name: adaptation_curve(model, theta, test, rates, steps=10)
    for name, (theta, rates) in trained.items()
}
print(
    f"\nMean squared error on {TEST_TASKS} test tasks: "
    f"mean of {SEEDS} seeds (lowest-highest), median task"
)
print(table(curves, (1, 5, 10)))

maml, best_maml, multi_loss, kept_rates = (
    summarize(curves[name])
    for name in ("MAML at 0.01", "MAML", "MAML++ loss", "Meta-SGD, rates >= 0")
)
others = ("ANIL", "BOIL", "MAML++ loss", "Meta-SGD, rates >= 0")
shown = {"MAML": curves["MAML at 0.01"]} | {name: curves[name] for name in others}
lesson.save(
    figures.plot_learning_curves(
        shown, f"Five ways to adapt; bands: all {SEEDS} seeds", top=5.0, shots=SHOTS
    ),
    "learning_curve",
    f"After one step Meta-SGD with rates >= 0 is at {kept_rates.mean[1]:.2f}, "
    f"MAML at its best fixed rate at {best_maml.mean[1]:.2f}; "
    f"after ten at {kept_rates.mean[10]:.2f}, MAML at 0.01 at {maml.mean[10]:.2f}.",
)

# %%
def mean_of_blocks(rates):
    """Return the mean rate of each block: {"W1": ..., "b1": ..., "W2": ...}."""
    means = {}
    for layer, (W, b) in enumerate(model.unpack(rates), start=1):
        means |= {f"W{layer}": float(W.mean()), f"b{layer}": float(b.mean())}
    return means


free_rates, rates_kept = trained["Meta-SGD"][1], trained["Meta-SGD, rates >= 0"][1]
mean_rates = {"free": mean_of_blocks(free_rates), "kept >= 0": mean_of_blocks(rates_kept)}
negative = float((free_rates < 0).mean())
diverged, diverged_kept = (
    summarize(curves[name]).diverged[10] / (SEEDS * TEST_TASKS)
    for name in ("Meta-SGD", "Meta-SGD, rates >= 0")
)
lesson.save(
    figures.plot_bars(mean_rates, "Learned rates, mean of each block", "rate"),
    "rates",
    f"{negative:.0%} of the free rates have turned negative. They serve the one step they were "
    f"trained for; after ten, {diverged:.1%} of the adaptations have diverged, "
    f"of those with rates >= 0 {diverged_kept:.1%}.",
)

# %%
batch = tasks.sample(lesson.rng("training tasks"), 25, SHOTS)
contenders = {
    "MAML": lambda: maml_grad(model, theta, batch, 0.01),
    "Meta-SGD": lambda: meta_sgd_grad(learned, learned.join(theta, alpha), batch, 0.0),
    "MAML++ loss": lambda: three_losses(model, theta, batch, 0.01, 3),
    "iMAML, 10 steps, 3 of conjugate gradients": lambda: imaml(model, theta, batch, 0.003, 10),
}


def seconds(run):
    begin = time.perf_counter()
    for _ in range(5):
        run()
    return time.perf_counter() - begin


ratios = {
    name: np.median([seconds(run) / seconds(contenders["MAML"]) for _ in range(9)])
    for name, run in contenders.items()
}
each = "; ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
print(f"\nTime of a meta-gradient over MAML's: {each}")

# %% [markdown]
"""
## What freezing costs afterwards

ANIL's authors froze the body of a network that MAML had trained *with* it, and found little lost.
Here:
"""

# %%
maml_theta, maml_rate = trained["MAML at 0.01"]
frozen = {
    "all adapts": maml_rate,
    "head only": rates_by_part(model, 0.0, maml_rate),
    "body only": rates_by_part(model, maml_rate, 0.0),
}
print(
    "\nMAML at 0.01, trained whole, then adapted in part; "
    "mean squared error after 1, 5 and 10 steps"
)
for name, rates in frozen.items():
    losses = summarize(adaptation_curve(model, maml_theta, test, rates, steps=10)).mean
    print(f"  {name:10s} " + " ".join(f"{losses[n]:.2f}" for n in (1, 5, 10)))

# %% [markdown]
"""
## What an implicit gradient cannot see

iMAML comes out badly here. Its gradient is that of the *minimum*, so it does not know by what steps
it was reached, nor at what rate. Descent at alpha needs all curvature below 2 / alpha. MAML
differentiates the steps, and pays for every one that overshoots; iMAML does not, and lets the
curvature grow until its own inner descent overshoots.
"""

# %%
def curvature_of(theta):
    """Return the largest eigenvalue of the Hessian of each task's support loss, by Hessian-vector
    products: (SEEDS, tasks)."""
    theta = theta[:, None].astype(float)  # (SEEDS, 1, P), in double precision
    x, y = validation.x_support[:50], validation.y_support[:50]
    return largest_eigenvalue(model, theta, x, y, lesson.rng("directions"), iterations=30)


curvature = {
    "random": curvature_of(start),
    "MAML at 0.01": curvature_of(maml_theta),
    "iMAML": curvature_of(implicit_theta),
}
print(
    f"\niMAML reached meta-step {reached} of {lesson.iterations}. "
    "Largest curvature of the support loss:"
)
for name, values in curvature.items():
    median, high = np.median(values), np.quantile(values, 0.9)
    print(f"  {name:12s} median task {median:5.0f}, nine in ten below {high:5.0f}")
print(f"  2 / alpha: {2 / 0.01:.0f} for MAML at 0.01, {2 / IMAML_LR:.0f} for iMAML at {IMAML_LR}")
maml_above = (curvature["MAML at 0.01"] > 2 / 0.01).mean()
imaml_above = (curvature["iMAML"] > 2 / IMAML_LR).mean()
print(
    f"  above it: {maml_above:.0%} of the tasks for MAML at 0.01, "
    f"{imaml_above:.0%} of the tasks for iMAML"
)

# %%
lesson.expect("meta_sgd_grad in alpha, off the complex step (x 1e-8)", proof_error * 1e8, 0, 1)
lesson.expect("iMAML off the implicit gradient, 24 steps (x 1e-8)", cg_errors[-1] * 1e8, 0, 1)
growth = {name: many / one for name, (one, many) in memory.items()}
lesson.expect("memory, 16 inner steps over 1, MAML", growth["MAML"], 4, 16)
lesson.expect("memory, 16 inner steps over 1, iMAML", growth["iMAML"], 0.9, 1.1)
lesson.expect_curve("MAML at 0.01", maml.mean, {1: (1.1, 1.6), 5: (0.55, 0.95), 10: (0.45, 0.85)})
lesson.expect_curve("MAML at its best rate", best_maml.mean, {1: (1.0, 1.4)})
lesson.expect_curve("MAML++ loss", multi_loss.mean, {1: (0.9, 1.5), 5: (0.35, 0.8)})
bounds = {1: (0.35, 0.7), 5: (0.08, 0.3), 10: (0.06, 0.25)}
lesson.expect_curve("Meta-SGD, rates >= 0", kept_rates.mean, bounds)
ratio = kept_rates.seed_max[1] / best_maml.seed_min[1]
lesson.expect("worst seed of Meta-SGD over the best of MAML, 1 step", ratio, 0.2, 1)
ratio = kept_rates.seed_max / maml.seed_min
lesson.expect("worst seed of Meta-SGD over the best of MAML at 0.01, 5 steps", ratio[5], 0.05, 1)
lesson.expect("worst seed of Meta-SGD over the best of MAML at 0.01, 10 steps", ratio[10], 0.05, 1)
lesson.expect("share of free rates below 0", negative, 0.1, 0.4)
at_random, after_maml, after_imaml = (np.median(values) for values in curvature.values())
lesson.expect("curvature, median, MAML at 0.01 over random", after_maml / at_random, 2, 8)
lesson.expect("curvature, median, iMAML over MAML at 0.01", after_imaml / after_maml, 1.5, 15)
lesson.expect("iMAML cut short at meta-step", reached, 1000, 9999)
lesson.end()
