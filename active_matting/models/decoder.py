"""What the decoders have in common: pyramid pooling, and three steps up with what the encoder saw on its way down."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from active_matting.models.layers import StandardisedConv2d, group_norm, resize

POOLS = (1, 2, 3, 6)


class PyramidPooling(nn.Module):
    """Features beside their means over 1, 4, 9 and 36 parts of the image (Zhao et al. 2017)."""

    def __init__(self, inputs: int, planes: int) -> None:
        super().__init__()
        self.outputs = inputs + len(POOLS) * planes
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(parts),
                StandardisedConv2d(inputs, planes, 1),
                group_norm(planes),
                nn.LeakyReLU(),
            )
            for parts in POOLS
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, inputs + 4 planes, H, W)."""
        return torch.cat([x, *(resize(scale(x), x.shape[2:]) for scale in self.scales)], dim=1)


class Decoder(nn.Module):
    """From 1/8 of the resolution to all of it: tables 3.2 and 4.1 of the thesis.

    deep, early, stem: channels of the features at 1/8, 1/4 and 1/2; full: those beside the last step; outputs: what is
    asked for. width: 64 as published. head: channels of the two layers at full resolution, 32 and 16 as published.
    """

    def __init__(
        self, deep: int, early: int, stem: int, full: int, outputs: int, width: int = 64, head: Sequence[int] = (32, 16)
    ) -> None:
        super().__init__()
        planes, (wide, narrow) = 4 * width, head
        self.pyramid = PyramidPooling(deep, planes)
        self.conv_up1 = nn.Sequential(
            StandardisedConv2d(self.pyramid.outputs, planes, 3, padding=1),
            group_norm(planes),
            nn.LeakyReLU(),
            StandardisedConv2d(planes, planes, 3, padding=1),
            group_norm(planes),
            nn.LeakyReLU(),
        )
        self.conv_up2 = nn.Sequential(
            StandardisedConv2d(planes + early, planes, 3, padding=1), group_norm(planes), nn.LeakyReLU()
        )
        self.conv_up3 = nn.Sequential(
            StandardisedConv2d(planes + stem, width, 3, padding=1), group_norm(width), nn.LeakyReLU()
        )
        self.conv_up4 = nn.Sequential(
            nn.Conv2d(width + full, wide, 3, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(wide, narrow, 3, padding=1),
            nn.LeakyReLU(),
            nn.Conv2d(narrow, outputs, 1),
        )

    def forward(self, deep: Tensor, early: Tensor, stem: Tensor, full: Tensor) -> Tensor:
        """(N, ·, H/8, W/8), (N, ·, H/4, W/4), (N, ·, H/2, W/2), (N, ·, H, W) → (N, outputs, H, W), any numbers."""
        x = resize(self.conv_up1(self.pyramid(deep)), early.shape[2:])
        x = resize(self.conv_up2(torch.cat([x, early], dim=1)), stem.shape[2:])
        x = resize(self.conv_up3(torch.cat([x, stem], dim=1)), full.shape[2:])
        return torch.as_tensor(self.conv_up4(torch.cat([x, full], dim=1)))


def start_alpha_at(decoder: Decoder, value: float) -> None:
    """Let an untrained network's first output be `value` everywhere, or near it for one above 0.

    0.5 for an alpha: where it starts clipped no gradient would move it. 0 exactly for what is added to another alpha.
    """
    last = decoder.conv_up4[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        last.bias[0] = value
        if value == 0:
            last.weight[0] = 0
