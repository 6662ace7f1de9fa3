"""A composite solver: find the object, then matte its edge."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters import make_segmenter
from active_matting.segmenters.band import PreparedBand
from active_matting.segmenters.base import PreparedSegmenter
from active_matting.solvers.base import Matte, PreparedClassical, PreparedSolver
from active_matting.solvers.warm_up import solve_in_each_way, warm_up
from active_matting.types import Image, Label, LabelMap, check_image


@dataclass(frozen=True)
class SegmentThenMatte:
    """A segmenter finds the object from the labels, an unknown band is drawn around its edge, a solver mattes that.

    No matting method was made for a handful of labelled regions: colours seen at a few places do not tell what lies
    between them. Given a trimap they are at their best, so this makes one. The band's width adapts to the image, see
    `active_matting.segmenters.band`. What the user labelled holds throughout, transitions included: they stay in the
    band. Raises `UnknownNameError` and `InvalidArgumentError` for parts that do not exist or take other arguments.

    >>> SegmentThenMatte(segmenter="grabcut", solver="closed-form", solver_kwargs={"epsilon": 1e-6}).solver
    'closed-form'
    """

    segmenter: str = "cues"
    """What finds the object: a name of `active_matting.segmenters.SEGMENTERS`."""
    segmenter_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    solver: str = "shared"
    """What mattes the band: any other solver's name."""
    solver_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    sureness: float = 0.95
    """Pixels that are pure with more than this chance are taken as known; the higher, the wider the band. The more of
    the image is told, the surer it has to be: a trimap is left as it is."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.sureness < 1:
            raise InvalidArgumentError(f"sureness must be at least 0.5 and below 1, got {self.sureness}")
        if self.solver == "segment-then-matte":
            raise InvalidArgumentError("segment-then-matte cannot matte with itself; name another solver")
        object.__setattr__(self, "segmenter_kwargs", dict(self.segmenter_kwargs))
        object.__setattr__(self, "solver_kwargs", dict(self.solver_kwargs))
        self._parts()

    def _parts(self) -> tuple[Any, Any]:
        from active_matting.solvers import make_solver  # the table names this file

        return make_segmenter(self.segmenter, **self.segmenter_kwargs), make_solver(self.solver, **self.solver_kwargs)

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        image = check_image(image).copy()
        segmenter, solver = self._parts()
        parts = PreparedParts(segmenter.prepare(image), PreparedBand.of(image), solver.prepare(image), self.sureness)
        return PreparedClassical((image.shape[0], image.shape[1]), parts.solve)

    def warm_up(self) -> None:
        """See `active_matting.warm_up`: the solver as it wants to be, then the rest around a simple one."""
        warm_up(self._parts()[1])
        solve_in_each_way(replace(self, solver="random-walk", solver_kwargs={}))


@dataclass(frozen=True)
class PreparedParts:
    """Segmenter, band and solver, each prepared for the same image."""

    segmenter: PreparedSegmenter
    band: PreparedBand
    solver: PreparedSolver
    sureness: float

    def solve(self, label_map: LabelMap, previous: Matte | None) -> Matte:
        """The matte for labels int8 (H, W) of which both classes are there."""
        segmentation = self.segmenter.segment(label_map)
        untold = np.mean((label_map == Label.UNLABELLED) | (label_map == Label.TRANSITION))
        trimap = self.band.trimap(segmentation, label_map, 1 - (1 - self.sureness) * float(untold) ** 4)
        return self.solver.solve(trimap)
