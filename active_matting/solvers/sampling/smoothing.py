"""Shared sampling's last stage: colours and alpha are smoothed, weighted by confidence."""

from typing import Any, TypeAlias

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.base import Matte
from active_matting.solvers.sampling.blocks import Bits, Blocks, cover, dilate
from active_matting.solvers.sampling.rows import (
    OUTSIDE,
    Array,
    Arrays,
    Frame,
    Plane,
    Planes,
    Workers,
    nearest_offsets,
)
from active_matting.solvers.sampling.sums import sum_by_difference, sum_square
from active_matting.solvers.sampling.vectors import (
    LANES,
    exponential,
    greatest,
    least,
    load,
    select,
    splat,
    square_root,
    store,
)
from active_matting.types import Image

_Vector: TypeAlias = Any

_TINY = np.float32(1e-6)  # keeps quotients finite

_GROUP = 64  # blocks

TERMS = 13
"""Planes that `smooth` works in."""


def window_radius(neighbours: int) -> int:
    """Of the square of about so many pixels, its side odd."""
    return int((np.sqrt(neighbours) - 1) / 2 + 0.5)


def smooth(
    frame: Frame,
    image: Image,
    colour: Planes,
    known: Plane,
    unknown: tuple[Bits, Blocks],
    refined: Planes,
    neighbours: int,
    decay: float,
    terms: Planes,
    workers: Workers,
) -> Matte:
    """Smooth colours and alpha over the nearest pixels, weighted by confidence.

    unknown: the unknown pixels, and the blocks that cover them; terms: `TERMS` planes to work in, 0 in the margin.
    """
    matte = np.maximum(frame.inside(known), np.float32(0)), image.copy(), image.copy()

    # A Gaussian of variance m / 9π makes the m pixels a disc of three standard deviations. Its peak is 1: known
    # pixels then outweigh others in α_low without silencing them.
    offsets = nearest_offsets(neighbours)
    falloff = -9 * np.pi / (2 * neighbours)
    gauss = np.exp((offsets**2).sum(1) * falloff).astype(np.float32)
    radius = window_radius(neighbours)
    line = np.exp(np.arange(-radius, radius + 1) ** 2 * falloff).astype(np.float32)
    disc = offsets[:, 0] * frame.pitch + offsets[:, 1], gauss, line

    near = cover(frame, dilate(unknown[0], max(int(np.abs(offsets).max()), radius)))
    workers.share(_term_blocks, len(near), near, colour, known, refined, terms)
    given = colour, known, refined, terms
    workers.share(_smooth_blocks, len(unknown[1]), unknown[1], frame.place, given, disc, np.float32(decay), matte)
    return Matte(*matte)


@njit(cache=True, nogil=True)
def _term_blocks(
    numbers: tuple[int, int], blocks: Array, colour: Array, known: Array, refined: Array, terms: Array
) -> None:
    # What the neighbours' sums are made of; f is the confidence:
    # f α, f α F, f (1 - α), f (1 - α) B, f α (1 - α), f α (1 - α) ‖F - B‖, [known], [known] α; and α.
    size = len(known)
    zero, one, outside = splat(np.float32(0)), splat(np.float32(1)), splat(np.float32(OUTSIDE))
    for i in range(numbers[0], numbers[1]):
        at = blocks[i]
        label = load(known, at)
        is_known, is_inside = label != zero, label < outside
        alpha = select(is_known, greatest(label, zero), load(refined, 6 * size + at))
        alpha = select(is_inside, alpha, zero)
        confidence = select(is_known, one, load(refined, 7 * size + at))
        confidence = select(is_inside, confidence, zero)
        square = zero
        f_weight, b_weight = confidence * alpha, confidence * (one - alpha)
        store(terms, at, f_weight)
        store(terms, 4 * size + at, b_weight)
        for c in range(3):
            own = load(colour, c * size + at)
            foreground = select(is_known, own, load(refined, c * size + at))
            background = select(is_known, own, load(refined, (3 + c) * size + at))
            store(terms, (1 + c) * size + at, f_weight * foreground)
            store(terms, (5 + c) * size + at, b_weight * background)
            way = foreground - background
            square = square + way * way
        mixed = f_weight * (one - alpha)
        store(terms, 8 * size + at, mixed)
        store(terms, 9 * size + at, mixed * square_root(square))
        told = select(is_inside, select(is_known, one, zero), zero)
        store(terms, 10 * size + at, told)
        store(terms, 11 * size + at, alpha * told)
        store(terms, 12 * size + at, alpha)


@njit(cache=True, nogil=True)
def _smooth_blocks(
    numbers: tuple[int, int],
    blocks: Array,
    place: tuple[int, int, int, int],
    given: Arrays,
    disc: Arrays,
    decay: float,
    matte: Arrays,
) -> None:
    colour, known, refined, terms = given
    shifts, gauss, line = disc
    _, _, first, pitch = place
    sums = np.zeros((_GROUP, 14, LANES), dtype=np.float32)
    for begin in range(numbers[0], numbers[1], _GROUP):
        # One thing after the other, each for a few blocks: together they would read more planes than the cache holds.
        n = min(_GROUP, numbers[1] - begin)
        for i in range(n):
            sum_by_difference(blocks[begin + i], terms, shifts, gauss, sums[i])
        for i in range(n):
            sum_square(blocks[begin + i], pitch, terms, line, sums[i])
        for i in range(n):
            _finish(blocks[begin + i], colour, refined, sums[i], decay)
        for i in range(n):
            _store(blocks[begin + i], first, pitch, known, sums[i], matte)


@njit(cache=True, nogil=True)
def _finish(at: int, colour: Array, refined: Array, sums: Array, decay: float) -> None:
    # Leave colours where their sums were, and alpha where f α was.
    # F = Σ W_c α F / Σ W_c α and likewise B; where nothing has weight the refined colour stays.
    size = colour.shape[1]
    zero, one = splat(np.float32(0)), splat(np.float32(1))
    for kind in range(2):
        weight = load(sums, 4 * kind * LANES)
        has_weight = weight > zero
        for c in range(3):
            value = load(sums, (4 * kind + 1 + c) * LANES) / select(has_weight, weight, one)
            stays = load(refined, (3 * kind + c) * size + at)
            store(sums, (4 * kind + 1 + c) * LANES, select(has_weight, value, stays))

    # f = min(1, ‖F - B‖ / D_FB) exp(-λ M(F, B)), D_FB the neighbours' mean of ‖F - B‖.
    square = dot = from_background = zero
    for c in range(3):
        background = load(sums, (5 + c) * LANES)
        way, own = load(sums, (1 + c) * LANES) - background, load(colour, c * size + at) - background
        square, dot = square + way * way, dot + own * way
    projected = least(greatest(dot / (square + splat(_TINY)), zero), one)
    for c in range(3):
        background = load(sums, (5 + c) * LANES)
        way, own = load(sums, (1 + c) * LANES) - background, load(colour, c * size + at) - background
        off = own - projected * way
        from_background = from_background + off * off
    mixed, apart = load(sums, 8 * LANES), load(sums, 9 * LANES)
    is_mixed = apart > zero
    ratio = square_root(square) * mixed / select(is_mixed, apart, one)
    ratio = select(is_mixed, least(one, ratio), one)
    confidence = ratio * exponential(zero - splat(decay) * square_root(from_background))

    # α = f α̂ + (1 - f) α_low, α_low = Σ W_α α / Σ W_α, W_α = G f_q + [q is known].
    told, f_sure = load(sums, 10 * LANES), load(sums, 12 * LANES)
    total = f_sure + load(sums, 13 * LANES) + told
    has_weight = total > zero
    low = (f_sure + load(sums, 11 * LANES)) / select(has_weight, total, one)
    low = select(has_weight, low, load(refined, 6 * size + at))
    alpha = confidence * projected + (one - confidence) * low
    store(sums, 0, least(greatest(alpha, zero), one))


@njit(cache=True, nogil=True)
def _store(at: int, first: int, pitch: int, known: Array, sums: Array, matte: Arrays) -> None:
    alpha, foreground, background = matte
    y, column = (at - first) // pitch, (at - first) % pitch
    for x in range(LANES):
        if known[at + x] == 0:
            alpha[y, column + x] = sums[0, x]
            for c in range(3):
                foreground[y, column + x, c] = sums[1 + c, x]
                background[y, column + x, c] = sums[5 + c, x]
