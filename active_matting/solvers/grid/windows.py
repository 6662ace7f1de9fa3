"""Matting Laplacians that are sums over small square windows, as stencils."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.types import Image

FillRow = Callable[[NDArray[np.float64], int, int, float, NDArray[np.float64]], None]
"""Kernel `(image, top, size, epsilon, out)`: the symmetric matrices of the windows of `size`² pixels, pixels row by
row, whose top row is `top`, from left to right, into `out`, (windows, size², size²)."""


def sum_windows(image: Image, radius: int, epsilon: float, fill_row: FillRow) -> NDArray[np.float64]:
    """The sum of all windows' matrices, (H·W, (4 radius + 1)²): entry (i, k) ties pixel i to the k-th near it.

    Near are the pixels within 2 radius along either axis, row by row. An image that no window fits into has no ties.
    """
    h, w = image.shape[:2]
    size = 2 * radius + 1
    stencil = np.zeros((h, w, (2 * size - 1) ** 2))
    if h >= size and w >= size:
        colours = image.astype(np.float64)
        matrices = np.empty((w - size + 1, size**2, size**2))
        for top in range(h - size + 1):
            fill_row(colours, top, size, epsilon, matrices)
            _add_row(matrices, top, size, stencil)
    return stencil.reshape(h * w, -1)


@njit(cache=True, nogil=True, error_model="numpy")
def whiten(X: NDArray[Any], ridge: float) -> None:
    """X, (n, d), becomes X L⁻ᵀ with L Lᵀ = XᵀX + ridge: then X Xᵀ is what was X (XᵀX + ridge)⁻¹ Xᵀ.

    By a Cholesky factor: where a window has but two colours, or only greys, determinants would cancel to nothing.
    """
    n, d = X.shape
    L = np.empty((d, d))
    for a in range(d):
        for b in range(a + 1):
            total = ridge if a == b else 0.0
            for i in range(n):
                total += X[i, a] * X[i, b]
            for c in range(b):
                total -= L[a, c] * L[b, c]
            L[a, b] = np.sqrt(total) if a == b else total / L[b, b]
    for i in range(n):
        for a in range(d):
            for b in range(a):
                X[i, a] -= L[a, b] * X[i, b]
            X[i, a] /= L[a, a]


@njit(cache=True, nogil=True)
def _add_row(matrices: NDArray[Any], top: int, size: int, stencil: NDArray[Any]) -> None:
    side = 2 * size - 1
    for left in range(len(matrices)):
        matrix = matrices[left]
        for i in range(size * size):
            yi, xi = i // size, i % size
            entries = stencil[top + yi, left + xi]
            for yj in range(size):
                at = (yj - yi + size - 1) * side + size - 1 - xi
                for xj in range(size):
                    entries[at + xj] += matrix[i, yj * size + xj]
