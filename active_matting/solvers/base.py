"""What a solver is, and the one place where degenerate label maps are decided."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.types import Alpha, Image, Label, LabelMap, check_label_map


@dataclass(frozen=True)
class Matte:
    """What a solver answers. `alpha` is always there; the rest where the solver knows it.

    alpha, aleatoric, epistemic: float32 `(H, W)`, alpha in [0, 1], the uncertainties standard deviations
    of alpha; foreground, background: float32 `(H, W, 3)` colours in [0, 1].
    """

    alpha: Alpha
    foreground: Image | None = None
    background: Image | None = None
    aleatoric: NDArray[np.float32] | None = None
    epistemic: NDArray[np.float32] | None = None


class PreparedSolver(Protocol):
    """A solver that has done, once, all that depends on the image alone."""

    @property
    def shape(self) -> tuple[int, int]:
        """The image's `(H, W)`."""

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """The matte for int8 `(H, W)` labels; `previous`, an earlier matte of this image, may speed it up."""

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """Alphas, float32 `(N, H, W)`, for label maps `(N, H, W)`: the same as N calls of `solve`."""


class Solver(Protocol):
    """Image + labels → matte. A solver is its hyper-parameters: small, frozen, comparable, picklable."""

    def prepare(self, image: Image) -> PreparedSolver:
        """Do what depends on the image, float32 `(H, W, 3)` in [0, 1], alone."""


AlphaFromLabels: TypeAlias = Callable[[LabelMap, Matte | None], Matte]
"""A method's own part: labels with at least one foreground and one background pixel, or with one of them where the
method needs no more, previous → matte."""

AlphasFromLabels: TypeAlias = Callable[[NDArray[np.int8]], NDArray[np.float32]]
"""The same for many: labels (N, H, W), each with both, → alphas (N, H, W)."""


def has_both_classes(label_maps: Any) -> Any:
    """Which label maps of `(N, H, W)`, NumPy's or torch's, hold foreground and background: bool `(N,)`."""
    labels = label_maps.reshape(len(label_maps), -1)
    return (labels == Label.FOREGROUND).any(1) & (labels == Label.BACKGROUND).any(1)


def is_untold(label_map: LabelMap) -> NDArray[np.bool_]:
    """Where neither class is labelled, bool of the label map's shape; transitions are not told."""
    return np.asarray((label_map == Label.UNLABELLED) | (label_map == Label.TRANSITION), dtype=bool)


def is_undecided(alpha: Alpha, label_map: LabelMap) -> bool:
    """Whether alpha `(H, W)` says 0.5 of all that is not told: its solver made nothing of the labels."""
    return bool((alpha[is_untold(label_map)] == 0.5).all())


def write_decided(alphas: Any, label_maps: Any) -> None:
    """Write into alphas `(N, H, W)`, NumPy's or torch's, what is decided for every classical method.

    0.5 where a label map lacks one of the classes; then 1 and 0 where foreground and background are labelled.
    """
    alphas[~has_both_classes(label_maps)] = 0.5
    write_told(alphas, label_maps)


def write_told(alphas: Any, label_maps: Any) -> None:
    """Write into alphas `(N, H, W)`, NumPy's or torch's, 1 and 0 where foreground and background are labelled."""
    for label, value in ((Label.FOREGROUND, 1), (Label.BACKGROUND, 0)):
        if isinstance(alphas, np.ndarray):  # several times faster than a mask as an index
            np.copyto(alphas, value, where=label_maps == label)
        else:
            alphas[label_maps == label] = value


@dataclass(frozen=True)
class PreparedClassical:
    """A classical method behind the checks and the decisions that all of them share.

    Nothing labelled: alpha 0.5 everywhere. Only one of foreground and background labelled: labelled pixels
    as told, the rest 0.5, unless the method knows better. Otherwise `method` is asked, or `method_for_many` where there
    is one, and labelled pixels keep their value exactly.
    """

    shape: tuple[int, int]
    method: AlphaFromLabels
    method_for_many: AlphasFromLabels | None = None
    keeps_labels: bool = False
    """Whether `method` itself answers 1 and 0 where foreground and background are labelled."""
    needs_both_classes: bool = True
    """Whether `method` is asked only where both are labelled; else also where one is."""

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`. Raises `InvalidArrayError` for labels of another shape or value."""
        label_map = check_label_map(label_map, self.shape)
        if has_both_classes(label_map[None])[0] or not (self.needs_both_classes or is_untold(label_map).all()):
            matte = self.method(label_map, previous)
            if self.keeps_labels:
                return matte
        else:
            matte = Matte(np.full(self.shape, 0.5, dtype=np.float32))
        write_told(matte.alpha[None], label_map[None])
        return matte

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`: one solve after the other, unless the method knows better."""
        alphas = np.empty((len(label_maps), *self.shape), dtype=np.float32)
        if self.method_for_many is None or not self.needs_both_classes:
            for alpha, label_map in zip(alphas, label_maps, strict=True):
                alpha[:] = self.solve(label_map).alpha
            return alphas
        labels = np.empty(alphas.shape, dtype=np.int8)
        for row, label_map in zip(labels, label_maps, strict=True):
            row[:] = check_label_map(label_map, self.shape)
        has_both = has_both_classes(labels)
        if has_both.any():
            alphas[has_both] = self.method_for_many(labels[has_both])
        write_decided(alphas, labels)
        return alphas
