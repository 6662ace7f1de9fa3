"""Gymnasium's batches as vectorised environments of Stable-Baselines3: a step is one call of the solver for all."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from active_matting.errors import InvalidArgumentError


class BatchVecEnv(VecEnv):
    """A `gymnasium.vector.VectorEnv`, such as `gymnasium.make_vec` makes, for Stable-Baselines3.

    Stable-Baselines3 resets at the step that ends an episode, so the batch must do so too:
    `make_vec(..., autoreset_mode="SameStep")`. An algorithm that resets by itself before each rollout, as `Reinforce`
    does, spares that: with `resets_late=True` the batch is to reset at the next step ("NextStep", Gymnasium's default),
    and the observation that ends an episode is its last one.

    Attributes and methods of single environments are those of the batch, which must be the same for all (`settings`),
    or have an entry for each: `action_masks`, `render`, `samples`, `sessions`. Raises `InvalidArgumentError`.
    """

    def __init__(self, batch: VectorEnv[Any, Any, Any], resets_late: bool = False) -> None:
        needed = AutoresetMode.NEXT_STEP if resets_late else AutoresetMode.SAME_STEP
        mode = batch.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if mode != needed:
            raise InvalidArgumentError(f"autoreset_mode must be {needed.value!r} here, got {mode.value!r}")
        self.batch = batch
        self._actions: NDArray[Any] | None = None
        super().__init__(batch.num_envs, batch.single_observation_space, batch.single_action_space)

    def reset(self) -> VecEnvObs:
        """Start episodes of all, with the seeds and options that were set before."""
        options = self._options[0] or None
        if any(each != self._options[0] for each in self._options):
            raise InvalidArgumentError(f"a batch takes the same options for all, got {self._options}")
        # VectorEnv.reset takes one seed for each too.
        seeds: Any = None if all(seed is None for seed in self._seeds) else list(self._seeds)
        observation, infos = self.batch.reset(seed=seeds, options=options)
        self.reset_infos = _one_by_one(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return observation  # type: ignore[no-any-return]

    def step_async(self, actions: NDArray[Any]) -> None:
        """Say what `step_wait` is to do."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """A step of all."""
        observation, rewards, terminated, truncated, gathered = self.batch.step(self._actions)
        infos = _one_by_one(gathered, self.num_envs)
        for number, info in enumerate(infos):
            if "final_obs" in info:  # the rest of the info is of the episode that begins
                final = info.pop("final_info")
                final["terminal_observation"] = info.pop("final_obs")
                self.reset_infos[number], infos[number] = info, final
            elif terminated[number] or truncated[number]:
                info["terminal_observation"] = {name: part[number] for name, part in observation.items()}
            infos[number]["TimeLimit.truncated"] = bool(truncated[number] and not terminated[number])
        return observation, rewards.astype(np.float32), terminated | truncated, infos

    def close(self) -> None:
        """Close the batch."""
        self.batch.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """An attribute of the batch, or its entries. Raises `AttributeError`."""
        value = getattr(self.batch.unwrapped, attr_name)
        return [self._part(value, number) for number in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the batch. Raises `InvalidArgumentError` for some environments only."""
        if indices is not None and list(self._get_indices(indices)) != list(range(self.num_envs)):
            raise InvalidArgumentError(f"a batch has its attributes for all environments, not for {indices}")
        setattr(self.batch.unwrapped, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method of the batch once; each environment's entry of what it returned."""
        value = getattr(self.batch.unwrapped, method_name)(*method_args, **method_kwargs)
        return [self._part(value, number) for number in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[gymnasium.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """None is: use `VecMonitor` around this instead of `Monitor` around each."""
        return [False for _ in self._get_indices(indices)]

    def get_images(self) -> Sequence[np.ndarray[Any, Any] | None]:
        """Each environment's picture, where they were made with render_mode="rgb_array"."""
        pictures: Any = self.batch.render()
        return [None] * self.num_envs if pictures is None else list(pictures)

    def _part(self, value: Any, number: int) -> Any:
        """An environment's entry of a list, tuple or array with one for each; anything else is the same for all."""
        has_entries = isinstance(value, list | tuple | np.ndarray) and len(value) == self.num_envs
        return value[number] if has_entries else value


def _one_by_one(gathered: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Gymnasium's infos of a batch, arrays with a mask `_name` beside each `name`, as one dictionary for each."""
    infos: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, values in gathered.items():
        if name.startswith("_"):
            continue
        has_it = gathered.get(f"_{name}", np.ones(count, dtype=bool))
        parts = _one_by_one(values, count) if isinstance(values, dict) else values
        for number in np.flatnonzero(has_it):
            infos[number][name] = parts[number]
    return infos
