"""The key of exercise 7, for teachers: which letter of a course word is which bug, and the numbers
that give each bug away.

    python -m tinymeta.course.hunt_key oak

Students do not get this file: its inputs are what they are to find."""

import sys

from ..extras import autopsy
from . import hunt, hunt_bugs

WHERE = {  # heading of a column (k inner steps, T tasks, cross-entropy): input
    "usual": {},
    "k=2": {"inner_steps": 2},
    "k=3": {"inner_steps": 3},
    "k=0": {"inner_steps": 0},
    "relu": {"activation": "relu"},
    "xent": {"criterion": "cross_entropy"},
    "T=1": {"n_tasks": 1},
    "loss": {"compare": "loss"},
    "adapt": {"compare": "adapt"},
    "deeper": {"compare": "adapt", "sizes": (2, 5, 4, 3)},
}


def verdict(implementation):
    """Return what the autopsy says of an implementation, after its usual two inner steps."""
    inner_lr = hunt.INPUT["inner_lr"]
    return autopsy.examine(implementation.meta_grad, *hunt.example(), inner_lr).verdict


def table():
    """Return how far each implementation is off, and the last words of the autopsy's verdict, as
    lines of text."""

    def short(error):
        return "0" if error <= hunt.BOUND else f"{error:.2g}"

    def line(name, cells):
        return f"{name:13s}" + "".join(f"{cell:>7s}" for cell in cells)

    lines = [line("", WHERE) + "  autopsy"]
    for name, implementation in hunt_bugs.IMPLEMENTATIONS.items():
        cells = [short(hunt.off(implementation, **given)) for given in WHERE.values()]
        words = verdict(implementation).split()
        says = "yes" if words[0] == "yes:" else f"no, {' '.join(words[-2:])}"
        lines.append(f"{line(name, cells)}  {says}")
    return "\n".join(lines)


def main(words):
    """Print the key of the deal by words[0], or of the one that is shipped, and the table."""
    word, *_ = [*words, hunt.WORD]
    print(f"The letters of {word!r}, and how far each bug is off (0: less than {hunt.BOUND:g}):\n")
    print(*(f"{letter}  {name}" for letter, name in hunt.key(word).items()), "", table(), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
