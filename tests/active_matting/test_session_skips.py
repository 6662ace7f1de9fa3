"""Regions that the person passes over, and what an agent tells besides where to ask."""

from typing import Any

import numpy as np
import pytest

from active_matting.agents import make_agent
from active_matting.errors import InvalidArgumentError
from active_matting.labels import RegionAnswer, Skip
from active_matting.observations import Observation
from active_matting.regions import Region
from active_matting.session import QuerySession
from active_matting.solvers import make_solver
from active_matting.testing import made_up_image
from active_matting.types import Label

FOREGROUND, BACKGROUND = Label.FOREGROUND, Label.BACKGROUND
IMAGE = made_up_image((40, 40))[0]


class Gainful:
    """An agent whose memory is a count of its calls, and which tells it as its gain."""

    def predict(self, observation: Observation, state: Any = None, **_: Any) -> tuple[Any, int]:
        return np.zeros(2, np.float32), (state or 0) + 1

    def expected_gain(self, observation: Observation, state: Any = None, episode_start: Any = None) -> float:
        assert bool(episode_start[0]) == (state is None)
        return 0.1 * (state or 0)

    def should_stop(
        self, observation: Observation, state: Any = None, episode_start: Any = None, threshold: float = 0.001
    ) -> bool:
        return self.expected_gain(observation, state, episode_start) < threshold


def session_with(agent: Any, **settings: Any) -> QuerySession:
    return QuerySession(IMAGE, make_solver("random-walk"), agent, region_size=4, **settings)


def agent_called(name: str) -> Any:
    sizes: dict[str, Any] = {"spatial": {"cells": 10}, "random": {}}
    return make_agent(name, **sizes.get(name, {"side": 4}))


@pytest.mark.parametrize("name", ["spatial", "coverage", "random", "highest-uncertainty"])
def test_what_was_passed_over_is_not_suggested_again(name: str) -> None:
    session = session_with(agent_called(name))
    suggested = []
    for number in range(12):
        suggested.append(session.suggest())
        if number % 3 == 2:
            session.answer(suggested[-1], BACKGROUND if number % 2 else FOREGROUND)
        else:
            session.skip()
    assert len(set(suggested)) == 12
    assert session.spent == len(session.answers) == 4
    assert len(session.interactions) == 12


@pytest.mark.parametrize("name", ["coverage", "highest-uncertainty"])
def test_a_region_passed_over_before_the_agent_was_asked_is_known_to_it(name: str) -> None:
    first = session_with(agent_called(name)).suggest()
    session = session_with(agent_called(name))
    session.skip(first)
    assert session.suggest() != first


def test_a_skip_changes_no_label_and_costs_nothing() -> None:
    session = session_with(agent_called("coverage"), budget=4)
    session.answer(Region(10, 10, 4), FOREGROUND)
    session.answer(Region(30, 30, 4), BACKGROUND)
    labels, alpha = session.label_map.copy(), session.alpha
    region = session.suggest()
    session.skip()
    np.testing.assert_array_equal(session.label_map, labels)
    assert session.alpha is alpha
    assert session.interactions[-1] == Skip(region)
    assert session.answers == (RegionAnswer(Region(10, 10, 4), FOREGROUND), RegionAnswer(Region(30, 30, 4), BACKGROUND))
    seen = session.observation()
    assert seen["remaining"].tolist() == [0.5]
    assert session.region_of(seen["location"]) == region


def test_a_skip_is_taken_back_and_said_again_like_anything_else() -> None:
    session = session_with(agent_called("coverage"))
    assert (session.can_undo, session.can_redo) == (False, False)
    first = session.suggest()
    session.skip()
    second = session.suggest()
    assert (session.can_undo, session.can_redo) == (True, False)
    session.undo()
    assert session.suggest() == first
    assert (session.can_undo, session.can_redo) == (False, True)
    session.redo()
    assert session.suggest() == second


def test_there_is_nothing_to_skip_where_nothing_was_suggested() -> None:
    session = session_with(agent_called("coverage"))
    with pytest.raises(InvalidArgumentError, match=r"skip\(\) passes over a suggestion, got none"):
        session.skip()
    session.suggest()
    session.click(3, 3, 1, FOREGROUND)  # after which the suggestion would be another
    with pytest.raises(InvalidArgumentError, match="got none"):
        session.skip()
    with pytest.raises(InvalidArgumentError, match="must lie inside the image"):
        session.skip(Region(0, 0, 4))
    assert len(session.interactions) == 1


@pytest.mark.parametrize("name", ["spatial", "coverage", "highest-uncertainty"])
def test_a_heat_map_is_hottest_where_the_agent_asks_and_moves_nothing_on(name: str) -> None:
    session = session_with(agent_called(name))
    for label in (FOREGROUND, BACKGROUND, Label.TRANSITION):
        region = session.suggest()
        heat = session.heatmap()
        assert heat.shape == (40, 40)
        assert heat.dtype == np.float32
        assert heat.sum() == pytest.approx(1, abs=1e-5)
        assert heat.min() >= 0
        assert heat[region.y, region.x] == heat.max()
        np.testing.assert_array_equal(session.heatmap(), heat)
        assert session.suggest() == region
        session.answer(region, label)
        assert session.heatmap()[region.y, region.x] == 0
    session.skip(region := session.suggest())
    assert session.heatmap()[region.y, region.x] == 0


def test_an_agent_without_a_heat_map_says_so() -> None:
    for agent, kind in ((None, "no agent"), (make_agent("random"), "RandomAgent")):
        session = session_with(agent)
        assert not session.has_heatmap
        with pytest.raises(InvalidArgumentError, match=f"needs an agent that has a heat map, .* got {kind}"):
            session.heatmap()
        assert session.expected_gain() is None
        assert session.should_stop() is False
    assert session_with(agent_called("coverage")).has_heatmap


def test_the_gain_is_told_with_the_memory_of_the_moment() -> None:
    session = session_with(Gainful())
    assert session.expected_gain() == 0
    assert session.should_stop()
    for _ in range(3):
        session.suggest()  # which does not count until it is answered
    session.answer(Region(10, 10, 4), FOREGROUND)
    assert session.expected_gain() == pytest.approx(0.1)
    assert not session.should_stop()
    assert session.should_stop(threshold=0.2)
    session.undo()
    assert session.expected_gain() == 0


def test_the_spatial_agent_tells_what_an_answer_is_worth() -> None:
    session = session_with(agent_called("spatial"))
    session.answer(session.suggest(), FOREGROUND)
    gain = session.expected_gain()
    assert gain is not None
    assert 0 <= gain <= 1
    assert session.should_stop(threshold=1.1) is True
    assert session.should_stop(threshold=0) is False
