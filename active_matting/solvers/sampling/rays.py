"""Shared sampling's second stage: rays from each unknown pixel look for labelled ones."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.integrals import Integrals, directions, integrals_of
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Workers

_TOGETHER = 8  # directions that a thread takes at once


@dataclass(frozen=True)
class Met:
    """What the rays of the unknown pixels met; the pixels are numbered by row, within it by `x % tile`."""

    pixels: NDArray[np.int64]
    """(n,): y << 32 | x."""
    hits: NDArray[np.int32]
    """(rays, 2, n): what was hit, as `y * w + x`, or -1; index 0 of the second axis is foreground, 1 background."""
    energies: NDArray[np.float32]
    """(rays, 2, n): the path integral of ‖∇I · d‖² on the way there [E_p]; undefined where nothing was hit."""


Memory: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


def met_memory(frame: Frame, rays: int) -> Memory:
    """In which `cast_rays` works: enough for all pixels, touched as far as pixels are unknown."""
    n = frame.h * frame.w
    count = rays * 2 * n
    return np.empty(n + 1, dtype=np.int64), np.empty(count, dtype=np.int32), np.empty(count, dtype=np.float32)


def cast_rays(frame: Frame, integrals: Integrals, known: Plane, memory: Memory, workers: Workers) -> Met:
    """Find the first foreground and background pixel on each unknown pixel's rays, and the energy of the way there."""
    h, w = frame.h, frame.w
    rays, tile, tensor = integrals.rays, integrals.tile, integrals.tensor.reshape(h * w, 3)
    labels = frame.inside(known).astype(np.int8)
    pixels, begins = _unknown(labels, tile, memory[0])
    n = len(pixels)
    hits = memory[1][: rays * 2 * n].reshape(rays, 2, n)
    energies = memory[2][: rays * 2 * n].reshape(rays, 2, n)

    # Rays that run along x rather than y are rays along y of the transposed image.
    edges = _edges(labels)
    upright = np.arange(n, dtype=np.int32), _slots(pixels, w, tile), begins, *edges
    turned = *_turned_pixels(h, w, tile, pixels), *_turned_edges(w, *edges)
    table = directions(rays, tile)
    frames = (True, integrals.steep, (w, 1), upright), (False, integrals.flat, (1, w), turned)
    for is_steep, sums, strides, given in frames:
        blocks = np.flatnonzero(table[:, 0] == is_steep)
        blocks = blocks[np.argsort(table[blocks, 3], kind="stable")]  # opposite ones in turn: they share integrals
        planes = table, blocks, sums, tensor, labels.ravel()
        workers.over(_cast, len(blocks), planes, given, tile, strides, hits, energies, chunk=_TOGETHER)
    return Met(pixels, hits, energies)


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
    planes: Arrays,
    given: Arrays,
    tile: int,
    strides: tuple[int, int],
    hits: Array,
    energies: Array,
) -> None:
    (table, blocks, sums, tensor, labels), (numbers, slots, begins, edges, edge_begins) = planes, given
    h, w = len(begins), sums.shape[2]
    # Which pixel each line met last, and the integral there; lines lie by their place in a tile, so that those of the
    # pixels that look in one direction are neighbours.
    places = _places(w + 2 * h, tile)
    met = np.empty((2, len(places) + tile * tile), dtype=np.int32)
    there = np.zeros(met.shape, dtype=np.float32)
    columns, here = np.empty(w, dtype=np.int32), np.empty(w, dtype=np.float32)
    for i in range(items[0], items[1]):
        direction = table[blocks[i]]
        its_sums, ray = sums[int(direction[3])], blocks[i] // (tile * tile)
        sign, tile_y, tile_x = np.float32(direction[1]), int(direction[7]), int(direction[8])
        met[:] = -1
        for k in range(h):  # coming from where the rays point to
            y = h - 1 - k if sign > 0 else k
            start = h - int(np.floor(y * direction[2] + 0.5))
            # Where a line goes on in pixels of the same label, a later one is met instead.
            after = y - int(sign)
            shift = int(np.floor(after * direction[2] + 0.5)) + start - h
            for kind in range(2):
                n = 0
                for x in edges[edge_begins[y, kind] : edge_begins[y, kind + 1] if 0 <= after < h else 0]:
                    columns[n] = x  # overwritten unless it is one
                    n += 0 <= x + shift < w and labels[after * strides[0] + (x + shift) * strides[1]] != 1 - 2 * kind
                if n > 0:
                    integrals_of(direction, its_sums, tensor, strides, y, columns[:n], here)
                for j in range(n):
                    line = places[start + columns[j]]
                    met[kind, line], there[kind, line] = y * strides[0] + columns[j] * strides[1], here[j]

            # Only the pixels with one place in their tile look in a direction.
            begin, end = begins[y, tile_x], begins[y, tile_x + 1]
            if y % tile == tile_y and begin < end:
                for j in range(begin, end):
                    columns[j - begin] = slots[j] * tile + tile_x
                at = places[start + tile_x]
                if _count_met(slots[begin:end], met[:, at:]) > 0:
                    integrals_of(direction, its_sums, tensor, strides, y, columns[: end - begin], here)
                for kind in range(2):
                    lines, out = (met[kind, at:], there[kind, at:]), (hits[ray, kind], energies[ray, kind])
                    _look(numbers[begin:end], slots[begin:end], lines, here, sign, out)


@njit(cache=True, nogil=True)
def _count_met(slots: Array, met: Array) -> int:
    count = 0
    for slot in slots:
        count += (met[0, slot] >= 0) | (met[1, slot] >= 0)
    return count


@njit(cache=True, nogil=True)
def _look(
    numbers: Array,
    slots: Array,
    lines: tuple[Array, Array],
    here: Array,
    sign: np.float32,
    found: tuple[Array, Array],
) -> None:
    (met, there), (hits, energies) = lines, found
    for j in range(len(numbers)):
        hits[numbers[j]] = met[slots[j]]
        if met[slots[j]] >= 0:
            energies[numbers[j]] = max(sign * (there[slots[j]] - here[j]), np.float32(0))


@njit(cache=True, nogil=True)
def _places(n: int, tile: int) -> Array:
    each = (n + tile - 1) // tile
    places = np.empty(n, dtype=np.int64)
    for i in range(n):
        places[i] = i % tile * each + i // tile
    return places
