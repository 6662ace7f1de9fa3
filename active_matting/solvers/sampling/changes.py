"""What differs between the labels of one solve and of the next: the rest need not be done again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Frame, Plane
from active_matting.solvers.sampling.vectors import LANES, bits_of, load


@dataclass(frozen=True)
class Changed:
    """Which pixels' labels have changed, by rows and by columns."""

    rows: NDArray[np.int32]
    """(h, 2): all of a row's changes lie from the one column to before the other; from 0 to 0 if there are none."""
    columns: NDArray[np.int32]
    """(w, 2): likewise, of each column the rows."""
    are_all: bool = False
    """Whether every pixel's may have."""

    @classmethod
    def all_of(cls, frame: Frame) -> "Changed":
        """Any may have."""
        return cls(_extents(frame.h, 0, frame.w), _extents(frame.w, 0, frame.h), are_all=True)

    @classmethod
    def between(cls, frame: Frame, before: Plane, known: Plane) -> "Changed":
        """Those of which two planes of labels differ."""
        rows, columns = _extents(frame.h, frame.w, 0), _extents(frame.w, frame.h, 0)
        _compare(frame.place, before, known, rows, columns)
        for extents in (rows, columns):
            extents[extents[:, 1] == 0] = 0
        return cls(rows, columns)


def _extents(count: int, begin: int, end: int) -> NDArray[np.int32]:
    return np.tile(np.array([begin, end], dtype=np.int32), (count, 1))


@njit(cache=True, nogil=True)
def _compare(place: tuple[int, int, int, int], before: Array, known: Array, rows: Array, columns: Array) -> None:
    h, w, first, pitch = place
    for y in range(h):
        for near in range(0, w, LANES):
            at = first + y * pitch + near
            if bits_of(load(before, at) != load(known, at)) == 0:
                continue
            for x in range(near, min(near + LANES, w)):
                if before[first + y * pitch + x] != known[first + y * pitch + x]:
                    rows[y, 0], rows[y, 1] = min(rows[y, 0], x), max(rows[y, 1], x + 1)
                    columns[x, 0], columns[x, 1] = min(columns[x, 0], y), max(columns[x, 1], y + 1)
