"""Many label maps that differ little, solved with one factor: each is a border of constraints around it.

With the labels common to all maps known, the solution is x₀ and `A = L Lᵀ` the factor. A map that also knows the
pixels C, with values c, has the solution::

    x = x₀ - A⁻¹ E λ,    S λ = x₀[C] - c,    S = Eᵀ A⁻¹ E = Yᵀ Y,    Y = L⁻¹ E

where E picks C. Y is empty but for the nodes on the way from C to the tree's root (Gilbert and Peierls 1988), and
`A⁻¹ E λ = L⁻ᵀ (Y λ)` is found for many maps at once.
"""

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from active_matting.solvers.candidate_kernels import constrain, substitute_back_many
from active_matting.solvers.dissection import Integers
from active_matting.solvers.grid_factor import GridFactor, Known, Vector, over

_AT_ONCE = 64  # maps whose solutions are substituted back together
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
    base = factor.solve()
    for start in range(0, len(usable), _AT_ONCE):
        chunk = usable[start : start + _AT_ONCE]
        targets = [0.5 * known[index].ravel()[constrained[index]] for index in chunk]
        x, is_exact = _solve_bordered(factor, base, [constrained[index] for index in chunk], targets)
        alphas[chunk] = np.clip(x + 0.5, 0, 1).reshape(len(chunk), *common.shape)
        is_solved[chunk] = is_exact
    return is_solved


def _constrained(labels: Known, common: Known, reach: int) -> Integers:
    """The pixels, flat, that `labels` knows beyond `common` and that touch an unknown one; the others tie nothing."""
    is_unknown = (labels == 0).astype(np.uint8)
    near_unknown = cv2.dilate(is_unknown, np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8))
    return np.flatnonzero((labels != common) & (near_unknown != 0))


def _solve_bordered(
    factor: GridFactor, base: Vector, constrained: list[Integers], targets: list[Vector]
) -> tuple[Vector, NDArray[np.bool_]]:
    """alpha - 1/2 with the targets at the constrained pixels of each of N maps, (N, H·W); and which are exact."""
    tree, known = factor.tree, factor.known
    ways = tree.parent, tree.first, tree.owner
    arrays = factor.values, factor.at
    x = np.zeros((len(constrained), base.size))
    is_exact = np.ones(len(constrained), dtype=bool)

    def carry(index: int, place: Integers) -> None:
        order = np.argsort(tree.owner[constrained[index]], kind="stable")
        pixels, target = constrained[index][order], targets[index][order]
        wanted = base[pixels] - target
        is_exact[index] = (
            constrain(pixels, wanted, factor.kernel_tree, ways, tree.reach, known, arrays, place, x[index]) > _PIVOT
        )

    def substitute(nodes: Integers, _: None) -> None:
        substitute_back_many(nodes, factor.kernel_tree, tree.reach, known, arrays, x)

    threads = numba.get_num_threads()
    over(range(len(constrained)), carry, [np.full(base.size, -1) for _ in range(threads)])
    substitute(tree.above(), None)
    over([tree.below(block)[::-1] for block in tree.blocks], substitute, [None] * threads)
    np.subtract(base, x, out=x)
    for row, pixels, target in zip(range(len(x)), constrained, targets, strict=True):
        is_exact[row] &= bool((np.abs(x[row, pixels] - target) <= _EXACT).all())
    return x, is_exact
