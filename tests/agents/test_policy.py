"""The policy behind `predict`: single and batched observations, recurrent state, draws."""

import numpy as np
import pytest
import torch
from test_networks import TINY
from treasure import tiny_policy

from active_matting.agents.policy import ReinforcePolicy
from active_matting.errors import InvalidArgumentError
from active_matting.observations import Observation


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
    agent = tiny_policy()
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
    agent = tiny_policy()
    fresh, state = agent.predict(observe(1), deterministic=True)
    later, state = agent.predict(observe(2), state, np.array([False]), deterministic=True)
    again, _ = agent.predict(observe(1), state, np.array([True]), deterministic=True)
    np.testing.assert_allclose(again, fresh)
    assert not np.allclose(later, fresh)


def test_the_state_is_of_arrays_with_a_row_for_each_episode() -> None:
    batch = {name: np.stack([array] * 3) for name, array in observe(1).items()}
    _, state = tiny_policy().predict(batch)
    assert state is not None
    assert [part.shape for part in state] == [(3, TINY.feature_size), (3, TINY.memory_size), (3, TINY.memory_size)]
    assert all(part.dtype == np.float32 for part in state)


def test_draws_follow_the_generator_and_spread_by_the_deviation() -> None:
    drawn = []
    for seed in (3, 3, 4):
        agent = tiny_policy()
        agent.deviation, agent.generator = 0.2, torch.Generator().manual_seed(seed)
        drawn.append(np.stack([agent.predict(observe(1))[0] for _ in range(200)]))
    one, same, other = drawn
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    centre, _ = agent.predict(observe(1), deterministic=True)
    assert (one - centre).std() == pytest.approx(0.2, rel=0.15)


def test_images_of_another_size_are_resized() -> None:
    agent = tiny_policy()
    large, small = observe(1, size=64), observe(1, size=32)
    for name in ("image", "matte"):
        coarse = large[name].reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
        large[name] = np.repeat(np.repeat(np.round(coarse).astype(np.uint8), 2, axis=1), 2, axis=2)
        small[name] = np.round(coarse).astype(np.uint8)
    np.testing.assert_allclose(
        agent.predict(large, deterministic=True)[0], agent.predict(small, deterministic=True)[0], atol=1e-5
    )


def test_stable_baselines3_saves_and_loads_the_policy_alone(tmp_path: pytest.TempPathFactory) -> None:
    agent = tiny_policy(seed=5)
    agent.save(f"{tmp_path}/policy.zip")
    loaded = ReinforcePolicy.load(f"{tmp_path}/policy.zip")
    for one, other in zip(agent.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other)
    assert loaded.config == TINY


def test_calling_the_policy_gives_the_first_querys_actions() -> None:
    agent = tiny_policy()
    batch = {name: torch.as_tensor(np.stack([array] * 2)) for name, array in observe(1).items()}
    actions, _ = agent.predict(observe(1), deterministic=True)
    np.testing.assert_allclose(agent(batch, deterministic=True).numpy(), [actions, actions], atol=1e-6)


def test_a_deviation_must_be_positive() -> None:
    with pytest.raises(InvalidArgumentError, match="deviation must be positive, got 0"):
        tiny_policy().deviation = 0
