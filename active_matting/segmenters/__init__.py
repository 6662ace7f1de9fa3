"""Segmenters by name: what finds the object from a few labels, before a solver mattes its edge.

To add one: a file in this folder and a line in `SEGMENTERS`, or an entry point of another package.
"""

from typing import Any, cast

from active_matting.registry import Registry
from active_matting.segmenters.base import PreparedSegmenter, Segmenter

SEGMENTERS = Registry(
    kind="segmenter",
    group="active_matting.segmenters",
    table={
        "cues": "active_matting.segmenters.cues:Cues",
        "grabcut": "active_matting.segmenters.grabcut:GrabCut",
        "network": "active_matting.segmenters.network:NetworkSegmenter",
        "blend": "active_matting.segmenters.blend:Blend",
    },
)


def make_segmenter(name: str, **kwargs: Any) -> Segmenter:
    """The segmenter called `name` with JSON-able parameters.

    Raises `UnknownNameError` and `InvalidArgumentError`.

    >>> make_segmenter("grabcut", iterations=3)
    GrabCut(side=200, iterations=3)
    """
    return cast(Segmenter, SEGMENTERS.make(name, **kwargs))


__all__ = ["SEGMENTERS", "PreparedSegmenter", "Segmenter", "make_segmenter"]
