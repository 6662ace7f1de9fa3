"""Kernels of large-kernel matting: sums over windows, the Laplacian's product, hats times colours."""

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


@njit(cache=True, nogil=True)
def _sum_windows(plane: Array, size: int, out: Array) -> None:
    # out[y, x] becomes the sum of the size² values from (y, x) on, by running sums.
    h, w = plane.shape
    column = np.zeros(w)
    for y in range(h):
        for x in range(w):
            column[x] += plane[y, x]
        if y >= size:
            for x in range(w):
                column[x] -= plane[y - size, x]
        if y >= size - 1:
            total = 0.0
            for x in range(w):
                total += column[x]
                if x >= size:
                    total -= column[x - size]
                if x >= size - 1:
                    out[y - size + 1, x - size + 1] = total


@njit(cache=True, nogil=True, error_model="numpy")
def _invert_windows(count: int, ridge: float, mean: Array, square: Array) -> None:
    # mean: sums of colours → means. square: sums of products rr, rg, rb, gg, gb, bb → (|w| Σ + ε)⁻¹, the same entries.
    # No pivot of the Cholesky factor is below ε, but for rounding.
    _, m, n = mean.shape
    for y in range(m):
        for x in range(n):
            r, g, b = mean[0, y, x] / count, mean[1, y, x] / count, mean[2, y, x] / count
            mean[0, y, x], mean[1, y, x], mean[2, y, x] = r, g, b
            l_rr = np.sqrt(max(square[0, y, x] - count * r * r + ridge, ridge))
            l_gr = (square[1, y, x] - count * r * g) / l_rr
            l_br = (square[2, y, x] - count * r * b) / l_rr
            l_gg = np.sqrt(max(square[3, y, x] - count * g * g - l_gr * l_gr + ridge, ridge))
            l_bg = (square[4, y, x] - count * g * b - l_gr * l_br) / l_gg
            l_bb = np.sqrt(max(square[5, y, x] - count * b * b - l_br * l_br - l_bg * l_bg + ridge, ridge))
            # L⁻¹, row by row, and then L⁻ᵀ L⁻¹.
            k_rr, k_gg, k_bb = 1 / l_rr, 1 / l_gg, 1 / l_bb
            k_gr = -l_gr * k_rr * k_gg
            k_bg = -l_bg * k_gg * k_bb
            k_br = -(l_br * k_rr + l_bg * k_gr) * k_bb
            square[0, y, x] = k_rr * k_rr + k_gr * k_gr + k_br * k_br
            square[1, y, x] = k_gr * k_gg + k_br * k_bg
            square[2, y, x] = k_br * k_bb
            square[3, y, x] = k_gg * k_gg + k_bg * k_bg
            square[4, y, x] = k_bg * k_bb
            square[5, y, x] = k_bb * k_bb


@njit(cache=True, nogil=True)
def _multiply(colours: Array, mean: Array, inverse: Array, size: int, p: Array, out: Array) -> None:
    # out = L p: each window k has the affine map a_k · I + b_k of colours that is nearest to p, and a pixel's
    # (L p)_i is what the windows around it leave over: Σ_k p_i - a_k · I_i - b_k. One pass over the rows: `column`
    # holds the sums of p and p I down the windows' columns, `maps` the last windows' a and b, `below` their sums.
    h, w = p.shape
    m, n = h - size + 1, w - size + 1
    count = size * size
    column = np.zeros((4, w))
    maps = np.zeros((size, 4, n))
    below = np.zeros((4, size + w))
    for y in range(h):
        a = maps[y % size]
        if size <= y < m + size:
            for c in range(4):
                source, target = a[c], below[c, size : size + n]
                for x in range(n):
                    target[x] -= source[x]
        if y < m:
            first = y + size - 1 if y else 0
            for row in range(first, y + size):
                _add_row(colours, p, row, 1.0, column)
            if y:
                _add_row(colours, p, y - 1, -1.0, column)
            _sum_along(column, size, a)
            _fit(mean[:, y], inverse[:, y], count, a)
            for c in range(4):
                source, target = a[c], below[c, size : size + n]
                for x in range(n):
                    target[x] += source[x]
        rows = min(y, m - 1) - max(0, y - size + 1) + 1
        _leave(colours, p, y, rows, size, below, out)


@njit(cache=True, nogil=True)
def _add_row(colours: Array, p: Array, row: int, sign: float, column: Array) -> None:
    values = p[row]
    total, red, green, blue = column[0], column[1], column[2], column[3]
    r, g, b = colours[0, row], colours[1, row], colours[2, row]
    for x in range(len(values)):
        value = sign * values[x]
        total[x] += value
        red[x] += value * r[x]
        green[x] += value * g[x]
        blue[x] += value * b[x]


@njit(cache=True, nogil=True)
def _sum_along(column: Array, size: int, sums: Array) -> None:
    t0, t1, t2, t3 = column[0], column[1], column[2], column[3]
    o0, o1, o2, o3 = sums[0], sums[1], sums[2], sums[3]
    s0 = s1 = s2 = s3 = 0.0
    for x in range(size):
        s0, s1, s2, s3 = s0 + t0[x], s1 + t1[x], s2 + t2[x], s3 + t3[x]
    o0[0], o1[0], o2[0], o3[0] = s0, s1, s2, s3
    for x in range(1, len(o0)):
        new, old = x + size - 1, x - 1
        s0 += t0[new] - t0[old]
        s1 += t1[new] - t1[old]
        s2 += t2[new] - t2[old]
        s3 += t3[new] - t3[old]
        o0[x], o1[x], o2[x], o3[x] = s0, s1, s2, s3


@njit(cache=True, nogil=True)
def _fit(mean: Array, inverse: Array, count: int, sums: Array) -> None:
    # Σ p, Σ p I → b = p̄ - a · μ, a = (|w| Σ + ε)⁻¹ (Σ p I - μ Σ p), in place.
    s0, s1, s2, s3 = sums[0], sums[1], sums[2], sums[3]
    r, g, b = mean[0], mean[1], mean[2]
    rr, rg, rb, gg, gb, bb = inverse[0], inverse[1], inverse[2], inverse[3], inverse[4], inverse[5]
    for x in range(len(s0)):
        total = s0[x]
        u, v, t = s1[x] - r[x] * total, s2[x] - g[x] * total, s3[x] - b[x] * total
        a_r = rr[x] * u + rg[x] * v + rb[x] * t
        a_g = rg[x] * u + gg[x] * v + gb[x] * t
        a_b = rb[x] * u + gb[x] * v + bb[x] * t
        s0[x] = total / count - a_r * r[x] - a_g * g[x] - a_b * b[x]
        s1[x], s2[x], s3[x] = a_r, a_g, a_b


@njit(cache=True, nogil=True)
def _leave(colours: Array, p: Array, y: int, rows: int, size: int, below: Array, out: Array) -> None:
    t0, t1, t2, t3 = below[0], below[1], below[2], below[3]
    r, g, b = colours[0, y], colours[1, y], colours[2, y]
    values, target = p[y], out[y]
    w = len(values)
    n = w - size + 1
    s0 = s1 = s2 = s3 = 0.0
    for x in range(w):
        new = x + size
        s0 += t0[new] - t0[x]
        s1 += t1[new] - t1[x]
        s2 += t2[new] - t2[x]
        s3 += t3[new] - t3[x]
        columns = min(x, n - 1) - max(0, x - size + 1) + 1
        target[x] = rows * columns * values[x] - s0 - s1 * r[x] - s2 * g[x] - s3 * b[x]


@njit(cache=True, nogil=True)
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            total += a[y, x] * b[y, x]
    return total
