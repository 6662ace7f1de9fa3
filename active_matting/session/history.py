"""What was said, one moment after another, and the mattes that come of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from active_matting.errors import InvalidArgumentError
from active_matting.labels import Interaction
from active_matting.solvers.base import Matte, PreparedSolver
from active_matting.solvers.together import remembers
from active_matting.types import LabelMap


@dataclass(frozen=True)
class Timing:
    """How long one interaction took, seconds."""

    person: float | None = None
    """From the suggestion to what was said about it; None where nothing was suggested, and of free clicks, strokes."""
    solve: float | None = None
    """The solver's time; None where it did not have to solve, or has not yet."""


@dataclass(frozen=True, eq=False)
class Moment:
    """All that one more interaction changes; undo goes back to an earlier one."""

    label_map: LabelMap
    interaction: Interaction | None = None  # the latest; None at the start
    agent_state: Any = None  # what the agent remembered when it was asked for the interaction
    was_asked: bool = False  # whether the agent was asked before the interaction
    matte: Matte | None = None  # solved when it is first looked at
    timing: Timing = Timing()


class History:
    """Moments from the start to the last that was said, of which undo and redo choose one."""

    def __init__(self, start: Moment) -> None:
        self._moments = [start]
        self._now = 0

    @property
    def now(self) -> Moment:
        """The chosen one."""
        return self._moments[self._now]

    @property
    def said(self) -> list[Moment]:
        """Those after the start, up to the chosen one."""
        return self._moments[1 : self._now + 1]

    @property
    def undone(self) -> list[Moment]:
        """Those that `redo` would bring back, in the order in which they were said."""
        return self._moments[self._now + 1 :]

    def interactions(self) -> Iterator[Interaction]:
        """What was said, in order."""
        return (moment.interaction for moment in self.said if moment.interaction is not None)

    def add(self, moment: Moment) -> None:
        """Go on from the chosen one; what was undone is forgotten."""
        self._moments = [*self._moments[: self._now + 1], moment]
        self._now += 1

    def undo(self) -> None:
        """Raises `InvalidArgumentError` at the start."""
        if self._now == 0:
            raise InvalidArgumentError("there is nothing to undo")
        self._now -= 1

    def redo(self) -> None:
        """Raises `InvalidArgumentError` where nothing was undone."""
        if not self.undone:
            raise InvalidArgumentError("there is nothing to redo")
        self._now += 1

    def matte(self, prepared: PreparedSolver, clock: Callable[[], float]) -> Matte:
        """That of the chosen moment, solved where it was not yet; `clock` tells seconds.

        While one thread solves, another may go on: the result is that of the moment which was chosen at the call.
        """
        moments = self._moments[: self._now + 1]
        # A solver that remembers needs every matte before this one, looked at or not.
        for number in range(len(moments)) if remembers(prepared) else [len(moments) - 1]:
            moment = moments[number]
            if moment.matte is None:
                moments[number] = _solved(moment, moments[number - 1] if number else None, prepared, clock)
                if self._moments[number : number + 1] == [moment]:  # else it was taken back meanwhile
                    self._moments[number] = moments[number]
        matte = moments[-1].matte
        assert matte is not None
        return matte


def _solved(moment: Moment, before: Moment | None, prepared: PreparedSolver, clock: Callable[[], float]) -> Moment:
    """The moment with its matte; `before`, the one before it, need not have its own."""
    if before is not None and before.matte and np.array_equal(before.label_map, moment.label_map):
        return replace(moment, matte=before.matte)
    started = clock()
    matte = prepared.solve(moment.label_map, previous=before.matte if before else None)
    timing = moment.timing
    if timing.solve is None:  # else it was read from a file, of when it was first solved
        timing = replace(timing, solve=clock() - started)
    return replace(moment, matte=matte, timing=timing)
