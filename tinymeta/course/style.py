"""The style of the figures: five colours that colour-blind readers can tell apart, a line style for
each, and labels at the ends of the curves instead of a legend.

A figure has a window only after `use(windows=True)`: saving one needs neither a screen nor a
backend, and a notebook shows one that is the last expression of a cell. After `use(slides="svg")`
or `use(slides="pdf")`, figures are made for slides instead of pages: 16:9, with larger type for the
same width.
"""

import functools
import html
import io
import itertools
import os
import re
import sys
from pathlib import Path

if "ipykernel" not in sys.modules and os.environ.get("MPLBACKEND", "").startswith(
    "module://matplotlib_inline"
):
    del os.environ["MPLBACKEND"]  # set by Jupyter for subprocesses; importing matplotlib would fail

import numpy as np
from matplotlib import cycler, rc_context, rcParams
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from . import png

# Okabe & Ito (2008)
BLACK, BLUE, ORANGE, GREEN, PINK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#666666"
INK = {ORANGE: "#C35600", GREEN: "#008852", PINK: "#9C6484"}  # the same for text: 4.5 on white
DASH_DOTS = (0, (5, 1.5, 1, 1.5, 1, 1.5))
CYCLE = cycler(
    color=[BLUE, ORANGE, GREEN, PINK, BLACK], linestyle=["-", "--", "-.", DASH_DOTS, ":"]
)
METHODS = {  # the same look for a method in every lesson
    "random": {"color": BLACK, "linestyle": ":"},
    "transfer": {"color": PINK, "linestyle": DASH_DOTS},
    "MAML": {"color": BLUE, "linestyle": "-"},
    "first-order MAML": {"color": ORANGE, "linestyle": "--"},
    "Reptile": {"color": GREEN, "linestyle": "-."},
    "joint": {"color": GREY, "linestyle": (0, (6, 4))},
}
PAGE = {
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": CYCLE,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "savefig.dpi": 120,
}
# 6.4 x 3.6 in is a 16:9 page of LaTeX's beamer: on a slide of 10 inches, 11 points are 17
SLIDE = {
    **PAGE,
    "font.size": 11,
    "axes.titlesize": 11,
    "lines.linewidth": 2.2,
    "savefig.dpi": 300,  # for rasterised parts
    "svg.fonttype": "none",  # text stays text, which can be searched and read aloud
    "svg.hashsalt": "tinymeta",  # reproducible bytes
    "pdf.fonttype": 42,
}
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
LINE_HEIGHT = 1.25  # line height / font size
_mode = {"slides": None, "windows": False}


def use(slides=None, windows=False):
    """Choose whether figures are made for slides ("svg" or "pdf") or for pages (None) from now on,
    and whether they have windows."""
    _mode.update(slides=slides, windows=windows)
    if slides:
        rcParams.update(SLIDE)  # also for artists that a lesson adds to a figure itself


def file_format():
    """Return the format in which figures are saved: "png" for pages, or that of the slides."""
    return _mode["slides"] or "png"


def settings():
    """Return matplotlib's settings for a page, or for slides."""
    return SLIDE if _mode["slides"] else PAGE


def styled(draw):
    """Return the function `draw`, run with these settings; matplotlib's own stay as they are."""

    @functools.wraps(draw)
    def draw_styled(*args, **kwargs):
        with rc_context(settings()):
            return draw(*args, **kwargs)

    return draw_styled


class ShownFigure(Figure):
    """A figure that a notebook shows where it is the last expression of a cell; matplotlib's own
    are shown there only by pyplot."""

    @styled
    def _repr_png_(self):
        return as_png(self)


def ink(figure):
    """Give texts in the colour of a curve the darker one that has enough contrast on white."""
    for text in figure.findobj(Text):
        text.set_color(INK.get(to_hex(text.get_color()).upper(), text.get_color()))


def as_png(figure):
    """Return the bytes of a figure's PNG file."""
    ink(figure)
    with io.BytesIO() as file:
        figure.savefig(file, format="png", pil_kwargs={"compress_level": 1})
        file.seek(0)
        pixels = imread(file, format="png")
    return png.encode(np.round(255 * pixels[..., :3]).astype(np.uint8))


@styled
def new_figure(width=6.4, height=3.6, columns=1, rows=1, **options):
    """Return a figure and its rows and columns of axes; `options` are those of Figure.subplots."""
    if _mode["slides"]:  # several panels need a larger page, on which the type is smaller
        width = max(6.4, 0.8 * width, 0.6 * height * 16 / 9)
        height = width * 9 / 16
    if _mode["windows"]:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(width, height), layout="constrained")
    else:
        figure = ShownFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def new_panels(n, **options):
    """Return a figure with n panels side by side, which share the y axis, and the panels."""
    size = 1.6 + 3.6 * n, 3.4
    figure, (panels,) = new_figure(*size, n, sharey=True, squeeze=False, **options)
    return figure, panels


@styled
def save(figure, path, name="", sentence=""):
    """Write the figure to a path or to an open file, in the format of `file_format`; an SVG has its
    name and the sentence that says what it shows as title and description."""
    kind, file = file_format(), io.BytesIO()
    if kind == "png":
        data = as_png(figure)
    else:
        ink(figure)
        figure.savefig(file, format=kind, metadata=NO_DATE[kind])
        data = file.getvalue()
    if kind == "svg":
        words = f"<title>{html.escape(name)}</title><desc>{html.escape(sentence)}</desc>"
        data = re.sub(rb"(<svg [^>]*)>", rb'\1 role="img">' + words.encode(), data, count=1)
    if hasattr(path, "write"):
        path.write(data)
    else:
        Path(path).write_bytes(data)


@styled
def stamp(figure, text):
    """Write the text below a figure, in a row of its own."""
    figure.supxlabel(text, x=0.99, ha="right", color=ORANGE, fontsize="small")


@styled
def save_animation(figure, draw, frames, path):
    """Write an animated GIF, for which draw(frame) is called before each picture; return its
    path."""
    from matplotlib.animation import PillowWriter

    writer = PillowWriter(fps=8)
    ink(figure)
    figure.draw_without_rendering()  # computes the layout, once for all pictures
    figure.set_layout_engine("none")
    with writer.saving(figure, path, dpi=75):
        for frame in frames:
            draw(frame)
            writer.grab_frame()
    return path


def pick_looks(labels, spare):
    """Return {label: look}: the look of a method is its own in every figure, and that of another
    label the next of the looks `spare` that no method here has."""
    taken = [METHODS[label] for label in labels if label in METHODS]
    free = itertools.cycle([look for look in spare if look not in taken] or spare)
    return {label: METHODS.get(label) or next(free) for label in labels}


def limits(*arrays):
    """Return the ends of a y axis that has 0 on it, and a little more than all finite numbers."""
    numbers = np.concatenate([np.zeros(1), *map(np.ravel, arrays)])
    numbers = numbers[np.isfinite(numbers)]
    low, high = 1.05 * numbers.min(), 1.05 * numbers.max()
    return (low, high) if low < high else (0.0, 1.0)


# Parts of many figures. The first four return a label (y, text, colour) for `label_ends`.


def plot_line(ax, x, y, label, **look):
    """Draw a line, with gaps where y is not finite; return its label, at its last finite y."""
    (line,) = ax.plot(x, np.where(np.isfinite(y), y, np.nan), **look)
    return next(iter(y[np.isfinite(y)][::-1]), np.inf), label, line.get_color()


def plot_truth(ax, x, y, label):
    """Draw the function to be learned as a broad grey line; return its label."""
    ax.plot(x, y, color="#999999", linestyle="-", linewidth=4, alpha=0.6)
    return y[-1], label, GREY


def plot_seeds(ax, x, seeds, label, **look):
    """Draw the mean over the seeds (S, n), in a band from the lowest to the highest seed (no band
    for one seed), both with gaps where a seed is not finite; return its label."""
    # the mean of the other seeds would flatter
    seeds = np.where(np.isfinite(seeds).all(axis=0), seeds, np.nan)
    labelled = plot_line(ax, x, seeds.mean(axis=0), label, **look)
    if len(seeds) > 1:
        band = {"color": labelled[2], "alpha": 0.15, "linewidth": 0}
        ax.fill_between(x, seeds.min(axis=0), seeds.max(axis=0), **band)
    return labelled


def level(ax, y, label):
    """Draw a thin grey line at the height y; return its label."""
    ax.axhline(y, color=GREY, linestyle="-", linewidth=1.0)
    return y, label, GREY


def label_ends(ax, labels, gap=0.075):
    """Write each (y, text, colour) of `labels` at the right edge of the axes, at the height of y or
    close to it: labels are moved apart until the distance between two is at least `gap` (of the
    axes' height), or on slides one line of type."""
    if _mode["slides"]:
        ax.figure.draw_without_rendering()  # computes the layout, and so the axes' height
        points = LINE_HEIGHT * SLIDE["font.size"]
        gap = points / 72 / (ax.get_position().height * ax.figure.get_figheight())
    to_axes = ax.transData + ax.transAxes.inverted()
    x_right = ax.get_xlim()[1]
    labels = [(to_axes.transform((x_right, y))[1], text, colour) for y, text, colour in labels]
    labels.sort(key=lambda label: label[0])
    heights = spread([height for height, _, _ in labels], gap)
    for height, (_, text, colour) in zip(heights, labels):
        label_end(ax, height, text, colour)


def label_end(ax, height, text, colour):
    """Write one label at the right edge of the axes, at a height in (0, 1)."""
    return ax.annotate(
        text,
        (1.0, height),
        (5, 0),
        "axes fraction",
        "offset points",
        va="center",
        color=colour,
        annotation_clip=False,
    )


def spread(heights, gap):
    """Return the sorted heights, moved until neighbours are at least `gap` apart and all are
    between 0 and 1."""
    heights = np.clip(heights, 0.0, 1.0)
    for _ in range(200):  # push each pair of close neighbours apart by half, until none is close
        for i in range(len(heights) - 1):
            overlap = gap - (heights[i + 1] - heights[i])
            if overlap > 1e-6:
                heights[i] -= overlap / 2
                heights[i + 1] += overlap / 2
    order = gap * np.arange(len(heights))
    return np.clip(heights, order, 1 - order[::-1])
