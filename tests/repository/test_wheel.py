"""What pip installs is whole: a wheel has all files, and passes the subject's tests on its own."""

import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from running import ROOT

DATA = "tinymeta/extras/data"

pytestmark = pytest.mark.slow


def run(*command, **options):
    """Run Python with these arguments and return what it prints; fail with that if it fails."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel, built in a copy: a build leaves folders behind, and takes from those of an earlier
    one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT / "tinymeta", source / "tinymeta", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run("-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_every_module_the_letters_and_both_licences(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.read(f"{DATA}/glyphs.npz") == (ROOT / DATA / "glyphs.npz").read_bytes()
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tinymeta").rglob("*.py")}
    book = (ROOT / "tinymeta" / "course" / "book").glob("*.[!p]*")  # what its pages are made of
    assert {path.relative_to(ROOT).as_posix() for path in book} <= set(names)
    assert modules - set(names) <= {f"{DATA}/make_glyphs.py"}  # it made the letters, once
    assert f"{DATA}/LICENSE_DEJAVU" in names
    assert any(name.endswith("/LICENSE") for name in names)


def test_the_installed_wheel_passes_the_subjects_tests_far_from_the_repository(wheel, tmp_path):
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    run("-m", "pip", "install", "-q", "--no-deps", "--target", installed, wheel)
    (empty / "tests").mkdir(parents=True)
    for path in (ROOT / "tests").glob("*.py"):
        shutil.copy(path, empty / "tests")
    shutil.copy(ROOT / "setup.cfg", empty)  # pytest's settings
    options = dict(cwd=empty, env={**os.environ, "PYTHONPATH": str(installed)})
    found = run("-c", "import tinymeta; print(tinymeta.__file__)", **options)
    assert found.strip() == str(installed / "tinymeta" / "__init__.py")
    printed = run("-m", "pytest", "-q", "-p", "no:cacheprovider", **options)
    assert int(re.search(r"(\d+) passed", printed)[1]) > 500 and "skipped" not in printed
