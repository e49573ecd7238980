"""The numbers that give the six bugs of exercise 7 away.

python tests/tools/bug_hunt_key.py    the tables of lessons/exercises/BUG_HUNT_KEY.md
"""

import sys
from pathlib import Path

import numpy as np

from tinymeta import MLP, TaskBatch, checks, meta_loss
from tinymeta.extras import autopsy

EXERCISES = Path(__file__).parents[2] / "lessons" / "exercises"
sys.path.insert(0, str(EXERCISES))
from implementations import ALL  # noqa: E402

PROBLEMS = {
    "tanh": {},
    "two steps": dict(steps=2),
    "ReLU": dict(activation="relu"),
    "one task": dict(n_tasks=1),
    "no step": dict(steps=0),
    "linear": dict(sizes=(2, 3)),
}
TOOLS = dict(np=np, MLP=MLP, TaskBatch=TaskBatch, checks=checks, meta_loss=meta_loss)
exec(
    next(
        cell
        for cell in (EXERCISES / "07_bug_hunt.py").read_text(encoding="utf-8").split("# %%")
        if "def off(" in cell
    ),
    TOOLS,
)
example = TOOLS["example"]  # the exercise's own


def off(letter, **problem):
    """How far the meta-gradient is from the numerical derivative of the meta-loss."""
    return TOOLS["off"](ALL[letter].meta_grad, **problem)


def off_fine_tuning(letter, **problem):
    """How far a step of `adapt` is from a step along the gradient."""
    return TOOLS["off_fine_tuning"](ALL[letter].adapt, **problem)


def blocks_off(letter):
    """The same in each parameter block."""
    model, theta, (x, y, *_) = example()
    return checks.block_errors(
        model,
        (theta - ALL[letter].adapt(model, theta, x[0], y[0], 0.1, 1)) / 0.1,
        model.grad(theta, x[0], y[0]),
    )


def verdict(letter):
    return autopsy.examine(ALL[letter].meta_grad, *example(), 0.1).verdict


def short(error):
    return "0" if error < 1e-12 else f"{error:.2g}"


def tables():
    """The page's two tables, and the blocks of the fine-tuning."""
    rows = [
        f"| | {' | '.join(PROBLEMS)} | fine-tuning | the autopsy, on tanh |",
        "|---" * (len(PROBLEMS) + 3) + "|",
    ]
    for letter in ALL:
        errors = [short(off(letter, **problem)) for problem in PROBLEMS.values()]
        cells = [letter, *errors, short(off_fine_tuning(letter)), verdict(letter)]
        rows.append(f"| {' | '.join(cells)} |")
    blocks = ", ".join(f"{block} {short(error)}" for block, error in blocks_off("B").items())
    return "\n".join(rows), blocks


if __name__ == "__main__":
    print(*tables(), sep="\n\n")
