"""Shared sampling's second stage: rays from each unknown pixel look for labelled ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.integrals import Integrals, integral
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


Memory = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


def met_memory(frame: Frame, rays: int) -> Memory:
    """In which `cast_rays` works: enough for all pixels, touched as far as pixels are unknown."""
    n = frame.h * frame.w
    return (
        np.empty(n + 1, dtype=np.int64),
        np.empty(rays * 2 * n, dtype=np.int32),
        np.empty(rays * 2 * n, dtype=np.float32),
    )


def cast_rays(frame: Frame, integrals: Integrals, known: Plane, memory: Memory, workers: Workers) -> Met:
    """Find the first foreground and background pixel on each pixel's rays, and the energy of the way there."""
    h, w = frame.h, frame.w
    labels = frame.inside(known).astype(np.int8)
    tensor, rays, tile = integrals.tensor.reshape(h * w, 3), integrals.rays, integrals.tile
    pixels, begins = _unknown(labels, tile, memory[0])
    n = len(pixels)
    hits, energies = (a[: rays * 2 * n].reshape(rays, 2, n) for a in memory[1:])

    # Rays that run along x rather than y are rays along y of the transposed image.
    upright = np.arange(n), begins, *_edges(labels)
    turned = *_turned_pixels(h, w, tile, pixels), *_turned_edges(w, *upright[2:])
    for sums, strides, its in ((integrals.steep, (w, 1), upright), (integrals.flat, (1, w), turned)):
        given = pixels, tensor, sums.table, sums.before, sums.beyond, *its
        workers.over(_cast, len(sums.table), given, tile, strides, hits, energies, chunk=_TOGETHER)
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
def _turned_pixels(h: int, w: int, tile: int, pixels: Array) -> tuple[Array, Array]:
    # The numbers of the unknown pixels by column, within it by y % tile; and where those of each begin.
    begins = np.zeros((w, tile + 1), dtype=np.int64)
    for pixel in pixels:
        begins[pixel & 0xFFFFFFFF, (pixel >> 32) % tile] += 1
    n = 0
    for x in range(w):
        for place in range(tile):
            count = begins[x, place]
            begins[x, place] = n
            n += count
        begins[x, tile] = n
    to, numbers = begins.copy(), np.empty(n, dtype=np.int64)
    for i in range(n):
        x, place = pixels[i] & 0xFFFFFFFF, (pixels[i] >> 32) % tile
        numbers[to[x, place]] = i
        to[x, place] += 1
    return numbers, begins


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
    items: tuple[int, int], given: Arrays, tile: int, strides: tuple[int, int], hits: Array, energies: Array
) -> None:
    pixels, tensor, table, before, beyond, numbers, begins, edges, edge_begins = given
    h, w = len(begins), len(tensor) // len(begins)
    # Lines lie by their place in a tile, so that those of the pixels that look in one direction are neighbours. Of each
    # line and kind: the row in which it met a labelled pixel last; and of the one that was seen there last, its row,
    # its index and the integral there.
    places, columns = _places(w + 2 * h, tile), _places(w, tile)
    met = np.empty((2, len(places) + tile * tile), dtype=np.int32)
    seen, pixel = np.empty_like(met), np.empty_like(met)
    there = np.zeros(met.shape, dtype=np.float32)
    shifts = np.empty(h, dtype=np.int64)
    looking = np.empty(w, dtype=np.int64)
    for i in range(items[0], items[1]):
        way = table[i], before[int(table[i, 3])], shifts
        is_down, tile_y, tile_x = table[i, 1] > 0, int(table[i, 4]), int(table[i, 5])
        sums = beyond[int(table[i, 3])]
        if is_down:
            n = sums.shape[1]
            sums = before[int(table[i, 3]), :, tile_x * n : (tile_x + 1) * n]
        for y in range(h):
            shifts[y] = int(np.floor(y * table[i, 2] + 0.5))
        met[:], seen[:], pixel[:] = -1, -1, -1
        out = hits[int(table[i, 0]) // (tile * tile)], energies[int(table[i, 0]) // (tile * tile)]
        for k in range(h):  # coming from where the rays point to
            y = h - 1 - k if is_down else k
            start = h - shifts[y]
            for kind in range(2):
                for e in range(edge_begins[y, kind], edge_begins[y, kind + 1]):
                    met[kind, places[start + edges[e]]] = y

            # Only the pixels with one place in their tile look in a direction.
            row = y // tile
            if y == row * tile + tile_y and begins[y, tile_x] < begins[y, tile_x + 1]:
                some = numbers[begins[y, tile_x] : begins[y, tile_x + 1]]
                for j in range(len(some)):
                    x = pixels[some[j]] & 0xFFFFFFFF if strides[1] == 1 else pixels[some[j]] >> 32
                    looking[j] = x // tile
                at = places[start + tile_x]
                for kind in range(2):
                    for j in range(len(some)):
                        line = at + looking[j]
                        if seen[kind, line] != met[kind, line]:
                            to = met[kind, line]
                            column = tile_x + looking[j] * tile - shifts[y] + shifts[to]
                            there[kind, line] = integral(way, columns, tile, tensor, strides, to, column, not is_down)
                            seen[kind, line], pixel[kind, line] = to, to * strides[0] + column * strides[1]
                    _store(is_down, (pixel[kind], there[kind]), at, looking, sums[row], some, (out[0][kind], out[1][kind]))


@njit(cache=True, nogil=True)
def _places(n: int, tile: int) -> Array:
    each = (n + tile - 1) // tile
    places = np.empty(n, dtype=np.int64)
    for i in range(n):
        places[i] = i % tile * each + i // tile
    return places


@njit(cache=True, nogil=True)
def _store(
    is_down: bool,
    lines: tuple[Array, Array],
    at: int,
    looking: Array,
    here: Array,
    numbers: Array,
    found: tuple[Array, Array],
) -> None:
    (pixel, there), (hits, energies) = lines, found
    sign = np.float32(1 if is_down else -1)
    for j in range(len(numbers)):
        x = looking[j]
        hits[numbers[j]] = pixel[at + x]
        energies[numbers[j]] = max(sign * (there[at + x] - here[x]), np.float32(0))
