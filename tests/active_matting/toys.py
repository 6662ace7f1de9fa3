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
