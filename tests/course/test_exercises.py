"""The exercises: blanks fail with a helpful line, right answers pass however they are written,
wrong ones are told what is wrong."""

import ast
import re
import runpy
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from running import run
from test_grading import BLANKS, ROOT, SEEDS, graded
from wrong_answers import SOLUTIONS, WRONG

import tinymeta as tm
from tinymeta import checks
from tinymeta.course import grading
from tinymeta.course.problems import EXERCISES
from tinymeta.extras import variants

EACH = pytest.mark.parametrize("name", EXERCISES)
PAGES = {
    page: (ROOT / "lessons" / "exercises" / page).read_text(encoding="utf-8")
    for page in ("README.md",)
}


def solution(name):
    values = {}
    exec((SOLUTIONS / f"{name}.py").read_text(encoding="utf-8"), values)
    return values


# The files


def test_there_is_a_blank_a_solution_and_a_check_for_each():
    names = [path.stem for path in BLANKS]
    assert (
        names == [*EXERCISES, "07_bug_hunt"] == sorted(path.stem for path in SOLUTIONS.glob("*.py"))
    )
    assert {path.stem for path in BLANKS if path.name not in PAGES["README.md"]} == set()


@pytest.mark.parametrize("path", BLANKS, ids=lambda path: path.stem)
def test_a_blank_opens_as_a_notebook(path):
    text = path.read_text(encoding="utf-8")
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)
    assert (
        cells[0] == "" and cells[1].startswith(' [markdown]\n"""\n# Exercise ') and text.isascii()
    )
    assert ast.get_docstring(ast.parse(text)) and len(text.splitlines()) <= (
        40 if path.stem in EXERCISES else 185
    )
    for cell in cells[1:]:
        assert cell.startswith((' [markdown]\n"""\n', "\n")) and not cell.startswith("\n#")


@EACH
def test_a_blank_is_told_what_to_do(name, capsys):
    assert not grading.grade(
        name, runpy.run_path(str(ROOT / "lessons" / "exercises" / f"{name}.py")), [1]
    )
    wanted = (
        f"write {EXERCISES[name].answer} in place of `raise NotImplementedError` "
        f"(a hint: python {name}.py --hint 1)"
    )
    assert capsys.readouterr().out == f"{name}: still blank: {wanted}\n"


def test_a_blank_in_a_notebook_is_told_what_to_call(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    path = ROOT / "lessons" / "exercises" / "03_maml.py"
    assert not grading.grade("03_maml", runpy.run_path(str(path)), [1])
    assert 'grading.hint("03_maml", 1)' in capsys.readouterr().out


def test_a_blank_that_is_run_says_so_without_a_traceback(tmp_path):
    done = run(ROOT / "lessons" / "exercises" / "03_maml.py", cwd=tmp_path)
    assert (
        done.returncode == 1
        and not done.stderr
        and done.stdout.startswith("03_maml: still blank: write maml_grad")
    )


@EACH
def test_hints_are_opened_one_by_one(name, capsys):
    for number in (1, 2):
        grading.hint(name, number)
        line = capsys.readouterr().out
        assert line.startswith(f"{name}, hint {number} of 2: ") and line.isascii()
        assert line.split(": ", 1)[1].strip() not in (
            ROOT / "lessons" / "exercises" / f"{name}.py"
        ).read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="number: expected 1 or 2; got 3"):
        grading.hint(name, 3)


def test_hints_on_the_command_line(tmp_path, capsys):
    path = ROOT / "lessons" / "exercises" / "03_maml.py"
    grading.hint("03_maml", 2)
    done = run(path, "--hint", "2", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == capsys.readouterr().out
    assert (
        run(path, "--hint", "3", cwd=tmp_path).stderr
        == "usage: python 03_maml.py [--hint 1 or 2]\n"
    )


def test_a_check_reads_the_command_line_but_not_that_of_a_notebooks_kernel(monkeypatch, capsys):
    for number in ("1", "2"):
        monkeypatch.setattr(sys, "argv", ["03_maml.py", "--hint", number])
        grading.check("03_maml", None)
        assert capsys.readouterr().out.startswith(f"03_maml, hint {number} of 2: ")
    for flags in (["--hint"], ["--hint", "3"], ["1"]):
        monkeypatch.setattr(sys, "argv", ["03_maml.py", *flags])
        with pytest.raises(SystemExit, match="^usage: python 03_maml.py"):
            grading.check("03_maml", None)
    monkeypatch.setattr(sys, "argv", ["03_maml.py"])
    with pytest.raises(SystemExit) as stopped:
        grading.check("03_maml", None)
    assert stopped.value.code == 1 and "there is no function" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    monkeypatch.setattr(sys, "argv", ["/a/ipykernel_launcher.py", "-f", "file.json"])
    grading.check("03_maml", None)
    assert capsys.readouterr().out == "03_maml: there is no function maml_grad\n"


# Right answers


@pytest.mark.parametrize("path", BLANKS, ids=lambda path: path.stem)
def test_a_solution_passes_on_the_graders_problems(path, capsys):
    assert grading.grade(path.stem, solution(path.stem), [*map(int, SEEDS)]), (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    "seed", [4, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (5, 6))]
)
@EACH
def test_a_solution_passes_on_any_problem(name, seed, capsys):
    assert grading.report(name, solution(name)[EXERCISES[name].answer], seed), (
        capsys.readouterr().out
    )


@pytest.mark.slow
@EACH
def test_a_solution_is_checked_within_five_seconds(name):
    start = time.perf_counter()
    assert grading.report(name, solution(name)[EXERCISES[name].answer], 4)
    assert time.perf_counter() - start < 5


def hvp_by_complex_step(model, theta, x, y, v):
    return checks.complex_step(lambda t: model.grad(t, x, y), theta, v)


def hvp_by_differences(model, theta, x, y, v):
    length = np.linalg.norm(v)
    return length * checks.central_difference(lambda t: model.grad(t, x, y), theta, v / length)


def maml_by_dense_hessians(model, theta, batch, inner_lr, inner_steps):
    total = 0.0
    for x, y, x_query, y_query in zip(*batch):
        here, jacobian, identity = theta, np.eye(len(theta)), np.eye(len(theta))
        for _ in range(inner_steps):
            jacobian = (identity - inner_lr * model.hvp(here, x, y, identity)) @ jacobian
            here = here - inner_lr * model.grad(here, x, y)
        total = total + jacobian.T @ model.grad(here, x_query, y_query)
    return total / len(batch.x_query)


def reptile_by_gradients(model, theta, batch, inner_lr, inner_steps):
    return tm.reptile_grad(model, theta, batch, inner_lr, inner_steps)[1]


def rates_by_variants(model, theta, alpha, batch, inner_steps):
    learned = variants.MetaSGDModel(model)
    return learned.split(
        variants.meta_sgd_grad(learned, learned.join(theta, alpha), batch, 0.0, inner_steps)[1]
    )[1]


def backward_one_point_at_a_time(model, theta, x, y):
    return sum(model.grad(theta, x[i : i + 1], y[i : i + 1]) for i in range(len(x))) / len(x)


OTHERWISE = [
    ("01_backward", backward_one_point_at_a_time),
    ("02_hvp", hvp_by_complex_step),
    ("02_hvp", hvp_by_differences),
    ("03_maml", maml_by_dense_hessians),
    ("04_first_order_maml", lambda *a: tm.fomaml_grad(*a)[1]),
    ("05_reptile", reptile_by_gradients),
    ("06_meta_sgd", rates_by_variants),
]


@pytest.mark.parametrize("name, answer", OTHERWISE)
def test_another_right_formulation_passes(name, answer, capsys):
    assert grading.report(name, answer, 1), capsys.readouterr().out


# Wrong answers


def test_there_are_ten_wrong_answers_to_each_exercise():
    assert [len(slips) for slips in WRONG.values()] == [10] * len(EXERCISES) and [*WRONG] == [
        *EXERCISES
    ]


BAD = {  # what an answer does: what is said
    "it returns None": lambda *a: None,
    "it returns an array of shape": lambda *a: np.zeros(3),
    "of its": lambda model, theta, *a: np.full_like(theta, np.nan),
    "it returns tuple, expected one array": lambda model, theta, *a: (0.0, theta),
    "it returns complex numbers": lambda model, theta, *a: theta * 1j,
    "it stops with ZeroDivisionError": lambda *a: 1 / 0,
    "it stops with RecursionError": lambda *a: BAD["it stops with RecursionError"](*a),
    "it stops with SystemExit": lambda *a: sys.exit(0),
    "every entry is 0": lambda model, theta, *a: np.zeros_like(theta),
}


@pytest.mark.parametrize("name", ["02_hvp", "03_maml"])
@pytest.mark.parametrize("says", BAD)
def test_an_answer_that_is_no_answer_gets_a_clear_line(name, says, capsys):
    assert not grading.report(name, BAD[says], 0)
    assert says in capsys.readouterr().out


def test_of_zeros_nothing_else_is_said():
    says = "every entry is 0"
    case = next(EXERCISES["03_maml"].cases(0))
    assert grading.judge(BAD[says], case)[1] == says


@EACH
def test_writing_into_an_argument_is_noticed(name, capsys):
    answer = solution(name)[EXERCISES[name].answer]

    def writing(model, theta, *rest):
        result = answer(model, theta, *rest)
        theta -= 1e-3
        return result

    assert not grading.report(name, writing, 0)
    assert "it writes into its argument theta" in capsys.readouterr().out


def test_a_shared_batch_is_looked_at_as_well(capsys):
    def writing(model, theta, batch, *rest):
        result = tm.reptile_grad(model, theta, batch, *rest)[1]
        batch.y_support[0] = 0
        return result

    assert not grading.report("05_reptile", writing, 0)
    assert "it writes into its argument batch" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change, says",
    [
        ({"FIRST_TO_FAIL": None}, "claims: still blank"),
        (
            {"FIRST_TO_FAIL": "0 inner steps"},
            "is not the first of 0 inner steps, 1 inner step, 2 inner steps, 3 inner steps that "
            "fails",
        ),
        ({"BY": 0.1}, "BY = 0.1 is not the relative error there"),
        ({"BY": 0.205}, "BY = 0.205 is not the relative error there"),
        ({"BY": "much"}, "BY = 'much' is not the relative error there"),
    ],
)
def test_what_is_claimed_of_first_order_maml_is_measured(change, says, capsys):
    assert not grading.grade("04_first_order_maml", solution("04_first_order_maml") | change, [0])
    assert says in capsys.readouterr().out


# Grading


def test_an_answer_that_is_right_on_one_problem_and_wrong_on_another_fails(capsys):
    first = EXERCISES["05_reptile"].cases(1).__next__().arguments[0]

    def sometimes(model, theta, batch, *rest):
        return tm.reptile_grad(model, theta, batch, *rest)[1] * (1 if model == first else 2)

    def always(model, theta, batch, *rest):
        return tm.reptile_grad(model, theta, batch, *rest)[1]

    assert grading.grade("05_reptile", {"reptile_grad": always}, [1, 2])
    assert not grading.grade("05_reptile", {"reptile_grad": sometimes}, [1, 2])
    assert not grading.grade("05_reptile", {"reptile_grad": sometimes}, [2, 1])
    assert capsys.readouterr().out.endswith("05_reptile: not yet\n")


@pytest.mark.parametrize("error, right", [(1e-4, False), (1e-5, False), (1e-8, True)])
def test_an_answer_may_be_off_by_rounding_alone(error, right, capsys):
    def nearly(model, theta, batch, *rest):
        grad = tm.reptile_grad(model, theta, batch, *rest)[1]
        grad[0] += error * np.linalg.norm(grad)
        return grad

    assert grading.report("05_reptile", nearly, 0) is right


@pytest.mark.parametrize(
    "path, seeds, says, wrong",
    [
        (SOLUTIONS / "05_reptile.py", [], "05_reptile, problem 0: ", False),
        (SOLUTIONS / "05_reptile.py", ["3"], "05_reptile, problem 3: ", False),
        (BLANKS[4], [], "05_reptile: still blank", True),
    ],
)
def test_the_grader_is_a_command_for_a_file_and_any_problems(
    path, seeds, says, wrong, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["grading.py", str(path), *seeds])
    monkeypatch.delitem(sys.modules, "tinymeta.course.grading")  # to be run anew, as a command
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("tinymeta.course.grading", run_name="__main__")
    assert stopped.value.code == wrong and says in capsys.readouterr().out


def test_an_unknown_exercise_and_a_missing_function_are_not_right(capsys):
    assert grading.grade("99_nothing", {}, [1]) is False
    assert "no exercise of that name; there are 01_backward" in capsys.readouterr().out
    assert grading.grade("05_reptile", {"reptile_grad": 3}, [1]) is False
    assert "there is no function reptile_grad" in capsys.readouterr().out


@pytest.mark.parametrize(
    "body, says, seconds",
    [
        ("while True:\n    pass\n", "stopped after 1 s; an endless loop?", 1),
        ("import sys\nsys.exit(0)\n", "it ended before its check", 30),
        ("def reptile(\n", "SyntaxError", 30),
        ("x = 1\n", "there is no function reptile_grad", 30),
    ],
)
def test_a_file_that_does_not_get_to_its_check_fails(body, says, seconds, tmp_path):
    (tmp_path / "05_reptile.py").write_text(body, encoding="utf-8")
    right, text = graded(tmp_path / "05_reptile.py", seconds)
    assert not right and says in text
    assert graded(tmp_path / "06_meta_sgd.py") == (False, "06_meta_sgd.py: not handed in")


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags, failed",
    [(["--exercises={}"], 6), (["tests", "-k", "03 or 05", "--exercises", "{}"], 1)],
)
def test_a_folder_is_graded_by_the_marker(flags, failed, tmp_path):
    shutil.copy(SOLUTIONS / "05_reptile.py", tmp_path)
    shutil.copy(ROOT / "lessons" / "exercises" / "03_maml.py", tmp_path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "exercise",
        *(flag.format(tmp_path) for flag in flags),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120
    )
    assert "1 passed" in done.stdout and f"{failed} failed" in done.stdout, (
        done.stdout + done.stderr
    )
    assert "03_maml: still blank: write maml_grad" in done.stdout
    assert ("07_bug_hunt.py: not handed in" in done.stdout) is (failed > 1)
