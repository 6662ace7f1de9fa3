"""Compiling a solver's kernels before they are needed."""

from contextlib import suppress

import numpy as np

from active_matting.errors import ActiveMattingError
from active_matting.solvers.base import Solver
from active_matting.types import Image, Label, LabelMap

_SHAPES = ((24, 25), (60, 61))  # the larger one for what is done by levels

_warm: set[Solver] = set()


def warm_up(solver: Solver) -> None:
    """Have all that the solver compiles compiled now, or loaded where an earlier process has left it on the disk.

    Two tiny images are prepared and solved in each way that a solver is asked in: by `solve`, with a previous matte,
    by `solve_many`. Without it the first solve compiles, which takes from seconds to a minute, once on each machine;
    loading takes a fraction of a second. Nothing happens the second time in a process. The environments do this when
    they are made, so that no episode waits; `active-matting warm-up` does it for all solvers, for an image of a
    container say. Where compiled code is kept is told in `active_matting.compiled`.

    A process that has only warmed up may be forked. So a solver whose kernels start threads of their own has a method
    `warm_up()` which is called instead; and one with a `device` is left alone, as it compiles nothing and its device is
    for the process that solves.

    >>> from active_matting import make_solver
    >>> warm_up(make_solver("random-walk"))
    """
    if solver in _warm or hasattr(solver, "device"):
        return
    if hasattr(solver, "warm_up"):
        solver.warm_up()
    else:
        solve_in_each_way(solver)
    _warm.add(solver)


def solve_in_each_way(solver: Solver) -> None:
    """Prepare and solve the tiny problems."""
    for shape in _SHAPES:
        image, labels = _problem(shape)
        more = labels.copy()
        more[-6:, 8:11] = Label.BACKGROUND
        with suppress(ActiveMattingError):  # what it refuses or gives up is told where it is asked in earnest
            prepared = solver.prepare(image)
            prepared.solve(more, previous=prepared.solve(labels))
            prepared.solve_many(np.stack([labels, more]))


def _problem(shape: tuple[int, int]) -> tuple[Image, LabelMap]:
    """A soft edge with a little noise, both sides of it told, and a transition."""
    h, w = shape
    y, x = np.meshgrid(np.linspace(0, 1, h), np.linspace(0, 1, w), indexing="ij")
    edge = np.clip(4 * x - 1.5 + 0.3 * y, 0, 1)[..., None] * np.array([0.7, 0.5, 0.3])
    noise = np.random.default_rng(0).uniform(0, 0.1, (h, w, 3))
    label_map = np.zeros(shape, dtype=np.int8)
    label_map[:, :4], label_map[:, -4:], label_map[2:5, 9:12] = Label.BACKGROUND, Label.FOREGROUND, Label.TRANSITION
    return (edge + noise + 0.1).astype(np.float32), label_map
