"""Pictures to fit a segmenter to, drawn at random: mattes, composites of them, renderings, and masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.augmentation.pictures import HELD_OUT
from active_matting.data.folder import Cutouts, Folder
from active_matting.data.images import read_cutout, read_image
from active_matting.data.listed import picture_files, pictures_below
from active_matting.data.rendered import Rendered
from active_matting.errors import FileError
from active_matting.types import Alpha, Image


@dataclass(frozen=True)
class Picture:
    """image: float32 (S, S, 3) in [0, 1]; alpha: float32 (S, S); is_soft: whether its edge is a true matte's."""

    image: Image
    alpha: Alpha
    is_soft: bool


@dataclass
class Pictures:
    """Draws pictures of `side` × `side` pixels.

    mattes: folders of `images/` and `alphas/`. masks: the same with hard masks, whose edges teach nothing. cutouts:
    folders of RGBA pictures. backgrounds: pictures to put cut-outs over. held_out: draw from what training never sees
    rather than from the rest. Raises `FileError` where a folder is missing or empty.
    """

    mattes: Sequence[Folder]
    masks: Sequence[Folder]
    cutouts: Sequence[Cutouts]
    backgrounds: Sequence[str]
    side: int = 400
    held_out: bool = False
    _foregrounds: dict[tuple[int, int], Image] = field(default_factory=dict, repr=False)

    def draw(self, rng: np.random.Generator) -> Picture:
        """One picture: 30 % masks; of the rest 40 % mattes as they are, 35 % over another background, 12 % cut-outs
        over a background, 13 % rendered; mirrored half of the time, figure and ground swapped in 15 %."""
        if self.masks and rng.random() < 0.3:
            folder = self.masks[int(rng.integers(len(self.masks)))]
            sample = folder[self._pick(len(folder), rng)]
            return self._turned(sample.image, sample.alpha, False, rng)
        kind = rng.choice(4, p=[0.4, 0.35, 0.12, 0.13])
        if kind == 2 and self.cutouts:
            image, alpha = self._cutout(rng)
        elif kind == 3:
            source = Rendered("validation" if self.held_out else "train", count=5000, size=self.side)
            sample = source[int(rng.integers(len(source)))]
            image, alpha = sample.image, sample.alpha
        else:
            image, alpha = self._matte(rng, over_another_background=kind == 1)
        return self._turned(image, alpha, True, rng)

    def _matte(self, rng: np.random.Generator, over_another_background: bool) -> tuple[Image, Alpha]:
        which = int(rng.integers(len(self.mattes)))
        index = self._pick(len(self.mattes[which]), rng)
        sample = self.mattes[which][index]
        image, alpha = (_square(plane, self.side) for plane in (sample.image, sample.alpha))
        if not over_another_background:
            return image, alpha
        if (which, index) not in self._foregrounds:
            from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml

            colours = estimate_foreground_ml(image.astype(np.float64), alpha.astype(np.float64))
            self._foregrounds[which, index] = np.clip(colours, 0, 1).astype(np.float32)
        return _over(self._foregrounds[which, index], alpha, self._background(rng)), alpha

    def _cutout(self, rng: np.random.Generator) -> tuple[Image, Alpha]:
        paths = picture_files(Path(self.cutouts[int(rng.integers(len(self.cutouts)))].path))
        colours, alpha = read_cutout(paths[self._pick(len(paths), rng)])
        side = min(alpha.shape)
        y, x = (int(rng.integers(n - side + 1)) for n in alpha.shape)
        colours, alpha = (_square(a[y : y + side, x : x + side], self.side) for a in (colours, alpha))
        return _over(colours, alpha, self._background(rng)), alpha

    def _background(self, rng: np.random.Generator) -> Image:
        path = self.backgrounds[self._pick(len(self.backgrounds), rng)]
        image = read_image(path)
        side = int(min(image.shape[:2]) * rng.uniform(0.5, 1))
        y, x = (int(rng.integers(n - side + 1)) for n in image.shape[:2])
        return _square(image[y : y + side, x : x + side], self.side)

    def _pick(self, count: int, rng: np.random.Generator) -> int:
        chosen = [i for i in range(count) if (i % HELD_OUT == 0) == self.held_out]
        return int(rng.choice(chosen or range(count)))

    def _turned(self, image: Image, alpha: Alpha, is_soft: bool, rng: np.random.Generator) -> Picture:
        image, alpha = _square(image, self.side), _square(alpha, self.side)
        if rng.random() < 0.5:
            image, alpha = image[:, ::-1], alpha[:, ::-1]
        if rng.random() < 0.15:
            alpha = 1 - alpha
        return Picture(np.ascontiguousarray(image), np.ascontiguousarray(alpha), is_soft)


def background_files(folders: Sequence[str]) -> list[str]:
    """All pictures in the folders and their subfolders, in order.

    Raises `FileError` where a folder is missing, or where there are no pictures.
    """
    paths = [str(path) for folder in folders for path in pictures_below(folder)]
    if not paths:
        raise FileError(f"no pictures to be backgrounds in {list(folders)}")
    return paths


def _square(plane: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    if plane.shape[:2] == (side, side):
        return plane
    how = cv2.INTER_AREA if max(plane.shape[:2]) >= side else cv2.INTER_LINEAR
    return np.clip(np.asarray(cv2.resize(plane, (side, side), interpolation=how), dtype=np.float32), 0, 1)


def _over(foreground: Image, alpha: Alpha, background: Image) -> Image:
    opacity = alpha[..., None]
    return np.asarray(opacity * foreground + (1 - opacity) * background, dtype=np.float32)
