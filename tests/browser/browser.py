"""Open pages in a headless Chromium, where one is on PATH, and read what they say of themselves."""

import html
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")


def dump(address, tmp_path, *flags, budget=20_000):
    """Return the HTML that a page has become after some milliseconds of the browser's own time."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
        f"--virtual-time-budget={budget}", *flags, "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True
    )
    return done.stdout


COLLECT = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="found"></pre>
<script>
let found = [];
onmessage = (event) => {
  found.push(event.data);
  document.getElementById("found").textContent = JSON.stringify(found);
};
</script>
"""


def measure(pages, widths, tmp_path):
    """Return what each page says of itself in windows of each width (a headless browser's own
    window is never narrower than 500 pixels, a frame in it is)."""
    frames = "".join(
        f'<iframe src="{page.as_uri()}#selftest" style="border:0;width:{width}px;height:900px">'
        "</iframe>"
        for page in pages
        for width in widths
    )
    outer = tmp_path / "frames.html"
    outer.write_text(COLLECT + frames, encoding="utf-8")
    said = dump(outer.as_uri(), tmp_path)
    found = re.search('<pre id="found">(.*?)</pre>', said, re.DOTALL)[1]
    return [json.loads(one) for one in json.loads(html.unescape(found) or "[]")]
