"""Small folders laid out like the published data sets, of two or three samples each, 6×4 pixels."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy.io.matlab import savemat

H, W = 4, 6

MASK = np.zeros((H, W), dtype=np.uint8)
MASK[1:3, 1:5] = 255

NUMBERS = np.zeros((H, W), dtype=np.uint8)
NUMBERS[:2, :2], NUMBERS[2:, 2:], NUMBERS[0, 5] = 1, 2, 255


@dataclass(frozen=True)
class MadeUp:
    """What a builder has put into a folder."""

    names: list[str]  # of the samples
    needed: str  # a file below the folder without which the first sample is incomplete
    options: dict[str, Any] = field(default_factory=dict)  # beside `path`
    trimaps: bool = False
    lost: int = 1  # how many samples need that file


def save(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(array).save(path)


def image(path: Path, value: int = 100) -> None:
    save(path, np.full((H, W, 3), value, dtype=np.uint8))


def mask(path: Path) -> None:
    save(path, MASK)


def palette(path: Path, numbers: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Pillow.fromarray(numbers, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [200] * 3 * 253)
    picture.save(path)


def put(root: Path, images: str, masks: str, trimaps: str | None = None, suffix: str = ".png") -> None:
    """Samples a and b."""
    for name in "ab":
        image(root / images / f"{name}{suffix}")
        mask(root / masks / f"{name}.png")
        if trimaps is not None:
            mask(root / trimaps / f"{name}.png")


def folder(root: Path) -> MadeUp:
    put(root, "images", "masks", suffix=".jpg")
    return MadeUp(["a", "b"], "masks/a.png")


def alphamatting(root: Path) -> MadeUp:
    put(root, "input_training_lowres", "gt_training_lowres", "trimap_training_lowres/Trimap1")
    return MadeUp(["a", "b"], "trimap_training_lowres/Trimap1/a.png", trimaps=True)


def composition(root: Path) -> MadeUp:
    part = root / "Test_set" / "Adobe-licensed images"
    put(part, "fg", "alpha")
    for name in "ab":
        for number in range(20):
            mask(part / "trimaps" / f"{name}_{number}.png")
    image(root / "voc" / "small.jpg", 200)
    (root / "Test_set" / "test_fg_names.txt").write_text("b.png\na.png\n")
    (root / "Test_set" / "test_bg_names.txt").write_text("small.jpg\n" * 40)
    names = [f"{name}_{number}" for name in "ba" for number in range(20)]
    needed = "Test_set/Adobe-licensed images/trimaps/b_0.png"
    return MadeUp(names, needed, {"backgrounds": str(root / "voc")}, trimaps=True)


def distinctions(root: Path) -> MadeUp:
    put(root, "Test/FG", "Test/GT")
    image(root / "voc" / "x" / "scene.png")
    names = [f"{name}_{number}" for name in "ab" for number in range(20)]
    return MadeUp(names, "Test/GT/a.png", {"backgrounds": str(root / "voc")}, lost=20)


def aim(root: Path) -> MadeUp:
    put(root, "original", "mask", "trimap", suffix=".jpg")
    mask(root / "usr" / "a.png")
    return MadeUp(["a", "b"], "trimap/a.png", trimaps=True)


def p3m(root: Path) -> MadeUp:
    put(root, "train/blurred_image", "train/mask", suffix=".jpg")
    put(root, "validation/P3M-500-P/blurred_image", "validation/P3M-500-P/mask", "validation/P3M-500-P/trimap")
    put(root, "validation/P3M-500-NP/original_image", "validation/P3M-500-NP/mask", "validation/P3M-500-NP/trimap")
    return MadeUp(["a", "b"], "validation/P3M-500-P/mask/a.png", trimaps=True)


def am2k(root: Path) -> MadeUp:
    put(root, "train/original", "train/mask", suffix=".jpg")
    put(root, "validation/original", "validation/mask", "validation/trimap", suffix=".jpg")
    return MadeUp(["a", "b"], "validation/original/a.jpg", trimaps=True)


def portraits(root: Path) -> MadeUp:
    for name in ("00001", "00002"):
        image(root / "testing" / f"{name}.png")
        mask(root / "testing" / f"{name}_matte.png")
    return MadeUp(["00001", "00002"], "testing/00001_matte.png")


def grabcut(root: Path) -> MadeUp:
    for name in "ab":
        image(root / "data_GT" / f"{name}.jpg")
        save(root / "boundary_GT" / f"{name}.bmp", np.where(MASK == 0, 128, MASK).astype(np.uint8))
    return MadeUp(["a", "b"], "boundary_GT/a.bmp")


def berkeley(root: Path) -> MadeUp:
    for name in ("12", "34"):
        image(root / "images" / f"{name}.jpg")
    for name in ("12#1", "12#2", "34"):
        mask(root / "masks" / f"{name}.png")
    return MadeUp(["12#1", "12#2", "34"], "images/12.jpg", lost=2)


def davis(root: Path) -> MadeUp:
    for sequence in ("bear", "swan"):
        image(root / "JPEGImages" / "480p" / sequence / "00000.jpg")
        palette(root / "Annotations" / "480p" / sequence / "00000.png", NUMBERS % 255)
    lists = root / "ImageSets" / "480p"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("/JPEGImages/480p/swan/00000.jpg /Annotations/480p/swan/00000.png\n")
    return MadeUp(["bear-00000", "swan-00000"], "Annotations/480p/bear/00000.png")


def sbd(root: Path) -> MadeUp:
    inner = root / "benchmark_RELEASE" / "dataset"
    (inner / "inst").mkdir(parents=True)
    for name in ("2008_1", "2008_2"):
        image(inner / "img" / f"{name}.jpg")
        savemat(inner / "inst" / f"{name}.mat", {"GTinst": {"Segmentation": NUMBERS, "Categories": [[5], [7]]}})
    (inner / "val.txt").write_text("2008_1\n")
    return MadeUp(["2008_1#1", "2008_1#2"], "benchmark_RELEASE/dataset/img/2008_1.jpg", lost=2)


def pascal(root: Path) -> MadeUp:
    for name in ("2007_1", "2007_2"):
        image(root / "JPEGImages" / f"{name}.jpg")
        palette(root / "SegmentationObject" / f"{name}.png", NUMBERS)
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("2007_1\n2007_2\n")
    return MadeUp(["2007_1#1", "2007_1#2", "2007_2#1", "2007_2#2"], "SegmentationObject/2007_1.png")


def coco(root: Path) -> MadeUp:
    for name in ("09", "10"):
        image(root / "val2017" / f"{name}.jpg")
    objects: list[dict[str, Any]] = [
        {"id": 7, "image_id": 10, "area": 8, "iscrowd": 0, "segmentation": [[1, 1, 5, 1, 5, 3, 1, 3]]},
        {"id": 5, "image_id": 9, "area": 8, "segmentation": {"size": [H, W], "counts": [5, 2, 2, 2, 2, 2, 2, 2, 5]}},
        {"id": 6, "image_id": 9, "area": 24, "iscrowd": 1, "segmentation": {"size": [H, W], "counts": [0, 24]}},
        {"id": 8, "image_id": 9, "area": 0.2, "iscrowd": 0, "segmentation": [[1, 1, 1.5, 1, 1.5, 1.4, 1, 1.4]]},
    ]
    images = [{"id": number, "file_name": f"{number:02d}.jpg", "height": H, "width": W} for number in (10, 9)]
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps({"images": images, "annotations": objects}))
    return MadeUp(["09#5", "10#7"], "val2017/09.jpg")


def table(root: Path) -> MadeUp:
    put(root, "in", "out", "tri")
    with open(root / "list.csv", "w", newline="", encoding="utf-8") as file:
        rows = [("name", "alpha", "image", "trimap"), ("", "out/a.png", "in/a.png", "tri/a.png")]
        csv.writer(file).writerows([*rows, ("second, of two", "out/b.png", str(root / "in" / "b.png"), "")])
    return MadeUp(["a", "second, of two"], "tri/a.png", {"path": str(root / "list.csv")}, trimaps=True)


SETS: dict[str, Callable[[Path], MadeUp]] = {
    "folder": folder,
    "alphamatting": alphamatting,
    "composition-1k": composition,
    "distinctions-646": distinctions,
    "aim-500": aim,
    "p3m-10k": p3m,
    "am-2k": am2k,
    "portraits": portraits,
    "grabcut": grabcut,
    "berkeley": berkeley,
    "davis": davis,
    "sbd": sbd,
    "pascal": pascal,
    "coco": coco,
    "csv": table,
}
