"""The slides of the lessons in a real browser: nothing is clipped, and all type can be read."""

import json

import pytest
from browser import dump, frames_of, needs_chromium, said_in

from tinymeta.course.book.source import BOOK

pytestmark = needs_chromium
DECKS = sorted(BOOK.glob("*.slides.html"))
SIZES = (1280, 720), (1920, 1080)
SMALLEST = 24  # points, on a slide of 13.33 by 7.5 inches


def faults(deck):
    """Return what is wrong with a deck, {slide: what}."""
    wrong = {one["slide"]: one["clipped"] for one in deck["slides"] if one["clipped"]}
    wrong |= {
        one["slide"]: f"type of {one['type']:.1f} points"
        for one in deck["slides"]
        if one["type"] < SMALLEST - 0.01
    }
    return wrong | ({"images": deck["missing"]} if deck["missing"] else {})


@pytest.mark.slow
def test_nothing_on_a_slide_is_clipped_or_small_in_two_sizes(tmp_path):
    found = said_in(frames_of(DECKS, SIZES, tmp_path), tmp_path)
    assert len(found) == len(SIZES) * len(DECKS) > 0
    wrong = {f"{one['page']} at {one['width']}": faults(one) for one in found if faults(one)}
    assert wrong == {}
    assert all(len(one["slides"]) > 8 for one in found)


@pytest.mark.slow
def test_a_slide_that_is_too_full_or_too_small_is_found(tmp_path):
    text = DECKS[0].read_text(encoding="utf-8").replace("../figures/", f"{BOOK.parent}/figures/")
    full = '<section class="slide"><div class="body"><p>' + "word " * 2000 + "</p></div></section>"
    small = '<section class="slide"><p style="font-size:1vw">small</p></section>'
    (tmp_path / "wrong.html").write_text(
        text.replace("</main>", f"{full}{small}</main>", 1), encoding="utf-8"
    )
    (found,) = said_in(frames_of([tmp_path / "wrong.html"], SIZES[:1], tmp_path), tmp_path)
    last = len(found["slides"])
    assert faults(found).keys() == {last - 1, last}


@pytest.mark.slow
def test_keys_turn_the_slides_and_show_the_notes(tmp_path):
    page = DECKS[0].read_text(encoding="utf-8")
    keys = """<script>
    const states = ["ArrowRight", " ", "End", "PageUp", "Home", "n"].map((key) => {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      return [here(), document.body.classList.contains("noted")];
    });
    document.title = JSON.stringify([slides.length, states]);
    </script>"""
    (tmp_path / "keys.html").write_text(page.replace("</html>", keys + "</html>"), encoding="utf-8")
    said = dump((tmp_path / "keys.html").as_uri(), tmp_path)
    n, states = json.loads(said.split("<title>")[1].split("</title>")[0])
    numbers, noted = zip(*states)
    assert numbers == (2, 3, n, n - 1, 1, 1) and noted == (False,) * 5 + (True,)
