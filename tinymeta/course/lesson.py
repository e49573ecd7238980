"""A lesson as a command: flags, random streams, progress, saved figures, and expected results.

lesson = Lesson(iterations=40_000, quick=400)
start = model.init(lesson.rng("initialisation"))

def run(iterations):
    return meta_train(..., rng=lesson.rng("training tasks"), iterations=iterations,
                      callback=lesson.progress("MAML", iterations))

theta = lesson.trained("MAML", run)
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
from ..extras.statistics import pack, summarize, unpack
from ..extras.storage import BadFile, replacing
from . import figures, notebook, style, trained, widgets


class Lesson:
    """The command line of a lesson, which is read when the lesson is created, and its output.

    A quick run shows what the full run found: it trains for a second or two, for the reader to
    watch, and goes on with the networks that the full run made, which are shipped. In a notebook a
    run is quick unless a cell sets QUICK = False before; TINYMETA_QUICK=1 makes all runs quick.

    Parameters
    ----------
    name : str or None
        The names of the lesson's outputs begin with it. None: that of its file, without its suffix.
    iterations, quick : int or None
        The meta-steps of the longest training, in full and in a short run; None for a lesson that
        trains nothing.
    seeds : int or None
        The number of networks unless --seeds is given; None: there is no such flag.
    watch : str or None
        The label of the training that a quick run shows; None: the first one.
    watched : int or None
        For how many meta-steps; None: as many as in a short run.

    Raises
    ------
    SystemExit
        If a flag is wrong or the folder for the outputs cannot be written to.

    Attributes
    ----------
    quick, show, tune : bool
    short : bool
        Whether the run is rough: it trains for a short time, and its numbers are not the text's.
    seed : int
    iterations, seeds : int or None
    out : pathlib.Path
        The folder for figures and results.
    full : bool
        Whether the expected results apply: the run is not short, and no flag changes the numbers.
    histories : dict of {str: array}
        The meta-losses of `trained`, as the means of the hundredths of each training.

    Examples
    --------
    >>> import tempfile, unittest.mock
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with unittest.mock.patch("sys.argv", ["00_small.py", "--quick", "--out", folder]):
    ...         lesson = Lesson("00_small", iterations=500, quick=5)
    ...     lesson.expect("loss", 0.5, low=0.0, high=1.0)
    ...     lesson.end()
    no networks are shipped for this lesson: a short training instead
    <BLANKLINE>
    What a short run with seed 0 measured; the text is about the full run
      loss         0.5
    >>> lesson.iterations, lesson.full
    (5, False)
    """

    def __init__(
        self, name=None, iterations=None, quick=None, seeds=None, watch=None, watched=None
    ):
        file = notebook.script(trained.LESSONS)
        home = file.parent if file else trained.LESSONS if trained.LESSONS.is_dir() else Path()
        self.name, self.results = name or (file.stem if file else "lesson"), {}
        parser = argparse.ArgumentParser(
            prog=f"{self.name}.py", description=f"Lesson {self.name}; the file itself is the text."
        )
        parser.add_argument(
            "--quick",
            action="store_true",
            help="10 s at most: watch a short training, then go on with the shipped networks of "
            "the full run",
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
                "--train",
                action="store_true",
                help="with --quick: train for a short time, without the shipped networks",
            )
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
        self.in_kernel = notebook.in_kernel()
        flags = parser.parse_args(notebook.flags())
        self.tune, self.show = flags.tune, flags.show
        self.quick = not self.tune and (flags.quick or notebook.quick())
        # what was chosen on one seed is judged on another
        self.seed = int(self.tune) if flags.seed is None else flags.seed
        self.seeds = getattr(flags, "seeds", None)
        chosen = getattr(flags, "iterations", None)
        usual = self.seed == 0 and self.seeds == seeds and chosen in (None, iterations)
        self.folder, self.made, self.lengths, self.histories = home / "trained", {}, {}, {}
        self.out = flags.out or home / "output"
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.out).close()  # test writability by writing
        except OSError as error:
            other = "" if flags.out else "; choose another folder with --out DIR"
            parser.error(
                f"argument --out: cannot write to {self.out}: {error.strerror or error}{other}"
            )
        if not self.in_kernel:
            configure_terminal()
        elif self.quick:
            print("quick run; a cell with QUICK = False before this one makes it full")
        self.shipped, self.watch, self.watched = None, watch, watched or quick
        if self.quick and iterations and not flags.train:
            self.shipped = self._shipped(usual)
        another = chosen not in (None, iterations)
        self.short = bool(iterations and (another or (self.quick and self.shipped is None)))
        self.iterations = chosen or (quick if self.short else iterations)
        self.full = usual and not self.short and not self.tune
        self.stamp = f"short run: {self.iterations or 0:,} of {iterations or 0:,} meta-steps"
        ignore_false_warnings("")  # in the lesson's own products too
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

    def trained(self, label, run, iterations=None, origin=None):
        """Return the networks that the lesson's full run makes by `run(iterations)`: by running it,
        or, in a quick run, as they are shipped.

        Parameters
        ----------
        label : str
        run : function
            `run(iterations)` trains, and returns what `meta_train` returns: (theta, history).
        iterations : int or None
            None: those of the lesson.
        origin : str or None
            An earlier lesson, whose full run makes the same under the same label: with seed 0 they
            are not trained a second time.

        Returns
        -------
        theta : array (S, P)
        """
        iterations = iterations or self.iterations
        if self.tune:
            return run(iterations)[0]
        if origin not in (None, self.name) and self.seed == 0 and not self.short:
            return self.trained_in(origin, label)
        self._check_new(label)
        name = trained.HISTORY + label
        if self.shipped is not None:
            if self.watch in (None, label):
                self._watch(label, run, iterations)
            self.made[label], means = self._get(label), self._get(name)
        else:
            self.made[label], history = run(iterations)
            self.made[name] = means = trained.thin(history)
            self.lengths[label] = iterations
        self.histories[label] = trained.spread_out(means, iterations)
        return self.made[label]

    def recorded(self, label, compute):
        """Return the array `compute()` in float32: by computing it, or, in a quick run, as it is
        shipped. For what takes more than a second."""
        if self.tune:
            return np.asarray(compute(), np.float32)
        self._check_new(label)
        shipped = self.shipped is not None
        self.made[label] = self._get(label) if shipped else np.asarray(compute(), np.float32)
        return self.made[label]

    def judged(self, label, compute, metric="loss"):
        """Return the Summary of the adaptation curve that `compute()` returns: by computing it, or,
        in a quick run, as it is shipped."""
        packed = self.recorded(label, lambda: pack(summarize(compute(), metric)))
        return unpack(packed)

    def trained_in(self, lesson, label):
        """Return the networks that the full run of another lesson made, and say so."""
        path = self.folder / f"{lesson}.npz"
        made, lengths = self._load(path)
        if label not in lengths:
            raise ValueError(f"label: expected one of {', '.join(lengths)}; got {label!r}")
        self.histories[label] = trained.spread_out(made[trained.HISTORY + label], lengths[label])
        print(
            f"{label}: networks of the full run of lesson {lesson[:2]} "
            f"({lengths[label]:,} meta-steps, seed 0)"
        )
        return made[label]

    def _check_new(self, label):
        if label in self.made:
            raise ValueError(f"label: expected one that is new in this lesson; got {label!r} again")

    def _shipped(self, usual):
        """Return the arrays that are shipped for this run, or None and say why."""
        path = self.folder / f"{self.name}.npz"
        if usual and path.exists():
            return self._load(path)[0]
        if usual:
            print("no networks are shipped for this lesson: a short training instead")
        else:
            print(
                "the shipped networks are those of the full run with seed 0: this short run trains"
            )
        return None

    def _load(self, path):
        again = f"python -m tinymeta.course.trained {path.stem} makes it again"
        try:
            return trained.load(path)
        except BadFile as error:
            sys.exit(f"{error}; {again}")
        except OSError as error:
            sys.exit(f"cannot read {path}: {error.strerror or error}; {again}")

    def _get(self, label):
        if label not in self.shipped:
            sys.exit(
                f"{self.folder / self.name}.npz has no {label!r}: the lesson was changed after its "
                f"full run; python -m tinymeta.course.trained {self.name} makes it again"
            )
        return self.shipped[label]

    def _watch(self, label, run, iterations):
        """Train for a short time, draw how the meta-loss falls, and say what follows."""
        self.watch, n = "", min(self.watched, iterations)  # once
        history = np.reshape(run(n)[1], (n, -1))
        part = max(1, n // 10)
        first, last = history[:part].mean(), history[-part:].mean()
        self.save(
            figures.plot_history({label: history}, f"{n:,} of {iterations:,} meta-steps"),
            "watch",
            f"{label} in {n:,} meta-steps: the mean meta-loss of the first tenth is {first:.2f}, "
            f"of the last {last:.2f}.",
        )
        print(
            f"The networks of this run are those of the full run ({label}: {iterations:,} "
            "meta-steps, seed 0)"
        )

    def save(self, figure, name, sentence):
        """Save the figure as OUT/LESSON_name.png (.svg or .pdf for slides), and print its path and
        the sentence, which says in numbers what the figure shows."""
        path = self.out / f"{self.name}_{name}.{style.file_format()}"
        if self.short:
            style.stamp(figure, self.stamp)
        with exit_on_os_error(path), replacing(path) as file:
            style.save(figure, file, name, sentence)
        print(f"\nfigure {path.name if self.in_kernel else path}\n  {sentence}")
        if self.in_kernel:
            notebook.show_figure(path, sentence)

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
        """Print each expected result, and save them as JSON; a full run, or a quick one with its
        networks, says whether each is within its bounds, and a script exits with status 1 if one is
        not. A run that trained saves its networks, for `tinymeta.course.trained`."""
        if self.tune:
            print("\n--tune: this lesson has no settings to search")
        length = "short" if self.short else "full"
        about = f"What a {length} run with seed {self.seed} measured; the text is about "
        about += "the full run" if self.seed == 0 else "seed 0"
        print("\nWhat you should see" if self.full else f"\n{about}")
        width = max(map(len, self.results))
        for name, r in self.results.items():
            line = f"  {name:{width}}  {r['value']:10.4g}"
            if self.full:
                verdict = "ok" if r["ok"] else "OUT OF BOUNDS"
                line += f"   from {r['low']:g} to {r['high']:g}   {verdict}"
            wrong = self.full and self.in_kernel and not r["ok"]
            print(notebook.RED + line + notebook.PLAIN if wrong else line)
        path = self.out / f"{self.name}.json"
        with exit_on_os_error(path), replacing(path) as file:
            file.write(json.dumps(self.results, indent=1).encode())
        if self.made and self.shipped is None:
            path = self.out / f"{self.name}.npz"
            with exit_on_os_error(path):
                trained.save(path, self.made, self.lengths)
        if self.show and not self.in_kernel:
            widgets.show_windows()
        if self.full and not self.in_kernel and not all(r["ok"] for r in self.results.values()):
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
    """Return a callback for meta_train that reports progress on stderr, for stdout has what is the
    same in every run: in a terminal or a notebook in one line that is rewritten, elsewhere in one
    line per 10 %."""
    start, stream = time.perf_counter(), sys.stderr
    rewritten = notebook.in_kernel() or stream.isatty()
    every = max(1, total // (200 if rewritten else 10))

    def callback(iteration, *_):
        last = iteration + 1 == total
        if iteration and (iteration + 1) % every and not last:
            return
        done, seconds = 100 * (iteration + 1) // total, time.perf_counter() - start
        line = f"  {label}: {done:3d} % of {total}, {seconds:.0f} s"
        end = "\n" if last or not rewritten else ""
        print(("\r" if rewritten else "") + line, end=end, file=stream, flush=True)

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
