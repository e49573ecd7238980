"""What grows out of MAML's recursion: learned rates, rates of zero, losses along the way, and an
implicit gradient.

    Meta-SGD    a rate for each parameter, learned with theta     meta_sgd_grad, LearnedRates,
                                                                  AdamWithRates
    ANIL, BOIL  maml_grad with a rate of zero on the body or the head   rates_by_part
    MAML++      query losses after every inner step, weighted           multi_step_grad
    iMAML       descend to a minimum near theta, and differentiate
                that instead of the way to it                           imaml_grad
    same points Reptile on as many as MAML sees                         on_all_points

Their meta-gradients take and return what the four of tinymeta.meta do. Shapes: see the legend in
tinymeta.mlp."""

import numpy as np

from ..meta import inner_batches, inner_loop, mean_over_tasks
from ..optimizers import Adam


class LearnedRates:
    """A model whose parameters are theta and a rate for each of its entries, in one vector phi
    (..., 2 P)."""

    def __init__(self, model):
        self.model, self.sizes, self.criterion = model, model.sizes, model.criterion
        self.n_params = 2 * model.n_params

    def __repr__(self):
        return f"LearnedRates({self.model!r})"

    def join(self, theta, inner_lr):
        """phi (..., 2 P) from theta (..., P) and rates that broadcast against it."""
        theta = np.asarray(theta)
        return np.concatenate(
            (theta, np.broadcast_to(inner_lr, theta.shape).astype(theta.dtype)), axis=-1
        )

    def split(self, phi):
        """theta and its rates, each (..., P), as views of phi."""
        return phi[..., : self.model.n_params], phi[..., self.model.n_params :]


class AdamWithRates:
    """Adam on theta, and on the rates one of their own, after which no rate is below `least`; for a
    LearnedRates model."""

    def __init__(self, model, lr=1e-3, rates_lr=1e-4, least=-np.inf):
        self.model, self.least = model, least
        self.on_theta, self.on_rates = Adam(lr), Adam(rates_lr)

    def step(self, phi, grad):
        (theta, rates), (g_theta, g_rates) = self.model.split(phi), self.model.split(grad)
        rates = np.maximum(self.on_rates.step(rates, g_rates), self.least).astype(rates.dtype)
        return self.model.join(self.on_theta.step(theta, g_theta), rates)


@mean_over_tasks
def meta_sgd_grad(learned, phi, batch, inner_lr=None, inner_steps=1, minibatch=None):
    """MAML's meta-gradient in theta and in the rates alpha, for a LearnedRates model (Li et al.
    2017, algorithm 1).

    theta_s+1 = theta_s - alpha g_s  moves with alpha as well: each step adds  -v_s+1 g_s,  entry by
    entry. The rates are in phi (..., 2 P); inner_lr plays no part."""
    model, (theta, rates) = learned.model, learned.split(phi)
    support, steps, rates_grad = (batch.x_support, batch.y_support), [], 0.0
    for theta, step in inner_loop(model, theta, *support, rates, inner_steps, minibatch):
        steps.append(step)
    loss, v = model.loss_and_grad(theta, batch.x_query, batch.y_query)
    for step in reversed(steps):
        rates_grad = rates_grad - v * step.grad
        v = v - model.rop(step.tape, rates * v)
    return loss, np.concatenate((v, rates_grad + np.zeros_like(v)), axis=-1)


def on_all_points(meta_grad):
    """The meta-gradient with a batch's query points among its support points: for joint_grad and
    reptile_grad, which know no query set, to learn from as many points as MAML does."""

    def grad(model, theta, batch, *inner_loop):
        return meta_grad(model, theta, batch.merge_support_query(), *inner_loop)

    return grad


def rates_by_part(model, body, head):
    """Rates (P,) for maml_grad and adaptation_curve: `head` on the last layer, `body` on all before
    it.

    body = 0 is ANIL (Raghu et al. 2020), head = 0 is BOIL (Oh et al. 2021)."""
    rates = np.full(model.n_params, float(body))
    for part in model.unpack(rates)[-1]:
        part[...] = head
    return rates


def multi_step_grad(weights):
    """The meta-gradient of a weighted sum of the query losses after each inner step (MAML++,
    Antoniou et al. 2019, section 4).

    weights: one for each inner step, that of the last one last; [0, ..., 0, 1] is MAML. Returns a
    function like maml_grad, whose loss is that of the last step."""
    weights = [float(w) for w in weights]

    @mean_over_tasks
    def grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        if inner_steps != len(weights):
            raise ValueError(
                f"inner_steps: expected {len(weights)}, as there are as many weights; got "
                f"{inner_steps}"
            )
        support, tapes, queries = (batch.x_support, batch.y_support), [], []
        for theta, step in inner_loop(model, theta, *support, inner_lr, inner_steps, minibatch):
            tapes.append(step.tape)
            queries.append(model.loss_and_grad(theta, batch.x_query, batch.y_query))
        v = 0.0
        for tape, weight, (_, q) in zip(reversed(tapes), reversed(weights), reversed(queries)):
            v = v + weight * q  # add this step's query gradient before propagating further back
            v = v - model.rop(tape, inner_lr * v)
        return queries[-1][0], v

    return grad


def conjugate_gradients(product, b, steps):
    """An approximate solution x (..., P) of product(x) = b (..., P), for a product that is
    symmetric and positive definite.

    After `steps` steps x is the best in the space they span (Hestenes & Stiefel 1952); P steps are
    exact but for rounding."""
    x, residual = np.zeros_like(b), b.copy()
    direction, square = residual, np.sum(residual * residual, axis=-1, keepdims=True)
    for _ in range(steps):
        step = product(direction)
        curvature = np.sum(direction * step, axis=-1, keepdims=True)
        # 0: solved, or not convex there
        rate = np.divide(square, curvature, out=np.zeros_like(square), where=curvature > 0)
        x, residual = x + rate * direction, residual - rate * step
        before, square = square, np.sum(residual * residual, axis=-1, keepdims=True)
        direction = (
            residual
            + np.divide(square, before, out=np.zeros_like(square), where=before > 0) * direction
        )
    return x


def imaml_grad(strength, cg_steps=5):
    """The implicit meta-gradient of iMAML (Rajeswaran et al. 2019, algorithm 2), as a function like
    maml_grad.

    Its inner problem is the support loss plus strength / 2 |phi - theta|^2, descended from theta
    for inner_steps steps. At the minimum, d phi / d theta = (I + H / strength)^-1, whatever the way
    there: one tape is kept, and conjugate gradients solve for the query gradient. Only as right as
    the inner problem and the system are solved."""

    @mean_over_tasks
    def grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        phi = theta
        # an inner loop of its own, for it descends on another loss
        for x, y in inner_batches(batch.x_support, batch.y_support, inner_steps, minibatch):
            phi = phi - inner_lr * (model.backprop(phi, x, y).grad + strength * (phi - theta))
        tape = model.backprop(phi, batch.x_support, batch.y_support).tape
        loss, q = model.loss_and_grad(phi, batch.x_query, batch.y_query)
        return loss, conjugate_gradients(lambda v: v + model.rop(tape, v) / strength, q, cg_steps)

    return grad
