"""How many steps a second, what they are spent on, and how many times more than the straightforward way?

All run in turn in one process; medians of the repeats with their quartiles. Three tables:

- one environment, an episode of the shipped agent: milliseconds a step spent in the solver, in the environment itself
  and in the policy; the environment's share; and what starting an episode takes;
- the same task written the straightforward way, pymatting called afresh each step, on the same images and regions;
- a batch in one process, its mattes solved in one call, against as many separate environments: in the same process,
  one after the other (Gymnasium's SyncVectorEnv), and in processes of their own (AsyncVectorEnv).

    python benchmarks/environment_speed.py --side 400 200 100 --repeats 5 --num-envs 8
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import gymnasium
import numpy as np
import pymatting
from numpy.typing import NDArray
from tqdm import tqdm

from active_matting.agents import make_agent
from active_matting.data import make_data
from active_matting.envs.single import SingleEnv
from active_matting.labels import to_trimap
from active_matting.metrics import rmse
from active_matting.solvers import Matte, PreparedSolver

NAME = "active_matting:ActiveMatting/Regions-v0"
PYMATTING = {"shared": "sm", "closed-form": "cf", "knn": "knn", "lbdm": "lbdm", "random-walk": "rw"}


class Timed:
    """A prepared solver that adds up the seconds it takes."""

    def __init__(self, prepared: PreparedSolver) -> None:
        self._prepared, self.shape, self.seconds = prepared, prepared.shape, 0.0

    def solve(self, label_map: NDArray[np.int8], previous: Matte | None = None) -> Matte:
        """See `PreparedSolver.solve`."""
        started = time.perf_counter()
        matte = self._prepared.solve(label_map, previous)
        self.seconds += time.perf_counter() - started
        return matte

    def solve_many(self, label_maps: NDArray[np.int8]) -> NDArray[np.float32]:
        """See `PreparedSolver.solve_many`."""
        started = time.perf_counter()
        alphas = self._prepared.solve_many(label_maps)
        self.seconds += time.perf_counter() - started
        return alphas


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, nargs="+", default=[400, 200, 100], help="pixels (400 200 100)")
    parser.add_argument("--solver", default="shared", choices=PYMATTING, help="name (shared)")
    parser.add_argument("--budget", type=int, default=20, help="queries of an episode (20)")
    parser.add_argument("--repeats", type=int, default=5, help="episodes of each (5)")
    parser.add_argument("--num-envs", type=int, default=8, help="environments of a batch (8)")
    given = parser.parse_args()
    for side in given.side:
        arguments = {
            "data_kwargs": {"split": "validation", "count": given.repeats, "size": side},
            "image_size": side,
            "region_size": max(1, side // 20),
            "budget": given.budget,
            "solver": given.solver,
        }
        print(f"\n## {side}×{side}, {given.solver}, {given.budget} queries, {given.repeats} repeats\n")
        _one(arguments, given.repeats)
        _many(arguments, given.num_envs, given.repeats)


def _one(arguments: dict[str, Any], repeats: int) -> None:
    env = gymnasium.make(NAME, **arguments)
    agent = make_agent("small", env)
    rows: dict[str, list[float]] = {"start": [], "solver": [], "environment": [], "policy": [], "peer": []}
    for index in tqdm(range(repeats), desc="one", leave=False):
        for name, seconds in _episode(env, agent, index).items():
            rows[name].append(seconds)
        regions = env.unwrapped.session.answers  # type: ignore[attr-defined]
        rows["peer"].append(_straightforward(arguments, index, regions))
    steps = np.array([rows[name] for name in ("solver", "environment", "policy")])
    ours = steps[:2].sum(axis=0)
    print("| of one environment | ms a step (quartiles) |\n|---|---|")
    for name in ("solver", "environment", "policy", "start"):
        print(f"| {name if name != 'start' else 'starting an episode, once'} | {_spread(np.array(rows[name]) * 1e3)} |")
    print(f"| the environment's own share of solver and environment | {_spread(steps[1] / ours * 100)} % |")
    print(f"| steps a second without policy | {_spread(1 / ours)} |")
    print(f"| steps a second with policy | {_spread(1 / steps.sum(axis=0))} |")
    print(f"| pymatting afresh each step | {_spread(np.array(rows['peer']) * 1e3)} |")
    print(f"| times faster than that | {_spread(np.array(rows['peer']) / ours)} |\n")


def _episode(env: gymnasium.Env[Any, Any], agent: Any, index: int) -> dict[str, float]:
    """Seconds a step by what they were spent on, and those that starting took."""
    regions = env.unwrapped
    assert isinstance(regions, SingleEnv)
    started = time.perf_counter()
    observation, _ = env.reset(options={"index": index})
    begun = time.perf_counter()
    timed = Timed(regions.session.prepared)
    regions.session.prepared = timed
    policy, steps, state, has_ended = 0.0, 0, None, False
    while not has_ended:
        before = time.perf_counter()
        action, state = agent.predict(observation, state=state, episode_start=np.array([steps == 0]))
        policy += time.perf_counter() - before
        observation, _, has_ended, *_ = env.step(action)
        steps += 1
    everything = time.perf_counter() - begun
    own = everything - timed.seconds - policy
    spent = {"solver": timed.seconds, "environment": own, "policy": policy}
    return {name: seconds / steps for name, seconds in spent.items()} | {"start": begun - started}


def _straightforward(arguments: dict[str, Any], index: int, answers: Sequence[Any]) -> float:
    """Seconds a step of the loop that anyone would write first, for the same image and answers."""
    sample = make_data("rendered", **arguments["data_kwargs"])[index]
    estimate = getattr(pymatting, f"estimate_alpha_{PYMATTING[arguments['solver']]}")
    image, label_map = sample.image.astype(np.float64), np.zeros(sample.shape, dtype=np.int8)
    started = time.perf_counter()
    for said in answers:
        if said.label in (-1, 1):
            label_map[said.region.slices] = said.label
        alpha = np.full(sample.shape, 0.5)
        if {-1, 1} <= set(np.unique(label_map).tolist()):
            with redirect_stdout(StringIO()):
                alpha = estimate(image, to_trimap(label_map).astype(np.float64))
        rmse(alpha.astype(np.float32), sample.alpha)
    return (time.perf_counter() - started) / len(answers)


def _many(arguments: dict[str, Any], count: int, repeats: int) -> None:
    how: dict[str, dict[str, Any]] = {
        "a batch, one call": {"vectorization_mode": "vector_entry_point"},
        "one after the other": {"vectorization_mode": "sync"},
        "processes of their own": {"vectorization_mode": "async", "vector_kwargs": {"context": "spawn"}},
    }
    made = {name: gymnasium.make_vec(NAME, num_envs=count, **kwargs, **arguments) for name, kwargs in how.items()}
    runs = {name: _episodes(envs, arguments["budget"]) for name, envs in made.items()}
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for _ in tqdm(range(repeats + 1), desc="many", leave=False):
        for name, run in runs.items():
            seconds[name].append(next(run))
    for envs in made.values():
        envs.close()
    print(
        f"| {count} environments | steps a second, of all together | a batch is so many times as fast |\n|---|---|---|"
    )
    batch = np.array(seconds["a batch, one call"][1:])
    for name, times in seconds.items():
        rate = count * arguments["budget"] / np.array(times[1:])  # the first settles caches
        print(f"| {name} | {_spread(rate)} | {_spread(np.array(times[1:]) / batch)} |")


def _episodes(envs: gymnasium.vector.VectorEnv[Any, Any, Any], budget: int) -> Iterator[float]:
    """Seconds of an episode's steps, without starting it, again and again."""
    seed = 0
    while True:
        envs.reset(seed=seed)
        envs.action_space.seed(seed)
        started = time.perf_counter()
        for _ in range(budget):
            envs.step(envs.action_space.sample())
        yield time.perf_counter() - started
        seed += 1


def _spread(values: NDArray[np.float64]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    digits = 1 if middle < 100 else 0
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


if __name__ == "__main__":
    main()
