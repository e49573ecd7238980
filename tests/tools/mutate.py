"""Do the tests notice? Makes random single changes to the package, each in a copy of the tree, and
runs there the tests that call the changed function, quickest first.

    python tests/tools/mutate.py [--count 200] [--seed 0] [--jobs 2]
        [--module mlp course/figures ...] [--changed BASE] [--list] [--map FILE]

Which test calls which function is recorded in one run of the fast tests, and kept until a file
changes. Prints the survivors, with the reason where one is known to make no difference, and the
score. A change takes some seconds."""

import argparse
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from changes import changes
from record import module_name

ROOT = Path(__file__).parents[2]
SECONDS = 25  # of tests for one change, besides those of the module's own file
TIMEOUT = 120  # a change that takes longer is noticed
EQUIVALENT = {  # (function or "", parts of the change or its line): why no test can notice
    ("_weights", "0 -> 1"): "any seed gives weights that leave no row out",
    ("_weights", "uniform(0.5, 1.5"): "any positive weights leave no row out",
    ("sum_of_products", "left out: if"): "it broadcasts what need not be: a matter of speed",
    ("inner_batches", "x -> y"): "x and y of a support set have as many points",
    ("step", "100 -> "): "when tiny moments are set to 0 is a matter of speed",
    ("step", "1e-30 -> 2e-30"): "a tiny moment may be twice as large",
    ("quantile", "-1 -> +1"): "of the two axes of a mean over seeds, the last is axis 1",
    ("displace", "without out"): "a new array for the old one: a matter of speed",
    ("displace", "1 -> 2", "FINE - 1"): "the frame of a letter is empty",
    ("", "1 -> 2", "reshape("): "NumPy finds any negative length of a shape",
    ("choose", "1 -> 2"): "a deck laid out twice is drawn from once",
    ("exercise_of", "0 -> -1"): "all cases are of one exercise",
    ("rare_mistake", "- 2 -> pair[0].arguments[-1] + 2"): "the order of the cases is for speed",
    ("", "FINE = 14, 40"): "a setting, which the tests read",
    ("", "REACH = "): "a setting, which the tests read",
    ("", "frozen"): "a precaution",
    ("replacing", "missing_ok"): "there is an OSError either way",
    ("", "exchanged", "np.maximum(z, 0)"): "the larger of two numbers, either way round",
    ("", "i > 0 -> i != 0"): "a layer has no negative number",
    ("candidate_gradients", "1 -> 0", "thetas[1:]"): "zip leaves out the theta too many",
    ("plot_episode", "0 -> -1", "axes[0, 0].title"): "the titles of all axes have one font",
    ("conjugate_gradients", "rs_new > solved -> rs_new >= solved"): "it is never the bound itself",
    ("_shows_change", "theta - 0.0001"): "a random point, on the other side",
    ("", "1 and 2 exchanged", "relative_error("): "it is the same for want and got",
    ("check_model", "1 and 2 exchanged", "compare("): "a relative error, either way round",
    ("match", " > 0 -> ", "!= 0"): "a length is not negative",
    ("", "0 -> -1", ".max(initial=0)"): "a modulus is not negative",
    ("scales_of", "1 -> 0", "if n > 1"): "a factor of 1 is not put into words",
    ("scales_of", "n > 1 -> n >= 1"): "a factor of 1 is told by its name alone",
    ("_orthogonal", "0 -> -1"): "of an axis with one entry the first is the last",
    ("as_inner_lr", "-> 0.0 < value"): "a rate of 0 takes the slow road: a matter of speed",
    ("as_inner_lr", "value <= 1e+38"): "1e38 itself may take either road",
    ("as_inner_lr", "1e+38 -> 2e+38"): "float32 holds that rate too",
    ("", "exchanged", "swapaxes"): "two axes exchanged, whichever is named first",
    ("sum_of_products", "exchanged", "broadcast_shapes"): "it is the same either way round",
    ("", " < ", " <= ", "tolerance ->"): "no error is the tolerance itself",
    ("", " < ", " <= ", "TOLERANCE ->"): "no error is TOLERANCE itself",
    ("check_model", "3 -> "): "how many random directions are enough is a guess",
    ("check_model", "without axis"): "shorter directions, all the same",
    ("", "10 -> ", "10 * tolerance"): "how near is the same is a guess",
    ("_shows_change", "4 -> "): "how many units in the last place are noise is a guess",
    ("_shows_change", "without initial"): "a result without entries: no verdict, either way",
    ("_shows_change", "-> gap < "): "a closer look finds the same: a matter of speed",
    ("", "x_support -> batch.x_query", "len(batch.x_support)"): "they have as many tasks",
    ("_loses_imaginary", "1e-06 -> 2e-06"): "how small a share is lost is a guess",
    ("means", "without invalid"): "of losses, not negative, none is inf - inf",
    ("replace", "pauses="): "how long to wait is a setting",
    ("conjugate_gradients", "2 -> 3", "eps ** 2"): "when rounding is met is a matter of speed",
    ("conjugate_gradients", "** 2 * rs_new -> "): "when rounding is met is a matter of speed",
    ("conjugate_gradients", "largest > 0 -> largest != 0"): "a modulus is not negative",
    ("conjugate_gradients", "1 -> 2", "largest, 1)"): "zeros, over any number",
    ("conjugate_gradients", "zeros_like -> np.ones_like", "ratio ="): "it takes no more steps",
    ("conjugate_gradients", "without out", "ratio ="): "it takes no more steps",
    ("_meta_sgd_grad", "rates_grad - np.zeros_like"): "a 0, of either sign",
    ("", "left out: __slots__"): "objects without a dict are a matter of speed",
    ("", "1.0 -> 2.0", "_meta_sgd_grad(learned"): "not read: the rates are in theta",
    ("t_quantile", "13.0 -> 26.0"): "bisection ends at the same number",
    ("t_quantile", "< 0.95 -> "): "bisection ends at the same number",
    ("largest_eigenvalue", "x -> y", "x.shape[:-2]"): "x and y have the same leading axes",
    ("_shows_change", "0 -> 1", "max(1.0"): "the scale is at least 1 anyway",
    ("_shows_change", "np.isfinite(derivative)"): "nan disagrees with nothing later on",
    ("_shows_change", "1.0 -> 2.0"): "how far to step is a guess",
    ("_loses_imaginary", "exchanged", "size = max("): "the larger of two, either way round",
    ("_shows_change", "0 -> 1", "default_rng(0)"): "any seed gives random points",
    ("_loses_imaginary", "without initial"): "a result without entries: no verdict, either way",
    ("split", "1e-09 -> 2e-09"): "how much of a sum is rounding is a guess",
    ("per_layer_cosines", "exchanged", "cosine("): "the angle is the same either way round",
    ("_scaled", "2 -> 3", "[max(largest)]"): "zip leaves out the number too many",
    ("_scaled", "2 -> 3", "np.ldexp"): "another power of two will do",
    ("_scaled", "0 < size < math.inf -> 0 <= "): "the exponent of 0 is 0",
    ("_length", "largest > 0 -> largest != 0"): "a modulus is not negative",
    ("_length", "1.0 -> 2.0"): "a direction of length 0, over any number",
    ("_alike", "1e-06 -> 2e-06"): "how much alike is the same is a guess",
    ("unchecked_step", "without initial"): "a direction has entries",
    ("unchecked_step", "1.0 -> 2.0"): "a direction of length 0, over any number",
    ("unchecked", "batch.x_support -> batch.x_query", "shape[-3]"): "they have as many tasks",
    ("as_theta_and_grad", "left out: if theta.shape =="): "the slow road: a matter of speed",
    ("", "left out: if", "# fast path"): "the slow road: a matter of speed",
    ("", "1e-20 -> 2e-20"): "its square is lost beside 1 too",
    ("", "10 -> ", '"font.size": 10'): "a size of type is a matter of taste",
    ("", "10 -> ", '"axes.titlesize": 10'): "a size of type is a matter of taste",
    ("step", "abs(m) < 1e-30 -> abs(m) <= 1e-30"): "no moment is the bound itself",
    ("describe_factor", "n < 1 -> n <= 1"): "a factor of 1 is not put into words",
    ("same", "exchanged"): "two values are equal, whichever is named first",
    ("plot_history", "exchanged", "min("): "the smallest, in whatever order",
    ("plot_history", "exchanged", "max(1"): "the larger of two, either way round",
    ("check_model", "0 -> 1", "default_rng(0)"): "any seed gives random directions",
    ("from_layers", "0 -> 1", "parts[0]"): "a bias has the leading axes of its weight",
    ("candidate_gradients", "1 -> ", "points[-1:]"): "zip takes one, from the last on",
    ("candidate_gradients", "2 -> 3", "points[-1:]"): "zip takes one, from the last on",
    ("candidate_gradients", "0 -> ", "len(query[0])"): "x and y of a query set have as many points",
    ("candidate_gradients", "curvature(np.zeros(1))"): "it is asked for the dimensions alone",
    ("", "TINY = 1e-300", "2e-300"): "a number nearly 0 may be twice as large",
    ("examine", "+ TINY -> ", "- TINY"): "a number nearly 0, of either sign",
    ("examine", "without rcond"): "NumPy 1 warns without it, and NumPy 2 does not",
    ("examine", "0 -> -1", "in each[0]"): "only what all tasks have is kept",
    ("examine", "0 -> -1", "check_model("): "the points of any task will do",
    ("examine", "rounding >= "): "no rounding is the bound itself",
    ("judge", "len(each) > 1 -> len(each) >= 1"): "the mean over one task is that task's",
    ("judge", "1 -> 0", "len(each) > 1"): "the mean over one task is that task's",
    ("backprop_through_steps", "1.0 -> 2.0"): "a direction of length 0, over any number",
    ("check_model", "v /= np.linalg.norm"): "directions of other lengths, all the same",
    ("check_model", "g / (np.linalg.norm(g) or 1.0)"): "directions of other lengths, all the same",
    ("compare", "np.isfinite"): "relative_error returns nan of them too",
    ("rounding_of_grad", "1000.0 -> 2000.0"): "how many last digits are rounding is a guess",
    ("rounding_of_grad", "-1 -> +1", "np.roll"): "of two axes, axis 1 is the last",
    ("rounding_of_grad", "1 -> 2", "np.roll"): "any other labels are wrong",
    ("taylor_slopes", "50 -> 49"): "how many units in the last place are rounding is a guess",
}


def modules():
    """{name: path} of all modules of the package, such as mlp and course/figures."""
    package = ROOT / "tinymeta"
    return {module_name(package, path): path for path in sorted(package.rglob("*.py"))}


def reason(change, source):
    """Why no test notices, where that is known."""
    text = f"{change.what} {source.splitlines()[change.line - 1]}"
    for (function, *parts), why in EQUIVALENT.items():
        here = function in ("", change.function.split(".")[-1])
        if here and all(part in text for part in parts):
            return why
    return None


def told(change):
    place = f"tinymeta/{change.module}.py:{change.line}:{change.column}"
    return f"{place}: {change.function or 'module'}: {change.what}"


def callers(recording, change):
    """The tests that call the changed function; outside of functions, or where only an import calls
    it, the tests that call any function of the module."""
    begins = f"{change.module}:{change.begins}"
    tests = {test for test, (_, called) in recording.items() if test and begins in called}
    if tests or change.begins and begins not in recording[""][1]:
        return tests
    return {
        test
        for test, (_, called) in recording.items()
        if test and any(name.split(":")[0] == change.module for name in called)
    }


def select(recording, change):
    """The tests that speak for a change, quickest first; none if none calls the function."""
    seconds = {test: time for test, (time, _) in recording.items() if test}
    calling = sorted(callers(recording, change), key=seconds.get)
    within = np.cumsum([seconds[test] for test in calling]) <= SECONDS
    quick = {test for test, fits in zip(calling, within) if fits} | {*calling[:1]}
    file = f"/test_{change.module.split('/')[-1]}.py"
    own = {test for test in seconds if calling and test.split("::")[0].endswith(file)}
    return sorted(quick | own, key=seconds.get)


def run_pytest(tree, *options, **settings):
    """pytest's exit code in a copy of the tree."""
    path = os.pathsep.join([str(tree), str(tree / "tests" / "tools")])
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    env.update({"CI": "1", "OPENBLAS_NUM_THREADS": "1"})
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "record"]
    return subprocess.run([*command, *options], cwd=tree, env=env, **settings).returncode


def content_of(tree):
    """A hash of all files, with their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(tree)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def recorded(tree, path):
    """The recording of the fast tests: from the file, if it has that of the same tree, or made."""
    content = content_of(tree)
    path = path or Path(tempfile.gettempdir()) / f"tinymeta-tests-{content[:16]}.json"
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["content"] == content:
            return kept["tests"]
    print("recording which test calls which function: the fast tests, once", flush=True)
    made = tree.parent / "recording.json"
    if run_pytest(tree, f"--record={made}", stdout=sys.stderr):
        sys.exit("without any change there fail tests: see above")
    tests = json.loads(made.read_text(encoding="utf-8"))
    path.write_text(json.dumps({"content": content, "tests": tests}), encoding="utf-8")
    return tests


def survives(trees, change, source, tests):
    """Whether the tests pass with the change made."""
    tree = trees.get()
    path, only = tree / "tinymeta" / f"{change.module}.py", tree.with_suffix(".json")
    only.write_text(json.dumps(tests), encoding="utf-8")
    files = sorted({test.split("::")[0] for test in tests})
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        path.write_text(change.applied(source), encoding="utf-8")
        code = run_pytest(tree, f"--only={only}", *files, **quiet, timeout=TIMEOUT)
        if code == 5:
            raise RuntimeError(f"pytest found none of {tests}")
        return code == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        path.write_text(source, encoding="utf-8")
        trees.put(tree)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--module", nargs="+", choices=modules(), default=[*modules()])
    parser.add_argument("--changed", metavar="BASE", help="only modules changed since this commit")
    parser.add_argument("--map", type=Path, metavar="FILE", help="where the recording is kept")
    parser.add_argument("--list", action="store_true", help="print the changes, and run nothing")
    return parser.parse_args()


def changed_since(base):
    """The modules that differ from a commit."""
    command = ["git", "diff", "--name-only", "--relative", base, "--", "tinymeta"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return {name for name in modules() if f"tinymeta/{name}.py" in done.stdout.splitlines()}


def fates(mutants, sources, jobs, map_file):
    """For each change None if the tests notice, else why they do not, as far as pytest can say."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        trees = queue.Queue()
        ignored = shutil.ignore_patterns(
            ".git", ".venv", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__", "output"
        )
        for job in range(jobs):
            copy = Path(folder).resolve() / f"tree{job}"
            trees.put(Path(shutil.copytree(ROOT, copy, ignore=ignored)))
        recording = recorded(trees.queue[0], map_file)

        def fate(change):
            tests = select(recording, change)
            if not tests:
                return "no test calls it"
            alive = survives(trees, change, sources[change.module], tests)
            return f"{len(tests)} tests pass" if alive else None

        yield from pool.map(fate, mutants)


def main():
    flags = arguments()
    wanted = set(flags.module) & (changed_since(flags.changed) if flags.changed else {*modules()})
    sources = {name: modules()[name].read_text(encoding="utf-8") for name in sorted(wanted)}
    every = [change for name, source in sources.items() for change in changes(source, name)]
    order = np.random.default_rng(flags.seed).permutation(len(every))
    mutants = [every[k] for k in order[: flags.count]]
    print(f"{len(mutants)} of {len(every)} changes", flush=True)
    if flags.list or not mutants:
        return print(*map(told, mutants), sep="\n")
    noticed, explained = {name: [] for name in sources}, 0
    for change, fate in zip(mutants, fates(mutants, sources, flags.jobs, flags.map)):
        noticed[change.module].append(fate is None)
        if fate:
            why = reason(change, sources[change.module])
            explained += why is not None
            print(f"survived {told(change)}\n         {why or fate}", flush=True)
    good, n = sum(map(sum, noticed.values())), len(mutants)
    score = f"{good} of {n} noticed, {100 * good / n:.1f} %"
    print(f"{score}; {explained} of {n - good} survivors explained")
    for name, each in ((name, each) for name, each in noticed.items() if each):
        print(f"  {name}: {sum(each)}/{len(each)}")


if __name__ == "__main__":
    main()
