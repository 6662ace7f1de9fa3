"""Where a training stands, in one file that is there as a whole or not at all; nothing in it is pickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from active_matting.errors import FileError
from active_matting.files import written_whole

_STATE = "state"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any] | None = None) -> None:
    """Write tensors as safetensors, and with them `state`, JSON, as the file's metadata. Raises `FileError`."""
    # Copies: the format refuses tensors that share memory, as tied weights do, and any order of axes but the first.
    content = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    with written_whole(path) as temporary:
        metadata = None if state is None else {_STATE: json.dumps(state)}
        safetensors.torch.save_file(content, temporary, metadata)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote, on the CPU. Raises `FileError`."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            state = json.loads((file.metadata() or {}).get(_STATE, "{}"))
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    return tensors, state


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under names that begin with `prefix`."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments, as "index.name"."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, moments in state.items() for name, tensor in moments.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimiser the moments that `optimiser_tensors` told; its groups stay as they are.

    Raises `RuntimeError` where they are not those of its parameters.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state = optimiser.state_dict()
    state["state"] = {}
    for name, tensor in tensors.items():
        index, _, moment = name.partition(".")
        if int(index) >= len(parameters):
            raise RuntimeError(f"moments of {int(index) + 1} parameters, not {len(parameters)}")
        state["state"].setdefault(int(index), {})[moment] = _laid_out_like(parameters[int(index)], tensor)
    optimiser.load_state_dict(state)


def check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    """Raise `FileError`, naming what differs, unless the checkpoint's settings are those of now; JSON-able tables."""
    flat_before, flat_now = _flat(before), _flat(now)
    different = [
        f"{key} was {flat_before.get(key)!r}, is {flat_now.get(key)!r}"
        for key in sorted(flat_before.keys() | flat_now.keys())
        if flat_before.get(key) != flat_now.get(key)
    ]
    if different:
        raise FileError(f"{path} belongs to another training: {'; '.join(different)}")


def _laid_out_like(parameter: Tensor, moment: Tensor) -> Tensor:
    """In the parameter's order of axes: in another, the same sums are rounded differently."""
    if moment.ndim == 0:
        return moment
    if moment.shape != parameter.shape:
        raise RuntimeError(f"a moment of shape {tuple(moment.shape)} for a parameter {tuple(parameter.shape)}")
    return torch.empty_like(parameter, dtype=moment.dtype).copy_(moment)


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
