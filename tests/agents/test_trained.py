"""The trained agent behind `predict`, and its folder of weights."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from stable_baselines3.common.evaluation import evaluate_policy
from test_policy import TINY, make_policy

from active_matting.agents import make_agent
from active_matting.agents.trained import CONFIG, WEIGHTS, ReinforceAgent
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.observations import Observation

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 2, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 3,
    "solver": "random-walk",
}


def observe(seed: int, size: int = 32) -> Observation:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(256, size=(3, size, size), dtype=np.uint8),
        "label_map": np.full((1, size, size), 128, dtype=np.uint8),
        "matte": rng.integers(256, size=(1, size, size), dtype=np.uint8),
        "location": rng.uniform(-1, 1, 2).astype(np.float32),
        "remaining": np.ones(1, dtype=np.float32),
    }


def test_a_batch_of_observations_gives_what_each_of_them_gives() -> None:
    agent = ReinforceAgent(make_policy())
    sequences = [[observe(10 * number + step) for step in range(3)] for number in range(2)]
    apart = []
    for sequence in sequences:
        state, actions = None, []
        for observation in sequence:
            action, state = agent.predict(observation, state, deterministic=True)
            actions.append(action)
        apart.append(actions)
    state = None
    for step in range(3):
        batch = {name: np.stack([s[step][name] for s in sequences]) for name in sequences[0][0]}
        together, state = agent.predict(batch, state, deterministic=True)
        np.testing.assert_allclose(together, [actions[step] for actions in apart], rtol=1e-5, atol=1e-6)
        assert together.dtype == np.float32


def test_an_episode_start_makes_the_agent_begin_anew() -> None:
    agent = ReinforceAgent(make_policy())
    fresh, state = agent.predict(observe(1), deterministic=True)
    later, state = agent.predict(observe(2), state, np.array([False]), deterministic=True)
    again, _ = agent.predict(observe(1), state, np.array([True]), deterministic=True)
    np.testing.assert_allclose(again, fresh)
    assert not np.allclose(later, fresh)


def test_draws_follow_the_seed_and_spread_by_the_deviation() -> None:
    agents = [ReinforceAgent(make_policy(), deviation=0.2, seed=seed) for seed in (3, 3, 4)]
    one, same, other = (np.stack([agent.predict(observe(1))[0] for _ in range(200)]) for agent in agents)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    centre, _ = agents[0].predict(observe(1), deterministic=True)
    assert (one - centre).std() == pytest.approx(0.2, rel=0.15)


def test_images_of_another_size_are_resized() -> None:
    agent = ReinforceAgent(make_policy())
    large, small = observe(1, size=64), observe(1, size=32)
    for name in ("image", "matte"):
        coarse = large[name].reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
        large[name] = np.repeat(np.repeat(np.round(coarse).astype(np.uint8), 2, axis=1), 2, axis=2)
        small[name] = np.round(coarse).astype(np.uint8)
    np.testing.assert_allclose(
        agent.predict(large, deterministic=True)[0], agent.predict(small, deterministic=True)[0], atol=1e-5
    )


def test_a_saved_agent_comes_back_the_same(tmp_path: Path) -> None:
    agent = ReinforceAgent(make_policy(seed=5), deviation=0.3)
    agent.save(tmp_path / "agent", card={"note": "made by a test"})
    loaded = ReinforceAgent.load(tmp_path / "agent")
    assert loaded.policy.config == TINY
    assert loaded.deviation == 0.3
    for observation in (observe(1), observe(2)):
        np.testing.assert_array_equal(
            loaded.predict(observation, deterministic=True)[0], agent.predict(observation, deterministic=True)[0]
        )
    assert json.loads((tmp_path / "agent" / CONFIG).read_text())["card"] == {"note": "made by a test"}


def test_broken_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is not a folder"):
        ReinforceAgent.load(tmp_path / "nowhere")
    folder = tmp_path / "agent"
    ReinforceAgent(make_policy()).save(folder)
    weights, config = (folder / WEIGHTS).read_bytes(), (folder / CONFIG).read_text()

    (folder / WEIGHTS).write_bytes(weights[: len(weights) // 2])
    with pytest.raises(FileError, match="cannot be read"):
        ReinforceAgent.load(folder)
    (folder / WEIGHTS).write_bytes(weights)

    (folder / CONFIG).write_text(config.replace('"memory_size": 6', '"memory_size": 7'))
    with pytest.raises(FileError, match="does not fit"):
        ReinforceAgent.load(folder)
    (folder / CONFIG).write_text("{}")
    with pytest.raises(FileError, match="does not describe an agent"):
        ReinforceAgent.load(folder)
    (folder / CONFIG).write_text("{")
    with pytest.raises(FileError, match="is not a JSON file"):
        ReinforceAgent.load(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(FileError, match="cannot read"):
        ReinforceAgent.load(folder)


def test_a_folder_of_weights_is_an_agent_by_name(tmp_path: Path) -> None:
    ReinforceAgent(make_policy()).save(tmp_path)
    assert isinstance(make_agent(str(tmp_path)), ReinforceAgent)
    with pytest.raises(UnknownNameError, match="unknown agent 'nobody'; choose from"):
        make_agent("nobody")


def test_a_deviation_must_be_positive() -> None:
    with pytest.raises(InvalidArgumentError, match="deviation must be positive, got 0"):
        ReinforceAgent(make_policy(), deviation=0)


@pytest.mark.filterwarnings("ignore:Evaluation environment is not wrapped")
@pytest.mark.parametrize("name", ["trained", "random", "error-seeking", "greedy-ideal"])
def test_stable_baselines3_evaluates_every_agent(name: str, tmp_path: Path) -> None:
    env = gymnasium.make("active_matting:ActiveMatting/Regions-v0", **ENVIRONMENT)
    if name == "trained":
        ReinforceAgent(make_policy()).save(tmp_path)
    agent = make_agent(str(tmp_path) if name == "trained" else name, env)
    rewards, lengths = evaluate_policy(agent, env, n_eval_episodes=2, return_episode_rewards=True)  # type: ignore[arg-type]
    assert lengths == [3, 3]
    assert np.isfinite(rewards).all()
