"""The figures of the lessons, in the style of tinymeta.course.style."""

import numpy as np

from ..extras.statistics import summarize
from ..meta import adapt
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
    new_figure,
    new_panels,
    plot_line,
    plot_seeds,
    plot_truth,
    save_animation,
    styled,
)

# Tasks


@styled
def plot_few_tasks(batch):
    """Draw each task of a small batch: its query points, on a grid, as a line, and its support
    points as dots."""
    figure, ax = new_figure()
    labels = []
    for i, (points, values, x, y) in enumerate(zip(*(array[..., 0] for array in batch)), start=1):
        labels.append(plot_line(ax, x, y, f"task {i}"))
        ax.plot(points, values, "o", color=labels[-1][2], markersize=4.5)
    ax.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="y")
    ax.set_title(f"{i} tasks, {len(points)} points of each")
    label_ends(ax, labels)
    return figure


@styled
def plot_many_tasks(x, y, title):
    """Draw tasks y (T, n) over x (n,), all in one panel."""
    figure, ax = new_figure()
    thin = {"linestyle": "-", "linewidth": 0.5, "alpha": 0.12}
    # antialiasing doubles the file size
    ax.plot(x, y.T, color=BLUE, antialiased=False, rasterized=True, **thin)
    ax.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="y")
    ax.set_title(title)
    return figure


@styled
def plot_fits(support, query, truth, guesses, title):
    """Draw one task: its support set (dots) and query set (rings), each a pair (x, y), and on the
    grid of truth, also a pair (x, y), the true function and each {label: guess}."""
    figure, ax = new_figure()
    x, y = (array.ravel() for array in truth)
    labels = [plot_truth(ax, x, y, "true sine")]
    labels += [plot_line(ax, x, guess[:, 0], label) for label, guess in guesses.items()]
    ax.plot(*query, "o", color=PINK, markerfacecolor="white", markersize=6, zorder=3)
    ax.plot(*support, "o", color=BLACK, markersize=5, zorder=4)
    ax.set(xlim=(x[0], x[-1]), ylim=(2 * y.min(), 2 * y.max()), xlabel="x", ylabel="y")
    ax.set_title(title)
    label_ends(ax, labels)
    return figure


# Adaptation

STAGES = [(PINK, ":"), (ORANGE, "--"), (BLUE, "-"), (GREEN, "-.")]  # one per number of steps


@styled
def plot_adaptation(model, theta, examples, inner_lr, steps=(0, 1, 10)):
    """Draw a panel for each {title: task}, a TaskBatch with T = 1 and query points on a grid: the
    true function, the support points, and the outputs of the network with theta (P,) after each
    number of `steps` of gradient descent on the support points."""
    figure, axes = new_panels(len(examples))
    drawn = []
    for ax, (title, task) in zip(axes, examples.items()):
        x = task.x_query[0, :, 0]
        labels = [plot_truth(ax, x, task.y_query[0, :, 0], "true sine")]
        ax.plot(task.x_support[0], task.y_support[0], "o", color=BLACK, markersize=4.5, zorder=3)
        for n, (color, linestyle) in zip(steps, STAGES):
            adapted = adapt(model, theta, task.x_support, task.y_support, inner_lr, n)
            y = model.predict(adapted, task.x_query)[0, :, 0]
            label = "before" if n == 0 else f"{n} step{'s' * (n > 1)}"
            labels.append(plot_line(ax, x, y, label, color=color, linestyle=linestyle))
        ax.set(xlim=(x[0], x[-1]), xlabel="x")
        ax.set_title(title)
        drawn.append((ax, labels))
    axes[0].set_ylabel("y")
    label_panels(drawn)
    return figure


def label_panels(drawn):
    """Label the ends of the curves of several panels (ax, labels); call it when all are drawn,
    because the panels share their scale."""
    for ax, labels in drawn:
        label_ends(ax, labels)


@styled
def plot_gallery(panels, columns=3):
    """Draw a panel for each {title: (task, before, after)}: a task, a TaskBatch with T = 1, and the
    outputs of a network on its query points before and after adaptation."""
    rows = -(-len(panels) // columns)
    size = 1.5 + 3.1 * columns, 2.5 * rows
    figure, axes = new_figure(*size, columns, rows, squeeze=False)
    for ax, (title, (task, before, after)) in zip(axes.ravel(), panels.items()):
        x, y = task.x_query[0, :, 0], task.y_query[0, :, 0]
        top = 2.2 * abs(y).max()
        labels = [
            plot_truth(ax, x, y, "true"),
            plot_line(ax, x, before[:, 0], "before", color=PINK, linestyle=":"),
            plot_line(ax, x, after[:, 0], "after", color=BLUE, linestyle="-"),
        ]
        ax.plot(task.x_support[0], task.y_support[0], "o", color=BLACK, markersize=3.5, zorder=3)
        ax.set(ylim=(-top, top), xlim=(min(x[0], task.x_support.min()), x[-1]))
        ax.set_title(title)
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
        ax.set(xlim=(x[0], x[-1]), xlabel="x")
        ax.set_title(title)
        drawn.append((ax, labels))
    axes[0].set_ylabel("y")
    label_panels(drawn)
    return figure


# Curves over steps, with bands over the seeds


@styled
def plot_learning_curves(
    curves,
    title,
    top=5.0,
    shots=10,
    printed=None,
    ylabel="mean squared error on new points",
    line=None,
):
    """Draw {method: curve (S, steps + 1, T)}: the mean over tasks and seeds, in a band from the
    lowest to the highest seed.

    Parameters
    ----------
    curves : dict of {str: array (S, steps + 1, T)}
    title : str
    top : float
        The upper end of the y axis.
    shots : int
        The number of support points, for the label of the x axis.
    printed : dict of {method: {step: loss}} or None
        Published values, drawn as open circles.
    ylabel : str
    line : (label, level) or None
        A reference level, for a method without adaptation steps.
    """
    figure, ax = new_figure()
    labels, others = [], (look for method, look in METHODS.items() if method not in curves)
    for method, curve in curves.items():
        look = METHODS[method] if method in METHODS else next(others)
        seeds = summarize(curve).seeds  # (S, steps + 1)
        steps = np.arange(seeds.shape[1])
        labels.append(plot_seeds(ax, steps, seeds, method, **look))
        for n, loss in (printed or {}).get(method, {}).items():
            ring = {"markerfacecolor": "white", "markersize": 7, "zorder": 3, "clip_on": False}
            ax.plot(n, loss, "o", color=look["color"], **ring)
    if line:
        labels.append(level(ax, line[1], line[0]))
    xlabel = f"steps of gradient descent on the task's {shots} points"
    ax.set(xlim=(0, steps[-1]), ylim=(0, top), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title)
    label_ends(ax, labels)
    return figure


@styled
def plot_mean_and_median(curves, zero, ylabel="squared error on new points"):
    """Draw {method: curve (S, steps + 1, T)}: the mean over the tasks (left) and the median over
    them (right), each as a mean over seeds in a band from the lowest to the highest seed; and, as
    a level, the same of zero (T,), the loss of predicting 0 on each task."""
    figure, axes = new_figure(8.8, 3.4, 2, sharey=True)
    drawn = []
    for ax, statistic in zip(axes, (np.mean, np.median)):
        labels = [level(ax, statistic(zero), "predict 0")]
        for method, curve in curves.items():
            seeds = statistic(curve, axis=-1)
            steps = np.arange(seeds.shape[1])
            labels.append(plot_seeds(ax, steps, seeds, method, **METHODS[method]))
        ax.set(xlim=(0, steps[-1]), xlabel="steps of gradient descent")
        ax.set_title(f"{statistic.__name__.capitalize()} over tasks; bands: all {len(seeds)} seeds")
        drawn.append((ax, labels))
    axes[0].set_ylabel(ylabel)
    label_panels(drawn)
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
    ax.set(xlim=(0, max(steps)), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title)
    label_ends(ax, labels)
    return figure


@styled
def plot_bands(x, values, title, xlabel, ylabel):
    """Draw {method: values (S, n)} over x (n,): the mean over seeds, in a band from the lowest to
    the highest seed; the y axis is from 0 to 1."""
    figure, ax = new_figure()
    dots = {"marker": "o", "markersize": 3.5}
    labels = [
        plot_seeds(ax, x, s, method, **METHODS[method], **dots) for method, s in values.items()
    ]
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 1), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title)
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
        labels = [plot_seeds(ax, x, s, name, **METHODS[name], **dots) for name, s in values.items()]
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
    ax.set(xlim=(min(h), max(h)), xlabel=xlabel, ylabel="relative error")
    ax.set_title(title)
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
def plot_convergence(steps, errors, title, xlabel, ylabel="relative error"):
    """Draw errors over steps, on a logarithmic y axis."""
    figure, ax = new_figure()
    ax.semilogy(steps, errors, "o-", color=BLUE, markersize=4)
    ax.set(xlim=(min(steps), max(steps)), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title)
    return figure


@styled
def plot_either_side(panels, threshold, xlabel, ylabel):
    """Draw a panel for each {title: (x (n,), y (n,))}: one dot per pair, of one kind for x up to
    the threshold and of another above it; y is on a log axis with a line at 1."""
    size = 1.2 + 3.6 * len(panels), 3.4
    figure, axes = new_figure(*size, len(panels), sharex=True, sharey=True, squeeze=False)
    for ax, (title, (x, y)) in zip(axes[0], panels.items()):
        for side, color, marker in ((x <= threshold, BLUE, "o"), (x > threshold, ORANGE, "^")):
            dots = {"markersize": 3.5, "alpha": 0.5, "markeredgewidth": 0}
            ax.plot(x[side], y[side], marker, color=color, **dots)
        ax.axvline(threshold, color=GREY, linestyle="-", linewidth=1.0)
        level(ax, 1.0, "")
        ax.set(yscale="log", xlabel=xlabel)
        ax.set_title(title)
    axes[0, 0].set_ylabel(ylabel)
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
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="w1", ylabel="w2")
    ax.set_title(title)
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
