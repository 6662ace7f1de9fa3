"""Ask where the matte is least sure of itself, or where solvers disagree."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.baselines.cells import CellAgent, Scores, View
from active_matting.agents.baselines.coverage import distance_to_known, features_of
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import PreparedSolver, make_solver
from active_matting.types import Image

SOLVERS = ("shared", "closed-form", "random-walk")
"""Three that go about it differently, sampling, local smoothness and diffusion, and take 25 to 90 ms at 400×400."""


def highest_uncertainty_agent(env: Any = None, seed: int = 0, side: int | None = None) -> CellAgent:
    """Asks about the cell whose mean distance of alpha from 0 and 1, 1 − |2 α − 1|, is highest.

    Where cells are as uncertain, as all are until both classes are told, the one farthest in colour and place from
    what is known, as `coverage_agent` has it. It draws nothing at random. side: see `CellAgent`.
    """

    def score(view: View) -> Sequence[Scores]:
        return [view.cells.means(uncertainty(view.alpha)), distance_to_known(features_of(view, 1.0), view.is_known)]

    return CellAgent(score, env, side)


def solver_disagreement_agent(
    env: Any = None, seed: int = 0, solvers: str | Sequence[str] = SOLVERS, side: int | None = None
) -> CellAgent:
    """Asks about the cell in which the standard deviation of alpha among `solvers` is highest in the mean.

    solvers: names, or one text with "+" between them; at least two. They see the labels and the image of 8 bits that
    the observation has; what the environment's own solver makes of them does not matter. Where the solvers agree as
    much, as all do until both classes are told, the cell farthest in colour and place from what is known. It draws
    nothing at random. side: see `CellAgent`. Raises `UnknownNameError` and `InvalidArgumentError`.
    """
    names = tuple(solvers.split("+") if isinstance(solvers, str) else solvers)
    if len(names) < 2:
        raise InvalidArgumentError(f"solvers must be at least two names, got {names}")
    for name in names:
        make_solver(name)

    @lru_cache(maxsize=8)
    def prepared(shape: tuple[int, int, int], image: bytes) -> list[PreparedSolver]:
        pixels: Image = np.frombuffer(image, dtype=np.float32).reshape(shape)
        return [make_solver(name).prepare(pixels) for name in names]

    def score(view: View) -> Sequence[Scores]:
        h, w, c = view.image.shape
        parts = prepared((h, w, c), view.image.tobytes())
        alphas = np.stack([part.solve(view.label_map).alpha for part in parts])
        spread = view.cells.means(alphas.std(axis=0))
        return [spread, distance_to_known(features_of(view, 1.0), view.is_known)]

    return CellAgent(score, env, side)


def uncertainty(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 − |2 α − 1|: 1 where alpha is 0.5, 0 where it is 0 or 1; of any shape."""
    return np.asarray(1 - np.abs(2 * alpha - 1), dtype=np.float32)
