"""From a recipe to an agent: episodes made ahead, imitation, and the folder that `SpatialAgent.load` reads."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from active_matting.agents.spatial.agent import SpatialAgent
from active_matting.agents.spatial.episodes import Episodes
from active_matting.agents.spatial.learning import Imitation
from active_matting.agents.spatial.network import SpatialConfig, SpatialPolicy
from active_matting.agents.spatial.reinforce import OwnEpisodes
from active_matting.errors import InvalidArgumentError
from active_matting.threads import one_thread
from active_matting.training.checkpoint import load_tensors
from active_matting.training.recipe import Recipe
from active_matting.training.tables import document_names, read_document
from active_matting.training.train_network import versions
from active_matting.training.trainer import WEIGHTS, Outcome, check_run, fit, seed_of

TASKS: dict[str, type[Imitation] | type[OwnEpisodes]] = {"imitation": Imitation, "own-episodes": OwnEpisodes}

RECIPES = "active_matting.agents.spatial.recipes"

RUN = "training"
"""The folder, in the agent's, of the trainer's weights, checkpoint and log."""


def recipe_names() -> list[str]:
    """The recipes that come with the package."""
    return document_names(RECIPES)


def find_recipe(name: str | Path) -> Recipe:
    """The recipe of this name, or of this TOML file. Raises `UnknownNameError`, `FileError`, `InvalidArgumentError`."""
    return read_document(RECIPES, name, Recipe.from_table)


def train_spatial(
    recipe: Recipe,
    folder: Path | str,
    *,
    data_root: Path | str = ".",
    cache: Path | str | None = None,
    seed: int = 0,
    start: Path | str | None = None,
    device: str = "auto",
    minutes: float | None = None,
    resume: bool = False,
    workers: int = 1,
) -> tuple[SpatialAgent, Outcome]:
    """Make the recipe's network, `fit` it to its tasks, and leave the agent in `folder`; see `fit` for the others.

    data_root: what the data's folders are relative to. cache: where episodes are kept; None is the user's own folder.
    workers: processes that make the episodes that are not there yet, before learning begins. start: a folder of an
    agent to begin with, which also plays the episodes whose behaviour is "agent" and that name none. Raises
    `InvalidArgumentError`, `UnknownNameError` and `FileError`.
    """
    check_run(seed, minutes)
    folder = Path(folder)
    network = make_policy(recipe, seed, start)
    tasks = make_tasks(recipe, data_root, cache, seed, start)
    for task in tasks.values():
        if isinstance(task, Imitation):
            record(task.training, task.count, workers)
            record(task.held_out, task.validation, workers)
    outcome = fit(recipe, network, tasks, folder / RUN, seed=seed, device=device, minutes=minutes, resume=resume)
    tensors, _ = load_tensors(folder / RUN / WEIGHTS)
    network.cpu().load_state_dict(tensors)
    agent = SpatialAgent(network, cells=next(iter(tasks.values())).cells)
    card = {"recipe": recipe.as_table(), "seed": seed, "outcome": asdict(outcome), "versions": versions()}
    agent.save(folder, card | {"start": None if start is None else str(start)})
    return agent, outcome


def make_policy(recipe: Recipe, seed: int, start: Path | str | None = None) -> SpatialPolicy:
    """The recipe's network with first weights that depend on `seed`, or those of the agent in the folder `start`."""
    if recipe.network.name != "spatial":
        raise InvalidArgumentError(f"network.name must be 'spatial', got {recipe.network.name!r}")
    try:
        sizes: dict[str, Any] = {
            name: tuple(size) if isinstance(size, list) else size for name, size in recipe.network.options.items()
        }
        config = SpatialConfig(**sizes)
    except TypeError as error:
        raise InvalidArgumentError(f"network: {error}") from error
    if start is not None:
        policy = SpatialAgent.load(start).policy.train()
        if policy.config != config:
            raise InvalidArgumentError(f"{start} holds a network of {policy.config}, the recipe wants {config}")
        return policy
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "network"))
        return SpatialPolicy(config)


def make_tasks(
    recipe: Recipe, data_root: Path | str, cache: Path | str | None, seed: int, start: Path | str | None = None
) -> dict[str, Imitation | OwnEpisodes]:
    """The recipe's tasks by their names in it; start: see `train_spatial`. Raises `InvalidArgumentError`."""
    tasks: dict[str, Imitation | OwnEpisodes] = {}
    for name, task in recipe.tasks.items():
        if task.name not in TASKS:
            raise InvalidArgumentError(f"tasks.{name}.kind must be one of {list(TASKS)}, got {task.name!r}")
        where: dict[str, Any] = {"root": Path(data_root), "seed": seed_of(seed, name)}
        if task.name == "imitation":
            where["cache"] = None if cache is None else str(cache)
        try:
            tasks[name] = TASKS[task.name](**where, **_played_by(start, task.options))
        except TypeError as error:
            raise InvalidArgumentError(f"tasks.{name}: {error}") from error
    return tasks


def _played_by(start: Path | str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """A task's options, with the agent that plays its episodes where none is named."""
    options = dict(options)
    for name in ("episodes", "measured"):
        part = options.get(name, {})
        if start is not None and part.get("behaviours", {}).get("agent") and "agent" not in part:
            options[name] = {**part, "agent": str(start)}
    return options


def record(episodes: Episodes, count: int, workers: int = 1) -> None:
    """Make the first `count` episodes, as far as they are not kept already, in so many processes; one is this one."""
    missing = [number for number in range(count) if not episodes.is_kept(number)]
    if not missing:
        return
    with ExitStack() as stack:
        made: Iterable[object] = map(episodes.__getitem__, missing)
        if workers > 1:
            pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (episodes,))
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            made = pool.map(_make, missing)
        for _ in tqdm(made, total=len(missing), desc="episodes", unit="episode"):
            pass


_episodes: Episodes | None = None


def _start(episodes: Episodes) -> None:
    global _episodes
    _episodes = episodes
    one_thread()


def _make(number: int) -> None:
    assert _episodes is not None
    _episodes[number]
