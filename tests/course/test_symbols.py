"""Every symbol of a lesson's formulas has a name in its code, or is said to have none."""

import functools
import re

import pytest

from tinymeta.course.book import code, page, symbols
from tinymeta.course.book.source import BadLesson, Cell, lessons

each_lesson = pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)


@functools.cache
def read(path):
    """Return (names, symbols of the formulas, [(cell, its names)]) of a lesson."""
    cells = symbols.code_cells(path)
    found = [(cell, {name.lstrip(".") for name in code.names(cell.text)}) for cell in cells]
    return symbols.names(path), {*symbols.symbols_of(path)}, found


def own(path):
    """Return what a lesson's own tables say: (names of its symbols, symbols without a name)."""
    return symbols.LESSONS.get(path.stem[:2], {}), symbols.NOWHERE.get(path.stem[:2], {})


@each_lesson
def test_every_symbol_of_every_formula_has_a_name_in_the_code_or_is_said_to_have_none(path):
    names, used, _ = read(path)
    mapped, (_, nowhere) = {*names.values()}, own(path)
    assert mapped.isdisjoint(nowhere)
    assert mapped | {*nowhere} == used


@each_lesson
def test_a_name_stands_for_its_symbol_somewhere_in_the_code(path):
    names, _, found = read(path)
    shown = [of_cell & {*symbols.lit(path, cell, names)} for cell, of_cell in found]
    assert {*names} == set().union(*shown)


@each_lesson
def test_a_lessons_own_tables_hold_nothing_that_it_does_not_use(path):
    (_, used, found), (called, nowhere) = read(path), own(path)
    assert {*called}.isdisjoint(nowhere) and {*called, *nowhere} <= used
    unused = [
        (symbol, name, place)
        for symbol, listed in called.items()
        for name, place in symbols.split(listed)
        if not any(name in of_cell and symbols.begins(cell, place) for cell, of_cell in found)
    ]
    assert unused == []


def test_the_tables_are_those_of_lessons():
    numbers = {path.stem[:2] for path in lessons()}
    assert {*symbols.LESSONS, *symbols.NOWHERE} <= numbers


def lesson(tmp_path, formula, cell, number=99):
    path = tmp_path / f"{number}_small.py"
    text = f'# %% [markdown]\n"""\n# One\n\nText, `$code`,\nand ${formula}$.\n"""\n\n# %%\n{cell}\n'
    path.write_text(text, encoding="utf-8")
    return path


def test_the_names_that_all_lessons_share_are_found_in_a_new_one(tmp_path):
    path = lesson(tmp_path, "θ − α g", "theta = theta - INNER_LR * model.grad(theta)")
    assert symbols.names(path) == {"theta": "θ", "INNER_LR": "α", "grad": "g"}


def test_a_symbol_is_found_at_the_line_where_it_stands_first(tmp_path):
    path = lesson(tmp_path, "θ$,\n$θ + α", "")
    assert symbols.symbols_of(path) == {"θ": 6, "α": 7}


@pytest.mark.parametrize(
    ("formula", "cell", "says"),
    [
        ("θ + ψ", "theta = 1", "99_small.py, line 6: the symbol ψ has no name in the code"),
        ("θ", "phi = 'theta'  # theta", "line 6: the symbol θ is called theta thetas, of which"),
    ],
)
def test_a_symbol_without_a_name_is_refused_with_its_lesson_and_line(formula, cell, says, tmp_path):
    with pytest.raises(BadLesson, match=re.escape(says)):
        symbols.names(lesson(tmp_path, formula, cell))


def test_a_name_of_two_symbols_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(symbols.LESSONS, "99", {"φ": "theta"})
    with pytest.raises(BadLesson, match="the symbol φ is called theta, and so is θ"):
        symbols.names(lesson(tmp_path, "θ + φ", "theta = 1"))


def test_a_symbol_that_is_said_to_have_no_name_needs_none(tmp_path, monkeypatch):
    monkeypatch.setitem(symbols.NOWHERE, "99", {"θ": "a test"})
    assert symbols.names(lesson(tmp_path, "θ", "theta = 1")) == {}


def test_a_name_that_is_something_else_as_well_is_lit_where_it_means_its_symbol(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(symbols.LESSONS, "99", {"a": "a@wave amplitude"})
    path = lesson(
        tmp_path, "a", "def wave(a):\n    return a\n\n# %%\nfor a in waves: amplitude = a"
    )
    names = symbols.names(path)
    wave, loop = symbols.code_cells(path)
    assert symbols.lit(path, wave, names) == {"a": "a", "amplitude": "a"}
    assert symbols.lit(path, loop, names) == {"amplitude": "a"}
    for other in ("waves = 1", "a = wave(1)", "    wave = 1"):
        assert not symbols.begins(Cell("code", other, 1), "wave")


def test_a_page_lights_names_and_has_a_button_for_each_symbol(tmp_path):
    path = lessons()[2]
    cells = symbols.code_cells(path)
    made = page.lesson(path, ["" for _ in cells], symbols.names(path), {})
    assert '<span data-v="H">rop</span>' in made and '<mi data-v="H">H</mi>' in made
    legend = made.partition('<details class="legend">')[2].partition("</details>")[0]
    assert {*re.findall('<button data-v="(.*?)">', legend)} == {*symbols.names(path).values()}
    assert '<button data-v="δ"><i>δ</i> <code>delta</code></button>' in legend
    assert page.legend({}) == ""
    # `alpha` is the rate, but not where it is how opaque an arrow is
    assert '<span data-v="α">alpha</span>' in made and 'alpha=<span class="n">0.4' in made


def test_a_name_with_a_source_is_a_link_and_can_be_pointed_at():
    made = code.highlight("model.hvp(v)", {"hvp": "H"}, {".hvp": ("mlp.html#hvp", "H v")})
    assert '<span data-v="H"><a href="mlp.html#hvp" title="H v">hvp</a></span>' in made
