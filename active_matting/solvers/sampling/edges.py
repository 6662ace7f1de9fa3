"""Where rays can come out of labelled areas."""

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.blocks import WORD, bits_where
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane
from active_matting.solvers.sampling.vectors import lowest_bit


def edges_of(frame: Frame, known: Plane) -> tuple[Arrays, Arrays]:
    """The edges of the image, and of the transposed image.

    Each is columns and begins: `columns[begins[way, y, kind] : begins[way, y, kind + 1]]`
    are those of row y whose label is foreground (kind 0) or background (1) and one of whose three neighbours in the
    row above (way 0) or below (1) is labelled otherwise, or not at all. A ray that comes out of a labelled area
    towards these neighbours comes through one of the edges.
    """
    # Filled up to whole words, also in height, with zeros.
    bits = np.zeros((2, -(-frame.h // WORD) * WORD, -(-frame.w // WORD)), dtype=np.uint64)
    for kind in range(2):
        bits_where(frame.place, known, 1 - 2 * kind, bits[kind])
    return _edges(bits, frame.h), _edges(_transposed(bits), frame.w)


@njit(cache=True, nogil=True)
def _transposed(bits: Array) -> Array:
    # Squares of 64 × 64 bits, each by exchanging its quarters, then theirs, and so on.
    kinds, h, words = bits.shape
    result = np.empty((kinds, words * WORD, h // WORD), dtype=np.uint64)
    square = np.empty(WORD, dtype=np.uint64)
    for kind in range(kinds):
        for i in range(h // WORD):
            for j in range(words):
                square[:] = bits[kind, i * WORD : (i + 1) * WORD, j]
                half, mask = WORD // 2, np.uint64(0xFFFFFFFF)
                while half > 0:
                    for k in range(WORD):
                        if k & half == 0:
                            moved = ((square[k] >> np.uint64(half)) ^ square[k + half]) & mask
                            square[k] ^= moved << np.uint64(half)
                            square[k + half] ^= moved
                    half //= 2
                    mask ^= mask << np.uint64(half)
                result[kind, j * WORD : (j + 1) * WORD, i] = square
    return result


@njit(cache=True, nogil=True)
def _edges(bits: Array, h: int) -> tuple[Array, Array]:
    words = bits.shape[2]
    columns = np.empty(4 * h * words * WORD, dtype=np.int32)  # more than there can be; untouched memory costs nothing
    begins = np.zeros((2, h, 3), dtype=np.int64)
    n = 0
    for way in range(2):
        for y in range(h):
            to = y + 2 * way - 1
            for kind in range(2):
                begins[way, y, kind] = n
                left, middle = np.uint64(0), bits[kind, to, 0] if 0 <= to < h else np.uint64(0)
                for j in range(words):
                    here = bits[kind, y, j]
                    if to < 0 or to >= h:
                        continue
                    right = bits[kind, to, j + 1] if j + 1 < words else np.uint64(0)
                    same = middle & ((middle << np.uint64(1)) | (left >> np.uint64(63)))
                    edge = here & ~(same & ((middle >> np.uint64(1)) | (right << np.uint64(63))))
                    left, middle = middle, right
                    while edge != 0:
                        columns[n] = WORD * j + lowest_bit(edge)
                        n += 1
                        edge &= edge - np.uint64(1)
            begins[way, y, 2] = n
    return columns[:n], begins
