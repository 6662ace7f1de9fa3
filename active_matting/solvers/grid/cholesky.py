"""Kernels of the multifrontal Cholesky factorisation of a matrix that ties near pixels (Liu 1992).

A *front* holds the rows of a node's own unknown pixels, then of the unknown pixels in the ring around it, and last
the right-hand side, which is carried along as one more row so that the forward substitution comes with the
factorisation::

    own   [ L11         ]   the first columns, stored for the solution, (rows, own)
    ring  [ L21   U     ]   the rest, what the node leaves for its parent to add up, lower triangle row after row
    right [ y     u   . ]

`tree` is `(strips, rectangles, children)` of a `Dissection`, `matrix` is the stencil and its rows' sums. `labels` is
int8 (H, W): ±1 known, 0 unknown. What is solved for is alpha - 1/2, so that known pixels are ±1/2, and pixels that
nothing ties to a label are 0.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.grid.dense_kernels import eliminate, subtract_square

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]


@njit(cache=True, nogil=True, error_model="numpy")
def factorise(nodes: Array, tree: Arrays, reach: int, matrix: Arrays, labels: Array, store: Arrays) -> None:
    """Factorise the fronts of `nodes`, children before parents."""
    factor, factor_at, kept, kept_at, passing, passing_at, place, replaced = store
    strips, rectangles, children = tree
    stencil = matrix[0]
    pixels = room_for_pixels(nodes, tree, reach)
    spot = room_for_pixels(nodes, tree, reach)
    for node in nodes:
        own, ring = front_pixels(strips[node], rectangles[node], reach, labels, pixels)
        rows = own + ring + 1
        for i in range(rows - 1):
            place[pixels[i]] = i
        P = factor[factor_at[node] : factor_at[node] + rows * own].reshape((rows, own))
        U = _update(node, ring, kept, kept_at, passing, passing_at)
        P[:] = 0
        U[:] = 0
        _assemble(matrix, labels, reach, pixels, place, P)
        for child in children[node]:
            if child >= 0:
                skip, count = front_pixels(strips[child], rectangles[child], reach, labels, spot)
                for a in range(count):
                    spot[a] = place[spot[skip + a]]
                spot[count] = rows - 1
                _extend(_update(child, count, kept, kept_at, passing, passing_at), spot[: count + 1], P, U)
        for i in range(rows - 1):
            place[pixels[i]] = -1
        replaced[node] = 0
        if own > 0:
            replaced[node] = eliminate(P, stencil[pixels[:own], stencil.shape[1] // 2])
            subtract_square(P[own:], U)


@njit(cache=True, nogil=True, error_model="numpy")
def front_pixels(strip: Array, rectangle: Array, reach: int, labels: Array, pixels: Array) -> tuple[int, int]:
    """List the unknown own and ring pixels of a node; returns how many of either."""
    h, w = labels.shape
    n = 0
    for y in range(strip[0], strip[2]):
        for x in range(strip[1], strip[3]):
            if labels[y, x] == 0:
                pixels[n] = y * w + x
                n += 1
    own = n
    top, left, bottom, right = rectangle[0], rectangle[1], rectangle[2], rectangle[3]
    for y in range(max(0, top - reach), min(h, bottom + reach)):
        skip = right if top <= y < bottom else left
        for x in range(max(0, left - reach), left):
            if labels[y, x] == 0:
                pixels[n] = y * w + x
                n += 1
        for x in range(skip, min(w, right + reach)):
            if labels[y, x] == 0:
                pixels[n] = y * w + x
                n += 1
    return own, n - own


@njit(cache=True, nogil=True, error_model="numpy")
def room_for_pixels(nodes: Array, tree: Arrays, reach: int) -> Array:
    """An array that holds the pixels of any of the nodes' fronts, or of their children's, and one more."""
    strips, rectangles, children = tree
    most = 1
    for node in nodes:
        for k in (node, children[node, 0], children[node, 1]):
            if k >= 0:
                strip, rectangle = strips[k], rectangles[k]
                own = (strip[2] - strip[0]) * (strip[3] - strip[1])
                sides = rectangle[2] - rectangle[0] + rectangle[3] - rectangle[1]
                most = max(most, own + 2 * reach * (sides + 2 * reach) + 1)
    return np.empty(most, dtype=np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def _update(node: int, ring: int, kept: Array, kept_at: Array, passing: Array, passing_at: Array) -> Array:
    size = (ring + 1) * (ring + 2) // 2
    if kept_at[node] >= 0:
        return kept[kept_at[node] : kept_at[node] + size]
    return passing[passing_at[node] : passing_at[node] + size]


@njit(cache=True, nogil=True, error_model="numpy")
def _assemble(matrix: Arrays, labels: Array, reach: int, pixels: Array, place: Array, P: Array) -> None:
    # Entries between own pixels and own or ring pixels; those to known neighbours go to the right-hand side.
    stencil, sums = matrix
    h, w = labels.shape
    rows, own = P.shape
    side = 2 * reach + 1
    for j in range(own):
        y, x = pixels[j] // w, pixels[j] % w
        right = -0.5 * sums[pixels[j]]
        for dy in range(max(-reach, -y), min(reach, h - 1 - y) + 1):
            for dx in range(max(-reach, -x), min(reach, w - 1 - x) + 1):
                value = stencil[pixels[j], (dy + reach) * side + dx + reach]
                label = labels[y + dy, x + dx]
                if label != 0:
                    right -= 0.5 * label * value
                else:
                    i = place[(y + dy) * w + x + dx]
                    if i >= j:
                        P[i, j] += value
        P[rows - 1, j] += right


@njit(cache=True, nogil=True, error_model="numpy")
def _extend(update: Array, spot: Array, P: Array, U: Array) -> None:
    # Add a child's update, whose row a belongs to row spot[a] of this front.
    own = P.shape[1]
    at = 0
    for a in range(len(spot)):
        row = spot[a]
        for b in range(a + 1):
            i, j = max(row, spot[b]), min(row, spot[b])
            if j < own:
                P[i, j] += update[at + b]
            else:
                U[(i - own) * (i - own + 1) // 2 + j - own] += update[at + b]
        at += a + 1


@njit(cache=True, nogil=True, error_model="numpy")
def substitute_back(
    nodes: Array, tree: Arrays, reach: int, labels: Array, factor: Array, factor_at: Array, x: Array
) -> None:
    """Solve for the own pixels of `nodes`, parents before children; `x`, flat, holds those of the nodes above."""
    strips, rectangles, _ = tree
    pixels = room_for_pixels(nodes, tree, reach)
    rest = np.empty(len(pixels))
    for node in nodes:
        own, ring = front_pixels(strips[node], rectangles[node], reach, labels, pixels)
        rows = own + ring + 1
        P = factor[factor_at[node] : factor_at[node] + rows * own].reshape((rows, own))
        for j in range(own):
            rest[j] = P[rows - 1, j]
        for i in range(rows - 2, -1, -1):
            if i < own:
                rest[i] /= P[i, i]
                x[pixels[i]] = rest[i]
            value = x[pixels[i]]
            row = P[i]
            for j in range(min(i, own)):
                rest[j] -= row[j] * value
