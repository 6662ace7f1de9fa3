"""Toys with a known optimum, and what tests of the paper's agent share."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from test_networks import TINY

from active_matting.agents.policy import ReinforcePolicy, make_policy
from active_matting.agents.reinforce import Reinforce
from active_matting.agents.rollouts import Draws, Rollout, collect

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "train", "count": 8, "size": 32},
    "image_size": 32,
    "region_size": 3,
    "budget": 3,
    "candidates": 2,
    "reward": "relative",
    "solver": "random-walk",
}
"""Of `ActiveMatting/Regions-v0`, tiny and quick."""


class Treasure(gymnasium.Env[dict[str, Any], np.ndarray[Any, Any]]):
    """The reward is 1 - the squared distance to a place that depends on the step; of S candidates, of the best one."""

    places = np.array([[0.5, -0.4], [-0.3, 0.6], [0.0, 0.0]])

    def __init__(self, candidates: int = 1) -> None:
        self.action_space = spaces.Box(-1, 1, (2,) if candidates == 1 else (candidates, 2), np.float32)
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
        proposals = action.reshape(-1, 2)
        rewards = 1 - np.sum((proposals - self.places[self.query]) ** 2, axis=1)
        best = int(rewards.argmax())
        self.query += 1
        info = {"rewards": rewards, "skipped": np.zeros(len(rewards), dtype=bool), "rmse": 1 - float(rewards[best])}
        return self._observe(proposals[best]), float(rewards[best]), self.query == 3, False, info

    def _observe(self, location: np.ndarray[Any, Any]) -> dict[str, Any]:
        blank = np.zeros((1, 32, 32), dtype=np.uint8)
        return {
            "image": np.repeat(blank, 3, axis=0),
            "matte": blank,
            "location": location.astype(np.float32),
            "remaining": np.array([1 - self.query / 3], dtype=np.float32),
        }


def treasures(count: int, candidates: int = 1) -> DummyVecEnv:
    return DummyVecEnv([lambda: Treasure(candidates) for _ in range(count)])


def regions(count: int, **changes: Any) -> Any:
    """A batch of tiny environments."""
    return gymnasium.make_vec("active_matting:ActiveMatting/Regions-v0", num_envs=count, **ENVIRONMENT | changes)


def make_model(env: Any, **options: Any) -> Reinforce:
    """The algorithm with tiny networks."""
    return Reinforce("MultiInputPolicy", env, policy_kwargs={"config": TINY}, device="cpu", **{"seed": 0} | options)


def tiny_policy(seed: int = 0) -> ReinforcePolicy:
    import torch

    torch.manual_seed(seed)
    return make_policy(TINY)


def play(model: Reinforce, update: int = 0, deviation: float = 0.4, **options: Any) -> Rollout:
    assert model.env is not None
    assert model.n_steps is not None
    draws = Draws.of(model.run_seed, update, model.n_envs, model.episodes_per_image)
    rollout = collect(model.policy, model.env, model.n_steps, deviation, draws, lambda step: True, **options)
    assert rollout is not None
    return rollout
