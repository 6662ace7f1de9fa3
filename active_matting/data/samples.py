"""One image with its true alpha, and what a source of them is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.types import Alpha, Image, Trimap, check_alpha, check_image


@dataclass(frozen=True)
class Sample:
    """An image with its true alpha, and a trimap where the data set has one.

    image: float32 `(H, W, 3)`; alpha: float32 `(H, W)`; trimap: float32 `(H, W)`, 0 / 0.5 / 1.
    Raises `InvalidArrayError` where the shapes differ or a value lies outside [0, 1].
    """

    name: str
    image: Image
    alpha: Alpha
    trimap: Trimap | None = None

    def __post_init__(self) -> None:
        image = check_image(self.image)
        object.__setattr__(self, "image", image)
        object.__setattr__(self, "alpha", check_alpha(self.alpha, image.shape[:2]))
        if self.trimap is not None:
            object.__setattr__(self, "trimap", check_alpha(self.trimap, image.shape[:2], "trimap"))

    @property
    def shape(self) -> tuple[int, int]:
        """The image's `(H, W)`."""
        height, width = self.alpha.shape
        return height, width

    def resized(self, size: int) -> "Sample":
        """This sample at `size` × `size` pixels: image and alpha by area, the trimap by nearest neighbour."""
        if size < 1:
            raise InvalidArgumentError(f"image_size must be at least 1, got {size}")
        if self.shape == (size, size):
            return self
        trimap = self.trimap
        if trimap is not None:
            trimap = cv2.resize(trimap, (size, size), interpolation=cv2.INTER_NEAREST).astype(np.float32)
        return replace(
            self,
            image=np.clip(cv2.resize(self.image, (size, size), interpolation=cv2.INTER_AREA), 0, 1),
            alpha=np.clip(cv2.resize(self.alpha, (size, size), interpolation=cv2.INTER_AREA), 0, 1),
            trimap=trimap,
        )


class DataSource(Protocol):
    """A fixed, indexable list of samples; the same index gives the same sample every time."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Raises `IndexError` outside `range(len(self))`."""

    def __iter__(self) -> Iterator[Sample]: ...


class FingerprintedSource(DataSource, Protocol):
    """A source that can tell, without making a sample, whether it is still the same one; `Cached` needs it."""

    def fingerprint(self, index: int) -> str:
        """A text that differs whenever the sample does: a hash of the files' contents and of what is done to them.

        Raises `IndexError` as `__getitem__` does, and `FileError` where a file cannot be read.
        """
