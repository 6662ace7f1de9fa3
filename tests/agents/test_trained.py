"""Trained agents as folders of weights."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy
from test_networks import TINY
from test_policy import observe
from treasure import tiny_policy

from active_matting.agents import make_agent
from active_matting.agents.policy import ReinforcePolicy
from active_matting.agents.trained import CONFIG, WEIGHTS, load_reinforce, save_agent
from active_matting.errors import FileError, UnknownNameError

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 2, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 3,
    "solver": "random-walk",
}


def test_a_saved_agent_comes_back_the_same(tmp_path: Path) -> None:
    agent = tiny_policy(seed=5)
    agent.deviation = 0.3
    save_agent(agent, tmp_path / "agent", card={"note": "made by a test"})
    loaded = load_reinforce(tmp_path / "agent")
    assert loaded.config == TINY
    assert loaded.deviation == 0.3
    for observation in (observe(1), observe(2)):
        np.testing.assert_array_equal(
            loaded.predict(observation, deterministic=True)[0], agent.predict(observation, deterministic=True)[0]
        )
    assert json.loads((tmp_path / "agent" / CONFIG).read_text())["card"] == {"note": "made by a test"}
    draws = [load_reinforce(tmp_path / "agent", seed).predict(observe(1))[0].tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_broken_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not a folder"):
        load_reinforce(tmp_path / "nowhere")
    folder = tmp_path / "agent"
    save_agent(tiny_policy(), folder)
    weights, config = (folder / WEIGHTS).read_bytes(), (folder / CONFIG).read_text()

    (folder / WEIGHTS).write_bytes(weights[: len(weights) // 2])
    with pytest.raises(FileError, match="cannot be read"):
        load_reinforce(folder)
    (folder / WEIGHTS).write_bytes(weights)

    (folder / CONFIG).write_text(config.replace('"memory_size": 6', '"memory_size": 7'))
    with pytest.raises(FileError, match="does not fit"):
        load_reinforce(folder)
    (folder / CONFIG).write_text("{}")
    with pytest.raises(FileError, match="does not describe an agent"):
        load_reinforce(folder)
    (folder / CONFIG).write_text("{")
    with pytest.raises(FileError, match="is not a JSON file"):
        load_reinforce(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(FileError, match="cannot read"):
        load_reinforce(folder)


def test_a_folder_of_weights_is_an_agent_by_name(tmp_path: Path) -> None:
    save_agent(tiny_policy(), tmp_path)
    assert isinstance(make_agent(str(tmp_path)), ReinforcePolicy)
    with pytest.raises(UnknownNameError, match="unknown agent 'nobody'; choose from"):
        make_agent("nobody")


def test_the_shipped_agent_asks_what_it_always_did() -> None:
    """Its first places on a fixed picture, as the code that it was trained with said them."""
    agent, state = make_agent("small"), None
    said = []
    for _ in range(3):
        action, state = agent.predict(observe(1, size=40), state, deterministic=True)
        said.append(action.tolist())
    before = [[-0.622376, 0.806906], [-0.218777, -0.023209], [0.092684, 0.339614]]
    np.testing.assert_allclose(said, before, atol=1e-4)


@pytest.mark.filterwarnings("ignore:Evaluation environment is not wrapped")
@pytest.mark.parametrize("name", ["trained", "random", "error-seeking", "greedy-ideal"])
def test_stable_baselines3_evaluates_every_agent(name: str, tmp_path: Path) -> None:
    env = gymnasium.make("active_matting:ActiveMatting/Regions-v0", **ENVIRONMENT)
    if name == "trained":
        save_agent(tiny_policy(), tmp_path)
    agent = make_agent(str(tmp_path) if name == "trained" else name, env)
    rewards, lengths = evaluate_policy(agent, env, n_eval_episodes=2, return_episode_rewards=True)  # type: ignore[arg-type]
    assert lengths == [3, 3]
    assert np.isfinite(rewards).all()
