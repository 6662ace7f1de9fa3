"""What a user might have said of an image whose alpha is known: trimaps, hints and patches, as label maps."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.annotators import ExactAnnotator
from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region
from active_matting.types import Alpha, Label, LabelMap

_PURE_FOREGROUND, _PURE_BACKGROUND = 0.98, 0.02  # the annotators' thresholds

_STRETCH = 1.02  # how much longer a way of OpenCV's steps may be than the straight line


def random_trimap(
    alpha: Alpha, rng: np.random.Generator, reach: tuple[int, int] = (3, 25), tolerance: float = 0.0
) -> LabelMap:
    """Foreground and background, each eroded by a disc; int8 `(H, W)`, what is unknown being unlabelled.

    The discs' radii are drawn evenly from `reach`, pixels, each for itself (thesis, sec. 4.3.6: 3 to 25 pixels).
    Unknown are all pixels of 0 < alpha < 1 and those within the radius of one that is not wholly of their class.
    tolerance: by how much an alpha may differ from 1 or 0 and still be so, below 0.5: of mattes that were measured or
    predicted, whole objects hardly ever are. `active_matting.labels.to_trimap` makes a float trimap of it. Raises
    `InvalidArgumentError`.
    """
    check_trimap_arguments(reach, tolerance)
    radii = rng.integers(reach[0], reach[1] + 1, size=2)
    label_map = np.zeros(alpha.shape, dtype=np.int8)
    label_map[_room(alpha >= 1 - tolerance) > radii[0]] = Label.FOREGROUND
    label_map[_room(alpha <= tolerance) > radii[1]] = Label.BACKGROUND
    return label_map


def check_trimap_arguments(reach: Sequence[int], tolerance: float) -> None:
    """Raises `InvalidArgumentError` for what `random_trimap` does not take, for those who draw later."""
    if len(reach) != 2 or not 0 <= reach[0] <= reach[1]:
        raise InvalidArgumentError(f"reach must be two numbers of pixels in order, got {tuple(reach)}")
    if not 0 <= tolerance < 0.5:
        raise InvalidArgumentError(f"tolerance must lie in [0, 0.5), got {tolerance}")


def random_hints(alpha: Alpha, rng: np.random.Generator, probability: float = 1 / 6, radius: int = 15) -> LabelMap:
    """Discs that are wholly foreground or background; int8 `(H, W)`, unlabelled elsewhere.

    As many as a geometric distribution gives, from none on, five on average (Wei et al., CVPR 2021, sec. 3.2: p = 1/6,
    radius 15 pixels); which class is a coin's toss while both are there, and where in it is drawn evenly. The paper
    does not say what a disc over an edge tells: here none reaches over one, lest it say what is not so; a class without
    room for a whole disc is told by the largest that fits. The image's edge may cut a disc.
    Pure is an alpha ≥ 0.98 or ≤ 0.02, as for the annotators. Raises `InvalidArgumentError`.
    """
    if radius < 0:
        raise InvalidArgumentError(f"radius must be at least 0 pixels, got {radius}")
    count = _draw_count(rng, probability)
    label_map = np.zeros(alpha.shape, dtype=np.int8)
    rooms = {Label.FOREGROUND: alpha >= _PURE_FOREGROUND, Label.BACKGROUND: alpha <= _PURE_BACKGROUND}
    classes = [label for label, is_pure in rooms.items() if is_pure.any()]
    if not count or not classes:
        return label_map
    places = {label: _disc_places(rooms[label], radius) for label in classes}
    for _ in range(count):
        label = classes[int(rng.integers(len(classes)))]
        centres, fitting = places[label]
        y, x = divmod(int(centres[int(rng.integers(len(centres)))]), alpha.shape[1])
        _draw_disc(label_map, y, x, fitting, label)
    return label_map


def random_patches(alpha: Alpha, rng: np.random.Generator, probability: float = 1 / 6, side: int = 15) -> LabelMap:
    """The user map of dugMatting, app. B.1: squares anywhere; int8 `(H, W)`, unlabelled elsewhere.

    As many as a geometric distribution gives, from none on, since its networks also learn from an empty map (sec. 3.5);
    each is foreground, background or transition, as the exact annotator answers. (The paper writes a transition as 0.5;
    here it is `Label.TRANSITION`.) Raises `InvalidArgumentError`, also where no square fits.
    """
    if not 1 <= side <= min(alpha.shape):
        raise InvalidArgumentError(f"side must be from 1 to {min(alpha.shape)} pixels, got {side}")
    count = _draw_count(rng, probability)
    label_map = np.zeros(alpha.shape, dtype=np.int8)
    annotator = ExactAnnotator(alpha)
    for _ in range(count):
        top, left = (int(rng.integers(extent - side + 1)) for extent in alpha.shape)
        region = Region(top + side // 2, left + side // 2, side)
        label_map[region.slices] = annotator.answer(region)
    return label_map


def _draw_count(rng: np.random.Generator, probability: float) -> int:
    """0 with `probability`, and so on; (1 − p) / p on average."""
    if not 0 < probability <= 1:
        raise InvalidArgumentError(f"probability must lie in (0, 1], got {probability}")
    return int(rng.geometric(probability)) - 1


def _room(is_pure: NDArray[np.bool_]) -> NDArray[np.float32]:
    """A bound from below on each pixel's distance to the nearest that is not pure; at most 4 % less, infinite if none.

    By steps of lengths that OpenCV takes for 1, √2 and √5; several times faster than the true distance.
    """
    if is_pure.all():
        return np.full(is_pure.shape, np.inf, dtype=np.float32)
    distance = cv2.distanceTransform(is_pure.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(distance / np.float32(_STRETCH), dtype=np.float32)


def _disc_places(is_pure: NDArray[np.bool_], radius: int) -> tuple[NDArray[np.intp], int]:
    """Flat indices of where discs may lie, and the radius with which they do."""
    room = _room(is_pure)
    centres = np.flatnonzero(room > radius)
    if len(centres):
        return centres, radius
    most = room.max()
    return np.flatnonzero(room == most), int(np.ceil(most)) - 1


def _draw_disc(label_map: LabelMap, y: int, x: int, radius: int, label: Label) -> None:
    """As `active_matting.labels.record` draws a click, but in place."""
    h, w = label_map.shape
    rows, columns = np.ogrid[max(0, y - radius) : min(h, y + radius + 1), max(0, x - radius) : min(w, x + radius + 1)]
    is_inside = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    label_map[rows[0, 0] : rows[-1, 0] + 1, columns[0, 0] : columns[0, -1] + 1][is_inside] = label
