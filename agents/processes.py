"""Tasks shared out to processes of one thread each."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, Protocol, TypeVar

from tqdm.auto import tqdm

from active_matting.errors import WorkerLostError
from active_matting.threads import one_thread

Result = TypeVar("Result")


class RunAll(Protocol):
    """What `processes` gives."""

    def __call__(self, run: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], what: str, /) -> list[Result]: ...


@contextmanager
def processes(workers: int) -> Iterator[RunAll]:
    """Give a function of `run`, tasks and a heading for the progress bar.

    It returns what `run` returns for each task's arguments, in their order, from so many processes of one thread each;
    with one worker it runs them here. `run` and all arguments must be picklable. The processes begin with the first
    tasks and end with the block, or when this process does, however that happens. Raises what `run` raises, and
    `WorkerLostError` where a process was ended from outside.
    """
    if workers == 1:
        yield lambda run, tasks, what: _with_bar((run(*task) for task in tasks), len(tasks), what)
        return
    # "spawn", as threads of ours may run already, and a forked process would inherit their locks.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin) as pool:
        try:
            yield lambda run, tasks, what: _with_bar(pool.map(run, *zip(*tasks, strict=True)), len(tasks), what)
        except BrokenProcessPool as error:
            raise WorkerLostError(
                f"one of {workers} processes was ended from outside, perhaps for want of memory; try fewer workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_all(
    run: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], workers: int, what: str = "running"
) -> list[Result]:
    """What `run` returns for each task's arguments; see `processes`."""
    with processes(workers) as run_with:
        return run_with(run, tasks, what)


def _with_bar(results: Iterator[Result], count: int, what: str) -> list[Result]:
    return list(tqdm(results, total=count, desc=what, unit="image"))


def _begin() -> None:
    import torch  # noqa: F401  (what is loaded later would keep its threads)

    one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for tasks forever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
