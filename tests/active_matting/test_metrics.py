"""Errors of mattes: hand-worked cases and second implementations."""

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from active_matting.errors import InvalidArgumentError, InvalidArrayError, UnknownNameError
from active_matting.metrics import (
    METRICS,
    SCALINGS,
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
    scaled,
    unknown_region,
)
from active_matting.types import Alpha

ndimage: Any = scipy.ndimage

alphas = arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32))
steps = arrays(np.float32, (6, 7), elements=st.sampled_from([np.float32(k / 20) for k in range(21)]))
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


def slow_components(mask: Mask) -> list[set[tuple[int, int]]]:
    """The 4-connected components by walking from pixel to pixel, found going down the columns from the left."""
    h, w = mask.shape
    components: list[set[tuple[int, int]]] = []
    for x in range(w):
        for y in range(h):
            if mask[y, x] and not any((y, x) in found for found in components):
                found, waiting = set(), [(y, x)]
                while waiting:
                    v, u = waiting.pop()
                    if 0 <= v < h and 0 <= u < w and mask[v, u] and (v, u) not in found:
                        found.add((v, u))
                        waiting += [(v - 1, u), (v + 1, u), (v, u - 1), (v, u + 1)]
                components.append(found)
    return components


def slow_conn(alpha: Alpha, truth: Alpha, mask: Mask | None = None) -> float:
    """Connectivity error pixel by pixel, in thousands."""
    level = dict.fromkeys(np.ndindex(alpha.shape), 1.0)
    connected = set(level)
    for step in range(1, 11):
        threshold = np.float32(step / 10)
        components = slow_components((alpha >= threshold) & (truth >= threshold))
        largest = max(components, key=len) if components else set()  # the first of several
        for pixel in connected - largest:
            level[pixel] = (step - 1) / 10
        connected &= largest
    total = 0.0
    for pixel, reached in level.items():
        excesses = (float(values[pixel]) - reached for values in (alpha, truth))
        phi_alpha, phi_truth = (1 - excess if excess >= 0.15 else 1 for excess in excesses)
        if mask is None or mask[pixel]:
            total += abs(phi_alpha - phi_truth)
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


def test_grad_of_a_step_by_hand() -> None:
    # With σ = 0.3 the Gaussian falls below 1 % within a pixel, so that kernels are 3×3. Along y they smooth by
    # (r, 1, r) with r = exp(-1 / 0.18), along x they take (1, 0, -1); the squares of the nine sum to 2 (1 + 2 r²), by
    # whose root they are divided. A step of 1 between two columns is seen in both of them, as 1 + 2 r over that root.
    r = np.exp(-1 / 0.18)
    alpha = plane(*[[0.0, 0, 0, 1, 1, 1]] * 5)
    magnitude = (1 + 2 * r) / np.sqrt(2 * (1 + 2 * r**2))
    np.testing.assert_allclose(gradient_magnitude(alpha, 0.3), [[0, 0, magnitude, magnitude, 0, 0]] * 5, atol=1e-12)
    # Against a step of a half in the same place the magnitudes differ by half of it, in two columns of five pixels.
    assert grad(alpha, np.float32(0.5) * alpha, sigma=0.3) == pytest.approx(10 * (magnitude / 2) ** 2 / 1000)
    # Against nothing, in one row.
    row = np.zeros(alpha.shape, dtype=bool)
    row[2] = True
    assert grad(alpha, np.zeros_like(alpha), row, sigma=0.3) == pytest.approx(2 * magnitude**2 / 1000)


def test_the_gradients_kernel_of_the_reference_is_nine_pixels_wide() -> None:
    # 1.4 √(-2 log(√(2π) · 1.4 · 0.01)) = 3.62, rounded up: 4 to each side.
    alpha = np.zeros((21, 21), dtype=np.float32)
    alpha[10, 10] = 1
    reached = np.argwhere(gradient_magnitude(alpha) > 0)
    assert reached.min() == 6
    assert reached.max() == 14


def test_grad_is_stretched_only_on_request() -> None:
    truth = random_mattes(0)[1]
    assert truth.min() == 0
    assert truth.max() == 1
    faint = np.float32(0.25) + np.float32(0.5) * truth
    assert grad(faint, truth) == pytest.approx(grad(np.float32(0.5) * truth, truth), rel=1e-6)
    assert grad(faint, truth) > 1e-3
    assert grad(faint, truth, is_stretched=True) == pytest.approx(0, abs=1e-9)
    half = np.full_like(truth, 0.5)  # what does not vary cannot be stretched
    assert grad(half, truth, is_stretched=True) == grad(half, truth)
    alpha = random_mattes(0)[0]
    assert (alpha.min(), alpha.max()) == (0, 1)
    assert grad(alpha, truth, is_stretched=True) == grad(alpha, truth)


@pytest.mark.parametrize("seed", range(6))
def test_conn_is_what_counting_pixel_by_pixel_gives(seed: int) -> None:
    alpha, truth = random_mattes(seed, shape=(16, 18))
    assert conn(alpha, truth) == pytest.approx(slow_conn(alpha, truth), abs=1e-9)
    assert conn(alpha, truth) > 0


@settings(deadline=None, derandomize=True)
@given(alphas | steps, alphas | steps, masks)
def test_conn_of_anything_is_what_counting_gives(alpha: Alpha, truth: Alpha, mask: Mask) -> None:
    assert conn(alpha, truth, mask) == pytest.approx(slow_conn(alpha, truth, mask), abs=1e-9)


def test_conn_of_a_bridge_by_hand() -> None:
    # Two posts, of three pixels and of two, and a bridge that is weak in alpha.
    truth = plane([1, 1, 1, 1.0, 1, 1])
    alpha = plane([1, 1, 1, 0.3, 1, 1])
    # Up to 0.3 all is one component. From 0.4 on the largest is the post of three: their level is 1. All others fall
    # out at 0.4, so theirs is 0.3.
    # The bridge lacks 0.3 - 0.3 = 0 in alpha and 1 - 0.3 = 0.7 in truth: an error of 0.7. The post of two lacks 0.7 in
    # both: none.
    assert conn(alpha, truth) == pytest.approx(0.7 / 1000)
    assert conn(alpha, truth, np.array([[True] * 3 + [False] + [True] * 2])) == 0


def test_conn_of_a_drop_that_stays_below_theta_by_hand() -> None:
    # The level of the last is 0.8: 0.05 and 0.12 above it count as nothing, 0.18 counts whole.
    truth = plane([1, 1, 0.92])
    assert conn(plane([1, 1, 0.85]), truth) == 0
    assert conn(plane([1, 1, 0.85]), plane([1, 1, 0.98])) == pytest.approx(0.18 / 1000, rel=1e-5)


def test_conn_counts_no_component_of_the_background() -> None:
    # Most of the picture is empty in both. Were the background, label 0 of a common port, counted with the components,
    # it would be the largest at every threshold and the level of the object's four pixels 0.
    truth = np.zeros((5, 5), dtype=np.float32)
    truth[1:3, 1:3] = 1
    # The object is the largest up to 0.1, which is its level: alpha lacks nothing, the truth 0.9 (in that port: 1).
    assert conn(truth * np.float32(0.1), truth) == pytest.approx(4 * 0.9 / 1000)
    # Level 0.5: alpha lacks nothing, the truth 0.5 (in that port 0.5 and 1, which is the same error).
    assert conn(truth * np.float32(0.5), truth) == pytest.approx(4 * 0.5 / 1000)


def test_an_alpha_of_a_threshold_reaches_it() -> None:
    # 0.7 in 32 bits is below 0.7 in 64, but it is what was written.
    truth = plane([1, 1, 0.7])
    # Level 0.7: the truth exceeds it by nothing, alpha by 0.3.
    assert conn(plane([1, 1, 1]), truth) == pytest.approx(0.3 / 1000, rel=1e-5)
    # Were it 0.6, alpha would exceed it by 0.4 and the truth by 0.1, which counts as nothing.


def test_conn_where_nothing_is_connected() -> None:
    truth = plane([0, 0.05], [0.05, 0])
    alpha = plane([1, 1], [1, 1])
    # No pixel of both reaches 0.1: all levels are 0. Alpha lacks 1 everywhere, the truth nothing.
    assert conn(alpha, truth) == pytest.approx(4 / 1000)


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


def test_of_components_as_large_the_one_further_left_is_taken() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 0], [1, 1, 0]], dtype=bool)
    np.testing.assert_array_equal(largest_component(mask), [[0, 0, 0], [0, 0, 0], [1, 1, 0]])


@settings(deadline=None, derandomize=True)
@given(arrays(np.bool_, (5, 6)))
def test_the_largest_component_is_what_walking_finds(mask: Mask) -> None:
    expected = np.zeros(mask.shape, dtype=bool)
    for pixel in max(slow_components(mask), key=len, default=set()):
        expected[pixel] = True
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


def test_units_of_tables_by_name() -> None:
    alpha, truth = random_mattes(3)
    given = all_metrics(alpha, truth)
    table = all_metrics(alpha, truth, scaling="composition-1k")
    assert table == {**given, "mse": given["mse"] * 1000}
    assert scaled(given, "video") == {**given, "mse": given["mse"] * 1000, "mad": given["mad"] * 1000}
    assert scaled(given, "pixels")["sad"] == pytest.approx(np.abs(alpha.astype(np.float64) - truth).sum())
    assert scaled(given, "package") == given
    for factors in SCALINGS.values():
        assert factors.keys() <= METRICS.keys()
    with pytest.raises(UnknownNameError, match="unknown scaling 'percent'; choose from"):
        scaled(given, "percent")


def test_the_unknown_region_is_what_a_trimap_leaves_open() -> None:
    trimap = plane([0, 0.5, 1], [0.4, 0, 1])
    mask = unknown_region(trimap)
    assert mask.tolist() == [[False, True, False], [True, False, False]]
    assert sad(plane([1, 1, 1], [1, 1, 1]), plane([0, 0.5, 0], [0.75, 0, 0]), mask) == pytest.approx(0.75 / 1000)
    with pytest.raises(InvalidArrayError, match="trimap must have an unknown region"):
        unknown_region(plane([0, 1]))
    with pytest.raises(InvalidArrayError, match="trimap must lie in"):
        unknown_region(plane([0, np.nan]))


def test_parameters_outside_their_range_are_refused() -> None:
    truth = plane([0, 1])
    for step in (0, -0.1, 1.1):
        with pytest.raises(InvalidArgumentError, match="step must lie in"):
            conn(truth, truth, step=step)
    for sigma in (0, 40, np.nan):
        with pytest.raises(InvalidArgumentError, match="sigma must lie between 0 and 39"):
            grad(truth, truth, sigma=sigma)
