"""A matte made to follow the image: against dense solutions with another library's Laplacian; by what it is for."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pymatting.laplacian.cf_laplacian import cf_laplacian

from active_matting.annotators import ExactAnnotator
from active_matting.compiled import threads_at_most
from active_matting.data.rendered import Rendered
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer, record
from active_matting.metrics import rmse
from active_matting.regions import region_grid
from active_matting.solvers import make_solver
from active_matting.solvers.grid.smoothing import smooth
from active_matting.types import Alpha, Image


def made_up(shape: tuple[int, int], seed: int, share: float) -> tuple[Alpha, Image, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    image = rng.random((*shape, 3), dtype=np.float32)
    return rng.random(shape, dtype=np.float32), image, rng.random(shape) < share


def laplacian(image: Image, epsilon: float) -> Any:
    """PyMatting's, sparse (H·W, H·W), of an image in double precision."""
    return scipy.sparse.csr_matrix(cf_laplacian(image.astype(np.float64), epsilon=epsilon, radius=1))


@pytest.mark.parametrize("shape", [(11, 9), (3, 12), (20, 17)])
@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
@pytest.mark.parametrize("data_weight", [0.01, 0.3, None])
def test_it_is_the_minimum_of_the_energy(shape: tuple[int, int], share: float, data_weight: float | None) -> None:
    alpha, image, is_unknown = made_up(shape, 0, share)
    weights = np.random.default_rng(1).uniform(0.01, 0.3, shape).astype(np.float32)
    given = weights if data_weight is None else data_weight
    smoothed = smooth(alpha, image, is_unknown, given, 1e-4, tolerance=1e-6)
    L, unknown, known = laplacian(image, 1e-4).toarray(), np.flatnonzero(is_unknown), np.flatnonzero(~is_unknown)
    held = np.broadcast_to(given, shape).ravel()[unknown]
    A = L[np.ix_(unknown, unknown)] + np.diag(held)
    b = held * alpha.ravel()[unknown] - L[np.ix_(unknown, known)] @ alpha.ravel()[known]
    expected = alpha.copy()
    expected.ravel()[unknown] = np.clip(np.linalg.solve(A, b), 0, 1)
    np.testing.assert_allclose(smoothed, expected, atol=1e-4)
    np.testing.assert_array_equal(smoothed[~is_unknown], alpha[~is_unknown])


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_images_of_any_size_keep_what_is_known_and_lose_no_energy(
    shape: tuple[int, int], seed: int, share: float
) -> None:
    alpha, image, is_unknown = made_up(shape, seed, share)
    before = alpha.copy()
    smoothed = smooth(alpha, image, is_unknown, 0.05, 1e-5)
    np.testing.assert_array_equal(alpha, before)
    assert smoothed.shape == shape
    assert smoothed.dtype == np.float32
    assert smoothed.min() >= 0
    assert smoothed.max() <= 1
    np.testing.assert_array_equal(smoothed[~is_unknown], alpha[~is_unknown])
    if min(shape) < 3 or share == 0:
        np.testing.assert_array_equal(smoothed, alpha)
    else:
        L = laplacian(image, 1e-5)
        energies = []
        for a in (alpha.ravel().astype(np.float64), smoothed.ravel().astype(np.float64)):
            energies.append(a @ (L @ a) + 0.05 * ((a - alpha.ravel()) ** 2).sum())
        assert energies[1] <= energies[0] + 1e-3


def test_it_is_the_same_on_any_number_of_threads() -> None:
    alpha, image, is_unknown = made_up((150, 160), 1, 0.7)
    found = []
    for threads in (1, 2, 3):
        with threads_at_most(threads):
            found.append(smooth(alpha, image, is_unknown, 0.05, 1e-4, tolerance=1e-6))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], atol=1e-5)


def test_what_the_colours_explain_is_kept_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    opacity = np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(40, axis=0)
    image = (opacity[..., None] * [0.9, 0.5, 0.2] + (1 - opacity[..., None]) * [0.1, 0.3, 0.8]).astype(np.float32)
    is_unknown = np.zeros(opacity.shape, dtype=bool)
    is_unknown[5:35, 5:55] = True
    noisy = np.clip(opacity + np.where(is_unknown, rng.normal(0, 0.1, opacity.shape), 0), 0, 1).astype(np.float32)
    assert rmse(smooth(noisy, image, is_unknown, 0.01, 1e-5), opacity) < 0.2 * rmse(noisy, opacity)
    np.testing.assert_allclose(smooth(opacity, image, is_unknown, 0.01, 1e-5), opacity, atol=2e-3)


def test_segment_then_matte_is_nearer_to_the_truth_for_it_on_the_mean() -> None:
    errors = []
    for index in range(8):
        sample = Rendered("test", size=200)[index]
        label_map, annotator = np.zeros(sample.alpha.shape, dtype=np.int8), ExactAnnotator(sample.alpha)
        for region in region_grid(10, sample.alpha.shape)[::7]:
            label_map = record(label_map, RegionAnswer(region, annotator.answer(region)))
        row = []
        for data_weight in (None, 0.06, 1e6):
            prepared = make_solver("segment-then-matte", data_weight=data_weight).prepare(sample.image)
            row.append(rmse(prepared.solve(label_map).alpha, sample.alpha))
        errors.append(row)
    without, with_it, held = np.mean(errors, axis=0)
    assert with_it < 0.99 * without
    assert held == pytest.approx(without, abs=1e-4)


@pytest.mark.parametrize("data_weight", [0, -1.0, float("nan")])
def test_a_data_weight_that_is_none_is_refused(data_weight: float) -> None:
    with pytest.raises(InvalidArgumentError, match="data_weight must be above 0 or None, got"):
        make_solver("segment-then-matte", data_weight=data_weight)
