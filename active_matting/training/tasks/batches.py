"""Lessons as a network takes them, and a network as a simulated user meets it."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from active_matting.models.base import Network, Prediction
from active_matting.models.hints import marks_of
from active_matting.solvers import PreparedSolver
from active_matting.solvers.named import NamedSolver
from active_matting.solvers.together import solve_together
from active_matting.training.lessons import Lesson, Sources, has_both
from active_matting.types import Alpha, Image, LabelMap

_TRIES = 20


def draw_batch(sources: Sources, rng: np.random.Generator, size: int, batch: int) -> list[Lesson]:
    """So many lessons that have both classes; after many tries without, one that has not."""
    lessons = []
    for _ in range(batch):
        for _ in range(_TRIES):
            lesson = sources.draw(rng, size)
            if has_both(lesson.alpha):
                break
        lessons.append(lesson)
    return lessons


def as_tensor(planes: Sequence[NDArray[np.float32]], like: Tensor) -> Tensor:
    """(H, W) or (H, W, C) each → (N, C, H, W), where and of the type that `like` is."""
    stacked = np.stack([plane[..., None] if plane.ndim == 2 else plane for plane in planes])
    return torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))).to(like)


class Batch:
    """Lessons on a network's device, and what it answers for label maps."""

    def __init__(self, network: nn.Module, lessons: Sequence[Lesson]) -> None:
        self.network = cast(Network, network)
        self._like = next(network.parameters())
        self._lessons, self._guessers = lessons, list[PreparedSolver]()
        self.image, self.alpha, self.foreground, self.background = (
            as_tensor(planes, self._like) for planes in zip(*lessons, strict=True)
        )

    def predict(
        self,
        label_maps: Sequence[LabelMap],
        previous: Tensor,
        guess: Sequence[Alpha] | None = None,
        detailed: Sequence[Image] | None = None,
    ) -> Prediction:
        """What the network answers; previous: `(N, 1, H, W)`, for which its guess is put where it has one.

        guess: what its guess is, where that is known already. detailed: what networks are shown besides whose `detail`
        is above 1, see `Network`; others are not. Raises `InvalidArrayError` where such a network lacks it.
        """
        if self.network.guess is not None:
            previous = as_tensor(self.guesses(label_maps) if guess is None else guess, self._like)
        marks = [marks_of(label_map) for label_map in label_maps]
        hints = [self.network.hint_maps(mark) for mark in marks]
        planes = (torch.from_numpy(np.stack(each)).to(self._like) for each in (marks, hints))
        besides = [] if detailed is None or self.network.detail == 1 else [as_tensor(detailed, self._like)]
        alpha, foreground, background = self.network(self.image, *planes, previous, *besides)
        if foreground is None or background is None:
            return Prediction(alpha.float())
        return Prediction(alpha.float(), foreground.float(), background.float())

    def guesses(self, label_maps: Sequence[LabelMap]) -> list[Alpha]:
        """What the solver that the network corrects answers, float32 `(H, W)` each; nothing where it corrects none."""
        if self.network.guess is None:
            return []
        if not self._guessers:
            solver = NamedSolver.read(self.network.guess).make()
            self._guessers = [solver.prepare(lesson.image) for lesson in self._lessons]
        found = solve_together(self._guessers, [label_map[None] for label_map in label_maps])
        for alphas in found:
            if isinstance(alphas, Exception):
                raise alphas
        return [cast(Alpha, alphas)[0] for alphas in found]


def alphas_of(plane: Tensor) -> list[Alpha]:
    """(N, 1, H, W) → N × (H, W), on the processor."""
    return list(plane.detach()[:, 0].float().cpu().numpy())
