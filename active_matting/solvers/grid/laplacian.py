"""Mattes as the direct solution of `L alpha = 0` with the labelled pixels fixed, for `L` that ties near pixels only."""

from functools import partial
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.errors import ConvergenceError
from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.solvers.grid.candidates import solve_candidates
from active_matting.solvers.grid.dissection import dissect
from active_matting.solvers.grid.factor import GridFactor, Known, Vector
from active_matting.types import Label, LabelMap

_TOLERANCE = 1e-9  # of what is left over in a pixel's equation, against its diagonal; rounding leaves 1e-14


def prepare_grid(stencil: NDArray[np.float64], shape: tuple[int, int], reach: int) -> PreparedClassical:
    """A solver that minimises alphaᵀ L alpha with alpha 1 on foreground and 0 on background labels.

    stencil: the symmetric `L` as (H·W, (2 reach + 1)²): the ties of each pixel to those within
    `reach` along either axis, row by row; 0 outside the image. With the known pixels K eliminated::

        L_U alpha_U = -R alpha_K        (Grady et al. 2005)

    is solved by a Cholesky factorisation (`GridFactor`) that is kept, and of which the next label map changes only
    what lies around the pixels that differ. Pixels that nothing ties to a label get 0.5.

    Raises `ConvergenceError` when solving, if `L` is not finite or rounding spoils the solution.
    """
    grid = _Grid(stencil, shape, reach)
    return PreparedClassical(shape, partial(_solve, grid), partial(_solve_many, grid))


class _Grid:
    """The Laplacian, and the factor of the labels solved last, which one thread at a time may move on."""

    def __init__(self, stencil: NDArray[np.float64], shape: tuple[int, int], reach: int) -> None:
        self.arguments = stencil, shape, reach
        self.tree = dissect(*shape, reach)
        self.lock = Lock()
        self._factor: GridFactor | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _Grid, self.arguments

    @property
    def factor(self) -> GridFactor:
        """To be asked for under the lock."""
        if self._factor is None:
            self._factor = GridFactor(self.arguments[0], self.tree)
        return self._factor


def _solve(grid: _Grid, label_map: LabelMap, previous: Matte | None) -> Matte:
    known = _known(label_map)
    with grid.lock:
        grid.factor.move_to(known)
        x = grid.factor.solve()
    stencil, shape, reach = grid.arguments
    residual = _residual(stencil, known, reach, x)
    if not residual <= _TOLERANCE:
        h, w = shape
        raise ConvergenceError(
            f"the direct solution for the image of {h}×{w} pixels leaves a residual of {residual:.2g}, "
            f"at most {_TOLERANCE:g} is allowed; a larger epsilon or floor helps"
        )
    return Matte(_alpha(x, shape))


def _solve_many(grid: _Grid, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
    known = _known(label_maps)
    alphas = np.empty(known.shape, dtype=np.float32)
    with grid.lock:
        is_solved = solve_candidates(grid.factor, known, alphas)
    for index in np.flatnonzero(~is_solved):
        alphas[index] = _solve(grid, label_maps[index], None).alpha
    return alphas


def _known(label_map: NDArray[np.int8]) -> Known:
    return np.where(label_map == Label.TRANSITION, np.int8(0), label_map)


def _alpha(x: Vector, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.clip(x + 0.5, 0, 1).astype(np.float32).reshape(shape)


@njit(cache=True, nogil=True)
def _residual(stencil: NDArray[Any], known: NDArray[Any], reach: int, x: NDArray[Any]) -> float:
    # The largest of |(L alpha)_i| / L_ii, alpha = x + 1/2, over the unknown pixels i, or NaN.
    h, w = known.shape
    side = 2 * reach + 1
    worst = 0.0
    for y in range(h):
        for column in range(w):
            if known[y, column] != 0:
                continue
            i = y * w + column
            left, right = max(-reach, -column), min(reach, w - 1 - column)
            total = 0.0
            for dy in range(max(-reach, -y), min(reach, h - 1 - y) + 1):
                at, there = (dy + reach) * side + reach, i + dy * w
                for dx in range(left, right + 1):
                    total += stencil[i, at + dx] * (x[there + dx] + 0.5)
            diagonal = stencil[i, reach * side + reach]
            share = abs(total) / diagonal if diagonal > 0 else abs(total)
            if not share <= worst:
                worst = share
            if np.isnan(worst):
                return worst
    return worst
