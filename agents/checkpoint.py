"""Where training stands, written so that it can go on to the same end."""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from active_matting.errors import FileError
from active_matting.files import written_whole

CHECKPOINT = "checkpoint.safetensors"
_UPDATE, _POLICY, _OPTIMISER = "update", "policy.", "optimiser."


def save_checkpoint(folder: Path, policy: nn.Module, optimiser: torch.optim.Optimizer, update: int) -> None:
    """Write weights, the optimiser's moments and the number of updates done. Raises `FileError`."""
    tensors: dict[str, Tensor] = {_UPDATE: torch.tensor(update)}
    tensors |= {_POLICY + name: tensor for name, tensor in policy.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"{_OPTIMISER}{index}.{name}": tensor for name, tensor in moments.items()}
    with written_whole(folder / CHECKPOINT) as temporary:
        safetensors.torch.save_file(tensors, temporary)


def load_checkpoint(folder: Path, policy: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Put `policy` and `optimiser` where `save_checkpoint` saw them; returns the number of updates done.

    Raises `FileError` where there is no checkpoint, or it belongs to other networks.
    """
    path = folder / CHECKPOINT
    try:
        tensors = safetensors.torch.load_file(path)
        policy.load_state_dict(_part(tensors, _POLICY))
        state = optimiser.state_dict()
        state["state"] = {}
        for name, tensor in _part(tensors, _OPTIMISER).items():
            index, _, moment = name.partition(".")
            state["state"].setdefault(int(index), {})[moment] = tensor
        optimiser.load_state_dict(state)
        return int(tensors[_UPDATE])
    except (OSError, safetensors.SafetensorError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    except (KeyError, RuntimeError) as error:
        raise FileError(f"{path} does not fit these networks: {' '.join(str(error).split())}") from error


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
