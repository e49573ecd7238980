"""The checks of the exercises in lessons/exercises: an answer is compared with numerical
derivatives, never with a solution.

    # an exercise calls this when it is run
    grading.check("03_maml", maml_grad)
    # in a notebook; on the command line: --hint 1
    grading.hint("03_maml", 1)

The problems are in tinymeta.course.problems, the explanations of wrong answers in
tinymeta.course.diagnosis; a class is graded by tinymeta.course.grade.
"""

import sys

import numpy as np

from .. import _validate
from ..checks import relative_error
from . import diagnosis, fence, hunt, notebook, own_tasks
from .problems import EXERCISES

BOUND = 1e-10  # the largest relative error of a right answer


def hint_call(name):
    """Return how a reader gets the first hint: in a cell, or on the command line."""
    call = f'from tinymeta.course import grading; grading.hint("{name}", 1)'
    return call if notebook.in_kernel() else f"python {name}.py --hint 1"


def hint(name, number):
    """Print one of the hints of an exercise."""
    hints = EXERCISES[_validate.check_choice("name", name, EXERCISES)].hints
    if number not in range(1, len(hints) + 1):
        raise ValueError(f"number: expected 1 to {len(hints)}; got {number!r}")
    print(f"{name}, hint {number} of {len(hints)}: {hints[number - 1]}")


def attempt(answer, case):
    """Return the results of an answer in one case: on its arguments and on the related ones, each
    an array or a sentence that says why there is none (see `fence.run`)."""
    results = []
    for arguments in (case.arguments, *case.related):
        results.append(fence.run(case.exercise, answer, arguments))
        if isinstance(results[0], str):
            break
    return results


def verdict(case, results):
    """Return (relative error, explanation) of the results of an answer in one case, those of
    `attempt`; the explanation of a right one is "". The answer itself is not called."""
    wrong = explain([case], [results])
    if diagnosis.no_result(results[0], case.truth):
        return np.inf, wrong
    return diagnosis.error_of(case, results[0]), wrong


def explain(cases, results):
    """Return one sentence or two on an answer from its results in all cases of a problem, "" if all
    are right: what is wrong, and where it is right. All cases together say more than one."""
    return diagnosis.explain(cases, results, BOUND)


def judge(answer, case):
    """Return the verdict on an answer in one case."""
    return verdict(case, attempt(answer, case))


def report(name, answer, seed=0):
    """Print a line for each case, and why the wrong ones are wrong; return whether all are
    right."""
    cases, results = [], []
    for case in EXERCISES[name].cases(seed):
        cases.append(case)
        results.append(attempt(answer, case))
    print(
        f"{name}, problem {seed}: relative error against numerical derivatives, at most {BOUND:g}"
    )
    for case, (got, *_) in zip(cases, results):
        failed = diagnosis.no_result(got, case.truth)
        error = np.inf if failed else diagnosis.error_of(case, got)
        print(f"  {case.label:48s} {error:8.1e}   {'OK' if error <= BOUND else 'WRONG'}")
    why = explain(cases, results)
    if why:
        print(f"    {why}")
    return not why


def judge_claims(first_to_fail, by):
    """Return (whether they are right, what to say) of the claims of exercise 4: `first_to_fail` is
    the first check of exercise 3, by inner steps, that first-order MAML fails, and `by` its
    relative error. Both are known without an answer."""
    exact, first_order = (
        {case.label.split(",")[0]: case.truth for case in EXERCISES[name].cases(0)}
        for name in ("03_maml", "04_first_order_maml")
    )
    errors = {steps: relative_error(first_order[steps], exact[steps]) for steps in sorted(exact)}
    first = next(steps for steps, error in errors.items() if error > BOUND)
    if first_to_fail is None or by is None:
        table = "; ".join(f"{steps}: {error:.1e}" for steps, error in errors.items())
        return False, (
            "claims: still blank; these are the errors of exercise 3's checks of your function, "
            f"by inner steps: {table}; fill in FIRST_TO_FAIL and BY"
        )
    if first_to_fail != first:
        return False, (
            f"claims: FIRST_TO_FAIL = {first_to_fail!r} is not the first of {', '.join(errors)} "
            "that fails: WRONG"
        )
    if not isinstance(by, (int, float)) or not abs(by - errors[first]) <= 0.05 * errors[first]:
        return False, f"claims: BY = {by!r} is not the relative error there to two digits: WRONG"
    return True, f"claims: {first} fails, by {errors[first]:.2g}: OK"


def grade(name, values, seeds):
    """Report on an exercise's answer among `values`, the names of its file; return whether it is
    right on the problems of all seeds."""
    if name == "07_bug_hunt":
        return hunt.check(values.get("ANSWERS"))
    if name == "10_own_tasks":
        names = ("make_tasks", "train", "plot", "EXPLANATION", "SHOTS", "INNER_LR")
        return own_tasks.report(*map(values.get, names))
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
            right, words = judge_claims(values.get("FIRST_TO_FAIL"), values.get("BY"))
            print(f"  {words}")
    except fence.Blank:
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
    flags, numbers = notebook.flags(), range(1, len(EXERCISES[name].hints) + 1)
    for number in numbers:
        if flags == ["--hint", str(number)]:
            return hint(name, number)
    if flags:
        sys.exit(f"usage: python {name}.py [--hint 1 to {numbers[-1]}]")
    if (
        not grade(name, {EXERCISES[name].answer: answer, **claims}, [0])
        and not notebook.in_kernel()
    ):
        sys.exit(1)
