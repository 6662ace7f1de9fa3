"""Which pixels the stages of shared sampling work on: rows of bits, covered by blocks of eight."""

from typing import Any

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
    """As few blocks as hold all pixels whose bit is set, by rows; no two overlap."""
    blocks: Blocks = _cover(frame.place, bits)
    return blocks


def unknown_bits(frame: Frame, known: Plane) -> Bits:
    """Of the pixels that are unknown."""
    bits = np.empty((frame.h, -(-frame.w // WORD)), dtype=np.uint64)
    bits_where(frame.place, known, 0, bits)
    return bits


def dilate(bits: Bits, reach: int) -> Bits:
    """Set all bits within the square that reaches so far to any side of a bit that is set."""
    dilated: Bits = _dilate(bits, reach)
    return dilated


@njit(cache=True, nogil=True)
def _dilate(bits: Array, reach: int) -> Array:
    # Along rows in as many turns as words are reached, then down the columns.
    h, words = bits.shape
    wide, result = bits, np.empty_like(bits)
    for begin in range(0, reach, WORD - 1):
        turn, source, wide = min(WORD - 1, reach - begin), wide, np.empty_like(bits)
        for y in range(h):
            before, here = np.uint64(0), source[y, 0]
            for j in range(words):
                after = source[y, j + 1] if j + 1 < words else np.uint64(0)
                wide[y, j] = _smear(before, here, after, turn)
                before, here = here, after
    for y in range(h):
        for j in range(words):
            result[y, j] = wide[y, j]
        for near in range(max(y - reach, 0), min(y + reach + 1, h)):
            for j in range(words):
                result[y, j] |= wide[near, j]
    return result


@njit(cache=True, nogil=True)
def _smear(before: Any, here: Any, after: Any, reach: int) -> Any:
    # `here` with all bits set that are at most so far from one that is set, by steps of 1, 2, 4 and so on.
    left, right, reached = here, here, 0
    while reached < reach:
        step = min(reached + 1, reach - reached)
        s, rest = np.uint64(step), np.uint64(WORD - step)
        left |= (left << s) | (before >> rest)
        right |= (right >> s) | (after << rest)
        before |= before << s
        after |= after >> s
        reached += step
    return left | right


@njit(cache=True, nogil=True)
def bits_where(place: tuple[int, int, int, int], plane: Array, value: float, bits: Array) -> None:
    """Set bits `(rows, words)`, of which there may be more than needed, where an image's plane has a value."""
    h, w, first, pitch = place
    wanted = splat(np.float32(value))
    for y in range(h):
        for j in range((w + WORD - 1) // WORD):
            word = np.uint64(0)
            for x in range(WORD * j, min(WORD * (j + 1), w), LANES):
                word |= np.uint64(bits_of(load(plane, first + y * pitch + x) == wanted)) << np.uint64(x % WORD)
            bits[y, j] = word


@njit(cache=True, nogil=True)
def _cover(place: tuple[int, int, int, int], bits: Array) -> Array:
    h, w, first, pitch = place
    blocks = np.empty(h * (w // LANES + 1), dtype=np.int64)
    n = 0
    for y in range(h):
        x = 0
        while x < w:
            word = bits[y, x // WORD] >> np.uint64(x % WORD)
            if word == 0:
                x = (x // WORD + 1) * WORD
                continue
            x += lowest_bit(word)
            if x < w:
                blocks[n] = first + y * pitch + x
                n += 1
            x += LANES
    return blocks[:n].copy()
