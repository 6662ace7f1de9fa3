"""Where rays can come out of labelled areas."""

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.blocks import WORD, shifted_word
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane
from active_matting.solvers.sampling.vectors import LANES, bits_of, load, lowest_bit, splat


def edges_of(frame: Frame, known: Plane) -> tuple[Arrays, Arrays]:
    """The edges of the image, and of the transposed image.

    Each is columns, begins and which rows hold any label: `columns[begins[way, y, kind] : begins[way, y, kind + 1]]`
    are those of row y whose label is foreground (kind 0) or background (1) and one of whose three neighbours in the
    row above (way 0) or below (1) is labelled otherwise, or not at all. A ray that comes out of a labelled area
    towards these neighbours comes through one of the edges.
    """
    bits = _label_bits(frame.place, known)
    return _edges(bits, frame.h), _edges(_transposed(bits, frame.w), frame.w)


@njit(cache=True, nogil=True)
def _label_bits(place: tuple[int, int, int, int], known: Array) -> Array:
    # Rows are filled up to whole words: the last are 0.
    h, w, first, pitch = place
    bits = np.zeros((2, (h + WORD - 1) // WORD * WORD, (w + WORD - 1) // WORD), dtype=np.uint64)
    labels = splat(np.float32(1)), splat(np.float32(-1))
    for y in range(h):
        for x in range(0, w, LANES):
            here = load(known, first + y * pitch + x)
            for kind in range(2):
                bits[kind, y, x // WORD] |= np.uint64(bits_of(here == labels[kind])) << np.uint64(x % WORD)
    return bits


@njit(cache=True, nogil=True)
def _transposed(bits: Array, w: int) -> Array:
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
def _edges(bits: Array, h: int) -> tuple[Array, Array, Array]:
    words = bits.shape[2]
    columns = np.empty(4 * h * words * WORD, dtype=np.int32)  # more than there can be; untouched memory costs nothing
    begins, has_labels = np.zeros((2, h, 3), dtype=np.int64), np.zeros(h, dtype=np.bool_)
    n = 0
    for way in range(2):
        for y in range(h):
            to = y + 2 * way - 1
            for kind in range(2):
                begins[way, y, kind] = n
                for j in range(words):
                    here = bits[kind, y, j]
                    has_labels[y] |= here != 0
                    if here == 0 or to < 0 or to >= h:
                        continue
                    row = bits[kind, to]
                    edge = here & ~(row[j] & shifted_word(row, j, 1) & shifted_word(row, j, -1))
                    while edge != 0:
                        columns[n] = WORD * j + lowest_bit(edge)
                        n += 1
                        edge &= edge - np.uint64(1)
            begins[way, y, 2] = n
    return columns[:n], begins, has_labels
