"""Writing a rendered set to a folder: splits that `Folder` reads, what was asked for, a contact sheet."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from active_matting.checks import check_integer
from active_matting.data.images import read_alpha, read_image, to_bytes, write_alpha, write_image, write_picture
from active_matting.data.rendered import SPLITS, Rendered, family_names
from active_matting.data.scenes import resized
from active_matting.errors import InvalidArgumentError
from active_matting.files import folder_written_whole, write_json

CONTACT_SHEET, DESCRIPTION = "contact_sheet.png", "set.json"

_MOST_SHOWN = 40
_THUMBNAIL, _CAPTION, _PER_ROW = 128, 14, 5  # pixels, pixels, images with their alphas


@dataclass(frozen=True)
class RenderedSet:
    """What a set consists of.

    count: images in all, and `shares` of them in train, validation and test, summing to 1; a share above 0 is one image
    at least, one of 0 gives no folder. size: their side, pixels. families, backgrounds, seed: as `Rendered` has them;
    each split goes on with the families where the one before it stopped. alpha_bits: 8 or 16. with_parts: also the
    exact foregrounds and backgrounds. Raises `InvalidArgumentError`, `FileError`.
    """

    count: int = 100
    size: int = 400
    seed: int = 0
    families: str | Sequence[str] = "all"
    backgrounds: str | None = None
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    alpha_bits: int = 16
    with_parts: bool = False

    def __post_init__(self) -> None:
        if self.alpha_bits not in (8, 16):
            raise InvalidArgumentError(f"alpha_bits must be 8 or 16, got {self.alpha_bits!r}")
        split_counts(self.count, self.shares)
        self.sources()

    def sources(self) -> dict[str, dict[str, Any]]:
        """For each split that has images, the keywords with which `Rendered` makes them."""
        names = family_names(self.families)
        sources: dict[str, dict[str, Any]] = {}
        start = 0
        for split, count in split_counts(self.count, self.shares).items():
            turn = start % len(names)
            sources[split] = {
                "split": split,
                "count": count,
                "size": self.size,
                "seed": self.seed,
                "families": [*names[turn:], *names[:turn]],
                "backgrounds": None if self.backgrounds is None else str(self.backgrounds),
            }
            Rendered(**sources[split])  # what is wrong is said now
            start += count
        return sources


def split_counts(count: int, shares: Sequence[float]) -> dict[str, int]:
    """How many of `count` images each split gets, by largest remainder; those with none are left out.

    Raises `InvalidArgumentError`, also where there are fewer images than splits that are to have some.

    >>> split_counts(10, (0.8, 0.1, 0.1)), split_counts(4, (0.9, 0.1, 0)), split_counts(7, (0, 0, 1))
    ({'train': 8, 'validation': 1, 'test': 1}, {'train': 3, 'validation': 1}, {'test': 7})
    """
    check_integer("count", count, at_least=1)
    are_numbers = all(isinstance(share, int | float) for share in shares)
    parts = np.array(shares if are_numbers else [], dtype=np.float64)
    if parts.shape != (len(SPLITS),) or not np.all(parts >= 0) or abs(parts.sum() - 1) > 1e-6:
        raise InvalidArgumentError(f"shares must be three numbers of at least 0 that sum to 1, got {tuple(shares)}")
    if count < np.count_nonzero(parts):
        raise InvalidArgumentError(f"count must be at least one for each split that has a share, got {count}")
    exact = count * parts
    counts = np.floor(exact + 1e-9).astype(int)
    most_lacking = np.argsort(counts - exact, kind="stable")
    counts[most_lacking[: count - counts.sum()]] += 1
    for empty in np.flatnonzero((counts == 0) & (parts > 0)):
        counts[empty] += 1
        counts[np.argmax(counts)] -= 1
    return {split: int(number) for split, number in zip(SPLITS, counts, strict=True) if number}


def write_rendered_set(
    path: Path | str,
    asked: RenderedSet,
    workers: int = 1,
    progress: Callable[[Iterator[str], int], Iterator[str]] = lambda names, total: names,
) -> None:
    """Render a set into the folder `path`, which must be empty or new; it appears whole, or not at all.

    Each split's folder has `images/` and `alphas/`, where asked for `foregrounds/` and `backgrounds/`, as PNG; beside
    them lie set.json, with what was asked for and the keywords of `Rendered` that give each split again, and
    contact_sheet.png, with the first images, their alphas at their right. `workers` are processes; the files do not
    depend on how many. `progress` is given the images' names as they are finished, and how many there will be, and
    passes the names on.
    Raises `InvalidArgumentError`, `FileError`.
    """
    check_integer("workers", workers, at_least=1)
    sources = asked.sources()
    with folder_written_whole(path) as folder:
        for split in sources:
            for kind in ("images", "alphas", *(("foregrounds", "backgrounds") if asked.with_parts else ())):
                (folder / split / kind).mkdir(parents=True)
        tasks = [(kwargs, index) for kwargs in sources.values() for index in range(kwargs["count"])]
        write = partial(_write_one, folder, asked.alpha_bits, asked.with_parts)
        # closed before the folder is removed: a process that still writes would make it anew
        with closing(_run_all(write, tasks, workers)) as running:
            names = list(progress(running, len(tasks)))
        write_picture(folder / CONTACT_SHEET, contact_sheet(folder, names[:_MOST_SHOWN]))
        write_json(folder / DESCRIPTION, {"asked": asdict(asked), "splits": sources})


def contact_sheet(folder: Path, names: Sequence[str]) -> NDArray[np.uint8]:
    """Thumbnails, uint8 `(H, W, 3)`, of images of a set with their alphas at their right, each with its name."""
    rows = -(-len(names) // _PER_ROW)
    step_y, step_x = _THUMBNAIL + _CAPTION + 4, 2 * _THUMBNAIL + 8
    sheet = np.full((rows * step_y + 4, min(len(names), _PER_ROW) * step_x + 4, 3), 255, np.uint8)
    corners = [(4 + index // _PER_ROW * step_y, 4 + index % _PER_ROW * step_x) for index in range(len(names))]
    for name, (y, x) in zip(names, corners, strict=True):
        split = folder / name.split("-")[0]
        image = resized(read_image(split / "images" / f"{name}.png"), _THUMBNAIL, _THUMBNAIL)
        alpha = resized(read_alpha(split / "alphas" / f"{name}.png"), _THUMBNAIL, _THUMBNAIL)
        y += _CAPTION
        sheet[y : y + _THUMBNAIL, x : x + 2 * _THUMBNAIL] = to_bytes(np.hstack([image, np.dstack([alpha] * 3)]))
    picture = Pillow.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    for name, (y, x) in zip(names, corners, strict=True):
        draw.text((x, y), name, fill=(0, 0, 0))
    return np.asarray(picture, dtype=np.uint8)


def _write_one(folder: Path, alpha_bits: int, with_parts: bool, task: tuple[dict[str, Any], int]) -> str:
    kwargs, index = task
    name, parts = Rendered(**kwargs).parts(index)
    split = folder / kwargs["split"]
    write_image(split / "images" / f"{name}.png", np.clip(parts.image, 0, 1))
    write_alpha(split / "alphas" / f"{name}.png", parts.alpha, alpha_bits)
    if with_parts:
        write_image(split / "foregrounds" / f"{name}.png", parts.foreground)
        write_image(split / "backgrounds" / f"{name}.png", parts.background)
    return name


def _run_all(
    write: Callable[[tuple[dict[str, Any], int]], str], tasks: Sequence[tuple[dict[str, Any], int]], workers: int
) -> Generator[str]:
    if workers == 1:
        yield from map(write, tasks)
        return
    # "spawn", as threads of ours may run already, and a forked process would inherit their locks.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_work_quietly) as pool:
        try:
            yield from pool.map(write, tasks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _work_quietly() -> None:
    """One thread, and an interruption is the parent's to deal with."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
