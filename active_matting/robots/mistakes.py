"""Connected regions that are wrong throughout, and where one clicks to correct one."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.types import Label


class Place(NamedTuple):
    """A click: where, in pixels, and what is said there."""

    y: int
    x: int
    label: Label


@dataclass(frozen=True)
class Mistake:
    """A region that is wrong throughout, and the click that corrects it.

    place: the pixel of it that is farthest from its boundary, the image's sides being boundary too, and the true class
    of all of it. region: bool `(H, W)`, its pixels.
    """

    place: Place
    region: NDArray[np.bool_]


def heaviest_mistake(
    is_missed: NDArray[np.bool_], is_spurious: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
) -> Mistake | None:
    """The 8-connected region of either mask, bool `(H, W)` each, with the largest sum of `weights`; None without any.

    is_missed: foreground that is not found; is_spurious: background that is taken for it. weights: float64 `(H, W)`, at
    least 0; None for a region's number of pixels. Ties are decided as in the published code where that decides them:
    between the classes it is the background, and between pixels equally far inside the first by row and column. Among
    equal regions of a class it is the one whose first pixel comes first.
    """
    numbers, first_missed, count = _numbered(is_spurious, is_missed)
    if count == 1:
        return None
    # What is wrong nowhere has number 0 and some weight too: of it nothing is asked.
    totals = np.bincount(numbers.ravel(), None if weights is None else weights.ravel(), minlength=count)
    is_best = totals == totals[1:].max()
    is_best[0] = False
    best = int(is_best.argmax())
    label = Label.BACKGROUND if best < first_missed else Label.FOREGROUND
    if label == Label.BACKGROUND:
        is_best[first_missed:] = False
    if is_best.sum() > 1:  # OpenCV's numbers follow blocks of pixels, and may follow its threads
        best = int(numbers.ravel()[is_best[numbers].argmax()])
    region = np.asarray(numbers == best)
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    y, x = innermost(region[top : rows[-1] + 1, left : columns[-1] + 1])
    return Mistake(Place(top + y, left + x, label), region)


def innermost(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel `(y, x)` of a mask, bool `(H, W)`, that is farthest from any that is not of it, or outside the array.

    The first by row and column of several.
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), mask.shape)
    return int(y), int(x)


def _numbered(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int, int]:
    """Components of two masks without a common pixel, numbered from 1 on; the number of the second's first, and of all.

    The last is one more than there are components, as 0 is what belongs to neither.
    """
    (count, numbers), (others, further) = (
        cv2.connectedComponents(mask.astype(np.uint8), connectivity=8) for mask in (first, second)
    )
    further += np.int32(count - 1) * second
    return np.add(numbers, further, dtype=np.int32), count, count + others - 1
