"""Run an answer to an exercise where what it asks for is out of reach.

    # the result of a student's function: an array, or a sentence that says why there is none
    fence.run("03_maml", maml_grad, arguments)

Exercise 1's model has no grad; in all exercises the library's meta-gradients, numerical derivatives
and explanations answer that they are what is to be written, however a file has got hold of them. It
is a fence, not a prison: tinymeta.course.grade adds the limits that a class needs."""

import ast
import contextlib
import copy
import inspect
import linecache
import re
import sys
import traceback
import warnings
from types import FunctionType

import numpy as np

from .. import checks, meta
from ..extras import autopsy, ridge, variants
from ..mlp import MLP

WITHHELD = {  # methods of a network that an exercise asks for
    "01_backward": ("grad", "hvp", "backprop", "backward", "rop", "loss_and_grad"),
    "02_hvp": ("hvp", "rop"),
}
OF_CHECKS = (
    checks.complex_step,
    checks.unchecked_step,
    checks.central_difference,
    checks.taylor_slopes,
    checks.largest_eigenvalue,
)


class Blank(Exception):
    """The answer is still `raise NotImplementedError`."""


WRITING = "that is what you are writing"


def stop(*arguments, **options):  # noqa: ARG001
    """Lend its code to functions of the library, in whose modules no name of this one is known."""
    raise RuntimeError("that is what you are writing")


def stop_iterating(*arguments, **options):  # noqa: ARG001
    """The same for those that yield: from Python 3.13 on, their code may not be of another kind."""
    raise RuntimeError("that is what you are writing")
    yield


def stopped(function):
    """Return the code that says that an answer has called `function`."""
    code = (stop_iterating if inspect.isgeneratorfunction(function) else stop).__code__
    says = {WRITING: f"{function.__name__}: {WRITING}"}
    return code.replace(
        co_name=function.__name__,
        co_freevars=function.__code__.co_freevars,
        co_consts=tuple(says.get(constant, constant) for constant in code.co_consts),
    )


class Handout:
    """A network without the methods that an exercise asks for; all others, unpack, forward, predict
    and loss among them, are those of the MLP."""

    def __init__(self, model, withheld):
        self._model, self._withheld = model, withheld

    def __getattr__(self, name):
        if name in self._withheld:
            raise AttributeError(f"model.{name}: {WRITING}")
        return getattr(self._model, name)

    def __reduce__(self):  # copy and pickle ask for attributes before there is a _model
        return Handout, (self._model, self._withheld)

    def __repr__(self):
        return repr(self._model)


def hand_out(name, model):
    """Return the model that an answer to the exercise `name` is given in the place of an MLP."""
    return Handout(model, WITHHELD[name]) if name in WITHHELD else model


def functions_of(module):
    """Yield the functions and methods that a module defines."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        for function in vars(value).values() if isinstance(value, type) else (value,):
            if isinstance(function, FunctionType):
                yield function


def out_of_reach(name):
    """Return the functions that an answer to the exercise `name` must not call."""
    modules = [meta, autopsy, ridge, variants]
    graders = tuple(f"tinymeta.course.{name}" for name in ("diagnosis", "mistakes", "problems"))
    modules += [module for name, module in [*sys.modules.items()] if name.startswith(graders)]
    functions = [f for module in modules for f in functions_of(module)]
    return {*functions, *OF_CHECKS, *(getattr(MLP, method) for method in WITHHELD.get(name, ()))}


@contextlib.contextmanager
def up(name):
    """While it lasts, what the exercise `name` asks for cannot be called.

    The code of the functions is exchanged, not their names: a file may have imported them before.
    """
    codes = {function: function.__code__ for function in out_of_reach(name)}
    try:
        for function in codes:
            function.__code__ = stopped(function)
        yield
    finally:
        for function, code in codes.items():
            function.__code__ = code


def is_unchanged(before, after):
    """Return whether an argument (an array, a number, a batch of arrays) is unchanged; a model is
    not looked at."""
    if isinstance(before, tuple):
        return all(map(is_unchanged, before, after))
    return isinstance(before, MLP) or np.array_equal(before, after)


def run(name, answer, arguments):
    """Return the result of an answer to the exercise `name`: an array of numbers, or a sentence
    that says why there is none. Raise Blank if it is still to be written."""
    given = [
        hand_out(name, argument) if isinstance(argument, MLP) else copy.deepcopy(argument)
        for argument in arguments
    ]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(), up(name):
            warnings.simplefilter("ignore", RuntimeWarning)  # of a mean of nothing, say
            got = answer(*given)
    except NotImplementedError:
        raise Blank from None
    except (Exception, SystemExit) as error:
        return explain_exception(name, answer, error)
    if got is None:
        return "it returns None; is there a `return` at its end?"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy 1 only warns of arrays that do not fit together
            array = np.asarray(got)
    except (ValueError, Warning):
        array = np.asarray(None)
    if array.dtype.kind not in "biufc":
        return f"it returns {type(got).__name__}, expected one array of numbers"
    names = getattr(getattr(answer, "__code__", None), "co_varnames", ())
    for i, (before, after) in enumerate(zip(arguments, given)):
        if not is_unchanged(before, after):
            which = names[i] if i < len(names) else f"number {i + 1}"
            return (
                f"it writes into its argument {which}, which others use too"
                f"{where_written(name, answer, given)}; did you mean a copy (`a = a - b` for "
                "`a -= b`)?"
            )
    return array


def where_written(name, answer, given):
    """Return ", in line ..." of the first write into an argument, by a run in which they cannot be
    written; "" if it does not show."""
    for argument in given:
        for array in argument if isinstance(argument, tuple) else (argument,):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
    try:
        with np.errstate(all="ignore"), up(name):
            answer(*given)
    except (Exception, SystemExit) as error:
        if "read-only" in str(error):
            _, number, line = place(answer, error)
            return f", in line {number}, `{line}`" if line else f", in line {number}"
    return ""


def place(answer, error):
    """Return the frame, the number and the text of the line of the student's file at which the
    answer stopped."""
    source = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [*traceback.walk_tb(error.__traceback__)]
    frame, number = ([f for f in frames if f[0].f_code.co_filename == source] or frames)[-1]
    return frame, number, linecache.getline(frame.f_code.co_filename, number).strip()


def explain_exception(name, answer, error):
    """Return the line of the student's file at which the answer to the exercise `name` stopped, the
    error, and what was there: whole numbers (which layer was it?) and the shapes of arrays."""
    frame, number, line = place(answer, error)
    where = f"line {number}, `{line}`" if line else f"line {number}"
    if WRITING in str(error):
        return f"it cannot be called here, in {where}: {error}"
    integers = [
        f"{key} = {v}" for key, v in frame.f_locals.items() if type(v) is int and key.strip("_")
    ]
    where += f", where {', '.join(integers)}" if integers else ""
    words = "shape", "broadcast", "mismatch", "dimension", "size-1", "square"
    shapes = shapes_in(line, frame) if any(word in str(error) for word in words) else ""
    likely = likely_cause(name, error, line, shapes, frame)
    says = re.sub(r"^matmul: .*\((size .*)\)$", r"matmul: \1", str(error))
    return f"it stops with {type(error).__name__} in {where}: {says}{shapes}{likely}"


def likely_cause(name, error, line, shapes, frame):
    """Return a question on what may have stopped an answer, after its arrays' shapes; or ""."""
    words, source = str(error), "".join(linecache.getlines(frame.f_code.co_filename))
    if isinstance(error, IndexError) and "for axis 0" in words and "len(batch)" in source:
        return ". Is it len(batch)? A batch is four arrays; len(batch.x_support) counts its tasks."
    if isinstance(error, TypeError) and "slope[" in line and "NoneType" in words:
        return (
            ". tape.slope is there after backprop, and not for the last layer; "
            "model.activation_fn.slope(z) is there always."
        )
    if "to unpack" in words and "batch" in line:
        return ". zip(*batch) gives one task at a time: x, y, x_query, y_query."
    if "truth value of an array" in words:
        return ". np.where(condition, a, b) chooses entry by entry."
    if "array of object" in words:
        bare = [k for k, v in frame.f_locals.items() if inspect.isbuiltin(v) or inspect.ismethod(v)]
        return f". {bare[0]} is a method: are its brackets missing?" if bare else ""
    if not shapes:
        return ""
    if isinstance(error, TypeError):
        return ". Does a function that takes one number get an array? Those of np take arrays."
    if words.startswith("y: expected shape") and ", as x is " in words:
        return ". Are x and y of the same set? A batch is x, y, x_query, y_query, in this order."
    if "expected shape" in words:  # of a method of the library, which may ask for a column itself
        got = re.search(r"got (\([\d, ]+\))", words)
        alone = got and shapes.count(got[1]) == 1
        return (
            ""
            if "column" in words and alone
            else ". Are the arguments in their order: theta, x, y, v?"
        )
    if "must be square" in words and "solve(" in line:
        return ". solve(A, b) is A^-1 b: are they in this order?"
    met = {len(re.findall(r"\d+", one)) for one in re.findall(r"\([\d, ]+\)", words)}
    if met == {1, 2}:
        return ". An array (n,) lies along the last axis; is a column, a[:, None], meant?"
    if met == {2} and "eye(" in line:
        return ". Has np.eye the size of the matrix beside it?"
    layers = ", or of another layer (l - 1, l + 1)" if name in WITHHELD else ""
    return f". Is something transposed{layers}?"


def shapes_in(line, frame):
    """Return the arrays that a line names, with their shapes."""
    try:
        tree = ast.parse(line)
    except SyntaxError:  # the head of a loop, or a part of a statement
        return ""
    found, inside = {}, set()
    for node in ast.walk(tree):  # what is around a node comes before it
        calls = any(isinstance(part, ast.Call) for part in ast.walk(node))
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not calls:
            words = ast.unparse(node)
            with contextlib.suppress(Exception):  # a name that this line was to define
                value = eval(words, frame.f_globals, frame.f_locals)
                if isinstance(value, np.ndarray) and value.ndim and node not in inside:
                    found[words] = value.shape
                    inside |= {*ast.walk(node)}
    listed = ", ".join(f"{words} {shape}" for words, shape in [*found.items()][:5])
    return f"; there {listed}" if listed else ""
