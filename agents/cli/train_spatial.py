"""Train the agent that sees space.

Episodes with simulated users are made first, and kept; from them a network learns to see what a robot sees that knows
the truth. spatial-demo takes minutes, spatial-cpu an hour on two cores. Three go on from an agent (--start) with
episodes that it plays: spatial-own by imitation, spatial-reward and spatial-gpu by reward. Ctrl-C stops at the next
batch; --resume goes on from there, or from the latest checkpoint where the run was killed, and ends with the same
weights as if it had not been stopped.

example: active-matting train-spatial spatial-demo --output results/spatial
"""

import argparse
from pathlib import Path

from active_matting.agents.cli.outcomes import tell_outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Recipe, data, output, when to stop."""
    parser.add_argument("recipe", metavar="RECIPE", help="spatial-demo, -cpu, -own, -reward or -gpu, or a .toml file")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for the agent and its checkpoint")
    parser.add_argument("--data-root", default=".", metavar="FOLDER", help="what the recipe's folders are relative to")
    parser.add_argument("--episodes", metavar="FOLDER", help="where episodes are kept, not in the user's cache")
    parser.add_argument("--start", metavar="FOLDER", help="a spatial agent to begin with")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn but episodes")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="what to compute on")
    parser.add_argument("--minutes", type=float, metavar="M", help="learn so long at most")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that make episodes")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output")


def run(given: argparse.Namespace) -> None:
    """Train and say how it ended."""
    from active_matting.agents.spatial.training import find_recipe, train_spatial

    _, outcome = train_spatial(
        find_recipe(given.recipe),
        given.output,
        data_root=given.data_root,
        cache=given.episodes,
        seed=given.seed,
        start=given.start,
        device=given.device,
        minutes=given.minutes,
        resume=given.resume,
        workers=given.workers,
    )
    tell_outcome(outcome, "agent", given.output)
