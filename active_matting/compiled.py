"""Numba kernels of this package: where their compiled code is kept, and when it is compiled anew.

Kernels take `njit` from here, as `@njit(cache=True, nogil=True)`. Two things differ from numba's own. Compiled code is
stale when any file of this package changes that the kernel's file imports, however indirectly: numba looks at the
kernel's own file alone, though it compiles what is called, and constants, into the caller. And importing works where
numba finds no place to keep anything, as in a container whose disk is read-only.

Importing this module, before the first of pymatting's kernels is decorated, is enough for those as well. Numba keeps
compiled code in `NUMBA_CACHE_DIR`, else in `__pycache__` beside the sources, else in the user's cache folder. Where
none can be written to, this names a folder of the user's own under the system's temporary one, for child processes
too, and says so in the log.
"""

import atexit
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.misc.appdirs import AppDirs
from numba.np.ufunc import parallel

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_config: Any = numba.config

_ROOT = Path(__file__).parent
_IMPORT = re.compile(r"^(?:from|import) active_matting\.([\w.]+)", re.MULTILINE)

_folders: set[Path] = set()

_everywhere: dict[str, int] = {}
_here = threading.local()


def njit(*, cache: bool, **options: Any) -> Callable[[Kernel], Kernel]:
    """As `numba.njit(cache=cache, ...)`, but see above."""

    def decorate(function: Kernel) -> Kernel:
        kernel: Any = numba.njit(**options)(function)
        if cache and not _config.DISABLE_JIT:
            with suppress(RuntimeError):  # nowhere at all can be written to: each process compiles for itself
                kernel._cache = _StampedCache(function)
                _folders.add(Path(kernel._cache.cache_path))
        return cast(Kernel, kernel)

    return decorate


def thread_count() -> int:
    """How many threads the caller may use, by numba's setting and by those below; without starting any.

    `numba.get_num_threads` starts numba's own, that nothing here runs on and that no fork survives.
    """
    count = int(numba.get_num_threads() if parallel._is_initialized else _config.NUMBA_NUM_THREADS)
    return min(count, _everywhere.get("threads", count), getattr(_here, "threads", count))


def set_thread_count(count: int) -> None:
    """Let this process's kernels, numba's own parallel ones too, use so many threads; without starting any."""
    _everywhere["threads"] = count  # numba's own setting, once it has threads, is the calling thread's
    if parallel._is_initialized:
        numba.set_num_threads(min(count, _config.NUMBA_NUM_THREADS))
    else:
        _config.NUMBA_NUM_THREADS = count


@contextmanager
def threads_at_most(count: int) -> Iterator[None]:
    """Within it, in the thread that enters it, `thread_count` is no more than `count`."""
    before = getattr(_here, "threads", None)
    _here.threads = count if before is None else min(count, before)
    try:
        yield
    finally:
        if before is None:
            del _here.threads
        else:
            _here.threads = before


def cache_folders() -> list[Path]:
    """The folders in which the compiled code of all kernels that were imported so far is kept."""
    return sorted(_folders)


def source_stamp(path: Path) -> str:
    """A hash of the file and of all files of this package that it imports, directly or not."""
    found, waiting = set[Path](), [path]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += _read(source)[1]
    digest = hashlib.sha256()
    for source in sorted(found):
        digest.update(_read(source)[0])
    return digest.hexdigest()


class _StampedCache(FunctionCache):
    """Numba's cache of one function, with this module's notion of what is stale."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        stamp = source_stamp(Path(function.__code__.co_filename))
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)


@cache
def _read(path: Path) -> tuple[bytes, list[Path]]:
    """A source's hash, and which files of this package it imports by lines of their own."""
    content = path.read_bytes()
    modules = [_ROOT.joinpath(*name.split(".")) for name in _IMPORT.findall(content.decode())]
    files = [module / "__init__.py" if module.is_dir() else module.with_suffix(".py") for module in modules]
    return hashlib.sha256(content).digest(), [file for file in files if file.exists()]


def _make_sure_of_a_folder() -> None:
    """Name a folder to numba where it would find none that can be written to."""
    users_own = AppDirs(appname="numba", appauthor=False).user_cache_dir
    if _config.CACHE_DIR and _is_writable(Path(_config.CACHE_DIR)):
        return
    if all(_is_writable(folder) for folder in _beside_sources()) or _is_writable(Path(users_own)):
        return
    try:
        chosen = _private_folder()
    except OSError:
        return
    _config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(chosen)
    logging.getLogger(__name__).warning(
        "compiled code is kept in %s: neither %s nor %s can be written to; NUMBA_CACHE_DIR names another place",
        *(chosen, _ROOT, users_own),
    )


def _beside_sources() -> list[Path]:
    pymatting = find_spec("pymatting")
    theirs = [Path(place) for place in (pymatting and pymatting.submodule_search_locations) or ()]
    folders = [_ROOT / "solvers", _ROOT / "segmenters", *(place / "util" for place in theirs)]
    return [folder / "__pycache__" for folder in folders]


def _is_writable(folder: Path, mode: int = 0o777) -> bool:
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _private_folder() -> Path:
    """A folder that nobody else can write to, as cached code is run: one for all of a user's processes where it can be.

    Raises `OSError` where there is no place for temporary files.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"active-matting-{user}"
    if _is_writable(folder, mode=0o700):
        status = folder.lstat()
        is_ours = os.name == "nt" or (status.st_uid == user and not status.st_mode & 0o077)
        if stat.S_ISDIR(status.st_mode) and is_ours:  # and no link
            return folder
    folder = Path(tempfile.mkdtemp(prefix="active-matting-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_make_sure_of_a_folder()
