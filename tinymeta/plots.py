"""The look of the figures, and those that several lessons share: five colours that colour-blind readers can tell apart, a line style
for each, and labels at the curves instead of a legend. The one file that imports matplotlib.

A figure belongs to no window unless `windows` is set to true: saving one needs neither a screen nor a backend.
After `for_slides("svg")` or "pdf" figures are made for a slide instead of a page: 16:9, and larger type for the same width.
"""

import os
import sys

if "ipykernel" not in sys.modules and os.environ.get("MPLBACKEND", "").startswith("module://matplotlib_inline"):
    del os.environ["MPLBACKEND"]  # a notebook's, inherited by a command that it runs, where matplotlib would not even import

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, TransformedBbox

BLACK, BLUE, ORANGE, GREEN, PINK = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe & Ito (2008)
GREY = "#666666"
DASH_DOTS = (0, (5, 1.5, 1, 1.5, 1, 1.5))
METHODS = {  # one look a method, the same in every lesson
    "random": (BLACK, ":"),
    "transfer": (PINK, DASH_DOTS),
    "MAML": (BLUE, "-"),
    "first-order MAML": (ORANGE, "--"),
    "Reptile": (GREEN, "-."),
    "joint": (GREY, (0, (6, 4))),
}
LOOK = {
    "font.size": 10, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
    "lines.linewidth": 1.8, "savefig.dpi": 120, "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6,
}  # fmt: skip
SLIDES = {  # 6.4 x 3.6 in is a 16:9 page of LaTeX's beamer: scaled to a slide of 10 inches, 11 points are 17
    **LOOK, "font.size": 11, "axes.titlesize": 11, "lines.linewidth": 2.2, "savefig.dpi": 300,  # of what is not drawn as lines
    "svg.fonttype": "path", "svg.hashsalt": "tinymeta", "pdf.fonttype": 42,  # no font is missing; the same bytes again
}  # fmt: skip
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
LINE = 1.25  # times the size of the type: the height of a line of it
windows, slides = False, None


def new_figure(width=6.4, height=3.6, columns=1, rows=1, **options):
    """A figure with rows and columns of axes that share what `options` say: (figure, axes)."""
    if slides:
        width = max(6.4, 0.8 * width, 0.6 * height * 16 / 9)  # several panels: larger, for smaller type
        height = width * 9 / 16
    with rc_context(look()):
        if windows:
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=(width, height), layout="constrained")
        else:
            figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(rows, columns, **options)


def for_slides(kind):
    """From now on make figures for slides, as "svg" or "pdf"; None: for pages, as PNG."""
    global slides
    slides = kind
    if kind:
        rcParams.update(SLIDES)  # also for what is drawn into a figure later


def look():
    """matplotlib's settings for a page, or for slides."""
    return SLIDES if slides else LOOK


def save(figure, path):
    """Write the figure to a path, or to an open file: as PNG, or for slides."""
    kind = slides or "png"
    with rc_context(look()):
        figure.savefig(path, format=kind, metadata=NO_DATE[kind])


def save_animation(figure, draw, frames, path):
    """Write an animated GIF, draw(frame) having changed the figure for each; returns its path."""
    from matplotlib.animation import PillowWriter

    with rc_context(look()):
        writer = PillowWriter(fps=8)
        figure.draw_without_rendering()  # lays it out, once for all pictures
        figure.set_layout_engine("none")
        with writer.saving(figure, path, dpi=75):
            for frame in frames:
                draw(frame)
                writer.grab_frame()
    return path


def label_ends(ax, labels, gap=0.075):
    """Write each (y, text, colour) of `labels` at the right edge, at the height of y where it can be read:
    labels closer than `gap` of the axes' height are moved apart; on slides, closer than a line of type."""
    if slides:
        ax.figure.draw_without_rendering()  # lays it out: the axes' height is known now
        gap = LINE * SLIDES["font.size"] / 72 / (ax.get_position().height * ax.figure.get_figheight())
    to_axes = ax.transData + ax.transAxes.inverted()
    x_right = ax.get_xlim()[1]
    labels = sorted(((to_axes.transform((x_right, y))[1], text, colour) for y, text, colour in labels), key=lambda item: item[0])
    for height, (_, text, colour) in zip(apart([height for height, _, _ in labels], gap), labels):
        label_end(ax, height, text, colour)


def apart(heights, gap):
    """Heights in rising order, moved so that none is closer than `gap` to its neighbour and none leaves (0, 1)."""
    heights = np.clip(heights, 0.0, 1.0)
    for _ in range(200):  # push neighbours apart, a little at a time and both ways, until all are
        for i in range(len(heights) - 1):
            overlap = gap - (heights[i + 1] - heights[i])
            if overlap > 1e-6:
                heights[i] -= overlap / 2
                heights[i + 1] += overlap / 2
    order = gap * np.arange(len(heights))
    return np.clip(heights, order, 1 - order[::-1])  # none leaves the axes


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


def learning_curves(curves, title, top=5.0, shots=10, printed=None, ylabel="mean squared error on new points", line=None):
    """{method: curve (S, steps + 1, T)}: the mean over tasks and seeds, in a band from the lowest to the highest seed;
    printed: {method: {step: loss}}, somebody else's numbers for it, as rings;
    line: (label, level) of what takes no steps."""
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
        for n, loss in (printed or {}).get(method, {}).items():
            ax.plot(n, loss, "o", color=colour, markerfacecolor="white", markersize=7, zorder=3, clip_on=False)
    if line:
        ax.axhline(line[1], color=GREY, linewidth=1.0)
        labels.append((line[1], line[0], GREY))
    ax.set(xlim=(0, len(steps) - 1), ylim=(0, top), xlabel=f"steps of gradient descent on the task's {shots} points")
    ax.set_ylabel(ylabel)
    ax.set_title(title, loc="left")
    label_ends(ax, labels)
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


# For figures that change under one's hands


class Changing:
    """The artists of a figure that change: drawn over a stored picture of all the others, in a fraction of the time that
    everything takes. What is drawn in full, as for a file or after a change of size, has them too.

    bottom, top: the heights, in fractions of the figure's, between which they stay; nothing else is drawn anew."""

    def __init__(self, figure, artists, bottom=0.0, top=1.0):
        self.figure, self.artists, self.others = figure, artists, None
        self.area = TransformedBbox(Bbox([[0.0, bottom], [1.0, top]]), figure.transFigure)
        for artist in artists:
            artist.set_animated(True)
        figure.canvas.mpl_connect("draw_event", self.after_draw)

    def after_draw(self, event):
        canvas = self.figure.canvas
        if canvas.supports_blit and not canvas.is_saving():
            self.others = canvas.copy_from_bbox(self.area)
        for artist in self.artists:
            artist.draw(event.renderer)

    def redraw(self):
        canvas = self.figure.canvas
        if self.others is None:
            return canvas.draw_idle()
        canvas.restore_region(self.others)
        for artist in self.artists:
            self.figure.draw_artist(artist)
        canvas.blit(self.area)


def slider(ax, label, low, high, start, written, step=None):
    """A slider in the place of ax, which leaves drawing to `Changing`; written: the format of its value."""
    from matplotlib.widgets import Slider

    with rc_context(LOOK):
        made = Slider(ax, label, low, high, valinit=start, valfmt=written, valstep=step, color=BLUE, initcolor="none")
    made.drawon = False
    return made


def label_end(ax, height, text, colour):
    """One label at the right edge of ax."""
    return ax.annotate(text, (1.0, height), (5, 0), "axes fraction", "offset points", va="center", color=colour, annotation_clip=False)


def move_labels(ax, labels, ys, texts, gap=0.05):
    """Give labels made by `label_end` new texts, at the heights of ys where they can be read."""
    low, high = ax.get_ylim()
    order = np.argsort(ys)
    heights = apart((np.asarray(ys)[order] - low) / (high - low), gap)
    for i, height in zip(order, heights):
        labels[i].xy = (1.0, height)
        labels[i].set_text(texts[i])


def usual_keys(event):
    """What matplotlib's own windows do on a key: s saves, q closes ..."""
    from matplotlib.backend_bases import key_press_handler

    key_press_handler(event)


def show():
    """Open the windows, and return when they are closed."""
    from matplotlib import pyplot

    pyplot.show()
