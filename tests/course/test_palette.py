"""The colours of the figures: they have enough contrast on white, and colour-blind readers can tell
them apart.

Contrast: WCAG 2.1, success criteria 1.4.11 (3 for lines) and 1.4.3 (3 for large type, 4.5 for
small). Colour blindness: the matrices of Machado, Oliveira & Fernandes (2009) at severity 1, on
linear RGB. Distance: CIEDE2000 (Sharma, Wu & Dalal 2005) in CIELAB, because plain Euclidean
distance in CIELAB overrates differences of saturated colours; below about 2 nobody sees a
difference."""

import itertools

import numpy as np
import pytest
from matplotlib import rc_context

from tinymeta.course.style import (
    BLACK,
    BLUE,
    GREEN,
    INK,
    METHODS,
    ORANGE,
    PINK,
    label_ends,
    new_figure,
    plot_line,
    save,
    use,
)  # fmt: skip

COLOURS = {"black": BLACK, "blue": BLUE, "orange": ORANGE, "green": GREEN, "pink": PINK}
WHITE, GREY = "#FFFFFF", "#666666"  # grey is the colour of labels such as "true sine"
EYES = {
    "all three cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
APART = 10  # the least distance by CIEDE2000 of two lines that are not side by side


def linear(colour):
    """Return the linear RGB of an sRGB colour "#RRGGBB"."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(colour, ground=WHITE):
    light, dark = sorted(
        (linear(c) @ [0.2126, 0.7152, 0.0722] for c in (colour, ground)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def seen(colour, eyes):
    """Return the CIELAB coordinates (white: D65) of a colour as these eyes see it."""
    rgb = np.clip(np.array(EYES[eyes]) @ linear(colour), 0, 1)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    ratio = to_xyz @ rgb / to_xyz.sum(axis=1)
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def ciede2000(first, second):
    """Return the distance of two colours (L, a, b), in the steps and names of Sharma et al."""
    (L1, a1, b1), (L2, a2, b2) = first, second
    C7 = np.mean([np.hypot(a1, b1), np.hypot(a2, b2)]) ** 7
    G = 0.5 * (1 - np.sqrt(C7 / (C7 + 25**7)))
    a1, a2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = C1 * C2 == 0
    dh = 0 if grey else (h2 - h1 + 180) % 360 - 180
    dL, dC, dH = L2 - L1, C2 - C1, 2 * np.sqrt(C1 * C2) * np.sin(np.radians(dh / 2))
    L, C = (L1 + L2) / 2, (C1 + C2) / 2
    h = h1 + h2 if grey else h1 + dh / 2
    T = 1 + sum(
        f * np.cos(np.radians(n * h + s))
        for f, n, s in ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    )
    SL, SC, SH = (
        1 + 0.015 * (L - 50) ** 2 / np.sqrt(20 + (L - 50) ** 2),
        1 + 0.045 * C,
        1 + 0.015 * C * T,
    )
    RT = (
        -2
        * np.sqrt(C**7 / (C**7 + 25**7))
        * np.sin(np.radians(60 * np.exp(-((((h % 360) - 275) / 25) ** 2))))
    )
    return np.sqrt((dL / SL) ** 2 + (dC / SC) ** 2 + (dH / SH) ** 2 + RT * (dC / SC) * (dH / SH))


def distance(one, other, eyes):
    return ciede2000(seen(one, eyes), seen(other, eyes))


@pytest.mark.parametrize("name", COLOURS)
def test_a_line_has_a_contrast_of_at_least_3_on_white(name):
    assert contrast(COLOURS[name]) >= 3  # pink is the closest, 3.06


def test_text_in_a_curves_colour_has_the_contrast_of_small_type():
    """Black, blue and grey have it; orange, green and pink have a darker one for text."""
    colours = {**COLOURS, "grey": GREY}
    ratios = {name: contrast(INK.get(colour, colour)) for name, colour in colours.items()}
    assert all(ratio >= 4.5 for ratio in ratios.values())
    assert all(contrast(colour) < 4.5 for colour in INK)


@pytest.mark.parametrize("eyes", EYES)
def test_text_is_nearest_to_the_colour_of_its_own_curve(eyes):
    for colour, dark in INK.items():
        nearest = min(COLOURS.values(), key=lambda one: distance(one, dark, eyes))
        assert nearest == colour


def test_a_saved_figure_has_its_text_in_the_darker_colours(tmp_path):
    figure, ax = new_figure()
    label_ends(ax, [plot_line(ax, np.arange(3), np.arange(3.0), "Reptile", **METHODS["Reptile"])])
    title = ax.set_title("black", color="0.1")
    for file_format in ("png", "svg"):
        with rc_context():
            use(slides=None if file_format == "png" else file_format)
            save(figure, tmp_path / f"figure.{file_format}")
            use()
        (label,) = ax.texts
        assert (label.get_color(), ax.lines[0].get_color()) == (INK[GREEN], GREEN)
        assert title.get_color() == "0.1"
        label.set_color(GREEN)


def test_contrast_agrees_with_the_guidelines_examples():
    assert contrast("#000000") == pytest.approx(21) and contrast(WHITE) == 1
    assert contrast("#777777") == pytest.approx(4.48, abs=0.005) and contrast(
        "#767676"
    ) == pytest.approx(4.54, abs=0.005)
    assert contrast("#FFD700") < 3  # a yellow line: too faint


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("one, other", [*itertools.combinations(COLOURS, 2)])
def test_two_colours_are_distinguishable_for_all_eyes(one, other, eyes):
    # the closest: blue and pink under protanopia, 12.2
    assert distance(COLOURS[one], COLOURS[other], eyes) >= APART


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("name", COLOURS)
def test_a_colour_is_distinguishable_from_the_grey_of_the_true_function(name, eyes):
    assert distance(COLOURS[name], GREY, eyes) >= APART


def test_matplotlibs_red_and_green_would_be_rejected():
    """Reject a negative control: deuteranopic readers see these two colours as nearly the same."""
    red, green = "#d62728", "#2ca02c"
    assert distance(red, green, "all three cones") > 60
    assert distance(red, green, "deuteranopia") < APART / 2


@pytest.mark.parametrize("eyes", EYES)
def test_white_and_greys_look_the_same_to_all_eyes(eyes):
    """Find wrong digits in the matrices, whose rows sum to 1: a wrong digit would tint white."""
    for colour in (WHITE, "#808080", BLACK):
        assert np.allclose(seen(colour, eyes), seen(colour, "all three cones"), atol=0.01)


@pytest.mark.parametrize(
    "first, second, published",
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_agrees_with_published_values(first, second, published):
    """Compare with pairs from the test data of Sharma, Wu & Dalal (2005), table 1."""
    assert ciede2000(first, second) == pytest.approx(published, abs=1e-4)
    assert ciede2000(second, first) == pytest.approx(published, abs=1e-4)


def test_line_styles_differ_because_two_colours_are_the_same_grey_in_print():
    lightness = sorted(seen(colour, "all three cones")[0] for colour in COLOURS.values())
    assert min(np.diff(lightness)) < 5
    colours, styles = zip(*((look["color"], look["linestyle"]) for look in METHODS.values()))
    assert len(set(colours)) == len(set(styles)) == len(METHODS)
