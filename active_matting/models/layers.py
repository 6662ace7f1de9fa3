"""Layers for batches of one: weight-standardised convolutions and group normalisation, and the images' scale."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32
STEADYING = 1e-5  # added to the variance of a kernel

IMAGE_MEAN, IMAGE_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's RGB in [0, 1], by which published encoders were trained."""


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose kernels have mean 0 and variance 1 (Qiao et al. 2019; thesis, sec. 3.2.1).

    (w − mean) / √(variance + 1e-5) for each output channel, variance over n (not n − 1) weights: what the released code
    of FBA has now (MarcoForte/FBA_Matting, networks/layers_WS.py since commit 5323fa0). As first released (696b24a) it
    divided by √(variance + 1e-12) + 1e-5, over n − 1 weights; `as_trained_by_deviation` brings such weights here. By
    the other formula the alpha of random networks changes by 0.002 (FBA) and 0.0005 (two-stream) on average with
    kernels of deviation 1 / √n, by 0.11 and 0.04 with deviations spread by a factor of 2 to either side of 0.01.
    """

    def standardised_weight(self) -> Tensor:
        """The kernels that are used, of the weights' shape."""
        variance, mean = torch.var_mean(self.weight, dim=(1, 2, 3), correction=0, keepdim=True)
        return (self.weight - mean) * torch.rsqrt(variance + STEADYING)

    def forward(self, input: Tensor) -> Tensor:
        """See `torch.nn.Conv2d`."""
        weight = self.standardised_weight()
        return functional.conv2d(input, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def as_trained_by_deviation(weight: Tensor) -> Tensor:
    """Kernels `(O, I, h, w)` which `StandardisedConv2d` uses as (w − mean) / (√(variance + 1e-12) + 1e-5), over n − 1.

    Filters of little variance weigh more by that formula than by ours, with which the checkpoints were not trained.
    With s = deviation of w over n / that denominator, which is below 1, and u the kernel of mean 0 and variance 1,
    k u / √(k² + 1e-5) = s u has the solution k = s √(1e-5 / (1 − s²)).
    """
    centred = weight.double()
    centred = centred - centred.mean((1, 2, 3), keepdim=True)
    denominator = (centred.var((1, 2, 3), keepdim=True) + 1e-12).sqrt() + 1e-5
    share = centred.square().mean((1, 2, 3), keepdim=True) / denominator.square()
    return (centred / denominator * (STEADYING / (1 - share)).sqrt()).to(weight.dtype)


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups as released, or the most that divide `channels` and leave two of them to each.

    One channel alone would lose all contrast but its shape. The thesis speaks of 32 channels in each group (sec. 3.2.1,
    4.3.2 and 5.2.1); the released code, whose weights these networks read, has 32 groups.
    """
    most = min(GROUPS, max(1, channels // 2))
    return nn.GroupNorm(next(groups for groups in range(most, 0, -1) if channels % groups == 0), channels)


def at_least_float32(planes: Tensor) -> Tensor:
    """Planes in half precision as float32, all others as they are."""
    return planes.float() if planes.dtype in (torch.bfloat16, torch.float16) else planes


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, alpha: Tensor) -> Tensor:
        ctx.save_for_backward(alpha)
        return alpha.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (alpha,) = ctx.saved_tensors
        leads_out = ((alpha < 0) & (gradient > 0)) | ((alpha > 1) & (gradient < 0))
        return gradient.masked_fill(leads_out, 0)


def clip(alpha: Tensor) -> Tensor:
    """Any numbers clipped to [0, 1]; where that changes them the gradient is kept if it leads back.

    A network all of whose output is clipped would else learn nothing more; trainings from nothing ended so.
    """
    clipped: Tensor = _Clip.apply(alpha)  # type: ignore[no-untyped-call]
    return clipped


def normalise(image: Tensor) -> Tensor:
    """Images `(N, 3, H, W)` in [0, 1] as encoders expect them."""
    mean, deviation = (image.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGE_MEAN, IMAGE_DEVIATION))
    return (image - mean) / deviation


def resize(features: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Bilinear, corners not aligned, as in the published networks."""
    return functional.interpolate(features, size=tuple(size), mode="bilinear", align_corners=False)
