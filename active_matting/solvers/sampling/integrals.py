"""Shared sampling's rays: which way they run, and the integrals along them, which depend on the image alone."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Arrays


@dataclass(frozen=True)
class Sums:
    """Integrals along rays that are steep; or along those that are not, in the transposed image."""

    table: NDArray[np.float64]
    """The rays, see `directions`."""
    before: NDArray[np.float32]
    """(lines' directions, ⌈h / tile⌉, tile * ⌈w / tile⌉): the integral from row 0 to before a pixel, of one row of each
    tile, columns by their place in a tile."""
    beyond: NDArray[np.float32]
    """(lines' directions, ⌈h / tile⌉, ⌈w / tile⌉): to behind it, of the pixels that look that way."""


@dataclass(frozen=True)
class Integrals:
    """The path integral of ‖∇I · d‖² along all rays of an image; the energy of a way is a difference of two.

    A ray runs along a line x = line + round(y · slope), or along such a line of the transposed image if it is nearer to
    the x-axis: parallel lines cover every pixel once. Two opposite rays share their lines. Kept are the integrals in
    those rows of which pixels look that way; the steps from there to other rows are added when asked for.
    """

    rays: int
    tile: int
    tensor: NDArray[np.float32]
    """(h, w, 3): Σ over channels of I_y², I_y I_x, I_x²."""
    steep: Sums
    flat: Sums


def integrate(tensor: NDArray[np.float32], rays: int, tile: int) -> Integrals:
    """Integrate along all rays of an image with this structure tensor, float32 `(h, w, 3)`."""
    sums = []
    for is_steep, axes in ((True, (2, 0, 1)), (False, (2, 1, 0))):
        planes = np.ascontiguousarray(tensor.transpose(axes))
        table = directions(rays, tile, is_steep)
        lines = table[np.unique(table[:, 3], return_index=True)[1]]
        rows, columns = (-(-side // tile) for side in planes.shape[1:])
        before = np.zeros((len(lines), rows, tile * columns), dtype=np.float32)
        beyond = np.zeros((len(lines), rows, columns), dtype=np.float32)
        _integrate(lines, tile, planes, before, beyond)
        sums.append(Sums(table, before, beyond))
    return Integrals(rays, tile, np.ascontiguousarray(tensor), *sums)


@cache
def directions(rays: int, tile: int, is_steep: bool) -> NDArray[np.float64]:
    """The rays that are steep, or are not: (n, 9).

    Columns: the ray's block, `ray * tile² + phase`, phase the place in a tile of the pixels that look that way; the sign
    of its step from row to row; its slope; the number of its lines' direction; rows and columns of the place in a tile;
    and what the structure tensor's three planes contribute to the energy of one step. Rows and columns are those of the
    transposed image for rays that are not steep.
    """
    block = np.arange(rays * tile**2)
    phase = block % tile**2
    angle = 2 * np.pi * (block // tile**2 + (phase + 0.5) / tile**2) / rays
    dy, dx = np.sin(angle), np.cos(angle)
    weights = np.stack([dy * dy, 2 * dy * dx, dx * dx], axis=1) / np.maximum(abs(dy), abs(dx))[:, None]
    ty, tx = phase // tile, phase % tile
    chosen = (abs(dy) >= abs(dx)) == is_steep
    if not is_steep:
        dy, dx, ty, tx = dx, dy, tx, ty
    with np.errstate(divide="ignore"):
        table = np.column_stack([block, np.sign(dy), dx / dy, block, ty, tx, weights])[chosen]
    half = rays * tile**2 // 2 if rays % 2 == 0 else rays * tile**2
    table[:, 3] = np.unique(table[:, 3] % half, return_inverse=True)[1]
    return table


@njit(cache=True, nogil=True)
def _integrate(lines: Array, tile: int, tensor: Array, before: Array, beyond: Array) -> None:
    _, h, w = tensor.shape
    for i in range(len(lines)):
        slope, row, column = lines[i, 2], int(lines[i, 4]), int(lines[i, 5])
        a, b, c = np.float32(lines[i, 6]), np.float32(lines[i, 7]), np.float32(lines[i, 8])
        totals = np.zeros(w + 2 * h, dtype=np.float32)
        for y in range(h):
            start = h - int(np.floor(y * slope + 0.5))
            total = totals[start : start + w]
            is_kept = y % tile == row
            if is_kept:
                for phase in range(min(tile, w)):
                    kept, first = total[phase::tile], phase * beyond.shape[2]
                    before[i, y // tile, first : first + len(kept)] = kept
            t_yy, t_yx, t_xx = tensor[0, y], tensor[1, y], tensor[2, y]
            for x in range(w):
                total[x] += a * t_yy[x] + b * t_yx[x] + c * t_xx[x]
            if is_kept and column < w:
                kept = total[column::tile]
                beyond[i, y // tile, : len(kept)] = kept


@njit(cache=True, nogil=True)
def integral(
    way: Arrays, columns: Array, tile: int, tensor: Array, strides: tuple[int, int], y: int, x: int, is_beyond: bool
) -> np.float32:
    """The integral along the pixel's line from row 0 to before it, or to behind it.

    way: the direction's row of `directions`, its lines' `before`, and of each row round(y · slope); columns: of each x
    where it is in a row of `before`; tensor: `(h * w, 3)`; strides: of y and x in it.
    """
    direction, before, shifts = way
    a, b, c = np.float32(direction[6]), np.float32(direction[7]), np.float32(direction[8])
    line, first = x - shifts[y], int(direction[4])
    kept = (y - first + tile) // tile - 1
    begin, total = max(kept * tile + first, 0), np.float32(0)
    if kept >= 0 and 0 <= line + shifts[begin] < len(columns):  # else the line has not entered the image by then
        total = before[kept, columns[line + shifts[begin]]]
    for row in range(begin, y + 1 if is_beyond else y):
        column = line + shifts[row]
        if 0 <= column < len(columns):
            at = row * strides[0] + column * strides[1]
            total += a * tensor[at, 0] + b * tensor[at, 1] + c * tensor[at, 2]
    return total
