"""The outer loop: sample tasks, take a meta-gradient, step; and what happens when that is cut
short."""

import numpy as np

from . import _validate
from .optimizers import Adam


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during meta_train; `theta` and `history` are what was reached."""

    def __init__(self, theta, history):
        super().__init__(
            f"interrupted after {len(history)} iterations; .theta and .history hold what was "
            "reached"
        )
        self.theta, self.history = theta, history


class Diverged(ArithmeticError):
    """A number stopped being finite in the meta-loss, in the squares of the meta-gradient (where
    Adam would stand still) or in theta; `theta` and `history` are the last finite ones, `replicas`
    the indices of those that diverged, or [()] for the one."""

    def __init__(self, theta, history, cause, inner_lr, optimizer):
        self.theta, self.history, self.replicas = theta, history, cause.replicas
        names = ", ".join(
            str(index[0] if len(index) == 1 else index) for index in self.replicas if index
        )
        of = (
            f", replica {names} of {theta.shape[:-1] if theta.ndim > 2 else len(theta)}"
            if names
            else ""
        )
        super().__init__(
            f"diverged at iteration {len(history)}{of}: {cause}; a smaller inner_lr (now "
            f"{_validate.describe_rates(inner_lr)}) "
            f"or outer rate (now {optimizer!r}) may help; .theta and .history hold the last "
            "finite ones"
        )


def require_finite(loss, vectors):
    """A loss (...) that is finite and vectors (..., P) whose squares are, or NotFinite with the
    indices of the wrong replicas."""
    if not (_validate.is_finite(loss) and np.isfinite(np.vdot(vectors, vectors))):
        wrong = np.argwhere(~(np.isfinite(loss) & np.isfinite(vectors * vectors).all(axis=-1)))
        if len(wrong):
            raise _validate.NotFinite(
                "the meta-loss, the meta-gradient or theta is not finite",
                [*map(tuple, wrong.tolist())],
            )


def meta_train(
    meta_grad, model, theta, tasks, *, rng, iterations, meta_batch_size, shots, query=None,
    inner_lr, inner_steps=1, minibatch=None, optimizer=None, callback=None,
):  # fmt: skip
    """Descend a meta-gradient on fresh tasks: theta (..., P) -> (theta, history (iterations, ...)
    of the losses it returned).

    theta (S, P) trains S replicas on tasks of their own. optimizer: Adam(1e-3) unless given;
    callback(iteration, theta, loss) is called after every step. Raises Interrupted on Ctrl-C and
    Diverged when a number is not finite."""
    _validate.check_count("iterations", iterations, least=0)
    for name, value in {
        "meta_batch_size": meta_batch_size,
        "shots": shots,
        "query": shots if query is None else query,
    }.items():
        _validate.check_count(name, value)
    _validate.check_generator(rng)
    theta = _validate.check_finite_theta(_validate.as_theta(model, theta))
    _validate.as_inner_lr(theta, inner_lr)
    optimizer = Adam() if optimizer is None else optimizer
    lead, done = theta.shape[:-1], 0
    theta, history = theta.copy(), np.empty((iterations, *lead), theta.dtype)
    try:
        # Diverged says it better
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while done < iterations:
                batch = tasks.sample(rng, (*lead, meta_batch_size), shots, query)
                if not done:  # later ones are looked at when something goes wrong
                    _validate.as_batch(model, theta, batch)
                try:
                    loss, grad = meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch)
                    require_finite(loss, grad)
                    stepped = optimizer.step(theta, grad)
                    require_finite(loss, stepped)
                except _validate.NotFinite as cause:
                    raise Diverged(
                        theta, history[:done].copy(), cause, inner_lr, optimizer
                    ) from None
                theta, history[done] = stepped, loss
                done += 1
                if callback is not None:
                    callback(done - 1, theta, loss)
    except KeyboardInterrupt:
        raise Interrupted(theta, history[:done].copy()) from None
    return theta, history
