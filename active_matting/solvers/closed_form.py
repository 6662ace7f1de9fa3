"""Closed-form matting."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit, thread_count
from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.grid.laplacian import prepare_grid
from active_matting.solvers.grid.windows import sum_windows, whiten
from active_matting.solvers.sampling.rows import Workers
from active_matting.types import Image, check_image

_WORTH_THREADS = 10_000  # pixels


@dataclass(frozen=True)
class ClosedForm:
    """Alpha is locally affine in colour (Levin, Lischinski and Weiss 2008, eq. 12).

    Solved directly: the first matte of an image takes longest, the next ones follow the labels. An image that is
    smaller than a window has alpha 0.5 where nothing is told. Raises `ConvergenceError` where rounding spoils the
    solution.
    """

    radius: int = 1  # windows are (2 radius + 1)² pixels
    epsilon: float = 1e-7  # larger is smoother

    def __post_init__(self) -> None:
        if self.radius < 1 or not self.epsilon >= 0:
            raise InvalidArgumentError(
                f"radius must be at least 1 and epsilon not negative, got {self.radius} and {self.epsilon}"
            )

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        image = check_image(image)
        return prepare_grid(sum_windows(image, self.radius, self.epsilon, _fill_row), image.shape[:2], 2 * self.radius)


def laplacian_rows(image: Image, is_wanted: NDArray[np.bool_], epsilon: float) -> NDArray[np.float32]:
    """The matting Laplacian's rows of the pixels of a mask (H, W), (25, wanted): how each, row by row, is tied to the
    5×5 around it, row by row; 0 outside the image. With windows of 3×3 pixels; epsilon: see `ClosedForm`.
    """
    count = np.count_nonzero(is_wanted)
    number = np.full(is_wanted.shape, -1, dtype=np.int32)
    number[is_wanted] = np.arange(count, dtype=np.int32)
    is_touched = cv2.dilate(is_wanted.astype(np.uint8), np.ones((3, 3), dtype=np.uint8))
    stencil = np.zeros((25, count), dtype=np.float32)
    with Workers(thread_count() if count > _WORTH_THREADS else 1) as workers:
        workers.over(_add_windows, len(number), image, is_touched, number, epsilon, stencil)
    return stencil


@njit(cache=True, nogil=True, error_model="numpy")
def _add_windows(
    rows: tuple[int, int],
    image: NDArray[Any],
    is_touched: NDArray[Any],
    number: NDArray[Any],
    epsilon: float,
    stencil: NDArray[Any],
) -> None:
    # To the pixels of these rows, so that threads do not meet. is_touched: the windows' middles. The pixels of a window
    # row by row.
    h, w = number.shape
    X = np.empty((9, 3))
    for y in range(max(1, rows[0] - 1), min(h - 1, rows[1] + 1)):
        for x in range(1, w - 1):
            if is_touched[y, x] == 0:
                continue
            _whitened_colours(image, y - 1, x - 1, 3, epsilon, X)
            for i in range(9):
                row = y - 1 + i // 3
                at = number[row, x - 1 + i % 3]
                if at < 0 or row < rows[0] or row >= rows[1]:
                    continue
                for j in range(9):
                    k = 12 + 5 * (j // 3 - i // 3) + j % 3 - i % 3
                    tie = -1 / 9 - (X[i, 0] * X[j, 0] + X[i, 1] * X[j, 1] + X[i, 2] * X[j, 2])
                    stencil[k, at] += tie + 1 if i == j else tie


@njit(cache=True, nogil=True, error_model="numpy")
def _whitened_colours(image: NDArray[Any], top: int, left: int, size: int, epsilon: float, X: NDArray[Any]) -> None:
    """X, (|w|, 3), of the window w of `size`² pixels: δ_ij - 1 / |w| - (X Xᵀ)_ij is what it adds to the Laplacian."""
    # δ_ij - (1 + (I_i - μ)ᵀ (Σ + ε/|w| 1)⁻¹ (I_j - μ)) / |w| for the pixels i, j of w.
    count = size * size
    for c in range(3):
        mean = 0.0
        for i in range(count):
            X[i, c] = image[top + i // size, left + i % size, c]
            mean += X[i, c] / count
        for i in range(count):
            X[i, c] -= mean
    whiten(X, epsilon)  # XᵀX is |w| Σ


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_row(image: NDArray[Any], top: int, size: int, epsilon: float, out: NDArray[Any]) -> None:
    count = size * size
    X = np.empty((count, 3))
    for left in range(len(out)):
        _whitened_colours(image, top, left, size, epsilon, X)
        matrix = out[left]
        for i in range(count):
            for j in range(count):
                matrix[i, j] = -1 / count - (X[i, 0] * X[j, 0] + X[i, 1] * X[j, 1] + X[i, 2] * X[j, 2])
            matrix[i, i] += 1
