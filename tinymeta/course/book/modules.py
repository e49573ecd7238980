"""The modules of the subject as pages: each docstring beside its code, and links from the names in
a lesson to their definition, and back."""

import ast
import functools
import html
import re
from pathlib import Path

from .code import escape, highlight, names
from .formulas import mathml
from .source import cells, lessons, title

PACKAGE = Path(__file__).resolve().parents[2]
ORDER = "mlp losses meta tasks optimizers training evaluation checks".split()


def path_of(module):
    return PACKAGE / f"{module}.py"


def is_public(node):
    return isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")


@functools.cache
def definitions():
    """Return {name: (module, anchor, first sentence of its docstring)} of the public functions and
    classes of the subject; the name of a method of MLP begins with a point."""
    found = {}
    for module in ORDER:
        for node in filter(is_public, ast.parse(path_of(module).read_text("utf-8")).body):
            found[node.name] = module, node.name, first_sentence(node)
            for one in filter(is_public, node.body if node.name == "MLP" else ()):
                found[f".{one.name}"] = module, f"MLP.{one.name}", first_sentence(one)
    return found


def first_sentence(node):
    return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())


def links():
    """Return {name: (address, title)} of all definitions."""
    return {
        name: (f"module_{module}.html#{anchor}", f"{about} ({module}.py)")
        for name, (module, anchor, about) in definitions().items()
    }


@functools.cache
def used_in(path):
    """Return the links of the names that the code of a lesson has from the subject: those that it
    imports, and the methods."""
    code = [cell.text for cell in cells(path) if cell.kind != "text"]
    imports = {
        alias.name
        for text in code
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("tinymeta")
        for alias in node.names
    }
    called = {name for text in code for name in names(text) if name.startswith(".")}
    return {name: to for name, to in links().items() if name in imports | called}


def pieces(module):
    """Return the parts of a module, (anchor, docstring, first line, code without its docstring)."""
    text = path_of(module).read_text(encoding="utf-8")
    lines, tree, found = text.split("\n"), ast.parse(text), []

    def first(node):
        return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])

    def add(anchor, node, start, stop):
        """Add the lines from start up to but not including stop."""
        doc = ast.get_docstring(node) if node else None
        hidden = range(node.body[0].lineno, node.body[0].end_lineno + 1) if doc else ()
        kept = [lines[n - 1] for n in range(start, stop) if n not in hidden]
        code = "\n".join(kept).strip("\n")
        if code or doc:
            found.append((anchor, doc or "", start, code))

    starts = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    ends = [first(node) for node in starts] + [len(lines) + 1]
    add("", tree, 1, ends[0])
    for node, end in zip(starts, ends[1:]):
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
        if not isinstance(node, ast.ClassDef):
            methods = []
        stops = [first(one) for one in methods] + [end]
        add(node.name, node, first(node), stops[0])
        for one, stop in zip(methods, stops[1:]):
            add(f"{node.name}.{one.name}", one, first(one), stop)
    return found


def spans(text):
    """Return a line of a docstring as HTML."""
    made = []
    for part in re.split(r"(`[^`]+`|\$[^$]+\$)", text):
        if part.startswith("`") and len(part) > 1:
            made.append(f"<code>{escape(part.strip('`'))}</code>")
        elif part.startswith("$") and len(part) > 1:
            made.append(mathml(part[1:-1]))
        else:
            made.append(escape(part))
    return "".join(made)


def docstring(text):
    """Return a docstring as HTML: paragraphs, indented blocks, and the sections of numpydoc."""
    made, section = [], ""
    for block in re.split(r"\n\s*\n", text):
        lines = block.split("\n")
        if len(lines) > 1 and re.fullmatch("-{3,}", lines[1]):
            section, lines = lines[0], lines[2:]
            made.append(f"<h3>{escape(section)}</h3>")
        if not lines:
            continue
        if lines[0].startswith(">>>"):
            made.append(f'<pre class="code">{highlight(chr(10).join(lines), {}, {})}</pre>')
        elif section and any(line.startswith("    ") for line in lines[1:]) or " : " in lines[0]:
            made.append(f"<dl>{''.join(map(term, lines))}</dl>")
        elif lines[0].startswith("    "):
            made.append(indented(lines))
        else:
            made.append(f"<p>{spans(' '.join(lines))}</p>")
    return "".join(made)


def term(line):
    """Return a line of a list of parameters: a name and its type, or what is said of it."""
    tag = "dd" if line.startswith("    ") else "dt"
    return f"<{tag}>{spans(line.strip())}</{tag}>"


def indented(lines):
    """Return an indented block: a table where it has formulas, and else as it stands."""
    if not any("$" in line for line in lines):
        return f"<pre>{escape(chr(10).join(line[4:] for line in lines))}</pre>"
    # a deeper line goes on with the last cell
    text = re.sub(r"\n {5,}(?=\S)", " ", "\n".join(lines))
    rows = [re.split(r" {2,}", line.strip()) for line in text.split("\n")]
    cells = ["".join(f"<td>{spans(cell)}</td>" for cell in row) for row in rows]
    return f'<table class="plain">{"".join(f"<tr>{row}</tr>" for row in cells)}</table>'


def page_body(module):
    """Return the page of a module, without its frame."""
    made, others, users = [], links(), {path: used_in(path) for path in lessons()}
    named = {anchor: name for name, (where, anchor, _) in definitions().items() if where == module}
    for anchor, doc, line, code in pieces(module):
        heading = f'<h2 id="{anchor}">{anchor}</h2>' if anchor else f"<h1>tinymeta/{module}.py</h1>"
        back = [
            f'<a href="{path.stem}.html" title="{html.escape(title(cells(path)))}">'
            f"{path.stem[:2]}</a>"
            for path, names in users.items()
            if named.get(anchor) in names
        ]
        where = f'<p class="back">in lessons {" ".join(back)}</p>' if back else ""
        shown = f'<pre class="code">{highlight(code, {}, others)}</pre>' if code else ""
        made.append(
            f'<section><div class="text"><div>{heading}{docstring(doc)}{where}</div></div>'
            f'<div class="side"><p class="line">line {line}</p>{shown}</div></section>'
        )
    return "".join(made)
