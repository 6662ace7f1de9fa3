"""Trained agents as folders of weights, and the one that comes with the package."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from active_matting.agents.networks import PolicyConfig
from active_matting.agents.policy import ReinforcePolicy, make_policy
from active_matting.errors import FileError
from active_matting.files import read_json, write_json, written_whole

WEIGHTS, CONFIG = "weights.safetensors", "config.json"


def save_agent(policy: ReinforcePolicy, folder: Path | str, card: Mapping[str, Any] | None = None) -> None:
    """Write weights (safetensors) and, with `card`, the config (JSON) to `folder`. Raises `FileError`."""
    folder = Path(folder)
    tensors = {name: tensor.contiguous() for name, tensor in policy.network.state_dict().items()}
    with written_whole(folder / WEIGHTS) as temporary:
        safetensors.torch.save_file(tensors, temporary)
    content = {
        "agent": "reinforce",
        "policy": asdict(policy.config),
        "deviation": policy.deviation,
        "card": dict(card or {}),
    }
    write_json(folder / CONFIG, content)


def load_reinforce(folder: Path | str, seed: int = 0) -> ReinforcePolicy:
    """The agent that `save_agent` wrote; `seed` is of what it draws when it is not deterministic.

    Raises `FileError` where a file is missing, broken or does not fit.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileError(f"{folder} is not a folder with {CONFIG} and {WEIGHTS}")
    content = read_json(folder / CONFIG)
    try:
        policy = make_policy(PolicyConfig.from_json(content["policy"]))
        deviation = float(content["deviation"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError(f"{folder / CONFIG} does not describe an agent: {error}") from error
    try:
        policy.network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except (OSError, safetensors.SafetensorError) as error:
        raise FileError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    except RuntimeError as error:
        lines = " ".join(str(error).split())
        raise FileError(f"{folder / WEIGHTS} does not fit {CONFIG}: {lines}") from error
    policy.deviation = deviation
    policy.generator = torch.Generator().manual_seed(seed)
    policy.set_training_mode(False)
    return policy


def small_agent(env: object = None, seed: int = 0) -> ReinforcePolicy:
    """The agent whose weights come with this package; `weights/small/README.md` is its model card."""
    with as_file(files("active_matting.agents") / "weights" / "small") as folder:
        return load_reinforce(folder, seed)
