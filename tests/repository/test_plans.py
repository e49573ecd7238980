"""The plans of the instructor's guide: boards that a slide can show, in the letters of the lessons;
bets with computed answers; meetings whose parts add up to 90 minutes."""

import re
from math import exp, log, sqrt

import pytest
from running import LESSONS, ROOT

from tinymeta.course.book import formulas, guide, page, symbols

GUIDE = (ROOT / "lessons" / "INSTRUCTOR.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL))
# that every lesson has a plan, see test_instructor.py
PLANS = {path: guide.plan(path) for path in LESSONS if f"## Lesson {path.stem[:2]}: " in GUIDE}


# The boards


def cells(board):
    """Return the rows of a board, as lists of cells; a displayed formula is one."""
    return board.parts if board.kind == "table" else [[f"${board.text}$"]]


def formulas_of(board):
    """Return all formulas of a board."""
    return [f for row in cells(board) for cell in row for f in re.findall(r"\$([^$]+)\$", cell)]


LETTERS = {path: set(symbols.symbols_of(path)) for path in PLANS}
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


PRIMED = r"(relu|[fθwJp]|[Jm]_1|\(log p\))'"  # slopes, and what an inner step makes


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
COMMON, ALONE = letters(" ".join(EVERYWHERE)), {}
for row in FEW.split("\n"):
    numbers, called = row.strip("|").split("|")
    for number in re.findall(r"\d\d", numbers):
        ALONE.setdefault(number, set()).update(letters(called))


@each_board
def test_a_board_has_the_letters_of_its_lesson_and_of_the_table(path, board):
    used = letters(" ".join(f"${f}$" for f in formulas_of(board)))
    assert used <= LETTERS[path]
    assert used <= COMMON | ALONE.get(path.stem[:2], set())


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

SIGNS = {"−": "-", "½": "(1/2)", "·": "*", "{": "(", "}": ")"}
TOKEN = re.compile(r"\d+(?:\.\d+)?|exp|log|√|[^\W\d](?:_(?:\w|\{.*?\}))?'*|\*\*|\S")


def compute(formula, **letters):
    """Return what a formula of numbers and these letters is worth. Neighbours are multiplied, and
    what stands behind exp, log or √ is its argument."""
    made, before = [], ""
    formula = re.sub(r"log ([\d.]+)", r"log(\1)", formula).replace("/ 2d", "/ (2 d)")
    for token in TOKEN.findall(formula.replace("½", "(1/2)").replace("^", "**")):
        name = token in letters or token in ("exp", "log", "√")
        ends = before == ")" or before[-1:].isdigit() or before in letters
        if ends and (name or token == "("):
            made.append("*")
        made.append(f"letters[{token!r}]" if token in letters else SIGNS.get(token, token))
        before = token
    known = {"sqrt": sqrt, "exp": exp, "log": log, "letters": letters}
    return eval("".join(made).replace("√", "sqrt"), known)


def value(text):
    """Return what a formula of numbers alone is worth, None for any other, such as a vector."""
    try:
        found = compute(text)
    except (SyntaxError, TypeError, NameError):
        return None
    return None if isinstance(found, tuple) else float(found)


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

    for row, h in zip(zip(*numbers_of("loss $½ λ w^2$, $w = 1$, $α = 0.1$")[:3]), (1, 8)):
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


# (lesson, formulas of its boards that are equal, what else is known)
EQUAL = [
    ("06", ["(1 + i d)^3", "1 + 3 i d − 3 d^2 − i d^3"], {"i": 1j, "d": 0.3}),
    (
        "07",
        ["(1 − α λ) λ w'", "λ w (1 − α λ)^2"],
        {"α": 0.3, "λ": 2.5, "w": 0.7, "w'": 0.25 * 0.7},
    ),
    (
        "07",
        ["−α g · g + α^2 g · H g / 2", "−α (g · g) (1 − α ρ / 2)"],
        {"α": 0.3, "g": 1.7, "H": 2.5, "ρ": 2.5},
    ),
    ("09", ["w − η λ w", "(1 − η λ) w"], {"η": 0.3, "λ": 2.5, "w": 0.7}),
    (
        "11",
        ["θ − 2α (θ − y)", "(1 − 2α) θ + 2α y"],
        {"α": 0.3, "θ": 0.7, "y": -1.0},
    ),
    (
        "11",
        ["(θ' − y)^2", "(1 − 2α)^2 (θ − y)^2"],
        {"α": 0.3, "θ": 0.7, "y": -1.0, "θ'": 0.4 * 0.7 - 0.6},
    ),
]


@pytest.mark.parametrize("lesson, formulas, letters", EQUAL, ids=lambda value: str(value)[:30])
def test_formulas_on_a_board_that_are_equal_are(lesson, formulas, letters):
    sides = {
        side.strip()
        for path, board in BOARDS
        if path.stem.startswith(lesson)
        for formula in formulas_of(board)
        for side in re.split("[=,]", formula)
    }
    assert set(formulas) <= sides
    first, *others = [compute(formula, **letters) for formula in formulas]
    assert others == [pytest.approx(first)] * len(others)


def rows_of(lesson):
    """Return the rows of a lesson's boards, as text."""
    return {
        " | ".join(row) for path, board in BOARDS if path.stem[:2] == lesson for row in cells(board)
    }


def test_rows_of_numbers_are_computed():
    a = 0.1
    maml, first = [(1 - a) ** 2, 3 * (1 - 3 * a) ** 2], [1 - a, 3 * (1 - 3 * a)]
    weights, above = 40 + 1600 + 40, 1600 + 40
    kink = []
    for w, slope in ((-0.0, 0.0), (0.0, 1.0)):  # one ReLU unit, just below 0 and just above
        gradient = 2 * (w - 1) * slope
        after = w - 0.1 * gradient
        kink.append((1, gradient, after, (after * slope - 1) ** 2))
    cases = [(c + e, c + e2) for c in (-1, 1) for e in (-1, 1) for e2 in (-1, 1)]

    def mean(function):
        return sum(function(y, y2) for y, y2 in cases) / len(cases)

    def losses(a):
        return mean(lambda y, _: (2 * a * y - y) ** 2), mean(lambda y, y2: (2 * a * y - y2) ** 2)

    def variance(gradient):
        return mean(lambda *case: gradient(*case) ** 2) - mean(gradient) ** 2

    own = variance(lambda y, _: 2 * (1 - 0.5) * (0.5 * y - y))
    new = variance(lambda y, y2: 2 * (1 - 0.5) * (0.5 * y - y2))
    assert {
        f"with $α = 0.1$ | ${maml[0]:.2f} w + {maml[1]:.2f} (w − 1) = 0$ | "
        f"$w = {maml[1] / sum(maml):.3f}$",
        f"with $α = 0.1$ | ${first[0]:.1f} w + {first[1]:.1f} (w − 1) = 0$ | "
        f"$w = {first[1] / sum(first):.3f}$",
        f"forward | $h W$ | {weights}",
        f"backward | $h^⊤ δ$, $δ W^⊤$ | {weights} + {above}",
        f"how forward changes | $h V$, $R(h) W$ | {weights} + {above}",
        f"how backward changes | $h^⊤ R(δ)$, $R(h)^⊤ δ$ | {weights} + {above}",
        f" | $R(δ) W^⊤$, $δ V^⊤$ | 2 · {above}",
        f"**a product** | $2 · {weights} + 4 · {above} = {2 * weights + 4 * above}$ | "
        f"${2 * weights + 4 * above} / {2 * weights + above} = 1.98$",
    } <= rows_of("04")
    assert {
        f"$w$ just below 0 | {kink[0][0]} | 0 | {kink[0][2]:.0f} | {kink[0][3]:.0f}",
        f"$w$ just above 0 | {kink[1][0]} | $2 (0 − 1) = −{-kink[1][1]:.0f}$ | {kink[1][2]:.1f} | "
        f"$(0.2 − 1)^2 = {kink[1][3]:.2f}$",
    } <= rows_of("06")
    assert losses(0.3) == pytest.approx(
        [compute(f, α=0.3) for f in ("2 (1 − 2α)^2", "8 α^2 − 4 α + 2")]
    )
    assert {
        "mean loss | $2 (1 − 2α)^2$ | $8 α^2 − 4 α + 2$",
        "$α = 0$ | {:.0f} | {:.0f}".format(*losses(0)),
        "$α = 1/4$ | $2 (1 − 2/4)^2 = {:.1f}$ | $8/16 − 1 + 2 = {:.1f}$".format(*losses(0.25)),
        "$α = 1/2$ | **{:.0f}**: it copies | {:.0f}".format(*losses(0.5)),
        f"variance of the meta-gradient, $α = 1/4$ | {own:.1f} | {new:.1f}",
    } <= rows_of("11")


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


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem[:2])
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


# The timetables

LESSON = re.compile(r"(\d+) lesson (\d\d) \(([\d, -]+)\)")
TIMETABLES = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for row in re.findall(r"^\| (?:the only|\d of).*\|$", SECTIONS["Timetables"], re.MULTILINE)
]


def parts(text):
    """Return the numbers that "1-3, 6" stands for."""
    found = []
    for piece in text.split(", "):
        first, _, last = piece.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def minutes_of(lesson):
    path = next(path for path in PLANS if path.stem.startswith(lesson))
    return [minutes for minutes, _ in PLANS[path].minutes]


def wrong_minutes(meeting):
    """Return what does not add up in "15 installing · 35 lesson 01 (1-4) · ..."."""
    wrong = []
    for minutes, lesson, numbers in LESSON.findall(meeting):
        plan = minutes_of(lesson)
        chosen = parts(numbers)
        if max(chosen) > len(plan) or sum(plan[i - 1] for i in chosen) != int(minutes):
            wrong.append(f"{minutes} lesson {lesson} ({numbers})")
    total = sum(int(item.split()[0]) for item in meeting.split(" · "))
    return wrong + [f"{total} minutes"] * (total != 90)


@pytest.mark.parametrize("row", TIMETABLES, ids=lambda row: row[0])
def test_a_meeting_adds_up_to_90_minutes_of_parts_of_the_plans(row):
    name, meeting, skipped, exercises = row
    assert wrong_minutes(meeting) == []
    assert "5 bets" in meeting
    last = {"the only one", *(f"{n} of {n}" for n in (2, 4, 7))}
    assert bool(exercises) == (name not in last)
    for exercise in filter(None, exercises.split(", ")):
        assert (ROOT / "lessons" / "exercises" / f"{exercise}.py").exists()
    held = {(lesson, i) for _, lesson, numbers in LESSON.findall(meeting) for i in parts(numbers)}
    named = re.findall(r"lesson (\d\d) \(([\d, -]+)\)", skipped)
    spare = {(lesson, i) for lesson, numbers in named for i in parts(numbers)}
    assert spare and spare <= held and ("03", 6) not in spare  # the check is never skipped


def test_there_are_courses_of_1_2_4_and_7_meetings():
    names = [row[0] for row in TIMETABLES]
    assert names == ["the only one", *(f"{i} of {n}" for n in (2, 4, 7) for i in range(1, n + 1))]
    first = [row[1] for row in TIMETABLES if row[0].startswith(("the", "1 of"))]
    others = [row[1] for row in TIMETABLES if not row[0].startswith(("the", "1 of"))]
    assert all("installing" in meeting for meeting in first)
    assert all("exercises returned" in meeting for meeting in others)


def test_a_lesson_that_takes_another_s_place_takes_as_long():
    other = SECTIONS["Timetables"].partition("In place of lesson 13")[2].partition("\n\n")[0]
    found = LESSON.findall(" ".join(other.split()))
    assert len(found) >= 5
    for minutes, lesson, numbers in found:
        assert minutes == "40" == str(sum(minutes_of(lesson)[i - 1] for i in parts(numbers)))


def test_a_meeting_that_does_not_add_up_would_be_found():
    assert wrong_minutes("50 installing · 40 lesson 04 (2-5)") == []
    assert wrong_minutes("50 installing · 35 lesson 01 (1-4) · 10 rest") == ["95 minutes"]
    assert wrong_minutes("50 installing · 40 lesson 01 (1-4)") == ["40 lesson 01 (1-4)"]
    assert wrong_minutes("50 installing · 40 lesson 01 (6)") == ["40 lesson 01 (6)"]


# The commands, on three systems


def fenced(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


PAGES = [ROOT / "README.md", *sorted((ROOT / "lessons").glob("*.md"))]
PAGES += sorted((ROOT / "lessons" / "exercises").glob("*.md"))
NOT_IN_POWERSHELL_5 = r"&&|\|\||\bexport\b|\$\(|\.venv/|/bin/|\bpython3\b|\\$"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_for_windows_are_read_by_its_own_powershell(page):
    for block in fenced(page.read_text(encoding="utf-8"), "powershell"):
        assert not re.search(NOT_IN_POWERSHELL_5, block, re.MULTILINE), block
        assert all(line.startswith(("py ", ".venv\\", "Get-", "$env:")) for line in lines(block))


def lines(block):
    return block.strip().split("\n")


def test_every_command_of_the_guide_is_given_for_three_systems_with_nothing_activated():
    found = re.findall(r"^```(sh|powershell)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert [language for language, _ in found] == ["sh", "powershell"] * (len(found) // 2)
    for (_, posix), (_, windows) in zip(found[::2], found[1::2]):
        assert len(lines(posix)) == len(lines(windows))
        for line in lines(posix):
            assert line.startswith(("python3 -m venv", ".venv/bin/python", "for "))
        for a, b in zip(lines(posix), lines(windows)):
            if not a.startswith("for "):
                assert b == a.replace("/", "\\").replace("\\bin\\", "\\Scripts\\").replace(
                    "python3 -m venv", "py -m venv"
                )


def test_the_readme_runs_on_windows_what_it_runs_elsewhere():
    readme = PAGES[0].read_text(encoding="utf-8")
    elsewhere = [part for block in fenced(readme, "sh") for part in block.strip().split(" && ")]
    windows = [line for block in fenced(readme, "powershell") for line in lines(block)]
    for command in (part for part in elsewhere if not part.startswith("python3")):
        assert command.replace("/", "\\").replace("\\bin\\", "\\Scripts\\") in windows
    assert windows[0] == "py -m venv .venv"


def test_a_command_that_powershell_5_cannot_read_would_be_found():
    for line in ("a && b", "a || b", "export A=1", "$(date)", ".venv/bin/python x", "python3 x"):
        assert re.search(NOT_IN_POWERSHELL_5, line)
    assert not re.search(NOT_IN_POWERSHELL_5, '$env:A = "."\n.venv\\Scripts\\python -m pip | x')


# What students believe


def test_a_plan_names_the_beliefs_that_its_lesson_meets():
    rows = re.findall(r"^\| (\d+) \|.*$", SECTIONS["What students believe"], re.MULTILINE)
    table = dict(zip(rows, re.findall(r"^\| \d+ \|.*$", SECTIONS["What students believe"], re.M)))
    for path in PLANS:
        number = path.stem[:2]
        section = next(
            text for name, text in SECTIONS.items() if name.startswith(f"Lesson {number}")
        )
        named = re.findall(r"^And \[beliefs?\]\(#what-students-believe\) (.*)\.$", section, re.M)
        met = [row for row, text in table.items() if f"[{number}](" in text]
        assert [row for text in named for row in text.split(", ")] == met
