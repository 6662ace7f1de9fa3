"""Array aliases, the label values, and the checks made where arrays enter the package."""

from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError, InvalidArrayError

Image: TypeAlias = NDArray[np.float32]
"""RGB as stored (sRGB, not linearised), (H, W, 3), in [0, 1], C-contiguous."""

Alpha: TypeAlias = NDArray[np.float32]
"""Opacity of the foreground, (H, W), in [0, 1]."""

LabelMap: TypeAlias = NDArray[np.int8]
"""What the user has said so far, (H, W), values of `Label`."""

Trimap: TypeAlias = NDArray[np.float32]
"""(H, W): 0 background, 0.5 unknown, 1 foreground."""


class Label(IntEnum):
    """What a user may say of a pixel, and what a label map holds for it."""

    BACKGROUND = -1
    UNLABELLED = 0
    FOREGROUND = 1
    TRANSITION = 2


def check_label(label: int) -> Label:
    """Return `label` as a `Label`. Raises `InvalidArgumentError` for what is none.

    >>> check_label(1)
    <Label.FOREGROUND: 1>
    """
    try:
        return Label(label)
    except ValueError as error:
        allowed = ", ".join(f"{each.value} {each.name.lower()}" for each in Label)
        raise InvalidArgumentError(f"label must be one of {allowed}, got {label!r}") from error


def check_image(image: NDArray[Any]) -> Image:
    """Return `image` as a C-contiguous float32 `(H, W, 3)` array in [0, 1], without a copy where it is one.

    >>> check_image(np.zeros((4, 5)))
    Traceback (most recent call last):
    ...
    active_matting.errors.InvalidArrayError: image must have shape (H, W, 3), got (4, 5)
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise InvalidArrayError(f"image must have shape (H, W, 3), got {image.shape}")
    return _check_unit_range(image, "image")


def check_alpha(alpha: NDArray[Any], shape: tuple[int, ...] | None = None, name: str = "alpha") -> Alpha:
    """Return `alpha` as a C-contiguous float32 `(H, W)` array in [0, 1]; `shape` is the image's `(H, W)`.

    >>> check_alpha(np.full((2, 2), 0.5), shape=(3, 2))
    Traceback (most recent call last):
    ...
    active_matting.errors.InvalidArrayError: alpha must have the image's shape (3, 2), got (2, 2)
    """
    alpha = np.asarray(alpha)
    _check_plane(alpha, shape, name)
    return _check_unit_range(alpha, name)


def check_label_map(label_map: NDArray[Any], shape: tuple[int, ...] | None = None) -> LabelMap:
    """Return `label_map` as a C-contiguous int8 `(H, W)` array of `Label` values."""
    label_map = np.asarray(label_map)
    _check_plane(label_map, shape, "label_map")
    if label_map.dtype.kind not in "iu":
        raise InvalidArrayError(f"label_map must hold integers, got dtype {label_map.dtype}")
    low, high = int(label_map.min()), int(label_map.max())
    if low < Label.BACKGROUND or high > Label.TRANSITION:
        raise InvalidArrayError(
            f"label_map must hold -1 background, 0 unlabelled, 1 foreground or 2 transition, "
            f"got values from {low} to {high}"
        )
    return np.ascontiguousarray(label_map, dtype=np.int8)


def _check_plane(plane: NDArray[Any], shape: tuple[int, ...] | None, name: str) -> None:
    if plane.ndim != 2 or 0 in plane.shape:
        raise InvalidArrayError(f"{name} must have shape (H, W), got {plane.shape}")
    if shape is not None and plane.shape != tuple(shape):
        raise InvalidArrayError(f"{name} must have the image's shape {tuple(shape)}, got {plane.shape}")


def _check_unit_range(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    if array.dtype.kind != "f":
        raise InvalidArrayError(f"{name} must hold floats in [0, 1], got dtype {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):  # a NaN fails too
        raise InvalidArrayError(f"{name} must lie in [0, 1], got values from {low:.4g} to {high:.4g}")
    array = np.ascontiguousarray(array, dtype=np.float32)
    return array if low >= 0 and high <= 1 else np.clip(array, 0, 1)
