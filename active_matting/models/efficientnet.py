"""What a network saw that learned to name photographs: EfficientNet-Lite0 (Tan and Le 2019), without its end.

Its weights come with the package, see `weights/efficientnet-lite0/README.md`. Batch normalisation, which does not
change any more, is part of their convolutions.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from active_matting.errors import FileError
from active_matting.recent import Recent

WEIGHTS = Path(__file__).parent / "weights" / "efficientnet-lite0" / "features.safetensors"

CHANNELS = (40, 112, 320)
"""Of the features at 1/8, 1/16 and 1/32 of the image's side."""

_SIDE = 320
"""About the longer side of pictures that are looked at, pixels."""

_STEM, _EPSILON = 32, 1e-3
_STAGES = (  # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_LAST = (4, 10, 15)
"""The blocks after which the features are taken."""


class Pyramid(NamedTuple):
    """Features of images whose sides are multiples of 32."""

    eighth: Tensor  # (N, 40, H/8, W/8)
    sixteenth: Tensor  # (N, 112, H/16, W/16)
    thirtysecond: Tensor  # (N, 320, H/32, W/32)


class _Convolution(nn.Conv2d):
    """Padded as TensorFlow pads, more at the end than at the start where the stride is 2."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        padded = []
        for extent in (x.shape[3], x.shape[2]):
            total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
            padded += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, padded))


class _Block(nn.Module):
    """An inverted residual: more channels, a convolution of each alone, few channels again (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = expansion * inputs
        self.expand = _Convolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = _Convolution(inner, inner, kernel, stride, groups=inner)
        self.project = _Convolution(inner, outputs, 1)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, outputs, H / stride, W / stride)."""
        inner = x if self.expand is None else functional.relu6(self.expand(x))
        out: Tensor = self.project(functional.relu6(self.depthwise(inner)))
        if self.has_shortcut:
            out = out + x
        return out


class EfficientNetLite0(nn.Module):
    """Images (N, 3, H, W) in [0, 1], H and W multiples of 32 → `Pyramid`; 3 million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, _STEM, 3, 2)
        blocks, inputs = [], _STEM
        for kernel, stride, expansion, outputs, count in _STAGES:
            for number in range(count):
                blocks.append(_Block(inputs, outputs, kernel, stride if number == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)

    def forward(self, image: Tensor) -> Pyramid:
        """See the class."""
        x = functional.relu6(self.stem((255 * image - 127) / 128))
        found = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _LAST:
                found.append(x)
        return Pyramid(*found)


def folded(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `EfficientNetLite0` from those of the network as it was published for PyTorch.

    published: names as in `_blocks.3._project_conv.weight`, `_blocks.3._bn2.running_mean`; what comes after the last
    block is left out. Raises `KeyError` where one is missing.
    """
    layers = [("stem", "_conv_stem", "_bn0")]
    for number in range(_LAST[-1] + 1):
        parts = [("expand", "_expand_conv", "_bn0"), ("depthwise", "_depthwise_conv", "_bn1")]
        for ours, convolution, norm in [*parts[number == 0 :], ("project", "_project_conv", "_bn2")]:
            at = f"_blocks.{number}."
            layers.append((f"blocks.{number}.{ours}", at + convolution, at + norm))
    tensors = {}
    for ours, convolution, norm in layers:
        weight, bias, mean, variance = (
            published[f"{norm}.{name}"].double() for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / (variance + _EPSILON).sqrt()
        kernel = published[f"{convolution}.weight"].double() * scale[:, None, None, None]
        tensors[f"{ours}.weight"] = kernel.float().contiguous()
        tensors[f"{ours}.bias"] = (bias - mean * scale).float()
    return tensors


@lru_cache(maxsize=2)
def pretrained(device: str = "cpu") -> EfficientNetLite0:
    """The network with the weights that come with the package, which are not trained further. Raises `FileError`."""
    network = EfficientNetLite0()
    try:
        tensors = safetensors.torch.load_file(WEIGHTS)
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise FileError(f"{WEIGHTS} cannot be read: {' '.join(str(error).split())}") from error
    return network.to(torch.device(device)).eval().requires_grad_(False)


class Recognition(nn.Module):
    """What the pretrained network sees in a picture, as so many channels of another network's: what is learned of it.

    Its features, see `looked_at`, normalised at each place, are each brought to `channels` by a 1×1 convolution, and
    added up. Its own weights are none of this module's. is_silent: whether these convolutions begin with 0, for a
    network that has learned without.
    """

    def __init__(self, channels: int, is_silent: bool = False) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(count, channels, 1) for count in CHANNELS)
        if is_silent:
            for parameter in self.parameters():
                nn.init.zeros_(parameter)

    def forward(self, image: Tensor, shape: tuple[int, int]) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] → (N, channels, *shape)."""
        found = [
            functional.interpolate(level(_normalised(seen)), size=shape, mode="bilinear", align_corners=False)
            for level, seen in zip(self.levels, looked_at(image), strict=True)
        ]
        return found[0] + found[1] + found[2]


def _normalised(features: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the channels of each place."""
    return functional.layer_norm(features.movedim(1, -1), features.shape[1:2]).movedim(-1, 1)


def looked_at(image: Tensor) -> Pyramid:
    """The pyramid of images (N, 3, H, W) in [0, 1], on their device, resized so that sides are multiples of 32.

    The longer one's is 320 pixels or so, as that network learned with some 200, or twice the image's own where that is
    less. Whatever autocast says it is computed in single precision, and then is rounded to half. On a CPU each image is
    looked at alone, and what is seen is remembered: while a network is trained of thousands, else of the latest few, so
    that it takes no time between two answers.
    """
    remembered = _TRAINING if torch.is_grad_enabled() else _SOLVING
    scale = min(2.0, _SIDE / max(image.shape[-2:]))
    size = [max(32, 32 * round(scale * extent / 32)) for extent in image.shape[-2:]]
    with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
        resized = functional.interpolate(
            image.float(), size=size, mode="bilinear", align_corners=False, antialias=scale < 1
        )
        if image.device.type != "cpu":
            return Pyramid(*(level.half().float() for level in pretrained(str(image.device))(resized)))
        each = [_seen(picture[None], remembered) for picture in resized]
        return Pyramid(*(torch.cat(levels).float() for levels in zip(*each, strict=True)))


def _seen(picture: Tensor, remembered: Recent) -> Pyramid:
    """Half precision, of a picture (1, 3, H, W) as `EfficientNetLite0` takes it; what is known, or looked at now."""
    content = hashlib.blake2b(picture.numpy().tobytes(), digest_size=16).digest()
    seen: Pyramid = remembered.get(
        (picture.shape, content),
        lambda: Pyramid(*(level.half() for level in pretrained()(picture))),
        lambda pyramid: sum(level.nbytes for level in pyramid),
    )
    return seen


# Recipes have some 3000 pictures, each mirrored too, of 0.28 MB; looking again takes as long as learning from them.
_TRAINING, _SOLVING = Recent(limit=2 * 1024**3), Recent(limit=4 * 1024**2)
