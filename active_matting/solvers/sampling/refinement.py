"""Shared sampling's fourth stage: neighbours share their best pairs."""

from typing import TypeAlias

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.gathering import Offers
from active_matting.solvers.sampling.rows import (
    LANES,
    Array,
    Arrays,
    Frame,
    Plane,
    Planes,
    Workers,
    chessboard_offsets,
    exponentials,
    next_run,
    run_buffer,
)

_Number: TypeAlias = np.float32

_TINY = np.float32(1e-6)  # keeps quotients finite
_SHORT = 32  # pixels: in runs as short as this, starting loops of any length costs more than their work
_NO_KEY = np.int32(0x7F7FFFFF)  # above every cost that can occur
_NO_PAIR = np.int32(0x50000000)  # a cost that only pixels without a pair have


def refine(
    frame: Frame,
    colour: Planes,
    known: Plane,
    far: Plane,
    offers: Offers,
    neighbours: int,
    decay: float,
    refined: Planes,
    workers: Workers,
) -> None:
    """Fill 8 planes with foreground, background, alpha and confidence from the neighbours' best three pairs.

    far: not 0 where pixels, known ones, are so far from unknown ones that nobody asks for them: they are left out.
    """
    offsets = chessboard_offsets(neighbours)
    shifts = offsets[:, 0] * frame.pitch + offsets[:, 1]
    buffer = run_buffer(frame.w)
    given = colour, known, far, *offers, shifts
    workers.over(_refine_rows, frame.h, frame.place, given, np.float32(decay), buffer, refined)


@njit(cache=True, nogil=True)
def _refine_rows(
    rows: tuple[int, int], place: tuple[int, int, int, int], given: Arrays, decay: float, width: int, refined: Array
) -> None:
    colour, known, far, pairs, lines, shifts = given
    _, w, first, pitch = place
    costs = np.empty((2, width), dtype=np.float32)
    keys = np.empty((3, width), dtype=np.int32)
    mean = np.empty((8, width), dtype=np.float32)
    scratch = np.empty((3, width), dtype=np.float32)
    for y in range(rows[0], rows[1]):
        row = first + y * pitch
        start, stop, _ = next_run(far, row, 0, w)
        while start < w:
            _copy_known(row + start, stop - start, colour, known, refined)
            start, stop, _ = next_run(far, row, stop, w)
        start, stop, n = next_run(known, row, 0, w)
        while start < w:
            at = row + start
            if n <= _SHORT:
                for x in range(0, n, LANES):
                    _best_three_of_vector(at, x, colour, lines, shifts, costs, keys)
            else:
                _best_three(at, n, colour, lines, shifts, costs, keys)
            _average_pairs(at, stop - start, known, keys, pairs, shifts, mean)
            _refine_run(at, stop - start, colour, known, mean, decay, scratch, refined)
            start, stop, n = next_run(known, row, stop, w)


@njit(cache=True, nogil=True)
def _copy_known(at: int, n: int, colour: Array, known: Array, refined: Array) -> None:
    label = known[at : at + n]
    for c in range(8):
        source, target = colour[c % 3, at : at + n], refined[c, at : at + n]
        if c < 6:
            target[:] = source
        elif c == 6:
            for x in range(n):
                target[x] = max(label[x], np.float32(0))
        else:
            target[:] = 1


@njit(cache=True, nogil=True)
def _best_three(at: int, n: int, colour: Array, lines: Array, shifts: Array, costs: Array, keys: Array) -> None:
    # A key is the bits of a cost ≥ 0, which order as it does, the last eight replaced by the neighbour's
    # number: sorting integers sorts costs, to 15 bits, and ties go to the nearer neighbour.
    keys[:, :n] = _NO_KEY
    for k in range(0, len(shifts), 2):
        _cost_of_offer(at, at + shifts[k], n, colour, lines, costs[0])
        if k + 1 < len(shifts):
            _cost_of_offer(at, at + shifts[k + 1], n, colour, lines, costs[1])
            _insert_two(k, n, costs.view(np.int32), keys)
        else:
            _insert_one(k, n, costs.view(np.int32), keys)


@njit(cache=True, nogil=True)
def _best_three_of_vector(
    at: int, lane: int, colour: Array, lines: Array, shifts: Array, costs: Array, keys: Array
) -> None:
    # The same for `LANES` pixels of a run: loops of a constant length start sooner.
    at += lane
    cost, bits = costs[0], costs.view(np.int32)[0]
    r, g, b = colour[0, at : at + LANES], colour[1, at : at + LANES], colour[2, at : at + LANES]
    first, second, third = keys[0, lane : lane + LANES], keys[1, lane : lane + LANES], keys[2, lane : lane + LANES]
    for x in range(LANES):
        first[x] = second[x] = third[x] = _NO_KEY
    for k in range(len(shifts)):
        to = at + shifts[k]
        br, bg, bb = lines[0, to : to + LANES], lines[1, to : to + LANES], lines[2, to : to + LANES]
        dr, dg, db = lines[3, to : to + LANES], lines[4, to : to + LANES], lines[5, to : to + LANES]
        inverse = lines[6, to : to + LANES]
        for x in range(LANES):
            cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
            alpha = (cr * dr[x] + cg * dg[x] + cb * db[x]) * inverse[x]
            alpha = min(max(alpha, np.float32(0)), np.float32(1))
            cr, cg, cb = cr - alpha * dr[x], cg - alpha * dg[x], cb - alpha * db[x]
            cost[x] = cr * cr + cg * cg + cb * cb
        for x in range(LANES):
            key = (bits[x] & np.int32(-256)) | np.int32(k)
            middle = max(first[x], key)
            first[x] = min(first[x], key)
            worst = max(second[x], middle)
            second[x] = min(second[x], middle)
            third[x] = min(third[x], worst)


@njit(cache=True, nogil=True)
def _cost_of_offer(at: int, to: int, n: int, colour: Array, lines: Array, cost: Array) -> None:
    # M_p² = ‖C - B - α̂ (F - B)‖²
    r, g, b = colour[0, at : at + n], colour[1, at : at + n], colour[2, at : at + n]
    br, bg, bb = lines[0, to : to + n], lines[1, to : to + n], lines[2, to : to + n]
    dr, dg, db = lines[3, to : to + n], lines[4, to : to + n], lines[5, to : to + n]
    inverse = lines[6, to : to + n]
    for x in range(n):
        cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
        alpha = (cr * dr[x] + cg * dg[x] + cb * db[x]) * inverse[x]
        alpha = min(max(alpha, np.float32(0)), np.float32(1))
        cr, cg, cb = cr - alpha * dr[x], cg - alpha * dg[x], cb - alpha * db[x]
        cost[x] = cr * cr + cg * cg + cb * cb


@njit(cache=True, nogil=True)
def _insert_one(k: int, n: int, bits: Array, keys: Array) -> None:
    cost, first, second, third = bits[0, :n], keys[0, :n], keys[1, :n], keys[2, :n]
    for x in range(n):
        key = (cost[x] & np.int32(-256)) | np.int32(k)
        middle = max(first[x], key)
        first[x] = min(first[x], key)
        worst = max(second[x], middle)
        second[x] = min(second[x], middle)
        third[x] = min(third[x], worst)


@njit(cache=True, nogil=True)
def _insert_two(k: int, n: int, bits: Array, keys: Array) -> None:
    cost_0, cost_1 = bits[0, :n], bits[1, :n]
    first, second, third = keys[0, :n], keys[1, :n], keys[2, :n]
    for x in range(n):
        key = (cost_0[x] & np.int32(-256)) | np.int32(k)
        one, two, three = first[x], second[x], third[x]
        middle = max(one, key)
        one = min(one, key)
        worst = max(two, middle)
        two = min(two, middle)
        three = min(three, worst)
        key = (cost_1[x] & np.int32(-256)) | np.int32(k + 1)
        middle = max(one, key)
        first[x] = min(one, key)
        worst = max(two, middle)
        second[x] = min(two, middle)
        third[x] = min(three, worst)


@njit(cache=True, nogil=True)
def _average_pairs(at: int, n: int, known: Array, keys: Array, pairs: Array, shifts: Array, mean: Array) -> None:
    for x in range(n):
        if known[at + x] != 0:
            mean[:, x] = 0
            continue
        first, second, third = keys[0, x], keys[1, x], keys[2, x]  # in order; the first is a pair, if its own
        a = pairs[at + x + shifts[first & 255]]
        if third < _NO_PAIR:
            b, c = pairs[at + x + shifts[second & 255]], pairs[at + x + shifts[third & 255]]
            for i in range(8):
                mean[i, x] = (a[i] + b[i] + c[i]) * np.float32(1 / 3)
        elif second < _NO_PAIR:
            b = pairs[at + x + shifts[second & 255]]
            for i in range(8):
                mean[i, x] = (a[i] + b[i]) * np.float32(0.5)
        else:
            for i in range(8):
                mean[i, x] = a[i]


@njit(cache=True, nogil=True)
def _refine_run(
    at: int, n: int, colour: Array, known: Array, mean: Array, decay: float, scratch: Array, refined: Array
) -> None:
    # Confidence is exp(-λ M_p(F̃, B̃)), and none if both colours become the pixel's own.
    exponent, scale = scratch[0, :n], scratch[1, :n]
    r, g, b = colour[0, at : at + n], colour[1, at : at + n], colour[2, at : at + n]
    fr, fg, fb = mean[0, :n], mean[1, :n], mean[2, :n]
    br, bg, bb = mean[3, :n], mean[4, :n], mean[5, :n]
    for x in range(n):
        _, square = _project(r[x], g[x], b[x], fr[x], fg[x], fb[x], br[x], bg[x], bb[x])
        exponent[x] = -decay * np.sqrt(square)
    exponentials(exponent, scratch[2, :n].view(np.int32), scratch[2, :n], scale)

    # A colour within the sample's variance is the pixel's own.
    for x in range(n):
        if known[at + x] == 0:
            own_f = (r[x] - fr[x]) ** 2 + (g[x] - fg[x]) ** 2 + (b[x] - fb[x]) ** 2 <= mean[6, x]
            own_b = (r[x] - br[x]) ** 2 + (g[x] - bg[x]) ** 2 + (b[x] - bb[x]) ** 2 <= mean[7, x]
            for c in range(3):
                refined[c, at + x] = colour[c, at + x] if own_f else mean[c, x]
                refined[3 + c, at + x] = colour[c, at + x] if own_b else mean[3 + c, x]
            refined[7, at + x] = np.float32(0) if own_f and own_b else scale[x]
            refined[6, at + x], _ = _project(
                r[x], g[x], b[x],
                refined[0, at + x], refined[1, at + x], refined[2, at + x],
                refined[3, at + x], refined[4, at + x], refined[5, at + x],
            )  # fmt: skip


@njit(cache=True, nogil=True)
def _project(
    r: _Number, g: _Number, b: _Number, fr: _Number, fg: _Number, fb: _Number, br: _Number, bg: _Number, bb: _Number
) -> tuple[_Number, _Number]:
    # α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M² = ‖C - (α̂ F + (1 - α̂) B)‖².
    dr, dg, db = fr - br, fg - bg, fb - bb
    r, g, b = r - br, g - bg, b - bb
    alpha = (r * dr + g * dg + b * db) / (dr * dr + dg * dg + db * db + _TINY)
    alpha = min(max(alpha, np.float32(0)), np.float32(1))
    r, g, b = r - alpha * dr, g - alpha * dg, b - alpha * db
    return alpha, r * r + g * g + b * b
