"""Stable-Baselines3's algorithms train on the environments as they are, and learn; recipes are the benchmark's."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "stable_baselines3_agents.py"))


@pytest.fixture(scope="module")
def arguments() -> Iterator[dict[str, Any]]:
    """Of the tiny instance."""
    with BENCHMARK["instance"]() as made:
        yield made


class KeepsToTheMask(BaseCallback):
    """Looks, after each rollout, whether an action was masked."""

    chosen = masked = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        rollout = self.locals["rollout_buffer"]  # (steps, environments, ...)
        masks = rollout.observations["action_mask"]
        np.testing.assert_array_equal(rollout.action_masks, masks)
        actions = rollout.actions.astype(int).reshape(*masks.shape[:2], 1)
        assert np.take_along_axis(masks, actions, axis=2).all()
        self.chosen += actions.size
        self.masked += int((masks == 0).sum())


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARK["RECIPES"])
def test_each_algorithm_improves_on_its_own_start(name: str, arguments: dict[str, Any]) -> None:
    agent = BENCHMARK["make_agent"](name, arguments, seed=0)
    before = BENCHMARK["mean_return"](name, arguments, agent)
    callback = KeepsToTheMask() if name == "MaskablePPO" else None
    agent.learn(BENCHMARK["RECIPES"][name].steps, callback)
    assert BENCHMARK["mean_return"](name, arguments, agent) > before + 0.02
    if callback is not None:
        assert callback.chosen == agent.num_timesteps
        assert callback.masked > 0
