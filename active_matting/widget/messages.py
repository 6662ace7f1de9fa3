"""What a face may ask of a session, checked where it comes in."""

from collections.abc import Callable, Mapping
from typing import Any

from active_matting.errors import InvalidArgumentError
from active_matting.session import QuerySession
from active_matting.types import Label

_MOST_POINTS = 10_000


def _click(session: QuerySession, message: Mapping[str, Any]) -> None:
    y, x = _point((message["y"], message["x"]), session.shape)
    session.click(y, x, _radius(message), label_of(message))


def _stroke(session: QuerySession, message: Mapping[str, Any]) -> None:
    points = [_point(point, session.shape) for point in message["points"][:_MOST_POINTS]]
    session.stroke(points, _radius(message), label_of(message))


CHANGES: dict[str, Callable[[QuerySession, Mapping[str, Any]], None]] = {
    "click": _click,
    "stroke": _stroke,
    "undo": lambda session, message: session.undo(),
    "redo": lambda session, message: session.redo(),
}
"""What changes a session without regard to what is asked, by the message's "do"."""


def label_of(message: Mapping[str, Any]) -> Label:
    """The label that the message names in lower case, or "mixed" for transition. Raises `InvalidArgumentError`."""
    name = str(message["label"]).upper()
    if name == "MIXED":
        return Label.TRANSITION
    try:
        return Label[name]
    except KeyError:
        allowed = [*(label.name.lower() for label in Label), "mixed"]
        raise InvalidArgumentError(f"unknown label {message['label']!r}; choose from {allowed}") from None


def _radius(message: Mapping[str, Any]) -> int:
    return int(message["radius"])


def _point(point: Any, shape: tuple[int, int]) -> tuple[int, int]:
    """The point, in whole pixels; a stroke may leave the image, though not by far."""
    y, x = (min(max(round(float(place)), -extent), 2 * extent) for place, extent in zip(point, shape, strict=True))
    return y, x
