"""Where training stands, written so that it can go on to the same end."""

from pathlib import Path

import torch
from torch import Tensor, nn

from active_matting.errors import FileError
from active_matting.training.checkpoint import (
    load_tensors,
    optimiser_tensors,
    part,
    prefixed,
    restore_optimiser,
    save_tensors,
)

CHECKPOINT = "checkpoint.safetensors"
_UPDATE, _POLICY, _OPTIMISER = "update", "policy.", "optimiser."


def save_checkpoint(folder: Path, policy: nn.Module, optimiser: torch.optim.Optimizer, update: int) -> None:
    """Write weights, the optimiser's moments and the number of updates done. Raises `FileError`."""
    tensors: dict[str, Tensor] = {_UPDATE: torch.tensor(update)}
    tensors |= prefixed(_POLICY, policy.state_dict())
    tensors |= prefixed(_OPTIMISER, optimiser_tensors(optimiser))
    save_tensors(folder / CHECKPOINT, tensors)


def load_checkpoint(folder: Path, policy: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Put `policy` and `optimiser` where `save_checkpoint` saw them; returns the number of updates done.

    Raises `FileError` where there is no checkpoint, or it belongs to other networks.
    """
    path = folder / CHECKPOINT
    tensors, _ = load_tensors(path)
    try:
        policy.load_state_dict(part(tensors, _POLICY))
        restore_optimiser(optimiser, part(tensors, _OPTIMISER))
        return int(tensors[_UPDATE])
    except (KeyError, RuntimeError) as error:
        raise FileError(f"{path} does not fit these networks: {' '.join(str(error).split())}") from error
