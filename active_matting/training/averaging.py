"""The exponential average of a network's weights, which is what is measured and shipped."""

import copy
from dataclasses import dataclass

import torch
from torch import nn

from active_matting.errors import InvalidArgumentError


@dataclass(frozen=True)
class AveragingSettings:
    """How long the average remembers: after update n = 0, 1, … it keeps min(decay, (1 + n) / (10 + n)) of itself.

    The ramp lets it forget the first, random weights; a decay of 0 makes it the weights themselves. Raises
    `InvalidArgumentError`.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise InvalidArgumentError(f"decay must be from 0 to below 1, got {self.decay}")

    def kept(self, updates: int) -> float:
        """What the average keeps of itself at the update that comes after `updates` others."""
        return min(self.decay, (1 + updates) / (10 + updates))


def make_average(network: nn.Module) -> nn.Module:
    """A copy of the network, in evaluation mode and without gradients, to be averaged into."""
    average = copy.deepcopy(network).requires_grad_(False)
    return average.eval()


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, kept: float) -> None:
    """Move `average` towards `network`, keeping `kept` of it; buffers too, whole numbers are taken over."""
    means = [*average.parameters(), *average.buffers()]
    for mean, latest in zip(means, [*network.parameters(), *network.buffers()], strict=True):
        if mean.is_floating_point():
            mean.lerp_(latest, 1 - kept)
        else:
            mean.copy_(latest)
