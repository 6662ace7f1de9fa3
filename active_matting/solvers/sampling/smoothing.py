"""Shared sampling's last stage: colours and alpha are smoothed, weighted by confidence."""

import cv2
import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.base import Matte
from active_matting.solvers.sampling.rows import (
    Array,
    Arrays,
    Frame,
    Plane,
    Planes,
    Workers,
    exponentials,
    nearest_offsets,
    next_run,
    run_buffer,
)
from active_matting.solvers.sampling.sums import sum_by_difference, sum_one, sum_window
from active_matting.types import Image

_TINY = np.float32(1e-6)  # keeps quotients finite
_SHORT = 48  # pixels: in runs as short as this, starting so many loops costs more than taking pixels one by one


def window_radius(neighbours: int) -> int:
    """Of the square of about so many pixels, its side odd."""
    return int((np.sqrt(neighbours) - 1) / 2 + 0.5)


def far_from_unknown(frame: Frame, known: Plane, neighbours: int, far: Plane) -> None:
    """Fill `far` with 0 where smoothing asks for a pixel, else 1."""
    reach = max(int(np.abs(nearest_offsets(neighbours)).max()), window_radius(neighbours))
    is_unknown = (frame.inside(known) == 0).astype(np.uint8)
    is_near = cv2.dilate(is_unknown, np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8))
    np.equal(is_near, 0, out=frame.inside(far))


def smooth(
    frame: Frame,
    image: Image,
    colour: Planes,
    known: Plane,
    far: Plane,
    refined: Planes,
    neighbours: int,
    decay: float,
    terms: Planes,
    workers: Workers,
) -> Matte:
    """Smooth colours and alpha over the nearest pixels, weighted by confidence.

    far: see `far_from_unknown`; terms: 12 planes to work in, 0 in the margin.
    """
    h, w = frame.h, frame.w
    alpha, foreground, background = np.empty((h, w), dtype=np.float32), np.empty_like(image), np.empty_like(image)

    # A Gaussian of variance m / 9π makes the m pixels a disc of three standard deviations. Its peak is 1: known
    # pixels then outweigh others in α_low without silencing them.
    offsets = nearest_offsets(neighbours)
    falloff = -9 * np.pi / (2 * neighbours)
    gauss = np.exp((offsets**2).sum(1) * falloff).astype(np.float32)
    radius = window_radius(neighbours)
    line = np.exp(np.arange(-radius, radius + 1) ** 2 * falloff).astype(np.float32)
    disc = offsets[:, 0] * frame.pitch + offsets[:, 1], gauss, line

    workers.over(_term_rows, h, frame.place, known, far, refined, terms)
    given = image, colour, known, refined, terms
    matte = alpha, foreground, background
    width = run_buffer(w)
    workers.over(_smooth_rows, h, frame.place, given, disc, np.float32(decay), width, matte)
    return Matte(*matte)


@njit(cache=True, nogil=True)
def _term_rows(
    rows: tuple[int, int], place: tuple[int, int, int, int], known: Array, far: Array, refined: Array, terms: Array
) -> None:
    _, w, first, pitch = place
    for y in range(rows[0], rows[1]):
        row = first + y * pitch
        start, stop, _ = next_run(far, row, 0, w)
        while start < w:
            _terms(row + start, stop - start, known, refined, terms)
            start, stop, _ = next_run(far, row, stop, w)


@njit(cache=True, nogil=True)
def _terms(at: int, n: int, known: Array, refined: Array, terms: Array) -> None:
    # What the neighbours' sums are made of; f is the confidence:
    # f α, f α F, f (1 - α), f (1 - α) B, f α (1 - α), f α (1 - α) ‖F - B‖, [known], [known] α.
    alpha, confidence = refined[6, at : at + n], refined[7, at : at + n]
    for kind in range(2):
        weight = terms[4 * kind, at : at + n]
        for x in range(n):
            weight[x] = confidence[x] * (alpha[x] if kind == 0 else 1 - alpha[x])
        for c in range(3):
            target, value = terms[4 * kind + 1 + c, at : at + n], refined[3 * kind + c, at : at + n]
            for x in range(n):
                target[x] = weight[x] * value[x]
    mixed, apart = terms[8, at : at + n], terms[9, at : at + n]
    told, one = terms[10, at : at + n], terms[11, at : at + n]
    for x in range(n):
        square = np.float32(0)
        for c in range(3):
            square += (refined[c, at + x] - refined[3 + c, at + x]) ** 2
        mixed[x] = confidence[x] * alpha[x] * (1 - alpha[x])
        apart[x] = mixed[x] * np.sqrt(square)
        is_known = known[at + x] != 0
        told[x] = is_known
        one[x] = alpha[x] * is_known


@njit(cache=True, nogil=True)
def _smooth_rows(
    rows: tuple[int, int],
    place: tuple[int, int, int, int],
    given: Arrays,
    disc: Arrays,
    decay: float,
    width: int,
    matte: Arrays,
) -> None:
    image, colour, known, refined, terms = given
    shifts, gauss, line = disc
    _, w, first, pitch = place
    sums = np.zeros((14, width), dtype=np.float32)
    weights = np.zeros((4, width), dtype=np.float32)
    column = np.zeros(width + 2 * len(line), dtype=np.float32)
    flat = np.ones_like(line)
    scratch = np.zeros((6, width), dtype=np.float32)
    for y in range(rows[0], rows[1]):
        row = first + y * pitch
        _store_known(y, row, w, image, known, matte)
        start, stop, n = next_run(known, row, 0, w)
        while start < w:
            at = row + start
            if n <= _SHORT:
                for x in range(start, stop):
                    if known[row + x] == 0:
                        sum_one(row + x, pitch, refined[6], terms, disc, sums[:, x - start])
            else:
                sum_by_difference(at, n, refined[6], terms, shifts, gauss, weights, sums)
                for c in range(4):
                    sum_window(at, n, pitch, terms[8 + c], flat, column, sums[8 + c])
                for kind in range(2):
                    sum_window(at, n, pitch, terms[4 * kind], line, column, sums[12 + kind])
            _finish(at, n, colour, refined, sums, decay, scratch)
            _store(y, start, at, stop - start, known, scratch, sums, matte)
            start, stop, n = next_run(known, row, stop, w)


@njit(cache=True, nogil=True)
def _store_known(y: int, row: int, w: int, image: Array, known: Array, matte: Arrays) -> None:
    alpha, foreground, background = matte
    for x in range(w):
        alpha[y, x] = max(known[row + x], np.float32(0))
    foreground[y] = image[y]
    background[y] = image[y]


@njit(cache=True, nogil=True)
def _finish(at: int, n: int, colour: Array, refined: Array, sums: Array, decay: float, scratch: Array) -> None:
    # F = Σ W_c α F / Σ W_c α and likewise B; where nothing has weight the refined colour stays.
    for kind in range(2):
        weight = sums[4 * kind, :n]
        for c in range(3):
            value, stays = sums[4 * kind + 1 + c, :n], refined[3 * kind + c, at : at + n]
            for x in range(n):
                has_weight = weight[x] > 0
                value[x] = value[x] / (weight[x] if has_weight else np.float32(1)) if has_weight else stays[x]

    # f = min(1, ‖F - B‖ / D_FB) exp(-λ M(F, B)), D_FB the neighbours' mean of ‖F - B‖.
    projected, exponent, ratio = scratch[0, :n], scratch[1, :n], scratch[2, :n]
    r, g, b = colour[0, at : at + n], colour[1, at : at + n], colour[2, at : at + n]
    fr, fg, fb, br, bg, bb = sums[1, :n], sums[2, :n], sums[3, :n], sums[5, :n], sums[6, :n], sums[7, :n]
    for x in range(n):
        dr, dg, db = fr[x] - br[x], fg[x] - bg[x], fb[x] - bb[x]
        cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
        square = dr * dr + dg * dg + db * db
        alpha = (cr * dr + cg * dg + cb * db) / (square + _TINY)
        alpha = min(max(alpha, np.float32(0)), np.float32(1))
        cr, cg, cb = cr - alpha * dr, cg - alpha * dg, cb - alpha * db
        projected[x], exponent[x] = alpha, -decay * np.sqrt(cr * cr + cg * cg + cb * cb)
        ratio[x] = np.sqrt(square)
    mixed, apart = sums[8, :n], sums[9, :n]
    for x in range(n):
        is_mixed = apart[x] > 0
        quotient = ratio[x] * mixed[x] / (apart[x] if is_mixed else np.float32(1))
        ratio[x] = min(np.float32(1), quotient) if is_mixed else np.float32(1)
    exponentials(exponent, scratch[3, :n].view(np.int32), scratch[3, :n], scratch[4, :n])

    # α = f α̂ + (1 - f) α_low, α_low = Σ W_α α / Σ W_α, W_α = G f_q + [q is known].
    smoothed, scale, refined_alpha = scratch[5, :n], scratch[4, :n], refined[6, at : at + n]
    told, one, f_sure, b_sure = sums[10, :n], sums[11, :n], sums[12, :n], sums[13, :n]
    for x in range(n):
        total = f_sure[x] + b_sure[x] + told[x]
        has_weight = total > 0
        low = (f_sure[x] + one[x]) / (total if has_weight else np.float32(1)) if has_weight else refined_alpha[x]
        confidence = ratio[x] * scale[x]
        smoothed[x] = min(max(confidence * projected[x] + (1 - confidence) * low, np.float32(0)), np.float32(1))


@njit(cache=True, nogil=True)
def _store(y: int, start: int, at: int, n: int, known: Array, scratch: Array, sums: Array, matte: Arrays) -> None:
    alpha, foreground, background = matte
    for x in range(n):
        if known[at + x] == 0:
            alpha[y, start + x] = scratch[5, x]
            for c in range(3):
                foreground[y, start + x, c] = sums[1 + c, x]
                background[y, start + x, c] = sums[5 + c, x]
