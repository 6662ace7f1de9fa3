"""Agents that propose where to ask. To add one: a file in this folder and a line in `AGENTS`."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import gymnasium

from active_matting.checks import check_integer
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.registry import Registry
from active_matting.session import Agent

AGENTS = Registry(
    kind="agent",
    group="active_matting.agents",
    table={
        "small": "active_matting.agents.trained:small_agent",
        "spatial": "active_matting.agents.spatial.agent:spatial_agent",
        "random": "active_matting.agents.baselines.random_regions:RandomAgent",
        "greedy-ideal": "active_matting.agents.baselines.greedy:GreedyIdealAgent",
        "greedy-ideal-lazy": "active_matting.agents.baselines.greedy:lazy_greedy_ideal_agent",
        "error-seeking": "active_matting.agents.baselines.error_seeking:ErrorSeekingAgent",
        "region-cnn": "active_matting.agents.baselines.region_cnn:region_cnn_agent",
        "clustering": "active_matting.agents.baselines.clustering:clustering_agent",
        "highest-uncertainty": "active_matting.agents.baselines.uncertainty:highest_uncertainty_agent",
        "solver-disagreement": "active_matting.agents.baselines.uncertainty:solver_disagreement_agent",
        "coverage": "active_matting.agents.baselines.coverage:coverage_agent",
    },
)


def make_agent(
    name: str,
    env: gymnasium.Env[Any, Any] | None = None,
    seed: int = 0,
    cache: Path | str | None = None,
    **kwargs: Any,
) -> Agent:
    """The agent called `name`; or the trained one in the folder that `name` is the path of.

    A name may carry parameters, as in "greedy-ideal:stride=40"; kwargs do the same. env: where agents that know the
    truth read it. seed: of the agent's own draws. cache: the folder in which agents that can keep what they found, such
    as "greedy-ideal", do so; see `active_matting.cache.Cache`.
    What was made without `env` remembers how in its attribute `made_as`, for sessions that are saved.
    Raises `UnknownNameError`, `InvalidArgumentError`, `FileError`.
    """
    check_integer("seed", seed, at_least=0)
    plain, _, parameters = name.partition(":")
    if plain in AGENTS.names():
        own = {} if cache is None or "cache" not in _parameters(plain) else {"cache": cache}
        agent = cast(Agent, AGENTS.make(plain, env, seed, **_parse(parameters), **kwargs, **own))
    elif Path(name).exists():
        from active_matting.agents.folders import load_folder

        agent, name = load_folder(name, env, seed), str(Path(name).absolute())
    else:
        raise UnknownNameError(f"unknown agent {name!r}; choose from {AGENTS.names()} or give a folder of weights")
    if env is None and hasattr(agent, "__dict__"):
        made_as = {"name": name, "seed": seed, "kwargs": kwargs, "version": AGENTS.version_of(plain)}
        vars(agent)["made_as"] = made_as
    return agent


def load_agent(name: str, seed: int = 0, **kwargs: Any) -> Agent:
    """A learned agent by its name or folder, for use without an environment; see `make_agent`."""
    return make_agent(name, seed=seed, **kwargs)


def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(AGENTS.resolve(name)).parameters


def _parse(parameters: str) -> dict[str, Any]:
    """The keywords in "stride=40,other=0.5"."""
    parsed = {}
    for parameter in filter(None, parameters.split(",")):
        key, _, value = parameter.partition("=")
        try:
            parsed[key] = json.loads(value)
        except ValueError as error:
            raise InvalidArgumentError(f"an agent's parameters are written name=number, got {parameter!r}") from error
    return parsed


__all__ = ["AGENTS", "Agent", "load_agent", "make_agent"]
