"""What composites are made of: objects with colours that may be resampled, and scenes; read once and kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.checks import check_integer
from active_matting.data.folder import Cutouts, Folder
from active_matting.data.images import SUFFIXES, read_image
from active_matting.data.listed import pictures_below
from active_matting.data.own_colours import own_colours
from active_matting.errors import FileError
from active_matting.recent import Recent
from active_matting.types import Alpha, Image

HELD_OUT = 5
"""Every fifth picture of every folder, from the first on, is kept from training."""

_FAINT = 0.1
_MARGIN = 16  # pixels around an object, in which its colours become smooth before they are repeated without end
_SMALLEST_LEVEL = 32  # pixels of the longer side


class Cutout(NamedTuple):
    """An object at several sizes, each half as large as the one before.

    levels: uint8 `(H, W, 4)`, colours not multiplied by alpha, and alpha, with a margin of one pixel whose alpha is 0:
    warped with the border repeated, the object ends where its picture does while its colours go on. shape: the first
    level's `(H, W)` without the margin. unknown: `(N, 2)`, its pixels (y, x) of 0 < alpha < 1, or else of its outline.
    is_cut: by the picture's top and bottom, left and right.
    """

    name: str
    levels: tuple[NDArray[np.uint8], ...]
    shape: tuple[int, int]
    unknown: NDArray[np.intp]
    is_cut: tuple[tuple[bool, bool], tuple[bool, bool]]


def extend_foreground(colours: Image, alpha: Alpha) -> Image:
    """A cut-out's colours, float32 `(H, W, 3)` in [0, 1], continued to where it is transparent.

    Files hold anything where alpha is 0, and resizing or turning them spills it into what is seen (thesis, sec. 4.3.5
    and fig. 4.4). What is there is therefore estimated anew, by Germer et al. (ICPR 2020) where the thesis uses
    Levin's method. Colours stay as they are where alpha ≥ 0.1; below, where 8 bits hold little of what is seen, they
    come nearer to the estimate the fainter they are. It takes long: keep what it returns. For photographs, whose
    colours are mixed with the background's, see `active_matting.data.own_colours.own_colours`.
    colours: float32 `(H, W, 3)`; alpha: float32 `(H, W)`.
    """
    over_black = alpha[..., None] * colours  # a composite whose background is known and flat
    trust = np.minimum(alpha / np.float32(_FAINT), 1)[..., None]
    return np.asarray(trust * colours + (1 - trust) * own_colours(over_black, alpha), dtype=np.float32)


def make_cutout(name: str, colours: Image, alpha: Alpha) -> Cutout:
    """The object of `colours`, float32 `(H, W, 3)`, right everywhere, and `alpha`, `(H, W)`, not 0 everywhere."""
    filled = [np.flatnonzero((alpha > 0).any(axis=axis)) for axis in (1, 0)]
    box = tuple(slice(max(0, lines[0] - _MARGIN), lines[-1] + 1 + _MARGIN) for lines in filled)
    edges = ((alpha[0], alpha[-1]), (alpha[:, 0], alpha[:, -1]))
    is_cut = tuple((bool(low.max() >= 0.5), bool(high.max() >= 0.5)) for low, high in edges)
    level = np.rint(255 * np.dstack([colours, alpha])[box]).astype(np.uint8)
    shape = level.shape[0], level.shape[1]
    unknown = _unknown_pixels(level[..., 3])
    levels = [_with_margin(level)]
    while max(level.shape) >= 2 * _SMALLEST_LEVEL and min(level.shape[:2]) > 1:
        height, width = level.shape[0] // 2, level.shape[1] // 2
        level = np.asarray(cv2.resize(level, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        levels.append(_with_margin(level))
    return Cutout(name, tuple(levels), shape, unknown, (is_cut[0], is_cut[1]))


@dataclass(frozen=True)
class Objects:
    """Objects out of folders, extended by `extend_foreground`, and kept once they were needed.

    folders: each of RGBA cut-outs, or of `images/` and `alphas/` or `masks/`. held_out: only every fifth of each
    folder (True), only the others (False), or all. longest: objects are shrunk to that many pixels each way.
    cache_bytes: the least recently used are forgotten beyond it; then their colours, which take up to a second, are
    estimated again. Raises `FileError` where a folder is missing or empty, `InvalidArgumentError`; and, when that
    object is asked for, `FileError` where its file cannot be read or has no alpha above 0.
    """

    folders: Sequence[str]
    held_out: bool | None = None
    longest: int = 800
    cache_bytes: int = 1 << 30
    _places: list[tuple[Cutouts | Folder, int]] = field(init=False, repr=False, compare=False)
    _kept: Recent = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_integer("longest", self.longest, at_least=1)
        check_integer("cache_bytes", self.cache_bytes, at_least=0)
        roots = [Path(folder).absolute() for folder in _as_folders(self.folders)]
        sources = [Folder(str(root)) if (root / "images").is_dir() else Cutouts(str(root)) for root in roots]
        places = [(source, i) for source in sources for i in range(len(source)) if _is_chosen(i, self.held_out)]
        if not places:
            raise FileError(f"no objects in {list(self.folders)} with held_out={self.held_out}")
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_kept", Recent(self.cache_bytes))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Cutout:
        return self._kept.get(index, lambda: self._read(*self._places[index]), _bytes_of)  # type: ignore[no-any-return]

    def _read(self, source: Cutouts | Folder, index: int) -> Cutout:
        if isinstance(source, Cutouts):
            name, colours, alpha = source.parts(index)
        else:
            sample = source[index]
            name, colours, alpha = sample.name, sample.image, sample.alpha
        if np.rint(255 * alpha).max() == 0:
            raise FileError(f"{name} in {source.path} has no object: its alpha is 0 everywhere")
        shrink = min(1.0, self.longest / max(alpha.shape))
        height, width = (max(1, round(extent * shrink)) for extent in alpha.shape)
        if isinstance(source, Folder):
            colours, alpha = _shrunk(colours, height, width), _shrunk(alpha, height, width)
            return make_cutout(name, own_colours(colours, alpha), alpha)
        seen, alpha = _shrunk(alpha[..., None] * colours, height, width), _shrunk(alpha, height, width)
        colours = np.clip(seen / np.maximum(alpha, 1e-12)[..., None], 0, 1)
        return make_cutout(name, extend_foreground(colours, alpha), alpha)


@dataclass(frozen=True)
class Scenes:
    """Pictures to put objects over, uint8 `(H, W, 3)`, out of folders and those below, kept once they were needed.

    held_out, cache_bytes: as in `Objects`, every fifth being counted over all folders. Raises `FileError`,
    `InvalidArgumentError`.
    """

    folders: Sequence[str]
    held_out: bool | None = None
    cache_bytes: int = 1 << 29
    _paths: list[Path] = field(init=False, repr=False, compare=False)
    _kept: Recent = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_integer("cache_bytes", self.cache_bytes, at_least=0)
        paths = [path.absolute() for folder in _as_folders(self.folders) for path in pictures_below(folder)]
        chosen = [path for i, path in enumerate(paths) if _is_chosen(i, self.held_out)]
        if not chosen:
            raise FileError(f"no pictures ({', '.join(SUFFIXES)}) in {list(self.folders)}, held_out={self.held_out}")
        object.__setattr__(self, "_paths", chosen)
        object.__setattr__(self, "_kept", Recent(self.cache_bytes))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._kept.get(  # type: ignore[no-any-return]
            index, lambda: np.rint(255 * read_image(self._paths[index])).astype(np.uint8), lambda scene: scene.nbytes
        )


def _as_folders(folders: Sequence[str]) -> Sequence[str]:
    return [folders] if isinstance(folders, str | Path) else folders


def _is_chosen(index: int, held_out: bool | None) -> bool:
    return held_out is None or (index % HELD_OUT == 0) == held_out


def _bytes_of(cutout: Cutout) -> int:
    return sum(level.nbytes for level in cutout.levels) + cutout.unknown.nbytes


def _unknown_pixels(alpha: NDArray[np.uint8]) -> NDArray[np.intp]:
    is_unknown = (alpha > 0) & (alpha < 255)
    if not is_unknown.any():
        is_unknown = cv2.dilate(alpha, np.ones((3, 3), np.uint8)) != cv2.erode(alpha, np.ones((3, 3), np.uint8))
    pixels = np.argwhere(is_unknown if is_unknown.any() else alpha > 0)
    return pixels[:: max(1, len(pixels) // 20_000)]  # more of them only take memory


def _with_margin(level: NDArray[np.uint8]) -> NDArray[np.uint8]:
    wide = np.pad(level, ((1, 1), (1, 1), (0, 0)), mode="edge")
    for edge in (wide[0], wide[-1], wide[:, 0], wide[:, -1]):
        edge[:, 3] = 0
    wide.setflags(write=False)  # it is shared
    return wide


def _shrunk(plane: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    return np.clip(np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA), np.float32), 0, 1)
