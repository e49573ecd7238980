"""Prototypical networks by hand: learn an embedding in which a class is where its points are.

    e   = f(x)                      the embedding, the outputs of a network        (K, D)
    c_n = mean of e over class n    its prototype, of the support points           (ways, D)
    z   = -|e - c_n|^2              the logits of a query point                    (K_query, ways)

The loss is the cross-entropy of z on the query points. Nothing adapts: a new task has no inner loop
and no head, only means. With p the softmax of z, y the labels, and delta = (p - y) / K_query, the
derivative of the loss with respect to

    a query embedding e             2 sum_n delta_n c_n
    a prototype c_n                 2 sum over the query points of delta_n (e - c_n)
    a support embedding of class n  that of c_n, over the number of points of the class

and from the embeddings on, the network's own backward pass continues. Source: Snell et al. 2017,
"Prototypical networks for few-shot learning"."""

import copy
from dataclasses import dataclass

from .. import _validate
from ..evaluation import accuracy
from ..losses import LOSSES, Loss
from ..meta import mean_over_tasks
from ..mlp import MLP, transpose


def linear_value(outputs, y):
    return (outputs * y).sum(axis=(-2, -1))


def linear_grad(outputs, y):  # noqa: ARG001
    return y


def linear_hvp(outputs, y, Routputs):  # noqa: ARG001
    return 0 * Routputs


# A loss that is linear in the outputs: its gradient is y itself, so that `backward(tape, delta)`
# continues from any derivative delta of a later loss with respect to the outputs.
LINEAR = Loss(linear_value, linear_grad, linear_hvp)
CROSS_ENTROPY = LOSSES["cross_entropy"]


def with_linear_loss(network):
    """Return a copy of the network whose `backward(tape, delta)` continues from any derivative
    delta (..., K, d) of a later loss with respect to the outputs."""
    network = copy.copy(network)
    network.loss_fn = LINEAR
    return network


@dataclass(frozen=True)
class ProtoNet:
    """A network whose outputs are an embedding, as a model for tasks of `ways` classes.

    Its parameters are those of the network, and its labels one-hot rows with `ways` columns. The
    width of the embedding is free, and the network's criterion plays no part.

    Parameters
    ----------
    embedding : MLP
    ways : int
        The number of classes of a task, at least 2.

    Raises
    ------
    TypeError
        If embedding is no MLP.
    ValueError
        If ways is not a whole number of at least 2.

    Attributes
    ----------
    sizes, criterion, n_params
        Those that the checks of shapes look at.

    Examples
    --------
    >>> model = ProtoNet(MLP([196, 64, 64]), ways=5)
    >>> model.sizes, model.criterion, model.n_params
    ((196, 5), 'cross_entropy', 16768)
    """

    embedding: MLP
    ways: int

    criterion = "cross_entropy"

    def __post_init__(self):
        if not isinstance(self.embedding, MLP):
            raise TypeError(
                f"embedding: expected a network, such as MLP([196, 64, 64]); got {self.embedding!r}"
            )
        _validate.check_count("ways", self.ways, least=2)

    @property
    def sizes(self):
        return self.embedding.sizes[0], self.ways

    @property
    def n_params(self):
        return self.embedding.n_params

    def pull_back(self, tape, delta):
        """Return the gradient (..., P) of a loss, from its derivative delta (..., K, D) with
        respect to the outputs of the tape."""
        return with_linear_loss(self.embedding).backward(tape, delta).grad


def check_model(model):
    if not isinstance(model, ProtoNet):
        raise TypeError(
            f"model: expected a ProtoNet, such as ProtoNet(MLP([196, 64, 64]), 5); got {model!r}"
        )


def weights_of_points(y_support):
    """Return y with its columns divided by their sums, so that its product, transposed, with the
    embeddings is the prototypes: a mean per class."""
    counts = y_support.sum(axis=-2, keepdims=True)
    if (counts.real == 0).any():
        raise ValueError("y_support: expected a point of each class in each task; got none of one")
    return y_support / counts


def logits(prototypes, embedded):
    """Return -|e - c|^2 + |e|^2 for all points and prototypes: the term |e|^2, the same for all
    classes of a point, changes no probability."""
    squares = (prototypes * prototypes).sum(axis=-1)
    return 2 * embedded @ transpose(prototypes) - squares[..., None, :]


@mean_over_tasks
def _protonet_grad(model, theta, batch, inner_lr, inner_steps, minibatch):
    support = model.embedding.forward(theta, batch.x_support)
    query = model.embedding.forward(theta, batch.x_query)
    weights, e = weights_of_points(batch.y_support), query.z[-1]
    c = transpose(weights) @ support.z[-1]
    z = logits(c, e)
    delta = CROSS_ENTROPY.grad(z, batch.y_query)
    e_delta = 2 * delta @ c  # the term -2 e sum_n delta_n is 0: probabilities have the sum 1
    c_delta = 2 * (transpose(delta) @ e - delta.sum(axis=-2)[..., None] * c)
    grad = model.pull_back(query, e_delta) + model.pull_back(support, weights @ c_delta)
    return CROSS_ENTROPY.value(z, batch.y_query), grad


def protonet_grad(model, theta, batch, inner_lr=0.0, inner_steps=1, minibatch=None):
    """Return the cross-entropy of the query points, by their distances from the prototypes, and its
    gradient through both sets.

    It is a meta-gradient for `meta_train`, which passes an inner loop: inner_lr, inner_steps and
    minibatch are checked and ignored.

    Parameters
    ----------
    model : ProtoNet
    theta : array (..., P)
        Parameters of its network.
    batch : TaskBatch
        T tasks, x (T, K, d_in) and one-hot y (T, K, ways), with a support point of each class;
        (S, T, K, d) gives each replica its own.

    Returns
    -------
    loss : array (...)
        The mean over the tasks.
    grad : array (..., P)

    Raises
    ------
    TypeError
        If the model is no ProtoNet.
    ValueError
        As `maml_grad`, and if a class has no support point.

    Examples
    --------
    >>> import numpy as np
    >>> from tinymeta.extras.glyphs import GlyphTasks
    >>> rng, model = np.random.default_rng(0), ProtoNet(MLP([196, 8, 8]), ways=5)
    >>> batch = GlyphTasks("train", ways=5).sample(rng, n_tasks=4, shots=1)
    >>> loss, grad = protonet_grad(model, model.embedding.init(rng), batch)
    >>> loss.shape, grad.shape == (model.n_params,)
    ((), True)

    Source: Snell et al. 2017, algorithm 1.
    """
    check_model(model)
    return _protonet_grad(model, theta, batch, inner_lr, inner_steps, minibatch)


def prototype_accuracy(model, theta, batch):
    """Return the share of query points whose nearest prototype is that of their class.

    Parameters
    ----------
    model : ProtoNet
    theta : array (..., P)
        Parameters of its network, (S, P) for S replicas.
    batch : TaskBatch
        T tasks, as in `protonet_grad`.

    Returns
    -------
    accuracy : array (..., T)

    Raises
    ------
    TypeError, ValueError
        As `protonet_grad`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinymeta import TaskBatch
    >>> model, y = ProtoNet(MLP([1, 1]), ways=2), np.eye(2)[None]
    >>> batch = TaskBatch(np.array([[[0.0], [1.0]]]), y, np.array([[[0.4], [0.3]]]), y)
    >>> prototype_accuracy(model, np.array([1.0, 0.0]), batch).tolist()  # both are nearer to 0
    [0.5]
    """
    check_model(model)
    theta = _validate.as_theta(model, theta)
    batch = _validate.as_batch(model, theta, batch)
    support, query = (
        model.embedding.forward(theta[..., None, :], x).z[-1]
        for x in (batch.x_support, batch.x_query)
    )
    prototypes = transpose(weights_of_points(batch.y_support)) @ support
    return accuracy(logits(prototypes, query), batch.y_query)
