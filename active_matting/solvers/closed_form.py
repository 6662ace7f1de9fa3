"""Closed-form matting."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.grid.laplacian import prepare_grid
from active_matting.solvers.grid.windows import sum_windows, whiten
from active_matting.types import Image, check_image


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


@njit(cache=True, nogil=True, error_model="numpy")
def whitened_colours(image: NDArray[Any], top: int, left: int, size: int, epsilon: float, X: NDArray[Any]) -> None:
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
        whitened_colours(image, top, left, size, epsilon, X)
        matrix = out[left]
        for i in range(count):
            for j in range(count):
                matrix[i, j] = -1 / count - (X[i, 0] * X[j, 0] + X[i, 1] * X[j, 1] + X[i, 2] * X[j, 2])
            matrix[i, i] += 1
