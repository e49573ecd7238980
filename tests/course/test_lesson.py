"""A lesson as a command: wrong flags, Ctrl-C, closed pipes, folders that cannot be written to, and
computers without a screen."""

import doctest
import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot
from running import environment

from tinymeta.course import examples, style
from tinymeta.course import lesson as lesson_module

ROOT = Path(__file__).parents[2]


def slow(case):
    """A sibling of a case that stays fast: each takes a second, as it runs a lesson."""
    return pytest.param(case, marks=pytest.mark.slow)


# A process that runs a lesson takes half a second: where the claim is not about the process, it is
# tested in this one, and what can be read off one run is read off one.
POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals and pipes")


def test_a_terminal_without_a_letter_prints_its_code(make, monkeypatch):
    """So that a path with a letter that the terminal does not know is no error."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    make()
    print(chr(0xE9), flush=True)
    assert terminal.buffer.getvalue().strip() == rb"\xe9"


# A small lesson: a few steps of training, a figure, an expected result
LESSON = """
import sys
import numpy as np
from tinymeta import MLP, SineTasks, maml_grad, meta_train
from tinymeta.course import style
from tinymeta.course.lesson import Lesson

lesson = Lesson("00_small", iterations=500, quick=5)
print("training", flush=True)
model, rng = MLP([1, 2, 1]), lesson.rng("training tasks")
theta, history = meta_train(
    maml_grad, model, model.init(rng), SineTasks(), rng=rng, iterations=lesson.iterations,
    meta_batch_size=1, shots=2, inner_lr=0.01, callback=lesson.progress("MAML"),
)
figure, ax = style.new_figure()
ax.plot(history)
lesson.save(figure, "history", "It is finite.")
lesson.expect("the last loss", history[-1], 0, 1e9)
lesson.end()
"""


@pytest.fixture
def lesson(tmp_path):
    """Return the path of a lesson in the folder "a checkout"."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    (folder / "00_small.py").write_text(LESSON, encoding="utf-8")
    return folder / "00_small.py"


def run(lesson, *flags, changes=(), **options):
    command = [sys.executable, "-W", "error", str(lesson), *map(str, flags)]
    options = {
        "capture_output": True,
        "text": True,
        "encoding": "utf-8",
        "timeout": 120,
        "cwd": lesson.parent.parent,
    } | options
    return subprocess.run(command, env=environment(**dict(changes)), **options)


def outputs(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_lesson_writes_only_its_figure_and_results_to_the_output_folder(lesson):
    done = run(lesson, "--quick")
    assert done.returncode == 0 and done.stdout.isascii(), done.stderr
    folder = lesson.parent / "output"
    assert outputs(folder) == ["00_small.json", "00_small_history.png"]
    assert (folder / "00_small_history.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "00_small.json").read_text())["the last loss"]["ok"]
    assert str(folder / "00_small_history.png") in done.stdout  # a path with a space in it


NO_UNICODE = dict(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")


def run_unusually(folder, kind="svg", changes=NO_UNICODE):
    """Run the lesson without a name of its own, for slides, in a locale without Unicode, with a
    folder for its outputs that is not there yet. Return what it printed, and that folder."""
    path, out = folder / "00_small.py", folder / "für θ" / "new"
    path.write_text(LESSON.replace('"00_small", ', ""), encoding="utf-8")
    flags = "--quick", "--slides", kind, "--out", out
    done = run(path, *flags, changes=changes, encoding=None, text=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, out


@pytest.fixture(scope="module")
def unusual(tmp_path_factory):
    return run_unusually(tmp_path_factory.mktemp("unusual"))


def test_with_slides_the_figure_is_saved_in_their_format_only(unusual):
    printed, out = unusual
    assert [path.suffix for path in out.iterdir() if path.suffix != ".json"] == [".svg"]
    assert b"<svg" in next(out.glob("*.svg")).read_bytes()
    assert re.search(rb"_history.svg\r?\n", printed)


@pytest.mark.slow
def test_slides_may_be_pdf(tmp_path):
    _, out = run_unusually(tmp_path, "pdf")
    assert outputs(out) == ["00_small.json", "00_small_history.pdf"]
    assert (out / "00_small_history.pdf").read_bytes().startswith(b"%PDF")


def test_a_lesson_has_the_name_of_its_file(unusual):
    assert outputs(unusual[1]) == ["00_small.json", "00_small_history.svg"]


# Flags

FLAGS = {
    "no steps": (
        ["--iterations", "0"],
        "argument --iterations: expected a whole number from 1 to 10000000; got '0'",
    ),
    "negative steps": (["--iterations", "-5"], "argument --iterations: expected a whole number"),
    "half a step": (["--iterations", "1.5"], "argument --iterations: expected a whole number"),
    "more steps than memory": (
        ["--iterations", "10000000000000"],
        "argument --iterations: expected a whole number",
    ),
    "a word for steps": (
        ["--iterations", "many"],
        "argument --iterations: expected a whole number",
    ),
    "steps forgotten": (["--iterations"], "argument --iterations: expected one argument"),
    "a negative seed": (
        ["--seed", "-1"],
        "argument --seed: expected a whole number of at least 0; got '-1'",
    ),
    "half a seed": (["--seed", "0.5"], "argument --seed: expected a whole number"),
    "a word for a seed": (["--seed", "x"], "argument --seed: expected a whole number"),
    "no folder": (["--out", ""], "argument --out: expected a folder; got ''"),
    "slides of another kind": (["--slides", "png"], "argument --slides: invalid choice: 'png'"),
    "an unknown flag": (["--fast"], "unrecognized arguments: --fast"),
    "an argument": (["fast"], "unrecognized arguments: fast"),
}


@pytest.mark.parametrize("flags, message", FLAGS.values(), ids=FLAGS)
def test_a_wrong_flag_is_named(flags, message, monkeypatch, capsys, tmp_path):
    from tinymeta.course.lesson import Lesson

    monkeypatch.setattr(sys, "argv", ["00_small.py", *flags])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        Lesson("00_small", iterations=500, quick=5)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not outputs(tmp_path)


def test_each_flag_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["00_small.py", "--help"])
    with pytest.raises(SystemExit):
        lesson_module.Lesson("00_small", iterations=500, quick=5, seeds=3)
    text = re.sub(r"\n {5,}", "  ", capsys.readouterr().out)  # one line for each flag
    flags = [line.strip() for line in text.splitlines() if line.startswith("  -")]
    assert len(flags) == 10 and all(re.search(r"\S {2,}\S", flag) for flag in flags), flags


@pytest.mark.slow
def test_a_wrong_flag_ends_the_command_with_status_2_before_it_starts(lesson):
    done = run(lesson, "--seed", "-1")
    assert (done.returncode, done.stdout) == (
        2,
        "",
    ) and "argument --seed: expected a whole number" in done.stderr
    assert "Traceback" not in done.stderr and outputs(lesson.parent) == ["00_small.py"]


# Folders that cannot be written to


PROC = pytest.mark.skipif(
    not Path("/proc/self").is_dir(), reason="no /proc: a place where even root cannot write"
)


@pytest.mark.parametrize(
    "place, why",
    [
        ("file", "File exists"),
        ("file/below", "Not a directory|cannot find"),
        pytest.param("/proc/self/lesson", "No such file", marks=PROC),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused_before_training(
    lesson, place, why, monkeypatch, capsys
):
    from tinymeta.course.lesson import Lesson

    (lesson.parent / "file").write_text("mine")
    monkeypatch.setattr(sys, "argv", [str(lesson), "--out", str(lesson.parent / place)])
    with pytest.raises(SystemExit) as stopped:
        Lesson("00_small", iterations=500, quick=5)
    message = capsys.readouterr().err
    assert stopped.value.code == 2 and "argument --out: cannot write to" in message
    assert any(reason in message for reason in why.split("|"))
    assert (lesson.parent / "file").read_text() == "mine"


def test_if_the_checkout_cannot_be_written_to_the_message_mentions_out(lesson, monkeypatch, capsys):
    (lesson.parent / "output").write_text("in the way")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=str(lesson)))
    monkeypatch.setattr(sys, "argv", [str(lesson), "--quick"])
    with pytest.raises(SystemExit) as stopped:
        lesson_module.Lesson("00_small", iterations=500, quick=5)
    message = capsys.readouterr()
    assert stopped.value.code == 2 and not message.out
    assert f"cannot write to {lesson.parent / 'output'}: " in message.err
    assert "choose another folder with --out DIR" in message.err


def test_a_disk_that_is_full_gives_one_line_and_keeps_the_old_figure(make, monkeypatch, tmp_path):
    small, figure = make("--quick"), tmp_path / "00_small_history.png"
    figure.write_bytes(b"old")

    def fill(_, file, *words):
        file.write(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(style, "save", fill)
    monkeypatch.setattr(style, "stamp", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        small.save(None, "history", "It is finite.")
    assert stopped.value.code == f"cannot write {figure}: No space left on device"
    assert outputs(tmp_path) == [figure.name] and figure.read_bytes() == b"old"


FULL = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # as on a full disk\n"
)


@pytest.mark.slow
@POSIX
def test_a_full_disk_gives_a_one_line_message_and_keeps_the_old_figure(lesson):
    folder = lesson.parent / "output"
    folder.mkdir()
    (folder / "00_small_history.png").write_bytes(b"old")
    lesson.write_text(LESSON.replace("figure, ax =", FULL + "figure, ax ="))
    done = run(lesson, "--quick")
    assert (
        done.returncode == 1
        and done.stderr.splitlines()[-1].startswith("cannot write ")
        and "Traceback" not in done.stderr
    )
    assert (
        outputs(folder) == ["00_small_history.png"]
        and (folder / "00_small_history.png").read_bytes() == b"old"
    )


# Ctrl-C


def interrupted(lesson, *flags, delay):
    """Start the lesson, press Ctrl-C when it has trained for `delay` seconds, and return its exit
    status, stdout and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(lesson), *flags],
        env=environment(),
        cwd=lesson.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background job ignores Ctrl-C, and so would all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdout.readline()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@POSIX
@pytest.mark.parametrize("delay", [0.2])
def test_ctrl_c_during_training_prints_one_line_and_exits_with_130(lesson, delay):
    status, out, err = interrupted(lesson, "--iterations", "10000000", delay=delay)
    assert status == 130 and out == ""
    last = err.splitlines()[-1]
    assert (
        last.startswith("Stopped: interrupted after ")
        and last.endswith(" iterations.")
        and "Traceback" not in err
    )
    assert outputs(lesson.parent / "output") == []


SAVING = """
from tinymeta.course import style
from tinymeta.course.lesson import Lesson

lesson = Lesson("00_small")
figure, ax = style.new_figure(20, 10)
ax.plot(range(1000))
print("saving", flush=True)
while True:
    lesson.save(figure, "many", "It is saved again and again.")
"""


@POSIX
@pytest.mark.parametrize("delay", [0.13, slow(0.37)])
def test_ctrl_c_while_a_figure_is_saved_leaves_no_partial_file(lesson, delay):
    lesson.write_text(SAVING)
    status, _, err = interrupted(lesson, delay=delay)
    assert status == 130 and err == "Stopped: interrupted.\n"
    for name in outputs(lesson.parent / "output"):
        assert name == "00_small_many.png"
        data = (lesson.parent / "output" / name).read_bytes()
        assert data.startswith(b"\x89PNG") and data.endswith(b"IEND\xaeB`\x82")


@pytest.mark.slow
@POSIX
def test_ctrl_c_in_lesson_03_prints_one_line_and_exits_with_130(tmp_path):
    shutil.copy(ROOT / "lessons" / "03_maml.py", tmp_path)
    status, _, err = interrupted(tmp_path / "03_maml.py", delay=1.5)
    assert (
        status == 130
        and err.splitlines()[-1].startswith("Stopped: interrupted")
        and "Traceback" not in err
    )


def test_other_errors_keep_their_traceback(make, capsys):
    make()
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        sys.excepthook(*sys.exc_info())
    assert "Traceback" in (printed := capsys.readouterr().err) and "ZeroDivisionError" in printed


# Pipes and locales


@POSIX
@pytest.mark.parametrize("lines", [slow(0), 1])
def test_a_closed_pipe_causes_no_message(lesson, lines):
    writes = f'"{sys.executable}" -W error "{lesson}" --quick 2>"{lesson}.err"'
    subprocess.run(
        ["sh", "-c", f"{writes} | head -n {lines}"], env=environment(), timeout=120, check=True
    )
    # stderr has progress lines only
    assert all("MAML" in line for line in Path(f"{lesson}.err").read_text().splitlines())


def test_a_lesson_runs_in_a_locale_without_unicode(unusual):
    assert b"What a short run" in unusual[0] and len(outputs(unusual[1])) == 2


@pytest.mark.slow
def test_a_lesson_runs_in_a_locale_that_python_makes_unicode(tmp_path):
    printed, out = run_unusually(tmp_path, changes=dict(LC_ALL="C"))
    assert b"What a short run" in printed and len(outputs(out)) == 2


# Screens


SCREENLESS = {
    "a file's backend": (
        "agg",
        "matplotlib's backend agg has none; a screen and a toolkit such as tkinter or PyQt6 are "
        "needed; MPLBACKEND is set: unset it",
    ),
    "a notebook's": (
        "module://matplotlib_inline.backend_inline",
        "matplotlib's backend agg has none",
    ),
    "a toolkit's": ("tkagg", "MPLBACKEND is set: unset it"),
}


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere there is always a screen"
)
@pytest.mark.slow
@pytest.mark.parametrize("backend, why", SCREENLESS.values(), ids=SCREENLESS)
def test_show_without_a_screen_gives_the_reason_and_saves_the_figures(lesson, backend, why):
    done = run(lesson, "--quick", "--show", changes=dict(MPLBACKEND=backend))
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "--show: no window can be opened here (" in done.stderr and why in done.stderr
    assert len(outputs(lesson.parent / "output")) == 2


def test_a_window_is_found_although_closing_the_figure_replaces_its_canvas(monkeypatch):
    """Imitate matplotlib 3.11: a figure that has been closed has no window's canvas any more."""
    from tinymeta.course.widgets import window_error

    window, none = (
        SimpleNamespace(required_interactive_framework=framework) for framework in ("tk", None)
    )
    figure = SimpleNamespace(canvas=window)

    def close(closed):
        if closed is figure:  # matplotlib calls close("all") when it chooses a backend
            figure.canvas = none

    monkeypatch.setattr(pyplot, "figure", lambda: figure)
    monkeypatch.setattr(pyplot, "close", close)
    assert window_error() is None
    figure.canvas = none
    assert "a screen and a toolkit" in window_error()


@pytest.mark.parametrize("changes, hint", [({}, False), ({"MPLBACKEND": "agg"}, True)])
def test_only_a_backend_that_is_set_is_to_be_unset(changes, hint, monkeypatch):
    from tinymeta.course.widgets import window_error

    monkeypatch.delenv("MPLBACKEND", raising=False)
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    opened = pyplot.get_fignums()
    assert ("MPLBACKEND is set: unset it" in window_error()) is hint
    assert pyplot.get_fignums() == opened


def test_why_a_window_cannot_be_opened_is_told_in_a_line(monkeypatch):
    from tinymeta.course.widgets import window_error

    def fail():
        raise ImportError("no toolkit\nat all")

    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setattr(pyplot, "figure", fail)
    assert window_error() == "no toolkit"
    monkeypatch.setenv("MPLBACKEND", "agg")
    assert window_error() == "no toolkit; MPLBACKEND is set: unset it"


# In this process: examples of the docstrings, random streams, progress, expected results


@pytest.fixture
def make(monkeypatch, tmp_path):
    from tinymeta.course.lesson import Lesson

    def make(*flags, iterations=500, quick=5):
        monkeypatch.setattr(sys, "argv", ["00_small.py", "--out", str(tmp_path), *flags])
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        return Lesson("00_small", iterations, quick)

    kept = signal.getsignal(signal.SIGPIPE) if os.name != "nt" else None
    yield make
    if kept is not None:
        signal.signal(signal.SIGPIPE, kept)


@pytest.mark.parametrize("module", [lesson_module, examples])
def test_the_examples_of_the_docstrings_run(make, monkeypatch, module):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # a lesson replaces it
    failed, attempted = doctest.testmod(module)
    assert failed == 0 and attempted >= 2


def test_flags_choose_the_iterations_and_whether_the_run_is_full(make):
    assert (make().iterations, make().full) == (500, True)
    assert (make("--quick").iterations, make("--quick").full) == (5, False)  # nothing is shipped
    assert (make("--quick", "--iterations", "7").iterations, make("--iterations", "7").full) == (
        7,
        False,
    )
    assert not make("--seed", "1").full and make(iterations=None, quick=None).iterations is None


@pytest.mark.parametrize(
    "flags, why, opened",
    [(["--show"], None, 1), (["--show"], "no screen", 0), ([], None, 0)],
    ids=["a screen", "no screen", "not asked for"],
)
def test_windows_open_at_the_end_if_they_are_asked_for_and_can_be(
    flags, why, opened, make, monkeypatch, capsys
):
    windows = []
    monkeypatch.setattr(lesson_module.widgets, "window_error", lambda: why)
    monkeypatch.setattr(lesson_module.widgets, "show_windows", lambda: windows.append(1))
    monkeypatch.setitem(style._mode, "windows", False)  # as it was, after the test
    small = make("--quick", *flags)
    assert small.show is style._mode["windows"] is bool(opened)
    assert (f"no window can be opened here ({why})" in capsys.readouterr().err) is bool(why)
    small.expect("loss", 1, 0, 2)
    assert len(windows) == 0
    small.end()
    assert len(windows) == opened


def test_random_streams_are_equal_only_for_equal_purposes_and_seeds(make):
    first, again, other, seeded = (
        drawing.rng(p).random(4)
        for drawing, p in ((make(), "a"), (make(), "a"), (make(), "b"), (make("--seed", "1"), "a"))
    )
    assert np.array_equal(first, again) and not np.isin(first, [*other, *seeded]).any()


def test_progress_without_a_terminal_prints_the_first_iteration_and_every_10_percent(make, capsys):
    callback = make().progress("MAML", 50)
    for i in range(50):
        callback(i, None, None)
        if i == 0:
            assert capsys.readouterr().err == "  MAML:   2 % of 50, 0 s\n"
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == [
        str(n) for n in range(10, 101, 10)
    ]


def test_a_full_run_with_a_result_out_of_bounds_exits_with_status_1(make, capsys):
    lesson = make()
    lesson.expect("kept", 1, 1, 2)
    lesson.expect_curve("MAML", [3, 4], {0: (2, 4), 1: (5, 6)})
    with pytest.raises(SystemExit) as stopped:
        lesson.end()
    assert stopped.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[-3].endswith("from 1 to 2   ok")
        and lines[-2].endswith("from 2 to 4   ok")
        and lines[-1].endswith("from 5 to 6   OUT OF BOUNDS")
    )
    quick = make("--quick")
    quick.expect("not kept", 3, 1, 2)
    quick.end()
    assert "OUT OF BOUNDS" not in capsys.readouterr().out


# The settings that were searched


@pytest.fixture
def tuned(monkeypatch, tmp_path):
    """Return a function that makes a lesson with these flags."""

    def make(*flags):
        monkeypatch.setattr(sys, "argv", ["00_small.py", "--out", str(tmp_path), *flags])
        return lesson_module.Lesson("00_small", iterations=500, quick=5)

    return make


def test_settings_are_printed_as_recorded(tuned, capsys):
    lesson = tuned()
    lesson.settings("the recorded table", lambda: pytest.fail("searched"))
    assert capsys.readouterr().out == "the recorded table\n" and lesson.seed == 0


def test_tune_searches_on_another_seed_and_ends(tuned, capsys):
    lesson = tuned("--tune")
    with pytest.raises(SystemExit) as ended:
        lesson.settings("the recorded table", lambda: f"found with seed {lesson.seed}")
    assert ended.value.code is None
    said = r"\n\d{4}-\d\d-\d\d, python lessons/00_small.py --tune, seed 1\nfound with seed 1\n"
    assert re.fullmatch(said, capsys.readouterr().out)
    assert tuned("--tune", "--seed", "7").seed == 7


def test_a_lesson_without_settings_says_so(tuned, capsys):
    lesson = tuned("--tune")
    lesson.expect("loss", 0.5, 0, 1)
    lesson.end()
    assert "--tune: this lesson has no settings to search" in capsys.readouterr().out
