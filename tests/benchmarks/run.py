"""Time tinymeta's meta-steps beside other libraries', or another version's; print Markdown tables.

    python tests/benchmarks/run.py --quick            a first look
    python tests/benchmarks/run.py --long             every table, the whole trainings too
    python tests/benchmarks/run.py --against DIR      this checkout against the one in DIR

Each contender lives in a process of its own; two are timed in turn, block by block, and a cell is
the median of the ratios of neighbouring blocks: what else the machine does falls on both alike.
"""

import argparse
import importlib.metadata
import importlib.util
import itertools
import multiprocessing
import os
import platform
import sys
import time
from math import pi
from pathlib import Path

import numpy as np
from contenders import CLOCKS, Cell, serve, start

ROOT = Path(__file__).resolve().parents[2]
ROWS = ["1x1", "1x5", "25x1", "25x5", "100x1"]
METHODS = ["maml", "fomaml"]  # those of the peers
ALL_METHODS = [*METHODS, "reptile"]
DTYPES = ["float32", "float64"]
LETTERS = {"problem": "letters", "shots": 1}
NETWORKS = {  # title, its rows, what sets its cells apart
    "relu": ("ReLU, mse", ROWS, {}),
    "tanh": ("tanh, mse", ROWS, {"activation": "tanh"}),
    "cross_entropy": ("ReLU, cross-entropy", ["1x1", "16x1", "16x5"], LETTERS),
}
# The three that --against compares, and their replicas.
KINDS = {"bare meta-step": 0, "meta_train": 1, "meta_train, five replicas": 5}
GROWS_WITH = "grows with (else 25 tasks, 10 shots, 1 step)"
PEERS = {  # title, package, contenders: the fastest of them counts
    "eager": ("vs eager PyTorch, task by task", "torch", ["eager"]),
    "batched": ("vs PyTorch, tasks batched", "torch", ["batched", "batched_1"]),
    "jax": ("vs JAX jit + vmap", "jax", ["jax"]),
    "jax_scan": ("vs the same, 50 meta-steps a call", "jax", ["jax_scan"]),
    "products": ("vs its matrix products alone", "numpy", ["products"]),
}


class Contender:
    """Run a contender in its own process; ask it for a task of `contenders.serve`."""

    def __init__(self, name, root=None, clock="wall"):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        spawn.Process(target=serve, args=(theirs, name, root, clock), daemon=True).start()
        theirs.close()

    def ask(self, *task):
        self.pipe.send(task)
        try:
            return self.pipe.recv()
        except EOFError:
            sys.exit(f"a contender ended (its traceback is above) when asked for {task}")

    def time(self, cell, seconds):
        time.sleep(0.03)  # the thread pool of whoever came before stops spinning
        return self.ask("time", cell, seconds)


def ratio(a, cell_a, b, cell_b, pace):
    """Return the median over rounds of a's time over b's, and a's median time in seconds."""
    rounds, seconds = pace

    def pair(turn):
        if turn % 2:  # being first is no advantage over all
            other = b.time(cell_b, seconds)
            return a.time(cell_a, seconds), other
        return a.time(cell_a, seconds), b.time(cell_b, seconds)

    pairs = [pair(turn) for turn in range(rounds)]
    return np.median([one / other for one, other in pairs]), np.median([one for one, _ in pairs])


def print_table(title, head, rows):
    print(f"\n**{title}**\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def parse(row, methods=METHODS, **rest):
    """Return the cells of a row, one for each method."""
    tasks, steps = map(int, row.split("x"))
    return [Cell(method, tasks, steps, **rest) for method in methods]


def join(numbers):
    return " / ".join(f"{number:.2f}" for number in numbers)


def peers_table(rows, peers, pace):
    ours = Contender("tinymeta")
    theirs = {peer: [Contender(name) for name in PEERS[peer][2]] for peer in peers}

    def against(contenders, cell):
        return max(ratio(ours, cell, contender, cell, pace) for contender in contenders)

    def cells_of(row):
        cells = parse(row)
        found = np.array([[against(peer, cell) for cell in cells] for peer in theirs.values()])
        ratios, own = found[..., 0], 1e3 * np.median(found[..., 1], axis=0)
        return [row, join(own), *map(join, ratios)]

    titles = [PEERS[peer][0] for peer in peers]
    head = ["tasks x inner steps, MAML / FOMAML", "tinymeta, ms", *titles]
    title = "Whole meta-step, float32: tinymeta's time over each other's"
    print_table(title, head, map(cells_of, rows))


def rows_of(flags):
    """Yield (title, row, what sets its cells apart) for each row of each network asked for."""
    for name in flags.networks:
        title, rows, rest = NETWORKS[name]
        for row in flags.rows or rows:
            yield title, row, rest


def networks_table(flags, pace):
    rounds, seconds = pace
    ours = Contender("tinymeta")

    def milliseconds(cell):
        return 1e3 * np.median([ours.time(cell, seconds) for _ in range(rounds)])

    def cells_of(title, row, rest):
        cells = [parse(row, flags.methods, dtype=dtype, **rest) for dtype in flags.dtypes]
        return [title, row, *(join(map(milliseconds, of_dtype)) for of_dtype in cells)]

    head = ["network", "tasks x inner steps", *(f"{dtype}, ms" for dtype in flags.dtypes)]
    title = f"Whole meta-step of each network: {' / '.join(flags.methods)}"
    print_table(title, head, (cells_of(*row) for row in rows_of(flags)))


def checkout(root, flags):
    """Start contenders of the tree in a folder; exit if what they import is another tinymeta."""
    root = Path(root).resolve()
    contenders = [Contender("tinymeta", str(root), flags.clock) for _ in range(flags.repeats)]
    origins = {contender.ask("origin") for contender in contenders}
    print(f"- {root} (imported: {', '.join(origins)})", flush=True)
    if origins != {str(root / "tinymeta" / "__init__.py")}:
        sys.exit(f"another tinymeta than {root}'s was imported: is this the root of a checkout?")
    return contenders


def spread(estimates):
    """Return the median in words, and with more than one estimate also the least and largest."""
    bounds = f" ({min(estimates):.2f} to {max(estimates):.2f})" if len(estimates) > 1 else ""
    return f"{np.median(estimates):.2f}{bounds}"


def comparison_table(flags, pace):
    """Compare this tree with another, cell by cell.

    Each repeat has two processes of its own: where a process's arrays lie in memory changes its
    times too, and stays the same as long as the process lives."""
    print("\nThis tree, and the one it is compared with:\n")
    this, that = (checkout(root, flags) for root in (ROOT, flags.against))
    if flags.verify:
        verify({"this tree": this[0], "the other": that[0]})
    medians = {}

    def estimate(label, cell, kind):
        cell = cell._replace(replicas=KINDS[kind])
        estimates = [ratio(one, cell, other, cell, pace)[0] for one, other in zip(this, that)]
        medians[", ".join([*label, kind])] = np.median(estimates)
        return spread(estimates)

    def lines():
        for (title, row, rest), dtype in itertools.product(rows_of(flags), flags.dtypes):
            for cell in parse(row, flags.methods, dtype=dtype, **rest):
                label = [title, row, cell.method, cell.dtype]
                yield label + [estimate(label, cell, kind) for kind in KINDS]

    head = ["network", "tasks x inner steps", "method", "dtype", *KINDS]
    print_table("This tree's time over the other's", head, lines())
    worst = max(medians, key=medians.get)
    print(f"\nWorst cell: {medians[worst]:.2f} ({worst}).")
    mean = np.exp(np.mean(np.log([*medians.values()])))
    print(f"Geometric mean of {len(medians)} cells: {mean:.3f}.", flush=True)


def ratios_tables(rows, pace):
    one, other = Contender("tinymeta"), Contender("tinymeta")

    def second_over_first(tasks):
        found, _ = ratio(one, Cell("maml", tasks), other, Cell("fomaml", tasks), pace)
        return [str(tasks), f"{found:.2f}"]

    def double_over_single(row):
        pairs = zip(parse(row, dtype="float64"), parse(row))
        return [row, join(ratio(one, double, other, single, pace)[0] for double, single in pairs)]

    head = ["tasks", "MAML over FOMAML"]
    title = "Second order over first, one inner step"
    print_table(title, head, map(second_over_first, (1, 25, 100)))
    head = ["tasks x inner steps", "MAML / FOMAML"]
    print_table("float64 over float32", head, map(double_over_single, rows))


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def slope(sizes, values):
    return np.polyfit(np.log(sizes), np.log(values), 1)[0]


def growth_table(pace):
    rounds, seconds = pace
    ours = Contender("tinymeta")

    def row(name, sizes, rest):
        found = []
        for method in METHODS:
            cells = [Cell(method, **{**rest, name: size}) for size in sizes]
            times = [[ours.time(cell, seconds) for cell in cells] for _ in range(rounds)]
            times = np.median(times, axis=0)
            found.append(f"{slope(sizes, times):.2f} ({slope(sizes[-2:], times[-2:]):.2f})")
        return [f"{name} {sizes[0]} to {sizes[-1]}", *found]

    dimensions = [
        ("tasks", (16, 32, 64, 128, 256, 512), {}),
        ("shots", (10, 20, 40, 80, 160, 320), {"tasks": 25}),
        ("steps", (1, 2, 4, 8, 16, 32), {"tasks": 25}),
    ]
    title = "Growth of time, float32: log-log slope (over the last doubling)"
    print_table(title, [GROWS_WITH, "MAML", "FOMAML"], itertools.starmap(row, dimensions))


def memory_table():
    def row(name, sizes, rest):
        found = []
        for method in ALL_METHODS:
            cells = [Cell(method, **{**rest, name: size}) for size in sizes]
            peaks = [Contender("tinymeta").ask("peak", cell) / 2**10 for cell in cells]
            each = np.diff(peaks) / np.diff(sizes)
            found.append("{:.0f}, {:.0f}, {:.0f} ({:.1f}, {:.1f})".format(*peaks, *each))
        return [f"{name} {', '.join(map(str, sizes))}", *found]

    dimensions = ("tasks", (16, 64, 256), {}), ("steps", (2, 8, 32), {"tasks": 25})
    title = "Peak memory of a meta-gradient, float32: KiB (KiB a further task or step)"
    head = [GROWS_WITH, "MAML", "FOMAML", "Reptile"]
    print_table(title, head, itertools.starmap(row, dimensions))


def long_table(share):
    """Time whole trainings; share < 1 runs only that share of them and scales it up."""
    note = f" (estimated from {share:.0%})" if share < 1 else ""

    def row(name, iterations, *rest):
        seconds = Contender("tinymeta").ask("train", int(iterations * share), *rest) / share
        return [name, f"{seconds:.1f}{note}"]

    paper = "the MAML paper's: 70,000 meta-steps of 25 tasks, one seed"
    post = "the post's: 40,000 meta-steps of 1 task, five seeds at once"
    runs = [
        (f"{paper}, float32", 70_000, None, "float32", 25, (0, pi), "truncated_normal"),
        (f"{post}, float32", 40_000, 5, "float32", 1, (0, 2 * pi), "uniform"),
        (f"{post}, float64", 40_000, 5, "float64", 1, (0, 2 * pi), "uniform"),
    ]
    title = "Whole trainings with MAML, one inner step, 10 shots"
    print_table(title, ["run", "seconds"], itertools.starmap(row, runs))


def verify(contenders):
    """Exit unless all contenders, {name: Contender}, compute the same meta-gradients, and tell
    MAML's from FOMAML's."""
    rng, names = np.random.default_rng(1), [*contenders]
    differences, apart = {name: [] for name in names}, []
    for tasks, steps in itertools.product((1, 3, 25), (1, 5)):
        theta, x = start(seed=tasks), rng.uniform(-5, 5, (2, tasks, 10, 1))
        y = rng.uniform(0.1, 5, (tasks, 1, 1)) * np.sin(x + rng.uniform(0, 2 * pi, (tasks, 1, 1)))
        batch = [array.astype("float32") for array in (x[0], y[0], x[1], y[1])]
        maml, fomaml = (
            {name: one.ask("gradient", cell, theta, batch) for name, one in contenders.items()}
            for cell in parse(f"{tasks}x{steps}")
        )
        for a, b in itertools.permutations(names, 2):
            differences[a] += [relative(maml[a], maml[b]), relative(fomaml[a], fomaml[b])]
        apart += [relative(fomaml[name], maml[name]) for name in names]
    head = ["contender", "largest relative difference from any other"]
    lines = ([name, f"{max(found):.1e}"] for name, found in differences.items())
    print_table("Meta-gradients, float32", head, lines)
    print(f"\nMAML's and FOMAML's differ by {min(apart):.0%} at least.", flush=True)
    if not (np.max([*differences.values()]) < 1e-4 and np.min(apart) > 1e-2):
        sys.exit("the contenders do not compute the same thing: their times mean nothing")


def installed(package):
    return importlib.util.find_spec(package) is not None


def machine():
    """Return processor, cores and versions, in a line."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    packages = filter(installed, ("numpy", "torch", "jax"))
    versions = [f"{package} {importlib.metadata.version(package)}" for package in packages]
    processor = names[0] if names else platform.processor() or platform.machine()
    python = f"Python {platform.python_version()}"
    return ", ".join([processor, f"{os.cpu_count()} cores", python, *versions])


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1; got {text}")
    return number


def read_flags():
    tables = ["peers", "ratios", "growth", "memory", "networks"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])

    def switch(name, text):
        parser.add_argument(name, action="store_true", help=text)

    def subset(name, known, text, nargs="+"):
        parser.add_argument(name, nargs=nargs, default=[*known], choices=known, help=text)

    switch("--quick", "shorter and fewer blocks; a fiftieth of --long")
    text = "tasks x inner steps (default: a few, for each network)"
    parser.add_argument("--rows", nargs="+", metavar="TxK", help=text)
    subset("--tables", tables, "default: all", nargs="*")
    subset("--peers", PEERS, "default: all that are installed")
    switch("--verify", "first check that all compute the same")
    switch("--long", "also whole trainings, some minutes")
    text = "of --against and of the table of networks; default: all"
    subset("--networks", NETWORKS, text)
    subset("--methods", ALL_METHODS, text)
    subset("--dtypes", DTYPES, text)
    text = "the root of another checkout: compare this one with it, and print nothing else"
    parser.add_argument("--against", metavar="DIR", help=text)
    text = "estimates of each cell of --against, printed as median (least to largest); default: 1"
    parser.add_argument("--repeats", type=at_least_one, default=1, metavar="N", help=text)
    text = "of --against (default: wall); cpu leaves out the time that other processes take"
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help=text)
    return parser.parse_args()


def main():
    flags = read_flags()
    pace = (3, 0.05) if flags.quick else (9, 0.15)  # rounds, seconds a block
    print(machine(), flush=True)
    if flags.against:
        comparison_table(flags, pace)
        return
    if not installed("tinymeta"):
        sys.exit("tinymeta cannot be imported: pip install -e . (or set PYTHONPATH to its root)")
    missing = sorted({PEERS[name][1] for name in flags.peers if not installed(PEERS[name][1])})
    if missing:
        print(f"\nLeft out, as not installed: {', '.join(missing)}.", end=" ")
        print(f"To take part: pip install {' '.join(missing)}", flush=True)
    peers = [name for name in flags.peers if PEERS[name][1] not in missing]
    checked = [name for name in peers if name in ("eager", "batched", "jax")]
    if flags.verify and checked:
        verify({name: Contender(name) for name in ("tinymeta", *checked)})
    rows = flags.rows or ROWS
    if "peers" in flags.tables:
        peers_table(rows, peers, pace)
    if "ratios" in flags.tables:
        ratios_tables(rows, pace)
    if "growth" in flags.tables:
        growth_table(pace)
    if "memory" in flags.tables:
        memory_table()
    if "networks" in flags.tables:
        networks_table(flags, pace)
    if flags.long:
        long_table(0.02 if flags.quick else 1)


if __name__ == "__main__":
    main()
