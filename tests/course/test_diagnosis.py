"""What is said of a wrong answer: each slip is told apart from the others, by name."""

import numpy as np
import pytest
import wrong_answers
from test_exercises import EACH, PAGES, solution
from wrong_answers import WRONG

import tinymeta as tm
from tinymeta.course import diagnosis, grading
from tinymeta.course.problems import EXERCISES


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@EACH
def test_ten_wrong_answers_are_rejected_and_at_least_eight_named(name, seed):
    said = {slip: wrong_answers.message(name, slip, seed) for slip in WRONG[name]}
    assert [slip.name for slip, (right, _) in said.items() if right] == []
    missed = {slip.name: text for slip, (_, text) in said.items() if slip.says not in text}
    assert len(missed) <= 2, missed


@EACH
def test_the_keywords_tell_the_slips_apart(name):
    """A message that fitted every wrong answer would point nowhere."""
    said = [wrong_answers.message(name, slip, 0)[1] for slip in WRONG[name]]
    assert len(set(said)) >= 8
    assert np.mean([slip.says in text for slip in WRONG[name] for text in said]) < 0.2


@pytest.mark.slow
@EACH
def test_every_single_change_to_a_solution_is_rejected(name, tmp_path, capsys):
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
        if "none of the mistakes" in text or text == "every layer is wrong, from the last one on"
    ]
    rejected = len(said) - len(accepted)
    print(f"{name}: {rejected} rejected, {rejected - len(vague)} with a likely cause or a line")
    assert len(vague) < 0.4 * len(said)


def test_the_page_has_what_the_checks_say():
    assert wrong_answers.table() in PAGES["README.md"]


def test_the_factor_of_a_square_is_known(capsys):
    def without_it(model, theta, x, y):
        return model.grad(theta, x, y) / 2

    assert not grading.report("01_backward", without_it, 0)
    assert (
        "it is divided by 2, which a square leaves in its derivative\n" in capsys.readouterr().out
    )


@pytest.mark.parametrize("name, method", [("01_backward", "grad"), ("02_hvp", "hvp")])
def test_a_sum_over_points_is_told_from_one_over_outputs(name, method):
    case = next(EXERCISES[name].cases(0))
    x, y = case.arguments[2:4]
    for n, what in ((len(x), "the number of points"), (y.shape[-1], "the width of the output")):
        said = grading.judge(lambda model, *rest: n * getattr(model, method)(*rest), case)[1]
        assert said == f"it is multiplied by {n}, {what}: a sum for a mean?"


def test_three_steps_taken_back_in_the_wrong_order_are_named():
    def first_first(model, theta, alpha, batch, inner_steps):
        each = []
        for x, y, x_query, y_query in zip(*batch):
            thetas = [theta]
            for _ in range(inner_steps):
                thetas.append(thetas[-1] - alpha * model.grad(thetas[-1], x, y))
            v, total = model.grad(thetas[-1], x_query, y_query), 0.0
            for t in thetas[:-1]:
                total = total - v * model.grad(t, x, y)
                v = v - model.hvp(t, x, y, alpha * v)
            each.append(total)
        return np.mean(each, axis=0)

    case = next(c for c in EXERCISES["06_meta_sgd"].cases(0) if c.arguments[-1] == 3)
    said = grading.judge(first_first, case)[1]
    assert said == "this is the gradient in alpha with v propagated back first step first"


# The parts of a message

SCALES = {5: "the points", 0.1: "alpha", 2: diagnosis.OF_A_SQUARE, 0: "no inner steps"}
FACTORS = {
    1: "",
    -1: "its sign is wrong",
    3: "it is 3 times what it should be",
    -1 / 3: "its sign is wrong and it is 0.3333 times what it should be",
    5: "it is multiplied by 5, the points: a sum for a mean?",
    -1 / 5: "its sign is wrong and it is divided by 5, the points: a mean for a sum?",
    0.1: "it is multiplied by 0.1, alpha: once too often?",
    10: "it is divided by 0.1, alpha: is it missing?",
    2: "it is multiplied by 2, which a square leaves in its derivative",
}


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_is_put_into_words(factor):
    assert diagnosis.describe_factor(factor, SCALES) == FACTORS[factor]
    for nearly in (1 + 1e-8, 1 - 1e-8):  # it is measured
        assert diagnosis.describe_factor(nearly * factor, SCALES) == FACTORS[factor]
    if "times" not in FACTORS[factor]:
        assert diagnosis.describe_factor((1 + 1e-5) * factor, SCALES) != FACTORS[factor]


def test_a_multiple_of_a_known_vector_is_named_with_its_factor():
    truth, slip = np.eye(3)[:2] + 1
    known = {"truth": truth, "a slip": slip}
    for got, says in (
        (0 * truth, "every entry is 0"),
        (truth, None),
        (-truth, "its sign is wrong"),
        (slip, "this is a slip"),
        (-5 * slip, f"this is a slip, and its sign is wrong and {FACTORS[5]}"),
        (truth + slip, None),
    ):
        assert diagnosis.describe_match(got, known, "truth", SCALES) == says


def test_the_wrong_blocks_are_listed_and_what_is_wrong_with_all_of_them_is_said():
    model = tm.MLP([1, 2, 3, 1])
    truth = np.random.default_rng(0).standard_normal(model.n_params)

    def located(blocks, change):
        got = truth.copy()
        for layer, kind in blocks:
            part = model.unpack(got)[layer - 1]["Wb".index(kind)]
            part[...] = change(part)
        return diagnosis.locate_error(model, got, truth, SCALES)

    wrong = "wrong in {} and right elsewhere; going back from the output, layer {} is the first "
    wrong += "that is wrong"
    assert located([(2, "W")], lambda part: 5 * part) == (f"{wrong.format('W2', 2)}: {FACTORS[5]}")
    two = [(1, "b"), (3, "b")]
    assert located(two, lambda part: 0 * part) == f"{wrong.format('b1, b3', 3)}: they are 0"
    assert located(two, lambda part: part + 1) == wrong.format("b1, b3", 3)
    every = [(layer, kind) for layer in (1, 2, 3) for kind in "Wb"]
    assert located(every, lambda part: part + 1) == "every layer is wrong, from the last one on"


def test_with_nothing_changed_the_terms_add_up_to_the_truth():
    for case in EXERCISES["02_hvp"].cases(0):
        model, theta, x, y, v = case.arguments
        tape = model.backprop(theta, x, y).tape
        gradient = diagnosis.perturbed_gradient(model, theta, x, y)
        assert np.allclose(gradient, model.grad(theta, x, y), rtol=1e-10)
        assert np.allclose(diagnosis.perturbed_product(model, tape, v), case.truth, rtol=1e-10)
        for term in diagnosis.TERMS:
            for factor in (0.0, -1.0, 0.5):
                other = diagnosis.perturbed_product(model, tape, v, {term: factor})
                there = "f''" not in term or case.label.startswith("tanh")
                assert np.allclose(other, case.truth, rtol=1e-10) is not there, (term, factor)


def test_by_what_a_meta_gradient_is_off_is_told():
    case = next(c for c in EXERCISES["05_reptile"].cases(0) if c.arguments[-1] == 3)
    answer = solution("05_reptile")["reptile_grad"]
    _, _, batch, alpha, steps = case.arguments
    for n, what in (
        (len(batch.x_support), "the number of tasks: a sum for a mean?"),
        (steps, "the number of inner steps: a sum for a mean?"),
        (alpha, "alpha: once too often?"),
        (alpha**2, "alpha squared: once too often?"),
    ):
        said = grading.judge(lambda *arguments: n * answer(*arguments), case)[1]
        assert said == f"it is multiplied by {n:.4g}, {what}"


# Slips in a whole answer


def test_gradients_of_the_inner_loop_one_step_late_are_named():
    def late(model, theta, alpha, batch, inner_steps):
        each = []
        for x, y, x_query, y_query in zip(*batch):
            thetas = [theta]
            for _ in range(inner_steps):
                thetas.append(thetas[-1] - alpha * model.grad(thetas[-1], x, y))
            v, total = model.grad(thetas[-1], x_query, y_query), 0.0
            for s in reversed(range(inner_steps)):
                total = total - v * model.grad(thetas[s + 1], x, y)
                v = v - model.hvp(thetas[s], x, y, alpha * v)
            each.append(total)
        return np.mean(each, axis=0)

    case = next(EXERCISES["06_meta_sgd"].cases(0))
    said = grading.judge(late, case)[1]
    assert said == "this is the gradient in alpha with g one step late, at theta_s+1"


def test_an_answer_that_is_nothing_known_is_not_given_a_name():
    """Neither is one that is one thing for the first task alone and another for the others."""
    answer = solution("05_reptile")["reptile_grad"]
    case = next(c for c in EXERCISES["05_reptile"].cases(0) if c.arguments[-1] > 1)

    def noise(model, theta, batch, *rest):
        return np.random.default_rng(0).standard_normal(theta.shape)

    def two_things(model, theta, batch, *rest):
        if len(batch.x_support) > 1:
            return noise(model, theta, batch)
        first = np.array_equal(batch.x_support[0], case.arguments[2].x_support[0])
        return answer(model, theta, batch, *rest) * (-1 if first else 1)

    for wrong in (noise, two_things):
        assert grading.judge(wrong, case)[1] == "none of the mistakes known here"


def test_what_is_wrong_after_one_inner_step_alone_is_explained():
    answer = solution("05_reptile")["reptile_grad"]

    def wrong_by(factor):
        def sometimes(*arguments):
            return answer(*arguments) * (factor if arguments[-1] == 1 else 1)

        (case,) = (c for c in EXERCISES["05_reptile"].cases(0) if c.arguments[-1] == 1)
        return grading.judge(sometimes, case)[1]

    assert wrong_by(-1) == "its sign is wrong"
    assert "the number of tasks: a sum for a mean?" in wrong_by(5)
