"""Shared sampling's first two stages in torch: labels grow into like colours; unknown pixels gather sample pairs.

The twin of `solvers.sampling.expansion` and `.gathering`, which say what is computed; here is how for many images.
Samples are known by flat index; where an axis has length 2, 0 is foreground, 1 background.
"""

import torch
from torch import Tensor
from torch.nn import functional

from active_matting.solvers.batched.neighbours import Neighbourhood, blocks, dot, first_of, squared
from active_matting.solvers.sampling.rows import nearest_offsets
from active_matting.types import Label

_TINY = 1e-6


def expand(colours: Tensor, labels: Tensor, radius: int, threshold: float) -> Tensor:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour, (N, H, W): 1, -1, 0.

    Pixels in a transition stay unknown. colours: float32 (N, 3, H, W); labels: int8 (N, H, W).
    """
    known = torch.where(labels == Label.TRANSITION, 0, labels).float()
    if radius < 1:
        return known
    side = 2 * radius + 1
    offsets = nearest_offsets(side * side)[1:]
    offsets = offsets[(offsets**2).sum(1) <= radius * radius]
    # The nearer, the more; twice that, and one more for the foreground: the most says which label came first.
    ranks = torch.arange(len(offsets), 0, -1, dtype=torch.float32, device=known.device).view(-1, 1, 1)
    most = torch.zeros_like(known)
    for block, seen in Neighbourhood(torch.cat([colours, known[:, None]], dim=1), offsets):
        distance, offered = squared(colours[:, :, None] - seen[:, :3]), seen[:, 3]  # (N, K, H, W)
        votes = (2 * ranks[block] + (offered > 0)) * offered.abs() * (distance <= threshold * threshold)
        most = torch.maximum(most, votes.amax(1))
    told = torch.where(most > 0, 2 * (most % 2) - 1, 0.0)
    return torch.where(labels == Label.UNLABELLED, told, known)


def gather(colours: Tensor, variance: Tensor, known: Tensor, hits: Tensor, energies: Tensor) -> Tensor:
    """The best pair of samples of each pixel: foreground, background, both variances, (N, 8, H, W).

    colours: (N, 3, H, W); variance, known: (N, H, W); hits and energies as `cast_rays` gives them. A pixel none of
    whose rays met a foreground sample takes the mean of all known ones, likewise for the background.
    """
    n, _, h, w = colours.shape
    index, distance = _samples(known, hits)
    table = torch.cat([colours, variance[:, None]], dim=1).flatten(2)
    table = torch.cat([table, _means(known, table)], dim=2)  # (N, 4, H·W + 2)

    def take(chosen: Tensor) -> Tensor:  # (N, K, H, W) → (N, 4, K, H, W)
        place = chosen.reshape(n, 1, -1).expand(-1, 4, -1)
        return table.gather(2, place).view(n, 4, *chosen.shape[1:])

    # PF_p = E_b / (E_f + E_b): the label that costs less to reach is likelier; 1/2 where a side is unseen.
    least = energies.amin(2)  # (N, 2, H, W)
    probability = (least[:, 1] + _TINY) / (least[:, 0] + least[:, 1] + 2 * _TINY)
    probability = torch.where(least.isinf().any(1), 0.5, probability)[:, None]

    padded = functional.pad(colours, (1, 1, 1, 1), mode="replicate")
    around = [padded[:, :, None, i : i + h, j : j + w] for i in range(3) for j in range(3)]
    best = colours.new_full((n, h, w), torch.inf)
    pair = index[:, :, 0]
    rays = torch.arange(index.shape[2], device=known.device)
    all_pairs = torch.cartesian_prod(rays, rays)
    for block in blocks(len(all_pairs), n * h * w, known.device):
        i, j = all_pairs[block].unbind(1)
        f, b = index[:, 0, i], index[:, 1, j]
        fit = _cost_of_pairs(around, take(f)[:, :3], take(b)[:, :3], probability)
        cost = fit * distance[:, 0, i] * distance[:, 1, j].square().square()
        lowest = cost.amin(1)
        first = first_of(cost == lowest[:, None]).clamp(max=len(i) - 1)[:, None]
        chosen = torch.stack([f.gather(1, first)[:, 0], b.gather(1, first)[:, 0]], dim=1)
        pair = torch.where((lowest < best)[:, None], chosen, pair)
        best = torch.minimum(best, lowest)
    f_sample, b_sample = take(pair).unbind(2)
    return torch.cat([f_sample[:, :3], b_sample[:, :3], f_sample[:, 3:], b_sample[:, 3:]], dim=1)


def _means(known: Tensor, table: Tensor) -> Tensor:
    # Of what the table (N, 4, H·W) says of all foreground pixels, and of all background pixels, (N, 4, 2).
    is_kind = torch.stack([known == 1, known == -1], dim=3).flatten(1, 2).double()  # (N, H·W, 2)
    counts = is_kind.sum(1, keepdim=True).clamp(min=1)
    return (table.double() @ is_kind / counts).float()


def _samples(known: Tensor, hits: Tensor) -> tuple[Tensor, Tensor]:
    # Each pixel's samples and how far they are, (N, 2, rays, H, W): flat indices, or H·W + kind for all pixels' mean,
    # which counts as a pixel away; empty places are infinitely far.
    h, w = known.shape[1:]
    kind = torch.arange(2, device=hits.device).view(2, 1, 1, 1)
    is_first = (torch.arange(hits.shape[2], device=hits.device) == 0).view(-1, 1, 1)
    has_met = hits >= 0
    takes_mean = ~has_met.any(2, keepdim=True) & is_first
    index = torch.where(takes_mean, h * w + kind, hits.clamp(min=0))
    y, x = (torch.arange(length, device=known.device) for length in (h, w))
    dy, dx = index // w - y[:, None], index % w - x
    distance = (dy * dy + dx * dx).float().sqrt()
    return index, torch.where(takes_mean, 1.0, torch.where(has_met, distance, torch.inf))


def _cost_of_pairs(around: list[Tensor], foreground: Tensor, background: Tensor, probability: Tensor) -> Tensor:
    # (N, K, H, W) for colours (N, 3, K, H, W); around: what is at the 3×3 pixels, (N, 3, 1, H, W) each.
    way = foreground - background
    inverse = 1 / (squared(way) + _TINY)

    def alpha_of(rest: Tensor) -> Tensor:
        return (dot(rest, way) * inverse).clamp(0, 1)

    # N_p = Σ over the 3×3 pixels q around p of M_q(F, B)², M_q = ‖C_q - (α̂ F + (1 - α̂) B)‖.
    fit = torch.zeros_like(inverse)
    for colour in around:
        rest = colour - background
        fit += squared(rest - alpha_of(rest)[:, None] * way)

    # N_p³ A_p², A_p = PF_p + (1 - 2 PF_p) α̂_p: alpha should agree with the likelier label.
    a = probability + (1 - 2 * probability) * alpha_of(around[4] - background) + _TINY
    m = fit + _TINY
    return m * m * m * (a * a)
