"""Random-walk matting."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import scipy.sparse

from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.laplacian import laplacian_of_weights, solve_laplacian
from active_matting.types import Image, check_image


@dataclass(frozen=True)
class RandomWalk:
    """Alpha is the chance that a walk, slow across edges, first meets foreground (Grady et al. 2005, eq. 4).

    A step between neighbours whose colours differ by d has weight exp(-(d / sigma)²). Raises `ConvergenceError` when
    solving takes more than `max_iterations`.
    """

    radius: int = 1  # a step reaches (2 radius + 1)² - 1 neighbours
    sigma: float = 0.033  # the Euclidean colour difference, in [0, √3], that makes a step unlikely
    floor: float = 1e-6  # added to every weight, so that no pixel is cut off
    tolerance: float = 1e-9  # of the residual, relative; 1e-7 can leave alpha off by 2e-3
    max_iterations: int = 10_000

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        from pymatting.preconditioner.ichol import ichol

        image = check_image(image)
        laplacian = laplacian_of_weights(self._weights(image))
        method = partial(solve_laplacian, laplacian, ichol, self.tolerance, self.max_iterations)
        return PreparedClassical(image.shape[:2], method)

    def _weights(self, image: Image) -> Any:
        """Symmetric sparse `(H·W, H·W)` weights of the steps."""
        height, width = image.shape[:2]
        pixel = np.arange(height * width).reshape(height, width)
        reach = range(-self.radius, self.radius + 1)
        rows, columns, weights = [], [], []
        for dy, dx in ((dy, dx) for dy, dx in product(reach, reach) if (dy, dx) > (0, 0)):  # each pair once
            here, there = _overlap(height, width, dy, dx)
            squared = np.sum((image[here].astype(np.float64) - image[there]) ** 2, axis=-1)
            rows.append(pixel[here].ravel())
            columns.append(pixel[there].ravel())
            weights.append(self.floor + np.exp(-squared.ravel() / self.sigma**2))
        upper = scipy.sparse.csr_matrix(
            (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(pixel.size, pixel.size)
        )
        return upper + upper.T


def _overlap(height: int, width: int, dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of all pixels that have a neighbour `(dy, dx)` away, and of those neighbours."""
    (top, bottom), (left, right) = ((max(0, -step), size - max(0, step)) for size, step in ((height, dy), (width, dx)))
    here = slice(top, max(top, bottom)), slice(left, max(left, right))
    there = slice(top + dy, max(top, bottom) + dy), slice(left + dx, max(left, right) + dx)
    return here, there
