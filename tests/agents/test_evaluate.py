"""The protocol: what is counted, and that nothing depends on the number of workers."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from active_matting.agents.baselines.random_regions import RandomAgent
from active_matting.agents.evaluate import Episode, bootstrap_interval, evaluate, play, rmse_per_image, run_episode
from active_matting.agents.report import contact_sheet, format_summary, plot_curves, summary, write_csv
from active_matting.data.images import write_alpha, write_image
from active_matting.data.rendered import Rendered
from active_matting.envs.regions import RegionsEnv
from active_matting.envs.workers import make_worker
from active_matting.errors import FileError, InvalidArgumentError, UnknownNameError
from active_matting.labels import RegionAnswer, from_trimap
from active_matting.metrics import all_metrics
from active_matting.regions import Region
from active_matting.solvers import make_solver
from active_matting.types import Label

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 3, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 5,
    "solver": "random-walk",
}


def episode(agent: str, sample: str, errors: list[float], seed: int = 0, trimap_rmse: float | None = None) -> Episode:
    answers = tuple(RegionAnswer(Region(5, 6, 4), Label.FOREGROUND) for _ in errors[1:])
    metrics = tuple({"rmse": error} for error in errors)
    return Episode(agent, "shared", seed, sample, metrics, answers, trimap_rmse)


def test_an_episode_holds_what_the_environment_went_through() -> None:
    told = run_episode(ENVIRONMENT, "error-seeking", seed=0, index=1, keep=(2, 5))
    env = RegionsEnv(**ENVIRONMENT)
    _, info = env.reset(options={"index": 1})
    errors = [info["rmse"]]
    for query, answer in enumerate(told.answers, start=1):
        centre = np.array([answer.region.y, answer.region.x])
        *_, info = env.step((2 * centre / 39 - 1).astype(np.float32))
        errors.append(info["rmse"])
        assert info["label"] == answer.label
        if query in told.mattes:
            np.testing.assert_array_equal(told.mattes[query], env.session.alpha)
    np.testing.assert_allclose(told.rmse, errors, atol=1e-12)
    assert told.metrics[-1] == all_metrics(env.session.alpha, env.sample.alpha)
    assert sorted(told.mattes) == [2, 5]
    assert told.sample == env.sample.name


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    apart = evaluate(ENVIRONMENT, ["random", "greedy-ideal"], ["random-walk"], seeds=[0, 1], workers=2)
    alone = evaluate(ENVIRONMENT, ["random", "greedy-ideal"], ["random-walk"], seeds=[0, 1], workers=1)
    assert apart == alone
    order = [(e.agent, e.seed, e.sample) for e in alone]
    names = [sample.name for sample in Rendered(split="validation", count=3, size=40)]
    assert order == [(a, s, n) for a in ("random", "greedy-ideal") for s in (0, 1) for n in names]
    runs = {e.seed: e.rmse.tolist() for e in alone if (e.agent, e.sample) == ("random", names[0])}
    assert runs[0] != runs[1]


def test_a_limit_takes_the_first_images() -> None:
    assert len(evaluate(ENVIRONMENT, ["random"], ["random-walk"], limit=2)) == 2


def test_wrong_requests_fail_before_the_work() -> None:
    with pytest.raises(UnknownNameError, match="unknown agent"):
        evaluate(ENVIRONMENT, ["random", "nobody"], ["random-walk"])
    with pytest.raises(UnknownNameError, match="unknown solver"):
        evaluate(ENVIRONMENT, ["random"], ["knnn"])
    with pytest.raises(InvalidArgumentError, match="candidates must be 1 to evaluate, got 2"):
        evaluate({**ENVIRONMENT, "candidates": 2}, ["random"], ["random-walk"])


def test_an_agent_is_told_when_an_episode_starts() -> None:
    starts = []

    class Listener(RandomAgent):
        def predict(
            self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
        ) -> Any:
            starts.append((state, episode_start.tolist(), deterministic))
            return super().predict(observation)[0], (state or 0) + 1

    assert len(list(play(make_worker(ENVIRONMENT), Listener(), 0))) == 6
    assert starts == [(None, [True], True)] + [(k, [False], True) for k in range(1, 5)]


def test_the_trimap_figure_is_the_solvers_own(tmp_path: Path) -> None:
    sample = Rendered(split="validation", count=2, size=40)[1]
    write_image(tmp_path / "images" / "one.png", sample.image)
    write_alpha(tmp_path / "alphas" / "one.png", sample.alpha)
    trimap = np.where((sample.alpha > 0.02) & (sample.alpha < 0.98), 0.5, np.round(sample.alpha)).astype(np.float32)
    write_alpha(tmp_path / "trimaps" / "one.png", trimap)
    folder = {"data": "folder", "data_kwargs": {"path": str(tmp_path), "trimaps": "trimaps"}}
    (told,) = evaluate({**ENVIRONMENT, **folder}, ["random"], ["random-walk"])
    env = RegionsEnv(**{**ENVIRONMENT, **folder})
    env.reset(options={"index": 0})
    alpha = make_solver("random-walk").prepare(env.sample.image).solve(from_trimap(trimap)).alpha
    assert told.trimap_rmse == pytest.approx(float(np.sqrt(np.mean((alpha - env.sample.alpha) ** 2))), abs=1e-6)


def test_queries_to_trimap_counts_until_within_a_tenth() -> None:
    assert episode("a", "x", [0.5, 0.2, 0.111, 0.109], trimap_rmse=0.1).queries_to_trimap() == 3
    assert episode("a", "x", [0.5, 0.2, 0.111], trimap_rmse=0.1).queries_to_trimap() is None
    assert episode("a", "x", [0.5, 0.2]).queries_to_trimap() is None


def test_the_bootstrap_interval_is_scipys() -> None:
    values = np.random.default_rng(0).gamma(2, size=40)
    theirs = stats.bootstrap(  # type: ignore[attr-defined]
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    np.testing.assert_allclose(bootstrap_interval(values), theirs.confidence_interval, atol=0.02)
    assert bootstrap_interval(np.full(5, 0.25)) == (0.25, 0.25)


def test_an_images_figure_is_averaged_over_seeds_first() -> None:
    episodes = [
        episode("a", "x", [0.5, 0.2], seed=0),
        episode("a", "x", [0.5, 0.4], seed=1),
        episode("a", "y", [0.3, 0.1]),
    ]
    figures = rmse_per_image(episodes)
    np.testing.assert_allclose(figures["x"], [0.5, 0.3])
    np.testing.assert_allclose(figures["y"], [0.3, 0.1])


def test_the_summary_of_hand_made_episodes() -> None:
    episodes = [
        episode("random", "x", [0.5, 0.4, 0.4, 0.4, 0.4, 0.30], trimap_rmse=0.1),
        episode("random", "y", [0.5, 0.2, 0.2, 0.2, 0.2, 0.10], trimap_rmse=0.1),
        episode("mine", "x", [0.5, 0.3, 0.3, 0.3, 0.3, 0.20], trimap_rmse=0.1),
        episode("mine", "y", [0.5, 0.3, 0.3, 0.3, 0.3, 0.20], trimap_rmse=0.1),
    ]
    random, mine = summary(episodes)
    assert list(random["rmse"]) == [1, 5]
    assert random["rmse"][1][0] == pytest.approx(0.3)
    assert mine["rmse"][5] == pytest.approx((0.2, 0.2, 0.2))
    assert (mine["better"], mine["images"], mine["trimap"]) == (1, 2, pytest.approx(0.1))
    assert random["to_trimap"] == (1, 5)
    assert mine["gain"][1][0] == pytest.approx(0.0)  # (0.4 - 0.3 + 0.2 - 0.3) / 2
    assert mine["gain"][5] == pytest.approx((0.0, -0.1, 0.1))
    assert random["gain"][5] == (0, 0, 0)
    table = format_summary([random, mine]).splitlines()
    assert len({len(line) for line in table}) == 1
    assert "0.200 [0.200, 0.200]" in table[3]
    assert "1 of 2" in table[3]


def test_the_csv_has_a_row_per_query(tmp_path: Path) -> None:
    episodes = evaluate(ENVIRONMENT, ["random"], ["random-walk"], limit=2)
    write_csv(tmp_path / "rows.csv", episodes)
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    assert rows[0]["query"] == "0"
    assert rows[0]["label"] == ""
    for row, told in zip(rows[7:], episodes[1].answers, strict=True):
        assert (int(row["y"]), int(row["x"]), row["label"]) == (told.region.y, told.region.x, told.label.name.lower())
    np.testing.assert_allclose([float(row["rmse"]) for row in rows[6:]], episodes[1].rmse, rtol=1e-5)


def test_pictures_are_written_whole(tmp_path: Path) -> None:
    episodes = evaluate(ENVIRONMENT, ["random"], ["random-walk"], limit=2)
    plot_curves(tmp_path / "plot.png", episodes, "a title")
    contact_sheet(tmp_path / "sheet.png", ENVIRONMENT, "error-seeking", [0, 1])
    for name in ("plot.png", "sheet.png"):
        with Image.open(tmp_path / name) as picture:
            picture.load()
            assert min(picture.size) > 200
            assert len(set(picture.convert("L").tobytes())) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.png", "sheet.png"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="cannot write"):
        write_csv(tmp_path / "file" / "rows.csv", [episode("a", "x", [0.5, 0.2])])
