"""The numbers that give the six bugs of exercise 7 away.

    python tests/bug_hunt_key.py         the tables of lessons/exercises/BUG_HUNT_KEY.md
"""

import sys
from pathlib import Path

import numpy as np

from tinymeta import MLP, TaskBatch, autopsy, checks, meta_loss

EXERCISES = Path(__file__).parents[1] / "lessons" / "exercises"
sys.path.insert(0, str(EXERCISES))
from implementations import ALL  # noqa: E402

PROBLEMS = {  # as the exercise's `off` has them
    "tanh": {},
    "two steps": dict(steps=2),
    "ReLU": dict(activation="relu"),
    "one task": dict(n_tasks=1),
    "no step": dict(steps=0),
    "linear": dict(sizes=(2, 3)),
}


def example(sizes=(2, 5, 4, 3), activation="tanh", n_tasks=3):
    rng = np.random.default_rng(1)
    model = MLP(sizes, activation)
    x, y = rng.standard_normal((n_tasks, 11, sizes[0])), rng.standard_normal((n_tasks, 11, sizes[-1]))
    return model, 2 * model.init(rng), TaskBatch(x[:, :6], y[:, :6], x[:, 6:], y[:, 6:])


def off(letter, steps=1, **problem):
    """How far the meta-gradient is from the numerical derivative of the meta-loss."""
    model, theta, batch = example(**problem)
    truth = checks.complex_step(lambda t: meta_loss(model, t, batch, 0.1, steps), theta)
    return checks.relative_error(ALL[letter].meta_grad(model, theta, batch, 0.1, steps)[1], truth)


def off_fine_tuning(letter, **problem):
    """How far a step of `adapt` is from a step along the gradient, in each block."""
    model, theta, (x, y, *_) = example(**problem)
    way = (theta - ALL[letter].adapt(model, theta, x[0], y[0], 0.1, 1)) / 0.1
    truth = model.grad(theta, x[0], y[0])
    return {"all": checks.relative_error(way, truth)} | checks.block_errors(model, way, truth)


def verdict(letter):
    return autopsy.examine(ALL[letter].meta_grad, *example(), 0.1).verdict


def short(error):
    return "0" if error < 1e-12 else f"{error:.2g}"


def tables():
    """The page's two tables, and the blocks of the fine-tuning."""
    rows = [f"| | {' | '.join(PROBLEMS)} | fine-tuning | the autopsy, on tanh |", "|---" * (len(PROBLEMS) + 3) + "|"]
    for letter in ALL:
        errors = [short(off(letter, **problem)) for problem in PROBLEMS.values()]
        rows.append(f"| {letter} | {' | '.join(errors)} | {short(off_fine_tuning(letter)['all'])} | {verdict(letter)} |")
    blocks = ", ".join(f"{block} {short(error)}" for block, error in off_fine_tuning("B").items() if block != "all")
    return "\n".join(rows), blocks


if __name__ == "__main__":
    print(*tables(), sep="\n\n")
