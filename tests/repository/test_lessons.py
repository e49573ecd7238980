"""Every lesson runs, and keeps the numbers it promises."""

import ast
import re

import pytest
from running import LESSONS, results, run

FAST = {"01_sine_tasks", "03_maml"}


@pytest.mark.parametrize(
    "lesson",
    [pytest.param(p, id=p.stem, marks=[] if p.stem in FAST else pytest.mark.slow) for p in LESSONS],
)
def test_quick_run_saves_and_names_its_figures(lesson, tmp_path):
    done = run(lesson, "--quick", "--out", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    figures = sorted((tmp_path / "out").glob("*.png"))
    assert len(figures) >= 3
    said = dict(re.findall(r"^figure (.*)\n  (.*)$", done.stdout, re.MULTILINE))
    assert set(said) == set(map(str, figures))
    assert all(re.search(r"\d", sentence) for sentence in said.values()), said
    assert results(tmp_path / "out", lesson)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_the_sentence_of_every_figure_has_something_computed_in_it(lesson):
    calls = [
        node
        for node in ast.walk(ast.parse(lesson.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    sentences = [call.args[2] for call in calls if ast.unparse(call.func) == "lesson.save"]
    assert len(sentences) >= 3
    assert all(
        any(isinstance(part, ast.FormattedValue) for part in ast.walk(sentence))
        for sentence in sentences
    )


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_full_run_keeps_every_promised_number(lesson, full_run):
    done, folder = full_run(lesson)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(
        r["ok"] and r["low"] <= r["value"] <= r["high"] for r in results(folder, lesson).values()
    )
    assert "OUT OF BOUNDS" not in done.stdout


GLYPHS = next(path for path in LESSONS if path.stem.startswith("13"))
OTHER_PROBLEMS = re.findall(
    r"^    (python lessons/13\S+ --problem (\S+) --iterations \d+)$",
    GLYPHS.read_text(encoding="utf-8"),
    re.MULTILINE,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command, problem", OTHER_PROBLEMS, ids=[problem for _, problem in OTHER_PROBLEMS]
)
def test_the_other_problems_come_out_as_the_text_of_lesson_13_says(command, problem, tmp_path):
    methods, row = (
        [
            cell.strip()
            for cell in re.search(
                rf"^\| +{start}.*$", GLYPHS.read_text(encoding="utf-8"), re.MULTILINE
            )[0].split("|")[2:-1]
        ]
        for start in (r"\| random ", re.escape(problem))
    )
    done = run(GLYPHS, *command.split()[2:], "--out", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = results(tmp_path, GLYPHS)
    for method, printed in zip(methods, row, strict=True):
        measured = got[
            "nearest pixels" if method == "nearest pixels" else f"{method} after 10 steps"
        ]["value"]
        # another BLAS is another training
        assert float(printed) == pytest.approx(100 * measured, abs=5), method
