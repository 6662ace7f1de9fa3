"""Being asked to stop, by Ctrl-C, by the system or by the clock, without being torn out of an update."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from active_matting.errors import InvalidArgumentError


def check_minutes(minutes: float | None) -> None:
    """Raises `InvalidArgumentError` unless it is None or at least 0, before anything is made or written."""
    if minutes is not None and not minutes >= 0:
        raise InvalidArgumentError(f"minutes must be at least 0, or None, got {minutes}")


class TimeLimit:
    """From when it is made on, so many minutes, or None for any time. Raises `InvalidArgumentError`."""

    def __init__(self, minutes: float | None) -> None:
        check_minutes(minutes)
        self._minutes, self._started = minutes, time.monotonic()

    def is_over(self) -> bool:
        """Whether so much time has gone by."""
        return self._minutes is not None and time.monotonic() - self._started >= 60 * self._minutes


class Interrupts:
    """Within it the first SIGINT or SIGTERM only makes `came` true; a second SIGINT interrupts as ever.

    In other threads than the main one it does nothing, as signals never come there.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.came and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.came = True
