"""Move the points, and watch four initialisations adapt to them.

    python lessons/playground.py                    open a window
    python lessons/playground.py --save tour.gif    save an animation of some things to try, if
                                                    there is no screen

Drag a support point to another place; click on empty space to add a point, right-click on a point
to remove it. Filled points are on the true sine and move with it when you change its amplitude or
phase. A point that you dragged away (a ring) keeps its y until you drop it on the sine again. The
numbers are mean squared errors at 50 points of the true sine, as in the lessons.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from tinymeta import MLP, SineTasks, adapt, adaptation_curve
from tinymeta.course import style, trained, widgets
from tinymeta.course.lesson import (
    configure_terminal,
    exit_on_os_error,
    int_in_range,
    named_rng,
)
from tinymeta.extras.storage import BadFile

SHOTS, INNER_LR = 10, 0.01  # as in lessons 03 and 05
SHIPPED = Path(__file__).resolve().parent / "trained"
METHODS = ("random", "joint", "MAML", "Reptile")
TOP = 7.0  # the y axis is from -TOP to TOP
NEAR = 0.1  # the mouse is on a point up to this distance, in inches of the screen
SNAP = 0.25  # a point is on the sine up to this distance, in y
# x at which the curves are drawn, and x at which their errors are measured
GRID, QUERY = (np.linspace(-5, 5, n, dtype=np.float32)[:, None] for n in (200, 50))
MOST_STEPS = 32
HELP = (
    "drag a point, click to add one, right-click to remove one\n"
    "n: a new task, o: points on one side, arrows: steps"
)


class Playground:
    """Hold the window: support points x, y (K,), the flags `on` of those on the sine, four sliders,
    and the artists that show them."""

    def __init__(self, model, thetas, seed=0):
        self.model, self.thetas, self.held = model, thetas, None
        self.rng = named_rng(seed, "playground")
        # the support points of 3 sin(x + 1), the example of lessons 03 to 05
        self.x = named_rng(seed, "example").uniform(-5.0, 5.0, SHOTS)
        self.y, self.on = np.zeros(SHOTS), np.full(SHOTS, True)
        heights = (28, 1, 1, 1, 1, 1)
        self.figure, axes = style.new_figure(8, 5.6, rows=6, height_ratios=heights)
        self.ax, below, *rows = axes
        self.figure.set_layout_engine(None)  # nothing moves when a label changes
        self.figure.subplots_adjust(left=0.12, right=0.82, top=0.9, bottom=0.04, hspace=0.3)
        below.remove()  # leaves room for the label of the x axis
        self.amplitude = widgets.make_slider(rows[0], "amplitude", 0.1, 5.0, 3.0, "%.2f")
        self.phase = widgets.make_slider(rows[1], "phase", 0.0, 2 * np.pi, 1.0, "%.2f")
        self.steps = widgets.make_slider(rows[2], "steps", 0, MOST_STEPS, 10, "%d", 1)
        self.alpha = widgets.make_slider(rows[3], "alpha", 0.0, 0.1, INNER_LR, "%.3f", 0.001)
        self.draw_once()
        sliders = (self.amplitude, self.phase, self.steps, self.alpha)
        border = rows[0].get_position().y1 + 0.02
        drawn = [self.sine, *self.curves, self.filled, self.rings, *self.labels]
        self.picture = widgets.Blitter(self.figure, drawn, bottom=border)
        knobs = [a for s in sliders for a in (*s.ax.patches, *s.ax.lines, s.valtext)]
        self.panel = widgets.Blitter(self.figure, knobs, top=border)
        for slider in sliders:
            slider.on_changed(lambda _: (self.panel.redraw(), self.update()))
        for event in ("button_press", "motion_notify", "button_release", "key_press"):
            self.figure.canvas.mpl_connect(f"{event}_event", getattr(self, event))
        if manager := self.figure.canvas.manager:
            # in matplotlib's windows, o is zoom and the arrows go through the views
            self.figure.canvas.mpl_disconnect(manager.key_press_handler_id)
        self.update()

    def draw_once(self):
        """Create the artists that change later."""
        style.plot_truth(self.ax, GRID, 0 * GRID, "true sine")
        (self.sine,) = self.ax.lines
        looks = [style.METHODS[method] for method in METHODS]
        self.curves = [self.ax.plot(GRID, 0 * GRID, **look)[0] for look in looks]
        dot = {"color": style.BLACK, "markersize": 7}
        (self.filled,) = self.ax.plot([], [], "o", markerfacecolor="black", **dot)
        (self.rings,) = self.ax.plot([], [], "o", markerfacecolor="white", **dot)
        colours = [style.GREY, *(look["color"] for look in looks)]
        self.labels = [style.label_end(self.ax, 0.0, "", colour) for colour in colours]
        self.ax.set(xlim=(-5, 5), ylim=(-TOP, TOP), xlabel="x", ylabel="y")
        self.ax.set_title(HELP, loc="left", fontsize=10)

    def true(self, x):
        """Return the true sine at x."""
        return self.amplitude.val * np.sin(x + self.phase.val)

    def fits(self):
        """Return the outputs of each method at GRID (4, 200) and its loss at QUERY (4,), after the
        steps of gradient descent on the support points."""
        support = self.x[None, :, None], self.y[None, :, None]
        with np.errstate(all="ignore"):  # with a large alpha, adaptation may diverge
            alpha, steps = self.alpha.val, int(self.steps.val)
            theta = adapt(self.model, self.thetas, *support, alpha, steps)[:, 0]
            # forward, because predict refuses a theta that is not finite
            outs, answers = (self.model.forward(theta, x).z[-1] for x in (GRID, QUERY))
            return outs[..., 0], self.model.loss_fn.value(answers, self.true(QUERY))

    def update(self):
        """Compute the curves, points and labels again, and redraw them."""
        self.y = np.where(self.on, self.true(self.x), self.y)
        outs, losses = self.fits()
        # matplotlib cannot draw infinity: 100 * TOP is out of sight as well
        outs = np.clip(np.nan_to_num(outs, nan=100 * TOP), -100 * TOP, 100 * TOP)
        self.sine.set_ydata(self.true(GRID))
        for curve, out in zip(self.curves, outs):
            curve.set_ydata(out)
        self.filled.set_data(self.x[self.on], self.y[self.on])
        self.rings.set_data(self.x[~self.on], self.y[~self.on])
        texts = (f"{method}  {in_digits(loss)}" for method, loss in zip(METHODS, losses))
        ends = [self.true(5.0), *outs[:, -1]]
        widgets.move_labels(self.ax, self.labels, ends, ["true sine", *texts])
        self.picture.redraw()

    # The mouse

    def at(self, event):
        """Return the index of the point under the mouse, or None."""
        pixels = self.ax.transData.transform(np.stack((self.x, self.y), axis=1))
        distance = np.hypot(*(pixels - (event.x, event.y)).T) / self.figure.dpi
        return int(distance.argmin()) if distance.min() <= NEAR else None

    def button_press(self, event):
        # while it is locked, the mouse belongs to the toolbar's zoom
        if event.inaxes is not self.ax or self.figure.canvas.widgetlock.locked():
            return
        point = self.at(event)
        if event.button == 3 and point is not None and len(self.x) > 1:
            arrays = self.x, self.y, self.on
            self.x, self.y, self.on = (np.delete(array, point) for array in arrays)
            self.held = None
        elif event.button == 1 and point is None:
            self.x, self.y = np.append(self.x, event.xdata), np.append(self.y, event.ydata)
            self.on = np.append(self.on, False)
            self.held = len(self.x) - 1
        elif event.button == 1:
            self.held = point
        self.update()

    def motion_notify(self, event):
        if self.held is not None and event.inaxes is self.ax:
            self.x[self.held], self.y[self.held] = event.xdata, event.ydata
            self.on[self.held] = False
            self.update()

    def button_release(self, event):
        if self.held is not None and event.button == 1:
            self.on[self.held] = abs(self.y[self.held] - self.true(self.x[self.held])) <= SNAP
            self.held = None
            self.update()

    # The keys

    def key_press(self, event):
        if event.key in ("left", "right"):
            steps = self.steps.val + (1 if event.key == "right" else -1)
            self.steps.set_val(min(max(steps, 0), MOST_STEPS))
        elif event.key == "n":
            self.x, self.held = self.rng.uniform(-5.0, 5.0, SHOTS), None
            self.y, self.on = np.zeros(SHOTS), np.full(SHOTS, True)
            self.amplitude.set_val(self.rng.uniform(0.1, 5.0))
            self.phase.set_val(self.rng.uniform(0.0, 2 * np.pi))
        elif event.key == "o":
            self.x = abs(self.x)
            self.update()
        elif self.figure.canvas.manager:
            widgets.handle_default_key(event)


def in_digits(loss):
    """Return the loss as a short text."""
    return f"{loss:.2f}" if loss < 1000 else f"{loss:.0e}" if np.isfinite(loss) else "diverged"


def tour(p):
    """Show some things to try: change the playground p, and yield after each change."""
    for n in (*[0] * 4, *range(1, 11), *[10] * 4):
        p.ax.set_title(f"step {n} on {len(p.x)} points of a task that none has seen", loc="left")
        p.steps.set_val(n)
        yield
    highest = p.y.argmax()
    start, end = p.x, abs(p.x)
    p.ax.set_title("one point is dragged off the sine", loc="left")
    for away in (1, 2, 3, 4, 5, *[5] * 4, 4, 3, 2, 1):
        p.on[highest], p.y[highest] = False, p.true(p.x[highest]) - away
        p.update()
        yield
    p.on[highest] = True
    p.ax.set_title("all points on one side", loc="left")
    for fraction in (0.25, 0.5, 0.75, *[1.0] * 8):
        p.x = start + fraction * (end - start)
        p.update()
        yield


def load(folder=SHIPPED):
    """Return the model and four initialisations, theta (4, P): a random one and, of the five
    networks of each method in lessons 03 and 05, the one with the median loss."""
    model = MLP([1, 40, 40, 1])
    rng = named_rng(0, "validation tasks")
    validation = SineTasks().sample(rng, 100, SHOTS, query=50, grid=True)
    thetas = [model.init(named_rng(0, "initialisation"), np.float32)]
    for name, file in {"joint": "03_maml", "MAML": "03_maml", "Reptile": "05_reptile"}.items():
        five = trained.load(folder / f"{file}.npz")[0][name]
        losses = adaptation_curve(model, five, validation, INNER_LR, 10)[:, 10].mean(axis=-1)
        thetas.append(five[np.argsort(losses)[2]])
    return model, np.stack(thetas)


def main():
    about = "Move the points, and watch four initialisations adapt to them."
    parser = argparse.ArgumentParser(prog="playground.py", description=about)
    option = parser.add_argument
    seed_help = "seed of the tasks (default: 0)"
    option("--seed", type=int_in_range(0), default=0, help=seed_help)
    save_help = "write an animation instead of opening a window"
    option("--save", type=Path, metavar="FILE.gif", help=save_help)
    flags = parser.parse_args()
    if flags.save and flags.save.suffix != ".gif":
        parser.error(f"argument --save: expected a file name that ends in .gif; got {flags.save}")
    configure_terminal()
    if not flags.save and (why := widgets.window_error()):
        sys.exit(
            f"no window can be opened here ({why}); --save FILE.gif writes an animation instead"
        )
    try:
        model, thetas = load()
    except (OSError, BadFile) as error:
        sys.exit(f"{error}\npython -m tinymeta.course.trained 03_maml 05_reptile trains them again")
    style.use(windows=not flags.save)
    playground = Playground(model, thetas, flags.seed)
    if flags.save:
        with exit_on_os_error(flags.save):
            style.save_animation(playground.figure, lambda _: None, tour(playground), flags.save)
        print(f"animation {flags.save}")
    else:
        widgets.show_windows()


if __name__ == "__main__":
    main()
