"""The robot that asks about regions, where the matte is worst."""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.annotators import ExactAnnotator
from active_matting.regions import Region
from active_matting.robots.depth import depth
from active_matting.types import Alpha, Label, LabelMap


def most_wrong_region(truth: Alpha, alpha: Alpha, label_map: LabelMap, side: int) -> Region:
    """The region where the squared error, blurred by a Gaussian as wide as a region, is largest.

    truth, alpha: float32 `(H, W)`; label_map: int8 `(H, W)`; side: the region's, pixels. Regions that would be a
    transition, or whose centre was labelled before, are passed over while there are others. Until both classes are
    told all places are as wrong: then it is the innermost place of the foreground, and next of the background.
    """
    if not (label_map == Label.FOREGROUND).any():
        merit = depth(truth >= ExactAnnotator.foreground)
    elif not (label_map == Label.BACKGROUND).any():
        merit = depth(truth <= ExactAnnotator.background)
    else:
        merit = np.asarray(cv2.GaussianBlur((alpha - truth) ** 2, (0, 0), sigmaX=side / 2), np.float32)
    merit[~is_askable(truth, label_map, side)] = -1
    y, x = np.unravel_index(int(np.argmax(merit)), merit.shape)
    return Region(int(y), int(x), side)


def is_askable(truth: Alpha, label_map: LabelMap, side: int) -> NDArray[np.bool_]:
    """Mask, bool `(H, W)`, of unlabelled centres whose whole region lies inside the image and is pure.

    Where there is none, of all centres whose region lies inside the image.
    """
    lowest, highest = extremes_around(truth, side)
    is_pure = (lowest >= ExactAnnotator.foreground) | (highest <= ExactAnnotator.background)
    inside = np.zeros(truth.shape, dtype=bool)
    after = side - side // 2 - 1
    inside[side // 2 : truth.shape[0] - after, side // 2 : truth.shape[1] - after] = True
    askable = is_pure & inside & (label_map == Label.UNLABELLED)
    return askable if askable.any() else inside


def extremes_around(truth: Alpha, side: int) -> tuple[Alpha, Alpha]:
    """The lowest and the highest alpha of the region around each pixel, float32 `(H, W)` each; where it reaches beyond
    the image, of what lies inside."""
    window, anchor = np.ones((side, side), dtype=np.uint8), (side // 2, side // 2)
    lowest, highest = (
        np.asarray(extreme(truth, window, anchor=anchor, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)
        for extreme in (cv2.erode, cv2.dilate)
    )
    return lowest, highest
