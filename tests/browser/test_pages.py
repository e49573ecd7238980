"""The pages of the book in a real browser: on a phone and on a desk."""

import pytest
from browser import measure, needs_chromium

from tinymeta.course.book.source import BOOK

pytestmark = needs_chromium
OTHERS = "playground", ".slides"  # which measure themselves otherwise, and have their own tests
PAGES = [page for page in sorted(BOOK.glob("*.html")) if not page.stem.endswith(OTHERS)]


def faults(found):
    """Return what is wrong with a page, {what: where}."""
    wrong = {name: found[name] for name in ("unset", "missing", "requests") if found[name]}
    if found["overflow"]:
        wrong["wider than the window"] = found["overflow"]
    if found["width"] > 1000 and found["scrolling"]:
        wrong["code that scrolls"] = found["scrolling"]
    return wrong


@pytest.mark.slow
def test_no_page_is_wider_than_its_window_or_asks_a_network_or_lacks_a_formula(tmp_path):
    found = measure(PAGES, (390, 1440), tmp_path)
    assert len(found) == 2 * len(PAGES)
    assert {f"{one['page']} at {one['width']}": faults(one) for one in found if faults(one)} == {}
    assert sum(one["formulas"] for one in found) > 1000


def test_a_page_with_faults_is_found_out(tmp_path):
    page = PAGES[0].read_text(encoding="utf-8")
    wide = '<pre style="width:40em">' + "x" * 500 + '</pre><div style="width:9999px">.</div>'
    wrong = wide + '<img alt="a" src="missing.png"><math></math></main>'
    (tmp_path / "wrong.html").write_text(page.replace("</main>", wrong, 1), encoding="utf-8")
    (found,) = measure([tmp_path / "wrong.html"], [1440], tmp_path)
    assert faults(found).keys() == {
        "unset",
        "missing",
        "wider than the window",
        "code that scrolls",
    }
