"""Information-flow matting, term by term, against slow NumPy and dense solutions of the same energy."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pymatting.laplacian.cf_laplacian import cf_laplacian

from active_matting.solvers import make_solver
from active_matting.solvers.flow.energy import Energy, ImageFlow
from active_matting.solvers.flow.ties import (
    features,
    known_to_unknown,
    mixture_weights,
    nearest_others,
    within_unknown,
)
from active_matting.solvers.flow.trimming import (
    Patches,
    _bhattacharyya,
    trim_edges,
    trim_patches,
    unexplained,
)
from active_matting.testing import made_up_image, made_up_labels
from active_matting.types import Image, LabelMap

SHAPE = (15, 18)


def energy_of(image: Image, label_map: LabelMap, seed: int = 0) -> Energy:
    rng = np.random.default_rng(seed)
    n = label_map.size
    neighbours = nearest_others(features(image, 1.0), 20)
    weights = mixture_weights(image.reshape(-1, 3).astype(np.float64), np.arange(n), neighbours)
    flow = ImageFlow.of(image, neighbours, weights, 1.0, 1e-7)
    is_unknown = (np.abs(label_map) != 1).ravel()
    points = features(image, 0.05)
    ties = within_unknown(points, nearest_others(points, 15).astype(np.int32), is_unknown, 5)
    anchor = np.where(is_unknown, 0.05 * rng.random(n), 100.0)
    target = np.where(is_unknown, rng.random(n), (label_map == 1).ravel())
    return Energy(flow, is_unknown, ties, 0.01, anchor, target)


def slow_matrix(image: Image, energy: Energy) -> NDArray[np.float64]:
    n = len(energy.anchor)
    M = np.eye(n)
    for p in range(n):
        for q, weight in zip(energy.flow.neighbours[p], energy.flow.weights[p], strict=True):
            M[p, q] -= weight
    M[~energy.is_unknown] = 0
    A = M.T @ M + cf_laplacian(image.astype(np.float64), epsilon=1e-7, radius=1).toarray() + np.diag(energy.anchor)
    for p, q, weight in zip(*energy.ties, strict=True):
        difference = np.zeros(n)
        difference[p], difference[q] = 1, -1
        A += 0.01 * weight * np.outer(difference, difference)
    return np.asarray(A)


def test_mixtures_sum_to_one_and_minimise_what_they_should() -> None:
    image = made_up_image(SHAPE)[0]
    colours = image.reshape(-1, 3).astype(np.float64)
    neighbours = nearest_others(features(image, 1.0), 20)
    weights = mixture_weights(colours, np.arange(len(colours)), neighbours)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    for p in range(0, len(colours), 7):
        differences = colours[neighbours[p]] - colours[p]
        expected = np.linalg.solve(differences @ differences.T + 1e-3 * np.eye(20), np.ones(20))
        np.testing.assert_allclose(weights[p], expected / expected.sum(), atol=1e-5)


def test_a_mixture_of_colours_around_reconstructs_the_colour() -> None:
    colours = np.random.default_rng(0).random((200, 3))
    neighbours = np.arange(1, 21)[None].repeat(1, axis=0)
    colours[0] = colours[1:21].mean(axis=0)
    weights = mixture_weights(colours, np.array([0]), neighbours)
    np.testing.assert_allclose(weights[0] @ colours[1:21], colours[0], atol=1e-3)


def test_nearest_others_are_sorted_distances_without_oneself() -> None:
    points = np.random.default_rng(0).random((50, 5))
    distance = ((points[:, None] - points) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(nearest_others(points, 6), np.argsort(distance, axis=1)[:, :6])
    twins = nearest_others(np.zeros((30, 5)), 4)
    assert twins.shape == (30, 4)
    assert not (twins == np.arange(30)[:, None]).any()


@pytest.mark.parametrize("kept", [5, 40])
def test_ties_within_the_unknown_are_the_nearest_unknown(kept: int) -> None:
    rng = np.random.default_rng(0)
    points, is_unknown = rng.random((200, 5)), rng.random(200) < 0.3
    pixels, partners, weights = within_unknown(points, nearest_others(points, kept).astype(np.int32), is_unknown, 5)
    unknown = np.flatnonzero(is_unknown)
    for p in unknown:
        distance = np.where(is_unknown, ((points - points[p]) ** 2).sum(axis=1), np.inf)
        distance[p] = np.inf
        np.testing.assert_array_equal(partners[pixels == p], np.argsort(distance)[:5])
    np.testing.assert_allclose(weights, np.maximum(1 - np.abs(points[pixels] - points[partners]).sum(1), 0), atol=1e-6)


def test_known_colours_tell_the_share_of_a_mixed_pixel() -> None:
    image = np.zeros((1, 33, 3), dtype=np.float32)
    image[0, :16], image[0, 17:], image[0, 16] = (0.9, 0.2, 0.1), (0.1, 0.3, 0.8), 0
    image[0, 16] = 0.7 * image[0, 0] + 0.3 * image[0, -1]
    label_map = np.ones((1, 33), dtype=np.int8)
    label_map[0, 17:], label_map[0, 16] = -1, 0
    share, confidence = known_to_unknown(image, features(image, 10.0), label_map, np.array([16]), 7)
    assert share[0] == pytest.approx(0.7, abs=0.01)
    assert confidence[0] == pytest.approx(((image[0, 0] - image[0, -1]) ** 2).sum() / 3, abs=0.01)


@pytest.mark.parametrize("seed", range(2))
def test_products_are_those_of_the_slow_matrix(seed: int) -> None:
    image, label_map = made_up_image(SHAPE, seed)[0], made_up_labels(SHAPE)
    energy = energy_of(image, label_map, seed)
    A = slow_matrix(image, energy)
    x = np.random.default_rng(seed).random(label_map.size)
    np.testing.assert_allclose(energy.multiply(x), A @ x, atol=2e-4)
    np.testing.assert_allclose(energy.diagonal(), np.diag(A), atol=2e-4)


@pytest.mark.parametrize("seed", range(2))
def test_the_minimum_is_that_of_a_dense_solution(seed: int) -> None:
    image, label_map = made_up_image(SHAPE, seed)[0], made_up_labels(SHAPE)
    energy = energy_of(image, label_map, seed)
    expected = np.linalg.solve(slow_matrix(image, energy), energy.anchor * energy.target)
    np.testing.assert_allclose(energy.minimise(1e-5, 1000), expected, atol=1e-3)


def test_edges_are_trimmed_as_by_comparing_all_pairs() -> None:
    image, label_map = made_up_image(SHAPE)[0], made_up_labels(SHAPE)
    expected = np.where(label_map == 2, 0, label_map)
    known = expected.copy()
    places = np.argwhere(np.ones(SHAPE))
    for p in places[(known == 0).ravel()]:
        best = np.inf
        for q in places[(known != 0).ravel()]:
            distance = 255 * float(np.linalg.norm(image[*p].astype(float) - image[*q]))
            gap = float(np.linalg.norm(p - q))
            if gap <= 5 and distance <= 9 - gap and distance < best:
                best, expected[*p] = distance, known[*q]
    assert (expected != known).any()
    np.testing.assert_array_equal(trim_edges(image, label_map, 5, 9.0), expected)


def test_the_distance_of_patches_is_that_of_their_distributions() -> None:
    rng = np.random.default_rng(0)
    upper = np.triu_indices(3)
    for _ in range(5):
        a, b = rng.normal(size=(2, 3, 3))
        first, second = a @ a.T + 0.1 * np.eye(3), b @ b.T + 0.1 * np.eye(3)
        mean, other = rng.random((2, 3))
        middle = (first + second) / 2
        expected = (mean - other) @ np.linalg.solve(middle, mean - other) / 8
        expected += np.log(np.linalg.det(middle) / np.sqrt(np.linalg.det(first) * np.linalg.det(second))) / 2
        assert _bhattacharyya(mean, first[upper], other, second[upper]) == pytest.approx(expected)


def test_patches_like_one_side_only_are_its_examples() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((20, 60, 3), dtype=np.float32)
    image[:, :20], image[:, 20:40], image[:, 40:] = (0.8, 0.2, 0.1), (0.1, 0.8, 0.2), (0.2, 0.1, 0.8)
    image = np.clip(image + rng.normal(0, 0.02, image.shape), 0, 1).astype(np.float32)
    label_map = np.zeros((20, 60), dtype=np.int8)
    label_map[:8, :18], label_map[:8, 22:38] = 1, -1
    trimmed = trim_patches(Patches.of(image), label_map, 0.8, 0.9)
    assert (trimmed[11:, 2:18] == 1).mean() > 0.8
    assert (trimmed[11:, 22:38] == -1).mean() > 0.8
    assert (trimmed[:, 42:] == 0).all()


def test_colours_of_neither_side_are_unexplained() -> None:
    image = np.zeros((10, 30, 3), dtype=np.float32)
    image[:, 20:], image[:, 10:15] = 1, 1
    label_map = np.zeros((10, 30), dtype=np.int8)
    label_map[:, :10], label_map[:, 20:] = 1, -1
    assert unexplained(image, label_map) == pytest.approx(0, abs=1e-9)
    image[:, 10:20] = 0.5
    assert unexplained(image, label_map) == pytest.approx(1)


def test_transitions_are_unknown_and_never_trimmed() -> None:
    image = np.full((12, 12, 3), 0.5, dtype=np.float32)
    label_map = np.zeros((12, 12), dtype=np.int8)
    label_map[0], label_map[-1], label_map[5:7] = 1, -1, 2
    alpha = make_solver("information-flow").prepare(image).solve(label_map).alpha
    assert ((alpha[5:7] > 0) & (alpha[5:7] < 1)).all()


def test_a_flat_photograph_with_few_labels_is_finite_and_undecided_where_nothing_leads() -> None:
    image = np.zeros((12, 24, 3), dtype=np.float32)
    alpha = make_solver("information-flow", local_share=0.0).prepare(image).solve(made_up_labels((12, 24))).alpha
    assert np.isfinite(alpha).all()
