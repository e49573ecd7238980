"""The figures that belong to one lesson each, in the look of tinymeta.plots."""

import numpy as np

from .plots import BLACK, BLUE, DASH_DOTS, GREEN, METHODS, ORANGE, PINK, label_ends, new_figure, save_animation


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
    ax.plot(x, y.T, color=BLUE, linewidth=0.5, alpha=0.12, antialiased=False, rasterized=True)  # smoothing would double the file
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
    figure, axes = new_figure(1.5 + 3.1 * columns, 2.5 * rows, columns, rows, squeeze=False)
    for ax, (title, (task, before, after)) in zip(axes.ravel(), panels.items()):
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
    title = "Two tasks, two curves of good weights"
    figure, lines, ends = plane(curves, paths, title)

    def draw(n):
        for method, points in paths.items():
            lines[method].set_data(*points[: n + 1].T)
            ends[method].xy = points[n]
        figure.axes[0].set_title(f"{title}: step {n}", loc="left")

    return save_animation(figure, draw, [*frames, *frames[-1:] * 8], path)


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
    ax.margins(y=0.3)
    ax.set_title(title, loc="left")
    return figure


def convergence(steps, errors, title, xlabel, ylabel="relative error"):
    """Errors on a logarithmic axis over steps."""
    figure, ax = new_figure()
    ax.semilogy(steps, errors, "o-", color=BLUE, markersize=4)
    ax.set(xlim=(min(steps), max(steps)), xlabel=xlabel, ylabel=ylabel)
    ax.set_title(title, loc="left")
    return figure


def either_side(panels, threshold, xlabel, ylabel):
    """A panel for each {title: (x (n,), y (n,))}: a dot for each, in two looks left and right of the threshold; y on a log axis, a line at 1."""
    figure, axes = new_figure(1.2 + 3.6 * len(panels), 3.4, len(panels), sharex=True, sharey=True, squeeze=False)
    for ax, (title, (x, y)) in zip(axes[0], panels.items()):
        for side, colour, marker in ((x <= threshold, BLUE, "o"), (x > threshold, ORANGE, "^")):
            ax.plot(x[side], y[side], marker, color=colour, markersize=3.5, alpha=0.5, markeredgewidth=0)
        ax.axvline(threshold, color="#666666", linewidth=1.0)
        ax.axhline(1.0, color="#666666", linewidth=1.0)
        ax.set(yscale="log", xlabel=xlabel)
        ax.set_title(title, loc="left")
    axes[0, 0].set_ylabel(ylabel)
    return figure


def tiles(rows):
    """Images (n, m, h, w) as one picture, dark on light, with a gap between them."""
    n, m, h, w = rows.shape
    padded = np.pad(rows, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return 1 - padded.swapaxes(1, 2).reshape(n * (h + 2), m * (w + 2))


def picture(ax, image):
    """A grey picture, without axes."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[], frame_on=False)
    ax.grid(False)


def alphabets(rows):
    """{label: (clean letters (n, h, w), drawings (m, h, w) of one)}: a row for each alphabet."""
    clean, drawings = (np.stack(images) for images in zip(*rows.values()))
    ratios = [clean.shape[1], drawings.shape[1]]
    figure, axes = new_figure(8.4, 0.36 * len(rows) + 0.4, 2, width_ratios=ratios)
    for ax, images, title in zip(axes, (clean, drawings), ("letters", "drawings of one of them")):
        picture(ax, tiles(images))
        ax.set_title(title, loc="left")
    axes[0].set_yticks((np.arange(len(rows)) + 0.5) * (clean.shape[2] + 2), list(rows))
    axes[0].tick_params(length=0)
    return figure


def episode(support, query, before, after, most=5):
    """One task, a row for each of its letters (the first `most`): a support drawing, and the query drawings with the number that the network
    gives them before and after adaptation. support (shots, ways, h, w), query (n, ways, h, w), before and after (n, ways)."""
    ways = min(most, support.shape[1])
    figure, axes = new_figure(1.15 * (1 + len(query)) + 0.6, 1.05 * ways + 0.4, 1 + len(query), ways, squeeze=False)
    small = 9 * axes[0, 0].title.get_fontsize() / 12
    for way, (first, *others) in enumerate(axes):
        picture(first, 1 - support[0, way])
        first.set_ylabel(way + 1, rotation="horizontal", ha="right", va="center", weight="bold")
        for ax, image, earlier, later in zip(others, query[:, way], before[:, way], after[:, way]):
            right = later == way
            picture(ax, 1 - image)
            ax.set_title(f"{earlier + 1} > {later + 1}" + ("" if right else " wrong"), loc="center", fontsize=small, color=BLUE if right else ORANGE)
    axes[0, 0].set_title("support", loc="center", fontsize=small)
    figure.supxlabel("query drawings: the number given before > after adaptation", fontsize=small)
    return figure


def band_panels(x, panels, xlabel, ylabel, columns=2):
    """A panel for each {title: {method: accuracies (S, n)}} over x (n,), on a log axis: means over seeds, in bands from the lowest to the highest."""
    rows = -(-len(panels) // columns)
    figure, axes = new_figure(1.4 + 3.3 * columns, 0.6 + 2.6 * rows, columns, rows, sharex=True, sharey=True, squeeze=False)
    for ax, (title, values) in zip(axes.ravel(), panels.items()):
        labels = []
        for method, seeds in values.items():
            colour, style = METHODS[method]
            ax.fill_between(x, seeds.min(axis=0), seeds.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            ax.plot(x, seeds.mean(axis=0), "o", linestyle=style, color=colour, markersize=3)
            labels.append((seeds[:, -1].mean(), method, colour))
        ax.set_xscale("symlog", linthresh=1)
        ax.set(xlim=(min(x), max(x)), ylim=(0, 1))
        ax.set_xticks(x[:: 1 if len(x) < 8 else 3], x[:: 1 if len(x) < 8 else 3])
        ax.set_title(title, loc="left")
        label_ends(ax, labels, gap=0.095)
    for ax in axes[-1]:
        ax.set_xlabel(xlabel)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    return figure


def differences(x, values, title, xlabel, ylabel):
    """{label: (means (n,), halves of their intervals (n,))} over x (n,), on a log axis, about a line at 0."""
    figure, ax = new_figure()
    ax.axhline(0, color="#666666", linewidth=1.0)
    labels = []
    for i, ((label, (mean, half)), (colour, style)) in enumerate(zip(values.items(), [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-.")])):
        at = np.array(x) * 1.04**i  # beside each other
        ax.errorbar(at, mean, half, color=colour, linestyle=style, marker="o", markersize=4, capsize=3)
        labels.append((mean[-1], label, colour))
    ax.set(xscale="log", xlabel=xlabel, ylabel=ylabel, xlim=(min(x) * 0.9, max(x) * 1.2))
    ax.set_xticks(x, x)
    ax.minorticks_off()
    ax.set_title(title, loc="left")
    label_ends(ax, labels)
    return figure
