"""Cells and their masks, against masks worked out by looking at the true alpha."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from active_matting.envs.region_grid import RegionGridEnv
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import ActiveMattingError, InvalidArgumentError

SMALL: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 6, "size": 60},
    "image_size": 60,
    "region_size": 10,
    "budget": 5,
}


def make(**options: Any) -> RegionGridEnv:
    return RegionGridEnv(**{**SMALL, **options})


def pure_cells(env: RegionGridEnv, tops: list[int]) -> NDArray[np.int8]:
    alpha, side = env.sample.alpha, env.settings.region_size
    squares = [alpha[top : top + side, left : left + side] for top in tops for left in tops]
    return np.array([square.min() >= 0.98 or square.max() <= 0.02 for square in squares], dtype=np.int8)


def test_cells_lie_row_by_row_and_mean_their_regions() -> None:
    env = make()
    assert env.action_space == gymnasium.spaces.Discrete(36)
    env.reset(seed=0)
    for cell, (top, left) in {0: (0, 0), 5: (0, 50), 6: (10, 0), 35: (50, 50)}.items():
        env.step(cell)
        region = env.session.answers[-1].region
        assert (region.top, region.left, region.side) == (top, left, 10)


def test_a_stride_that_does_not_divide_the_image_has_a_last_row_moved_in() -> None:
    env = make(stride=20)
    assert env.action_space == gymnasium.spaces.Discrete(16)
    env.reset(seed=0)
    env.step(15)
    assert (env.session.answers[-1].region.top, env.session.answers[-1].region.left) == (50, 50)


def test_a_cell_is_the_region_that_its_centre_would_be() -> None:
    cells, centres = make(), RegionsEnv(**SMALL)
    cells.reset(seed=2)
    centres.reset(seed=2)
    for cell in (14, 0, 21):
        y, x = 10 * (cell // 6) + 5, 10 * (cell % 6) + 5
        by_cell = cells.step(cell)
        by_centre = centres.step(2 * np.array([y, x], dtype=np.float32) / 59 - 1)
        assert by_cell[1] == by_centre[1]
        np.testing.assert_array_equal(by_cell[0]["matte"], by_centre[0]["matte"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 35), min_size=1, max_size=5), st.sampled_from(["visited", "pure"]))
def test_the_mask_is_the_same_in_observation_info_and_method_and_leaves_out_what_was_asked(
    cells: list[int], mask: str
) -> None:
    env = make(mask=mask)
    observation, info = env.reset(seed=1)
    expected = np.ones(36, dtype=np.int8) if mask == "visited" else pure_cells(env, list(range(0, 60, 10)))
    for cell in [None, *cells]:
        if cell is not None:
            observation, _, _, _, info = env.step(cell)
            expected[cell] = 0
        for found in (observation["action_mask"], info["action_mask"], env.action_masks()):
            assert found.dtype == np.int8
            np.testing.assert_array_equal(found, expected)


def test_candidates_share_a_mask_and_what_was_not_committed_stays_open() -> None:
    env = make(candidates=2)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([36, 36])
    env.reset(seed=0)
    observation, _, _, _, info = env.step(np.array([3, 30]))
    mask = observation["action_mask"].reshape(2, 36)
    np.testing.assert_array_equal(mask[0], mask[1])
    chosen, other = (3, 30) if info["committed"] == 0 else (30, 3)
    assert mask[0, chosen] == 0
    assert mask[0, other] == 1
    assert mask.sum() == 70


def test_there_is_always_a_cell_to_choose() -> None:
    env = make(region_size=30, mask="pure", budget=6)
    tops = [0, 30]
    _, info = env.reset(seed=3)
    expected = pure_cells(env, tops)
    pure = [int(cell) for cell in np.flatnonzero(expected)]
    mixed = [cell for cell in range(4) if cell not in pure]
    np.testing.assert_array_equal(info["action_mask"], expected if pure else np.ones(4))
    for cell in pure:
        *_, info = env.step(cell)
    # No pure cell is left: the mixed ones are open; after them all are.
    np.testing.assert_array_equal(np.flatnonzero(info["action_mask"]), mixed or range(4))
    for cell in mixed:
        *_, info = env.step(cell)
    assert info["action_mask"].tolist() == [1, 1, 1, 1]


def test_sampling_takes_the_mask() -> None:
    env = make(mask="pure", budget=20)
    _, info = env.reset(seed=0)
    env.action_space.seed(0)
    asked = set()
    for _ in range(10):
        cell = int(env.action_space.sample(mask=info["action_mask"]))
        assert cell not in asked
        asked.add(cell)
        *_, info = env.step(cell)
        assert not info["skipped"].any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"stride": 2.5}, "stride must be an integer, got 2.5"),
        ({"mask": "mixed"}, r"mask must be one of \['visited', 'pure'\], got 'mixed'"),
        ({"strid": 3}, r"unknown arguments \['strid'\]; an environment takes"),
    ],
)
def test_bad_arguments_fail_at_construction(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        make(**options)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (36, "a cell must be from 0 to 35, got 36"),
        (-1, "a cell must be from 0 to 35, got -1"),
        (1.0, "action must be integers of shape"),
        (np.array([1, 2]), "action must be integers of shape"),
    ],
)
def test_bad_actions_are_refused_and_cost_nothing(action: Any, words: str) -> None:
    env = make()
    env.reset(seed=0)
    with pytest.raises(ActiveMattingError, match=words):
        env.step(action)
    assert env.session.interactions == ()
