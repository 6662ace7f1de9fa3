"""What a session asks of an agent, and what it can show where the agent tells more."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from active_matting.observations import Observation


class Agent(Protocol):
    """Anything that proposes where to ask, learned or not; Stable-Baselines3's models are such things too."""

    def predict(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], Any]:
        """The action, float32 `(2,)` as (y, x) in [-1, 1]², for one observation, and the next recurrent state.

        With batched observations (a leading axis N in every array) actions are `(N, 2)`. `episode_start`, bool
        `(N,)`, tells where the state is to be forgotten; `state=None` starts afresh.
        """


@runtime_checkable
class HeatmapAgent(Agent, Protocol):
    """An agent that also tells how likely each place is to be worth asking about."""

    def heatmap(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """Chances, float32 `(H, W)`, or `(N, H, W)`, that sum to 1 over the image; arguments as `Agent.predict`'s.

        Nothing is moved on by asking.
        """


@runtime_checkable
class GainAgent(Agent, Protocol):
    """An agent that also tells what the next answer is worth, and whether to go on asking."""

    def expected_gain(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
    ) -> Any:
        """The drop in RMSE to be expected of the next answer, float, or float32 `(N,)`."""

    def should_stop(
        self,
        observation: Observation,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        threshold: float = 0.001,
    ) -> Any:
        """Whether no answer is expected to lower the RMSE by `threshold`; bool, or bool `(N,)`."""
