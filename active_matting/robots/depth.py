"""How deep within a mask a pixel lies."""

import cv2
import numpy as np
from numpy.typing import NDArray


def depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance, float32 (H, W), of each pixel of a mask, bool (H, W), to the nearest one outside of it or of the array.

    Its square is a whole number. OpenCV's root of it may differ in the last bit from one call to the next, as its
    memory happens to lie, and then so would the first of the deepest pixels: it is taken anew.

    >>> depth(np.array([[True, True, True]] * 3)).max()
    np.float32(2.0)
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return np.asarray(np.sqrt(np.rint(distance * distance)), dtype=np.float32)
