"""What the kernels of shared sampling have in common: arrays, rows for threads, blocks of columns, near pixels.

A kernel works on `rows`, from the first to before the last, in blocks of columns. No kernel calls one of another
file but `block_width`, and none reads another file's constants: numba keeps compiled kernels and sees changes
only in a kernel's own file.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.float32]
"""(H, W): one number for each pixel."""

Planes: TypeAlias = NDArray[np.float32]
"""(n, H, W): one contiguous plane per quantity, so that kernels run along rows."""

Labels: TypeAlias = NDArray[np.float32]
"""(H, W): 1 foreground, -1 background, 0 unknown; floats like all that the kernels compare them with."""

Array: TypeAlias = NDArray[Any]

Arrays: TypeAlias = tuple[Array, ...]
"""What belongs together, as one argument of a kernel."""

Rows: TypeAlias = tuple[int, int]
"""The first row a kernel works on, and the one after the last."""

_BLOCK = 128  # columns a kernel works on at once: its buffers stay in the first-level cache
_CHUNK = 16  # rows a thread takes at once


def over_rows(kernel: Callable[..., None], h: int, *arguments: Any) -> None:
    """Call `kernel(rows, *arguments)` on chunks of rows, on numba's number of threads.

    Plain threads around kernels that release the interpreter's lock, because numba's own threads allow
    neither concurrent callers nor a later fork with every threading layer.
    """
    threads = numba.get_num_threads()
    if threads == 1 or h <= _CHUNK:
        kernel((0, h), *arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(kernel, rows, *arguments) for rows in pairwise([*range(0, h, _CHUNK), h])]:
            future.result()


@njit(cache=True, nogil=True)
def block_width(w: int) -> int:
    """The width of equal blocks of at most `_BLOCK` columns."""
    blocks = (w + _BLOCK - 1) // _BLOCK
    return (w + blocks - 1) // blocks


@cache
def nearest_offsets(count: int) -> NDArray[np.int64]:
    """The `count` pixel offsets `(dy, dx)` nearest to (0, 0), by distance, itself first."""
    reach = int(np.sqrt(count)) + 1
    y, x = (a.ravel() for a in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    order = np.lexsort((x, y, y * y + x * x))[:count]
    return np.stack([y[order], x[order]], axis=1)
