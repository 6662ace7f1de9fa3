"""Sets with maps of numbered objects, each of which is a sample."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.data.entries import VOID, Entry, OneObject, Pair
from active_matting.data.images import read_objects
from active_matting.data.listed import Listed, existing_folder, read_lines, share_of_image
from active_matting.errors import FileError

ReadMap = Callable[[Path], NDArray[Any]]


@dataclass(frozen=True)
class Pascal(Listed):
    """Objects of PASCAL VOC 2012: `JPEGImages/`, `SegmentationObject/` and `ImageSets/Segmentation/`.

    path: the folder with these, or one with `VOC2012/` or `VOCdevkit/VOC2012/` in it. split: a list, such as "val".
    Each object is a sample, called "2007_000033#1"; it has alpha 1, void (255) 0.5, all else, other objects too, 0.
    smallest: the share of the image below which an object is left out. missing: see `Listed`. Making it opens all maps.
    """

    path: str
    split: str = "val"
    smallest: float = 0.0
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        folder = _fitting(root, "SegmentationObject", "VOC2012", "VOCdevkit/VOC2012")
        names = read_lines(folder / "ImageSets" / "Segmentation" / f"{self.split}.txt")
        files = [(name, folder / f"JPEGImages/{name}.jpg", folder / f"SegmentationObject/{name}.png") for name in names]
        return _objects(files, read_objects, self.smallest)


@dataclass(frozen=True)
class Sbd(Listed):
    """Objects of the Semantic Boundaries Dataset (Hariharan et al., ICCV 2011): `img/`, `inst/` and lists beside them.

    path: the folder with these, or one with `dataset/` or `benchmark_RELEASE/dataset/` in it. split: a list, "val" or
    "train". Each object is a sample, called "2008_000051#1". smallest: the share of the image below which an object is
    left out. missing: see `Listed`. Making it opens all maps, which are MATLAB files.
    """

    path: str
    split: str = "val"
    smallest: float = 0.0
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        folder = _fitting(root, "inst", "dataset", "benchmark_RELEASE/dataset")
        names = read_lines(folder / f"{self.split}.txt")
        files = [(name, folder / "img" / f"{name}.jpg", folder / "inst" / f"{name}.mat") for name in names]
        return _objects(files, read_matlab_objects, self.smallest)


def read_matlab_objects(path: Path) -> NDArray[Any]:
    """The map of objects, (H, W), in a MATLAB file of SBD, `GTinst.Segmentation`. Raises `FileError`."""
    from scipy.io.matlab import loadmat

    try:
        numbers = loadmat(path, variable_names=["GTinst"])["GTinst"]["Segmentation"][0, 0]
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist") from error
    except Exception as error:  # loadmat meets broken files with errors of many kinds
        raise FileError(f"{path} has no map of objects GTinst.Segmentation: {error!r}") from error
    if not isinstance(numbers, np.ndarray) or numbers.ndim != 2 or numbers.dtype.kind not in "iu":
        raise FileError(f"{path} has no map of objects GTinst.Segmentation of whole numbers (H, W)")
    return numbers


def _objects(files: list[tuple[str, Path, Path]], read_map: ReadMap, smallest: float) -> Iterator[Entry]:
    share_of_image(smallest)
    for name, image, path in tqdm(files, desc="listing objects", unit="image", leave=False, delay=1):
        for number in _numbers(path, read_map, smallest):
            yield Pair(f"{name}#{number}", image, OneObject(path, number, read_map))


def _numbers(path: Path, read_map: ReadMap, smallest: float) -> list[int]:
    """The numbers of a map's objects; the first where it cannot be read, which is told when that sample is read."""
    try:
        numbers, counts = np.unique(read_map(path), return_counts=True)
    except FileError:
        return [1]
    is_object = (numbers > 0) & (numbers != VOID) & (counts >= smallest * counts.sum())
    return [int(number) for number in numbers[is_object]]


def _fitting(root: Path, sign: str, *inner: str) -> Path:
    """`root`, or the first folder in it, that holds a folder `sign`. Raises `FileError`."""
    for folder in (existing_folder(root), *(root / name for name in inner)):
        if (folder / sign).is_dir():
            return folder
    raise FileError(f"{root} must have a folder {sign}, itself or in {' or '.join(inner)}")
