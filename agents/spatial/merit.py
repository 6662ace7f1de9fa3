"""What the error-seeking robot sees, square by square."""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.agents.spatial.grid import Grid
from active_matting.annotators import ExactAnnotator
from active_matting.robots.depth import depth
from active_matting.types import Alpha, Label, LabelMap


def merits(truth: Alpha, alpha: Alpha, label_map: LabelMap, grid: Grid) -> NDArray[np.float64]:
    """How worth while each square is, float64 (squares,), if it is pure, as `robots.most_wrong_region` sees it.

    truth, alpha: float32 (H, W); label_map: int8 (H, W). The squared error, blurred by a Gaussian of half a cell's
    side, at the square's centre. Until both classes are told all places are as wrong: then it is the distance to the
    boundary of the foreground, or, once that was told, of the background; 0 outside of it.
    """
    if not (label_map == Label.FOREGROUND).any():
        plane = depth(truth >= ExactAnnotator.foreground)
    elif not (label_map == Label.BACKGROUND).any():
        plane = depth(truth <= ExactAnnotator.background)
    else:
        plane = np.asarray(cv2.GaussianBlur((alpha - truth) ** 2, (0, 0), sigmaX=grid.side / 2), np.float32)
    return plane[np.ix_(*grid.centres())].ravel().astype(np.float64)
