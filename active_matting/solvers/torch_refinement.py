"""Shared sampling's last two stages in torch: neighbours share their best pairs; colours and alpha are smoothed.

The twin of `shared_refinement`, which says what is computed.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.solvers.shared_rows import nearest_offsets
from active_matting.solvers.torch_batch import TorchMatte
from active_matting.solvers.torch_neighbours import Neighbourhood, dot, squared

_TINY = 1e-6
_FAR = 1e18  # the cost of the pair of a pixel that has none
_NO_KEY = 0x7F7FFFFF  # above every cost that can occur
_NO_PAIR = 0x50000000  # from here on are the costs that only pixels without a pair have


def refine(colours: Tensor, known: Tensor, pairs: Tensor, neighbours: int, decay: float) -> Tensor:
    """Foreground, background, alpha and confidence from the neighbours' best three pairs, (N, 8, H, W).

    colours: (N, 3, H, W); known: (N, H, W); pairs: (N, 8, H, W).
    """
    is_unknown = (known == 0)[:, None]
    offsets = nearest_offsets(3 * neighbours)
    offsets = offsets[offsets.sum(1) % 2 == 0][:neighbours]  # one colour of a chessboard
    mean = _average_pairs(_best_three(colours, is_unknown, pairs, offsets), pairs, offsets)

    # Confidence is exp(-λ M_p(F̃, B̃)), and none if both colours become the pixel's own.
    _, distance = _project(colours, mean[:, :3], mean[:, 3:6])
    is_f = squared(colours - mean[:, :3]) <= mean[:, 6]
    is_b = squared(colours - mean[:, 3:6]) <= mean[:, 7]
    confidence = torch.where(is_f & is_b, 0.0, torch.exp(-decay * distance))

    # A colour within the sample's variance is the pixel's own.
    foreground = torch.where(is_f[:, None], colours, mean[:, :3])
    background = torch.where(is_b[:, None], colours, mean[:, 3:6])
    alpha, _ = _project(colours, foreground, background)
    refined = torch.cat([foreground, background, alpha[:, None], confidence[:, None]], dim=1)
    told = known.clamp(min=0)[:, None]
    return torch.where(is_unknown, refined, torch.cat([colours, colours, told, torch.ones_like(told)], dim=1))


def _best_three(colours: Tensor, is_unknown: Tensor, pairs: Tensor, offsets: NDArray[np.int64]) -> Tensor:
    # Keys (N, 3, H, W): the bits of a cost ≥ 0, which order as it does, the last eight replaced by the neighbour's
    # number; so costs are compared to 15 bits, and ties go to the nearer neighbour.
    way = pairs[:, :3] - pairs[:, 3:6]
    inverse = 1 / (_TINY + way[:, 0] * way[:, 0] + way[:, 1] * way[:, 1] + way[:, 2] * way[:, 2])
    inverse = torch.where(is_unknown[:, 0], inverse, 0.0)  # 0, as on the border: no pair
    lines = torch.cat([pairs[:, 3:6], way, inverse[:, None]], dim=1)
    best = torch.full_like(colours, _NO_KEY, dtype=torch.int32)
    for block, seen in Neighbourhood(lines, offsets):
        # M_p² = ‖C - B - α̂ (F - B)‖²
        rest, there = colours[:, :, None] - seen[:, :3], seen[:, 3:6]
        alpha = (dot(rest, there) * seen[:, 6]).clamp(0, 1)
        cost = torch.where(seen[:, 6] > 0, squared(rest - alpha[:, None] * there), _FAR)
        number = torch.arange(block.start, block.stop, dtype=torch.int32, device=cost.device).view(-1, 1, 1)
        keys = torch.cat([best, (cost.view(torch.int32) & -256) | number], dim=1)
        least = []
        for _ in range(3):
            least.append(keys.amin(1))
            keys = torch.where(keys == least[-1][:, None], _NO_KEY, keys)
        best = torch.stack(least, dim=1)
    return best


def _average_pairs(keys: Tensor, pairs: Tensor, offsets: NDArray[np.int64]) -> Tensor:
    everywhere = Neighbourhood(pairs, offsets)
    total = torch.zeros_like(pairs)
    has_pair = keys < _NO_PAIR
    numbers = torch.where(has_pair, keys & 255, 0)
    for i in range(3):
        total += torch.where(has_pair[:, i : i + 1], everywhere.chosen(numbers[:, i]), 0.0)
    return total / has_pair.sum(1, keepdim=True).clamp(min=1)


def _project(colour: Tensor, foreground: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    # α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M = ‖C - (α̂ F + (1 - α̂) B)‖.
    way = foreground - background
    square = _TINY + way[:, 0] * way[:, 0] + way[:, 1] * way[:, 1] + way[:, 2] * way[:, 2]
    alpha = (dot(colour - background, way) / square).clamp(0, 1)
    rest = colour - alpha[:, None] * foreground - (1 - alpha)[:, None] * background
    return alpha, squared(rest).sqrt()


def smooth(colours: Tensor, known: Tensor, refined: Tensor, neighbours: int, decay: float) -> TorchMatte:
    """Smooth colours and alpha over the nearest pixels, weighted by confidence.

    colours: (N, 3, H, W); known: (N, H, W); refined: (N, 8, H, W).
    """
    sums = _sum_neighbours(_terms(known, refined), neighbours)

    # F = Σ W_c α F / Σ W_c α and likewise B; where nothing has weight the refined colour stays.
    foreground = torch.where(sums[:, :1] > 0, sums[:, 1:4] / sums[:, :1], refined[:, :3])
    background = torch.where(sums[:, 4:5] > 0, sums[:, 5:8] / sums[:, 4:5], refined[:, 3:6])

    # f = min(1, ‖F - B‖ / D_FB) exp(-λ M(F, B)), D_FB the neighbours' mean of ‖F - B‖.
    alpha, distance = _project(colours, foreground, background)
    apart = squared(foreground - background).sqrt()
    ratio = torch.where(sums[:, 9] > 0, apart * sums[:, 8] / sums[:, 9], 1.0)
    confidence = ratio.clamp(max=1) * torch.exp(-decay * distance)

    # α = f α̂ + (1 - f) α_low, α_low = Σ W_α α / Σ W_α.
    low = torch.where(sums[:, 10] > 0, sums[:, 11] / sums[:, 10], refined[:, 6])
    smoothed = confidence * alpha + (1 - confidence) * low

    is_unknown = known == 0
    alpha = torch.where(is_unknown, smoothed, (known == 1).float())
    both = (torch.where(is_unknown[:, None], part, colours) for part in (foreground, background))
    return TorchMatte(alpha, *(part.permute(0, 2, 3, 1).contiguous() for part in both))


def _terms(known: Tensor, refined: Tensor) -> Tensor:
    # What the neighbours' sums are made of, (N, 14, H, W); see _sum_neighbours.
    foreground, background, (alpha, confidence) = refined[:, :3], refined[:, 3:6], refined[:, 6:].unbind(1)
    f_weight, b_weight, both = confidence * alpha, confidence * (1 - alpha), confidence * alpha * (1 - alpha)
    is_known = (known != 0).float()
    return torch.cat(
        [
            f_weight[:, None], f_weight[:, None] * foreground, b_weight[:, None], b_weight[:, None] * background,
            torch.stack([both, both * squared(foreground - background).sqrt()], dim=1),
            torch.stack([confidence, is_known, alpha * is_known, alpha], dim=1),
        ],
        dim=1,
    )  # fmt: skip


def _sum_neighbours(terms: Tensor, neighbours: int) -> Tensor:
    # A Gaussian of variance m / 9π makes the m pixels a disc of three standard deviations. Its peak is 1: known
    # pixels then outweigh others in α_low without silencing them.
    offsets = nearest_offsets(neighbours)
    gauss = torch.tensor(
        np.exp((offsets**2).sum(1) * (-9 * np.pi / (2 * neighbours))).astype(np.float32), device=terms.device
    ).view(-1, 1, 1)
    here = terms[:, 13:]
    sums = torch.zeros_like(terms[:, :12])
    for block, seen in Neighbourhood(terms, offsets):
        # W_c = G f_q |α_p - α_q|, and G f_p for the pixel itself: Σ W_c α, W_c α F, W_c (1 - α), W_c (1 - α) B.
        difference = (here - seen[:, 13]).abs()
        if block.start == 0:
            difference[:, 0] = 1
        sums[:, :8] += ((gauss[block] * difference)[:, None] * seen[:, :8]).sum(2)

        # W_FB = f α (1 - α): Σ W_FB and Σ W_FB ‖F - B‖.
        sums[:, 8:10] += seen[:, 8:10].sum(2)

        # W_α = G f_q + [q is known]: Σ W_α and Σ W_α α.
        sure = gauss[block] * seen[:, 10]
        sums[:, 10] += (sure + seen[:, 11]).sum(1)
        sums[:, 11] += (sure * seen[:, 13] + seen[:, 12]).sum(1)
    return sums
