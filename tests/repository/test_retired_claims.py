"""Sentences that a fair rerun has refuted stand nowhere any more, wherever their lines end."""

import re

import pytest
from running import ROOT

RETIRED = [
    "would learn to memorise them",
    "See transfer learning fail",
    "on equal terms Reptile is ahead",
    "no seed has turned round",
    "would reward memorising",
    "transfer learning fails here",
    "as if the step of 2 had come out of nowhere",
    "Not a gradient of anything",
    "Walk towards the weights found",
    "All three methods ascend it",
    "Each has its rates chosen on validation tasks",
    "iMAML comes out badly here",
    "MAML++ loss",
    "MAML++'s loss",
    "The second order pays",
    "It was told more",
    "Sine waves have no such classes",
]
READ = [
    *[ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md"],
    *sorted((ROOT / "lessons").rglob("*.md")),
    *sorted((ROOT / "lessons").rglob("*.py")),
    *sorted((ROOT / "tinymeta").rglob("*.py")),
]


def in_one_line(text):
    """Return a text in small letters without its line ends, comment signs and stars."""
    return re.sub(r"[\s#*]+", " ", text).lower()


def found(sentence, line):
    """Return whether the sentence stands in a text in one line, in any letters' case."""
    return sentence.lower() in line


@pytest.fixture(scope="module")
def texts():
    return {path: in_one_line(path.read_text(encoding="utf-8")) for path in READ}


@pytest.mark.parametrize("sentence", RETIRED)
def test_a_refuted_sentence_stands_nowhere(sentence, texts):
    assert [path.name for path, text in texts.items() if found(sentence, text)] == []
    assert len(texts) > 40


def test_a_sentence_that_runs_over_a_line_would_be_found():
    lines = [
        "on the same points MAML *would learn to\nmemorise* them",
        "MAML would learn to read them",
        "(E). All three methods *ascend*\nit: they look",
    ]
    first, other, last = map(in_one_line, lines)
    assert found("would learn to memorise them", first)
    assert not found("would learn to memorise them", other)
    assert found("All three methods ascend it", last)
