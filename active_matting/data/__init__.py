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
    },
)


def make_data(name: str, **kwargs: Any) -> DataSource:
    """The data source called `name`. Raises `UnknownNameError`, `InvalidArgumentError`, `FileError`.

    >>> len(make_data("rendered", split="test", count=8, size=100))
    8
    """
    return cast(DataSource, SOURCES.make(name, **kwargs))


__all__ = ["SOURCES", "DataSource", "Sample", "make_data"]
