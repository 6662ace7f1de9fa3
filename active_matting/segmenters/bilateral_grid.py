"""Averages over pixels that are near in both place and colour, by a coarse grid over both (Chen et al. 2007)."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit

Array: TypeAlias = NDArray[Any]

_EXTENTS = (1.0, 1.6, 1.6)  # of lightness, from 0, and both opponents, from -0.8: CIE Lab divided by 100
_LITTLE = np.float32(0.01)  # weight of "one half" beside what is found


@dataclass(frozen=True)
class BilateralGrid:
    """How coarse: `cells` squares along each side of the image (1: place does not count), `width` of a colour cell."""

    cells: int
    width: float

    def average(
        self, colour: NDArray[np.float32], values: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The weighted mean of `values` around each pixel, and the weight it rests on; float32 (h, w) both.

        colour: float32 (h, w, 3), CIE Lab divided by 100, its opponents cut off at ±0.8. values, weights: float32
        (h, w). The mean tends to 0.5 where there is little weight.
        """
        h, w = values.shape
        bins = [int(extent / self.width) + 3 for extent in _EXTENTS]
        places = self.cells + 2 if self.cells > 1 else 1
        width: Any = np.float32(self.width)
        grid = np.zeros((places, places, *bins, 2), dtype=np.float32)
        _splat(grid, colour, values, weights, self.cells, width)
        for axis in range(0 if self.cells > 1 else 2, 5):
            outer = int(np.prod(grid.shape[:axis]))
            _blur(grid.reshape(outer, grid.shape[axis], -1))
        sums = np.empty((2, h, w), dtype=np.float32)
        _slice(grid, colour, self.cells, width, sums)
        return (sums[0] + _LITTLE / 2) / (sums[1] + _LITTLE), sums[1]


@njit(cache=True, nogil=True)
def _splat(grid: Array, colour: Array, values: Array, weights: Array, cells: int, width: float) -> None:
    h, w = values.shape
    for y in range(h):
        row = int((y + 0.5) / h * cells + 0.5) if cells > 1 else 0
        for x in range(w):
            column = int((x + 0.5) / w * cells + 0.5) if cells > 1 else 0
            a = _bin(colour[y, x, 0], 0, width, grid.shape[2])
            b = _bin(colour[y, x, 1], -0.8, width, grid.shape[3])
            c = _bin(colour[y, x, 2], -0.8, width, grid.shape[4])
            grid[row, column, a, b, c, 0] += weights[y, x] * values[y, x]
            grid[row, column, a, b, c, 1] += weights[y, x]


@njit(cache=True, nogil=True)
def _bin(value: float, lowest: float, width: float, count: int) -> int:
    # The first and the last bin stay empty, for the blur to spill into.
    return min(max(int((value - np.float32(lowest)) / width + 1), 1), count - 2)


@njit(cache=True, nogil=True)
def _blur(grid: Array) -> None:
    # (1 2 1) / 4 along the middle axis of (outer, n, inner).
    outer, n, inner = grid.shape
    before = np.empty(inner, dtype=np.float32)
    for o in range(outer):
        before[:] = 0
        for i in range(n):
            here = grid[o, i]
            if i + 1 < n:
                after = grid[o, i + 1]
                for k in range(inner):
                    old = here[k]
                    here[k] = np.float32(0.25) * (before[k] + after[k]) + np.float32(0.5) * old
                    before[k] = old
            else:
                for k in range(inner):
                    here[k] = np.float32(0.25) * before[k] + np.float32(0.5) * here[k]


@njit(cache=True, nogil=True)
def _slice(grid: Array, colour: Array, cells: int, width: float, sums: Array) -> None:
    h, w = colour.shape[:2]
    reach = 2 if cells > 1 else 1
    highest = np.array(grid.shape[2:5]) - 2
    part = np.empty(3, dtype=np.float32)
    cell = np.empty(3, dtype=np.int64)
    for y in range(h):
        v = np.float32((y + 0.5) / h * cells) if cells > 1 else np.float32(0)
        row = int(v)
        for x in range(w):
            u = np.float32((x + 0.5) / w * cells) if cells > 1 else np.float32(0)
            column = int(u)
            for c in range(3):
                place = (colour[y, x, c] + np.float32(0 if c == 0 else 0.8)) / width + np.float32(0.5)
                place = max(place, np.float32(0.5))
                cell[c] = min(int(place), highest[c])
                part[c] = min(place - cell[c], np.float32(1))
            total, weight = np.float32(0), np.float32(0)
            for i in range(reach):
                of_row = v - row if i else 1 - (v - row)
                for j in range(reach):
                    of_place = of_row * (u - column if j else 1 - (u - column))
                    for k in range(8):
                        of_cell = np.float32(of_place)
                        a, b, c = k & 1, (k >> 1) & 1, k >> 2
                        of_cell *= part[0] if a else 1 - part[0]
                        of_cell *= part[1] if b else 1 - part[1]
                        of_cell *= part[2] if c else 1 - part[2]
                        corner = grid[row + i, column + j, cell[0] + a, cell[1] + b, cell[2] + c]
                        total += of_cell * corner[0]
                        weight += of_cell * corner[1]
            sums[0, y, x], sums[1, y, x] = total, weight
