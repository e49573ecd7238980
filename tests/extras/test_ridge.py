"""The gradient through the ridge solve is proven, and one that forgets the term through A is
rejected."""

import functools
import pickle

import numpy as np
import pytest
from helpers import EXACT, WIDE

import tinymeta as tm
from tinymeta.checks import complex_step, relative_error
from tinymeta.extras import ridge
from tinymeta.extras.ridge import RidgeHead, head_gradients, posterior, ridge_grad
from tinymeta.extras.storage import load_checkpoint, save_checkpoint

SEEDS = range(50)


def head_problem(seed):
    """Return random F, F_q, y, y_q and log lambda: more features than points, and fewer."""
    rng = np.random.default_rng(seed)
    K, K_q, D, d = rng.integers(1, 8), rng.integers(1, 8), rng.integers(1, 10), rng.integers(1, 3)
    F, F_q = rng.standard_normal((K, D)), rng.standard_normal((K_q, D))
    y, y_q = rng.standard_normal((K, d)), rng.standard_normal((K_q, d))
    return F, F_q, y, y_q, rng.uniform(-3, 1)


def loss_of_normal_equations(F, F_q, y, y_q, log_lam):
    """Return the query loss by the primal formula, w = (F^T F + lambda I)^-1 F^T y."""
    gram = F.T @ F + np.exp(log_lam) * np.eye(F.shape[1])
    outputs = F_q @ np.linalg.solve(gram, F.T @ y)
    return ((outputs - y_q) ** 2).mean()


@functools.cache
def proof(seed):
    """Return the derivatives with respect to F, F_q and log lambda by the complex step."""
    F, F_q, y, y_q, log_lam = head_problem(seed)
    return (
        complex_step(lambda F: loss_of_normal_equations(F, F_q, y, y_q, log_lam), F),
        complex_step(lambda F_q: loss_of_normal_equations(F, F_q, y, y_q, log_lam), F_q),
        complex_step(lambda s: loss_of_normal_equations(F, F_q, y, y_q, s[0]), np.array([log_lam])),
    )


def by_hand(seed):
    F, F_q, y, y_q, log_lam = head_problem(seed)
    return head_gradients(F, F_q, y, y_q, np.exp(log_lam))


def test_the_gradient_through_the_solve_is_right_in_features_queries_and_log_lambda():
    for seed in SEEDS:
        loss, *gradients = by_hand(seed)
        assert loss == pytest.approx(loss_of_normal_equations(*head_problem(seed)), rel=1e-9)
        for gradient, exact in zip(gradients, proof(seed)):
            assert relative_error(np.ravel(gradient), np.ravel(exact)) <= EXACT, seed


def test_a_gradient_without_the_term_through_A_is_rejected():
    """As if the inverse were a constant: a g_w^T alone, and nothing in log lambda."""
    errors = []
    for seed in SEEDS:
        F, F_q, y, y_q, log_lam = head_problem(seed)
        a = ridge.inverse_of_A(F, np.exp(log_lam)) @ y
        g_w = F_q.T @ (2 * (F_q @ F.T @ a - y_q) / y_q.size)
        errors.append(relative_error((a @ g_w.T).ravel(), proof(seed)[0].ravel()))
    assert min(errors) > WIDE


def problem(activation="tanh", lead=(), seed=0, shots=4):
    rng = np.random.default_rng(seed)
    model = RidgeHead(tm.MLP([2, 5, 6, 2], activation))
    theta = np.empty((*lead, model.n_params))
    for replica in np.ndindex(*lead):
        theta[replica] = model.init(rng)
    shapes = [(*lead, 3, n, 2) for n in (shots, shots, 5, 5)]
    return model, theta, tm.TaskBatch(*(rng.standard_normal(shape) for shape in shapes))


def meta_loss_by_definition(model, theta, batch):
    """Return the loss of one theta (P,), from a loop over tasks and the primal formula."""
    total, body = 0.0, model.body

    def features(x):
        h = model.network.activation_fn.value(body.forward(theta[:-1], x).z[-1])
        return np.concatenate((h, np.ones((len(x), 1))), axis=1)

    for x, y, x_q, y_q in zip(*batch):
        total += loss_of_normal_equations(features(x), features(x_q), y, y_q, theta[-1])
    return total / len(batch.x_support)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("shots", [1, 4, 12])  # fewer points than features, and more
def test_the_meta_gradient_is_that_of_the_loss_by_the_complex_step(activation, shots):
    model, theta, batch = problem(activation, shots=shots)
    loss, grad = ridge_grad(model, theta, batch)
    exact = complex_step(lambda t: meta_loss_by_definition(model, t, batch), theta)
    assert relative_error(grad, exact) <= EXACT
    assert grad[-1] == pytest.approx(exact[-1], rel=1e-8)
    assert loss == pytest.approx(meta_loss_by_definition(model, theta, batch), rel=1e-9)


def test_a_complex_theta_passes_through():
    """So that the library's own loss may be judged by the complex step."""
    model, theta, batch = problem()
    along = np.random.default_rng(1).standard_normal(model.n_params)
    slope = complex_step(lambda t: ridge_grad(model, t, batch)[0], theta, along)
    assert slope == pytest.approx(ridge_grad(model, theta, batch)[1] @ along, rel=1e-8)


def test_replicas_are_calls_one_by_one_in_float32_too():
    for dtype, error in ((np.float64, 1e-12), (np.float32, 1e-3)):
        model, theta, batch = problem(lead=(2,))
        theta = theta.astype(dtype)
        losses, grads = ridge_grad(model, theta, batch)
        means, variances, scales = posterior(model, theta, *batch[:3])
        assert losses.dtype == grads.dtype == dtype and variances.shape == (2, 3, 5, 1)
        for s in range(2):
            one = tm.TaskBatch(*(array[s] for array in batch))
            loss, grad = ridge_grad(model, theta[s], one)
            assert relative_error(grads[s], grad) <= error
            assert losses[s] == pytest.approx(loss, rel=error)
            mean, variance, scale = posterior(model, theta[s], *one[:3])
            assert np.allclose(means[s], mean, rtol=error, atol=error)
            assert np.allclose(variances[s], variance, rtol=error, atol=error)
            assert np.allclose(scales[s], scale, rtol=error)


def test_replicas_may_share_their_tasks():
    model, theta, _ = problem(lead=(2,))
    _, _, batch = problem()
    losses, grads = ridge_grad(model, theta, batch)
    for s in range(2):
        loss, grad = ridge_grad(model, theta[s], batch)
        assert relative_error(grads[s], grad) <= 1e-12 and losses[s] == pytest.approx(loss)


def test_the_posterior_is_that_of_bayesian_linear_regression():
    """By the precision matrix of the weights, and by the likelihood of the support points."""
    model, theta, batch = problem()
    mean, variance, scale = posterior(model, theta, *batch[:3])
    lam = np.exp(theta[-1])
    for t, (x, y, x_q, y_q) in enumerate(zip(*batch)):
        F, F_q = model.features(theta, x), model.features(theta, x_q)
        covariance = lam * np.linalg.inv(F.T @ F + lam * np.eye(F.shape[1]))
        assert np.allclose(mean[t], F_q @ covariance @ F.T @ y / lam)
        assert np.allclose(variance[t, :, 0], np.diag(F_q @ covariance @ F_q.T))
        assert np.mean((mean[t] - y_q) ** 2) == pytest.approx(
            ridge_grad(model, theta, tm.TaskBatch(*(a[t : t + 1] for a in batch)))[0]
        )
        marginal = F @ F.T + lam * np.eye(len(F))

        def log_likelihood(s2, y=y, marginal=marginal):
            fit = (y * np.linalg.solve(marginal, y)).sum() / s2
            return -(fit + y.size * np.log(s2)) / 2

        assert log_likelihood(scale[t]) > max(map(log_likelihood, scale[t] * np.array([0.9, 1.1])))


def test_without_points_nearby_the_variance_is_wide_and_at_a_point_it_is_narrow():
    model = RidgeHead(tm.MLP([1, 30, 1]))
    theta = model.init(np.random.default_rng(0), lam=1e-6)
    x = np.array([[[0.0], [1.0], [2.0]]])
    _, variance, _ = posterior(model, theta, x, np.sin(x), [[[1.0], [5.0]]])
    assert variance[0, 0, 0] < 1e-5 < 1e-2 < variance[0, 1, 0]


def test_a_training_that_is_resumed_from_a_checkpoint_ends_at_the_same_digits(tmp_path):
    model, tasks, path = RidgeHead(tm.MLP([1, 8, 1])), tm.SineTasks(), tmp_path / "ridge.npz"
    rng, optimizer = np.random.default_rng(0), tm.Adam(0.01)
    start = np.stack([model.init(rng) for _ in range(2)])

    def train(theta, iterations):
        return tm.meta_train(
            ridge_grad, model, theta, tasks, rng=rng, iterations=iterations, meta_batch_size=4,
            shots=10, inner_lr=0.0, optimizer=optimizer,
        )[0]  # fmt: skip

    half = train(start, 60)
    save_checkpoint(path, model, half, optimizer, rng, 60)
    whole = train(half, 60)
    rng, optimizer = np.random.default_rng(9), tm.Adam()
    loaded, iteration = load_checkpoint(path, model, optimizer, rng)
    assert iteration == 60 and np.array_equal(train(loaded, 60), whole)
    new = tasks.sample(np.random.default_rng(1), 100, 10)
    before, after = (ridge_grad(model, theta, new)[0] for theta in (start, whole))
    assert (after < 0.7 * before).all(), (before, after)
    assert (whole[:, -1] != start[:, -1]).all()  # lambda is learned


def test_a_model_is_equal_to_its_copy_by_pickle():
    model = problem()[0]
    assert pickle.loads(pickle.dumps(model)) == model != RidgeHead(tm.MLP([1, 2, 1]))


def test_a_whole_networks_body_can_be_given_a_solved_head():
    network = tm.MLP([1, 7, 3, 1], "tanh")
    theta = network.init(np.random.default_rng(0))
    model, x = RidgeHead(network), np.array([[0.5], [-2.0]])
    features = model.features(model.join(theta, lam=0.5), x)
    assert np.allclose(features, network.forward(theta, x).h[-1])
    replicas = model.join(np.stack([theta, theta]), lam=np.array([0.5, 2.0]))
    assert np.allclose(np.exp(replicas[:, -1]), [0.5, 2.0])
    whole_numbers = RidgeHead(tm.MLP([1, 1, 1])).join([2, 1], lam=0.5)
    assert np.isclose(np.exp(whole_numbers[-1]), 0.5)
    assert model.join(np.float32(theta), lam=0.5).dtype == np.float32


def test_wrong_input_is_refused_by_the_name_of_the_argument():
    model, theta, batch = problem()
    calls = ridge_grad, lambda model, theta, batch: posterior(model, theta, *batch[:3])
    for call in calls:
        with pytest.raises(ValueError, match="^y_support: expected shape"):
            call(model, theta, batch._replace(y_support=batch.y_support[..., :1]))
        with pytest.raises(ValueError, match=r"^theta: expected shape \(\.\.\., 52\)"):
            call(model, theta[:-1], batch)
        with pytest.raises(ValueError, match="^x_query: expected finite"):
            call(model, theta, batch._replace(x_query=np.nan * batch.x_query))
        with pytest.raises(TypeError, match="^model: expected a RidgeHead"):
            call(model.network, theta, batch)
    with pytest.raises(ValueError, match="^inner_lr: "):
        ridge_grad(model, theta, batch, inner_lr=-1.0)
    with pytest.raises(ValueError, match="^lam: expected positive"):
        model.init(np.random.default_rng(0), lam=0.0)
    with pytest.raises(TypeError, match="^network: expected a network"):
        RidgeHead([1, 40, 1])
    for network in (tm.MLP([1, 1]), tm.MLP([1, 4, 3], criterion="cross_entropy")):
        with pytest.raises(ValueError, match="^network: expected one with a hidden layer"):
            RidgeHead(network)
