"""Does a learned agent ask better than chance? Several trainings against several draws of the random agent.

Prints mean RMSE over held-out embedded images after 5, 10, 15 and 20 queries, averaged over seeds, and how far the
learned agents are below the random ones, image by image, with 95 % bootstrap intervals over images.

    python benchmarks/learned_against_random.py results/demo-0/agent results/demo-1/agent results/demo-2/agent
"""

import argparse

import numpy as np

from active_matting.agents.evaluate import evaluate
from active_matting.agents.intervals import bootstrap_interval
from active_matting.agents.tables import curves

READ_AT = (5, 10, 15, 20)


def main() -> None:
    """Evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agents", nargs="+", help="folders of weights, trained with different seeds")
    parser.add_argument("--images", type=int, default=96, help="held-out images (96)")
    parser.add_argument("--size", type=int, default=100, help="their side, pixels (100)")
    parser.add_argument("--split", default="test", help="of the embedded images (test)")
    given = parser.parse_args()
    environment = {
        "data_kwargs": {"split": given.split, "count": given.images, "size": given.size},
        "image_size": given.size,
        "region_size": given.size // 20,
        "budget": max(READ_AT),
    }
    seeds = range(len(given.agents))
    random = curves(evaluate(environment, ["random"], seeds=seeds, workers=2))
    runs = evaluate(environment, given.agents, workers=2)
    learned = curves(runs)
    apart = [curves(run for run in runs if run.agent == agent) for agent in given.agents]
    print(f"{given.images} images of the {given.split} split, {len(given.agents)} seeds each")
    for query in READ_AT:
        chance, ours = random.at(query), learned.at(query)
        low, high = bootstrap_interval(chance - ours)
        each = ", ".join(f"{own.at(query).mean():.3f}" for own in apart)
        print(
            f"after {query:2} queries: random {chance.mean():.3f}, learned {ours.mean():.3f} ({each}), "
            f"below by {np.mean(chance - ours):.3f} [{low:.3f}, {high:.3f}], better on {np.sum(ours < chance)}"
        )


if __name__ == "__main__":
    main()
