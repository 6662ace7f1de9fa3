"""How many threads a process computes on, told to all who compute."""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import threadpoolctl

from active_matting.compiled import set_thread_count, thread_count


def limit_threads(threads: int | None) -> None:
    """Let this process compute on so many threads; None leaves it as it is, but means one in a child process.

    As many workers as cores are faster than each using all of them. Child processes are those that Python's
    `multiprocessing` started, as Gymnasium's and Stable-Baselines3's vectorised environments do.
    """
    if threads is None:
        if multiprocessing.parent_process() is None:
            return
        threads = 1
    set_thread_count(threads)
    cv2.setNumThreads(threads)
    threadpoolctl.threadpool_limits(threads)
    torch = sys.modules.get("torch")
    if torch is not None:  # and if it is not loaded nothing here uses it
        torch.set_num_threads(threads)


def one_thread() -> None:
    """Let this process compute on one thread."""
    limit_threads(1)


@contextmanager
def torch_threads() -> Iterator[None]:
    """Let torch use no more threads here than `thread_count` says.

    The number belongs to the calling thread, which gets its own back; others are not held up.
    """
    import torch

    before, count = torch.get_num_threads(), thread_count()
    if count >= before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
