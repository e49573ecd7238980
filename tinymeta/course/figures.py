"""The figures of the lessons, in the style of tinymeta.course.style."""

import numpy as np

from .. import _validate
from ..extras.statistics import summarize
from ..meta import adapt
from ..tasks import TaskBatch
from .style import (
    BLACK,
    BLUE,
    CYCLE,
    DASH_DOTS,
    GREEN,
    GREY,
    METHODS,
    ORANGE,
    PINK,
    label_ends,
    level,
    limits,
    new_figure,
    new_panels,
    pick_looks,
    plot_line,
    plot_seeds,
    plot_truth,
    save_animation,
    styled,
)

# Tasks


def sort_by_x(x, *ys):
    """Return x (n,) and each y (n,) from the lowest x to the highest, as a line needs them."""
    order = np.argsort(x, kind="stable")
    return tuple(array[order] for array in (x, *ys))


@styled
def plot_few_tasks(batch):
    """Draw each task of a small batch: its query points, which are dense and without noise, as a
    line, and its support points as dots."""
    figure, ax = new_figure()
    labels = []
    for i, (points, values, x, y) in enumerate(zip(*(array[..., 0] for array in batch)), start=1):
        labels.append(plot_line(ax, *sort_by_x(x, y), f"task {i}"))
        ax.plot(points, values, "o", color=labels[-1][2], markersize=4.5)
    ax.margins(x=0)
    title = f"{i} task{'s' * (i > 1)}, {len(points)} points of each"
    ax.set(xlabel="x", ylabel="y", title=title)
    label_ends(ax, labels)
    return figure


@styled
def plot_many_tasks(x, y, title):
    """Draw tasks y (T, n) over x (n,), all in one panel."""
    figure, ax = new_figure()
    thin = {"linestyle": "-", "linewidth": 0.5, "alpha": 0.12}
    # antialiasing doubles the file size
    ax.plot(x, y.T, color=BLUE, antialiased=False, rasterized=True, **thin)
    ax.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="y", title=title)
    return figure


@styled
def plot_fits(support, query, truth, guesses, title, truth_label="true function"):
    """Draw one task: its support set (dots) and query set (rings), each a pair (x, y), and on the
    grid of truth, also a pair (x, y), the true function and each {label: guess}."""
    figure, ax = new_figure()
    x, y = (array.ravel() for array in truth)
    labels = [plot_truth(ax, x, y, truth_label)]
    labels += [plot_line(ax, x, guess[:, 0], label) for label, guess in guesses.items()]
    ax.plot(*query, "o", color=PINK, markerfacecolor="white", markersize=6, zorder=3)
    ax.plot(*support, "o", color=BLACK, markersize=5, zorder=4)
    ends = y.min() - abs(y.min()), y.max() + abs(y.max())
    ax.set(xlim=(x[0], x[-1]), ylim=ends, xlabel="x", ylabel="y", title=title)
    label_ends(ax, labels)
    return figure


# Adaptation

STAGES = [(PINK, ":"), (ORANGE, "--"), (BLUE, "-"), (GREEN, "-.")]  # one per number of steps


@styled
def plot_adaptation(model, theta, examples, inner_lr, steps=(0, 1, 10), truth=None):
    """Draw a panel for each of several tasks: its points, and the outputs of a network after some
    numbers of steps of gradient descent on the support points.

    The y axis leaves out what is far from all points, such as the outputs after a rate that is too
    high.

    Parameters
    ----------
    model : MLP
        With one input and one output.
    theta : array (P,)
    examples : dict of {str: TaskBatch}
        By title, one task each, (1, K, 1). The support points are drawn as dots.
    inner_lr : float
    steps : sequence of int
        Up to four.
    truth : str or None
        What the query points are samples of, such as "true sine": dense ones without noise, in any
        order. They are joined to a broad grey line with this label, and the outputs are drawn at
        them. None: they are rings, as many as there are, or none; and the outputs are drawn at 200
        places from just below the lowest x of all points to just above the highest.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no example, one is not one task with one input and one output, or has no query
        points for the truth; there is more than one theta, or more than four steps; or an argument
        is wrong as in `adapt`.

    Examples
    --------
    >>> from tinymeta import MLP, TaskBatch
    >>> x, y = np.array([[[0.3], [-1.2], [2.0]]]), np.array([[[0.8], [-0.9], [1.7]]])  # measured
    >>> task, model = TaskBatch(x, y, x[:, :0], y[:, :0]), MLP([1, 20, 1])
    >>> theta = model.init(np.random.default_rng(0))
    >>> figure = plot_adaptation(model, theta, {"three points": task}, 0.1)
    >>> sorted(text.get_text() for text in figure.axes[0].texts)
    ['1 step', '10 steps', 'before']
    """
    check_examples(examples, truth)
    if np.ndim(theta) != 1:
        raise ValueError(f"theta: expected one network, (P,); got shape {np.shape(theta)}")
    if len(steps) > len(STAGES):
        raise ValueError(f"steps: expected at most {len(STAGES)} of them; got {len(steps)}")
    figure, axes = new_panels(len(examples))
    drawn = []
    for ax, (title, task) in zip(axes, examples.items()):
        x_support, y_support, x_query, y_query = (np.ravel(array) for array in task)
        if truth:
            x, y = sort_by_x(x_query, y_query)
            labels = [plot_truth(ax, x, y, truth)]
        else:
            both = np.concatenate((x_support, x_query))
            room = 0.05 * np.ptp(both) or 0.5
            x, labels = np.linspace(both.min() - room, both.max() + room, 200), []
            if len(x_query):
                ax.plot(x_query, y_query, "o", color=GREY, markerfacecolor="white", markersize=4.5)
                labels.append((y_query[np.argmax(x_query)], "query points", GREY))
        ax.plot(x_support, y_support, "o", color=BLACK, markersize=4.5, zorder=3)
        for n, (color, linestyle) in zip(steps, STAGES):
            with np.errstate(all="ignore"):  # a rate that is too high
                adapted = adapt(model, theta, task.x_support, task.y_support, inner_lr, n)
                y = model.forward(adapted, x[:, None]).z[-1].ravel()
            label = "before" if n == 0 else f"{n} step{'s' * (n > 1)}"
            label += ": diverged" * (not np.isfinite(y).all())
            labels.append(plot_line(ax, x, y, label, color=color, linestyle=linestyle))
        ax.margins(x=0)
        ax.set(xlabel="x", title=title)
        drawn.append((ax, labels))
    axes[0].set_ylabel("y")
    y = np.concatenate([np.ravel(y) for task in examples.values() for y in task[1::2]])
    room = np.ptp(y) + abs(y).max() or 1.0
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(max(low, y.min() - room), min(high, y.max() + room))
    label_panels(drawn)
    return figure


def check_examples(examples, truth):
    """Check that each of {title: task} is one task with one input and one output, and has query
    points if they are the truth."""
    if not examples:
        raise ValueError("examples: expected at least one {title: task}; got none")
    for title, task in examples.items():
        for name in TaskBatch._fields:
            shape = np.shape(getattr(task, name, None))
            if len(shape) != 3 or shape[0] != 1 or shape[2] != 1:
                raise ValueError(
                    "examples: expected one task with one input and one output, arrays (1, K, 1); "
                    f"got {name} {shape} in {title!r}"
                )
        if truth and not np.size(task.x_query):
            raise ValueError(
                f"truth: expected None where there are no query points; got {truth!r} for {title!r}"
            )


def label_panels(drawn):
    """Label the ends of the curves of several panels (ax, labels); call it when all are drawn,
    because the panels share their scale."""
    for ax, labels in drawn:
        label_ends(ax, labels)


@styled
def plot_gallery(panels, columns=3):
    """Draw a panel for each {title: (task, before, after)}: a task, a TaskBatch with T = 1 whose
    query points are dense and without noise, and the outputs (n, 1) of a network on these before
    and after adaptation."""
    rows = -(-len(panels) // columns)
    size = 1.5 + 3.1 * columns, 2.5 * rows
    figure, axes = new_figure(*size, columns, rows, squeeze=False)
    for ax, (title, (task, *outputs)) in zip(axes.ravel(), panels.items()):
        x, y, before, after = sort_by_x(
            *(array.ravel() for array in (task.x_query, task.y_query, *outputs))
        )
        top = 2.2 * abs(y).max()
        labels = [
            plot_truth(ax, x, y, "true"),
            plot_line(ax, x, before, "before", color=PINK, linestyle=":"),
            plot_line(ax, x, after, "after", color=BLUE, linestyle="-"),
        ]
        support = task.x_support.ravel(), task.y_support.ravel()
        ax.plot(*support, "o", color=BLACK, markersize=3.5, zorder=3)
        ax.margins(x=0)
        ax.set(ylim=(-top, top), title=title)
        label_ends(ax, labels, gap=0.12)
    return figure


@styled
def plot_beside_one_task(x, panels):
    """Draw a panel for each {title: (task, {label: curves})} over x (n,): one task (n,), to show
    the scale, and curves (n,) or (S, n)."""
    figure, axes = new_panels(len(panels))
    drawn = []
    for ax, (title, (task, curves)) in zip(axes, panels.items()):
        labels = [plot_truth(ax, x, task, "one task")]
        for (label, curve), look in zip(curves.items(), CYCLE):
            curve = np.atleast_2d(curve)
            ax.plot(x, curve.T, **look, linewidth=1.8 if len(curve) == 1 else 1.2)
            labels.append((curve[:, -1].mean(), label, look["color"]))
        ax.set(xlim=(x[0], x[-1]), xlabel="x", title=title)
        drawn.append((ax, labels))
    axes[0].set_ylabel("y")
    label_panels(drawn)
    return figure


# Curves over steps, with bands over the seeds


@styled
def plot_learning_curves(
    curves,
    title,
    top=None,
    shots=None,
    printed=None,
    ylabel="mean squared error on new points",
    line=None,
):
    """Draw {method: curve (S, steps + 1, T)}: the mean over tasks and seeds, in a band from the
    lowest to the highest seed. A curve ends where a task has diverged.

    Parameters
    ----------
    curves : dict of {str: array (S, steps + 1, T), or its Summary}
    title : str
    top : float or None
        The upper end of the y axis, which starts at 0; None: both ends are those of the numbers.
    shots : int or None
        The number of support points, for the label of the x axis.
    printed : dict of {method: {step: loss}} or None
        Published values, drawn as open circles.
    ylabel : str
        What the curves hold; the default is that of the criterion mse.
    line : (label, level) or None
        A reference level, for a method without adaptation steps.
    """
    figure, ax = new_figure()
    labels, heights = [], []
    for method, look in pick_looks(curves, METHODS.values()).items():
        summary, rings = summarize(curves[method]), (printed or {}).get(method, {})
        heights += [summary.mean, list(rings.values())]
        steps = np.arange(len(summary.mean))
        labels.append(plot_seeds(ax, steps, summary.seeds, method, **look))
        for n, loss in rings.items():
            ring = {"markerfacecolor": "white", "markersize": 7, "zorder": 3, "clip_on": False}
            ax.plot(n, loss, "o", color=look["color"], **ring)
    if line:
        heights.append([line[1]])
        labels.append(level(ax, line[1], line[0]))
    points = "support points" if shots is None else f"{shots} points"
    ax.set(xlabel=f"steps of gradient descent on the task's {points}", ylabel=ylabel, title=title)
    ax.set(xlim=(0, last_step(curves)), ylim=limits(*heights) if top is None else (0, top))
    label_ends(ax, labels)
    return figure


def last_step(curves):
    """Return the last step of the longest of the curves, or Summaries, and at least 1."""
    return max(1, *(len(summarize(curve).mean) - 1 for curve in curves.values()))


@styled
def plot_mean_and_median(curves, zero, ylabel="squared error on new points"):
    """Draw {method: curve (S, steps + 1, T), or its Summary}: the mean over the tasks (left) and
    the median over them (right), each as a mean over seeds in a band from the lowest to the highest
    seed; and, as a level, the same of zero (T,), the loss of predicting 0 on each task. What is not
    finite counts as infinite; ylabel says what the curves hold."""
    curves = {method: summarize(curve) for method, curve in curves.items()}
    figure, axes = new_figure(8.8, 3.4, 2, sharey=True)
    drawn, counts = [], sorted({len(summary.seeds) for summary in curves.values()})
    for ax, statistic, field in zip(axes, (np.mean, np.median), ("seeds", "seed_medians")):
        labels = [level(ax, statistic(zero), "predict 0")]
        for method, look in pick_looks(curves, METHODS.values()).items():
            seeds = getattr(curves[method], field)
            labels.append(plot_seeds(ax, np.arange(seeds.shape[1]), seeds, method, **look))
        name = f"{statistic.__name__.capitalize()} over tasks"
        title = f"{name}; bands: all {' or '.join(map(str, counts))} seeds"
        ax.set(xlim=(0, last_step(curves)), xlabel="steps of gradient descent", title=title)
        drawn.append((ax, labels))
    axes[0].set_ylabel(ylabel)
    label_panels(drawn)
    return figure


@styled
def plot_history(histories, title, smooth=None, log=False):
    """Draw the meta-losses of one or several trainings, smoothed: the mean over seeds, in a band
    from the lowest to the highest seed, or a line where there is one seed.

    Each number is the mean of a window of meta-steps, drawn at the last of them. A line ends where
    a seed is not finite. What a meta-loss is depends on the algorithm: see what its meta-gradient
    returns.

    Parameters
    ----------
    histories : dict of {str: array (iterations,) or (iterations, S)}
        As `meta_train` returns them; the numbers of iterations may differ.
    title : str
    smooth : int or None
        The length of the window, in meta-steps, at most the shortest history; the y axis says it.
        None: a twentieth of the longest history, at most the same.
    log : bool
        Whether the y axis is logarithmic.

    Returns
    -------
    figure : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no history, one is empty, or smooth is not a whole number of at least 1.

    Examples
    --------
    >>> figure = plot_history({"MAML": [4.0, 2.0, 3.0, 1.0]}, "Four meta-steps", smooth=2)
    >>> figure.axes[0].lines[0].get_xydata().tolist()
    [[2.0, 3.0], [3.0, 2.5], [4.0, 2.0]]
    """
    histories = {label: np.array(history, float) for label, history in histories.items()}
    if not histories:
        raise ValueError("histories: expected at least one {label: history}; got none")
    for label, history in histories.items():
        if history.ndim == 0 or history.size == 0:
            raise ValueError(
                "histories: expected (iterations,) or (iterations, S), at least one of each; got "
                f"shape {history.shape} for {label!r}"
            )
    lengths = [len(history) for history in histories.values()]
    wanted = max(lengths) // 20 or 1 if smooth is None else _validate.check_count("smooth", smooth)
    window = min(wanted, *lengths)
    every = max(1, window // 20)  # neighbours are as good as equal, and many make a large file
    figure, ax = new_figure()
    labels, means = [], []
    for label, look in pick_looks(histories, CYCLE).items():
        seeds = histories[label].reshape(len(histories[label]), -1).T
        places = np.arange(seeds.shape[1], window - 1, -every)[::-1]  # the last one is drawn
        windows = np.lib.stride_tricks.sliding_window_view(seeds, window, axis=1)
        seeds = windows[:, places - window].mean(axis=-1)
        dot = "o" if len(places) == 1 else None  # which as a line would be nothing
        look = {**look, "marker": dot, "clip_on": not dot}
        labels.append(plot_seeds(ax, places, seeds, label, **look))
        means.append(seeds)
    of = f", mean of {window} meta-steps" if window > 1 else ""
    ax.set(xlim=(0, max(lengths)), xlabel="meta-steps", ylabel=f"meta-loss{of}", title=title)
    if log and np.isfinite(ax.dataLim.minposy):  # something positive is drawn
        ax.set_yscale("log")
    else:
        ax.set_ylim(limits(*means))
    label_ends(ax, labels)
    return figure


@styled
def plot_along_training(values, title, ylabel, xlabel="meta-steps"):
    """Draw {label: {meta-step: one value per seed}}: the mean over seeds, in a band from the lowest
    to the highest seed."""
    figure, ax = new_figure()
    labels = []
    for label, by_step in values.items():
        steps, seeds = list(by_step), np.array(list(by_step.values())).T
        labels.append(plot_seeds(ax, steps, seeds, label, marker="o", markersize=3.5))
    ax.set_xscale("symlog", linthresh=100)
    ax.set(xlim=(0, max(steps)), xlabel=xlabel, ylabel=ylabel, title=title)
    label_ends(ax, labels)
    return figure


@styled
def plot_bands(x, values, title, xlabel, ylabel, top=None):
    """Draw {method: values (S, n)} over x (n,): the mean over seeds, in a band from the lowest to
    the highest seed; the y axis is from 0 to `top`, or has the ends of the numbers."""
    figure, ax = new_figure()
    labels = [
        plot_seeds(ax, x, values[method], method, **look, marker="o", markersize=3.5)
        for method, look in pick_looks(values, METHODS.values()).items()
    ]
    ends = limits(*values.values()) if top is None else (0, top)
    ax.set(xlim=(x[0], x[-1]), ylim=ends, xlabel=xlabel, ylabel=ylabel, title=title)
    label_ends(ax, labels)
    return figure


@styled
def plot_band_panels(x, panels, xlabel, ylabel, columns=2):
    """Draw a panel for each {title: {method: accuracies (S, n)}} over x (n,), on a log axis: the
    means over seeds, in bands from the lowest to the highest seed."""
    rows = -(-len(panels) // columns)
    size = 1.4 + 3.3 * columns, 0.6 + 2.6 * rows
    figure, axes = new_figure(*size, columns, rows, sharex=True, sharey=True, squeeze=False)
    dots, ticks = {"marker": "o", "markersize": 3}, x[:: 1 if len(x) < 8 else 3]
    for ax, (title, values) in zip(axes.ravel(), panels.items()):
        looks = pick_looks(values, METHODS.values()).items()
        labels = [plot_seeds(ax, x, values[name], name, **look, **dots) for name, look in looks]
        ax.set_xscale("symlog", linthresh=1)
        ax.set(xlim=(min(x), max(x)), ylim=(0, 1))
        ax.set_xticks(ticks, ticks)
        ax.set_title(title)
        label_ends(ax, labels, gap=0.095)
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    return figure


# Errors and derivatives


@styled
def plot_gradient_check(h, differences, levels, title):
    """Draw the errors of central differences over their step h on log axes, and each {label: error}
    of `levels` as a level line."""
    figure, ax = new_figure()
    ax.loglog(h, differences, "o-", color=BLUE, markersize=3.5)
    labels = [(differences[np.argmax(h)], "central differences", BLUE)]
    looks = [(GREEN, "-."), (ORANGE, "--"), (PINK, DASH_DOTS), (BLACK, ":")]
    for (label, error), (color, linestyle) in zip(levels.items(), looks):
        ax.axhline(error, color=color, linestyle=linestyle)
        labels.append((error, label, color))
    xlabel = "h, the step of the differences"
    ax.set(xlim=(min(h), max(h)), xlabel=xlabel, ylabel="relative error", title=title)
    label_ends(ax, labels)
    return figure


@styled
def plot_remainders(alphas, panels, ylabel):
    """Draw a panel for each {title: {method: remainder at each alpha}} on log axes, with a line of
    the slope of alpha squared in grey."""
    figure, axes = new_figure(9.6, 3.6, len(panels), sharey=True)
    drawn, largest = [], np.argmax(alphas)
    for ax, (title, values) in zip(axes, panels.items()):
        labels = []
        for method, remainder in values.items():
            ax.loglog(alphas, remainder, marker="o", markersize=3.5, **METHODS[method])
            labels.append((remainder[largest], method, METHODS[method]["color"]))
        square = min(r[largest] for r in values.values()) / 5 * (alphas / max(alphas)) ** 2
        ax.loglog(alphas, square, color="#999999", linestyle="-", linewidth=1.0)
        labels.append((max(square), "alpha squared", GREY))
        ax.set(xlim=(min(alphas), max(alphas)), xlabel="alpha, the rate of the inner steps")
        ax.tick_params(axis="x", which="minor", labelbottom=False)
        ax.set_title(title)
        drawn.append((ax, labels))
    axes[0].set_ylabel(ylabel)
    label_panels(drawn)
    return figure


@styled
def plot_either_side(panels, threshold, xlabel, ylabel):
    """Draw a panel for each {title: (x (n,), y (n,))}: one dot per pair, of one kind for x up to
    the threshold and of another above it; y is on a log axis with a line at 1."""
    size = 1.2 + 3.6 * len(panels), 3.4
    figure, (axes,) = new_figure(*size, len(panels), sharex=True, sharey=True, squeeze=False)
    for ax, (title, (x, y)) in zip(axes, panels.items()):
        for side, color, marker in ((x <= threshold, BLUE, "o"), (x > threshold, ORANGE, "^")):
            dots = {"markersize": 3.5, "alpha": 0.5, "markeredgewidth": 0}
            ax.plot(x[side], y[side], marker, color=color, **dots)
        ax.axvline(threshold, color=GREY, linestyle="-", linewidth=1.0)
        level(ax, 1.0, "")
        ax.set(yscale="log", xlabel=xlabel, title=title)
    axes[0].set_ylabel(ylabel)
    return figure


@styled
def plot_differences(x, values, title, xlabel, ylabel):
    """Draw {label: (means (n,), half-widths of their intervals (n,))} over x (n,), on a log x axis,
    and a line at 0."""
    figure, ax = new_figure()
    level(ax, 0, "")
    labels = []
    for i, ((label, (mean, half)), look) in enumerate(zip(values.items(), CYCLE)):
        shifted = np.array(x) * 1.04**i  # so that the intervals are side by side
        ax.errorbar(shifted, mean, half, **look, marker="o", markersize=4, capsize=3)
        labels.append((mean[-1], label, look["color"]))
    ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel, xlim=(min(x) * 0.9, max(x) * 1.2))
    ax.set_xticks(x, x)
    ax.minorticks_off()
    ax.set_title(title)
    label_ends(ax, labels)
    return figure


@styled
def plot_bars(values, title, ylabel):
    """Draw {label: {part: number}}: one group of bars per part, one colour and hatch per label, and
    on each bar its number."""
    figure, ax = new_figure()
    width = 0.8 / len(values)
    looks = [(BLUE, ""), (ORANGE, "//"), (GREEN, "..")]
    for i, ((label, by_part), (color, hatch)) in enumerate(zip(values.items(), looks)):
        centres = np.arange(len(by_part)) + (i - (len(values) - 1) / 2) * width
        look = {"color": color, "hatch": hatch, "edgecolor": "white", "zorder": 2}
        bars = ax.bar(centres, list(by_part.values()), 0.9 * width, **look)
        ax.bar_label(bars, [f"{number:.2g}" for number in by_part.values()], fontsize=7)
        place = (0.02, 0.94 - 0.07 * i)
        ax.annotate(label, place, xycoords="axes fraction", color=color, weight="bold")
    ax.set(ylabel=ylabel)
    ax.set_xticks(range(len(by_part)), list(by_part))
    ax.margins(y=0.3)
    ax.set_title(title)
    return figure


# The plane of two weights


@styled
def plot_plane(curves, paths, title, limit=2.6):
    """Draw {label: solutions (n, 2)} as grey curves and {method: path (m, 2)} over them; return the
    figure, the line of each path as {method: line}, and its label as {method: label}."""
    figure, ax = new_figure(5.2, 4.6)
    for label, points in curves.items():
        _, _, color = plot_truth(ax, *points.T, label)
        side = "right" if points[-1, 0] > 0 else "left"
        ax.annotate(label, points[-1], (0, 6), textcoords="offset points", ha=side, color=color)
    lines, ends = {}, {}
    for method, path in paths.items():
        (lines[method],) = ax.plot(*path.T, **METHODS[method], linewidth=1.3)
        side = -1 if len(ends) % 2 == 0 else 1
        ends[method] = ax.annotate(
            method,
            path[-1],
            (side * 12, side * 18),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="center",
            color=METHODS[method]["color"],
        )
        ends[method].set_bbox({"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})
    ax.plot(*path[0], "s", color=BLACK, markersize=5, zorder=4)
    ax.annotate("start", path[0], (7, 0), textcoords="offset points", va="center")
    ax.set(
        xlim=(-limit, limit),
        ylim=(-limit, limit),
        aspect="equal",
        xlabel="w1",
        ylabel="w2",
        title=title,
    )
    return figure, lines, ends


@styled
def animate_plane(curves, paths, frames, path):
    """Save `plot_plane` as an animated GIF, one picture per number of steps in `frames`; return the
    path of the file."""
    title = "Two tasks, two curves of good weights"
    figure, lines, ends = plot_plane(curves, paths, title)

    def draw(n):
        for method, points in paths.items():
            lines[method].set_data(*points[: n + 1].T)
            ends[method].xy = points[n]
        figure.axes[0].set_title(f"{title}: step {n}", loc="left")

    return save_animation(figure, draw, [*frames, *frames[-1:] * 8], path)


# Letters


def tile(images):
    """Return images (n, m, h, w) joined into one picture, dark on light, with gaps between them."""
    n, m, h, w = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return 1 - padded.swapaxes(1, 2).reshape(n * (h + 2), m * (w + 2))


def show_image(ax, image):
    """Draw a grey picture, without axes."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[], frame_on=False)
    ax.grid(False)


@styled
def plot_alphabets(rows):
    """Draw one row per alphabet, {label: (letters (n, h, w), drawings (m, h, w) of one letter)}."""
    clean, drawings = (np.stack(images) for images in zip(*rows.values()))
    ratios = [clean.shape[1], drawings.shape[1]]
    figure, axes = new_figure(8.4, 0.36 * len(rows) + 0.4, 2, width_ratios=ratios)
    for ax, images, title in zip(axes, (clean, drawings), ("letters", "drawings of one of them")):
        show_image(ax, tile(images))
        ax.set_title(title)
    axes[0].set_yticks((np.arange(len(rows)) + 0.5) * (clean.shape[2] + 2), list(rows))
    axes[0].tick_params(length=0)
    return figure


@styled
def plot_episode(support, query, before, after, most=5):
    """Draw one task, one row per letter, of at most `most` letters: a support drawing, and the
    query drawings with the predicted label before and after adaptation.

    Parameters
    ----------
    support : array (shots, ways, h, w)
    query : array (n, ways, h, w)
    before, after : int array (n, ways)
        The predicted labels of the query drawings, from 0.
    most : int
    """
    ways = min(most, support.shape[1])
    size = 1.15 * (1 + len(query)) + 0.6, 1.05 * ways + 0.4
    figure, axes = new_figure(*size, 1 + len(query), ways, squeeze=False)
    small = {"loc": "center", "fontsize": 9 * axes[0, 0].title.get_fontsize() / 12}
    for way, (first, *others) in enumerate(axes):
        show_image(first, 1 - support[0, way])
        first.set_ylabel(way + 1, rotation="horizontal", ha="right", va="center", weight="bold")
        for ax, image, label, adapted in zip(others, query[:, way], before[:, way], after[:, way]):
            show_image(ax, 1 - image)
            right = adapted == way
            text = f"{label + 1} > {adapted + 1}" + ("" if right else " wrong")
            ax.set_title(text, color=BLUE if right else ORANGE, **small)
    axes[0, 0].set_title("support", **small)
    caption = "query drawings: the number given before > after adaptation"
    figure.supxlabel(caption, fontsize=small["fontsize"])
    return figure
