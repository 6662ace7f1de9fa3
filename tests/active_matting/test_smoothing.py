"""A matte made to follow the image: against dense solutions with another library's Laplacian; noise and colours."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pymatting.laplacian.cf_laplacian import cf_laplacian

from active_matting.compiled import threads_at_most
from active_matting.metrics import rmse
from active_matting.solvers.closed_form import laplacian_rows
from active_matting.solvers.grid import smoothing
from active_matting.solvers.grid.smoothing import Smoother
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
    smoothed = Smoother(image, 1e-4).smooth(alpha, is_unknown, given, tolerance=1e-6)
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
    smoothed = Smoother(image, 1e-5).smooth(alpha, is_unknown, 0.05)
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
            found.append(Smoother(image, 1e-4).smooth(alpha, is_unknown, 0.05, tolerance=1e-6))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), shares=st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=2, max_size=5))
def test_what_it_has_kept_of_an_image_changes_nothing(seed: int, shares: list[float]) -> None:
    alpha, image, _ = made_up((12, 15), seed, 0.5)
    smoother = Smoother(image, 1e-4)
    for number, share in enumerate(shares):
        _, _, is_unknown = made_up((12, 15), seed + number, share)
        weights = np.random.default_rng(number).uniform(0.01, 0.3, (12, 15))
        anew = Smoother(image, 1e-4).smooth(alpha, is_unknown, weights)
        np.testing.assert_array_equal(smoother.smooth(alpha, is_unknown, weights), anew)


def test_threads_may_share_it_and_a_copy_is_as_good() -> None:
    alpha, image, _ = made_up((60, 70), 0, 0.5)
    masks = [made_up((60, 70), seed, 0.1 + 0.05 * seed)[2] for seed in range(16)]
    expected = [Smoother(image, 1e-4).smooth(alpha, mask, 0.05) for mask in masks]
    shared = Smoother(image, 1e-4)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda mask: shared.smooth(alpha, mask, 0.05), masks))
    np.testing.assert_array_equal(found, expected)
    copy = pickle.loads(pickle.dumps(shared))
    np.testing.assert_array_equal(copy.smooth(alpha, masks[0], 0.05), expected[0])


def test_of_larger_images_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(image: Image, is_wanted: NDArray[np.bool_], epsilon: float) -> NDArray[np.float32]:
        made.append(int(is_wanted.sum()))
        return laplacian_rows(image, is_wanted, epsilon)

    monkeypatch.setattr(smoothing, "laplacian_rows", counted)
    alpha, image, is_unknown = made_up((20, 30), 0, 0.5)
    count = int(is_unknown.sum())
    found = []
    for kept in (600, 599):
        monkeypatch.setattr(smoothing, "_KEPT", kept)
        smoother = Smoother(image, 1e-4)
        found += [smoother.smooth(alpha, is_unknown, 0.05) for _ in range(2)]
    assert made == [count, count, count]
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


def test_what_the_colours_explain_is_kept_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    opacity = np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(40, axis=0)
    image = (opacity[..., None] * [0.9, 0.5, 0.2] + (1 - opacity[..., None]) * [0.1, 0.3, 0.8]).astype(np.float32)
    is_unknown = np.zeros(opacity.shape, dtype=bool)
    is_unknown[5:35, 5:55] = True
    noisy = np.clip(opacity + np.where(is_unknown, rng.normal(0, 0.1, opacity.shape), 0), 0, 1).astype(np.float32)
    smoother = Smoother(image, 1e-5)
    assert rmse(smoother.smooth(noisy, is_unknown, 0.01), opacity) < 0.2 * rmse(noisy, opacity)
    np.testing.assert_allclose(smoother.smooth(opacity, is_unknown, 0.01), opacity, atol=2e-3)
