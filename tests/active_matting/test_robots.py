"""The robot that asks where the matte is worst, on alphas small enough to see where that is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from active_matting.regions import Region
from active_matting.robots import is_askable, most_wrong_region
from active_matting.robots.depth import depth


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
def test_depth_is_the_distance_to_what_is_outside_to_the_last_bit(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((9, 13)) < share
    outside = np.argwhere(~np.pad(mask, 1)) - 1
    places = np.argwhere(np.ones_like(mask))
    squares = ((places[:, None] - outside[None]) ** 2).sum(2).min(1).reshape(mask.shape)
    np.testing.assert_array_equal(depth(mask), np.sqrt(squares.astype(np.float32)))
    again = [depth(mask.copy()) for _ in range(3)]
    for other in again:
        np.testing.assert_array_equal(other, depth(mask))


def square_truth() -> NDArray[np.float32]:
    truth = np.zeros((20, 30), dtype=np.float32)
    truth[5:14, 10:21] = 1  # 9 rows, 11 columns around (9, 15)
    return truth


def test_the_innermost_foreground_is_asked_first_and_the_innermost_background_next() -> None:
    truth = square_truth()
    label_map = np.zeros(truth.shape, dtype=np.int8)
    half = np.full_like(truth, 0.5)
    first = most_wrong_region(truth, half, label_map, 3)
    assert first.y == 9
    assert 14 <= first.x <= 16
    label_map[first.slices] = 1
    second = most_wrong_region(truth, half, label_map, 3)
    around = Region(second.y, second.x, 9)  # four pixels to each side are background, and inside the image
    assert around.y >= 4
    assert around.x >= 4
    assert truth[around.slices].shape == (9, 9)
    assert truth[around.slices].max() == 0


def test_then_the_place_of_the_largest_error_is_asked() -> None:
    truth = square_truth()
    label_map = np.zeros(truth.shape, dtype=np.int8)
    label_map[9, 15], label_map[0, 0] = 1, -1
    alpha = truth.copy()
    alpha[9:12, 3:6] = 0.4
    alpha[2, 25] = 0.4
    assert most_wrong_region(truth, alpha, label_map, 3) == Region(10, 4, 3)


def test_transitions_and_asked_places_are_passed_over_while_there_are_others() -> None:
    truth = square_truth()
    label_map = np.zeros(truth.shape, dtype=np.int8)
    label_map[0, 0] = -1
    askable = is_askable(truth, label_map, 3)
    assert askable[9, 15]
    assert not askable[5, 15]  # half of its region is background
    assert not askable[0, 5]  # its region leaves the image
    label_map[9, 15] = 1
    assert not is_askable(truth, label_map, 3)[9, 15]


def test_where_nothing_is_pure_all_regions_inside_may_be_asked() -> None:
    truth = np.full((6, 7), 0.5, dtype=np.float32)
    askable = is_askable(truth, np.zeros(truth.shape, dtype=np.int8), 3)
    expected = np.zeros(truth.shape, dtype=bool)
    expected[1:5, 1:6] = True
    np.testing.assert_array_equal(askable, expected)
