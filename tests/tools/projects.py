"""The first numbers of three projects of the instructor's guide, in about a minute:

    python tests/tools/projects.py

Five networks each, on sine waves with 10 points and an inner rate of 0.01; the mean and, in
brackets, the lowest and the highest of them. Seed 0. Nothing is tuned: a project begins here."""

from pathlib import Path

import numpy as np

from tinymeta import MLP, Adam, SineTasks, adapt, adaptation_curve, maml_grad, meta_train
from tinymeta.checks import cosine
from tinymeta.course import trained

LESSONS = Path(__file__).parents[2] / "lessons"
MODEL = MLP([1, 40, 40, 1])
SHOTS, INNER_LR, SEEDS = 10, 0.01, 5


def start():
    """Return the random networks that lesson 03's trainings, and these, begin with."""
    rng = np.random.default_rng(0)
    return np.array([MODEL.init(rng, np.float32) for _ in range(SEEDS)])


def lesson_03():
    """Return the networks that lesson 03 trained by MAML."""
    return trained.load(LESSONS / "trained" / "03_maml.npz")[0]["MAML"]


def summary(values):
    """Return "mean (lowest to highest)" of the networks."""
    return f"{np.mean(values):.2f} ({np.min(values):.2f} to {np.max(values):.2f})"


def truncated(steps=10, kept=(0, 1, 2, 5, 10)):
    """Return the cosine of MAML's gradient through 10 steps with what is left of it if only the
    last products are taken, from MAML's networks: one row per number of products kept."""
    batch = SineTasks().sample(np.random.default_rng(1), 25, SHOTS)
    support, query = batch[:2], batch[2:]
    rows = []
    for theta in lesson_03().astype(float):
        places = [adapt(MODEL, theta, *support, INNER_LR, s) for s in range(steps + 1)]
        v = MODEL.grad(places[-1], *query)
        cut = {0: v.mean(axis=0)}
        for n, place in enumerate(reversed(places[:-1]), 1):
            v = v - INNER_LR * MODEL.hvp(place, *support, v)
            cut[n] = v.mean(axis=0)
        rows.append([cosine(cut[n], cut[steps]) for n in kept])
    return {
        f"{n} of {steps} products": summary(column) for n, column in zip(kept, np.transpose(rows))
    }


def one_wrong_point(error=4.0, steps=(1, 10, 32)):
    """Return the loss of MAML's networks on 500 waves after some steps: with all points right, one
    of ten wrong by 4, and that one left out."""
    batch = SineTasks().sample(np.random.default_rng(2), 500, SHOTS, query=50, grid=True)
    x, y = batch.x_support, batch.y_support
    wrong = y.copy()
    wrong[:, 0] += error
    cases = {
        "all right": batch,
        "one wrong": batch._replace(y_support=wrong),
        "left out": batch._replace(x_support=x[:, 1:], y_support=y[:, 1:]),
    }
    found = {}
    for name, tasks in cases.items():
        curve = adaptation_curve(MODEL, lesson_03(), tasks, INNER_LR, max(steps))
        means = curve.mean(axis=-1)[:, list(steps)]
        found[name] = [summary(column) for column in means.T]
    return found


def rates_of(part):
    """Return a rate for each parameter: 0 for all that do not adapt."""
    rates = np.zeros(MODEL.n_params, np.float32)
    layers = MODEL.unpack(rates)  # views
    chosen = {
        "everything": [array for layer in layers for array in layer],
        "all biases": [b for _, b in layers],
        "the first layer's biases": [layers[0][1]],
        "the head": list(layers[-1]),
    }[part]
    for array in chosen:
        array[...] = INNER_LR
    return rates


def adapting_a_part(iterations=1_600, steps=10):
    """Return the rate, and the loss after one and ten steps, of networks in which only a part
    adapts, in training and afterwards; each part at the best of three rates, on other tasks."""
    found = {}
    validation, test = (
        SineTasks().sample(np.random.default_rng(seed), 500, SHOTS, query=50, grid=True)
        for seed in (5, 3)
    )
    for part in ("everything", "all biases", "the first layer's biases", "the head"):
        trials = []
        for factor in (1, 3, 10):
            rates = factor * rates_of(part)
            theta, _ = meta_train(
                maml_grad,
                MODEL,
                start(),
                SineTasks(),
                rng=np.random.default_rng(4),
                iterations=iterations,
                meta_batch_size=5,
                shots=SHOTS,
                inner_lr=rates,
                optimizer=Adam(0.003),
            )
            loss = adaptation_curve(MODEL, theta, validation, rates, steps)[:, steps].mean()
            trials.append((np.nan_to_num(loss, nan=np.inf), factor * INNER_LR, theta, rates))
        _, rate, theta, rates = min(trials, key=lambda trial: trial[0])
        curve = adaptation_curve(MODEL, theta, test, rates, steps).mean(axis=-1)
        found[part] = [f"{rate:.2f}", *map(summary, curve[:, [1, steps]].T)]
    return found


PROJECTS = {
    "How much of the backward pass is needed?": truncated,
    "One wrong point": one_wrong_point,
    "Which part has to adapt?": adapting_a_part,
}


if __name__ == "__main__":
    for title, numbers in PROJECTS.items():
        print(f"\n{title}\n")
        for name, found in numbers().items():
            print(f"| {name} | {found if isinstance(found, str) else ' | '.join(found)} |")
