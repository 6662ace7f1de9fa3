"""A composite solver: find the object, then matte its edge."""

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters import Segmenter, make_segmenter
from active_matting.segmenters.band import Band, PreparedBand, make_band
from active_matting.segmenters.base import PreparedSegmenter, needs_both_classes
from active_matting.solvers.base import (
    Matte,
    PreparedClassical,
    PreparedSolver,
    Solver,
    has_both_classes,
    is_undecided,
    is_untold,
)
from active_matting.solvers.grid.smoothing import Smoother
from active_matting.solvers.warm_up import solve_in_each_way, warm_up
from active_matting.types import Alpha, Image, Label, LabelMap, check_image

_EPSILON = 1e-5
"""Of the Laplacian by which the matte is made to follow the image."""

_DIFFERENT = 0.08
"""The difference of two opinions at which they are trusted half as much as where they agree."""

_UNCONFIRMED = 1 / 6
"""How much an alpha is trusted where there is no other opinion."""

_LARGE = 0.25
"""The difference of what is expected around a pixel and what the solver finds there from which on the former holds in
full: which class it is, is in doubt, and no longer its detail."""

_AROUND = 0.01
"""Standard deviation of what counts as around a pixel, as a part of the image's longer side."""


@dataclass(frozen=True)
class SegmentThenMatte:
    """A segmenter finds the object from the labels, an unknown band is drawn around its edge, a solver mattes that.

    No matting method was made for a handful of labelled regions: colours seen at a few places do not tell what lies
    between them. Given a trimap they are at their best, so this makes one. The band's width adapts to the image, see
    `active_matting.segmenters.band`; what is unknown keeps to the levels expected there where it differs much from
    these, so that one more label does not turn it over. Both matter less the more is told: where that is half of the
    image or more, the solver has the labels as they are. Last, what is unknown is made to follow the image. What the
    user labelled holds throughout, transitions included: they stay in the band. Of labels of one class alone it makes
    what the segmenter does: a network something, the others nothing. Raises `UnknownNameError` and
    `InvalidArgumentError` for parts that do not exist or take other arguments.

    >>> SegmentThenMatte(segmenter="grabcut", solver="closed-form", solver_kwargs={"epsilon": 1e-6}).solver
    'closed-form'
    """

    segmenter: str = "cues"
    """What finds the object: a name of `active_matting.segmenters.SEGMENTERS`."""
    segmenter_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    solver: str = "shared"
    """What mattes the band: any other solver's name."""
    solver_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    band: str = "perceptron"
    """What draws the band: a name of `active_matting.segmenters.band.BANDS`."""
    band_kwargs: dict[str, Any] = field(default_factory=dict, hash=False)
    sureness: float = 0.95
    """Pixels that are pure with more than this chance are taken as known; the higher, the wider the band. The more of
    the image is told, the surer it has to be."""
    sharpness: float = 0.5
    """By how much more than once the log-odds of unknown alphas count while little is told; the more is, the less. What
    is expected and what the solver finds are right in different places, so that their average is not sure enough."""
    data_weight: float | None = 0.06
    """How firmly what is unknown is held to the alpha found for it while it is made to follow the image, see
    `active_matting.solvers.grid.smoothing.Smoother` and `agreement`; None leaves it as it is."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.sureness < 1:
            raise InvalidArgumentError(f"sureness must be at least 0.5 and below 1, got {self.sureness}")
        if not 0 <= self.sharpness < np.inf:
            raise InvalidArgumentError(f"sharpness must be at least 0, got {self.sharpness}")
        if self.data_weight is not None and not self.data_weight > 0:
            raise InvalidArgumentError(f"data_weight must be above 0 or None, got {self.data_weight}")
        if self.solver == "segment-then-matte":
            raise InvalidArgumentError("segment-then-matte cannot matte with itself; name another solver")
        for name in ("segmenter_kwargs", "solver_kwargs", "band_kwargs"):
            object.__setattr__(self, name, dict(getattr(self, name)))
        self._parts()

    def _parts(self) -> tuple[Segmenter, Band, Solver]:
        from active_matting.solvers import make_solver  # the table names this file

        return (
            make_segmenter(self.segmenter, **self.segmenter_kwargs),
            make_band(self.band, **self.band_kwargs),
            make_solver(self.solver, **self.solver_kwargs),
        )

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        image = check_image(image).copy()
        segmenter, band, solver = self._parts()
        prepared_band = PreparedBand.of(image, band)
        smoother = Smoother(image, _EPSILON)
        parts = PreparedParts(self, segmenter.prepare(image), prepared_band, solver.prepare(image), smoother)
        needs_both = needs_both_classes(parts.segmenter)
        return PreparedClassical((image.shape[0], image.shape[1]), parts.solve, needs_both_classes=needs_both)

    def warm_up(self) -> None:
        """See `active_matting.warm_up`: the solver as it wants to be, then the rest around a simple one."""
        warm_up(self._parts()[-1])
        solve_in_each_way(replace(self, solver="random-walk", solver_kwargs={}))


@dataclass(frozen=True)
class PreparedParts:
    """Segmenter, band, solver and what makes mattes follow the image, each prepared for the same one."""

    parameters: SegmentThenMatte
    segmenter: PreparedSegmenter
    band: PreparedBand
    solver: PreparedSolver
    smoother: Smoother

    def solve(self, label_map: LabelMap, previous: Matte | None) -> Matte:
        """The matte for labels int8 (H, W) of which both classes are there, or one, of which the segmenter is asked."""
        is_open = openness(label_map)
        if is_open == 0:
            return self._following(self.solver.solve(label_map), label_map, _UNCONFIRMED)
        segmentation = self.segmenter.segment(label_map)
        has_both = bool(has_both_classes(label_map[None])[0])
        if not has_both and is_undecided(segmentation, label_map):
            return Matte(segmentation)
        trimap, expected = self.band.draw(segmentation, label_map, 1 - (1 - self.parameters.sureness) * is_open)
        if not has_both and not has_both_classes(trimap[None])[0]:
            return Matte(expected)
        matte, is_unknown = self.solver.solve(trimap), trimap == Label.UNLABELLED
        held = held_to(expected, matte, is_unknown, is_open)
        held.alpha[is_unknown] = sharpened(held.alpha[is_unknown], 1 + self.parameters.sharpness * is_open)
        return self._following(held, trimap, agreement(expected, matte.alpha))

    def _following(self, matte: Matte, trimap: LabelMap, trust: Alpha | float) -> Matte:
        """The matte that follows the image where the trimap does not tell; trust, in [0, 1], in what it is there."""
        is_unknown = is_untold(trimap)
        if self.parameters.data_weight is None or not is_unknown.any():
            return matte
        weights = self.parameters.data_weight * trust
        return of_other_alpha(matte, self.smoother.smooth(matte.alpha, is_unknown, weights))


def openness(label_map: LabelMap) -> float:
    """How much is left to be found: near 1 for a handful of answers, 0 where half of the image or more is told.

    With that much told matting solvers are at their best, and whatever else was guessed of the object does harm.
    label_map: int8 `(H, W)`; transitions are not told.
    """
    return max(0.0, 2 * float(is_untold(label_map).mean()) - 1) ** 2


def sharpened(alpha: Alpha, times: float) -> Alpha:
    """Alphas in [0, 1] whose log-odds are so many times as large.

    >>> sharpened(np.array([0.0, 0.25, 0.5, 1.0], dtype=np.float32), 2)
    array([0. , 0.1, 0.5, 1. ], dtype=float32)
    """
    foreground, background = (part ** np.float32(times) for part in (alpha, 1 - alpha))
    return np.asarray(foreground / (foreground + background), dtype=np.float32)


def agreement(expected: Alpha, alpha: Alpha) -> Alpha:
    """How far two opinions of each pixel, in [0, 1], confirm each other: 1 where they are the same.

    As weights should be, it is in proportion to one over the variance of the error that was found at such differences:
    where they differ by 0.3 that is some 15 to 30 times what it is where they agree.

    >>> agreement(np.array([0.5, 0.5], dtype=np.float32), np.array([0.5, 0.74], dtype=np.float32)).round(3)
    array([1. , 0.1], dtype=float32)
    """
    return np.asarray(1 / (1 + ((expected - alpha) / np.float32(_DIFFERENT)) ** 2), dtype=np.float32)


def held_to(expected: Alpha, matte: Matte, is_unknown: NDArray[np.bool_], firmness: float) -> Matte:
    """The matte with the average of `expected` around each unknown pixel where it differs much from that.

    Where much is unknown, a solver extends what it knows into it, and may turn from one class to the other by one label
    more; what is expected there changes little, and holds, with half of the matte's own detail. Where averages around
    differ less than `_LARGE` the class is not in doubt, and the solver sees the transition better: there the matte is
    changed in proportion less. expected: float32 (H, W) in [0, 1]; firmness: from 0, the matte as it is, to 1.
    """
    difference = np.where(is_unknown, expected - matte.alpha, 0).astype(np.float32)
    sigma = max(1.0, _AROUND * max(is_unknown.shape))
    share = cv2.GaussianBlur(is_unknown.astype(np.float32), (0, 0), sigma)
    around = cv2.GaussianBlur(difference, (0, 0), sigma) / np.maximum(share, np.float32(1e-6))
    doubt = np.minimum(1, np.abs(around) / np.float32(_LARGE))
    change = np.float32(firmness) * doubt * np.where(is_unknown, (difference + around) / 2, 0)
    return of_other_alpha(matte, np.clip(matte.alpha + change, 0, 1).astype(np.float32))


def of_other_alpha(matte: Matte, alpha: Alpha) -> Matte:
    """The matte with this alpha, and without its colours, which were for its own."""
    return replace(matte, alpha=alpha, foreground=None, background=None)
