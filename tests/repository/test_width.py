"""No line of code or text is wider than 100 columns, but for those that cannot be broken."""

import pytest
from running import ROOT

WIDTH = 100
BOOK = ROOT / "lessons" / "book"  # made from the lessons, not written by hand
COMMANDS = ("python3 ", "py ", "git ")


def written_by_hand():
    """Return the README, and all Python and Markdown files in the folders of the repository."""
    found = [ROOT / "README.md"]
    for folder in (ROOT / name for name in ("tinymeta", "lessons", "tests", ".github")):
        for path in [*folder.rglob("*.py"), *folder.rglob("*.md")]:
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not hidden and BOOK not in path.parents:
                found.append(path)
    return sorted(found)


FILES = written_by_hand()


def commands(lines):
    """Return the indices of the lines of a page that are one-line commands inside a fence."""
    fences = [i for i, line in enumerate(lines) if line.lstrip().startswith("```")]
    found = set()
    for start, end in zip(fences[::2], fences[1::2]):
        for i in range(start + 1, end):
            continued = lines[i].endswith("\\") or lines[i - 1].endswith("\\")
            alone = end - start == 2 or lines[i].lstrip().startswith(COMMANDS)
            if alone and not continued:
                found.add(i)
    return found


def table_rows(lines):
    return {i for i, line in enumerate(lines) if line.lstrip().startswith("|")}


def rows_in_text_cells(lines):
    """Return the indices of a lesson's table rows: in its code cells a | is no table."""
    found, text = set(), False
    for i, line in enumerate(lines):
        if line.startswith("# %%"):
            text = "[markdown]" in line
        elif text and line.startswith("|"):
            found.add(i)
    return found


def too_wide(path):
    """Return the numbers of the lines of a file that are too wide and could be broken."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".md":
        links = {i for i, line in enumerate(lines) if "](" in line}
        free = table_rows(lines) | links | commands(lines)
    elif path.parent == ROOT / "lessons":
        free = rows_in_text_cells(lines)
    else:
        free = set()
    return [i + 1 for i, line in enumerate(lines) if len(line) > WIDTH and i not in free]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_line_is_wider_than_100_columns(path):
    assert too_wide(path) == []


def test_the_files_looked_at_are_those_of_all_folders():
    names = {path.relative_to(ROOT).as_posix() for path in FILES}
    assert {
        "README.md",
        "lessons/03_maml.py",
        "lessons/exercises/README.md",
        "tests/benchmarks/README.md",
        "tests/repository/test_width.py",
        "tests/solutions/02_hvp.py",
        "tinymeta/mlp.py",
        "tinymeta/extras/data/make_glyphs.py",
    } <= names
    assert not any(name.startswith("lessons/book/") for name in names)


LONG = "x" * 101
FENCE = "```"


@pytest.mark.parametrize(
    "name, text, numbers",
    [
        ("page.md", f"{LONG}\n{LONG[1:]}\nx\n{LONG}", [1, 4]),
        ("page.md", "é" * 100, []),  # columns, not bytes
        ("page.md", f"| {LONG} |", []),
        ("page.md", f"[{LONG}](a.md)", []),
        ("page.md", f"{FENCE}\n{LONG}\n{FENCE}", []),
        ("page.md", f"{FENCE}\nx = 1\n{LONG}\n{FENCE}\npython3 {LONG}", [3, 5]),
        ("page.md", f"{FENCE}\npython3 {LONG}\ngit {LONG}\npy {LONG}\n{FENCE}", []),
        ("page.md", f"{FENCE}\npython3 {LONG} \\\n    {LONG}\n{FENCE}", [2, 3]),
        ("code.py", f"{LONG}\n| {LONG} |\n[{LONG}](a.md)", [1, 2, 3]),
        ("lessons/01.py", f'# %% [markdown]\n"""\n| {LONG} |\n{LONG}\n"""', [4]),
        ("lessons/01.py", f"# %% [markdown]\n# %%\n| {LONG}", [3]),
        ("lessons/exercises/01.py", f"# %% [markdown]\n| {LONG}", [2]),
    ],
)
def test_a_line_that_is_too_wide_would_be_found(tmp_path, monkeypatch, name, text, numbers):
    """The negative control, and each exception."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert too_wide(tmp_path / name) == numbers
