"""What every environment keeps, for every id and every option that changes a space, a reward or what is drawn."""

import gc
import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import psutil
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env as check_with_gymnasium
from numpy.typing import NDArray
from same import assert_equal
from stable_baselines3.common.env_checker import check_env as check_with_stable_baselines3

from active_matting.environments import ENVIRONMENTS

SMALL: dict[str, Any] = {
    "data_kwargs": {"split": "validation", "count": 6, "size": 60},
    "image_size": 60,
    "region_size": 6,
    "budget": 3,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "two candidates": {"candidates": 2, "reward": "relative"},
    "three candidates": {"candidates": 3, "reward": "log"},
    "extended": {"protocol": "extended"},
    "another solver": {"solver": "random-walk", "solver_kwargs": {"sigma": 0.05}},
    "odd sizes": {"image_size": 45, "region_size": 4, "budget": 1},
    "all at once": {"order": "epoch", "annotator": "noisy", "annotator_kwargs": {"probability": 0.5}},
    "skips": {"annotator": "lazy", "annotator_kwargs": {"probability": 0.5}, "order": "in-turn"},
    "counts seconds": {"annotator": "slow"},
}
OPTIONS_OF_GRIDS: dict[str, dict[str, Any]] = {
    "overlapping cells": {"stride": 4},
    "pure cells": {"mask": "pure"},
    "pure cells, two candidates": {"mask": "pure", "candidates": 2},
    "few cells": {"region_size": 30, "budget": 6},
}
VARIANTS = [(name, about, options) for name in ENVIRONMENTS for about, options in OPTIONS.items()] + [
    ("ActiveMatting/RegionGrid-v0", about, options) for about, options in OPTIONS_OF_GRIDS.items()
]

every_variant = pytest.mark.parametrize(
    ("name", "options"),
    [pytest.param(name, options, id=f"{name.split('/')[1]}: {about}") for name, about, options in VARIANTS],
)


def make(name: str, options: dict[str, Any], **more: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(f"active_matting:{name}", **{**SMALL, **options}, **more)


def play(env: gymnasium.Env[Any, Any], seed: int, steps: int) -> Iterator[tuple[Any, ...]]:
    """What an environment returns to random actions, its episodes one after the other."""
    env.action_space.seed(seed)
    yield env.reset(seed=seed)
    has_ended = False
    for _ in range(steps):
        if has_ended:
            yield env.reset()
        returned = env.step(env.action_space.sample())
        has_ended = returned[2] or returned[3]
        yield returned


def fingerprint(name: str, options: dict[str, Any], seed: int) -> str:
    """A hash of everything that an environment returns to random actions."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                digest.update(key.encode())
                add(value[key])
        else:
            array = np.asarray(value)
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())

    for returned in play(make(name, options), seed, steps=5):
        for value in returned:
            add(value)
    return digest.hexdigest()


@every_variant
def test_both_checkers_pass_with_warnings_as_errors(name: str, options: dict[str, Any]) -> None:
    env = make(name, options, render_mode="rgb_array")
    check_with_gymnasium(env.unwrapped)
    check_with_stable_baselines3(env)


@every_variant
def test_the_same_seed_gives_the_same_episodes(name: str, options: dict[str, Any]) -> None:
    assert fingerprint(name, options, seed=3) == fingerprint(name, options, seed=3)
    assert fingerprint(name, options, seed=3) != fingerprint(name, options, seed=4)


@every_variant
def test_a_seed_forgets_what_was_before(name: str, options: dict[str, Any]) -> None:
    env = make(name, options)
    first = list(play(env, 3, steps=5))
    list(play(env, 4, steps=2))
    for one, other in zip(first, play(env, 3, steps=5), strict=True):
        assert_equal(one, other)


def test_another_process_gives_the_same_episodes() -> None:
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import test_contract as tests\n"
        "print(json.dumps([tests.fingerprint(name, options, 7) for name, _, options in tests.VARIANTS]))"
    )
    command = [sys.executable, "-c", code, __file__.rpartition("/")[0]]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == [fingerprint(name, options, 7) for name, _, options in VARIANTS]


@every_variant
def test_the_spec_survives_json(name: str, options: dict[str, Any]) -> None:
    env = make(name, options)
    assert env.spec is not None
    twin = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    for one, other in zip(play(env, 2, steps=3), play(twin, 2, steps=3), strict=True):
        assert_equal(one, other)


@every_variant
def test_a_pickled_environment_goes_on_as_the_original_does(name: str, options: dict[str, Any]) -> None:
    env = make(name, {**options, "budget": 4}).unwrapped
    env.reset(seed=1)
    env.action_space.seed(1)
    env.step(env.action_space.sample())
    twin = pickle.loads(pickle.dumps(env))
    for _ in range(3):
        action = env.action_space.sample()
        assert_equal(env.step(action), twin.step(action))
    assert_equal(env.reset(), twin.reset())


@every_variant
def test_what_successive_steps_return_shares_no_memory(name: str, options: dict[str, Any]) -> None:
    env = make(name, {**options, "budget": 4}).unwrapped
    returned = list(play(env, 0, steps=4))
    arrays = [list(_arrays((each[0], each[-1]))) for each in returned]
    assert min(len(each) for each in arrays) >= 5
    for k in range(len(arrays) - 1):
        for one in arrays[k]:
            assert not any(np.shares_memory(one, other) for other in arrays[k + 1])


def test_writing_to_what_was_returned_changes_nothing() -> None:
    spoilt, untouched = (make("ActiveMatting/RegionGrid-v0", {"candidates": 2}) for _ in range(2))
    for mine, other in zip(play(spoilt, 0, steps=8), play(untouched, 0, steps=8), strict=True):
        assert_equal(mine, other)
        for array in _arrays((mine[0], mine[-1])):
            array[...] = 1


@every_variant
def test_no_global_random_state_is_used(name: str, options: dict[str, Any]) -> None:
    def state() -> Any:
        return np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002

    before = state()
    list(play(make(name, options), 1, steps=4))
    assert state() == before


@every_variant
def test_nothing_in_info_depends_on_the_clock(name: str, options: dict[str, Any]) -> None:
    allowed = {"rmse", "sample", "seconds", "label", "committed", "rewards", "skipped", "action_mask"}
    for returned in play(make(name, options), 0, steps=3):
        assert set(returned[-1]) <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_ten_thousand_steps_take_no_memory(name: str) -> None:
    quickly_drawn = {"split": "validation", "count": 6, "size": 32, "families": ["discs"]}
    env = make(name, {"data_kwargs": quickly_drawn, "image_size": 32, "region_size": 4, "budget": 10})
    process = psutil.Process()
    steps = play(env, 0, steps=10_000)

    def run(count: int) -> int:
        for _ in range(count):
            next(steps)
        gc.collect()
        return int(process.memory_info().rss)

    settled = run(2_000)
    assert run(8_000) - settled < 4 * 2**20


def _arrays(value: Any) -> Iterator[NDArray[Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, dict | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _arrays(each)
