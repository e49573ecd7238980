"""What differs in a notebook: where flags come from, how figures and progress are shown, and which
lesson the cells are of."""

import base64
import os
import sys
from pathlib import Path

RED, PLAIN = "\033[31m", "\033[0m"


def in_kernel():
    """Return whether this process runs the cells of a notebook."""
    return "ipykernel" in sys.modules


def flags():
    """Return the flags of the command line, without those with which a kernel was started; those of
    `%run lesson.py --quick` are the reader's own."""
    started = Path(sys.argv[0]).name in ("ipykernel_launcher.py", "colab_kernel_launcher.py")
    return [] if in_kernel() and started else sys.argv[1:]


def quick():
    """Return whether a run without flags is a quick one: as the global QUICK of a notebook or else
    the variable TINYMETA_QUICK says, and otherwise in a notebook, but not in a script."""
    chosen = None
    if in_kernel():
        from IPython import get_ipython

        chosen = get_ipython().user_ns.get("QUICK")  # also for %run, which has globals of its own
    if chosen is None:
        chosen = {"0": False, "1": True}.get(os.environ.get("TINYMETA_QUICK"), in_kernel())
    return bool(chosen)


def lesson_of(cells, files):
    """Return the file that most of the cells that have run come from, or None if there is none, or
    more than one (a notebook does not tell a cell which notebook it is of)."""
    texts = [(path.read_text(encoding="utf-8"), path) for path in files]
    sources = [cell.strip() for cell in cells if cell.strip()]
    counts = [(sum(cell in text for cell in sources), path) for text, path in texts]
    most = max((count for count, _ in counts), default=0)
    best = [path for count, path in counts if count == most > 0]
    return best[0] if len(best) == 1 else None


def script(lessons):
    """Return the path of the lesson that runs: its file, or in a notebook the one that its cells
    come from; None if it cannot be told."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        return Path(main.__file__).resolve()
    return lesson_of(getattr(main, "In", ()), sorted(lessons.glob("[0-9]*.py")))


def show_figure(path, sentence):
    """Show a saved picture below the cell, with the sentence as its alternative text."""
    from IPython.display import display

    if path.suffix == ".png":
        data = {"image/png": base64.b64encode(path.read_bytes()).decode(), "text/plain": sentence}
        display(data, metadata={"image/png": {"alt": sentence}}, raw=True)
