"""B4: anywhere."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from active_matting.observations import Observation


class RandomAgent:
    """B4: regions drawn uniformly over the image (Active Matting, sec. 3.1)."""

    def __init__(self, env: gymnasium.Env[Any, Any] | None = None, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """See `Agent.predict`."""
        shape = np.shape(observation["location"])
        return self._rng.uniform(-1, 1, shape).astype(np.float32), None
