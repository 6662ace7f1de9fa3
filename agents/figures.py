"""Pictures of an evaluation: the paper's Figure 3, and a contact sheet."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from active_matting.agents.episodes import Episode, run_episode
from active_matting.agents.intervals import bootstrap_interval
from active_matting.agents.replays import ALL_PURE, TRIMAP, Reference
from active_matting.agents.tables import curves, grouped, reference_values
from active_matting.data import make_data
from active_matting.envs.rendering import draw_regions, grey
from active_matting.files import written_whole

SHEET_AT = (1, 5, 10, 20)
"""The queries whose mattes a contact sheet shows."""

MARKERS = "os^Dv<>P*X"


def plot_curves(
    path: Path | str, episodes: Sequence[Episode], title: str, references: Sequence[Reference] = ()
) -> None:
    """Mean RMSE against queries with its 95 % bootstrap interval over images, a line per agent (the paper's Figure 3).

    A row of panels per data set, a panel per solver; dashed, what the solver reaches from trimaps, dotted, from all
    pure regions. Raises `FileError`.
    """
    panels = grouped(episodes, lambda each: (each.data, each.solver))
    rows, columns = ([*dict.fromkeys(key[i] for key in panels)] for i in (0, 1))
    agents = [*dict.fromkeys(each.agent for each in episodes)]
    size = (1.2 + 4.4 * len(columns), 1.3 + 3.6 * len(rows))
    figure = Figure(figsize=size, layout="constrained", dpi=130)
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey="row")
    lines: dict[str, Any] = {}
    for (data, solver), group in panels.items():
        panel = grid[rows.index(data), columns.index(solver)]
        for agent, own in grouped(group, lambda each: each.agent).items():
            lines[agent] = _draw_curve(panel, own, agents.index(agent))
        for given, style in ((TRIMAP, "--"), (ALL_PURE, ":")):
            values = reference_values(references, given).get((data, solver), {})
            if values:
                level = float(np.mean([*values.values()]))
                lines[given] = panel.axhline(level, color="0.35", linestyle=style, linewidth=1.2)
        panel.set_title(fill(f"{data}: {solver}" if data else solver, width=48), fontsize=10)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
    for panel in grid[-1]:
        panel.set_xlabel("queries answered")
    for panel in grid[:, 0]:  # of whose row all panels have one scale, and now all that is drawn is there
        panel.set_ylabel("RMSE, mean over images")
        panel.set_ylim(0, None)
    names = [short_name(name) for name in lines]
    figure.legend([*lines.values()], names, loc="outside lower center", ncols=min(len(names), 1 + 2 * len(columns)))
    figure.suptitle(title)
    save_figure(figure, path)


def _draw_curve(panel: Axes, episodes: Sequence[Episode], number: int) -> Any:
    """The line of one agent; between queries that were not measured it is straight."""
    told = curves(episodes)
    low, high = np.array([bootstrap_interval(column) for column in told.values.T]).T
    colour, marker = f"C{number % 10}", MARKERS[number % len(MARKERS)]
    (line,) = panel.plot(
        told.queries, told.values.mean(axis=0), marker=marker, markersize=3.5, linewidth=1.4, color=colour
    )
    panel.fill_between(told.queries, low, high, alpha=0.13, color=colour, linewidth=0)
    return line


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


def save_figure(figure: Figure, path: Path | str) -> None:
    """Write a figure as a picture whose format follows the suffix. Raises `FileError`."""
    FigureCanvasAgg(figure)
    with written_whole(path) as temporary:
        figure.savefig(temporary)
