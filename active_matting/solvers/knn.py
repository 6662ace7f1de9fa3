"""KNN matting."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse

from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.laplacian import laplacian_of_weights, solve_laplacian
from active_matting.types import Image, check_image


@dataclass(frozen=True)
class KNN:
    """Pixels alike in colour and place have like alphas (Chen, Li and Tang 2013, sec. 3).

    Each pixel is tied to its nearest neighbours in the space of (colour, weighted place), found by pymatting's k-d
    tree; a tie that is found from both ends, or for both distance weights, counts each time. Raises
    `ConvergenceError` when solving takes more than `max_iterations`.
    """

    neighbours: tuple[int, ...] = (20, 10)  # how many, itself among them, for each weight in `distance_weights`
    distance_weights: tuple[float, ...] = (2.0, 0.1)  # of place, in units of the image's side, against colour
    tolerance: float = 1e-7  # of the residual, relative
    max_iterations: int = 10_000

    def __post_init__(self) -> None:  # JSON knows lists only, and a solver must stay hashable
        object.__setattr__(self, "neighbours", tuple(self.neighbours))
        object.__setattr__(self, "distance_weights", tuple(self.distance_weights))

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        from pymatting.preconditioner.jacobi import jacobi

        image = check_image(image)
        laplacian = laplacian_of_weights(self._weights(image))
        method = partial(solve_laplacian, laplacian, jacobi, self.tolerance, self.max_iterations)
        return PreparedClassical(image.shape[:2], method)

    def _weights(self, image: Image) -> Any:
        """Symmetric sparse `(H·W, H·W)` counts of ties."""
        from pymatting.util.kdtree import knn

        height, width = image.shape[:2]
        count = height * width
        y, x = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
        place = np.stack([y.ravel(), x.ravel()], axis=1)
        rows, columns = [], []
        for wished, weight in zip(self.neighbours, self.distance_weights, strict=True):
            k = min(wished, count)
            features = np.concatenate([image.reshape(count, 3), weight * place], axis=1).astype(np.float32)
            _, nearest = knn(features, features, k=k)
            rows.append(np.repeat(np.arange(count), k))
            columns.append(nearest.ravel())
        row, column = np.concatenate(rows), np.concatenate(columns)
        tied = scipy.sparse.csr_matrix((np.ones(row.size), (row, column)), shape=(count, count))
        return tied + tied.T
