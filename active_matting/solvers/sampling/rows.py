"""What the kernels of shared sampling have in common: planes in a margin, and items, such as rows, for threads.

A plane is flat and lies in a margin, so that a neighbour is a constant away and none needs a check. A kernel works on
items from the first to before the last.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]
"""(size,) of a frame: one number for each pixel, and for the margin."""

Planes: TypeAlias = NDArray[np.float32]
"""(n, size): one contiguous plane per quantity, so that kernels run along rows."""

Array: TypeAlias = NDArray[Any]

Arrays: TypeAlias = tuple[Array, ...]

_LINE = 16  # numbers of a line of the cache; a vector of pixels is at most as long
_CHUNK = 16  # rows a thread takes at once
_SHARES = 4  # so many chunks for each thread, that none waits long for another
OUTSIDE = 2  # what `known` holds in the margin


@dataclass(frozen=True)
class Frame:
    """Where a pixel lies in a plane: (y, x) at `(margin + y) * pitch + margin + x`."""

    h: int
    w: int
    margin: int

    @property
    def pitch(self) -> int:
        """From one row to the next; behind the right margin is room for a vector's rest."""
        # An odd number of cache lines: neighbours above each other do not drive each other out of the cache.
        return (self.w + 2 * self.margin + 2 * _LINE - 1) // _LINE // 2 * 2 * _LINE + _LINE

    @property
    def size(self) -> int:
        """Of a plane."""
        return (self.h + 2 * self.margin) * self.pitch

    @property
    def place(self) -> tuple[int, int, int, int]:
        """What kernels need: h, w, the first pixel's index and the pitch."""
        return self.h, self.w, self.margin * self.pitch + self.margin, self.pitch

    def full(self, n: int, value: float) -> Planes:
        """`n` planes of one value."""
        return np.full((n, self.size), value, dtype=np.float32)

    def inside(self, planes: Array) -> Array:
        """The planes without their margins, as a view `(..., h, w)`."""
        deep = planes.reshape(*planes.shape[:-1], self.h + 2 * self.margin, self.pitch)
        return deep[..., self.margin : self.margin + self.h, self.margin : self.margin + self.w]

    def pad(self, planes: Array) -> Planes:
        """Planes `(n, h, w)` with the pixels at the edge repeated over the margin."""
        right = self.pitch - self.w - self.margin
        widths = ((0, 0), (self.margin, self.margin), (self.margin, right))
        return np.pad(planes, widths, mode="edge").reshape(len(planes), self.size).astype(np.float32, copy=False)


class Workers:
    """Threads for the rows of one solve, to be used in a `with` statement; one thread needs none.

    Plain threads around kernels that release the interpreter's lock, because numba's own threads allow
    neither concurrent callers nor a later fork with every threading layer.
    """

    def __init__(self, threads: int) -> None:
        self._others = threads - 1  # beside the caller's own
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def over(self, kernel: Callable[..., None], count: int, *arguments: Any, chunk: int = _CHUNK) -> None:
        """Call `kernel(rows, *arguments)` on chunks of `count` rows, and wait for them."""
        if self._pool is None or count <= chunk:
            kernel((0, count), *arguments)
            return
        chunks = iter(list(pairwise([*range(0, count, chunk), count])))

        def work() -> None:
            for rows in chunks:  # each thread takes the next that nobody has taken
                kernel(rows, *arguments)

        futures = [self._pool.submit(work) for _ in range(self._others)]
        work()
        for future in futures:
            future.result()

    def share(self, kernel: Callable[..., None], count: int, *arguments: Any) -> None:
        """The same in a few chunks for each thread: for items that are as much work as any other."""
        self.over(kernel, count, *arguments, chunk=max(1, -(-count // (_SHARES * (self._others + 1)))))


@cache
def nearest_offsets(count: int) -> NDArray[np.int64]:
    """The `count` pixel offsets `(dy, dx)` nearest to (0, 0), by distance, itself first."""
    reach = int(np.sqrt(count)) + 1
    y, x = (a.ravel() for a in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    order = np.lexsort((x, y, y * y + x * x))[:count]
    return np.stack([y[order], x[order]], axis=1)


@cache
def chessboard_offsets(count: int) -> NDArray[np.int64]:
    """The nearest `count` of one colour of a chessboard: as dense to any side, and reaching further."""
    offsets = nearest_offsets(3 * count)
    chosen: NDArray[np.int64] = offsets[offsets.sum(1) % 2 == 0][:count]
    return chosen
