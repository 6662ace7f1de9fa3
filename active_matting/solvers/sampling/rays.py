"""Shared sampling's second stage: rays from each unknown pixel look for labelled ones."""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.edges import edges_of
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Workers
from active_matting.solvers.sampling.vectors import LANES, load, splat, store

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

    # Rays that run along x rather than y are rays along y of the transposed image.
    upright = tensor[0], np.arange(n, dtype=np.int32), _slots(pixels, w, tile), begins
    turned = tensor[1], *_turned_pixels(h, w, tile, pixels)
    edges = edges_of(frame, known)
    table, parts = _directions(rays, tile)
    flat = found.reshape(-1)
    result = rays, flat, flat.view(np.float32)
    workers.over(_cast, len(parts), parts, table, tile, upright, turned, *edges, result, chunk=1)
    return Met(pixels, found[..., :2], found.view(np.float32)[..., 2:])


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
def _cast(
    items: tuple[int, int],
    parts: Array,
    table: Array,
    tile: int,
    upright: Arrays,
    turned: Arrays,
    upright_edges: Arrays,
    turned_edges: Arrays,
    result: tuple[int, Array, Array],
) -> None:
    w = upright[0].shape[2]
    for item in range(items[0], items[1]):
        part = table[parts[item, 0] : parts[item, 1]]
        if part[0, 1] != 0:
            _sweep(upright, upright_edges, part, tile, (w, 1), result)
        else:
            _sweep(turned, turned_edges, part, tile, (1, w), result)


@njit(cache=True, nogil=True)
def _sweep(
    planes: Arrays,
    edges: Arrays,
    part: Array,
    tile: int,
    strides: tuple[int, int],
    result: tuple[int, Array, Array],
) -> None:
    rays, hits, energies = result
    tensor, numbers, slots, begins = planes
    columns, edge_begins, has_labels = edges
    h, w = tensor.shape[1:]
    sign = part[0, 2]
    way, length = (0 if sign > 0 else 1), w + 2 * h
    weights = part[:, 4:7].astype(np.float32)

    # The integral so far, coming from where the rays point to; what each line met last, and the integral there.
    totals = np.zeros(len(part) * length, dtype=np.float32)
    met = np.full(2 * len(part) * length, -1, dtype=np.int32)
    there = np.zeros(2 * len(part) * length, dtype=np.float32)
    starts = np.empty(len(part), dtype=np.int64)
    has_met = False
    for k in range(h):
        y = h - 1 - k if sign > 0 else k
        # Parallel lines x = line + round(y · slope) cover every pixel once; ‖∇I · d‖² is integrated along them.
        for i in range(len(part)):
            starts[i] = h - int(np.floor(y * part[i, 3] + 0.5))
        has_met |= has_labels[y]  # before it there is nothing to integrate from
        if has_met:
            _integrate(tensor, y, weights, starts, totals)
        for i in range(len(part)):
            for kind in range(2):
                line = (2 * i + kind) * length + starts[i]
                for e in range(edge_begins[way, y, kind], edge_begins[way, y, kind + 1]):
                    x = columns[e]
                    met[line + x] = y * strides[0] + x * strides[1]
                    there[line + x] = totals[i * length + starts[i] + x]

            # Only the pixels with one place in their tile look in a direction.
            tile_x = int(part[i, 8])
            if y % tile == int(part[i, 7]):
                ray, line = int(part[i, 0]) // (tile * tile), 2 * i * length + starts[i] + tile_x
                for j in range(begins[y, tile_x], begins[y, tile_x + 1]):
                    pixel, x = numbers[j], slots[j] * tile
                    total, at, to = totals[i * length + starts[i] + tile_x + x], line + x, (pixel * rays + ray) * 4
                    hits[to], hits[to + 1] = met[at], met[at + length]
                    energies[to + 2] = max(total - there[at], np.float32(0))
                    energies[to + 3] = max(total - there[at + length], np.float32(0))


@njit(cache=True, nogil=True)
def _integrate(tensor: Array, y: int, weights: Array, starts: Array, totals: Array) -> None:
    # One row of the image, for all directions.
    h, w = tensor.shape[1:]
    length, whole = w + 2 * h, w // LANES * LANES
    t_yy, t_yx, t_xx = y * w, (h + y) * w, (2 * h + y) * w
    for i in range(len(starts)):
        to = i * length + starts[i]
        w_yy, w_yx, w_xx = weights[i, 0], weights[i, 1], weights[i, 2]
        s_yy, s_yx, s_xx = splat(w_yy), splat(w_yx), splat(w_xx)
        for x in range(0, whole, LANES):
            energy = s_yy * load(tensor, t_yy + x) + s_yx * load(tensor, t_yx + x) + s_xx * load(tensor, t_xx + x)
            store(totals, to + x, load(totals, to + x) + energy)
        for x in range(whole, w):
            totals[to + x] += w_yy * tensor[0, y, x] + w_yx * tensor[1, y, x] + w_xx * tensor[2, y, x]
