"""Whole episodes played by the network itself, on several pictures side by side whose mattes are solved in one call."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_matting.agents.spatial.cues import as_decided, is_known
from active_matting.agents.spatial.episodes import Episode, kept_small
from active_matting.agents.spatial.grid import PICTURE_CELL, Grid, spread
from active_matting.agents.spatial.network import Sight, SpatialPolicy
from active_matting.agents.spatial.opinion import second_opinion
from active_matting.annotators import ExactAnnotator
from active_matting.data.images import to_bytes
from active_matting.labels import RegionAnswer
from active_matting.metrics import rmse
from active_matting.session import QuerySession
from active_matting.solvers import Solver
from active_matting.solvers.together import solve_together
from active_matting.training.lessons import Lesson
from active_matting.types import Alpha, Label


class Played(NamedTuple):
    """An episode of T queries on a picture of S × S pixels, and the second opinions on its mattes but the last."""

    episode: Episode
    opinions: NDArray[np.uint8]  # (T, S, S)


@torch.no_grad()
def play_together(
    policy: SpatialPolicy,
    lessons: Sequence[Lesson],
    solver: Solver,
    cells: int,
    budget: int,
    generator: np.random.Generator | None = None,
) -> list[Played]:
    """One episode on each lesson's picture, of `PICTURE_CELL * cells` pixels.

    Its squares are drawn by the heat map's chances. generator: of these draws; None takes the likeliest. Raises what
    the solver raises.
    """
    size = PICTURE_CELL * cells
    grid = Grid.of((size, size), cells)
    sessions = [QuerySession(each.image, solver, region_size=grid.side, budget=budget) for each in lessons]
    like = next(policy.parameters())
    images = np.stack([to_bytes(lesson.image).transpose(2, 0, 1) for lesson in lessons])
    pictures = torch.from_numpy(images).to(like) / 255
    features = policy.encode_image(pictures)
    told = np.zeros((len(lessons), 2 * cells, 2 * cells), dtype=np.int8)
    asked = np.zeros((len(lessons), *grid.squares), dtype=bool)
    mattes, before, memory = [_mattes(sessions)], None, None
    chosen, labels, opinions = [], [], []
    for _ in range(budget):
        shown = np.stack([grid.shrink(to_bytes(matte)) for matte in mattes[-1]])
        sight = _sight(pictures, shown, before, told, asked)
        before = sight.matte
        opinions.append(to_bytes(sight.opinion[:, 0].float().cpu().numpy()))
        decision, memory = policy.step(features, sight, memory)
        numbers = _choose(decision.log_probability.flatten(1), generator)
        answers = [
            RegionAnswer(grid.region(number), ExactAnnotator(lesson.alpha).answer(grid.region(number)))
            for number, lesson in zip(numbers, lessons, strict=True)
        ]
        _answer_together(sessions, answers)
        for row, (number, said) in enumerate(zip(numbers, answers, strict=True)):
            asked[row].reshape(-1)[number] = True
            if said.label != Label.TRANSITION:
                told[row, *grid.halves(number)] = said.label
        chosen.append(numbers)
        labels.append([said.label for said in answers])
        mattes.append(_mattes(sessions))
    of_each = (np.transpose(chosen), np.transpose(labels), np.stack(mattes, axis=1), np.stack(opinions, axis=1))
    return [
        Played(kept_small(_episode(lesson, *found), grid), seen)
        for lesson, *found, seen in zip(lessons, *of_each, strict=True)
    ]


def _mattes(sessions: Sequence[QuerySession]) -> np.ndarray:
    return np.stack([session.alpha for session in sessions])


def _sight(pictures: Tensor, mattes: np.ndarray, before: Tensor | None, told: np.ndarray, asked: np.ndarray) -> Sight:
    """What there is to see now: pictures (N, 3, …), mattes uint8 (N, S, S), told (N, 2h, 2w), asked (N, R, C).

    before: the mattes that were seen last. Squares that others tell all but a rest of are as good as asked.
    """
    planes = spread(told).to(pictures)
    now = as_decided(torch.from_numpy(mattes).to(pictures)[:, None] / 255, planes)
    opinion = second_opinion(pictures, planes, now)
    closed = torch.from_numpy(asked).to(planes.device) | is_known(planes)
    return Sight(now, now if before is None else before, opinion, planes, closed[:, None].to(pictures))


def _choose(log_probability: Tensor, generator: np.random.Generator | None) -> list[int]:
    if generator is None:
        return [int(number) for number in log_probability.argmax(1)]
    chances = log_probability.exp().double().cpu().numpy()
    return [int(generator.choice(len(row), p=row / row.sum())) for row in chances]


def _answer_together(sessions: Sequence[QuerySession], answers: Sequence[RegionAnswer]) -> None:
    """Say each session's answer, and solve for those that it tells something."""
    telling = [(s, said) for s, said in zip(sessions, answers, strict=True) if said.label != Label.TRANSITION]
    for session, said in zip(sessions, answers, strict=True):
        if said.label == Label.TRANSITION:
            session.answer(said.region, said.label, alpha=session.alpha)
    if not telling:
        return
    label_maps = []
    for session, said in telling:
        label_map = session.label_map.copy()
        label_map[said.region.slices] = said.label
        label_maps.append(label_map[None])
    solved = solve_together([s.prepared for s, _ in telling], label_maps, [s.matte for s, _ in telling])
    for (session, said), alphas in zip(telling, solved, strict=True):
        if isinstance(alphas, Exception):
            raise alphas
        session.answer(said.region, said.label, alpha=cast(Alpha, alphas[0]))


def _episode(lesson: Lesson, numbers: np.ndarray, labels: np.ndarray, alphas: np.ndarray) -> Episode:
    return Episode(
        image=np.ascontiguousarray(to_bytes(lesson.image).transpose(2, 0, 1)),
        alpha=to_bytes(lesson.alpha),
        squares=numbers.astype(np.int16),
        labels=labels.astype(np.int8),
        mattes=to_bytes(alphas),
        rmse=np.array([rmse(alpha, lesson.alpha) for alpha in alphas], dtype=np.float32),
        tried=np.empty((0, 2), dtype=np.int16),
        tried_rmse=np.empty(0, dtype=np.float32),
    )
