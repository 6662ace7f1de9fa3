"""Kernels of multigrid and conjugate gradients on graphs, for one right-hand side and for several.

The matrix is `diag(degree) - W`, W's compressed rows given as `start`, `column`, `weight`; for sweeps the diagonal's
inverse is given, 0 where a node is fixed at 0. Several right-hand sides lie side by side, `(n, m)`, so that each weight
is read once for all. Sweeps take the nodes one after the other, in order.
"""

import numpy as np

from active_matting.compiled import njit
from active_matting.solvers.graph.kernels import Array


@njit(cache=True, nogil=True)
def _multiply(
    start: Array, middle: Array, column: Array, weight: Array, degree: Array, is_free: Array, x: Array, product: Array
) -> None:
    # The product's rows of fixed nodes are 0.
    for i in range(len(degree)):
        s = degree[i] * x[i]
        if is_free[i]:
            for k in range(start[i], start[i + 1]):
                s -= np.float32(weight[k]) * x[column[k]]
            product[i] = s
        else:
            product[i] = 0


@njit(cache=True, nogil=True)
def _multiply_many(
    start: Array, middle: Array, column: Array, weight: Array, degree: Array, is_free: Array, x: Array, product: Array
) -> None:
    n, m = x.shape
    s = np.empty(m, dtype=x.dtype)
    for i in range(n):
        for c in range(m):
            s[c] = degree[i, c] * x[i, c]
        for k in range(start[i], start[i + 1]):
            j, w = column[k], np.float32(weight[k])
            for c in range(m):
                s[c] -= w * x[j, c]
        for c in range(m):
            product[i, c] = s[c] if is_free[i, c] else 0


@njit(cache=True, nogil=True)
def _descend(
    start: Array,
    middle: Array,
    column: Array,
    weight: Array,
    inverse: Array,
    parent: Array,
    b: Array,
    x: Array,
    coarse: Array,
) -> None:
    # A forward Gauss-Seidel sweep from x = 0 needs the weights below the diagonal only.
    n = len(inverse)
    for i in range(n):
        s = b[i]
        if inverse[i] != 0:
            for k in range(start[i], middle[i]):
                s += np.float32(weight[k]) * x[column[k]]
        x[i] = s * inverse[i]

    # What it leaves is what the weights above the diagonal bring; summed over each parent's children.
    coarse[:] = 0
    for i in range(n):
        if inverse[i] != 0:
            s = np.float32(0)
            for k in range(middle[i], start[i + 1]):
                s += np.float32(weight[k]) * x[column[k]]
            coarse[parent[i]] += s


@njit(cache=True, nogil=True)
def _descend_many(
    start: Array,
    middle: Array,
    column: Array,
    weight: Array,
    inverse: Array,
    parent: Array,
    b: Array,
    x: Array,
    coarse: Array,
) -> None:
    n, m = x.shape
    s = np.empty(m, dtype=np.float32)
    for i in range(n):
        s[:] = b[i]
        for k in range(start[i], middle[i]):
            j, w = column[k], np.float32(weight[k])
            for c in range(m):
                s[c] += w * x[j, c]
        for c in range(m):
            x[i, c] = s[c] * inverse[i, c]

    coarse[:] = 0
    for i in range(n):
        s[:] = 0
        for k in range(middle[i], start[i + 1]):
            j, w = column[k], np.float32(weight[k])
            for c in range(m):
                s[c] += w * x[j, c]
        for c in range(m):
            coarse[parent[i], c] += s[c] if inverse[i, c] != 0 else np.float32(0)


@njit(cache=True, nogil=True)
def _ascend(
    start: Array,
    middle: Array,
    column: Array,
    weight: Array,
    inverse: Array,
    parent: Array,
    b: Array,
    x: Array,
    coarse: Array,
) -> None:
    # The parents' correction, then a backward sweep: the mirror of the way down, so that the whole is symmetric.
    n = len(inverse)
    for i in range(n):
        if inverse[i] != 0:
            x[i] += coarse[parent[i]]
    for i in range(n - 1, -1, -1):
        if inverse[i] != 0:
            s = b[i]
            for k in range(start[i], start[i + 1]):
                s += np.float32(weight[k]) * x[column[k]]
            x[i] = s * inverse[i]


@njit(cache=True, nogil=True)
def _ascend_many(
    start: Array,
    middle: Array,
    column: Array,
    weight: Array,
    inverse: Array,
    parent: Array,
    b: Array,
    x: Array,
    coarse: Array,
) -> None:
    n, m = x.shape
    for i in range(n):
        for c in range(m):
            x[i, c] += coarse[parent[i], c] if inverse[i, c] != 0 else np.float32(0)
    s = np.empty(m, dtype=np.float32)
    for i in range(n - 1, -1, -1):
        s[:] = b[i]
        for k in range(start[i], start[i + 1]):
            j, w = column[k], np.float32(weight[k])
            for c in range(m):
                s[c] += w * x[j, c]
        for c in range(m):
            x[i, c] = s[c] * inverse[i, c]


@njit(cache=True, nogil=True)
def _dots(a: Array, b: Array) -> Array:
    # Columns' scalar products, (n, m) and (n, m) → (m,), always summed in the same order.
    total = np.zeros(a.shape[1])
    for i in range(len(a)):
        for c in range(a.shape[1]):
            total[c] += a[i, c] * b[i, c]
    return total


@njit(cache=True, nogil=True)
def _add(x: Array, factor: Array, direction: Array) -> None:
    # x += factor · direction, a factor for each column.
    for i in range(len(x)):
        for c in range(x.shape[1]):
            x[i, c] += factor[c] * direction[i, c]


@njit(cache=True, nogil=True)
def _turn(direction: Array, factor: Array, z: Array) -> None:
    # direction = z + factor · direction, a factor for each column.
    for i in range(len(z)):
        for c in range(z.shape[1]):
            direction[i, c] = z[i, c] + factor[c] * direction[i, c]
