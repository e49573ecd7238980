"""Exercise 7: eight implementations of MAML behind the letters A to H, and what each answer about
them has to show.

A course word deals the letters. `lessons/exercises/implementations.py` is the deal of the word
"tinymeta"; a course has one of its own:

    hunt.write(folder, "oak")             # implementations.py, for students
    hunt.read_answers(path.read_bytes())  # the ANSWERS of a hand-in, which is not run
    hunt.judge(answers, "oak")            # {letter: (points, max, message)}

An answer is a name of `BUGS`, an input, and how far off the letter is there, such as ("f''",
{"inner_lr": 0.2}, 0.12). Nothing here knows which letter has which bug: `judge` computes it, from
the word and from the implementations in `tinymeta.course.hunt_bugs`, which students do not get, and
without which the evidence is judged and the names are not.

A teacher prints the letters of a word by `python -m tinymeta.course.hunt_key oak`."""

import ast
import functools
import hashlib
import math
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import _validate
from ..checks import relative_error
from ..meta import fit, maml_grad
from ..mlp import MLP
from ..tasks import TaskBatch

WORD = "tinymeta"  # of the deal in the repository
LETTERS = "ABCDEFGH"
BUGS = {
    "right": "it is MAML, and so is its fine-tuning",
    "fine-tuning": "meta_grad is right, and adapt descends along something else",
    "cut short": "the gradient goes back through some of the inner steps, not through all",
    "loss''": "the Hessian-vector product takes the loss's second derivative for a constant",
    "reported loss": "the gradient is right, and the loss returned with it is another one",
    "f''": "the Hessian-vector product lacks f''",
    "left over": "a task descends along more than its own gradient",
    "other points": "Hessian-vector products are taken on the points of another task",
}
# What of the handed-out files knows the answers, relative to the repository.
FOR_TEACHERS = (
    "tinymeta/course/hunt_bugs.py",
    "tinymeta/course/hunt_key.py",
    "tests/course/test_hunt.py",
    "tests/solutions/07_bug_hunt.py",
)

# Inputs

INPUT = {  # the names of an input, and what is taken where it does not name them
    "compare": "meta_grad",
    "activation": "tanh",
    "criterion": "mse",
    "sizes": (2, 5, 3),
    "n_tasks": 3,
    "shots": 6,
    "query": 5,
    "inner_steps": 1,
    "inner_lr": 0.1,
}
CHOICES = {
    "compare": ("meta_grad", "loss", "adapt"),
    "activation": ("relu", "tanh", "sigmoid", "softplus"),
    "criterion": ("mse", "cross_entropy"),
}
RANGES = {"n_tasks": (1, 5), "shots": (1, 10), "query": (1, 10), "inner_steps": (0, 8)}
BOUND = 1e-6  # a relative error up to this is rounding
MOST_INPUTS = 8  # of an answer "right"
EXAMPLE = """("f''", {"inner_lr": 0.2}, 0.12)"""


def as_input(given):
    """Return an input with all its names; raise ValueError if a name or a value is none."""
    if not isinstance(given, dict):
        raise ValueError(f"input: expected a dict such as {{'inner_steps': 2}}; got {given!r}")
    strange = [name for name in given if name not in INPUT]
    if strange:
        raise ValueError(f"input: expected names among {', '.join(INPUT)}; got {strange[0]!r}")
    whole = INPUT | given
    for name, choices in CHOICES.items():
        _validate.check_choice(name, whole[name], choices)
    for name, (least, most) in RANGES.items():
        if _validate.check_count(name, whole[name], least) > most:
            raise ValueError(f"{name}: expected at most {most}; got {whole[name]}")
    sizes = whole["sizes"] = _validate.as_sizes(whole["sizes"])
    if len(sizes) > 5 or max(sizes) > 10:
        raise ValueError(f"sizes: expected at most 5 widths of at most 10; got {list(sizes)}")
    if whole["criterion"] == "cross_entropy" and sizes[-1] < 2:
        raise ValueError(f"sizes: expected two outputs for cross_entropy; got {list(sizes)}")
    if isinstance(whole["inner_lr"], int):  # one of 400 digits is no float
        whole["inner_lr"] = min(whole["inner_lr"], 2)
    if _validate.as_number("inner_lr", whole["inner_lr"]) > 1:
        raise ValueError(f"inner_lr: expected at most 1; got {given['inner_lr']!r}")
    return whole


def example(**given):
    """Return a model, a theta, and tasks of random numbers, for an input."""
    given = as_input(given)
    rng, sizes = np.random.default_rng(1), given["sizes"]
    model = MLP(sizes, given["activation"], given["criterion"])
    shape = given["n_tasks"], given["shots"] + given["query"]
    x, theta = rng.standard_normal((*shape, sizes[0])), 2 * model.init(rng)
    if given["criterion"] == "mse":
        y = rng.standard_normal((*shape, sizes[-1]))
    else:
        y = np.eye(sizes[-1])[rng.integers(sizes[-1], size=shape)]
    parts = np.split(x, [given["shots"]], axis=1), np.split(y, [given["shots"]], axis=1)
    return model, theta, TaskBatch(parts[0][0], parts[1][0], parts[0][1], parts[1][1])


@functools.lru_cache(maxsize=256)
def truth(items):
    """Return what is right at a whole input (its items): the gradient of `maml_grad`, its loss, or
    the change in theta of `fit`."""
    given = dict(items)
    model, theta, batch = example(**given)
    rest = given["inner_lr"], given["inner_steps"]
    if given["compare"] == "adapt":
        return theta - fit(model, theta, batch.x_support[0], batch.y_support[0], *rest)
    loss, grad = maml_grad(model, theta, batch, *rest)
    return loss if given["compare"] == "loss" else grad


def off(implementation, **given):
    """Return how far an implementation is off what is right.

    Parameters
    ----------
    implementation
        Anything with the functions meta_grad and adapt of implementations.py.
    given
        The input: names of `INPUT`, which has what is taken for those that are left out. "compare"
        says what is held against the library's own, which numerical derivatives prove: "meta_grad",
        the gradient; "loss", which comes with it; or "adapt", the change in theta on one task.

    Returns
    -------
    error : float
        The relative error: at most about 1e-15 for a right one; nan where adaptation diverges.

    Raises
    ------
    ValueError
        If a name or a value of the input is none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from tinymeta import fomaml_grad
    >>> round(off(SimpleNamespace(meta_grad=fomaml_grad), inner_steps=2), 2)
    0.39
    >>> off(SimpleNamespace(meta_grad=fomaml_grad), inner_steps=0) < 1e-9
    True
    """
    whole = as_input(given)
    model, theta, batch = example(**whole)
    rest = whole["inner_lr"], whole["inner_steps"]
    try:
        with np.errstate(all="ignore"):
            want = truth(tuple(whole.items()))
            if whole["compare"] == "adapt":
                x, y = batch.x_support[0], batch.y_support[0]
                got = theta - implementation.adapt(model, theta, x, y, *rest)
            else:
                loss, grad = implementation.meta_grad(model, theta, batch, *rest)
                got = loss if whole["compare"] == "loss" else grad
            return relative_error(got, want)
    except _validate.NotFinite:
        return math.nan


# Dealing


def bugs():
    """Return {name: implementation}, or None in a copy without the teacher's files."""
    try:
        from . import hunt_bugs
    except ImportError:
        return None
    return hunt_bugs.IMPLEMENTATIONS


def key(word=WORD):
    """Return {letter: name} for a course word; capitals and spaces around it do not count.

    Raises
    ------
    ValueError
        If the word is no text, or blank.

    Examples
    --------
    >>> key("oak")["A"]
    'other points'
    """
    if not isinstance(word, str) or not word.strip():
        raise ValueError(f"word: expected a word, which deals the letters; got {word!r}")
    salt = word.strip().casefold()

    def place(name):
        return hashlib.sha256(f"{salt}, {name}".encode()).digest()

    return dict(zip(LETTERS, sorted(BUGS, key=place)))


def deal(word=WORD):
    """Return {letter: implementation} for a course word (see `key`)."""
    known = bugs()
    if known is None:
        raise FileNotFoundError(
            "the letters are dealt by tinymeta/course/hunt_bugs.py, which is "
            "the teacher's; it is not here"
        )
    return {letter: known[name] for letter, name in key(word).items()}


def write(folder, word=WORD):
    """Write implementations.py, dealt by a course word, into a folder; return its path."""
    dealt, path = deal(word), Path(folder) / "implementations.py"
    from . import hunt_bugs

    path.write_text(hunt_bugs.source(dealt), encoding="utf-8", newline="\n")
    return path


# Answers


class Verdict(NamedTuple):
    """What is thought of an answer."""

    stage: str  # "blank", "form", "evidence": not good so far; "name", or "right"
    message: str


def as_answer(answer):
    """Return (name, whole inputs, number) of an answer; raise ValueError if it is none."""
    form = f"expected (name, input, number), such as {EXAMPLE}"
    if isinstance(answer, str) and answer in BUGS:
        raise ValueError(f"{answer!r} without its evidence: {form}")
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        raise ValueError(f"{form}; got {answer!r}")
    name, given, number = answer
    if not isinstance(name, str) or name not in BUGS:
        raise ValueError(f"name: expected one of {', '.join(BUGS)}; got {name!r}")
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 2:
        raise ValueError(f"number: expected a relative error, from 0 to 2; got {number!r}")
    if name != "right":
        return name, [as_input(given)], number
    inputs = given if isinstance(given, (tuple, list)) else [given]
    if not 0 < len(inputs) <= MOST_INPUTS:
        raise ValueError(
            f"input: expected a list of 1 to {MOST_INPUTS} inputs, at each of which "
            f"it is right; got {len(inputs)}"
        )
    return name, [*map(as_input, inputs)], number


def in_words(whole):
    """Return an input as a student writes it: what differs from the usual one."""
    changed = {name: value for name, value in whole.items() if value != INPUT[name]}
    return str(changed or "the usual input")


def judge_letter(letter, answer, implementation, known):
    """Return the Verdict on one answer; {name: implementation} `known` may be None, and names are
    then not judged."""
    if answer is None:
        return Verdict("blank", f"{letter}: no answer")
    try:
        name, inputs, number = as_answer(answer)
    except ValueError as reason:
        return Verdict("form", f"{letter}: {reason}")
    errors = [off(implementation, **whole) for whole in inputs]
    for whole, error in zip(inputs, errors):
        if math.isnan(error):
            return Verdict(
                "evidence",
                f"{letter}: wrong input: adaptation diverges at "
                f"{in_words(whole)}; take a smaller inner_lr",
            )
        if name == "right" and error > BOUND:
            return Verdict(
                "evidence",
                f"{letter}: it is off by {error:.2g} at {in_words(whole)}, so it is not right",
            )
    if name == "right":
        return judge_right(letter, inputs, number, known)
    error, where = errors[0], f"at {in_words(inputs[0])}"
    if error <= BOUND:
        return Verdict(
            "evidence",
            f"{letter}: wrong input: nothing is wrong {where}; find one where something is",
        )
    alike = abs(number - error) <= 0.05 * error  # two digits
    if known is None and alike:
        return Verdict("name", f"{letter}: off by {error:.2g} {where}")
    other = math.nan if known is None else off(known[name], **inputs[0])
    if not alike:
        message = f"{letter}: wrong number: it is off by {error:.2g} {where}, not by {number:.2g}"
        if abs(number - other) <= 0.05 * other:
            message += f", which is {name!r}: the right number of another bug"
        return Verdict("evidence", message)
    if not abs(other - error) <= BOUND * error:  # nan, where it diverges, is another number as well
        does = "would be right" if other <= BOUND else f"would be off by {other:.2g}"
        message = (
            f"{letter}: wrong name: it is off by {error:.2g} {where}, as you say, but {name!r}"
        )
        return Verdict("name", f"{message} {does} there: this is the number of another bug")
    return Verdict("right", f"{letter}: {name}, off by {error:.2g} {where}")


def judge_right(letter, inputs, number, known):
    """Return the Verdict on "right" for a letter that is right at all of the inputs: they must be
    such that none of the bugs would be."""
    if number > BOUND:
        return Verdict(
            "evidence", f"{letter}: wrong number: it is off by nothing there, not by {number:.2g}"
        )
    if known is None:
        return Verdict("name", f"{letter}: right at {len(inputs)} inputs")
    passing = [
        name
        for name, implementation in known.items()
        if name != "right" and all(off(implementation, **whole) <= BOUND for whole in inputs)
    ]
    if passing:
        return Verdict(
            "evidence",
            f"{letter}: wrong input: {len(passing)} of the {len(BUGS) - 1} "
            "bugs would be right at all of these, too; add inputs at which "
            "they are not",
        )
    return Verdict("right", f"{letter}: right, where all bugs show")


def verdicts(answers, implementations, known):
    """Return {letter: Verdict}."""
    if not isinstance(answers, dict):
        says = "no ANSWERS" if answers is None else f"ANSWERS: expected a dict; got {answers!r}"
        stage = "blank" if answers is None else "form"
        return dict.fromkeys(LETTERS, Verdict(stage, says))
    found = {
        letter: judge_letter(letter, answers.get(letter), implementation, known)
        for letter, implementation in implementations.items()
    }
    strange = [letter for letter in answers if letter not in found]
    for letter, verdict in found.items():
        if strange and verdict.stage == "blank":
            message = f"{verdict.message}; {strange[0]!r} is none of {', '.join(found)}"
            found[letter] = Verdict("blank", message)
    return found


def judge(answers, word=WORD):
    """Return {letter: (points, max, message)} for the ANSWERS of a course word: a point for each
    name with its evidence."""
    found = verdicts(answers, deal(word), bugs())
    return {
        letter: (float(verdict.stage == "right"), 1.0, verdict.message[:400])
        for letter, verdict in found.items()
    }


def check(answers, implementations=None):
    """Print what holds of the evidence of each answer, and how many names are right, not which;
    return whether all are.

    Parameters
    ----------
    answers : dict
        {letter: (name, input, number)}.
    implementations : dict, optional
        {letter: implementation}, `ALL` of implementations.py; by default the repository's own.
    """
    known = bugs()
    if implementations is None and known is None:
        print("07_bug_hunt: run the file itself, beside its implementations.py")
        return False
    found = verdicts(answers, implementations or deal(), known)
    if all(verdict.stage == "blank" for verdict in found.values()):
        print("07_bug_hunt: still blank: fill in ANSWERS")
        return False
    lines = {
        letter: f"{letter}: the evidence holds"
        if verdict.stage in ("name", "right")
        else verdict.message
        for letter, verdict in found.items()
    }
    print(*(f"  {line}" for line in dict.fromkeys(lines.values())), sep="\n")
    holding = sum(verdict.stage in ("name", "right") for verdict in found.values())
    right = sum(verdict.stage == "right" for verdict in found.values())
    if known is None:
        names = "the names are judged by your teacher"
    else:
        names = f"{right} with the right name"
    done = ": all checks OK" if right == len(found) else ""
    print(f"07_bug_hunt: evidence that holds for {holding} of {len(found)}, {names}{done}")
    return right == len(found)


# Reading a file that is not run


def literal(node):
    """Return the value of a literal, in which dict(...) with names may stand for {...}."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "dict" and not node.args:
        names = [item.arg for item in node.keywords]
        if None not in names:  # that of **x
            return dict(zip(names, [literal(item.value) for item in node.keywords]))
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {literal(name): literal(value) for name, value in zip(node.keys, node.values)}
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(map(literal, node.elts))
    return ast.literal_eval(node)


def read_answers(source):
    """Return the ANSWERS of a file's text or bytes, which is not run; None if it has none.

    A byte-order mark and Windows line endings are no matter. Later lines such as ANSWERS["B"] = ...
    count as well.

    Raises
    ------
    ValueError
        If the text cannot be read as Python, or the answers are no literals.
    """
    if isinstance(source, str):
        source = source.lstrip("\ufeff")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as one of an escape in a student's text
            nodes = [*ast.walk(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as reason:
        raise ValueError(f"the file cannot be read as Python: {reason}") from None
    statements = [node for node in nodes if isinstance(node, (ast.Assign, ast.AnnAssign))]
    answers = None
    for statement in sorted(statements, key=lambda node: node.lineno):
        for target in getattr(statement, "targets", None) or [statement.target]:
            try:
                if getattr(target, "id", None) == "ANSWERS":
                    answers = literal(statement.value)
                elif getattr(getattr(target, "value", None), "id", None) == "ANSWERS":
                    answers[literal(target.slice)] = literal(statement.value)
            except (ValueError, TypeError, RecursionError):
                raise ValueError(
                    f"ANSWERS: expected literals such as {EXAMPLE}, with no calls or names; see "
                    f"line {statement.lineno}"
                ) from None
    return answers
