"""Samples from folders of pictures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from active_matting.cache import hash_of_file, make_key
from active_matting.data.entries import Entry
from active_matting.data.images import SUFFIXES, read_cutout
from active_matting.data.listed import Listed, existing_folder, first_folder, pairs, picture_files
from active_matting.data.samples import Sample
from active_matting.errors import FileError
from active_matting.types import Alpha, Image


@dataclass(frozen=True)
class Folder(Listed):
    """Pictures in `images/`, each with its alpha under the same name in `alphas/` or `masks/`.

    path: the folder. trimaps: a subfolder of it with trimaps, such as "trimaps/Trimap1"; none by default. missing:
    "raise", or "skip" the images that lack a file, as in `Listed`. A mask's grey values count as alphas, so that the
    128 by which GrabCut marks pixels to be ignored is a transition. Suffixes may differ between an image and its alpha,
    and alphas of no image are passed over. Samples come in the order of their names.
    Raises `FileError` where the layout is another, where an image has no alpha or trimap, or is empty; and, when
    that sample is asked for, where a file cannot be read or the sizes differ.
    """

    path: str
    trimaps: str | None = None
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        images, alphas = existing_folder(existing_folder(root) / "images"), first_folder(root, "alphas", "masks")
        trimaps = None if self.trimaps is None else existing_folder(root / self.trimaps)
        return pairs(images, alphas, trimaps, only_of_images=True)


@dataclass(frozen=True)
class Cutouts:
    """RGBA pictures lying flat in a folder, each put over a plain grey of value `background` in [0, 1].

    premultiplied: whether the stored colours were multiplied by their alpha. A PNG cannot say so; where a colour
    exceeds its alpha it was not. Raises `FileError` where there are no pictures; and, when that sample is asked for,
    where a file has no alpha channel, or cannot be premultiplied though it should be.
    """

    path: str
    background: float = 0.5
    premultiplied: bool = False
    _files: tuple[Path, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        files = tuple(picture_files(existing_folder(self.path)))
        if not files:
            raise FileError(f"{self.path} holds no pictures ({', '.join(SUFFIXES)})")
        object.__setattr__(self, "_files", files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        name, colours, alpha = self.parts(index)
        opacity = alpha[..., None]
        image = opacity * colours + (1 - opacity) * np.float32(self.background)
        return Sample(name=name, image=image, alpha=alpha)

    def parts(self, index: int) -> tuple[str, Image, Alpha]:
        """Name, colours that were not multiplied by alpha, float32 `(H, W, 3)`, and alpha `(H, W)`, of a cut-out."""
        path = self._files[index]
        return path.stem, *read_cutout(path, premultiplied=self.premultiplied)

    def fingerprint(self, index: int) -> str:
        """Of the file's bytes, the name and the background; see `FingerprintedSource`."""
        path = self._files[index]
        return make_key(
            name=path.stem, file=hash_of_file(path), background=self.background, premultiplied=self.premultiplied
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))
