"""Pages and slides for readers who see or point otherwise: contrast, alternative texts, headings,
labels."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tinymeta.course.book import record, source

STYLES = (Path(record.__file__).parent / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = re.findall(r":root \{(.*?)\}", STYLES, re.DOTALL)[:2]
TEXT = "ink soft link keyword string number".split()
CONTRAST = 4.5  # what the Web Content Accessibility Guidelines ask of text, at level AA


def colours(rules):
    """Return {name: (r, g, b)} of the colours that a set of rules defines, from 0 to 1."""
    found = re.findall(r"--(\w+): #([0-9a-f]{3,6})\b", rules)
    return {
        name: tuple(int(code[i : i + n] * (3 - n), 16) / 255 for i in range(0, 3 * n, n))
        for name, code in found
        for n in [len(code) // 3]
    }


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guidelines_own_examples():
    assert contrast((1, 1, 1), (0, 0, 0)) == pytest.approx(21)
    grey = (0x76 / 255,) * 3  # the lightest grey that passes on white
    assert CONTRAST < contrast(grey, (1, 1, 1)) < 4.6
    assert colours("--a: #fff; --b: #102030;") == {
        "a": (1, 1, 1),
        "b": (16 / 255, 32 / 255, 48 / 255),
    }


@pytest.mark.parametrize("rules", [LIGHT, DARK], ids=["light", "dark"])
def test_all_text_of_the_pages_can_be_told_from_its_background(rules):
    known = colours(rules)
    low = {
        (text, ground): round(contrast(known[text], known[ground]), 2)
        for text in TEXT
        for ground in ("paper", "shade")
        if contrast(known[text], known[ground]) < CONTRAST
    }
    assert low == {} and contrast(known["ink"], known["mark"]) >= CONTRAST


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.tags = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.mark.parametrize("path", sorted(source.BOOK.glob("*.html")), ids=lambda path: path.stem)
def test_a_page_has_a_language_a_title_headings_in_order_and_words_for_what_is_drawn(path):
    page = Page(path)
    assert page.all("html")[0].get("lang") == "en" and len(page.all("title")) >= 1
    assert all(image.get("alt", "").strip() for image in page.all("img"))
    assert all(frame.get("title") for frame in page.all("iframe"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    assert not any("tabindex" in tag and int(tag["tabindex"]) > 0 for _, tag in page.tags)
    drawings = [tag for tag, _ in page.tags].count("svg")
    named = sum(
        "role" in svg or "aria-hidden" in svg or "aria-label" in svg for svg in page.all("svg")
    )
    assert drawings == named


IMAGE = re.compile(
    r'!\[([^\]]*)\]\((\S*?figures/(\S+?))\)|<img src="(\S*?figures/(\S+?))"[^>]*?alt="([^"]*)"'
)


@pytest.mark.parametrize("name", ["README.md", "lessons/README.md", "lessons/INSTRUCTOR.md"])
def test_a_figure_on_a_page_has_its_sentence_as_alternative_text(name):
    """The sentence that the lesson's full run printed below it, which states its finding."""
    said = {}
    for path in source.lessons():
        said |= dict(record.figures_of(record.outputs_of(path)[0]))
    text = (source.LESSONS.parent / name).read_text(encoding="utf-8")
    shown = {(m[3] or m[5]): (m[1] or m[6] or "") for m in IMAGE.finditer(text)}
    pictures = {file: alt for file, alt in shown.items() if file.endswith(".png")}
    assert {file: said.get(file) for file in pictures} == pictures
    assert len(re.findall(r"figures/[\w.]+\.(?:png|gif)", text)) == len(re.findall(IMAGE, text))
