"""The sums over neighbours that shared sampling's last stage is made of: of runs of pixels, and of single ones."""

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Arrays


@njit(cache=True, nogil=True)
def sum_by_difference(
    at: int, n: int, alpha: Array, terms: Array, shifts: Array, gauss: Array, weights: Array, sums: Array
) -> None:
    # W_c = G f_q |α_p - α_q|, and G f_p for the pixel itself: Σ W_c α, W_c α F, W_c (1 - α), W_c (1 - α) B.
    # Four neighbours at once, so that the sums are read and written a fourth as often.
    here = alpha[at : at + n]
    for c in range(8):
        sums[c, :n] = terms[c, at : at + n]
    for k in range(1, len(shifts), 4):
        last = len(shifts) - 1
        q = at + shifts[k], at + shifts[min(k + 1, last)], at + shifts[min(k + 2, last)], at + shifts[min(k + 3, last)]
        for j in range(4):
            g = gauss[k + j] if k + j <= last else np.float32(0)
            there, weight = alpha[q[j] : q[j] + n], weights[j, :n]
            for x in range(n):
                weight[x] = g * abs(here[x] - there[x])
        for c in range(8):
            _add_four(sums[c, :n], terms[c], q, weights)


@njit(cache=True, nogil=True)
def sum_one(at: int, pitch: int, alpha: Array, terms: Array, disc: Arrays, sums: Array) -> None:
    # The same and the squares' sums of one pixel.
    shifts, gauss, line = disc
    fa, fr, fg, fb = terms[0, at], terms[1, at], terms[2, at], terms[3, at]
    ba, br, bg, bb = terms[4, at], terms[5, at], terms[6, at], terms[7, at]
    for k in range(1, len(shifts)):
        q = at + shifts[k]
        weight = gauss[k] * abs(alpha[at] - alpha[q])
        fa, fr, fg, fb = (
            fa + weight * terms[0, q],
            fr + weight * terms[1, q],
            fg + weight * terms[2, q],
            fb + weight * terms[3, q],
        )
        ba, br, bg, bb = (
            ba + weight * terms[4, q],
            br + weight * terms[5, q],
            bg + weight * terms[6, q],
            bb + weight * terms[7, q],
        )
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7] = fa, fr, fg, fb, ba, br, bg, bb
    sums[8:] = 0
    radius = len(line) // 2
    for dx in range(len(line)):
        mixed = apart = told = one = f_sure = b_sure = np.float32(0)
        for dy in range(len(line)):
            q = at + (dy - radius) * pitch + dx - radius
            mixed, apart, told, one = mixed + terms[8, q], apart + terms[9, q], told + terms[10, q], one + terms[11, q]
            f_sure, b_sure = f_sure + line[dy] * terms[0, q], b_sure + line[dy] * terms[4, q]
        sums[8], sums[9], sums[10], sums[11] = sums[8] + mixed, sums[9] + apart, sums[10] + told, sums[11] + one
        sums[12], sums[13] = sums[12] + line[dx] * f_sure, sums[13] + line[dx] * b_sure


@njit(cache=True, nogil=True)
def _add_four(total: Array, term: Array, q: tuple[int, int, int, int], weights: Array) -> None:
    n = len(total)
    w_0, w_1, w_2, w_3 = weights[0, :n], weights[1, :n], weights[2, :n], weights[3, :n]
    t_0, t_1, t_2, t_3 = term[q[0] : q[0] + n], term[q[1] : q[1] + n], term[q[2] : q[2] + n], term[q[3] : q[3] + n]
    for x in range(n):
        total[x] += (w_0[x] * t_0[x] + w_1[x] * t_1[x]) + (w_2[x] * t_2[x] + w_3[x] * t_3[x])


@njit(cache=True, nogil=True)
def sum_window(at: int, n: int, pitch: int, term: Array, line: Array, column: Array, total: Array) -> None:
    # Σ over a square of line[dy] line[dx] term: down the columns first, then along the row.
    radius = len(line) // 2
    wide = n + 2 * radius
    column[:wide] = 0
    for k in range(len(line)):
        q = at + (k - radius) * pitch - radius
        source, factor = term[q : q + wide], line[k]
        for x in range(wide):
            column[x] += factor * source[x]
    total[:n] = 0
    for k in range(len(line)):
        source, factor = column[k : k + n], line[k]
        for x in range(n):
            total[x] += factor * source[x]
