"""The Gaussian over locations, and REINFORCE's formulas (Active Matting, sec. 2.3)."""

from math import log, pi

import torch
from torch import Tensor


def sample_locations(centre: Tensor, deviation: float, candidates: int, generator: torch.Generator | None) -> Tensor:
    """l̃ ~ N(l̂, Ω²): (..., S, 2) around centres (..., 2). They may leave [-1, 1]; the environment moves them in.

    generator: on the CPU, so that a seed means the same on every device; None is torch's own.
    """
    noise = torch.randn((*centre.shape[:-1], candidates, 2), generator=generator, dtype=centre.dtype)
    return centre.unsqueeze(-2) + deviation * noise.to(centre.device)


def log_probability(locations: Tensor, centre: Tensor, deviation: float | Tensor) -> Tensor:
    """log N(l̃; l̂, Ω²), (..., S), of locations (..., S, 2) around centres (..., 2)."""
    scaled = (locations - centre.unsqueeze(-2)) / deviation
    return -(scaled**2).sum(-1) / 2 - 2 * _log(deviation) - log(2 * pi)


def entropy(deviation: float | Tensor) -> Tensor:
    """Of N(l̂, Ω²) in two dimensions, a scalar; wherever l̂ is."""
    return torch.as_tensor(2 * _log(deviation) + 1 + log(2 * pi))


def reinforce_loss(log_probabilities: Tensor, rewards: Tensor, baselines: Tensor, counts: Tensor) -> Tensor:
    """A scalar whose gradient is minus equation 6's.

    log_probabilities, rewards (T, M, S): of S candidates in T steps of M episodes. baselines (T, M). counts: bool
    (T, M, S), false for what was skipped and so carries no gradient. Summed over steps and candidates, averaged over
    episodes; no gradient flows into the baselines.
    """
    advantages = (rewards - baselines.detach().unsqueeze(-1)) * counts
    return -(advantages * log_probabilities).sum() / rewards.shape[1]


def leave_one_out(rewards: Tensor, baselines: Tensor, group: int) -> Tensor:
    """By how much the other episodes of the same image exceed their baselines at the same step, (T, M) in the mean.

    rewards (T, M, S), baselines (T, M); every `group` episodes in a row are of one image. As an addition to the
    baseline it takes away what an image's difficulty does to the rewards, and no episode's own action enters it, so
    that the gradient's expectation stays equation 6's. Zero for groups of one; without gradient.
    """
    excess = (rewards - baselines.unsqueeze(-1)).detach().mean(-1)
    if group == 1:
        return torch.zeros_like(excess)
    grouped = excess.reshape(len(excess), -1, group)
    others: Tensor = (grouped.sum(-1, keepdim=True) - grouped) / (group - 1)
    return torch.flatten(others, 1)


def baseline_loss(rewards: Tensor, baselines: Tensor, counts: Tensor) -> Tensor:
    """Mean squared error of the baselines (T, M) against the rewards (T, M, S) that count."""
    errors = (rewards - baselines.unsqueeze(-1)) ** 2 * counts
    return errors.sum() / counts.sum().clamp(min=1)


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """Returns (T, ...): each reward plus `discount` times the return of the step after it."""
    returns = torch.zeros_like(rewards)
    ahead = torch.zeros_like(rewards[0])
    for step in range(len(rewards) - 1, -1, -1):
        ahead = rewards[step] + discount * ahead
        returns[step] = ahead
    return returns


def _log(deviation: float | Tensor) -> float | Tensor:
    return torch.log(deviation) if isinstance(deviation, Tensor) else log(deviation)
