"""Samples as arrays on disk: made once, then read by many processes through the same memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from active_matting.data.samples import Sample
from active_matting.errors import FileError
from active_matting.files import read_json, write_json, written_whole

IMAGES, ALPHAS, NAMES = "images.npy", "alphas.npy", "names.json"


def pack(samples: Iterable[Sample], size: int, folder: Path | str) -> None:
    """Write the samples, resized to `size` × `size`, for `Packed` to read; trimaps are left out. Raises `FileError`."""
    folder = Path(folder)
    resized = [sample.resized(size) for sample in samples]
    for name, arrays in (
        (IMAGES, [sample.image for sample in resized]),
        (ALPHAS, [sample.alpha for sample in resized]),
    ):
        with written_whole(folder / name) as temporary:
            np.save(temporary, np.stack(arrays))
    write_json(folder / NAMES, [sample.name for sample in resized])


@dataclass(frozen=True)
class Packed:
    """The samples that `pack` wrote to the folder `path`, exactly. Raises `FileError` where it holds none."""

    path: str
    _images: NDArray[np.float32] = field(init=False, repr=False, compare=False)  # (N, size, size, 3)
    _alphas: NDArray[np.float32] = field(init=False, repr=False, compare=False)  # (N, size, size)
    _names: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        folder = Path(self.path)
        names = read_json(folder / NAMES)
        try:
            images, alphas = (np.load(folder / name, mmap_mode="r") for name in (IMAGES, ALPHAS))
        except (OSError, ValueError) as error:
            raise FileError(f"{folder} does not hold packed samples: {error}") from error
        if not len(names) == len(images) == len(alphas):
            raise FileError(f"{folder} holds {len(images)} images, {len(alphas)} alphas and {len(names)} names")
        for name, value in (("_images", images), ("_alphas", alphas), ("_names", names)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"index must be from 0 to {len(self) - 1}, got {index}")
        return Sample(self._names[index], np.array(self._images[index]), np.array(self._alphas[index]))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))
