"""The pages of the lessons are what their sources and their recorded runs say."""

import html
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from running import unlike

from tinymeta.course.book import __main__ as command
from tinymeta.course.book import code, formulas, guide, markdown, page, record, source

LESSONS = source.lessons()
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


# Formulas


@pytest.mark.parametrize(
    "formula, tex",
    {
        "θ_{s+1} = θ_s − α g": r"\theta_{s+1} = \theta_{s} - \alpha g",
        "(I − α H)^⊤ q": r"(I - \alpha H)^{\top}q",
        "f''(z) ⊙ δ W^⊤": r"f''(z)\odot\delta W^{\top}",
        "θ'_1": r"\theta'_{1}",
        "|e − c|²": r"\vert e - c\vert^{2}",
        "√(v / 2) + √3": r"\sqrt{v/2} + \sqrt{3}",
        "a sin(x + b)": r"a\sin(x + b)",
        "relu(z)": r"\text{ relu }(z)",
        "dF^⊤ a": r"dF^{\top}a",
        "m ← 2,   v": r"m\gets2, \quad v",
        "½ y": r"\tfrac{1}{2}y",
        "10,000": "10{,}000",
    }.items(),
)
def test_a_formula_is_written_as_tex(formula, tex):
    assert formulas.tex(formula).replace(" ", "") == tex.replace(" ", "")


def test_a_command_of_tex_never_runs_into_a_letter():
    assert formulas.tex("α g sin x") == r"\alpha g\sin x"


@pytest.mark.parametrize(
    "formula, inside",
    {
        "θ_s": '<msub><mi data-v="θ">θ</mi><mi data-v="s">s</mi></msub>',
        "x_i^2": '<msubsup><mi data-v="x">x</mi><mi data-v="i">i</mi><mrow><mn>2</mn></mrow></msub',
        "√(2)": "<msqrt><mn>2</mn></msqrt>",
        "a < b": "<mo>&lt;</mo>",
        "2 (−1)": '<mo form="prefix" lspace="0" rspace="0">−</mo><mn>1</mn>',
        "(a) − b": "<mo>−</mo>",
    }.items(),
)
def test_a_formula_is_written_as_mathml(formula, inside):
    assert inside in formulas.mathml(formula)


def test_a_long_formula_is_in_pieces_between_which_a_line_can_be_broken():
    long = "(θ − θ_k) / α = g_0 + g_1 + g_2 + … + g_{k−1}"
    pieces = formulas.mathml(long).split("</math><math>")
    assert len(pieces) > 2 and 'form="infix">=' in pieces[1]
    assert all(piece.count(">(<") == piece.count(">)<") for piece in pieces)
    assert formulas.mathml("a = b").count("<math>") == 1


@pytest.mark.parametrize("formula", ["x_", "{a", "a ⊗ b", "foo", r"\alpha", "a_1_2", "√", "x^"])
def test_what_is_not_known_in_a_formula_is_refused(formula):
    with pytest.raises(formulas.UnknownFormula, match=re.escape(repr(formula))):
        formulas.tex(formula)


def test_the_symbols_of_a_formula_are_its_letters_and_out():
    assert formulas.symbols("θ_{s+1} = out − α sin(x)") == {"θ", "s", "out", "α", "x"}


# A lesson's source


def lesson_file(tmp_path, text):
    path = tmp_path / "01_small.py"
    path.write_text(text, encoding="utf-8")
    return path


TEXT = '# %% [markdown]\n"""\n{}\n"""\n'


def test_cells_have_a_kind_a_text_and_the_line_where_they_begin(tmp_path):
    text = TEXT.format("# One\n\nText.") + '\n# %%\n\na = 1\n\n\n# %% tags=["hide-input"]\nb = 2\n'
    found = source.cells(lesson_file(tmp_path, text))
    assert found == [("text", "# One\n\nText.", 3), ("code", "a = 1", 10), ("folded", "b = 2", 14)]
    lines = text.splitlines()
    assert [lines[cell.line - 1] for cell in found] == ["# One", "a = 1", "b = 2"]
    assert source.title(found) == "One"


@pytest.mark.parametrize(
    "text, says",
    {
        "import os\n# %%\n": "expected a cell marker",
        "# %% [raw]\nx\n": r"line 1: expected one of .* got '# %% \[raw\]'",
        "# %% [markdown]\n# comment\n": "between two lines",
    }.items(),
)
def test_a_file_that_is_no_lesson_is_refused(text, says, tmp_path):
    with pytest.raises(source.BadLesson, match=says):
        source.cells(lesson_file(tmp_path, text))


@pytest.mark.parametrize(
    "text, says",
    {
        "<table>": "does not know what begins with '<table>'",
        "![a](b.png)": "does not know",
        "* star": "does not know",
        "#### four": "does not know",
        "# a\nb": "an empty line below the heading",
        "$$ a": "one displayed formula",
        "| a |\n|---|": "as many cells",
        "| a | b |\n|---|---|\n| c |": "as many cells",
        "<details>\nopen": "<details><summary>",
        "<details><summary>s</summary>\nopen": "</details> in a later one",
        "```python\nx": "a line ``` that ends",
    }.items(),
)
def test_markdown_that_the_book_does_not_know_is_refused(text, says):
    with pytest.raises(source.BadLesson, match=says):
        source.blocks(text)


@pytest.mark.parametrize("text", ["a $b", "a `b", "$a$ $"])
def test_a_formula_or_code_without_its_end_is_refused(text):
    with pytest.raises(source.BadLesson, match="without its partner"):
        source.inline(text)


def test_the_markdown_of_a_text_becomes_html():
    text = """## A *b*

A **bold** `a < b` and [a link](INSTRUCTOR.md); see lesson 03.

- one $x$,
  still one
- two

| a | b |
|---|---|
| 1 | $θ$ |

<details><summary>Answer</summary>

No.
</details>

    python x.py

> **Note.** Quoted."""
    made = "\n".join(map(page.write, source.blocks(text)))
    for part in [
        '<h2 id="a-b">A <em>b</em></h2>',
        "<strong>bold</strong> <code>a &lt; b</code>",
        '<a href="../INSTRUCTOR.md">a link</a>; see <a href="03_maml.html">lesson 03</a>.',
        '<ul><li>one <span class="nb"><math>',
        "still one</li><li>two</li></ul>",
        "<th scope=col>a</th>",
        "<details><summary>Answer</summary><p>No.</p></details>",
        '<pre class="commands">python x.py</pre>',
        "<blockquote><p><strong>Note.</strong> Quoted.</p></blockquote>",
    ]:
        assert part in made


def test_code_is_coloured_and_keeps_every_character():
    text = 'def f(x):  # θ\n    return f"{x:.1f}" if x > 1 else maml_grad(theta)\n'
    made = code.highlight(text, {"theta": "θ"}, {"maml_grad": ("meta.html#maml_grad", "MAML")})
    assert html.unescape(re.sub("<[^>]+>", "", made)) == text
    assert '<span class="k">def</span> <span class="d">f</span>' in made
    assert '<span data-v="θ">theta</span>' in made
    assert '<a href="meta.html#maml_grad" title="MAML">maml_grad</a>' in made
    method = "    def g(self):\n        return 1"
    assert re.sub("<[^>]+>", "", code.highlight(method, {}, {})) == method


# The record


def test_what_a_cell_printed_is_taken_apart_into_text_and_figures():
    output = "a\n\nfigure x_1.png\n  One 1.\n\nfigure x_2.png\n  Two 2.\nb\n"
    shown = [part for part in record.parts(output) if part[1]]
    figures = [("figure", ("x_1.png", "One 1.")), ("figure", ("x_2.png", "Two 2."))]
    assert shown == [("text", "a"), *figures, ("text", "b")]


@pytest.mark.parametrize(
    "recorded, printed, same",
    [
        ("loss 1.23 (ok)", "loss   1.25 (ok)", True),
        ("loss 1.23", "loss 1.40", False),
        ("loss 1.23", "less 1.23", False),
        ("off by 3e-16", "off by 8e-15", True),
        ("off by 3e-16", "off by 8e-05", False),
        ("3 of 5", "5 of 5", True),
        ("3 of 50", "9 of 50", False),
        ("(0.1-0.9)", "(0.1-1.4)", False),
        ("x 1,000", "x 1,099", True),
        ("x -1.5", "x 1.5", False),
        ("after   5 s: MAML 0.8", "after  12 s: MAML 0.4", True),
        ("after   5 steps: MAML 0.8", "after  12 steps: MAML 0.4", False),
        (f"{'transfer':28s} 17  0.1  - 84.5", f"{'transfer':28s}  8  0.1  - 84.5", True),
        ("Time of a step:\n  MAML  5.0\nloss 1", "Time of a step:\n  MAML  15.3\nloss 1", True),
        ("Time of a step:\n  MAML  5.0\nloss 1", "Time of a step:\n  MAML  5.0\nloss 9", False),
        (f"{'transfer':28s} 17  0.1  - 84.5", f"{'transfer':28s} 17  0.1  - 64.5", False),
    ],
)
def test_a_run_is_like_its_record_if_words_are_equal_and_numbers_close(recorded, printed, same):
    assert (unlike(recorded, printed) == []) == same


def test_a_run_with_more_lines_is_unlike_its_record():
    assert unlike("a\nb", "a") == [("2 lines", "1 lines")]


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small lesson, its record and its pages in a folder of their own."""
    for module in (source, record, command, markdown, page):
        for name, folder in {"BOOK": "book", "FIGURES": "figures", "LESSONS": "."}.items():
            if hasattr(module, name):
                (tmp_path / folder).mkdir(exist_ok=True)
                monkeypatch.setattr(module, name, tmp_path / folder)
    text = TEXT.format("# Small\n\nWhat you'll learn: $θ$.\n\nText.")
    text += "\n# %%\nprint('a', 0.5)\n\n# %%\ntheta = 1\nprint('\\nfigure s.png\\n  One 1.')\n"
    (tmp_path / "01_small.py").write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text("figures/s.png", encoding="utf-8")
    monkeypatch.setattr(markdown, "address", lambda: "")
    # what takes longest, and has tests of its own: the playground, and pages of eight modules
    monkeypatch.setattr(command.playground, "page", lambda: "a playground")
    monkeypatch.setattr(command.modules, "ORDER", [*command.modules.ORDER][-1:])
    kept = command.modules.definitions, command.modules.used_in
    for function in kept:
        function.cache_clear()

    def run(path, folder):
        (Path(folder) / "s.png").write_bytes(b"a picture")
        return ["a 0.5\n", "\nfigure s.png\n  One 1.\n"]

    monkeypatch.setattr(record, "run", run)

    def call(*flags):
        monkeypatch.setattr("sys.argv", ["book", *flags])
        try:
            command.main()
        except SystemExit as end:
            return str(end.code)
        return ""

    assert call("--run") == "" and call("--check") == ""
    yield tmp_path, call
    for function in kept:
        function.cache_clear()


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "file, old, new, says, mended",
    [
        ("01_small.py", "Text.", "Other.", "is not what its source and the recorded run say", True),
        ("01_small.py", "0.5)", "0.6)", "line 11: this code cell has changed since", False),
        ("book/01_small.md", "0.5", "0.7", "01_small.md is not what its source", True),
        ("book/01_small.html", "0.5", "0.7", "01_small.html is not what its source", True),
        ("book/01_small.ipynb", '"a 0.5', '"a 0.9', "its outputs are not those of the run", False),
        ("figures/s.png", "a pic", "b pic", "s.png is not the figure of the recorded run", False),
        ("book/index.html", "Small", "Large", "index.html is not what its source", True),
    ],
)
def test_each_damage_is_told_and_mended_only_where_no_run_is_needed(
    book, file, old, new, says, mended
):
    folder, call = book
    edit(folder / file, old, new)
    assert says in call("--check")
    assert (call() == "") == mended
    assert (call("--check") == "") == mended
    assert call("--run") == "" and call("--check") == ""


@pytest.mark.parametrize(
    "text, says", {"": "not a record", "{}": "KeyError", '{"metadata": 3}': "TypeError"}.items()
)
def test_a_broken_record_is_named(book, text, says):
    folder, call = book
    (folder / "book" / "01_small.ipynb").write_text(text)
    assert says in call("--check") and "01_small --run" in call("--check")


def test_a_lesson_without_a_record_and_an_unknown_one_are_named(book, capsys):
    folder, call = book
    (folder / "book" / "01_small.ipynb").unlink()
    assert "no run is recorded" in call()
    assert call("07_none") == "2" and "expected names of 01_small" in capsys.readouterr().err


def test_an_address_brings_colab_s_badge_and_the_cell_that_installs(book, monkeypatch):
    folder, call = book
    assert "colab" not in (folder / "book" / "01_small.md").read_text(encoding="utf-8").lower()
    monkeypatch.setattr(markdown, "address", lambda: "https://github.com/someone/tinymeta")
    assert call() == ""
    to = "https://colab.research.google.com/github/someone/tinymeta/blob/main/lessons/book/"
    assert f"({to}01_small.ipynb)" in (folder / "book" / "01_small.md").read_text(encoding="utf-8")
    cells = json.loads((folder / "book" / "01_small.ipynb").read_text(encoding="utf-8"))["cells"]
    install = "".join(cells[1]["source"])
    assert "%pip install -q git+https://github.com/someone/tinymeta" in install
    assert "QUICK = True" in "".join(cells[2]["source"])


def test_cells_of_a_run_see_each_other_and_print_figures_by_name(tmp_path):
    lesson = lesson_file(
        tmp_path,
        "# %%\nimport sys\nfrom pathlib import Path\na = 1\n\n# %%\n"
        "print(a + 1, Path(__file__).name, __name__)\n"
        "print('figure', Path(sys.argv[2]) / 'x.png')\n",
    )
    assert record.run(lesson, tmp_path / "out") == ["", "2 01_small.py __main__\nfigure x.png\n"]


def test_a_run_that_fails_is_named_with_the_line_of_the_lesson(tmp_path, capfd):
    lesson = lesson_file(tmp_path, "# %%\na = 1\n\n# %%\n\nraise ValueError(a)\n")
    with pytest.raises(source.BadLesson, match="01_small: its full run ended with status 1"):
        record.run(lesson, tmp_path)
    assert '01_small.py", line 6' in capfd.readouterr().err


PROMISED = "What you should see\n  a loss       0.5   from 0 to 1   ok\n"


def test_every_promised_number_gets_a_row_or_the_page_is_not_made():
    made = page.output("text", "before\n\n" + PROMISED + "  the same     0.7   from 1 to 1   ok")
    assert made.count("<tr><td>") == 2 and "2 numbers" in made and ">before</pre>" in made
    assert 'cx="50.0"' in made  # in the middle of its bounds, and where these are one number
    with pytest.raises(source.BadLesson, match="a promised number in each"):
        page.output("text", PROMISED + "  a line of another form")


# The instructor's guide


PLAN = """## Lesson 01: One

**10 minutes:** 4 the first · 6 the second

**On the board.**

| $a$ | $b$ |
|---|---|
| 1 | 2 |

**Ask.**

- *Bet: how much?* 0.5<!--01: it-->.
- *Why?* So.

**What goes wrong.** Nothing.

**Numbers.** 3.

## Lesson 02: Two
"""


def test_a_plan_has_minutes_boards_bets_and_questions(tmp_path, monkeypatch):
    monkeypatch.setattr(guide, "LESSONS", tmp_path)
    (tmp_path / "INSTRUCTOR.md").write_text(PLAN, encoding="utf-8")
    plan = guide.plan(tmp_path / "01_one.py")
    assert plan.minutes == [(4, "the first"), (6, "the second")]
    assert [board.kind for board in plan.boards] == ["table"]
    assert plan.bets == [("How much?", "0.5.")]  # without the comment that names the number
    assert plan.questions == [("Bet: how much?", "0.5."), ("Why?", "So.")]
    assert (plan.wrong, plan.numbers) == ("Nothing.", "3.")
    with pytest.raises(source.BadLesson, match="no part 'On the board'"):
        guide.plan(tmp_path / "02_two.py")
    with pytest.raises(source.BadLesson, match="no plan of lesson 03"):
        guide.plan(tmp_path / "03_three.py")


def test_the_bets_on_paper_have_no_answers():
    sheet = (source.BOOK / "bets.html").read_text(encoding="utf-8")
    slides = {path: (source.BOOK / f"{path.stem}.slides.html") for path in LESSONS}
    for path, file in slides.items():
        bets = guide.plan(path).bets
        assert len(bets) >= 2
        for bet, answer in bets:
            assert page.spans(bet) in sheet and page.spans(answer) not in sheet
            assert page.spans(answer) in file.read_text(encoding="utf-8")


# The book that is here


@each_lesson
def test_the_pages_are_what_source_and_recorded_run_say(path):
    outputs, figures = record.outputs_of(path)
    assert record.swapped(figures) == []
    for name, content in command.pages(path, outputs, figures, markdown.address()).items():
        assert command.check(name, content) == []


def test_the_index_is_what_the_lessons_say():
    content = page.index({path: record.outputs_of(path)[0] for path in LESSONS})
    assert command.check("index.html", content) == []


class Page(HTMLParser):
    """The anchors, links and images of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.add(attributes["id"])
        self.links += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag == "img":
            self.images.append(attributes.get("alt", ""))


PAGES = {path.name: Page(path) for path in sorted(source.BOOK.glob("*.html"))}


def missing(links, anchors):
    """Return the links of a page that lead nowhere: to no file, or to no anchor of a page."""
    wrong = []
    for link in links:
        file, _, anchor = link.partition("#")
        if re.match("[a-z]+:", link):
            wrong.append(link)  # not even to papers: a page needs no network
        elif file and not (source.BOOK / file).exists():
            wrong.append(link)
        elif anchor and "=" not in anchor:  # with =, it is a state of the playground
            there = PAGES[file].ids if file in PAGES else anchors
            if file in ("", *PAGES) and anchor not in there:
                wrong.append(link)
    return wrong


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere_and_every_image_says_what_it_shows(name):
    found = PAGES[name]
    assert found.links and missing(found.links, found.ids) == []
    assert all(len(alt) > 20 and re.search(r"\d", alt) for alt in found.images)


def test_a_link_that_leads_nowhere_would_be_found():
    wrong = ["99_none.html", "https://example.org/a.css", "#none", "03_maml.html#none"]
    assert missing(["03_maml.html#three-steps", *wrong], set()) == wrong


LINK = re.compile(r"(!?)\[((?:\\.|[^\]])*)\]\(([^)]+)\)")


@each_lesson
def test_the_links_and_images_of_a_page_for_github_are_there(path):
    text = (source.BOOK / f"{path.stem}.md").read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    found = LINK.findall(text)
    assert len(found) > 5
    assert [to for _, _, to in found if not (source.BOOK / to.partition("#")[0]).exists()] == []
    assert all(len(alt) > 20 for image, alt, _ in found if image)
    assert "$" not in re.sub(r"\$\$", "", text), "a formula that is not between $` and `$"


@each_lesson
def test_all_three_forms_set_every_formula(path):
    texts = [cell.text for cell in source.cells(path) if cell.kind == "text"]
    wanted = Counter()
    for text in texts:
        for match in markdown.PIECES.finditer(text):
            wanted["block"] += bool(match["block"])
            wanted["line"] += bool(match["line"])
    github = (source.BOOK / f"{path.stem}.md").read_text(encoding="utf-8")
    shown = (source.BOOK / f"{path.stem}.html").read_text(encoding="utf-8")
    assert github.count("```math\n") == wanted["block"] and github.count("$`") == wanted["line"]
    assert shown.count("<math") >= sum(wanted.values()) > 0
    body = re.sub(r"<(pre|script|style).*?</\1>", "", shown, flags=re.DOTALL)
    assert "$" not in html.unescape(re.sub("<[^>]+>", "", body))


def test_the_book_is_not_too_large():
    assert sum(path.stat().st_size for path in source.BOOK.glob("*")) < 6e6
