"""B3: cluster the image and ask about the middle of each cluster (Active Matting, sec. 3.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.baselines.cells import CellAgent, Cells, Scores, View, setting_of
from active_matting.errors import InvalidArgumentError
from active_matting.types import Image

Features = NDArray[np.float64]

PIXELS = 4000
"""About how many pixels are clustered; of larger images every few rows and columns."""


def clustering_agent(
    env: Any = None,
    seed: int = 0,
    clusters: int | None = None,
    place: float = 1.0,
    side: int | None = None,
) -> CellAgent:
    """B3: one query for each of as many clusters as there are queries, all decided by the image alone.

    The paper takes "the pre-defined features suggested in" Shahrian et al. 2013, who cluster by colour and by place;
    which clustering, and which of the grid's cells is a cluster's centre, it leaves open. Here k-means groups pixels
    by (R, G, B, `place` · y, `place` · x), y and x as parts of the image's longer side, and the cell asked about is the
    one nearest to the cluster's centre by mean colour and place. The largest cluster is first; after the last one come
    each cluster's next nearest cells, in the same turn. clusters: by default the budget of `env`, else 20. seed: of
    k-means++. side: see `CellAgent`. Raises `InvalidArgumentError`.
    """
    count = clusters if clusters is not None else setting_of(env, "budget") or 20
    if count < 1 or place < 0:
        raise InvalidArgumentError(f"clusters must be at least 1 and place not negative, got {count} and {place}")

    @lru_cache(maxsize=8)
    def turns(shape: tuple[int, int, int], image: bytes, cells: Cells) -> Scores:
        pixels: Image = np.frombuffer(image, dtype=np.float32).reshape(shape)
        centres, sizes = cluster(pixel_features(pixels, place), count, np.random.default_rng(seed))
        own = np.hstack([cells.means(pixels), place * cells.centres()])
        return -order_of_cells(own, centres[np.argsort(-sizes, kind="stable")])

    def score(view: View) -> Sequence[Scores]:
        h, w, c = view.image.shape
        return [turns((h, w, c), view.image.tobytes(), view.cells)]

    return CellAgent(score, env, side, is_deterministic=False)  # k-means++ draws


def pixel_features(image: Image, place: float) -> Features:
    """(pixels, 5) of an image (H, W, 3): RGB, and `place` times (y, x) as parts of its longer side; about `PIXELS`."""
    h, w = image.shape[:2]
    step = max(1, int(np.sqrt(h * w / PIXELS)))
    y, x = np.mgrid[0:h:step, 0:w:step] / max(h, w)
    colours = image[::step, ::step].reshape(-1, 3)
    return np.hstack([colours, place * np.stack([y.ravel(), x.ravel()], axis=1)]).astype(np.float64)


def cluster(
    features: Features, count: int, rng: np.random.Generator, rounds: int = 50
) -> tuple[Features, NDArray[np.int64]]:
    """k-means, begun by k-means++, of features (n, F): centres (count, F) and how many belong to each.

    A centre to which nothing belongs stays where it is.
    """
    centres = _spread(features, count, rng)
    own = _nearest(features, centres)
    for _ in range(rounds):
        sizes = np.bincount(own, minlength=count)
        sums = np.stack([np.bincount(own, feature, count) for feature in features.T], axis=1)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
        before, own = own, _nearest(features, centres)
        if np.array_equal(before, own):
            break
    return centres, np.bincount(own, minlength=count)


def order_of_cells(features: Features, centres: Features) -> Scores:
    """The turn of each cell, of features (n, F): counted from 0.

    In each round every centre, in order, takes the nearest cell that is left.
    """
    distances = np.linalg.norm(features[:, None] - centres[None], axis=2)
    turns = np.full(len(features), np.inf)
    for turn in range(len(features)):
        nearest = np.where(np.isinf(turns), distances[:, turn % len(centres)], np.inf)
        turns[int(np.argmin(nearest))] = turn
    return turns


def _spread(features: Features, count: int, rng: np.random.Generator) -> Features:
    """k-means++: each next centre is drawn with a chance that grows as the squared distance to those before."""
    chosen = [int(rng.integers(len(features)))]
    squared = np.full(len(features), np.inf)
    for _ in range(count - 1):
        squared = np.minimum(squared, ((features - features[chosen[-1]]) ** 2).sum(1))
        total = squared.sum()
        # Where all is alike there is nothing to choose by.
        chances = squared / total if total > 0 else None
        chosen.append(int(rng.choice(len(features), p=chances)))
    return features[chosen]


def _nearest(features: Features, centres: Features) -> NDArray[np.int64]:
    squared = (features**2).sum(1)[:, None] - 2 * features @ centres.T + (centres**2).sum(1)
    return np.asarray(squared.argmin(axis=1), dtype=np.int64)
