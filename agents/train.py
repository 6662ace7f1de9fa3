"""A training from a recipe, in a folder: stopped or killed at any moment, it can go on to the same end."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, TypeAlias

import gymnasium
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecMonitor
from tqdm.auto import tqdm

from active_matting.agents.callbacks import Every, StopWhen
from active_matting.agents.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from active_matting.agents.recipe import Recipe
from active_matting.agents.reinforce import Reinforce
from active_matting.agents.trained import load_reinforce, save_agent
from active_matting.agents.vec_env import BatchVecEnv
from active_matting.agents.warm_start import warm_start
from active_matting.checks import check_integer
from active_matting.data.packed import pack
from active_matting.envs.settings import settings_of
from active_matting.envs.workers import REGIONS
from active_matting.errors import FileError, InvalidArgumentError
from active_matting.training.interrupts import Interrupts, TimeLimit
from active_matting.training.trainer import choose_device

PACKED_BYTES = 2**30
"""Samples up to this size in all are made once, before training."""

Ending: TypeAlias = Literal["finished", "out of time", "interrupted"]


class Outcome(NamedTuple):
    """How a run ended."""

    ending: Ending
    updates: int  # of the whole training, the runs before included
    model: Reinforce


def train(
    recipe: Recipe,
    folder: Path | str,
    *,
    seed: int = 0,
    device: str = "auto",
    minutes: float | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    callback: BaseCallback | None = None,
) -> Outcome:
    """Train, and leave the agent in `folder`; `minutes` ends it early, `resume` goes on from what lies in `folder`.

    A run that was stopped or killed and resumed ends with the same weights, to the bit, as one that was not, on the
    same device. Raises `FileError` where there is a checkpoint already and `resume` is false, where there is none and
    it is true, or where it is another training's; `InvalidArgumentError`; and what the environment's arguments raise.
    """
    check_integer("seed", seed, at_least=0, at_most=2**32 - 1)  # as Stable-Baselines3 would have it
    folder, limit = Path(folder), TimeLimit(minutes)
    if not resume and (folder / CHECKPOINT).exists():
        raise FileError(f"{folder} has a checkpoint: resume it, or choose another folder")
    if resume and not (folder / CHECKPOINT).exists():
        raise FileError(f"{folder / CHECKPOINT} cannot be read: there is none to go on from")
    if tensorboard and find_spec("tensorboard") is None:
        raise InvalidArgumentError("there is no TensorBoard here (pip install tensorboard); leave its logs out")
    made_of = recipe.as_table() | {"seed": seed}
    made_of["training"].pop("checkpoint_minutes")
    with TemporaryDirectory() as scratch, one_thread(choose_device(device)), Interrupts() as interrupts:
        env = make_environments(recipe, Path(scratch))
        model = make_model(recipe, env, seed, device, str(folder / "logs") if tensorboard else None)

        def save() -> None:
            save_checkpoint(folder, model, made_of)

        try:
            if resume:
                load_checkpoint(folder, model, made_of)
            else:
                begin(recipe, model, env, seed)
            steps = recipe.training.updates * recipe.training.environments * (model.n_steps or 1)
            callbacks = [
                StopWhen(lambda: interrupts.came or limit.is_over()),
                Every(save, 60 * recipe.training.checkpoint_minutes),
                *([] if callback is None else [callback]),
            ]
            left = steps - model.num_timesteps
            model.learn(left, callbacks, reset_num_timesteps=False, tb_log_name="train", progress_bar=True)
        finally:
            env.close()
    save_agent(model.policy, folder, card={"recipe": recipe.as_table(), "seed": seed, "updates": model._n_updates})
    is_finished = model._n_updates >= recipe.training.updates
    ending: Ending = "finished" if is_finished else "interrupted" if interrupts.came else "out of time"
    return Outcome(ending, model._n_updates, model)


def make_model(recipe: Recipe, env: VecEnv, seed: int, device: str = "auto", logs: str | None = None) -> Reinforce:
    """The recipe's algorithm, untrained."""
    return Reinforce(
        "MultiInputPolicy",
        env,
        **recipe.algorithm.keywords(),
        policy_kwargs={"config": recipe.network, "baseline_speed": recipe.algorithm.baseline_speed},
        tensorboard_log=logs,
        seed=seed,
        device=choose_device(device),
    )


def begin(recipe: Recipe, model: Reinforce, env: VecEnv, seed: int) -> None:
    """Bring a new model's weights to where reinforcement starts. Raises `FileError` for weights of other networks."""
    start, config = recipe.training.start, recipe.network
    if start:
        policy = load_reinforce(start)
        if policy.config != config:
            raise FileError(f"{start} has other networks than the recipe: {policy.config}, not {config}")
        model.policy.network.load_state_dict(policy.network.state_dict())
    if recipe.training.warm_start:
        warm_start(model.policy, env, model.n_steps or 1, recipe.training.warm_start, seed)


def make_environments(recipe: Recipe, scratch: Path) -> VecEnv:
    """The recipe's environments, as a batch whose mattes are solved in one call.

    Their samples are made once and kept in `scratch` for the run, unless they would fill more than `PACKED_BYTES`.
    """
    arguments: dict[str, Any] = dict(recipe.environment)
    settings = settings_of(arguments)
    data = settings.make_data()
    if len(data) * settings.image_size**2 * 16 <= PACKED_BYTES:
        pack(tqdm(data, desc="images", unit="image", leave=False), settings.image_size, scratch)
        arguments |= {"data": "packed", "data_kwargs": {"path": str(scratch)}}
    batch = gymnasium.make_vec(REGIONS, num_envs=recipe.training.environments, **arguments)
    return VecMonitor(BatchVecEnv(batch, resets_late=True))


@contextmanager
def one_thread(device: torch.device) -> Iterator[None]:
    """Torch's threads: one where it learns on the CPU, whose cores the solver needs more than small networks do."""
    threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
