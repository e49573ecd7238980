"""Every lesson runs, and keeps the numbers it promises."""

import ast
import difflib
import os
import re

import numpy as np
import pytest
from running import LESSONS, results, run
from running import unlike as unlike_its_record

from tinymeta.course import trained
from tinymeta.course.book import record

FAST = {"05_reptile"}


@pytest.mark.parametrize(
    "lesson",
    [pytest.param(p, id=p.stem, marks=[] if p.stem in FAST else pytest.mark.slow) for p in LESSONS],
)
def test_a_quick_run_shows_the_numbers_and_figures_of_the_text(lesson, tmp_path):
    done = run(lesson, "--quick", "--out", str(tmp_path / "out"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.isascii()
    figures = sorted((tmp_path / "out").glob("*.png"))
    assert len(figures) >= 3
    said = dict(re.findall(r"^figure (.*)\n  (.*)$", done.stdout, re.MULTILINE))
    assert set(said) == set(map(str, figures))
    assert all(re.search(r"\d", sentence) for sentence in said.values()), said
    assert "What you should see" in done.stdout
    assert unlike(results(tmp_path / "out", lesson), trained.numbers(lesson.stem)) == []


# The numbers that a clock measures, and the rounding errors of proofs, differ from run to run
BY_CLOCK_OR_ROUNDING = re.compile(r"time|seconds|\(x 1e-\d+\)|off by|memory")


def unlike(measured, kept):
    """Return the names of the numbers that differ by more than a thousandth."""
    assert measured.keys() == kept.keys()
    return [
        name
        for name, r in measured.items()
        if not BY_CLOCK_OR_ROUNDING.search(name)
        and r["value"] != pytest.approx(kept[name]["value"], rel=1e-3, abs=1e-6, nan_ok=True)
    ]


def test_a_number_that_moved_by_more_than_a_thousandth_would_be_found():
    kept = {"loss": {"value": 1.0}, "seconds": {"value": 1.0}}
    assert unlike({"loss": {"value": 1.0009}, "seconds": {"value": 9}}, kept) == []
    assert unlike({"loss": {"value": 1.002}, "seconds": {"value": 9}}, kept) == ["loss"]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_the_sentence_of_every_figure_has_something_computed_in_it(lesson):
    calls = [
        node
        for node in ast.walk(ast.parse(lesson.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    sentences = [call.args[2] for call in calls if ast.unparse(call.func) == "lesson.save"]
    assert len(sentences) >= 3
    assert all(
        any(isinstance(part, ast.FormattedValue) for part in ast.walk(sentence))
        for sentence in sentences
    )


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_full_run_keeps_every_promised_number(lesson, full_run):
    done, folder = full_run(lesson)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(
        r["ok"] and r["low"] <= r["value"] <= r["high"] for r in results(folder, lesson).values()
    )
    assert "OUT OF BOUNDS" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_the_shipped_networks_are_those_of_a_full_run(lesson, full_run):
    """To the last bit on the computer that made them; another BLAS rounds otherwise, and is another
    chaotic run, which begins alike and ends within the same bounds."""
    if not (trained.FOLDER / f"{lesson.stem}.npz").exists():
        assert not (full_run(lesson)[1] / f"{lesson.stem}.npz").exists()
        return
    fresh, fresh_lengths = trained.load(full_run(lesson)[1] / f"{lesson.stem}.npz")
    shipped, lengths = trained.load(trained.FOLDER / f"{lesson.stem}.npz")
    assert fresh.keys() == shipped.keys() and fresh_lengths == lengths
    for name in lengths:
        assert fresh[name].shape == shipped[name].shape
        first, kept = (arrays[trained.HISTORY + name][0] for arrays in (fresh, shipped))
        np.testing.assert_allclose(first, kept, rtol=1e-3, err_msg=name)
    numbers, kept = results(full_run(lesson)[1], lesson), trained.numbers(lesson.stem)
    assert {name: (r["low"], r["high"]) for name, r in numbers.items()} == {
        name: (r["low"], r["high"]) for name, r in kept.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda p: p.stem)
def test_a_full_run_prints_what_the_book_has_recorded(lesson, full_run):
    """Words exactly, numbers to a tenth, or two units of the last digit (`running.unlike`)."""
    done, folder = full_run(lesson)
    recorded = "".join(record.outputs_of(lesson)[0])
    assert unlike_its_record(recorded, done.stdout.replace(f"{folder}{os.sep}", "")) == []


# The form of a lesson

TEXT, FOLDED = "# %% [markdown]", '# %% tags=["hide-input"]'
OLD_FORM = set()  # a later rewrite will fold their figure code
NEW_FORM = [path for path in LESSONS if path.stem[:2] not in OLD_FORM]
SKELETON = [path for path in LESSONS if path.stem[:2] in ("03", "04", "05")]
each_in_the_new_form = pytest.mark.parametrize("lesson", NEW_FORM, ids=lambda p: p.stem)


def read(lesson):
    return lesson.read_text(encoding="utf-8")


def split_cells(source):
    """Return the cells of a file in percent format, each with its marker line. Lines before the
    first marker are a cell too."""
    return [cell for cell in re.split(r"^(?=# %%)", source, flags=re.MULTILINE) if cell.strip()]


def marker(cell):
    return cell.partition("\n")[0]


def count_lines(source):
    """Return the number of lines, without blank lines and folded cells."""
    shown = [cell for cell in split_cells(source) if marker(cell) != FOLDED]
    return sum(bool(line.strip()) for cell in shown for line in cell.splitlines())


def shown_code_cells(source):
    return [cell for cell in split_cells(source) if marker(cell) not in (TEXT, FOLDED)]


def shown_code(source):
    """Return the code lines of the cells that are not folded, without blank and comment lines."""
    lines = [line for cell in shown_code_cells(source) for line in cell.splitlines()]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def count_changed_lines(before, after):
    """Return the number of lines that a diff of the shown code takes away and adds."""
    diff = difflib.SequenceMatcher(None, shown_code(before), shown_code(after), autojunk=False)
    return sum(
        (end_a - start_a) + (end_b - start_b)
        for tag, start_a, end_a, start_b, end_b in diff.get_opcodes()
        if tag != "equal"
    )


def train_cells(source):
    return [cell for cell in shown_code_cells(source) if "\ndef train(" in cell]


def too_wide_code(source):
    """Return the lines of code cells, folded ones too, that have more than 96 columns."""
    code = [cell for cell in split_cells(source) if marker(cell) != TEXT]
    return [line for cell in code for line in cell.splitlines() if len(line) > 96]


def texts(source):
    return [cell for cell in split_cells(source) if "[markdown]" in marker(cell)]


def faults_of_text(source):
    """Return what is wrong with the text cells: an editor hides the text, or no page can set its
    formulas."""
    faults = [] if source.startswith(TEXT + "\n") else ["the first cell is no text"]
    for cell in texts(source):
        found = re.fullmatch(r'# %% \[markdown\]\n"""\n((?:(?!""").)*)\n"""\s*', cell, re.DOTALL)
        if not found:
            faults.append(f"not one string in triple quotes: {cell[:60]!r}")
            continue
        prose = re.sub(r"`[^`]*`", "", found[1])
        formulas = re.findall(r"\$\$[^$]+\$\$|\$[^$\n]+\$", prose)
        faults += [f"a backslash: {formula}" for formula in formulas if "\\" in formula]
        if "$" in re.sub(r"\$\$[^$]+\$\$|\$[^$\n]+\$", "", prose):
            faults.append(f"a dollar without its partner on its line: {cell[:60]!r}")
    return faults


def test_a_lesson_is_exempt_only_until_it_is_rewritten():
    folding = {path.stem[:2] for path in LESSONS if FOLDED in read(path).splitlines()}
    assert not folding & OLD_FORM
    assert {path.stem[:2] for path in NEW_FORM} >= {"01", "02", "03", "04", "05"}


@each_in_the_new_form
def test_a_lesson_is_short_without_what_is_folded(lesson):
    assert count_lines(read(lesson)) <= (220 if lesson.stem[:2] <= "05" else 300)
    assert FOLDED in read(lesson).splitlines()


@pytest.mark.parametrize("pair", [*zip(SKELETON, SKELETON[1:])], ids=["03 to 04", "04 to 05"])
def test_little_code_changes_from_lesson_to_lesson(pair):
    assert count_changed_lines(*map(read, pair)) <= 120


def test_the_three_lessons_have_the_same_set_up_and_training():
    sources = [read(path) for path in SKELETON]
    setups = {shown_code_cells(source)[0] for source in sources}
    assert len(setups) == 1 and "\nlesson = Lesson(" in setups.pop()
    assert [len(train_cells(source)) for source in sources] == [1, 1, 1]
    assert len({train_cells(source)[0] for source in sources}) == 1


@each_in_the_new_form
def test_code_fits_beside_the_text(lesson):
    assert too_wide_code(read(lesson)) == []


@each_in_the_new_form
def test_text_and_formulas_can_be_set(lesson):
    assert faults_of_text(read(lesson)) == []


@each_in_the_new_form
def test_a_lesson_folds_answers_and_ends_with_what_should_be_seen(lesson):
    prose = "".join(texts(read(lesson)))
    headings = re.findall(r"^## (.*)$", prose, re.MULTILINE)
    assert headings[-1] == "What you should see"
    assert re.search(r"<details>\s*<summary>", prose)
    assert prose.count("<details>") == prose.count("</details>") == prose.count("</summary>")


SMALL = f'''{TEXT}
"""
# A title

Half of $α$ is `$HOME`.

$$ y = x^2 $$
"""

{FOLDED}
import numpy as np

# %%
a = 1  # said

# a remark
b = 2
def train():
    return b
'''


def test_cells_are_split_and_their_lines_counted():
    cells = split_cells(SMALL)
    assert "".join(cells) == SMALL
    assert [marker(cell) for cell in cells] == [TEXT, FOLDED, "# %%"]
    assert split_cells("import re\n# %%\n") == ["import re\n", "# %%\n"]
    assert count_lines(SMALL) == 6 + 6
    assert shown_code(SMALL) == ["a = 1  # said", "b = 2", "def train():", "    return b"]
    assert train_cells(SMALL) == [cells[2]] and faults_of_text(SMALL) == []


@pytest.mark.parametrize(
    "old, new, changed",
    [
        ("b = 2", "b = 3", 2),
        ("b = 2\n", "", 1),
        ("b = 2", "b = 2\nc = 3\nd = 4", 2),
        ("# a remark", "# another\n# and one more", 0),  # comments
        ("\n\n# a", "\n\n\n# a", 0),  # blank lines
        ("import numpy as np", "import numpy", 0),  # folded
        ("# A title", "# Another", 0),  # text
        (FOLDED, "# %%", 1),  # no longer folded
        ("a = 1  # said", "a = 1  # unsaid", 2),
    ],
)
def test_a_changed_line_of_code_is_counted(old, new, changed):
    assert SMALL.count(old) == 1
    assert count_changed_lines(SMALL, SMALL.replace(old, new)) == changed


def test_a_lesson_too_different_would_be_found():
    """The negative control: 61 lines changed are 122 lines of a diff."""
    before = SMALL + "".join(f"x{i} = 0\n" for i in range(61))
    assert count_changed_lines(before, before.replace(" = 0", " = 1")) == 122


@pytest.mark.parametrize(
    "old, new",
    [
        (TEXT + "\n", "import numpy\n" + TEXT + "\n"),  # code stands first
        ('"""\n# A', 'r"""\n# A'),
        ('"""\n# A', "# A"),
        ('"""\n\n# %% tags', '"""\nz = 1\n\n# %% tags'),
        ("$α$", r"$\alpha$"),
        ("x^2", r"x^2 \cdot 1"),
        ("$α$", "$α"),
        ("$α$", "$α\n$"),
        ("x^2 $$", "x^2 $"),
        ("# A title", "Costs 5 $"),
    ],
)
def test_a_text_that_cannot_be_set_would_be_found(old, new):
    assert SMALL.count(old) == 1
    assert len(faults_of_text(SMALL.replace(old, new))) == 1


def test_code_that_is_too_wide_would_be_found():
    wide = "c = " + "1" * 93
    assert too_wide_code(SMALL.replace("b = 2", wide)) == [wide]
    assert too_wide_code(SMALL.replace("import numpy as np", wide)) == [wide]
    assert too_wide_code(SMALL.replace("b = 2", wide[1:]).replace("# A title", wide)) == []
