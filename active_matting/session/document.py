"""A session as one file: of which image, by what solver and agent, and all that was said.

Format 2, JSON:

| key | holds |
|---|---|
| `image` | `path` (or null), `sha256` of the pixels in 8 bits, `file_sha256` of the file at `path` (or null), `shape` |
| `solver` | `name`, `kwargs`, `version`; null where no name stands for it |
| `agent` | the same and `seed`; null without an agent, or where it was not made by name |
| `region_size`, `budget`, `protocol` | the session's settings |
| `interactions`, `asked`, `timings` | what was said; whether the agent was asked before; seconds of person and solver |
| `undone` | the same three of what was taken back and can be said again |

Format 1 had `shape` in place of `image`, no solver, agent, timings, and nothing that was undone.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from active_matting.cache import hash_of_file
from active_matting.data.images import to_bytes
from active_matting.errors import FileError
from active_matting.files import read_json, write_json
from active_matting.labels import Interaction, interaction_from_json, interaction_to_json
from active_matting.session.history import Timing
from active_matting.types import Image

FORMAT = 2


@dataclass(frozen=True)
class Entry:
    """One interaction."""

    interaction: Interaction
    was_asked: bool
    timing: Timing


@dataclass(frozen=True)
class ImageReference:
    """Which image a session is of. sha256: of its pixels in 8 bits; None in format 1."""

    shape: tuple[int, int]
    sha256: str | None = None
    path: str | None = None
    file_sha256: str | None = None

    @classmethod
    def of(cls, image: Image, path: Path | str | None) -> "ImageReference":
        """path: where the image, or the photograph of which it is the shrunk version, lies, if anywhere."""
        file = None if path is None else Path(path).absolute()
        return cls(
            (image.shape[0], image.shape[1]),
            hash_of_pixels(image),
            None if file is None else str(file),
            hash_of_file(file) if file is not None and file.is_file() else None,
        )

    def check(self, image: Image, path: Path | str) -> None:
        """Raise `FileError` unless it is this image; `path` is the session's."""
        if self.shape != image.shape[:2]:
            raise FileError(f"{path} belongs to an image of shape {list(self.shape)}, got {image.shape[:2]}")
        if self.sha256 is not None and self.sha256 != (found := hash_of_pixels(image)):
            raise FileError(
                f"{path} belongs to another image of the same shape: SHA-256 of its pixels {self.sha256}, got {found}"
            )


@dataclass(frozen=True)
class SessionDocument:
    """What a session's file says; solver and agent as `solvers.describe` and `make_agent` tell them."""

    image: ImageReference
    settings: dict[str, Any]  # arguments of `QuerySession`
    said: Sequence[Entry]
    undone: Sequence[Entry] = ()
    solver: dict[str, Any] | None = None
    agent: dict[str, Any] | None = None

    def write(self, path: Path | str) -> None:
        """Write it to `path`, whole or not at all. Raises `FileError`."""
        content = {
            "format": FORMAT,
            "image": asdict(self.image),
            "solver": self.solver,
            "agent": self.agent,
            **self.settings,
            **_columns(self.said),
            "undone": _columns(self.undone),
        }
        write_json(path, content)

    @classmethod
    def read(cls, path: Path | str) -> "SessionDocument":
        """What `write` wrote, or format 1. Raises `FileError`."""
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") not in (1, FORMAT):
            raise FileError(f"{path} is not a session of format 1 or {FORMAT}")
        try:
            settings = {name: content[name] for name in ("region_size", "budget", "protocol")}
            if content["format"] == 1:
                content = {**content, "timings": [{} for _ in content["interactions"]]}
                return cls(ImageReference(_shape(content["shape"])), settings, _entries(content))
            reference = content["image"]
            image = ImageReference(**{**reference, "shape": _shape(reference["shape"])})
            said, undone = _entries(content), _entries(content["undone"])
            return cls(image, settings, said, undone, content["solver"], content["agent"])
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(f"{path} is not a whole session: {error}") from error


def hash_of_pixels(image: Image) -> str:
    """SHA-256, in hexadecimal, of an image's pixels in 8 bits, row by row."""
    return hashlib.sha256(to_bytes(image).tobytes()).hexdigest()


def json_able(value: Any) -> Any:
    """The value, or None where JSON cannot hold it."""
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return None


def _columns(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "interactions": [interaction_to_json(entry.interaction) for entry in entries],
        "asked": [entry.was_asked for entry in entries],
        "timings": [asdict(entry.timing) for entry in entries],
    }


def _entries(columns: dict[str, Any]) -> list[Entry]:
    rows = zip(columns["interactions"], columns["asked"], columns["timings"], strict=True)
    return [Entry(interaction_from_json(said), bool(asked), Timing(**timing)) for said, asked, timing in rows]


def _shape(value: Any) -> tuple[int, int]:
    height, width = value
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        raise ValueError(f"shape must be two positive numbers, got {value!r}")
    return height, width
