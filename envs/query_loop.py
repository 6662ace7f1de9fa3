"""Episodes of queries with a simulated user: all of an environment but Gymnasium's face and the solving.

A step is `ask`, which says what has to be solved, and `tell`, which is told the mattes. Between the two a single
environment solves for itself, and a batch for all of its loops at once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from active_matting.annotators import Annotator
from active_matting.data import DataSource, Sample
from active_matting.data.order import draw_sample, make_order, read_sample
from active_matting.envs.rewards import find_reward
from active_matting.envs.settings import Settings
from active_matting.errors import InvalidArgumentError, SolverFailedError
from active_matting.labels import RegionAnswer, record, tells
from active_matting.metrics import rmse
from active_matting.observations import Observation
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.solvers import Solver
from active_matting.types import Alpha


class Outcome(NamedTuple):
    """What a step returns besides the observation."""

    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


class QueryLoop:
    """One simulated user's episodes; see this module."""

    sample: Sample
    """The image being matted, resized, and its true alpha."""
    session: QuerySession
    """The interactive loop that the queries drive."""
    annotator: Annotator
    """Who answers."""

    def __init__(self, settings: Settings, data: DataSource, solver: Solver) -> None:
        self.settings, self.data, self.solver = settings, data, solver
        self.rewards: list[float] = []  # of the episode so far
        self.rmse = 0.0  # of the current matte
        self._order = make_order(settings.order, len(data))
        self._reward = find_reward(settings.reward)
        self._is_over = True

    def begin(self, rng: np.random.Generator, options: dict[str, Any] | None, is_seeded: bool) -> dict[str, Any]:
        """Start an episode, and return its info. `options={"index": i}` chooses the i-th sample.

        is_seeded: `rng` begins anew, and so does the order of samples. Raises `InvalidArgumentError` and `FileError`.
        """
        self._is_over = True
        if is_seeded:
            self._order.restart()
        index, sample = self._choose(rng, (options or {}).get("index"))
        settings = self.settings
        self.sample = sample.resized(settings.image_size)
        self.annotator = settings.make_annotator(self.sample.alpha, rng)
        try:
            self.session = QuerySession(
                self.sample.image,
                self.solver,
                region_size=settings.region_size,
                budget=settings.budget,
                protocol=settings.protocol,
            )
            alpha = self.session.alpha
        except Exception as error:
            raise self._failure(error, query=0) from error
        self._index, self.rmse, self.rewards, self._is_over = index, rmse(alpha, self.sample.alpha), [], False
        return {"rmse": self.rmse, "sample": index, "seconds": self.annotator.seconds}

    def ask(self, regions: Sequence[Region]) -> NDArray[np.int8]:
        """Have the user answer; returns the label maps, `(K, H, W)`, whose alphas `tell` needs; K may be 0."""
        if self._is_over:
            raise ResetNeeded("the episode is over, or none was begun: call reset")
        self._answers = [RegionAnswer(region, self.annotator.answer(region)) for region in regions]
        now = self.session.label_map
        maps = [None if self._is_skipped(said) else record(now, said, self.session.protocol) for said in self._answers]
        # What is said twice changes nothing either: such a map needs no solving.
        self._needs_solving = [after is not None and not np.array_equal(after, now) for after in maps]
        needed = [after for after, is_needed in zip(maps, self._needs_solving, strict=True) if is_needed]
        return np.array(needed, dtype=np.int8).reshape(-1, *now.shape)

    def tell(self, alphas: NDArray[np.float32]) -> Outcome:
        """End the step with the alphas, float32 `(K, H, W)`, of what `ask` returned."""
        solved = iter(alphas)
        mattes = [next(solved) if is_needed else self.session.alpha for is_needed in self._needs_solving]
        errors = np.array([self._error(matte) for matte in mattes])
        rewards = self._reward(self.rmse, errors)
        best = int(errors.argmin())
        said = self._answers[best]
        self.session.answer(said.region, said.label, alpha=mattes[best])
        self.rmse = float(errors[best])
        self.rewards.append(float(rewards[best]))
        self._is_over = len(self.session.interactions) >= self.settings.budget
        info = {
            "rmse": self.rmse,
            "sample": self._index,
            "seconds": self.annotator.seconds,
            "label": int(said.label),
            "committed": best,
            "rewards": rewards,
            "skipped": np.array([self._is_skipped(answer) for answer in self._answers]),
        }
        return Outcome(self.rewards[-1], self._is_over, False, info)

    def fail(self, error: Exception) -> Outcome:
        """End the episode because the solver raised `error`. Raises `SolverFailedError`, or returns a truncation."""
        self._is_over = True
        failure = self._failure(error, query=len(self.session.interactions) + 1)
        if self.settings.solver_failure == "raise":
            raise failure from error
        info = {"rmse": self.rmse, "sample": self._index, "seconds": self.annotator.seconds, "error": str(failure)}
        return Outcome(0.0, False, True, info)

    def observe(self) -> Observation:
        """What an agent sees now, in arrays of its own."""
        observation = self.session.observation()
        observation["image"] = observation["image"].copy()  # callers may write to what they were given
        return observation

    def _choose(self, rng: np.random.Generator, index: Any) -> tuple[int, Sample]:
        if index is None:
            return draw_sample(self.data, self._order, rng, self.settings.unreadable)
        if not 0 <= index < len(self.data):
            raise InvalidArgumentError(f"index must be from 0 to {len(self.data) - 1}, got {index}")
        return int(index), read_sample(self.data, index)

    def _error(self, matte: Alpha) -> float:
        return self.rmse if matte is self.session.alpha else rmse(matte, self.sample.alpha)

    def _is_skipped(self, answer: RegionAnswer) -> bool:
        return not tells(answer.label, self.session.protocol)

    def _failure(self, error: Exception, query: int) -> SolverFailedError:
        when = f"at query {query}" if query else "before the first query"
        failed = f"solver {self.settings.solver!r} failed on image {self.sample.name!r} {when}"
        return SolverFailedError(f"{failed}: {type(error).__name__}: {error}")
