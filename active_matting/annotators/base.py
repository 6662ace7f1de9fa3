"""What an annotator is, and what those that draw or ask another one check."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region
from active_matting.types import Label


class Annotator(Protocol):
    """Whatever answers: a person, or a simulation that knows the true alpha."""

    def answer(self, region: Region) -> Label:
        """FOREGROUND, BACKGROUND or TRANSITION; UNLABELLED where it gave no answer, which costs a query all the same.

        region: one that lies wholly inside the image. Raises `InvalidArgumentError` for others.
        """

    @property
    def seconds(self) -> float:
        """The seconds spent on the answers so far; 0.0 for those that do not count them."""


def check_generator(rng: np.random.Generator | None) -> np.random.Generator:
    """Return `rng`, or a generator of seed 0 for None. Raises `InvalidArgumentError` for anything else."""
    if rng is None:
        return np.random.default_rng(0)
    if not isinstance(rng, np.random.Generator):
        raise InvalidArgumentError(f"rng must be a numpy.random.Generator or None, got {rng!r}")
    return rng


def check_keywords(keywords: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return `keywords` as a dictionary, empty for None. Raises `InvalidArgumentError` for anything else."""
    if keywords is None:
        return {}
    if not isinstance(keywords, Mapping):
        raise InvalidArgumentError(f"of_kwargs must be a dictionary of keywords or None, got {keywords!r}")
    return dict(keywords)
