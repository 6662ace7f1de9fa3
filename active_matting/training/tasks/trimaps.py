"""Training from trimaps: how FBA is trained, and task 3 of iMatting (thesis, sec. 4.3.6 and 5.2.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from active_matting.augmentation.label_maps import check_trimap_arguments, random_trimap
from active_matting.errors import InvalidArgumentError
from active_matting.metrics import rmse
from active_matting.training.lessons import Lesson, Sources
from active_matting.training.losses import matting_loss
from active_matting.training.tasks.batches import Batch, alphas_of, draw_batch
from active_matting.types import Alpha, Label, LabelMap


class Item(NamedTuple):
    """A batch of lessons and of label maps, int8 `(S, S)` each."""

    lessons: list[Lesson]
    trimaps: list[LabelMap]


@dataclass(frozen=True)
class Trimaps:
    """Alpha, foreground and background from a trimap.

    root, seed: see `Task`. sources: keywords of `Sources`. sizes: sides of the pictures, pixels, one drawn for each
    batch; batch: how many at once, one in the thesis. reach: of the trimaps' erosion and dilation, pixels, from and to;
    smaller pictures want a smaller one. tolerance: how far from 1 or 0 an alpha may lie that is not mixed, see
    `active_matting.augmentation.random_trimap`. doubles: whether every second batch is the one before at twice its size
    (sec. 4.3.6). with_gradient: whether alpha's gradient loss is part (eq. 4.1; not in 5.2). validation: held-out
    lessons. Raises `InvalidArgumentError`, and what `Sources` raises.
    """

    root: Path
    seed: int
    sources: Mapping[str, Any]
    sizes: tuple[int, ...] = (320, 480, 640)
    batch: int = 1
    reach: tuple[int, int] = (3, 25)
    tolerance: float = 0.02
    doubles: bool = False
    with_gradient: bool = True
    validation: int = 32
    _training: Sources = field(init=False, repr=False, compare=False)
    _held_out: Sources = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.sizes or any(size < 8 or size % 8 for size in self.sizes):
            raise InvalidArgumentError(f"sizes must be multiples of 8, got {tuple(self.sizes)}")
        if self.batch < 1:
            raise InvalidArgumentError(f"batch must be at least 1, got {self.batch}")
        check_trimap_arguments(self.reach, self.tolerance)
        object.__setattr__(self, "_training", Sources(self.root, **self.sources))
        object.__setattr__(self, "_held_out", Sources(self.root, **self.sources, held_out=True))

    def load(self, index: int) -> Item:
        """See `Task`."""
        rng = np.random.default_rng([self.seed, index // 2 if self.doubles else index])
        size = int(rng.choice(self.sizes)) * (2 if self.doubles and index % 2 else 1)
        return self._item(self._training, rng, size, self.batch)

    def losses(self, network: nn.Module, item: Item, generator: np.random.Generator) -> Iterator[Tensor | None]:
        """See `Task`: one."""
        batch = Batch(network, item.lessons)
        prediction = batch.predict(item.trimaps, torch.zeros_like(batch.alpha))
        truths = batch.image, batch.alpha, batch.foreground, batch.background
        yield matting_loss(prediction, *truths, with_gradient=self.with_gradient)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: the RMSE over the unknown pixels, which is "error", and over all.

        Of networks that correct another solver's matte that one's, too: "guess", over the unknown pixels.
        """
        rng = np.random.default_rng([self.seed, 0])
        errors, guessed = [], []
        for i in range(self.validation):
            item = self._item(self._held_out, rng, self.sizes[i % len(self.sizes)], 1)
            batch = Batch(network, item.lessons)
            guesses = batch.guesses(item.trimaps)
            alpha = alphas_of(batch.predict(item.trimaps, torch.zeros_like(batch.alpha), guesses).alpha)[0]
            truth, is_unknown = item.lessons[0].alpha, item.trimaps[0] == Label.UNLABELLED
            errors.append((_rmse_over(is_unknown, alpha, truth), rmse(alpha, truth)))
            guessed += [_rmse_over(is_unknown, guess, truth) for guess in guesses]
        means = np.mean(errors, axis=0)
        told = {"error": float(means[0]), "rmse": float(means[1])}
        return told if not guessed else {**told, "guess": float(np.mean(guessed))}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return self._training.files()

    def _item(self, sources: Sources, rng: np.random.Generator, size: int, batch: int) -> Item:
        lessons = draw_batch(sources, rng, size, batch)
        reach = self.reach[0], self.reach[1]
        return Item(lessons, [random_trimap(lesson.alpha, rng, reach, self.tolerance) for lesson in lessons])


def _rmse_over(is_unknown: NDArray[np.bool_], alpha: Alpha, truth: Alpha) -> float:
    """0 where nothing is unknown."""
    return rmse(alpha, truth, is_unknown) if is_unknown.any() else 0.0
