"""Information flow's ties between pixels: mixtures of like colours, from known to unknown, within the unknown.

Indices are of pixels, row by row; features are colour and weighted place, the latter in units of the image's sides.
"""

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.graph.kernels import Array
from active_matting.solvers.graph.ties import nearest
from active_matting.types import Image, Label, LabelMap

Indices = NDArray[np.int32]
Numbers = NDArray[np.float32]

_REGULARISATION = 1e-3  # of the neighbours' correlations, sec. 3.1: two of them may well have the same colour
_TINY = 1e-6


def features(image: Image, of_place: float) -> NDArray[np.float64]:
    """Colour and `of_place` times place for each pixel, `(H·W, 5)`."""
    h, w = image.shape[:2]
    y, x = np.meshgrid(np.arange(h) / h, np.arange(w) / w, indexing="ij")
    return np.concatenate([image, of_place * np.stack([x, y], axis=2)], axis=2).reshape(h * w, 5)


def nearest_others(points: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The `count` points nearest to each point, or all others where there are fewer, without itself, `(n, count)`."""
    n = len(points)
    count = min(count, n - 1)
    found = nearest(points, points, count + 1)
    is_self = found == np.arange(n)[:, None]
    is_self[~is_self.any(axis=1), -1] = True  # among more twins than were asked for: drop the last
    others: NDArray[np.int64] = found[~is_self].reshape(n, count)
    return others


def mixture_weights(colours: NDArray[np.float64], pixels: NDArray[np.int64], neighbours: NDArray[np.int64]) -> Numbers:
    """How to mix each pixel's colour from its neighbours', `(m, k)`, each row summing to 1 (sec. 3.1).

    Locally linear embedding: w minimises ‖c_p - Σ w_q c_q‖² + 10⁻³ ‖w‖². The k×k system of the neighbours'
    correlations has rank 3 but for the regularisation, so that 3×3 systems give the same.
    """
    differences = np.ascontiguousarray(colours[neighbours] - colours[pixels][:, None])  # (m, k, 3)
    correlation = np.einsum("mki,mkj->mij", differences, differences) + _REGULARISATION * np.eye(3)
    shift = np.linalg.solve(correlation, differences.sum(axis=1)[:, :, None])
    weights = 1 - (differences @ shift)[:, :, 0]
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def known_to_unknown(
    image: Image, places: NDArray[np.float64], label_map: LabelMap, unknown: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the known pixels say of the unknown ones: alpha w^F and confidence η, both `(m,)` in [0, 1] (sec. 3.2).

    The `count` nearest foreground and the `count` nearest background pixels in the features `places` mix the pixel's
    colour; w^F is the foreground's share. η is the squared difference of the two sides' mean colours, over 3.
    """
    colours = image.reshape(-1, 3).astype(np.float64)
    sides = []
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        known = np.flatnonzero(label_map == label)
        sides.append(known[nearest(places[known], places[unknown], min(count, len(known)))])
    weights = mixture_weights(colours, unknown, np.concatenate(sides, axis=1)).astype(np.float64)
    means, shares = [], []
    for neighbours, part in zip(sides, np.split(weights, [sides[0].shape[1]], axis=1), strict=True):
        share = part.sum(axis=1)
        mean = np.einsum("mk,mkc->mc", part, colours[neighbours])
        means.append(mean / np.where(np.abs(share) < _TINY, _TINY, share)[:, None])
        shares.append(share)
    confidence = ((means[0] - means[1]) ** 2).sum(axis=1) / 3
    return np.clip(shares[0], 0, 1), np.clip(confidence, 0, 1)


def within_unknown(
    points: NDArray[np.float64], candidates: Indices, is_unknown: NDArray[np.bool_], count: int
) -> tuple[Indices, Indices, Numbers]:
    """Ties among unknown pixels alike in colour (sec. 3.3): pixels, their partners and weights, each `(ties,)`.

    The partners are each pixel's `count` nearest unknown ones in the features `points`, weighted by
    `max(1 - ‖difference‖₁, 0)`. `candidates` are each pixel's nearest ones of any kind, nearest first, in which most
    are found without a search.
    """
    unknown = np.flatnonzero(is_unknown)
    count = min(count, len(unknown) - 1)
    if count < 1:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32)
    partners = np.empty((len(unknown), count), dtype=np.int32)
    is_found = _first_unknown(candidates, is_unknown, unknown, partners)
    if not is_found.all():
        short = unknown[~is_found]
        found = unknown[nearest(points[unknown], points[short], count + 1)]
        is_self = found == short[:, None]
        is_self[~is_self.any(axis=1), -1] = True
        partners[~is_found] = found[~is_self].reshape(len(short), count)
    pixels = np.repeat(unknown, count).astype(np.int32)
    weights = np.maximum(1 - np.abs(points[pixels] - points[partners.ravel()]).sum(axis=1), 0)
    return pixels, partners.ravel(), weights.astype(np.float32)


@njit(cache=True, nogil=True)
def _first_unknown(candidates: Array, is_unknown: Array, unknown: Array, partners: Array) -> Array:
    # The first unknown candidates of each unknown pixel; whether there were enough.
    is_found = np.empty(len(unknown), dtype=np.bool_)
    for a in range(len(unknown)):
        found = 0
        for q in candidates[unknown[a]]:
            if is_unknown[q]:
                partners[a, found] = q
                found += 1
                if found == partners.shape[1]:
                    break
        is_found[a] = found == partners.shape[1]
    return is_found
