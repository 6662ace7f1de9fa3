"""Sets for interactive segmentation with a mask per sample."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from active_matting.data.entries import AnyObject, Entry, Matte, Pair
from active_matting.data.listed import Listed, by_stem, existing_folder, first_folder, pairs, read_lines
from active_matting.errors import FileError


@dataclass(frozen=True)
class GrabCut(Listed):
    """The 50 photographs of GrabCut (Rother et al., 2004): `data_GT/` and `boundary_GT/`, or `images/` and `masks/`.

    A mask's 128, which marks pixels to be ignored, is read as an alpha of 128 / 255, a transition, as `Folder` does.
    missing: see `Listed`.
    """

    path: str
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        return pairs(first_folder(root, "data_GT", "images"), first_folder(root, "boundary_GT", "masks"))


@dataclass(frozen=True)
class Berkeley(Listed):
    """100 objects in 96 photographs of the Berkeley set (McGuinness & O'Connor, 2010): `images/` and `masks/`.

    A mask is called after its image, or after its image and a number behind `#`: the second object of `12.jpg` is
    `12#2.png`. Each mask is a sample of its name. missing: see `Listed`; it counts images without a mask, too.
    """

    path: str
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        folder = existing_folder(root)
        images, masks = by_stem(folder / "images"), by_stem(folder / "masks")
        image_of = {stem: stem if stem in images else stem.partition("#")[0] for stem in masks}
        bare = images.keys() - image_of.values()
        return [
            Pair(
                stem,
                images.get(image_of.get(stem, stem), folder / "images" / f"{image_of.get(stem, stem)}.*"),
                Matte(masks.get(stem, folder / "masks" / f"{stem}.*")),
            )
            for stem in sorted(masks.keys() | bare)
        ]


@dataclass(frozen=True)
class Davis(Listed):
    """Frames of DAVIS 2016 (Perazzi et al., CVPR 2016): all, or the 345 on which interactive methods are compared.

    Reads `JPEGImages/480p/SEQUENCE/` and `Annotations/480p/SEQUENCE/`, whose samples are called "SEQUENCE-00000"; or
    frames lying flat, in `img/` and `gt/`, or `images/` and `masks/`. The object is all that is not black, so that
    masks of DAVIS 2017, with a colour per object, are read as their union. split: for sequences, None for all, or a
    list in `ImageSets/480p/`, `ImageSets/2016/` or `ImageSets/2017/`, such as "val". missing: see `Listed`.
    """

    path: str
    split: str | None = None
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        frames = existing_folder(root) / "JPEGImages" / "480p"
        if not frames.is_dir():
            listed = pairs(first_folder(root, "img", "images"), first_folder(root, "gt", "masks"))
        else:
            masks = existing_folder(root / "Annotations" / "480p")
            listed = [
                entry
                for sequence in self._sequences(root, frames)
                for entry in pairs(frames / sequence, masks / sequence, prefix=f"{sequence}-")
            ]
        return [Pair(entry.name, entry.files[0], AnyObject(entry.files[1])) for entry in listed]

    def _sequences(self, root: Path, frames: Path) -> list[str]:
        if self.split is None:
            return sorted(path.name for path in frames.iterdir() if path.is_dir())
        for kind in ("480p", "2016", "2017"):
            path = root / "ImageSets" / kind / f"{self.split}.txt"
            if path.is_file():
                return _sequence_names(read_lines(path))
        raise FileError(f"{root / 'ImageSets'} has no list {self.split}.txt in 480p, 2016 or 2017")


def _sequence_names(lines: list[str]) -> list[str]:
    """Of lines with a sequence's name, or with the paths of a frame and of its mask, in which it is a folder."""
    names = [Path(line.split()[0]).parent.name if "/" in line else line for line in lines]
    return list(dict.fromkeys(names))
