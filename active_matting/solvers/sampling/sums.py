"""The sums over neighbours that shared sampling's last stage is made of, of eight pixels at once."""

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array
from active_matting.solvers.sampling.vectors import LANES, absolute, load, multiply_add, splat, store


@njit(cache=True, nogil=True)
def sum_by_difference(at: int, terms: Array, shifts: Array, gauss: Array, sums: Array) -> None:
    """Fill the first 8 sums: Σ W_c α, W_c α F, W_c (1 - α), W_c (1 - α) B.

    W_c = G f_q |α_p - α_q|, and G f_p for the pixel itself.
    """
    size = terms.shape[1]
    alpha = load(terms, 12 * size + at)
    fa, fr = load(terms, at), load(terms, size + at)
    fg, fb = load(terms, 2 * size + at), load(terms, 3 * size + at)
    ba, br = load(terms, 4 * size + at), load(terms, 5 * size + at)
    bg, bb = load(terms, 6 * size + at), load(terms, 7 * size + at)
    for k in range(1, len(shifts)):
        to = at + shifts[k]
        weight = splat(gauss[k]) * absolute(alpha - load(terms, 12 * size + to))
        fa = multiply_add(weight, load(terms, to), fa)
        fr = multiply_add(weight, load(terms, size + to), fr)
        fg = multiply_add(weight, load(terms, 2 * size + to), fg)
        fb = multiply_add(weight, load(terms, 3 * size + to), fb)
        ba = multiply_add(weight, load(terms, 4 * size + to), ba)
        br = multiply_add(weight, load(terms, 5 * size + to), br)
        bg = multiply_add(weight, load(terms, 6 * size + to), bg)
        bb = multiply_add(weight, load(terms, 7 * size + to), bb)
    store(sums, 0, fa)
    store(sums, LANES, fr)
    store(sums, 2 * LANES, fg)
    store(sums, 3 * LANES, fb)
    store(sums, 4 * LANES, ba)
    store(sums, 5 * LANES, br)
    store(sums, 6 * LANES, bg)
    store(sums, 7 * LANES, bb)


@njit(cache=True, nogil=True)
def sum_square(at: int, pitch: int, terms: Array, line: Array, sums: Array) -> None:
    """Fill the last 6: over a square, Σ of terms 8 to 11, and Σ G of terms 0 and 4, G = line[dy] line[dx]."""
    size, radius = terms.shape[1], len(line) // 2
    mixed = apart = told = one = f_sure = b_sure = splat(np.float32(0))
    for dy in range(len(line)):
        row = at + (dy - radius) * pitch - radius
        f_row = b_row = splat(np.float32(0))
        for dx in range(len(line)):
            to, factor = row + dx, splat(line[dx])
            mixed, apart = mixed + load(terms, 8 * size + to), apart + load(terms, 9 * size + to)
            told, one = told + load(terms, 10 * size + to), one + load(terms, 11 * size + to)
            f_row = multiply_add(factor, load(terms, to), f_row)
            b_row = multiply_add(factor, load(terms, 4 * size + to), b_row)
        f_sure = multiply_add(splat(line[dy]), f_row, f_sure)
        b_sure = multiply_add(splat(line[dy]), b_row, b_sure)
    store(sums, 8 * LANES, mixed)
    store(sums, 9 * LANES, apart)
    store(sums, 10 * LANES, told)
    store(sums, 11 * LANES, one)
    store(sums, 12 * LANES, f_sure)
    store(sums, 13 * LANES, b_sure)
