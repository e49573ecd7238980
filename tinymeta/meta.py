"""Adapting to a task, and the four meta-gradients: the heart of the package.

Write theta_0 = theta for the initialisation, g_s for the gradient of a task's support loss at
theta_s, H_s for its Hessian there, q for the gradient of the query loss after the last step, and
alpha for inner_lr. For k inner steps:

    adapt      theta_s+1 = theta_s - alpha g_s
    joint      g_0                                         pretraining on all tasks: never adapts
    FOMAML     q
    MAML       v = q;  for s = k-1 ... 0:  v <- v - H_s (alpha v)
    Reptile    g_0 + ... + g_k-1                           (theta - theta_k) / alpha for one number alpha

Each function takes a batch of tasks and returns the mean over them. Shapes: see the legend in
tinymeta.mlp."""

import functools

import numpy as np

from . import _validate


def support_steps(x, y, inner_steps, minibatch=None):
    """The support points of inner step 0, 1, ...: all of them, or the s-th `minibatch` of them,
    going round."""
    shots = x.shape[-2]
    for s in range(inner_steps):
        if minibatch is None:
            yield x, y
        else:
            points = np.arange(s * minibatch, (s + 1) * minibatch) % shots
            yield x[..., points, :], y[..., points, :]


def descend(theta, inner_lr, g):
    """theta - inner_lr g, written over g: with a row for each task, these are the largest arrays
    there are."""
    g *= inner_lr
    return np.subtract(theta, g, out=g)


def adapt(model, theta, x, y, inner_lr, inner_steps, minibatch=None):
    """Gradient descent on each task from theta (..., P): x (..., T, K, d_in), y (..., T, K, d_out)
    -> (..., T, P).

    inner_lr: a number, or an array that broadcasts against theta: (P,) gives each parameter its own
    rate."""
    theta = _validate.as_theta(model, theta)
    x, y = _validate.as_points(model, theta, x, y, tasks=True)
    inner_lr = _validate.as_inner_lr(theta, inner_lr)
    _validate.check_inner_loop(inner_steps, minibatch, x)
    theta = theta[..., None, :] + np.zeros((*x.shape[:-2], 1), theta.dtype)  # one row a task
    for x_s, y_s in support_steps(x, y, inner_steps, minibatch):
        theta = descend(theta, inner_lr, model.backward(model.forward(theta, x_s), y_s))
    return theta


def mean_over_tasks(algorithm):
    """Make a meta-gradient of an algorithm that works task by task: check the arguments, give theta
    a tasks axis, and take the mean of what comes back: loss (..., T) and gradient (..., T, P)."""

    @functools.wraps(algorithm)
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        theta = _validate.as_theta(model, theta)
        batch = _validate.as_batch(model, theta, batch, check_values=False)
        rates = _validate.as_inner_lr(theta, inner_lr)
        _validate.check_inner_loop(inner_steps, minibatch, batch.x_support)
        loss, grad = algorithm(model, theta[..., None, :], batch, rates, inner_steps, minibatch)
        one = loss.shape[-1] == 1  # and its mean is itself
        loss, grad = (
            (loss[..., 0], grad[..., 0, :]) if one else (loss.mean(axis=-1), grad.mean(axis=-2))
        )
        _validate.blame_input(theta, batch, grad)
        return loss, grad

    return meta_grad


def loss_and_grad(model, theta, x, y):
    tape = model.forward(theta, x)
    return model.losses.value(tape.out, y), model.backward(tape, y)


@mean_over_tasks
def joint_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """g_0, the support gradient before any adaptation: what transfer learning descends. Rates and
    steps play no part."""
    return loss_and_grad(model, theta, batch.x_support, batch.y_support)


@mean_over_tasks
def fomaml_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """q, the query gradient after adaptation (Finn et al. 2017, section 5.2): as if theta_k did not
    depend on theta."""
    for x, y in support_steps(batch.x_support, batch.y_support, inner_steps, minibatch):
        theta = descend(theta, inner_lr, model.backward(model.forward(theta, x), y))
    return loss_and_grad(model, theta, batch.x_query, batch.y_query)


@mean_over_tasks
def maml_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """The exact gradient of the query loss after adaptation, in theta before it (Finn et al. 2017,
    algorithm 2).

    The chain rule through a step  theta_s+1 = theta_s - alpha g(theta_s)  multiplies by its
    Jacobian I - alpha H_s, transposed:  v - H_s (alpha v),  one Hessian-vector product a step, last
    step first."""
    tapes = []
    for x, y in support_steps(batch.x_support, batch.y_support, inner_steps, minibatch):
        tapes.append(model.forward(theta, x))
        theta = descend(theta, inner_lr, model.backward(tapes[-1], y))
    loss, v = loss_and_grad(model, theta, batch.x_query, batch.y_query)
    for tape in reversed(tapes):
        v -= model.rop(tape, inner_lr * v)
    return loss, v


@mean_over_tasks
def reptile_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """g_0 + ... + g_k-1, the way from theta to theta_k in units of alpha (Nichol et al. 2018,
    section 3): no query set."""
    total = 0.0
    for x, y in support_steps(batch.x_support, batch.y_support, inner_steps, minibatch):
        loss, g = loss_and_grad(model, theta, x, y)
        total = g + total
        theta = descend(theta, inner_lr, g)
    if not inner_steps:  # the way is zero
        loss = model.loss(theta, batch.x_support, batch.y_support)
        total = np.zeros((*loss.shape, model.n_params), theta.dtype)
    return loss, total


def meta_loss(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """The mean query loss (...) after adaptation: what MAML minimises, and what its gradient is
    checked against."""
    batch = _validate.as_batch(model, _validate.as_theta(model, theta), batch)
    adapted = adapt(
        model, theta, batch.x_support, batch.y_support, inner_lr, inner_steps, minibatch
    )
    return model.losses.value(model.forward(adapted, batch.x_query).out, batch.y_query).mean(
        axis=-1
    )
