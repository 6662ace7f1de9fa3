"""Which parts of a mask belong to what was pointed at."""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.types import Alpha

_VISIBLE = 0.1
"""Alphas above this hang together, as in the released code of the thesis, ch. 3."""


def keep_told_components(alpha: Alpha, is_foreground: NDArray[np.bool_]) -> Alpha:
    """The alpha with 0 outside the parts, connected by sides or corners, that hold a pixel told to be foreground.

    alpha: float32 `(H, W)`; is_foreground: bool `(H, W)`. Where nothing is told to be foreground all is kept.

    >>> keep_told_components(np.array([[1, 0, 0.7]], np.float32), np.array([[True, False, False]]))
    array([[1., 0., 0.]], dtype=float32)
    """
    if not is_foreground.any():
        return alpha
    count, parts = cv2.connectedComponents((alpha > _VISIBLE).astype(np.uint8), connectivity=8)
    is_kept = np.zeros(count, dtype=bool)
    is_kept[parts[is_foreground]] = True
    is_kept[0] = False  # what is not visible
    return np.where(is_kept[parts], alpha, np.float32(0))
