"""What a segmenter is."""

from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.types import Image, Label, LabelMap

Probability: TypeAlias = NDArray[np.float32]
"""(H, W): how likely a pixel is foreground, in [0, 1]."""


class PreparedSegmenter(Protocol):
    """A segmenter that has done, once, all that depends on the image alone.

    One that makes something of labels of one class alone has an attribute `needs_both_classes` that is false; it says
    0.5 of what it knows nothing of.
    """

    def segment(self, label_map: LabelMap) -> Probability:
        """Probability of foreground, float32 `(H, W)`, from int8 `(H, W)` labels of which both classes are there."""


def needs_both_classes(prepared: PreparedSegmenter) -> bool:
    """Whether it is to be asked only where foreground and background are both told."""
    return bool(getattr(prepared, "needs_both_classes", True))


class Segmenter(Protocol):
    """Image + labels → where the object is. Like a solver it is its parameters: small, frozen, comparable."""

    def prepare(self, image: Image) -> PreparedSegmenter:
        """Do what depends on the image, float32 `(H, W, 3)` in [0, 1], alone."""


def log_odds(probability: Probability, surest: float) -> Probability:
    """log(p / (1 − p)) of p, float32 of any shape, from 1 − `surest` to `surest`: beyond these it is taken to be there.

    >>> log_odds(np.array([0.5, 0.9, 1.0], dtype=np.float32), surest=0.9).round(3)
    array([0.   , 2.197, 2.197], dtype=float32)
    """
    p = np.clip(probability, np.float32(1 - surest), np.float32(surest))
    return np.asarray(np.log(p / (1 - p)), dtype=np.float32)


def resize_image(image: Image, shape: tuple[int, int]) -> Image:
    """The image with `shape` (H, W), averaged over areas where it shrinks."""
    height, width = shape
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(resized, 0, 1), dtype=np.float32)


def resize_plane(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A plane (h, w) of numbers with `shape` (H, W), interpolated linearly."""
    height, width = shape
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def resize_labels(label_map: LabelMap, shape: tuple[int, int]) -> LabelMap:
    """Labels with `shape` (H, W): a class where it covers at least half of a pixel's area, else unlabelled.

    Where that leaves nothing of a class that was told, as with single pixels, it holds its pixels' places; and where
    the other class holds these too, the free place nearest to the first. A class that was told never vanishes unless
    there is only one pixel.
    """
    height, width = shape
    resized = np.zeros(shape, dtype=np.int8)
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        is_told = label_map == label
        share = cv2.resize(is_told.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        is_covered = share >= 0.5
        y, x = np.nonzero(is_told)
        if not is_covered.any():
            is_covered[y * height // label_map.shape[0], x * width // label_map.shape[1]] = True
        resized[is_covered & (resized == 0)] = label
        if is_told.any() and not (resized == label).any():
            place = int(y[0]) * height // label_map.shape[0], int(x[0]) * width // label_map.shape[1]
            resized[_nearest_free(resized, *place)] = label
    return resized


def label_cores(labels: LabelMap) -> LabelMap:
    """Labels (h, w) without their outermost pixels; all of what is too thin to have inner ones.

    On a reduced picture the rim of what was told may show half of what lies beyond, and after blurring does. As an
    example it would stand for the other class.
    """
    cores = np.zeros_like(labels)
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        is_told = (labels == label).astype(np.uint8)
        inner = cv2.erode(is_told, np.ones((3, 3), dtype=np.uint8))
        near_inner = cv2.dilate(inner, np.ones((5, 5), dtype=np.uint8))
        cores[(inner > 0) | (is_told > near_inner)] = label
    return cores


def _nearest_free(labels: LabelMap, y: int, x: int) -> tuple[int, int]:
    """The unlabelled pixel nearest to `(y, x)`, or `(y, x)` itself where all are labelled."""
    free_y, free_x = np.nonzero(labels == 0)
    if not len(free_y):
        return y, x
    nearest = int(((free_y - y) ** 2 + (free_x - x) ** 2).argmin())
    return int(free_y[nearest]), int(free_x[nearest])


def scaled_shape(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """(H, W) of the same proportions whose longer side is `side` pixels, the shorter at least one."""
    longest = max(shape)
    return max(1, round(shape[0] * side / longest)), max(1, round(shape[1] * side / longest))
