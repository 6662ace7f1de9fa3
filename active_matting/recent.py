"""What was used of late, in memory, as much of it as is allowed; what is to outlive the process is `cache`'s."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any


class Recent:
    """The most recently used things of at most `limit` bytes together; a copy for another process begins empty.

    Threads may share it; two that miss the same thing both make it.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes, self._lock = limit, 0, Lock()
        self._things: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return Recent, (self._limit,)

    def get(self, key: Hashable, make: Callable[[], Any], bytes_of: Callable[[Any], int]) -> Any:
        """The thing of this key, or what `make` makes, which takes `bytes_of` it."""
        with self._lock:
            if key in self._things:
                self._things.move_to_end(key)
                return self._things[key][0]
        thing = make()
        with self._lock:
            self._bytes += bytes_of(thing) - self._things.pop(key, (None, 0))[1]
            self._things[key] = thing, bytes_of(thing)
            while self._bytes > self._limit:
                self._bytes -= self._things.popitem(last=False)[1][1]
        return thing
