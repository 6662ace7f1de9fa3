"""The matting Laplacian of large windows, never written out."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.solvers.large_kernel.kernels import _multiply, _sum_windows, _whiten_windows
from active_matting.types import Image

Plane: TypeAlias = NDArray[np.float64]
"""(H, W): one number for each pixel."""

Planes: TypeAlias = NDArray[np.float64]
"""(n, H, W): one plane for each quantity."""

_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))  # the entries of a symmetric matrix of 3×3


@dataclass(frozen=True)
class Windows:
    """The windows of size² pixels that lie wholly inside an image, and the Laplacian L that they add up to.

    colours: `(3, H, W)`, less the image's mean; mean: `(3, H - size + 1, W - size + 1)`, of each window, by its first
    pixel; white: `(6, …)`, the entries of a lower triangular K, row by row, with KᵀK = (|w| Σ + ε)⁻¹.
    """

    size: int
    colours: Planes
    mean: Planes
    white: Planes

    @classmethod
    def of(cls, image: Image, size: int, epsilon: float) -> "Windows":
        """Prepare an image that is at least `size` high and wide."""
        colours = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float64)
        colours -= colours.mean(axis=(1, 2), keepdims=True)
        mean = _sums(colours, size)
        white = _sums(np.stack([colours[a] * colours[b] for a, b in _PAIRS]), size)
        _whiten_windows(size * size, epsilon, mean, white)
        return cls(size, colours, mean, white)

    def multiply(self, p: Plane) -> Plane:
        """L p (He, Sun and Tang 2010, sec. 4): what p leaves over in each window of its nearest map of the colours."""
        product = np.empty_like(p)
        _multiply(self.colours, self.mean, self.white, self.size, p, product)
        return product

    def diagonal(self) -> Plane:
        """L's diagonal: the sum of 1 - 1/|w| - (I - μ)ᵀ (|w| Σ + ε)⁻¹ (I - μ) over the windows around each pixel."""
        rr, gr, gg, br, bg, bb = self.white
        none = np.zeros_like(rr)
        K = np.stack([rr, none, none, gr, gg, none, br, bg, bb]).reshape(3, 3, *rr.shape)
        inverse = np.einsum("cayx,cbyx->abyx", K, K)
        drawn = np.einsum("abyx,byx->ayx", inverse, self.mean)
        ones = 1 - 1 / self.size**2 - np.einsum("ayx,ayx->yx", drawn, self.mean)
        margin = self.size - 1
        terms = np.concatenate([ones[None], 2 * drawn, *(-inverse[pair][None] for pair in _PAIRS)])
        sums = _sums(np.pad(terms, ((0, 0), (margin, margin), (margin, margin))), self.size)
        diagonal: Plane = sums[0] + np.einsum("ayx,ayx->yx", sums[1:4], self.colours)
        for (a, b), entry in zip(_PAIRS, sums[4:], strict=True):
            diagonal += (1 if a == b else 2) * entry * self.colours[a] * self.colours[b]
        return diagonal

    def crop(self, rows: slice, columns: slice) -> "Windows":
        """The windows that lie wholly in a part of the image."""
        inner = (
            slice(None),
            slice(rows.start, rows.stop - self.size + 1),
            slice(columns.start, columns.stop - self.size + 1),
        )
        parts = self.colours[:, rows, columns], self.mean[inner], self.white[inner]
        return Windows(self.size, *(np.ascontiguousarray(part) for part in parts))


def _sums(planes: Planes, size: int) -> Planes:
    n, h, w = planes.shape
    sums = np.empty((n, h - size + 1, w - size + 1))
    for plane, out in zip(planes, sums, strict=True):
        _sum_windows(plane, size, out)
    return sums
