"""A matte that is made to follow the image, without leaving what it was by much."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.closed_form import ClosedForm
from active_matting.solvers.graph.kernels import Array
from active_matting.types import Alpha, Image

_REACH = 2  # pixels along either axis that share a 3×3 window with one
_TOLERANCE = 3e-4  # of alpha
_ITERATIONS = 500  # with a data weight of 0.01 some 60 are needed


@dataclass(frozen=True)
class Smoother:
    """The matting Laplacian of an image, float32 (25, H, W): entry (k, y, x) ties pixel (y, x) to its k-th neighbour,
    of the 5×5 around it, row by row; and the weight of what the matte was.
    """

    stencil: NDArray[np.float32]
    data_weight: float

    @classmethod
    def of(cls, image: Image, epsilon: float, data_weight: float) -> "Smoother":
        """Of an image float32 (H, W, 3) in [0, 1]. epsilon: see `ClosedForm`; data_weight: above 0."""
        h, w = image.shape[:2]
        rows = ClosedForm(epsilon=epsilon).stencil(image).astype(np.float32)
        return cls(np.ascontiguousarray(rows.T).reshape(-1, h, w), data_weight)

    def smooth(self, alpha: Alpha, is_unknown: NDArray[np.bool_]) -> Alpha:
        """The matte of least energy `aᵀ L a + data_weight Σ (a_i - alpha_i)²`, where known alpha as it is.

        It is what sampling methods end with (Rhemann et al. 2008 and after them Gastal and Oliveira 2010 and others),
        with one weight for all unknown pixels i. alpha: float32 (H, W); is_unknown: (H, W). The smaller
        the weight, the more the image decides. Solved by conjugate gradients, to some 3e-4 of alpha.
        """
        h, w = is_unknown.shape
        runs = _runs(is_unknown)
        frame = np.zeros((h + 2 * _REACH, w + 2 * _REACH), dtype=np.float32)
        inner = frame[_REACH:-_REACH, _REACH:-_REACH]
        inner[:] = alpha
        residual = np.empty((h, w), dtype=np.float32)
        _multiply(self.stencil, runs, frame, residual)  # at alpha itself the data term is at rest
        inner[:] = 0
        change = np.zeros((h, w), dtype=np.float32)
        np.negative(residual, out=residual)
        _descend(self.stencil, runs, np.float32(self.data_weight), residual, frame, change)
        return np.where(is_unknown, np.clip(alpha + change, 0, 1), alpha)


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The runs along the rows of a mask (H, W): row, first column, and how many pixels, (runs, 3)."""
    steps = np.diff(mask.astype(np.int8), axis=1, prepend=0, append=0)
    rows, starts = np.nonzero(steps == 1)
    return np.stack([rows, starts, np.nonzero(steps == -1)[1] - starts], axis=1)


@njit(cache=True, nogil=True, fastmath=True)
def _descend(stencil: Array, runs: Array, data_weight: float, residual: Array, frame: Array, change: Array) -> None:
    # Conjugate gradients, preconditioned by the diagonal, for (L + data_weight) change = residual in the runs, until
    # the preconditioner would change nothing by more than the tolerance. frame holds the direction, framed by zeros.
    product = np.empty_like(residual)
    before = 0.0
    for _ in range(_ITERATIONS):
        rz, largest = 0.0, np.float32(0)
        for y, left, count in runs:
            r, middle = residual[y, left : left + count], stencil[12, y, left : left + count]
            for i in range(count):
                z = r[i] / (middle[i] + data_weight)
                rz += r[i] * z
                largest = max(largest, abs(z))
        if largest <= _TOLERANCE:
            return
        share = np.float32(rz / before) if before > 0 else np.float32(0)
        before = rz
        for y, left, count in runs:
            r, middle = residual[y, left : left + count], stencil[12, y, left : left + count]
            p = frame[y + 2, left + 2 : left + 2 + count]
            for i in range(count):
                p[i] = r[i] / (middle[i] + data_weight) + share * p[i]
        _multiply(stencil, runs, frame, product)
        bent = 0.0
        for y, left, count in runs:
            p, q = frame[y + 2, left + 2 : left + 2 + count], product[y, left : left + count]
            for i in range(count):
                q[i] += data_weight * p[i]
                bent += p[i] * q[i]
        step = np.float32(rz / bent)
        for y, left, count in runs:
            p, q = frame[y + 2, left + 2 : left + 2 + count], product[y, left : left + count]
            x, r = change[y, left : left + count], residual[y, left : left + count]
            for i in range(count):
                x[i] += step * p[i]
                r[i] -= step * q[i]


@njit(cache=True, nogil=True, fastmath=True)
def _multiply(stencil: Array, runs: Array, frame: Array, product: Array) -> None:
    # product = L x in the runs, of x in its frame; along the runs, so that the inner loop is vectorised.
    for y, left, count in runs:
        sums = product[y, left : left + count]
        sums[:] = 0
        for k in range(25):
            weights = stencil[k, y, left : left + count]
            row = frame[y + k // 5, left + k % 5 : left + k % 5 + count]
            for i in range(count):
                sums[i] += weights[i] * row[i]
