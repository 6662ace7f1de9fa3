"""The robot of the thesis' chapter 3, for selections: clicks into the largest region that is wrong."""

import numpy as np

from active_matting.robots.mistakes import Mistake, heaviest_mistake
from active_matting.types import Alpha


def largest_region(alpha: Alpha, truth: Alpha) -> Mistake | None:
    """The largest connected region, by its pixels, on the wrong side (Forte's thesis, sec. 3.2.2, algorithm 1).

    alpha, truth: float32 `(H, W)` in [0, 1]. A pixel is selected where alpha is 0.5 or more, and wrong where truth is
    exactly 0 or 1 and says otherwise, as in the authors' released code; other pixels, such as those a mask marks to be
    ignored, never count. For the first click alpha is zero throughout. None where nothing is wrong.
    """
    is_selected = alpha >= np.float32(0.5)
    return heaviest_mistake(is_missed=(truth == 1) & ~is_selected, is_spurious=(truth == 0) & is_selected)
