"""The letters: the file, the drawings, the tasks, and the time that they take."""

import doctest
import itertools
import os
import runpy
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest

import tinymeta as tm
from tinymeta.extras import glyphs
from tinymeta.extras.glyphs import (
    FINE,
    SIDE,
    SPLITS,
    AllLetters,
    GlyphTasks,
    classes,
    draw,
    letters,
    with_head,
)

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tinymeta" / "extras" / "data"


def rng(seed=0):
    return np.random.default_rng(seed)


def looks(images):
    """Return each image (C, h, w) minus its mean, of unit length: products are correlations."""
    flat = images.reshape(len(images), -1) - images.mean(axis=(1, 2), keepdims=True)[:, :, 0]
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_the_examples_of_the_docstrings_run():
    failed, attempted = doctest.testmod(glyphs)
    assert failed == 0 and attempted >= 10


# The file


def test_the_letters_are_small_bitmaps_with_an_empty_border_of_two_pixels():
    clean = letters().clean
    assert (
        clean.dtype == np.uint8
        and clean.shape == (len(letters().code_points), 20, 20)
        and len(clean) > 700
    )
    assert (
        clean[:, 2:-2, 2:-2].any(axis=(1, 2)).all()
        and not clean[:, [0, 1, -2, -1]].any()
        and not clean[:, :, [0, 1, -2, -1]].any()
    )
    assert (DATA / "glyphs.npz").stat().st_size < 70_000


def test_every_alphabet_is_in_exactly_one_split():
    alphabets = list(itertools.chain(*SPLITS.values()))
    assert (
        sorted(alphabets) == sorted(set(letters().alphabets))
        and len(alphabets) == len(set(alphabets)) == 13
    )
    rows = np.concatenate([classes(split) for split in SPLITS])
    assert sorted(rows) == list(range(len(letters().code_points)))


def test_no_letter_is_in_two_splits_and_the_docstring_says_how_many_are_in_each():
    assert len(set(letters().code_points.tolist())) == len(letters().code_points)
    for split, alphabets in SPLITS.items():
        each = [f"{name} {(letters().alphabets == name).sum()}" for name in alphabets]
        line = f"{split} {len(classes(split))} letters: {', '.join(each)}"
        assert line in " ".join(glyphs.__doc__.split())


def test_no_alphabet_has_more_than_a_third_of_the_letters_of_the_test_split():
    _, counts = np.unique(letters().alphabets[classes("test")], return_counts=True)
    assert counts.max() <= len(classes("test")) / 3


def test_a_letter_is_not_in_the_file_beside_its_forms_within_a_word_or_in_mathematics():
    script = runpy.run_path(str(DATA / "make_glyphs.py"))
    ours = [*map(chr, letters().code_points.tolist())]
    assert not any(map(script["is_variant"], ours))
    # of a letter with forms, at most one is left: the forms have their letter as normal form
    assert len({unicodedata.normalize("NFKC", letter) for letter in ours}) == len(ours)
    words = " ".join(map(unicodedata.name, ours)).split()
    assert not {"INITIAL", "MEDIAL", "FINAL", "ISOLATED", "FORM", "MATHEMATICAL"} & {*words}
    # initial meem, mathematical meem, an Arabic ligature, final kaf in Hebrew, final sigma
    assert all(map(script["is_variant"], "\ufee3\U0001ee2c\ufefb\u05da\u03c2"))


def test_drawings_of_the_nearest_letters_are_told_apart():
    """Judge by the nearest of 400 drawings of each, with other drawings than the script's."""
    script = runpy.run_path(str(DATA / "make_glyphs.py"))
    clean = letters().clean
    near = script["likeness"](clean, clean)
    near = np.triu(np.maximum(near, near.T), 1)
    pairs = np.argwhere(near >= np.sort(near, axis=None)[-100])[::5]
    assert len(pairs) == 20

    def told_apart(*images):
        return script["told_apart"](
            *(script["drawings"](im, [5, i]) for i, im in enumerate(images))
        )

    assert min(told_apart(*clean[pair]) for pair in pairs) >= 0.9
    shifted = told_apart(clean[0], np.roll(clean[0], 1, axis=1))  # a twin would be found
    assert shifted < 0.75 and told_apart(clean[0], clean[0]) == pytest.approx(0.5, abs=0.06)


def test_the_script_draws_the_first_letters_of_the_file():
    """In most letters to the grey level; outlines and rasterisers differ a little by version."""
    script = runpy.run_path(str(DATA / "make_glyphs.py"))
    ours = {code: row for row, code in enumerate(letters().code_points.tolist())}
    first = [*itertools.islice(script["letters"](), 400)]
    both = [(ours[code], alphabet, image) for code, alphabet, image in first if code in ours]
    assert len(both) >= 100
    rows, alphabets, images = map(np.array, zip(*both))
    assert (np.diff(rows) > 0).all() and alphabets.tolist() == letters().alphabets[rows].tolist()
    clean = letters().clean[rows]
    correlations = (looks(images) * looks(clean)).sum(axis=1)
    assert np.median(correlations) > 0.999 and np.quantile(correlations, 0.1) > 0.98
    drawn = images.any(axis=1).sum(axis=1), images.any(axis=2).sum(axis=1)
    # rows or columns with something drawn: fewer where a letter has a gap, such as a dot
    assert np.median(np.maximum(*drawn)) == np.max(drawn) == 16 and not (images % 17).any()


def test_the_script_scales_by_means_over_equal_intervals():
    script = runpy.run_path(str(DATA / "make_glyphs.py"))
    halves, thirds = script["averages"](2, 4), script["averages"](2, 3)
    assert halves.tolist() == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]
    assert thirds == pytest.approx(np.array([[2, 1, 0], [0, 1, 2]]) / 3)


@pytest.mark.slow
def test_the_script_reproduces_the_file(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", DATA / "make_glyphs.py", tmp_path / "again.npz"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "again.npz") as file:
        again = dict(zip(file["code_points"].tolist(), looks(file["images"].astype(float))))
    ours = dict(zip(letters().code_points.tolist(), looks(letters().clean.astype(float))))
    both = ours.keys() & again.keys()
    # outlines and rasterisers differ a little between versions, and then some twins
    assert len(both) > 0.9 * max(len(ours), len(again))
    assert np.median([ours[code] @ again[code] for code in both]) > 0.98


def test_the_fonts_licence_is_in_the_folder_of_the_letters():
    text = (DATA / "LICENSE_DEJAVU").read_text(encoding="utf-8")
    assert "Bitstream Vera" in text and "this permission notice shall" in text


# The drawings


def test_a_drawing_without_displacement_is_the_clean_letter(monkeypatch):
    monkeypatch.setattr(glyphs, "REACH", np.zeros_like(glyphs.REACH))
    still = draw(rng(), classes("train")).reshape(-1, SIDE, SIDE)
    centres = ((np.arange(SIDE) + 0.5) * FINE / SIDE).astype(int)
    assert np.array_equal(
        still, letters().fine[classes("train")][:, centres][:, :, centres] * np.float32(1 / 255)
    )


def test_each_pixel_of_a_drawing_is_sampled_at_its_displaced_place():
    """Draw the same random numbers, and compute one pixel at a time."""
    chosen = np.array([3, 400, 700])
    moves = rng(5).random((3, 2, 11), np.float32) * 2 * glyphs.REACH - glyphs.REACH
    drawn = draw(rng(5), chosen).reshape(3, SIDE, SIDE)
    agree = 0
    for n, row, column in np.ndindex(3, SIDE, SIDE):
        x, y = ((i + 0.5) * 2 / SIDE - 1 for i in (column, row))
        waves = [
            np.cos(i * np.pi * (x + 1) / 2) * np.cos(j * np.pi * (y + 1) / 2)
            for i in range(3)
            for j in range(3)
        ]
        at_x, at_y = (place + moves[n, axis] @ [x, y, *waves] for axis, place in enumerate((x, y)))
        at_row, at_column = (int(np.clip((at + 1) * FINE / 2, 0, FINE - 1)) for at in (at_y, at_x))
        agree += (
            abs(drawn[n, row, column] - letters().fine[chosen[n], at_row, at_column] / 255) < 1e-6
        )
    assert agree >= 0.99 * drawn.size  # rounding may differ at the border of two pixels


def test_drawings_of_a_letter_differ_and_a_seed_reproduces_them():
    drawn = draw(rng(), np.full((4, 5), 10))
    assert (
        drawn.shape == (4, 5, SIDE * SIDE)
        and drawn.dtype == np.float32
        and 0 <= drawn.min()
        and drawn.max() <= 1
    )
    assert len(np.unique(drawn.reshape(20, -1), axis=0)) == 20
    assert np.array_equal(drawn, draw(rng(), np.full((4, 5), 10)))


def test_nearest_neighbours_find_the_letter_of_most_drawings_but_not_of_all():
    tasks = GlyphTasks("test").sample(rng(), 300, 1, 5)
    distance = ((tasks.x_query[:, :, None] - tasks.x_support[:, None]) ** 2).sum(axis=-1)
    # the task is neither trivial nor hopeless; chance is 0.2
    assert 0.6 < (distance.argmin(axis=-1) == tasks.y_query.argmax(axis=-1)).mean() < 0.75


# The tasks


@pytest.mark.parametrize("n_tasks, lead", [(3, (3,)), ((2, 3), (2, 3))])
@pytest.mark.parametrize("ways, shots, query", [(5, 1, 5), (2, 3, None), (20, 2, 1)])
def test_a_batch_has_its_shapes_and_each_letter_once_per_shot(n_tasks, lead, ways, shots, query):
    batch = GlyphTasks("validation", ways).sample(rng(), n_tasks, shots, query)
    for x, y, n in ((*batch[:2], shots), (*batch[2:], query or shots)):
        assert (
            x.shape == (*lead, ways * n, SIDE * SIDE)
            and y.shape == (*lead, ways * n, ways)
            and x.dtype == y.dtype == np.float32
        )
        assert (y.reshape(*lead, n, ways, ways) == np.eye(ways)).all()


def test_support_and_query_set_are_different_drawings_of_the_same_letters(monkeypatch):
    different = GlyphTasks("test").sample(rng(), 3, 1, 2)
    assert (
        not (different.x_support[:, None] == different.x_query.reshape(3, 2, 5, -1))
        .all(axis=-1)
        .any()
    )
    monkeypatch.setattr(glyphs, "REACH", np.zeros_like(glyphs.REACH))
    still = GlyphTasks("test").sample(rng(), 30, 1, 2)
    assert (still.x_support[:, None] == still.x_query.reshape(30, 2, 5, -1)).all()
    known = {image.tobytes() for image in draw(rng(), classes("test"))}
    assert {image.tobytes() for image in still.x_support.reshape(-1, SIDE * SIDE)} <= known


def test_all_letters_has_the_same_drawings_with_the_letters_as_labels(monkeypatch):
    monkeypatch.setattr(glyphs, "REACH", np.zeros_like(glyphs.REACH))
    tasks = GlyphTasks("validation", 4)
    batch, together = (
        tasks.sample(rng(), (2, 3), 2, 1).merge_support_query(),
        AllLetters(tasks).sample(rng(), (2, 3), 2, 1),
    )
    assert together.x_support.shape == (2, 1, 36, SIDE * SIDE) and together.y_support.shape == (
        2,
        1,
        36,
        len(classes("validation")),
    )
    by_letter = batch.x_support.reshape(2, 3, 3, 4, -1).swapaxes(2, 3)  # tasks, drawings, letters
    assert np.array_equal(together.x_support.reshape(by_letter.shape), by_letter)
    meant = draw(rng(), classes("validation"))[together.y_support.argmax(axis=-1)]
    assert (
        np.array_equal(meant, together.x_support) and (together.y_support.sum(axis=-1) == 1).all()
    )


@pytest.mark.parametrize(
    "make, named",
    [
        (
            lambda: GlyphTasks("trian"),
            "split: expected one of 'train', 'validation', 'test'; got 'trian'",
        ),
        (lambda: GlyphTasks(ways=1), "ways: expected a whole number of at least 2; got 1"),
        (
            lambda: GlyphTasks("validation", 500),
            "ways: expected at most the 107 letters of 'validation'; got 500",
        ),
        (lambda: GlyphTasks().sample(rng(), 1, 1, grid=True), "grid: expected False"),
        (lambda: GlyphTasks().sample(0, 1, 1), "rng: expected a NumPy Generator"),
        (
            lambda: GlyphTasks().sample(rng(), 0, 1),
            "n_tasks: expected a whole number of at least 1; got 0",
        ),
        (
            lambda: GlyphTasks().sample(rng(), 1, 0),
            "shots: expected a whole number of at least 1; got 0",
        ),
    ],
)
def test_a_wrong_argument_is_named(make, named):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value).startswith(named)


@pytest.mark.parametrize("ways, shots, query", [(20, 5, 5), (20, 1, 5), (5, 1, 5), (5, 5, 5)])
def test_each_part_of_all_letters_has_every_letter(ways, shots, query):
    batch = AllLetters(GlyphTasks("train", ways)).sample(rng(), 1, shots, query)
    assert [
        len(set(part.y_support.argmax(axis=-1).ravel())) for part in batch.split_points(4)
    ] == 4 * [ways]


def test_a_new_head_leaves_the_layers_before_it_as_they_are():
    many, few = (
        tm.MLP([6, 5, 4, 9], criterion="cross_entropy"),
        tm.MLP([6, 5, 4, 3], criterion="cross_entropy"),
    )
    theta, head = many.init(rng(0)), few.init(rng(1))
    joined = with_head(few, np.stack((theta, theta)), head[None].repeat(2, axis=0), many)
    assert joined.shape == (2, few.n_params)
    x = rng().standard_normal((7, 6))
    hidden = many.forward(theta, x).inputs[-1]
    W, b = few.unpack(head)[-1]
    np.testing.assert_allclose(few.predict(joined, x), np.stack(2 * [hidden @ W + b]), rtol=1e-12)


def test_a_body_of_another_network_is_refused_even_if_its_parameters_are_as_many():
    """MLP([2, 5, 3]) has 33 parameters, as many as MLP([2, 3, 6])."""
    model, head = tm.MLP([2, 3, 2]), np.zeros(17)
    other = tm.MLP([2, 5, 3])
    assert other.n_params == tm.MLP([2, 3, 6]).n_params
    with pytest.raises(ValueError, match="pretrained: expected a network that differs .* only"):
        with_head(model, other.init(rng()), head, other)
    with pytest.raises(ValueError, match="pretrained: expected"):
        with_head(model, np.zeros(33), head, tm.MLP([2, 3, 6], "tanh"))
    with pytest.raises(ValueError, match="theta: expected shape"):
        with_head(model, np.zeros(32), head, tm.MLP([2, 3, 6]))
    with pytest.raises(ValueError, match="head: expected shape"):
        with_head(model, np.zeros(33), np.zeros(16), tm.MLP([2, 3, 6]))


def test_the_shared_arrays_of_letters_cannot_be_written_to():
    for shared in (*letters(), classes("test")):
        with pytest.raises(ValueError, match="read-only"):
            shared[0] = 0


@pytest.mark.parametrize("n_out, n_in", [(40, 20), (7, 3), (3, 7), (5, 5)])
def test_stretch_interpolates_linearly_between_the_centres_of_pixels(n_out, n_in):
    pixels = rng().random(n_in)
    middles = [(np.arange(n) + 0.5) / n for n in (n_out, n_in)]
    np.testing.assert_allclose(
        glyphs.stretch(n_out, n_in) @ pixels, np.interp(middles[0], middles[1], pixels), atol=1e-12
    )


@pytest.mark.slow
def test_maml_training_improves_accuracy_on_new_letters():
    """Train in float32: one step then adapts better than ten steps did before."""
    tasks, model = GlyphTasks("train"), tm.MLP([SIDE * SIDE, 32, 32, 5], criterion="cross_entropy")
    theta = model.init(rng(), np.float32)
    trained, _ = tm.meta_train(
        tm.maml_grad,
        model,
        theta,
        tasks,
        rng=rng(1),
        iterations=300,
        meta_batch_size=8,
        shots=1,
        query=5,
        inner_lr=0.4,
        optimizer=tm.Adam(1e-2),
    )
    test = GlyphTasks("test").sample(rng(2), 100, 1, 5)
    before, after = (
        tm.adaptation_curve(model, t, test, 0.4, 10, "accuracy").mean(axis=-1)
        for t in (theta, trained)
    )
    assert (
        trained.dtype == np.float32
        and abs(after[0] - 0.2) < 0.05
        and after[1] > 0.5 > before[10]
        and after[10] > before[10] + 0.15
    )


# Time


@pytest.mark.slow
def test_a_new_process_has_its_first_batch_within_five_seconds():
    began = time.perf_counter()
    code = """
import numpy
from tinymeta.extras.glyphs import GlyphTasks
print(GlyphTasks().sample(numpy.random.default_rng(0), 16, 1, 5).x_query.shape)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "(16, 25, 196)", done.stderr
    assert time.perf_counter() - began < 5


@pytest.mark.slow
def test_sampling_takes_at_most_three_tenths_of_a_meta_step():
    model, tasks, source, adam = (
        tm.MLP([196, 64, 64, 5], criterion="cross_entropy"),
        GlyphTasks(),
        rng(),
        tm.Adam(),
    )
    theta = model.init(rng(), np.float32)
    shares = []
    for _ in range(15):  # interleaved, with the median of the ratios: the machine may be busy
        began = time.perf_counter()
        for _ in range(20):
            batch = tasks.sample(source, 16, 1, 5)
        sampled = time.perf_counter()
        for _ in range(20):
            adam.step(theta, tm.maml_grad(model, theta, batch, 0.4, 5)[1])
        shares.append((sampled - began) / (time.perf_counter() - began))
    assert np.median(shares) <= 0.3
