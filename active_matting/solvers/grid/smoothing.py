"""A matte that is made to follow the image where it is unknown, without leaving what it was by much."""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.closed_form import laplacian_rows
from active_matting.solvers.graph.kernels import Array
from active_matting.types import Alpha, Image

_REACH = 2  # pixels along either axis that share a 3×3 window with one
_ITERATIONS = 500  # with a data weight of 0.01 some 40 are needed
_KEPT = 2**20  # pixels of the largest image whose Laplacian is kept


class Smoother:
    """Makes mattes follow one image.

    The image's Laplacian does not depend on what is told: its rows are made when their pixels are first unknown, and
    kept, of images up to a million pixels. Takes 100 bytes for each of these, and 120 for each unknown pixel while it
    works. Several threads may use it at a time.
    """

    def __init__(self, image: Image, epsilon: float) -> None:
        """image: float32 (H, W, 3) in [0, 1], not written to afterwards; epsilon: see `ClosedForm`."""
        self._image, self._epsilon = image, epsilon
        h, w = image.shape[:2]
        self._is_kept = h * w <= _KEPT
        # The number of each pixel among those whose rows are made.
        self._number = np.full((h, w) if self._is_kept else (0, 0), -1, dtype=np.int32)
        self._made = np.empty((25, 0), dtype=np.float32)  # replaced, never written to: others may be reading it
        self._making = Lock()

    def __reduce__(self) -> tuple[type["Smoother"], tuple[Image, float]]:
        return Smoother, (self._image, self._epsilon)

    def smooth(
        self,
        alpha: Alpha,
        is_unknown: NDArray[np.bool_],
        data_weight: float | NDArray[np.floating[Any]],
        tolerance: float = 2e-3,
    ) -> Alpha:
        """The matte a of least energy `aᵀ L a + Σ data_weight_i (a_i - alpha_i)²`, i the unknown pixels.

        Others are known. L is the matting Laplacian of 3×3 windows, see
        `active_matting.solvers.closed_form.ClosedForm`. So methods that sample colours often end (Gastal and Oliveira
        2010 for one), with a weight for each pixel.

        alpha: float32 (H, W) in [0, 1]; is_unknown: (H, W); data_weight: above 0, one or (H, W) of the pixels, the
        smaller, the more the image decides. Solved by conjugate gradients, until a rough inverse finds no error of
        alpha above `tolerance`; the true one may be some 20 times that.
        """
        runs = _runs(is_unknown)
        stencil = self._laplacian(is_unknown)
        framed = np.pad(alpha, _REACH)
        residual = np.empty(stencil.shape[1], dtype=np.float32)
        _multiply(stencil, runs, framed, residual)  # at alpha itself the data term is at rest
        np.negative(residual, out=residual)
        stencil[12] += np.broadcast_to(np.asarray(data_weight, dtype=np.float32), alpha.shape)[is_unknown]
        change = np.zeros_like(residual)
        _descend(stencil, runs, tolerance, residual, np.zeros_like(framed), change)
        smoothed = alpha.copy()
        smoothed[is_unknown] = np.clip(alpha[is_unknown] + change, 0, 1)
        return smoothed

    def _laplacian(self, is_unknown: NDArray[np.bool_]) -> NDArray[np.float32]:
        """`laplacian_rows` of these pixels, the caller's own."""
        if not self._is_kept:
            return laplacian_rows(self._image, is_unknown, self._epsilon)
        with self._making:
            missing = is_unknown & (self._number < 0)
            if missing.any():
                rows = laplacian_rows(self._image, missing, self._epsilon)
                self._number[missing] = np.arange(rows.shape[1]) + self._made.shape[1]
                self._made = np.concatenate([self._made, rows], axis=1)
            made, numbers = self._made, self._number[is_unknown]
        return made.take(numbers, axis=1)


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The runs along the rows of a mask (H, W): row, first column, how many pixels, and those of all before."""
    steps = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, starts = np.nonzero(steps == 1)
    counts = np.nonzero(steps == -1)[1] - starts
    return np.stack([rows, starts, counts, np.cumsum(counts) - counts], axis=1)


@njit(cache=True, nogil=True, fastmath=True)
def _descend(stencil: Array, runs: Array, tolerance: float, residual: Array, frame: Array, change: Array) -> None:
    # Conjugate gradients, preconditioned by the diagonal, for A change = residual, the stencil being A's rows, until
    # the preconditioner would change nothing by more than the tolerance. frame holds the direction, 0 where known.
    direction, product = np.zeros_like(residual), np.empty_like(residual)
    inverse, before = 1 / stencil[12], 0.0
    for _ in range(_ITERATIONS):
        rz, largest = 0.0, np.float32(0)
        for i in range(len(residual)):
            z = residual[i] * inverse[i]
            rz += residual[i] * z
            largest = max(largest, abs(z))
        if largest <= tolerance:
            return
        share = np.float32(rz / before) if before > 0 else np.float32(0)
        before = rz
        for y, left, count, first in runs:
            for i in range(count):
                direction[first + i] = residual[first + i] * inverse[first + i] + share * direction[first + i]
                frame[y + _REACH, left + _REACH + i] = direction[first + i]
        _multiply(stencil, runs, frame, product)
        bent = 0.0
        for i in range(len(product)):
            bent += direction[i] * product[i]
        step = np.float32(rz / bent)
        for i in range(len(change)):
            change[i] += step * direction[i]
            residual[i] -= step * product[i]


@njit(cache=True, nogil=True, fastmath=True)
def _multiply(stencil: Array, runs: Array, frame: Array, product: Array) -> None:
    # product = A x for the unknown pixels, of x in its frame; along the runs and for a row of the stencil at once, so
    # that the inner loop is vectorised.
    for y, left, count, first in runs:
        sums = product[first : first + count]
        sums[:] = 0
        for dy in range(5):
            row, ties = frame[y + dy, left : left + count + 4], stencil[5 * dy : 5 * dy + 5, first : first + count]
            a, b, c, d, e = ties[0], ties[1], ties[2], ties[3], ties[4]
            for i in range(count):
                sums[i] += a[i] * row[i] + b[i] * row[i + 1] + c[i] * row[i + 2] + d[i] * row[i + 3] + e[i] * row[i + 4]
