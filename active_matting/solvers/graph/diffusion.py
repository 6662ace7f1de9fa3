"""Alphas that spread along a graph's ties: `L alpha = 0` with the labelled pixels fixed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import ConvergenceError
from active_matting.solvers.base import Matte
from active_matting.solvers.graph.diffusion_kernels import _add, _dots, _turn
from active_matting.solvers.graph.multigrid import Columns, Cycle, Level, levels_for
from active_matting.solvers.graph.ties import Graph, gather
from active_matting.types import Label, LabelMap

_TOGETHER = 8  # label maps solved side by side: a row of as many floats fills a vector register


@dataclass(frozen=True)
class Diffusion:
    """The equations of one image, ready for any labels.

    shape: the image's `(H, W)`; order: int64 `(H·W,)`, the pixel that each node of the graph is; component: int32
    `(H·W,)`, the number of each node's connected part; coarser: see `gather`.
    """

    shape: tuple[int, int]
    order: NDArray[np.int64]
    graph: Graph
    component: NDArray[np.int32]
    coarser: list[tuple[Graph, NDArray[np.int32]]]
    tolerance: float
    max_iterations: int

    @classmethod
    def of(
        cls, shape: tuple[int, int], order: NDArray[np.int64], graph: Graph, tolerance: float, max_iterations: int
    ) -> "Diffusion":
        """Prepare a graph: find its connected parts and gather its nodes."""
        return cls(shape, order, graph, graph.components(), gather(graph), tolerance, max_iterations)

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        """Minimise alphaᵀ L alpha with alpha 1 on foreground and 0 on background labels; see `solve_many`.

        Always from 0 and never from `previous`, which would let the matte depend on how one came to it.
        """
        return Matte(self.solve_many(label_map[None])[0])

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """Alphas, float32 `(N, H, W)`, for labels `(N, H, W)`, several of them at once.

        A pixel that no tie leads to from any label is 0.5. Raises `ConvergenceError`.
        """
        alphas = np.empty((len(label_maps), *self.shape), dtype=np.float32)
        for first in range(0, len(label_maps), _TOGETHER):
            group = slice(first, first + _TOGETHER)
            alphas[group] = self._solve_group(label_maps[group])
        return alphas

    def _solve_group(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        labels = label_maps.reshape(len(label_maps), -1)[:, self.order].T  # (n, m)
        is_foreground = labels == Label.FOREGROUND
        is_known = is_foreground | (labels == Label.BACKGROUND)
        levels = levels_for(self.graph, self.coarser, ~is_known)
        x = is_foreground.astype(np.float64)
        x += conjugate_gradients(levels, -levels[0].multiply(x), self.tolerance, self.max_iterations, self.shape)
        x[self._is_out_of_reach(is_known)] = 0.5
        alphas = np.empty((len(label_maps), len(self.order)), dtype=np.float32)
        alphas[:, self.order] = np.clip(x, 0, 1).T
        return alphas.reshape(label_maps.shape)

    def _is_out_of_reach(self, is_known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        parts = int(self.component.max()) + 1
        has_label = [np.bincount(self.component, weights=known, minlength=parts) > 0 for known in is_known.T]
        return ~np.stack(has_label, axis=1)[self.component]


def conjugate_gradients(
    levels: list[Level], b: Columns, tolerance: float, max_iterations: int, shape: tuple[int, int]
) -> Columns:
    """Solve `A x = b`, float64 `(n, m)`, for the finest of `levels`, until no x would change by more than `tolerance`.

    Conjugate gradients that allow a preconditioner which is not linear (Notay 2000, "Flexible conjugate gradients").
    What the cycle makes of the residual is nearly x's error, in x's own unit, so that is what ends the iteration; a
    column that is solved waits for the others unchanged. Raises `ConvergenceError`.
    """
    cycle = Cycle.of(levels)
    x, r, direction = np.zeros_like(b), b.copy(), np.zeros_like(b)
    product = np.zeros_like(b)
    rz = step = np.zeros(b.shape[1])
    for _ in range(max_iterations):
        z = cycle(r.astype(np.float32))
        change = np.abs(z).max(axis=0)
        is_solved = change <= tolerance
        if is_solved.all():
            return x
        beta = np.where(rz > 0, -step * _dots(z, product) / np.where(rz > 0, rz, 1), 0)
        _turn(direction, beta, z)
        product = levels[0].multiply(direction)
        rz = _dots(z, r)
        energy = _dots(direction, product)
        step = np.where(is_solved | (energy <= 0), 0, rz / np.where(energy > 0, energy, 1))
        _add(x, step, direction)
        _add(r, -step, product)
    raise ConvergenceError(
        f"image of {shape}: alpha would still change by {change.max():.3g}, more than {tolerance:g}, "
        f"within {max_iterations} iterations; raise tolerance or max_iterations"
    )
