"""How the network learns from episodes: the losses, and the task for `active_matting.training.trainer.fit`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from active_matting.agents.spatial.episodes import Episodes
from active_matting.agents.spatial.grid import spread
from active_matting.agents.spatial.network import Decision, Sight, SpatialPolicy
from active_matting.agents.spatial.opinion import kept_opinions, opinions_on
from active_matting.agents.spatial.targets import SHARPNESS, Lesson, lesson_of, one_sided
from active_matting.errors import InvalidArgumentError

WEIGHTS = {"choice": 1.0, "kinds": 1.0, "log_error": 0.1, "gain": 0.5, "log_rmse": 0.1, "value": 0.05}
"""What each part of the loss counts."""


@dataclass(frozen=True)
class Imitation:
    """To choose as the robot does that knows the truth, and to tell what it sees; see `losses_of`.

    root, seed: see `Task`. episodes: keywords of `Episodes`, whose first `count` are learnt from, and of whose held-out
    ones the first `validation` are measured; `measured` are keywords that differ for the latter. batch: episodes per
    update. one_sided: the share of them that `targets.one_sided` replaces. queries: that many successive ones of each
    are learnt from. cache: where episodes are kept. Raises
    `InvalidArgumentError`, and what `Episodes` raises.
    """

    root: Path
    seed: int
    episodes: Mapping[str, Any]
    count: int = 1000
    batch: int = 4
    queries: int = 10
    one_sided: float = 0.2
    validation: int = 32
    measured: Mapping[str, Any] = field(default_factory=dict)
    cache: str | None = None

    training: Episodes = field(init=False, repr=False, compare=False)
    held_out: Episodes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("count", "batch", "queries", "validation"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        cache = None if self.cache is None else Path(self.cache)
        training = Episodes(self.root, cache=cache, **self.episodes)
        if not self.queries <= training.budget:
            raise InvalidArgumentError(f"queries must be at most the budget, {training.budget}, got {self.queries}")
        measured = replace(training, held_out=True, **self.measured)
        object.__setattr__(self, "training", training)
        object.__setattr__(self, "held_out", measured)

    @property
    def cells(self) -> int:
        """Along the pictures' side."""
        return self.training.cells

    def load(self, index: int) -> Lesson:
        """See `Task`: (T, N, …) arrays, mirrored half of the time."""
        rng = np.random.default_rng([self.seed, index])
        lessons = []
        for number in rng.integers(self.count, size=self.batch):
            episode = self.training[int(number)]
            if rng.random() < self.one_sided:
                episode = one_sided(episode, self.cells, rng)
                opinions = opinions_on(episode, self.cells)
            else:
                opinions = kept_opinions(self.training, int(number))
            lesson = lesson_of(episode, opinions, self.cells)
            first = int(rng.integers(len(lesson.mattes) - self.queries + 1)) if rng.random() < 0.5 else 0
            lessons.append(_part(lesson, first, self.queries, is_mirrored=rng.random() < 0.5))
        return stacked(lessons)

    def losses(self, network: nn.Module, item: Lesson, generator: np.random.Generator) -> Iterator[Tensor | None]:
        """See `Task`: one."""
        parts = losses_of(network, item)
        yield cast(Tensor, sum(WEIGHTS[name] * loss for name, loss in parts.items()))

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: the parts of the loss; the robot's merit of what was chosen, 1 for its own choice; "error" is the
        loss of the choice."""
        rows: dict[str, list[float]] = {}
        for number in range(self.validation):
            episode, opinions = self.held_out[number], kept_opinions(self.held_out, number)
            item = stacked([lesson_of(episode, opinions, self.held_out.cells)])
            decision = decide(cast(SpatialPolicy, network), item)
            for name, loss in parts_of(decision, item).items():
                rows.setdefault(name, []).append(loss.item())
            rows.setdefault("merit", []).append(merit_of_choice(decision, item))
        means = {name: float(np.mean(values)) for name, values in rows.items()}
        return {**means, "error": means["choice"]}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return self.training.pictures.files()


def losses_of(network: nn.Module, lesson: Lesson) -> dict[str, Tensor]:
    """The parts of the loss on lessons (T, N, …).

    choice: cross-entropy of the heat map against the robot's chances. kinds: that of what squares are. log_error:
    squared difference of logarithms. gain: squared difference, where known. log_rmse, value: squared differences.
    """
    return parts_of(decide(cast(SpatialPolicy, network), lesson), lesson)


def decide(policy: SpatialPolicy, lesson: Lesson) -> Decision:
    """What the network makes of lessons (T, N, …), all queries at once."""
    like = next(policy.parameters())
    features = policy.encode_image(torch.from_numpy(lesson.image).to(like) / 255)
    return policy.unroll(features, sights_of(lesson, like))


def parts_of(decision: Decision, lesson: Lesson) -> dict[str, Tensor]:
    """See `losses_of`."""
    like = decision.log_probability
    choice = torch.from_numpy(lesson.choice).to(like)
    kinds = torch.from_numpy(lesson.kinds).to(like.device).long().expand(len(lesson.mattes), -1, -1, -1)
    gain = torch.from_numpy(lesson.gain).to(like)
    is_known = ~gain.isnan()
    imitated = choice.sum((2, 3)) > 0
    of_choice = -(choice * decision.log_probability).sum((2, 3))
    parts = {
        "choice": of_choice[imitated].sum() / imitated.sum().clamp(min=1),
        "kinds": functional.cross_entropy(decision.kinds.flatten(0, 1).float(), kinds.flatten(0, 1)),
        "log_error": _square(decision.error, torch.from_numpy(lesson.error).to(like)).mean(),
        "gain": _square(decision.gain[is_known], gain[is_known]).mean(),
    }
    for name, wanted in (("log_rmse", lesson.log_rmse), ("value", lesson.value)):
        parts[name] = _square(getattr(decision, name), torch.from_numpy(wanted).to(like)).mean()
    return parts


def merit_of_choice(decision: Decision, lesson: Lesson) -> float:
    """The mean merit of the likeliest square, as a part of the best one's: 1 is the robot's choice, 0 is no use."""
    chances = torch.from_numpy(lesson.choice).flatten(2)
    chosen = decision.log_probability.flatten(2).argmax(2, keepdim=True).cpu()
    best = chances.amax(2)
    merits = (chances.gather(2, chosen)[..., 0] / best) ** (1 / SHARPNESS)
    return merits[best > 0].mean().item()


def sights_of(lesson: Lesson, like: Tensor) -> Sight:
    """What the network sees of lessons (T, N, …)."""
    mattes, before, opinions = (
        torch.from_numpy(planes).to(like)[:, :, None] / 255
        for planes in (lesson.mattes, lesson.before, lesson.opinions)
    )
    told = spread(lesson.told).to(like)
    return Sight(mattes, before, opinions, told, torch.from_numpy(lesson.asked).to(like)[:, :, None])


def stacked(lessons: list[Lesson]) -> Lesson:
    """Lessons of as many queries each as one of (T, N, …)."""
    together = Lesson(*(np.stack(arrays, axis=1 if arrays[0].ndim else 0) for arrays in zip(*lessons, strict=True)))
    image, kinds = (np.stack([getattr(lesson, name) for lesson in lessons]) for name in ("image", "kinds"))
    return together._replace(image=image, kinds=kinds)


def _square(a: Tensor, b: Tensor) -> Tensor:
    return (a - b) ** 2


def _part(lesson: Lesson, first: int, count: int, is_mirrored: bool) -> Lesson:
    """So many queries from `first` on; mirrored left to right."""
    constant = {"image", "kinds"}
    parts: dict[str, NDArray[Any]] = {}
    for name, array in lesson._asdict().items():
        part = array if name in constant else array[first : first + count]
        parts[name] = np.ascontiguousarray(part[..., ::-1] if is_mirrored and part.ndim > 1 else part)
    return Lesson(**parts)
