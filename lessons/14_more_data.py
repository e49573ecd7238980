# %% [markdown]
"""
# Ask what an initialisation is worth when there is more data

The post closes with a question: would Reptile give models that are "even more amenable to transfer
learning", not for ten examples but for hundreds or thousands? Here it is put to the letters of
lesson 13: pretrain in four ways, then fine-tune on 1 to 500 examples of each new letter.

What you'll learn: what "the same budget" means; how a prototype becomes a layer; where a head start
ends, in examples and in steps; and what may be said of a difference, when networks and tasks both
vary and twenty differences are looked at.

What you need: lesson 13. Time: 25 minutes to read, five to run.

    python lessons/14_more_data.py             the whole lesson
    python lessons/14_more_data.py --quick     the same figures, with the curves of a full run
"""

# %% tags=["hide-input"]
import os

# products as small as these gain little from threads, and wait long where a core is busy
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import itertools
import time

import numpy as np

from tinymeta import (
    MLP, Adam, TaskBatch, adapt, joint_grad, maml_grad, meta_train, reptile_grad,
)  # fmt: skip
from tinymeta.course import figures, tuning
from tinymeta.course.lesson import Lesson
from tinymeta.extras.glyphs import SIDE, AllLetters, GlyphTasks, classes, with_head
from tinymeta.extras.protonet import (
    ProtoNet, protonet_grad, prototype_accuracy, weights_of_points,
)  # fmt: skip
from tinymeta.extras.statistics import confidence_halfwidth, within
from tinymeta.extras.variants import on_all_points
from tinymeta.tasks import Views

# %%
lesson = Lesson(iterations=400, quick=8, watch="ProtoNet, first network", watched=50)
WAYS, SEEDS = 20, 5  # letters of a task; networks, trained side by side: θ is (SEEDS, P)
EXAMPLES = (1, 5) if lesson.short else (1, 5, 20, 100, 500)  # of each letter
MARKS = (0, 1, 2, 5, 10, 20, 50, 100, 200)  # steps after which accuracy is measured
FEW, MANY = 10, 200  # two budgets of steps, of at most 50 images each
TEST_TASKS = 2 if lesson.short else 20
train, validation, test = (GlyphTasks(split, WAYS) for split in ("train", "validation", "test"))
model = MLP([SIDE * SIDE, 64, 64, WAYS], criterion="cross_entropy")

# %% [markdown]
"""
## One budget

A pretraining can be given more images, or more time, than another, and then it is that which is
compared. Here all see the *same images in the same order*, 600 per meta-step: three tasks of 20
letters, ten drawings of each. And all take about the *same processor time*: how much work each does
on those images was set, once, so that a meta-step takes as long.

| | what it does with the 600 images of a meta-step |
|---|---|
| transfer | one classifier of all 489 training letters: eight steps of Adam on 75 images each |
| ProtoNet | five times: prototypes from half of a task's images, judged on the other half |
| Reptile | 35 inner steps on the 200 images of a task, 40 of them per step, going round |
| MAML | three inner steps on half of a task's images, judged on the other half, and vice versa |
| random | nothing at all |

Transfer alone is told which letters of different tasks are the same letter.
"""

# %%
classifier = MLP([*model.sizes[:-1], len(classes("train"))], criterion="cross_entropy")
embedding = MLP([*model.sizes[:-1], 64])  # of the same body; its outputs are what is compared


def rotate(batch):
    """Return five views of a batch, each with other halves as support and query set."""
    points = batch.merge_support_query()[:2]
    turned = ([np.roll(a, -i * WAYS, axis=-2) for a in points] for i in range(5))
    half = 5 * WAYS
    return [TaskBatch(x[..., :half, :], y[..., :half, :], x[..., half:, :], y[..., half:, :])
            for x, y in turned]  # fmt: skip


# the network, what is given to its gradient, how many views of which tasks, and the inner loop
WORK = {
    "transfer": (classifier, joint_grad, classifier, 8, lambda: Views(
        AllLetters(train), lambda batch: batch.split_points(8)), {"inner_lr": 0.0}),
    "ProtoNet": (embedding, protonet_grad, ProtoNet(embedding, WAYS), 5,
                 lambda: Views(train, rotate), {"inner_lr": 0.0}),
    "Reptile": (model, on_all_points(reptile_grad), model, 1, lambda: train,
                {"inner_steps": 35, "minibatch": 40}),
    "MAML": (model, maml_grad, model, 2, lambda: Views(
        train, lambda batch: [batch, batch.swap_support_query()]), {"inner_steps": 3}),
}  # fmt: skip


def start(network, seeds):
    rng = lesson.rng("initialisation")  # the first layers are the same for all
    return np.stack([network.init(rng, np.float32) for _ in range(seeds)])


def pretrain(method, iterations, outer_lr, seeds=SEEDS, show=True, **inner_lr):
    """Return (θ, history), θ (seeds, P); network i has the same tasks in all methods."""
    network, grad, learner, views, tasks, inner = WORK[method]
    return meta_train(
        grad, learner, start(network, seeds), tasks(), rng=lesson.rng("training tasks"),
        iterations=views * iterations, meta_batch_size=3, shots=5, query=5, **inner, **inner_lr,
        optimizer=Adam(outer_lr),
        callback=lesson.progress(method, views * iterations) if show else None,
    )  # fmt: skip


# %% tags=["hide-input"]
def seconds(method, iterations=3):
    began = time.process_time()
    rates = {"inner_lr": 0.1} if method in ("Reptile", "MAML") else {}
    pretrain(method, iterations, 0.001, show=False, **rates)
    return time.process_time() - began


rounds = 1 if lesson.quick else 7  # in turn; medians of ratios
if not lesson.tune:
    timings = np.array([[seconds(method) for method in WORK] for _ in range(rounds)])
    relative = dict(zip(WORK, np.median(timings / timings[:, :1], axis=0)))
    each = ", ".join(f"{method} {ratio:.2f}" for method, ratio in relative.items())
    print(f"Processor time of a meta-step, over transfer's: {each}")

# %% [markdown]
"""
## Where fine-tuning starts

The layers before the last are taken over. The last one has 20 outputs for letters never seen. MAML
and Reptile learned one to start from. The classifier's is of no use, and there are two ways to
begin: with zeros, or with prototypes. For a point with features $e$ and a class with mean $c$,

$$ −|e − c|² = 2 c · e − |c|² − |e|² $$

and $|e|²$ is the same for all classes: prototypes *are* a layer, with weights $2c$ and bias
$−|c|²$. One feature, means 1 and 3, a point at 1.5: squared distances 0.25 and 2.25; outputs
$3 − 1 = 2$ and $9 − 9 = 0$. Both differ by 2. Triantafillou et al. (2020) let MAML start
there, and call it Proto-MAML. *Predict, then look*: which start suits transfer, which ProtoNet?
"""


# %%
def begin(method, head, theta, x, y):
    """Return θ (SEEDS, T, P) of `model` for T tasks with points x, y: the pretrained θ with a
    last layer, "prototypes" or the method's "own", which is zeros where it learned none."""
    network = WORK[method][0] if method in WORK else model
    theta = np.broadcast_to(theta[:, None], (len(theta), x.shape[-3], theta.shape[-1]))
    if head == "own" and network is model:  # else "own" is zeros
        return theta
    layer = np.zeros((*theta.shape[:-1], model.n_params), np.float32)
    if head == "prototypes":
        features = network.forward(theta, x).inputs[-1][..., :64]
        c = weights_of_points(y).swapaxes(-1, -2) @ features
        W, b = model.unpack(layer)[-1]  # views: to be filled in
        if method == "ProtoNet":  # its means are those of E h + e
            E, e = network.unpack(theta)[-1]
            c = c @ E + e[..., None, :]
            W[...], b[...] = 2 * E @ c.swapaxes(-1, -2), 2 * (c @ e[..., None])[..., 0]
        else:
            W[...] = 2 * c.swapaxes(-1, -2)
        b -= (c * c).sum(axis=-1)
    return with_head(model, theta, layer, network)


def fine_tune(theta, tasks, n, rate, marks=MARKS, most=50):
    """Return the accuracy (SEEDS, marks, T) on the query sets: plain gradient descent on n
    examples of each letter, at most 50 images per step, going round."""
    x, y = (array[..., : n * WAYS, :] for array in tasks[:2])
    truth, m, accuracy = tasks.y_query.argmax(axis=-1), min(most, n * WAYS), []
    for done, mark in zip((0, *marks), marks):
        if mark > done:
            points = np.arange(done * m, mark * m) % (n * WAYS)  # those that are next
            ahead = (array[..., None, points, :] for array in (x, y))
            theta = adapt(model, theta, *ahead, rate, mark - done, m)[..., 0, :]
        answers = model.predict(theta, tasks.x_query).argmax(axis=-1)
        accuracy.append((answers == truth).mean(axis=-1))
    return np.stack(accuracy, axis=-2)


# %% [markdown]
"""
## Tuned alike

Each method has six settings: the head for two, the inner rate for two, and the outer rate. They
are judged after half a training of two networks, by the share of wrong answers on 20 tasks of
validation letters after 20 steps on 5 examples of each letter, at the best of six rates. Not tuned:
the network, the number of inner steps, the length of training, a rate that falls. (The winners of
all but ProtoNet are at an end of their grid. One step beyond it, nothing was better by over 0.01.)

<details><summary>Answer</summary>

For transfer the two are near each other, 0.165 and 0.174 at the best rates. ProtoNet's features
were learned for prototypes: 0.114, and 0.289 from zeros.
</details>
"""

# %% tags=["hide-input"]
HEADS, RATES = ("zeros", "prototypes"), (0.01, 0.03, 0.1, 0.2, 0.4, 0.8)


def grid(outer_lrs, name, values):
    return [{"outer": o, name: v} for o, v in itertools.product(outer_lrs, values)]


CANDIDATES = {
    "transfer": grid((0.002, 0.004, 0.008), "head", HEADS),
    "ProtoNet": grid((0.001, 0.002, 0.004), "head", HEADS),
    "Reptile": grid((0.005, 0.01, 0.02), "inner", (0.4, 0.8)),
    "MAML": grid((0.002, 0.004, 0.008), "inner", (0.4, 0.8)),
}


def search():
    few, half = validation.sample(lesson.rng("validation tasks"), 20, 5, 10), {}

    def loss(method, outer, head="own", **inner):
        options = {"outer_lr": outer, **{f"{name}_lr": value for name, value in inner.items()}}
        if (key := (method, *options.values())) not in half:
            half[key], _ = pretrain(method, lesson.iterations // 2, seeds=2, **options)
        theta = begin(method, head, half[key], *few[:2])
        tried = (fine_tune(theta, few, 5, rate, (20,)).mean(axis=(1, 2)) for rate in RATES)
        return 1 - max(tried, key=np.mean)

    return tuning.search(CANDIDATES, loss)


RECORDED = """
2026-11-26, python lessons/14_more_data.py --tune, seed 1
method    settings                      loss  (lowest-highest of 2 networks)
transfer  outer=0.002, head=prototypes  0.165 (0.157-0.173)
transfer  outer=0.002, head=zeros       0.174 (0.170-0.178)
transfer  outer=0.004, head=zeros       0.193 (0.187-0.198)
transfer  outer=0.004, head=prototypes  0.195 (0.179-0.211)
transfer  outer=0.008, head=prototypes  0.598 (0.564-0.633)
transfer  outer=0.008, head=zeros       0.696 (0.645-0.747)
ProtoNet  outer=0.002, head=prototypes  0.114 (0.104-0.125)
ProtoNet  outer=0.001, head=prototypes  0.119 (0.119-0.120)
ProtoNet  outer=0.004, head=prototypes  0.122 (0.110-0.134)
ProtoNet  outer=0.004, head=zeros       0.289 (0.265-0.314)
ProtoNet  outer=0.002, head=zeros       0.360 (0.349-0.371)
ProtoNet  outer=0.001, head=zeros       0.420 (0.418-0.422)
Reptile   outer=0.02, inner=0.8         0.177 (0.173-0.181)
Reptile   outer=0.02, inner=0.4         0.188 (0.183-0.193)
Reptile   outer=0.01, inner=0.8         0.206 (0.202-0.209)
Reptile   outer=0.01, inner=0.4         0.226 (0.226-0.227)
Reptile   outer=0.005, inner=0.8        0.247 (0.245-0.249)
Reptile   outer=0.005, inner=0.4        0.264 (0.263-0.264)
MAML      outer=0.008, inner=0.8        0.207 (0.197-0.217)
MAML      outer=0.008, inner=0.4        0.248 (0.247-0.250)
MAML      outer=0.004, inner=0.8        0.267 (0.266-0.269)
MAML      outer=0.004, inner=0.4        0.318 (0.303-0.332)
MAML      outer=0.002, inner=0.8        0.326 (0.325-0.327)
MAML      outer=0.002, inner=0.4        0.385 (0.366-0.404)
"""
lesson.settings(RECORDED, search)

# %% [markdown]
"""
## Pretrain, and choose how to fine-tune

The winners, five networks each, with another seed. Then, for each method, number of examples and
budget by itself, the head and the rate to fine-tune with: seven starts, the same for all methods,
on 20 tasks of validation letters, four for each of the five networks.
"""

# %%
CHOSEN = {
    "transfer": {"outer_lr": 0.002},
    "ProtoNet": {"outer_lr": 0.002},
    "Reptile": {"outer_lr": 0.02, "inner_lr": 0.8},
    "MAML": {"outer_lr": 0.008, "inner_lr": 0.8},
}
STARTS = [("prototypes", 0.01), ("prototypes", 0.03), ("prototypes", 0.1),
          ("own", 0.2), ("own", 0.4), ("own", 0.8), ("own", 1.6)]  # fmt: skip
STARTS = STARTS[::4] if lesson.short else STARTS
networks = {"random": start(model, SEEDS)}
first = {"random": networks["random"][:1]}
for method, chosen in CHOSEN.items():
    def run(iterations, method=method, chosen=chosen):
        networks[method], history = pretrain(method, iterations, **chosen)
        return np.float16(networks[method][:1]).astype(np.float32), history  # half precision

    first[method] = lesson.trained(f"{method}, first network", run)


def tune(method, theta, tasks, n, start, marks=MARKS, most=50):
    """Fine-tune from one of the STARTS, (head, rate)."""
    head, rate = start
    begun = begin(method, head, theta, *(array[..., : n * WAYS, :] for array in tasks[:2]))
    return fine_tune(begun, tasks, n, rate, marks, most)


def try_starts(method):
    """Return the accuracy on validation tasks (2, EXAMPLES, STARTS), after 10 and 200 steps."""
    rng, scores = lesson.rng("validation tasks"), np.zeros((2, len(EXAMPLES), len(STARTS)))
    rounds = 1 if lesson.short else 4
    for _ in range(rounds):  # one task for each network
        tasks = validation.sample(rng, (SEEDS, 1), max(EXAMPLES), 20)
        for (i, n), (j, start) in itertools.product(enumerate(EXAMPLES), enumerate(STARTS)):
            accuracy = tune(method, networks[method], tasks, n, start, (FEW, MANY))
            scores[:, i, j] += accuracy.mean(axis=(0, 2)) / rounds
    return scores


print(f"\nChosen, by examples {EXAMPLES}; *: from prototypes")
BEST = {}  # by method: for 10 steps and for 200, a start for each number of examples
for method in first:
    scores = lesson.recorded(f"starts of {method}", lambda: try_starts(method))
    BEST[method] = [[STARTS[j] for j in part] for part in scores.argmax(axis=-1)]
    few, many = (
        " ".join(f"{rate:4g}{'*' if head == 'prototypes' else ' '}" for head, rate in part)
        for part in BEST[method]
    )
    print(f"  {method:9s} {FEW} steps: {few}   {MANY} steps: {many}")

# %% [markdown]
"""
## What comes out

The first network of each method on one task: 20 letters of alphabets never seen, 5 examples of
each. *Predict, then look*: is the order of the methods in this figure that of the next one?
"""

# %% tags=["hide-input"]
one = test.sample(lesson.rng("one task"), 1, 5, 20)
alone, at_5 = {}, EXAMPLES.index(5)
for method, theta in first.items():
    alone[method] = tune(method, theta, one, 5, BEST[method][1][at_5], MARKS[:6])[:, :, 0]
prototypes = prototype_accuracy(ProtoNet(embedding, WAYS), first["ProtoNet"], one)[0, 0]
no_step = tune("ProtoNet", first["ProtoNet"], one, 5, ("prototypes", 0), (0,))[0, 0, 0]
assert abs(no_step - prototypes) < 0.006  # prototypes are a layer
best = max(alone, key=lambda method: alone[method][0, -1])
worst = min(alone, key=lambda method: alone[method][0, -1])
lesson.save(
    figures.plot_bands(
        MARKS[:6], alone, "One task, one network each, 5 examples", "steps",
        "accuracy on new drawings", top=1,
    ),  # fmt: skip
    "one_task",
    f"After 20 steps {best} is ahead with {alone[best][0, -1]:.0%} and {worst} behind with "
    f"{alone[worst][0, -1]:.0%}; ProtoNet's prototypes have {no_step:.0%} without a step.",
)

# %%
# the solver of the training: start, steps, images in each; for the others, prototypes alone
OWN = {"Reptile": (("own", 0.8), (35,), 40), "MAML": (("own", 0.8), (3,), 100)}


def judge(method):
    """Return accuracy (SEEDS, EXAMPLES, n, T): at all MARKS from the start for 200 steps, after
    10 steps from the start for 10, and by the solver of the training."""
    rng, found, theta = lesson.rng("test tasks"), [], networks[method]
    for _ in range(-(-TEST_TASKS // 5)):
        tasks, part = test.sample(rng, min(5, TEST_TASKS), max(EXAMPLES), 20), []
        for n, few, many in zip(EXAMPLES, *BEST[method]):
            ways = (many, MARKS), (few, (FEW,)), OWN.get(method, (("prototypes", 0), (0,)))
            results = [tune(method, theta, tasks, n, *way) for way in ways]
            part.append(np.concatenate(results, axis=1))
        found.append(np.stack(part, axis=1))
    return np.concatenate(found, axis=-1)


accuracy = {}
for method in first:
    accuracy[method] = lesson.recorded(f"accuracy of {method}", lambda: judge(method))
# (SEEDS, EXAMPLES, T) after each budget, and by the solver of the training
after = {FEW: {method: a[:, :, -2] for method, a in accuracy.items()}}
after[MANY] = {method: a[:, :, len(MARKS) - 1] for method, a in accuracy.items()}
own = {method: a[:, :, -1] for method, a in accuracy.items()}

# %% tags=["hide-input"]
titles = {
    f"after {FEW} steps": after[FEW],
    f"after {MANY} steps": after[MANY],
    "by the solver of the training (Reptile 35 steps, MAML 3; others: prototypes)": own,
}
for title, by_method in titles.items():
    print(
        f"\nAccuracy in per cent {title}: mean +- half the 95 % interval over tasks\n(lowest-"
        f"highest of {SEEDS} networks), by examples of each letter"
    )
    print(f"  {'':9s}" + "".join(f"{n:>18d}" for n in EXAMPLES))
    for method, a in by_method.items():
        seeds, half = 100 * a.mean(axis=-1), 100 * confidence_halfwidth(a)
        cells = (
            f"{s.mean():.1f} +-{h:.1f} ({s.min():.0f}-{s.max():.0f})"
            for s, h in zip(seeds.T, half)
        )
        print(f"  {method:9s}" + "".join(f"{cell:>18s}" for cell in cells))
panels = {
    f"after {budget} steps": {method: a.mean(axis=-1) for method, a in by_method.items()}
    for budget, by_method in after.items()
}
fewest, most = (
    ", ".join(f"{method} {a[:, i].mean():.0%}" for method, a in after[MANY].items())
    for i in (0, -1)
)
lesson.save(
    figures.plot_band_panels(
        EXAMPLES, panels, "examples of each letter", "accuracy on new drawings"
    ),
    "examples",
    f"With 1 example of each letter and {MANY} steps: {fewest}; with {EXAMPLES[-1]}: {most}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

It is, this time: with 5 examples and 200 steps ProtoNet is ahead of transfer on 79 % of the pairs
of a network and a task (last table). Means with one example: ProtoNet 79 %, transfer 75 %, Reptile
68 %, MAML 66 %, random 39 %; with 500 all have 97 or 98 %, random 94 %.

For ten steps every method, random too, starts best from prototypes, but Reptile with one example;
the best rate is then mostly the smallest tried, and the steps change little. For 200 steps most
prefer their own head; ProtoNet keeps prototypes throughout. MAML's own three steps reach 79 % with
5 examples, ten from prototypes 86 %: part of what it lacks is the head.
</details>

## Where the head start ends

In examples: what a pretraining adds once the long budget is spent. In steps: how many a random
start needs to be as good as a pretrained one after ten. *Predict, then look*: with 100 examples?
"""

# %% tags=["hide-input"]
curves = {m: a[:, :, : len(MARKS)].mean(axis=-1) for m, a in accuracy.items()}
panels = {
    f"{n} of each letter": {m: curve[:, i] for m, curve in curves.items()}
    for i, n in enumerate(EXAMPLES)
}
gain, catch_up = {}, {}
print(f"\nOver a random start: points after {MANY} steps, and the steps it takes to catch up")
for method in WORK:
    gain[method] = 100 * (after[MANY][method] - after[MANY]["random"]).mean(axis=(0, 2))
    goals = after[FEW][method].mean(axis=(0, 2))
    reached = curves["random"].mean(axis=0) >= goals[:, None]
    catch_up[method] = [MARKS[r.argmax()] if r.any() else np.inf for r in reached]
    cells = (
        f"{n}: {g:+.1f}, {s:.0f} steps" if s < np.inf else f"{n}: {g:+.1f}, never"
        for n, g, s in zip(EXAMPLES, gain[method], catch_up[method])
    )
    print(f"  {method:9s}" + "".join(f"{cell:>21s}" for cell in cells))
last = curves["random"].mean(axis=0)[-1, MARKS.index(FEW)]
lesson.save(
    figures.plot_band_panels(MARKS, panels, "steps", "accuracy", columns=3),
    "steps",
    f"With {EXAMPLES[-1]} examples of each letter, at rates for {MANY} steps, {FEW} steps from "
    f"a random start reach {last:.0%}; from the others at least "
    f"{min(curves[m].mean(axis=0)[-1, MARKS.index(FEW)] for m in WORK):.0%}.",
)

# %% [markdown]
"""
<details><summary>Answer</summary>

With one example of each letter a pretraining is worth 27 to 40 points after 200 steps, with 500
three to four: it fades, and does not end. With 100 examples or more a random start needs over 100
steps to be where Reptile and MAML are after ten. Where transfer and ProtoNet are then, it does not
come in 200. With 20 or fewer it reaches nobody's ten steps (with 1 or 5 it has levelled off).
</details>

## Is that a difference?

Two networks, two tasks, and how much better one method is than another in points:

| | task 1 | task 2 | mean |
|---|---|---|---|
| network 1 | 1 | 3 | 2 |
| network 2 | 3 | 5 | 4 |
| mean | 2 | 4 | **3** |

The mean of 3 would be another with other tasks, and with other networks. The tasks' means 2 and 4
have the variance 2, and the mean of two of them 1; so have the networks'. With $a$ for the variance
of the networks' means over their number, and $b$ for that of the tasks' over theirs,

$$ (standard error)² = a + b $$

Here that is 2, where an interval over tasks alone has 1. (What is particular to one network on one
task is in both: the error is a little too large rather than too small.) Its degrees of freedom are
$(a + b)² / (a²/4 + b²/19)$ for five networks and twenty tasks, by Satterthwaite's rule.

There is a second trap. Reptile and ProtoNet, each against transfer, for five numbers of examples
and two budgets, are 20 questions. If there were no difference at all, and they were independent,
one of 20 intervals of 95 % would miss 0 more often than not. Holm's correction multiplies the
smallest of 20 p-values by 20, the next by 19, and so on, and calls a difference what is below 0.05
then. *Predict, then look*: what is left?
"""


# %%
def difference(one, other):
    """Return the mean of one accuracy (SEEDS, T) less the other in points, its standard error,
    and the degrees of freedom."""
    d = 100 * (one - other)
    a, b = (d.mean(axis=1 - i).var(ddof=1) / d.shape[i] for i in (0, 1))
    df = (a + b) ** 2 / (a**2 / (d.shape[0] - 1) + b**2 / (d.shape[1] - 1))
    return d.mean(), np.sqrt(a + b), int(df)


def holm(p):
    """Return p-values (n,) corrected for their number."""
    order, corrected = np.argsort(p), np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * p[order]))
    return corrected


questions = [(method, budget, i) for method in ("Reptile", "ProtoNet") for budget in (FEW, MANY)
             for i in range(len(EXAMPLES))]  # fmt: skip
found = [difference(after[budget][method][:, i], after[budget]["transfer"][:, i])
         for method, budget, i in questions]  # fmt: skip
p = np.array([1 - within(abs(mean) / error, df) for mean, error, df in found])
corrected = holm(p)

# %% tags=["hide-input"]


def t_at(share, df):
    """Return the t that Student's t is below in modulus with this probability, by bisection."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, df) < share else (low, middle)
    return high


nan = np.full(len(EXAMPLES), np.nan)
bars = {}
widths, seen = [], []
print(f"\nLess transfer, in points; {len(found)} questions, p corrected for their number")
for (method, budget, i), (mean, error, df), one, all_ in zip(questions, found, p, corrected):
    width = t_at(1 - 0.05 / len(found), df) * error
    widths.append(width)
    seen.append(width + t_at(0.6, df) * error)  # found in four of five repetitions
    means, halves = bars.setdefault(f"{method}, {budget} steps", (nan.copy(), nan.copy()))
    means[i], halves[i] = mean, width
    verdict = "no difference seen"
    if all_ < 0.05:
        verdict = f"{method if mean > 0 else 'transfer'} is ahead"
    wins = (after[budget][method][:, i] > after[budget]["transfer"][:, i]).mean(axis=1)
    pairs = (after[budget][method] - after[budget]["transfer"])[:, i].mean(axis=1) > 0
    print(
        f"  {method:8s} {budget:3d} steps, {EXAMPLES[i]:3d} examples: {mean:+5.1f} "
        f"(error {error:.1f}, {df:2d} df)  p {one:.4f}, corrected {all_:.4f}  "
        f"{pairs.sum()} of {SEEDS} pairs, {wins.mean():4.0%} of tasks  {verdict}; "
        f"would be seen: {seen[-1]:.1f}"
    )
alone_p = sum(one < 0.05 for one in p)
left = sum(one < 0.05 for one in corrected)
print(f"  {alone_p} of {len(p)} are below 0.05 alone, {left} after the correction")
each = "; ".join(f"{label} {m.min():+.1f} to {m.max():+.1f}" for label, (m, _) in bars.items())
lesson.save(
    figures.plot_differences(
        EXAMPLES, bars, f"Less transfer; bars: 95 % for all {len(found)} together",
        "examples of each letter", "points of accuracy",
    ),  # fmt: skip
    "less_transfer",
    f"Points over transfer, from the lowest to the highest: {each}. {left} of {len(found)} "
    f"differences are left after the correction.",
)

# %% [markdown]
"""
<details><summary>Answer, and what could have been seen</summary>

After ten steps Reptile is behind transfer by 9 points with one example, and by 3 with 100 or 500;
after 200 by 7 with one, 3 with 5, 1.6 with 20; with 100 and 500 no difference is left after the
correction. ProtoNet is ahead of transfer by 4 points with one example, by 2 with 5, and by a point
or less, if at all, from 20 on.

That none is seen does not say that there is none. Had there been one as large as the last number of
the row, four of five repetitions would have seen it: 1.0 points with 100 examples and 200 steps,
0.5 with 500. The bars end at +0.3 and +0.6 there: a benefit of Reptile of one point is excluded,
one of a quarter is not. (Their factor is always 20: those of four of the 16 reach 0.)
</details>

## The answer, and its limits

Would Reptile's models be more amenable to transfer, with hundreds of examples? Not here: with up to
20 examples a classifier of the same images, in the same time, is the better start; with hundreds
and many steps no difference is seen, and any is below 1.4 points with 100 and 0.6 with 500.

It is not that meta-learning loses. ProtoNet learns from the same small tasks as Reptile, is not
told that a letter of two tasks is the same, and is ahead of transfer where data are few. On images
of objects, Tian et al. (2020) found a classifier's features and a linear head ahead of the
meta-learners of their day, and Wang et al. (2021) show why labels that are shared between tasks
help. Triantafillou et al. (2020), on ten data sets, put both together: MAML from prototypes.

The limits: letters of one font, bent by a computer; 182 of them, of five alphabets, each in two of
the 20 test tasks on average; a small network without convolutions; 400 meta-steps; plain gradient
descent. The intervals are over tasks and networks like these. Of others they say nothing.

## On your own

1. Take the starts from prototypes out of `STARTS`. What has become of the answer?
2. Give transfer one step of Adam where it takes eight (`split_points(1)`, one view). And now?
3. Repeat the differences with an interval over tasks alone. How many more are "seen"?

## What you should see
"""

# %% tags=["hide-input"]
ACCURACY = {  # after 200 steps
    "random": ((0.36, 0.42), (0.67, 0.73), (0.84, 0.90), (0.90, 0.96), (0.91, 0.97)),
    "transfer": ((0.72, 0.78), (0.88, 0.94), (0.93, 0.99), (0.95, 1.00), (0.94, 1.00)),
    "ProtoNet": ((0.76, 0.82), (0.90, 0.96), (0.93, 0.99), (0.95, 1.00), (0.95, 1.00)),
    "Reptile": ((0.64, 0.71), (0.85, 0.91), (0.91, 0.97), (0.94, 1.00), (0.94, 1.00)),
    "MAML": ((0.62, 0.70), (0.84, 0.90), (0.91, 0.97), (0.94, 1.00), (0.94, 1.00)),
}
OVER_RANDOM = {
    "transfer": ((31.4, 39.7), (19.0, 22.7), (6.9, 9.9), (3.7, 6.7), (2.2, 5.2)),
    "ProtoNet": ((38.1, 41.5), (21.4, 24.4), (7.3, 10.3), (3.4, 6.4), (2.8, 5.8)),
    "Reptile": ((25.7, 31.1), (16.5, 19.5), (5.4, 8.4), (3.0, 6.3), (2.4, 5.4)),
    "MAML": ((21.7, 31.6), (16.0, 19.0), (5.6, 8.6), (3.0, 6.0), (1.8, 4.8)),
}
OVER_TRANSFER = {
    ("Reptile", 10): ((-15.2, -2.7), (-8.0, -1.8), (-5.5, -1.6), (-4.9, -1.9), (-4.8, -1.8)),
    ("Reptile", 200): ((-13.7, -0.5), (-4.6, -1.2), (-3.1, -0.1), (-2.0, 1.0), (-1.4, 1.6)),
    ("ProtoNet", 10): ((0.0, 8.5), (0.2, 3.2), (-0.5, 2.5), (-0.8, 2.2), (-0.7, 2.3)),
    ("ProtoNet", 200): ((0.0, 8.6), (0.5, 3.5), (-1.2, 1.8), (-1.8, 1.2), (-0.9, 2.1)),
}
for method in ("ProtoNet", "Reptile", "MAML"):
    lesson.expect(f"{method}: processor time over transfer's", relative[method], 0.6, 1.6)
for i, n in enumerate(EXAMPLES):
    for method, a in after[MANY].items():
        label = f"{method}, examples: {n}, {MANY} steps"
        lesson.expect(label, a[:, i].mean(), *ACCURACY[method][i])
    for method in WORK:
        label = f"{method}, examples: {n}"
        lesson.expect(f"{label}, points over random", gain[method][i], *OVER_RANDOM[method][i])
        if n == 100:
            ahead = 100 * (after[FEW][method][:, i].mean() - after[MANY]["random"][:, i].mean())
            middle = {"transfer": 2.5, "ProtoNet": 3.2, "Reptile": -0.9, "MAML": -1.4}[method]
            label = f"{label}, points of {FEW} steps over random's {MANY}"
            lesson.expect(label, ahead, middle - 1.8, middle + 1.8)
for (method, budget, i), (mean, *_) in zip(questions, found):
    label = f"{method} less transfer, examples: {EXAMPLES[i]}, {budget} steps"
    lesson.expect(label, mean, *OVER_TRANSFER[method, budget][i])
lesson.expect("differences left after the correction", left, 10, 20)
lesson.expect("differences below 0.05 alone", alone_p, 10, 20)
if not lesson.short:
    name = "Reptile less transfer, examples: 100, 200 steps: would be seen"
    lesson.expect(name, seen[8], 0.4, 2.5)
lesson.end()
