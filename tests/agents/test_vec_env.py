"""Gymnasium's batches as vectorised environments of Stable-Baselines3."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor
from treasure import ENVIRONMENT, Treasure, make_model

from active_matting.agents.vec_env import BatchVecEnv
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import InvalidArgumentError

GRID = "active_matting:ActiveMatting/RegionGrid-v0"
ONE: dict[str, Any] = ENVIRONMENT | {"candidates": 1, "reward": "rmse"}


def batch(count: int, mode: str = "SameStep", name: str = GRID.replace("RegionGrid", "Regions"), **options: Any) -> Any:
    return gymnasium.make_vec(name, num_envs=count, autoreset_mode=mode, **ONE | options)


def assert_same(one: Any, other: Any) -> None:
    assert isinstance(one, dict) == isinstance(other, dict)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            assert_same(one[name], other[name])
    else:
        np.testing.assert_array_equal(one, other)


def test_a_batch_steps_like_stable_baselines3s_own_environments() -> None:
    ours, theirs = BatchVecEnv(batch(2)), DummyVecEnv([lambda: RegionsEnv(**ONE) for _ in range(2)])
    for env in (ours, theirs):
        env.seed(5)
    assert_same(ours.reset(), theirs.reset())
    rng = np.random.default_rng(0)
    for _ in range(7):  # through two ends
        actions = rng.uniform(-1, 1, (2, 2)).astype(np.float32)
        observation, rewards, dones, infos = ours.step(actions)
        expected = theirs.step(actions)
        assert_same(observation, expected[0])
        assert_same(rewards, expected[1])
        assert_same(dones, expected[2])
        for info, info_of_theirs in zip(infos, expected[3], strict=True):
            assert_same(info, info_of_theirs)
        for info, info_of_theirs in zip(ours.reset_infos, theirs.reset_infos, strict=True):
            assert_same(info, info_of_theirs)


def test_a_batch_that_resets_late_ends_with_the_last_observation() -> None:
    at_once, late = BatchVecEnv(batch(2)), BatchVecEnv(batch(2, mode="NextStep"), resets_late=True)
    for env in (at_once, late):
        env.seed(5)
        env.reset()
    actions = np.zeros((2, 2), dtype=np.float32)
    for _ in range(3):
        observation, *_, infos = late.step(actions)
        _, _, dones, infos_at_once = at_once.step(actions)
    assert dones.all()
    for number in range(2):
        terminal = infos_at_once[number]["terminal_observation"]
        assert_same(infos[number]["terminal_observation"], terminal)
        assert_same({name: part[number] for name, part in observation.items()}, terminal)  # type: ignore[union-attr]


def test_ppo_trains_on_a_batch_and_evaluates_it() -> None:
    env = VecMonitor(BatchVecEnv(batch(2, image_size=36, data_kwargs={"split": "train", "count": 2, "size": 36})))
    model = PPO("MultiInputPolicy", env, n_steps=6, batch_size=12, n_epochs=1, device="cpu").learn(12)
    assert len(model.ep_info_buffer or ()) == 4
    assert np.isfinite(evaluate_policy(model, env, n_eval_episodes=2)[0])


def test_masks_and_settings_are_found_where_stable_baselines3_looks() -> None:
    env = BatchVecEnv(batch(2, name=GRID))
    env.reset()
    assert env.has_attr("action_masks")
    assert not env.has_attr("no_such_thing")
    before = env.env_method("action_masks")
    env.step(np.array([3, 4]))
    after = env.env_method("action_masks")
    assert [int(mask.sum()) for mask in before] == [121, 121]
    assert [int(np.flatnonzero(mask == 0)[0]) for mask in after] == [3, 4]
    assert env.env_method("action_masks", indices=1)[0].tolist() == after[1].tolist()
    assert [settings.budget for settings in env.get_attr("settings")] == [3, 3]
    env.set_attr("note", "mine")
    assert env.get_attr("note") == ["mine", "mine"]
    with pytest.raises(InvalidArgumentError, match="has its attributes for all"):
        env.set_attr("note", "mine", indices=0)


def test_options_reach_the_batch() -> None:
    env = BatchVecEnv(batch(2))
    env.set_options({"index": 4})
    env.reset()
    assert [info["sample"] for info in env.reset_infos] == [4, 4]
    env.set_options([{"index": 4}, {"index": 5}])
    with pytest.raises(InvalidArgumentError, match="the same options for all"):
        env.reset()


def test_pictures_are_tiled() -> None:
    env = BatchVecEnv(batch(2, render_mode="rgb_array"))
    env.reset()
    one, other = env.get_images()
    assert one is not None
    assert other is not None
    picture = env.render()
    assert picture is not None
    assert picture.shape[1] >= one.shape[1]


def test_other_batches_of_gymnasium_are_taken_too() -> None:
    env = BatchVecEnv(SyncVectorEnv([Treasure] * 2, autoreset_mode=AutoresetMode.SAME_STEP))
    env.reset()
    for _ in range(3):
        *_, dones, infos = env.step(np.zeros((2, 2), dtype=np.float32))
    assert dones.all()
    assert [info["terminal_observation"]["remaining"].tolist() for info in infos] == [[0], [0]]
    make_model(SyncVectorEnv([Treasure] * 2), n_steps=3).learn(6)


def test_a_batch_that_resets_at_another_time_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="autoreset_mode must be 'SameStep' here, got 'NextStep'"):
        BatchVecEnv(batch(2, mode="NextStep"))
    with pytest.raises(InvalidArgumentError, match="autoreset_mode must be 'NextStep' here, got 'SameStep'"):
        BatchVecEnv(batch(2), resets_late=True)
