"""One session, two threads: what a person says comes in at once, while a worker solves for what was said before."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import threadpoolctl
from numpy.typing import NDArray

from active_matting.solvers.base import Matte, PreparedSolver
from active_matting.types import LabelMap


class SupersededError(Exception):
    """What was computed is of an older state than the present one; nobody needs it any more."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within it the process's linear algebra is done by the thread that asks for it.

    A solver's products are small. Shared between threads they wait for each other where other work keeps the cores
    busy, as a notebook may: `segment-then-matte` took three times as long.
    """
    with _pools().limit(limits=1, user_api="blas"):
        yield


@cache
def _pools() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()  # looks through all loaded libraries, which takes a while


class Guard:
    """A lock that is never held for long, and a post box for those who must not wait for it.

    handle: is given every message that was posted, one at a time, in order, with the lock held: by the thread that
    posts it where the lock is free, else by the one that lets it go. So `post` returns soon, and nothing is lost.
    """

    def __init__(self, handle: Callable[[Any], None]) -> None:
        self.version = 0
        """Of what is guarded; to be raised, with the lock held, by whoever changes it."""
        self.worker: int | None = None
        """The thread whose solves let others in; other threads hold on to what they have."""
        self._handle = handle
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._posted: deque[Any] = deque()

    @property
    def is_workers(self) -> bool:
        """Whether the calling thread is the worker, and holds the lock."""
        return self._owner == threading.get_ident() == self.worker

    def post(self, message: Any) -> None:
        """Have a message handled, now or as soon as the lock is free."""
        self._posted.append(message)
        self._deliver()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within it the calling thread alone may touch what is guarded; whose turn it was not has been waited for."""
        self._take()
        try:
            yield
        finally:
            self._release()
            self._deliver()

    @contextmanager
    def let_go(self) -> Iterator[None]:
        """Within `held`: let others in while something is computed that touches nothing guarded.

        Raises `SupersededError` at its end where the version is another by then, instead of what was raised inside.
        """
        version = self.version
        self._release()
        try:
            self._deliver()
            yield
        finally:
            self._take()
            if self.version != version:
                raise SupersededError

    def _deliver(self) -> None:
        # Whoever fails to get the lock may leave: its holder looks again after letting it go.
        while self._posted and self._lock.acquire(blocking=False):
            self._owner = threading.get_ident()
            try:
                while self._posted:
                    self._handle(self._posted.popleft())
            finally:
                self._release()

    def _take(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()

    def _release(self) -> None:
        self._owner = None
        self._lock.release()


class LettingGo:
    """A prepared solver that lets go of the session while it solves for the worker.

    `QuerySession.matte` writes what it gets into its own state after the solve, so that what is superseded must be
    raised, not returned.
    """

    def __init__(self, prepared: PreparedSolver, guard: Guard) -> None:
        self._prepared = prepared
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prepared, name)  # `remembers`, and what a solver may have of its own

    @property
    def shape(self) -> tuple[int, int]:
        return self._prepared.shape

    def solve(self, label_map: LabelMap, previous: Matte | None = None) -> Matte:
        if not self._guard.is_workers:
            return self._prepared.solve(label_map, previous)
        with self._guard.let_go(), one_blas_thread():
            return self._prepared.solve(label_map, previous)

    def solve_many(self, label_maps: NDArray[Any]) -> NDArray[Any]:
        return self._prepared.solve_many(label_maps)
