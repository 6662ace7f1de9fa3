"""The labelled pixel nearest to each pixel, as OpenCV's distance transform has it, by parallel scans.

`cv2.distanceTransformWithLabels` (5×5, `DIST_L2`) measures ways made of single moves: along an axis, a diagonal or a
knight's move, at these costs (Borgefors 1986). A shortest way takes at most two neighbouring kinds of move, one after
the other, so that the distance is a minimum along lines of one move, then along lines of the next. Among pixels
equally far those that OpenCV's first pass reaches go first: the first of them; of the others the last.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

_COSTS = {1: 65536, 2: 91750, 5: 143976}  # by squared length: 1, 1.4 and 2.1969 as OpenCV rounds them
_MOVES = (
    (0, -1), (-1, -2), (-1, -1), (-2, -1), (-1, 0), (-2, 1), (-1, 1), (-1, 2),
    (0, 1), (1, 2), (1, 1), (2, 1), (1, 0), (2, -1), (1, -1), (1, -2),
)  # fmt: skip
"""Where a way may come from, `(dy, dx)`, turning once around. The first eight are those of OpenCV's first pass."""
_FIRST = 7  # so many pairs of neighbouring moves, the first ones, are of the first pass alone
_UNLABELLED = 1 << 61  # no key of a labelled pixel is as large, and neither overflows


class _Lines(NamedTuple):
    table: Tensor  # (lines, length): flat pixel indices along each line, from where ways come; H·W past its end
    where: Tensor  # (H·W): each pixel's flat place in the table
    costs: Tensor  # (length): of the way from the line's first pixel


def nearest_labelled(is_labelled: Tensor) -> Tensor:
    """Flat indices of the labelled pixel nearest to each pixel, int64 `(N, H, W)`, for bool `(N, H, W)`.

    Where nothing is labelled the index is any pixel's.
    """
    n, h, w = is_labelled.shape
    size = h * w
    unit = 1 << size.bit_length()  # a key is distance · unit + order: the least is the nearest, and says which it is
    order = torch.arange(size, device=is_labelled.device)
    best = []
    for of_first_pass in (True, False):
        keys = torch.where(is_labelled.flatten(1), order if of_first_pass else size - 1 - order, _UNLABELLED)
        pairs = range(_FIRST) if of_first_pass else range(_FIRST, len(_MOVES))
        least = keys
        for k in pairs:
            moves = _MOVES[k], _MOVES[(k + 1) % len(_MOVES)]
            ways = keys
            for move in moves:
                ways = _scan(ways, _lines(h, w, move, is_labelled.device), unit)
            least = torch.minimum(least, ways)
        best.append(least)
    first, second = best
    is_first = first // unit <= second // unit
    nearest = torch.where(is_first, first % unit, size - 1 - second % unit)
    return nearest.clamp(0, size - 1).view(n, h, w)


def _scan(keys: Tensor, lines: _Lines, unit: int) -> Tensor:
    # The least key, (N, H·W), of all pixels on a line up to each pixel, with the cost of the way added.
    padded = torch.cat([keys, keys.new_full((len(keys), 1), _UNLABELLED)], dim=1)
    costs = lines.costs * unit
    along = padded[:, lines.table] - costs
    return (along.cummin(dim=2).values + costs).flatten(1)[:, lines.where]


@lru_cache(maxsize=64)
def _lines(h: int, w: int, move: tuple[int, int], device: torch.device) -> _Lines:
    dy, dx = move
    y, x = (a.ravel() for a in np.mgrid[:h, :w])
    steps = np.full(h * w, h + w)  # from each pixel to the first of its line, in the direction ways come from
    for a, d, length in ((y, dy, h), (x, dx, w)):
        if d:
            steps = np.minimum(steps, (a if d < 0 else length - 1 - a) // abs(d))
    start = (y + steps * dy) * w + x + steps * dx
    _, line = np.unique(start, return_inverse=True)
    table = np.full((line.max() + 1, steps.max() + 1), h * w)
    table[line, steps] = y * w + x
    costs = np.arange(table.shape[1]) * _COSTS[dy * dy + dx * dx]
    return _Lines(*(torch.tensor(a, device=device) for a in (table, line * table.shape[1] + steps, costs)))
