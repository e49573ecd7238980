"""The outer loop: sample tasks, take a meta-gradient, step; and what happens when that is cut short."""

import numpy as np

from . import arguments
from .optimizers import Adam


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during meta_train; `theta` and `history` are what was reached."""

    def __init__(self, theta, history):
        super().__init__(f"interrupted after {len(history)} iterations; .theta and .history hold what was reached")
        self.theta, self.history = theta, history


class Diverged(ArithmeticError):
    """The meta-loss or the meta-gradient stopped being finite; `theta` and `history` are the last finite ones."""

    def __init__(self, theta, history, inner_lr):
        super().__init__(
            f"diverged at iteration {len(history)}: the meta-loss or the meta-gradient is not finite; "
            f"a smaller inner_lr (now {inner_lr}) or outer rate may help; .theta and .history hold the last finite ones"
        )
        self.theta, self.history = theta, history


def meta_train(
    meta_grad, model, theta, tasks, *, rng, iterations, meta_batch_size, shots, query=None,
    inner_lr, inner_steps=1, minibatch=None, optimizer=None, callback=None,
):  # fmt: skip
    """Descend a meta-gradient on fresh tasks: theta (..., P) -> (theta, history (iterations, ...) of the losses it returned).

    theta (S, P) trains S replicas on tasks of their own. optimizer: Adam(1e-3) unless given; callback(iteration, theta,
    loss) is called after every step. Raises Interrupted on Ctrl-C and Diverged when a number is not finite."""
    arguments.count("iterations", iterations, least=0)
    theta = arguments.theta(model, theta)
    optimizer = Adam() if optimizer is None else optimizer
    lead, done = theta.shape[:-1], 0
    theta, history = theta.copy(), np.empty((iterations, *lead), theta.dtype)
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # Diverged says it better
            while done < iterations:
                batch = tasks.sample(rng, (*lead, meta_batch_size), shots, query)
                loss, grad = meta_grad(model, theta, batch, inner_lr, inner_steps, minibatch)
                if not (np.isfinite(loss).all() and np.isfinite(grad).all()):
                    raise Diverged(theta, history[:done].copy(), inner_lr)
                theta, history[done] = optimizer.step(theta, grad), loss
                done += 1
                if callback is not None:
                    callback(done - 1, theta, loss)
    except KeyboardInterrupt:
        raise Interrupted(theta, history[:done].copy()) from None
    return theta, history
