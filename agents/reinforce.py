"""Training the paper's agent: REINFORCE with a learned baseline (Active Matting, sec. 2.3)."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from active_matting.agents.checkpoint import load_checkpoint, save_checkpoint
from active_matting.agents.location import (
    baseline_loss,
    discounted,
    leave_one_out,
    log_probability,
    reinforce_loss,
    sample_locations,
)
from active_matting.agents.policy import Glance, PolicyConfig, RecurrentPolicy
from active_matting.agents.trained import ReinforceAgent, encode_images, look
from active_matting.agents.warm_start import warm_start
from active_matting.data.packed import pack
from active_matting.envs.regions import RegionsEnv
from active_matting.envs.workers import REGIONS, make_worker
from active_matting.errors import InvalidArgumentError

PACKED_BYTES = 2**30
"""Samples up to this size in all are made once, before training."""


@dataclass(frozen=True)
class TrainingConfig:
    """All that decides a training run; the defaults are the paper's where it names a value."""

    environment: dict[str, Any] = field(default_factory=dict)  # keywords of ActiveMatting/Regions-v0
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    episodes: int = 8  # M, per update
    episodes_per_image: int = 1  # of the M; with several, what they have in common is no merit of any one of them
    updates: int = 1000
    discount: float = 0.0  # the paper's rule rewards each query for its own drop in RMSE alone
    warm_start: int = 0  # beyond the paper: updates towards asking evenly over the image, before any reward
    learns_from_skips: bool = False  # the paper drops skipped queries; True counts them, with their reward of 0
    deviation: tuple[float, float] = (0.3, 0.1)  # Ω in action units, at the first and the last update; geometric
    learning_rate: tuple[float, float] = (1e-3, 1e-4)  # at the first and the last update; geometric
    baseline_speed: float = 1.0  # times the learning rate, for the baseline net
    gradient_norm: float = 1.0  # gradients longer than this are shortened to it
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("episodes", "updates"):
            if getattr(self, name) < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.episodes_per_image < 1 or self.episodes % self.episodes_per_image:
            raise InvalidArgumentError(
                f"episodes_per_image must divide episodes, {self.episodes}, got {self.episodes_per_image}"
            )
        if not 0 <= self.discount <= 1:
            raise InvalidArgumentError(f"discount must be from 0 to 1, got {self.discount}")
        if self.discount > 0 and self.environment.get("candidates", 1) > 1:
            raise InvalidArgumentError(
                "discount must be 0 with several candidates: the ones passed over have no future"
            )
        for name in ("deviation", "learning_rate"):
            if min(getattr(self, name)) <= 0:
                raise InvalidArgumentError(f"{name} must be positive, got {getattr(self, name)}")


@dataclass(frozen=True)
class Rollout:
    """M episodes of T queries each, S candidates per query."""

    images: Tensor  # uint8 (M, 3, H, W)
    glances: Glance  # after each query but the last
    proposals: Tensor  # l̃ (T, M, S, 2)
    rewards: Tensor  # (T, M, S)
    counts: Tensor  # bool (T, M, S), false for skipped ones
    rmse: Tensor  # (T, M), after each query


def train(
    config: TrainingConfig,
    folder: Path | str,
    minutes: float | None = None,
    resume: bool = False,
    on_update: Callable[[dict[str, float]], None] | None = None,
) -> ReinforceAgent:
    """Train, and leave the agent in `folder`; `minutes` ends it early, `resume` goes on from what lies in `folder`.

    A run that was stopped and resumed ends with the same weights as one that was not. `on_update` is told the
    figures of each update. Raises `FileError`, and what the environment's arguments raise.
    """
    folder = Path(folder)
    policy = RecurrentPolicy(config.policy, torch.Generator().manual_seed(config.seed))
    optimiser = make_optimiser(config, policy)
    done = load_checkpoint(folder, policy, optimiser) if resume else 0
    started = time.monotonic()
    with (
        TemporaryDirectory() as scratch,
        closing(make_environments(config, Path(scratch))) as environments,
        _one_thread(),
    ):
        if config.warm_start and done == 0:
            warm_start(policy, environments, config.environment.get("budget", 20), config.warm_start, config.seed)
        try:
            with tqdm(total=config.updates, initial=done, desc="training", unit="update") as progress:
                while done < config.updates and (minutes is None or time.monotonic() - started < 60 * minutes):
                    figures = train_once(config, policy, optimiser, environments, done)
                    done += 1
                    progress.update()
                    progress.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
                    if on_update is not None:
                        on_update({"update": done, **figures})
                    if done % 50 == 0:
                        save_checkpoint(folder, policy, optimiser, done)
        finally:
            if done:
                save_checkpoint(folder, policy, optimiser, done)
    agent = ReinforceAgent(policy, config.deviation[1], config.seed)
    agent.save(folder, card={"training": asdict(config), "updates": done})
    return agent


def train_once(
    config: TrainingConfig,
    policy: RecurrentPolicy,
    optimiser: torch.optim.Optimizer,
    environments: gymnasium.vector.VectorEnv[Any, Any, Any],
    update: int,
) -> dict[str, float]:
    """One update: M episodes, then one step along equation 6. Returns figures to watch."""
    progress = update / max(1, config.updates - 1)
    deviation = _between(config.deviation, progress)
    for group in optimiser.param_groups:
        group["lr"] = _between(config.learning_rate, progress) * group["speed"]

    rollout = collect(config, policy, environments, deviation, update)
    features = encode_images(policy, {"image": rollout.images.numpy()})
    centres, baselines = policy.unroll(features, rollout.glances)
    returns = discounted(rollout.rewards, config.discount)
    shared = leave_one_out(returns, baselines, config.episodes_per_image)
    policy_loss = reinforce_loss(
        log_probability(rollout.proposals, centres, deviation), returns, baselines + shared, rollout.counts
    )
    loss = policy_loss + baseline_loss(returns, baselines, rollout.counts)

    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(policy.parameters(), config.gradient_norm)
    optimiser.step()
    counted = rollout.counts.float()
    return {
        "rmse": rollout.rmse[-1].mean().item(),
        "reward": ((rollout.rewards * counted).sum() / counted.sum().clamp(min=1)).item(),
        "answered": counted.mean().item(),
    }


def make_optimiser(config: TrainingConfig, policy: RecurrentPolicy) -> torch.optim.Optimizer:
    """Adam over the policy and, at its own speed, the baseline net."""
    baseline = list(policy.baseline.parameters())
    others = [parameter for name, parameter in policy.named_parameters() if not name.startswith("baseline.")]
    groups = [{"params": others, "speed": 1.0}, {"params": baseline, "speed": config.baseline_speed}]
    return torch.optim.Adam(groups)


@torch.no_grad()
def collect(
    config: TrainingConfig,
    policy: RecurrentPolicy,
    environments: gymnasium.vector.VectorEnv[Any, Any, Any],
    deviation: float,
    update: int,
) -> Rollout:
    """Play M whole episodes. All randomness comes from the run's seed and the update's number."""
    images = config.episodes // config.episodes_per_image
    seeds = np.random.SeedSequence([config.seed, update]).generate_state(images + 1)
    generator = torch.Generator().manual_seed(int(seeds[-1]))
    seed_of_episode = np.repeat(seeds[:-1], config.episodes_per_image).tolist()
    observation, _ = environments.reset(seed=seed_of_episode)  # type: ignore[arg-type]
    pixels = torch.as_tensor(observation["image"].copy())
    features = encode_images(policy, observation)
    candidates = config.environment.get("candidates", 1)
    memory, has_ended = None, False
    rows: list[tuple[Tensor, ...]] = []
    while not has_ended:
        is_first = torch.full((config.episodes,), not rows)
        glance = look(policy.config, observation)
        centre, _, memory = policy.step(features, memory, glance, is_first)
        proposals = sample_locations(centre, deviation, candidates, generator)
        actions = proposals.clamp(-1, 1).numpy()
        observation, _, ends, _, info = environments.step(actions if candidates > 1 else actions[:, 0])
        rewards = torch.as_tensor(info["rewards"], dtype=torch.float32)
        counts = torch.as_tensor(~info["skipped"] | config.learns_from_skips)
        rows.append((*glance, proposals, rewards, counts, torch.as_tensor(info["rmse"])))
        has_ended = bool(ends.all())
    locations, patches, remaining, *rest = (torch.stack(column) for column in zip(*rows, strict=True))
    # The glance of row t is that after query t - 1; the first row has none.
    return Rollout(pixels, Glance(locations[1:], patches[1:], remaining[1:]), *rest)


def make_environments(config: TrainingConfig, scratch: Path) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """M environments, each in a process of its own; their order and results do not depend on the machine.

    Their samples are made once and shared through files in `scratch`, unless they would fill more than `PACKED_BYTES`.
    """
    arguments = dict(config.environment)
    regions = gymnasium.make(REGIONS, **arguments).unwrapped  # compiles kernels once, not M times at once
    assert isinstance(regions, RegionsEnv)
    if len(regions.data) * regions.settings.image_size**2 * 16 <= PACKED_BYTES:
        pack(tqdm(regions.data, desc="images", unit="image", leave=False), regions.settings.image_size, scratch)
        arguments |= {"data": "packed", "data_kwargs": {"path": str(scratch)}}
    return gymnasium.vector.AsyncVectorEnv([partial(make_worker, arguments)] * config.episodes, context="spawn")


@contextmanager
def _one_thread() -> Iterator[None]:
    """The environments' processes need the cores more than the small networks do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _between(ends: tuple[float, float], progress: float) -> float:
    first, last = ends
    return float(first * (last / first) ** progress)
