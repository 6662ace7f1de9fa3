"""What is to be learnt from an episode, computed from the truth: what the network sees, and what it should say."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from active_matting.agents.spatial.cues import as_decided, is_known
from active_matting.agents.spatial.episodes import Episode, said_before
from active_matting.agents.spatial.grid import HALF, Grid, spread
from active_matting.agents.spatial.merit import merits
from active_matting.annotators import ExactAnnotator
from active_matting.data.images import to_bytes
from active_matting.robots.most_wrong_region import extremes_around
from active_matting.types import Label

SHARPNESS = 3.0
"""The robot's choice as chances: its merits to this power. It takes the best; others nearly as good are good too."""

LITTLE = 1e-4
"""Added to blurred squared errors before their logarithm is taken."""


class Lesson(NamedTuple):
    """T queries of one episode on a grid of h × w cells; NumPy arrays, or torch's of (T, N, …) of N episodes.

    R = 2h − 1 and C = 2w − 1 are the rows and columns of squares. image: uint8 (3, 8 `DETAIL` h, 8 `DETAIL` w), or
    (N, …) of N. mattes, before, opinions: uint8 (T, 8h, 8w), the first two as they are seen, see `cues.as_decided`.
    told: int8 (T, 2h, 2w), the answers so far, of foreground and background. asked: bool (T, R, C). kinds: int8 (R,
    C), 0 background, 1 foreground, 2 mixed. choice: float32 (T, R, C), chances that sum to 1, or 0 throughout where
    there is nothing to be imitated. error: float32 (T, R, C), logarithms. gain: float32 (T, R, C), the part of the
    RMSE that an answer removed, where known, else NaN. log_rmse, value: float32 (T,); value is the drop of the
    first from before a query to the end.
    """

    image: NDArray[np.uint8]
    mattes: NDArray[np.uint8]
    before: NDArray[np.uint8]
    opinions: NDArray[np.uint8]
    told: NDArray[np.int8]
    asked: NDArray[np.bool_]
    kinds: NDArray[np.int8]
    choice: NDArray[np.float32]
    error: NDArray[np.float32]
    gain: NDArray[np.float32]
    log_rmse: NDArray[np.float32]
    value: NDArray[np.float32]


def lesson_of(episode: Episode, opinions: NDArray[np.uint8], cells: int) -> Lesson:
    """All queries of an episode with so many cells along the side, and second opinions uint8 (T, S, S) before each."""
    truth = np.float32(1 / 255) * episode.alpha
    grid = Grid.of((truth.shape[0], truth.shape[1]), cells)
    kinds = kinds_of(episode.alpha, grid)
    budget = len(episode.squares)
    told, asked = said_before(episode, grid)
    planes = spread(told)
    asked |= is_known(planes).numpy()  # closed to the agent too
    choice, error = np.zeros((2, budget, kinds.size), dtype=np.float32)
    for query in range(budget):
        alpha = np.float32(1 / 255) * episode.mattes[query]
        label_map = np.kron(told[query], np.ones((HALF, HALF), np.int8))
        merit = merits(truth, alpha, label_map, grid)
        choice[query] = chances(merit, (kinds != 2) & ~asked[query].ravel())
        error[query] = np.log(_means((alpha - truth) ** 2, cells).ravel() + LITTLE)
    log_rmse = np.log(np.maximum(episode.rmse, 1e-3)).astype(np.float32)
    seen = as_decided(torch.from_numpy(episode.mattes[:-1]).float()[:, None] / 255, planes)
    mattes = to_bytes(seen[:, 0].numpy())
    shape = (budget, *grid.squares)
    return Lesson(
        image=episode.image,
        mattes=mattes,
        before=mattes[[0, *range(budget - 1)]],
        opinions=opinions,
        told=told,
        asked=asked,
        kinds=kinds.reshape(grid.squares),
        choice=choice.reshape(shape),
        error=error.reshape(shape),
        gain=known_gains(episode, kinds.size).reshape(shape),
        log_rmse=log_rmse[:-1],
        value=log_rmse[:-1] - log_rmse[-1],
    )


def _means(plane: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """The mean of a plane (S, S) over each square, (R, C)."""
    halves = cv2.resize(plane, (2 * cells, 2 * cells), interpolation=cv2.INTER_AREA)
    rows = halves[:-1] + halves[1:]
    return np.asarray((rows[:, :-1] + rows[:, 1:]) / 4, dtype=np.float32)


def one_sided(episode: Episode, cells: int, rng: np.random.Generator) -> Episode:
    """An episode of the same picture in which only one of the classes is ever told, the other squares being mixed.

    Its mattes need no solver, see `solvers.base.write_decided`. Whoever asks badly gets there, and must find out. Where
    the picture has too few such squares the episode is returned as it is.
    """
    truth = np.float32(1 / 255) * episode.alpha
    grid = Grid.of((truth.shape[0], truth.shape[1]), cells)
    kinds = kinds_of(episode.alpha, grid)
    told = int(rng.integers(2))
    weights = np.array([1.0, 1.0, 0.2])[kinds] * (kinds != 1 - told)
    if (weights > 0).sum() < len(episode.squares):
        return episode
    asked = rng.choice(len(kinds), len(episode.squares), replace=False, p=weights / weights.sum())
    label_of = {0: Label.BACKGROUND, 1: Label.FOREGROUND, 2: Label.TRANSITION}
    labels = [label_of[int(kinds[number])] for number in asked]
    mattes = [np.full(episode.alpha.shape, 128, dtype=np.uint8)]
    for number, label in zip(asked, labels, strict=True):
        matte = mattes[-1].copy()
        if label != Label.TRANSITION:
            matte[grid.region(int(number)).slices] = 255 * told
        mattes.append(matte)
    errors = np.sqrt([np.mean((np.float32(1 / 255) * matte - truth) ** 2) for matte in mattes])
    return episode._replace(
        squares=asked.astype(np.int16),
        labels=np.array(labels, dtype=np.int8),
        mattes=np.stack(mattes),
        rmse=errors.astype(np.float32),
        tried=np.empty((0, 2), dtype=np.int16),
        tried_rmse=np.empty(0, dtype=np.float32),
    )


def kinds_of(alpha: NDArray[np.uint8], grid: Grid) -> NDArray[np.int8]:
    """What each square of a true alpha, uint8 (H, W), is: int8 (squares,), 0 background, 1 foreground, 2 mixed.

    It is what the exact annotator would say.
    """
    extremes = extremes_around(np.float32(1 / 255) * alpha, grid.side)
    lowest, highest = (plane[np.ix_(*grid.centres())].ravel() for plane in extremes)
    kinds = np.full(len(lowest), 2, dtype=np.int8)
    kinds[highest <= ExactAnnotator.background] = 0
    kinds[lowest >= ExactAnnotator.foreground] = 1
    return kinds


def chances(merit: NDArray[np.float64], is_askable: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The robot's choice as chances, float32 (squares,), from its merits (squares,); 0 where nothing is wrong.

    >>> chances(np.array([0.0, 1.0, 1.0, 5.0]), np.array([True, True, True, False]))
    array([0. , 0.5, 0.5, 0. ], dtype=float32)
    """
    weights = np.where(is_askable, np.maximum(merit, 0), 0)
    highest = weights.max()
    if not highest > 0:
        return np.zeros(len(weights), dtype=np.float32)
    weights = (weights / highest) ** SHARPNESS
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def known_gains(episode: Episode, squares: int) -> NDArray[np.float32]:
    """The part of the RMSE that an answer removed, float32 (T, squares): of those asked about, and of those tried.

    At least -1; NaN where it is not known.
    """
    gains = np.full((len(episode.squares), squares), np.nan, dtype=np.float32)
    queries = np.arange(len(episode.squares))
    now = np.maximum(episode.rmse, 1e-3)
    gains[queries, episode.squares] = 1 - episode.rmse[1:] / now[:-1]
    query, square = episode.tried.T
    gains[query, square] = 1 - episode.tried_rmse / now[query]
    return np.maximum(gains, -1)
