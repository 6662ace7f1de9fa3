"""Photographs that are worked on at another size than their own."""

import cv2
import numpy as np

from active_matting.types import Alpha, Image


def shrink(picture: Image, longest: int) -> Image:
    """The picture, `(H, W)` or `(H, W, 3)`, with its longer side at most `longest` pixels, by area."""
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.clip(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), 0, 1).astype(np.float32)


def enlarge(alpha: Alpha, shape: tuple[int, ...]) -> Alpha:
    """The alpha at `shape` (H, W, ...), linearly interpolated."""
    height, width = shape[:2]
    return np.clip(cv2.resize(alpha, (width, height)), 0, 1).astype(np.float32)
