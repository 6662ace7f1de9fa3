"""Kernels of `grid_candidates`: constraints are carried up the tree as rows below the fronts of `grid_cholesky`."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit
from active_matting.solvers.grid.cholesky import front_pixels, room_for_pixels
from active_matting.solvers.grid.dense_kernels import divide_rows, eliminate, subtract_product

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = tuple[Array, ...]


@njit(cache=True, nogil=True, error_model="numpy")
def constrain(
    pixels: Array,
    wanted: Array,
    tree: Arrays,
    ways: Arrays,
    reach: int,
    known: Array,
    factor: Arrays,
    place: Array,
    change: Array,
) -> float:
    """Write `L⁻¹ E λ` into `change`, flat; returns the smallest pivot of S, relative to its diagonal.

    pixels: the constrained ones, sorted by the node that owns them; wanted: x₀ less their values; ways: the nodes'
    parents, the first nodes below them, and the pixels' owners; factor: its values and where the nodes' begin.
    """
    strips, rectangles, children = tree
    parent, first, owner = ways
    values, at = factor
    m = len(pixels)
    owners = owner[pixels]
    nodes = _ways_up(owners, parent)
    room = room_for_pixels(nodes, tree, reach)
    blocks = [np.empty((0, 0)) for _ in nodes]
    number = np.full(len(strips), -1)
    S = np.zeros((m + 1, m))
    for k in range(len(nodes)):
        node = nodes[k]
        number[node] = k
        own, ring = front_pixels(strips[node], rectangles[node], reach, known, room)
        low, high = np.searchsorted(owners, first[node]), np.searchsorted(owners, node + 1)
        Y = np.zeros((high - low, own + ring))
        for i in range(own + ring):
            place[room[i]] = i
        for c in range(low, high):
            if owners[c] == node:
                Y[c - low, place[pixels[c]]] = 1
        for child in children[node]:
            if child >= 0 and number[child] >= 0:
                skip, count = front_pixels(strips[child], rectangles[child], reach, known, room)
                below = blocks[number[child]]
                top = np.searchsorted(owners, first[child]) - low
                for c in range(len(below)):
                    for i in range(count):
                        Y[top + c, place[room[skip + i]]] += below[c, skip + i]
        own, ring = front_pixels(strips[node], rectangles[node], reach, known, room)
        for i in range(own + ring):
            place[room[i]] = -1
        P = values[at[node] : at[node] + (own + ring + 1) * own].reshape((own + ring + 1, own))
        divide_rows(Y, P[:own])
        subtract_product(Y, P[own : own + ring], 0, own, Y, own)
        subtract_product(Y, Y, 0, own, S[low:high], low)
        blocks[k] = Y

    weights, smallest = _weights(S, wanted)
    for k in range(len(nodes)):
        node = nodes[k]
        own, ring = front_pixels(strips[node], rectangles[node], reach, known, room)
        low = np.searchsorted(owners, first[node])
        Y = blocks[k]
        for c in range(len(Y)):
            for i in range(own):
                change[room[i]] += weights[low + c] * Y[c, i]
    return smallest


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(S: Array, wanted: Array) -> tuple[Array, float]:
    # λ from S λ = x₀[C] - c, with -S in the first rows and room for one more; and S's smallest relative pivot.
    m = len(wanted)
    diagonal = np.empty(m)
    for i in range(m):
        S[m, i] = wanted[i]
        diagonal[i] = -S[i, i]
        for j in range(m):
            S[i, j] = -S[i, j]
    smallest = 0.0 if eliminate(S, diagonal) > 0 else 1.0
    weights = S[m]
    for i in range(m - 1, -1, -1):
        smallest = min(smallest, S[i, i] ** 2 / diagonal[i])
        weights[i] /= S[i, i]
        for j in range(i):
            weights[j] -= S[i, j] * weights[i]
    return weights, smallest


@njit(cache=True, nogil=True, error_model="numpy")
def _ways_up(owners: Array, parent: Array) -> Array:
    # The owners and all nodes above them, children before parents.
    is_met = np.zeros(len(parent), dtype=np.bool_)
    for node in owners:
        while node >= 0 and not is_met[node]:
            is_met[node] = True
            node = parent[node]
    return np.flatnonzero(is_met)


@njit(cache=True, nogil=True, error_model="numpy")
def substitute_back_many(nodes: Array, tree: Arrays, reach: int, known: Array, factor: Arrays, X: Array) -> None:
    """`substitute_back` without right-hand side of its own, for the rows of `X`, (N, H·W): X Lᵀ = what X held."""
    strips, rectangles, _ = tree
    values, at = factor
    pixels = room_for_pixels(nodes, tree, reach)
    for node in nodes:
        own, ring = front_pixels(strips[node], rectangles[node], reach, known, pixels)
        n = own + ring
        if own == 0:
            continue
        P = values[at[node] : at[node] + n * own].reshape((n, own))
        columns = P.T.copy()
        Z = np.empty((len(X), n))
        for k in range(len(X)):
            for i in range(n):
                Z[k, i] = X[k, pixels[i]]
        for start in range((own - 1) // 32 * 32, -1, -32):
            stop = min(start + 32, own)
            subtract_product(Z, columns[start:stop], stop, n, Z, start)
            for k in range(len(X)):
                z = Z[k]
                for i in range(stop - 1, start - 1, -1):
                    z[i] /= P[i, i]
                    value, row = z[i], P[i]
                    for j in range(start, i):
                        z[j] -= row[j] * value
        for k in range(len(X)):
            for i in range(own):
                X[k, pixels[i]] = Z[k, i]
