"""Networks and their weights in a folder: `config.json`, which says what the network is, and `weights.safetensors`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import safetensors.torch
from safetensors import SafetensorError
from torch import nn

from active_matting.errors import ActiveMattingError, FileError
from active_matting.files import read_json, write_json, written_whole
from active_matting.models import NETWORKS, PARTS
from active_matting.models.base import Network
from active_matting.models.checkpoints import load_published
from active_matting.registry import Registry

CONFIG, WEIGHTS = "config.json", "weights.safetensors"
SHIPPED = Path(__file__).parent / "weights"
"""Where the folders of the weights lie that come with the package."""


def shipped_weights() -> list[str]:
    """Names of the weights that come with the package."""
    return sorted(folder.parent.name for folder in SHIPPED.glob(f"*/{WEIGHTS}"))


def find_weights(weights: Path | str | None, name: str) -> Path:
    """Where the weights are: a folder of ours, or a file.

    weights: None means those that the package ships for the network called `name`; else a shipped name, or a path
    (`./imatting` is a path even where `imatting` is shipped). Raises `FileError` where there is nothing, saying what
    there is.
    """
    chosen = name if weights is None else str(weights)
    if chosen in shipped_weights():
        return SHIPPED / chosen
    shipped = ", ".join(shipped_weights()) or "none yet"
    if weights is None:
        raise FileError(
            f"no weights for the network {name!r} come with the package (it ships: {shipped}); "
            f"give weights=PATH, a folder with {CONFIG} and {WEIGHTS} or a published checkpoint file"
        )
    path = Path(weights).expanduser().absolute()
    if not path.exists():
        raise FileError(
            f"there are no weights at {path}; give a folder, a checkpoint file, or a shipped name ({shipped})"
        )
    return path


def load_network(weights: Path | str | None, name: str) -> Network:
    """The network called `name` of `NETWORKS` with its weights, on the CPU.

    weights: see `find_weights`; a file is read as a checkpoint of the networks' authors, see
    `load_published`. Raises `FileError` where they are missing, damaged, or another network's, and `UnknownNameError`
    for a file of a network whose authors published none.
    """
    path = find_weights(weights, name)
    return read_network(path, name) if path.is_dir() else load_published(path, name)


def read_network(folder: Path | str, name: str | None = None) -> Network:
    """The network in a folder of ours; `name`: which it has to be. Raises `FileError`."""
    return cast(Network, _read(Path(folder), name, NETWORKS))


def read_part(folder: Path | str, name: str) -> nn.Module:
    """The network called `name` of `PARTS` in a folder of ours. Raises `FileError`."""
    return _read(Path(folder), name, PARTS)


def _read(folder: Path, name: str | None, networks: Registry) -> nn.Module:
    config = read_json(folder / CONFIG)
    arguments = config.get("network") if isinstance(config, dict) else None
    if not isinstance(arguments, dict) or not isinstance(arguments.get("name"), str):
        raise FileError(f'{folder / CONFIG} must hold {{"network": {{"name": ..., its arguments}}}}')
    kind = arguments["name"]
    if name is not None and kind != name:
        raise FileError(f"{folder} holds the network {kind!r}, not {name!r}")
    try:
        network: nn.Module = networks.make(kind, **{key: value for key, value in arguments.items() if key != "name"})
    except (ActiveMattingError, TypeError) as error:
        raise FileError(f"{folder / CONFIG} describes no network: {error}") from error
    try:
        network.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise FileError(f"cannot read {folder / WEIGHTS}: {error}") from error
    except RuntimeError as error:
        raise FileError(f"{folder / WEIGHTS} does not fit {kind} of {CONFIG}: {_brief(error)}") from error
    return network


def stamp_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a folder of weights, or a file, does; nothing where there is none."""
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.exists())


def write_network(folder: Path | str, network: Network, name: str, arguments: Mapping[str, Any], **more: Any) -> None:
    """Write what `read_network` reads: weights, and the JSON-able arguments that `make_network` was given.

    more: what else the config is to tell. Raises `FileError`.
    """
    folder = Path(folder)
    with written_whole(folder / WEIGHTS) as temporary:
        safetensors.torch.save_file(network.state_dict(), temporary)
    write_json(folder / CONFIG, {"network": {"name": name, **arguments}, **more})


def _brief(error: Exception, longest: int = 300) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= longest else f"{text[:longest]} ..."
