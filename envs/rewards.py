"""Rewards of the candidates of one query. To add one: a function and a line in `REWARDS`."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import UnknownNameError

Errors: TypeAlias = NDArray[np.float64]

Reward: TypeAlias = Callable[[float, Errors], Errors]
"""RMSE before the query, and after each candidate `(S,)` → the reward of each candidate `(S,)`."""


def rmse_reward(before: float, after: Errors) -> Errors:
    """The drop in RMSE; negative where the answer did harm."""
    return before - after


def log_reward(before: float, after: Errors) -> Errors:
    """The drop in the RMSE's logarithm: to halve a small error is worth as much as to halve a large one.

    Summed over an episode it is the logarithm of how many times smaller the error has become. An RMSE below 1e-3, less
    than what 8-bit alphas can tell, counts as 1e-3.
    """
    return np.asarray(np.log(max(before, 1e-3)) - np.log(np.maximum(after, 1e-3)))


def relative_reward(before: float, after: Errors) -> Errors:
    """Each drop as a part of the largest one (Active Matting, eq. 7), in [-1, 1].

    The best candidate gets 1. When none lowers the RMSE the least harmful gets 0, and each other one how much
    more harm it does, as a part of the greatest harm.

    >>> relative_reward(0.25, np.array([0.125, 0.1875])).tolist()
    [1.0, 0.5]
    >>> relative_reward(0.25, np.array([0.375, 0.5])).tolist()
    [0.0, -0.5]
    """
    drops = before - after
    best = drops.max()
    if best > 0:
        return np.asarray(np.maximum(drops / best, -1))
    worst = drops.min()
    if worst == 0:
        return np.zeros_like(drops)
    return np.asarray((drops - best) / -worst)


REWARDS: dict[str, Reward] = {"rmse": rmse_reward, "log": log_reward, "relative": relative_reward}


def find_reward(name: str) -> Reward:
    """The reward called `name`. Raises `UnknownNameError`."""
    if name not in REWARDS:
        raise UnknownNameError(f"unknown reward {name!r}; choose from {list(REWARDS)}")
    return REWARDS[name]
