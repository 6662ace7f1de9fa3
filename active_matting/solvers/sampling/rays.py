"""Shared sampling's first two stages: labels grow into like colours; rays from each unknown pixel look for samples."""

from functools import cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Planes, Workers, nearest_offsets, next_run
from active_matting.types import Label, LabelMap

Met: TypeAlias = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Hits and energies of all rays, see `cast_rays`."""

_TOGETHER = 8  # directions that share one pass over the image


def expand(frame: Frame, colour: Planes, label_map: LabelMap, radius: int, threshold: float, workers: Workers) -> Plane:
    """Give unknown pixels the label of the nearest labelled one of nearly their colour: 1, -1, 0.

    Pixels in a transition stay unknown: that they are not pure has been told.
    """
    known: Plane = frame.full(1, 0)[0]
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
    expanded: Plane = known.copy()
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


def met_arrays(frame: Frame, rays: int, tile: int) -> Met:
    """What `cast_rays` fills."""
    shape = rays, tile, tile, 2, -(-frame.h // tile), -(-frame.w // tile)
    return np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)


def cast_rays(frame: Frame, tensor: NDArray[np.float32], known: Plane, met: Met, workers: Workers) -> None:
    """The first foreground and background pixel on each pixel's rays, and the energy of the way there.

    tensor: `(3, h, w)` without margins. Fills `met` with hits, int32, flat indices `y * w + x` or -1, and energies,
    float32, the path integral of ‖∇I · d‖² [E_p]; both `(rays, tile, tile, 2, ⌈h / tile⌉, ⌈w / tile⌉)`: what pixel
    (y, x) meets is at `[ray, y % tile, x % tile, kind, y // tile, x // tile]`, kind 0 foreground, 1 background: each
    direction has its own block. Undefined where a pixel is labelled.
    """
    labels = np.ascontiguousarray(frame.inside(known)).astype(np.int8)
    rays, tile = met[0].shape[:2]
    hits, energies = (a.reshape(-1, *a.shape[3:]) for a in met)
    # Rays that run along x rather than y are rays along y of the transposed image.
    turned = np.ascontiguousarray(labels.T), np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))
    table, parts = _directions(rays, tile)
    planes = (labels, tensor, *_edges(labels)), (*turned, *_edges(turned[0]))
    workers.over(_cast_parts, len(parts), parts, table, tile, *planes, hits, energies, chunk=1)


@njit(cache=True, nogil=True)
def _edges(labels: Array) -> tuple[Array, Array]:
    # The columns of labelled pixels with a neighbour, of eight, that is labelled otherwise or not at all; and where
    # each row's begin. A ray that comes out of a labelled area comes through one of them.
    h, w = labels.shape
    columns = np.empty(h * w, dtype=np.int32)
    begins = np.zeros(h + 1, dtype=np.int64)
    n = 0
    for y in range(h):
        above, here, below = labels[max(y - 1, 0)], labels[y], labels[min(y + 1, h - 1)]
        for x in range(w):
            label = here[x]
            if label != 0:
                left, right = max(x - 1, 0), min(x + 1, w - 1)
                is_inner = (here[left] == label) & (here[right] == label)
                is_inner &= (above[left] == label) & (above[x] == label) & (above[right] == label)
                is_inner &= (below[left] == label) & (below[x] == label) & (below[right] == label)
                if not is_inner:
                    columns[n] = x
                    n += 1
        begins[y + 1] = n
    return columns[:n].copy(), begins


@cache
def _directions(rays: int, tile: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A table of all rays' directions: block, dy, dx; and its parts, whose rows are swept together, from-to."""
    block = np.arange(rays * tile**2)
    angle = 2 * np.pi * (block // tile**2 + (block % tile**2 + 0.5) / tile**2) / rays
    table = np.stack([block, np.sin(angle), np.cos(angle)], axis=1)
    is_steep = abs(table[:, 1]) >= abs(table[:, 2])
    kind = 2 * is_steep + (np.where(is_steep, table[:, 1], table[:, 2]) > 0)
    order = np.argsort(kind, kind="stable")
    parts = [(part[0], part[-1] + 1) for k in range(4) for part in _split(np.flatnonzero(kind[order] == k))]
    return table[order], np.array(parts)


def _split(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[i : i + _TOGETHER] for i in range(0, len(rows), _TOGETHER)]


@njit(cache=True, nogil=True)
def _cast_parts(
    items: tuple[int, int],
    parts: Array,
    table: Array,
    tile: int,
    upright: Arrays,
    turned: Arrays,
    hits: Array,
    energies: Array,
) -> None:
    w = upright[0].shape[1]
    for item in range(items[0], items[1]):
        part = table[parts[item, 0] : parts[item, 1]]
        if abs(part[0, 1]) >= abs(part[0, 2]):
            _sweep(upright, part, (1, 2), (w, 1), tile, hits, energies)
        else:
            _sweep(turned, part, (2, 1), (1, w), tile, hits.transpose(0, 1, 3, 2), energies.transpose(0, 1, 3, 2))


@njit(cache=True, nogil=True)
def _sweep(
    planes: Arrays,
    part: Array,
    axes: tuple[int, int],
    strides: tuple[int, int],
    tile: int,
    hits: Array,
    energies: Array,
) -> None:
    known, tensor, edges, begins = planes
    h, w = known.shape
    major, minor = axes

    # The integral so far, coming from where the rays point to; what each line met last, and the integral there.
    totals = np.zeros((len(part), 3, w + 2 * h), dtype=np.float32)
    met = np.full((len(part), 2, w + 2 * h), -1, dtype=np.int32)
    for k in range(h):
        y = h - 1 - k if part[0, major] > 0 else k
        t_yy, t_yx, t_xx = tensor[0, y], tensor[1, y], tensor[2, y]
        for i in range(len(part)):
            # Parallel lines x = line + round(y dx / dy) cover every pixel once; ‖∇I · d‖² is integrated along them.
            dy, dx = part[i, major], part[i, minor]
            start = h - int(np.floor(y * (dx / dy) + 0.5))
            step = abs(1 / dy)
            yy, yx, xx = np.float32(step * dy * dy), np.float32(2 * step * dy * dx), np.float32(step * dx * dx)
            total = totals[i, 0, start : start + w]
            for x in range(w):
                total[x] += yy * t_yy[x] + yx * t_yx[x] + xx * t_xx[x]

            for e in range(begins[y], begins[y + 1]):
                x = edges[e]
                kind = 0 if known[y, x] > 0 else 1
                met[i, kind, start + x] = y * strides[0] + x * strides[1]
                totals[i, 1 + kind, start + x] = total[x]

            # Only the pixels with this place in their tile look in this direction.
            block = int(part[i, 0])
            phase = block % (tile * tile)
            tile_y, tile_x = phase // tile, phase % tile
            if major == 2:
                tile_y, tile_x = tile_x, tile_y
            if y % tile == tile_y:
                row, n = y // tile, (w - tile_x + tile - 1) // tile
                for kind in range(2):
                    _look(
                        tile_x,
                        tile,
                        total,
                        met[i, kind, start : start + w],
                        totals[i, 1 + kind, start : start + w],
                        hits[block, kind, row, :n],
                        energies[block, kind, row, :n],
                    )


@njit(cache=True, nogil=True)
def _look(first: int, tile: int, total: Array, hit: Array, total_there: Array, seen: Array, energy: Array) -> None:
    for column in range(len(seen)):
        x = first + column * tile
        seen[column] = hit[x]
        energy[column] = max(total[x] - total_there[x], np.float32(0))
