"""What a data set holds, and what is wrong with it, found by reading all of it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.data.folder import Cutouts
from active_matting.data.images import SUFFIXES, can_be_premultiplied
from active_matting.data.listed import Listed, named, picture_files
from active_matting.data.samples import DataSource, Sample
from active_matting.errors import FileError, SizeMismatchError

BINS = 10
LICENCE = re.compile(r"(?<![a-z])(licen[cs]e|copying|copyright|terms|agreement)", re.IGNORECASE)
README = re.compile(r"readme(\.(md|txt|rst))?", re.IGNORECASE)


@dataclass
class Findings:
    """What `check` has found so far. Alphas are counted in pixels, over all samples that could be read."""

    samples: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)  # (H, W)
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, dtype=np.int64))
    zeros: int = 0
    ones: int = 0
    trimaps: int = 0
    lacking: list[str] = field(default_factory=list)  # files
    mismatched: list[str] = field(default_factory=list)  # errors
    unreadable: list[str] = field(default_factory=list)  # errors
    one_sided: list[str] = field(default_factory=list)  # names of samples without a foreground, or without a background
    maybe_premultiplied: list[str] = field(default_factory=list)  # names of cut-outs
    unused: list[str] = field(default_factory=list)  # pictures that lie beside used ones
    licences: list[str] = field(default_factory=list)  # what tells of a licence

    @property
    def faults(self) -> int:
        """How many files are missing or cannot be read, and samples have sizes that differ."""
        return len(self.lacking) + len(self.mismatched) + len(self.unreadable)

    def add(self, sample: Sample) -> None:
        """Count a sample that could be read."""
        alpha = sample.alpha
        self.sizes.append(sample.shape)
        self.bins += np.histogram(alpha, bins=BINS, range=(0, 1))[0]
        self.zeros += int((alpha == 0).sum())
        self.ones += int((alpha == 1).sum())
        self.trimaps += sample.trimap is not None
        if alpha.max() < 0.5 or alpha.min() > 0.5:
            self.one_sided.append(sample.name)


def check(source: DataSource, folder: Path | str) -> Findings:
    """Read every sample of a source that lies in `folder`, with a progress bar.

    Raises `FileError`, with the first reason, where none can be read.
    """
    found = Findings(samples=len(source), licences=find_licences(folder))
    for index in tqdm(range(len(source)), desc="reading", unit="sample", leave=False):
        try:
            found.add(source[index])
        except SizeMismatchError as error:
            found.mismatched.append(str(error))
        except OSError as error:  # `FileError` is one
            found.unreadable.append(str(error))
        else:
            if isinstance(source, Cutouts) and not source.premultiplied:
                name, colours, alpha = source.parts(index)
                if ((alpha > 0) & (alpha < 1)).any() and can_be_premultiplied(colours, alpha):
                    found.maybe_premultiplied.append(name)
    if isinstance(source, Listed):
        found.lacking += source.lacking
        found.unused += _unused(source)
    if not found.sizes:
        raise FileError(f"none of the {len(source)} samples in {folder} can be read: {_first(found)}")
    return found


def find_licences(folder: Path | str) -> list[str]:
    """Files beside or in `folder`, or in its subfolders, whose names tell of a licence; or a README that mentions one.

    `folder` may be a file, such as a CSV, beside which they lie.
    """
    root = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    files = [path for place in places for path in sorted(place.iterdir()) if path.suffix.lower() not in SUFFIXES]
    found = [path.relative_to(root).as_posix() for path in files if LICENCE.search(path.name) and path.is_file()]
    readmes = [path for path in files if path.parent == root and README.fullmatch(path.name) and path.is_file()]
    return found + [f"{path.name}, which mentions it" for path in readmes if _mentions_licence(path)]


def _mentions_licence(path: Path) -> bool:
    return re.search(r"licen[cs]e", path.read_text(encoding="utf-8", errors="replace"), re.IGNORECASE) is not None


def report(found: Findings) -> str:
    """The findings in lines of text; faults are all named, of other remarks the first few."""
    lines = [
        f"samples: {found.samples}, of which {len(found.sizes)} can be read",
        f"sizes: {_sizes(found.sizes)}",
        *_histogram(found),
        f"trimaps: {found.trimaps}",
        f"licence: {', '.join(found.licences) or 'no file found'}",
    ]
    for title, faults in (
        ("missing files", found.lacking),
        ("sizes that differ", found.mismatched),
        ("cannot be read", found.unreadable),
    ):
        lines += [f"{title}: {len(faults) or 'none'}", *(f"  {fault}" for fault in faults)]
    for title, names in (
        ("without foreground, or without background", found.one_sided),
        ("perhaps premultiplied, as no colour exceeds its alpha", found.maybe_premultiplied),
        ("pictures that no sample uses", found.unused),
    ):
        lines.append(f"{title}: {f'{len(names)} ({named(names)})' if names else 'none'}")
    return "\n".join(lines)


def _sizes(sizes: list[tuple[int, int]]) -> str:
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    smallest, middle, largest = (
        f"{width}×{height}" for height, width in (ordered[0], ordered[len(ordered) // 2], ordered[-1])
    )
    return f"from {smallest} to {largest}, median {middle} (width×height)"


def _histogram(found: Findings) -> list[str]:
    total = max(1, int(found.bins.sum()))
    between = total - found.zeros - found.ones
    shares = f"0 in {found.zeros / total:.1%}, between in {between / total:.1%}, 1 in {found.ones / total:.1%}"
    rows = [
        f"  {index / BINS:.1f}–{(index + 1) / BINS:.1f}  {share:6.1%}  {'█' * round(40 * share)}".rstrip()
        for index, share in enumerate(found.bins / total)
    ]
    return [f"alpha: {shares} of all pixels", *rows]


def _unused(source: Listed) -> list[str]:
    """Pictures in the folders of the samples' files that are no sample's, not even one's that lacks a file."""
    used = {file for entry in source.entries + source.left_out for file in entry.files}
    folders = {file.parent for entry in source.entries for file in entry.files}
    return sorted(str(path) for folder in folders for path in picture_files(folder) if path not in used)


def _first(found: Findings) -> str:
    return named(found.unreadable + found.mismatched, at_most=1)
