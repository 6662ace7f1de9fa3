"""The network that draws the unknown band around an object: which pixels are pure, and what alpha is to be expected."""

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from active_matting.errors import InvalidArgumentError
from active_matting.models.layers import group_norm, resize

OUTPUTS = 3

LEVELS = 4
"""Resolutions it works at, each half of the one before."""


class BandNetwork(nn.Module):
    """A U-Net (Ronneberger et al. 2015) that sees a neighbourhood where the perceptron of the band sees one pixel.

    forward: planes `(N, inputs, H, W)`, see `active_matting.segmenters.band`, near [-1, 1] or log-odds, of any H and W
    → log-odds `(N, 3, H, W)`: of alpha, of being foreground alone, of being background alone. The last three planes are
    what the perceptron says of these; the network corrects them, at first by nothing. inputs: planes; width: channels
    at full resolution, a multiple of 4, twice and three and four times as many below. Raises `InvalidArgumentError`.

    >>> BandNetwork(inputs=5, width=8)(torch.zeros(1, 5, 13, 22)).shape
    torch.Size([1, 3, 13, 22])
    """

    def __init__(self, inputs: int, width: int = 16) -> None:
        super().__init__()
        if inputs < OUTPUTS or width < 4 or width % 4:
            raise InvalidArgumentError(
                f"inputs must be at least {OUTPUTS}, width a multiple of 4, got {inputs} and {width}"
            )
        self.inputs = inputs
        widths = [width * level for level in range(1, LEVELS + 1)]
        self.stem = _block(inputs, width)
        self.down = nn.ModuleList(_block(above, below, stride=2) for above, below in pairwise(widths))
        self.up = nn.ModuleList(_block(below + above, above) for above, below in pairwise(widths))
        self.head = nn.Conv2d(width, OUTPUTS, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(cast(Tensor, self.head.bias))

    def forward(self, planes: Tensor) -> Tensor:
        """See the class."""
        h, w = planes.shape[-2:]
        step = 2 ** (LEVELS - 1)
        x = functional.pad(planes, (0, -w % step, 0, -h % step), mode="replicate")
        skipped = [self.stem(x)]
        for block in self.down:
            skipped.append(block(skipped[-1]))
        x = skipped.pop()
        for block in reversed(self.up):
            beside = skipped.pop()
            x = block(torch.cat([resize(x, beside.shape[-2:]), beside], dim=1))
        change: Tensor = self.head(x)[..., :h, :w]
        return planes[:, -OUTPUTS:] + change


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Two convolutions, the first of which may halve the resolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        group_norm(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        group_norm(outputs),
        nn.ReLU(),
    )
