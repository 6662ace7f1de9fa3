"""Random-walk matting."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.grid.laplacian import prepare_grid
from active_matting.types import Image, check_image


@dataclass(frozen=True)
class RandomWalk:
    """Alpha is the chance that a walk, slow across edges, first meets foreground (Grady et al. 2005, eq. 4).

    A step between neighbours whose colours differ by d has weight exp(-(d / sigma)²). Solved directly, as closed-form
    matting is; raises `ConvergenceError` where rounding spoils the solution.
    """

    radius: int = 1  # a step reaches (2 radius + 1)² - 1 neighbours
    sigma: float = 0.033  # the Euclidean colour difference, in [0, √3], that makes a step unlikely
    floor: float = 1e-6  # added to every weight, so that no pixel is cut off

    def __post_init__(self) -> None:
        if self.radius < 1 or not self.sigma > 0 or not self.floor >= 0:
            raise InvalidArgumentError(
                f"radius must be at least 1, sigma positive and floor not negative, "
                f"got {self.radius}, {self.sigma} and {self.floor}"
            )

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        image = check_image(image)
        return prepare_grid(self._laplacian(image), image.shape[:2], self.radius)

    def _laplacian(self, image: Image) -> NDArray[np.float64]:
        """`D - W` of the steps' weights `W`, as a stencil (H·W, (2 radius + 1)²)."""
        h, w = image.shape[:2]
        side = 2 * self.radius + 1
        stencil = np.zeros((h, w, side, side))
        centre = stencil[:, :, self.radius, self.radius]
        for y, x in product(range(side), repeat=2):
            dy, dx = y - self.radius, x - self.radius
            if (dy, dx) == (0, 0):
                continue
            here, there = _overlap(h, w, dy, dx)
            squared = np.sum((image[here].astype(np.float64) - image[there]) ** 2, axis=-1)
            weight = self.floor + np.exp(-squared / self.sigma**2)
            stencil[(*here, y, x)] = -weight
            centre[here] += weight
        return stencil.reshape(h * w, -1)


def _overlap(height: int, width: int, dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of all pixels that have a neighbour `(dy, dx)` away, and of those neighbours."""
    (top, bottom), (left, right) = ((max(0, -step), size - max(0, step)) for size, step in ((height, dy), (width, dx)))
    here = slice(top, max(top, bottom)), slice(left, max(left, right))
    there = slice(top + dy, max(top, bottom) + dy), slice(left + dx, max(left, right) + dx)
    return here, there
