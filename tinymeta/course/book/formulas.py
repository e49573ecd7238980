"""Set the mathematics of the lessons, which is Unicode between dollars, as TeX and as MathML.

    tex("θ_{s+1} = θ_s − α g_s")      the same for GitHub, Jupyter and Colab
    mathml("θ_{s+1} = θ_s − α g_s")   for a browser, without a script

A formula is read once, into a tree of parts, and written twice. What is not listed here is refused.
"""

import html
import re
from typing import NamedTuple

GREEK = dict(
    zip(
        "αβγδεζηθκλμνξπρσταυφχψωΔΣΩ",
        "alpha beta gamma delta varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau "
        "alpha upsilon varphi chi psi omega Delta Sigma Omega".split(),
    )
)
OPERATORS = {  # and how TeX calls them
    "⊤": r"\top", "⊙": r"\odot", "·": r"\cdot", "×": r"\times", "∇": r"\nabla", "∂": r"\partial",
    "Σ": r"\sum", "…": r"\dots", "≤": r"\le", "≥": r"\ge", "≈": r"\approx", "≠": r"\ne",
    "±": r"\pm", "→": r"\to", "←": r"\gets", "∞": r"\infty", "∈": r"\in", "∼": r"\sim",
    "−": "-", "-": "-", "|": r"\vert", "*": r"\cdot", "<": r"\lt", ">": r"\gt", "‖": r"\Vert",
    "&": r"\&", "%": r"\%", ":": ":", "~": r"\sim", "°": r"^\circ", "∝": r"\propto",
} | {c: c for c in "=+/()[],;.!"}  # fmt: skip
FUNCTIONS = {"sin", "cos", "tanh", "log", "exp", "max", "min"}  # those that TeX knows
OTHER_WORDS = {"relu", "out", "standard", "error", "for", "diag", "sign", "softplus", "and"}
POWERS = {"²": "2", "³": "3"}
TOKEN = re.compile(r"\d+(?:[.,]\d+)*|'+|[A-Za-z]{2,}|\s{2,}|\S")
LEFT, RIGHT = "([", ")]"


class UnknownFormula(ValueError):
    """A formula has something that cannot be set."""


class Part(NamedTuple):
    """A part of a formula: a number, a symbol, a word, an operator, a space; a row of parts; a root
    of a row; or a base with a row below and a row above."""

    kind: str
    text: str = ""
    parts: tuple = ()


def read(formula):
    """Return a formula as a row of parts."""
    tokens = [token if token.strip() else "  " for token in TOKEN.findall(formula.strip())]
    tokens = [part for token in tokens for part in split_differential(token)]

    def fail(why):
        raise UnknownFormula(f"formula {formula.strip()!r}: {why}")

    def atom():
        if not tokens:
            fail("it ends where a symbol is expected")
        token = tokens.pop(0)
        if token == "{":
            return row("}")
        if token == "√":
            return Part("root", parts=(parenthesis() if tokens[:1] == ["("] else atom(),))
        if token[0].isdigit():
            return Part("number", token)
        if token == "½":
            return Part("number", token)
        if token in OPERATORS:
            return Part("operator", token)
        if token in FUNCTIONS | OTHER_WORDS:
            return Part("word", token)
        if token in GREEK or (len(token) == 1 and token.isascii() and token.isalpha()):
            return Part("symbol", token)
        return fail(f"{token!r} is not known here")

    def parenthesis():
        """Return what is between a parenthesis and the one that closes it."""
        tokens.pop(0)
        return row(")")

    def scripted():
        base, below, above = atom(), None, []
        while tokens and (tokens[0] in "^_" or tokens[0][0] == "'" or tokens[0] in POWERS):
            token = tokens.pop(0)
            if token == "_":
                below = fail("two rows below one symbol") if below else atom()
            elif token == "^":
                above.append(atom())
            else:
                above.append(
                    Part("number", POWERS[token]) if token in POWERS else Part("prime", token)
                )
        if below is None and not above:
            return base
        return Part("scripts", parts=(base, below, Part("row", parts=tuple(above))))

    def row(end=None):
        found, depth = [], 0
        while tokens and (tokens[0] != end or depth):
            depth += (tokens[0] in LEFT) - (tokens[0] in RIGHT)
            if tokens[0] == "  ":
                found.append(Part("space", tokens.pop(0)))
            else:
                found.append(scripted())
        if end and not tokens:
            fail(f"{end!r} is missing")
        if end:
            tokens.pop(0)
        return Part("row", parts=tuple(found))

    return row()


def split_differential(token):
    """Return dF, which is not a word, as d and F."""
    return [*token] if re.fullmatch("d[A-Za-z]", token) else [token]


def symbols(formula):
    """Return the symbols of a formula, such as {"θ", "α", "g"}."""

    def walk(part):
        if part is not None:
            if part.kind == "symbol" or part.text == "out":
                yield part.text
            for inner in part.parts:
                yield from walk(inner)

    return set(walk(read(formula)))


def tex(formula):
    """Return a formula as TeX."""

    def write(part):
        text, parts = part.text, part.parts
        if part.kind == "row":
            return join(map(write, parts))
        if part.kind == "root":
            return rf"\sqrt{{{write(parts[0])}}}"
        if part.kind == "scripts":
            base, below, above = parts
            primes = "".join(inner.text for inner in above.parts if inner.kind == "prime")
            rest = join(write(inner) for inner in above.parts if inner.kind != "prime")
            return (
                write(base)
                + primes
                + (f"_{{{write(below)}}}" if below else "")
                + (f"^{{{rest}}}" if rest else "")
            )
        if part.kind == "operator":
            return OPERATORS[text]
        if part.kind == "word":
            return rf"\{text}" if text in FUNCTIONS else rf"\text{{ {text} }}"
        if part.kind == "symbol":
            return "\\" + GREEK[text] if text in GREEK else text
        return {"½": r"\tfrac{1}{2}", "  ": r"\quad"}.get(text, text.replace(",", "{,}"))

    return write(read(formula))


def join(pieces):
    """Return pieces of TeX as one, with a space where a command would run into a letter."""
    made = ""
    for piece in pieces:
        space = re.search(r"\\[A-Za-z]+$", made) and piece[:1].isalpha()
        space = space or piece in ("=", "+", "-") or made[-1:] in ("=", "+", ",")
        made += " " * bool(space and made) + piece
    return made


def with_signs(parts):
    """Return the parts of a row, where a minus with nothing on its left is a sign."""
    made = []
    for part in parts:
        free = not made or (made[-1].kind == "operator" and made[-1].text not in ")]|")
        sign = free and part.kind == "operator" and part.text in "-−"
        made.append(Part("sign") if sign else part)
    return made


RELATIONS = "=≤≥≈≠<>←→∈∝"


def breakable(parts):
    """Yield the pieces of a row between which a line may be broken: at wide spaces, before a
    relation, and before a plus or minus behind a long piece; not in parentheses."""
    piece, depth, long = [], 0, sum(map(count, parts)) > 12
    for part in with_signs(parts):
        if part.kind == "operator":
            depth += (part.text in LEFT) - (part.text in RIGHT)
        sum_goes_on = part.kind == "operator" and part.text in "+-−" and len(piece) > 6
        relation = part.kind == "operator" and part.text in RELATIONS
        if long and piece and depth == 0 and (part.kind == "space" or relation or sum_goes_on):
            yield Part("row", parts=tuple(piece))
            piece = []
        piece.append(part)
    yield Part("row", parts=tuple(piece))


def count(part):
    """Return the number of symbols of a part."""
    return sum(map(count, part.parts)) if part and part.parts else bool(part)


def mathml(formula, display=False):
    """Return a formula as MathML; a symbol says with data-v which it is. A long one is in
    pieces, between which a line can be broken: within one, browsers break none."""
    whole = read(formula)
    block = ' display="block"' if display else ""
    return "".join(f"<math{block}>{write_mathml(piece)}</math>" for piece in breakable(whole.parts))


def write_mathml(part):
    """Return a part of a formula as MathML."""

    def write(part):
        text, parts = part.text, part.parts
        if part.kind == "row":
            first, *rest = with_signs(parts) or [Part("space")]
            infix = first.kind == "operator" and first.text in RELATIONS + "+-−"
            begin = f'<mo form="infix">{html.escape(first.text)}</mo>' if infix else write(first)
            return f"<mrow>{begin}{''.join(map(write, rest))}</mrow>"
        if part.kind == "sign":
            return '<mo form="prefix" lspace="0" rspace="0">−</mo>'
        if part.kind == "root":
            return f"<msqrt>{write(parts[0])}</msqrt>"
        if part.kind == "scripts":
            base, below, above = map(lambda inner: inner and write(inner), parts)
            if not parts[2].parts:
                return f"<msub>{base}{below}</msub>"
            return (
                f"<msubsup>{base}{below}{above}</msubsup>"
                if below
                else f"<msup>{base}{above}</msup>"
            )
        if part.kind == "symbol" or text == "out":
            return f'<mi data-v="{text}">{text}</mi>'
        if part.kind == "word":
            near = ' lspace=".1em" rspace=".17em"' if text in FUNCTIONS else ""
            return f"<mo{near}>{text}</mo>" if near else f"<mtext>&nbsp;{text}&nbsp;</mtext>"
        if part.kind == "space":
            return '<mspace width="1.5em"></mspace>'
        if part.kind == "prime":
            return f'<mo lspace="0" rspace="0">{"′" * len(text)}</mo>'
        if part.kind == "number":
            return f"<mn>{text}</mn>"
        shown = html.escape({"-": "−", "*": "·"}.get(text, text))
        straight = ' stretchy="false"' if text in "()[]|/‖" else ""
        return f"<mo{straight}>{shown}</mo>"

    return write(part)
