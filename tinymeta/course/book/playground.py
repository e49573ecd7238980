"""The playground: a page on which a reader moves points and watches five networks of the lessons
adapt to them.

It is one file without a library: playground.html with its style, its script, the networks as base64
of float32, and the losses that tinymeta computes, against which the script checks itself.
"""

import base64
import html
import json
from pathlib import Path

import numpy as np

from ... import MLP, SineTasks, TaskBatch, adaptation_curve
from ...extras.ridge import RidgeHead, posterior
from .. import trained
from ..lesson import named_rng

SOURCES = Path(__file__).resolve().parent
SHOTS, INNER_LR, STEPS = 10, 0.01, 32  # as in lessons 03 and 05
MODEL = MLP([1, 40, 40, 1])
SOLVED = RidgeHead(MODEL)  # the last layer of "ridge head" is solved for
NETWORKS = {  # the lesson that trained it, and its class in playground.css
    "MAML": ("03_maml", "maml"),
    "first-order MAML": ("04_first_order_maml", "first-order"),
    "Reptile": ("05_reptile", "reptile"),
    "joint": ("03_maml", "joint"),
    "ridge head": ("12_solve_the_head", "ridge"),
}
# Digits of the reference losses that are the same on every machine: the ridge head solves a system
# with a condition number of 1e5, whose rounding is in the 12th.
DIGITS = {name: 9 if name == "ridge head" else 12 for name in NETWORKS}
QUERY = np.linspace(-5, 5, 50)[:, None]  # where losses are measured
ROW = """<tr id="row-{look}"><th scope="row"><label><input type="checkbox" checked>
<svg aria-hidden="true" viewBox="0 0 30 10"><path class="{look}" d="M0 5H30"/></svg>{name}</label>
</th><td></td><td></td><td></td><td></td></tr>"""
PROOF = """<tr><th scope="row">{name}</th><td>{loss}</td><td></td><td></td></tr>"""
LINK = """<li><a href="#{state}">{title}</a>: {question}</li>"""


def losses(name, theta, batch, inner_lr, steps=STEPS):
    """Return the query losses after 0 to `steps` steps, (..., steps + 1, T). A ridge head takes no
    step: its loss is the same after each."""
    if name != "ridge head":
        return adaptation_curve(MODEL, theta, batch, inner_lr, steps)
    outputs, _, _ = posterior(SOLVED, theta, *batch[:3])
    loss = np.mean((outputs - batch.y_query) ** 2, axis=(-2, -1))
    return np.repeat(loss[..., None, :], steps + 1, axis=-2)


def network(name):
    """Return theta (P,) in float32: of the five networks that its lesson trained, the one with the
    median loss after ten steps on validation tasks."""
    five = trained.load(trained.FOLDER / f"{NETWORKS[name][0]}.npz")[0][name]
    rng = named_rng(0, "validation tasks")
    validation = SineTasks().sample(rng, 100, SHOTS, query=50, grid=True)
    judged = losses(name, five, validation, INNER_LR, steps=10)[:, 10].mean(axis=-1)
    return five[np.argsort(judged)[2]]


def one_wave(x, amplitude=3.0, phase=1.0):
    """Return a wave as a batch of one task, with support points at x (K,)."""
    x, query = np.reshape(x, (1, -1, 1)), QUERY[None]
    return TaskBatch(x, amplitude * np.sin(x + phase), query, amplitude * np.sin(query + phase))


def state(x, steps=10, rate=INNER_LR, off=()):
    """Return the address of a state of the page: points at x (K,) on the wave of the lessons'
    example, but for pairs (index, y) of points that are off it."""
    points = [f"{at:g}" for at in x]
    for i, y in off:
        points[i] += f":{y:g}"
    return f"amplitude=3&phase=1&steps={steps}&rate={rate:g}&points={','.join(points)}"


def links(x):
    """Return the links to try as text, for the example's points at x (K,)."""
    tries = [
        (state(x, 0), "Before any step", "does one of the five know this wave?"),
        (state(x, 1), "One step", "two curves rise and fall with the wave already. Which?"),
        (state(x, off=[(8, 4)]), "One outlier", "who believes it most? What do more steps do?"),
        (state(abs(x)), "All points on one side", "who goes on to the left, where there is none?"),
        (state([-4, 0, 3]), "Three points", "one learner needs no more. Do two suffice?"),
        (state(x, 3, 0.05), "Too high a rate", "two of them explode. Why not joint training?"),
        ("", "Back to the start", "ten points, ten steps, rate 0.01."),
    ]
    return "\n".join(LINK.format(state=html.escape(s), title=t, question=q) for s, t, q in tries)


def page():
    """Return the page as text. It depends on lessons/trained/ and on the three files beside this
    one alone."""
    thetas = {name: network(name) for name in NETWORKS}
    x = named_rng(0, "example").uniform(-5.0, 5.0, SHOTS).round(4)
    rows, proofs = [], []
    for name, (_, look) in NETWORKS.items():
        loss = losses(name, thetas[name].astype(np.float64), one_wave(x), INNER_LR)[STEPS, 0]
        rows.append(ROW.format(name=name, look=look))
        proofs.append(PROOF.format(name=name, loss=f"{loss:#.{DIGITS[name]}g}"))
    weights = {
        name: base64.b64encode(theta.astype("<f4").tobytes()).decode()
        for name, theta in thetas.items()
    }
    parts = {
        "CSS": source("playground.css"),
        "SCRIPT": source("playground.js"),
        "ROWS": "\n".join(rows),
        "PROOF": "\n".join(proofs),
        "LINKS": links(x),
        "WEIGHTS": json.dumps(weights),
        "EXAMPLE": json.dumps(x.tolist()),
    }
    text = source("playground.html")
    for name, part in parts.items():
        text = text.replace(f"@@{name}@@", part)
    return text


def source(name):
    return (SOURCES / name).read_text(encoding="utf-8")
