"""Measuring agents by the protocol "regions": one simulated user, one budget, every image once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from active_matting.agents import make_agent
from active_matting.agents.episodes import Episode, environment_of, forget_environment, read_at, run_episode
from active_matting.agents.named import NamedAgent, NamedData
from active_matting.agents.processes import processes, run_all
from active_matting.agents.replays import Reference, Transfer, run_references, run_transfer
from active_matting.checks import check_integer
from active_matting.data import make_data
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import InvalidArgumentError
from active_matting.solvers.named import NamedSolver


@dataclass(frozen=True)
class Plan:
    """What is measured: every agent with every solver and seed on every image of every data set.

    environment: further keywords of `ActiveMatting/Regions-v0`, such as `image_size` or `budget`. seeds: a seed and an
    image's number make the seeds of the agent's draws and of those of a user that errs, the same whatever the solver.
    All agents are asked with `deterministic=True`; one that draws nothing then says so by an attribute
    `is_deterministic` that is true, and with the user "exact", who draws nothing either, is run with the first seed
    only. limit: the first so many images of each data set. transfers: whether each sequence, found with one solver, is
    matted with the others too.
    Raises `InvalidArgumentError`, also where two of a kind have one name.
    """

    agents: tuple[NamedAgent, ...]
    solvers: tuple[NamedSolver, ...] = (NamedSolver("shared"),)
    data: tuple[NamedData, ...] = (NamedData("rendered"),)
    environment: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    limit: int | None = None
    transfers: bool = True

    def __post_init__(self) -> None:
        if self.environment.get("candidates", 1) != 1:
            raise InvalidArgumentError(f"candidates must be 1 to evaluate, got {self.environment['candidates']}")
        if self.limit is not None and self.limit < 1:
            raise InvalidArgumentError(f"limit must be at least 1, got {self.limit}")
        for seed in self.seeds:
            check_integer("seed", seed, at_least=0)
        runs = [(agent.label, agent.name, agent.at) for agent in self.agents]
        kinds: tuple[tuple[str, Sequence[Any]], ...] = (
            ("agent", runs),
            ("solver", [solver.label for solver in self.solvers]),
            ("data set", [data.label for data in self.data]),
            ("seed", self.seeds),
        )
        for kind, given in kinds:
            if not given:
                raise InvalidArgumentError(f"at least one {kind} must be given")
            twice = [each for each in given if given.count(each) > 1]
            if twice:
                raise InvalidArgumentError(f"{kind} {twice[0]!r} is given twice; give another name to one of them")

    @property
    def budget(self) -> int:
        """Queries of an episode."""
        return int(self.environment.get("budget", 20))

    def settings(self) -> Iterator[tuple[NamedData, NamedSolver, dict[str, Any]]]:
        """Each data set with each solver, and the keywords of their environment."""
        for data, solver in product(self.data, self.solvers):
            own = {"data": data.data, "data_kwargs": data.data_kwargs}
            yield data, solver, {**self.environment, **own, "solver": solver.name, "solver_kwargs": solver.arguments}


@dataclass(frozen=True)
class Results:
    """What was measured, in the plan's order."""

    plan: Plan
    episodes: tuple[Episode, ...]
    references: tuple[Reference, ...]
    transfers: tuple[Transfer, ...]


def measure(plan: Plan, workers: int = 1, cache: str | None = None, kept: str | None = None) -> Results:
    """Carry out a plan, with progress bars.

    workers: processes; results do not depend on how many. cache: the folder in which agents keep what is expensive; see
    `make_agent`. kept: the folder in which each result is kept when it is there, so that a plan that was interrupted,
    or killed, goes on, and a longer one takes over what it has in common; what other images, code, weights or rules
    made is not taken for it. Raises `InvalidArgumentError`, `WorkerLostError`, and what the environment and the agents
    raise.
    """
    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}")
    episodes = _episode_tasks(plan, cache, kept)
    settings = list(plan.settings())
    counts = {data.label: _count(plan, data) for data in plan.data}
    of_image = [(own, index, kept, data.label) for data, _, own in settings for index in range(counts[data.label])]
    with processes(workers) as run_with:
        references = run_with(run_references, of_image, "references")
        played = run_with(_run_episode, episodes, "evaluating")
        matted = run_with(run_transfer, _transfer_tasks(plan, episodes, played, kept), "transferring")
    return Results(plan, tuple(played), tuple(each for told in references for each in told), tuple(matted))


def evaluate(
    environment: dict[str, Any],
    agents: Sequence[str],
    solvers: Sequence[str] = ("shared",),
    seeds: Sequence[int] = (0,),
    limit: int | None = None,
    workers: int = 1,
    cache: str | None = None,
) -> list[Episode]:
    """The episodes of every agent with every solver and seed on every image of one data set, in that order.

    environment: keywords of `ActiveMatting/Regions-v0`. The rest, and what it raises: see `Plan` and `measure`.
    """
    rest = {name: value for name, value in environment.items() if name not in ("data", "data_kwargs", "solver_kwargs")}
    plan = Plan(
        agents=tuple(NamedAgent(name, name) for name in agents),
        solvers=tuple(NamedSolver(name, environment.get("solver_kwargs", {})) for name in solvers),
        data=(NamedData("", environment.get("data", "rendered"), environment.get("data_kwargs", {})),),
        environment=rest,
        seeds=tuple(seeds),
        limit=limit,
    )
    return run_all(_run_episode, _episode_tasks(plan, cache, None), workers, "evaluating")


Task = tuple[dict[str, Any], NamedAgent, int, int, str | None, str | None, str]
"""Environment, agent, seed, index, cache, kept, data: see `run_episode`."""


def _run_episode(
    environment: dict[str, Any],
    agent: NamedAgent,
    seed: int,
    index: int,
    cache: str | None,
    kept: str | None,
    data: str,
) -> Episode:
    return run_episode(environment, agent, seed, index, cache=cache, kept=kept, data=data)


def _episode_tasks(plan: Plan, cache: str | None, kept: str | None) -> list[Task]:
    """All episodes of a plan. What is wrong in it fails here, before hours of work, and what is compiled is."""
    forget_environment()  # files may have changed since an earlier call
    tasks: list[Task] = []
    for data, _, environment in plan.settings():
        env = environment_of(environment)
        indices = range(_count(plan, data))
        for agent in plan.agents:
            if agent.at is not None and agent.at > plan.budget:
                raise InvalidArgumentError(f"agent {agent.label!r} needs a budget of {agent.at}, got {plan.budget}")
            seeds = plan.seeds[:1] if _draws_nothing(env, agent) else plan.seeds
            tasks += [(environment, agent, *each, cache, kept, data.label) for each in product(seeds, indices)]
    return tasks


def _draws_nothing(env: RegionsEnv, agent: NamedAgent) -> bool:
    """Whether all seeds would give the same episode."""
    is_deterministic = getattr(make_agent(agent.name, env), "is_deterministic", False)
    return bool(is_deterministic) and env.settings.annotator == "exact"


def _count(plan: Plan, data: NamedData) -> int:
    return len(range(len(make_data(data.data, **data.data_kwargs)))[: plan.limit])


def _transfer_tasks(
    plan: Plan, tasks: Sequence[Task], episodes: Sequence[Episode], kept: str | None
) -> list[tuple[dict[str, Any], Episode, tuple[int, ...], int, str | None]]:
    """Every episode with every solver of the same data set but its own."""
    if not plan.transfers:
        return []
    of_index = [(task[3], episode) for task, episode in zip(tasks, episodes, strict=True)]
    return [
        (environment, episode, read_at(plan.budget), index, kept)
        for data, solver, environment in plan.settings()
        for index, episode in of_index
        if episode.data == data.label and episode.solver != solver.label
    ]
