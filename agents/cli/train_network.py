"""Train a network for matting from a recipe.

A recipe is a TOML file, of the package (by its name) or your own (by its path); README.md in the folder
active_matting/training/recipes explains its keys. Weights, config, checkpoint and log go to --output. Ctrl-C stops at
the next batch; --resume goes on from there, or from the latest checkpoint where the run was killed, and ends with the
same weights as if it had not been stopped.

example: active-matting train-network mine.toml --data-root data --output results/mine --minutes 30
"""

import argparse
from pathlib import Path

from active_matting.agents.cli.outcomes import tell_outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, output, when to stop."""
    parser.add_argument("recipe", metavar="RECIPE", help="a recipe's name, or a .toml file")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for weights and checkpoint")
    parser.add_argument("--data-root", default=".", metavar="FOLDER", help="what the recipe's folders are relative to")
    parser.add_argument("--start", metavar="FILE", help="weights to begin with: .safetensors, or as published (.pth)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="what to compute on")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so long, wherever the run is then")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that load batches, not the recipe's number")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")


def run(given: argparse.Namespace) -> None:
    """Train and say how it ended."""
    from dataclasses import replace

    from active_matting.training.recipe import load_recipe
    from active_matting.training.train_network import train_network

    recipe = load_recipe(given.recipe)
    if given.workers is not None:
        recipe = replace(recipe, running=replace(recipe.running, workers=given.workers))
    outcome = train_network(
        recipe,
        given.output,
        data_root=given.data_root,
        seed=given.seed,
        start=given.start,
        device=given.device,
        minutes=given.minutes,
        resume=given.resume,
    )
    tell_outcome(outcome, "weights", given.output)
