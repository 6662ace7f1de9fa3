"""Errors of a matte against the true alpha, as the matting field defines them.

All take alphas `(H, W)` of floats in [0, 1] and an optional `mask`, bool `(H, W)`, of the pixels that count, the
trimap's unknown region usually (`unknown_region`); without one the whole image counts. Gradients and components are
those of the whole image either way. All raise `InvalidArrayError` where shapes differ, a value is NaN or outside
[0, 1], or no pixel counts.

The measures are those of Rhemann et al. (A perceptually motivated online benchmark for image matting, 2009). The
reference is the MATLAB code released with Deep Image Matting (Xu et al. 2017), by which tables on Composition-1k are
made. SAD, MSE and MAD are the same everywhere but for their units, see `SCALINGS`. GRAD and CONN are not: for the same
mattes the following get other figures than the reference.

- GCA-Matting's Python, much copied: `skimage.measure.label` gives the background the number 0, which is counted with
  the components. Wherever most of the image is below a threshold *the background* is the largest component, so that
  CONN comes out another, lower by some 5 % as its authors say. GRAD is not stretched (below).
- GFM, P3M, AIM: GRAD by `scipy.ndimage.gaussian_filter`, whose kernel is not scaled to unit norm but to that of a true
  derivative, reaches to 4 σ and mirrors the image at its edges; it is then divided by 10 instead of 1000.
- MMEditing, and RobustVideoMatting after it: the reference's GRAD and CONN; but MMEditing sets the matte to the trimap
  outside the unknown region before, which is seen in the gradients near its edge and in the components.
- The reference itself stretches either matte so that its least value becomes 0 and its largest 1 (`mat2gray`) before
  it takes gradients, as MMEditing and RobustVideoMatting do; Rhemann et al. do not speak of that. Where both mattes
  reach 0 and 1 it changes nothing. Mattes of few answers do not, and what one answer does to them would depend on the
  extremes: so `grad` does it on request only, with `is_stretched=True`.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError, InvalidArrayError, UnknownNameError
from active_matting.types import Alpha, Trimap, check_alpha

Mask = NDArray[np.bool_]

_BLOCK = 1 << 14  # pixels whose errors are summed at once


def rmse(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Root mean square error (Active Matting, eq. 2), in alpha's units.

    >>> rmse(np.float32([[1, 0]]), np.float32([[0.5, 0.5]]))
    0.5
    """
    return float(np.sqrt(mse(alpha, truth, mask)))


def mse(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Mean square error, in alpha's units squared."""
    if mask is not None:
        return float(np.mean(_difference(alpha, truth, mask) ** 2))
    alpha, truth, _ = _check(alpha, truth, None)
    total = 0.0
    for start in range(0, alpha.size, _BLOCK):  # every step of an environment comes here: nothing leaves the cache
        block = slice(start, start + _BLOCK)
        difference = np.subtract(alpha.ravel()[block], truth.ravel()[block], dtype=np.float64)
        total += float(np.einsum("i,i->", difference, difference))
    return total / alpha.size


def mad(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Mean absolute difference, in alpha's units."""
    return float(np.mean(np.abs(_difference(alpha, truth, mask))))


def sad(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Sum of absolute differences, in thousands of pixels."""
    return float(np.sum(np.abs(_difference(alpha, truth, mask))) / 1000)


def grad(alpha: Alpha, truth: Alpha, mask: Mask | None = None, sigma: float = 1.4, is_stretched: bool = False) -> float:
    """Gradient error (Rhemann et al. 2009): summed squared difference of gradient magnitudes, in thousands.

    sigma: of the Gaussian in `gradient_magnitude`, pixels. is_stretched: stretch either matte to [0, 1] before, as the
    released code does; see this module.
    """
    alpha, truth, mask = _check(alpha, truth, mask)
    slope, true_slope = (
        gradient_magnitude(_stretch(values) if is_stretched else values, sigma) for values in (alpha, truth)
    )
    difference = slope - true_slope
    return float(np.sum(difference[mask] ** 2) / 1000)


def gradient_magnitude(alpha: NDArray[Any], sigma: float = 1.4) -> NDArray[np.float64]:
    """Magnitude, float64 `(H, W)`, of the Gaussian gradient that `grad` compares.

    A convolution with the first derivatives of a Gaussian of standard deviation `sigma` pixels, each kernel scaled to
    unit Euclidean norm, the image replicated at its edges. Raises `InvalidArgumentError` unless 0 < sigma < 39, beyond
    which a Gaussian is nowhere above the 1 % at which its kernel ends.
    """
    if not 0 < sigma < 39:
        raise InvalidArgumentError(f"sigma must lie between 0 and 39 pixels, got {sigma}")
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

    A pixel's level is the highest threshold, in steps of `step`, up to which it belongs to the `largest_component` of
    the pixels where both mattes reach the threshold. What a matte exceeds the level by, where that is `theta` or more,
    is what its connectedness lacks of 1; the error is the summed difference of the two. Where no pixel of both mattes
    reaches a threshold nothing is connected at it; the reference fails there. Raises `InvalidArgumentError` for a step
    outside (0, 1].
    """
    if not 0 < step <= 1:
        raise InvalidArgumentError(f"step must lie in (0, 1], got {step}")
    alpha, truth, mask = _check(alpha, truth, mask)
    level = np.full(alpha.shape, -1.0)
    thresholds = np.arange(int(1 / step + 1e-9) + 1) * step
    both = np.minimum(alpha, truth)
    for lower, threshold in pairwise(thresholds):
        # In alpha's own precision, or an alpha of 0.7 would not reach 0.7.
        left_out = ~largest_component(both >= np.float32(threshold))
        level[(level == -1) & left_out] = lower
    level[level == -1] = 1
    connected, connected_truth = (_connectedness(values - level, theta) for values in (alpha, truth))
    return float(np.sum(np.abs(connected - connected_truth)[mask]) / 1000)


def largest_component(mask: Mask) -> Mask:
    """The largest 4-connected component, bool `(H, W)`, of a bool `(H, W)` mask; nothing where the mask is empty.

    Among equals it is the one whose first pixel, going down the columns from the left, comes first, as in MATLAB.
    """
    by_column = np.ascontiguousarray(mask.T, dtype=np.uint8)
    count, components, statistics, _ = cv2.connectedComponentsWithStats(by_column, connectivity=4)
    if count == 1:
        return np.zeros(mask.shape, dtype=bool)
    largest = 1 + np.argmax(statistics[1:, cv2.CC_STAT_AREA])
    return np.asarray(components == largest).T


def unknown_region(trimap: Trimap) -> Mask:
    """The mask, bool `(H, W)`, of a trimap's unknown region: neither 0 nor 1.

    Raises `InvalidArrayError`, also for a trimap without any, as nothing could be measured there.

    >>> unknown_region(np.float32([[0, 0.5, 1]])).tolist()
    [[False, True, False]]
    """
    trimap = check_alpha(trimap, name="trimap")
    mask = np.asarray((trimap != 0) & (trimap != 1))
    if not mask.any():
        raise InvalidArrayError("trimap must have an unknown region, got 0 and 1 only")
    return mask


METRICS = {"rmse": rmse, "mse": mse, "sad": sad, "mad": mad, "grad": grad, "conn": conn}
"""Every metric of a matte by its name."""

SCALINGS: Mapping[str, Mapping[str, float]] = {
    "package": {},
    "pixels": {"sad": 1000, "grad": 1000, "conn": 1000},
    "composition-1k": {"mse": 1000},
    "video": {"mse": 1000, "mad": 1000},
}
"""What the functions' values are multiplied by in tables of some usage; 1 where nothing is said.

package: as the functions return them, sums in thousands, means in alpha's units. pixels: sums as they are. And two in
which sums are in thousands as well: composition-1k, MSE × 10³, as in most papers since Deep Image Matting, over the
unknown region; video, MSE and MAD × 10³, RobustVideoMatting's, over the whole image.
"""


def scaled(values: Mapping[str, float], scaling: str) -> dict[str, float]:
    """Values of metrics, by their names, in the units of one of `SCALINGS`. Raises `UnknownNameError`.

    >>> scaled({"sad": 25.8, "mse": 0.0052}, "composition-1k")
    {'sad': 25.8, 'mse': 5.2}
    """
    if scaling not in SCALINGS:
        raise UnknownNameError(f"unknown scaling {scaling!r}; choose from {list(SCALINGS)}")
    return {name: value * SCALINGS[scaling].get(name, 1) for name, value in values.items()}


def all_metrics(alpha: Alpha, truth: Alpha, mask: Mask | None = None, scaling: str = "package") -> dict[str, float]:
    """Every metric of this module by its name, in the units of one of `SCALINGS`."""
    return scaled({name: metric(alpha, truth, mask) for name, metric in METRICS.items()}, scaling)


def _stretch(alpha: Alpha) -> NDArray[np.float64]:
    """MATLAB's mat2gray; a constant stays as it is."""
    values = alpha.astype(np.float64)
    low, high = values.min(), values.max()
    return values if low == high else (values - low) / (high - low)


def _connectedness(excess: NDArray[np.float64], theta: float) -> NDArray[np.float64]:
    return 1 - excess * (excess >= theta)


def _difference(alpha: Alpha, truth: Alpha, mask: Mask | None) -> NDArray[np.float64]:
    alpha, truth, chosen = _check(alpha, truth, mask)
    return alpha[chosen].astype(np.float64) - truth[chosen].astype(np.float64)


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
