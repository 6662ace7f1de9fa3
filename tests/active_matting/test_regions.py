"""Squares inside images, and actions that mean them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region, action_to_region, check_side, place_region, region_grid, region_to_action

Case = tuple[tuple[int, int], int]
quick = settings(deadline=None, derandomize=True)


@st.composite
def cases(draw: st.DrawFn, largest: int = 3000) -> Case:
    """An image's shape, and a side that fits into it."""
    shape = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    return shape, draw(st.integers(1, min(shape)))


@st.composite
def regions(draw: st.DrawFn) -> tuple[Region, tuple[int, int]]:
    """A region wholly inside an image, and that image's shape."""
    (h, w), side = draw(cases())
    top, left = draw(st.integers(0, h - side)), draw(st.integers(0, w - side))
    return Region(top + side // 2, left + side // 2, side), (h, w)


def assert_inside(region: Region, side: int, shape: tuple[int, int]) -> None:
    for part, size in zip(region.slices, shape, strict=True):
        assert part.start >= 0
        assert part.stop <= size
        assert part.stop - part.start == side


@quick
@given(cases(), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_placed_region_lies_wholly_inside(case: Case, y: float, x: float) -> None:
    shape, side = case
    assert_inside(place_region(y, x, side, shape), side, shape)


@quick
@given(cases(), st.tuples(*[st.floats(-3, 3, allow_nan=False)] * 2))
def test_the_region_of_an_action_lies_wholly_inside(case: Case, action: tuple[float, float]) -> None:
    shape, side = case
    assert_inside(action_to_region(action, side, shape), side, shape)


@quick
@given(regions())
def test_a_region_comes_back_from_its_action(case: tuple[Region, tuple[int, int]]) -> None:
    region, shape = case
    action = region_to_action(region, shape)
    assert action.dtype == np.float32
    assert np.abs(action).max() <= 1
    assert action_to_region(action, region.side, shape) == region


@quick
@given(regions())
def test_a_region_that_is_inside_is_placed_where_it_is(case: tuple[Region, tuple[int, int]]) -> None:
    region, shape = case
    assert place_region(region.y, region.x, region.side, shape) == region


@quick
@given(cases(largest=40), st.integers(1, 10))
def test_a_grid_covers_every_pixel_with_distinct_regions_inside(case: Case, stride: int) -> None:
    shape, side = case
    grid = region_grid(side, shape, min(stride, side))
    covered = np.zeros(shape, dtype=bool)
    for region in grid:
        assert_inside(region, side, shape)
        covered[region.slices] = True
    assert covered.all()
    assert len(set(grid)) == len(grid)


@pytest.mark.parametrize(
    ("side", "rows"),
    [(1, (7, 8)), (2, (6, 8)), (3, (6, 9)), (4, (5, 9)), (20, (-3, 17))],
)
def test_an_even_square_has_its_centre_below_its_middle(side: int, rows: tuple[int, int]) -> None:
    region = Region(7, 7, side)
    assert region.slices[0] == slice(*rows)
    assert (region.top, region.left) == (rows[0], rows[0])


@pytest.mark.parametrize(
    ("wished", "side", "shape", "centre"),
    [
        ((0, 0), 3, (10, 12), (1, 1)),  # the smallest odd square in the corner
        ((99, 99), 3, (10, 12), (8, 10)),  # rows 7 to 9, columns 9 to 11
        ((0, 0), 4, (10, 12), (2, 2)),
        ((99, 99), 4, (10, 12), (8, 10)),  # rows 6 to 9, columns 8 to 11
        ((5, 6), 4, (10, 12), (5, 6)),  # already inside
        ((4.5, 4.49), 1, (10, 12), (5, 4)),  # halves round up
        ((3, 3), 10, (10, 12), (5, 5)),  # one row of centres only
    ],
)
def test_regions_are_moved_in_and_never_cut(
    wished: tuple[float, float], side: int, shape: tuple[int, int], centre: tuple[int, int]
) -> None:
    assert place_region(*wished, side=side, shape=shape) == Region(*centre, side)


@pytest.mark.parametrize(
    ("action", "centre"),
    [
        ((-1, -1), (1, 1)),  # pixel (0, 0), moved in
        ((1, 1), (9, 19)),  # pixel (10, 20), moved in
        ((0, 0), (5, 10)),
        ((0.2, -0.5), (6, 5)),  # 0.6 · 10 and 0.25 · 20
        ((-7, 7), (1, 19)),  # clipped to the square of actions first
    ],
)
def test_actions_run_from_the_first_to_the_last_pixel(action: tuple[float, float], centre: tuple[int, int]) -> None:
    assert action_to_region(action, side=3, shape=(11, 21)) == Region(*centre, 3)


def test_rows_come_before_columns_in_a_grid() -> None:
    assert region_grid(2, (4, 6)) == [
        Region(1, 1, 2), Region(1, 3, 2), Region(1, 5, 2),
        Region(3, 1, 2), Region(3, 3, 2), Region(3, 5, 2),
    ]  # fmt: skip


def test_the_last_row_and_column_of_a_grid_are_moved_in() -> None:
    assert [region.top for region in region_grid(4, (10, 4))] == [0, 4, 6]


def test_a_stride_sets_regions_closer_or_further_apart() -> None:
    assert [region.left for region in region_grid(2, (2, 7), stride=1)] == [0, 1, 2, 3, 4, 5]
    assert [region.left for region in region_grid(2, (2, 9), stride=5)] == [0, 5, 7]


@pytest.mark.parametrize("side", [0, -1, 11])
def test_a_side_that_does_not_fit_is_refused(side: int) -> None:
    message = rf"region_size must be from 1 to 10 for an image of shape \(10, 12\), got {side}"
    with pytest.raises(InvalidArgumentError, match=message):
        check_side(side, (10, 12))
    with pytest.raises(InvalidArgumentError, match=message):
        place_region(5, 5, side, (10, 12))
    with pytest.raises(InvalidArgumentError, match=message):
        region_grid(side, (10, 12))


@pytest.mark.parametrize("action", [(0,), (0, 0, 0), 0, [(0, 0)], (np.nan, 0)])
def test_what_is_not_an_action_is_refused(action: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"an action must be two numbers \(y, x\) in \[-1, 1\], got"):
        action_to_region(action, 3, (10, 12))  # type: ignore[arg-type]


def test_a_stride_below_one_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="stride must be at least 1, got 0"):
        region_grid(2, (4, 4), stride=0)
