"""Dense linear algebra for the fronts of `grid_cholesky`, row by row.

Written out instead of calling BLAS: as fast for these sizes, and neither its threads, which bring small products to
a halt on a busy machine, nor its choice of kernels touch the result. Numbers are moved one by one, because numba takes
seconds to compile an assignment from slice to slice.

Numba keeps compiled kernels and sees changes only in a kernel's own file: after a change here, save `grid_cholesky` and
`candidate_kernels` too.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit

Array: TypeAlias = NDArray[Any]

_PANEL = 32  # columns eliminated together
_COLUMNS = 64  # of a product, made together: what they need stays in the second-level cache; a multiple of 4
_ROWS = 64  # rows divided together
_TINY = 1e-14  # a pivot below this part of the diagonal is noise: nothing ties the pixel to a label
_SUMS = {"reassoc", "contract", "nsz"}  # lets the compiler sum in vectors; in the same order each time


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def subtract_product(A: Array, B: Array, first: int, last: int, C: Array, column: int) -> None:
    """C[:, column : column + m] -= A[:, first:last] B[:, first:last]ᵀ, for n rows of A and C and m of B.

    Whole rows of contiguous matrices: only of those does the compiler know that a row's numbers are neighbours.
    """
    n, m = len(A), len(B)
    for left in range(0, m, _COLUMNS):
        for i in range(0, n - 3, 4):
            for j in range(left, min(left + _COLUMNS, m) - 3, 4):
                _subtract_tile(A[i : i + 4], B[j : j + 4], first, last, C[i : i + 4], column + j)
    for i in range(n):
        start = m - m % 4 if i < n - n % 4 else 0
        for j in range(start, m):
            C[i, column + j] -= _dot(A[i, first:last], B[j, first:last])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def subtract_square(A: Array, packed: Array) -> None:
    """C -= A Aᵀ, for A (n, k) and the lower triangle of C, row after row."""
    n = len(A)
    tile = np.empty((4, 4))
    for left in range(0, n, _COLUMNS):
        for i in range(left, n - 3, 4):
            for j in range(left, min(left + _COLUMNS, i + 4), 4):
                tile[:] = 0
                _subtract_tile(A[i : i + 4], A[j : j + 4], 0, A.shape[1], tile, 0)
                for a in range(4):
                    at = (i + a) * (i + a + 1) // 2 + j
                    for b in range(4 if i > j else a + 1):
                        packed[at + b] += tile[a, b]
    for i in range(n - n % 4, n):
        at = i * (i + 1) // 2
        for j in range(i + 1):
            packed[at + j] -= _dot(A[i], A[j])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS, inline="always")
def _subtract_tile(A: Array, B: Array, first: int, last: int, C: Array, column: int) -> None:
    # Sixteen sums at once: for each two numbers loaded there are four products.
    a0, a1, a2, a3 = A[0, first:last], A[1, first:last], A[2, first:last], A[3, first:last]
    b0, b1, b2, b3 = B[0, first:last], B[1, first:last], B[2, first:last], B[3, first:last]
    c00 = c01 = c02 = c03 = c10 = c11 = c12 = c13 = 0.0
    c20 = c21 = c22 = c23 = c30 = c31 = c32 = c33 = 0.0
    for k in range(last - first):
        x0, x1, x2, x3 = a0[k], a1[k], a2[k], a3[k]
        y0, y1, y2, y3 = b0[k], b1[k], b2[k], b3[k]
        c00 += x0 * y0
        c01 += x0 * y1
        c02 += x0 * y2
        c03 += x0 * y3
        c10 += x1 * y0
        c11 += x1 * y1
        c12 += x1 * y2
        c13 += x1 * y3
        c20 += x2 * y0
        c21 += x2 * y1
        c22 += x2 * y2
        c23 += x2 * y3
        c30 += x3 * y0
        c31 += x3 * y1
        c32 += x3 * y2
        c33 += x3 * y3
    row0 = C[0, column : column + 4]
    row0[0] -= c00
    row0[1] -= c01
    row0[2] -= c02
    row0[3] -= c03
    row1 = C[1, column : column + 4]
    row1[0] -= c10
    row1[1] -= c11
    row1[2] -= c12
    row1[3] -= c13
    row2 = C[2, column : column + 4]
    row2[0] -= c20
    row2[1] -= c21
    row2[2] -= c22
    row2[3] -= c23
    row3 = C[3, column : column + 4]
    row3[0] -= c30
    row3[1] -= c31
    row3[2] -= c32
    row3[3] -= c33


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(P: Array, diagonal: Array) -> int:
    """Turn the first columns of a matrix, (rows, own), rows ≥ own, into those of its Cholesky factor.

    diagonal: (own,) what pivots are compared with: one that is noise is replaced by the diagonal itself, or 1.
    Returns how many were replaced.
    """
    own = P.shape[1]
    replaced = 0
    inverse = np.empty((_PANEL, _PANEL))
    for start in range(0, own, _PANEL):
        stop = min(start + _PANEL, own)
        subtract_product(P[start:], P[start:stop], 0, start, P[start:], start)
        replaced += _cholesky(P[start:stop], start, diagonal)
        _invert_negative(P[start:stop], start, inverse)
        _divide_panel(P[stop:], start, inverse[: stop - start])
    return replaced


@njit(cache=True, nogil=True, error_model="numpy")
def divide_rows(B: Array, L: Array) -> None:
    """B becomes B L⁻ᵀ in its first columns, for B (n, ≥ m) and a lower triangle L (m, m)."""
    m = len(L)
    inverse = np.empty((_PANEL, _PANEL))
    for start in range(0, m, _PANEL):
        stop = min(start + _PANEL, m)
        subtract_product(B, L[start:stop], 0, start, B, start)
        _invert_negative(L[start:stop], start, inverse)
        _divide_panel(B, start, inverse[: stop - start])


@njit(cache=True, nogil=True, error_model="numpy")
def _divide_panel(B: Array, start: int, inverse: Array) -> None:
    # The columns of B from `start` on, times -inverseᵀ.
    width = len(inverse)
    before = np.empty((_ROWS, _PANEL))
    for top in range(0, len(B), _ROWS):
        rows = B[top : top + _ROWS]
        for i in range(len(rows)):
            row = rows[i, start : start + width]
            for j in range(width):
                before[i, j] = row[j]
                row[j] = 0
        subtract_product(before[: len(rows)], inverse, 0, width, rows, start)


@njit(cache=True, nogil=True, error_model="numpy")
def _cholesky(A: Array, start: int, diagonal: Array) -> int:
    # Of the square block of A, whole rows, from column `start` on.
    n = len(A)
    replaced = 0
    column = np.empty(n)
    for j in range(n):
        pivot, whole = A[j, start + j], diagonal[start + j]
        if not pivot > _TINY * whole:
            pivot = whole if whole > 0 else 1.0
            replaced += 1
        root = np.sqrt(pivot)
        A[j, start + j] = root
        for i in range(j + 1, n):
            column[i] = A[i, start + j] / root
            A[i, start + j] = column[i]
            A[j, start + i] = 0  # what `subtract_product` has left above the diagonal
        for i in range(j + 1, n):
            factor = column[i]
            row = A[i, start : start + n]
            for k in range(j + 1, i + 1):
                row[k] -= factor * column[k]
    return replaced


@njit(cache=True, nogil=True, error_model="numpy")
def _invert_negative(A: Array, start: int, inverse: Array) -> None:
    # -L⁻¹ of the lower triangle L in A, whole rows, from column `start` on.
    n = len(A)
    for i in range(n):
        L, row = A[i, start : start + n], inverse[i]
        row[:n] = 0
        row[i] = -1
        for k in range(i):
            factor, other = L[k], inverse[k]
            for j in range(k + 1):
                row[j] -= factor * other[j]
        scale = 1 / L[i]
        for j in range(i + 1):
            row[j] *= scale
