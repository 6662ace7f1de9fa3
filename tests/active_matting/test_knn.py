"""KNN matting: its graph and its multigrid against dense and direct solutions."""

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import spsolve

from active_matting.errors import ConvergenceError
from active_matting.solvers import make_solver
from active_matting.solvers.graph.multigrid import Cycle, levels_for
from active_matting.solvers.graph.ties import Graph, gather, gather_to, graph_of_ties, nearest
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Image, LabelMap


def ties(n: int, k: int, seed: int = 0) -> NDArray[np.int64]:
    points = np.random.default_rng(seed).random((n, 3))
    return np.argsort(((points[:, None] - points) ** 2).sum(axis=2), axis=1)[:, :k].astype(np.int64)


def slow_weights(neighbours: NDArray[np.int64]) -> NDArray[np.float64]:
    n = len(neighbours)
    weights = np.zeros((n, n))
    for i in range(n):
        for j in neighbours[i]:
            if i != j:
                weights[i, j] += 1
                weights[j, i] += 1
    return weights


def dense(graph: Graph) -> NDArray[np.float64]:
    return np.asarray(graph.to_sparse().toarray())


def grid_laplacian(image: Image) -> scipy.sparse.csr_matrix:
    """KNN matting's own, with SciPy's sparse matrices, for images that are too large for dense ones."""
    h, w = image.shape[:2]
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    weights = scipy.sparse.csr_matrix((h * w, h * w))
    for count, of_place in ((20, 2.0), (10, 0.1)):
        features = np.column_stack([image.reshape(-1, 3), of_place * y.ravel(), of_place * x.ravel()])
        found = nearest(features, features, count).ravel()
        start = np.arange(0, h * w * count + 1, count)
        tied = scipy.sparse.csr_matrix((np.ones(len(found)), found, start), shape=(h * w, h * w))
        weights = weights + tied + tied.T
    laplacian: scipy.sparse.csr_matrix = (scipy.sparse.diags(np.asarray(weights.sum(axis=1)).ravel()) - weights).tocsr()
    return laplacian


def direct(laplacian: scipy.sparse.csr_matrix, label_map: LabelMap) -> NDArray[np.float64]:
    labels = label_map.ravel()
    is_known = np.abs(labels) == 1
    alpha = (labels == 1).astype(np.float64)
    rows = laplacian[~is_known]
    alpha[~is_known] = spsolve(rows[:, ~is_known].tocsc(), -(rows[:, is_known] @ alpha[is_known]))
    return np.asarray(alpha.reshape(label_map.shape))


def test_ties_count_from_both_ends() -> None:
    neighbours = np.concatenate([ties(60, 5), ties(60, 3, seed=1)], axis=1)
    graph, weights = graph_of_ties(neighbours), slow_weights(neighbours)
    np.testing.assert_array_equal(dense(graph), np.diag(weights.sum(axis=1)) - weights)
    for i in range(60):
        row = graph.column[graph.start[i] : graph.start[i + 1]]
        assert (np.diff(row.astype(int)) > 0).all()
        assert (graph.column[graph.start[i] : graph.middle[i]] < i).all()
        assert (graph.column[graph.middle[i] : graph.start[i + 1]] > i).all()


def test_a_coarser_graph_sums_the_weights_between_its_groups() -> None:
    graph = graph_of_ties(ties(1500, 8))
    for coarse, parent in gather(graph):
        P = np.zeros((len(parent), len(coarse.degree)))
        P[np.arange(len(parent)), parent] = 1
        np.testing.assert_allclose(dense(coarse), P.T @ dense(graph) @ P)
        assert len(coarse.degree) < 0.3 * len(graph.degree)
        graph = coarse


def test_gathering_ends_at_the_wished_number_even_without_ties() -> None:
    alone = graph_of_ties(np.arange(300, dtype=np.int64)[:, None])
    for graph in (alone, graph_of_ties(ties(300, 6))):
        parent = gather_to(graph, 50)
        assert set(parent) == set(range(parent.max() + 1))
        assert parent.max() < 50


def test_a_cycle_is_nearly_the_inverse_and_columns_do_not_mix() -> None:
    graph = graph_of_ties(ties(1500, 8))
    coarser = gather(graph)
    rng = np.random.default_rng(0)
    is_free = rng.random((1500, 3)) > 0.1
    solutions = np.where(is_free, rng.random((1500, 3)), 0)
    right = np.where(is_free, dense(graph) @ solutions, 0).astype(np.float32)
    found = Cycle.of(levels_for(graph, coarser, is_free))(right)
    assert (found[~is_free] == 0).all()
    for c in range(3):
        assert np.linalg.norm(found[:, c] - solutions[:, c]) < 0.6 * np.linalg.norm(solutions[:, c])
        alone = Cycle.of(levels_for(graph, coarser, is_free[:, c : c + 1]))(right[:, c : c + 1])
        np.testing.assert_allclose(found[:, c], alone[:, 0], atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_matte_is_the_direct_solution_where_multigrid_has_levels(seed: int) -> None:
    shape = (48, 61)
    image, label_map = made_up_image(shape, seed)[0], made_up_labels(shape)
    alpha = make_solver("knn").prepare(image).solve(label_map).alpha
    np.testing.assert_allclose(alpha, direct(grid_laplacian(image), label_map), atol=1e-3)


def test_many_label_maps_at_once_are_the_same_as_one_by_one() -> None:
    shape = (40, 45)
    prepared = make_solver("knn").prepare(made_up_image(shape)[0])
    rng = np.random.default_rng(0)
    label_maps = rng.choice(np.array([-1, 0, 1, 2], dtype=np.int8), (11, *shape), p=[0.02, 0.94, 0.02, 0.02])
    label_maps[4] = 0
    together = prepared.solve_many(label_maps)
    for alpha, label_map in zip(together, label_maps, strict=True):
        np.testing.assert_allclose(alpha, prepared.solve(label_map).alpha, atol=1e-6)


def test_pixels_that_no_tie_leads_to_are_undecided() -> None:
    image = np.zeros((20, 40, 3), dtype=np.float32)
    image[:, 20:] = 1  # far in colour: no pixel has a neighbour on the other side
    label_map = np.zeros((20, 40), dtype=np.int8)
    label_map[3, 3], label_map[15, 15] = 1, -1
    alpha = make_solver("knn").prepare(image).solve(label_map).alpha
    assert (alpha[:, 20:] == 0.5).all()
    assert 0 < alpha[:, :20].std() < 0.5


def test_previous_changes_no_bit() -> None:
    prepared = make_solver("knn").prepare(made_up_image()[0])
    matte = prepared.solve(made_up_labels())
    np.testing.assert_array_equal(prepared.solve(made_up_labels(), previous=matte).alpha, matte.alpha)


def test_giving_up_tells_size_and_numbers() -> None:
    prepared = make_solver("knn", tolerance=1e-12, max_iterations=1).prepare(made_up_image((30, 31))[0])
    with pytest.raises(ConvergenceError, match=r"image of \(30, 31\): .* change by \S+, more than 1e-12, within 1 "):
        prepared.solve(made_up_labels((30, 31)))
