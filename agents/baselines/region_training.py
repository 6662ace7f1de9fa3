"""Training of B2's networks, one for each N."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch

from active_matting.agents.baselines.region_cnn import COUNTS, write_networks
from active_matting.agents.baselines.region_lessons import RegionLessons
from active_matting.agents.baselines.region_network import RegionCNN
from active_matting.errors import InvalidArgumentError
from active_matting.training.checkpoint import load_tensors
from active_matting.training.recipe import Made, Recipe, load_recipe
from active_matting.training.train_network import listing, versions
from active_matting.training.trainer import CHECKPOINT, WEIGHTS, check_run, fit, seed_of

TASK = "regions"


def train_region_cnns(
    folder: Path | str,
    counts: Sequence[int] = COUNTS,
    *,
    recipe: Path | str | None = None,
    data_root: Path | str = ".",
    seed: int = 0,
    minutes: float | None = None,
    cache: Path | str | None = None,
) -> None:
    """Train a network for each N of `counts`, in turn, and write them to `folder` for `region_cnn_agent`.

    recipe: a TOML file such as `region-cnn.toml`, which is taken by default; data folders in it are relative to
    `data_root`. seed: the pictures are those of this seed for all N. minutes: at most, of each network. cache: where
    ideal sequences are kept; None for the package's folder. A network whose run was stopped or killed is resumed, one
    that is done is left alone. Ctrl-C stops at the next batch, with `KeyboardInterrupt`. Raises `FileError`,
    `InvalidArgumentError`, and what `fit` raises.
    """
    check_run(seed, minutes)
    folder = Path(folder)
    read = _recipe(recipe)
    for count in counts:  # wrong ones fail before hours of work
        RegionLessons(Path(data_root), 0, **_options(read, count, cache)).files()
    networks, outcomes = [], {}
    for count in counts:
        one = _for(read, count)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(seed, "network"))
            network = RegionCNN(**_arguments(one.network.options))
        task = RegionLessons(Path(data_root), seed, **_options(read, count, cache))
        runs = folder / "runs" / str(count)
        is_begun = (runs / CHECKPOINT).exists()
        outcome = fit(one, network, {TASK: task}, runs, seed=seed, device="cpu", minutes=minutes, resume=is_begun)
        if outcome.ending == "interrupted":
            raise KeyboardInterrupt
        tensors, _ = load_tensors(runs / WEIGHTS)
        network.load_state_dict(tensors)
        networks.append(network)
        outcomes[str(count)] = asdict(outcome)
    options = {name: value for name, value in read.network.options.items() if name != "regions"}
    more = {"recipe": read.as_table(), "seed": seed, "versions": versions(), "data": listing(task)}
    write_networks(folder, networks, options, outcomes=outcomes, **more)


def _recipe(path: Path | str | None) -> Recipe:
    if path is None:
        with as_file(files("active_matting.agents.baselines") / "region-cnn.toml") as own:
            recipe = load_recipe(own)
    else:
        recipe = load_recipe(path)
    if recipe.network.name != "region-cnn" or {name: task.name for name, task in recipe.tasks.items()} != {TASK: TASK}:
        raise InvalidArgumentError(f"the recipe must be of the network 'region-cnn' and of one task, {TASK!r}")
    return recipe


def _for(recipe: Recipe, count: int) -> Recipe:
    """The recipe for one N."""
    made = recipe.tasks[TASK]
    return replace(
        recipe,
        network=Made(recipe.network.name, {**recipe.network.options, "regions": count}),
        tasks={TASK: Made(made.name, {**made.options, "regions": count})},
    )


def _options(recipe: Recipe, count: int, cache: Path | str | None) -> dict[str, Any]:
    options = _for(recipe, count).tasks[TASK].options
    return options if cache is None else {**options, "cache": str(cache)}


def _arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
