"""A network, or any other solver, as what finds the object."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters.base import Probability, resize_image, resize_labels, resize_plane, scaled_shape
from active_matting.solvers import PreparedSolver, Solver, make_solver
from active_matting.solvers.base import is_undecided
from active_matting.types import Image, LabelMap, check_image


@dataclass(frozen=True)
class NetworkSegmenter:
    """Where a solver's alpha is: one that knows what objects look like needs few labels to find them.

    The picture is made smaller where it is larger than `side`; what is told never vanishes by that. A solver that
    remembers has no memory here: each time it is as if the labels were the first. Raises `UnknownNameError` and
    `InvalidArgumentError`; `prepare` raises what the solver's does, such as `FileError` where weights are missing.

    >>> NetworkSegmenter(solver="interactive-segmentation", side=352).side
    352
    """

    solver: str = "imatting"
    """A name of `active_matting.solvers.SOLVERS`."""
    solver_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    side: int = 256
    """The image's longer side in pixels, at most, for this. The network looks at less; what it corrects is as good at
    this size as at 400, and takes two thirds of the time."""

    def __post_init__(self) -> None:
        if self.side < 1:
            raise InvalidArgumentError(f"side must be at least 1, got {self.side}")
        object.__setattr__(self, "solver_kwargs", dict(self.solver_kwargs))
        self._made()

    def _made(self) -> Solver:
        return make_solver(self.solver, **self.solver_kwargs)

    def prepare(self, image: Image) -> "PreparedNetworkSegmenter":
        """See `Segmenter.prepare`."""
        image = check_image(image)
        shape = (image.shape[0], image.shape[1])
        small = image if max(shape) <= self.side else resize_image(image, scaled_shape(shape, self.side))
        return PreparedNetworkSegmenter(shape, self._made().prepare(small))


@dataclass(frozen=True)
class PreparedNetworkSegmenter:
    """See `PreparedSegmenter`."""

    shape: tuple[int, int]
    prepared: PreparedSolver
    needs_both_classes: ClassVar[bool] = False

    def segment(self, label_map: LabelMap) -> Probability:
        """See `PreparedSegmenter.segment`; 0.5 throughout where the solver makes nothing of the labels."""
        small = self.prepared.shape
        if small == self.shape:
            return self.prepared.solve(label_map).alpha
        labels = resize_labels(label_map, small)
        alpha = self.prepared.solve(labels).alpha
        if is_undecided(alpha, labels):  # what is told would else spread into it as it is enlarged
            return np.full(self.shape, 0.5, dtype=np.float32)
        return resize_plane(alpha, self.shape)
