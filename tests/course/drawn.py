"""Read a figure back, and describe what it should contain: for the tests of figures, which compare
every line, band, bar, image, label and title with values computed from the same inputs in another
way. Nothing is rendered except where a test compares pixels.

The inputs are skewed, not sorted, and differ between panels, methods and seeds: then a mean is not
a median, the first is not the last, and a curve read backwards or scaled is another curve."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from tinymeta import MLP, TaskBatch

BLACK, BLUE, ORANGE, GREEN, PINK = "#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7"
TRUTH, GREY = "#999999", "#666666"
DASH_DOTS, LONG_DASHES = (0, (5, 1.5, 1, 1.5, 1, 1.5)), (0, (6, 4))
LOOKS = {
    "random": (BLACK, ":"),
    "transfer": (PINK, DASH_DOTS),
    "MAML": (BLUE, "-"),
    "first-order MAML": (ORANGE, "--"),
    "Reptile": (GREEN, "-."),
    "joint": (GREY, LONG_DASHES),
}
IN_ORDER = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-.")]  # for labels that are no methods
X = np.array([-3.0, -2.5, -0.5, 1.0, 4.0])  # unevenly spaced


# Reading a figure, and describing its expected contents


def curve(x, y, colour, style="-", marker="None", hollow=False):
    face = "white" if hollow else colour
    look = {"color": colour, "linestyle": style, "marker": marker, "markerfacecolor": face}
    return Line2D(np.atleast_1d(x), np.atleast_1d(y), **look)


def dots(x, y, colour, marker="o", hollow=False):
    return curve(x, y, colour, "None", marker, hollow)


def read(line):
    """Return the numbers (2, n) of a line, and its look.

    matplotlib has no public name for dashes; the private name has not changed since version 3.6."""
    style, face = line.get_linestyle(), to_hex(line.get_markerfacecolor())
    dashes = line._unscaled_dash_pattern if style == "--" else style
    x, y = (np.ravel(values).astype(float) for values in (line.get_xdata(), line.get_ydata()))
    marker = line.get_marker()
    return (x, y), (to_hex(line.get_color()), dashes, marker, marker != "None" and face)


def lines(ax):
    """Return the lines of an axes: (through data, levels of axhline, places of axvline)."""
    found = {(True, True): [], (False, True): [], (True, False): []}
    for line in ax.lines:
        in_x, in_y = line.get_transform().contains_branch_seperately(ax.transData)
        found[bool(in_x), bool(in_y)].append(line)
    return found.values()


def read_bands(ax):
    """Yield (x, low, high, colour) of each band that fill_between drew."""
    for band in ax.collections:
        if isinstance(band, PolyCollection) and band.get_paths():
            corners = band.get_paths()[0].vertices
            x = np.unique(corners[:, 0])
            at = [corners[corners[:, 0] == place, 1] for place in x]
            low, high = np.array([y.min() for y in at]), np.array([y.max() for y in at])
            yield x, low, high, to_hex(band.get_facecolor()[0])


def read_labels(ax):
    """Return {text: (y, colour)} of the labels at the right edge, y in the units of the data."""
    low, high = ax.get_ylim()
    labels = {}
    for text in ax.texts:
        if getattr(text, "xycoords", None) == "axes fraction" and text.xy[0] == 1.0:
            log, part = ax.get_yscale() == "log", text.xy[1]
            y = low * (high / low) ** part if log else low + part * (high - low)
            labels[text.get_text()] = (y, to_hex(text.get_color()))
            assert text.xyann == (5, 0) and text.anncoords == "offset points"
    return labels


def same(drawn, expected, within=1e-9):
    np.testing.assert_allclose(np.asarray(drawn, float), np.asarray(expected, float), 1e-6, within)


def check(ax, curves, bands=(), levels=(), places=(), labels=None, within=1e-9, **properties):
    """Assert that an axes shows these lines, bands (x, low, high, colour), levels (y, colour,
    style), places (x, colour) and labels {text: (y, colour)}, and no others; and `properties` as
    ax.get_...() returns them. within: the largest difference of numbers that count as equal."""
    through, level_lines, place_lines = lines(ax)
    assert len(through) == len(curves)
    for (numbers, look), (wanted, wanted_look) in zip(map(read, through), map(read, curves)):
        same(numbers, wanted, within)
        assert look == wanted_look
    assert len(level_lines) == len(levels)
    for line, (y, colour, dashes) in zip(level_lines, levels):
        same(line.get_ydata(), [y, y])
        same(line.get_xdata(), [0, 1])
        assert read(line)[1] == read(curve([], [], colour, dashes))[1]
    assert len(place_lines) == len(places)
    for line, (x, colour) in zip(place_lines, places):
        same(line.get_xdata(), [x, x])
        assert to_hex(line.get_color()) == colour
    found = [*read_bands(ax)]
    assert len(found) == len(bands)
    for (*numbers, colour), (*wanted, wanted_colour) in zip(found, bands):
        same(numbers, wanted)
        assert colour == wanted_colour
    check_labels(read_labels(ax), labels or {})
    title = properties.pop("title", "")
    assert (ax.get_title(loc="left"), ax.get_title(), ax.get_title(loc="right")) == (title, "", "")
    for name in ("xlabel", "ylabel"):
        assert getattr(ax, f"get_{name}")() == properties.pop(name, "")
    for name, wanted in properties.items():
        drawn = getattr(ax, f"get_{name}")()
        assert drawn == (wanted if isinstance(wanted, str) else pytest.approx(wanted)), name


def check_labels(found, wanted):
    assert {text: colour for text, (_, colour) in found.items()} == {
        text: colour for text, (_, colour) in wanted.items()
    }
    for text, (y, _) in wanted.items():
        assert found[text][0] == pytest.approx(y, rel=1e-5, abs=1e-6), text


def ticks(axis):
    return [*axis.get_ticklocs()], [label.get_text() for label in axis.get_ticklabels()]


def skewed(seed, *shape, end=None):
    """Return positive numbers with a long tail; end: their mean at the last place of each row."""
    values = np.random.default_rng(seed).exponential(size=shape) ** 1.5 + 0.1
    if end is not None:
        values[..., -1] *= end / values[..., -1].mean()
    return values


def of_seeds(values):
    """Return the lowest, highest and mean (n,) over the seeds of values (S, n)."""
    ranked = np.sort(values, axis=0)
    return ranked[0], ranked[-1], sum(values) / len(values)


def one_task(seed, points=4, grid=6):
    """Return a TaskBatch with T = 1 of unrelated random numbers."""
    rng = np.random.default_rng(seed)
    x_query = np.sort(rng.uniform(-5, 5, (1, grid, 1)), axis=1)
    of_points = (rng.standard_normal((1, points, 1)) for _ in "xy")
    return TaskBatch(*of_points, x_query, 2 * rng.standard_normal((1, grid, 1)))


def network():
    model = MLP([1, 6, 1], "tanh")
    return model, 2 * np.random.default_rng(1).standard_normal(model.n_params)
