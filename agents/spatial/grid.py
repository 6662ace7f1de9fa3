"""The grid of cells on which the spatial agent sees and asks, and pictures as it sees them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region, region_grid

CELL = 8
"""The side of a cell, in pixels, as the network sees it."""


def spread(told: NDArray[np.int8]) -> Tensor:
    """What was told of cells, int8 (..., h, w), as the network sees it: float (..., 2, 8h, 8w), 1 where it is told.

    First to be foreground, then background.
    """
    planes = torch.from_numpy(np.stack([told > 0, told < 0], axis=-3)).float()
    return planes.repeat_interleave(CELL, -2).repeat_interleave(CELL, -1)


@dataclass(frozen=True)
class Grid:
    """Squares of `side` pixels that tile an image of `shape` (H, W), as `region_grid` places them.

    >>> Grid.of((400, 300), cells=20).cells
    (20, 15)
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
        """Rows and columns."""
        height, width = (-(-extent // self.side) for extent in self.shape)
        return height, width

    def regions(self) -> list[Region]:
        """The cells, row by row."""
        return region_grid(self.side, self.shape)

    def region(self, number: int) -> Region:
        """The cell of this number, counted row by row."""
        row, column = divmod(number, self.cells[1])
        top, left = min(row * self.side, self.shape[0] - self.side), min(column * self.side, self.shape[1] - self.side)
        return Region(top + self.side // 2, left + self.side // 2, self.side)

    def number_at(self, y: float, x: float) -> int:
        """The cell whose centre is nearest to `(y, x)`, which tells the last ones apart where these are moved in."""
        row, column = (
            int(np.abs(centres - place).argmin()) for centres, place in zip(self._centres(), (y, x), strict=True)
        )
        return row * self.cells[1] + column

    def _centres(self) -> tuple[NDArray[np.int_], ...]:
        """Of the rows of cells, and of the columns, in pixels."""
        return tuple(
            np.minimum(np.arange(count) * self.side, extent - self.side) + self.side // 2
            for count, extent in zip(self.cells, self.shape, strict=True)
        )

    def shrink(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A plane (H, W), or (H, W, C), with `CELL` pixels to a cell's side, averaged over areas where it shrinks."""
        rows, columns = self.cells
        if plane.shape[:2] == (CELL * rows, CELL * columns):
            return plane
        how = cv2.INTER_AREA if self.side >= CELL else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(plane, (CELL * columns, CELL * rows), interpolation=how), dtype=np.uint8)

    def enlarge(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of the cells (rows, columns) at each pixel, float32 (H, W); where two overlap, of the nearer one."""
        off = (self.side - 1) / 2 - self.side // 2  # of a middle from the pixel that stands for it
        rows, columns = (
            np.abs(np.arange(extent)[:, None] - (centres + off)).argmin(1)
            for centres, extent in zip(self._centres(), self.shape, strict=True)
        )
        return np.asarray(values[rows[:, None], columns], dtype=np.float32)
