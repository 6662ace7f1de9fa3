"""What an evaluation leaves behind: a CSV, a table, the RMSE-against-queries plot, and a contact sheet."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from active_matting.agents.evaluate import READ_AT, Episode, bootstrap_interval, rmse_per_image, run_episode
from active_matting.data import make_data
from active_matting.envs.rendering import draw_regions, grey
from active_matting.files import written_whole
from active_matting.labels import RegionAnswer

SHEET_AT = (1, 5, 10, 20)
"""The queries whose mattes a contact sheet shows."""

Group = tuple[str, str]
"""(agent, solver)"""


def write_csv(path: Path | str, episodes: Sequence[Episode]) -> None:
    """A row per agent, solver, seed, image and query; query 0 is the state before the first. Raises `FileError`."""
    with written_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        names = list(episodes[0].metrics[0])
        writer = csv.writer(file)
        writer.writerow(
            ["agent", "solver", "seed", "sample", "query", "y", "x", "side", "label", *names, "trimap_rmse"]
        )
        for episode in episodes:
            asked = [("", "", "", ""), *(_region_cells(answer) for answer in episode.answers)]
            for query, (region, metrics) in enumerate(zip(asked, episode.metrics, strict=True)):
                values = [f"{metrics[name]:.6g}" for name in names]
                trimap = "" if episode.trimap_rmse is None else f"{episode.trimap_rmse:.6g}"
                writer.writerow(
                    [episode.agent, episode.solver, episode.seed, episode.sample, query, *region, *values, trimap]
                )


def summary(episodes: Sequence[Episode]) -> list[dict[str, Any]]:
    """A row per agent and solver.

    `rmse` after each query that figures are read at: mean over images and its 95 % bootstrap interval over images;
    `gain`, by how much that is below the first agent's of the same solver, image by image, with its interval; `better`,
    on how many images the first agent is beaten at the last of them; `trimap`, the
    solver's mean RMSE from trimaps; `to_trimap`, on how many images it comes within 10 % of that, and the median of
    queries it takes there.
    """
    rows = []
    for (agent, solver), group in _by_group(episodes).items():
        curves = rmse_per_image(group)
        table = np.stack(list(curves.values()))  # (images, budget + 1)
        read_at = [query for query in READ_AT if query < table.shape[1]]
        first = next(other for (_, name), other in _by_group(episodes).items() if name == solver)
        reference = rmse_per_image(first)
        better = sum(bool(curve[read_at[-1]] < reference[name][read_at[-1]]) for name, curve in curves.items())
        trimaps = [episode.trimap_rmse for episode in group if episode.trimap_rmse is not None]
        reached = [queries for episode in group if (queries := episode.queries_to_trimap()) is not None]
        rows.append(
            {
                "agent": agent,
                "solver": solver,
                "images": len(curves),
                "seeds": len({episode.seed for episode in group}),
                "rmse": {q: mean_and_interval(table[:, q]) for q in read_at},
                "gain": {q: mean_and_interval(_column(reference, q) - table[:, q]) for q in read_at},
                "better": better,
                "trimap": float(np.mean(trimaps)) if trimaps else None,
                "to_trimap": (len(reached), float(np.median(reached)) if reached else None) if trimaps else None,
            }
        )
    return rows


def format_summary(rows: Sequence[dict[str, Any]]) -> str:
    """The summary as a Markdown table that is legible as it is."""
    read_at = list(rows[0]["rmse"])
    first = rows[0]["agent"]
    header = ["solver", "agent", "images", *(f"RMSE at {query}" for query in read_at)]
    header += [f"below {first} at {read_at[-1]}", "better on"]
    has_trimaps = any(row["trimap"] is not None for row in rows)
    if has_trimaps:
        header += ["from trimap", "within 10 % of it"]
    lines = [header]
    for row in rows:
        cells = [row["solver"], row["agent"], str(row["images"])]
        cells += [f"{mean:.3f} [{low:.3f}, {high:.3f}]" for mean, low, high in row["rmse"].values()]
        mean, low, high = row["gain"][read_at[-1]]
        is_first = row["agent"] == first
        cells += (
            ["–", "–"] if is_first else [f"{mean:.3f} [{low:.3f}, {high:.3f}]", f"{row['better']} of {row['images']}"]
        )
        if has_trimaps:
            count, median = row["to_trimap"]
            cells += [f"{row['trimap']:.3f}", f"{count}" + (f", after {median:g}" if count else "")]
        lines.append(cells)
    return markdown_table(lines)


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Cells, of which the first line is the header, as a Markdown table in straight columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in ruled)


def plot_curves(path: Path | str, episodes: Sequence[Episode], title: str) -> None:
    """Mean RMSE against queries with its 95 % interval, a panel per solver, a line per agent. Raises `FileError`."""
    groups = _by_group(episodes)
    solvers = list(dict.fromkeys(solver for _, solver in groups))
    figure = Figure(figsize=(1.2 + 5.3 * len(solvers), 4.4), layout="constrained")
    panels = figure.subplots(1, len(solvers), squeeze=False, sharey=True)[0]
    for panel, solver in zip(panels, solvers, strict=True):
        for (agent, name), group in groups.items():
            if name != solver:
                continue
            table = np.stack(list(rmse_per_image(group).values()))
            low, high = np.array([bootstrap_interval(column) for column in table.T]).T
            queries = np.arange(table.shape[1])
            (line,) = panel.plot(queries, table.mean(axis=0), marker="o", markersize=3, label=short_name(agent))
            panel.fill_between(queries, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
        panel.set(title=solver, xlabel="queries answered", ylim=(0, None))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("RMSE, mean over images")
    panels[-1].legend(frameon=False)
    figure.suptitle(title)
    save_figure(figure, path)


def contact_sheet(
    path: Path | str, environment: dict[str, Any], agent: str, indices: Sequence[int], seed: int = 0
) -> None:
    """A row per image: image, asked regions, matte after 1 / 5 / 10 / 20 queries, true alpha. Raises `FileError`."""
    data = make_data(environment.get("data", "rendered"), **environment.get("data_kwargs", {}))
    size = environment.get("image_size", 400)
    scale = max(1, round(400 / size))
    budget = environment.get("budget", 20)
    shown = [query for query in SHEET_AT if query <= budget]
    figure = Figure(figsize=(1.9 * (3 + len(shown)), 2.05 * len(indices) + 0.4), layout="constrained", dpi=120)
    grid = figure.subplots(len(indices), 3 + len(shown), squeeze=False)
    for row, index in zip(grid, indices, strict=True):
        sample = data[index].resized(size)
        episode = run_episode(environment, agent, seed, index, keep=shown)
        pictures: list[tuple[str, Any]] = [
            (sample.name, sample.image),
            (f"{len(episode.answers)} asked regions", draw_regions(sample.image, episode.answers, scale)),
            *((f"matte after {query}, {episode.rmse[query]:.3f}", grey(episode.mattes[query])) for query in shown),
            ("true alpha", grey(sample.alpha)),
        ]
        for panel, (title, picture) in zip(row, pictures, strict=True):
            panel.imshow(picture)
            panel.set_title(title, fontsize=8)
            panel.set_axis_off()
    figure.suptitle(f"{short_name(agent)}: green answered foreground, red background, yellow mixed", fontsize=9)
    save_figure(figure, path)


def short_name(agent: str) -> str:
    """An agent's name, or the last part of its folder's path."""
    return Path(agent).name


def mean_and_interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """The mean of `values` (N,) and both ends of its 95 % bootstrap interval."""
    return float(values.mean()), *bootstrap_interval(values)


def _column(curves: dict[str, NDArray[np.float64]], query: int) -> NDArray[np.float64]:
    return np.array([curve[query] for curve in curves.values()])


def _region_cells(answer: RegionAnswer) -> tuple[str, str, str, str]:
    region = answer.region
    return str(region.y), str(region.x), str(region.side), answer.label.name.lower()


def _by_group(episodes: Sequence[Episode]) -> dict[Group, list[Episode]]:
    groups: dict[Group, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault((episode.agent, episode.solver), []).append(episode)
    return groups


def save_figure(figure: Figure, path: Path | str) -> None:
    """Write a figure as a picture whose format follows the suffix. Raises `FileError`."""
    FigureCanvasAgg(figure)
    with written_whole(path) as temporary:
        figure.savefig(temporary)
