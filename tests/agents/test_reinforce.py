"""The algorithm: equation 6's gradient, what it collects, that it learns, and that it is one of Stable-Baselines3's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import CheckpointCallback, EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.logger import configure
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv
from test_networks import TINY
from treasure import ENVIRONMENT, Treasure, make_model, play, regions, treasures

from active_matting.agents.callbacks import StopWhen
from active_matting.agents.networks import Glance
from active_matting.agents.reinforce import Reinforce
from active_matting.agents.schedules import Geometric
from active_matting.envs.regions import RegionsEnv
from active_matting.errors import InvalidArgumentError


def test_the_gradient_is_equation_6_by_finite_differences() -> None:
    """(1/M) Σ_m Σ_i Σ_j (R - b) ∂ log N(l̃; l̂, Ω²)/∂Θ, with the sum over what counts, written anew in NumPy."""
    model = make_model(regions(2), deviation=0.4)
    network = model.policy.network.double()
    rollout = play(make_model(regions(2)))
    rollout = replace(
        rollout,
        glances=Glance(*(part.double() for part in rollout.glances)),
        proposals=rollout.proposals.double(),
        rewards=rollout.rewards.double(),
    )
    assert 0 < rollout.counts.float().mean() < 1
    model.policy.deviation = 0.4
    images = rollout.images.double() / 255

    def centres_and_baselines() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        with torch.no_grad():
            centres, baselines = network.unroll(network.feature_extraction(images), rollout.glances)
        return centres.numpy(), baselines.numpy()

    _, baselines = centres_and_baselines()
    advantages = (rollout.rewards.numpy() - baselines[..., None]) * rollout.counts.numpy()

    def weighted_log_probability() -> float:
        centres, _ = centres_and_baselines()
        distances = np.sum((rollout.proposals.numpy() - centres[:, :, None]) ** 2, axis=-1)
        return float(np.sum(advantages * (-distances / (2 * 0.4**2) - np.log(2 * np.pi * 0.4**2))) / 2)

    model.policy.encode_images = lambda images: network.feature_extraction(images.double() / 255)  # type: ignore[method-assign, union-attr]
    losses, _, _ = model.losses(rollout)
    losses["policy_loss"].backward()  # type: ignore[no-untyped-call]
    assert losses["policy_loss"].item() == pytest.approx(-weighted_log_probability())
    for name in ("location_decoding.weight", "recurrent.weight_hh_l0", "joint_encoding.fused.bias"):
        parameter = dict(network.named_parameters())[name]
        assert parameter.grad is not None
        index = np.unravel_index(int(parameter.grad.abs().argmax()), parameter.shape)
        slopes = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter[index] += sign * 1e-6
            slopes.append(weighted_log_probability())
            with torch.no_grad():
                parameter[index] -= sign * 1e-6
        slope = (slopes[0] - slopes[1]) / 2e-6
        assert slope == pytest.approx(-parameter.grad[index].item(), rel=1e-4)
        assert abs(slope) > 1e-3


def test_skipped_queries_carry_no_gradient() -> None:
    model = make_model(regions(2))
    rollout = play(model)
    model.losses(replace(rollout, counts=torch.zeros_like(rollout.counts)))[0]["policy_loss"].backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.policy.network.named_parameters():
        assert parameter.grad is None or not parameter.grad.any(), name


@pytest.mark.slow
@pytest.mark.parametrize("candidates", [1, 2])
def test_training_finds_the_known_optimum_of_a_toy(candidates: int) -> None:
    model = make_model(
        treasures(16, candidates), n_steps=3, learning_rate=Geometric(1e-2, 1e-3), max_grad_norm=5.0
    ).learn(300 * 3 * 16, log_interval=None)
    assert_finds_the_treasures(model)
    env = Monitor(Treasure())
    assert evaluate_policy(model, env, n_eval_episodes=2)[0] == pytest.approx(3, abs=0.03)


def assert_finds_the_treasures(model: Any) -> None:
    state = None
    env = Treasure()
    observation, _ = env.reset()
    for place in Treasure.places:
        action, state = model.predict(observation, state, deterministic=True)
        np.testing.assert_allclose(action, place, atol=0.1)
        observation, *_ = env.step(action)


def test_a_learned_deviation_shrinks_where_the_optimum_is_and_the_entropy_bonus_keeps_it_wide() -> None:
    config = replace(TINY, learns_deviation=True)
    deviations = []
    for bonus in (0.0, 1.0):
        options: dict[str, Any] = {
            "policy_kwargs": {"config": config},
            "n_steps": 3,
            "ent_coef": bonus,
            "max_grad_norm": 5.0,
        }
        model = Reinforce("MultiInputPolicy", treasures(16), learning_rate=1e-2, seed=0, device="cpu", **options)
        assert model.policy.deviation == pytest.approx(0.3)
        deviations.append(model.learn(100 * 3 * 16, log_interval=None).policy.deviation)
    assert deviations[0] < 0.2 < deviations[1]


def test_a_model_saved_at_any_moment_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    steps = 4 * 3 * 2
    whole = make_model(regions(2)).learn(steps)
    model = make_model(regions(2))
    model.learn(steps, CheckpointCallback(1, str(tmp_path)))  # after every single step, in the middle of updates too
    saved = sorted(tmp_path.glob("*.zip"))
    assert len(saved) == steps // 2
    for path in saved[:-1]:
        loaded = Reinforce.load(path, env=regions(2), device="cpu")
        loaded.learn(steps - loaded.num_timesteps, reset_num_timesteps=False)
        assert_same_weights(whole, loaded)


def test_a_model_stopped_within_an_update_goes_on_to_the_same_weights() -> None:
    steps, calls = 4 * 3 * 2, iter(range(100))
    whole = make_model(regions(2)).learn(steps)
    model = make_model(regions(2))
    model.learn(steps, StopWhen(lambda: next(calls) == 7))  # the second step of the third update
    assert model.num_timesteps == 2 * 3 * 2
    model.learn(steps - model.num_timesteps, reset_num_timesteps=False)
    assert_same_weights(whole, model)


def assert_same_weights(one: Reinforce, other: Reinforce) -> None:
    assert (one.num_timesteps, one._n_updates) == (other.num_timesteps, other._n_updates)
    for name, tensor in one.policy.state_dict().items():
        assert torch.equal(tensor, other.policy.state_dict()[name]), name
    assert one.policy.deviation == other.policy.deviation


def test_saved_and_loaded_it_predicts_the_same(tmp_path: Path) -> None:
    model = make_model(regions(2)).learn(12)
    model.save(tmp_path / "model")
    loaded = Reinforce.load(tmp_path / "model")
    observation, state, state_of_loaded = model.env.reset(), None, None  # type: ignore[union-attr]
    for _ in range(2):
        action, state = model.predict(observation, state, deterministic=True)  # type: ignore[arg-type]
        action_of_loaded, state_of_loaded = loaded.predict(observation, state_of_loaded, deterministic=True)  # type: ignore[arg-type]
        np.testing.assert_array_equal(action, action_of_loaded)
    assert loaded.policy.deviation == model.policy.deviation == pytest.approx(0.1)
    assert loaded.learning_rate == Geometric(1e-3, 1e-4)


def test_callbacks_logger_and_progress_bar_are_what_is_known(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard")
    arguments = ENVIRONMENT | {"candidates": 1, "reward": "rmse", "data_kwargs": {"count": 1, "size": 32}}
    evaluation = DummyVecEnv([lambda: Monitor(RegionsEnv(**arguments))])
    callback = EvalCallback(evaluation, eval_freq=6, n_eval_episodes=2, best_model_save_path=str(tmp_path), verbose=0)
    training = DummyVecEnv([lambda: Monitor(RegionsEnv(**arguments)) for _ in range(2)])
    model = make_model(training)
    model.set_logger(configure(str(tmp_path / "logs"), ["csv", "tensorboard"]))
    model.learn(4 * 3 * 2, callback, progress_bar=True)
    model.logger.close()
    assert callback.n_calls == 12
    assert np.isfinite(callback.best_mean_reward)
    assert "training: 100%" in capfd.readouterr().err
    header = (tmp_path / "logs" / "progress.csv").read_text().splitlines()[0].split(",")
    expected = {"rollout/ep_rew_mean", "rollout/rmse", "eval/mean_reward", "train/policy_loss", "train/deviation"}
    assert expected <= set(header)
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))
    best = Reinforce.load(tmp_path / "best_model")
    assert evaluate_policy(best, evaluation, n_eval_episodes=2)[0] == pytest.approx(callback.best_mean_reward)


def test_tensorboard_logs_are_named_as_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    model = make_model(treasures(2), n_steps=3, tensorboard_log=str(tmp_path))
    model.learn(6, tb_log_name="mine").logger.close()
    assert list((tmp_path / "mine_1").glob("events.out.tfevents.*"))


@pytest.mark.slow
def test_processes_give_what_a_batch_gives() -> None:
    made: list[Reinforce] = []
    environments: list[Any] = [regions(2), SubprocVecEnv([partial_env] * 2, start_method="spawn")]
    for env in environments:
        made.append(make_model(env).learn(12))
        env.close()
    assert_same_weights(*made)


def partial_env() -> gymnasium.Env[Any, Any]:
    return RegionsEnv(**ENVIRONMENT)


def test_an_order_that_seeds_begin_anew_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="order must not be 'in-turn'"):
        make_model(regions(2, order="in-turn"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"episodes_per_image": 3}, "episodes_per_image must divide the environments, 2, got 3"),
        ({"gamma": 1.5}, "gamma must be from 0 to 1, got 1.5"),
        ({"gamma": 0.5, "candidates": 2}, "gamma must be 0 with several candidates"),
        ({"deviation": Geometric(0.1, 0.1), "ent_coef": 0.1}, "ent_coef must be 0 unless"),
        ({"n_steps": None}, "n_steps, the length of the episodes, must be given"),
        ({"deviation": -1.0}, "a schedule must be positive, got -1.0"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], words: str) -> None:
    env: VecEnv = treasures(2, options.pop("candidates", 1))
    with pytest.raises(InvalidArgumentError, match=words):
        make_model(env, **{"n_steps": 3} | options)
