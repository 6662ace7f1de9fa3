"""The environment of the paper: propose the next region for the user to label, anywhere in the image."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from active_matting.annotators import Annotator, make_annotator
from active_matting.data import Sample, make_data
from active_matting.envs.rendering import draw_progress
from active_matting.envs.rewards import find_reward
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer, check_protocol
from active_matting.metrics import rmse
from active_matting.observations import Observation
from active_matting.regions import check_side
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.solvers.warm_up import warm_up
from active_matting.types import Label


class RegionsEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Ask a simulated user about one region per step, and be rewarded by what the answer does to the matte.

    ## Action space
    `Box(-1, 1, (2,))`: the region's centre `(y, x)`; -1 is the first row or column of the image, 1 the last; a
    centre too near the edge is moved in. With `candidates=S > 1` it is `Box(-1, 1, (S, 2))`: S proposals from the
    same state, of which the one that lowers the RMSE most is committed (Active Matting, sec. 2.3).

    ## Observation space
    A `Dict` (see `active_matting.observations.observe`) of uint8, channel-first `image` (3, H, W),
    `label_map` (1, H, W), `matte` (1, H, W), and float32 `location` (2,), `remaining` (1,).

    ## Reward
    `"rmse"`: the drop in RMSE against the true alpha, over the whole image. `"relative"`: equation 7 of the paper,
    each drop as a part of the largest among the candidates. `"log"`: the drop in the RMSE's logarithm. See
    `active_matting.envs.rewards`. The step's reward is the committed candidate's; `info["rewards"]` holds all.

    ## Starting state
    A sample drawn from the data with the environment's generator; `reset(options={"index": i})` takes the i-th.
    Nothing is labelled and the matte is 0.5 everywhere.

    ## Episode end
    Terminated when `budget` queries are spent. Never truncated.

    ## Info
    `rmse`: of the current matte. `sample`: the sample's index. After a step also `label` (of the committed answer, a
    `Label` value), `committed` (which candidate), `rewards` float64 (S,), and `skipped` bool (S,): the answer was
    "transition" and the protocol is the paper's, so that it changed nothing and should not be learnt from.

    ## Arguments
    All JSON-able. data, data_kwargs: see `make_data`. solver, solver_kwargs: see `make_solver`. image_size: side to
    which samples are resized, pixels. region_size: side of the regions, pixels. budget: queries per episode.
    candidates: S. reward: see above. protocol: "paper" or "extended" (transition answers enter the label map).
    annotator, annotator_kwargs: see `make_annotator`. render_mode: None or "rgb_array".

    Making an environment compiles what the solver compiles, see `active_matting.warm_up`: no episode waits for that.
    Raises `UnknownNameError` and `InvalidArgumentError` at construction.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012  (Gymnasium's own declaration)

    def __init__(
        self,
        *,
        data: str = "rendered",
        data_kwargs: dict[str, Any] | None = None,
        solver: str = "shared",
        solver_kwargs: dict[str, Any] | None = None,
        image_size: int = 400,
        region_size: int = 20,
        budget: int = 20,
        candidates: int = 1,
        reward: str = "rmse",
        protocol: str = "paper",
        annotator: str = "exact",
        annotator_kwargs: dict[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        check_side(region_size, (image_size, image_size))
        for name, value in (("budget", budget), ("candidates", candidates)):
            if value < 1:
                raise InvalidArgumentError(f"{name} must be at least 1, got {value}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise InvalidArgumentError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.data = make_data(data, **(data_kwargs or {}))
        self.solver = make_solver(solver, **(solver_kwargs or {}))
        self.image_size = image_size
        self.region_size = region_size
        self.budget = budget
        self.candidates = candidates
        self.protocol = check_protocol(protocol)
        self.render_mode = render_mode
        self._reward = find_reward(reward)
        self._annotator, self._annotator_kwargs = annotator, annotator_kwargs or {}
        self._make_annotator(np.zeros((1, 1), dtype=np.float32))  # a bad name or keyword should fail here
        self.observation_space: spaces.Dict = _observation_space(image_size)  # type: ignore[assignment]
        self.action_space = spaces.Box(-1, 1, (2,) if candidates == 1 else (candidates, 2), np.float32)
        warm_up(self.solver)

    sample: Sample
    """The image being matted, resized, and its true alpha; agents that know the truth look here."""

    session: QuerySession
    """The loop that this environment drives."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options={"index": i}` chooses the sample. Raises `InvalidArgumentError`."""
        super().reset(seed=seed)
        index = (options or {}).get("index")
        if index is None:
            index = int(self.np_random.integers(len(self.data)))
        elif not 0 <= index < len(self.data):
            raise InvalidArgumentError(f"index must be from 0 to {len(self.data) - 1}, got {index}")
        self._index = index
        self.sample = self.data[index].resized(self.image_size)
        self.annotator = self._make_annotator(self.sample.alpha)
        self.session = QuerySession(
            self.sample.image,
            self.solver,
            region_size=self.region_size,
            budget=self.budget,
            protocol=self.protocol,
        )
        self._rmse = rmse(self.session.alpha, self.sample.alpha)
        return self._observe(), {"rmse": self._rmse, "sample": index}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Ask about the region(s) of `action`. Raises `InvalidArgumentError` for an action of another shape."""
        action = np.asarray(action)
        if action.shape != self.action_space.shape:
            raise InvalidArgumentError(f"action must have shape {self.action_space.shape}, got {action.shape}")
        regions = [self.session.region_of(proposal) for proposal in action.reshape(self.candidates, 2)]
        answers = [RegionAnswer(region, self.annotator.answer(region)) for region in regions]
        alphas = self._alphas_after(answers)
        errors = np.array([rmse(alpha, self.sample.alpha) for alpha in alphas])
        rewards = self._reward(self._rmse, errors)
        best = int(errors.argmin())
        self.session.answer(answers[best].region, answers[best].label, alpha=alphas[best])
        self._rmse = float(errors[best])
        info = {
            "rmse": self._rmse,
            "sample": self._index,
            "label": int(answers[best].label),
            "committed": best,
            "rewards": rewards,
            "skipped": np.array([self._is_skipped(answer) for answer in answers]),
        }
        terminated = len(self.session.interactions) >= self.budget
        return self._observe(), float(rewards[best]), terminated, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Image with asked regions, matte and error: uint8 `(H, 3 W, 3)`; None without a render mode."""
        if self.render_mode is None:
            return None
        return draw_progress(self.sample.image, self.session.answers, self.session.alpha, self.sample.alpha)

    def _alphas_after(self, answers: list[RegionAnswer]) -> list[NDArray[np.float32]]:
        """The matte, `(H, W)`, after each answer; all that need solving are solved in one call."""
        telling = [answer for answer in answers if not self._is_skipped(answer)]
        solved = iter(self.session.preview(telling)) if telling else iter(())
        return [self.session.alpha if self._is_skipped(answer) else next(solved) for answer in answers]

    def _is_skipped(self, answer: RegionAnswer) -> bool:
        return answer.label == Label.TRANSITION and self.protocol == "paper"

    def _make_annotator(self, alpha: NDArray[np.float32]) -> Annotator:
        return make_annotator(self._annotator, alpha, **self._annotator_kwargs)

    def _observe(self) -> Observation:
        observation = self.session.observation()
        observation["image"] = observation["image"].copy()  # callers may write to what they were given
        return observation


def _observation_space(size: int) -> spaces.Dict:
    def plane(channels: int) -> spaces.Box:
        return spaces.Box(0, 255, (channels, size, size), np.uint8)

    return spaces.Dict(
        {
            "image": plane(3),
            "label_map": plane(1),
            "matte": plane(1),
            "location": spaces.Box(-1, 1, (2,), np.float32),
            "remaining": spaces.Box(0, 1, (1,), np.float32),
        }
    )
