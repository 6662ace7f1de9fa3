"""Agents that give every cell of a grid a score and ask about the best one that was not asked before."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.observations import GREY_OF_LABEL, Observation
from active_matting.regions import Region, action_to_region, region_grid, region_to_action
from active_matting.types import Image, Label, LabelMap

Mask = NDArray[np.bool_]
Scores = NDArray[np.float64]

PART_OF_SIDE = 0.05
"""A region's side where no environment tells it, as a part of the image's shorter side: the protocol's."""


@dataclass(frozen=True)
class Cells:
    """The cells of an image of `shape` (H, W), row by row, as `region_grid` lays them."""

    shape: tuple[int, int]
    regions: tuple[Region, ...]

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, shape: tuple[int, int], side: int) -> "Cells":
        """Those of `side` pixels. Raises `InvalidArgumentError` where the image is smaller."""
        return cls(shape, tuple(region_grid(side, shape)))

    def __len__(self) -> int:
        return len(self.regions)

    def means(self, plane: NDArray[Any]) -> NDArray[np.float64]:
        """The mean of a plane, `(H, W)` or `(H, W, C)`, over each cell: `(cells,)` or `(cells, C)`."""
        return np.stack([plane[region.slices].mean(axis=(0, 1), dtype=np.float64) for region in self.regions])

    def centres(self) -> NDArray[np.float64]:
        """`(cells, 2)`: of each cell, as parts of the image's longer side."""
        places = [(region.y, region.x) for region in self.regions]
        return np.array(places, dtype=np.float64) / max(self.shape)

    def spread(self, chances: NDArray[np.float64]) -> NDArray[np.float32]:
        """Chances of the cells, `(cells,)`, at each pixel of theirs, float32 `(H, W)` with the sum 1.

        Where cells overlap the higher one counts.
        """
        plane = np.zeros(self.shape)
        for region, chance in zip(self.regions, chances, strict=True):
            plane[region.slices] = np.maximum(plane[region.slices], chance)
        return np.asarray(plane / plane.sum(), dtype=np.float32)

    def at(self, action: NDArray[np.float32]) -> int:
        """The cell whose centre is nearest to where an action points; among equals the first."""
        region = action_to_region(action, self.regions[0].side, self.shape)
        distances = [(region.y - cell.y) ** 2 + (region.x - cell.x) ** 2 for cell in self.regions]
        return int(np.argmin(distances))


@dataclass(frozen=True)
class View:
    """One observation as scores need it.

    image: float32 `(H, W, 3)` in [0, 1]; alpha: float32 `(H, W)`; label_map: int8 `(H, W)`; is_known: bool `(cells,)`,
    of cells asked before or with any labelled pixel.
    """

    cells: Cells
    image: Image
    alpha: NDArray[np.float32]
    label_map: LabelMap
    is_known: Mask


class Scorer(Protocol):
    """How much each cell is worth asking about; the same for the same view."""

    def __call__(self, view: View) -> Sequence[Scores]:
        """Scores `(cells,)`; a second and further ones decide where the ones before them are equal."""


class CellAgent:
    """Asks about the cell that `score` likes best among those not asked before; the first by row and column of equals.

    What was asked is the state: whichever answer came, and from whomever the earlier answers, no cell comes twice while
    there are others. Cells labelled throughout count as asked. side: of the cells, pixels; None for that of the
    environment `env`, single or a batch, else for a twentieth of the image's shorter side. is_deterministic: whether
    `score` has nothing that was drawn, so that one run tells all; see `active_matting.agents.evaluate`.
    """

    def __init__(
        self, score: Scorer, env: Any = None, side: int | None = None, *, is_deterministic: bool = True
    ) -> None:
        if side is not None and side < 1:
            raise InvalidArgumentError(f"side must be at least 1 pixel, got {side}")
        self._score = score
        self.is_deterministic = is_deterministic
        self._side = side if side is not None else setting_of(env, "region_size")

    def predict(
        self,
        observation: Observation,
        state: Mask | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], Mask]:
        """See `Agent.predict`; always deterministic. The state, bool `(N, cells)`, is what was asked."""
        batch, cells, asked = self._seen(observation, state, episode_start)
        actions = np.empty((len(asked), 2), dtype=np.float32)
        for i in range(len(asked)):
            scores, is_open = self._look({name: array[i] for name, array in batch.items()}, cells, asked[i])
            chosen = best_of(scores, is_open)
            asked[i, chosen] = True
            actions[i] = region_to_action(cells.regions[chosen], cells.shape)
        return (actions if observation["image"].ndim == 4 else actions[0]), asked

    def heatmap(
        self,
        observation: Observation,
        state: Mask | None = None,
        episode_start: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """What each pixel's cell is worth asking about, float32 `(H, W)`, or `(N, H, W)`, summing to 1 over the image.

        It is proportional to the score, 0 for a cell that was asked about; see `chances_of`. The cell that `predict`
        would choose is among the hottest. state: as `predict` is given it, which does not move on by this.
        """
        batch, cells, asked = self._seen(observation, state, episode_start)
        maps = []
        for i in range(len(asked)):
            scores, is_open = self._look({name: array[i] for name, array in batch.items()}, cells, asked[i])
            maps.append(cells.spread(chances_of(scores, is_open)))
        return np.stack(maps) if observation["image"].ndim == 4 else maps[0]

    def _seen(
        self, observation: Observation, state: Mask | None, episode_start: NDArray[np.bool_] | None
    ) -> tuple[Observation, Cells, Mask]:
        """The observation as a batch, the cells, and a copy of what was asked before."""
        is_batch = observation["image"].ndim == 4
        batch = observation if is_batch else {name: array[None] for name, array in observation.items()}
        n, _, h, w = batch["image"].shape
        cells = Cells.of((h, w), self._side or max(1, round(PART_OF_SIDE * min(h, w))))
        asked = np.zeros((n, len(cells)), dtype=bool) if state is None else state.copy()
        if episode_start is not None:
            asked[np.asarray(episode_start, dtype=bool)] = False
        return batch, cells, asked

    def _look(self, observation: Observation, cells: Cells, asked: Mask) -> tuple[Sequence[Scores], Mask]:
        """The cells' scores, and which may be asked about; notes in `asked` what someone else asked."""
        label_map = labels_of(observation["label_map"][0])
        labelled = cells.means(label_map != Label.UNLABELLED)
        if observation["remaining"][0] < 1 or observation["location"].any():  # passed over, a region costs nothing
            asked[cells.at(observation["location"])] = True
        view = View(
            cells,
            image_of(observation),
            observation["matte"][0].astype(np.float32) / 255,
            label_map,
            asked | (labelled > 0),
        )
        return self._score(view), ~asked & (labelled < 1)


def best_of(scores: Sequence[Scores], is_open: Mask) -> int:
    """The open cell of the highest score, `(cells,)` each, by the first, then the second, …; any where none is open."""
    left = np.flatnonzero(is_open) if is_open.any() else np.arange(len(is_open))
    for score in scores:
        left = left[score[left] == score[left].max()]
    return int(left[0])


def chances_of(scores: Sequence[Scores], is_open: Mask) -> Scores:
    """Chances, float64 `(cells,)`, that sum to 1: proportional to the scores, those of closed cells 0.

    Scores below 0 are lifted until the lowest open one is 0. Where all open cells score the same by the first, the
    second tells, …; where by all, or where none is open, cells are alike.
    """
    left = is_open if is_open.any() else np.ones_like(is_open)
    chances = left.astype(np.float64)
    for score in scores:
        if np.ptp(score[left]) > 0:
            chances = np.where(left, score - min(0, score[left].min()), 0)
            break
    return np.asarray(chances / chances.sum())


def labels_of(greys: NDArray[np.uint8]) -> LabelMap:
    """The label map, int8 `(H, W)`, that an observation shows as uint8 greys `(H, W)`."""
    label_map = np.zeros(greys.shape, dtype=np.int8)
    for label, grey in GREY_OF_LABEL.items():
        label_map[greys == grey] = label
    return label_map


def image_of(observation: Observation) -> Image:
    """The image, float32 `(H, W, 3)` in [0, 1], of one observation."""
    return np.ascontiguousarray(observation["image"].transpose(1, 2, 0), dtype=np.float32) / np.float32(255)


def setting_of(env: Any, name: str) -> int | None:
    """One of the settings of an environment, single or a batch; None without one."""
    settings = getattr(getattr(env, "unwrapped", env), "settings", None)
    value = getattr(settings, name, None)
    return None if value is None else int(value)
