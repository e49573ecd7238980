"""Read a lesson: its cells, and the Markdown of its text, block by block.

The Markdown is the part of it that the lessons use: headings, paragraphs, lists, tables, indented
commands, displayed formulas and answers to fold out; what else begins a block is refused.
"""

import re
from collections import namedtuple
from pathlib import Path

LESSONS = Path(__file__).resolve().parents[3] / "lessons"
BOOK, FIGURES = LESSONS / "book", LESSONS / "figures"
MARKERS = {
    "# %% [markdown]": "text",
    "# %%": "code",
    '# %% tags=["hide-input"]': "folded",
}


class BadLesson(ValueError):
    """A lesson, or the record of its run, is not what the book can be made of."""


# A cell: its kind ("text", "code" or "folded"), its text, and the line where it begins
Cell = namedtuple("Cell", "kind text line")


def lessons():
    """Return the paths of all lessons, in their order."""
    return sorted(LESSONS.glob("[0-9][0-9]_*.py"))


def cells(path):
    """Return the cells of a lesson."""
    before, *pieces = re.split("^(# %%.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found, line = [], 1
    if before.strip() or not pieces:
        raise BadLesson(f"{path.name}: expected a cell marker `# %%` in its first line")
    for marker, body in zip(pieces[::2], pieces[1::2]):
        kind = MARKERS.get(marker)
        if kind is None:
            known = ", ".join(MARKERS)
            raise BadLesson(f"{path.name}, line {line}: expected one of {known}; got {marker!r}")
        text = body.strip("\n")
        start = line + 1 + len(body) - len(body.lstrip("\n"))
        if kind == "text":
            quoted = re.fullmatch('"""\n(.+)\n"""', text, re.DOTALL)
            if not quoted:
                raise BadLesson(f'{path.name}, line {start}: expected a text between two lines """')
            text, start = quoted[1], start + 1
        if text:
            found.append(Cell(kind, text, start))
        line += 1 + body.count("\n")
    return found


def title(cells):
    """Return the heading of a lesson."""
    return cells[0].text.partition("\n")[0].removeprefix("# ")


def question(cells):
    """Return the sentence of a lesson that says what is learned in it."""
    found = re.search(r"^What you'll learn: (.*?)$\n\n", cells[0].text, re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()) if found else ""


# A block of Markdown: its kind, its text, and its parts: the items of a list, the rows of a table
# (lists of cells), the blocks of a quotation or of an answer to fold out, or the level of a
# heading, the language of code
Block = namedtuple("Block", "kind text parts", defaults=("", ()))


def blocks(text):
    """Return the blocks of a Markdown text."""
    lines, found = text.split("\n"), []
    while lines:
        if not lines[0].strip():
            lines.pop(0)
        elif lines[0].startswith("<details>"):
            found.append(take_details(lines))
        elif lines[0].startswith("```"):
            language = lines.pop(0)[3:]
            if "```" not in lines:
                raise BadLesson("expected a line ``` that ends the code")
            found.append(Block("fence", take(lines, lambda line: line != "```"), language))
            lines.pop(0)
        elif lines[0].startswith("    "):
            found.append(Block("commands", take(lines, lambda line: line[:4].strip() == "", 4)))
        else:
            found.append(block_of(take(lines, lambda line: bool(line.strip()))))
    return found


def take(lines, belongs, indent=0):
    """Take lines off the front as long as they belong to a block, and return them as one text."""
    taken = []
    while lines and belongs(lines[0]):
        taken.append(lines.pop(0)[indent:])
    return "\n".join(taken).rstrip("\n")


def take_details(lines):
    first = lines.pop(0)
    summary = re.fullmatch("<details><summary>(.*)</summary>", first)
    if not summary or "</details>" not in lines:
        raise BadLesson(
            f"expected <details><summary>...</summary> in a line, and </details> in a later one; "
            f"got {first!r}"
        )
    inner = take(lines, lambda line: line != "</details>")
    lines.pop(0)
    return Block("details", summary[1], blocks(inner))


def block_of(text):
    """Return the block that a text without empty lines is."""
    lines = text.split("\n")
    if heading := re.fullmatch("(#{1,3}) (.*)", lines[0]):
        if len(lines) > 1:
            raise BadLesson(f"expected an empty line below the heading {lines[0]!r}")
        return Block("heading", heading[2], len(heading[1]))
    if text.startswith("$$"):
        if not text.endswith("$$") or text.count("$") != 4:
            raise BadLesson(f"expected one displayed formula between $$ and $$; got {text!r}")
        return Block("formula", text.strip("$"))
    if lines[0].startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        if len(rows) < 3 or {len(row) for row in rows} != {len(rows[0])}:
            raise BadLesson(f"expected a table whose rows have as many cells; got {lines[0]!r} ...")
        return Block("table", "", [rows[0], *rows[2:]])
    if item := re.match(r"(- |\d+\. )", text):
        items = re.split(r"\n(?:- |\d+\. )", text[item.end() :])
        return Block("list", item[1].strip(), [" ".join(item.split()) for item in items])
    if text.startswith("> "):
        return Block("quote", "", blocks(re.sub("^> ?", "", text, flags=re.MULTILINE)))
    if re.match(r"<|=|!\[|\* |\[\^|---|#", text):
        raise BadLesson(f"the book does not know what begins with {lines[0]!r}")
    return Block("paragraph", text)


INLINE = re.compile(
    r"`(?P<code>[^`]+)`|\$(?P<formula>[^$]+)\$|\[(?P<link>[^]]+)\]\((?P<to>[^)\s]+)\)"
    r"|\*\*(?P<strong>[^*]+)\*\*|(?<![\w*])\*(?P<em>[^*\s][^*]*)\*(?![\w*])"
)


def inline(text):
    """Return a text as pairs (kind, text), of the kinds "plain", "code", "formula", "strong",
    "em" and "link", whose text is (text, to)."""
    found, at = [], 0
    for match in INLINE.finditer(text):
        found.append(("plain", text[at : match.start()]))
        kind = match.lastgroup if match.lastgroup != "to" else "link"
        found.append((kind, (match["link"], match["to"]) if kind == "link" else match[kind]))
        at = match.end()
    found.append(("plain", text[at:]))
    for kind, part in found:
        if kind == "plain" and re.search(r"[`$]", part):
            raise BadLesson(f"a ` or a $ without its partner in {text!r}")
    return [(kind, part) for kind, part in found if part]
