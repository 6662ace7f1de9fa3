"""Measuring agents by the protocol "regions": one simulated user, one budget, every image once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import product
from json import dumps, loads
from multiprocessing import get_context
from typing import Any, TypeVar

import gymnasium
import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from active_matting.agents import make_agent
from active_matting.envs.regions import RegionsEnv
from active_matting.envs.workers import REGIONS
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer, from_trimap
from active_matting.metrics import all_metrics, rmse
from active_matting.session import Agent
from active_matting.threads import one_thread
from active_matting.types import Alpha

Result = TypeVar("Result")

READ_AT = (1, 5, 10, 15, 20, 25, 30)
"""The queries at which figures are read."""


@dataclass(frozen=True)
class Episode:
    """One agent on one image: an entry per query, the state before the first query first."""

    agent: str
    solver: str
    seed: int
    sample: str
    metrics: tuple[dict[str, float], ...]  # of the matte, by name; see `active_matting.metrics`
    answers: tuple[RegionAnswer, ...]
    trimap_rmse: float | None  # what the solver reaches from the sample's trimap, where it has one
    mattes: dict[int, Alpha] = field(default_factory=dict, repr=False, compare=False)  # those asked for, by query

    @property
    def rmse(self) -> NDArray[np.float64]:
        """After 0, 1, ..., budget queries."""
        return np.array([metrics["rmse"] for metrics in self.metrics])

    def queries_to_trimap(self, slack: float = 0.1) -> int | None:
        """Queries until the RMSE is within `slack` of the trimap's; None where it never is, or there is no trimap."""
        if self.trimap_rmse is None:
            return None
        reached = np.flatnonzero(self.rmse <= (1 + slack) * self.trimap_rmse)
        return int(reached[0]) if len(reached) else None


def play(env: gymnasium.Env[Any, Any], agent: Agent, index: int) -> Iterator[RegionsEnv]:
    """Let `agent` ask about the data's `index`-th image; yields the environment before and after every query.

    The agent is deterministic. Its state is its own business, as with Stable-Baselines3's `evaluate_policy`.
    """
    regions = env.unwrapped
    assert isinstance(regions, RegionsEnv)
    observation, _ = env.reset(options={"index": index})
    state, is_first, has_ended = None, True, False
    yield regions
    while not has_ended:
        action, state = agent.predict(observation, state=state, episode_start=np.array([is_first]), deterministic=True)
        observation, _, has_ended, _, _ = env.step(action)
        is_first = False
        yield regions


def run_episode(
    environment: dict[str, Any],
    agent: str,
    seed: int,
    index: int,
    keep: Sequence[int] = (),
    cache: str | None = None,
) -> Episode:
    """One agent, by name or folder, on one image.

    keep: the queries whose mattes are wanted. cache: see `make_agent`.
    """
    env = _environment(dumps(environment))
    draws = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
    metrics, mattes = [], {}
    for query, state in enumerate(play(env, make_agent(agent, env, draws, cache), index)):
        metrics.append(all_metrics(state.session.alpha, state.sample.alpha))
        if query in keep:
            mattes[query] = state.session.alpha
    return Episode(
        agent=agent,
        solver=environment.get("solver", "shared"),
        seed=seed,
        sample=state.sample.name,
        metrics=tuple(metrics),
        answers=state.session.answers,
        trimap_rmse=_trimap_rmse(state),
        mattes=mattes,
    )


def evaluate(
    environment: dict[str, Any],
    agents: Sequence[str],
    solvers: Sequence[str] = ("shared",),
    seeds: Sequence[int] = (0,),
    limit: int | None = None,
    workers: int = 1,
    cache: str | None = None,
) -> list[Episode]:
    """Every agent with every solver and seed on every image, or the first `limit`, in that order.

    environment: keywords of `ActiveMatting/Regions-v0`. workers: processes; results do not depend on how many. cache:
    the folder in which agents keep what is expensive; see `make_agent`.
    Raises `InvalidArgumentError`, and what the environment and the agents raise.
    """
    if environment.get("candidates", 1) != 1:
        raise InvalidArgumentError(f"candidates must be 1 to evaluate, got {environment['candidates']}")
    settings = [{**environment, "solver": solver} for solver in solvers]
    env, *_ = [gymnasium.make(REGIONS, **each) for each in settings]  # before the workers, for what is compiled
    regions = env.unwrapped
    assert isinstance(regions, RegionsEnv)
    for agent in agents:
        make_agent(agent, env)  # a wrong name should fail before hours of work
    count = len(regions.data) if limit is None else min(limit, len(regions.data))
    tasks = list(product(settings, agents, seeds, range(count)))
    return list(
        tqdm(
            run_all(partial(run_episode, cache=cache), tasks, workers),
            total=len(tasks),
            desc="evaluating",
            unit="image",
        )
    )


def bootstrap_interval(
    values: NDArray[np.float64], level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean of `values` (N,), resampling the N with replacement."""
    rng = np.random.default_rng(seed)
    means = rng.choice(values, size=(resamples, len(values))).mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def rmse_per_image(episodes: Iterable[Episode]) -> dict[str, NDArray[np.float64]]:
    """Each image's RMSE after 0, 1, ... queries, `(budget + 1,)`, averaged over the seeds it was run with."""
    curves: dict[str, list[NDArray[np.float64]]] = {}
    for episode in episodes:
        curves.setdefault(episode.sample, []).append(episode.rmse)
    return {sample: np.mean(runs, axis=0) for sample, runs in curves.items()}


def run_all(run: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], workers: int) -> Iterator[Result]:
    """What `run` returns for each task's arguments, in their order, from so many processes of one thread each.

    workers: 1 runs them here. `run` and all arguments must be picklable.
    """
    if workers == 1:
        yield from (run(*task) for task in tasks)
        return
    # "spawn", as threads of ours may run already, and a forked process would inherit their locks.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        try:
            yield from pool.map(run, *zip(*tasks, strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    import torch  # noqa: F401  (what is loaded later would keep its threads)

    one_thread()


@lru_cache(maxsize=1)
def _environment(arguments: str) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(REGIONS, **loads(arguments))


def _trimap_rmse(state: RegionsEnv) -> float | None:
    if state.sample.trimap is None:
        return None
    matte = state.session.prepared.solve(from_trimap(state.sample.trimap))
    return rmse(matte.alpha, state.sample.alpha)
