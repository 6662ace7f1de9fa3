"""KNN matting."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_matting.solvers.base import PreparedClassical
from active_matting.types import Image, check_image


@dataclass(frozen=True)
class KNN:
    """Pixels alike in colour and place have like alphas (Chen, Li and Tang 2013, sec. 3).

    Each pixel is tied to its nearest neighbours in the space of (colour, weighted place); a tie that is found from
    both ends, or for both distance weights, counts each time. Alpha spreads along the ties, solved by multigrid.
    Pixels that no tie leads to from any label are 0.5. Raises `ConvergenceError` when solving takes more than
    `max_iterations`.
    """

    neighbours: tuple[int, ...] = (20, 10)  # how many, itself among them, for each weight in `distance_weights`
    distance_weights: tuple[float, ...] = (2.0, 0.1)  # of place, in units of the image's side, against colour
    tolerance: float = 1e-4  # of alpha: the largest error, nearly
    max_iterations: int = 1000

    def __post_init__(self) -> None:  # JSON knows lists only, and a solver must stay hashable
        object.__setattr__(self, "neighbours", tuple(self.neighbours))
        object.__setattr__(self, "distance_weights", tuple(self.distance_weights))

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        from active_matting.solvers.graph.diffusion import Diffusion
        from active_matting.solvers.graph.ties import graph_of_ties, leaf_order, nearest

        image = check_image(image)
        shape = image.shape[:2]
        order = leaf_order(_features(image, 0.5))
        found = []
        for count, weight in zip(self.neighbours, self.distance_weights, strict=True):
            features = _features(image, weight)[order]
            found.append(nearest(features, features, min(count, len(features))))
        graph = graph_of_ties(np.concatenate(found, axis=1))
        equations = Diffusion.of(shape, order, graph, self.tolerance, self.max_iterations)
        return PreparedClassical(shape, equations.solve, equations.solve_many)


def _features(image: Image, weight: float) -> NDArray[np.float64]:
    """Colour and `weight` times place, from 0 to 1 along each side, `(H·W, 5)`."""
    h, w = image.shape[:2]
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    return np.concatenate([image, weight * np.stack([y, x], axis=2)], axis=2).reshape(h * w, 5)
