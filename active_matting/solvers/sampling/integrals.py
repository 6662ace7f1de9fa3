"""Shared sampling's rays: which way they run, and the integrals along them, which depend on the image alone."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array

_EVERY = 2  # the integrals of every second row are kept: between memory and time


@dataclass(frozen=True)
class Integrals:
    """The path integral of ‖∇I · d‖² along all rays of an image; the energy of a way is a difference of two.

    A ray runs along a line x = line + round(y · slope), or along such a line of the transposed image if it is nearer to
    the x-axis: parallel lines cover every pixel once. Two opposite rays share their lines.
    """

    rays: int
    tile: int
    tensor: NDArray[np.float32]
    """(h, w, 3): Σ over channels of I_y², I_y I_x, I_x²."""
    steep: NDArray[np.float32]
    """(lines' directions, ⌈h / 2⌉, w): the integral from row 0 to before a pixel, of every second row, among them those
    of the pixels that look that way if `tile` is even."""
    flat: NDArray[np.float32]
    """(lines' directions, ⌈w / 2⌉, h): the same in the transposed image."""


def integrate(tensor: NDArray[np.float32], rays: int, tile: int) -> Integrals:
    """Integrate along all rays of an image with this structure tensor, float32 `(h, w, 3)`."""
    table, sums = directions(rays, tile), []
    for is_steep, axes in ((1, (2, 0, 1)), (0, (2, 1, 0))):
        some = table[table[:, 0] == is_steep]
        lines = some[np.unique(some[:, 3], return_index=True)[1]]
        planes = np.ascontiguousarray(tensor.transpose(axes))
        _, h, w = planes.shape
        sums.append(np.zeros((len(lines), -(-h // _EVERY), w), dtype=np.float32))
        _integrate(lines, planes, sums[-1])
    return Integrals(rays, tile, np.ascontiguousarray(tensor), *sums)


@cache
def directions(rays: int, tile: int) -> NDArray[np.float64]:
    """All directions, (rays · tile², 9): that of pixels with place `phase` in a tile is in row `ray * tile² + phase`.

    Columns: whether it is steep; the sign of its step from row to row; its slope; the number of its lines' direction,
    steep and other ones counted apart; what the structure tensor's planes contribute to the energy of one step; row and
    column of the place in a tile. If it is not steep, rows and columns are those of the transposed image.
    """
    block = np.arange(rays * tile**2)
    phase = block % tile**2
    angle = 2 * np.pi * (block // tile**2 + (phase + 0.5) / tile**2) / rays
    dy, dx = np.sin(angle), np.cos(angle)
    weights = np.stack([dy * dy, 2 * dy * dx, dx * dx], axis=1) / np.maximum(abs(dy), abs(dx))[:, None]
    is_steep = abs(dy) >= abs(dx)
    major, minor = np.where(is_steep, dy, dx), np.where(is_steep, dx, dy)
    half = rays * tile**2 // 2 if rays % 2 == 0 else rays * tile**2
    number = np.empty_like(block)
    for some in (is_steep, ~is_steep):
        number[some] = np.unique(block[some] % half, return_inverse=True)[1]
    y, x = phase // tile, phase % tile
    y, x = np.where(is_steep, y, x), np.where(is_steep, x, y)
    return np.column_stack([is_steep, np.sign(major), minor / major, number, weights, y, x])


@njit(cache=True, nogil=True)
def _integrate(lines: Array, tensor: Array, sums: Array) -> None:
    _, h, w = tensor.shape
    for i in range(len(lines)):
        a, b, c = np.float32(lines[i, 4]), np.float32(lines[i, 5]), np.float32(lines[i, 6])
        totals = np.zeros(w + 2 * h, dtype=np.float32)
        for y in range(h):
            start = h - int(np.floor(y * lines[i, 2] + 0.5))
            total = totals[start : start + w]
            if y % _EVERY == lines[i, 7] % _EVERY:
                sums[i, y // _EVERY] = total
            t_yy, t_yx, t_xx = tensor[0, y], tensor[1, y], tensor[2, y]
            for x in range(w):
                total[x] += a * t_yy[x] + b * t_yx[x] + c * t_xx[x]


@njit(cache=True, nogil=True)
def integrals_of(
    direction: Array,
    sums: Array,
    tensor: Array,
    strides: tuple[int, int],
    y: int,
    columns: Array,
    values: Array,
) -> None:
    """Fill `values` with integrals from row 0 to pixels of row y: to before them if the ray points down, else behind.

    sums: of the direction's lines (⌈h / 2⌉, w); tensor: `(h * w, 3)`; strides: of rows and columns in it.
    """
    a, b, c = np.float32(direction[4]), np.float32(direction[5]), np.float32(direction[6])
    place = int(direction[7]) % _EVERY
    number = (y + _EVERY - place) // _EVERY - 1  # of the row that is kept, y or the one before
    row = number * _EVERY + place
    shift = int(np.floor(row * direction[2] + 0.5)) - int(np.floor(y * direction[2] + 0.5))
    for j in range(len(columns)):
        x = columns[j] + shift
        total = np.float32(0)
        if number >= 0 and 0 <= x < sums.shape[1]:  # else the line has not entered the image by then
            total = sums[number, x]
            if row != y:
                at = row * strides[0] + x * strides[1]
                total += a * tensor[at, 0] + b * tensor[at, 1] + c * tensor[at, 2]
        values[j] = total
    if direction[1] < 0:
        for j in range(len(columns)):
            at = y * strides[0] + columns[j] * strides[1]
            values[j] += a * tensor[at, 0] + b * tensor[at, 1] + c * tensor[at, 2]
