"""A source that knows its samples by their files: what all readers of folders are made of."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from active_matting.cache import hash_of_file, make_key
from active_matting.data.entries import Entry, Matte, Pair
from active_matting.data.images import SUFFIXES
from active_matting.data.samples import Sample
from active_matting.errors import FileError, InvalidArgumentError

MISSING = ("raise", "skip")

_log = logging.getLogger(__name__)


class Listed(ABC):
    """A `DataSource` whose samples are listed when it is made and read when they are asked for.

    A reader is a frozen dataclass of this with `path`, options, `missing`, and `list_entries`, which says where things
    lie. missing: where files of samples do not exist, "raise" one `FileError` that counts and names them; or log that
    as one warning and "skip" those samples. Either way a folder that is not there, or a source without a sample, is a
    `FileError`; and a file that cannot be read, or sizes that differ, are one when that sample is asked for.
    """

    path: str
    missing: str
    entries: tuple[Entry, ...]
    """The samples there are, in order."""
    left_out: tuple[Entry, ...]
    """The samples that lack files."""
    lacking: tuple[str, ...]
    """Files that samples lack, by their paths below `path`; `.*` stands for the suffix of any picture."""

    @abstractmethod
    def list_entries(self, root: Path) -> Iterable[Entry]:
        """All samples there should be. Raises `FileError` where the layout below `root` is another."""

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | Path):
            raise InvalidArgumentError(f"path must be a path, got {self.path!r}")
        one_of("missing", self.missing, MISSING)
        root = Path(self.path)
        entries = tuple(self.list_entries(root))
        files = {file for entry in entries for file in entry.files}
        lost = {file for file in files if not file.exists()}
        whole = tuple(entry for entry in entries if lost.isdisjoint(entry.files))
        left_out = tuple(entry for entry in entries if not lost.isdisjoint(entry.files))
        lacking = tuple(sorted(_below(file, root) for file in lost))
        for name, value in (("entries", whole), ("left_out", left_out), ("lacking", lacking)):
            object.__setattr__(self, name, value)
        if lost:
            words = f"{len(left_out)} of {len(entries)} samples in {root} lack files: {named(lacking)}"
            if self.missing == "raise" or not whole:
                raise FileError(words)
            _log.warning("%s; they are left out", words)
        if not whole:
            raise FileError(f"{root} holds no samples")

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Sample:
        return self.entries[index].read()

    def fingerprint(self, index: int) -> str:
        """Of the name, which tells the object where a picture has several, and of the files' bytes.

        See `FingerprintedSource`.
        """
        entry = self.entries[index]
        return make_key(name=entry.name, files=[hash_of_file(path) for path in entry.files])

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))


def pairs(
    images: Path, alphas: Path, trimaps: Path | None = None, prefix: str = "", only_of_images: bool = False
) -> list[Entry]:
    """The pictures of two folders, or three, by their names without suffix, sorted; names get `prefix`.

    An alpha without an image is a sample that lacks its image, unless `only_of_images`. Raises `FileError`.
    """
    image_of, alpha_of = by_stem(images), by_stem(alphas)
    trimap_of = {} if trimaps is None else by_stem(trimaps)
    stems = image_of.keys() if only_of_images else image_of.keys() | alpha_of.keys()
    if not stems:
        raise FileError(f"{images} holds no pictures ({', '.join(SUFFIXES)})")
    return [
        Pair(
            prefix + stem,
            image_of.get(stem, images / f"{stem}.*"),
            Matte(alpha_of.get(stem, alphas / f"{stem}.*")),
            None if trimaps is None else trimap_of.get(stem, trimaps / f"{stem}.*"),
        )
        for stem in sorted(stems)
    ]


def by_stem(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names without suffix, sorted. Raises `FileError`, also for two of a name."""
    found: dict[str, Path] = {}
    for path in picture_files(existing_folder(folder)):
        if found.setdefault(path.stem, path) != path:
            raise FileError(f"{folder} holds both {found[path.stem].name} and {path.name}; it must hold one of them")
    return found


def picture_files(folder: Path) -> list[Path]:
    """The pictures lying in `folder`, by name; hidden files and other suffixes are passed over."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def pictures_below(folder: Path | str) -> list[Path]:
    """The pictures in `folder` and, after its own, in its subfolders, by folder and name. Raises `FileError`."""
    folder = existing_folder(folder)
    inner = sorted(path for path in folder.rglob("*") if path.is_dir())
    return [path for each in (folder, *inner) for path in picture_files(each)]


def existing_folder(path: Path | str) -> Path:
    """`path`. Raises `FileError` where it does not exist or is none."""
    path = Path(path)
    if not path.is_dir():
        raise FileError(f"{path} {'is not a folder' if path.exists() else 'does not exist'}")
    return path


def first_folder(root: Path, *names: str) -> Path:
    """The first of these that is a folder below `root`. Raises `FileError`."""
    for name in names:
        if (existing_folder(root) / name).is_dir():
            return root / name
    raise FileError(f"{root} must have a folder {' or '.join(names)}")


def read_lines(path: Path) -> list[str]:
    """The lines of a list that are not empty. Raises `FileError`."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise FileError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error


def one_of(name: str, value: str, choices: Iterable[str]) -> str:
    """`value`. Raises `InvalidArgumentError` unless it is among the choices."""
    if value not in choices:
        raise InvalidArgumentError(f"{name} must be one of {list(choices)}, got {value!r}")
    return value


def share_of_image(smallest: float) -> float:
    """`smallest`, the share of its image below which an object is left out. Raises `InvalidArgumentError`."""
    if isinstance(smallest, bool) or not isinstance(smallest, int | float) or not 0 <= smallest < 1:
        raise InvalidArgumentError(f"smallest must be a share of the image, from 0 to below 1, got {smallest!r}")
    return smallest


def named(names: Iterable[str], at_most: int = 3) -> str:
    """The first few names, and how many more there are.

    >>> named(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    names = list(names)
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def _below(file: Path, root: Path) -> str:
    base = root if root.is_dir() else root.parent
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else str(file)
