"""Symbols of a lesson's page in a real browser: pointed at, clicked, and reached by keyboard."""

import html
import json
import re

import pytest
from browser import dump, needs_chromium

from tinymeta.course.book import page, symbols
from tinymeta.course.book.source import lessons

DRIVE = """<script>
const counts = [], at = (what) => document.querySelector(what), main = at("main");
const fire = (element, kind) => element.dispatchEvent(new MouseEvent(kind, { bubbles: true }));
function note() {
  const lit = [...document.querySelectorAll(".lit")].map((mark) => mark.dataset.v);
  counts.push([[...new Set(lit)].join(""), lit.length]);
}
const symbol = at('mi[data-v="H"]'), name = at('span[data-v="α"]');
const button = at('.legend button[data-v="δ"]');
at(".legend").open = true;
const steps = [
  () => fire(symbol, "mouseover"), () => fire(main, "mouseover"),
  () => fire(symbol, "click"), () => fire(main, "mouseover"), () => fire(name, "mouseover"),
  () => fire(main, "mouseover"), () => fire(main, "click"),
  () => button.focus(), () => at(".legend summary").focus(),
  () => { button.focus(); button.click(); at(".legend summary").focus(); },
];
for (const step of steps) { step(); note(); }
document.body.append(
  Object.assign(document.createElement("pre"), { id: "drive", textContent: JSON.stringify(counts) })
);
</script>"""


@needs_chromium
@pytest.mark.slow
def test_a_symbol_is_lit_in_formulas_and_code_and_a_click_or_its_button_keeps_it_lit(tmp_path):
    path = lessons()[2]
    made = page.lesson(path, [""] * len(symbols.code_cells(path)), symbols.names(path), {})
    (tmp_path / "page.html").write_text(made.replace("</html>", DRIVE + "</html>"), "utf-8")
    said = dump((tmp_path / "page.html").as_uri(), tmp_path)
    found = json.loads(html.unescape(re.search('<pre id="drive">(.*?)</pre>', said, re.DOTALL)[1]))
    assert [lit for lit, _ in found] == ["H", "", "H", "H", "α", "H", "", "δ", "", "δ"]
    for symbol, count in found:
        assert count == (made.count(f'data-v="{symbol}"') if symbol else 0)
