"""The record of a lesson's full run, which is its notebook: the cells, and what each printed.

    outputs = run(path, folder)          run the lesson; its figures are then in the folder
    outputs, figures = outputs_of(path)  those that the notebook has, if it fits the lesson

The text of a lesson may change without another run; a code cell, an output or a figure may not.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import types
from pathlib import Path

from .source import BOOK, FIGURES, BadLesson, cells


def run(path, folder):
    """Run a lesson in full in a process of its own; return what each code cell printed."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", __name__, str(path), str(folder), file.name],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "MPLBACKEND": "Agg"},
        )
        if done.returncode:
            raise BadLesson(f"{path.stem}: its full run ended with status {done.returncode}")
        return json.loads(Path(file.name).read_text(encoding="utf-8"))


def run_cells(path, folder):
    """Execute the cells of a lesson as `python LESSON --out FOLDER` would; return what each code
    cell printed, with figures by their names alone."""
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"], sys.argv = main, [path.name, "--out", str(folder)]
    printed = []
    for cell in cells(path):
        if cell.kind != "text":
            with contextlib.redirect_stdout(io.StringIO()) as said:
                # empty lines before it: a traceback then has the numbers of the file's lines
                code = "\n" * (cell.line - 1) + cell.text
                exec(compile(code, path, "exec"), main.__dict__)
            printed.append(said.getvalue().replace(f"{folder}{os.sep}", ""))
    return printed


FIGURE = re.compile(r"^\n?figure (\S+)\n  (.*)\n", re.MULTILINE)


def parts(output):
    """Yield what a cell printed as ("text", text) and ("figure", (file name, sentence))."""
    at = 0
    for match in FIGURE.finditer(output):
        yield "text", output[at : match.start()].strip("\n")
        yield "figure", (match[1], match[2])
        at = match.end()
    yield "text", output[at:].strip("\n")


def figures_of(outputs):
    """Return (file name, sentence) of all figures that a run has saved."""
    return [what for output in outputs for kind, what in parts(output) if kind == "figure"]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def signature(code, outputs, figures):
    """Return the SHA-256 of what a record may not lose: code cells, outputs, digests of figures."""
    return digest(json.dumps([code, outputs, figures]).encode())


def code_of(path):
    return [cell.text for cell in cells(path) if cell.kind != "text"]


def outputs_of(path):
    """Return the outputs of a lesson's recorded run, and {figure: SHA-256}.

    Raises
    ------
    BadLesson
        If there is no record, a code cell has changed since, or outputs were edited.
    """
    file = BOOK / f"{path.stem}.ipynb"
    again = f"`python -m tinymeta.course.book {path.stem} --run` records another run"
    if not file.exists():
        raise BadLesson(f"{path.stem}: no run is recorded in lessons/book/{file.name}; {again}")
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        about = saved["metadata"]["tinymeta"]
        ran = [
            cell
            for cell in saved["cells"]
            if cell["cell_type"] == "code" and cell["id"].startswith("cell-")
        ]
        code = ["".join(cell["source"]) for cell in ran]
        outputs = ["".join(sum((o["text"] for o in c["outputs"]), [])) for c in ran]
        whole = about["sha256"] == signature(code, outputs, about["figures"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadLesson(
            f"lessons/book/{file.name} is not a record ({type(error).__name__}: {error}); {again}"
        ) from None
    for cell, recorded in zip((c for c in cells(path) if c.kind != "text"), code):
        if cell.text != recorded:
            raise BadLesson(
                f"lessons/{path.name}, line {cell.line}: this code cell has changed since the "
                f"recorded run; {again}"
            )
    if len(code) != len(code_of(path)):
        raise BadLesson(f"lessons/{path.name} has other code cells than the recorded run; {again}")
    if not whole:
        raise BadLesson(
            f"lessons/book/{file.name}: its outputs are not those of the run (their SHA-256 is "
            f"another one); restore the file, or {again}"
        )
    return outputs, about["figures"]


def swapped(figures):
    """Return the figures that are not those of the recorded run."""
    return [
        name
        for name, sha in figures.items()
        if not (FIGURES / name).exists() or digest((FIGURES / name).read_bytes()) != sha
    ]


if __name__ == "__main__":
    lesson, folder, result = map(Path, sys.argv[1:])
    printed = run_cells(lesson, folder)
    result.write_text(json.dumps(printed), encoding="utf-8")
