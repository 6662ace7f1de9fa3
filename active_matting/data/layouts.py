"""Which reader a folder is for, told from what lies in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from active_matting.data.listed import picture_files
from active_matting.errors import FileError

LAYOUTS: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("alphamatting", {}, ("input_training_lowres", "gt_training_lowres")),
    ("alphamatting", {"resolution": "highres"}, ("input_training_highres", "gt_training_highres")),
    ("composition-1k", {}, ("Test_set/test_fg_names.txt",)),
    ("composition-1k", {"split": "train"}, ("Training_set/training_fg_names.txt",)),
    ("distinctions-646", {}, ("Test/FG", "Test/GT")),
    ("distinctions-646", {"split": "train"}, ("Train/FG", "Train/GT")),
    ("aim-500", {}, ("original", "mask", "trimap")),
    ("aim-500", {"trimaps": False}, ("original", "mask")),
    ("p3m-10k", {}, ("validation/P3M-500-P",)),
    ("p3m-10k", {"split": "P3M-500-NP"}, ("validation/P3M-500-NP",)),
    ("p3m-10k", {"split": "train"}, ("train/blurred_image", "train/mask")),
    ("am-2k", {}, ("validation/original", "validation/mask")),
    ("am-2k", {"split": "train"}, ("train/original", "train/mask")),
    ("portraits", {}, ("testing/*_matte.*",)),
    ("portraits", {"split": "training"}, ("training/*_matte.*",)),
    ("portraits", {"split": None}, ("*_matte.*",)),
    ("grabcut", {}, ("data_GT", "boundary_GT")),
    ("berkeley", {}, ("images", "masks/*#*")),
    ("davis", {}, ("JPEGImages/480p", "Annotations/480p")),
    ("davis", {}, ("img", "gt")),
    ("sbd", {}, ("img", "inst")),
    ("sbd", {}, ("dataset/inst",)),
    ("sbd", {}, ("benchmark_RELEASE/dataset/inst",)),
    ("pascal", {}, ("JPEGImages", "SegmentationObject")),
    ("pascal", {}, ("VOC2012/SegmentationObject",)),
    ("pascal", {}, ("VOCdevkit/VOC2012/SegmentationObject",)),
    ("coco", {}, ("annotations/instances_val2017.json",)),
    ("packed", {}, ("images.npy", "alphas.npy")),
    ("folder", {"trimaps": "trimaps/Trimap1"}, ("images", "alphas", "trimaps/Trimap1")),
    ("folder", {"trimaps": "trimaps"}, ("images", "alphas", "trimaps/*.*")),
    ("folder", {}, ("images", "alphas")),
    ("folder", {}, ("images", "masks")),
)
"""Reader, its keywords, and what must be there, as patterns below the folder. The first that fits is taken."""

SELECTIONS = frozenset({"grabcut", "berkeley", "davis", "sbd", "pascal", "coco"})
"""The readers of sets for interactive segmentation."""


def guess_reader(path: Path | str) -> tuple[str, dict[str, Any]]:
    """The name of a data source and its keywords, `path` among them, for `make_data`. Raises `FileError`.

    A file ending in .csv is a table; a folder in which pictures lie flat and nothing else is known holds cut-outs.
    """
    path = Path(path)
    if path.is_file() and path.suffix.lower() == ".csv":
        return "csv", {"path": str(path)}
    if not path.is_dir():
        raise FileError(f"{path} {'is not a folder or a .csv file' if path.exists() else 'does not exist'}")
    for name, keywords, signs in LAYOUTS:
        if all(next(path.glob(sign), None) is not None for sign in signs):
            return name, {"path": str(path), **keywords}
    other = sorted(path.glob("annotations/instances_*.json"))
    if other:
        return "coco", {"path": str(path), "split": other[0].stem.removeprefix("instances_")}
    if (path / "images").is_dir():  # whose reader says what is missing
        return "folder", {"path": str(path)}
    if picture_files(path):
        return "cutouts", {"path": str(path)}
    known = ", ".join(sorted({name for name, _, _ in LAYOUTS} | {"cutouts", "csv"}))
    raise FileError(f"{path} has the layout of no known data set ({known})")


def holds_selections(name: str, keywords: Mapping[str, Any]) -> bool:
    """Whether the data source `name`, made with these keywords, has masks of objects rather than mattes."""
    if name == "folder":
        root = Path(keywords["path"])
        return (root / "masks").is_dir() and not (root / "alphas").is_dir()
    return name in SELECTIONS
