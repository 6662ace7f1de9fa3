"""Do Stable-Baselines3's algorithms learn in the environments? Each trains on a tiny instance, once for each seed.

Prints the mean return of 50 episodes of uniformly random actions, of the untrained and of the trained agent, which both
draw their actions from their policy, with the training's steps and seconds. The instance is two rendered images of
36×36 pixels: no measure of how well the algorithms do on photographs.

    python benchmarks/stable_baselines3_agents.py
    python benchmarks/stable_baselines3_agents.py --algorithm MaskablePPO --seeds 3 4 5 --steps 20000
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy as evaluate_masked_policy
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.utils import set_random_seed

from active_matting.data import make_data
from active_matting.data.packed import pack

REGIONS, GRID = "active_matting:ActiveMatting/Regions-v0", "active_matting:ActiveMatting/RegionGrid-v0"

DATA: dict[str, Any] = {"split": "train", "count": 2, "size": 36, "seed": 6}  # images with several cells of either kind
INSTANCE: dict[str, Any] = {
    "data": "packed",  # rendering anew for each of these short episodes would take most of the time
    "order": "epoch",
    "image_size": 36,  # the least that Stable-Baselines3's convolutions take
    "region_size": 6,
    "budget": 3,
}
EPISODES = 50
ENVIRONMENTS = 8

LEARNING: dict[str, Any] = {
    "n_steps": 64,
    "batch_size": 128,
    "n_epochs": 8,
    "gamma": 1.0,
    "learning_rate": 1e-3,
    "ent_coef": 0.005,
}
SMALL_NETWORK: dict[str, Any] = {"features_extractor_kwargs": {"cnn_output_dim": 32}, "net_arch": [64]}


@dataclass(frozen=True)
class Recipe:
    """How one algorithm is trained on one environment."""

    algorithm: Any
    policy: str
    environment: str
    steps: int
    policy_kwargs: dict[str, Any]


RECIPES = {
    "PPO, regions": Recipe(PPO, "MultiInputPolicy", REGIONS, 8192, {"log_std_init": -0.5}),
    "PPO, grid": Recipe(PPO, "MultiInputPolicy", GRID, 6144, {}),
    "RecurrentPPO": Recipe(RecurrentPPO, "MultiInputLstmPolicy", GRID, 6144, {"lstm_hidden_size": 32}),
    "MaskablePPO": Recipe(MaskablePPO, "MultiInputPolicy", GRID, 6144, {}),
}


@contextmanager
def instance() -> Iterator[dict[str, Any]]:
    """The environments' arguments, while their images lie in a folder."""
    with TemporaryDirectory() as folder:
        pack(make_data("rendered", **DATA), DATA["size"], folder)
        yield INSTANCE | {"data_kwargs": {"path": folder}}


def make_agent(name: str, arguments: dict[str, Any], seed: int) -> BaseAlgorithm:
    """The algorithm of a recipe, untrained, with environments of its own."""
    recipe = RECIPES[name]
    env = make_vec_env(recipe.environment, ENVIRONMENTS, seed, env_kwargs=arguments)
    policy_kwargs = SMALL_NETWORK | recipe.policy_kwargs
    return recipe.algorithm(recipe.policy, env, seed=seed, policy_kwargs=policy_kwargs, **LEARNING)


def mean_return(name: str, arguments: dict[str, Any], agent: BaseAlgorithm) -> float:
    """Of `EPISODES` episodes; actions are drawn from the policy, with the same seed each time."""
    env = make_vec_env(RECIPES[name].environment, 1, seed=1000, env_kwargs=arguments)
    set_random_seed(1000)
    evaluate = evaluate_masked_policy if isinstance(agent, MaskablePPO) else evaluate_policy
    return float(evaluate(agent, env, EPISODES, deterministic=False)[0])


def random_return(name: str, arguments: dict[str, Any]) -> float:
    """Of `EPISODES` episodes of uniformly random actions."""
    env = make_vec_env(RECIPES[name].environment, 1, seed=1000, env_kwargs=arguments)
    env.action_space.seed(1000)
    env.reset()
    steps = EPISODES * arguments["budget"]
    return float(sum(env.step(np.array([env.action_space.sample()]))[1][0] for _ in range(steps)) / EPISODES)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", nargs="+", default=list(RECIPES), choices=list(RECIPES), help="which (all)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="a training each (0 1 2)")
    parser.add_argument("--steps", type=int, help="of training (6144, of regions 8192)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'algorithm':12} {'seed':>5} {'random':>7} {'before':>7} {'after':>7} {'steps':>7} {'seconds':>7}")
    with instance() as arguments:
        for name in given.algorithm:
            chance = random_return(name, arguments)
            for seed in given.seeds:
                agent = make_agent(name, arguments, seed)
                before, started = mean_return(name, arguments, agent), time.perf_counter()
                agent.learn(given.steps or RECIPES[name].steps)
                seconds, after = time.perf_counter() - started, mean_return(name, arguments, agent)
                returns = f"{chance:7.3f} {before:7.3f} {after:7.3f}"
                print(f"{name:12} {seed:5} {returns} {agent.num_timesteps:7} {seconds:7.0f}", flush=True)


if __name__ == "__main__":
    main()
