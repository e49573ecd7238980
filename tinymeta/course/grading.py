"""The checks of the exercises in lessons/exercises: an answer is compared with numerical
derivatives, never with a solution.

    # an exercise calls this when it is run
    grading.check("03_maml", maml_grad)
    # in a notebook; on the command line: --hint 1
    grading.hint("03_maml", 1)
    # the grader, on the problems of seeds 1 and 2
    python -m tinymeta.course.grading lessons/exercises/03_maml.py 1 2

The problems are in tinymeta.course.problems, the explanations of wrong answers in
tinymeta.course.diagnosis.
"""

import ast
import copy
import inspect
import runpy
import sys
import warnings
from pathlib import Path

import numpy as np

from .. import _validate
from ..checks import relative_error
from ..mlp import MLP
from . import diagnosis, notebook
from .problems import EXERCISES

BOUND = diagnosis.TOLERANCE


class Blank(Exception):
    """The answer is still `raise NotImplementedError`."""


def hint_call(name):
    """Return how a reader gets the first hint: in a cell, or on the command line."""
    call = f'from tinymeta.course import grading; grading.hint("{name}", 1)'
    return call if notebook.in_kernel() else f"python {name}.py --hint 1"


def hint(name, number):
    """Print one of the two hints of an exercise."""
    hints = EXERCISES[_validate.check_choice("name", name, EXERCISES)].hints
    if number not in (1, 2):
        raise ValueError(f"number: expected 1 or 2; got {number!r}")
    print(f"{name}, hint {number} of {len(hints)}: {hints[number - 1]}")


def is_unchanged(before, after):
    """Return whether an argument (an array, a number, a batch of arrays) is unchanged; a model is
    not looked at."""
    if isinstance(before, tuple):
        return all(map(is_unchanged, before, after))
    return isinstance(before, MLP) or np.array_equal(before, after)


def attempt(answer, case):
    """Return (result, "") of an answer in one case, or (None, why there is no result)."""
    given = copy.deepcopy(case.arguments)
    try:
        with np.errstate(all="ignore"):
            got = answer(*given)
    except NotImplementedError:
        raise Blank from None
    except (Exception, SystemExit) as error:
        return None, diagnosis.explain_exception(answer, error)
    shape = case.truth.shape
    if got is None:
        return None, "it returns None; is there a `return` at its end?"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy 1 only warns of arrays that do not fit together
            array = np.asarray(got)
    except (ValueError, Warning):
        array = np.asarray(None)
    if array.dtype.kind not in "iuf":
        kind = f"complex numbers {array.shape}" if array.dtype.kind == "c" else type(got).__name__
        return None, f"it returns {kind}, expected one array of real numbers, of shape {shape}"
    if array.shape != shape:
        return None, f"it returns an array of shape {array.shape}, expected {shape}, as theta's"
    if not np.isfinite(array).all():
        return (
            None,
            f"{np.sum(~np.isfinite(array))} of its {array.size} numbers are nan or infinite",
        )
    for name, before, after in zip(inspect.signature(answer).parameters, case.arguments, given):
        if not is_unchanged(before, after):
            return (
                None,
                f"it writes into its argument {name}, which others use too; did you mean a copy "
                "(`a = a - b` for `a -= b`)?",
            )
    return array, ""


def judge(answer, case):
    """Return (relative error, explanation) of an answer in one case; the explanation of a right one
    is ""."""
    got, wrong = attempt(answer, case)
    if wrong:
        return np.inf, wrong
    error = relative_error(got, case.truth)
    if error <= BOUND:
        return error, ""
    if not got.any():
        return error, "every entry is 0"
    try:
        return error, case.explain(answer, got, case.truth, *case.arguments)
    # the answer fails on what the diagnosis tries, such as one task alone
    except Exception as reason:
        return (
            error,
            f"none of the mistakes known here ({type(reason).__name__} on the way to say more: "
            f"{reason})",
        )


def report(name, answer, seed=0):
    """Print a line for each case, and why the first wrong one is wrong; return whether all are
    right."""
    lines, right = [], True
    for case in EXERCISES[name].cases(seed):
        error, wrong = judge(answer, case)
        lines.append(f"  {case.label:20s} {error:8.1e}   {'WRONG' if wrong else 'OK'}")
        if wrong and right:
            lines.append(f"    {wrong}")
        right = right and not wrong
    print(
        f"{name}, problem {seed}: relative error against numerical derivatives, at most {BOUND:g}",
        *lines,
        sep="\n",
    )
    return right


def claimed(answer, first_to_fail, by):
    """Print whether `first_to_fail` is the first check of exercise 3 that first-order MAML fails,
    and `by` its relative error; return whether both are."""
    cases = sorted(EXERCISES["03_maml"].cases(0), key=lambda case: case.arguments[-1])
    errors = {case.label: relative_error(answer(*case.arguments), case.truth) for case in cases}
    first = next(label for label, error in errors.items() if error > BOUND)
    if first_to_fail is None or by is None:
        print(
            "  claims: still blank. Exercise 3's checks of your function; fill in FIRST_TO_FAIL "
            "and BY:"
        )
        print(*(f"    {label:20s} {error:8.1e}" for label, error in errors.items()), sep="\n")
    elif first_to_fail != first:
        print(
            f"  claims: FIRST_TO_FAIL = {first_to_fail!r} is not the first of {', '.join(errors)} "
            "that fails: WRONG"
        )
    elif not isinstance(by, (int, float)) or not abs(by - errors[first]) <= 0.05 * errors[first]:
        print(f"  claims: BY = {by!r} is not the relative error there to two digits: WRONG")
    else:
        print(f"  claims: {first} fails, by {errors[first]:.2g}: OK")
        return True
    return False


BUGS = ("right", "first order", "leak", "f''", "same points", "tasks mix", "fine-tuning")
KEY = {  # of exercise 7; lessons/exercises/BUG_HUNT_KEY.md explains it
    "A": "same points",
    "B": "fine-tuning",
    "C": "right",
    "D": "f''",
    "E": "leak",
    "F": "tasks mix",
    "G": "first order",
}


def name_bugs(answers):
    """Print how many of exercise 7's answers {"A": "right", ...} are right, not which; return
    whether all are."""
    if not isinstance(answers, dict) or not any(answers.values()):
        print("07_bug_hunt: still blank: fill in ANSWERS")
        return False
    strange = [answer for answer in answers.values() if answer is not None and answer not in BUGS]
    if strange or set(answers) != set(KEY):
        print(
            f"07_bug_hunt: expected for each of {', '.join(KEY)} one of {', '.join(BUGS)}; got "
            f"{answers}"
        )
        return False
    right = sum(answers[letter] == bug for letter, bug in KEY.items())
    print(
        f"07_bug_hunt: {right} of {len(KEY)} are right"
        + (": all checks OK" if right == len(KEY) else "")
    )
    return right == len(KEY)


def read_literal(path, name):
    """Return the literal that a file assigns to a name, without running it: exercise 7 trains for
    several seconds."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [
            getattr(target, "id", None) for target in node.targets
        ] == [name]:
            return ast.literal_eval(node.value)


def grade(name, values, seeds):
    """Report on an exercise's answer among `values`, the names of its file; return whether it is
    right on the problems of all seeds."""
    if name == "07_bug_hunt":
        return name_bugs(values.get("ANSWERS"))
    if name not in EXERCISES:
        print(f"{name}: no exercise of that name; there are {', '.join(EXERCISES)}")
        return False
    wanted = EXERCISES[name].answer
    answer = values.get(wanted)
    if not callable(answer):
        print(f"{name}: there is no function {wanted}")
        return False
    try:
        right = all([report(name, answer, seed) for seed in seeds])
        if name == "04_first_order_maml" and right:
            right = claimed(answer, values.get("FIRST_TO_FAIL"), values.get("BY"))
    except Blank:
        print(
            f"{name}: still blank: write {wanted} in place of `raise NotImplementedError` "
            f"(a hint: {hint_call(name)})"
        )
        return False
    print(f"{name}: " + ("all checks OK" if right else "not yet"))
    return right


def check(name, answer, **claims):
    """Print a hint if the command line asks for one (--hint 1), otherwise the report; exit with
    code 1 if the answer is wrong."""
    flags = notebook.flags()
    if flags in (["--hint", "1"], ["--hint", "2"]):
        return hint(name, int(flags[1]))
    if flags:
        sys.exit(f"usage: python {name}.py [--hint 1 or 2]")
    if (
        not grade(name, {EXERCISES[name].answer: answer, **claims}, [0])
        and not notebook.in_kernel()
    ):
        sys.exit(1)


if __name__ == "__main__":  # the grader: python -m tinymeta.course.grading FILE SEED ...
    path = Path(sys.argv[1])
    values = (
        {"ANSWERS": read_literal(path, "ANSWERS")}
        if path.stem == "07_bug_hunt"
        else runpy.run_path(str(path))
    )
    sys.exit(not grade(path.stem, values, [*map(int, sys.argv[2:])] or [0]))
