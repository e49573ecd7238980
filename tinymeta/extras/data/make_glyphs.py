"""Make glyphs.npz, beside this file: letters of DejaVu Sans, a font that is part of matplotlib, as
clean bitmaps of 20 x 20 pixels. It takes some minutes, which the search for twins needs.

    python tinymeta/extras/data/make_glyphs.py [FILE.npz]

Each letter is drawn large, cut out, and scaled (by averaging over areas) until its longer side
fills 16 of the 20 pixels; 16 levels of grey are kept. Left out are

- variants: letters that Unicode's compatible normal form (NFKC) replaces by others, such as the
  forms of Arabic letters within a word, mathematical letters and typographic ligatures; and those
  whose names say that they are initial, medial or final forms, as five of Hebrew are;
- twins: letters of which too many drawings are taken for those of a letter that is kept. Letters
  of the test split are kept first, then those of the validation split, in the order of their code
  points, so that no letter of another alphabet stands in for one that is held out.

The outlines differ a little between versions of matplotlib, so the file is part of the package.
"""

import functools
import sys
import unicodedata
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

from tinymeta.extras.glyphs import SPLITS, displace, enlarge

SIZE, INNER = 20, 16  # pixels of a bitmap, and of a letter's longer side
# pairs whose clean bitmaps have a smaller correlation than NEAR under all shifts are told apart;
# the others are drawn, and the share told apart has to be TOLD_APART, a little more than is said of
# the letters, since it is measured on DRAWINGS of each
NEAR, TOLD_APART, DRAWINGS = 0.5, 0.93, 400
# Unicode's categories of letters, without modifiers, which are small copies, dots and strokes
KINDS = ("Lu", "Ll", "Lt", "Lo")
# words in the names of forms within a word that NFKC leaves as they are
FORMS = {"INITIAL", "MEDIAL", "FINAL"}
# the first word of a letter's Unicode name, and the name of its alphabet here; letters whose names
# begin with another word are left out
ALPHABETS = {
    "LATIN": "Latin",
    "CANADIAN": "Canadian syllabics",
    "CYRILLIC": "Cyrillic",
    "GREEK": "Greek",
    "OLD": "Old Italic",
    "GEORGIAN": "Georgian",
    "NKO": "N'Ko",
    "OGHAM": "Ogham",
    "ARABIC": "Arabic",
    "ARMENIAN": "Armenian",
    "HEBREW": "Hebrew",
    "LAO": "Lao",
    "TIFINAGH": "Tifinagh",
}
ORDER = [alphabet for split in ("test", "validation", "train") for alphabet in SPLITS[split]]


def averages(n_out, n_in):
    """Return the matrix (n_out, n_in) whose rows are means over n_out equal intervals of the input;
    a pixel on a border counts in proportion for both."""
    edges = np.arange(n_out + 1) * n_in / n_out
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(n_in)
    return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None) / (high - low)


def bitmap(font, letter):
    """Return the letter as (SIZE, SIZE) bytes, or None if the font draws nothing for it."""
    font.set_text(letter)
    font.draw_glyphs_to_bitmap(antialiased=True)
    drawn = np.asarray(font.get_image(), float)
    if not drawn.any():
        return None
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    drawn = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(2, round(INNER * n / max(drawn.shape))) for n in drawn.shape)
    small = averages(height, drawn.shape[0]) @ drawn @ averages(width, drawn.shape[1]).T
    square = np.zeros((SIZE, SIZE))
    top, left = (SIZE - height) // 2, (SIZE - width) // 2
    square[top : top + height, left : left + width] = small
    return (np.round(square / 17) * 17).astype(np.uint8)


def is_variant(letter):
    """Return whether a letter is a form of another one, or of several."""
    words = unicodedata.name(letter).split()
    return unicodedata.normalize("NFKC", letter) != letter or bool(FORMS & {*words})


def letters():
    """Yield the code point, alphabet and bitmap of each letter that is no variant."""
    font = FT2Font(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    font.set_size(200, 72)
    for code in sorted(font.get_charmap()):
        letter = chr(code)
        alphabet = ALPHABETS.get(unicodedata.name(letter, "").partition(" ")[0])
        if (
            alphabet
            and unicodedata.category(letter) in KINDS
            and not is_variant(letter)
            and (image := bitmap(font, letter)) is not None
        ):
            yield code, alphabet, image


def likeness(images, others, reach=2):
    """Return the largest correlations (A, B) of images (A, n, n) with others (B, n, n), where an
    image is shifted by at most `reach` pixels in both directions."""

    def looks(images):
        flat = images.reshape(len(images), -1).astype(np.float32)
        flat -= flat.mean(axis=1, keepdims=True)
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    shifts = range(-reach, reach + 1)
    shifted = (np.roll(images, (down, right), (1, 2)) for down in shifts for right in shifts)
    others = looks(others).T
    return functools.reduce(np.maximum, (looks(images) @ others for images in shifted))


def drawings(image, seed):
    """Return known and new drawings (DRAWINGS, 196) of one letter, and how far the new ones are
    from the known ones."""
    rows = np.zeros((2, DRAWINGS), int)
    known, new = displace(np.random.default_rng(seed), enlarge(image[None]), rows)
    return known, new, distances(new, known)


def distances(drawings, known):
    """Return each drawing's squared distance (n,) from the nearest of the known ones, less its own
    squared length."""
    return ((known**2).sum(axis=1) - 2 * drawings @ known.T).min(axis=1)


def told_apart(one, other):
    """Return the share of new drawings whose nearest neighbour among the known ones is of the same
    letter, for the `drawings` of two letters."""
    right = [
        own < distances(new, wrong) for (_, new, own), (wrong, *_) in ((one, other), (other, one))
    ]
    return np.mean(right)


def without_twins(images, seeds):
    """Return the indices of the images (C, n, n) that are told apart from all those kept before
    them; `seeds` are those of the drawings of each."""
    near = likeness(images, images)
    near = np.maximum(near, near.T)
    kept = {}  # the drawings of each
    for i, (image, seed) in enumerate(zip(images, seeds)):
        drawn = drawings(image, seed)
        rivals = sorted((j for j in kept if near[i, j] >= NEAR), key=lambda j: -near[i, j])
        if all(told_apart(drawn, kept[j]) >= TOLD_APART for j in rivals):
            kept[i] = drawn
    return np.array([*kept])


def main():
    found = sorted(letters(), key=lambda found: ORDER.index(found[1]))
    code_points, alphabets, images = (np.array(column) for column in zip(*found))
    kept = without_twins(images, code_points)
    kept = kept[code_points[kept].argsort()]
    code_points, alphabets, images = (column[kept] for column in (code_points, alphabets, images))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("glyphs.npz")
    np.savez_compressed(path, code_points=code_points, alphabets=alphabets, images=images)
    print(f"{path}: {len(images)} letters, {path.stat().st_size / 1000:.0f} kB")
    for split, names in SPLITS.items():
        each = ", ".join(f"{name} {(alphabets == name).sum()}" for name in names)
        print(f"{split:10s} {np.isin(alphabets, names).sum():4d}: {each}")


if __name__ == "__main__":
    main()
