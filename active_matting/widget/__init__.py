"""The session's face: a widget in a notebook, or the same as a page of this machine's own.

`controller` is the part without any user interface, which solves beside the main thread and tells in events what to
show; `notebook` has `QueryWidget` for JupyterLab, Notebook 7, VS Code and Colab, on anywidget; `server` shows the same
in a browser without a notebook, as `active-matting label photo.jpg` does. What is seen is `static/widget.js`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from active_matting.widget.notebook import QueryWidget as QueryWidget

__all__ = ["QueryWidget"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # looked up when asked for, since anywidget need not be installed for the page
        return getattr(import_module("active_matting.widget.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
