"""Writing files so that a name never stands for half a file."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from active_matting.errors import FileError


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; rename it to `path` when the block ends well.

    When the block fails nothing is left behind and `path` is as it was. Raises `FileError` where the system
    does not let us write.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def folder_written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary folder beside `path` to write into; rename it to `path` when the block ends well.

    When the block fails, or is interrupted, nothing is left behind; where the process is killed a hidden folder is,
    but not `path`. Raises `FileError` where `path` is there and anything but an empty folder, or the system does not
    let us write.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileError(f"{path} {'is not empty' if path.is_dir() else 'is not a folder'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            if path.exists():
                path.rmdir()  # not every system renames onto an empty folder
            os.rename(temporary, path)
        finally:
            if temporary.exists():
                shutil.rmtree(temporary)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as indented JSON. Raises `FileError`."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def set_aside(path: Path | str) -> None:
    """Rename what lies at `path`, if anything does, to the same name with a `~` behind it. Raises `FileError`."""
    path = Path(path)
    try:
        if path.exists():
            os.replace(path, path.with_name(f"{path.name}~"))
    except OSError as error:
        raise FileError(f"cannot set {path} aside: {error.strerror or error}") from error


def read_json(path: Path | str) -> Any:
    """Raises `FileError` where the file is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FileError(f"{path} is not a JSON file: {error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
