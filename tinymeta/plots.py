"""The figures of the lessons, and their look: five colours that colour-blind readers can tell apart, a line style
for each, and labels at the curves instead of a legend. The one file that imports matplotlib.

A figure belongs to no window unless `windows` is set to true: saving one needs neither a screen nor a backend.
"""

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

BLACK, BLUE, ORANGE, GREEN, PINK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe & Ito (2008)
DASH_DOTS = (0, (5, 1.5, 1, 1.5, 1, 1.5))
METHODS = {  # one look a method, the same in every lesson
    "random": (BLACK, ":"),
    "transfer": (PINK, DASH_DOTS),
    "MAML": (BLUE, "-"),
    "first-order MAML": (ORANGE, "--"),
    "Reptile": (GREEN, "-."),
}
LOOK = {
    "font.size": 10, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
    "lines.linewidth": 1.8, "savefig.dpi": 120, "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6,
}  # fmt: skip
windows = False


def new_figure(width=6.4, height=3.6, columns=1, **options):
    """A figure with a row of `columns` axes that share what `options` say: (figure, axes)."""
    with rc_context(LOOK):
        if windows:
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=(width, height), layout="constrained")
        else:
            figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(1, columns, **options)


def save(figure, path):
    """Write the figure to a PNG file."""
    with rc_context(LOOK):
        figure.savefig(path)


def label_ends(ax, labels, gap=0.075):
    """Write each (y, text, colour) of `labels` at the right edge, at the height of y where it can be read:
    labels closer than `gap` of the axes' height are moved apart."""
    to_axes = ax.transData + ax.transAxes.inverted()
    x_right = ax.get_xlim()[1]
    labels = sorted(((to_axes.transform((x_right, y))[1], text, colour) for y, text, colour in labels), key=lambda item: item[0])
    heights = np.clip([height for height, _, _ in labels], 0.0, 1.0)
    for _ in range(200):  # push neighbours apart, a little at a time and both ways, until all are
        for i in range(len(heights) - 1):
            overlap = gap - (heights[i + 1] - heights[i])
            if overlap > 1e-6:
                heights[i] -= overlap / 2
                heights[i + 1] += overlap / 2
    order = gap * np.arange(len(labels))
    heights = np.clip(heights, order, 1 - order[::-1])  # none leaves the axes
    for height, (_, text, colour) in zip(heights, labels):
        ax.annotate(text, (1.0, height), (5, 0), "axes fraction", "offset points", va="center", color=colour, annotation_clip=False)


def adaptation(ax, model, theta, task, inner_lr, steps=(0, 1, 10)):
    """One task, a TaskBatch with T = 1 whose query points trace the true function: that, the support points, and the
    network after each number of `steps` of gradient descent on them. theta (P,). Returns labels for `label_ends`."""
    from .meta import adapt

    x, truth = task.x_query[0, :, 0], task.y_query[0, :, 0]
    ax.plot(x, truth, color="#999999", linewidth=4, alpha=0.6)
    ax.plot(task.x_support[0], task.y_support[0], "o", color=BLACK, markersize=4.5, zorder=3)
    labels = [(truth[-1], "true sine", "#666666")]
    for n, (colour, style) in zip(steps, [(PINK, ":"), (ORANGE, "--"), (BLUE, "-"), (GREEN, "-.")]):
        out = model.predict(adapt(model, theta, task.x_support, task.y_support, inner_lr, n), task.x_query)[0, :, 0]
        ax.plot(x, out, linestyle=style, color=colour)
        labels.append((out[-1], "before" if n == 0 else f"{n} step{'s' * (n > 1)}", colour))
    ax.set(xlim=(x[0], x[-1]), xlabel="x")
    return labels


def adaptation_figure(model, theta, examples, inner_lr, steps=(0, 1, 10)):
    """A panel for each {title: task} of `examples`, as `adaptation` draws it."""
    figure, axes = new_figure(1.6 + 3.6 * len(examples), 3.4, len(examples), sharey=True, squeeze=False)
    drawn = [adaptation(ax, model, theta, task, inner_lr, steps) for ax, task in zip(axes[0], examples.values())]
    axes[0, 0].set_ylabel("y")
    for ax, labels, title in zip(axes[0], drawn, examples):  # the shared scale is known now
        ax.set_title(title, loc="left")
        label_ends(ax, labels)
    return figure


def learning_curves(curves, title, top=5.0, ylabel="mean squared error on new points"):
    """{method: curve (S, steps + 1, T)}: the mean over tasks and seeds, in a band from the lowest to the highest seed."""
    from .evaluation import summarize

    figure, ax = new_figure()
    labels, spare = [], iter([look for method, look in METHODS.items() if method not in curves])
    for method, curve in curves.items():
        colour, style = METHODS[method] if method in METHODS else next(spare)
        s = summarize(curve)
        steps = np.arange(len(s.mean))
        ax.fill_between(steps, s.low, s.high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(steps, s.mean, linestyle=style, color=colour)
        labels.append((s.mean[-1], method, colour))
    ax.set(xlim=(0, len(steps) - 1), ylim=(0, top), xlabel="steps of gradient descent on the task's 10 points", ylabel=ylabel)
    ax.set_title(title, loc="left")
    label_ends(ax, labels)
    return figure


def gradient_check(h, differences, levels, title):
    """The error of central differences over their step h, and {label: error} as level lines; all on log axes."""
    figure, ax = new_figure()
    ax.loglog(h, differences, "o-", color=BLUE, markersize=3.5)
    labels = []
    looks = [(GREEN, "-."), (ORANGE, "--"), (PINK, DASH_DOTS), (BLACK, ":")]
    for (label, error), (colour, style) in zip(levels.items(), looks):
        ax.axhline(error, color=colour, linestyle=style)
        labels.append((error, label, colour))
    ax.set(xlim=(min(h), max(h)), xlabel="h, the step of the differences", ylabel="relative error")
    ax.set_title(title, loc="left")
    label_ends(ax, [*labels, (differences[np.argmax(h)], "central differences", BLUE)])
    return figure


def along_training(values, title, ylabel, xlabel="meta-steps"):
    """{label: {meta-step: one value a seed}}: the mean over seeds, in a band from the lowest to the highest."""
    figure, ax = new_figure()
    labels = []
    for (label, by_step), (colour, style) in zip(values.items(), [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-.")]):
        steps, seeds = list(by_step), np.array(list(by_step.values()))
        ax.fill_between(steps, seeds.min(axis=1), seeds.max(axis=1), color=colour, alpha=0.15, linewidth=0)
        ax.plot(steps, seeds.mean(axis=1), "o", linestyle=style, color=colour, markersize=3.5)
        labels.append((seeds.mean(axis=1)[-1], label, colour))
    ax.set_xscale("symlog", linthresh=100)
    ax.set(xlim=(0, max(steps)), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title, loc="left")
    label_ends(ax, labels)
    return figure


def few_tasks(batch):
    """Each task of a small batch as its query points (on a grid) draw it, with its support points as dots."""
    figure, ax = new_figure()
    labels = []
    looks = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PINK, DASH_DOTS), (BLACK, ":")]
    for i, (points, values, x, y) in enumerate(zip(*(array[..., 0] for array in batch))):
        colour, style = looks[i % len(looks)]
        ax.plot(x, y, linestyle=style, color=colour)
        ax.plot(points, values, "o", color=colour, markersize=4.5)
        labels.append((y[-1], f"task {i + 1}", colour))
    ax.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="y")
    ax.set_title(f"{i + 1} tasks, {len(points)} points of each", loc="left")
    label_ends(ax, labels)
    return figure


def many_tasks(x, y, title):
    """Tasks y (T, n) over x (n,), laid over each other."""
    figure, ax = new_figure()
    ax.plot(x, y.T, color=BLUE, linewidth=0.5, alpha=0.12, antialiased=False)  # smoothing would double the file
    ax.set(xlim=(x[0], x[-1]), xlabel="x", ylabel="y")
    ax.set_title(title, loc="left")
    return figure


def fits(support, query, truth, guesses, title):
    """One task: its support set (dots) and query set (rings), each (x, y), and on the grid of truth (x, y): {label: guess}."""
    figure, ax = new_figure()
    x, y = (array.ravel() for array in truth)
    ax.plot(x, y, color="#999999", linewidth=4, alpha=0.6)
    labels = [(y[-1], "true sine", "#666666")]
    for (label, guess), (colour, style) in zip(guesses.items(), [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-.")]):
        ax.plot(x, guess, linestyle=style, color=colour)
        labels.append((guess[-1, 0], label, colour))
    ax.plot(*query, "o", color=PINK, markerfacecolor="white", markersize=6, zorder=3)
    ax.plot(*support, "o", color=BLACK, markersize=5, zorder=4)
    ax.set(xlim=(x[0], x[-1]), ylim=(2 * y.min(), 2 * y.max()), xlabel="x", ylabel="y")
    ax.set_title(title, loc="left")
    label_ends(ax, labels)
    return figure


def beside_one_task(x, panels):
    """A panel for each {title: (task, {label: curves})}: one task (n,) for scale, and curves (n,) or (S, n), over x (n,)."""
    figure, axes = new_figure(1.6 + 3.6 * len(panels), 3.4, len(panels), sharey=True, squeeze=False)
    drawn = []
    for ax, (title, (task, curves)) in zip(axes[0], panels.items()):
        ax.plot(x, task, color="#999999", linewidth=4, alpha=0.6)
        labels = [(task[-1], "one task", "#666666")]
        for (label, curve), (colour, style) in zip(curves.items(), [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-.")]):
            curve = np.atleast_2d(curve)
            ax.plot(x, curve.T, linestyle=style, color=colour, linewidth=1.8 if len(curve) == 1 else 1.2)
            labels.append((curve[:, -1].mean(), label, colour))
        ax.set(xlim=(x[0], x[-1]), xlabel="x")
        ax.set_title(title, loc="left")
        drawn.append((ax, labels))
    axes[0, 0].set_ylabel("y")
    for ax, labels in drawn:  # the shared scale is known now
        label_ends(ax, labels)
    return figure


def mean_and_median(curves, zero, ylabel="squared error on new points"):
    """{method: curve (S, steps + 1, T)}: over the tasks, the mean (left) and the median (right) of each seed; a line for the
    mean of the seeds, in a band from the lowest to the highest. zero (T,): what predicting 0 costs on each task."""
    figure, axes = new_figure(8.8, 3.4, 2, sharey=True)
    drawn = []
    for ax, statistic in zip(axes, (np.mean, np.median)):
        ax.axhline(statistic(zero), color="#666666", linewidth=1.0)
        labels = [(statistic(zero), "predict 0", "#666666")]
        for method, curve in curves.items():
            colour, style = METHODS[method]
            seeds = statistic(curve, axis=-1)
            steps = np.arange(seeds.shape[1])
            ax.fill_between(steps, seeds.min(axis=0), seeds.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            ax.plot(steps, seeds.mean(axis=0), linestyle=style, color=colour)
            labels.append((seeds[:, -1].mean(), method, colour))
        ax.set(xlim=(0, steps[-1]), xlabel="steps of gradient descent")
        ax.set_title(f"{statistic.__name__.capitalize()} over tasks; bands: all {len(seeds)} seeds", loc="left")
        drawn.append((ax, labels))
    axes[0].set_ylabel(ylabel)
    for ax, labels in drawn:
        label_ends(ax, labels)
    return figure


def bars(values, title, ylabel):
    """{label: {part: number}}: a group of bars for each part, a colour and a hatch for each label, its number on each."""
    figure, ax = new_figure()
    width = 0.8 / len(values)
    looks = [(BLUE, ""), (ORANGE, "//"), (GREEN, "..")]
    for i, ((label, by_part), (colour, hatch)) in enumerate(zip(values.items(), looks)):
        at = np.arange(len(by_part)) + (i - (len(values) - 1) / 2) * width
        drawn = ax.bar(at, list(by_part.values()), 0.9 * width, color=colour, hatch=hatch, edgecolor="white", zorder=2)
        ax.bar_label(drawn, [f"{number:.2g}" for number in by_part.values()], fontsize=7)
        ax.annotate(label, (0.02, 0.94 - 0.07 * i), xycoords="axes fraction", color=colour, weight="bold")
    ax.set(ylabel=ylabel)
    ax.set_xticks(range(len(by_part)), list(by_part))
    ax.margins(y=0.18)
    ax.set_title(title, loc="left")
    return figure


def convergence(steps, errors, title, xlabel, ylabel="relative error"):
    """Errors on a logarithmic axis over steps."""
    figure, ax = new_figure()
    ax.semilogy(steps, errors, "o-", color=BLUE, markersize=4)
    ax.set(xlim=(min(steps), max(steps)), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title, loc="left")
    return figure


def bands(x, values, title, xlabel, ylabel):
    """{method: (S, n)} over x (n,): the mean over seeds, in a band from the lowest to the highest."""
    figure, ax = new_figure()
    labels = []
    for method, seeds in values.items():
        colour, style = METHODS[method]
        ax.fill_between(x, seeds.min(axis=0), seeds.max(axis=0), color=colour, alpha=0.15, linewidth=0)
        ax.plot(x, seeds.mean(axis=0), "o", linestyle=style, color=colour, markersize=3.5)
        labels.append((seeds.mean(axis=0)[-1], method, colour))
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 1), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title, loc="left")
    label_ends(ax, labels)
    return figure


def remainders(alphas, panels, ylabel):
    """A panel for each {title: {method: remainder at each alpha}}, on log axes, with the slope of alpha squared in grey."""
    figure, axes = new_figure(9.6, 3.6, len(panels), sharey=True)
    drawn = []
    for ax, (title, values) in zip(axes, panels.items()):
        labels = []
        for method, remainder in values.items():
            colour, style = METHODS[method]
            ax.loglog(alphas, remainder, "o", linestyle=style, color=colour, markersize=3.5)
            labels.append((remainder[np.argmax(alphas)], method, colour))
        square = min(r[np.argmax(alphas)] for r in values.values()) / 5 * (alphas / max(alphas)) ** 2
        ax.loglog(alphas, square, color="#999999", linewidth=1.0)
        labels.append((max(square), "alpha squared", "#666666"))
        ax.set(xlim=(min(alphas), max(alphas)), xlabel="alpha, the rate of the inner steps")
        ax.tick_params(axis="x", which="minor", labelbottom=False)
        ax.set_title(title, loc="left")
        drawn.append((ax, labels))
    axes[0].set_ylabel(ylabel)
    for ax, labels in drawn:
        label_ends(ax, labels)
    return figure


def plane(curves, paths, title, limit=2.6):
    """The plane of two weights: {label: solutions (n, 2)} as grey curves, {method: path (m, 2)} over them; (figure, paths, ends)."""
    figure, ax = new_figure(5.2, 4.6)
    for label, points in curves.items():
        ax.plot(*points.T, color="#999999", linewidth=4, alpha=0.6)
        ax.annotate(label, points[-1], (0, 6), textcoords="offset points", ha="right" if points[-1, 0] > 0 else "left", color="#666666")
    lines, ends = {}, {}
    for method, path in paths.items():
        colour, style = METHODS[method]
        (lines[method],) = ax.plot(*path.T, linestyle=style, color=colour, linewidth=1.3)
        side = -1 if len(ends) % 2 == 0 else 1
        ends[method] = ax.annotate(
            method, path[-1], (side * 12, side * 18), textcoords="offset points", ha="right" if side < 0 else "left", va="center", color=colour
        )  # fmt: skip
        ends[method].set_bbox({"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1})
    ax.plot(*path[0], "s", color=BLACK, markersize=5, zorder=4)
    ax.annotate("start", path[0], (7, 0), textcoords="offset points", va="center")
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="w1", ylabel="w2")
    ax.set_title(title, loc="left")
    return figure, lines, ends


def gallery(panels, columns=3):
    """A panel for each {title: (task, before, after)}: one task, a TaskBatch with T = 1, and what a network says on its
    query points before and after adaptation."""
    rows = -(-len(panels) // columns)
    with rc_context(LOOK):
        figure = new_figure(1.5 + 3.1 * columns, 2.5 * rows)[0]
        figure.clear()
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (title, (task, before, after)) in zip(axes, panels.items()):
        x, y = task.x_query[0, :, 0], task.y_query[0, :, 0]
        top = 2.2 * abs(y).max()
        ax.plot(x, y, color="#999999", linewidth=4, alpha=0.6)
        ax.plot(x, before[:, 0], linestyle=":", color=PINK)
        ax.plot(x, after[:, 0], color=BLUE)
        ax.plot(task.x_support[0], task.y_support[0], "o", color=BLACK, markersize=3.5, zorder=3)
        ax.set(ylim=(-top, top), xlim=(min(x[0], task.x_support.min()), x[-1]))
        ax.set_title(title, loc="left")
        label_ends(ax, [(y[-1], "true", "#666666"), (before[-1, 0], "before", PINK), (after[-1, 0], "after", BLUE)], gap=0.12)
    return figure


def animate_plane(curves, paths, frames, path):
    """Save `plane` as an animated GIF, a picture for each number of steps in `frames`; returns where."""
    from matplotlib.animation import PillowWriter

    with rc_context(LOOK):
        figure, lines, ends = plane(curves, paths, "Two tasks, two curves of good weights")
        writer = PillowWriter(fps=8)
        figure.draw_without_rendering()  # lays it out, once for all pictures
        figure.set_layout_engine("none")
        with writer.saving(figure, path, dpi=75):
            for n in [*frames, *frames[-1:] * 8]:
                for method, points in paths.items():
                    lines[method].set_data(*points[: n + 1].T)
                    ends[method].xy = points[n]
                figure.axes[0].set_title(f"Two tasks, two curves of good weights: step {n}", loc="left")
                writer.grab_frame()
    return path
