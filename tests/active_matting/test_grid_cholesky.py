"""Direct solutions on the pixel grid against SciPy's and dense ones; labels that change; many label maps at once."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pymatting.laplacian.cf_laplacian import cf_laplacian
from pymatting.laplacian.lbdm_laplacian import lbdm_laplacian
from scipy.sparse.linalg import spsolve

from active_matting.data.rendered import Rendered
from active_matting.errors import ConvergenceError, InvalidArgumentError
from active_matting.regions import place_region
from active_matting.solvers import make_solver
from active_matting.solvers.base import PreparedClassical, PreparedSolver
from active_matting.solvers.grid.candidates import solve_candidates
from active_matting.solvers.grid.dissection import dissect
from active_matting.solvers.grid.laplacian import prepare_grid
from active_matting.testing import made_up_image
from active_matting.types import Image, LabelMap


def random_stencil(h: int, w: int, reach: int, seed: int) -> NDArray[np.float64]:
    """`D - W` of random weights, some of them 0, between pixels within reach."""
    rng = np.random.default_rng(seed)
    side = 2 * reach + 1
    stencil = np.zeros((h, w, side, side))
    for y in range(h):
        for x in range(w):
            for dy in range(reach + 1):
                for dx in range(-reach, reach + 1):
                    if (dy, dx) > (0, 0) and y + dy < h and 0 <= x + dx < w:
                        weight = rng.uniform(0.01, 1) * (rng.random() < 0.8)
                        stencil[y, x, reach + dy, reach + dx] = -weight
                        stencil[y + dy, x + dx, reach - dy, reach - dx] = -weight
                        stencil[y, x, reach, reach] += weight
                        stencil[y + dy, x + dx, reach, reach] += weight
    return stencil.reshape(h * w, -1)


def matrix_of(stencil: NDArray[np.float64], h: int, w: int, reach: int) -> Any:
    """The stencil as a sparse matrix, entry by entry."""
    side = 2 * reach + 1
    matrix = scipy.sparse.lil_matrix((h * w, h * w))
    for i in range(h * w):
        for k in range(side * side):
            y, x = i // w + k // side - reach, i % w + k % side - reach
            if 0 <= y < h and 0 <= x < w:
                matrix[i, y * w + x] = stencil[i, k]
            else:
                assert stencil[i, k] == 0
    return matrix.tocsc()


def solve_with_scipy(matrix: Any, label_map: LabelMap) -> NDArray[np.float64]:
    labels = label_map.ravel()
    known, unknown = np.flatnonzero(np.abs(labels) == 1), np.flatnonzero(np.abs(labels) != 1)
    alpha = (labels == 1).astype(np.float64)
    if len(unknown):
        alpha[unknown] = spsolve(matrix[unknown][:, unknown].tocsc(), -matrix[unknown][:, known] @ alpha[known])
    return np.asarray(alpha.reshape(label_map.shape))


def random_labels(shape: tuple[int, int], seed: int) -> LabelMap:
    """A few labelled rectangles, or, for every third seed, a trimap of which only a random band is unknown."""
    rng = np.random.default_rng(seed)
    h, w = shape
    label_map = np.zeros(shape, dtype=np.int8)
    if seed % 3 == 0:
        height = np.add.outer(np.arange(h) * rng.normal(), np.arange(w) * rng.normal())
        low, high = np.quantile(height, np.sort(rng.random(2)))
        label_map[height <= low], label_map[height > high] = -1, 1
    for label in (1, -1, 2, 1, -1):
        y, x = rng.integers(h), rng.integers(w)
        label_map[y : y + rng.integers(1, 7), x : x + rng.integers(1, 7)] = label
    label_map.flat[rng.permutation(h * w)[:2]] = 1, -1
    return label_map


def hair(side: int) -> tuple[Image, NDArray[np.float32]]:
    sample = Rendered(size=side)[1]
    return sample.image, sample.alpha


def region_after_region(shape: tuple[int, int], count: int, seed: int = 0) -> list[LabelMap]:
    """Label maps with 1, 2, ... pure regions, foreground and background in turn."""
    rng = np.random.default_rng(seed)
    label_map = np.zeros(shape, dtype=np.int8)
    maps = []
    for k in range(count):
        region = place_region(int(rng.integers(shape[0])), int(rng.integers(shape[1])), max(3, shape[0] // 20), shape)
        label_map[region.slices] = 1 - 2 * (k % 2)
        maps.append(label_map.copy())
    return maps


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 4))
@settings(max_examples=30)
def test_a_dissection_gives_each_pixel_to_one_node_and_keeps_both_sides_of_a_strip_apart(
    h: int, w: int, reach: int
) -> None:
    tree = dissect(h, w, reach)
    owned = np.zeros((h, w), dtype=int)
    for node, (top, left, bottom, right) in enumerate(tree.strips):
        owned[top:bottom, left:right] += 1
        assert (tree.owner.reshape(h, w)[top:bottom, left:right] == node).all()
    assert (owned == 1).all()
    assert tuple(tree.rectangles[-1]) == (0, 0, h, w)
    for node, children in enumerate(tree.children):
        if children[0] >= 0:
            a, b = tree.rectangles[children]
            assert max(b[0] - a[2], b[1] - a[3]) == reach
            assert (tree.parent[children] == node).all()
    in_order = np.concatenate([tree.below(block) for block in tree.blocks] + [tree.above()])
    assert sorted(in_order) == list(range(len(tree.own)))


@given(st.integers(1, 26), st.integers(1, 26), st.integers(1, 2), st.integers(0, 10**6))
@settings(max_examples=60)
def test_any_grid_is_solved_as_by_scipy(h: int, w: int, reach: int, seed: int) -> None:
    if h * w < 2:
        return
    stencil = random_stencil(h, w, reach, seed)
    stencil[:, stencil.shape[1] // 2] += 1e-3  # so that no part is undecided; rows do not sum to 0
    label_map = random_labels((h, w), seed)
    expected = solve_with_scipy(matrix_of(stencil, h, w, reach), label_map)
    alpha = prepare_grid(stencil, (h, w), reach).solve(label_map).alpha
    np.testing.assert_allclose(alpha, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["closed-form", "lbdm", "random-walk"])
def test_a_matte_is_the_direct_solution_of_scipy_at_a_real_size(name: str) -> None:
    image, _ = hair(120)
    prepared = make_solver(name).prepare(image)
    stencil, shape, reach = stencil_of(prepared)
    offsets = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    h, w = shape
    diagonals = []
    for k, (dy, dx) in enumerate(offsets):  # row i holds the entry at i + dy w + dx; SciPy keeps it in that column
        diagonals.append(np.roll(stencil[:, k], dy * w + dx))
    matrix = scipy.sparse.dia_matrix(
        (np.array(diagonals), [dy * w + dx for dy, dx in offsets]), shape=(h * w, h * w)
    ).tocsc()
    for label_map in region_after_region(shape, 4)[1::2]:
        expected = np.clip(solve_with_scipy(matrix, label_map), 0, 1)
        np.testing.assert_allclose(prepared.solve(label_map).alpha, expected, atol=1e-5)


def prepared_grid(prepared: PreparedSolver) -> Any:
    assert isinstance(prepared, PreparedClassical)
    return prepared.method.args[0]  # type: ignore[attr-defined]


def stencil_of(prepared: PreparedSolver) -> tuple[NDArray[np.float64], tuple[int, int], int]:
    arguments: tuple[NDArray[np.float64], tuple[int, int], int] = prepared_grid(prepared).arguments
    return arguments


@pytest.mark.parametrize("radius", [1, 2])
def test_stencils_are_the_laplacians_of_pymatting(radius: int) -> None:
    image = made_up_image((13, 17))[0]
    laplacians: dict[str, Any] = {"closed-form": cf_laplacian, "lbdm": lbdm_laplacian}
    for name, make_laplacian in laplacians.items():
        stencil, _, reach = stencil_of(make_solver(name, radius=radius, epsilon=1e-5).prepare(image))
        expected = make_laplacian(image.astype(np.float64), epsilon=1e-5, radius=radius)
        difference = matrix_of(stencil, 13, 17, reach) - expected
        assert np.abs(difference.toarray()).max() < 1e-8  # lbdm loses as much where windows are smooth


@pytest.mark.parametrize("kind", ["grey", "posterised", "two colours", "slope"])
def test_images_of_few_colours_are_solved_directly_too(kind: str) -> None:
    shape = (40, 40)
    y, x = np.mgrid[:40, :40] / 40
    image = {
        "grey": np.repeat(made_up_image(shape)[0].mean(axis=2, keepdims=True), 3, axis=2),
        "posterised": np.round(8 * made_up_image(shape)[0]) / 8,
        "two colours": np.where((np.hypot(y - 0.5, x - 0.5) < 0.3)[..., None], [0.9, 0.5, 0.2], [0.1, 0.3, 0.6]),
        "slope": np.stack([y, y, y], axis=2),
    }[kind].astype(np.float32)
    label_map = region_after_region(shape, 4, seed=1)[-1]
    for name in ("closed-form", "random-walk"):
        prepared = make_solver(name).prepare(image)
        stencil, _, reach = stencil_of(prepared)
        matrix = matrix_of(stencil, *shape, reach)
        assert np.linalg.eigvalsh(matrix.toarray()).min() > -1e-13
        expected = np.clip(solve_with_scipy(matrix, label_map), 0, 1)
        np.testing.assert_allclose(prepared.solve(label_map).alpha, expected, atol=1e-4)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_matte_is_the_same_to_the_last_bit_whatever_was_solved_before(threads: int) -> None:
    image, truth = hair(120)
    maps = region_after_region(image.shape[:2], 5)
    trimap = np.where(truth > 0.95, 1, np.where(truth < 0.05, -1, 0)).astype(np.int8)
    other_way = maps[3].copy()
    other_way[maps[2] == 1] = -1
    visited = [
        maps[1],
        maps[2],
        maps[4],
        maps[2],
        trimap,
        np.abs(maps[1]) - 2 * (maps[2] < 0),
        other_way,
        maps[3],
        maps[2],
    ]
    visited = [np.clip(labels, -1, 1).astype(np.int8) for labels in visited]
    prepared = make_solver("closed-form").prepare(image)
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        mattes = [prepared.solve(labels).alpha for labels in visited]
        prepared.solve_many(np.stack(maps))
        mattes.append(prepared.solve(visited[0]).alpha)
    finally:
        numba.set_num_threads(before)
    for labels, alpha in zip([*visited, visited[0]], mattes, strict=True):
        fresh = make_solver("closed-form").prepare(image).solve(labels).alpha
        np.testing.assert_array_equal(alpha, fresh)


def test_two_threads_may_ask_and_a_copy_starts_afresh() -> None:
    image, _ = hair(60)
    maps = region_after_region(image.shape[:2], 8)[1:]
    prepared = make_solver("random-walk").prepare(image)
    expected = [prepared.solve(labels).alpha for labels in maps]
    copy = pickle.loads(pickle.dumps(prepared))
    assert len(pickle.dumps(prepared)) < 1.5 * stencil_of(prepared)[0].nbytes
    with ThreadPoolExecutor(3) as pool:
        for alpha, wanted in zip(
            pool.map(lambda labels: copy.solve(labels).alpha, maps * 3), expected * 3, strict=True
        ):
            np.testing.assert_array_equal(alpha, wanted)


@pytest.mark.parametrize("name", ["closed-form", "lbdm", "random-walk"])
@pytest.mark.parametrize("labelled", [1, 2, 5])
def test_many_candidates_are_solved_as_one_by_one(name: str, labelled: int) -> None:
    image, _ = hair(100)
    common = region_after_region(image.shape[:2], labelled)[-1]
    candidates = []
    for row in range(5):
        for column in range(5):
            labels = common.copy()
            labels[20 * row : 20 * row + 5, 20 * column : 20 * column + 5] = 1 - 2 * ((row + column) % 2)
            candidates.append(labels)
    prepared = make_solver(name).prepare(image)
    with_both = np.stack([labels for labels in candidates if {-1, 1} <= set(labels.flat)])
    assert solve_candidates(prepared_grid(prepared).factor, with_both, np.empty(with_both.shape, np.float32)).all()
    np.testing.assert_allclose(prepared.solve_many(with_both), one_by_one(prepared, with_both), atol=1e-5)

    # Among maps that have less in common.
    candidates += [common, np.where(common == 1, np.int8(0), common), np.full_like(common, -1)]
    candidates.append(np.where(np.arange(100) < 97, np.int8(-1), common).astype(np.int8))
    label_maps = np.stack(candidates)
    np.testing.assert_allclose(prepared.solve_many(label_maps), one_by_one(prepared, label_maps), atol=1e-5)
    np.testing.assert_array_equal(prepared.solve_many(label_maps[:1]), one_by_one(prepared, label_maps[:1]))


def one_by_one(prepared: PreparedSolver, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
    return np.stack([prepared.solve(label_map).alpha for label_map in label_maps])


def test_a_flat_image_is_solved_smoothly() -> None:
    label_map = np.zeros((21, 21), dtype=np.int8)
    label_map[:, 0], label_map[:, -1] = -1, 1
    for name in ("closed-form", "lbdm", "random-walk"):
        alpha = make_solver(name).prepare(np.full((21, 21, 3), 0.5, dtype=np.float32)).solve(label_map).alpha
        np.testing.assert_allclose(alpha[:, 10], 0.5, atol=1e-4)
        assert (np.diff(alpha[10]) > 0).all()


@pytest.mark.parametrize("shape", [(1, 9), (2, 9), (9, 1), (2, 1), (3, 1)])
def test_pixels_that_no_window_ties_to_a_label_are_undecided(shape: tuple[int, int]) -> None:
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[0, 0], label_map[-1, -1] = 1, -1
    expected = np.where(label_map == 0, 0.5, label_map == 1)
    for name in ("closed-form", "lbdm"):
        prepared = make_solver(name).prepare(made_up_image(shape)[0])
        np.testing.assert_array_equal(prepared.solve(label_map).alpha, expected)
        np.testing.assert_array_equal(prepared.solve_many(np.stack([label_map, -label_map]))[0], expected)


def test_a_part_without_labels_is_undecided() -> None:
    image = np.zeros((12, 20, 3), dtype=np.float32)
    image[:, 10:] = 1  # no step between the halves
    label_map = np.zeros((12, 20), dtype=np.int8)
    label_map[2, 2], label_map[9, 9] = 1, -1
    alpha = make_solver("random-walk", floor=0.0).prepare(image).solve(label_map).alpha
    np.testing.assert_allclose(alpha[:, 10:], 0.5, atol=1e-6)
    assert alpha[:, :10].std() > 0.05

    prepared = make_solver("random-walk", floor=0.0).prepare(image)
    there = np.stack([label_map, label_map])
    there[0, 5, 15], there[1, 6, 16] = 1, -1
    np.testing.assert_allclose(prepared.solve_many(there), one_by_one(prepared, there), atol=1e-5)


def test_a_laplacian_that_is_not_finite_is_an_error_that_says_size_and_residual() -> None:
    label_map = np.zeros((9, 11), dtype=np.int8)
    label_map[0, 0], label_map[8, 8] = 1, -1
    for name in ("closed-form", "lbdm"):
        prepared = make_solver(name, epsilon=0.0).prepare(np.zeros((9, 11, 3), dtype=np.float32))
        with pytest.raises(ConvergenceError, match=r"image of 9×11 pixels leaves a residual of nan"):
            prepared.solve(label_map)
        with pytest.raises(ConvergenceError, match=r"image of 9×11 pixels"):
            prepared.solve_many(np.stack([label_map, -label_map, label_map]))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("closed-form", {"radius": 0}),
        ("closed-form", {"epsilon": -1.0}),
        ("lbdm", {"radius": 0}),
        ("random-walk", {"sigma": 0.0}),
        ("random-walk", {"floor": -1.0}),
    ],
)
def test_parameters_out_of_range_are_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match="must be"):
        make_solver(name, **arguments)
