"""Agents that propose where to ask. To add one: a file in this folder and a line in `AGENTS`."""

import inspect
import json
from pathlib import Path
from typing import Any, cast

import gymnasium

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
    Raises `UnknownNameError`, `InvalidArgumentError`, `FileError`.
    """
    plain, _, parameters = name.partition(":")
    if plain in AGENTS.names():
        if cache is not None and "cache" in inspect.signature(AGENTS.resolve(plain)).parameters:
            kwargs["cache"] = cache
        return cast(Agent, AGENTS.make(plain, env, seed, **_parse(parameters), **kwargs))
    if Path(name).exists():
        from active_matting.agents.folders import load_folder

        return load_folder(name, env, seed)
    raise UnknownNameError(f"unknown agent {name!r}; choose from {AGENTS.names()} or give a folder of weights")


def load_agent(name: str, seed: int = 0, **kwargs: Any) -> Agent:
    """A learned agent by its name or folder, for use without an environment; see `make_agent`."""
    return make_agent(name, seed=seed, **kwargs)


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
