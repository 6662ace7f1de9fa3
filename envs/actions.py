"""What agents choose, and the regions it means. To add a kind: a class here, and an environment that takes it."""

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from active_matting.annotators import ExactAnnotator
from active_matting.data import Sample
from active_matting.envs.query_loop import QueryLoop
from active_matting.envs.settings import Settings, check_count
from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region, action_to_region, region_grid
from active_matting.types import Label

MASKS = ("visited", "pure")


class Actions(Protocol):
    """A kind of action, for environments of some settings."""

    @property
    def space(self) -> spaces.Space[Any]:
        """What an action is."""

    @property
    def mask_space(self) -> spaces.Space[Any] | None:
        """What `mask` returns; None if nothing is ever masked."""

    def regions_of(self, action: Any) -> list[Region]:
        """The S regions that an action means. Raises `InvalidArgumentError`."""

    def mask(self, loop: QueryLoop) -> NDArray[np.int8]:
        """Which actions are worth taking now: 1, else 0."""


class CentreActions:
    """Centres `(y, x)` in [-1, 1]², float32 `(2,)`, or `(S, 2)` of S candidates; see `action_to_region`."""

    mask_space = None

    def __init__(self, settings: Settings) -> None:
        self._side, self._shape = settings.region_size, (settings.image_size, settings.image_size)
        count = settings.candidates
        self.space = spaces.Box(-1, 1, (2,) if count == 1 else (count, 2), np.float32)

    def regions_of(self, action: Any) -> list[Region]:
        """See `Actions`."""
        action = np.asarray(action)
        if action.shape != self.space.shape:
            raise InvalidArgumentError(f"action must have shape {self.space.shape}, got {action.shape}")
        return [action_to_region(proposal, self._side, self._shape) for proposal in action.reshape(-1, 2)]

    def mask(self, loop: QueryLoop) -> NDArray[np.int8]:
        """Continuous actions have none."""
        raise InvalidArgumentError("centres are not masked; the cells of ActiveMatting/RegionGrid-v0 are")


class CellActions:
    """Numbers of the cells of a grid, row by row; one, or one for each of S candidates; see `region_grid`.

    stride: pixels between cells; None is the regions' side. mask: "visited" masks the cells that were asked about,
    "pure" also those that an exact user would call a transition, as the true alpha tells. Where that would leave none,
    nothing but what was visited is masked; and where all were, nothing is.
    """

    def __init__(self, settings: Settings, stride: int | None = None, mask: str = "visited") -> None:
        if stride is not None:
            check_count("stride", stride)
        if mask not in MASKS:
            raise InvalidArgumentError(f"mask must be one of {list(MASKS)}, got {mask!r}")
        self.cells = region_grid(settings.region_size, (settings.image_size, settings.image_size), stride)
        self._number_of = {cell: number for number, cell in enumerate(self.cells)}
        self._masks_mixed, self._candidates = mask == "pure", settings.candidates
        self._pure_cells: tuple[Sample | None, NDArray[np.int8]] = None, np.empty(0, dtype=np.int8)
        count = len(self.cells)
        self.space: spaces.Space[Any] = (
            spaces.Discrete(count) if settings.candidates == 1 else spaces.MultiDiscrete([count] * settings.candidates)
        )
        self.mask_space = spaces.MultiBinary(count * settings.candidates)

    def regions_of(self, action: Any) -> list[Region]:
        """See `Actions`."""
        numbers = np.asarray(action)
        if numbers.shape != self.space.shape or not np.issubdtype(numbers.dtype, np.integer):
            raise InvalidArgumentError(
                f"action must be integers of shape {self.space.shape}, got {numbers.dtype} of shape {numbers.shape}"
            )
        numbers = numbers.ravel()
        if not ((numbers >= 0) & (numbers < len(self.cells))).all():
            raise InvalidArgumentError(f"a cell must be from 0 to {len(self.cells) - 1}, got {action!r}")
        return [self.cells[number] for number in numbers]

    def mask(self, loop: QueryLoop) -> NDArray[np.int8]:
        """int8 `(cells,)`; of S candidates `(S * cells,)`, the same for each, as Stable-Baselines3 wants it."""
        is_open = np.ones(len(self.cells), dtype=np.int8)
        is_open[[self._number_of[said.region] for said in loop.session.answers if said.region in self._number_of]] = 0
        if self._masks_mixed:
            is_pure_too = is_open & self._pure(loop)
            is_open = is_pure_too if is_pure_too.any() else is_open
        if not is_open.any():
            is_open[:] = 1
        return np.tile(is_open, self._candidates)

    def _pure(self, loop: QueryLoop) -> NDArray[np.int8]:
        sample, pure = self._pure_cells
        if sample is not loop.sample:  # once an episode
            annotator = ExactAnnotator(loop.sample.alpha)
            pure = np.array([annotator.answer(cell) != Label.TRANSITION for cell in self.cells], dtype=np.int8)
            self._pure_cells = loop.sample, pure
        return pure
