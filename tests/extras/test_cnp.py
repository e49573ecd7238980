"""The gradient of the conditional neural process is proven, and wrong ones are rejected."""

import pickle

import numpy as np
import pytest
from helpers import EXACT, WIDE

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.extras.cnp import CNP, LEAST, cnp_grad, cnp_predict
from tinymeta.extras.storage import load_checkpoint, save_checkpoint


def problem(seed=0, lead=(), activation="tanh"):
    """Return a CNP of random sizes, its theta, and 3 tasks of random points."""
    rng = np.random.default_rng(seed)
    d_in, d_out, R, K, K_q = rng.integers(1, [3, 3, 5, 6, 6])
    encoder = tm.MLP([d_in + d_out, rng.integers(1, 5), R], activation)
    model = CNP(encoder, tm.MLP([R + d_in, rng.integers(1, 5), 2 * d_out], activation))
    theta = np.empty((*lead, model.n_params))
    for replica in np.ndindex(*lead):
        theta[replica] = model.init(rng)
    shapes = [(*lead, 3, n, d) for n in (K, K_q) for d in (d_in, d_out)]
    return model, theta, tm.TaskBatch(*(rng.standard_normal(shape) for shape in shapes))


def loss_by_definition(model, theta, batch, read_at=None):
    """Return the negative log-likelihood of the query points for one theta (P,), task by task and
    point by point; with the support points read at another theta, if that is given."""
    n, d = model.encoder.n_params, batch.y_query.shape[-1]
    encoder_at = theta if read_at is None else read_at
    losses = []
    for x, y, x_q, y_q in zip(*batch):
        pairs = np.concatenate((x, y), axis=1)
        r = sum(model.encoder.forward(encoder_at[:n], pair[None]).z[-1][0] for pair in pairs)
        for point, target in zip(x_q, y_q):
            inputs = np.concatenate((r / len(x), point))[None]
            outputs = model.decoder.forward(theta[n:], inputs).z[-1][0]
            s = LEAST + np.log(1 + np.exp(outputs[d:]))
            density = np.exp(-((target - outputs[:d]) ** 2) / (2 * s**2)) / np.sqrt(2 * np.pi) / s
            losses.append(-np.log(density).mean())
    return sum(losses) / len(losses)


def test_the_gradient_is_that_of_the_loss_by_the_complex_step():
    """Along two random directions, on 50 random problems."""
    for seed in range(50):
        model, theta, batch = problem(seed, activation=["tanh", "relu"][seed % 2])
        loss, grad = cnp_grad(model, theta, batch)
        along = np.random.default_rng(seed).standard_normal((2, model.n_params))
        exact = complex_step(lambda t: loss_by_definition(model, t, batch), theta, along)
        assert relative_error(along @ grad, exact) <= EXACT, seed
        assert loss == pytest.approx(loss_by_definition(model, theta, batch), rel=1e-9)


def test_every_entry_of_the_gradient_is_that_of_the_complex_step():
    model, theta, batch = problem()
    exact = complex_step(lambda t: loss_by_definition(model, t, batch), theta)
    assert relative_error(cnp_grad(model, theta, batch)[1], exact) <= EXACT


@pytest.mark.parametrize("wrong", ["decoder alone", "a sum in place of the mean"])
def test_a_gradient_that_stops_at_the_representation_is_rejected(wrong):
    """Or that forgets to divide by the number of points that it is the mean of."""
    model, theta, batch = problem()
    assert batch.x_support.shape[1] > 1
    grad = cnp_grad(model, theta, batch)[1]
    n = model.encoder.n_params
    grad[:n] *= 0 if wrong == "decoder alone" else batch.x_support.shape[1]
    exact = complex_step(lambda t: loss_by_definition(model, t, batch), theta)
    assert relative_error(grad, exact) > WIDE
    if wrong == "decoder alone":  # the gradient of a loss that reads with fixed weights
        fixed = complex_step(lambda t: loss_by_definition(model, t, batch, theta), theta)
        assert relative_error(grad, fixed) <= EXACT


def test_replicas_are_calls_one_by_one_in_float32_too():
    for dtype, error in ((np.float64, 1e-12), (np.float32, 1e-3)):
        model, theta, batch = problem(lead=(2,))
        theta = theta.astype(dtype)
        losses, grads = cnp_grad(model, theta, batch)
        predicted = cnp_predict(model, theta, *batch[:3])
        assert {a.dtype for a in (losses, grads, *predicted)} == {np.dtype(dtype)}
        for s in range(2):
            one = tm.TaskBatch(*(array[s] for array in batch))
            loss, grad = cnp_grad(model, theta[s], one)
            assert relative_error(grads[s], grad) <= error
            assert losses[s] == pytest.approx(loss, rel=error)
            for array, of_one in zip(predicted, cnp_predict(model, theta[s], *one[:3])):
                assert np.allclose(array[s], of_one, rtol=error, atol=error)


def test_replicas_may_share_their_tasks():
    model, theta, _ = problem(lead=(2,))
    batch = problem()[2]
    losses, grads = cnp_grad(model, theta, batch)
    assert cnp_predict(model, theta, *batch[:3])[0].shape == (2, *batch.y_query.shape)
    for s in range(2):
        loss, grad = cnp_grad(model, theta[s], batch)
        assert relative_error(grads[s], grad) <= 1e-12 and losses[s] == pytest.approx(loss)


def test_points_may_be_read_in_any_order_and_twice():
    model, theta, batch = problem()
    x, y, x_query, _ = batch
    mean, s = cnp_predict(model, theta, x, y, x_query)
    for points in (x[:, ::-1], y[:, ::-1]), (np.tile(x, (1, 2, 1)), np.tile(y, (1, 2, 1))):
        again = cnp_predict(model, theta, *points, x_query)
        assert np.allclose(again[0], mean) and np.allclose(again[1], s)
    assert (s > LEAST).all()


def test_meta_train_takes_it_and_a_resumed_training_ends_at_the_same_digits(tmp_path):
    model, path = CNP(tm.MLP([2, 8, 8]), tm.MLP([9, 8, 2])), tmp_path / "cnp.npz"
    rng, optimizer = np.random.default_rng(0), tm.Adam(0.01)
    start = np.stack([model.init(rng) for _ in range(2)])

    def train(theta, iterations):
        return tm.meta_train(
            cnp_grad, model, theta, tm.SineTasks(), rng=rng, iterations=iterations,
            meta_batch_size=4, shots=5, inner_lr=0.0, optimizer=optimizer,
        )  # fmt: skip

    half, first = train(start, 50)
    save_checkpoint(path, model, half, optimizer, rng, 50)
    whole, last = train(half, 50)
    rng, optimizer = np.random.default_rng(9), tm.Adam()
    loaded, _ = load_checkpoint(path, model, optimizer, rng)
    assert np.array_equal(train(loaded, 50)[0], whole)
    assert last[-20:].mean() < 0.8 * first[:20].mean()


def test_a_model_is_equal_to_its_copy_by_pickle():
    model = problem()[0]
    other = CNP(model.encoder, tm.MLP([*model.decoder.sizes], "sigmoid"))
    assert pickle.loads(pickle.dumps(model)) == model != other


def test_wrong_input_is_refused_by_the_name_of_the_argument():
    model, theta, batch = problem()
    calls = cnp_grad, lambda model, theta, batch: cnp_predict(model, theta, *batch[:3])
    for call in calls:
        with pytest.raises(ValueError, match="^y_support: expected shape"):
            call(model, theta, batch._replace(y_support=batch.y_support[:, :-1]))
        with pytest.raises(ValueError, match=r"^theta: expected shape"):
            call(model, theta[:-1], batch)
        with pytest.raises(ValueError, match="^x_query: expected finite"):
            call(model, theta, batch._replace(x_query=np.nan * batch.x_query))
        with pytest.raises(TypeError, match="^model: expected a CNP"):
            call(model.encoder, theta, batch)
    with pytest.raises(ValueError, match="^inner_lr: "):
        cnp_grad(model, theta, batch, inner_lr=-1.0)
    with pytest.raises(TypeError, match="^decoder: expected a network"):
        CNP(tm.MLP([2, 4]), [5, 2])
    for sizes in ([5, 3], [4, 2], [6, 2], [5, 4]):  # odd; no x; two inputs; two outputs
        with pytest.raises(ValueError, match=r"^decoder: expected R \+ d_in inputs"):
            CNP(tm.MLP([2, 4]), tm.MLP(sizes))
