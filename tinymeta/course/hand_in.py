"""The child program of tinymeta.course.grade: run one hand-in on the arguments of its cases.

It is given arguments, never what is right, and returns arrays for the grader to judge. Before the
student's first line runs, the exercise's answers are taken out of the library for good, limits are
set on time, memory, files and processes where the system has them, and files outside the folder,
other programs, the network and native code are refused. It is a fence, not a prison: whoever gets
over it can still return nothing but arrays, to be judged like any other."""

import builtins
import contextlib
import importlib
import io
import json
import os
import pickle
import pkgutil
import signal
import struct
import sys
import traceback
import types

import numpy as np

from .. import course, extras
from . import fence

try:
    import resource
except ImportError:  # Windows has none of these limits
    resource = None

__builtins__ = dict(vars(builtins))  # of its own: what a hand-in makes of them is no matter here
READY = "ready"
MODULE = "hand_in"  # the name of the module that a hand-in is run as
FILE_BYTES = 16 << 20  # the largest file that a hand-in may write, its results included
ARRAY_BYTES = 1 << 20  # no right answer is nearly as large
HEADER = struct.Struct(">cQ")  # of a record: its kind, and the length of what follows
ARRAY, TEXT, VALUES, REFUSED = b"A", b"T", b"V", b"R"
PROGRAMS = ("fork", "forkpty", "system", "exec", "posix_spawn", "spawn", "startfile", "kill")
REFUSED_EVENTS = {
    "subprocess.Popen": "start another program",
    **{f"os.{name}": "start or stop another program" for name in (*PROGRAMS, "killpg")},
    "pty.spawn": "start another program",
    "resource.setrlimit": "change its limits",
    "resource.prlimit": "change its limits",
    "gc.get_objects": "search the memory",
    "gc.get_referrers": "search the memory",
    "gc.get_referents": "search the memory",
    "os.link": "link files",
    "os.symlink": "link files",
    "sqlite3.connect": "open a database",
    "sqlite3.connect/handle": "open a database",
}
REFUSED_FAMILIES = {  # by the part of an event's name before the dot
    "socket": "use the network",
    "ctypes": "call native code",
    "winreg": "use the registry",
    "_winapi": "start another program",
}
CHANGES = {  # an event: which of its arguments are files that it changes
    "os.remove": [0],
    "os.rename": [0, 1],
    "os.rmdir": [0],
    "os.mkdir": [0],
    "os.truncate": [0],
    "os.chmod": [0],
    "os.chown": [0],
    "os.utime": [0],
    "os.setxattr": [0],
    "os.removexattr": [0],
    "os.chflags": [0],
    "shutil.rmtree": [0],
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Refused(PermissionError):
    """A hand-in has tried what the fence is there to stop."""


def make_hook(work, readable, refusals):
    """Return an audit hook that refuses what a hand-in has no need of, and notes it in the list
    `refusals`: to read what is not `readable` {path: bool}, and to write outside `work`. The rule
    of the nearest folder holds."""
    events, families, changes = dict(REFUSED_EVENTS), dict(REFUSED_FAMILIES), dict(CHANGES)
    stat, decode, paths = os.stat, os.fsdecode, (str, bytes, os.PathLike)

    def identify(path):
        """Return what tells a file from all others, whatever links and dots lead to it."""
        try:
            found = stat(path)
        except (OSError, ValueError):
            return None
        return found.st_dev, found.st_ino

    writable = {identify(work): True, identify(os.devnull): True}
    rules = {identify(path): rule for path, rule in readable.items()} | writable
    loadable = rules | {identify(work): False}
    for each in (writable, rules, loadable):
        each.pop(None, None)

    def allowed(path, rules):
        path = decode(path)
        place = identify(path)
        if place in rules:
            return rules[place]
        folder = path.replace(os.altsep or "/", "/").replace(os.sep, "/").rpartition("/")
        folder, above = folder[0] + folder[1] or ".", None
        place = identify(folder)
        if place is None:
            return True  # as the system will say, there is no such file
        while place != above:
            if place in rules:
                return rules[place]
            folder, above = f"{folder}/..", place
            place = identify(folder)
        return False

    def refuse(what):
        if len(refusals) < 3 and what not in refusals:
            refusals.append(what)
        raise Refused(f"a hand-in may not {what} while it is graded")

    def check(path, rules, what):
        if isinstance(path, paths) and not allowed(path, rules):
            refuse(f"{what} {decode(path)}")

    def hook(event, args):
        family = event.partition(".")[0]
        if event == "open":
            path, mode, flags = args
            if any(c in mode for c in "wax+") if mode else (flags or 0) & WRITES:
                check(path, writable, "write")
            else:
                check(path, rules, "read")
        elif event == "import":
            check(args[1], loadable, "load")  # the file of an extension module, or None
        elif event in events:
            refuse(events[event])
        elif event in changes:
            for i in changes[event]:
                check(args[i], writable, "change")
        elif family in families:
            refuse(families[family])

    return hook


def set_limits(seconds, memory, processes):
    """Limit what this process may use, where the system knows how; it ends by itself even if the
    grader is no longer there to end it."""
    if resource is None:
        return
    limits = {"CPU": seconds, "FSIZE": FILE_BYTES, "CORE": 0, "NPROC": processes}
    with contextlib.suppress(OSError):
        with open("/proc/self/statm") as file:
            limits["AS"] = int(file.read().split()[0]) * resource.getpagesize() + memory
    for name, limit in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None and limit is not None:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(number, (limit, limit + (name == "CPU")))
    signal.setitimer(signal.ITIMER_REAL, seconds + 5)


def take_answers_away(exercise):
    """Exchange the code of the functions that the exercise asks for. Nothing keeps the old code:
    whatever has got hold of such a function has an empty one."""
    for function in fence.out_of_reach(exercise):
        function.__code__ = fence.stopped(function)


class Nothing(types.ModuleType):
    """A module whose functions do nothing: a hand-in calls `grading.check`, and the grader judges.
    And a notebook's shell."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **options: None


def prepare(job):
    """Load what hand-ins import, take away the answers, and put up the fence; return the list of
    what it will refuse."""
    for module in pkgutil.iter_modules(extras.__path__):
        importlib.import_module(f"{extras.__name__}.{module.name}")
    name = f"{course.__name__}.grading"
    course.grading = sys.modules[name] = Nothing(name)
    builtins.get_ipython = lambda: Nothing("shell")
    builtins.display = lambda *objects, **options: None
    take_answers_away(job["exercise"])
    refusals = []
    with contextlib.suppress(ImportError):
        import _posixsubprocess

        def fork_exec(*arguments):
            sys.audit("subprocess.Popen")

        _posixsubprocess.fork_exec = fork_exec  # it has no event of its own
    os.chdir(job["work"])
    sys.path.insert(0, job["work"])
    sys.argv = [job["file"]]
    set_limits(**job["limits"])
    sys.addaudithook(make_hook(job["work"], job["readable"], refusals))
    return refusals


def describe(error):
    """Return the words for what stopped a file before its function was there."""
    lines = [
        number
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == MODULE
    ]
    line, words = lines[-1:], error
    if isinstance(error, SyntaxError):
        line, words = [error.lineno], error.msg
    where = f" in line {line[0]}" if any(line) else ""
    return f"the file stops with {type(error).__name__}{where}: {words}"


def execute(job):
    """Return the names of a hand-in after its cells have run, and why the first that failed did."""
    module, failed = types.ModuleType(MODULE), ""
    sys.modules[MODULE] = module
    names = vars(module)
    names |= {"__file__": job["file"], "__builtins__": builtins}
    for line, text in job["cells"]:
        try:
            code = compile("\n" * line + text, job["file"], "exec", dont_inherit=True)
            exec(code, names)
        except (Exception, SystemExit) as error:
            failed = failed or describe(error)
    return names, failed


def compute(job, cases, send):
    """Run a hand-in: send the values asked for, and the results of each case as `grading.attempt`
    has them."""
    names, failed = execute(job)
    answer = names.get(job["answer"])
    if not callable(answer):
        return send(TEXT, failed or f"there is no function {job['answer']}")
    with contextlib.suppress(ValueError, RecursionError):  # of a list that is in itself
        values = {name: names.get(name) for name in job["values"]}
        send(VALUES, json.dumps(values, default=as_json)[:ARRAY_BYTES])
    for first, *related in cases:
        try:
            result = fence.run(job["exercise"], answer, first)
            send_result(result, failed, send)
            if not isinstance(result, str):
                for arguments in related:
                    send_result(fence.run(job["exercise"], answer, arguments), failed, send)
        except fence.Blank:
            return send(TEXT, f"still blank: write {job['answer']}")


def as_json(value):
    """Return what stands in JSON for a value that it does not know."""
    numbers = isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biuf"
    return value.tolist() if numbers else repr(value)


def send_result(result, failed, send):
    """Send an array, or the sentence that says why there is none."""
    if isinstance(result, str):
        send(TEXT, result + (f" (before that, {failed})" if failed else ""))
    elif result.nbytes > ARRAY_BYTES:
        send(TEXT, f"it returns an array of shape {result.shape}")
    else:
        buffer = io.BytesIO()
        np.save(buffer, result, allow_pickle=False)
        send(ARRAY, buffer.getvalue())


def main():
    """Read the job from stdin, say `ready` on stderr, and write the results to what stdout was."""
    results = os.dup(1)
    job, cases = (pickle.load(sys.stdin.buffer) for _ in range(2))  # the grader's own
    refusals = prepare(job)
    print(READY, file=sys.stderr)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for stream in (0, 1, 2):
            os.dup2(nothing.fileno(), stream)

    def send(kind, body):
        body = body if isinstance(body, bytes) else body.encode("utf-8", "replace")
        os.write(results, HEADER.pack(kind, len(body)) + body)

    try:
        compute(job, cases, send)
    except MemoryError:
        send(TEXT, "it needs more memory than there is")
    except BaseException as error:  # such as one of the student's own
        send(TEXT, f"it stops with {type(error).__name__}")
    if refusals:
        send(REFUSED, "; ".join(refusals))
    os._exit(0)  # whatever threads are still running
