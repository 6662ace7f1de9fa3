"""Measure agents and solvers on images whose alpha is known.

Each agent asks a simulated user about every image, with every solver; see `active-matting solvers` for their names.
Agents are 'small', the trained one that comes with the package; 'random'; 'greedy-ideal' and 'error-seeking', which
know the truth and are bounds ('greedy-ideal:stride=40' tries regions 40 pixels apart only); or folders of weights that
`train` or `demo` wrote. Prints mean RMSE over images with 95 % bootstrap intervals, and writes episodes.csv (a row per
image and query, with all metrics) and rmse.png to --output.

example: active-matting evaluate --data photos --agent random --agent results/demo/agent --solver shared
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options
from active_matting.agents.evaluate import evaluate
from active_matting.agents.report import format_summary, plot_curves, summary, write_csv
from active_matting.solvers import SOLVERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, queries, agents, solvers, output."""
    options.add_data(parser, split="test")
    options.add_queries(parser, image_size=400, region_size=20, budget=30)
    parser.add_argument("--agent", action="append", required=True, metavar="NAME", help="repeat for several agents")
    parser.add_argument(
        "--solver",
        action="append",
        metavar="NAME",
        help=f"repeat for several; one of {', '.join(SOLVERS.names())}; shared when none is given",
    )
    options.add_solver_options(parser)
    parser.add_argument("--seed", type=int, action="append", help="of random agents; repeat for several; 0 when none")
    parser.add_argument("--limit", type=int, metavar="N", help="take the first N images only")
    options.add_workers(parser)
    options.add_cache(parser)
    parser.add_argument("--output", type=Path, default=Path("results/evaluation"), metavar="FOLDER", help="for results")


def run(given: argparse.Namespace) -> None:
    """Evaluate, print the table, write the CSV and the plot."""
    episodes = evaluate(
        {**options.environment(given), **options.cached_data(given), "solver_kwargs": options.solver_options(given)},
        agents=given.agent,
        solvers=given.solver or ["shared"],
        seeds=given.seed or [0],
        limit=given.limit,
        workers=given.workers,
        cache=options.cache_folder(given),
    )
    write_csv(given.output / "episodes.csv", episodes)
    title = f"{Path(given.data).name}, {len({episode.sample for episode in episodes})} images"
    plot_curves(given.output / "rmse.png", episodes, title)
    print(format_summary(summary(episodes)))
    print(f"every query: {given.output / 'episodes.csv'}")
    print(f"plot: {given.output / 'rmse.png'}")
