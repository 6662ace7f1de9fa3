"""What many pixels see at the same offsets at once, block by block of offsets, so that memory stays bounded."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_CELLS = {"cpu": 1 << 17, "cuda": 1 << 22}
"""Numbers in one tensor of a block: on a CPU they stay in the cache, on a GPU they keep it busy."""


def cells_on(device: torch.device) -> int:
    """How many numbers one tensor of a block may have."""
    return _CELLS[device.type]


def blocks(count: int, cells_each: int, device: torch.device) -> Iterator[slice]:
    """Slices of `range(count)`, each of as many things, of `cells_each` numbers each, as are done at once."""
    step = max(1, cells_on(device) // cells_each)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


class Neighbourhood:
    """Planes `(N, C, H, W)`, with a border of `fill`, as seen from each pixel at each of some offsets."""

    def __init__(self, planes: Tensor, offsets: NDArray[np.int64], fill: float) -> None:
        n, c, h, w = planes.shape
        reach_y, reach_x = (int(a) for a in np.abs(offsets).max(axis=0))
        padded = functional.pad(planes, (reach_x, reach_x, reach_y, reach_y), value=fill)
        width = w + 2 * reach_x
        y, x = torch.arange(h, device=planes.device), torch.arange(w, device=planes.device)
        self._flat = padded.view(n, c, -1)
        self._base = ((y + reach_y)[:, None] * width + x + reach_x).flatten()
        self._shifts = torch.tensor(offsets[:, 0] * width + offsets[:, 1], device=planes.device)
        self._cells = n * c * h * w

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Blocks of offsets and what is there, `(N, C, K, H·W)`, in the offsets' order."""
        for block in blocks(len(self._shifts), self._cells, self._flat.device):
            yield block, self._flat[:, :, self._shifts[block, None] + self._base]

    def at(self, chosen: Tensor) -> Tensor:
        """The planes, `(N, C, H·W)`, at each pixel's offset, given by its number, `(N, H·W)`."""
        place = (self._shifts[chosen] + self._base)[:, None]
        return self._flat.gather(2, place.expand(-1, self._flat.shape[1], -1))


def first_of(is_so: Tensor, dim: int) -> Tensor:
    """The first place along `dim` where it is so; the number of places where there is none."""
    count = is_so.shape[dim]
    numbers = torch.arange(count, device=is_so.device).view(-1, *(1,) * (is_so.ndim - 1 - dim % is_so.ndim))
    return torch.where(is_so, numbers, count).amin(dim)
