"""Shared sampling of many images or label maps at once."""

from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from active_matting.solvers.batched.batch import (
    PreparedBatch,
    PreparedTorch,
    State,
    TorchMatte,
    as_images,
    check_device,
    check_memory,
    chunk_of,
)
from active_matting.solvers.batched.neighbours import cells_on
from active_matting.solvers.batched.rays import cast_rays
from active_matting.solvers.batched.refinement import refine, smooth
from active_matting.solvers.batched.sampling import expand, gather
from active_matting.solvers.shared import Shared
from active_matting.types import Image, check_image

_BYTES_PER_PIXEL = 700  # what solving takes, measured on a CPU: rays' hits and energies, pairs, terms
_SHARE = 8  # so many neighbours of each pixel at least are looked at together
_WINDOW = 5  # side of the window of the local variance


@dataclass(frozen=True)
class SharedTorch:
    """`Shared`, stage by stage and with the same hyper-parameters, for many images or label maps at once.

    Alphas differ from `Shared`'s by rounding. Now and then rounding also decides which of two equally good samples
    is chosen, and one pixel, and those that share its samples, differ visibly: on embedded images of 60 to 100
    pixels at least 99.5 % of the pixels agree to 1e-3, and the RMSE between both is below 0.005.

    >>> import numpy as np
    >>> images = np.random.default_rng(0).random((3, 8, 11, 3))
    >>> label_maps = np.zeros((3, 8, 11), dtype=np.int8)
    >>> label_maps[:, 0], label_maps[:, -1] = 1, -1
    >>> SharedTorch().prepare_batch(images).solve(label_maps).shape
    torch.Size([3, 8, 11])
    """

    expansion_radius: int = Shared.expansion_radius
    expansion_threshold: float = Shared.expansion_threshold
    rays: int = Shared.rays
    tile: int = Shared.tile
    refinement_neighbours: int = Shared.refinement_neighbours
    variance_factor: float = Shared.variance_factor
    smoothing_neighbours: int = Shared.smoothing_neighbours
    confidence_decay: float = Shared.confidence_decay
    device: str = "cpu"
    """What it runs on: "cpu", "cuda" or "cuda:0", ... ."""
    memory: float | None = None
    """GiB that solving may take; what takes more is done in several parts. None: 1/4 on a CPU, 8 on a GPU.
    Blocks of neighbours take a little more: 20 MB on a CPU, 1.3 GB on a GPU."""

    def __post_init__(self) -> None:
        Shared(**{field.name: getattr(self, field.name) for field in fields(Shared)})  # refuses what it refuses
        check_device(self.device)
        check_memory(self.memory)

    def prepare(self, image: Image) -> PreparedTorch:
        """See `Solver.prepare`."""
        return PreparedTorch(self.prepare_batch(check_image(image)[None]))

    def prepare_batch(self, images: Tensor | NDArray[Any]) -> PreparedBatch:
        """Prepare images `(N, H, W, 3)`, floats in [0, 1], a NumPy array or a tensor, to be solved together.

        Raises `InvalidArrayError`.
        """
        device = check_device(self.device)
        colours = as_images(images, device)
        h, w = colours.shape[2:]
        chunk = min(
            chunk_of(self.memory, _BYTES_PER_PIXEL * h * w, device), max(1, cells_on(device) // (_SHARE * h * w))
        )
        variance = torch.cat([_colour_variance(part) for part in torch.split(colours, chunk)]) * self.variance_factor
        state = colours, _structure_tensor(colours), variance
        return PreparedBatch((h, w), partial(_solve, self), state, chunk)


def _solve(parameters: SharedTorch, state: State, labels: Tensor) -> TorchMatte:
    p = parameters
    colours, tensor, variance = state
    known = expand(colours, labels, p.expansion_radius, p.expansion_threshold)
    hits, energies = cast_rays(tensor, known, p.rays, p.tile)
    pairs = gather(colours, variance, known, hits, energies)
    refined = refine(colours, known, pairs, p.refinement_neighbours, p.confidence_decay)
    return smooth(colours, known, refined, p.smoothing_neighbours, p.confidence_decay)


def _structure_tensor(colours: Tensor) -> Tensor:
    # Σ over channels of I_y², I_y I_x, I_x²: (N, 3, H, W) for (N, 3, H, W).
    y, x = _gradient(colours, 2), _gradient(colours, 3)
    return torch.stack([(y * y).sum(1), (y * x).sum(1), (x * x).sum(1)], dim=1)


def _gradient(planes: Tensor, dim: int) -> Tensor:
    # Central differences, one-sided at the border, as `np.gradient` has them; 0 along a side of one pixel.
    place = torch.arange(planes.shape[dim], device=planes.device)
    after, before = (place + 1).clamp(max=len(place) - 1), (place - 1).clamp(min=0)
    step = (after - before).clamp(min=1).view(-1, *(1,) * (planes.ndim - 1 - dim))
    return (planes.index_select(dim, after) - planes.index_select(dim, before)) / step


def _colour_variance(colours: Tensor) -> Tensor:
    # Mean of ‖C_q - C_s‖² over the 5×5 pixels q around each pixel s, (N, H, W) [σ²].
    exact = colours.double()  # the difference of squares below cancels
    padded = functional.pad(exact, (_WINDOW // 2,) * 4, mode="replicate")
    mean, square = (functional.avg_pool2d(a, _WINDOW, stride=1) for a in (padded, padded * padded))
    return (square - 2 * exact * mean + exact * exact).sum(1).clamp(min=0).float()
