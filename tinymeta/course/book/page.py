"""A lesson as an HTML page of one file, which needs no network: text beside code, formulas as
MathML, light and dark, on paper and on a phone."""

import html
import re
from pathlib import Path

from . import markdown, modules, record
from .code import escape, highlight
from .formulas import mathml
from .source import LESSONS, BadLesson, blocks, cells, inline, question, title
from .symbols import lit

HERE = Path(__file__).parent


def spans(text):
    """Return the Markdown of a line as HTML."""
    made = []
    for kind, part in inline(text):
        if kind == "plain":
            made.append(link_lessons(escape(part)))
        elif kind == "formula":
            made.append(mathml(part))
        elif kind == "link":
            made.append(f'<a href="{markdown.from_book(part[1])}">{escape(part[0])}</a>')
        else:
            tag = {"code": "code"}.get(kind, kind)
            inner = escape(part) if kind == "code" else spans(part)
            made.append(f"<{tag}>{inner}</{tag}>")
    # no line begins with the comma behind a formula
    last = r"(<math>(?:(?!<math>).)*</math>[-,.;:)]+)"
    return re.sub(last, r'<span class="nb">\1</span>', "".join(made))


def link_lessons(text):
    return re.sub(
        r"\[(.*?)\]\((\S+?)\)", r'<a href="\2">\1</a>', markdown.link_lessons(text, ".html")
    )


# Where a text links to the playground, its page has it
PLAYGROUND = re.compile(r"\(book/(playground\.html[^)]*)\)")


def slug(text):
    """Return the anchor of a heading."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def write(block):
    """Return a block of Markdown as HTML."""
    kind, text, parts = block
    if kind == "heading":
        return f'<h{parts} id="{slug(text)}">{spans(text)}</h{parts}>'
    if kind == "paragraph":
        frame = '<iframe class="playground" src="{}" title="playground" loading="lazy"></iframe>'
        frames = map(frame.format, PLAYGROUND.findall(text))
        return f"<p>{spans(text)}</p>{''.join(frames)}"
    if kind == "formula":
        return f'<div class="formula">{mathml(text, display=True)}</div>'
    if kind == "commands":
        return f'<pre class="commands">{escape(text)}</pre>'
    if kind == "fence":
        return f'<pre class="code">{highlight(text, {}, {})}</pre>'
    if kind == "quote":
        return f"<blockquote>{''.join(map(write, parts))}</blockquote>"
    if kind == "details":
        return f"<details><summary>{spans(text)}</summary>{''.join(map(write, parts))}</details>"
    if kind == "list":
        tag = "ul" if text == "-" else "ol"
        return f"<{tag}>{''.join(f'<li>{spans(item)}</li>' for item in parts)}</{tag}>"
    head, *rows = ([spans(cell) for cell in row] for row in parts)
    made = f"<tr>{''.join(f'<th scope=col>{cell}</th>' for cell in head)}</tr>" + "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="wide"><table>{made}</table></div>'


PROMISE = re.compile(r"^  (.+?)  +(\S+)   from (\S+) to (\S+)   (ok|OUT OF BOUNDS)$", re.MULTILINE)


def output(kind, what):
    """Return what a cell printed as HTML: text, the promised numbers, or a figure."""
    if kind == "figure":
        file, sentence = what
        shown = html.escape(sentence)
        return (
            f'<figure><img src="../figures/{file}" alt="{shown}" loading="lazy">'
            f"<figcaption>{shown}</figcaption></figure>"
        )
    if not what:
        return ""
    before, heading, promised = what.partition("What you should see\n")
    if not heading:
        return printed(what)
    found, lines = PROMISE.findall(promised), promised.strip("\n").split("\n")
    if len(found) != len(lines):
        raise BadLesson(f"expected a promised number in each of these lines; got {lines!r}")
    rows = "".join(map(promise, found))
    head = "".join(f"<th scope=col>{word}</th>" for word in ("number", "here", "from", "", "to"))
    return (
        output("text", before.strip("\n"))
        + f'<details class="promises"><summary>What you should see: {len(found)} numbers '
        f'and their bounds</summary><div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
        "</details>"
    )


COLUMNS = 108  # of printed text that have room beside the text, at the usual size of type


def printed(text):
    """Return printed text as HTML, in smaller type if it is wide."""
    columns = max(map(len, text.split("\n")))
    small = f' style="font-size:{11.5 * COLUMNS / columns:.1f}px"' if columns > COLUMNS else ""
    return f'<pre class="out"{small}>{escape(text)}</pre>'


def promise(row):
    """Return a promised number as a row of a table: its bounds, and a dot where it lies."""
    name, value, low, high, verdict = row
    a, b = float(low), float(high)
    at = 4 + 92 * min(max((float(value) - a) / (b - a), 0), 1) if a < b else 50
    strip = (
        f'<svg viewBox="0 0 100 10" role="img"><title>{value} between {low} and {high}: {verdict}'
        f'</title><path d="M4 5H96"/><circle cx="{at:.1f}" cy="5" r="4"/></svg>'
    )
    cells = name, value, low, strip, high
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in [escape(name), *cells[1:]])}</tr>"


def code(cell, symbols, links):
    """Return a code cell as HTML, folded if it is one to fold."""
    shown = f'<pre class="code">{highlight(cell.text, symbols, links)}</pre>'
    if cell.kind == "folded":
        lines = cell.text.count("\n") + 1
        shown = f"<details><summary>{lines} lines of code</summary>{shown}</details>"
    return shown


SHORT = 900  # characters: a text that stays in sight while the code beside it is read


def lesson(path, outputs, symbols, links):
    """Return the page of a lesson."""
    sections, left, text, side = [], iter(outputs), "", []

    def close():
        if text or side:
            plain = re.sub("<[^>]+>", "", text)
            kind = ' class="short"' if len(plain) < SHORT else ""
            code = f'<div class="side">{"".join(side)}</div>' if side else ""
            sections.append(
                f'<section><div class="text"><div{kind}>{text}</div></div>{code}</section>'
            )

    for cell in cells(path):
        if cell.kind == "text":
            close()
            text, side = "\n".join(map(write, blocks(cell.text))), []
        else:
            side.append(code(cell, lit(path, cell, symbols), links))
            side += [output(*part) for part in record.parts(next(left))]
    close()
    name, heading = path.stem, title(cells(path))
    before, after = markdown.neighbours(path)
    ways = [
        before and f'<a rel="prev" href="{before.stem}.html">← {before.stem[:2]}</a>',
        '<a href="index.html">all lessons</a>',
        f'<a href="{name}.ipynb">notebook</a>',
        f'<a href="../{name}.py">source</a>',
        '<a href="playground.html">playground</a>',
        after and f'<a rel="next" href="{after.stem}.html">{after.stem[:2]} →</a>',
    ]
    nav = f"<nav>{' '.join(filter(None, ways))}</nav>"
    body = f"{nav}<main>{''.join(sections)}{legend(symbols)}</main>{nav}"
    return whole(f"{heading} - tinymeta {name[:2]}", body)


def legend(symbols):
    """Return the symbols of a lesson {name in the code: symbol}, folded: buttons that light them,
    for who has no pointer."""
    rows = [
        f'<button data-v="{symbol}"><i>{symbol}</i> '
        f"<code>{', '.join(name for name in symbols if symbols[name] == symbol)}</code></button>"
        for symbol in sorted({*symbols.values()})
    ]
    what = "<summary>Symbols of this lesson, and their names in its code</summary>"
    return f'<details class="legend">{what}{"".join(rows)}</details>' if rows else ""


def whole(heading, body, styles=("page.css",), script="page.js"):
    """Return a page of one file, styles and script within."""
    style = "".join((HERE / name).read_text(encoding="utf-8") for name in styles)
    script = (HERE / script).read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)}</title>\n<style>\n{style}</style>\n{body}\n"
        f"<script>\n{script}</script>\n</html>\n"
    )


def module(name, body):
    """Return the page of a module of the subject, whose body is made elsewhere."""
    others = " ".join(f'<a href="module_{other}.html">{other}</a>' for other in modules.ORDER)
    nav = f'<nav><a href="index.html">all lessons</a> {others}</nav>'
    return whole(f"tinymeta/{name}.py", f"{nav}<main>{body}</main>{nav}")


PARTS = {1: "The post", 6: "Understanding", 9: "Beyond"}


def index(outputs_of):
    """Return the list of all lessons, with a picture and a sentence each; outputs_of {path: what
    each cell of its run printed}. The picture is that of the table in lessons/README.md."""
    table = (LESSONS / "README.md").read_text(encoding="utf-8")
    made = []
    for path, outputs in outputs_of.items():
        if int(path.stem[:2]) in PARTS:
            made.append(f'</div><h2>{PARTS[int(path.stem[:2])]}</h2><div class="cards">')
        sentences = dict(record.figures_of(outputs))
        picture = next(name for name in sentences if f"figures/{name}" in table)
        made.append(
            f'<a class="card" href="{path.stem}.html"><img src="../figures/{picture}" '
            f'alt="{html.escape(sentences[picture])}" loading="lazy"><b>{path.stem[:2]} '
            f"{spans(title(cells(path)))}</b><span>{spans(question(cells(path)))}</span></a>"
        )
    cards = "".join(made).removeprefix("</div>") + "</div>"
    about = (HERE / "index.html").read_text(encoding="utf-8")
    return whole("tinymeta: the lessons", f"<main>{about}{cards}</main>")
