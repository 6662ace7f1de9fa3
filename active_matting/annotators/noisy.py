"""An annotator who errs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from active_matting.annotators import make_annotator
from active_matting.annotators.base import check_generator, check_keywords
from active_matting.checks import check_number
from active_matting.regions import Region
from active_matting.types import Alpha, Label


class NoisyAnnotator:
    """Asks the annotator named `of` and is wrong about the answer with `probability`.

    Foreground becomes background and the reverse, a transition one of both with equal odds; who says nothing is not
    wrong either. One number is drawn for each answer, whatever it is and after those of `of`, so that annotators of
    one seed but of different probabilities err at the same queries, the less probable ones at fewer of them.
    alpha: the true one, float32 `(H, W)` in [0, 1]. of_kwargs: of the annotator `of`.
    Raises `UnknownNameError`, `InvalidArgumentError`, `InvalidArrayError`.
    """

    def __init__(
        self,
        alpha: Alpha,
        rng: np.random.Generator | None = None,
        probability: float = 0.05,
        of: str = "exact",
        of_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self._rng = check_generator(rng)
        self.probability = check_number("probability", probability, at_most=1)
        self.of = make_annotator(of, alpha, self._rng, **check_keywords(of_kwargs))

    @property
    def seconds(self) -> float:
        """Those of `of`; see `Annotator.seconds`."""
        return self.of.seconds

    def answer(self, region: Region) -> Label:
        """See `Annotator.answer`."""
        told = self.of.answer(region)
        drawn = self._rng.random()
        if drawn >= self.probability or told == Label.UNLABELLED:
            return told
        if told == Label.TRANSITION:
            return Label.FOREGROUND if drawn < self.probability / 2 else Label.BACKGROUND
        return Label.BACKGROUND if told == Label.FOREGROUND else Label.FOREGROUND
