"""Shared sampling's first stage: labels grow into like colours."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.blocks import WORD, bits_where, dilate
from active_matting.solvers.sampling.rows import OUTSIDE, Array, Frame, Plane, Planes, Workers, nearest_offsets
from active_matting.solvers.sampling.vectors import LANES, bits_of, load, lowest_bit, splat
from active_matting.types import Label, LabelMap

_TRANSITION = int(Label.TRANSITION)


@dataclass(frozen=True)
class Likeness:
    """Which pixels around each are of nearly its colour."""

    radius: int
    words: NDArray[np.uint64]
    """(h, ⌈w / 64⌉, n): bit i of word j of a row is set if, of the n pixels within the radius around that of column
    64 j + i, the k-th nearest is alike."""


def likeness(frame: Frame, colour: Planes, radius: int, threshold: float, workers: Workers) -> Likeness:
    """Compare each pixel with those at most `radius` away: alike are colours at most `threshold` apart."""
    offsets = _offsets(radius)
    words = np.zeros((frame.h, -(-frame.w // WORD), len(offsets)), dtype=np.uint64)
    shifts = offsets[:, 0] * frame.pitch + offsets[:, 1]
    workers.over(_compare_rows, frame.h, frame.place, colour, shifts, np.float32(threshold * threshold), words)
    return Likeness(radius, words)


def expand(frame: Frame, alike: Likeness, label_map: LabelMap, workers: Workers) -> Plane:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour: 1, -1, 0.

    Pixels in a transition stay unknown: that they are not pure has been told. The margin holds `OUTSIDE`.
    """
    known: Plane = frame.full(1, OUTSIDE)[0]
    bits = _label_bits(frame.place, label_map, known)
    if alike.radius >= 1:
        offsets = _offsets(alike.radius)
        is_labelled = bits[0] | bits[1]
        near = dilate(is_labelled, alike.radius)
        margins = alike.radius, -(-alike.radius // WORD)
        labelled = np.pad([is_labelled, bits[0]], ((0, 0), (margins[0], margins[0]), (margins[1], margins[1] + 1)))
        columns = labelled.shape[2]
        places = np.stack([offsets[:, 0] * columns + offsets[:, 1] // WORD, offsets[:, 1] % WORD], axis=1)
        given = bits[2] & near, labelled.reshape(2, -1), margins[0] * columns + margins[1], columns
        workers.over(_expand_rows, frame.h, frame.place, given, alike.words, places, known)
    return known


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
    size = colour.shape[1]
    threshold = splat(squared_threshold)
    for y in range(rows[0], rows[1]):
        for x in range(0, w, LANES):
            at = first + y * pitch + x
            r, g, b = load(colour, at), load(colour, size + at), load(colour, 2 * size + at)
            for k in range(len(shifts)):
                to = at + shifts[k]
                dr, dg, db = r - load(colour, to), g - load(colour, size + to), b - load(colour, 2 * size + to)
                is_alike = np.uint64(bits_of(dr * dr + dg * dg + db * db <= threshold))
                words[y, x // WORD, k] |= is_alike << np.uint64(x % WORD)


@njit(cache=True, nogil=True)
def _label_bits(place: tuple[int, int, int, int], label_map: Array, known: Array) -> Array:
    # Of foreground, background and unlabelled pixels; and the labels, without transitions, into `known`.
    h, w, first, pitch = place
    bits = np.empty((3, h, (w + WORD - 1) // WORD), dtype=np.uint64)
    for y in range(h):
        row = known[first + y * pitch : first + y * pitch + w]
        for x in range(w):
            row[x] = label_map[y, x]
    bits_where(place, known, 1, bits[0])
    bits_where(place, known, -1, bits[1])
    bits_where(place, known, 0, bits[2])
    for y in range(h):
        row = known[first + y * pitch : first + y * pitch + w]
        for x in range(w):
            row[x] = np.float32(0) if row[x] == _TRANSITION else row[x]
    return bits


@njit(cache=True, nogil=True)
def _expand_rows(
    rows: tuple[int, int],
    place: tuple[int, int, int, int],
    given: tuple[Array, Array, int, int],
    alike: Array,
    places: Array,
    known: Array,
) -> None:
    _, _, first, pitch = place
    growing, labelled, origin, columns = given
    is_labelled, is_foreground = labelled
    for y in range(rows[0], rows[1]):
        for j in range(growing.shape[1]):
            left, words = growing[y, j], alike[y, j]
            if left == 0:
                continue
            foreground = background = np.uint64(0)
            for k in range(len(words)):
                at, low = origin + y * columns + j + places[k, 0], places[k, 1]
                could = left & words[k]
                found = could & _funnel(is_labelled, at, low)
                if found != 0:
                    is_f = found & _funnel(is_foreground, at, low)
                    foreground, background = foreground | is_f, background | (found ^ is_f)
                    left ^= found
                    if left == 0:
                        break
            _label(foreground, first + y * pitch + WORD * j, 1, known)
            _label(background, first + y * pitch + WORD * j, -1, known)


@njit(cache=True, nogil=True)
def _funnel(words: Array, at: int, low: int) -> Any:
    # 64 bits, from bit `low` of a word on.
    return (words[at] >> np.uint64(low)) | ((words[at + 1] << np.uint64(1)) << np.uint64(63 - low))


@njit(cache=True, nogil=True)
def _label(bits: Any, at: int, label: int, known: Array) -> None:
    while bits != 0:
        known[at + lowest_bit(bits)] = label
        bits &= bits - np.uint64(1)
