"""The networks of the lessons' full runs, as they are shipped in lessons/trained/.

    python -m tinymeta.course.trained                   every lesson that trains, in full: an hour
    python -m tinymeta.course.trained 03_maml 05_reptile
    python -m tinymeta.course.trained --list            which networks there are

A file NN_name.npz holds what one lesson's full run made with seed 0: networks, theta of shape
(S, P), their meta-losses, and curves that take long to compute, in float32. Beside it, NN_name.json
holds the numbers that this run measured, which are the numbers of the text.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..extras.storage import bad_file, digest, replacing

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
FOLDER = LESSONS / "trained"
KIND = "file of trained networks"
PARTS = 100  # of a training, whose mean meta-losses are kept
HISTORY = "meta-loss of "  # the name of a network's history begins with it


def thin(history):
    """Return the mean meta-loss of each hundredth of a training: from (iterations, ...) to (100,
    ...), in float32."""
    parts = np.array_split(np.asarray(history), min(PARTS, len(history)))
    return np.array([part.mean(axis=0, dtype=float) for part in parts], np.float32)


def spread_out(means, iterations):
    """Return (iterations, ...): at each meta-step the mean of its hundredth of the training."""
    lengths = [len(part) for part in np.array_split(np.arange(iterations), len(means))]
    return np.repeat(means, lengths, axis=0)


def save(path, arrays, iterations):
    """Write {name: float32 array}, and {name: iterations} of those that are networks."""
    kept = {name: as_kept(name, array) for name, array in arrays.items()}
    kept["iterations"] = np.array(json.dumps(iterations))
    with replacing(path) as file:
        np.savez_compressed(file, **kept, sha256=np.array(digest(kept)))


def as_kept(name, array):
    array = np.asarray(array)
    if array.dtype != np.float32 or "/" in name:
        raise ValueError(
            f"{name}: expected a float32 array, and no slash in its name; got {array.dtype}"
        )
    return array


def load(path):
    """Return ({name: array}, {name: iterations}) as they were saved.

    Raises
    ------
    BadFile
        If the file is broken, or an array is not the one that was saved.
    OSError
        If there is no file.
    """
    with open(path, "rb") as file, bad_file(path, KIND), np.load(file, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
        if str(arrays.pop("sha256")) != digest(arrays):
            raise ValueError("its contents are not those that its SHA-256 was taken of")
        iterations = json.loads(str(arrays.pop("iterations")))
    return arrays, iterations


def numbers(lesson, folder=FOLDER):
    """Return the numbers that a lesson's full run measured, {name: {"value": ..., "low": ...}}."""
    return json.loads((folder / f"{lesson}.json").read_text(encoding="utf-8"))


def make(lesson, folder):
    """Run a lesson in full, and keep the networks and numbers that it saves."""
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run(
            [sys.executable, str(LESSONS / f"{lesson}.py"), "--out", out],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(LESSONS.parent), "MPLBACKEND": "Agg"},
        )
        if done.returncode:
            return f"{lesson}: its full run ended with status {done.returncode}; nothing was kept"
        for path in sorted(Path(out).glob(f"{lesson}.*")):
            if path.suffix in (".npz", ".json"):
                with replacing(folder / path.name) as file:
                    file.write(path.read_bytes())
    return f"{lesson}: kept"


def main():
    names = [path.stem for path in sorted(LESSONS.glob("[0-9]*.py"))]
    parser = argparse.ArgumentParser(
        prog="python -m tinymeta.course.trained",
        description="Run lessons in full, and keep their networks in lessons/trained/.",
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 03_maml; all if none")
    parser.add_argument("--list", action="store_true", help="list the networks that there are")
    parser.add_argument(
        "--out", type=Path, default=FOLDER, metavar="DIR", help="default: lessons/trained/"
    )
    flags = parser.parse_args()
    if unknown := set(flags.lessons) - {*names}:
        parser.error(f"argument LESSON: expected names of {', '.join(names)}; got {unknown.pop()}")
    if flags.list:
        for path in sorted(flags.out.glob("*.npz")):
            arrays, iterations = load(path)
            print(f"{path.stem} ({path.stat().st_size // 1000} kB)")
            for name, array in arrays.items():
                if not name.startswith(HISTORY):
                    after = f", {iterations[name]:,} meta-steps" if name in iterations else ""
                    print(f"  {name}: {array.shape}{after}")
        return
    flags.out.mkdir(parents=True, exist_ok=True)
    for name in flags.lessons or names:
        print(make(name, flags.out), flush=True)


if __name__ == "__main__":
    main()
