"""Simulated users, who answer for a person. To add one: a file in this folder and a line in `ANNOTATORS`.

They nest, by names and JSON-able keywords alone: one that is slow, at times wrong, and at times says nothing is
`make_annotator("slow", alpha, rng, of="noisy", of_kwargs={"probability": 0.1, "of": "lazy"})`.
"""

from typing import Any, cast

import numpy as np

from active_matting.annotators.base import Annotator
from active_matting.annotators.exact import ExactAnnotator
from active_matting.registry import Registry
from active_matting.types import Alpha

ANNOTATORS = Registry(
    kind="annotator",
    group="active_matting.annotators",
    table={
        "exact": "active_matting.annotators.exact:ExactAnnotator",
        "noisy": "active_matting.annotators.noisy:NoisyAnnotator",
        "lazy": "active_matting.annotators.lazy:LazyAnnotator",
        "slow": "active_matting.annotators.slow:SlowAnnotator",
    },
)


def make_annotator(name: str, alpha: Alpha, rng: np.random.Generator | None = None, **kwargs: Any) -> Annotator:
    """The annotator called `name`, who knows `alpha` and draws from `rng`: it is made as `made(alpha, rng, **kwargs)`.

    alpha: the true one, float32 `(H, W)` in [0, 1]. rng: the environment's own generator, so that its seed decides
    about everything; None for one of seed 0. Raises `UnknownNameError`, `InvalidArgumentError`, `InvalidArrayError`.
    """
    return cast(Annotator, ANNOTATORS.make(name, alpha, rng, **kwargs))


__all__ = ["ANNOTATORS", "Annotator", "ExactAnnotator", "make_annotator"]
