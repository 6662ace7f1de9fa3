"""Kernels of information flow's energy: products with its matrix, and its coarse form."""

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.graph.kernels import Array

_OFFSETS = 25  # pixels that share a 3×3 window with one: 5×5, row by row


@njit(cache=True, nogil=True)
def _add_local(stencil: Array, factor: float, x: Array, product: Array) -> None:
    # product += factor · L x, planes (H, W); along rows, so that the inner loop is vectorised.
    h, w = x.shape
    for y in range(h):
        for o in range(_OFFSETS):
            qy, dx = y + o // 5 - 2, o % 5 - 2
            if qy < 0 or qy >= h:
                continue
            low, high = max(0, -dx), min(w, w - dx)
            if high <= low:
                continue
            weights, values, sums = stencil[o, y, low:high], x[qy, low + dx : high + dx], product[y, low:high]
            for k in range(high - low):
                sums[k] += factor * weights[k] * values[k]


@njit(cache=True, nogil=True)
def _add_mixtures(neighbours: Array, weights: Array, is_unknown: Array, x: Array, product: Array) -> None:
    # product += Mᵀ M x, M's rows those of I - W for the unknown pixels: read once, gathered from and scattered to.
    n, k = neighbours.shape
    for p in range(n):
        if is_unknown[p]:
            s = x[p]
            for a in range(k):
                s -= weights[p, a] * x[np.uint32(neighbours[p, a])]
            product[p] += s
            for a in range(k):
                product[np.uint32(neighbours[p, a])] -= weights[p, a] * s


@njit(cache=True, nogil=True)
def _add_ties(pixels: Array, partners: Array, weights: Array, factor: float, x: Array, product: Array) -> None:
    # product += factor · (graph Laplacian) x.
    for a in range(len(pixels)):
        p, q = np.uint32(pixels[a]), np.uint32(partners[a])
        s = factor * weights[a] * (x[p] - x[q])
        product[p] += s
        product[q] -= s


@njit(cache=True, nogil=True)
def _add_mixture_diagonal(neighbours: Array, weights: Array, is_unknown: Array, diagonal: Array) -> None:
    n, k = neighbours.shape
    for p in range(n):
        if is_unknown[p]:
            diagonal[p] += 1
            for a in range(k):
                diagonal[neighbours[p, a]] += weights[p, a] * weights[p, a]


@njit(cache=True, nogil=True)
def _coarse_mixtures(neighbours: Array, weights: Array, parent: Array, coarse: Array) -> None:
    # coarse += (M P)ᵀ (M P), all pixels' rows, P(i, parent(i)) = 1.
    n, k = neighbours.shape
    node = np.empty(k + 1, dtype=np.int64)
    entry = np.empty(k + 1)
    for p in range(n):
        node[0], entry[0] = parent[p], 1
        count = 1
        for a in range(k):
            target, slot = parent[neighbours[p, a]], 0
            while slot < count and node[slot] != target:
                slot += 1
            if slot == count:
                node[slot], entry[slot] = target, 0
                count += 1
            entry[slot] -= weights[p, a]
        for a in range(count):
            for b in range(count):
                coarse[node[a], node[b]] += entry[a] * entry[b]


@njit(cache=True, nogil=True)
def _coarse_local(stencil: Array, factor: float, parent: Array, coarse: Array) -> None:
    # coarse += factor · Pᵀ L P.
    h, w = stencil.shape[1:]
    for o in range(_OFFSETS):
        dy, dx = o // 5 - 2, o % 5 - 2
        for y in range(max(0, -dy), min(h, h - dy)):
            for x in range(max(0, -dx), min(w, w - dx)):
                coarse[parent[y * w + x], parent[(y + dy) * w + x + dx]] += factor * stencil[o, y, x]


@njit(cache=True, nogil=True)
def _sum_over(parent: Array, values: Array, count: int) -> Array:
    total = np.zeros(count)
    for i in range(len(parent)):
        total[parent[i]] += values[i]
    return total


@njit(cache=True, nogil=True)
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total
