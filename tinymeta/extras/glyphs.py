"""Few-shot classification without a download: letters of 13 alphabets, with new random drawings in
every batch.

    tasks = GlyphTasks("train", ways=5)                 # 5-way: which of five letters is it?
    batch = tasks.sample(rng, n_tasks=16, shots=1)      # 1-shot
    batch.x_support.shape, batch.y_support.shape        # (16, 5, 196), (16, 5, 5)

The tasks resemble those of Omniglot (Lake et al. 2015), but there is no handwriting: the letters
are those of the font DejaVu Sans (data/glyphs.npz; its licence and the script that made it are
beside it), and the variation is synthetic, an affine map and a smooth warp of each drawing.

    train       489 letters: Latin 225, Canadian syllabics 137, Cyrillic 71, Greek 43, Old Italic 13
    validation  107 letters: Georgian 68, N'Ko 18, Ogham 21
    test        182 letters: Arabic 44, Armenian 53, Hebrew 16, Lao 29, Tifinagh 40

Each letter is one class, in one split; a capital and its small letter are two. The forms that a
letter takes at the beginning, in the middle and at the end of a word are one class, as are its
mathematical and typographic variants: only the letter itself is in the file. Any two letters can be
told apart: of new drawings of both, at least 90 % have their nearest neighbour, among 400 drawings
of each and pixel by pixel, in a drawing of the same letter. Of two that fail this, one is left out,
and one of the test split stays before all others."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _validate
from ..tasks import TaskBatch, choose

SPLITS = {  # by alphabet: meta-test tasks have new letters, of alphabets that were not trained on
    "train": ("Latin", "Canadian syllabics", "Cyrillic", "Greek", "Old Italic"),
    "validation": ("Georgian", "N'Ko", "Ogham"),
    "test": ("Arabic", "Armenian", "Hebrew", "Lao", "Tifinagh"),
}
SIDE, FINE = 14, 40  # pixels along a side: of a drawing, and of the clean letter that it samples
# The largest displacements in a drawing, in both directions; 1 is half the width of a letter's
# frame. In the order of `directions`: along x and y (scale, shear, a little rotation), a shift, and
# eight waves that bend the letter.
REACH = np.array([0.17, 0.17, 0.17] + 8 * [0.07], np.float32)


def stretch(n_out, n_in):
    """Return the matrix (n_out, n_in) that interpolates n_in pixels linearly at n_out places."""
    places = np.clip((np.arange(n_out) + 0.5) * n_in / n_out - 0.5, 0, n_in - 1)
    return np.clip(1 - abs(places[:, None] - np.arange(n_in)), 0, None)


@functools.cache
def directions():
    """Return the displacements (11, 196) of the pixels of a drawing, in pixels of the clean letter:
    proportional to x, to y, and to nine products of cosines, of which the first is a constant."""
    y, x = np.meshgrid(*2 * [(np.arange(SIDE) + 0.5) * 2 / SIDE - 1], indexing="ij")
    waves = [
        np.cos(i * np.pi * (x + 1) / 2) * np.cos(j * np.pi * (y + 1) / 2)
        for i in range(3)
        for j in range(3)
    ]
    return (FINE / 2 * np.stack([x, y, *waves])).reshape(11, -1).astype(np.float32)


def enlarge(clean):
    """Return bitmaps (C, n, n), enlarged to (C, 40, 40) bytes."""
    larger = stretch(FINE, clean.shape[-1])
    return np.round(larger @ clean @ larger.T).astype(np.uint8)


class Letters(NamedTuple):
    """Hold all letters: code points (C,), alphabets (C,), the clean letters (C, 20, 20) of the
    file, and the same enlarged to (C, 40, 40), which drawings sample; pixels are bytes."""

    code_points: np.ndarray
    alphabets: np.ndarray
    clean: np.ndarray
    fine: np.ndarray


@functools.cache
def letters():
    """Return all letters, which are read from the file once.

    Returns
    -------
    Letters
        A named tuple of arrays that cannot be written to: code_points (C,), alphabets (C,), clean
        (C, 20, 20) and fine (C, 40, 40), for C = 778 letters.

    Examples
    --------
    >>> chr(letters().code_points[0]), str(letters().alphabets[0]), letters().clean.shape
    ('B', 'Latin', (778, 20, 20))
    """
    with np.load(Path(__file__).with_name("data") / "glyphs.npz") as file:
        code_points, alphabets, clean = (
            file[name] for name in ("code_points", "alphabets", "images")
        )
    found = Letters(code_points, alphabets, clean, enlarge(clean))
    for array in found:
        array.setflags(write=False)  # every call returns the same arrays
    return found


def draw(rng, classes):
    """Return a new random drawing of each letter: the clean letter, displaced and bent.

    Parameters
    ----------
    rng : numpy.random.Generator
    classes : int array (...)
        Letters, as rows of `letters()`.

    Returns
    -------
    drawings : float32 array (..., 196)
        14 x 14 pixels in [0, 1]; 1 is ink.

    Examples
    --------
    >>> drawings = draw(np.random.default_rng(0), np.array([3, 3, 7]))
    >>> drawings.shape, bool((drawings[0] == drawings[1]).all())
    ((3, 196), False)
    """
    return displace(rng, letters().fine, classes)


def displace(rng, fine, rows):
    """Return a new random drawing (..., 196) of fine[row] for each of the rows (...), of bitmaps
    fine (C, 40, 40)."""
    moves = rng.random((rows.size, 2, len(REACH)), np.float32)
    moves *= 2 * REACH
    moves -= REACH
    # with the next two lines alone, the drawing is the clean letter: x maps to x, y to y,
    moves[:, [0, 1], [0, 1]] += 1
    moves[:, :, 2] += 1  # and the origin to the middle
    places = moves.reshape(-1, len(REACH)) @ directions()
    column, row = (
        np.floor(np.clip(places, 0, FINE - 1, out=places), out=places)
        .reshape(*moves.shape[:2], -1)
        .swapaxes(0, 1)
    )
    pixels = (FINE * row + column).astype(np.int32)
    pixels += (FINE * FINE * rows.reshape(-1, 1)).astype(np.int32)
    return (fine.reshape(-1).take(pixels) * np.float32(1 / 255)).reshape(*rows.shape, -1)


@functools.cache
def classes(split):
    """Return the letters of a split, as rows of `letters()`.

    Parameters
    ----------
    split : str
        "train", "validation" or "test".

    Returns
    -------
    rows : int array (C,)
        In ascending order; it cannot be written to.

    Examples
    --------
    >>> {split: len(classes(split)) for split in SPLITS}
    {'train': 489, 'validation': 107, 'test': 182}
    """
    rows = np.flatnonzero(np.isin(letters().alphabets, SPLITS[split]))
    rows.setflags(write=False)
    return rows


@dataclass(frozen=True)
class GlyphTasks:
    """A distribution of classification tasks: which of `ways` letters is it?

    A task draws its letters from all alphabets of the split, and numbers them in random order.

    Parameters
    ----------
    split : str
        "train", "validation" or "test".
    ways : int
        The number of letters of a task, at least 2.

    Raises
    ------
    ValueError
        If there is no such split, or it has fewer letters.

    Examples
    --------
    >>> batch = GlyphTasks("test", ways=5).sample(np.random.default_rng(0), 16, shots=1, query=3)
    >>> batch.x_support.shape, batch.y_support.shape, batch.x_query.shape
    ((16, 5, 196), (16, 5, 5), (16, 15, 196))
    """

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
        """Return the letters of each task, as rows of `letters()`, and their drawings.

        The parameters are those of `sample`.

        Returns
        -------
        letter : int array (..., T, shots + query, ways)
        drawings : float32 array (..., T, shots + query, ways, 196)
        """
        lead, shots, query = _validate.as_task_axes(rng, n_tasks, shots, query)
        known = classes(self.split)
        letter = known[choose(rng, len(known), lead, self.ways)][..., None, :]
        letter = np.broadcast_to(letter, (*lead, shots + query, self.ways))
        return letter, draw(rng, letter)

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a batch of tasks.

        Parameters
        ----------
        rng : numpy.random.Generator
        n_tasks : int or tuple of int
            T, or (S, T) for replicas with tasks of their own.
        shots : int
            The number of support drawings of each letter.
        query : int or None
            The number of query drawings of each letter; None: as many as shots.
        grid : bool
            Letters have no grid: only False is accepted.

        Returns
        -------
        TaskBatch
            x (..., T, K, 196) and one-hot y (..., T, K, ways), both float32, with K = shots * ways
            for the support set and query * ways for the query set: in every `ways` points, each
            letter once.

        Raises
        ------
        ValueError
            If a number is not a positive whole number, rng is no Generator, or grid is True.
        """
        if grid:
            raise ValueError(f"grid: expected False, because letters have no grid; got {grid!r}")
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
    """The drawings of `tasks`, labelled with all letters of the split: which of them is it?

    It serves to pretrain a classifier on the same images that a meta-learner sees, which samples
    from `tasks` with a generator of the same seed.

    Parameters
    ----------
    tasks : GlyphTasks

    Examples
    --------
    >>> tasks = AllLetters(GlyphTasks("validation", ways=5))
    >>> batch = tasks.sample(np.random.default_rng(0), 16, shots=1)
    >>> batch.x_support.shape, batch.y_support.shape
    ((1, 160, 196), (1, 160, 107))
    """

    tasks: GlyphTasks

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return all drawings of n_tasks tasks, support and query, as one task.

        The parameters and errors are those of `GlyphTasks.sample`.

        Returns
        -------
        TaskBatch
            x (..., 1, n, 196) and one-hot y (..., 1, n, C), for the C letters of the split; support
            and query set are the same. The points are in the order of tasks, then of letters, so
            that each of the `split_points` of the batch has drawings of every letter.
        """
        letter, x = self.tasks.drawings(rng, n_tasks, shots, query)
        letter, x = letter.swapaxes(-1, -2), x.swapaxes(-2, -3)
        x = x.reshape(*letter.shape[:-3], 1, -1, SIDE * SIDE)
        known = classes(self.tasks.split)
        y = np.eye(len(known), dtype=x.dtype)[np.searchsorted(known, letter.reshape(x.shape[:-1]))]
        return TaskBatch(x, y, x, y)


def with_head(model, theta, head, pretrained):
    """Return parameters of `model` whose last layer is that of head, and all others those of theta.

    It serves to pretrain with all classes and to adapt to a few new ones.

    Parameters
    ----------
    model : MLP
    theta : array (..., P')
        Parameters of `pretrained`.
    head : array (..., P)
        Parameters of model, of which only the last layer is used.
    pretrained : MLP
        The network of theta, which differs from model in the number of outputs only.

    Returns
    -------
    theta : array (..., P)

    Raises
    ------
    ValueError
        If the networks differ otherwise, or theta or head is not of its network.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> pretrained, model = MLP([196, 8, 107]), MLP([196, 8, 5])
    >>> ones, zeros = np.ones(pretrained.n_params), np.zeros(model.n_params)
    >>> theta = with_head(model, ones, zeros, pretrained)
    >>> theta.shape == (model.n_params,), float(theta.sum()) == 197 * 8
    (True, True)
    """
    if (*pretrained.sizes[:-1], pretrained.activation) != (*model.sizes[:-1], model.activation):
        raise ValueError(
            f"pretrained: expected a network that differs from {model!r} in the number of outputs "
            f"only; got {pretrained!r}"
        )
    theta, head = _validate.as_theta(pretrained, theta), _validate.as_theta(model, head, "head")
    body = sum(d_out * (d_in + 1) for d_in, d_out in zip(model.sizes[:-2], model.sizes[1:-1]))
    return np.concatenate((theta[..., :body], head[..., body:]), axis=-1)
