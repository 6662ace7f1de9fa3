"""Episodes to learn from, made by mixed behaviour with users and solvers that are simulated, and kept on the disk.

What is kept is what happened: the picture, the squares that were asked about, the mattes. What is to be learnt from it
is computed when it is learnt, see `active_matting.agents.spatial.targets`. Episodes stay what they are where a solver's
code changes: they are examples of mattes, and making them takes hours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from active_matting.agents import make_agent
from active_matting.agents.spatial.grid import PICTURE_CELL, Grid
from active_matting.agents.spatial.merit import merits
from active_matting.annotators import ExactAnnotator
from active_matting.cache import Arrays, Cache, hash_of_file, make_key
from active_matting.data.images import to_bytes
from active_matting.errors import InvalidArgumentError
from active_matting.kept import files_named_in
from active_matting.labels import RegionAnswer
from active_matting.metrics import rmse
from active_matting.session import Agent, QuerySession
from active_matting.solvers.named import NamedSolver
from active_matting.training.lessons import Lesson, Sources, has_both
from active_matting.types import Label

KIND = "spatial-episode"
FORMAT = 3
LIMIT = 64 * 1024**3

_TRIES = 20


class Episode(NamedTuple):
    """T queries about one picture, all but itself kept at S × S pixels, `CELL` of them to a cell's side.

    It was played at the picture's own size. Tried squares are those whose answer was tried out, K of them, before some
    of the queries: what it would have led to.
    """

    image: NDArray[np.uint8]  # (3, DETAIL * S, DETAIL * S)
    alpha: NDArray[np.uint8]  # (S, S), the truth
    squares: NDArray[np.int16]  # (T,), the numbers of those asked about, see `Grid`
    labels: NDArray[np.int8]  # (T,), the answers
    mattes: NDArray[np.uint8]  # (T + 1, S, S), before the first query and after each
    rmse: NDArray[np.float32]  # (T + 1,), of these
    tried: NDArray[np.int16]  # (K, 2): before which query, from 0 on, and which square
    tried_rmse: NDArray[np.float32]  # (K,)


@dataclass(frozen=True)
class Episodes:
    """Episodes by number: each depends on the arguments, its number, and the code that made it.

    root: the folder that `sources`, keywords of `Sources`, are relative to. solvers: how often each is taken, by
    "NAME" or "NAME {JSON}", see `NamedSolver.read`. cells: along the side; budget: queries. behaviours: how often
    each way to ask is taken, for a whole episode: "seek" asks where the error is large, "mixed" does so half of the
    time and anywhere otherwise, "random" anywhere, "agent" as `agent`, a name or a folder for `make_agent`, does,
    so that it may learn what to do where it gets itself to. tries: so many squares are tried out before `tried` of
    the queries. cache: where they are kept; None for the user's folder. Raises `InvalidArgumentError`, and what
    making a solver raises.
    """

    root: Path
    sources: Mapping[str, Any]
    solvers: Mapping[str, float] = field(default_factory=lambda: {"segment-then-matte": 1.0})
    behaviours: Mapping[str, float] = field(default_factory=lambda: {"seek": 0.5, "mixed": 0.35, "random": 0.15})
    agent: str | None = None
    cells: int = 20
    budget: int = 20
    tries: int = 8
    tried: int = 0
    seed: int = 0
    held_out: bool = False
    cache: Path | None = None

    def __post_init__(self) -> None:
        for name, known in (("behaviours", _NOISE), ("solvers", None)):
            shares = getattr(self, name)
            if not shares or min(shares.values()) < 0 or not sum(shares.values()) > 0:
                raise InvalidArgumentError(f"{name} must be numbers from 0, not all 0, got {dict(shares)}")
            if known is not None and set(shares) - set(known):
                raise InvalidArgumentError(f"{name} must be some of {list(known)}, got {list(shares)}")
        for solver in self.solvers:
            NamedSolver.read(solver).make()
        if self.behaviours.get("agent") and self.agent is None:
            raise InvalidArgumentError(f'behaviours with "agent" need an agent, got {self.agent}')
        if not 1 <= self.budget <= self.cells**2:
            raise InvalidArgumentError(f"budget must be from 1 to {self.cells**2}, got {self.budget}")

    def __getitem__(self, number: int) -> Episode:
        """The episode of this number, from the disk or made now. Raises `FileError`."""
        return Episode(**self._kept.arrays(KIND, self._key(number), lambda: self.make(number)._asdict()))

    def beside(self, number: int, kind: str, make: Callable[[], Arrays], **made_of: Any) -> Arrays:
        """Arrays kept beside the episode of this number, from the disk or made now; made_of: their further key."""
        return self._kept.arrays(kind, make_key(episode=self._key(number), **made_of), make)

    def is_kept(self, number: int) -> bool:
        """Whether it lies on the disk."""
        return self._kept.has(KIND, self._key(number))

    @cached_property
    def pictures(self) -> Sources:
        """Where the pictures come from."""
        return Sources(self.root, **self.sources, held_out=self.held_out)

    def make(self, number: int) -> Episode:
        """Play it."""
        rng = np.random.default_rng([self.seed, int(self.held_out), number])
        lesson = self._lesson(rng)
        solver = _drawn(rng, self.solvers)
        behaviour = _drawn(rng, self.behaviours)
        agent = None
        if behaviour == "agent":
            assert self.agent is not None
            agent = make_agent(self.agent)
        return play(lesson, solver, _NOISE[behaviour], rng, self.cells, self.budget, self.tries, self.tried, agent)

    def _lesson(self, rng: np.random.Generator) -> Lesson:
        for _ in range(_TRIES):
            lesson = self.pictures.draw(rng, PICTURE_CELL * self.cells)
            if has_both(lesson.alpha):
                break
        return lesson

    @cached_property
    def _kept(self) -> Cache:
        return Cache(self.cache, LIMIT)

    def _key(self, number: int) -> str:
        return make_key(number=number, **self._made_of)

    @cached_property
    def _made_of(self) -> dict[str, Any]:
        files = {purpose: [hash_of_file(path) for path in paths] for purpose, paths in self.pictures.files().items()}
        return {
            "format": FORMAT,
            "files": make_key(**files),
            **({} if self.agent is None else {"agent": [hash_of_file(path) for path in files_named_in(self.agent)]}),
            **{
                name: getattr(self, name)
                for name in (
                    "sources",
                    "solvers",
                    "behaviours",
                    "cells",
                    "budget",
                    "tries",
                    "tried",
                    "seed",
                    "held_out",
                )
            },
        }


def said_before(episode: Episode, grid: Grid) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Before each query: what was told of half cells, int8 (T, 2h, 2w), and which squares were asked, (T, R, C)."""
    queries, (rows, columns) = len(episode.squares), grid.squares
    told = np.zeros((queries, rows + 1, columns + 1), dtype=np.int8)
    asked = np.zeros((queries, rows, columns), dtype=bool)
    for query, (number, label) in enumerate(zip(episode.squares[:-1], episode.labels[:-1], strict=True), start=1):
        if label != Label.TRANSITION:
            told[query:, *grid.halves(int(number))] = label
        asked[query:].reshape(queries - query, -1)[:, number] = True
    return told, asked


_NOISE = {"agent": 0.05, "seek": 0.1, "mixed": 0.5, "random": 1.0}
"""How often each behaviour asks just anywhere."""


def play(
    lesson: Lesson,
    solver: str,
    noise: float,
    rng: np.random.Generator,
    cells: int,
    budget: int,
    tries: int = 0,
    tried: int = 0,
    agent: Agent | None = None,
) -> Episode:
    """One episode on a lesson's picture, of `PICTURE_CELL * cells` pixels; see `Episodes`. No square is asked twice.

    noise: how often just any square is asked about, and not the one that `agent` asks about, or without one where the
    error is large.
    """
    truth = lesson.alpha
    grid = Grid.of((truth.shape[0], truth.shape[1]), cells)
    regions = grid.regions()
    answers = [RegionAnswer(region, ExactAnnotator(truth).answer(region)) for region in regions]
    is_open = np.ones(len(regions), dtype=bool)
    is_pure = np.array([answer.label != Label.TRANSITION for answer in answers])
    session = QuerySession(lesson.image, NamedSolver.read(solver).make(), agent, region_size=grid.side, budget=budget)
    when_tried = set(rng.choice(np.arange(2, budget), min(tried, max(0, budget - 2)), replace=False).tolist())
    asked: list[int] = []
    attempts: list[tuple[int, int]] = []
    mattes, errors, attempted = [session.alpha], [rmse(session.alpha, truth)], []
    for query in range(budget):
        merit = merits(truth, session.alpha, session.label_map, grid)
        if query in when_tried:
            some = _worth_trying(rng, merit, is_open & is_pure, tries)
            attempts += [(query, number) for number in some]
            attempted += [rmse(alpha, truth) for alpha in session.preview([answers[number] for number in some])]
        if agent is not None:
            region = session.suggest()
            merit = (np.arange(len(regions)) == grid.number_at(region.y, region.x)).astype(np.float64)
        chosen = _choose(rng, merit, is_open, is_pure | (agent is not None), noise)
        is_open[chosen] = False
        asked.append(chosen)
        session.answer(answers[chosen].region, answers[chosen].label)
        mattes.append(session.alpha)
        errors.append(rmse(session.alpha, truth))
    return kept_small(
        Episode(
            image=np.ascontiguousarray(to_bytes(lesson.image).transpose(2, 0, 1)),
            alpha=to_bytes(truth),
            squares=np.array(asked, dtype=np.int16),
            labels=np.array([answers[number].label for number in asked], dtype=np.int8),
            mattes=np.stack([to_bytes(matte) for matte in mattes]),
            rmse=np.array(errors, dtype=np.float32),
            tried=np.array(attempts, dtype=np.int16).reshape(-1, 2),
            tried_rmse=np.array(attempted, dtype=np.float32),
        ),
        grid,
    )


def kept_small(episode: Episode, grid: Grid) -> Episode:
    """An episode as it was played on a grid, all at the picture's size: alpha and mattes smaller, as they are seen."""
    mattes = np.stack([grid.shrink(matte) for matte in episode.mattes])
    return episode._replace(alpha=grid.shrink(episode.alpha), mattes=mattes)


def _choose(
    rng: np.random.Generator,
    merit: NDArray[np.float64],
    is_open: NDArray[np.bool_],
    is_pure: NDArray[np.bool_],
    noise: float,
) -> int:
    weights = np.where(is_open & is_pure, np.maximum(merit, 0) ** 4, 0)
    if rng.random() < noise or not weights.sum() > 0:
        return int(rng.choice(np.flatnonzero(is_open)))
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def _worth_trying(
    rng: np.random.Generator, merit: NDArray[np.float64], is_askable: NDArray[np.bool_], count: int
) -> list[int]:
    """Half of them drawn by their merits, the others anywhere."""
    weights = np.where(is_askable, np.maximum(merit, 0), 0)
    good = min(count // 2, int((weights > 0).sum()))
    drawn = rng.choice(len(weights), good, replace=False, p=weights / weights.sum()) if good else np.empty(0, int)
    others = rng.permutation(np.setdiff1d(np.flatnonzero(is_askable), drawn))
    return [*drawn.tolist(), *others[: count - good].tolist()]


def _drawn(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    total = sum(shares.values())
    return str(rng.choice(list(shares), p=[share / total for share in shares.values()]))
