"""Learning-based digital matting."""

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
class LBDM:
    """Alpha is locally a ridge regression on colour (Zheng and Kambhamettu 2009, eq. 16).

    Solved directly, as closed-form matting is; raises `ConvergenceError` where rounding spoils the solution.
    """

    radius: int = 1  # windows are (2 radius + 1)² pixels
    epsilon: float = 1e-7  # ridge of the regression

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
    # (1 - F)ᵀ (1 - F), F = X (XᵀX + ε 1)⁻¹ Xᵀ, for the colours and a one, X (count, 4), of each window.
    count = size * size
    X = np.ones((count, 4))
    rest = np.empty((count, count))
    for left in range(len(out)):
        for i in range(count):
            for c in range(3):
                X[i, c] = image[top + i // size, left + i % size, c]
            X[i, 3] = 1
        whiten(X, epsilon)
        for i in range(count):
            for j in range(count):
                rest[i, j] = -(X[i, 0] * X[j, 0] + X[i, 1] * X[j, 1] + X[i, 2] * X[j, 2] + X[i, 3] * X[j, 3])
            rest[i, i] += 1
        matrix = out[left]
        for i in range(count):
            for j in range(i + 1):
                total = 0.0
                for k in range(count):
                    total += rest[i, k] * rest[j, k]
                matrix[i, j] = matrix[j, i] = total
