"""Interactive training, answer by answer: tasks 1 and 2 of the thesis (sec. 3.2.2 and 5.2.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from active_matting.errors import InvalidArgumentError
from active_matting.metrics import rmse
from active_matting.training.lessons import Lesson, Sources
from active_matting.training.losses import click_loss, matting_loss, soft_iou
from active_matting.training.tasks.batches import Batch, alphas_of, draw_batch
from active_matting.training.users import SimulatedUser, check_users, draw_user
from active_matting.types import LabelMap

READ_AT = (1, 2, 5, 10)
"""Answers after which validation reads the RMSE."""


@dataclass(frozen=True)
class Answers:
    """The network's newest matte is answered, the answer is added, the weights are updated; and so on.

    root, seed: see `Task`. sources: keywords of `Sources`. size: side of the pictures, pixels; batch: how many are
    answered side by side, one in the thesis. answers: how many are given, drawn from this range for each batch.
    first_update: the answer from which the weights are updated, the loss of those before being expected to be large.
    loss: "soft-iou" with the click loss (eq. 3.1, 5.1) or "matting" (eq. 5.2). users: how often each kind of user
    comes, and radius: of clicks' discs, at most, a share of the side: see `draw_user`. validation: held-out lessons,
    which are asked about regions. Raises `InvalidArgumentError`, and what `Sources` raises.
    """

    root: Path
    seed: int
    sources: Mapping[str, Any]
    size: int = 352
    batch: int = 1
    answers: tuple[int, int] = (4, 4)
    first_update: int = 1
    loss: Literal["soft-iou", "matting"] = "soft-iou"
    users: Mapping[str, float] = field(default_factory=lambda: {"largest-error": 1.0})
    radius: float = 0.02
    validation: int = 32

    _training: Sources = field(init=False, repr=False, compare=False)
    _held_out: Sources = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.first_update <= self.answers[0] <= self.answers[1]:
            raise InvalidArgumentError(
                f"first_update and answers must be numbers from 1 in order, got {self.first_update}, {self.answers}"
            )
        if self.loss not in ("soft-iou", "matting"):
            raise InvalidArgumentError(f"loss must be 'soft-iou' or 'matting', got {self.loss!r}")
        if self.size % 8 or min(self.size, self.batch) < 1:
            raise InvalidArgumentError(
                f"size must be a multiple of 8 and batch at least 1, got {self.size}, {self.batch}"
            )
        check_users(self.users)
        object.__setattr__(self, "_training", Sources(self.root, **self.sources))
        object.__setattr__(self, "_held_out", Sources(self.root, **self.sources, held_out=True))

    def load(self, index: int) -> list[Lesson]:
        """See `Task`."""
        return draw_batch(self._training, np.random.default_rng([self.seed, index]), self.size, self.batch)

    def losses(self, network: nn.Module, item: list[Lesson], generator: np.random.Generator) -> Iterator[Tensor | None]:
        """See `Task`: one for each answer."""
        batch = Batch(network, item)
        users = [draw_user(self.users, lesson.alpha, self.radius, generator) for lesson in item]
        believed, clicks = torch.zeros_like(batch.alpha), np.zeros(batch.alpha.shape, np.float32)
        for number in range(1, int(generator.integers(self.answers[0], self.answers[1] + 1)) + 1):
            for user, alpha, weights in zip(users, alphas_of(believed), clicks, strict=True):
                before = user.label_map
                user.answer(alpha)
                _note_newest(weights[0], before, user.label_map)
            with torch.set_grad_enabled(number >= self.first_update):
                prediction = batch.predict([user.label_map for user in users], believed)
            believed = prediction.alpha.detach()
            if number < self.first_update:
                yield None
            elif self.loss == "soft-iou":
                weights = torch.from_numpy(clicks).to(batch.alpha)
                yield soft_iou(prediction.alpha, batch.alpha) + click_loss(prediction.alpha, batch.alpha, weights)
            else:
                yield matting_loss(
                    prediction, batch.image, batch.alpha, batch.foreground, batch.background, with_gradient=False
                )

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: the RMSE after 1, 2, 5 and 10 regions; "error" is the mean of the last three."""
        rng = np.random.default_rng([self.seed, 0])
        errors: list[list[float]] = []
        count = 8
        for _ in range(0, self.validation, count):
            lessons = draw_batch(self._held_out, rng, self.size, count)
            batch = Batch(network, lessons)
            users = [SimulatedUser(lesson.alpha, max(1, round(self.size / 20)), rng) for lesson in lessons]
            believed, curve = torch.zeros_like(batch.alpha), []
            for _ in range(max(READ_AT)):
                for user, alpha in zip(users, alphas_of(believed), strict=True):
                    user.answer(alpha)
                believed = batch.predict([user.label_map for user in users], believed).alpha
                truths = [lesson.alpha for lesson in lessons]
                curve.append(np.mean([rmse(a, t) for a, t in zip(alphas_of(believed), truths, strict=True)]))
            errors.append([float(curve[number - 1]) for number in READ_AT])
        means = np.mean(errors, axis=0)
        read = {f"rmse@{number}": float(mean) for number, mean in zip(READ_AT, means, strict=True)}
        return {**read, "error": float(np.mean(means[1:]))}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return self._training.files()


def _note_newest(clicks: NDArray[np.float32], before: LabelMap, now: LabelMap) -> None:
    """Let the newest answer's pixels share a weight of 1 in `clicks`, (H, W)."""
    is_new = before != now
    clicks[is_new] = 1 / max(1, int(is_new.sum()))
