"""Make the book: every lesson as a page for GitHub, a notebook and an offline page.

    python -m tinymeta.course.book                 all pages, from the recorded runs: a second
    python -m tinymeta.course.book 03_maml --run   run the lesson in full first, and record it
    python -m tinymeta.course.book --check         write nothing, and say which page is stale

A page is what the lesson's source and its recorded run say. A text may be changed without another
run; a changed code cell needs one.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from ...extras.storage import replacing
from . import deck, markdown, modules, notebook, page, playground, record, symbols
from .source import BOOK, FIGURES, BadLesson, lessons


def run(path):
    """Run a lesson in full, keep its figures, and return (outputs, {figure: SHA-256})."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = record.run(path, folder)
        figures = {}
        for name, _ in record.figures_of(outputs):
            data = (Path(folder) / name).read_bytes()
            figures[name] = record.digest(data)
            with replacing(FIGURES / name) as file:
                file.write(data)
    return outputs, figures


def pages(path, outputs, figures, address):
    """Return {file name: content} of the pages of a lesson."""
    made = notebook.notebook(path, outputs, figures, address)
    return {
        f"{path.stem}.ipynb": json.dumps(made, indent=1, ensure_ascii=False) + "\n",
        f"{path.stem}.md": markdown.page(path, outputs, address),
        f"{path.stem}.html": page.lesson(path, outputs, symbols.names(path), modules.used_in(path)),
        f"{path.stem}.slides.html": deck.deck(path, outputs),
    }


def whole_book():
    """Return {file name: content} of the pages that are of no lesson."""
    index = page.index({path: record.outputs_of(path)[0] for path in lessons()})
    sheet = deck.sheet(lessons())
    made = {"index.html": index, "playground.html": playground.page(), "bets.html": sheet}
    return made | {
        f"module_{name}.html": page.module(name, modules.page_body(name)) for name in modules.ORDER
    }


def main():
    named = {path.stem: path for path in lessons()}
    parser = argparse.ArgumentParser(
        prog="python -m tinymeta.course.book",
        description="Make the pages of the lessons in lessons/book/ from their recorded runs.",
    )
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 03_maml; all if none")
    parser.add_argument("--run", action="store_true", help="run them in full first, and record it")
    parser.add_argument("--check", action="store_true", help="write nothing; say what is stale")
    flags = parser.parse_args()
    if unknown := set(flags.lessons) - {*named}:
        parser.error(f"argument LESSON: expected names of {', '.join(named)}; got {unknown.pop()}")
    wrong, address = [], markdown.address()
    for path in [named[name] for name in flags.lessons or named]:
        try:
            kept = run(path) if flags.run else record.outputs_of(path)
            made = pages(path, *kept, address)
        except BadLesson as error:
            wrong.append(str(error))
            continue
        wrong += [
            f"lessons/figures/{name} is not the figure of the recorded run; restore it, or run "
            f"`python -m tinymeta.course.book {path.stem} --run`"
            for name in record.swapped(kept[1])
        ]
        for name, content in made.items():
            wrong += check(name, content) if flags.check else keep(name, content)
    if not wrong and not flags.lessons:
        for name, content in whole_book().items():
            wrong += check(name, content) if flags.check else keep(name, content)
    if wrong:
        sys.exit("\n".join(wrong))


def check(name, content):
    """Return, in a list, what is wrong with a page that there is, if anything."""
    file = BOOK / name
    if file.exists() and file.read_text(encoding="utf-8") == content:
        return []
    return [
        f"lessons/book/{name} is not what its source and the recorded run say; `python -m "
        "tinymeta.course.book` writes it again"
    ]


def keep(name, content):
    BOOK.mkdir(exist_ok=True)
    with replacing(BOOK / name) as file:
        file.write(content.encode())
    print(f"lessons/book/{name}  {len(content.encode()) / 1000:.0f} kB")
    return []


if __name__ == "__main__":
    main()
