"""The grid of the spatial agent and its squares; the robot's merits; what squares are; its choice as chances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_matting.agents.spatial.grid import CELL, Grid
from active_matting.agents.spatial.merit import merits
from active_matting.agents.spatial.targets import chances, kinds_of
from active_matting.annotators import ExactAnnotator
from active_matting.errors import InvalidArgumentError
from active_matting.regions import region_grid
from active_matting.robots import most_wrong_region
from active_matting.types import Label


@pytest.mark.parametrize(
    ("shape", "cells"), [((400, 400), 20), ((40, 30), 10), ((37, 50), 7), ((9, 9), 9), ((8, 90), 3)]
)
def test_squares_lie_within_the_image_from_side_to_side_in_order(shape: tuple[int, int], cells: int) -> None:
    grid = Grid.of(shape, cells)
    (rows, columns), (h, w) = grid.squares, grid.cells
    assert (rows, columns) == (2 * h - 1, 2 * w - 1)
    regions = grid.regions()
    assert [grid.region(number) for number in range(rows * columns)] == regions
    y, x = (np.array([getattr(region, name) for region in regions]).reshape(rows, columns) for name in "yx")
    assert (np.diff(y, axis=0) >= 0).all()
    assert (np.diff(x, axis=1) >= 0).all()
    assert (y == y[:, :1]).all()
    assert (x == x[:1]).all()
    for first, extent, size in ((0, shape[0], "top"), (0, shape[1], "left")):
        places = {getattr(region, size) for region in regions}
        assert min(places) == first
        assert max(places) == extent - grid.side
    for number, region in enumerate(regions):
        at = grid.number_at(region.y, region.x)
        assert regions[at] == region
        np.testing.assert_array_equal(grid.is_same(number).ravel(), [other == region for other in regions])
    assert grid.shrink(np.zeros(shape, dtype=np.uint8)).shape == (CELL * h, CELL * w)


@pytest.mark.parametrize(("side", "cells"), [(400, 20), (160, 20), (40, 5)])
def test_where_cells_fit_every_second_square_is_one_and_squares_are_half_a_cell_apart(side: int, cells: int) -> None:
    grid = Grid.of((side, side), cells)
    assert grid.regions() == region_grid(grid.side, (side, side), grid.side // 2)
    numbers = np.arange(len(grid.regions())).reshape(grid.squares)[::2, ::2].ravel()
    assert [grid.region(int(number)) for number in numbers] == region_grid(grid.side, (side, side))


def test_half_cells_of_a_square_are_what_it_covers() -> None:
    grid = Grid.of((40, 40), 5)
    for number in (0, 1, 9, 40, 80):
        told = np.zeros((10, 10), dtype=np.int8)
        told[grid.halves(number)] = 1
        covered = np.zeros((40, 40), dtype=np.int8)
        covered[grid.region(number).slices] = 1
        np.testing.assert_array_equal(np.kron(told, np.ones((4, 4), np.int8)), covered)


def test_less_than_one_cell_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="cells must be at least 1, got 0"):
        Grid.of((40, 40), 0)


def test_values_are_spread_around_the_middles_of_squares() -> None:
    spread = Grid.of((8, 8), 2).enlarge(np.arange(9, dtype=np.float32).reshape(3, 3))
    # squares of 4 at 0, 2 and 4: their middles lie at 1.5, 3.5 and 5.5, and pixel 2 or 3 is nearer to one of them
    np.testing.assert_array_equal(spread[0], [0, 0, 0, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(spread[:, 0], [0, 0, 0, 3, 3, 6, 6, 6])


@pytest.mark.parametrize("told", [(), (1,), (1, -1)])
def test_the_best_square_is_nearly_where_the_robot_would_ask(told: tuple[int, ...]) -> None:
    """Other than the agent the robot may ask anywhere: its place is less than a cell from the best square's."""
    rng = np.random.default_rng(0)
    truth = np.zeros((80, 80), dtype=np.float32)
    truth[16:64, 8:56] = 1
    alpha = truth.copy()
    alpha[24:32, 40:48] = 0.2
    alpha += 0.01 * rng.random(alpha.shape).astype(np.float32)
    label_map = np.zeros((80, 80), dtype=np.int8)
    for label in told:
        label_map[(16, 72)[label < 0] :, 72:][:8] = label
    grid = Grid.of((80, 80), 10)
    best = grid.region(int(merits(truth, alpha, label_map, grid).argmax()))
    robot = most_wrong_region(truth, alpha, label_map, grid.side)
    assert max(abs(best.y - robot.y), abs(best.x - robot.x)) <= grid.side


@given(seed=st.integers(0, 1000))
def test_what_squares_are_is_what_the_annotator_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.choice(np.array([0, 0, 5, 6, 128, 249, 250, 255, 255], np.uint8), (8, 8))
    alpha = np.kron(coarse, np.ones((6, 6), np.uint8))
    grid = Grid.of((48, 48), 6)
    answers = [ExactAnnotator(np.float32(1 / 255) * alpha).answer(region) for region in grid.regions()]
    told = {Label.BACKGROUND: 0, Label.FOREGROUND: 1, Label.TRANSITION: 2}
    assert kinds_of(alpha, grid).tolist() == [told[answer] for answer in answers]


def test_the_choice_is_in_proportion_to_the_third_power_of_merit_among_what_may_be_asked() -> None:
    told = chances(np.array([1.0, 2.0, 4.0, 9.0, -1.0]), np.array([True, True, True, False, True]))
    np.testing.assert_allclose(told, np.array([1, 8, 64, 0, 0]) / 73, rtol=1e-6)


def test_where_nothing_is_wrong_nothing_is_imitated() -> None:
    assert not chances(np.zeros(4), np.ones(4, dtype=bool)).any()
    assert not chances(np.ones(4), np.zeros(4, dtype=bool)).any()
