"""The losses of the thesis against NumPy, hand-computed values and finite differences."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from active_matting.models.base import Prediction
from active_matting.training.losses import (
    click_loss,
    composition,
    exclusion,
    gradient,
    l1,
    laplacian,
    matting_loss,
    soft_iou,
)


def planes(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_soft_iou_of_hand_computed_masks() -> None:
    alpha = torch.tensor([[[[1.0, 0.5], [0.0, 0.0]]], [[[1.0, 1.0], [1.0, 1.0]]]])
    truth = torch.tensor([[[[1.0, 1.0], [0.0, 1.0]]], [[[1.0, 1.0], [1.0, 1.0]]]])
    assert soft_iou(alpha, truth).item() == pytest.approx(((1 - 1.5 / 3) + 0) / 2)


def test_soft_iou_of_nothing_found_where_nothing_is_has_no_nan() -> None:
    zero = torch.zeros(1, 1, 4, 4, requires_grad=True)
    soft_iou(zero, torch.zeros(1, 1, 4, 4)).backward()  # type: ignore[no-untyped-call]
    assert zero.grad is not None
    assert torch.isfinite(zero.grad).all()


def test_click_loss_sums_over_clicks() -> None:
    truth, alpha, clicks = torch.zeros(1, 1, 3, 3), torch.full((1, 1, 3, 3), 0.5), torch.zeros(1, 1, 3, 3)
    clicks[0, 0, 0, 0] = 1  # one of one pixel
    clicks[0, 0, 2, :2] = 0.5  # one of two
    assert click_loss(alpha, truth, clicks).item() == pytest.approx(2 * 0.25)


def test_l1_and_composition_sum_over_channels() -> None:
    assert l1(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)).item() == 3
    image, alpha, f, b = planes(2, 3, 5, 4), planes(2, 1, 5, 4, seed=1), planes(2, 3, 5, 4, seed=2), planes(2, 3, 5, 4)
    off = np.abs((alpha * f + (1 - alpha) * b - image).numpy()).sum() / (2 * 5 * 4)
    assert composition(image, alpha, f, b).item() == pytest.approx(off)
    assert composition(alpha * f + (1 - alpha) * b, alpha, f, b).item() == 0


def test_gradient_is_that_of_the_difference() -> None:
    alpha, truth = planes(2, 1, 6, 7), planes(2, 1, 6, 7, seed=1)
    d = (alpha - truth)[:, 0].numpy()
    expected = (np.abs(np.diff(d, axis=1)).sum() + np.abs(np.diff(d, axis=2)).sum()) / (2 * 6 * 7)
    assert gradient(alpha, truth).item() == pytest.approx(expected)
    assert gradient(alpha, alpha + 0.25).item() == pytest.approx(0, abs=1e-12)


def test_exclusion_is_zero_where_edges_do_not_coincide() -> None:
    left, right = torch.zeros(1, 3, 4, 8), torch.zeros(1, 3, 4, 8)
    left[..., :2], right[..., :6] = 1, 1
    assert exclusion(left, right).item() == 0
    assert exclusion(left, left).item() == pytest.approx(
        3 * 3 * 4 / 32
    )  # three channels' edges, squared, 4 of 32 pixels


def test_laplacian_against_convolutions_in_numpy() -> None:
    found, truth = planes(1, 2, 21, 30), planes(1, 2, 21, 30, seed=1)
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    expected = 0.0
    for plane in (found - truth)[0].numpy():
        level = plane
        for s in range(3):
            if s == 2:
                expected += 4 * np.abs(level).sum()
                break
            padded = np.pad(level, 2, mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
            smaller = (windows * kernel).sum((2, 3))[::2, ::2]
            larger = functional.interpolate(
                torch.from_numpy(smaller)[None, None], size=level.shape, mode="bilinear", align_corners=False
            )[0, 0].numpy()
            expected += 2**s * np.abs(level - larger).sum()
            level = smaller
    assert laplacian(found, truth, levels=3).item() == pytest.approx(expected / (21 * 30))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (64, 40)])
def test_laplacian_of_any_size_is_zero_for_equal_planes_alone(size: tuple[int, int]) -> None:
    truth = planes(1, 1, *size)
    assert laplacian(truth, truth).item() == 0
    assert laplacian(truth + 0.1, truth).item() > 0


@pytest.mark.parametrize("with_gradient", [True, False])
def test_matting_loss_has_the_gradient_of_finite_differences(with_gradient: bool) -> None:
    image, alpha, f, b = (
        planes(1, 3, 8, 8),
        planes(1, 1, 8, 8, seed=1),
        planes(1, 3, 8, 8, seed=2),
        planes(1, 3, 8, 8, seed=3),
    )

    def loss(found: Tensor) -> Tensor:
        return matting_loss(Prediction(found[:, :1], found[:, 1:4], found[:, 4:]), image, alpha, f, b, with_gradient)

    found = planes(1, 7, 8, 8, seed=4).requires_grad_()
    assert torch.autograd.gradcheck(loss, (found,), eps=1e-7, atol=1e-5)


def test_matting_loss_is_equation_4_1() -> None:
    image, alpha, f, b = (
        planes(1, 3, 8, 8),
        planes(1, 1, 8, 8, seed=1),
        planes(1, 3, 8, 8, seed=2),
        planes(1, 3, 8, 8, seed=3),
    )
    a, g, c = planes(1, 1, 8, 8, seed=4), planes(1, 3, 8, 8, seed=5), planes(1, 3, 8, 8, seed=6)
    of_alpha = l1(a, alpha) + composition(image, a, f, b) + laplacian(a, alpha)
    of_colours = (
        l1(g, f) + l1(c, b) + laplacian(g, f) + laplacian(c, b) + exclusion(g, c) + composition(image, alpha, g, c)
    )
    found = matting_loss(Prediction(a, g, c), image, alpha, f, b, with_gradient=True)
    assert found.item() == pytest.approx((of_alpha + gradient(a, alpha) + 0.25 * of_colours).item())
    without = matting_loss(Prediction(a), image, alpha, f, b, with_gradient=False)
    assert without.item() == pytest.approx(of_alpha.item())
