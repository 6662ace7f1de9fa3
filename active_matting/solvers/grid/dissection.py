"""Nested dissection of the pixel grid: in which order a direct solver eliminates the pixels (George 1973)."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Rectangle: TypeAlias = tuple[int, int, int, int]
"""top, left, bottom, right; the last two are the first row and column outside."""

Integers: TypeAlias = NDArray[np.int64]

_LEAF_PIXELS = 24  # rectangles of at most so many are not split; found by timing, as is the next
_BLOCK_PIXELS = 2500  # subtrees of at most so many are factorised again as a whole, without a memo inside


@dataclass(frozen=True, eq=False)
class Dissection:
    """A tree of rectangles, each but the leaves cut in two by a strip that no entry of the matrix reaches across.

    Nodes are numbered in postorder: those below node k are `first[k]`, ..., k - 1; the last is the whole image.
    """

    shape: tuple[int, int]
    reach: int  # entries of the matrix tie pixels at most so far apart, along either axis
    rectangles: Integers  # (nodes, 4) all pixels of a node and those below it
    strips: Integers  # (nodes, 4) the node's own pixels: the strip between its children, or all of a leaf
    children: Integers  # (nodes, 2), -1 for none
    first: Integers  # (nodes,) the first node below, or the node itself
    parent: Integers  # (nodes,) -1 for the root
    depth: Integers  # (nodes,) 0 at the root
    owner: Integers  # (H·W,) the node whose own a pixel is
    blocks: tuple[int, ...]  # roots of the largest subtrees of few pixels, in order; they cover all leaves
    upper: tuple[tuple[int, ...], ...]  # the nodes above the blocks, deepest level first, the root last

    @property
    def own(self) -> Integers:
        """How many pixels each node has of its own, (nodes,)."""
        return _area(self.strips)

    @property
    def ring(self) -> Integers:
        """How many pixels lie within reach around each node's rectangle, inside the image, (nodes,)."""
        return _area(self.around()) - _area(self.rectangles)

    def below(self, node: int) -> Integers:
        """The node and all below it, children before parents."""
        return np.arange(self.first[node], node + 1)

    def above(self) -> Integers:
        """The nodes above the blocks, parents before children."""
        return np.array([node for level in reversed(self.upper) for node in level], dtype=np.int64)

    def around(self) -> Integers:
        """The nodes' rectangles with all pixels within reach, (nodes, 4): what a node's factor depends on."""
        h, w = self.shape
        grown = self.rectangles + self.reach * np.array([-1, -1, 1, 1])
        result: Integers = np.clip(grown, 0, [h, w, h, w])
        return result


@lru_cache(maxsize=8)
def dissect(h: int, w: int, reach: int) -> Dissection:
    """The tree for an image of `h`×`w` pixels; the same for all images of that size."""
    nodes: list[tuple[Rectangle, Rectangle, tuple[int, int], int, int]] = []

    def add(rectangle: Rectangle, depth: int) -> int:
        """Append the rectangle's subtree and return its root's number."""
        first = len(nodes)
        parts = _split(rectangle, reach)
        if parts is None:
            nodes.append((rectangle, rectangle, (-1, -1), first, depth))
        else:
            children = add(parts[0], depth + 1), add(parts[2], depth + 1)
            nodes.append((rectangle, parts[1], children, first, depth))
        return len(nodes) - 1

    add((0, 0, h, w), 0)
    rectangles, strips, children, first, depth = (
        np.array(column, dtype=np.int64) for column in zip(*nodes, strict=True)
    )
    is_small = (_area(rectangles) <= _BLOCK_PIXELS) | (children[:, 0] < 0)
    is_upper = ~is_small
    inner = np.flatnonzero(children[:, 0] >= 0)
    parent = np.full(len(nodes), -1)
    parent[children[inner]] = inner[:, None]
    is_block = is_small & ((parent < 0) | is_upper[parent])
    owner = np.empty((h, w), dtype=np.int64)
    for node, (top, left, bottom, right) in enumerate(strips.tolist()):
        owner[top:bottom, left:right] = node
    levels = [np.flatnonzero(is_upper & (depth == d)) for d in range(int(depth[is_upper].max(initial=-1)), -1, -1)]
    return Dissection(
        (h, w),
        reach,
        rectangles,
        strips,
        children,
        first,
        parent,
        depth,
        owner.ravel(),
        tuple(np.flatnonzero(is_block).tolist()),
        tuple(tuple(level.tolist()) for level in levels),
    )


def _split(rectangle: Rectangle, reach: int) -> tuple[Rectangle, Rectangle, Rectangle] | None:
    """First part, strip, second part, cut across the longer side; None where it is not worth it."""
    top, left, bottom, right = rectangle
    h, w = bottom - top, right - left
    if h * w <= _LEAF_PIXELS or max(h, w) < reach + 2:
        return None
    if h >= w:
        y = top + (h - reach) // 2
        return tuple((a, left, b, right) for a, b in pairwise((top, y, y + reach, bottom)))  # type: ignore[return-value]
    x = left + (w - reach) // 2
    return tuple((top, a, bottom, b) for a, b in pairwise((left, x, x + reach, right)))  # type: ignore[return-value]


def _area(rectangles: Integers) -> Integers:
    result: Integers = (rectangles[:, 2] - rectangles[:, 0]) * (rectangles[:, 3] - rectangles[:, 1])
    return result
