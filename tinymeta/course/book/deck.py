"""A lesson as slides: its headings, the boards and questions of the guide, and its figures with
their sentences; arrow keys turn the slides, n shows the speaker's notes, P prints."""

import html

from . import guide, page, record
from .source import blocks, cells, question, title


def slide(body, notes="", kind=""):
    note = f'<aside class="notes">{notes}</aside>' if notes else ""
    return f'<section class="slide {kind}"><div class="body">{body}</div>{note}</section>'


def figure(file, sentence):
    shown = html.escape(sentence)
    image = f'<img src="../figures/{file}" alt="{shown}">'
    return slide(f"<figure>{image}<figcaption>{shown}</figcaption></figure>", kind="picture")


def ask(heading, text, answer):
    hidden = f"<details><summary>Answer</summary><p>{page.spans(answer)}</p></details>"
    return slide(f"<h2>{heading}</h2><p>{page.spans(text)}</p>{hidden}", kind="question")


def headings(path, outputs):
    """Yield a slide for each heading of the lesson below the first, and its figures after it."""
    left = iter(outputs)
    for cell in cells(path):
        if cell.kind != "text":
            for kind, what in record.parts(next(left)):
                if kind == "figure":
                    yield figure(*what)
            continue
        for block in blocks(cell.text):
            if block.kind == "heading" and block.parts > 1:
                yield slide(f"<h2>{page.spans(block.text)}</h2>", kind="heading")
            elif block.kind == "formula" or block.text.startswith("*Predict"):
                yield slide(page.write(block), kind="board")


def deck(path, outputs):
    """Return the slides of a lesson."""
    plan = guide.plan(path)
    minutes = "".join(f"<li>{n} min: {page.spans(what)}</li>" for n, what in plan.minutes)
    first = f"<h1>{page.spans(title(cells(path)))}</h1><p>{page.spans(question(cells(path)))}</p>"
    slides = [slide(first, f"<ul>{minutes}</ul>", "title")]
    slides += [ask("Bet", *bet) for bet in plan.bets]
    slides += [slide(page.write(board), kind="board") for board in plan.boards]
    slides += headings(path, outputs)
    others = [pair for pair in plan.questions if not pair[0].startswith("Bet: ")]
    slides += [ask("Ask", *pair) for pair in others]
    slides.append(slide("<h2>What goes wrong</h2>", f"<p>{page.spans(plan.wrong)}</p>"))
    body = f"<main>{''.join(slides)}</main>"
    heading = f"{title(cells(path))} - slides of lesson {path.stem[:2]}"
    return page.whole(heading, body, ("page.css", "deck.css"), "deck.js")


def sheet(paths):
    """Return the bets of all lessons on paper: questions, room for a guess, and no answers."""
    made = []
    for path in paths:
        made.append(f"<h2>{path.stem[:2]} {page.spans(title(cells(path)))}</h2><ol>")
        for bet, _ in guide.plan(path).bets:
            made.append(f'<li>{page.spans(bet)}<p class="guess">My guess:</p></li>')
        made.append("</ol>")
    about = "<h1>Bets</h1><p>Write down a guess before the number is shown. Name:</p>"
    nav = '<nav><a href="index.html">all lessons</a></nav>'
    return page.whole("tinymeta: bets", f'{nav}<main class="bets">{about}{"".join(made)}</main>')
