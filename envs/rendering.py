"""Pictures of a query loop in progress."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.images import to_bytes
from active_matting.labels import RegionAnswer
from active_matting.types import Alpha, Image, Label

COLOUR_OF_LABEL = {
    Label.FOREGROUND: (60, 200, 80),
    Label.BACKGROUND: (230, 70, 60),
    Label.TRANSITION: (240, 190, 40),
    Label.UNLABELLED: (150, 150, 150),
}


def draw_regions(image: Image, answers: Sequence[RegionAnswer], scale: int = 1) -> NDArray[np.uint8]:
    """The image, uint8 `(scale H, scale W, 3)`, with the asked regions outlined in the colour of their answer.

    Green is foreground, red background, yellow transition, grey not answered; the regions are numbered from 1 where
    they are large enough to hold a number.
    """
    height, width = image.shape[:2]
    size = (width * scale, height * scale)
    picture = cv2.resize(to_bytes(image), size, interpolation=cv2.INTER_NEAREST)
    for number, answer in enumerate(answers, start=1):
        region, colour = answer.region, COLOUR_OF_LABEL[answer.label]
        top, left, side = region.top * scale, region.left * scale, region.side * scale
        cv2.rectangle(picture, (left, top), (left + side - 1, top + side - 1), colour, thickness=max(1, side // 8))
        if side >= 16:
            place = (left + side // 6, top + side - side // 4)
            cv2.putText(picture, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, side / 60, colour, 1, cv2.LINE_AA)
    return np.asarray(picture, dtype=np.uint8)


def draw_progress(image: Image, answers: Sequence[RegionAnswer], alpha: Alpha, truth: Alpha) -> NDArray[np.uint8]:
    """Image with regions, matte, and absolute error, side by side: uint8 `(H, 3 W, 3)`."""
    panels = [draw_regions(image, answers), grey(alpha), grey(np.abs(alpha - truth))]
    return np.concatenate(panels, axis=1)


def grey(alpha: Alpha) -> NDArray[np.uint8]:
    """An alpha, `(H, W)` in [0, 1], as a picture, uint8 `(H, W, 3)`."""
    return np.repeat(to_bytes(alpha)[..., None], 3, axis=2)
