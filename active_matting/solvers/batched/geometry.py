"""Nested dissection's rectangles, separators and rings, as index arrays that depend on the image's shape alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """An image of `(h, w)` pixels, each of which is tied to those at most `reach` rows and columns away."""

    h: int
    w: int
    reach: int

    def offsets(self) -> Indices:
        """All `(dy, dx)` of at most `reach`, by dy then dx."""
        near = np.arange(-self.reach, self.reach + 1)
        return np.stack(np.meshgrid(near, near, indexing="ij"), axis=-1).reshape(-1, 2)


@dataclass(frozen=True)
class Level:
    """The m nodes of one depth of the tree. H·W stands for a padded pixel."""

    separator: Indices
    """(m, s): flat pixel indices."""
    ring: Indices
    """(m, r): likewise; the last place is always padding."""
    corner: Indices
    """(m, 2): where each node's window begins, `(y, x)`; it holds its rectangle and ring."""
    places: Indices
    """(m, ·, ·): the place of each pixel of the window in separator then ring, or -1."""

    def place_of(self, y: Indices, x: Indices) -> Indices:
        """The places of pixels, (m, ...) for (m, ...); -1 of those in neither separator nor ring."""
        extra = (1,) * (y.ndim - 1)
        m, rows, columns = self.places.shape
        i, j = (a - corner.reshape(-1, *extra) for a, corner in ((y, self.corner[:, 0]), (x, self.corner[:, 1])))
        is_inside = (i >= 0) & (i < rows) & (j >= 0) & (j < columns)
        node = np.arange(m).reshape(-1, *extra)
        return np.where(is_inside, self.places[node, i.clip(0, rows - 1), j.clip(0, columns - 1)], -1)

    def of_children(self, child: int) -> "Level":
        """Every parent's first (0) or second (1) child."""
        return Level(*(a[child::2] for a in (self.separator, self.ring, self.corner, self.places)))


def levels_of(h: int, w: int, reach: int, leaf: int) -> list[Level]:
    """The tree's levels from the root, the whole image, to the leaves, none of whose sides is longer than `leaf`.

    All nodes of a level are halved along the same side, the longer one, so that their sizes differ by a pixel at
    most; node i's children are nodes 2 i and 2 i + 1 of the next level. `leaf` must be at least `reach` + 2.
    """
    grid = Grid(h, w, reach)
    rectangles = np.array([[[0, h], [0, w]]])  # (m, 2 axes, from and to)
    levels = []
    while (longest := (rectangles[..., 1] - rectangles[..., 0]).max(0)).max() > leaf:
        axis = int(longest.argmax())
        start, stop = rectangles[:, axis, 0], rectangles[:, axis, 1]
        middle = start + (stop - start - reach) // 2
        strip = rectangles.copy()
        strip[:, axis] = np.stack([middle, middle + reach], axis=1)
        levels.append(_level(grid, rectangles, strip))
        halves = np.repeat(rectangles[:, None], 2, axis=1)
        halves[:, 0, axis, 1], halves[:, 1, axis, 0] = middle, middle + reach
        rectangles = halves.reshape(-1, 2, 2)
    return [*levels, _level(grid, rectangles, rectangles)]


def _level(grid: Grid, rectangles: Indices, strips: Indices) -> Level:
    corner = rectangles[..., 0] - grid.reach
    rows, columns = (rectangles[..., 1] - rectangles[..., 0]).max(0) + 2 * grid.reach
    y = corner[:, 0, None, None] + np.arange(rows)[:, None]  # (m, rows, 1)
    x = corner[:, 1, None, None] + np.arange(columns)  # (m, 1, columns)

    def is_within(boxes: Indices, margin: int) -> NDArray[Any]:
        low, high = boxes[..., 0, None, None] - margin, boxes[..., 1, None, None] + margin
        return (y >= low[:, 0]) & (y < high[:, 0]) & (x >= low[:, 1]) & (x < high[:, 1])

    is_image = (y >= 0) & (y < grid.h) & (x >= 0) & (x < grid.w)
    is_separator = is_within(strips, 0)
    is_ring = is_within(rectangles, grid.reach) & ~is_within(rectangles, 0) & is_image
    pixels = y * grid.w + x
    separator = _packed(is_separator, pixels, grid.h * grid.w, 0)
    ring = _packed(is_ring, pixels, grid.h * grid.w, 1)
    order_of = [mask.reshape(len(mask), -1).cumsum(1).reshape(mask.shape) - 1 for mask in (is_separator, is_ring)]
    places = np.where(is_separator, order_of[0], np.where(is_ring, separator.shape[1] + order_of[1], -1))
    return Level(separator, ring, corner, places)


def _packed(mask: NDArray[Any], pixels: Indices, padding: int, spare: int) -> Indices:
    # The pixels under each mask, row by row, brought to one length, and `spare` places more, with `padding`.
    flat = mask.reshape(len(mask), -1)
    counts = flat.sum(1)
    packed = np.full((len(mask), int(counts.max()) + spare), padding, dtype=np.int64)
    packed[np.arange(packed.shape[1]) < counts[:, None]] = pixels.reshape(len(mask), -1)[flat]
    return packed
