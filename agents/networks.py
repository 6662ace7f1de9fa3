"""The networks of the paper's agent (Active Matting, sec. 2.2), and how they are put together."""

from dataclasses import dataclass
from math import log, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from active_matting.errors import InvalidArgumentError


@dataclass(frozen=True)
class PolicyConfig:
    """Sizes of the networks; the defaults are the paper's."""

    image_size: int = 400  # observations of another size are resized to this, in pixels
    patch_size: int = 75  # side of the matte patch around the latest location, in pixels of `image_size`
    channels: tuple[int, ...] = (64, 128, 256, 512, 512)  # of the stages of the feature extraction net
    convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)  # per stage; a stage ends by halving height and width
    pooled_size: int = 7  # height and width before the fully connected layers
    hidden_sizes: tuple[int, ...] = (4096, 4096)  # of the fully connected layers
    feature_size: int = 1000  # of g, what the recurrent unit reads
    memory_size: int = 128  # of v, what the recurrent unit tells
    patch_channels: tuple[int, ...] = (16, 32, 32)  # of the joint encoding net
    width: float = 1.0  # times `channels` and `hidden_sizes`: a narrower feature extraction net
    budget_features: int = 0  # beyond the paper: bumps along the remaining budget that the joint encoding reads too
    learns_deviation: bool = False  # beyond the paper, whose Ω is predefined: it is a parameter that training changes

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise InvalidArgumentError(f"width must be positive, got {self.width}")
        if len(self.channels) != len(self.convolutions):
            raise InvalidArgumentError(
                f"channels and convolutions must name as many stages, got {self.channels} and {self.convolutions}"
            )
        if not 1 <= self.patch_size <= self.image_size:
            raise InvalidArgumentError(f"patch_size must be from 1 to {self.image_size}, got {self.patch_size}")

    def scaled(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Each size times `width`, at least 1."""
        return tuple(max(1, round(self.width * size)) for size in sizes)

    @classmethod
    def from_json(cls, sizes: dict[str, Any]) -> "PolicyConfig":
        """The config whose fields were written as JSON, which has lists for tuples. Raises `TypeError`."""
        arguments: dict[str, Any] = {k: tuple(size) if isinstance(size, list) else size for k, size in sizes.items()}
        return cls(**arguments)


Memory = tuple[Tensor, Tensor]
"""The LSTM's hidden and cell state, each (1, N, memory_size)."""


class Glance(NamedTuple):
    """What the agent sees after a query, of N episodes, or of T - 1 queries of each where all have an axis more."""

    location: Tensor  # (..., N, 2), of the query's region, (y, x) in [-1, 1]
    patch: Tensor  # (..., N, P, P), of the matte around it, in [0, 1]
    remaining: Tensor  # (..., N, 1), part of the budget, in [0, 1]


class AveragePooling(nn.Module):
    """What `nn.AdaptiveAvgPool2d(size)` does, as two products, whose gradients on a GPU are the same in every run."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, planes: Tensor) -> Tensor:
        """Planes (N, C, H, W) → (N, C, size, size)."""
        if planes.shape[-2:] == (self.size, self.size):
            return planes
        down, across = (self._means(length, planes) for length in planes.shape[-2:])
        return down @ planes @ across.T

    def _means(self, length: int, like: Tensor) -> Tensor:
        """(size, length): each row averages the cells that it covers, the outer ones too where they are cut."""
        rows = torch.zeros(self.size, length)
        for row in range(self.size):
            first, last = row * length // self.size, -(-(row + 1) * length // self.size)
            rows[row, first:last] = 1 / (last - first)
        return rows.to(like)


class FeatureExtraction(nn.Module):
    """g_0 = f_extra(I): VGG16 without its softmax; 3×3 convolutions, pooling, fully connected layers.

    Each channel of each image is first brought to mean 0 and deviation 1.
    """

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size = 3
        for channels, convolutions in zip(config.scaled(config.channels), config.convolutions, strict=True):
            for _ in range(convolutions):
                layers += [nn.Conv2d(size, channels, kernel_size=3, padding=1), nn.ReLU()]
                size = channels
            layers.append(nn.MaxPool2d(2))
        layers += [AveragePooling(config.pooled_size), nn.Flatten()]
        size *= config.pooled_size**2
        for hidden in config.scaled(config.hidden_sizes):
            layers += [nn.Linear(size, hidden), nn.ReLU()]
            size = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(size, config.feature_size))

    def forward(self, image: Tensor) -> Tensor:
        """Image (N, 3, H, W) in [0, 1] → g_0 (N, feature_size)."""
        deviation, mean = torch.std_mean(image, dim=(2, 3), keepdim=True)
        features: Tensor = self.layers((image - mean) / (deviation + 1e-3))
        return features


class JointEncoding(nn.Module):
    """g_i = f_jEnc(l_i, alpha_i): the location and the matte around it, each encoded, then fused.

    The paper leaves the layers open. Here the patch goes through strided 3×3 convolutions and a fully connected
    layer, the location through a fully connected layer; the two are added, and a last layer makes g_i of the sum's
    ReLU. With `budget_features`, Gaussian bumps along the remaining budget join the location, so that the queries of an
    episode differ from the start.
    """

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size, side = 1, config.patch_size
        for channels in config.patch_channels:
            layers += [nn.Conv2d(size, channels, kernel_size=3, stride=2, padding=1), nn.ReLU()]
            size, side = channels, (side + 1) // 2
        self.patch = nn.Sequential(*layers, nn.Flatten(), nn.Linear(size * side**2, config.feature_size))
        self.location = nn.Linear(2 + config.budget_features, config.feature_size)
        self.budget_features = config.budget_features
        self.fused = nn.Linear(config.feature_size, config.feature_size)

    def forward(self, glance: Glance) -> Tensor:
        """A glance of N episodes → g_i (N, feature_size)."""
        place = glance.location
        if self.budget_features:
            centres = torch.linspace(0, 1, self.budget_features, device=place.device)
            bumps = torch.exp(-(((glance.remaining - centres) * self.budget_features) ** 2))
            place = torch.cat([place, bumps], dim=1)
        joint = self.location(place) + self.patch(2 * glance.patch[:, None] - 1)
        encoded: Tensor = self.fused(functional.relu(joint))
        return encoded


class RecurrentNetwork(nn.Module):
    """Image, then locations and what the matte looks like there → where to ask next, and the reward to expect.

    `step` goes one query at a time; `unroll` goes through whole sequences at once. They agree. The location decoding
    net is one fully connected layer and a tanh, the baseline net two layers: the paper leaves both open.
    `log_deviation` is log Ω where the network learns it, else None. Weights come from `generator`, or from torch's own.
    """

    def __init__(self, config: PolicyConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.feature_extraction = FeatureExtraction(config)
        self.joint_encoding = JointEncoding(config)
        self.recurrent = nn.LSTM(config.feature_size, config.memory_size)
        self.location_decoding = nn.Linear(config.memory_size, 2)
        self.baseline = nn.Sequential(
            nn.Linear(config.memory_size, config.memory_size), nn.ReLU(), nn.Linear(config.memory_size, 1)
        )
        initialise(self, generator)
        self.log_deviation = nn.Parameter(torch.tensor(log(0.3))) if config.learns_deviation else None

    def step(
        self, features: Tensor, memory: Memory | None, glance: Glance, is_first: Tensor
    ) -> tuple[Tensor, Tensor, Memory]:
        """One query: where to ask.

        features: g_0 (N, feature_size). memory: of the query before, or None. glance: after the query before.
        is_first: bool (N,), true where there was none: there g_0 is read and the memory forgotten.
        Returns l̂ (N, 2) in (-1, 1), the baseline b (N,), and the new memory.
        """
        if memory is None:
            blank = features.new_zeros(1, len(features), self.config.memory_size)
            memory = (blank, blank)
        kept = (~is_first).to(features.dtype)[None, :, None]
        g = torch.where(is_first[:, None], features, self.joint_encoding(glance))
        v, memory = self.recurrent(g[None], (memory[0] * kept, memory[1] * kept))
        centre, baseline = self._decode(v)
        return centre[0], baseline[0], memory

    def unroll(self, features: Tensor, glances: Glance) -> tuple[Tensor, Tensor]:
        """All T queries of N episodes.

        features: g_0 (N, feature_size). glances: after each of the T - 1 queries but the last.
        Returns l̂ (T, N, 2) in (-1, 1) and the baselines b (T, N).
        """
        steps, count = glances.location.shape[:2]
        encoded = self.joint_encoding(Glance(*(part.flatten(0, 1) for part in glances)))
        g = torch.cat([features[None], encoded.reshape(steps, count, -1)])
        v, _ = self.recurrent(g)
        return self._decode(v)

    def _decode(self, v: Tensor) -> tuple[Tensor, Tensor]:
        # The baseline learns what to expect of the memory as it is; it must not bend the memory to its own ends.
        return torch.tanh(self.location_decoding(v)), self.baseline(v.detach()).squeeze(-1)


def initialise(module: nn.Module, generator: torch.Generator | None = None) -> None:
    """Truncated-normal weights (Active Matting, sec. 3.1), cut at two standard deviations; zero biases.

    The standard deviation is sqrt(2 / fan in), which keeps the scale through ReLUs.
    """
    for name, parameter in module.named_parameters():
        if parameter.ndim == 1:
            nn.init.zeros_(parameter)
        else:
            deviation = sqrt(2 / parameter[0].numel())
            nn.init.trunc_normal_(parameter, std=deviation, a=-2 * deviation, b=2 * deviation, generator=generator)
        if "recurrent.bias_hh" in name:  # remember by default: the forget gate's bias is 1
            with torch.no_grad():
                parameter.chunk(4)[1].fill_(1)


def resize(planes: Tensor, size: int) -> Tensor:
    """Planes (N, C, H, W) at `size` × `size` by area interpolation."""
    return (
        planes if planes.shape[-2:] == (size, size) else functional.interpolate(planes, size=(size, size), mode="area")
    )


def cut_patches(mattes: Tensor, locations: Tensor, size: int) -> Tensor:
    """Patches (N, size, size) of mattes (N, H, W) around locations (N, 2), as (y, x) in [-1, 1].

    What lies outside the image is 0.5, as little known as a matte can be.
    """
    count, height, width = mattes.shape
    before, after = size // 2, size - size // 2 - 1
    padded = functional.pad(mattes, (before, after, before, after), value=0.5)
    extent = torch.tensor([height, width], device=mattes.device)
    corners = ((locations.clamp(-1, 1) + 1) / 2 * (extent - 1)).round().long()
    steps = torch.arange(size, device=mattes.device)
    rows, columns = (corners[:, axis, None] + steps for axis in (0, 1))  # (N, size)
    index = torch.arange(count, device=mattes.device)[:, None, None]
    return padded[index, rows[:, :, None], columns[:, None, :]]
