"""Ties among pixels that need not be neighbours in the image: found, made symmetric, gathered level by level."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from active_matting.compiled import thread_count
from active_matting.solvers.graph.kernels import _coarsen, _degrees, _match, _middles, _symmetrise

_FEWEST = 400  # nodes that are worth gathering further: fewer are solved directly at no cost
_PAIRINGS = 3  # a level's nodes have up to 2³ nodes of the level below


@dataclass(frozen=True)
class Graph:
    """Symmetric weights W ≥ 0 among n nodes as compressed rows, columns sorted, nothing on the diagonal.

    start: int64 `(n + 1,)`; middle: int64 `(n,)`, the first entry of each row right of the diagonal; column: uint32,
    weight: uint8 or float32, both `(entries,)`; degree: float32 `(n,)`, the rows' sums.
    The graph Laplacian is `diag(degree) - W`.
    """

    start: NDArray[np.int64]
    middle: NDArray[np.int64]
    column: NDArray[np.uint32]
    weight: NDArray[np.uint8] | NDArray[np.float32]
    degree: NDArray[np.float32]

    def to_sparse(self) -> scipy.sparse.csr_matrix:
        """The graph Laplacian, scipy sparse `(n, n)`, float64."""
        n = len(self.degree)
        weights = scipy.sparse.csr_matrix((self.weight.astype(np.float64), self.column, self.start), shape=(n, n))
        laplacian: scipy.sparse.csr_matrix = (scipy.sparse.diags(self.degree.astype(np.float64)) - weights).tocsr()
        return laplacian

    def components(self) -> NDArray[np.int32]:
        """The number of the connected component of each node, int32 `(n,)`, from 0."""
        n = len(self.degree)
        ties = scipy.sparse.csr_matrix((self.weight, self.column.astype(np.int32), self.start), shape=(n, n))
        return np.asarray(connected_components(ties, directed=False)[1], dtype=np.int32)


def nearest(points: NDArray[np.float64], queries: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of the `count` points nearest to each query, nearest first: `(n, d)`, `(m, d)` → int64 `(m, count)`.

    `count` at most n. Euclidean distance, on numba's number of threads.
    """
    _, found = KDTree(points).query(queries, k=np.arange(1, count + 1), workers=thread_count())
    return np.asarray(found, dtype=np.int64)


def leaf_order(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """An order of the points, a permutation of n, in which what is near in space is near in memory."""
    return np.asarray(KDTree(points).indices, dtype=np.int64)


def graph_of_ties(neighbours: NDArray[np.int64]) -> Graph:
    """The graph in which w_ij counts how often j is among `neighbours[i]` and i among `neighbours[j]`, int64 `(n, k)`.

    A node among its own neighbours does not count.
    """
    return _graph(*_symmetrise(neighbours))


def gather_to(graph: Graph, most: int) -> NDArray[np.int32]:
    """The parent of each node, int32 `(n,)`, when nodes are paired until at most `most` parents are left.

    Those left once pairs are hard to find are put together by their numbers.
    """
    parent = np.arange(len(graph.degree), dtype=np.int32)
    while len(graph.degree) > most:
        mates, count = _match(graph.start, graph.column, graph.weight, graph.degree)
        if count > 0.9 * len(graph.degree):
            mates = (np.arange(len(mates)) * most // len(mates)).astype(np.int32)
            count = most
        graph = _graph(*_coarsen(graph.start, graph.column, graph.weight, mates, count))
        parent = mates[parent]
    return parent


def gather(graph: Graph) -> list[tuple[Graph, NDArray[np.int32]]]:
    """Coarser graphs, each with the parent of every node of the graph before it, int32; from fine to coarse.

    Nodes are paired with the one they are most strongly tied to, as in pairwise aggregation (Notay 2010, "An
    aggregation-based algebraic multigrid method", ETNA 37, sec. 3), a few times for each level. Weights between
    parents are the sums of their children's. Ends where few nodes are left or hardly any pairs are found.
    """
    levels = []
    while len(graph.degree) > _FEWEST:
        coarse, parent = graph, np.arange(len(graph.degree), dtype=np.int32)
        for _ in range(_PAIRINGS):
            mates, count = _match(coarse.start, coarse.column, coarse.weight, coarse.degree)
            coarse = _graph(*_coarsen(coarse.start, coarse.column, coarse.weight, mates, count))
            parent = mates[parent]
        if len(coarse.degree) > 0.8 * len(graph.degree):
            break
        levels.append((coarse, parent))
        graph = coarse
    return levels


def _graph(
    start: NDArray[np.int64], column: NDArray[np.uint32], weight: NDArray[np.uint8] | NDArray[np.float32]
) -> Graph:
    return Graph(start, _middles(start, column), column, weight, _degrees(start, weight))
