"""What an evaluation leaves behind: rows for a program, tables for a reader, and the folder that holds them all."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from active_matting import __version__
from active_matting.agents.episodes import Episode
from active_matting.agents.evaluate import Results
from active_matting.agents.figures import plot_curves
from active_matting.agents.markdown_tables import (
    format_comparisons,
    format_metrics,
    format_summary,
    format_table_one,
    format_transfer,
    protocol_text,
)
from active_matting.agents.replays import Reference
from active_matting.agents.tables import Row, comparisons, metric_rows, summary, table_one, transfer_table
from active_matting.files import write_json, written_whole
from active_matting.labels import RegionAnswer
from active_matting.metrics import METRICS

EPISODES, PROTOCOL, FIGURE = "episodes.csv", "protocol.json", "figure3.png"

METRIC = ("data", "solver", "input", "query", "metric", "images", "mean")
COMPARISON = ("data", "solver", "query", "agent", "than", "better", "worse", "images", "below")
TRANSFER = ("data", "agent", "asked_with", "matted_with", "query", "images", "mean")
"""Columns of CSV files; the last one is followed by the ends of its interval."""


def write_report(folder: Path, results: Results, title: str) -> list[Path]:
    """Write all that is made of the results into `folder`, and return the paths. Raises `FileError`."""
    episodes, references = results.episodes, results.references
    plot_curves(folder / FIGURE, episodes, title, references)
    write_csv(folder / EPISODES, episodes)
    write_json(folder / PROTOCOL, {"version": __version__, **asdict(results.plan)})
    by_metric, against = metric_rows(episodes, references, list(METRICS)), comparisons(episodes)
    table, moved = table_one(episodes, references), transfer_table(episodes, results.transfers)
    _write_references(folder / "references.csv", references)
    _write_rows(folder / "summary.csv", by_metric, METRIC)
    _write_rows(folder / "comparisons.csv", against, COMPARISON)
    _write_table_one(folder / "table1.csv", table)
    texts = {
        "summary.md": [
            protocol_text(results.plan),
            format_summary(summary(episodes, references)),
            format_metrics(by_metric, list(METRICS)),
            format_comparisons(against),
        ],
        "table1.md": [protocol_text(results.plan), format_table_one(table)],
    }
    if results.transfers:
        _write_rows(folder / "transfer.csv", moved, TRANSFER)
        texts["transfer.md"] = [protocol_text(results.plan), format_transfer(moved)]
    for name, parts in texts.items():
        with written_whole(folder / name) as temporary:
            temporary.write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")
    return [folder / name for name in (FIGURE, EPISODES, *texts)]


def write_csv(path: Path | str, episodes: Sequence[Episode]) -> None:
    """A row per data set, agent, run, solver, seed, image and query; query 0 is the state before the first.

    Where an agent is measured after all of its queries alone, the others are left out. Raises `FileError`.
    """
    names = list(METRICS)
    header = ["data", "agent", "run", "solver", "seed", "sample", "query", "y", "x", "side", "label", *names]

    def rows() -> Iterable[list[Any]]:
        for each in episodes:
            asked = [("", "", "", ""), *(_region_cells(answer) for answer in each.answers)]
            for query, (region, metrics) in enumerate(zip(asked, each.metrics, strict=True)):
                values = [_number(metrics[name]) if name in metrics else "" for name in names]
                if each.at in (None, query):
                    yield [
                        each.data,
                        each.agent,
                        each.run,
                        each.solver,
                        each.seed,
                        each.sample,
                        query,
                        *region,
                        *values,
                    ]

    _write(path, header, rows())


def _write_references(path: Path, references: Sequence[Reference]) -> None:
    rows = (
        [each.data, each.solver, each.sample, each.given, *(_number(each.metrics[name]) for name in METRICS)]
        for each in references
    )
    _write(path, ["data", "solver", "sample", "input", *METRICS], rows)


def _write_table_one(path: Path, table: Sequence[Row]) -> None:
    header = ["data", "solver", "input", "queries", "sample", "rmse"]
    rows = (
        [*(row[name] for name in header[:4]), sample, _number(value)]
        for row in table
        for sample, value in row["per_image"].items()
    )
    _write(path, header, rows)


def _write_rows(path: Path, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Columns by name; the last one holds a mean and both ends of its interval."""
    *plain, told = names
    _write(path, [*plain, told, "low", "high"], ([*(r[n] for n in plain), *map(_number, r[told])] for r in rows))


def _write(path: Path | str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _region_cells(answer: RegionAnswer) -> tuple[str, str, str, str]:
    region = answer.region
    return str(region.y), str(region.x), str(region.side), answer.label.name.lower()
