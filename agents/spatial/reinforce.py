"""Learning from own episodes: by reward (REINFORCE with a learned baseline), and by what the robot would do there.

It is a task for `active_matting.training.trainer.fit`, so it may take turns with imitation, and stops and goes on as
that does. Each batch is played by the newest weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from active_matting.agents.spatial import learning
from active_matting.agents.spatial.episodes import Episode
from active_matting.agents.spatial.grid import PICTURE_CELL
from active_matting.agents.spatial.network import Decision, SpatialPolicy
from active_matting.agents.spatial.playing import play_together
from active_matting.agents.spatial.targets import lesson_of
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import Solver
from active_matting.solvers.named import NamedSolver
from active_matting.training.lessons import Lesson, Sources
from active_matting.training.tasks.batches import draw_batch

READ_AT = (1, 5, 10, 15, 20)
"""Queries after which validation reads the RMSE."""


@dataclass(frozen=True)
class OwnEpisodes:
    """Episodes that the newest weights play on pictures of `sources`, which are keywords of `Sources`.

    root, seed: see `Task`. batch: pictures per update, each played `repeats` times: what its episodes have in common
    is no merit of any one of them. cells, budget: see `play_together`; solver: "NAME" or "NAME {JSON}". reward,
    imitation, entropy: what the parts of the loss count: REINFORCE; the losses of `learning.losses_of` on these
    states; and, subtracted, the heat map's entropy. discount: of what follows. validation: held-out pictures, of
    `measured_sources` or the same. Raises `InvalidArgumentError`, and what `Sources` and making the solver raise.
    """

    root: Path
    seed: int
    sources: Mapping[str, Any]
    measured_sources: Mapping[str, Any] | None = None
    solver: str = "segment-then-matte"
    batch: int = 2
    repeats: int = 2
    cells: int = 20
    budget: int = 20
    reward: float = 1.0
    imitation: float = 1.0
    entropy: float = 0.003
    discount: float = 0.8
    validation: int = 24

    _solver: Solver = field(init=False, repr=False, compare=False)
    _pictures: Sources = field(init=False, repr=False, compare=False)
    _held_out: Sources = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("batch", "repeats", "cells", "budget", "validation"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.discount <= 1:
            raise InvalidArgumentError(f"discount must be from 0 to 1, got {self.discount}")
        object.__setattr__(self, "_solver", NamedSolver.read(self.solver).make())
        object.__setattr__(self, "_pictures", Sources(self.root, **self.sources))
        measured = self.sources if self.measured_sources is None else self.measured_sources
        object.__setattr__(self, "_held_out", Sources(self.root, **measured, held_out=True))

    def load(self, index: int) -> list[Lesson]:
        """See `Task`: the pictures."""
        rng = np.random.default_rng([self.seed, index])
        lessons = draw_batch(self._pictures, rng, PICTURE_CELL * self.cells, self.batch)
        return [each for each in lessons for _ in range(self.repeats)]

    def losses(self, network: nn.Module, item: list[Lesson], generator: np.random.Generator) -> Iterator[Tensor | None]:
        """See `Task`: one, after the episodes are played."""
        policy = cast(SpatialPolicy, network)
        played = play_together(policy, item, self._solver, self.cells, self.budget, generator)
        lesson = learning.stacked([lesson_of(*each, self.cells) for each in played])
        decision = learning.decide(policy, lesson)
        imitation = learning.parts_of(decision, lesson)
        del imitation["value"]  # which here is what follows, discounted
        total = self.imitation * sum(learning.WEIGHTS[name] * loss for name, loss in imitation.items())
        episodes = [each.episode for each in played]
        yield total + reinforce_loss(decision, episodes, self.discount, self.repeats, self.reward, self.entropy)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: the mean RMSE after 1, 5, 10, 15 and 20 of its likeliest queries; "error" is the last."""
        rng = np.random.default_rng([self.seed, 0])
        curves: list[NDArray[np.float32]] = []
        for first in range(0, self.validation, 8):
            lessons = draw_batch(self._held_out, rng, PICTURE_CELL * self.cells, min(8, self.validation - first))
            played = play_together(cast(SpatialPolicy, network), lessons, self._solver, self.cells, self.budget)
            curves += [each.episode.rmse for each in played]
        mean = np.mean(curves, axis=0)
        figures = {f"rmse@{query}": float(mean[query]) for query in READ_AT if query <= self.budget}
        return {**figures, "error": float(mean[-1])}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return self._pictures.files()


def reinforce_loss(
    decision: Decision, episodes: list[Episode], discount: float, repeats: int, weight: float, entropy: float
) -> Tensor:
    """−log π(square) (G − b) of what was asked, and the baseline's squared error; less entropy; means over queries.

    decision: of (T, N). G is what follows of the drops in the RMSE's logarithm, `discount`ed. b is the network's value
    and, where `repeats` successive episodes are of one picture, what the others of them got beyond theirs. G − b is
    divided by its standard deviation.
    """
    rewards = np.stack([-np.diff(np.log(np.maximum(episode.rmse, 1e-3))) for episode in episodes], axis=1)
    returns = torch.from_numpy(discounted(rewards, discount)).to(decision.value)
    asked = np.stack([episode.squares for episode in episodes], axis=1)
    squares = torch.from_numpy(asked).to(returns.device).long()
    surplus = returns - decision.value.detach()
    advantage = surplus - others_mean(surplus, repeats)
    advantage = advantage / advantage.std().clamp(min=1e-3)
    chances = decision.log_probability.flatten(2)
    of_asked = chances.gather(2, squares[..., None])[..., 0]
    spread = -(chances.exp() * chances).sum(2).mean()
    baseline = ((decision.value - returns) ** 2).mean()
    return weight * -(of_asked * advantage).mean() - entropy * spread + 0.1 * baseline


def discounted(rewards: NDArray[np.float32], discount: float) -> NDArray[np.float32]:
    """What follows each query, itself included: rewards (T, N) → returns (T, N).

    >>> discounted(np.float32([[1], [2], [4]]), 0.5).ravel().tolist()
    [3.0, 4.0, 4.0]
    """
    returns = np.array(rewards, dtype=np.float32)
    for query in range(len(returns) - 2, -1, -1):
        returns[query] += discount * returns[query + 1]
    return returns


def others_mean(values: Tensor, repeats: int) -> Tensor:
    """For each of (T, N), the mean of the others among `repeats` successive of N; 0 where it is alone."""
    if repeats == 1:
        return torch.zeros_like(values)
    grouped = values.view(len(values), -1, repeats)
    return (grouped.sum(2, keepdim=True) - grouped).view(values.shape) / (repeats - 1)
