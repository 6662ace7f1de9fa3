"""Kernels that build sparse symmetric weights from ties, and gather their nodes into fewer and fewer.

Sparse matrices are compressed rows: those of node i are entries `start[i]` to before `start[i + 1]` of `column`, sorted
and without i itself, and of `weight`; the first of them right of the diagonal is `middle[i]`. Columns are unsigned,
which spares each read a test for negative indices.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import njit

Array: TypeAlias = NDArray[Any]


@njit(cache=True, nogil=True)
def _symmetrise(nearest: Array) -> tuple[Array, Array, Array]:
    # Weights T + Tᵀ, where T counts how often j is among the (n, k) nearest of i.
    n, k = nearest.shape
    start = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        for a in range(k):
            j = nearest[i, a]
            if j != i:
                start[i + 1] += 1
                start[j + 1] += 1
    start[:] = np.cumsum(start)
    ends = np.empty(start[n], dtype=np.uint32)
    fill = start[:n].copy()
    for i in range(n):
        for a in range(k):
            j = nearest[i, a]
            if j != i:
                ends[fill[i]], ends[fill[j]] = j, i
                fill[i] += 1
                fill[j] += 1

    # Equal ends of one node become one entry, counted.
    weight = np.empty(len(ends), dtype=np.uint8)
    first, entry = np.int64(0), 0
    for i in range(n):
        row = np.sort(ends[first : start[i + 1]])
        first = start[i + 1]
        start[i] = entry
        for a in range(len(row)):
            if a > 0 and row[a] == row[a - 1]:
                weight[entry - 1] += 1
            else:
                ends[entry], weight[entry] = row[a], 1
                entry += 1
    start[n] = entry
    return start, ends[:entry].copy(), weight[:entry].copy()


@njit(cache=True, nogil=True)
def _degrees(start: Array, weight: Array) -> Array:
    degree = np.zeros(len(start) - 1, dtype=np.float32)
    for i in range(len(degree)):
        for k in range(start[i], start[i + 1]):
            degree[i] += weight[k]
    return degree


@njit(cache=True, nogil=True)
def _middles(start: Array, column: Array) -> Array:
    middle = np.empty(len(start) - 1, dtype=np.int64)
    for i in range(len(middle)):
        middle[i] = start[i]
        while middle[i] < start[i + 1] and column[middle[i]] < i:
            middle[i] += 1
    return middle


@njit(cache=True, nogil=True)
def _match(start: Array, column: Array, weight: Array, degree: Array) -> tuple[Array, int]:
    # Each node joins the one it is most strongly tied to among those still alone: w_ij / sqrt(d_i d_j).
    n = len(start) - 1
    parent = np.full(n, -1, dtype=np.int32)
    count = 0
    for i in range(n):
        if parent[i] >= 0:
            continue
        mate, strongest = np.int64(-1), np.float32(0)
        for k in range(start[i], start[i + 1]):
            j = column[k]
            if parent[j] < 0:
                w = np.float32(weight[k])
                strength = w * w / degree[j]
                if strength > strongest:
                    mate, strongest = np.int64(j), strength
        parent[i] = count
        if mate >= 0:
            parent[mate] = count
        count += 1
    return parent, count


@njit(cache=True, nogil=True)
def _coarsen(start: Array, column: Array, weight: Array, parent: Array, count: int) -> tuple[Array, Array, Array]:
    # Weights among the parents: Pᵀ W P, P(i, parent(i)) = 1, without what stays within one parent.
    n = len(start) - 1
    first = np.zeros(count + 1, dtype=np.int64)
    for i in range(n):
        first[parent[i] + 1] += 1
    first[:] = np.cumsum(first)
    children = np.empty(n, dtype=np.int64)
    fill = first[:count].copy()
    for i in range(n):
        children[fill[parent[i]]] = i
        fill[parent[i]] += 1

    coarse_start = np.empty(count + 1, dtype=np.int64)
    coarse_column = np.empty(start[n], dtype=np.uint32)
    coarse_weight = np.empty(start[n], dtype=np.float32)
    seen = np.full(count, -1, dtype=np.int64)
    total = np.zeros(count, dtype=np.float32)
    touched = np.empty(count, dtype=np.uint32)
    entry = 0
    for I in range(count):  # noqa: E741
        coarse_start[I] = entry
        found = 0
        for a in range(first[I], first[I + 1]):
            i = children[a]
            for k in range(start[i], start[i + 1]):
                J = parent[column[k]]
                if J == I:
                    continue
                if seen[J] != I:
                    seen[J], total[J], touched[found] = I, 0, J
                    found += 1
                total[J] += weight[k]
        row = np.sort(touched[:found])
        for J in row:
            coarse_column[entry], coarse_weight[entry] = J, total[J]
            entry += 1
    coarse_start[count] = entry
    return coarse_start, coarse_column[:entry].copy(), coarse_weight[:entry].copy()
