"""The grid of the spatial agent against `region_grid`; the robot's merits; its choice as chances."""

import numpy as np
import pytest

from active_matting.agents.spatial.grid import CELL, Grid
from active_matting.agents.spatial.merit import merits
from active_matting.agents.spatial.targets import chances
from active_matting.errors import InvalidArgumentError
from active_matting.regions import region_grid
from active_matting.robots import most_wrong_region


@pytest.mark.parametrize(
    ("shape", "cells"), [((400, 400), 20), ((40, 30), 10), ((37, 50), 7), ((9, 9), 9), ((8, 90), 3)]
)
def test_cells_are_the_regions_of_the_grid_in_its_order(shape: tuple[int, int], cells: int) -> None:
    grid = Grid.of(shape, cells)
    rows, columns = grid.cells
    assert grid.regions() == region_grid(grid.side, shape)
    assert [grid.region(number) for number in range(rows * columns)] == grid.regions()
    centres = [grid.number_at(region.y, region.x) for region in grid.regions()]
    assert centres == list(range(rows * columns))
    assert grid.shrink(np.zeros(shape, dtype=np.uint8)).shape == (CELL * rows, CELL * columns)


def test_less_than_one_cell_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="cells must be at least 1, got 0"):
        Grid.of((40, 40), 0)


def test_values_are_spread_over_their_cells() -> None:
    spread = Grid.of((4, 5), 2.5).enlarge(np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32))
    # the fourth column lies in both of the last cells, as near to one middle as to the other
    np.testing.assert_array_equal(spread, [[1, 1, 2, 2, 3]] * 2 + [[4, 4, 5, 5, 6]] * 2)


@pytest.mark.parametrize("told", [(), (1,), (1, -1)])
def test_the_best_cell_is_as_worth_while_as_the_robot_finds_any_to_be_nearly(told: tuple[int, ...]) -> None:
    """Beside the grid's cells the robot may ask anywhere: its place is in the best cell, or next to it."""
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


def test_the_choice_is_in_proportion_to_the_third_power_of_merit_among_what_may_be_asked() -> None:
    told = chances(np.array([1.0, 2.0, 4.0, 9.0, -1.0]), np.array([True, True, True, False, True]))
    np.testing.assert_allclose(told, np.array([1, 8, 64, 0, 0]) / 73, rtol=1e-6)


def test_where_nothing_is_wrong_nothing_is_imitated() -> None:
    assert not chances(np.zeros(4), np.ones(4, dtype=bool)).any()
    assert not chances(np.ones(4), np.zeros(4, dtype=bool)).any()
