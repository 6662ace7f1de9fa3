"""Large-kernel matting."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from active_matting.errors import ConvergenceError, InvalidArgumentError
from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.solvers.large_kernel.coarse import Coarse
from active_matting.solvers.large_kernel.kernels import _dot
from active_matting.solvers.large_kernel.windows import Plane, Windows
from active_matting.types import Image, Label, LabelMap, check_image


@dataclass(frozen=True)
class LKM:
    """Closed-form matting with large windows and no matrix (He, Sun and Tang 2010, sec. 4).

    An image of less than 3 pixels a side has no windows: what is not labelled is 0.5. Where a drawing repeats two
    colours without noise or shading, epsilon alone ties one patch to the next, and only a far smaller `tolerance`
    finds alpha there. Raises `ConvergenceError` when solving takes more than `max_iterations`.
    """

    radius: int = 10  # windows are (2 radius + 1)² pixels, or as large as the image allows
    epsilon: float = 1e-7  # larger is smoother
    penalty: float = 100.0  # weight of the labelled pixels against the Laplacian
    tolerance: float = 1e-6  # largest change of any alpha that still ends the solution
    max_iterations: int = 10_000

    def __post_init__(self) -> None:
        if self.radius < 1 or not self.epsilon > 0 or not self.penalty > 0:
            raise InvalidArgumentError(
                "radius must be at least 1, epsilon and penalty positive, "
                f"got {self.radius}, {self.epsilon} and {self.penalty}"
            )

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        image = check_image(image)
        smallest = min(image.shape[:2])
        if smallest < 3:
            return PreparedClassical(image.shape[:2], _undecided)
        size = (
            2 * max(1, min(self.radius, (smallest - 1) // 4)) + 1
        )  # two windows side by side, if they are to be large
        energy = _Energy.of(Windows.of(image, size, self.epsilon))
        method = partial(_solve_with_penalty, energy, self.penalty, self.tolerance, self.max_iterations)
        return PreparedClassical(image.shape[:2], method)


@dataclass(frozen=True)
class _Energy:
    """The Laplacian of an image, its diagonal `(H, W)` and its coarse form."""

    windows: Windows
    diagonal: Plane
    coarse: Coarse

    @classmethod
    def of(cls, windows: Windows) -> "_Energy":
        # A lone colour is nearly free: its diagonal is 0 but for rounding.
        return cls(windows, np.maximum(windows.diagonal(), 1e-6 * windows.size**2), Coarse.of(windows))


def _undecided(label_map: LabelMap, previous: Matte | None) -> Matte:
    return Matte(np.full(label_map.shape, 0.5, dtype=np.float32))


def _solve_with_penalty(
    energy: _Energy,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    label_map: LabelMap,
    previous: Matte | None,
) -> Matte:
    """Minimise alphaᵀ L alpha + penalty · |alpha - label|² over the labelled pixels, by conjugate gradients from 0.

    Never from `previous`, which would let the matte depend on how one came to it. What the preconditioner makes of
    the residual, the diagonal's share and the coarse form's, is nearly alpha's error, so that is what ends it.
    """
    is_foreground = label_map == Label.FOREGROUND
    weight = penalty * (is_foreground | (label_map == Label.BACKGROUND))
    # A told pixel gives way alone where its neighbours pull harder than it is held, as in a corner, where few windows
    # are: functions that are smooth but for such pixels hold each by what the two springs, in a row, come to.
    inverse = 1 / (energy.diagonal + weight)
    share = energy.diagonal * inverse
    coarse = energy.coarse.factorise(share * weight)
    r = penalty * is_foreground
    x, direction = np.zeros_like(r), np.zeros_like(r)
    rz = 1.0
    for _ in range(max_iterations):
        z = share * coarse.solve(share * r)
        z += inverse * r
        change = float(np.abs(z).max())
        if change <= tolerance:
            return Matte(np.clip(x, 0, 1).astype(np.float32))
        rz, before = _dot(r, z), rz
        direction *= rz / before
        direction += z
        product = energy.windows.multiply(direction)
        product += weight * direction
        step = rz / _dot(direction, product)
        x += step * direction
        r -= step * product
    raise ConvergenceError(
        f"image of {label_map.shape}: alpha would still change by {change:.3g}, more than {tolerance:g}, "
        f"within {max_iterations} iterations; raise tolerance or max_iterations"
    )
