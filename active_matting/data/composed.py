"""Objects cut out of pictures and put over other backgrounds, made on demand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from active_matting.checks import check_integer
from active_matting.data.backgrounds import background, draw_palette
from active_matting.data.folder import Cutouts, Folder
from active_matting.data.own_colours import own_colours
from active_matting.data.rendered import SMALLEST_SIZE, Rendering, compose
from active_matting.data.samples import Sample
from active_matting.data.scenes import draw_scene, find_scenes, resized
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.types import Image


@dataclass(frozen=True)
class Composed:
    """A `DataSource` of single objects over backgrounds, `size` × `size` pixels, composed on the fly.

    foregrounds: a folder of RGBA cut-outs, or one of `images/` with `alphas/` or `masks/`, as `Folder` reads it, whose
    objects' own colours are estimated (as in `active_matting.colours`). backgrounds: a folder with pictures in it or
    in folders below; None for procedural ones. A sample depends on the files, `seed`, `size` and its index alone. Which
    object and which background, mirrored or not, how large, and where, is drawn; at least nine tenths of the object's
    height and width are in the frame, but one that its picture's edge cuts is cut there by the frame's edge, or beyond.
    Raises `InvalidArgumentError`; `FileError` where a folder is missing or holds no pictures and, when that sample is
    asked for, where a file cannot be read, is no cut-out, or has no alpha above 0.
    """

    foregrounds: str
    backgrounds: str | None = None
    count: int = 200
    size: int = 400
    seed: int = 0
    _objects: Folder | Cutouts = field(init=False, repr=False, compare=False)
    _scenes: tuple[Path, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_integer("count", self.count, at_least=1)
        check_integer("size", self.size, at_least=SMALLEST_SIZE)
        check_integer("seed", self.seed, at_least=0)
        if not isinstance(self.foregrounds, str | Path):
            raise InvalidArgumentError(f"foregrounds must be the path of a folder, got {self.foregrounds!r}")
        root = Path(self.foregrounds).absolute()  # what was found is remembered by it, wherever one goes
        objects = Folder(str(root)) if (root / "images").is_dir() else Cutouts(str(root))
        object.__setattr__(self, "_objects", objects)
        object.__setattr__(self, "_scenes", find_scenes(self.backgrounds))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        name, parts = self._compose(index)
        return Sample(name, parts.image, parts.alpha)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(self.count))

    def parts(self, index: int) -> Rendering:
        """What the sample is made of."""
        return self._compose(index)[1]

    def _compose(self, index: int) -> tuple[str, Rendering]:
        if not 0 <= index < self.count:
            raise IndexError(f"index must lie in [0, {self.count}), got {index}")
        rng = np.random.default_rng([self.seed, index])
        found = _find_object(self._objects, int(rng.integers(len(self._objects))), 2 * self.size)
        frame = _place(found, self.size, rng)  # (S, S, 4)
        alpha, colours = frame[..., 3], frame[..., :3]
        flat = colours.sum(axis=(0, 1)) / alpha.sum()
        foreground = np.where(alpha[..., None] > 0, colours / np.maximum(alpha, 1e-30)[..., None], flat)
        scene, backdrop = self._draw_scene(rng)
        return f"{index:04d}-{found.name}-over-{scene}", compose(alpha, foreground, backdrop)

    def _draw_scene(self, rng: np.random.Generator) -> tuple[str, Image]:
        """A background's name, and a square out of it, at least half as high and wide as it may be."""
        if not self._scenes:
            return "procedural", background(self.size, rng, draw_palette(rng))
        return draw_scene(self._scenes, self.size, rng)


class _Object(NamedTuple):
    name: str
    layer: NDArray[np.float32]  # (H, W, 4): colours times alpha, by which no other colour leaks in; and alpha
    is_cut: tuple[tuple[bool, bool], tuple[bool, bool]]  # by the picture's top and bottom, left and right


@lru_cache(maxsize=8)
def _find_object(source: Folder | Cutouts, index: int, longest: int) -> _Object:
    """One object, cropped to what is not wholly transparent, shrunk to at most `longest` pixels each way.

    The latest are kept, since their own colours take long: a file that changes meanwhile may still count as it was.
    """
    if isinstance(source, Cutouts):
        name, image, alpha = source.parts(index)
    else:
        sample = source[index]
        name, image, alpha = sample.name, sample.image, sample.alpha
    rows, columns = (np.flatnonzero((alpha > 0).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        raise FileError(f"{name} in {source.path} has no object: its alpha is 0 everywhere")
    edges = ((alpha[0], alpha[-1]), (alpha[:, 0], alpha[:, -1]))
    is_cut = tuple((bool(low.max() >= 0.5), bool(high.max() >= 0.5)) for low, high in edges)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    image, alpha = image[box], alpha[box]
    shrink = min(1.0, longest / max(alpha.shape))
    height, width = (max(1, round(extent * shrink)) for extent in alpha.shape)
    if isinstance(source, Cutouts):
        layer = resized(np.dstack([alpha[..., None] * image, alpha]), height, width)
    else:
        image, alpha = resized(image, height, width), resized(alpha, height, width)
        layer = np.dstack([alpha[..., None] * own_colours(image, alpha), alpha])
    layer.setflags(write=False)  # it is shared
    return _Object(name, layer, (is_cut[0], is_cut[1]))


def _place(found: _Object, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """The object's layer, (S, S, 4), resized and moved to somewhere in an empty frame, at times mirrored."""
    layer, (is_cut_y, is_cut_x) = found.layer, found.is_cut
    if rng.random() < 0.5:
        layer, is_cut_x = layer[:, ::-1], is_cut_x[::-1]
    longest = max(layer.shape[:2])
    scale = size * rng.uniform(0.5, 1) / longest
    for extent, is_cut in zip(layer.shape[:2], (is_cut_y, is_cut_x), strict=True):
        if all(is_cut) and longest <= 1.5 * extent:  # it spans the frame, unless too little of it were left in there
            scale = max(scale, size / extent)
    height, width = (max(1, round(extent * scale)) for extent in layer.shape[:2])
    top, left = _offset(height, size, is_cut_y, rng), _offset(width, size, is_cut_x, rng)
    frame = np.zeros((size, size, 4), dtype=np.float32)
    inside = frame[max(top, 0) : top + height, max(left, 0) : left + width]
    y, x = max(-top, 0), max(-left, 0)
    inside[:] = resized(layer, height, width)[y : y + inside.shape[0], x : x + inside.shape[1]]
    return frame


def _offset(extent: int, size: int, is_cut: tuple[bool, bool], rng: np.random.Generator) -> int:
    """The first row or column of an object of `extent` pixels in a frame of `size`."""
    low, high = sorted((-(extent // 10), size - extent + extent // 10))
    drawn = int(rng.integers(low, high + 1))
    if is_cut == (True, False):
        return min(0, size - extent)
    if is_cut == (False, True):
        return max(0, size - extent)
    return int(np.clip(drawn, size - extent, 0)) if all(is_cut) and extent >= size else drawn
