"""GrabCut, as OpenCV has it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters.base import Probability, resize_image, resize_labels, resize_plane, scaled_shape
from active_matting.types import Image, Label, LabelMap, check_image


@dataclass(frozen=True)
class GrabCut:
    """Graph cut with colour models refitted in turns (Rother, Kolmogorov and Blake 2004, sec. 3); OpenCV's.

    What is unlabelled starts as the class of the nearest label, and stays so on an image of one colour. One more answer
    may lead to another local minimum, so that a good segmentation can be lost; `cues` has no such turns.
    """

    side: int = 200
    """The image's longer side in pixels, for this."""
    iterations: int = 5
    """How often cut and colour models take turns."""

    def __post_init__(self) -> None:
        for name in ("side", "iterations"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")

    def prepare(self, image: Image) -> "PreparedGrabCut":
        """See `Segmenter.prepare`."""
        image = check_image(image)
        shape = (image.shape[0], image.shape[1])
        small = resize_image(image, scaled_shape(shape, self.side))
        bgr = np.ascontiguousarray((small[..., ::-1] * 255).round().astype(np.uint8))  # OpenCV's order
        return PreparedGrabCut(self.iterations, shape, bgr)


@dataclass(frozen=True)
class PreparedGrabCut:
    """See `PreparedSegmenter`."""

    iterations: int
    shape: tuple[int, int]
    bgr: NDArray[np.uint8]

    def segment(self, label_map: LabelMap) -> Probability:
        """See `PreparedSegmenter.segment`."""
        height, width = self.bgr.shape[:2]
        labels = resize_labels(label_map, (height, width))
        is_foreground, is_background = labels == Label.FOREGROUND, labels == Label.BACKGROUND
        to_foreground, to_background = (
            cv2.distanceTransform(1 - told.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            for told in (is_foreground, is_background)
        )
        is_nearer = to_foreground < to_background
        if np.ptp(self.bgr.reshape(-1, 3), axis=0).max() == 0:  # no colours to tell apart, and a cut takes very long
            return resize_plane(is_nearer.astype(np.float32), self.shape)
        mask = np.where(is_nearer, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        mask[is_foreground], mask[is_background] = cv2.GC_FGD, cv2.GC_BGD
        of_background, of_foreground = np.zeros((1, 65)), np.zeros((1, 65))  # Gaussian mixtures, to be filled in
        cv2.setRNGSeed(0)  # the mixtures start from k-means, which draws
        nowhere = (0, 0, 1, 1)  # the rectangle of another mode
        cv2.grabCut(self.bgr, mask, nowhere, of_background, of_foreground, self.iterations, cv2.GC_INIT_WITH_MASK)
        is_object = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
        return resize_plane(is_object.astype(np.float32), self.shape)
