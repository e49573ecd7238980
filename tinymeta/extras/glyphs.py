"""Few-shot classification with no download: letters of 13 alphabets, each drawn anew at every
visit.

    tasks = GlyphTasks("train", ways=5)                 # 5-way: which of five letters is it?
    # 1-shot: x_support (16, 5, 196), y_support (16, 5, 5)
    batch = tasks.sample(rng, n_tasks=16, shots=1)

Omniglot-like (Lake et al. 2015), but no handwriting: the letters are those of the font DejaVu Sans
(data/glyphs.npz; its licence and the script that made it are beside it), and the variation is
synthetic, an affine map and a smooth warp of each drawing."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _validate
from ..tasks import TaskBatch

SPLITS = {  # by alphabet: what is asked for at meta-test time was never seen, nor was its alphabet
    "train": ("Latin", "Canadian syllabics", "Cyrillic", "Greek", "Old Italic"),
    "validation": ("Georgian", "N'Ko", "Ogham"),
    "test": ("Arabic", "Armenian", "Hebrew", "Lao", "Tifinagh"),
}
SIDE, FINE = 14, 40  # pixels along a side: of a drawing, and of the clean letter that it samples
# How far drawings may differ, either way; 1 is half a letter's frame. In this order: how x and y of
# a pixel enter its place in the clean letter (scale, shear, a little rotation), a shift, and eight
# waves that bend it.
REACH = np.array([0.17, 0.17, 0.17] + 8 * [0.07], np.float32)


def stretch(n_out, n_in):
    """The matrix (n_out, n_in) that samples n_in pixels at n_out places, linearly between two."""
    places = np.clip((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
    return np.clip(1 - abs(places[:, None] - np.arange(n_in)), 0, None)


@functools.cache
def directions():
    """The ways (11, 196) in which the places of the pixels may move, in pixels of the clean letter:
    along x, along y, and along cosines of up to one wave, of which the first is a constant."""
    y, x = np.meshgrid(*2 * [(np.arange(SIDE) + 0.5) * 2 / SIDE - 1], indexing="ij")
    waves = [
        np.cos(i * np.pi * (x + 1) / 2) * np.cos(j * np.pi * (y + 1) / 2)
        for i in range(3)
        for j in range(3)
    ]
    return (FINE / 2 * np.stack([x, y, *waves])).reshape(11, -1).astype(np.float32)


class Letters(NamedTuple):
    """All letters: code points (C,), alphabets (C,), the clean letters (C, 20, 20) as shipped, and
    (C, 40, 40) as sampled; bytes."""

    code_points: np.ndarray
    alphabets: np.ndarray
    clean: np.ndarray
    fine: np.ndarray


@functools.cache
def letters():
    """The letters, read once."""
    with np.load(Path(__file__).with_name("data") / "glyphs.npz") as file:
        code_points, alphabets, clean = (
            file[name] for name in ("code_points", "alphabets", "images")
        )
    enlarge = stretch(FINE, clean.shape[-1])
    found = Letters(
        code_points, alphabets, clean, np.round(enlarge @ clean @ enlarge.T).astype(np.uint8)
    )
    for array in found:
        array.setflags(write=False)  # all who ask share them
    return found


def draw(rng, classes):
    """A new drawing of each letter, classes (...) -> (..., 196) in [0, 1], float32: the clean
    letter seen through a map of its own."""
    moves = rng.random((classes.size, 2, len(REACH)), np.float32)
    moves *= 2 * REACH
    moves -= REACH
    moves[:, [0, 1], [0, 1]] += 1  # x to x, y to y,
    moves[:, :, 2] += 1  # and the origin to the middle: without the rest, the letter as it is
    places = moves.reshape(-1, len(REACH)) @ directions()
    column, row = (
        np.floor(np.clip(places, 0, FINE - 1, out=places), out=places)
        .reshape(*moves.shape[:2], -1)
        .swapaxes(0, 1)
    )
    pixels = (FINE * row + column).astype(np.int32)
    pixels += (FINE * FINE * classes.reshape(-1, 1)).astype(np.int32)
    return (letters().fine.reshape(-1).take(pixels) * np.float32(1 / 255)).reshape(
        *classes.shape, -1
    )


@functools.cache
def classes(split):
    """The letters of a split, as rows of `letters()`."""
    rows = np.flatnonzero(np.isin(letters().alphabets, SPLITS[split]))
    rows.setflags(write=False)
    return rows


def choose(rng, classes, lead, ways):
    """`ways` different classes in random order for each task: (*lead, ways), the top of a deck
    shuffled no further (Fisher & Yates)."""
    deck = np.tile(classes, (math.prod(lead), 1))
    rows = np.arange(len(deck))
    for i in range(ways):
        j = rng.integers(i, len(classes), len(deck))
        deck[rows, i], deck[rows, j] = deck[rows, j], deck[rows, i]
    return deck[:, :ways].reshape(*lead, ways)


@dataclass(frozen=True)
class GlyphTasks:
    """Which of `ways` letters is it? A task draws its letters from all of the split's alphabets and
    gives them labels in random order."""

    split: str = "train"
    ways: int = 5

    def __post_init__(self):
        _validate.check_choice("split", self.split, SPLITS)
        known = len(classes(self.split))
        if _validate.check_count("ways", self.ways, least=2) > known:
            raise ValueError(
                f"ways: expected at most the {known} letters of {self.split!r}; got {self.ways}"
            )

    def drawings(self, rng, n_tasks, shots, query=None):
        """The letters of each task and their drawings, shot after shot: (..., T, shots + query,
        ways) and (..., T, shots + query, ways, 196)."""
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        letter = choose(rng, classes(self.split), lead, self.ways)[..., None, :]
        letter = np.broadcast_to(letter, (*lead, shots + query, self.ways))
        return letter, draw(rng, letter)

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """A TaskBatch of n_tasks (T or (S, T)) tasks with `shots` support drawings of each letter
        and `query` others, by default as many: x (..., T, ways * shots, 196), y one-hot (..., T,
        ways * shots, ways), both float32; shot after shot, each letter once."""
        if grid:
            raise ValueError(f"grid: expected False, for letters lie on no line; got {grid!r}")
        letter, x = self.drawings(rng, n_tasks, shots, query)
        x = x.reshape(*letter.shape[:-2], -1, SIDE * SIDE)
        y = np.broadcast_to(
            np.tile(np.eye(self.ways, dtype=x.dtype), (letter.shape[-2], 1)),
            (*x.shape[:-1], self.ways),
        )
        support = shots * self.ways
        return TaskBatch(
            x[..., :support, :], y[..., :support, :], x[..., support:, :], y[..., support:, :]
        )


@dataclass(frozen=True)
class AllLetters:
    """The same drawings with other labels: which of all the letters of the split is it? To pretrain
    a classifier on the very images that a meta-learner of `tasks` sees with the same rng."""

    tasks: GlyphTasks

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """All drawings of n_tasks (T or (S, T)) of the tasks, support and query, as the support set
        of one task, and its query set as well: x (..., 1, n, 196), y one-hot (..., 1, n, C) for the
        C letters of the split. Letter by letter: `parts` have some of each."""
        letter, x = self.tasks.drawings(rng, n_tasks, shots, query)
        letter, x = letter.swapaxes(-1, -2), x.swapaxes(-2, -3)
        x = x.reshape(*letter.shape[:-3], 1, -1, SIDE * SIDE)
        known = classes(self.tasks.split)
        y = np.eye(len(known), dtype=x.dtype)[np.searchsorted(known, letter.reshape(x.shape[:-1]))]
        return TaskBatch(x, y, x, y)


def with_head(model, theta, head):
    """The parameters (..., P) of `model` with all layers but the last from theta, of a network that
    has other outputs alone, and the last one from head (..., P): pretrain with all classes, then
    start with few new ones."""
    body = sum(d_out * (d_in + 1) for d_in, d_out in zip(model.sizes[:-2], model.sizes[1:-1]))
    outputs, rest = divmod(theta.shape[-1] - body, model.sizes[-2] + 1)
    if rest or outputs < 1:
        before = f"{body} parameters, as {model!r} has before its last layer"
        raise ValueError(
            f"theta: expected {before}, and {model.sizes[-2] + 1} for each output; got "
            f"{theta.shape}"
        )
    return np.concatenate(
        (theta[..., :body], _validate.as_theta(model, head, "head")[..., body:]), axis=-1
    )
