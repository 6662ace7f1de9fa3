"""The grid of cells on which the spatial agent sees, the squares it may ask about, and pictures as it sees them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region

CELL = 8
"""The side of a cell, in pixels, as the network sees it."""

HALF = CELL // 2

DETAIL = 2
"""So many times larger is the picture itself than mattes and answers are seen: what is recognised needs more of it."""

PICTURE_CELL = DETAIL * CELL
"""The side of a cell in the picture itself, at which episodes are played."""


def spread(told: NDArray[np.int8]) -> Tensor:
    """What was told of half cells, int8 (..., 2h, 2w), as the network sees it: float (..., 2, 8h, 8w), 1 where told.

    First to be foreground, then background.
    """
    planes = torch.from_numpy(np.stack([told > 0, told < 0], axis=-3)).float()
    return planes.repeat_interleave(HALF, -2).repeat_interleave(HALF, -1)


@dataclass(frozen=True)
class Grid:
    """An image of `shape` (H, W) in cells of `side` pixels, and the squares as large that may be asked about.

    Squares lie half a cell apart: much that is too narrow for cells, which lie where they lie, holds a square that is
    of one class. They are numbered row by row, from one side of the image to the other.

    >>> Grid.of((400, 300), cells=20).cells, Grid.of((400, 300), cells=20).squares
    ((20, 15), (39, 29))
    """

    shape: tuple[int, int]
    side: int

    @classmethod
    def of(cls, shape: tuple[int, int], cells: float) -> "Grid":
        """The grid with about so many cells along the longer side. Raises `InvalidArgumentError` below 1."""
        if not cells >= 1:
            raise InvalidArgumentError(f"cells must be at least 1, got {cells}")
        return cls(shape, min(*shape, max(1, round(max(shape) / cells))))

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        height, width = (-(-extent // self.side) for extent in self.shape)
        return height, width

    @property
    def squares(self) -> tuple[int, int]:
        """Rows and columns of squares."""
        rows, columns = self.cells
        return 2 * rows - 1, 2 * columns - 1

    def regions(self) -> list[Region]:
        """The squares, row by row."""
        rows, columns = self.centres()
        return [Region(int(y), int(x), self.side) for y in rows for x in columns]

    def region(self, number: int) -> Region:
        """The square of this number."""
        rows, columns = self.centres()
        row, column = divmod(number, len(columns))
        return Region(int(rows[row]), int(columns[column]), self.side)

    def number_at(self, y: float, x: float) -> int:
        """The square whose centre is nearest to `(y, x)`; the first of several that lie in the same place."""
        row, column = (
            int(np.abs(centres - place).argmin()) for centres, place in zip(self.centres(), (y, x), strict=True)
        )
        return row * self.squares[1] + column

    def halves(self, number: int) -> tuple[slice, slice]:
        """What of an array of half cells (2h, 2w) this square covers."""
        row, column = divmod(number, self.squares[1])
        return slice(row, row + 2), slice(column, column + 2)

    def is_same(self, number: int) -> NDArray[np.bool_]:
        """Which squares, bool (rows, columns), lie where this one does: in images of hardly a cell several do."""
        rows, columns = self.centres()
        row, column = divmod(number, len(columns))
        return np.asarray((rows == rows[row])[:, None] & (columns == columns[column]), dtype=bool)

    def centres(self) -> tuple[NDArray[np.int_], ...]:
        """Of the rows of squares, and of the columns, in pixels."""
        return tuple(
            np.rint(np.linspace(0, extent - self.side, count)).astype(int) + self.side // 2
            for count, extent in zip(self.squares, self.shape, strict=True)
        )

    def shrink(self, plane: NDArray[np.uint8], side: int = CELL) -> NDArray[np.uint8]:
        """A plane (H, W), or (H, W, C), with `side` pixels to a cell's side, averaged over areas where it shrinks."""
        height, width = (side * count for count in self.cells)
        if plane.shape[:2] == (height, width):
            return plane
        how = cv2.INTER_AREA if self.side >= side else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(plane, (width, height), interpolation=how), dtype=np.uint8)

    def enlarge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of the squares (rows, columns) at each pixel, float32 (H, W): of the one whose middle is nearest."""
        off = (self.side - 1) / 2 - self.side // 2  # of a middle from the pixel that stands for it
        rows, columns = (
            np.abs(np.arange(extent)[:, None] - (centres + off)).argmin(1)
            for centres, extent in zip(self.centres(), self.shape, strict=True)
        )
        return np.asarray(values[rows[:, None], columns], dtype=np.float32)
