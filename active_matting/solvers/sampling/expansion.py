"""Shared sampling's first stage: labels grow into like colours."""

import cv2
import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.sampling.rows import Array, Arrays, Frame, Plane, Planes, Workers, nearest_offsets, next_run
from active_matting.types import Label, LabelMap

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
