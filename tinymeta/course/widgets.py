"""Interactive figures: artists that are redrawn alone, sliders, windows."""

import os

import numpy as np
from matplotlib.transforms import Bbox, TransformedBbox

from .style import BLUE, spread, styled


class Blitter:
    """Redraw the artists of a figure that change over a stored picture of all the others, in a
    fraction of the time that a full redraw takes. A full redraw, as for a file or after a change of
    size, draws them too.

    bottom, top: the heights, as fractions of the figure's, between which the artists stay; nothing
    outside is redrawn."""

    def __init__(self, figure, artists, bottom=0.0, top=1.0):
        self.figure, self.artists, self.background = figure, artists, None
        self.area = TransformedBbox(Bbox([[0.0, bottom], [1.0, top]]), figure.transFigure)
        for artist in artists:
            artist.set_animated(True)
        figure.canvas.mpl_connect("draw_event", self.after_draw)

    def after_draw(self, event):
        """Store the picture without the artists, then draw them."""
        canvas = self.figure.canvas
        if canvas.supports_blit and not canvas.is_saving():
            self.background = canvas.copy_from_bbox(self.area)
        for artist in self.artists:
            artist.draw(event.renderer)

    def redraw(self):
        """Draw the artists over the stored picture; ask for a full redraw if there is none."""
        canvas = self.figure.canvas
        if self.background is None:
            return canvas.draw_idle()
        canvas.restore_region(self.background)
        for artist in self.artists:
            self.figure.draw_artist(artist)
        canvas.blit(self.area)


@styled
def make_slider(ax, label, low, high, start, value_format, step=None):
    """Put a slider in the place of the axes; `Blitter` draws it."""
    from matplotlib.widgets import Slider

    look = {"valfmt": value_format, "color": BLUE, "initcolor": "none"}
    slider = Slider(ax, label, low, high, valinit=start, valstep=step, **look)
    slider.drawon = False
    return slider


def move_labels(ax, labels, ys, texts, gap=0.05):
    """Give labels made by `style.label_end` new texts, as near to the heights of ys as they can be
    read."""
    low, high = ax.get_ylim()
    order = np.argsort(ys)
    heights = spread((np.asarray(ys)[order] - low) / (high - low), gap)
    for i, height in zip(order, heights):
        labels[i].xy = (1.0, height)
        labels[i].set_text(texts[i])


def handle_default_key(event):
    """Do what matplotlib's own windows do on a key: s saves, q closes, and so on."""
    from matplotlib.backend_bases import key_press_handler

    key_press_handler(event)


def show_windows():
    """Open the windows, and return when they are closed."""
    from matplotlib import pyplot

    pyplot.show()


def window_error():
    """Return why figures cannot be shown in windows (there is no screen, or the backend only writes
    files), or None if they can."""
    from matplotlib import pyplot

    hint = "; MPLBACKEND is set: unset it" if "MPLBACKEND" in os.environ else ""
    try:
        figure = pyplot.figure()
        # looked up before it is closed: a closed figure may have lost its window's canvas
        framework = figure.canvas.required_interactive_framework
        pyplot.close(figure)
    except Exception as error:  # each toolkit has its own
        return str(error).partition("\n")[0] + hint
    if framework is None:
        backend = f"matplotlib's backend {pyplot.get_backend()} has none"
        return f"{backend}; a screen and a toolkit such as tkinter or PyQt6 are needed{hint}"
    return None
