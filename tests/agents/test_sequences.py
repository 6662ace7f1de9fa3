"""Ideal sequences that are kept: the same as those that are found, and only where they hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from active_matting.agents import make_agent
from active_matting.agents.baselines.greedy import GreedyIdealAgent
from active_matting.agents.evaluate import evaluate
from active_matting.cache import Cache
from active_matting.envs.regions import RegionsEnv
from active_matting.regions import Region
from active_matting.session import QuerySession

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 3, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 5,
    "solver": "random-walk",
}


def asked(folder: Path | None, index: int = 0, agent: str = "greedy-ideal", **options: Any) -> list[Region]:
    """The regions of one episode."""
    env = RegionsEnv(**{**ENVIRONMENT, **options})
    observation, _ = env.reset(options={"index": index}, seed=0)
    acting = make_agent(agent, env, cache=folder)
    for _ in range(env.settings.budget):
        observation, *_ = env.step(acting.predict(observation)[0])
    return [answer.region for answer in env.session.answers]


def count(folder: Path) -> int:
    return Cache(folder).contents().get("ideal-sequence", (0, 0))[0]


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many cells were tried, for each time that was done."""
    tried: list[int] = []
    preview = QuerySession.preview

    def counting(self: QuerySession, interactions: Any) -> Any:
        tried.append(len(interactions))
        return preview(self, interactions)

    monkeypatch.setattr(QuerySession, "preview", counting)
    return tried


def test_a_kept_sequence_is_the_one_that_is_found_and_is_not_searched_again(
    tmp_path: Path, searches: list[int]
) -> None:
    plain = asked(None)
    assert asked(tmp_path) == plain
    assert len(searches) == 10
    assert asked(tmp_path) == plain
    assert len(searches) == 10
    assert count(tmp_path) == 1


def test_a_longer_episode_goes_on_where_a_shorter_one_ended(tmp_path: Path, searches: list[int]) -> None:
    plain = asked(None, budget=7)
    searches.clear()
    assert asked(tmp_path, budget=3) == plain[:3]
    assert asked(tmp_path, budget=7) == plain
    assert asked(tmp_path, budget=5) == plain[:5]
    assert len(searches) == 7


def test_one_agent_goes_from_image_to_image(tmp_path: Path, searches: list[int]) -> None:
    env = RegionsEnv(**ENVIRONMENT)
    agent = GreedyIdealAgent(env, cache=tmp_path)
    for index in (0, 1, 0):
        observation, _ = env.reset(options={"index": index})
        for _ in range(5):
            observation, *_ = env.step(agent.predict(observation)[0])
        assert [answer.region for answer in env.session.answers] == asked(tmp_path, index)
    assert len(searches) == 10
    assert count(tmp_path) == 2


def test_other_settings_are_other_sequences(tmp_path: Path) -> None:
    asked(tmp_path, budget=1)
    others: list[dict[str, Any]] = [
        {"agent": "greedy-ideal:stride=8"},
        {"region_size": 5},
        {"solver_kwargs": {"sigma": 0.05}},
        {"solver": "closed-form"},
        {"protocol": "extended"},
        {"image_size": 30},
        {"index": 1},
    ]
    for number, each in enumerate(others, start=2):
        assert asked(tmp_path, **{"budget": 1, **each}) == asked(None, **{"budget": 1, **each})
        assert count(tmp_path) == number
    asked(tmp_path, agent="greedy-ideal:stride=4", budget=1)  # which is what the region's side is
    assert count(tmp_path) == len(others) + 1


def test_a_file_that_the_solver_is_told_of_counts_with_its_content(tmp_path: Path) -> None:
    from active_matting.kept import files_named_in

    (tmp_path / "weights").write_text("some")
    told = {"a": str(tmp_path / "weights"), "b": [{"c": str(tmp_path / "weights")}, "shared", 3, None]}
    assert list(files_named_in(told)) == [tmp_path / "weights"] * 2


def test_where_the_user_errs_nothing_is_taken_from_the_cache_or_kept(tmp_path: Path) -> None:
    right = asked(tmp_path)
    erring: dict[str, Any] = {"annotator": "noisy", "annotator_kwargs": {"probability": 1}}
    assert asked(tmp_path, **erring) == asked(None, **erring)
    assert asked(tmp_path, **erring) != right
    assert asked(tmp_path) == right
    other = tmp_path / "other"
    asked(other, **erring)
    (path,) = other.glob("ideal-sequence-*")
    told = Cache(other).get("ideal-sequence", path.stem.removeprefix("ideal-sequence-"))
    assert told is not None
    assert told["centres"].tolist() == [[right[0].y, right[0].x]]  # chosen before anything was said


def test_where_all_is_known_the_agent_asks_anywhere_also_from_the_cache(tmp_path: Path) -> None:
    options: dict[str, Any] = {"region_size": 20, "budget": 6, "agent": "greedy-ideal:stride=20"}
    assert asked(tmp_path, **options) == asked(None, **options) == asked(tmp_path, **options)


def test_a_damaged_sequence_is_found_anew(tmp_path: Path, searches: list[int]) -> None:
    plain = asked(tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert asked(tmp_path) == plain
    assert len(searches) == 10


def test_a_sequence_that_another_process_has_continued_is_not_shortened(tmp_path: Path) -> None:
    env = RegionsEnv(**ENVIRONMENT)
    observation, _ = env.reset(options={"index": 0})
    agent = GreedyIdealAgent(env, cache=tmp_path)
    observation, *_ = env.step(agent.predict(observation)[0])
    plain = asked(tmp_path)  # all of it, by somebody else
    env.step(agent.predict(observation)[0])
    (path,) = tmp_path.iterdir()
    told = Cache(tmp_path).get("ideal-sequence", path.stem.removeprefix("ideal-sequence-"))
    assert told is not None
    np.testing.assert_array_equal(told["centres"], [(region.y, region.x) for region in plain])


def test_evaluations_with_and_without_a_cache_agree(tmp_path: Path) -> None:
    agents = ["greedy-ideal:stride=8", "random"]
    plain = evaluate(ENVIRONMENT, agents, ["random-walk"])
    for workers in (1, 2):
        assert evaluate(ENVIRONMENT, agents, ["random-walk"], workers=workers, cache=str(tmp_path)) == plain
    assert count(tmp_path) == 3


def test_a_lazy_sequence_is_one_of_its_own_and_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    lazy = "greedy-ideal-lazy:patience=8"
    plain = asked(None, agent=lazy, budget=8)
    asked(tmp_path, agent="greedy-ideal", budget=8)
    for budget, kept in ((3, 2), (4, 2), (8, 2)):
        assert asked(tmp_path, agent=lazy, budget=budget) == plain[:budget]
        assert count(tmp_path) == kept
    asked(tmp_path, agent="greedy-ideal-lazy:patience=9", budget=1)
    assert count(tmp_path) == 3
