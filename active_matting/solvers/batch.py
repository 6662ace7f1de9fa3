"""Classical methods that solve several label maps at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.types import Label, LabelMap, check_label_map


@dataclass(frozen=True)
class PreparedBatch:
    """A prepared classical method, and its own way, `many`, to turn label maps `(N, H, W)` into as many alphas.

    Label maps without foreground or without background are left to `classical`, which decides what they mean.
    """

    classical: PreparedClassical
    many: Callable[[NDArray[np.int8]], NDArray[np.float32]]

    @property
    def shape(self) -> tuple[int, int]:
        """The image's `(H, W)`."""
        return self.classical.shape

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`."""
        return self.classical.solve(label_map, previous)

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`. Raises `InvalidArrayError` for labels of another shape or value."""
        alphas = np.empty((len(label_maps), *self.shape), dtype=np.float32)
        with_both = []
        for n, label_map in enumerate(label_maps):
            label_map = check_label_map(label_map, self.shape)
            if (label_map == Label.FOREGROUND).any() and (label_map == Label.BACKGROUND).any():
                with_both.append(n)
            else:
                alphas[n] = self.classical.solve(label_map).alpha
        if with_both:
            label_maps = np.ascontiguousarray(np.asarray(label_maps)[with_both], dtype=np.int8)
            solved = self.many(label_maps)
            solved[label_maps == Label.FOREGROUND] = 1
            solved[label_maps == Label.BACKGROUND] = 0
            alphas[with_both] = solved
        return alphas
