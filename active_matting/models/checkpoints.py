"""Weights as their authors published them: FBA matting, two-stream segmentation, and ImageNet encoders.

Nothing is unpickled: a file that holds more than tensors is refused.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from active_matting.errors import CheckpointError, FileError, InvalidArgumentError, UnknownNameError
from active_matting.models import make_network
from active_matting.models.base import Network
from active_matting.models.layers import StandardisedConv2d, as_trained_by_deviation
from active_matting.models.published_names import both_names, our_name, plain_name, their_name
from active_matting.models.resnet import RESNET50, DilatedResNet

PUBLISHED_SIGMAS = {"fba": (0.02 * 320, 0.08 * 320, 0.16 * 320), "two-stream": (0.02 * 352, 0.08 * 352, 0.16 * 352)}
"""Of the hints with which each of the published checkpoints was trained, pixels, as in the released code."""

Weights = Mapping[str, Tensor]

_NAMED = 10  # names an error lists of each kind


def load_published(
    path: Path | str, name: str, map_location: torch.device | str = "cpu", trained_by_deviation: bool = True
) -> Network:
    """The network of a published checkpoint, float32, on the device `map_location`.

    path: `.safetensors`, or what `torch.save` wrote of tensors alone. name: "fba" (MarcoForte/FBA_Matting) or
    "two-stream" (MarcoForte/DeepInteractiveSegmentation). Width and depths are read from the shapes, so that smaller
    networks in the published naming load too; the sigmas are `PUBLISHED_SIGMAS`. The guided filter is there where its
    weights are. A `state_dict` around the weights and prefixes `module.` are taken off.

    trained_by_deviation: whether the kernels were standardised in training as in the code first released, which is how
    what is published was made. The weights are then rewritten so that the network does what that code did with them. If
    not they stay as they are, and the network does what the authors' newest code does. See `StandardisedConv2d`.

    Raises `UnknownNameError`, `FileError` where the file cannot be read, and `CheckpointError` where it does not fit,
    with the names that are missing, not expected or of another shape, the authors' and ours.
    """
    _check_name(name)
    weights = {our_name(theirs): tensor for theirs, tensor in read_weights(path, map_location).items()}
    network = _network_of(weights, name, str(path))
    network.load_state_dict(_rewritten(weights, network) if trained_by_deviation else weights, assign=True)
    return network


def load_encoder(path: Path | str, encoder: DilatedResNet, trained_by_deviation: bool = True) -> None:
    """Put a ResNet trained on ImageNet, normalised in groups with standardised weights, into `encoder`.

    path: such as R-50-GN-WS.pth.tar of joe-siyuan-qiao/pytorch-classification; its classifier `fc` is left out. The
    encoder must be of the file's width and depths, which are 64 and 3, 4, 6, 3 there. Where it has more inputs than the
    file, the weights of those behind the file's are 0 before they are standardised, with which the training of both
    published networks began. trained_by_deviation: see `load_published`.

    Raises `FileError` and `CheckpointError`, as `load_published` does; the encoder is then as it was.
    """
    holder = nn.ModuleDict({"encoder": encoder})  # so that its names are those in the published networks
    expected = holder.state_dict()
    found = read_weights(path)
    weights = {our_name(f"encoder.{name}"): tensor for name, tensor in found.items() if not name.startswith("fc.")}
    first = "encoder.conv1.weight"
    if first in weights:
        weights[first] = _with_more_inputs(weights[first], expected[first].shape)
    differences = _differences(weights, expected)
    if differences:
        raise CheckpointError(f"{path} does not fit this encoder: {differences}")
    holder.load_state_dict(_rewritten(weights, holder) if trained_by_deviation else weights)


def published_names(weights: Weights, name: str) -> dict[str, Tensor]:
    """The state dict of one of our networks under the authors' names, for their newest code; nothing is copied.

    Their code makes networks of width 64 and depths 3, 4, 6, 3 alone; saved, any come back by `load_published` with
    `trained_by_deviation=False`. Raises `UnknownNameError`, and `CheckpointError` where the weights are not those of
    the network called `name`.
    """
    _check_name(name)
    _network_of(weights, name, "this state dict")
    return {their_name(ours): tensor for ours, tensor in weights.items()}


def read_weights(path: Path | str, map_location: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The tensors of a file as float32, under their names there without `module.` and `_tmp_`.

    Raises `FileError` where there is no such file, and `CheckpointError` where it is not one of tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path} is not a file")
    stored = _read_safetensors(path, map_location) if path.suffix == ".safetensors" else _read_torch(path, map_location)
    if isinstance(stored, Mapping) and isinstance(stored.get("state_dict"), Mapping):
        stored = stored["state_dict"]
    if not isinstance(stored, Mapping) or not stored:
        raise CheckpointError(f"{path} does not hold tensors by name")
    weights = {}
    for name, tensor in stored.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise CheckpointError(f"{path} holds something else than weights under the name {name!r}")
        weights[plain_name(name)] = tensor.detach().float()
    if len(weights) < len(stored):
        raise CheckpointError(f"{path} holds weights twice, with and without a prefix such as module.")
    return weights


def _read_safetensors(path: Path, map_location: torch.device | str) -> Any:
    try:
        return safetensors.torch.load_file(path, device=str(map_location))
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} is not a safetensors file: {_one_line(error)}") from error


def _read_torch(path: Path, map_location: torch.device | str) -> Any:
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # what reading foreign bytes raises is anything
        raise CheckpointError(
            f"{path} is not a checkpoint that can be read without unpickling, which could run whatever it holds"
        ) from error


def _check_name(name: str) -> None:
    if name not in PUBLISHED_SIGMAS:
        raise UnknownNameError(f"no weights were published of a network {name!r}; choose from {[*PUBLISHED_SIGMAS]}")


def _network_of(weights: Weights, name: str, source: str) -> Network:
    """The network `weights` are of, its parameters without memory yet."""
    arguments: dict[str, Any] = {
        "width": _outputs(weights, "encoder.conv1", 64),
        "depths": tuple(_blocks(weights, layer) or RESNET50[layer - 1] for layer in (1, 2, 3, 4)),
        "head": (_outputs(weights, "decoder.conv_up4.0", 32), _outputs(weights, "decoder.conv_up4.2", 16)),
        "sigmas": PUBLISHED_SIGMAS[name],
    }
    if name == "two-stream":
        arguments["has_filter"] = any(key.startswith("guide.") for key in weights)
    try:
        with torch.device("meta"):
            network = make_network(name, **arguments)
    except InvalidArgumentError as error:
        raise CheckpointError(f"{source} is not of the network {name!r}: {error}") from error
    differences = _differences(weights, network.state_dict())
    if differences:
        shape = f"width {arguments['width']}, depths {arguments['depths']}"
        raise CheckpointError(f"{source} is not of the network {name!r} ({shape}): {differences}")
    return network


def _rewritten(weights: Weights, network: nn.Module) -> dict[str, Tensor]:
    standardised = {f"{name}.weight" for name, part in network.named_modules() if isinstance(part, StandardisedConv2d)}
    return {name: as_trained_by_deviation(part) if name in standardised else part for name, part in weights.items()}


def _outputs(weights: Weights, layer: str, otherwise: int) -> int:
    weight = weights.get(f"{layer}.weight")
    return otherwise if weight is None or weight.ndim == 0 else weight.shape[0] or otherwise


def _blocks(weights: Weights, layer: int) -> int:
    """How many blocks of an encoder's layer are there; counted, as their numbers may be any."""
    pattern = re.compile(rf"encoder\.layer{layer}\.(\d+)\.")
    return len({found[1] for found in map(pattern.match, weights) if found})


def _with_more_inputs(weight: Tensor, shape: Sequence[int]) -> Tensor:
    """The kernels with zeros behind them for inputs they do not know; as they are where that does not help."""
    if weight.ndim != 4 or weight.shape[1] >= shape[1]:
        return weight
    more = weight.new_zeros(weight.shape[0], shape[1] - weight.shape[1], *weight.shape[2:])
    return torch.cat([weight, more], dim=1)


def _differences(found: Weights, expected: Weights) -> str:
    """What is wrong with the names and shapes of `found`, or an empty string."""
    other = [name for name in expected if name in found and found[name].shape != expected[name].shape]
    kinds = {
        "missing": [both_names(name) for name in expected if name not in found],
        "not expected": [both_names(name) for name in found if name not in expected],
        "of another shape": [
            f"{both_names(name)} {tuple(found[name].shape)} instead of {tuple(expected[name].shape)}" for name in other
        ],
    }
    return "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in kinds.items() if names)


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
