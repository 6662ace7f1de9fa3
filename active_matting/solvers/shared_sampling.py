"""Shared sampling's first two stages: labels grow into like colours; rays from each unknown pixel gather samples.

A sample is a labelled pixel, known by its flat index. Where an axis has length 2, 0 is foreground, 1 background.
"""

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from active_matting.solvers.shared_rows import (
    Array,
    Arrays,
    Labels,
    Plane,
    Planes,
    Rows,
    block_width,
    nearest_offsets,
    over_rows,
)
from active_matting.types import Image, Label, LabelMap

_TINY = np.float32(1e-6)  # keeps quotients finite and an exact colour fit from hiding all else


def expand(colour: Planes, label_map: LabelMap, radius: int, threshold: float) -> Labels:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour, (H, W): 1, -1, 0."""
    known = np.where(label_map == Label.TRANSITION, 0, label_map).astype(np.float32)
    if radius < 1:
        return known
    side = 2 * radius + 1
    reach = cv2.dilate((known != 0).astype(np.uint8), np.ones((side, side), dtype=np.uint8))
    offsets = nearest_offsets(side * side)[1:]
    offsets = offsets[(offsets**2).sum(1) <= radius * radius]
    expanded = known.copy()
    squared = np.float32(threshold * threshold)
    over_rows(_expand_rows, len(known), colour, known, reach, offsets, squared, expanded)
    return expanded


@njit(cache=True, nogil=True)
def _expand_rows(
    rows: Rows, colour: Array, known: Array, reach: Array, offsets: Array, squared_threshold: float, expanded: Array
) -> None:
    h, w = known.shape
    width = block_width(w)
    for y in range(rows[0], rows[1]):
        for start in range(0, w, width):
            stop = min(start + width, w)
            if not np.any((known[y, start:stop] == 0) & (reach[y, start:stop] != 0)):
                continue
            for k in range(len(offsets)):
                qy, dx = y + offsets[k, 0], offsets[k, 1]
                low, high = max(start, -dx), min(stop, w - dx)
                if qy < 0 or qy >= h or high <= low:
                    continue
                left, right = low + dx, high + dx
                r, g, b = colour[0, y, low:high], colour[1, y, low:high], colour[2, y, low:high]
                qr, qg, qb = colour[0, qy, left:right], colour[1, qy, left:right], colour[2, qy, left:right]
                offered, label = known[qy, left:right], expanded[y, low:high]

                # The first, and so the nearest, pixel of nearly the same colour decides.
                for x in range(high - low):
                    dr, dg, db = r[x] - qr[x], g[x] - qg[x], b[x] - qb[x]
                    is_like = (dr * dr + dg * dg + db * db <= squared_threshold) & (label[x] == 0)
                    label[x] = offered[x] if is_like else label[x]


def cast_rays(tensor: Planes, known: Labels, rays: int, tile: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The first foreground and background pixel on each pixel's rays, and the energy of the way there.

    Returns hits, int32 `(H, W, rays, 2)`, flat pixel indices or -1, and energies, float32, same shape:
    the path integral of ‖∇I · d‖² [E_p]. Index 0 of the last axis is foreground, 1 background.
    """
    h, w = known.shape
    hits = np.empty((h * w, rays, 2), dtype=np.int32)
    energies = np.empty((h * w, rays, 2), dtype=np.float32)
    # Rays that run along x rather than y are rays along y of the transposed image.
    turned = np.ascontiguousarray(known.T), np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))
    over_rows(_cast_directions, rays * tile**2, (known, tensor), turned, rays, tile, hits, energies)
    return hits.reshape(h, w, rays, 2), energies.reshape(h, w, rays, 2)


@njit(cache=True, nogil=True)
def _cast_directions(
    directions: Rows, upright: Arrays, turned: Arrays, rays: int, tile: int, hits: Array, energies: Array
) -> None:
    w = upright[0].shape[1]
    phases = tile * tile
    for k in range(directions[0], directions[1]):
        ray, phase = k // phases, k % phases
        angle = 2 * np.pi * (ray + (phase + 0.5) / phases) / rays
        dy, dx = np.sin(angle), np.cos(angle)
        ty, tx = phase // tile, phase % tile
        if abs(dy) >= abs(dx):
            _sweep(upright, (w, 1), (dy, dx), (ty, tx), tile, hits[:, ray], energies[:, ray])
        else:
            _sweep(turned, (1, w), (dx, dy), (tx, ty), tile, hits[:, ray], energies[:, ray])


@njit(cache=True, nogil=True)
def _sweep(
    planes: Arrays,
    strides: tuple[int, int],
    direction: tuple[float, float],
    place: tuple[int, int],
    tile: int,
    hits: Array,
    energies: Array,
) -> None:
    known, tensor = planes
    h, w = known.shape
    (y_stride, x_stride), (dy, dx), (tile_y, tile_x) = strides, direction, place

    # Parallel lines x = line + round(y dx / dy) cover every pixel once; ‖∇I · d‖² is integrated along them.
    slope = dx / dy
    lowest = min(0, int(np.floor((h - 1) * slope + 0.5)))
    highest = max(0, int(np.floor((h - 1) * slope + 0.5)))
    step = abs(1 / dy)
    yy, yx, xx = np.float32(step * dy * dy), np.float32(2 * step * dy * dx), np.float32(step * dx * dx)

    # What each line met last, coming from where its rays point to.
    lines = w + highest - lowest
    f_hit, b_hit = np.full(lines, -1, dtype=np.int32), np.full(lines, -1, dtype=np.int32)
    f_energy, b_energy = np.zeros(lines, dtype=np.float32), np.zeros(lines, dtype=np.float32)

    for k in range(h):
        y = h - 1 - k if dy > 0 else k
        start = highest - int(np.floor(y * slope + 0.5))
        f_hits, b_hits = f_hit[start : start + w], b_hit[start : start + w]
        f_energies, b_energies = f_energy[start : start + w], b_energy[start : start + w]
        labels, t_yy, t_yx, t_xx = known[y], tensor[0, y], tensor[1, y], tensor[2, y]

        # The pixel's own energy is added, and all starts anew at a labelled pixel.
        for x in range(w):
            energy = yy * t_yy[x] + yx * t_yx[x] + xx * t_xx[x]
            here = np.int32(y * y_stride + x * x_stride)
            is_f, is_b = labels[x] == 1, labels[x] == -1
            f_hits[x] = here if is_f else f_hits[x]
            b_hits[x] = here if is_b else b_hits[x]
            f_energies[x] = np.float32(0) if is_f else f_energies[x] + energy
            b_energies[x] = np.float32(0) if is_b else b_energies[x] + energy

        # Only the pixels with this place in their tile look in this direction.
        if y % tile == tile_y:
            for x in range(tile_x, w, tile):
                if labels[x] == 0:
                    pixel = y * y_stride + x * x_stride
                    hits[pixel, 0], hits[pixel, 1] = f_hits[x], b_hits[x]
                    energies[pixel, 0], energies[pixel, 1] = f_energies[x], b_energies[x]


def _nearest_known(is_known: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The flat index of the labelled pixel nearest to each pixel, int32 (H, W)."""
    unknown = (~is_known).astype(np.uint8)
    _, site = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    index = np.zeros(int(site.max()) + 1, dtype=np.int32)
    index[site[is_known]] = np.flatnonzero(is_known)
    nearest: NDArray[np.int32] = index[site]
    return nearest


def gather(
    image: Image, colour: Planes, variance: Plane, known: Labels, hits: NDArray[np.int32], energies: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The best pair of samples of each unknown pixel: foreground, background, both variances, (H, W, 8).

    A pixel none of whose rays met a foreground sample takes the nearest one, likewise for the background.
    """
    h, w = known.shape
    padded = np.pad(colour, ((0, 0), (1, 1), (1, 1)), mode="edge")
    nearest = np.stack([_nearest_known(known == 1), _nearest_known(known == -1)])  # (2, H, W)
    samples = np.concatenate([image, variance[..., None]], axis=2).reshape(h * w, 4)
    pairs = np.zeros((h, w, 8), dtype=np.float32)
    over_rows(_gather_rows, h, padded, samples, known, (hits, energies), nearest, pairs)
    return pairs


@njit(cache=True, nogil=True)
def _gather_rows(
    rows: Rows, padded: Array, samples: Array, known: Array, met: Arrays, nearest: Array, pairs: Array
) -> None:
    w = known.shape[1]
    width = block_width(w)
    rays = met[0].shape[2]
    index = np.empty((2, rays, width), dtype=np.int64)
    distance = np.empty((2, rays, width), dtype=np.float32)
    sample = np.zeros((2, rays, 3, width), dtype=np.float32)
    probability = np.empty(width, dtype=np.float32)
    best = np.empty(width, dtype=np.float32)
    chosen = np.empty(width, dtype=np.int32)
    scratch = np.empty((5, width), dtype=np.float32)
    for y in range(rows[0], rows[1]):
        for start in range(0, w, width):
            n = min(width, w - start)
            labels = known[y, start : start + n]
            if np.all(labels != 0):
                continue
            loaded = index, distance, sample, probability
            slots = _load_samples(y, start, labels, samples, met, nearest, loaded)
            best[:] = np.inf
            chosen[:] = 0
            for i in range(slots[0]):
                for j in range(slots[1]):
                    _cost_of_pair(padded, y, start, n, sample[0, i], sample[1, j], probability, scratch)
                    cost, f_distance, b_distance = scratch[0], distance[0, i], distance[1, j]
                    for x in range(n):
                        d2 = b_distance[x] * b_distance[x]
                        g = cost[x] * f_distance[x] * (d2 * d2)
                        is_better = g < best[x]
                        best[x] = g if is_better else best[x]
                        chosen[x] = np.int32(i * rays + j) if is_better else chosen[x]
            for x in range(n):
                if labels[x] == 0:
                    f = index[0, chosen[x] // rays, x]
                    b = index[1, chosen[x] % rays, x]
                    pair = pairs[y, start + x]
                    pair[:3], pair[3:6] = samples[f, :3], samples[b, :3]
                    pair[6], pair[7] = samples[f, 3], samples[b, 3]


@njit(cache=True, nogil=True)
def _load_samples(
    y: int, start: int, labels: Array, samples: Array, met: Arrays, nearest: Array, loaded: Arrays
) -> Array:
    # The rays' samples are packed: slot 0 is always filled, empty slots are infinitely far.
    hits, energies = met
    index, distance, sample, probability = loaded
    w = nearest.shape[2]
    most = np.ones(2, dtype=np.int64)
    distance[:] = np.inf
    least = np.empty(2, dtype=np.float32)
    for x in range(len(labels)):
        if labels[x] != 0:
            continue
        column = start + x
        for kind in range(2):
            count = 0
            least[kind] = np.inf
            for ray in range(hits.shape[2]):
                hit = hits[y, column, ray, kind]
                if hit >= 0:
                    index[kind, count, x] = hit
                    least[kind] = min(least[kind], energies[y, column, ray, kind])
                    count += 1
            if count == 0:
                index[kind, 0, x] = nearest[kind, y, column]
                count = 1
            for slot in range(count):
                q = index[kind, slot, x]
                qy, qx = q // w - y, q % w - column
                distance[kind, slot, x] = np.sqrt(np.float32(qy * qy + qx * qx))
                for c in range(3):
                    sample[kind, slot, c, x] = samples[q, c]
            most[kind] = max(most[kind], count)

        # PF_p = E_b / (E_f + E_b): the label that costs less to reach is likelier; 1/2 where a side is unseen.
        if np.isinf(least[0]) or np.isinf(least[1]):
            probability[x] = 0.5
        else:
            probability[x] = (least[1] + _TINY) / (least[0] + least[1] + 2 * _TINY)
    return most


@njit(cache=True, nogil=True)
def _cost_of_pair(
    padded: Array, y: int, start: int, n: int, foreground: Array, background: Array, probability: Array, scratch: Array
) -> None:
    fit, dr, dg, db, inverse = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
    br, bg, bb = background[0], background[1], background[2]
    fit[:n] = 0
    for x in range(n):
        dr[x], dg[x] = foreground[0, x] - br[x], foreground[1, x] - bg[x]
        db[x] = foreground[2, x] - bb[x]
        inverse[x] = 1 / (dr[x] * dr[x] + dg[x] * dg[x] + db[x] * db[x] + _TINY)

    # N_p = Σ over the 3×3 pixels q around p of M_q(F, B)², M_q = ‖C_q - (α̂ F + (1 - α̂) B)‖.
    for k in range(9):
        top, left = y + k // 3, start + k % 3
        r, g, b = padded[0, top, left:], padded[1, top, left:], padded[2, top, left:]
        for x in range(n):
            cr, cg, cb = r[x] - br[x], g[x] - bg[x], b[x] - bb[x]
            alpha = (cr * dr[x] + cg * dg[x] + cb * db[x]) * inverse[x]
            alpha = min(max(alpha, np.float32(0)), np.float32(1))
            cr, cg, cb = cr - alpha * dr[x], cg - alpha * dg[x], cb - alpha * db[x]
            fit[x] += cr * cr + cg * cg + cb * cb

    # N_p³ A_p², A_p = PF_p + (1 - 2 PF_p) α̂_p: alpha should agree with the likelier label.
    r, g, b = padded[0, y + 1, start + 1 :], padded[1, y + 1, start + 1 :], padded[2, y + 1, start + 1 :]
    for x in range(n):
        alpha = ((r[x] - br[x]) * dr[x] + (g[x] - bg[x]) * dg[x] + (b[x] - bb[x]) * db[x]) * inverse[x]
        alpha = min(max(alpha, np.float32(0)), np.float32(1))
        likely = probability[x]
        a = likely + (1 - 2 * likely) * alpha + _TINY
        m = fit[x] + _TINY
        fit[x] = m * m * m * (a * a)
