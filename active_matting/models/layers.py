"""Layers for batches of one: weight-standardised convolutions and group normalisation, and the images' scale."""

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32

IMAGE_MEAN, IMAGE_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's RGB in [0, 1], by which published encoders were trained."""


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose kernels have mean 0 and variance 1 (Qiao et al. 2019; thesis, sec. 3.2.1).

    (w − mean) / √(variance + 1e-5) for each output channel, variance over n (not n − 1) weights, as in the released
    code of FBA.
    """

    def standardised_weight(self) -> Tensor:
        """The kernels that are used, of the weights' shape."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), correction=0, keepdim=True)
        return (self.weight - mean) * torch.rsqrt(variance + 1e-5)

    def forward(self, input: Tensor) -> Tensor:
        """See `torch.nn.Conv2d`."""
        weight = self.standardised_weight()
        return functional.conv2d(input, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups as published, but never of less than two channels, so that narrow networks keep some contrast."""
    return nn.GroupNorm(min(GROUPS, max(1, channels // 2)), channels)


def normalise(image: Tensor) -> Tensor:
    """Images `(N, 3, H, W)` in [0, 1] as encoders expect them."""
    mean, deviation = (image.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGE_MEAN, IMAGE_DEVIATION))
    return (image - mean) / deviation


def resize(features: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear, corners not aligned, as in the published networks."""
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
