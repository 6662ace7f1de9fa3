"""From a recipe to a spatial agent: recipes, tasks, the folder that is left, going on from an agent, resuming."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from active_matting.agents import make_agent
from active_matting.agents.spatial.agent import SpatialAgent
from active_matting.agents.spatial.learning import Imitation
from active_matting.agents.spatial.training import find_recipe, make_tasks, recipe_names, train_spatial
from active_matting.errors import InvalidArgumentError, UnknownNameError
from active_matting.files import read_json
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.training.recipe import Recipe

EPISODES = {
    "sources": {"weights": {"rendered": 1.0}},
    "solvers": {"random-walk": 1.0},
    "behaviours": {"seek": 1.0},
    "cells": 5,
    "budget": 3,
}
OWN = {**EPISODES, "behaviours": {"agent": 1.0}}


def make_recipe(episodes: dict[str, Any], batches: int = 3, name: str = "spatial") -> Recipe:
    task = {"kind": "imitation", "count": 3, "batch": 2, "queries": 2, "validation": 1, "episodes": episodes}
    return Recipe.from_table(
        {
            "network": {"name": name, "channels": [8, 8, 8, 8], "memory": 4},
            "tasks": {"one": task},
            "schedule": {"turns": [["one", batches]], "epochs": 1},
        }
    )


def train(folder: Path, recipe: Recipe, **options: Any) -> SpatialAgent:
    return train_spatial(recipe, folder, cache=folder.parent / "episodes", device="cpu", **options)[0]


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_makes_a_network_and_names_tasks_that_there_are(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.network.name == "spatial"
    assert {task.name for task in recipe.tasks.values()} <= {"imitation", "own-episodes"}


def test_what_is_left_in_the_folder_is_an_agent_that_asks(tmp_path: Path) -> None:
    trained = train(tmp_path / "agent", make_recipe(EPISODES), workers=2)
    loaded = make_agent(str(tmp_path / "agent"))
    image = np.random.default_rng(0).random((40, 40, 3), dtype=np.float32)
    regions = [
        QuerySession(image, make_solver("random-walk"), agent, region_size=8).suggest() for agent in (trained, loaded)
    ]
    assert regions[0] == regions[1]
    assert trained.cells == 5
    assert read_json(tmp_path / "agent" / "config.json")["card"]["outcome"]["batches"] == 3


def test_learning_goes_on_from_an_agent_with_the_episodes_that_it_plays(tmp_path: Path) -> None:
    train(tmp_path / "first", make_recipe(EPISODES))
    second = train(tmp_path / "second", make_recipe(OWN), start=tmp_path / "first")
    tasks = make_tasks(make_recipe(OWN), ".", tmp_path / "episodes", 0, tmp_path / "first")
    task = tasks["one"]
    assert isinstance(task, Imitation)
    assert task.training.is_kept(2)
    assert not task.training.is_kept(3)
    first = SpatialAgent.load(tmp_path / "first").policy.state_dict()
    moved = [
        float((tensor - first[name]).abs().max())
        for name, tensor in second.policy.state_dict().items()
        if not name.startswith("recurrent")  # begins small
    ]
    assert 0 < max(moved) < 0.1  # from there, not from anywhere


def test_without_an_agent_to_begin_with_there_is_none_to_play(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="agent"):
        train(tmp_path / "agent", make_recipe(OWN))


def test_stopped_and_resumed_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    recipe = make_recipe(EPISODES, batches=4)
    whole = train(tmp_path / "whole", recipe)
    train(tmp_path / "parts", recipe, minutes=1e-9)
    resumed = train(tmp_path / "parts", recipe, resume=True)
    for name, tensor in whole.policy.state_dict().items():
        assert torch.equal(tensor, resumed.policy.state_dict()[name]), name


def test_what_a_recipe_cannot_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="spatial-cpu"):
        find_recipe("spatial-moon")
    with pytest.raises(InvalidArgumentError, match="'spatial', got 'fba'"):
        train(tmp_path / "agent", make_recipe(EPISODES, name="fba"))
    with pytest.raises(InvalidArgumentError, match=r"tasks\.one: .*wings"):
        make_tasks(
            Recipe.from_table(
                {
                    "network": {"name": "spatial"},
                    "tasks": {"one": {"kind": "imitation", "episodes": EPISODES, "wings": 2}},
                    "schedule": {"turns": [["one", 1]], "epochs": 1},
                }
            ),
            tmp_path,
            None,
            0,
        )
