"""Whole episodes of many environments at once, which is what one update of `Reinforce` learns from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from active_matting.agents.location import sample_locations
from active_matting.agents.networks import Glance
from active_matting.agents.policy import ReinforcePolicy
from active_matting.errors import InvalidArgumentError


@dataclass(frozen=True)
class Rollout:
    """M episodes of T queries each, S candidates per query, on the policy's device."""

    images: Tensor  # uint8 (M, 3, H, W)
    glances: Glance  # after each query but the last
    proposals: Tensor  # l̃ (T, M, S, 2)
    rewards: Tensor  # (T, M, S)
    counts: Tensor  # bool (T, M, S), false for what is not to be learned from
    rmse: NDArray[np.float64] | None  # (M,), of the last matte, where the environments tell it


@dataclass(frozen=True)
class Draws:
    """All that is random in a rollout: the seed of each episode, and the generator of the proposals."""

    episodes: list[int]
    proposals: torch.Generator

    @classmethod
    def of(cls, seed: int, update: int, episodes: int, episodes_per_image: int) -> "Draws":
        """Those of an update of a run with this seed, whatever was drawn before; episodes of one image share a seed."""
        count = episodes // episodes_per_image
        seeds = np.random.SeedSequence([seed, update]).generate_state(count + 1)
        generator = torch.Generator().manual_seed(int(seeds[-1]))
        return cls(np.repeat(seeds[:-1], episodes_per_image).tolist(), generator)


def reset_with(env: VecEnv, seeds: list[int]) -> dict[str, NDArray[Any]]:
    """Start an episode of each environment with a seed of its own; returns the batched observations."""
    # Stable-Baselines3's `seed` gives them numbers in a row; its environments read this list at the next reset.
    env.unwrapped._seeds = list(seeds)
    observation: Any = env.reset()
    return observation  # type: ignore[no-any-return]


@torch.no_grad()
def collect(
    policy: ReinforcePolicy,
    env: VecEnv,
    steps: int,
    deviation: float,
    draws: Draws,
    on_step: Callable[[dict[str, Any]], bool],
    learns_from_skips: bool = False,
) -> Rollout | None:
    """Play M whole episodes of T `steps`, from a reset on.

    on_step: is given the step's "actions", "new_obs", "rewards", "dones" and "infos", and says whether to go on; where
    not, None is returned. An episode cut off before its end, as a failing solver does, counts as far as it went.
    Raises `InvalidArgumentError` where episodes are not of T steps.
    """
    policy.set_training_mode(False)
    shape = env.action_space.shape
    assert shape is not None
    candidates = 1 if len(shape) == 1 else shape[0]
    observation = reset_with(env, draws.episodes)
    images = torch.as_tensor(observation["image"].copy(), device=policy.device)
    carried, goes_on = None, np.ones(env.num_envs, dtype=bool)
    rows: list[tuple[Tensor, ...]] = []
    for step in range(steps):
        is_first = torch.full((env.num_envs,), step == 0, device=policy.device)
        centre, glance, carried = policy.step(observation, carried, is_first)
        proposals = sample_locations(centre, deviation, candidates, draws.proposals)
        actions = proposals.clamp(-1, 1).cpu().numpy().reshape(env.num_envs, *shape)
        observation, rewards, dones, infos = env.step(actions)  # type: ignore[assignment]
        if not on_step(
            {"actions": actions, "new_obs": observation, "rewards": rewards, "dones": dones, "infos": infos}
        ):
            return None
        of_each, counts = _of_candidates(rewards, infos, candidates, learns_from_skips)
        counts &= goes_on[:, None]
        rows.append((*glance, proposals, *(torch.as_tensor(part, device=policy.device) for part in (of_each, counts))))
        _check_length(dones & goes_on, infos, step, steps)
        goes_on &= ~dones
    if goes_on.any():
        raise InvalidArgumentError(f"n_steps must be the episodes' length, got {steps}, after which some go on")
    locations, patches, remaining, *rest = (torch.stack(column) for column in zip(*rows, strict=True))
    # The glance of row t is that after query t - 1; the first row has none.
    rmse = np.array([info["rmse"] for info in infos]) if all("rmse" in info for info in infos) else None
    return Rollout(images, Glance(locations[1:], patches[1:], remaining[1:]), rest[0], rest[1], rest[2], rmse)


def describe(rollout: Rollout, returns: Tensor, baselines: Tensor) -> dict[str, float]:
    """Figures of a rollout by the names under which they are logged; returns (T, M, S), baselines (T, M)."""
    figures = {"rollout/answered": rollout.counts.float().mean().item()}
    if rollout.rmse is not None:
        figures["rollout/rmse"] = float(rollout.rmse.mean())
    if rollout.counts.any():
        figures["rollout/reward"] = rollout.rewards[rollout.counts].mean().item()
        expected = baselines.detach().unsqueeze(-1).expand_as(returns)[rollout.counts]
        explained = explained_variance(expected.cpu().numpy(), returns[rollout.counts].cpu().numpy())
        figures["train/explained_variance"] = float(explained)
    return figures


def _of_candidates(
    rewards: NDArray[np.float32], infos: list[dict[str, Any]], candidates: int, learns_from_skips: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rewards and what counts, both (M, S), as infos tell; where they do not the step's reward is the candidate's."""
    of_each = np.zeros((len(infos), candidates), dtype=np.float32)
    counts = np.zeros((len(infos), candidates), dtype=bool)
    for number, info in enumerate(infos):
        if "error" in info:  # the solver failed: there is nothing to learn
            continue
        if "rewards" not in info and candidates > 1:
            raise InvalidArgumentError('with several candidates info["rewards"] must tell the reward of each')
        of_each[number] = info.get("rewards", rewards[number])
        counts[number] = learns_from_skips | ~np.asarray(info.get("skipped", False))
    return of_each, counts


def _check_length(ended: NDArray[np.bool_], infos: list[dict[str, Any]], step: int, steps: int) -> None:
    for number in np.flatnonzero(ended):
        if step + 1 < steps and not infos[number].get("TimeLimit.truncated", False):
            raise InvalidArgumentError(f"n_steps must be the episodes' length, got {steps}, one ended after {step + 1}")
