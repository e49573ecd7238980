"""Seven implementations of MAML, A to G, for the bug hunt of 07_bug_hunt.py. Let the numbers speak
before you read them.

Each has

    meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None)
        -> (loss, gradient (P,)), the mean over the tasks
    adapt(model, theta, x, y, inner_lr, inner_steps)
        -> theta (P,) fine-tuned on one task, x (K, d_in), y (K, d_out)

minibatch is not used. What is wrong with six of them has been wrong in public; the code here is our
own.
"""

import numpy as np

from tinymeta.checks import complex_step


def descend(model, theta, x, y, inner_lr, inner_steps):
    """theta_0 ... theta_k."""
    thetas = [theta]
    for _ in range(inner_steps):
        thetas.append(thetas[-1] - inner_lr * model.grad(thetas[-1], x, y))
    return thetas


class A:
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, *query in zip(*batch):
            *way, adapted = descend(model, theta, x, y, inner_lr, inner_steps)
            losses.append(model.loss(adapted, x, y))
            v = model.grad(adapted, x, y)
            for before in reversed(way):
                v = v - inner_lr * model.hvp(before, x, y, v)
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class B:
    def inner_backward(model, theta, x, y):
        tape, grad = model.forward(theta, x), np.empty_like(theta)
        delta = back = model.loss_fn.grad(tape.z[-1], y)
        for l, (gW, gb) in reversed([*enumerate(model.unpack(grad))]):
            gW[...], gb[...] = tape.inputs[l].T @ delta, delta.sum(axis=0)
            if l > 0:
                back = back @ tape.layers[l][0].T
                delta = back * model.activation_fn.slope(tape.z[l - 1])
        return grad

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            *way, adapted = descend(model, theta, x, y, inner_lr, inner_steps)
            losses.append(model.loss(adapted, x_query, y_query))
            v = model.grad(adapted, x_query, y_query)
            for before in reversed(way):
                v = v - inner_lr * model.hvp(before, x, y, v)
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        for _ in range(inner_steps):
            theta = theta - inner_lr * B.inner_backward(model, theta, x, y)
        return theta


class C:
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            thetas = descend(model, theta, x, y, inner_lr, inner_steps)
            v = model.grad(thetas[-1], x_query, y_query)
            for t in thetas[-2::-1]:
                v = v - complex_step(lambda t: model.grad(t, x, y), t, inner_lr * v)
            losses.append(model.loss(thetas[-1], x_query, y_query))
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class D:
    def backward_2(model, theta, x, y, v):
        """The derivative of the backward pass along v."""
        tape = model.backprop(theta, x, y).tape
        product, change = np.empty_like(theta), [np.zeros_like(x)]
        for l, (V, Vb) in enumerate(model.unpack(v)):
            change.append(tape.inputs[l] @ V + change[l] @ tape.layers[l][0] + Vb)
            if l + 1 < len(tape.layers):
                change[-1] *= tape.slope[l]
        d = model.loss_fn.hvp(tape.z[-1], y, change[-1])
        for l, (gW, gb) in reversed([*enumerate(model.unpack(product))]):
            gW[...], gb[...] = tape.inputs[l].T @ d + change[l].T @ tape.delta[l], d.sum(axis=0)
            if l > 0:
                V = model.unpack(v)[l][0]
                d = (d @ tape.layers[l][0].T + tape.delta[l] @ V.T) * tape.slope[l - 1]
        return product

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            *way, adapted = descend(model, theta, x, y, inner_lr, inner_steps)
            losses.append(model.loss(adapted, x_query, y_query))
            v = model.grad(adapted, x_query, y_query)
            for before in reversed(way):
                v = v - inner_lr * D.backward_2(model, before, x, y, v)
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class Parameters:
    """A theta with a place for its gradient, which backward adds to."""

    def __init__(self, theta):
        self.value, self.grad = theta.copy(), np.zeros_like(theta)

    def backward(self, model, x, y, at=None):
        self.grad += model.grad(self.value if at is None else at, x, y)
        return self.grad.copy()


class E:
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            parameters, fast, way = Parameters(theta), theta, []
            for s in range(inner_steps):
                g = parameters.backward(model, x, y) if s == 0 else model.grad(fast, x, y)
                way.append(fast)
                fast = fast - inner_lr * g
            losses.append(model.loss(fast, x_query, y_query))
            v = model.grad(fast, x_query, y_query)
            for before in reversed(way):
                v = v - inner_lr * model.hvp(before, x, y, v)
            parameters.grad += v
            total += parameters.grad
        return np.mean(losses), total / len(losses)

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class F:
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total, parameters = [], np.zeros_like(theta), Parameters(theta)
        for x, y, x_query, y_query in zip(*batch):
            fast, way = theta, []
            for _ in range(inner_steps):
                way.append(fast)
                fast = fast - inner_lr * parameters.backward(model, x, y, at=fast)
                parameters.grad[:] = 0
            losses.append(model.loss(fast, x_query, y_query))
            v = parameters.backward(model, x_query, y_query, at=fast)
            for before in reversed(way):
                v = v - inner_lr * model.hvp(before, x, y, v)
            total += v
        return np.mean(losses), total / len(losses)

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class G:
    def step(model, theta, x, y, inner_lr, graph=None):
        """One step; what backward has to go through is kept in the graph, if there is one."""
        if graph is not None:
            graph.append(lambda v: v - inner_lr * model.hvp(theta, x, y, v))
        return theta - inner_lr * model.grad(theta, x, y)

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            graph, adapted = [], theta
            for _ in range(inner_steps):
                adapted = G.step(model, adapted, x, y, inner_lr)
            losses.append(model.loss(adapted, x_query, y_query))
            v = model.grad(adapted, x_query, y_query)
            for back in reversed(graph):
                v = back(v)
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        for _ in range(inner_steps):
            theta = G.step(model, theta, x, y, inner_lr)
        return theta


ALL = {"A": A, "B": B, "C": C, "D": D, "E": E, "F": F, "G": G}
