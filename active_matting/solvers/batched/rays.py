"""Shared sampling's rays in torch: what each pixel meets in each direction, by scans along parallel lines.

The twin of `solvers.sampling.rays.cast_rays`. All pixels that look in one direction lie on parallel lines x = line +
round(y · slope). Row by row in that direction, and with x - round(y · slope) modulo W for columns, lines become columns
of a plane as large as the image, and what was met last along them is a cumulative maximum.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from active_matting.solvers.batched.neighbours import blocks


class _Directions(NamedTuple):
    # Directions that run along y rather than x, in an upright frame of (h, w) pixels; d of them, q pixels for each.
    weights: Tensor  # (d, 3): of the structure tensor's planes, such that their sum is the energy of one step
    rows: Tensor  # (d, h): the row at each step, the farthest along the rays first
    shifts: Tensor  # (d, h): round(y · slope) at each step
    steps: Tensor  # (d, q): at which step the pixels that look there lie
    columns: Tensor  # (d, q): their x; w if there is none
    rays: Tensor  # (d): the ray's number


def cast_rays(tensor: Tensor, known: Tensor, rays: int, tile: int) -> tuple[Tensor, Tensor]:
    """The first foreground and background pixel on each pixel's rays, and the energy of the way there.

    tensor: structure tensors, float32 (N, 3, H, W); known: (N, H, W). Returns hits, int64 `(N, 2, rays, H, W)`, flat
    indices or -1, and energies, float32, same shape: the path integral of ‖∇I · d‖² [E_p], infinite where nothing was
    hit. Index 0 of the second axis is foreground, 1 background.
    """
    n, h, w = known.shape
    # One more place takes what belongs to no pixel.
    hits = torch.full((n, 2, rays * h * w + 1), -1, device=known.device)
    energies = torch.full((n, 2, rays * h * w + 1), torch.inf, device=known.device)
    # Rays that run along x rather than y are rays along y of the transposed image.
    frames = (tensor, known, (w, 1)), (tensor.flip(1).mT, known.mT, (1, w))
    for is_turned, (planes, labels, strides) in enumerate(frames):
        directions = _directions(*labels.shape[1:], rays, tile, bool(is_turned), known.device)
        for block in blocks(len(directions.rays), 4 * known.numel(), known.device):
            some = _Directions(*(part[block] for part in directions))
            place, pixel, energy = _sweep(planes, labels, some, strides)
            hits[:, :, place] = pixel
            energies[:, :, place] = energy
    return (part[..., :-1].reshape(n, 2, rays, h, w) for part in (hits, energies))  # type: ignore[return-value]


def _sweep(
    planes: Tensor, labels: Tensor, directions: _Directions, strides: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    # Where in (rays · H·W) the pixels that look there are, (d, q); what they hit and its energy, (N, 2, d, q).
    n, h, w = labels.shape
    d = len(directions.rays)
    rows, shifts = directions.rows[:, :, None], directions.shifts[:, :, None]
    cells = (rows * w + (torch.arange(w, device=labels.device) + shifts) % w).flatten()  # (d · h · w)

    # The energy of all steps up to each, and the last step at which something was labelled.
    energy = (directions.weights[:, :, None] * planes.reshape(n, 1, 3, h * w)).sum(2)  # (N, d, H·W)
    energy = energy.gather(2, cells.view(1, d, h * w).expand(n, d, -1)).view(n, d, h, w)
    total = energy.cumsum(2, dtype=torch.float64).flatten(1)
    seen = labels.reshape(n, h * w)[:, cells].view(n, d, h, w)
    step = torch.arange(h, dtype=torch.int32, device=labels.device)[:, None]
    is_labelled = torch.stack([seen == 1, seen == -1], dim=1)
    last = torch.where(is_labelled, step, -1).cummax(3).values.flatten(2)  # (N, 2, d · h · w)

    # What the pixels which look in a direction find where they are.
    number = torch.arange(d, device=labels.device)[:, None]
    line = directions.columns - directions.shifts.gather(1, directions.steps)  # (d, q)
    here = (number * h + directions.steps) * w + line % w
    met = last[:, :, here].long()  # (N, 2, d, q)
    at = met.clamp(min=0)
    y, x = directions.rows[number, at], line + directions.shifts[number, at]
    is_hit = (met >= 0) & (x >= 0) & (x < w)  # else it is of the line that went on where this one left the image
    there = (number * h + at) * w + line % w
    way = total[:, None, here] - total.gather(1, there.flatten(1)).view_as(there)
    way = way.clamp(min=0)  # below are only roundings
    y_stride, x_stride = strides
    pixel = directions.rows.gather(1, directions.steps) * y_stride + directions.columns * x_stride
    place = torch.where(directions.columns < w, directions.rays[:, None] * h * w + pixel, -1)
    hit = torch.where(is_hit, y * y_stride + x * x_stride, -1)
    return place, hit, torch.where(is_hit, way.float(), torch.inf)


@lru_cache(maxsize=16)
def _directions(h: int, w: int, rays: int, tile: int, is_turned: bool, device: torch.device) -> _Directions:
    phases = tile * tile
    k = np.arange(rays * phases)
    ray, phase = k // phases, k % phases
    angle = 2 * np.pi * (ray + (phase + 0.5) / phases) / rays
    dy, dx = np.sin(angle), np.cos(angle)
    is_ours = (abs(dy) >= abs(dx)) != is_turned
    ty, tx = phase // tile, phase % tile
    if is_turned:
        dy, dx, ty, tx = dx, dy, tx, ty
    dy, dx, ty, tx, ray = (a[is_ours] for a in (dy, dx, ty, tx, ray))
    step = abs(1 / dy)
    weights = np.stack([step * dy * dy, 2 * step * dy * dx, step * dx * dx], axis=1).astype(np.float32)
    is_down = (dy > 0)[:, None]
    rows = np.where(is_down, np.arange(h)[::-1], np.arange(h))
    shifts = np.floor(rows * (dx / dy)[:, None] + 0.5).astype(np.int64)

    # Only the pixels with one place in their tile look in a direction.
    y = ty[:, None, None] + np.arange(0, h, tile)[:, None] + np.zeros((1, len(range(0, w, tile))), dtype=np.int64)
    x = tx[:, None, None] + np.arange(0, w, tile) + np.zeros_like(y)
    is_pixel = (y < h) & (x < w)
    y, x = (np.where(is_pixel, a, other).reshape(len(ray), -1) for a, other in ((y, 0), (x, w)))
    steps = np.where(is_down, h - 1 - y, y)
    return _Directions(*(torch.tensor(a, device=device) for a in (weights, rows, shifts, steps, x, ray)))
