"""Pictures too large for one run: parts that overlap, blended smoothly; and what may be run at once."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from active_matting.errors import MemoryLimitError

OVERLAP = 1 / 4
"""How much of a tile its neighbour covers too."""

SMALLEST = 64
"""The smallest side of a tile, pixels."""

_RESULT_BYTES = 150  # for each pixel of the image, whatever the tiles: planes, sums, colours
_GIB = 2**30


def run_in_tiles(predict: Callable[..., Tensor], planes: Tensor, tile: int, stride: int, *larger: Tensor) -> Tensor:
    """`predict` of all of `planes`, `(1, C, H, W)`, or of parts of at most `tile` pixels a side, blended.

    H, W: multiples of stride. Parts overlap by at least a quarter, and count less towards the edges that they share.
    larger: what `predict` is given besides, `(1, ·, k H, k W)`, of which it gets the same parts.
    """
    h, w = planes.shape[2:]
    if max(h, w) <= tile:
        return predict(planes, *larger)
    rows, columns = tile_spans(h, tile, stride), tile_spans(w, tile, stride)
    total = torch.zeros((), device=planes.device)
    weights = torch.zeros(1, 1, h, w, device=planes.device)
    for (top, bottom), (left, right) in product(rows, columns):
        parts = []
        for plane in (planes, *larger):
            times = plane.shape[2] // h
            parts.append(plane[:, :, times * top : times * bottom, times * left : times * right])
        part = predict(*parts)
        if total.ndim == 0:
            total = torch.zeros(1, part.shape[1], h, w, device=planes.device)
        weight = _ramp(top, bottom, h)[:, None] * _ramp(left, right, w)
        weight = weight.to(planes.device)
        total[:, :, top:bottom, left:right] += weight * part
        weights[:, :, top:bottom, left:right] += weight
    return total / weights


def tile_spans(length: int, tile: int, stride: int) -> list[tuple[int, int]]:
    """From where to where tiles go along a side of `length` pixels: of one size, evenly apart, on the stride's grid.

    >>> tile_spans(160, 64, 8)
    [(0, 64), (48, 112), (96, 160)]
    """
    tile = tile // stride * stride
    if length <= tile:
        return [(0, length)]
    step = tile - int(OVERLAP * tile)
    count = -(-(length - tile) // step) + 1
    starts = [round(i * (length - tile) / (count - 1) / stride) * stride for i in range(count)]
    return [(start, start + tile) for start in starts]


def check_fits(sides: tuple[int, int], tile: int, bytes_per_pixel: int, memory: float) -> None:
    """Raises `MemoryLimitError` where running parts of `(h, w)` pixels takes more than `memory` GiB, about."""
    h, w = sides
    rest = _RESULT_BYTES * h * w
    needed = rest + bytes_per_pixel * min(h, tile) * min(w, tile)
    if needed <= memory * _GIB:
        return
    left = memory * _GIB - rest
    fitting = int((max(0.0, left) / bytes_per_pixel) ** 0.5)
    smaller = int(max(h, w) * (memory * _GIB / needed) ** 0.5)
    advice = f"tile may be at most {fitting} px, or " if fitting >= SMALLEST else ""
    raise MemoryLimitError(
        f"a picture of {h}×{w} px in tiles of at most {tile} px takes about {needed / _GIB:.2g} GiB, "
        f"more than memory={memory:g}; {advice}side at most {smaller} px, or memory more"
    )


def _ramp(start: int, stop: int, length: int) -> Tensor:
    """How much a tile's rows or columns count: rising from the edges, but for the image's own."""
    place = torch.arange(stop - start, dtype=torch.float32) + 0.5
    rise = OVERLAP * (stop - start)
    before = torch.ones_like(place) if start == 0 else (place / rise).clamp(max=1)
    after = torch.ones_like(place) if stop == length else (place.flip(0) / rise).clamp(max=1)
    return torch.minimum(before, after)
