"""What the kernels of shared sampling have in common: planes in a margin, runs of pixels, rows for threads.

A plane is flat and lies in a margin, so that a neighbour is a constant away and none needs a check. A kernel works on
`rows`, from the first to before the last, in runs of pixels, a run rounded up to whole vectors.
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

from active_matting.compiled import njit

Plane: TypeAlias = NDArray[np.float32]
"""(size,) of a frame: one number for each pixel, and for the margin."""

Planes: TypeAlias = NDArray[np.float32]
"""(n, size): one contiguous plane per quantity, so that kernels run along rows."""

Array: TypeAlias = NDArray[Any]

Arrays: TypeAlias = tuple[Array, ...]

LANES = 16  # runs are multiples of it: no remainder is left for slower code
_LONGEST = 512  # pixels of a run: a kernel's buffers stay in the first-level cache
_GAP = 32  # pixels that need no work but are cheaper to take along than to part a run
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
        """From one row to the next; behind the right margin is room for a run rounded up."""
        # An odd number of cache lines: neighbours above each other do not drive each other out of the cache.
        return (self.w + 2 * self.margin + 2 * LANES - 1) // LANES // 2 * 2 * LANES + LANES

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


@njit(cache=True, nogil=True)
def whole_vectors(n: int) -> int:
    """So many pixels, rounded up."""
    return (n + LANES - 1) // LANES * LANES


@njit(cache=True, nogil=True)
def next_run(todo: Array, row: int, x: int, w: int) -> tuple[int, int, int]:
    """The next run of pixels, from `x` on, of the row that begins at index `row`, in which `todo` is 0.

    Gives its first column, its last plus one, and its length in whole vectors; the first is w if there is none.
    """
    while x < w and todo[row + x] != 0:
        x += 1
    if x >= w:
        return w, w, 0
    last = x
    for column in range(x, min(w, x + _LONGEST)):
        if todo[row + column] == 0:
            last = column
        elif column - last >= _GAP:
            break
    return x, last + 1, whole_vectors(last + 1 - x)


def run_buffer(n: int) -> int:
    """How long a buffer for runs of an image `n` pixels wide must be."""
    return (min(n, _LONGEST) + LANES - 1) // LANES * LANES


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


@njit(cache=True, nogil=True)
def exponentials(exponent: Array, bits: Array, power: Array, result: Array) -> None:
    # exp(x) for x ≤ 0, in vectors: 2^(i + f), 2^i made of its bits (`bits` and `power` are one memory), 2^f a
    # polynomial of degree 6. Good to 2e-7, relative, down to exp(-87), and that for all below.
    for x in range(len(exponent)):
        t = max(exponent[x], np.float32(-87)) * np.float32(1.4426950408889634)
        whole = np.int32(t - np.float32(1)) + np.int32(1)
        whole = whole - np.int32(1) if np.float32(whole) > t else whole
        exponent[x] = t - np.float32(whole)
        bits[x] = (whole + np.int32(127)) << np.int32(23)
    for x in range(len(exponent)):
        f = exponent[x]
        p = np.float32(2.1866e-4)
        p = p * f + np.float32(1.23890e-3)
        p = p * f + np.float32(9.68430e-3)
        p = p * f + np.float32(5.548024e-2)
        p = p * f + np.float32(2.4022984e-1)
        p = p * f + np.float32(6.9314699e-1)
        result[x] = (p * f + np.float32(1)) * power[x]
