"""Environments in processes that share the machine.

Every start method works: "spawn", "forkserver" and "fork", this one as long as no other thread computes meanwhile.
"""

import os
from typing import Any

import cv2
import gymnasium

REGIONS = "active_matting:ActiveMatting/Regions-v0"
"""What `gymnasium.make` takes in any process."""


def make_worker(arguments: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """`ActiveMatting/Regions-v0` with these arguments; in a worker process it computes on one thread.

    Vectorised environments make one in the main process too, to look at its spaces: that one keeps its threads.
    """
    return gymnasium.make(REGIONS, **arguments)


class _ThreadsOfOpenCV:
    """Stops OpenCV's threads where this process forks, and lets it start them anew on either side.

    In a forked process they do not exist, and `cv2.setNumThreads` would wait for them forever.
    """

    count = 1

    def stop(self) -> None:
        self.count = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def allow(self) -> None:
        cv2.setNumThreads(self.count)


if hasattr(os, "register_at_fork"):
    _opencv = _ThreadsOfOpenCV()
    os.register_at_fork(before=_opencv.stop, after_in_parent=_opencv.allow, after_in_child=_opencv.allow)
