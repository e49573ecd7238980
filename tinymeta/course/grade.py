"""Grade the hand-ins of a class: python -m tinymeta.course.grade SUBMISSIONS [--csv FILE]
[--gradescope DIR] [--exercise NAME ...] [--word WORD]

SUBMISSIONS has a folder per student, or Canvas's or Moodle's names (tinymeta.course.submissions).
An answer gets a point for each case in which it is right, on other problems than its author saw.

Each hand-in runs in a process of its own (tinymeta.course.hand_in), which gets arguments and
returns arrays; this process alone knows what is right, judges and writes. Until the class is
finished, what the hand-ins have returned is kept beside the report, so that a run that was killed
can be run again."""

import argparse
import contextlib
import csv
import ctypes
import functools
import hashlib
import io
import itertools
import json
import os
import pickle
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinymeta

from ..extras import storage
from . import diagnosis, grading, hand_in, hunt, submissions
from .problems import EXERCISES

SEEDS = (1, 2, 3)  # of the problems; students see those of seed 0
SECONDS = 20
MEMORY = 1 << 30  # bytes, beyond what the interpreter and NumPy take
PROCESSES = 64  # beyond those that the user has
RESULT_BYTES = 16 << 20  # of what a hand-in returns, all cases together
HUNT = "07_bug_hunt"
NAMES = (*sorted([*EXERCISES, HUNT]),)
READ_BY_PEOPLE = ("10_own_tasks",)
CLAIMS = {"04_first_order_maml": ("FIRST_TO_FAIL", "BY")}
PACKAGE = Path(tinymeta.__file__).parent
FOR_FIGURES = ("style", "png", "lesson", "figures", "notebook", "trained", "widgets")
JUDGING = threading.Lock()  # cases and explanations are made when they are first asked for
START = (
    "import sys; sys.path[:0] = sys.argv[1:]; from tinymeta.course import hand_in; hand_in.main()"
)
KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "TINYMETA_QUICK": "1",
}
BEGINS_A_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")


class NotGraded(Exception):
    """An answer has no points, which is not its fault."""


class Row(NamedTuple):
    """A line of the report; without points where the answer was not graded."""

    student: str
    exercise: str
    points: float | None
    max: float
    message: str


class Outcome(NamedTuple):
    """What has become of a hand-in: why it was stopped, "" if it was not, and what it returned."""

    stopped: str
    returned: bytes


# Running a hand-in


@functools.cache
def cases_of(name):
    """Return the cases of an exercise, one list for each problem."""
    return [[*EXERCISES[name].cases(seed)] for seed in SEEDS]


@functools.cache
def calls_of(name):
    """Return the arguments of all calls, one list for each case, pickled: no truths."""
    cases = (case for problem in cases_of(name) for case in problem)
    return pickle.dumps([[case.arguments, *case.related] for case in cases])


def readable(places):
    """Return {folder: whether a hand-in may read there}: Python and what is installed, the package
    and the class excepted."""
    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values())
    system = ("/usr", "/lib", "/lib64", "/System", "/Library", os.environ.get("SYSTEMROOT"))
    library = (Path(np.__file__).parents[1], *site.getsitepackages(), site.getusersitepackages())
    rules = dict.fromkeys(map(str, filter(None, (*prefixes, *system, *library))), True)
    rules["/dev/urandom"] = True
    if (PACKAGE.parent / "lessons").is_dir():  # a clone
        rules[str(PACKAGE.parent)] = False
    rules |= {str(place): False for place in (PACKAGE, *places)}
    return rules | {str(PACKAGE / "course" / f"{name}.py"): True for name in FOR_FIGURES}


def processes_of_user():
    """Return how many processes and threads this user has, or None where the system does not
    say."""
    if not Path("/proc/self/task").is_dir():
        return None
    count = 0
    for entry in Path("/proc").glob("[0-9]*/task"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == os.getuid():
                count += len(os.listdir(entry))
    return count


def children():
    """Return the numbers of this process's children, where /proc shows them."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            fields = entry.read_bytes().rpartition(b")")[2].split()
            if int(fields[1]) == os.getpid():
                found.add(int(entry.parent.name))
    return found


class Pen:
    """Where hand-ins run: a folder of its own for each, and nothing left of them afterwards.

    On Linux, processes whose parent has ended become children of this one, which ends them: those
    too that have left their group."""

    def __init__(self, places=()):
        self.readable, self.lock = readable(places), threading.Lock()
        processes = processes_of_user()
        self.limits = {
            "seconds": SECONDS,
            "memory": MEMORY,
            "processes": processes and processes + PROCESSES,
        }
        self.known = children()  # ours, and those that were there before
        self.running, self.closed = set(), False

    def __enter__(self):
        self.adopt(True)
        return self

    def __exit__(self, *error):
        self.close()
        self.sweep()
        self.adopt(False)

    def close(self):
        """End the hand-ins that run; no others begin."""
        self.closed = True
        with self.lock:
            for process in self.running:
                kill(process)

    def adopt(self, whether):
        """Make this process the one that orphans below it go to."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(36, int(whether), 0, 0, 0)  # PR_SET_CHILD_SUBREAPER

    def sweep(self):
        """End the processes that hand-ins have left."""
        for _ in range(100):  # those that they start meanwhile, too
            with self.lock:
                strays = children() - self.known
                for pid in strays:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                        os.waitpid(pid, 0)
            if not strays:
                return

    def run(self, name, cells):
        """Run a hand-in on the calls of an exercise, and return its Outcome. Raise NotGraded if it
        has not come to run."""
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work,
            tempfile.TemporaryFile() as job,
            tempfile.TemporaryFile() as results,
            tempfile.TemporaryFile() as log,
        ):
            file = Path(work, f"{name}.py")
            file.write_text("\n".join(cells), encoding="utf-8", errors="surrogatepass")
            about = {
                "exercise": name,
                "answer": EXERCISES[name].answer,
                "values": CLAIMS.get(name, ()),
                "cells": numbered(cells),
                "file": str(file),
                "work": work,
                "readable": self.readable,
                "limits": self.limits,
            }
            pickle.dump(about, job)
            job.write(calls_of(name))
            job.seek(0)
            with self.lock:
                if self.closed:
                    raise NotGraded("the grader was stopped")
                process = start(work, job, results, log)
                self.running.add(process)
                self.known.add(process.pid)
            try:
                stopped = watch(process, results)
            finally:
                kill(process)
                with self.lock:
                    self.running.discard(process)
                    self.known.discard(process.pid)
                self.sweep()
            log.seek(0)
            said = log.read(4000).decode("utf-8", "replace").strip()
            if self.closed:
                raise NotGraded("the grader was stopped")
            if said != hand_in.READY:
                raise NotGraded(f"the grader could not start it ({said or stopped or 'no word'})")
            results.seek(0)
            return Outcome(stopped, results.read(RESULT_BYTES))


def numbered(cells):
    """Return (lines before it in the file, text) of each cell."""
    lengths = (cell.count("\n") + 1 for cell in cells)
    return [*zip(itertools.accumulate(lengths, initial=0), cells)]


def start(work, job, results, log):
    """Start the child program."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), work)
    environment |= ENVIRONMENT
    path = str(PACKAGE.parent), str(Path(np.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-X", "utf8", "-c", START, *path],
        stdin=job,
        stdout=results,
        stderr=log,
        cwd=work,
        env=environment,
        start_new_session=True,
    )


def watch(process, results):
    """Wait for a hand-in to end; return why it has to be stopped, or ""."""
    begin = time.monotonic()
    too_long = f"stopped after {SECONDS} s; an endless loop?"
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = -process.wait(0.1)
            break
        if os.fstat(results.fileno()).st_size > RESULT_BYTES:
            return f"stopped after writing {RESULT_BYTES >> 20} MB"
        if time.monotonic() - begin > SECONDS:
            return too_long
    if code == getattr(signal, "SIGXCPU", None) or time.monotonic() - begin > SECONDS:
        return too_long
    if code == getattr(signal, "SIGKILL", None):
        raise NotGraded("it was killed by another program; is the computer out of memory?")
    return f"it crashed ({signal.Signals(code).name})" if code > 0 else ""


def kill(process):
    """End a process and those of its group; on Windows, those that it has started."""
    if os.name == "nt":
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
    else:
        with contextlib.suppress(OSError):  # it has ended
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# Judging what it has returned


def records(data):
    """Yield (kind, body) of what a hand-in has returned, as far as it can be read: it may have
    written anything."""
    place, head = 0, hand_in.HEADER
    while len(data) - place >= head.size:
        kind, length = head.unpack_from(data, place)
        body = data[place + head.size : place + head.size + length]
        if len(body) < length:
            return
        yield kind, body
        place += head.size + length


def as_array(body):
    """Return the array of an .npy file of plain numbers; raise ValueError if it is none."""
    stream = io.BytesIO(body)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("another version")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype.kind not in "biufc":
            raise ValueError(f"numbers of type {dtype}")
        numbers = np.frombuffer(body, dtype, offset=stream.tell())
        return numbers.reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # a forged header may raise whatever Python's parser does
        raise ValueError(f"what it returned cannot be read: {plain(error)}") from None


def plain(text, most=600):
    """Return a text in one line of printable characters, and not without end."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= most else line[: most - 3] + "..."


def sort_out(returned):
    """Return (results in order, each an array or a sentence; {name: value}; what was refused)."""
    results, values, refused = [], {}, ""
    for kind, body in records(returned):
        if kind == hand_in.ARRAY:
            try:
                results.append(as_array(body))
            except ValueError as error:
                results.append(str(error))
        elif kind == hand_in.VALUES:
            with contextlib.suppress(ValueError, RecursionError):
                found = json.loads(body, parse_int=float)
                values = found if isinstance(found, dict) else {}
        else:
            text = plain(body.decode("utf-8", "replace"))
            if kind == hand_in.REFUSED:
                refused = text
            else:
                results.append(text)
    return results, values, refused


def is_right(case, got):
    """Return whether the result in a case is right: an array, or the sentence why there is none."""
    if diagnosis.no_result(got, case.truth):
        return False
    return bool(diagnosis.error_of(case, got) <= grading.BOUND)


def explain(cases, results):
    """Return what is wrong with the results in some cases, "" if nothing is. Points do not wait for
    an explanation."""
    if all(is_right(case, of_case[0]) for case, of_case in zip(cases, results)):
        return ""
    try:
        return grading.explain(cases, results) or "wrong"
    except Exception as error:
        return f"wrong ({type(error).__name__} on the way to say why: {error})"


def judge(name, outcome):
    """Return (points, most points, message) of a hand-in."""
    results, values, refused = sort_out(outcome.returned)
    queue, points, most, messages = iter(results), 0, 0, []
    for cases in cases_of(name):
        there, most = [], most + len(cases)
        for case in cases:
            first = next(queue, None)
            if first is None:
                break
            skipped = isinstance(first, str)
            there.append([first, *([] if skipped else itertools.islice(queue, len(case.related)))])
        points += sum(is_right(case, got[0]) for case, got in zip(cases, there))
        messages.append(explain(cases[: len(there)], there))
        if len(there) < len(cases):
            messages.append(outcome.stopped or "it ended before it had returned a result")
    if name in CLAIMS:
        right, says = grading.judge_claims(*map(values.get, CLAIMS[name]))
        points, most = points + right, most + 1
        messages.append("" if right else says)
    message = next(filter(None, messages), "")
    if message and outcome.stopped not in message:
        message = f"{message}; {outcome.stopped}"
    if message and refused and refused not in message:
        message = f"{message} (refused: {refused})"
    return points, most, message or "all right"


def judge_hunt(cells, word):
    """Return (points, most points, message) of the bug hunt, which is read and not run."""
    try:
        answers = hunt.read_answers("\n".join(cells))
    except ValueError as error:
        return 0, len(hunt.LETTERS), str(error)
    each = hunt.judge(answers, word)
    points, most = (sum(letter[i] for letter in each.values()) for i in (0, 1))
    wrong = (message for got, best, message in each.values() if got < best)
    return points, most, next(wrong, "all right")


@functools.cache
def most_points(name):
    """Return the most points of an exercise."""
    if name == HUNT:
        return len(hunt.LETTERS)
    return sum(map(len, cases_of(name))) + (name in CLAIMS)


# Keeping what hand-ins have returned until the class is finished


class Kept:
    """A folder of Outcomes. It holds no points: whoever edits it can only change what is judged."""

    def __init__(self, folder):
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, *parts):
        """Return the file of a hand-in: of other code, or another problem, it is another one."""
        digest = hashlib.sha256()
        for part in parts:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        return self.folder / digest.hexdigest()

    def get(self, *parts):
        """Return the Outcome kept, or None."""
        with contextlib.suppress(OSError, ValueError):
            if self.folder is not None:
                with open(self.path(*parts), "rb") as file:
                    stopped = json.loads(file.readline())
                    return Outcome(plain(stopped), file.read(RESULT_BYTES))

    def put(self, outcome, *parts):
        """Keep an Outcome, whole or not at all."""
        if self.folder is not None:
            with storage.replacing(self.path(*parts)) as file:
                file.write(json.dumps(outcome.stopped).encode() + b"\n" + outcome.returned)

    def finish(self):
        """Delete the folder: the reports are written."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


# A class


def grade_answer(student, name, answers, pen, kept, word):
    """Return (points, most points, message) of what a student has handed in for an exercise."""
    most = most_points(name)
    paths = answers.answers.get(name, [])
    if not paths:
        for path in answers.others:
            if path.is_dir():
                raise NotGraded(f"{path.name} cannot be read")
        there = ", ".join(path.name for path in answers.others)
        return 0, most, "not handed in" + (f"; there is {there}" if there else "")
    try:
        texts = {path: submissions.read(path) for path in paths}
    except submissions.Unreadable as error:
        return 0, most, str(error)
    cells = texts[paths[0]]
    if any(other != cells for other in texts.values()):
        files = ", ".join(path.name for path in paths)
        raise NotGraded(f"{len(paths)} files of this exercise: {files}; keep one of them")
    if name == HUNT:
        with JUDGING:
            return judge_hunt(cells, word)
    parts = student, name, calls_of(name), *cells
    outcome = kept.get(*parts)
    if outcome is None:
        outcome = pen.run(name, cells)
        kept.put(outcome, *parts)
    with JUDGING:
        return judge(name, outcome)


def grade_student(student, answers, names, *tools):
    """Return the Rows of a student. A fault of the grader is said, and nobody's zero."""
    rows = []
    for name in names:
        try:
            points, most, message = grade_answer(student, name, answers, *tools)
        except Exception as error:
            kind = "" if isinstance(error, NotGraded) else f"{type(error).__name__}: "
            points, most, message = None, most_points(name), f"not graded: {kind}{error}"
        rows.append(Row(student, name, points, most, plain(message)))
    return rows


def grade(folder, names=NAMES, word=hunt.WORD, kept=None, places=(), progress=None, jobs=2):
    """Grade a folder of submissions.

    Parameters
    ----------
    folder : path
    names : sequence of str
        The exercises.
    word : str
        The course word that has dealt the bug hunt.
    kept : path, optional
        The folder where results are kept until all are there; a later call goes on from it.
    places : sequence of paths
        Further files and folders that hand-ins may not read.
    progress : function, optional
        Called with (students done, of how many, rows of one, seconds).
    jobs : int
        How many students at a time.

    Returns
    -------
    rows : list of Row
        By student and exercise.
    nobodys : list of paths
        Files that tell neither student nor exercise.
    """
    students, nobodys = submissions.find(Path(folder), (*NAMES, *READ_BY_PEOPLE))
    for name in names:
        most_points(name)  # before there are threads
    kept, rows = Kept(kept), {}
    with Pen((Path(folder).resolve(), *places)) as pen, ThreadPoolExecutor(jobs) as pool:

        def timed(student):
            start = time.monotonic()
            done = grade_student(student, students[student], names, pen, kept, word)
            return student, done, time.monotonic() - start

        futures = [pool.submit(timed, student) for student in students]
        try:
            for future in as_completed(futures):
                student, done, seconds = future.result()
                rows[student] = done
                if progress is not None:
                    progress(len(rows), len(students), done, seconds)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            pen.close()
            raise
    return [row for student in students for row in rows[student]], nobodys


# Reports


def cell(value):
    """Return a value as a spreadsheet shows it and does not compute it."""
    text = "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    text = text.encode("utf-8", "replace").decode()  # a file's name may be no text
    return f"'{text}" if BEGINS_A_FORMULA.match(text) else text


def write_csv(rows, file):
    """Write one line per student and exercise."""
    writer = csv.writer(file)
    writer.writerow(Row._fields)
    writer.writerows([cell(value) for value in row] for row in rows)


def folder_names(students):
    """Return {student: the name of a folder}: no path, and no two alike on any system."""
    names, taken = {}, set()
    for student in students:
        name = plain = re.sub(r"[^\w @+-]", "_", student).strip() or "_"
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.casefold())
        names[student] = name
    return names


def results_of(rows):
    """Return the results of a student as Gradescope reads them: without a test for what was not
    graded, which would count as a zero."""
    tests = [
        {
            "name": row.exercise,
            "score": row.points,
            "max_score": row.max,
            "status": "passed" if row.points == row.max else "failed",
            "output": row.message,
            "output_format": "text",
        }
        for row in rows
        if row.points is not None
    ]
    left_out = [f"{row.exercise}: {row.message}" for row in rows if row.points is None]
    return {"output": "\n".join(left_out), "stdout_visibility": "hidden", "tests": tests}


def write_gradescope(rows, folder):
    """Write folder/STUDENT/results.json."""
    names = folder_names(dict.fromkeys(row.student for row in rows))
    for student, name in names.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        results = results_of([row for row in rows if row.student == student])
        with storage.replacing(place / "results.json") as file:
            file.write(json.dumps(results, indent=1).encode())


def show(done, of, rows, seconds):
    """Print a line for a student that has been graded."""
    points = ", ".join(
        f"{row.exercise[:2]} {'-' if row.points is None else f'{row.points:g}'}/{row.max:g}"
        for row in rows
    )
    print(f"{done:3}/{of} {seconds:5.1f} s  {plain(rows[0].student)}: {points}", file=sys.stderr)


def main(arguments=None):
    """Grade as the command line says; return the number of answers that were not graded."""
    parser = argparse.ArgumentParser(
        prog="python -m tinymeta.course.grade",
        usage="%(prog)s SUBMISSIONS [--csv FILE] [--gradescope DIR] [--exercise NAME ...] "
        "[--word WORD]",
        description="Grade a folder of hand-ins: a folder per student, or Canvas's or Moodle's "
        "names. Without --csv and --gradescope, the table goes to standard output.",
    )
    parser.add_argument("submissions", type=Path, metavar="SUBMISSIONS")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="student, exercise, points, ...")
    parser.add_argument(
        "--gradescope", type=Path, metavar="DIR", help="DIR/STUDENT/results.json for each"
    )
    parser.add_argument(
        "--exercise",
        nargs="+",
        action="extend",
        choices=NAMES,
        metavar="NAME",
        dest="names",
        help=f"of {', '.join(NAMES)}; default: all",
    )
    parser.add_argument("--word", default=hunt.WORD, help="the word that has dealt the bug hunt")
    flags = parser.parse_args(arguments)
    if not flags.submissions.is_dir():
        parser.error(f"SUBMISSIONS: expected a folder; got {flags.submissions}")
    if flags.csv is not None and flags.csv.is_dir():
        parser.error(f"--csv: expected a file; got the folder {flags.csv}")
    places = [place.resolve() for place in (flags.csv, flags.gradescope) if place is not None]
    kept = places[0].with_name(f"{places[0].name}.unfinished") if places else None
    begin = time.monotonic()
    rows, nobodys = grade(
        flags.submissions,
        [*dict.fromkeys(flags.names or NAMES)],
        flags.word,
        kept,
        [*places, *filter(None, [kept])],
        show,
    )
    if flags.gradescope is not None:
        write_gradescope(rows, places[-1])
    if flags.csv is not None:
        table = io.StringIO(newline="")
        write_csv(rows, table)
        with storage.replacing(places[0]) as file:
            file.write(table.getvalue().encode())
    elif flags.gradescope is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="")
        write_csv(rows, sys.stdout)
    Kept(kept).finish()
    missed = [row for row in rows if row.points is None]
    for path in nobodys:
        print(f"nobody's, by its name: {plain(path.name)}", file=sys.stderr)
    for row in missed:
        print(f"{plain(row.student)}, {row.exercise}: {row.message}", file=sys.stderr)
    students = len({row.student for row in rows})
    print(
        f"{students} students, {len(rows)} answers, {len(missed)} not graded, "
        f"{time.monotonic() - begin:.0f} s",
        file=sys.stderr,
    )
    return len(missed)


if __name__ == "__main__":
    try:
        sys.exit(main() > 0)
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on from here")
