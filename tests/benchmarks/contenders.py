"""The contenders: each builds the whole meta-step (sample, meta-gradient, Adam) of one cell of the tables.

A builder takes a Cell and returns two functions: run(n) does n meta-steps and waits for the last; gradient(theta, batch)
is the meta-gradient inside them, on given numbers, so that all contenders can be checked against one another.
Each library is imported by its own contender alone; `serve` is the process that one contender lives in.
"""

import itertools
import math
import time
import tracemalloc
from typing import NamedTuple

import numpy as np

SIZES, INNER_LR = [1, 40, 40, 1], 0.01
OUTER_LR = 1e-5  # a hundredth of what one trains with: all stay near where they start, and none diverges on the way
SCAN = 50  # meta-steps a call, for the contender jax_scan


class Cell(NamedTuple):
    method: str  # maml, fomaml; for memory also reptile
    tasks: int = 1
    steps: int = 1
    shots: int = 10  # support points, and as many query points
    dtype: str = "float32"


def start(seed=0):
    """theta (P,): W1, b1, W2, b2, W3, b3, each from U(-1, 1)/sqrt(fan_in)."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(-1, 1, (i + 1) * o) / i**0.5 for i, o in zip(SIZES, SIZES[1:])]).astype("float32")


def unpack(theta):
    """[W1, b1, W2, b2, W3, b3] as views; W (d_in, d_out), b (1, d_out)."""
    shapes = [shape for i, o in zip(SIZES, SIZES[1:]) for shape in ((i, o), (1, o))]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends[:-1]), shapes)]


def tinymeta(cell):
    """This package, through its public functions alone."""
    import tinymeta as tm

    model, tasks, adam, rng = tm.MLP(SIZES), tm.SineTasks(), tm.Adam(OUTER_LR), np.random.default_rng(0)
    meta_grad = getattr(tm, cell.method + "_grad")
    theta = start().astype(cell.dtype)

    def run(n):
        nonlocal theta
        for _ in range(n):
            batch = tasks.sample(rng, cell.tasks, cell.shots)
            loss, grad = meta_grad(model, theta, batch, INNER_LR, cell.steps)
            theta = adam.step(theta, grad)

    return run, lambda theta, batch: meta_grad(model, theta, tm.TaskBatch(*batch), INNER_LR, cell.steps)[1]


def pytorch(cell, batched, threads=None):
    """Functional weights, autograd.grad in the inner loop, Adam in its fused form (the fastest of the three).

    batched: every task has its own copy of the weights, and each layer is one batched product; torch.func's vmap and grad
    took 1.2 to 4 times as long. Threads: one by one a task is as fast or faster in one thread (with two, a step stalls
    for 30 ms whenever another process wants a core); batched runs both ways, and the faster counts."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    params = [torch.from_numpy(part.copy()).requires_grad_() for part in unpack(start())]
    adam = torch.optim.Adam(params, lr=OUTER_LR, fused=True)
    layer = torch.baddbmm if batched else torch.addmm
    rate = INNER_LR / cell.shots  # the inner loss is summed over points (and, batched, over tasks): that is one operation

    def net(weights, x):
        W1, b1, W2, b2, W3, b3 = weights
        return layer(b3, torch.relu(layer(b2, torch.relu(layer(b1, x, W1)), W2)), W3)

    def query_loss(weights, x_support, y_support, x_query, y_query):
        for _ in range(cell.steps):
            loss = torch.nn.functional.mse_loss(net(weights, x_support), y_support, reduction="sum")
            grads = torch.autograd.grad(loss, weights, create_graph=cell.method == "maml")
            weights = [w.sub(g, alpha=rate) for w, g in zip(weights, grads)]
        return torch.nn.functional.mse_loss(net(weights, x_query), y_query)

    def meta_loss(params, batch):
        if batched:
            return query_loss([p.expand(len(batch[0]), *p.shape) for p in params], *batch)
        return sum(query_loss(params, *task) for task in zip(*batch)) / len(batch[0])

    def sample():
        a, b = 0.1 + 4.9 * torch.rand(cell.tasks, 1, 1), 2 * math.pi * torch.rand(cell.tasks, 1, 1)
        x = 10 * torch.rand(cell.tasks, 2 * cell.shots, 1) - 5
        y = a * torch.sin(x + b)
        return x[:, : cell.shots], y[:, : cell.shots], x[:, cell.shots :], y[:, cell.shots :]

    def run(n):
        for _ in range(n):
            adam.zero_grad()
            meta_loss(params, sample()).backward()
            adam.step()

    def gradient(theta, batch):
        params = [torch.from_numpy(part.copy()).requires_grad_() for part in unpack(theta)]
        grads = torch.autograd.grad(meta_loss(params, [torch.from_numpy(array) for array in batch]), params)
        return np.concatenate([g.numpy().ravel() for g in grads])

    return run, gradient


def jax(cell, scan):
    """The whole meta-step in one jitted function, sampling and Adam included; theta a flat vector (a call hands over
    fewer arrays), everything donated. scan: SCAN meta-steps in one call, for those who need nothing in between."""
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    theta, unravel = ravel_pytree([jnp.asarray(part) for part in unpack(start())])

    def loss(weights, x, y):
        W1, b1, W2, b2, W3, b3 = weights
        return jnp.mean((jax.nn.relu(jax.nn.relu(x @ W1 + b1) @ W2 + b2) @ W3 + b3 - y) ** 2)

    def query_loss(weights, x_support, y_support, x_query, y_query):
        for _ in range(cell.steps):
            grads = jax.grad(loss)(weights, x_support, y_support)
            if cell.method == "fomaml":
                grads = jax.lax.stop_gradient(grads)
            weights = [w - INNER_LR * g for w, g in zip(weights, grads)]
        return loss(weights, x_query, y_query)

    def meta_loss(theta, batch):
        return jax.vmap(query_loss, (None, 0, 0, 0, 0))(unravel(theta), *batch).mean()

    def sample(key):
        keys = jax.random.split(key, 3)
        a = jax.random.uniform(keys[0], (cell.tasks, 1, 1), minval=0.1, maxval=5)
        b = jax.random.uniform(keys[1], (cell.tasks, 1, 1), maxval=2 * math.pi)
        x = jax.random.uniform(keys[2], (cell.tasks, 2 * cell.shots, 1), minval=-5, maxval=5)
        y = a * jnp.sin(x + b)
        return x[:, : cell.shots], y[:, : cell.shots], x[:, cell.shots :], y[:, cell.shots :]

    def meta_step(state, _=None):
        theta, m, v, t, key = state
        key, sample_key = jax.random.split(key)
        loss, g = jax.value_and_grad(meta_loss)(theta, sample(sample_key))
        t, m, v = t + 1, 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g  # Adam; optax's takes as long
        theta = theta - OUTER_LR * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return (theta, m, v, t, key), loss

    state = (theta, jnp.zeros_like(theta), jnp.zeros_like(theta), jnp.float32(0), jax.random.key(0))
    call = jax.jit((lambda state: jax.lax.scan(meta_step, state, length=SCAN)) if scan else meta_step, donate_argnums=0)

    def run(n):
        nonlocal state
        for _ in range(n):
            state, loss = call(state)
        jax.block_until_ready((state, loss))

    return run, lambda theta, batch: np.asarray(jax.jit(jax.grad(meta_loss))(theta, batch))


def products(cell):
    """The matrix products of the meta-step and nothing else: no sampling, bias, activation, loss, sum over tasks, Adam.

    Counted, for each task (each has its own weights, also in the first step): three large products a gradient
    (10x40 by 40x40 forward; 40x10 by 10x40 for W2; 10x40 by 40x40 back) and five thin ones of the first and last layer;
    six large and eight thin a Hessian-vector product. FOMAML: steps + 1 gradients; MAML: as many Hessian-vector products
    as steps on top. Every product has an array to go to, the same one at every inner step (so less memory is touched
    than by any true meta-step). Products of inner dimension 1 (the first layer forward, the last one back) are a
    broadcast np.multiply, 2.7 times as fast as np.matmul from 25 tasks on; all others are np.matmul."""
    rng, T, K, width = np.random.default_rng(0), cell.tasks, cell.shots, SIZES[1]

    def array(*shape):
        return rng.standard_normal((T, *shape)).astype(cell.dtype)

    def turned(a):
        return a.swapaxes(-1, -2)

    (W1, W2, W3), (V1, V2, V3) = ([array(i, o) for i, o in zip(SIZES, SIZES[1:])] for _ in range(2))
    x, h1, h2, Rh1, Rh2 = array(K, 1), *(array(K, width) for _ in range(4))
    d1, d2, d3, Rd1, Rd2, Rd3 = (array(K, n) for n in 2 * (width, width, 1))
    gradient = [(x, W1), (h1, W2), (h2, W3)]
    gradient += [(turned(h2), d3), (d3, turned(W3)), (turned(h1), d2), (d2, turned(W2)), (turned(x), d1)]
    hvp = [(x, V1), (Rh1, W2), (h1, V2), (Rh2, W3), (h2, V3)]
    hvp += [(turned(Rh2), d3), (turned(h2), Rd3), (d3, turned(V3)), (Rd3, turned(W3))]
    hvp += [(turned(Rh1), d2), (turned(h1), Rd2), (d2, turned(V2)), (Rd2, turned(W2)), (turned(x), Rd1)]

    def with_place(a, b):
        return np.multiply if a.shape[-1] == 1 else np.matmul, a, b, np.empty_like(a @ b)

    gradient, hvp = ([with_place(a, b) for a, b in pairs] for pairs in (gradient, hvp))
    step = gradient * (cell.steps + 1) + (hvp * cell.steps if cell.method == "maml" else [])

    def run(n):
        for _ in range(n):
            for multiply, a, b, out in step:
                multiply(a, b, out=out)

    return run, None


BUILDERS = {
    "tinymeta": tinymeta,
    "eager": lambda cell: pytorch(cell, batched=False, threads=1),
    "batched": lambda cell: pytorch(cell, batched=True),
    "batched_1": lambda cell: pytorch(cell, batched=True, threads=1),
    "jax": lambda cell: jax(cell, scan=False),
    "jax_scan": lambda cell: jax(cell, scan=True),
    "products": products,
}


def peak_memory(cell):
    """The most bytes held at a time, kept buffers included, by the first two meta-gradients of this process."""
    _, gradient = BUILDERS["tinymeta"](cell)
    theta = start().astype(cell.dtype)
    batch = np.random.default_rng(0).uniform(-5, 5, (4, cell.tasks, cell.shots, 1)).astype(cell.dtype)
    tracemalloc.start()
    gradient(theta, batch), gradient(theta, batch)
    return tracemalloc.get_traced_memory()[1]


def train(iterations, seeds, dtype, meta_batch_size, phase, scheme):
    """Seconds that meta_train takes for MAML with one inner step; seeds=None: one theta (P,), else (seeds, P)."""
    import tinymeta as tm

    model, rng = tm.MLP(SIZES), np.random.default_rng(0)
    theta = np.array([model.init(rng, dtype, scheme) for _ in range(seeds or 1)])
    theta = theta if seeds else theta[0]
    begin = time.perf_counter()
    tm.meta_train(
        tm.maml_grad, model, theta, tm.SineTasks(phase=phase), rng=rng, iterations=iterations,
        meta_batch_size=meta_batch_size, shots=10, inner_lr=INNER_LR, optimizer=tm.Adam(1e-3),
    )  # fmt: skip
    return time.perf_counter() - begin


def block(run, chunk, seconds):
    """Seconds that one call takes, over chunks of calls until `seconds` have passed."""
    begin = time.perf_counter()
    for n in itertools.count(1):
        run(chunk)
        if (elapsed := time.perf_counter() - begin) > seconds:
            return elapsed / (n * chunk)


def serve(connection, name):
    """The life of a contender's process: wait on the pipe (asleep, not spinning), do what is asked, answer."""
    built = {}
    while True:
        try:
            task, *arguments = connection.recv()
        except EOFError:
            return
        if task == "time":  # seconds a meta-step takes, over a block of some `seconds`
            cell, seconds = arguments
            if cell not in built:
                run, _ = BUILDERS[name](cell)
                run(1)  # compiles
                built[cell] = run, math.ceil(seconds / 10 / min(block(run, 1, 0) for _ in range(5)))
            run, chunk = built[cell]
            run(1)  # wakes what the others' turns have put to sleep
            connection.send(block(run, chunk, seconds) / (SCAN if name == "jax_scan" else 1))
        elif task == "gradient":
            cell, theta, batch = arguments
            connection.send(BUILDERS[name](cell)[1](theta, batch))
        else:
            connection.send({"peak": peak_memory, "train": train}[task](*arguments))
