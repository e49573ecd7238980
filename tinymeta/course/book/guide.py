"""Read the instructor's guide: the plan of a lesson, its boards, and the questions to ask."""

import re
from typing import NamedTuple

from .source import LESSONS, BadLesson, blocks

HEADINGS = "On the board", "Ask", "What goes wrong", "Numbers"


class Plan(NamedTuple):
    """The plan of a lesson: its minutes [(minutes, what)], the blocks of its boards, questions
    [(question, answer)], and the text of the parts "What goes wrong" and "Numbers"."""

    minutes: list
    boards: list
    questions: list
    wrong: str
    numbers: str

    @property
    def bets(self):
        """The questions that everybody answers before the number is shown."""
        bets = [(ask[5:], answer) for ask, answer in self.questions if ask.startswith("Bet: ")]
        return [(bet[0].upper() + bet[1:], answer) for bet, answer in bets]


def without_comments(text):
    """Return a text without the comments that name its numbers."""
    return re.sub("<!--.*?-->", "", text, flags=re.DOTALL)


def plan(path):
    """Return the plan of a lesson."""
    guide = (LESSONS / "INSTRUCTOR.md").read_text(encoding="utf-8")
    found = re.search(
        rf"^## Lesson {path.stem[:2]}: .*?\n(.*?)(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL
    )
    if not found:
        raise BadLesson(f"lessons/INSTRUCTOR.md has no plan of lesson {path.stem[:2]}")
    parts = re.split(r"^\*\*(.*?)[.:]\*\*\s*", without_comments(found[1]), flags=re.MULTILINE)[1:]
    named = dict(zip(parts[::2], parts[1::2]))
    if missing := [heading for heading in HEADINGS if heading not in named]:
        raise BadLesson(f"the plan of lesson {path.stem[:2]} has no part {missing[0]!r}")
    minutes = [item.split(maxsplit=1) for item in " ".join(parts[1].split()).split(" · ")]
    board, ask, wrong, numbers = (named[heading] for heading in HEADINGS)
    items = [item for block in blocks(ask) if block.kind == "list" for item in block.parts]
    questions = [re.match(r"\*(.*?)\*\s*(.*)", item) for item in items]
    return Plan(
        [(int(number), what) for number, what in minutes],
        blocks(board),
        [(match[1], match[2]) for match in questions if match],
        wrong.strip(),
        numbers.partition("```")[0].strip(),
    )
