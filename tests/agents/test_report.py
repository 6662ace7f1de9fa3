"""What an evaluation leaves in its folder."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from active_matting.agents import figures
from active_matting.agents.evaluate import Plan, Results, evaluate, measure
from active_matting.agents.figures import contact_sheet, plot_curves
from active_matting.agents.named import NamedAgent, NamedData
from active_matting.agents.report import write_csv, write_report
from active_matting.errors import FileError
from active_matting.solvers.named import NamedSolver

ENVIRONMENT: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 3, "size": 40},
    "image_size": 40,
    "region_size": 4,
    "budget": 5,
    "solver": "random-walk",
}


@pytest.fixture(scope="module")
def results() -> Results:
    plan = Plan(
        agents=(
            NamedAgent("random", "random"),
            NamedAgent("at once", "random", at=1),
            NamedAgent("k", "error-seeking"),
        ),
        solvers=(NamedSolver("random-walk"), NamedSolver("closed-form")),
        data=(NamedData("here", "rendered", ENVIRONMENT["data_kwargs"]),),
        environment={"image_size": 40, "region_size": 4, "budget": 5},
        seeds=(0, 1),
        limit=2,
    )
    return measure(plan)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_csv_has_a_row_per_query(tmp_path: Path) -> None:
    episodes = evaluate(ENVIRONMENT, ["random"], ["random-walk"], limit=2)
    write_csv(tmp_path / "rows.csv", episodes)
    rows = rows_of(tmp_path / "rows.csv")
    assert len(rows) == 2 * 6
    assert rows[0]["query"] == "0"
    assert rows[0]["label"] == rows[0]["conn"] == ""
    for row, told in zip(rows[7:], episodes[1].answers, strict=True):
        assert (int(row["y"]), int(row["x"]), row["label"]) == (told.region.y, told.region.x, told.label.name.lower())
        assert (row["conn"] != "") == (row["query"] in ("1", "5"))
    np.testing.assert_allclose([float(row["rmse"]) for row in rows[6:]], episodes[1].rmse, rtol=1e-5)


def test_a_report_is_whole(results: Results, tmp_path: Path) -> None:
    paths = write_report(tmp_path, results, "a title")
    assert [path.name for path in paths] == ["figure3.png", "episodes.csv", "summary.md", "table1.md", "transfer.md"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {path.name for path in paths} | {
        "protocol.json",
        "comparisons.csv",
        "references.csv",
        "summary.csv",
        "table1.csv",
        "transfer.csv",
    }
    for name in ("summary.md", "table1.md", "transfer.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.startswith('Protocol "regions": images 40×40 px, regions 4×4 px, budget 5 queries')
        for line in text.splitlines():
            assert line.count("|") != 1
    plan = json.loads((tmp_path / "protocol.json").read_text())
    assert plan["agents"][1] == {"label": "at once", "name": "random", "at": 1}
    assert plan["seeds"] == [0, 1]


def test_rows_of_a_report_can_be_added_up_again(results: Results, tmp_path: Path) -> None:
    write_report(tmp_path, results, "a title")
    episodes, summed = rows_of(tmp_path / "episodes.csv"), rows_of(tmp_path / "summary.csv")
    assert [row["query"] for row in episodes if row["agent"] == "at once"] == ["1"] * 8
    for told in summed:
        if told["input"] in ("trimap", "all pure"):
            chosen = [r for r in rows_of(tmp_path / "references.csv") if r["input"] == told["input"]]
        else:
            chosen = [r for r in episodes if (r["agent"], r["query"]) == (told["input"], told["query"])]
        values = [float(row[told["metric"]]) for row in chosen if row["solver"] == told["solver"]]
        assert float(told["mean"]) == pytest.approx(np.mean(values), rel=1e-4)
        assert float(told["low"]) <= float(told["mean"]) * (1 + 1e-5)
        assert float(told["mean"]) <= float(told["high"]) * (1 + 1e-5)
        assert told["images"] == "2"
    moved = [row for row in rows_of(tmp_path / "transfer.csv") if row["asked_with"] == row["matted_with"]]
    direct = {(r["solver"], r["input"], r["query"]): r["mean"] for r in summed if r["metric"] == "rmse"}
    assert {(r["asked_with"], r["agent"], r["query"]): r["mean"] for r in moved} == {
        key: mean for key, mean in direct.items() if key[2]
    }


def test_one_solver_has_no_transfer(results: Results, tmp_path: Path) -> None:
    own = [each for each in results.episodes if each.solver == "random-walk"]
    write_report(tmp_path, Results(results.plan, tuple(own), (), ()), "a title")
    assert not (tmp_path / "transfer.md").exists()


def test_pictures_are_written_whole(results: Results, tmp_path: Path) -> None:
    plot_curves(tmp_path / "plot.png", results.episodes, "a title", results.references)
    contact_sheet(tmp_path / "sheet.png", ENVIRONMENT, "error-seeking", [0, 1])
    for name in ("plot.png", "sheet.png"):
        with Image.open(tmp_path / name) as picture:
            picture.load()
            assert min(picture.size) > 200
            assert len(set(picture.convert("L").tobytes())) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.png", "sheet.png"]


def test_no_panel_cuts_off_what_another_one_reaches(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: drawn.append(figure))
    worse = [
        replace(each, solver="worse", metrics=tuple({"rmse": 3 * told["rmse"]} for told in each.metrics))
        for each in results.episodes
        if each.solver == "closed-form"
    ]
    plot_curves("nowhere", [*results.episodes, *worse], "a title")
    for panel in drawn[0].axes:
        highest = max(np.max(line.get_ydata()) for line in panel.lines)
        assert panel.get_ylim()[0] == 0
        assert highest <= panel.get_ylim()[1]


def test_a_place_that_cannot_be_written_is_named(results: Results, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="cannot write"):
        write_csv(tmp_path / "file" / "rows.csv", results.episodes)
