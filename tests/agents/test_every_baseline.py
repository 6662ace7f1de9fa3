"""What every agent without weights of one's own keeps to, whatever it asks about."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy

from active_matting.agents import AGENTS, make_agent
from active_matting.envs.regions import RegionsEnv, RegionsVectorEnv

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 2, "size": 20},
    "image_size": 20,
    "region_size": 4,
    "budget": 3,
    "solver": "random-walk",
}
NAMES = [name for name, place in AGENTS.table.items() if place.startswith("active_matting.agents.baselines.")]


def make(name: str, env: Any) -> Any:
    faster: dict[str, Any] = {"solvers": "random-walk+knn"} if name == "solver-disagreement" else {}
    return make_agent(name, env, **faster)


def test_they_are_all_looked_at() -> None:
    assert len(NAMES) == 9


@pytest.mark.filterwarnings("ignore:Evaluation environment is not wrapped")
@pytest.mark.parametrize("name", NAMES)
def test_stable_baselines3_evaluates_every_baseline(name: str) -> None:
    env = gymnasium.make("active_matting:ActiveMatting/Regions-v0", **ENVIRONMENT)
    rewards, lengths = evaluate_policy(make(name, env), env, n_eval_episodes=2, return_episode_rewards=True)
    assert lengths == [3, 3]
    assert np.isfinite(rewards).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_single_observation_gives_an_action_and_a_batch_of_it_a_batch(name: str) -> None:
    env = RegionsEnv(**ENVIRONMENT)
    observation, _ = env.reset(options={"index": 1})
    action, _ = make(name, env).predict(observation, deterministic=True)
    assert env.action_space.contains(action)
    batch = {key: array[None] for key, array in observation.items()}
    actions, _ = make(name, env).predict(batch, state=None, episode_start=np.array([True]), deterministic=True)
    assert actions.shape == (1, 2)
    np.testing.assert_allclose(actions[0], action, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_whole_episodes_go_in_a_batch_of_environments(name: str) -> None:
    batch = RegionsVectorEnv(3, **ENVIRONMENT)
    observation, _ = batch.reset(seed=0)
    agent, state, starts = make(name, batch), None, np.ones(3, dtype=bool)
    for _ in range(3):
        actions, state = agent.predict(observation, state, starts, True)
        assert batch.action_space.contains(actions)
        observation, _, starts, *_ = batch.step(actions)
    assert starts.all()
