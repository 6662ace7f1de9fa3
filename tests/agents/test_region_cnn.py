"""B2: the network, what it learns from, its training, and the agent."""

import inspect
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from active_matting.agents import make_agent
from active_matting.agents.baselines.greedy import GreedyIdealAgent
from active_matting.agents.baselines.region_cnn import CONFIG, COUNTS, RegionCNNAgent, region_cnn_agent, write_networks
from active_matting.agents.baselines.region_lessons import RegionLessons, distances
from active_matting.agents.baselines.region_network import RegionCNN, spread_places
from active_matting.agents.baselines.region_training import train_region_cnns
from active_matting.agents.cli import main
from active_matting.data import Sample
from active_matting.data.packed import pack
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.observations import Observation
from active_matting.regions import region_to_action
from active_matting.training.lessons import Sources

TINY: dict[str, Any] = {"size": 20, "channels": (4, 8), "convolutions": (1, 1), "pooled": 2, "hidden": (16,)}
SOURCES: dict[str, Any] = {"weights": {"rendered": 1.0}}

RECIPE = """
[network]
name = "region-cnn"
size = 20
channels = [4, 8]
convolutions = [1, 1]
pooled = 2
hidden = [16]

[tasks.regions]
kind = "regions"
size = 20
pictures = 2
validation = 1
longest = 3
solver = "random-walk"
batch = 2
sources = { weights = { rendered = 1.0 } }

[schedule]
turns = [["regions", 2]]
epochs = 2

[validation]
every = 2
"""


def make_network(regions: int = 3) -> RegionCNN:
    torch.manual_seed(regions)
    network = RegionCNN(regions, **TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


def see(seed: int) -> Observation:
    image = np.random.default_rng(seed).integers(256, size=(3, 20, 20), dtype=np.uint8)
    return {"image": image, "location": np.zeros(2, np.float32)}


def lessons(path: Path, **options: Any) -> RegionLessons:
    usual: dict[str, Any] = {"size": 20, "pictures": 2, "validation": 1, "longest": 3, "solver": "random-walk"}
    return RegionLessons(path, 0, SOURCES, **{"regions": 2, "cache": str(path), **usual, **options})


def test_an_image_of_any_size_becomes_n_places() -> None:
    network = make_network(5)
    for size in (20, 33):
        places = network(torch.rand(2, 3, size, size))
        assert places.shape == (2, 5, 2)
        assert (places.abs() < 1).all()
    plain = RegionCNN(5, **TINY)(torch.zeros(1, 3, 20, 20))[0]
    torch.testing.assert_close(plain, spread_places(5), atol=0.1, rtol=0)


def test_the_sizes_are_vgg16s_unless_told_otherwise() -> None:
    usual = {name: each.default for name, each in inspect.signature(RegionCNN).parameters.items()}
    assert usual["size"] == 400
    assert list(zip(usual["channels"], usual["convolutions"], strict=True)) == [
        (64, 2),
        (128, 2),
        (256, 3),
        (512, 3),
        (512, 3),
    ]
    assert (usual["pooled"], usual["hidden"]) == (7, (4096, 4096))


def test_places_begin_evenly_spread() -> None:
    places = spread_places(30)
    assert places[0].tolist() == pytest.approx([0, 0.8 * (2 / 3 - 1)])
    assert places.abs().max() <= 0.8
    counts = torch.zeros(2, 2)
    for y, x in places:
        counts[int(y > 0), int(x > 0)] += 1
    assert counts.min() >= 6
    assert torch.cdist(places, places).add(torch.eye(30)).min() > 0.05


def test_networks_are_refused_that_make_no_sense() -> None:
    with pytest.raises(InvalidArgumentError, match="regions must be at least 1, got 0"):
        RegionCNN(0)
    with pytest.raises(InvalidArgumentError, match="as many stages"):
        RegionCNN(1, channels=(4,), convolutions=(1, 1))


def test_matched_distances_are_those_of_the_best_permutation() -> None:
    generator = torch.Generator().manual_seed(0)
    places, ideal = torch.randn(3, 4, 2, generator=generator), torch.randn(3, 4, 2, generator=generator)
    told = distances(places, ideal, is_matched=True)
    assert told.shape == (3, 4)
    for one, other, found in zip(places, ideal, told, strict=True):
        each = [(one - other[list(order)]).square().sum(-1) for order in permutations(range(4))]
        best = min(each, key=lambda squared: float(squared.sum()))
        torch.testing.assert_close(found, best)
    ordered = distances(places, ideal, is_matched=False)
    torch.testing.assert_close(ordered, (places - ideal).square().sum(-1))
    assert (told.sum(1) <= ordered.sum(1)).all()


def test_lessons_are_ideal_sequences_whatever_the_number_of_regions(tmp_path: Path) -> None:
    found = lessons(tmp_path, patience=0).lessons(held_out=True)
    assert found.images.shape == (1, 3, 20, 20)
    assert found.places.shape == (1, 3, 2)
    picture = Sources(tmp_path, **SOURCES, held_out=True).draw(np.random.default_rng([0, True, 0]), 20)
    pack([Sample("one", picture.image, picture.alpha)], 20, tmp_path / "packed")
    env = RegionsEnv(
        data="packed",
        data_kwargs={"path": str(tmp_path / "packed")},
        image_size=20,
        region_size=1,
        budget=3,
        solver="random-walk",
    )
    observation, _ = env.reset(options={"index": 0})
    agent = GreedyIdealAgent(env)
    for _ in range(3):
        observation, *_ = env.step(agent.predict(observation)[0])
    asked = [region_to_action(answer.region, (20, 20)) for answer in env.session.answers]
    np.testing.assert_array_equal(found.places[0], asked)
    np.testing.assert_array_equal(found.images[0], picture.image.transpose(2, 0, 1))
    assert lessons(tmp_path, patience=0, regions=1).lessons(held_out=True) is found


def test_batches_are_mirrored_half_of_the_time_with_their_places(tmp_path: Path) -> None:
    task = lessons(tmp_path, batch=16)
    known = task.lessons(held_out=False)
    before = known.images.copy()
    batch = task.load(3)
    assert batch.places.shape == (16, 2, 2)
    seen = set()
    for image, places in zip(batch.images, batch.places, strict=True):
        for number, (whole, ideal) in enumerate(zip(known.images, known.places, strict=True)):
            for is_mirrored in (False, True):
                like = whole[:, :, ::-1] if is_mirrored else whole
                light = (image * like).sum((1, 2)) / np.maximum((like * like).sum((1, 2)), 1e-9)
                if np.abs(image - np.clip(light[:, None, None] * like, 0, 1)).max() < 0.05:
                    np.testing.assert_array_equal(places, ideal[:2] * [1, -1 if is_mirrored else 1])
                    seen.add((number, is_mirrored))
    assert len(seen) >= 3
    np.testing.assert_array_equal(known.images, before)  # which are drawn from again
    again = task.load(3)
    np.testing.assert_array_equal(again.images, batch.images)
    assert not np.array_equal(task.load(4).images, batch.images)


def test_wrong_lessons_are_refused(tmp_path: Path) -> None:
    for options, message in (
        ({"regions": 4}, "regions must be from 1 to longest=3, got 4"),
        ({"loss": "sorted"}, "loss must be 'matched' or 'ordered', got 'sorted'"),
        ({"size": 19}, "size at least 20"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            lessons(tmp_path, **options)


@pytest.mark.parametrize("loss", ["matched", "ordered"])
def test_the_network_learns_a_few_pictures_by_heart(tmp_path: Path, loss: Any) -> None:
    task, network = lessons(tmp_path, loss=loss, batch=8), make_network(2)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for step in range(300):
        (error,) = (
            each for each in task.losses(network, task.load(step), np.random.default_rng(0)) if each is not None
        )
        optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(error.item())
    assert np.mean(losses[-20:]) < 0.1 * np.mean(losses[:20])
    figures = task.validate(network)
    assert figures["error"] == figures[loss]
    assert figures["matched"] <= figures["ordered"]


def test_the_agent_walks_the_networks_regions_in_order_and_begins_again() -> None:
    network = make_network(3)
    agent = RegionCNNAgent(network)
    places = network(torch.from_numpy(see(1)["image"])[None].float() / 255)[0].detach().numpy()
    state, asked = None, []
    for query in range(5):
        action, state = agent.predict(see(1) if query == 0 else see(9), state, np.array([query == 0]))
        asked.append(action)
    np.testing.assert_allclose(asked, places[[0, 1, 2, 0, 1]], rtol=1e-5)
    assert asked[0].dtype == np.float32


def test_a_batch_gives_what_each_gives_and_an_episodes_start_begins_anew() -> None:
    agent = RegionCNNAgent(make_network(3))
    alone = []
    for seed in range(2):
        first, state = agent.predict(see(seed))
        second, _ = agent.predict(see(seed), state)
        alone.append((first, second))
    batch = {key: np.stack([see(seed)[key] for seed in range(2)]) for key in see(0)}
    first, state = agent.predict(batch)
    np.testing.assert_allclose(first, [pair[0] for pair in alone], rtol=1e-4)
    second, _ = agent.predict(batch, state)
    np.testing.assert_allclose(second, [pair[1] for pair in alone], rtol=1e-4)
    partly, after = agent.predict(batch, state, np.array([True, False]))
    np.testing.assert_allclose(partly, [alone[0][0], alone[1][1]], rtol=1e-4)
    assert after.done.tolist() == [1, 2]
    assert state.done.tolist() == [1, 1]  # which a session may come back to


def test_the_least_network_is_taken_that_is_enough(tmp_path: Path) -> None:
    write_networks(tmp_path, [make_network(count) for count in (2, 5)], TINY)
    for budget, expected in ((1, 2), (2, 2), (3, 5), (9, 5)):
        env = RegionsEnv(data_kwargs={"count": 1, "size": 20}, image_size=20, region_size=1, budget=budget)
        assert region_cnn_agent(env, folder=tmp_path).network.regions == expected
    agent = make_agent(f'region-cnn:folder="{tmp_path}",regions=2')
    assert isinstance(agent, RegionCNNAgent)
    torch.testing.assert_close(agent.network.state_dict(), make_network(2).state_dict())
    with pytest.raises(InvalidArgumentError, match=r"regions must be one of \[2, 5\], got 3"):
        region_cnn_agent(regions=3, folder=tmp_path)


def test_folders_that_are_damaged_are_told(tmp_path: Path) -> None:
    write_networks(tmp_path, [make_network(2)], TINY)
    (tmp_path / "regions-2.safetensors").write_bytes(b"")
    with pytest.raises(FileError, match="cannot be read"):
        region_cnn_agent(folder=tmp_path)
    write_networks(tmp_path, [make_network(2)], TINY | {"hidden": [3]})
    with pytest.raises(FileError, match="does not fit"):
        region_cnn_agent(folder=tmp_path)
    (tmp_path / CONFIG).write_text(json.dumps({"regions": [2]}), encoding="utf-8")
    with pytest.raises(FileError, match="does not describe region networks"):
        region_cnn_agent(folder=tmp_path)
    with pytest.raises(FileError):
        region_cnn_agent(folder=tmp_path / "missing")


def test_training_makes_a_network_for_each_number_and_leaves_alone_what_is_done(tmp_path: Path) -> None:
    recipe, output = tmp_path / "tiny.toml", tmp_path / "trained"
    recipe.write_text(RECIPE, encoding="utf-8")
    command = ["train-region-cnn", "--recipe", str(recipe), "--output", str(output), "--cache", str(tmp_path / "kept")]
    assert main([*command, "--regions", "1", "--regions", "3"]) == 0
    config = json.loads((output / CONFIG).read_text(encoding="utf-8"))
    assert config["regions"] == [1, 3]
    assert {name: outcome["batches"] for name, outcome in config["outcomes"].items()} == {"1": 4, "3": 4}
    weights = [(output / f"regions-{count}.safetensors").read_bytes() for count in (1, 3)]
    assert main([*command, "--regions", "1", "--regions", "3"]) == 0
    assert [(output / f"regions-{count}.safetensors").read_bytes() for count in (1, 3)] == weights
    agent = region_cnn_agent(regions=3, folder=output)
    assert agent.predict(see(0))[0].shape == (2,)
    train_region_cnns(tmp_path / "again", [3], recipe=recipe, cache=tmp_path / "kept")
    assert (tmp_path / "again" / "regions-3.safetensors").read_bytes() == weights[1]


def test_a_recipe_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(RECIPE.replace('"region-cnn"', '"imatting"'), encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match="must be of the network 'region-cnn'"):
        train_region_cnns(tmp_path, [1], recipe=tmp_path / "other.toml")


@pytest.mark.parametrize("count", COUNTS)
def test_the_papers_seven_networks_come_with_the_package(count: int) -> None:
    agent = make_agent("region-cnn", regions=count)
    env = RegionsEnv(data_kwargs={"count": 1, "size": 40}, image_size=40, region_size=2, budget=count)
    observation, _ = env.reset(seed=0)
    action, _ = agent.predict(observation)
    assert action.shape == (2,)
    assert env.action_space.contains(action)
