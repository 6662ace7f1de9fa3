"""B1: the greedy ideal sequence, by trying cells."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.baselines.search import exhaustive, lazy, unknown_drops
from active_matting.agents.baselines.sequences import KeptSequence
from active_matting.agents.baselines.truth import AnyEnv, Truth, actions_for, truths_of
from active_matting.annotators import ExactAnnotator
from active_matting.cache import Cache
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer
from active_matting.observations import Observation
from active_matting.regions import Region, region_grid
from active_matting.session import QuerySession
from active_matting.types import Label


class GreedyIdealAgent:
    """B1: at each step the region whose answer lowers the error most, by trying them (Active Matting, sec. 3.1).

    It knows the true alpha: it reads it, and the session, from `env`, a single environment or a batch. Tried are the
    cells of a grid, `stride` pixels apart (default: the region's side), that are purely foreground or background;
    others would be skipped. Among equals the first by row and column is taken; so it is at the first query, after
    which all mattes are as bad.

    patience: None tries all of them; a number leaves out those that will hardly win, see
    `active_matting.agents.baselines.search.lazy`: a heuristic, which may miss the best. cache: a folder, of which see
    `active_matting.cache.Cache`, where the sequence of each image is kept and found again (see `KeptSequence`); None
    for none. Raises `InvalidArgumentError`.
    """

    is_deterministic = True
    """It draws nothing; see `active_matting.agents.evaluate`."""

    def __init__(
        self,
        env: AnyEnv,
        seed: int = 0,
        stride: int | None = None,
        patience: int | None = None,
        cache: Path | str | None = None,
    ) -> None:
        for name, value in (("stride", stride), ("patience", patience)):
            if value is not None and value < 1:
                unit = "pixel" if name == "stride" else "cell"
                raise InvalidArgumentError(f"{name} must be at least 1 {unit}, got {value}")
        self._truths = truths_of(env)
        self._stride = stride
        self._patience = patience
        self._cache = None if cache is None else Cache(cache)
        self._episodes: list[IdealSearch] = []  # those that were seen last

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """See `Agent.predict`. Raises `InvalidArgumentError` for other than its environment's observations."""
        truths = self._truths()
        known = {id(episode.truth.session): episode for episode in self._episodes}
        self._episodes = [known.get(id(truth.session)) or self._begin(truth) for truth in truths]
        episodes = {id(episode.truth.session): episode for episode in self._episodes}
        return actions_for(truths, lambda truth: episodes[id(truth.session)].next(), observation), None

    def _begin(self, truth: Truth) -> "IdealSearch":
        return IdealSearch(truth, self._stride, self._patience, self._cache)


def lazy_greedy_ideal_agent(
    env: AnyEnv, seed: int = 0, stride: int | None = None, patience: int = 48, cache: Path | str | None = None
) -> GreedyIdealAgent:
    """B1 by the search that leaves out cells that will hardly win; see `GreedyIdealAgent`."""
    return GreedyIdealAgent(env, seed, stride, patience, cache)


class IdealSearch:
    """B1's search in one episode; stride, patience, cache: see `GreedyIdealAgent`."""

    def __init__(self, truth: Truth, stride: int | None, patience: int | None, cache: Cache | None) -> None:
        self.truth = truth
        self._patience = patience
        self._cells = region_grid(truth.session.region_size, truth.session.shape, stride)
        annotator = ExactAnnotator(truth.alpha)
        self._labels = [annotator.answer(region) for region in self._cells]
        self._drops = unknown_drops(len(self._cells))
        self._drops_after = len(truth.session.interactions)  # how much was said when `_drops` were last brought up
        self._kept = None if cache is None else KeptSequence(cache, truth, stride, patience)
        self._answer = annotator.answer

    def follow(self, queries: int) -> list[Region]:
        """Ask so many queries, answer each as it truly is, and return their regions."""
        regions = []
        for _ in range(queries):
            regions.append(self.next())
            self.truth.session.answer(regions[-1], self._answer(regions[-1]))
        return regions

    def next(self) -> Region:
        """Where to ask now; the innermost place where all that is pure is told."""
        session, kept = self.truth.session, self._kept
        known = None if kept is None else kept.next()
        if known is not None:
            region, drops = known
            self._drops = unknown_drops(len(self._cells)) if drops is None else drops
            self._drops_after = len(session.interactions) + 1
            return region
        chosen = self._search(session)
        if chosen is None:
            return session.region_of(np.zeros(2))
        if kept is not None:
            kept.add(chosen, self._drops)
        return chosen

    def _search(self, session: QuerySession) -> Region | None:
        if self._drops_after != len(session.interactions):  # others asked, or an answer was taken back
            self._drops = unknown_drops(len(self._cells))
        self._drops_after = len(session.interactions) + 1
        answers: dict[int, RegionAnswer] = {}
        for number, (region, label) in enumerate(zip(self._cells, self._labels, strict=True)):
            if label != Label.TRANSITION and (session.label_map[region.slices] != label).any():
                answers[number] = RegionAnswer(region, label)
        if not answers:
            return None
        if self._patience is None:
            return self._cells[exhaustive(self.truth, answers)]
        best, self._drops = lazy(self.truth, answers, self._drops, self._patience)
        return self._cells[best]
