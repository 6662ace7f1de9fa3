"""What the lazy search for ideal sequences saves, and loses, against trying every cell.

On the same images and solver: seconds of processor and clock an image, the RMSE after some queries, on how many steps
the lazy search chose a cell as good as the best that trying all would have found *there*, and by how much it missed.
The last two need an exhaustive step at each of the lazy sequence's states, which `--regret` adds.

    python benchmarks/greedy_search.py --data /data/alphamatting --images 0 1 2
    python benchmarks/greedy_search.py --data /data/photo-mattes --images 0 5 10 --size 100 --regret
"""

import argparse
import time
from typing import Any

import numpy as np

from active_matting.agents import make_agent
from active_matting.envs.regions import RegionsEnv

READ_AT = (1, 2, 5, 10, 15, 20, 25, 30)


def play(env: RegionsEnv, agent: Any, index: int, judge: Any = None) -> tuple[list[float], float, float, list[float]]:
    """RMSE after each query, seconds of the processor and of the clock, and by how much each choice was worse.

    judge: an exhaustive agent, asked in each state without being followed.
    """
    observation, info = env.reset(options={"index": index})
    curve, missed = [info["rmse"]], []
    worked = waited = 0.0
    ended = False
    while not ended:
        started, clock = time.process_time(), time.perf_counter()
        action, _ = agent.predict(observation)
        worked, waited = worked + time.process_time() - started, waited + time.perf_counter() - clock
        if judge is not None:
            missed.append(_rmse_after(env, action) - _rmse_after(env, judge.predict(observation)[0]))
        observation, _, ended, _, info = env.step(action)
        curve.append(info["rmse"])
    return curve, worked, waited, missed


def _rmse_after(env: RegionsEnv, action: Any) -> float:
    from active_matting.annotators import ExactAnnotator
    from active_matting.labels import RegionAnswer
    from active_matting.metrics import rmse

    region = env.session.region_of(action)
    answer = RegionAnswer(region, ExactAnnotator(env.sample.alpha).answer(region))
    return rmse(env.session.preview([answer])[0], env.sample.alpha)


def main() -> None:
    """A line per image and search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder with images/ and alphas/")
    parser.add_argument("--images", type=int, nargs="+", required=True, help="their numbers")
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--budget", type=int, default=20)
    parser.add_argument("--solver", default="shared")
    parser.add_argument("--agents", nargs="+", default=["greedy-ideal-lazy", "greedy-ideal"])
    parser.add_argument("--regret", action="store_true", help="what each choice of the lazy search lost")
    given = parser.parse_args()
    env = RegionsEnv(
        data="folder",
        data_kwargs={"path": given.data},
        image_size=given.size,
        region_size=max(1, given.size // 20),
        budget=given.budget,
        solver=given.solver,
    )
    for name in given.agents:
        for index in given.images:
            agent = make_agent(name, env)
            judge = make_agent("greedy-ideal", env) if given.regret and name != "greedy-ideal" else None
            curve, worked, waited, missed = play(env, agent, index, judge)
            read = "  ".join(f"{curve[query]:.4f}" for query in READ_AT if query <= given.budget)
            line = f"{env.sample.name}  {name}: {worked:.0f} s of processor, {waited:.0f} s of clock; RMSE {read}"
            if missed:
                is_best = np.array(missed) < 1e-9
                line += f"; as good as the best in {is_best.mean():.0%}, worse by {np.mean(missed):.5f} in the mean"
                line += f" and by {np.max(missed):.4f} at most"
            print(line, flush=True)


if __name__ == "__main__":
    main()
