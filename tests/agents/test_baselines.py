"""The agents that are not learned."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from active_matting.agents import make_agent
from active_matting.agents.baselines.error_seeking import ErrorSeekingAgent
from active_matting.agents.baselines.greedy import GreedyIdealAgent
from active_matting.agents.baselines.random_regions import RandomAgent
from active_matting.data import make_data
from active_matting.data.packed import pack
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import InvalidArgumentError
from active_matting.types import Label

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 4, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 6,
    "solver": "random-walk",
}


def make_env(**options: Any) -> RegionsEnv:
    return RegionsEnv(**{**ENVIRONMENT, **options})


def test_the_greedy_ideal_choice_is_the_best_of_all_cells_by_stepping_into_each(tmp_path: Path) -> None:
    pack(make_data("rendered", split="validation", count=2, size=40), 40, tmp_path)  # hundreds of resets draw nothing
    drawn = {"data": "packed", "data_kwargs": {"path": str(tmp_path)}}
    env, twin = make_env(**drawn), make_env(**drawn)
    observation, _ = env.reset(options={"index": 1})
    agent = GreedyIdealAgent(env)
    chosen: list[Any] = []
    for _ in range(3):
        action, _ = agent.predict(observation)
        rewards = []
        for y in range(2, 40, 4):
            for x in range(2, 40, 4):
                twin.reset(options={"index": 1})
                for earlier in chosen:
                    twin.step(earlier)
                rewards.append(twin.step((2 * np.array([y, x]) / 39 - 1).astype(np.float32))[1])
        observation, reward, *_ = env.step(action)
        assert reward == pytest.approx(max(rewards), abs=1e-6)
        chosen.append(action)


def test_the_greedy_ideal_agent_leaves_alone_what_is_told_and_what_is_mixed() -> None:
    env = make_env(budget=12)
    observation, _ = env.reset(options={"index": 0})
    agent = GreedyIdealAgent(env, stride=8)
    for _ in range(12):
        observation, *_ = env.step(agent.predict(observation)[0])
    asked = [interaction.region for interaction in env.session.interactions]  # type: ignore[union-attr]
    assert len(set(asked)) == 12
    assert all(interaction.label != Label.TRANSITION for interaction in env.session.interactions)


def test_the_error_seeking_agent_asks_for_both_classes_and_then_where_the_error_is() -> None:
    env = make_env()
    observation, _ = env.reset(options={"index": 2})
    agent = ErrorSeekingAgent(env)
    labels = []
    for query in range(6):
        action, _ = agent.predict(observation)
        if query >= 2:
            error = (env.session.alpha - env.sample.alpha) ** 2
            region = env.session.region_of(action)
            is_pure = [np.ptp(env.sample.alpha[top : top + 4, left : left + 4]) < 0.02 for top, left in corners(env)]
            means = [error[top : top + 4, left : left + 4].mean() for top, left in corners(env)]
            assert error[region.slices].mean() > np.median(np.array(means)[is_pure])
        observation, *_, info = env.step(action)
        labels.append(info["label"])
    assert labels[:2] == [Label.FOREGROUND, Label.BACKGROUND]
    assert Label.TRANSITION not in labels


def corners(env: RegionsEnv) -> list[tuple[int, int]]:
    """Top left corners of unlabelled regions."""
    return [
        (top, left)
        for top in range(37)
        for left in range(37)
        if not env.session.label_map[top : top + 4, left : left + 4].any()
    ]


def test_random_regions_cover_the_image_evenly_and_follow_the_seed() -> None:
    observation = {"location": np.zeros((1000, 2), dtype=np.float32)}
    actions, _ = RandomAgent(seed=1).predict(observation)
    assert actions.shape == (1000, 2)
    cells = ((actions + 1) * 2).astype(int)
    counts = np.bincount(4 * cells[:, 0] + cells[:, 1], minlength=16)
    assert ((counts - 62.5) ** 2 / 62.5).sum() < 37.7  # the 99.9 % quantile of χ² with 15 degrees of freedom
    np.testing.assert_array_equal(actions, RandomAgent(seed=1).predict(observation)[0])
    assert (actions != RandomAgent(seed=2).predict(observation)[0]).all()


@pytest.mark.parametrize("name", ["greedy-ideal", "error-seeking"])
def test_agents_that_know_the_truth_need_the_environment_that_has_it(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="needs the environment"):
        make_agent(name)
    with pytest.raises(InvalidArgumentError, match="needs the environment"):
        make_agent(name, gymnasium.make("CartPole-v1"))
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(InvalidArgumentError, match="environments at once, 1 of them, got 3"):
        make_agent(name, env).predict({"location": np.zeros((3, 2), dtype=np.float32)})


def test_an_agents_name_may_carry_parameters() -> None:
    env = make_env()
    env.reset(seed=0)
    agent = make_agent("greedy-ideal:stride=20", env)
    assert isinstance(agent, GreedyIdealAgent)
    observation, _ = env.reset(options={"index": 0})
    for _ in range(3):
        observation, *_ = env.step(agent.predict(observation)[0])
    tops = {(said.region.top, said.region.left) for said in env.session.interactions}  # type: ignore[union-attr]
    assert tops <= {(y, x) for y in (0, 20, 36) for x in (0, 20, 36)} | {(18, 18)}
    with pytest.raises(InvalidArgumentError, match="written name=number, got 'stride=wide'"):
        make_agent("greedy-ideal:stride=wide", env)
    with pytest.raises(InvalidArgumentError, match="it takes"):
        make_agent("greedy-ideal:size=3", env)


def test_a_stride_must_be_at_least_a_pixel() -> None:
    with pytest.raises(InvalidArgumentError, match="stride must be at least 1 pixel, got 0"):
        make_agent("greedy-ideal", make_env(), stride=0)
