"""What the README says is what the code does."""

import contextlib
import importlib
import inspect
import io
import re
from pathlib import Path

import pytest
from running import LESSONS, statements

import tinymeta
from tinymeta.course import trained

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run_in_turn(snippets):
    """Run snippets that share their names; return what each prints."""
    names, printed = {}, []
    for code in snippets:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            exec(code, names)
        printed.append(text.getvalue())
    return printed


@pytest.mark.parametrize(
    "snippets, texts",
    [
        pytest.param([0], [0], id="what it looks like"),
        pytest.param([3, 4], [1, 2], id="your own tasks", marks=pytest.mark.slow),
    ],
)
def test_snippets_print_what_the_readme_says(snippets, texts):
    python, text = blocks("python"), blocks("text")
    assert run_in_turn(python[i] for i in snippets) == [text[i] for i in texts]


def test_snippets_that_train_print_other_numbers_in_the_same_words_after_a_short_training():
    """Whether they run at all is told here in an instant; the numbers, among the slow tests."""
    python, text = blocks("python"), blocks("text")
    for code in python[3:5]:
        assert code.count("iterations=2000") == 1
    printed = run_in_turn(code.replace("iterations=2000", "iterations=2") for code in python[3:5])
    assert without_numbers(printed) == without_numbers(text[1:3])
    assert printed != text[1:3]


def without_numbers(texts):
    return [re.sub(r"-?\d+\.\d+", "NUMBER", text) for text in texts]


def test_the_maml_that_it_shows_is_the_maml_that_runs():
    inner_loop, maml = blocks("python")[1:3]
    assert inner_loop in inspect.getsource(tinymeta.meta.inner_loop)
    assert maml in inspect.getsource(tinymeta.maml_grad)


def test_it_lists_every_lesson_and_every_path_exists():
    linked = re.findall(r"\]\(((?:lessons|tests|tinymeta)/[^)]*)\)", README)
    assert all((ROOT / path).exists() for path in linked)
    assert {f"lessons/book/{lesson.stem}.md" for lesson in LESSONS} <= set(linked)
    assert not any(re.fullmatch(r"lessons/\d\d_\w+\.py", path) for path in linked)  # no raw .py


# The package and its changes


def test_it_lists_every_file_of_the_subject_in_the_order_of_the_map():
    listed = re.findall(r"^\| \[`tinymeta/(\w+)\.py`\]", README, re.MULTILINE)
    files = {path.stem for path in (ROOT / "tinymeta").glob("*.py")}
    assert {*listed} == files - {"_validate", "_memory", "__main__"} and listed[0] == "__init__"
    subject = tinymeta.__doc__.split("Data flows")[0]
    named = re.findall(r"^    (\w+(?:, \w+)*)  ", subject, re.MULTILINE)
    assert listed[1:] == ", ".join(named).split(", ")


def test_the_heart_is_as_short_as_it_says():
    """The cap itself is held by test_layout."""
    counts = [statements(ROOT / "tinymeta" / f"{name}.py") for name in ("mlp", "losses", "meta")]
    assert "fewer than 300 statements together" in " ".join(README.split()) and sum(counts) < 300


CHANGES = [  # (the names before, the name now)
    (re.findall(r"`(.*?)`", before), now)
    for before, now in re.findall(
        r"^\| (`tinymeta\..*?) \| `(tinymeta\..*?)` \|$", README, re.MULTILINE
    )
]
ROOT_NAMES_OF_0_1_0 = """
    MLP TaskBatch SineTasks adapt joint_grad fomaml_grad maml_grad reptile_grad meta_loss SGD Adam
    meta_train Interrupted Diverged adaptation_curve summarize table best_rate interval
    accuracy_table largest_eigenvalue save_init load_init save_checkpoint load_checkpoint BadFile
    sine_examples left_side GlyphTasks AllLetters Views with_head autopsy checks variants
""".split()


def find(name):
    """Return what a dotted name stands for: a module, or what is found in one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


@pytest.mark.parametrize("now", dict.fromkeys(now for _, now in CHANGES))
def test_a_name_that_something_moved_to_can_be_imported(now):
    assert find(now) is not None


@pytest.mark.parametrize("before", [name for names, _ in CHANGES for name in names])
def test_a_name_that_moved_is_gone(before):
    with pytest.raises((ModuleNotFoundError, AttributeError)):
        find(before)


def test_every_root_name_of_0_1_0_is_still_there_or_among_the_changes():
    moved = [name for names, _ in CHANGES for name in names]
    assert len(moved) == len(set(moved)) > 80
    for name in ROOT_NAMES_OF_0_1_0:
        assert (name in tinymeta.__all__) != (f"tinymeta.{name}" in moved), name


# The numbers

PAGES = {
    page: (ROOT / page).read_text(encoding="utf-8")
    for page in ("README.md", "lessons/README.md", "lessons/INSTRUCTOR.md")
}
# (page, number, lesson, the lesson's name for it); in the pages 0.73<!--03: MAML after 10 steps-->
NUMBERS = [
    (page, *found)
    for page, text in PAGES.items()
    for found in re.findall(r"(-?[\d.]+)<!--(\d\d): (.*?)-->", text)
]


def test_every_comment_belongs_to_a_number_and_stands_on_one_line_with_it():
    comments = [found for text in PAGES.values() for found in re.findall("<!--(?!paper: )", text)]
    assert len(NUMBERS) == len(comments) > 100  # those of paper: see test_on_paper.py


@pytest.mark.parametrize("page, number, lesson, name", NUMBERS)
def test_a_number_in_a_readme_is_what_its_lesson_measured(page, number, lesson, name):
    """To the digits that are printed. A full run in test_lessons.py holds the lesson's numbers."""
    path = next(path for path in LESSONS if path.stem.startswith(lesson))
    result = trained.numbers(path.stem)[name]
    assert result["low"] <= float(number) <= result["high"]
    assert is_rounded(number, result["value"])


def is_rounded(number, value):
    """Return whether the text `number` is the value, rounded to as many places."""
    unit = 10.0 ** -len(number.partition(".")[2])
    return abs(float(number) - value) <= 0.5 * unit * (1 + 1e-9)


def test_a_number_that_is_rounded_wrongly_would_be_found():
    assert is_rounded("0.61", 0.6149) and is_rounded("-3", -3.4) and is_rounded("0.3", 0.25)
    assert not is_rounded("0.61", 0.6151) and not is_rounded("0.610", 0.6149)
