"""Recipes: read from files, changed, and refused where they say what cannot be."""

from pathlib import Path
from typing import Any

import pytest
import torch

from active_matting.agents.networks import PolicyConfig, RecurrentNetwork
from active_matting.agents.recipe import Recipe, load_recipe, recipe_names
from active_matting.agents.schedules import Geometric
from active_matting.agents.trained import CONFIG
from active_matting.envs.settings import settings_of
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.files import read_json


def test_there_are_recipes_for_every_machine() -> None:
    assert set(recipe_names()) >= {"demo", "cpu", "gpu", "paper"}


@pytest.mark.parametrize("name", ["cpu", "demo", "gpu", "paper"])
def test_every_recipe_makes_its_environment_and_networks(name: str) -> None:
    recipe = load_recipe(name)
    settings = settings_of(recipe.environment)
    assert recipe.network.image_size == settings.image_size
    # A region takes the same part of the patch as the paper's 20 of 75 pixels, roughly.
    assert 2 <= recipe.network.patch_size / settings.region_size <= 4
    assert recipe.training.environments % recipe.algorithm.episodes_per_image == 0
    assert settings.candidates == 1 or recipe.algorithm.gamma == 0
    if settings.solver != "shared-torch":  # which wants its device to be there
        settings.make_solver()
    with torch.device("meta"):
        RecurrentNetwork(recipe.network)
    assert Recipe.from_table(recipe.as_table()) == recipe


def test_the_papers_recipe_says_what_the_paper_says() -> None:
    recipe = load_recipe("paper")
    settings = settings_of(recipe.environment)
    assert (settings.image_size, settings.region_size, settings.budget, settings.solver) == (400, 20, 20, "shared")
    assert (settings.candidates, settings.reward, settings.protocol) == (2, "relative", "paper")
    assert recipe.network == PolicyConfig()
    keywords = recipe.algorithm.keywords()
    assert keywords["learning_rate"] == Geometric(1e-3, 1e-4)
    assert (keywords["gamma"], keywords["ent_coef"], keywords["learns_from_skips"]) == (0, 0, False)
    assert recipe.training.warm_start == 0


def test_the_shipped_agent_has_the_demos_networks() -> None:
    shipped = read_json(Path(__file__).parents[2] / "agents" / "weights" / "small" / CONFIG)
    assert PolicyConfig.from_json(shipped["policy"]) == load_recipe("demo").network


def test_what_is_given_takes_the_place_of_the_recipes_own(tmp_path: Path) -> None:
    recipe = load_recipe("demo").with_changes(
        updates=7, environments=8, data=str(tmp_path), solver="closed-form", solver_kwargs={"epsilon": 1e-5}
    )
    assert (recipe.training.updates, recipe.training.environments) == (7, 8)
    assert recipe.environment["data"] == "folder"
    assert recipe.environment["solver_kwargs"] == {"epsilon": 1e-5}
    assert load_recipe("demo").with_changes() == load_recipe("demo")
    # A solver's options are not another's.
    assert load_recipe("gpu").with_changes(solver="shared").environment["solver_kwargs"] == {}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "the recipe lacks 'training'"),
        ({"training": {}}, "training lacks 'updates'"),
        ({"training": {"updates": 0}}, "training.updates must be at least 1, got 0"),
        ({"training": {"updates": 1, "environments": 0}}, "environments must be at least 1, got 0"),
        ({"training": {"updates": 1, "warm_start": -1}}, "must not be negative"),
        ({"training": {"updates": 1}, "netwerk": {}}, "unknown key 'netwerk' in the recipe"),
        ({"training": {"updates": 1}, "network": {"deep": 1}}, "unknown key 'deep' in network"),
        ({"training": {"updates": 1}, "network": {"convolutions": [1]}}, "network.channels and convolutions"),
        ({"training": {"updates": 1}, "algorithm": {"deviation": 0.1}}, "algorithm.deviation must be a list of 2"),
        ({"training": {"updates": 1}, "algorithm": {"learning_rate": [0.1, 0.0]}}, "learning_rate must be positive"),
        ({"training": 3}, "training must be a table, got 3"),
        ({"training": {"updates": 1}, "algorithm": {"episodes_per_image": 3}}, "must divide environments, 8, got 3"),
    ],
)
def test_what_cannot_be_is_refused(table: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        Recipe.from_table(table)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe 'huge'; choose from"):
        load_recipe("huge")
    with pytest.raises(FileError, match="cannot read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "mine.toml").write_text("[training]\nupdates = 0\n")
    with pytest.raises(InvalidArgumentError, match=r"mine.toml: training.updates must be at least 1"):
        load_recipe(tmp_path / "mine.toml")
    with pytest.raises(FileError, match="is not a folder of images"):
        load_recipe("demo").with_changes(data=str(tmp_path / "nowhere"))
