"""The grader of a class: what it judges, what it writes, and that nothing is left of a hand-in."""

import csv
import ctypes
import inspect
import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import hand_ins
import numpy as np
import pytest
from hand_ins import BROKEN, CHEATS, ENDLESS, ODD, ROOT, solution

from tinymeta.course import grade, grading, hand_in, hunt, submissions

ONE = "01_backward"  # whose cases are made in no time
EMPTY = submissions.Student({}, [])
SEEDS = grade.SEEDS


@pytest.fixture(autouse=True)
def one_problem(request, monkeypatch):
    """Grade on one problem, unless a test says that it is slow."""
    cached = grade.cases_of, grade.calls_of, grade.most_points
    if "slow" not in request.keywords:
        monkeypatch.setattr(grade, "SEEDS", (1,))
        for function in cached:
            function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def pack(*records):
    return b"".join(hand_in.HEADER.pack(kind, len(body)) + body for kind, body in records)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return hand_in.ARRAY, file.getvalue()


def truths(name):
    """Return the records of a hand-in that is right, on related arguments too (some numbers)."""
    return [
        npy(case.truth)
        for problem in grade.cases_of(name)
        for case in problem
        for _ in range(1 + len(case.related))
    ]


def judge(name, *records, stopped=""):
    return grade.judge(name, grade.Outcome(stopped, pack(*records)))


# Judging


def test_what_is_right_has_a_point_for_each_case():
    cases = len(grade.cases_of(ONE)[0])
    assert judge(ONE, *truths(ONE)) == (cases, cases, "all right")
    assert grade.most_points(ONE) == cases == 8
    wrong = npy(2 * grade.cases_of(ONE)[0][3].truth)
    right = truths(ONE)
    points, most, message = judge(ONE, *right[:3], wrong, *right[4:])
    assert (points, most) == (cases - 1, cases) and message.startswith("it is 2 times")


def test_a_result_may_be_off_by_rounding_alone():
    case = grade.cases_of(ONE)[0][0]
    assert grade.is_right(case, case.truth * (1 + 1e-12))
    assert not grade.is_right(case, case.truth * (1 + 1e-9))
    assert not grade.is_right(case, case.truth.astype(complex))
    assert not grade.is_right(case, case.truth[None])
    assert not grade.is_right(case, np.full_like(case.truth, np.nan))
    assert not grade.is_right(case, np.full_like(case.truth, np.inf))
    assert not grade.is_right(case, "all right")
    for size in (1e-300, 1e300):
        assert not grade.is_right(case, np.full_like(case.truth, size))


def test_results_on_related_arguments_do_not_count(monkeypatch):
    cases = [case._replace(related=(case.arguments,) * 2) for case in grade.cases_of(ONE)[0]]
    monkeypatch.setattr(grade, "cases_of", lambda name: [cases])
    records, zeros = truths(ONE), npy(np.zeros_like(cases[0].truth))
    assert len(records) == 24 and judge(ONE, *records) == (8, 8, "all right")
    records[1:3] = [zeros, zeros]
    assert judge(ONE, *records)[0] == 8
    records[0:3] = [(hand_in.TEXT, b"it stops")]  # then the related ones are not sent
    points, most, message = judge(ONE, *records)
    assert (points, most) == (7, 8) and "it stops" in message


def test_what_came_before_the_end_counts_and_the_end_is_told():
    right = truths(ONE)
    assert judge(ONE, *right[:3]) == (3, 8, "it ended before it had returned a result")
    assert judge(ONE, *right[:3], stopped="stopped after 20 s") == (3, 8, "stopped after 20 s")
    zeros = npy(np.zeros_like(grade.cases_of(ONE)[0][0].truth))
    points, _, message = judge(ONE, zeros, *right[1:3], stopped="stopped after 20 s")
    assert points == 2 and message.startswith("where it is wrong, every entry is 0")
    assert message.endswith("; stopped after 20 s")
    assert judge(ONE) == (0, 8, "it ended before it had returned a result")
    assert judge(ONE, *right, stopped="it crashed")[:2] == (8, 8)


def test_what_was_refused_is_told_where_something_is_wrong():
    refused = hand_in.REFUSED, "read θ".encode()
    assert judge(ONE, refused)[2].endswith("result (refused: read θ)")
    assert judge(ONE, *truths(ONE), refused)[2] == "all right"
    said = hand_in.TEXT, "may not read θ".encode()
    assert judge(ONE, said, refused)[2].count("read θ") == 1


def test_the_message_is_of_the_first_problem_that_is_wrong(monkeypatch):
    monkeypatch.setattr(grade, "SEEDS", (1, 2))
    right = truths(ONE)
    assert judge(ONE, *right[:8]) == (8, 16, "it ended before it had returned a result")
    words = iter(["", "second"])
    monkeypatch.setattr(grade, "explain", lambda *a: next(words))
    assert judge(ONE, *right)[2] == "second"


def test_points_do_not_wait_for_an_explanation(monkeypatch):
    def fail(cases, results):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(grading, "explain", fail)
    wrong = npy(2 * grade.cases_of(ONE)[0][0].truth)
    points, _, message = judge(ONE, wrong, *truths(ONE)[1:])
    assert points == 7 and message.startswith("wrong (ZeroDivisionError")
    assert judge(ONE, *truths(ONE))[0] == 8
    monkeypatch.setattr(grading, "explain", lambda *a: "")
    assert judge(ONE, wrong, *truths(ONE)[1:])[2] == "wrong"


@pytest.mark.parametrize(
    "values, points, says",
    [
        ({"FIRST_TO_FAIL": 3, "BY": 1}, 0, "right"),
        ({"FIRST_TO_FAIL": "x", "BY": 2}, 0, "not"),
        ({}, 0, "not"),
        ([1], 0, "not"),
    ],
)
def test_the_claims_of_exercise_4_are_a_point_of_their_own(values, points, says, monkeypatch):
    name, asked = "04_first_order_maml", []

    def judge_claims(first, by):
        asked.append((first, by))
        return first == 3, f"claims: {by}"

    monkeypatch.setattr(grading, "judge_claims", judge_claims)
    monkeypatch.setattr(grade, "cases_of", lambda name: [[]])
    grade.most_points.cache_clear()
    right = says == "right"
    got = judge(name, (hand_in.VALUES, json.dumps(values).encode()))
    given = values if isinstance(values, dict) else {}
    by = given.get("BY")
    assert asked == [(given.get("FIRST_TO_FAIL"), by)] and isinstance(
        asked[0][1], (float, type(None))
    )
    assert got == (int(right), 1, "all right" if right else f"claims: {asked[0][1]}")
    assert grade.most_points(name) == 1


def test_the_hunt_is_read_and_judged_by_the_course_word():
    points, most, message = grade.judge_hunt([solution("07_bug_hunt")], hunt.WORD)
    assert points == most == len(hunt.LETTERS) == grade.most_points("07_bug_hunt")
    assert message == "all right"
    points, most, message = grade.judge_hunt([solution("07_bug_hunt")], "another word")
    assert 0 <= points < most and message[:2] in [f"{letter}:" for letter in hunt.LETTERS]
    assert grade.judge_hunt(["x = ("], hunt.WORD)[:2] == (0, len(hunt.LETTERS))
    cells = ["ANSWERS = {}\n", "ANSWERS['A'] = 3\n"]
    assert "got 3" in grade.judge_hunt(cells, hunt.WORD)[2]


# What a hand-in returns may be anything


def test_arrays_come_as_they_were():
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.ones((2, 3))),
        np.float32(1),
        np.arange(3),
        np.array([True]),
        np.array([1j]),
        np.zeros((0, 3)),
    ):
        got = grade.as_array(npy(array)[1])
        assert got.dtype == array.dtype and got.tolist() == array.tolist()


def header(text, version=b"\x01\x00"):
    head = text.ljust(117).encode() + b"\n"
    return b"\x93NUMPY" + version + len(head).to_bytes(2, "little") + head


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x93NUMPY", b"PK\x03\x04", b"\x80\x04pickle", header("(" * 110), header("{}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}") + b"1" * 8,
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}") + b"1" * 9,
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}") + b"1" * 8,
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"1" * 8,
        header("{'descr': '|S8', 'fortran_order': False, 'shape': (1,)}") + b"1" * 8,
        header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}") + b"1" * 8,
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", b"\x02\x00") + b"1" * 8,
    ],
)  # fmt: skip
def test_what_is_no_array_is_said_and_takes_no_memory(body):
    with pytest.raises(ValueError, match="what it returned cannot be read: "):
        grade.as_array(body)
    assert grade.sort_out(pack((hand_in.ARRAY, body)))[0][0].startswith("what it returned cannot")


def test_records_end_where_they_cannot_be_read():
    one = pack((b"A", b"123"))
    assert [*grade.records(one + one)] == [(b"A", b"123")] * 2
    assert [*grade.records(b"")] == [*grade.records(one[:-1])] == []
    assert [*grade.records(one + hand_in.HEADER.pack(b"A", 1 << 62) + b"x" * 99)] == [
        (b"A", b"123")
    ]
    assert [*grade.records(pack((b"A", b"")) + b"12345678")] == [(b"A", b"")]
    assert [*grade.records(np.random.default_rng(0).bytes(999))] == []


def test_values_that_are_no_json_are_none():
    for body in (b"{", b"[" * 99999, b"3", b"null", b"\xff", b""):
        assert grade.sort_out(pack((hand_in.VALUES, body))) == ([], {}, "")
    values = grade.sort_out(pack((hand_in.VALUES, b'{"A": 3, "B": ' + b"9" * 999 + b"}")))[1]
    assert values == {"A": 3.0, "B": np.inf} and isinstance(values["A"], float)


def test_words_are_in_one_line_printable_and_not_without_end():
    assert grade.plain("a\r\n\tb\x1b[31m\u202e θ") == "a b [31m θ"
    assert grade.plain("x" * 600) == "x" * 600 and grade.plain("x" * 601) == "x" * 597 + "..."
    assert grade.plain(ValueError("a"), 2) == "a" and grade.plain("abcdef", 5) == "ab..."
    results = grade.sort_out(pack((hand_in.TEXT, b"\xff" + "θ".encode())))[0]
    assert results == ["\ufffdθ"]


# Running


def processes():
    """Return the numbers of all processes."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")


def run(monkeypatch, code, seconds=20):
    """Run some code in the place of the child program; return its Outcome."""
    ready = f"import os, sys; print({hand_in.READY!r}, file=sys.stderr, flush=True)\n"
    monkeypatch.setattr(grade, "START", ready + code)
    monkeypatch.setattr(grade, "SECONDS", seconds)
    with grade.Pen() as pen:
        return pen.run(ONE, ["x = 1\n"])


def test_the_child_is_given_arguments_and_no_truths(monkeypatch):
    sent = run(monkeypatch, "sys.stdout.buffer.write(sys.stdin.buffer.read())").returned
    case = grade.cases_of(ONE)[0][0]
    assert case.arguments[1].tobytes() in sent and case.truth.tobytes() not in sent
    assert b"tinymeta" in sent and b"explain" not in sent


def test_the_child_has_a_folder_and_an_environment_of_its_own(monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    code = "import json, tempfile; here = os.getcwd()\n"
    code += "print(json.dumps([here, os.listdir(), dict(os.environ), tempfile.gettempdir(), "
    code += "sys.flags.utf8_mode, sys.flags.isolated, sys.argv[1:], open('01_backward.py').read()"
    code += "]))"
    folder, listed, environment, temporary, utf8, isolated, path, text = json.loads(
        run(monkeypatch, code).returned
    )
    assert listed == ["01_backward.py"] and text == "x = 1\n" and not os.path.exists(folder)
    assert os.path.samefile(os.path.dirname(temporary), os.path.dirname(folder))
    assert environment["HOME"] == folder and "SECRET" not in environment
    assert environment["OPENBLAS_NUM_THREADS"] == environment["OMP_NUM_THREADS"] == "1"
    assert environment["VECLIB_MAXIMUM_THREADS"] == "1" == environment["MKL_NUM_THREADS"]
    assert environment["MPLBACKEND"] == "Agg" and environment["TINYMETA_QUICK"] == "1"
    assert (utf8, isolated) == (1, 1) and str(ROOT) in path


def test_a_hand_in_is_stopped_after_its_seconds(monkeypatch):
    assert run(monkeypatch, "import time; time.sleep(60)", 0.3).stopped == (
        "stopped after 0.3 s; an endless loop?"
    )


@pytest.mark.parametrize(
    "signal_number, says",
    [
        (signal.SIGSEGV, "it crashed (SIGSEGV)"),
        (getattr(signal, "SIGXCPU", 24), "stopped after 20"),
    ],
)
def test_the_way_a_hand_in_ends_is_told(signal_number, says, monkeypatch):
    assert run(monkeypatch, f"os.kill(os.getpid(), {int(signal_number)})").stopped.startswith(says)


def test_an_exit_is_a_regular_end(monkeypatch):
    assert run(monkeypatch, "print(1); sys.stdout.flush(); os._exit(3)") == ("", b"1\n")


def test_what_ends_from_outside_is_not_graded(monkeypatch):
    with pytest.raises(grade.NotGraded, match="killed by another program"):
        run(monkeypatch, "os.kill(os.getpid(), 9)")
    monkeypatch.setattr(grade, "START", "print('no memory')\n1 / 0")
    with (
        grade.Pen() as pen,
        pytest.raises(grade.NotGraded, match="(?s)could not start.*ZeroDivision"),
    ):
        pen.run(ONE, [])
    monkeypatch.setattr(grade, "START", "pass")
    with grade.Pen() as pen, pytest.raises(grade.NotGraded, match=r"start it \(no word\)"):
        pen.run(ONE, [])
    with pytest.raises(grade.NotGraded, match="the grader was stopped"):
        pen.run(ONE, [])  # it is closed


def test_endless_results_are_cut_off(monkeypatch):
    monkeypatch.setattr(grade, "RESULT_BYTES", 1 << 20)
    outcome = run(monkeypatch, "while True: print('x' * 99999)")
    assert outcome.stopped == "stopped after writing 1 MB" and len(outcome.returned) == 1 << 20


@LINUX
def test_nothing_runs_on_when_a_hand_in_has_ended(monkeypatch):
    code = """
import time
for i in range(3):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        print(os.getpid(), flush=True)
        time.sleep(30)  # it does not outlive a test that was stopped
time.sleep(0.2); os._exit(0)
"""
    printed = run(monkeypatch, code).returned.split()
    assert len(printed) > 3 and not processes() & {*map(int, printed)}


def test_what_is_stopped_with_the_grader_is_not_graded(monkeypatch):
    monkeypatch.setattr(grade, "START", f"import sys; print({hand_in.READY!r}, file=sys.stderr)")
    with grade.Pen() as pen, pytest.raises(grade.NotGraded, match="the grader was stopped"):
        monkeypatch.setattr(grade, "watch", lambda process, results: process.wait() or pen.close())
        pen.run(ONE, [])


def test_on_windows_a_hand_in_ends_with_all_that_it_has_started(monkeypatch):
    done = []
    monkeypatch.setattr(grade, "os", SimpleNamespace(name="nt"))
    monkeypatch.setattr(grade.subprocess, "run", lambda command, **options: done.append(command))
    grade.kill(SimpleNamespace(pid=7, wait=lambda: done.append("waited")))
    assert done == [["taskkill", "/T", "/F", "/PID", "7"], "waited"]


@LINUX
def test_orphans_are_adopted_while_hand_ins_run_and_no_longer():
    def adopts():
        answer = ctypes.c_int()
        ctypes.CDLL(None).prctl(37, ctypes.byref(answer), 0, 0, 0)  # PR_GET_CHILD_SUBREAPER
        return answer.value

    with grade.Pen():
        assert adopts() == 1
    assert adopts() == 0


@LINUX
def test_what_was_there_before_is_left_alone(monkeypatch):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as mine:
        run(monkeypatch, "pass")
        assert mine.poll() is None and mine.pid in grade.children()


def test_the_end_of_one_hand_in_is_not_that_of_another(monkeypatch):
    ready = f"import os, sys; print({hand_in.READY!r}, file=sys.stderr, flush=True)\n"
    monkeypatch.setattr(grade, "START", ready + f"exec(open('{ONE}.py').read())")
    with grade.Pen() as pen, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(pen.run, ONE, ["import time; time.sleep(0.3); print('A')"])
        while not pen.running:
            time.sleep(0.01)
        assert pen.run(ONE, ["print('B')"]) == ("", b"B\n") and not slow.done()
        assert slow.result() == ("", b"A\n")


def test_a_stopped_grader_stops_its_hand_ins(monkeypatch):
    with grade.Pen() as pen:
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
        )
        pen.running.add(process)
        pen.known.add(process.pid)
    assert process.returncode == -signal.SIGKILL


def test_where_a_hand_in_may_read(monkeypatch, tmp_path):
    rules = grade.readable([tmp_path])
    assert rules[sys.prefix] and rules[sys.base_prefix] and rules["/usr"] and rules["/dev/urandom"]
    assert rules[str(grade.PACKAGE.parent)] is rules[str(grade.PACKAGE)] is False
    assert rules[str(tmp_path)] is False and rules[str(grade.PACKAGE / "course" / "style.py")]
    assert rules[os.path.dirname(os.path.dirname(np.__file__))] and None not in rules
    monkeypatch.setattr(grade, "PACKAGE", tmp_path / "installed" / "tinymeta")
    rules = grade.readable([])
    assert str(tmp_path / "installed") not in rules and not rules[str(grade.PACKAGE)]


def test_the_processes_of_the_user_are_counted(monkeypatch):
    assert grade.processes_of_user() is None or grade.processes_of_user() >= 1
    for found, limit in ((None, None), (10, 10 + grade.PROCESSES)):
        monkeypatch.setattr(grade, "processes_of_user", lambda found=found: found)
        assert grade.Pen().limits["processes"] == limit


def test_the_limits_are_those_that_the_guide_names():
    assert (grade.SECONDS, grade.MEMORY, grade.PROCESSES, SEEDS) == (20, 1 << 30, 64, (1, 2, 3))
    assert grade.RESULT_BYTES == hand_in.FILE_BYTES == 16 << 20 and hand_in.ARRAY_BYTES == 1 << 20
    assert submissions.FILE_BYTES == 20 << 20 and submissions.CODE_BYTES == 1 << 20


def test_two_students_are_graded_at_a_time():
    assert inspect.signature(grade.grade).parameters["jobs"].default == 2


def test_lines_are_counted_from_cell_to_cell():
    cells = ["a", "b\nc\n", "d"]
    assert grade.numbered(cells) == [(0, "a"), (1, "b\nc\n"), (4, "d")]
    assert "\n".join(cells).split("\n")[4] == "d"


# Keeping


def test_what_is_kept_comes_back_for_the_same_hand_in_alone(tmp_path):
    kept = grade.Kept(tmp_path / "a" / "kept")
    outcome = grade.Outcome("stopped θ", b"1\n2\x00")
    assert kept.get("ann", ONE, b"calls", "x = 1") is None
    kept.put(outcome, "ann", ONE, b"calls", "x = 1")
    assert kept.get("ann", ONE, b"calls", "x = 1") == outcome
    for other in (
        ("bob", ONE, b"calls", "x = 1"),
        ("ann", ONE, b"calls", "x = 2"),
        ("ann", ONE, b"call", "sx = 1"),
        ("ann", "03", b"calls", "x = 1"),
    ):
        assert kept.get(*other) is None
    (file,) = (tmp_path / "a" / "kept").iterdir()
    for data in (b"", b"{", b"3\n1", b"\xff\n", b"[]\nx"):
        file.write_bytes(data)
        got = kept.get("ann", ONE, b"calls", "x = 1")
        assert got is None or isinstance(got.stopped, str)
    kept.finish()
    kept.finish()  # nor does it matter that there is none
    assert not (tmp_path / "a" / "kept").exists()


def test_without_a_folder_nothing_is_kept():
    kept = grade.Kept(None)
    kept.put(grade.Outcome("", b""), "ann")
    assert kept.get("ann") is None and kept.finish() is None


# Reports


def test_a_cell_is_shown_and_not_computed():
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", " =1"):
        assert grade.cell(text) == f"'{text}"
    for value, shown in {
        "a=1": "a=1",
        3: "3",
        8.0: "8",
        0.5: "0.5",
        None: "",
        "\udce4": "?",
    }.items():
        assert grade.cell(value) == shown


ROWS = [
    grade.Row("=ann", ONE, 7, 8, "every entry, is 0"),
    grade.Row("=ann", "03_maml", None, 6, "not graded: two files"),
    grade.Row("Zoë", ONE, 8.0, 8.0, "all right"),
]


def test_the_table_is_one_that_python_reads():
    file = io.StringIO(newline="")
    grade.write_csv(ROWS, file)
    file.seek(0)
    read = [*csv.DictReader(file)]
    assert [*read[0]] == ["student", "exercise", "points", "max", "message"]
    assert [row["points"] for row in read] == ["7", "", "8"] and read[2]["max"] == "8"
    assert read[0]["student"] == "'=ann" and read[0]["message"] == "every entry, is 0"


# https://gradescope-autograders.readthedocs.io/en/latest/specs/
GRADESCOPE = set("score execution_time output output_format test_output_format test_name_format "
                 "visibility stdout_visibility extra_data tests leaderboard".split())  # fmt: skip
GRADESCOPE_TEST = set("score max_score status name name_format number output output_format tags "
                      "visibility extra_data".split())  # fmt: skip


def check_gradescope(results):
    """Check results against Gradescope's published fields."""
    assert set(results) <= GRADESCOPE
    assert results["stdout_visibility"] in (
        "hidden",
        "after_due_date",
        "after_published",
        "visible",
    )
    for test in results["tests"]:
        assert set(test) <= GRADESCOPE_TEST and {"name", "score", "max_score", "output"} <= set(
            test
        )
        assert isinstance(test["name"], str) and isinstance(test["output"], str)
        assert 0 <= test["score"] <= test["max_score"] and test["status"] in ("passed", "failed")
        assert test["output_format"] in ("text", "html", "simple_format", "md", "ansi")
    return {test["name"]: (test["score"], test["max_score"]) for test in results["tests"]}


def test_results_have_gradescopes_fields_and_no_zero_for_what_was_not_graded(tmp_path):
    grade.write_gradescope(ROWS, tmp_path / "new")
    results = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in (tmp_path / "new").glob("*/results.json")
    }
    assert {*results} == {"_ann", "Zoë"}
    assert check_gradescope(results["_ann"]) == {ONE: (7, 8)}
    assert check_gradescope(results["Zoë"]) == {ONE: (8, 8)}
    assert results["_ann"]["output"] == "03_maml: not graded: two files"
    assert [test["status"] for test in results["_ann"]["tests"] + results["Zoë"]["tests"]] == [
        "failed", "passed",
    ]  # fmt: skip


def test_a_students_name_leads_nowhere_else():
    names = grade.folder_names(["..", ".", "a/b", "a\\b", "A_B", "C:", "", " ", "Zoë Roe", "con\n"])
    assert [*names.values()] == [
        "__", "_", "a_b", "a_b_2", "A_B_3", "C_", "__2", "__3", "Zoë Roe", "con_",
    ]  # fmt: skip


# A class


def test_a_class_from_the_command_line(tmp_path, capsys, monkeypatch):
    folder, outside = tmp_path / "class", tmp_path / "outside"
    outside.mkdir()
    (folder / "bob").mkdir(parents=True)
    cheat = "exec(open({!r}).read())".format(str(ROOT / "tests" / "solutions" / f"{ONE}.py"))
    hand_ins.write(folder / "=ann" / f"{ONE}.py", solution(ONE), outside)
    hand_ins.write(folder / f"eve_1_2_{ONE}-1.py", cheat, outside)
    hand_ins.write(folder / "notes.txt", "", outside)
    table, results = tmp_path / "grades.csv", tmp_path / "results"
    command = [folder, "--csv", table, "--gradescope", results, "--exercise", ONE]
    monkeypatch.setattr(sys, "argv", ["grade", *map(str, command)])
    assert grade.main() == 0
    with open(table, encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert [(student, row["points"], row["max"]) for student, row in rows.items()] == [
        ("'=ann", "8", "8"), ("bob", "0", "8"), ("eve", "0", "8"),
    ]  # fmt: skip
    assert rows["'=ann"]["message"] == "all right" and rows["bob"]["message"] == "not handed in"
    assert "a hand-in may not read" in rows["eve"]["message"]
    assert {path.name for path in results.iterdir()} == {"_ann", "bob", "eve"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "class", "outside", "grades.csv", "results",
    }  # fmt: skip
    printed = capsys.readouterr()
    assert printed.out == "" and "notes.txt" in printed.err
    assert "3/3" in printed.err and "3 students, 3 answers, 0 not graded" in printed.err


def test_without_a_file_the_table_is_printed(tmp_path, capsys):
    (tmp_path / "ann").mkdir()
    twice = ["--exercise", ONE, "--exercise", "07_bug_hunt", ONE]
    grade.main([str(tmp_path), *twice, "--word", "oak"])
    rows = [*csv.reader(io.StringIO(capsys.readouterr().out))]
    assert rows[1:] == [
        ["ann", ONE, "0", "8", "not handed in"],
        ["ann", "07_bug_hunt", "0", "8", "not handed in"],
    ]
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path / "none")])
    assert "SUBMISSIONS: expected a folder; got" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path), "--csv", str(tmp_path)])
    assert "--csv: expected a file; got the folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        grade.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "Grade a folder of hand-ins",
        "positional arguments: SUBMISSIONS",
        "--csv FILE student, exercise, points",
        "--exercise NAME [NAME ...]",
        "--gradescope DIR DIR/STUDENT/results.json for each",
        f"of {', '.join(grade.NAMES)}; default: all",
        "the word that has dealt the bug hunt",
    ):
        assert words in said
    with pytest.raises(SystemExit):
        grade.main([str(tmp_path), "--exercise", "03"])
    said = capsys.readouterr().err
    assert "invalid choice: '03'" in said and said.startswith(
        "usage: python -m tinymeta.course.gra"
    )


def test_by_default_all_exercises_are_graded_with_the_projects_word(tmp_path, monkeypatch, capsys):
    given = []

    def nobody(*arguments):
        given.extend(arguments)
        return [], []

    monkeypatch.setattr(grade, "grade", nobody)
    table = tmp_path / "new" / "grades.csv"
    table.parent.mkdir()
    assert grade.main([str(tmp_path), "--csv", str(table)]) == 0
    folder, names, word, kept, places, progress = given
    assert (folder, names, word) == (tmp_path, [*grade.NAMES], hunt.WORD)
    assert len(names) == 9 and names == sorted(names) and progress is grade.show
    assert kept == table.with_name("grades.csv.unfinished") and places == [table, kept]
    assert "0 students, 0 answers, 0 not graded" in capsys.readouterr().err


def test_the_table_is_printed_in_utf_8_whatever_the_terminal_has(tmp_path, monkeypatch):
    (tmp_path / "Zoë").mkdir()
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", stdout)
    grade.main([str(tmp_path), "--exercise", "07_bug_hunt"])
    stdout.flush()
    assert stdout.buffer.getvalue().decode().splitlines()[1].startswith("Zoë,07_bug_hunt,0,8,")


def test_the_command_ends_with_a_code_and_ctrl_c_with_a_line(tmp_path, monkeypatch, capsys):
    def run():
        monkeypatch.delitem(sys.modules, "tinymeta.course.grade", raising=False)
        with pytest.raises(SystemExit) as stopped:
            runpy.run_module("tinymeta.course.grade", run_name="__main__")
        return stopped.value.code

    monkeypatch.setattr(sys, "argv", ["grade", str(tmp_path), "--exercise", "07_bug_hunt"])
    assert run() == 0
    hand_ins.write(tmp_path / "ann" / "07_bug_hunt.py", "x = 1", tmp_path)
    hand_ins.write(tmp_path / "ann" / "07_bug_hunt-1.py", "x = 2", tmp_path)
    assert run() == 1 and "keep one of them" in capsys.readouterr().err

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(submissions, "find", interrupt)
    assert run() == "stopped: the same command goes on from here"


class FakePen:
    """Runs nothing: each hand-in is right, if it says so."""

    def __init__(self, *places):
        self.runs = []

    def run(self, name, cells):
        self.runs.append(cells)
        if "fault" in cells[0]:
            raise OSError("no space left on device")
        return grade.Outcome("", pack(*truths(name)) if "right" in cells[0] else b"")


def answers(folder, **files):
    """Return a Student who has handed in these files for exercise 1."""
    paths = []
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
        paths.append(folder / f"{name}.py")
    return submissions.Student({ONE: paths}, [])


def rows_of(student, pen=None, kept=None, names=(ONE,)):
    kept = kept or grade.Kept(None)
    return [
        row[2:] for row in grade.grade_student("ann", student, names, pen or FakePen(), kept, "")
    ]


def test_a_fault_of_the_grader_is_nobodys_zero(tmp_path):
    rows = rows_of(answers(tmp_path, a="fault"))
    assert rows == [(None, 8, "not graded: OSError: no space left on device")]


def test_two_files_of_one_exercise_are_not_graded_unless_they_are_the_same(tmp_path):
    assert rows_of(answers(tmp_path, a="right", b="wrong")) == [
        (None, 8, "not graded: 2 files of this exercise: a.py, b.py; keep one of them")
    ]
    assert rows_of(answers(tmp_path, a="right", b="right")) == [(8, 8, "all right")]


def test_what_is_unreadable_or_missing_is_told(tmp_path):
    assert rows_of(answers(tmp_path, a=" ")) == [(0, 8, "the file is empty")]
    other = submissions.Student({}, [tmp_path / "essay.pdf", tmp_path / "b.txt"])
    assert rows_of(other) == [(0, 8, "not handed in; there is essay.pdf, b.txt")]
    assert rows_of(EMPTY, names=(ONE, ONE)) == [(0, 8, "not handed in")] * 2
    folder = submissions.Student({}, [tmp_path])
    assert rows_of(folder) == [(None, 8, f"not graded: {tmp_path.name} cannot be read")]


def test_a_hand_in_that_is_kept_is_not_run_again_but_judged_again(tmp_path):
    kept, pen = grade.Kept(tmp_path / "kept"), FakePen()
    student = answers(tmp_path, a="right")
    assert rows_of(student, pen, kept) == rows_of(student, pen, kept) == [(8, 8, "all right")]
    assert pen.runs == [["right"]]
    (file,) = (tmp_path / "kept").iterdir()
    file.write_bytes(b'""\n' + pack((hand_in.TEXT, b"all right")))
    assert rows_of(student, pen, kept)[0][0] == 0  # whoever edits it has no points for it
    student = answers(tmp_path, a="fault")
    assert rows_of(student, pen, kept)[0][0] is None
    assert len([*(tmp_path / "kept").iterdir()]) == 1  # a fault is not kept


def test_a_class_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    for student in ("ann", "bob", "eve"):
        hand_ins.write(tmp_path / "class" / student / f"{ONE}.py", f"right  # {student}", tmp_path)
    runs = []

    def run(self, name, cells):
        runs.append(cells[0][-3:])
        time.sleep(0.03)
        return grade.Outcome("", pack(*truths(name)))

    def interrupt(*progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade.Pen, "run", run)
    kept = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        grade.grade(tmp_path / "class", [ONE], kept=kept, progress=interrupt, jobs=1)
    before = len(runs)
    shown = []
    rows, _ = grade.grade(tmp_path / "class", [ONE], kept=kept, progress=lambda *p: shown.append(p))
    assert sorted(runs) == ["ann", "bob", "eve"] and 1 <= before <= 2
    assert [(row.student, row.points) for row in rows] == [("ann", 8), ("bob", 8), ("eve", 8)]
    assert [progress[:2] for progress in shown] == [(1, 3), (2, 3), (3, 3)]
    assert all(0 <= seconds < 60 for *_, seconds in shown)


def test_one_is_judged_at_a_time(tmp_path, monkeypatch):
    for student in ("ann", "bob", "eve", "joe"):
        hand_ins.write(tmp_path / student / f"{ONE}.py", "right", tmp_path)
        hand_ins.write(tmp_path / student / "07_bug_hunt.py", "right", tmp_path)
    judging, seen = [], []

    def judge(*arguments):
        judging.append(1)
        seen.append(len(judging))
        time.sleep(0.005)
        judging.pop()
        return 1, 1, ""

    monkeypatch.setattr(grade.Pen, "run", lambda *a: grade.Outcome("", b""))
    monkeypatch.setattr(grade, "judge", judge)
    monkeypatch.setattr(grade, "judge_hunt", judge)
    rows, _ = grade.grade(tmp_path, [ONE, "07_bug_hunt"], jobs=4)
    assert seen == [1] * 8 and [row.points for row in rows] == [1] * 8


# Everything, slowly


def check_class(rows, expected, most):
    """Check the points of a class, and return the messages {what it is: message}."""
    messages = {}
    for row in rows:
        student = max((s for s in {s for s, _ in expected} if s in row.student), key=len)
        what, points = expected[student, row.exercise]
        assert row.points is not None and row.max == most[row.exercise], row
        got = "all" if row.points == row.max else "some" if row.points else "none"
        assert got == points, (what, row)
        messages[what] = row.message
    return messages


WORDS = {
    **{f"cheat: {what}": words for what, (_, _, words) in {**CHEATS, **ENDLESS}.items()},
    **{f"odd: {what}": "all right" for what in ODD},
    **{f"broken: {what}": words for what, (_, _, _, words, _) in BROKEN.items()},
    "a solution": "all right",
}


@pytest.mark.slow
def test_a_class_of_sixty_in_three_layouts(tmp_path):
    """It prints what it measures: python -m pytest -m slow -s -k class_of_sixty"""
    folder, outside = tmp_path / "class", tmp_path / "outside"
    outside.mkdir()
    (outside / "there").write_text("before", encoding="utf-8")
    names = [name for name in hand_ins.NAMES if name in grade.NAMES]
    expected = hand_ins.write_class(folder, outside, names=names)
    kinds = [what.partition(":")[0] for what, _ in expected.values()]
    assert kinds.count("cheat") >= 15 and kinds.count("odd") >= 12 and kinds.count("broken") >= 10
    measured = "import resource, sys; from tinymeta.course import grade; grade.main()\n"
    measured += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    command = [sys.executable, "-c", measured, str(folder), "--exercise", *names]
    table, results = tmp_path / "grades.csv", tmp_path / "results"
    begin, before = time.monotonic(), processes() if os.path.isdir("/proc") else set()
    done = subprocess.run(
        [*command, "--csv", str(table), "--gradescope", str(results)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    seconds = time.monotonic() - begin
    assert done.returncode == 0 and ", 0 not graded, " in done.stderr, done.stderr[-2000:]
    with open(table, encoding="utf-8", newline="") as file:
        rows = [
            grade.Row(
                r["student"], r["exercise"], *map(float, (r["points"], r["max"])), r["message"]
            )
            for r in csv.DictReader(file)
        ]
    assert len(rows) == 60 * len(names) == len({row[:2] for row in rows})
    messages = check_class(rows, expected, {name: grade.most_points(name) for name in names})
    for what, message in messages.items():
        assert WORDS[what] in message, (what, message)
    assert {path.name for path in outside.iterdir()} == {"there"}
    assert (outside / "there").read_text(encoding="utf-8") == "before"
    assert {path.name for path in tmp_path.iterdir()} == {
        "class", "outside", "grades.csv", "results",
    }  # fmt: skip
    for path in results.glob("*/results.json"):
        assert len(check_gradescope(json.loads(path.read_text(encoding="utf-8")))) == len(names)
    assert len([*results.iterdir()]) == 60
    assert not [*filter(is_a_hand_in, (processes() if before else set()) - before)]
    memory = int(done.stdout) / (1024 if sys.platform == "linux" else 1 << 20)
    assert memory < 500
    cheats = sum(what.startswith(("cheat", "broken")) for what, _ in expected.values())
    print(f"\n60 x {len(names)}: {seconds:.0f} s, {memory:.0f} MB, {cheats} cheats and broken ones")
    print(*(f"{what}: {message}" for what, message in messages.items()), sep="\n")


def is_a_hand_in(pid):
    """Return whether a process is one that the grader has started."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"hand_in.main" in file.read()
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3])
def test_a_class_that_was_killed_goes_on(after, tmp_path):
    folder, names = tmp_path / "class", (ONE, "02_hvp")
    expected = hand_ins.write_class(folder, tmp_path, 12, names, [])
    table = tmp_path / "grades.csv"
    command = [sys.executable, "-m", "tinymeta.course.grade", str(folder), "--csv", str(table)]
    settings = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "text": True}
    with subprocess.Popen(
        [*command, "--exercise", *names], stderr=subprocess.PIPE, **settings
    ) as first:
        for _ in range(after):
            first.stderr.readline()
        first.kill()
    kept = tmp_path / "grades.csv.unfinished"
    before = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert not table.exists() and 2 * after <= len(before) < 24
    done = subprocess.run(
        [*command, "--exercise", *names], stderr=subprocess.PIPE, check=True, **settings
    )
    assert "12 students, 24 answers, 0 not graded" in done.stderr and not kept.exists()
    with open(table, encoding="utf-8", newline="") as file:
        rows = [
            grade.Row(
                r["student"], r["exercise"], float(r["points"]), float(r["max"]), r["message"]
            )
            for r in csv.DictReader(file)
        ]
    assert len(rows) == len({row[:2] for row in rows}) == 24
    check_class(rows, expected, {name: grade.most_points(name) for name in names})
