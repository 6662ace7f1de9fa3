"""Masks written down as polygons or as run lengths, the ways of COCO's annotation files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from active_matting.types import Alpha

FINER = 4
"""Polygons are drawn so many times finer than pixels; OpenCV's lines are a pixel of that thick."""

SUBPIXEL_BITS = 4


def fill_polygons(polygons: Iterable[Sequence[float]], shape: tuple[int, int]) -> Alpha:
    """1 in the pixels of `shape` (H, W) that one of the polygons covers by half or more, 0 elsewhere.

    A polygon is x0, y0, x1, y1, …, in pixels from the image's upper left corner. Raises `ValueError` for one of fewer
    than three points or of an odd number of values.

    >>> fill_polygons([[1, 0, 3, 0, 3, 2, 1, 2]], (3, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    height, width = shape
    fine = np.zeros((height * FINER, width * FINER), dtype=np.uint8)
    for polygon in polygons:
        points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            raise ValueError(f"a polygon needs three points or more, got {points.tolist()}")
        centred = points * FINER - 0.5  # OpenCV counts from a pixel's centre
        cv2.fillPoly(fine, [np.rint(centred * (1 << SUBPIXEL_BITS)).astype(np.int32)], 1, shift=SUBPIXEL_BITS)
    covered = fine.reshape(height, FINER, width, FINER).sum(axis=(1, 3), dtype=np.int32)
    return np.asarray(2 * covered >= FINER * FINER, dtype=np.float32)


def decode_runs(runs: Mapping[str, Any], shape: tuple[int, int]) -> Alpha:
    """1 and 0 from run lengths: `{"size": [H, W], "counts": …}`, column after column, beginning with zeros.

    The counts are a list of whole numbers, or those packed into a string. Raises `ValueError` where they, or `size`,
    do not fit `shape`.

    >>> decode_runs({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0]]
    """
    height, width = shape
    if list(runs["size"]) != [height, width]:
        raise ValueError(f"run lengths are for a size of {list(runs['size'])}, the image has {[height, width]}")
    counts = runs["counts"]
    lengths = unpack_counts(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if min(lengths, default=0) < 0 or sum(lengths) != height * width:
        raise ValueError(f"run lengths sum to {sum(lengths)}, the image has {height * width} pixels")
    values = np.arange(len(lengths)) % 2
    return np.ascontiguousarray(np.repeat(values, lengths).reshape(width, height).T, dtype=np.float32)


def unpack_counts(packed: str) -> list[int]:
    """Run lengths out of COCO's string: six bits a character from "0" on, the lowest five first.

    Of six bits the highest says that more follow, of the last five the highest is the sign; from the fourth length on
    what is stored is the difference to the last but one. Raises `ValueError` for a string that ends too early.

    >>> unpack_counts("52203")
    [5, 2, 2, 2, 5]
    """
    lengths: list[int] = []
    value = shift = 0
    for character in packed:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"run lengths hold the character {character!r}")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("run lengths end in the middle of a number")
    return lengths
