"""A lesson's text as other Markdown: that of GitHub, and that of Jupyter and Colab."""

import configparser
import html
import posixpath
import re

from . import record
from .formulas import tex
from .source import LESSONS, cells, lessons, title

# What is not text: fenced code, code in a line, displayed and other formulas
PIECES = re.compile(
    r"(?P<fence>^```.*?^```$)|(?P<code>`[^`\n]+`)|\$\$(?P<block>[^$]+)\$\$|\$(?P<line>[^$]+)\$",
    re.MULTILINE | re.DOTALL,
)
LESSON = re.compile(r"(?<![\w\[])(lesson (\d\d))\b(?!\])", re.IGNORECASE)


def address():
    """Return where the project is published, or "" as long as it is not: `url` of setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(LESSONS.parent / "setup.cfg", encoding="utf-8")
    return parser["metadata"].get("url", "").strip().rstrip("/")


def convert(text, block, line, plain=str):
    """Return a text with its formulas written by the functions `block` and `line`, and what is
    neither a formula nor code by `plain`."""
    made, at = [], 0
    for match in PIECES.finditer(text):
        made.append(plain(text[at : match.start()]))
        if match["block"]:
            made.append(block(tex(match["block"])))
        elif match["line"]:
            made.append(line(tex(match["line"])))
        else:
            made.append(match[0])
        at = match.end()
    return "".join([*made, plain(text[at:])])


def from_book(to):
    """Return an address in a lesson, which is relative to lessons/, as seen from the book."""
    return to if re.match("[a-z]+:|#", to) else posixpath.relpath(to, "book")


def move_links(text):
    return re.sub(r"\]\(([^)\s]+)\)", lambda match: f"]({from_book(match[1])})", text)


def jupyter(text):
    """Return a text for a notebook."""
    return convert(text, "$$\n{}\n$$".format, "${}$".format, move_links)


def github(text):
    """Return a text for GitHub, with links to the lessons that it names."""

    def plain(text):
        return link_lessons(move_links(text))

    return convert(text, "```math\n{}\n```".format, "$`{}`$".format, plain)


def link_lessons(text, suffix=".md"):
    """Return a text in which "lesson 12" leads to that lesson."""

    def link(match):
        named = [path.stem for path in lessons() if path.stem.startswith(match[2])]
        return f"[{match[1]}]({named[0]}{suffix})" if named else match[1]

    return LESSON.sub(link, text)


def colab(name, address):
    owner = address.removeprefix("https://github.com/")
    to = f"https://colab.research.google.com/github/{owner}/blob/main/lessons/book/{name}.ipynb"
    badge = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({badge})]({to})"


def origin(name, address):
    """Return what stands at the top of a notebook."""
    made = (
        f"This notebook is lesson {name[:2]} of tinymeta, made from `lessons/{name}.py` by "
        "`python -m tinymeta.course.book`: edit that file, not this one. The text below each cell "
        "is what a full run printed; run the cells to see the figures."
    )
    return f"{colab(name, address)}\n\n{made}" if address else made


def install(address):
    """Return the cell that installs tinymeta where it is missing."""
    return (
        "import importlib.util\n\n"
        'if not importlib.util.find_spec("tinymeta"):\n'
        f"    %pip install -q git+{address}"
    )


def neighbours(path):
    """Return the lessons before and after a lesson, None where there is none."""
    every = lessons()
    i = every.index(path)
    return every[i - 1] if i else None, every[i + 1] if i + 1 < len(every) else None


def label(path):
    return f"{path.stem[:2]} {title(cells(path))}"


def page(path, outputs, address):
    """Return a lesson as Markdown for GitHub."""
    name = path.stem
    before, after = neighbours(path)
    ways = [
        before and f"[< {before.stem[:2]}]({before.stem}.md)",
        "[all lessons](../README.md)",
        f"[source](../{name}.py)",
        f"[notebook]({name}.ipynb)",
        address and colab(name, address),
        after and f"[{after.stem[:2]} >]({after.stem}.md)",
    ]
    top = " | ".join(filter(None, ways))
    made, left = [top], iter(outputs)
    for cell in cells(path):
        if cell.kind == "text":
            made.append(github(cell.text))
            continue
        code = f"```python\n{cell.text}\n```"
        if cell.kind == "folded":
            lines = cell.text.count("\n") + 1
            code = f"<details><summary>{lines} lines of code</summary>\n\n{code}\n\n</details>"
        made.append(code)
        for kind, what in record.parts(next(left)):
            if kind == "figure":
                made.append(figure(*what))
            elif what:
                made.append(f"```text\n{what}\n```")
    return "\n\n".join([*made, "---", top]) + "\n"


def figure(file, sentence):
    alt = sentence.replace("[", r"\[").replace("]", r"\]")
    return f"![{alt}](../figures/{file})\n\n*{html.escape(sentence, quote=False)}*"
