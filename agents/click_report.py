"""What measuring by clicks leaves behind: a CSV, a table, a plot of curves."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from active_matting.agents.clicks import ClickRun
from active_matting.agents.figures import save_figure
from active_matting.agents.intervals import bootstrap_interval, interval_text, mean_and_interval
from active_matting.agents.markdown_tables import markdown_table
from active_matting.files import written_whole
from active_matting.metrics import auc, failures, noc, scaled, share_above
from active_matting.robots import Place

READ_AT = (1, 3, 5, 10, 20)
"""The clicks after which figures are read."""

THRESHOLDS = (0.85, 0.9, 0.95)
"""Of NoC."""

NEARLY_ALL = (0.95, 0.99)
"""The IoU that images are counted above."""

ERRORS = {"sad": "SAD", "mse": "MSE × 10³", "grad": "GRAD", "conn": "CONN", "rmse": "RMSE"}
"""The mattes' errors and how tables call them, in the units "composition-1k"."""


def write_clicks(path: Path | str, runs: Sequence[ClickRun]) -> None:
    """A row per solver, image and click; no place where nothing was wrong any more. Raises `FileError`."""
    names = sorted({name for run in runs for metrics in run.metrics for name in metrics})
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["solver", "sample", "click", "y", "x", "label", *names])
        for run in runs:
            for click, (place, metrics) in enumerate(zip(run.places, run.metrics, strict=True), start=1):
                values = [f"{metrics[name]:.6g}" if name in metrics else "" for name in names]
                writer.writerow([run.solver, run.sample, click, *_cells(place), *values])


def curves(runs: Sequence[ClickRun], metric: str) -> NDArray[np.float64]:
    """A metric of each run after each click, float64 `(N, clicks)`; NaN where there was none to measure."""
    return np.array([[metrics.get(metric, np.nan) for metrics in run.metrics] for run in runs])


def by_solver(runs: Sequence[ClickRun]) -> dict[str, list[ClickRun]]:
    """The runs of each solver, in their order."""
    groups: dict[str, list[ClickRun]] = {}
    for run in runs:
        groups.setdefault(run.solver, []).append(run)
    return groups


def click_summary(runs: Sequence[ClickRun]) -> list[dict[str, Any]]:
    """A row per solver; means come with both ends of their 95 % bootstrap interval over images.

    Of selections: `iou` after each click that figures are read at; `noc` by threshold, mean and how many images failed,
    which count as all clicks; `auc`; `corrective`, mean over images and clicks; `above`, the share of images above an
    IoU after the last click. Of mattes: `rmse` after each click that figures are read at, and `average`, each of
    `ERRORS` averaged over all clicks.
    """
    row_of = _of_mattes if _are_mattes(runs) else _of_selections
    return [row_of(solver, group) for solver, group in by_solver(runs).items()]


def _of_selections(solver: str, runs: Sequence[ClickRun]) -> dict[str, Any]:
    told = curves(runs, "iou")
    clicks = told.shape[1]
    corrective = curves(runs, "corrective")
    return {
        "solver": solver,
        "images": len(runs),
        "clicks": clicks,
        "iou": {at: mean_and_interval(told[:, at - 1]) for at in READ_AT if at <= clicks},
        "noc": {
            each: (float(noc(told, each, clicks).mean()), int(failures(told, each, clicks).sum()))
            for each in THRESHOLDS
        },
        "auc": mean_and_interval(auc(told, clicks)),
        "corrective": float(np.nanmean(corrective)) if np.isfinite(corrective).any() else None,
        "above": {each: share_above(told, each, clicks) for each in NEARLY_ALL},
    }


def _of_mattes(solver: str, runs: Sequence[ClickRun]) -> dict[str, Any]:
    clicks = len(runs[0].metrics)
    rmse = curves(runs, "rmse")
    per_image = [scaled({name: float(curves([run], name).mean()) for name in ERRORS}, "composition-1k") for run in runs]
    return {
        "solver": solver,
        "images": len(runs),
        "clicks": clicks,
        "rmse": {at: mean_and_interval(rmse[:, at - 1]) for at in READ_AT if at <= clicks},
        "average": {name: mean_and_interval(np.array([told[name] for told in per_image])) for name in ERRORS},
    }


def format_clicks(rows: Sequence[dict[str, Any]]) -> str:
    """The summary as a Markdown table that is legible as it is."""
    clicks = rows[0]["clicks"]
    if "rmse" in rows[0]:
        header = [f"RMSE at {at}" for at in rows[0]["rmse"]]
        header += [f"{title}, mean of 1–{clicks}" for title in ERRORS.values()]
        cells = [
            [interval_text(each) for each in row["rmse"].values()]
            + [interval_text(each, 3 if name == "rmse" else 2) for name, each in row["average"].items()]
            for row in rows
        ]
    else:
        header = [f"IoU at {at}" for at in rows[0]["iou"]] + [f"NoC@{100 * each:.0f} (failed)" for each in THRESHOLDS]
        header += ["AuC", "corrective"] + [f"above {100 * each:.0f} % at {clicks}" for each in NEARLY_ALL]
        cells = [
            [interval_text(each) for each in row["iou"].values()]
            + [f"{mean:.2f} ({failed})" for mean, failed in row["noc"].values()]
            + [interval_text(row["auc"]), "–" if row["corrective"] is None else f"{row['corrective']:.2f}"]
            + [f"{100 * share:.0f} %" for share in row["above"].values()]
            for row in rows
        ]
    first = [[row["solver"], str(row["images"])] for row in rows]
    return markdown_table([["solver", "images", *header], *([*a, *b] for a, b in zip(first, cells, strict=True))])


def plot_clicks(path: Path | str, runs: Sequence[ClickRun], title: str) -> None:
    """A panel per metric: its mean after each click, with the 95 % interval, a line per solver. Raises `FileError`."""
    panels = ERRORS if _are_mattes(runs) else {"iou": "IoU", "corrective": "corrective accuracy"}
    figure = Figure(figsize=(1 + 4.2 * len(panels), 4.2), layout="constrained")
    for panel, (metric, name) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        factor = scaled({metric: 1.0}, "composition-1k")[metric]
        for solver, group in by_solver(runs).items():
            columns = [column[np.isfinite(column)] * factor for column in curves(group, metric).T]
            clicks = [click for click, column in enumerate(columns, start=1) if len(column)]
            means = [column.mean() for column in columns if len(column)]
            low, high = np.array([bootstrap_interval(column) for column in columns if len(column)]).reshape(-1, 2).T
            (line,) = panel.plot(clicks, means, marker="o", markersize=3, label=solver)
            panel.fill_between(clicks, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
        panel.set(xlabel="clicks", ylabel=f"{name}, mean over images", ylim=(0, None if panels is ERRORS else 1.02))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", frameon=False, fontsize=8)
    figure.suptitle(title)
    save_figure(figure, path)


def _are_mattes(runs: Sequence[ClickRun]) -> bool:
    return "rmse" in runs[0].metrics[0]


def _cells(place: Place | None) -> tuple[str, str, str]:
    return ("", "", "") if place is None else (str(place.y), str(place.x), place.label.name.lower())
