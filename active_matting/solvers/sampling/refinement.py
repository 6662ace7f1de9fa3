"""Shared sampling's fourth stage: neighbours share their best pairs."""

from typing import Any, TypeAlias

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.gathering import Offers
from active_matting.solvers.sampling.rows import Array, Frame, Planes, Workers, chessboard_offsets
from active_matting.solvers.sampling.vectors import (
    LANES,
    as_bits,
    exponential,
    greatest,
    least,
    load,
    select,
    splat,
    splat_integer,
    square_root,
    store,
)

_Vector: TypeAlias = Any

_GROUP = 64  # blocks
_TINY = np.float32(1e-6)  # keeps quotients finite
_NO_KEY = np.int32(0x7F7FFFFF)  # above every cost that can occur
_NO_PAIR = np.int32(0x50000000)  # a cost that only pixels without a pair have


def refine(
    frame: Frame,
    colour: Planes,
    blocks: Array,
    offers: Offers,
    neighbours: int,
    decay: float,
    refined: Planes,
    workers: Workers,
) -> None:
    """Fill 8 planes with foreground, background, alpha and confidence from the neighbours' best three pairs.

    blocks: those that cover the unknown pixels; what is written of others in them means nothing.
    """
    offsets = chessboard_offsets(neighbours)
    shifts = offsets[:, 0] * frame.pitch + offsets[:, 1]
    workers.share(_refine_blocks, len(blocks), blocks, colour, *offers, shifts, np.float32(decay), refined)


@njit(cache=True, nogil=True)
def _refine_blocks(
    numbers: tuple[int, int],
    blocks: Array,
    colour: Array,
    pairs: Array,
    lines: Array,
    shifts: Array,
    decay: float,
    refined: Array,
) -> None:
    keys = np.empty((_GROUP, 3, LANES), dtype=np.int32)
    means, by_pixel = np.empty((_GROUP, 8, LANES), dtype=np.float32), np.empty((LANES, 8), dtype=np.float32)
    for begin in range(numbers[0], numbers[1], _GROUP):
        # One thing after the other, each for a few blocks: what one of them reads stays in the cache.
        n = min(_GROUP, numbers[1] - begin)
        for i in range(n):
            _best_three(blocks[begin + i], colour, lines, shifts, keys[i])
        for i in range(n):
            for x in range(LANES):
                _average_pairs(blocks[begin + i] + x, x, keys[i], pairs, shifts, by_pixel)
            for x in range(LANES):
                for c in range(8):
                    means[i, c, x] = by_pixel[x, c]
        for i in range(n):
            _refine_block(blocks[begin + i], colour, means[i], decay, refined)


@njit(cache=True, nogil=True)
def _best_three(at: int, colour: Array, lines: Array, shifts: Array, keys: Array) -> None:
    # A key is the bits of a cost ≥ 0, which order as it does, the last eight replaced by the neighbour's
    # number: sorting integers sorts costs, to 15 bits, and ties go to the nearer neighbour.
    size = colour.shape[1]
    r, g, b = load(colour, at), load(colour, size + at), load(colour, 2 * size + at)
    first = second = third = splat_integer(_NO_KEY)
    zero, one, high = splat(np.float32(0)), splat(np.float32(1)), splat_integer(np.int32(-256))
    for k in range(len(shifts)):
        # M_p² = ‖C - B - α̂ (F - B)‖²
        to = at + shifts[k]
        dr, dg, db = load(lines, 3 * size + to), load(lines, 4 * size + to), load(lines, 5 * size + to)
        cr, cg, cb = r - load(lines, to), g - load(lines, size + to), b - load(lines, 2 * size + to)
        alpha = (cr * dr + cg * dg + cb * db) * load(lines, 6 * size + to)
        alpha = least(greatest(alpha, zero), one)
        cr, cg, cb = cr - alpha * dr, cg - alpha * dg, cb - alpha * db

        key = (as_bits(cr * cr + cg * cg + cb * cb) & high) | splat_integer(np.int32(k))
        middle = greatest(first, key)
        first = least(first, key)
        worst = greatest(second, middle)
        second = least(second, middle)
        third = least(third, worst)
    store(keys, 0, first)
    store(keys, LANES, second)
    store(keys, 2 * LANES, third)


@njit(cache=True, nogil=True)
def _average_pairs(at: int, x: int, keys: Array, pairs: Array, shifts: Array, by_pixel: Array) -> None:
    first, second, third = keys[0, x], keys[1, x], keys[2, x]  # in order; the first is a pair, if its own
    mean = load(pairs, 8 * (at + shifts[first & 255]))
    if third < _NO_PAIR:
        mean = mean + load(pairs, 8 * (at + shifts[second & 255])) + load(pairs, 8 * (at + shifts[third & 255]))
        mean = mean * splat(np.float32(1 / 3))
    elif second < _NO_PAIR:
        mean = (mean + load(pairs, 8 * (at + shifts[second & 255]))) * splat(np.float32(0.5))
    store(by_pixel, 8 * x, mean)


@njit(cache=True, nogil=True)
def _refine_block(at: int, colour: Array, means: Array, decay: float, refined: Array) -> None:
    size = colour.shape[1]
    r, g, b = load(colour, at), load(colour, size + at), load(colour, 2 * size + at)
    fr, fg, fb = load(means, 0), load(means, LANES), load(means, 2 * LANES)
    br, bg, bb = load(means, 3 * LANES), load(means, 4 * LANES), load(means, 5 * LANES)

    # Confidence is exp(-λ M_p(F̃, B̃)), and none if both colours become the pixel's own.
    _, square = _project(r, g, b, fr, fg, fb, br, bg, bb)
    confidence = exponential(splat(np.float32(0)) - splat(decay) * square_root(square))

    # A colour within the sample's variance is the pixel's own.
    own_f = _squared(r - fr, g - fg, b - fb) <= load(means, 6 * LANES)
    own_b = _squared(r - br, g - bg, b - bb) <= load(means, 7 * LANES)
    fr, fg, fb = select(own_f, r, fr), select(own_f, g, fg), select(own_f, b, fb)
    br, bg, bb = select(own_b, r, br), select(own_b, g, bg), select(own_b, b, bb)
    alpha, _ = _project(r, g, b, fr, fg, fb, br, bg, bb)
    store(refined, at, fr)
    store(refined, size + at, fg)
    store(refined, 2 * size + at, fb)
    store(refined, 3 * size + at, br)
    store(refined, 4 * size + at, bg)
    store(refined, 5 * size + at, bb)
    store(refined, 6 * size + at, alpha)
    store(refined, 7 * size + at, select(own_f, select(own_b, splat(np.float32(0)), confidence), confidence))


@njit(cache=True, nogil=True)
def _squared(r: _Vector, g: _Vector, b: _Vector) -> _Vector:
    return r * r + g * g + b * b


@njit(cache=True, nogil=True)
def _project(
    r: _Vector, g: _Vector, b: _Vector, fr: _Vector, fg: _Vector, fb: _Vector, br: _Vector, bg: _Vector, bb: _Vector
) -> tuple[_Vector, _Vector]:
    # α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M² = ‖C - (α̂ F + (1 - α̂) B)‖².
    dr, dg, db = fr - br, fg - bg, fb - bb
    r, g, b = r - br, g - bg, b - bb
    alpha = (r * dr + g * dg + b * db) / (_squared(dr, dg, db) + splat(_TINY))
    alpha = least(greatest(alpha, splat(np.float32(0))), splat(np.float32(1)))
    return alpha, _squared(r - alpha * dr, g - alpha * dg, b - alpha * db)
