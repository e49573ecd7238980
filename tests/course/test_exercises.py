"""The exercises: blanks fail with a helpful line, right answers pass however they are written,
wrong ones are told what is wrong."""

import ast
import copy
import inspect
import linecache
import pickle
import re
import runpy
import sys
import textwrap

import numpy as np
import pytest
from running import ROOT, run
from wrong_answers import SOLUTIONS, WRONG

import tinymeta as tm
from tinymeta import checks, mlp
from tinymeta.course import fence, grading
from tinymeta.course.mistakes import head, layer, tasks
from tinymeta.course.problems import EXERCISES
from tinymeta.extras import autopsy, ridge, variants

BLANKS = sorted((ROOT / "lessons" / "exercises").glob("[0-9]*.py"))
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
        names
        == sorted([*EXERCISES, "07_bug_hunt", "10_own_tasks"])
        == sorted(path.stem for path in SOLUTIONS.glob("*.py"))
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
def test_hints_are_opened_one_by_one_and_the_last_is_a_formula_not_code(name, capsys):
    blank = (ROOT / "lessons" / "exercises" / f"{name}.py").read_text(encoding="utf-8")
    for number in range(1, 5):
        grading.hint(name, number)
        line = capsys.readouterr().out
        assert line.startswith(f"{name}, hint {number} of 4: ") and line.isascii()
        assert line.split(": ", 1)[1].strip() not in blank
    assert not any(code in line for code in ("np.", "@", ".T", "range(", "return", "model."))
    with pytest.raises(ValueError, match="number: expected 1 to 4; got 5"):
        grading.hint(name, 5)


def test_hints_on_the_command_line(tmp_path, capsys):
    path = ROOT / "lessons" / "exercises" / "03_maml.py"
    grading.hint("03_maml", 4)
    done = run(path, "--hint", "4", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == capsys.readouterr().out


def test_a_check_reads_the_command_line_but_not_that_of_a_notebooks_kernel(monkeypatch, capsys):
    for number in "1234":
        monkeypatch.setattr(sys, "argv", ["03_maml.py", "--hint", number])
        grading.check("03_maml", None)
        assert capsys.readouterr().out.startswith(f"03_maml, hint {number} of 4: ")
    for flags in (["--hint"], ["--hint", "5"], ["--hint", "0"], ["1"]):
        monkeypatch.setattr(sys, "argv", ["03_maml.py", *flags])
        with pytest.raises(SystemExit, match=r"^usage: python 03_maml.py \[--hint 1 to 4\]$"):
            grading.check("03_maml", None)
    monkeypatch.setattr(sys, "argv", ["03_maml.py"])
    with pytest.raises(SystemExit) as stopped:
        grading.check("03_maml", None)
    assert stopped.value.code == 1 and "there is no function" in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "ipykernel", None)
    monkeypatch.setattr(sys, "argv", ["/a/ipykernel_launcher.py", "-f", "file.json"])
    grading.check("03_maml", None)
    assert capsys.readouterr().out == "03_maml: there is no function maml_grad\n"


# The cases


@EACH
def test_cases_are_made_once_and_differ_from_seed_to_seed(name):
    one, again, other = (next(EXERCISES[name].cases(seed)) for seed in (1, 1, 2))
    assert one is again and one.exercise == name
    assert one.truth.shape != other.truth.shape or not np.allclose(one.truth, other.truth)


@EACH
def test_a_truth_is_real_unless_the_argument_is_complex_and_not_zero_in_every_case(name):
    cases = [*EXERCISES[name].cases(1)]
    assert {case.truth.dtype.kind for case in cases} == ({*"cf"} if name[:2] == "08" else {"f"})
    assert sum(not case.truth.any() for case in cases) <= 1
    assert len({case.label for case in cases}) == len(cases)


def settings(seed, name="03_maml"):
    """Return what varies between the cases of a meta-gradient."""
    for case in EXERCISES[name].cases(seed):
        model, theta, batch, inner_lr, inner_steps = case.arguments
        yield {
            "activation": model.activation, "criterion": model.criterion, "sizes": model.sizes,
            "tasks": len(batch.x_support), "rate": inner_lr, "steps": inner_steps,
        }  # fmt: skip


def test_nothing_that_is_written_in_is_right_in_every_case():
    found = [*settings(1)]
    assert {s["steps"] for s in found} >= {0, 1, 2, 5} and {1} < {s["tasks"] for s in found}
    assert {s["activation"] for s in found} == {"relu", "tanh", "sigmoid", "softplus"}
    assert {s["criterion"] for s in found} == {"mse", "cross_entropy"}
    assert len({s["rate"] for s in found}) == len({s["sizes"] for s in found}) == len(found)
    pairs = {
        (m.activation, m.criterion)
        for m, *_ in (case.arguments for case in EXERCISES["01_backward"].cases(1))
    }
    assert len(pairs) == 8


@pytest.mark.parametrize("seed", [1, 2, 26])  # of the last two, some networks had dead layers
def test_no_part_of_a_gradient_is_zero_and_one_W_is_square(seed):
    squares = 0
    for case in EXERCISES["01_backward"].cases(seed):
        pairs = case.arguments[0].unpack(case.truth)
        assert all(part.any() for pair in pairs for part in pair), case.label
        squares += sum(W.shape[0] == W.shape[1] for W, _ in pairs[1:])
    assert squares == 1


def test_related_arguments_are_each_task_alone_and_none_of_a_single_one():
    related = {len(case.arguments[2].x_support): len(case.related)
               for case in EXERCISES["03_maml"].cases(1)}  # fmt: skip
    assert related == {1: 0} | {n: n for n in related if n > 1}
    case = next(case for case in EXERCISES["06_meta_sgd"].cases(1) if len(case.related) > 1)
    batch = case.arguments[3]
    assert len(case.related) == len(batch.x_support)
    for i, arguments in enumerate(case.related):
        assert np.array_equal(arguments[3].x_query, batch.x_query[i : i + 1])
        assert [*arguments[:3], arguments[4]] == [*case.arguments[:3], case.arguments[4]]


# Right answers


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 2, 3, 4, 5, 6))]
)
@EACH
def test_a_solution_passes_on_any_problem(name, seed, capsys):
    assert grading.grade(name, solution(name), [seed]), capsys.readouterr().out


@pytest.mark.slow
def test_the_solution_of_exercise_10_has_everything_and_its_text_the_numbers_of_the_run(capsys):
    values = solution("10_own_tasks")
    assert grading.grade("10_own_tasks", values, [1]), capsys.readouterr().out
    printed = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    numbers = [number for line in printed for number in re.findall(r"\d+\.\d+|\d+%", line)]
    assert len(numbers) == 14 and set(numbers) <= set(
        re.findall(r"\d+\.\d+|\d+%", values["EXPLANATION"])
    )


def complex_step(f, theta):
    """Return the gradient of f, as a student who has read lesson 02 might write it."""
    return np.array([f(theta + 1e-30j * axis).imag / 1e-30 for axis in np.eye(len(theta))])


def hvp_by_complex_step(model, theta, x, y, v):
    return model.grad(theta + 1e-30j * v, x, y).imag / 1e-30


def backward_by_complex_step(model, theta, x, y):
    return complex_step(lambda t: model.loss(t, x, y), theta)


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
    total = np.zeros_like(theta)
    for x, y, *_ in zip(*batch):
        here = theta
        for _ in range(inner_steps):
            step = model.grad(here, x, y)
            total, here = total + step, here - inner_lr * step
    return total / len(batch.x_support)


def first_order_side_by_side(model, theta, batch, inner_lr, inner_steps):
    here = np.tile(theta, (len(batch.x_support), 1))
    for _ in range(inner_steps):
        here = here - inner_lr * model.grad(here, batch.x_support, batch.y_support)
    return model.grad(here, batch.x_query, batch.y_query).mean(axis=0)


def swish_by_tanh(z, beta):
    t = np.tanh(beta * z / 2)
    s, ds = (1 + t) / 2, beta * (1 - t * t) / 4
    return np.stack([z * s, s + z * ds, ds * (2 - beta * z * t)])


def features_grad_by_lesson_12(F, y, c, lam, F_q, y_q):
    root = np.sqrt(c)[:, None]
    G, t = root * F, root * y  # weights are a scale of each row
    A = G @ G.T + lam * np.eye(len(G))
    a = np.linalg.solve(A, t)
    g = 2 * (F_q @ G.T @ a - y_q) / y_q.size
    u = np.linalg.solve(A, G @ F_q.T @ g)
    return root * (a @ g.T @ F_q - u @ a.T @ G - a @ u.T @ G)


OTHERWISE = [
    ("01_backward", backward_by_complex_step),
    ("02_hvp", hvp_by_complex_step),
    ("03_maml", maml_by_dense_hessians),
    ("04_first_order_maml", first_order_side_by_side),
    ("05_reptile", reptile_by_gradients),
    ("08_own_layer", swish_by_tanh),
    ("09_solve_the_head", features_grad_by_lesson_12),
]


@pytest.mark.parametrize("name, answer", OTHERWISE)
def test_another_right_formulation_passes(name, answer, capsys):
    assert grading.report(name, answer, 1), capsys.readouterr().out


def test_a_network_can_have_the_activation_as_exercise_8_says(monkeypatch):
    text = (ROOT / "lessons" / "exercises" / "08_own_layer.py").read_text(encoding="utf-8")
    lines = text.partition("a network can have it:")[2].partition('"""')[0]
    values = solution("08_own_layer")
    monkeypatch.setattr(mlp, "ACTIVATIONS", mlp.ACTIVATIONS.copy())
    exec(textwrap.dedent(lines), values)
    model, rng = values["model"], np.random.default_rng(0)
    theta, v = model.init(rng), rng.standard_normal(model.n_params)
    x, y = rng.standard_normal((2, 5, 1))
    by_steps = checks.complex_step(lambda t: model.grad(t, x, y), theta, v)
    assert checks.relative_error(model.hvp(theta, x, y, v), by_steps) < 1e-12


# What is asked for cannot be called

early = tm.meta.maml_grad  # as a file has it that imports it
CHEATS = [
    ("01_backward", "model.grad", lambda m, t, x, y: m.grad(t, x, y)),
    ("01_backward", "model.backprop", lambda m, t, x, y: m.backprop(t, x, y).grad),
    ("01_backward", "model.grad", lambda m, t, x, y: copy.deepcopy(m).grad(t, x, y)),
    ("01_backward", "grad", lambda m, t, x, y: tm.MLP(m.sizes, m.activation).grad(t, x, y)),
    ("01_backward", "backward", lambda m, t, x, y: tm.MLP.backward(m, m.forward(t, x), y).grad),
    (
        "01_backward",
        "complex_step",
        lambda m, t, x, y: checks.complex_step(lambda s: m.loss(s, x, y), t),
    ),
    ("02_hvp", "model.hvp", lambda m, t, x, y, v: m.hvp(t, x, y, v)),
    ("02_hvp", "model.rop", lambda m, t, x, y, v: m.rop(m.backprop(t, x, y).tape, v)),
    (
        "02_hvp",
        "central_difference",
        lambda m, t, x, y, v: checks.central_difference(lambda s: m.grad(s, x, y), t, v),
    ),
    ("03_maml", "maml_grad", lambda *a: early(*a)[1]),
    ("03_maml", "inner_loop", lambda *a: early.unchecked(*a, None)[1]),
    ("04_first_order_maml", "fomaml_grad", lambda *a: tm.fomaml_grad(*a)[1]),
    ("05_reptile", "reptile_grad", lambda *a: tm.reptile_grad(*a)[1]),
    ("06_meta_sgd", "MetaSGDModel", lambda m, *a: variants.MetaSGDModel(m)),
    ("06_meta_sgd", "descend", lambda m, t, r, b, k: tasks.descend(
        tasks.Problem(m, t, b, r, k))),
    ("08_own_layer", "layer", lambda z, beta: layer.layer(z, beta)),
    ("09_solve_the_head", "head", lambda *a: head.head(*a)),
    ("03_maml", "examine", lambda *a: autopsy.examine(early, *a)),
    ("09_solve_the_head", "head_gradients", lambda F, y, c, lam, *q: ridge.head_gradients(
        F, q[0], y, q[1], lam)),
]  # fmt: skip


@pytest.mark.parametrize("name, called, answer", CHEATS)
def test_what_is_asked_for_cannot_be_called(name, called, answer):
    case = next(EXERCISES[name].cases(1))
    error, says = grading.judge(answer, case)
    assert error == np.inf and f"{called}" in says and "that is what you are writing" in says
    assert says.startswith("it cannot be called here")


def test_after_an_answer_has_run_the_library_is_what_it_was():
    codes = {f: f.__code__ for f in fence.out_of_reach("01_backward")}
    case = next(EXERCISES["03_maml"].cases(1))
    for answer in (solution("03_maml")["maml_grad"], lambda *a: 1 / 0, lambda *a: early(*a)):
        grading.attempt(answer, case)
    assert all(f.__code__ is code for f, code in codes.items()) and len(codes) > 50
    assert checks.relative_error(early(*case.arguments)[1], case.truth) < 1e-12


@pytest.mark.parametrize("name", ["01_backward", "02_hvp"])
def test_a_network_without_what_is_asked_for_does_all_else_for_complex_theta_too(name):
    model = tm.MLP([2, 3, 2], "tanh")
    rng = np.random.default_rng(0)
    theta, x, y = 1j * model.init(rng), rng.standard_normal((4, 2)), rng.standard_normal((4, 2))
    given = pickle.loads(pickle.dumps(fence.hand_out(name, model)))
    assert given.loss(theta, x, y) == model.loss(theta, x, y) and given.sizes == model.sizes
    assert np.array_equal(given.predict(theta, x), model.predict(theta, x))
    assert given.unpack(theta)[0][0].base is not None and repr(given) == repr(model)
    assert given.forward(theta, x).z[0].shape == (4, 3) and not hasattr(given, "hvp")
    assert hasattr(given, "grad") is (name == "02_hvp")


def test_the_other_exercises_get_the_network_itself():
    model = tm.MLP([2, 3, 2], "tanh")
    assert fence.hand_out("03_maml", model) is model


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
    "it returns str, expected one array": lambda *a: "zero",
    "it returns complex numbers": lambda model, theta, *a: theta * 1j,
    "it stops with ZeroDivisionError": lambda *a: 1 / 0,
    "it stops with RecursionError": lambda *a: BAD["it stops with RecursionError"](*a),
    "it stops with LinAlgError": lambda *a: np.linalg.inv(np.zeros((2, 2))),
    "it stops with SystemExit": lambda *a: sys.exit(0),
    "every entry is 0": lambda model, theta, *a: np.zeros_like(theta),
}


@pytest.mark.parametrize("name", ["02_hvp", "03_maml"])
@pytest.mark.parametrize("says", BAD)
def test_an_answer_that_is_no_answer_gets_a_clear_line(name, says):
    error, said = grading.judge(BAD[says], next(EXERCISES[name].cases(1)))
    assert not error < 1e-10 and says in said


def crashed(name, body):
    """Return what is said of an answer to an exercise with this body, where it stops."""
    case = next(EXERCISES[name].cases(1))
    arguments = ", ".join(inspect.signature(solution(name)[EXERCISES[name].answer]).parameters)
    source = f"import numpy as np\ndef answer({arguments}):\n" + textwrap.indent(body, "    ")
    linecache.cache["crash.py"] = len(source), None, source.splitlines(keepends=True), "crash.py"
    values = {}
    exec(compile(source, "crash.py", "exec"), values)
    return grading.judge(values["answer"], case)[1]


ORDER = "Are the arguments in their order: theta, x, y, v?"
LAYERS = "Is something transposed, or of another layer (l - 1, l + 1)?"
CRASHES = [  # exercise, what the answer does, the end of what is said
    ("03_maml", "x, y, *_ = next(zip(*batch))\nv = 2 * theta\nmodel.hvp(theta, v, x, y)", ORDER),
    ("03_maml", "x, y, *_ = next(zip(*batch))\nmodel.grad(theta, y, x)", ORDER),
    (
        "03_maml",
        "x, *_ = next(zip(*batch))\nmodel.predict(theta, x[:, 0])",
        "a column of points is x[:, None]; there theta (63,), x[:, 0] (7,)",
    ),
    (
        "03_maml",
        "x, xq, y, yq = next(zip(*batch))\nmodel.grad(theta, x, y)",
        "Are x and y of the same set? A batch is x, y, x_query, y_query, in this order.",
    ),
    (
        "03_maml",
        "start = theta.copy\nmodel.grad(start, *batch[:2])",
        "start is a method: are its brackets missing?",
    ),
    (
        "03_maml",
        "for t in range(len(batch)):\n    batch.x_query[t + 9]",
        "Is it len(batch)? A batch is four arrays; len(batch.x_support) counts its tasks.",
    ),
    ("03_maml", "steps = [len(batch)]\nsteps[inner_steps]", "list index out of range"),
    (
        "01_backward",
        "tape = model.forward(theta, x)\ntape.slope[0] * 2",
        "model.activation_fn.slope(z) is there always.",
    ),
    ("01_backward", "x @ x", f"there x (9, 5). {LAYERS}"),
    (
        "01_backward",
        "a = b = c = d = e = f = x\na + b + c + d + e @ f",
        f"there d (9, 5), e (9, 5), f (9, 5), c (9, 5), a (9, 5). {LAYERS}",
    ),
    ("01_backward", "def f(v):\n    return v @ v\nf(x)", f"there v (9, 5). {LAYERS}"),
    ("01_backward", "x[:, 0] * x", "is a column, a[:, None], meant?"),
    ("01_backward", "x[:, 0] += theta", LAYERS),
    (
        "09_solve_the_head",
        "F.T @ F + np.eye(len(F))",
        "Has np.eye the size of the matrix beside it?",
    ),
    ("09_solve_the_head", "np.linalg.solve(F, F.T)", "A^-1 b: are they in this order?"),
    ("09_solve_the_head", "F + G", "`F + G`: name 'G' is not defined"),
    ("09_solve_the_head", "np.linalg.inv(F)", "there F (6, 4). Is something transposed?"),
    (
        "09_solve_the_head",
        "w, w2 = F[0], F[1]\nF @ w2[1:]",
        "there F (6, 4), w2[1:] (3,). Is something transposed?",
    ),
    ("08_own_layer", "import math\nmath.exp(z + np.ones(2))", "Those of np take arrays."),
    (
        "03_maml",
        "for x, y in zip(*batch):\n    pass",
        "zip(*batch) gives one task at a time: x, y, x_query, y_query.",
    ),
    (
        "08_own_layer",
        "if np.append(z, z) > 0:\n    return z",
        "np.where(condition, a, b) chooses entry by entry.",
    ),
    (
        "01_backward",
        "x @ x[:, :2]",
        f"matmul: size 9 is different from 5; there x (9, 5), x[:, :2] (9, 2). {LAYERS}",
    ),
    ("08_own_layer", "_ = 0\nk = 3\n1 / _", "where k = 3: division by zero"),
]


@pytest.mark.parametrize("name, body, says", CRASHES)
def test_where_an_answer_stops_a_question_is_asked_that_fits(name, body, says):
    assert crashed(name, body).endswith(says)


def test_of_zeros_nothing_else_is_said():
    says = "every entry is 0"
    case = next(EXERCISES["03_maml"].cases(1))
    assert grading.judge(BAD[says], case)[1] == says


@EACH
def test_writing_into_an_argument_is_noticed(name):
    answer = solution(name)[EXERCISES[name].answer]
    place = 0 if name[:2] in ("08", "09") else 1  # of the first array, which is theta, z or F

    def writing(*arguments):
        result = np.asarray(answer(*arguments))
        arguments[place][...] += 1e-3
        return result

    says = grading.judge(writing, next(EXERCISES[name].cases(1)))[1]
    assert says.startswith("it writes into its argument ")


def test_the_line_that_writes_into_an_argument_is_named():
    says = crashed(
        "05_reptile", "start = theta\nfor _ in range(2):\n    start -= 0.1\nreturn start"
    )
    assert says == (
        "it writes into its argument theta, which others use too, in line 5, `start -= 0.1`; did "
        "you mean a copy (`a = a - b` for `a -= b`)?"
    )
    once = "if not hasattr(model, 'was'):\n    model.was = theta[...] = 1\nreturn theta"
    assert "others use too; did you" in crashed("05_reptile", once)


def test_a_shared_batch_is_looked_at_as_well():
    def writing(model, theta, batch, *rest):
        result = reptile_by_gradients(model, theta, batch, *rest)
        batch.y_support[0] = 0
        return result

    says = grading.judge(writing, next(EXERCISES["05_reptile"].cases(1)))[1]
    assert "it writes into its argument batch" in says


@pytest.mark.parametrize(
    "change, says",
    [
        ({"FIRST_TO_FAIL": None}, "claims: still blank"),
        (
            {"FIRST_TO_FAIL": "0 inner steps"},
            "is not the first of 0 inner steps, 1 inner step, 2 inner steps, 3 inner steps, "
            "5 inner steps that fails",
        ),
        ({"BY": 0.1}, "BY = 0.1 is not the relative error there"),
        ({"BY": 0.31}, "BY = 0.31 is not the relative error there"),
        ({"BY": "much"}, "BY = 'much' is not the relative error there"),
    ],
)
def test_what_is_claimed_of_first_order_maml_is_measured(change, says):
    claims = {"FIRST_TO_FAIL": "1 inner step", "BY": 0.29}
    assert grading.judge_claims(*claims.values()) == (
        True,
        "claims: 1 inner step fails, by 0.29: OK",
    )
    right, words = grading.judge_claims(*(claims | change).values())
    assert not right and says in words


def test_the_claims_of_exercise_4_are_part_of_it(capsys):
    values = solution("04_first_order_maml")
    assert grading.grade("04_first_order_maml", values, [1])
    assert "  claims: 1 inner step fails, by 0.29: OK\n" in capsys.readouterr().out
    assert not grading.grade("04_first_order_maml", values | {"BY": None}, [1])
    assert "by inner steps: 0 inner steps: " in capsys.readouterr().out


# Grading


def test_an_answer_that_is_right_on_one_problem_and_wrong_on_another_fails(capsys):
    first = next(EXERCISES["09_solve_the_head"].cases(1)).arguments[0]
    right = solution("09_solve_the_head")["features_grad"]

    def sometimes(F, *rest):
        return right(F, *rest) * (1 if np.array_equal(F, first) else 2)

    for seeds in ([1, 2], [2, 1]):
        assert grading.grade("09_solve_the_head", {"features_grad": right}, seeds)
        assert not grading.grade("09_solve_the_head", {"features_grad": sometimes}, seeds)
    assert capsys.readouterr().out.endswith("09_solve_the_head: not yet\n")


@pytest.mark.parametrize("error, right", [(1e-4, False), (1e-9, False), (1e-11, True)])
def test_an_answer_may_be_off_by_rounding_alone(error, right):
    def nearly(*arguments):
        grad = reptile_by_gradients(*arguments)
        grad[0] += error * np.linalg.norm(grad)
        return grad

    says = grading.judge(nearly, next(EXERCISES["05_reptile"].cases(1)))[1]
    assert (says == "") is right


@pytest.mark.parametrize("cut", [7, 10, 20])
def test_a_limit_of_swish_that_is_taken_too_early_is_rejected(cut):
    def early(z, beta):
        limits = np.zeros((3, *z.shape), complex)
        limits[:2] = np.where(z.real > 0, [z, 1 + 0 * z], 0)
        far = abs(beta * z.real) > cut
        found = np.where(far, limits, solution("08_own_layer")["swish"](z, beta))
        return found if z.dtype.kind == "c" else found.real

    for seed in (0, 1, 2):
        errors = [grading.judge(early, case)[0] for case in EXERCISES["08_own_layer"].cases(seed)]
        assert max(errors) > 1e-9


def test_what_is_small_in_the_whole_is_looked_at_in_exercise_8():
    case = next(case for case in EXERCISES["08_own_layer"].cases(1) if "large" in case.label)
    got = case.truth.copy()
    assert grading.verdict(case, [got]) == (0.0, "")
    got[2] += 1e-7  # beside values of 3000
    assert grading.verdict(case, [got])[0] > 1e-8


def test_an_answer_without_a_result_is_not_asked_for_those_of_each_task():
    case = next(EXERCISES["05_reptile"].cases(1))
    calls = []
    assert len(case.related) > 1
    assert len(grading.attempt(lambda *a: calls.append(a), case)) == len(calls) == 1
    assert grading.verdict(case, [case.truth, *[0 * case.truth] * len(case.related)]) == (0.0, "")


def test_an_unknown_exercise_and_a_missing_function_are_not_right(capsys):
    assert grading.grade("99_nothing", {}, [1]) is False
    assert "no exercise of that name; there are 01_backward" in capsys.readouterr().out
    assert grading.grade("05_reptile", {"reptile_grad": 3}, [1]) is False
    assert "there is no function reptile_grad" in capsys.readouterr().out
