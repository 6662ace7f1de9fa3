"""Rewards of the candidates of one query, from their drops in RMSE. To add one: a function and a line."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import UnknownNameError


def rmse_reward(drops: NDArray[np.float64]) -> NDArray[np.float64]:
    """The drop in RMSE itself, `(S,)`; negative where the answer did harm."""
    return drops.copy()


def relative_reward(drops: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each drop as a part of the largest one (Active Matting, eq. 7), `(S,)` in [-1, 1].

    The best candidate gets 1. When none lowers the RMSE the least harmful gets 0, and each other one how much
    more harm it does, as a part of the greatest harm.

    >>> relative_reward(np.array([0.02, 0.01])).tolist()
    [1.0, 0.5]
    >>> relative_reward(np.array([-0.01, -0.02])).tolist()
    [0.0, -0.5]
    """
    best = drops.max()
    if best > 0:
        return np.asarray(np.maximum(drops / best, -1))
    worst = drops.min()
    if worst == 0:
        return np.zeros_like(drops)
    return np.asarray((drops - best) / -worst)


Reward = Callable[[NDArray[np.float64]], NDArray[np.float64]]

REWARDS: dict[str, Reward] = {"rmse": rmse_reward, "relative": relative_reward}


def find_reward(name: str) -> Reward:
    """The reward called `name`. Raises `UnknownNameError`."""
    if name not in REWARDS:
        raise UnknownNameError(f"unknown reward {name!r}; choose from {list(REWARDS)}")
    return REWARDS[name]
