"""Trainings from recipes: where they were stopped or killed they go on, and end with the same weights to the bit."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from treasure import ENVIRONMENT

from active_matting.agents.checkpoint import CHECKPOINT
from active_matting.agents.recipe import Recipe
from active_matting.agents.train import train
from active_matting.agents.trained import WEIGHTS
from active_matting.errors import FileError
from active_matting.training.checkpoint import load_tensors

NETWORK = {
    "image_size": 32,
    "patch_size": 7,
    "channels": [4, 4],
    "convolutions": [1, 2],
    "pooled_size": 5,
    "hidden_sizes": [],
    "feature_size": 8,
    "memory_size": 6,
    "patch_channels": [16, 32],
}
UPDATES = 12


def recipe(**training: Any) -> Recipe:
    settings = {"updates": UPDATES, "environments": 4, "warm_start": 4, "checkpoint_minutes": 0.0} | training
    algorithm = {"episodes_per_image": 2}
    return Recipe.from_table(
        {"environment": ENVIRONMENT, "network": NETWORK, "algorithm": algorithm, "training": settings}
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / WEIGHTS)[0]


def assert_same_end(one: Path, other: Path) -> None:
    assert weights(one).keys() == weights(other).keys()
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    outcome = train(recipe(), folder, seed=3)
    assert (outcome.ending, outcome.updates) == ("finished", UPDATES)
    return folder


class At(BaseCallback):
    """Does something at a step of the environments, counted from 1."""

    def __init__(self, step: int, act: Callable[[], None]) -> None:
        super().__init__()
        self._step, self._act = step, act

    def _on_step(self) -> bool:
        if self.n_calls == self._step:
            self._act()
        return True


class StopError(Exception):
    """As if the process had died here."""


def stop() -> None:
    raise StopError


@pytest.mark.parametrize("at", [4, 6, 20, 29])
def test_a_run_that_fell_over_goes_on_to_the_same_bit(whole: Path, tmp_path: Path, at: int) -> None:
    with pytest.raises(StopError):
        train(recipe(), tmp_path, seed=3, callback=At(at, stop))
    train(recipe(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


def test_a_run_that_fell_over_long_after_its_checkpoint_does_too(whole: Path, tmp_path: Path) -> None:
    train(recipe(), tmp_path, seed=3, callback=At(8, lambda: signal.raise_signal(signal.SIGINT)))
    with pytest.raises(StopError):
        train(recipe(checkpoint_minutes=60.0), tmp_path, seed=3, resume=True, callback=At(20, stop))
    assert int(load_tensors(tmp_path / CHECKPOINT)[0]["updates"]) == 2  # of the interrupt; what came later is lost
    train(recipe(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


def test_an_interrupt_ends_it_at_once_and_is_gone_on_from(whole: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    outcome = train(recipe(), tmp_path, seed=3, callback=At(8, lambda: signal.raise_signal(signal.SIGINT)))
    assert (outcome.ending, outcome.updates) == ("interrupted", 2)
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / WEIGHTS).exists()
    assert train(recipe(), tmp_path, seed=3, resume=True).ending == "finished"
    assert_same_end(whole, tmp_path)


def test_the_time_budget_ends_a_run_that_goes_on(whole: Path, tmp_path: Path) -> None:
    outcome = train(recipe(), tmp_path, seed=3, minutes=0)
    assert (outcome.ending, outcome.updates) == ("out of time", 0)
    train(recipe(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
from test_train import recipe
from active_matting.agents.train import train
train(recipe(checkpoint_minutes=0.0), Path(sys.argv[1]), seed=3)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("updates", [1, 7])
def test_a_killed_process_goes_on_to_the_same_bit(whole: Path, tmp_path: Path, updates: int) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent))
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: updates_done(tmp_path) >= updates, process)
    finally:
        process.kill()  # SIGKILL, wherever it is
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert updates_done(tmp_path) < UPDATES
    train(recipe(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


def updates_done(folder: Path) -> int:
    path = folder / CHECKPOINT
    return int(load_tensors(path)[0]["updates"]) if path.exists() else -1


def wait_until(is_so: Callable[[], bool], process: "subprocess.Popen[bytes]", seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_too_a_run_that_fell_over_goes_on_to_the_same_bit(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "whole", seed=3, device="cuda")
    with pytest.raises(StopError):
        train(recipe(), tmp_path / "parts", seed=3, device="cuda", callback=At(20, stop))
    train(recipe(), tmp_path / "parts", seed=3, device="cuda", resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_it_can_begin_with_an_agents_weights(whole: Path, tmp_path: Path) -> None:
    tuned = recipe(start=str(whole), updates=1, warm_start=0)
    train(tuned, tmp_path / "none", seed=5, minutes=0)
    assert_same_end(whole, tmp_path / "none")
    train(tuned, tmp_path / "tuned", seed=5)
    change = weights(tmp_path / "tuned")["location_decoding.weight"] - weights(whole)["location_decoding.weight"]
    assert 0 < change.abs().max() < 0.01
    other = replace(tuned, network=replace(tuned.network, memory_size=7))
    with pytest.raises(FileError, match="has other networks than the recipe"):
        train(other, tmp_path / "other", seed=5)


def test_another_seed_ends_elsewhere(whole: Path, tmp_path: Path) -> None:
    train(recipe(), tmp_path, seed=4)
    name = "location_decoding.weight"
    assert not torch.equal(weights(whole)[name], weights(tmp_path)[name])


def test_a_run_is_not_written_over_nor_gone_on_from_with_other_settings(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="has a checkpoint: resume it"):
        train(recipe(), whole, seed=3)
    with pytest.raises(FileError, match="another training: seed was 3, is 5"):
        train(recipe(), whole, seed=5, resume=True)
    with pytest.raises(FileError, match=r"another training: training.updates was 12, is 13"):
        train(recipe(updates=13), whole, seed=3, resume=True)
    with pytest.raises(FileError, match="cannot be read"):
        train(recipe(), tmp_path, seed=3, resume=True)
    (tmp_path / CHECKPOINT).write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="cannot be read"):
        train(recipe(), tmp_path, seed=3, resume=True)
