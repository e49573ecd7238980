# %% [markdown]
"""
# The K-shot problem

The post's opening, up to the first half of its section "Transfer Learning". A network should learn
something new from K examples of it, about 10, because it has practised on many similar things. Here
the things are sine waves.

What you'll learn: what a task is, and its support and query sets; what 10 points are worth to those
who know which functions are possible, and to those who do not; the score of the best answer that
never looks at the points: 4.25, the number to beat.

What you need: the mean of a random variable; least squares. No network yet. Time: 20 minutes to
read, seconds to run.

    python lessons/01_sine_tasks.py             the whole lesson
    python lessons/01_sine_tasks.py --quick     the same: nothing is trained here
"""

# %% tags=["hide-input"]
import numpy as np

from tinymeta import SineTasks
from tinymeta.course import figures
from tinymeta.course.lesson import Lesson

# %%
SHOTS = 10  # the K of K-shot: support points of a task
TEST_TASKS = 1000  # the same in every lesson
lesson = Lesson()
MANY = 1_000_000  # tasks behind a measured mean
# the post's, and the default
tasks = SineTasks(amplitude=(0.1, 5.0), phase=(0.0, 2 * np.pi), x_range=(-5.0, 5.0))

# %% [markdown]
"""
## A task

Three functions are to be learned, each from ten points of it.
"""

# %%
three = tasks.sample(lesson.rng("three tasks"), 3, SHOTS, query=200, grid=True)

# %% tags=["hide-input"]
peaks = ", ".join(f"{peak:.1f}" for peak in abs(three.y_query).max(axis=(1, 2)))
lesson.save(
    figures.plot_few_tasks(three), "three_tasks", f"Three tasks, which reach up to {peaks}."
)

# %% [markdown]
"""
Each of the three is a *task*. All tasks of this lesson have one form:

$$ y = a sin(x + b) $$

Here $a$, the amplitude, says how far the wave reaches up and down, and $b$, the phase, how far it
is shifted. For each task both are drawn at random: $a$ evenly from 0.1 to 5, and $b$ evenly from 0
to $2π$, a whole turn. The learner is told neither. It gets $K = 10$ points $(x, y)$, with $x$ drawn
evenly from -5 to 5. They lie exactly on the wave: these tasks have no noise.

## Two sets of points for each task

The points to learn from are the task's *support set*. Whether anything was learned shows on other
points of the same task, its *query set*. (The post says training set and test set. But there will
be training tasks and test tasks as well, and each of them has both sets.)

*Predict:* must the two sets be equally large? May they share points?

<details><summary>Then look</summary>

They need not have the same size: the test tasks below have 10 support points and 50 query points.
To *judge* a learner, the two may not share points, or one that only stores them would look best.
Whether a method should also be *trained* on two sets that are apart is another question, and the
answer depends on the tasks: for one linear problem Bai et al. (2021) prove that it is strictly
better to train on all points at once.

</details>

A batch of tasks is four arrays, each of shape $(T, K, d)$: $T$ tasks, $K$ points of each, $d$
numbers per point. Here is the smallest batch, a single task.
"""

# %%
task = tasks.sample(lesson.rng("one task"), 1, SHOTS)
print("\nOne task as a batch:")
for name, array in task._asdict().items():
    print(f"  {name:9s} (T, K, d) = {array.shape}   {np.round(array[0, :4, 0], 2)} ...")

# %% [markdown]
"""
## What 10 points are worth

That depends on what one knows. Suppose that somebody knows the form of the tasks, and is told two
points of one of them: $y = 1$ at $x = 0$, and $y = 2$ at $x = π/2$. At the first, the form says
$a sin(b) = 1$; at the second, since $sin(π/2 + b) = cos(b)$, it says $a cos(b) = 2$. That settles
the wave at every other $x$, because of the addition theorem:

$$ a sin(x + b) = (a cos b) sin x + (a sin b) cos x $$

Here it gives $y = 2 sin x + 1 cos x$. So every task is a weighted sum of the same two *features*,
$sin x$ and $cos x$. Its two weights are unknown, and *two* points give two linear equations for
them (independent ones, unless the points are a multiple of $π$ apart).

Least squares on these two features is our *oracle*: it was told what all tasks have in common. For
tasks without noise, as these are, nothing learned can beat it: from two points on, its error is 0.
Least squares on other features, the powers of $x$, knows only that the function is smooth. Below
are both, on 1,000 test tasks: fitted to support points, judged on 50 evenly spaced query points.

*Predict:* a polynomial of degree 9 passes through all ten support points. Is it better than
predicting 0 everywhere? Is a constant, the mean of the ten $y$, better than 0?

<details><summary>Then look</summary>

*Degree 9* is better by the median, and worse by the mean. It passes through all ten points, and on
the median task that is nearly right. But to the left and to the right of its points it may do
anything, and the few tasks where it does make its mean worse than that of predicting 0. *Mean and
median can tell opposite stories*: these lessons print both.

*A constant:* even the mean of the ten $y$ loses to 0, because ten points estimate it too badly. On
average over the tasks, the best constant of each task would gain 0.16 over predicting 0. To
estimate it from ten points costs a tenth of the variance of $y$, which is 0.41.

</details>
"""

# %%
def wave(x):
    return np.concatenate((np.sin(x), np.cos(x)), axis=-1)


def powers(degree):
    return lambda x: (x / 5) ** np.arange(degree + 1)


def least_squares(features, x, y, x_new):
    # of all tasks at once; the minimum-norm solution when there are fewer points than features
    weights = np.linalg.pinv(features(x)) @ y
    return features(x_new) @ weights


test = tasks.sample(lesson.rng("test tasks"), TEST_TASKS, SHOTS, query=50, grid=True)
zero = np.mean(test.y_query**2, axis=(1, 2))  # the error of predicting 0, task by task
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
Ten points are plenty for the oracle, and too few for those who know only that the function is
smooth. Here is a task that degree 9 gets wrong. It is no rare case: on one test task in ten degree
9 is worse still.
"""

# %% tags=["hide-input"]
nonic = error["polynomial of degree 9, 10 points"]
unlucky = np.argsort(nonic)[TEST_TASKS * 9 // 10]
x_s, y_s, x_q, y_q = (array[unlucky] for array in test)
fits = {
    "oracle, 2 points": least_squares(wave, x_s[:2], y_s[:2], x_q),
    "degree 9": least_squares(powers(9), x_s, y_s, x_q),
}
shown = slice(2, None, 5)
title = "Dots: support set; rings: every fifth query point"
query = x_q[shown], y_q[shown]
lesson.save(
    figures.plot_fits((x_s, y_s), query, (x_q, y_q), fits, title, "true sine"),
    "support_and_query",
    f"Degree 9 goes through all {SHOTS} support points; its squared error on the query points "
    f"is {nonic[unlucky]:.1f}, the oracle's 0.",
)

# %% [markdown]
"""
Between the two lies the *K-shot problem*: by practising on other tasks, learn what the oracle was
told.

## A thousand tasks

The first idea is to practise on all tasks at once, with one network. It sees $x$ and has to name a
$y$, and it has no way to know which task is meant. Here is what it is asked to fit.
"""

# %%
many = tasks.sample(lesson.rng("many tasks"), 10_000, 1, query=201, grid=True)
x, ys = many.x_query[0, :, 0], many.y_query[..., 0]  # (201,) and (10000, 201)

# %% tags=["hide-input"]
at_zero = np.quantile(ys[:1000, 100], [0.1, 0.9])
lesson.save(
    figures.plot_many_tasks(x, ys[:1000], "1,000 tasks"),
    "thousand_tasks",
    f"At x = 0, four tasks in five lie between {at_zero[0]:.1f} and {at_zero[1]:.1f}; "
    "at any other x it is much the same.",
)

# %% [markdown]
"""
*Predict:* you may draw one curve into this picture, as the answer for every task. It is judged by
its squared error, on average over the tasks. Which curve do you draw? And what if $b$ came from
half a turn only, from 0 to $π$, as it does in the MAML paper?

<details><summary>Then look</summary>

At each $x$ the mean of $y$ over the tasks. In this picture that is about 0 everywhere, as the left
panel below shows. For the paper's tasks, in the right panel, it is a cosine.

</details>
"""

# %%
half_turn = SineTasks(phase=(0.0, np.pi))  # the paper's
of_half_turn = half_turn.sample(lesson.rng("many tasks"), 10_000, 1, query=201, grid=True)
half_ys = of_half_turn.y_query[..., 0]
mean, half_mean = ys.mean(axis=0), half_ys.mean(axis=0)  # over the tasks, at each x
low, high = tasks.amplitude
mean_a, mean_a2 = (low + high) / 2, (high**3 - low**3) / (3 * (high - low))  # E[a] and E[a^2]
amplitude = mean_a * 2 / np.pi  # of the cosine; derived below

# %% tags=["hide-input"]
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

# %% [markdown]
"""
## The best answer without looking: 4.25

Why the mean? Take two tasks, and an $x$ at which their values are 1 and 3. The answer 2, their
mean, is wrong by 1 on both: its mean squared error is 1. The answer 0 has $(1 + 9) / 2 = 5$: the 1
again, and 4 more, the square of the distance from 0 to the mean.

In general, write $E$ for the mean over all tasks, $f$ for the answer at $x$ of somebody who sees no
point of the task, and $m = E[y]$ for the mean of $y$ at this $x$. Then

$$ E[(y - f)^2] = E[(y - m)^2] + (f - m)^2 $$

The reason: $y - f$ is $(y - m) + (m - f)$, so its square has a mixed term, $2 (m - f) (y - m)$. The
mean of that term is 0, because $m - f$ is the same for all tasks and $E[y - m] = 0$.

Of the two terms left, the first is the variance of $y$, which every blind answer pays. The second
is 0 for $f = m$ alone. So the best answer is the mean, and its score is the variance. For the
post's sine waves:

| formula                                     | reason                                          |
|---------------------------------------------|-------------------------------------------------|
| $m = E[a] E[sin(x + b)]$                    | $a$ and $b$ are independent                     |
| $m = 0$                                     | over a whole turn, ups and downs cancel         |
| $E[(y - m)^2] = E[a^2] E[sin^2(x + b)]$     | $m = 0$, and $a$ and $b$ are independent        |
| $E[sin^2(x + b)] = 1/2$                     | $cos^2$ has the same mean; together they are 1  |
| $E[a^2] = (5^3 - 0.1^3)/(3 · 4.9) = 8.5033$ | the integral of $a^2$ is $a^3/3$; 5 - 0.1 = 4.9 |
| $E[(y - m)^2] = 8.5033 / 2 = 4.2517$        | at every $x$, and so on average over $x$ too    |

A method that claims to learn from the 10 points has to get below 4.25. One that is *at* 4.25 before
it has seen them is doing the best it can.

## What the paper's phase changes

With $b$ from half a turn, the mean is not 0, and so the variance is not $E[y^2]$:

| formula                                  | reason                                            |
|------------------------------------------|---------------------------------------------------|
| $E[y^2] = E[a^2] / 2 = 4.2517$           | as before: $sin^2$ repeats itself every half turn |
| $m = E[a] (cos x - cos(x + π)) / π$      | the integral of $sin(x + b)$ is $-cos(x + b)$     |
| $m = 1.6234 cos x$                       | $cos(x + π) = -cos x$, and $E[a] = 5.1 / 2$       |
| $E[(y - m)^2] = E[y^2] - m^2$            | the formula above, with $f = 0$                   |
| $E[cos^2 x] = 1/2 + sin(10)/20 = 0.4728$ | now over $x$, uniform from -5 to 5                |
| $4.2517 - 1.6234^2 · 0.4728 = 3.0057$    | the best score, on average over $x$               |

So one cosine for all tasks beats 0, and scores under the two phases cannot be compared. (The
paper's code has $sin(x - b)$, which changes the sign of the mean and no score.)

*Predict:* what does that cosine score on the post's tasks, where 0 is best?

<details><summary>Then look</summary>

There $m = 0$, so that the answer $f = 1.623 cos x$ pays $f^2$ on top of the variance. On average
that is as much as it gains on the paper's tasks: $4.252 + 1.246 = 5.498$.

</details>

Below, both answers are measured on both kinds of task, on one point each of very many tasks.
"""

# %%
# E[m^2]: won where the cosine is the mean, lost where it is not
gain = amplitude**2 * (0.5 + np.sin(10) / 20)
of_zero = mean_a2 / 2  # the score of 0, under both
derived = {"(0, 2 pi)": (of_zero, of_zero + gain), "(0, pi)": (of_zero, of_zero - gain)}
off = {}
print(f"\nScore of two blind answers: derived, and measured on {MANY:,} tasks "
      "(with its standard error)")
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
The 1,000 test tasks are a sample too. On them 0 does not score 4.2517 exactly, and what it scores
there is the number to compare with in later lessons.
"""

# %%
zero_error = zero.std() / TEST_TASKS**0.5
print(f"\nOn the {TEST_TASKS} test tasks 0 scores {zero.mean():.2f}, "
      f"with a standard error of {zero_error:.2f}.")

# %% [markdown]
"""
## What you should see

Two numbers to remember: 4.25 is what it costs to know nothing of the task, and 0 is what the oracle
pays, for whom 2 points are enough. The next lesson trains a network on all tasks at once. What it
learns should be no surprise now.
"""

# %% tags=["hide-input"]
lesson.expect("score of 0, derived", derived["(0, 2 pi)"][0], 4.2516, 4.2517)
of_cosine = derived["(0, pi)"][1]
lesson.expect("score of the cosine under (0, pi), derived", of_cosine, 3.0055, 3.0065)
lesson.expect("largest gap, derived to measured, in standard errors", max(off.values()), 0, 4)
zero_off = abs(zero.mean() - of_zero) / zero_error
lesson.expect("test tasks: score of 0, gap in standard errors", zero_off, 0, 4)
lesson.expect("mean over 10,000 tasks, away from 0", rms, 0, 0.05)
one_point, two_points = (error[f"the oracle's features, {n}"] for n in ("1 point", "2 points"))
lesson.expect("oracle, 2 points: mean (x 1e-20)", two_points.mean() * 1e20, 0, 1)
lesson.expect("oracle's features, 1 point: mean", one_point.mean(), 1.8, 2.5)
lesson.expect("degree 9, 10 points: mean", nonic.mean(), 5, 300)
lesson.expect("degree 9, 10 points: median", np.median(nonic), 0.01, 0.06)
constant = error["a constant, 10 points"]
lesson.expect("a constant over 0", constant.mean() / zero.mean(), 1.02, 1.1)
lesson.end()
