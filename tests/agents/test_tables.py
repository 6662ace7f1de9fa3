"""Figures of episodes made up by hand, small enough to work out on paper."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from active_matting.agents.episodes import Episode
from active_matting.agents.intervals import bootstrap_interval
from active_matting.agents.markdown_tables import (
    format_comparisons,
    format_metrics,
    format_summary,
    format_table_one,
    format_transfer,
)
from active_matting.agents.replays import ALL_PURE, TRIMAP, Reference, Transfer
from active_matting.agents.tables import comparisons, curves, metric_rows, summary, table_one, transfer_table
from active_matting.labels import RegionAnswer
from active_matting.regions import Region
from active_matting.types import Label


def episode(agent: str, sample: str, errors: list[float], solver: str = "shared", seed: int = 0) -> Episode:
    answers = tuple(RegionAnswer(Region(5, 6, 4), Label.FOREGROUND) for _ in errors[1:])
    metrics = tuple({"rmse": error} for error in errors)
    metrics[-1]["sad"] = 10 * errors[-1]
    return Episode(agent, solver, seed, sample, metrics, answers, data="photos", run=agent)


def reference(sample: str, given: str, error: float, solver: str = "shared") -> Reference:
    return Reference("photos", solver, sample, given, {"rmse": error, "sad": 10 * error})


EPISODES = [
    episode("random", "x", [0.5, 0.4, 0.4, 0.4, 0.4, 0.30]),
    episode("random", "y", [0.5, 0.2, 0.2, 0.2, 0.2, 0.10]),
    episode("runs/mine", "x", [0.5, 0.3, 0.3, 0.3, 0.3, 0.20]),
    episode("runs/mine", "y", [0.5, 0.3, 0.3, 0.3, 0.3, 0.20]),
]
REFERENCES = [
    *(reference(sample, TRIMAP, 0.1) for sample in "xy"),
    *(reference(sample, ALL_PURE, error) for sample, error in (("x", 0.1), ("y", 0.2))),
]


def test_the_bootstrap_interval_is_scipys() -> None:
    values = np.random.default_rng(0).gamma(2, size=40)
    theirs = stats.bootstrap(  # type: ignore[attr-defined]
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    np.testing.assert_allclose(bootstrap_interval(values), theirs.confidence_interval, atol=0.02)
    assert bootstrap_interval(np.full(5, 0.25)) == (0.25, 0.25)


def test_the_bootstrap_resamples_the_values_themselves() -> None:
    values = np.random.default_rng(2).gamma(2, size=7)
    means = np.random.default_rng(3).choice(values, size=(500, 7)).mean(axis=1)
    expected = np.quantile(means, [0.05, 0.95])
    assert bootstrap_interval(values, level=0.9, resamples=500, seed=3) == pytest.approx(tuple(expected))


def test_an_images_figure_is_averaged_over_seeds_and_runs_first() -> None:
    of_y = episode("a", "y", [0.3, 0.1])
    told = curves([episode("a", "x", [0.5, 0.2]), episode("a", "x", [0.5, 0.4], seed=1), of_y, replace(of_y, run="b")])
    assert (told.samples, told.queries) == (("x", "y"), (0, 1))
    np.testing.assert_allclose(told.values, [[0.5, 0.3], [0.3, 0.1]])
    np.testing.assert_allclose(told.at(1), [0.3, 0.1])


def test_agents_of_n_regions_make_one_curve() -> None:
    apart = [
        replace(episode("b3", sample, [0.5, *errors]), at=len(errors))
        for sample in "xy"
        for errors in ([0.4], [0.9, 0.9, 0.3], [0.9, 0.9, 0.9, 0.9, 0.2])
    ]
    told = curves(apart)
    assert told.queries == (1, 3, 5)
    np.testing.assert_allclose(told.values, [[0.4, 0.3, 0.2]] * 2)
    (*_, row) = summary([*EPISODES, *apart], REFERENCES)
    assert row["rmse"] == {1: pytest.approx((0.4,) * 3), 5: pytest.approx((0.2,) * 3)}
    assert row["to_trimap"] is None


def test_the_summary_of_hand_made_episodes() -> None:
    random, mine = summary(EPISODES, REFERENCES)
    assert list(random["rmse"]) == [1, 5]
    assert random["rmse"][1][0] == pytest.approx(0.3)
    assert mine["rmse"][5] == pytest.approx((0.2, 0.2, 0.2))
    assert (mine["better"], mine["images"], mine["runs"]) == (1, 2, 2)
    assert (mine["trimap"], mine["pure"]) == (pytest.approx(0.1), pytest.approx(0.15))
    assert random["to_trimap"] == (1, np.inf)  # after 5 for y, and never for x
    assert mine["to_trimap"] == (0, np.inf)
    assert mine["gain"][1][0] == pytest.approx(0.0)  # (0.4 - 0.3 + 0.2 - 0.3) / 2
    assert mine["gain"][5] == pytest.approx((0.0, -0.1, 0.1))
    assert random["gain"][5] == (0, 0, 0)
    table = format_summary([random, mine]).splitlines()
    assert len({len(line) for line in table}) == 1
    assert "0.200 [0.200, 0.200]" in table[3]
    assert "| mine " in table[3]
    assert "1 of 2" in table[3]
    assert "> 5" in table[2]
    assert "seeds" not in table[0]


def test_the_median_of_queries_counts_what_never_gets_there() -> None:
    told = [episode("a", name, [0.5, *errors]) for name, errors in (("x", [0.1] * 3), ("y", [0.4, 0.4, 0.1]))]
    told.append(episode("a", "z", [0.5, 0.4, 0.4, 0.4]))
    (row,) = summary(told, [reference(name, TRIMAP, 0.1) for name in "xyz"])
    assert row["to_trimap"] == (2, 3.0)
    (row,) = summary(told, [reference(name, TRIMAP, 0.091) for name in "xyz"])  # within a tenth of it
    assert row["to_trimap"] == (2, 3.0)
    (row,) = summary(told, [reference(name, TRIMAP, 0.09) for name in "xyz"])
    assert row["to_trimap"] == (0, np.inf)


def test_each_agent_is_compared_with_each() -> None:
    rows = {(row["agent"], row["query"]): row for row in comparisons(EPISODES)}
    assert len(rows) == 4
    ours = rows["runs/mine", 5]
    assert (ours["than"], ours["better"], ours["worse"], ours["images"]) == ("random", 1, 1, 2)
    assert ours["below"] == pytest.approx((0.0, -0.1, 0.1))
    same = comparisons([*EPISODES[:2], replace(EPISODES[0], agent="twin"), replace(EPISODES[1], agent="twin")])
    assert {(row["better"], row["worse"]) for row in same} == {(0, 0)}
    text = format_comparisons([*rows.values()])
    assert "photos, shared, after 5 queries" in text
    assert "1 of 2; 0.000 [-0.100, 0.100]" in text
    assert comparisons(EPISODES[:2]) == []
    assert format_comparisons([]) == ""


def test_table_one_has_every_input_and_image() -> None:
    rows = {(row["input"], row["queries"]): row for row in table_one(EPISODES, REFERENCES)}
    assert list(rows) == [(TRIMAP, ""), (ALL_PURE, ""), ("random", 5), ("runs/mine", 5)]
    assert rows["random", 5]["per_image"] == {"x": 0.3, "y": 0.1}
    assert rows["random", 5]["mean"] == pytest.approx((0.2, 0.1, 0.3))
    assert rows[ALL_PURE, ""]["mean"][0] == pytest.approx(0.15)
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in format_table_one([*rows.values()]).split("\n")
    ]
    header, *body = (line for line in lines if line and "---" not in line[0])
    assert header == ["input", "solver", "x", "y", "mean RMSE"]
    assert [line[0] for line in body] == ["trimap", "all pure", "random, 5 regions", "mine, 5 regions"]
    assert body[2] == ["random, 5 regions", "shared", "0.300", "0.100", "0.200 [0.100, 0.300]"]


def test_table_one_is_made_for_the_papers_twenty_regions_and_the_budget() -> None:
    (at_20, at_30) = table_one([episode("a", "x", [0.5 - query / 100 for query in range(31)])], [])
    assert (at_20["queries"], at_20["per_image"]) == (20, {"x": pytest.approx(0.3)})
    assert (at_30["queries"], at_30["per_image"]) == (30, {"x": pytest.approx(0.2)})


def test_transfer_has_the_episodes_on_its_diagonal() -> None:
    transfers = [
        Transfer("photos", "random", "random", seed, sample, "shared", "knn", {1: 0.4, 5: error})
        for sample, seed, error in (("x", 0, 0.1), ("x", 1, 0.3), ("y", 0, 0.4))
    ]
    rows = {(r["agent"], r["asked_with"], r["matted_with"], r["query"]): r for r in transfer_table(EPISODES, transfers)}
    assert len(rows) == 6
    assert rows["random", "shared", "knn", 5]["mean"] == pytest.approx((0.3, 0.2, 0.4))  # x: (0.1 + 0.3) / 2
    assert rows["random", "shared", "shared", 5]["mean"] == pytest.approx((0.2, 0.1, 0.3))
    assert rows["random", "shared", "knn", 5]["images"] == 2
    text = format_transfer([*rows.values()])
    assert "RMSE after 5 queries" in text
    assert "| random | shared     | 0.200 [0.100, 0.300] | 0.300 [0.200, 0.400] |" in text
    assert "| mine   | shared     | 0.200 [0.200, 0.200] |                      |" in text


def test_all_metrics_are_told_where_they_were_taken() -> None:
    rows = metric_rows(EPISODES, REFERENCES, ["rmse", "sad"])
    found = {(row["input"], row["query"], row["metric"]): row["mean"][0] for row in rows}
    assert found["random", 5, "sad"] == pytest.approx(2)
    assert found[TRIMAP, "", "sad"] == pytest.approx(1)
    assert ("random", 1, "sad") not in found
    text = format_metrics(rows, ["rmse", "sad"])
    assert "after 5 queries" in text
    assert "| photos | shared | random   | 0.200 | 2.000 |" in text
