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


def found(sentence, text):
    """Return whether the sentence stands in the text, with any line ends and letters' case."""
    return sentence.lower() in re.sub(r"[\s#*]+", " ", text).lower()


@pytest.mark.parametrize("sentence", RETIRED)
def test_a_refuted_sentence_stands_nowhere(sentence):
    texts = {path: path.read_text(encoding="utf-8") for path in READ}
    assert [path.name for path, text in texts.items() if found(sentence, text)] == []
    assert len(texts) > 40


def test_a_sentence_that_runs_over_a_line_would_be_found():
    assert found(
        "would learn to memorise them", "on the same points MAML *would learn to\nmemorise* them"
    )
    assert not found("would learn to memorise them", "MAML would learn to read them")
    assert found("All three methods ascend it", "(E). All three methods *ascend*\nit: they look")
