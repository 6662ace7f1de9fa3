"""The encoder of all three networks: ResNet-50 for batches of one, its last two stages dilated rather than strided."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from active_matting.errors import InvalidArgumentError
from active_matting.models.layers import StandardisedConv2d, group_norm

RESNET50 = (3, 4, 6, 3)
EXPANSION = 4


class Features(NamedTuple):
    """What decoders use, at 1/2, 1/4 and 1/8 of the input's side."""

    stem: Tensor  # (N, width, H/2, W/2)
    early: Tensor  # (N, 4 width, H/4, W/4), of layer 1
    deep: Tensor  # (N, 32 width, H/8, W/8), of layer 4


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut (He et al. 2016), normalised in groups."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, has_projection: bool) -> None:
        super().__init__()
        outputs = EXPANSION * planes
        self.conv1 = StandardisedConv2d(inputs, planes, 1, bias=False)
        self.norm1 = group_norm(planes)
        self.conv2 = StandardisedConv2d(
            planes, planes, 3, stride=stride, padding=dilation, dilation=dilation, bias=False
        )
        self.norm2 = group_norm(planes)
        self.conv3 = StandardisedConv2d(planes, outputs, 1, bias=False)
        self.norm3 = group_norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(StandardisedConv2d(inputs, outputs, 1, stride=stride, bias=False), group_norm(outputs))
            if has_projection
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, 4 planes, H / stride, W / stride)."""
        out = self.relu(self.norm1(self.conv1(x)))
        out = self.relu(self.norm2(self.conv2(out)))
        out = self.norm3(self.conv3(out))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu_(out + shortcut)


class DilatedResNet(nn.Module):
    """ResNet with group normalisation and weight standardisation, 1/8 of the resolution throughout its end.

    Layers 3 and 4 keep their resolution and are dilated by 2 and 4, their first blocks by half of that (thesis,
    sec. 3.2.1). inputs: channels; width: channels of the stem, 64 as published; depths: blocks of the four layers,
    3, 4, 6, 3 as published. Raises `InvalidArgumentError`.
    """

    def __init__(self, inputs: int, width: int = 64, depths: Sequence[int] = RESNET50) -> None:
        super().__init__()
        if width < 8 or width % 8 or len(depths) != 4 or min(depths) < 1:
            raise InvalidArgumentError(
                f"width must be a multiple of 8 and depths four numbers from 1, got {width} and {tuple(depths)}"
            )
        self.outputs = 8 * EXPANSION * width
        self.conv1 = StandardisedConv2d(inputs, width, 7, stride=2, padding=3, bias=False)
        self.norm1 = group_norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(width, width, depths[0], stride=1, dilation=1)
        self.layer2 = _layer(EXPANSION * width, 2 * width, depths[1], stride=2, dilation=1)
        self.layer3 = _layer(2 * EXPANSION * width, 4 * width, depths[2], stride=1, dilation=2)
        self.layer4 = _layer(4 * EXPANSION * width, 8 * width, depths[3], stride=1, dilation=4)

    def forward(self, x: Tensor, recognised: Tensor | None = None) -> Features:
        """(N, inputs, H, W), H and W multiples of 8 → `Features`.

        recognised: (N, 8 width, H/8, W/8), added to what layer 2 makes, for networks that are told more of the image.
        """
        stem = self.relu(self.norm1(self.conv1(x)))
        early = self.layer1(self.maxpool(stem))
        middle = self.layer2(early)
        if recognised is not None:
            middle = middle + recognised
        return Features(stem, early, self.layer4(self.layer3(middle)))


def _layer(inputs: int, planes: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
    first = Bottleneck(inputs, planes, stride, max(1, dilation // 2), has_projection=True)
    rest = [Bottleneck(EXPANSION * planes, planes, 1, dilation, has_projection=False) for _ in range(1, blocks)]
    return nn.Sequential(first, *rest)
