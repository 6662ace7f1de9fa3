"""The training loop: what it collects, that it learns, and that it goes on where it stopped."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from test_policy import TINY

from active_matting.agents.checkpoint import CHECKPOINT
from active_matting.agents.location import log_probability
from active_matting.agents.policy import RecurrentPolicy
from active_matting.agents.recipes import RECIPES, make_recipe
from active_matting.agents.reinforce import TrainingConfig, collect, make_optimiser, train, train_once
from active_matting.agents.trained import ReinforceAgent, encode_images
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "train", "count": 8, "size": 32},
    "image_size": 32,
    "region_size": 3,
    "budget": 3,
    "candidates": 2,
    "solver": "random-walk",
}
CONFIG = TrainingConfig(environment=ENVIRONMENT, policy=TINY, episodes=2, updates=4)


class Treasure(gymnasium.Env[dict[str, Any], np.ndarray[Any, Any]]):
    """A toy with a known optimum: the reward is 1 - the squared distance to a place that depends on the step alone."""

    places = np.array([[0.5, -0.4], [-0.3, 0.6], [0.0, 0.0]])

    def __init__(self) -> None:
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (3, 32, 32), np.uint8),
                "matte": spaces.Box(0, 255, (1, 32, 32), np.uint8),
                "location": spaces.Box(-1, 1, (2,), np.float32),
                "remaining": spaces.Box(0, 1, (1,), np.float32),
            }
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        super().reset(seed=seed)
        self.query = 0
        return self._observe(np.zeros(2)), {}

    def step(self, action: np.ndarray[Any, Any]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        reward = 1 - float(np.sum((action - self.places[self.query]) ** 2))
        self.query += 1
        info = {"rewards": np.array([reward]), "skipped": np.array([False]), "rmse": 1 - reward}
        return self._observe(action), reward, self.query == 3, False, info

    def _observe(self, location: np.ndarray[Any, Any]) -> dict[str, Any]:
        blank = np.zeros((1, 32, 32), dtype=np.uint8)
        return {
            "image": np.repeat(blank, 3, axis=0),
            "matte": blank,
            "location": location.astype(np.float32),
            "remaining": np.array([1 - self.query / 3], dtype=np.float32),
        }


@pytest.fixture
def environments() -> Iterator[gymnasium.vector.VectorEnv[Any, Any, Any]]:
    made = gymnasium.vector.SyncVectorEnv([lambda: RegionsEnv(**ENVIRONMENT)] * 2)
    yield made
    made.close()


def test_a_rollout_holds_what_the_environments_said(environments: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
    policy = RecurrentPolicy(TINY, torch.Generator().manual_seed(0))
    rollout = collect(CONFIG, policy, environments, deviation=0.4, update=3)
    assert rollout.proposals.shape == (3, 2, 2, 2)
    assert rollout.glances.location.shape == (2, 2, 2)
    assert rollout.glances.patch.shape == (2, 2, 7, 7)
    seeds = np.random.SeedSequence([0, 3]).generate_state(3)
    for episode in range(2):
        env = RegionsEnv(**ENVIRONMENT)
        observation, _ = env.reset(seed=int(seeds[episode]))
        np.testing.assert_array_equal(rollout.images[episode], observation["image"])
        for step in range(3):
            actions = rollout.proposals[step, episode].clamp(-1, 1).numpy()
            observation, *_, info = env.step(actions)
            np.testing.assert_allclose(rollout.rewards[step, episode], info["rewards"], rtol=1e-6)
            np.testing.assert_array_equal(rollout.counts[step, episode], ~info["skipped"])
            if step < 2:
                np.testing.assert_array_equal(rollout.glances.location[step, episode], observation["location"])
                np.testing.assert_array_equal(rollout.glances.remaining[step, episode], observation["remaining"])


def test_the_same_update_collects_the_same_rollout(environments: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
    policy = RecurrentPolicy(TINY, torch.Generator().manual_seed(0))
    one, same, other = (collect(CONFIG, policy, environments, 0.4, update) for update in (1, 1, 2))
    assert torch.equal(one.proposals, same.proposals)
    assert torch.equal(one.rewards, same.rewards)
    assert not torch.equal(one.proposals, other.proposals)


def test_proposals_are_drawn_around_the_centres_that_unrolling_gives(
    environments: gymnasium.vector.VectorEnv[Any, Any, Any],
) -> None:
    """Or equation 6 would weigh the wrong probabilities."""
    policy = RecurrentPolicy(TINY, torch.Generator().manual_seed(0))
    rollout = collect(CONFIG, policy, environments, deviation=1e-4, update=0)
    features = encode_images(policy, {"image": rollout.images.numpy()})
    centres, _ = policy.unroll(features, rollout.glances)
    np.testing.assert_allclose(rollout.proposals, centres[:, :, None].detach().expand(-1, -1, 2, -1), atol=1e-3)
    assert log_probability(rollout.proposals, centres, 1e-4).isfinite().all()


def test_episodes_of_one_image_differ_in_what_is_asked(
    environments: gymnasium.vector.VectorEnv[Any, Any, Any],
) -> None:
    policy = RecurrentPolicy(TINY, torch.Generator().manual_seed(0))
    rollout = collect(replace(CONFIG, episodes_per_image=2), policy, environments, 0.4, 0)
    assert torch.equal(rollout.images[0], rollout.images[1])
    assert not torch.equal(rollout.proposals[:, 0], rollout.proposals[:, 1])


def test_skipped_queries_count_only_where_told(environments: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
    policy = RecurrentPolicy(TINY, torch.Generator().manual_seed(0))
    paper = collect(CONFIG, policy, environments, 0.4, 0)
    every = collect(replace(CONFIG, learns_from_skips=True), policy, environments, 0.4, 0)
    assert not paper.counts.all()
    assert every.counts.all()
    assert torch.equal(paper.rewards, every.rewards)
    assert not paper.rewards[~paper.counts].any()


def test_training_finds_the_known_optimum_of_a_toy() -> None:
    environments = gymnasium.vector.SyncVectorEnv([Treasure] * 16)
    config = TrainingConfig(
        policy=TINY, episodes=16, updates=300, deviation=(0.3, 0.1), learning_rate=(1e-2, 1e-3), gradient_norm=5
    )
    policy = RecurrentPolicy(TINY, torch.Generator().manual_seed(0))
    optimiser = make_optimiser(config, policy)
    for update in range(config.updates):
        train_once(config, policy, optimiser, environments, update)
    agent, state = ReinforceAgent(policy), None
    env = Treasure()
    observation, _ = env.reset()
    for place in Treasure.places:
        action, state = agent.predict(observation, state, deterministic=True)
        np.testing.assert_allclose(action, place, atol=0.1)
        observation, *_ = env.step(action)


@pytest.mark.slow
def test_a_run_that_was_stopped_and_resumed_ends_like_one_that_was_not(tmp_path: Path) -> None:
    whole = train(CONFIG, tmp_path / "whole")

    class StopError(Exception):
        pass

    def stop(figures: dict[str, float]) -> None:
        if figures["update"] == 2:
            raise StopError

    with pytest.raises(StopError):
        train(CONFIG, tmp_path / "parts", on_update=stop)
    resumed = train(CONFIG, tmp_path / "parts", resume=True)
    for name, tensor in whole.policy.state_dict().items():
        assert torch.equal(tensor, resumed.policy.state_dict()[name]), name
    untrained = RecurrentPolicy(TINY, torch.Generator().manual_seed(0)).state_dict()
    assert not torch.equal(untrained["location_decoding.weight"], whole.policy.state_dict()["location_decoding.weight"])


def test_resuming_without_or_with_another_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        train(CONFIG, tmp_path, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="cannot be read"):
        train(CONFIG, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"episodes": 0}, "episodes must be at least 1, got 0"),
        ({"episodes_per_image": 3}, "episodes_per_image must divide episodes, 2, got 3"),
        ({"updates": 0}, "updates must be at least 1, got 0"),
        ({"discount": 1.5}, "discount must be from 0 to 1, got 1.5"),
        ({"discount": 0.5}, "discount must be 0 with several candidates"),
        ({"deviation": (0.1, 0.0)}, "deviation must be positive"),
        ({"learning_rate": (-1.0, 1.0)}, "learning_rate must be positive"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        replace(CONFIG, **options)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_an_environment(name: str) -> None:
    config = make_recipe(name, seed=3, updates=7, solver="closed-form")
    assert (config.seed, config.updates) == (3, 7)
    env = RegionsEnv(**config.environment)
    assert type(env.solver).__name__ == "ClosedForm"


def test_recipes_refuse_what_they_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe 'huge'; choose from"):
        make_recipe("huge")
    with pytest.raises(FileError, match="is not a folder of images"):
        make_recipe("small", data=str(tmp_path / "nowhere"))
