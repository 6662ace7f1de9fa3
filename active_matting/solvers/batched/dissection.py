"""Direct solution of many sparse systems of one structure: nested dissection of the pixel grid, level by level.

The image is halved by a strip of pixels, the separator, so wide that no row of the matrix reaches across; either half
again, and so on (George 1973). Pixels are eliminated from the smallest rectangles up: those of a node are its
separator (of a leaf its whole rectangle), and what their elimination changes is its ring, the pixels outside its
rectangle within reach::

    [ A_ss  A_sr ] [ x_s ]       A_ss = L Lᵀ,  W = L⁻¹ A_sr,  A_rr - Wᵀ W goes to the parent (Liu 1992, section 2)
    [ A_rs  A_rr ] [ x_r ]       x_s = L⁻ᵀ (y - W x_r)

The right-hand side is carried along as one more column of the ring, so that the elimination leaves y in W. All nodes
of a level are brought to one size with rows of the identity, so that a level is one batched dense problem, for all
images at once; sizes depend on the image's shape alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.solvers.batched.geometry import Grid, Level, levels_of

LEAF = 12  # rectangles with no longer side are not halved again: fewer levels outweigh the larger leaves


@dataclass(frozen=True, eq=False)
class Nodes:
    """Index tensors of the m nodes of one level, of s separator pixels and r places in the ring each.

    The ring's last place is the right-hand side's.
    """

    pixels: Tensor
    """(m, s): flat index of each separator pixel, H·W for padding."""
    ring: Tensor
    """(m, r - 1): likewise for the ring."""
    entries: Tensor
    """(m, s, k + 1): where in a system's values the entries of each separator pixel's row are."""
    places: Tensor
    """(m, s, k + 1): the columns of the front they belong to."""
    child_places: Tensor | None
    """(m, 2, s + r): the place of each place of the front in the children's rings; None for leaves."""


@dataclass(frozen=True, eq=False)
class Dissection:
    """The plan by which systems of images of one shape are solved.

    A system's values are a vector: the matrix' entries `A[p, p + o]`, `(k, H·W)`, for the k offsets o of at most
    `reach` pixels, by dy then dx; a 0; a 1; and the right-hand side, `(H·W)`.
    """

    levels: tuple[Nodes, ...]
    """From the root to the leaves."""
    size: int
    """H·W"""

    @property
    def bytes_per_system(self) -> int:
        """Memory that solving one system takes: all L and W, and the largest level's fronts three times."""
        kept = [m * s * (s + r) for m, s, r in self.shapes()]
        front = [m * (s + r) ** 2 for m, s, r in self.shapes()]
        return 8 * (sum(kept) + 3 * max(front))

    @property
    def bytes_moved(self) -> int:
        """What solving one system must at least write and read again: L and W once each way, updates likewise."""
        return 8 * sum(2 * m * s * (s + r) + 2 * m * r * r for m, s, r in self.shapes())

    @property
    def operations(self) -> int:
        """Floating-point operations of one factorisation."""
        return sum(m * (s**3 // 3 + s * s * r + 2 * s * r * r) for m, s, r in self.shapes())

    def shapes(self) -> Iterator[tuple[int, int, int]]:
        """m, s and r of each level."""
        for nodes in self.levels:
            yield (*nodes.pixels.shape, nodes.ring.shape[1] + 1)

    def solve(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Solutions (N, H·W) of systems whose values are (N, ·), float64, and whether each was found, bool (N,).

        A solution that was not found, because a pivot was not positive, is not to be read.
        """
        factors = []
        updates: Tensor | None = None
        is_solved = torch.ones(len(values), dtype=torch.bool, device=values.device)
        for nodes in reversed(self.levels):
            top, ring = _assemble(nodes, values, updates)
            s = top.shape[2]
            L, info = torch.linalg.cholesky_ex(top[..., :s])
            W = torch.linalg.solve_triangular(L, top[..., s:], upper=False)
            updates = torch.baddbmm(ring.flatten(0, 1), W.mT.flatten(0, 1), W.flatten(0, 1), alpha=-1).view_as(ring)
            factors.append((L, W))
            is_solved &= (info == 0).all(1)
        solution = self._substitute(factors, values)
        return solution, is_solved & solution.isfinite().all(1)

    def _substitute(self, factors: list[tuple[Tensor, Tensor]], values: Tensor) -> Tensor:
        x = values.new_zeros(len(values), self.size + 1)  # the last place takes the padding
        for nodes in self.levels:
            L, W = factors.pop()
            right = W[..., -1:] - W[..., :-1] @ x[:, nodes.ring][..., None]
            x[:, nodes.pixels] = torch.linalg.solve_triangular(L.mT, right, upper=True)[..., 0]
        return x[:, :-1]


def _assemble(nodes: Nodes, values: Tensor, updates: Tensor | None) -> tuple[Tensor, Tensor]:
    # The separator's rows of all fronts, (N, m, s, s + r), and the ring's, (N, m, r, r).
    n, (m, s, k) = len(values), nodes.entries.shape
    r = nodes.ring.shape[1] + 1
    top = values.new_zeros(n, m, s, s + r)
    top.scatter_(3, nodes.places.expand(n, m, s, k), values[:, nodes.entries])
    ring = values.new_zeros(n, m, r, r)
    if updates is not None and nodes.child_places is not None:
        for child in range(2):
            # First rows, then columns: together they would need an index for each number of the fronts.
            place = nodes.child_places[:, child]  # (m, s + r)
            node = torch.arange(child, 2 * m, 2, device=values.device)[:, None]
            rows = updates[:, node, place]  # (N, m, s + r, the child's r)
            columns = place[None, :, None].expand(n, m, s + r, s + r)
            top += rows[:, :, :s].gather(3, columns[:, :, :s])
            ring += rows[:, :, s:].gather(3, columns[:, :, s:, s:])
    return top, ring


@lru_cache(maxsize=8)
def dissect(h: int, w: int, reach: int, device: torch.device) -> Dissection:
    """The plan for images of `(h, w)` pixels and rows that reach at most `reach` pixels away, on `device`."""
    levels = levels_of(h, w, reach, max(LEAF, reach + 2))
    plans = [_nodes(Grid(h, w, reach), level, below) for level, below in zip(levels, [*levels[1:], None], strict=True)]
    tensors = [[None if a is None else torch.tensor(a, device=device) for a in plan] for plan in plans]
    return Dissection(tuple(Nodes(*plan) for plan in tensors), h * w)  # type: ignore[arg-type]


def _nodes(grid: Grid, level: Level, below: Level | None) -> tuple[NDArray[Any] | None, ...]:
    # See Nodes. Padding of the ring is never written to but with zeros; its last-but-one place is always padding.
    hw = grid.h * grid.w
    offsets = grid.offsets()
    pixels, ring = level.separator, level.ring
    s, r = pixels.shape[1], ring.shape[1] + 1
    is_pad = pixels == hw

    # Where each entry's column is: nowhere if it is out of the image or was eliminated below.
    y, x = pixels // grid.w, pixels % grid.w
    places = level.place_of(y[..., None] + offsets[:, 0], x[..., None] + offsets[:, 1])
    entries = np.arange(len(offsets)) * hw + pixels[..., None]
    is_nowhere = (places < 0) | is_pad[..., None]
    zero, one, right = len(offsets) * hw, len(offsets) * hw + 1, len(offsets) * hw + 2
    entries[is_nowhere], places[is_nowhere] = zero, s + r - 2

    # A padded row is the identity's.
    entries[..., 0] = np.where(is_pad, one, entries[..., 0])
    places[..., 0] = np.where(is_pad, np.arange(s), places[..., 0])
    rights = np.where(is_pad, zero, right + pixels)[..., None]
    entries = np.concatenate([entries, rights], axis=2)
    places = np.concatenate([places, np.full_like(rights, s + r - 1)], axis=2)

    child_places = None
    if below is not None:
        front = np.concatenate([pixels, ring], axis=1)
        y, x = np.where(front == hw, -(10**9), front // grid.w), front % grid.w
        width = below.separator.shape[1]
        at = np.stack([below.of_children(child).place_of(y, x) for child in range(2)], axis=1) - width
        last = below.ring.shape[1]
        at[at < 0] = last - 1
        child_places = np.concatenate([at, np.full((*at.shape[:2], 1), last)], axis=2)
    return pixels, ring, entries, places, child_places
