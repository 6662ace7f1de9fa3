"""Large-kernel matting."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from active_matting.solvers.base import Matte, PreparedClassical
from active_matting.solvers.laplacian import Vector, conjugate_gradients, to_matte
from active_matting.types import Image, Label, LabelMap, check_image


@dataclass(frozen=True)
class LKM:
    """Closed-form matting with large windows and no matrix (He, Sun and Tang 2010, sec. 4); pymatting's Laplacian.

    An image of less than 3 pixels a side has no windows: what is not labelled is 0.5. Raises `ConvergenceError` when
    solving takes more than `max_iterations`.
    """

    radius: int = 10  # windows are (2 radius + 1)² pixels, or as large as the image allows
    epsilon: float = 1e-7  # larger is smoother and converges sooner
    penalty: float = 100.0  # weight of the labelled pixels against the Laplacian
    tolerance: float = 1e-7  # of the residual, relative
    max_iterations: int = 10_000

    def prepare(self, image: Image) -> PreparedClassical:
        """See `Solver.prepare`."""
        image = check_image(image)
        operator = _Operator(image, self.epsilon, self.radius)
        method = partial(_solve_with_penalty, operator, self.penalty, self.tolerance, self.max_iterations)
        return PreparedClassical(image.shape[:2], method)

    def warm_up(self) -> None:
        """Have pymatting compiled and kept, by another process: loading it starts threads that no fork survives."""
        subprocess.run([sys.executable, "-c", "import pymatting"], check=True)


class _Operator:
    """The Laplacian as a function and its diagonal; made anew where it is unpickled, as functions cannot be sent."""

    def __init__(self, image: Image, epsilon: float, radius: int) -> None:
        from pymatting.laplacian.cf_laplacian import cf_laplacian
        from pymatting.laplacian.lkm_laplacian import lkm_laplacian

        self.arguments = image, epsilon, radius
        self.multiply: Callable[[Vector], Vector]
        self.diagonal: Vector
        colour, smallest = image.astype("float64"), min(image.shape[:2])
        if smallest < 5:  # pymatting's box filter wants two windows side by side
            laplacian = cf_laplacian(colour, epsilon=epsilon, radius=1)
            self.multiply, self.diagonal = laplacian.dot, laplacian.diagonal()
        else:
            radius = min(radius, (smallest - 1) // 4)
            self.multiply, self.diagonal = lkm_laplacian(colour, epsilon=epsilon, radius=radius)

    def __reduce__(self) -> tuple[type["_Operator"], tuple[Image, float, int]]:
        return _Operator, self.arguments


def _solve_with_penalty(
    operator: _Operator,
    penalty: float,
    tolerance: float,
    max_iterations: int,
    label_map: LabelMap,
    previous: Matte | None,
) -> Matte:
    """Minimise alphaᵀ L alpha + penalty · |alpha - label|² over the labelled pixels."""
    labels = label_map.ravel()
    is_foreground = labels == Label.FOREGROUND
    weight = penalty * (is_foreground | (labels == Label.BACKGROUND)).astype(np.float64)

    def multiply_penalised(x: Vector) -> Vector:
        product: Vector = operator.multiply(x) + weight * x
        return product

    def divide_by_diagonal(x: Vector) -> Vector:
        scaled: Vector = np.divide(x, diagonal, out=np.zeros_like(x), where=is_in_reach)
        return scaled

    diagonal = operator.diagonal + weight
    is_in_reach = diagonal > 0
    alpha = conjugate_gradients(
        multiply_penalised, penalty * is_foreground, divide_by_diagonal, tolerance, max_iterations, label_map.shape
    )
    alpha[~is_in_reach] = 0.5
    return to_matte(alpha, label_map.shape)
