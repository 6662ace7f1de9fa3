"""The trainer's parts, against values worked out by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from toys import make_line

from active_matting.errors import FileError, InvalidArgumentError
from active_matting.training.averaging import AveragingSettings, make_average, update_average
from active_matting.training.checkpoint import load_tensors, optimiser_tensors, restore_optimiser, save_tensors
from active_matting.training.optimiser import OptimiserSettings, split_parameters, step
from active_matting.training.schedule import Lesson, Schedule

ROOT = math.sqrt(2)
TURNS = (("clicks", 3), ("trimaps", 2), ("clicks", 1))


def test_tasks_take_turns_and_count_their_own_batches() -> None:
    schedule = Schedule(turns=TURNS, epochs=2)
    assert schedule.batches == 12
    assert [schedule.lesson(batch) for batch in range(12)] == [
        Lesson(0, "clicks", 0),
        Lesson(0, "clicks", 1),
        Lesson(0, "clicks", 2),
        Lesson(0, "trimaps", 0),
        Lesson(0, "trimaps", 1),
        Lesson(0, "clicks", 3),
        Lesson(1, "clicks", 4),
        Lesson(1, "clicks", 5),
        Lesson(1, "clicks", 6),
        Lesson(1, "trimaps", 2),
        Lesson(1, "trimaps", 3),
        Lesson(1, "clicks", 7),
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1, 1, 1]),
        ({"warm_up": 4}, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ({"rule": "steps", "steps": (1, 3), "factor": 0.1}, [1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01]),
        ({"rule": "steps", "steps": (2,), "warm_up": 2, "factor": 0.5}, [0.5, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]),
        ({"rule": "cosine"}, [(1 + math.cos(math.pi * batch / 8)) / 2 for batch in range(8)]),
        ({"rule": "cosine", "warm_up": 4}, [0.25, 0.5, 0.75, 1, 1, 0.5 + ROOT / 4, 0.5, 0.5 - ROOT / 4]),
        ({"rule": "cosine", "warm_up": 6, "final": 0.2}, [1 / 6, 1 / 3, 0.5, 2 / 3, 5 / 6, 1, 1, 0.6]),
    ],
)
def test_the_learning_rate_follows_its_rule(settings: dict[str, Any], expected: list[float]) -> None:
    schedule = Schedule(turns=(("one", 2),), epochs=4, **settings)
    assert [schedule.speed(batch) for batch in range(8)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"turns": ()}, "turns must be"),
        ({"turns": (("one", 0),)}, "at least 1 batch each"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"warm_up": 13}, "warm_up must be from 0 to all 12 batches, got 13"),
        ({"rule": "steps"}, "steps must be rising epochs"),
        ({"steps": (1,)}, "with the rule 'steps' alone"),
        ({"rule": "steps", "steps": (2, 1)}, "steps must be rising epochs"),
        ({"factor": 0.0}, "factor must be positive"),
        ({"final": 1.5}, "final must be from 0 to 1"),
    ],
)
def test_impossible_schedules_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        Schedule(**{"turns": TURNS, "epochs": 2, **settings})


class Tied(nn.Module):
    """One of every kind of parameter; two layers share their weights, one is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.group = nn.GroupNorm(2, 4)
        self.plane = nn.LayerNorm((4, 5, 5))  # its parameters have three axes
        self.linear, self.same = nn.Linear(4, 4), nn.Linear(4, 4)
        self.same.weight = self.linear.weight
        self.frozen = nn.Conv2d(4, 4, 1).requires_grad_(False)
        self.gain = nn.Parameter(torch.ones(4))


def test_convolutions_and_linear_layers_decay_more_than_the_rest() -> None:
    network = Tied()
    weights, others = split_parameters(network)
    names = {parameter: name for name, parameter in network.named_parameters()}
    assert [names[parameter] for parameter in weights] == ["convolution.weight", "linear.weight"]
    assert {names[parameter] for parameter in others} == {
        "convolution.bias",
        "group.weight",
        "group.bias",
        "plane.weight",
        "plane.bias",
        "linear.bias",
        "same.bias",
        "gain",
    }
    groups = OptimiserSettings().make(network).param_groups
    assert [(group["weight_decay"], len(group["params"])) for group in groups] == [(0.005, 2), (1e-5, 8)]


@pytest.mark.parametrize("name", ["radam", "adamw"])
def test_decay_alone_shrinks_parameters_by_learning_rate_times_decay(name: Any) -> None:
    network = nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(2.0), network.bias.fill_(3.0)
    settings = OptimiserSettings(name, learning_rate=0.1, weight_decay=0.5, weight_decay_others=0.2)
    optimiser = settings.make(network)
    (0 * (network.weight.sum() + network.bias.sum())).backward()  # type: ignore[no-untyped-call]
    assert step(optimiser, 0) == 0
    assert network.weight.item() == pytest.approx(2 * (1 - 0.1 * 0.5))
    assert network.bias.item() == pytest.approx(3 * (1 - 0.1 * 0.2))


def test_long_gradients_are_shortened_and_cleared() -> None:
    network = nn.Linear(2, 1, bias=False)
    first = network.weight.detach().clone()
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    (network.weight * torch.tensor([[3.0, 4.0]])).sum().backward()  # type: ignore[no-untyped-call]
    assert step(optimiser, 1.0) == pytest.approx(5)
    torch.testing.assert_close(first - network.weight, torch.tensor([[0.6, 0.8]]))
    assert network.weight.grad is None
    (network.weight * torch.tensor([[3.0, 4.0]])).sum().backward()  # type: ignore[no-untyped-call]
    step(optimiser, 0)
    torch.testing.assert_close(first - network.weight, torch.tensor([[3.6, 4.8]]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        ({"epsilon": -1.0}, "epsilon must be positive"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"gradient_norm": -1.0}, "gradient_norm must not be negative"),
        ({"betas": (0.9, 1.0)}, "betas must be from 0 to below 1"),
    ],
)
def test_impossible_optimisers_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        OptimiserSettings(**settings)


def test_a_network_without_parameters_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="ReLU has no parameters to learn"):
        OptimiserSettings().make(nn.ReLU())


def test_the_average_is_as_worked_out_by_hand() -> None:
    network = nn.BatchNorm1d(1)
    average = make_average(network)
    assert not average.training
    assert not any(parameter.requires_grad for parameter in average.parameters())
    settings = AveragingSettings(decay=0.15)
    assert [settings.kept(updates) for updates in range(3)] == pytest.approx([0.1, 0.15, 0.15])  # 1/10, 2/11, 3/12
    with torch.no_grad():
        for updates, value in enumerate([2.0, 4.0, 8.0]):
            network.weight.fill_(value)  # it was 1
            network.running_mean.fill_(value)  # type: ignore[union-attr]  # it was 0
            network.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            update_average(average, network, settings.kept(updates))
    weight = ((0.1 * 1 + 0.9 * 2) * 0.15 + 0.85 * 4) * 0.15 + 0.85 * 8
    mean = ((0.1 * 0 + 0.9 * 2) * 0.15 + 0.85 * 4) * 0.15 + 0.85 * 8
    told = average.state_dict()
    assert told["weight"].item() == pytest.approx(weight)
    assert told["running_mean"].item() == pytest.approx(mean)
    assert told["num_batches_tracked"].item() == 3


def test_shared_weights_are_averaged_once() -> None:
    network = Tied()
    average = make_average(network)
    with torch.no_grad():
        network.linear.weight.add_(1)
        expected = average.state_dict()["linear.weight"] * 0.75 + network.linear.weight * 0.25
        update_average(average, network, 0.75)
    torch.testing.assert_close(average.state_dict()["same.weight"], expected)


def test_without_decay_the_average_is_the_weights() -> None:
    assert AveragingSettings(decay=0.0).kept(10**6) == 0
    with pytest.raises(InvalidArgumentError, match="decay must be from 0 to below 1, got 1"):
        AveragingSettings(decay=1.0)


def test_checkpoints_keep_values_whatever_their_order_in_memory(tmp_path: Path) -> None:
    picture = torch.rand(2, 3, 4, 5)
    tensors = {"plain": picture, "other order": picture.to(memory_format=torch.channels_last), "same": picture[:, :1]}
    save_tensors(tmp_path / "a" / "b.safetensors", tensors, {"text": "ä", "number": 0.1})
    read, state = load_tensors(tmp_path / "a" / "b.safetensors")
    assert state == {"text": "ä", "number": 0.1}
    for name, tensor in tensors.items():
        assert torch.equal(read[name], tensor)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.safetensors"]


def test_a_checkpoint_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write"):
        save_tensors(tmp_path / "file" / "b.safetensors", {})
    with pytest.raises(FileError, match="cannot be read"):
        load_tensors(tmp_path / "file")


def test_moments_of_other_parameters_are_refused() -> None:
    line = make_line()
    optimiser = OptimiserSettings().make(line)
    line(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    moments = optimiser_tensors(optimiser)
    with pytest.raises(RuntimeError, match="moment of shape"):
        restore_optimiser(OptimiserSettings().make(make_line(4)), moments)
    with pytest.raises(RuntimeError, match="moments of 2 parameters, not 1"):
        restore_optimiser(OptimiserSettings().make(nn.Linear(3, 1, bias=False)), moments)
