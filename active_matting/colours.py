"""Foreground and background colours for any solver's matte."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import active_matting.compiled  # noqa: F401  (before pymatting's kernels, so that they can be kept)
from active_matting.solvers.base import Matte
from active_matting.types import Image, check_alpha, check_image


def estimate_colours(image: Image, matte: Matte) -> Matte:
    """The matte with foreground and background, float32 `(H, W, 3)` in [0, 1], that make up the image.

    They are smooth, and alpha · foreground + (1 - alpha) · background comes near to the image; found level by level
    from small to large (Germer et al., "Fast Multi-Level Foreground Estimation", ICPR 2020, as pymatting has it).
    Where alpha is 1 the foreground is the image itself, where it is 0 the background is. Colours that a solver has
    found itself are replaced. image: float32 `(H, W, 3)` in [0, 1]; the matte's alpha: `(H, W)`. Raises
    `InvalidArrayError`.
    """
    from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml

    image = check_image(image)
    alpha = check_alpha(matte.alpha, image.shape[:2])
    if alpha.size == 1:  # pymatting's levels begin with a pixel and need a second
        return replace(matte, foreground=image.copy(), background=image.copy())
    estimated = estimate_foreground_ml(image.astype(np.float64), alpha.astype(np.float64), return_background=True)
    foreground, background = (np.clip(colours, 0, 1).astype(np.float32) for colours in estimated)
    foreground[alpha == 1], background[alpha == 0] = image[alpha == 1], image[alpha == 0]
    return replace(matte, foreground=foreground, background=background)


def cut_out(image: Image, matte: Matte) -> NDArray[np.float32]:
    """The object, to be put over anything: RGBA, float32 `(H, W, 4)` in [0, 1], colours not multiplied by alpha.

    The colours are the foreground's: the solver's own where it knows them, else of `estimate_colours`. The image's, in
    which the background shines through, would leave a halo. image: float32 `(H, W, 3)`. Raises `InvalidArrayError`.
    """
    if matte.foreground is None:
        matte = estimate_colours(image, matte)
    assert matte.foreground is not None
    return np.dstack([matte.foreground, matte.alpha])
