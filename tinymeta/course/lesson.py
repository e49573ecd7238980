"""A lesson as a command: flags, random streams, progress, saved figures, and expected results.

lesson = Lesson(iterations=40_000, quick=400)
theta = model.init(lesson.rng("initialisation"))
meta_train(..., rng=lesson.rng("training tasks"), iterations=lesson.iterations,
           callback=lesson.progress("MAML"))
lesson.save(figure, "learning_curve", "MAML is below 1 after 10 steps.")
lesson.expect("MAML after 10 steps", losses[10], 0.45, 0.85)
lesson.end()
"""

import argparse
import contextlib
import datetime
import json
import math
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .._memory import ignore_false_warnings
from ..extras.storage import replacing
from . import style, widgets


class Lesson:
    """The command line of a lesson, which is read when the lesson is created, and its output.

    In a notebook the flags have their default values.

    Parameters
    ----------
    name : str or None
        The names of the lesson's outputs begin with it. None: that of its file, without its suffix.
    iterations, quick : int or None
        The meta-steps of the longest training, in full and with --quick; None for a lesson that
        trains nothing.
    seeds : int or None
        The number of networks unless --seeds is given; None: there is no such flag.
    problems : sequence of str
        The choices for --problem, of which the first is the default; empty: there is no such flag.

    Raises
    ------
    SystemExit
        If a flag is wrong or the folder for the outputs cannot be written to.

    Attributes
    ----------
    quick, show, tune : bool
    seed : int
    iterations, seeds, problem : int, int and str, or None
    out : pathlib.Path
        The folder for figures and results.
    full : bool
        Whether the expected results apply: not quick, and no flag changes the numbers.

    Examples
    --------
    >>> import tempfile, unittest.mock
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with unittest.mock.patch("sys.argv", ["00_small.py", "--quick", "--out", folder]):
    ...         lesson = Lesson("00_small", iterations=500, quick=5)
    ...     lesson.expect("loss", 0.5, low=0.0, high=1.0)
    ...     lesson.end()
    <BLANKLINE>
    What you should see in a full run with seed 0 (this one is not)
      loss         0.5   from 0 to 1
    >>> lesson.iterations, lesson.full
    (5, False)
    """

    def __init__(self, name=None, iterations=None, quick=None, seeds=None, problems=()):
        file = Path(getattr(sys.modules["__main__"], "__file__", "lessons/lesson.py")).resolve()
        self.name, self.results = name or file.stem, {}
        parser = argparse.ArgumentParser(
            prog=f"{self.name}.py", description=f"Lesson {self.name}; the file itself is the text."
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="a short run of 10 s at most: same figures, rougher numbers",
        )
        parser.add_argument(
            "--seed",
            type=int_in_range(0),
            help="seed of all random streams (default: 0; with --tune: 1)",
        )
        parser.add_argument(
            "--tune",
            action="store_true",
            help="search the settings again that the text has recorded, and end (many minutes)",
        )
        parser.add_argument(
            "--out",
            type=_folder,
            default=None,
            metavar="DIR",
            help="folder for the figures (default: output/ beside the lesson)",
        )
        parser.add_argument(
            "--slides",
            choices=("svg", "pdf"),
            help="save the figures for slides: 16:9, large type, lines that scale",
        )
        parser.add_argument(
            "--show", action="store_true", help="open the figures in windows at the end"
        )
        if iterations:
            parser.add_argument(
                "--iterations",
                type=int_in_range(1, 10**7),
                help=f"meta-steps of the longest training (default: {iterations})",
            )
        if seeds:
            parser.add_argument(
                "--seeds",
                type=int_in_range(1, 100),
                default=seeds,
                help=f"networks trained side by side (default: {seeds})",
            )
        if problems:
            parser.add_argument(
                "--problem",
                choices=problems,
                default=problems[0],
                help=f"the problem to learn (default: {problems[0]})",
            )
        self.in_kernel = "ipykernel" in sys.modules
        flags = parser.parse_args([] if self.in_kernel else None)
        self.quick, self.tune, self.show = flags.quick, flags.tune, flags.show
        # what was chosen on one seed is judged on another
        self.seed = int(self.tune) if flags.seed is None else flags.seed
        self.seeds, self.problem = getattr(flags, "seeds", None), getattr(flags, "problem", None)
        chosen = getattr(flags, "iterations", None)
        self.iterations = chosen or (quick if flags.quick else iterations)
        usual = self.seed == 0 and self.seeds == seeds and self.problem in (None, *problems[:1])
        self.full = usual and not self.quick and not chosen
        self.out = flags.out or file.parent / "output"
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.out).close()  # test writability by writing
        except OSError as error:
            other = "" if flags.out else "; choose another folder with --out DIR"
            parser.error(
                f"argument --out: cannot write to {self.out}: {error.strerror or error}{other}"
            )
        ignore_false_warnings("")  # in the lesson's own products too
        if not self.in_kernel:
            configure_terminal()
        if self.show and not self.in_kernel and (why := widgets.window_error()):
            self.show = False
            print(
                f"--show: no window can be opened here ({why}). The figures are saved in "
                f"{self.out} all the same.",
                file=sys.stderr,
            )
        style.use(slides=flags.slides, windows=self.show)

    def rng(self, purpose):
        """Return `named_rng(seed, purpose)` for the lesson's seed."""
        return named_rng(self.seed, purpose)

    def progress(self, label, total=None):
        """Return `progress(label, total)`; total is the lesson's iterations unless it is given."""
        return progress(label, total or self.iterations)

    def save(self, figure, name, sentence):
        """Save the figure as OUT/LESSON_name.png (.svg or .pdf for slides), and print its path and
        the sentence, which says in numbers what the figure shows."""
        path = self.out / f"{self.name}_{name}.{style.file_format()}"
        with exit_on_os_error(path), replacing(path) as file:
            style.save(figure, file)
        print(f"\nfigure {path}\n  {sentence}")
        if self.in_kernel:
            from IPython.display import Image, display

            display(Image(filename=str(path)))

    def settings(self, recorded, search):
        """Print a table of settings, as it was recorded. With --tune, call `search` instead, print
        the table that it returns, with date and seed, to be recorded; and end."""
        if not self.tune:
            print(recorded)
            return
        today = datetime.date.today().isoformat()
        print(f"\n{today}, python lessons/{self.name}.py --tune, seed {self.seed}\n{search()}")
        sys.exit()

    def expect(self, name, value, low, high):
        """Record a result and its bounds, which follow from the spread over seeds, under a name."""
        self.results[name] = {
            "value": float(value),
            "low": low,
            "high": high,
            "ok": bool(low <= value <= high),
        }

    def expect_curve(self, method, losses, bounds):
        """Record losses[step] of an adaptation curve for each {step: (low, high)} of the bounds."""
        for n, (low, high) in bounds.items():
            self.expect(f"{method} after {n} step{'s' * (n != 1)}", losses[n], low, high)

    def end(self):
        """Print each expected result with its bounds, and save them as JSON; a full run says
        whether each is within them, and exits with status 1 if one is not."""
        if self.tune:
            print("\n--tune: this lesson has no settings to search")
        print(
            "\nWhat you should see"
            + ("" if self.full else " in a full run with seed 0 (this one is not)")
        )
        width = max(map(len, self.results))
        for name, r in self.results.items():
            verdict = ("ok" if r["ok"] else "OUT OF BOUNDS") if self.full else ""
            print(
                f"  {name:{width}}  {r['value']:10.4g}   "
                f"from {r['low']:g} to {r['high']:g}   {verdict}".rstrip()
            )
        path = self.out / f"{self.name}.json"
        with exit_on_os_error(path), replacing(path) as file:
            file.write(json.dumps(self.results, indent=1).encode())
        if self.show and not self.in_kernel:
            widgets.show_windows()
        if self.full and not all(r["ok"] for r in self.results.values()):
            sys.exit(1)


def configure_terminal():
    """Set the terminal behaviour of a command: one line after Ctrl-C, paths with any letters, and
    silence when a pipe such as `| head` closes."""
    sys.excepthook = _one_line_for_ctrl_c
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def named_rng(seed, purpose):
    """Return a new generator that depends on the seed and on the purpose, a name: methods that are
    trained or evaluated with generators of one name see the same tasks, in every lesson."""
    return np.random.default_rng([seed, *purpose.encode()])


def progress(label, total):
    """Return a callback for meta_train that reports progress on stderr: in one line that is
    rewritten on a terminal, in one line per 10 % elsewhere."""
    start = time.perf_counter()
    terminal = sys.stderr.isatty()
    every = max(1, total // (200 if terminal else 10))
    end = "\n" if not terminal else ""

    def callback(iteration, *_):
        if iteration and (iteration + 1) % every and iteration + 1 != total:
            return
        done, seconds = 100 * (iteration + 1) // total, time.perf_counter() - start
        line = f"  {label}: {done:3d} % of {total}, {seconds:.0f} s"
        last = "\n" if terminal and iteration + 1 == total else end
        print(("\r" if terminal else "") + line, end=last, file=sys.stderr, flush=True)

    return callback


def int_in_range(least, most=math.inf):
    """Return a type for argparse that accepts whole numbers from `least` to `most`."""
    expected = (
        f"a whole number from {least} to {most}"
        if most < math.inf
        else (f"a whole number of at least {least}")
    )

    def convert(text):
        value = int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected {expected}; got {text!r}")
        return value

    return convert


def _folder(text):
    """Return the path of a folder: a type for argparse, which accepts no empty name."""
    if not text:
        raise argparse.ArgumentTypeError(f"expected a folder; got {text!r}")
    return Path(text)


@contextlib.contextmanager
def exit_on_os_error(path):
    """Turn an OSError into a one-line message that names the path, and exit."""
    try:
        yield
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror or error}")


def _one_line_for_ctrl_c(kind, error, traceback):
    """Report Ctrl-C in one line and exit with status 130; report other errors as usual."""
    if issubclass(kind, KeyboardInterrupt):
        line = str(error).partition(";")[0] or "interrupted"
        print(("\n" if sys.stderr.isatty() else "") + f"Stopped: {line}.", file=sys.stderr)
        sys.exit(130)
    sys.__excepthook__(kind, error, traceback)
