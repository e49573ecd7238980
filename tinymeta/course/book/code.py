"""Python as HTML: keywords, strings, numbers and comments in colour; names that stand for a symbol
of the formulas can be pointed at, and public names lead to their source."""

import html
import io
import keyword
import tokenize

KINDS = {tokenize.STRING: "s", tokenize.NUMBER: "n", tokenize.COMMENT: "c"}
for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END"):  # from Python 3.12 on
    if hasattr(tokenize, name):
        KINDS[getattr(tokenize, name)] = "s"


def escape(text):
    return html.escape(text, quote=False)


def tokens(code):
    """Yield (kind, text, gap): each token of a piece of Python and the text between it and the one
    before. A piece that is no whole program, such as a method, is fine."""
    lines, row, column = code.split("\n"), 1, 0

    def between(end_row, end_column):
        if end_row == row:
            return lines[row - 1][column:end_column]
        middle = [lines[row - 1][column:], *lines[row : end_row - 1]]
        return "\n".join([*middle, lines[end_row - 1][:end_column]])

    try:
        for token in tokenize.generate_tokens(io.StringIO(code + "\n").readline):
            if token.type in KINDS or token.type in (tokenize.NAME, tokenize.OP):
                gap = between(*token.start)
                row, column = token.start
                text = between(*token.end)
                row, column = token.end
                yield token.type, text, gap
    except (tokenize.TokenError, IndentationError):
        pass  # the rest is plain text
    yield None, "", between(len(lines), len(lines[-1]))


def highlight(code, symbols, links):
    """Return code as HTML, where `symbols` {name: symbol} are those of the formulas, and `links`
    {name: (address, title)} lead elsewhere; ".name" is that of an attribute."""
    made, before = [], ""
    for kind, text, gap in tokens(code):
        made.append(escape(gap))
        shown, style = escape(text), KINDS.get(kind)
        if kind == tokenize.NAME:
            if keyword.iskeyword(text):
                style = "k"
            elif before in ("def", "class"):
                style = "d"
            elif text in symbols:
                shown = f'<span data-v="{symbols[text]}">{shown}</span>'
            elif (name := "." * (before == ".") + text) in links:
                to, about = links[name]
                shown = f'<a href="{to}" title="{html.escape(about)}">{shown}</a>'
        made.append(f'<span class="{style}">{shown}</span>' if style else shown)
        before = text
    return "".join(made)
