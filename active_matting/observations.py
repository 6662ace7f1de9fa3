"""What an agent sees, the same in the environment and in a session with a person."""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.images import to_bytes
from active_matting.types import Alpha, Image, Label, LabelMap

Observation: TypeAlias = dict[str, NDArray[Any]]

GREY_OF_LABEL = {
    Label.BACKGROUND: 0,
    Label.UNLABELLED: 128,
    Label.TRANSITION: 192,
    Label.FOREGROUND: 255,
}
_GREYS = np.zeros(256, dtype=np.uint8)  # by a label's byte
for _label, _grey in GREY_OF_LABEL.items():
    _GREYS[_label % 256] = _grey


def image_planes(image: Image) -> NDArray[np.uint8]:
    """The image, float32 `(H, W, 3)`, as an agent sees it: uint8 `(3, H, W)`."""
    return np.ascontiguousarray(to_bytes(image).transpose(2, 0, 1))


def greys_of(label_map: LabelMap) -> NDArray[np.uint8]:
    """Labels, int8 `(H, W)`, as levels of `GREY_OF_LABEL`, uint8 `(H, W)`."""
    return np.asarray(cv2.LUT(label_map.view(np.uint8), _GREYS), dtype=np.uint8)


def observe(
    planes: NDArray[np.uint8],
    label_map: LabelMap,
    alpha: Alpha,
    location: NDArray[np.float32],
    remaining: float,
) -> Observation:
    """One observation; every array in it but `image` is new.

    - `image`: uint8 `(3, H, W)`, sRGB; the given `planes`.
    - `label_map`: uint8 `(1, H, W)`, levels of `GREY_OF_LABEL`.
    - `matte`: uint8 `(1, H, W)`, the current alpha.
    - `location`: float32 `(2,)`, centre `(y, x)` of the latest region as an action in [-1, 1]²; 0 before the first.
    - `remaining`: float32 `(1,)`, the part of the query budget that is left, in [0, 1].
    """
    return {
        "image": planes,
        "label_map": greys_of(label_map)[None],
        "matte": to_bytes(alpha)[None],
        "location": np.array(location, dtype=np.float32),
        "remaining": np.array([remaining], dtype=np.float32),
    }
