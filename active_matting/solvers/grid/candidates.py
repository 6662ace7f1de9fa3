"""Many label maps that differ little, solved with one factor: each is a border of constraints around it.

With the labels common to all maps known, the solution is x₀ and `A = L Lᵀ` the factor. A map that also knows the
pixels C, with values c, has the solution::

    x = x₀ - A⁻¹ E λ,    S λ = x₀[C] - c,    S = Eᵀ A⁻¹ E = Yᵀ Y,    Y = L⁻¹ E

where E picks C. Y is empty but for the nodes on the way from C to the tree's root (Gilbert and Peierls 1988), and
`A⁻¹ E λ = L⁻ᵀ (Y λ)` is found for many maps at once.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import thread_count
from active_matting.solvers.grid.candidate_kernels import constrain, substitute_back_many
from active_matting.solvers.grid.dissection import Integers
from active_matting.solvers.grid.factor import GridFactor, Known, Vector, over

_AT_ONCE = 32  # maps whose solutions are substituted back together
_EXACT = 1e-6  # how far constrained pixels may be off ...
_PIVOT = 1e-10  # ... and how small a relative pivot of S may be, before a map is solved by itself


def solve_candidates(factor: GridFactor, known: Known, alphas: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Solve for labels (N, H, W), as far as one factor serves them, into rows of `alphas`; returns which, (N,).

    The other maps have too little in common with the rest, or what they add ties pixels so much better that the
    common factor is not accurate for them.
    """
    count = len(known)
    is_solved = np.zeros(count, dtype=bool)
    common = np.where((known == known[0]).all(axis=0), known[0], np.int8(0))
    if count == 1 or not common.any():
        return is_solved
    most = int(factor.tree.own[-1]) // 2  # beyond, moving the factor costs less
    constrained = [_constrained(labels, common, factor.tree.reach) for labels in known]
    usable = [index for index, pixels in enumerate(constrained) if len(pixels) <= most]
    if len(usable) < 2:
        return is_solved
    factor.move_to(common)
    if factor.replaced.any():  # a part without labels: a map that has some there needs another factor
        return is_solved
    base = factor.solve()
    targets = [0.5 * labels.ravel()[pixels] for labels, pixels in zip(known, constrained, strict=True)]
    for start in range(0, len(usable), _AT_ONCE):
        chunk = usable[start : start + _AT_ONCE]
        changes, is_accurate = _changes(factor, base, [(constrained[index], targets[index]) for index in chunk])
        for index, change, accurate in zip(chunk, changes, is_accurate, strict=True):
            x = np.subtract(base, change, out=change)
            is_exact = (np.abs(x[constrained[index]] - targets[index]) <= _EXACT).all()
            is_solved[index] = accurate and is_exact
            x += 0.5
            alphas[index] = np.clip(x, 0, 1, out=x).reshape(common.shape)
    return is_solved


def _constrained(labels: Known, common: Known, reach: int) -> Integers:
    """The pixels, flat, that `labels` knows beyond `common` and that touch an unknown one; the others tie nothing."""
    is_unknown = (labels == 0).astype(np.uint8)
    near_unknown = cv2.dilate(is_unknown, np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8))
    return np.flatnonzero((labels != common) & (near_unknown != 0))


def _changes(
    factor: GridFactor, base: Vector, borders: list[tuple[Integers, Vector]]
) -> tuple[Vector, NDArray[np.bool_]]:
    """`A⁻¹ E λ` for N maps' constrained pixels and their values of alpha - 1/2, (N, H·W); and which are accurate."""
    tree, known = factor.tree, factor.known
    ways = tree.parent, tree.first, tree.owner
    arrays = factor.values, factor.at
    changes = np.zeros((len(borders), base.size))
    is_accurate = np.zeros(len(borders), dtype=bool)

    def carry(index: int, place: Integers) -> None:
        pixels, target = borders[index]
        order = np.argsort(tree.owner[pixels], kind="stable")
        wanted = (base[pixels] - target)[order]
        change = changes[index]
        pivot = constrain(pixels[order], wanted, factor.kernel_tree, ways, tree.reach, known, arrays, place, change)
        is_accurate[index] = pivot > _PIVOT

    def substitute(nodes: Integers, _: None) -> None:
        substitute_back_many(nodes, factor.kernel_tree, tree.reach, known, arrays, changes)

    threads = thread_count()
    over(range(len(borders)), carry, [np.full(base.size, -1) for _ in range(threads)])
    substitute(tree.above(), None)
    over([tree.below(block)[::-1].copy() for block in tree.blocks], substitute, [None] * threads)
    return changes, is_accurate
