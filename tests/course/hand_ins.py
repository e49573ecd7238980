"""Hand-ins for tests of the grader, and a class of sixty that hands them in, in three layouts.

    python tests/course/hand_ins.py FOLDER      writes the class

CHEATS get no points, ODD ones all, and BROKEN ones none, or those of the cases in which they are
right; for each, words that its message has."""

import json
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOLUTIONS = ROOT / "tests" / "solutions"
# exercise 9's file is only there for those who have it
NAMES = [path.stem for path in sorted(SOLUTIONS.glob("0*.py"))]


def solution(name):
    return (SOLUTIONS / f"{name}.py").read_text(encoding="utf-8")


def maml(body, before=""):
    """Return a hand-in for exercise 3 with that body."""
    head = "def maml_grad(model, theta, batch, inner_lr, inner_steps):\n"
    start = "import numpy as np\nfrom tinymeta.course import grading\n"
    return start + textwrap.dedent(before) + head + textwrap.indent(textwrap.dedent(body), "    ")


def reptile(body):
    """Return a hand-in for exercise 5 with that body."""
    return maml(body).replace("maml_grad", "reptile_grad")


def backward(body, before=""):
    """Return a hand-in for exercise 1 with that body."""
    head = "import numpy as np\ndef backward(model, theta, x, y):\n"
    return textwrap.dedent(before) + head + textwrap.indent(textwrap.dedent(body), "    ")


WRITING = "that is what you are writing"
NOT = "a hand-in may not"
# what it is: (exercise, file, words of the message); {outside} is a folder that is not its own
CHEATS = {
    "the library's MAML": (
        "03_maml",
        maml(
            "return lib(model, theta, batch, inner_lr, inner_steps)[1]",
            "from tinymeta import maml_grad as lib\n",
        ),
        WRITING,
    ),
    "what the library's MAML is made of": (
        "03_maml",
        maml(
            """
            f = lib.unchecked.__wrapped__
            return f(model, theta[None], batch, inner_lr, inner_steps, None)[1].mean(0)
            """,
            "from tinymeta.meta import maml_grad as lib\n",
        ),
        WRITING,
    ),
    "the model's gradient": ("01_backward", backward("return model.grad(theta, x, y)"), WRITING),
    "the gradient of the model inside": (
        "01_backward",
        backward("return model._model.grad(theta, x, y)"),
        WRITING,
    ),
    "the gradient of a network of its own": (
        "01_backward",
        backward("""
            from tinymeta import MLP
            return MLP(model.sizes, model.activation, model.criterion).grad(theta, x, y)
            """),
        WRITING,
    ),
    "the complex step": (
        "02_hvp",
        "from tinymeta.checks import complex_step\n"
        "def hvp(model, theta, x, y, v):\n"
        "    return complex_step(lambda t: model.grad(t, x, y), theta, v)\n",
        WRITING,
    ),
    "the autopsy's gradients": (
        "03_maml",
        maml(
            """
            each = [autopsy.candidate_gradients(model, theta, task, inner_lr, inner_steps, None,
                                                None)["MAML"] for task in zip(*batch)]
            return np.mean(each, axis=0)
            """,
            "from tinymeta.extras import autopsy\n",
        ),
        WRITING,
    ),
    "the right words, and out": (
        "03_maml",
        'print("03_maml: all checks OK", flush=True)\nimport os\nos._exit(0)\n',
        "it ended before it had returned a result",
    ),
    "a patched judge": (
        "03_maml",
        maml(
            "return theta",
            """
            import tinymeta.checks
            grading.verdict = grading.judge = lambda *a: (0.0, "")
            grading.BOUND = tinymeta.checks.BOUND = 1e9
            tinymeta.checks.relative_error = lambda *a: 0.0
            """,
        ),
        "",
    ),
    "a number that equals any": (
        "03_maml",
        maml(
            "return Any(theta)",
            """
            class Any(np.ndarray):
                def __new__(cls, a): return np.array(a).view(cls)
                def __eq__(self, other): return True
                def __sub__(self, other): return np.zeros_like(np.array(self))
                __rsub__ = __sub__
            """,
        ),
        "",
    ),
    "a look into the callers' frames": (
        "03_maml",
        maml("""
            import sys
            frame = sys._getframe()
            while frame:
                for value in frame.f_locals.values():
                    if hasattr(value, "truth"):
                        return value.truth
                    for one in value if isinstance(value, list) else ():
                        if hasattr(one, "truth"):
                            return one.truth
                frame = frame.f_back
            raise LookupError("no truth in any frame")
            """),
        "no truth in any frame",
    ),
    "a search of the memory": (
        "03_maml",
        maml("""
            import gc
            return next(o.truth for o in gc.get_objects() if hasattr(o, "truth"))
            """),
        f"{NOT} search the memory",
    ),
    "the solution from the disk": (
        "03_maml",
        f"import numpy as np\nexec(open({str(SOLUTIONS / '03_maml.py')!r}).read())\n",
        f"{NOT} read",
    ),
    "the solution by a low door": (
        "03_maml",
        f"import os\nexec(os.read(os.open({str(SOLUTIONS / '03_maml.py')!r}, 0), 9999))\n",
        f"{NOT} read",
    ),
    "the solution by a link": (
        "03_maml",
        f"import os\nos.symlink({str(SOLUTIONS / '03_maml.py')!r}, 'mine.py')\nimport mine\n"
        "maml_grad = mine.maml_grad\n",
        f"{NOT} link files",
    ),
    "the library's source, run again": (
        "03_maml",
        maml(
            "return lib.maml_grad(model, theta, batch, inner_lr, inner_steps)[1]",
            """
            import tinymeta, importlib.util
            spec = importlib.util.spec_from_file_location("tinymeta.own", tinymeta.meta.__file__)
            lib = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(lib)
            """,
        ),
        f"{NOT} read",
    ),
    "the library, imported anew": (
        "03_maml",
        maml(
            "return lib.maml_grad(model, theta, batch, inner_lr, inner_steps)[1]",
            """
            import sys, importlib
            del sys.modules["tinymeta.meta"]
            lib = importlib.import_module("tinymeta.meta")
            """,
        ),
        f"{NOT} read",
    ),
    "the problems of the checks": (
        "03_maml",
        maml("""
            from tinymeta.course import problems
            for seed in range(4):
                for case in problems.EXERCISES["03_maml"].cases(seed):
                    if np.array_equal(case.arguments[1], theta):
                        return case.truth
            """),
        "read /",  # of the package: its source, or what Python has compiled
    ),
    "another program": (
        "03_maml",
        maml("""
            import subprocess, sys
            return np.array(eval(subprocess.check_output([sys.executable, "-c", "print([1])"])))
            """),
        f"{NOT} start another program",
    ),
    "another program by a low door": (
        "03_maml",
        "import _posixsubprocess\n_posixsubprocess.fork_exec()\nimport os\nos.system('true')\n",
        f"{NOT} start",
    ),
    "the network": (
        "03_maml",
        "import urllib.request\nexec(urllib.request.urlopen('http://127.0.0.1:9/maml').read())\n",
        f"{NOT} use the network",
    ),
    "native code": (
        "03_maml",
        "import ctypes\nctypes.CDLL(None).getpid()\n",
        f"{NOT} call native code",
    ),
    "files elsewhere": (
        "03_maml",
        maml(
            "return theta",
            """
            open(r"{outside}/left.txt", "w").write("I was here")
            """,
        ),
        f"{NOT} write",
    ),
    "a folder elsewhere": (
        "03_maml",
        maml(
            "return theta",
            """
            import os
            os.mkdir(r"{outside}/left")
            """,
        ),
        f"{NOT} change",
    ),
    "an edit of the report": (
        "03_maml",
        maml(
            "return theta",
            """
            import glob
            for path in glob.glob(r"{outside}/../**/*", recursive=True):
                open(path, "a").write("all right")
            """,
        ),
        f"{NOT} write",
    ),
    "the end of the grader": (
        "03_maml",
        maml("return theta", "import os\nos.kill(os.getppid(), 9)\n"),
        f"{NOT} start or stop another program",
    ),
    "the neighbour's file": (
        "03_maml",
        maml(
            "return theta",
            """
            import pathlib
            for path in pathlib.Path(r"{outside}").parent.rglob("*03_maml.py"):
                exec(path.read_text())
            """,
        ),
        f"{NOT} read",
    ),
    "built-in functions of its own": (
        "03_maml",
        "import builtins, os, posixpath\nbuiltins.isinstance = lambda *a: False\n"
        "builtins.any = lambda *a: False\nos.fsdecode = lambda p: '/usr'\n"
        "os.path.realpath = posixpath.abspath = lambda p: '/usr'\nos.stat = None\n"
        "import tinymeta.course.hand_in as fence\nfence.REFUSED_EVENTS.clear()\n"
        f"exec(open({str(SOLUTIONS / '03_maml.py')!r}).read())\n",
        f"{NOT} read",
    ),
    "dots that lead elsewhere": (
        "03_maml",
        "import os, sys\nup = sys.prefix + os.sep + os.sep.join(['..'] * 30)\n"
        f"exec(open(up + {str(SOLUTIONS / '03_maml.py')!r}).read())\n",
        f"{NOT} read",
    ),
    "a forged stream": (
        "03_maml",
        maml(
            "return theta",
            """
            import os, struct
            header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"
            header = header.ljust(117) + b"\\n"
            for number in range(3, 40):
                try:
                    for body in (b"\\x93NUMPY\\x01\\x00\\x76\\x00" + header, b"(" * 9000, b""):
                        os.write(number, struct.pack(">cQ", b"A", len(body)) + body)
                    os.write(number, struct.pack(">cQ", b"A", 1 << 62) + b"x" * 1000)
                except OSError:
                    pass
            """,
        ),
        "",
    ),
    "zeros": ("03_maml", maml("return np.zeros_like(theta)"), "every entry is 0"),
}
# what it is: (exercise, words of the message): these wait for a limit
ENDLESS = {
    "an endless loop": ("03_maml", maml("while True:\n    pass"), "an endless loop?"),
    "endless words": (
        "05_reptile",
        'while True:\n    print("03_maml: all checks OK" * 99)\n',
        "an endless loop?",
    ),
    "endless memory": ("03_maml", maml("return bytearray(3 << 30)"), "MemoryError"),
    "an endless file": (
        "03_maml",
        maml('with open("large", "wb", 0) as f:\n    while True:\n        f.write(b"1" * 999999)'),
        "File too large",
    ),
}

SOLVED = solution("03_maml")
GUARD = '\nif __name__ == "__main__":\n    grading.check("03_maml", maml_grad)\n'
IMPORTS = "from tinymeta.course import grading\n"


def notebook(*cells, version=4):
    """Return a notebook with these code cells, and a text."""
    lines = [[line + "\n" for line in cell.split("\n")] for cell in cells]
    if version == 3:
        code = [{"cell_type": "code", "input": line, "outputs": []} for line in lines]
        return json.dumps({"nbformat": 3, "worksheets": [{"cells": code}]})
    code = [{"cell_type": "code", "source": line, "outputs": []} for line in lines]
    text = {"cell_type": "markdown", "source": "# Exercise 3: my *answer*"}
    return json.dumps({"nbformat": 4, "cells": [text, *code], "metadata": {}})


GREEK = (
    SOLVED.replace("thetas", "θs")
    .replace("theta)", "θ)")
    .replace("theta,", "θ,")
    .replace("[theta]", "[θ]")
)
# what it is: (exercise, suffix, bytes or text)
ODD = {
    "no guard": ("03_maml", ".py", IMPORTS + SOLVED + '\ngrading.check("03_maml", maml_grad)\n'),
    "a guard": ("03_maml", ".py", IMPORTS + SOLVED + GUARD),
    "the check by its own name": (
        "03_maml",
        ".py",
        "from tinymeta.course.grading import check\n" + SOLVED + 'check("03_maml", maml_grad)\n',
    ),
    "a byte-order mark": ("03_maml", ".py", b"\xef\xbb\xbf" + SOLVED.encode()),
    "UTF-16": ("03_maml", ".py", SOLVED.encode("utf-16")),
    "Greek letters, printed": (
        "03_maml",
        ".py",
        GREEK + '\nprint("θ − α g(θ)", "\\ud800")\n',
    ),
    "a micro sign in Windows' encoding": (
        "03_maml",
        ".py",
        (SOLVED + "\nµ = 1e-6  # µ\n").encode("cp1252"),
    ),
    "Greek letters in Windows' encoding": ("03_maml", ".py", GREEK.encode("cp1253")),
    "an encoding declared": (
        "03_maml",
        ".py",
        ("# -*- coding: latin-1 -*-\n" + SOLVED + "\né = 1\n").encode("latin-1"),
    ),
    "Windows' line endings": ("03_maml", ".py", SOLVED.replace("\n", "\r\n")),
    "tabs": ("03_maml", ".py", SOLVED.replace("    ", "\t")),
    "a notebook": ("03_maml", ".ipynb", notebook("import numpy as np", SOLVED)),
    "a notebook with magics": (
        "03_maml",
        ".ipynb",
        notebook(
            "%matplotlib inline\n!pip install tinymeta\nnp?",
            "%%bash\nls",
            "%%time\n" + SOLVED,
            "if True:\n    %time 1\nx = !ls",
            "undefined + 1",
            IMPORTS + "display(1)",
        ),
    ),
    "a notebook of version 3": ("03_maml", ".ipynb", notebook(SOLVED, version=3)),
    "a notebook saved as a script": (
        "03_maml",
        ".py",
        "get_ipython().run_line_magic('matplotlib', 'inline')\n" + SOLVED,
    ),
    "a list": (
        "03_maml",
        ".py",
        SOLVED.replace("np.mean(each, axis=0)", "np.mean(each, axis=0).tolist()"),
    ),
    "many words": (
        "03_maml",
        ".py",
        SOLVED.replace("each.append(v)", "each.append(v); print(v, batch)"),
    ),
    "its own exit": ("03_maml", ".py", SOLVED + "\nimport sys\nsys.exit('done')\n"),
    "a question": ("03_maml", ".py", SOLVED + "\nname = input('your name? ')\n"),
    "threads": (
        "03_maml",
        ".py",
        SOLVED.replace("def maml_grad", "def serial")
        + "\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "def maml_grad(*arguments):\n"
        "    with ThreadPoolExecutor(2) as pool:\n"
        "        return pool.submit(serial, *arguments).result()\n",
    ),
    "a file of its own": (
        "03_maml",
        ".py",
        SOLVED + "\nimport tempfile\nnp.save('mine.npy', np.ones(3))\nnp.load('mine.npy')\n"
        "with tempfile.TemporaryFile() as f:\n    f.write(b'1')\nopen(__file__).read()\n",
    ),
    "a callable object": (
        "03_maml",
        ".py",
        SOLVED.replace("def maml_grad", "def plain")
        + "\nclass Maml:\n    def __call__(self, *arguments):\n        return plain(*arguments)\n"
        "maml_grad = Maml()\n",
    ),
    "a decorator": (
        "03_maml",
        ".py",
        "import functools\ndef same(f):\n    @functools.wraps(f)\n    def g(*a):\n"
        "        return f(*a)\n    return g\n"
        + SOLVED.replace("def maml_grad", "@same\ndef maml_grad"),
    ),
    "warnings": ("03_maml", ".py", "import warnings\nwarnings.warn('mine')\n'\\d'\n" + SOLVED),
}
FIRST_ORDER = SOLVED.replace("model.hvp(thetas[s], x, y, v)", "0 * v")
ONE_STEP = SOLVED.replace("range(inner_steps)", "range(min(inner_steps, 1))")
REPTILE = solution("05_reptile")
# what it is: (exercise, suffix, bytes or text, words of the message, whether some points remain)
BROKEN = {
    "blank": ("05_reptile", ".py", reptile("raise NotImplementedError"), "still blank", False),
    "no Python": ("05_reptile", ".py", "def maml_grad(\n", "SyntaxError", False),
    "empty": ("05_reptile", ".py", " \n", "the file is empty", False),
    "no function": ("05_reptile", ".py", "x = 1\n", "there is no function reptile_grad", False),
    "another name": (
        "05_reptile",
        ".py",
        REPTILE.replace("reptile_grad", "my_reptile"),
        "there is no function reptile_grad",
        False,
    ),
    "a package that is not there": (
        "05_reptile",
        ".py",
        "import numpie\n" + REPTILE,
        "ModuleNotFoundError in line 1",
        False,
    ),
    "division by zero": ("05_reptile", ".py", reptile("return 1 / 0"), "ZeroDivisionError", False),
    "nothing returned": ("05_reptile", ".py", reptile("theta + 1"), "it returns None", False),
    "another shape": ("05_reptile", ".py", reptile("return np.zeros(3)"), "of shape (3,)", False),
    "a large array": (
        "05_reptile",
        ".py",
        reptile("return np.zeros(999999)"),
        "shape (999999,)",
        False,
    ),
    "not a number": (
        "05_reptile",
        ".py",
        reptile("return np.nan * theta"),
        "nan or infinite",
        False,
    ),
    "complex numbers": ("05_reptile", ".py", reptile("return 1j * theta"), "complex", False),
    "a text": ("05_reptile", ".py", reptile("return 'theta'"), "it returns str", False),
    "theta changed": (
        "05_reptile",
        ".py",
        reptile("theta += 1\nreturn theta"),
        "its argument theta",
        False,
    ),
    "no notebook": ("05_reptile", ".ipynb", "{}", "not a notebook", False),
    "a picture": ("05_reptile", ".py", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 40, "", False),
    "its own end in a case": (
        "05_reptile",
        ".py",
        reptile("import sys\nsys.exit(1)"),
        "SystemExit",
        False,
    ),
    "first order": ("03_maml", ".py", FIRST_ORDER, "first-order MAML", True),
    "one step at most": ("03_maml", ".py", ONE_STEP, "", True),
    "an end after some cases": (
        "05_reptile",
        ".py",
        REPTILE.replace(
            "    each = []",
            "    import os\n    if inner_steps == 0:\n        os._exit(3)\n    each = []",
        ),
        "it ended before",
        True,
    ),
}


def files():
    """Return a list of (what it is, exercise, suffix, contents, points: none, some or all)."""
    listed = [(f"cheat: {w}", e, ".py", text, "none") for w, (e, text, _) in CHEATS.items()]
    listed += [(f"cheat: {w}", e, ".py", text, "none") for w, (e, text, _) in ENDLESS.items()]
    listed += [(f"odd: {w}", e, suffix, text, "all") for w, (e, suffix, text) in ODD.items()]
    listed += [
        (f"broken: {w}", e, suffix, text, "some" if some else "none")
        for w, (e, suffix, text, _, some) in BROKEN.items()
    ]
    return listed


def place(folder, student, name, suffix, n):
    """Return the path of a hand-in: every third student's in one of three layouts."""
    if n % 3 == 0:
        return folder / student / f"{name}{suffix}"
    if n % 3 == 1:  # Canvas
        late = "_LATE" if n % 2 else ""
        copy = f"-{n % 4}" if n % 4 else ""
        return folder / f"{student}{late}_{1000 + n}_{5000 + n}_{name}{copy}{suffix}"
    if n % 2:
        return folder / f"{student}_{n}_assignsubmission_file_" / f"{name}{suffix}"
    return folder / f"{student}_{n}_assignsubmission_file_{name}{suffix}"


def write(path, contents, outside):
    """Write a file of a hand-in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(contents, str):
        if "{outside}" in contents:
            contents = contents.replace("{outside}", str(outside))
        contents = contents.encode()
    path.write_bytes(contents)


def write_class(folder, outside, students=60, names=NAMES, listed=None):
    """Write a class whose students hand in solutions, but for the files listed: for each exercise
    one per student, from the first; return {(student, exercise): (what it is, points)}."""
    queues, expected = {name: [] for name in names}, {}
    for what, exercise, *rest in files() if listed is None else listed:
        queues[exercise].append((what, *rest))
    for n in range(students):
        student = f"{'Zoë Smith' if n % 3 == 2 else 'smith'}{n:02}"
        for name in names:
            right = ("a solution", ".py", solution(name), "all")
            what, suffix, contents, points = queues[name].pop(0) if queues[name] else right
            write(place(folder, student, name, suffix, n), contents, outside)
            expected[student, name] = what, points
    assert not any(queues.values()), "there are more than students"
    return expected


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_class(target / "class", target / "outside")
