"""Shared sampling's first two stages in torch: labels grow into like colours; unknown pixels gather sample pairs.

The twin of `shared_sampling`, which says what is computed; here is how for many images at once. Planes are
`(N, C, H·W)`, what is known of pixels `(N, H, W)`: 1 foreground, -1 background, 0 unknown. Samples are known by flat
index; where an axis has length 2, 0 is foreground, 1 background.
"""

import torch
from torch import Tensor
from torch.nn import functional

from active_matting.solvers.shared_rows import nearest_offsets
from active_matting.solvers.torch_nearest import nearest_labelled
from active_matting.solvers.torch_neighbours import Neighbourhood, blocks, first_of
from active_matting.types import Label

_TINY = 1e-6


def expand(colours: Tensor, labels: Tensor, radius: int, threshold: float) -> Tensor:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour, float32 (N, H, W).

    colours: float32 (N, 3, H, W); labels: int8 (N, H, W).
    """
    known = torch.where(labels == Label.TRANSITION, 0, labels).float()
    if radius < 1:
        return known
    side = 2 * radius + 1
    offsets = nearest_offsets(side * side)[1:]
    offsets = offsets[(offsets**2).sum(1) <= radius * radius]
    expanded = known.flatten(1)
    for _, seen in Neighbourhood(torch.cat([colours, known[:, None]], dim=1), offsets, fill=0.0):
        distance = _squared(colours.flatten(2)[:, :, None] - seen[:, :3])
        offered = seen[:, 3]  # (N, K, H·W)
        first = first_of((distance <= threshold * threshold) & (offered != 0), 1)
        padded = functional.pad(offered, (0, 0, 0, 1))  # whom no one offers a label gets none
        expanded = torch.where(expanded == 0, padded.gather(1, first[:, None])[:, 0], expanded)
    return expanded.view_as(known)


def gather(colours: Tensor, variance: Tensor, known: Tensor, hits: Tensor, energies: Tensor) -> Tensor:
    """The best pair of samples of each pixel: foreground, background, both variances, (N, 8, H·W); see `cast_rays`."""
    n, _, h, w = colours.shape
    rays = hits.shape[2]
    has_met = hits >= 0  # (N, 2, rays, H·W)
    nearest = torch.stack([nearest_labelled(known == 1), nearest_labelled(known == -1)], dim=1).flatten(2)

    # Who met no sample of a kind takes the nearest as that of the first ray; other empty places are infinitely far.
    has_none = ~has_met.any(2)
    has_met = torch.cat([has_met[:, :, :1] | has_none[:, :, None], has_met[:, :, 1:]], dim=2)
    index = torch.cat([torch.where(has_none, nearest, hits[:, :, 0])[:, :, None], hits[:, :, 1:]], dim=2).clamp(min=0)
    y, x = torch.arange(h, device=known.device)[:, None].expand(h, w), torch.arange(w, device=known.device).expand(h, w)
    dy, dx = index // w - y.flatten(), index % w - x.flatten()
    distance = torch.where(has_met, (dy * dy + dx * dx).float().sqrt(), torch.inf)
    samples = torch.cat([colours, variance[:, None]], dim=1).flatten(2)  # (N, 4, H·W)

    def take(chosen: Tensor) -> Tensor:  # (N, K, H·W) → (N, 4, K, H·W)
        return samples.gather(2, chosen.flatten(1)[:, None].expand(-1, 4, -1)).view(n, 4, *chosen.shape[1:])

    # PF_p = E_b / (E_f + E_b): the label that costs less to reach is likelier; 1/2 where a side is unseen.
    least = energies.amin(2)  # (N, 2, H·W)
    probability = (least[:, 1] + _TINY) / (least[:, 0] + least[:, 1] + 2 * _TINY)
    probability = torch.where(least.isinf().any(1), 0.5, probability)[:, None]

    padded = functional.pad(colours, (1, 1, 1, 1), mode="replicate")
    around = [padded[:, :, i : i + h, j : j + w].flatten(2)[:, :, None] for i in range(3) for j in range(3)]
    best = distance.new_full((n, h * w), torch.inf)
    pair = torch.zeros_like(nearest)  # (N, 2, H·W)
    all_pairs = torch.cartesian_prod(*(torch.arange(rays, device=known.device),) * 2)  # (rays², 2)
    for block in blocks(len(all_pairs), 4 * n * h * w, known.device):
        i, j = all_pairs[block].unbind(1)
        f, b = index[:, 0, i], index[:, 1, j]
        cost = _cost_of_pairs(around, take(f)[:, :3], take(b)[:, :3], probability)
        cost = cost * distance[:, 0, i] * distance[:, 1, j].square().square()
        least_cost = cost.amin(1)
        first = first_of(cost == least_cost[:, None], 1).clamp(max=len(i) - 1)[:, None]
        chosen = torch.stack([f.gather(1, first)[:, 0], b.gather(1, first)[:, 0]], dim=1)
        pair = torch.where((least_cost < best)[:, None], chosen, pair)
        best = torch.minimum(best, least_cost)
    f_sample, b_sample = take(pair).unbind(2)
    return torch.cat([f_sample[:, :3], b_sample[:, :3], f_sample[:, 3:], b_sample[:, 3:]], dim=1)


def _cost_of_pairs(around: list[Tensor], foreground: Tensor, background: Tensor, probability: Tensor) -> Tensor:
    # (N, K, H·W) for colours (N, 3, K, H·W).
    way = foreground - background
    inverse = 1 / (_squared(way) + _TINY)

    def alpha_of(colour: Tensor) -> tuple[Tensor, Tensor]:
        rest = colour - background
        return (_dot(rest, way) * inverse).clamp(0, 1), rest

    # N_p = Σ over the 3×3 pixels q around p of M_q(F, B)², M_q = ‖C_q - (α̂ F + (1 - α̂) B)‖.
    fit = torch.zeros_like(inverse)
    for colour in around:
        alpha, rest = alpha_of(colour)
        fit += _squared(rest - alpha[:, None] * way)

    # N_p³ A_p², A_p = PF_p + (1 - 2 PF_p) α̂_p: alpha should agree with the likelier label.
    a = probability + (1 - 2 * probability) * alpha_of(around[4])[0] + _TINY
    m = fit + _TINY
    return m * m * m * (a * a)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    # Over the channels, the second axis; written out so that rounding is the same on all devices.
    return one[:, 0] * other[:, 0] + one[:, 1] * other[:, 1] + one[:, 2] * other[:, 2]


def _squared(vector: Tensor) -> Tensor:
    return _dot(vector, vector)
