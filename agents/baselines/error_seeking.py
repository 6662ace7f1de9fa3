"""The robot of the protocol "regions": it knows the truth and asks where the matte is most wrong."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.baselines.truth import AnyEnv, Truth, actions_for, truths_of
from active_matting.observations import Observation
from active_matting.regions import Region
from active_matting.robots import most_wrong_region


class ErrorSeekingAgent:
    """Asks where the matte is most wrong, as `active_matting.robots.most_wrong_region` says; a bound, as B1 is.

    It knows the true alpha: it reads it, and the session, from `env`, a single environment or a batch. Raises
    `InvalidArgumentError` for an environment that has none.
    """

    is_deterministic = True
    """It draws nothing; see `active_matting.agents.evaluate`."""

    def __init__(self, env: AnyEnv, seed: int = 0) -> None:
        self._truths = truths_of(env)

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """See `Agent.predict`. Raises `InvalidArgumentError` for other than its environment's observations."""
        return actions_for(self._truths(), _where_most_wrong, observation), None


def _where_most_wrong(truth: Truth) -> Region:
    session = truth.session
    return most_wrong_region(truth.alpha, session.alpha, session.label_map, session.region_size)
