"""The trainer: that it learns, goes on where it was killed to the same bit, and stops when it should."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys import BIAS, WEIGHTS, Line, make_line, network, recipe, state, tasks

from active_matting.errors import ConvergenceError, InvalidArgumentError
from active_matting.training.checkpoint import load_tensors
from active_matting.training.learner import SPOILT_IN_A_ROW
from active_matting.training.reporting import Reporter
from active_matting.training.trainer import fit, has_bfloat16


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
        recipe(
            schedule={"epochs": 80},
            optimiser=settings,
            averaging={"decay": 0.9},
            validation={"every": 0},
            running={"checkpoint_minutes": 60.0},
        ),
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


class _Watched(nn.Linear):
    """Notes in what precision it answers."""

    seen: set[torch.dtype]

    def forward(self, points: Tensor) -> Tensor:
        answer = super().forward(points)
        if self.training:
            self.seen.add(answer.dtype)
        return answer.float()


@pytest.mark.parametrize(
    ("precision", "has", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("float32", True, torch.float32),
    ],
)
def test_what_the_processor_has_no_instructions_for_is_used_where_it_is_asked_for_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, has: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr("active_matting.training.trainer.has_bfloat16", lambda device: has)
    watched = _Watched(3, 1)
    watched.seen = set()
    fit(
        recipe(schedule={"epochs": 1}, running={"precision": precision}),
        watched,
        {"one": Line(seed=1), "two": Line(seed=2)},
        tmp_path,
        device="cpu",
    )
    assert watched.seen == {expected}


def test_a_processor_has_bfloat16_where_the_system_says_so() -> None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        pytest.skip("no list of the processor's instructions here")
    assert has_bfloat16(torch.device("cpu")) == ("avx512_bf16" in cpuinfo.read_text())
