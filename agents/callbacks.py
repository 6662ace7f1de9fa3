"""Callbacks of Stable-Baselines3 that training uses."""

import time
from collections.abc import Callable
from typing import Never

from stable_baselines3.common.callbacks import BaseCallback
from tqdm.auto import tqdm


class ProgressBar(BaseCallback):
    """Steps done of all, and the RMSE that the latest update's episodes ended with."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: tqdm[Never] | None = None

    def _on_training_start(self) -> None:
        total = self.locals["total_timesteps"]
        self._bar = tqdm(total=total, initial=self.num_timesteps, desc="training", unit="step")

    def _on_step(self) -> bool:
        if self._bar is not None:
            self._bar.update(self.training_env.num_envs)
        return True

    def _on_rollout_end(self) -> None:
        errors = [info["rmse"] for info in self.locals["infos"] if "rmse" in info]
        if self._bar is not None and errors:
            self._bar.set_postfix(rmse=f"{sum(errors) / len(errors):.3f}")

    def _on_training_end(self) -> None:
        if self._bar is not None:
            self._bar.close()


class StopWhen(BaseCallback):
    """Ends training, within an update too, as soon as `is_enough()` is true."""

    def __init__(self, is_enough: Callable[[], bool]) -> None:
        super().__init__()
        self._is_enough = is_enough

    def _on_step(self) -> bool:
        return not self._is_enough()


class Every(BaseCallback):
    """Calls `act()` between updates, whenever so many seconds have passed since the last time, and at the end."""

    def __init__(self, act: Callable[[], None], seconds: float) -> None:
        super().__init__()
        self._act, self._seconds = act, seconds
        self._latest = time.monotonic()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        if time.monotonic() - self._latest >= self._seconds:
            self._act()
            self._latest = time.monotonic()

    def _on_training_end(self) -> None:
        self._act()
