"""The network of the spatial agent: what is seen, on a grid of cells; what is remembered; which square to ask about."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from active_matting.agents.spatial.cues import (
    CLOSED,
    COLOURS,
    close,
    counted,
    covered,
    disagreement,
    in_view_of_mixed,
    likeness,
    of_squares,
    places,
    usefulness,
)
from active_matting.agents.spatial.grid import DETAIL, HALF
from active_matting.errors import InvalidArgumentError
from active_matting.models.efficientnet import Recognition

CLASSES = 3
"""What a square may be: all background, all foreground, or mixed."""


@dataclass(frozen=True)
class SpatialConfig:
    """Sizes of the network; the defaults are those of the weights that come with the package."""

    channels: tuple[int, int, int, int] = (24, 48, 72, 96)
    """At half a cell, a cell, two cells and four cells."""
    memory: int = 16
    """Channels of the recurrent state, of each cell."""
    recognition: int = 48
    """Channels, of each half cell, of what a network sees in the image that was pretrained on photographs; 0: none."""
    detail: int = DETAIL
    """How many times larger than mattes the image is in which that one looks: `DETAIL`, or 1 as agents of before do."""

    def __post_init__(self) -> None:
        if len(self.channels) != 4 or min(self.channels) < 8 or any(count % 8 for count in self.channels):
            raise InvalidArgumentError(f"channels must be four multiples of 8, got {self.channels}")
        if self.memory < 1:
            raise InvalidArgumentError(f"memory must be at least 1 channel, got {self.memory}")
        if self.recognition < 0:
            raise InvalidArgumentError(f"recognition must be at least 0 channels, got {self.recognition}")
        if self.detail not in (1, DETAIL):
            raise InvalidArgumentError(f"detail must be 1 or {DETAIL}, got {self.detail}")


class Sight(NamedTuple):
    """What there is to see before a query, of N episodes, on grids of h × w cells, `CELL` pixels to a cell's side.

    R = 2h − 1 and C = 2w − 1 are the rows and columns of the squares that may be asked about.
    """

    matte: Tensor  # (N, 1, 8h, 8w), in [0, 1]
    before: Tensor  # (N, 1, 8h, 8w), the matte before the newest answer; the matte itself before the first
    opinion: Tensor  # (N, 1, 8h, 8w), in [0, 1]: what another network would have for the matte, see `opinion`
    told: Tensor  # (N, 2, 8h, 8w), in [0, 1]: what was told to be foreground, and background
    asked: Tensor  # (N, 1, R, C): 1 for squares that were asked about, else 0


class Decision(NamedTuple):
    """What the network makes of it. The first is what the agent acts on, the others are what it learns from besides.

    log_probability: (N, R, C), of asking about each square, -1e9 where one was; where all were, none is closed. Its
    logits are a map's plus the logarithm of `usefulness`.
    gain: (N, R, C), the part of the RMSE that an answer is expected to remove, as it comes, above 1 too: clipped it
    would learn nothing from there. kinds: (N, 3, R, C), logits of `CLASSES`. error: (N, R, C), the logarithm of the
    mean squared error. value: (N,), the drop in the RMSE's logarithm that is to be expected of the rest of the episode.
    log_rmse: (N,), the present RMSE's logarithm.
    """

    log_probability: Tensor
    gain: Tensor
    kinds: Tensor
    error: Tensor
    value: Tensor
    log_rmse: Tensor

    def expected_drops(self) -> Tensor:
        """(N, R, C): the drop in RMSE to be expected of each square; 0 where one was asked about."""
        drops = self.gain.clamp(max=1) * self.log_rmse.exp()[:, None, None]
        return torch.where(self.log_probability > CLOSED / 2, drops, torch.zeros_like(drops))


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


class _Seen(NamedTuple):
    cells: Tensor  # (N, C, h, w), features
    halves: Tensor  # (N, C'', 2h, 2w), features of half cells
    whole: Tensor  # (N, C'), of the whole picture
    alike: Tensor  # (N, 6, R, C), see `likeness`


class SpatialPolicy(nn.Module):
    """Image, answers and mattes → a heat map over squares half a cell apart; fully convolutional, for any grid.

    The image is encoded once an episode (`encode_image`), what changes at each query; both meet at half a
    cell. Coarser scales, down to four cells, and the whole picture's mean see what lies around. What is made of all
    that comes back to half a cell, and each square is what its 2 × 2 half cells say. `step` goes one query at a time;
    `unroll` goes through whole sequences at once. They agree.
    """

    def __init__(self, config: SpatialConfig | None = None) -> None:
        super().__init__()
        self.config = config = SpatialConfig() if config is None else config
        fine, cell, two, four = config.channels
        self.image = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, fine, 3, stride=2, padding=1)
        )
        self.recognition = Recognition(config.recognition) if config.recognition else None
        self.state = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(16 * 6, fine, 1))
        self.meet = nn.Sequential(nn.ReLU(), nn.Conv2d(2 * fine + 1 + config.recognition, fine, 1), Residual(fine))
        self.to_cell = nn.Conv2d(fine, cell, 4, stride=2, padding=1)
        self.of_cell = nn.Conv2d(13 + 2 * (len(COLOURS) + 1) + config.recognition, cell, 1)
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
        self.to_half = nn.Conv2d(cell, fine, 1)
        self.at_half = nn.Sequential(Residual(fine), nn.ReLU())
        self.maps = nn.Conv2d(fine, 3 + CLASSES, 2)
        figures = nn.Linear(64, 2)
        self.figures = nn.Sequential(nn.Linear(four + cell, 64), nn.ReLU(), figures)
        with torch.no_grad():  # where errors' logarithms and figures lie, so that they need not be found first
            _bias(self.maps).copy_(torch.tensor([0.0, 0.0, -7.0, *[0.0] * CLASSES]))
            _bias(figures).copy_(torch.tensor([1.0, -2.5]))

    def encode_image(self, image: Tensor) -> Tensor:
        """Images (N, 3, 8 `DETAIL` h, 8 `DETAIL` w) in [0, 1] → (N, C + R + 3, 2h, 2w), for `step` and `unroll`.

        They are features, what is recognised, and colours.
        """
        small = functional.avg_pool2d(image, DETAIL)
        features = [self.image(2 * small - 1)]
        if self.recognition is not None:
            shape = (small.shape[2] // HALF, small.shape[3] // HALF)
            features.append(functional.relu(self.recognition(small if self.config.detail == 1 else image, shape)))
        return torch.cat([*features, functional.avg_pool2d(small, HALF)], 1)

    def step(self, image_features: Tensor, sight: Sight, memory: Tensor | None) -> tuple[Decision, Tensor]:
        """One query; memory: (N, M, h, w) of the query before, or None. Returns the decision and the new memory."""
        seen = self._see(image_features, sight)
        if memory is None:
            memory = seen.cells.new_zeros(len(seen.cells), self.config.memory, *seen.cells.shape[-2:])
        memory = self.recurrent(seen.cells, memory)
        return self._decide(seen, memory, sight), memory

    def unroll(self, image_features: Tensor, sights: Sight) -> Decision:
        """All T queries of N episodes, whose sights have (T, N) for N; so has the decision."""
        steps, count = sights.asked.shape[:2]
        repeated = image_features.repeat(steps, 1, 1, 1)
        flat = Sight(*(part.flatten(0, 1) for part in sights))
        seen = self._see(repeated, flat)
        memory = seen.cells.new_zeros(count, self.config.memory, *seen.cells.shape[-2:])
        memories = []
        for each in seen.cells.view(steps, *memory.shape[:1], *seen.cells.shape[1:]):
            memory = self.recurrent(each, memory)
            memories.append(memory)
        decision = self._decide(seen, torch.cat(memories), flat)
        return Decision(*(part.reshape(steps, count, *part.shape[1:]) for part in decision))

    def _see(self, image_features: Tensor, sight: Sight) -> _Seen:
        """What there is in it."""
        matte = 2 * sight.matte - 1
        foreground, background = sight.told[:, :1], sight.told[:, 1:]
        changes = [4 * (sight.matte - sight.before), 2 * (sight.opinion - sight.matte)]
        planes = torch.cat([matte, 1 - matte.abs(), 2 * sight.opinion - 1, *changes, foreground - background], 1)
        asked = covered(sight.asked)
        fine = self.meet(torch.cat([image_features[:, :-3], self.state(planes), asked], 1))
        told_halves = functional.avg_pool2d(sight.told, HALF)
        told, asked = functional.avg_pool2d(told_halves, 2), functional.avg_pool2d(asked, 2)
        alike = likeness(image_features[:, -3:], told_halves)
        differs = disagreement(sight.matte, sight.opinion)
        recognised = functional.avg_pool2d(image_features, 2)[:, self.config.channels[0] : -3]  # of none it cannot pool
        cells = torch.cat([asked, told, counted(told), places(told), alike, differs, recognised], 1)
        cell = self.at_cell(self.to_cell(fine) + self.of_cell(cells))
        two = self.at_two(self.to_two(functional.relu(cell)))
        four = self.at_four(self.to_four(functional.relu(two)))
        whole = self.whole(functional.relu(four).mean((2, 3)))
        four = functional.relu(four + whole[:, :, None, None])
        two = two + _enlarged(self.from_four(four), two)
        cell = cell + _enlarged(self.from_two(two), cell)
        return _Seen(cell, fine, functional.relu(whole), of_squares(alike))

    def _decide(self, seen: _Seen, memory: Tensor, sight: Sight) -> Decision:
        last = self.last(torch.cat([seen.cells, memory], 1))
        maps = self.maps(self.at_half(seen.halves + _enlarged(self.to_half(last), seen.halves))).float()
        value, log_rmse = self.figures(torch.cat([seen.whole, last.mean((2, 3))], 1)).float().unbind(1)
        useful = usefulness(maps[:, 3:].detach(), sight.told, sight.asked, seen.alike)
        logits = close(in_view_of_mixed(maps[:, 0], useful, sight.told, sight.asked), sight.asked[:, 0])
        shape = logits.shape
        log_probability = functional.log_softmax(logits.flatten(1), 1).view(shape)
        return Decision(log_probability, maps[:, 1], maps[:, 3:], maps[:, 2], value, log_rmse)


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _enlarged(features: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)
