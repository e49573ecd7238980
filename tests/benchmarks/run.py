"""Times tinymeta's meta-steps beside those of the frameworks a reader might reach for; prints Markdown tables.

    python tests/benchmarks/run.py --quick     a first look
    python tests/benchmarks/run.py --long      every table, the whole trainings too

Each contender lives in a process of its own; two are timed in turn, block by block, and a cell is the median of the
ratios of neighbouring blocks: what else the machine does falls on both alike.
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
from contenders import BUILDERS, Cell, serve, start

ROWS = ["1x1", "1x5", "25x1", "25x5", "100x1"]
METHODS = ["maml", "fomaml"]
PEERS = {  # title, package, contenders: the fastest of them counts
    "eager": ("vs eager PyTorch, task by task", "torch", ["eager"]),
    "batched": ("vs PyTorch, tasks batched", "torch", ["batched", "batched_1"]),
    "jax": ("vs JAX jit + vmap", "jax", ["jax"]),
    "jax_scan": ("vs the same, 50 meta-steps a call", "jax", ["jax_scan"]),
    "products": ("vs its matrix products alone", "numpy", ["products"]),
}


class Contender:
    """A contender in its own process; ask it for a task of `contenders.serve`."""

    def __init__(self, name):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        spawn.Process(target=serve, args=(theirs, name), daemon=True).start()
        theirs.close()

    def ask(self, *task):
        self.pipe.send(task)
        return self.pipe.recv()

    def time(self, cell, seconds):
        time.sleep(0.03)  # the thread pool of whoever came before stops spinning
        return self.ask("time", cell, seconds)


def ratio(a, cell_a, b, cell_b, pace):
    """The median over rounds of a's time over b's, and a's median time in seconds."""
    rounds, seconds = pace
    pairs = [(a.time(cell_a, seconds), b.time(cell_b, seconds)) for _ in range(rounds)]
    return np.median([one / other for one, other in pairs]), np.median([one for one, _ in pairs])


def print_table(title, head, rows):
    print(f"\n**{title}**\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def parse(row, **rest):
    """The cells of a row, for MAML and FOMAML."""
    tasks, steps = map(int, row.split("x"))
    return [Cell(method, tasks, steps, **rest) for method in METHODS]


def join(numbers):
    return " / ".join(f"{number:.2f}" for number in numbers)


def peers_table(rows, peers, pace):
    ours, theirs = Contender("tinymeta"), {peer: [Contender(name) for name in PEERS[peer][2]] for peer in peers}

    def against(contenders, cell):
        return max(ratio(ours, cell, contender, cell, pace) for contender in contenders)

    def cells_of(row):
        found = np.array([[against(contenders, cell) for cell in parse(row)] for contenders in theirs.values()])
        ratios, own = found[..., 0], 1e3 * np.median(found[..., 1], axis=0)
        return [row, join(own), *map(join, ratios)]

    head = ["tasks x inner steps, MAML / FOMAML", "tinymeta, ms", *(PEERS[peer][0] for peer in peers)]
    print_table("Whole meta-step, float32: tinymeta's time over each other's", head, map(cells_of, rows))


def ratios_tables(rows, pace):
    one, other = Contender("tinymeta"), Contender("tinymeta")

    def second_over_first(tasks):
        return [str(tasks), f"{ratio(one, Cell('maml', tasks), other, Cell('fomaml', tasks), pace)[0]:.2f}"]

    def double_over_single(row):
        pairs = zip(parse(row, dtype="float64"), parse(row))
        return [row, join(ratio(one, double, other, single, pace)[0] for double, single in pairs)]

    head = ["tasks", "MAML over FOMAML"]
    print_table("Second order over first, one inner step", head, map(second_over_first, (1, 25, 100)))
    print_table("float64 over float32", ["tasks x inner steps", "MAML / FOMAML"], map(double_over_single, rows))


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
            times = np.median([[ours.time(cell, seconds) for cell in cells] for _ in range(rounds)], axis=0)
            found.append(f"{slope(sizes, times):.2f} ({slope(sizes[-2:], times[-2:]):.2f})")
        return [f"{name} {sizes[0]} to {sizes[-1]}", *found]

    dimensions = [
        ("tasks", (16, 32, 64, 128, 256, 512), {}),
        ("shots", (10, 20, 40, 80, 160, 320), {"tasks": 25}),
        ("steps", (1, 2, 4, 8, 16, 32), {"tasks": 25}),
    ]
    title = "Growth of time, float32: log-log slope (over the last doubling); 25 tasks, 10 shots, 1 step unless said"
    print_table(title, ["grows with", "MAML", "FOMAML"], (row(*dimension) for dimension in dimensions))


def memory_table():
    def row(name, sizes, rest):
        found = []
        for method in [*METHODS, "reptile"]:
            peaks = [Contender("tinymeta").ask("peak", Cell(method, **{**rest, name: size})) / 2**10 for size in sizes]
            each = np.diff(peaks) / np.diff(sizes)
            found.append("{:.0f}, {:.0f}, {:.0f} ({:.1f}, {:.1f})".format(*peaks, *each))
        return [f"{name} {', '.join(map(str, sizes))}", *found]

    dimensions = ("tasks", (16, 64, 256), {}), ("steps", (2, 8, 32), {"tasks": 25})
    title = "Peak memory of a meta-gradient, float32: KiB (KiB a further task or step); 25 tasks, 10 shots, 1 step unless said"
    print_table(title, ["grows with", "MAML", "FOMAML", "Reptile"], (row(*dimension) for dimension in dimensions))


def long_table(share):
    """Whole trainings; share < 1 runs only that share of them and scales it up."""

    def row(name, iterations, *arguments):
        seconds = Contender("tinymeta").ask("train", int(iterations * share), *arguments) / share
        return [name, f"{seconds:.1f}" + (f" (estimated from {share:.0%})" if share < 1 else "")]

    paper = "the MAML paper's: 70,000 meta-steps of 25 tasks, one seed"
    post = "the post's: 40,000 meta-steps of 1 task, five seeds at once"
    runs = [
        (f"{paper}, float32", 70_000, None, "float32", 25, (0, pi), "truncated_normal"),
        (f"{post}, float32", 40_000, 5, "float32", 1, (0, 2 * pi), "uniform"),
        (f"{post}, float64", 40_000, 5, "float64", 1, (0, 2 * pi), "uniform"),
    ]
    print_table("Whole trainings with MAML, one inner step, 10 shots", ["run", "seconds"], (row(*run) for run in runs))


def verify(names):
    """Whether all contenders compute the same meta-gradients, and tell MAML's from FOMAML's."""
    rng, contenders = np.random.default_rng(1), {name: Contender(name) for name in names}
    differences, apart = {name: [] for name in names}, []
    for tasks, steps in itertools.product((1, 3, 25), (1, 5)):
        theta, x = start(seed=tasks), rng.uniform(-5, 5, (2, tasks, 10, 1))
        y = rng.uniform(0.1, 5, (tasks, 1, 1)) * np.sin(x + rng.uniform(0, 2 * pi, (tasks, 1, 1)))
        batch = [array.astype("float32") for array in (x[0], y[0], x[1], y[1])]
        maml, fomaml = (
            {name: c.ask("gradient", Cell(method, tasks, steps), theta, batch) for name, c in contenders.items()}
            for method in METHODS
        )
        for a, b in itertools.permutations(names, 2):
            differences[a] += [relative(maml[a], maml[b]), relative(fomaml[a], fomaml[b])]
        apart += [relative(fomaml[name], maml[name]) for name in names]
    head = ["contender", "largest relative difference from any other"]
    print_table("Meta-gradients, float32", head, ([name, f"{max(found):.1e}"] for name, found in differences.items()))
    print(f"\nMAML's and FOMAML's differ by {min(apart):.0%} at least.", flush=True)
    if not (np.max([*differences.values()]) < 1e-4 and np.min(apart) > 1e-2):
        sys.exit("the contenders do not compute the same thing: their times mean nothing")


def installed(package):
    return importlib.util.find_spec(package) is not None


def machine():
    """Processor, cores and versions, in a line."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    versions = [f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "torch", "jax") if installed(p)]
    processor = names[0] if names else platform.processor() or platform.machine()
    return ", ".join([processor, f"{os.cpu_count()} cores", f"Python {platform.python_version()}", *versions])


def main():
    tables = ["peers", "ratios", "growth", "memory"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter and fewer blocks; a fiftieth of --long")
    parser.add_argument("--rows", nargs="+", default=ROWS, metavar="TxK", help="tasks x inner steps (default: %(default)s)")
    parser.add_argument("--tables", nargs="*", default=tables, choices=tables, help="default: all")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS, help="default: all that are installed")
    parser.add_argument("--verify", action="store_true", help="first check that all compute the same")
    parser.add_argument("--long", action="store_true", help="also whole trainings, some minutes")
    flags = parser.parse_args()
    if not installed("tinymeta"):
        sys.exit("tinymeta cannot be imported: pip install -e . (or set PYTHONPATH to the repository)")
    pace = (3, 0.05) if flags.quick else (9, 0.15)  # rounds, seconds a block
    print(machine(), flush=True)
    missing = sorted({PEERS[name][1] for name in flags.peers if not installed(PEERS[name][1])})
    if missing:
        print(f"\nLeft out, as not installed: {', '.join(missing)}. To take part: pip install {' '.join(missing)}", flush=True)
    peers = [name for name in flags.peers if PEERS[name][1] not in missing]
    checked = [name for name in peers if name in ("eager", "batched", "jax")]
    if flags.verify and checked:
        verify(["tinymeta", *checked])
    if "peers" in flags.tables:
        peers_table(flags.rows, peers, pace)
    if "ratios" in flags.tables:
        ratios_tables(flags.rows, pace)
    if "growth" in flags.tables:
        growth_table(pace)
    if "memory" in flags.tables:
        memory_table()
    if flags.long:
        long_table(0.02 if flags.quick else 1)


if __name__ == "__main__":
    main()
