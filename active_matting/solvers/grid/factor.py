"""A Cholesky factor of the unknown pixels' equations that follows the labels as they change."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import thread_count
from active_matting.solvers.grid.cholesky import factorise, substitute_back
from active_matting.solvers.grid.dissection import Dissection, Integers

Known: TypeAlias = NDArray[np.int8]
"""(H, W): 1 foreground, -1 background, 0 to be solved for."""

Vector: TypeAlias = NDArray[np.float64]

_Task = TypeVar("_Task")
_Scratch = TypeVar("_Scratch")


class GridFactor:
    """The factor of the labels it was last moved to; moving on costs what lies around the changed pixels.

    Each node's part is a function of the labels in and around its rectangle alone, computed in one fixed order, so
    that the factor does not depend, to the last bit, on the labels it was moved to before. Not for two threads at
    once; numbers of threads change nothing but the time.
    """

    def __init__(self, stencil: NDArray[np.float64], tree: Dissection) -> None:
        self.matrix = stencil, stencil.sum(axis=1)
        self.tree = tree
        self.kernel_tree = tree.strips, tree.rectangles, tree.children
        self.at, size = _places((tree.own + tree.ring + 1) * tree.own)
        self.values = np.empty(size)  # room for all pixels unknown; memory is taken as it is used
        self.replaced = np.zeros(len(self.at), dtype=np.int64)  # pivots that were noise, by node
        self._known: Known | None = None
        self._around = tree.around()

        # Updates are kept at the roots of blocks and above; inside a block those of one depth and side share a place.
        update = (tree.ring + 1) * (tree.ring + 2) // 2
        is_kept = np.zeros(len(update), dtype=bool)
        is_kept[[*tree.blocks, *(node for level in tree.upper for node in level)]] = True
        kept_at, size = _places(np.where(is_kept, update, 0))
        self._kept, self._kept_at = np.empty(size), np.where(is_kept, kept_at, -1)
        inner = tree.children[:, 0] >= 0
        slot = 2 * tree.depth
        slot[tree.children[inner, 1]] += 1
        room = np.zeros(int(slot.max()) + 1, dtype=np.int64)
        np.maximum.at(room, slot, np.where(is_kept, 0, update))
        passing_at, self._passing = _places(room)
        self._passing_at = passing_at[slot]

    def move_to(self, known: Known) -> None:
        """Make this the factor for the labels `known`."""
        tree = self.tree
        is_changed = np.ones(tree.shape, dtype=bool) if self._known is None else known != self._known
        if not is_changed.any():
            return
        self._known = None  # what an interruption leaves is of no use
        known = known.copy()

        def factorise_nodes(nodes: Integers, scratch: tuple[Vector, Integers]) -> None:
            passing, place = scratch
            kept = self._kept, self._kept_at
            store = self.values, self.at, *kept, passing, self._passing_at, place, self.replaced
            factorise(nodes, self.kernel_tree, tree.reach, self.matrix, known, store)

        def is_stale(node: int) -> bool:
            top, left, bottom, right = self._around[node]
            return bool(is_changed[top:bottom, left:right].any())

        scratches = [self._scratch() for _ in range(thread_count())]
        over([tree.below(block) for block in tree.blocks if is_stale(block)], factorise_nodes, scratches)
        for level in tree.upper:
            over([np.array([node]) for node in level if is_stale(node)], factorise_nodes, scratches)
        self._known = known

    @property
    def known(self) -> Known:
        """The labels it was last moved to."""
        assert self._known is not None
        return self._known

    def solve(self) -> Vector:
        """alpha - 1/2 of all pixels, flat, for the labels it was last moved to."""
        tree, known = self.tree, self.known
        x: Vector = known.ravel() * np.float64(0.5)

        def substitute(nodes: Integers, _: None) -> None:
            substitute_back(nodes, self.kernel_tree, tree.reach, known, self.values, self.at, x)

        substitute(tree.above(), None)
        over([tree.below(block)[::-1].copy() for block in tree.blocks], substitute, [None] * thread_count())
        return x

    def _scratch(self) -> tuple[Vector, Integers]:
        h, w = self.tree.shape
        return np.empty(self._passing), np.full(h * w, -1)


def over(tasks: Sequence[_Task], work: Callable[[_Task, _Scratch], None], scratches: list[_Scratch]) -> None:
    """Call `work(task, scratch)` for all tasks, on as many threads as there are scratches."""
    if len(scratches) == 1 or len(tasks) <= 1:
        for task in tasks:
            work(task, scratches[0])
        return
    free: SimpleQueue[_Scratch] = SimpleQueue()
    for scratch in scratches:
        free.put(scratch)

    def borrow(task: _Task) -> None:
        scratch = free.get()
        try:
            work(task, scratch)
        finally:
            free.put(scratch)

    with ThreadPoolExecutor(len(scratches)) as pool:
        for future in [pool.submit(borrow, task) for task in tasks]:
            future.result()


def _places(sizes: Integers) -> tuple[Integers, int]:
    """Where parts of these sizes begin, one after the other, and the size of the whole."""
    ends = np.cumsum(sizes)
    return ends - sizes, int(ends[-1])
