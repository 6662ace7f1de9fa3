"""Kernels between pixels and a coarse grid of nodes whose hats are multiplied with 1, red, green and blue."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = tuple[Array, Array, Array]
"""Of each pixel along an axis: the node before it, the node behind it, how far it is towards the latter, 0 to 1."""


@njit(cache=True, nogil=True)
def _interpolate(colours: Array, rows: Axis, columns: Axis, maps: Array, out: Array) -> None:
    # out += a · I + b, where (b, a) are the nodes' maps, (ny, nx, 4), bilinearly between them.
    above, below, down = rows
    left, right, along = columns
    h, w = out.shape
    line = np.empty((4, maps.shape[1]))
    wide = np.empty((4, w))
    for y in range(h):
        for c in range(4):
            for k in range(maps.shape[1]):
                line[c, k] = maps[above[y], k, c] + down[y] * (maps[below[y], k, c] - maps[above[y], k, c])
            source, target = line[c], wide[c]
            for x in range(w):
                first = source[left[x]]
                target[x] = first + along[x] * (source[right[x]] - first)
        b, a_r, a_g, a_b = wide[0], wide[1], wide[2], wide[3]
        red, green, blue, values = colours[0, y], colours[1, y], colours[2, y], out[y]
        for x in range(w):
            values[x] += b[x] + a_r[x] * red[x] + a_g[x] * green[x] + a_b[x] * blue[x]


@njit(cache=True, nogil=True)
def _restrict(colours: Array, rows: Axis, columns: Axis, r: Array, moments: Array) -> None:
    # The transpose: moments, (ny, nx, 4), += Σ hat · r · (1, I).
    above, below, down = rows
    left, right, along = columns
    h, w = r.shape
    line = np.empty((moments.shape[1], 4))
    for y in range(h):
        red, green, blue, values = colours[0, y], colours[1, y], colours[2, y], r[y]
        line[:] = 0
        for x in range(w):
            here, there = (1 - along[x]) * values[x], along[x] * values[x]
            for k, value in ((left[x], here), (right[x], there)):
                line[k, 0] += value
                line[k, 1] += value * red[x]
                line[k, 2] += value * green[x]
                line[k, 3] += value * blue[x]
        for k in range(len(line)):
            for c in range(4):
                moments[above[y], k, c] += (1 - down[y]) * line[k, c]
                moments[below[y], k, c] += down[y] * line[k, c]


@njit(cache=True, nogil=True)
def _add_weights(colours: Array, rows: Axis, columns: Axis, frames: Array, weight: Array, energy: Array) -> None:
    # energy += Pᵀ diag(weight) P below the diagonal: a pixel is reached by 4 nodes of 4 functions each.
    above, below, down = rows
    left, right, along = columns
    h, w = weight.shape
    nx = frames.shape[1]
    number, value = np.empty(16, dtype=np.int64), np.empty(16)
    for y in range(h):
        for x in range(w):
            if weight[y, x] == 0:
                continue
            for corner in range(4):
                ky = below[y] if corner >= 2 else above[y]
                kx = right[x] if corner % 2 else left[x]
                hat = (down[y] if corner >= 2 else 1 - down[y]) * (along[x] if corner % 2 else 1 - along[x])
                for j in range(4):
                    f = frames[ky, kx, j]
                    total = f[0] + f[1] * colours[0, y, x] + f[2] * colours[1, y, x] + f[3] * colours[2, y, x]
                    number[4 * corner + j], value[4 * corner + j] = 4 * (ky * nx + kx) + j, hat * total
            for a in range(16):
                factor = weight[y, x] * value[a]
                for b in range(a + 1):
                    energy[number[a], number[b]] += factor * value[b]
