"""Adapting to a task, and the four meta-gradients: the heart of the package.

Write $θ_0 = θ$ (theta) for the initialisation, $g_s$ for the gradient of a task's support loss at
$θ_s$, $H_s$ for its Hessian there, $q$ for the gradient of the query loss after the last step, and
$α$ for inner_lr. For $k$ inner steps:

    adapt      $θ_{s+1} = θ_s − α g_s$
    joint      $g_0$                           pretraining on all tasks: never adapts
    FOMAML     $q$
    MAML       $v = q$, then for $s = k−1, …, 0$: $v ← v − H_s (α v)$
    Reptile    $g_0 + … + g_{k−1}$             $(θ − θ_k) / α$ for one number $α$

Each meta-gradient takes a batch of tasks and returns the mean over them: the loss (...) and its
gradient (..., P). Shapes: see the legend in tinymeta.mlp.
"""

import functools

import numpy as np

from . import _validate


def inner_batches(x, y, inner_steps, minibatch=None):
    """Yield the support points of inner step 0, 1, ...: all of them, or the s-th `minibatch` of
    them, starting again when they are used up."""
    for s in range(inner_steps):
        if minibatch is None:
            yield x, y
        else:
            points = np.arange(s * minibatch, (s + 1) * minibatch) % x.shape[-2]
            yield x[..., points, :], y[..., points, :]


def descend(theta, inner_lr, step, keep_grad):
    """Return theta - inner_lr grad. Unless keep_grad, it takes the place of the gradient, which the
    step then has no more: with one row per task, these are the largest arrays there are."""
    grad = step.grad
    if not keep_grad:
        step.grad = None
    change = np.multiply(inner_lr, grad, out=None if keep_grad else grad)
    return np.subtract(theta, change, out=change)


def inner_loop(model, theta, x, y, inner_lr, inner_steps, minibatch=None, keep_grad=False):
    """Descend on the support points: for each inner step s, yield theta_s+1 and the
    `model.backprop` at theta_s, without its gradient unless keep_grad. Callers delete it when they
    have kept what they need, so that the next one can have its memory."""
    for points in inner_batches(x, y, inner_steps, minibatch):
        step = model.backprop(theta, *points)
        theta = descend(theta, inner_lr, step, keep_grad)  # theta - inner_lr * step.grad
        yield theta, step
        del step


def adapt(model, theta, x, y, inner_lr, inner_steps, minibatch=None):
    """Return the parameters after gradient descent on each task.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)
        The initialisation, shared by the tasks.
    x : array (..., T, K, d_in)
    y : array (..., T, K, d_out)
        The support points of T tasks.
    inner_lr : float or array
        The rate; an array broadcasts against theta: (P,) gives each parameter its own.
    inner_steps : int
        The number of steps, 0 or more.
    minibatch : int, optional
        Take that many points per step, in order and starting again; by default all.

    Returns
    -------
    theta_k : array (..., T, P)
        One row of parameters per task.

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, or a rate or a number of steps is negative.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> x, y = np.array([[[0.0], [1.0]]]), np.array([[[1.0], [3.0]]])  # one task, 2 x + 1
    >>> theta = adapt(MLP([1, 1]), np.zeros(2), x, y, inner_lr=0.5, inner_steps=100)
    >>> theta.round(3).tolist()
    [[2.0, 1.0]]

    Source: Finn et al. 2017, equation 1.
    """
    theta = _validate.as_theta(model, theta)
    x, y = _validate.as_points(model, theta, x, y, tasks=True)
    inner_lr = _validate.as_inner_lr(theta, inner_lr)
    inner_steps, minibatch = _validate.as_inner_loop(inner_steps, minibatch, x)
    theta = theta[..., None, :]
    for theta, step in inner_loop(model, theta, x, y, inner_lr, inner_steps, minibatch):
        del step
    if not inner_steps:  # a row for each task all the same, which does not alias theta
        theta = theta + np.zeros((*x.shape[:-2], 1), theta.dtype)
    return theta


def fit(model, theta, x, y, inner_lr, steps):
    """Return the parameters after gradient descent on the points of one task.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)
        The initialisation.
    x : array (K, d_in)
    y : array (K, d_out)
    inner_lr : float or array
        The rate; an array broadcasts against theta.
    steps : int
        0 or more.

    Returns
    -------
    theta : array (..., P)
        For `model.predict`, say.

    Raises
    ------
    ValueError
        If a shape does not fit, a number is not finite, or a rate or a number of steps is negative.

    Examples
    --------
    >>> from tinymeta import MLP
    >>> model, x, y = MLP([1, 1]), [[0.0], [1.0]], [[1.0], [3.0]]  # 2 x + 1
    >>> theta = fit(model, np.zeros(2), x, y, inner_lr=0.5, steps=100)
    >>> model.predict(theta, [[10.0]]).round(3).tolist()
    [[21.0]]

    Source: Finn et al. 2017, equation 1.
    """
    theta = _validate.as_theta(model, theta)
    x, y = _validate.as_points(model, theta, x, y)
    if x.ndim != 2:
        raise ValueError(
            f"x: expected the points of one task, (K, {model.sizes[0]}); got shape {x.shape}; "
            "`adapt` takes several tasks"
        )
    steps = _validate.check_count("steps", steps, least=0)
    return adapt(model, theta, x[None], y[None], inner_lr, steps)[..., 0, :]


def mean_over_tasks(algorithm):
    """Turn an algorithm for tasks side by side into a meta-gradient: check the arguments, give
    theta a tasks axis, and return the means of the losses (..., T) and gradients (..., T, P). Its
    attribute `unchecked` is the same without the checks, for meta_train, which checks once."""

    @functools.wraps(algorithm)
    def unchecked(model, theta, batch, rates, inner_steps, minibatch):
        losses, grads = algorithm(model, theta[..., None, :], batch, rates, inner_steps, minibatch)
        n_tasks = batch.x_support.shape[-3]
        loss, grad = np.add.reduce(losses / n_tasks, -1), np.add.reduce(grads, -2)
        grad /= n_tasks
        return loss, grad

    @functools.wraps(algorithm)
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        theta = _validate.as_theta(model, theta)
        batch = _validate.as_batch(model, theta, batch, check_values=False)
        rates = _validate.as_inner_lr(theta, inner_lr)
        steps = _validate.as_inner_loop(inner_steps, minibatch, batch.x_support)
        loss, grad = unchecked(model, theta, batch, rates, *steps)
        _validate.blame_input(theta, batch, grad)
        return loss, grad

    meta_grad.unchecked = unchecked
    return meta_grad


@mean_over_tasks
def joint_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """Return the support loss and its gradient g_0 before any adaptation: plain pretraining, one
    network with one output for all tasks.

    Parameters, returns and errors are those of `maml_grad`; inner_lr, inner_steps and minibatch are
    checked and ignored.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> batch = SineTasks().sample(rng, n_tasks=1, shots=5)
    >>> loss, grad = joint_grad(model, model.init(rng), batch, inner_lr=0.01)
    >>> loss.shape, grad.shape
    ((), (25,))

    Source: the pretrained baseline of Finn et al. 2017, section 5.1.
    """
    return model.loss_and_grad(theta, batch.x_support, batch.y_support)


@mean_over_tasks
def fomaml_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """Return the query loss after adaptation and first-order MAML's gradient q, which treats
    theta_k as if it did not depend on theta.

    Parameters, returns and errors are those of `maml_grad`.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, maml_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> _, first_order = fomaml_grad(model, theta, batch, inner_lr=0.0)
    >>> _, second_order = maml_grad(model, theta, batch, inner_lr=0.0)
    >>> np.allclose(first_order, second_order)  # at a rate of zero, and only there
    True

    Source: Finn et al. 2017, section 5.2.
    """
    support = batch.x_support, batch.y_support
    for theta, step in inner_loop(model, theta, *support, inner_lr, inner_steps, minibatch):
        del step
    return model.loss_and_grad(theta, batch.x_query, batch.y_query)


@mean_over_tasks
def maml_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """Return the query loss after adaptation and its exact gradient with respect to theta.

    The chain rule through a step  theta_s+1 = theta_s - alpha g(theta_s)  multiplies by its
    Jacobian I - alpha H_s, transposed:  v - H_s (alpha v),  one Hessian-vector product per step,
    last step first.

    Parameters
    ----------
    model : MLP
    theta : array (..., P)
        The initialisation; (S, P) for S replicas.
    batch : TaskBatch
        T tasks, arrays (T, K, d); (S, T, K, d) gives each replica its own.
    inner_lr : float or array
        The rate alpha of the inner steps; an array broadcasts against theta.
    inner_steps : int
        The number k of inner steps, 0 or more.
    minibatch : int, optional
        Take that many support points per inner step, in order and starting again; by default all.

    Returns
    -------
    loss : array (...)
        The mean over the tasks of the query loss at theta_k.
    grad : array (..., P)
        The gradient of that number with respect to theta.

    Raises
    ------
    ValueError
        If a shape does not fit, an input is not finite, or a rate or a number of steps is negative.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, checks, meta_loss
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1], "tanh")
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> loss, grad = maml_grad(model, theta, batch, inner_lr=0.1, inner_steps=2)
    >>> proof = checks.complex_step(lambda t: meta_loss(model, t, batch, 0.1, 2), theta)
    >>> checks.relative_error(grad, proof) < 1e-12
    True

    Source: Finn et al. 2017, algorithm 2.
    """
    support, tapes = (batch.x_support, batch.y_support), []
    for theta, step in inner_loop(model, theta, *support, inner_lr, inner_steps, minibatch):
        tapes.append(step.tape)
        del step
    loss, v = model.loss_and_grad(theta, batch.x_query, batch.y_query)
    for tape in reversed(tapes):
        v -= model.rop(tape, inner_lr * v)
    return loss, v


@mean_over_tasks
def reptile_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """Return the support loss at the last inner step and g_0 + ... + g_k-1, which for one number
    alpha is the displacement theta - theta_k divided by alpha.

    The query set plays no part.

    Parameters and errors are those of `maml_grad`.

    Returns
    -------
    loss : array (...)
        The mean over the tasks of the support loss at theta_k-1 (at theta, where k = 0).
    grad : array (..., P)
        The mean over the tasks of the sum of the gradients.

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks, joint_grad
    >>> rng, model = np.random.default_rng(0), MLP([1, 8, 1])
    >>> theta, batch = model.init(rng), SineTasks().sample(rng, n_tasks=4, shots=5)
    >>> _, one_step = reptile_grad(model, theta, batch, inner_lr=0.1)
    >>> np.allclose(one_step, joint_grad(model, theta, batch, 0.1)[1])  # one step: joint training
    True

    Source: Nichol et al. 2018, section 3.
    """
    support, total = (batch.x_support, batch.y_support), None
    loop = inner_loop(model, theta, *support, inner_lr, inner_steps, minibatch, keep_grad=True)
    for _, step in loop:
        outputs, y = step.tape.z[-1], step.tape.y
        total = step.grad if total is None else np.add(total, step.grad, out=total)
        del step
    if total is None:  # zero steps: zero displacement
        outputs, y = model.forward(theta, support[0]).z[-1], support[1]
        total = np.zeros((*outputs.shape[:-2], model.n_params), theta.dtype)
    return model.loss_fn.value(outputs, y), total


def meta_loss(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
    """Return the mean over the tasks of the query loss after adaptation: what MAML minimises, and
    what its gradient is checked against.

    Parameters and errors are those of `maml_grad`.

    Returns
    -------
    loss : array (...)

    Examples
    --------
    >>> from tinymeta import MLP, SineTasks
    >>> batch = SineTasks().sample(np.random.default_rng(0), n_tasks=4, shots=5)
    >>> zero = meta_loss(MLP([1, 1]), np.zeros(2), batch, inner_lr=0.1, inner_steps=0)
    >>> bool(np.isclose(zero, np.mean(batch.y_query**2)))  # the zero function, not adapted
    True

    Source: Finn et al. 2017, equation 2.
    """
    batch = _validate.as_batch(model, _validate.as_theta(model, theta), batch)
    support = batch.x_support, batch.y_support
    adapted = adapt(model, theta, *support, inner_lr, inner_steps, minibatch)
    outputs = model.forward(adapted, batch.x_query).z[-1]
    return model.loss_fn.value(outputs, batch.y_query).mean(axis=-1)
