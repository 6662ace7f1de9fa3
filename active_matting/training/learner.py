"""A network that learns: its weights, their average, the optimiser's moments, and what is known of how it goes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from active_matting.errors import ConvergenceError, FileError
from active_matting.training import optimiser as optimisers
from active_matting.training.averaging import make_average, update_average
from active_matting.training.checkpoint import (
    check_same,
    load_tensors,
    optimiser_tensors,
    part,
    prefixed,
    restore_optimiser,
    save_tensors,
)
from active_matting.training.recipe import Recipe
from active_matting.training.task import Task

Context = Callable[[], AbstractContextManager[Any]]

SPOILT_IN_A_ROW = 20
"""Training ends with an error after so many updates in a row whose gradients are not finite."""


@dataclass
class Progress:
    """How far it has come. `error`: the lowest so far, at batch `best`; `without_gain`: measures since then."""

    batches: int = 0
    updates: int = 0
    spoilt: int = 0  # updates left out in a row
    seconds: float = 0.0
    error: float | None = None
    best: int = 0
    without_gain: int = 0


class Learner:
    """The network on its device, and everything that changes while it learns.

    `best` are the averaged weights with the lowest error so far, empty before the first validation.
    """

    def __init__(self, recipe: Recipe, network: nn.Module) -> None:
        self.recipe = recipe
        self.network = network
        self.average = make_average(network)
        self.optimiser = recipe.optimiser.make(network)
        self.best: dict[str, Tensor] = {}
        self.progress = Progress()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def teach(self, task: Task, item: Any, generator: np.random.Generator, context: Context) -> list[float]:
        """One batch: an update for each loss that the task yields within `context`; returns the losses.

        An update with gradients that are not finite is left out. Raises `ConvergenceError` after `SPOILT_IN_A_ROW`.
        """
        speed = self.recipe.schedule.speed(self.progress.batches)
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.optimiser.learning_rate * speed
        self.network.train()
        told = []
        losses = task.losses(self.network, item, generator)
        while True:
            with context():
                try:
                    loss = next(losses)
                except StopIteration:
                    break
            if loss is not None:
                told.append(loss.item())
                loss.backward()  # type: ignore[no-untyped-call]
                self._update()
        self.progress.batches += 1
        return told

    def _update(self) -> None:
        length = optimisers.step(self.optimiser, self.recipe.optimiser.gradient_norm)
        if not length < float("inf"):
            self.progress.spoilt += 1
            if self.progress.spoilt >= SPOILT_IN_A_ROW:
                raise ConvergenceError(
                    f"the gradients of {SPOILT_IN_A_ROW} updates in a row are not finite, at batch "
                    f"{self.progress.batches}: a lower learning rate or a gradient_norm may help"
                )
            return
        self.progress.spoilt = 0
        update_average(self.average, self.network, self.recipe.averaging.kept(self.progress.updates))
        self.progress.updates += 1

    def judge(self, error: float) -> bool:
        """Note the error of the averaged weights; keeps them, and returns true, if it is the lowest so far."""
        progress = self.progress
        is_gain = error < (float("inf") if progress.error is None else progress.error)  # never NaN
        if is_gain:
            self.best = {name: tensor.detach().clone() for name, tensor in self.average.state_dict().items()}
            progress.error, progress.best, progress.without_gain = error, progress.batches, 0
        else:
            progress.without_gain += 1
        return is_gain

    @property
    def has_learnt_enough(self) -> bool:
        """Whether all batches are done, or validation has brought no gain for too long."""
        patience = self.recipe.validation.patience
        is_stuck = 0 < patience <= self.progress.without_gain
        return is_stuck or self.progress.batches >= self.recipe.schedule.batches

    def shipped(self) -> dict[str, Tensor]:
        """The averaged weights with the lowest error; without validation, the latest."""
        return self.best or self.average.state_dict()

    def save(self, path: Path, made_of: dict[str, Any]) -> None:
        """Write it all to one file; `made_of` says what it must be resumed with. Raises `FileError`."""
        tensors = prefixed("network.", self.network.state_dict())
        tensors |= prefixed("average.", self.average.state_dict())
        tensors |= prefixed("best.", self.best)
        tensors |= prefixed("optimiser.", optimiser_tensors(self.optimiser))
        save_tensors(path, tensors, {"progress": asdict(self.progress), "made_of": made_of})

    def restore(self, path: Path, made_of: dict[str, Any]) -> None:
        """Go back to where `save` was. Raises `FileError` where it is missing, broken, or made of something else."""
        tensors, state = load_tensors(path)
        try:
            check_same(state["made_of"], made_of, path)
            self.network.load_state_dict(part(tensors, "network."))
            self.average.load_state_dict(part(tensors, "average."))
            restore_optimiser(self.optimiser, part(tensors, "optimiser."))
            self.progress = Progress(**state["progress"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise FileError(f"{path} does not fit this training: {' '.join(str(error).split())}") from error
        self.best = {name: tensor.to(self.device) for name, tensor in part(tensors, "best.").items()}
