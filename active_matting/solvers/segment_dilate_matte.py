"""A baseline of the literature: cut the object out, take a band of one width around the cut as unknown, matte that."""

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters import SEGMENTERS, PreparedSegmenter, make_segmenter
from active_matting.segmenters.base import needs_both_classes
from active_matting.solvers.base import (
    AlphaFromLabels,
    Matte,
    PreparedSolver,
    has_both_classes,
    is_undecided,
    is_untold,
)
from active_matting.solvers.warm_up import solve_in_each_way, warm_up
from active_matting.types import Alpha, Image, Label, LabelMap, check_image, check_label_map


@dataclass(frozen=True)
class SegmentDilateMatte:
    """A segmentation, its boundary dilated to a trimap, and a matting solver, chained (Forte's thesis, sec. 5.3.3).

    What the thesis compares its own networks with: `width` 20 is its "thin" band, 180 its "large" one. The same
    width everywhere, whatever the image is like; `segment-then-matte` adapts it. What the user labelled holds
    throughout, transitions included: they are unknown to the solver. Where one class or none is labelled and the
    segmenter knows nothing of the rest, the matte is 0.5 there. Raises `UnknownNameError` and `InvalidArgumentError`
    for parts that do not exist or take other arguments.

    >>> SegmentDilateMatte(segmenter="random-walk", width=180, solver="closed-form").width
    180
    """

    segmenter: str = "cues"
    """What cuts out: a name of `active_matting.segmenters.SEGMENTERS`, which comes first, or of any other solver."""
    segmenter_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    width: float = 20
    """Width of the unknown band in pixels, half of it to each side of the cut. At least 2, or there would be none."""
    solver: str = "shared"
    """What mattes the band: any other solver's name."""
    solver_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not 2 <= self.width < float("inf"):
            raise InvalidArgumentError(f"width must be finite and at least 2 pixels, got {self.width}")
        if "segment-dilate-matte" in (self.segmenter, self.solver):
            raise InvalidArgumentError("segment-dilate-matte cannot be a part of itself; name another solver")
        object.__setattr__(self, "segmenter_kwargs", dict(self.segmenter_kwargs))
        object.__setattr__(self, "solver_kwargs", dict(self.solver_kwargs))
        self._parts()

    def _parts(self) -> tuple[Any, Any]:
        from active_matting.solvers import make_solver  # the table names this file

        make = make_segmenter if self.segmenter in SEGMENTERS.names() else make_solver
        return make(self.segmenter, **self.segmenter_kwargs), make_solver(self.solver, **self.solver_kwargs)

    def prepare(self, image: Image) -> "PreparedChain":
        """See `Solver.prepare`."""
        image = check_image(image).copy()
        segmenter, solver = (part.prepare(image) for part in self._parts())
        if self.segmenter in SEGMENTERS.names():
            segmenter = _SegmenterAsSolver(segmenter)
        return PreparedChain((image.shape[0], image.shape[1]), segmenter.solve, self.width, solver)

    def warm_up(self) -> None:
        """See `active_matting.warm_up`: the parts as they want to be, then the rest around simple ones."""
        segmenter, solver = self._parts()
        warm_up(solver)
        simple = replace(self, solver="random-walk", solver_kwargs={})
        if self.segmenter not in SEGMENTERS.names():
            warm_up(segmenter)
            simple = replace(simple, segmenter="random-walk", segmenter_kwargs={})
        solve_in_each_way(simple)


@dataclass(frozen=True)
class _SegmenterAsSolver:
    """A segmenter asked as a solver is: with one class alone, only if it makes something of that."""

    prepared: PreparedSegmenter

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        is_enough = not (needs_both_classes(self.prepared) or is_untold(label_map).all())
        if not is_enough and not has_both_classes(label_map[None])[0]:
            return Matte(np.full(label_map.shape, 0.5, dtype=np.float32))
        return Matte(self.prepared.segment(label_map))


@dataclass(frozen=True)
class PreparedChain:
    """Segmenter and solver, prepared for the same image of `shape`; see `PreparedSolver`."""

    shape: tuple[int, int]
    segment: AlphaFromLabels
    width: float
    solver: PreparedSolver

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`. Raises `InvalidArrayError` for labels of another shape or value."""
        label_map = check_label_map(label_map, self.shape)
        alpha = self.segment(label_map, previous).alpha
        if not has_both_classes(label_map[None])[0] and is_undecided(alpha, label_map):
            matte = Matte(np.full(self.shape, 0.5, dtype=np.float32))
        else:
            matte = self.solver.solve(dilated_boundary(alpha, label_map, self.width))
        for label, value in ((Label.FOREGROUND, 1), (Label.BACKGROUND, 0)):
            np.copyto(matte.alpha, value, where=label_map == label)
        return matte

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`: one solve after the other."""
        alphas = np.empty((len(label_maps), *self.shape), dtype=np.float32)
        for alpha, label_map in zip(alphas, label_maps, strict=True):
            alpha[:] = self.solve(label_map).alpha
        return alphas


def dilated_boundary(alpha: Alpha, label_map: LabelMap, width: float) -> LabelMap:
    """The label map, int8 `(H, W)`, of a cut at alpha 0.5, with a band of `width` pixels around it unlabelled.

    alpha: float32 `(H, W)`; 0.5 counts as foreground. A pixel is in the band where the other side of the cut is at most
    half the width away, from the pixel's middle to the other's; the image's sides are no cut. Labels of `label_map`,
    int8 `(H, W)`, hold.

    >>> dilated_boundary(np.float32([[0, 0, 0, 0.5, 1, 1]]), np.int8([[0, 0, 0, 0, 0, 2]]), width=2).tolist()
    [[-1, -1, 0, 0, 1, 2]]
    """
    is_inside = alpha >= np.float32(0.5)
    trimap = np.where(is_inside, np.int8(Label.FOREGROUND), np.int8(Label.BACKGROUND))
    if not is_inside.all() and is_inside.any():
        from_edge = [
            cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            for side in (is_inside, ~is_inside)
        ]
        to_other = np.maximum(*from_edge)  # one of them is 0
        trimap[to_other <= width / 2] = Label.UNLABELLED
    return np.where(label_map == Label.UNLABELLED, trimap, label_map)
