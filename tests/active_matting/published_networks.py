"""The published networks' forward passes over state dicts in the authors' naming, written apart from our layers.

Plain functions of `torch.nn.functional`, from the facts of the released code (MarcoForte/FBA_Matting and
MarcoForte/DeepInteractiveSegmentation): what the layers are called, how many channels they have, in which order.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Weights = dict[str, Tensor]
Standardise = Callable[[Tensor], Tensor]

PYRAMID = (1, 2, 3, 6)


def as_batches(weight: Tensor) -> Tensor:
    """Standardisation in the newest released code: batch normalisation without memory, over each kernel."""
    kernels = weight.reshape(1, weight.shape[0], -1)
    return functional.batch_norm(kernels, None, None, training=True, eps=1e-5).reshape(weight.shape)


def by_deviation(weight: Tensor) -> Tensor:
    """Standardisation in the code as first released: n − 1 weights, and 1e-5 beside the deviation."""
    kernels = weight.flatten(1)
    kernels = kernels - kernels.mean(1, keepdim=True)
    deviation = ((kernels.square().sum(1, keepdim=True) / (kernels.shape[1] - 1)) + 1e-12).sqrt() + 1e-5
    return (kernels / deviation).reshape(weight.shape)


def resnet(weights: Weights, x: Tensor, standardise: Standardise, prefix: str = "encoder.") -> list[Tensor]:
    """Features behind the stem and the four layers, the last two dilated."""

    def convolve(name: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = standardise(weights[f"{prefix}{name}.weight"])
        return functional.conv2d(x, weight, None, stride, dilation * (weight.shape[-1] // 2), dilation)

    def normalise(name: str, x: Tensor) -> Tensor:
        return functional.group_norm(x, 32, weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"])

    def block(name: str, x: Tensor, stride: int, dilation: int) -> Tensor:
        y = functional.relu(normalise(f"{name}.bn1", convolve(f"{name}.conv1", x)))
        y = functional.relu(normalise(f"{name}.bn2", convolve(f"{name}.conv2", y, stride, dilation)))
        y = normalise(f"{name}.bn3", convolve(f"{name}.conv3", y))
        if f"{prefix}{name}.downsample.0.weight" in weights:
            x = normalise(f"{name}.downsample.1", convolve(f"{name}.downsample.0", x, stride))
        return functional.relu(x + y)

    x = functional.relu(normalise("bn1", convolve("conv1", x, stride=2)))
    found = [x]
    x = functional.max_pool2d(x, 3, 2, 1)
    for layer, (stride, dilation, of_first) in enumerate([(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 4, 2)], start=1):
        number = 0
        while f"{prefix}layer{layer}.{number}.conv1.weight" in weights:
            name = f"layer{layer}.{number}"
            x = block(name, x, stride if number == 0 else 1, of_first if number == 0 else dilation)
            number += 1
        found.append(x)
    return found


def decoder(weights: Weights, deep: Tensor, beside: list[Tensor], standardise: Standardise) -> Tensor:
    """Pyramid, then three doublings; `beside`: what is put behind the features at 1/4, 1/2 and all of the side."""

    def step(name: str, x: Tensor) -> Tensor:
        conv, norm = f"decoder.{name}", f"decoder.{name[:-1]}{int(name[-1]) + 1}"
        weight = standardise(weights[f"{conv}.weight"])
        x = functional.conv2d(x, weight, weights[f"{conv}.bias"], padding=weight.shape[-1] // 2)
        return functional.leaky_relu(
            functional.group_norm(x, 32, weights[f"{norm}.weight"], weights[f"{norm}.bias"]), 0.01
        )

    pooled = [deep]
    for i, parts in enumerate(PYRAMID):
        mean = step(f"ppm.{i}.1", functional.adaptive_avg_pool2d(deep, parts))
        pooled.append(functional.interpolate(mean, deep.shape[2:], mode="bilinear", align_corners=False))
    x = step("conv_up1.3", step("conv_up1.0", torch.cat(pooled, 1)))
    x = step("conv_up2.0", torch.cat([doubled(x), beside[0]], 1))
    x = step("conv_up3.0", torch.cat([doubled(x), beside[1]], 1))
    x = torch.cat([doubled(x), beside[2]], 1)
    for i, is_last in ((0, False), (2, False), (4, True)):
        weight, bias = weights[f"decoder.conv_up4.{i}.weight"], weights[f"decoder.conv_up4.{i}.bias"]
        x = functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        x = x if is_last else functional.leaky_relu(x, 0.01)
    return x


def doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def fba(
    weights: Weights, image: Tensor, marks: Tensor, hints: Tensor, standardise: Standardise = as_batches
) -> tuple[Tensor, Tensor, Tensor]:
    """Alpha, foreground and background, fused, from the image in [0, 1] and what is told, background first."""
    normal = scaled(image)
    stem, early, _, _, deep = resnet(weights, torch.cat([normal, hints, marks], 1), standardise)
    output = decoder(weights, deep, [early, stem, torch.cat([normal, image, marks], 1)], standardise)
    a, f, b = output[:, :1].clip(0, 1), output[:, 1:4].sigmoid(), output[:, 4:7].sigmoid()
    f = a * image + (1 - a**2) * f - a * (1 - a) * b
    b = (1 - a) * image + (2 * a - a**2) * b - a * (1 - a) * f
    f, b = f.clip(0, 1), b.clip(0, 1)
    over, under = ((image - b) * (f - b)).sum(1, keepdim=True), ((f - b) ** 2).sum(1, keepdim=True)
    return ((0.1 * a + over) / (0.1 + under)).clip(0, 1), f, b


def two_stream(
    weights: Weights,
    image: Tensor,
    marks: Tensor,
    hints: Tensor,
    previous: Tensor,
    standardise: Standardise = as_batches,
) -> Tensor:
    """The mask, filtered, from the image in [0, 1], what is told, background first, and the previous mask."""
    normal = scaled(image)
    stem, early, _, _, deep = resnet(weights, torch.cat([normal, hints], 1), standardise)
    told, x = [], torch.cat([hints, previous], 1)
    for i, stride in enumerate((1, 2, 1, 2, 2, 1), start=1):
        name = f"decoder.usr_encoder.conv{i}"
        x = functional.leaky_relu(
            functional.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, 1), 0.01
        )
        told.append(x)
    beside = [torch.cat([early, told[3]], 1), torch.cat([stem, told[1]], 1), torch.cat([normal, hints], 1)]
    mask = decoder(weights, torch.cat([deep, told[5]], 1), beside, standardise).clip(0, 1)
    mask = torch.where(marks[:, :1] == 1, 0.0, mask)
    mask = torch.where(marks[:, 1:] == 1, 1.0, mask)
    guide = torch.cat([normal, hints[:, :1], hints[:, 3:4]], 1)
    first, second = "decoder.guided_map_conv1", "decoder.guided_map_conv2"
    guide = functional.conv2d(guide, weights[f"{first}.weight"], weights[f"{first}.bias"]).relu()
    guide = functional.conv2d(guide, weights[f"{second}.weight"], weights[f"{second}.bias"])
    return filtered(guide, mask, 2, 1e-8).clip(0, 1)


def filtered(guide: Tensor, mask: Tensor, radius: int, epsilon: float) -> Tensor:
    """The guided filter with window sums that are differences of running sums."""

    def along(x: Tensor, axis: int) -> Tensor:
        size = x.shape[axis]
        running = torch.cat([torch.zeros_like(x.narrow(axis, 0, 1)), x.cumsum(axis)], axis)
        ends = (torch.arange(size) + radius + 1).clip(max=size)
        starts = (torch.arange(size) - radius).clip(min=0)
        return running.index_select(axis, ends) - running.index_select(axis, starts)

    def sums(x: Tensor) -> Tensor:
        return along(along(x, 2), 3)

    n = sums(torch.ones_like(guide))
    x, y = sums(guide) / n, sums(mask) / n
    a = (sums(guide * mask) / n - x * y) / (sums(guide * guide) / n - x * x + epsilon)
    b = y - a * x
    return sums(a) / n * guide + sums(b) / n


def scaled(image: Tensor) -> Tensor:
    """RGB in [0, 1] less ImageNet's means, over its deviations."""
    mean = torch.tensor([0.485, 0.456, 0.406], dtype=image.dtype)[None, :, None, None]
    return (image - mean) / torch.tensor([0.229, 0.224, 0.225], dtype=image.dtype)[None, :, None, None]


def transformed(marks: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Hints `(6, H, W)` of marks `(2, H, W)`: Gaussians of 0.02, 0.08 and 0.16 of `side` round what is told."""
    hints = np.zeros((6, *marks.shape[1:]))
    for k in (0, 1):
        if marks[k].any():
            distance = cv2.distanceTransform(((1 - marks[k]) * 255).astype(np.uint8), cv2.DIST_L2, 0)
            for i, share in enumerate((0.02, 0.08, 0.16)):
                hints[3 * k + i] = np.exp(-(distance**2) / (2 * (share * side) ** 2))
    return hints.astype(np.float32)


def shapes(name: str, width: int = 64, depths: tuple[int, ...] = (3, 4, 6, 3)) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published checkpoint's tensors; "resnet50" is the ImageNet encoder with its classifier."""
    inputs = {"fba": 11, "two-stream": 9, "resnet50": 3}[name]
    found = _resnet_shapes(inputs, width, depths)
    if name == "resnet50":
        return found | {"fc.weight": (1000, 32 * width), "fc.bias": (1000,)}
    found = {f"encoder.{key}": shape for key, shape in found.items()}
    told_deep, told_early, told_stem = (4 * width, 4 * width, width) if name == "two-stream" else (0, 0, 0)
    deep, full, outputs = 32 * width + told_deep, *((9, 1) if name == "two-stream" else (8, 7))
    planes = 4 * width
    steps = {f"ppm.{i}.1": (planes, deep, 1) for i in range(4)}
    steps |= {"conv_up1.0": (planes, deep + 4 * planes, 3), "conv_up1.3": (planes, planes, 3)}
    steps |= {"conv_up2.0": (planes, planes + 4 * width + told_early, 3)}
    steps |= {"conv_up3.0": (width, planes + width + told_stem, 3)}
    plain = {"conv_up4.0": (32, width + full, 3), "conv_up4.2": (16, 32, 3), "conv_up4.4": (outputs, 16, 1)}
    if name == "two-stream":
        counts = (7, width // 2, width, 2 * width, 4 * width, 4 * width, 4 * width)
        plain |= {f"usr_encoder.conv{i + 1}": (counts[i + 1], counts[i], 3) for i in range(6)}
        plain |= {"guided_map_conv1": (width, 5, 1), "guided_map_conv2": (1, width, 1)}
    for key, (out, into, side) in (steps | plain).items():
        found |= {f"decoder.{key}.weight": (out, into, side, side), f"decoder.{key}.bias": (out,)}
        if key in steps:
            norm = f"decoder.{key[:-1]}{int(key[-1]) + 1}"
            found |= {f"{norm}.weight": (out,), f"{norm}.bias": (out,)}
    return found


def _resnet_shapes(inputs: int, width: int, depths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (width, inputs, 7, 7)}
    found |= {"bn1.weight": (width,), "bn1.bias": (width,)}
    into = width
    for layer, depth in enumerate(depths):
        planes = width * 2**layer
        for i in range(depth):
            block = f"layer{layer + 1}.{i}"
            kernels = {
                "conv1": (planes, into, 1, 1),
                "conv2": (planes, planes, 3, 3),
                "conv3": (4 * planes, planes, 1, 1),
            }
            found |= {f"{block}.{key}.weight": shape for key, shape in kernels.items()}
            for number, count in enumerate((planes, planes, 4 * planes), start=1):
                found |= {f"{block}.bn{number}.weight": (count,), f"{block}.bn{number}.bias": (count,)}
            if i == 0:
                found |= {f"{block}.downsample.0.weight": (4 * planes, into, 1, 1)}
                found |= {f"{block}.downsample.1.weight": (4 * planes,), f"{block}.downsample.1.bias": (4 * planes,)}
            into = 4 * planes
    return found


def random_weights(shapes: dict[str, tuple[int, ...]], is_trained_like: bool, seed: int = 0) -> Weights:
    """Float64 weights. Plain: Gaussian kernels that keep a layer's variance, normalisations round 1. Trained-like:
    kernels whose deviations spread over two orders of magnitude from filter to filter, shifted, with normalisations
    between -0.3 and 1.5. In either, alpha stays for the most part between its clips.
    """
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    weights = {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            weight = normal(*shape) * (1 / np.prod(shape[1:])) ** 0.5
            if (
                is_trained_like
                and "conv_up4" not in name
                and "guided" not in name
                and "usr" not in name
                and len(shape) == 4
            ):
                spread = (normal(shape[0], 1, 1, 1) * 0.7 + np.log(0.01)).exp()
                weight = (normal(*shape) + 0.3 * normal(shape[0], 1, 1, 1)) * spread
            weights[name] = weight
        elif name.endswith("bias"):
            weights[name] = 0.1 * normal(*shape)
        elif is_trained_like:
            weights[name] = torch.rand(shape, generator=draw, dtype=torch.float64) * 1.8 - 0.3
        else:
            weights[name] = 1 + 0.2 * normal(*shape)
    last = "decoder.conv_up4.4.bias"
    if last in weights:
        weights[last][0] = 0.5
    return weights
