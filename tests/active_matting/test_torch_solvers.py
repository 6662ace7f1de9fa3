"""The torch solvers against their twins on the CPU, and direct solutions; batches against single solves."""

import pickle
from dataclasses import fields
from functools import partial
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from numpy.typing import NDArray
from pymatting.laplacian.cf_laplacian import cf_laplacian
from scipy.sparse.linalg import spsolve

from active_matting.data import make_data
from active_matting.errors import ConvergenceError, InvalidArgumentError, InvalidArrayError
from active_matting.regions import place_region
from active_matting.solvers import make_solver
from active_matting.solvers.base import PreparedClassical, has_both_classes, write_decided
from active_matting.solvers.batched import closed_form, neighbours, shared
from active_matting.solvers.batched.batch import PreparedBatch
from active_matting.solvers.batched.closed_form import ClosedFormTorch, laplacian
from active_matting.solvers.batched.dissection import dissect
from active_matting.solvers.batched.geometry import levels_of
from active_matting.solvers.batched.rays import cast_rays
from active_matting.solvers.batched.sampling import expand
from active_matting.solvers.batched.shared import SharedTorch
from active_matting.solvers.closed_form import ClosedForm
from active_matting.solvers.sampling.changes import Changed
from active_matting.solvers.sampling.expansion import expand as expand_slowly
from active_matting.solvers.sampling.expansion import likeness
from active_matting.solvers.sampling.rays import Met
from active_matting.solvers.sampling.rays import cast_rays as cast_rays_slowly
from active_matting.solvers.sampling.rows import Frame, Workers
from active_matting.solvers.shared import Shared
from active_matting.testing import SHAPES, SMALLEST_SHAPES, check_solver, made_up_image, made_up_labels
from active_matting.types import Alpha, Image, LabelMap

Array = NDArray[Any]

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")),
]
NAMES = ["shared-torch", "closed-form-torch"]
CPU = torch.device("cpu")


def answered(alpha: Alpha, seed: int) -> LabelMap:
    """Labels of small regions at random places, the transitions among them left out; both classes occur."""
    rng = np.random.default_rng(seed)
    shape = (alpha.shape[0], alpha.shape[1])
    label_map = np.zeros(shape, dtype=np.int8)
    side = max(1, min(shape) // 12)
    for count in range(1000):
        if count < 40 or not has_both_classes(label_map[None])[0]:
            place = place_region(int(rng.integers(shape[0])), int(rng.integers(shape[1])), side, shape).slices
            low, high = alpha[place].min(), alpha[place].max()
            label_map[place] = 1 if low >= 0.98 else -1 if high <= 0.02 else 0
    return label_map


def made_up_batch(shape: tuple[int, int], count: int) -> tuple[Array, Array]:
    """Different made-up images, and different labels."""
    made = [made_up_image(shape, seed) for seed in range(count)]
    return np.stack([image for image, _ in made]), np.stack([answered(a, seed) for seed, (_, a) in enumerate(made)])


def flat_image(shape: tuple[int, int]) -> Image:
    """One colour throughout."""
    return np.full((*shape, 3), 0.3, dtype=np.float32)


def chequered_image(shape: tuple[int, int]) -> Image:
    """Black and white pixel by pixel."""
    return np.repeat(np.indices(shape).sum(0)[..., None] % 2, 3, axis=2).astype(np.float32)


def solve_directly(image: Image, label_map: LabelMap, radius: int = 1) -> Array:
    """Closed-form matting with the known pixels eliminated, by sparse factorisation."""
    labels = label_map.ravel()
    known, unknown = np.flatnonzero(np.abs(labels) == 1), np.flatnonzero(np.abs(labels) != 1)
    alpha = (labels == 1).astype(np.float64)
    matrix = scipy.sparse.csc_matrix(cf_laplacian(image.astype(np.float64), epsilon=1e-7, radius=radius))
    alpha[unknown] = spsolve(matrix[unknown][:, unknown], -matrix[unknown][:, known] @ alpha[known])
    return np.asarray(np.clip(alpha, 0, 1).reshape(label_map.shape))


# Both.


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_kept_on_every_device(name: str, device: str) -> None:
    check_solver(make_solver(name, device=device))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_images_is_solved_as_one_by_one(name: str, device: str) -> None:
    images, label_maps = made_up_batch((21, 26), 5)
    solver: Any = make_solver(name, device=device)
    batch = solver.prepare_batch(images)
    alphas = batch.solve(label_maps)
    assert (len(batch), batch.shape, batch.device.type) == (5, (21, 26), device)
    assert (alphas.dtype, alphas.device.type) == (torch.float32, device)
    singly = [solver.prepare(image).solve(label_map).alpha for image, label_map in zip(images, label_maps, strict=True)]
    np.testing.assert_allclose(alphas.cpu(), singly, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit_into_memory_is_solved_in_parts(name: str) -> None:
    images, label_maps = made_up_batch((20, 20), 5)
    solver, small = (make_solver(name, memory=memory) for memory in (2.0, 1e-9))
    whole, parts = (each.prepare_batch(images) for each in (solver, small))  # type: ignore[attr-defined]
    assert (whole.chunk >= 5, parts.chunk) == (True, 1)
    np.testing.assert_allclose(parts.solve(label_maps), whole.solve(label_maps), atol=1e-6)
    many, one = (each.prepare(images[0]).solve_many(label_maps) for each in (solver, small))
    np.testing.assert_allclose(many, one, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_and_tensors_are_taken_alike_and_left_alone(name: str) -> None:
    images, label_maps = made_up_batch((15, 12), 2)
    before = images.copy(), label_maps.copy()
    solver: Any = make_solver(name)
    given = torch.tensor(images, dtype=torch.float64), torch.tensor(label_maps, dtype=torch.int64)
    from_arrays = solver.prepare_batch(images).solve(label_maps)
    batch = solver.prepare_batch(given[0])
    np.testing.assert_array_equal(batch.solve(given[1]), from_arrays)
    given[0].zero_()
    np.testing.assert_array_equal(batch.solve(given[1]), from_arrays)
    np.testing.assert_array_equal(given[1], label_maps)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(label_maps, before[1])


@pytest.mark.parametrize("name", NAMES)
def test_each_item_of_a_batch_is_decided_for_itself(name: str) -> None:
    images, label_maps = made_up_batch((16, 18), 5)
    label_maps[1] = 0
    label_maps[2][label_maps[2] == 1] = 2
    label_maps[3][label_maps[3] == -1] = 0
    solver: Any = make_solver(name)
    alphas = solver.prepare_batch(images).solve(label_maps).numpy()
    classical = PreparedClassical((16, 18), lambda label_map, previous: pytest.fail("has both classes"))
    for i in (1, 2, 3):
        np.testing.assert_array_equal(alphas[i], classical.solve(label_maps[i]).alpha)
    for i in (0, 4):
        np.testing.assert_allclose(alphas[i], solver.prepare(images[i]).solve(label_maps[i]).alpha, atol=1e-5)


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_what_is_decided_is_the_same_in_numpy_and_torch(make: Any) -> None:
    label_maps = make([[[1, 0]], [[-1, 2]], [[0, 0]], [[1, -1]], [[2, 1]]])
    alphas = make([[[0.2, 0.3]]] * 5)
    assert has_both_classes(label_maps).tolist() == [False, False, False, True, False]
    write_decided(alphas, label_maps)
    assert alphas.tolist() == [[[1, 0.5]], [[0, 0.5]], [[0.5, 0.5]], [[1, 0]], [[0.5, 1]]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 8), (3, 3), (5, 41)])
def test_the_smallest_and_the_narrowest_images_are_solved(name: str, shape: tuple[int, int]) -> None:
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[0, 0], label_map[-1, -1] = 1, -1
    alpha = make_solver(name).prepare(made_up_image(shape)[0]).solve(label_map).alpha
    assert alpha.shape == shape
    assert ((alpha >= 0) & (alpha <= 1)).all()
    assert alpha[-1, -1] == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_flat_image_is_solved(name: str) -> None:
    solver: Any = make_solver(name)
    alpha = solver.prepare_batch(flat_image((23, 19))[None]).solve(made_up_labels((23, 19))[None])
    assert ((alpha >= 0) & (alpha <= 1)).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_label_maps_give_no_alphas(name: str) -> None:
    image = made_up_image((8, 9))[0]
    assert make_solver(name).prepare(image).solve_many(np.zeros((0, 8, 9), dtype=np.int8)).shape == (0, 8, 9)


@pytest.mark.parametrize("name", NAMES)
def test_a_prepared_batch_can_be_sent_to_another_process(name: str) -> None:
    images, label_maps = made_up_batch((12, 14), 2)
    solver: Any = make_solver(name)
    batch: PreparedBatch = solver.prepare_batch(images)
    copy: PreparedBatch = pickle.loads(pickle.dumps(batch))
    assert torch.equal(copy.solve(label_maps), batch.solve(label_maps))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"device": "abacus"}, r"device must be one of \['cpu'.*, got 'abacus'"),
        ({"device": "cuda:99"}, r"device must be one of \['cpu'.*, got 'cuda:99'"),
        ({"memory": 0}, "memory must be above 0 GiB, got 0"),
    ],
)
def test_an_argument_out_of_range_is_refused(name: str, wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError, match=sentence):
        make_solver(name, **wrong)


@pytest.mark.parametrize("name", NAMES)
def test_batches_that_do_not_fit_are_refused(name: str) -> None:
    solver: Any = make_solver(name)
    images, label_maps = made_up_batch((10, 11), 2)
    batch = solver.prepare_batch(images)
    refused: list[tuple[Any, Any, str]] = [
        (solver.prepare_batch, images[0], r"images must have shape \(N, H, W, 3\)"),
        (solver.prepare_batch, torch.tensor(images) * 3, "must lie in"),
        (solver.prepare_batch, images * np.nan, "must lie in"),
        (solver.prepare_batch, torch.ones(2, 4, 4, 3, dtype=torch.uint8), "must hold floats"),
        (solver.prepare_batch, torch.zeros(2, 4, 4, 1), r"images must have shape \(N, H, W, 3\)"),
        (batch.solve, label_maps[:1], "one label map for each of 2 images, got 1"),
        (batch.solve, label_maps[:, 1:], r"must have shape \(N, 10, 11\), got \(2, 9, 11\)"),
        (batch.solve, label_maps + 2, "got values from 1 to 3"),
        (batch.solve, torch.tensor(label_maps) + 2, "got values from 1 to 3"),
        (batch.solve, torch.tensor(label_maps).float(), "must hold integers"),
    ]
    for function, argument, sentence in refused:
        with pytest.raises(InvalidArrayError, match=sentence):
            function(argument)


def test_nothing_on_the_way_to_alpha_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tensors of the device "meta" have shapes but no numbers: whatever reads one, or mixes devices, raises.
    monkeypatch.setitem(neighbours._CELLS, "meta", 1 << 12)
    meta = torch.device("meta")
    n, h, w = 3, 30, 41
    colours = torch.zeros(n, 3, h, w, device=meta)
    labels = torch.zeros(n, h, w, dtype=torch.int8, device=meta)
    state = colours, torch.zeros(n, 3, h, w, device=meta), torch.zeros(n, h, w, device=meta)
    method = partial(shared._solve, SharedTorch())
    assert PreparedBatch((h, w), method, state, 2).mattes(labels).alpha.shape == (n, h, w)
    values = closed_form.system(laplacian(colours, 1, 1e-7), labels)
    solution, is_solved = dissect(h, w, 2, meta).solve(values)
    assert (solution.shape, is_solved.shape) == ((n, h * w), (n,))


# Closed form.


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(17, 20), (64, 64), (33, 58)])
def test_closed_form_is_the_direct_solution_for_each_image_of_a_batch(shape: tuple[int, int], device: str) -> None:
    images, label_maps = made_up_batch(shape, 3)
    alphas = ClosedFormTorch(device=device).prepare_batch(images).solve(label_maps).cpu()
    expected = [solve_directly(image, label_map) for image, label_map in zip(images, label_maps, strict=True)]
    np.testing.assert_allclose(alphas, expected, atol=1e-3)


@pytest.mark.parametrize("index", range(4))
def test_closed_form_is_the_direct_solution_on_embedded_images(index: int) -> None:
    sample = make_data("rendered", split="validation", count=4, size=60)[index]
    label_map = answered(sample.alpha, index)
    alpha = ClosedFormTorch().prepare(sample.image).solve(label_map).alpha
    np.testing.assert_allclose(alpha, solve_directly(sample.image, label_map), atol=1e-3)


@pytest.mark.parametrize("radius", [1, 2])
def test_the_laplacian_is_pymattings(radius: int) -> None:
    h, w, reach = 9, 12, 2 * radius
    image = made_up_image((h, w))[0]
    entries = laplacian(torch.tensor(image).permute(2, 0, 1)[None], radius, 1e-7)[0].numpy()
    dense = np.zeros((h * w, h * w))
    offsets = [(dy, dx) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    for k, (dy, dx) in enumerate(offsets):
        for y in range(h):
            for x in range(w):
                if 0 <= y + dy < h and 0 <= x + dx < w:
                    dense[y * w + x, (y + dy) * w + x + dx] = entries[k, y, x]
    expected = cf_laplacian(image.astype(np.float64), epsilon=1e-7, radius=radius).toarray()
    np.testing.assert_allclose(dense, expected, atol=1e-8)


def test_closed_form_takes_larger_windows() -> None:
    shape = (23, 14)
    image, label_map = made_up_image(shape)[0], made_up_labels(shape)
    alpha = ClosedFormTorch(radius=2).prepare(image).solve(label_map).alpha
    np.testing.assert_allclose(alpha, solve_directly(image, label_map, radius=2), atol=1e-3)


def random_system(shape: tuple[int, int], reach: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """A random symmetric positive definite matrix of pixels at most `reach` apart, and the values that say it."""
    h, w = shape
    k = (2 * reach + 1) ** 2
    dense = np.zeros((h * w, h * w))
    values = np.zeros((k, h * w))
    y, x = (a.ravel() for a in np.mgrid[:h, :w])
    is_near = (abs(y[:, None] - y) <= reach) & (abs(x[:, None] - x) <= reach)
    dense[is_near] = rng.normal(size=is_near.sum())
    dense = dense + dense.T
    np.fill_diagonal(dense, np.abs(dense).sum(1) + 0.1)
    p, q = np.nonzero(is_near)
    values[(y[q] - y[p] + reach) * (2 * reach + 1) + x[q] - x[p] + reach, p] = dense[p, q]
    return dense, values


@pytest.mark.parametrize("reach", [1, 2, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (23, 2), (7, 7), (18, 31), (32, 25)])
def test_dissection_solves_any_system_of_its_structure(shape: tuple[int, int], reach: int) -> None:
    rng = np.random.default_rng(reach)
    size = shape[0] * shape[1]
    systems = [random_system(shape, reach, rng) for _ in range(2)]
    right = rng.normal(size=(2, size))
    values = np.stack([np.concatenate([v.ravel(), [0, 1], b]) for (_, v), b in zip(systems, right, strict=True)])
    solution, is_solved = dissect(*shape, reach, CPU).solve(torch.tensor(values))
    expected = [np.linalg.solve(dense, b) for (dense, _), b in zip(systems, right, strict=True)]
    assert is_solved.tolist() == [True, True]
    np.testing.assert_allclose(solution, expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (40, 40), (37, 61)])
def test_dissection_eliminates_every_pixel_once(shape: tuple[int, int]) -> None:
    levels = levels_of(*shape, 2, 6)
    size = shape[0] * shape[1]
    pixels = np.concatenate([level.separator.ravel() for level in levels])
    assert sorted(pixels[pixels < size]) == list(range(size))
    for above, below in pairwise(levels):
        for node, ring in enumerate(below.ring):
            front = {*above.separator[node // 2], *above.ring[node // 2]}
            assert {*ring[ring < size]} <= front


def test_what_rounding_made_indefinite_is_repaired_and_what_is_indefinite_is_an_error() -> None:
    batch = ClosedFormTorch().prepare_batch(np.zeros((2, 4, 5, 3)))
    (stencil,) = batch.state
    label_maps = np.full((2, 4, 5), -1, dtype=np.int8)
    label_maps[:, 0, 0], label_maps[:, 2, 2:4] = 1, 0
    stencil.zero_()
    stencil[:, 12] = 1
    stencil[1, 13, 2, 2] = stencil[1, 11, 2, 3] = 1 + 1e-13  # [1, 1 + δ; 1 + δ, 1] is indefinite
    assert torch.isfinite(batch.solve(label_maps)).all()
    stencil[1, 12, 2, 2] = -1
    with pytest.raises(ConvergenceError, match="image of 4×5 pixels"):
        batch.solve(label_maps)


def test_closed_form_refuses_what_it_cannot_take() -> None:
    for name, wrong in (("radius", 0), ("epsilon", -1e-9), ("epsilon", float("nan"))):
        with pytest.raises(InvalidArgumentError, match=f"{name} must (be at least 1|not be negative), got {wrong}"):
            make_solver("closed-form-torch", **{name: wrong})


def compare_with_closed_form(image: Image, label_map: LabelMap, device: str = "cpu", **parameters: Any) -> None:
    expected = ClosedForm(**parameters).prepare(image).solve(label_map).alpha
    alpha = ClosedFormTorch(device=device, **parameters).prepare(image).solve(label_map).alpha
    np.testing.assert_allclose(alpha, expected, atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("size", [60, 100])
def test_closed_form_is_its_twin_on_embedded_images(size: int, device: str) -> None:
    for index, sample in enumerate(make_data("rendered", split="validation", count=4, size=size)):
        compare_with_closed_form(sample.image, answered(sample.alpha, index), device)


@pytest.mark.parametrize("shape", [*SHAPES, *SMALLEST_SHAPES, (3, 3), (3, 30), (60, 1)])
@pytest.mark.parametrize("make_image", [lambda shape: made_up_image(shape)[0], flat_image, chequered_image])
def test_closed_form_is_its_twin_with_one_pixel_of_each_class(make_image: Any, shape: tuple[int, int]) -> None:
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[0, 0], label_map[-1, -1] = 1, -1
    compare_with_closed_form(make_image(shape), label_map)


@pytest.mark.parametrize("parameters", [{"radius": 2}, {"epsilon": 1e-4}, {"epsilon": 0}])
def test_closed_form_is_its_twin_whatever_its_parameters(parameters: dict[str, Any]) -> None:
    for shape in (*SHAPES, (4, 30)):
        compare_with_closed_form(made_up_image(shape)[0], answered(made_up_image(shape)[1], 3), **parameters)


@pytest.mark.parametrize("name", ["closed-form", "closed-form-torch"])
def test_closed_form_without_epsilon_fails_aloud_where_a_window_is_flat(name: str) -> None:
    with pytest.raises(ConvergenceError, match="epsilon"):
        make_solver(name, epsilon=0).prepare(flat_image((12, 13))).solve(made_up_labels((12, 13)))


def test_a_pixel_that_nothing_ties_is_half_and_troubles_no_other() -> None:
    # Each pixel is the mean of those beside it, but one that stands alone.
    h, w = 7, 9
    batch = ClosedFormTorch().prepare_batch(flat_image((h, w))[None])
    label_map = np.zeros((h, w), dtype=np.int8)
    label_map[0], label_map[:, -1] = 1, -1
    (stencil,) = batch.state
    stencil.zero_()
    dense = np.zeros((h * w, h * w))
    for (y, x), (dy, dx) in product(np.ndindex(h, w), ((-1, 0), (1, 0), (0, -1), (0, 1))):
        if 0 <= y + dy < h and 0 <= x + dx < w and (3, 4) not in ((y, x), (y + dy, x + dx)):
            stencil[0, 12, y, x] += 1
            stencil[0, (dy + 2) * 5 + dx + 2, y, x] = -1
            dense[y * w + x, y * w + x] += 1
            dense[y * w + x, (y + dy) * w + x + dx] = -1
    alone = 3 * w + 4
    known = np.flatnonzero(label_map.ravel())
    unknown = np.setdiff1d(np.flatnonzero(label_map.ravel() == 0), [alone])
    expected = (label_map.ravel() == 1).astype(np.float64)
    expected[unknown] = np.linalg.solve(
        dense[np.ix_(unknown, unknown)], -dense[np.ix_(unknown, known)] @ expected[known]
    )
    expected[alone] = 0.5
    np.testing.assert_allclose(batch.solve(label_map[None])[0].flatten(), expected, atol=1e-6)


# Shared sampling.


def compare_with_shared(image: Image, label_map: LabelMap, device: str = "cpu", **parameters: Any) -> None:
    """Rounding may decide between equally good samples: 99.5 % of the pixels to 1e-3, and an RMSE below 0.005."""
    expected = Shared(**parameters).prepare(image).solve(label_map)
    matte = SharedTorch(device=device, **parameters).prepare(image).solve(label_map)
    difference = np.abs(matte.alpha - expected.alpha)
    assert np.mean(difference <= 1e-3) >= 0.995
    assert np.sqrt(np.mean(difference**2)) <= 0.005
    for ours, theirs in ((matte.foreground, expected.foreground), (matte.background, expected.background)):
        assert ours is not None
        assert theirs is not None
        assert np.mean(np.abs(ours - theirs).max(axis=2) <= 1e-3) >= 0.995


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("size", "index"), [(60, 0), (60, 1), (60, 2), (80, 3), (100, 4), (100, 5)])
def test_shared_is_its_twin_on_embedded_images(size: int, index: int, device: str) -> None:
    sample = make_data("rendered", split="validation", count=6, size=size)[index]
    compare_with_shared(sample.image, answered(sample.alpha, index), device)


@pytest.mark.parametrize("shape", [(40, 40), (31, 52), (45, 22)])
def test_shared_is_its_twin_on_made_up_images(shape: tuple[int, int]) -> None:
    compare_with_shared(made_up_image(shape)[0], made_up_labels(shape))


@pytest.mark.parametrize("shape", [*SMALLEST_SHAPES, (60, 1), (24, 24)])
@pytest.mark.parametrize("make_image", [lambda shape: made_up_image(shape)[0], flat_image, chequered_image])
def test_shared_is_its_twin_with_one_pixel_of_each_class(make_image: Any, shape: tuple[int, int]) -> None:
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[0, 0], label_map[-1, -1] = 1, -1
    compare_with_shared(make_image(shape), label_map)


@pytest.mark.parametrize(
    "parameters",
    [
        {"expansion_radius": 0},
        {"expansion_radius": 3, "expansion_threshold": 0.1},
        {"rays": 1, "tile": 3},
        {"rays": 7, "tile": 2},
        {"refinement_neighbours": 1, "smoothing_neighbours": 1},
        {"refinement_neighbours": 256, "variance_factor": 1.0, "confidence_decay": 3.0},
    ],
)
def test_shared_is_its_twin_whatever_its_parameters(parameters: dict[str, Any]) -> None:
    image, alpha = made_up_image((37, 44), seed=3)
    compare_with_shared(image, answered(alpha, 1), **parameters)


def test_labels_grow_and_rays_meet_as_in_the_twin() -> None:
    image, alpha = made_up_image((33, 46), seed=1)
    label_map = answered(alpha, 2)
    label_map[10:14, 20:24] = 2
    state = SharedTorch().prepare(image).batch.state
    frame = Frame(33, 46, 6)
    rays, tile = 5, 3
    tensor = state[1][0].numpy()
    tensors = tensor, np.ascontiguousarray(tensor[::-1].transpose(0, 2, 1))
    met = Met.of(frame, rays, tile)
    with Workers(1) as workers:
        alike = likeness(frame, frame.pad(image.transpose(2, 0, 1)), 6, 0.03, workers)
        known = expand_slowly(frame, alike, label_map, workers)
        cast_rays_slowly(frame, tensors, tile, known, Changed.all_of(frame), met, workers)
    hits, energies = (a.reshape(33, 46, rays, 2)[:, met.ranks] for a in (met.hits, met.energies))
    known = frame.inside(known)
    ours = expand(state[0], torch.tensor(label_map)[None], 6, 0.03)
    np.testing.assert_array_equal(ours[0], known)
    assert ((known != 0) & (label_map == 0)).any()
    assert (known[label_map == 2] == 0).all()

    our_hits, our_energies = (part[0].permute(2, 3, 1, 0).numpy() for part in cast_rays(state[1], ours, rays, tile))
    is_unknown = known == 0
    np.testing.assert_array_equal(our_hits[is_unknown], hits[is_unknown])
    has_hit = is_unknown[..., None, None] & (our_hits >= 0)
    np.testing.assert_allclose(our_energies[has_hit], energies[has_hit], rtol=1e-5, atol=1e-6)
    assert np.isinf(our_energies[our_hits < 0]).all()


def test_shared_has_its_twins_parameters() -> None:
    ours = {field.name: field.default for field in fields(SharedTorch)}
    assert {field.name: field.default for field in fields(Shared)}.items() <= ours.items()
    with pytest.raises(InvalidArgumentError, match="rays must be at least 1, got 0"):
        SharedTorch(rays=0)
