"""Rewards against hand-computed cases and the properties that the paper's equation 7 has."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from active_matting.envs.rewards import find_reward, log_reward, relative_reward, rmse_reward
from active_matting.errors import UnknownNameError

ERRORS = st.lists(st.integers(0, 1000).map(lambda error: error / 1000), min_size=1, max_size=6).map(np.array)


@pytest.mark.parametrize(
    ("after", "rewards"),
    [
        ([0.46], [1.0]),
        ([0.46, 0.49], [1.0, 0.25]),
        ([0.48, 0.5], [1.0, 0.0]),
        ([0.48, 0.51], [1.0, -0.5]),
        ([0.49, 0.53], [1.0, -1.0]),  # harm counts as at most the whole reward
        ([0.5, 0.5], [0.0, 0.0]),
        ([0.52], [0.0]),
        ([0.51, 0.54], [0.0, -0.75]),
        ([0.5, 0.54], [0.0, -1.0]),
    ],
)
def test_relative_reward_of_hand_computed_cases(after: list[float], rewards: list[float]) -> None:
    np.testing.assert_allclose(relative_reward(0.5, np.array(after)), rewards, atol=1e-12)


@given(st.integers(0, 1000).map(lambda error: error / 1000), ERRORS)
def test_relative_rewards_order_the_candidates_and_lie_in_the_unit_range(
    before: float, after: NDArray[np.float64]
) -> None:
    rewards = relative_reward(before, after)
    assert (np.abs(rewards) <= 1).all()
    assert rewards[np.argmin(after)] == (1 if after.min() < before else 0)
    assert (np.diff(rewards[np.argsort(after)]) <= 0).all()


def test_rmse_reward_is_the_drop_itself() -> None:
    np.testing.assert_allclose(rmse_reward(0.5, np.array([0.4, 0.5, 0.7])), [0.1, 0, -0.2])


def test_log_rewards_of_an_episode_sum_to_how_many_times_smaller_the_error_became() -> None:
    errors = [0.5, 0.25, 0.3, 0.05]
    rewards = [log_reward(errors[k], np.array([errors[k + 1]]))[0] for k in range(3)]
    assert rewards[0] == pytest.approx(log(2))
    assert sum(rewards) == pytest.approx(log(10))
    assert log_reward(0.5, np.array([0.0]))[0] == pytest.approx(log(500))
    assert log_reward(0.0, np.array([0.0]))[0] == 0


def test_an_unknown_reward_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown reward 'sad'; choose from \['rmse', 'log', 'relative'\]"):
        find_reward("sad")
