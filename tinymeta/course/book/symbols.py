"""What a symbol of a lesson's formulas is called in that lesson's code, or that it has no name
there: pointing at one lights the other, and notation cannot drift."""

import re

from . import code, formulas, markdown
from .source import BadLesson, cells

# The names of a symbol, in all lessons that use it. A lesson may have its own below; it then has
# those alone. `name@word` is a name that is something else as well: it stands for its symbol only
# in the cells where a line begins with the word, or with `def` and the word.
EVERYWHERE = {
    "α": "INNER_LR inner_lr alpha",
    "δ": "delta",
    "θ": "theta thetas",
    "π": "pi",
    "g": "grad",
    "H": "hvp rop",
    "K": "SHOTS",
    "q": "q",
    "v": "v",
    "x": "x x_support x_query",
    "y": "y y_support y_query",
}
LESSONS = {
    "01": {
        "a": "mean_a mean_a2",
        "b": "phase",
        "m": "half_mean",
        "x": "x x_new x_s x_q x_support x_query",
        "y": "y ys half_ys y_s y_q y_support y_query",
    },
    "02": {
        "F": "ht",
        "I": "eye@transfer",
        "W": "W1 W2 W3",
        "b": "b1 b2 b3",
        "g": "grad gradient gradients",
        "h": "h h1 h2",
        "w": "w",
        "z": "z1 z2",
        "δ": "delta delta1 delta2 delta3",
        "μ": "strength strengths STRENGTHS",
        "η": "outer_lr",
    },
    "03": {
        "H": "hvp rop hvp_by_hand slope_hessian",
        "R": "Rh1 Rh2 Rdelta0 Rdelta1 Rdelta2 Rg Rg1 Rg2",
        "V": "V",
        "W": "W",
        "f": "slope",
        "g": "grad slope_grad two_weight_grad",
        "h": "h",
        "w": "w w1 w2",
        "x": "x x_side x_support x_query",
        "y": "y y_side y_support y_query",
        "z": "z",
        "α": "INNER_LR inner_lr ALPHA STEP alpha@wrong_gradients",
        "λ": "curvature",
    },
    "04": {
        "d": "d ds",
        "r": "product",
        "w": "w@left_at_the_stop",
        "α": "INNER_LR inner_lr alphas",
        "θ": "theta theta_1 thetas",
    },
    "05": {
        "g": "grad@theta_k",
        "k": "k",
        "α": "INNER_LR inner_lr PLANE_LR",
        "ε": "epsilon",
        "θ": "theta theta_k thetas",
    },
    "06": {
        "L": "L meta_loss",
        "e": "e steps",
        "f": "activation_fn no_curvature without_curvature",
        "g": "g",
        "d": "h hs",
        "v": "v rows_v",
        "w": "w",
        "α": "INNER_LR ALPHA alpha inner_lr",
    },
    "07": {
        "A": "A",
        "E": "expected",
        "G": "G",
        "R": "explained by_three",
        "c": "c@valleys",
        "d": "d@valleys",
        "g": "g grad",
        "k": "k",
        "w": "w",
        "α": "INNER_LR inner_lr ALPHA ALPHAS alpha alphas",
        "λ": "lam largest curvature",
        "μ": "mu MU",
        "ρ": "rho curvature_along_g",
    },
    "08": {
        "g": "g grad",
        "m": "velocity",
        "x": "x@losses_after x@class x_s x_q x_support x_query",
        "α": "INNER_LR inner_lr rate rates RATES",
        "β": "momentum",
        "λ": "curvature curvature_of",
    },
    "09": {
        "b": "phase",
        "α": "alpha TEXT RELEASED",
        "η": "eta doses",
        "λ": "lam lam_after curvature",
    },
    "10": {
        "D": "derivative",
        "g": "grad@thetas grad@small grad@recipe support_grad",
        "k": "k",
        "s": "s@thetas",
        "t": "t@small",
        "α": "alpha inner inner_lr INNER",
        "θ": "theta thetas small_theta smooth_theta",
        "μ": "lam LAM",
        "φ": "phi@small phi@recipe phi@left_over",
    },
    "11": {
        "a": "a@fit_from_pool amplitude",
        "b": "b@fit_from_pool phase",
        "c": "c@cases",
        "e": "e@cases e2",
        "x": "x@one_wave x@fit_from_pool x@hints x_query x_support",
        "y": "y@one_wave y@cases y@noisy y@hints y_new y_query y_support",
    },
    "12": {
        "A": "A",
        "F": "F F_q",
        "I": "eye",
        "K": "K KS",
        "L": "loss_of",
        "U": "U",
        "a": "a@solve a@by_hand",
        "g": "g_w",
        "δ": "g@by_hand",
        "s": "sd",
        "u": "u",
        "w": "w",
        "x": "x@wave x@class x@prior_scale x_query x_support",
        "y": "y y_q y_support y_query",
        "μ": "lam lams log_lam",
        "τ": "scale scales first_scale prior_scale",
    },
    "13": {
        "N": "WAYS ways",
        "W": "W",
        "c": "c prototypes",
        "e": "e e_query",
        "f": "embedding",
        "m": "centred",
        "x": "x@body x@W x@pixel_accuracy x_query x_support",
        "z": "scores",
        "α": "inner_lr",
    },
    "14": {
        "a": "a@difference",
        "b": "b@difference",
        "c": "c",
        "e": "features",
    },
    "16": {
        "A": "A",
        "J": "exact_loss",
        "a": "actions",
        "g": "GOAL",
        "m": "m@play m@estimates m@pathwise_bandit m_1",
        "n": "n@play n@estimates n@pathwise_bandit",
        "r": "rewards",
        "s": "states",
        "w": "weights",
        "z": "z@estimates",
        "α": "alpha@estimates alpha@pathwise_bandit CHECK_RATE",
        "θ": "theta theta_k",
        "σ": "SIGMA",
    },
}
# Symbols that have no name in the code of their lesson, and why
NOWHERE = {
    "01": {
        "E": "the mean over all tasks",
        "T": "tasks of a batch",
        "d": "numbers per point",
        "f": "any answer at x",
    },
    "02": {
        "f": "any function",
        "i": "an index, and the imaginary unit",
        "j": "an index",
        "d": "of a check",
        "m": "inside Adam",
        "n": "an index",
        "t": "inside Adam",
        "v": "inside Adam",
    },
    "03": {
        "E": "the mean over all tasks",
        "I": "the identity",
        "J": "never written out",
        "X": "a model for comparison",
        "a": "any quantity",
        "d": "a small move",
        "i": "an index",
        "out": "the last z",
        "s": "an index",
    },
    "04": {
        "L": "in a bound of a paper",
        "R": "counted, not computed",
        "V": "counted, not computed",
        "W": "counted, not computed",
        "h": "counted, not computed",
        "δ": "counted, not computed",
        "σ": "in a bound of a paper",
    },
    "05": {"H": "nobody computes it", "s": "an index", "β": "inside Adam"},
    "06": {"i": "the imaginary unit", "out": "of one unit", "z": "any complex number"},
    "07": {"I": "the identity", "i": "an index", "j": "an index"},
    "08": {"n": "an index", "r": "of the small case", "w": "of the small case"},
    "09": {"a": "drawn by SineTasks", "w": "of the small case"},
    "10": {
        "d": "a differential",
        "p": "inside imaml_grad",
        "q": "v before the loop",
        "w": "of the small case",
        "I": "the identity",
    },
    "12": {
        "D": "columns of F",
        "N": "the normal distribution",
        "W": "inside the decoder",
        "d": "a differential",
        "e": "the base of exp",
        "f": "a row of F",
        "i": "an index",
        "m": "a mean, as many things are",
        "n": "number of query points",
        "o": "inside the decoder",
        "q": "an index, in F_q",
        "r": "inside the CNP",
    },
    "13": {"K": "number of points", "n": "an index", "p": "inside the loss"},
    "15": {"L": "a column of cielab", "a": "a column of cielab", "b": "a column of cielab"},
    "16": {
        "D": "n actions",
        "c": "the last axis of the actions",
        "i": "an index",
        "k": "the number of inner steps, here one",
        "p": "a density, of which the code has the logarithm's derivative",
        "μ": "what the network gives out",
    },
}


def names(path):
    """Return {name in the code: symbol} of a lesson: all those of its formulas.

    BadLesson says which symbol has no name, and is not said to have none; or has only names that
    the code does not have; or which name has two symbols.
    """
    own, nowhere = LESSONS.get(path.stem[:2], {}), NOWHERE.get(path.stem[:2], {})
    called, found = EVERYWHERE | own, {}
    code_names = {name.lstrip(".") for cell in code_cells(path) for name in code.names(cell.text)}
    for symbol, line in symbols_of(path).items():
        if symbol in nowhere:
            continue
        where = f"{path.name}, line {line}: the symbol {symbol}"
        if symbol not in called:
            raise BadLesson(
                f"{where} has no name in the code, and is not said to have none; "
                "see tinymeta/course/book/symbols.py"
            )
        here = [name for name, _ in split(called[symbol]) if name in code_names]
        if not here:
            raise BadLesson(f"{where} is called {called[symbol]}, of which the code has none")
        for name in here:
            if found.setdefault(name, symbol) != symbol:
                raise BadLesson(f"{where} is called {name}, and so is {found[name]}")
    return found


def lit(path, cell, names):
    """Return those of the names of a lesson that stand for their symbol in a cell of its code."""
    places = {}
    for called in LESSONS.get(path.stem[:2], {}).values():
        for name, place in split(called):
            places.setdefault(name, []).append(place)
    return {
        name: symbol
        for name, symbol in names.items()
        if any(begins(cell, place) for place in places.get(name, [""]))
    }


def split(called):
    """Return pairs (name, word of the cells where it stands for its symbol, "" for all)."""
    return [word.partition("@")[::2] for word in called.split()]


def begins(cell, word):
    """Return whether a line of a cell begins with a word, or with `def` and the word."""
    return not word or re.search(rf"^(?:def )?{word}\b", cell.text, re.MULTILINE) is not None


def symbols_of(path):
    """Return {symbol: first line where it stands} of the formulas of a lesson."""
    found = {}
    for cell in cells(path):
        if cell.kind == "text":
            for match in markdown.PIECES.finditer(cell.text):
                if formula := match["block"] or match["line"]:
                    line = cell.line + cell.text.count("\n", 0, match.start())
                    for symbol in sorted(formulas.symbols(formula)):
                        found.setdefault(symbol, line)
    return found


def code_cells(path):
    return [cell for cell in cells(path) if cell.kind != "text"]
