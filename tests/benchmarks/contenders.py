"""The contenders: each builds the whole meta-step (sample, meta-gradient, Adam) of one table cell.

A builder takes a Cell and returns two functions: run(n) does n meta-steps and waits for the last;
gradient(theta, batch) is the meta-gradient inside them, on given numbers, so that all contenders
can be checked against one another. Each library is imported by its own contender alone; `serve` is
the process that one contender lives in.

Of tinymeta only names at its root are used, and Ahead in cells that ask for it, so that this file
can also time other versions of it.
"""

import itertools
import math
import sys
import time
import tracemalloc
from typing import NamedTuple

import numpy as np

SIZES, INNER_LR = [1, 40, 40, 1], 0.01
LETTER_SIZES = [196, 64, 64, 5]  # 14 x 14 pixels to 5 classes
# A hundredth of what one trains with: all stay near where they start, and none diverges on the way.
OUTER_LR = 1e-5
SCAN = 50  # meta-steps a call, for the contender jax_scan
AHEAD = 64  # meta-batches that Ahead samples at once


class Cell(NamedTuple):
    method: str  # maml, fomaml, reptile; the peers know the first two
    tasks: int = 1
    steps: int = 1
    shots: int = 10  # support points, and as many query points; for letters, of each class
    width: int = 40  # units in each of the two hidden layers; letters have their own sizes
    # From here on for tinymeta alone.
    dtype: str = "float32"
    activation: str = "relu"
    problem: str = "sine"  # or letters: cross-entropy
    replicas: int = 0  # trained at once by meta_train; 0: the bare meta-step, without meta_train
    ahead: bool = False  # meta_train's tasks are wrapped in Ahead

    def sizes(self):
        return LETTER_SIZES if self.problem == "letters" else [1, self.width, self.width, 1]


def start(seed=0, sizes=SIZES):
    """Return theta (P,): W1, b1, W2, b2, W3, b3, each from U(-1, 1)/sqrt(fan_in)."""
    rng, pairs = np.random.default_rng(seed), zip(sizes, sizes[1:])
    layers = [rng.uniform(-1, 1, (i + 1) * o) / i**0.5 for i, o in pairs]
    return np.concatenate(layers).astype("float32")


def unpack(theta, sizes):
    """Return [W1, b1, W2, b2, W3, b3] as views; W (d_in, d_out), b (1, d_out)."""
    shapes = [shape for i, o in zip(sizes, sizes[1:]) for shape in ((i, o), (1, o))]
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends[:-1]), shapes)]


class Letters:
    """Draw 5-way episodes as GlyphTasks does, with noise in [0, 1) for pixels.

    A batch of each size is drawn once and handed out ever after: drawing takes no time."""

    many_at_once = True  # for Ahead

    def __init__(self):
        self.drawn = {}

    def sample(self, rng, n_tasks, shots, query=None, grid=False):
        """Return a TaskBatch: x (..., 5 shots, 196), y one-hot (..., 5 shots, 5), both float32."""
        if (n_tasks, shots) not in self.drawn:
            self.drawn[n_tasks, shots] = self.draw(rng, n_tasks, shots)
        return self.drawn[n_tasks, shots]

    def draw(self, rng, n_tasks, shots):
        from tinymeta import TaskBatch

        lead = n_tasks if isinstance(n_tasks, tuple) else (n_tasks,)
        d_in, *_, ways = LETTER_SIZES
        x_support, x_query = rng.random((2, *lead, shots * ways, d_in), "float32")
        y = np.zeros((*lead, shots * ways, ways), "float32")
        y[:] = np.tile(np.eye(ways), (shots, 1))
        return TaskBatch(x_support, y, x_query, y)


def tinymeta(cell):
    """Build the cell from this package's public functions alone."""
    import tinymeta as tm

    if cell.problem == "letters":
        criterion, tasks = "cross_entropy", Letters()
    else:
        criterion, tasks = "mse", tm.SineTasks()
    if cell.ahead:
        from tinymeta.tasks import Ahead

        tasks = Ahead(tasks, AHEAD, cell.dtype)
    sizes = cell.sizes()
    model = tm.MLP(sizes, activation=cell.activation, criterion=criterion)
    meta_grad = getattr(tm, cell.method + "_grad")
    adam, rng = tm.Adam(OUTER_LR), np.random.default_rng(0)
    thetas = [start(seed, sizes).astype(cell.dtype) for seed in range(max(1, cell.replicas))]
    theta = np.array(thetas) if cell.replicas > 1 else thetas[0]

    def bare(n):
        nonlocal theta
        for _ in range(n):
            batch = tasks.sample(rng, cell.tasks, cell.shots)
            loss, grad = meta_grad(model, theta, batch, INNER_LR, cell.steps)
            theta = adam.step(theta, grad)

    def trained(n):
        nonlocal theta
        theta, history = tm.meta_train(
            meta_grad, model, theta, tasks, rng=rng, iterations=n, meta_batch_size=cell.tasks,
            shots=cell.shots, inner_lr=INNER_LR, inner_steps=cell.steps, optimizer=adam,
        )  # fmt: skip

    def gradient(theta, batch):
        return meta_grad(model, theta, tm.TaskBatch(*batch), INNER_LR, cell.steps)[1]

    return trained if cell.replicas else bare, gradient


def pytorch(cell, batched, threads=None):
    """Use functional weights, autograd.grad inside, and fused Adam (the fastest of the three).

    batched: every task has its own copy of the weights, and each layer is one batched product;
    torch.func's vmap and grad took 1.2 to 4 times as long. Threads: one by one a task is as fast or
    faster in one thread (with two, a step stalls for 30 ms whenever another process wants a core);
    batched runs both ways, and the faster counts."""
    import torch
    from torch.nn.functional import mse_loss

    if threads:
        torch.set_num_threads(threads)
    sizes = cell.sizes()

    def leaves(theta):
        return [torch.from_numpy(w.copy()).requires_grad_() for w in unpack(theta, sizes)]

    params = leaves(start(sizes=sizes))
    adam = torch.optim.Adam(params, lr=OUTER_LR, fused=True)
    layer = torch.baddbmm if batched else torch.addmm
    # The inner loss is summed over points (and, batched, over tasks): that is one operation.
    rate = INNER_LR / cell.shots

    def net(weights, x):
        W1, b1, W2, b2, W3, b3 = weights
        return layer(b3, torch.relu(layer(b2, torch.relu(layer(b1, x, W1)), W2)), W3)

    def query_loss(weights, x_support, y_support, x_query, y_query):
        for _ in range(cell.steps):
            loss = mse_loss(net(weights, x_support), y_support, reduction="sum")
            grads = torch.autograd.grad(loss, weights, create_graph=cell.method == "maml")
            weights = [w.sub(g, alpha=rate) for w, g in zip(weights, grads)]
        return mse_loss(net(weights, x_query), y_query)

    def meta_loss(params, batch):
        if batched:
            return query_loss([p.expand(len(batch[0]), *p.shape) for p in params], *batch)
        return sum(query_loss(params, *task) for task in zip(*batch)) / len(batch[0])

    def sample():
        a, b = 0.1 + 4.9 * torch.rand(cell.tasks, 1, 1), 2 * math.pi * torch.rand(cell.tasks, 1, 1)
        x = 10 * torch.rand(cell.tasks, 2 * cell.shots, 1) - 5
        y = a * torch.sin(x + b)
        K = cell.shots
        return x[:, :K], y[:, :K], x[:, K:], y[:, K:]

    def run(n):
        for _ in range(n):
            adam.zero_grad()
            meta_loss(params, sample()).backward()
            adam.step()

    def gradient(theta, batch):
        params = leaves(theta)
        loss = meta_loss(params, [torch.from_numpy(array) for array in batch])
        grads = torch.autograd.grad(loss, params)
        return np.concatenate([g.numpy().ravel() for g in grads])

    return run, gradient


def jax(cell, call):
    """Put the whole meta-step into one jitted function, Adam included.

    theta is a flat vector (a call hands over fewer arrays), everything is donated. What a call
    does: "inside" samples too; "scan" does SCAN such meta-steps, for those who need nothing in
    between; "fed" gets its tasks from tinymeta's SineTasks, as one who has data of their own."""
    import jax
    import jax.numpy as jnp
    from jax.flatten_util import ravel_pytree

    sizes, K = cell.sizes(), cell.shots
    theta, unravel = ravel_pytree([*map(jnp.asarray, unpack(start(sizes=sizes), sizes))])

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
        x = jax.random.uniform(keys[2], (cell.tasks, 2 * K, 1), minval=-5, maxval=5)
        y = a * jnp.sin(x + b)
        return x[:, :K], y[:, :K], x[:, K:], y[:, K:]

    def fed(state, batch):
        theta, m, v, t, key = state
        loss, g = jax.value_and_grad(meta_loss)(theta, batch)
        t, m, v = t + 1, 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g  # Adam; optax's takes as long
        theta = theta - OUTER_LR * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return (theta, m, v, t, key), loss

    def inside(state, _=None):
        *rest, key = state
        key, sample_key = jax.random.split(key)
        return fed((*rest, key), sample(sample_key))

    def scan(state):
        return jax.lax.scan(inside, state, length=SCAN)

    state = (theta, jnp.zeros_like(theta), jnp.zeros_like(theta), jnp.float32(0), jax.random.key(0))
    step = jax.jit({"fed": fed, "inside": inside, "scan": scan}[call], donate_argnums=0)
    if call == "fed":
        from tinymeta import SineTasks

        tasks, rng = SineTasks(), np.random.default_rng(0)

    def draw():
        return [array.astype("float32") for array in tasks.sample(rng, cell.tasks, K)]

    def run(n):
        nonlocal state
        for _ in range(n):
            state, loss = step(state, draw()) if call == "fed" else step(state)
        jax.block_until_ready((state, loss))

    return run, lambda theta, batch: np.asarray(jax.jit(jax.grad(meta_loss))(theta, batch))


def products(cell):
    """Do the matrix products of the meta-step and nothing else.

    That is: no sampling, bias, activation, loss, sum over tasks, Adam. Counted, for each task (each
    has its own weights, also in the first step): three large products a gradient (10x40 by 40x40
    forward; 40x10 by 10x40 for W2; 10x40 by 40x40 back) and five thin ones of the first and last
    layer; six large and eight thin a Hessian-vector product. FOMAML: steps + 1 gradients; MAML: as
    many Hessian-vector products as steps on top. Every product has an array to go to, the same one
    at every inner step (so less memory is touched than by any true meta-step). Products of inner
    dimension 1 (the first layer forward, the last one back) are a broadcast np.multiply, 2.7 times
    as fast as np.matmul from 25 tasks on; all others are np.matmul."""
    rng, sizes = np.random.default_rng(0), cell.sizes()
    T, K, width = cell.tasks, cell.shots, cell.width

    def array(*shape):
        return rng.standard_normal((T, *shape)).astype(cell.dtype)

    def turned(a):
        return a.swapaxes(-1, -2)

    def weights():
        return [array(i, o) for i, o in zip(sizes, sizes[1:])]

    (W1, W2, W3), (V1, V2, V3) = weights(), weights()
    x, h1, h2, Rh1, Rh2 = array(K, 1), *(array(K, width) for _ in range(4))
    d1, d2, d3, Rd1, Rd2, Rd3 = (array(K, n) for n in 2 * (width, width, 1))
    gradient = [(x, W1), (h1, W2), (h2, W3)]
    gradient += [(turned(h2), d3), (d3, turned(W3)), (turned(h1), d2), (d2, turned(W2))]
    gradient += [(turned(x), d1)]
    hvp = [(x, V1), (Rh1, W2), (h1, V2), (Rh2, W3), (h2, V3)]
    hvp += [(turned(Rh2), d3), (turned(h2), Rd3), (d3, turned(V3)), (Rd3, turned(W3))]
    hvp += [(turned(Rh1), d2), (turned(h1), Rd2), (d2, turned(V2)), (Rd2, turned(W2))]
    hvp += [(turned(x), Rd1)]

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
    "jax": lambda cell: jax(cell, "inside"),
    "jax_scan": lambda cell: jax(cell, "scan"),
    "jax_fed": lambda cell: jax(cell, "fed"),
    "products": products,
}


def peak_memory(cell):
    """Return the most bytes that two meta-gradients hold at a time."""
    _, gradient = BUILDERS["tinymeta"](cell)
    theta = start(sizes=cell.sizes()).astype(cell.dtype)
    batch = np.random.default_rng(0).uniform(-5, 5, (4, cell.tasks, cell.shots, 1))
    batch = batch.astype(cell.dtype)
    tracemalloc.start()
    for _ in range(2):
        gradient(theta, batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def page_faults(cell, n=5):
    """Return how many pages the system maps in a meta-step: the mean over n, after n others."""
    from resource import RUSAGE_SELF, getrusage  # not on Windows

    run, _ = BUILDERS["tinymeta"](cell)
    run(n)
    before = getrusage(RUSAGE_SELF).ru_minflt
    run(n)
    return (getrusage(RUSAGE_SELF).ru_minflt - before) / n


def train(iterations, seeds, dtype, meta_batch_size, phase, scheme):
    """Return the seconds that meta_train takes for MAML with one inner step.

    seeds=None: one theta (P,), else (seeds, P)."""
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


def block(run, chunk, seconds, clock):
    """Return the seconds that one call takes, over chunks of calls until `seconds` have passed."""
    begin = clock()
    for n in itertools.count(1):
        run(chunk)
        if (elapsed := clock() - begin) > seconds:
            return elapsed / (n * chunk)


def origin():
    """Return the file that tinymeta was imported from, in this process."""
    import tinymeta as tm

    return tm.__file__


ANSWERS = {"peak": peak_memory, "faults": page_faults, "train": train, "origin": origin}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def serve(connection, name, root, clock):
    """Live as a contender: wait on the pipe (asleep, not spinning), do what is asked, answer.

    root: the folder whose tinymeta is to be imported; None: the one that Python finds."""
    clock = CLOCKS[clock]
    if root is not None:
        sys.path.insert(0, root)  # the builders import it, later
    built = {}
    while True:
        try:
            task, *arguments = connection.recv()
        except EOFError:
            return
        if task == "time":  # seconds a meta-step takes, over a block of about `seconds`
            cell, seconds = arguments
            if cell not in built:
                run, _ = BUILDERS[name](cell)
                run(1)  # compiles
                trains = cell.replicas > 0  # in one call, whose first step checks more
                fastest = min(block(run, 20 if trains else 1, 0, clock) for _ in range(5))
                chunk = math.ceil(seconds / (1 if trains else 10) / fastest)
                if cell.ahead:  # in AHEAD meta-steps one samples: the others alone are too fast
                    chunk = AHEAD * math.ceil(chunk / AHEAD)
                built[cell] = run, chunk
            run, chunk = built[cell]
            run(1)  # wakes what the others' turns have put to sleep
            elapsed = block(run, chunk, seconds, clock)
            connection.send(elapsed / (SCAN if name == "jax_scan" else 1))
        elif task == "gradient":
            cell, theta, batch = arguments
            connection.send(BUILDERS[name](cell)[1](theta, batch))
        else:
            connection.send(ANSWERS[task](*arguments))
