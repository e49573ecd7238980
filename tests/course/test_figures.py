"""The contents of the other figures: the plane of two weights, bars, images; and the looks and
sizes of all (how they are read: drawn.py)."""

import numpy as np
import pytest
from drawn import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LOOKS,
    ORANGE,
    TRUTH,
    check,
    curve,
    dots,
    network,
    one_task,
    read,
    same,
    ticks,
)
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage

from tinymeta.course import figures, style

# The look of lines


def test_each_method_has_its_own_look():
    looks = {name: (to_hex(m["color"]), m["linestyle"]) for name, m in style.METHODS.items()}
    assert looks == LOOKS


# The plane of two weights

SOLUTIONS = {
    "task 1": np.array([[-2.0, 1.0], [-0.5, 0.7], [1.5, -0.4]]),
    "task 2": np.array([[2.0, 2.2], [0.0, 1.0], [-1.2, 0.3]]),
}
PATHS = {
    "MAML": np.array([[0.1, 0.2], [0.5, 0.1], [0.9, 0.8], [1.3, 0.6]]),
    "Reptile": np.array([[0.1, 0.2], [-0.3, 0.4], [-0.9, 1.1], [-0.7, 1.9]]),
    "joint": np.array([[0.1, 0.2], [0.0, -0.3], [0.2, -0.5], [-0.4, -1.4]]),
}


def check_texts(ax, wanted):
    """Assert the annotations at places in the data: (text, xy, offset, ha, va, colour) of each."""
    for text, (words, xy, offset, ha, va, colour) in zip(ax.texts, wanted):
        assert (text.get_text(), text.xyann, text.get_ha(), text.get_va()) == (
            words,
            offset,
            ha,
            va,
        )
        assert to_hex(text.get_color()) == colour and (text.xycoords, text.anncoords) == (
            "data",
            "offset points",
        )
        same(text.xy, xy)
    assert len(ax.texts) == len(wanted)


def test_plane_draws_solutions_paths_and_the_start():
    figure, paths, ends = figures.plot_plane(SOLUTIONS, PATHS, "plane", limit=2.5)
    (ax,) = figure.axes
    looks = {method: LOOKS[method] for method in PATHS}
    drawn = [curve(*points.T, TRUTH) for points in SOLUTIONS.values()]
    drawn += [curve(*path.T, *looks[method]) for method, path in PATHS.items()]
    names = {
        "title": "plane",
        "xlabel": "w1",
        "ylabel": "w2",
        "xlim": (-2.5, 2.5),
        "ylim": (-2.5, 2.5),
    }
    check(ax, [*drawn, dots(0.1, 0.2, BLACK, "s")], **names)
    texts = [
        ("task 1", (1.5, -0.4), (0, 6), "right", "baseline", GREY),  # towards the middle
        ("task 2", (-1.2, 0.3), (0, 6), "left", "baseline", GREY),
        ("MAML", (1.3, 0.6), (-12, -18), "right", "center", BLUE),
        ("Reptile", (-0.7, 1.9), (12, 18), "left", "center", GREEN),
        ("joint", (-0.4, -1.4), (-12, -18), "right", "center", GREY),
        ("start", (0.1, 0.2), (7, 0), "left", "center", BLACK),
    ]
    check_texts(ax, texts)
    assert ax.get_aspect() in (1, "equal")
    assert [*paths] == [*ends] == [*PATHS]
    assert [*paths.values()] == ax.lines[2:5] and [*ends.values()] == ax.texts[2:5]
    assert all(to_hex(end.get_bbox_patch().get_facecolor()) == "#ffffff" for end in ends.values())
    assert figures.plot_plane(SOLUTIONS, PATHS, "plane")[0].axes[0].get_xlim() == (-2.6, 2.6)


def test_animate_plane_draws_each_path_up_to_its_step(monkeypatch):
    given = []
    monkeypatch.setattr(
        figures, "save_animation", lambda *arguments: given.append(arguments) or "saved"
    )
    assert figures.animate_plane(SOLUTIONS, PATHS, [0, 2, 3], "where") == "saved"
    ((figure, draw, frames, path),) = given
    assert frames == [0, 2, 3, *[3] * 8] and path == "where"  # the last picture is held
    (ax,) = figure.axes
    for n in (2, 0, 3):
        draw(n)
        for line, text, points in zip(ax.lines[2:5], ax.texts[2:5], PATHS.values()):
            same(read(line)[0], [[point[i] for point in points[: n + 1]] for i in (0, 1)])
            same(text.xy, points[n])
        assert ax.get_title(loc="left") == f"Two tasks, two curves of good weights: step {n}"


# Bars and images


def test_bars_draws_one_group_per_part_and_a_number_on_each_bar():
    values = {
        "free": {"W1": 0.0123, "b1": 0.2, "W2": 0.05},
        "kept": {"W1": 0.3, "b1": 0.0456, "W2": 0.111},
    }
    (ax,) = figures.plot_bars(values, "rates", "rate").axes
    written = [["0.012", "0.2", "0.05"], ["0.3", "0.046", "0.11"]]
    looks = [(BLUE, ""), (ORANGE, "//")]
    assert len(ax.containers) == 2
    texts = iter(ax.texts)
    for i, (drawn, (label, numbers), (colour, hatch)) in enumerate(
        zip(ax.containers, values.items(), looks)
    ):
        middles, heights = np.arange(3) + (-0.2, 0.2)[i], [*numbers.values()]
        same([bar.get_x() + bar.get_width() / 2 for bar in drawn], middles)
        same([bar.get_height() for bar in drawn], heights)
        same([(bar.get_y(), bar.get_width()) for bar in drawn], [(0, 0.36)] * 3)
        for bar in drawn:
            looks_of_it = (
                to_hex(bar.get_facecolor()),
                bar.get_hatch() or "",
                to_hex(bar.get_edgecolor()),
            )
            assert looks_of_it == (colour, hatch, "#ffffff")
        for middle, height, words in zip(middles, heights, written[i]):
            text = next(texts)
            assert text.get_text() == words
            same(text.xy, (middle, height))
        text = next(texts)
        assert (text.get_text(), to_hex(text.get_color()), text.xycoords) == (
            label,
            colour,
            "axes fraction",
        )
        same(text.xy, (0.02, (0.94, 0.87)[i]))
    assert not [*texts]
    assert ticks(ax.xaxis) == ([0, 1, 2], ["W1", "b1", "W2"])
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("rates", "", "rate")
    assert ax.margins()[1] == 0.3


def check_image(ax, wanted):
    (image,) = (child for child in ax.get_children() if isinstance(child, AxesImage))
    same(image.get_array(), wanted)
    assert image.get_clim() == (0, 1) and image.get_cmap().name == "gray"
    assert (
        image.get_interpolation() == "nearest" and not ax.get_frame_on() and not [*ax.get_xticks()]
    )
    assert not any(line.get_visible() for line in [*ax.get_xgridlines(), *ax.get_ygridlines()])
    rows, columns = np.shape(wanted)
    assert tuple(image.get_extent()) == (
        -0.5,
        columns - 0.5,
        rows - 0.5,
        -0.5,
    )  # the first row on top


def side_by_side(rows):
    """Return images (n, m, h, w) dark on light, each at its place, two light pixels apart."""
    n, m, h, w = rows.shape
    picture = np.ones((n * (h + 2), m * (w + 2)))
    for i, j, y, x in np.ndindex(rows.shape):
        picture[i * (h + 2) + 1 + y, j * (w + 2) + 1 + x] = 1 - rows[i, j, y, x]
    return picture


def test_tile_puts_every_image_in_its_place():
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    same(figures.tile(images), side_by_side(images))


def test_show_image_draws_an_image_without_axes():
    image = np.random.default_rng(0).random((3, 4))
    _, ax = style.new_figure()
    figures.show_image(ax, image)
    check_image(ax, image)
    assert not [*ax.get_yticks()]


def test_alphabets_draws_letters_left_and_drawings_right_in_one_row_per_alphabet():
    rng = np.random.default_rng(0)
    rows = {
        name: (rng.random((4, 3, 3)), rng.random((2, 3, 3)))
        for name in ("Latin", "Greek", "Cyrillic")
    }
    left, right = figures.plot_alphabets(rows).axes
    check_image(left, side_by_side(np.array([letters for letters, _ in rows.values()])))
    check_image(right, side_by_side(np.array([drawings for _, drawings in rows.values()])))
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == (
        "letters",
        "drawings of one of them",
    )
    assert ticks(left.yaxis) == ([2.5, 7.5, 12.5], [*rows]) and not [*right.get_yticks()]
    assert left.get_gridspec().get_width_ratios() == [4, 2]
    assert {tick.tick1line.get_markersize() for tick in left.yaxis.get_major_ticks()} == {0}


@pytest.mark.parametrize("most, shown", [(2, 2), (5, 3)])
def test_episode_draws_each_letters_support_and_query_with_the_predicted_labels(most, shown):
    rng = np.random.default_rng(0)
    support, query = rng.random((2, 3, 4, 4)), rng.random((2, 3, 4, 4))
    before, after = np.array([[0, 2, 1], [2, 0, 0]]), np.array([[0, 0, 2], [1, 1, 2]])
    figure = figures.plot_episode(support, query, before, after, most)
    titles = [["1 > 1", "3 > 2 wrong"], ["3 > 1 wrong", "1 > 2"], ["2 > 3", "1 > 3"]]
    colours = [[BLUE, ORANGE], [ORANGE, BLUE], [BLUE, BLUE]]
    rows = np.array(figure.axes).reshape(shown, 3)
    for way, (first, *others) in enumerate(rows):
        check_image(first, 1 - support[0, way])
        above = "" if way else "support"
        assert (first.get_ylabel(), first.get_title()) == (str(way + 1), above)
        assert first.yaxis.label.get_rotation() == 0
        for n, ax in enumerate(others):
            check_image(ax, 1 - query[n, way])
            assert (ax.get_title(), ax.get_ylabel()) == (titles[way][n], "")
            assert to_hex(ax.title.get_color()) == colours[way][n]
    (below,) = figure.texts
    assert below.get_text() == "query drawings: the number given before > after adaptation"
    titles = [ax.title for ax in figure.axes if ax.get_title()]
    assert {text.get_fontsize() for text in (below, *titles)} == {7.5}


def test_episode_shows_five_letters_by_default():
    images, answers = np.zeros((1, 6, 2, 2)), np.zeros((1, 6), int)
    assert len(figures.plot_episode(images, images, answers, answers).axes) == 5 * 2


# The size of a figure, in inches: panels keep theirs however many there are


@pytest.fixture(scope="module")
def sized():
    """Return {name: (figure, width, height)} of figures with several panels."""
    model, theta = network()
    tasks = {f"task {n}": one_task(n) for n in range(4)}
    one, ten = np.ones((50, 1)), np.linspace(1.0, 10.0, 10)
    gallery = {title: (task, *2 * [one[: task.x_query.shape[1]]]) for title, task in tasks.items()}
    panels = {title: {"MAML": np.ones((2, 10))} for title in "abc"}
    letters = np.zeros((3, 4, 20, 20))
    alphabets = {f"alphabet {n}": (letters[n], letters[n]) for n in range(3)}
    labels = np.zeros((2, 3), int)
    episode = figures.plot_episode(np.zeros((1, 3, 9, 9)), np.zeros((2, 3, 9, 9)), labels, labels)
    sides = {title: (ten, ten) for title in "ab"}
    slopes = {title: {"MAML": ten} for title in "ab"}
    return {
        "two tasks": (
            figures.plot_adaptation(model, theta, dict([*tasks.items()][:2]), 0.1),
            8.8,
            3.4,
        ),
        "four of a gallery": (figures.plot_gallery(gallery), 10.8, 5.0),
        "three bands": (figures.plot_band_panels(ten, panels, "x", "y"), 8.0, 5.8),
        "two sides": (figures.plot_either_side(sides, 2, "x", "y"), 8.4, 3.4),
        "three alphabets": (figures.plot_alphabets(alphabets), 8.4, 1.48),
        "an episode": (episode, 4.05, 3.55),
        "remainders": (figures.plot_remainders(ten, slopes, "y"), 9.6, 3.6),
    }


def test_figures_grow_with_the_number_of_their_panels(sized):
    for name, (figure, width, height) in sized.items():
        assert figure.get_size_inches().tolist() == pytest.approx([width, height]), name
        assert all(ax.get_subplotspec() is not None for ax in figure.axes)


def test_sides_share_both_axes_and_bands_too(sized):
    for name in ("two sides", "three bands"):
        first, *others = sized[name][0].axes
        for ax in others:
            assert first.get_shared_x_axes().joined(first, ax)
            assert first.get_shared_y_axes().joined(first, ax)
