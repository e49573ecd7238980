"""All single changes of a source: another operator, constant, name or argument, a statement left
out, a curve drawn wrongly."""

import ast
import copy
import itertools
from typing import NamedTuple

TO = {
    "Add": "Sub", "Sub": "Add", "Mult": "Div", "Div": "Mult", "Pow": "Mult", "Mod": "FloorDiv",
    "MatMult": "Mult", "BitAnd": "BitOr", "BitOr": "BitAnd", "And": "Or", "Or": "And",
    "Gt": "GtE", "GtE": "Gt", "Lt": "LtE", "LtE": "Lt", "Eq": "NotEq", "NotEq": "Eq",
    "Is": "IsNot", "IsNot": "Is", "In": "NotIn", "NotIn": "In",
    "USub": "UAdd", "Not": "UAdd", "Invert": "UAdd",
}  # fmt: skip
PAIRS = (
    "mean sum|max min|zeros ones|zeros_like ones_like|sin cos|any all|reversed list|x y|low high"
    "|x_support x_query|y_support y_query|RgW Rgb|gW gb|h slope"
)
NAMES = {a: b for pair in PAIRS.split("|") for a, b in (pair.split(), pair.split()[::-1])}
LEVELS = {"axhline", "axvline"}
CURVES = {
    "plot", "loglog", "semilogx", "semilogy", "scatter", "step", "fill_between", "errorbar", "bar",
    "barh", "imshow", "set_data", "set_xdata", "set_ydata",
}  # fmt: skip
LOOKS = {  # keywords of how a drawing looks, not of what it says: a matter of taste
    "alpha", "antialiased", "capsize", "edgecolor", "facecolor", "fontsize", "ha", "linewidth",
    "markeredgewidth", "markerfacecolor", "markersize", "pad", "rasterized", "rotation",
    "textcoords", "va", "weight", "zorder",
}  # fmt: skip


class Change(NamedTuple):
    """The bytes of a module from start to end become `text`."""

    module: str
    function: str
    begins: int  # the line at which the function around it does; 0: it is in none
    line: int
    column: int
    what: str
    start: int
    end: int
    text: str

    def applied(self, source):
        data = source.encode()
        return (data[: self.start] + self.text.encode() + data[self.end :]).decode()


# The kinds of change. Each yields (what is done, the node to put in this one's place);
# None stands for "this becomes that".


def put(node, **fields):
    """A copy of the node with other fields."""
    new = copy.copy(node)
    vars(new).update(fields)
    return new


def put_in(items, i, *new):
    """A copy of the list with other items from the i-th on."""
    return [*items[:i], *new, *items[i + len(new) :]]


def other(op):
    return getattr(ast, TO[type(op).__name__])()


def operators(node):
    """Another operator, the left operand alone, the other branch."""
    if isinstance(node, (ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.AugAssign)):
        if type(node.op).__name__ in TO:
            yield None, put(node, op=other(node.op))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.Add, ast.Sub)):
        yield None, node.left
    if isinstance(node, ast.IfExp):
        yield "the other branch", put(node, body=node.orelse, orelse=node.body)


def comparisons(node):
    """Another comparison; > 0 becomes != 0 as well, which only negative numbers tell apart."""
    if isinstance(node, ast.Compare):
        for i, (op, right) in enumerate(zip(node.ops, node.comparators)):
            yield None, put(node, ops=put_in(node.ops, i, other(op)))
            if isinstance(op, ast.Gt) and isinstance(right, ast.Constant) and right.value == 0:
                yield None, put(node, ops=put_in(node.ops, i, ast.NotEq()))


def constants(node):
    """A neighbour of an integer, the double of another number, and 0.01 for a tolerance."""
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool):
        yield None, ast.Constant(not value)
    elif isinstance(value, int):
        yield None, ast.Constant(value + 1)
        yield None, ast.Constant(value - 1)
    elif isinstance(value, float):
        yield None, ast.Constant(2 * value)
        if 0 < value < 1e-2:
            yield None, ast.Constant(1e-2)


def names(node):
    """A name for its counterpart."""
    for field in ("id", "attr"):
        name = getattr(node, field, None)
        if name in NAMES and isinstance(node.ctx, ast.Load):
            yield None, put(node, **{field: NAMES[name]})


def calls(node):
    """A keyword left out, and two neighbours exchanged."""
    if not isinstance(node, ast.Call):
        return
    for i, (a, b) in enumerate(zip(node.args, node.args[1:])):
        yield f"arguments {i + 1} and {i + 2} exchanged", put(node, args=put_in(node.args, i, b, a))
    told = [i for i, keyword in enumerate(node.keywords) if keyword.arg not in LOOKS]
    for i in told:
        a = node.keywords[i]
        yield f"without {a.arg}", put(node, keywords=node.keywords[:i] + node.keywords[i + 1 :])
        if i + 1 in told:
            b = node.keywords[i + 1]
            swapped = put(a, value=b.value), put(b, value=a.value)
            what = f"{a.arg} and {b.arg} exchanged"
            yield what, put(node, keywords=put_in(node.keywords, i, *swapped))


def drawings(node):
    """Lies: a curve drawn backwards, and one that is too low."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
        return
    first, *others = node.args
    if node.func.attr in LEVELS:
        yield "drawn at 0.9", put(node, args=[parsed("{} * 0.9", first), *others])
    if node.func.attr in CURVES:
        star = isinstance(first, ast.Starred)
        backwards = parsed("{}[::-1]", first.value if star else first)
        backwards = put(first, value=backwards) if star else backwards
        yield "first argument backwards", put(node, args=[backwards, *others])
        if others and not isinstance(others[0], (ast.Starred, ast.Constant)):
            lower = parsed("[0.9 * value for value in {}]", others[0])  # lists as well as arrays
            yield "second argument times 0.9", put(node, args=[first, lower, *others[1:]])


def parsed(pattern, node):
    """The expression that the pattern makes of a node."""
    return ast.parse(pattern.format(f"({ast.unparse(node)})"), mode="eval").body


def statements(node):
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.If, ast.Raise, ast.Assign)):
        yield f"left out: {ast.unparse(node).splitlines()[0]}", ast.Pass()


KINDS = (operators, comparisons, constants, names, calls, drawings, statements)


def nodes(node, function=(), begins=0):
    """(node, the names around it, the line its function begins at), in order; texts and looks
    are left alone."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        function = (*function, node.name)
    if isinstance(node, ast.FunctionDef):
        begins = min(part.lineno for part in (node, *node.decorator_list))  # as Python counts
    yield node, ".".join(function), begins
    if not isinstance(node, ast.Raise):  # the words of a message
        for child in ast.iter_child_nodes(node):
            docstring = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            look = isinstance(child, ast.keyword) and child.arg in LOOKS
            if not (docstring or look or isinstance(child, ast.JoinedStr)):
                yield from nodes(child, function, begins)


def changes(source, module=""):
    """All single changes of a module's source. Everything else stays as it is written."""
    lines = source.encode().splitlines(keepends=True)  # ast counts columns in bytes
    starts = [0, *itertools.accumulate(map(len, lines))]
    found = []
    for node, function, begins in nodes(ast.parse(source)):
        for what, new in [change for kind in KINDS for change in kind(node)]:
            old, text = ast.unparse(node), ast.unparse(new)
            if text != old:  # they are equal if two equal arguments are exchanged
                what = what or f"{old} -> {text}"
                text = f"({text})" if isinstance(node, ast.expr) else text
                start = starts[node.lineno - 1] + node.col_offset
                end = starts[node.end_lineno - 1] + node.end_col_offset
                place = module, function, begins, node.lineno, node.col_offset + 1
                found.append(Change(*place, what, start, end, text))
    return found
