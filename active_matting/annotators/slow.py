"""An annotator whose time is counted."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from active_matting.annotators import make_annotator
from active_matting.annotators.base import check_generator, check_keywords
from active_matting.checks import check_number
from active_matting.regions import Region
from active_matting.types import Alpha, Label

SECONDS_PER_REGION = 57 / 20
"""57 s for the 20 regions of an image on average, solving included (Active Matting, table 1, last column)."""


class SlowAnnotator:
    """Asks the annotator named `of` and counts `seconds_per_answer` for each answer, given or kept back.

    Nobody waits: `seconds` grows, by which effort can be reported in time, and those of `of` are added. What the
    papers' user studies found, in seconds for a whole image:

    ============================================  =======  =========  ======  ====  ======
    study                                         regions  scribbles  clicks  mask  trimap
    ============================================  =======  =========  ======  ====  ======
    Active Matting, table 1 (mean), 20 regions         57                              204
    dugMatting, table 5, its own selections             8        171      17   234     261
    user clicks and uncertainty, sec. 4.2                        223      46           215
    ============================================  =======  =========  ======  ====  ======

    alpha: the true one, float32 `(H, W)` in [0, 1]. of_kwargs: of the annotator `of`.
    Raises `UnknownNameError`, `InvalidArgumentError`, `InvalidArrayError`.
    """

    def __init__(
        self,
        alpha: Alpha,
        rng: np.random.Generator | None = None,
        seconds_per_answer: float = SECONDS_PER_REGION,
        of: str = "exact",
        of_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.seconds_per_answer = check_number("seconds_per_answer", seconds_per_answer)
        self.of = make_annotator(of, alpha, check_generator(rng), **check_keywords(of_kwargs))
        self._answers = 0

    @property
    def seconds(self) -> float:
        """See `Annotator.seconds`."""
        return self._answers * self.seconds_per_answer + self.of.seconds

    def answer(self, region: Region) -> Label:
        """See `Annotator.answer`."""
        self._answers += 1
        return self.of.answer(region)
