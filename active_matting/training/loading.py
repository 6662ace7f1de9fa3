"""Batches in the order of the schedule, loaded ahead by other processes or, without any, when they are due."""

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from active_matting.errors import ActiveMattingError
from active_matting.threads import one_thread
from active_matting.training.schedule import Lesson, Schedule
from active_matting.training.task import Task

AHEAD = 3
"""Batches per process that are loaded, or being loaded, before they are asked for."""

_tasks: Mapping[str, Task] = {}


def lessons(tasks: Mapping[str, Task], schedule: Schedule, done: int, workers: int) -> Generator[tuple[Lesson, Any]]:
    """The lessons from batch `done` on, each with what its task loads for it. Close it to end the processes.

    The items do not depend on the number of `workers`. Raises what loading raises, when that batch is due;
    `ActiveMattingError` when a process is killed.
    """
    ahead = (schedule.lesson(batch) for batch in range(done, schedule.batches))
    if workers == 0:
        for lesson in ahead:
            yield lesson, tasks[lesson.task].load(lesson.number)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start, initargs=(tasks,))
    waiting: deque[tuple[Lesson, Future[Any]]] = deque()
    try:
        for lesson in ahead:
            waiting.append((lesson, pool.submit(_load, lesson.task, lesson.number)))
            if len(waiting) >= AHEAD * workers:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(lesson: Lesson, item: "Future[Any]") -> tuple[Lesson, Any]:
    try:
        return lesson, item.result()
    except BrokenProcessPool as error:
        raise ActiveMattingError(
            "a process that loads batches was killed, perhaps for its memory: fewer workers need less"
        ) from error


def _start(tasks: Mapping[str, Task]) -> None:
    """What a worker process does first."""
    global _tasks
    _tasks = tasks
    one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the trainer ends its workers


def _end_with_parent() -> None:
    """A worker whose parent is killed would wait for its next batch for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _load(task: str, index: int) -> Any:
    return _tasks[task].load(index)
