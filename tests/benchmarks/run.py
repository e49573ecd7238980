"""Time tinymeta's meta-steps beside other libraries', or another version's; print Markdown tables.

    python tests/benchmarks/run.py --quick            a first look
    python tests/benchmarks/run.py --long             every table, the whole trainings too
    python tests/benchmarks/run.py --against DIR      this checkout against the one in DIR

Each contender lives in a process of its own; those compared are timed in turn, block by block, and
a cell is the median of the ratios within a round: what else the machine does falls on all alike.
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
NAMES = ["MAML", "FOMAML", "Reptile"]
DTYPES = ["float32", "float64"]
LETTERS = {"problem": "letters", "shots": 1}
NETWORKS = {  # title, its rows, what sets its cells apart
    "relu": ("ReLU, mse", ROWS, {}),
    "tanh": ("tanh, mse", ROWS, {"activation": "tanh"}),
    "cross_entropy": ("ReLU, cross-entropy", ["1x1", "16x1", "16x5"], LETTERS),
}
TABLES = ["peers", "large", "ratios", "growth", "faults", "networks"]
KINDS = {  # of meta-steps of tinymeta; --against compares all, with a tree that has no Ahead
    "bare meta-step": {},
    "meta_train": {"replicas": 1},
    "meta_train, five replicas": {"replicas": 5},
    "meta_train with Ahead": {"replicas": 1, "ahead": True},
}
OWN = ["bare meta-step", "meta_train", "meta_train with Ahead"]  # those beside the peers
GROWTH = {
    "tasks": (1, 3, 10, 30, 100, 300, 1000),
    "shots": (1, 3, 10, 30, 100, 300, 1000),
    "steps": (1, 2, 5, 10, 20, 50, 100),
    "width": (10, 20, 40, 80, 160, 320),
}
LARGE = [("1000x1", {}), ("25x1", {"shots": 1000}), ("25x1", {"width": 320})]
LABELS = {"tasks": (6, -9), "shots": (6, 1), "steps": (-14, 6), "width": (-16, 6)}  # from the end
PEERS = {  # title, package, contenders: the fastest of them counts
    "eager": ("vs eager PyTorch, task by task", "torch", ["eager"]),
    "batched": ("vs PyTorch, tasks batched", "torch", ["batched", "batched_1"]),
    "jax": ("vs JAX jit + vmap", "jax", ["jax"]),
    "jax_scan": ("vs JAX, 50 meta-steps a call", "jax", ["jax_scan"]),
    "jax_fed": ("vs JAX, fed by NumPy's sampler", "jax", ["jax_fed"]),
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


def race(entries, pace):
    """Time each (contender, cell) in turn, round by round; return seconds (rounds, entries)."""
    rounds, seconds = pace
    order, times = [*range(len(entries))], np.empty((rounds, len(entries)))
    for turn in range(rounds):
        for i in order[:: (-1) ** turn]:  # being first is no advantage over all
            contender, cell = entries[i]
            times[turn, i] = contender.time(cell, seconds)
    return times


def ratio(a, cell_a, b, cell_b, pace):
    """Return the median over rounds of a's time over b's."""
    one, other = race([(a, cell_a), (b, cell_b)], pace).T
    return np.median(one / other)


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


def peers_table(title, rows, kinds, peers, pace):
    """Print the ratios of our kinds of meta-step to the peers'; rows: (row, what sets it apart)."""
    ours = Contender("tinymeta")
    theirs = [[Contender(name) for name in PEERS[peer][2]] for peer in peers]
    if not hasattr(importlib.import_module("tinymeta.tasks"), "Ahead"):  # an old version's
        kinds = [kind for kind in kinds if "ahead" not in KINDS[kind]]

    def against(contenders, cell):
        """Return the ratios and our seconds, each (kinds,); the fastest contender counts."""
        own = [(ours, cell._replace(**KINDS[kind])) for kind in kinds]
        times = race(own + [(contender, cell) for contender in contenders], pace)
        mine, others = np.split(times, [len(own)], axis=1)
        ratios = np.median(mine[:, :, None] / others[:, None, :], axis=0)
        return ratios.max(axis=1), np.median(mine, axis=0)

    def lines():
        for row, rest in rows:
            label = ", ".join([row, *(f"{name} {size}" for name, size in rest.items())])
            cells = parse(row, **rest)
            found = np.array([[against(peer, cell) for peer in theirs] for cell in cells])
            ratios, own = found[:, :, 0], 1e3 * np.median(found[:, :, 1], axis=1)
            for i, kind in enumerate(kinds):
                yield [label, kind, join(own[:, i]), *map(join, ratios[:, :, i].T)]

    head = ["tasks x inner steps, MAML / FOMAML", "tinymeta's", "ms", *(PEERS[p][0] for p in peers)]
    print_table(f"{title}, float32: tinymeta's time over each other's", head, lines())


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
        cell = cell._replace(**KINDS[kind])
        plain = cell._replace(ahead=False)
        estimates = [ratio(one, cell, other, plain, pace) for one, other in zip(this, that)]
        medians[", ".join([*label, kind])] = np.median(estimates)
        return spread(estimates)

    def lines():
        for (title, row, rest), dtype in itertools.product(rows_of(flags), flags.dtypes):
            for cell in parse(row, flags.methods, dtype=dtype, **rest):
                label = [title, row, cell.method, cell.dtype]
                yield label + [estimate(label, cell, kind) for kind in KINDS]

    kinds = [f"{kind} / plain" if "ahead" in KINDS[kind] else kind for kind in KINDS]
    head = ["network", "tasks x inner steps", "method", "dtype", *kinds]
    print_table("This tree's time over the other's", head, lines())
    worst = max(medians, key=medians.get)
    print(f"\nWorst cell: {medians[worst]:.2f} ({worst}).")
    mean = np.exp(np.mean(np.log([*medians.values()])))
    print(f"Geometric mean of {len(medians)} cells: {mean:.3f}.", flush=True)


def ratios_tables(rows, pace):
    one, other = Contender("tinymeta"), Contender("tinymeta")

    def second_over_first(tasks):
        found = ratio(one, Cell("maml", tasks), other, Cell("fomaml", tasks), pace)
        return [str(tasks), f"{found:.2f}"]

    def double_over_single(row):
        pairs = zip(parse(row, dtype="float64"), parse(row))
        return [row, join(ratio(one, double, other, single, pace) for double, single in pairs)]

    head = ["tasks", "MAML over FOMAML"]
    title = "Second order over first, one inner step"
    print_table(title, head, map(second_over_first, (1, 25, 100)))
    head = ["tasks x inner steps", "MAML / FOMAML"]
    print_table("float64 over float32", head, map(double_over_single, rows))


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def slopes(sizes, values):
    """Return log-log slopes: by least squares, between the ends, largest between neighbours."""
    x, y = np.log(sizes), np.log(values)
    found = np.polyfit(x, y, 1)[0], (y[-1] - y[0]) / (x[-1] - x[0]), max(np.diff(y) / np.diff(x))
    return np.round(found, 2) + 0.0  # no -0.00


def growth_tables(figure, pace):
    """Print the slopes of time and of peak memory; draw both if a file is given for the figure."""
    ours, times, peaks = Contender("tinymeta"), {}, {}
    for (name, sizes), method in itertools.product(GROWTH.items(), ALL_METHODS):
        cells = [Cell(method, **{"tasks": 25, name: size}) for size in sizes]
        seconds = race([(ours, cell) for cell in cells], pace)
        times[name, method] = 1e6 * np.median(seconds, axis=0)
        peaks[name, method] = np.array([ours.ask("peak", cell) for cell in cells]) / 2**10

    def lines(found):
        for name, sizes in GROWTH.items():
            curves = [found[name, method] for method in ALL_METHODS]
            more = [(y[-1] - y[-2]) / (sizes[-1] - sizes[-2]) for y in curves]
            cells = [f"{join(slopes(sizes, y))} ({unit:.1f})" for y, unit in zip(curves, more)]
            yield [f"{name} {sizes[0]} to {sizes[-1]}", *cells]

    head = ["grows with (else 25 tasks, 10 shots, 1 step, 40 units)", *NAMES]
    text = "float32: slope by least squares / between the ends / largest (one more costs, {})"
    print_table(f"Growth of a meta-step's time, {text.format('µs')}", head, lines(times))
    print_table(f"Growth of a meta-gradient's memory, {text.format('KiB')}", head, lines(peaks))
    if figure:
        draw_growth({"time, ms": (times, 1e3), "peak memory, MiB": (peaks, 2**10)}, figure)


def draw_growth(found, path):
    """Draw MAML's and FOMAML's curves; found: {title: ({(name, method): values}, unit)}."""
    from tinymeta.course import style

    figure, axes = style.new_figure(9, 6.5, 2, 2, sharex=True, sharey="row")
    panels = itertools.product(found.items(), zip(METHODS, NAMES))
    for ax, ((title, (curves, unit)), (method, of)) in zip(axes.flat, panels):
        for (name, sizes), look in zip(GROWTH.items(), style.CYCLE):
            y = curves[name, method] / unit
            ax.loglog(sizes, y, marker=".", **look)
            text = {"textcoords": "offset points", "color": look["color"]}
            ax.annotate(name, (sizes[-1], y[-1]), LABELS[name], **text)
        ax.set_title(f"{of}: {title}")
    for ax in axes[-1]:
        ax.set_xlabel("tasks, shots, inner steps, or units in a layer")
    style.save(figure, path)


def faults_table():
    """Give each cell a process of its own: memory that one has freed another one finds mapped."""

    def row(row, dtype):
        cells = parse(row, ALL_METHODS, dtype=dtype, replicas=1)
        faults = [Contender("tinymeta").ask("faults", cell) for cell in cells]
        return [row, dtype, *(f"{number:,.0f}" for number in faults)]

    head = ["tasks x inner steps", "dtype", *NAMES]
    rows = itertools.starmap(row, itertools.product(("100x1", "512x1", "2048x1"), DTYPES))
    print_table("Page faults of a meta-step of meta_train", head, rows)


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
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])

    def switch(name, text):
        parser.add_argument(name, action="store_true", help=text)

    def subset(name, known, text, nargs="+"):
        parser.add_argument(name, nargs=nargs, default=[*known], choices=known, help=text)

    switch("--quick", "shorter and fewer blocks; a fiftieth of --long")
    text = "tasks x inner steps (default: a few, for each network)"
    parser.add_argument("--rows", nargs="+", metavar="TxK", help=text)
    subset("--tables", TABLES, "default: all", nargs="*")
    subset("--peers", PEERS, "default: all that are installed")
    text = "draw the tables of growth into this file, a PNG"
    parser.add_argument("--figure", metavar="FILE", help=text)
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
    # For all contenders. On a busy machine OpenBLAS's threads wait for each other, up to 30 times
    # as long as the products of 1,000 points take.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
    fast = [name for name in peers if name in ("batched", "jax", "jax_fed")] or ["products"]
    tables = {
        "peers": lambda: peers_table("Meta-step", [(row, {}) for row in rows], OWN, peers, pace),
        "large": lambda: peers_table("Large meta-step", LARGE, ["meta_train"], fast, pace),
        "ratios": lambda: ratios_tables(rows, pace),
        "growth": lambda: growth_tables(flags.figure, pace),
        "faults": faults_table,
        "networks": lambda: networks_table(flags, pace),
    }
    for name in flags.tables:
        tables[name]()
    if flags.long:
        long_table(0.02 if flags.quick else 1)


if __name__ == "__main__":
    main()
