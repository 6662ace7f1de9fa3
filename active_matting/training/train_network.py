"""A recipe turned into a network with weights: what is made by name, and what is written down beside the weights."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.files import read_json, write_json
from active_matting.models import NETWORKS, PARTS
from active_matting.training.recipe import Recipe
from active_matting.training.start import begin_with
from active_matting.training.task import Task
from active_matting.training.tasks import TASKS
from active_matting.training.trainer import CHECKPOINT, Outcome, check_run, fit, seed_of

CONFIG = "config.json"


def train_network(
    recipe: Recipe,
    folder: Path | str,
    *,
    data_root: Path | str = ".",
    seed: int = 0,
    start: Path | str | None = None,
    device: str = "auto",
    minutes: float | None = None,
    resume: bool = False,
) -> Outcome:
    """Make the recipe's network and tasks and `fit` them, see there; `config.json` in `folder` says all that was used.

    Data folders of the tasks are relative to `data_root`. `start` is a file of weights to begin with, see
    `active_matting.training.start.begin_with`. Raises `UnknownNameError` and `InvalidArgumentError` for names and
    options that there are not, and `FileError`.
    """
    check_run(seed, minutes)
    folder = Path(folder)
    network = make_network(recipe, seed, start)
    tasks = make_tasks(recipe, data_root, seed)
    config: dict[str, Any] = {
        "network": recipe.as_table()["network"],
        "recipe": recipe.as_table(),
        "seed": seed,
        "start": None if start is None else {"file": str(start), "sha256": _digest([Path(start)])},
        "versions": versions(),
        "data": {name: listing(task) for name, task in tasks.items()},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }
    if resume:
        _check_data(folder / CONFIG, config["data"])
    elif not (folder / CHECKPOINT).exists():
        write_json(folder / CONFIG, config)
    outcome = fit(recipe, network, tasks, folder, seed=seed, device=device, minutes=minutes, resume=resume)
    write_json(folder / CONFIG, config | {"outcome": asdict(outcome)})
    return outcome


def make_network(recipe: Recipe, seed: int, start: Path | str | None = None) -> nn.Module:
    """The recipe's network with its first weights, which depend on `seed`, or those of the file `start`.

    Raises `UnknownNameError`, `InvalidArgumentError` and `FileError`.
    """
    if recipe.network.name not in (names := [*NETWORKS.names(), *PARTS.names()]):
        raise UnknownNameError(f"unknown network {recipe.network.name!r}; choose from {names}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "network"))
        networks = PARTS if recipe.network.name in PARTS.names() else NETWORKS
        network: nn.Module = networks.make(recipe.network.name, **recipe.network.options)
    if not isinstance(network, nn.Module):
        raise InvalidArgumentError(f"network {recipe.network.name!r} is a {type(network).__name__}, not a torch module")
    if start is not None:
        begin_with(network, start, recipe.network.name)
    return network


def make_tasks(recipe: Recipe, data_root: Path | str, seed: int) -> dict[str, Task]:
    """The recipe's tasks by their names in it, each with a seed of its own."""
    return {
        name: TASKS.make(task.name, root=Path(data_root), seed=seed_of(seed, name), **task.options)
        for name, task in recipe.tasks.items()
    }


def versions() -> dict[str, str]:
    """Of what the result may depend on."""
    packages = ("active-matting", "torch", "numpy", "opencv-python-headless")
    return {"python": platform.python_version()} | {package: version(package) for package in packages}


def listing(task: Task) -> dict[str, dict[str, Any]]:
    """How many files a task reads for what, and the SHA-256 of their names and contents, in order."""
    groups: Mapping[str, Any] = task.files()
    return {purpose: {"count": len(paths), "sha256": _digest(paths)} for purpose, paths in groups.items()}


def _check_data(path: Path, data: dict[str, Any]) -> None:
    """A run that goes on with other data would not end as it was to."""
    before = read_json(path).get("data", {})
    for name, files in data.items():
        if before.get(name) != files:
            raise FileError(f"the files of task {name!r} are not those of {path}: were {before.get(name)}, are {files}")


def _digest(paths: Any) -> str:
    digest = hashlib.sha256()
    for path in tqdm(paths, desc="reading files", unit="file", leave=False, delay=2):
        try:
            with Path(path).open("rb") as file:
                digest.update(f"{Path(path).name}\0".encode())
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror or error}") from error
    return digest.hexdigest()
