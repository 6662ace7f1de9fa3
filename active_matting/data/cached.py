"""Samples of another source, decoded and resized once."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from active_matting.cache import LIMIT, Arrays, Cache, hash_of_code, make_key
from active_matting.checks import check_integer
from active_matting.data.samples import FingerprintedSource, Sample
from active_matting.errors import InvalidArgumentError

KIND = "sample"


@dataclass(frozen=True)
class Cached:
    """The samples of the source named `of`, exactly, from the disk where they were made before.

    of_kwargs: of that source. size: the side to which samples are resized before they are kept, pixels; None keeps them
    as they are. folder, limit_bytes: of the `active_matting.cache.Cache`. What counts is the content of the files that
    are read, not their places or dates: a changed picture is read anew. Code that reads, renders or resizes counts too.
    Raises `InvalidArgumentError` for sources that have no `fingerprint` (`rendered` has one, and readers of files), and
    what `of` raises; `FileError`, when that sample is asked for, where a file cannot be read.
    """

    of: str
    of_kwargs: Mapping[str, Any] = field(default_factory=dict)
    size: int | None = None
    folder: str | None = None
    limit_bytes: int = LIMIT
    _source: FingerprintedSource = field(init=False, repr=False, compare=False)
    _cache: Cache = field(init=False, repr=False, compare=False)
    _code: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from active_matting.data import make_data  # which has this very class in its table

        if self.size is not None:
            check_integer("size", self.size, at_least=1)
        if not isinstance(self.of_kwargs, Mapping):
            raise InvalidArgumentError(f"of_kwargs must be a dictionary of keywords, got {self.of_kwargs!r}")
        source = make_data(self.of, **self.of_kwargs)
        if not hasattr(source, "fingerprint"):
            raise InvalidArgumentError(f"data source {self.of!r} cannot be cached: it has no method fingerprint(index)")
        here = Path(__file__).parent
        readers = (here / f"{name}.py" for name in ("decoding", "entries", "images", "listed", "samples"))
        code = hash_of_code(Path(inspect.getfile(type(source))), *readers)
        object.__setattr__(self, "_source", cast(FingerprintedSource, source))
        object.__setattr__(self, "_cache", Cache(self.folder, self.limit_bytes))
        object.__setattr__(self, "_code", code)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Sample:
        before = self._source.fingerprint(index)
        key = self._key(before)
        known = self._cache.get(KIND, key)
        if known is not None:
            return _to_sample(known)
        sample = self._source[index]
        sample = sample if self.size is None else sample.resized(self.size)
        if self._source.fingerprint(index) == before:  # or the files changed while they were read
            self._cache.put(KIND, key, _to_arrays(sample))
        return sample

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def _key(self, fingerprint: str) -> str:
        return make_key(of=self.of, sample=fingerprint, size=self.size, code=self._code)


def _to_arrays(sample: Sample) -> Arrays:
    name = np.frombuffer(sample.name.encode(), dtype=np.uint8)
    trimap = {} if sample.trimap is None else {"trimap": sample.trimap}
    return {"name": name, "image": sample.image, "alpha": sample.alpha, **trimap}


def _to_sample(arrays: Arrays) -> Sample:
    return Sample(arrays["name"].tobytes().decode(), arrays["image"], arrays["alpha"], arrays.get("trimap"))
