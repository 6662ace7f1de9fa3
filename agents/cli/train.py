"""Train a region-suggestion agent.

The paper's recurrent policy, trained by REINFORCE with a learned baseline on a simulated user. Without options, the
small configuration on the embedded images; --recipe paper is the paper's in full (VGG16, 400×400 px), which wants
days or a large machine. Writes weights, config and checkpoint to --output; a run that was interrupted goes on from
there with --resume and ends with the same weights as one that was not.

example: active-matting train --minutes 5 --output results/mine
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options
from active_matting.agents.recipes import RECIPES, make_recipe
from active_matting.agents.reinforce import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, overrides, output."""
    parser.add_argument("--recipe", choices=list(RECIPES), default="small", help="where all settings come from")
    parser.add_argument("--data", metavar="FOLDER", help="train on this folder instead of the embedded images")
    parser.add_argument("--solver", metavar="NAME", help="instead of the recipe's")
    options.add_solver_options(parser)
    parser.add_argument("--updates", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument("--episodes", type=int, metavar="M", help="per update, instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--minutes", type=float, help="stop after so long, wherever the run is then")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")
    parser.add_argument("--output", type=Path, default=Path("results/agent"), metavar="FOLDER", help="for the weights")


def run(given: argparse.Namespace) -> None:
    """Train and say where the agent is."""
    config = make_recipe(
        given.recipe,
        seed=given.seed,
        updates=given.updates,
        episodes=given.episodes,
        data=given.data,
        solver=given.solver,
        solver_kwargs=options.solver_options(given),
    )
    train(config, given.output, minutes=given.minutes, resume=given.resume)
    print(f"agent: {given.output}")
