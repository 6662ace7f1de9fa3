"""An evaluation's tables as Markdown that is legible as it is."""

from collections.abc import Sequence
from typing import Any

from active_matting.agents.evaluate import Plan
from active_matting.agents.figures import short_name
from active_matting.agents.intervals import interval_text
from active_matting.agents.tables import Row, grouped, table_at
from active_matting.metrics import scaled

COLUMNS = 30
"""Images that Table 1 shows one by one; the CSV has all."""

TITLES = {"mse": "MSE × 10³"}
"""Of metrics that are not called by their names; sums are in thousands."""


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Cells, of which the first line is the header, as a Markdown table in straight columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in ruled)


def protocol_text(plan: Plan) -> str:
    """How figures were measured, in a paragraph."""
    given = plan.environment
    size, side = given.get("image_size", 400), given.get("region_size", 20)
    seeds = ", ".join(map(str, plan.seeds))
    told = (f"{each.label} = {each.name}" if each.label != each.name else each.name for each in plan.agents)
    agents = "; ".join(dict.fromkeys(told))
    rules, user = given.get("protocol", "paper"), given.get("annotator", "exact")
    return (
        f'Protocol "regions": images {size}×{size} px, regions {side}×{side} px, budget {plan.budget} queries, '
        f"rules of the {rules} protocol, user {user}, seeds {seeds}; agents {agents}. RMSE is over the "
        "whole image, alpha in [0, 1]; each image's figure is the mean over seeds and runs, brackets are 95 % "
        "bootstrap intervals over images."
    )


def format_summary(rows: Sequence[Row]) -> str:
    """What `summary` returns; empty columns are left out."""
    first = rows[0]["agent"]
    queries = sorted({query for row in rows for query in row["rmse"]})
    last = queries[-1]
    table = []
    for row in rows:
        is_first, reached, gain = row["agent"] == first, row["to_trimap"], row["gain"].get(last)
        cells = {"data": row["data"], "solver": row["solver"], "agent": short_name(row["agent"])}
        cells |= {"images": str(row["images"]), "seeds": str(row["seeds"]) if row["seeds"] > 1 else ""}
        cells |= {f"RMSE at {query}": _cell(row["rmse"].get(query)) for query in queries}
        cells[f"below {short_name(first)} at {last}"] = "–" if is_first else _cell(gain)
        cells["better on"] = "–" if is_first or gain is None else f"{row['better']} of {row['images']}"
        cells["from trimap"], cells["from all pure"] = (_plain(row[name]) for name in ("trimap", "pure"))
        cells["within 10 % of trimap"] = "" if reached is None else f"{reached[0]} of {row['runs']}"
        cells["queries to there, median"] = "" if reached is None else _queries(reached[1], last)
        table.append(cells)
    kept = [name for name in table[0] if any(cells[name] for cells in table)]
    return markdown_table([kept, *([cells[name] for name in kept] for cells in table)])


def format_metrics(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """A table for each of the last queries of `metric_rows`: all metrics of a matte."""
    budget = max(row["query"] for row in rows if row["query"] != "")
    parts = []
    for query in table_at(budget):
        lines = [["data", "solver", "input", *(TITLES.get(name, name.upper()) for name in metrics)]]
        chosen = [row for row in rows if row["query"] in (query, "")]
        for (data, solver, given), group in grouped(chosen, lambda r: (r["data"], r["solver"], r["input"])).items():
            cells = {row["metric"]: scaled({row["metric"]: row["mean"][0]}, "composition-1k") for row in group}
            values = [f"{cells[name][name]:.3f}" for name in metrics]
            lines.append([data, solver, short_name(given), *values])
        head = f"All metrics, whole image, sums in thousands, means over images, after {query} queries"
        parts.append(f"{head}:\n\n{markdown_table(lines)}")
    return "\n\n".join(parts)


def format_comparisons(rows: Sequence[Row]) -> str:
    """For each data set, solver and one of the last queries: row against column, on how many images it was better."""
    if not rows:
        return ""
    wanted = table_at(max(row["query"] for row in rows))
    chosen = [row for row in rows if row["query"] in wanted]
    parts = []
    for (data, solver, query), group in grouped(chosen, lambda r: (r["data"], r["solver"], r["query"])).items():
        agents = [*dict.fromkeys(row["agent"] for row in group)]
        cells = {(r["agent"], r["than"]): f"{r['better']} of {r['images']}; {_cell(r['below'])}" for r in group}
        lines = [["", *map(short_name, agents)]]
        lines += [[short_name(a), *("–" if a == b else cells.get((a, b), "") for b in agents)] for a in agents]
        head = f"{_named(data)}{solver}, after {query} queries: on how many images the row's agent was better than the"
        parts.append(f"{head} column's; by how much its RMSE was lower.\n\n{markdown_table(lines)}")
    return "\n\n".join(parts)


def format_table_one(table: Sequence[Row]) -> str:
    """A table per data set, a row per input and solver, the best first, a column per image (the paper's Table 1)."""
    parts = []
    for data, rows in grouped(table, lambda row: row["data"]).items():
        samples = [*rows[0]["per_image"]]
        shown = samples[:COLUMNS]
        lines = [["input", "solver", *shown, "mean RMSE"]]
        for row in sorted(rows, key=lambda row: float(row["mean"][0])):
            given = short_name(row["input"]) + (f", {row['queries']} regions" if row["queries"] else "")
            values = [_plain(row["per_image"].get(sample)) for sample in shown]
            lines.append([given, row["solver"], *values, _cell(row["mean"])])
        head = f"{_named(data)}RMSE of {len(samples)} images by input and solver"
        head += f", of which the first {COLUMNS} are shown" if len(samples) > COLUMNS else ""
        parts.append(f"{head}.\n\n{markdown_table(lines)}")
    return "\n\n".join(parts)


def format_transfer(rows: Sequence[Row]) -> str:
    """For each data set and one of the last queries: a row per agent and solver it saw, a column per solver."""
    wanted = table_at(max(row["query"] for row in rows))
    chosen = [row for row in rows if row["query"] in wanted]
    parts = []
    for (data, query), group in grouped(chosen, lambda r: (r["data"], r["query"])).items():
        solvers = [*dict.fromkeys(row["matted_with"] for row in group)]
        cells = {(row["agent"], row["asked_with"], row["matted_with"]): row["mean"] for row in group}
        lines = [["agent", "asked with", *(f"matted with {solver}" for solver in solvers)]]
        agents = [*dict.fromkeys(row["agent"] for row in group)]
        asked_with = dict.fromkeys((row["agent"], row["asked_with"]) for row in group)
        for agent, asked in sorted(asked_with, key=lambda pair: agents.index(pair[0])):
            lines.append([short_name(agent), asked, *(_cell(cells.get((agent, asked, solver))) for solver in solvers)])
        parts.append(f"{_named(data)}RMSE after {query} queries.\n\n{markdown_table(lines)}")
    return "\n\n".join(parts)


def _cell(told: Any) -> str:
    return "" if told is None else interval_text(told)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _queries(median: float, budget: int) -> str:
    return f"{median:g}" if median <= budget else f"> {budget}"


def _named(data: str) -> str:
    return f"{data}, " if data else ""
