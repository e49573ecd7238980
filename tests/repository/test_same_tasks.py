"""The methods that a lesson compares are paired: they start alike, and see the same points of the
same tasks."""

import ast
import re

import numpy as np
import pytest
from running import LESSONS

import tinymeta
from tinymeta.course import lesson as lesson_module
from tinymeta.course.lesson import named_rng

LESSON = next(path for path in LESSONS if path.stem.startswith("05"))
BATCHES = 3


def points(batch):
    """Return x and y of all points of a batch, (..., T, K, d), in the order in which they were
    drawn; points that are in both sets are counted once."""
    x_support, y_support, x_query, y_query = batch
    if np.array_equal(x_support, x_query) and np.array_equal(y_support, y_query):
        return x_support, y_support
    return (
        np.concatenate((x_support, x_query), axis=-2),
        np.concatenate((y_support, y_query), axis=-2),
    )


def same_points(batches, others):
    """Say whether two lists of batches contain the same points, array by array and index by
    index."""
    pairs = zip(batches, others, strict=True)
    return all(np.array_equal(a, b) for pair in pairs for a, b in zip(*map(points, pair)))


def trains(cell):
    """Say whether a cell of code defines the lesson's function `train`, or calls it."""
    return any(
        getattr(node, "name", None) == "train"
        or isinstance(node, ast.Call)
        and getattr(node.func, "id", None) == "train"
        for node in ast.walk(ast.parse(cell))
    )


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """Return {label: (θ at the start, its first batches)} of each training of the lesson, from its
    own code, in which meta_train draws tasks and learns nothing."""
    recorded = []

    def draw(meta_grad, model, theta, tasks, *, rng, shots, meta_batch_size, query=None, **_):
        n_tasks = len(theta), meta_batch_size
        batches = [tasks.sample(rng, n_tasks, shots, query or shots) for _ in range(BATCHES)]
        recorded.append((theta, batches))
        return theta, np.zeros((1, len(theta)))

    monkeypatch.setattr(tinymeta, "meta_train", draw)
    monkeypatch.setattr(lesson_module, "configure_terminal", lambda: None)
    monkeypatch.setattr("sys.argv", [LESSON.name, "--quick", "--train", "--out", str(tmp_path)])
    text = LESSON.read_text(encoding="utf-8")
    names, (_, *cells) = {"networks": {}}, re.split(r"^# %%(.*\n)", text, flags=re.MULTILINE)
    for head, cell in zip(cells[::2], cells[1::2]):
        needed = any(word in cell for word in ("import numpy", "Lesson(", "METHODS = "))
        if "[markdown]" not in head and (needed or trains(cell)):
            exec(compile(cell, LESSON.name, "exec"), names)
    return dict(zip(names["lesson"].histories, recorded, strict=True))


def test_methods_that_a_lesson_compares_start_alike_and_see_the_same_points(trainings):
    (start, batches), *others = trainings.values()
    assert len(others) >= 7 and np.shape(batches[0].x_support) == (5, 1, 10, 1)
    for label, (other_start, other_batches) in zip([*trainings][1:], others):
        assert np.array_equal(start, other_start), label
        assert same_points(batches, other_batches), label
    # both kinds are among them: ten points and ten others, and all twenty in one set
    assert {b[0].x_support.shape[-2] for _, b in others} == {10, 20}
    assert len({x.tobytes() for x, _ in map(points, batches)}) == BATCHES


@pytest.mark.parametrize("shots, query, same", [(10, 10, True), (20, 20, False), (10, 20, False)])
def test_a_method_that_draws_with_other_shots_sees_other_tasks(trainings, shots, query, same):
    """The negative control: the same stream, asked for other numbers of points."""
    _, batches = trainings["MAML"]
    rng, tasks = named_rng(0, "training tasks"), tinymeta.SineTasks()
    drawn = [tasks.sample(rng, (5, 1), shots, query) for _ in range(BATCHES)]
    cut = [tinymeta.TaskBatch(*(array[..., :10, :] for array in batch)) for batch in drawn]
    assert same_points(batches, cut) == same
