"""What is said of a wrong answer: the mistake that it is in every case, or where it is right."""

import functools

import numpy as np
import pytest
import wrong_answers
from test_exercises import EACH, solution
from wrong_answers import FRESH, LISTED, OWN, PARTLY, TABLES, WRONG

from tinymeta.course import diagnosis, grading, mistakes
from tinymeta.course.mistakes import backward, head, hvp, layer, tasks
from tinymeta.course.problems import EXERCISES

QUICK = ("08_own_layer", "09_solve_the_head")  # whose cases cost nothing
QUICK_AND_SLOW = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in EXERCISES
]
each_quick = pytest.mark.parametrize("name", QUICK_AND_SLOW)


def cases_of(name, seed=0):
    return [*EXERCISES[name].cases(seed)]


def explain(name, change, seed=0):
    """Return what is said where the results are change(case) in the place of the truths."""
    cases = cases_of(name, seed)
    return grading.explain(cases, [[np.asarray(change(case))] for case in cases])


# Wrong answers


@each_quick
def test_wrong_answers_are_rejected_and_told_what_is_wrong(name):
    """Ten plausible ones, those that an earlier version had no name for, and those that were
    written before the explanations were."""
    for table in (WRONG, LISTED, OWN):
        for slip in table.get(name, ()):
            right, says = wrong_answers.message(name, slip, 0)
            assert not right and slip.says in says, slip.name


@pytest.mark.parametrize(
    "name, every",
    [
        ("08_own_layer", 1),
        ("09_solve_the_head", 4),
        *(pytest.param(name, 1, marks=pytest.mark.slow) for name in EXERCISES),
    ],
)
def test_so_are_those_that_were_written_afresh(name, every):
    for slip in FRESH[name][::every]:
        right, says = wrong_answers.message(name, slip, 0)
        assert not right and slip.says in says, slip.name


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@EACH
def test_so_they_are_on_other_problems(name, seed):
    said = {
        slip: wrong_answers.message(name, slip, seed)
        for table in TABLES.values()
        for slip in table.get(name, ())
    }
    assert [slip.name for slip, (right, _) in said.items() if right] == []
    missed = {s.name: text for s, (_, text) in said.items() if s.says not in text}
    assert len(missed) <= 0.1 * len(said), missed


@each_quick
def test_answers_that_are_right_in_part_are_told_where(name):
    for slip in PARTLY[name]:
        right, says = wrong_answers.message(name, slip, 0)
        assert not right and slip.says in says, slip.name


@pytest.mark.parametrize("name", [name for name in EXERCISES if name not in QUICK])
def test_of_the_slow_ones_a_few_are_tried_each_time(name):
    """Of the meta-gradients one, on the problem that other tests have made."""
    for slip in (PARTLY[name] + LISTED[name])[:: 3 if name < "03" else 20]:
        right, says = wrong_answers.message(name, slip, 1)
        assert not right and slip.says in says, slip.name


@each_quick
def test_the_keywords_tell_the_slips_apart(name):
    """A message that fitted every wrong answer would point nowhere."""
    said = [wrong_answers.message(name, slip, 0)[1] for slip in WRONG[name]]
    assert len(set(said)) >= 9
    assert np.mean([slip.says in text for slip in WRONG[name] for text in said]) < 0.2


@pytest.mark.slow
@EACH
def test_every_single_change_to_a_solution_is_rejected(name, tmp_path):
    """Mistakes that nobody chose. What makes no difference: zeros that are written over at once,
    the claims, which are checked elsewhere, and a number of a layer, never negative, that is not
    0."""
    said = [*wrong_answers.changed(name, tmp_path)]
    accepted = [change for change, right, _ in said if right]
    harmless = "ones_like)(theta)", "FIRST_TO_FAIL", "BY", "l > 0 -> l != 0"
    assert all(any(part in change for part in harmless) for change in accepted), accepted
    vague = [
        text
        for _, right, text in said
        if diagnosis.UNKNOWN in text or text.startswith("every layer")
    ]
    assert len(vague) < 0.25 * len(said)


@pytest.mark.slow
def test_the_teachers_page_has_what_the_checks_say():
    page = (wrong_answers.SOLUTIONS.parents[1] / "lessons" / "INSTRUCTOR.md").read_text("utf-8")
    assert wrong_answers.table() in page


# Every known mistake is told from the others


def test_known_mistakes_have_the_numbers_that_were_recorded():
    """Most of them are tried by no wrong answer of the fast suite: a change to one shows here
    (`python tests/tools/wrong_answers.py --record` writes the file anew)."""
    recorded = wrong_answers.RECORD.read_text(encoding="utf-8").splitlines()
    numbers = wrong_answers.known_numbers()
    assert [line.rpartition(" | ")[0] for line in numbers] == [
        line.rpartition(" | ")[0] for line in recorded
    ]
    for one, other in zip(numbers, recorded):
        one, other = (float(line.rpartition(" | ")[2]) for line in (one, other))
        assert abs(one - other) <= 1e-4 * abs(other) + 1e-12, other


@functools.cache
def known_of(case_index, name):
    case = cases_of(name)[case_index]
    return mistakes.KNOWN[name](case)


@each_quick
def test_a_known_mistake_is_named_if_it_is_the_result_in_every_case(name):
    cases = cases_of(name)
    everywhere = set.intersection(*({*mistakes.KNOWN[name](case)} for case in cases))
    phrases = [phrase for phrase in mistakes.KNOWN[name](cases[0]) if phrase in everywhere]
    results = {
        phrase: [diagnosis.computed(known_of(i, name)[phrase]) for i in range(len(cases))]
        for phrase in phrases[1:]
    }
    for phrase, vectors in results.items():
        if not all(
            np.isfinite(v).all() and v.shape == c.truth.shape for v, c in zip(vectors, cases)
        ):
            continue
        says = grading.explain(cases, [[vector] for vector in vectors])
        alike = [
            other
            for other in results
            if all(
                np.shape(a) == np.shape(b) and np.allclose(a, b)
                for a, b in zip(results[other], vectors)
            )
        ]
        right = all(
            diagnosis.error_of(case, vector) <= grading.BOUND
            for case, vector in zip(cases, vectors)
        )
        named = any(f"{one}" in says for one in alike)
        factor = says.startswith(("it is", "its sign", "every entry", "where it is wrong, every"))
        assert right or named or factor, (phrase, says)


@EACH
def test_what_is_right_comes_first_and_is_the_truth(name):
    for case in cases_of(name, 1):
        right = next(iter(mistakes.KNOWN[name](case).values()))
        assert np.allclose(right(), case.truth, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["01_backward", "09_solve_the_head"])
def test_noise_is_given_no_name(name):
    rng = np.random.default_rng(0)
    says = explain(name, lambda case: rng.standard_normal(case.truth.shape))
    assert (
        says
        == {
            "01_backward": diagnosis.EVERY_LAYER.format("delta"),
            "09_solve_the_head": diagnosis.UNKNOWN,
        }[name]
    )


def test_a_name_has_to_fit_all_cases_that_are_wrong():
    """Nor is a mistake named that would show in a case that is right."""
    cases = cases_of("01_backward")
    phrase = "the gradient with the slope f'(z) missing"
    known = [mistakes.KNOWN["01_backward"](case)[phrase]() for case in cases]
    assert f"this is {phrase}" in grading.explain(cases, [[one] for one in known])
    mixed = [[2 * case.truth if i % 2 else one] for i, (case, one) in enumerate(zip(cases, known))]
    assert phrase not in grading.explain(cases, mixed)
    partly = [[one if i == 0 else case.truth] for i, (case, one) in enumerate(zip(cases, known))]
    says = grading.explain(cases, partly)
    assert says.startswith(f"where it is wrong, this is {phrase}; wrong in 1 of 8 cases: tanh, ")


def test_a_multiple_of_a_mistake_is_no_name_if_the_mistake_would_show_where_all_is_right():
    cases = cases_of("01_backward")
    phrase = "the gradient with the slope f'(z) missing"
    known = [mistakes.KNOWN["01_backward"](case)[phrase]() for case in cases]
    says = grading.explain(cases, [[3 * one] for one in known])
    assert says == f"this is {phrase}, and it is 3 times what it should be"
    partly = [
        [case.truth if i == 0 else 3 * one] for i, (case, one) in enumerate(zip(cases, known))
    ]
    assert phrase not in grading.explain(cases, partly)


def test_zeros_are_said_to_be_everywhere_only_if_they_are():
    cases = cases_of("05_reptile", 1)[:2]
    nothing = [[0 * case.truth] for case in cases]
    assert grading.explain(cases, nothing).startswith("every entry is 0: is theta itself moved")
    says = grading.explain(cases, [[cases[0].truth], nothing[1]])
    assert says.startswith("where it is wrong, every entry is 0: is theta itself moved")
    says = grading.explain(cases, [[2.5 * cases[0].truth], nothing[1]])
    assert "every entry" not in says


def test_two_mistakes_at_once_are_named_in_exercise_1():
    def both(case):
        return backward.gradient(
            *case.arguments,
            slope=backward.SLOPES["f(z) in place of the slope f'(z)"],
            bias=lambda delta: delta.mean(axis=0),
        )

    says = explain("01_backward", both)
    assert "with f(z) in place of the slope f'(z), and the mean over the points for" in says


# Factors


FACTORS = {  # factors in two cases with 5 and 4 points, rates 0.1 and 0.2: what is said
    (1, 1): "",
    (-1, -1): "its sign is wrong",
    (-1, 1): "its sign is wrong in some cases",
    (3, 3): "it is 3 times what it should be",
    (-0.3, -0.3): "its sign is wrong and it is 0.3 times what it should be",
    (5, 4): "it is multiplied by the number of points: a sum for a mean?",
    (-0.2, -0.25): "its sign is wrong and it is divided by the number of points: a mean for a sum?",
    (0.1, 0.2): "it is multiplied by alpha: once too often, or not divided by it?",
    (10, 5): "it is divided by alpha: twice, or a factor missing?",
    (2, 2): "it is 2 times what it should be: by the 2 that a square leaves in its derivative?",
    (
        0.5,
        0.5,
    ): "it is 0.5 times what it should be: by the 2 that a square leaves in its derivative?",
    (0.5, 0.4): "it is divided by 10 where the number of points belongs",
    (4.5, 3.6): "it is divided by 1.111 where the number of points belongs",
    (10, 8): "it is multiplied by the number of points, and by 2",
    (0.4, 0.5): "it is 2 times as large, and divided by the number of points",
    (7, 11): "it is 7, 11 times what it should be",
    (np.nan, 4): "it is multiplied by the number of points: a sum for a mean?",
}


@pytest.mark.parametrize("factors", FACTORS)
def test_a_factor_is_put_into_words(factors):
    numbers = [{"the number of points": n, "alpha": a} for n, a in ((5, 0.1), (4, 0.2))]
    assert diagnosis.describe_factor(factors, numbers) == FACTORS[factors]
    nearly = [(1 + 1e-10) * factor for factor in factors]  # it is measured
    assert diagnosis.describe_factor(nearly, numbers) == FACTORS[factors]
    if "times" not in FACTORS[factors] and "where" not in FACTORS[factors]:
        off = [factor * (1 + 1e-5 * (i + 1)) for i, factor in enumerate(factors)]
        assert diagnosis.describe_factor(off, numbers) != FACTORS[factors]


def test_a_factor_may_be_the_ratio_of_two_numbers():
    numbers = [{"the query points": q, "the support points": k} for q, k in ((7, 9), (8, 7))]
    assert diagnosis.describe_factor([7 / 9, 8 / 7], numbers) == (
        "it is divided by the support points where a division by the query points belongs"
    )
    says = explain("09_solve_the_head", lambda case: case.truth / np.linalg.norm(case.truth))
    assert says == "it is divided by its length"


def test_of_tasks_four_may_be_the_length_of_the_batch_and_a_constant_a_rate():
    numbers = [{"the number of tasks": n} for n in (5, 3)]
    assert "len(batch)" in diagnosis.describe_factor([5 / 4, 3 / 4], numbers)
    assert "len(batch)" not in diagnosis.describe_factor([5 / 2, 3 / 2], numbers)
    assert "a rate of the outer loop" in diagnosis.describe_factor([0.3, 0.3], numbers)


def test_a_multiple_is_one_in_all_entries():
    vector = np.array([1.0, 2.0, 0.0])
    assert diagnosis.multiple(-3 * vector, vector) == -3.0
    assert diagnosis.multiple(vector + [0, 0, 1e-6], vector) is None
    assert diagnosis.multiple(0 * vector, vector) is None
    assert diagnosis.multiple(vector, 0 * vector) is None
    assert np.isnan(diagnosis.multiple(0 * vector, 0 * vector))
    assert diagnosis.multiple(vector, np.full(3, np.nan)) is None
    assert diagnosis.multiple(vector, np.ones(2)) is None


@pytest.mark.parametrize("error, digits", [(3e-8, 7), (2e-5, 4), (3e-3, 2)])
def test_a_difference_quotient_is_told_from_a_mistake(error, digits):
    rng = np.random.default_rng(0)
    says = explain(
        "02_hvp", lambda case: case.truth * (1 + error * rng.choice([-1, 1], case.truth.shape))
    )
    assert says == (
        f"it is right to about {digits} digits, but not to rounding: is it a difference quotient, "
        "or in float32?"
    )


def test_a_rough_answer_with_a_factor_is_told_so():
    rng = np.random.default_rng(0)

    def rough(case):
        return -2.5 * case.truth * (1 + 3e-3 * rng.choice([-1, 1], case.truth.shape))

    assert explain("02_hvp", rough) == (
        "to about 2 digits it is -2.5 times what it should be: is it a difference quotient, with "
        "another mistake?"
    )
    assert "digits" not in explain("02_hvp", lambda case: case.truth + abs(case.truth) ** 0.3)


# Sums of other gradients, new thetas, and tasks that mix: of two steps and of none


def explain_two(name, change):
    cases = [cases_of(name, 1)[i] for i in (1, 3)]
    return grading.explain(cases, [[change(case)] for case in cases])


def test_of_what_gradients_a_result_is_the_sum_is_said():
    def change(case):
        p = tasks.problem_of(case)
        t = tasks.descend(p)[0]
        more = 0.5 * tasks.outer(p, t[-1]) + 3 * tasks.outer(p, t[0])
        return case.truth + more.mean(axis=0)

    says = explain_two("05_reptile", change)
    assert says.split(" (with 2 inner steps, 5 tasks, ")[0] == (
        "this is Reptile plus 0.5 times the query gradient at theta_k plus 3 times the query "
        "gradient at theta_0"
    )


def test_another_meta_gradient_or_theta_may_be_a_part_of_a_sum():
    def exact(case):
        return tasks.rows(tasks.problem_of(case), "MAML").mean(axis=0)

    says = explain_two("05_reptile", lambda case: case.truth + 2 * exact(case))
    assert says.startswith("this is Reptile plus 2 times MAML (with 2 ")
    says = explain_two("05_reptile", lambda case: case.truth - 3 * case.arguments[1])
    assert says.startswith("this is Reptile plus -3 times theta (with 2 ")


def test_a_sum_that_is_another_one_in_another_case_is_none():
    cases = [cases_of("05_reptile", 1)[i] for i in (1, 2, 0)]  # of 2, 5 and 1 steps
    parts = [[*tasks.bases(case)][0] for case in cases]
    leaked = [part["Reptile"] + 2 * part["the query gradient at theta_k"] for part in parts]
    other = [part["Reptile"] + 2 * part["theta"] for part in parts]
    said = diagnosis.combination([], [*zip(cases, leaked)])
    assert said.startswith("this is Reptile plus 2 times the query gradient at theta_k (with 2 ")
    assert diagnosis.combination([], [*zip(cases, (leaked[0], other[1], leaked[2]))]) is None
    assert diagnosis.combination([], [*zip(cases, (*leaked[:2], other[2]))]) == said


def test_of_no_few_gradients_nothing_is_said():
    rng = np.random.default_rng(0)
    case = cases_of("05_reptile", 1)[1]
    assert diagnosis.combination([], [(case, rng.standard_normal(case.truth.shape))]) is None
    basis = [{"a": np.eye(9)[0], "b": np.eye(9)[1]}, {"c": np.eye(9)[0] + np.eye(9)[1]}]
    assert diagnosis.sum_of(basis, np.eye(9)[0] + np.eye(9)[1]) == "c"
    assert diagnosis.sum_of(basis, np.eye(9)[0] - 2 * np.eye(9)[1]) == "a plus -2 times b"
    assert diagnosis.sum_of(basis, np.eye(9)[2]) is None
    four = [dict(zip("abcd", np.eye(9)))]
    assert diagnosis.sum_of(four, np.ones(9) * (np.arange(9) < 3)) == "a plus b plus c"
    assert diagnosis.sum_of(four, np.ones(9) * (np.arange(9) < 4)) is None
    assert diagnosis.sum_of([dict(zip("abcde", np.eye(9)))], np.eye(9)[0]) is None
    assert diagnosis.sum_of(four, np.eye(9)[0] + 3e-9 * np.eye(9)[1]) == "a"
    assert diagnosis.sum_of([dict(zip("ab", np.eye(4)))], np.eye(4)[0]) == "a"
    assert diagnosis.sum_of([dict(zip("ab", np.eye(3)))], np.eye(3)[0]) is None
    assert (
        diagnosis.sum_of(
            [{"b": np.eye(9)[1], "c": np.eye(9)[0] - np.eye(9)[1]}, {"z": np.eye(9)[0]}],
            np.eye(9)[0],
        )
        == "z"
    )
    assert diagnosis.sum_of(four, np.eye(9)[0] + 1e-9j * np.eye(9)[0]) == "a"
    assert diagnosis.sum_of(four, np.eye(9)[0] + 0.1j * np.eye(9)[0]) is None


def test_by_what_the_second_order_term_alone_is_off_is_said():
    def change(case):
        query = tasks.rows(tasks.problem_of(case), "first-order MAML").mean(axis=0)
        return query + len(case.arguments[2][0]) * (case.truth - query)

    assert explain_two("03_maml", change).startswith(
        "this is MAML but for its second-order term: it is multiplied by the number of tasks"
    )


def test_a_second_order_term_is_looked_for_where_there_is_one():
    case, without_steps = (cases_of("03_maml", 1)[i] for i in (0, 3))
    query = tasks.rows(tasks.problem_of(case), "first-order MAML").mean(axis=0)
    got = query - 3 * (case.truth - query)
    nothing = tasks.rows(tasks.problem_of(without_steps), "first-order MAML").mean(axis=0)
    pairs = [(case, got), (without_steps._replace(truth=nothing), nothing)]
    says = "this is MAML but for its second-order term: its sign is wrong and it is 3 times what"
    assert diagnosis.second_order_part([], pairs).startswith(says)
    assert diagnosis.second_order_part([], pairs[1:]) is None
    assert diagnosis.second_order_part([], [(case, np.cos(got)), *pairs[1:]]) is None


@pytest.mark.parametrize("name, right", [("03_maml", "MAML"), ("05_reptile", "Reptile")])
def test_a_new_theta_is_told_from_a_gradient(name, right):
    for rate, sign in ((0.3, "minus"), (-0.3, "plus")):
        says = explain_two(name, lambda case, rate=rate: case.arguments[1] - rate * case.truth)
        assert says.startswith(f"this is theta {sign} a rate times {right}: a new theta; ")
    assert explain_two(name, lambda case: case.arguments[1]).startswith("this is theta itself")


MIX = "of one task alone this is {}, but not of 5 together: they mix, or not all are there"


@pytest.mark.parametrize(
    "factors, of_mean, says",
    [
        ([1] * 5, 2.5, MIX.format("Reptile")),
        ([-1] * 5, 0.7, MIX.format("Reptile").replace("this is Reptile", "its sign is wrong")),
        (
            [1, 2, 3, 4, 5],
            1.0,
            "of each task alone this is a multiple of Reptile, another one each time (1, 2, 3, 4, "
            "5): is each divided by its own length, or weighted?",
        ),
    ],
)
def test_what_an_answer_is_of_each_task_alone_is_not_called_unknown(factors, of_mean, says):
    case = cases_of("05_reptile", 1)[1]
    right = tasks.rows(tasks.problem_of(case), "Reptile")
    alone = right * np.reshape(factors, (-1, 1))
    got = alone.mean(axis=0) if of_mean == 1.0 else np.cos(np.arange(len(case.truth)))
    assert grading.explain([case], [[got, *alone]]) == says


def of_each_task(index):
    """Return a case of exercise 5 with several tasks, and Reptile of each of them."""
    case = cases_of("05_reptile", 1)[index]
    return case, [*tasks.rows(tasks.problem_of(case), "Reptile")]


def test_how_often_each_task_counts_is_said():
    weights = np.array([1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2])
    wrong = [
        (case, weights[-len(alone) :] @ alone, alone) for case, alone in map(of_each_task, (1, 2))
    ]
    says = diagnosis.of_tasks([], wrong)
    assert len(wrong[1][2]) == 4 and says == (
        "of one task alone this is Reptile, but not of 5 together: they count 0.0625, 0.0625, "
        "0.125, 0.25, 0.5 times, where each should count 1/5"
    )
    halves = [(case, 2 * got, [one / 2 for one in alone]) for case, got, alone in wrong]
    assert diagnosis.of_tasks([], halves).startswith(
        "of one task alone it is 0.5 times what it should be: by the 2 that a square leaves in its "
        "derivative?, but not of 5 together: they count 0.25, "
    )
    case, _, alone = wrong[1]  # in another case they mix
    mixed = [wrong[0], (case, np.cos(np.arange(len(case.truth))), alone)]
    assert diagnosis.of_tasks([], mixed) == MIX.format("Reptile")


def test_of_tasks_that_are_wrong_alone_the_first_cases_factors_are_listed():
    wrong = []
    for case, alone in map(of_each_task, (2, 1)):
        alone = [(i + 1) * one for i, one in enumerate(alone)]
        wrong.append((case, np.mean(alone, axis=0), alone))
    assert "another one each time (1, 2, 3, 4): is each" in diagnosis.of_tasks([], wrong)
    noise = np.cos(np.arange(wrong[1][1].size))
    mixed = [wrong[0], (wrong[1][0], noise, wrong[1][2])]
    assert diagnosis.of_tasks([], mixed).startswith(
        "of one task alone it is 1, 2, 3, 4, ... times what it should be, but not of 4 together: "
    )
    one_is_noise = [noise, *wrong[1][2][1:]]
    beside = [wrong[0], (wrong[1][0], np.mean(one_is_noise, axis=0), one_is_noise)]
    assert diagnosis.of_tasks([], beside) is None
    assert diagnosis.of_tasks([], [(wrong[0][0], wrong[0][1], ())]) is None


def test_where_a_task_alone_has_no_result_nothing_is_said_of_it():
    case = cases_of("05_reptile", 1)[1]
    noise = np.cos(np.arange(len(case.truth)))
    assert grading.explain([case], [[noise, *["it stops"] * 5]]) == diagnosis.UNKNOWN
    assert grading.explain([case], [[noise, "it stops", *[noise] * 4]]) == diagnosis.UNKNOWN
    assert grading.explain([case], [[noise]]) == diagnosis.UNKNOWN


def test_the_right_numbers_in_another_order_or_with_other_signs_are_recognised():
    says = explain("01_backward", lambda case: case.truth[::-1])
    assert says == "these are the right numbers, in another order"
    says = explain(
        "09_solve_the_head", lambda case: np.cumsum(case.truth).reshape(case.truth.shape)
    )
    assert says.startswith("these are running sums of the right numbers: is something not set to 0")
    says = explain("01_backward", lambda case: abs(case.truth))
    assert says == "every entry has the right size, and some have the wrong sign"
    two = cases_of("01_backward")[:2]
    for change in (np.flip, np.abs):  # in one case of two, that is no observation
        pairs = [(two[0], change(two[0].truth)), (two[1], np.cos(two[1].truth))]
        assert diagnosis.same_numbers([], pairs) is None
        assert diagnosis.same_numbers([], pairs[:1])


# Parts and places


def located(name, change):
    """Return what is said where change(l, "W" or "b", part, number of layers) is in the place of
    each part of the truth."""

    def changed(case):
        got, model = case.truth.copy(), case.arguments[0]
        pairs = model.unpack(got)
        for number, pair in enumerate(pairs):
            for kind, part in zip("Wb", pair):
                part[...] = change(number, kind, part, len(pairs))
        return got

    return explain(name, changed)


def test_the_wrong_parts_are_listed_and_by_what_all_of_them_are_off():
    there = " and right elsewhere (with tanh, squared error, 3 layers, "
    first = "going back from the output, l = {} is the first that is wrong"
    says = located("01_backward", lambda layer, kind, part, n: part * (7 if layer == 1 else 1))
    assert says.startswith("wrong in gW of l = 1 and gb of l = 1" + there)
    assert says.endswith(first.format(1) + ": it is 7 times what it should be")
    says = located("02_hvp", lambda layer, kind, part, n: part + (kind == "b"))
    assert says.startswith("wrong in Rgb of l = 0, 1, 2" + there)
    assert says.endswith(first.format(2))
    says = located("01_backward", lambda layer, kind, part, n: part * (layer > 0))
    assert says.endswith(
        first.format(0)
        + ": they are 0; does the loop end too early, or does `return` stand inside "
        "it?"
    )
    says = located("01_backward", lambda layer, kind, part, n: part * (kind == "b" or layer > 0))
    assert says.endswith(first.format(0) + ": they are 0")
    says = located("01_backward", lambda layer, kind, part, n: part + 1)
    assert says == diagnosis.EVERY_LAYER.format("delta")
    says = located("02_hvp", lambda layer, kind, part, n: part + 1)
    assert says == diagnosis.EVERY_LAYER.format("Rdelta")
    # what is right in more layers of one case is described there
    says = located("01_backward", lambda layer, kind, part, n: part + (layer > 0 or n < 3))
    assert says.startswith(
        "wrong in gW of l = 1, 2 and gb of l = 1, 2 and right elsewhere (with tanh"
    )


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda layer, kind, part, n: part * (kind == "b"), "every gW is 0: is it written, as in "
         "`gW[...] = a`?"),
        (lambda layer, kind, part, n: (part + 1) * (kind == "W"), "every gb is 0: is it written, "
         "as in `gb[...] = a`?; besides, wrong in gW of l = 0, 1, 2"),
    ],
)  # fmt: skip
def test_parts_that_are_0_everywhere_may_not_have_been_written(change, says):
    assert located("01_backward", change) == says


def test_which_of_an_activations_three_functions_is_wrong_is_said():
    says = explain(
        "08_own_layer",
        lambda case: case.truth * np.reshape([1, 1, 3], (3, *[1] * case.truth[0].ndim)),
    )
    assert says == "f is right, f' is right, f'' is wrong: it is 3 times what it should be"

    def noise(case):
        got = case.truth.copy()
        got[1], got[2] = got[1] + np.arange(got[1].size).reshape(got[1].shape) + 1, 0
        return got

    assert explain("08_own_layer", noise) == "f is right, f' is wrong, f'' is wrong: it is 0"


def test_where_an_activation_is_wrong_is_said():
    says = explain(
        "08_own_layer",
        lambda case: case.truth + (case.truth.dtype.kind == "c") * abs(case.truth) ** 0.3,
    )
    assert says.endswith(", wrong with complex z") and (
        "where z is complex: do abs, .real, conj or np.maximum lose its imaginary part?; right"
        in says
    )
    says = explain("08_own_layer", lambda case: case.truth + (case.arguments[0].real < 0))
    assert says.startswith(
        "f is wrong where z.real < 0, and nowhere else (complex z, beta 0.7), f' "
    )
    says = explain(  # 0 is there
        "08_own_layer",
        lambda case: case.truth + (case.label[:5] == "large") * (case.arguments[0].real < 0),
    )
    assert says.startswith("f is wrong where z.real < 0, and nowhere else (large z, beta 1.7), f' ")
    says = explain("08_own_layer", lambda case: case.truth + (case.arguments[0].real > 0))
    assert says.startswith(
        "f is wrong where z.real > 0, and nowhere else (complex z, beta 0.7), f' "
    )
    says = explain("08_own_layer", lambda case: np.where(abs(case.truth) < 1e3, case.truth, 7.0))
    assert says.startswith(
        "f is wrong at z = 3000 (large z, beta 1.7), f' is right, f'' is right; "
    )
    says = explain(
        "08_own_layer",
        lambda case: case.truth + np.cos(np.arange(case.truth.size)).reshape(case.truth.shape),
    )
    assert says == "f is wrong, f' is wrong, f'' is wrong"


def test_where_beta_is_not_1_one_may_be_missing():
    says = explain(
        "08_own_layer", lambda case: case.truth + (case.arguments[1] != 1) * abs(case.truth) ** 0.3
    )
    assert "f'' is wrong, where beta is not 1: is one missing, or one too many?; right with" in says


def test_of_what_a_wrong_derivative_of_an_activation_is_made_is_said():
    def change(case):
        z, beta = case.arguments
        got, s = case.truth.copy(), layer.sigmoid_of(beta * z)
        got[1] = 3 * s - z * z * beta * s * (1 - s)
        got[2] = s / beta - 0.5 * beta * z * s + 1.23 * beta * s * (1 - s)
        return got

    says = explain("08_own_layer", change)
    with_s = "is wrong: with s = 1 / (1 + exp(-beta z)), it is"
    assert f"f' {with_s} 3 times s plus -1 times z^2 s' (complex z, beta 0.7)" in says
    assert f"f'' {with_s} 1 / beta times s plus " in says
    assert "-0.5 beta times z s" in says and "1.23 times s'" in says


@pytest.mark.parametrize(
    "name, says, change",
    [
        pytest.param(
            "02_hvp",
            "with the term h V missing, and the term Rh W missing",
            lambda *a: hvp.product(*a, factors={"h V": 0.0, "Rh W": 0.0}),
            marks=pytest.mark.slow,
        ),
        (
            "02_hvp",
            "with the term Vb missing at l = 1",
            lambda *a: hvp.product(*a, factors={("Vb", "l = 1"): 0.0}),
        ),
        (
            "01_backward",
            "with the slope f'(z) missing, at l = 0",
            lambda *a: backward.gradient(*a, slope=lambda f, z, h: 1.0, at="l = 0"),
        ),
        (
            "09_solve_the_head",
            "with c forgotten in A, and lam squared in A",
            lambda *a: head.head(*a, in_A=0.0, lam_by=lambda lam, K: lam),
        ),
    ],
)
def test_two_mistakes_at_once_and_one_in_one_layer_are_named(name, says, change):
    assert says in explain(name, lambda case: change(*case.arguments))


def test_where_an_inverse_is_made_of_rounding_the_other_cases_are_looked_at():
    case = cases_of("09_solve_the_head")[1]  # three points, five features

    def noise_there(elsewhere):
        return explain(
            "09_solve_the_head",
            lambda one: np.cos(one.truth) if one.label == case.label else elsewhere(one),
        )

    assert noise_there(lambda one: one.truth).startswith(diagnosis.UNKNOWN)
    says = noise_there(lambda one: head.head(*one.arguments, lam_by=0.0))
    assert says == (
        "with as many points as features or more, this is the gradient in F with lam forgotten in A"
    )


def test_of_which_terms_a_gradient_through_the_head_is_made_is_said():
    def change(case):
        parts = {"C y u^T": 1.0, "C F w u^T": 3.0, "C F u w^T": -2.0}
        return head.head(*case.arguments, factors=parts)

    assert explain("09_solve_the_head", change) == (
        "it is C y u^T, -3 times C F w u^T, 2 times C F u w^T; C y u^T, -1 times C F w u^T and -1 "
        "times C F u w^T belong"
    )


def test_three_parts_of_a_gradient_through_the_head_are_found_only_if_all_cases_have_the_same():
    cases = cases_of("09_solve_the_head")[1:3]
    parts = [head.parts_of_heads(case) for case in cases]
    two = [2 * p["F u u^T"] - p["C C y w^T"] for p in parts]
    says = diagnosis.three_parts([], [*zip(cases, two)])
    assert says.startswith("it is 2 times F u u^T, -1 times C C y w^T; ")
    other = 3 * parts[1]["F u u^T"] - parts[1]["C C y w^T"]
    assert diagnosis.three_parts([], [*zip(cases, (two[0], other))]) is None
    four = [one + p["F w w^T"] + p["y w^T"] for one, p in zip(two, parts)]
    assert diagnosis.three_parts([], [*zip(cases, four)]) is None


def label_of(*labels):
    case = cases_of("01_backward")[0]
    return [case._replace(label=label) for label in labels]


@pytest.mark.parametrize(
    "right, wrong, says",
    [
        (["1 step, a"], ["2 steps, a", "2 steps, b"], "right with 1 step, wrong with 2 steps"),
        (["1 step, a"], ["2 steps, a", "3 steps, a"], "right in 1 of 3 cases: 1 step, a"),
        (["1 step, a"] * 2, ["2 steps, a", "3 steps, a"], "right with 1 step, wrong with 2, 3 "
         "steps"),
        (["1 step, tanh", "2 steps, tanh"], ["2 steps, relu"], "right with tanh, wrong with relu"),
        (
            ["1 step, tanh", "1 step, relu"],
            ["2 steps, mse", "1 step, mse"],
            "right with relu, tanh, wrong with mse",
        ),
        (
            ["1 step, tanh", "1 step, relu", "2 steps, tanh"],
            ["2 steps, relu"],
            "wrong in 1 of 4 cases: 2 steps, relu",
        ),
        (["1, a", "2, b"], ["1, b", "2, a"], "right in 2 of 4 cases: 1, a / 2, b"),
        ([], ["1 step, tanh"], ""),
        (["1 step, tanh"], [], ""),
    ],
)  # fmt: skip
def test_cases_are_told_apart_by_what_differs(right, wrong, says):
    assert diagnosis.where(label_of(*right), label_of(*wrong)) == says


def test_numbers_of_one_thing_are_listed_together_and_those_of_two_are_not():
    assert diagnosis.listed(["2 tasks", "1 task", "2 tasks"]) == "1, 2 tasks"
    assert diagnosis.listed(["1 task", "2 points"]) == "1 task, 2 points"
    assert diagnosis.listed(["tanh", "relu"]) == "relu, tanh" and diagnosis.listed(["1 a"]) == "1 a"


def test_results_that_are_none_are_reported_with_the_case():
    cases = cases_of("09_solve_the_head")
    results = [[case.truth] for case in cases]
    assert grading.explain(cases, results) == ""
    results[1] = ["it stops"]
    says = grading.explain(cases, results)
    assert says.startswith(f"with {cases[1].label}: it stops; ")
    assert grading.explain(cases, [["it stops"]] * len(cases)) == "it stops"
    results[2] = [-cases[2].truth]
    assert grading.explain(cases, results).startswith("its sign is wrong; with 2 outputs, ")


@pytest.mark.parametrize(
    "got, says",
    [
        (np.zeros((2, 3)), "it returns an array of shape (2, 3), expected (6, 4)"),
        (1j * np.zeros((6, 4)), "it returns complex numbers (6, 4), expected real ones, of shape "
         "(6, 4)"),
        (np.array(1.5), "it returns an array of shape (), expected (6, 4); does a mean or a sum "
         "lack its axis?"),
        (np.full((6, 4), np.inf), "24 of its 24 numbers are nan or infinite"),
        (np.zeros((6, 4)), "every entry is 0"),
        ("it returns None", "it returns None"),
    ],
)  # fmt: skip
def test_what_is_no_result_is_said(got, says):
    case = cases_of("09_solve_the_head")[0]
    error, said = grading.verdict(case, [got])
    assert said == says and error == (1.0 if says.startswith("every") else np.inf)


def test_zeros_of_the_passes_are_told_how_views_are_written():
    assert "`gW[...] = a` writes" in explain("01_backward", lambda case: 0 * case.truth)
    assert "`gW[...] = a` writes" in explain("02_hvp", lambda case: 0 * case.truth)


def test_a_crash_names_the_line_the_layer_and_the_shapes_that_met():
    slip = next(slip for slip in WRONG["01_backward"] if slip.name == "slope of another layer")
    says = wrong_answers.message("01_backward", slip, 0)[1]
    assert (
        "where l = 2: " in says
        and "there delta (9, 3), tape.layers[l][0].T (3, 6), tape.z[l] (9, 3)" in says
    )


def test_an_answer_is_not_called_by_what_judges_it():
    case = cases_of("01_backward")[0]
    calls = []

    def answer(*arguments):
        calls.append(1)
        return 3.5 * solution("01_backward")["backward"](*arguments)

    results = grading.attempt(answer, case)
    assert (
        grading.verdict(case, results)[1] == "it is 3.5 times what it should be" and len(calls) == 1
    )
