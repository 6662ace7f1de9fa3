"""Samples from folders of pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from active_matting.cache import hash_of_file, make_key
from active_matting.data.images import SUFFIXES, read_alpha, read_cutout, read_image, read_trimap
from active_matting.data.samples import Sample
from active_matting.errors import FileError
from active_matting.types import Alpha, Image


@dataclass(frozen=True)
class Folder:
    """Pictures in `images/`, each with its alpha under the same name in `alphas/` or `masks/`.

    path: the folder. trimaps: a subfolder of it with trimaps, such as "trimaps/Trimap1"; none by default.
    A mask's grey values count as alphas, so that the 128 by which GrabCut marks pixels to be ignored is a
    transition. Suffixes may differ between an image and its alpha. Samples come in the order of their names.
    Raises `FileError` where the layout is another, where an image has no alpha or trimap, or is empty; and, when
    that sample is asked for, where a file cannot be read or the sizes differ.
    """

    path: str
    trimaps: str | None = None
    _files: tuple[tuple[Path, Path, Path | None], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        root = _existing_folder(self.path)
        images = picture_files(_existing_folder(root / "images"))
        alphas = next((root / name for name in ("alphas", "masks") if (root / name).is_dir()), None)
        if alphas is None:
            raise FileError(f"{root} must have a folder alphas or masks beside images")
        if not images:
            raise FileError(f"{root / 'images'} holds no pictures ({', '.join(SUFFIXES)})")
        alpha_of = _by_stem(images, alphas)
        trimap_of = None if self.trimaps is None else _by_stem(images, _existing_folder(root / self.trimaps))
        files = tuple(
            (image, alpha_of[image.stem], None if trimap_of is None else trimap_of[image.stem]) for image in images
        )
        object.__setattr__(self, "_files", files)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Sample:
        image_path, alpha_path, trimap_path = self._files[index]
        image = read_image(image_path)
        return Sample(
            name=image_path.stem,
            image=image,
            alpha=_same_size(read_alpha(alpha_path), alpha_path, image.shape, image_path),
            trimap=None
            if trimap_path is None
            else _same_size(read_trimap(trimap_path), trimap_path, image.shape, image_path),
        )

    def fingerprint(self, index: int) -> str:
        """Of the files' bytes and the name; see `FingerprintedSource`."""
        files = self._files[index]
        return make_key(name=files[0].stem, files=[None if path is None else hash_of_file(path) for path in files])

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class Cutouts:
    """RGBA pictures lying flat in a folder, each put over a plain grey of value `background` in [0, 1].

    Raises `FileError` where there are none; and, when that sample is asked for, where a file is not RGBA.
    """

    path: str
    background: float = 0.5
    _files: tuple[Path, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        files = tuple(picture_files(_existing_folder(self.path)))
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
        """Name, colours as they are stored, float32 `(H, W, 3)`, and alpha `(H, W)`, of a cut-out."""
        return self._files[index].stem, *read_cutout(self._files[index])

    def fingerprint(self, index: int) -> str:
        """Of the file's bytes, the name and the background; see `FingerprintedSource`."""
        path = self._files[index]
        return make_key(name=path.stem, file=hash_of_file(path), background=self.background)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def picture_files(folder: Path) -> list[Path]:
    """The pictures lying in `folder`, by name; hidden files and other suffixes are passed over."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def pictures_below(folder: Path | str) -> list[Path]:
    """The pictures in `folder` and, after its own, in its subfolders, by folder and name. Raises `FileError`."""
    folder = _existing_folder(folder)
    inner = sorted(path for path in folder.rglob("*") if path.is_dir())
    return [path for each in (folder, *inner) for path in picture_files(each)]


def _existing_folder(path: Path | str) -> Path:
    path = Path(path)
    if not path.is_dir():
        raise FileError(f"{path} {'is not a folder' if path.exists() else 'does not exist'}")
    return path


def _by_stem(images: list[Path], folder: Path) -> dict[str, Path]:
    partners = {path.stem: path for path in picture_files(folder)}
    missing = [image.name for image in images if image.stem not in partners]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise FileError(f"{folder} has no picture for {', '.join(missing[:3])}{more}")
    return partners


def _same_size(plane: Alpha, path: Path, shape: tuple[int, ...], image_path: Path) -> Alpha:
    if plane.shape != shape[:2]:
        raise FileError(
            f"{path} must have the size of {image_path.name}, {shape[1]}×{shape[0]}, "
            f"got {plane.shape[1]}×{plane.shape[0]}"
        )
    return plane
