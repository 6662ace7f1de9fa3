"""Tasks shared out to processes of one thread each."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from tqdm.auto import tqdm

from active_matting.errors import WorkerLostError
from active_matting.threads import one_thread

Result = TypeVar("Result")


def run_with_bar(run: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], workers: int, what: str) -> list[Result]:
    """What `run_all` yields, as a list, with a progress bar that is headed `what`."""
    return list(tqdm(run_all(run, tasks, workers), total=len(tasks), desc=what, unit="image"))


def run_all(run: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], workers: int) -> Iterator[Result]:
    """What `run` returns for each task's arguments, in their order, from so many processes of one thread each.

    workers: 1 runs them here. `run` and all arguments must be picklable. Processes end when this one does, however that
    happens. Raises what `run` raises, and `WorkerLostError` where a process was ended from outside.
    """
    if workers == 1 or not tasks:
        yield from (run(*task) for task in tasks)
        return
    # "spawn", as threads of ours may run already, and a forked process would inherit their locks.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin) as pool:
        try:
            yield from pool.map(run, *zip(*tasks, strict=True))
        except BrokenProcessPool as error:
            raise WorkerLostError(
                f"one of {workers} processes was ended from outside, perhaps for want of memory; try fewer workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


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
