"""Errors of a matte against the true alpha, as the matting field defines them.

All take float32 alphas `(H, W)` in [0, 1] and an optional `mask`, bool `(H, W)`, of the pixels that count
(the trimap's unknown region, usually); without one the whole image counts. Raise `InvalidArrayError`.
"""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArrayError
from active_matting.types import Alpha, check_alpha

Mask = NDArray[np.bool_]


def rmse(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Root mean square error (Active Matting, eq. 2), in alpha's units.

    >>> rmse(np.float32([[1, 0]]), np.float32([[0.5, 0.5]]))
    0.5
    """
    return float(np.sqrt(mse(alpha, truth, mask)))


def mse(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Mean square error, in alpha's units squared."""
    return float(np.mean(_difference(alpha, truth, mask) ** 2))


def mad(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Mean absolute difference, in alpha's units."""
    return float(np.mean(np.abs(_difference(alpha, truth, mask))))


def sad(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Sum of absolute differences, in thousands of pixels."""
    return float(np.sum(np.abs(_difference(alpha, truth, mask))) / 1000)


def grad(alpha: Alpha, truth: Alpha, mask: Mask | None = None, sigma: float = 1.4) -> float:
    """Gradient error (Rhemann et al. 2009): summed squared difference of gradient magnitudes, in thousands.

    Gradients are convolutions with first-order Gaussian derivatives of standard deviation `sigma` pixels,
    scaled to unit norm, the image replicated at its edges.
    """
    alpha, truth, mask = _check(alpha, truth, mask)
    difference = gradient_magnitude(alpha, sigma) - gradient_magnitude(truth, sigma)
    return float(np.sum(difference[mask] ** 2) / 1000)


def gradient_magnitude(alpha: NDArray[Any], sigma: float = 1.4) -> NDArray[np.float64]:
    """Magnitude, float64 `(H, W)`, of the Gaussian gradient that `grad` compares."""
    # The kernel reaches until the Gaussian has fallen to 1 %, as in the reference implementation.
    epsilon = 1e-2
    half = int(np.ceil(sigma * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * sigma * epsilon))))
    steps = np.arange(-half, half + 1, dtype=np.float64)
    gauss = np.exp(-(steps**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))
    derivative = -steps * gauss / sigma**2
    norm = np.sqrt(np.sum(np.outer(gauss, derivative) ** 2))
    alpha = np.asarray(alpha, dtype=np.float64)
    along_x, along_y = (
        cv2.sepFilter2D(alpha, cv2.CV_64F, row / norm, column, borderType=cv2.BORDER_REPLICATE)
        for row, column in ((derivative, gauss), (gauss, derivative))
    )
    return np.hypot(along_x, along_y)


def conn(alpha: Alpha, truth: Alpha, mask: Mask | None = None, step: float = 0.1, theta: float = 0.15) -> float:
    """Connectivity error (Rhemann et al. 2009), in thousands.

    A pixel's level is the highest threshold, in steps of `step`, at which it still belongs to the largest
    4-connected region where both mattes reach the threshold; what it exceeds its level by counts from `theta` on.
    """
    alpha, truth, mask = _check(alpha, truth, mask)
    level = np.full(alpha.shape, -1.0)
    thresholds = np.arange(round(1 / step) + 1) * step
    for lower, threshold in pairwise(thresholds):
        left_out = ~largest_component((alpha >= threshold) & (truth >= threshold))
        level[(level == -1) & left_out] = lower
    level[level == -1] = 1
    connected, connected_truth = (_connectedness(values - level, theta) for values in (alpha, truth))
    return float(np.sum(np.abs(connected - connected_truth)[mask]) / 1000)


def largest_component(mask: Mask) -> Mask:
    """The largest 4-connected component of a bool `(H, W)` mask; nothing where the mask is empty."""
    count, components, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count == 1:
        return np.zeros(mask.shape, dtype=bool)
    return np.asarray(components == 1 + np.argmax(statistics[1:, cv2.CC_STAT_AREA]))


def all_metrics(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> dict[str, float]:
    """Every metric of this module by its name."""
    metrics = {"rmse": rmse, "mse": mse, "sad": sad, "mad": mad, "grad": grad, "conn": conn}
    return {name: metric(alpha, truth, mask) for name, metric in metrics.items()}


def _connectedness(excess: NDArray[np.float64], theta: float) -> NDArray[np.float64]:
    return 1 - excess * (excess >= theta)


def _difference(alpha: Alpha, truth: Alpha, mask: Mask | None) -> NDArray[np.float64]:
    alpha, truth, mask = _check(alpha, truth, mask)
    return alpha[mask].astype(np.float64) - truth[mask].astype(np.float64)


def _check(alpha: Alpha, truth: Alpha, mask: Mask | None) -> tuple[Alpha, Alpha, Mask]:
    truth = check_alpha(truth, name="truth")
    alpha = check_alpha(alpha, truth.shape)
    if mask is None:
        return alpha, truth, np.ones(truth.shape, dtype=bool)
    if mask.shape != truth.shape or mask.dtype != bool:
        raise InvalidArrayError(f"mask must be bool with shape {truth.shape}, got {mask.dtype} with shape {mask.shape}")
    if not mask.any():
        raise InvalidArrayError("mask must count at least one pixel, got none")
    return alpha, truth, mask
