"""Hypothesis profiles: no deadline ever (a first call is slow); 100 examples in CI, the same every
time; 40 elsewhere, others every time."""

import os
import sys

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None, max_examples=40)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_configure(config):
    """Let tests multiply matrices on macOS too (see tinymeta/_memory.py): their warnings are errors
    but for those of Apple's BLAS, which are false."""
    if sys.platform == "darwin":
        line = "ignore:.* encountered in matmul:RuntimeWarning"
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session")
def full_run(tmp_path_factory):
    """Run a lesson in full, once for all tests that ask: what it printed, and the folder of what it
    saved."""
    from running import run

    done = {}

    def once(lesson):
        if lesson not in done:
            folder = tmp_path_factory.mktemp(lesson.stem)
            done[lesson] = run(lesson, "--out", str(folder), cwd=folder), folder
        return done[lesson]

    return once
