"""The contents of the figures: every line, band, bar, image, label and title is read back and
compared with values computed from the same inputs in another way. Nothing is rendered except where
a test compares pixels.

The inputs are skewed, not sorted, and differ between panels, methods and seeds: then a mean is not
a median, the first is not the last, and a curve read backwards or scaled is another curve."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from tinymeta import MLP, TaskBatch
from tinymeta.course import figures, style, widgets

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
        if isinstance(band, PolyCollection):
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


# The look of lines


def test_each_method_has_its_own_look():
    looks = {name: (to_hex(m["color"]), m["linestyle"]) for name, m in style.METHODS.items()}
    assert looks == LOOKS


# One task or a few


def test_few_tasks_draws_each_task_in_its_look_with_its_points():
    rng = np.random.default_rng(0)
    x = np.broadcast_to(X[:, None], (6, 5, 1))
    y = rng.uniform(-2, 4, (6, 5, 1))
    y[:, -1, 0] = [1.0, -2.0, 4.0, 0.0, 3.0, -1.0]
    points, values = rng.uniform(-3, 4, (6, 2, 1)), rng.standard_normal((6, 2, 1))
    figure = figures.plot_few_tasks(TaskBatch(points, values, x, y))
    looks = [*IN_ORDER, (PINK, DASH_DOTS), (BLACK, ":"), (BLUE, "-")]
    curves, labels = [], {}
    for i, (colour, dashes) in enumerate(looks):
        curves.append(curve(X, y[i, :, 0], colour, dashes))
        curves.append(dots(points[i, :, 0], values[i, :, 0], colour))
        labels[f"task {i + 1}"] = (y[i, -1, 0], colour)
    title, names = "6 tasks, 2 points of each", {"xlabel": "x", "ylabel": "y"}
    check(figure.axes[0], curves, labels=labels, title=title, xlim=(-3, 4), **names)


def test_many_tasks_draws_every_task():
    y = skewed(0, 7, 5)
    (ax,) = figures.plot_many_tasks(X, y, "many").axes
    curves = [curve(X, task, BLUE) for task in y]
    check(ax, curves, title="many", xlabel="x", ylabel="y", xlim=(-3, 4))


def test_fits_draws_truth_guesses_dots_and_rings():
    truth = (X[:, None], np.array([0.5, -3.0, 1.0, 4.0, 2.5])[:, None])
    guesses = {
        name: np.append(skewed(i, 4), end)[:, None]
        for i, (name, end) in enumerate({"one": -4.0, "two": 6.0, "three": 0.0}.items())
    }
    support, query = skewed(5, 2, 3), -skewed(6, 2, 4)
    (ax,) = figures.plot_fits(support, query, truth, guesses, "fits").axes
    curves, labels = [curve(X, truth[1][:, 0], TRUTH)], {"true sine": (2.5, GREY)}
    for (name, guess), look in zip(guesses.items(), IN_ORDER):
        curves.append(curve(X, guess[:, 0], *look))
        labels[name] = (guess[4, 0], look[0])
    curves += [dots(*query, PINK, hollow=True), dots(*support, BLACK)]
    names = {"title": "fits", "xlabel": "x", "ylabel": "y"}
    check(ax, curves, labels=labels, xlim=(-3, 4), ylim=(-6, 8), **names)


def network():
    model = MLP([1, 6, 1], "tanh")
    return model, 2 * np.random.default_rng(1).standard_normal(model.n_params)


def after_steps(model, theta, task, rate, steps):
    """Return the network's outputs (n,) at the query points, by gradient descent written out."""
    for _ in range(steps):
        theta = theta - rate * model.grad(theta, task.x_support[0], task.y_support[0])
    return model.predict(theta, task.x_query[0])[:, 0]


ADAPTED = [(PINK, ":"), (ORANGE, "--"), (BLUE, "-"), (GREEN, "-.")]


def adaptation_lines(model, theta, task, rate, steps):
    x, y = task.x_query[0, :, 0], task.y_query[0, :, 0]
    curves = [curve(x, y, TRUTH), dots(task.x_support[0], task.y_support[0], BLACK)]
    labels = {"true sine": (y[-1], GREY)}
    for n, (colour, dashes) in zip(steps, ADAPTED):
        out = after_steps(model, theta, task, rate, n)
        curves.append(curve(x, out, colour, dashes))
        labels[{0: "before", 1: "1 step"}.get(n, f"{n} steps")] = (out[-1], colour)
    return curves, labels


@pytest.mark.parametrize("steps", [(0, 1, 10), (3, 0, 7, 1)])
def test_adaptation_draws_the_network_after_each_number_of_steps(steps):
    (model, theta), task = network(), one_task(2)
    (ax,) = figures.plot_adaptation(model, theta, {"one": task}, 0.1, steps).axes
    curves, labels = adaptation_lines(model, theta, task, 0.1, steps)
    x, drawn = task.x_query[0, :, 0], read_labels(ax)
    check(ax, curves, labels=drawn, title="one", xlabel="x", ylabel="y", xlim=(x[0], x[-1]))
    assert {text: colour for text, (_, colour) in drawn.items()} == {
        text: colour for text, (_, colour) in labels.items()
    }
    outs = [line.get_ydata() for line in curves[2:]]
    apart = [abs(a - b).max() for i, a in enumerate(outs) for b in outs[:i]]
    assert min(apart) > 0.1  # otherwise exchanged curves could pass


def test_adaptation_draws_each_task_under_its_title():
    model, theta = network()
    examples = {"first": one_task(2), "second": one_task(3)}
    for task, ends in zip(examples.values(), (9.0, -9.0)):
        task.y_query[0, -1] = ends
    steps = (1, 12)
    axes = figures.plot_adaptation(model, theta, examples, 0.1, steps).axes
    assert len(axes) == 2
    for ax, (title, task), ylabel in zip(axes, examples.items(), ("y", "")):
        curves, labels = adaptation_lines(model, theta, task, 0.1, steps)
        x = task.x_query[0, :, 0]
        names = {"title": title, "xlabel": "x", "ylabel": ylabel}
        check(ax, curves, labels=labels, xlim=(x[0], x[-1]), ylim=axes[0].get_ylim(), **names)


def test_adaptation_takes_0_1_and_10_steps_by_default():
    (model, theta), task = network(), one_task(2)
    (ax,) = figures.plot_adaptation(model, theta, {"one": task}, 0.1).axes
    curves, labels = adaptation_lines(model, theta, task, 0.1, (0, 1, 10))
    assert {*read_labels(ax)} == {*labels}
    check(ax, curves, labels=read_labels(ax), title="one", xlabel="x", ylabel="y")


def test_beside_one_task_draws_one_line_per_curve_and_a_label_at_their_mean():
    panels = {
        "left": (
            np.array([1.0, 0.0, 2.0, -1.0, 0.5]),
            {"a": skewed(0, 5, end=2), "b": skewed(1, 3, 5, end=4)},
        ),
        "right": (
            np.array([0.0, 3.0, 1.0, 1.0, 6.0]),
            {"b": -skewed(2, 2, 5, end=1), "a": skewed(3, 5, end=3)},
        ),
    }
    axes = figures.plot_beside_one_task(X, panels).axes
    assert len(axes) == 2
    for ax, (title, (task, drawn)), ylabel in zip(axes, panels.items(), ("y", "")):
        curves, labels = [curve(X, task, TRUTH)], {"one task": (task[4], GREY)}
        for (name, values), look in zip(drawn.items(), IN_ORDER):
            values = values.reshape(-1, 5)
            curves += [curve(X, line, *look) for line in values]
            labels[name] = (sum(values[:, 4]) / len(values), look[0])
        names = {"title": title, "xlabel": "x", "ylabel": ylabel}
        check(ax, curves, labels=labels, xlim=(-3, 4), ylim=axes[0].get_ylim(), **names)


def test_gallery_draws_each_task_before_and_after():
    panels, truths = {}, {}
    for i, name in enumerate(("one", "two", "three", "four")):
        task = one_task(i, grid=5)
        task.x_support[0, 0] = -7.0 if i == 1 else 0.5  # left of the query points
        top = abs(task.y_query).max()
        task.y_query[0, -1], before, after = 0.5 * top, skewed(i, 5, 1), -skewed(i + 9, 5, 1)
        before[-1], after[-1], truths[name] = 1.2 * top, -0.7 * top, top
        panels[name] = (task, before, after)
    axes = figures.plot_gallery(panels).axes
    assert len(axes) == 6 and not any(ax.lines or ax.texts for ax in axes[4:])
    for ax, (title, (task, before, after)) in zip(axes, panels.items()):
        x, y = task.x_query[0, :, 0], task.y_query[0, :, 0]
        curves = [
            curve(x, y, TRUTH),
            curve(x, before[:, 0], PINK, ":"),
            curve(x, after[:, 0], BLUE),
        ]
        curves.append(dots(task.x_support[0], task.y_support[0], BLACK))
        labels = {
            "true": (y[-1], GREY),
            "before": (before[-1, 0], PINK),
            "after": (after[-1, 0], BLUE),
        }
        left, top = (-7.0 if title == "two" else x[0]), 2.2 * truths[title]
        check(ax, curves, labels=labels, title=title, xlim=(left, x[-1]), ylim=(-top, top))
    places = [
        (place.rowspan.start, place.colspan.start)
        for place in (ax.get_subplotspec() for ax in axes)
    ]
    assert places == [(row, column) for row in range(2) for column in range(3)]
    assert len(figures.plot_gallery(dict([*panels.items()][:2]), columns=1).axes) == 2


# Curves with bands


def test_learning_curves_draws_means_over_tasks_in_bands_from_lowest_to_highest_seed():
    curves = {
        "Reptile": skewed(0, 3, 6, 5) ** 2,
        "random": skewed(1, 3, 6, 5),
        "mine": skewed(2, 4, 6, 3),
        "MAML": skewed(3, 2, 6, 5) / 2,
    }
    for values, end in zip(curves.values(), (7.0, 5.0, 3.0, 1.0)):
        values[:, -1] *= end / values[:, -1].mean()
    looks = {**LOOKS, "mine": LOOKS["transfer"]}  # the first look that no drawn method has
    printed = {"MAML": {1: 2.5, 4: 0.5}, "random": {2: 6.0}}
    figure = figures.plot_learning_curves(curves, "four", 9.0, 7, printed, "loss", ("a line", 8.0))
    drawn, bands, labels = [], [], {"a line": (8.0, GREY)}
    for method, values in curves.items():
        seeds = sum(np.moveaxis(values, 2, 0)) / values.shape[2]
        low, high, mean = of_seeds(seeds)
        colour, style = looks[method]
        bands.append((np.arange(6), low, high, colour))
        drawn.append(curve(np.arange(6), mean, colour, style))
        rings = printed.get(method, {})
        drawn += [dots(step, loss, colour, hollow=True) for step, loss in rings.items()]
        labels[method] = (mean[5], colour)
    xlabel = "steps of gradient descent on the task's 7 points"
    names = {"title": "four", "xlabel": xlabel, "ylabel": "loss"}
    limits = {"xlim": (0, 5), "ylim": (0, 9)}
    check(figure.axes[0], drawn, bands, [(8.0, GREY, "-")], labels=labels, **names, **limits)


def test_learning_curves_draws_nothing_else_by_default():
    (ax,) = figures.plot_learning_curves({"MAML": np.ones((1, 3, 1))}, "one").axes
    band = ([0, 1, 2], *np.ones((2, 3)), BLUE)
    xlabel = "steps of gradient descent on the task's 10 points"
    names = {"title": "one", "xlabel": xlabel, "ylabel": "mean squared error on new points"}
    line = curve([0, 1, 2], [1, 1, 1], BLUE)
    check(ax, [line], [band], labels={"MAML": (1, BLUE)}, ylim=(0, 5), xlim=(0, 2), **names)


def test_along_training_draws_the_mean_over_seeds_in_a_band():
    steps = [0, 30, 1000, 20000]
    values = {
        name: dict(zip(steps, skewed(i, 3, 4, end=end).T.copy()))
        for i, (name, end) in enumerate({"a": 3.0, "b": 1.5, "c": 5.0}.items())
    }
    (ax,) = figures.plot_along_training(values, "training", "ratio").axes
    drawn, bands, labels = [], [], {}
    for (name, by_step), (colour, dashes) in zip(values.items(), IN_ORDER):
        low, high, mean = of_seeds(np.stack([by_step[step] for step in steps], axis=1))
        bands.append((steps, low, high, colour))
        drawn.append(curve(steps, mean, colour, dashes, "o"))
        labels[name] = (mean[3], colour)
    names = {"title": "training", "xlabel": "meta-steps", "ylabel": "ratio", "xscale": "symlog"}
    check(ax, drawn, bands, labels=labels, xlim=(0, 20000), **names)
    assert ax.xaxis.get_transform().linthresh == 100  # linear up to there
    assert (
        figures.plot_along_training(values, "", "", xlabel="steps").axes[0].get_xlabel() == "steps"
    )


def test_bands_draws_the_mean_over_seeds_in_a_band():
    values = {
        "MAML": skewed(0, 3, 5, end=0.3),
        "joint": skewed(1, 4, 5, end=0.6),
        "transfer": skewed(2, 2, 5, end=0.9),
    }
    (ax,) = figures.plot_bands(X, values, "bands", "features", "R^2").axes
    drawn, bands, labels = seed_bands(X, values)
    names = {"title": "bands", "xlabel": "features", "ylabel": "R^2"}
    check(ax, drawn, bands, labels=labels, xlim=(-3, 4), ylim=(0, 1), **names)


def seed_bands(x, values):
    drawn, bands, labels = [], [], {}
    for method, seeds in values.items():
        low, high, mean = of_seeds(seeds)
        colour, style = LOOKS[method]
        bands.append((x, low, high, colour))
        drawn.append(curve(x, mean, colour, style, "o"))
        labels[method] = (mean[-1], colour)
    return drawn, bands, labels


@pytest.mark.parametrize(
    "x, shown", [([1, 2, 5, 30], [1, 2, 5, 30]), ([0, 1, 2, 3, 4, 7, 9, 20], [0, 3, 9])]
)
def test_band_panels_draws_every_panel_under_its_title(x, shown):
    panels = {
        "one": {"MAML": skewed(0, 3, len(x), end=0.7), "random": skewed(1, 2, len(x), end=0.3)},
        "two": {"random": skewed(2, 3, len(x), end=0.8), "Reptile": skewed(3, 3, len(x), end=0.5)},
        "three": {"MAML": skewed(4, 3, len(x), end=0.4), "transfer": skewed(5, 3, len(x), end=0.2)},
    }
    axes = figures.plot_band_panels(x, panels, "examples", "accuracy").axes
    assert len(axes) == 4
    assert [ax.get_xlabel() for ax in axes] == ["", "", "examples", "examples"]
    assert [ax.get_ylabel() for ax in axes] == ["accuracy", "", "accuracy", ""]
    for ax, (title, values) in zip(axes, panels.items()):
        drawn, bands, labels = seed_bands(x, values)
        names = {"title": title, "xlabel": ax.get_xlabel(), "ylabel": ax.get_ylabel()}
        limits = {"xlim": (min(x), max(x)), "ylim": (0, 1), "xscale": "symlog"}
        check(ax, drawn, bands, labels=labels, **names, **limits)
        assert [*ax.get_xticks()] == shown
        assert ax.xaxis.get_transform().linthresh == 1
    assert ticks(axes[2].xaxis) == (
        shown,
        [str(tick) for tick in shown],
    )  # shared with the panel below
    assert len(figures.plot_band_panels(x, panels, "", "", columns=3).axes) == 3


def test_mean_and_median_draws_means_left_and_medians_right():
    curves = {"MAML": skewed(0, 3, 4, 5), "random": 5 * skewed(1, 3, 4, 5)}
    curves["MAML"][:, -1], curves["random"][:, -1] = [1, 2, 3, 4, 30], [20, 24, 22, 28, 96]
    curves["random"][1, -1] *= 1.5
    zero = np.array([9.0, 80.0, 12.0, 16.0, 13.0])
    axes = figures.plot_mean_and_median(curves, zero, "error").axes
    assert len(axes) == 2
    of_tasks = {
        "Mean": lambda values: sum(np.moveaxis(values, -1, 0)) / 5,
        "Median": lambda values: np.sort(values, axis=-1)[..., 2],
    }
    for ax, (name, statistic), ylabel in zip(axes, of_tasks.items(), ("error", "")):
        drawn, bands = [], []
        labels = {"predict 0": (statistic(zero), GREY)}
        for method, values in curves.items():
            low, high, mean = of_seeds(statistic(values))
            colour, style = LOOKS[method]
            bands.append((np.arange(4), low, high, colour))
            drawn.append(curve(np.arange(4), mean, colour, style))
            labels[method] = (mean[3], colour)
        names = {"title": f"{name} over tasks; bands: all 3 seeds", "ylabel": ylabel}
        limits = {"xlim": (0, 3), "ylim": axes[0].get_ylim(), "xlabel": "steps of gradient descent"}
        level = (statistic(zero), GREY, "-")
        check(ax, drawn, bands, [level], labels=labels, **names, **limits)
    default = figures.plot_mean_and_median(curves, zero).axes[0].get_ylabel()
    assert default == "squared error on new points"


# On log axes


def test_gradient_check_draws_the_differences_and_one_level_per_gradient():
    h, errors = np.array([1e-3, 1e-1, 1e-8, 1e-5]), np.array([1e-6, 1e-2, 1e-7, 1e-10])
    levels = {"exact": 1e-15, "first order": 1.0, "nearly": 1e-5, "worse": 1e-12}
    (ax,) = figures.plot_gradient_check(h, errors, levels, "check").axes
    looks = [(GREEN, "-."), (ORANGE, "--"), (PINK, DASH_DOTS), (BLACK, ":")]
    drawn = [(error, *look) for error, look in zip(levels.values(), looks)]
    labels = {name: (error, colour) for name, (error, colour, _) in zip(levels, drawn)}
    labels["central differences"] = (1e-2, BLUE)  # at the largest h
    names = {
        "title": "check",
        "xlabel": "h, the step of the differences",
        "ylabel": "relative error",
    }
    scales = {"xlim": (1e-8, 1e-1), "xscale": "log", "yscale": "log"}
    check(ax, [curve(h, errors, BLUE, "-", "o")], [], drawn, labels=labels, **names, **scales)


def test_remainders_draws_each_method_and_the_slope_of_alpha_squared():
    alphas = np.array([3e-3, 1e-1, 1e-3, 2e-2])
    panels = {
        "tanh": {
            "MAML": np.array([1e-5, 3e-2, 1e-6, 5e-4]),
            "Reptile": np.array([2e-3, 9.0, 1e-4, 0.2]),
        },
        "ReLU": {
            "Reptile": np.array([1e-2, 0.5, 4e-4, 0.1]),
            "joint": np.array([5e-5, 40.0, 3e-6, 6e-3]),
        },
    }
    axes = figures.plot_remainders(alphas, panels, "left over").axes
    assert len(axes) == 2
    lowest = {"tanh": 3e-2, "ReLU": 0.5}  # the lowest remainder at the largest alpha
    for ax, (title, values), ylabel in zip(axes, panels.items(), ("left over", "")):
        drawn, labels = [], {}
        for method, remainder in values.items():
            colour, style = LOOKS[method]
            drawn.append(curve(alphas, remainder, colour, style, "o"))
            labels[method] = (remainder[1], colour)
        square = lowest[title] / 5 * np.array([9e-4, 1.0, 1e-4, 0.04])
        drawn.append(curve(alphas, square, TRUTH))
        labels["alpha squared"] = (square[1], GREY)
        names = {"title": title, "ylabel": ylabel, "xlabel": "alpha, the rate of the inner steps"}
        limits = {
            "xlim": (1e-3, 1e-1),
            "ylim": axes[0].get_ylim(),
            "xscale": "log",
            "yscale": "log",
        }
        check(ax, drawn, labels=labels, **names, **limits)
        assert not any(tick.label1.get_visible() for tick in ax.xaxis.get_minor_ticks(2))


def test_convergence_draws_errors_over_steps():
    steps, errors = [5, 1, 30, 2], [1e-3, 1e-1, 1e-9, 3e-2]
    (ax,) = figures.plot_convergence(steps, errors, "convergence", "steps").axes
    names = {"title": "convergence", "xlabel": "steps", "ylabel": "relative error"}
    scales = {"xlim": (1, 30), "xscale": "linear", "yscale": "log"}
    check(ax, [curve(steps, errors, BLUE, "-", "o")], **names, **scales)
    assert figures.plot_convergence(steps, errors, "", "", "error").axes[0].get_ylabel() == "error"


def test_either_side_draws_the_two_sides_of_the_threshold_in_two_looks():
    panels = {
        "one": (np.array([0.5, 3.0, 2.0, 7.0]), np.array([0.1, 5.0, 2.0, 40.0])),
        "two": (np.array([2.5, 0.1, 1.0, 2.0, 9.0]), np.array([3.0, 0.2, 0.5, 6.0, 0.01])),
    }
    sides = {
        "one": (
            ([0.5, 2.0], [0.1, 2.0]),
            ([3.0, 7.0], [5.0, 40.0]),
        ),  # x at the threshold counts as left
        "two": (([0.1, 1.0, 2.0], [0.2, 0.5, 6.0]), ([2.5, 9.0], [3.0, 0.01])),
    }
    axes = figures.plot_either_side(panels, 2.0, "rate", "loss").axes
    assert len(axes) == 2
    for ax, title, ylabel in zip(axes, panels, ("loss", "")):
        left, right = sides[title]
        drawn = [dots(*left, BLUE), dots(*right, ORANGE, "^")]
        names = {"title": title, "xlabel": "rate", "ylabel": ylabel, "yscale": "log"}
        limits = {"xlim": axes[0].get_xlim(), "ylim": axes[0].get_ylim()}
        check(ax, drawn, levels=[(1.0, GREY, "-")], places=[(2.0, GREY)], **names, **limits)


def test_differences_draws_means_and_intervals_side_by_side():
    x = [1, 4, 10, 30]
    values = {
        "a": (np.array([3.0, -1.0, 2.0, 5.0]), np.array([0.5, 2.0, 0.1, 1.0])),
        "b": (np.array([-2.0, 4.0, 0.0, -3.0]), np.array([1.5, 0.2, 0.3, 0.7])),
        "c": (np.array([6.0, 0.0, -4.0, 1.0]), np.array([0.4, 0.6, 1.1, 0.2])),
    }
    (ax,) = figures.plot_differences(x, values, "differences", "examples", "points").axes
    through, (zero,), _ = lines(ax)
    assert (*zero.get_ydata(), to_hex(zero.get_color())) == (0, 0, GREY)
    assert len(ax.containers) == 3
    for i, (drawn, (mean, half), look) in enumerate(zip(ax.containers, values.values(), IN_ORDER)):
        line, caps, (bars,) = drawn
        (places, means), seen = read(line)
        beside = [place * (1, 1.04, 1.04 * 1.04)[i] for place in x]
        same(places, beside)
        same(means, mean)
        assert seen == read(curve([], [], *look, "o"))[1]
        ends = [[(at, m - h), (at, m + h)] for at, m, h in zip(beside, mean, half)]
        same(bars.get_segments(), ends)
        same([cap.get_ydata() for cap in caps], [mean - half, mean + half])
        assert to_hex(bars.get_color()[0]) == look[0]
    labels = {name: (mean[3], IN_ORDER[i][0]) for i, (name, (mean, _)) in enumerate(values.items())}
    check_labels(read_labels(ax), labels)
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == (
        "differences",
        "examples",
        "points",
    )
    assert ax.get_xscale() == "log" and ax.get_xlim() == pytest.approx((0.9, 36))
    assert ticks(ax.xaxis) == (x, ["1", "4", "10", "30"]) and not [*ax.xaxis.get_minorticklocs()]


# The plane of two weights

SOLUTIONS = {
    "task 1": np.array([[-2.0, 1.0], [0.5, 0.7], [1.5, -0.4]]),
    "task 2": np.array([[2.0, 2.2], [0.0, 1.0], [-1.2, 0.3]]),
}
PATHS = {
    "MAML": np.array([[0.1, 0.2], [0.5, 0.1], [0.9, 0.8], [1.3, 0.6]]),
    "Reptile": np.array([[0.1, 0.2], [-0.3, 0.4], [-0.9, 1.1], [-0.7, 1.9]]),
    "joint": np.array([[0.1, 0.2], [0.0, -0.3], [0.2, -0.5], [-0.4, -1.4]]),
}


def check_texts(ax, wanted):
    """Assert the annotations at places in the data: (text, xy, offset, ha, va, colour) of each."""
    for text, (words, xy, offset, ha, va, colour) in zip(ax.texts, wanted):
        assert (text.get_text(), text.xyann, text.get_ha(), text.get_va()) == (
            words,
            offset,
            ha,
            va,
        )
        assert to_hex(text.get_color()) == colour and (text.xycoords, text.anncoords) == (
            "data",
            "offset points",
        )
        same(text.xy, xy)
    assert len(ax.texts) == len(wanted)


def test_plane_draws_solutions_paths_and_the_start():
    figure, paths, ends = figures.plot_plane(SOLUTIONS, PATHS, "plane", limit=2.5)
    (ax,) = figure.axes
    looks = {method: LOOKS[method] for method in PATHS}
    drawn = [curve(*points.T, TRUTH) for points in SOLUTIONS.values()]
    drawn += [curve(*path.T, *looks[method]) for method, path in PATHS.items()]
    names = {
        "title": "plane",
        "xlabel": "w1",
        "ylabel": "w2",
        "xlim": (-2.5, 2.5),
        "ylim": (-2.5, 2.5),
    }
    check(ax, [*drawn, dots(0.1, 0.2, BLACK, "s")], **names)
    texts = [
        ("task 1", (1.5, -0.4), (0, 6), "right", "baseline", GREY),  # towards the middle
        ("task 2", (-1.2, 0.3), (0, 6), "left", "baseline", GREY),
        ("MAML", (1.3, 0.6), (-12, -18), "right", "center", BLUE),
        ("Reptile", (-0.7, 1.9), (12, 18), "left", "center", GREEN),
        ("joint", (-0.4, -1.4), (-12, -18), "right", "center", GREY),
        ("start", (0.1, 0.2), (7, 0), "left", "center", BLACK),
    ]
    check_texts(ax, texts)
    assert ax.get_aspect() in (1, "equal")
    assert [*paths] == [*ends] == [*PATHS]
    assert [*paths.values()] == ax.lines[2:5] and [*ends.values()] == ax.texts[2:5]
    assert all(to_hex(end.get_bbox_patch().get_facecolor()) == "#ffffff" for end in ends.values())
    assert figures.plot_plane(SOLUTIONS, PATHS, "plane")[0].axes[0].get_xlim() == (-2.6, 2.6)


def test_animate_plane_draws_each_path_up_to_its_step(monkeypatch):
    given = []
    monkeypatch.setattr(
        figures, "save_animation", lambda *arguments: given.append(arguments) or "saved"
    )
    assert figures.animate_plane(SOLUTIONS, PATHS, [0, 2, 3], "where") == "saved"
    ((figure, draw, frames, path),) = given
    assert frames == [0, 2, 3, *[3] * 8] and path == "where"  # the last picture is held
    (ax,) = figure.axes
    for n in (2, 0, 3):
        draw(n)
        for line, text, points in zip(ax.lines[2:5], ax.texts[2:5], PATHS.values()):
            same(read(line)[0], [[point[i] for point in points[: n + 1]] for i in (0, 1)])
            same(text.xy, points[n])
        assert ax.get_title(loc="left") == f"Two tasks, two curves of good weights: step {n}"


# Bars and images


def test_bars_draws_one_group_per_part_and_a_number_on_each_bar():
    values = {
        "free": {"W1": 0.0123, "b1": 0.2, "W2": 0.05},
        "kept": {"W1": 0.3, "b1": 0.0456, "W2": 0.111},
    }
    (ax,) = figures.plot_bars(values, "rates", "rate").axes
    written = [["0.012", "0.2", "0.05"], ["0.3", "0.046", "0.11"]]
    looks = [(BLUE, ""), (ORANGE, "//")]
    assert len(ax.containers) == 2
    texts = iter(ax.texts)
    for i, (drawn, (label, numbers), (colour, hatch)) in enumerate(
        zip(ax.containers, values.items(), looks)
    ):
        middles, heights = np.arange(3) + (-0.2, 0.2)[i], [*numbers.values()]
        same([bar.get_x() + bar.get_width() / 2 for bar in drawn], middles)
        same([bar.get_height() for bar in drawn], heights)
        same([(bar.get_y(), bar.get_width()) for bar in drawn], [(0, 0.36)] * 3)
        for bar in drawn:
            looks_of_it = (
                to_hex(bar.get_facecolor()),
                bar.get_hatch() or "",
                to_hex(bar.get_edgecolor()),
            )
            assert looks_of_it == (colour, hatch, "#ffffff")
        for middle, height, words in zip(middles, heights, written[i]):
            text = next(texts)
            assert text.get_text() == words
            same(text.xy, (middle, height))
        text = next(texts)
        assert (text.get_text(), to_hex(text.get_color()), text.xycoords) == (
            label,
            colour,
            "axes fraction",
        )
        same(text.xy, (0.02, (0.94, 0.87)[i]))
    assert not [*texts]
    assert ticks(ax.xaxis) == ([0, 1, 2], ["W1", "b1", "W2"])
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("rates", "", "rate")
    assert ax.margins()[1] == 0.3


def check_image(ax, wanted):
    (image,) = (child for child in ax.get_children() if isinstance(child, AxesImage))
    same(image.get_array(), wanted)
    assert image.get_clim() == (0, 1) and image.get_cmap().name == "gray"
    assert (
        image.get_interpolation() == "nearest" and not ax.get_frame_on() and not [*ax.get_xticks()]
    )
    assert not any(line.get_visible() for line in [*ax.get_xgridlines(), *ax.get_ygridlines()])
    rows, columns = np.shape(wanted)
    assert tuple(image.get_extent()) == (
        -0.5,
        columns - 0.5,
        rows - 0.5,
        -0.5,
    )  # the first row on top


def side_by_side(rows):
    """Return images (n, m, h, w) dark on light, each at its place, two light pixels apart."""
    n, m, h, w = rows.shape
    picture = np.ones((n * (h + 2), m * (w + 2)))
    for i, j, y, x in np.ndindex(rows.shape):
        picture[i * (h + 2) + 1 + y, j * (w + 2) + 1 + x] = 1 - rows[i, j, y, x]
    return picture


def test_tile_puts_every_image_in_its_place():
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    same(figures.tile(images), side_by_side(images))


def test_show_image_draws_an_image_without_axes():
    image = np.random.default_rng(0).random((3, 4))
    _, ax = style.new_figure()
    figures.show_image(ax, image)
    check_image(ax, image)
    assert not [*ax.get_yticks()]


def test_alphabets_draws_letters_left_and_drawings_right_in_one_row_per_alphabet():
    rng = np.random.default_rng(0)
    rows = {
        name: (rng.random((4, 3, 3)), rng.random((2, 3, 3)))
        for name in ("Latin", "Greek", "Cyrillic")
    }
    left, right = figures.plot_alphabets(rows).axes
    check_image(left, side_by_side(np.array([letters for letters, _ in rows.values()])))
    check_image(right, side_by_side(np.array([drawings for _, drawings in rows.values()])))
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == (
        "letters",
        "drawings of one of them",
    )
    assert ticks(left.yaxis) == ([2.5, 7.5, 12.5], [*rows]) and not [*right.get_yticks()]
    assert left.get_gridspec().get_width_ratios() == [4, 2]
    assert {tick.tick1line.get_markersize() for tick in left.yaxis.get_major_ticks()} == {0}


@pytest.mark.parametrize("most, shown", [(2, 2), (5, 3)])
def test_episode_draws_each_letters_support_and_query_with_the_predicted_labels(most, shown):
    rng = np.random.default_rng(0)
    support, query = rng.random((2, 3, 4, 4)), rng.random((2, 3, 4, 4))
    before, after = np.array([[0, 2, 1], [2, 0, 0]]), np.array([[0, 0, 2], [1, 1, 2]])
    figure = figures.plot_episode(support, query, before, after, most)
    titles = [["1 > 1", "3 > 2 wrong"], ["3 > 1 wrong", "1 > 2"], ["2 > 3", "1 > 3"]]
    colours = [[BLUE, ORANGE], [ORANGE, BLUE], [BLUE, BLUE]]
    rows = np.array(figure.axes).reshape(shown, 3)
    for way, (first, *others) in enumerate(rows):
        check_image(first, 1 - support[0, way])
        above = "" if way else "support"
        assert (first.get_ylabel(), first.get_title()) == (str(way + 1), above)
        assert first.yaxis.label.get_rotation() == 0
        for n, ax in enumerate(others):
            check_image(ax, 1 - query[n, way])
            assert (ax.get_title(), ax.get_ylabel()) == (titles[way][n], "")
            assert to_hex(ax.title.get_color()) == colours[way][n]
    (below,) = figure.texts
    assert below.get_text() == "query drawings: the number given before > after adaptation"


def test_episode_shows_five_letters_by_default():
    images, answers = np.zeros((1, 6, 2, 2)), np.zeros((1, 6), int)
    assert len(figures.plot_episode(images, images, answers, answers).axes) == 5 * 2


# Labels


def labelled(gap=None, ends=((4.0, "high", BLUE), (-3.0, "low", GREEN), (2.0, "middle", PINK))):
    _, ax = style.new_figure()
    ax.set(xlim=(0, 2), ylim=(-5, 5))
    style.label_ends(ax, [*ends], **({} if gap is None else {"gap": gap}))
    return read_labels(ax)


def test_labels_far_apart_are_at_the_ends_of_their_curves():
    check_labels(labelled(), {"high": (4.0, BLUE), "low": (-3.0, GREEN), "middle": (2.0, PINK)})


def test_labels_too_close_are_moved_apart_equally_and_keep_their_order():
    close = ((1.1, "above", BLUE), (1.0, "below", ORANGE), (-4.0, "far", PINK))
    for gap in (None, 0.2):
        apart = 10 * (gap or 0.075) / 2
        wanted = {
            "above": (1.05 + apart, BLUE),
            "below": (1.05 - apart, ORANGE),
            "far": (-4.0, PINK),
        }
        check_labels(labelled(gap, close), wanted)


def test_labels_of_curves_that_leave_the_axes_stay_at_their_edge():
    check_labels(
        labelled(ends=((7.0, "up", BLUE), (-90.0, "down", PINK))),
        {"up": (5, BLUE), "down": (-5, PINK)},
    )
    both = labelled(ends=((-7.0, "down", BLUE), (-8.0, "further", PINK)))
    check_labels(both, {"further": (-5, PINK), "down": (-4.25, BLUE)})
    both = labelled(ends=((7.0, "up", BLUE), (8.0, "further", PINK)))
    check_labels(both, {"further": (5, PINK), "up": (4.25, BLUE)})


def test_label_end_is_to_the_right_of_the_axes():
    _, ax = style.new_figure()
    label = style.label_end(ax, 0.3, "here", ORANGE)
    assert (label.get_text(), label.xy, label.xyann) == ("here", (1.0, 0.3), (5, 0))
    assert (label.xycoords, label.anncoords, label.get_va()) == (
        "axes fraction",
        "offset points",
        "center",
    )
    assert to_hex(label.get_color()) == ORANGE and label.get_annotation_clip() is False


def test_move_labels_sets_the_text_and_height_of_each_label():
    _, ax = style.new_figure()
    ax.set_ylim(-2, 8)
    labels = [style.label_end(ax, 0.0, "", colour) for colour in (BLUE, PINK, GREEN)]
    widgets.move_labels(ax, labels, [6.0, -1.0, 3.0], ["a", "b", "c"])
    check_labels(read_labels(ax), {"a": (6.0, BLUE), "b": (-1.0, PINK), "c": (3.0, GREEN)})
    widgets.move_labels(ax, labels, [3.0, 3.1, 20.0], ["d", "e", "f"])
    check_labels(read_labels(ax), {"d": (2.8, BLUE), "e": (3.3, PINK), "f": (8.0, GREEN)})
    widgets.move_labels(ax, labels, [3.0, 3.1, 20.0], ["d", "e", "f"], gap=0.2)
    check_labels(read_labels(ax), {"d": (2.05, BLUE), "e": (4.05, PINK), "f": (8.0, GREEN)})


def test_labels_of_small_panels_are_further_apart():
    values = {"MAML": np.full((2, 3), 0.5), "random": np.full((2, 3), 0.51)}
    ax = figures.plot_band_panels([1, 2, 3], {"panel": values}, "", "").axes[0]
    middle, half = 0.505, 0.095 / 2
    check_labels(read_labels(ax), {"MAML": (middle - half, BLUE), "random": (middle + half, BLACK)})
    x = np.array([[[0.0], [1.0]]])
    task, out = TaskBatch(x, x, x, 0 * x + 5), np.ones((2, 1))
    ax = figures.plot_gallery({"panel": (task, -out, -1.1 * out)}).axes[0]
    middle, half = -1.05, 0.12 * 22 / 2
    labels = {"after": (middle - half, BLUE), "before": (middle + half, PINK), "true": (5, GREY)}
    check_labels(read_labels(ax), labels)


# Interactive figures


def test_a_slider_has_its_range_its_format_and_its_steps():
    _, ax = style.new_figure()
    made = widgets.make_slider(ax, "rate", 0.1, 4.0, 1.5, "%.2f", 0.5)
    assert (made.valmin, made.valmax, made.val, made.valstep) == (
        0.1,
        4.0,
        1.6,
        0.5,
    )  # steps from 0.1
    assert (made.label.get_text(), made.valtext.get_text(), made.ax) == ("rate", "1.60", ax)
    assert made.vline.get_color() == "none"  # no mark at the initial value
    assert not made.drawon and to_hex(made.poly.get_facecolor()) == BLUE
    made.set_val(3.2)
    assert (
        made.valtext.get_text() == "3.20"
        and widgets.make_slider(ax, "", 0, 1, 0, "%d").valstep is None
    )


def changing_figure():
    """Return a figure with two lines, and that line which the test changes."""
    figure, ax = style.new_figure(2, 2)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.plot([0, 1], [0.9, 0.2], color=BLUE)
    (line,) = ax.plot([0.2, 0.5, 0.8], [0.1, 0.6, 0.2], color=ORANGE)
    return figure, line


def pixels(figure):
    return np.asarray(figure.canvas.buffer_rgba()).copy()


def test_redrawing_the_artists_that_change_equals_a_full_redraw():
    figure, line = changing_figure()
    canvas = FigureCanvasAgg(figure)
    changing = widgets.Blitter(figure, [line])
    canvas.draw()
    before = pixels(figure)
    line.set_ydata([0.8, 0.3, 0.7])
    assert np.array_equal(pixels(figure), before)
    changing.redraw()
    after = pixels(figure)
    assert not np.array_equal(after, before)
    canvas.draw()
    assert np.array_equal(after, pixels(figure))
    plain, plain_line = changing_figure()  # the same without a Blitter
    plain_line.set_ydata([0.8, 0.3, 0.7])
    FigureCanvasAgg(plain).draw()
    assert np.array_equal(after, pixels(plain))


def test_only_the_area_between_bottom_and_top_is_redrawn(monkeypatch):
    figure, line = changing_figure()
    canvas = FigureCanvasAgg(figure)
    changing = widgets.Blitter(figure, [line], bottom=0.25, top=0.75)
    same(
        changing.area.get_points(),
        [[0, 0.25 * figure.bbox.height], [figure.bbox.width, 0.75 * figure.bbox.height]],
    )
    canvas.draw()
    line.set_visible(False)
    shown = []
    monkeypatch.setattr(canvas, "blit", shown.append)  # there is no screen to draw to
    changing.redraw()  # removes the line within the area and leaves it outside
    assert shown == [changing.area]
    height = len(pixels(figure))
    gone = (pixels(figure)[..., :3] == [213, 94, 0]).all(axis=-1).any(axis=1)
    assert (
        not gone[height // 4 + 1 : 3 * height // 4 - 1].any() and gone[3 * height // 4 + 1 :].any()
    )


def test_without_a_stored_picture_a_full_redraw_is_requested(monkeypatch):
    figure, line = changing_figure()
    canvas, asked = FigureCanvasAgg(figure), []
    monkeypatch.setattr(canvas, "draw_idle", lambda: asked.append(True))
    widgets.Blitter(figure, [line]).redraw()
    assert asked == [True]


# Files


def test_an_animation_has_one_picture_per_frame_in_order(tmp_path):
    figure, line = changing_figure()
    seen, size = [], []

    def draw(frame):
        seen.append(frame)
        size.append(tuple(figure.axes[0].get_position().bounds))
        line.set_ydata([frame / 10, 0.5, 0.2])

    assert style.save_animation(figure, draw, [3, 1, 7], tmp_path / "it.gif") == tmp_path / "it.gif"
    data = (tmp_path / "it.gif").read_bytes()
    figure.set_layout_engine("constrained")
    figure.draw_without_rendering()
    same(
        size[0], figure.axes[0].get_position().bounds
    )  # the layout is computed before the first picture
    assert seen == [3, 1, 7] and data.startswith(b"GIF89a") and len(set(size)) == 1
    controls = [data[i + 4 : i + 6] for i in range(len(data)) if data[i : i + 3] == b"!\xf9\x04"]
    assert [int.from_bytes(delay, "little") for delay in controls] == [
        12
    ] * 3  # hundredths of a second
    assert int.from_bytes(data[6:8], "little") == 150  # 2 inches of 75 dots


def test_new_figure_has_the_axes_and_size_requested():
    figure, axes = style.new_figure(5, 4, columns=3, rows=2, sharey=True)
    assert axes.shape == (2, 3) and [*figure.get_size_inches()] == [5, 4]
    assert axes[0, 0].get_shared_y_axes().joined(axes[0, 0], axes[1, 2])
    assert not axes[0, 0].get_shared_x_axes().joined(axes[0, 0], axes[1, 2])
    figure, ax = style.new_figure()
    assert [*figure.get_size_inches()] == [6.4, 3.6] and figure.axes == [ax]
    assert not ax.spines["top"].get_visible() and ax.title.get_fontsize() == 10


# The size of a figure, in inches: panels keep theirs however many there are


def sized():
    """Return {name: (figure, width, height)} of figures with several panels."""
    model, theta = network()
    tasks = {f"task {n}": one_task(n) for n in range(4)}
    one, ten = np.ones((50, 1)), np.linspace(1.0, 10.0, 10)
    gallery = {title: (task, *2 * [one[: task.x_query.shape[1]]]) for title, task in tasks.items()}
    panels = {title: {"MAML": np.ones((2, 10))} for title in "abc"}
    letters = np.zeros((3, 4, 20, 20))
    alphabets = {f"alphabet {n}": (letters[n], letters[n]) for n in range(3)}
    labels = np.zeros((2, 3), int)
    episode = figures.plot_episode(np.zeros((1, 3, 9, 9)), np.zeros((2, 3, 9, 9)), labels, labels)
    sides = {title: (ten, ten) for title in "ab"}
    slopes = {title: {"MAML": ten} for title in "ab"}
    return {
        "two tasks": (
            figures.plot_adaptation(model, theta, dict([*tasks.items()][:2]), 0.1),
            8.8,
            3.4,
        ),
        "four of a gallery": (figures.plot_gallery(gallery), 10.8, 5.0),
        "three bands": (figures.plot_band_panels(ten, panels, "x", "y"), 8.0, 5.8),
        "two sides": (figures.plot_either_side(sides, 2, "x", "y"), 8.4, 3.4),
        "three alphabets": (figures.plot_alphabets(alphabets), 8.4, 1.48),
        "an episode": (episode, 4.05, 3.55),
        "remainders": (figures.plot_remainders(ten, slopes, "y"), 9.6, 3.6),
        "a curve": (figures.plot_convergence(ten, ten, "title", "x"), 6.4, 3.6),
    }


def test_figures_grow_with_the_number_of_their_panels():
    for name, (figure, width, height) in sized().items():
        assert figure.get_size_inches().tolist() == pytest.approx([width, height]), name
        assert all(ax.get_subplotspec() is not None for ax in figure.axes)


def test_sides_share_both_axes_and_bands_too():
    for name in ("two sides", "three bands"):
        first, *others = sized()[name][0].axes
        for ax in others:
            assert first.get_shared_x_axes().joined(first, ax)
            assert first.get_shared_y_axes().joined(first, ax)
