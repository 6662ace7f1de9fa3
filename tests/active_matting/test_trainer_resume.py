"""The trainer goes on where it was stopped or killed, and ends with the same weights to the last bit."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import nn
from toys import Line, StopError, assert_same_end, interrupt, kill, make_line, network, recipe, state, tasks

from active_matting.errors import ActiveMattingError, FileError
from active_matting.training.checkpoint import load_tensors
from active_matting.training.task import Task
from active_matting.training.trainer import CHECKPOINT, fit


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    fit(recipe(), network(), tasks(), folder, seed=3)
    return folder


# The third update of the second task's batches, 6 or 7 of an epoch's 10, is in the middle of a batch.
@pytest.mark.parametrize("at", [1, 3, 6, 7, 10, 11, 18, 30])
def test_a_killed_run_goes_on_to_the_same_bit(whole: Path, tmp_path: Path, at: int) -> None:
    with pytest.raises(StopError):
        fit(recipe(), network(), tasks(kill, at), tmp_path, seed=3)
    fit(recipe(), network(), tasks(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


def test_a_run_killed_long_after_its_checkpoint_goes_on_to_the_same_bit(whole: Path, tmp_path: Path) -> None:
    seldom = recipe(running={"checkpoint_minutes": 60.0})
    fit(seldom, network(), tasks(lambda at: interrupt(), 9), tmp_path, seed=3)
    with pytest.raises(StopError):
        fit(seldom, network(), tasks(kill, 13), tmp_path, seed=3, resume=True)
    assert state(tmp_path)[1]["progress"]["updates"] == 10  # of the interrupt; what came after it is lost
    fit(seldom, network(), tasks(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)
    batches = [json.loads(line)["batch"] for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert batches == sorted(batches)


def test_processes_that_load_change_nothing(whole: Path, tmp_path: Path) -> None:
    plain: dict[str, Task] = {"one": Line(seed=1, noise=0.1), "two": Line(seed=2, noise=0.1, updates=2)}
    fit(recipe(running={"workers": 2}), network(), plain, tmp_path, seed=3)
    assert_same_end(whole, tmp_path)


def test_another_seed_ends_elsewhere(whole: Path, tmp_path: Path) -> None:
    fit(recipe(), network(), tasks(), tmp_path, seed=4)
    name = "network.1.weight"
    assert not torch.equal(state(whole)[0][name], state(tmp_path)[0][name])


def test_an_interrupt_ends_after_the_batch_and_is_gone_on_from(whole: Path, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    outcome = fit(recipe(), network(), tasks(lambda at: interrupt(), 7), tmp_path, seed=3)
    assert (outcome.ending, outcome.batches) == ("interrupted", 6)
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "weights.safetensors").exists()
    assert fit(recipe(), network(), tasks(), tmp_path, seed=3, resume=True).ending == "finished"
    assert_same_end(whole, tmp_path)


def test_a_second_interrupt_is_obeyed_at_once(tmp_path: Path) -> None:
    def twice(at: int) -> None:
        interrupt()
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fit(recipe(), network(), tasks(twice, 7), tmp_path)


def test_the_time_budget_ends_a_run_that_goes_on(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**6))
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: float(next(clock)))
        outcome = fit(recipe(), network(), tasks(), tmp_path, seed=3, minutes=0.5)
    assert outcome.ending == "out of time"
    assert 0 < outcome.batches < 21
    fit(recipe(), network(), tasks(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


def test_no_time_at_all_leaves_first_weights_and_a_checkpoint(tmp_path: Path) -> None:
    first = network().state_dict()
    outcome = fit(recipe(), network(), tasks(), tmp_path, minutes=0)
    assert (outcome.ending, outcome.batches, outcome.error) == ("out of time", 0, None)
    shipped, _ = load_tensors(tmp_path / "weights.safetensors")
    assert all(torch.equal(shipped[name], tensor) for name, tensor in first.items())


def test_a_run_is_not_written_over_nor_gone_on_from_with_other_settings(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="has a checkpoint: resume it"):
        fit(recipe(), network(), tasks(), whole, seed=3)
    with pytest.raises(FileError, match="another training: seed was 3, is 5"):
        fit(recipe(), network(), tasks(), whole, seed=5, resume=True)
    with pytest.raises(FileError, match=r"recipe.optimiser.learning_rate was 0.05, is 0.1"):
        fit(recipe(optimiser={"learning_rate": 0.1}), network(), tasks(), whole, seed=3, resume=True)
    with pytest.raises(FileError, match="does not fit this training"):
        fit(recipe(), make_line(inputs=4), tasks(), whole, seed=3, resume=True)
    with pytest.raises(FileError, match="cannot be read"):
        fit(recipe(), network(), tasks(), tmp_path, seed=3, resume=True)
    (tmp_path / CHECKPOINT).parent.mkdir()
    (tmp_path / CHECKPOINT).write_bytes(b"nothing of the kind")
    with pytest.raises(FileError, match="cannot be read"):
        fit(recipe(), network(), tasks(), tmp_path, seed=3, resume=True)


def test_how_a_run_is_run_may_change_when_it_goes_on(whole: Path, tmp_path: Path) -> None:
    fit(recipe(), network(), tasks(lambda at: interrupt(), 7), tmp_path, seed=3)
    fit(recipe(running={"log_every": 1}), network(), tasks(), tmp_path, seed=3, resume=True)
    assert_same_end(whole, tmp_path)


def test_weights_in_channels_last_order_go_on_to_the_same_bit(tmp_path: Path) -> None:
    def convolutions() -> nn.Module:
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 1, 3, padding=1)
        return nn.Sequential(*layers)

    class Pictures(Line):
        def load(self, index: int) -> Any:
            return np.random.default_rng([self.seed, index]).normal(size=(2, 3, 8, 8)).astype(np.float32)

        def losses(self, network: nn.Module, item: Any, generator: np.random.Generator) -> Any:
            if self.when is not None:
                self.when(0, 0)
            picture = torch.from_numpy(item).contiguous(memory_format=torch.channels_last)
            yield (network(picture) - picture.mean(1, keepdim=True)).square().mean()

        def validate(self, network: nn.Module) -> dict[str, float]:
            return {"error": float(network(torch.from_numpy(self.load(99))).square().mean())}

    settings = recipe(schedule={"turns": [["one", 9]], "epochs": 1}, running={"channels_last": True})
    for name, run in (("whole", tasks()), ("parts", tasks(kill, 6))):
        both: dict[str, Task] = {key: Pictures(seed=1, when=task.when) for key, task in run.items()}  # type: ignore[attr-defined]
        try:
            fit(settings, convolutions(), both, tmp_path / name)
        except StopError:
            fit(settings, convolutions(), {key: Pictures(seed=1) for key in both}, tmp_path / name, resume=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")
    assert state(tmp_path / "whole")[0]["average.1.num_batches_tracked"] == 9


ONE_WORKER = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from toys import Line
from active_matting.training.loading import lessons
from active_matting.training.schedule import Schedule

if __name__ == "__main__":
    course = lessons({"one": Line()}, Schedule(turns=(("one", 9),), epochs=1), 0, workers=1)
    next(course)
    print("loading", flush=True)
    time.sleep(600)
"""


def test_processes_that_load_end_with_the_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(ONE_WORKER)
    arguments = [sys.executable, str(tmp_path / "script.py"), str(Path(__file__).parent)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert children
    _, alive = psutil.wait_procs(children, timeout=30)
    for child in alive:
        child.kill()
    assert not alive


class Doomed(Line):
    """Its process dies while it loads."""

    def load(self, index: int) -> Any:
        """Never returns."""
        signal.raise_signal(signal.SIGKILL)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_loading_process_that_dies_is_told(tmp_path: Path) -> None:
    settings = recipe(running={"workers": 1})
    with pytest.raises(ActiveMattingError, match="fewer workers need less"):
        fit(settings, network(), {"one": Doomed(), "two": Doomed()}, tmp_path)
