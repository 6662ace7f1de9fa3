"""Photographs that are worked on at another size than their own."""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArrayError
from active_matting.solvers import Matte, make_solver
from active_matting.solvers.base import has_both_classes
from active_matting.types import Alpha, Image, Label, LabelMap, check_alpha, check_image, check_label_map

PURE = 0.1
"""An alpha this near to 0 or 1 is taken as that, in a smaller matte."""

MARGIN = 1
"""How far around an alpha in between, and around an outline, all is matted anew; pixels of the smaller matte."""

SHARE = 0.5
"""Of what is matted anew in the result; the rest is the smaller matte, whose errors are others."""


def shrink(picture: Image, longest: int) -> Image:
    """The picture, `(H, W)` or `(H, W, 3)`, with its longer side at most `longest` pixels, by area."""
    height, width = shrunk_shape(picture.shape, longest)
    return np.clip(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), 0, 1).astype(np.float32)


def shrunk_shape(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """`(H, W)` of what `shrink` makes of a picture of `shape`.

    >>> shrunk_shape((600, 800, 3), longest=400)
    (300, 400)
    """
    scale = min(1.0, longest / max(shape[:2]))
    height, width = (max(1, round(side * scale)) for side in shape[:2])
    return height, width


def enlarge(alpha: Alpha, shape: tuple[int, ...]) -> Alpha:
    """The alpha at `shape` (H, W, ...), linearly interpolated."""
    height, width = shape[:2]
    return np.clip(cv2.resize(alpha, (width, height)), 0, 1).astype(np.float32)


def matte_at_full_size(photograph: Image, alpha: Alpha, label_map: LabelMap, solver: str = "shared") -> Matte:
    """The matte of a photograph of which a smaller version was matted, with foreground and background colours.

    The smaller alpha makes a trimap, see `trimap_at`, which a local solver mattes at full size; the result is half of
    that and half of the enlarged alpha: each errs where the other does not, and their mean was better than either.
    What was labelled holds. Where the trimap lacks one of the classes there is nothing to matte from, and the alpha is
    enlarged.

    photograph: float32 `(H, W, 3)`; alpha, label_map: `(h, w)`, of `shrink(photograph, max(h, w))`. solver: a name.
    Raises `InvalidArrayError` where these do not belong together, `UnknownNameError`.
    """
    from active_matting.colours import estimate_colours  # loads pymatting

    photograph, alpha = check_image(photograph), check_alpha(alpha)
    label_map = check_label_map(label_map, alpha.shape)
    if shrunk_shape(photograph.shape, max(alpha.shape)) != alpha.shape:
        raise InvalidArrayError(
            f"photograph must be one that shrinks to the shape {alpha.shape}, got {photograph.shape[:2]}"
        )
    trimap = trimap_at(photograph.shape, alpha, label_map)
    full = enlarge(alpha, photograph.shape)
    if has_both_classes(trimap[None])[0]:
        anew = make_solver(solver).prepare(photograph).solve(trimap).alpha
        full = np.float32(SHARE) * anew + np.float32(1 - SHARE) * full
    told = _nearest(label_map, photograph.shape)
    full[told == Label.FOREGROUND], full[told == Label.BACKGROUND] = 1, 0
    return estimate_colours(photograph, Matte(full))


def trimap_at(shape: tuple[int, ...], alpha: Alpha, label_map: LabelMap) -> LabelMap:
    """The label map int8 `shape` (H, W), ... that an alpha and a label map `(h, w)` make: unlabelled where unknown.

    That is within `MARGIN` of an alpha that is neither 0 nor 1, see `PURE`, or of where it crosses 0.5; and where a
    transition was told. What was told foreground or background is that.
    """
    outline = cv2.morphologyEx((alpha >= 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    unknown = outline | ((alpha > PURE) & (alpha < 1 - PURE)).astype(np.uint8)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN + 1, 2 * MARGIN + 1))
    is_unknown = cv2.dilate(unknown, around) > 0
    known = np.where(is_unknown, Label.UNLABELLED, np.where(alpha >= 0.5, Label.FOREGROUND, Label.BACKGROUND))
    known = np.where(label_map == Label.UNLABELLED, known, label_map)
    return _nearest(np.where(label_map == Label.TRANSITION, Label.UNLABELLED, known).astype(np.int8), shape)


def _nearest(labels: NDArray[np.int8], shape: tuple[int, ...]) -> LabelMap:
    return np.asarray(cv2.resize(labels, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), dtype=np.int8)
