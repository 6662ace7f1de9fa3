"""Training a network that corrects another solver's mattes, on episodes that were played before (ours)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from active_matting.cache import Arrays
from active_matting.data.images import to_bytes
from active_matting.errors import InvalidArgumentError
from active_matting.kept import made_by
from active_matting.metrics import rmse
from active_matting.models.base import Prediction
from active_matting.segmenters.base import resize_labels
from active_matting.solvers import Matte
from active_matting.solvers.named import NamedSolver
from active_matting.training.lessons import Lesson, Sources
from active_matting.training.losses import colour_loss, root_mean_square
from active_matting.training.tasks.batches import Batch, alphas_of, draw_batch
from active_matting.training.tasks.played import drawn_from, kept_episode
from active_matting.training.users import check_users, draw_user
from active_matting.types import Alpha, Image, LabelMap

_KIND = "played-episode"


class State(NamedTuple):
    """A lesson, what was told of it, int8 (S, S), and the solver's alpha for that, float32 (S, S).

    detailed: the lesson's image as many times larger as the task's `detail` says, where that is more than 1.
    """

    lesson: Lesson
    label_map: LabelMap
    guess: Alpha
    detailed: Image | None = None


@dataclass(frozen=True)
class Corrections:
    """What a solver makes of the answers so far → what would be right.

    Simulated users correct what the *solver* has wrong, or another solver that they look at; the solver's mattes after
    so many answers as `states` says are kept, small, in a folder of the user's cache, so that its time is spent once
    and the network has all of the processor later. A network that is to learn what answers say that contradict it has
    to see those that it leads to: let users look at one that was trained before. The loss is the root of the mean
    squared error, what such mattes are measured by, whose minimum where nothing is certain is the mean, not the
    likelier class; and the colours' part of eq. 4.1.

    root, seed: see `Task`. sources: keywords of `Sources`. size: side of what the network sees, pixels; scale: how
    many times larger the pictures are that are solved; detail: how many times larger those are that networks of this
    `detail` are shown besides, see `Network`. solver, looks_at: "NAME" or "NAME {JSON}", see
    `NamedSolver.read`; None looks at the solver's mattes. users, radius: see `draw_user`. episodes: how many there
    are; batch: of their states, drawn at random. validation: held-out episodes. The episodes depend on `draw`, not on
    the run's seed, so that runs share them. Raises `InvalidArgumentError`, and what `Sources` and making the solvers
    raise.
    """

    root: Path
    seed: int
    sources: Mapping[str, Any]
    size: int = 128
    scale: int = 2
    detail: int = 1
    solver: str = "segment-then-matte"
    looks_at: str | None = None
    states: tuple[int, ...] = (1, 2, 3, 5, 7, 10, 15, 20)
    users: Mapping[str, float] = field(default_factory=lambda: {"regions": 1.0})
    radius: float = 0.02
    episodes: int = 1500
    batch: int = 16
    validation: int = 48
    draw: int = 0
    _training: Sources = field(init=False, repr=False, compare=False)
    _held_out: Sources = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.size < 8 or self.size % 8:
            raise InvalidArgumentError(f"size must be a multiple of 8, got {self.size}")
        for name in ("scale", "detail", "episodes", "batch", "validation"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.detail > self.scale:
            raise InvalidArgumentError(f"detail must be at most scale, {self.scale}, got {self.detail}")
        object.__setattr__(self, "states", tuple(self.states))
        if not self.states or list(self.states) != sorted(set(self.states)) or self.states[0] < 1:
            raise InvalidArgumentError(f"states must be numbers of answers from 1 in order, got {self.states}")
        check_users(self.users)
        for solver in (self.solver, self.looks_at):
            if solver is not None:
                NamedSolver.read(solver).make()
        object.__setattr__(self, "_training", Sources(self.root, **self.sources))
        object.__setattr__(self, "_held_out", Sources(self.root, **self.sources, held_out=True))

    def load(self, index: int) -> list[State]:
        """See `Task`; mirrored half of the time."""
        rng = np.random.default_rng([self.seed, index])
        states = []
        for _ in range(self.batch):
            state = self.state(int(rng.integers(self.episodes)), int(rng.integers(len(self.states))))
            states.append(_mirrored(state) if rng.random() < 0.5 else state)
        return states

    def losses(self, network: nn.Module, item: list[State], generator: np.random.Generator) -> Iterator[Tensor | None]:
        """See `Task`: one."""
        batch, prediction = self._predicted(network, item)
        colours = colour_loss(prediction, batch.image, batch.alpha, batch.foreground, batch.background)
        yield root_mean_square(prediction.alpha, batch.alpha) + 0.1 * colours

    def validate(self, network: nn.Module) -> dict[str, float]:
        """See `Task`: the RMSE after so many answers, the guess's too; "error" is the mean over all of `states`."""
        errors, guessed = [], []
        for number in range(self.validation):
            states = [self.state(number, at, held_out=True) for at in range(len(self.states))]
            found = alphas_of(self._predicted(network, states)[1].alpha)
            errors.append([rmse(alpha, state.lesson.alpha) for alpha, state in zip(found, states, strict=True)])
            guessed.append([rmse(state.guess, state.lesson.alpha) for state in states])
        means, before = np.mean(errors, axis=0), np.mean(guessed, axis=0)
        told = {f"rmse@{count}": float(mean) for count, mean in zip(self.states, means, strict=True)}
        told |= {f"guess@{count}": float(mean) for count, mean in zip(self.states, before, strict=True)}
        return {**told, "guess": float(before.mean()), "error": float(means.mean())}

    def files(self) -> dict[str, list[Path]]:
        """See `Task`; every fifth of each is held out."""
        return self._training.files()

    def state(self, episode: int, at: int, held_out: bool = False) -> State:
        """The `at`-th of `states` of an episode, of those for training or of those held out."""
        arrays = kept_episode(_KIND, self._made_by, episode, held_out, self._played)
        lesson = Lesson(*(_unit(arrays[name]) for name in Lesson._fields))
        detailed = _unit(arrays["detailed"]) if self.detail > 1 else None
        return State(lesson, arrays["label_maps"][at], _unit(arrays["guesses"][at]), detailed)

    def _predicted(self, network: nn.Module, states: Sequence[State]) -> tuple[Batch, Prediction]:
        """The lessons of the states, and what the network answers."""
        batch = Batch(network, [state.lesson for state in states])
        detailed = [state.detailed for state in states if state.detailed is not None]
        label_maps, guesses = [state.label_map for state in states], [state.guess for state in states]
        return batch, batch.predict(label_maps, torch.zeros_like(batch.alpha), guesses, detailed or None)

    @cached_property
    def _made_by(self) -> dict[str, Any]:
        """What the episodes depend on."""
        names = ("size", "scale", "states", "radius", "draw")
        settings = {name: getattr(self, name) for name in names} | {"users": dict(self.users)}
        seen = {} if self.looks_at is None else {"looks_at": _made_by(self.looks_at)}
        kept = {} if self.detail == 1 else {"detail": self.detail}
        return {
            **_made_by(self.solver),
            **seen,
            **kept,
            **settings,
            "sources": dict(self.sources),
            "files": drawn_from(self._training),
        }

    def _played(self, episode: int, held_out: bool) -> Arrays:
        rng = np.random.default_rng([self.draw, episode, int(held_out)])
        side = self.scale * self.size
        lesson = draw_batch(self._held_out if held_out else self._training, rng, side, 1)[0]
        guessing = NamedSolver.read(self.solver).make().prepare(lesson.image)
        seen = guessing if self.looks_at is None else NamedSolver.read(self.looks_at).make().prepare(lesson.image)
        user = draw_user(self.users, lesson.alpha, self.radius, rng)
        alpha, label_maps, guesses = np.full((side, side), user.before_any, dtype=np.float32), [], []
        matte: Matte | None = None
        for count in range(1, self.states[-1] + 1):
            user.answer(alpha)
            matte = seen.solve(user.label_map, matte)
            alpha = matte.alpha
            if count in self.states:
                label_maps.append(resize_labels(user.label_map, (self.size, self.size)))
                guess = alpha if seen is guessing else guessing.solve(user.label_map).alpha
                guesses.append(self._small(guess))
        planes = {name: self._small(plane) for name, plane in lesson._asdict().items()}
        if self.detail > 1:
            planes["detailed"] = self._small(lesson.image, self.detail)
        return {**planes, "label_maps": np.stack(label_maps), "guesses": np.stack(guesses)}

    def _small(self, plane: NDArray[np.float32], times: int = 1) -> NDArray[np.uint8]:
        small = cv2.resize(plane, (times * self.size, times * self.size), interpolation=cv2.INTER_AREA)
        return to_bytes(np.clip(small, 0, 1))


def _made_by(solver: str) -> dict[str, Any]:
    """What a solver's mattes, and the answers to them, depend on."""
    named = NamedSolver.read(solver)
    code = ("training/users.py", "training/lessons.py", "robots")
    return made_by(named.make(), named.name, named.arguments, *code)


def _mirrored(state: State) -> State:
    def turned(plane: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(plane[:, ::-1])

    detailed = None if state.detailed is None else turned(state.detailed)
    return State(Lesson(*map(turned, state.lesson)), turned(state.label_map), turned(state.guess), detailed)


def _unit(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    return plane.astype(np.float32) / np.float32(255)
