"""Train the Region-CNNs, the paper's second baseline.

One network for each number of regions learns where the ideal sequences of pictures go, which are found first and kept
in the cache. What was stopped or killed goes on when the same command is given again.

example: active-matting train-region-cnn --data-root data --output results/region-cnn --regions 10 --regions 20
"""

import argparse
from pathlib import Path

from active_matting.agents.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, output, which networks, when to stop."""
    parser.add_argument("--recipe", metavar="FILE", help="a .toml file; the package's region-cnn.toml when not given")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for weights and checkpoints")
    parser.add_argument("--data-root", default=".", metavar="FOLDER", help="what the recipe's folders are relative to")
    parser.add_argument("--regions", type=int, action="append", metavar="N", help="repeat; the paper's seven when none")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop each network after so long")
    options.add_cache(parser)


def run(given: argparse.Namespace) -> None:
    """Train and say where the weights are."""
    from active_matting.agents.baselines.region_cnn import COUNTS
    from active_matting.agents.baselines.region_training import train_region_cnns

    train_region_cnns(
        given.output,
        given.regions or COUNTS,
        recipe=given.recipe,
        data_root=given.data_root,
        seed=given.seed,
        minutes=given.minutes,
        cache=options.cache_folder(given),
    )
    print(f'weights: {given.output}, for --agent region-cnn:folder="{given.output}"')
