"""Training runs by name. To add one: a line in `RECIPES`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from active_matting.agents.policy import SMALL, PolicyConfig
from active_matting.agents.reinforce import TrainingConfig
from active_matting.errors import FileError, UnknownNameError

RECIPES = {
    # Two CPU cores and a few minutes: the embedded images at a tenth of the paper's side. So few episodes teach more
    # when a query is rewarded for what follows from it too (the first answers of a class often do harm at first), when
    # an answer of "mixed" is a lesson as well, and when asking evenly over the image is where they start from.
    "small": TrainingConfig(
        environment={
            "data": "rendered",
            "data_kwargs": {"split": "train", "count": 400, "size": 40},
            "image_size": 40,
            "region_size": 2,
            "budget": 20,
            "reward": "log",
        },
        policy=SMALL,
        episodes=16,
        episodes_per_image=4,
        updates=440,
        discount=0.9,
        warm_start=300,
        learns_from_skips=True,
        deviation=(0.2, 0.1),
        learning_rate=(5e-4, 5e-5),
        baseline_speed=10,
    ),
    # The paper's sizes and figures (sec. 2.2, 2.3, 3.1).
    "paper": TrainingConfig(
        environment={
            "data": "rendered",
            "data_kwargs": {"split": "train", "count": 1700, "size": 400},
            "candidates": 2,
            "reward": "relative",
        },
        policy=PolicyConfig(),
        updates=20_000,
    ),
}


def make_recipe(
    name: str,
    *,
    seed: int = 0,
    updates: int | None = None,
    episodes: int | None = None,
    data: str | None = None,
    solver: str | None = None,
    solver_kwargs: dict[str, Any] | None = None,
) -> TrainingConfig:
    """The recipe called `name`, with what is given instead of its own. `data` is a folder of images.

    Raises `UnknownNameError`, `FileError`.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"unknown recipe {name!r}; choose from {list(RECIPES)}")
    recipe = RECIPES[name]
    environment = dict(recipe.environment)
    if data is not None:
        if not Path(data).is_dir():
            raise FileError(f"{data} is not a folder of images")
        environment |= {"data": "folder", "data_kwargs": {"path": data}}
    if solver is not None:
        environment["solver"] = solver
    if solver_kwargs:
        environment["solver_kwargs"] = solver_kwargs
    return replace(
        recipe,
        environment=environment,
        seed=seed,
        updates=updates if updates is not None else recipe.updates,
        episodes=episodes if episodes is not None else recipe.episodes,
    )
