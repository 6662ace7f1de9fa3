"""Agents that lie in folders, each of the kind that its `config.json` names."""

from pathlib import Path
from typing import Any, cast

import gymnasium

from active_matting.agents.trained import load_reinforce
from active_matting.files import read_json
from active_matting.session import Agent


def load_folder(folder: Path | str, env: gymnasium.Env[Any, Any] | None = None, seed: int = 0) -> Agent:
    """The agent of a folder. env: whose regions' size an agent that works on a grid takes. Raises `FileError`."""
    path = Path(folder) / "config.json"
    content = read_json(path) if path.exists() else None
    if isinstance(content, dict) and content.get("agent") == "spatial":
        from active_matting.agents.spatial.agent import SpatialAgent, cells_of

        return SpatialAgent.load(folder, seed, cells_of(env))
    return cast(Agent, load_reinforce(folder, seed))
