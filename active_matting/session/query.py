"""The session: what is asked, said, taken back, and matted."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from active_matting.errors import FileError, InvalidArgumentError
from active_matting.files import set_aside
from active_matting.labels import (
    Click,
    Interaction,
    RegionAnswer,
    Skip,
    Stroke,
    check_protocol,
    record,
)
from active_matting.observations import Observation, image_planes, observe
from active_matting.regions import Region, action_to_region, check_side, region_to_action
from active_matting.session.agent import Agent, GainAgent, HeatmapAgent
from active_matting.session.document import Entry, ImageReference, SessionDocument, json_able
from active_matting.session.history import History, Moment, Timing
from active_matting.solvers import Matte, Solver, describe
from active_matting.solvers.together import remembers, solve_next
from active_matting.types import Alpha, Image, Label, LabelMap, check_image, check_label


class QuerySession:
    """Ask, be answered, and see the matte improve; a person and the environment both drive this class.

    image: float32 `(H, W, 3)` in [0, 1]. solver: see `make_solver`. agent: see `Agent`; only `suggest` needs it.
    region_size: side of the regions, pixels. budget: how many answers are planned (agents are told what is left;
    more may be given). protocol: "paper" (a transition answer changes nothing) or "extended" (it is recorded).
    image_path: the file that the image, or the photograph it was shrunk from, was read from; a saved session refers to
    it. autosave: a file to which the session is saved after every change, see `save`; what else lies there is renamed,
    with a `~` behind its name. Where that fails, the call that made the change raises `FileError`, yet the change
    holds, and the next one tries again. Raises `InvalidArrayError` and `InvalidArgumentError`.

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
        image_path: Path | str | None = None,
        autosave: Path | str | None = None,
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
        self.clock: Callable[[], float] = time.perf_counter
        """What `timings` are read from, seconds; nothing else depends on it."""
        self.image_path, self.autosave = image_path, autosave
        self._owns_autosave = False  # whether what lies there is this session's
        self._history = History(Moment(np.zeros(self.shape, dtype=np.int8)))
        self._asked: _Asked | None = None

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """All that was said, in order, skips too."""
        return tuple(self._history.interactions())

    @property
    def answers(self) -> tuple[RegionAnswer, ...]:
        """The answers to regions alone, in order, without free clicks and strokes, and without skips."""
        return tuple(said for said in self.interactions if isinstance(said, RegionAnswer))

    @property
    def spent(self) -> int:
        """How much of the budget was spent: all interactions but skips."""
        return sum(not isinstance(said, Skip) for said in self.interactions)

    @property
    def timings(self) -> tuple[Timing, ...]:
        """How long each of `interactions` took; no matte and no observation depends on it."""
        return tuple(moment.timing for moment in self._history.said)

    @property
    def can_undo(self) -> bool:
        """Whether anything was said that can be taken back."""
        return bool(self._history.said)

    @property
    def can_redo(self) -> bool:
        """Whether anything was taken back that can be said again."""
        return bool(self._history.undone)

    @property
    def has_heatmap(self) -> bool:
        """Whether the agent has a heat map; see `heatmap`."""
        return isinstance(self.agent, HeatmapAgent)

    @property
    def label_map(self) -> LabelMap:
        """int8 `(H, W)`; not to be written to."""
        return self._history.now.label_map

    @property
    def matte(self) -> Matte:
        """The solver's answer to all that was said; not to be written to."""
        return self._history.matte(self.prepared, self.clock)

    @property
    def alpha(self) -> Alpha:
        """The matte's alpha, float32 `(H, W)` in [0, 1]."""
        return self.matte.alpha

    def cutout(self) -> NDArray[np.float32]:
        """The object in its own colours: RGBA, float32 `(H, W, 4)` in [0, 1]; see `active_matting.colours.cut_out`."""
        from active_matting.colours import cut_out  # loads pymatting

        return cut_out(self.image, self.matte)

    def at_full_size(self, photograph: Image, solver: str = "shared") -> Matte:
        """The matte of the photograph, float32 `(H', W', 3)`, of which `image` is the shrunk version.

        See `active_matting.full_size.matte_at_full_size`; of a photograph of the image's shape it is `matte`.
        """
        if photograph.shape[:2] == self.shape:
            return self.matte
        from active_matting.full_size import matte_at_full_size  # who never asks need not load it

        return matte_at_full_size(photograph, self.alpha, self.label_map, solver)

    def observation(self) -> Observation:
        """What an agent sees now; see `active_matting.observations.observe`."""
        asked = [said.region for said in self.interactions if isinstance(said, RegionAnswer | Skip)]
        location = region_to_action(asked[-1], self.shape) if asked else np.zeros(2, dtype=np.float32)
        remaining = max(0.0, 1 - self.spent / self.budget)
        return observe(self._planes, self.label_map, self.alpha, location, remaining)

    def suggest(self, deterministic: bool = True) -> Region:
        """The region the agent would have labelled next. Raises `InvalidArgumentError` without an agent.

        Asking twice gives the same region from a deterministic agent: its memory moves on with the answer.
        """
        if self.agent is None:
            raise InvalidArgumentError("suggest() needs an agent, got none; pass one as QuerySession(..., agent=...)")
        action, state = self.agent.predict(**self._seen(), deterministic=deterministic)
        region = self.region_of(action)
        self._asked = _Asked(region, state, self._asked.since if self._asked else self.clock())
        return region

    def heatmap(self) -> NDArray[np.float32]:
        """How likely each pixel is to be worth asking about next, float32 `(H, W)`, summing to 1.

        Raises `InvalidArgumentError` where the agent has no heat map; see `has_heatmap`.
        """
        if not isinstance(self.agent, HeatmapAgent):
            name = "no agent" if self.agent is None else type(self.agent).__name__
            raise InvalidArgumentError(f"heatmap() needs an agent that has a heat map, such as 'spatial', got {name}")
        return self.agent.heatmap(**self._seen())

    def expected_gain(self) -> float | None:
        """The drop in RMSE, in [0, 1], to be expected of the next answer; None where the agent does not tell."""
        return float(self.agent.expected_gain(**self._seen())) if isinstance(self.agent, GainAgent) else None

    def should_stop(self, threshold: float = 0.001) -> bool:
        """Whether the agent expects no answer to lower the RMSE by `threshold`; False where it does not tell."""
        return isinstance(self.agent, GainAgent) and bool(self.agent.should_stop(**self._seen(), threshold=threshold))

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
        self._say(RegionAnswer(region, check_label(label)), None if alpha is None else Matte(alpha))

    def skip(self, region: Region | None = None) -> None:
        """Pass over a region without an answer, by default the one just suggested; costs nothing of the budget.

        Agents see it as asked about. Raises `InvalidArgumentError` where there is no suggestion to pass over.
        """
        if region is None:
            if self._asked is None:
                raise InvalidArgumentError("skip() passes over a suggestion, got none; call suggest() or give a region")
            region = self._asked.region
        self._say(Skip(region))

    def click(self, y: int, x: int, radius: int, label: Label) -> None:
        """Say that the disc of `radius` pixels around `(y, x)` is `label`."""
        self._say(Click(y, x, radius, check_label(label)))

    def stroke(self, points: Sequence[tuple[int, int]], radius: int, label: Label) -> None:
        """Say that the line through `points`, `(y, x)` each, `radius` pixels to each side, is `label`."""
        self._say(Stroke(tuple(points), radius, check_label(label)))

    def undo(self) -> None:
        """Take the latest interaction back. Raises `InvalidArgumentError` where there is none."""
        self._history.undo()
        self._change()

    def redo(self) -> None:
        """Say again what was undone last. Raises `InvalidArgumentError` where nothing was."""
        self._history.redo()
        self._change()

    def save(self, path: Path | str) -> None:
        """Write all of the session but the pixels, as JSON that `load` replays; undone interactions too.

        See `active_matting.session.document`. Raises `FileError`.
        """
        settings = {"region_size": self.region_size, "budget": self.budget, "protocol": self.protocol}
        said, undone = (
            [Entry(moment.interaction, moment.was_asked, moment.timing) for moment in moments if moment.interaction]
            for moments in (self._history.said, self._history.undone)
        )
        agent = json_able(getattr(self.agent, "made_as", None))
        SessionDocument(self._reference, settings, said, undone, describe(self.solver), agent).write(path)

    @classmethod
    def load(
        cls,
        path: Path | str,
        image: Image,
        solver: Solver,
        agent: Agent | None = None,
        *,
        autosave: Path | str | None = None,
    ) -> "QuerySession":
        """The session that `save` wrote, replayed on its image. Raises `FileError` where the file is another's.

        The agent is asked again wherever it was asked then, so that it remembers what it did when it was saved.
        `active_matting.agents.sessions.open_session` finds image, solver and agent by itself.
        """
        document = SessionDocument.read(path)
        document.image.check(image, path)
        try:
            session = cls(image, solver, agent, **document.settings, image_path=document.image.path)
            for entry in (*document.said, *document.undone):
                if agent is not None and entry.was_asked:
                    session.suggest()
                session._add(entry)
        except (InvalidArgumentError, TypeError) as error:
            raise FileError(f"{path} is not a whole session: {error}") from error
        for _ in document.undone:
            session.undo()
        session.autosave = autosave
        session._owns_autosave = autosave is not None and Path(autosave).absolute() == Path(path).absolute()
        return session

    @cached_property
    def _reference(self) -> ImageReference:
        return ImageReference.of(self.image, self.image_path)

    def _seen(self) -> dict[str, Any]:
        """What the agent is asked with; its memory is that of the moment, whatever it was asked since."""
        state = self._history.now.agent_state
        return {"observation": self.observation(), "state": state, "episode_start": np.array([state is None])}

    def _say(self, interaction: Interaction, matte: Matte | None = None) -> None:
        person = None
        if self._asked is not None and isinstance(interaction, RegionAnswer | Skip):
            person = self.clock() - self._asked.since
        self._add(Entry(interaction, self._asked is not None, Timing(person)), matte)
        self._change()

    def _add(self, entry: Entry, matte: Matte | None = None) -> None:
        now, asked = self._history.now, self._asked
        label_map = record(now.label_map, entry.interaction, self.protocol)
        state = asked.agent_state if asked is not None else now.agent_state
        self._history.add(Moment(label_map, entry.interaction, state, entry.was_asked, matte, entry.timing))
        self._asked = None

    def _change(self) -> None:
        self._asked = None  # it was asked about another moment
        if self.autosave is not None:
            if not self._owns_autosave:
                set_aside(self.autosave)
                self._owns_autosave = True
            self.save(self.autosave)


@dataclass(frozen=True)
class _Asked:
    """A suggestion that waits for what is said about it."""

    region: Region
    agent_state: Any
    since: float  # by the clock
