"""Being asked to stop, by Ctrl-C or by the system, without being torn out of an update."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


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
