"""Figures for pages and for slides: their size, their type, and whether labels can be read."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib import pyplot, rcParams
from matplotlib.text import Text
from running import LESSONS, results

from tinymeta import MLP, SineTasks
from tinymeta.course import figures, style
from tinymeta.course.examples import sine_examples

ROOT = Path(__file__).parents[2]


@pytest.fixture
def slides():
    kept = rcParams.copy()
    style.use(slides="svg")
    yield
    style.use()
    rcParams.update(kept)


def hard_to_read(figure):
    """Return the titles, labels and annotations of a figure that leave it or overlap."""
    figure.draw_without_rendering()
    of_ticks = {
        id(tick)
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_ticklabels(which="both")
    }
    texts = [
        t
        for t in figure.findobj(Text)
        if t.get_visible() and t.get_text().strip() and id(t) not in of_ticks
    ]
    boxes = [t.get_window_extent().padded(-1) for t in texts]
    found = [
        t.get_text()
        for t, box in zip(texts, boxes)
        if not figure.bbox.containsx(box.x0) or not figure.bbox.containsx(box.x1)
    ]
    found += [
        t.get_text()
        for t, box in zip(texts, boxes)
        if not figure.bbox.containsy(box.y0) or not figure.bbox.containsy(box.y1)
    ]
    for i, (t, box) in enumerate(zip(texts, boxes)):
        found += [
            f"{t.get_text()} / {other.get_text()}"
            for other, there in zip(texts[:i], boxes)
            if box.overlaps(there)
        ]
    return found


def curves(*methods, ends=1.0):
    """Return an adaptation curve (S, steps + 1, T) for each method; all end at the same height."""
    return {
        method: np.broadcast_to(np.linspace(4, ends, 11)[:, None], (2, 11, 3)) for method in methods
    }


def examples():
    model, rng = MLP([1, 40, 40, 1]), np.random.default_rng(0)
    return model, model.init(rng), sine_examples(rng, 10)


FIGURES = {
    "learning curves": lambda: figures.plot_learning_curves(
        curves(*style.METHODS), "A new sine from 10 points; bands: all 5 seeds", top=5.0, shots=10
    ),
    "curves at the bottom": lambda: figures.plot_learning_curves(
        curves(*style.METHODS, ends=0.0), "Five methods", top=5.0, shots=10
    ),
    "mean and median": lambda: figures.plot_mean_and_median(
        curves("random", "transfer", "MAML"), np.full(3, 1.0)
    ),
    "adaptation": lambda: figures.plot_adaptation(*examples(), 0.01, truth="true sine"),
    "adaptation to points": lambda: figures.plot_adaptation(*examples(), 0.01),
    "history": lambda: figures.plot_history(
        {method: np.linspace(4, [1, 2], 100) for method in style.METHODS}, "Five trainings", 20
    ),
    "few tasks": lambda: figures.plot_few_tasks(
        SineTasks().sample(np.random.default_rng(0), 5, 10, query=50, grid=True)
    ),
    "remainders": lambda: figures.plot_remainders(
        np.geomspace(1e-4, 1e-2, 5),
        {
            title: dict.fromkeys(("MAML", "first-order MAML", "Reptile"), np.geomspace(1e-4, 1, 5))
            for title in ("tanh", "ReLU")
        },
        "left over",
    ),  # fmt: skip
    "gallery": lambda: figures.plot_gallery(
        {
            f"points on the right, judged {i}": (task, *2 * [np.zeros((200, 1))])
            for i in range(9)
            for task in [sine_examples(np.random.default_rng(0), 10)["10 points anywhere"]]
        }
    ),  # fmt: skip
    "bars": lambda: figures.plot_bars(
        {"free": {"W1": 0.01, "b1": 0.02}, "kept >= 0": {"W1": 0.03, "b1": 0.02}},
        "Learned rates",
        "rate",
    ),
}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(f, id=name, marks=[pytest.mark.slow] * (name != "curves at the bottom"))
        for name, f in FIGURES.items()
    ],
)
def test_a_figure_for_slides_is_16_to_9_and_readable(make, slides):
    figure = make()
    assert figure.get_figwidth() / figure.get_figheight() == pytest.approx(16 / 9)
    assert not hard_to_read(figure)
    # the numbers on bars
    sizes = {t.get_fontsize() for t in figure.findobj(Text) if t.get_text()} - {7}
    assert min(sizes) >= 11


def test_a_figure_for_a_page_is_readable():
    assert not hard_to_read(FIGURES["learning curves"]()) and not hard_to_read(
        FIGURES["mean and median"]()
    )


def test_labels_that_overlap_would_be_found(slides, monkeypatch):
    monkeypatch.setattr(style, "LINE_HEIGHT", 0.5)
    assert hard_to_read(FIGURES["learning curves"]())


def test_type_is_larger_on_slides_and_pages_stay_as_they_were():
    def relative(figure):
        return {
            t.get_fontsize() / figure.get_figwidth() for t in figure.findobj(Text) if t.get_text()
        }

    page = FIGURES["adaptation"]()
    assert page.get_size_inches() == pytest.approx([8.8, 3.4])
    kept = rcParams.copy()
    style.use(slides="svg")
    slide = FIGURES["adaptation"]()
    style.use()
    rcParams.update(kept)
    assert min(relative(slide)) > 1.3 * min(relative(page))
    assert FIGURES["adaptation"]().get_size_inches() == pytest.approx([8.8, 3.4])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, size",
    [
        ("svg", rb'viewBox="0 0 ([\d.]+) ([\d.]+)"'),
        ("pdf", rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]"),
    ],
)
def test_a_slide_has_its_format_and_size_and_reproducible_bytes(kind, size, slides, tmp_path):
    style.use(slides=kind)
    for name in ("first", "again"):
        style.save(FIGURES["learning curves"](), tmp_path / name)
    data = (tmp_path / "first").read_bytes()
    width, height = map(float, re.search(size, data).groups())
    assert width / height == pytest.approx(16 / 9, rel=1e-3) and width == pytest.approx(6.4 * 72)
    assert data == (tmp_path / "again").read_bytes()
    assert b"<text" in data if kind == "svg" else data.startswith(b"%PDF")


def test_a_figure_for_slides_says_in_words_what_it_shows(slides, tmp_path):
    style.use(slides="svg")
    figure, ax = style.new_figure(2, 1)
    ax.set_title("A title")
    style.save(figure, tmp_path / "it.svg", "curves", "MAML < 1 & joint > 4.")
    text = (tmp_path / "it.svg").read_text(encoding="utf-8")
    assert 'role="img"><title>curves</title><desc>MAML &lt; 1 &amp; joint &gt; 4.</desc>' in text
    assert ">A title</text>" in text
    ElementTree.fromstring(text)  # it is still XML


def test_what_a_lesson_adds_to_a_figure_itself_has_the_type_of_slides(slides):
    figure, ax = style.new_figure()
    assert ax.text(0, 0, "words").get_fontsize() == 11


def test_a_figure_has_a_window_only_where_windows_are_asked_for(slides):
    style.new_figure()
    assert not pyplot.get_fignums()
    style.use(windows=True)
    style.new_figure()
    assert len(pyplot.get_fignums()) == 1
    pyplot.close()


# The lessons' own figures

CHECKED = """
import runpy, sys
from tinymeta.course import style
from test_style import hard_to_read

written = style.save

def save(figure, path, *words):
    if found := hard_to_read(figure):
        sys.exit(f"hard to read in {path.name}: {found}")
    written(figure, path, *words)

style.save, sys.argv = save, sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_every_figure_of_a_lesson_becomes_a_readable_slide(lesson, tmp_path):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "course")]
        ),
    }
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        CHECKED,
        str(lesson),
        "--quick",
        "--slides",
        "svg",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    saved = sorted(tmp_path.glob("*.svg"))
    own = [path for path in saved if not path.stem.endswith("_watch")]  # that is the quick run's
    # one may stand in a loop
    assert len(own) >= lesson.read_text(encoding="utf-8").count("lesson.save(") >= 3
    assert not list(tmp_path.glob("*.png"))
    for path in saved:
        width, height = map(
            float,
            re.search(
                r'viewBox="0 0 ([\d.]+) ([\d.]+)"', path.read_text(encoding="utf-8")
            ).groups(),
        )
        assert width / height == pytest.approx(16 / 9, rel=1e-3) and str(path) in done.stdout
    assert results(tmp_path, lesson)
