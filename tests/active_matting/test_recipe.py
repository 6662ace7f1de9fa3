"""Recipes: what is read, what is refused and in which words; and a run from a recipe's file to the weights."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import Line

from active_matting.agents.cli import main
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.registry import Registry
from active_matting.training import train_network as whole
from active_matting.training.checkpoint import load_tensors
from active_matting.training.recipe import Made, Recipe, load_recipe, recipe_names
from active_matting.training.train_network import make_network, make_tasks, train_network

TEXT = """
[network]
name = "line"
inputs = 3

[tasks.first]
kind = "points"
size = 8

[tasks.second]
kind = "points"
updates = 2

[schedule]
turns = [["first", 2], ["second", 2]]
epochs = 2
rule = "steps"
steps = [1]

[optimiser]
learning_rate = 1
betas = [0.5, 0.9]

[validation]
every = 2
"""


class Points(Line):
    """Reads a file, or says that it does."""

    def files(self) -> Mapping[str, Sequence[Path]]:
        """One."""
        return {"points": [self.root / "points.csv"]}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toys by name."""
    monkeypatch.setattr(whole, "NETWORKS", Registry("network", "none", {"line": "toys:make_line", "no": "toys:Path"}))
    monkeypatch.setattr(whole, "TASKS", Registry("task", "none", {"points": "test_recipe:Points"}))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The recipe as a file, and the data it wants."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "points.csv").write_text("1,2")
    (tmp_path / "mine.toml").write_text(TEXT)
    return tmp_path / "mine.toml"


def changed(old: str, new: str, mine: Path) -> Path:
    """The recipe with something else in it."""
    assert old in TEXT
    mine.write_text(TEXT.replace(old, new))
    return mine


def test_a_recipe_is_read_with_defaults_for_what_it_leaves_out(mine: Path) -> None:
    recipe = load_recipe(mine)
    assert recipe.network == Made("line", {"inputs": 3})
    assert recipe.tasks["second"] == Made("points", {"updates": 2})
    assert recipe.schedule.turns == (("first", 2), ("second", 2))
    assert recipe.schedule.steps == (1,)
    assert (recipe.optimiser.learning_rate, recipe.optimiser.betas) == (1.0, (0.5, 0.9))
    assert isinstance(recipe.optimiser.learning_rate, float)
    assert recipe.optimiser.weight_decay == 0.005


def test_a_recipe_survives_json(mine: Path) -> None:
    recipe = load_recipe(mine)
    assert Recipe.from_table(json.loads(json.dumps(recipe.as_table()))) == recipe


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[optimiser]", "[optimizer]", "unknown key 'optimizer' in the recipe; choose from ['network', 'tasks'"),
        ("betas =", "beta =", "unknown key 'beta' in optimiser; choose from ['name', 'learning_rate'"),
        ("epochs = 2", "", "schedule lacks 'epochs'"),
        ("epochs = 2", "epochs = 2.5", "schedule.epochs must be int, got 2.5"),
        ("epochs = 2", "epochs = true", "schedule.epochs must be int, got True"),
        ("epochs = 2", "epochs = 0", "schedule.epochs must be at least 1, got 0"),
        ('rule = "steps"', 'rule = "linear"', "schedule.rule must be one of ['constant', 'steps', 'cosine']"),
        ("rate = 1\n", 'rate = "1"\n', "optimiser.learning_rate must be float, got '1'"),
        ("betas = [0.5, 0.9]", "betas = [0.5]", "optimiser.betas must be a list of 2, got [0.5]"),
        ('["second", 2]]', '["second", "2"]]', "schedule.turns[1][1] must be int, got '2'"),
        ('["second", 2]]', '["third", 2]]', "turns names the task 'third'; there are ['first', 'second']"),
        ("every = 2", 'tasks = ["third"]', "tasks names the task 'third'"),
        ('name = "line"', "", "network must be a table with a text 'name'"),
        ('kind = "points"\nsize = 8', "size = 8", "tasks.first must be a table with a text 'kind'"),
        ("every = 2", "patience = -1", "validation.patience must not be negative"),
        ("[validation]", "[running]\nlog_every = 0\n[validation]", "running.log_every must be at least 1"),
        ("[validation]", "[running]\nworkers = -1\n[validation]", "running.workers and checkpoint_minutes must not"),
        ("\n[network]", "seed = 1\n[network]", "unknown key 'seed' in the recipe"),
        ("\n[network]", "optimiser = 1\n[network]", "is not a TOML file"),
    ],
)
def test_mistakes_are_named(old: str, new: str, words: str, mine: Path) -> None:
    with pytest.raises((InvalidArgumentError, FileError), match=re.escape(words)) as told:
        load_recipe(changed(old, new, mine))
    assert str(mine) in str(told.value)


def test_recipes_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe 'huge'; choose from"):
        load_recipe("huge")
    with pytest.raises(FileError, match="cannot read"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(InvalidArgumentError, match="network must be a table, got 1"):
        Recipe.from_table({"network": 1, "tasks": {}, "schedule": {}})


def test_every_recipe_of_the_package_can_be_read() -> None:
    for name in recipe_names():
        recipe = load_recipe(name)
        assert Recipe.from_table(recipe.as_table()) == recipe


def test_every_key_is_explained() -> None:
    text = (files("active_matting.training.recipes") / "README.md").read_text(encoding="utf-8")
    for section in fields(Recipe):
        assert f"[{section.name}" in text
        if section.name not in ("network", "tasks"):
            for key in fields(section.type):  # type: ignore[arg-type]
                assert re.search(rf"^{key.name} = ", text, re.MULTILINE), key.name


def test_the_recipe_in_the_explanation_can_be_read(tmp_path: Path) -> None:
    text = (files("active_matting.training.recipes") / "README.md").read_text(encoding="utf-8")
    (tmp_path / "example.toml").write_text(text.split("```toml\n")[1].split("```")[0])
    load_recipe(tmp_path / "example.toml")


@pytest.mark.usefixtures("tables")
def test_a_run_writes_down_all_that_it_used(mine: Path, tmp_path: Path) -> None:
    outcome = train_network(load_recipe(mine), tmp_path / "out", data_root=tmp_path / "data", seed=5)
    assert outcome.ending == "finished"
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert Recipe.from_table(config["recipe"]) == load_recipe(mine)
    assert (config["seed"], config["start"], config["parameters"]) == (5, None, 4)
    digest = hashlib.sha256(b"points.csv\0" + hashlib.sha256(b"1,2").digest()).hexdigest()
    assert config["data"]["first"] == {"points": {"count": 1, "sha256": digest}}
    assert config["versions"]["torch"] == version("torch")
    assert config["outcome"]["batches"] == 8


@pytest.mark.usefixtures("tables")
def test_a_run_begins_with_the_weights_it_is_given(mine: Path, tmp_path: Path) -> None:
    recipe = load_recipe(mine)
    train_network(recipe, tmp_path / "one", data_root=tmp_path / "data")
    start = tmp_path / "one" / "weights.safetensors"
    train_network(recipe, tmp_path / "two", data_root=tmp_path / "data", start=start, minutes=0)
    assert (tmp_path / "two" / "weights.safetensors").read_bytes() == start.read_bytes()
    assert json.loads((tmp_path / "two" / "config.json").read_text())["start"]["file"] == str(start)
    with pytest.raises(FileError, match="does not fit"):
        make_network(load_recipe(changed("inputs = 3", "inputs = 4", mine)), 0, start)


@pytest.mark.usefixtures("tables")
def test_a_run_does_not_go_on_with_other_data(mine: Path, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"folder": tmp_path / "out", "data_root": tmp_path / "data"}
    train_network(load_recipe(mine), **arguments, minutes=0)
    (tmp_path / "data" / "points.csv").write_text("1,3")
    with pytest.raises(FileError, match="the files of task 'first' are not those of"):
        train_network(load_recipe(mine), **arguments, resume=True)


@pytest.mark.usefixtures("tables")
def test_networks_and_tasks_depend_on_the_seed(mine: Path, tmp_path: Path) -> None:
    recipe = load_recipe(mine)
    one, same, other = (make_network(recipe, seed).state_dict()["1.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    seeds = [task.seed for seed in (1, 2) for task in make_tasks(recipe, tmp_path, seed).values()]  # type: ignore[attr-defined]
    assert len(set(seeds)) == 4


@pytest.mark.usefixtures("tables")
def test_the_command_trains_stops_and_goes_on(mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = ["train-network", str(mine), "--output", str(out), "--data-root", str(tmp_path / "data"), "--seed", "2"]
    assert main([*command, "--minutes", "0"]) == 0
    assert "out of time: 0 batches" in (told := capsys.readouterr().out)
    assert "--resume" in told
    assert main(command) == 1
    assert "has a checkpoint: resume it" in capsys.readouterr().err
    assert main([*command, "--resume", "--workers", "0"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"finished: 8 batches in .*\nlowest error: [\d.]+, after \d batches\nweights: ", told)
    assert load_tensors(out / "weights.safetensors")[0].keys() == {"1.weight", "1.bias"}


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "line"', 'name = "curve"', "unknown network 'curve'; choose from ['line', 'no', 'band']"),
        ("inputs = 3", "outputs = 3", "network 'line': got an unexpected keyword argument 'outputs'"),
        ('kind = "points"\nsize', 'kind = "planes"\nsize', "unknown task 'planes'"),
        ('name = "line"\ninputs = 3', 'name = "no"', "network 'no' is a PosixPath, not a torch module"),
    ],
)
def test_the_command_tells_what_cannot_be_made(
    old: str, new: str, words: str, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed(old, new, mine)
    assert main(["train-network", str(recipe), "--output", str(mine.parent / "out")]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("tables")
def test_the_command_refuses_seeds_below_zero(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train-network", str(mine), "--output", str(mine.parent / "out"), "--seed", "-1"]) == 1
    assert "seed must be an integer of at least 0, got -1" in capsys.readouterr().err
