"""Train a region-suggestion agent from a recipe.

The paper's recurrent policy, trained by REINFORCE with a learned baseline on a simulated user. A recipe is a TOML file,
of the package (demo: minutes on two CPU cores; cpu: hours; gpu; paper: the paper's in full) or your own (by its path);
README.md in the folder active_matting/agents/recipes explains its keys. Writes weights, config and checkpoint to
--output. Ctrl-C or --minutes stop it; --resume goes on from there, or from the latest checkpoint where the run was
killed, and ends with the same weights as if it had not been stopped.

example: active-matting train demo --minutes 5 --output results/mine
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, overrides, output."""
    parser.add_argument("recipe", nargs="?", default="demo", metavar="RECIPE", help="a recipe's name, or a .toml file")
    parser.add_argument("--data", metavar="FOLDER", help="train on this folder instead of the recipe's images")
    parser.add_argument("--solver", metavar="NAME", help="instead of the recipe's")
    options.add_solver_options(parser)
    parser.add_argument("--start", metavar="FOLDER", help="an agent to begin with, to fine-tune it")
    parser.add_argument("--updates", type=int, metavar="N", help="instead of the recipe's")
    parser.add_argument("--episodes", type=int, metavar="M", help="per update, instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="what to learn on")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so long, wherever the run is then")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")
    parser.add_argument("--tensorboard", action="store_true", help="leave logs for TensorBoard in --output/logs")
    parser.add_argument("--output", type=Path, default=Path("results/agent"), metavar="FOLDER", help="for the weights")


def run(given: argparse.Namespace) -> None:
    """Train and say where the agent is."""
    from active_matting.agents.recipe import load_recipe
    from active_matting.agents.train import train

    recipe = load_recipe(given.recipe).with_changes(
        updates=given.updates,
        environments=given.episodes,
        start=given.start,
        data=given.data,
        solver=given.solver,
        solver_kwargs=options.solver_options(given),
    )
    outcome = train(
        recipe,
        given.output,
        seed=given.seed,
        device=given.device,
        minutes=given.minutes,
        resume=given.resume,
        tensorboard=given.tensorboard,
    )
    print(f"{outcome.ending}: {outcome.updates} of {recipe.training.updates} updates")
    print(f"agent: {given.output}")
    if outcome.ending != "finished":
        print("to go on, give the same command again with --resume")
    if outcome.ending == "interrupted":
        raise KeyboardInterrupt
