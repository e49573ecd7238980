"""Parts of interactive figures: artists that are redrawn alone, sliders, windows."""

import os

import numpy as np
from matplotlib.transforms import Bbox, TransformedBbox

from .style import BLUE, spread, styled


class Blitter:
    """Redraw only the artists that change, over a stored picture of all others.

    That takes a fraction of the time of a full redraw. A full redraw, such as for a file or after a
    change of size, draws the artists too.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    artists : list of matplotlib.artist.Artist
    bottom, top : float
        The artists stay between these heights, as fractions of the figure's height; nothing outside
        is redrawn.
    """

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
    """Return a slider that fills the axes; a `Blitter` has to draw it."""
    from matplotlib.widgets import Slider

    look = {"valfmt": value_format, "color": BLUE, "initcolor": "none"}
    slider = Slider(ax, label, low, high, valinit=start, valstep=step, **look)
    slider.drawon = False
    return slider


def move_labels(ax, labels, ys, texts, gap=0.05):
    """Give the labels, made by `style.label_end`, new texts, and move them to the heights of ys or
    close to them, at least `gap` apart."""
    low, high = ax.get_ylim()
    order = np.argsort(ys)
    heights = spread((np.asarray(ys)[order] - low) / (high - low), gap)
    for i, height in zip(order, heights):
        labels[i].xy = (1.0, height)
        labels[i].set_text(texts[i])


def handle_default_key(event):
    """Handle a key as matplotlib's own windows do: s saves, q closes, and so on."""
    from matplotlib.backend_bases import key_press_handler

    key_press_handler(event)


def show_windows():
    """Open the windows, and return when they are closed."""
    from matplotlib import pyplot

    pyplot.show()


def window_error():
    """Return the reason why figures cannot be shown in windows (there is no screen, or the backend
    only writes files), or None if they can."""
    from matplotlib import pyplot

    hint = "; MPLBACKEND is set: unset it" if "MPLBACKEND" in os.environ else ""
    try:
        figure = pyplot.figure()
        # read before the figure is closed, because closing may replace its canvas
        framework = figure.canvas.required_interactive_framework
        pyplot.close(figure)
    except Exception as error:  # each toolkit raises its own kind
        return str(error).partition("\n")[0] + hint
    if framework is None:
        backend = f"matplotlib's backend {pyplot.get_backend()} has none"
        return f"{backend}; a screen and a toolkit such as tkinter or PyQt6 are needed{hint}"
    return None
