"""The space-filling start."""

import numpy as np
import torch
from treasure import Treasure, tiny_policy, treasures

from active_matting.agents.warm_start import REACH, space_filling, warm_start


def test_any_first_part_of_the_sequence_covers_the_image_evenly() -> None:
    for seed in range(3):
        places = space_filling(20, seed).numpy() / REACH
        assert places.shape == (20, 2)
        assert np.abs(places).max() <= 1
        for count in (4, 16):  # a Sobol sequence has as many points in each quadrant
            quadrants = (places[:count] > 0).astype(int) @ [2, 1]
            assert np.bincount(quadrants, minlength=4).tolist() == [count // 4] * 4
    assert not torch.equal(space_filling(20, 0), space_filling(20, 1))


def test_after_a_warm_start_the_agent_asks_along_the_sequence() -> None:
    policy = tiny_policy()
    assert warm_start(policy, treasures(4), budget=3, updates=300, seed=5, learning_rate=5e-3) < 0.15
    state = None
    env = Treasure()
    observation, _ = env.reset()
    for place in space_filling(3, 5).numpy():
        action, state = policy.predict(observation, state, deterministic=True)
        np.testing.assert_allclose(action, place, atol=0.2)
        observation, *_ = env.step(action)
