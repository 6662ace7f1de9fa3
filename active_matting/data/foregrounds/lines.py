"""Thin things that several families are drawn with."""

import numpy as np
from numpy.typing import NDArray

from active_matting.data.drawing import Points, Sheet, polar


def hairs(
    sheet: Sheet, rng: np.random.Generator, paths: Points, colours: NDArray[np.float64], thickest: float = 0.006
) -> None:
    """Tapering strands, at the root between a quarter of `thickest` (of the frame) and that wide."""
    root = rng.uniform(thickest / 4, thickest, (len(paths), 1))
    sheet.stroke(paths, root * (1 - np.linspace(0, 1, paths.shape[1]) ** 1.5), colours)


def circles(radii: NDArray[np.float64]) -> Points:
    return radii[:, None, None] * polar(1.0, np.linspace(0, 2 * np.pi, 120))


def radii(count: int, inner: float, outer: float, lean: float = 0.0) -> Points:
    """Straight lines `(count, 2, 2)` about the origin, from one distance to another; `lean` turns their outer ends."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([polar(inner, angle), polar(outer, angle + lean)], axis=1)


def wires(sheet: Sheet, paths: Points, width: float, colour: NDArray[np.floating]) -> None:
    sheet.stroke(paths, np.full(paths.shape[:2], width), np.broadcast_to(colour, (len(paths), 3)))
