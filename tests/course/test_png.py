"""Pictures with a palette: what is written is what matplotlib reads, in fewer colours."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from tinymeta.course import png, style


def read(data):
    return np.round(imread(io.BytesIO(data), format="png")[..., :3] * 255).astype(np.uint8)


def test_a_picture_of_few_colours_is_unchanged():
    pixels = np.random.default_rng(0).integers(0, 5, (17, 30, 3)).astype(np.uint8) * 50
    pixels = pixels[:, :, [0, 0, 1]]  # at most 25 colours
    np.testing.assert_array_equal(read(png.encode(pixels)), pixels)


def test_a_picture_of_many_colours_gets_at_most_128_of_its_own_close_to_each():
    x, y = np.meshgrid(np.arange(200), np.arange(150))
    pixels = np.stack([x, y + 50, np.full_like(x, 9)], axis=-1).astype(np.uint8)
    got = read(png.encode(pixels))
    colours, kept = (np.unique(a.reshape(-1, 3), axis=0) for a in (pixels, got))
    assert len(colours) == 30_000 and 100 < len(kept) <= 128
    assert set(map(tuple, kept)) <= set(map(tuple, colours))
    assert np.abs(got.astype(int) - pixels).mean() < 30


def test_the_most_frequent_colours_stay_exactly_as_they_are():
    rng = np.random.default_rng(1)
    pixels = np.full((100, 100, 3), 255, np.uint8)
    pixels[:50] = (0, 114, 178)
    pixels[0, :] = rng.integers(0, 256, (100, 3))
    pixels[1, :] = rng.integers(0, 256, (100, 3))
    got = read(png.encode(pixels))
    np.testing.assert_array_equal(got[2:], pixels[2:])
    assert (got[:2] != pixels[:2]).any()  # there are more than 128: some had to change


@pytest.mark.parametrize("size", [(6.4, 3.6), (3.21, 2.07), (899.99 / 120, 5.65)])
def test_a_figure_is_as_large_as_matplotlib_makes_it(size, tmp_path):
    figure, ax = style.new_figure(*size)
    ax.plot([0, 1], [1, 0])
    style.save(figure, tmp_path / "own.png")
    other = io.BytesIO()
    figure.savefig(other, format="png", dpi=style.PAGE["savefig.dpi"])
    ours, theirs = read((tmp_path / "own.png").read_bytes()), read(other.getvalue())
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).mean() < 2
