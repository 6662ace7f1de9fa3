"""Ask where colour and place are least like anything known: farthest-point sampling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.baselines.cells import CellAgent, Scores, View
from active_matting.errors import InvalidArgumentError


def coverage_agent(env: Any = None, seed: int = 0, colour: float = 1.0, side: int | None = None) -> CellAgent:
    """Asks about the cell farthest, in colour and place, from every cell that was asked before or holds a label.

    The distance is Euclidean between (y, x), as parts of the image's longer side, and `colour` times the mean RGB in
    [0, 1]. The first cell is the one nearest to the mean of all. It needs neither mattes nor truth and draws nothing
    at random. side: see `CellAgent`. Raises `InvalidArgumentError` for a negative `colour`.
    """
    if colour < 0:
        raise InvalidArgumentError(f"colour must not be negative, got {colour}")

    def score(view: View) -> Sequence[Scores]:
        return [distance_to_known(features_of(view, colour), view.is_known)]

    return CellAgent(score, env, side)


def features_of(view: View, colour: float) -> NDArray[np.float64]:
    """(cells, 5): y, x as parts of the longer side, and `colour` times the mean RGB."""
    return np.hstack([view.cells.centres(), colour * view.cells.means(view.image)])


def distance_to_known(features: NDArray[np.float64], is_known: NDArray[np.bool_]) -> Scores:
    """Of each cell's features, (cells, F), to the nearest known cell's; where none is, minus that to the mean."""
    if not is_known.any():
        return np.asarray(-np.linalg.norm(features - features.mean(axis=0), axis=1))
    to_each = np.linalg.norm(features[:, None] - features[None, is_known], axis=2)
    return np.asarray(to_each.min(axis=1))
