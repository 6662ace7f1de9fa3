"""Planes as PNG bytes, small and quick to make, for whoever shows them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.images import to_bytes
from active_matting.types import Alpha, Image, LabelMap

_QUICK = (cv2.IMWRITE_PNG_COMPRESSION, 1)


def image_png(image: Image) -> bytes:
    """The image, float32 `(H, W, 3)` in [0, 1], in 8 bits."""
    return encode(np.ascontiguousarray(to_bytes(image)[..., ::-1]))


def alpha_png(alpha: Alpha) -> bytes:
    """The alpha, float32 `(H, W)` in [0, 1], as 8 bits of grey."""
    return encode(to_bytes(alpha))


def label_png(label_map: LabelMap) -> bytes:
    """Labels, int8 `(H, W)`, as grey: 0 unlabelled, 1 foreground, 2 transition, 255 background (its byte)."""
    return encode(label_map.view(np.uint8))


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """Chances, float32 `(H, W)`, as grey, the largest 255; the square root of them, so that small ones show."""
    return encode(to_bytes(np.sqrt(heat / max(float(heat.max()), 1e-30)).astype(np.float32)))


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """uint8 `(H, W)`, or `(H, W, 3)` in OpenCV's order of colours, as PNG."""
    was_encoded, png = cv2.imencode(".png", pixels, _QUICK)
    assert was_encoded
    return png.tobytes()
