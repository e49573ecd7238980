"""The playground's page: what it is made of, and what it computes in a real browser."""

import base64
import html
import json
import re
from html.parser import HTMLParser
from urllib.parse import parse_qs

import numpy as np
import pytest
from browser import COLLECT, dump, needs_chromium
from running import LESSONS

from tinymeta import TaskBatch
from tinymeta.course import style, trained
from tinymeta.course.book import playground
from tinymeta.course.lesson import named_rng

SHIPPED = trained.LESSONS / "book" / "playground.html"
PAGE = SHIPPED.read_text(encoding="utf-8")
EXAMPLE = named_rng(0, "example").uniform(-5.0, 5.0, 10).round(4).tolist()
SLIDERS = ("amplitude", "phase", "steps", "rate")
# Relative difference of two losses. The ridge head solves a system with a condition number of 1e5.
NEAR = {name: 1e-10 if name == "ridge head" else 1e-12 for name in playground.NETWORKS}


def thetas():
    """Return the networks of the page, {name: theta} in float64."""
    (text,) = re.findall('<script id="weights" type="application/json">(.*?)</script>', PAGE)
    stored = {name: base64.b64decode(text) for name, text in json.loads(text).items()}
    return {name: np.frombuffer(data, "<f4").astype(float) for name, data in stored.items()}


# The file


def test_the_page_is_the_one_that_networks_and_sources_make():
    assert playground.page() == PAGE


def test_each_network_of_the_page_is_one_of_its_lessons_five_bit_for_bit():
    for name, theta in thetas().items():
        five = trained.load(trained.FOLDER / f"{playground.NETWORKS[name][0]}.npz")[0][name]
        assert [np.array_equal(theta, one) for one in five].count(True) == 1


def test_curves_have_the_colours_of_the_lessons_figures():
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", PAGE.split("@media")[0]))
    for name, (_, look) in playground.NETWORKS.items():
        assert colours[look] == style.METHODS.get(name, {"color": style.PINK})["color"]


class Names(HTMLParser):
    """Collect the controls and pictures of a page that have no name, and its references."""

    def __init__(self, text):
        super().__init__()
        self.unnamed, self.references, self.button, self.in_label = [], [], None, False
        self.labelled = set(re.findall('<label for="([^"]+)"', text))
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.references += [found[name] for name in ("href", "src", "srcset") if name in found]
        self.in_label |= tag == "label"
        named = "aria-label" in found or found.get("id") in self.labelled
        if tag == "input" and not (named or self.in_label):
            self.unnamed.append(tag)
        if tag in ("svg", "canvas", "iframe") and not (named or "aria-hidden" in found):
            self.unnamed.append(tag)
        if tag == "button":
            self.button = ""

    def handle_data(self, data):
        if self.button is not None:
            self.button += data.strip()

    def handle_endtag(self, tag):
        self.in_label &= tag != "label"
        if tag == "button":
            self.unnamed += [] if self.button else [tag]
            self.button = None


def test_every_control_and_picture_has_a_name():
    assert Names(PAGE).unnamed == []


def test_a_control_without_a_name_would_be_found():
    wrong = "<label>a <input></label><label for=b>b</label><input><button> </button><svg></svg>"
    assert Names(wrong).unnamed == ["input", "button", "svg"]


def test_the_page_asks_nobody_for_anything():
    pages = {f"{lesson.stem}.html" for lesson in LESSONS} | {"index.html"}
    for reference in Names(PAGE).references:
        assert reference in pages or reference.startswith("#")
    asking = r"https?://|url\((?!#)|@import|import\(|fetch\(|XMLHttpRequest|WebSocket|sendBeacon"
    assert re.findall(asking, PAGE) == []


def read(address):
    """Return the four settings of an address, and its points: x (K,) and {index: y off the wave}"""
    said = parse_qs(address.lstrip("#"))
    points = [[float(part) for part in p.split(":")] for p in said["points"][0].split(",")]
    off = {i: point[1] for i, point in enumerate(points) if len(point) == 2}
    return [float(said[name][0]) for name in SLIDERS], [point[0] for point in points], off


def test_the_links_to_try_are_states_of_the_lessons_example_and_one_has_an_outlier():
    links = re.findall('<li><a href="#([^"]+)">([^<]+)', PAGE)
    outliers = {title: len(read(html.unescape(state))[2]) for state, title in links}
    assert outliers.pop("One outlier") == 1 and len(outliers) == 5 and not any(outliers.values())
    for state, _ in links:
        (amplitude, phase, steps, rate), x, off = read(html.unescape(state))
        assert (amplitude, phase) == (3, 1) and 0 <= steps <= 32 and 0 < rate <= 0.05
        assert max(map(abs, x)) <= 5 and all(abs(y) <= 6 for y in off.values())


# In a browser: all pages in one window

TASKS = 20
RATES = (0.01, 0.02, 0.03, 0.05)
LINK = "#amplitude=1.5&phase=2.25&steps=7&rate=0.02&points=-4.1234,0.5:-3.25,2,4&hide=joint,ridge"
BAD_LINK = "#amplitude=-1&steps=99&rate=x&points=a,,9:9,1,2,3&hide=b"


def many_tasks():
    """Return a batch of waves with ten points each, and their amplitudes and phases."""
    rng = np.random.default_rng(0)
    x, amplitude = rng.uniform(-5, 5, (TASKS, 10)), rng.uniform(0.1, 5, TASKS)
    phase = rng.uniform(0, 2 * np.pi, TASKS)
    waves = map(playground.one_wave, x, amplitude, phase)
    return TaskBatch(*map(np.concatenate, zip(*waves))), amplitude, phase


def with_tasks():
    """Return the page with a script that computes the losses of all tasks at all rates."""
    batch, *wave = many_tasks()
    tasks = zip(*(a[..., 0].tolist() for a in batch[:2]), *wave)
    calls = [[*task, rate] for task in tasks for rate in RATES]
    script = """<script>
    parent.postMessage(JSON.stringify(%s.map(([x, y, amplitude, phase, rate]) => {
      const points = x.map((at, i) => ({ x: at, y: y[i] }));
      return Object.values(learn(points, amplitude, phase, rate)).map(learned => learned.losses);
    })), "*");
    </script></body>"""
    return PAGE.replace("</body>", script % json.dumps(calls))


def with_a_wrong_weight():
    at = PAGE.index('"Reptile": "') + 1000
    return PAGE[:at] + ("A" if PAGE[at] != "A" else "B") + PAGE[at + 1 :]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Return what each page says of itself, {name: report}."""
    folder = tmp_path_factory.mktemp("playground")
    pages = {"tasks": with_tasks(), "damaged": with_a_wrong_weight()}
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    frames = {
        "desk": (SHIPPED.as_uri() + "#selftest", 1440),
        "phone": (SHIPPED.as_uri() + "#selftest", 390),
        "link": (SHIPPED.as_uri() + LINK.replace("#", "#selftest&"), 1000),
        "bad link": (SHIPPED.as_uri() + BAD_LINK.replace("#", "#selftest&"), 1000),
        "damaged": ((folder / "damaged.html").as_uri() + "#selftest", 1440),
        "tasks": ((folder / "tasks.html").as_uri(), 1440),
    }
    body = "".join(
        f'<iframe name="{name}" src="{html.escape(address)}" style="width:{width}px;height:900px">'
        "</iframe>"
        for name, (address, width) in frames.items()
    )
    collect = COLLECT.replace("event.data", "[event.source.name, event.data]")
    (folder / "all.html").write_text(collect + body, encoding="utf-8")
    dumped = dump((folder / "all.html").as_uri(), folder)
    found = html.unescape(re.search('<pre id="found">(.*?)</pre>', dumped, re.DOTALL)[1])
    return {name: json.loads(report) for name, report in json.loads(found)}


def in_browser(test):
    return pytest.mark.slow(needs_chromium(test))


def difference(losses, reference):
    """Return the largest relative difference of losses that are finite numbers, of at least one."""
    losses, reference = np.array(losses, float), np.array(reference)
    finite = np.isfinite(losses) & np.isfinite(reference)
    assert finite.any()
    return abs(losses[finite] / reference[finite] - 1).max()


@in_browser
@pytest.mark.parametrize("rate", RATES)
def test_losses_of_20_tasks_and_32_steps_are_tinymetas(said, rate):
    batch, *_ = many_tasks()
    here = np.array(said["tasks"], float)  # null, which was not finite, becomes nan
    here = here.reshape(TASKS, len(RATES), len(NEAR), 33)[:, RATES.index(rate)]
    for i, (name, theta) in enumerate(thetas().items()):
        off = difference(here[:, i].T, playground.losses(name, theta, batch, rate))
        print(f"{name}, rate {rate}: {off:.1e}")
        # at high rates a network is near to exploding, and rounding grows with each step
        assert off < (NEAR[name] if rate == 0.01 else 1e-8)


def difference_of_state(state):
    """Return the largest relative difference of the losses in a state of the page, by network."""
    (amplitude, phase, _, rate), x, off = read(state["address"])
    batch = playground.one_wave(x, amplitude, phase)
    for i, y in off.items():
        batch.y_support[0, i] = y
    return {
        name: difference(state["losses"][name], playground.losses(name, theta, batch, rate)[:, 0])
        for name, theta in thetas().items()
    }


@in_browser
def test_points_are_dragged_added_and_removed_by_mouse_touch_and_keys(said):
    seen = said["desk"]["seen"]
    x, off = EXAMPLE[:3] + [0.5] + EXAMPLE[4:], {3: -4}
    points = {name: read(state["address"])[1:] for name, state in seen.items()}

    def same(name, x, off):
        assert points[name][1].keys() == off.keys()
        assert points[name][0] == pytest.approx(x, abs=1e-4)
        assert [*points[name][1].values()] == pytest.approx([*off.values()], abs=1e-4)

    same("opened", EXAMPLE, {})
    same("dragged", x, off)
    same("added", [*x, 4.5], {**off, 10: 5})
    same("moved by keys", [*x, 4.4], {**off, 10: 5.1})
    same("removed", x, off)
    gap = np.diff(sorted([*x, -5, 5])).max()
    (added,) = {*points["added by the button"][0]} - {*x}
    assert min(abs(added - at) for at in x) == pytest.approx(gap / 2, abs=1e-4)
    same("moved along the wave", [*x, added + 0.1], off)
    same("removed by the button", x, off)
    for state in seen.values():
        assert all(off < 1e-9 for off in difference_of_state(state).values()), state["address"]


@in_browser
def test_the_address_keeps_the_state_and_opens_it_again(said):
    seen = said["desk"]["seen"]
    changed = seen["other settings"]
    assert read(changed["address"])[0] == [3, 1, 20, 0.02]
    assert changed["address"].endswith("&hide=joint")
    assert seen["as it was at first"] == seen["opened"] != changed
    assert seen["read from the address"] == changed
    assert said["link"]["seen"]["opened"]["address"] == LINK
    assert all(
        off < NEAR[n] for n, off in difference_of_state(said["link"]["seen"]["opened"]).items()
    )


@in_browser
def test_an_address_by_a_slip_of_the_hand_opens_what_can_be_read(said):
    opened = said["bad link"]["seen"]["opened"]["address"]
    assert opened == "#amplitude=0.1&phase=1&steps=32&rate=0.01&points=5:6,1,2,3"


@in_browser
def test_the_table_shows_the_losses_of_its_state_and_hidden_curves_are_not_drawn(said):
    head, *rows = said["desk"]["text"]
    losses = said["desk"]["seen"]["read from the address"]["losses"]
    assert head[1:] == ["0", "1", "20", "32"] and len(rows) == 5
    for name, *cells in rows:
        assert [float(cell) for cell in cells] == pytest.approx(
            [losses[name][step] for step in (0, 1, 20, 32)], abs=0.0051, rel=0
        )
    assert said["desk"]["curves"] == 5  # the wave and four of five


@in_browser
def test_the_page_fits_a_phone_and_a_desk(said):
    assert [said[name]["width"] for name in ("phone", "desk")] == [390, 1440]
    assert said["phone"]["wider"] <= 0 and said["desk"]["wider"] <= 0


@in_browser
def test_the_page_proves_itself(said):
    assert said["desk"]["checked"].startswith("Checked")
    off = said["desk"]["off"]
    assert off.keys() == NEAR.keys() and off.pop("ridge head") < 1e-8 and max(off.values()) < 1e-11


@in_browser
def test_one_wrong_weight_is_seen_by_the_proof(said):
    assert said["damaged"]["checked"].startswith("WRONG")
    off = said["damaged"]["off"]
    assert off["Reptile"] > 1e-9 > off["MAML"]
