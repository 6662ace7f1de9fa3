"""What solvers make of other inputs than an agent's own questions: trimaps, all pure regions, another's sequence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from active_matting.agents.episodes import Episode, environment_of, identity_of, key_of, sample_of
from active_matting.annotators import ExactAnnotator
from active_matting.cache import Arrays, Cache
from active_matting.data import Sample
from active_matting.envs.regions import RegionsEnv
from active_matting.labels import RegionAnswer, from_trimap, rasterise
from active_matting.metrics import METRICS, all_metrics, rmse
from active_matting.regions import region_grid
from active_matting.session import QuerySession
from active_matting.solvers.named import NamedSolver
from active_matting.types import LabelMap

TRIMAP, ALL_PURE = "trimap", "all pure"
"""Inputs that nobody asked for: the sample's trimap; every region of the grid that is purely one or the other."""


@dataclass(frozen=True)
class Reference:
    """What a solver reaches on one image from `TRIMAP` or `ALL_PURE`."""

    data: str
    solver: str
    sample: str
    given: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Transfer:
    """An agent's questions, asked seeing one solver's mattes, answered, and matted by another one."""

    data: str
    agent: str
    run: str
    seed: int
    sample: str
    asked_with: str
    matted_with: str
    rmse: dict[int, float]  # after each query that figures are read at


def run_references(environment: dict[str, Any], index: int, kept: str | None = None, data: str = "") -> list[Reference]:
    """What the environment's solver reaches on the data's `index`-th image; of a trimap only where there is one.

    kept, data: as in `run_episode`.
    """
    env = environment_of(environment)
    identity = identity_of(env, index)
    inputs = [ALL_PURE] if identity.trimap is None else [TRIMAP, ALL_PURE]
    return [Reference(data, _label(env), identity.name, given, _measured(env, index, given, kept)) for given in inputs]


def pure_regions(sample: Sample, side: int) -> LabelMap:
    """The label map of every region of the grid, of `side` pixels, that is purely foreground or background."""
    annotator = ExactAnnotator(sample.alpha)
    grid = region_grid(side, sample.shape)
    return rasterise([RegionAnswer(region, annotator.answer(region)) for region in grid], sample.shape)


def run_transfer(
    environment: dict[str, Any],
    episode: Episode,
    queries: Sequence[int],
    index: int,
    kept: str | None = None,
) -> Transfer:
    """What the environment's solver makes of an episode's answers on the same image, the data's `index`-th.

    queries: those after which the matte is measured. One solve for each of them, but for solvers that have to be shown
    every matte before. kept: as in `run_episode`.
    """
    env = environment_of(environment)
    queries = [query for query in queries if episode.after(query) is not None]

    def made() -> Arrays:
        return {"rmse": np.array(_replayed(env, index, episode.answers, queries))}

    if kept is None:
        errors = made()["rmse"]
    else:
        said = [[answer.region.y, answer.region.x, int(answer.label)] for answer in episode.answers]
        key = key_of(env, identity_of(env, index), "agents/replays.py", said=said, queries=queries)
        errors = Cache(kept).arrays("transfer", key, made)["rmse"]
    return Transfer(
        data=episode.data,
        agent=episode.agent,
        run=episode.run,
        seed=episode.seed,
        sample=episode.sample,
        asked_with=episode.solver,
        matted_with=_label(env),
        rmse=dict(zip(queries, errors.tolist(), strict=True)),
    )


def _replayed(env: RegionsEnv, index: int, answers: Sequence[RegionAnswer], queries: Sequence[int]) -> list[float]:
    sample = sample_of(env, index)
    session = QuerySession(
        sample.image, env.solver, region_size=env.settings.region_size, protocol=env.settings.protocol
    )
    errors = []
    for query, answer in enumerate(answers, start=1):
        session.answer(answer.region, answer.label)
        if query in queries:
            errors.append(rmse(session.alpha, sample.alpha))
    return errors


def _measured(env: RegionsEnv, index: int, given: str, kept: str | None) -> dict[str, float]:
    def made() -> Arrays:
        sample = sample_of(env, index)
        if given == TRIMAP and sample.trimap is not None:
            label_map = from_trimap(sample.trimap)
        else:
            label_map = pure_regions(sample, env.settings.region_size)
        told = all_metrics(env.solver.prepare(sample.image).solve(label_map).alpha, sample.alpha)
        return {name: np.array([value]) for name, value in told.items()}

    if kept is None:
        arrays = made()
    else:
        identity = identity_of(env, index)
        trimap = identity.trimap if given == TRIMAP else None
        key = key_of(env, identity, "agents/replays.py", given=given, trimap=trimap)
        arrays = Cache(kept).arrays("reference", key, made)
    return {name: float(arrays[name][0]) for name in METRICS}


def _label(env: RegionsEnv) -> str:
    return NamedSolver(env.settings.solver, env.settings.solver_kwargs).label
