"""What many pixels see at the same offsets at once, block by block of offsets, so that memory stays bounded."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_CELLS = {"cpu": 1 << 17, "cuda": 1 << 23}
"""Numbers in one plane of a block: on a CPU they stay in the cache, on a GPU they keep it busy."""


def cells_on(device: torch.device) -> int:
    """How many numbers one plane of a block may have."""
    return _CELLS[device.type]


def blocks(count: int, cells_each: int, device: torch.device) -> Iterator[slice]:
    """Slices of `range(count)`, each of as many things, of `cells_each` numbers each, as are done at once."""
    step = max(1, cells_on(device) // cells_each)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


class Neighbourhood:
    """Planes `(N, C, H, W)`, and 0 beyond their border, as seen from each pixel at each of some offsets."""

    def __init__(self, planes: Tensor, offsets: NDArray[np.int64]) -> None:
        self._shape = planes.shape
        self._offsets = offsets
        self._reach = [int(a) for a in np.abs(offsets).max(axis=0)]
        y, x = self._reach
        self._padded = functional.pad(planes, (x, x, y, y))

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Blocks of offsets, and what is there, `(N, C, K, H, W)`, in the offsets' order."""
        n, _, h, w = self._shape
        for block in blocks(len(self._offsets), n * h * w, self._padded.device):
            seen = [self._at(dy, dx) for dy, dx in self._offsets[block].tolist()]
            yield block, seen[0][:, :, None] if len(seen) == 1 else _stacked(seen)

    def _at(self, dy: int, dx: int) -> Tensor:
        h, w = self._shape[2:]
        top, left = self._reach[0] + dy, self._reach[1] + dx
        return self._padded[:, :, top : top + h, left : left + w]

    def chosen(self, numbers: Tensor) -> Tensor:
        """The planes, `(N, C, H, W)`, at the offset whose number, `(N, H, W)`, each pixel gives."""
        n, c, h, w = self._shape
        width = self._padded.shape[3]
        offsets = torch.tensor(self._offsets[:, 0] * width + self._offsets[:, 1], device=numbers.device)
        y = torch.arange(h, device=numbers.device)[:, None] + self._reach[0]
        x = torch.arange(w, device=numbers.device) + self._reach[1]
        place = (offsets[numbers] + y * width + x).view(n, 1, h * w).expand(n, c, h * w)
        return self._padded.flatten(2).gather(2, place).view(n, c, h, w)


def _stacked(seen: list[Tensor]) -> Tensor:
    # Of four axes rather than five: up to four, a GPU copies all of them at once.
    n, c, h, w = seen[0].shape
    return torch.stack([plane.flatten(0, 1) for plane in seen], dim=1).view(n, c, len(seen), h, w)


def first_of(is_so: Tensor) -> Tensor:
    """The first place along the second axis where it is so, int64; the number of places where there is none."""
    count = is_so.shape[1]
    numbers = torch.arange(count, dtype=torch.int32, device=is_so.device).view(-1, *(1,) * (is_so.ndim - 2))
    return torch.where(is_so, numbers, numbers.new_tensor(count)).amin(1).long()


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Products summed over three channels, the second axis; in this order, so that all devices round alike."""
    return one[:, 0] * other[:, 0] + one[:, 1] * other[:, 1] + one[:, 2] * other[:, 2]


def squared(vector: Tensor) -> Tensor:
    """The squared length over the channels, the second axis."""
    return dot(vector, vector)
