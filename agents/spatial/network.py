"""The network of the spatial agent: what is seen, on a grid of cells; what is remembered; where to ask."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from active_matting.agents.spatial.grid import CELL
from active_matting.errors import InvalidArgumentError

CLASSES = 3
"""What a cell may be: all background, all foreground, or mixed."""

_COLOURS, _NEAR = (0.05, 0.15), 0.12
"""Standard deviations within which a cell is like one that was told: of colours in [0, 1]; of places, of the side."""

_CLOSED = -1e9
"""The logit of a cell that was asked about."""


@dataclass(frozen=True)
class SpatialConfig:
    """Sizes of the network; the defaults are those of the weights that come with the package."""

    channels: tuple[int, int, int, int] = (32, 64, 96, 96)
    """At half a cell, a cell, two cells and four cells."""
    memory: int = 16
    """Channels of the recurrent state, of each cell."""

    def __post_init__(self) -> None:
        if len(self.channels) != 4 or min(self.channels) < 8 or any(count % 8 for count in self.channels):
            raise InvalidArgumentError(f"channels must be four multiples of 8, got {self.channels}")
        if self.memory < 1:
            raise InvalidArgumentError(f"memory must be at least 1 channel, got {self.memory}")


class Sight(NamedTuple):
    """What there is to see before a query, of N episodes, on grids of h × w cells, `CELL` pixels to a cell's side."""

    matte: Tensor  # (N, 1, 8h, 8w), in [0, 1]
    before: Tensor  # (N, 1, 8h, 8w), the matte before the newest answer; the matte itself before the first
    told: Tensor  # (N, 2, 8h, 8w), in [0, 1]: what was told to be foreground, and background
    asked: Tensor  # (N, 1, h, w): 1 for cells that were asked about, else 0


class Decision(NamedTuple):
    """What the network makes of it. The first is what the agent acts on, the others are what it learns from besides.

    log_probability: (N, h, w), of asking about each cell, -1e9 where one was; where all were, none is closed. Its
    logits are a map's plus the logarithm of `usefulness`.
    gain: (N, h, w), the part of the RMSE, at most 1, that an answer is expected to remove. kinds: (N, 3, h, w), logits
    of `CLASSES`. error: (N, h, w), the logarithm of the blurred squared error. value: (N,), the drop in the RMSE's
    logarithm that is to be expected of the rest of the episode. log_rmse: (N,), the present RMSE's logarithm.
    """

    log_probability: Tensor
    gain: Tensor
    kinds: Tensor
    error: Tensor
    value: Tensor
    log_rmse: Tensor

    def expected_drops(self) -> Tensor:
        """(N, h, w): the drop in RMSE to be expected of each cell; 0 where one was asked about."""
        drops = self.gain * self.log_rmse.exp()[:, None, None]
        return torch.where(self.log_probability > _CLOSED / 2, drops, torch.zeros_like(drops))


class Residual(nn.Module):
    """x + two 3×3 convolutions, each after normalisation, of eight channels together, and ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(channels // 8, channels) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.convolutions[1].weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) → the same shape."""
        x = features
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = convolution(functional.relu(norm(x)))
        return features + x


class ConvGRU(nn.Module):
    """A gated recurrent unit (Cho et al. 2014) whose state keeps its place: the products are 3×3 convolutions."""

    def __init__(self, channels: int, memory: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(channels + memory, 2 * memory, 3, padding=1)
        self.candidate = nn.Conv2d(channels + memory, memory, 3, padding=1)

    def forward(self, features: Tensor, memory: Tensor) -> Tensor:
        """Features (N, C, h, w) and memory (N, M, h, w) → the new memory."""
        reset, update = torch.sigmoid(self.gates(torch.cat([features, memory], 1))).chunk(2, 1)
        candidate = torch.tanh(self.candidate(torch.cat([features, reset * memory], 1)))
        return (1 - update) * memory + update * candidate


class SpatialPolicy(nn.Module):
    """Image, answers and mattes → a heat map over the cells of a grid; fully convolutional, for grids of any size.

    The image is encoded once an episode (`encode_image`), what changes at each query; both meet at half a
    cell. Coarser scales, down to four cells, and the whole picture's mean see what lies around. `step` goes one query
    at a time; `unroll` goes through whole sequences at once. They agree.
    """

    def __init__(self, config: SpatialConfig | None = None) -> None:
        super().__init__()
        self.config = config = SpatialConfig() if config is None else config
        fine, cell, two, four = config.channels
        self.image = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, fine, 3, stride=2, padding=1)
        )
        self.state = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(16 * 4, fine, 1))
        self.meet = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * fine, fine, 1), Residual(fine))
        self.to_cell = nn.Conv2d(fine, cell, 4, stride=2, padding=1)
        self.of_cell = nn.Conv2d(9 + 2 * (len(_COLOURS) + 1), cell, 1)
        self.at_cell = Residual(cell)
        self.to_two = nn.Conv2d(cell, two, 3, stride=2, padding=1)
        self.at_two = Residual(two)
        self.to_four = nn.Conv2d(two, four, 3, stride=2, padding=1)
        self.at_four = Residual(four)
        self.whole = nn.Linear(four, four)
        self.from_four = nn.Conv2d(four, two, 1)
        self.from_two = nn.Sequential(Residual(two), nn.Conv2d(two, cell, 1))
        self.recurrent = ConvGRU(cell, config.memory)
        self.last = nn.Sequential(nn.Conv2d(cell + config.memory, cell, 1), Residual(cell), nn.ReLU())
        self.maps = nn.Conv2d(cell, 3 + CLASSES, 1)
        figures = nn.Linear(64, 2)
        self.figures = nn.Sequential(nn.Linear(four + cell, 64), nn.ReLU(), figures)
        with torch.no_grad():  # where errors' logarithms and figures lie, so that they need not be found first
            _bias(self.maps).copy_(torch.tensor([0.0, 0.0, -7.0, *[0.0] * CLASSES]))
            _bias(figures).copy_(torch.tensor([1.0, -2.5]))

    def encode_image(self, image: Tensor) -> Tensor:
        """Images (N, 3, 8h, 8w) in [0, 1] → features and colours (N, C + 3, 2h, 2w), for `step` and `unroll`."""
        return torch.cat([self.image(2 * image - 1), functional.avg_pool2d(image, 4)], 1)

    def step(self, image_features: Tensor, sight: Sight, memory: Tensor | None) -> tuple[Decision, Tensor]:
        """One query; memory: (N, M, h, w) of the query before, or None. Returns the decision and the new memory."""
        features, whole = self._see(image_features, sight)
        if memory is None:
            memory = features.new_zeros(len(features), self.config.memory, *features.shape[-2:])
        memory = self.recurrent(features, memory)
        return self._decide(features, memory, whole, sight), memory

    def unroll(self, image_features: Tensor, sights: Sight) -> Decision:
        """All T queries of N episodes, whose sights have (T, N) for N; so has the decision."""
        steps, count = sights.asked.shape[:2]
        repeated = image_features.repeat(steps, 1, 1, 1)
        flat = Sight(*(part.flatten(0, 1) for part in sights))
        features, whole = self._see(repeated, flat)
        memory = features.new_zeros(count, self.config.memory, *features.shape[-2:])
        memories = []
        for each in features.view(steps, *memory.shape[:1], *features.shape[1:]):
            memory = self.recurrent(each, memory)
            memories.append(memory)
        decision = self._decide(features, torch.cat(memories), whole, flat)
        return Decision(*(part.reshape(steps, count, *part.shape[1:]) for part in decision))

    def _see(self, image_features: Tensor, sight: Sight) -> tuple[Tensor, Tensor]:
        """Features of the cells (N, C, h, w), and of the whole (N, C')."""
        matte = 2 * sight.matte - 1
        foreground, background = sight.told[:, :1], sight.told[:, 1:]
        planes = torch.cat([matte, 1 - matte.abs(), 4 * (sight.matte - sight.before), foreground - background], 1)
        fine = self.meet(torch.cat([image_features[:, :-3], self.state(planes)], 1))
        told = functional.avg_pool2d(sight.told, CELL)
        alike = likeness(functional.avg_pool2d(image_features[:, -3:], 2), told)
        cells = torch.cat([sight.asked, told, _counted(told), _places(sight.asked), alike], 1)
        cell = self.at_cell(self.to_cell(fine) + self.of_cell(cells))
        two = self.at_two(self.to_two(functional.relu(cell)))
        four = self.at_four(self.to_four(functional.relu(two)))
        whole = self.whole(functional.relu(four).mean((2, 3)))
        four = functional.relu(four + whole[:, :, None, None])
        two = two + _enlarged(self.from_four(four), two)
        return cell + _enlarged(self.from_two(two), cell), functional.relu(whole)

    def _decide(self, features: Tensor, memory: Tensor, whole: Tensor, sight: Sight) -> Decision:
        last = self.last(torch.cat([features, memory], 1))
        maps = self.maps(last).float()
        value, log_rmse = self.figures(torch.cat([whole, last.mean((2, 3))], 1)).float().unbind(1)
        logits = close(maps[:, 0] + usefulness(maps[:, 3:].detach(), sight.told).log(), sight.asked[:, 0])
        shape = logits.shape
        log_probability = functional.log_softmax(logits.flatten(1), 1).view(shape)
        return Decision(log_probability, maps[:, 1].clamp(max=1), maps[:, 3:], maps[:, 2], value, log_rmse)


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def likeness(colours: Tensor, told: Tensor) -> Tensor:
    """How like each cell is to the likest one told, (N, 6, h, w) in [0, 1]: of foreground, then of background.

    colours: (N, 3, h, w); told: (N, 2, h, w). exp(−d² / 2σ²), of colours for two σ, and of places.
    """
    rows, columns = colours.shape[-2:]
    longest = max(rows, columns)
    y, x = (torch.arange(extent, device=told.device, dtype=torch.float32) / longest for extent in (rows, columns))
    places = torch.stack([y[:, None].expand(rows, columns), x.expand(rows, columns)], -1).view(1, -1, 2)
    points = colours.float().flatten(2).transpose(1, 2)
    squares = [(torch.cdist(points, points) ** 2, sigma) for sigma in _COLOURS]
    squares.append((torch.cdist(places, places) ** 2, _NEAR))
    is_told = told.float().flatten(2) > 0.5  # (N, 2, cells)
    planes = [
        (torch.exp(-square / (2 * sigma**2))[:, None] * is_told[:, :, None]).amax(3).view(-1, 2, rows, columns)
        for square, sigma in squares
    ]
    return torch.cat([plane[:, which, None] for which in (0, 1) for plane in planes], 1)


def usefulness(kinds: Tensor, told: Tensor) -> Tensor:
    """The chance that an answer tells something, (N, h, w), from logits (N, 3, h, w) and what was told (N, 2, 8h, 8w).

    A mixed one does not. Nor does a class that was told already while the other was not: until both are, classical
    solvers know nothing of the rest of the image (see `solvers.base.write_decided`).
    """
    background, foreground, _ = functional.softmax(kinds, 1).unbind(1)
    is_told = told.amax((2, 3)) > 0.5
    only = is_told & ~is_told.flip(1)  # (N, 2), of foreground, and background
    useful = foreground * ~only[:, 0, None, None] + background * ~only[:, 1, None, None]
    return useful.clamp(min=1e-3)


def close(logits: Tensor, asked: Tensor) -> Tensor:
    """Logits (N, h, w) with cells that were asked about closed; where all were, as they are."""
    is_asked = asked > 0.5
    is_asked = is_asked & ~is_asked.flatten(1).all(1)[:, None, None]
    return logits.masked_fill(is_asked, _CLOSED)


def _counted(told: Tensor) -> Tensor:
    """(N, 4, h, w): the same everywhere, whether any of foreground and background was told, and how many cells."""
    counts = told.sum((2, 3), keepdim=True)
    figures = torch.cat([(counts > 0.01).to(counts), torch.log1p(counts) / 3], 1)
    return figures.expand(-1, -1, *told.shape[-2:])


def _places(asked: Tensor) -> Tensor:
    """(N, 2, h, w): how near to the nearest side, and how high, each cell lies, in [-1, 1]."""
    count, _, rows, columns = asked.shape
    y, x = (torch.linspace(-1, 1, extent, device=asked.device, dtype=asked.dtype) for extent in (rows, columns))
    far = torch.maximum(y.abs()[:, None].expand(rows, columns), x.abs()[None].expand(rows, columns))
    planes = torch.stack([2 * far - 1, y[:, None].expand(rows, columns)])
    return planes.expand(count, 2, rows, columns)


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
