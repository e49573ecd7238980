"""What makes a lesson a command: flags, random streams, progress, saved figures, and the results it
expects.

    lesson = Lesson("03_maml", iterations=40_000, quick=1_000) theta =
    model.init(lesson.rng("initialisation")) meta_train(..., rng=lesson.rng("training tasks"),
    iterations=lesson.iterations, callback=lesson.progress("MAML")) lesson.save(figure,
    "learning_curve", "MAML is below 1 after 10 steps.") lesson.expect("MAML, 10 steps", 0.61, 0.45,
    0.85) lesson.end()
"""

import argparse
import contextlib
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
    """The flags of the command line, read at once: quick, seed, iterations, out, show, and seeds or
    problem where a lesson has them."""

    def __init__(self, name, iterations=None, quick=None, seeds=None, problems=()):
        self.name, self.results, self._figures = name, {}, []
        parser = argparse.ArgumentParser(
            prog=f"{name}.py", description=f"Lesson {name}; the file itself is the text."
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="a short run of 10 s at most: same figures, rougher numbers",
        )
        parser.add_argument(
            "--seed", type=int_in_range(0), default=0, help="of all random streams (default: 0)"
        )
        parser.add_argument(
            "--out",
            type=_folder,
            default=None,
            metavar="DIR",
            help="for the figures (default: output/ beside the lesson)",
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
                help=f"what is to be learned (default: {problems[0]})",
            )
        self.in_kernel = "ipykernel" in sys.modules
        flags = parser.parse_args([] if self.in_kernel else None)
        self.quick, self.seed, self.show = flags.quick, flags.seed, flags.show
        self.seeds, self.problem = getattr(flags, "seeds", None), getattr(flags, "problem", None)
        chosen = getattr(flags, "iterations", None)
        self.iterations = chosen or (quick if flags.quick else iterations)
        usual = self.seed == 0 and self.seeds == seeds and self.problem in (None, *problems[:1])
        self.full = usual and not self.quick and not chosen  # the run whose numbers are promised
        self.out = (
            flags.out
            or Path(getattr(sys.modules["__main__"], "__file__", "lessons/x")).resolve().parent
            / "output"
        )
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            # what may be written is known once it is tried
            tempfile.TemporaryFile(dir=self.out).close()
        except OSError as error:
            other = "" if flags.out else "; --out DIR takes them elsewhere"
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
        """`named_rng` of the lesson's seed."""
        return named_rng(self.seed, purpose)

    def progress(self, label, total=None):
        """`progress` of the lesson's iterations, unless another total is given."""
        return progress(label, total or self.iterations)

    def save(self, figure, name, sentence):
        """Save the figure as OUT/LESSON_name.png (.svg or .pdf for slides), and print its path with
        the sentence that says what it shows."""
        path = self.out / f"{self.name}_{name}.{style.file_format()}"
        with exit_on_os_error(path), replacing(path) as file:
            style.save(figure, file)
        self._figures.append(path)
        print(f"\nfigure {path}\n  {sentence}")
        if self.in_kernel:
            from IPython.display import Image, display

            display(Image(filename=str(path)))

    def expect(self, what, value, low, high):
        """Record a number that the lesson promises, with the bounds that the spread over seeds
        allows."""
        self.results[what] = {
            "value": float(value),
            "low": low,
            "high": high,
            "ok": bool(low <= value <= high),
        }

    def expect_curve(self, method, losses, bounds):
        """`expect` for the losses of an adaptation curve, {step: (low, high)}."""
        for n, (low, high) in bounds.items():
            self.expect(f"{method} after {n} step{'s' * (n != 1)}", losses[n], low, high)

    def end(self):
        """Print what you should see: each number, its bounds and, in a full run, whether it keeps
        them; save them as JSON."""
        print(
            "\nWhat you should see"
            + ("" if self.full else " in a full run with seed 0 (this one is not)")
        )
        width = max(map(len, self.results))
        for what, r in self.results.items():
            verdict = ("ok" if r["ok"] else "OUT OF BOUNDS") if self.full else ""
            print(
                f"  {what:{width}}  {r['value']:10.4g}   "
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
    """What a command owes its terminal: Ctrl-C in one line, any letter of a path, and no word when
    `| head` has seen enough."""
    sys.excepthook = _one_line_for_ctrl_c
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def named_rng(seed, purpose):
    """A random stream of its own for each purpose, from the start at each call: methods trained or
    judged on the stream of one name see the same tasks, in every lesson."""
    return np.random.default_rng([seed, *purpose.encode()])


def progress(label, total):
    """A callback for meta_train: one rewritten line on a terminal, a line every tenth elsewhere; to
    stderr."""
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
    """Return a type for argparse: whole numbers from `least` to `most`."""
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
    if not text:
        raise argparse.ArgumentTypeError(f"expected a folder; got {text!r}")
    return Path(text)


@contextlib.contextmanager
def exit_on_os_error(path):
    try:
        yield
    except OSError as error:
        sys.exit(f"cannot write {path}: {error.strerror or error}")


def _one_line_for_ctrl_c(kind, error, traceback):
    if issubclass(kind, KeyboardInterrupt):
        line = str(error).partition(";")[0] or "interrupted"
        print(("\n" if sys.stderr.isatty() else "") + f"Stopped: {line}.", file=sys.stderr)
        sys.exit(130)
    sys.__excepthook__(kind, error, traceback)
