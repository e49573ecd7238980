"""Python as HTML: keywords, strings, numbers and comments in colour; names that stand for a symbol
of the formulas can be pointed at, and those of the package lead to their source."""

import html
import keyword
import re

# Not by `tokenize`, which takes f-strings apart in newer versions of Python: a page is the same
# whichever makes it.
TOKEN = re.compile(
    r"""(?P<s>(?:\b[rbf]{1,2})?(?:"{3}[\s\S]*?"{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))"""
    r"|(?P<c>#.*)|(?P<n>\b\d[\w.]*)|(?P<name>[^\W\d]\w*)|(?P<point>\.)"
)


def escape(text):
    return html.escape(text, quote=False)


def names(code):
    """Yield the names of a piece of Python, ".name" for that of an attribute."""
    point = ""
    for match in TOKEN.finditer(code):
        if match["name"]:
            yield point + match["name"]
        point = "." if match["point"] else ""


def highlight(code, symbols, links):
    """Return code as HTML, where `symbols` {name: symbol} are those of the formulas, and `links`
    {name: (address, title)} lead elsewhere; ".name" is that of an attribute."""
    before = ""

    def shown(match):
        nonlocal before
        text, after = escape(match[0]), before
        before = match[0]
        if match["point"]:
            return text
        if not match["name"]:
            return f'<span class="{match.lastgroup}">{text}</span>'
        if keyword.iskeyword(text):
            return f'<span class="k">{text}</span>'
        if after in ("def", "class"):
            return f'<span class="d">{text}</span>'
        if (name := "." * (after == ".") + text) in links:
            to, about = links[name]
            text = f'<a href="{to}" title="{html.escape(about)}">{text}</a>'
        if match[0] in symbols:
            text = f'<span data-v="{symbols[match[0]]}">{text}</span>'
        return text

    made, at = [], 0
    for match in TOKEN.finditer(code):
        made += [escape(code[at : match.start()]), shown(match)]
        at = match.end()
    return "".join([*made, escape(code[at:])])
