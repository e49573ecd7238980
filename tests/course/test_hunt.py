"""The bug hunt: what each bug shows and where it hides, what the letters give away, and which
answers are believed."""

import ast
import functools
import re
import runpy
import shutil
import sys
from collections import Counter

import numpy as np
import pytest
from running import results, run
from wrong_answers import SOLUTIONS

from tinymeta import checks, course, meta_loss
from tinymeta.course import grading, hunt, hunt_bugs, hunt_key
from tinymeta.extras import autopsy

ROOT = SOLUTIONS.parents[1]
FOLDER = ROOT / "lessons" / "exercises"
GUIDE = (ROOT / "lessons" / "INSTRUCTOR.md").read_text(encoding="utf-8")
TEXT = (FOLDER / "07_bug_hunt.py").read_text(encoding="utf-8")
ANSWERS = hunt.read_answers((SOLUTIONS / "07_bug_hunt.py").read_bytes())
DEEPER = {"compare": "adapt", "sizes": (2, 5, 4, 3)}
KEY = hunt.key()
LETTER = {name: letter for letter, name in KEY.items()}


def points(answers, word=hunt.WORD):
    return sum(points for points, _, _ in hunt.judge(answers, word).values())


# The bugs

SHOWS = {  # name: the columns of the teacher's table in which it shows
    "right": set(),
    "fine-tuning": {"deeper"},
    "cut short": {"k=3"},
    "loss''": {"xent"},
    "reported loss": {"loss"},
    "f''": {"usual", "k=2", "k=3", "xent", "T=1"},
    "left over": {"usual", "k=2", "k=3", "k=0", "relu", "xent", "loss"},
    "other points": {"usual", "k=2", "k=3", "relu", "xent"},
}


@pytest.mark.parametrize("name", hunt.BUGS)
def test_a_bug_shows_where_it_should_and_hides_elsewhere(name):
    errors = {
        column: hunt.off(hunt_bugs.IMPLEMENTATIONS[name], **given)
        for column, given in hunt_key.WHERE.items()
    }
    assert {column for column, error in errors.items() if error > 1e-3} == SHOWS[name]
    assert all(error < 1e-12 for column, error in errors.items() if column not in SHOWS[name])


def test_what_is_called_right_is_what_numerical_derivatives_give():
    for given in ({}, {"inner_steps": 3}, {"criterion": "cross_entropy", "activation": "sigmoid"}):
        model, theta, batch = hunt.example(**given)
        steps = given.get("inner_steps", 1)

        def loss(t, model=model, batch=batch, steps=steps):
            return meta_loss(model, t, batch, 0.1, steps)

        gradient = hunt.truth(tuple(hunt.as_input(given).items()))
        reported = hunt.truth(tuple(hunt.as_input({**given, "compare": "loss"}).items()))
        assert checks.relative_error(gradient, checks.complex_step(loss, theta)) < 1e-12
        assert checks.relative_error(reported, loss(theta)) < 1e-12
        moved = hunt.truth(tuple(hunt.as_input({**given, "compare": "adapt"}).items()))
        x, y = batch.x_support[0], batch.y_support[0]
        if steps == 1:
            slope = checks.complex_step(lambda t, m=model, x=x, y=y: m.loss(t, x, y), theta)
            assert checks.relative_error(moved, 0.1 * slope) < 1e-12


def test_no_two_bugs_are_off_by_the_same():
    for given in hunt_key.WHERE.values():
        errors = [hunt.off(each, **given) for each in hunt_bugs.IMPLEMENTATIONS.values()]
        shown = [error for error in errors if error > 1e-6]
        assert len({f"{error:.4g}" for error in shown}) == len(shown)


def test_an_example_has_the_shapes_of_its_input_and_one_hot_labels():
    given = {"sizes": (3, 4, 2), "n_tasks": 4, "shots": 7, "query": 2, "activation": "relu"}
    model, theta, batch = hunt.example(**given, criterion="cross_entropy")
    assert repr(model) == "MLP([3, 4, 2], activation='relu', criterion='cross_entropy')"
    assert theta.shape == (model.n_params,)
    shapes = [array.shape for array in batch]
    assert shapes == [(4, 7, 3), (4, 7, 2), (4, 2, 3), (4, 2, 2)]
    assert set(np.unique(batch.y_query)) == {0, 1} and (batch.y_support.sum(axis=-1) == 1).all()


# The autopsy


@functools.cache
def examined(name, inner_steps=2, **given):
    meta_grad = hunt_bugs.IMPLEMENTATIONS[name].meta_grad
    return autopsy.examine(meta_grad, *hunt.example(**given), 0.1, inner_steps)


def by_the_autopsy(letters_name, given):
    """Return (the name that the autopsy's words suggest, its relative error)."""
    found = examined(letters_name, **given)
    said = {"yes": "right", "f'' missing": "f''", "they mix": "left over"}
    names = [name for words, name in said.items() if words in found.verdict]
    if names == ["right"] and any("the loss returned" in note for note in found.notes):
        names = ["reported loss"]
    return (names or ["cut short"])[0], found.errors["MAML"]


def test_the_autopsy_says_yes_to_five_and_the_same_no_to_two():
    said = Counter(examined(name).verdict for name in hunt.BUGS)
    assert sorted(said.values()) == [1, 2, 5]
    assert said["yes: this is MAML, second order included"] == 5
    assert examined("right").verdict == hunt_key.verdict(hunt_bugs.IMPLEMENTATIONS["right"])


def loop_over_the_autopsy(inputs, word=hunt.WORD):
    """Return the answers of a loop over `examine`: for each letter what it says first against it,
    with the input and its error there; for a letter that it has nothing against, "right"."""
    answers = {}
    for letter, letters_name in hunt.key(word).items():
        for given in inputs:
            name, error = by_the_autopsy(letters_name, given)
            answers[letter] = (name, {"inner_steps": 2, **given}, error)
            if name != "right":
                break
        if answers[letter][0] == "right":
            answers[letter] = ("right", [{"inner_steps": 2, **given} for given in inputs], 0)
    return answers


def test_a_loop_over_the_autopsy_scores_at_most_half():
    assert points(loop_over_the_autopsy([{}])) == 2 <= len(hunt.LETTERS) / 2


@pytest.mark.slow
@pytest.mark.parametrize("word", ["tinymeta", "oak", "elm"])
def test_a_loop_over_the_autopsy_on_many_inputs_scores_at_most_half(word):
    inputs = [
        {"activation": activation, "criterion": criterion, "inner_steps": steps}
        for steps in (2, 3)
        for activation in ("tanh", "relu")
        for criterion in ("mse", "cross_entropy")
    ]
    answers = loop_over_the_autopsy(inputs, word)
    assert 1 <= points(answers, word) <= len(hunt.LETTERS) / 2


# The letters


def test_a_word_deals_every_name_to_one_letter():
    words = ["tinymeta", "oak", "été", "two words", "7"]
    keys = [hunt.key(word) for word in words]
    for key in keys:
        assert "".join(key) == hunt.LETTERS and sorted(key.values()) == sorted(hunt.BUGS)
    assert len({tuple(key.values()) for key in keys}) == len(words)
    assert hunt.key(" Oak ") == hunt.key("oak")


@pytest.mark.parametrize("word", ["", "  ", None, 7, b"oak"])
def test_what_is_no_word_is_refused(word, tmp_path):
    for function in (hunt.key, hunt.deal, lambda w: hunt.judge({}, w)):
        with pytest.raises(ValueError, match="word: expected a word"):
            function(word)
    with pytest.raises(ValueError, match="word: expected a word"):
        hunt.write(tmp_path, word)
    assert not [*tmp_path.iterdir()]


def test_every_letter_gets_every_bug_about_as_often():
    counts = Counter(pair for i in range(800) for pair in hunt.key(f"word {i}").items())
    assert len(counts) == 64 and min(counts.values()) > 60 and max(counts.values()) < 145


def test_the_exercises_own_letters_are_those_of_the_default_word(tmp_path):
    path = hunt.write(tmp_path)
    assert path == tmp_path / "implementations.py"
    assert path.read_bytes() == (FOLDER / "implementations.py").read_bytes()


def test_what_students_read_does_what_the_key_says_and_does_not_say_it(tmp_path):
    word = "oak"
    path = hunt.write(tmp_path, word)
    text = path.read_text(encoding="utf-8")
    written = runpy.run_path(str(path))["ALL"]
    assert "".join(written) == hunt.LETTERS == "".join(re.findall(r"^class (\w):", text, re.M))
    for letter, name in hunt.key(word).items():
        for given in hunt_key.WHERE.values():
            is_off = hunt.off(written[letter], **given)
            assert is_off == hunt.off(hunt_bugs.IMPLEMENTATIONS[name], **given)
    classes = [each.__name__ for each in hunt_bugs.IMPLEMENTATIONS.values()]
    for tell_tale in (*classes, *(f'"{name}"' for name in hunt.BUGS), "#", "oak", "hunt_bugs"):
        assert tell_tale not in text
    assert text.isascii() and max(map(len, text.splitlines())) <= 100


def test_two_deals_differ_in_the_order_of_their_classes_alone(tmp_path):
    def parts(word):
        text = hunt.write(tmp_path, word).read_text(encoding="utf-8")
        head, *classes = re.split(r"^class (?=\w:)", text, flags=re.M)
        return head, sorted(re.sub(r"\b[A-H]\b", "_", each).rstrip() for each in classes[:-1])

    (head, ones), (other, others) = parts("tinymeta"), parts("oak")
    assert head == other and len(set(ones) & set(others)) >= 6  # the last of each has ALL after it


def test_the_texts_list_is_the_checkers():
    listed = dict(re.findall(r'^    ("\w.*?")  +(\w.*)$', TEXT.split("Which is which?")[1], re.M))
    assert {name.strip('"'): says for name, says in listed.items()} == hunt.BUGS
    usual = TEXT.split("the usual one:")[1].split('"""')[0]
    for name, value in hunt.INPUT.items():
        said = re.search(rf"\b{name} +(\([^)]*\)|\S+)", usual)[1].rstrip(",;")
        assert ast.literal_eval(said) == value
    for name, choices in hunt.CHOICES.items():
        assert all(f'"{choice}"' in usual for choice in choices), name


# Answers


def test_the_solution_has_all_points_and_says_what_is_what(capsys):
    judged = hunt.judge(ANSWERS)
    assert "".join(judged) == hunt.LETTERS
    for letter, name in KEY.items():
        assert judged[letter][:2] == (1, 1) and f"{letter}: {name}, " in judged[letter][2]
    assert hunt.check(ANSWERS) is True
    assert capsys.readouterr().out.splitlines() == [
        *(f"  {letter}: the evidence holds" for letter in hunt.LETTERS),
        "07_bug_hunt: evidence that holds for 8 of 8, 8 with the right name: all checks OK",
    ]


def test_another_words_answers_score_as_chance():
    """As many points as letters have the same bug under both words; one of eight on average."""
    same = [sum(KEY[letter] == bug for letter, bug in hunt.key(f"{i}").items()) for i in range(999)]
    assert abs(np.mean(same) - 1) < 0.1
    for i in [*range(4), same.index(0), same.index(max(same))]:
        assert points(ANSWERS, f"{i}") == same[i]
    assert max(same) >= 3


@pytest.mark.slow
def test_another_words_answers_score_as_chance_over_many_words():
    scores = [points(ANSWERS, f"word {i}") for i in range(200)]
    assert 0.7 < np.mean(scores) < 1.3  # 1, with a standard error of 0.07


def test_the_right_name_everywhere_scores_one_at_most():
    for evidence in ({}, ANSWERS[LETTER["right"]][1]):
        answers = dict.fromkeys(hunt.LETTERS, ("right", evidence, 0))
        assert points(answers) == (evidence != {})


def refused(name, answer, stage, says):
    """Assert that an answer on the letter of a name gets no point, and is told why."""
    letter, known = LETTER[name], hunt.bugs()
    verdict = hunt.judge_letter(letter, answer, known[name], known)
    assert verdict.stage == stage and verdict.message.startswith(f"{letter}: ")
    assert re.search(says, verdict.message), verdict.message
    assert hunt.judge({letter: answer})[letter] == (0, 1, verdict.message)


@pytest.mark.parametrize(
    "name, answer, stage, says",
    [
        (
            "f''",
            ("f''", {"activation": "relu"}, 0.018),
            "evidence",
            "wrong input: nothing is wrong",
        ),
        (
            "cut short",
            ("cut short", {}, 0.1),
            "evidence",
            "wrong input: nothing is wrong at the usual input",
        ),
        (
            "f''",
            ("f''", {}, 0.02),
            "evidence",
            "wrong number: it is off by 0.018 at the usual input, not by 0.02$",
        ),
        ("f''", ("f''", {}, 0), "evidence", "wrong number: it is off by 0.018"),
        ("f''", ("f''", {}, 2), "evidence", "wrong number: .*, not by 2"),
        (
            "f''",
            ("other points", {}, 0.11),
            "evidence",
            "wrong number: it is off by 0.018 .*, not by 0.11, which is 'other points': the right "
            "number of another bug",
        ),
        (
            "left over",
            ("other points", {"inner_steps": 2}, 0.081),
            "name",
            "wrong name: it is off by 0.081 at {'inner_steps': 2}, as you say, but 'other points' "
            "would be off by 0.21 there: this is the number of another bug",
        ),
        ("left over", ("other points", {"inner_steps": 0}, 0.54), "name", "would be right there"),
        (
            "f''",
            ("right", {}, 0),
            "evidence",
            "it is off by 0.018 at the usual input, so it is not right",
        ),
        (
            "cut short",
            ("right", ANSWERS[LETTER["right"]][1], 0),
            "evidence",
            "it is off by 0.17 at {'inner_steps': 3}, so it is not right",
        ),
        ("right", ("right", {}, 0), "evidence", "wrong input: 4 of the 7 bugs would be right"),
        ("right", ("right", [{}, DEEPER], 0), "evidence", "wrong input: 3 of the 7 bugs"),
        ("fine-tuning", ("right", {}, 0), "evidence", "wrong input: 4 of the 7 bugs"),
        ("right", ("right", ANSWERS[LETTER["right"]][1], 0.1), "evidence", "wrong number: .* 0.1$"),
        ("right", ("f''", {}, 0.018), "evidence", "wrong input: nothing is wrong"),
    ],
)
def test_evidence_that_does_not_hold_is_refused_with_what_is_wrong_about_it(
    name, answer, stage, says
):
    refused(name, answer, stage, says)


EXPLODES = {"activation": "relu", "inner_steps": 5, "inner_lr": 1}  # where "left over" diverges


def test_where_adaptation_diverges_nothing_is_shown():
    left_over, cut_short = (hunt.bugs()[name] for name in ("left over", "cut short"))
    assert np.isnan(hunt.off(left_over, **EXPLODES)) and hunt.off(cut_short, **EXPLODES) > 0.1
    refused("left over", ("left over", EXPLODES, 1), "evidence", "diverges at .*; take a smaller")
    refused("left over", ("right", [EXPLODES], 0), "evidence", "diverges at .*; take a smaller")
    refused("cut short", ("left over", EXPLODES, 1), "name", "would be off by nan there")


@pytest.mark.parametrize("number, fine", [(0.21, 1), (0.217, 1), (0.205, 1), (0.19, 0), (0.23, 0)])
def test_two_digits_of_a_number_are_enough(number, fine):
    letter = LETTER["other points"]
    assert points({letter: ("other points", {"inner_steps": 2}, number)}) == fine


@pytest.mark.parametrize(
    "answer, says",
    [
        ("f''", "\"f''\" without its evidence: expected \\(name, input, number\\)"),
        ("F''", "expected \\(name, input, number\\), such as .*; got \"F''\""),
        (("f''", {}), "expected \\(name, input, number\\), such as .*; got \\(\"f''\", {}\\)"),
        (7, "expected \\(name, input, number\\)"),
        (("leak", {}, 0.1), "name: expected one of right, fine-tuning, .*; got 'leak'"),
        ((["f''"], {}, 0.1), "name: expected one of"),
        (("f''", {}, "0.1"), "number: expected a relative error, from 0 to 2; got '0.1'"),
        (("f''", {}, True), "number: expected a relative error"),
        (("f''", {}, 1e999), "number: expected a relative error"),
        (("f''", {}, -0.1), "number: expected a relative error"),
        (("f''", {}, 2.1), "number: expected a relative error"),
        (("f''", "tanh", 0.1), "input: expected a dict such as .*; got 'tanh'"),
        (("f''", [{}], 0.1), "input: expected a dict such as"),
        (("right", [], 0), "input: expected a list of 1 to 8 inputs, .*; got 0"),
        (("right", [{}] * 9, 0), "input: expected a list of 1 to 8 inputs, .*; got 9"),
        (("f''", {"steps": 2}, 0.1), "input: expected names among compare, .*; got 'steps'"),
        (
            ("f''", {"compare": "theta"}, 0.1),
            "compare: expected one of 'meta_grad', 'loss', 'adapt'",
        ),
        (("f''", {"activation": "Tanh"}, 0.1), "activation: expected one of 'relu', 'tanh'"),
        (("f''", {"criterion": ["mse"]}, 0.1), "criterion: expected one of 'mse', 'cross_entropy'"),
        (("f''", {"inner_steps": 2.5}, 0.1), "inner_steps: expected a whole number of at least 0"),
        (("f''", {"inner_steps": 9}, 0.1), "inner_steps: expected at most 8; got 9"),
        (("f''", {"n_tasks": 0}, 0.1), "n_tasks: expected a whole number of at least 1; got 0"),
        (("f''", {"n_tasks": 6}, 0.1), "n_tasks: expected at most 5; got 6"),
        (("f''", {"shots": 11}, 0.1), "shots: expected at most 10"),
        (("f''", {"query": 10**9}, 0.1), "query: expected at most 10"),
        (("f''", {"sizes": 3}, 0.1), "sizes: expected at least two positive whole numbers"),
        (("f''", {"sizes": (2, 11, 3)}, 0.1), "sizes: expected at most 5 widths of at most 10"),
        (("f''", {"sizes": (2,) * 6}, 0.1), "sizes: expected at most 5 widths of at most 10"),
        (
            ("f''", {"sizes": (2, 5, 1), "criterion": "cross_entropy"}, 0.1),
            "sizes: expected two outputs for cross_entropy; got \\[2, 5, 1\\]",
        ),
        (("f''", {"inner_lr": "much"}, 0.1), "inner_lr: expected a number"),
        (("f''", {"inner_lr": -0.1}, 0.1), "inner_lr: expected a number of at least 0"),
        (("f''", {"inner_lr": 1.01}, 0.1), "inner_lr: expected at most 1; got 1.01"),
        (("f''", {"inner_lr": 10**310}, 0.1), "inner_lr: expected at most 1; got 1000"),
    ],
)
def test_what_is_no_answer_is_told_what_one_is(answer, says):
    refused("f''", answer, "form", says)


def test_the_largest_input_is_an_input():
    largest = {name: most for name, (_, most) in hunt.RANGES.items()}
    largest |= {"sizes": [10] * 5, "inner_lr": 1, "criterion": "cross_entropy"}
    assert hunt.as_input(largest) == {**hunt.INPUT, **largest, "sizes": (10,) * 5}


@pytest.mark.parametrize("name", hunt.RANGES)
def test_the_ends_of_a_range_are_in_it_and_their_neighbours_are_not(name):
    least, most = {
        "n_tasks": (1, 5), "shots": (1, 10), "query": (1, 10), "inner_steps": (0, 8)
    }[name]  # fmt: skip
    assert [hunt.as_input({name: number})[name] for number in (least, most)] == [least, most]
    for outside in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"^{name}: expected "):
            hunt.as_input({name: outside})


def test_a_message_is_short():
    answer = ("f''", {"compare": "x" * 10_000}, 0.1)
    assert len(hunt.judge({"A": answer})["A"][2]) == 400


@pytest.mark.parametrize(
    "answers, says",
    [
        (None, "no ANSWERS"),
        ({}, "A: no answer"),
        (dict.fromkeys(hunt.LETTERS), "A: no answer"),
        ({"a": ("f''", {}, 0.1)}, "A: no answer; 'a' is none of A, B, C, D, E, F, G, H"),
        ([1], "ANSWERS: expected a dict; got [1]"),
    ],
)
def test_without_answers_there_are_no_points_and_a_line(answers, says):
    judged = hunt.judge(answers)
    assert judged["A"] == (0, 1, says) and "".join(judged) == hunt.LETTERS
    assert points(answers) == 0


# The exercise's own report


def test_the_report_says_what_does_not_hold_and_counts_the_names(capsys):
    right, wrong = LETTER["right"], LETTER["left over"]
    some = {
        LETTER["cut short"]: ("cut short", {}, 0.1),
        right: ANSWERS[right],
        wrong: ("other points", {"inner_steps": 0}, 0.54),
    }
    assert hunt.check(some) is False
    lines = capsys.readouterr().out.splitlines()
    said = dict(line.strip().split(": ", 1) for line in lines)
    assert said[right] == said[wrong] == "the evidence holds"  # whatever its name
    assert said[LETTER["cut short"]].startswith("wrong input") and said["07_bug_hunt"] == (
        "evidence that holds for 2 of 8, 1 with the right name"
    )
    assert list(said.values()).count("no answer") == 5


@pytest.mark.parametrize("blank", [None, {}, dict.fromkeys(hunt.LETTERS)])
def test_a_blank_is_called_blank(blank, capsys):
    assert hunt.check(blank) is False
    assert capsys.readouterr().out == "07_bug_hunt: still blank: fill in ANSWERS\n"


def test_the_exercises_own_report_is_that_of_the_hunt(capsys):
    assert not grading.grade("07_bug_hunt", {"ANSWERS": 3}, [1])
    said = capsys.readouterr().out
    assert not hunt.check(3) and capsys.readouterr().out == said != ""


def test_what_is_no_dict_is_said_once(capsys):
    assert hunt.check([1]) is False
    assert capsys.readouterr().out.count("ANSWERS: expected a dict; got [1]") == 1


def test_the_report_judges_the_letters_that_the_student_has(capsys):
    oak = hunt.deal("oak")
    assert hunt.check(ANSWERS, oak) is False
    assert "evidence that holds for 8 of 8" not in capsys.readouterr().out
    assert hunt.check({}, oak) is False


def test_without_the_teachers_file_the_evidence_is_judged_and_the_names_are_not(
    monkeypatch, capsys, tmp_path
):
    implementations = hunt.deal()
    monkeypatch.delattr(course, "hunt_bugs", raising=False)
    monkeypatch.setitem(sys.modules, "tinymeta.course.hunt_bugs", None)
    assert hunt.check({**ANSWERS, "A": ("f''", DEEPER, 0.31)}, implementations) is False
    assert capsys.readouterr().out.endswith(
        "07_bug_hunt: evidence that holds for 8 of 8, the names are judged by your teacher\n"
    )
    hunt.check({LETTER["f''"]: ("f''", {}, 0.3)}, implementations)
    assert "wrong number: it is off by 0.018" in capsys.readouterr().out
    assert hunt.check(ANSWERS) is False
    assert capsys.readouterr().out.startswith("07_bug_hunt: run the file itself, beside its")
    for function in (hunt.deal, hunt.judge, lambda word: hunt.write(tmp_path, word)):
        with pytest.raises(FileNotFoundError, match="which is the teacher's; it is not here"):
            function("oak")


# A file that is not run

WRITTEN = "import implementations\nANSWERS = {'A': (\"f''\", {'sizes': [2, 3]}, 0.1), 'B': None}\n"
READ = {"A": ("f''", {"sizes": (2, 3)}, 0.1), "B": None}


@pytest.mark.parametrize(
    "source",
    [
        WRITTEN,
        WRITTEN.encode(),
        WRITTEN.encode("utf-8-sig"),
        "\ufeff" + WRITTEN,
        WRITTEN.replace("\n", "\r\n").encode("utf-8-sig"),
        "1 / 0\n" + WRITTEN,
        "ANSWERS = None\n" + WRITTEN,
        "α = '\\d'\n" + WRITTEN,
        "# coding: latin-1\nx = '\xe9'\n".encode("latin-1") + WRITTEN.encode(),
        "ANSWERS: dict = dict(A=(\"f''\", dict(sizes=(2, 3)), 1e-1), B=None)",
        "if True:\n    ANSWERS = {'B': None}\nANSWERS['A'] = \"f''\", dict(sizes=[2, 3]), 0.1",
    ],
)
def test_answers_are_read_as_they_are_written(source):
    assert hunt.read_answers(source) == READ


def test_a_file_without_answers_has_none():
    assert hunt.read_answers("x = 1\nx[0] = 2\nother: int\n") is None
    assert hunt.read_answers(TEXT) == dict.fromkeys(hunt.LETTERS)


@pytest.mark.parametrize(
    "source, says",
    [
        ("ANSWERS = {", "the file cannot be read as Python: "),
        (b"\xff\xfe", "the file cannot be read as Python: "),
        ("x = 1\0", "the file cannot be read as Python: "),
        ("(" * 5000, "the file cannot be read as Python: "),
        ("x = 1\nANSWERS = {'A': (\"f''\", {}, off(1))}", "ANSWERS: expected literals .* line 2"),
        ("ANSWERS = {**x}", "ANSWERS: expected literals .* line 1"),
        ("ANSWERS = dict(**x)", "ANSWERS: expected literals .* line 1"),
        ("ANSWERS = dict([('A', 1)])", "ANSWERS: expected literals .* line 1"),
        ("\nANSWERS['A'] = 1", "ANSWERS: expected literals .* line 2"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(source, says):
    with pytest.raises(ValueError, match=says):
        hunt.read_answers(source)


# For teachers


@pytest.mark.slow
def test_the_teachers_command_prints_the_key_and_the_table(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hunt_key.py", "oak"])
    monkeypatch.delitem(sys.modules, "tinymeta.course.hunt_key")  # to be run anew, as a command
    runpy.run_module("tinymeta.course.hunt_key", run_name="__main__")
    printed = capsys.readouterr().out
    assert all(f"\n{letter}  {name}\n" in printed for letter, name in hunt.key("oak").items())
    assert hunt_key.table() in printed


@pytest.mark.parametrize("words", [["oak"], []])
def test_the_key_is_that_of_the_word_or_of_the_shipped_deal(words, monkeypatch, capsys):
    monkeypatch.setattr(hunt_key, "table", lambda: "the table")
    hunt_key.main(words)
    key = "\n".join(f"{letter}  {name}" for letter, name in hunt.key(*words or [hunt.WORD]).items())
    assert capsys.readouterr().out.endswith(f":\n\n{key}\n\nthe table\n")


def test_the_table_has_a_row_for_each_and_0_where_it_hides(monkeypatch):
    monkeypatch.setattr(hunt_key, "verdict", lambda implementation: "no: it is late")
    rows = hunt_key.table().splitlines()
    columns = rows[0].split()
    assert columns == [*hunt_key.WHERE, "autopsy"] and len(rows) == 1 + len(hunt.BUGS)
    for name, row in zip(hunt.BUGS, rows[1:]):
        assert row.startswith(name)
        cells = row[13:].split()[: len(hunt_key.WHERE)]
        shown = {column for column, cell in zip(hunt_key.WHERE, cells) if cell != "0"}
        assert shown == SHOWS[name] and row.endswith("  no, is late")


def test_the_guide_has_the_key_and_the_table(monkeypatch):
    names = {each: name for name, each in hunt_bugs.IMPLEMENTATIONS.items()}
    monkeypatch.setattr(hunt_key, "verdict", lambda each: examined(names[each]).verdict)
    letters = "\n".join(f"{letter}  {name}" for letter, name in KEY.items())
    assert f"```text\n{letters}\n```" in GUIDE and f"```text\n{hunt_key.table()}\n```" in GUIDE
    assert "has 2 points of 8" in " ".join(GUIDE.split())  # as above


def test_the_files_that_know_the_answers_are_there():
    assert all((ROOT / file).exists() for file in hunt.FOR_TEACHERS)


# Training


@pytest.mark.slow
@pytest.mark.parametrize("flags, least", [(["--iterations", "200"], 0.95), ([], 0.7)])
def test_the_hunt_runs_and_every_curve_falls(flags, least, tmp_path):
    path = FOLDER / "07_bug_hunt.py"
    done = run(path, *flags, "--out", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.isascii(), done.stderr
    assert (tmp_path / "07_bug_hunt_curves.png").exists()
    assert "07_bug_hunt: still blank" in done.stdout
    falls = [result["value"] for result in results(tmp_path, path).values()]
    assert len(falls) == len(hunt.LETTERS) and max(falls) < least
    for letter, name in KEY.items():
        implementation = hunt_bugs.IMPLEMENTATIONS[name]
        assert f"\n  {letter}  {hunt_key.verdict(implementation)}\n" in done.stdout
    if not flags:  # what the guide says that training tells
        rows = re.findall(r"^([A-H])  +([\d. ]+)$", done.stdout, re.MULTILINE)
        table = {KEY[letter]: [*map(float, numbers.split())] for letter, numbers in rows}
        by_curve = sorted(table, key=lambda name: table[name][1])
        assert by_curve[0] == "reported loss" and {*by_curve[-2:]} == {"left over", "other points"}
        better = {name for name, (*_, after_1, after_10) in table.items() if after_10 < after_1}
        assert better == {*hunt.BUGS} - {"fine-tuning"}


@pytest.mark.slow
def test_a_student_with_another_deal_and_without_the_teachers_files_hunts_as_well(tmp_path):
    shutil.copytree(ROOT / "tinymeta", tmp_path / "tinymeta")
    for name in ("hunt_bugs.py", "hunt_key.py"):
        (tmp_path / "tinymeta" / "course" / name).unlink()
    hunt.write(tmp_path, "oak")
    solved = {letter: ANSWERS[LETTER[name]] for letter, name in hunt.key("oak").items()}
    text = re.sub(r"ANSWERS = {.*?\n}\n", lambda _: f"ANSWERS = {solved}\n", TEXT, flags=re.S)
    (tmp_path / "07_bug_hunt.py").write_text(text, encoding="utf-8")
    done = run(
        tmp_path / "07_bug_hunt.py", "--quick", "--out", str(tmp_path), cwd=tmp_path,
        PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "evidence that holds for 8 of 8, the names are judged by your teacher" in done.stdout
    assert points(hunt.read_answers(text), "oak") == 8
