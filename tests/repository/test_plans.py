"""The plans of the instructor's guide: boards that a slide can show, in the letters of the lessons;
bets with computed answers; meetings whose parts add up to 90 minutes."""

import re
from math import exp, log, sqrt

import pytest
from running import LESSONS, ROOT

from tinymeta.course.book import formulas, guide, page, symbols

GUIDE = (ROOT / "lessons" / "INSTRUCTOR.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
PLANS = {path: guide.plan(path) for path in LESSONS}


# The boards


def cells(board):
    """Return the rows of a board, as lists of cells; a displayed formula is one."""
    return board.parts if board.kind == "table" else [[f"${board.text}$"]]


def formulas_of(board):
    """Return all formulas of a board."""
    return [f for row in cells(board) for cell in row for f in re.findall(r"\$([^$]+)\$", cell)]


LETTERS = {path: set(symbols.symbols_of(path)) for path in LESSONS}
BOARDS = [(path, board) for path, plan in PLANS.items() for board in plan.boards]
each_board = pytest.mark.parametrize(
    "path, board", BOARDS, ids=[f"{path.stem[:2]}: {cells(board)[0][0]}" for path, board in BOARDS]
)
ROWS, COLUMNS = 12, 60  # that a slide can show in large type


def too_large(board):
    """Return why a board is too large for a slide, or ""."""
    rows = cells(board)
    if len(rows) > ROWS:
        return f"{len(rows)} rows"
    shown = [re.sub(r"[$*`{}_^]", "", " ".join(row)).strip() for row in rows]
    return max([row for row in shown if len(row) > COLUMNS], key=len, default="")


@each_board
def test_a_board_is_a_table_or_a_formula_that_fits_a_slide(path, board):
    assert board.kind in ("table", "formula")
    assert too_large(board) == ""
    page.write(board)  # what it does not know, it refuses


def test_every_lesson_has_boards():
    assert all(1 <= len(plan.boards) <= 5 for plan in PLANS.values())


def test_a_board_that_is_too_large_would_be_found():
    table = BOARDS[0][1]
    head = table.parts[0]
    assert too_large(table._replace(parts=[head] * 13)) == "13 rows"
    assert too_large(table._replace(parts=[head, ["x" * 50, "$y_{10}$ " + "z" * 10]])) != ""


PRIMED = r"(relu|[fθw])'"  # slopes, and what an inner step makes


def stray_primes(formula):
    return "'" in re.sub(PRIMED + "+", "", formula)


@each_board
def test_a_prime_is_a_slope_or_what_a_step_has_made(path, board):
    assert not any(map(stray_primes, formulas_of(board)))


def test_a_stray_prime_would_be_found():
    assert stray_primes("δ = δ' W^⊤") and stray_primes("h' = f(z)")
    assert not stray_primes("f'' + relu'(z) − θ' w'")


# The letters

TABLE, FEW = re.findall(r"^\| [^\n]*\n\|---.*?\n(.*?)\n(?!\|)", SECTIONS["Symbols"], re.M | re.S)


def letters(text):
    return set().union(*map(formulas.symbols, re.findall(r"\$([^$]+)\$", text)))


# row of the table: what it says, and the letter that it is about
EVERYWHERE = {row.split("|")[1]: row for row in TABLE.split("\n")}
ALONE = {}
for row in FEW.split("\n"):
    numbers, called = row.strip("|").split("|")
    for number in re.findall(r"\d\d", numbers):
        ALONE.setdefault(number, set()).update(letters(called))


@each_board
def test_a_board_has_the_letters_of_its_lesson_and_of_the_table(path, board):
    used = letters(" ".join(f"${f}$" for f in formulas_of(board)))
    assert used <= LETTERS[path]
    assert used <= letters(" ".join(EVERYWHERE)) | ALONE.get(path.stem[:2], set())


@pytest.mark.parametrize("symbol", EVERYWHERE)
def test_a_symbol_is_called_in_the_code_what_the_table_says(symbol):
    known = " ".join(
        table.get(letter, "")
        for letter in letters(symbol)
        for table in (symbols.EVERYWHERE, *symbols.LESSONS.values())
    )
    called = re.findall("`(.*?)`", EVERYWHERE[symbol])
    assert set(called) <= {name for name, _ in symbols.split(known)}


# The arithmetic

PLAIN = r"[\d\s.,()+/·^{}%√½−-]+|exp|log"


def value(text):
    """Return what a formula of numbers alone is worth, None for any other."""
    if not re.search(r"\d", text) or re.sub(PLAIN, "", text):
        return None
    text = text.replace("−", "-").replace("½", "(1/2)").replace("√", "sqrt")
    text = text.replace("^", "**").replace("·", "*").replace("{", "(").replace("}", ")")
    text = re.sub(r"log ([\d.]+)", r"log(\1)", text)
    try:
        return float(eval(text, {"sqrt": sqrt, "exp": exp, "log": log}))
    except (SyntaxError, TypeError):
        return None  # a vector, or a product without its sign


def wrong_equations(formula):
    """Return the pairs of neighbouring sides of a formula that are numbers and not equal, to the
    digits of the second."""
    sides = re.split(r"[=≈]", formula)
    wrong = []
    for left, right in zip(sides, sides[1:]):
        a, b = value(left), value(right)
        decimals = len(right.partition(".")[2].strip())
        if None not in (a, b) and abs(a - b) > 0.5001 * 10.0**-decimals:
            wrong.append((left, right))
    return wrong


@each_board
def test_numbers_on_a_board_are_right(path, board):
    assert [wrong for f in formulas_of(board) for wrong in wrong_equations(f)] == []


def test_many_equations_are_worked_out_and_a_wrong_one_would_be_found():
    sides = [re.split("[=≈]", f) for _, board in BOARDS for f in formulas_of(board)]
    pairs = [(value(a), value(b)) for row in sides for a, b in zip(row, row[1:])]
    assert sum(None not in pair for pair in pairs) > 25
    assert wrong_equations("E[a^2] = (5^3 − 0.1^3) / (3 · 4.9) = 8.5043")
    assert wrong_equations("0.949^{10} = 0.60") and not wrong_equations("0.949^{10} = 0.59")


def numbers_of(heading):
    """Return the numbers in the cells of the board with this heading, row by row."""
    board = next(board for _, board in BOARDS if cells(board)[0][0] == heading)
    rows = [[value(re.sub("[$*]", "", cell)) for cell in row[1:]] for row in board.parts[1:]]
    return [[number for number in row if number is not None] for row in rows]


def listed(heading):
    """Return the lists of numbers in the last cells of a board."""
    board = next(board for _, board in BOARDS if cells(board)[0][0] == heading)
    return [
        [value(number) for number in row[-1].split(", ")]
        for row in board.parts[1:]
        if "," in row[-1]
    ]


def test_the_small_cases_on_the_boards_are_computed():
    def remainders(e):
        left = (1 + e) ** 3 - 1
        return left, left - 3 * e, left - 3 * e - 3 * e**2, left - 2.9 * e

    for row, a, b in zip(numbers_of("$f(w) = w^3$ at $w = 1$"), remainders(0.1), remainders(0.05)):
        assert row[:2] == pytest.approx([a, b]) and row[2] == pytest.approx(a / b, abs=0.05)

    for row, h in zip(zip(*numbers_of("loss $½ h w^2$, $w = 1$, $α = 0.1$")[:3]), (1, 8)):
        a = 0.1 * h
        assert row == pytest.approx([1 - a, h * (1 - a) ** 2, h * (1 - 2 * a)])

    def descent(rate, beta=0.0):
        w, v = [1.0], 0.0
        for _ in range(3):
            v = beta * v + w[-1]
            w.append(w[-1] - rate * v)
        return pytest.approx(w)

    assert listed("loss $½ λ w^2$ from $w = 1$") == [descent(1), descent(10), descent(1, 0.9)]

    theta, steps = 0.0, []
    for _ in range(2):
        g = 2 * (theta - 4)
        steps.append(pytest.approx([theta, g, theta - 0.1 * g]))
        theta -= 0.1 * g
    assert numbers_of("loss $(θ − 4)^2$, $α = 0.1$")[:2] == steps

    # w and its change along v together: a number w + i v with a tiny i v
    w1, w2, tiny = 1 + 1e-20j, 2 + 1e-20j, 1e-20
    h = w1 * 1.0
    delta = 2 * (w2 * h - 3)
    passes = [h, w2 * h, delta, delta * w2 * 1.0, delta * h]
    assert numbers_of("$x = 1$, $y = 3$") == [
        pytest.approx([number.real, number.imag / tiny]) for number in passes
    ]


# The bets

CHECKED = r"-?[\d.]+<!--\d\d: .*?-->"  # see test_readme.py


def asked(section):
    """Return the questions of a plan and their answers, with the comments that name numbers."""
    found = re.search(r"^\*\*Ask\.\*\*\n\n(.*?)^\*\*", section, re.MULTILINE | re.DOTALL)[1]
    items = [" ".join(item.split()) for item in re.split(r"^- ", found, flags=re.MULTILINE)[1:]]
    return [re.fullmatch(r"\*([^*]+\?)\* (.*)", item).groups() for item in items]


def wrong_bets(questions):
    """Return what is wrong with the bets of a lesson: their number, answers without a number."""
    bets = [(ask, answer) for ask, answer in questions if ask.startswith("Bet: ")]
    bare = [ask for ask, answer in bets if not re.search(CHECKED, answer)]
    first = questions[: len(bets)] == bets
    return bare + [f"{len(bets)} bets"] * (not 2 <= len(bets) <= 3) + ["not first"] * (not first)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_a_plan_begins_with_two_or_three_bets_whose_answers_are_computed(path):
    section = next(
        text
        for name, text in SECTIONS.items()
        if name.startswith("Lesson ") and name[7:9] == path.stem[:2]
    )
    questions = asked(section)
    assert wrong_bets(questions) == []
    assert [ask for ask, _ in questions] == [ask for ask, _ in PLANS[path].questions]
    assert len(PLANS[path].bets) == sum(ask.startswith("Bet: ") for ask, _ in questions)


def test_bets_that_nobody_can_settle_would_be_found():
    settled, open_one = ("Bet: how far?", "0.5<!--01: a-->"), ("Bet: how far?", "About 0.5.")
    assert wrong_bets([settled, settled, ("Why?", "So.")]) == []
    assert wrong_bets([settled, open_one]) == ["Bet: how far?"]
    assert wrong_bets([settled]) == ["1 bets"]
    assert wrong_bets([("Why?", "So."), settled, settled]) == ["not first"]
