"""Sets of photographs with their alphas."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from active_matting.data.entries import Entry, Matte, Pair
from active_matting.data.listed import Listed, existing_folder, first_folder, one_of, pairs, picture_files

MATTE = "_matte"


@dataclass(frozen=True)
class AlphaMatting(Listed):
    """The 27 training photographs of alphamatting.com (Rhemann et al., CVPR 2009).

    Reads `input_training_lowres/`, `gt_training_lowres/` and `trimap_training_lowres/Trimap1/`, as its archives unfold,
    or `images/`, `alphas/` and `trimaps/Trimap1/`. resolution: "lowres" or "highres". trimaps: "Trimap1", "Trimap2", or
    None to read none. missing: see `Listed`. The eight test photographs have no published alpha and are no samples.
    """

    path: str
    resolution: str = "lowres"
    trimaps: str | None = "Trimap1"
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        size = one_of("resolution", self.resolution, ("lowres", "highres"))
        images = first_folder(root, f"input_training_{size}", "images")
        alphas = first_folder(root, f"gt_training_{size}", "alphas")
        trimaps = None
        if self.trimaps is not None:
            trimaps = first_folder(root, f"trimap_training_{size}/{self.trimaps}", f"trimaps/{self.trimaps}")
        return pairs(images, alphas, trimaps)


@dataclass(frozen=True)
class Aim500(Listed):
    """AIM-500, 500 natural images of many kinds (Li et al., IJCAI 2021): `original/`, `mask/` and `trimap/`.

    trimaps: whether to read the trimaps. missing: see `Listed`. The folder `usr/` is not read.
    """

    path: str
    trimaps: bool = True
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        images, alphas = existing_folder(root) / "original", root / "mask"
        return pairs(images, alphas, root / "trimap" if self.trimaps else None)


@dataclass(frozen=True)
class P3M10k(Listed):
    """P3M-10k, portraits with blurred faces (Li et al., ACM MM 2021).

    split: "train", which reads `train/blurred_image/` and `train/mask/`; "P3M-500-P" or "P3M-500-NP", which read
    `blurred_image/` or, where that is not there, `original_image/`, `mask/` and `trimap/` of that folder in
    `validation/`. trimaps: whether to read them where the split has a folder of them. missing: see `Listed`. The
    folders `fg/`, `bg/` and `facemask/` are not read.
    """

    path: str
    split: str = "P3M-500-P"
    trimaps: bool = True
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        split = one_of("split", self.split, ("train", "P3M-500-P", "P3M-500-NP"))
        folder = existing_folder(root) / ("train" if split == "train" else f"validation/{split}")
        return pairs(
            first_folder(folder, "blurred_image", "original_image"), folder / "mask", _trimaps(folder, self.trimaps)
        )


@dataclass(frozen=True)
class Am2k(Listed):
    """AM-2k, animals (Li et al., IJCV 2022): `original/`, `mask/` and, where it is there, `trimap/` of a split.

    split: the folder "train" or "validation". trimaps: whether to read them. missing: see `Listed`. The folders `fg/`
    and `bg/` are not read.
    """

    path: str
    split: str = "validation"
    trimaps: bool = True
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        folder = existing_folder(root) / one_of("split", self.split, ("train", "validation"))
        return pairs(existing_folder(folder) / "original", folder / "mask", _trimaps(folder, self.trimaps))


@dataclass(frozen=True)
class Portraits(Listed):
    """The 2,000 portraits of Shen et al. (Deep Automatic Portrait Matting, ECCV 2016).

    Each `00001.png` lies beside its `00001_matte.png`. split: the folder "training" or "testing"; None where the
    pictures lie in `path` itself. missing: see `Listed`.
    """

    path: str
    split: str | None = "testing"
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        folder = existing_folder(root)
        if self.split is not None:
            folder = existing_folder(root / one_of("split", self.split, ("training", "testing")))
        found = {path.stem: path for path in picture_files(folder)}
        return [
            Pair(
                stem,
                found.get(stem, folder / f"{stem}.*"),
                Matte(found.get(stem + MATTE, folder / f"{stem}{MATTE}.*")),
            )
            for stem in sorted({stem.removesuffix(MATTE) for stem in found})
        ]


def _trimaps(folder: Path, are_wanted: bool) -> Path | None:
    return folder / "trimap" if are_wanted and (folder / "trimap").is_dir() else None
