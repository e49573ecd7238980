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

TOLERANCE = 1e-8  # the largest relative error between a result and a known mistake
ROUNDED = 1e-4  # below it, an answer is right but for its precision
UNKNOWN = "none of the mistakes known here"
EVERY_LAYER = "every layer is wrong, from the last one on: so is delta at the output, or all of it"
OF_A_SQUARE = "that a square leaves in its derivative"


def no_result(got, truth):
    """Return why `got`, an array or a sentence, is no result like the truth; "" if it is one."""
    shape = truth.shape
    if isinstance(got, str):
        return got
    if got.dtype.kind == "c" != truth.dtype.kind:
        return f"it returns complex numbers {got.shape}, expected real ones, of shape {shape}"
    if got.shape != shape:
        return f"it returns an array of shape {got.shape}, expected {shape}"
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
            failed.append((case, why))
        elif error_of(case, got) <= bound:
            right.append(case)
        else:
            wrong.append((case, got, alone))
    what = [name(right, wrong)] if wrong else []
    if failed:
        what = [words for words in what if words not in (UNKNOWN, EVERY_LAYER)]
        case, why = failed[0]
        if why.endswith("nan or infinite"):
            got = next(got for one, (got, *_) in zip(cases, results) if one is case)
            why += overflow(case, got)
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
    pairs = [(case, got) for case, got, _ in wrong]
    if not any(got.any() for _, got in pairs):
        return nothing_written(pairs[0][0])
    errors = [error_of(case, got) for case, got in pairs]
    if max(errors) < ROUNDED:
        return (
            f"it is right to about {int(-np.log10(max(errors)))} digits, but not to rounding: is "
            "it a difference quotient, or in float32?"
        )
    attempts = known_mistake, new_theta, second_order_part, combination, rare_mistake
    for attempt in (*attempts, without_singular):
        found = attempt(right, pairs)
        if found:
            return found
    return (
        of_tasks(wrong)
        or same_numbers(pairs)
        or locate(pairs)
        or rows(pairs)
        or terms(pairs)
        or three_parts(pairs)
        or UNKNOWN
    )


def nothing_written(case):
    """Return what is said of zeros."""
    if case.exercise in ("01_backward", "02_hvp"):
        return (
            "every entry is 0: nothing has been written into the views (`gW[...] = a` writes, "
            "`gW = a` only gives the name to something else)"
        )
    if case.exercise == "05_reptile":
        return "every entry is 0: is theta itself moved by the descent, so that no way is left?"
    return "every entry is 0"


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
    for i, (case, got) in enumerate(pairs):
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
    exercise = pairs[0][0].exercise
    known_of = mistakes.KNOWN[exercise]
    found = factors_of(pairs, known_of)
    said = exactly(right, known_of, found)
    if said:
        return said
    numbers = [numbers_of(case) for case, _ in pairs]
    truth = next(iter(known_of(pairs[0][0])))
    for phrase, factors in found.items():
        words = describe_factor(factors, numbers)
        if phrase == truth:
            return words
        if does_not_show(phrase, known_of, right):
            return f"this is {phrase}, and {words}"
    return None


def numbers_of(case):
    """Return {phrase: number} of what a result may have been multiplied or divided by."""
    return mistakes.QUANTITIES[case.exercise](case) | {"its length": np.linalg.norm(case.truth)}


def rare_mistake(right, pairs):
    """Return the mistake in one layer, or the two at once, that an answer makes; or None."""
    exercise = pairs[0][0].exercise
    known_of = mistakes.RARE[exercise]
    if exercise in mistakes.ANSWERS:  # two steps tell most mistakes apart, and are quick
        pairs = sorted(pairs, key=lambda pair: abs(pair[0].arguments[-1] - 2))
    return exactly(right, known_of, factors_of(pairs, known_of))


def without_singular(right, pairs):
    """Return the known mistake that an answer to exercise 9 makes where there are as many points as
    features: with fewer, an A that lacks its lam has no inverse, and rounding decides."""
    if pairs[0][0].exercise != "09_solve_the_head":
        return None
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
    sizes = np.array([abs(f) for f, _ in kept])
    words = [{False: "", True: "its sign is wrong"}.get(min(signs)) if len(signs) == 1 else
             "its sign is wrong in some cases"]  # fmt: skip
    if abs(sizes - 1).max() >= TOLERANCE:
        words.append(describe_size(sizes, [n for _, n in kept]))
    return " and ".join(filter(None, words))


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
            return f"it is multiplied by {times}, and divided by {over}"
    listed = ", ".join(f"{size:.4g}" for size in sizes)
    return f"it is {listed} times what it should be"


# Exercises 3 to 6: made of other gradients


def new_theta(right, pairs):
    """Return what is said of theta minus a rate times a gradient, or None."""
    if pairs[0][0].exercise not in mistakes.ANSWERS:
        return None
    steps = [(case, case.arguments[1] - got) for case, got in pairs]
    if not any(step.any() for _, step in steps):
        return "this is theta itself"
    exercise = pairs[0][0].exercise
    wanted = dict.fromkeys(
        (mistakes.ANSWERS[exercise][1], *dict(mistakes.ANSWERS.values()).values())
    )
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
    if pairs[0][0].exercise != "03_maml":
        return None
    problems = [mistakes.problem_of(case) for case, _ in pairs]
    query = [mistakes.rows(p, "first-order MAML").mean(axis=0) for p in problems]
    factors = [multiple(got - q, case.truth - q) for q, (case, got) in zip(query, pairs)]
    if None in factors or np.isnan(factors).all():
        return None
    numbers = [mistakes.QUANTITIES[case.exercise](case) for case, _ in pairs]
    return "this is MAML but for its second-order term: " + describe_factor(factors, numbers)


def combination(right, pairs):
    """Return of which vectors results are sums, or None if of no few, or of other ones in other
    cases; those of no step and one do not count where there are more, as many vectors are one."""
    if pairs[0][0].exercise not in mistakes.BASES:
        return None
    if pairs[0][0].exercise in mistakes.ANSWERS:
        pairs = [pair for pair in pairs if pair[0].arguments[-1] > 1] or pairs
    sums = [sum_of(mistakes.BASES[case.exercise](case), got) for case, got in pairs]
    kinds = {one and re.sub(r"[-+.\de]+ times |_\d+", "", one) for one in sums}
    if len(kinds) > 1 or None in kinds:
        return None
    return f"this is {sums[0]} (with {pairs[0][0].label})"


def sum_of(bases, got):
    """Return of which vectors {phrase: vector} of one of the bases a result is the sum, by the
    fewest, at most three; or None."""
    sums = []
    for basis in bases:
        vectors = np.stack([*basis.values()], axis=1)
        parts = np.linalg.lstsq(vectors, got, rcond=None)[0]
        used = abs(parts) * np.linalg.norm(vectors, axis=0) > 1e-6 * np.linalg.norm(got)
        few = used.sum() <= 3 and 2 * len(basis) <= len(got)
        real = abs(parts.imag).max() <= TOLERANCE * abs(parts).max()
        if few and real and relative_error(vectors @ parts, got) < TOLERANCE:
            sums.append([(part, what) for part, what, u in zip(parts.real, basis, used) if u])
    if not sums:
        return None
    return " plus ".join(
        what if abs(part - 1) < TOLERANCE else f"{part:.4g} times {what}"
        for part, what in min(sums, key=len)
    )


def of_tasks(wrong):
    """Return what an answer is of one task alone, if it is something else of several, or if it is
    another multiple of each; None if it is not."""
    several = [(case, got, alone) for case, got, alone in wrong if alone]
    if not several or any(no_result(one, c.truth) for c, _, alone in several for one in alone):
        return None
    cases, arrays = [], []
    for case, _, alone in several:
        for arguments, one in zip(case.related, alone):
            single = case._replace(arguments=arguments, related=())
            truth = computed(next(iter(mistakes.KNOWN[case.exercise](single).values())))
            cases.append(single._replace(truth=truth))
            arrays.append(one)
    phrase = mistakes.ANSWERS[cases[0].exercise][1]
    mix = any(relative_error(np.mean(alone, axis=0), got) > TOLERANCE for _, got, alone in several)
    if mix and all(relative_error(one, c.truth) < TOLERANCE for one, c in zip(arrays, cases)):
        what = phrase
    elif mix:
        known_of = mistakes.KNOWN[cases[0].exercise]
        what = exactly((), known_of, factors_of([*zip(cases, arrays)], known_of))
        what = what.removeprefix("this is ") if what else "something else"
    elif None not in (factors := [multiple(one, c.truth) for one, c in zip(arrays, cases)]):
        listed = ", ".join(f"{factor:.4g}" for factor in factors[: len(several[0][2])])
        return (
            f"of each task alone this is a multiple of {phrase}, another one each time ({listed}): "
            "is each divided by its own length, or weighted?"
        )
    else:
        return None
    return (
        f"of one task alone this is {what}, but not of {len(several[0][2])} together: they mix, or "
        "not all are there"
    )


def same_numbers(pairs):
    """Return what is said of the right numbers in another order, or with other signs; or None."""
    flat = [(got.ravel(), case.truth.ravel()) for case, got in pairs]
    if all(relative_error(abs(got), abs(truth)) < TOLERANCE for got, truth in flat):
        return "every entry has the right size, and some have the wrong sign"
    if all(relative_error(np.sort(got), np.sort(truth)) < TOLERANCE for got, truth in flat):
        return "these are the right numbers, in another order"
    return None


# Exercises 1 and 2: which parts


def locate(pairs):
    """Return which parts of a result in theta's layout are wrong, the first wrong layer going back
    from the output, and by what they are off if it is the same for all of them; None if the result
    is not in theta's layout."""
    if pairs[0][0].exercise not in ("01_backward", "02_hvp"):
        return None
    found, factors = [], []
    for case, got in pairs:
        model = case.arguments[0]
        errors = block_errors(model, got, case.truth)
        wrong = [not error < TOLERANCE for error in errors.values()]
        masks = np.concatenate(
            [np.full(part.size, bad)
             for part, bad in zip((p for two in model.unpack(got) for p in two), wrong)]
        )  # fmt: skip
        found.append(wrong)
        factors.append(multiple(got[masks], case.truth[masks]) if got[masks].any() else 0.0)
    if all(all(wrong) for wrong in found):
        return EVERY_LAYER
    case, wrong = pairs[0][0], found[0]
    letters = ("gW", "gb") if case.exercise == "01_backward" else ("RgW", "Rgb")
    layers = {
        letter: [number for number, bad in enumerate(wrong[i::2]) if bad]
        for i, letter in enumerate(letters)
    }
    where = " and ".join(
        f"{letter} of l = {', '.join(map(str, numbers))}"
        for letter, numbers in layers.items()
        if numbers
    )
    first = max(max(numbers, default=0) for numbers in layers.values())
    text = (
        f"wrong in {where} and right elsewhere (with {case.label}); going back from the output, "
        f"l = {first} is the first that is wrong"
    )
    if all(factor == 0.0 for factor in factors):
        stopped = first + 1 < len(wrong) // 2 and all(wrong[: 2 * first + 2])
        text += ": they are 0" + (
            "; does the loop end too early, or does `return` stand inside it?" if stopped else ""
        )
    elif None not in factors:
        numbers = [mistakes.QUANTITIES[case.exercise](case) for case, _ in pairs]
        text += ": " + describe_factor(factors, numbers)
    return text


# Exercises 8 and 9


def rows(pairs):
    """Return which of f, f' and f'' are wrong, and by what factor; None if it is no activation."""
    if pairs[0][0].exercise != "08_own_layer":
        return None
    said = []
    for i, what in enumerate(("f", "f'", "f''")):
        wrong = [(c, g[i]) for c, g in pairs if not relative_error(g[i], c.truth[i]) < TOLERANCE]
        if not wrong:
            said.append(f"{what} is right")
            continue
        factors = [multiple(got, case.truth[i]) if got.any() else None for case, got in wrong]
        numbers = [mistakes.QUANTITIES[case.exercise](case) for case, _ in wrong]
        how = "" if None in factors else f": {describe_factor(factors, numbers)}"
        if not any(got.any() for _, got in wrong):
            how = ": it is 0"
        elif None in factors:
            case, got = max(wrong, key=lambda pair: pair[1].size)
            basis = {k: part.ravel() for k, part in mistakes.bases_of_layers(case).items()}
            parts = sum_of([basis], got.ravel())
            how = (
                f": with s = 1 / (1 + exp(-beta z)), it is {parts} ({case.label})" if parts else ""
            )
        said.append(f"{what} is wrong{how}")
    return ", ".join(said)


def terms(pairs):
    """Return of which terms results of exercise 9 are sums, or None if of none."""
    if pairs[0][0].exercise != "09_solve_the_head":
        return None
    said = []
    for case, got in pairs:
        parts = {
            term: mistakes.head(
                *case.arguments, factors=dict.fromkeys(mistakes.HEAD_TERMS, 0.0) | {term: 1.0}
            )
            for term in mistakes.HEAD_TERMS
        }
        vectors = np.stack([part.ravel() for part in parts.values()], axis=1)
        factors = np.linalg.lstsq(vectors, got.ravel(), rcond=None)[0]
        if relative_error(vectors @ factors, got.ravel()) > TOLERANCE:
            return None
        said.append(factors)
    signs = np.sign([1, -1, -1])
    return (
        "its terms are "
        + ", ".join(
            f"{round(factor * sign, 10):.4g} times {term}"
            for factor, sign, term in zip(said[0], signs, parts)
        )
        + " where 1, -1 and -1 times belong"
    )


def three_parts(pairs):
    """Return of which three parts at most, such as F w u^T, results of exercise 9 are the sum, the
    same of them in every case; or None."""
    if pairs[0][0].exercise != "09_solve_the_head":
        return None
    parts = [mistakes.parts_of_heads(case) for case, _ in pairs]
    for few in itertools.chain(*(itertools.combinations(parts[0], n) for n in (1, 2, 3))):
        said = None
        for (_, got), found in zip(pairs, parts):
            vectors = np.stack([found[phrase].ravel() for phrase in few], axis=1)
            factors = np.linalg.lstsq(vectors, got.ravel(), rcond=None)[0]
            now = tuple(np.round(factors, 6))
            off = relative_error(vectors @ factors, got.ravel()) > TOLERANCE
            if off or (said and said != now):
                break
            said = now
        else:
            listed = ", ".join(f"{factor:.4g} times {what}" for factor, what in zip(said, few))
            return f"it is {listed}; C y u^T, -1 times C F w u^T and -1 times C F u w^T belong"
    return None


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
