"""Thin things that several families are drawn with."""

import numpy as np
from numpy.typing import NDArray

from active_matting.data.drawing import Points, Sheet, polar


def hairs(sheet: Sheet, rng: np.random.Generator, paths: Points, colours: NDArray[np.float64]) -> None:
    """Tapering strands, a few thousandths of the frame wide at the root."""
    root = rng.uniform(0.0015, 0.006, (len(paths), 1))
    sheet.stroke(paths, root * (1 - np.linspace(0, 1, paths.shape[1]) ** 1.5), colours)


def circles(radii: NDArray[np.float64]) -> Points:
    return radii[:, None, None] * polar(1.0, np.linspace(0, 2 * np.pi, 120))


def wires(sheet: Sheet, paths: Points, width: float, colour: NDArray[np.floating]) -> None:
    sheet.stroke(paths, np.full(paths.shape[:2], width), np.broadcast_to(colour, (len(paths), 3)))
