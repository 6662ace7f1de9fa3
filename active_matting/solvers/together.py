"""Many label maps or images at once: what may be said next, and the solves of a batch of environments.

A prepared solver that has a faster way than one image per thread offers it as a static method `solve_together(prepared,
label_maps)`, which takes and returns what the function here does but raises; see `PreparedTorch`. One whose mattes
depend on the ones before, as a network that is shown them, says so by an attribute `remembers` that is true: `solve` is
then always given the matte before, and `solve_many`, which cannot be, is not asked.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from active_matting.compiled import thread_count, threads_at_most
from active_matting.solvers.base import Matte, PreparedSolver

Made = TypeVar("Made")

Alphas: TypeAlias = NDArray[np.float32]


def remembers(prepared: PreparedSolver) -> bool:
    """Whether its mattes depend on the ones before."""
    return bool(getattr(prepared, "remembers", False))


def solve_next(prepared: PreparedSolver, label_maps: NDArray[np.int8], previous: Matte | None) -> Alphas:
    """Alphas, float32 `(N, H, W)`, of label maps, int8 `(N, H, W)`, each of which could come after `previous`."""
    if not remembers(prepared):
        return prepared.solve_many(label_maps)
    return np.stack([prepared.solve(label_map, previous).alpha for label_map in label_maps])


def solve_together(
    prepared: Sequence[PreparedSolver],
    label_maps: Sequence[NDArray[np.int8]],
    previous: Sequence[Matte | None] | None = None,
) -> list[Alphas | Exception]:
    """Alphas, float32 `(N_i, H, W)`, of label maps, int8 `(N_i, H, W)`, N_i ≥ 1, one array for each prepared image.

    The images are of one solver and size; previous: the newest matte of each, if any. Where solving one fails, its
    exception takes the place of its alphas.
    """
    together = getattr(type(prepared[0]), "solve_together", None) if len(prepared) > 1 else None
    if together is not None:
        with suppress(Exception):  # one image's fault must not be the others': each alone, below, shows whose it is
            return list(together(prepared, label_maps))
    each = zip(prepared, label_maps, previous or [None] * len(prepared), strict=True)
    return in_threads([partial(solve_next, one, maps, before) for one, maps, before in each])


def in_threads(jobs: Sequence[Callable[[], Made]]) -> list[Made | Exception]:
    """What each job returns or raises; several run at once, each on one thread, a lone one may use all."""

    def run(job: Callable[[], Made]) -> Made | Exception:
        try:
            return job()
        except Exception as error:  # whatever a plug-in raises is the caller's to tell
            return error

    def run_on_one_thread(job: Callable[[], Made]) -> Made | Exception:
        with threads_at_most(1):
            return run(job)

    workers = min(thread_count(), len(jobs))
    if workers <= 1:
        return [run(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run_on_one_thread, jobs))
