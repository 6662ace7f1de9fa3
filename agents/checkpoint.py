"""Where training stands, written so that it can go on to the same end; nothing in it is pickled."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from active_matting.agents.reinforce import Reinforce
from active_matting.errors import FileError
from active_matting.training.checkpoint import (
    check_same,
    load_tensors,
    optimiser_tensors,
    part,
    prefixed,
    restore_optimiser,
    save_tensors,
)

CHECKPOINT = "checkpoint.safetensors"
_UPDATES, _TIMESTEPS, _POLICY, _OPTIMISER = "updates", "timesteps", "policy.", "optimiser."


def save_checkpoint(folder: Path, model: Reinforce, made_of: dict[str, Any]) -> None:
    """Write weights, the optimiser's moments and what was done; `made_of`: JSON-able, what decides the run.

    Raises `FileError`.
    """
    tensors: dict[str, Tensor] = {
        _UPDATES: torch.tensor(model._n_updates),
        _TIMESTEPS: torch.tensor(model.num_timesteps),
    }
    tensors |= prefixed(_POLICY, model.policy.state_dict())
    tensors |= prefixed(_OPTIMISER, optimiser_tensors(model.policy.optimizer))
    save_tensors(folder / CHECKPOINT, tensors, {"made_of": made_of})


def load_checkpoint(folder: Path, model: Reinforce, made_of: dict[str, Any]) -> None:
    """Put `model` where `save_checkpoint` saw it.

    Raises `FileError` where there is no checkpoint, or it belongs to another training.
    """
    path = folder / CHECKPOINT
    tensors, state = load_tensors(path)
    try:
        check_same(state["made_of"], made_of, path)
        model.policy.load_state_dict(part(tensors, _POLICY))
        restore_optimiser(model.policy.optimizer, part(tensors, _OPTIMISER))
        model._n_updates, model.num_timesteps = int(tensors[_UPDATES]), int(tensors[_TIMESTEPS])
    except (KeyError, RuntimeError) as error:
        raise FileError(f"{path} does not fit these networks: {' '.join(str(error).split())}") from error
