"""Eight implementations of MAML, A to H, for 07_bug_hunt.py. Let the numbers speak
before you read them.

Each has

    meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None)
        -> (loss, gradient (P,)), the means over the tasks
    adapt(model, theta, x, y, inner_lr, inner_steps)
        -> theta (P,) fine-tuned on one task, x (K, d_in), y (K, d_out)

minibatch is not used.
"""

import collections

import numpy as np

from tinymeta.checks import complex_step


def descend(model, theta, x, y, inner_lr, inner_steps):
    """Return theta_0 ... theta_k."""
    thetas = [theta]
    for _ in range(inner_steps):
        thetas.append(thetas[-1] - inner_lr * model.grad(thetas[-1], x, y))
    return thetas


class A:
    def inner_backward(model, theta, x, y):
        tape, grad = model.forward(theta, x), np.empty_like(theta)
        delta = back = model.loss_fn.grad(tape.z[-1], y)
        for layer in reversed(range(len(tape.W))):
            gW, gb = model.unpack(grad)[layer]
            gW[...], gb[...] = tape.inputs[layer].T @ delta, delta.sum(axis=0)
            if layer > 0:
                back = back @ tape.layers[layer][0].T
                delta = back * model.activation_fn.slope(tape.z[layer - 1])
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
            theta = theta - inner_lr * A.inner_backward(model, theta, x, y)
        return theta


class B:
    def backward_2(model, theta, x, y, v):
        """The derivative of the backward pass along v."""
        tape = model.backprop(theta, x, y).tape
        product, change = np.empty_like(theta), [np.zeros_like(x)]
        for i, (V, Vb) in enumerate(model.unpack(v)):
            change.append(tape.inputs[i] @ V + change[i] @ tape.layers[i][0] + Vb)
            if i + 1 < len(tape.W):
                change[-1] *= tape.slope[i]
        d = model.loss_fn.hvp(tape.z[-1], y, change[-1])
        for i in reversed(range(len(tape.W))):
            gW, gb = model.unpack(product)[i]
            gW[...], gb[...] = tape.inputs[i].T @ d + change[i].T @ tape.delta[i], d.sum(axis=0)
            if i > 0:
                V = model.unpack(v)[i][0]
                d = (d @ tape.layers[i][0].T + tape.delta[i] @ V.T) * tape.slope[i - 1]
        return product

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            *way, adapted = descend(model, theta, x, y, inner_lr, inner_steps)
            losses.append(model.loss(adapted, x_query, y_query))
            v = model.grad(adapted, x_query, y_query)
            for before in reversed(way):
                v = v - inner_lr * B.backward_2(model, before, x, y, v)
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class C:
    def product(model, theta, x, y, v):
        """The derivative of both passes along v."""
        tape, out = model.backprop(theta, x, y).tape, np.empty_like(theta)
        layers, last = len(tape.W), len(tape.W) - 1
        Rz, Rh = [], [np.zeros_like(x)]
        for i, (V, Vb) in enumerate(model.unpack(v)):
            Rz.append(tape.inputs[i] @ V + Rh[i] @ tape.layers[i][0] + Vb)
            Rh.append(Rz[i] if i == last else tape.slope[i] * Rz[i])
        Rdelta = Rh[-1] * 2 / y.size
        for i in reversed(range(layers)):
            gW, gb = model.unpack(out)[i]
            gW[...] = tape.inputs[i].T @ Rdelta + Rh[i].T @ tape.delta[i]
            gb[...] = Rdelta.sum(axis=0)
            if i > 0:
                W, V, z = tape.layers[i][0], model.unpack(v)[i][0], tape.z[i - 1]
                Rdelta = tape.slope[i - 1] * (Rdelta @ W.T + tape.delta[i] @ V.T)
                bend = model.activation_fn.curvature(z) * Rz[i - 1]
                Rdelta = Rdelta + bend * (tape.delta[i] @ W.T)
        return out

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, *query in zip(*batch):
            *way, adapted = descend(model, theta, x, y, inner_lr, inner_steps)
            losses.append(model.loss(adapted, *query))
            v = model.grad(adapted, *query)
            for before in way[::-1]:
                v = v - inner_lr * C.product(model, before, x, y, v)
            total += v
        return np.mean(losses), total / len(losses)

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


class D:
    def forward(model, theta, x, y, inner_lr, inner_steps):
        loss, tapes = model.loss(theta, x, y), []
        for _ in range(inner_steps):
            step = model.backprop(theta, x, y)
            tapes.append(step.tape)
            theta = theta - inner_lr * step.grad
            loss = model.loss(theta, x, y)
        return theta, loss, tapes

    def backward(model, tapes, v, inner_lr):
        for tape in tapes[::-1]:
            v = v - inner_lr * model.rop(tape, v)
        return v

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, grads = [], []
        for x, y, x_query, y_query in zip(*batch):
            adapted, loss, tapes = D.forward(model, theta, x, y, inner_lr, inner_steps)
            v = model.grad(adapted, x_query, y_query)
            grads.append(D.backward(model, tapes, v, inner_lr))
            losses.append(loss)
        return sum(losses) / len(losses), sum(grads) / len(grads)

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return D.forward(model, theta, x, y, inner_lr, inner_steps)[0]


class E:
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        tasks = []
        for x, y, *query in zip(*batch):
            fast, graph = theta, []
            for _ in range(inner_steps):
                graph.append(lambda v, at=fast: v - inner_lr * model.hvp(at, x, y, v))
                fast = fast - inner_lr * model.grad(fast, x, y)
            tasks.append((fast, query, graph))
        losses, grads = [], []
        for fast, query, graph in tasks:
            losses.append(model.loss(fast, *query))
            v = model.grad(fast, *query)
            for back in reversed(graph):
                v = back(v)
            grads.append(v)
        return np.mean(losses), np.mean(grads, axis=0)

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        for _ in range(inner_steps):
            theta = theta - inner_lr * model.grad(theta, x, y)
        return theta


class F:
    class Parameters:
        """A theta with a place for its gradient, which backward adds to."""

        def __init__(self, theta):
            self.value, self.grad = theta.copy(), np.zeros_like(theta)

        def backward(self, model, x, y, at):
            self.grad += model.grad(at, x, y)
            return self.grad.copy()

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total, parameters = [], np.zeros_like(theta), F.Parameters(theta)
        for x, y, x_query, y_query in zip(*batch):
            fast, way = parameters.value, []
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
    def one_task(model, theta, x, y, x_query, y_query, inner_lr, inner_steps):
        tapes = collections.deque(maxlen=2)
        for _ in range(inner_steps):
            step = model.backprop(theta, x, y)
            tapes.append(step.tape)
            theta = theta - inner_lr * step.grad
        query = model.backprop(theta, x_query, y_query)
        v = query.grad
        while tapes:
            v = v - model.rop(tapes.pop(), inner_lr * v)
        return query.loss, v

    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        tasks = [G.one_task(model, theta, *t, inner_lr, inner_steps) for t in zip(*batch)]
        losses, grads = zip(*tasks)
        return np.mean(losses), np.mean(grads, axis=0)

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        for _ in range(inner_steps):
            theta = theta - inner_lr * model.backprop(theta, x, y).grad
        return theta


class H:
    def meta_grad(model, theta, batch, inner_lr, inner_steps=1, minibatch=None):
        losses, total = [], np.zeros_like(theta)
        for x, y, x_query, y_query in zip(*batch):
            thetas = descend(model, theta, x, y, inner_lr, inner_steps)
            v = model.grad(thetas[-1], x_query, y_query)
            for t in thetas[-2::-1]:
                v = v - complex_step(lambda t, x=x, y=y: model.grad(t, x, y), t, inner_lr * v)
            losses.append(model.loss(thetas[-1], x_query, y_query))
            total += v / len(batch.x_query)
        return np.mean(losses), total

    def adapt(model, theta, x, y, inner_lr, inner_steps):
        return descend(model, theta, x, y, inner_lr, inner_steps)[-1]


ALL = {"A": A, "B": B, "C": C, "D": D, "E": E, "F": F, "G": G, "H": H}
