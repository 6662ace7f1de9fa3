"""Tasks and a network small enough that the truth about their training can be written down."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from active_matting.training.checkpoint import load_tensors
from active_matting.training.recipe import Recipe
from active_matting.training.task import Task
from active_matting.training.trainer import CHECKPOINT

WEIGHTS, BIAS = np.array([1.5, -2.0, 0.5]), 0.25


class StopError(Exception):
    """What kills a run in these tests: nothing of the trainer's catches it."""


@dataclass(frozen=True)
class Line:
    """Points of y = WEIGHTS · x + BIAS; `updates` losses for each batch, as in click-by-click training.

    `when` (index, update) is called before that update: to kill, to interrupt.
    """

    root: Path = Path()
    seed: int = 0
    size: int = 16
    updates: int = 1
    noise: float = 0.0
    errors: tuple[float, ...] = ()  # told in turn instead of the truth, by the number of validations so far
    when: Callable[[int, int], None] | None = None
    told: list[int] = field(default_factory=list)

    def load(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs (size, 3) and outputs (size, 1), float32."""
        rng = np.random.default_rng([self.seed, index])
        x = rng.normal(size=(self.size, 3))
        y = x @ WEIGHTS[:, None] + BIAS
        return x.astype(np.float32), y.astype(np.float32)

    def losses(self, network: nn.Module, item: Any, generator: np.random.Generator) -> Iterator[Tensor | None]:
        """Squared distances."""
        index = int(abs(item[0]).sum() * 1e6)
        for update in range(self.updates):
            if self.when is not None:
                self.when(index, update)
            x, y = (torch.from_numpy(part) for part in item)
            y = y + self.noise * torch.from_numpy(generator.normal(size=y.shape).astype(np.float32))
            yield (network(x) - y).square().mean()
        yield None

    def validate(self, network: nn.Module) -> Mapping[str, float]:
        """The root mean squared error on other points."""
        self.told.append(1)
        if self.errors:
            return {"error": self.errors[min(len(self.told), len(self.errors)) - 1]}
        x, y = (torch.from_numpy(part) for part in self.load(10**6))
        return {"error": float((network(x) - y).square().mean().sqrt()), "points": len(x)}

    def files(self) -> Mapping[str, Sequence[Path]]:
        """None."""
        return {}


def make_line(inputs: int = 3, dropout: float = 0.0) -> nn.Module:
    """A linear layer whose optimum is known."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, 1))


def interrupt() -> None:
    """As Ctrl-C does."""
    signal.raise_signal(signal.SIGINT)


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
