"""Samples to learn from and to measure on. To add a source: a file in this folder and a line in `SOURCES`."""

from typing import Any, cast

from active_matting.data.samples import DataSource, Sample
from active_matting.registry import Registry

SOURCES = Registry(
    kind="data source",
    group="active_matting.data",
    table={
        "rendered": "active_matting.data.rendered:Rendered",
        "folder": "active_matting.data.folder:Folder",
        "cutouts": "active_matting.data.folder:Cutouts",
        "composed": "active_matting.data.composed:Composed",
        "packed": "active_matting.data.packed:Packed",
        "cached": "active_matting.data.cached:Cached",
        "csv": "active_matting.data.readers.table:Table",
        "alphamatting": "active_matting.data.readers.mattes:AlphaMatting",
        "composition-1k": "active_matting.data.readers.composites:Composition1k",
        "distinctions-646": "active_matting.data.readers.composites:Distinctions646",
        "aim-500": "active_matting.data.readers.mattes:Aim500",
        "p3m-10k": "active_matting.data.readers.mattes:P3M10k",
        "am-2k": "active_matting.data.readers.mattes:Am2k",
        "portraits": "active_matting.data.readers.mattes:Portraits",
        "grabcut": "active_matting.data.readers.masks:GrabCut",
        "berkeley": "active_matting.data.readers.masks:Berkeley",
        "davis": "active_matting.data.readers.masks:Davis",
        "sbd": "active_matting.data.readers.instances:Sbd",
        "pascal": "active_matting.data.readers.instances:Pascal",
        "coco": "active_matting.data.readers.coco:Coco",
    },
)


def make_data(name: str, **kwargs: Any) -> DataSource:
    """The data source called `name`. Raises `UnknownNameError`, `InvalidArgumentError`, `FileError`.

    >>> len(make_data("rendered", split="test", count=8, size=100))
    8
    """
    return cast(DataSource, SOURCES.make(name, **kwargs))


__all__ = ["SOURCES", "DataSource", "Sample", "make_data"]
