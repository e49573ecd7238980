"""The child program of the grader, piece by piece in this process; test_grade.py runs it whole."""

import io
import json
import os
import pickle
import sys
import types

import numpy as np
import pytest

from tinymeta.course import fence, hand_in

# The fence


@pytest.fixture
def places(tmp_path):
    """Return (a hook, what it has refused, its folders)."""
    folders = [tmp_path / name for name in ("work", "library", "library/package", "elsewhere")]
    for folder in folders:
        folder.mkdir()
        (folder / "file.py").write_text("1", encoding="utf-8")
    work, library, package, elsewhere = folders
    (package / "style.py").write_text("1", encoding="utf-8")
    rules = {str(library): True, str(package): False, str(package / "style.py"): True}
    rules[str(tmp_path / "gone")] = True
    refused = []
    hook = hand_in.make_hook(str(work), rules, refused)
    return hook, refused, (work, library, package, elsewhere)


def is_refused(hook, event, *arguments):
    try:
        hook(event, arguments)
    except hand_in.Refused:
        return True
    return False


def test_files_may_be_read_where_the_nearest_folder_says_so(places):
    hook, _, (work, library, package, elsewhere) = places
    for path in (
        work / "file.py",
        work / "new.py",
        library,
        library / "file.py",
        package / "style.py",
        os.devnull,
        library / "new.py",
        os.fsencode(library),
    ):
        assert not is_refused(hook, "open", path, "r", 0), path
        assert not is_refused(hook, "open", path, None, os.O_RDONLY), path
    for path in (
        package,
        package / "file.py",
        package / "new.py",
        elsewhere,
        elsewhere / "file.py",
        elsewhere / "new.py",
        os.fsencode(elsewhere),
        "/",
    ):
        assert is_refused(hook, "open", path, "r", 0), path
        assert is_refused(hook, "open", path, None, os.O_RDONLY), path
    assert not is_refused(hook, "open", 3, "r", 0)  # a file that is open
    # for the system to say that there is none
    assert not is_refused(hook, "open", elsewhere / "no" / "new.py", "r", 0)
    assert not is_refused(hook, "os.mkdir", work / "no" / "new", -1)


def test_files_may_be_written_in_the_working_folder_alone(places):
    hook, _, (work, library, package, _) = places
    for mode in ("w", "a", "x", "r+", "wb"):
        assert not is_refused(hook, "open", work / "new.py", mode, 0)
        assert not is_refused(hook, "open", os.devnull, mode, 0)
        assert is_refused(hook, "open", library / "new.py", mode, 0)
        assert is_refused(hook, "open", package / "style.py", mode, 0)
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND):
        assert not is_refused(hook, "open", work / "new.py", None, flag)
        assert is_refused(hook, "open", library / "new.py", None, flag)


def test_links_and_dots_lead_where_they_lead(places, monkeypatch):
    hook, _, (work, library, package, elsewhere) = places
    assert is_refused(hook, "open", str(elsewhere / "new.py"), "r", 0)
    os.symlink(elsewhere, library / "in")
    os.symlink(library, elsewhere / "out")
    assert is_refused(hook, "open", library / "in" / "file.py", "r", 0)
    assert is_refused(hook, "open", library / "in" / "new.py", "r", 0)
    assert not is_refused(hook, "open", elsewhere / "out" / "file.py", "r", 0)
    assert is_refused(hook, "open", f"{library}/../elsewhere/file.py", "r", 0)
    assert is_refused(hook, "open", f"{library}/in/../work/../elsewhere/new.py", "r", 0)
    monkeypatch.chdir(work)
    assert not is_refused(hook, "open", "file.py", "w", 0)
    assert not is_refused(hook, "open", "new.py", "w", 0)
    assert is_refused(hook, "open", "../new.py", "w", 0)
    monkeypatch.chdir(elsewhere)
    assert is_refused(hook, "open", "file.py", "r", 0) and is_refused(hook, "open", "new", "r", 0)
    assert is_refused(hook, "open", "\0", "r", 0)


def test_nothing_changes_outside_the_working_folder(places):
    hook, _, (work, library, *_) = places
    for event in (
        "remove",
        "rmdir",
        "mkdir",
        "truncate",
        "chmod",
        "chown",
        "utime",
        "setxattr",
        "removexattr",
        "chflags",
    ):
        assert not is_refused(hook, f"os.{event}", work / "new", -1)
        assert is_refused(hook, f"os.{event}", library / "new", -1), event
    assert is_refused(hook, "os.rename", work / "file.py", library / "file.py")
    assert is_refused(hook, "os.rename", library / "file.py", work / "file.py")
    assert not is_refused(hook, "os.rename", work / "file.py", work / "new.py")
    assert is_refused(hook, "shutil.rmtree", library, None)


def test_programs_the_network_native_code_and_the_memory_are_out_of_reach(places):
    hook, refused, (work, library, *_) = places
    for event in (
        "subprocess.Popen",
        "os.fork",
        "os.forkpty",
        "os.system",
        "os.exec",
        "os.spawn",
        "os.posix_spawn",
        "os.startfile",
        "os.kill",
        "os.killpg",
        "pty.spawn",
        "socket.connect",
        "socket.__new__",
        "ctypes.dlopen",
        "ctypes.dlsym/handle",
        "winreg.OpenKey",
        "_winapi.CreateProcess",
        "gc.get_objects",
        "gc.get_referrers",
        "gc.get_referents",
        "resource.setrlimit",
        "resource.prlimit",
        "os.link",
        "os.symlink",
        "sqlite3.connect",
        "sqlite3.connect/handle",
    ):
        assert is_refused(hook, event, "a", "b"), event
    assert is_refused(hook, "import", "mine", str(work / "file.py"), None, None, None)
    assert not is_refused(hook, "import", "theirs", str(library / "file.py"), None, None, None)
    assert not is_refused(hook, "import", "theirs", None, None, None, None)
    for event in ("compile", "exec", "os.listdir", "sys._getframe", "object.__getattr__", "open2"):
        assert not is_refused(hook, event, "a", "b")


def test_what_was_refused_is_noted_three_times_at_most_and_once_each(places):
    hook, refused, (work, library, package, elsewhere) = places
    for path in (package / "file.py", package / "file.py", elsewhere):
        with pytest.raises(PermissionError, match=f"a hand-in may not read .*{path.name} while it"):
            hook("open", (path, "r", 0))
    assert refused == [f"read {package / 'file.py'}", f"read {elsewhere}"]
    with pytest.raises(hand_in.Refused, match="may not write"):
        hook("open", (elsewhere, "w", 0))
    with pytest.raises(hand_in.Refused, match="may not start or stop another program"):
        hook("os.fork", ())
    assert len(refused) == 3 and refused[-1] == f"write {elsewhere}"


def test_a_hand_in_cannot_empty_the_lists_of_a_hook(places, monkeypatch):
    hook, _, (*_, elsewhere) = places
    for name in ("REFUSED_EVENTS", "REFUSED_FAMILIES", "CHANGES"):
        monkeypatch.setattr(hand_in, name, {})
    for name in ("REFUSED_EVENTS", "REFUSED_FAMILIES", "CHANGES"):
        assert is_refused(hook, "os.fork") and is_refused(hook, "socket.connect")
        assert is_refused(hook, "os.remove", elsewhere, -1)
    monkeypatch.setattr("builtins.isinstance", lambda *a: False)
    refused = is_refused(hook, "open", elsewhere, "r", 0)
    monkeypatch.undo()
    assert refused


# Limits


class FakeResource:
    RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_AS = range(5)

    def __init__(self):
        self.limits = {}

    def setrlimit(self, number, limits):
        if number == self.RLIMIT_FSIZE:
            raise ValueError("not allowed to raise maximum limit")
        self.limits[number] = limits

    def getpagesize(self):
        return 4096


def test_limits_are_set_where_the_system_has_them(monkeypatch):
    fake, timers = FakeResource(), []
    monkeypatch.setattr(hand_in, "resource", fake)
    monkeypatch.setattr(hand_in.signal, "setitimer", lambda *a: timers.append(a))
    hand_in.set_limits(20, 1 << 30, 100)
    assert fake.limits[fake.RLIMIT_CPU] == (20, 21)  # the first ends it, the second for sure
    assert fake.limits[fake.RLIMIT_CORE] == (0, 0) and fake.limits[fake.RLIMIT_NPROC] == (100, 100)
    assert timers == [(hand_in.signal.ITIMER_REAL, 25)]
    if sys.platform == "linux":
        low, high = fake.limits[fake.RLIMIT_AS]
        assert low == high and 1 << 30 < low < 1 << 40
    fake.limits.clear()
    hand_in.set_limits(20, 1 << 30, None)
    assert fake.RLIMIT_NPROC not in fake.limits
    monkeypatch.setattr(hand_in, "resource", None)
    hand_in.set_limits(20, 1 << 30, None)
    assert len(timers) == 2


def test_answers_are_taken_away_for_good(monkeypatch):
    factor = 3

    def three_times(x):
        return factor * x

    def one():
        return 1

    held = three_times
    monkeypatch.setattr(fence, "out_of_reach", lambda name: {three_times, one} if name else set())
    hand_in.take_answers_away("03_maml")
    for function in (held, one):
        with pytest.raises(RuntimeError, match=f"^{function.__name__}: that is what you are writ"):
            function(2)


def test_a_module_of_nothing():
    nothing = hand_in.Nothing("grading")
    assert nothing.check("03_maml", None, FIRST_TO_FAIL=1) is None
    assert not hasattr(nothing, "__path__")


# Running


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return a function that runs the cells of a hand-in for exercise 3, and returns what it
    sends."""
    monkeypatch.setitem(sys.modules, hand_in.MODULE, None)  # put back afterwards

    def run(*cells, cases=(), values=()):
        lines, parts = 0, []
        for cell in cells:
            parts.append((lines, cell))
            lines += cell.count("\n") + 1
        file = tmp_path / "03_maml.py"
        file.write_text("\n".join(cells), encoding="utf-8")
        job = {"exercise": "03_maml", "answer": "maml_grad", "values": values, "cells": parts}
        sent = []
        hand_in.compute(
            job | {"file": str(file)}, cases, lambda kind, body: sent.append((kind, body))
        )
        return sent

    return run


def arrays(sent):
    return [np.load(io.BytesIO(body)) for kind, body in sent if kind == hand_in.ARRAY]


ADD = "def maml_grad(model, theta, rate):\n    return theta + rate\n"
THETA = np.arange(3.0)


def test_results_come_case_by_case_first_the_cases_own(run):
    cases = [[(None, THETA, 1), (None, THETA, 2)], [(None, THETA, 3)]]
    sent = run(ADD, cases=cases)
    assert [kind for kind, _ in sent] == [hand_in.VALUES] + [hand_in.ARRAY] * 3
    assert [array.tolist() for array in arrays(sent)] == [[1, 2, 3], [2, 3, 4], [3, 4, 5]]


def test_where_a_case_has_no_result_the_related_ones_are_not_run(run):
    one = ADD + "    \ndef maml_grad(model, theta, rate):\n    return theta / (rate - 1)[0]\n"
    rate = np.array([1.0])
    sent = run(one, cases=[[(None, THETA, 1), (None, THETA, 2)], [(None, THETA, rate + 2)]])
    assert [kind for kind, _ in sent[1:]] == [hand_in.TEXT, hand_in.ARRAY]
    assert "TypeError in line 5, `return theta / (rate - 1)[0]`" in sent[1][1]


def test_values_are_sent_as_json_whatever_they_are(run):
    code = "import numpy as np\nA, B, D = np.float64(0.5), 'x', np.arange(2)\n" + ADD
    (kind, body), *_ = run(code, values=("A", "B", "C", "D"))
    assert kind == hand_in.VALUES
    assert json.loads(body) == {"A": 0.5, "B": "x", "C": None, "D": [0, 1]}
    (kind, body), *_ = run("A = {'b': 1j}\n" + ADD, values=("A",))
    assert json.loads(body) == {"A": {"b": "1j"}}
    assert run("A = []\nA.append(A)\n" + ADD, values=("A",)) == []
    assert len(run("A = 'a' * 9999999\n" + ADD, values=("A",))[0][1]) == hand_in.ARRAY_BYTES


def test_a_blank_a_missing_function_and_a_file_that_stops_are_told(run):
    cases = [[(None, THETA, 1)]] * 3
    blank = "def maml_grad(*arguments):\n    raise NotImplementedError\n"
    assert run(blank, cases=cases)[1:] == [(hand_in.TEXT, "still blank: write maml_grad")]
    assert run("x = 1", cases=cases) == [(hand_in.TEXT, "there is no function maml_grad")]
    assert run("maml_grad = 3", cases=cases) == [(hand_in.TEXT, "there is no function maml_grad")]
    ((kind, says),) = run("x = 1\n\ny = x + z\n" + ADD)
    assert says == "the file stops with NameError in line 3: name 'z' is not defined"
    ((kind, says),) = run("x = 1\nx = (\n")
    assert says == "the file stops with SyntaxError in line 2: '(' was never closed"
    ((kind, says),) = run("x = '\0'\n")
    assert says.startswith("the file stops with ") and " in line" not in says
    ((kind, says),) = run("import sys\nsys.exit('enough')\n")
    assert says == "the file stops with SystemExit in line 2: enough"
    ((kind, says),) = run("def f():\n    int('a')\nf()\n")
    assert says.startswith("the file stops with ValueError in line 2: ")
    ((kind, says),) = run("def f():\n    int('a')\nimport numpy\nnumpy.vectorize(f)()\n")
    assert says.startswith("the file stops with ") and " in line " in says


def test_the_cells_after_one_that_fails_run_too_and_lines_are_counted_through(run):
    sent = run("x = 1\n", "undefined\n", ADD, cases=[[(None, THETA, 1)], [(None, THETA, "a")]])
    assert len(arrays(sent)) == 1
    says = sent[-1][1]
    assert "in line 6, `return theta + rate`" in says
    assert says.endswith(
        "(before that, the file stops with NameError in line 3: name 'undefined' is not defined)"
    )


def test_the_future_of_this_file_is_not_that_of_a_hand_in(run):
    code = "def f(x: int): pass\nassert f.__annotations__['x'] is int\n" + ADD
    assert run(code)[0][0] == hand_in.VALUES


def test_a_hand_in_has_pythons_own_builtins(run):
    code = "import builtins\nbuiltins.of_mine = 1\nof_mine\ndel builtins.of_mine\n"
    assert run(code + ADD)[0][0] == hand_in.VALUES


def test_a_hand_in_is_not_run_as_a_command_and_is_a_module_of_its_own(run):
    code = "if __name__ == '__main__':\n    1 / 0\nimport sys, pickle\n"
    code += "class A: pass\npickle.loads(pickle.dumps(A()))\nassert __file__.endswith('.py')\n"
    assert run(code + ADD)[0][0] == hand_in.VALUES


def test_a_large_array_is_not_sent():
    sent = []
    hand_in.send_result(np.zeros(hand_in.ARRAY_BYTES // 8), "", lambda *a: sent.append(a))
    hand_in.send_result(np.zeros((9, hand_in.ARRAY_BYTES // 8)), "", lambda *a: sent.append(a))
    assert sent[0][0] == hand_in.ARRAY
    assert sent[1] == (hand_in.TEXT, f"it returns an array of shape (9, {len(arrays(sent)[0])})")


# The program


def test_preparing_loads_what_hand_ins_import_and_puts_up_the_fence_last(monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr(hand_in, "take_answers_away", lambda name: done.append(name))
    monkeypatch.setattr(hand_in, "set_limits", lambda **limits: done.append(limits))
    monkeypatch.setattr(sys, "addaudithook", lambda hook: done.append(hook))
    monkeypatch.setattr(os, "chdir", lambda folder: done.append(folder))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", ["-c", "library"])
    monkeypatch.setattr(hand_in.course, "grading", None, raising=False)
    monkeypatch.setitem(sys.modules, "tinymeta.course.grading", None)
    for name in ("get_ipython", "display"):
        monkeypatch.setattr(hand_in.builtins, name, None, raising=False)
    fake = types.ModuleType("_posixsubprocess")
    monkeypatch.setitem(sys.modules, "_posixsubprocess", fake)
    monkeypatch.setattr(sys, "audit", lambda event: done.append(event))
    job = {"exercise": "03_maml", "work": str(tmp_path), "file": "03_maml.py", "readable": {}}
    refused = hand_in.prepare(job | {"limits": {"seconds": 1}})
    assert refused == [] and done[:3] == ["03_maml", str(tmp_path), {"seconds": 1}]
    with pytest.raises(hand_in.Refused):
        done[3]("os.fork", ())
    assert refused == ["start or stop another program"]
    assert sys.path[0] == str(tmp_path) and sys.argv == ["03_maml.py"]
    from tinymeta.course import grading

    assert grading.check("03_maml", None) is None and sys.modules[grading.__name__] is grading
    assert hand_in.builtins.get_ipython().run_line_magic("matplotlib", "inline") is None
    assert hand_in.builtins.display(1, raw=True) is None
    fake.fork_exec([], b"")
    assert done[4:] == ["subprocess.Popen"]


@pytest.fixture
def whole(monkeypatch, tmp_path):
    """Return a function that runs the program with a job, and returns what it wrote."""
    log, dups, results = io.StringIO(), [], (tmp_path / "results").open("w+b", buffering=0)

    def run(compute, refused=()):
        data = io.BytesIO()
        pickle.dump({"exercise": "03_maml"}, data)
        pickle.dump([["calls"]], data)
        data.seek(0)
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=data))
        monkeypatch.setattr(sys, "stderr", log)
        monkeypatch.setattr(hand_in, "prepare", lambda job: [*refused])
        monkeypatch.setattr(hand_in, "compute", compute)
        monkeypatch.setattr(os, "dup", {1: results.fileno()}.get)
        monkeypatch.setattr(os, "dup2", lambda old, new: dups.append(new))
        monkeypatch.setattr(os, "_exit", lambda code: dups.append(f"exit {code}"))
        hand_in.main()
        monkeypatch.undo()
        results.seek(0)
        return results.read(), log.getvalue(), dups

    with results:
        yield run


def test_the_program_says_ready_shuts_its_streams_and_writes_records(whole):
    def compute(job, cases, send):
        assert job == {"exercise": "03_maml"} and cases == [["calls"]]
        send(hand_in.TEXT, "θ")
        send(hand_in.ARRAY, b"123")

    written, log, done = whole(compute, ["read a", "write b"])
    assert log == "ready\n" and done == [0, 1, 2, "exit 0"]
    bodies = {b"T": "θ".encode(), b"A": b"123", b"R": b"read a; write b"}
    assert written == b"".join(
        hand_in.HEADER.pack(kind, len(body)) + body for kind, body in bodies.items()
    )


def test_the_program_says_that_memory_is_short(whole):
    def compute(job, cases, send):
        raise MemoryError

    written, *_ = whole(compute)
    assert written.endswith(b"it needs more memory than there is") and written.count(b"R") == 0


def test_the_program_names_an_exception_that_is_none(whole):
    def compute(job, cases, send):
        raise KeyboardInterrupt

    assert whole(compute)[0].endswith(b"it stops with KeyboardInterrupt")
