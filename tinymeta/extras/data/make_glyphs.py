"""Make glyphs.npz, beside this file: the letters of DejaVu Sans, a font that is part of matplotlib,
as clean bitmaps of 20 x 20 pixels.

    python tinymeta/extras/data/make_glyphs.py [FILE.npz]

Each letter is drawn large, cut out, and scaled (by averaging over areas) until its longer side
fills 16 of the 20 pixels; 16 levels of grey are kept. A letter is left out if it looks like an
earlier one (their pixels have a correlation of 0.85 or more), as Cyrillic A looks like Latin A. The
outlines differ a little between versions of matplotlib, so the file is part of the package.
"""

import sys
import unicodedata
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

SIZE, INNER = 20, 16  # pixels of a bitmap, and of a letter's longer side
TOO_ALIKE = 0.85
# Unicode's categories of letters, without modifiers, which are small copies, dots and strokes
KINDS = ("Lu", "Ll", "Lt", "Lo")
# the first word of a letter's Unicode name, and the name of its alphabet here; letters whose names
# begin with another word, such as MATHEMATICAL, are left out
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


def letters():
    """Yield the code point, alphabet and bitmap of each letter that looks like no earlier one."""
    font = FT2Font(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    font.set_size(200, 72)
    kept = np.empty((0, SIZE * SIZE))
    for code in sorted(font.get_charmap()):
        letter = chr(code)
        alphabet = ALPHABETS.get(unicodedata.name(letter, "").partition(" ")[0])
        if (
            not alphabet
            or unicodedata.category(letter) not in KINDS
            or (image := bitmap(font, letter)) is None
        ):
            continue
        look = image.ravel() - image.mean()
        look /= np.linalg.norm(look)
        if (kept @ look < TOO_ALIKE).all():
            kept = np.vstack((kept, look))
            yield code, alphabet, image


def main():
    code_points, alphabets, images = (np.array(column) for column in zip(*letters()))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("glyphs.npz")
    np.savez_compressed(path, code_points=code_points, alphabets=alphabets, images=images)
    print(f"{path}: {len(images)} letters, {path.stat().st_size / 1000:.0f} kB")
    print(", ".join(f"{name} {n}" for name, n in zip(*np.unique(alphabets, return_counts=True))))


if __name__ == "__main__":
    main()
