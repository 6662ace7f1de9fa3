"""Gymnasium's face of one query loop."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from active_matting.data import DataSource, Sample
from active_matting.envs.actions import Actions
from active_matting.envs.query_loop import QueryLoop
from active_matting.envs.rendering import Window, check_render_mode, describe_loop, draw_loop
from active_matting.envs.settings import Settings
from active_matting.observations import Observation
from active_matting.session import QuerySession
from active_matting.solvers import Solver
from active_matting.solvers.warm_up import warm_up
from active_matting.threads import limit_threads


class SingleEnv(gymnasium.Env[Observation, Any]):
    """One simulated user, whose regions are chosen by `actions`; see `RegionsEnv` and `RegionGridEnv`.

    Making one compiles what the solver compiles, see `active_matting.warm_up`: no episode waits for that.
    """

    metadata = {"render_modes": ["rgb_array", "human", "ansi"], "render_fps": 2}  # noqa: RUF012  (Gymnasium's own)

    def __init__(self, settings: Settings, actions: Actions, render_mode: str | None = None) -> None:
        check_render_mode(render_mode, self.metadata["render_modes"])
        self.settings = settings
        self.render_mode = render_mode
        self.data, self.solver = make_parts(settings)
        self.action_space = actions.space
        self.observation_space: spaces.Dict = observation_space(settings, actions)  # type: ignore[assignment]
        self._actions = actions
        self._loop = QueryLoop(settings, self.data, self.solver)
        self._window: Window | None = None

    @property
    def sample(self) -> Sample:
        """The image being matted, resized, and its true alpha; agents that know the truth look here."""
        return self._loop.sample

    @property
    def session(self) -> QuerySession:
        """The loop that this environment drives."""
        return self._loop.session

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options={"index": i}` chooses the sample.

        Raises `InvalidArgumentError`, `SolverFailedError`, and `FileError` where the sample cannot be read.
        """
        super().reset(seed=seed)
        info = self._loop.begin(self.np_random, options, is_seeded=seed is not None)
        if self.render_mode == "human":
            self._show()
        return with_mask(self._actions, self._loop, info)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Ask about the region(s) of `action`. Raises `InvalidArgumentError` for what is no action.

        Raises Gymnasium's `ResetNeeded` when the episode is over, and `SolverFailedError`.
        """
        label_maps = self._loop.ask(self._actions.regions_of(action))
        try:
            alphas = np.empty(label_maps.shape, dtype=np.float32)  # nothing was told: nothing is to be solved
            if len(label_maps):
                alphas = self.session.solve_next(label_maps)
        except Exception as error:  # whatever a solver raises is told with image and query
            outcome = self._loop.fail(error)
        else:
            outcome = self._loop.tell(alphas)
        if self.render_mode == "human":
            self._show()
        observation, info = with_mask(self._actions, self._loop, outcome.info)
        return observation, outcome.reward, outcome.terminated, outcome.truncated, info

    def action_masks(self) -> NDArray[np.int8]:
        """What `info["action_mask"]` says now; Stable-Baselines3's `MaskablePPO` calls this."""
        return self._actions.mask(self._loop)

    def render(self) -> Any:
        """The loop so far: a picture, uint8 `(h, w, 3)`, in "rgb_array"; a text in "ansi"; None in "human".

        With "human" a window follows by itself. See `active_matting.envs.rendering`.
        """
        if self.render_mode == "human":
            self._show()
            return None
        return render_loop(self.render_mode, self._loop)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _show(self) -> None:
        if self._window is None:
            self._window = Window("active matting", 1 / self.metadata["render_fps"])
        self._window.show(draw_loop(self._loop))


def make_parts(settings: Settings) -> tuple[DataSource, Solver]:
    """Data and solver, the latter warmed up; the annotator's arguments are tried out, so that they fail here too.

    Before and after it limits this process's threads to those of `settings`.
    """
    limit_threads(settings.threads)
    data, solver = settings.make_data(), settings.make_solver()
    settings.make_annotator(np.zeros((1, 1), dtype=np.float32))
    warm_up(solver)
    limit_threads(settings.threads)  # again, for what only these have loaded: torch, or SciPy's own BLAS
    return data, solver


def observation_space(settings: Settings, actions: Actions) -> spaces.Dict:
    """The space of `active_matting.observations.observe`, and of the mask where actions have one."""
    size = settings.image_size

    def plane(channels: int) -> spaces.Box:
        return spaces.Box(0, 255, (channels, size, size), np.uint8)

    mask = {} if actions.mask_space is None else {"action_mask": actions.mask_space}
    return spaces.Dict(
        {
            "image": plane(3),
            "label_map": plane(1),
            "matte": plane(1),
            "location": spaces.Box(-1, 1, (2,), np.float32),
            "remaining": spaces.Box(0, 1, (1,), np.float32),
            **mask,
        }
    )


def with_mask(actions: Actions, loop: QueryLoop, info: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
    """The observation, and the info; the mask is added to both where actions have one."""
    observation = loop.observe()
    if actions.mask_space is None:
        return observation, info
    mask = actions.mask(loop)
    return observation | {"action_mask": mask}, info | {"action_mask": mask.copy()}


def render_loop(mode: str | None, loop: QueryLoop) -> Any:
    """A picture in "rgb_array", a text in "ansi", else None."""
    if mode == "rgb_array":
        return draw_loop(loop)
    return describe_loop(loop) if mode == "ansi" else None
