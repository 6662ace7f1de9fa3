"""Environments for worker processes."""

from typing import Any

import cv2
import gymnasium
import numba

REGIONS = "active_matting.envs:ActiveMatting/Regions-v0"
"""What `gymnasium.make` takes in any process."""


def make_worker(arguments: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """`ActiveMatting/Regions-v0` with these arguments, in a process that shares the machine with others like it."""
    one_thread()
    return gymnasium.make(REGIONS, **arguments)


def one_thread() -> None:
    """Let this process compute on one thread: as many workers as cores are faster than each using all of them."""
    numba.set_num_threads(1)
    cv2.setNumThreads(1)
