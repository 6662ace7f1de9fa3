"""Training the paper's agent: REINFORCE with a learned baseline, an algorithm of Stable-Baselines3."""

import sys
import time
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback
from stable_baselines3.common.utils import safe_mean
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from active_matting.agents.callbacks import ProgressBar
from active_matting.agents.location import (
    baseline_loss,
    discounted,
    entropy,
    leave_one_out,
    log_probability,
    reinforce_loss,
)
from active_matting.agents.policy import ReinforcePolicy
from active_matting.agents.rollouts import Draws, Rollout, collect, describe
from active_matting.agents.schedules import Geometric, Schedule, as_schedule
from active_matting.agents.vec_env import BatchVecEnv
from active_matting.errors import InvalidArgumentError

LEARNING_RATE, DEVIATION = Geometric(1e-3, 1e-4), Geometric(0.3, 0.1)
"""As published, and where the paper is silent as chosen here."""


class Reinforce(BaseAlgorithm):
    """REINFORCE with a learned baseline on whole episodes (Active Matting, sec. 2.3, eq. 6).

    Used as any algorithm of Stable-Baselines3:

        env = gymnasium.make_vec("active_matting:ActiveMatting/Regions-v0", 8, candidates=2, reward="relative")
        model = Reinforce("MultiInputPolicy", env, seed=0).learn(160_000, progress_bar=True)

    An update plays one episode in each environment, M in all, runs the network once over all T steps of all episodes,
    and takes one step along equation 6's gradient. All that is random in it is drawn from the run's seed and the
    update's number, so that a model that was saved, at whatever moment, loaded and learned on with
    `reset_num_timesteps=False` ends as if it never stopped; an update that was not finished is begun anew.

    env: environments of Stable-Baselines3, or a batch of Gymnasium's, whose observations have "image", "matte",
    "location" and "remaining". Their action space says how many candidates S a query has: `(2,)` or `(S, 2)`; what each
    earned is `info["rewards"]`, and `info["skipped"]` says which are not learned from. `predict` proposes one, as
    published: evaluate in environments with candidates=1.

    ## What is the paper's
    Features (VGG16 up to 1×1000), LSTM (128), patches (75×75), joint encoding (1×1000), 400×400 pixels: the
    defaults of `PolicyConfig`. S = 2 and the reward of equation 7: the environment's `candidates` and `reward`.
    Skipped queries carry no gradient; truncated-normal weights; `learning_rate` from 1e-3 to 1e-4, exponentially;
    shortened gradients; no discount (`gamma`); l̃ ~ N(l̂, Ω²) with predefined Ω.

    ## What the paper leaves open, and what is chosen here
    - Optimiser: Adam. Episodes per update, M: the number of environments. Number of updates: `learn`'s.
    - Ω, in action units (the image is 2 wide): `deviation`, exponentially from 0.3 to 0.1.
    - Gradients are shortened, all together, to the norm `max_grad_norm`.
    - Which of the S candidates teach: all, each with its own reward; the best is what the episode goes on with.
    - The sum of equation 6 is over steps and candidates, its mean over episodes. When no candidate lowers the RMSE
      equation 7 is not defined; see `active_matting.envs.rewards.relative_reward`.
    - The baseline net's loss is its mean squared error, times `vf_coef`; its gradient stops at v_i.
    - Location decoding, joint encoding, baseline net: their layers. The truncated normal has deviation sqrt(2 / fan in)
      and is cut at two of these; biases begin at 0, the one of the LSTM's forget gate at 1. VGG16's pooling before the
      fully connected layers is an average onto 7×7, as 400×400 pixels leave 12×12. Colours are standardised image by
      image.
    - The patch is cut around the region that was committed; outside the image it is 0.5.

    ## What goes beyond it
    - `gamma`, the discount; it must be 0 with S > 1, as the candidates passed over have no future.
    - `ent_coef`, the entropy bonus: only where Ω is learned (`PolicyConfig.learns_deviation`, from what
      `deviation` begins with); of a predefined Ω it is a constant.
    - `episodes_per_image`: so many environments in a row play the same image, and what the others of an image gain
      above their baselines is no merit of any one of them; see `leave_one_out`.
    - `learns_from_skips`: skipped queries count, with their reward of 0.
    - `PolicyConfig.width`, `PolicyConfig.budget_features`, and `baseline_speed` among the `policy_kwargs`.

    n_steps: T; None is the environments' budget. learning_rate, deviation: numbers or schedules, see `Geometric`.
    Raises `InvalidArgumentError`.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MultiInputPolicy": ReinforcePolicy,
        "MultiInputLstmPolicy": ReinforcePolicy,
    }
    policy: ReinforcePolicy

    def __init__(
        self,
        policy: str | type[ReinforcePolicy] = "MultiInputPolicy",
        env: GymEnv | VectorEnv[Any, Any, Any] | str | None = None,
        learning_rate: float | Schedule = LEARNING_RATE,
        n_steps: int | None = None,
        gamma: float = 0.0,
        ent_coef: float = 0.0,
        vf_coef: float = 1.0,
        max_grad_norm: float = 1.0,
        deviation: float | Schedule = DEVIATION,
        episodes_per_image: int = 1,
        learns_from_skips: bool = False,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        super().__init__(
            policy,
            env,  # type: ignore[arg-type]  # `_wrap_env` takes Gymnasium's batches too
            learning_rate,
            policy_kwargs=policy_kwargs,
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            support_multi_env=True,
            seed=seed,
            supported_action_spaces=(spaces.Box,),
        )
        self.n_steps, self.gamma, self.ent_coef, self.vf_coef = n_steps, gamma, ent_coef, vf_coef
        self.max_grad_norm, self.deviation = max_grad_norm, deviation
        self.episodes_per_image, self.learns_from_skips = episodes_per_image, learns_from_skips
        self.run_seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._learned_timesteps = 0  # those of whole updates
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        self.lr_schedule, self.deviation_schedule = as_schedule(self.learning_rate), as_schedule(self.deviation)
        self._check_settings()
        self.set_random_seed(self.seed)
        made = self.policy_class(self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs)
        assert isinstance(made, ReinforcePolicy)
        self.policy = made.to(self.device)
        self.policy.deviation = self.deviation_schedule(self._current_progress_remaining)
        if self.ent_coef and not self.policy.config.learns_deviation:
            raise InvalidArgumentError("ent_coef must be 0 unless the policy's config has learns_deviation=True")
        self.num_timesteps = self._learned_timesteps  # a model saved within an update begins it anew

    def _check_settings(self) -> None:
        if not 0 <= self.gamma <= 1:
            raise InvalidArgumentError(f"gamma must be from 0 to 1, got {self.gamma}")
        if self.gamma > 0 and self.action_space.shape != (2,):
            raise InvalidArgumentError("gamma must be 0 with several candidates: the ones passed over have no future")
        if self.env is None:
            return
        if self.episodes_per_image < 1 or self.n_envs % self.episodes_per_image:
            raise InvalidArgumentError(
                f"episodes_per_image must divide the environments, {self.n_envs}, got {self.episodes_per_image}"
            )
        settings = self.env.get_attr("settings", 0)[0] if self.env.has_attr("settings") else None
        if settings is not None and settings.order == "in-turn":
            raise InvalidArgumentError("order must not be 'in-turn': each episode has a seed, which begins it anew")
        if self.n_steps is None:
            if settings is None:
                raise InvalidArgumentError("n_steps, the length of the episodes, must be given for these environments")
            self.n_steps = settings.budget

    @staticmethod
    def _wrap_env(env: GymEnv | VectorEnv[Any, Any, Any], verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        made = BatchVecEnv(env, resets_late=True) if isinstance(env, VectorEnv) else env
        return BaseAlgorithm._wrap_env(made, verbose, monitor_wrapper)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int | None = 1,
        tb_log_name: str = "Reinforce",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> "Reinforce":
        """Learn for at least so many steps, in whole updates of `n_steps` × M; see Stable-Baselines3's algorithms."""
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        self._learned_timesteps = self.num_timesteps
        callback.on_training_start(locals(), globals())
        iteration = 0
        while self.num_timesteps < total_timesteps:
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            rollout = self.collect_rollout(callback)
            if rollout is None:
                break
            self.train(rollout)
            iteration += 1
            if log_interval is not None and iteration % log_interval == 0:
                self.dump_logs(iteration)
        self._update_current_progress_remaining(min(self.num_timesteps, total_timesteps), total_timesteps)
        self._set_deviation()
        callback.on_training_end()
        return self

    def collect_rollout(self, callback: BaseCallback) -> Rollout | None:
        """One episode in each environment; None where the callback ended it, of which then nothing counts."""
        assert self.env is not None
        assert self.n_steps is not None
        self._set_deviation()
        callback.on_rollout_start()

        def on_step(step: dict[str, Any]) -> bool:
            self.num_timesteps += self.n_envs
            callback.update_locals(step)
            goes_on = callback.on_step()
            self._update_info_buffer(step["infos"], step["dones"])
            self._last_obs = step["new_obs"]
            return goes_on

        draws = Draws.of(self.run_seed, self._n_updates, self.n_envs, self.episodes_per_image)
        deviation = self.policy.deviation
        rollout = collect(self.policy, self.env, self.n_steps, deviation, draws, on_step, self.learns_from_skips)
        if rollout is None:
            self.num_timesteps = self._learned_timesteps
        else:
            callback.on_rollout_end()
        return rollout

    def train(self, rollout: Rollout) -> None:
        """One step along equation 6's gradient, from one run of the network over whole sequences."""
        rate = self.lr_schedule(self._current_progress_remaining)
        for group in self.policy.optimizer.param_groups:
            group["lr"] = rate * group["speed"]
        self.policy.set_training_mode(True)
        losses, baselines, returns = self.losses(rollout)
        self.policy.optimizer.zero_grad()
        (losses["policy_loss"] + self.vf_coef * losses["baseline_loss"] - self.ent_coef * losses["entropy"]).backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()
        self._n_updates += 1
        self._learned_timesteps = self.num_timesteps

        figures = {f"train/{name}": value.item() for name, value in losses.items()}
        figures |= describe(rollout, returns, baselines)
        figures |= {"train/gradient_norm": norm.item(), "train/deviation": self.policy.deviation}
        for name, value in figures.items():
            self.logger.record(name, value)
        self.logger.record("train/learning_rate", rate)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")

    def losses(self, rollout: Rollout) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """The scalars "policy_loss", whose gradient is minus equation 6's, "baseline_loss" and "entropy".

        And b (T, M) and the returns R (T, M, S).
        """
        network = self.policy.network
        centres, baselines = network.unroll(self.policy.encode_images(rollout.images), rollout.glances)
        learned = network.log_deviation
        deviation = self.policy.deviation if learned is None else learned.exp()
        returns = discounted(rollout.rewards, self.gamma)
        shared = leave_one_out(returns, baselines, self.episodes_per_image)
        log_probabilities = log_probability(rollout.proposals, centres, deviation)
        losses = {
            "policy_loss": reinforce_loss(log_probabilities, returns, baselines + shared, rollout.counts),
            "baseline_loss": baseline_loss(returns, baselines, rollout.counts),
            "entropy": entropy(deviation),
        }
        return losses, baselines, returns

    def dump_logs(self, iteration: int = 0) -> None:
        """Write what was recorded since the last time to the logger's outputs."""
        elapsed = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        self.logger.record("time/iterations", iteration, exclude="tensorboard")
        if self.ep_info_buffer:
            self.logger.record("rollout/ep_rew_mean", safe_mean([each["r"] for each in self.ep_info_buffer]))
            self.logger.record("rollout/ep_len_mean", safe_mean([each["l"] for each in self.ep_info_buffer]))
        self.logger.record("time/fps", int((self.num_timesteps - self._num_timesteps_at_start) / elapsed))
        self.logger.record("time/time_elapsed", int(elapsed), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    def _set_deviation(self) -> None:
        if not self.policy.config.learns_deviation:
            self.policy.deviation = self.deviation_schedule(self._current_progress_remaining)

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        made = super()._init_callback(callback, progress_bar=False)
        if not progress_bar:
            return made
        both = CallbackList([made, ProgressBar()])  # Stable-Baselines3's own needs the package `rich`
        both.init_callback(self)
        return both

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", "policy.optimizer"], []

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_last_obs", "_last_episode_starts"]
