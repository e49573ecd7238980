# %% [markdown]
"""
# Pose the K-shot problem

The post's opening, up to the first half of its section "Transfer Learning". A network should learn
something new from K examples of it, some 10, because it has practised on many similar things. Here
the things are sine waves.

What you'll learn: what a task is, and its support and query sets; what 10 points are worth to those
who know what to look for, and to those who do not; the score of the best answer that never looks at
them: 4.25, the number to beat.

What you need: the mean of a random variable; least squares. No network yet. Time: 20 minutes to
read, seconds to run.

    python lessons/01_sine_tasks.py             the whole lesson
    python lessons/01_sine_tasks.py --quick     the same figures, and a rougher score
"""

# %%
import numpy as np

from tinymeta import SineTasks
from tinymeta.course import figures
from tinymeta.course.lesson import Lesson

# %%
SHOTS = 10  # the K of K-shot: support points of a task
TEST_TASKS = 1000  # the same in every lesson
lesson = Lesson("01_sine_tasks")
MANY = 100_000 if lesson.quick else 1_000_000  # tasks behind a measured mean
# the post's, and the default
tasks = SineTasks(amplitude=(0.1, 5.0), phase=(0.0, 2 * np.pi), x_range=(-5.0, 5.0))

# %% [markdown]
"""
## A task

A task is a function to be learned,  y = a sin(x + b).  Its amplitude a and its phase b are drawn at
random, and the learner is told neither: it gets 10 points (x, y). Another draw is another task.
"""

# %%
three = tasks.sample(lesson.rng("three tasks"), 3, SHOTS, query=200, grid=True)
peaks = ", ".join(f"{peak:.1f}" for peak in abs(three.y_query).max(axis=(1, 2)))
lesson.save(
    figures.plot_few_tasks(three), "three_tasks", f"Three tasks, which reach up to {peaks}."
)

# %% [markdown]
"""
## Two sets of points for each task

The points to learn from are the task's *support set*. Whether anything was learned shows on other
points of the same task, its *query set*. (The post says training set and test set. But there will
be training tasks and test tasks as well, and each of them has both sets.) The two are drawn apart
and share no points, or the query set would reward memorising; they need not have the same size.

A batch of tasks is four arrays: T tasks, K points, d numbers a point.
"""

# %%
task = tasks.sample(lesson.rng("one task"), 1, SHOTS)
print("\nOne task as a batch:")
for name, array in task._asdict().items():
    print(f"  {name:9s} (T, K, d) = {array.shape}   {np.round(array[0, :4, 0], 2)} ...")

# %% [markdown]
"""
## What 10 points are worth

That depends on what one knows. The addition theorem says

    a sin(x + b)  =  (a cos b) sin x  +  (a sin b) cos x

so every task is a weighted sum of the same two features, sin x and cos x. Its two weights are
unknown, and *two* points give two linear equations for them (independent ones, unless the points
are a multiple of pi apart). Least squares on these features is the oracle: nothing learned can beat
it.

Least squares on other features, the powers of x, knows only that the function is smooth. Here are
both, on 1,000 test tasks: fitted to support points, judged on 50 evenly spaced query points.
"""

# %%
def wave(x):
    return np.concatenate((np.sin(x), np.cos(x)), axis=-1)


def powers(degree):
    return lambda x: (x / 5) ** np.arange(degree + 1)


def least_squares(features, x, y, x_new):
    # of all tasks at once; the smallest weights, where points are too few
    weights = np.linalg.pinv(features(x)) @ y
    return features(x_new) @ weights


test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
zero = np.mean(test.y_query**2, axis=(1, 2))  # what it costs to predict 0 everywhere, task by task
ways = {
    "a constant, 10 points": (powers(0), 10),
    "polynomial of degree 3, 10 points": (powers(3), 10),
    "polynomial of degree 9, 10 points": (powers(9), 10),
    "the oracle's features, 1 point": (wave, 1),
    "the oracle's features, 2 points": (wave, 2),
}
error = {"0 everywhere": zero}
for name, (features, n) in ways.items():
    guess = least_squares(features, test.x_support[:, :n], test.y_support[:, :n], test.x_query)
    error[name] = np.mean((guess - test.y_query) ** 2, axis=(1, 2))
print(f"\nMean squared error on new points of {TEST_TASKS} test tasks:    mean    median")
for name, e in error.items():
    print(f"  {name:52s} {e.mean():8.2g}  {np.median(e):8.2g}")

# %% [markdown]
"""
Ten points are plenty for the oracle and too few for a stranger. Degree 9 passes through all ten,
and on the median task that is nearly right. But it may do anything to the left and right of its
points, and the tasks where it does make its mean worse than predicting 0. *Mean and median can tell
opposite stories*: these lessons print both. Even a constant, the mean of the ten y, loses to 0: ten
are too few to tell it.

In between lies the K-shot problem: from practice on other tasks, learn what the oracle was told.
Here is a task that degree 9 gets wrong: one test task in ten comes out worse.
"""

# %%
nonic = error["polynomial of degree 9, 10 points"]
unlucky = np.argsort(nonic)[TEST_TASKS * 9 // 10]
x_s, y_s, x_q, y_q = (array[unlucky] for array in test)
fits = {
    "oracle, 2 points": least_squares(wave, x_s[:2], y_s[:2], x_q),
    "degree 9": least_squares(powers(9), x_s, y_s, x_q),
}
shown = slice(2, None, 5)
title = "Dots: support set; rings: every fifth query point"
lesson.save(
    figures.plot_fits((x_s, y_s), (x_q[shown], y_q[shown]), (x_q, y_q), fits, title, "true sine"),
    "support_and_query",
    f"Degree 9 goes through all {SHOTS} support points; its squared error on the query points is "
    f"{nonic[unlucky]:.1f}, the oracle's 0.",
)

# %% [markdown]
"""
## A thousand tasks

One network for all tasks at once sees x and has to name a y. It has no way to know which task is
meant.
"""

# %%
many = tasks.sample(lesson.rng("many tasks"), 10_000, 1, query=201, grid=True)
x, ys = many.x_query[0, :, 0], many.y_query[..., 0]  # (201,) and (10000, 201)
at_zero = np.quantile(ys[:1000, 100], [0.1, 0.9])
lesson.save(
    figures.plot_many_tasks(x, ys[:1000], "1,000 tasks"),
    "thousand_tasks",
    f"At x = 0, four tasks in five lie between {at_zero[0]:.1f} and {at_zero[1]:.1f}; "
    "at any other x it is much the same.",
)

# %% [markdown]
"""
## The best answer without looking: 4.25

Call f(x) the answer of someone who sees no point of the task. At each x, with m(x) the mean of y
over all tasks,

    E[(y - f)^2]  =  E[(y - m)^2]  +  (f - m)^2        the mixed term is 2 (m - f) E[y - m] = 0

so the best f is the mean m, and it pays the variance of y. For sine waves with b uniform over a
whole turn,

    m(x) = E[a] E[sin(x + b)] = 0              a sine is as often up as down
    score = E[y^2] = E[a^2] E[sin^2(x + b)]
          = E[a^2] / 2                         sin^2 and cos^2 sum to 1 and have the same mean

    E[a^2] = (hi^3 - lo^3) / (3 (hi - lo))     for a uniform in (lo, hi);
                                               for (0.1, 5): 8.5033,  so score = 4.2517

A method that claims to learn from the 10 points has to get below 4.25. One that is *at* 4.25 before
it has seen them is doing the best it can.

## What the paper's phase changes

The MAML paper draws b from half a turn, (0, pi). (Its code has sin(x - b), which changes the sign
of the mean and no score.) Then E[y^2] is the same, since sin^2 has the period pi; but the mean is
not 0:

    m(x) = E[a] (1/pi) (integral of sin(x + b) over b from 0 to pi)
         = E[a] (2/pi) cos x,     E[a] = (lo + hi) / 2 = 2.55
    score = E[y^2] - E[m^2] = E[a^2] / 2 - E[a]^2 (2/pi)^2 E[cos^2 x] = 3.006

with E[cos^2 x] = 1/2 + sin(10)/20 for x uniform in (-5, 5). One cosine for all tasks beats 0, and
scores under the two ranges cannot be compared. Below, both answers are measured under both, on one
point each of very many tasks.
"""

# %%
low, high = tasks.amplitude
mean_a, mean_a2 = (low + high) / 2, (high**3 - low**3) / (3 * (high - low))
amplitude = mean_a * 2 / np.pi  # of the cosine
# E[m^2]: won where m is the mean, lost where it is not
gain = amplitude**2 * (0.5 + np.sin(10) / 20)
half_turn = SineTasks(phase=(0.0, np.pi))
of_zero = mean_a2 / 2  # the score of 0, under both
derived = {"(0, 2 pi)": (of_zero, of_zero + gain), "(0, pi)": (of_zero, of_zero - gain)}
off = {}
print(
    f"\nScore of two blind answers: derived, and measured on {MANY:,} tasks "
    "(with its standard error)"
)
print(f"  {'phase':10s} {'0':>30s} {f'{amplitude:.3f} cos x':>30s}")
for name, distribution in zip(derived, (tasks, half_turn)):
    draw = distribution.sample(lesson.rng("score"), MANY, 1, query=0)
    line = f"  {name:10s}"
    for c, score in zip((0, amplitude), derived[name]):  # answer c cos x
        losses = (draw.y_support - c * np.cos(draw.x_support)) ** 2
        standard_error = losses.std() / MANY**0.5
        off[name, c] = abs(losses.mean() - score) / standard_error
        line += f" {f'{score:.4f}  {losses.mean():.4f} ({standard_error:.4f})':>30s}"
    print(line)

# %% [markdown]
"""
The same in a picture: the mean over 10,000 tasks, at each x, beside one task for scale. The 1,000
test tasks are a sample too: on them 0 scores a little differently, and that is the number to
compare with in later lessons.
"""

# %%
of_half_turn = half_turn.sample(lesson.rng("many tasks"), 10_000, 1, query=201, grid=True)
half_ys = of_half_turn.y_query[..., 0]
mean, half_mean = ys.mean(axis=0), half_ys.mean(axis=0)
both = {"mean": half_mean, f"{amplitude:.2f} cos x": amplitude * np.cos(x)}
panels = {
    "phase in (0, 2 pi), the post's": (ys[0], {"mean": mean}),
    "phase in (0, pi), the paper's": (half_ys[0], both),
}
rms = np.sqrt(np.mean(mean**2))
lesson.save(
    figures.plot_beside_one_task(x, panels),
    "mean_task",
    f"The mean over 10,000 tasks is {rms:.3f} away from 0 in root mean square; "
    f"under the paper's phase it reaches {half_mean.max():.2f}.",
)
zero_error = zero.std() / TEST_TASKS**0.5
print(
    f"\nOn the {TEST_TASKS} test tasks 0 scores {zero.mean():.2f}, "
    f"with a standard error of {zero_error:.2f}."
)

# %% [markdown]
"""
Two numbers to remember. 4.25 is what ignorance costs, and 0 what the oracle pays, for whom 2 points
would do. The next lesson trains a network on all tasks at once. What it learns should be no
surprise now.
"""

# %%
lesson.expect("score of 0, derived", derived["(0, 2 pi)"][0], 4.2516, 4.2517)
lesson.expect("score of the cosine under (0, pi), derived", derived["(0, pi)"][1], 3.0055, 3.0065)
lesson.expect("largest gap, derived to measured, in standard errors", max(off.values()), 0, 4)
zero_off = abs(zero.mean() - of_zero) / zero_error
lesson.expect("test tasks: score of 0, gap in standard errors", zero_off, 0, 4)
lesson.expect("mean over 10,000 tasks, away from 0", rms, 0, 0.05)
one_point, two_points = (error[f"the oracle's features, {n}"] for n in ("1 point", "2 points"))
lesson.expect("oracle, 2 points: mean (x 1e-20)", two_points.mean() * 1e20, 0, 1)
lesson.expect("oracle's features, 1 point: mean", one_point.mean(), 1.8, 2.5)
lesson.expect("degree 9, 10 points: mean", nonic.mean(), 5, 300)
lesson.expect("degree 9, 10 points: median", np.median(nonic), 0.01, 0.06)
lesson.expect("a constant over 0", error["a constant, 10 points"].mean() / zero.mean(), 1.02, 1.1)
lesson.end()
