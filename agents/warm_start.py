"""A start for REINFORCE: before any reward, learn to ask evenly over the image.

Beyond the paper. From freshly drawn weights all queries of an episode fall near one place, and a few thousand episodes
are too few to learn to spread them. A space-filling sequence, the same for every image, is a start that needs no truth.
"""

import numpy as np
import torch
from scipy.stats import qmc
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor
from tqdm.auto import tqdm

from active_matting.agents.networks import Glance, PolicyConfig
from active_matting.agents.policy import ReinforcePolicy
from active_matting.agents.rollouts import reset_with

REACH = 0.9
"""How far the sequence goes towards the image's edges, where regions would be moved in."""

BATCHES_PER_RESET = 10


def warm_start(
    policy: ReinforcePolicy,
    env: VecEnv,
    budget: int,
    updates: int,
    seed: int,
    learning_rate: float = 1e-3,
) -> float:
    """Regress the policy's locations on a scrambled Sobol sequence, whatever it sees; returns the last mean error."""
    targets = space_filling(budget, seed).to(policy.device)
    optimiser = torch.optim.Adam(policy.network.parameters(), lr=learning_rate)
    generator = torch.Generator().manual_seed(seed)
    error = torch.zeros(())
    policy.set_training_mode(True)
    for update in tqdm(range(updates), desc="warm start", unit="update", leave=False):
        if update % BATCHES_PER_RESET == 0:
            seeds = np.random.SeedSequence([seed, update]).generate_state(env.num_envs)
            images = reset_with(env, seeds.tolist())["image"].copy()
        glances = _made_up_glances(policy.config, targets, env.num_envs, generator)
        centres, _ = policy.network.unroll(policy.encode_images(images), glances)
        error = ((centres - targets[:, None]) ** 2).sum(-1).mean()
        optimiser.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return error.sqrt().item()


def space_filling(budget: int, seed: int) -> Tensor:
    """A sequence of places, (budget, 2) in [-1, 1], any first part of which covers the image evenly."""
    points = qmc.Sobol(2, rng=np.random.default_rng(seed)).random_base2(int(np.ceil(np.log2(budget))))[:budget]
    return torch.as_tensor(REACH * (2 * points - 1), dtype=torch.float32)


def _made_up_glances(config: PolicyConfig, targets: Tensor, count: int, generator: torch.Generator) -> Glance:
    """What the agent might see on its way: places near the sequence's, plain mattes of any value."""
    steps, side = len(targets) - 1, config.patch_size
    places = targets[:-1, None] + 0.1 * torch.randn(steps, count, 2, generator=generator).to(targets)
    plain = torch.rand(steps, count, 1, 1, generator=generator).expand(-1, -1, side, side)
    left = 1 - torch.arange(1, steps + 1) / len(targets)
    remaining = left[:, None, None].expand(-1, count, 1)
    return Glance(places.clamp(-1, 1), plain.to(targets), remaining.to(targets))
