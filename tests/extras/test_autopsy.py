"""The autopsy: its verdict on the right meta-gradient, on every wrong one that it can see, and on
what it cannot."""

from typing import NamedTuple

import numpy as np
import pytest
from helpers import WithoutSecondDerivative, problem

import tinymeta as tm
from tinymeta import checks
from tinymeta.extras import autopsy, variants
from tinymeta.meta import inner_batches

TANH = dict(sizes=(2, 6, 5, 2), tasks=3, shots=5, query=5)
BOTH_CRITERIA = pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
STEPS = pytest.mark.parametrize("steps", [1, 2])


@pytest.fixture(scope="module", autouse=True)
def known_mistakes_are_computed_once():
    """Most tests examine another meta-gradient of the same few examples, and nine tenths of the
    time would go into the same candidates. They are kept, read-only, for each network, task and
    inner loop; of a model that is no plain MLP they are computed every time."""
    compute, kept = autopsy.candidate_gradients, {}

    def once(model, theta, task, inner_lr, steps, minibatch, derivative):
        arguments = model, theta, task, inner_lr, steps, minibatch, derivative
        if type(model) is not tm.MLP:
            return compute(*arguments)
        arrays = tuple((np.shape(a), np.asarray(a).tobytes()) for a in (theta, *task, inner_lr))
        key = repr(model), arrays, steps, minibatch, derivative
        if key not in kept:
            kept[key] = compute(*arguments)
            for vector in kept[key].values():
                vector.setflags(write=False)
        return dict(kept[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autopsy, "candidate_gradients", once)
        yield


def example(criterion="mse", **changes):
    model, theta, batch = problem(criterion=criterion, **{**TANH, **changes})
    return model, 2 * theta, batch  # out of tanh's linear middle, where f'' is nearly 0


def verdict(meta_grad, steps=1, criterion="mse", inner_lr=0.1, **changes):
    return autopsy.examine(meta_grad, *example(criterion, **changes), inner_lr, steps)


def plus_joint(method):
    return lambda *a: (method(*a)[0], method(*a)[1] + tm.joint_grad(*a)[1])


def on(pick):
    return lambda m, t, batch, *rest: tm.maml_grad(m, t, tm.TaskBatch(*pick(batch)), *rest)


def tasks_accumulate(model, theta, batch, inner_lr, steps, minibatch):
    """A later task starts from where an earlier one has been led, as where a shared copy is not
    reset."""
    grads = []
    for task in batch.split_tasks(1):
        grads.append(tm.maml_grad(model, theta, task, inner_lr, steps, minibatch)[1])
        theta = theta - 0.1 * grads[-1]
    return 0.0, np.mean(grads, axis=0)


WRONG = {  # what the verdict must say: the meta-gradient
    "no: this is first-order MAML": tm.fomaml_grad,
    "no: this is the joint gradient, which never adapts": tm.joint_grad,
    "no: this is MAML with the support gradient leaked in": plus_joint(tm.maml_grad),
    "no: this is first-order MAML with the support gradient leaked in": plus_joint(tm.fomaml_grad),
    "no: this is MAML, the sum over 3 tasks for their mean": lambda *a: (
        0.0,
        3 * tm.maml_grad(*a)[1],
    ),
    "no: this is first-order MAML, the sum over 3 tasks for their mean": lambda *a: (
        0.0,
        3 * tm.fomaml_grad(*a)[1],
    ),
    "no: this is MAML, times -1": lambda *a: (0.0, -tm.maml_grad(*a)[1]),
    "no: this is MAML, inner and outer loss on the support points": on(lambda b: (*b[:2], *b[:2])),
    "no: this is MAML, inner and outer loss on the query points": on(lambda b: (*b[2:], *b[2:])),
    "no: this is MAML, support and query swapped": on(lambda b: (*b[2:], *b[:2])),
    "no: this is MAML with f'' missing": lambda m, *rest: tm.maml_grad(
        WithoutSecondDerivative(m.sizes, "tanh", m.criterion), *rest
    ),
    "no: this is MAML at 0.1 times the inner rate": lambda m, t, b, rate, *rest: tm.maml_grad(
        m, t, b, rate / 10, *rest
    ),
    "no: of one task alone this is MAML, but not of 3 together; they mix": tasks_accumulate,
}


@STEPS
@BOTH_CRITERIA
def test_the_right_meta_gradient_is_found_right(criterion, steps):
    found = verdict(tm.maml_grad, steps, criterion)
    says = "yes: this is MAML, second order included"
    assert found.right is True and found.verdict.startswith(says)
    assert ("pass inner_steps=2" in found.verdict) is (steps == 1)
    maml, first = (
        method(*example(criterion), 0.1, steps)[1] for method in (tm.maml_grad, tm.fomaml_grad)
    )
    share = np.linalg.norm(maml - first) / np.linalg.norm(maml)
    assert found.notes[0] == f"second-order term: {share:.1e} of the meta-gradient"
    assert list(found.parts) == ["first order", "second order", "support"]
    assert (
        list(found.parts.values()) == pytest.approx([1, 1, 0], abs=1e-9)
        and found.residual < 1e-9
        and found.errors["MAML"] < 1e-9
    )


@STEPS
@BOTH_CRITERIA
@pytest.mark.parametrize("says", WRONG)
def test_a_wrong_meta_gradient_is_named(says, criterion, steps):
    found = verdict(WRONG[says], steps, criterion)
    assert found.right is False and found.verdict == says


@pytest.mark.parametrize(
    "says, meta_grad",
    {
        "no: this is Reptile": tm.reptile_grad,
        "no: this is MAML of 1 step": lambda m, t, b, rate, steps, minibatch: tm.maml_grad(
            m, t, b, rate, steps - 1
        ),
        "no: this is MAML of 3 steps": lambda m, t, b, rate, steps, minibatch: tm.maml_grad(
            m, t, b, rate, steps + 1
        ),
    }.items(),
)
def test_with_two_steps_it_counts_them(says, meta_grad):
    assert verdict(meta_grad, 2).verdict == says


def test_a_hessian_at_the_wrong_place_is_named():
    def at_start(model, theta, batch, inner_lr, steps, minibatch):
        grads = []
        for x, y, x_query, y_query in zip(*batch):
            v = model.grad(
                tm.adapt(model, theta, x[None], y[None], inner_lr, steps)[0], x_query, y_query
            )
            for _ in range(steps):
                v = v - inner_lr * model.hvp(theta, x, y, v)
            grads.append(v)
        return 0.0, np.mean(grads, axis=0)

    assert verdict(at_start, 1).right is True
    assert verdict(at_start, 2).verdict == "no: this is MAML with every Hessian at the start"


def test_the_parts_tell_what_is_there():
    for method, parts in (
        (tm.fomaml_grad, (1, 0, 0)),
        (plus_joint(tm.maml_grad), (1, 1, 1)),
        (tm.joint_grad, (0, 0, 1)),
    ):
        assert list(verdict(method).parts.values()) == pytest.approx(parts, abs=1e-9)
    half = verdict(lambda *a: (0.0, (tm.maml_grad(*a)[1] + tm.fomaml_grad(*a)[1]) / 2))
    assert half.right is False and half.parts["second order"] == pytest.approx(0.5)
    assert "0.50 of the second-order term" in half.verdict


def test_an_error_of_none_of_the_known_kinds_is_refused():
    for scale in (1e-3, 1.0):
        found = verdict(
            lambda *a: (0.0, tm.maml_grad(*a)[1] * (1 + scale * np.sin(np.arange(len(a[1])))))
        )
        assert (
            found.right is False
            and "none of the mistakes known" in found.verdict
            and found.errors["MAML"] > 1e-4
        )


def test_a_state_between_calls_is_found():
    kept = []

    def accumulating(*arguments):
        kept.append(tm.maml_grad(*arguments)[1])
        return 0.0, np.sum(kept, axis=0)

    found = verdict(accumulating)
    assert found.right is False and "called again, it gives another answer" in found.verdict


def test_the_model_itself_is_looked_at_first():
    class WrongDelta(tm.MLP):
        def backward(self, forward, y):
            step = super().backward(forward, y)
            self.unpack(step.grad)[1][0][...] *= 0.9
            return step

    _, theta, batch = example()
    wrong = WrongDelta(TANH["sizes"], "tanh")
    for derivative in (checks.complex_step, checks.central_difference):
        found = autopsy.examine(tm.maml_grad, wrong, theta, batch, 0.1, derivative=derivative)
        assert found.right is False and "model.grad is" in found.verdict
        hint = "then pass derivative=checks.central_difference"
        assert (hint in found.verdict) is (derivative is checks.complex_step)
    found = autopsy.examine(
        tm.maml_grad, WithoutSecondDerivative(TANH["sizes"], "tanh"), theta, batch, 0.1
    )
    assert found.right is False and "model.hvp is" in found.verdict and "f''" in found.verdict


def test_a_report_names_the_three_nearest_candidates():
    found = verdict(lambda *a: (0.0, 1.01 * tm.fomaml_grad(*a)[1]))
    nearest = sorted(found.errors, key=found.errors.get)[:3]
    said = [line for line in str(found).splitlines() if line.startswith("  off by ")]
    assert said == [f"  off by {found.errors[name]:.1e}: {name}" for name in nearest]


def test_what_it_cannot_tell_it_says():
    nothing_to_see = verdict(tm.maml_grad, inner_lr=0.0)
    assert nothing_to_see.right is None and nothing_to_see.verdict.startswith("cannot tell")
    assert verdict(tm.fomaml_grad, 0).right is None
    assert "a sum over tasks is the same as their mean" in str(verdict(tm.maml_grad, tasks=1))
    model, theta, batch = example()
    same = autopsy.examine(tm.maml_grad, model, theta, tm.TaskBatch(*batch[:2], *batch[:2]), 0.1)
    assert (
        same.right is True
        and "MAML is the same as: MAML, inner and outer loss on the support points" in str(same)
    )
    relu = verdict(
        lambda m, *rest: tm.maml_grad(WithoutSecondDerivative(m.sizes, "relu"), *rest),
        activation="relu",
    )
    assert relu.right is True  # f'' is 0


class OnlyLossAndGrad:
    """Someone else's model: linear in features tanh(w x), and nothing but the two methods, of real
    numbers."""

    def predict(self, theta, x):
        w, c = theta[:3], theta[3:]
        return np.tanh(x * w) @ c[:, None]

    def loss(self, theta, x, y):
        return float(np.mean((self.predict(theta, x) - y) ** 2))

    def grad(self, theta, x, y):
        w, c = theta[:3], theta[3:]
        h, residual = np.tanh(x * w), 2 * (self.predict(theta, x) - y) / len(x)
        return np.concatenate(
            ((residual * (1 - h**2) * c * x).sum(axis=0), (residual * h).sum(axis=0))
        )


def test_someone_elses_model_needs_loss_and_grad_alone():
    model, rng = OnlyLossAndGrad(), np.random.default_rng(0)
    theta, batch = rng.standard_normal(6), tm.SineTasks().sample(rng, 3, 5)

    def meta_loss(t, x, y, x_query, y_query):
        return model.loss(t - 0.1 * model.grad(t, x, y), x_query, y_query)

    # of the loss after adaptation: no formula to have wrong
    def by_differences(_, theta, batch, *inner_loop):
        each = [
            [checks.central_difference(lambda t: meta_loss(t, *task), theta, v) for v in np.eye(6)]
            for task in zip(*batch)
        ]
        return np.mean([meta_loss(theta, *task) for task in zip(*batch)]), np.mean(each, axis=0)

    def first_order(_, theta, batch, *inner_loop):
        each = [
            model.grad(theta - 0.1 * model.grad(theta, x, y), x_query, y_query)
            for x, y, x_query, y_query in zip(*batch)
        ]
        return np.mean([meta_loss(theta, *task) for task in zip(*batch)]), np.mean(each, axis=0)

    found = autopsy.examine(
        by_differences, model, theta, batch, 0.1, 1, derivative=checks.central_difference
    )
    assert found.right is True and "is not the query loss" not in str(found), found
    found = autopsy.examine(
        first_order, model, theta, batch, 0.1, 1, derivative=checks.central_difference
    )
    assert found.verdict == "no: this is first-order MAML"


def test_a_model_that_drops_imaginary_parts_is_told_what_to_pass():
    class RealOnly(OnlyLossAndGrad):
        def loss(self, theta, x, y):
            return np.asarray(super().loss(theta.real, x, y))

        def grad(self, theta, x, y):
            return super().grad(theta.real, x, y)

    rng = np.random.default_rng(0)
    theta, batch = rng.standard_normal(6), tm.SineTasks().sample(rng, 3, 5)
    with pytest.raises(ValueError, match="lost the imaginary part; .* or central_difference"):
        autopsy.examine(lambda *a: (0.0, np.ones(6)), RealOnly(), theta, batch, 0.1)


def test_rates_for_each_parameter_minibatches_and_float32():
    model, theta, batch = example()
    rates = np.random.default_rng(1).uniform(0, 0.2, theta.shape)
    for right in (True, False):
        method = tm.maml_grad if right else tm.fomaml_grad
        assert autopsy.examine(method, model, theta, batch, rates, 2, 2).right is right
        single = autopsy.examine(
            lambda m, t, *rest: method(m, t.astype(np.float32), *rest), model, theta, batch, 0.1, 2
        )
        assert single.right is right


def test_a_wrong_loss_is_noted():
    assert "is not the query loss after adaptation" in str(
        verdict(lambda *a: (1.0, tm.maml_grad(*a)[1]))
    )
    assert "is not the query loss" not in str(verdict(tm.maml_grad))


@pytest.mark.parametrize("name", ["theta", "inner_lr", *tm.TaskBatch._fields])
def test_a_meta_gradient_that_writes_into_its_arguments_is_told_and_the_callers_are_untouched(name):
    model, theta, batch = example()
    rates = np.full(theta.shape, 0.1)
    callers = {"theta": theta, "inner_lr": rates, **batch._asdict()}
    kept = {key: array.copy() for key, array in callers.items()}

    def writing(m, t, b, rate, *rest):
        result = tm.maml_grad(m, t, b, rate, *rest)
        {"theta": t, "inner_lr": rate, **b._asdict()}[name][...] = 0
        return result

    found = autopsy.examine(writing, model, theta, batch, rates)
    assert found.right is False
    assert found.verdict == f"no: it writes into {name}, which others use too"
    assert all(np.array_equal(callers[key], kept[key]) for key in kept)


def test_a_meta_gradient_that_writes_into_the_model_is_told():
    def writing(m, *rest):
        m.latest = result = tm.maml_grad(m, *rest)
        return result

    assert verdict(writing).verdict == "no: it writes into model.latest, which others use too"


def test_arguments_that_make_no_sense():
    model, theta, batch = example()
    with pytest.raises(ValueError, match="theta: expected shape .P,., one replica"):
        autopsy.examine(tm.maml_grad, model, theta[None], batch, 0.1)
    with pytest.raises(ValueError, match="x_support: expected shape .T, K, d., one batch"):
        autopsy.examine(
            tm.maml_grad, model, theta, tm.TaskBatch(*(array[0] for array in batch)), 0.1
        )
    with pytest.raises(ValueError, match="meta_grad: expected a gradient of theta's shape"):
        autopsy.examine(lambda *a: (0.0, tm.maml_grad(*a)[1][:-1]), model, theta, batch, 0.1)
    with pytest.raises(ValueError, match="meta_grad: expected finite numbers"):
        autopsy.examine(lambda *a: (0.0, tm.maml_grad(*a)[1] * np.nan), model, theta, batch, 0.1)


def test_layers_are_lengths_and_cosines():
    model, theta, _ = example()
    table = autopsy.per_layer_cosines(model, {"twice": 2 * theta, "against": -theta}, theta)
    assert [len(rows) for rows in table.values()] == [4, 4]  # three layers, and all
    assert table["twice"][-1] == pytest.approx((2 * np.linalg.norm(theta), 1)) and table["against"][
        0
    ][1] == pytest.approx(-1)
    W, b = model.unpack(theta)[1]
    assert table["twice"][1][0] == pytest.approx(2 * np.sqrt((W**2).sum() + (b**2).sum()))


# What is reported most, by its name


def scaled(method, factor):
    return lambda *a: (0.0, factor * method(*a)[1])


def at_rate(factor):
    return lambda m, t, b, rate, *rest: tm.maml_grad(m, t, b, factor * rate, *rest)


def on_task(pick, divided_by=1):
    def meta_grad(m, t, batch, *rest):
        one = tm.TaskBatch(*(array[[pick]] for array in batch))
        return 0.0, tm.maml_grad(m, t, one, *rest)[1] / divided_by

    return meta_grad


UNEVEN = dict(sizes=(2, 6, 5, 2), tasks=4, shots=5, query=7)
ALSO_WRONG = {  # T = 4 tasks, 5 support points, 7 query points, 2 outputs
    "MAML with the inner loss summed over its 5 points": at_rate(5),
    "MAML with the inner loss summed over its 5 points and 2 outputs": at_rate(10),
    "MAML with the inner loss divided by its 5 points again": at_rate(1 / 5),
    "MAML with the inner loss halved (1/2)": at_rate(1 / 2),
    "MAML with the inner loss doubled": at_rate(2),
    "MAML at -1 times the inner rate": lambda m, t, b, rate, *rest: tm.maml_grad(
        m, t, b, np.full(t.shape, -rate), *rest
    ),
    "MAML, times 2: 2 is the number of outputs": scaled(tm.maml_grad, 2),
    "MAML, times 7: 7 is the number of query points": scaled(tm.maml_grad, 7),
    "MAML, times 14: 14 is the number of query points times that of outputs": scaled(
        tm.maml_grad, 14
    ),
    "MAML, times 28: 28 is the number of query points times that of tasks": scaled(
        tm.maml_grad, 28
    ),
    "MAML, times 0.25: 1/4, and 4 is the number of tasks": scaled(tm.maml_grad, 1 / 4),
    "MAML, times 0.1429: 1/7, and 7 is the number of query points": scaled(tm.maml_grad, 1 / 7),
    "MAML, times 3": scaled(tm.maml_grad, 3),
    "MAML, of the first task of 4 alone": on_task(0),
    "MAML, of task 3 of 4 alone": on_task(2),
    "MAML, of the last task of 4 alone": on_task(3),
    "MAML, times 0.25: 1/4, and 4 is the number of tasks, of the last task of 4 alone": on_task(
        3, divided_by=4
    ),
    "MAML, the sum over 4 tasks for their mean": scaled(tm.maml_grad, 4),
}


@pytest.mark.parametrize("says", ALSO_WRONG)
def test_a_scale_or_a_single_task_is_named(says):
    model, theta, batch = example(**UNEVEN)
    found = autopsy.examine(ALSO_WRONG[says], model, theta, batch, 0.1)
    assert (found.right, found.verdict) == (False, f"no: this is {says}")


def test_of_one_output_there_is_no_sum_over_outputs():
    model, theta, batch = example(**UNEVEN | dict(sizes=(2, 6, 1)))
    found = autopsy.examine(scaled(tm.maml_grad, 7), model, theta, batch, 0.1)
    assert found.verdict == "no: this is MAML, times 7: 7 is the number of query points"
    assert not [name for name in found.errors if "outputs" in name]


@pytest.mark.parametrize(
    "says, factor",
    {
        "with the inner loss summed over its 3 outputs": 3,
        "with the inner loss summed over its 5 points and 3 outputs": 15,
        "with the inner loss divided by its 3 outputs again": 1 / 3,
        "at 10 times the inner rate": 10,
    }.items(),
)
def test_an_inner_loss_with_another_mean_over_three_outputs_is_named(says, factor):
    model, theta, batch = example(sizes=(2, 4, 3), tasks=1)
    found = autopsy.examine(at_rate(factor), model, theta, batch, 0.1, 1)
    assert found.verdict == f"no: this is MAML {says}"


def test_of_one_point_and_one_output_a_mean_is_a_sum():
    assert 1 not in autopsy.inner_rates(np.ones((1, 2)), 1, None).values()


def test_of_two_tasks_each_alone_is_named():
    for pick, which in ((0, "first"), (1, "last")):
        model, theta, batch = example(sizes=(2, 4, 1), tasks=2)
        found = autopsy.examine(on_task(pick), model, theta, batch, 0.1, 1)
        assert found.verdict == f"no: this is MAML, of the {which} task of 2 alone"


def test_with_as_many_tasks_as_query_points_both_are_named():
    model, theta, batch = example(sizes=(2, 6, 5, 2), tasks=5, shots=6, query=5)
    found = autopsy.examine(scaled(tm.maml_grad, 5), model, theta, batch, 0.1)
    assert found.verdict.endswith("5 is the number of tasks or the number of query points")


def test_a_minibatch_has_its_own_number_of_points():
    model, theta, batch = example(**UNEVEN)
    found = autopsy.examine(at_rate(3), model, theta, batch, 0.1, minibatch=3)
    assert found.verdict == "no: this is MAML with the inner loss summed over its 3 points"


@pytest.mark.parametrize("query, swapped", [(3, True), (2, False)])
def test_a_minibatch_may_be_larger_than_the_query_set_but_not_than_the_support_set(query, swapped):
    model, theta, batch = example(sizes=(2, 3, 1), tasks=1, query=query)
    found = autopsy.examine(tm.maml_grad, model, theta, batch, 0.1, minibatch=3)
    assert found.right is True
    assert ("MAML, support and query swapped" in found.errors) is swapped
    with pytest.raises(ValueError, match="minibatch: expected at most the 5 support points"):
        autopsy.examine(tm.maml_grad, *example(query=7), 0.1, minibatch=6)


def test_zeros_are_called_zeros():
    model, theta, batch = example(activation="relu", sizes=(2, 4, 2), tasks=1)
    model.unpack(theta)[0][1][1] = -100.0  # a unit that is dead, whose derivatives are 0
    found = autopsy.examine(lambda *a: (0.0, np.zeros_like(a[1])), model, theta, batch, 0.1)
    assert found.right is False
    assert found.verdict == "no: every entry is 0; nothing is connected to theta"
    assert autopsy.examine(tm.maml_grad, model, theta, batch, 0.1).right is True


def hand_made(model, theta, batch, inner_lr, steps, hessian_at):
    """MAML with the Hessian of step s taken at hessian_at(s, thetas, support, query)."""
    grads = []
    for x, y, *query in zip(*batch):
        thetas = [theta]
        for _ in range(steps):
            thetas.append(thetas[-1] - inner_lr * model.grad(thetas[-1], x, y))
        v = model.grad(thetas[-1], *query)
        for s in reversed(range(steps)):
            t, points = hessian_at(s, thetas, (x, y), query)
            v = v - inner_lr * (model.hvp(t, *points, v) if points else 0)
        grads.append(v)
    return 0.0, np.mean(grads, axis=0)


@pytest.mark.parametrize(
    "says, hessian_at",
    {
        "with each Hessian one step late": lambda s, t, support, query: (t[s + 1], support),
        "with the query loss's Hessian": lambda s, t, support, query: (t[s], query),
        "taken back first step first": lambda s, t, support, query: (t[2 - s], support),
        "with the last step's Hessian alone": lambda s, t, support, query: (
            t[s],
            support if s == 2 else None,
        ),
        "with every Hessian at the start": lambda s, t, support, query: (t[0], support),
    }.items(),
)
def test_a_hessian_of_another_loss_or_another_step_is_named(says, hessian_at):
    found = verdict(lambda m, t, b, a, k, _: hand_made(m, t, b, a, k, hessian_at), 3)
    assert found.verdict == f"no: this is MAML {says}"


def test_of_two_steps_the_last_hessian_alone_is_named():
    def last(s, thetas, support, query):
        return thetas[s], support if s == 1 else None

    found = verdict(lambda m, t, b, a, k, _: hand_made(m, t, b, a, k, last), 2)
    assert found.verdict == "no: this is MAML with the last step's Hessian alone"


def test_minibatches_taken_back_in_the_wrong_order_are_named():
    def first_first(model, theta, batch, inner_lr, steps, minibatch):
        (x,), (y,), (x_query,), (y_query,) = batch
        thetas, points = [theta], [*inner_batches(x, y, steps, minibatch)]
        for at in points:
            thetas.append(thetas[-1] - inner_lr * model.grad(thetas[-1], *at))
        v = model.grad(thetas[-1], x_query, y_query)
        for t, at in zip(thetas[:-1], points):
            v = v - inner_lr * model.hvp(t, *at, v)
        return 0.0, v

    model, theta, batch = example(tasks=1)
    found = autopsy.examine(first_first, model, theta, batch, 0.1, 2, minibatch=2)
    assert found.verdict == "no: this is MAML taken back first step first"


def test_four_steps_taken_back_in_the_wrong_order_are_named_too():
    def first_first(s, thetas, support, query):
        return thetas[3 - s], support

    found = verdict(lambda m, t, b, a, k, _: hand_made(m, t, b, a, k, first_first), 4)
    assert found.verdict == "no: this is MAML taken back first step first"


def test_the_query_gradient_before_adaptation_is_named_alone_and_propagated():
    def propagated(model, theta, batch, inner_lr, steps, _):
        grads = []
        for x, y, *query in zip(*batch):
            middle = theta - inner_lr * model.grad(theta, x, y)
            v = model.grad(theta, *query)
            for t in (middle, theta):
                v = v - inner_lr * model.hvp(t, x, y, v)
            grads.append(v)
        return 0.0, np.mean(grads, axis=0)

    found = verdict(propagated, 2)
    assert found.verdict == "no: this is MAML with the query gradient taken before adaptation"
    found = verdict(lambda m, t, b, a, *rest: tm.maml_grad(m, t, b, a, 0), 2)
    assert found.verdict == "no: this is the query gradient before adaptation"


# Numbers and forms


def test_two_inner_steps_are_the_default():
    model, theta, batch = example()
    steps = []

    def recording(m, t, b, rate, inner_steps, minibatch):
        steps.append(inner_steps)
        return tm.maml_grad(m, t, b, rate, inner_steps, minibatch)

    assert autopsy.examine(recording, model, theta, batch, 0.1).verdict == autopsy.YES
    assert set(steps) == {2}


def test_mistakes_that_take_two_steps_are_not_looked_for_in_one():
    assert not [note for note in verdict(tm.maml_grad, 1).notes if "is the same as" in note]


def test_zeros_are_no_multiple_of_a_vector_and_no_vector_is_one_of_zeros():
    known = {"zeros": np.zeros(3), "small": np.full(3, 1e-9)}
    with np.errstate(all="raise"):
        assert autopsy.match(np.full(3, 2e-9), known, 1e-6) == ("small", pytest.approx(2))
        assert autopsy.match(np.zeros(3), known, 1e-6) == (None, 0)


@pytest.mark.parametrize("broken", ["grad", "hvp", "loss"])
def test_a_model_whose_derivatives_are_nan_does_not_pass(broken):
    class Nan(tm.MLP):
        pass

    def nan(self, *arguments):
        return np.nan * getattr(tm.MLP, broken)(self, *arguments)

    if broken == "grad":  # where it is differentiated; at theta itself it is right

        def nan(self, theta, *rest):
            return tm.MLP.grad(self, theta, *rest) * (np.nan if theta.dtype == complex else 1)

    setattr(Nan, broken, nan)
    model, theta, batch = example()
    nans = Nan(model.sizes, "tanh")
    slips = autopsy.check_model(nans, theta, batch[0][0], batch[1][0], checks.complex_step, 1e-6)
    assert slips[0] is False
    assert ("model.hvp is nan" if broken != "loss" else "model.grad is nan") in slips[1]


def confident(gap=34, scale=60.0):
    """A classifier that is sure, and right: its loss is about exp(-gap)."""
    rng = np.random.default_rng(0)
    model = tm.MLP([2, 6, 3], "tanh", "cross_entropy")
    theta = 2 * model.init(rng)
    model.unpack(theta)[-1][0][...] *= scale
    x = rng.standard_normal((400, 2))
    logits = model.predict(theta, x)
    gaps = np.sort(logits, axis=-1)
    sure = np.abs(gaps[:, 2] - gaps[:, 1] - gap) < 2
    x, y = x[sure][:12], np.eye(3)[logits.argmax(axis=-1)][sure][:12]
    assert len(x) == 12 and 0.1 < model.loss(theta, x, y) / np.exp(-gap) < 10
    points = x.reshape(2, 6, 2), y.reshape(2, 6, 3)
    return model, theta, tm.TaskBatch(*(a[:, :3] for a in points), *(a[:, 3:] for a in points))


def test_a_confident_classifier_is_not_blamed_on_the_model():
    model, theta, batch = confident()
    for method in (tm.maml_grad, tm.fomaml_grad):
        found = autopsy.examine(method, model, theta, batch, 0.01)
        assert found.right is None and found.verdict.startswith("cannot tell: here the second-o")
    found = autopsy.examine(scaled(tm.maml_grad, np.pi), model, theta, batch, 0.01)
    assert found.right is not True


@pytest.mark.parametrize("gap", [23, 26, 29])
def test_rounding_is_not_blamed_on_the_model_however_confident_it_is(gap):
    def rounded(f, theta, v):
        return checks.complex_step(f, theta, v) + 1e-15

    model, theta, (x, y, *_) = confident(gap)
    assert autopsy.check_model(model, theta, x[0], y[0], rounded, 1e-6) is None


def test_of_a_gradient_that_is_lost_in_rounding_nothing_is_told():
    found = autopsy.examine(off_by(0.5, np.float64), *confident(), 0.01)
    assert found.right is None and "is lost in the rounding of model.grad" in found.verdict


@pytest.mark.parametrize("gap", [2, 14])
def test_a_wrong_model_is_blamed_though_its_loss_is_small(gap):
    class WrongScale(tm.MLP):
        def grad(self, *arguments):
            return 1.01 * super().grad(*arguments)

    model, theta, (x, y, *_) = confident(gap)
    wrong = WrongScale(model.sizes, "tanh", "cross_entropy")
    slips = autopsy.check_model(wrong, theta, x[0], y[0], checks.complex_step, 1e-6)
    assert slips is not None and "model.grad is 9.9e-03" in slips[1]


def test_a_wrong_model_is_blamed_though_all_of_its_numbers_are_small():
    class WrongScale(tm.MLP):
        def grad(self, *arguments):
            return 1.01 * super().grad(*arguments)

    model, theta, (x, y, *_) = example()
    arguments = 1e-12 * theta, x[0], 1e-12 * y[0], checks.complex_step, 1e-6
    slips = autopsy.check_model(WrongScale(model.sizes, "tanh"), *arguments)
    assert slips is not None and "model.grad is 9.9e-03" in slips[1]
    assert autopsy.check_model(model, *arguments) is None


FORMS = {
    "a list of 6; blocks are joined by np.concatenate": lambda m, g: [
        part for pair in m.unpack(g) for part in pair
    ],
    "a tuple of 3; blocks are joined by np.concatenate": lambda m, g: tuple(m.unpack(g)),
    "got dict": lambda m, g: {"W1": g},
    "got NoneType": lambda m, g: None,
    r"got shape \(1, 65\)": lambda m, g: g[None],
    "got ndarray": lambda m, g: g * 1j,
}


@pytest.mark.parametrize("says", FORMS)
def test_a_gradient_of_another_form_is_refused_with_what_was_expected(says):
    form = FORMS[says]
    with pytest.raises(ValueError, match=f"meta_grad: expected a gradient of theta's .*{says}"):
        verdict(lambda m, *rest: (0.0, form(m, tm.maml_grad(m, *rest)[1])))


def test_a_result_that_is_not_loss_and_gradient_is_refused():
    for pick, got in (
        (lambda result: result[1], "ndarray"),
        (lambda result: np.zeros(2), "ndarray"),
        (lambda result: [*result, None], "list"),
        (lambda result: result[:1], "tuple"),
    ):
        says = f"meta_grad: expected it to return .loss, grad.; got {got}"
        with pytest.raises(TypeError, match=says):
            verdict(lambda *a: pick(tm.maml_grad(*a)))
    with pytest.raises(ValueError, match="meta_grad: expected one loss, the mean over the tasks"):
        verdict(lambda *a: (np.zeros(3), tm.maml_grad(*a)[1]))


def test_a_batch_of_another_form_is_refused_and_one_in_another_order_is_read_by_name():
    model, theta, batch = example(sizes=(2, 6, 1))  # x and y of one width could be exchanged
    for value in (batch._asdict(), list(batch), tuple(batch), None):
        with pytest.raises(ValueError, match="batch: expected a TaskBatch.x_support.*; got"):
            autopsy.examine(tm.maml_grad, model, theta, value, 0.1)
    other = NamedTuple("Other", [(name, object) for name in tm.TaskBatch._fields[::-1]])
    found = autopsy.examine(tm.maml_grad, model, theta, other(**batch._asdict()), 0.1)
    assert found.right is True
    fewer = batch._replace(x_query=batch.x_query[:2], y_query=batch.y_query[:2])
    with pytest.raises(ValueError, match="batch: expected as many tasks in each of its arrays"):
        autopsy.examine(tm.maml_grad, model, theta, fewer, 0.1)
    with pytest.raises(ValueError, match="y_query: expected finite numbers"):
        autopsy.examine(
            tm.maml_grad, model, theta, batch._replace(y_query=batch.y_query * np.nan), 0.1
        )


def test_theta_of_any_real_dtype_is_examined_in_float64():
    model, theta, batch = example()
    for value in (theta.astype(np.float32), np.ones(theta.shape, int), theta.tolist()):
        assert autopsy.examine(tm.maml_grad, model, value, batch, 0.1).right is True
    for value in (theta * 1j, theta.astype(str)):
        with pytest.raises(ValueError, match="theta: expected real numbers"):
            autopsy.examine(tm.maml_grad, model, value, batch, 0.1)


def test_a_rate_or_a_tolerance_that_makes_no_sense_is_refused():
    model, theta, batch = example()
    for rate in ("0.1", np.nan, -0.1, np.ones(3)):
        with pytest.raises(ValueError, match="inner_lr: expected"):
            autopsy.examine(tm.maml_grad, model, theta, batch, rate)
    for tolerance in (0, -1e-6, np.nan, np.inf, "1", True):
        with pytest.raises(ValueError, match="tolerance: expected a finite number above 0"):
            autopsy.examine(tm.maml_grad, model, theta, batch, 0.1, tolerance=tolerance)


def off_by(error, dtype):
    """MAML's gradient with a relative error, in a dtype."""

    def meta_grad(*arguments):
        loss, grad = tm.maml_grad(*arguments)
        noise = np.random.default_rng(0).standard_normal(grad.shape)
        noise *= error * np.linalg.norm(grad) / np.linalg.norm(noise)
        return loss, (grad + noise).astype(dtype)

    return meta_grad


def test_float32_may_be_off_by_more_than_float64():
    for dtype, allowed in ((np.float32, 1e-4), (np.float64, 1e-6)):
        assert verdict(off_by(0.7 * allowed, dtype), 2).right is True
        assert verdict(off_by(1.5 * allowed, dtype), 2).right is False
    model, theta, batch = example()
    found = autopsy.examine(off_by(1e-5, np.float64), model, theta, batch, 0.1, tolerance=1e-4)
    assert found.right is True


def test_adaptation_that_diverges_is_refused_by_the_rates_name():
    model, theta, batch = example(activation="relu")
    with np.errstate(all="ignore"):
        with pytest.raises(ValueError, match="inner_lr: expected one at which adaptation stays f"):
            autopsy.examine(
                lambda *a: (0.0, np.ones_like(a[1])),
                OnlyLossAndGradOf(model),
                theta,
                batch,
                1e60,
                9,
            )


def test_nothing_is_propagated_from_where_it_is_not_finite():
    for theta, q in (([np.inf, 0.0], [1.0, 1.0]), ([0.0, 0.0], [np.nan, 1.0])):
        arrays = [np.array(theta)], [()], np.array(q)
        assert np.isnan(autopsy.backprop_through_steps(None, *arrays, 0.1, None)).all()


def test_a_mistake_that_diverges_on_one_task_is_not_among_the_known_ones():
    class Narrow(tm.MLP):
        """Its gradient has a nan far from where MAML gets."""

        def grad(self, theta, x, y):
            if np.abs(theta - start).max() < far:
                return super().grad(theta, x, y)
            return np.append(np.nan, np.zeros(self.n_params - 1))

    model, start, batch = example(sizes=(2, 3, 1), tasks=2)
    steps = [np.abs(g).max() for g in model.grad(start, batch.x_support, batch.y_support)]
    far = 0.1 * 10 * (min(steps) + max(steps)) / 2  # one task gets there at 10 times the rate
    assert 0.1 * 2 * max(steps) < far
    for some in (batch, tm.TaskBatch(*(array[::-1] for array in batch))):
        narrow = Narrow(model.sizes, "tanh")
        found = autopsy.examine(tm.maml_grad, narrow, start, some, 0.1, 1)
        assert found.right is True and np.isfinite([*found.errors.values()]).all()
        assert not [name for name in found.errors if "at 10 times" in name]


class OnlyLossAndGradOf:
    """A network without the checks of its arguments, and nothing but the two methods."""

    def __init__(self, model):
        self.model = model

    def loss(self, theta, x, y):
        return self.model.backprop(theta, x, y).loss

    def grad(self, theta, x, y):
        return self.model.backprop(theta, x, y).grad


def test_one_buffer_that_is_returned_every_time_is_copied():
    kept = np.zeros(example()[1].shape)

    def accumulating(*arguments):
        kept[...] += tm.maml_grad(*arguments)[1]
        return 0.0, kept

    assert "called again, it gives another answer" in verdict(accumulating, 2).verdict


# A model with learned rates


def learned_example():
    model, theta, batch = example(sizes=(2, 3, 2))
    learned = variants.MetaSGDModel(model)
    rates = np.random.default_rng(2).uniform(0.05, 0.15, theta.shape)
    return learned, learned.join(theta, rates), batch


def examine_learned(meta_grad, inner_lr=1):
    return autopsy.examine(meta_grad, *learned_example(), inner_lr)


def test_meta_sgd_is_found_right_and_its_mistakes_are_named():
    assert examine_learned(variants.meta_sgd_grad).verdict == autopsy.YES
    assert examine_learned(tm.maml_grad).right is True
    found = examine_learned(variants.first_order_meta_sgd_grad)
    assert found.verdict == "no: this is first-order MAML"

    def rates_times(factor):
        def meta_grad(learned, *rest):
            loss, grad = variants.meta_sgd_grad(learned, *rest)
            learned.split(grad)[1][...] *= factor
            return loss, grad

        return meta_grad

    for factor, error in ((2, "5.0e-01"), (1 + 1.5e-6, "1.5e-06")):
        found, note = examine_learned(rates_times(factor)), f"in the rates is off by {error}"
        assert found.right is False
        assert found.verdict == f"no: the gradient {note}; in theta it is MAML's"
    found = examine_learned(rates_times(1 + 0.7e-6))
    assert found.right is True and found.notes[-1] == "the gradient in the rates is off by 7.0e-07"


@pytest.mark.parametrize("half, name", [(0, "theta"), (1, "inner_lr")])
def test_writing_into_theta_and_its_rates_is_told(half, name):
    def writing(learned, phi, *rest):
        result = variants.meta_sgd_grad(learned, phi, *rest)
        learned.split(phi)[half][...] = 0
        return result

    assert examine_learned(writing).verdict == f"no: it writes into {name}, which others use too"


def test_the_rate_of_a_model_with_learned_rates_is_one():
    with pytest.raises(
        ValueError, match="inner_lr: expected 1, as the rates are in theta; got 0.1"
    ):
        examine_learned(variants.meta_sgd_grad, 0.1)
    some = np.ones(learned_example()[1].shape)
    some[0] = 0.1
    with pytest.raises(ValueError, match="inner_lr: expected 1, as the rates are in theta"):
        examine_learned(variants.meta_sgd_grad, some)
    with pytest.raises(ValueError, match="meta_grad: expected a gradient of theta's shape"):
        examine_learned(lambda *a: (0.0, np.zeros(3)))


def test_at_most_four_of_the_same_are_listed_and_the_others_counted():
    same = verdict(tm.maml_grad, inner_lr=0.0).notes[1].split("; ")
    assert len(same) == 5 and same[-1].startswith("and ") and same[-1].endswith(" more")
    model, theta, batch = example()
    alike = tm.TaskBatch(*batch[:2], *batch[:2])
    note = autopsy.examine(tm.maml_grad, model, theta, alike, 0.1).notes[1]
    assert len(note.split("; ")) == 4 and "more" not in note
