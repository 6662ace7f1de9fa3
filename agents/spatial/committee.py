"""Several networks of one size that decide together."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from active_matting.agents.spatial.network import Decision, Sight, SpatialPolicy
from active_matting.errors import InvalidArgumentError


class Committee(nn.Module):
    """Networks that were trained apart, asked as one: a square is likely where all of them find it likely.

    What one training happened to learn wrong is outvoted. The members' log-probabilities are averaged, so that a square
    which any of them holds to be mixed or of no use loses; so are all other figures of a `Decision`. Features and
    memories are the members' side by side, so that it is asked as a `SpatialPolicy` is. Raises `InvalidArgumentError`
    without members, or where their sizes differ.
    """

    def __init__(self, members: Sequence[SpatialPolicy]) -> None:
        super().__init__()
        if not members or any(member.config != members[0].config for member in members):
            raise InvalidArgumentError(
                f"members must be at least one network, all of one size, got {[member.config for member in members]}"
            )
        self.config = members[0].config
        self.members = nn.ModuleList(members)

    def encode_image(self, image: Tensor) -> Tensor:
        """See `SpatialPolicy.encode_image`; (N, K (C + 3), 2h, 2w) of K members."""
        return torch.cat([member.encode_image(image) for member in self], 1)

    def step(self, image_features: Tensor, sight: Sight, memory: Tensor | None) -> tuple[Decision, Tensor]:
        """See `SpatialPolicy.step`; the memory is (N, K M, h, w)."""
        count = len(self.members)
        memories = [None] * count if memory is None else memory.chunk(count, 1)
        decisions, after = [], []
        for member, features, before in zip(self, image_features.chunk(count, 1), memories, strict=True):
            decision, remembered = member.step(features, sight, before)
            decisions.append(decision)
            after.append(remembered)
        mean = Decision(*(torch.stack(parts).mean(0) for parts in zip(*decisions, strict=True)))
        chances = mean.log_probability
        normalised = torch.log_softmax(chances.flatten(1), 1).view(chances.shape)
        return mean._replace(log_probability=normalised), torch.cat(after, 1)

    def __iter__(self) -> Iterator[SpatialPolicy]:
        return cast(Iterator[SpatialPolicy], iter(self.members))
