"""Windows in which figures are shown."""

import os


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
