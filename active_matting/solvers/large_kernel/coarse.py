"""A coarse form of the large-kernel Laplacian: alpha as a map of colours that changes slowly over the image."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from active_matting.solvers.large_kernel.coarse_kernels import Axis, _add_weights, _interpolate, _restrict
from active_matting.solvers.large_kernel.windows import Plane, Windows

_NODES = 300  # at most, of 4 unknowns each: factorised for each label map
_SPACING = 1.4  # windows from node to node: wider costs iterations, closer costs the factorisation
_FLAT = 1e-6  # variance below which colours around a node are not stretched to 1


@dataclass(frozen=True)
class Coarse:
    """Functions of the pixels among which the smoothest part of alpha is found directly.

    A matte is a map of colours, alpha = a · I + b, in each of the large windows, and the windows overlap, so that a
    and b change slowly. The functions P are thus the hats of a grid of nodes times 1 and three colours; what is left
    to conjugate gradients is mostly finer than a window, and L there is almost diagonal.

    rows, columns: see `Axis`; frames: `(ny, nx, 4, 4)`, each function's (b, a), such that the colours around the node
    vary by 1 and not together; energy: Pᵀ L P, `(4 ny nx, 4 ny nx)`.
    """

    windows: Windows
    rows: Axis
    columns: Axis
    frames: NDArray[np.float64]
    energy: NDArray[np.float64]

    @classmethod
    def of(cls, windows: Windows) -> "Coarse":
        """Prepare the windows of an image."""
        h, w = windows.colours.shape[1:]
        spacing = max(_SPACING * windows.size, np.sqrt(h * w / _NODES))
        rows, columns = _axis(h, spacing), _axis(w, spacing)
        frames = _frames(windows, _hats(rows), _hats(columns))
        return cls(windows, rows, columns, frames, _energy(windows, rows, columns, frames))

    def factorise(self, weight: Plane) -> "CoarseInverse":
        """Ready to solve for L + diag(weight)."""
        energy = self.energy.copy()
        _add_weights(self.windows.colours, self.rows, self.columns, self.frames, weight, energy)
        energy[np.diag_indices(len(energy))] *= 1 + 1e-10
        energy[np.diag_indices(len(energy))] += 1e-8  # a flat image has no use for three of the four functions
        return CoarseInverse(self, scipy.linalg.cholesky(energy, lower=True, overwrite_a=True, check_finite=False))


@dataclass(frozen=True)
class CoarseInverse:
    """P (Pᵀ A P)⁻¹ Pᵀ for A = L + diag(weight)."""

    coarse: Coarse
    factor: NDArray[np.float64]

    def solve(self, r: Plane) -> Plane:
        """What the coarse form makes of r, both `(H, W)`."""
        coarse = self.coarse
        place = coarse.windows.colours, coarse.rows, coarse.columns
        moments = np.zeros(coarse.frames.shape[:3])
        _restrict(*place, r, moments)
        right = np.einsum("yxjc,yxc->yxj", coarse.frames, moments)
        found = scipy.linalg.cho_solve((self.factor, True), right.ravel(), check_finite=False).reshape(right.shape)
        z = np.zeros_like(r)
        _interpolate(*place, np.einsum("yxjc,yxj->yxc", coarse.frames, found), z)
        return z


def _axis(length: int, spacing: float) -> Axis:
    count = int(np.rint((length - 1) / spacing)) + 1
    place = np.linspace(0, count - 1, length)
    before = np.minimum(place.astype(np.int64), max(count - 2, 0))
    return before, np.minimum(before + 1, count - 1), place - before


def _hats(axis: Axis) -> NDArray[np.float64]:
    """How much each pixel along an axis belongs to each node, (length, nodes)."""
    before, behind, share = axis
    pixels = np.arange(len(before))
    hats = np.zeros((len(before), behind[-1] + 1))
    hats[pixels, before] += 1 - share
    hats[pixels, behind] += share
    return hats


def _frames(windows: Windows, down: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    colours = windows.colours
    size = down.sum(0)[:, None] * along.sum(0)
    mean = np.moveaxis(down.T @ colours @ along / size, 0, -1)
    square = np.moveaxis(down.T @ (colours[:, None] * colours) @ along / size, (0, 1), (-2, -1))
    covariance = square - mean[..., :, None] * mean[..., None, :] + _FLAT * np.eye(3)
    stretch = np.linalg.inv(np.linalg.cholesky(covariance))
    frames = np.zeros((*mean.shape[:2], 4, 4))
    frames[..., 0, 0] = 1
    frames[..., 1:, 0] = -np.einsum("ijab,ijb->ija", stretch, mean)
    frames[..., 1:, 1:] = stretch
    return frames


def _energy(windows: Windows, rows: Axis, columns: Axis, frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pᵀ L P, function by function, each with no more of the image than its windows reach."""
    ny, nx = frames.shape[:2]
    down, along = _hats(rows), _hats(columns)
    moments = np.zeros((ny, nx, 4, ny, nx, 4))
    for i in range(ny):
        at_rows = _reach(down[:, i], windows.size)
        for j in range(nx):
            at_columns = _reach(along[:, j], windows.size)
            part = windows.crop(at_rows, at_columns)
            hat = down[at_rows, i, None] * along[at_columns, j]
            place = part.colours, _cut(rows, at_rows), _cut(columns, at_columns)
            for k, (b, *a) in enumerate(frames[i, j]):
                function = hat * (b + np.tensordot(a, part.colours, 1))
                _restrict(*place, part.multiply(function), moments[i, j, k])
    energy = np.einsum("yxjc,fyxc->fyxj", frames, moments.reshape(-1, ny, nx, 4), optimize=True)
    return np.asarray(energy).reshape(4 * ny * nx, -1)


def _cut(axis: Axis, part: slice) -> Axis:
    before, behind, share = axis
    return before[part], behind[part], share[part]


def _reach(hat: NDArray[np.float64], size: int) -> slice:
    inside = np.flatnonzero(hat)
    return slice(max(0, inside[0] - size + 1), min(len(hat), inside[-1] + size))
