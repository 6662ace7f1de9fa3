"""Masks written down as polygons or as run lengths, the ways of COCO's annotation files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.types import Alpha

LINES = 8
"""A polygon is cut by so many lines per row of pixels; along a line it is measured exactly."""


def fill_polygons(polygons: Iterable[Sequence[float]], shape: tuple[int, int]) -> Alpha:
    """1 in the pixels of `shape` (H, W) that one of the polygons covers by half or more, 0 elsewhere.

    A polygon is x0, y0, x1, y1, …, in pixels from the image's upper left corner. Raises `ValueError` for one of fewer
    than three points or of an odd number of values.

    >>> fill_polygons([[1, 0, 3, 0, 3, 2, 1, 2]], (3, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    mask = np.zeros(shape, dtype=np.float32)
    for polygon in polygons:
        points = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            raise ValueError(f"a polygon needs three points or more, got {points.tolist()}")
        low, high = np.clip([np.floor(points[:, 1].min()), np.ceil(points[:, 1].max())], 0, shape[0]).astype(int)
        if low < high:
            mask[low:high][_coverage(points - (0, low), (high - low, shape[1])) >= 0.5 - 1e-9] = 1
    return mask


def _coverage(points: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """The share of each pixel, (H, W), inside a polygon of points (x, y), by the even-odd rule."""
    height, width = shape
    lines = (np.arange(height * LINES) + 0.5) / LINES  # their y
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
    line, edge = np.nonzero((lines[:, None] >= np.minimum(y0, y1)) & (lines[:, None] < np.maximum(y0, y1)))
    x = x0[edge] + (lines[line] - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
    order = np.lexsort((x, line))
    line, x = line[order], np.clip(x[order], 0, width)
    # Every line crosses the outline an even number of times: it enters, leaves, enters, ... A stretch that ends at x
    # covers pixel j by clip(x - j, 0, 1), of which these are the steps from pixel to pixel.
    sign = np.where(np.arange(len(x)) % 2 == 0, -1.0, 1.0)
    whole = np.floor(x).astype(int)
    steps = np.zeros((height * LINES, width + 2))
    np.add.at(steps, (line, np.zeros_like(whole)), sign)
    np.add.at(steps, (line, whole), sign * (x - whole - 1))
    np.add.at(steps, (line, whole + 1), -sign * (x - whole))
    covered = np.cumsum(steps, axis=1)[:, :width]
    return np.asarray(covered.reshape(height, LINES, width).mean(axis=1))


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
