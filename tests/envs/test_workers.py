"""Environments in worker processes: what they return, and how many threads they compute on."""

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import cv2
import gymnasium
import numpy as np
import pytest
import threadpoolctl
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from active_matting.compiled import thread_count

REGIONS, GRID = "active_matting:ActiveMatting/Regions-v0", "active_matting:ActiveMatting/RegionGrid-v0"
IDS = {"regions": REGIONS, "grid": GRID}
SMALL: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 2, "size": 36},
    "image_size": 36,
    "region_size": 6,
    "budget": 2,
}
METHODS = multiprocessing.get_all_start_methods()  # "fork" first, where there is one

every_method = pytest.mark.parametrize("method", METHODS)
every_id = pytest.mark.parametrize("name", IDS.values(), ids=IDS)


class Counting(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Tells how many threads its process computes on."""

    def thread_counts(self) -> dict[str, int]:
        """By whom."""
        return counts()


def counts() -> dict[str, int]:
    """Threads of this process by who computes on them; torch only where it is loaded."""
    loaded = {"torch": sys.modules["torch"].get_num_threads()} if "torch" in sys.modules else {}
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    return {"numba": thread_count(), "opencv": cv2.getNumThreads(), **loaded, **pools}


def make_counting(**arguments: Any) -> Counting:
    """What workers make."""
    return Counting(gymnasium.make(REGIONS, **SMALL, **arguments))


def play_singles(name: str, actions: Any) -> Iterator[list[tuple[Any, ...]]]:
    """What two single environments return, reset where they end; the seeds are 3 and 4."""
    envs = [gymnasium.make(name, **SMALL) for _ in range(2)]
    yield [env.reset(seed=3 + number) for number, env in enumerate(envs)]
    for chosen in actions:
        yield [env.step(action) for env, action in zip(envs, chosen, strict=True)]


def sampled(name: str, steps: int) -> Any:
    """Random actions of two environments, `(steps, 2, ...)`."""
    space = gymnasium.make(name, **SMALL).action_space
    space.seed(5)
    return np.array([[space.sample() for _ in range(2)] for _ in range(steps)])


def assert_same(observations: Any, singles: list[tuple[Any, ...]]) -> None:
    for number, single in enumerate(singles):
        for key, array in single[0].items():
            np.testing.assert_array_equal(observations[key][number], array)


@every_id
@pytest.mark.parametrize("method", [None, *METHODS])
def test_gymnasiums_vectors_step_as_single_environments_do(name: str, method: str | None) -> None:
    makers = [partial(gymnasium.make, name, **SMALL)] * 2
    envs: Any = gymnasium.vector.AsyncVectorEnv(makers, context=method) if method else None
    envs = envs or gymnasium.vector.SyncVectorEnv(makers)
    actions = sampled(name, 2)
    expected = play_singles(name, actions)
    assert_same(envs.reset(seed=[3, 4])[0], next(expected))
    for chosen, singles in zip(actions, expected, strict=True):
        observations, rewards, terminated, _, infos = envs.step(chosen)
        assert_same(observations, singles)
        assert rewards.tolist() == [single[1] for single in singles]
        assert terminated.tolist() == [single[2] for single in singles]
        assert infos["rmse"].tolist() == [single[4]["rmse"] for single in singles]
    envs.close()


def make_sb3(name: str, method: str | None, **arguments: Any) -> VecEnv:
    kind = DummyVecEnv if method is None else SubprocVecEnv
    kwargs = None if method is None else {"start_method": method}
    return make_vec_env(name, 2, 3, env_kwargs=SMALL | arguments, vec_env_cls=kind, vec_env_kwargs=kwargs)


@every_id
@pytest.mark.parametrize("method", [None, *METHODS])
def test_stable_baselines3s_vectors_step_as_single_environments_do(name: str, method: str | None) -> None:
    envs = make_sb3(name, method)
    actions = sampled(name, 2)
    expected = play_singles(name, actions)
    assert_same(envs.reset(), next(expected))
    for chosen, singles in zip(actions, expected, strict=True):
        observations, rewards, dones, infos = envs.step(chosen)
        if dones.all():  # and what is returned is of the next episodes
            lasts = [info["terminal_observation"] for info in infos]
            observations = {key: np.stack([last[key] for last in lasts]) for key in lasts[0]}
        assert_same(observations, singles)
        assert rewards.tolist() == pytest.approx([single[1] for single in singles])  # float32 there
        assert dones.tolist() == [single[2] for single in singles]
    assert dones.all()
    envs.close()


@pytest.mark.parametrize("method", [None, *METHODS])
def test_masks_come_out_of_workers(method: str | None) -> None:
    envs = make_sb3(GRID, method, mask="pure")
    before = envs.reset()
    assert isinstance(before, dict)
    masks = np.stack(envs.env_method("action_masks"))
    np.testing.assert_array_equal(masks, before["action_mask"])
    assert (masks == 0).any(axis=1).all()  # the mixed cells
    chosen = masks.argmax(axis=1)
    after, *_ = envs.step(chosen)
    assert isinstance(after, dict)
    masks = np.stack(envs.env_method("action_masks"))
    np.testing.assert_array_equal(masks, after["action_mask"])
    assert (masks[[0, 1], chosen] == 0).all()
    envs.close()


@every_method
@pytest.mark.parametrize(("arguments", "expected"), [({}, 1), ({"threads": 2}, 2), ({"solver": "shared-torch"}, 1)])
def test_workers_compute_on_one_thread_unless_told(method: str, arguments: dict[str, Any], expected: int) -> None:
    before = counts()
    if arguments.get("threads"):  # in the main process, which makes one to look at, they would count too
        envs: Any = SubprocVecEnv([partial(make_counting, **arguments)], start_method=method)
        found = envs.env_method("thread_counts")
    else:
        envs = gymnasium.vector.AsyncVectorEnv([partial(make_counting, **arguments)], context=method)
        envs.reset(seed=0)
        for _ in range(2):
            envs.step(np.zeros((1, 2), dtype=np.float32))
        found = envs.call("thread_counts")
    envs.close()
    for each in found:
        assert len(each) >= 3
        allowed = {expected, 1} if expected > 1 else {1}  # a library built for, or limited to, one has no more
        assert set(each.values()) <= allowed, each
        assert each["opencv"] == expected
    assert {who: count for who, count in counts().items() if who in before} == before


AFTER_THREADS = """
import json, multiprocessing, sys
from functools import partial
import cv2, gymnasium, numpy as np, torch
from active_matting.compiled import thread_count

def compute():
    cv2.setNumThreads(2)
    torch.set_num_threads(2)
    for _ in range(3):
        cv2.GaussianBlur(np.ones((2000, 2000, 3), np.float32), (0, 0), 5)
    square = np.ones((700, 700))
    torch.tensor(square) @ torch.tensor(square), square @ square
    return thread_count(), cv2.getNumThreads(), torch.get_num_threads()

arguments = json.loads(sys.argv[1])
make = partial(gymnasium.make, "active_matting:ActiveMatting/Regions-v0", **arguments)
before = compute()
envs = gymnasium.vector.AsyncVectorEnv([make] * 2, context="fork")
envs.reset(seed=0)
envs.step(np.zeros((2, 2), dtype=np.float32))
envs.close()
assert (thread_count(), cv2.getNumThreads(), torch.get_num_threads()) == before
compute()
print("whole")
"""


@pytest.mark.skipif("fork" not in METHODS, reason="no fork here")
@pytest.mark.parametrize("solver", ["shared", "segment-then-matte", "shared-torch"])
def test_a_process_whose_threads_have_computed_may_be_forked(solver: str) -> None:
    script = [sys.executable, "-c", AFTER_THREADS, json.dumps(SMALL | {"solver": solver})]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.communicate(timeout=120)[0] == "whole\n"
    finally:
        process.kill()
        process.wait()


def test_an_argument_limits_the_process_that_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setattr(cv2, "setNumThreads", set_to.append)
    gymnasium.make(REGIONS, **SMALL)
    assert set_to == []
    gymnasium.make(REGIONS, **SMALL, threads=1)
    assert set(set_to) == {1}
