"""Shared sampling's first two stages: labels grow into like colours; rays from each unknown pixel look for samples."""

from typing import TypeAlias

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from active_matting.solvers.shared_rows import Array, Arrays, Frame, Plane, Planes, Workers, nearest_offsets, next_run
from active_matting.types import Label, LabelMap

Met: TypeAlias = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Hits and energies of all rays, see `cast_rays`."""


def expand(
    frame: Frame, colour: Planes, label_map: LabelMap, radius: int, threshold: float, workers: Workers
) -> Plane:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour: 1, -1, 0.

    Pixels in a transition stay unknown: that they are not pure has been told.
    """
    known = frame.full(1, 0)[0]
    inside = frame.inside(known)
    inside[:] = np.where(label_map == Label.TRANSITION, 0, label_map)
    if radius < 1:
        return known
    side = 2 * radius + 1
    rest = frame.full(1, 1)[0]  # 0 where a label may come
    is_known = (inside != 0).astype(np.uint8)
    near = cv2.dilate(is_known, np.ones((side, side), dtype=np.uint8))
    frame.inside(rest)[:] = (near == 0) | (label_map != Label.UNLABELLED)
    offsets = nearest_offsets(side * side)[1:]
    offsets = offsets[(offsets**2).sum(1) <= radius * radius]
    expanded = known.copy()
    given = colour, known, rest, _extents(is_known)
    squared = np.float32(threshold * threshold)
    workers.over(_expand_rows, frame.h, frame.place, given, offsets, squared, expanded)
    return expanded


@njit(cache=True, nogil=True)
def _extents(is_known: Array) -> Array:
    # The first labelled column of each row, and the last plus one; 0, 0 where there is none.
    h, w = is_known.shape
    extents = np.zeros((h, 2), dtype=np.int64)
    for y in range(h):
        for x in range(w):
            if is_known[y, x] != 0:
                if extents[y, 1] == 0:
                    extents[y, 0] = x
                extents[y, 1] = x + 1
    return extents


@njit(cache=True, nogil=True)
def _expand_rows(
    rows: tuple[int, int],
    place: tuple[int, int, int, int],
    given: Arrays,
    offsets: Array,
    squared_threshold: float,
    expanded: Array,
) -> None:
    colour, known, rest, extents = given
    h, w, first, pitch = place
    for y in range(rows[0], rows[1]):
        row = first + y * pitch
        start, stop, _ = next_run(rest, row, 0, w)
        while start < w:
            n, at = stop - start, row + start
            r, g, b = colour[0, at : at + n], colour[1, at : at + n], colour[2, at : at + n]
            label, settled = expanded[at : at + n], rest[at : at + n]
            for k in range(len(offsets)):
                qy, dx = y + offsets[k, 0], offsets[k, 1]
                if qy < 0 or qy >= h or extents[qy, 1] <= start + dx or extents[qy, 0] >= stop + dx:
                    continue
                to = at + offsets[k, 0] * pitch + dx
                qr, qg, qb = colour[0, to : to + n], colour[1, to : to + n], colour[2, to : to + n]
                offered = known[to : to + n]

                # The first, and so the nearest, pixel of nearly the same colour decides.
                for x in range(n):
                    dr, dg, db = r[x] - qr[x], g[x] - qg[x], b[x] - qb[x]
                    is_like = (dr * dr + dg * dg + db * db <= squared_threshold) & (label[x] == 0) & (settled[x] == 0)
                    label[x] = offered[x] if is_like else label[x]
            start, stop, _ = next_run(rest, row, stop, w)


def cast_rays(frame: Frame, tensor: Planes, known: Plane, rays: int, tile: int, workers: Workers) -> Met:
    """The first foreground and background pixel on each pixel's rays, and the energy of the way there.

    tensor: `(3, h, w)` without margins. Returns hits, int32, flat indices `y * w + x` or -1, and energies, float32,
    the path integral of ‖∇I · d‖² [E_p]; both `(rays, tile, tile, 2, ⌈h / tile⌉, ⌈w / tile⌉)`: what pixel (y, x)
    meets is at `[ray, y % tile, x % tile, kind, y // tile, x // tile]`, kind 0 foreground, 1 background, so that each
    direction has its own block. Undefined where a pixel is labelled.
    """
    labels = np.ascontiguousarray(frame.inside(known)).astype(np.int8)
    shape = rays, tile, tile, 2, -(-frame.h // tile), -(-frame.w // tile)
    hits, energies = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)
    # Rays that run along x rather than y are rays along y of the transposed image.
    turned = np.ascontiguousarray(labels.T), np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))
    upright = labels, tensor
    planes = (*upright, _extents(labels)), (*turned, _extents(turned[0]))
    workers.over(_cast_directions, rays * tile**2, *planes, rays, tile, hits, energies, chunk=4)
    return hits, energies


@njit(cache=True, nogil=True)
def _cast_directions(
    directions: tuple[int, int], upright: Arrays, turned: Arrays, rays: int, tile: int, hits: Array, energies: Array
) -> None:
    w = upright[0].shape[1]
    phases = tile * tile
    for k in range(directions[0], directions[1]):
        ray, phase = k // phases, k % phases
        angle = 2 * np.pi * (ray + (phase + 0.5) / phases) / rays
        dy, dx = np.sin(angle), np.cos(angle)
        ty, tx = phase // tile, phase % tile
        met = hits[ray, ty, tx], energies[ray, ty, tx]
        if abs(dy) >= abs(dx):
            _sweep(upright, (w, 1), (dy, dx), (ty, tx), tile, met[0], met[1])
        else:
            _sweep(turned, (1, w), (dx, dy), (tx, ty), tile, met[0].transpose(0, 2, 1), met[1].transpose(0, 2, 1))


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
    known, tensor, extents = planes
    h, w = known.shape
    (y_stride, x_stride), (dy, dx), (tile_y, tile_x) = strides, direction, place

    # Parallel lines x = line + round(y dx / dy) cover every pixel once; ‖∇I · d‖² is integrated along them.
    slope = dx / dy
    lowest = min(0, int(np.floor((h - 1) * slope + 0.5)))
    highest = max(0, int(np.floor((h - 1) * slope + 0.5)))
    step = abs(1 / dy)
    yy, yx, xx = np.float32(step * dy * dy), np.float32(2 * step * dy * dx), np.float32(step * dx * dx)

    # The integral so far, coming from where the rays point to; what each line met last, and the integral there.
    lines = w + highest - lowest
    total = np.zeros(lines, dtype=np.float32)
    f_hit, b_hit = np.full(lines, -1, dtype=np.int32), np.full(lines, -1, dtype=np.int32)
    f_total, b_total = np.zeros(lines, dtype=np.float32), np.zeros(lines, dtype=np.float32)

    for k in range(h):
        y = h - 1 - k if dy > 0 else k
        start = highest - int(np.floor(y * slope + 0.5))
        totals = total[start : start + w]
        t_yy, t_yx, t_xx = tensor[0, y], tensor[1, y], tensor[2, y]
        for x in range(w):
            totals[x] += yy * t_yy[x] + yx * t_yx[x] + xx * t_xx[x]

        left, right = extents[y]
        if right > left:
            labels, here = known[y, left:right], np.int32(y * y_stride + left * x_stride)
            low, high = start + left, start + right
            _note(labels, np.int8(1), here, x_stride, total[low:high], f_hit[low:high], f_total[low:high])
            _note(labels, np.int8(-1), here, x_stride, total[low:high], b_hit[low:high], b_total[low:high])

        # Only the pixels with this place in their tile look in this direction.
        if y % tile == tile_y:
            row = y // tile
            for column in range((w - tile_x + tile - 1) // tile):
                line = start + tile_x + column * tile
                hits[0, row, column], hits[1, row, column] = f_hit[line], b_hit[line]
                energies[0, row, column] = max(total[line] - f_total[line], np.float32(0))
                energies[1, row, column] = max(total[line] - b_total[line], np.float32(0))


@njit(cache=True, nogil=True)
def _note(labels: Array, label: int, here: int, stride: int, total: Array, hit: Array, total_there: Array) -> None:
    for x in range(len(labels)):
        is_met = labels[x] == label
        hit[x] = np.int32(here + x * stride) if is_met else hit[x]
        total_there[x] = total[x] if is_met else total_there[x]
