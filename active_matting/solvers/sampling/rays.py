"""Shared sampling's second stage: rays from each unknown pixel look for labelled ones."""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.sampling.changes import Changed
from active_matting.solvers.sampling.edges import edges_of
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Workers
from active_matting.solvers.sampling.vectors import LANES, load, splat, store

_TOGETHER = 8  # directions that share one pass over the image
_FAR = 1 << 40  # beyond every line


@dataclass(frozen=True)
class Met:
    """What the rays of the unknown pixels met; what it holds of others means nothing.

    Pixels are numbered by row, within it by `x % tile`: those that look in one direction lie side by side.
    """

    ranks: NDArray[np.int64]
    """(w,): pixel (y, x) is number `y * w + ranks[x]`."""
    found: NDArray[np.int32]
    """(h * w, rays, 4): hits, and energies as the bits they are made of: what one pixel's rays met lies together."""
    is_new: NDArray[np.bool_]
    """(h * w,): whose rays met anything else than before; set here, to be reset by who has seen it."""

    @classmethod
    def of(cls, frame: Frame, rays: int, tile: int) -> "Met":
        """Memory for all pixels, touched as far as pixels are unknown."""
        n, x = frame.h * frame.w, np.arange(frame.w)
        ranks = np.argsort(np.argsort(x % tile, kind="stable"))
        return cls(ranks, np.empty((n, rays, 4), dtype=np.int32), np.ones(n, dtype=np.bool_))

    @property
    def hits(self) -> NDArray[np.int32]:
        """(h * w, rays, 2): what was hit, as `y * w + x`, or -1; of foreground and of background."""
        return self.found[..., :2]

    @property
    def energies(self) -> NDArray[np.float32]:
        """(h * w, rays, 2): the path integral of ‖∇I · d‖² on the way there [E_p]; undefined where nothing was hit."""
        return self.found.view(np.float32)[..., 2:]


StructureTensor: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""(3, h, w): Σ over channels of I_y², I_y I_x, I_x², in this order; and of the transposed image, (3, w, h): likewise of
its rows and columns."""


def cast_rays(
    frame: Frame, tensor: StructureTensor, tile: int, known: Plane, changed: Changed, met: Met, workers: Workers
) -> None:
    """Find the first foreground and background pixel on each unknown pixel's rays, and the energy of the way there.

    tile: the `tile`² pixels of a tile turn their rays by different angles. Only rays through pixels that have
    `changed` are cast: `met` must hold what the others met, and is not looked at if all have.
    """
    # Rays that run along x rather than y are rays along y of the transposed image.
    is_unknown = frame.inside(known) == 0
    upright = tensor[0], np.ascontiguousarray(is_unknown), np.arange(frame.h) * frame.w, met.ranks
    turned = tensor[1], np.ascontiguousarray(is_unknown.T), met.ranks, np.arange(frame.h) * frame.w
    edges = edges_of(frame, known)
    rays = met.found.shape[1]
    table, parts = _directions(rays, tile)
    lines = _lines(table, changed.rows, changed.columns)
    found = met.found.reshape(-1)
    result = rays, found, found.view(np.float32), met.is_new, changed.are_all
    if changed.are_all:
        met.is_new[:] = True
    workers.over(_cast, len(parts), parts, table, lines, tile, upright, turned, *edges, result, chunk=1)


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
def _lines(table: Array, rows: Array, columns: Array) -> Array:
    # Of each direction, from-to: those of its lines, named by x where y = 0, that pass through changed pixels. And the
    # row of the first of these pixels on the way back from where rays point to: rays from before it do not meet them.
    lines = np.zeros((len(table), 3), dtype=np.int64)
    for i in range(len(table)):
        extents, slope = (rows if table[i, 1] != 0 else columns), table[i, 3]
        begin, end, row = _FAR, -_FAR, -1
        for y in range(len(extents)):
            if extents[y, 0] < extents[y, 1]:
                shift = int(np.floor(y * slope + 0.5))
                begin, end = min(begin, extents[y, 0] - shift), max(end, extents[y, 1] - shift)
                if table[i, 2] > 0 or row < 0:
                    row = y
        if begin < end:
            lines[i, 0], lines[i, 1], lines[i, 2] = begin, end, row
    return lines


@njit(cache=True, nogil=True)
def _cast(
    items: tuple[int, int],
    parts: Array,
    table: Array,
    lines: Array,
    tile: int,
    upright: Arrays,
    turned: Arrays,
    upright_edges: Arrays,
    turned_edges: Arrays,
    result: tuple[int, Array, Array, Array, bool],
) -> None:
    w = upright[0].shape[2]
    for item in range(items[0], items[1]):
        begin, end = parts[item]
        part, some = table[begin:end], lines[begin:end]
        if part[0, 1] != 0:
            _sweep(upright, upright_edges, part, some, tile, (w, 1), result)
        else:
            _sweep(turned, turned_edges, part, some, tile, (1, w), result)


@njit(cache=True, nogil=True)
def _sweep(
    planes: Arrays,
    edges: Arrays,
    part: Array,
    lines: Array,
    tile: int,
    strides: tuple[int, int],
    result: tuple[int, Array, Array, Array, bool],
) -> None:
    rays, hits, energies, is_new, are_all = result
    tensor, is_unknown, row_numbers, column_numbers = planes
    columns, edge_begins = edges
    h, w = tensor.shape[1:]
    sign = part[0, 2]
    way, length = (0 if sign > 0 else 1), (lines[:, 1] - lines[:, 0]).max() + LANES
    weights = part[:, 4:7].astype(np.float32)

    # The integral so far, coming from where the rays point to; what each line met last, and the integral there.
    totals = np.zeros(len(part) * length, dtype=np.float32)
    met = np.full(2 * len(part) * length, -1, dtype=np.int32)
    there = np.zeros(2 * len(part) * length, dtype=np.float32)
    starts, spans = np.empty(len(part), dtype=np.int64), np.empty((len(part), 2), dtype=np.int64)
    for k in range(h):
        y = h - 1 - k if sign > 0 else k
        # Parallel lines x = line + round(y · slope) cover every pixel once; ‖∇I · d‖² is integrated along them. All
        # from the image's edge on: so what a line's rays meet depends on nothing but the pixels on it.
        for i in range(len(part)):
            shift = int(np.floor(y * part[i, 3] + 0.5))
            starts[i] = -shift - lines[i, 0]
            spans[i, 0], spans[i, 1] = max(lines[i, 0] + shift, 0), min(lines[i, 1] + shift, w)
        _integrate(tensor, y, weights, starts, spans, length, totals)
        for i in range(len(part)):
            begin, end = spans[i]
            for kind in range(2):
                line = (2 * i + kind) * length + starts[i]
                for e in range(edge_begins[way, y, kind], edge_begins[way, y, kind + 1]):
                    x = columns[e]
                    if begin <= x < end:
                        met[line + x] = y * strides[0] + x * strides[1]
                        there[line + x] = totals[i * length + starts[i] + x]

            # Only the pixels with one place in their tile look in a direction.
            if y % tile == int(part[i, 7]) and (lines[i, 2] - y) * sign >= 0:
                ray, tile_x = int(part[i, 0]) // (tile * tile), int(part[i, 8])
                for x in range(begin + (tile_x - begin) % tile, end, tile):
                    if is_unknown[y, x] == 0:
                        continue
                    at, pixel = 2 * i * length + starts[i] + x, row_numbers[y] + column_numbers[x]
                    total, to = totals[i * length + starts[i] + x], (pixel * rays + ray) * 4
                    f_energy = max(total - there[at], np.float32(0))
                    b_energy = max(total - there[at + length], np.float32(0))
                    # The way to the same pixel costs the same.
                    if not are_all and (hits[to] != met[at] or hits[to + 1] != met[at + length]):
                        is_new[pixel] = True
                    hits[to], hits[to + 1] = met[at], met[at + length]
                    energies[to + 2], energies[to + 3] = f_energy, b_energy


@njit(cache=True, nogil=True)
def _integrate(tensor: Array, y: int, weights: Array, starts: Array, spans: Array, length: int, totals: Array) -> None:
    # One row of the image, for all directions. Lines behind a span, of which a vector may take some, are not read.
    h, w = tensor.shape[1:]
    t_yy, t_yx, t_xx = y * w, (h + y) * w, (2 * h + y) * w
    for i in range(len(starts)):
        to, (begin, end) = i * length + starts[i], spans[i]
        w_yy, w_yx, w_xx = weights[i, 0], weights[i, 1], weights[i, 2]
        s_yy, s_yx, s_xx = splat(w_yy), splat(w_yx), splat(w_xx)
        x = begin
        while x < end and x + LANES <= w:
            energy = s_yy * load(tensor, t_yy + x) + s_yx * load(tensor, t_yx + x) + s_xx * load(tensor, t_xx + x)
            store(totals, to + x, load(totals, to + x) + energy)
            x += LANES
        for rest in range(x, end):
            totals[to + rest] += w_yy * tensor[0, y, rest] + w_yx * tensor[1, y, rest] + w_xx * tensor[2, y, rest]
