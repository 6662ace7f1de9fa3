"""What a network is shown: the image at a scale, padded to the network's stride, turned and mirrored."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.models.hints import marks_of
from active_matting.segmenters.base import resize_labels
from active_matting.solvers.network.loading import LoadedNetwork
from active_matting.types import Alpha, Image, LabelMap


class Turn(NamedTuple):
    """A mirroring along the rows, or none, and then so many quarter turns."""

    is_mirrored: bool
    quarters: int

    def show(self, planes: Tensor) -> Tensor:
        """`(N, C, H, W)` turned; by odd quarters `(N, C, W, H)`."""
        return torch.rot90(planes.flip(3) if self.is_mirrored else planes, self.quarters, (2, 3))

    def undo(self, planes: Tensor) -> Tensor:
        """What `show` made, as it was."""
        planes = torch.rot90(planes, -self.quarters, (2, 3))
        return planes.flip(3) if self.is_mirrored else planes


_EIGHT = tuple(Turn(is_mirrored, quarters) for is_mirrored in (False, True) for quarters in range(4))

AUGMENTATIONS: dict[int, tuple[tuple[float, ...], tuple[Turn, ...]]] = {
    1: ((1.0,), _EIGHT[:1]),
    2: ((1.0,), (_EIGHT[0], _EIGHT[4])),
    8: ((1.0,), _EIGHT),
    24: ((1.0, 0.75, 1.25), _EIGHT),
}
"""Levels of test-time augmentation (thesis, sec. 4.3.7, which gives no numbers): scales and turns, all combined."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """The image at one scale on the device, what is missing to the stride repeated from its last row and column."""

    shape: tuple[int, int]
    """Without the padding, `(h, w)`."""
    image: Tensor
    """`(1, 3, h', w')`, h' and w' multiples of the stride."""
    detailed: Tensor | None = None
    """The same as many times larger as the network's `detail` says, where that is more than 1."""

    @classmethod
    def of(cls, image: Image, shape: tuple[int, int], loaded: LoadedNetwork) -> "Canvas":
        """The image, float32 `(H, W, 3)`, with `shape` `(h, w)`."""

        def shown(times: int) -> Tensor:
            picture = np.moveaxis(resize_picture(image, (times * shape[0], times * shape[1])), 2, 0)
            return torch.from_numpy(_padded(picture, times * loaded.stride, "edge"))[None].to(loaded.device)

        detail = loaded.network.detail
        return cls(shape, shown(1), shown(detail) if detail > 1 else None)

    def planes(self, label_map: LabelMap, previous: Alpha | None, loaded: LoadedNetwork) -> Tensor:
        """Image, marks, hints and previous alpha, `(1, 12, h', w')`, for labels `(H, W)`.

        Nothing is told in the padding. The hints are those of the padded marks, so that they go on into it.
        """
        labels = label_map if label_map.shape == self.shape else resize_labels(label_map, self.shape)
        marks = _padded(marks_of(labels), loaded.stride, "constant")
        before = np.zeros(self.shape, dtype=np.float32) if previous is None else resize_picture(previous, self.shape)
        told = [marks, loaded.hints(marks), _padded(before[None], loaded.stride, "edge")]
        return torch.cat([self.image, torch.from_numpy(np.concatenate(told))[None].to(loaded.device)], dim=1)

    def cropped(self, planes: Tensor) -> Tensor:
        """Planes `(1, C, h', w')` without the padding."""
        return planes[:, :, : self.shape[0], : self.shape[1]]


def resize_picture(picture: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A picture `(H, W)` or `(H, W, C)` in [0, 1] with `shape` (h, w): means of areas where it shrinks, else linear."""
    if picture.shape[:2] == shape:
        return picture
    shrinks = shape[0] * shape[1] < picture.shape[0] * picture.shape[1]
    resized = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(np.clip(resized, 0, 1), dtype=np.float32)


def _padded(planes: NDArray[np.float32], stride: int, mode: str) -> NDArray[np.float32]:
    """Planes `(C, h, w)` with rows and columns added at their ends, to multiples of the stride."""
    missing = [(0, -side % stride) for side in planes.shape[1:]]
    return np.ascontiguousarray(np.pad(planes, [(0, 0), *missing], mode=mode))  # type: ignore[call-overload]
