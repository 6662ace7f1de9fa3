"""Shared sampling's last two stages: neighbours share their best pairs; colours and alpha are smoothed.

What is known of a pixel, refined, is 8 numbers: foreground, background, alpha, confidence.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from active_matting.solvers.base import Matte
from active_matting.solvers.shared_rows import (
    Array,
    Arrays,
    Labels,
    Planes,
    Rows,
    block_width,
    nearest_offsets,
    over_rows,
)
from active_matting.types import Image

_TINY = np.float32(1e-6)  # keeps quotients finite
_FAR = np.float32(1e9)  # the background "colour" of pixels without a sample pair: never a good fit
_NO_KEY = np.int32(0x7F7FFFFF)  # above every cost that can occur


def refine(
    image: Image, colour: Planes, known: Labels, pairs: NDArray[np.float32], neighbours: int, decay: float
) -> NDArray[np.float32]:
    """Foreground, background, alpha and confidence from the neighbours' best three pairs, (H, W, 8)."""
    h, w = known.shape
    refined = np.empty((h, w, 8), dtype=np.float32)
    lines = np.empty((7, h, w), dtype=np.float32)
    offsets = nearest_offsets(3 * neighbours)
    offsets = offsets[offsets.sum(1) % 2 == 0][:neighbours]  # one colour of a chessboard
    over_rows(_line_rows, h, known, pairs, lines)
    over_rows(_refine_rows, h, image, colour, known, (pairs, lines), offsets, np.float32(decay), refined)
    return refined


@njit(cache=True, nogil=True)
def _line_rows(rows: Rows, known: Array, pairs: Array, lines: Array) -> None:
    # A pair as its background, the way to its foreground, and one over that way's squared length.
    for y in range(rows[0], rows[1]):
        for x in range(known.shape[1]):
            pair = pairs[y, x]
            square = _TINY
            for c in range(3):
                way = pair[c] - pair[3 + c]
                square += way * way
                lines[c, y, x] = pair[3 + c] if known[y, x] == 0 else _FAR
                lines[3 + c, y, x] = way
            lines[6, y, x] = 1 / square


@njit(cache=True, nogil=True)
def _refine_rows(
    rows: Rows, image: Array, colour: Array, known: Array, given: Arrays, offsets: Array, decay: float, refined: Array
) -> None:
    pairs, lines = given
    w = known.shape[1]
    width = block_width(w)
    buffer = np.empty(width, dtype=np.float32)
    keys = np.empty((3, width), dtype=np.int32)
    mean = np.empty(8, dtype=np.float32)
    for y in range(rows[0], rows[1]):
        for start in range(0, w, width):
            stop = min(start + width, w)
            if not np.all(known[y, start:stop] != 0):
                _best_three(y, start, stop, colour, lines, offsets, buffer, keys)
            for x in range(start, stop):
                if known[y, x] == 0:
                    _average_pairs(y, x, keys[:, x - start], pairs, offsets, mean)
                    _refine_pixel(image[y, x], mean, decay, refined[y, x])
                else:
                    refined[y, x, :3], refined[y, x, 3:6] = image[y, x], image[y, x]
                    refined[y, x, 6], refined[y, x, 7] = max(known[y, x], np.float32(0)), 1


@njit(cache=True, nogil=True)
def _best_three(
    y: int, start: int, stop: int, colour: Array, lines: Array, offsets: Array, buffer: Array, keys: Array
) -> None:
    # A key is the bits of a cost ≥ 0, which order as it does, the last eight replaced by the neighbour's
    # number: sorting integers sorts costs, to 15 bits, and ties go to the nearer neighbour.
    h, w = colour.shape[1:]
    keys[:] = _NO_KEY
    for k in range(len(offsets)):
        qy, dx = y + offsets[k, 0], offsets[k, 1]
        low, high = max(start, -dx), min(stop, w - dx)
        n = high - low
        if qy < 0 or qy >= h or n <= 0:
            continue
        r, g, b = colour[0, y, low:high], colour[1, y, low:high], colour[2, y, low:high]
        left, right = low + dx, high + dx
        br, bg, bb = lines[0, qy, left:right], lines[1, qy, left:right], lines[2, qy, left:right]
        dr, dg, db = lines[3, qy, left:right], lines[4, qy, left:right], lines[5, qy, left:right]
        inverse = lines[6, qy, left:right]

        # M_p² = ‖C - B - α̂ (F - B)‖²
        cost = buffer[:n]
        for x in range(n):
            cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
            alpha = (cr * dr[x] + cg * dg[x] + cb * db[x]) * inverse[x]
            alpha = min(max(alpha, np.float32(0)), np.float32(1))
            cr, cg, cb = cr - alpha * dr[x], cg - alpha * dg[x], cb - alpha * db[x]
            cost[x] = cr * cr + cg * cg + cb * cb

        bits = cost.view(np.int32)
        first, second, third = keys[0, low - start :], keys[1, low - start :], keys[2, low - start :]
        for x in range(n):
            key = (bits[x] & np.int32(-256)) | np.int32(k)
            middle = max(first[x], key)
            first[x] = min(first[x], key)
            worst = max(second[x], middle)
            second[x] = min(second[x], middle)
            third[x] = min(third[x], worst)


@njit(cache=True, nogil=True)
def _average_pairs(y: int, x: int, keys: Array, pairs: Array, offsets: Array, mean: Array) -> None:
    mean[:] = 0
    count = 0
    for key in keys:
        if key < 0x50000000:  # a cost that only pixels without a pair have
            k = key & 255
            qy, qx = y + offsets[k, 0], x + offsets[k, 1]
            for c in range(8):
                mean[c] += pairs[qy, qx, c]
            count += 1
    for c in range(8):
        mean[c] /= np.float32(count)


@njit(cache=True, nogil=True)
def _refine_pixel(colour: Array, mean: Array, decay: float, refined: Array) -> None:
    # Confidence is exp(-λ M_p(F̃, B̃)), and none if both colours become the pixel's own.
    _, distance = _project(colour, mean[:3], mean[3:6])
    f_distance = np.float32(0)
    b_distance = np.float32(0)
    for c in range(3):
        f_distance += (colour[c] - mean[c]) ** 2
        b_distance += (colour[c] - mean[3 + c]) ** 2
    is_f, is_b = f_distance <= mean[6], b_distance <= mean[7]
    refined[7] = np.float32(0) if is_f and is_b else np.exp(-decay * distance)

    # A colour within the sample's variance is the pixel's own.
    for c in range(3):
        refined[c] = colour[c] if is_f else mean[c]
        refined[3 + c] = colour[c] if is_b else mean[3 + c]
    refined[6] = _project(colour, refined[:3], refined[3:6])[0]


@njit(cache=True, nogil=True)
def _project(colour: Array, foreground: Array, background: Array) -> tuple[np.float32, np.float32]:
    # α̂ = (C - B)·(F - B) / ‖F - B‖² in [0, 1], and M = ‖C - (α̂ F + (1 - α̂) B)‖.
    dot, square = np.float32(0), _TINY
    for c in range(3):
        way = foreground[c] - background[c]
        dot += (colour[c] - background[c]) * way
        square += way * way
    alpha = min(max(dot / square, np.float32(0)), np.float32(1))
    rest = np.float32(0)
    for c in range(3):
        rest += (colour[c] - alpha * foreground[c] - (1 - alpha) * background[c]) ** 2
    return alpha, np.sqrt(rest)


def smooth(image: Image, known: Labels, refined: NDArray[np.float32], neighbours: int, decay: float) -> Matte:
    """Smooth colours and alpha over the nearest pixels, weighted by confidence."""
    h, w = known.shape
    alpha, foreground, background = (known == 1).astype(np.float32), image.copy(), image.copy()

    # A Gaussian of variance m / 9π makes the m pixels a disc of three standard deviations. Its peak is 1: known
    # pixels then outweigh others in α_low without silencing them.
    offsets = nearest_offsets(neighbours)
    gauss = np.exp((offsets**2).sum(1) * (-9 * np.pi / (2 * neighbours))).astype(np.float32)
    terms = np.empty((14, h, w), dtype=np.float32)
    over_rows(_term_rows, h, known, refined, terms)
    matte = alpha, foreground, background
    over_rows(_smooth_rows, h, image, known, refined, terms, (offsets, gauss), np.float32(decay), matte)
    return Matte(*matte)


@njit(cache=True, nogil=True)
def _term_rows(rows: Rows, known: Array, refined: Array, terms: Array) -> None:
    # What the neighbours' sums are made of; see _sum_neighbours.
    for y in range(rows[0], rows[1]):
        for x in range(known.shape[1]):
            pixel = refined[y, x]
            alpha, confidence = pixel[6], pixel[7]
            apart = np.float32(0)
            for c in range(3):
                terms[1 + c, y, x] = confidence * alpha * pixel[c]
                terms[5 + c, y, x] = confidence * (1 - alpha) * pixel[3 + c]
                apart += (pixel[c] - pixel[3 + c]) ** 2
            terms[0, y, x], terms[4, y, x] = confidence * alpha, confidence * (1 - alpha)
            terms[8, y, x] = confidence * alpha * (1 - alpha)
            terms[9, y, x] = terms[8, y, x] * np.sqrt(apart)
            is_known = known[y, x] != 0
            terms[10, y, x], terms[11, y, x] = confidence, is_known
            terms[12, y, x], terms[13, y, x] = alpha * is_known, alpha


@njit(cache=True, nogil=True)
def _smooth_rows(
    rows: Rows, image: Array, known: Array, refined: Array, terms: Array, disc: Arrays, decay: float, matte: Arrays
) -> None:
    alpha, foreground, background = matte
    w = known.shape[1]
    width = block_width(w)
    sums = np.empty((12, width), dtype=np.float32)
    for y in range(rows[0], rows[1]):
        for start in range(0, w, width):
            stop = min(start + width, w)
            if np.all(known[y, start:stop] != 0):
                continue
            _sum_neighbours(y, start, stop, terms, disc, sums)
            for x in range(start, stop):
                if known[y, x] == 0:
                    f, b = foreground[y, x], background[y, x]
                    alpha[y, x] = _smooth_pixel(image[y, x], refined[y, x], sums[:, x - start], decay, f, b)


@njit(cache=True, nogil=True)
def _sum_neighbours(y: int, start: int, stop: int, terms: Array, disc: Arrays, sums: Array) -> None:
    offsets, gauss = disc
    h, w = terms.shape[1:]
    sums[:] = 0
    for k in range(len(offsets)):
        qy, dx = y + offsets[k, 0], offsets[k, 1]
        low, high = max(start, -dx), min(stop, w - dx)
        n = high - low
        if qy < 0 or qy >= h or n <= 0:
            continue
        left, right = low + dx, high + dx
        here, there = terms[13, y, low:high], terms[13, qy, left:right]

        # W_c = G f_q |α_p - α_q|, and G f_p for the pixel itself: Σ W_c α, W_c α F, W_c (1 - α), W_c (1 - α) B.
        for c in range(8):
            total, term = sums[c, low - start :], terms[c, qy, left:right]
            for x in range(n):
                difference = abs(here[x] - there[x]) if k > 0 else np.float32(1)
                total[x] += gauss[k] * difference * term[x]

        # W_FB = f α (1 - α): Σ W_FB and Σ W_FB ‖F - B‖.
        for c in range(8, 10):
            total, term = sums[c, low - start :], terms[c, qy, left:right]
            for x in range(n):
                total[x] += term[x]

        # W_α = G f_q + [q is known]: Σ W_α and Σ W_α α.
        weights, values = sums[10, low - start :], sums[11, low - start :]
        sure, told, one = terms[10, qy, left:right], terms[11, qy, left:right], terms[12, qy, left:right]
        for x in range(n):
            weights[x] += gauss[k] * sure[x] + told[x]
            values[x] += gauss[k] * sure[x] * there[x] + one[x]


@njit(cache=True, nogil=True)
def _smooth_pixel(
    colour: Array, refined: Array, sums: Array, decay: float, foreground: Array, background: Array
) -> np.float32:
    # F = Σ W_c α F / Σ W_c α and likewise B; where nothing has weight the refined colour stays.
    apart = np.float32(0)
    for c in range(3):
        foreground[c] = sums[1 + c] / sums[0] if sums[0] > 0 else refined[c]
        background[c] = sums[5 + c] / sums[4] if sums[4] > 0 else refined[3 + c]
        apart += (foreground[c] - background[c]) ** 2

    # f = min(1, ‖F - B‖ / D_FB) exp(-λ M(F, B)), D_FB the neighbours' mean of ‖F - B‖.
    alpha, distance = _project(colour, foreground, background)
    ratio = np.sqrt(apart) * sums[8] / sums[9] if sums[9] > 0 else np.float32(1)
    confidence = min(np.float32(1), ratio) * np.exp(-decay * distance)

    # α = f α̂ + (1 - f) α_low, α_low = Σ W_α α / Σ W_α.
    low = sums[11] / sums[10] if sums[10] > 0 else refined[6]
    smoothed: np.float32 = confidence * alpha + (1 - confidence) * low
    return smoothed
