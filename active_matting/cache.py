"""Arrays kept on disk from one run to the next: what is expensive to make and depends on nothing but what its key says.

An entry is a file `KIND-SHA256.cache`: a checksum, then the arrays as safetensors, so that nothing is ever unpickled.
The checksum covers the name too. An entry that is cut off, altered, or renamed is not believed but made anew. Files
are written beside their place and renamed into it, so that a process killed half-way leaves at most a hidden file that
no key stands for; the next ones sweep it away after an hour. Many processes may use one folder: makers of the same
entry write the same, and the last one wins; who reads an entry that another removes has it open and reads it whole.
"""

import hashlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import written_whole

Arrays: TypeAlias = dict[str, NDArray[Any]]

FORMAT = 1
LIMIT = 2 * 1024**3
STALE = 3600.0
"""Seconds after which a half-written file has no writer any more."""

_ENTRY = re.compile(r"([a-z][a-z0-9-]*)-[0-9a-f]{64}\.cache")
_HALF = re.compile(r"\.[a-z0-9_]{8}\.cache")  # as `written_whole` names them
_MAGIC = f"active-matting cache {FORMAT}\n".encode()
_log = logging.getLogger(__name__)


class _Found(NamedTuple):
    path: Path
    kind: str  # "" for a half-written file
    size: int
    used: float  # seconds since 1970, when it was last read or written


class Cache:
    """A folder of arrays by key, of at most `limit_bytes`; the entries unused for longest make room.

    folder: made when it is first written to; None for `default_folder()`. What lies in it besides is left alone. Where
    the folder cannot be written to, or the disk is full, everything works without: that is logged, once.
    """

    def __init__(self, folder: Path | str | None = None, limit_bytes: int = LIMIT) -> None:
        if limit_bytes < 1:
            raise InvalidArgumentError(f"limit_bytes must be at least 1, got {limit_bytes}")
        self.folder = default_folder() if folder is None else Path(folder).absolute()
        self.limit_bytes = limit_bytes
        self._has_complained = False

    def arrays(self, kind: str, key: str, make: Callable[[], Arrays]) -> Arrays:
        """The arrays under this key; where there are none, what `make` returns, kept. See `get` and `put`."""
        known = self.get(kind, key)
        if known is None:
            known = make()
            self.put(kind, key, known)
        return known

    def get(self, kind: str, key: str) -> Arrays | None:
        """The arrays under this key, writable and the caller's own; None where there are none to be believed."""
        path = self._path(kind, key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._complain(f"cannot read {path}: {error.strerror or error}")
            return None
        arrays = _unpacked(path.name, content)
        if arrays is None:
            _log.warning("%s is damaged; it is made anew", path)
        with suppress(OSError):  # where one may only read, the entry's age stays
            path.unlink() if arrays is None else os.utime(path)
        return arrays

    def has(self, kind: str, key: str) -> bool:
        """Whether there is a file under this key; whether it is to be believed `get` tells."""
        return self._path(kind, key).exists()

    def put(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays of numbers or booleans of any shape.

        kind: what they are, in small letters, digits and hyphens; key: see `make_key`. What is larger than the limit is
        not kept. Raises `InvalidArgumentError`.
        """
        path = self._path(kind, key)
        content = _packed(path.name, arrays)
        if len(content) > self.limit_bytes:
            return
        try:
            with written_whole(path) as temporary, open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # before the name, also should the machine go down
        except FileError as error:
            self._complain(str(error))
        self._make_room()

    def clear(self) -> int:
        """Remove every entry and every half-written file; returns how many bytes they had."""
        return sum(found.size for found in self._files() if _remove(found.path))

    def size(self) -> int:
        """Bytes of all entries, and of what is half written."""
        return sum(found.size for found in self._files())

    def contents(self) -> dict[str, tuple[int, int]]:
        """How many entries there are of each kind, and of how many bytes together."""
        told: dict[str, tuple[int, int]] = {}
        for found in sorted(self._files()):
            if found.kind:
                count, size = told.get(found.kind, (0, 0))
                told[found.kind] = (count + 1, size + found.size)
        return told

    def _path(self, kind: str, key: str) -> Path:
        name = f"{kind}-{key}.cache"
        if not _ENTRY.fullmatch(name):
            raise InvalidArgumentError(f"an entry needs a kind such as 'sample' and a key of `make_key`, got {name!r}")
        return self.folder / name

    def _make_room(self) -> None:
        """Remove what writers left when they were killed, and the entries unused for longest, down to the limit."""
        files = sorted(self._files(), key=lambda found: found.used)
        left = sum(found.size for found in files)
        for found in files:
            is_stale = not found.kind and found.used < time.time() - STALE
            if (is_stale or (found.kind and left > self.limit_bytes)) and _remove(found.path):
                left -= found.size

    def _files(self) -> Iterator[_Found]:
        """All files of ours in the folder."""
        try:
            listed = list(os.scandir(self.folder))
        except OSError:
            return
        for entry in listed:
            is_entry = _ENTRY.fullmatch(entry.name)
            if is_entry or _HALF.fullmatch(entry.name):
                with suppress(OSError):  # another process has removed it
                    status = entry.stat(follow_symlinks=False)
                    yield _Found(Path(entry.path), is_entry[1] if is_entry else "", status.st_size, status.st_mtime)

    def _complain(self, what: str) -> None:
        if not self._has_complained:
            _log.warning("%s; going on without the cache", what)
        self._has_complained = True


def default_folder() -> Path:
    """`$ACTIVE_MATTING_CACHE`, else `active-matting` in the system's folder for a user's caches.

    Raises `FileError` where there is neither, as for a user without a home.
    """
    named = os.environ.get("ACTIVE_MATTING_CACHE")
    if named:
        return Path(named).absolute()
    variable, place = {
        "win32": ("LOCALAPPDATA", "~/AppData/Local"),
        "darwin": ("", "~/Library/Caches"),
    }.get(sys.platform, ("XDG_CACHE_HOME", "~/.cache"))
    try:
        return Path(os.environ.get(variable) or Path(place).expanduser()) / "active-matting"
    except RuntimeError as error:
        raise FileError(f"there is no place for a cache ({error}); name one in ACTIVE_MATTING_CACHE") from error


def make_key(**parts: Any) -> str:
    """The key of what depends on these JSON-able parts alone: a SHA-256 in hexadecimal. Raises `InvalidArgumentError`.

    >>> make_key(size=400, of="a") == make_key(of="a", size=400)
    True
    """
    try:
        text = json.dumps(parts, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"a key is made of what JSON can hold, got {parts!r}: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()


def hash_of_arrays(*arrays: NDArray[Any]) -> str:
    """A SHA-256, in hexadecimal, of the arrays' dtypes, shapes and values."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def hash_of_file(path: Path | str) -> str:
    """A SHA-256, in hexadecimal, of a file's bytes; remembered until its time or size changes. Raises `FileError`."""
    path = Path(path)
    try:
        status = path.stat()
        # A file written just now might change again within what its time can tell.
        if time.time() - status.st_mtime < 2:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        return _hash_of_file(path.absolute(), status.st_mtime_ns, status.st_size, status.st_ino)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error


@cache
def hash_of_code(*paths: Path) -> str:
    """A SHA-256, in hexadecimal, of files, and of all in folders but what Python compiles; read once."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.name} {hash_of_file(file)}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=100_000)
def _hash_of_file(path: Path, *_: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _packed(name: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    # safetensors writes the memory as it lies, whatever the strides say.
    body = save({key: np.asarray(array, order="C") for key, array in arrays.items()})
    return _MAGIC + hashlib.sha256(name.encode() + body).digest() + body


def _unpacked(name: str, content: bytes) -> Arrays | None:
    start = len(_MAGIC) + hashlib.sha256().digest_size
    body = content[start:]
    if content[:start] != _MAGIC + hashlib.sha256(name.encode() + body).digest():
        return None
    try:
        return load(body)
    except SafetensorError:  # whole, but of a later version
        return None


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
