"""What may enter the package as an image, an alpha or a label map."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from active_matting.errors import ActiveMattingError, InvalidArrayError
from active_matting.types import Label, check_alpha, check_image, check_label_map


def test_labels_have_the_documented_values() -> None:
    assert {label.name: int(label) for label in Label} == {
        "BACKGROUND": -1,
        "UNLABELLED": 0,
        "FOREGROUND": 1,
        "TRANSITION": 2,
    }


def test_arrays_that_are_right_are_not_copied() -> None:
    image, alpha = np.zeros((3, 4, 3), dtype=np.float32), np.zeros((3, 4), dtype=np.float32)
    label_map = np.zeros((3, 4), dtype=np.int8)
    assert check_image(image) is image
    assert check_alpha(alpha) is alpha
    assert check_label_map(label_map) is label_map


def test_other_floats_and_layouts_become_contiguous_float32() -> None:
    image = np.random.default_rng(0).random((5, 4, 3)).transpose(1, 0, 2)
    checked = check_image(image)
    assert checked.dtype == np.float32
    assert checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, image.astype(np.float32))
    assert check_alpha(image[..., 0].astype(np.float16)).dtype == np.float32


def test_other_integers_become_int8() -> None:
    checked = check_label_map(np.array([[-1, 0], [1, 2]], dtype=np.int64))
    assert checked.dtype == np.int8
    assert checked.tolist() == [[-1, 0], [1, 2]]


def test_rounding_noise_outside_the_unit_range_is_clipped() -> None:
    noisy = np.array([[-5e-7, 1 + 5e-7]])
    checked = check_alpha(noisy)
    assert checked.tolist() == [[0, 1]]
    assert noisy[0, 0] == -5e-7  # the given array stays as it was


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.nan, np.inf, -np.inf])
def test_values_outside_the_unit_range_are_refused(bad: float) -> None:
    alpha = np.full((3, 3), 0.5, dtype=np.float32)
    alpha[1, 1] = bad
    with pytest.raises(InvalidArrayError, match=r"alpha must lie in \[0, 1\], got values from"):
        check_alpha(alpha)
    with pytest.raises(InvalidArrayError, match=r"image must lie in \[0, 1\], got values from"):
        check_image(np.stack([alpha] * 3, axis=2))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool, np.complex128])
def test_images_and_alphas_must_be_floats(dtype: Any) -> None:
    with pytest.raises(InvalidArrayError, match=r"image must hold floats in \[0, 1\], got dtype"):
        check_image(np.zeros((2, 2, 3), dtype=dtype))
    with pytest.raises(InvalidArrayError, match=r"alpha must hold floats in \[0, 1\], got dtype"):
        check_alpha(np.zeros((2, 2), dtype=dtype))


@pytest.mark.parametrize("shape", [(4,), (4, 4), (4, 4, 1), (4, 4, 4), (0, 4, 3), (4, 0, 3), (1, 4, 4, 3)])
def test_images_must_have_three_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidArrayError, match=r"image must have shape \(H, W, 3\), got"):
        check_image(np.zeros(shape))


@pytest.mark.parametrize("shape", [(), (4,), (4, 4, 1), (0, 4), (4, 0)])
def test_alphas_and_label_maps_must_be_planes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidArrayError, match=r"alpha must have shape \(H, W\), got"):
        check_alpha(np.zeros(shape))
    with pytest.raises(InvalidArrayError, match=r"label_map must have shape \(H, W\), got"):
        check_label_map(np.zeros(shape, dtype=np.int8))


def test_a_plane_of_another_shape_than_the_image_is_refused_with_both_shapes() -> None:
    with pytest.raises(InvalidArrayError, match=r"truth must have the image's shape \(3, 4\), got \(4, 3\)"):
        check_alpha(np.zeros((4, 3)), shape=(3, 4), name="truth")
    with pytest.raises(InvalidArrayError, match=r"label_map must have the image's shape \(3, 4\), got \(4, 3\)"):
        check_label_map(np.zeros((4, 3), dtype=np.int8), shape=(3, 4))


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2), dtype=bool)])
def test_label_maps_must_hold_integers(array: NDArray[Any]) -> None:
    with pytest.raises(InvalidArrayError, match="label_map must hold integers, got dtype"):
        check_label_map(array)


@pytest.mark.parametrize("value", [-2, 3, 255, 257])  # 257 would be a foreground, were it cut to eight bits
def test_label_maps_must_hold_labels(value: int) -> None:
    with pytest.raises(InvalidArrayError, match=rf"2 transition, got values from .*{value}"):
        check_label_map(np.array([[0, value]]))


def test_refusals_can_be_caught_as_value_errors_and_as_errors_of_this_package() -> None:
    assert issubclass(InvalidArrayError, ActiveMattingError)
    assert issubclass(InvalidArrayError, ValueError)
