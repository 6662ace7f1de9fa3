"""Agents that propose where to ask. To add one: a file in this folder and a line in `AGENTS`."""

from pathlib import Path
from typing import Any, cast

import gymnasium

from active_matting.errors import UnknownNameError
from active_matting.registry import Registry
from active_matting.session import Agent

AGENTS = Registry(
    kind="agent",
    group="active_matting.agents",
    table={
        "random": "active_matting.agents.baselines:RandomAgent",
        "greedy-ideal": "active_matting.agents.baselines:GreedyIdealAgent",
        "error-seeking": "active_matting.agents.baselines:ErrorSeekingAgent",
    },
)


def make_agent(name: str, env: gymnasium.Env[Any, Any] | None = None, seed: int = 0, **kwargs: Any) -> Agent:
    """The agent called `name`; or the trained one in the folder that `name` is the path of.

    env: where agents that know the truth read it. seed: of the agent's own draws.
    Raises `UnknownNameError`, `InvalidArgumentError`, `FileError`.
    """
    if name in AGENTS.names():
        return cast(Agent, AGENTS.make(name, env, seed, **kwargs))
    if Path(name).exists():
        from active_matting.agents.trained import ReinforceAgent

        return cast(Agent, ReinforceAgent.load(name, seed))
    raise UnknownNameError(f"unknown agent {name!r}; choose from {AGENTS.names()} or give a folder of weights")


__all__ = ["AGENTS", "Agent", "make_agent"]
