"""The autopsy: its verdict on the right meta-gradient, on every wrong one that it can see, and on
what it cannot."""

import numpy as np
import pytest
from helpers import WithoutSecondDerivative, problem

import tinymeta as tm
from tinymeta import checks
from tinymeta.extras import autopsy

TANH = dict(sizes=(2, 6, 5, 2), tasks=3, shots=5, query=5)
BOTH_CRITERIA = pytest.mark.parametrize("criterion", ["mse", "cross_entropy"])
STEPS = pytest.mark.parametrize("steps", [1, 2])


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

    assert "called again, it gives another answer" in verdict(accumulating).verdict


def test_the_model_itself_is_looked_at_first():
    class WrongDelta(tm.MLP):
        def backward(self, forward, y):
            step = super().backward(forward, y)
            self.unpack(step.grad)[1][0][...] *= 0.9
            return step

    _, theta, batch = example()
    assert (
        "model.grad is"
        in autopsy.examine(
            tm.maml_grad, WrongDelta(TANH["sizes"], "tanh"), theta, batch, 0.1
        ).verdict
    )
    found = autopsy.examine(
        tm.maml_grad, WithoutSecondDerivative(TANH["sizes"], "tanh"), theta, batch, 0.1
    )
    assert found.right is False and "model.hvp is" in found.verdict and "f''" in found.verdict


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
