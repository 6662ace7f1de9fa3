"""The widget for JupyterLab, Notebook 7, VS Code and Colab."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from active_matting.errors import MissingPackageError
from active_matting.session import QuerySession
from active_matting.types import Image
from active_matting.widget.controller import Controller, Message
from active_matting.widget.outputs import Outputs

try:
    import anywidget
except ImportError as error:
    raise MissingPackageError(
        "the widget needs anywidget; `pip install active-matting[notebook]`, or use `active-matting label photo.jpg`"
    ) from error

STATIC = Path(__file__).parent / "static"


class QueryWidget(anywidget.AnyWidget):
    """A session to look at, answer and draw into; the last line of a cell shows it.

    session: see `QuerySession`. folder: where what is exported goes. photograph: float32 `(H, W, 3)`, of which the
    session's image is the shrunk version; what is exported has its size.

    What is said there changes the session at once, and mattes are solved by a thread of its own; in other cells use

        with widget.idle() as session:
            session.alpha

    which waits for what is being computed.
    """

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"

    def __init__(self, session: QuerySession, folder: Path | str = ".", *, photograph: Image | None = None) -> None:
        super().__init__()
        self.controller = Controller(session, self._emit, outputs=Outputs.into(folder), photograph=photograph)
        self.on_msg(self._receive)

    def idle(self) -> AbstractContextManager[QuerySession]:
        """The session, as soon as nothing is being computed; see `Controller.idle`."""
        return self.controller.idle()

    def close(self) -> None:
        """Take the widget from where it is shown, and end its threads."""
        if hasattr(self, "controller"):
            self.controller.close()
        super().close()

    def _emit(self, event: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(event, buffers)

    def _receive(self, widget: Any, message: Message, buffers: Any) -> None:
        self.controller.receive(message)
