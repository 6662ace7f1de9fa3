"""One agent on one image by the protocol "regions": what it asked, and how far the matte was from the truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from json import dumps, loads
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from active_matting.agents import make_agent
from active_matting.agents.kept import asked_by
from active_matting.agents.named import NamedAgent
from active_matting.cache import Arrays, Cache, hash_of_arrays, make_key
from active_matting.data import Sample
from active_matting.data.order import read_sample
from active_matting.envs.regions import RegionsEnv
from active_matting.kept import made_by
from active_matting.labels import RegionAnswer
from active_matting.metrics import METRICS, all_metrics, rmse
from active_matting.regions import Region
from active_matting.session import Agent
from active_matting.solvers.named import NamedSolver
from active_matting.types import Alpha, Label

KIND = "episode"

READ_AT = (1, 5, 10, 15, 20, 25, 30)
"""The queries at which figures are read, and at which all metrics are taken; so they are at the last one."""


@dataclass(frozen=True)
class Episode:
    """One agent on one image: an entry per query, the state before the first query first."""

    agent: str  # its label
    solver: str  # its label
    seed: int
    sample: str
    metrics: tuple[dict[str, float], ...]  # of the matte: "rmse" always, all of `METRICS` where figures are read
    answers: tuple[RegionAnswer, ...]
    data: str = ""  # its label
    run: str = ""  # the name or the folder that `make_agent` was given
    at: int | None = None  # see `NamedAgent`
    mattes: dict[int, Alpha] = field(default_factory=dict, repr=False, compare=False)  # those asked for, by query

    @property
    def rmse(self) -> NDArray[np.float64]:
        """After 0, 1, ..., budget queries."""
        return np.array([metrics["rmse"] for metrics in self.metrics])

    def after(self, query: int, metric: str = "rmse") -> float | None:
        """A metric after so many queries; None where it was not measured, or does not count."""
        if query >= len(self.metrics) or self.at not in (None, query):
            return None
        return self.metrics[query].get(metric)

    def queries_to(self, bound: float) -> int | None:
        """Queries until the RMSE is at most `bound`; None where it never is."""
        reached = np.flatnonzero(self.rmse <= bound)
        return int(reached[0]) if len(reached) and self.at is None else None


class Identity(NamedTuple):
    """What a sample, as it is resized, is known by."""

    name: str
    content: str  # a hash of image and alpha
    trimap: str | None  # a hash of that, where there is one


_identities: dict[str, Identity] = {}


def read_at(budget: int) -> tuple[int, ...]:
    """The queries of an episode at which all metrics are taken.

    >>> read_at(12)
    (1, 5, 10, 12)
    """
    return (*(query for query in READ_AT if query < budget), budget)


def play(env: gymnasium.Env[Any, Any], agent: Agent, index: int, seed: int | None = None) -> Iterator[RegionsEnv]:
    """Let `agent` ask about the data's `index`-th image; yields the environment before and after every query.

    seed: of the simulated user, should it draw. The agent is deterministic. Its state is its own business, as with
    Stable-Baselines3's `evaluate_policy`.
    """
    regions = env.unwrapped
    assert isinstance(regions, RegionsEnv)
    observation, _ = env.reset(seed=seed, options={"index": index})
    state, is_first, has_ended = None, True, False
    yield regions
    while not has_ended:
        action, state = agent.predict(observation, state=state, episode_start=np.array([is_first]), deterministic=True)
        observation, _, has_ended, _, _ = env.step(action)
        is_first = False
        yield regions


def run_episode(
    environment: dict[str, Any],
    agent: NamedAgent | str,
    seed: int,
    index: int,
    keep: Sequence[int] = (),
    cache: str | None = None,
    kept: str | None = None,
    data: str = "",
) -> Episode:
    """One agent on one image.

    environment: keywords of `ActiveMatting/Regions-v0`. seed: with `index` it makes the seeds of the agent and of the
    simulated user, so that no two images are asked about by the same draws. keep: the queries whose mattes are wanted;
    such an episode is always played. cache: of the agent, see `make_agent`. kept: the folder of a `Cache` in which the
    episode is kept when it is done, and found again. data: what the data are called.
    """
    if isinstance(agent, str):
        agent = NamedAgent(agent, agent)
    if agent.at is not None:
        environment = {**environment, "budget": agent.at}
    env = environment_of(environment)
    draws, answering = (int(each) for each in np.random.SeedSequence([seed, index]).generate_state(2))
    player = make_agent(agent.name, env, draws, cache)
    mattes: dict[int, Alpha] = {}

    def made() -> Arrays:
        wanted = read_at(env.settings.budget)
        metrics = []
        for query, _ in enumerate(play(env, player, index, answering)):
            alpha, truth = env.session.alpha, env.sample.alpha
            metrics.append(all_metrics(alpha, truth) if query in wanted else {"rmse": rmse(alpha, truth)})
            if query in keep:
                mattes[query] = alpha
        return _to_arrays(env.session.answers, metrics)

    if kept is None or keep:
        arrays, name = made(), env.sample.name
    else:
        identity = identity_of(env, index)
        asking = {**asked_by(player, agent.name), "draws": [draws, answering], "budget": env.settings.budget}
        arrays = Cache(kept).arrays(KIND, key_of(env, identity, "agents/episodes.py", **asking), made)
        name = identity.name
    answers, metrics = _from_arrays(arrays, env.settings.region_size)
    solver = NamedSolver(env.settings.solver, env.settings.solver_kwargs).label
    return Episode(agent.label, solver, seed, name, metrics, answers, data, agent.name, agent.at, mattes)


def environment_of(arguments: dict[str, Any]) -> RegionsEnv:
    """The environment of these keywords; the last one of this process is used again."""
    return _environment(dumps(arguments))


def forget_environment() -> None:
    """Make the next one anew, whatever its keywords, and look at samples again."""
    _environment.cache_clear()
    _identities.clear()


def sample_of(env: RegionsEnv, index: int) -> Sample:
    """The data's `index`-th sample as the environment resizes it. Raises `FileError`."""
    return read_sample(env.data, index).resized(env.settings.image_size)


def identity_of(env: RegionsEnv, index: int) -> Identity:
    """What the data's `index`-th sample is known by; it is read once in a process. Raises `FileError`."""
    settings = env.settings
    place = dumps([settings.data, settings.data_kwargs, settings.image_size, index], sort_keys=True)
    if place not in _identities:
        sample = sample_of(env, index)
        trimap = None if sample.trimap is None else hash_of_arrays(sample.trimap)
        _identities[place] = Identity(sample.name, hash_of_arrays(sample.image, sample.alpha), trimap)
    return _identities[place]


def key_of(env: RegionsEnv, sample: Identity, *code: str, **more: Any) -> str:
    """The key of a result that depends on the sample, the solver, the rules of asking, `more`, and `code`."""
    settings = env.settings
    files = ("session", "observations.py", "annotators", "robots", "envs", *code)
    rules = ("region_size", "protocol", "annotator", "annotator_kwargs")
    return make_key(
        content=sample.content,
        **made_by(env.solver, settings.solver, settings.solver_kwargs, *files),
        rules={name: getattr(settings, name) for name in rules},
        **more,
    )


@lru_cache(maxsize=1)
def _environment(arguments: str) -> RegionsEnv:
    return RegionsEnv(**loads(arguments))


def _to_arrays(answers: Sequence[RegionAnswer], metrics: Sequence[dict[str, float]]) -> Arrays:
    """`answers` int64 (N, 3), y, x, label; each metric float64 (N + 1,), NaN where it was not taken."""
    said = [(answer.region.y, answer.region.x, answer.label) for answer in answers]
    values = {name: np.array([told.get(name, np.nan) for told in metrics]) for name in METRICS}
    return {"answers": np.array(said, dtype=np.int64).reshape(-1, 3), **values}


def _from_arrays(arrays: Arrays, side: int) -> tuple[tuple[RegionAnswer, ...], tuple[dict[str, float], ...]]:
    answers = tuple(RegionAnswer(Region(y, x, side), Label(label)) for y, x, label in arrays["answers"].tolist())
    metrics = tuple(
        {name: float(arrays[name][query]) for name in METRICS if not np.isnan(arrays[name][query])}
        for query in range(len(answers) + 1)
    )
    return answers, metrics
