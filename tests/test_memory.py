"""Apple's BLAS warns of what has not happened: on macOS this is ignored, and nowhere else."""

import contextlib
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import tinymeta as tm

TRUE_OVERFLOW = """
import sys, numpy  # NumPy before the change: it asks for the platform too
sys.platform = "{platform}"
import tinymeta as tm
tm.MLP([2, 2]).predict([1e300] * 6, [[1e300, 1.0]])
"""


def ends_well(code):
    """Run code with warnings as errors, in a process of its own."""
    folder = str(Path(tm.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": folder}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, capture_output=True)
    assert done.returncode == 0 or b"RuntimeWarning" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    "platform, message, module, silent",
    [
        ("darwin", "divide by zero encountered in matmul", "tinymeta.mlp", True),
        ("darwin", "invalid value encountered in matmul", "tinymeta.mlp", True),
        ("darwin", "overflow encountered in exp", "tinymeta.mlp", False),
        ("darwin", "divide by zero encountered in matmul", "__main__", False),
        ("linux", "divide by zero encountered in matmul", "tinymeta.mlp", False),
    ],
)
def test_only_a_product_inside_the_package_is_silent_and_only_on_macos(
    platform, message, module, silent, monkeypatch
):
    monkeypatch.setattr(sys, "platform", platform)
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error")
        tm.ignore_false_warnings()
        heard = contextlib.nullcontext() if silent else pytest.raises(RuntimeWarning, match=message)
        with heard:
            warnings.warn_explicit(message, RuntimeWarning, "file.py", 1, module)


@pytest.mark.parametrize("platform, silent", [("darwin", True), ("linux", False)])
def test_the_filter_matches_what_numpy_says_of_a_product_in_the_network(platform, silent):
    """And importing the package sets it."""
    assert ends_well(TRUE_OVERFLOW.format(platform=platform)) == silent
