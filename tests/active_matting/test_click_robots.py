"""The robots that click: regions to be seen by eye, and a slow search of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from active_matting.errors import UnknownNameError
from active_matting.robots import ROBOTS, Mistake, Place, find_robot
from active_matting.robots.largest_error import largest_error
from active_matting.robots.largest_region import largest_region
from active_matting.types import Alpha, Label

VALUES = {".": 0.0, "#": 1.0, "?": 0.5, "-": 0.25, "+": 0.75}


def plane(*rows: str) -> Alpha:
    return np.array([[VALUES[letter] for letter in row] for row in rows], dtype=np.float32)


def place(mistake: Mistake | None) -> Place:
    assert mistake is not None
    return mistake.place


def test_the_first_click_is_in_the_middle_of_the_object() -> None:
    truth = plane(
        ".......",
        ".#####.",
        ".#####.",
        ".#####.",
        ".......",
    )
    for robot in (largest_region, largest_error):
        mistake = robot(np.zeros_like(truth), truth)
        assert place(mistake) == (2, 2, Label.FOREGROUND)  # the first of three as deep
        assert mistake is not None
        np.testing.assert_array_equal(mistake.region, truth == 1)


def test_the_sides_of_the_image_are_boundary_too() -> None:
    truth = np.ones((5, 9), dtype=np.float32)
    assert place(largest_region(np.zeros_like(truth), truth)) == (2, 2, Label.FOREGROUND)


def test_the_larger_of_missed_and_spurious_regions_is_clicked_with_its_true_class() -> None:
    truth = plane(
        "###.....",
        "###.....",
        "###.....",
    )
    alpha = plane(
        "##......",
        "#?..+###",
        "+....###",
    )  # wrong: one column of three but for its middle, and a block of seven
    assert place(largest_region(alpha, truth)) == (1, 4, Label.BACKGROUND)  # the first of seven, all at its boundary
    assert place(largest_region(truth * alpha, truth)) == (0, 2, Label.FOREGROUND)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    truth = plane(
        "#...",
        ".#..",
        "..#.",
        "....",
    )
    mistake = largest_region(np.zeros_like(truth), truth)
    assert mistake is not None
    assert mistake.region.sum() == 3
    # Missed and spurious pixels are not of one region, though they touch.
    mistake = largest_region(1 - truth, truth)
    assert mistake is not None
    assert mistake.place.label == Label.BACKGROUND
    np.testing.assert_array_equal(mistake.region, truth == 0)


def test_half_is_foreground_and_pixels_to_be_ignored_are_nothing() -> None:
    truth = plane("??..##")
    assert largest_region(plane("..--??"), truth) is None
    assert largest_region(plane("##--??"), truth) is None
    assert place(largest_region(plane("####??"), truth)) == (0, 2, Label.BACKGROUND)
    assert place(largest_region(plane("..??.."), truth)) == (0, 2, Label.BACKGROUND)  # as large: the background
    # Of the transition's two sides neither is joined through it.
    truth = plane(".#?##.")
    mistake = largest_region(plane("......"), truth)
    assert place(mistake) == (0, 3, Label.FOREGROUND)
    assert mistake is not None
    assert mistake.region.sum() == 2


def test_the_largest_error_may_be_a_smaller_region() -> None:
    truth = plane("......?##")
    alpha = plane("-----.?..")  # five sixteenths in all, and two
    assert place(largest_error(alpha, truth)) == (0, 7, Label.FOREGROUND)
    assert place(largest_region(1 - truth, truth)) == (0, 0, Label.BACKGROUND)  # the larger one
    assert place(largest_error(plane("++++..?#."), truth)) == (0, 0, Label.BACKGROUND)  # 2.25 and 1


def test_any_error_of_a_pure_pixel_counts_unless_it_is_tolerated() -> None:
    truth = plane("..??##")
    alpha = truth.copy()
    alpha[0, 1], alpha[0, 5] = 0.001, 0.998
    assert place(largest_error(alpha, truth)) == (0, 5, Label.FOREGROUND)
    assert place(largest_error(alpha, truth, tolerance=0.0015)) == (0, 5, Label.FOREGROUND)
    alpha[0, 5] = 1
    assert place(largest_error(alpha, truth)) == (0, 1, Label.BACKGROUND)
    assert largest_error(alpha, truth, tolerance=0.5 / 255) is None
    assert largest_error(truth, truth) is None
    alpha[0, 1], alpha[0, 2] = 0, 1  # in the transition nothing is wrong
    assert largest_error(alpha, truth) is None


def test_equals_are_decided_by_class_then_by_place() -> None:
    truth = plane(
        "....#.",
        "......",
        "#...#.",
    )
    zero = np.zeros_like(truth)
    assert place(largest_region(zero, truth)) == (0, 4, Label.FOREGROUND)
    alpha = truth.copy()
    alpha[1, 2], alpha[0, 4] = 1, 0
    for robot in (largest_region, largest_error):
        assert place(robot(alpha, truth)) == (1, 2, Label.BACKGROUND)


def reference(alpha: Alpha, truth: Alpha, name: str) -> tuple[int, int, int] | None:
    """A search with the definitions and nothing else."""
    h, w = truth.shape
    if name == "largest-region":
        wrong = {-1: (truth == 0) & (alpha >= 0.5), 1: (truth == 1) & ~(alpha >= 0.5)}
        weight = np.ones_like(truth)
    else:
        wrong = {-1: (truth == 0) & (alpha > 0), 1: (truth == 1) & (alpha < 1)}
        weight = (alpha - truth) ** 2
    best = None
    for label, mask in wrong.items():
        left = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}
        while left:
            region, front = set(), [min(left)]
            while front:
                y, x = front.pop()
                if (y, x) in left:
                    left.remove((y, x))
                    region.add((y, x))
                    front += [(y + dy, x + dx) for dy, dx in product((-1, 0, 1), repeat=2)]
            total = sum(float(weight[pixel]) for pixel in region)
            if best is None or total > best[0]:
                best = total, label, region
    if best is None:
        return None
    _, label, region = best
    around = [p for p in product(range(-1, h + 1), range(-1, w + 1)) if p not in region]
    depth = {(y, x): min((y - v) ** 2 + (x - u) ** 2 for v, u in around) for y, x in sorted(region)}
    return *max(depth, key=lambda pixel: depth[pixel]), label


# Quarters, of which all sums are exact.
quarters: st.SearchStrategy[NDArray[np.float32]] = arrays(
    np.float32, (7, 9), elements=st.sampled_from([np.float32(v) for v in (0, 0.25, 0.5, 0.75, 1)])
)
truths: st.SearchStrategy[NDArray[np.float32]] = arrays(
    np.float32, (7, 9), elements=st.sampled_from([np.float32(v) for v in (0, 0, 0, 1, 1, 0.5)])
)


@settings(deadline=None, derandomize=True)
@given(quarters, truths)
@pytest.mark.parametrize("name", ["largest-region", "largest-error"])
def test_robots_find_what_a_slow_search_finds(name: str, alpha: Alpha, truth: Alpha) -> None:
    before = alpha.copy(), truth.copy()
    mistake = find_robot(name)(alpha, truth)
    expected = reference(alpha, truth, name)
    assert (None if mistake is None else tuple(mistake.place)) == expected
    if mistake is not None:
        y, x, label = mistake.place
        assert mistake.region[y, x]
        assert (truth[mistake.region] == max(label, 0)).all()
    np.testing.assert_array_equal(alpha, before[0])
    np.testing.assert_array_equal(truth, before[1])


def test_robots_have_names() -> None:
    assert ROBOTS.names()[:2] == ["largest-region", "largest-error"]
    with pytest.raises(UnknownNameError, match="unknown robot 'clicker'; choose from"):
        find_robot("clicker")
