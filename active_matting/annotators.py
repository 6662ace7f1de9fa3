"""Simulated users, who know the true alpha and answer for a person."""

from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region
from active_matting.registry import Registry
from active_matting.types import Alpha, Label, check_alpha

ANNOTATORS = Registry(
    kind="annotator",
    group="active_matting.annotators",
    table={"exact": "active_matting.annotators:ExactAnnotator"},
)


class Annotator(Protocol):
    """Whatever answers: a person, or a simulation that knows the true alpha."""

    def answer(self, region: Region) -> Label:
        """FOREGROUND, BACKGROUND or TRANSITION."""


@dataclass(frozen=True)
class ExactAnnotator:
    """Foreground if every alpha in the region is ≥ `foreground`, background if every one is ≤ `background`.

    Otherwise the answer is transition: the region holds unknown pixels (Active Matting, sec. 2.3).
    alpha: the true one, float32 `(H, W)` in [0, 1].
    """

    alpha: Alpha = field(repr=False)
    foreground: float = 0.98
    background: float = 0.02

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        if not 0 <= self.background < self.foreground <= 1:
            raise InvalidArgumentError(
                f"thresholds must satisfy 0 <= background < foreground <= 1, "
                f"got background {self.background}, foreground {self.foreground}"
            )

    def answer(self, region: Region) -> Label:
        """See `Annotator.answer`."""
        alphas = self.alpha[region.slices]
        if alphas.min() >= self.foreground:
            return Label.FOREGROUND
        if alphas.max() <= self.background:
            return Label.BACKGROUND
        return Label.TRANSITION


def make_annotator(name: str, alpha: Alpha, **kwargs: Any) -> Annotator:
    """The annotator called `name`, who knows `alpha`. Raises `UnknownNameError`, `InvalidArgumentError`."""
    return cast(Annotator, ANNOTATORS.make(name, alpha, **kwargs))
