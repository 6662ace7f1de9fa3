"""Connected regions that are wrong throughout, and where one clicks to correct one."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.robots.depth import depth
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
    is_missed: NDArray[np.bool_], is_spurious: NDArray[np.bool_], weights: NDArray[np.float32] | None = None
) -> Mistake | None:
    """The 8-connected region of either mask, bool `(H, W)` each, with the largest sum of `weights`; None without any.

    is_missed: foreground that is not found; is_spurious: background that is taken for it. weights: float32 `(H, W)`, at
    least 0; None for a region's number of pixels. Ties are decided as in the published code where that decides them:
    between the classes it is the background, and between pixels equally far inside the first by row and column. Among
    equal regions of a class it is the one whose first pixel comes first.
    """
    found = [
        _heaviest_component(mask, label, weights)
        for label, mask in ((Label.BACKGROUND, is_spurious), (Label.FOREGROUND, is_missed))
    ]
    _, label, region = max(found, key=lambda each: each[0])  # the first of equals
    if region is None:
        return None
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    y, x = innermost(region[top : rows[-1] + 1, left : columns[-1] + 1])
    return Mistake(Place(top + y, left + x, label), region)


def innermost(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """The pixel `(y, x)` of a mask, bool `(H, W)`, that is farthest from any that is not of it, or outside the array.

    The first by row and column of several.
    """
    y, x = np.unravel_index(int(np.argmax(depth(mask))), mask.shape)
    return int(y), int(x)


def _heaviest_component(
    mask: NDArray[np.bool_], label: Label, weights: NDArray[np.float32] | None
) -> tuple[float, Label, NDArray[np.bool_] | None]:
    """Weight, label and pixels, bool (H, W), of a mask's heaviest component; -1 and None where the mask is empty."""
    count, numbers = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    if count == 1:
        return -1.0, label, None
    number_of = np.asarray(numbers, dtype=np.int32).ravel()
    totals = np.bincount(number_of) if weights is None else _sums(number_of, weights.ravel(), count)
    totals = totals[1:]  # what is not of the mask has number 0 and some weight too: it is not asked for
    is_best = totals == totals.max()
    best = 1 + int(is_best.argmax())
    if is_best.sum() > 1:  # OpenCV's numbers follow blocks of pixels, and may follow its threads
        best = int(number_of[np.append(False, is_best)[number_of].argmax()])
    return float(totals[best - 1]), label, np.asarray(numbers == best)


@njit(cache=True, nogil=True)
def _sums(numbers: NDArray[np.int32], weights: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """The sum of weights of each number: np.bincount in a third of its time, as neighbours mostly share theirs."""
    sums = np.zeros(count)
    total, last = 0.0, numbers[0]
    for i in range(len(numbers)):
        if numbers[i] != last:
            sums[last] += total
            total, last = 0.0, numbers[i]
        total += np.float64(weights[i])
    sums[last] += total
    return sums
