"""Closed-form matting."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.grid_laplacian import prepare_grid
from active_matting.solvers.grid_windows import sum_windows
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
def _fill_row(image: NDArray[Any], top: int, size: int, epsilon: float, out: NDArray[Any]) -> None:
    # δ_ij - (1 + (I_i - μ)ᵀ (Σ + ε/|w| 1)⁻¹ (I_j - μ)) / |w| for the pixels i, j of each window w.
    count = size * size
    centred = np.empty((count, 3))
    for left in range(len(out)):
        for c in range(3):
            mean = 0.0
            for i in range(count):
                centred[i, c] = image[top + i // size, left + i % size, c]
                mean += centred[i, c] / count
            for i in range(count):
                centred[i, c] -= mean
        a00 = a11 = a22 = epsilon
        a01 = a02 = a12 = 0.0
        for r, g, b in centred:
            a00 += r * r
            a01 += r * g
            a02 += r * b
            a11 += g * g
            a12 += g * b
            a22 += b * b

        # The inverse of |w| Σ + ε 1 by its adjugate.
        m00, m01, m02 = a11 * a22 - a12 * a12, a02 * a12 - a01 * a22, a01 * a12 - a02 * a11
        m11, m12, m22 = a00 * a22 - a02 * a02, a01 * a02 - a00 * a12, a00 * a11 - a01 * a01
        scale = 1 / (a00 * m00 + a01 * m01 + a02 * m02)
        matrix = out[left]
        for i in range(count):
            r, g, b = centred[i]
            p0 = scale * (m00 * r + m01 * g + m02 * b)
            p1 = scale * (m01 * r + m11 * g + m12 * b)
            p2 = scale * (m02 * r + m12 * g + m22 * b)
            for j in range(count):
                matrix[i, j] = -1 / count - (p0 * centred[j, 0] + p1 * centred[j, 1] + p2 * centred[j, 2])
            matrix[i, i] += 1
