"""Shared sampling's third stage: of the samples its rays met, each unknown pixel keeps the best pair.

Where an axis has length 2, 0 is foreground, 1 background.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rays import Met
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Planes, Workers
from active_matting.solvers.sampling.vectors import (
    LANES,
    greatest,
    least,
    load,
    select,
    splat,
    splat_integer,
    square_root,
    store,
)

Offers: TypeAlias = tuple[NDArray[np.float32], Planes]
"""Pairs `(size, 8)`: foreground, background, the variance around either. And the same as lines in colour space, 7
planes: background, the way to the foreground, one over that way's squared length."""

_TINY = np.float32(1e-6)  # keeps quotients finite and an exact colour fit from hiding all else
_FAR = np.float32(1e9)  # the background "colour" of pixels without a sample pair: never a good fit
_TAKEN = 256  # pixels whose pairs are weighed at once
_PITCH = _TAKEN + 16  # of their buffers: were it a power of two, they would drive each other out of the cache
_TOGETHER = 4096  # pixels that are sorted together


def offer_arrays(frame: Frame) -> Offers:
    """What `gather` fills: pairs, and lines, which in the margin are far from any colour."""
    lines = frame.full(7, 0)
    lines[:3] = _FAR
    return np.zeros((frame.size, 8), dtype=np.float32), lines


def gather(
    frame: Frame,
    colour: Planes,
    samples: NDArray[np.float32],
    labels: tuple[Plane, Plane],
    met: Met,
    offers: Offers,
    workers: Workers,
) -> None:
    """Fill `offers` with the best pair of samples of each unknown pixel.

    samples: `(h * w, 6)`: colour, variance, y, x. labels: those by which `offers` is filled, and those by which it is
    to be. A pixel none of whose rays met a foreground sample takes the mean of all of them, likewise for the
    background: it is chosen for anew each time, others if what their rays met is new.
    """
    sums = np.empty((frame.h, 2, 5))
    workers.over(_sum_known, frame.h, frame.place, samples, labels[1], sums)
    total = sums.sum(0)
    means = (total[:, :4] / np.maximum(total[:, 4:], 1)).astype(np.float32)
    image = colour, samples, means
    pixels = _turn_over(frame.place, *labels, met.ranks, met.is_new, offers[1])
    found = pixels, met.ranks, met.hits, met.energies, met.is_new
    workers.over(_gather_pixels, len(pixels), frame.place, image, found, offers, chunk=_TOGETHER)


@njit(cache=True, nogil=True)
def _turn_over(
    place: tuple[int, int, int, int], before: Array, known: Array, ranks: Array, is_new: Array, lines: Array
) -> Array:
    # Withdraw the pairs of pixels that have become known; which others are to be chosen for, as y << 32 | x.
    h, w, first, pitch = place
    pixels = np.empty(h * w + 1, dtype=np.int64)
    n = 0
    for y in range(h):
        for x in range(w):
            at = first + y * pitch + x
            pixels[n] = y << 32 | x  # overwritten unless it is one: no jump to guess
            n += known[at] == 0 and (is_new[y * w + ranks[x]] or before[at] != 0)
            if known[at] != 0 and before[at] == 0:
                lines[0, at] = lines[1, at] = lines[2, at] = _FAR
    return pixels[:n]


@njit(cache=True, nogil=True)
def _sum_known(
    rows: tuple[int, int], place: tuple[int, int, int, int], samples: Array, known: Array, sums: Array
) -> None:
    # Of each row and kind: the sums of the known pixels' colour and variance, and how many they are.
    _, w, first, pitch = place
    for y in range(rows[0], rows[1]):
        sums[y] = 0
        x = 0
        while x < w:
            label, begin = known[first + y * pitch + x], x
            red = green = blue = variance = 0.0
            while x < w and known[first + y * pitch + x] == label:
                at = y * w + x
                red, green = red + samples[at, 0], green + samples[at, 1]
                blue, variance = blue + samples[at, 2], variance + samples[at, 3]
                x += 1
            if label != 0:
                total = sums[y, 0 if label > 0 else 1]
                total[0], total[1], total[2] = total[0] + red, total[1] + green, total[2] + blue
                total[3], total[4] = total[3] + variance, total[4] + (x - begin)


@njit(cache=True, nogil=True)
def _gather_pixels(
    numbers: tuple[int, int],
    place: tuple[int, int, int, int],
    image: Arrays,
    met: Arrays,
    offers: Arrays,
) -> None:
    (colour, samples, means), (pairs, lines) = image, offers
    pixels, ranks, hits, energies, is_new = met
    rays = hits.shape[1]
    around = np.zeros((9, 3, _PITCH), dtype=np.float32)
    given = np.zeros((2, rays, 5, _PITCH), dtype=np.float32)  # colour, variance, squared distance
    likely = np.zeros(_PITCH, dtype=np.float32)
    chosen = np.zeros(_PITCH, dtype=np.int32)
    codes, order = np.empty(_TOGETHER, dtype=np.int32), np.empty(_TOGETHER, dtype=np.int64)
    for top in range(numbers[0], numbers[1], _TOGETHER):
        # Pixels with as many samples are weighed together: no time goes to pairs that are none.
        some_pixels = pixels[top : min(top + _TOGETHER, numbers[1])]
        counts = _sort_pixels(some_pixels, ranks, hits, is_new, codes, order)
        begin = counts[0]
        _keep_means(order[:begin], place, means, pairs, lines)
        for code in range(1, len(counts)):
            f_count, b_count = max(code // (rays + 1), 1), max(code % (rays + 1), 1)
            end = begin + counts[code]
            while begin < end:
                n = min(_TAKEN, end - begin)
                some = order[begin : begin + n]
                _load_samples(some, samples, means, ranks, hits, given)
                if f_count * b_count == 1:
                    chosen[:n] = 0
                else:
                    _weigh_ways(some, ranks, hits, energies, likely)
                    _load_pixels(some, place, colour, around)
                    _choose(around, given, (f_count, b_count), likely, n, chosen)
                _keep(some, place, given, b_count, chosen, pairs, lines)
                begin += n


@njit(cache=True, nogil=True)
def _sort_pixels(pixels: Array, ranks: Array, hits: Array, is_new: Array, codes: Array, order: Array) -> Array:
    # The pixels by how many foreground and background samples they met; those without one kind stay to be chosen for.
    rays = hits.shape[1]
    counts = np.zeros((rays + 1) ** 2, dtype=np.int64)
    for i in range(len(pixels)):
        code, number = 0, _number(pixels[i], ranks)
        for ray in range(rays):
            code += (rays + 1) * (hits[number, ray, 0] >= 0) + (hits[number, ray, 1] >= 0)
        codes[i] = code
        counts[code] += 1
        is_new[number] = code <= rays or code % (rays + 1) == 0
    ends = np.cumsum(counts) - counts
    for i in range(len(pixels)):
        order[ends[codes[i]]] = pixels[i]
        ends[codes[i]] += 1
    return counts


@njit(cache=True, nogil=True)
def _number(pixel: int, ranks: Array) -> int:
    return int((pixel >> 32) * len(ranks) + ranks[pixel & 0xFFFFFFFF])


@njit(cache=True, nogil=True)
def _place(pixel: int, place: tuple[int, int, int, int]) -> int:
    return place[2] + (pixel >> 32) * place[3] + (pixel & 0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _load_pixels(some: Array, place: tuple[int, int, int, int], colour: Array, around: Array) -> None:
    pitch = place[3]
    for lane in range(len(some)):
        at = _place(some[lane], place)
        for k in range(9):
            to = at + (k // 3 - 1) * pitch + k % 3 - 1
            for c in range(3):
                around[k, c, lane] = colour[c, to]


@njit(cache=True, nogil=True)
def _load_samples(some: Array, samples: Array, means: Array, ranks: Array, hits: Array, given: Array) -> None:
    for lane in range(len(some)):
        i, y, x = _number(some[lane], ranks), some[lane] >> 32, some[lane] & 0xFFFFFFFF
        for kind in range(2):
            count = 0
            for ray in range(hits.shape[1]):
                hit = hits[i, ray, kind]
                if hit >= 0:
                    sample, slot = samples[hit], given[kind, count]
                    for c in range(4):
                        slot[c, lane] = sample[c]
                    slot[4, lane] = (sample[4] - np.float32(y)) ** 2 + (sample[5] - np.float32(x)) ** 2
                    count += 1
            if count == 0:
                slot = given[kind, 0]
                for c in range(4):
                    slot[c, lane] = means[kind, c]
                slot[4, lane] = 1


@njit(cache=True, nogil=True)
def _weigh_ways(some: Array, ranks: Array, hits: Array, energies: Array, likely: Array) -> None:
    # PF_p = E_b / (E_f + E_b): the label that costs less to reach is likelier; 1/2 where a side is unseen.
    least = np.empty(2, dtype=np.float32)
    for lane in range(len(some)):
        i = _number(some[lane], ranks)
        for kind in range(2):
            least[kind] = np.inf
            for ray in range(hits.shape[1]):
                if hits[i, ray, kind] >= 0:
                    least[kind] = min(least[kind], energies[i, ray, kind])
        if np.isinf(least[0]) or np.isinf(least[1]):
            likely[lane] = 0.5
        else:
            likely[lane] = (least[1] + _TINY) / (least[0] + least[1] + 2 * _TINY)


@njit(cache=True, nogil=True)
def _choose(around: Array, given: Array, counts: tuple[int, int], likely: Array, n: int, chosen: Array) -> None:
    # The pair with the least g = N_p³ A_p² D_f D_b⁴.
    slot = given.shape[2] * _PITCH
    for x in range(0, n, LANES):
        best, number = splat(np.float32(np.inf)), splat_integer(np.int32(0))
        for i in range(counts[0]):
            f = i * slot + x
            for j in range(counts[1]):
                b = (given.shape[1] + j) * slot + x
                cost = _cost_of_pair(around, given, f, b, load(likely, x), x)
                f_distance, b_distance = load(given, f + 4 * _PITCH), load(given, b + 4 * _PITCH)
                g = cost * square_root(f_distance) * (b_distance * b_distance)
                number = select(g < best, splat_integer(np.int32(i * counts[1] + j)), number)
                best = least(g, best)
        store(chosen, x, number)


@njit(cache=True, nogil=True)
def _cost_of_pair(around: Array, given: Array, f: int, b: int, likely: Any, x: int) -> Any:
    zero, one, tiny = splat(np.float32(0)), splat(np.float32(1)), splat(_TINY)
    br, bg, bb = load(given, b), load(given, b + _PITCH), load(given, b + 2 * _PITCH)
    dr, dg, db = load(given, f) - br, load(given, f + _PITCH) - bg, load(given, f + 2 * _PITCH) - bb
    inverse = one / (dr * dr + dg * dg + db * db + tiny)

    # N_p = Σ over the 3×3 pixels q around p of M_q(F, B)², M_q = ‖C_q - (α̂ F + (1 - α̂) B)‖.
    fit = own = zero
    for k in range(9):
        q = 3 * k * _PITCH + x
        cr, cg, cb = load(around, q) - br, load(around, q + _PITCH) - bg, load(around, q + 2 * _PITCH) - bb
        alpha = least(greatest((cr * dr + cg * dg + cb * db) * inverse, zero), one)
        own = alpha if k == 4 else own
        cr, cg, cb = cr - alpha * dr, cg - alpha * dg, cb - alpha * db
        fit = fit + (cr * cr + cg * cg + cb * cb)

    # N_p³ A_p², A_p = PF_p + (1 - 2 PF_p) α̂_p: alpha should agree with the likelier label.
    a = likely + (one - (likely + likely)) * own + tiny
    m = fit + tiny
    return m * m * m * (a * a)


@njit(cache=True, nogil=True)
def _keep_means(some: Array, place: tuple[int, int, int, int], means: Array, pairs: Array, lines: Array) -> None:
    # As `_keep` does for pixels that met nothing: with few regions those are most.
    given = np.zeros((2, 1, 5, _PITCH), dtype=np.float32)
    for kind in range(2):
        given[kind, 0, :4, 0] = means[kind]
    _keep(some[:1], place, given, 1, np.zeros(1, dtype=np.int32), pairs, lines)
    for i in range(1, len(some)):
        source, at = _place(some[0], place), _place(some[i], place)
        store(pairs, 8 * at, load(pairs, 8 * source))
        for c in range(7):
            lines[c, at] = lines[c, source]


@njit(cache=True, nogil=True)
def _keep(
    some: Array,
    place: tuple[int, int, int, int],
    given: Array,
    b_count: int,
    chosen: Array,
    pairs: Array,
    lines: Array,
) -> None:
    for lane in range(len(some)):
        at = _place(some[lane], place)
        f, b = given[0, chosen[lane] // b_count], given[1, chosen[lane] % b_count]
        square = _TINY
        for c in range(3):
            pairs[at, c], pairs[at, 3 + c] = f[c, lane], b[c, lane]
            way = f[c, lane] - b[c, lane]
            square += way * way
            lines[c, at], lines[3 + c, at] = b[c, lane], way
        lines[6, at] = 1 / square
        pairs[at, 6], pairs[at, 7] = f[3, lane], b[3, lane]
