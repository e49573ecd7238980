"""Set the mathematics of the lessons, which is Unicode between dollars, as TeX and as MathML.

    tex("θ_{s+1} = θ_s − α g_s")      the same for GitHub, Jupyter and Colab
    mathml("θ_{s+1} = θ_s − α g_s")   for a browser, without a script

A formula is read once, as a row of pieces that know both. What is not listed here is refused.
"""

import html
import re
from collections import namedtuple

GREEK = dict(
    zip(
        "αβγδεζηθκλμνξπρστφχψωΔΣΩ",
        "alpha beta gamma delta varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau "
        "varphi chi psi omega Delta Sigma Omega".split(),
    )
)
KINDS = {
    "relation": {
        "=": "=", "≤": r"\le", "≥": r"\ge", "≈": r"\approx", "≠": r"\ne", "<": r"\lt",
        ">": r"\gt", "→": r"\to", "←": r"\gets", "∈": r"\in", "∝": r"\propto", "∼": r"\sim",
        "~": r"\sim",
    },
    "sum": {"+": "+", "−": "-", "-": "-", "±": r"\pm"},
    "operator": {
        "⊤": r"\top", "⊙": r"\odot", "·": r"\cdot", "*": r"\cdot", "×": r"\times",
        "∇": r"\nabla", "∂": r"\partial", "Σ": r"\sum", "…": r"\dots", "∞": r"\infty",
        "|": r"\vert", "‖": r"\Vert", "%": r"\%",
    } | {c: c for c in "/,;.:!"},
    "open": {"(": "(", "[": "["},
    "close": {")": ")", "]": "]"},
}  # fmt: skip
FUNCTIONS = {"sin", "cos", "tanh", "log", "exp", "max", "min"}  # those that TeX knows
WORDS = {"relu", "standard", "error", "for", "diag", "sign", "softplus", "and", "then"}
POWERS = {"²": "2", "³": "3"}
TOKEN = re.compile(r"d(?=[A-Z])|d(?=[a-zλ]\b)|\d+(?:[.,]\d+)*|'+|[A-Za-z]{2,}|\s{2,}|\S")


class UnknownFormula(ValueError):
    """A formula has something that cannot be set."""


# A piece of a formula, as TeX and as MathML; its kind is "term", "space" or one of KINDS
Piece = namedtuple("Piece", "kind tex mathml")


def term(tex, mathml):
    return Piece("term", tex, mathml)


def symbol(text, tex):
    return term(tex, f'<mi data-v="{text}">{text}</mi>')


def leaf(token):
    """Return a token as a piece, or None if it is not known."""
    for kind, known in KINDS.items():
        if token in known:
            shown = html.escape({"-": "−", "*": "·", "~": "∼"}.get(token, token))
            straight = ' stretchy="false"' if token in "()[]|/‖" else ""
            return Piece(kind, known[token], f"<mo{straight}>{shown}</mo>")
    if token[0].isdigit():
        return term(token.replace(",", "{,}"), f"<mn>{token}</mn>")
    if token == "½":
        return term(r"\tfrac{1}{2}", "<mn>½</mn>")
    if token == "out" or (len(token) == 1 and token.isascii() and token.isalpha()):
        return symbol(token, token if len(token) == 1 else r"\text{out}")
    if token in GREEK:
        return symbol(token, "\\" + GREEK[token])
    if token in FUNCTIONS:
        return term("\\" + token, f'<mo lspace=".1em" rspace=".17em">{token}</mo>')
    if token in WORDS:
        return term(rf"\text{{ {token} }}", f"<mtext>&nbsp;{token}&nbsp;</mtext>")
    return Piece("space", r"\quad", '<mspace width="1.5em"></mspace>') if token == "  " else None


def read(formula):
    """Return a formula as a list of pieces."""
    tokens = [token if token.strip() else "  " for token in TOKEN.findall(formula.strip())]

    def fail(why):
        raise UnknownFormula(f"formula {formula.strip()!r}: {why}")

    def atom():
        token = tokens.pop(0) if tokens else fail("it ends where a symbol is expected")
        if token == "{":
            return term(*joined(row("}")))
        if token == "√":
            long = tokens[:1] == ["("] and tokens.pop(0)
            inner = joined(row(")")) if long else atom()[1:]
            return term(rf"\sqrt{{{inner[0]}}}", f"<msqrt>{inner[1]}</msqrt>")
        return leaf(token) or fail(f"{token!r} is not known here")

    def scripted():
        base, below, above, primes = atom(), None, [], ""
        while tokens and (tokens[0] in "^_" or tokens[0][0] == "'" or tokens[0] in POWERS):
            token = tokens.pop(0)
            if token == "_":
                below = fail("two rows below one symbol") if below else atom()
            elif token[0] == "'":
                primes = token
            else:
                above.append(leaf(POWERS[token]) if token in POWERS else atom())
        if not (below or above or primes):
            return base
        tex, marks = base.tex + primes, f'<mo lspace="0" rspace="0">{"′" * len(primes)}</mo>'
        tag, mathml = "m", base.mathml
        if below:
            tex, tag, mathml = tex + f"_{{{below.tex}}}", "msub", mathml + below.mathml
        if above or primes:
            inner = joined(above)
            tex += f"^{{{inner[0]}}}" * bool(above)
            mathml += f"<mrow>{marks * bool(primes)}{inner[1]}</mrow>"
            tag += "sup"
        return base._replace(tex=tex, mathml=f"<{tag}>{mathml}</{tag}>")

    def row(end=None):
        found, depth = [], 0
        while tokens and (tokens[0] != end or depth):
            piece = leaf("  ") if tokens[0] == "  " and tokens.pop(0) else scripted()
            depth += (piece.kind == "open") - (piece.kind == "close")
            free = not found or found[-1].kind not in ("term", "close")
            if piece.kind == "sum" and free and piece.tex == "-":  # it has nothing on its left
                piece = term("-", '<mo form="prefix" lspace="0" rspace="0">−</mo>')
            found.append(piece)
        if end:
            tokens.pop(0) if tokens else fail(f"{end!r} is missing")
        return found

    return row()


def joined(row):
    """Return pieces as one (TeX, MathML), with a space where a command would run into a letter."""
    tex = ""
    for piece in row:
        command = re.search(r"\\[A-Za-z]+$", tex) and piece.tex[:1].isalpha()
        wide = piece.kind in ("relation", "sum") or tex[-1:] in ("=", "+", ",")
        tex += " " * bool(tex and (command or wide)) + piece.tex
    mathml = "".join(piece.mathml for piece in row)
    return tex, mathml if len(row) == 1 else f"<mrow>{mathml}</mrow>"


def tex(formula):
    """Return a formula as TeX."""
    return joined(read(formula))[0]


def symbols(formula):
    """Return the symbols of a formula, such as {"θ", "α", "g"}."""
    return set(re.findall('data-v="(.*?)"', mathml(formula)))


def mathml(formula, display=False):
    """Return a formula as MathML; a symbol says with data-v which it is. A long one is in parts,
    between which a line can be broken, for within one browsers break none: before wide spaces and
    relations, and before a sum behind a long part; not in parentheses."""
    row, parts, depth = read(formula), [[]], 0
    long = len(re.findall("<m[ino]", joined(row)[1])) > 12
    for piece in row:
        goes_on = piece.kind == "sum" and len(parts[-1]) > 6
        if long and not depth and parts[-1] and (piece.kind in ("space", "relation") or goes_on):
            parts.append([])
            piece = piece._replace(mathml=piece.mathml.replace("<mo>", '<mo form="infix">'))
        depth += (piece.kind == "open") - (piece.kind == "close")
        parts[-1].append(piece)
    block = ' display="block"' if display else ""
    return "".join(f"<math{block}>{joined(part)[1]}</math>" for part in parts)
