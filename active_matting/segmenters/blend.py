"""Several segmenters heard together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.segmenters.base import PreparedSegmenter, Probability, Segmenter, log_odds, needs_both_classes
from active_matting.solvers.base import has_both_classes
from active_matting.types import Image, LabelMap

_SUREST = 0.99
"""No part is believed to be surer: one that is certain and wrong could not be outvoted."""


@dataclass(frozen=True)
class Blend:
    """The parts' probabilities, averaged as log-odds: p = σ(Σ wᵢ log(pᵢ / (1 − pᵢ))).

    Segmenters that fail on different pictures correct each other; the one that is surer decides. Where one class alone
    is told, those are heard that make something of it. parts: each a segmenter's name under "name" and its parameters
    beside. weights: as many; that they sum to more than 1 says that agreement counts for more than either. Raises
    `InvalidArgumentError` and what the parts raise.

    >>> Blend(parts=({"name": "grabcut"}, {"name": "cues"}), weights=(0.5, 0.5)).weights
    (0.5, 0.5)
    """

    parts: Sequence[Mapping[str, Any]] = ({"name": "cues"}, {"name": "network"})
    weights: Sequence[float] = (0.5, 0.5)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(dict(part) for part in self.parts))
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))
        if not self.parts or len(self.parts) != len(self.weights) or min(self.weights) < 0:
            raise InvalidArgumentError(
                f"parts and weights must be as many, at least one, and weights at least 0; "
                f"got {len(self.parts)} parts and {self.weights}"
            )
        self._segmenters()

    def __hash__(self) -> int:
        return hash((repr(self.parts), self.weights))

    def _segmenters(self) -> list[Segmenter]:
        from active_matting.segmenters import make_segmenter  # the table names this file

        made = []
        for part in self.parts:
            if not isinstance(part.get("name"), str):
                raise InvalidArgumentError(f"a part must have a segmenter's name under 'name', got {dict(part)}")
            made.append(make_segmenter(part["name"], **{key: part[key] for key in part if key != "name"}))
        return made

    def prepare(self, image: Image) -> "PreparedBlend":
        """See `Segmenter.prepare`."""
        return PreparedBlend([part.prepare(image) for part in self._segmenters()], self.weights)


@dataclass(frozen=True)
class PreparedBlend:
    """The parts, each prepared for the same image."""

    parts: Sequence[PreparedSegmenter]
    weights: Sequence[float]

    @property
    def needs_both_classes(self) -> bool:
        """Whether all parts do."""
        return all(needs_both_classes(part) for part in self.parts)

    def segment(self, label_map: LabelMap) -> Probability:
        """See `PreparedSegmenter.segment`."""
        has_both = bool(has_both_classes(label_map[None])[0])
        heard = [
            (part, weight)
            for part, weight in zip(self.parts, self.weights, strict=True)
            if has_both or not needs_both_classes(part)
        ]
        total = np.zeros(label_map.shape, dtype=np.float32)
        for part, weight in heard:
            total += np.float32(weight) * log_odds(part.segment(label_map), _SUREST)
        of_heard = sum(weight for _, weight in heard)
        if of_heard > 0:  # those who are heard speak for the others too
            total *= np.float32(sum(self.weights) / of_heard)
        return np.asarray(1 / (1 + np.exp(-total)), dtype=np.float32)
