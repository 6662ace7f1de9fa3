"""Which pixels the stages of shared sampling work on: rows of bits, covered by blocks of eight."""

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Frame, Plane
from active_matting.solvers.sampling.vectors import LANES, bits_of, load, lowest_bit, splat

Bits = NDArray[np.uint64]
"""(h, ⌈w / 64⌉): bit k of word j of a row is that of column 64 j + k."""

Blocks = NDArray[np.int64]
"""(n,): indices of planes; a block is that pixel and the seven to its right, of which some may be in the margin."""

WORD = 64
"""Bits of a word."""


def cover(frame: Frame, bits: Bits) -> Blocks:
    """As few blocks as hold all pixels whose bit is set; no two overlap."""
    blocks: Blocks = _cover(frame.place, bits)
    return blocks


def unknown_bits(frame: Frame, known: Plane) -> Bits:
    """Of the pixels that are unknown."""
    bits: Bits = _unknown_bits(frame.place, known)
    return bits


def dilate(bits: Bits, reach: int) -> Bits:
    """Set all bits within the square that reaches so far to any side of a bit that is set."""
    dilated: Bits = _dilate(bits, reach)
    return dilated


@njit(cache=True, nogil=True)
def shifted_word(row: Array, j: int, shift: int) -> int:
    """Word `j` of a row moved `shift` columns to the left: its bit k is that of column 64 j + k + shift."""
    column = WORD * j + shift
    at, low = column >> 6, column & 63
    here = row[at] if 0 <= at < len(row) else np.uint64(0)
    if low == 0:
        return here
    there = row[at + 1] if 0 <= at + 1 < len(row) else np.uint64(0)
    return (here >> np.uint64(low)) | (there << np.uint64(WORD - low))


@njit(cache=True, nogil=True)
def _dilate(bits: Array, reach: int) -> Array:
    wide = _smear_along_rows(bits, reach, 1) | _smear_along_rows(bits, reach, -1)
    return _smear_down_columns(wide, reach, 1) | _smear_down_columns(wide, reach, -1)


@njit(cache=True, nogil=True)
def _smear_along_rows(bits: Array, reach: int, sign: int) -> Array:
    # To one side, by steps of 1, 2, 4 and so on: one way only, so that nothing has to pass through columns outside.
    h, words = bits.shape
    source, reached = bits, 0
    while reached < reach:
        step = min(reached + 1, reach - reached)
        result = np.empty_like(bits)
        for y in range(h):
            for j in range(words):
                result[y, j] = source[y, j] | shifted_word(source[y], j, sign * step)
        source = result
        reached += step
    return source


@njit(cache=True, nogil=True)
def _smear_down_columns(bits: Array, reach: int, sign: int) -> Array:
    h = len(bits)
    source, reached = bits, 0
    while reached < reach:
        step = min(reached + 1, reach - reached)
        result = source.copy()
        for y in range(h):
            if 0 <= y + sign * step < h:
                result[y] |= source[y + sign * step]
        source = result
        reached += step
    return source


@njit(cache=True, nogil=True)
def _unknown_bits(place: tuple[int, int, int, int], known: Array) -> Array:
    h, w, first, pitch = place
    bits = np.zeros((h, (w + WORD - 1) // WORD), dtype=np.uint64)
    zero = splat(np.float32(0))
    for y in range(h):
        for x in range(0, w, LANES):
            told = bits_of(load(known, first + y * pitch + x) != zero)
            bits[y, x >> 6] |= np.uint64(~told & 255) << np.uint64(x & 63)
    return bits


@njit(cache=True, nogil=True)
def _cover(place: tuple[int, int, int, int], bits: Array) -> Array:
    h, w, first, pitch = place
    blocks = np.empty(h * (w // LANES + 1), dtype=np.int64)
    n = 0
    for y in range(h):
        x = 0
        while x < w:
            word = bits[y, x >> 6] >> np.uint64(x & 63)
            if word == 0:
                x = ((x >> 6) + 1) << 6
            else:
                x += lowest_bit(word)
                if x < w:
                    blocks[n] = first + y * pitch + x
                    n += 1
                x += LANES
    return blocks[:n].copy()
