"""A lesson as a notebook, which is also the record of its full run."""

from . import markdown
from .record import code_of, signature
from .source import cells

QUICK = """# True: watch a short training, and go on with the networks of the full run, in 10 s.
# False: train everything, as the run did whose output is recorded here.
QUICK = True"""


def notebook(path, outputs, figures, address):
    """Return the notebook (nbformat 4.5) of a lesson. Its first cells are its own: where it is
    from, what it needs where tinymeta is not installed, and QUICK."""
    name = path.stem
    made = [text_cell("origin", markdown.origin(name, address))]
    if address:
        made.append(code_cell("install", markdown.install(address)))
    made.append(code_cell("quick", QUICK))
    left = iter(outputs)
    for number, cell in enumerate(cells(path)):
        if cell.kind == "text":
            made.append(text_cell(f"cell-{number:03d}", markdown.jupyter(cell.text)))
        else:
            made.append(code_cell(f"cell-{number:03d}", cell.text, next(left)))
            if cell.kind == "folded":
                made[-1]["metadata"] = {
                    "cellView": "form",
                    "jupyter": {"source_hidden": True},
                    "tags": ["hide-input"],
                }
    about = {"figures": figures, "sha256": signature(code_of(path), outputs, figures)}
    language = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}
    return {
        "cells": made,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": language,
            "tinymeta": about,
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def text_cell(name, text):
    source = text.splitlines(keepends=True)
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def code_cell(name, text, output=""):
    stream = {"output_type": "stream", "name": "stdout", "text": output.splitlines(keepends=True)}
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {},
        "outputs": [stream] if output else [],
        "source": text.splitlines(keepends=True),
    }
