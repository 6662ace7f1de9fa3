"""Dense linear algebra for the fronts of `grid_cholesky`, row by row.

Written out instead of calling BLAS: as fast for these sizes, and neither its threads, which bring small products to
a halt on a busy machine, nor its choice of kernels touch the result.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

_PANEL = 32  # columns eliminated together
_ROWS = 64  # rows divided together
_TINY = 1e-14  # a pivot below this part of the diagonal is noise: nothing ties the pixel to a label
_SUMS = {"reassoc", "contract", "nsz"}  # lets the compiler sum in vectors; in the same order each time


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def subtract_product(A: Array, B: Array, C: Array) -> None:
    """C -= A Bᵀ, for A (n, k), B (m, k), C (n, m)."""
    n, m = C.shape
    for j in range(0, m - 3, 4):
        for i in range(0, n - 3, 4):
            _subtract_tile(A[i : i + 4], B[j : j + 4], C[i : i + 4, j : j + 4])
    for i in range(n):
        start = m - m % 4 if i < n - n % 4 else 0
        for j in range(start, m):
            C[i, j] -= _dot(A[i], B[j])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def subtract_square(A: Array, packed: Array) -> None:
    """C -= A Aᵀ, for A (n, k) and the lower triangle of C, row after row."""
    n = len(A)
    tile = np.empty((4, 4))
    for j in range(0, n - 3, 4):
        for i in range(j, n - 3, 4):
            tile[:] = 0
            _subtract_tile(A[i : i + 4], A[j : j + 4], tile)
            for a in range(4):
                at = (i + a) * (i + a + 1) // 2 + j
                for b in range(4 if i > j else a + 1):
                    packed[at + b] += tile[a, b]
    for i in range(n - n % 4, n):
        at = i * (i + 1) // 2
        for j in range(i + 1):
            packed[at + j] -= _dot(A[i], A[j])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS, inline="always")
def _subtract_tile(A: Array, B: Array, C: Array) -> None:
    # Sixteen sums at once: for each two numbers loaded there are four products.
    a0, a1, a2, a3 = A[0], A[1], A[2], A[3]
    b0, b1, b2, b3 = B[0], B[1], B[2], B[3]
    c00 = c01 = c02 = c03 = c10 = c11 = c12 = c13 = 0.0
    c20 = c21 = c22 = c23 = c30 = c31 = c32 = c33 = 0.0
    for k in range(A.shape[1]):
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
    C[0, 0] -= c00
    C[0, 1] -= c01
    C[0, 2] -= c02
    C[0, 3] -= c03
    C[1, 0] -= c10
    C[1, 1] -= c11
    C[1, 2] -= c12
    C[1, 3] -= c13
    C[2, 0] -= c20
    C[2, 1] -= c21
    C[2, 2] -= c22
    C[2, 3] -= c23
    C[3, 0] -= c30
    C[3, 1] -= c31
    C[3, 2] -= c32
    C[3, 3] -= c33


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_SUMS)
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def eliminate(P: Array, diagonal: Array) -> None:
    """Turn the first columns of a matrix, (rows, own), rows ≥ own, into those of its Cholesky factor.

    diagonal: (own,) what pivots are compared with: one that is noise becomes the diagonal itself, or 1.
    """
    own = P.shape[1]
    for start in range(0, own, _PANEL):
        stop = min(start + _PANEL, own)
        subtract_product(P[start:, :start], P[start:stop, :start], P[start:, start:stop])
        _cholesky(P[start:stop, start:stop], diagonal[start:stop])
        _divide_panel(P[stop:, start:stop], P[start:stop, start:stop])


@njit(cache=True, nogil=True, error_model="numpy")
def divide_rows(B: Array, L: Array) -> None:
    """B becomes B L⁻ᵀ, for B (n, m) and a lower triangle L (m, m)."""
    m = len(L)
    for start in range(0, m, _PANEL):
        stop = min(start + _PANEL, m)
        subtract_product(B[:, :start], L[start:stop, :start], B[:, start:stop])
        _divide_panel(B[:, start:stop], L[start:stop, start:stop])


@njit(cache=True, nogil=True, error_model="numpy")
def _divide_panel(B: Array, L: Array) -> None:
    n, m = B.shape
    inverse = np.empty((m, m))
    _invert_negative(L, inverse)
    before = np.empty((_ROWS, m))
    for start in range(0, n, _ROWS):
        rows = B[start : start + _ROWS]
        before[: len(rows)] = rows
        rows[:] = 0
        subtract_product(before[: len(rows)], inverse, rows)


@njit(cache=True, nogil=True, error_model="numpy")
def _cholesky(A: Array, diagonal: Array) -> None:
    n = len(A)
    column = np.empty(n)
    for j in range(n):
        pivot = A[j, j]
        if not pivot > _TINY * diagonal[j]:
            pivot = diagonal[j] if diagonal[j] > 0 else 1.0
        root = np.sqrt(pivot)
        A[j, j] = root
        for i in range(j + 1, n):
            column[i] = A[i, j] / root
            A[i, j] = column[i]
            A[j, i] = 0  # what `subtract_product` has left above the diagonal
        for i in range(j + 1, n):
            factor = column[i]
            row = A[i]
            for k in range(j + 1, i + 1):
                row[k] -= factor * column[k]


@njit(cache=True, nogil=True, error_model="numpy")
def _invert_negative(L: Array, inverse: Array) -> None:
    # -L⁻¹ of a lower triangle.
    inverse[:] = 0
    for i in range(len(L)):
        row = inverse[i]
        row[i] = -1
        for k in range(i):
            factor = L[i, k]
            for j in range(k + 1):
                row[j] -= factor * inverse[k, j]
        scale = 1 / L[i, i]
        for j in range(i + 1):
            row[j] *= scale
