"""Gymnasium's face of many query loops at once, whose mattes are solved in one call."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from active_matting.data import Sample
from active_matting.envs.actions import Actions
from active_matting.envs.query_loop import Outcome, QueryLoop
from active_matting.envs.rendering import check_render_mode
from active_matting.envs.settings import Settings, check_count
from active_matting.envs.single import make_parts, observation_space, render_loop, with_mask
from active_matting.errors import InvalidArgumentError
from active_matting.observations import Observation
from active_matting.session import QuerySession
from active_matting.solvers.together import in_threads, solve_together

RENDER_MODES = ("rgb_array", "ansi")


class BatchEnv(VectorEnv[Observation, Any, Any]):
    """`num_envs` environments in one process; step by step what `SyncVectorEnv` makes of single ones.

    Every step is one call of `active_matting.solvers.together.solve_together`: a torch solver solves one batch, on its
    device; others one image per thread. autoreset_mode: "NextStep", "SameStep" or "Disabled", see Gymnasium's
    `AutoresetMode`. An environment whose solver fails is truncated with the reason in `info["error"]`, and the others
    go on, unless `solver_failure="raise"` was asked for.
    """

    metadata: dict[str, Any]

    def __init__(
        self,
        num_envs: int,
        settings: Settings,
        make_actions: Callable[[], Actions],
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        check_count("num_envs", num_envs)
        check_render_mode(render_mode, RENDER_MODES)
        self.num_envs = num_envs
        self.settings = settings
        self.render_mode = render_mode
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {"render_modes": list(RENDER_MODES), "render_fps": 2, "autoreset_mode": self.autoreset_mode}
        self.data, self.solver = make_parts(settings)
        self._actions = [make_actions() for _ in range(num_envs)]  # they remember things of their environment
        self._loops = [QueryLoop(settings, self.data, self.solver) for _ in range(num_envs)]
        self._rngs = [seeding.np_random()[0] for _ in range(num_envs)]
        self._are_over = np.zeros(num_envs, dtype=bool)
        self._seen: list[tuple[Observation, dict[str, Any]]] = [({}, {}) for _ in range(num_envs)]  # by the latest step
        self.single_action_space = self._actions[0].space
        self.single_observation_space = observation_space(settings, self._actions[0])
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    @property
    def samples(self) -> list[Sample]:
        """Each environment's image, resized, and true alpha."""
        return [loop.sample for loop in self._loops]

    @property
    def sessions(self) -> list[QuerySession]:
        """The loops that the environments drive."""
        return [loop.session for loop in self._loops]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start episodes; one `seed` is the first environment's, the next ones have the next numbers.

        options: those of the single environments; and "reset_mask", bool `(num_envs,)`: which ones are reset.
        """
        seeds = self._seeds(seed)
        options = dict(options or {})
        chosen = np.flatnonzero(_checked_mask(options.pop("reset_mask", None), self.num_envs))
        self._begin(chosen, seeds, options)
        self._are_over[chosen] = False
        return self._observations(), self._gathered({int(number): self._seen[number][1] for number in chosen})

    def step(
        self, actions: Any
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """One step of each; see the single environments. Raises what `reset` and they raise."""
        is_reset = self._are_over & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        outcomes = self._play(np.flatnonzero(~is_reset), list(iterate(self.action_space, actions)))
        self._begin(np.flatnonzero(is_reset))
        rewards = np.zeros(self.num_envs)
        terminated, truncated = np.zeros((2, self.num_envs), dtype=bool)
        for number, outcome in outcomes.items():
            rewards[number], terminated[number], truncated[number] = outcome[:3]
        self._are_over = terminated | truncated

        finals: dict[int, dict[str, Any]] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP:
            over = np.flatnonzero(self._are_over)
            for ended in over:
                observation, info = self._seen[ended]
                finals[int(ended)] = {"final_obs": observation, "final_info": info}
            self._begin(over)
        infos = {number: finals.get(number, {}) | self._seen[number][1] for number in range(self.num_envs)}
        return self._observations(), rewards, terminated, truncated, self._gathered(infos)

    def action_masks(self) -> NDArray[np.int8]:
        """`(num_envs, n)`: what `info["action_mask"]` says now."""
        return np.stack([actions.mask(loop) for actions, loop in zip(self._actions, self._loops, strict=True)])

    def render(self) -> tuple[Any, ...] | None:
        """What each single environment would show; see `active_matting.envs.rendering`."""
        return None if self.render_mode is None else tuple(render_loop(self.render_mode, loop) for loop in self._loops)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + number for number in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise InvalidArgumentError(f"seed must be one number or {self.num_envs}, got {len(seed)}")
        return [None if each is None else int(each) for each in seed]

    def _begin(
        self,
        numbers: NDArray[np.intp],
        seeds: Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        """Start an episode of each of `numbers`; `seeds` has an entry for each environment."""

        def begin(number: int) -> tuple[Observation, dict[str, Any]]:
            seed = None if seeds is None else seeds[number]
            if seed is not None:
                self._rngs[number] = seeding.np_random(seed)[0]
            info = self._loops[number].begin(self._rngs[number], options, is_seeded=seed is not None)
            return with_mask(self._actions[number], self._loops[number], info)

        for number, begun in zip(numbers, in_threads([partial(begin, number) for number in numbers]), strict=True):
            if isinstance(begun, Exception):
                raise begun
            self._seen[number] = begun

    def _play(self, numbers: NDArray[np.intp], actions: Sequence[Any]) -> dict[int, Outcome]:
        """A step of each of `numbers`; `actions` has an entry for each environment."""
        regions = {number: self._actions[number].regions_of(actions[number]) for number in numbers}
        label_maps = {number: self._loops[number].ask(regions[number]) for number in numbers}
        to_solve = [number for number in numbers if len(label_maps[number])]
        solved: dict[int, Any] = {}
        if to_solve:
            sessions = [self._loops[number].session for number in to_solve]
            prepared, previous = [each.prepared for each in sessions], [each.matte for each in sessions]
            alphas = solve_together(prepared, [label_maps[number] for number in to_solve], previous)
            solved = dict(zip(to_solve, alphas, strict=True))
        outcomes = {}
        for number in numbers:
            loop, alphas_or_error = self._loops[number], solved.get(number, label_maps[number])
            is_error = isinstance(alphas_or_error, Exception)
            outcomes[int(number)] = loop.fail(alphas_or_error) if is_error else loop.tell(alphas_or_error)
            self._seen[number] = with_mask(self._actions[number], loop, outcomes[int(number)].info)
        return outcomes

    def _observations(self) -> Observation:
        out = create_empty_array(self.single_observation_space, n=self.num_envs, fn=np.empty)
        seen = [observation for observation, _ in self._seen]
        return concatenate(self.single_observation_space, seen, out)  # type: ignore[arg-type, return-value]

    def _gathered(self, infos: dict[int, dict[str, Any]]) -> dict[str, Any]:
        gathered: dict[str, Any] = {}
        for number, info in infos.items():
            gathered = self._add_info(gathered, info, number)
        return gathered


def _autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        allowed = [each.value for each in AutoresetMode]
        raise InvalidArgumentError(f"autoreset_mode must be one of {allowed}, got {mode!r}") from None


def _checked_mask(mask: Any, count: int) -> NDArray[np.bool_]:
    chosen: NDArray[Any] = np.ones(count, dtype=bool) if mask is None else np.asarray(mask)
    if chosen.shape != (count,) or chosen.dtype != bool or not chosen.any():
        raise InvalidArgumentError(f"reset_mask must be {count} booleans, at least one true, got {mask!r}")
    return chosen
