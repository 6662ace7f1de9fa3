"""What goes out to a face, and what is kept of it for a face that comes later."""

import logging
from collections.abc import Callable
from typing import Any, TypeAlias

from active_matting.errors import ActiveMattingError

Emit: TypeAlias = Callable[[dict[str, Any], list[bytes]], None]

_log = logging.getLogger(__name__)


class Events:
    """Sends events, each a dict with its kind and buffers; the newest of every picture is sent again on demand."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._pictures: dict[str, bytes] = {}

    def send(self, kind: str, *buffers: bytes, **content: Any) -> None:
        """Send an event."""
        self._emit({"event": kind, **content}, list(buffers))

    def show(self, kind: str, png: bytes) -> None:
        """Send a picture, and keep it."""
        self._pictures[kind] = png
        self.send(kind, png)

    def show_again(self, **missing: Callable[[], bytes]) -> None:
        """Send all pictures once more, and those that are `missing`, made by what is given for them."""
        for kind, make in missing.items():
            if kind not in self._pictures:
                self._pictures[kind] = make()
        for kind, png in sorted(self._pictures.items(), key=lambda each: each[0] != "image"):
            self.send(kind, png)

    def tell(self, error: Exception, doing: str) -> None:
        """Send an error in words: ours as they are, since they say what is allowed; others with their kind."""
        _log.info("%s failed", doing, exc_info=error)
        told = " ".join(str(error).split())
        is_ours = isinstance(error, ActiveMattingError)
        self.send("error", text=told if is_ours else f"{doing} failed ({type(error).__name__}): {told}")
