"""Shared sampling's second stage: rays from each unknown pixel look for labelled ones."""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Workers

_TOGETHER = 8  # directions that share one pass over the image


@dataclass(frozen=True)
class Met:
    """What the rays of the unknown pixels met; the pixels are numbered by row, within it by `x % tile`."""

    pixels: NDArray[np.int64]
    """(n,): y << 32 | x."""
    hits: NDArray[np.int32]
    """(n, rays, 2): what was hit, as `y * w + x`, or -1; index 0 of the last axis is foreground, 1 background."""
    energies: NDArray[np.float32]
    """(n, rays, 2): the path integral of ‖∇I · d‖² on the way there [E_p]; undefined where nothing was hit."""


StructureTensor: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(3, h, w): Σ over channels of I_y², I_y I_x, I_x², in this order; and of the transposed image, (3, w, h): likewise of
its rows and columns."""

Memory: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32]]


def met_memory(frame: Frame, rays: int) -> Memory:
    """In which `cast_rays` works: enough for all pixels, touched as far as pixels are unknown."""
    n = frame.h * frame.w
    # What one pixel's rays met lies together: hits, and energies as the bits they are made of.
    return np.empty(n + 1, dtype=np.int64), np.empty((n, rays, 4), dtype=np.int32)


def cast_rays(frame: Frame, tensor: StructureTensor, tile: int, known: Plane, memory: Memory, workers: Workers) -> Met:
    """Find the first foreground and background pixel on each unknown pixel's rays, and the energy of the way there.

    tile: the `tile`² pixels of a tile turn their rays by different angles. memory: of `met_memory`.
    """
    h, w = frame.h, frame.w
    rays = memory[1].shape[1]
    labels = frame.inside(known).astype(np.int8)
    pixels, begins = _unknown(labels, tile, memory[0])
    n = len(pixels)
    found = memory[1][:n]
    hits, energies = found[..., :2], found.view(np.float32)[..., 2:]

    # Rays that run along x rather than y are rays along y of the transposed image.
    edges = _edges(labels)
    upright = tensor[0], np.arange(n, dtype=np.int32), _slots(pixels, w, tile), begins, *edges
    turned = tensor[1], *_turned_pixels(h, w, tile, pixels), *_turned_edges(w, *edges)
    table, parts = _directions(rays, tile)
    workers.over(_cast, len(parts), parts, table, tile, upright, turned, hits, energies, chunk=1)
    return Met(pixels, hits, energies)


@cache
def _directions(rays: int, tile: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A table of all rays' directions, (rays · tile², 9), and its parts, whose rows are swept together, from-to.

    Columns: `ray * tile² + phase`, phase being the place in a tile of the pixels that look that way; whether it is
    steep; the sign of its step from row to row; its slope; what the structure tensor's planes contribute to the energy
    of a step; row and column of the place in a tile. If it is not steep, rows and columns are the transposed image's.
    """
    block = np.arange(rays * tile**2)
    phase = block % tile**2
    angle = 2 * np.pi * (block // tile**2 + (phase + 0.5) / tile**2) / rays
    dy, dx = np.sin(angle), np.cos(angle)
    is_steep = abs(dy) >= abs(dx)
    major, minor = np.where(is_steep, dy, dx), np.where(is_steep, dx, dy)
    weights = np.stack([major * major, 2 * major * minor, minor * minor], axis=1) / abs(major)[:, None]
    y, x = phase // tile, phase % tile
    y, x = np.where(is_steep, y, x), np.where(is_steep, x, y)
    table = np.column_stack([block, is_steep, np.sign(major), minor / major, weights, y, x])
    kind = 2 * is_steep + (major > 0)
    order = np.argsort(kind, kind="stable")
    parts = [(part[0], part[-1] + 1) for k in range(4) for part in _split(np.flatnonzero(kind[order] == k))]
    return table[order], np.array(parts)


def _split(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[i : i + _TOGETHER] for i in range(0, len(rows), _TOGETHER)]


@njit(cache=True, nogil=True)
def _unknown(labels: Array, tile: int, pixels: Array) -> tuple[Array, Array]:
    # The unknown pixels, and where those of each row and place in a tile begin.
    h, w = labels.shape
    begins = np.zeros((h, tile + 1), dtype=np.int64)
    n = 0
    for y in range(h):
        for place in range(tile):
            begins[y, place] = n
            for x in range(place, w, tile):
                pixels[n] = y << 32 | x  # overwritten unless it is one: no jump to guess
                n += labels[y, x] == 0
        begins[y, tile] = n
    return pixels[:n], begins


@njit(cache=True, nogil=True)
def _turned_pixels(h: int, w: int, tile: int, pixels: Array) -> tuple[Array, Array, Array]:
    # The numbers of the unknown pixels by column, within it by y % tile; y // tile of each; and where those of each
    # column and place begin.
    rows, places = np.arange(h) // tile, np.arange(h) % tile
    begins = np.zeros((w, tile + 1), dtype=np.int64)
    for pixel in pixels:
        begins[pixel & 0xFFFFFFFF, places[pixel >> 32]] += 1
    n = 0
    for x in range(w):
        for place in range(tile):
            count = begins[x, place]
            begins[x, place] = n
            n += count
        begins[x, tile] = n
    to, numbers, slots = begins.copy(), np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    for i in range(n):
        x, y = pixels[i] & 0xFFFFFFFF, pixels[i] >> 32
        k = to[x, places[y]]
        numbers[k], slots[k] = i, rows[y]
        to[x, places[y]] = k + 1
    return numbers, slots, begins


@njit(cache=True, nogil=True)
def _slots(pixels: Array, w: int, tile: int) -> Array:
    # x // tile of the pixels.
    columns = np.arange(w) // tile
    slots = np.empty(len(pixels), dtype=np.int32)
    for i in range(len(pixels)):
        slots[i] = columns[pixels[i] & 0xFFFFFFFF]
    return slots


@njit(cache=True, nogil=True)
def _edges(labels: Array) -> tuple[Array, Array]:
    # The columns of labelled pixels with a neighbour, of eight, that is labelled otherwise or not at all; and where
    # those of each row and kind begin. A ray that comes out of a labelled area comes through one of them.
    h, w = labels.shape
    columns = np.empty(h * w, dtype=np.int32)
    begins = np.zeros((h, 3), dtype=np.int64)
    is_edge, some = np.zeros(w, dtype=np.bool_), np.empty(w, dtype=np.int32)
    n = 0
    for y in range(h):
        above, here, below = labels[max(y - 1, 0)], labels[y], labels[min(y + 1, h - 1)]
        is_edge[0] = is_edge[w - 1] = True
        for x in range(1, w - 1):
            label = here[x]
            differs = (above[x - 1] ^ label) | (above[x] ^ label) | (above[x + 1] ^ label)
            differs |= (below[x - 1] ^ label) | (below[x] ^ label) | (below[x + 1] ^ label)
            is_edge[x] = (differs | (here[x - 1] ^ label) | (here[x + 1] ^ label)) != 0
        m = 0
        for x in range(w):
            if is_edge[x] & (here[x] != 0):
                some[m] = x
                m += 1
        for kind in range(2):
            begins[y, kind] = n
            wanted = 1 - 2 * kind
            for x in some[:m]:
                if here[x] == wanted:
                    columns[n] = x
                    n += 1
        begins[y, 2] = n
    return columns[:n].copy(), begins


@njit(cache=True, nogil=True)
def _turned_edges(w: int, columns: Array, begins: Array) -> tuple[Array, Array]:
    # The same of the transposed image.
    counts = np.zeros((w, 2), dtype=np.int64)
    for y in range(len(begins)):
        for kind in range(2):
            for e in range(begins[y, kind], begins[y, kind + 1]):
                counts[columns[e], kind] += 1
    turned = np.empty((w, 3), dtype=np.int64)
    n = 0
    for x in range(w):
        turned[x, 0], turned[x, 1] = n, n + counts[x, 0]
        n += counts[x, 0] + counts[x, 1]
        turned[x, 2] = n
    rows = np.empty_like(columns)
    to = turned[:, :2].copy()
    for y in range(len(begins)):
        for kind in range(2):
            for e in range(begins[y, kind], begins[y, kind + 1]):
                rows[to[columns[e], kind]] = y
                to[columns[e], kind] += 1
    return rows, turned


@njit(cache=True, nogil=True)
def _cast(
    items: tuple[int, int],
    parts: Array,
    table: Array,
    tile: int,
    upright: Arrays,
    turned: Arrays,
    hits: Array,
    energies: Array,
) -> None:
    w = upright[0].shape[2]
    for item in range(items[0], items[1]):
        part = table[parts[item, 0] : parts[item, 1]]
        if part[0, 1] != 0:
            _sweep(upright, part, tile, (w, 1), hits, energies)
        else:
            _sweep(turned, part, tile, (1, w), hits, energies)


@njit(cache=True, nogil=True)
def _sweep(planes: Arrays, part: Array, tile: int, strides: tuple[int, int], hits: Array, energies: Array) -> None:
    tensor, numbers, slots, begins, edges, edge_begins = planes
    h, w = tensor.shape[1:]
    sign = part[0, 2]

    # The integral so far, coming from where the rays point to; what each line met last, and the integral there.
    totals = np.zeros((len(part), 3, w + 2 * h), dtype=np.float32)
    met = np.full((len(part), 2, w + 2 * h), -1, dtype=np.int32)
    has_met = False
    for k in range(h):
        y = h - 1 - k if sign > 0 else k
        has_met |= edge_begins[y, 0] < edge_begins[y, 2]  # before it there is nothing to integrate from
        t_yy, t_yx, t_xx = tensor[0, y], tensor[1, y], tensor[2, y]
        for i in range(len(part)):
            # Parallel lines x = line + round(y · slope) cover every pixel once; ‖∇I · d‖² is integrated along them.
            start = h - int(np.floor(y * part[i, 3] + 0.5))
            yy, yx, xx = np.float32(part[i, 4]), np.float32(part[i, 5]), np.float32(part[i, 6])
            total = totals[i, 0, start : start + w]
            for x in range(w if has_met else 0):
                total[x] += yy * t_yy[x] + yx * t_yx[x] + xx * t_xx[x]
            for kind in range(2):
                met_here, there = met[i, kind, start : start + w], totals[i, 1 + kind, start : start + w]
                for x in edges[edge_begins[y, kind] : edge_begins[y, kind + 1]]:
                    met_here[x] = y * strides[0] + x * strides[1]
                    there[x] = total[x]

            # Only the pixels with one place in their tile look in a direction.
            tile_x = int(part[i, 8])
            begin, end = begins[y, tile_x], begins[y, tile_x + 1]
            if y % tile == int(part[i, 7]) and begin < end:
                ray, looking = int(part[i, 0]) // (tile * tile), (numbers[begin:end], slots[begin:end])
                lines = met[i, :, start + tile_x :], totals[i, 1:, start + tile_x :]
                _look(looking, tile, total[tile_x:], lines, (hits[:, ray], energies[:, ray]))


@njit(cache=True, nogil=True)
def _look(
    looking: tuple[Array, Array],
    tile: int,
    total: Array,
    lines: tuple[Array, Array],
    found: tuple[Array, Array],
) -> None:
    (numbers, slots), (met, there), (hits, energies) = looking, lines, found
    for j in range(len(numbers)):
        pixel, x = numbers[j], slots[j] * tile
        for kind in range(2):
            hits[pixel, kind] = met[kind, x]
            energies[pixel, kind] = max(total[x] - there[kind, x], np.float32(0))
