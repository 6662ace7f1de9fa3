"""An annotator who skips."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from active_matting.annotators import make_annotator
from active_matting.annotators.base import check_generator, check_keywords
from active_matting.checks import check_number
from active_matting.regions import Region
from active_matting.types import Alpha, Label


class LazyAnnotator:
    """Asks the annotator named `of` and, with `probability`, keeps the answer back: UNLABELLED.

    `of` is asked, and its seconds count, whether or not its answer is given; one number is drawn for each answer. So
    annotators of one seed but of different probabilities stay in step, and the less probable ones skip fewer of the
    same queries. alpha: the true one, float32 `(H, W)` in [0, 1]. of_kwargs: of the annotator `of`.
    Raises `UnknownNameError`, `InvalidArgumentError`, `InvalidArrayError`.
    """

    def __init__(
        self,
        alpha: Alpha,
        rng: np.random.Generator | None = None,
        probability: float = 0.2,
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
        return Label.UNLABELLED if self._rng.random() < self.probability else told
