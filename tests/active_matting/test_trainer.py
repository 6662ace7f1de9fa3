"""The trainer: that it learns, goes on where it was killed to the same bit, and stops when it should."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys import BIAS, WEIGHTS, Line, StopError, interrupt, make_line

from active_matting.errors import ActiveMattingError, ConvergenceError, FileError, InvalidArgumentError
from active_matting.training.checkpoint import load_tensors
from active_matting.training.learner import SPOILT_IN_A_ROW
from active_matting.training.recipe import Recipe
from active_matting.training.reporting import Reporter
from active_matting.training.task import Task
from active_matting.training.trainer import CHECKPOINT, fit

TABLE: dict[str, Any] = {
    "network": {"name": "line"},
    "tasks": {"one": {"kind": "line"}, "two": {"kind": "line"}},
    "schedule": {"turns": [["one", 4], ["two", 3]], "epochs": 3, "rule": "cosine", "warm_up": 3},
    "optimiser": {"learning_rate": 0.05, "gradient_norm": 5.0},
    "validation": {"every": 5},
    "running": {"checkpoint_minutes": 0.0, "log_every": 4},
}


def recipe(**sections: dict[str, Any]) -> Recipe:
    """`TABLE` with some keys of its sections changed."""
    return Recipe.from_table(TABLE | {name: {**TABLE.get(name, {}), **keys} for name, keys in sections.items()})


def network() -> nn.Module:
    """With dropout, so that torch's global generator matters; the first weights are always the same."""
    torch.manual_seed(0)
    return make_line(dropout=0.3)


def tasks(when: Callable[[int], None] | None = None, at: int = 0) -> dict[str, Task]:
    """Two tasks, the second with two updates a batch; `when` is called before the `at`-th update of both together."""
    seen = [0]

    def count(index: int, update: int) -> None:
        seen[0] += 1
        if when is not None and seen[0] == at:
            when(at)

    return {"one": Line(seed=1, noise=0.1, when=count), "two": Line(seed=2, noise=0.1, updates=2, when=count)}


def kill(at: int) -> None:
    """As if the process were killed: the trainer has no part in it."""
    raise StopError


def state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All that a run's last checkpoint holds, but for the time it took."""
    tensors, told = load_tensors(folder / CHECKPOINT)
    told["progress"].pop("seconds")
    return tensors, told


def assert_same_end(one: Path, other: Path) -> None:
    """Checkpoints and shipped weights are equal to the last bit."""
    (tensors, told), (others, other_told) = state(one), state(other)
    assert told == other_told
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name
    assert (one / "weights.safetensors").read_bytes() == (other / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    fit(recipe(), network(), tasks(), folder, seed=3)
    return folder


def test_training_finds_the_known_optimum(tmp_path: Path) -> None:
    line = make_line()
    settings = {"learning_rate": 0.1, "weight_decay": 0.0, "weight_decay_others": 0.0}
    fit(
        recipe(schedule={"epochs": 40}, optimiser=settings, averaging={"decay": 0.9}, validation={"every": 0}),
        line,
        {"one": Line(seed=1), "two": Line(seed=2, updates=2)},
        tmp_path,
    )
    shipped, _ = load_tensors(tmp_path / "weights.safetensors")
    np.testing.assert_allclose(shipped["1.weight"], WEIGHTS[None], atol=1e-3)
    np.testing.assert_allclose(shipped["1.bias"], [BIAS], atol=1e-3)


def test_every_loss_is_an_update_and_every_batch_the_schedules(whole: Path) -> None:
    progress = state(whole)[1]["progress"]
    assert progress["batches"] == 21
    assert progress["updates"] == 3 * (4 + 2 * 3)


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


def test_training_stops_when_validation_brings_no_gain_and_ships_the_best(tmp_path: Path) -> None:
    one = Line(seed=1, errors=(0.5, 0.3, 0.4, float("nan"), 0.2))
    settings = recipe(validation={"every": 2, "patience": 2, "tasks": ["one"]})
    outcome = fit(settings, network(), {"one": one, "two": Line(seed=2)}, tmp_path / "early")
    assert (outcome.ending, outcome.batches, outcome.error, outcome.best) == ("no gain", 8, 0.3, 4)
    again = fit(settings, network(), {"one": one, "two": Line(seed=2)}, tmp_path / "early", resume=True)
    assert (again.ending, again.batches) == ("no gain", 8)

    two = Line(seed=2)
    short = recipe(
        schedule={"turns": [["one", 4]], "epochs": 1, "rule": "constant", "warm_up": 3}, validation={"every": 0}
    )
    until_best = recipe(schedule={"rule": "constant"}, validation={"every": 2, "patience": 2, "tasks": ["one"]})
    fit(until_best, network(), {"one": Line(seed=1, errors=one.errors), "two": two}, tmp_path / "best")
    fit(short, network(), {"one": Line(seed=1), "two": two}, tmp_path / "short")
    best, last = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("best", "short"))
    assert best == last


def test_validation_sees_the_averaged_weights_in_evaluation_mode(tmp_path: Path) -> None:
    seen: list[tuple[bool, bool, Tensor]] = []

    class Watching(Line):
        def validate(self, network: nn.Module) -> dict[str, float]:
            weight = next(network.parameters())
            seen.append((network.training, torch.is_grad_enabled(), weight.detach().clone()))
            return {"error": 1.0}

    settings = recipe(schedule={"turns": [["one", 3]], "epochs": 1, "warm_up": 0}, validation={"every": 3})
    fit(settings, network(), {"one": Watching(seed=1), "two": Watching(seed=2)}, tmp_path)
    assert len(seen) == 2
    average = state(tmp_path)[0]["average.1.weight"]
    for is_training, has_gradients, weight in seen:
        assert not is_training
        assert not has_gradients
        assert torch.equal(weight, average)
    assert not torch.equal(average, state(tmp_path)[0]["network.1.weight"])


def test_the_log_has_losses_of_each_task_and_all_measures(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "progress.jsonl").read_text().splitlines()]
    training = [line for line in lines if line["event"] == "training"]
    assert [line["batch"] for line in training] == [4, 8, 12, 16, 20]
    assert {"loss/one", "learning rate", "batches/s", "seconds"} <= training[0].keys()
    assert {"loss/one", "loss/two"} <= training[1].keys()
    validation = [line for line in lines if line["event"] == "validation"]
    assert [line["batch"] for line in validation] == [5, 10, 15, 20, 21]
    for line in validation:
        assert line["error"] == pytest.approx((line["one/error"] + line["two/error"]) / 2)
    assert lines[-1]["ending"] == "finished"


def test_tensorboard_has_what_the_log_has(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Reporter(tmp_path, batches=8, done=0, every=2) as reporter:
        for number in range(1, 5):
            reporter.batch(number, "one", [float(number), number + 1.0], 0.1, 2.0)
        reporter.event("validation", 4, {"error": 0.25, "words": "none"}, 3.0)
    told = reading.EventAccumulator(str(tmp_path / "logs")).Reload()
    assert [(one.step, one.value) for one in told.Scalars("training/loss/one")] == [(2, 2.0), (4, 4.0)]
    assert [(one.step, one.value) for one in told.Scalars("validation/error")] == [(4, 0.25)]


def test_without_tensorboard_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("active_matting.training.reporting.find_spec", lambda name: None)
    with Reporter(tmp_path, batches=8, done=0, every=2) as reporter:
        reporter.event("end", 0, {}, 0.0)
    assert caplog.messages == ["no TensorBoard here (pip install tensorboard); progress.jsonl has the same figures"]
    assert not (tmp_path / "logs").exists()


def test_a_task_may_gather_gradients_for_one_update(tmp_path: Path) -> None:
    class Gathering(Line):
        def losses(self, network: nn.Module, item: Any, generator: np.random.Generator) -> Any:
            x, y = (torch.from_numpy(part) for part in item)
            first, second = ((network(part) - target).square().sum() / len(x) for part, target in self.halves(x, y))
            first.backward()
            yield second

        def halves(self, x: Tensor, y: Tensor) -> Any:
            return ((x[:8], y[:8]), (x[8:], y[8:]))

    settings = recipe(schedule={"turns": [["one", 5]], "epochs": 1, "warm_up": 0}, validation={"every": 0})
    ends = []
    for kind in (Line, Gathering):
        torch.manual_seed(0)
        line = make_line()
        fit(settings, line, {"one": kind(seed=1), "two": Line()}, tmp_path / kind.__name__)
        ends.append(line[1].weight.detach().clone())  # type: ignore[index]
    torch.testing.assert_close(*ends)


def test_updates_without_finite_gradients_are_left_out_and_many_in_a_row_refused(tmp_path: Path) -> None:
    class Broken(Line):
        def losses(self, network: nn.Module, item: Any, generator: np.random.Generator) -> Any:
            yield network(torch.from_numpy(item[0])).sum() * float("nan")

    line = network()
    first = [parameter.detach().clone() for parameter in line.parameters()]
    settings = recipe(schedule={"turns": [["two", 1], ["one", 30]], "epochs": 1, "warm_up": 0})
    with pytest.raises(ConvergenceError, match=f"gradients of {SPOILT_IN_A_ROW} updates in a row"):
        fit(settings, line, {"one": Broken(), "two": Line(updates=0)}, tmp_path)
    for parameter, before in zip(line.parameters(), first, strict=True):
        assert torch.equal(parameter, before)


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


def test_a_task_that_tells_no_error_cannot_be_measured(tmp_path: Path) -> None:
    class Silent(Line):
        def validate(self, network: nn.Module) -> dict[str, float]:
            return {}

    with pytest.raises(InvalidArgumentError, match="'two' tells no 'error'"):
        fit(recipe(), network(), {"one": Line(), "two": Silent()}, tmp_path)


@pytest.mark.parametrize("device", ["gpu", pytest.param("cuda", marks=pytest.mark.skipif("torch.cuda.is_available()"))])
def test_devices_that_are_not_there_are_refused(device: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="device"):
        fit(recipe(), network(), tasks(), tmp_path, device=device)


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
