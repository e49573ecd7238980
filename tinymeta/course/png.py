"""Write a picture as a PNG with a palette of at most 128 colours: a third of the usual size, and
the same bytes again for the same picture."""

import struct
import zlib

import numpy as np

COLOURS = 128


def encode(pixels):
    """Return the bytes of a PNG file of a picture (height, width, 3) of uint8."""
    palette, index = reduce_colours(pixels)
    height, width = index.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), index], axis=1)  # 0: no filter
    kind = 8, 3, 0, 0, 0  # 8 bits a pixel, which are the number of a colour of the palette
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in {
            b"IHDR": struct.pack(">2I5B", width, height, *kind),
            b"PLTE": palette.tobytes(),
            b"IDAT": zlib.compress(rows.tobytes(), 9),
            b"IEND": b"",
        }.items()
    )


def reduce_colours(pixels):
    """Return a palette (n, 3) of colours that are in the picture, and for each of its pixels the
    number of the one that it gets: its own if the picture has at most 128."""
    codes = pixels.reshape(-1, 3).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    codes, where, counts = np.unique(codes, return_inverse=True, return_counts=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(float)
    index = np.arange(len(codes))
    if len(codes) > COLOURS:
        # like colours, equal in the first five bits of each part, are one box, which has a mean
        _, box = np.unique((colours // 8) @ [1 << 10, 1 << 5, 1], return_inverse=True)
        weights = np.bincount(box, counts)
        sums = np.stack([np.bincount(box, counts * part) for part in colours.T], axis=1)
        means = (sums / weights[:, None])[np.argsort(-weights, kind="stable")[:COLOURS]]
        distances = (colours**2).sum(axis=1)[:, None] + (means**2).sum(axis=1)
        index = np.argmin(distances - 2 * colours @ means.T, axis=1)
        # of all colours with one mean, the most frequent one stands for all
        order = np.lexsort((counts, index))
        kept, index = np.unique(index, return_inverse=True)
        frequent = np.empty(len(kept), int)
        frequent[index[order]] = order
        colours = colours[frequent]
    return colours.astype(np.uint8), index[where].astype(np.uint8).reshape(pixels.shape[:2])
