"""Tables, rows and curves of clicks, of runs made up by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from active_matting.agents.click_report import click_summary, curves, format_clicks, plot_clicks, write_clicks
from active_matting.agents.clicks import ClickProtocol, ClickRun, evaluate_clicks
from active_matting.robots import Place
from active_matting.solvers.named import NamedSolver
from active_matting.types import Label


def selection(solver: str, sample: str, ious: list[float], corrective: list[float]) -> ClickRun:
    metrics = [{"iou": value} for value in ious]
    for told, value in zip(metrics, corrective, strict=False):
        told["corrective"] = value
    places = [Place(1, 2, Label.FOREGROUND) if "corrective" in told else None for told in metrics]
    return ClickRun(solver, sample, tuple(places), tuple(metrics))


RUNS = [
    selection("one", "x", [0.2, 0.86, 0.92, 1.0, 1.0], [0.5, 1, 0, 0.5]),
    selection("one", "y", [0.4, 0.5, 0.6, 0.7, 0.89], [1, 1, 1, 0, 0]),
    selection("two", "x", [0.5] * 5, [0.25] * 5),
    selection("two", "y", [0.9] * 5, [0.25] * 5),
]


def test_the_summary_of_selections_by_hand() -> None:
    one, two = click_summary(RUNS)
    assert list(one["iou"]) == [1, 3, 5]
    assert one["iou"][1] == pytest.approx((0.3, 0.2, 0.4))
    assert one["noc"] == {0.85: (3.5, 0), 0.9: (4, 1), 0.95: (4.5, 1)}
    assert two["noc"] == {0.85: (3, 1), 0.9: (3, 1), 0.95: (5, 2)}
    assert one["auc"][0] == pytest.approx((3.98 + 3.09) / 10)
    assert one["corrective"] == pytest.approx(5 / 9)
    assert one["above"] == {0.95: 0.5, 0.99: 0.5}
    table = format_clicks([one, two]).splitlines()
    assert len({len(line) for line in table}) == 1
    assert "| 4.50 (1) " in table[2]
    assert "| above 99 % at 5 |" in table[0]
    assert "50 %" in table[2]


def test_the_summary_of_mattes_by_hand() -> None:
    names = ("rmse", "mse", "sad", "grad", "conn", "mad")
    runs = [
        ClickRun("one", sample, (None,) * 2, tuple(dict.fromkeys(names, value) for value in values))
        for sample, values in {"x": (0.4, 0.2), "y": (0.2, 0.0)}.items()
    ]
    (row,) = click_summary(runs)
    assert row["rmse"][1] == pytest.approx((0.3, 0.2, 0.4))
    assert row["average"]["sad"] == pytest.approx((0.2, 0.1, 0.3))
    assert row["average"]["mse"] == pytest.approx((200, 100, 300))
    assert "MSE × 10³, mean of 1–2" in format_clicks([row])


def test_the_csv_has_a_row_per_click(tmp_path: Path) -> None:
    write_clicks(tmp_path / "rows.csv", RUNS)
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    head = {"solver": "one", "sample": "x", "click": "1", "y": "1", "x": "2", "label": "foreground"}
    assert rows[0] == {**head, "corrective": "0.5", "iou": "0.2"}
    assert (rows[4]["y"], rows[4]["label"], rows[4]["corrective"], rows[4]["iou"]) == ("", "", "", "1")
    np.testing.assert_allclose([float(row["iou"]) for row in rows], curves(RUNS, "iou").ravel())


def test_curves_are_drawn_of_selections_and_of_mattes(tmp_path: Path) -> None:
    plot_clicks(tmp_path / "selections.png", RUNS, "a title")
    nothing_wrong = [selection("one", "x", [1.0] * 3, [])]
    plot_clicks(tmp_path / "right.png", nothing_wrong, "nothing to correct")
    rendered = ClickProtocol(data_kwargs={"split": "validation", "count": 3, "size": 40}, clicks=4, radius=2)
    plot_clicks(tmp_path / "mattes.png", evaluate_clicks(rendered, [NamedSolver("random-walk")], limit=2), "a title")
    for name in ("selections", "right", "mattes"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) > 300
            assert len(set(picture.convert("L").tobytes())) > 20
    assert click_summary(nothing_wrong)[0]["corrective"] is None
