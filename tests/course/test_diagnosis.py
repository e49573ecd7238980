"""What is said of a wrong answer: each slip is told apart from the others, by name."""

import numpy as np
import pytest
import wrong_answers
from test_exercises import EACH, PAGES, solution
from wrong_answers import WRONG

from tinymeta.course import grading
from tinymeta.course.problems import EXERCISES


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)
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
