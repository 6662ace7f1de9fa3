"""Rollouts: what they hold, whose seeds they follow, and what counts of them."""

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv
from treasure import ENVIRONMENT, Treasure, make_model, play, regions, treasures

from active_matting.envs.regions import RegionsEnv
from active_matting.errors import InvalidArgumentError


def test_a_rollout_holds_what_the_environments_said() -> None:
    rollout = play(make_model(regions(2)), update=3)
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
        assert rollout.rmse is not None
        assert rollout.rmse[episode] == pytest.approx(info["rmse"])


def test_the_same_update_collects_the_same_rollout_from_any_environments() -> None:
    singles = DummyVecEnv([lambda: RegionsEnv(**ENVIRONMENT) for _ in range(2)])
    models = [make_model(env) for env in (regions(2), singles)]
    one, same = (play(model, update=1) for model in models)
    other = play(models[0], update=2)
    assert torch.equal(one.proposals, same.proposals)
    assert torch.equal(one.rewards, same.rewards)
    assert torch.equal(one.glances.patch, same.glances.patch)
    assert not torch.equal(one.proposals, other.proposals)


def test_one_run_over_the_sequences_gives_the_centres_that_steps_proposed_around() -> None:
    """Or equation 6 would weigh the wrong probabilities."""
    model = make_model(regions(2))
    rollout = play(model, deviation=1e-4)
    centres, _ = model.policy.network.unroll(model.policy.encode_images(rollout.images), rollout.glances)
    np.testing.assert_allclose(rollout.proposals, centres[:, :, None].detach().expand(-1, -1, 2, -1), atol=1e-3)


def test_episodes_of_one_image_differ_in_what_is_asked() -> None:
    rollout = play(make_model(regions(4), episodes_per_image=2))
    assert torch.equal(rollout.images[0], rollout.images[1])
    assert torch.equal(rollout.images[2], rollout.images[3])
    assert not torch.equal(rollout.images[0], rollout.images[2])
    assert not torch.equal(rollout.proposals[:, 0], rollout.proposals[:, 1])


def test_skipped_queries_count_only_where_told() -> None:
    model = make_model(regions(2))
    paper, every = play(model), play(model, learns_from_skips=True)
    assert not paper.counts.all()
    assert every.counts.all()
    assert torch.equal(paper.rewards, every.rewards)


def test_an_episode_that_a_failing_solver_cuts_off_counts_as_far_as_it_went() -> None:
    class Cut(Treasure):
        def step(self, action: np.ndarray[Any, Any]) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
            observation, reward, ended, _, info = super().step(action)
            if self.query < 2:
                return observation, reward, ended, False, info
            return observation, 0.0, False, True, {"error": "the solver failed", "rmse": 1.0}

    model = make_model(DummyVecEnv([Treasure, Cut]), n_steps=3)
    rollout = play(model)
    assert rollout.counts[:, :, 0].tolist() == [[True, True], [True, False], [True, False]]
    model.learn(6)


@pytest.mark.parametrize("steps", [2, 4])
def test_a_wrong_length_is_told(steps: int) -> None:
    with pytest.raises(InvalidArgumentError, match=f"n_steps must be the episodes' length, got {steps}"):
        make_model(treasures(2), n_steps=steps).learn(8)
