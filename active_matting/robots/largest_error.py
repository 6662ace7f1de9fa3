"""The robot of the thesis' chapter 5, for mattes: clicks into the region with the largest error."""

import numpy as np

from active_matting.robots.mistakes import Mistake, heaviest_mistake
from active_matting.types import Alpha


def largest_error(alpha: Alpha, truth: Alpha, tolerance: float = 0.0) -> Mistake | None:
    """The connected region of pure pixels with the largest sum of squared errors (Forte's thesis, sec. 5.2.2).

    alpha, truth: float32 `(H, W)` in [0, 1]. A pixel is wrong where truth is 1 and alpha below 1 - tolerance, or truth
    is 0 and alpha above tolerance. As published the tolerance is 0, so that the smallest error counts, and joins
    regions; half a level of 8 bits, 0.5 / 255, passes over what no picture could show. For the first click alpha is
    zero throughout. None where nothing is wrong.
    """
    is_missed = (truth == 1) & (alpha < 1 - tolerance)
    is_spurious = (truth == 0) & (alpha > tolerance)
    return heaviest_mistake(is_missed, is_spurious, weights=np.square(alpha - truth))
