"""What agents need that know the truth: they look at it in the environment."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

from active_matting.envs.regions import RegionsEnv, RegionsVectorEnv
from active_matting.envs.settings import Settings
from active_matting.errors import InvalidArgumentError
from active_matting.observations import Observation
from active_matting.regions import Region, region_to_action
from active_matting.session import QuerySession
from active_matting.solvers import Solver
from active_matting.types import Alpha

AnyEnv: TypeAlias = "gymnasium.Env[Any, Any] | gymnasium.vector.VectorEnv[Any, Any, Any] | None"


class Truth(NamedTuple):
    """The episode that an environment is in, and the alpha that only a bound may know."""

    session: QuerySession
    alpha: Alpha
    solver: Solver
    settings: Settings


def truths_of(env: AnyEnv) -> Callable[[], list[Truth]]:
    """What tells of each episode that `env`, single or a batch, is in when it is asked.

    Raises `InvalidArgumentError` for an environment that is none of regions.
    """
    regions = None if env is None else env.unwrapped
    if isinstance(regions, RegionsEnv):
        return lambda: [Truth(regions.session, regions.sample.alpha, regions.solver, regions.settings)]
    if isinstance(regions, RegionsVectorEnv):
        return lambda: [
            Truth(session, sample.alpha, regions.solver, regions.settings)
            for session, sample in zip(regions.sessions, regions.samples, strict=True)
        ]
    raise InvalidArgumentError(f"this agent knows the truth and needs the environment that has it, got {env!r}")


def actions_for(
    truths: Sequence[Truth], choose: Callable[[Truth], Region], observation: Observation
) -> NDArray[np.float32]:
    """The actions, `(2,)` or `(N, 2)` as the observation is, that ask about what `choose` chooses in each episode.

    Raises `InvalidArgumentError` where there are not as many observations as episodes.
    """
    shape = np.shape(observation["location"])
    if shape != (len(truths), 2) and (shape != (2,) or len(truths) > 1):
        told = shape[0] if len(shape) == 2 else 1
        raise InvalidArgumentError(
            f"an agent that knows the truth acts in all of its environments at once, {len(truths)} of them, got {told}"
        )
    actions = [region_to_action(choose(truth), truth.session.shape) for truth in truths]
    return np.asarray(actions, dtype=np.float32).reshape(shape)
