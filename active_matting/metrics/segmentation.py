"""How well an object is selected, and how fast by clicks (Forte's thesis, sec. 2.4.2 and 3.3.2).

Curves are floats `(N, K)`: for each of N images its IoU after 1, 2, ..., K clicks, of which the first is column 0.
Mattes are selections where they reach 0.5, as in the authors' released code: `iou(alpha >= 0.5, truth == 1,
is_ignored)`. (Sec. 5.3.1 of the thesis says "exceed"; only a matte of exactly 0.5, "unknown", tells the two apart.)
All raise `InvalidArrayError` where shapes differ or a value is no number in [0, 1].
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from active_matting.errors import InvalidArgumentError, InvalidArrayError

CAP = 20
"""The clicks after which one gives up, in the field's benchmarks."""


def iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_], is_ignored: NDArray[np.bool_] | None = None) -> float:
    """Intersection over union of two selections, bool `(H, W)` each; in [0, 1].

    is_ignored: bool `(H, W)`, pixels that count neither way, such as GrabCut's band along the outline. Where neither
    selects a pixel that counts the two agree, and it is 1. Raises `InvalidArrayError`, also where all is ignored.

    >>> iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.3333333333333333
    """
    _check_mask("truth", truth, truth.shape)
    _check_mask("mask", mask, truth.shape)
    counts = np.ones(truth.shape, dtype=bool)
    if is_ignored is not None:
        _check_mask("is_ignored", is_ignored, truth.shape)
        counts = ~is_ignored
    if not counts.any():
        raise InvalidArrayError("at least one pixel must count, got none")
    union = int(((mask | truth) & counts).sum())
    return int((mask & truth & counts).sum()) / union if union else 1.0


def noc(curves: ArrayLike, threshold: float, cap: int = CAP) -> NDArray[np.int64]:
    """NoC@threshold of each image, int64 `(N,)`: the number of clicks after which its IoU first reaches `threshold`.

    An image that does not within `cap` clicks counts as `cap`, as in the field's tables; so does one that does with the
    last: `failures` tells them apart. Later drops below the threshold are not looked at. threshold: in (0, 1], such as
    0.85 or 0.9. Raises `InvalidArgumentError`, and `InvalidArrayError` where a curve ends before `cap` clicks without
    having reached it, as then nobody knows.

    >>> noc([[0.5, 0.92, 0.91], [0.5, 0.6, 0.7]], 0.9, cap=3).tolist()
    [2, 3]
    """
    reached = _reached(curves, threshold, cap)
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, cap).astype(np.int64)


def failures(curves: ArrayLike, threshold: float, cap: int = CAP) -> NDArray[np.bool_]:
    """Which images, bool `(N,)`, do not reach `threshold` within `cap` clicks. Raises as `noc` does."""
    return np.asarray(~_reached(curves, threshold, cap).any(axis=1))


def auc(curves: ArrayLike, cap: int = CAP) -> NDArray[np.float64]:
    """AuC of each image, float64 `(N,)`: the area under its curve over clicks 1 to `cap`, of a width of 1 in all.

    It is the mean of the `cap` values (table 5.3 of the thesis: "or average values"), in [0, 1]; the mean over images
    is the area under the curve of mean IoU. The trapezoid rule between the first and the last click would halve the
    weight of those two. Any error after each click has such an area too, which is why values may exceed 1 here.
    Raises `InvalidArgumentError`, and `InvalidArrayError` where curves end before `cap` clicks.

    >>> auc([[0.5, 0.75, 1.0]], cap=3).tolist()
    [0.75]
    """
    values = _check_curves(curves, cap)
    if values.shape[1] < cap:
        raise InvalidArrayError(f"curves must have at least {cap} clicks, got {values.shape[1]}")
    return np.asarray(values[:, :cap].mean(axis=1))


def share_above(curves: ArrayLike, threshold: float, clicks: int = CAP) -> float:
    """The share of images, in [0, 1], whose IoU is above `threshold` after `clicks` clicks (sec. 3.3.3, fig. 3.12).

    threshold: in [0, 1), such as 0.95 or 0.99. Raises `InvalidArgumentError`, and `InvalidArrayError` where curves end
    before.

    >>> share_above([[0.5, 0.96], [0.7, 0.95]], 0.95, clicks=2)
    0.5
    """
    if not 0 <= threshold < 1:
        raise InvalidArgumentError(f"threshold must lie in [0, 1), got {threshold}")
    values = _check_unit(_check_curves(curves, clicks))
    if values.shape[1] < clicks:
        raise InvalidArrayError(f"curves must have at least {clicks} clicks, got {values.shape[1]}")
    return float((values[:, clicks - 1] > threshold).mean())


def corrective_accuracy(mask: NDArray[np.bool_], truth: NDArray[np.bool_], region: NDArray[np.bool_]) -> float:
    """The share of a region that was wrong, and was clicked into, which is right after the click; in [0, 1] (fig. 3.8).

    mask: the selection after the click, truth: what is to be selected, region: where the selection before the click was
    wrong, see `active_matting.robots.Mistake`; bool `(H, W)` each. Raises `InvalidArrayError`, also where the region is
    empty.

    >>> corrective_accuracy(np.array([[True, True, False]]), np.full((1, 3), True), np.array([[False, True, True]]))
    0.5
    """
    for name, plane in (("truth", truth), ("mask", mask), ("region", region)):
        _check_mask(name, plane, truth.shape)
    if not region.any():
        raise InvalidArrayError("region must have at least one pixel, got none")
    return float((mask == truth)[region].mean())


def _reached(curves: ArrayLike, threshold: float, cap: int) -> NDArray[np.bool_]:
    """Whether each image is at the threshold after 1, 2, ... clicks, bool (N, at most cap)."""
    if not 0 < threshold <= 1:
        raise InvalidArgumentError(f"threshold must lie in (0, 1], got {threshold}")
    values = _check_unit(_check_curves(curves, cap)[:, :cap])
    reached = np.asarray(values >= threshold)
    if values.shape[1] < cap and not reached.any(axis=1).all():
        raise InvalidArrayError(
            f"curves must go on for {cap} clicks where they do not reach {threshold}, got {values.shape[1]}"
        )
    return reached


def _check_curves(curves: ArrayLike, cap: int) -> NDArray[np.float64]:
    if cap < 1:
        raise InvalidArgumentError(f"cap must be at least 1 click, got {cap}")
    values = np.asarray(curves, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise InvalidArrayError(f"curves must have shape (N, K), got {values.shape}")
    if not (values.min() >= 0 and np.isfinite(values).all()):
        raise InvalidArrayError("curves must be finite and at least 0, got values that are not")
    return values


def _check_unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if values.max() > 1:
        raise InvalidArrayError(f"IoU must lie in [0, 1], got values to {values.max():.4g}")
    return values


def _check_mask(name: str, mask: NDArray[Any], shape: tuple[int, ...]) -> None:
    if mask.ndim != 2 or mask.shape != shape or mask.dtype != bool:
        raise InvalidArrayError(f"{name} must be bool with shape {shape}, got {mask.dtype} with shape {mask.shape}")
