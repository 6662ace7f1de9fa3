"""The interactive loop without any user interface: suggest → answer → solve → matte."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import read_json, write_json
from active_matting.labels import (
    Click,
    Interaction,
    RegionAnswer,
    Stroke,
    check_protocol,
    interaction_from_json,
    interaction_to_json,
    record,
)
from active_matting.observations import Observation, image_planes, observe
from active_matting.regions import Region, action_to_region, check_side, region_to_action
from active_matting.solvers.base import Matte, Solver
from active_matting.solvers.together import remembers, solve_next
from active_matting.types import Alpha, Image, Label, LabelMap, check_image

FORMAT = 1


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


@dataclass(frozen=True)
class _Moment:
    """All that one more interaction changes; undo goes back to an earlier one."""

    interactions: tuple[Interaction, ...]
    label_map: LabelMap
    agent_state: Any  # what the agent remembered when it was asked for the last of the interactions
    was_asked: bool = False  # whether the agent was asked before the last of the interactions
    matte: Matte | None = None  # solved when it is first looked at


class QuerySession:
    """Ask, be answered, and see the matte improve; a person and the environment both drive this class.

    image: float32 `(H, W, 3)` in [0, 1]. solver: see `make_solver`. agent: see `Agent`; only `suggest` needs it.
    region_size: side of the regions, pixels. budget: how many answers are planned (agents are told what is left;
    more may be given). protocol: "paper" (a transition answer changes nothing) or "extended" (it is recorded).
    Raises `InvalidArrayError` and `InvalidArgumentError`.

    >>> from active_matting import make_solver
    >>> session = QuerySession(np.zeros((40, 40, 3), np.float32), make_solver("closed-form"), region_size=10)
    >>> session.answer(Region(5, 5, 10), Label.FOREGROUND)
    >>> session.click(30, 30, radius=3, label=Label.BACKGROUND)
    >>> float(session.alpha[5, 5]), float(session.alpha[30, 30])
    (1.0, 0.0)
    >>> session.undo()
    >>> float(session.alpha[30, 30])
    0.5
    """

    def __init__(
        self,
        image: Image,
        solver: Solver,
        agent: Agent | None = None,
        *,
        region_size: int = 20,
        budget: int = 20,
        protocol: str = "paper",
    ) -> None:
        self.image = check_image(image)
        height, width = self.image.shape[:2]
        self.shape = (height, width)
        check_side(region_size, self.shape)
        if budget < 1:
            raise InvalidArgumentError(f"budget must be at least 1 query, got {budget}")
        self.solver = solver
        self.agent = agent
        self.region_size = region_size
        self.budget = budget
        self.protocol = check_protocol(protocol)
        self.prepared = solver.prepare(self.image)
        self._planes = image_planes(self.image)
        unlabelled = np.zeros(self.shape, dtype=np.int8)
        self._moments = [_Moment((), unlabelled, None)]
        self._now = 0
        self._next_agent_state: Any = None
        self._was_asked = False

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """All that was said, in order."""
        return self._moments[self._now].interactions

    @property
    def answers(self) -> tuple[RegionAnswer, ...]:
        """The answers to regions alone, in order, without free clicks and strokes."""
        return tuple(said for said in self.interactions if isinstance(said, RegionAnswer))

    @property
    def label_map(self) -> LabelMap:
        """int8 `(H, W)`; not to be written to."""
        return self._moments[self._now].label_map

    @property
    def matte(self) -> Matte:
        """The solver's answer to all that was said; not to be written to."""
        moment = self._moments[self._now]
        if moment.matte is None:
            # A solver that remembers needs every matte before this one, looked at or not.
            for number in range(self._now + 1) if remembers(self.prepared) else [self._now]:
                self._solve(number)
            moment = self._moments[self._now]
        assert moment.matte is not None
        return moment.matte

    @property
    def alpha(self) -> Alpha:
        """The matte's alpha, float32 `(H, W)` in [0, 1]."""
        return self.matte.alpha

    def cutout(self) -> NDArray[np.float32]:
        """The object in its own colours: RGBA, float32 `(H, W, 4)` in [0, 1]; see `active_matting.colours.cut_out`."""
        from active_matting.colours import cut_out  # loads pymatting

        return cut_out(self.image, self.matte)

    def observation(self) -> Observation:
        """What an agent sees now; see `active_matting.observations.observe`."""
        answers = self.answers
        location = region_to_action(answers[-1].region, self.shape) if answers else np.zeros(2, dtype=np.float32)
        remaining = max(0.0, 1 - len(self.interactions) / self.budget)
        return observe(self._planes, self.label_map, self.alpha, location, remaining)

    def suggest(self, deterministic: bool = True) -> Region:
        """The region the agent would have labelled next. Raises `InvalidArgumentError` without an agent.

        Asking twice gives the same region from a deterministic agent: its memory moves on with the answer.
        """
        if self.agent is None:
            raise InvalidArgumentError("suggest() needs an agent, got none; pass one as QuerySession(..., agent=...)")
        moment = self._moments[self._now]
        action, state = self.agent.predict(
            self.observation(),
            state=moment.agent_state,
            episode_start=np.array([moment.agent_state is None]),
            deterministic=deterministic,
        )
        self._next_agent_state = state
        self._was_asked = True
        return self.region_of(action)

    def region_of(self, action: ArrayLike) -> Region:
        """The region that an action `(y, x)` in [-1, 1]² means here."""
        return action_to_region(action, self.region_size, self.shape)

    def preview(self, interactions: Sequence[Interaction]) -> NDArray[np.float32]:
        """The alphas, float32 `(N, H, W)`, that each of N interactions would lead to, were it the next one."""
        label_maps = [record(self.label_map, interaction, self.protocol) for interaction in interactions]
        return self.solve_next(np.stack(label_maps))

    def solve_next(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """The alphas, float32 `(N, H, W)`, of label maps `(N, H, W)`, each of which could be the next one."""
        return solve_next(self.prepared, label_maps, self.matte if remembers(self.prepared) else None)

    def answer(self, region: Region, label: Label, alpha: Alpha | None = None) -> None:
        """Say that all of `region` is `label`. `alpha`: the matte of this answer where `preview` has told it."""
        self._say(RegionAnswer(region, Label(label)), None if alpha is None else Matte(alpha))

    def click(self, y: int, x: int, radius: int, label: Label) -> None:
        """Say that the disc of `radius` pixels around `(y, x)` is `label`."""
        self._say(Click(y, x, radius, Label(label)))

    def stroke(self, points: Sequence[tuple[int, int]], radius: int, label: Label) -> None:
        """Say that the line through `points`, `(y, x)` each, `radius` pixels to each side, is `label`."""
        self._say(Stroke(tuple(points), radius, Label(label)))

    def undo(self) -> None:
        """Take the latest interaction back. Raises `InvalidArgumentError` where there is none."""
        if self._now == 0:
            raise InvalidArgumentError("there is nothing to undo")
        self._go_to(self._now - 1)

    def redo(self) -> None:
        """Say again what was undone last. Raises `InvalidArgumentError` where nothing was."""
        if self._now + 1 == len(self._moments):
            raise InvalidArgumentError("there is nothing to redo")
        self._go_to(self._now + 1)

    def save(self, path: Path | str) -> None:
        """Write what was said, as JSON that `load` replays. Raises `FileError`."""
        content = {
            "format": FORMAT,
            "shape": list(self.shape),
            "region_size": self.region_size,
            "budget": self.budget,
            "protocol": self.protocol,
            "interactions": [interaction_to_json(interaction) for interaction in self.interactions],
            "asked": [moment.was_asked for moment in self._moments[1 : self._now + 1]],
        }
        write_json(path, content)

    @classmethod
    def load(cls, path: Path | str, image: Image, solver: Solver, agent: Agent | None = None) -> "QuerySession":
        """The session that `save` wrote, replayed on its image. Raises `FileError` where the file is another.

        The agent is asked again wherever it was asked then, so that it remembers what it did when it was saved.
        """
        content = read_json(path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise FileError(f"{path} is not a session of format {FORMAT}")
        if content.get("shape") != list(image.shape[:2]):
            raise FileError(f"{path} belongs to an image of shape {content.get('shape')}, got {image.shape[:2]}")
        try:
            settings = {name: content[name] for name in ("region_size", "budget", "protocol")}
            session = cls(image, solver, agent, **settings)
            for entry, was_asked in zip(content["interactions"], content["asked"], strict=True):
                if agent is not None and was_asked:
                    session.suggest()
                session._say(interaction_from_json(entry))
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(f"{path} is not a whole session: {error}") from error
        return session

    def _say(self, interaction: Interaction, matte: Matte | None = None) -> None:
        moment = self._moments[self._now]
        label_map = record(moment.label_map, interaction, self.protocol)
        said = _Moment((*moment.interactions, interaction), label_map, self._next_agent_state, self._was_asked, matte)
        self._moments = [*self._moments[: self._now + 1], said]
        self._go_to(self._now + 1)

    def _solve(self, number: int) -> None:
        """Make sure that a moment has its matte; the ones before it need theirs only where the solver remembers."""
        moment = self._moments[number]
        if moment.matte is not None:
            return
        before = self._moments[number - 1] if number else None
        if before is not None and before.matte and np.array_equal(before.label_map, moment.label_map):
            matte = before.matte
        else:
            matte = self.prepared.solve(moment.label_map, previous=before.matte if before else None)
        self._moments[number] = replace(moment, matte=matte)

    def _go_to(self, number: int) -> None:
        self._now = number
        self._next_agent_state = self._moments[number].agent_state
        self._was_asked = False
