"""Measure agents and solvers on images whose alpha is known.

Each agent asks a simulated user about every image of every data set, with every solver; see `active-matting solvers`
for their names. Agents are 'small', the trained one that comes with the package; 'random'; 'greedy-ideal' and
'error-seeking', which know the truth and are bounds ('greedy-ideal:stride=40' tries regions 40 pixels apart only); or
folders of weights that `train` or `demo` wrote. NAME=AGENT gives one a name; several of one name are runs of the same,
such as trainings with different seeds, and figures are means over them. NAME@N=AGENT is an agent that chooses all of
its N regions at once: it gets a budget of N, and its matte after N queries alone counts; NAME@each stands for all
queries that figures are read at, and a {} in AGENT for their number.

--seed and an image's number make the seeds of what agents draw; agents that draw nothing are run once.

Prints mean RMSE over images with 95 % bootstrap intervals, and writes to --output: figure3.png (curves, as Figure 3 of
the paper), summary.md, table1.md (trimaps, all pure regions and sequences with every solver, as Table 1), transfer.md
(sequences asked with one solver and matted with another), each with its CSV, comparisons.csv, and episodes.csv (a row
per image and query; the metrics that take long only at queries where figures are read). What is finished is kept in the
folder `finished`, so that the same command, however it was stopped, goes on, and a longer one takes it over.

examples:
  active-matting evaluate --data photos --agent random --agent results/demo/agent --solver shared --solver knn
  active-matting evaluate --data photos=data/alphamatting --data 'fur=rendered {"families": ["fur"], "count": 30}' \\
      --agent mine=runs/0 --agent mine=runs/1 --agent mine=runs/2 --agent random --seed 0 --seed 1 --seed 2
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options
from active_matting.agents.episodes import read_at
from active_matting.agents.evaluate import Plan, measure
from active_matting.agents.named import NamedAgent
from active_matting.errors import InvalidArgumentError
from active_matting.solvers import SOLVERS
from active_matting.solvers.named import NamedSolver


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, queries, agents, solvers, output."""
    options.add_data_sets(parser, split="test")
    options.add_queries(parser, image_size=400, region_size=20, budget=30)
    parser.add_argument(
        "--agent", action="append", required=True, metavar="[NAME=]AGENT", help="repeat for several agents or runs"
    )
    parser.add_argument(
        "--solver",
        action="append",
        metavar="NAME",
        help=f"repeat for several; one of {', '.join(SOLVERS.names())}, with a JSON object of its own parameters after "
        "a space if need be; shared when none is given",
    )
    options.add_solver_options(parser)
    parser.add_argument("--seed", type=int, action="append", help="of what is drawn; repeat for several; 0 when none")
    parser.add_argument("--limit", type=int, metavar="N", help="take the first N images of each data set only")
    parser.add_argument(
        "--transfer",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="matte what was asked with one solver with the others too",
    )
    options.add_workers(parser)
    options.add_cache(parser)
    parser.add_argument("--output", type=Path, default=Path("results/evaluation"), metavar="FOLDER", help="for results")


def run(given: argparse.Namespace) -> None:
    """Evaluate, print the table, write the report."""
    from active_matting.agents.markdown_tables import format_summary, protocol_text
    from active_matting.agents.report import write_report
    from active_matting.agents.tables import summary

    shared = options.solver_options(given)
    plan = Plan(
        agents=tuple(agent for text in given.agent for agent in named_agents(text, given.budget)),
        solvers=tuple(NamedSolver.read(text, shared) for text in given.solver or ["shared"]),
        data=options.named_data(given),
        environment=options.rules(given),
        seeds=tuple(given.seed or [0]),
        limit=given.limit,
        transfers=given.transfer,
    )
    finished = str(given.output / "finished")
    results = measure(plan, given.workers, cache=options.cache_folder(given) or finished, kept=finished)
    counts = {data.label: {each.sample for each in results.episodes if each.data == data.label} for data in plan.data}
    paths = write_report(given.output, results, ", ".join(f"{label}, {len(s)} images" for label, s in counts.items()))
    print(protocol_text(plan))
    print(format_summary(summary(results.episodes, results.references)))
    for path in paths:
        print(f"{path.stem}: {path}")


def named_agents(text: str, budget: int) -> list[NamedAgent]:
    """The agents of "AGENT", "NAME=AGENT", "NAME@N=AGENT" or "NAME@each=AGENT". Raises `InvalidArgumentError`."""
    label, name = ("", text) if Path(text).exists() else options.split_label(text)
    label, at_sign, at = label.partition("@")
    if not at_sign:
        return [NamedAgent(label or name, name)]
    if at != "each" and not at.isdecimal():
        raise InvalidArgumentError(f"an agent is named as NAME, NAME@N or NAME@each, got {label}@{at}")
    return [
        NamedAgent(label, name.replace("{}", str(query)), query)
        for query in (read_at(budget) if at == "each" else [int(at)])
    ]
