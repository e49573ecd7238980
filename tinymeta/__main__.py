"""`python -m tinymeta`: versions, where the lessons are, and a self-check of a second."""

import platform
import sys
from pathlib import Path

import numpy as np

import tinymeta
from tinymeta import MLP, SineTasks, checks, maml_grad, meta_loss

TOLERANCE = 1e-12


def find_lessons():
    """Return the folder of the lessons, or None where the package is installed without them."""
    folder = Path(tinymeta.__file__).resolve().parents[1] / "lessons"
    return folder if (folder / "03_maml.py").exists() else None


def prove(activation):
    """Return the largest relative error of MAML's meta-gradient, three steps on two tasks, against
    the complex step of the meta-loss."""
    rng = np.random.default_rng(0)
    model = MLP([1, 10, 10, 1], activation)
    theta, batch = model.init(rng), SineTasks().sample(rng, 2, shots=10)
    truth = checks.complex_step(lambda t: meta_loss(model, t, batch, 0.01, 3), theta)
    return checks.relative_error(maml_grad(model, theta, batch, 0.01, 3)[1], truth)


def main():
    print(f"tinymeta {tinymeta.__version__}, NumPy {np.__version__}, "
          f"Python {platform.python_version()}")  # fmt: skip
    lessons = find_lessons()
    if lessons is None:
        print("lessons: this installation has none; they are in a copy of the whole project")
    else:
        print(f"lessons: {lessons}; begin with {lessons / '01_sine_tasks.py'}")
        print(f"pages:   {lessons / 'book' / 'index.html'}, to open in a browser")
    errors = {activation: prove(activation) for activation in ("relu", "tanh")}
    for activation, error in errors.items():
        verdict = "ok" if error <= TOLERANCE else "WRONG"
        print(
            f"MAML's meta-gradient, {activation}: off the numerical one by {error:.0e}  {verdict}"
        )
    if max(errors.values()) > TOLERANCE:
        sys.exit("the self-check failed: this NumPy computes something else")


if __name__ == "__main__":
    main()
