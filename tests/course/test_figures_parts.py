"""What figures are made of: labels, parts that are redrawn alone, files."""

import numpy as np
from drawn import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    check_labels,
    read_labels,
    same,
)
from matplotlib.colors import to_hex

from tinymeta import TaskBatch
from tinymeta.course import figures, style

# Labels


def labelled(gap=None, ends=((4.0, "high", BLUE), (-3.0, "low", GREEN), (2.0, "middle", PINK))):
    _, ax = style.new_figure()
    ax.set(xlim=(0, 2), ylim=(-5, 5))
    style.label_ends(ax, [*ends], **({} if gap is None else {"gap": gap}))
    return read_labels(ax)


def test_labels_far_apart_are_at_the_ends_of_their_curves():
    check_labels(labelled(), {"high": (4.0, BLUE), "low": (-3.0, GREEN), "middle": (2.0, PINK)})


def test_labels_too_close_are_moved_apart_equally_and_keep_their_order():
    close = ((1.1, "above", BLUE), (1.0, "below", ORANGE), (-4.0, "far", PINK))
    for gap in (None, 0.2):
        apart = 10 * (gap or 0.075) / 2
        wanted = {
            "above": (1.05 + apart, BLUE),
            "below": (1.05 - apart, ORANGE),
            "far": (-4.0, PINK),
        }
        check_labels(labelled(gap, close), wanted)


def test_labels_of_curves_that_leave_the_axes_stay_at_their_edge():
    check_labels(
        labelled(ends=((7.0, "up", BLUE), (-90.0, "down", PINK))),
        {"up": (5, BLUE), "down": (-5, PINK)},
    )
    both = labelled(ends=((-7.0, "down", BLUE), (-8.0, "further", PINK)))
    check_labels(both, {"further": (-5, PINK), "down": (-4.25, BLUE)})
    both = labelled(ends=((7.0, "up", BLUE), (8.0, "further", PINK)))
    check_labels(both, {"further": (5, PINK), "up": (4.25, BLUE)})


def test_label_end_is_to_the_right_of_the_axes():
    _, ax = style.new_figure()
    label = style.label_end(ax, 0.3, "here", ORANGE)
    assert (label.get_text(), label.xy, label.xyann) == ("here", (1.0, 0.3), (5, 0))
    assert (label.xycoords, label.anncoords, label.get_va()) == (
        "axes fraction",
        "offset points",
        "center",
    )
    assert to_hex(label.get_color()) == ORANGE and label.get_annotation_clip() is False


def test_labels_of_small_panels_are_further_apart():
    values = {"MAML": np.full((2, 3), 0.5), "random": np.full((2, 3), 0.51)}
    ax = figures.plot_band_panels([1, 2, 3], {"panel": values}, "", "").axes[0]
    middle, half = 0.505, 0.095 / 2
    check_labels(read_labels(ax), {"MAML": (middle - half, BLUE), "random": (middle + half, BLACK)})
    x = np.array([[[0.0], [1.0]]])
    task, out = TaskBatch(x, x, x, 0 * x + 5), np.ones((2, 1))
    ax = figures.plot_gallery({"panel": (task, -out, -1.1 * out)}).axes[0]
    middle, half = -1.05, 0.12 * 22 / 2
    labels = {"after": (middle - half, BLUE), "before": (middle + half, PINK), "true": (5, GREY)}
    check_labels(read_labels(ax), labels)


# Files


def changing_figure():
    """Return a figure with two lines, and that line which the test changes."""
    figure, ax = style.new_figure(2, 2)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.plot([0, 1], [0.9, 0.2], color=BLUE)
    (line,) = ax.plot([0.2, 0.5, 0.8], [0.1, 0.6, 0.2], color=ORANGE)
    return figure, line


def test_an_animation_has_one_picture_per_frame_in_order(tmp_path):
    figure, line = changing_figure()
    seen, size = [], []

    def draw(frame):
        seen.append(frame)
        size.append(tuple(figure.axes[0].get_position().bounds))
        line.set_ydata([frame / 10, 0.5, 0.2])

    assert style.save_animation(figure, draw, [3, 1, 7], tmp_path / "it.gif") == tmp_path / "it.gif"
    data = (tmp_path / "it.gif").read_bytes()
    figure.set_layout_engine("constrained")
    figure.draw_without_rendering()
    same(
        size[0], figure.axes[0].get_position().bounds
    )  # the layout is computed before the first picture
    assert seen == [3, 1, 7] and data.startswith(b"GIF89a") and len(set(size)) == 1
    controls = [data[i + 4 : i + 6] for i in range(len(data)) if data[i : i + 3] == b"!\xf9\x04"]
    assert [int.from_bytes(delay, "little") for delay in controls] == [
        12
    ] * 3  # hundredths of a second
    assert int.from_bytes(data[6:8], "little") == 150  # 2 inches of 75 dots


def test_new_figure_has_the_axes_and_size_requested():
    figure, axes = style.new_figure(5, 4, columns=3, rows=2, sharey=True)
    assert axes.shape == (2, 3) and [*figure.get_size_inches()] == [5, 4]
    assert axes[0, 0].get_shared_y_axes().joined(axes[0, 0], axes[1, 2])
    assert not axes[0, 0].get_shared_x_axes().joined(axes[0, 0], axes[1, 2])
    figure, ax = style.new_figure()
    assert [*figure.get_size_inches()] == [6.4, 3.6] and figure.axes == [ax]
    assert not ax.spines["top"].get_visible() and ax.title.get_fontsize() == 10


def test_a_notebook_shows_a_figure_as_a_picture(tmp_path):
    figure, line = changing_figure()
    shown = figure._repr_png_()
    style.save(figure, tmp_path / "saved.png")
    assert shown == (tmp_path / "saved.png").read_bytes() and shown.startswith(b"\x89PNG\r\n\x1a\n")
    line.set_ydata([0.8, 0.3, 0.7])
    assert figure._repr_png_() != shown


def test_a_figure_with_a_window_is_pyplots_and_shown_by_it_alone(monkeypatch):
    """In a notebook that has pyplot's own way to show figures it would be shown twice."""
    from matplotlib import pyplot

    pyplot.switch_backend("agg")  # needs no screen
    monkeypatch.setitem(style._mode, "windows", True)
    figure, ax = style.new_figure(5, 4)
    assert pyplot.fignum_exists(figure.number) and [*figure.get_size_inches()] == [5, 4]
    assert figure.axes == [ax] and not hasattr(figure, "_repr_png_")
    pyplot.close(figure)
    monkeypatch.undo()
    style.new_figure()
    assert not pyplot.get_fignums()
