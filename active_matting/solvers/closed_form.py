"""Closed-form matting."""

from dataclasses import dataclass
from functools import partial

from active_matting.solvers.base import PreparedClassical
from active_matting.solvers.laplacian import solve_laplacian
from active_matting.types import Image, check_image


@dataclass(frozen=True)
class ClosedForm:
    """Alpha is locally affine in colour (Levin, Lischinski and Weiss 2008, eq. 12); pymatting's Laplacian.

    Raises `ConvergenceError` when solving takes more than `max_iterations`.
    """

    radius: int = 1  # windows are (2 radius + 1)² pixels
    epsilon: float = 1e-7  # larger is smoother and converges sooner
    tolerance: float = 1e-7  # of the residual, relative
    max_iterations: int = 10_000

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        from pymatting.laplacian.cf_laplacian import cf_laplacian
        from pymatting.preconditioner.ichol import ichol

        image = check_image(image)
        laplacian = cf_laplacian(image.astype("float64"), epsilon=self.epsilon, radius=self.radius).tocsr()
        method = partial(solve_laplacian, laplacian, ichol, self.tolerance, self.max_iterations)
        return PreparedClassical(image.shape[:2], method)
