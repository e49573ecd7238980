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


def frames_of(pages, sizes, tmp_path):
    """Return a page with a frame of each size (width, height) for each page: a headless browser's
    own window is never narrower than 500 pixels, a frame in it is."""
    frames = "".join(
        f'<iframe src="{page.as_uri()}#selftest" '
        f'style="border:0;width:{width}px;height:{height}px"></iframe>'
        for page in pages
        for width, height in sizes
    )
    outer = tmp_path / "frames.html"
    outer.write_text(COLLECT + frames, encoding="utf-8")
    return outer


def said_in(outer, tmp_path):
    """Return what the pages in the frames of a page say of themselves. The browser's own time does
    not wait for a machine that is busy elsewhere, so it has three tries."""
    wanted, found = outer.read_text(encoding="utf-8").count("<iframe"), []
    for _ in range(3):
        said = dump(outer.as_uri(), tmp_path)
        text = re.search('<pre id="found">(.*?)</pre>', said, re.DOTALL)[1]
        found = [json.loads(one) for one in json.loads(html.unescape(text) or "[]")]
        if len(found) == wanted:
            break
    return found


def measure(pages, widths, tmp_path):
    """Return what each page says of itself in windows of each width."""
    return said_in(frames_of(pages, [(width, 900) for width in widths], tmp_path), tmp_path)
