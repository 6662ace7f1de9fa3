"""What a step of the paper's environment does; what all environments keep is in `test_contract.py`."""

from itertools import product
from typing import Any

import gymnasium
import numpy as np
import pytest

from active_matting import make_solver
from active_matting.envs.regions import RegionsEnv
from active_matting.envs.workers import make_worker
from active_matting.errors import ActiveMattingError, InvalidArgumentError, UnknownNameError
from active_matting.observations import GREY_OF_LABEL
from active_matting.types import Label

SMALL: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 6, "size": 60},
    "image_size": 60,
    "region_size": 3,
    "budget": 4,
}


def make(**options: Any) -> RegionsEnv:
    return RegionsEnv(**{**SMALL, **options})


def centres_of(env: RegionsEnv, label: Label) -> list[tuple[int, int]]:
    """Centres of all regions that an exact user calls `label`, by looking at the true alpha."""
    alpha, side = env.sample.alpha, env.settings.region_size
    places = range(env.settings.image_size - side + 1)
    found = []
    for top, left in product(places, places):
        square = alpha[top : top + side, left : left + side]
        truth = Label.FOREGROUND if square.min() >= 0.98 else Label.TRANSITION
        if square.max() <= 0.02:
            truth = Label.BACKGROUND
        if truth == label:
            found.append((top + side // 2, left + side // 2))
    return found


def action_of(env: RegionsEnv, centre: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return (2 * np.array(centre) / (env.settings.image_size - 1) - 1).astype(np.float32)


def test_the_reward_is_the_drop_in_rmse_between_two_solver_calls() -> None:
    env = make()
    env.reset(seed=3)
    foreground, background = centres_of(env, Label.FOREGROUND)[7], centres_of(env, Label.BACKGROUND)[5]
    solver = make_solver("shared").prepare(env.sample.image)
    label_map = np.zeros((60, 60), dtype=np.int8)
    errors = [np.sqrt(np.mean((0.5 - env.sample.alpha.astype(np.float64)) ** 2))]
    for (y, x), value in ((foreground, 1), (background, -1)):
        label_map[y - 1 : y + 2, x - 1 : x + 2] = value
        alpha = solver.solve(label_map).alpha.astype(np.float64)
        errors.append(np.sqrt(np.mean((alpha - env.sample.alpha) ** 2)))
    _, first, _, _, info = env.step(action_of(env, foreground))
    assert first == pytest.approx(errors[0] - errors[1], abs=1e-9)
    assert info["label"] == Label.FOREGROUND
    observation, second, _, _, info = env.step(action_of(env, background))
    assert second == pytest.approx(errors[1] - errors[2], abs=1e-9)
    assert info["rmse"] == pytest.approx(errors[2], abs=1e-9)
    assert set(np.unique(observation["label_map"])) == {0, 128, 255}
    np.testing.assert_allclose(observation["matte"][0] / 255, alpha, atol=0.5 / 255 + 1e-6)


def test_a_mixed_region_costs_a_query_and_changes_nothing() -> None:
    env = make()
    before, info_before = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(action_of(env, centres_of(env, Label.TRANSITION)[0]))
    assert (reward, terminated, truncated) == (0, False, False)
    assert info["label"] == Label.TRANSITION
    assert info["skipped"].tolist() == [True]
    assert info["rmse"] == info_before["rmse"]
    np.testing.assert_array_equal(observation["label_map"], before["label_map"])
    assert observation["remaining"][0] == pytest.approx(3 / 4)


def test_the_extended_protocol_records_a_mixed_region() -> None:
    env = make(protocol="extended")
    env.reset(seed=0)
    y, x = centres_of(env, Label.TRANSITION)[0]
    observation, _, _, _, info = env.step(action_of(env, (y, x)))
    assert info["skipped"].tolist() == [False]
    written = np.argwhere(observation["label_map"][0] == GREY_OF_LABEL[Label.TRANSITION])
    assert written.min(axis=0).tolist() == [y - 1, x - 1]
    assert written.max(axis=0).tolist() == [y + 1, x + 1]


def test_the_candidate_that_lowers_the_rmse_most_is_committed() -> None:
    env = make(candidates=3, reward="relative")
    env.reset(seed=1)
    foreground, background = centres_of(env, Label.FOREGROUND), centres_of(env, Label.BACKGROUND)
    env.step(np.stack([action_of(env, foreground[0])] * 3))
    mixed = centres_of(env, Label.TRANSITION)[0]
    proposals = [background[0], mixed, background[len(background) // 2]]
    drops = []
    for centre in proposals:
        twin = make()
        twin.reset(seed=1)
        twin.step(action_of(twin, foreground[0]))
        drops.append(twin.step(action_of(twin, centre))[1])
    _, reward, _, _, info = env.step(np.stack([action_of(env, centre) for centre in proposals]))
    assert max(drops) > 0
    assert info["committed"] == int(np.argmax(drops))
    assert reward == 1
    np.testing.assert_allclose(info["rewards"], np.maximum(np.array(drops) / max(drops), -1))
    assert info["skipped"].tolist() == [False, True, False]
    assert env.session.interactions[-1].label == Label.BACKGROUND


def test_the_episode_terminates_when_the_budget_is_spent_and_is_never_truncated() -> None:
    env = make()
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, np.float32))[2:4] for _ in range(4)]
    assert ends == [(False, False), (False, False), (False, False), (True, False)]


def test_observations_are_what_is_documented() -> None:
    env = make()
    observation, _ = env.reset(seed=5)
    np.testing.assert_allclose(observation["image"].transpose(1, 2, 0) / 255, env.sample.image, atol=0.5 / 255 + 1e-6)
    assert (observation["label_map"] == 128).all()
    assert (observation["matte"] == 128).all()
    assert observation["location"].tolist() == [0, 0]
    observation, *_ = env.step(np.array([-1, 1], dtype=np.float32))
    # The centre was moved in from the corner (0, 59) to (1, 58).
    np.testing.assert_allclose(observation["location"], [2 * 1 / 59 - 1, 2 * 58 / 59 - 1], rtol=1e-6)


def test_worker_processes_step_as_single_environments_do() -> None:
    environments = gymnasium.vector.AsyncVectorEnv([lambda: make_worker(SMALL)] * 2, context="spawn")
    try:
        environments.reset(seed=[4, 5])
        actions = np.array([[0.1, -0.2], [0.5, 0.5]], dtype=np.float32)
        observations, rewards, *_, infos = environments.step(actions)
    finally:
        environments.close()
    for number, seed in enumerate((4, 5)):
        env = make()
        env.reset(seed=seed)
        observation, reward, *_, info = env.step(actions[number])
        assert rewards[number] == reward
        assert infos["rmse"][number] == info["rmse"]
        for name, array in observation.items():
            np.testing.assert_array_equal(observations[name][number], array)


def test_making_an_environment_warms_its_solver_up(monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[Any] = []
    monkeypatch.setattr("active_matting.envs.single.warm_up", warmed.append)
    env = make(solver="random-walk", solver_kwargs={"sigma": 0.07})
    assert warmed == [env.solver]


def test_an_index_chooses_the_sample() -> None:
    env = make()
    _, info = env.reset(options={"index": 4})
    assert info["sample"] == 4
    assert env.sample.name == env.data[4].name


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"solver": "knnn"}, UnknownNameError, "unknown solver 'knnn'; choose from"),
        ({"solver_kwargs": {"radius": 3}}, InvalidArgumentError, "radius"),
        ({"data": "nowhere"}, UnknownNameError, "unknown data source 'nowhere'"),
        ({"reward": "mse"}, UnknownNameError, "unknown reward 'mse'"),
        ({"annotator": "lazy?"}, UnknownNameError, "unknown annotator"),
        ({"annotator_kwargs": {"foreground": 2}}, InvalidArgumentError, "thresholds"),
        ({"protocol": "other"}, InvalidArgumentError, "protocol must be one of"),
        ({"budget": 0}, InvalidArgumentError, "budget must be at least 1, got 0"),
        ({"candidates": 0}, InvalidArgumentError, "candidates must be at least 1, got 0"),
        ({"region_size": 61}, InvalidArgumentError, "region_size must be from 1 to 60"),
        ({"render_mode": "video"}, InvalidArgumentError, "render_mode"),
    ],
)
def test_bad_arguments_fail_at_construction(
    options: dict[str, Any], error: type[ActiveMattingError], words: str
) -> None:
    with pytest.raises(error, match=words.replace("?", r"\?")):
        make(**options)


def test_bad_actions_and_indices_are_refused() -> None:
    env = make()
    with pytest.raises(InvalidArgumentError, match="index must be from 0 to 5, got 6"):
        env.reset(options={"index": 6})
    env.reset(seed=0)
    with pytest.raises(InvalidArgumentError, match=r"action must have shape \(2,\), got \(3,\)"):
        env.step(np.zeros(3, np.float32))
    with pytest.raises(InvalidArgumentError, match="must be two numbers"):
        env.step(np.array([np.nan, 0], dtype=np.float32))
