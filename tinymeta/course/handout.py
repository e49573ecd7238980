"""Write what students get: python -m tinymeta.course.handout DIR --word WORD

DIR is the project without solutions, keys and the instructor's pages; its tests pass without
them. The bug hunt is dealt by a word of the course (tinymeta.course.hunt). DIR-teacher has
what was left out, and the key of this deal: for the teacher alone, as is the word."""

import argparse
import fnmatch
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from . import hunt

ROOT = Path(__file__).parents[2]
TAKEN = (
    "README.md",
    "LICENSE",
    "setup.cfg",
    "pyproject.toml",
    ".gitignore",
    "lessons",
    "tests",
    "tinymeta",
)
FOR_TEACHERS = (
    *hunt.FOR_TEACHERS,
    "lessons/INSTRUCTOR.md",
    "lessons/book/*.slides.html",  # which answer the guide's bets
    "tests/solutions",
    "tests/tools/wrong_answers.py",
    "tests/course/hand_ins.py",
    "tests/course/known_mistakes.txt",
    "tests/course/test_diagnosis.py",
    "tests/course/test_exercises.py",
    "tests/course/test_grade.py",
    "tests/course/test_handout.py",
    "tests/course/test_submissions.py",
    "tinymeta/course/handout.py",
)
OF_THE_REPOSITORY = (  # tests of its pages and its history, for those who change them
    "tests/browser",
    "tests/course/test_accessible.py",
    "tests/course/test_book.py",
    "tests/repository",
    "tests/tools/test_mutate.py",
)
SKIPPED = ("__pycache__", "output", ".pytest_cache", ".hypothesis", ".ruff_cache")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def is_in(path, listed):
    """Return whether a path (relative, with slashes) is listed, or in a folder that is."""
    return any(fnmatch.fnmatchcase(path, one) or path.startswith(f"{one}/") for one in listed)


def files(root):
    """Return the paths of the project's files, relative to its root, with slashes."""
    found = []
    for name in TAKEN:
        place = root / name
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        found += [path.relative_to(root) for path in inside if path.is_file()]
    return [path.as_posix() for path in found if not set(path.parts) & set(SKIPPED)]


def without_links(text, left_out):
    """Return a page without the sentences that link to what students do not get; `left_out` is a
    function of a link's target."""

    def is_for_teachers(words):
        return any(map(left_out, LINK.findall(words)))

    paragraphs = text.split("\n\n")
    for i, paragraph in enumerate(paragraphs):
        if is_for_teachers(paragraph):
            sentences = re.split(r"(?<=[.!])(\s+)", paragraph)  # and what is between them
            kept = [
                sentence + after
                for sentence, after in zip(sentences[::2], [*sentences[1::2], ""])
                if not is_for_teachers(sentence)
            ]
            paragraphs[i] = "".join(kept).rstrip() + "\n" * paragraph.endswith("\n")
    return "\n\n".join(filter(str.strip, paragraphs))


def write_key(folder, students, word):
    """Write KEY.md, of the hunt and of how to grade."""
    letters = "\n".join(f"| {letter} | {name} |" for letter, name in hunt.key(word).items())
    text = f"""# For the teacher alone

What was left out of `{students.name}`, at the places where it belongs, and the key of the bug hunt
dealt by the word "{word}":

| letter | bug |
|---|---|
{letters}

To grade a class, in the whole project:

    python -m tinymeta.course.grade SUBMISSIONS --csv grades.csv --word {shlex.quote(word)}
"""
    (folder / "KEY.md").write_text(text, encoding="utf-8", newline="\n")


def hand_out(folder, word, root=ROOT):
    """Write the two folders.

    Parameters
    ----------
    folder : path
        Of the students; it must be empty, or not be there, and so must the other one.
    word : str
        The course word.
    root : path, optional
        The project's folder.

    Returns
    -------
    teachers : path
        The folder for the teacher.

    Raises
    ------
    FileExistsError
        If one of the folders has something in it.
    FileNotFoundError
        If the project is not whole, as where only the package is installed.
    """
    folder = Path(folder).resolve()
    teachers = folder.with_name(f"{folder.name}-teacher")
    hunt.key(word)  # raises ValueError if it is none
    for place in (folder, teachers):
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise FileExistsError(f"{place}: expected an empty folder, or none")
    missing = [name for name in (*TAKEN, "tests/solutions") if not (root / name).exists()]
    if missing:
        raise FileNotFoundError(f"{root}: expected the whole project; it lacks {missing[0]}")
    for path in files(root):
        if not is_in(path, OF_THE_REPOSITORY):
            target = (teachers if is_in(path, FOR_TEACHERS) else folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, target)
    hunt.write(folder / "lessons" / "exercises", word)
    for page in folder.rglob("*.md"):

        def left_out(target, page=page):
            place = os.path.normpath(page.parent / target)
            return is_in(os.path.relpath(place, folder).replace(os.sep, "/"), FOR_TEACHERS)

        text = page.read_text(encoding="utf-8")
        page.write_text(without_links(text, left_out), encoding="utf-8", newline="\n")
    write_key(teachers, folder, word)
    return teachers


def main(arguments=None):
    """Write the folders that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m tinymeta.course.handout", description="Write what students get."
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--word", required=True, help="the course word, which deals the bug hunt")
    flags = parser.parse_args(arguments)
    try:
        teachers = hand_out(flags.folder, flags.word)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"for students: {flags.folder}\nfor you alone: {teachers}, and the word")


if __name__ == "__main__":
    sys.exit(main())
