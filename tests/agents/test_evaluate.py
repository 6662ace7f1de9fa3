"""The protocol: what is counted, that nothing depends on the number of workers, and that what was stopped goes on."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from active_matting.agents import episodes
from active_matting.agents.baselines.error_seeking import ErrorSeekingAgent
from active_matting.agents.baselines.random_regions import RandomAgent
from active_matting.agents.cli import main
from active_matting.agents.episodes import Episode, play, read_at, run_episode
from active_matting.agents.evaluate import Plan, evaluate, measure
from active_matting.agents.named import NamedAgent, NamedData
from active_matting.agents.processes import run_all
from active_matting.agents.replays import ALL_PURE, TRIMAP, run_references, run_transfer
from active_matting.agents.trained import save_agent, small_agent
from active_matting.annotators import ExactAnnotator
from active_matting.data.images import write_alpha, write_image
from active_matting.data.rendered import Rendered
from active_matting.envs.regions import RegionsEnv
from active_matting.envs.workers import make_worker
from active_matting.errors import InvalidArgumentError, UnknownNameError, WorkerLostError
from active_matting.labels import RegionAnswer, from_trimap, rasterise
from active_matting.metrics import all_metrics, rmse
from active_matting.regions import Region, region_grid
from active_matting.solvers import make_solver
from active_matting.solvers.named import NamedSolver
from active_matting.types import Label

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 3, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 7,
    "solver": "random-walk",
}
WALK, CLOSED = NamedSolver("random-walk"), NamedSolver("closed-form", {"epsilon": 1e-5})
PLAN = Plan(
    agents=(NamedAgent("random", "random"), NamedAgent("knows", "error-seeking")),
    solvers=(WALK, CLOSED),
    data=(
        NamedData("all", "rendered", {"split": "validation", "count": 3, "size": 40}),
        NamedData("other", "rendered", {"split": "test", "count": 2, "size": 40}),
    ),
    environment={"image_size": 40, "region_size": 4, "budget": 7},
    limit=2,
)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the images that agents asked about."""
    indices: list[int] = []
    original = play

    def counted(env: Any, agent: Any, index: int, seed: int | None = None) -> Any:
        indices.append(index)
        return original(env, agent, index, seed)

    monkeypatch.setattr(episodes, "play", counted)
    return indices


def test_an_episode_holds_what_the_environment_went_through() -> None:
    told = run_episode(ENVIRONMENT, "error-seeking", seed=0, index=1, keep=(2, 5))
    env = RegionsEnv(**ENVIRONMENT)
    _, info = env.reset(options={"index": 1})
    errors, whole = [info["rmse"]], {}
    for query, answer in enumerate(told.answers, start=1):
        centre = np.array([answer.region.y, answer.region.x])
        *_, info = env.step((2 * centre / 39 - 1).astype(np.float32))
        errors.append(info["rmse"])
        whole[query] = all_metrics(env.session.alpha, env.sample.alpha)
        assert info["label"] == answer.label
        if query in told.mattes:
            np.testing.assert_array_equal(told.mattes[query], env.session.alpha)
    np.testing.assert_allclose(told.rmse, errors, atol=1e-12)
    assert sorted(told.mattes) == [2, 5]
    assert told.sample == env.sample.name
    # All metrics where figures are read and after the last query; elsewhere the RMSE alone.
    assert [told.metrics[query] for query in (1, 5, 7)] == [whole[query] for query in (1, 5, 7)]
    assert all(set(told.metrics[query]) == {"rmse"} for query in (0, 2, 3, 4, 6))


def test_figures_are_read_at_the_last_query_too() -> None:
    assert read_at(30) == (1, 5, 10, 15, 20, 25, 30)
    assert read_at(20) == (1, 5, 10, 15, 20)
    assert read_at(3) == (1, 3)
    assert read_at(1) == (1,)


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    apart = evaluate(ENVIRONMENT, ["random", "greedy-ideal"], ["random-walk"], seeds=[0, 1], workers=2)
    alone = evaluate(ENVIRONMENT, ["random", "greedy-ideal"], ["random-walk"], seeds=[0, 1], workers=1)
    assert apart == alone
    order = [(e.agent, e.seed, e.sample) for e in alone]
    names = [sample.name for sample in Rendered(split="validation", count=3, size=40)]
    runs_of = {"random": (0, 1), "greedy-ideal": (0,)}  # the second draws nothing
    assert order == [(agent, seed, name) for agent, seeds in runs_of.items() for seed in seeds for name in names]
    runs = {e.seed: e.rmse.tolist() for e in alone if (e.agent, e.sample) == ("random", names[0])}
    assert runs[0] != runs[1]


def test_a_plan_is_carried_out_alike_by_any_number_of_workers_and_from_what_is_kept(
    tmp_path: Path, played: list[int]
) -> None:
    alone = measure(PLAN)
    assert len(played) == len(alone.episodes) == 16
    assert [(e.data, e.solver, e.agent, e.run) for e in alone.episodes[::2]] == [
        (data, solver, *agent)
        for data in ("all", "other")
        for solver in ("random-walk", 'closed-form {"epsilon": 1e-05}')
        for agent in (("random", "random"), ("knows", "error-seeking"))
    ]
    assert len(alone.references) == 8
    assert len(alone.transfers) == 16
    assert measure(PLAN, workers=2, kept=str(tmp_path)) == alone
    assert measure(PLAN, kept=str(tmp_path)) == alone
    assert len(played) == 16


def test_what_is_kept_is_taken_for_what_it_is(tmp_path: Path, played: list[int], monkeypatch: Any) -> None:
    plan = replace(PLAN, agents=PLAN.agents[:1], solvers=(WALK,), data=PLAN.data[:1], limit=1)
    measure(plan, kept=str(tmp_path))
    longer = replace(plan, limit=2, seeds=(0, 1), agents=PLAN.agents, solvers=(CLOSED, WALK))
    measure(longer, kept=str(tmp_path))
    assert len(played) == (2 + 1) * 2 * 2  # one of the agents draws nothing
    for other in (
        {"environment": PLAN.environment | {"region_size": 5}},
        {"environment": PLAN.environment | {"budget": 6}},
        {"environment": PLAN.environment | {"protocol": "extended"}},
        {"environment": PLAN.environment | {"image_size": 30}},
        {"environment": PLAN.environment | {"annotator": "lazy", "annotator_kwargs": {"probability": 0.1}}},
        {"solvers": (NamedSolver("random-walk", {"sigma": 0.2}),)},
        {"seeds": (2,)},
        {"agents": (NamedAgent("random", "random", at=5),)},
        {"data": (NamedData("all", "rendered", {"split": "validation", "count": 3, "size": 40, "seed": 1}),)},
    ):
        before = len(played)
        told = measure(replace(plan, **other), kept=str(tmp_path))
        assert told == measure(replace(plan, **other))
        assert len(played) == before + 2, other


def test_changed_weights_are_another_agent(tmp_path: Path, played: list[int]) -> None:
    folder = tmp_path / "agent"
    plan = replace(PLAN, agents=(NamedAgent("mine", str(folder)),), solvers=(WALK,), data=PLAN.data[:1], limit=1)
    for number, deviation in enumerate((0.1, 0.1, 0.2), start=1):
        policy = small_agent()
        policy.deviation = deviation
        save_agent(policy, folder)
        measure(plan, kept=str(tmp_path / "kept"))
        assert len(played) == min(number, 1) + (deviation == 0.2)


def test_agents_that_draw_nothing_need_one_seed(played: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, solvers=(WALK,), data=PLAN.data[:1], limit=1, seeds=(3, 4, 5))
    monkeypatch.setattr(ErrorSeekingAgent, "is_deterministic", False)
    assert [e.seed for e in measure(plan).episodes] == [3, 4, 5] * 2
    monkeypatch.setattr(ErrorSeekingAgent, "is_deterministic", True)
    assert [(e.agent, e.seed) for e in measure(plan).episodes] == [*(("random", s) for s in (3, 4, 5)), ("knows", 3)]
    erring = plan.environment | {"annotator": "lazy", "annotator_kwargs": {"probability": 0.5}}
    told = measure(replace(plan, environment=erring)).episodes
    assert [e.seed for e in told] == [3, 4, 5] * 2
    assert len({e.answers for e in told}) == 6
    assert measure(replace(plan, environment=erring)).episodes == told  # the user's draws have seeds too


def test_an_agent_of_n_regions_is_measured_after_them_alone() -> None:
    plan = replace(PLAN, agents=(NamedAgent("random", "random", at=5),), solvers=(WALK,), data=PLAN.data[:1], limit=1)
    (told,) = measure(plan).episodes
    assert len(told.answers) == 5
    assert told.after(5) == told.rmse[5]
    assert told.after(5, "conn") == told.metrics[5]["conn"]
    assert told.after(4) is told.after(7) is told.queries_to(1.0) is None
    with pytest.raises(InvalidArgumentError, match="agent 'random' needs a budget of 9, got 7"):
        measure(replace(plan, agents=(NamedAgent("random", "random", at=9),)))


def test_a_transfer_is_what_the_other_solver_makes_of_the_same_answers(tmp_path: Path) -> None:
    told = run_episode(ENVIRONMENT, "error-seeking", seed=0, index=2)
    other = {**ENVIRONMENT, "solver": "closed-form", "solver_kwargs": {"epsilon": 1e-5}}
    sample = Rendered(split="validation", count=3, size=40)[2]
    prepared = make_solver("closed-form", epsilon=1e-5).prepare(sample.image)
    direct = {
        query: rmse(prepared.solve(rasterise(told.answers[:query], sample.shape)).alpha, sample.alpha)
        for query in (1, 5, 7)
    }
    for kept in (None, str(tmp_path), str(tmp_path)):
        moved = run_transfer(other, told, (1, 5, 7), index=2, kept=kept)
        assert moved.rmse == pytest.approx(direct, abs=1e-9)
        assert (moved.asked_with, moved.matted_with) == ("random-walk", 'closed-form {"epsilon": 1e-05}')
    assert len(list(tmp_path.glob("transfer-*"))) == 1
    same = run_transfer(ENVIRONMENT, told, (1, 5, 7), index=2)
    assert same.rmse == pytest.approx({query: told.rmse[query] for query in (1, 5, 7)}, abs=1e-5)


def test_a_transfer_in_a_plan_is_of_the_same_image_and_data() -> None:
    told = measure(PLAN)
    assert measure(replace(PLAN, transfers=False)).transfers == ()
    for moved in told.transfers:
        (asked,) = [
            e
            for e in told.episodes
            if (e.data, e.agent, e.solver, e.sample) == (moved.data, moved.agent, moved.asked_with, moved.sample)
        ]
        if asked.agent == "random":  # who asks the same, whatever the mattes
            key = (moved.data, moved.agent, moved.matted_with, moved.sample)
            (direct,) = [e for e in told.episodes if (e.data, e.agent, e.solver, e.sample) == key]
            assert moved.rmse == pytest.approx({query: direct.rmse[query] for query in (1, 5, 7)}, abs=1e-5)


def test_references_are_the_solvers_own(tmp_path: Path) -> None:
    sample = Rendered(split="validation", count=2, size=40)[1]
    write_image(tmp_path / "images" / "one.png", sample.image)
    write_alpha(tmp_path / "alphas" / "one.png", sample.alpha)
    trimap = np.where((sample.alpha > 0.02) & (sample.alpha < 0.98), 0.5, np.round(sample.alpha)).astype(np.float32)
    write_alpha(tmp_path / "trimaps" / "one.png", trimap)
    folder = {"data": "folder", "data_kwargs": {"path": str(tmp_path), "trimaps": "trimaps"}}
    env = RegionsEnv(**{**ENVIRONMENT, **folder})
    env.reset(options={"index": 0})
    truth = env.sample.alpha
    answers = [RegionAnswer(each, ExactAnnotator(truth).answer(each)) for each in region_grid(4, (40, 40))]
    label_maps = {TRIMAP: from_trimap(trimap), ALL_PURE: rasterise(answers, (40, 40))}
    for kept in (None, str(tmp_path / "kept"), str(tmp_path / "kept")):
        told = run_references({**ENVIRONMENT, **folder}, 0, kept, data="mine")
        assert [(each.data, each.sample, each.given) for each in told] == [("mine", "one", g) for g in label_maps]
        for each in told:
            alpha = make_solver("random-walk").prepare(env.sample.image).solve(label_maps[each.given]).alpha
            assert each.metrics == pytest.approx(all_metrics(alpha, truth), abs=1e-6)
    assert [each.given for each in run_references(ENVIRONMENT, 0)] == [ALL_PURE]


def test_a_limit_takes_the_first_images() -> None:
    assert len(evaluate(ENVIRONMENT, ["random"], ["random-walk"], limit=2)) == 2


def test_wrong_requests_fail_before_the_work(played: list[int]) -> None:
    with pytest.raises(UnknownNameError, match="unknown agent"):
        evaluate(ENVIRONMENT, ["random", "nobody"], ["random-walk"])
    with pytest.raises(UnknownNameError, match="unknown solver"):
        evaluate(ENVIRONMENT, ["random"], ["random-walk", "knnn"])
    with pytest.raises(InvalidArgumentError, match="candidates must be 1 to evaluate, got 2"):
        evaluate({**ENVIRONMENT, "candidates": 2}, ["random"], ["random-walk"])
    with pytest.raises(InvalidArgumentError, match="workers must be at least 1, got 0"):
        measure(PLAN, workers=0)
    assert played == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"seeds": ()}, "at least one seed must be given"),
        ({"solvers": (WALK, WALK)}, "solver 'random-walk' is given twice"),
        ({"data": (PLAN.data[0],) * 2}, "data set 'all' is given twice"),
        ({"agents": PLAN.agents[:1] * 2}, "agent .*'random'.* is given twice"),
    ],
)
def test_wrong_plans_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        replace(PLAN, **wrong)


def test_an_agent_is_told_when_an_episode_starts() -> None:
    starts = []

    class Listener(RandomAgent):
        def predict(
            self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
        ) -> Any:
            starts.append((state, episode_start.tolist(), deterministic))
            return super().predict(observation)[0], (state or 0) + 1

    assert len(list(play(make_worker(ENVIRONMENT), Listener(), 0))) == 8
    assert starts == [(None, [True], True)] + [(k, [False], True) for k in range(1, 7)]


def test_queries_to_a_bound() -> None:
    answers = tuple(RegionAnswer(Region(5, 6, 4), Label.FOREGROUND) for _ in range(3))
    told = Episode("a", "shared", 0, "x", tuple({"rmse": error} for error in (0.5, 0.2, 0.111, 0.109)), answers)
    assert told.queries_to(0.11) == 3
    assert told.queries_to(0.5) == 0
    assert told.queries_to(0.1) is None


def test_a_lost_process_is_an_error_in_one_line() -> None:
    with pytest.raises(WorkerLostError, match="one of 2 processes was ended from outside"):
        run_all(signal.raise_signal, [(signal.SIGKILL,)] * 3, workers=2)


@pytest.mark.slow
def test_what_was_killed_goes_on_to_the_same_results(tmp_path: Path, played: list[int]) -> None:
    arguments = ["evaluate", "--count", "4", "--image-size", "40", "--region-size", "5", "--budget", "8"]
    arguments += ["--agent", "greedy-ideal", "--agent", "random", "--solver", "random-walk", "--solver", "closed-form"]
    command = [sys.executable, "-m", "active_matting.agents.cli", *arguments, "--workers", "2"]
    kept = tmp_path / "killed" / "finished"
    process = subprocess.Popen([*command, "--output", str(tmp_path / "killed")], stderr=subprocess.DEVNULL)
    try:
        while len(list(kept.glob("episode-*"))) < 2:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    time.sleep(1)  # its processes end with it, and nothing is added any more
    finished = len(list(kept.glob("episode-*")))
    time.sleep(1)
    assert len(list(kept.glob("episode-*"))) == finished
    assert 2 <= finished < 16
    assert not (tmp_path / "killed" / "episodes.csv").exists()

    assert main([*arguments, "--workers", "1", "--output", str(tmp_path / "killed")]) == 0
    assert len(played) == 16 - finished
    assert main([*arguments, "--workers", "1", "--output", str(tmp_path / "whole")]) == 0
    for name in ("episodes.csv", "references.csv", "transfer.csv", "summary.md", "table1.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
