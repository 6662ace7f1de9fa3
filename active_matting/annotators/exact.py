"""The annotator of the papers: never wrong."""

from dataclasses import InitVar, dataclass, field

import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.regions import Region, check_region
from active_matting.types import Alpha, Label, check_alpha


@dataclass(frozen=True)
class ExactAnnotator:
    """Foreground if every alpha in the region is ≥ `foreground`, background if every one is ≤ `background`.

    Otherwise the answer is transition: the region holds unknown pixels (Active Matting, sec. 2.3).
    alpha: the true one, float32 `(H, W)` in [0, 1]. rng: taken as by all annotators; nothing is drawn.
    Raises `InvalidArrayError`, `InvalidArgumentError`.
    """

    alpha: Alpha = field(repr=False)
    rng: InitVar[np.random.Generator | None] = None
    foreground: float = 0.98
    background: float = 0.02

    def __post_init__(self, rng: np.random.Generator | None) -> None:
        object.__setattr__(self, "alpha", check_alpha(self.alpha))
        if not 0 <= self.background < self.foreground <= 1:
            raise InvalidArgumentError(
                f"thresholds must satisfy 0 <= background < foreground <= 1, "
                f"got background {self.background}, foreground {self.foreground}"
            )

    @property
    def seconds(self) -> float:
        """0.0: see `Annotator.seconds`."""
        return 0.0

    def answer(self, region: Region) -> Label:
        """See `Annotator.answer`."""
        check_region(region, self.alpha.shape)
        alphas = self.alpha[region.slices]
        if alphas.min() >= self.foreground:
            return Label.FOREGROUND
        if alphas.max() <= self.background:
            return Label.BACKGROUND
        return Label.TRANSITION
