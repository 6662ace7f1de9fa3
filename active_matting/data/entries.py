"""What a listed sample is made of: which files, and how they become an image with its alpha."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from active_matting.data.images import read_alpha, read_image, read_objects, read_trimap, to_bytes
from active_matting.data.samples import Sample
from active_matting.errors import SizeMismatchError
from active_matting.types import Alpha, Image, Trimap

VOID = 255
"""The number by which maps of objects mark pixels that belong to none and to no background."""


class Truth(Protocol):
    """Where the alpha of a sample comes from."""

    @property
    def path(self) -> Path: ...

    def read(self) -> Alpha:
        """Float32 `(H, W)` in [0, 1]. Raises `FileError`."""


class Entry(Protocol):
    """A sample that is read when it is asked for."""

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """All files it needs."""

    def read(self) -> Sample:
        """Raises `FileError`, and of it `SizeMismatchError` where two of its pictures differ in size."""


@dataclass(frozen=True)
class Matte:
    """A greyscale picture: an alpha, or a mask whose greys count as alphas."""

    path: Path

    def read(self) -> Alpha:
        return read_alpha(self.path)


@dataclass(frozen=True)
class AnyObject:
    """A picture of objects on black: 1 wherever it is not black."""

    path: Path

    def read(self) -> Alpha:
        return np.where((read_image(self.path, ignore_opacity=True) > 0).any(axis=2), np.float32(1), np.float32(0))


@dataclass(frozen=True)
class OneObject:
    """One object of a map of numbered objects: 1 there, 0.5 where the map says void (255), 0 elsewhere."""

    path: Path
    number: int
    read_map: Callable[[Path], NDArray[Any]] = read_objects

    def read(self) -> Alpha:
        numbers = self.read_map(self.path)
        return np.where(numbers == self.number, 1, np.where(numbers == VOID, 0.5, 0)).astype(np.float32)


@dataclass(frozen=True)
class Pair:
    """A picture beside its alpha, and beside a trimap where there is one."""

    name: str
    image: Path
    truth: Truth
    trimap: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.image, self.truth.path) + (() if self.trimap is None else (self.trimap,))

    def read(self) -> Sample:
        image = read_image(self.image)
        alpha = _same_size(self.truth.read(), self.truth.path, image, self.image)
        return Sample(self.name, image, alpha, _trimap_of(self.trimap, image, self.image))


@dataclass(frozen=True)
class Composite:
    """A foreground put over a background as the script of the Composition-1k set does it, to the last bit.

    A background smaller than the foreground is enlarged until it covers it, bicubically, and its upper left part is
    taken; all are of 8 bits, and the sums are cut down to whole levels, not rounded. What opacity the foreground's
    file has is not used.
    """

    name: str
    foreground: Path
    alpha: Path
    background: Path
    trimap: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.foreground, self.alpha, self.background) + (() if self.trimap is None else (self.trimap,))

    def read(self) -> Sample:
        foreground = read_image(self.foreground, ignore_opacity=True)
        alpha = to_bytes(_same_size(read_alpha(self.alpha), self.alpha, foreground, self.foreground))
        backdrop = _covering(to_bytes(read_image(self.background)), alpha.shape)
        opacity = alpha[..., None] / 255
        summed = opacity * to_bytes(foreground) + (1 - opacity) * backdrop
        image = summed.astype(np.uint8).astype(np.float32) / np.float32(255)
        trimap = _trimap_of(self.trimap, image, self.foreground)
        return Sample(self.name, image, alpha.astype(np.float32) / np.float32(255), trimap)


def _covering(picture: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(H, W, 3) of at least `shape`, cut to it; see `Composite`."""
    height, width = picture.shape[:2]
    ratio = max(shape[0] / height, shape[1] / width)
    if ratio > 1:
        larger = math.ceil(width * ratio), math.ceil(height * ratio)
        picture = np.asarray(Pillow.fromarray(picture).resize(larger, Pillow.Resampling.BICUBIC))
    return picture[: shape[0], : shape[1]]


def _trimap_of(path: Path | None, image: Image, image_path: Path) -> Trimap | None:
    return None if path is None else _same_size(read_trimap(path), path, image, image_path)


def _same_size(plane: Alpha, path: Path, image: Image, image_path: Path) -> Alpha:
    if plane.shape != image.shape[:2]:
        height, width = image.shape[:2]
        words = (
            f"{path} must have the size of {image_path.name}, {width}×{height}, got {plane.shape[1]}×{plane.shape[0]}"
        )
        is_turned = plane.shape == (width, height)
        raise SizeMismatchError(words + "; perhaps one of them is turned by its EXIF data" * is_turned)
    return plane
