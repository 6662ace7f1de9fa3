"""Two-stream interactive segmentation (thesis, ch. 3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from active_matting.models.base import Network, Prediction
from active_matting.models.decoder import Decoder, start_alpha_at
from active_matting.models.guided_filter import guided_filter
from active_matting.models.hints import SEGMENTATION_SIDE, HintMaps
from active_matting.models.layers import clip, normalise
from active_matting.models.resnet import EXPANSION, RESNET50, DilatedResNet

SIGMAS = (0.02 * SEGMENTATION_SIDE, 0.04 * SEGMENTATION_SIDE, 0.08 * SEGMENTATION_SIDE)
"""Of the click maps, pixels (sec. 3.2.1). The released code has shares of 0.02, 0.08 and 0.16, with which its weights
were trained; `checkpoints.load_published` makes networks with those."""


class InteractionStream(nn.Module):
    """Clicks and the previous mask, apart from the image: table 3.1 of the thesis.

    The released network has 32, 64, 128, 256, 256, 256 channels and strides 1, 2, 1, 2, 2, 1, which is what table 3.2
    concatenates (768 = 256 + 256 + 256 at 1/4, 384 = 256 + 64 + 64 at 1/2); table 3.1 prints 64, 128, 256, 256, 256,
    256, which do not fit it (448 at 1/2). Built is what fits and was released.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        channels = (inputs, width // 2, width, 2 * width, 4 * width, 4 * width, 4 * width)
        for i, stride in enumerate((1, 2, 1, 2, 2, 1)):
            self.add_module(f"conv{i + 1}", nn.Conv2d(channels[i], channels[i + 1], 3, stride=stride, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, inputs, H, W) → features at 1/2 (width), 1/4 and 1/8 (4 width channels) of the side."""
        found = []
        for layer in self.children():
            x = functional.leaky_relu(layer(x))
            found.append(x)
        return found[1], found[3], found[5]


class TwoStream(Network):
    """Clicks → a soft mask; the previous one goes in late, so that a poor one does not spoil what the image shows.

    Image stream: image and six click maps (9 channels) through the dilated ResNet. Interaction stream: click maps and
    previous mask. Both meet in front of the pyramid pooling and at two steps of the decoder (table 3.2). What is told
    is written into the clipped mask, which a guided filter of radius 2 and a guide that is learned then draws to the
    image's edges. width, depths, head: see `FBA`; sigmas: of the click maps, pixels. has_filter: whether the filter is
    there (sec. 3.3.3, "+G"). Raises `InvalidArgumentError`.
    """

    def __init__(
        self,
        width: int = 64,
        depths: Sequence[int] = RESNET50,
        head: Sequence[int] = (32, 16),
        sigmas: tuple[float, float, float] = SIGMAS,
        has_filter: bool = True,
    ) -> None:
        super().__init__()
        self.hint_maps = HintMaps(sigmas)
        self.encoder = DilatedResNet(9, width, depths)
        self.interaction = InteractionStream(7, width)
        deep, early, stem = self.encoder.outputs + 4 * width, (EXPANSION + 4) * width, 2 * width
        self.decoder = Decoder(deep, early, stem, 3 + 6, 1, width, head)
        start_alpha_at(self.decoder, 0.5)
        self.guide = nn.Sequential(nn.Conv2d(5, width, 1), nn.ReLU(), nn.Conv2d(width, 1, 1)) if has_filter else None

    def forward(self, image: Tensor, marks: Tensor, hints: Tensor, previous: Tensor) -> Prediction:
        """See `Network`; there are no colours."""
        normal = normalise(image)
        stem, early, deep = self.encoder(torch.cat([normal, hints], dim=1))
        told_half, told_quarter, told_eighth = self.interaction(torch.cat([hints, previous], dim=1))
        output = self.decoder(
            torch.cat([deep, told_eighth], dim=1),
            torch.cat([early, told_quarter], dim=1),
            torch.cat([stem, told_half], dim=1),
            torch.cat([normal, hints], dim=1),
        )
        mask = clip(output).masked_fill(marks[:, :1] == 1, 0).masked_fill(marks[:, 1:] == 1, 1)
        if self.guide is not None:
            guide = self.guide(torch.cat([normal, hints[:, ::3]], dim=1))  # the sharpest map of each class
            mask = clip(guided_filter(guide, mask, radius=2, epsilon=1e-8))
        return Prediction(mask)
