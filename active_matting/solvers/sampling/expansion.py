"""Shared sampling's first stage: labels grow into like colours."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Frame, Plane, Planes, Workers, nearest_offsets
from active_matting.types import Label, LabelMap

_BITS = 32
# Of a power of two, times this, the leading five bits tell which it is.
_DE_BRUIJN = 0x077CB531
_BIT_OF = np.array([(_DE_BRUIJN << k & 0xFFFFFFFF) >> 27 for k in range(_BITS)]).argsort().astype(np.int8)


@dataclass(frozen=True)
class Likeness:
    """Which pixels around each are of nearly its colour."""

    radius: int
    words: NDArray[np.uint32]
    """(h, ⌈n / 32⌉, w): bit k of them is set if the k-th nearest of the n pixels within the radius is alike."""


def likeness(frame: Frame, colour: Planes, radius: int, threshold: float, workers: Workers) -> Likeness:
    """Compare each pixel with those at most `radius` away: alike are colours at most `threshold` apart."""
    offsets = _offsets(radius)
    words = np.zeros((frame.h, -(-len(offsets) // _BITS), frame.w), dtype=np.uint32)
    shifts = offsets[:, 0] * frame.pitch + offsets[:, 1]
    workers.over(_compare_rows, frame.h, frame.place, colour, shifts, np.float32(threshold * threshold), words)
    return Likeness(radius, words)


def expand(frame: Frame, alike: Likeness, label_map: LabelMap, workers: Workers) -> Plane:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour: 1, -1, 0.

    Pixels in a transition stay unknown: that they are not pure has been told.
    """
    known: Plane = frame.full(1, 0)[0]
    inside = frame.inside(known)
    np.copyto(inside, label_map)
    np.copyto(inside, 0, where=label_map == Label.TRANSITION)
    if alike.radius < 1:
        return known
    side = 2 * alike.radius + 1
    near = cv2.dilate((inside != 0).astype(np.uint8), np.ones((side, side), dtype=np.uint8))
    np.copyto(near, 0, where=label_map != Label.UNLABELLED)
    offsets = _offsets(alike.radius)
    shifts = offsets[:, 0] * frame.pitch + offsets[:, 1]
    expanded: Plane = known.copy()
    workers.over(_expand_rows, frame.h, frame.place, near, alike.words, shifts, known, expanded)
    return expanded


@cache
def _offsets(radius: int) -> NDArray[np.int64]:
    offsets = nearest_offsets((2 * radius + 1) ** 2)[1:]
    near: NDArray[np.int64] = offsets[(offsets**2).sum(1) <= radius * radius]
    return near


@njit(cache=True, nogil=True)
def _compare_rows(
    rows: tuple[int, int],
    place: tuple[int, int, int, int],
    colour: Array,
    shifts: Array,
    squared_threshold: float,
    words: Array,
) -> None:
    _, w, first, pitch = place
    for y in range(rows[0], rows[1]):
        at = first + y * pitch
        r, g, b = colour[0, at : at + w], colour[1, at : at + w], colour[2, at : at + w]
        for k in range(len(shifts)):
            to, bit = at + shifts[k], np.uint32(1 << k % _BITS)
            qr, qg, qb = colour[0, to : to + w], colour[1, to : to + w], colour[2, to : to + w]
            word = words[y, k // _BITS]
            for x in range(w):
                dr, dg, db = r[x] - qr[x], g[x] - qg[x], b[x] - qb[x]
                word[x] |= bit if dr * dr + dg * dg + db * db <= squared_threshold else np.uint32(0)


@njit(cache=True, nogil=True)
def _expand_rows(
    rows: tuple[int, int],
    place: tuple[int, int, int, int],
    near: Array,
    words: Array,
    shifts: Array,
    known: Array,
    expanded: Array,
) -> None:
    _, w, first, pitch = place
    for y in range(rows[0], rows[1]):
        for x in range(w):
            if near[y, x] != 0:
                at = first + y * pitch + x
                expanded[at] = _nearest_label(at, words[y, :, x], shifts, known)


@njit(cache=True, nogil=True)
def _nearest_label(at: int, words: Array, shifts: Array, known: Array) -> float:
    for i in range(len(words)):
        word = np.int64(words[i])
        while word != 0:
            lowest = word & -word
            label = known[at + shifts[i * _BITS + _BIT_OF[(lowest * _DE_BRUIJN & 0xFFFFFFFF) >> 27]]]
            if label != 0:
                return float(label)
            word ^= lowest
    return 0.0
