"""Photographs as backgrounds."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.data.backgrounds import Palette
from active_matting.data.images import SUFFIXES, read_image
from active_matting.data.listed import pictures_below
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.types import Image


def find_scenes(folder: Any) -> tuple[Path, ...]:
    """The pictures in a folder and those below; none where `folder` is None.

    Raises `InvalidArgumentError` for what is no path, `FileError` where the folder is missing or holds no pictures.
    """
    if folder is None:
        return ()
    if not isinstance(folder, str | Path):
        raise InvalidArgumentError(f"backgrounds must be the path of a folder or None, got {folder!r}")
    scenes = tuple(pictures_below(Path(folder).absolute()))  # what was found is remembered, wherever one goes
    if not scenes:
        raise FileError(f"{folder} and the folders below hold no pictures ({', '.join(SUFFIXES)})")
    return scenes


def draw_scene(scenes: tuple[Path, ...], size: int, rng: np.random.Generator) -> tuple[str, Image]:
    """A picture's name, and a square out of it, at least half as high and wide as it may be, at times mirrored.

    The square is float32 `(size, size, 3)` in [0, 1]. Raises `FileError` where the picture cannot be read.
    """
    path = scenes[int(rng.integers(len(scenes)))]
    picture = read_image(path)
    side = max(1, round(min(picture.shape[:2]) * rng.uniform(0.5, 1)))
    y, x = (int(rng.integers(extent - side + 1)) for extent in picture.shape[:2])
    square = picture[y : y + side, x : x + side]
    return path.stem, resized(square[:, ::-1] if rng.random() < 0.5 else square, size, size)


def palette_of(picture: Image, rng: np.random.Generator, colours: int = 4) -> Palette:
    """Colours of places in a picture `(H, W, 3)`, averaged over ninths of its height and width, dark to bright."""
    coarse = resized(picture, 9, 9).reshape(-1, 3)
    chosen = coarse[rng.choice(len(coarse), colours, replace=False)]
    return np.asarray(chosen[np.argsort(chosen.sum(axis=1), kind="stable")], dtype=np.float32)


def resized(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(H, W, ...) by means of non-negative weights, so that nothing leaves its range."""
    is_smaller = height <= plane.shape[0] and width <= plane.shape[1]
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    smaller = cv2.resize(np.ascontiguousarray(plane), (width, height), interpolation=how)
    return np.clip(np.asarray(smaller, dtype=np.float32), 0, 1)
