"""Objects of COCO, and of other sets whose annotations are written in its format."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from active_matting.data.entries import Entry, Pair
from active_matting.data.listed import Listed, existing_folder, first_folder, share_of_image
from active_matting.data.readers.outlines import decode_runs, fill_polygons
from active_matting.errors import FileError
from active_matting.files import read_json
from active_matting.types import Alpha


@dataclass(frozen=True)
class Outline:
    """An object of an annotation file: polygons, each x0, y0, x1, y1, …; or run lengths."""

    path: Path
    number: int
    segmentation: Any
    shape: tuple[int, int]

    def read(self) -> Alpha:
        try:
            if isinstance(self.segmentation, dict):
                return decode_runs(self.segmentation, self.shape)
            return fill_polygons(self.segmentation, self.shape)
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(f"{self.path} has no readable outline in annotation {self.number}: {error}") from error


@dataclass(frozen=True)
class Coco(Listed):
    """Objects of COCO (Lin et al., ECCV 2014): `annotations/instances_SPLIT.json` and pictures.

    path: the folder. split: such as "val2017". The pictures lie in `SPLIT/`, `images/SPLIT/` or `images/`. Each object
    that is not a crowd is a sample, called by its image and the annotation's number, "000000000139#3671". smallest: the
    share of the image below which an object is left out. missing: see `Listed`. A pixel belongs to a polygon that
    covers half of it or more.
    """

    path: str
    split: str = "val2017"
    smallest: float = 0.01
    missing: str = "raise"

    def list_entries(self, root: Path) -> Iterable[Entry]:
        path = existing_folder(root) / "annotations" / f"instances_{self.split}.json"
        smallest, content = share_of_image(self.smallest), read_json(path)
        folder = first_folder(root, self.split, f"images/{self.split}", "images")
        try:
            return self._objects(path, content, folder, smallest)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise FileError(f"{path} is not a file of COCO annotations: {error!r}") from error

    def _objects(self, path: Path, content: Any, folder: Path, smallest: float) -> list[Entry]:
        images = {image["id"]: image for image in content["images"]}
        listed = []
        for annotation in content["annotations"]:
            if annotation.get("iscrowd", 0):
                continue
            image, number = images[annotation["image_id"]], int(annotation["id"])
            shape = int(image["height"]), int(image["width"])
            outline = Outline(path, number, annotation["segmentation"], shape)
            area = annotation["area"] if "area" in annotation else float(outline.read().sum())
            if area >= smallest * shape[0] * shape[1]:
                file = folder / image["file_name"]
                listed.append((file.stem, number, Pair(f"{file.stem}#{number}", file, outline)))
        return [entry for _, _, entry in sorted(listed, key=lambda found: found[:2])]
