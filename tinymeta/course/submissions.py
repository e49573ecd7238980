"""The hand-ins of a class: whose each file is, which exercise it answers, and its code.

Three layouts are read, side by side if need be: a folder per student, Canvas's flat names
(`doejane_12345_67890_03_maml-1.py`), and Moodle's, flat or as folders
(`Jane Doe_123_assignsubmission_file_/03_maml.py`)."""

import ast
import codecs
import contextlib
import io
import json
import re
import tokenize
from typing import NamedTuple

FILE_BYTES = 20 << 20  # a notebook may hold pictures
CODE_BYTES = 1 << 20
MOODLE = re.compile(r"(?P<student>.+?)_(?P<id>\d+)_assignsubmission_[a-z]+_(?P<rest>.*)")
CANVAS = re.compile(r"(?P<student>[^_]+)_(?:LATE_)?(?P<id>\d+)_\d+_(?P<rest>.+)")
COPY = re.compile(r"(?:[-_ ]\d+| ?\(\d+\)| - copy)+$", re.IGNORECASE)  # "03_maml-1", "03_maml (2)"
SKIPPED = ("__MACOSX", "__pycache__")


class Unreadable(ValueError):
    """A file that its student has to hand in again."""


class Student(NamedTuple):
    """What a student has handed in."""

    answers: dict  # {exercise: [paths]}
    others: list  # paths of other files


def exercise_of(path, exercises):
    """Return (the exercise that a file's name ends with, what stands before it) or (None, "")."""
    if path.suffix.lower() not in (".py", ".ipynb"):
        return None, ""
    stem = path.name[: -len(path.suffix)]
    for ending in (stem, COPY.sub("", stem)):
        plain = re.sub(r"[- .]", "_", ending)
        for exercise in exercises:
            before = plain[: -len(exercise)]
            if plain.lower().endswith(exercise) and (not before or before.endswith("_")):
                return exercise, ending[: len(before)].rstrip("_- .")
    return None, ""


def is_hidden(path):
    """Return whether a name is one that systems leave behind."""
    return path.name.startswith(".") or path.name in SKIPPED


def files_of(folder):
    """Yield the files of a folder and its subfolders, and those folders that cannot be read; links
    are not followed."""
    try:
        listed = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in listed:
        if is_hidden(path):
            continue
        if path.is_dir() and not path.is_symlink() and path.suffix.lower() not in (".py", ".ipynb"):
            yield from files_of(path)
        else:
            yield path


def find(folder, exercises):
    """Return {student: Student} of a folder of submissions, and the files that are nobody's."""
    owned, nobodys = [], []  # (student, id, path, the path with the file's own name)
    for path in sorted(folder.iterdir()):
        if is_hidden(path):
            continue
        found = MOODLE.fullmatch(path.name) or CANVAS.fullmatch(path.name)
        if path.is_dir():
            if found is None or found.re is CANVAS:
                student, number = path.name, ""
            else:
                student, number = found["student"], found["id"]
            owned.append((student, number, None, None))
            owned += [(student, number, file, file) for file in files_of(path)]
        elif found:
            owned.append((found["student"], found["id"], path, path.with_name(found["rest"])))
        else:
            exercise, student = exercise_of(path, exercises)
            if exercise:
                owned.append((student or folder.resolve().name, "", path, path))
            else:
                nobodys.append(path)
    numbers = {}
    for student, number, *_ in owned:
        numbers.setdefault(student, set()).add(number)
    students = {}
    for student, number, path, named in owned:
        name = student if len(numbers[student]) == 1 else f"{student}_{number}"
        answers, others = students.setdefault(name, Student({}, []))
        if path is not None:
            exercise, _ = exercise_of(named, exercises)
            (answers.setdefault(exercise, []) if exercise else others).append(path)
    return students, nobodys


def decode(data):
    """Return the text of a file: UTF-8 or UTF-16 as its first bytes say, the encoding that a Python
    file declares, UTF-8, or else Windows' (in which any bytes are some text)."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig"]
        with contextlib.suppress(SyntaxError):
            encodings.append(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
    for encoding in (*encodings, "cp1252", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError, LookupError):
            return io.IncrementalNewlineDecoder(None, translate=True).decode(data.decode(encoding))


def parses(code):
    """Return whether Python can read it."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def without_magics(cell):
    """Return a notebook's cell without what Python does not know (%matplotlib, !pip, name?)."""
    lines = cell.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is not None and lines[first].startswith("%%"):
        if not re.match(r"%%(time|timeit|capture|prun)\b", lines[first]):
            return ""  # a cell of another language
        lines[first] = ""
    if parses("\n".join(lines)):
        return "\n".join(lines)
    for i, line in enumerate(lines):
        lines[i] = re.sub(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$", r"\1pass", lines[i])
        lines[i] = re.sub(r"^(\s*\w+\s*=\s*)[%!].*$", r"\1None", lines[i])
    return "\n".join(lines)


def cells_of(notebook):
    """Return the code cells of a notebook's text."""
    try:
        content = json.loads(notebook)
        sheets = content.get("worksheets") or [content]  # of version 3, and 4
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        sources = [
            cell["source"] if "source" in cell else cell["input"]
            for cell in cells
            if cell["cell_type"] == "code"
        ]
        return ["".join(source) for source in sources]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unreadable(f"this is not a notebook ({type(error).__name__}: {error})") from None


def read(path):
    """Return the code of a hand-in as the texts of its cells, one for a script. Raise Unreadable if
    the student has to hand it in again, OSError if the fault is not the student's."""
    if path.is_symlink() or not path.is_file():
        raise Unreadable("this is not a file")
    if path.stat().st_size > FILE_BYTES:
        raise Unreadable(f"the file is larger than {FILE_BYTES} bytes")
    text = decode(path.read_bytes())
    is_notebook = path.suffix.lower() == ".ipynb"
    cells = cells_of(text) if is_notebook else [text]
    if sum(map(len, cells)) > CODE_BYTES:
        raise Unreadable(f"its code is longer than {CODE_BYTES} letters")
    if not any(cell.strip() for cell in cells):
        raise Unreadable("the file is empty")
    return [without_magics(cell) if is_notebook else cell for cell in cells]
