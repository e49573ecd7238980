"""Say in a sentence what is wrong with an answer to an exercise, and where it is right.

The results of an answer in all cases of a problem are compared with the usual mistakes, which
tinymeta.course.mistakes computes: the right formula with one step replaced. A mistake is named only
if its result is that of the answer in every case that is wrong, and right in every case that is
right; if the answer is a multiple of it, the factor is put into words. Nothing here decides whether
an answer is right, and nothing calls it: it is results that are compared."""

import itertools
import re

import numpy as np

from ..checks import block_errors, relative_error
from . import mistakes
from .mistakes import head, layer, tasks

TOLERANCE = 1e-8  # the largest relative error between a result and a known mistake
ROUNDED = 1e-4  # below it, an answer is right but for its precision
ROUGH = 1e-2  # and what else may be one is nearly right
UNKNOWN = "none of the mistakes known here"
EVERY_LAYER = "every layer is wrong, from the last one on: so is {} at the output, or all of it"
OF_A_SQUARE = "that a square leaves in its derivative"


def no_result(got, truth):
    """Return why `got`, an array or a sentence, is no result like the truth; "" if it is one."""
    shape = truth.shape
    if isinstance(got, str):
        return got
    if got.dtype.kind == "c" != truth.dtype.kind:
        return f"it returns complex numbers {got.shape}, expected real ones, of shape {shape}"
    if got.shape != shape:
        axis = "" if got.ndim else "; does a mean or a sum lack its axis?"
        return f"it returns an array of shape {got.shape}, expected {shape}{axis}"
    if not np.isfinite(got).all():
        return f"{np.sum(~np.isfinite(got))} of its {got.size} numbers are nan or infinite"
    return ""


def error_of(case, got):
    """Return the relative error of a result; where it is of several functions, the largest one."""
    if case.exercise == "08_own_layer":
        return max(map(relative_error, got, case.truth))
    return relative_error(got, case.truth)


def explain(cases, results, bound):
    """Return what is wrong with an answer, and where it is right; "" if all results are right.

    Parameters
    ----------
    cases : list of problems.Case
    results : list
        For each case its result, and those on its related arguments: arrays, or sentences that say
        why there is none.
    bound : float
        The largest relative error of a right result.
    """
    right, wrong, failed = [], [], []
    for case, (got, *alone) in zip(cases, results):
        why = no_result(got, case.truth)
        if why:
            failed.append((case, got, why))
        elif error_of(case, got) <= bound:
            right.append(case)
        else:
            wrong.append((case, got, alone))
    what = [name(right, wrong)] if wrong else []
    if failed:
        vague = (UNKNOWN, EVERY_LAYER[:20], *(["wrong in"] if len(failed) >= len(wrong) else []))
        what = [words for words in what if not words.startswith(vague)]
        case, got, why = failed[0]
        why += overflow(case, got) if why.endswith("nan or infinite") else ""
        what.append(f"with {case.label}: {why}" if right or wrong else why)
    there = where(right, [case for case, *_ in failed + wrong])
    return "; ".join(filter(None, (*what, there)))


def overflow(case, got):
    """Return where a layer's result is nan or infinite, and what makes it so; or a weight of 0."""
    if case.exercise == "09_solve_the_head" and not case.arguments[2].all():
        return ": a weight c_i is 0 here; is something divided by it?"
    if case.exercise != "08_own_layer":
        return ""
    z = case.arguments[0]
    there = z[~np.isfinite(got).all(axis=0)]
    listed = ", ".join(f"{one:g}" for one in there)
    return (
        f", at z = {listed}: an exponential there is inf, and inf / inf, inf - inf and 0 times "
        "inf are nan"
    )


def name(right, wrong):
    """Return what is wrong with results, given the cases that are `right` and, for those that are
    not, (case, result, results on its related arguments)."""
    errors = [error_of(case, got) for case, got, _ in wrong]
    if not any(got.any() for _, got, _ in wrong):
        return ("where it is wrong, " if right else "") + nothing_written(exercise_of(wrong))
    if max(errors) < ROUNDED:
        return nearly_right(errors)
    for attempt in ATTEMPTS[exercise_of(wrong)]:
        found = attempt(right, wrong)
        if found:
            return found
    return UNKNOWN


def exercise_of(pairs):
    """Return the exercise to which cases belong, with their results."""
    return pairs[0][0].exercise


def nothing_written(exercise):
    """Return what is said of zeros."""
    if exercise in ("01_backward", "02_hvp"):
        return (
            "every entry is 0: nothing has been written into the views (`gW[...] = a` writes, "
            "`gW = a` only gives the name to something else)"
        )
    if exercise == "05_reptile":
        return "every entry is 0: is theta itself moved by the descent, so that no way is left?"
    return "every entry is 0"


def nearly_right(errors):
    return (
        f"it is right to about {int(-np.log10(max(errors)))} digits, but not to rounding: is "
        "it a difference quotient, or in float32?"
    )


def roughly_right(right, wrong):
    """Return the same where an answer is nothing that is known, and off by less than a hundredth
    in every case."""
    errors = [error_of(case, got) for case, got, *_ in wrong]
    if max(errors) < ROUGH:
        return nearly_right(errors)
    norms = [np.vdot(case.truth, case.truth).real or 1.0 for case, *_ in wrong]
    factor = np.mean([np.vdot(w[0].truth, w[1]).real / norm for w, norm in zip(wrong, norms)])
    errors = [error_of(case._replace(truth=factor * case.truth), got) for case, got, *_ in wrong]
    if not max(errors) < ROUGH:
        return None
    digits = int(-np.log10(max(errors)))
    return (
        f"to about {digits} digits it is {factor:.2g} times what it should be: is it a difference "
        "quotient, with another mistake?"
    )


# What it is: a known mistake, or a multiple of one


def multiple(got, vector):
    """Return the factor by which `got` is a multiple of a vector, None if it is not one; nan, any
    factor, if both are 0."""
    if vector.shape != got.shape or not np.isfinite(vector).all():
        return None
    square = np.vdot(vector, vector)
    if not square:
        return None if got.any() else np.nan
    factor = float((np.vdot(vector, got) / square).real)
    return factor if factor and relative_error(got, factor * vector) < TOLERANCE else None


def computed(function):
    """Return the result of a known mistake, or nan where it cannot be computed."""
    try:
        with np.errstate(all="ignore"):
            return np.asarray(function())
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return np.asarray(np.nan)


def factors_of(pairs, known_of, only=None):
    """Return {phrase: factors} of the known results that those in `pairs` (case, result) are
    multiples of, in each case: of all of known_of(case), or of those whose phrase is in `only`."""
    survivors = {}
    for i, (case, got, *_) in enumerate(pairs):
        known, factors = known_of(case), {}
        for phrase in survivors if i else only or known:
            if phrase in known:
                factor = multiple(got, computed(known[phrase]))
                if factor is not None:
                    factors[phrase] = [*survivors.get(phrase, ()), factor]
        survivors = factors
    return survivors


def is_one(factors):
    return all(np.isnan(f) or abs(f - 1) < TOLERANCE for f in factors)


def does_not_show(phrase, known_of, cases):
    """Return whether results with a mistake are right in some cases."""
    for case in cases:
        known = known_of(case)
        if phrase in known and multiple(case.truth, computed(known[phrase])) is None:
            return False
    return True


def exactly(right, known_of, found):
    """Return what is said of the first of the mistakes found that the results are, without a
    factor; None if they are none."""
    exact = [phrase for phrase, factors in found.items() if is_one(factors)]
    fitting = [phrase for phrase in exact if does_not_show(phrase, known_of, right)]
    if not exact:
        return None
    said = "this is " if fitting else "where it is wrong, this is "
    return said + " or, which is the same here, ".join((fitting or exact)[:2])


def known_mistake(right, pairs):
    """Return the known mistake that an answer makes, or None."""
    exercise = exercise_of(pairs)
    known_of = mistakes.KNOWN[exercise]
    found = factors_of(pairs, known_of)
    said = exactly(right, known_of, found)
    if said:
        return said
    numbers = [numbers_of(case) for case, *_ in pairs]
    truth = next(iter(known_of(pairs[0][0])))
    alike = {}  # what is said of the factors: the phrases
    for phrase, factors in found.items():
        if does_not_show(phrase, known_of, right):
            alike.setdefault(describe_factor(factors, numbers), []).append(phrase)
    for words, phrases in alike.items():
        if truth in phrases:
            return words
        return f"this is {' or, which is the same here, '.join(phrases[:2])}, and {words}"
    return None


def numbers_of(case):
    """Return {phrase: number} of what a result may have been multiplied or divided by."""
    return mistakes.QUANTITIES[case.exercise](case) | {"its length": np.linalg.norm(case.truth)}


def rare_mistake(right, pairs):
    """Return the mistake in one layer, or the two at once, that an answer makes; or None."""
    exercise = exercise_of(pairs)
    known_of = mistakes.RARE[exercise]
    if exercise in tasks.ANSWERS:  # two steps tell most mistakes apart, and are quick
        pairs = sorted(pairs, key=lambda pair: abs(pair[0].arguments[-1] - 2))
    return exactly(right, known_of, factors_of(pairs, known_of))


def without_singular(right, pairs):
    """Return the known mistake that an answer to exercise 9 makes where there are as many points as
    features: with fewer, an A that lacks its lam has no inverse, and rounding decides."""
    tall = [pair for pair in pairs if np.subtract(*pair[0].arguments[0].shape) >= 0]
    said = known_mistake(right, tall) if 0 < len(tall) < len(pairs) else None
    return said and f"with as many points as features or more, {said}"


def describe_factor(factors, numbers):
    """Return in words by what results are off.

    Parameters
    ----------
    factors : list of float
        One for each case; nan: any.
    numbers : list of dict
        For each case {phrase: number} of what may have been multiplied or divided by.
    """
    kept = [(f, n) for f, n in zip(factors, numbers) if not np.isnan(f)]
    signs = {f < 0 for f, _ in kept}
    words = ["its sign is wrong" + " in some cases" * (len(signs) > 1)] if True in signs else []
    sizes = np.array([abs(f) for f, _ in kept])
    if abs(sizes - 1).max() >= TOLERANCE:
        words.append(describe_size(sizes, [n for _, n in kept]))
    return " and ".join(words)


def describe_size(sizes, numbers):
    """Return in words what positive factors are: a number of `numbers` or one over it, the same in
    every case, or such a number with another one in its place."""
    columns = {
        phrase: np.array([n[phrase] for n in numbers], float)
        for phrase in numbers[0]
        if all(n.get(phrase) for n in numbers)
    }

    def alike(ratios):
        return abs(ratios / ratios[0] - 1).max() < TOLERANCE

    same = [phrase for phrase, n in columns.items() if abs(sizes / n - 1).max() < TOLERANCE]
    over = [phrase for phrase, n in columns.items() if abs(sizes * n - 1).max() < TOLERANCE]
    if same:
        rate = same[0].startswith("alpha")
        why = "once too often, or not divided by it?" if rate else "a sum for a mean?"
        if same[0] == "alpha squared":
            why = "multiplied by alpha where it is to be divided?"
        return f"it is multiplied by {' or '.join(same[:2])}: {why}"
    if over:
        why = ": a mean for a sum?" if over[0].startswith("the number") else ""
        why = ": twice, or a factor missing?" if over[0].startswith("alpha") else why
        return f"it is divided by {' or '.join(over[:2])}{why}"
    if alike(sizes):
        words = f"it is {sizes[0]:.4g} times what it should be"
        if min(abs(sizes[0] - 2), abs(sizes[0] - 0.5)) < TOLERANCE:
            return f"{words}: by the 2 {OF_A_SQUARE}?"
        if "the number of tasks" in columns:
            return f"{words}: is a rate of the outer loop in it, which is the optimiser's?"
        return words
    for phrase, n in columns.items():
        if alike(sizes / n):
            if phrase == "the number of tasks" and abs(n[0] / sizes[0] - 4) < TOLERANCE:
                return (
                    "it is divided by 4 where the number of tasks belongs (len(batch) counts its "
                    "four arrays)"
                )
            if sizes[0] < n[0]:
                return f"it is divided by {n[0] / sizes[0]:.4g} where {phrase} belongs"
            return f"it is multiplied by {phrase}, and by {sizes[0] / n[0]:.4g}"
        if alike(sizes * n):
            return f"it is {sizes[0] * n[0]:.4g} times as large, and divided by {phrase}"
    for times, over in itertools.permutations(columns, 2):
        if abs(sizes * columns[over] / columns[times] - 1).max() < TOLERANCE:
            return f"it is divided by {over} where a division by {times} belongs"
    listed = ", ".join(f"{size:.4g}" for size in sizes[:4])
    return f"it is {listed}{', ...' * (len(sizes) > 4)} times what it should be"


# Exercises 3 to 6: made of other gradients


def new_theta(right, pairs):
    """Return what is said of theta minus a rate times a gradient, or None."""
    steps = [(case, case.arguments[1] - got) for case, got, *_ in pairs]
    if not any(step.any() for _, step in steps):
        return "this is theta itself"
    exercise = exercise_of(pairs)
    wanted = dict.fromkeys((tasks.ANSWERS[exercise][1], *dict(tasks.ANSWERS.values()).values()))
    found = factors_of(steps, mistakes.KNOWN[exercise], wanted)
    if not found:
        return None
    phrase = next(iter(found))
    sign = "plus" if any(factor < 0 for factor in found[phrase]) else "minus"
    return (
        f"this is theta {sign} a rate times {phrase}: a new theta; return the gradient itself, and "
        "leave the step to the optimiser"
    )


def second_order_part(right, pairs):
    """Return by what the second-order term of MAML is off, if nothing else is; or None."""
    problems = [tasks.problem_of(case) for case, *_ in pairs]
    query = [tasks.rows(p, "first-order MAML").mean(axis=0) for p in problems]
    factors = [multiple(got - q, case.truth - q) for q, (case, got, *_) in zip(query, pairs)]
    if None in factors or np.isnan(factors).all():
        return None
    numbers = [mistakes.QUANTITIES[case.exercise](case) for case, *_ in pairs]
    return "this is MAML but for its second-order term: " + describe_factor(factors, numbers)


def combination(right, pairs):
    """Return of which vectors results are sums, or None if of no few, or of other ones in other
    cases; those of no step and one do not count where there are more, as many vectors are one."""
    if exercise_of(pairs) in tasks.ANSWERS:
        pairs = [pair for pair in pairs if pair[0].arguments[-1] > 1] or pairs
    sums = [sum_of(mistakes.BASES[case.exercise](case), got) for case, got, *_ in pairs]
    kinds = {one and re.sub(r"[-+.\de]+ times |_\d+", "", one) for one in sums}
    if len(kinds) > 1 or None in kinds:
        return None
    return f"this is {sums[0]} (with {pairs[0][0].label})"


def fitted(vectors, got):
    """Return the factors (n,) of vectors whose sum is `got`, or None if none is."""
    columns = np.stack([np.ravel(vector) for vector in vectors], axis=1)
    factors = np.linalg.lstsq(columns, got.ravel(), rcond=None)[0]
    return factors if relative_error(columns @ factors, got.ravel()) < TOLERANCE else None


def sum_of(bases, got, beta=None):
    """Return of which vectors {phrase: vector} of one of the bases a result is the sum, by the
    fewest, at most three; or None. A factor may be written with a beta."""
    sums = []
    for basis in bases:
        factors = fitted(basis.values(), got) if 2 * len(basis) <= got.size else None
        if factors is None or abs(factors.imag).max() > TOLERANCE * abs(factors).max():
            continue
        sizes = [np.linalg.norm(f * vector) for f, vector in zip(factors, basis.values())]
        used = [*zip(factors.real, basis, sizes > 1e-6 * np.linalg.norm(got))]
        sums.append([(factor, phrase) for factor, phrase, is_used in used if is_used])
    few = [one for one in sums if 0 < len(one) <= 3]
    return " plus ".join(times(*one, beta) for one in min(few, key=len)) if few else None


def times(factor, phrase, beta=None):
    """Return in words a factor times what a phrase names."""
    units = {" beta": beta, " / beta": 1 / beta} if beta else {}
    for unit, size in ({"": 1} | units).items():
        n = round(2 * factor / size) / 2
        if n and abs(factor - n * size) < TOLERANCE:
            return phrase if n == 1 and not unit else f"{n:g}{unit} times {phrase}"
    return f"{factor:.4g} times {phrase}"


def of_tasks(right, wrong):
    """Return what an answer is of one task alone, if it is something else of several, or if it is
    another multiple of each; None if it is not."""
    several = [(case, got, alone) for case, got, alone in wrong if alone]
    if not several or any(no_result(one, c.truth) for c, _, alone in several for one in alone):
        return None
    singles = []
    for case, _, alone in several:
        for arguments, one in zip(case.related, alone):
            single = case._replace(arguments=arguments)
            truth = computed(next(iter(mistakes.KNOWN[case.exercise](single).values())))
            singles.append((single._replace(truth=truth), one))
    case, got, alone = several[0]
    if all(relative_error(np.mean(each, axis=0), got) < TOLERANCE for _, got, each in several):
        factors = [multiple(one, single.truth) for single, one in singles]
        if None in factors:
            return None
        of_first = ", ".join(f"{factor:.4g}" for factor in factors[: len(alone)])
        return (
            f"of each task alone this is a multiple of {tasks.ANSWERS[case.exercise][1]}, "
            f"another one each time ({of_first}): is each divided by its own length, or weighted?"
        )
    if all(relative_error(one, single.truth) < TOLERANCE for single, one in singles):
        what = f"this is {tasks.ANSWERS[case.exercise][1]}"
    else:
        what = known_mistake((), singles) or "this is something else"
    counts = [fitted(each, got) for _, got, each in several]
    if any(count is None for count in counts):
        why = "they mix, or not all are there"
    else:
        why = f"they count {', '.join(f'{n + 0.0:.4g}' for n in np.round(counts[0], 9))} times, "
        why += f"where each should count 1/{len(alone)}"
    return f"of one task alone {what}, but not of {len(alone)} together: {why}"


def same_numbers(right, pairs):
    """Return what is said of the right numbers in another order, or with other signs; or None."""
    flat = [(got.ravel(), case.truth.ravel()) for case, got, *_ in pairs]
    if all(relative_error(abs(got), abs(truth)) < TOLERANCE for got, truth in flat):
        return "every entry has the right size, and some have the wrong sign"
    if all(relative_error(np.sort(got), np.sort(truth)) < TOLERANCE for got, truth in flat):
        return "these are the right numbers, in another order"
    if all(relative_error(got, np.cumsum(truth)) < TOLERANCE for got, truth in flat):
        return "these are running sums of the right numbers: is something not set to 0 each time?"
    return None


# Exercises 1 and 2: which parts


def locate(right, pairs):
    """Return which parts of a result in theta's layout are wrong, in the first case in which not
    all are; the first wrong layer going back from the output; and by what they are off if it is the
    same in every case."""
    is_gradient = exercise_of(pairs) == "01_backward"
    letters = ("gW", "gb") if is_gradient else ("RgW", "Rgb")
    found, factors, firsts, parts = [], [], [], ([], [])
    for case, got, *_ in pairs:
        model = case.arguments[0]
        wrong = np.array([*block_errors(model, got, case.truth).values()]) >= TOLERANCE
        two = model.unpack(got)
        firsts.append(two[0])
        mask = np.repeat(wrong, [part.size for pair in two for part in pair])
        found.append((case, wrong.reshape(-1, 2)))
        factors.append(multiple(got[mask], case.truth[mask]) if got[mask].any() else 0.0)
        for of_kind, ours in zip(parts, zip(*two)):
            of_kind.extend(ours)
    case, wrong = min(found, key=lambda one: one[1].all())
    if wrong.all() and all(any(part.any() for part in of_kind) for of_kind in parts):
        ends = not any(part.any() for pair in firsts for part in pair)
        early = "; that of l = 0 is 0: does the loop end too early?" if ends else ""
        return EVERY_LAYER.format("delta" if is_gradient else "Rdelta") + early
    listed = {
        letter: f"{letter} of l = {', '.join(map(str, np.flatnonzero(wrong[:, kind])))}"
        for kind, letter in enumerate(letters)
        if wrong[:, kind].any()
    }
    for letter, of_kind in zip(letters, parts):
        if not any(part.any() for part in of_kind):
            listed.pop(letter, None)
            besides = f"; besides, wrong in {' and '.join(listed.values())}" if listed else ""
            return f"every {letter} is 0: is it written, as in `{letter}[...] = a`?{besides}"
    first = np.flatnonzero(wrong.any(axis=1))[-1]
    text = (
        f"wrong in {' and '.join(listed.values())} and right elsewhere (with {case.label}); going "
        f"back from the output, l = {first} is the first that is wrong"
    )
    if all(factor == 0.0 for factor in factors):
        text += ": they are 0"
        if wrong[: first + 1].all():
            text += "; does the loop end too early, or does `return` stand inside it?"
    elif None not in factors:
        numbers = [mistakes.QUANTITIES[case.exercise](case) for case, *_ in pairs]
        text += ": " + describe_factor(factors, numbers)
    return text


# Exercises 8 and 9


def rows(right, pairs):
    """Return which of f, f' and f'' are wrong, and by what factor."""
    said = []
    for i, what in enumerate(("f", "f'", "f''")):
        wrong = [
            (case, got[i])
            for case, got, *_ in pairs
            if not relative_error(got[i], case.truth[i]) < TOLERANCE
        ]
        said.append(f"{what} is wrong{how(wrong, i)}" if wrong else f"{what} is right")
    everywhere = {case.arguments[0].dtype.kind for case, *_ in pairs}
    if everywhere == {"c"} and right and "c" not in {case.truth.dtype.kind for case in right}:
        said.append(
            "where z is complex: do abs, .real, conj or np.maximum lose its imaginary part?"
        )
    if right and {case.arguments[1] == 1 for case in right} == {True}:
        said.append("where beta is not 1: is one missing, or one too many?")
    return ", ".join(said)


def how(wrong, i):
    """Return by what f, f' or f'' (i = 0, 1, 2) is off in the cases (case, its result) in which it
    is wrong; "" if that is not known."""
    if not any(got.any() for _, got in wrong):
        return ": it is 0"
    factors = [multiple(got, case.truth[i]) if got.any() else None for case, got in wrong]
    if None not in factors:
        numbers = [mistakes.QUANTITIES[case.exercise](case) for case, _ in wrong]
        return f": {describe_factor(factors, numbers)}"
    case, got = max(wrong, key=lambda pair: pair[1].size)
    parts = sum_of([layer.bases_of_layers(case)], got, case.arguments[1])
    if parts:
        return f": with s = 1 / (1 + exp(-beta z)), it is {parts} ({case.label})"
    z = case.arguments[0]
    off = abs(got - case.truth[i]) > TOLERANCE * abs(case.truth[i]).max()
    for side, there in {"<": z.real < 0, ">": z.real > 0}.items():
        if not off.all() and np.array_equal(off, there):
            return f" where z.real {side} 0, and nowhere else ({case.label})"
    if off.all():
        return ""
    return f" at z = {', '.join(f'{one:g}' for one in z[off][:4])} ({case.label})"


def three_parts(right, pairs):
    """Return of which three parts at most, such as F w u^T, results of exercise 9 are the sum, the
    same of them in every case; or None."""
    parts = [head.parts_of_heads(case) for case, *_ in pairs]
    for few in itertools.chain(*(itertools.combinations(parts[0], n) for n in (1, 2, 3))):
        said = set()
        for (_, got, *_), found in zip(pairs, parts):
            factors = fitted([found[phrase] for phrase in few], got)
            said.add(None if factors is None else tuple(np.round(factors, 6) + 0.0))
            if len(said) > 1 or None in said:
                break
        else:
            (factors,) = said
            listed = ", ".join(map(times, factors, few))
            return f"it is {listed}; C y u^T, -1 times C F w u^T and -1 times C F u w^T belong"
    return None


OF_PASSES = (known_mistake, combination, rare_mistake, roughly_right, same_numbers, locate)
OF_TASKS = (
    known_mistake, new_theta, combination, rare_mistake, roughly_right, of_tasks, same_numbers,
)  # fmt: skip
ATTEMPTS = dict.fromkeys(("01_backward", "02_hvp"), OF_PASSES)
ATTEMPTS |= dict.fromkeys(tasks.ANSWERS, OF_TASKS)
ATTEMPTS |= {
    "03_maml": (known_mistake, new_theta, second_order_part, *OF_TASKS[2:]),
    "08_own_layer": (known_mistake, rare_mistake, roughly_right, same_numbers, rows),
    "09_solve_the_head": (
        known_mistake, rare_mistake, without_singular, roughly_right, same_numbers, three_parts,
    ),
}  # fmt: skip


# Where it is right


def where(right, wrong):
    """Return in which cases an answer is right and in which not, by the parts of their labels that
    tell them apart; "" if all or none are right."""
    if not right or not wrong:
        return ""
    labels = [[case.label.split(", ") for case in cases] for cases in (right, wrong)]
    apart = [
        f"right with {listed(of_right)}, wrong with {listed(of_wrong)}"
        for of_right, of_wrong in zip(*(zip(*of_cases) for of_cases in labels))
        if not set(of_right) & set(of_wrong) and len({*of_right, *of_wrong}) < len(right + wrong)
    ]
    if apart:
        return "; or: ".join(apart)
    few, words = (right, "right") if len(right) <= len(wrong) else (wrong, "wrong")
    return f"{words} in {len(few)} of {len(right + wrong)} cases: " + " / ".join(
        case.label for case in few
    )


def listed(words):
    """Return words in one phrase, each once; of "1 task" and "2 tasks", "1, 2 tasks"."""
    words = sorted(set(words))
    nouns = {word.partition(" ")[2].rstrip("s") for word in words}
    if len(words) > 1 and len(nouns) == 1 and words[0][0].isdigit():
        return ", ".join([*(word.split()[0] for word in words[:-1]), words[-1]])
    return ", ".join(words)
