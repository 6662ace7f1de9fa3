"""Errors of mattes: hand-worked cases and second implementations."""

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from active_matting.errors import InvalidArrayError
from active_matting.metrics import (
    Mask,
    all_metrics,
    conn,
    grad,
    gradient_magnitude,
    largest_component,
    mad,
    mse,
    rmse,
    sad,
)
from active_matting.types import Alpha

ndimage: Any = scipy.ndimage

METRICS = {"rmse": rmse, "mse": mse, "sad": sad, "mad": mad, "grad": grad, "conn": conn}

alphas = arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32))
masks = arrays(np.bool_, (6, 7)).filter(np.any)


def plane(*rows: list[float]) -> Alpha:
    return np.array(rows, dtype=np.float32)


def random_mattes(seed: int, shape: tuple[int, int] = (30, 34)) -> tuple[Alpha, Alpha]:
    """A smooth matte with several blobs, and a noisy version of it."""
    rng = np.random.default_rng(seed)
    truth = np.clip(0.5 + 6 * ndimage.gaussian_filter(rng.normal(size=shape), 3), 0, 1)
    alpha = np.clip(truth + rng.normal(0, 0.15, shape), 0, 1)
    return alpha.astype(np.float32), truth.astype(np.float32)


def slow_gradient_magnitude(alpha: NDArray[Any], sigma: float) -> NDArray[np.float64]:
    """Convolution with the two-dimensional kernels that the alphamatting.com evaluation script writes out."""
    half = int(np.ceil(sigma * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * sigma * 0.01))))
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for i in range(-half, half + 1):
        for j in range(-half, half + 1):
            gauss_i, gauss_j = (np.exp(-(k**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi)) for k in (i, j))
            kernel[i + half, j + half] = gauss_i * -j * gauss_j / sigma**2
    kernel /= np.sqrt((kernel**2).sum())
    along_x, along_y = (ndimage.convolve(alpha.astype(np.float64), k, mode="nearest") for k in (kernel, kernel.T))
    return np.asarray(np.sqrt(along_x**2 + along_y**2))


def slow_conn(alpha: Alpha, truth: Alpha) -> float:
    """Connectivity error pixel by pixel, in thousands."""
    level = np.ones(alpha.shape)
    is_set = np.zeros(alpha.shape, dtype=bool)
    for step in range(1, 11):
        both = (alpha >= step / 10) & (truth >= step / 10)
        components, count = ndimage.label(both)  # 4-connected by default
        sizes = [int((components == i + 1).sum()) for i in range(count)]
        is_in = components == 1 + int(np.argmax(sizes)) if sizes else np.zeros(alpha.shape, dtype=bool)
        falls_out = ~is_in & ~is_set
        level[falls_out], is_set[falls_out] = (step - 1) / 10, True
    total = 0.0
    for a, t, reached in zip(alpha.ravel(), truth.ravel(), level.ravel(), strict=True):
        phi_a, phi_t = (1 - (v - reached) * ((v - reached) >= 0.15) for v in (float(a), float(t)))
        total += abs(phi_a - phi_t)
    return total / 1000


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("rmse", 0.25), ("mse", 0.0625), ("mad", 0.125), ("sad", 0.0005)],
)
def test_one_pixel_of_four_that_is_half_wrong(metric: str, expected: float) -> None:
    assert METRICS[metric](plane([1, 0], [0, 0.5]), plane([1, 0], [0, 1])) == expected


@settings(deadline=None, derandomize=True)
@given(alphas, alphas, masks)
def test_pixelwise_metrics_are_what_numpy_says(alpha: Alpha, truth: Alpha, mask: Mask) -> None:
    difference = (alpha.astype(np.float64) - truth)[mask]
    assert sad(alpha, truth, mask) == pytest.approx(np.abs(difference).sum() / 1000, abs=1e-12)
    assert mad(alpha, truth, mask) == pytest.approx(np.abs(difference).mean(), abs=1e-12)
    assert mse(alpha, truth, mask) == pytest.approx((difference**2).mean(), abs=1e-12)
    assert rmse(alpha, truth, mask) == pytest.approx(np.sqrt((difference**2).mean()), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sigma", [0.8, 1.4, 2.5])
def test_grad_is_what_direct_convolution_gives(seed: int, sigma: float) -> None:
    alpha, truth = random_mattes(seed)
    slow = slow_gradient_magnitude(alpha, sigma) - slow_gradient_magnitude(truth, sigma)
    np.testing.assert_allclose(gradient_magnitude(alpha, sigma), slow_gradient_magnitude(alpha, sigma), atol=1e-12)
    assert grad(alpha, truth, sigma=sigma) == pytest.approx((slow**2).sum() / 1000, rel=1e-9)
    mask = truth > 0.5
    assert grad(alpha, truth, mask, sigma=sigma) == pytest.approx((slow[mask] ** 2).sum() / 1000, rel=1e-9)


def test_grad_of_a_single_bright_pixel_is_the_squared_norm_of_both_kernels() -> None:
    alpha = np.zeros((21, 21), dtype=np.float32)
    alpha[10, 10] = 0.5
    # Each kernel has unit norm, so the squared magnitudes add up to 0.5² + 0.5².
    assert grad(alpha, np.zeros_like(alpha)) == pytest.approx(0.5 / 1000, rel=1e-12)


def test_grad_does_not_see_a_constant_offset() -> None:
    truth = random_mattes(0)[1] * np.float32(0.5)
    assert grad(truth + np.float32(0.25), truth) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_conn_is_what_counting_pixel_by_pixel_gives(seed: int) -> None:
    alpha, truth = random_mattes(seed)
    assert conn(alpha, truth) == pytest.approx(slow_conn(alpha, truth), abs=1e-9)
    assert conn(alpha, truth) > 0


def test_conn_of_two_components_of_which_the_smaller_is_half_lost() -> None:
    truth = plane([1, 1, 1, 0, 1, 1, 0])
    alpha = plane([1, 1, 1, 0, 0.5, 0.5, 0])
    # The smaller component belongs to the larger one at no threshold: its level is 0. So its two pixels are
    # connected to the degree 1 - 1 = 0 in truth, and 1 - 0.5 = 0.5 in alpha; all others are equal.
    assert conn(alpha, truth) == pytest.approx(2 * 0.5 / 1000)
    assert conn(alpha, truth, np.array([[False] * 5 + [True] * 2])) == pytest.approx(0.5 / 1000)


def test_conn_does_not_see_what_stays_within_its_tolerance() -> None:
    truth = plane([1, 1, 1])
    alpha = plane([1, 0.95, 1])
    # Level 0.9 for the middle pixel: it exceeds it by 0.05 and 0.1, both below theta.
    assert conn(alpha, truth) == 0
    assert conn(alpha, truth, theta=0.08) == pytest.approx(0.1 / 1000)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_mattes_have_no_error(metric: str) -> None:
    truth = random_mattes(1)[1]
    assert METRICS[metric](truth.copy(), truth) == 0


@pytest.mark.parametrize("metric", METRICS)
def test_what_the_mask_leaves_out_does_not_count(metric: str) -> None:
    truth = np.zeros((30, 30), dtype=np.float32)
    truth[:, :10] = 1
    alpha = truth.copy()
    alpha[2:6, 22:28] = 0.7  # further from the mask than the gradient's kernel reaches
    mask = np.zeros(truth.shape, dtype=bool)
    mask[10:, :15] = True
    assert METRICS[metric](alpha, truth, mask) == 0
    assert METRICS[metric](alpha, truth, ~mask) > 0
    assert METRICS[metric](alpha, truth) == METRICS[metric](alpha, truth, np.ones(truth.shape, dtype=bool))


def test_the_largest_component_is_4_connected() -> None:
    mask = np.array(
        [
            [1, 0, 0, 1, 1],
            [0, 1, 0, 0, 1],
            [0, 1, 0, 0, 0],
            [1, 0, 0, 1, 1],
        ],
        dtype=bool,
    )  # joined by its corners the left side would have four pixels
    expected = np.zeros((4, 5), dtype=bool)
    expected[0, 3:], expected[1, 4] = True, True
    np.testing.assert_array_equal(largest_component(mask), expected)


def test_the_largest_component_of_nothing_is_nothing_and_of_everything_everything() -> None:
    assert not largest_component(np.zeros((3, 4), dtype=bool)).any()
    assert largest_component(np.ones((3, 4), dtype=bool)).all()


def test_all_metrics_are_given_by_their_names() -> None:
    alpha, truth = random_mattes(2)
    mask = truth > 0.2
    assert all_metrics(alpha, truth, mask) == {name: metric(alpha, truth, mask) for name, metric in METRICS.items()}


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_refuse_what_cannot_be_compared(metric: str) -> None:
    truth = np.zeros((3, 4), dtype=np.float32)
    with pytest.raises(InvalidArrayError, match=r"alpha must have the image's shape \(3, 4\), got \(4, 3\)"):
        METRICS[metric](truth.T, truth)
    with pytest.raises(InvalidArrayError, match="truth must lie in"):
        METRICS[metric](truth, truth + 2)
    with pytest.raises(InvalidArrayError, match="alpha must lie in"):
        METRICS[metric](np.full_like(truth, np.nan), truth)
    with pytest.raises(InvalidArrayError, match=r"mask must be bool with shape \(3, 4\), got bool with shape \(4, 3\)"):
        METRICS[metric](truth, truth, np.ones((4, 3), dtype=bool))
    with pytest.raises(InvalidArrayError, match=r"mask must be bool with shape \(3, 4\), got float32"):
        METRICS[metric](truth, truth, truth)  # type: ignore[arg-type]
    with pytest.raises(InvalidArrayError, match="mask must count at least one pixel, got none"):
        METRICS[metric](truth, truth, np.zeros((3, 4), dtype=bool))
