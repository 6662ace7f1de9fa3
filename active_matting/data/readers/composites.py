"""Sets of cut out objects that are put over backgrounds of other sets, each over many."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from active_matting.data.entries import Composite, Entry, Matte, Pair
from active_matting.data.listed import (
    Listed,
    by_stem,
    existing_folder,
    named,
    one_of,
    pictures_below,
    read_lines,
)
from active_matting.errors import FileError, InvalidArgumentError

PER_FOREGROUND = {"train": 100, "test": 20}
"""Over how many backgrounds each foreground is put, by split."""


@dataclass(frozen=True)
class Composition1k(Listed):
    """The composites of Deep Image Matting (Xu et al., CVPR 2017): 1,000 to test, 43,100 to train.

    path: the folder `Combined_Dataset` with `Test_set/` (`Adobe-licensed images/` with `fg/`, `alpha/` and `trimaps/`,
    test_fg_names.txt, test_bg_names.txt) and `Training_set/` (`Adobe-licensed images/` and `Other/` with `fg/` and
    `alpha/`, training_fg_names.txt, training_bg_names.txt). split: "test", over 20 pictures of PASCAL VOC each, or
    "train", over 100 of the training pictures of COCO. backgrounds: the folder of those pictures, out of which they are
    composed as the set's own script does it; None where they lie composed in `merged/` of the split's folder or of its
    `Adobe-licensed images/`. Samples are called as the script calls them, foreground and number, "a_0" to "a_19", in
    the order of the lists. trimaps: whether to read those of the test set. missing: see `Listed`.
    """

    path: str
    split: str = "test"
    backgrounds: str | None = None
    trimaps: bool = True
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        per_foreground = PER_FOREGROUND[one_of("split", self.split, PER_FOREGROUND)]
        folder, stem = existing_folder(root) / "Test_set", "test"
        if self.split == "train":
            folder, stem = root / "Training_set", "training"
        parts = [existing_folder(folder) / part for part in ("Adobe-licensed images", "Other")]
        foregrounds = read_lines(folder / f"{stem}_fg_names.txt")
        merged = None if self.backgrounds is not None else _merged(folder)
        scenes = _scenes(self.backgrounds, folder / f"{stem}_bg_names.txt", per_foreground * len(foregrounds))
        entries: list[Entry] = []
        for index, file in enumerate(foregrounds):
            part = next((part for part in parts if (part / "alpha" / file).is_file()), parts[0])
            for number in range(per_foreground):
                name = f"{Path(file).stem}_{number}"
                alpha = part / "alpha" / file
                trimap = part / "trimaps" / f"{name}.png" if self.trimaps and self.split == "test" else None
                if merged is not None:
                    entries.append(Pair(name, merged / f"{name}.png", Matte(alpha), trimap))
                else:
                    scene = scenes[index * per_foreground + number]
                    entries.append(Composite(name, part / "fg" / file, alpha, scene, trimap))
        return entries


@dataclass(frozen=True)
class Distinctions646(Listed):
    """Distinctions-646 (Qiao et al., CVPR 2020), composed as its authors do it: 1,000 to test, 59,600 to train.

    path: the folder with `Train/` and `Test/`, each with `FG/` and `GT/`. backgrounds: a folder of pictures, those of
    PASCAL VOC to test, of COCO to train; in the order of their folders and names, each foreground takes the next 20
    (test) or 100 (train), from the start again after the last. The set has no list of its own, so that another folder
    gives other samples. split: "test" or "train". missing: see `Listed`.
    """

    path: str
    split: str = "test"
    backgrounds: str | None = None
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        per_foreground = PER_FOREGROUND[one_of("split", self.split, PER_FOREGROUND)]
        folder = existing_folder(root) / self.split.capitalize()
        foregrounds, alphas = by_stem(folder / "FG"), by_stem(folder / "GT")
        if self.backgrounds is None:
            raise InvalidArgumentError("backgrounds must be a folder of pictures to compose over, got None")
        scenes = pictures_below(self.backgrounds)
        if not scenes:
            raise FileError(f"{self.backgrounds} and the folders below hold no pictures")
        return [
            Composite(
                f"{stem}_{number}",
                foregrounds.get(stem, folder / "FG" / f"{stem}.*"),
                alphas.get(stem, folder / "GT" / f"{stem}.*"),
                scenes[(index * per_foreground + number) % len(scenes)],
            )
            for index, stem in enumerate(sorted(foregrounds.keys() | alphas.keys()))
            for number in range(per_foreground)
        ]


def _merged(folder: Path) -> Path:
    for candidate in (folder / "merged", folder / "Adobe-licensed images" / "merged"):
        if candidate.is_dir():
            return candidate
    raise FileError(f"{folder} has no folder merged with composed pictures; give backgrounds to compose them")


def _scenes(backgrounds: str | None, names: Path, count: int) -> Sequence[Path]:
    """The first `count` backgrounds of a list. Raises `FileError`."""
    if backgrounds is None:
        return ()
    folder, listed = existing_folder(backgrounds), read_lines(names)
    if len(listed) < count:
        raise FileError(f"{names} names {len(listed)} backgrounds ({named(listed)}); {count} are needed")
    return [folder / name for name in listed[:count]]
