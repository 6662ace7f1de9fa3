"""Agents that are not learned: what a learned one must beat, and what it cannot."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from active_matting.agents.sequences import KeptSequence
from active_matting.annotators import ExactAnnotator
from active_matting.cache import Cache
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer
from active_matting.metrics import mse
from active_matting.observations import Observation
from active_matting.regions import Region, region_grid, region_to_action
from active_matting.robots import most_wrong_region
from active_matting.types import Label


class RandomAgent:
    """B4: regions drawn uniformly over the image (Active Matting, sec. 3.1)."""

    def __init__(self, env: gymnasium.Env[Any, Any] | None = None, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """See `Agent.predict`."""
        shape = np.shape(observation["location"])
        return self._rng.uniform(-1, 1, shape).astype(np.float32), None


class GreedyIdealAgent:
    """B1: at each step the region whose answer lowers the error most, by trying them (Active Matting, sec. 3.1).

    It knows the true alpha: it reads it, and the session, from `env`. Tried are the cells of a grid, `stride` pixels
    apart (default: the region's side), that are purely foreground or background; others would be skipped. Among
    equals the first by row and column is taken; so it is at the first query, after which all mattes are as bad.
    cache: a folder, of which see `active_matting.cache.Cache`, where the sequence of each image is kept and found again
    (see `KeptSequence`); None for none.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any] | None,
        seed: int = 0,
        stride: int | None = None,
        cache: Path | str | None = None,
    ) -> None:
        if stride is not None and stride < 1:
            raise InvalidArgumentError(f"stride must be at least 1 pixel, got {stride}")
        self._env = _environment_of_truth(env)
        self._stride = stride
        self._cache = None if cache is None else Cache(cache)
        self._kept: KeptSequence | None = None  # of the episode that was seen last

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """See `Agent.predict`; one observation at a time."""
        kept = self._sequence()
        best = None if kept is None else kept.next()
        if best is None:
            best = self._best_of_all()
            if kept is not None and best is not None:
                kept.add(best)
        if best is None:  # all that is pure is known: ask anywhere
            return _shaped(np.zeros(2, dtype=np.float32), observation), None
        return _shaped(region_to_action(best, self._env.session.shape), observation), None

    def _sequence(self) -> KeptSequence | None:
        """What is kept of the episode that the environment is in."""
        if self._cache is not None and (self._kept is None or self._kept.session is not self._env.session):
            self._kept = KeptSequence(self._cache, self._env, self._stride)
        return self._kept

    def _best_of_all(self) -> Region | None:
        session, truth = self._env.session, self._env.sample.alpha
        answers = self._untold_answers()
        if not answers:
            return None
        errors = [mse(alpha, truth) for alpha in session.preview(answers)]
        return answers[int(np.argmin(errors))].region

    def _untold_answers(self) -> list[RegionAnswer]:
        """The answers that would tell something new, to every cell of the grid."""
        session, truth = self._env.session, self._env.sample.alpha
        annotator = ExactAnnotator(truth)
        answers = []
        for region in region_grid(session.region_size, session.shape, self._stride):
            label = annotator.answer(region)
            if label != Label.TRANSITION and (session.label_map[region.slices] != label).any():
                answers.append(RegionAnswer(region, label))
        return answers


class ErrorSeekingAgent:
    """Asks where the matte is most wrong, as `active_matting.robots.most_wrong_region` says; a bound, as B1 is.

    It knows the true alpha: it reads it, and the session, from `env`.
    """

    def __init__(self, env: gymnasium.Env[Any, Any] | None, seed: int = 0) -> None:
        self._env = _environment_of_truth(env)

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """See `Agent.predict`; one observation at a time."""
        session, truth = self._env.session, self._env.sample.alpha
        region = most_wrong_region(truth, session.alpha, session.label_map, session.region_size)
        return _shaped(region_to_action(region, session.shape), observation), None


def _shaped(action: NDArray[np.float32], observation: Observation) -> NDArray[np.float32]:
    """The action as the observation is, single or a batch of one."""
    shape = observation["location"].shape
    if shape not in ((2,), (1, 2)):
        raise InvalidArgumentError(f"an agent that knows the truth acts in one environment at a time, got {shape[0]}")
    return action.reshape(shape)


def _environment_of_truth(env: gymnasium.Env[Any, Any] | None) -> RegionsEnv:
    regions = None if env is None else env.unwrapped
    if not isinstance(regions, RegionsEnv):
        raise InvalidArgumentError(f"this agent knows the truth and needs the environment that has it, got {env!r}")
    return regions
