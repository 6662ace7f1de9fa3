"""Mattes as the solution of `L alpha = 0` with the labelled pixels fixed, for any matting Laplacian `L`."""

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

import active_matting.compiled  # noqa: F401  (before pymatting's kernels, so that they can be kept)
from active_matting.errors import ConvergenceError
from active_matting.solvers.base import Matte
from active_matting.types import Label, LabelMap

Vector: TypeAlias = NDArray[np.float64]
Preconditioner: TypeAlias = Callable[[Vector], Vector]


def solve_laplacian(
    laplacian: Any,
    make_preconditioner: Callable[[Any], Preconditioner],
    tolerance: float,
    max_iterations: int,
    label_map: LabelMap,
    previous: Matte | None,
) -> Matte:
    """Minimise alphaᵀ L alpha with alpha 1 on foreground and 0 on background labels.

    laplacian: symmetric scipy sparse `(H·W, H·W)`, pixels row by row. The known pixels are eliminated::

        [ L_U   R ] [ alpha_U ]
        [ R^T  L_K] [ alpha_K ]      L_U alpha_U = -R alpha_K       (Grady et al. 2005)

    and `L_U` is solved by preconditioned conjugate gradients, always from 0: a small residual can leave alpha far
    from the solution here, so a start from `previous` would make the matte depend on how one came to it.
    Raises `ConvergenceError`.
    """
    labels = label_map.ravel()
    is_known = (labels == Label.FOREGROUND) | (labels == Label.BACKGROUND)
    is_unknown = ~is_known
    alpha = (labels == Label.FOREGROUND).astype(np.float64)
    if is_unknown.any():
        rows = laplacian[is_unknown]
        L_U, R = rows[:, is_unknown].tocsr(), rows[:, is_known]
        with redirect_stdout(StringIO()):  # the incomplete factorisation prints each shift that it gives up
            preconditioner = make_preconditioner(L_U)
        b = -(R @ alpha[is_known])
        alpha[is_unknown] = conjugate_gradients(L_U, b, preconditioner, tolerance, max_iterations, label_map.shape)
    return to_matte(alpha, label_map.shape)


def laplacian_of_weights(weights: Any) -> Any:
    """The graph Laplacian `D - W`, sparse `(H·W, H·W)`, of symmetric non-negative weights `W` of that shape.

    Not divided by the rows' sums: with the known pixels eliminated the solution is the same, and the matrix stays
    symmetric, as conjugate gradients need it.
    """
    degree = np.asarray(weights.sum(axis=1)).ravel()
    return (scipy.sparse.diags(degree) - weights).tocsr()


def conjugate_gradients(
    A: Any,
    b: Vector,
    preconditioner: Preconditioner,
    tolerance: float,
    max_iterations: int,
    shape: tuple[int, ...],
) -> Vector:
    """Solve `A x = b` until the residual is below `tolerance` times b's norm. Raises `ConvergenceError`.

    shape: the image's `(H, W)`, for the error's text.
    """
    from pymatting.solver.cg import cg

    if not b.any():
        return np.zeros_like(b)
    residual = 1.0

    def watch(A: Any, x: Vector, b: Vector, norm_b: float, r: Vector, norm_r: float) -> None:
        nonlocal residual
        residual = norm_r / norm_b

    try:
        x: Vector = cg(A, b, rtol=tolerance, maxiter=max_iterations, M=preconditioner, callback=watch)
    except ValueError as error:
        raise ConvergenceError(
            f"image of {tuple(shape)}: the relative residual is {residual:.3g}, not {tolerance:g}, "
            f"within {max_iterations} iterations; raise tolerance or max_iterations"
        ) from error
    return x


def to_matte(alpha: Vector, shape: tuple[int, ...]) -> Matte:
    """The solution as a matte: clipped to [0, 1] and shaped `(H, W)`."""
    return Matte(np.clip(alpha, 0, 1).reshape(shape).astype(np.float32))
