"""Shared sampling's last two stages in torch: neighbours share their best pairs; colours and alpha are smoothed.

The twin of `shared_refinement` and `shared_smoothing`, which say what is computed.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.solvers.batched.batch import TorchMatte
from active_matting.solvers.batched.neighbours import Neighbourhood, dot, squared
from active_matting.solvers.sampling.rows import chessboard_offsets, nearest_offsets
from active_matting.solvers.sampling.smoothing import window_radius

_TINY = 1e-6
_FAR = 1e18  # the cost of the pair of a pixel that has none
_NO_KEY = 0x7F7FFFFF  # above every cost that can occur
_NO_PAIR = 0x50000000  # from here on are the costs that only pixels without a pair have


def refine(colours: Tensor, known: Tensor, pairs: Tensor, neighbours: int, decay: float) -> Tensor:
    """Foreground, background, alpha and confidence from the neighbours' best three pairs, (N, 8, H, W).

    colours: (N, 3, H, W); known: (N, H, W); pairs: (N, 8, H, W).
    """
    is_unknown = (known == 0)[:, None]
    offsets = chessboard_offsets(neighbours)
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
    count = has_pair.sum(1, keepdim=True).clamp(min=1)
    return total * (1 / count)  # rounded as in the twin: what is flat stays out of its variance of 0, or in it


def _project(colour: Tensor, foreground: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
    # α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M = ‖C - (α̂ F + (1 - α̂) B)‖.
    way, rest = foreground - background, colour - background
    alpha = (dot(rest, way) / (squared(way) + _TINY)).clamp(0, 1)
    return alpha, squared(rest - alpha[:, None] * way).sqrt()


def smooth(colours: Tensor, known: Tensor, refined: Tensor, neighbours: int, decay: float) -> TorchMatte:
    """Smooth colours and alpha over the nearest pixels, weighted by confidence.

    colours: (N, 3, H, W); known: (N, H, W); refined: (N, 8, H, W).
    """
    terms = _terms(known, refined)
    sums = _sum_by_difference(terms, refined[:, 6], neighbours)
    both, apart, told, one, f_sure, b_sure = _sum_windows(terms, neighbours).unbind(1)

    # F = Σ W_c α F / Σ W_c α and likewise B; where nothing has weight the refined colour stays.
    foreground = torch.where(sums[:, :1] > 0, sums[:, 1:4] / sums[:, :1], refined[:, :3])
    background = torch.where(sums[:, 4:5] > 0, sums[:, 5:8] / sums[:, 4:5], refined[:, 3:6])

    # f = min(1, ‖F - B‖ / D_FB) exp(-λ M(F, B)), D_FB the neighbours' mean of ‖F - B‖.
    alpha, distance = _project(colours, foreground, background)
    ratio = torch.where(apart > 0, squared(foreground - background).sqrt() * both / apart, 1.0)
    confidence = ratio.clamp(max=1) * torch.exp(-decay * distance)

    # α = f α̂ + (1 - f) α_low, α_low = Σ W_α α / Σ W_α, W_α = G f_q + [q is known].
    total = f_sure + b_sure + told
    low = torch.where(total > 0, (f_sure + one) / total, refined[:, 6])
    smoothed = (confidence * alpha + (1 - confidence) * low).clamp(0, 1)

    is_unknown = known == 0
    alpha = torch.where(is_unknown, smoothed, (known == 1).float())
    mixed = (torch.where(is_unknown[:, None], part, colours) for part in (foreground, background))
    return TorchMatte(alpha, *(part.permute(0, 2, 3, 1).contiguous() for part in mixed))


def _terms(known: Tensor, refined: Tensor) -> Tensor:
    # What the neighbours' sums are made of, (N, 12, H, W); f is the confidence:
    # f α, f α F, f (1 - α), f (1 - α) B, f α (1 - α), f α (1 - α) ‖F - B‖, [known], [known] α.
    foreground, background, (alpha, confidence) = refined[:, :3], refined[:, 3:6], refined[:, 6:].unbind(1)
    f_weight, b_weight, both = confidence * alpha, confidence * (1 - alpha), confidence * alpha * (1 - alpha)
    is_known = (known != 0).float()
    return torch.cat(
        [
            f_weight[:, None], f_weight[:, None] * foreground, b_weight[:, None], b_weight[:, None] * background,
            torch.stack([both, both * squared(foreground - background).sqrt(), is_known, alpha * is_known], dim=1),
        ],
        dim=1,
    )  # fmt: skip


def _gaussian(squared_distances: NDArray[np.int64], neighbours: int, device: torch.device) -> Tensor:
    # A variance of m / 9π makes the m pixels a disc of three standard deviations. The peak is 1: known pixels then
    # outweigh others in α_low without silencing them.
    weights = np.exp(squared_distances * (-9 * np.pi / (2 * neighbours)))
    return torch.tensor(weights.astype(np.float32), device=device).view(-1, 1, 1)


def _sum_by_difference(terms: Tensor, alpha: Tensor, neighbours: int) -> Tensor:
    # W_c = G f_q |α_p - α_q|, and G f_p for the pixel itself: Σ W_c α, W_c α F, W_c (1 - α), W_c (1 - α) B over the
    # disc, (N, 8, H, W).
    offsets = nearest_offsets(neighbours)
    gauss = _gaussian((offsets**2).sum(1), neighbours, terms.device)
    sums = torch.zeros_like(terms[:, :8])
    for block, seen in Neighbourhood(torch.cat([terms[:, :8], alpha[:, None]], dim=1), offsets):
        difference = (alpha[:, None] - seen[:, 8]).abs()
        if block.start == 0:
            difference[:, 0] = 1
        sums += ((gauss[block] * difference)[:, None] * seen[:, :8]).sum(2)
    return sums


def _sum_windows(terms: Tensor, neighbours: int) -> Tensor:
    # Over the square, (N, 6, H, W): Σ W_FB = f α (1 - α), Σ W_FB ‖F - B‖, Σ [known], Σ [known] α; with weights G,
    # Σ G f α and Σ G f (1 - α). Down the columns first, then along the rows.
    radius = window_radius(neighbours)
    along = np.arange(-radius, radius + 1)
    line = _gaussian(along**2, neighbours, terms.device)
    sums = torch.cat([terms[:, 8:], terms[:, :1], terms[:, 4:5]], dim=1)
    for axis in range(2):
        offsets = np.stack([along, np.zeros_like(along)][:: 1 - 2 * axis], axis=1)
        planes, sums = sums, torch.zeros_like(sums)
        for block, seen in Neighbourhood(planes, offsets):
            sums[:, :4] += seen[:, :4].sum(2)
            sums[:, 4:] += (line[block] * seen[:, 4:]).sum(2)
    return sums
