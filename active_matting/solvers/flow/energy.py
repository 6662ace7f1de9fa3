"""Information flow's energy as a linear system: its matrix, never written out, and its solution."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from active_matting.errors import ConvergenceError
from active_matting.solvers.closed_form import laplacian_rows
from active_matting.solvers.flow.kernels import (
    _add_local,
    _add_mixture_diagonal,
    _add_mixtures,
    _add_ties,
    _coarse_local,
    _coarse_mixtures,
    _dot,
    _sum_over,
)
from active_matting.solvers.flow.ties import Indices, Numbers
from active_matting.solvers.graph.ties import gather_to, graph_of_ties
from active_matting.types import Image

Vector: TypeAlias = NDArray[np.float64]
"""(H·W,): one number for each pixel, row by row."""

_NODES = 1000  # of the coarse form, at most: factorised for each label map
_TIES = 10  # neighbours of each pixel, of those it is mixed from, by which pixels are gathered


@dataclass(frozen=True)
class ImageFlow:
    """The flow that depends on the image alone.

    neighbours, weights: int32, float32 `(H·W, K)`, what each pixel is mixed from, the matrix W_CM; stencil: float32
    `(25, H, W)`, the matting Laplacian L; parent: int32 `(H·W,)` and coarse: float64 `(nodes, nodes)`, the energy
    among groups of pixels that are taken to have one alpha each.
    """

    neighbours: Indices
    weights: Numbers
    stencil: Numbers
    local: float
    parent: Indices
    coarse: NDArray[np.float64]

    @classmethod
    def of(
        cls, image: Image, neighbours: NDArray[np.int64], weights: Numbers, local: float, epsilon: float
    ) -> "ImageFlow":
        """Prepare an image: `local` is the matting Laplacian's share [σ_L], `epsilon` its regularisation."""
        everywhere = np.ones(image.shape[:2], dtype=bool)
        stencil = laplacian_rows(image, everywhere, epsilon).reshape(-1, *everywhere.shape)
        parent = gather_to(graph_of_ties(neighbours[:, :_TIES]), _NODES)
        nodes = int(parent.max()) + 1
        coarse = np.zeros((nodes, nodes))
        _coarse_mixtures(neighbours, weights, parent, coarse)
        _coarse_local(stencil, local, parent, coarse)
        return cls(neighbours.astype(np.int32), weights, stencil, local, parent, coarse)


@dataclass(frozen=True)
class Energy:
    """The quadratic energy of one label map (secs. 3.5 and 3.6) for alpha, a `Vector`.

    ‖M α‖² + σ_L αᵀ L α + σ_UU Σ w_pq (α_p - α_q)² + Σ anchor_p (α_p - target_p)², M the rows of I - W_CM of unknown
    pixels. ties: pixels, partners and weights [w_pq]; anchor: λ on known pixels and σ_KU η on unknown ones; target:
    their alpha and w^F.
    """

    flow: ImageFlow
    is_unknown: NDArray[np.bool_]
    ties: tuple[Indices, Indices, Numbers]
    tied: float
    anchor: Vector
    target: Vector

    def multiply(self, x: Vector) -> Vector:
        """The energy's matrix times x."""
        flow = self.flow
        h, w = flow.stencil.shape[1:]
        product: Vector = self.anchor * x
        _add_local(flow.stencil, flow.local, x.reshape(h, w), product.reshape(h, w))
        _add_mixtures(flow.neighbours, flow.weights, self.is_unknown, x, product)
        _add_ties(*self.ties, self.tied, x, product)
        return product

    def diagonal(self) -> Vector:
        """The diagonal of the energy's matrix."""
        pixels, partners, weights = self.ties
        diagonal: Vector = self.anchor + self.flow.local * self.flow.stencil[12].ravel()
        diagonal += self.tied * np.bincount(pixels, weights=weights, minlength=len(diagonal))
        diagonal += self.tied * np.bincount(partners, weights=weights, minlength=len(diagonal))
        _add_mixture_diagonal(self.flow.neighbours, self.flow.weights, self.is_unknown, diagonal)
        return diagonal

    def minimise(self, tolerance: float, max_iterations: int) -> Vector:
        """The alpha of least energy, by conjugate gradients from 0.5, which thus stays where nothing leads.

        Ends when the preconditioner would change no alpha by more than `tolerance`. Raises `ConvergenceError`.
        """
        x = np.where(self.is_unknown, 0.5, self.target)
        r = self.anchor * self.target - self.multiply(x)
        precondition = _Preconditioner.of(self)
        direction, rz = np.zeros_like(x), 1.0
        for _ in range(max_iterations):
            z = precondition(r)
            change = float(np.abs(z).max())
            if change <= tolerance:
                return x
            rz, previous = _dot(r, z), rz
            direction = z + (rz / previous) * direction
            product = self.multiply(direction)
            step = rz / _dot(direction, product)
            x += step * direction
            r -= step * product
        raise ConvergenceError(
            f"image of {self.flow.stencil.shape[1:]}: alpha would still change by {change:.3g}, "
            f"more than {tolerance:g}, within {max_iterations} iterations; raise tolerance or max_iterations"
        )


@dataclass(frozen=True)
class _Preconditioner:
    """Roughly the inverse: the diagonal's, plus that among groups of pixels, of which known ones are no part."""

    inverse: Vector
    is_unknown: NDArray[np.bool_]
    parent: Indices
    factor: Any

    @classmethod
    def of(cls, energy: Energy) -> "_Preconditioner":
        diagonal = energy.diagonal()
        inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0)
        # Known pixels hold their group back about as much as if they were tied to others that are 0.
        hold = np.where(energy.is_unknown, energy.anchor, np.median(diagonal) / 2)
        nodes = len(energy.flow.coarse)
        coarse = energy.flow.coarse + np.diag(_sum_over(energy.flow.parent, hold, nodes))
        coarse[np.diag_indices(nodes)] += 1e-6 * (1 + np.diag(coarse))
        return cls(inverse, energy.is_unknown, energy.flow.parent, scipy.linalg.cho_factor(coarse))

    def __call__(self, r: Vector) -> Vector:
        among_groups = _sum_over(self.parent, np.where(self.is_unknown, r, 0), len(self.factor[0]))
        correction: Vector = scipy.linalg.cho_solve(self.factor, among_groups)[self.parent]
        return self.inverse * r + np.where(self.is_unknown, correction, 0)
