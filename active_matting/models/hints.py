"""How networks are told what is labelled: two masks, and how near each pixel is to them at three scales."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.types import Label, LabelMap

Planes = NDArray[np.float32]
"""(C, H, W)."""

SEGMENTATION_SIDE = 352
"""Pixels, the crops' side of the thesis, sec. 3.2.2, of which the segmentation network's scales are shares."""


@dataclass(frozen=True)
class HintMaps:
    """exp(−d² / 2σ²), d being the distance to the nearest pixel told, for each class and three σ in pixels.

    (Thesis, sec. 3.2.1 and 5.2.1.) Background's three come first, as in the published networks. A class of which
    nothing is told is 0 everywhere. Raises `InvalidArgumentError`.

    >>> HintMaps((6.4, 25.2, 51.2))(np.array([[[0, 0]], [[1, 0]]], np.float32)).shape
    (6, 1, 2)
    """

    sigmas: tuple[float, float, float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigmas", tuple(self.sigmas))
        if len(self.sigmas) != 3 or min(self.sigmas) <= 0:
            raise InvalidArgumentError(f"sigmas must be three positive numbers of pixels, got {self.sigmas}")

    def __call__(self, marks: Planes) -> Planes:
        """Marks, float32 `(2, H, W)` of 0 and 1 → hints, float32 `(6, H, W)` in [0, 1]."""
        hints = np.zeros((6, *marks.shape[1:]), dtype=np.float32)
        for k, mark in enumerate(marks):
            if not mark.any():
                continue
            distance = cv2.distanceTransform((mark == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            # Whole numbers, but for a last digit that OpenCV does not compute the same each time.
            squared = np.rint(np.square(np.asarray(distance, dtype=np.float32)))
            for i, sigma in enumerate(self.sigmas):
                np.exp(squared * np.float32(-0.5 / sigma**2), out=hints[3 * k + i])
        return hints


def marks_of(label_map: LabelMap) -> Planes:
    """What is told, float32 `(2, H, W)`: background, foreground. Transitions tell neither."""
    return np.stack([label_map == Label.BACKGROUND, label_map == Label.FOREGROUND]).astype(np.float32)
