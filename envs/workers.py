"""Environments for worker processes."""

from typing import Any

import cv2
import gymnasium
import numba


def make_worker(arguments: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """`ActiveMatting/Regions-v0` with these arguments, in a process that shares the machine with others like it.

    One thread each: as many workers as there are cores are faster than each using all of them.
    """
    numba.set_num_threads(1)
    cv2.setNumThreads(1)
    return gymnasium.make("active_matting.envs:ActiveMatting/Regions-v0", **arguments)
