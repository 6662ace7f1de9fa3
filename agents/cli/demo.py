"""Train a small agent on the embedded images, and measure it.

Trains for at most --minutes, evaluates the agent on held-out images beside the random and the greedy-ideal baseline,
and leaves in --output: agent/ (the weights), episodes.csv (a row per image and query), rmse.png (RMSE against
queries) and contact_sheet.png (image, asked regions, mattes, true alpha). --resume goes on with an interrupted run.
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options
from active_matting.agents.evaluate import evaluate
from active_matting.agents.figures import contact_sheet, plot_curves
from active_matting.agents.markdown_tables import format_summary
from active_matting.agents.report import write_csv
from active_matting.agents.tables import summary

SIZE = 100
"""Side of the held-out images, pixels. The agent sees them at the size it was trained at, the solver as they are."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Time, size, output."""
    parser.add_argument("--minutes", type=float, default=5.0, help="stop training after so long")
    parser.add_argument("--updates", type=int, metavar="N", help="stop training after so many updates")
    parser.add_argument("--images", type=int, default=24, help="how many held-out images to measure on")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")
    options.add_workers(parser)
    parser.add_argument("--output", type=Path, default=Path("results/demo"), metavar="FOLDER", help="for the results")


def run(given: argparse.Namespace) -> None:
    """Train, evaluate, report."""
    from active_matting.agents.checkpoint import CHECKPOINT
    from active_matting.agents.recipe import load_recipe
    from active_matting.agents.train import train

    output: Path = given.output
    recipe = load_recipe("demo").with_changes(updates=given.updates)
    if not given.resume:
        (output / "agent" / CHECKPOINT).unlink(missing_ok=True)  # a demo may be shown again
    outcome = train(recipe, output / "agent", seed=given.seed, minutes=given.minutes, resume=given.resume)
    if outcome.ending == "interrupted":
        raise KeyboardInterrupt

    data = {"split": "test", "count": given.images, "size": SIZE}
    held_out = {"data": "rendered", "data_kwargs": data, "image_size": SIZE, "region_size": SIZE // 20, "budget": 20}
    agents = ["random", str(output / "agent"), f"greedy-ideal:stride={SIZE // 10}"]
    episodes = evaluate(held_out, agents, workers=given.workers)
    write_csv(output / "episodes.csv", episodes)
    plot_curves(output / "rmse.png", episodes, f"embedded images, {given.images} held out")
    contact_sheet(output / "contact_sheet.png", held_out, str(output / "agent"), range(min(6, given.images)))

    print(format_summary(summary(episodes)))
    for what, name in (
        ("weights", "agent"),
        ("every query", "episodes.csv"),
        ("plot", "rmse.png"),
        ("contact sheet", "contact_sheet.png"),
    ):
        print(f"{what}: {(output / name).resolve()}")
