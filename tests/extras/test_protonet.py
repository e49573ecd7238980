"""The gradient of prototypical networks is proven, and wrong ones are rejected."""

import pickle

import numpy as np
import pytest
from helpers import EXACT, NUMERICAL, WIDE

import tinymeta as tm
from tinymeta.checks import central_difference, complex_step, relative_error
from tinymeta.extras.protonet import ProtoNet, protonet_grad, prototype_accuracy
from tinymeta.losses import LOSSES

WAYS = 3


def problem(activation="tanh", lead=(), seed=0):
    """Return a ProtoNet, its theta, and 4 tasks whose classes have 1, 2 and 3 support points."""
    rng = np.random.default_rng(seed)
    model = ProtoNet(tm.MLP([2, 6, 4], activation), WAYS)

    def points(labels):
        y = np.broadcast_to(np.eye(WAYS)[labels], (*lead, 4, len(labels), WAYS))
        return rng.standard_normal((*y.shape[:-1], 2)), y

    batch = tm.TaskBatch(*points([2, 0, 1, 2, 1, 2]), *points([0, 1, 2, 2, 0]))
    theta = np.empty((*lead, model.n_params))
    for replica in np.ndindex(*lead):
        theta[replica] = model.embedding.init(rng)
    return model, theta, batch


def loss_by_definition(model, theta, batch, prototypes_of=None):
    """Return the loss (...) of theta (..., P), from distances and a loop over classes; of
    prototypes at another theta, if that is given."""
    y, total = batch.y_support, 0.0
    at = theta if prototypes_of is None else np.broadcast_to(prototypes_of, theta.shape)
    for t in range(len(y)):
        e = model.embedding.forward(at, batch.x_support[t]).z[-1]
        query = model.embedding.forward(theta, batch.x_query[t]).z[-1]
        z = []
        for n in range(WAYS):
            c = e[..., y[t, :, n] == 1, :].mean(axis=-2, keepdims=True)
            z.append(-((query - c) ** 2).sum(axis=-1))
        total = total + LOSSES["cross_entropy"].value(np.stack(z, axis=-1), batch.y_query[t])
    return total / len(y)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_gradient_is_that_of_the_loss_by_the_complex_step(activation):
    model, theta, batch = problem(activation)
    loss, grad = protonet_grad(model, theta, batch)
    proof = complex_step(lambda t: loss_by_definition(model, t, batch), theta)
    assert relative_error(grad, proof) <= EXACT
    assert loss == pytest.approx(loss_by_definition(model, theta, batch), rel=1e-12)


def test_the_gradient_is_that_of_central_differences():
    model, theta, batch = problem()
    along = np.random.default_rng(1).standard_normal((20, model.n_params))
    along /= np.linalg.norm(along, axis=-1, keepdims=True)
    proof = central_difference(lambda t: loss_by_definition(model, t, batch), theta, along)
    error = relative_error(along @ protonet_grad(model, theta, batch)[1], proof)
    assert error <= 1e-8 <= NUMERICAL


@pytest.mark.parametrize("lost", ["support", "query"])
def test_a_gradient_through_one_of_the_two_sets_is_rejected(lost):
    """Prototypes treated as constants, and the same for the query points."""
    model, theta, batch = problem()
    grad = protonet_grad(model, theta, batch)[1]
    through_query = complex_step(lambda t: loss_by_definition(model, t, batch, theta), theta)
    wrong = through_query if lost == "support" else grad - through_query
    proof = complex_step(lambda t: loss_by_definition(model, t, batch), theta)
    assert relative_error(wrong, proof) > WIDE
    assert relative_error(grad, proof) <= EXACT


def test_replicas_are_calls_one_by_one_in_float32_too():
    for dtype, error in ((np.float64, 1e-12), (np.float32, 1e-4)):
        model, theta, batch = problem(lead=(2,))
        theta = theta.astype(dtype)
        losses, grads = protonet_grad(model, theta, batch)
        accuracies = prototype_accuracy(model, theta, batch)
        assert losses.dtype == grads.dtype == dtype and accuracies.shape == (2, 4)
        for s in range(2):
            one = tm.TaskBatch(*(array[s] for array in batch))
            loss, grad = protonet_grad(model, theta[s], one)
            assert relative_error(grads[s], grad) <= error
            assert losses[s] == pytest.approx(loss, rel=error)
            assert (accuracies[s] == prototype_accuracy(model, theta[s], one)).all()


def test_accuracy_is_the_share_of_points_whose_nearest_prototype_is_right():
    model, theta, batch = problem()
    right = np.zeros((4, 5))
    for t in range(4):
        e = model.embedding.predict(theta, batch.x_support[t])
        c = np.stack([e[batch.y_support[t, :, n] == 1].mean(axis=0) for n in range(WAYS)])
        for k, point in enumerate(model.embedding.predict(theta, batch.x_query[t])):
            nearest = np.linalg.norm(point - c, axis=-1).argmin()
            right[t, k] = batch.y_query[t, k, nearest]
    accuracy = prototype_accuracy(model, theta, batch)
    assert np.array_equal(accuracy, right.mean(axis=1)) and 0 < accuracy.mean() < 1


class Blobs:
    """Classes that differ in their first coordinate; the second one is noise, ten times as far."""

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        y = np.broadcast_to(
            np.tile(np.eye(2), (shots + query, 1)), (n_tasks, 2 * shots + 2 * query, 2)
        )
        x = rng.standard_normal(y.shape) * [0.1, 3.0] + y * [1.0, 0.0]
        return tm.TaskBatch(
            x[:, : 2 * shots], y[:, : 2 * shots], x[:, 2 * shots :], y[:, 2 * shots :]
        )


def test_meta_train_takes_it_and_learns_to_look_past_the_noise():
    rng, model = np.random.default_rng(0), ProtoNet(tm.MLP([2, 2]), ways=2)
    start, test = model.embedding.init(rng), Blobs().sample(rng, 200, 1, 5)
    theta, history = tm.meta_train(
        protonet_grad, model, start, Blobs(), rng=rng, iterations=200, meta_batch_size=8, shots=1,
        query=5, inner_lr=0.0, optimizer=tm.Adam(0.03),
    )  # fmt: skip
    before, after = (prototype_accuracy(model, t, test).mean() for t in (start, theta))
    assert before < 0.7 and after > 0.95 and np.isfinite(history).all()


def test_a_model_is_equal_to_its_copy_by_pickle():
    model = problem()[0]
    assert pickle.loads(pickle.dumps(model)) == model != ProtoNet(model.embedding, 4)


def test_wrong_input_is_refused_by_the_name_of_the_argument():
    model, theta, batch = problem()
    none_of_one = np.array(batch.y_support)
    none_of_one[1, :, 0], none_of_one[1, :, 1] = 0, none_of_one[1, :, :2].sum(axis=-1)
    for call in (protonet_grad, prototype_accuracy):
        with pytest.raises(ValueError, match="^y_support: expected a point of each class"):
            call(model, theta, batch._replace(y_support=none_of_one))
        with pytest.raises(ValueError, match="^y_query: expected shape"):
            call(model, theta, batch._replace(y_query=batch.y_query[..., :2]))
        with pytest.raises(ValueError, match="^y_query: expected one-hot rows"):
            call(model, theta, batch._replace(y_query=0.5 * batch.y_query))
        with pytest.raises(ValueError, match=r"^theta: expected shape \(\.\.\., 46\)"):
            call(model, theta[:-1], batch)
        with pytest.raises(ValueError, match="^x_support: expected finite"):
            call(model, theta, batch._replace(x_support=np.nan * batch.x_support))
        with pytest.raises(TypeError, match="^model: expected a ProtoNet"):
            call(model.embedding, theta, batch)
    with pytest.raises(ValueError, match="^inner_lr: "):
        protonet_grad(model, theta, batch, inner_lr=-1.0)
    with pytest.raises(ValueError, match="^ways: "):
        ProtoNet(model.embedding, 1)
    with pytest.raises(TypeError, match="^embedding: expected a network"):
        ProtoNet([2, 6, 4], 2)
