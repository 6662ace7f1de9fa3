"""The search for the ideal next region: exhaustive, and lazy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from active_matting.agents import make_agent
from active_matting.agents.baselines.greedy import GreedyIdealAgent, IdealSearch, lazy_greedy_ideal_agent
from active_matting.agents.baselines.search import REFRESHED_EVERY, TOGETHER, exhaustive, lazy, unknown_drops
from active_matting.agents.baselines.truth import Truth
from active_matting.annotators import ExactAnnotator
from active_matting.envs.regions import RegionsEnv, RegionsVectorEnv
from active_matting.envs.settings import Settings
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer
from active_matting.metrics import mse
from active_matting.regions import Region, region_grid
from active_matting.session import QuerySession
from active_matting.solvers import Matte
from active_matting.types import Label

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 3, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 6,
    "solver": "random-walk",
}


@dataclass(frozen=True)
class ByItself:
    """A solver under which each label tells of itself alone, so that no drop ever changes; it counts its solves."""

    solved: list[int]

    def prepare(self, image: Any) -> Any:
        return self

    def solve(self, label_map: Any, previous: Any = None) -> Matte:
        alpha = np.full(label_map.shape, 0.5, dtype=np.float32)
        alpha[label_map == Label.FOREGROUND], alpha[label_map == Label.BACKGROUND] = 1, 0
        return Matte(alpha)

    def solve_many(self, label_maps: Any) -> Any:
        self.solved.append(len(label_maps))
        return np.stack([self.solve(label_map).alpha for label_map in label_maps])


def truth_of(alpha: Any, solver: Any, side: int = 2) -> Truth:
    image = np.zeros((*alpha.shape, 3), dtype=np.float32)
    return Truth(QuerySession(image, solver, region_size=side), alpha, solver, Settings(solver="shared"))


def own_drops(alpha: Any, side: int = 2) -> dict[Region, float]:
    """What a cell's answer takes off the sum of squared errors under `ByItself`, of pure cells."""
    annotator = ExactAnnotator(alpha)
    labels = {region: annotator.answer(region) for region in region_grid(side, alpha.shape)}
    return {
        region: float(sum((0.5 - a) ** 2 - (a - (label == Label.FOREGROUND)) ** 2 for a in alpha[region.slices].flat))
        for region, label in labels.items()
        if label != Label.TRANSITION
    }


def made_up_alpha() -> Any:
    """Twelve rows of cells of 0 and 1, each off by a little of its own; the fourth is mixed."""
    rng = np.random.default_rng(0)
    cells = (np.arange(120).reshape(10, 12) % 3 == 0) * 1.0
    cells = np.abs(cells - rng.permutation(120).reshape(10, 12) * 0.019 / 120)
    cells[3] = 0.5
    return np.kron(cells, np.ones((2, 2))).astype(np.float32)


@pytest.mark.parametrize("patience", [None, 1])
def test_where_drops_never_change_the_search_takes_cells_by_what_they_are_worth(patience: int | None) -> None:
    alpha, solved = made_up_alpha(), list[int]()
    worth = own_drops(alpha)
    regions = IdealSearch(truth_of(alpha, ByItself(solved)), None, patience, None).follow(30)
    assert regions == sorted(worth, key=worth.__getitem__, reverse=True)[:30]
    if patience is None:
        assert solved == [108 - step for step in range(30)]
    else:  # all cells until both classes are told, and now and then; one or two parts otherwise
        both = next(i for i in range(30) if len({alpha[r.slices].mean() > 0.5 for r in regions[: i + 1]}) == 2)
        full = both + 2 + 30 // REFRESHED_EVERY
        assert sum(solved) <= full * 108 + 2 * TOGETHER * (30 - both) < 30 * 80


def test_the_lazy_search_with_all_patience_is_exhaustive() -> None:
    env = RegionsEnv(**ENVIRONMENT)
    chosen = []
    for patience in (None, 1000):
        observation, _ = env.reset(options={"index": 1})
        agent = GreedyIdealAgent(env, patience=patience)
        for _ in range(6):
            observation, *_ = env.step(agent.predict(observation)[0])
        chosen.append(env.session.answers)
    assert chosen[0] == chosen[1]


def test_the_lazy_search_chooses_the_best_of_what_it_tried_and_tells_its_drops() -> None:
    env = RegionsEnv(**ENVIRONMENT)
    env.reset(options={"index": 0})
    session, alpha = env.session, env.sample.alpha
    annotator = ExactAnnotator(alpha)
    cells = region_grid(4, session.shape)
    for label in (Label.FOREGROUND, Label.BACKGROUND):
        session.answer(next(cell for cell in cells if annotator.answer(cell) == label), label)
    answers = {
        number: RegionAnswer(cell, annotator.answer(cell))
        for number, cell in enumerate(cells)
        if annotator.answer(cell) != Label.TRANSITION and not session.label_map[cell.slices].any()
    }
    truth = Truth(session, alpha, env.solver, env.settings)
    now = mse(session.alpha, alpha)
    true = {number: now - mse(session.preview([answer])[0], alpha) for number, answer in answers.items()}
    best, drops = lazy(truth, answers, unknown_drops(len(cells)), 16)
    assert best == exhaustive(truth, answers) == max(true, key=true.__getitem__)
    np.testing.assert_allclose(drops[list(true)], list(true.values()), rtol=1e-6, atol=1e-9)
    assert np.isinf(np.delete(drops, list(true))).all()

    wrong = drops.copy()
    wrong[list(true)] = -1.0
    tried = [best, *[number for number in true if number != best][:TOGETHER]]
    wrong[tried[1:]] = 1.0  # what is thought best is tried first, and then by the error left
    found, now_known = lazy(truth, answers, wrong, 1)
    is_tried = {number for number in true if now_known[number] != wrong[number]}
    assert set(tried[1:]) <= is_tried
    assert len(is_tried) < len(true)
    assert found == max(sorted(is_tried), key=true.__getitem__)


def test_drops_while_a_class_is_untold_are_forgotten() -> None:
    alpha = made_up_alpha()
    truth = truth_of(alpha, ByItself([]))
    annotator = ExactAnnotator(alpha)
    cells = region_grid(2, alpha.shape)
    answers = {
        number: RegionAnswer(cell, annotator.answer(cell))
        for number, cell in enumerate(cells)
        if annotator.answer(cell) != Label.TRANSITION
    }
    _, drops = lazy(truth, answers, unknown_drops(len(cells)), 8)
    assert np.isinf(drops).all()
    truth.session.answer(answers[0].region, answers[0].label)
    _, drops = lazy(truth, answers, drops, 8)
    assert {number for number in answers if np.isinf(drops[number])} == {
        number for number, answer in answers.items() if answer.label == answers[0].label
    }


def test_a_batch_is_searched_as_its_environments_are() -> None:
    env, batch = RegionsEnv(**ENVIRONMENT), RegionsVectorEnv(2, **ENVIRONMENT)
    for agent_name in ("greedy-ideal-lazy", "error-seeking"):
        observation, _ = batch.reset(seed=3)
        agent = make_agent(agent_name, batch)  # type: ignore[arg-type]
        for _ in range(3):
            observation, *_ = batch.step(agent.predict(observation)[0])
        together = [session.answers for session in batch.sessions]
        for sample, answers in zip(batch.samples, together, strict=True):
            index = next(i for i in range(3) if env.data[i].name == sample.name)
            observation, _ = env.reset(options={"index": index})
            agent = make_agent(agent_name, env)
            for _ in range(3):
                observation, *_ = env.step(agent.predict(observation)[0])
            assert env.session.answers == answers
    with pytest.raises(InvalidArgumentError, match="environments at once, 2 of them, got 1"):
        make_agent("error-seeking", batch).predict({"location": np.zeros(2, np.float32)})  # type: ignore[arg-type]


def test_patience_is_at_least_a_cell() -> None:
    with pytest.raises(InvalidArgumentError, match="patience must be at least 1 cell, got 0"):
        lazy_greedy_ideal_agent(RegionsEnv(**ENVIRONMENT), patience=0)
