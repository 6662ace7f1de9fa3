"""Multigrid on a graph: a quick, rough inverse of its Laplacian with any pixels fixed.

Coarser graphs depend on the image alone. A fixed pixel is eliminated from the finest level; in the coarser ones it is
a penalty on its parent, so that labels change diagonals only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from active_matting.solvers.graph.diffusion_kernels import (
    _add,
    _ascend,
    _ascend_many,
    _descend,
    _descend_many,
    _dots,
    _multiply,
    _multiply_many,
)
from active_matting.solvers.graph.ties import Graph

Columns: TypeAlias = NDArray[Any]
"""(n, m): one column for each right-hand side."""

_RIDGE = 1e-6  # relative; without it a part of the graph that has no fixed node would be singular
_LARGEST_DIRECT = 1000  # nodes of a coarsest level that are solved directly


@dataclass(frozen=True)
class Level:
    """A graph with the diagonal that labels give it.

    diagonal: float32 `(n, m)`; is_free: bool `(n, m)`; inverse: float32 `(n, m)`, 1 / diagonal or, where fixed, 0;
    parent: int32 `(n,)`, numbers of the next level's nodes, None on the last.
    """

    graph: Graph
    diagonal: NDArray[np.float32]
    is_free: NDArray[np.bool_]
    inverse: NDArray[np.float32]
    parent: NDArray[np.int32] | None

    def multiply(self, x: Columns) -> Columns:
        """`A x`, 0 in the rows of fixed nodes; `(n, m)`, of x's dtype."""
        product = np.empty_like(x)
        _on_columns(_multiply, _multiply_many, self.graph, (self.diagonal, self.is_free), (x, product))
        return product

    def descend(self, b: Columns) -> tuple[Columns, Columns]:
        """The solution after a sweep from 0, and what is left of b, summed over each parent's children."""
        assert self.parent is not None
        x = np.empty_like(b)
        left = np.empty((int(self.parent.max()) + 1, b.shape[1]), dtype=np.float32)
        _on_columns(_descend, _descend_many, self.graph, (self.inverse, self.parent), (b, x, left))
        return x, left

    def ascend(self, b: Columns, x: Columns, correction: Columns) -> None:
        """Add the parents' correction to x and sweep back, in place."""
        _on_columns(_ascend, _ascend_many, self.graph, (self.inverse, self.parent), (b, x, correction))


def _on_columns(one: Callable[..., None], many: Callable[..., None], graph: Graph, given: Any, columns: Any) -> None:
    """Call the kernel for one right-hand side, on flat arrays, where there is but one."""
    if columns[0].shape[1] > 1:
        many(graph.start, graph.middle, graph.column, graph.weight, *given, *columns)
    else:
        flat = (array[:, 0] if array.ndim == 2 else array for array in (*given, *columns))
        one(graph.start, graph.middle, graph.column, graph.weight, *flat)


def levels_for(graph: Graph, coarser: list[tuple[Graph, NDArray[np.int32]]], is_free: NDArray[np.bool_]) -> list[Level]:
    """The levels, from fine to coarse, when the other nodes are fixed; is_free: bool `(n, m)`, a column per problem."""
    graphs = [graph, *(coarse for coarse, _ in coarser)]
    parents = [*(parent for _, parent in coarser), None]
    penalty = np.zeros(is_free.shape, dtype=np.float32)
    levels = []
    for level_graph, parent in zip(graphs, parents, strict=True):
        diagonal = level_graph.degree[:, None] + penalty
        is_free = is_free & (diagonal > 0)
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=is_free)
        levels.append(Level(level_graph, diagonal, is_free, inverse, parent))
        if parent is not None:
            count = int(parent.max()) + 1
            penalty = _sum_children(np.where(is_free, penalty, level_graph.degree[:, None]), parent, count)
            is_free = _sum_children(is_free, parent, count) > 0
    return levels


def _sum_children(values: Columns, parent: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    sums = (np.bincount(parent, weights=column, minlength=count) for column in values.T)
    return np.stack(list(sums), axis=1).astype(np.float32)


@dataclass(frozen=True)
class Cycle:
    """`cycle(r)` is nearly `A⁻¹ r`, float32 `(n, m)` both: the K-cycle of Notay and Vassilevski (2008).

    Each level sweeps down, has its parents' correction found by two steps of conjugate gradients on the next level,
    which is inverted in the same way, and sweeps back; the last level is solved directly.
    """

    levels: list[Level]
    factors: list[Any]

    @classmethod
    def of(cls, levels: list[Level]) -> "Cycle":
        return cls(levels, _factors(levels[-1]))

    def __call__(self, b: Columns) -> Columns:
        return self._invert(b, 0)

    def _invert(self, b: Columns, depth: int) -> Columns:
        level = self.levels[depth]
        if level.parent is None:
            return self._invert_last(b)
        x, left = level.descend(b)
        level.ascend(b, x, self._correct(left, depth + 1))
        return x

    def _correct(self, b: Columns, depth: int) -> Columns:
        level = self.levels[depth]
        if level.parent is None:
            return self._invert_last(b)
        first = self._invert(b, depth)
        product = level.multiply(first)
        energy = _dots(first, product)
        step = _ratio(_dots(first, b), energy)
        left = b.copy()
        _add(left, -step, product)

        # The second direction is made conjugate to the first.
        second = self._invert(left, depth)
        _add(second, -_ratio(_dots(second, product), energy), first)
        x = np.zeros_like(b)
        _add(x, step, first)
        _add(x, _ratio(_dots(second, left), _dots(second, level.multiply(second))), second)
        return x

    def _invert_last(self, b: Columns) -> Columns:
        level = self.levels[-1]
        if not self.factors:  # many nodes without ties to gather by: rough will do
            return b * level.inverse
        x = np.empty_like(b)
        for c, factor in enumerate(self.factors):
            x[:, c] = scipy.linalg.cho_solve(factor, np.where(level.is_free[:, c], b[:, c], 0))
        return x


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quotient, or 0 where nothing is left to divide by: a column that is solved already."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def _factors(level: Level) -> list[Any]:
    if len(level.diagonal) > _LARGEST_DIRECT:
        return []
    factors = []
    laplacian = level.graph.to_sparse().toarray()
    for diagonal, is_free in zip(level.diagonal.T, level.is_free.T, strict=True):
        A = np.where(is_free[:, None] & is_free, laplacian, 0)
        A[np.diag_indices(len(A))] = np.where(is_free, diagonal * (1 + _RIDGE), 1)
        factors.append(scipy.linalg.cho_factor(A))
    return factors
