"""The networks of full runs: kept, shipped, and used by quick runs and by later lessons."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from running import LESSONS

from tinymeta.course import lesson as lesson_module
from tinymeta.course import notebook, style, trained
from tinymeta.extras.statistics import summarize
from tinymeta.extras.storage import BadFile


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Return a function that makes the lesson NN_name.py of a folder."""

    def make(*flags, name="00_small", out="out", **options):
        main = SimpleNamespace(__file__=str(tmp_path / f"{name}.py"))
        monkeypatch.setitem(sys.modules, "__main__", main)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", "--out", str(tmp_path / out), *flags])
        monkeypatch.setattr(lesson_module, "configure_terminal", lambda: None)
        return lesson_module.Lesson(iterations=500, quick=50, **options)

    return make


def run(iterations):
    """Return networks whose entries say how long they were trained, and a falling meta-loss."""
    return np.full((2, 3), iterations, np.float32), np.linspace([2, 4], [1, 2], iterations)


def refuse(*_):
    pytest.fail("trained, or computed")


@pytest.fixture
def shipped(make, tmp_path):
    """Run the lesson in full, and ship what it kept."""
    lesson = make(out="trained")
    lesson.trained("MAML", run)
    lesson.trained("longer, tuned", run, 1000)
    lesson.recorded("curve", lambda: [1.5, 0.5])
    lesson.expect("loss", 1, 0, 2)
    lesson.end()
    return tmp_path / "trained"


# The files


def test_a_history_is_kept_as_the_means_of_its_hundredths():
    history = np.arange(500.0)[:, None] + [0, 1000]
    means = trained.thin(history)
    assert means.shape == (100, 2) and means.dtype == np.float32
    np.testing.assert_array_equal(means[:2], [[2, 1002], [7, 1007]])
    spread = trained.spread_out(means, 500)
    assert spread.shape == (500, 2) and (spread[:5] == [2, 1002]).all() and spread[5, 0] == 7
    np.testing.assert_array_equal(trained.spread_out(trained.thin([3.0, 5.0]), 2), [3, 5])


def test_a_file_returns_what_was_saved_to_the_last_bit(tmp_path):
    arrays = {"first-order MAML, tuned": np.float32([[0.1, 0.2]]), "curve": np.float32([np.nan])}
    trained.save(tmp_path / "a.npz", arrays, {"first-order MAML, tuned": 7})
    got, iterations = trained.load(tmp_path / "a.npz")
    assert iterations == {"first-order MAML, tuned": 7} and got.keys() == arrays.keys()
    assert all(got[name].tobytes() == array.tobytes() for name, array in arrays.items())
    before = (tmp_path / "a.npz").read_bytes()
    trained.save(tmp_path / "a.npz", arrays, {"first-order MAML, tuned": 7})
    assert (tmp_path / "a.npz").read_bytes() == before


@pytest.mark.parametrize(
    "name, array", [("MAML", np.zeros(2)), ("a/b", np.float32([0])), ("MAML", [1, 2])]
)
def test_what_is_not_float32_or_has_a_slash_in_its_name_is_refused(name, array, tmp_path):
    with pytest.raises(ValueError, match=f"{name}: expected a float32 array"):
        trained.save(tmp_path / "a.npz", {name: array}, {})
    assert not [*tmp_path.iterdir()]


def test_a_file_in_which_one_weight_was_changed_is_refused(shipped, make, monkeypatch):
    with np.load(shipped / "00_small.npz") as data:
        arrays = {name: data[name] for name in data.files}
    arrays["MAML"][0, 0] += 1e-3
    np.savez_compressed(shipped / "00_small.npz", **arrays)
    with pytest.raises(BadFile, match="SHA-256"):
        trained.load(shipped / "00_small.npz")
    with pytest.raises(SystemExit, match="python -m tinymeta.course.trained 00_small makes it"):
        make("--quick")


def test_every_lesson_has_the_numbers_of_its_full_run_and_whole_networks():
    for path in LESSONS:
        numbers = trained.numbers(path.stem)
        assert len(numbers) >= 3 and all(r["ok"] for r in numbers.values()), path.stem
        assert all(r["low"] <= r["value"] <= r["high"] for r in numbers.values()), path.stem
    files = sorted(trained.FOLDER.iterdir())
    assert {path.stem for path in files} == {path.stem for path in LESSONS}
    for path in files:
        if path.suffix == ".npz":
            arrays, iterations = trained.load(path)
            assert arrays.keys() >= {*iterations, *(trained.HISTORY + name for name in iterations)}
            assert all(np.isfinite(arrays[name]).all() for name in iterations), path.stem
    assert sum(path.stat().st_size for path in files) < 4e6


# Full runs and quick ones


def test_a_full_run_trains_and_keeps_its_networks(shipped, make):
    arrays, iterations = trained.load(shipped / "00_small.npz")
    assert iterations == {"MAML": 500, "longer, tuned": 1000}
    assert (arrays["MAML"] == 500).all() and (arrays["longer, tuned"] == 1000).all()
    assert arrays["curve"].tolist() == [1.5, 0.5]
    numbers = json.loads((shipped / "00_small.json").read_text())
    assert trained.numbers("00_small", shipped) == numbers and numbers["loss"]["value"] == 1


def test_a_quick_run_shows_a_short_training_and_goes_on_with_the_networks(
    shipped, make, capsys, tmp_path
):
    asked = []

    def short_run(iterations):
        asked.append(iterations)
        return run(iterations)

    capsys.readouterr()
    lesson = make("--quick")
    assert (lesson.short, lesson.full, lesson.iterations) == (False, True, 500)
    assert (lesson.trained("MAML", short_run) == 500).all()
    assert (lesson.trained("longer, tuned", short_run, 1000) == 1000).all()
    assert asked == [50]
    assert lesson.recorded("curve", refuse).tolist() == [1.5, 0.5]
    assert lesson.histories["MAML"].shape == (500, 2)
    assert lesson.histories["longer, tuned"].shape == (1000, 2)
    lesson.expect("loss", 1, 0, 2)
    lesson.end()
    said = capsys.readouterr().out
    assert "MAML in 50 meta-steps: the mean meta-loss of the first tenth is 2.9" in said
    assert "of the last 1.56" in said
    assert "are those of the full run (MAML: 500 meta-steps, seed 0)" in said
    assert said.endswith("What you should see\n  loss           1   from 0 to 2   ok\n")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00_small.json",
        "00_small_watch.png",
    ]


def test_the_histories_of_a_full_and_of_a_quick_run_are_equal(shipped, make):
    full, quick = make(), make("--quick")
    for lesson in (full, quick):
        lesson.trained("MAML", run)
    np.testing.assert_array_equal(full.histories["MAML"], quick.histories["MAML"])


def test_how_long_to_watch_can_be_chosen(shipped, make):
    asked = []
    lesson = make("--quick", watched=20)
    lesson.trained("MAML", lambda iterations: asked.append(iterations) or run(iterations))
    assert asked == [20]


def test_a_judged_curve_is_shipped_as_its_summary(make):
    curve = np.random.default_rng(0).exponential(size=(2, 4, 7))
    lesson = make(out="trained")
    full = lesson.judged("MAML, judged", lambda: curve)
    lesson.trained("MAML", run)
    lesson.expect("loss", 1, 0, 2)
    lesson.end()
    quick = make("--quick").judged("MAML, judged", refuse)
    for a, b, c in zip(full, quick, summarize(curve)):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-6)


def test_the_training_to_watch_can_be_chosen(shipped, make):
    lesson = make("--quick", watch="longer, tuned")
    lesson.trained("MAML", refuse)
    with pytest.raises(pytest.fail.Exception):
        lesson.trained("longer, tuned", refuse, 1000)


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--quick", "--train"], ""),
        (
            ["--quick", "--seed", "3"],
            "networks are those of the full run with seed 0: this short run",
        ),
        (
            ["--quick", "--iterations", "50"],
            "networks are those of the full run with seed 0: this short",
        ),
        (["--iterations", "50"], ""),
    ],
    ids=["train", "seed", "iterations", "iterations alone"],
)
def test_where_the_networks_do_not_apply_a_short_run_trains_and_stamps_its_figures(
    flags, said, shipped, make, capsys
):
    capsys.readouterr()
    lesson = make(*flags)
    assert (lesson.short, lesson.full, lesson.iterations) == (True, False, 50)
    assert said in capsys.readouterr().out
    assert (lesson.trained("MAML", run) == 50).all()
    assert (lesson.trained("with an origin", run, origin="01_earlier") == 50).all()
    assert lesson.recorded("curve", lambda: [3.0]).tolist() == [3.0]
    figure, _ = style.new_figure()
    lesson.save(figure, "a", "One 1.")
    assert "short run: 50 of 500 meta-steps" in [text.get_text() for text in figure.texts]
    lesson.expect("loss", 9, 0, 2)
    lesson.end()
    said = capsys.readouterr().out
    assert " from " not in said.splitlines()[-1] and "the text is about" in said.splitlines()[-2]


def test_a_full_run_with_another_seed_trains_as_long_and_names_no_bounds(shipped, make, capsys):
    lesson = make("--seed", "3")
    assert (lesson.short, lesson.full, lesson.iterations) == (False, False, 500)
    assert (lesson.trained("MAML", run) == 500).all()
    lesson.expect("loss", 9, 0, 2)
    lesson.end()
    assert (
        "What a full run with seed 3 measured; the text is about seed 0\n  loss           9\n"
        in (capsys.readouterr().out)
    )


def test_a_figure_of_a_full_run_has_no_stamp(make):
    figure, _ = style.new_figure()
    make().save(figure, "a", "One 1.")
    assert not figure.texts


def test_without_shipped_networks_a_quick_run_is_short(make, capsys):
    lesson = make("--quick")
    assert lesson.short and "no networks are shipped for this lesson" in capsys.readouterr().out


def test_a_lesson_that_trains_nothing_is_never_short(make, monkeypatch):
    lesson = make("--quick")
    monkeypatch.setattr(sys, "argv", ["00_small.py", "--quick", "--out", str(lesson.out)])
    lesson = lesson_module.Lesson()
    assert not lesson.short and lesson.full


def test_a_search_trains_whatever_is_shipped(shipped, make):
    lesson = make("--tune")
    for _ in range(2):  # the same label again
        assert (lesson.trained("MAML", run, 20) == 20).all()
        assert lesson.recorded("curve", lambda: [3.0]).tolist() == [3.0]
    assert not lesson.made


def test_a_label_is_used_once_in_a_lesson(make):
    lesson = make()
    lesson.trained("MAML", run)
    with pytest.raises(ValueError, match="label: expected one that is new.*got 'MAML' again"):
        lesson.recorded("MAML", refuse)


def test_a_label_that_is_not_shipped_says_how_to_make_it(shipped, make):
    with pytest.raises(SystemExit, match="no 'Reptile'.*tinymeta.course.trained 00_small makes"):
        make("--quick", watch="none").trained("Reptile", refuse)


# Networks of other lessons


@pytest.mark.parametrize("flags", [[], ["--quick", "--train"]], ids=["full", "train"])
def test_a_lesson_takes_networks_from_another_one_and_says_so(flags, shipped, make, capsys):
    later = make(*flags, name="01_later")
    capsys.readouterr()
    assert (later.trained_in("00_small", "MAML") == 500).all()
    assert capsys.readouterr().out == (
        "MAML: networks of the full run of lesson 00 (500 meta-steps, seed 0)\n"
    )
    assert later.histories["MAML"].shape == (500, 2)
    with pytest.raises(ValueError, match="expected one of MAML, longer, tuned; got 'curve'"):
        later.trained_in("00_small", "curve")
    with pytest.raises(SystemExit, match="cannot read .*tinymeta.course.trained 02_none makes it"):
        later.trained_in("02_none", "MAML")


def test_a_training_with_an_origin_is_not_run_a_second_time(shipped, make):
    later = make(name="01_later")
    assert (later.trained("MAML", refuse, origin="00_small") == 500).all()
    assert (make().trained("MAML", run, origin="00_small") == 500).all()  # the origin itself
    other = make("--seed", "1", name="01_later")
    assert (other.trained("MAML", lambda n: run(7), origin="00_small") == 7).all()


# The command


def test_an_unknown_lesson_is_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trained", "03_mam"])
    with pytest.raises(SystemExit):
        trained.main()
    assert "argument LESSON: expected names of 01_sine_tasks, " in capsys.readouterr().err


def test_the_networks_are_listed(shipped, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["trained", "--list", "--out", str(shipped)])
    capsys.readouterr()
    trained.main()
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  MAML: (2, 3), 500 meta-steps",
        "  longer, tuned: (2, 3), 1,000 meta-steps",
        "  curve: (2,)",
    ]


@pytest.mark.parametrize("ends", [0, 1])
def test_a_run_is_kept_only_if_all_its_numbers_are_within_bounds(ends, tmp_path, monkeypatch):
    (tmp_path / "00_small.py").write_text(
        "import pathlib, sys\nout = pathlib.Path(sys.argv[2])\n"
        "for end in ('npz', 'json', 'png'):\n    (out / f'00_small.{end}').write_text('new')\n"
        f"sys.exit({ends})\n"
    )
    monkeypatch.setattr(trained, "LESSONS", tmp_path)
    (tmp_path / "kept").mkdir()
    assert trained.make("00_small", tmp_path / "kept").endswith("kept")
    kept = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert kept == ([] if ends else ["00_small.json", "00_small.npz"])


# Notebooks


@pytest.fixture
def kernel(monkeypatch):
    """Return a function that makes this process look like a kernel, with these globals."""

    def start(argv, **names):
        shell = SimpleNamespace(user_ns=names)
        monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
        found = SimpleNamespace(get_ipython=lambda: shell)
        monkeypatch.setitem(sys.modules, "IPython", found)
        monkeypatch.setattr(sys, "argv", argv)

    return start


@pytest.mark.parametrize(
    "argv, flags",
    [
        (["/a/ipykernel_launcher.py", "-f", "/b/kernel-1.json"], []),
        (["/a/colab_kernel_launcher.py", "-f", "/b/kernel-1.json"], []),
        (["lessons/03_maml.py", "--quick", "--seed", "5"], ["--quick", "--seed", "5"]),
    ],
)
def test_only_the_flags_of_the_kernel_are_dropped(argv, flags, kernel, monkeypatch):
    kernel(argv)
    assert notebook.flags() == flags
    monkeypatch.delitem(sys.modules, "ipykernel")
    assert notebook.flags() == argv[1:]


@pytest.mark.parametrize(
    "names, room, quick",
    [
        ({}, None, True),
        ({"QUICK": False}, None, False),
        ({"QUICK": True}, "0", True),
        ({}, "0", False),
        ({"QUICK": False}, "1", False),
    ],
)
def test_a_notebook_is_quick_unless_it_or_its_room_says_otherwise(
    names, room, quick, kernel, monkeypatch
):
    kernel(["/a/ipykernel_launcher.py"], **names)
    monkeypatch.delenv("TINYMETA_QUICK", raising=False)
    if room:
        monkeypatch.setenv("TINYMETA_QUICK", room)
    assert notebook.quick() is quick


def test_a_script_is_quick_only_if_its_room_says_so(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.delenv("TINYMETA_QUICK", raising=False)
    assert not notebook.quick()
    monkeypatch.setenv("TINYMETA_QUICK", "1")
    assert notebook.quick()


def test_a_notebook_finds_its_lesson_by_its_cells(tmp_path):
    files = [tmp_path / "01_a.py", tmp_path / "02_b.py"]
    files[0].write_text("# %%\nimport numpy\n\n# %%\nx = 1\n")
    files[1].write_text("# %%\nimport matplotlib\n\n# %%\nx = 1\n")
    assert notebook.lesson_of(["", "QUICK = True", "import numpy", "x = 1"], files) == files[0]
    assert notebook.lesson_of(["import matplotlib\n"], files) == files[1]
    assert notebook.lesson_of(["x = 1"], files) is None  # of both
    assert notebook.lesson_of(["QUICK = True", ""], files) is None
    assert notebook.lesson_of([], []) is None


def test_each_lesson_is_found_by_its_first_code_cell():
    """So that a notebook's first code cell settles which lesson it is."""
    for path in LESSONS:
        source = path.read_text(encoding="utf-8")
        cells = [cell.partition("\n")[2] for cell in source.split("\n# %%") if cell.strip()]
        first = next(cell for cell in cells if cell.startswith(("import ", "from ")))
        assert notebook.lesson_of(["QUICK = False", first], LESSONS) == path


def test_a_notebook_shows_figures_with_their_sentence_and_progress_on_one_line_of_stdout(
    kernel, make, tmp_path, monkeypatch, capsys
):
    shown = []
    kernel(["/a/ipykernel_launcher.py"], QUICK=False)
    display = SimpleNamespace(display=lambda data, **more: shown.append((data, more)))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    lesson = make()
    figure, _ = style.new_figure()
    lesson.save(figure, "a", "One 1.")
    ((data, more),) = shown
    assert data["text/plain"] == "One 1." and data["image/png"].startswith("iVBOR")
    assert more == {"metadata": {"image/png": {"alt": "One 1."}}, "raw": True}
    said = capsys.readouterr().out
    assert said == "\nfigure 00_small_a.png\n  One 1.\n"  # no path of this computer
    callback = lesson.progress("MAML", 50)
    for i in range(50):
        callback(i)
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.count("\r") == 50
    lesson.expect("wrong", 3, 0, 2)
    lesson.end()  # no SystemExit
    assert f"{notebook.RED}  wrong" in capsys.readouterr().out
